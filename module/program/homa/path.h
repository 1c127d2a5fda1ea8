/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is known of the path to a peer: how long it takes, how much it carries
 * (docs/congestion.md).
 *
 * Time is measured where no work of the other end is in it: from a grant to the
 * first byte beyond what was granted before, from a question to BUSY. An answer
 * that may be one to an earlier question only ever makes the estimate longer.
 */
#ifndef SDP_PROGRAM_HOMA_PATH_H
#define SDP_PROGRAM_HOMA_PATH_H

#include "lent.h"

/* How much longer than the time since the last question the path may take, ns. */
#define HOMA_GUESS_MAX 100000000ull
/* A path that takes longer, ns, has queues, which grow: no probe (below) comes sooner. */
#define HOMA_PROBE_MAX 100000000ull
/* A path that takes longer, ns, may need more than the window's setting. */
#define HOMA_LONG_NS 1000000ull
/* No path is taken to be longer, ns: queues pass. */
#define HOMA_PATH_MAX 4000000000ull
/* About what a packet holds: the least that is sent or granted at a time. */
#define HOMA_PACKET 1400
/*
 * How long packets stay small after large ones did not arrive, ns: at first, and at
 * most. Twice as long each time that large ones fail again, unless that is so many
 * times (a power of two) as long after the small ones as these would last.
 */
#define HOMA_SMALL_NS 4000000000ull
#define HOMA_SMALL_MAX 600000000000ull
#define HOMA_SMALL_DOUBLES 8
#define HOMA_SMALL_FORGET 5
/*
 * ns for each byte on its way over a path of which nothing is known: those of a
 * link of 10 Mbit/s.
 */
#define HOMA_BYTE_NS 800

/* Twice @time, @doubles times, but what is added ends at @most. */
static inline u64 homa_double(u64 time, u32 doubles, u64 most)
{
	if (time >= most)
		return time;
	time <<= doubles;
	return time < most ? time : most;
}

/* Time in which a packet is answered, nearly always; @least where that is tiny, ns. */
static inline u64 homa_path_answer(const struct prog_peer *peer, u64 least)
{
	return homa_longer(least, peer->path + (peer->path_var << 2));
}

/* The same, for what costs more than a packet if it is wrong. */
static inline u64 homa_path_time(const struct prog_params *params,
				 const struct prog_peer *peer)
{
	return homa_path_answer(peer, params->resend_ns);
}

/* Silence that shows a packet, or its answer, to be lost. */
static inline u64 homa_path_patience(const struct prog_params *params,
				     const struct prog_peer *peer)
{
	return homa_double(homa_path_time(params, peer), peer->spurious,
			   HOMA_PATIENCE_MAX);
}

/*
 * Silence after which the end of what is granted is asked for, a packet of it, where the
 * path has been measured: twice the path time (RFC 8985's tail loss probe), or more where
 * it varies.
 */
static inline u64 homa_path_probe(const struct prog_params *params,
				  const struct prog_peer *peer)
{
	u64 time = homa_path_answer(peer, 0);
	u64 twice = peer->path + homa_longer(peer->path, peer->path_var << 1);

	if (peer->path < HOMA_PROBE_MAX)
		time = homa_shorter(time, twice);
	return homa_double(homa_longer(time, params->resend_ns >> 2),
			   peer->spurious, HOMA_PATIENCE_MAX);
}

/*
 * How much later than its followers a packet may come: a quarter of the path
 * time, or where that is not known or tiny, a sixteenth of resend_ns.
 */
static inline u64 homa_path_allowance(const struct prog_params *params,
				      const struct prog_peer *peer)
{
	u64 time = homa_longer(params->resend_ns >> 4, peer->path >> 2);

	return homa_double(time, homa_max(peer->late, peer->spurious),
			   HOMA_PATIENCE_MAX);
}

/*
 * Whether what is asked for goes on being lost, as before a policer: then it is a packet at
 * a time, and the next no sooner than an answer can be missed.
 */
