// SPDX-License-Identifier: GPL-2.0-only
/*
 * Socket options: receive region, server, policy, sessions; everything else is
 * for the kernel's IP code.
 */
#include <linux/module.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/l3mdev.h>

#include "../record/info.h"
#include "../record/set.h"
#include "../record/wire.h"
#include "../target/state/net.h"
#include "pool.h"
#include "socket.h"

static bool test_raw_keys;
module_param(test_raw_keys, bool, 0444);
MODULE_PARM_DESC(test_raw_keys,
		 "allow SDP_RAW_KEYS (test vectors and benchmarks only)");

/* Sizes of structures as first published. */
#define SESSION_ADD_LEAST SDP_SESSION_ADD_V1
#define SESSION_REF_LEAST 36
#define SESSION_INFO_LEAST SDP_SESSION_INFO_V1
static_assert(offsetof(struct sdp_session_add, context) == SESSION_ADD_LEAST);
static_assert(sizeof(struct sdp_session_ref) == SESSION_REF_LEAST);
static_assert(offsetof(struct sdp_session_info, wire) == SESSION_INFO_LEAST);

static int copy_int(int *to, sockptr_t from, unsigned int len)
{
	if (len < sizeof(*to))
		return -EINVAL;
	return copy_from_sockptr(to, from, sizeof(*to)) ? -EFAULT : 0;
}

static bool policy_allowed(const struct sock *sk, u32 policy)
{
	const struct sdp_settings *set = &sdp_net(sock_net(sk))->set;

	return policy == READ_ONCE(set->policy) ||
	       READ_ONCE(set->policy_allowed) & BIT(policy);
}

/* What came in the clear before is not delivered under a policy that forbids it. */
static void use_policy(struct sdp_sock *s, u8 policy)
{
	u8 before = s->ep.policy;

	/* Before there is a secure request to answer. */
	if (policy != SDP_POLICY_CLEAR)
		WRITE_ONCE(s->ep.marks, true);
	WRITE_ONCE(s->ep.policy, policy);
	if (policy == SDP_POLICY_SECURE && before != SDP_POLICY_SECURE)
		sdp_message_forget_clear(&s->ep);
}

static int set_policy(struct sdp_sock *s, sockptr_t val, unsigned int len)
{
	int policy, err;

	err = copy_int(&policy, val, len);
	if (err)
		return err;
	if (policy < SDP_POLICY_CLEAR || policy > SDP_POLICY_MIXED)
		return -EINVAL;
	if (!policy_allowed(sdp_sock_sk(s), policy))
		return -EPERM;
	use_policy(s, policy);
	return 0;
}

static int set_padding(struct sdp_sock *s, sockptr_t val, unsigned int len)
{
	int bytes, err;

	err = copy_int(&bytes, val, len);
	if (err)
		return err;
	if (bytes < 0 || bytes > SDP_PADDING_MAX)
		return -EINVAL;
	WRITE_ONCE(s->ep.padding, bytes);
	return 0;
}

static int set_server(struct sdp_sock *s, sockptr_t val, unsigned int len)
{
	int on, err;

	err = copy_int(&on, val, len);
	/* Requests come to a port. */
	if (!err && on)
		err = sdp_endpoint_autobind(&s->ep);
	if (!err)
		WRITE_ONCE(s->ep.server, !!on);
	return err;
}

static int set_region(struct sdp_sock *s, sockptr_t val, unsigned int len)
{
	struct homa_rcvbuf_args args;
	struct sdp_pool *pool;

	if (len != sizeof(args))
		return -EINVAL;
	if (copy_from_sockptr(&args, val, sizeof(args)))
		return -EFAULT;
	/* Messages in the first may be in use. */
	if (s->pool)
		return -EINVAL;
	pool = sdp_pool_new(args.start, args.length);
	if (IS_ERR(pool))
		return PTR_ERR(pool);
	/* Pairs with sdp_sock_pool(), which is called without the lock. */
	smp_store_release(&s->pool, pool);
	return 0;
}

static void owner_of(struct sdp_sock *s, struct sdp_session_owner *owner)
{
	struct sock *sk = sdp_sock_sk(s);
	struct net *net = sock_net(sk);

	owner->net = net;
	owner->token = &s->ep;
	owner->nonces = &s->nonces;
	owner->set = sdp_sock_set(s);
	owner->bound = l3mdev_master_ifindex_by_index(net, sk->sk_bound_dev_if);
	owner->port = READ_ONCE(s->ep.port);
	owner->rekey_s = &sdp_net(net)->set.rekey_s;
	owner->limits.user = READ_ONCE(sdp_net(net)->set.user_sessions);
	owner->limits.owner = READ_ONCE(sdp_net(&init_net)->set.user_sessions);
}

static int need_set(struct sdp_sock *s)
{
	struct sdp_session_set *set;

	if (s->set)
		return 0;
	set = sdp_session_set_new();
	if (!set)
		return -ENOMEM;
	/* Pairs with sdp_sock_set(), which is called without the lock. */
	smp_store_release(&s->set, set);
	return 0;
}

