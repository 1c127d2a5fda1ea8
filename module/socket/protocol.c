// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel calls: a socket's life, and where its calls go. Two struct
 * proto and proto_ops, for AF_INET and AF_INET6, of the same functions.
 */
#include <linux/compat.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/swap.h>
#include <asm/ioctls.h>
#include <net/inet_common.h>
#include <net/ipv6.h>
#include <net/protocol.h>
#include <net/transp_v6.h>

#include "../observe/name.h"
#include "../record/set.h"
#include "../target/app/close.h"
#include "../target/state/memory.h"
#include "../target/state/peer.h"
#include "../target/state/rpc_table.h"
#include "pool.h"
#include "socket.h"

unsigned int sdp_socket_net_id;

/* Memory of all sockets: pages in use, and limits as for other protocols. */
static atomic_long_t memory_allocated ____cacheline_aligned_in_smp;
static DEFINE_PER_CPU(int, memory_per_cpu_fw_alloc);
static long sysctl_mem[3] __read_mostly;
static int sysctl_min[1] = { 4096 };

static void set_memory_limits(void)
{
	unsigned long limit = max(nr_free_buffer_pages() / 4, 128UL);

	sysctl_mem[0] = limit / 2;
	sysctl_mem[1] = limit / 4 * 3;
	sysctl_mem[2] = limit;
}

static void destruct(struct sock *sk)
{
	struct sdp_sock *s = sdp_sk(sk);

	if (s->opened)
		sdp_close_destruct(&s->ep);
	if (s->set)
		sdp_set_put(s->set);
	sdp_pool_free(s->pool);
	if (sk->sk_family == AF_INET6)
		inet6_sock_destruct(sk);
	else
		inet_sock_destruct(sk);
	if (s->ep.orphan)
		sdp_orphan_destruct();
}

static int open_endpoint(struct sdp_sock *s)
{
	struct sock *sk = sdp_sock_sk(s);
	int err;

	err = sdp_rpc_table_make(sdp_net(sock_net(sk)));
	if (err)
		return err;
	err = sdp_peer_tables_make(sdp_net(sock_net(sk)));
	if (err)
		return err;
	err = sdp_endpoint_init(&s->ep, sk);
	if (err)
		return err;
	sdp_memory_start(&s->ep);
	s->opened = true;
	return sdp_dump_add(s);
}

/* On failure the caller destroys the socket, which calls destroy_sock(). */
static int init_sock(struct sock *sk)
{
	struct sdp_sock *s = sdp_sk(sk);

	sk->sk_destruct = destruct;
	/* Options of SOL_SOCKET come to us first. */
	set_bit(SOCK_CUSTOM_SOCKOPT, &sk->sk_socket->flags);
	spin_lock_init(&s->peer_lock);
	sdp_nonces_init(&s->nonces);
	sock_prot_inuse_add(sock_net(sk), sk->sk_prot, 1);
	return open_endpoint(s);
}

static void destroy_sock(struct sock *sk)
{
	struct sdp_sock *s = sdp_sk(sk);

	sdp_dump_remove(s);
	/* Whoever gets the port next finds nothing alive that was sent to us. */
	if (s->opened)
		sdp_close_shutdown(&s->ep);
	if (s->set)
		sdp_session_set_close(s->set);
	if (s->opened)
		sdp_close_release(&s->ep);
	sdp_nonces_destroy(&s->nonces);
	sock_prot_inuse_add(sock_net(sk), sk->sk_prot, -1);
}

/* SO_LINGER with a time of 0 asks for the end of everything, also of a program that exits. */
static bool is_abort(const struct sock *sk)
{
	return sock_flag(sk, SOCK_LINGER) && !READ_ONCE(sk->sk_lingertime);
}

/* @timeout: of SO_LINGER; 0 without, with a time of 0, and when the program exits. */
static void close_sock(struct sock *sk, long timeout)
{
	struct sdp_sock *s = sdp_sk(sk);

	/* destruct() may run in softirq, with an exiting program's last reference. */
	sdp_pool_leave(s->pool);
	/* A kernel's thread that closes for others has no time for this. */
	if (timeout && s->opened && !(current->flags & PF_KTHREAD))
		sdp_close_linger(&s->ep, timeout);
	if (s->opened && !is_abort(sk) && sdp_orphan_adopt(s))
		return;
	sk_common_release(sk);
}

