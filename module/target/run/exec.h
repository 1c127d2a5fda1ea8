/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The executor: runs the transport program's chains on events, and carries out
 * their instructions (program/mtp.h).
 *
 * A run has bottom halves disabled, and the RCU read lock, from sdp_run_begin()
 * to sdp_run_finish().
 * Between them, events are run on RPCs; what they want sent, and who is to be
 * woken, is done at the unlocking of each RPC; winners of ranks that changed
 * get their turns in sdp_run_finish().
 */
#ifndef SDP_TARGET_EXEC_H
#define SDP_TARGET_EXEC_H

#include "run.h"

/**
 * sdp_run_begin() - use this CPU's executor; disables bottom halves.
 * @sn: namespace.
 */
struct sdp_run *sdp_run_begin(struct sdp_net *sn);

/** sdp_run_finish() - give turns to winners, enable bottom halves. */
void sdp_run_finish(struct sdp_run *run);

/* The same for packet handlers: bottom halves are disabled, RCU is read-locked. */
struct sdp_run *sdp_run_enter(struct sdp_net *sn);
void sdp_run_leave(struct sdp_run *run);

/**
 * sdp_exec() - run an event on an RPC, and what it raises.
 * @run: @run->ev has the event's fields but now, id, port, kind, secure.
 * @rpc: locked; unlocked on return, and maybe gone.
 * @kind: enum prog_event.
 *
 * Return: 0, or the chain's verdict (negative errno or positive drop reason).
 * A refused event that was to create the RPC has ended it.
 */
int sdp_exec(struct sdp_run *run, struct sdp_rpc *rpc, u32 kind);

/* The same for events of the fast path, with their chains inlined. */
int sdp_exec_data(struct sdp_run *run, struct sdp_rpc *rpc);
int sdp_exec_request_clear(struct sdp_run *run, struct sdp_rpc *rpc);
int sdp_exec_request_secure(struct sdp_run *run, struct sdp_rpc *rpc);
int sdp_exec_send_request(struct sdp_run *run, struct sdp_rpc *rpc);
int sdp_exec_send_response(struct sdp_run *run, struct sdp_rpc *rpc);
int sdp_exec_delivered(struct sdp_run *run, struct sdp_rpc *rpc);
int sdp_exec_ack(struct sdp_run *run, struct sdp_rpc *rpc);

/**
 * sdp_exec_stray() - run an event that has no RPC.
 * @run:  as for sdp_exec(); ev.id and ev.port too.
 * @pctx: the peer's context, for kinds that want one.
 * @kind: enum prog_event.
 *
 * PACKET instructions are left in @run->out for the caller to carry out.
 * Return: the verdict.
 */
int sdp_exec_stray(struct sdp_run *run, struct sdp_pctx *pctx, u32 kind);

/**
 * sdp_exec_take_acks() - run TAKE_ACKS; the answer is left in @run->out.
 * @run:  ev.length and ev.secure are set.
 * @pctx: the peer's context.
 */
void sdp_exec_take_acks(struct sdp_run *run, struct sdp_pctx *pctx);

/** sdp_exec_kick() - turns for all winners; @work is a namespace's @kick. */
void sdp_exec_kick(struct work_struct *work);

int sdp_exec_init(void);
void sdp_exec_exit(void);

#endif /* SDP_TARGET_EXEC_H */
