// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control messages that tell how a message came, for who has asked for them by a socket
 * option: IP_PKTINFO and its relatives, time stamps.
 */
#include <net/compat.h>
#include <net/ipv6.h>

#include "socket.h"

static int put_int(struct msghdr *msg, int level, int type, int value)
{
	return put_cmsg(msg, level, type, sizeof(value), &value);
}

/* In the form that the option asked for; put_cmsg() knows programs of 32 bits. */
static int put_stamp(const struct sock *sk, struct msghdr *msg, ktime_t stamp)
{
	struct timespec64 time = ktime_to_timespec64(stamp ?: ktime_get_real());
	bool ns = sock_flag(sk, SOCK_RCVTSTAMPNS);
	struct __kernel_old_timeval val;

	if (sock_flag(sk, SOCK_TSTAMP_NEW)) {
		/* Both are two numbers of 64 bits. */
		struct __kernel_timespec spec = {
			.tv_sec = time.tv_sec,
			.tv_nsec = ns ? time.tv_nsec : time.tv_nsec / NSEC_PER_USEC,
		};

		return put_cmsg(msg, SOL_SOCKET, ns ? SO_TIMESTAMPNS_NEW : SO_TIMESTAMP_NEW,
				sizeof(spec), &spec);
	}
	if (ns) {
		struct __kernel_old_timespec spec = {
			.tv_sec = time.tv_sec,
			.tv_nsec = time.tv_nsec,
		};

		return put_cmsg(msg, SOL_SOCKET, SO_TIMESTAMPNS_OLD, sizeof(spec), &spec);
	}
	val.tv_sec = time.tv_sec;
	val.tv_usec = time.tv_nsec / NSEC_PER_USEC;
	return put_cmsg(msg, SOL_SOCKET, SO_TIMESTAMP_OLD, sizeof(val), &val);
}

static int put_v4(struct sock *sk, struct msghdr *msg, const struct sdp_arrival *how,
		  bool known)
{
	unsigned long flags = inet_cmsg_flags(inet_sk(sk));
	u8 tos = how->tos;
	int err = 0;

	if (flags & IP_CMSG_PKTINFO) {
		struct in_pktinfo info = {
			.ipi_ifindex = how->ifindex,
			.ipi_spec_dst.s_addr = how->local.s6_addr32[3],
			.ipi_addr.s_addr = how->local.s6_addr32[3],
		};

		err = put_cmsg(msg, SOL_IP, IP_PKTINFO, sizeof(info), &info);
	}
	if (!err && known && flags & IP_CMSG_TTL)
		err = put_int(msg, SOL_IP, IP_TTL, how->hops);
	if (!err && known && flags & IP_CMSG_TOS)
		err = put_cmsg(msg, SOL_IP, IP_TOS, sizeof(tos), &tos);
	return err;
}

static int put_v6(struct sock *sk, struct msghdr *msg, const struct sdp_arrival *how,
		  bool known)
{
	const struct ipv6_pinfo *np = inet6_sk(sk);
	bool v4 = ipv6_addr_v4mapped(&how->local);
	int err = 0;

	if (np->rxopt.bits.rxinfo) {
		struct in6_pktinfo info = {
			.ipi6_addr = how->local,
			.ipi6_ifindex = how->ifindex,
		};

		err = put_cmsg(msg, SOL_IPV6, IPV6_PKTINFO, sizeof(info), &info);
	}
	if (!err && known && !v4 && np->rxopt.bits.rxhlim)
		err = put_int(msg, SOL_IPV6, IPV6_HOPLIMIT, how->hops);
	if (!err && known && !v4 && np->rxopt.bits.rxtclass)
		err = put_int(msg, SOL_IPV6, IPV6_TCLASS, how->tos);
	return err;
}

static bool asked(const struct sock *sk)
{
	return sock_flag(sk, SOCK_RCVTSTAMP) || inet_cmsg_flags(inet_sk(sk)) ||
	       (sk->sk_family == AF_INET6 && inet6_sk(sk)->rxopt.all);
}

/**
 * sdp_ancillary_put() - tell how a message came, as far as the socket wants to know.
 * @s:   the socket.
 * @msg: with room for control messages, or none.
 * @got: the message, claimed; no failure.
 *
 * Context: process. Return: 0 (MSG_CTRUNC is set where there was no room), -EFAULT.
 */
int sdp_ancillary_put(struct sdp_sock *s, struct msghdr *msg,
		      const struct sdp_received *got)
{
	struct sock *sk = sdp_sock_sk(s);
	struct sdp_arrival how;
	bool known;
	int err = 0;

	if (likely(!asked(sk)))
		return 0;
	known = sdp_message_arrival(got, &how);
	if (sock_flag(sk, SOCK_RCVTSTAMP))
		err = put_stamp(sk, msg, how.stamp);
	/* What is a v4 message's goes to a v6 socket too, as everywhere. */
	if (!err && ipv6_addr_v4mapped(&how.local))
		err = put_v4(sk, msg, &how, known);
	if (!err && sk->sk_family == AF_INET6)
		err = put_v6(sk, msg, &how, known);
	return err;
}
