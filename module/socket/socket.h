/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The socket room: struct sock of ours, and what its files call of each other.
 * sdp(7) describes the two APIs; both end in module/target/app/message.h.
 */
#ifndef SDP_SOCKET_SOCKET_H
#define SDP_SOCKET_SOCKET_H

#include <linux/ipv6.h>
#include <linux/sdp.h>
#include <linux/sockptr.h>
#include <net/inet_sock.h>

#include "../record/install.h"
#include "../record/nonce.h"
#include "../target/app/message.h"

struct sdp_pool;

/**
 * struct sdp_sock - a socket.
 * @inet:       first, as the kernel's INET code wants it. inet_daddr stays zero
 *              also when connected, and sk_dst_cache empty: each message has
 *              its own route.
 * @ep:         the transport's end.
 * @pool:       receive region, NULL while there is none; set once, published
 *              with release semantics.
 * @peer_lock:  spinlock, process context; protects @peer and @connected.
 * @peer:       default destination.
 * @connected:  @peer is set.
 * @opened:     @ep has been set up, and is in the dump.
 * @sessions:   a session was installed once: the port stays.
 * @unmoved:    why the last change of the device was taken back, or 0; under lock_sock().
 * @set:        its sessions, NULL while none was ever asked for; set once, as @pool.
 * @serial:     index in the dump of the namespace, 0: none.
 * @error_text: says more about the last error, for HOMAIOCINFO; a constant.
 * @nonces:     for SDP_SESSION_ADD.
 * @last_port:  of an orphan: the port that it had. What follows is of orphans, too, and
 *              written by their work alone once they are listed.
 * @quota:      where it is counted.
 * @left:       what it had to do when it was looked at last, sdp_close_left().
 * @look:       when it is looked at next, jiffies.
 * @next:       to be released, too.
 */
struct sdp_sock {
	struct inet_sock inet;
	struct sdp_endpoint ep;
	struct sdp_pool *pool;
	spinlock_t peer_lock;
	struct sdp_address peer;
	bool connected;
	bool opened;
	bool sessions;
	int unmoved;
	struct sdp_session_set *set;
	u32 serial;
	const char *error_text;
	struct sdp_nonces nonces;
	u16 last_port;
	struct sdp_quota *quota;
	u64 left;
	unsigned long look;
	struct sdp_sock *next;
};

/** struct sdp6_sock - an AF_INET6 socket. */
struct sdp6_sock {
	struct sdp_sock sdp;
	struct ipv6_pinfo inet6;
};

static inline struct sdp_sock *sdp_sk(const struct sock *sk)
{
	return (struct sdp_sock *)sk;
}

static inline struct sock *sdp_sock_sk(struct sdp_sock *s)
{
	return &s->inet.sk;
}

static inline struct sdp_pool *sdp_sock_pool(const struct sdp_sock *s)
{
	/* Pairs with the release in set_region(): the pool is set up. */
	return smp_load_acquire(&s->pool);
}

static inline struct sdp_session_set *sdp_sock_set(const struct sdp_sock *s)
{
	/* Pairs with the release in need_set(). */
	return smp_load_acquire(&s->set);
}

/**
 * sdp_time_left() - rest of a time that a call may wait.
 * @timeo: from sock_rcvtimeo(), jiffies.
 * @start: jiffies when the call began.
 */
static inline long sdp_time_left(long timeo, unsigned long start)
{
	long gone = jiffies - start;

	if (timeo == MAX_SCHEDULE_TIMEOUT)
		return timeo;
	return gone < timeo ? timeo - gone : 0;
}

/* protocol.c */

extern struct proto sdp_prot;
extern struct proto sdp6_prot;

int sdp_socket_init(void);
void sdp_socket_exit(void);

/* orphan.c */

/**
 * sdp_orphan_adopt() - let responses that are on their way finish; for close().
 * @s: no call of the application's is in it; all its other RPCs end.
 *
 * Context: process, may sleep. Return: whether it lives on, and may be gone any time;
 * false: there are no such responses, or too many orphans, and the caller releases it.
 */
bool sdp_orphan_adopt(struct sdp_sock *s);