/* The policy that a socket has once it has a session. */
static int policy_with_session(const struct sdp_sock *s, u8 *policy)
{
	*policy = s->ep.policy;
	if (*policy == SDP_POLICY_CLEAR)
		*policy = SDP_POLICY_SECURE;
	return policy_allowed(&s->inet.sk, *policy) ? 0 : -EPERM;
}

static int add_session(struct sdp_sock *s, sockptr_t val, unsigned int len)
{
	struct sdp_session_owner owner;
	struct sdp_session_add add;
	u8 policy;
	int err;

	err = sdp_options_copy(&add, sizeof(add), SESSION_ADD_LEAST, val, len);
	if (!err)
		err = policy_with_session(s, &policy);
	if (!err && s->ep.shutdown)
		err = -ESHUTDOWN;
	if (!err)
		err = sdp_endpoint_autobind(&s->ep);
	if (!err)
		err = need_set(s);
	if (!err) {
		owner_of(s, &owner);
		err = sdp_session_add(&owner, &add, NULL);
	}
	if (!err) {
		s->sessions = true;
		use_policy(s, policy);
	}
	memzero_explicit(&add, sizeof(add));
	return err;
}

static int add_raw_keys(struct sdp_sock *s, sockptr_t val, unsigned int len)
{
	struct sdp_session_owner owner;
	struct sdp_raw_keys raw;
	u8 policy;
	int err;

	if (!test_raw_keys)
		return -EPERM;
	if (len != sizeof(raw))
		return -EINVAL;
	if (copy_from_sockptr(&raw, val, sizeof(raw)))
		return -EFAULT;
	/* The size that this structure begins with is that of @session. */
	err = raw.session.size == sizeof(raw.session) ? 0 : -EINVAL;
	if (!err)
		err = policy_with_session(s, &policy);
	if (!err && s->ep.shutdown)
		err = -ESHUTDOWN;
	if (!err)
		err = sdp_endpoint_autobind(&s->ep);
	if (!err)
		err = need_set(s);
	if (!err) {
		owner_of(s, &owner);
		err = sdp_session_add_raw(&owner, &raw);
	}
	if (!err) {
		s->sessions = true;
		use_policy(s, policy);
	}
	memzero_explicit(&raw, sizeof(raw));
	return err;
}

static int change_session(struct sdp_sock *s, int name, sockptr_t val,
			  unsigned int len)
{
	struct sdp_session_owner owner;
	struct sdp_session_ref ref;
	int err;

	err = sdp_options_copy(&ref, sizeof(ref), SESSION_REF_LEAST, val, len);
	if (err)
		return err;
	lock_sock(sdp_sock_sk(s));
	owner_of(s, &owner);
	release_sock(sdp_sock_sk(s));
	/* Removal waits for what others do: not under the lock. */
	if (name == SDP_SESSION_DEL)
		return sdp_session_del(&owner, &ref);
	return sdp_session_rekey(&owner, &ref);
}

static int set_ours(struct sdp_sock *s, int name, sockptr_t val,
		    unsigned int len)
{
	switch (name) {
	case SO_HOMA_RCVBUF:
		return set_region(s, val, len);
	case SO_HOMA_SERVER:
		return set_server(s, val, len);
	case SDP_POLICY:
		return set_policy(s, val, len);
	case SDP_PADDING:
		return set_padding(s, val, len);
	case SDP_SESSION_ADD:
		return add_session(s, val, len);
	case SDP_RAW_KEYS:
		return add_raw_keys(s, val, len);
	default:
		return -ENOPROTOOPT;
	}
}

static int set_locked(struct sdp_sock *s, int name, sockptr_t val,
		      unsigned int len)
{
	struct sock *sk = sdp_sock_sk(s);
	int err;

	if (name == SDP_SESSION_DEL || name == SDP_SESSION_REKEY)
		return change_session(s, name, val, len);
	lock_sock(sk);
	err = set_ours(s, name, val, len);
	release_sock(sk);
	return err;
}

static int set_of_socket(struct sock *sk, int name, sockptr_t val, unsigned int len)
{
	if (name == SO_BINDTODEVICE || name == SO_BINDTOIFINDEX)
		return sdp_address_device(sdp_sk(sk), name, val, len);
	return sock_setsockopt(sk->sk_socket, SOL_SOCKET, name, val, len);
}

static int set_of_ip(struct sock *sk, int level, int name, sockptr_t val,
		     unsigned int len)
{
	int err;

	if (sk->sk_family != AF_INET6)
		return ip_setsockopt(sk, level, name, val, len);
	err = ipv6_setsockopt(sk, level, name, val, len);
	if (!err && level == SOL_IPV6 && name == IPV6_V6ONLY)
		err = sdp_address_families(sdp_sk(sk));
	return err;
}

