// SPDX-License-Identifier: GPL-2.0-only
/*
 * BPF programs of control groups that look at addresses, where UDP has them run:
 * sendmsg4 and sendmsg6, recvmsg4 and recvmsg6, getpeername and getsockname. Those of
 * bind() and connect() are in address.c.
 */
#include <linux/bpf-cgroup.h>
#include <net/ipv6.h>

#include "socket.h"

/* Of a v4 address, also on a v6 socket, as UDP does. */
static int send_v4(struct sdp_sock *s, struct sdp_send *send)
{
	struct sdp_address *to = &send->to;
	struct sockaddr_in in4 = {
		.sin_family = AF_INET,
		.sin_port = htons(to->port),
		.sin_addr.s_addr = to->addr.s6_addr32[3],
	};
	int err, len = sizeof(in4);
	__be32 source = send->source.s6_addr32[3];

	err = BPF_CGROUP_RUN_PROG_UDP4_SENDMSG_LOCK(sdp_sock_sk(s), (struct sockaddr *)&in4,
						    &len, &source);
	if (err)
		return err;
	if (!in4.sin_port)
		return -EINVAL;
	to->port = ntohs(in4.sin_port);
	ipv6_addr_set_v4mapped(in4.sin_addr.s_addr, &to->addr);
	ipv6_addr_set_v4mapped(source, &send->source);
	return 0;
}

static int send_v6(struct sdp_sock *s, struct sdp_send *send)
{
	struct sdp_address *to = &send->to;
	struct sockaddr_in6 in6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(to->port),
		.sin6_addr = to->addr,
		.sin6_flowinfo = to->label,
		.sin6_scope_id = to->ifindex,
	};
	int err, len = sizeof(in6);

	err = BPF_CGROUP_RUN_PROG_UDP6_SENDMSG_LOCK(sdp_sock_sk(s), (struct sockaddr *)&in6,
						    &len, &send->source);
	if (err)
		return err;
	/* UDP cannot be turned from one family to the other either. */
	if (ipv6_addr_v4mapped(&in6.sin6_addr))
		return -EOPNOTSUPP;
	if (memcmp(&in6.sin6_addr, &to->addr, sizeof(to->addr)) ||
	    in6.sin6_port != htons(to->port)) {
		err = sdp_address_parse(sdp_sock_sk(s), &in6, sizeof(in6), to);
		if (err)
			return err;
	}
	return 0;
}

int sdp_cgroup_send(struct sdp_sock *s, struct sdp_send *send)
{
	if (ipv6_addr_v4mapped(&send->to.addr))
		return cgroup_bpf_enabled(CGROUP_UDP4_SENDMSG) ? send_v4(s, send) : 0;
	return cgroup_bpf_enabled(CGROUP_UDP6_SENDMSG) ? send_v6(s, send) : 0;
}

void sdp_cgroup_received(struct sdp_sock *s, void *name, int *len)
{
	struct sock *sk = sdp_sock_sk(s);

	/* They can only change it, and only what is told. */
	if (sk->sk_family == AF_INET)
		BPF_CGROUP_RUN_PROG_UDP4_RECVMSG_LOCK(sk, name, len);
	else
		BPF_CGROUP_RUN_PROG_UDP6_RECVMSG_LOCK(sk, name, len);
}

void sdp_cgroup_name(struct sdp_sock *s, void *name, int *len, bool peer)
{
	struct sock *sk = sdp_sock_sk(s);

	lock_sock(sk);
	if (sk->sk_family == AF_INET) {
		if (peer)
			BPF_CGROUP_RUN_SA_PROG(sk, name, len, CGROUP_INET4_GETPEERNAME);
		else
			BPF_CGROUP_RUN_SA_PROG(sk, name, len, CGROUP_INET4_GETSOCKNAME);
	} else {
		if (peer)
			BPF_CGROUP_RUN_SA_PROG(sk, name, len, CGROUP_INET6_GETPEERNAME);
		else
			BPF_CGROUP_RUN_SA_PROG(sk, name, len, CGROUP_INET6_GETSOCKNAME);
	}
	release_sock(sk);
}
