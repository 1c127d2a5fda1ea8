/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Timers of RPCs: a wheel per CPU, turned by one soft hrtimer that sleeps
 * while nothing is due. A timer costs nothing while its deadline only moves
 * away: it is looked at again where it was queued.
 */
#ifndef SDP_TARGET_TIMER_H
#define SDP_TARGET_TIMER_H

#include "../state/places.h"

/**
 * sdp_timer_set() - expire at a deadline, instead of when it did before.
 * @timer:    the timer; its owner's lock is held.
 * @deadline: ns of ktime_get_ns().
 *
 * Expires up to one tick (1 ms) late. Context: BH disabled.
 */
void sdp_timer_set(struct sdp_timer *timer, u64 deadline);

/** sdp_timer_cancel() - forget the deadline; the owner's lock is held. */
static inline void sdp_timer_cancel(struct sdp_timer *timer)
{
	WRITE_ONCE(timer->deadline, 0);
}

/**
 * sdp_timer_remove() - take it off the wheel for good, before its owner goes.
 * @timer: the timer. No sdp_timer_set() may follow.
 *
 * Context: BH disabled; the owner's lock may be held.
 */
void sdp_timer_remove(struct sdp_timer *timer);

/**
 * sdp_timer_init() - make the wheels.
 * @hold:   try to take a reference on a timer's owner; called under the
 *          wheel's lock. False: the owner is going, forget the timer.
 * @expire: the deadline has passed; drops the reference. Softirq, no locks.
 *
 * Return: 0 or -ENOMEM.
 */
int sdp_timer_init(bool (*hold)(struct sdp_timer *timer),
		   void (*expire)(struct sdp_timer *timer));
void sdp_timer_exit(void);

#endif /* SDP_TARGET_TIMER_H */
