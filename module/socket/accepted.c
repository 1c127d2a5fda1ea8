// SPDX-License-Identifier: GPL-2.0-only
/*
 * Options of other levels that have an effect here. All others are refused, so that nobody
 * relies on what does not happen: sdp(7) lists them.
 */
#include <linux/in6.h>
#include <linux/ipv6.h>

#include "socket.h"

static bool of_socket(int name)
{
	switch (name) {
	case SO_DEBUG:
	case SO_REUSEADDR:
	case SO_DONTROUTE:
	case SO_LINGER:
	case SO_SNDBUF:
	case SO_SNDBUFFORCE:
	case SO_RCVBUF:
	case SO_RCVBUFFORCE:
	case SO_PRIORITY:
	case SO_MARK:
	case SO_RCVTIMEO_OLD:
	case SO_RCVTIMEO_NEW:
	case SO_SNDTIMEO_OLD:
	case SO_SNDTIMEO_NEW:
	case SO_TIMESTAMP_OLD:
	case SO_TIMESTAMP_NEW:
	case SO_TIMESTAMPNS_OLD:
	case SO_TIMESTAMPNS_NEW:
	case SO_BINDTODEVICE:
	case SO_BINDTOIFINDEX:
	case SO_ATTACH_FILTER:
	case SO_ATTACH_BPF:
	case SO_DETACH_FILTER:
	case SO_LOCK_FILTER:
	case SO_BUF_LOCK:
		return true;
	default:
		return false;
	}
}

static bool of_v4(int name)
{
	switch (name) {
	case IP_TOS:
	case IP_TTL:
	case IP_MTU_DISCOVER:
	case IP_PKTINFO:
	case IP_RECVTTL:
	case IP_RECVTOS:
	case IP_FREEBIND:
	case IP_TRANSPARENT:
	case IP_UNICAST_IF:
	case IP_IPSEC_POLICY:
	case IP_XFRM_POLICY:
		return true;
	default:
		return false;
	}
}

static bool of_v6(int name)
{
	switch (name) {
	case IPV6_V6ONLY:
	case IPV6_UNICAST_HOPS:
	case IPV6_TCLASS:
	case IPV6_MTU_DISCOVER:
	case IPV6_MTU:
	case IPV6_RECVPKTINFO:
	case IPV6_RECVHOPLIMIT:
	case IPV6_RECVTCLASS:
	case IPV6_FREEBIND:
	case IPV6_TRANSPARENT:
	case IPV6_UNICAST_IF:
	case IPV6_AUTOFLOWLABEL:
	case IPV6_FLOWINFO_SEND:
	case IPV6_FLOWLABEL_MGR:
	case IPV6_ADDR_PREFERENCES:
	case IPV6_IPSEC_POLICY:
	case IPV6_XFRM_POLICY:
		return true;
	default:
		return false;
	}
}

/* Turning off what is not there is no request. Of some, zero is a value as others. */
static bool turns_off(int name, sockptr_t val, unsigned int len)
{
	u64 value = 0;

	if (name == SO_INCOMING_CPU || name == SO_TXTIME || len < sizeof(int))
		return false;
	/* SO_MAX_PACING_RATE has a long one. */
	len = min_t(unsigned int, len, sizeof(value));
	return !copy_from_sockptr(&value, val, len) && !value;
}

/**
 * sdp_options_accepted() - does setting an option of another level do something?
 * @level: SOL_SOCKET, SOL_IP, SOL_IPV6, or another.
 * @name:  option.
 * @val:   its value.
 * @len:   bytes of it.
 *
 * Context: process. Return: true also for levels of which nothing is known here.
 */
bool sdp_options_accepted(int level, int name, sockptr_t val, unsigned int len)
{
	switch (level) {
	case SOL_SOCKET:
		return of_socket(name) || turns_off(name, val, len);
	case SOL_IP:
		return of_v4(name);
	case SOL_IPV6:
		return of_v6(name);
	default:
		return true;
	}
}
