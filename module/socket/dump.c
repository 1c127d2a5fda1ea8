// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/net/sdp/sockets, rpcs, sessions: a line each, of this namespace, and
 * of other users only with CAP_NET_ADMIN over it. No addresses of the kernel.
 */
#include <linux/cred.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/user_namespace.h>
#include <linux/xarray.h>
#include <net/ipv6.h>

#include "../observe/observe.h"
#include "../record/info.h"
#include "pool.h"
#include "socket.h"

static const char *policy_name(u8 policy)
{
	switch (policy) {
	case SDP_POLICY_CLEAR:
		return "clear";
	case SDP_POLICY_SECURE:
		return "secure";
	case SDP_POLICY_MIXED:
		return "mixed";
	default:
		return "?";
	}
}

/* Who opened the file may look at what belongs to @uid. */
static bool may_see(struct seq_file *seq, kuid_t uid)
{
	const struct net *net = seq_file_net(seq);

	return uid_eq(uid, seq->file->f_cred->fsuid) ||
	       file_ns_capable(seq->file, net->user_ns, CAP_NET_ADMIN);
}

static void put_address(struct seq_file *seq, const struct in6_addr *addr,
			u16 port)
{
	if (ipv6_addr_v4mapped(addr))
		seq_printf(seq, "%pI4:%u", &addr->s6_addr32[3], port);
	else
		seq_printf(seq, "[%pI6c]:%u", addr, port);
}

/* The next socket from @serial on, held, or NULL. */
static struct sock *get_sock(const struct net *net, unsigned long *serial)
{
	struct xarray *socks = &sdp_socket_net(net)->socks;
	struct sdp_sock *s;
	struct sock *sk = NULL;

	xa_lock(socks);
	s = xa_find(socks, serial, ULONG_MAX, XA_PRESENT);
	if (s) {
		sk = sdp_sock_sk(s);
		sock_hold(sk);
	}
	xa_unlock(socks);
	return sk;
}

/* Positions are serials, 0 the line with the columns' names. */
static void *start(struct seq_file *seq, loff_t *pos)
{
	unsigned long serial = *pos;
	struct sock *sk;

	if (!*pos)
		return SEQ_START_TOKEN;
	sk = get_sock(seq_file_net(seq), &serial);
	*pos = serial;
	return sk;
}

static void *next(struct seq_file *seq, void *v, loff_t *pos)
{
	if (v != SEQ_START_TOKEN)
		sock_put(v);
	++*pos;
	return start(seq, pos);
}

static void stop(struct seq_file *seq, void *v)
{
	if (v && v != SEQ_START_TOKEN)
		sock_put(v);
}

/* Under the lock bind() writes all of an address, or nothing. */
static void dump_address(struct sock *sk, struct in6_addr *addr)
{
	spin_lock_bh(&sdp_sk(sk)->ep.lock);
	if (sk->sk_family == AF_INET)
		ipv6_addr_set_v4mapped(inet_sk(sk)->inet_rcv_saddr, addr);
	else
		*addr = sk->sk_v6_rcv_saddr;
	spin_unlock_bh(&sdp_sk(sk)->ep.lock);
}

/* An orphan has no inode that would tell. */
static kuid_t user_of(struct sock *sk)
{
	return READ_ONCE(sdp_sk(sk)->ep.orphan) ? sk->sk_uid : sock_i_uid(sk);
}

static const char *role_of(const struct sdp_endpoint *ep)
{
	if (READ_ONCE(ep->orphan))
		return "orphan";
	return READ_ONCE(ep->server) ? "server" : "client";
}

static void put_socket(struct seq_file *seq, struct sock *sk)
{
	struct sdp_sock *s = sdp_sk(sk);
	struct sdp_pool *pool = sdp_sock_pool(s);
	int device = READ_ONCE(sk->sk_bound_dev_if);
	struct in6_addr addr;

	dump_address(sk, &addr);
	seq_printf(seq, "%u %lu ",
		   from_kuid_munged(seq_user_ns(seq), user_of(sk)),
		   sock_i_ino(sk));
	put_address(seq, &addr, READ_ONCE(s->ep.port) ?: s->last_port);
	seq_printf(seq, " %s %s rpcs=%u ready=%u rmem=%d/%d wmem=%d/%d",
		   policy_name(READ_ONCE(s->ep.policy)), role_of(&s->ep),
		   READ_ONCE(s->ep.rpc_count), READ_ONCE(s->ep.ready_count),
		   sdp_endpoint_rmem(&s->ep), READ_ONCE(sk->sk_rcvbuf),
		   sdp_endpoint_wmem(&s->ep), READ_ONCE(sk->sk_sndbuf));
	if (pool)
		seq_printf(seq, " region=%llu/%llu", sdp_pool_available(pool),
			   (u64)pool->pages << HOMA_BPAGE_SHIFT);
	/* Which of several at one address and port it is. */
	if (device)
		seq_printf(seq, " device=%d", device);
	seq_putc(seq, '\n');
}

