// SPDX-License-Identifier: GPL-2.0-only
#include <linux/percpu.h>
#include <net/net_debug.h>

#include "../../observe/observe.h"
#include "../../observe/trace.h"
#include "../out/transmit.h"
#include "../state/kept.h"
#include "../state/memory.h"
#include "../state/orphan.h"
#include "../state/pressure.h"
#include "../state/rpc_check.h"
#include "../state/rpc_table.h"
#include "exec.h"
#include "insn.h"
#include "timer.h"
#include "turns.h"

/* A message that is not needed is freed before its RPC ends if it has more bytes. */
#define SPENT_LEAST 4096

/* RPCs that one event lets go on when there is memory again. */
#define UNPARK_MOST 16

/* Turns at the end of one run; others come later, in process context. */
#define TURNS_MOST 64

static DEFINE_PER_CPU(struct sdp_run, runs);

struct sdp_run *sdp_run_enter(struct sdp_net *sn)
{
	struct sdp_run *run = this_cpu_ptr(&runs);

	WARN_ON_ONCE(run->busy);
	run->busy = true;
	run->sn = sn;
	run->turns = 0;
	run->missed = false;
	run->skb = NULL;
	return run;
}

struct sdp_run *sdp_run_begin(struct sdp_net *sn)
{
	local_bh_disable();
	rcu_read_lock();
	/* sparse cannot follow it to sdp_run_finish(). */
	__release(RCU);
	return sdp_run_enter(sn);
}

/* A message, or a failure, waits for the application. */
static void announce(struct sdp_run *run, struct sdp_rpc *rpc, int error)
{
	struct sdp_endpoint *ep = rpc->ep;
	bool flush;

	spin_lock(&ep->lock);
	sdp_rpc_set_ready(rpc, true);
	/* The first failure is the one that is told. */
	if (error && !rpc->error)
		WRITE_ONCE(rpc->error, error);
	if (!rpc->private && !rpc->claimed && list_empty(&rpc->ready_link)) {
		list_add_tail(&rpc->ready_link, &ep->ready);
		WRITE_ONCE(ep->ready_count, ep->ready_count + 1);
	}
	/* Of a failure, no byte will be read; of a claimed one, some may be now. */
	flush = error && !rpc->claimed;
	sdp_pressure_unlist(rpc);
	spin_unlock(&ep->lock);
	sdp_pressure_left(rpc);
	if (flush)
		sdp_rpc_rx_free(rpc);
	run->arriving = false;
	run->wake = true;
	/* A short response, which is whole at once, has not flushed it. */
	if (unlikely(rpc->tx.length > SPENT_LEAST) && !sdp_rpc_is_server(rpc))
		run->spent = true;
}

/*
 * What the stack has noted of the packet's way belongs to it for as long as it is in
 * the stack: the application may read it much later, with devices, tunnels, IPsec
 * states and connections gone, or waiting to be.
 */
static void forget_way(struct sk_buff *skb)
{
	skb_dst_drop(skb);
	nf_reset_ct(skb);
	skb_ext_reset(skb);
	skb_orphan(skb);
}

/* The event's packet, or another head of it: it fills two gaps. */
static struct sk_buff *take_packet(struct sdp_run *run, struct sdp_rpc *rpc)
{
	struct sk_buff *skb = run->skb;

	if (likely(skb)) {
		run->skb = NULL;
		forget_way(skb);
		return skb;
	}
	skb = skb_clone(rpc->rx_kept, GFP_ATOMIC);
	if (skb)
		sdp_memory_charge_head(rpc->ep, rpc->secure, skb->truesize);
	return skb;
}

/*
 * Keep part of the event's packet, which has been charged; or a copy of it, where the
 * packet takes too much memory for that. Return: false for want of memory.
 */