/** sdp_orphan_destruct() - an orphan's memory is about to be freed; any context. */
void sdp_orphan_destruct(void);

void sdp_orphan_net_init(struct net *net);

/**
 * sdp_orphan_net_end() - have all orphans of a namespace end, while it can still send.
 * @net: no socket of it has a file.
 *
 * Context: process.
 */
void sdp_orphan_net_end(struct net *net);

/**
 * sdp_orphan_net_ended() - wait for that.
 * @net: after sdp_orphan_net_end() for all namespaces that go with it.
 *
 * Context: process, sleeps for a grace period or two.
 */
void sdp_orphan_net_ended(struct net *net);

/** sdp_orphan_exit() - wait until the last one is freed; all namespaces have ended theirs. */
void sdp_orphan_exit(void);

/* address.c: what addresses a socket takes, and calls that name some. */

/**
 * sdp_address_parse() - the destination that a call names.
 * @sk:   the socket.
 * @name: sockaddr in kernel memory, of the socket's family.
 * @len:  its length.
 * @to:   filled in.
 *
 * Return: 0, -EINVAL (length, port 0, a link-local address without interface),
 * -EAFNOSUPPORT, -ENETUNREACH (a v4 address on a v6-only socket, multicast,
 * broadcast).
 */
int sdp_address_parse(const struct sock *sk, const void *name, int len,
		      struct sdp_address *to);

/**
 * sdp_address_fill() - write an address for the application.
 * @sk:   the socket, whose family decides the form.
 * @from: the address.
 * @name: a struct sockaddr_storage; no byte of the result stays unwritten.
 *
 * Return: length of the sockaddr.
 */
int sdp_address_fill(const struct sock *sk, const struct sdp_address *from,
		     void *name);

/**
 * sdp_address_peer() - where connect() pointed the socket.
 * @s:  the socket.
 * @to: written if there is one.
 */
bool sdp_address_peer(struct sdp_sock *s, struct sdp_address *to);

/**
 * sdp_address_destination() - where a message goes: as the call says, or connect().
 * @s:   the socket.
 * @msg: its msg_name is in kernel memory.
 * @to:  filled in.
 *
 * Context: process. Return: 0, -EDESTADDRREQ, or as sdp_address_parse().
 */
int sdp_address_destination(struct sdp_sock *s, const struct msghdr *msg,
			    struct sdp_address *to);

/**
 * sdp_address_settle() - let programs of the control group say where a message goes, and
 *	from where; then check from where.
 * @s:    the socket.
 * @msg:  they are asked where it names an address.
 * @send: the message.
 *
 * Context: process. Return: 0, -EINVAL: no address of ours, of the other family, or
 * another interface than the socket's; what a program returned (-EPERM by default).
 */
int sdp_address_settle(struct sdp_sock *s, const struct msghdr *msg,
		       struct sdp_send *send);

/**
 * sdp_address_source() - tell a receiver where a message comes from, if it asks.
 * @s:    the socket.
 * @msg:  its msg_name is in kernel memory.
 * @from: the address.
 */
void sdp_address_source(struct sdp_sock *s, struct msghdr *msg,
			const struct sdp_address *from);

/**
 * sdp_address_port_rule() - what bind() says to a port.
 * @port: host byte order.
 *
 * Return: 1: a server's port; 0: assign one; -EINVAL: a port of those that are
 * assigned.
 */
int sdp_address_port_rule(u16 port);

/**
 * sdp_address_follow() - be found by the device, and the families, that the socket has now.
 * @sk: locked by lock_sock(). Where others at its port could then be meant as well, or
 *	memory is short, it gets back what it had: @unmoved says why.
 */
void sdp_address_follow(struct sock *sk);

/**
 * sdp_address_device() - SO_BINDTODEVICE and SO_BINDTOIFINDEX.
 * @s:    the socket.
 * @name: option.
 * @val:  its value.
 * @len:  bytes of it.
 *
 * Context: process. Return: 0, as for other sockets, or as bind().
 */
int sdp_address_device(struct sdp_sock *s, int name, sockptr_t val, unsigned int len);

/**
 * sdp_address_families() - follow a change of IPV6_V6ONLY.
 * @s: the socket.
 *
 * Context: process. Return: 0, or why it was taken back.
 */
