// SPDX-License-Identifier: GPL-2.0-only
/*
 * Routes. Sockets that nothing distinguishes, by what is in a peer's key, share
 * the route that the peer keeps; it is looked up again when the kernel says that
 * it is obsolete.
 */
#include <net/inet_dscp.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/lwtunnel.h>
#include <net/route.h>

#include "route.h"

/* Has the socket an IPsec policy of its own for what it sends? */
static bool own_policy(const struct sock *sk)
{
#ifdef CONFIG_XFRM
	return rcu_access_pointer(sk->sk_policy[XFRM_POLICY_OUT]);
#else
	return false;
#endif
}

/* IP_UNICAST_IF or IPV6_UNICAST_IF; 0: the route chooses. */
static int unicast_device(const struct sock *sk, bool v4)
{
	return v4 ? READ_ONCE(inet_sk(sk)->uc_index) :
		    READ_ONCE(inet6_sk(sk)->ucast_oif);
}

void sdp_peer_key_init(struct sdp_peer_key *key, const struct sock *sk,
		       const struct in6_addr *daddr,
		       const struct in6_addr *saddr, int oif)
{
	const struct ipv6_pinfo *np = inet6_sk(sk);
	bool v4 = ipv6_addr_v4mapped(daddr);
	struct flowi_common flow = {};

	memset(key, 0, sizeof(*key));
	security_sk_classify_flow(sk, &flow);
	key->sn = sdp_net(sock_net(sk));
	key->daddr = *daddr;
	key->saddr = *saddr;
	key->oif = oif ?: unicast_device(sk, v4);
	key->mark = READ_ONCE(sk->sk_mark);
	key->uid = __kuid_val(sk->sk_uid);
	key->secid = flow.flowic_secid;
	key->flow = inet_sk_flowi_flags(sk);
	key->scope = ip_sock_rt_scope(sk);
	if (v4) {
		key->tos = ip_sock_rt_tos(sk);
	} else if (np) {
		key->tos = READ_ONCE(np->tclass) & INET_DSCP_MASK;
		key->prefs = READ_ONCE(np->srcprefs);
	}
}

/* A route from @from; where that is the any-address, the one chosen is written. */
static struct dst_entry *route_v4(const struct sdp_peer_key *key,
				  const struct sock *sk, struct in6_addr *from)
{
	struct flowi4 fl4;
	struct rtable *rt;

	flowi4_init_output(&fl4, key->oif, key->mark, key->tos, key->scope,
			   sk->sk_protocol, key->flow, key->daddr.s6_addr32[3],
			   from->s6_addr32[3], 0, 0, KUIDT_INIT(key->uid));
	fl4.flowi4_secid = key->secid;
	rt = ip_route_output_flow(key->sn->net, &fl4, sk);
	if (IS_ERR(rt))
		return ERR_CAST(rt);
	if (rt->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST)) {
		ip_rt_put(rt);
		return ERR_PTR(-EACCES);
	}
	ipv6_addr_set_v4mapped(fl4.saddr, from);
	return &rt->dst;
}

static struct dst_entry *route_v6(const struct sdp_peer_key *key,
				  const struct sock *sk, struct in6_addr *from)
{
	struct flowi6 fl6 = {
		.flowi6_oif = key->oif,
		.flowi6_mark = key->mark,
		.flowi6_proto = sk->sk_protocol,
		.flowi6_flags = key->flow,
		.flowi6_secid = key->secid,
		.flowi6_uid = KUIDT_INIT(key->uid),
		.flowlabel = ip6_make_flowinfo(key->tos, 0),
		.daddr = key->daddr,
		.saddr = *from,
	};
	struct dst_entry *dst;

	dst = ip6_dst_lookup_flow(key->sn->net, sk, &fl6, NULL);
	if (!IS_ERR(dst) && key->scope == RT_SCOPE_LINK &&
	    dst_rt6_info(dst)->rt6i_flags & RTF_GATEWAY) {
		dst_release(dst);
		return ERR_PTR(-ENETUNREACH);
	}
	*from = fl6.saddr;
	return dst;
}

static bool is_v4(const struct sdp_peer_key *key)
{
	return ipv6_addr_v4mapped(&key->daddr);
}

static struct dst_entry *find_route(const struct sdp_peer_key *key,
				    const struct sock *sk,
				    struct in6_addr *from)
{
	return is_v4(key) ? route_v4(key, sk, from) : route_v6(key, sk, from);
}

struct sdp_peer *sdp_route_peer(const struct sdp_peer_key *key,
				const struct sock *sk, gfp_t gfp, bool stranger)
{
	struct sdp_peer *peer = sdp_peer_find(key, stranger);
	struct in6_addr local = key->saddr;
	struct dst_entry *dst;

	if (likely(peer))
		return peer;
	if (sdp_route_any(&key->saddr)) {
		dst = find_route(key, sk, &local);
		if (IS_ERR(dst))
			return ERR_CAST(dst);
		dst_release(dst);
		/* A device without any: nobody could answer. */
		if (sdp_route_any(&local))
			return ERR_PTR(-EADDRNOTAVAIL);
	}
	return sdp_peer_add(key, &local, gfp, stranger);
}

static u32 cookie_of(const struct sdp_peer *peer, const struct dst_entry *dst)
{
	return peer->v4 ? 0 : rt6_get_cookie(dst_rt6_info(dst));
}

/*
 * A route from the peer's address. Where another address is preferred by now, the
 * peer retires: its RPCs keep theirs.
 */
