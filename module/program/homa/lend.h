/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lending: where what is granted does not come, be it by malice or on slow links, it
 * takes the room and the places of all. A peer none of whose messages holds anything then
 * gets a quantum beyond that, as soon as less than half of what is held comes in
 * resend_ns, or when it has waited for as long; and so again whenever the last has come.
 *
 * There are few such quanta at once for each class, and one lapses after resend_ns: it can
 * be lent to another. Whose last one lapsed comes after all others, and gets no more than
 * half of them. Else whose messages have held bytes for the shortest time comes first: one
 * that sends at once is served many times while one that does not is served once.
 */
#ifndef SDP_PROGRAM_HOMA_LEND_H
#define SDP_PROGRAM_HOMA_LEND_H

#include "send.h"

/* Place of a peer that has its share: after all others, and it gets no turn. */
#define HOMA_LEND_NEVER (~0ull)
/* After this, those that have let a quantum lapse. */
#define HOMA_LEND_DOUBT (1ull << 62)
/* The time for which bytes were held counts half after 2^27 ns. */
#define HOMA_LEND_AGE 27
/* At a time no more is added to it, ns. */
#define HOMA_LEND_MOST (1ull << 23)

static inline u32 homa_class(const struct prog_rpc *rpc)
{
	return rpc->secure ? 1 : 0;
}

/* Quanta that may be lent to a class at once: to clear ones fewer while secure ones wait. */
static inline u32 homa_lend_most(const struct prog_params *params,
				 const struct prog_host *host, u32 class)
{
	return class || !host->ranked[1] ? params->overcommit :
					   (params->overcommit + 1u) >> 1;
}

/* ns since @then; events of other processors may have been given their time later. */
static inline u64 homa_lend_since(const struct prog_ev *ev, u64 then)
{
	return ev->now > then ? ev->now - then : 0;
}

/* How much of what was held has come, a round of resend_ns after the other. */
static inline void homa_lend_count(const struct prog_ev *ev,
				   const struct prog_params *params,
				   const struct prog_rpc *rpc,
				   struct prog_host *host)
{
	u32 class;

	if (!rpc->lent && rpc->rx_received > rpc->rx_settled)
		host->came[homa_class(rpc)] += rpc->rx_received - rpc->rx_settled;
	if (homa_lend_since(ev, host->round) < params->resend_ns)
		return;
	for (class = 0; class < 2; class++) {
		host->slow[class] = host->came[class] < host->owed[class] >> 1;
		host->came[class] = 0;
		host->owed[class] = host->held[class];
	}
	host->round = ev->now;
}

/* Where the peer is in PROG_RANK_LEND. */
static inline void homa_lend_place(struct prog_peer *peer, struct mtp_out *out)
{
	u64 doubt = peer->lapsed ? HOMA_LEND_DOUBT : 0;

	if (!peer->waiting)
		return;
	peer->places++;
	homa_rank_place(out, PROG_RANK_LEND,
			peer->holding ? HOMA_LEND_NEVER : peer->spent + doubt,
			peer->places);
}

/* What a peer held long ago counts less and less. */
static inline void homa_lend_age(const struct prog_ev *ev, struct prog_peer *peer)
{
	u64 ages = homa_lend_since(ev, peer->aged) >> HOMA_LEND_AGE;

	if (!ages)
		return;
	peer->aged = ev->now;
	peer->spent >>= homa_shorter(ages, 63);
}

/* The peer holds nothing any more. */
static inline void homa_lend_spend(const struct prog_ev *ev,
				   struct prog_peer *peer)
{
	homa_lend_age(ev, peer);
	peer->spent += homa_shorter(homa_lend_since(ev, peer->holds),
				    HOMA_LEND_MOST);
}

/* The RPC is going to hold @held bytes. */
static inline void homa_lend_hold(const struct prog_ev *ev,
				  const struct prog_rpc *rpc,
				  struct prog_peer *peer, u32 held,
				  struct mtp_out *out)
{
	u32 before = peer->holding;

	peer->holding = before - rpc->held + held;
	if (!before == !peer->holding)
		return;
	if (before)
		homa_lend_spend(ev, peer);
	else
		peer->holds = ev->now;
	homa_lend_place(peer, out);
}

static inline void homa_lend_leave(struct prog_rpc *rpc, struct prog_peer *peer,
				   struct mtp_out *out)
{
	if (!rpc->waiting)
		return;
	rpc->waiting = 0;
	peer->waiting--;
	homa_emit(out, MTP_RANK_CLEAR, PROG_RANK_LEND, 0, 0);
}

/* Whether the RPC has a reason to wait for a quantum; then it does. */
static inline void homa_lend_wait(const struct prog_ev *ev,
				  const struct prog_params *params,
				  struct prog_rpc *rpc, struct prog_peer *peer,
				  const struct prog_host *host,
				  struct mtp_out *out)
{
	if (rpc->held || rpc->rx_stale) {
		homa_lend_leave(rpc, peer, out);
		return;
	}
	if (rpc->waiting || (!host->slow[homa_class(rpc)] &&
			     !homa_lent_due(ev, params, rpc)))
		return;
	rpc->waiting = 1;
	peer->waiting++;
	homa_lend_age(ev, peer);
	homa_lend_place(peer, out);
	homa_rank_set(out, PROG_RANK_LEND, rpc->rx_length - rpc->rx_received);
}

/* The message is granted a quantum: so long it counts as one. */
static inline void homa_lend_begin(const struct prog_ev *ev,
				   const struct prog_params *params,
				   struct prog_rpc *rpc,
				   const struct prog_peer *peer,
				   struct prog_host *host)
{
	u32 class = homa_class(rpc);

	rpc->lent = homa_tick(ev->now + params->resend_ns) | 1;
	rpc->doubted = peer->lapsed;
	host->lent[class]++;
	host->doubted[class] += rpc->doubted;
}

/* The message has no quantum of these any more: another may have it. */
static inline void homa_lend_end(struct prog_rpc *rpc, struct prog_host *host,
				 struct mtp_out *out)
{
	u32 class = homa_class(rpc);

	if (!rpc->lent)
		return;
	rpc->lent = 0;
	host->lent[class]--;
	host->doubted[class] -= rpc->doubted;
	homa_emit(out, MTP_RANK_KICK, PROG_RANK_LEND, 0, 0);
}

/* What was lent has come, or its time is over, or the message ends. */
static inline void homa_lend_return(const struct prog_ev *ev,
				    struct prog_rpc *rpc, struct prog_peer *peer,
				    struct prog_host *host, struct mtp_out *out)
{
	u64 left = homa_lent_left(ev, rpc);

	if (!rpc->lent || (rpc->held && left))
		return;
	if (rpc->rx_received < rpc->rx_granted)
		peer->lapsed = 1;
	else if (left)
		peer->lapsed = 0;
	homa_lend_place(peer, out);
	homa_lend_end(rpc, host, out);
}

/* Whether there is a quantum for the RPC. */
static inline u32 homa_lend_left(const struct prog_params *params,
				 const struct prog_rpc *rpc,
				 const struct prog_peer *peer,
				 const struct prog_host *host)
{
	u32 class = homa_class(rpc);
	u32 most = homa_lend_most(params, host, class);

	if (!rpc->waiting || peer->holding || host->lent[class] >= most)
		return 0;
	return !peer->lapsed || host->doubted[class] < (most + 1) >> 1;
}

#endif /* SDP_PROGRAM_HOMA_LEND_H */