/* Ports are in the target's table: there is nothing to take out here. */
static void unhash_sock(struct sock *sk)
{
}

static int queue_length(struct sock *sk, int cmd, int *karg)
{
	struct sdp_endpoint *ep = &sdp_sk(sk)->ep;

	switch (cmd) {
	case SIOCOUTQ:
		*karg = sdp_endpoint_wmem(ep);
		return 0;
	case SIOCINQ:
		*karg = sdp_endpoint_rmem(ep);
		return 0;
	default:
		return -ENOIOCTLCMD;
	}
}

/*
 * shutdown() of either direction ends both, and the RPCs: a request without
 * its response is of no use, and Homa's programs rely on it. The socket need
 * not be connected.
 */
static int shut_down(struct socket *sock, int how)
{
	struct sock *sk = sock->sk;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	lock_sock(sk);
	WRITE_ONCE(sk->sk_shutdown, SHUTDOWN_MASK);
	sdp_close_shutdown(&sdp_sk(sk)->ep);
	sk->sk_state_change(sk);
	release_sock(sk);
	return 0;
}

/* A message that no page of the receive region is free for is not readable. */
static bool readable(struct sdp_sock *s)
{
	struct sdp_pool *pool = sdp_sock_pool(s);

	if (!sdp_endpoint_readable(&s->ep))
		return false;
	return !pool || !sdp_pool_stalled(pool, sdp_endpoint_ready(&s->ep));
}

/* On a socket for both, this is about secure messages: clear ones hold none up. */
static __poll_t write_mask(struct sock *sk)
{
	const __poll_t mask = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	struct sdp_endpoint *ep = &sdp_sk(sk)->ep;
	bool secure = READ_ONCE(ep->policy) != SDP_POLICY_CLEAR;

	if (sdp_endpoint_writable(ep, secure))
		return mask;
	sk_set_bit(SOCKWQ_ASYNC_NOSPACE, sk);
	/* Memory may come free before that. */
	sdp_memory_await(ep, secure);
	return sdp_endpoint_writable(ep, secure) ? mask : 0;
}

static __poll_t poll_sock(struct file *file, struct socket *sock,
			  poll_table *wait)
{
	struct sock *sk = sock->sk;
	__poll_t mask = 0;

	sock_poll_wait(file, sock, wait);
	if (READ_ONCE(sk->sk_err) ||
	    !skb_queue_empty_lockless(&sk->sk_error_queue))
		mask |= EPOLLERR;
	if (READ_ONCE(sk->sk_shutdown))
		return mask | EPOLLHUP | EPOLLRDHUP | EPOLLIN | EPOLLRDNORM |
		       EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	if (readable(sdp_sk(sk)))
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask | write_mask(sk);
}

/*
 * Homa's API is known by its msg_control without a length, on a socket with a region
 * for responses. Without one, a pointer is no more than that: recvmsg() leaves it so in
 * the header of whoever sends with the same one.
 */
static int send_message(struct socket *sock, struct msghdr *msg, size_t len)
{
	struct sdp_sock *s = sdp_sk(sock->sk);

	/*
	 * A message is what one call sends. sendfile() and splice() have more to follow
	 * after 64 KB, or where they stop short of what was asked for.
	 */
	if (msg->msg_flags & (MSG_OOB | MSG_MORE))
		return -EOPNOTSUPP;
	if (sdp_sock_pool(s) && msg->msg_control && !msg->msg_controllen &&
	    msg->msg_control_is_user)
		return sdp_homa_send(s, msg);
	return sdp_plain_send(s, msg, len);
}

static int recv_message(struct socket *sock, struct msghdr *msg, size_t len,
			int flags)
{
	struct sdp_sock *s = sdp_sk(sock->sk);
	int err;

	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (flags & MSG_ERRQUEUE)
		return inet_recv_error(sock->sk, msg, len, &msg->msg_namelen);
	/*
	 * What recvmmsg() has left for the next call; poll() tells of it until then. That
	 * it was interrupted is nothing to tell.
	 */
	err = sock_error(sock->sk);
	if (unlikely(err) && err != -ERESTARTSYS)
		return err;
	if (sdp_sock_pool(s))
		return sdp_homa_recv(s, msg, flags);
	return sdp_plain_recv(s, msg, flags);
}

