/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The end of a socket: its RPCs are aborted, or some are left to end by themselves, and
 * who waits is woken.
 */
#ifndef SDP_TARGET_CLOSE_H
#define SDP_TARGET_CLOSE_H

#include <linux/types.h>

struct sdp_endpoint;

/**
 * sdp_close_shutdown() - end all RPCs and wake everybody; once or more.
 * @ep: the endpoint. It stays bound.
 *
 * Waiting calls return ESHUTDOWN. Context: process, may sleep.
 */
void sdp_close_shutdown(struct sdp_endpoint *ep);

/**
 * sdp_close_linger() - wait until responses are acknowledged, as SO_LINGER asks for.
 * @ep:    the endpoint. It takes no requests any more, and all other RPCs end.
 * @timeo: how long at most, jiffies.
 *
 * A signal ends it. Context: process, may sleep.
 */
void sdp_close_linger(struct sdp_endpoint *ep, long timeo);

/**
 * sdp_close_orphan() - close, but for responses that the application has sent.
 * @ep: the endpoint. It gets no other RPCs.
 *
 * Context: process, may sleep. Return: are there any? They may end at any time.
 */
bool sdp_close_orphan(struct sdp_endpoint *ep);

/**
 * sdp_close_left() - what an orphan has yet to do.
 * @ep: the endpoint.
 *
 * Context: process, may sleep. Return: bytes of responses that have not been sent once, and
 * SDP_CLOSE_ANSWER for each of these. Never grows.
 */
u64 sdp_close_left(struct sdp_endpoint *ep);

/* What the acknowledgement of a response counts for, bytes. */
#define SDP_CLOSE_ANSWER 16384

/**
 * sdp_close_release() - shut down, give the port back; for close().
 * @ep: the endpoint; nothing may use it afterwards but RCU readers.
 *
 * Context: process, may sleep.
 */
void sdp_close_release(struct sdp_endpoint *ep);

/**
 * sdp_close_destruct() - uncharge what is left; for sk->sk_destruct, which
 *	runs when no packet can hold on to the socket any more.
 * @ep: the endpoint.
 */
void sdp_close_destruct(struct sdp_endpoint *ep);

#endif /* SDP_TARGET_CLOSE_H */
