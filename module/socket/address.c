// SPDX-License-Identifier: GPL-2.0-only
/*
 * Addresses that sockets take: bind, connect, getsockname, destinations. As
 * other datagram sockets do, but that ports follow Homa's rules and that a
 * connected socket keeps its peer in a field of ours.
 */
#include <linux/bpf-cgroup.h>
#include <net/addrconf.h>
#include <net/inet_common.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/l3mdev.h>
#include <net/route.h>
#include <net/transp_v6.h>

#include "../target/state/route.h"
#include "socket.h"

int sdp_address_port_rule(u16 port)
{
	if (!port)
		return 0;
	return port < HOMA_MIN_DEFAULT_PORT ? 1 : -EINVAL;
}

static int parse_v4(__be32 addr, struct in6_addr *to)
{
	if (ipv4_is_multicast(addr) || ipv4_is_lbcast(addr))
		return -ENETUNREACH;
	/* As for UDP: the any-address is this host. */
	if (!addr)
		addr = htonl(INADDR_LOOPBACK);
	ipv6_addr_set_v4mapped(addr, to);
	return 0;
}

/* The interface of a link-local address; 0 for others. */
static int parse_scope(const struct sock *sk, const struct sockaddr_in6 *in6)
{
	int type = ipv6_addr_type(&in6->sin6_addr);
	int bound = READ_ONCE(sk->sk_bound_dev_if);
	int scope = in6->sin6_scope_id ?: bound;

	if (!__ipv6_addr_needs_scope_id(type))
		return 0;
	if (scope <= 0 || (bound && bound != scope))
		return -EINVAL;
	return scope;
}

/* IPV6_FLOWINFO_SEND: the label is the caller's, if nobody else has it. */
static int parse_label(const struct sock *sk, const struct sockaddr_in6 *in6,
		       __be32 *label)
{
	struct ip6_flowlabel *lease;

	if (likely(!inet6_test_bit(SNDFLOW, sk)))
		return 0;
	*label = in6->sin6_flowinfo & IPV6_FLOWLABEL_MASK;
	if (!*label)
		return 0;
	lease = fl6_sock_lookup((struct sock *)sk, *label);
	if (IS_ERR(lease))
		return PTR_ERR(lease);
	fl6_sock_release(lease);
	return 0;
}

static int parse_v6(const struct sock *sk, const struct sockaddr_in6 *in6,
		    struct sdp_address *to)
{
	const struct in6_addr *addr = &in6->sin6_addr;

	if (ipv6_addr_v4mapped(addr)) {
		if (ipv6_only_sock(sk))
			return -ENETUNREACH;
		return parse_v4(addr->s6_addr32[3], &to->addr);
	}
	if (ipv6_addr_is_multicast(addr))
		return -ENETUNREACH;
	to->ifindex = parse_scope(sk, in6);
	if (to->ifindex < 0)
		return to->ifindex;
	if (parse_label(sk, in6, &to->label))
		return -EINVAL;
	to->addr = *addr;
	if (!ipv6_addr_any(addr))
		return 0;
	if (ipv6_addr_v4mapped(&sk->sk_v6_rcv_saddr))
		return parse_v4(htonl(INADDR_LOOPBACK), &to->addr);
	to->addr = in6addr_loopback;
	return 0;
}

/* Is it of the socket's family, and whole? cgroup programs look at all of it. */
static int check_form(const struct sock *sk, const struct sockaddr *name, int len)
{
	int need = sk->sk_family == AF_INET ? sizeof(struct sockaddr_in) :
					      sizeof(struct sockaddr_in6);

	if (len < (int)sizeof(name->sa_family))
		return -EINVAL;
	if (name->sa_family != sk->sk_family)
		return -EAFNOSUPPORT;
	return len < need ? -EINVAL : 0;
}