static inline u32 homa_path_owed(const struct prog_ev *ev,
				 const struct prog_peer *peer)
{
	return peer->debt >= HOMA_DEBT && ev->now - peer->shrunk < HOMA_DEBT_NS;
}

/* Bytes are asked for once more. No more is remembered than is paid back soon. */
static inline void homa_path_owe(const struct prog_ev *ev,
				 struct prog_peer *peer, u32 bytes)
{
	if (ev->now - peer->shrunk >= HOMA_DEBT_NS)
		peer->debt = 0;
	peer->debt = homa_min(peer->debt + bytes, HOMA_DEBT << 1);
}

/* What was asked for comes as it was sent first: it had been overtaken. */
static inline void homa_path_late(struct prog_rpc *rpc, struct prog_peer *peer)
{
	if (!rpc->late)
		return;
	rpc->late = 0;
	peer->lost = 0;
	peer->late += peer->late < HOMA_LATE_MAX;
}

/* What was asked for had been lost. */
static inline void homa_path_in_order(struct prog_peer *peer)
{
	if (!peer->late || ++peer->lost < HOMA_LATE_LOST)
		return;
	peer->lost = 0;
	peer->late--;
}

/* RFC 6298's smoothing. */
static inline void homa_path_sample(struct prog_peer *peer, u64 sample)
{
	u64 error = sample > peer->path ? sample - peer->path :
					  peer->path - sample;

	if (!peer->path_least || sample < peer->path_least)
		peer->path_least = sample | 1;
	if (peer->path) {
		peer->path_var += (error >> 2) - (peer->path_var >> 2);
		peer->path += (sample >> 3) - (peer->path >> 3);
	} else {
		peer->path = sample;
		peer->path_var = sample >> 1;
	}
	peer->path |= 1;
}

/*
 * A message of ours has found, once, that large packets do not arrive: others to this
 * peer begin with small ones for a while, then try large ones again.
 */
static inline void homa_path_small(const struct prog_ev *ev,
				   struct prog_rpc *rpc, struct prog_peer *peer)
{
	u64 time = homa_double(HOMA_SMALL_NS, peer->small_again, HOMA_SMALL_MAX);

	if (rpc->small != HOMA_SMALL_FOUND)
		return;
	rpc->small = HOMA_SMALL_TOLD;
	if (ev->now < peer->small_until)
		return;
	if (ev->now - peer->small_until >= time << HOMA_SMALL_FORGET) {
		peer->small_again = 0;
		time = HOMA_SMALL_NS;
	}
	peer->small_until = ev->now + time;
	peer->small_again += peer->small_again < HOMA_SMALL_DOUBLES;
}

/* An answer came sooner, which may have overtaken bytes. */
static inline void homa_path_shorter(struct prog_peer *peer)
{
	peer->path -= peer->path >> 6;
	peer->path_var -= peer->path_var >> 6;
}

/*
 * What the window may grow to: its setting, or on a path so long that it can never
 * have been short, what all messages together may have.
 */
static inline u32 homa_path_most(const struct prog_params *params,
				 const struct prog_peer *peer)
{
	return peer->path_least > HOMA_LONG_NS ?
		       homa_max(params->window, params->max_incoming) :
		       params->window;
}

/* Bytes that one message from this peer may have granted and not received. */
static inline u32 homa_path_window(const struct prog_params *params,
				   const struct prog_peer *peer)
{
	return peer->window ? homa_min(peer->window,
				       homa_path_most(params, peer)) :
			      params->window;
}

/*
 * Something is lost: half as much from now on, or where silence followed, one
 * packet, up to that half at once again. Once in a path time, for what is lost
 * together is one loss.
 */
static inline void homa_path_lost(const struct prog_ev *ev,
				  const struct prog_params *params,
				  struct prog_peer *peer, u32 silence)
{
	u32 half = homa_path_window(params, peer) >> 1;

	if (ev->now - peer->shrunk < homa_path_time(params, peer))
		return;
	peer->shrunk = ev->now;
	peer->threshold = homa_max(half, HOMA_PACKET);
	peer->window = silence ? HOMA_PACKET : peer->threshold;
	peer->credit = 0;
}