static int ioctl_v4(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	int err = sdp_ioctl(sdp_sk(sock->sk), cmd, (void __user *)arg);

	return err == -ENOIOCTLCMD ? inet_ioctl(sock, cmd, arg) : err;
}

static int ioctl_v6(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	int err = sdp_ioctl(sdp_sk(sock->sk), cmd, (void __user *)arg);

	return err == -ENOIOCTLCMD ? inet6_ioctl(sock, cmd, arg) : err;
}

#ifdef CONFIG_COMPAT
static int compat_ioctl_v4(struct socket *sock, unsigned int cmd,
			   unsigned long arg)
{
	return sdp_ioctl(sdp_sk(sock->sk), cmd, compat_ptr(arg));
}

static int compat_ioctl_v6(struct socket *sock, unsigned int cmd,
			   unsigned long arg)
{
	int err = sdp_ioctl(sdp_sk(sock->sk), cmd, compat_ptr(arg));

	return err == -ENOIOCTLCMD ? inet6_compat_ioctl(sock, cmd, arg) : err;
}
#endif

/*
 * Ports are taken by sdp_address_bind(). A program of the cgroup that binds a port as
 * part of connect() goes by this instead.
 */
static int refuse_port(struct sock *sk, unsigned short port)
{
	return -EOPNOTSUPP;
}

struct proto sdp_prot = {
	.name = __stringify(SDP_PROTO_NAME),
	.owner = THIS_MODULE,
	.close = close_sock,
	.ioctl = queue_length,
	.init = init_sock,
	.destroy = destroy_sock,
	.setsockopt = sdp_options_set,
	.getsockopt = sdp_options_get,
	.unhash = unhash_sock,
	.rehash = sdp_address_follow,
	.get_port = refuse_port,
	.memory_allocated = &memory_allocated,
	.per_cpu_fw_alloc = &memory_per_cpu_fw_alloc,
	.sysctl_mem = sysctl_mem,
	.sysctl_wmem = sysctl_min,
	.sysctl_rmem = sysctl_min,
	.no_autobind = true,
	.obj_size = sizeof(struct sdp_sock),
};

struct proto sdp6_prot = {
	.name = __stringify(SDP_PROTO_NAME) "v6",
	.owner = THIS_MODULE,
	.close = close_sock,
	.ioctl = queue_length,
	.init = init_sock,
	.destroy = destroy_sock,
	.setsockopt = sdp_options_set,
	.getsockopt = sdp_options_get,
	.unhash = unhash_sock,
	.rehash = sdp_address_follow,
	.get_port = refuse_port,
	.memory_allocated = &memory_allocated,
	.per_cpu_fw_alloc = &memory_per_cpu_fw_alloc,
	.sysctl_mem = sysctl_mem,
	.sysctl_wmem = sysctl_min,
	.sysctl_rmem = sysctl_min,
	.no_autobind = true,
	.obj_size = sizeof(struct sdp6_sock),
	.ipv6_pinfo_offset = offsetof(struct sdp6_sock, inet6),
};

static const struct proto_ops ops_v4 = {
	.family = PF_INET,
	.owner = THIS_MODULE,
	.release = inet_release,
	.bind = sdp_address_bind,
	.connect = sdp_address_connect,
	.socketpair = sock_no_socketpair,
	.accept = sock_no_accept,
	.getname = sdp_address_getname,
	.poll = poll_sock,
	.ioctl = ioctl_v4,
#ifdef CONFIG_COMPAT
	.compat_ioctl = compat_ioctl_v4,
#endif
	.gettstamp = sock_gettstamp,
	.listen = sock_no_listen,
	.shutdown = shut_down,
	.setsockopt = sock_common_setsockopt,
	.getsockopt = sock_common_getsockopt,
	.sendmsg = send_message,
	.recvmsg = recv_message,
	.mmap = sock_no_mmap,
};