int sdp_address_parse(const struct sock *sk, const void *name, int len,
		      struct sdp_address *to)
{
	const struct sockaddr_in6 *in6 = name;
	const struct sockaddr_in *in4 = name;
	int err = check_form(sk, name, len);

	if (err)
		return err;
	to->ifindex = 0;
	to->label = 0;
	if (sk->sk_family == AF_INET) {
		if (!in4->sin_port)
			return -EINVAL;
		to->port = ntohs(in4->sin_port);
		return parse_v4(in4->sin_addr.s_addr, &to->addr);
	}
	if (!in6->sin6_port)
		return -EINVAL;
	to->port = ntohs(in6->sin6_port);
	return parse_v6(sk, in6, to);
}

int sdp_address_fill(const struct sock *sk, const struct sdp_address *from,
		     void *name)
{
	struct sockaddr_in6 *in6 = name;
	struct sockaddr_in *in4 = name;

	if (sk->sk_family == AF_INET) {
		memset(in4, 0, sizeof(*in4));
		in4->sin_family = AF_INET;
		in4->sin_port = htons(from->port);
		in4->sin_addr.s_addr = from->addr.s6_addr32[3];
		return sizeof(*in4);
	}
	memset(in6, 0, sizeof(*in6));
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(from->port);
	in6->sin6_addr = from->addr;
	in6->sin6_scope_id = ipv6_iface_scope_id(&from->addr, from->ifindex);
	return sizeof(*in6);
}

bool sdp_address_peer(struct sdp_sock *s, struct sdp_address *to)
{
	bool connected;

	spin_lock(&s->peer_lock);
	connected = s->connected;
	if (connected)
		*to = s->peer;
	spin_unlock(&s->peer_lock);
	return connected;
}

int sdp_address_destination(struct sdp_sock *s, const struct msghdr *msg,
			    struct sdp_address *to)
{
	const struct sock *sk = sdp_sock_sk(s);
	int bound = READ_ONCE(sk->sk_bound_dev_if);

	if (msg->msg_name)
		return sdp_address_parse(sk, msg->msg_name, msg->msg_namelen, to);
	if (!sdp_address_peer(s, to))
		return -EDESTADDRREQ;
	/* IPV6_V6ONLY may have come after connect(). */
	if (sk->sk_family == AF_INET6 && ipv6_only_sock(sk) && ipv6_addr_v4mapped(&to->addr))
		return -ENETUNREACH;
	/* So may a device, by which a link-local address is another host's. */
	if (to->ifindex && bound && bound != to->ifindex)
		return -EINVAL;
	return 0;
}

void sdp_address_source(struct sdp_sock *s, struct msghdr *msg,
			const struct sdp_address *from)
{
	if (!msg->msg_name)
		return;
	msg->msg_namelen = sdp_address_fill(sdp_sock_sk(s), from, msg->msg_name);
	sdp_cgroup_received(s, msg->msg_name, &msg->msg_namelen);
}

static void set_peer(struct sdp_sock *s, const struct sdp_address *to)
{
	spin_lock(&s->peer_lock);
	s->connected = to;
	if (to)
		s->peer = *to;
	spin_unlock(&s->peer_lock);
}

/*
 * What bind() sets. The fields are those of other INET sockets, for routing,
 * filters and cgroup programs.
 */
struct binding {
	__be32 v4;
	struct in6_addr v6;
	int bound;
	u16 port;
	bool v6_only;
};

static void set_binding(struct sock *sk, const struct binding *to)
{
	struct inet_sock *inet = inet_sk(sk);

	inet->inet_num = to->port;
	inet->inet_sport = htons(to->port);
	inet->inet_rcv_saddr = to->v4;
	inet->inet_saddr = to->v4;
	WRITE_ONCE(sk->sk_bound_dev_if, to->bound);
	if (sk->sk_family != AF_INET6)
		return;
	sk->sk_v6_rcv_saddr = to->v6;
	inet6_sk(sk)->saddr = to->v6;
	sk->sk_ipv6only = to->v6_only;
}

