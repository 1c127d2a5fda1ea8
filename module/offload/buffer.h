/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory for records and short messages: from caches of their own, so
 * that it is not cleared at each allocation, and placed so that what follows a
 * record's header is aligned for the cipher: it walks memory page by page, and
 * is slow where a block of 16 bytes straddles two.
 */
#ifndef SDP_OFFLOAD_BUFFER_H
#define SDP_OFFLOAD_BUFFER_H

#include <linux/types.h>

/* Bytes before a record in memory that starts aligned. */
#define SDP_BUFFER_LEAD 11

/* Bytes that the small and the large kind hold. */
#define SDP_BUFFER_SMALL (2048 - 16)
#define SDP_BUFFER_LARGE (16384 + 256)

/**
 * sdp_buffer_alloc() - memory that holds what it held before: write first.
 * @length: bytes, at most SDP_BUFFER_LARGE.
 *
 * Its address is SDP_BUFFER_LEAD past a multiple of 16. Context: process, may
 * sleep. Return: NULL for want of memory.
 */
void *sdp_buffer_alloc(u32 length);

/**
 * sdp_buffer_free() - give it back; any context.
 * @buffer: from sdp_buffer_alloc(), or NULL.
 * @length: the same as there.
 */
void sdp_buffer_free(void *buffer, u32 length);

int sdp_buffer_init(void);
void sdp_buffer_exit(void);

#endif /* SDP_OFFLOAD_BUFFER_H */