static bool keep(struct sdp_run *run, struct sdp_rpc *rpc,
		 const struct mtp_insn *insn)
{
	u32 start = run->payload + (insn->a - run->ev.offset);
	struct sk_buff *skb = run->skb ?: rpc->rx_kept;
	u32 from = insn->a;
	struct sdp_rx_cb *cb;

	sdp_count_add(run->sn->counts, SDP_CTR_rx_bytes, insn->b - insn->a);
	if (sdp_rpc_rx_sparse(rpc, skb, insn->b - insn->a)) {
		sdp_count(run->sn->counts, SDP_CTR_mem_copied);
		from = sdp_rpc_rx_copy(rpc, skb, start, insn->a, insn->b);
		if (from == insn->b)
			return true;
	}
	skb = take_packet(run, rpc);
	if (!skb)
		return false;
	rpc->rx_kept = skb;
	cb = sdp_rx_cb(skb);
	cb->start = start + (from - insn->a);
	cb->offset = from;
	cb->end = insn->b;
	cb->region = false;
	sdp_rpc_rx_add(rpc, skb);
	return true;
}

static void later(struct sdp_run *run, const struct mtp_insn *insn)
{
	if (!WARN_ON_ONCE(run->laters == SDP_RUN_LATER))
		run->later[run->laters++] = *insn;
}

static void raise(struct sdp_run *run, u32 kind, u32 length)
{
	if (WARN_ON_ONCE(run->raises == SDP_RUN_RAISED))
		return;
	run->raised[run->raises].kind = kind;
	run->raised[run->raises++].length = length;
}

/*
 * What is carried out under the RPC's lock; the rest is put off. Nothing that follows
 * bytes which could not be kept: the message has a hole, and ends.
 */
static void apply(struct sdp_run *run, struct sdp_rpc *rpc)
{
	u32 i;

	for (i = 0; i < run->out.count; i++) {
		const struct mtp_insn *insn = &run->out.insn[i];

		switch (insn->op) {
		case MTP_RX_NEW:
			/* sdp_memory_rules() looks under the socket's lock alone. */
			WRITE_ONCE(rpc->rx_length, insn->a);
			run->arriving = true;
			break;
		case MTP_RX_ADD:
			if (likely(keep(run, rpc, insn)))
				break;
			run->ev.error = ENOMEM;
			raise(run, PROG_EV_ABORT, 0);
			return;
		case MTP_RX_FLUSH:
			sdp_rpc_rx_flush(rpc, insn->a, insn->b);
			run->arriving = true;
			break;
		case MTP_TIMER_SET:
			sdp_timer_set(&rpc->timer, insn->key);
			break;
		case MTP_TIMER_CANCEL:
			sdp_timer_cancel(&rpc->timer);
			break;
		case MTP_RANK_SET:
			sdp_turns_set(run, rpc, insn->what, insn->key);
			break;
		case MTP_RANK_CLEAR:
			sdp_turns_clear(run, rpc, insn->what);
			break;
		case MTP_RANK_KICK:
			sdp_turns_kick(run, insn->what);
			break;
		case MTP_RANK_PLACE:
			sdp_turns_place(run, rpc, insn->what, insn->key, insn->a);
			break;
		case MTP_RAISE:
			raise(run, insn->what, insn->a);
			break;
		case MTP_NOTIFY:
			announce(run, rpc, insn->what == MTP_NOTIFY_FAILED ?
				 insn->a : 0);
			break;
		case MTP_CTX_END:
			run->ended = true;
			break;
		case MTP_TX_DATA:
		case MTP_PACKET:
		case MTP_ACK:
			later(run, insn);
			break;
		case MTP_TX_FLUSH:
			run->spent = rpc->tx.length > SPENT_LEAST;
			break;
		case MTP_CTX_KEEP:	/* kept unless refused */
			break;
		}
	}
}

/* Which contexts are locked depends on the event: more than sparse can see. */
static __always_inline void lock_context(spinlock_t *lock)
{
	spin_lock(lock);
	__release(lock);
}

static __always_inline void unlock_context(spinlock_t *lock)
{
	__acquire(lock);
	spin_unlock(lock);
}

/*
 * A program that asks for what it may not must not harm: nothing of the event is
 * carried out. Ours are known not to: debug builds look.
 */
static void check_insns(struct sdp_run *run, const struct sdp_rpc *rpc)
{
	if (!IS_ENABLED(CONFIG_DEBUG_NET) || run->out.verdict)
		return;
	if (WARN_ONCE(!sdp_insn_sound(run, rpc), "bad instructions of event %s\n",
		      prog_event_name(run->ev.kind)))
		run->out.count = 0;
}