static void get_binding(const struct sock *sk, struct binding *is)
{
	is->v4 = inet_sk(sk)->inet_rcv_saddr;
	is->v6 = sk->sk_v6_rcv_saddr;
	is->bound = sk->sk_bound_dev_if;
	is->port = inet_sk(sk)->inet_num;
	is->v6_only = sk->sk_ipv6only;
}

/*
 * The socket is to be what packets find it by; where there is no port, what it @was. A task
 * that sends may be taking a port meanwhile, by the socket's fields, under the lock.
 */
static void restore_binding(struct sdp_sock *s, struct binding *was)
{
	const struct sdp_binding *now;

	spin_lock_bh(&s->ep.lock);
	now = s->ep.binding;
	if (now) {
		was->v4 = sdp_bound_v4(&now->to.addr);
		was->v6 = now->to.addr;
		was->bound = now->to.device;
		was->v6_only = now->to.v6_only;
	}
	set_binding(sdp_sock_sk(s), was);
	spin_unlock_bh(&s->ep.lock);
}

/* A program may have bound it to an address, and by that to a device. */
static int follow_program(struct sdp_sock *s)
{
	const struct sock *sk = sdp_sock_sk(s);

	/* An IPv6 socket by the call for IPv4: half of its addresses. */
	if (sk->sk_family == AF_INET6 &&
	    inet_sk(sk)->inet_rcv_saddr != sdp_bound_v4(&sk->sk_v6_rcv_saddr))
		return -EADDRNOTAVAIL;
	return sdp_endpoint_follow(&s->ep);
}

/* Refused, by a program or by others of the port, it has the address that it had. */
static int run_connect(struct sdp_sock *s, struct sockaddr *name, int *len)
{
	struct sock *sk = sdp_sock_sk(s);
	struct binding was;
	int err;

	lock_sock(sk);
	get_binding(sk, &was);
	if (sk->sk_family == AF_INET)
		err = BPF_CGROUP_RUN_PROG_INET4_CONNECT(sk, name, len);
	else
		err = BPF_CGROUP_RUN_PROG_INET6_CONNECT(sk, name, len);
	err = err ?: follow_program(s);
	if (err)
		restore_binding(s, &was);
	release_sock(sk);
	return err;
}

int sdp_address_connect(struct socket *sock, struct sockaddr *name, int len,
			int flags)
{
	struct sock *sk = sock->sk;
	struct sdp_sock *s = sdp_sk(sk);
	struct sdp_address to;
	int err;

	if (len < (int)sizeof(name->sa_family))
		return -EINVAL;
	if (name->sa_family == AF_UNSPEC) {
		set_peer(s, NULL);
		return 0;
	}
	err = check_form(sk, name, len);
	if (err)
		return sdp_error(s, err, NULL);
	err = run_connect(s, name, &len);
	if (err)
		return err;
	err = sdp_address_parse(sk, name, len, &to);
	if (err)
		return sdp_error(s, err, "connect: not an address to send to");
	set_peer(s, &to);
	return 0;
}

static void local_address(const struct sock *sk, struct sdp_address *at)
{
	const struct inet_sock *inet = inet_sk(sk);
	__be32 v4 = inet->inet_rcv_saddr ?: inet->inet_saddr;

	at->port = READ_ONCE(sdp_sk(sk)->ep.port);
	at->ifindex = READ_ONCE(sk->sk_bound_dev_if);
	if (sk->sk_family == AF_INET)
		ipv6_addr_set_v4mapped(v4, &at->addr);
	else if (ipv6_addr_any(&sk->sk_v6_rcv_saddr))
		at->addr = inet6_sk(sk)->saddr;
	else
		at->addr = sk->sk_v6_rcv_saddr;
}