static int show_socket(struct seq_file *seq, void *v)
{
	if (v == SEQ_START_TOKEN)
		seq_puts(seq, "uid inode local policy role ...\n");
	else if (may_see(seq, user_of(v)))
		put_socket(seq, v);
	return 0;
}

static void put_rpc(struct seq_file *seq, const struct sdp_rpc_state *state)
{
	const struct prog_info *info = &state->info;

	seq_printf(seq, "%llu %s %u ", state->id,
		   state->server ? "server" : "client", state->port);
	put_address(seq, &state->peer.addr, state->peer.port);
	seq_printf(seq, " tx=%u/%u/%d prio=%u rx=%u/%u/%d gaps=%u/%u",
		   info->tx_sent, info->tx_granted, info->tx_length,
		   info->tx_prio, info->rx_length < 0 ? 0 :
		   info->rx_length - info->rx_remaining, info->rx_granted,
		   info->rx_length, info->rx_gaps, info->rx_gap_bytes);
	if (state->secure)
		seq_printf(seq, " session=%08x", state->session);
	seq_puts(seq, " local=");
	put_address(seq, &state->local, state->port);
	seq_printf(seq, "%s%s\n", state->private ? " private" : "",
		   state->ready ? " ready" : "");
}

/**
 * struct walk - a reader's way through what the sockets of a namespace have, a line at
 *	a time. It holds nothing between two calls.
 * @net:      first, as the kernel has it.
 * @pos:      position of the line below; 0: that of the columns' names.
 * @there:    there is one.
 * @sock:     serial of its socket.
 * @rpc:      how far it is in this: in the file of RPCs,
 * @state:    and the line's RPC.
 * @place:    in that of sessions,
 * @info:     and the line's session,
 * @key:      with this.
 */
struct walk {
	struct seq_net_private net;
	loff_t pos;
	bool there;
	unsigned long sock;
	struct sdp_rpc_cursor rpc;
	struct sdp_rpc_state state;
	struct sdp_session_place place;
	struct sdp_session_info info;
	struct sdp_session_key key;
};

/* From the next line on; false: the socket has no more of them. */
typedef bool (*advance_fn)(struct walk *walk, struct sdp_sock *s);

static bool advance_rpc(struct walk *walk, struct sdp_sock *s)
{
	return sdp_message_next(&s->ep, &walk->rpc, &walk->state);
}

static bool advance_session(struct walk *walk, struct sdp_sock *s)
{
	struct sdp_session_set *set = sdp_sock_set(s);

	return set && sdp_session_next(set, &walk->place, &walk->info,
				       &walk->key);
}

static void begin_socket(struct walk *walk)
{
	memset(&walk->rpc, 0, sizeof(walk->rpc));
	memset(&walk->place, 0, sizeof(walk->place));
}

static void advance(struct seq_file *seq, struct walk *walk, advance_fn fn)
{
	unsigned long at = walk->sock;
	struct sock *sk;

	walk->there = false;
	while (!walk->there && (sk = get_sock(seq_file_net(seq), &walk->sock))) {
		/* The one that was being told about may have gone. */
		if (walk->sock != at)
			begin_socket(walk);
		walk->there = may_see(seq, user_of(sk)) && fn(walk, sdp_sk(sk));
		sock_put(sk);
		if (walk->there)
			break;
		at = ++walk->sock;
		begin_socket(walk);
		cond_resched();
	}
	walk->pos++;
}

/* Who reads on gets the line that is there; others begin anew. */
static void *walk_from(struct seq_file *seq, loff_t pos, advance_fn fn)
{
	struct walk *walk = seq->private;

	if (!pos || pos < walk->pos) {
		memset_after(walk, 0, net);
		if (!pos)
			return SEQ_START_TOKEN;
	}
	while (walk->pos < pos && (walk->there || !walk->pos))
		advance(seq, walk, fn);
	return walk->there && walk->pos == pos ? walk : NULL;
}

static void *start_rpcs(struct seq_file *seq, loff_t *pos)
{
	return walk_from(seq, *pos, advance_rpc);
}

