// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control messages that a send gives: which RPC it is of, and how its packets are to
 * leave, as other datagram sockets have it. What has no effect here is refused, for it
 * would be lost silently.
 */
#include <net/compat.h>
#include <net/ipv6.h>

#include "../target/state/route.h"
#include "socket.h"

/*
 * Bytes of struct sdp_rpc_cmsg that a send has to give: a response needs no
 * more, and then fits where the kernel keeps short control messages without
 * allocating memory.
 */
#define RPC_CMSG_LEAST offsetofend(struct sdp_rpc_cmsg, id)
static_assert(RPC_CMSG_LEAST == SDP_RPC_CMSG_SHORT);
static_assert(sizeof(struct sdp_rpc_cmsg) == 32);

/*
 * A private response can only be asked for by id, which recvmsg() with a
 * receive region can and the plain one cannot.
 */
static int check_rpc(struct sdp_sock *s, const struct sdp_rpc_cmsg *rpc)
{
	u32 known = SDP_MSG_CLEAR;

	if (s->pool)
		known |= SDP_RPC_PRIVATE;
	if (rpc->flags & ~known || rpc->error || rpc->session)
		return -EINVAL;
	return rpc->id && rpc->cookie ? -EINVAL : 0;
}

static int take_rpc(struct sdp_sock *s, const struct cmsghdr *cmsg,
		    struct sdp_send *send)
{
	struct sdp_rpc_cmsg rpc;
	int err;

	if (cmsg->cmsg_type != SDP_CMSG_RPC)
		return -EINVAL;
	err = sdp_options_copy(&rpc, sizeof(rpc), RPC_CMSG_LEAST,
			       KERNEL_SOCKPTR(CMSG_DATA(cmsg)),
			       cmsg->cmsg_len - sizeof(*cmsg));
	if (!err)
		err = check_rpc(s, &rpc);
	if (err)
		return err;
	send->id = rpc.id;
	send->cookie = rpc.cookie;
	send->private = rpc.flags & SDP_RPC_PRIVATE;
	send->clear = rpc.flags & SDP_MSG_CLEAR;
	return 0;
}

static bool holds(const struct cmsghdr *cmsg, size_t bytes)
{
	return cmsg->cmsg_len == CMSG_LEN(bytes);
}

static int take_socket(const struct sock *sk, const struct cmsghdr *cmsg,
		       struct sdp_send *send)
{
	struct user_namespace *ns = sock_net(sk)->user_ns;

	if (cmsg->cmsg_type != SO_MARK || !holds(cmsg, sizeof(u32)))
		return -EINVAL;
	if (!ns_capable(ns, CAP_NET_RAW) &&
	    !ns_capable(ns, CAP_NET_ADMIN))
		return -EPERM;
	send->marked = true;
	send->mark = *(const u32 *)CMSG_DATA(cmsg);
	return 0;
}

static int take_hops(const struct cmsghdr *cmsg, struct sdp_send *send)
{
	int hops;

	if (!holds(cmsg, sizeof(hops)))
		return -EINVAL;
	hops = *(const int *)CMSG_DATA(cmsg);
	if (hops < 1 || hops > 255)
		return -EINVAL;
	send->marking.hops = hops;
	return 0;
}

static int take_class(const struct cmsghdr *cmsg, struct sdp_send *send)
{
	int class;

	if (holds(cmsg, sizeof(u8)))
		class = *(const u8 *)CMSG_DATA(cmsg);
	else if (holds(cmsg, sizeof(class)))
		class = *(const int *)CMSG_DATA(cmsg);
	else
		return -EINVAL;
	if (class < 0 || class > 255)
		return -EINVAL;
	send->marking.tos = class | SDP_TOS_GIVEN;
	return 0;
}

/* To an IPv4 address, from a socket of either family. */
static int take_v4(const struct cmsghdr *cmsg, struct sdp_send *send)
{
	const struct in_pktinfo *info = CMSG_DATA(cmsg);

	switch (cmsg->cmsg_type) {
	case IP_PKTINFO:
		if (!holds(cmsg, sizeof(*info)) || info->ipi_ifindex < 0)
			return -EINVAL;
		send->ifindex = info->ipi_ifindex;
		ipv6_addr_set_v4mapped(info->ipi_spec_dst.s_addr, &send->source);
		return 0;
	case IP_TTL:
		return take_hops(cmsg, send);
	case IP_TOS:
		return take_class(cmsg, send);
	default:
		return -EINVAL;
	}
}

/* From an IPv6 socket; to an IPv4 address only IPV6_PKTINFO is, and as v4-mapped. */
static int take_v6(const struct cmsghdr *cmsg, struct sdp_send *send)
{
	const struct in6_pktinfo *info = CMSG_DATA(cmsg);
	bool v4 = ipv6_addr_v4mapped(&send->to.addr), unset;

	if (cmsg->cmsg_type == IPV6_PKTINFO) {
		if (!holds(cmsg, sizeof(*info)) || (int)info->ipi6_ifindex < 0 ||
		    (v4 && !sdp_route_any(&info->ipi6_addr) &&
		     !ipv6_addr_v4mapped(&info->ipi6_addr)))
			return -EINVAL;
		send->ifindex = info->ipi6_ifindex;
		send->source = info->ipi6_addr;
		return 0;
	}
	if (v4 || !holds(cmsg, sizeof(int)))
		return -EINVAL;
	/* As the socket has it. */
	unset = *(const int *)CMSG_DATA(cmsg) == -1;
	switch (cmsg->cmsg_type) {
	case IPV6_HOPLIMIT:
		return unset ? 0 : take_hops(cmsg, send);
	case IPV6_TCLASS:
		return unset ? 0 : take_class(cmsg, send);
	default:
		return -EINVAL;
	}
}

static int take_one(struct sdp_sock *s, const struct cmsghdr *cmsg,
		    struct sdp_send *send)
{
	const struct sock *sk = sdp_sock_sk(s);

	switch (cmsg->cmsg_level) {
	case IPPROTO_HOMA:
		return take_rpc(s, cmsg, send);
	case SOL_SOCKET:
		return take_socket(sk, cmsg, send);
	case SOL_IP:
		return ipv6_addr_v4mapped(&send->to.addr) ? take_v4(cmsg, send) : -EINVAL;
	case SOL_IPV6:
		return sk->sk_family == AF_INET6 ? take_v6(cmsg, send) : -EINVAL;
	default:
		return -EINVAL;
	}
}

/**
 * sdp_control_parse() - take the control messages of a send.
 * @s:    the socket.
 * @msg:  its control messages are in kernel memory.
 * @send: its @to is known; the rest is written as they say.
 *
 * Context: process. Return: 0, -EINVAL: one that is unknown, malformed, there twice, or
 * of the other family; -E2BIG: a newer struct sdp_rpc_cmsg; -EPERM: SO_MARK.
 */
int sdp_control_parse(struct sdp_sock *s, struct msghdr *msg, struct sdp_send *send)
{
	struct cmsghdr *cmsg;
	bool rpc = false;
	int err;

	for_each_cmsghdr(cmsg, msg) {
		if (!CMSG_OK(msg, cmsg))
			return -EINVAL;
		if (cmsg->cmsg_level == IPPROTO_HOMA && rpc)
			return -EINVAL;
		rpc |= cmsg->cmsg_level == IPPROTO_HOMA;
		err = take_one(s, cmsg, send);
		if (err)
			return err;
	}
	return 0;
}