int sdp_address_getname(struct socket *sock, struct sockaddr *name, int peer)
{
	struct sock *sk = sock->sk;
	struct sdp_address at;
	int err, len;

	if (peer) {
		if (!sdp_address_peer(sdp_sk(sk), &at))
			return -ENOTCONN;
	} else {
		/* Homa's programs ask for their port without bind(). */
		err = sdp_endpoint_autobind(&sdp_sk(sk)->ep);
		if (err)
			return sdp_error(sdp_sk(sk), err, NULL);
		lock_sock(sk);
		local_address(sk, &at);
		release_sock(sk);
	}
	len = sdp_address_fill(sk, &at, name);
	sdp_cgroup_name(sdp_sk(sk), name, &len, peer);
	return len;
}

static bool is_local_v4(struct sock *sk, __be32 addr, int bound)
{
	struct net *net = sock_net(sk);
	u32 table = l3mdev_fib_table_by_index(net, bound) ?: RT_TABLE_LOCAL;

	return !addr || inet_can_nonlocal_bind(net, inet_sk(sk)) ||
	       inet_addr_type_table(net, addr, table) == RTN_LOCAL;
}

static int check_v4(struct sock *sk, __be32 addr, struct binding *to)
{
	if (ipv4_is_multicast(addr) || ipv4_is_lbcast(addr) ||
	    !is_local_v4(sk, addr, sk->sk_bound_dev_if))
		return -EADDRNOTAVAIL;
	to->v4 = addr;
	ipv6_addr_set_v4mapped(addr, &to->v6);
	return 0;
}

static int check_bind_v4(struct sock *sk, const struct sockaddr_in *in4,
			 struct binding *to)
{
	to->port = ntohs(in4->sin_port);
	return check_v4(sk, in4->sin_addr.s_addr, to);
}

static int is_local_v6(struct sock *sk, const struct in6_addr *addr,
		       int bound)
{
	struct net *net = sock_net(sk);
	struct net_device *dev = NULL;
	int err = 0;

	rcu_read_lock();
	if (bound)
		dev = dev_get_by_index_rcu(net, bound);
	if (bound && !dev)
		err = -ENODEV;
	else if (!ipv6_can_nonlocal_bind(net, inet_sk(sk)) &&
		 !ipv6_chk_addr(net, addr, dev, 0))
		err = -EADDRNOTAVAIL;
	rcu_read_unlock();
	return err;
}

static int check_bind_v6(struct sock *sk, const struct sockaddr_in6 *in6,
			 struct binding *to)
{
	const struct in6_addr *addr = &in6->sin6_addr;
	int type;

	to->port = ntohs(in6->sin6_port);
	type = ipv6_addr_type(addr);
	if (type == IPV6_ADDR_MAPPED) {
		if (ipv6_only_sock(sk))
			return -EINVAL;
		return check_v4(sk, addr->s6_addr32[3], to);
	}
	to->v6 = *addr;
	if (type == IPV6_ADDR_ANY)
		return 0;
	if (type & IPV6_ADDR_MULTICAST)
		return -EADDRNOTAVAIL;
	if (__ipv6_addr_needs_scope_id(type)) {
		if (in6->sin6_scope_id)
			to->bound = in6->sin6_scope_id;
		if (!to->bound)
			return -EINVAL;
	}
	to->v4 = LOOPBACK4_IPV6;
	to->v6_only = true;
	return is_local_v6(sk, addr, to->bound);
}

/* What a control message or a program has a request leave by, as UDP looks at it. */
static int check_source(struct sock *sk, const struct sdp_send *send)
{
	const struct in6_addr *source = &send->source;
	int device = READ_ONCE(sk->sk_bound_dev_if) ?: send->to.ifindex;
	bool v4 = ipv6_addr_v4mapped(&send->to.addr);

	if (send->ifindex) {
		if (device && device != send->ifindex)
			return -EINVAL;
		device = send->ifindex;
	}
	if (sdp_route_any(source))
		return 0;
	if (v4 != ipv6_addr_v4mapped(source))
		return -EINVAL;
	if (v4)
		return is_local_v4(sk, source->s6_addr32[3], device) ? 0 : -EINVAL;
	if (__ipv6_addr_needs_scope_id(ipv6_addr_type(source)) && !device)
		return -EINVAL;
	return is_local_v6(sk, source, device) ? -EINVAL : 0;
}

