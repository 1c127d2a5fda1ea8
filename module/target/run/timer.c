// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bitmap.h>
#include <linux/hrtimer.h>
#include <linux/percpu.h>
#include <linux/rculist.h>
#include <linux/spinlock.h>

#include "timer.h"

#define TICK_SHIFT 20		/* 1.05 ms */
#define SLOTS 256
#define BATCH 16
#define LOOKS 64
#define ROUNDS 16

/**
 * struct sdp_wheel - the timers that were first set on a CPU.
 * @lock:  spinlock (bh); inside an RPC's lock.
 * @timer: soft; queued for @armed while any slot is in use.
 * @tick:  next tick to be looked at.
 * @armed: tick for which @timer is queued, U64_MAX: not queued.
 * @used:  slots with timers.
 * @slot:  timers due in a tick, or that many ticks times SLOTS later.
 */
struct sdp_wheel {
	spinlock_t lock;
	struct hrtimer timer;
	u64 tick;
	u64 armed;
	DECLARE_BITMAP(used, SLOTS);
	struct hlist_head slot[SLOTS];
};

static struct sdp_wheel __percpu *wheels;
static bool (*hold_owner)(struct sdp_timer *timer);
static void (*expire_owner)(struct sdp_timer *timer);

static void arm(struct sdp_wheel *wheel, u64 tick)
{
	wheel->armed = tick;
	hrtimer_start(&wheel->timer, ns_to_ktime(tick << TICK_SHIFT),
		      HRTIMER_MODE_ABS_PINNED_SOFT);
}

/* First slot in use at or after a tick, as a tick; U64_MAX: none. */
static u64 next_used(const struct sdp_wheel *wheel, u64 tick)
{
	u32 from = tick % SLOTS;
	u32 bit = find_next_bit(wheel->used, SLOTS, from);

	if (bit < SLOTS)
		return tick + bit - from;
	bit = find_first_bit(wheel->used, SLOTS);
	if (bit < SLOTS)
		return tick + SLOTS - from + bit;
	return U64_MAX;
}

static u64 tick_of(u64 deadline)
{
	return (deadline >> TICK_SHIFT) + 1;
}

static void enqueue(struct sdp_wheel *wheel, struct sdp_timer *timer,
		    u64 deadline)
{
	/* A far deadline is looked at once a turn. */
	u64 tick = clamp(tick_of(deadline), wheel->tick,
			 wheel->tick + SLOTS - 2);

	WRITE_ONCE(timer->slot, tick);
	/* Pairs with sdp_timer_set(): a queued timer has this slot. */
	smp_wmb();
	hlist_add_head(&timer->node, &wheel->slot[tick % SLOTS]);
	__set_bit(tick % SLOTS, wheel->used);
}

static void dequeue(struct sdp_wheel *wheel, struct sdp_timer *timer)
{
	u32 slot = timer->slot % SLOTS;

	/* As hlist_del_init(), but for sdp_timer_set(), which looks without the lock. */
	hlist_del_init_rcu(&timer->node);
	if (hlist_empty(&wheel->slot[slot]))
		__clear_bit(slot, wheel->used);
}

void sdp_timer_set(struct sdp_timer *timer, u64 deadline)
{
	struct sdp_wheel *wheel = timer->wheel;

	WRITE_ONCE(timer->deadline, deadline);
	/* Pairs with collect(): either it sees the deadline or we the dequeue. */
	smp_mb();
	/* Queued for this tick or an earlier one: it will be seen in time. */
	if (wheel && !hlist_unhashed_lockless(&timer->node)) {
		/* Pairs with enqueue(). */
		smp_rmb();
		if (READ_ONCE(timer->slot) <= tick_of(deadline))
			return;
	}
	if (!wheel) {
		wheel = this_cpu_ptr(wheels);
		timer->wheel = wheel;
	}
	spin_lock(&wheel->lock);
	if (!hlist_unhashed(&timer->node))
		dequeue(wheel, timer);
	/* A wheel that stood still starts at the present. */
	if (wheel->armed == U64_MAX)
		wheel->tick = max(wheel->tick, ktime_get_ns() >> TICK_SHIFT);
	enqueue(wheel, timer, deadline);
	if (timer->slot < wheel->armed)
		arm(wheel, timer->slot);
	spin_unlock(&wheel->lock);
}

