// SPDX-License-Identifier: GPL-2.0-only
/* Windows: message numbers and control counters. */
#include "rig.h"

enum op { SEEN, QUERY, RESERVE, COMMIT, CANCEL };

#define W SDP_REPLAY_WINDOW

struct step {
	enum op op;
	u64 number;
	int outcome;	/* of COMMIT: whether it was the first */
	u32 chunks;	/* allocated afterwards */
};

static const struct step in_order[] = {
	{ SEEN,    0,          0,         0 },
	{ QUERY,   0,          0,         0 },
	{ RESERVE, 0,          0,         1 },
	{ COMMIT,  0,          1,         1 },
	{ QUERY,   0,          -EALREADY, 1 },
	{ RESERVE, 0,          -EALREADY, 1 },
	{ SEEN,    4096,       0,         1 },
	{ RESERVE, 4096,       0,         2 },
	{ COMMIT,  4096,       1,         2 },
	{ COMMIT,  4096,       0,         2 },
};

static const struct step out_of_order[] = {
	{ SEEN,    9000,       0,         0 },
	{ RESERVE, 9000,       0,         1 },
	{ SEEN,    3,          0,         1 },
	{ RESERVE, 3,          0,         2 },
	{ COMMIT,  9000,       1,         2 },
	{ QUERY,   8999,       0,         2 },
	{ COMMIT,  3,          1,         2 },
	{ QUERY,   3,          -EALREADY, 2 },
};

static const struct step edges[] = {
	{ SEEN,    W - 1,      0,         0 },
	{ QUERY,   0,          0,         0 },
	{ SEEN,    W,          0,         0 },
	{ QUERY,   0,          -ERANGE,   0 },
	{ RESERVE, 0,          -ERANGE,   0 },
	{ RESERVE, 1,          0,         1 },
	{ COMMIT,  1,          1,         1 },
	{ QUERY,   1,          -EALREADY, 1 },
	{ SEEN,    W + 4095,   0,         0 },
	{ QUERY,   4095,       -ERANGE,   0 },
	{ QUERY,   4096,       0,         0 },
};

/* The window moves past a number that has begun. */
static const struct step overtaken[] = {
	{ SEEN,    10,         0,         0 },
	{ RESERVE, 10,         0,         1 },
	{ SEEN,    10 + 3 * W, 0,         0 },
	{ QUERY,   10,         -ERANGE,   0 },
	{ COMMIT,  10,         1,         0 },
	{ QUERY,   10,         -ERANGE,   0 },
};

static const struct step cancelled[] = {
	{ SEEN,    5,          0,         0 },
	{ RESERVE, 5,          0,         1 },
	{ CANCEL,  5,          0,         0 },
	{ QUERY,   5,          0,         0 },
	{ RESERVE, 5,          0,         1 },
	{ RESERVE, 6,          0,         1 },
	{ COMMIT,  6,          1,         1 },
	{ CANCEL,  5,          0,         1 },
	{ QUERY,   5,          0,         1 },
	{ QUERY,   6,          -EALREADY, 1 },
};

/* The last numbers there are. */
static const struct step last[] = {
	{ SEEN,    SDP_MSGNO_MAX,         0,         0 },
	{ RESERVE, SDP_MSGNO_MAX,         0,         1 },
	{ COMMIT,  SDP_MSGNO_MAX,         1,         1 },
	{ QUERY,   SDP_MSGNO_MAX,         -EALREADY, 1 },
	{ QUERY,   SDP_MSGNO_MAX - W,     -ERANGE,   1 },
	{ QUERY,   SDP_MSGNO_MAX - W + 1, 0,         1 },
};

static int take(struct sdp_replay *replay, const struct step *step)
{
	switch (step->op) {
	case SEEN:
		sdp_replay_advance(replay, step->number);
		return 0;
	case QUERY:
		return record_in_bh(sdp_replay_query(replay, step->number));
	case RESERVE:
		return record_in_bh(sdp_replay_reserve(replay, step->number));
	case COMMIT:
		return record_in_bh(sdp_replay_commit(replay, step->number));
	case CANCEL:
		sdp_replay_cancel(replay, step->number);
		return 0;
	}
	return -EINVAL;
}

static void steps(struct kunit *test, const struct step *step, int count)
{
	struct sdp_replay replay;
	int i;

	sdp_replay_init(&replay, NULL);
	for (i = 0; i < count; i++, step++) {
		KUNIT_EXPECT_EQ_MSG(test, step->outcome, take(&replay, step),
				    "step %d", i);
		KUNIT_EXPECT_EQ_MSG(test, step->chunks, replay.count,
				    "step %d", i);
	}
	sdp_replay_destroy(&replay);
	KUNIT_EXPECT_EQ(test, 0, replay.count);
}

static void window(struct kunit *test)
{
	steps(test, in_order, ARRAY_SIZE(in_order));
	steps(test, out_of_order, ARRAY_SIZE(out_of_order));
	steps(test, edges, ARRAY_SIZE(edges));
	steps(test, overtaken, ARRAY_SIZE(overtaken));
	steps(test, cancelled, ARRAY_SIZE(cancelled));
	steps(test, last, ARRAY_SIZE(last));
}

static void fill(struct sdp_replay *replay, u64 from, u64 to, u64 step)
{
	for (; from < to; from += step) {
		sdp_replay_advance(replay, from);
		if (!record_in_bh(sdp_replay_reserve(replay, from)))
			record_in_bh(sdp_replay_commit(replay, from));
	}
}

