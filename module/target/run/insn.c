// SPDX-License-Identifier: GPL-2.0-only
#include "insn.h"

#define PRIOS 8

static bool range_ok(const struct mtp_insn *insn, u32 length)
{
	return insn->a < insn->b && insn->b <= length;
}

/* RX_ADD: bytes of the message that this event's packet has. */
static bool add_ok(const struct sdp_run *run, const struct mtp_insn *insn,
		   u32 length)
{
	return run->skb && range_ok(insn, length) && insn->a >= run->ev.offset &&
	       insn->b - run->ev.offset <= run->ev.length;
}

/* TX_DATA: bytes that are ready; none where the message is announced. */
static bool data_ok(const struct sdp_rpc *rpc, const struct mtp_insn *insn)
{
	return insn->a <= insn->b && insn->b <= READ_ONCE(rpc->tx.ready) &&
	       insn->c <= rpc->tx.length && insn->prio < PRIOS &&
	       !(insn->flags & ~MTP_TX_FLAGS);
}

static bool packet_ok(const struct mtp_insn *insn)
{
	switch (insn->what) {
	case PROG_PACKET_RESEND:
		if (insn->b != PROG_LENGTH_ALL && insn->b > U32_MAX - insn->a)
			return false;
		break;
	case PROG_PACKET_GRANT:
	case PROG_PACKET_RPC_UNKNOWN:
	case PROG_PACKET_BUSY:
	case PROG_PACKET_CUTOFFS:
	case PROG_PACKET_NEED_ACK:
	case PROG_PACKET_ACK:
	case PROG_PACKET_ABORT:
		break;
	default:
		return false;
	}
	return insn->prio < PRIOS && !(insn->flags & ~MTP_TX_FLAGS);
}

static bool notify_ok(const struct mtp_insn *insn)
{
	if (insn->what == MTP_NOTIFY_FAILED)
		return insn->a && insn->a <= MAX_ERRNO;
	return insn->what < MTP_NOTIFIES;
}

/* An ACK is a further entry of an ACK packet, or the answer to TAKE_ACKS. */
static bool ack_ok(const struct sdp_run *run, u32 i)
{
	const struct mtp_insn *before;

	if (run->ev.kind == PROG_EV_TAKE_ACKS)
		return true;
	if (!i)
		return false;
	before = &run->out.insn[i - 1];
	return before->op == MTP_ACK || (before->op == MTP_PACKET &&
					 before->what == PROG_PACKET_ACK);
}

/* @length: bytes of the received message, 0: not known. */
static bool rpc_insn_ok(const struct sdp_run *run, const struct sdp_rpc *rpc,
			const struct mtp_insn *insn, u32 *length)
{
	switch (insn->op) {
	case MTP_RX_NEW:
		if (*length || !insn->a)
			return false;
		*length = insn->a;
		return true;
	case MTP_RX_ADD:
		return add_ok(run, insn, *length);
	case MTP_RX_FLUSH:
		return range_ok(insn, *length);
	case MTP_TX_DATA:
		return data_ok(rpc, insn);
	case MTP_TIMER_SET:
		return insn->key;
	case MTP_RANK_SET:
	case MTP_RANK_CLEAR:
	case MTP_RANK_KICK:
		return insn->what < PROG_RANKS;
	case MTP_RANK_PLACE:
		return insn->what < PROG_RANKS &&
		       prog_rank_grouped(insn->what);
	case MTP_RAISE:
		return insn->what < PROG_EVENTS;
	case MTP_NOTIFY:
		return notify_ok(insn);
	case MTP_TX_FLUSH:
	case MTP_TIMER_CANCEL:
	case MTP_CTX_KEEP:
	case MTP_CTX_END:
		return true;
	default:
		return false;
	}
}

bool sdp_insn_sound(const struct sdp_run *run, const struct sdp_rpc *rpc)
{
	u32 length = rpc ? rpc->rx_length : 0;
	bool ok = run->out.count <= MTP_MAX_INSNS;
	u32 i;

	for (i = 0; ok && i < run->out.count; i++) {
		const struct mtp_insn *insn = &run->out.insn[i];

		if (insn->op == MTP_PACKET)
			ok = packet_ok(insn);
		else if (insn->op == MTP_ACK)
			ok = ack_ok(run, i);
		else
			ok = rpc && rpc_insn_ok(run, rpc, insn, &length);
	}
	return ok;
}
