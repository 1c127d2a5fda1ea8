// SPDX-License-Identifier: GPL-2.0-only
/* Start and end of the module that holds the record layer's suites. */
#include <linux/module.h>
#include <net/net_namespace.h>

#include "observe/observe.h"
#include "rig.h"

/* Counters without the rest of the observe room. */
unsigned int sdp_observe_net_id;

static int __net_init counts_init(struct net *net)
{
	struct sdp_observe_net *on = sdp_observe_net(net);

	on->counts = alloc_percpu(struct sdp_counts);
	return on->counts ? 0 : -ENOMEM;
}

static void __net_exit counts_exit(struct net *net)
{
	free_percpu(sdp_observe_net(net)->counts);
}

static struct pernet_operations counts_ops = {
	.init = counts_init,
	.exit = counts_exit,
	.id = &sdp_observe_net_id,
	.size = sizeof(struct sdp_observe_net),
};

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

	err = register_pernet_subsys(&counts_ops);
	if (err)
		return err;
	err = sdp_record_init(&ops);
	if (err)
		unregister_pernet_subsys(&counts_ops);
	return err;
}

static void __exit record_test_exit(void)
{
	sdp_record_exit();
	unregister_pernet_subsys(&counts_ops);
}

module_init(record_test_init);
module_exit(record_test_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit suites of SDP's record layer");
