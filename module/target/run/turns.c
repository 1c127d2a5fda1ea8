// SPDX-License-Identifier: GPL-2.0-only
#include "../state/rpc_table.h"
#include "rank.h"
#include "turns.h"

static struct sdp_rpc *rpc_of(struct sdp_rank_entry *entry, u32 rank)
{
	return container_of(entry, struct sdp_rpc, rank[rank]);
}

/* Turns are of RPCs in the tree of a rank, which the table still holds. */
#define DEFINE_HOLD(number)						\
static void hold_##number(struct sdp_rank_entry *entry)			\
{									\
	sdp_rpc_hold(rpc_of(entry, number));				\
}

DEFINE_HOLD(0)

DEFINE_HOLD(1)

DEFINE_HOLD(2)

DEFINE_HOLD(3)

static void (*const holds[])(struct sdp_rank_entry *entry) = {
	hold_0, hold_1, hold_2, hold_3,
};

static_assert(ARRAY_SIZE(holds) >= PROG_RANKS);

static void add_turn(struct sdp_run *run, struct sdp_rpc *rpc, u32 rank)
{
	u32 i;

	for (i = 0; i < run->turns; i++)
		if (run->turn[i].rpc == rpc && run->turn[i].rank == rank)
			break;
	if (unlikely(i == SDP_RUN_TURNS))
		run->missed = true;
	if (i < run->turns || i == SDP_RUN_TURNS) {
		/* The event that is being run holds a reference, or the lock. */
		sdp_rpc_put(rpc);
		return;
	}
	run->turn[run->turns].rpc = rpc;
	run->turn[run->turns++].rank = rank;
}

/* A message waits in PROG_RANK_SEND: run/pacer.c has the timer's function. */
static void start_sending(struct sdp_net *sn)
{
	if (!hrtimer_is_queued(&sn->send_timer))
		hrtimer_start(&sn->send_timer, 0, HRTIMER_MODE_REL_SOFT);
}

static void tell_winners(struct sdp_run *run, u32 rank,
			 const struct sdp_rank_news *news)
{
	u32 i;

	for (i = 0; i < news->count; i++) {
		struct sdp_rpc *rpc = rpc_of(news->entry[i], rank);

		if (rank == PROG_RANK_SEND) {
			start_sending(run->sn);
			sdp_rpc_put(rpc);
		} else {
			add_turn(run, rpc, rank);
		}
	}
}

void sdp_turns_set(struct sdp_run *run, struct sdp_rpc *rpc, u32 rank, u64 key)
{
	struct sdp_rank *r = &run->sn->ranks[rank];
	struct sdp_rank_group *group = NULL;
	struct sdp_rank_news news;
	u32 limit;

	if (unlikely(rpc->parked) && rank != PROG_RANK_SEND) {
		/* Its turn comes when there is memory. */
		rpc->parked |= BIT(rank);
		rpc->rank[rank].key = key;
		return;
	}
	if (prog_rank_grouped(rank))
		group = &rpc->pctx->group[rank];
	/* A setting, which any CPU notes for all: an election takes one or the other. */
	limit = prog_rank_winners(rank, sdp_params(run->sn));
	WRITE_ONCE(r->limit, clamp(limit, 1U, (u32)SDP_RANK_WINNERS));
	sdp_rank_set(r, &rpc->rank[rank], group, key, holds[rank], &news);
	tell_winners(run, rank, &news);
}

void sdp_turns_clear(struct sdp_run *run, struct sdp_rpc *rpc, u32 rank)
{
	struct sdp_rank_news news;

	rpc->parked &= ~BIT(rank);
	if (!rpc->rank[rank].group)
		return;
	sdp_rank_clear(&run->sn->ranks[rank], &rpc->rank[rank], holds[rank],
		       &news);
	tell_winners(run, rank, &news);
}

void sdp_turns_place(struct sdp_run *run, struct sdp_rpc *rpc, u32 rank, u64 place,
		     u32 number)
{
	struct sdp_rank_news news;

	sdp_rank_place(&run->sn->ranks[rank], &rpc->pctx->group[rank],
		       rpc->rank[rank].secure, place, number, holds[rank],
		       &news);
	tell_winners(run, rank, &news);
}

void sdp_turns_kick(struct sdp_run *run, u32 rank)
{
	struct sdp_rank_news news;

	sdp_rank_kick(&run->sn->ranks[rank], holds[rank], &news);
	tell_winners(run, rank, &news);
}

/* Leave all ranks whose turns give the peer leave to send. */
void sdp_turns_park(struct sdp_run *run, struct sdp_rpc *rpc)
{
	u32 rank, parked = 0;

	for (rank = 0; rank < PROG_RANKS; rank++)
		if (rank != PROG_RANK_SEND && rpc->rank[rank].group) {
			sdp_turns_clear(run, rpc, rank);
			parked |= BIT(rank);
		}
	rpc->parked |= parked;
}
