/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long an RPC's silence may last: when its one timer (timeout.h) comes. Who waits
 * idly is not asked for long; when that ends, the timer has to come sooner than it was
 * set for.
 */
#ifndef SDP_PROGRAM_HOMA_DUE_H
#define SDP_PROGRAM_HOMA_DUE_H

#include "path.h"

/* All of a response has been sent: what is missing is the acknowledgement. */
static inline u32 homa_due_answered(const struct prog_rpc *rpc)
{
	return rpc->state == HOMA_REPLY && rpc->tx_sent == rpc->tx_length;
}

/* It is our turn: there is leave to send what has not been sent. */
static inline u32 homa_due_ours(const struct prog_rpc *rpc)
{
	return homa_sending(rpc) && rpc->tx_sent < rpc->tx_granted &&
	       rpc->strange != HOMA_HELD;
}

/*
 * Nobody waits for the answer: what was granted is here, or the peer, which knows of
 * the message, has yet to grant, and will not forget to. We ask in order not to serve
 * the dead.
 */
static inline u32 homa_due_idle(const struct prog_rpc *rpc)
{
	if (rpc->state == HOMA_IN)
		return !rpc->gaps && rpc->rx_end == rpc->rx_granted;
	if (rpc->strange == HOMA_HELD)
		return 0;
	if (rpc->tx_granted == rpc->tx_length)
		return 0;
	return rpc->state == HOMA_REPLY || rpc->known ||
	       rpc->tx_granted > rpc->tx_unsched;
}

/*
 * Silence before the first question. Bytes that come in slowly are waited for,
 * and so is what our own take on a slow link.
 */
static inline u64 homa_due_patience(const struct prog_params *params,
				    const struct prog_rpc *rpc,
				    const struct prog_peer *peer)
{
	u64 time = homa_path_patience(params, peer);
	u32 bytes = rpc->tx_sent;

	if (homa_due_idle(rpc))
		return homa_longer(time, HOMA_IDLE_NS);
	if (rpc->state == HOMA_IN) {
		bytes = peer->path ? 0 : rpc->rx_granted - rpc->rx_end;
		if (peer->path && !rpc->tries && !rpc->patience)
			time = homa_path_probe(params, peer);
		time = homa_longer(time, (u64)rpc->pace << 11);
	} else if (homa_due_answered(rpc)) {
		time = homa_longer(time, params->need_ack_ns);
	}
	return time + (u64)homa_min(bytes, params->window) * HOMA_BYTE_NS;
}

/*
 * Time from one question to the next: twice as long with each. Who waits for others
 * to be served, and was told so, may wait long.
 */
static inline u64 homa_due_interval(const struct prog_params *params,
				    const struct prog_rpc *rpc,
				    const struct prog_peer *peer)
{
	u32 doubles = homa_min(homa_max(rpc->tries, rpc->patience),
			       HOMA_DOUBLES);
	u64 most = HOMA_PATIENCE_MAX;

	if (!rpc->tries && rpc->known)
		most = HOMA_BUSY_MAX;
	if (!rpc->tries && homa_due_idle(rpc))
		most = HOMA_IDLE_MAX;
	return homa_double(homa_due_patience(params, rpc, peer), doubles, most);
}

static inline u64 homa_due_at(const struct prog_params *params,
			      const struct prog_rpc *rpc,
			      const struct prog_peer *peer)
{
	return homa_longer(rpc->active, rpc->asked) +
	       homa_due_interval(params, rpc, peer);
}

/*
 * Set the timer for what comes first: silence that is too long, a gap's time, the end of
 * what is lent, or the wait for it.
 */
static inline void homa_due_sleep(const struct prog_ev *ev,
				  const struct prog_params *params,
				  const struct prog_rpc *rpc,
				  const struct prog_peer *peer,
				  struct mtp_out *out)
{
	u64 due = homa_lent_wake(ev, params, rpc,
				 homa_due_at(params, rpc, peer));

	homa_timer_set(out, homa_gap_due(ev, rpc,
					 homa_longer(due, ev->now + 1)));
}

/*
 * All of our message is granted that was granted up to @before: what we wait for now
 * is missed sooner than a grant; but its last bytes may stand in a queue, with those of
 * others, for as long again.
 */
static inline void homa_due_granted(const struct prog_ev *ev,
				    const struct prog_params *params,
				    struct prog_rpc *rpc,
				    const struct prog_peer *peer, u32 before,
				    struct mtp_out *out)
{
	if (before == rpc->tx_length || rpc->tx_granted < rpc->tx_length)
		return;
	rpc->patience = 0;
	homa_timer_set(out, ev->now +
			    (homa_due_interval(params, rpc, peer) << 1));
}

#endif /* SDP_PROGRAM_HOMA_DUE_H */