int sdp_address_families(struct sdp_sock *s);

int sdp_address_bind(struct socket *sock, struct sockaddr *name, int len);
int sdp_address_connect(struct socket *sock, struct sockaddr *name, int len,
			int flags);
int sdp_address_getname(struct socket *sock, struct sockaddr *name, int peer);

/* cgroup.c: programs of control groups; process context, may sleep. */

/** sdp_cgroup_send() - let them refuse a message, or change where it goes, and from where. */
int sdp_cgroup_send(struct sdp_sock *s, struct sdp_send *send);
/** sdp_cgroup_received() - and what a receiver is told. @name: a sockaddr, @len its length. */
void sdp_cgroup_received(struct sdp_sock *s, void *name, int *len);
/** sdp_cgroup_name() - and what getsockname() or, @peer, getpeername() tells. */
void sdp_cgroup_name(struct sdp_sock *s, void *name, int *len, bool peer);

/* control.c */

int sdp_control_parse(struct sdp_sock *s, struct msghdr *msg, struct sdp_send *send);

/* homa_api.c, plain_api.c: process context, may sleep. */

int sdp_homa_send(struct sdp_sock *s, struct msghdr *msg);
int sdp_homa_recv(struct sdp_sock *s, struct msghdr *msg, int flags);
int sdp_plain_send(struct sdp_sock *s, struct msghdr *msg, size_t len);
int sdp_plain_recv(struct sdp_sock *s, struct msghdr *msg, int flags);

/* ioctl.c */

/**
 * sdp_ioctl() - requests of ours; their arguments are the same for 32 bit.
 * Return: -ENOIOCTLCMD for others.
 */
int sdp_ioctl(struct sdp_sock *s, unsigned int cmd, void __user *arg);

/* accepted.c */

bool sdp_options_accepted(int level, int name, sockptr_t val, unsigned int len);

/* ancillary.c */

int sdp_ancillary_put(struct sdp_sock *s, struct msghdr *msg,
		      const struct sdp_received *got);

/* options.c */

int sdp_options_set(struct sock *sk, int level, int name, sockptr_t val,
		    unsigned int len);
int sdp_options_get(struct sock *sk, int level, int name, char __user *val,
		    int __user *len);

/**
 * sdp_options_copy() - take a structure of ours that begins with its size.
 * @to:    the structure.
 * @known: its size here.
 * @least: its size when it was first published.
 * @from:  the argument.
 * @len:   bytes there.
 *
 * Return: 0, -EINVAL (@len or size too short), -E2BIG (bytes that are not known
 * here are not zero), -EFAULT.
 */
int sdp_options_copy(void *to, size_t known, size_t least, sockptr_t from,
		     size_t len);

/* errors.c */

/**
 * sdp_error() - remember the text for an error.
 * @s:    the socket.
 * @err:  negative errno, or a result that is none.
 * @text: a constant; NULL: the usual one of @err.
 *
 * Return: @err.
 */
int sdp_error(struct sdp_sock *s, int err, const char *text);

/**
 * sdp_error_text() - the usual text for an error; never NULL.
 * @err: positive or negative errno.
 */
const char *sdp_error_text(int err);

/* sysctl.c, dump.c: parts of a namespace. */

int sdp_sysctl_net_init(struct net *net);
void sdp_sysctl_net_exit(struct net *net);
int sdp_dump_net_init(struct net *net);
void sdp_dump_net_exit(struct net *net);

/**
 * sdp_dump_add() - show a socket in /proc/net/sdp; process context.
 * @s: the socket; @s->serial gets set.
 */
int sdp_dump_add(struct sdp_sock *s);
void sdp_dump_remove(struct sdp_sock *s);

extern unsigned int sdp_socket_net_id;

/**
 * struct sdp_socket_net - per network namespace.
 * @socks: all sockets, by @serial; those found under its lock can be held.
 */
struct sdp_socket_net {
	struct xarray socks;
};

static inline struct sdp_socket_net *sdp_socket_net(const struct net *net)
{
	return net_generic(net, sdp_socket_net_id);
}

#endif /* SDP_SOCKET_SOCKET_H */
