// SPDX-License-Identifier: GPL-2.0-only
/* Start and end of the module that holds the record layer's suites. */
#include <linux/module.h>

#include "observe/observe.h"
#include "record/record.h"
#include "rig.h"

static void dead(struct sdp_session *session)
{
	atomic_inc(&record_rig_dead);
}

static void window(struct sdp_session *session)
{
	atomic_inc(&record_rig_window);
}

static const struct sdp_record_ops ops = {
	.transport_size = 64,
	.dead = dead,
	.window = window,
};

static int __init record_test_init(void)
{
	int err;

	err = sdp_observe_init();
	if (err)
		return err;
	err = sdp_record_init(&ops);
	if (err)
		sdp_observe_exit();
	return err;
}

static void __exit record_test_exit(void)
{
	sdp_record_exit();
	sdp_observe_exit();
}

module_init(record_test_init);
module_exit(record_test_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit suites of SDP's record layer");
