// SPDX-License-Identifier: GPL-2.0-only
/*
 * SDP, a secure datacenter transport. To read this is to read the map: each
 * step needs those before it (docs/architecture.md).
 */
#include <linux/module.h>

#include "observe/name.h"
#include "observe/observe.h"
#include "socket/socket.h"
#include "target/app/target.h"

static int __init sdp_init(void)
{
	int err;

	err = sdp_observe_init();
	if (err)
		return err;
	err = sdp_target_init();
	if (err)
		goto exit_observe;
	err = sdp_target_listen(SDP_PROTOCOL);
	if (err)
		goto exit_target;
	/* Last: what has a socket may not fail to load any more. */
	err = sdp_socket_init();
	if (err)
		goto exit_listen;
	return 0;

exit_listen:
	sdp_target_unlisten(SDP_PROTOCOL);
exit_target:
	sdp_target_exit();
exit_observe:
	sdp_observe_exit();
	return err;
}

static void __exit sdp_exit(void)
{
	sdp_target_unlisten(SDP_PROTOCOL);
	sdp_socket_exit();
	sdp_target_exit();
	sdp_observe_exit();
}

module_init(sdp_init);
module_exit(sdp_exit);

MODULE_DESCRIPTION("SDP, a secure datacenter transport");
MODULE_LICENSE("GPL");
/* Kbuild takes it from dkms.conf, where that is at hand. */
#ifndef SDP_PACKAGE_VERSION
#define SDP_PACKAGE_VERSION "0.1"
#endif
MODULE_VERSION(SDP_PACKAGE_VERSION);
