/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one run of events works with: a CPU's own, from sdp_run_begin() to
 * sdp_run_finish() (exec.h), bottom halves disabled.
 */
#ifndef SDP_TARGET_RUN_H
#define SDP_TARGET_RUN_H

#include "../state/rpc.h"

#define SDP_RUN_LATER 32
#define SDP_RUN_TURNS 32

/* Events that one chain may raise, and these in turn. */
#define SDP_RUN_RAISED 8

/**
 * struct sdp_turn - a winner that is to get its event.
 * @rpc:  held.
 * @rank: of which it is a winner.
 */
struct sdp_turn {
	struct sdp_rpc *rpc;
	u8 rank;
};

/**
 * struct sdp_raised - an event that a chain has raised on its RPC.
 * @kind:   enum prog_event.
 * @length: of the event.
 */
struct sdp_raised {
	u8 kind;
	u32 length;
};

/**
 * struct sdp_run - a CPU's executor.
 * @sn:      namespace.
 * @ev:      the event; made by sdp_run_event().
 * @made:    @ev has been made and not run yet.
 * @out:     what the chain answered.
 * @scratch: the chain's.
 * @later:   instructions for after the unlocking.
 * @laters:  entries of @later.
 * @raised:  events that the one that runs has brought about, in order.
 * @raises:  entries of @raised.
 * @turn:    turns due at the end of the run.
 * @turns:   entries of @turn.
 * @missed:  a turn found no entry, or no time: all winners get one later.
 * @skb:     packet of the event; NULL once it is kept.
 * @payload: where its payload begins, from skb->data.
 * @wake:    the RPC's socket has something for a receiver.
 * @ended:   the RPC has ended, with a reference for us.
 * @arriving: the event left part of a message.
 * @spent:   the message that the RPC has sent is not needed any more.
 * @busy:    guards against nesting.
 */
struct sdp_run {
	struct sdp_net *sn;
	struct prog_ev ev;
	bool made;
	struct mtp_out out;
	struct prog_scratch scratch;
	struct mtp_insn later[SDP_RUN_LATER];
	u32 laters;
	struct sdp_raised raised[SDP_RUN_RAISED];
	u32 raises;
	struct sdp_turn turn[SDP_RUN_TURNS];
	u32 turns;
	bool missed;
	struct sk_buff *skb;
	u32 payload;
	bool wake;
	bool ended;
	bool arriving;
	bool spent;
	bool busy;
};

/**
 * sdp_run_event() - make the next event; fields that are not named are 0.
 * @run: the executor.
 *
 * What is run must have been made: nothing of the event before is left in it. A
 * debug build (CONFIG_DEBUG_NET) warns of an event that is run twice.
 */
#define sdp_run_event(run, ...)						\
	do {								\
		struct sdp_run *__run = (run);				\
									\
		__run->ev = (struct prog_ev){ __VA_ARGS__ };		\
		__run->made = true;					\
	} while (0)

#endif /* SDP_TARGET_RUN_H */
