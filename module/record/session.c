// SPDX-License-Identifier: GPL-2.0-only
/* Sessions as objects. */
#include <linux/cred.h>
#include <linux/ktime.h>
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <net/ipv6.h>

#include "../observe/observe.h"
#include "inside.h"
#include "quota.h"
#include "session.h"
#include "set.h"

const struct sdp_record_ops *sdp_record_ops __read_mostly;
struct workqueue_struct *sdp_record_wq __read_mostly;

static void session_free_work(struct work_struct *work)
{
	struct sdp_session *session = container_of(to_rcu_work(work),
						   struct sdp_session, free);

	if (sdp_record_ops->transport_exit)
		sdp_record_ops->transport_exit(session);
	sdp_quota_uncharge(session->quota);
	sdp_set_put(session->set);
	mem_cgroup_put(session->memcg);
	kfree_sensitive(session);
}

bool sdp_session_hold(struct sdp_session *session)
{
	return refcount_inc_not_zero(&session->ref);
}

void sdp_session_put(struct sdp_session *session)
{
	if (session && refcount_dec_and_test(&session->ref))
		queue_rcu_work(sdp_record_wq, &session->free);
}

u32 sdp_session_id(const struct sdp_session *session)
{
	return session->id;
}

u32 sdp_session_record_size(const struct sdp_session *session)
{
	return session->record_size;
}

bool sdp_session_dead(const struct sdp_session *session)
{
	return READ_ONCE(session->dead);
}

const struct sdp_session_key *
sdp_session_key_of(const struct sdp_session *session)
{
	return &session->key;
}

void sdp_session_local(const struct sdp_session *session,
		       struct in6_addr *local)
{
	/* Pairs with sdp_session_pin(). */
	if (smp_load_acquire(&session->local_pinned))
		*local = session->local;
	else
		*local = in6addr_any;
}

void sdp_session_pin(struct sdp_session *session, const struct in6_addr *local)
{
	if (likely(READ_ONCE(session->local_pinned)))
		return;
	spin_lock_bh(&session->lock);
	if (!session->local_pinned) {
		session->local = *local;
		/* Readers take @local without the lock once they see this. */
		smp_store_release(&session->local_pinned, true);
	}
	spin_unlock_bh(&session->lock);
}

void sdp_session_meet(struct sdp_session *session, const struct in6_addr *at)
{
	if (likely(READ_ONCE(session->met) || READ_ONCE(session->local_pinned)))
		return;
	spin_lock_bh(&session->lock);
	if (!session->met) {
		session->met_at = *at;
		/* As for @local. */
		smp_store_release(&session->met, true);
	}
	spin_unlock_bh(&session->lock);
}

void sdp_session_source(const struct sdp_session *session,
			struct in6_addr *local)
{
	sdp_session_local(session, local);
	/* Pairs with sdp_session_meet(). */
	if (ipv6_addr_any(local) && smp_load_acquire(&session->met))
		*local = session->met_at;
}

void *sdp_session_transport(struct sdp_session *session)
{
	return session->transport;
}

struct sdp_session *sdp_session_make(struct sdp_session_set *set,
				     const struct sdp_session_key *key,
				     const struct sdp_quota_limits *limits)
{
	struct sdp_session *session;
	struct sdp_quota *quota;

	quota = sdp_quota_charge(SDP_QUOTA_SESSION, key->net, current_cred(), limits);
	if (IS_ERR(quota))
		return ERR_CAST(quota);
	session = kzalloc(struct_size(session, transport,
				      sdp_record_ops->transport_size),
			  GFP_KERNEL_ACCOUNT);
	if (!session) {
		sdp_quota_uncharge(quota);
		return ERR_PTR(-ENOMEM);
	}
	refcount_set(&session->ref, 1);
	session->quota = quota;
	session->memcg = get_mem_cgroup_from_mm(current->mm);
	sdp_set_hold(set);
	session->set = set;
	session->key = *key;
	session->counts = sdp_counts(key->net);
	session->heard = ktime_get_coarse_ns();
	INIT_RCU_WORK(&session->free, session_free_work);
	return session;
}
