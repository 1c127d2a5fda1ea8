// SPDX-License-Identifier: GPL-2.0-only
/*
 * The room's start and end, and when all keys go: before suspend, so that they
 * are in no image, and when a virtual machine wakes up as a copy, which would
 * use the same nonces as the original.
 */
#include <linux/notifier.h>
#include <linux/random.h>
#include <linux/suspend.h>
#include <linux/workqueue.h>

#include "../observe/name.h"
#include "audit.h"
#include "epoch.h"
#include "install.h"
#include "nonce.h"
#include "record.h"

/* Nonces first: what is installed with one given before is found out. */
static void wipe(void)
{
	sdp_nonces_invalidate();
	sdp_session_wipe_all();
}

/* Longest time that suspending waits for tasks that use a key. */
#define WIPE_WAIT (10 * HZ)

static void resume(void)
{
	sdp_nonces_invalidate();
	sdp_session_refuse(false);
}

/*
 * Tasks still run for a while after the keys are gone, and would make others.
 * An image may be woken up more than once, so that nonces given meanwhile are
 * those of a copy. The last references go in works and after grace periods: the
 * machine does not sleep before they have, or stays awake.
 */
static int pm_event(struct notifier_block *nb, unsigned long action, void *data)
{
	switch (action) {
	case PM_HIBERNATION_PREPARE:
	case PM_SUSPEND_PREPARE:
		sdp_session_refuse(true);
		wipe();
		if (!sdp_epoch_wait_gone(WIPE_WAIT)) {
			resume();
			return notifier_from_errno(-EBUSY);
		}
		if (sdp_record_ops->nic_flush)
			sdp_record_ops->nic_flush();
		break;
	case PM_POST_HIBERNATION:
	case PM_POST_SUSPEND:
		resume();
		break;
	}
	return 0;
}

static int vmfork_event(struct notifier_block *nb, unsigned long action,
			void *data)
{
	wipe();
	return 0;
}

static struct notifier_block pm_notifier = { .notifier_call = pm_event };
static struct notifier_block vmfork_notifier = { .notifier_call = vmfork_event };

static int register_notifiers(void)
{
	int err;

	err = register_pm_notifier(&pm_notifier);
	if (err)
		return err;
	err = register_random_vmfork_notifier(&vmfork_notifier);
	if (err)
		unregister_pm_notifier(&pm_notifier);
	return err;
}

int sdp_record_init(const struct sdp_record_ops *ops)
{
	int err;

	sdp_record_ops = ops;
	err = sdp_aead_init();
	if (err)
		return err;
	err = sdp_replay_cache_init();
	if (err)
		goto err_aead;
	err = sdp_audit_init();
	if (err)
		goto err_cache;
	err = -ENOMEM;
	sdp_record_wq = alloc_workqueue(SDP_NAMED("_record"), WQ_UNBOUND, 0);
	if (!sdp_record_wq)
		goto err_audit;
	err = sdp_registry_init();
	if (err)
		goto err_wq;
	err = register_notifiers();
	if (err)
		goto err_table;
	return 0;

err_table:
	sdp_registry_exit();
err_wq:
	destroy_workqueue(sdp_record_wq);
err_audit:
	sdp_audit_exit();
err_cache:
	sdp_replay_cache_exit();
err_aead:
	sdp_aead_exit();
	return err;
}

void sdp_record_exit(void)
{
	unregister_random_vmfork_notifier(&vmfork_notifier);
	unregister_pm_notifier(&pm_notifier);
	sdp_session_wipe_all();
	/*
	 * A session is freed by a work that its last epoch's work queues, each
	 * after a grace period.
	 */
	rcu_barrier();
	flush_workqueue(sdp_record_wq);
	rcu_barrier();
	destroy_workqueue(sdp_record_wq);
	sdp_registry_exit();
	sdp_install_exit();
	sdp_audit_exit();
	sdp_replay_cache_exit();
	sdp_aead_exit();
}
