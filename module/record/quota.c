// SPDX-License-Identifier: GPL-2.0-only
#include <linux/cred.h>
#include <linux/mutex.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include <net/net_namespace.h>

#include "quota.h"

/* The kernel nests user namespaces no deeper. */
#define LEVELS 34

/**
 * struct quota_key - what is counted; compared as bytes.
 * @net:  cookie of the network namespace, 0: those of all that the user owns. Of ports there
 *        are none of these.
 * @ns:   user namespace of @uid; held.
 * @uid:  the user.
 * @kind: enum sdp_quota_kind.
 */
struct quota_key {
	u64 net;
	const struct user_namespace *ns;
	kuid_t uid;
	u32 kind;
};

/**
 * struct sdp_quota - as long as there is one to count.
 * @node:  in the table.
 * @key:   what it is found by.
 * @up:    where the same is counted, too, or NULL.
 * @count: how many.
 */
struct sdp_quota {
	struct rhash_head node;
	struct quota_key key;
	struct sdp_quota *up;
	u32 count;
};

static const struct rhashtable_params quota_params = {
	.key_len = sizeof(struct quota_key),
	.key_offset = offsetof(struct sdp_quota, key),
	.head_offset = offsetof(struct sdp_quota, node),
	.automatic_shrinking = true,
};

/* Of the table and all counts. */
static DEFINE_MUTEX(quotas_mutex);
static struct rhashtable quotas;

static struct sdp_quota *make_quota(const struct quota_key *key, struct sdp_quota *up)
{
	struct sdp_quota *quota = kzalloc(sizeof(*quota), GFP_KERNEL);
	int err;

	if (!quota)
		return ERR_PTR(-ENOMEM);
	quota->key = *key;
	quota->up = up;
	err = rhashtable_insert_fast(&quotas, &quota->node, quota_params);
	if (err) {
		kfree(quota);
		return ERR_PTR(err);
	}
	get_user_ns((struct user_namespace *)key->ns);
	return quota;
}

/* Count one more, which has been counted in @up. */
static struct sdp_quota *count_up(const struct quota_key *key, struct sdp_quota *up,
				  u32 most)
{
	struct sdp_quota *quota;

	lockdep_assert_held(&quotas_mutex);
	quota = rhashtable_lookup_fast(&quotas, key, quota_params);
	if ((quota ? quota->count : 0) >= most)
		return ERR_PTR(-ENOBUFS);
	if (!quota)
		quota = make_quota(key, up);
	if (!IS_ERR(quota))
		quota->count++;
	return quota;
}

static void count_down(struct sdp_quota *quota)
{
	struct sdp_quota *up;

	lockdep_assert_held(&quotas_mutex);
	for (; quota; quota = up) {
		up = quota->up;
		if (--quota->count)
			continue;
		rhashtable_remove_fast(&quotas, &quota->node, quota_params);
		put_user_ns((struct user_namespace *)quota->key.ns);
		kfree(quota);
	}
}

/* Is @ns @above, or below it? */
static bool is_within(const struct user_namespace *ns, const struct user_namespace *above)
{
	while (ns->level > above->level)
		ns = ns->parent;
	return ns == above;
}

/*
 * Those whose owners are charged, the innermost first: from the user's on, or from the
 * network namespace's, where that was handed to a user outside of it; below @top.
 */
static u32 owned_namespaces(const struct net *net, const struct cred *cred,
			    const struct user_namespace *top,
			    const struct user_namespace **all)
{
	const struct user_namespace *ns = cred->user_ns;
	u32 count = 0;

	if (!is_within(ns, net->user_ns))
		ns = net->user_ns;
	for (; ns != top && ns->parent && count < LEVELS; ns = ns->parent)
		if (!uid_eq(ns->owner, GLOBAL_ROOT_UID))
			all[count++] = ns;
	return count;
}

static struct sdp_quota *charge_all(enum sdp_quota_kind kind, const struct net *net,
				    const struct cred *cred,
				    const struct sdp_quota_limits *limits)
{
	struct quota_key key = {
		.net = net->net_cookie, .ns = cred->user_ns, .uid = cred->uid,
		.kind = kind,
	};
	const struct user_namespace *owned[LEVELS];
	struct sdp_quota *quota = NULL, *next;
	bool local = kind == SDP_QUOTA_PORT;
	u32 count = owned_namespaces(net, cred, local ? net->user_ns : NULL, owned);

	while (count--) {
		const struct quota_key above = {
			.net = local ? net->net_cookie : 0, .ns = owned[count]->parent,
			.uid = owned[count]->owner, .kind = kind,
		};

		next = count_up(&above, quota, limits->owner);
		if (IS_ERR(next))
			goto fail;
		quota = next;
	}
	next = count_up(&key, quota, limits->user);
	if (!IS_ERR(next))
		return next;
fail:
	count_down(quota);
	return next;
}

struct sdp_quota *sdp_quota_charge(enum sdp_quota_kind kind, const struct net *net,
				   const struct cred *cred,
				   const struct sdp_quota_limits *limits)
{
	struct sdp_quota *quota;

	mutex_lock(&quotas_mutex);
	quota = charge_all(kind, net, cred, limits);
	mutex_unlock(&quotas_mutex);
	return quota;
}

void sdp_quota_uncharge(struct sdp_quota *quota)
{
	mutex_lock(&quotas_mutex);
	count_down(quota);
	mutex_unlock(&quotas_mutex);
}

int sdp_quota_init(void)
{
	return rhashtable_init(&quotas, &quota_params);
}

void sdp_quota_exit(void)
{
	rhashtable_destroy(&quotas);
}
