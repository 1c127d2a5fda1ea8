// SPDX-License-Identifier: GPL-2.0-only
#include <linux/random.h>
#include <net/protocol.h>

#include "../../offload/buffer.h"
#include "../../offload/nic.h"
#include "../../offload/segment.h"
#include "../../record/record.h"
#include "../in/icmp.h"
#include "../in/receive.h"
#include "../in/steer.h"
#include "../out/nic.h"
#include "../out/pace.h"
#include "../run/exec.h"
#include "../run/pacer.h"
#include "../run/rank.h"
#include "../state/peer.h"
#include "../state/proof.h"
#include "../state/rpc_table.h"
#include "../state/settings.h"
#include "session.h"
#include "target.h"

/* Programs name errors by number (program/mtp.h). */
static_assert(PROG_EINVAL == EINVAL && PROG_EBADMSG == EBADMSG &&
	      PROG_EMSGSIZE == EMSGSIZE && PROG_ECONNRESET == ECONNRESET &&
	      PROG_ETIMEDOUT == ETIMEDOUT);

unsigned int sdp_net_id __read_mostly;

static int __net_init net_begin(struct net *net)
{
	struct sdp_net *sn = sdp_net(net);
	u32 rank;

	sn->net = net;
	mutex_init(&sn->nic_lock);
	sn->counts = sdp_counts(net);
	sdp_settings_init(&sn->set);
	spin_lock_init(&sn->host_lock);
	INIT_WORK(&sn->kick, sdp_exec_kick);
	for (rank = 0; rank < PROG_RANKS; rank++)
		sdp_rank_init(&sn->ranks[rank], SDP_RANK_WINNERS,
			      prog_rank_apart(rank));
	get_random_bytes(&sn->id_key, sizeof(sn->id_key));
	sdp_proof_init(sn);
	sdp_ports_init(&sn->ports, net);
	sdp_rpc_table_init(sn);
	sdp_pacer_init_net(sn);
	return 0;
}

static void __net_exit net_leave(struct net *net)
{
	sdp_peer_leave(sdp_net(net));
}

static void __net_exit net_end(struct net *net)
{
	struct sdp_net *sn = sdp_net(net);

	cancel_work_sync(&sn->kick);
	sdp_nic_exit_net(sn);
	sdp_pacer_exit_net(sn);
}

/* What has to be waited for is, for all that go at once. */
static void __net_exit nets_end(struct list_head *nets)
{
	struct sdp_net *sn;
	struct net *net;
	LIST_HEAD(leaving);

	list_for_each_entry(net, nets, exit_list)
		list_add(&sdp_net(net)->leaving, &leaving);
	sdp_peer_forget_nets(&leaving);
	list_for_each_entry(sn, &leaving, leaving)
		sdp_rpc_table_free(sn);
}

static struct pernet_operations net_ops = {
	.init = net_begin,
	.pre_exit = net_leave,
	.exit = net_end,
	.exit_batch = nets_end,
	.id = &sdp_net_id,
	.size = sizeof(struct sdp_net),
};

int sdp_target_init(void)
{
	int err;

	err = sdp_buffer_init();
	if (err)
		return err;
	err = sdp_rpc_init();
	if (err)
		goto exit_buffer;
	err = sdp_peer_init();
	if (err)
		goto exit_rpc;
	err = sdp_exec_init();
	if (err)
		goto exit_peer;
	/* Before the record room begins, which may flush keys, and after its end. */
	err = sdp_nic_init();
	if (err)
		goto exit_exec;
	err = sdp_record_init(&sdp_session_ops);
	if (err)
		goto exit_nic;
	err = register_pernet_subsys(&net_ops);
	if (err)
		goto exit_record;
	err = sdp_pace_init();
	if (err)
		goto exit_net;
	err = sdp_nic_attach();
	if (err)
		goto exit_pace;
	return 0;

exit_pace:
	sdp_pace_exit();
exit_net:
	unregister_pernet_subsys(&net_ops);
exit_record:
	sdp_record_exit();
exit_nic:
	sdp_nic_exit();
exit_exec:
	sdp_exec_exit();
exit_peer:
	sdp_peer_exit();
exit_rpc:
	sdp_rpc_exit();
exit_buffer:
	sdp_buffer_exit();
	return err;
}

void sdp_target_exit(void)
{
	sdp_pace_exit();
	unregister_pernet_subsys(&net_ops);
	/* The keys of NICs go with the epochs. */
	sdp_record_exit();
	sdp_nic_detach();
	sdp_nic_exit();
	sdp_exec_exit();
	sdp_peer_exit();
	sdp_rpc_exit();
	sdp_buffer_exit();
}

static const struct net_protocol protocol_v4 = {
	.handler = sdp_receive,
	.err_handler = sdp_icmp_v4,
	/* It is the socket's: receive.c asks. */
	.no_policy = 1,
	.icmp_strict_tag_validation = 1,
};

static const struct inet6_protocol protocol_v6 = {
	.handler = sdp_receive,
	.err_handler = sdp_icmp_v6,
	.flags = INET6_PROTO_NOPOLICY | INET6_PROTO_FINAL,
};

int sdp_target_listen(u8 protocol)
{
	int err;

	err = sdp_segment_init(protocol, sdp_nic_seal_packet);
	if (err)
		return err;
	err = sdp_steer_init(sdp_receive_at_home);
	if (err)
		goto exit_segment;
	err = inet_add_protocol(&protocol_v4, protocol);
	if (err)
		goto exit_steer;
	err = inet6_add_protocol(&protocol_v6, protocol);
	if (err)
		goto del_v4;
	return 0;

del_v4:
	inet_del_protocol(&protocol_v4, protocol);
exit_steer:
	sdp_steer_exit();
exit_segment:
	sdp_segment_exit(protocol);
	return err;
}

void sdp_target_unlisten(u8 protocol)
{
	inet6_del_protocol(&protocol_v6, protocol);
	inet_del_protocol(&protocol_v4, protocol);
	sdp_steer_exit();
	sdp_segment_exit(protocol);
}