static const struct proto_ops ops_v6 = {
	.family = PF_INET6,
	.owner = THIS_MODULE,
	.release = inet6_release,
	.bind = sdp_address_bind,
	.connect = sdp_address_connect,
	.socketpair = sock_no_socketpair,
	.accept = sock_no_accept,
	.getname = sdp_address_getname,
	.poll = poll_sock,
	.ioctl = ioctl_v6,
#ifdef CONFIG_COMPAT
	.compat_ioctl = compat_ioctl_v6,
#endif
	.gettstamp = sock_gettstamp,
	.listen = sock_no_listen,
	.shutdown = shut_down,
	.setsockopt = sock_common_setsockopt,
	.getsockopt = sock_common_getsockopt,
	.sendmsg = send_message,
	.recvmsg = recv_message,
	.mmap = sock_no_mmap,
};

static struct inet_protosw switch_v4 = {
	.type = SOCK_DGRAM,
	.protocol = SDP_PROTOCOL,
	.prot = &sdp_prot,
	.ops = &ops_v4,
};

static struct inet_protosw switch_v6 = {
	.type = SOCK_DGRAM,
	.protocol = SDP_PROTOCOL,
	.prot = &sdp6_prot,
	.ops = &ops_v6,
};

static int __net_init socket_net_init(struct net *net)
{
	int err;

	sdp_orphan_net_init(net);
	err = sdp_sysctl_net_init(net);
	if (err)
		return err;
	err = sdp_dump_net_init(net);
	if (err)
		sdp_sysctl_net_exit(net);
	return err;
}

static void __net_exit socket_net_exit(struct net *net)
{
	sdp_dump_net_exit(net);
	sdp_sysctl_net_exit(net);
}

static struct pernet_operations socket_net_ops = {
	.init = socket_net_init,
	/* Before devices go. */
	.pre_exit = sdp_orphan_net_ended,
	.exit = socket_net_exit,
	.id = &sdp_socket_net_id,
	.size = sizeof(struct sdp_socket_net),
};

/*
 * Registered last, and so first to be told: the orphans of all namespaces that go together end
 * at once, before those of the first are waited for.
 */
static struct pernet_operations orphan_net_ops = {
	.pre_exit = sdp_orphan_net_end,
};

/**
 * sdp_socket_init() - let applications in; the last step of loading.
 *
 * Return: 0 or a negative errno.
 */
int sdp_socket_init(void)
{
	int err;

	set_memory_limits();
	err = proto_register(&sdp_prot, 1);
	if (err)
		return err;
	err = proto_register(&sdp6_prot, 1);
	if (err)
		goto no_proto6;
	err = register_pernet_subsys(&socket_net_ops);
	if (err)
		goto no_net;
	err = register_pernet_subsys(&orphan_net_ops);
	if (err)
		goto no_orphans;
	inet_register_protosw(&switch_v4);
	err = ipv6_mod_enabled() ? inet6_register_protosw(&switch_v6) : 0;
	if (err)
		goto no_switch;
	return 0;

no_switch:
	inet_unregister_protosw(&switch_v4);
	unregister_pernet_subsys(&orphan_net_ops);
no_orphans:
	unregister_pernet_subsys(&socket_net_ops);
no_net:
	proto_unregister(&sdp6_prot);
no_proto6:
	proto_unregister(&sdp_prot);
	return err;
}

/** sdp_socket_exit() - the first step of unloading; no socket is left but orphans. */
void sdp_socket_exit(void)
{
	if (ipv6_mod_enabled())
		inet6_unregister_protosw(&switch_v6);
	inet_unregister_protosw(&switch_v4);
	unregister_pernet_subsys(&orphan_net_ops);
	unregister_pernet_subsys(&socket_net_ops);
	sdp_orphan_exit();
	proto_unregister(&sdp6_prot);
	proto_unregister(&sdp_prot);
}

MODULE_ALIAS_NET_PF_PROTO_TYPE(PF_INET, SDP_PROTOCOL, 2);
MODULE_ALIAS_NET_PF_PROTO_TYPE(PF_INET6, SDP_PROTOCOL, 2);
static_assert(SOCK_DGRAM == 2);
