/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How many sessions, and orphans, a user has: counted in each network namespace, and for each user
 * namespace on the way up once more as its owner's, as the kernel counts what
 * namespaces have. Who makes namespaces gets no more by it. Ports are what the users of a
 * network namespace take from each other: an owner's count there, up to the user namespace that
 * it belongs to, is the one that the owner's own sockets have.
 */
#ifndef SDP_RECORD_QUOTA_H
#define SDP_RECORD_QUOTA_H

#include <linux/types.h>

struct cred;
struct net;
struct sdp_quota;

/* What is counted, each by itself. */
enum sdp_quota_kind {
	SDP_QUOTA_SESSION,
	SDP_QUOTA_ORPHAN,
	/* Sockets that have one: the namespace's, whoever's memory they are. */
	SDP_QUOTA_PORT,
};

/**
 * struct sdp_quota_limits - what a user may have.
 * @user:  in a network namespace.
 * @owner: in all user namespaces that it owns, and those below, together; of ports, in this
 *	   network namespace. The machine's root may have any number there.
 */
struct sdp_quota_limits {
	u32 user;
	u32 owner;
};

/**
 * sdp_quota_charge() - count one more of a user.
 * @kind:   of what.
 * @net:    where.
 * @cred:   whose.
 * @limits: which it may not pass.
 *
 * Context: process, may sleep. Return: for sdp_quota_uncharge(), or ERR_PTR: -ENOBUFS,
 * -ENOMEM.
 */
struct sdp_quota *sdp_quota_charge(enum sdp_quota_kind kind, const struct net *net,
				   const struct cred *cred,
				   const struct sdp_quota_limits *limits);

/** sdp_quota_uncharge() - one less; process context, may sleep. */
void sdp_quota_uncharge(struct sdp_quota *quota);

int sdp_quota_init(void);
void sdp_quota_exit(void);

#endif /* SDP_RECORD_QUOTA_H */