/* A chunk without holes takes no memory; the window bounds the rest. */
static void memory(struct kunit *test)
{
	struct sdp_replay replay;

	sdp_replay_init(&replay, NULL);
	fill(&replay, 0, 10 * SDP_REPLAY_CHUNK, 1);
	KUNIT_EXPECT_EQ(test, 0, replay.count);
	KUNIT_EXPECT_EQ(test, -EALREADY, record_in_bh(sdp_replay_query(&replay, 0)));
	KUNIT_EXPECT_EQ(test, -EALREADY, record_in_bh(sdp_replay_reserve(&replay, 40959)));
	KUNIT_EXPECT_FALSE(test, record_in_bh(sdp_replay_commit(&replay, 77)));

	/* Chunk 10 with a hole, chunk 11 full, chunk 12 begun. */
	fill(&replay, 10 * SDP_REPLAY_CHUNK + 1, 12 * SDP_REPLAY_CHUNK + 1, 1);
	KUNIT_EXPECT_EQ(test, 2, replay.count);
	fill(&replay, 10 * SDP_REPLAY_CHUNK, 10 * SDP_REPLAY_CHUNK + 1, 1);
	KUNIT_EXPECT_EQ(test, 1, replay.count);

	/* One in each chunk of more than a window. */
	fill(&replay, 0, 3 * W, SDP_REPLAY_CHUNK);
	KUNIT_EXPECT_LE(test, replay.count, W / SDP_REPLAY_CHUNK + 1);
	KUNIT_EXPECT_GE(test, replay.count, W / SDP_REPLAY_CHUNK - 1);
	sdp_replay_destroy(&replay);
}

struct counter {
	u64 counter;
	bool first;
};

static const struct counter counters[] = {
	{ 0,                            true },
	{ 0,                            false },
	{ 2,                            true },
	{ 1,                            true },
	{ 1,                            false },
	{ 8191,                         true },
	{ 0,                            false },	/* still in the window */
	{ 3,                            true },
	{ 8193,                         true },
	{ 1,                            false },	/* below it */
	{ 2,                            false },
	{ 4,                            true },
	{ 8192,                         true },
	{ 100000,                       true },		/* nothing in common */
	{ 100000 - 8192,                false },
	{ 100000 - 8191,                true },
	{ 100000 - 8191,                false },
	{ SDP_COUNTER_MAX,              true },
	{ SDP_COUNTER_MAX,              false },
	{ SDP_COUNTER_MAX - 8192,       false },
	{ SDP_COUNTER_MAX - 8191,       true },
};

static void control_window(struct kunit *test)
{
	struct sdp_counters *window;
	int i;

	window = kunit_kzalloc(test, sizeof(*window), GFP_KERNEL);
	sdp_counters_init(window);
	for (i = 0; i < ARRAY_SIZE(counters); i++)
		KUNIT_EXPECT_EQ_MSG(test, counters[i].first,
				    sdp_counters_take(window,
						      counters[i].counter),
				    "case %d", i);
}

/* A message that was delivered, or refused, begins no more. */
static void delivered_once(struct kunit *test)
{
	struct record_sealed sealed;
	struct record_opened opened;
	struct record_rig rig;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 0);
	KUNIT_ASSERT_EQ(test, 0, record_seal(test, rig.end[CLIENT], NULL,
					     RPC_ID, 100, 0, &sealed));
	/* Given up before it was complete: may come again. */
	KUNIT_EXPECT_EQ(test, 0, record_begin(&rig, SERVER, &sealed.hdr,
					      &opened.rx));
	sdp_rx_end(&opened.rx);
	KUNIT_EXPECT_EQ(test, 0, record_receive(test, &rig, SERVER, &sealed,
						NULL, &opened));
	KUNIT_EXPECT_EQ(test, -EALREADY, record_begin(&rig, SERVER, &sealed.hdr,
						      &opened.rx));
	sdp_tx_end(&sealed.tx);
	record_rig_close(test, &rig);
}

/* A sender does not run a window ahead of what the peer has shown. */
static void sender_waits(struct kunit *test)
{
	struct record_sealed first, other;
	struct sdp_epoch *epoch;
	struct record_rig rig;
	s64 blocks;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 0);
	epoch = rcu_dereference_protected(rig.end[CLIENT]->tx, true);
	KUNIT_ASSERT_EQ(test, 0, record_seal(test, rig.end[CLIENT], NULL,
					     RPC_ID, 1, 0, &first));
	epoch->tx->next = W - 1;
	KUNIT_EXPECT_EQ(test, 0, record_seal(test, rig.end[CLIENT], NULL,
					     RPC_ID, 1, 0, &other));
	sdp_tx_end(&other.tx);
	blocks = atomic64_read(&epoch->tx->blocks);
	KUNIT_EXPECT_EQ(test, -EAGAIN, record_seal(test, rig.end[CLIENT], NULL,
						   RPC_ID, 1, 0, &other));
	KUNIT_EXPECT_EQ(test, W, epoch->tx->next);
	/* Asking costs nothing. */
	KUNIT_EXPECT_EQ(test, blocks, atomic64_read(&epoch->tx->blocks));
	atomic_set(&record_rig_window, 0);
	record_in_bh(sdp_tx_heard(&first.tx));
	record_in_bh(sdp_tx_heard(&first.tx));
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&record_rig_window));
	KUNIT_EXPECT_EQ(test, 0, record_seal(test, rig.end[CLIENT], NULL,
					     RPC_ID, 1, 0, &other));
	KUNIT_EXPECT_EQ(test, W, other.tx.msgno);
	sdp_tx_end(&other.tx);
	sdp_tx_end(&first.tx);
	record_rig_close(test, &rig);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(window),
	KUNIT_CASE_SLOW(memory),
	KUNIT_CASE(control_window),
	KUNIT_CASE(delivered_once),
	KUNIT_CASE(sender_waits),
	{}
};

static struct kunit_suite suite = {
	.name = "sdp_record_replay",
	.test_cases = cases,
};

kunit_test_suite(suite);
