// SPDX-License-Identifier: GPL-2.0-only
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "group.h"

#ifdef CONFIG_MEMCG

/*
 * What sockets leave of a group's memory, in pages, so that who is refused can go on: a
 * 16th, 512 KB at most. As much again is reclaimed at a time.
 */
#define LEFT_MOST ((512U << 10) >> PAGE_SHIFT)

static unsigned long left_of(unsigned long max)
{
	return min(max / 16, (unsigned long)LEFT_MOST);
}

/* Of the first version, sockets' memory has a limit of its own, which holds. */
static struct mem_cgroup *group_of(const struct sock *sk)
{
	if (!mem_cgroup_sockets_enabled || !cgroup_subsys_on_dfl(memory_cgrp_subsys))
		return NULL;
	return sk->sk_memcg;
}

bool sdp_group_room(const struct sock *sk, u32 bytes)
{
	unsigned long pages = PAGE_ALIGN(bytes) >> PAGE_SHIFT;
	struct mem_cgroup *group;

	for (group = group_of(sk); group; group = parent_mem_cgroup(group)) {
		unsigned long max = READ_ONCE(group->memory.max);

		if (page_counter_read(&group->memory) + pages > max - left_of(max))
			return false;
	}
	return true;
}

u64 sdp_group_limit(const struct sock *sk)
{
	u64 pages = S64_MAX >> PAGE_SHIFT;
	struct mem_cgroup *group;

	for (group = group_of(sk); group; group = parent_mem_cgroup(group))
		pages = min_t(u64, pages, READ_ONCE(group->memory.max));
	return pages << PAGE_SHIFT;
}

/*
 * Modules have no call for it: memory that is accounted is taken and given back. What was
 * reclaimed for it stays free, if only as what this CPU may charge without looking.
 */
bool sdp_group_reclaim(const struct sock *sk, u32 bytes)
{
	struct mem_cgroup *before;
	void *memory;

	before = set_active_memcg(sk->sk_memcg);
	memory = kvmalloc(bytes + 2 * (LEFT_MOST << PAGE_SHIFT),
			  GFP_KERNEL_ACCOUNT | __GFP_NORETRY | __GFP_NOWARN);
	set_active_memcg(before);
	kvfree(memory);
	return memory;
}

#else

bool sdp_group_room(const struct sock *sk, u32 bytes)
{
	return true;
}

bool sdp_group_reclaim(const struct sock *sk, u32 bytes)
{
	return true;
}

u64 sdp_group_limit(const struct sock *sk)
{
	return S64_MAX;
}

#endif