int sdp_address_settle(struct sdp_sock *s, const struct msghdr *msg,
		       struct sdp_send *send)
{
	int err = msg->msg_name ? sdp_cgroup_send(s, send) : 0;

	/* A response leaves from where its request came to, whatever there is now. */
	if (err || send->id)
		return err;
	return check_source(sdp_sock_sk(s), send);
}

/*
 * Programs of the control group that look at sockets see what it is to be; where they
 * refuse, it is as it was. They read it from the socket, which has its new addresses while
 * they run: packets are not looked up by these.
 */
static int settle_binding(struct sdp_endpoint *ep, const void *to)
{
	struct sock *sk = ep->sk;
	struct binding was;
	int err;

	get_binding(sk, &was);
	set_binding(sk, to);
	if (sk->sk_family == AF_INET)
		err = BPF_CGROUP_RUN_PROG_INET4_POST_BIND(sk);
	else
		err = BPF_CGROUP_RUN_PROG_INET6_POST_BIND(sk);
	if (err)
		set_binding(sk, &was);
	return err;
}

static int check_port(struct sock *sk, u16 port, u32 flags)
{
	struct net *net = sock_net(sk);

	if (sdp_address_port_rule(port) < 0)
		return sdp_error(sdp_sk(sk), -EINVAL,
				 "bind: ports from 0x8000 up are assigned");
	if (port && !(flags & BIND_NO_CAP_NET_BIND_SERVICE) &&
	    inet_port_requires_bind_service(net, port) &&
	    !ns_capable(net->user_ns, CAP_NET_BIND_SERVICE))
		return sdp_error(sdp_sk(sk), -EACCES, NULL);
	return 0;
}

/* The addresses change with the port, or not at all. @port: 0 for the present one. */
static int take_port(struct sdp_sock *s, u16 port, const struct binding *to)
{
	const struct sdp_bound bound = {
		.addr = to->v6, .device = to->bound, .v6_only = to->v6_only,
		.uid = sdp_sock_sk(s)->sk_uid,
	};
	int err;

	if (s->sessions && port && port != s->ep.port)
		return sdp_error(s, -EINVAL,
				 "bind: sessions are tied to the present port");
	err = sdp_endpoint_bind(&s->ep, port, &bound, settle_binding, to);
	if (err == -EBUSY)
		return sdp_error(s, -EINVAL,
				 "bind: RPCs are open at the present port");
	if (err == -ENOBUFS)
		return sdp_error(s, err, "bind: too many sockets have the port");
	if (err == -EDQUOT)
		return sdp_error(s, err, "bind: the user has net.sdp.user_ports ports");
	return sdp_error(s, err, NULL);
}

static int bind_locked(struct sdp_sock *s, const struct sockaddr *name,
		       u32 flags)
{
	struct sock *sk = sdp_sock_sk(s);
	struct binding to = {
		.bound = sk->sk_bound_dev_if, .v6_only = sk->sk_ipv6only,
	};
	int err;

	if (s->ep.shutdown)
		return -ESHUTDOWN;
	if (sk->sk_family == AF_INET)
		err = check_bind_v4(sk, (const void *)name, &to);
	else
		err = check_bind_v6(sk, (const void *)name, &to);
	if (err)
		return sdp_error(s, err, NULL);
	err = check_port(sk, to.port, flags);
	if (err)
		return err;
	if (to.port) {
		err = take_port(s, to.port, &to);
		if (!err) {
			WRITE_ONCE(s->ep.server, true);
			sk->sk_userlocks |= SOCK_BINDPORT_LOCK;
		}
	} else {
		to.port = inet_sk(sk)->inet_num;
		err = take_port(s, 0, &to);
	}
	if (!err && (to.v4 || !ipv6_addr_any(&to.v6)))
		sk->sk_userlocks |= SOCK_BINDADDR_LOCK;
	return err;
}