/* Run a chain with the contexts that its event names. */
static __always_inline void dispatch(struct sdp_run *run, struct sdp_rpc *rpc,
				     struct sdp_pctx *pctx, u32 kind)
{
	u32 contexts = prog_event_contexts(kind);
	struct sdp_seen *seen = rpc ? rpc->seen : NULL;
	struct sdp_net *sn = run->sn;

	if (contexts & MTP_CTX_CLIENT)
		lock_context(&seen->lock);
	if (contexts & MTP_CTX_PEER)
		lock_context(&pctx->lock);
	if (contexts & MTP_CTX_HOST)
		lock_context(&sn->host_lock);
	prog_dispatch_as(kind, &run->ev, sdp_params(sn), rpc ? &rpc->prog : NULL,
			 seen ? &seen->prog : NULL,
			 contexts & MTP_CTX_PEER ? &pctx->prog : NULL, &sn->host,
			 &run->scratch, &run->out);
	if (contexts & MTP_CTX_HOST)
		unlock_context(&sn->host_lock);
	if (contexts & MTP_CTX_PEER)
		unlock_context(&pctx->lock);
	if (contexts & MTP_CTX_CLIENT)
		unlock_context(&seen->lock);
	check_insns(run, rpc);
}

static noinline void dispatch_any(struct sdp_run *run, struct sdp_rpc *rpc,
				  struct sdp_pctx *pctx, u32 kind)
{
	run->ev.kind = kind;
	dispatch(run, rpc, pctx, kind);
}

static void trace_event(const struct sdp_run *run, u32 kind)
{
	if (trace_sdp_event_enabled())
		trace_sdp_event(run->sn->net, prog_event_name(kind), run->ev.id,
				run->ev.port, run->out.verdict);
}

/* State of an RPC, for those who trace changes of it. */
static u32 program_state(const struct sdp_rpc *rpc)
{
	struct prog_info info;

	prog_rpc_info(&rpc->prog, &info);
	return info.state;
}

static noinline void trace_state(const struct sdp_run *run,
				 const struct sdp_rpc *rpc, u32 before)
{
	u32 after = program_state(rpc);

	if (after != before)
		trace_sdp_rpc_state(run->sn->net, rpc->who.id, rpc->who.port,
				    prog_state_name(before),
				    prog_state_name(after));
}

static noinline void run_raised(struct sdp_run *run, struct sdp_rpc *rpc)
{
	u32 i;

	for (i = 0; i < run->raises; i++) {
		u32 kind = run->raised[i].kind;

		run->ev.length = run->raised[i].length;
		dispatch_any(run, rpc, rpc->pctx, kind);
		trace_event(run, kind);
		if (!run->out.verdict)
			apply(run, rpc);
	}
}

static void end(struct sdp_run *run, struct sdp_rpc *rpc)
{
	u32 rank;

	for (rank = 0; rank < PROG_RANKS; rank++)
		if (rpc->rank[rank].group)
			sdp_turns_clear(run, rpc, rank);
	rpc->parked = 0;
	sdp_timer_remove(&rpc->timer);
	sdp_rpc_end(rpc);
	/* It is one for good, and gets no others. */
	if (unlikely(READ_ONCE(rpc->ep->orphan)) && !READ_ONCE(rpc->ep->rpc_count))
		sdp_orphan_ended(rpc->ep);
}

static void carry_out(struct sdp_run *run, struct sdp_rpc *rpc)
{
	u32 i;

	for (i = 0; i < run->laters; i++) {
		const struct mtp_insn *insn = &run->later[i];

		if (insn->op == MTP_TX_DATA)
			sdp_transmit_data(rpc, insn);
		else if (insn->op == MTP_PACKET)
			sdp_transmit_control(rpc, insn, run->laters - i);
	}
}

static bool creates(u32 kind)
{
	return kind == PROG_EV_SEND_REQUEST ||
	       kind == PROG_EV_REQUEST_NEW_CLEAR ||
	       kind == PROG_EV_REQUEST_NEW_SECURE;
}

/* RPCs that waited for memory may be granted more. Others get their turn later. */
static noinline void unpark(struct sdp_run *run, struct sdp_endpoint *ep)
{
	struct sdp_rpc *rpc;
	u32 rank, i, parked;

	for (i = 0; i < UNPARK_MOST; i++) {
		rpc = sdp_pressure_unpark(ep);
		if (!rpc)
			break;
		sdp_rpc_lock(rpc);
		parked = rpc->parked;
		rpc->parked = 0;
		for (rank = 0; rpc->hashed && rank < PROG_RANKS; rank++)
			if (parked & BIT(rank))
				sdp_turns_set(run, rpc, rank, rpc->rank[rank].key);
		sdp_rpc_unlock(rpc);
		sdp_rpc_put(rpc);
	}
}