/*
 * Bytes have arrived: the window grows with them, or a packet with each window. Beyond
 * its setting it does not while bytes stand in queues.
 */
static inline void homa_path_grow(const struct prog_params *params,
				  struct prog_peer *peer, u32 bytes)
{
	u32 most = homa_path_most(params, peer);

	peer->debt -= homa_min(peer->debt, bytes);
	if (most > params->window) {
		if (homa_path_window(params, peer) >= params->window &&
		    peer->queues)
			return;
		if (!peer->window) {
			peer->window = params->window;
			peer->threshold = most;
		}
	}
	if (!peer->window)
		return;
	peer->credit += bytes;
	if (peer->window < peer->threshold) {
		peer->window += bytes;
		peer->credit = 0;
	} else if (peer->credit >= peer->window) {
		peer->credit = 0;
		peer->window += HOMA_PACKET;
	}
	if (peer->window >= most)
		peer->window = most > params->window ? most : 0;
}

/*
 * PATH: the first byte beyond an earlier grant has come, or bytes that were asked for.
 * Where it may be an earlier question that they answer, the time since the last is no
 * more than the path takes. Where nothing is known yet, bytes that were granted and then
 * asked for, though not sent again, are measured, too: it may be the question that
 * granted them, so what measures better replaces that.
 */
static inline void homa_path_measured(const struct prog_ev *ev,
				      const struct prog_params *params,
				      struct prog_rpc *rpc,
				      struct prog_peer *peer,
				      struct prog_scratch *scratch,
				      struct mtp_out *out)
{
	u32 granted = rpc->timed && !ev->again && rpc->rx_end > rpc->rx_timed;
	u32 clean = granted ? rpc->asked <= rpc->timed :
			      !(rpc->sought & HOMA_SOUGHT_AGAIN);
	u32 ticks = homa_tick(ev->now) - (rpc->sought & ~HOMA_SOUGHT_MASK);
	u64 sample = homa_shorter(granted ? ev->now - rpc->timed :
					    (u64)ticks << 10, HOMA_PATH_MAX);

	if (granted && !clean)
		sample = homa_shorter(sample, ev->now - rpc->asked +
						      HOMA_GUESS_MAX);
	if (clean && peer->guessed) {
		peer->path = 0;
		peer->path_least = 0;
	}
	if (clean || !peer->path)
		peer->guessed = !clean;
	if (clean || !peer->path || (!granted && sample > peer->path))
		homa_path_sample(peer, sample);
	if (granted) {
		peer->queues = sample > peer->path_least +
					(peer->path_least >> 1);
		rpc->timed = 0;
	} else {
		rpc->sought = 0;
		/* It was lost, not late. */
		homa_path_lost(ev, params, peer, 0);
		homa_path_in_order(peer);
	}
	peer->heard = ev->now;
	peer->spurious -= peer->spurious && !rpc->copies;
}

/* HOLE: later bytes show that earlier ones are missing; they may just be late. */
static inline void homa_path_hole(const struct prog_ev *ev,
				  const struct prog_params *params,
				  struct prog_rpc *rpc, struct prog_peer *peer,
				  struct prog_scratch *scratch,
				  struct mtp_out *out)
{
	u64 due;
	u32 i;

	homa_path_late(rpc, peer);
	if (!rpc->gaps && !rpc->lost)
		return;
	due = ev->now + (homa_path_owed(ev, peer) ?
				 homa_path_patience(params, peer) :
				 homa_path_allowance(params, peer));
	for (i = 0; i < HOMA_GAPS; i++)
		if (i < rpc->gaps && !rpc->gap[i].due)
			rpc->gap[i].due = homa_gap_at(due, 1);
	due = homa_gap_due(ev, rpc, due + 1);
	homa_timer_set(out, homa_lent_wake(ev, params, rpc, due));
}

#endif /* SDP_PROGRAM_HOMA_PATH_H */
