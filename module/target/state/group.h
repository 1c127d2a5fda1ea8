/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory control group of a socket. The kernel lets those who must not sleep charge it
 * beyond its limit, and lets the OOM killer make good for it; a transport's packets can be
 * refused, and are sent again.
 */
#ifndef SDP_TARGET_GROUP_H
#define SDP_TARGET_GROUP_H

#include <net/sock.h>

/**
 * sdp_group_room() - may a socket's group, and those above it, be charged?
 * @sk:    the socket.
 * @bytes: how much more.
 *
 * Context: any.
 */
bool sdp_group_room(const struct sock *sk, u32 bytes);

/**
 * sdp_group_reclaim() - make room in a socket's group, as by taking its page cache away.
 * @sk:    the socket.
 * @bytes: how much.
 *
 * Nobody is killed for it. Context: process, may sleep. Return: true if it may be charged
 * as much now, though others may be faster.
 */
bool sdp_group_reclaim(const struct sock *sk, u32 bytes);

/**
 * sdp_group_limit() - bytes that a socket's group, or one above it, may have; at most
 *	S64_MAX.
 * @sk: the socket.
 *
 * Context: any.
 */
u64 sdp_group_limit(const struct sock *sk);

/** sdp_group_pressed() - is reclaim hard for a socket's group? Context: any. */
static inline bool sdp_group_pressed(const struct sock *sk)
{
#ifdef CONFIG_MEMCG
	return mem_cgroup_sockets_enabled && sk->sk_memcg &&
	       mem_cgroup_under_socket_pressure(sk->sk_memcg);
#else
	return false;
#endif
}

#endif /* SDP_TARGET_GROUP_H */