/* The words of an RPC's state have to agree after each event: state/rpc.h. */
static void check_state(const struct sdp_run *run, struct sdp_rpc *rpc)
{
	const char *wrong;

	/* After an event that was refused, another follows. */
	if (!IS_ENABLED(CONFIG_DEBUG_NET) || run->out.verdict)
		return;
	wrong = sdp_rpc_check(rpc);
	WARN_ONCE(wrong, "RPC %llu: %s\n", rpc->who.id, wrong);
}

/* An event is run once: whoever runs another has made it. */
static void take_event(struct sdp_run *run)
{
	DEBUG_NET_WARN_ON_ONCE(!run->made);
	run->made = false;
	run->ev.now = ktime_get_ns();
}

static __always_inline int exec(struct sdp_run *run, struct sdp_rpc *rpc,
				u32 kind, bool constant)
{
	struct sdp_endpoint *ep = rpc->ep;
	bool traced = trace_sdp_rpc_state_enabled();
	u32 state = traced ? program_state(rpc) : 0;
	int verdict;

	lockdep_assert_held(&rpc->lock);
	take_event(run);
	run->ev.kind = kind;
	run->ev.id = rpc->who.id;
	run->ev.port = sdp_rpc_is_server(rpc) ? rpc->who.port : rpc->who.pport;
	run->ev.secure = rpc->secure;
	run->laters = 0;
	run->raises = 0;
	run->wake = false;
	run->ended = false;
	run->arriving = false;
	run->spent = false;

	if (constant)
		dispatch(run, rpc, rpc->pctx, kind);
	else
		dispatch_any(run, rpc, rpc->pctx, kind);
	trace_event(run, kind);
	verdict = run->out.verdict;
	if (likely(!verdict)) {
		apply(run, rpc);
		if (run->raises)
			run_raised(run, rpc);
	} else if (creates(kind)) {
		run->ended = true;
	}

	if (traced)
		trace_state(run, rpc, state);
	if (unlikely(run->arriving) && !run->ended)
		sdp_pressure_enter(rpc);
	if (run->ended || run->laters || run->spent) {
		bool over = run->ended, spent = run->spent;

		sdp_rpc_hold(rpc);
		if (over)
			end(run, rpc);
		check_state(run, rpc);
		sdp_rpc_unlock(rpc);
		carry_out(run, rpc);
		if (spent)
			sdp_rpc_spend_tx(rpc);
		if (run->wake)
			ep->sk->sk_data_ready(ep->sk);
		sdp_rpc_put(rpc);
	} else {
		check_state(run, rpc);
		sdp_rpc_unlock(rpc);
		if (run->wake)
			ep->sk->sk_data_ready(ep->sk);
	}
	if (unlikely(!list_empty(&ep->parked[0]) || !list_empty(&ep->parked[1])))
		unpark(run, ep);
	return verdict;
}

int sdp_exec(struct sdp_run *run, struct sdp_rpc *rpc, u32 kind)
{
	return exec(run, rpc, kind, false);
}

int sdp_exec_data(struct sdp_run *run, struct sdp_rpc *rpc)
{
	return exec(run, rpc, PROG_EV_DATA, true);
}

int sdp_exec_request_clear(struct sdp_run *run, struct sdp_rpc *rpc)
{
	return exec(run, rpc, PROG_EV_REQUEST_NEW_CLEAR, true);
}

int sdp_exec_request_secure(struct sdp_run *run, struct sdp_rpc *rpc)
{
	return exec(run, rpc, PROG_EV_REQUEST_NEW_SECURE, true);
}

int sdp_exec_send_request(struct sdp_run *run, struct sdp_rpc *rpc)
{
	return exec(run, rpc, PROG_EV_SEND_REQUEST, true);
}

int sdp_exec_send_response(struct sdp_run *run, struct sdp_rpc *rpc)
{
	return exec(run, rpc, PROG_EV_SEND_RESPONSE, true);
}