void sdp_timer_remove(struct sdp_timer *timer)
{
	struct sdp_wheel *wheel = timer->wheel;

	WRITE_ONCE(timer->deadline, 0);
	if (!wheel)
		return;
	spin_lock(&wheel->lock);
	if (!hlist_unhashed(&timer->node))
		dequeue(wheel, timer);
	spin_unlock(&wheel->lock);
}

/*
 * Collect timers that are due, with their owners held, and queue again those
 * whose deadline has moved. Looks at LOOKS at most, and returns how many are due;
 * @more: there may be others up to @now.
 */
static u32 collect(struct sdp_wheel *wheel, u64 now, struct sdp_timer **due, bool *more)
{
	u64 last = now >> TICK_SHIFT;
	u32 count = 0, looks = 0;

	*more = true;

	while (wheel->tick <= last) {
		struct hlist_head *slot = &wheel->slot[wheel->tick % SLOTS];

		while (!hlist_empty(slot)) {
			struct sdp_timer *timer =
				hlist_entry(slot->first, struct sdp_timer, node);
			u64 deadline;

			if (count == BATCH || looks++ == LOOKS)
				return count;
			dequeue(wheel, timer);
			/* Pairs with sdp_timer_set(). */
			smp_mb();
			deadline = READ_ONCE(timer->deadline);
			if (!deadline)
				continue;
			if (tick_of(deadline) > wheel->tick) {
				/* Not into the slot being emptied. */
				wheel->tick++;
				enqueue(wheel, timer, deadline);
				wheel->tick--;
			} else if (hold_owner(timer)) {
				due[count++] = timer;
			}
		}
		wheel->tick = min(next_used(wheel, wheel->tick), last + 1);
	}
	*more = false;
	return count;
}

static enum hrtimer_restart turn(struct hrtimer *hrtimer)
{
	struct sdp_wheel *wheel = container_of(hrtimer, struct sdp_wheel, timer);
	struct sdp_timer *due[BATCH];
	u32 round = 0, count;
	bool more;

	do {
		spin_lock(&wheel->lock);
		count = collect(wheel, ktime_get_ns(), due, &more);
		/* Let others have the CPU: the rest in an expiry of its own. */
		if (++round == ROUNDS)
			more = false;
		if (!more) {
			u64 next = next_used(wheel, wheel->tick);

			wheel->armed = U64_MAX;
			if (next != U64_MAX)
				arm(wheel, next);
		}
		spin_unlock(&wheel->lock);
		for (u32 i = 0; i < count; i++)
			expire_owner(due[i]);
	} while (more);
	return HRTIMER_NORESTART;
}

int sdp_timer_init(bool (*hold)(struct sdp_timer *timer),
		   void (*expire)(struct sdp_timer *timer))
{
	int cpu;

	wheels = alloc_percpu(struct sdp_wheel);
	if (!wheels)
		return -ENOMEM;
	hold_owner = hold;
	expire_owner = expire;
	for_each_possible_cpu(cpu) {
		struct sdp_wheel *wheel = per_cpu_ptr(wheels, cpu);

		spin_lock_init(&wheel->lock);
		wheel->armed = U64_MAX;
		hrtimer_init(&wheel->timer, CLOCK_MONOTONIC,
			     HRTIMER_MODE_ABS_PINNED_SOFT);
		wheel->timer.function = turn;
	}
	return 0;
}

void sdp_timer_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		hrtimer_cancel(&per_cpu_ptr(wheels, cpu)->timer);
	free_percpu(wheels);
}