static void *next_rpcs(struct seq_file *seq, void *v, loff_t *pos)
{
	return walk_from(seq, ++*pos, advance_rpc);
}

static void *start_sessions(struct seq_file *seq, loff_t *pos)
{
	return walk_from(seq, *pos, advance_session);
}

static void *next_sessions(struct seq_file *seq, void *v, loff_t *pos)
{
	return walk_from(seq, ++*pos, advance_session);
}

static void stop_walk(struct seq_file *seq, void *v)
{
}

static int show_rpc(struct seq_file *seq, void *v)
{
	const struct walk *walk = v;

	if (v == SEQ_START_TOKEN)
		seq_puts(seq, "id role port peer tx=sent/granted/length prio rx=received/granted/length gaps=number/bytes ...\n");
	else
		put_rpc(seq, &walk->state);
	return 0;
}

static void put_session(struct seq_file *seq,
			const struct sdp_session_info *info,
			const struct sdp_session_key *key)
{
	seq_printf(seq, "%08x ", info->id);
	put_address(seq, &info->local.sin6_addr, key->local_port);
	seq_putc(seq, ' ');
	put_address(seq, &key->peer, key->peer_port);
	seq_printf(seq, " %s 0x%04x record=%u tx_epoch=%llu rx_epoch=%llu tx=%llu left=%llu rx=%llu failed=%llu silent_ms=%llu state=%s%s %s %.*s\n",
		   info->role == SDP_ROLE_CLIENT ? "client" : "server",
		   info->cipher, info->record_size, info->tx_epoch,
		   info->rx_epoch, info->tx_messages, info->tx_messages_left,
		   info->rx_messages, info->rx_failed,
		   div_u64(info->silent_ns, NSEC_PER_MSEC),
		   info->state & SDP_SESSION_REPLACED ? "replaced" :
		   info->state & SDP_SESSION_PENDING ? "pending" : "present",
		   info->state & SDP_SESSION_COPY_UNNOTICED ?
		   " copy-unnoticed" : "",
		   info->offload == SDP_OFFLOAD_NIC ? "nic" : "cpu",
		   (int)sizeof(info->driver), info->driver);
}

static int show_session(struct seq_file *seq, void *v)
{
	const struct walk *walk = v;

	if (v == SEQ_START_TOKEN)
		seq_puts(seq, "id local peer role cipher ... sealed-by driver\n");
	else
		put_session(seq, &walk->info, &walk->key);
	return 0;
}

static const struct seq_operations socket_ops = {
	.start = start,
	.next = next,
	.stop = stop,
	.show = show_socket,
};

static const struct seq_operations rpc_ops = {
	.start = start_rpcs,
	.next = next_rpcs,
	.stop = stop_walk,
	.show = show_rpc,
};

static const struct seq_operations session_ops = {
	.start = start_sessions,
	.next = next_sessions,
	.stop = stop_walk,
	.show = show_session,
};

int sdp_dump_net_init(struct net *net)
{
	struct proc_dir_entry *dir = sdp_observe_net(net)->dir;
	const size_t size = sizeof(struct seq_net_private);

	xa_init_flags(&sdp_socket_net(net)->socks, XA_FLAGS_ALLOC1);
	if (proc_create_net("sockets", 0444, dir, &socket_ops, size) &&
	    proc_create_net("rpcs", 0444, dir, &rpc_ops, sizeof(struct walk)) &&
	    proc_create_net("sessions", 0444, dir, &session_ops,
			    sizeof(struct walk)))
		return 0;
	sdp_dump_net_exit(net);
	return -ENOMEM;
}

void sdp_dump_net_exit(struct net *net)
{
	struct proc_dir_entry *dir = sdp_observe_net(net)->dir;

	remove_proc_subtree("sockets", dir);
	remove_proc_subtree("rpcs", dir);
	remove_proc_subtree("sessions", dir);
	xa_destroy(&sdp_socket_net(net)->socks);
}

int sdp_dump_add(struct sdp_sock *s)
{
	struct xarray *socks = &sdp_socket_net(sock_net(sdp_sock_sk(s)))->socks;

	return xa_alloc(socks, &s->serial, s, XA_LIMIT(1, INT_MAX),
			GFP_KERNEL_ACCOUNT);
}

void sdp_dump_remove(struct sdp_sock *s)
{
	struct xarray *socks = &sdp_socket_net(sock_net(sdp_sock_sk(s)))->socks;

	if (s->serial)
		xa_erase(socks, s->serial);
	s->serial = 0;
}
