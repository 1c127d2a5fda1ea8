// SPDX-License-Identifier: GPL-2.0-only
/*
 * Orphans: a closed socket whose responses are on their way lives on without a file, until
 * its clients have acknowledged them, are dead, or take too little. It holds its
 * sessions as far as its RPCs need them, its memory stays charged, and its port is
 * another's. Neither its namespace nor the module waits for it: when they go, it ends.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/module.h>
#include <net/proto_memory.h>
#include <net/sock.h>

#include "../observe/observe.h"
#include "../record/registry.h"
#include "../record/set.h"
#include "../target/app/close.h"
#include "../target/app/session.h"
#include "../target/state/orphan.h"
#include "socket.h"

/* All users of a namespace may have so many times what one may. */
#define USERS 4

/* A peer is dead after so many ns at the earliest, as its program says. */
#define DEAD_LEAST (3ULL * NSEC_PER_SEC)

/* What an orphan has to get done between two looks, bytes as sdp_close_left() counts. */
#define PROGRESS_LEAST SDP_CLOSE_ANSWER

/* Those whose memory is not freed yet: its end is code of ours. */
static atomic_t alive;

static struct sdp_sock *sock_of(struct sdp_endpoint *ep)
{
	return container_of(ep, struct sdp_sock, ep);
}

/*
 * Time from one look to the next, jiffies. Clients that are silent are found dead before
 * that: this is about those that answer, and take nothing.
 */
static unsigned long look_interval(const struct sdp_net *sn)
{
	u64 dead = max_t(u64, READ_ONCE(sn->set.prog.dead_ns), DEAD_LEAST);

	return nsecs_to_jiffies(2 * dead);
}

/* Who opened the socket, whoever closes it. */
static const struct cred *opener_of(const struct sock *sk)
{
	const struct file *file = sk->sk_socket->file;

	return file ? file->f_cred : current_cred();
}

static bool charge_orphan(struct sdp_sock *s)
{
	struct sock *sk = sdp_sock_sk(s);
	struct sdp_net *sn = s->ep.sn;
	u32 most = READ_ONCE(sn->set.user_orphans);
	const struct sdp_quota_limits limits = {
		.user = most,
		.owner = READ_ONCE(sdp_net(&init_net)->set.user_orphans),
	};
	struct sdp_quota *quota;

	/* Where memory is short, that of open sockets comes first. */
	if (sk_memory_allocated(sk) > sk_prot_mem_limits(sk, 1))
		return false;
	if (atomic_inc_return(&sn->orphans.count) > (u64)USERS * most)
		goto uncount;
	quota = sdp_quota_charge(SDP_QUOTA_ORPHAN, sock_net(sk), opener_of(sk),
				 &limits);
	if (IS_ERR(quota))
		goto uncount;
	s->quota = quota;
	return true;

uncount:
	atomic_dec(&sn->orphans.count);
	return false;
}

static void uncharge_orphan(struct sdp_sock *s)
{
	sdp_quota_uncharge(s->quota);
	s->quota = NULL;
	atomic_dec(&s->ep.sn->orphans.count);
}

/* From here on its packets are looked for by their RPCs: the port may be another's. */
static void leave_port(struct sdp_sock *s)
{
	struct sdp_endpoint *ep = &s->ep;

	s->last_port = ep->port;
	/* Whoever ends an RPC after this sees the mark: sdp_rpc_end() takes the lock. */
	spin_lock_bh(&ep->lock);
	WRITE_ONCE(ep->orphan, true);
	spin_unlock_bh(&ep->lock);
	sdp_endpoint_unbind(ep);
}

/* As a socket of the kernel's own has it: of the namespace, only the memory is held. */
static struct net *leave_net(struct sock *sk)
{
	struct net *net = sock_net(sk);

	if (!sk->sk_net_refcnt)
		return NULL;
	__netns_tracker_free(net, &sk->ns_tracker, true);
	net_passive_inc(net);
	__netns_tracker_alloc(net, &sk->ns_tracker, false, GFP_KERNEL);
	sk->sk_net_refcnt = 0;
	sock_inuse_add(net, -1);
	return net;
}

bool sdp_orphan_adopt(struct sdp_sock *s)
{
	struct sock *sk = sdp_sock_sk(s);
	struct sdp_net *sn = s->ep.sn;
	unsigned long interval;
	struct net *net;

	if (!sdp_close_orphan(&s->ep))
		return false;
	if (!charge_orphan(s)) {
		sdp_count(sn->counts, SDP_CTR_orphans_refused);
		return false;
	}
	sdp_count(sn->counts, SDP_CTR_orphans);
	atomic_inc(&alive);
	leave_port(s);
	if (s->set)
		sdp_session_set_keep(s->set, sdp_session_busy);
	s->left = sdp_close_left(&s->ep);
	interval = look_interval(sn);
	s->look = jiffies + interval;
	sock_orphan(sk);
	net = leave_net(sk);
	/* The work has it after this. What holds the work goes last. */
	sdp_orphan_list(&s->ep, interval);
	if (net)
		put_net(net);
	module_put(THIS_MODULE);
	return true;
}