int sdp_exec_delivered(struct sdp_run *run, struct sdp_rpc *rpc)
{
	return exec(run, rpc, PROG_EV_DELIVERED, true);
}

int sdp_exec_ack(struct sdp_run *run, struct sdp_rpc *rpc)
{
	return exec(run, rpc, PROG_EV_ACK, true);
}

int sdp_exec_stray(struct sdp_run *run, struct sdp_pctx *pctx, u32 kind)
{
	take_event(run);
	run->laters = 0;
	dispatch_any(run, NULL, pctx, kind);
	trace_event(run, kind);
	return run->out.verdict;
}

void sdp_exec_take_acks(struct sdp_run *run, struct sdp_pctx *pctx)
{
	take_event(run);
	run->ev.kind = PROG_EV_TAKE_ACKS;
	dispatch(run, NULL, pctx, PROG_EV_TAKE_ACKS);
}

static noinline void take_turn(struct sdp_run *run, struct sdp_rpc *rpc, u32 rank)
{
	sdp_rpc_lock(rpc);
	if (rpc->hashed && unlikely(sdp_memory_full(rpc->ep, rpc->secure)) &&
	    sdp_pressure_park(rpc)) {
		sdp_turns_park(run, rpc);
		sdp_rpc_unlock(rpc);
	} else if (rpc->hashed) {
		/* Stale by an election, perhaps: then another turn follows. */
		sdp_run_event(run, .position = READ_ONCE(rpc->rank[rank].position),
			      .winners = READ_ONCE(run->sn->ranks[rank].count),
			      .record = sdp_rpc_record(rpc));
		sdp_exec(run, rpc, prog_rank_event(rank));
	} else {
		sdp_rpc_unlock(rpc);
	}
	sdp_rpc_put(rpc);
}

/* One turn may bring on another, and so on. */
static void take_turns(struct sdp_run *run)
{
	u32 taken;

	for (taken = 0; run->turns; taken++) {
		struct sdp_turn turn = run->turn[--run->turns];

		if (likely(taken < TURNS_MOST)) {
			take_turn(run, turn.rpc, turn.rank);
		} else {
			sdp_rpc_put(turn.rpc);
			run->missed = true;
		}
	}
}

void sdp_run_leave(struct sdp_run *run)
{
	if (unlikely(run->turns))
		take_turns(run);
	if (unlikely(run->missed))
		schedule_work(&run->sn->kick);
	run->busy = false;
}

void sdp_run_finish(struct sdp_run *run)
{
	sdp_run_leave(run);
	__acquire(RCU);
	rcu_read_unlock();
	local_bh_enable();
}

void sdp_exec_kick(struct work_struct *work)
{
	struct sdp_net *sn = container_of(work, struct sdp_net, kick);
	struct sdp_run *run = sdp_run_begin(sn);
	u32 rank;

	for (rank = 0; rank < PROG_RANKS; rank++)
		sdp_turns_kick(run, rank);
	sdp_run_finish(run);
}

/* An RPC in a wheel has not ended: the table still holds it. */
static bool timer_hold(struct sdp_timer *timer)
{
	sdp_rpc_hold(container_of(timer, struct sdp_rpc, timer));
	return true;
}

static void timer_expire(struct sdp_timer *timer)
{
	struct sdp_rpc *rpc = container_of(timer, struct sdp_rpc, timer);
	struct sdp_run *run = sdp_run_begin(rpc->who.sn);
	u64 deadline;

	sdp_rpc_lock(rpc);
	deadline = timer->deadline;
	if (rpc->hashed && deadline && deadline <= ktime_get_ns()) {
		sdp_count(run->sn->counts, SDP_CTR_timer_expiries);
		/* collect() looks under its wheel's lock alone. */
		WRITE_ONCE(timer->deadline, 0);
		sdp_run_event(run, .paced = sdp_transmit_paced(rpc));
		sdp_exec(run, rpc, PROG_EV_TIMEOUT);
	} else {
		if (rpc->hashed && deadline)
			sdp_timer_set(timer, deadline);
		sdp_rpc_unlock(rpc);
	}
	sdp_rpc_put(rpc);
	sdp_run_finish(run);
}

int sdp_exec_init(void)
{
	return sdp_timer_init(timer_hold, timer_expire);
}

void sdp_exec_exit(void)
{
	sdp_timer_exit();
}