static struct dst_entry *route_from_local(struct sdp_peer *peer,
					  const struct sock *sk)
{
	struct in6_addr from = peer->local;
	struct dst_entry *dst;

	lockdep_assert_held(&peer->lock);
	if (sdp_route_any(&peer->key.saddr) && !peer->key.retired)
		from = peer->key.saddr;
	dst = find_route(&peer->key, sk, &from);
	if (IS_ERR(dst) || ipv6_addr_equal(&from, &peer->local))
		return dst;
	sdp_peer_retire(peer);
	dst_release(dst);
	from = peer->local;
	return find_route(&peer->key, sk, &from);
}

static int route_again(struct sdp_peer *peer, const struct sock *sk,
		       struct sdp_route *route)
{
	struct dst_entry *dst, *old = NULL;
	bool own;

	spin_lock_bh(&peer->lock);
	own = own_policy(sk);
	dst = route_from_local(peer, sk);
	/* Looked at before and after: a policy may have gone, or come, meanwhile. */
	route->held = own || own_policy(sk);
	if (!route->held) {
		if (!IS_ERR(dst))
			WRITE_ONCE(peer->cookie, cookie_of(peer, dst));
		old = rcu_replace_pointer(peer->dst, IS_ERR(dst) ? NULL : dst,
					  lockdep_is_held(&peer->lock));
	}
	spin_unlock_bh(&peer->lock);
	dst_release(old);
	route->dst = dst;
	return PTR_ERR_OR_ZERO(dst);
}

int sdp_peer_route(struct sdp_peer *peer, const struct sock *sk,
		   struct sdp_route *route)
{
	struct dst_entry *dst = rcu_dereference(peer->dst);

	if (unlikely(!dst || own_policy(sk) ||
		     (READ_ONCE(dst->obsolete) &&
		      !dst->ops->check(dst, READ_ONCE(peer->cookie)))))
		return route_again(peer, sk, route);
	route->dst = dst;
	route->held = false;
	return 0;
}

static bool mtu_expired(u64 word)
{
	return (s32)((u32)jiffies - (u32)word) >= 0;
}

void sdp_peer_lower_mtu(struct sdp_peer *peer, bool secure, u32 mtu)
{
	const struct dst_entry *dst = rcu_dereference(peer->dst);
	struct sdp_peer_mtu *own = &peer->mtu[secure];
	struct sdp_net *sn = peer->key.sn;
	u64 word = READ_ONCE(own->word);
	u32 old = word >> 32;
	int expires;

	if (!peer->v4 && mtu < IPV6_MIN_MTU)
		return;
	if (dst && mtu >= dst_mtu(dst))
		return;
	/* Zero means that there is none. */
	mtu = max(mtu, 1U);
	if (old && old < mtu && !mtu_expired(word))
		return;
	expires = peer->v4 ? READ_ONCE(sn->net->ipv4.ip_rt_mtu_expires) :
			     READ_ONCE(sn->net->ipv6.sysctl.ip6_rt_mtu_expires);
	WRITE_ONCE(own->word, (u64)mtu << 32 | (u32)(jiffies + expires));
	if (old != mtu)
		sdp_count(sn->counts, SDP_CTR_mtu_lowered);
}

/* 0: none. */
static u32 current_mtu(struct sdp_peer_mtu *own)
{
	u64 word = READ_ONCE(own->word);

	if (likely(!word))
		return 0;
	if (!mtu_expired(word))
		return word >> 32;
	/* At once: jiffies come around to where this would count again. */
	cmpxchg(&own->word, word, 0);
	return 0;
}

/* Where the socket wants no path MTU: as ip_skb_dst_mtu() has it then. */
static u32 device_mtu(const struct dst_entry *dst)
{
	u32 mtu = READ_ONCE(dst->dev->mtu);

	return mtu - lwtunnel_headroom(dst->lwtstate, mtu);
}

static u32 mtu_v4(struct sdp_peer_mtu *learned, const struct sock *sk,
		  const struct dst_entry *dst, bool *split)
{
	u32 mtu = dst_mtu(dst), own, least;

	if (unlikely(!ip_sk_use_pmtu(sk)))
		return device_mtu(dst);
	own = current_mtu(learned);
	if (likely(!own) || own >= mtu || ip_mtu_locked(dst))
		return mtu;
	/* As the kernel's: who says less gets fragments. */
	least = READ_ONCE(sock_net(sk)->ipv4.ip_rt_min_pmtu);
	*split = own < least;
	return min(mtu, max(own, least));
}

static u32 mtu_v6(struct sdp_peer_mtu *learned, const struct sock *sk,
		  const struct dst_entry *dst)
{
	const struct ipv6_pinfo *np = inet6_sk(sk);
	u32 mtu = dst_mtu(dst), own = current_mtu(learned);
	u32 most = READ_ONCE(np->frag_size);

	if (unlikely(READ_ONCE(np->pmtudisc) >= IPV6_PMTUDISC_PROBE))
		mtu = device_mtu(dst);
	else if (unlikely(own) && own < mtu && !dst_metric_locked(dst, RTAX_MTU))
		mtu = own;
	return most && most < mtu ? most : mtu;
}

u32 sdp_peer_mtu(struct sdp_peer *peer, bool secure, const struct sock *sk,
		 const struct dst_entry *dst, bool *split)
{
	struct sdp_peer_mtu *learned = &peer->mtu[secure];

	*split = false;
	return peer->v4 ? mtu_v4(learned, sk, dst, split) :
			  mtu_v6(learned, sk, dst);
}

bool sdp_route_whole(const struct sock *sk, const struct dst_entry *dst)
{
	return READ_ONCE(inet_sk(sk)->pmtudisc) == IP_PMTUDISC_PROBE ||
	       ip_dont_fragment(sk, dst);
}
