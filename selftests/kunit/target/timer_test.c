// SPDX-License-Identifier: GPL-2.0-only
/* The timer wheel, in real time: never early, moved, cancelled, removed, far. */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/module.h>

#include "../../../module/target/run/timer.c"

#define TIMERS 64

static struct sdp_timer timers[TIMERS];
static u64 fired[TIMERS];
static u32 order[TIMERS];
static u32 count;
static u32 early;

static bool hold(struct sdp_timer *timer)
{
	return true;
}

/* As an owner does: what is not due yet is set again. */
static void expire(struct sdp_timer *timer)
{
	u64 now = ktime_get_ns();
	u32 i = timer - timers;

	if (!timer->deadline)
		return;
	if (now < timer->deadline) {
		early++;
		sdp_timer_set(timer, timer->deadline);
		return;
	}
	timer->deadline = 0;
	fired[i] = now;
	if (count < TIMERS)
		order[count] = i;
	count++;
}

static void set(u32 i, u64 deadline)
{
	local_bh_disable();
	sdp_timer_set(&timers[i], deadline);
	local_bh_enable();
}

static void remove_all(void)
{
	u32 i;

	local_bh_disable();
	for (i = 0; i < TIMERS; i++)
		sdp_timer_remove(&timers[i]);
	local_bh_enable();
	count = 0;
	early = 0;
}

static void wait_for(u32 most, u32 ms)
{
	while (READ_ONCE(count) < most && ms--)
		usleep_range(1000, 2000);
}

static void none_early_all_in_order(struct kunit *test)
{
	u64 start;
	u32 i;

	/* Again, where the machine stood still until after the first. */
	do {
		remove_all();
		start = ktime_get_ns();
		for (i = 0; i < TIMERS; i++)
			set(i, start + (u64)(TIMERS - i) * 3 * NSEC_PER_MSEC);
	} while (ktime_get_ns() - start >= 3 * NSEC_PER_MSEC);
	wait_for(TIMERS, 5000);
	KUNIT_ASSERT_EQ(test, count, TIMERS);
	KUNIT_EXPECT_EQ(test, early, 0);
	for (i = 0; i < TIMERS; i++) {
		KUNIT_EXPECT_GE(test, fired[i], start +
				(u64)(TIMERS - i) * 3 * NSEC_PER_MSEC);
		KUNIT_EXPECT_EQ(test, order[i], TIMERS - 1 - i);
	}
}

static void deadlines_move(struct kunit *test)
{
	u64 start = ktime_get_ns();

	set(0, start + 2 * NSEC_PER_MSEC);
	set(0, start + 60 * NSEC_PER_MSEC);
	set(1, start + 60 * NSEC_PER_SEC);
	set(1, start + 10 * NSEC_PER_MSEC);
	wait_for(2, 5000);
	KUNIT_ASSERT_EQ(test, count, 2);
	KUNIT_EXPECT_EQ(test, order[0], 1);
	KUNIT_EXPECT_GE(test, fired[0], start + 60 * NSEC_PER_MSEC);
	KUNIT_EXPECT_LT(test, fired[1], start + 60 * NSEC_PER_SEC);
}

static void cancelled_and_removed_stay_silent(struct kunit *test)
{
	u64 start = ktime_get_ns();

	set(0, start + 10 * NSEC_PER_MSEC);
	set(1, start + 10 * NSEC_PER_MSEC);
	set(2, start + 30 * NSEC_PER_MSEC);
	sdp_timer_cancel(&timers[0]);
	local_bh_disable();
	sdp_timer_remove(&timers[1]);
	local_bh_enable();
	KUNIT_EXPECT_TRUE(test, hlist_unhashed(&timers[1].node));
	wait_for(1, 5000);
	msleep(20);
	KUNIT_EXPECT_EQ(test, count, 1);
	KUNIT_EXPECT_EQ(test, order[0], 2);
	/* A cancelled one can be set again. */
	set(0, ktime_get_ns() + NSEC_PER_MSEC);
	wait_for(2, 5000);
	KUNIT_EXPECT_EQ(test, count, 2);
}

/* Beyond one turn of the wheel, which is 268 ms. */
static void far_deadlines(struct kunit *test)
{
	u64 start = ktime_get_ns();

	set(0, start + 700 * NSEC_PER_MSEC);
	set(1, start + 300 * NSEC_PER_MSEC);
	wait_for(2, 8000);
	KUNIT_ASSERT_EQ(test, count, 2);
	/* If this machine stood still, both were due in the same round. */
	if (fired[1] < start + 700 * NSEC_PER_MSEC)
		KUNIT_EXPECT_EQ(test, order[0], 1);
	KUNIT_EXPECT_GE(test, fired[0], start + 700 * NSEC_PER_MSEC);
	KUNIT_EXPECT_GE(test, fired[1], start + 300 * NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, early, 0);
}

/* The past, and more at once than one round takes. */
static void many_at_once(struct kunit *test)
{
	u32 i;

	for (i = 0; i < TIMERS; i++)
		set(i, 1 + i);
	wait_for(TIMERS, 5000);
	KUNIT_EXPECT_EQ(test, count, TIMERS);
}

#define FAR_TIMERS 1000

/* Many that are not due share slots: a look is short, and all of them are seen. */
static void many_far_ones(struct kunit *test)
{
	struct sdp_timer *far, *due[BATCH];
	u64 start = ktime_get_ns();
	struct sdp_wheel *wheel;
	bool more = true;
	u32 i, calls = 0;

	far = kunit_kcalloc(test, FAR_TIMERS, sizeof(*far), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, far);
	local_bh_disable();
	for (i = 0; i < FAR_TIMERS; i++)
		sdp_timer_set(&far[i], start + 3600 * NSEC_PER_SEC);
	wheel = far[0].wheel;
	spin_lock(&wheel->lock);
	while (more && calls < FAR_TIMERS) {
		KUNIT_EXPECT_EQ(test, 0, collect(wheel, start + 400 * NSEC_PER_MSEC, due, &more));
		calls++;
	}
	spin_unlock(&wheel->lock);
	for (i = 0; i < FAR_TIMERS; i++)
		sdp_timer_remove(&far[i]);
	local_bh_enable();
	KUNIT_EXPECT_FALSE(test, more);
	KUNIT_EXPECT_GE(test, calls, FAR_TIMERS / LOOKS);
	KUNIT_EXPECT_LE(test, calls, FAR_TIMERS / LOOKS + 2);
}

static int begin(struct kunit *test)
{
	memset(timers, 0, sizeof(timers));
	memset(fired, 0, sizeof(fired));
	count = 0;
	early = 0;
	return sdp_timer_init(hold, expire);
}

static void end(struct kunit *test)
{
	sdp_timer_exit();
}

static struct kunit_case cases[] = {
	KUNIT_CASE(none_early_all_in_order),
	KUNIT_CASE(deadlines_move),
	KUNIT_CASE(cancelled_and_removed_stay_silent),
	KUNIT_CASE(far_deadlines),
	KUNIT_CASE(many_at_once),
	KUNIT_CASE(many_far_ones),
	{}
};

static struct kunit_suite suite = {
	.name = "sdp_target_timer",
	.init = begin,
	.exit = end,
	.test_cases = cases,
};

kunit_test_suite(suite);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit suite of SDP's timer wheel");
