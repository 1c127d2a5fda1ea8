/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between transport programs and targets (after MTP): what a
 * program is given, and the instructions it may answer with.
 *
 * A program is a set of chains. The target dispatches an event to a chain; its
 * processors read the event and update the contexts that the event's entry in
 * the program's table names, and emit instructions, which the target carries
 * out in the order given, in two phases:
 *
 *   under the locks:  RX_*, TIMER_*, RANK_*, RAISE, CTX_*
 *   after unlocking:  TX_DATA, PACKET, NOTIFY
 *
 * Contexts and their lock order: RPC, CLIENT, PEER, HOST. Several of the last
 * three are locked in that order and only for events whose entry names them. A
 * raised event runs after the instructions of the event that raised it, the
 * RPC still locked. Winners of a rank get their event after all locks have been
 * dropped, under their own: it may be stale, the chain checks again.
 *
 * A verdict other than 0 refuses the event: all instructions are discarded, and
 * a context that was created for this event is destroyed.
 */
#ifndef SDP_PROGRAM_MTP_H
#define SDP_PROGRAM_MTP_H

#include "types.h"

/* Most instructions that one event may emit. */
#define MTP_MAX_INSNS 28
/* Bound of every loop in a program. */
#define MTP_MAX_LOOP 16

/* Contexts that an event's entry may name. */
#define MTP_CTX_RPC 0x1
#define MTP_CTX_CLIENT 0x2
#define MTP_CTX_PEER 0x4
#define MTP_CTX_HOST 0x8

enum mtp_op {
	/*
	 * RX_NEW: the received message has @a bytes. At most once per RPC and
	 * direction; memory is charged as bytes arrive.
	 */
	MTP_RX_NEW,
	/*
	 * RX_ADD: keep bytes [@a, @b) of the message from this event's packet.
	 * Ranges of several RX_ADD never overlap, also over time, except after
	 * RX_FLUSH.
	 */
	MTP_RX_ADD,
	/* RX_FLUSH: forget bytes [@a, @b) of the received message. */
	MTP_RX_FLUSH,
	/*
	 * TX_DATA: send bytes [@a, @b) of our message, cut as the target likes,
	 * at priority @prio, with MTP_TX_* in @flags. @a == @b announces the
	 * message without data. @c is the "incoming" value of the packets.
	 */
	MTP_TX_DATA,
	/* TX_FLUSH: our message will not be sent again. */
	MTP_TX_FLUSH,
	/* PACKET: send control packet @what, fields as its type has them. */
	MTP_PACKET,
	/* TIMER_SET: raise TIMEOUT at @key (ns, the clock of event.now). */
	MTP_TIMER_SET,
	MTP_TIMER_CANCEL,
	/*
	 * RANK_SET: the RPC is in rank @what with key @key (least first); its
	 * winners get the rank's event. Setting it again moves it, and raises
	 * the event again if it is a winner.
	 */
	MTP_RANK_SET,
	MTP_RANK_CLEAR,
	/* RANK_KICK: raise the event of rank @what for all its winners. */
	MTP_RANK_KICK,
	/*
	 * RANK_PLACE: the RPC's group in rank @what has place @key, 0 at first: groups
	 * are in order of that, then of their best members. Those of a group are numbered
	 * by @a, from 1: several RPCs of a peer may give them, and the last one counts,
	 * whichever comes last.
	 */
	MTP_RANK_PLACE,
	/* RAISE: run event @what on the same contexts, with length = @a. */
	MTP_RAISE,
	/* NOTIFY: tell the socket MTP_NOTIFY_* in @what; errno in @a. */
	MTP_NOTIFY,
	/* CTX_KEEP: an RPC created for this event stays. */
	MTP_CTX_KEEP,
	/* CTX_END: the RPC is over, its state goes. */
	MTP_CTX_END,
	/* ACK: answer to TAKE_ACKS: RPC @key, at server port @a. */
	MTP_ACK,
	MTP_OPS
};

/* Flags of TX_DATA and PACKET. */
#define MTP_TX_RETRANSMIT 0x01	/* count as, and mark as, retransmission */
#define MTP_TX_AUTH 0x02	/* DATA in authenticated form; RESEND: bad record */
#define MTP_TX_BEFORE 0x04	/* RPC_UNKNOWN: delivered before */
#define MTP_TX_SMALL 0x08	/* DATA: at most MTP_SMALL bytes in a packet */
#define MTP_TX_ONE 0x10	/* DATA: the first packet of it only */
#define MTP_TX_FLAGS \
	(MTP_TX_RETRANSMIT | MTP_TX_AUTH | MTP_TX_BEFORE | MTP_TX_SMALL | MTP_TX_ONE)

/*
 * Payload of a small packet: with all headers it stays below 576 bytes, which
 * every path of IPv4 passes, and 1,280 of IPv6.
 */
#define MTP_SMALL 480

/* What NOTIFY tells. */
enum mtp_notify {
	MTP_NOTIFY_READY,	/* a whole message waits for the application */
	MTP_NOTIFY_FAILED,	/* the RPC failed with errno @a */
	MTP_NOTIFIES
};

/**
 * struct mtp_insn - one instruction; meaning of the fields by @op.
 * @op:    enum mtp_op.
 * @what:  packet type, rank, event or notification.
 * @prio:  0 (lowest) to 7.
 * @flags: MTP_TX_*.
 * @a, @b, @c: as the instruction has them.
 * @key:   deadline (ns), rank key, or RPC id.
 */
struct mtp_insn {
	u8 op;
	u8 what;
	u8 prio;
	u8 flags;
	u32 a;
	u32 b;
	u32 c;
	u64 key;
};

/**
 * struct mtp_out - what a chain answers.
 * @verdict: 0, a negative errno, or a positive drop reason of the program.
 * @count:   instructions in @insn.
 */
struct mtp_out {
	s32 verdict;
	u32 count;
	struct mtp_insn insn[MTP_MAX_INSNS];
};

#endif /* SDP_PROGRAM_MTP_H */