/**
 * sdp_options_set() - setsockopt(); process context.
 * @sk:    the socket.
 * @level: IPPROTO_HOMA, SOL_SOCKET, or a level of the IP code.
 * @name:  option.
 * @val:   its value.
 * @len:   bytes of it.
 *
 * Return: 0 or a negative errno as in sdp(7).
 */
int sdp_options_set(struct sock *sk, int level, int name, sockptr_t val,
		    unsigned int len)
{
	int err;

	if (level != IPPROTO_HOMA && !sdp_options_accepted(level, name, val, len))
		return sdp_error(sdp_sk(sk), -ENOPROTOOPT,
				 "setsockopt: an option without effect here");
	if (level == SOL_SOCKET)
		return set_of_socket(sk, name, val, len);
	if (level != IPPROTO_HOMA)
		return set_of_ip(sk, level, name, val, len);
	err = set_locked(sdp_sk(sk), name, val, len);
	return sdp_error(sdp_sk(sk), err, NULL);
}

/* Give a value as getsockopt() does: as much as there is room for. */
static int put_value(const void *from, int size, char __user *val,
		     int __user *len, int room)
{
	size = min(size, room);
	if (copy_to_user(val, from, size) || put_user(size, len))
		return -EFAULT;
	return 0;
}

static int get_region(struct sdp_sock *s, char __user *val, int __user *len,
		      int room)
{
	struct sdp_pool *pool = sdp_sock_pool(s);
	struct homa_rcvbuf_args args = {};

	if (room < (int)sizeof(args))
		return -EINVAL;
	if (pool) {
		args.start = pool->start;
		args.length = pool->length;
	}
	return put_value(&args, sizeof(args), val, len, room);
}

static int get_nonce(struct sdp_sock *s, char __user *val, int __user *len,
		     int room)
{
	u8 nonce[SDP_NONCE_LEN];
	int err;

	if (room < SDP_NONCE_LEN)
		return -EINVAL;
	err = sdp_nonces_get(&s->nonces, nonce);
	return err ?: put_value(nonce, sizeof(nonce), val, len, room);
}

static int get_session(struct sdp_sock *s, char __user *val, int __user *len,
		       int room)
{
	struct sdp_session_owner owner;
	struct sdp_session_info info;
	u32 size;
	int err;

	err = sdp_options_copy(&info, sizeof(info), SESSION_INFO_LEAST,
			       USER_SOCKPTR(val), room);
	if (err)
		return err;
	size = info.size;
	lock_sock(sdp_sock_sk(s));
	owner_of(s, &owner);
	release_sock(sdp_sock_sk(s));
	err = sdp_session_info(&owner, &info);
	if (err)
		return err;
	info.size = size;
	return put_value(&info, size, val, len, room);
}

static int get_int(int value, char __user *val, int __user *len, int room)
{
	if (room < (int)sizeof(value))
		return -EINVAL;
	return put_value(&value, sizeof(value), val, len, room);
}

static int get_version(char __user *val, int __user *len, int room)
{
	const struct sdp_version version = {
		.size = sizeof(version),
		.uapi = SDP_UAPI_VERSION,
		.wire = SDP_WIRE_VERSION,
	};

	/* Who knows less of it gets that much. */
	if (room < (int)sizeof(version.size))
		return -EINVAL;
	return put_value(&version, sizeof(version), val, len, room);
}

static int get_ours(struct sdp_sock *s, int name, char __user *val,
		    int __user *len, int room)
{
	switch (name) {
	case SO_HOMA_RCVBUF:
		return get_region(s, val, len, room);
	case SO_HOMA_SERVER:
		return get_int(READ_ONCE(s->ep.server), val, len, room);
	case SDP_POLICY:
		return get_int(READ_ONCE(s->ep.policy), val, len, room);
	case SDP_PADDING:
		return get_int(READ_ONCE(s->ep.padding), val, len, room);
	case SDP_VERSION:
		return get_version(val, len, room);
	case SDP_NONCE:
		return get_nonce(s, val, len, room);
	case SDP_SESSION_INFO:
		return get_session(s, val, len, room);
	default:
		return -ENOPROTOOPT;
	}
}

/**
 * sdp_options_get() - getsockopt(); process context.
 * @sk:    the socket.
 * @level: IPPROTO_HOMA, or a level of the IP code.
 * @name:  option.
 * @val:   where to; SDP_SESSION_INFO also reads it.
 * @len:   bytes there; the bytes written are written back.
 *
 * Return: 0 or a negative errno as in sdp(7).
 */
int sdp_options_get(struct sock *sk, int level, int name, char __user *val,
		    int __user *len)
{
	int room, err;

	if (level != IPPROTO_HOMA)
		return sk->sk_family == AF_INET6 ?
		       ipv6_getsockopt(sk, level, name, val, len) :
		       ip_getsockopt(sk, level, name, val, len);
	if (get_user(room, len))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	err = get_ours(sdp_sk(sk), name, val, len, room);
	return sdp_error(sdp_sk(sk), err, NULL);
}
