// SPDX-License-Identifier: GPL-2.0-only
/* The words of an RPC's state: those that go together, and each contradiction. */
#include <kunit/test.h>
#include <linux/module.h>

#include "../../../module/target/state/rpc_check.c"

struct rig {
	struct sdp_endpoint ep;
	struct sdp_rpc rpc;
	struct sdp_rank_group group;
	struct sdp_owner owner;
	struct list_head list;
};

static int rig_init(struct kunit *test)
{
	struct rig *rig = kunit_kzalloc(test, sizeof(*rig), GFP_KERNEL);
	struct sdp_rpc *rpc;

	KUNIT_ASSERT_NOT_NULL(test, rig);
	rpc = &rig->rpc;
	spin_lock_init(&rig->ep.lock);
	spin_lock_init(&rpc->lock);
	INIT_LIST_HEAD(&rig->list);
	INIT_LIST_HEAD(&rpc->ep_link);
	INIT_LIST_HEAD(&rpc->ready_link);
	INIT_LIST_HEAD(&rpc->in_link);
	INIT_LIST_HEAD(&rpc->park_link);
	rpc->ep = &rig->ep;
	rpc->rx_root = RB_ROOT;
	rpc->who.id = 2;
	rpc->hashed = true;
	list_add(&rpc->ep_link, &rig->list);
	test->priv = rig;
	return 0;
}

static const char *wrong(struct rig *rig)
{
	const char *text;

	spin_lock_bh(&rig->rpc.lock);
	text = sdp_rpc_check(&rig->rpc);
	spin_unlock_bh(&rig->rpc.lock);
	return text;
}

#define EXPECT_RIGHT(test, rig) KUNIT_EXPECT_NULL(test, wrong(rig))
#define EXPECT_WRONG(test, rig) KUNIT_EXPECT_NOT_NULL(test, wrong(rig))

static void one_that_ends(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct sdp_rpc *rpc = &rig->rpc;

	EXPECT_RIGHT(test, rig);
	rpc->over = true;
	EXPECT_WRONG(test, rig);
	rpc->hashed = false;
	EXPECT_WRONG(test, rig);
	list_del_init(&rpc->ep_link);
	EXPECT_RIGHT(test, rig);
	rpc->timer.deadline = 1;
	EXPECT_WRONG(test, rig);
	rpc->timer.deadline = 0;
	rpc->rank[0].group = &rig->group;
	EXPECT_WRONG(test, rig);
	rpc->rank[0].group = NULL;
	rpc->private = true;
	rpc->ready = true;
	EXPECT_WRONG(test, rig);
}

static void one_that_is_delivered(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct sdp_rpc *rpc = &rig->rpc;

	rpc->ready = true;
	EXPECT_WRONG(test, rig);
	list_add(&rpc->ready_link, &rig->list);
	EXPECT_RIGHT(test, rig);
	rpc->claimed = true;
	EXPECT_WRONG(test, rig);
	list_del_init(&rpc->ready_link);
	EXPECT_RIGHT(test, rig);
	/* A record turned out bad: part of the message is missing again. */
	list_add(&rpc->in_link, &rig->list);
	EXPECT_WRONG(test, rig);
	rpc->owner = &rig->owner;
	EXPECT_RIGHT(test, rig);
	rpc->claimed = false;
	list_add(&rpc->ready_link, &rig->list);
	EXPECT_WRONG(test, rig);
	list_del_init(&rpc->in_link);
	EXPECT_WRONG(test, rig);
	rpc->owner = NULL;
	EXPECT_RIGHT(test, rig);
	list_del_init(&rpc->ready_link);
	rpc->ready = false;
	EXPECT_RIGHT(test, rig);
}

static void one_that_fails(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct sdp_rpc *rpc = &rig->rpc;

	rpc->error = ETIMEDOUT;
	EXPECT_WRONG(test, rig);
	rpc->private = true;
	rpc->ready = true;
	EXPECT_RIGHT(test, rig);
}

static void ends_and_modes(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct sdp_rpc *rpc = &rig->rpc;

	rpc->secure = true;
	EXPECT_WRONG(test, rig);
	rpc->session = (void *)rig;
	EXPECT_RIGHT(test, rig);
	rpc->who.id = 3;
	EXPECT_WRONG(test, rig);
	rpc->who.secure = true;
	EXPECT_RIGHT(test, rig);
	rpc->private = true;
	EXPECT_WRONG(test, rig);
	rpc->private = false;
	rpc->client = (void *)rig;
	EXPECT_WRONG(test, rig);
	rpc->session = NULL;
	rpc->secure = false;
	rpc->who.secure = false;
	EXPECT_RIGHT(test, rig);
	rpc->replying = true;
	EXPECT_RIGHT(test, rig);
	rpc->client = NULL;
	rpc->who.id = 2;
	EXPECT_WRONG(test, rig);
}

static void what_is_kept_and_waits(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct sdp_rpc *rpc = &rig->rpc;

	rpc->rx_truesize = 1;
	EXPECT_WRONG(test, rig);
	rpc->rx_truesize = 0;
	rpc->parked = BIT(0);
	EXPECT_RIGHT(test, rig);
	rpc->rank[0].group = &rig->group;
	EXPECT_WRONG(test, rig);
}

static struct kunit_case state_cases[] = {
	KUNIT_CASE(one_that_ends),
	KUNIT_CASE(one_that_is_delivered),
	KUNIT_CASE(one_that_fails),
	KUNIT_CASE(ends_and_modes),
	KUNIT_CASE(what_is_kept_and_waits),
	{}
};

static struct kunit_suite state_suite = {
	.name = "sdp_target_state",
	.init = rig_init,
	.test_cases = state_cases,
};

kunit_test_suite(state_suite);

MODULE_DESCRIPTION("Tests of SDP's check of an RPC's state");
MODULE_LICENSE("GPL");