void sdp_orphan_destruct(void)
{
	if (atomic_dec_and_test(&alive))
		wake_up_var(&alive);
}

/* The first one whose time has come, or NULL. It stays: only the work releases it. */
static struct sdp_sock *next_due(struct sdp_orphans *orphans, unsigned long interval)
{
	struct sdp_endpoint *ep;
	struct sdp_sock *s = NULL;

	spin_lock_bh(&orphans->lock);
	ep = list_first_entry_or_null(&orphans->living, struct sdp_endpoint,
				      orphan_link);
	if (ep && (orphans->over || time_after_eq(jiffies, sock_of(ep)->look))) {
		s = sock_of(ep);
		s->look = jiffies + interval;
		list_move_tail(&ep->orphan_link,
			       orphans->over ? &orphans->done : &orphans->living);
	}
	spin_unlock_bh(&orphans->lock);
	return s;
}

static void look_at_orphan(struct sdp_sock *s, bool over)
{
	u64 left = over ? 0 : sdp_close_left(&s->ep);

	if (!over && left + PROGRESS_LEAST <= s->left) {
		s->left = left;
		return;
	}
	if (!over)
		sdp_count(s->ep.sn->counts, SDP_CTR_orphans_cut);
	sdp_close_shutdown(&s->ep);
}

static struct sdp_sock *take_done(struct sdp_orphans *orphans)
{
	struct sdp_endpoint *ep;

	spin_lock_bh(&orphans->lock);
	ep = list_first_entry_or_null(&orphans->done, struct sdp_endpoint,
				      orphan_link);
	if (ep)
		list_del_init(&ep->orphan_link);
	spin_unlock_bh(&orphans->lock);
	return ep ? sock_of(ep) : NULL;
}

static void release_orphan(struct sdp_sock *s)
{
	uncharge_orphan(s);
	/* As it is the module's code that its end runs, packets in flight hold it again. */
	__module_get(THIS_MODULE);
	sk_common_release(sdp_sock_sk(s));
}

/* The sessions of all end at once: one grace period is waited for. */
static void release_done(struct sdp_orphans *orphans)
{
	struct sdp_sock *first = NULL, *s;

	while ((s = take_done(orphans))) {
		if (s->set)
			sdp_session_set_keep(s->set, NULL);
		s->next = first;
		first = s;
		cond_resched();
	}
	while ((s = first)) {
		first = s->next;
		release_orphan(s);
		cond_resched();
	}
}

/* Jiffies until the next look; 0: there is none. */
static unsigned long time_to_look(struct sdp_orphans *orphans)
{
	struct sdp_endpoint *ep;
	unsigned long wait = 0;

	spin_lock_bh(&orphans->lock);
	ep = list_first_entry_or_null(&orphans->living, struct sdp_endpoint,
				      orphan_link);
	if (ep)
		wait = max(1L, (long)(sock_of(ep)->look - jiffies));
	spin_unlock_bh(&orphans->lock);
	return wait;
}

static void look_after(struct work_struct *work)
{
	struct sdp_orphans *orphans = container_of(to_delayed_work(work),
						   struct sdp_orphans, work);
	struct sdp_net *sn = container_of(orphans, struct sdp_net, orphans);
	unsigned long interval = look_interval(sn);
	struct sdp_sock *s;

	while ((s = next_due(orphans, interval))) {
		look_at_orphan(s, READ_ONCE(orphans->over));
		cond_resched();
	}
	release_done(orphans);
	interval = time_to_look(orphans);
	if (interval)
		sdp_orphans_run(orphans, interval);
}

void sdp_orphan_net_init(struct net *net)
{
	sdp_orphans_init(&sdp_net(net)->orphans, look_after);
}

void sdp_orphan_net_end(struct net *net)
{
	struct sdp_orphans *orphans = &sdp_net(net)->orphans;

	/* No file is left, and so none is to come. */
	spin_lock_bh(&orphans->lock);
	WRITE_ONCE(orphans->over, true);
	spin_unlock_bh(&orphans->lock);
	if (atomic_read(&orphans->count))
		sdp_orphans_run(orphans, 0);
}

void sdp_orphan_net_ended(struct net *net)
{
	struct sdp_orphans *orphans = &sdp_net(net)->orphans;

	flush_delayed_work(&orphans->work);
	disable_delayed_work_sync(&orphans->work);
}

void sdp_orphan_exit(void)
{
	wait_var_event(&alive, !atomic_read(&alive));
	/* They are freed after a grace period, by callbacks that have our code to return to. */
	rcu_barrier();
}