/* Others see the socket with the new device for a moment, but not packets. */
void sdp_address_follow(struct sock *sk)
{
	struct sdp_sock *s = sdp_sk(sk);
	struct binding was;

	s->unmoved = sdp_endpoint_follow(&s->ep);
	if (!s->unmoved)
		return;
	/* It has a port, or nothing could have failed. */
	get_binding(sk, &was);
	restore_binding(s, &was);
}

/* The device that SO_BINDTODEVICE names, or an errno. */
static int named_device(const struct net *net, sockptr_t val, unsigned int len)
{
	struct net_device *dev;
	char name[IFNAMSIZ] = {};
	int index = -ENODEV;

	if (copy_from_sockptr(name, val, min(len, sizeof(name) - 1)))
		return -EFAULT;
	if (!name[0])
		return 0;
	rcu_read_lock();
	dev = dev_get_by_name_rcu((struct net *)net, name);
	if (dev)
		index = dev->ifindex;
	rcu_read_unlock();
	return index;
}

int sdp_address_device(struct sdp_sock *s, int name, sockptr_t val, unsigned int len)
{
	struct sock *sk = sdp_sock_sk(s);
	int index, err;

	if (name == SO_BINDTODEVICE) {
		index = named_device(sock_net(sk), val, len);
	} else {
		if (len < sizeof(index))
			return -EINVAL;
		if (copy_from_sockptr(&index, val, sizeof(index)))
			return -EFAULT;
		if (index < 0)
			return -EINVAL;
	}
	if (index < 0)
		return index;
	lock_sock(sk);
	/* Comes to sdp_address_follow(). */
	err = sock_bindtoindex(sk, index, false) ?: s->unmoved;
	release_sock(sk);
	return sdp_error(s, err, NULL);
}

int sdp_address_families(struct sdp_sock *s)
{
	struct sock *sk = sdp_sock_sk(s);
	int err;

	lock_sock(sk);
	if (sk->sk_ipv6only && ipv6_addr_v4mapped(&sk->sk_v6_rcv_saddr)) {
		/* As bind() says it of the other order. */
		sk->sk_ipv6only = false;
		err = -EINVAL;
	} else {
		sdp_address_follow(sk);
		err = s->unmoved;
	}
	release_sock(sk);
	return sdp_error(s, err, NULL);
}

static int check_name(const struct sock *sk, const struct sockaddr *name,
		      int len)
{
	const struct sockaddr_in *in4 = (const void *)name;

	/* As other v4 sockets: an unspecified family with the any-address. */
	if (sk->sk_family == AF_INET && len >= (int)sizeof(*in4) &&
	    name->sa_family == AF_UNSPEC && !in4->sin_addr.s_addr)
		return 0;
	return check_form(sk, name, len);
}

int sdp_address_bind(struct socket *sock, struct sockaddr *name, int len)
{
	struct sock *sk = sock->sk;
	u32 flags = 0;
	int err;

	err = check_name(sk, name, len);
	if (err)
		return sdp_error(sdp_sk(sk), err, NULL);
	if (sk->sk_family == AF_INET)
		err = BPF_CGROUP_RUN_PROG_INET_BIND_LOCK(sk, name, &len,
							 CGROUP_INET4_BIND,
							 &flags);
	else
		err = BPF_CGROUP_RUN_PROG_INET_BIND_LOCK(sk, name, &len,
							 CGROUP_INET6_BIND,
							 &flags);
	if (err)
		return err;
	lock_sock(sk);
	err = bind_locked(sdp_sk(sk), name, flags);
	release_sock(sk);
	return err;
}
