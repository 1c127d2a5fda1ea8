// SPDX-License-Identifier: GPL-2.0-only
#include <linux/slab.h>

#include "inside.h"
#include "set.h"

/* Of the list of all sets; outside of their locks. */
static DEFINE_MUTEX(sets_mutex);
static LIST_HEAD(sets);

struct sdp_session_set *sdp_session_set_new(void)
{
	struct sdp_session_set *set = kzalloc(sizeof(*set), GFP_KERNEL_ACCOUNT);

	if (!set)
		return NULL;
	refcount_set(&set->refs, 1);
	mutex_init(&set->lock);
	set->sessions = RB_ROOT;
	mutex_lock(&sets_mutex);
	list_add_tail(&set->node, &sets);
	mutex_unlock(&sets_mutex);
	return set;
}

void sdp_set_end(struct sdp_session_set *set)
{
	mutex_lock(&sets_mutex);
	list_del(&set->node);
	mutex_unlock(&sets_mutex);
}

void sdp_set_hold(struct sdp_session_set *set)
{
	refcount_inc(&set->refs);
}

void sdp_set_put(struct sdp_session_set *set)
{
	if (refcount_dec_and_test(&set->refs))
		kfree(set);
}

static struct sdp_session *of_node(struct rb_node *node)
{
	return rb_entry(node, struct sdp_session, set_node);
}

static bool precedes(const struct sdp_session *session, u32 id, u64 serial)
{
	return session->id != id ? session->id < id : session->serial < serial;
}

void sdp_set_insert(struct sdp_session_set *set, struct sdp_session *session)
{
	struct rb_node **link = &set->sessions.rb_node, *parent = NULL;

	lockdep_assert_held(&set->lock);
	while (*link) {
		parent = *link;
		link = precedes(of_node(parent), session->id, session->serial) ?
		       &parent->rb_right : &parent->rb_left;
	}
	rb_link_node(&session->set_node, parent, link);
	rb_insert_color(&session->set_node, &set->sessions);
}

void sdp_set_remove(struct sdp_session_set *set, struct sdp_session *session)
{
	lockdep_assert_held(&set->lock);
	rb_erase(&session->set_node, &set->sessions);
}

struct sdp_session *sdp_set_from(const struct sdp_session_set *set, u32 id, u64 serial)
{
	struct rb_node *node = set->sessions.rb_node;
	struct sdp_session *found = NULL;

	lockdep_assert_held(&set->lock);
	while (node) {
		if (precedes(of_node(node), id, serial)) {
			node = node->rb_right;
		} else {
			found = of_node(node);
			node = node->rb_left;
		}
	}
	return found;
}

void sdp_set_visit_all(void (*visit)(struct sdp_session_set *set, void *arg), void *arg)
{
	struct sdp_session_set *set;

	mutex_lock(&sets_mutex);
	list_for_each_entry(set, &sets, node) {
		mutex_lock(&set->lock);
		visit(set, arg);
		mutex_unlock(&set->lock);
	}
	mutex_unlock(&sets_mutex);
}
