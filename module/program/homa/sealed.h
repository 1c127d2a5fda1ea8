/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Secure mode: a message that is complete has yet to be opened. A record that
 * does not open is missing again, and from then on only packets in
 * authenticated form fill its place.
 */
#ifndef SDP_PROGRAM_HOMA_SEALED_H
#define SDP_PROGRAM_HOMA_SEALED_H

#include "range.h"

/* VERIFIED: only now is a request executed, a response acknowledged. */
static inline void homa_sealed_verified(const struct prog_ev *ev,
					const struct prog_params *params,
					struct prog_rpc *rpc,
					struct prog_scratch *scratch,
					struct mtp_out *out)
{
	if (rpc->state != HOMA_READY || !rpc->secure)
		out->verdict = -PROG_EINVAL;
	else
		rpc->verified = 1;
}

/*
 * RECORD_BAD: the record failed even in authenticated form: the message does.
 */
static inline void homa_sealed_fail(const struct prog_ev *ev,
				    const struct prog_params *params,
				    struct prog_rpc *rpc, struct mtp_out *out)
{
	homa_emit(out, MTP_PACKET, PROG_PACKET_ABORT, PROG_EBADMSG, 0);
	homa_fail(ev, params, rpc, PROG_EBADMSG, out);
}

/*
 * RECORD_BAD: -EINVAL unless the bytes were received and not yet verified; GAPS
 * where there is no room for theirs before others are filled.
 */
static inline void homa_sealed_bad(const struct prog_ev *ev,
				   const struct prog_params *params,
				   struct prog_rpc *rpc,
				   struct prog_scratch *scratch,
				   struct mtp_out *out)
{
	u32 end = ev->offset + ev->length;
	u32 opening = rpc->state == HOMA_READY || rpc->state == HOMA_IN;

	if (!opening || !rpc->secure || rpc->verified || ev->offset >= end ||
	    !homa_range_whole(rpc, ev->offset, end)) {
		out->verdict = -PROG_EINVAL;
		return;
	}
	if (ev->final) {
		homa_sealed_fail(ev, params, rpc, out);
		return;
	}
	if (rpc->gaps == HOMA_GAPS) {
		out->verdict = PROG_DROP_GAPS;
		return;
	}
	homa_range_lose(rpc, ev->offset, end,
			homa_gap_at(ev->now + params->resend_ns, 2), scratch,
			out);
	homa_packet_resend(out, params, ev->offset, ev->length, 1);
	rpc->state = HOMA_IN;
	rpc->tries = 0;
	rpc->active = ev->now;
	rpc->asked = ev->now;
	rpc->begged = 1;
	homa_timer_set(out, homa_lent_wake(ev, params, rpc,
					   ev->now + params->resend_ns));
}

#endif /* SDP_PROGRAM_HOMA_SEALED_H */
