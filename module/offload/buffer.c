// SPDX-License-Identifier: GPL-2.0-only
#include <linux/slab.h>

#include "../observe/name.h"
#include "buffer.h"

static struct kmem_cache *small_cache;
static struct kmem_cache *large_cache;

static struct kmem_cache *cache_for(u32 length)
{
	return length <= SDP_BUFFER_SMALL ? small_cache : large_cache;
}

void *sdp_buffer_alloc(u32 length)
{
	void *memory;

	if (WARN_ON_ONCE(length > SDP_BUFFER_LARGE))
		return NULL;
	memory = kmem_cache_alloc(cache_for(length), GFP_KERNEL);
	return memory ? memory + SDP_BUFFER_LEAD : NULL;
}

void sdp_buffer_free(void *buffer, u32 length)
{
	if (buffer)
		kmem_cache_free(cache_for(length), buffer - SDP_BUFFER_LEAD);
}

/* A cache with a constructor is not cleared at each allocation. */
static void construct(void *memory)
{
}

/* All of an object may be copied from and to user space. */
static struct kmem_cache *make_cache(const char *name, u32 length)
{
	length += SDP_BUFFER_LEAD;
	return kmem_cache_create_usercopy(name, length, 16, 0, 0, length,
					  construct);
}

int sdp_buffer_init(void)
{
	small_cache = make_cache(SDP_NAMED("_small"), SDP_BUFFER_SMALL);
	if (!small_cache)
		return -ENOMEM;
	large_cache = make_cache(SDP_NAMED("_record"), SDP_BUFFER_LARGE);
	if (!large_cache) {
		kmem_cache_destroy(small_cache);
		return -ENOMEM;
	}
	return 0;
}

void sdp_buffer_exit(void)
{
	kmem_cache_destroy(large_cache);
	kmem_cache_destroy(small_cache);
}
