// SPDX-License-Identifier: GPL-2.0-only
/*
 * Installing keys: checks what user space asks for and makes the session's
 * first epochs. Secrets are wiped on every path.
 */
#include <crypto/sha2.h>
#include <crypto/utils.h>
#include <linux/ktime.h>
#include <linux/unaligned.h>
#include <linux/xarray.h>
#include <net/ipv6.h>

#include "epoch.h"
#include "install.h"
#include "nonce.h"

/* Fingerprints of raw keys installed for sending; none is installed twice. */
static DEFINE_XARRAY(raw_keys);

static bool is_any(const struct in6_addr *addr)
{
	return ipv6_addr_any(addr) ||
	       (ipv6_addr_v4mapped(addr) && !addr->s6_addr32[3]);
}

static bool is_multicast(const struct in6_addr *addr)
{
	return ipv6_addr_is_multicast(addr) ||
	       (ipv6_addr_v4mapped(addr) &&
		ipv4_is_multicast(addr->s6_addr32[3]));
}

static bool needs_scope(const struct in6_addr *addr)
{
	return ipv6_addr_type(addr) & IPV6_ADDR_LINKLOCAL;
}

static int check_addresses(const struct sdp_session_owner *owner,
			   const struct sdp_session_add *add)
{
	const struct in6_addr *local = &add->local.sin6_addr;
	const struct in6_addr *peer = &add->peer.sin6_addr;

	if (add->peer.sin6_family != AF_INET6 ||
	    (add->local.sin6_family != AF_INET6 &&
	     add->local.sin6_family != AF_UNSPEC))
		return -EAFNOSUPPORT;
	if (!add->peer.sin6_port || is_any(peer) || is_multicast(peer) ||
	    is_multicast(local))
		return -EINVAL;
	if (add->local.sin6_port && ntohs(add->local.sin6_port) != owner->port)
		return -EINVAL;
	if (!is_any(local) &&
	    ipv6_addr_v4mapped(local) != ipv6_addr_v4mapped(peer))
		return -EINVAL;
	if (needs_scope(peer) && !add->peer.sin6_scope_id)
		return -EINVAL;
	return 0;
}

static int check_add(const struct sdp_session_owner *owner,
		     const struct sdp_session_add *add)
{
	if (add->flags || add->reserved || add->role > SDP_ROLE_SERVER ||
	    !sdp_kdf_key_length(add->cipher) || !owner->port)
		return -EINVAL;
	if (add->record_size && (add->record_size < SDP_RECORD_SIZE_MIN ||
				 add->record_size > SDP_RECORD_SIZE_MAX))
		return -EINVAL;
	return check_addresses(owner, add);
}

static struct sdp_session *prepare(const struct sdp_session_owner *owner,
				   const struct sdp_session_add *add)
{
	const struct in6_addr *peer = &add->peer.sin6_addr;
	struct sdp_session *session;
	struct sdp_session_key key;

	sdp_session_key_init(&key, owner->token, owner->net, owner->bound,
			     needs_scope(peer) ? add->peer.sin6_scope_id : 0,
			     peer, ntohs(add->peer.sin6_port), owner->port);
	session = sdp_session_alloc(owner, &key);
	if (IS_ERR(session))
		return session;
	session->role = add->role;
	session->cipher = add->cipher;
	session->record_size = add->record_size ?: SDP_RECORD_SIZE_DEFAULT;
	session->rekey_s = owner->rekey_s;
	if (!is_any(&add->local.sin6_addr)) {
		session->local = add->local.sin6_addr;
		session->local_pinned = true;
	}
	return session;
}

/* Put the first epochs in place; ERR_PTRs among them end it. */
static int set_epochs(struct sdp_session *session, struct sdp_epoch *tx,
		      struct sdp_epoch *rx, struct sdp_epoch *next)
{
	struct sdp_epoch *all[] = { tx, rx, next };
	int i, err = 0;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		if (IS_ERR(all[i]))
			err = PTR_ERR(all[i]);
	if (err) {
		for (i = 0; i < ARRAY_SIZE(all); i++)
			if (!IS_ERR(all[i]))
				sdp_epoch_put(all[i]);
		return err;
	}
	rcu_assign_pointer(session->tx, tx);
	rcu_assign_pointer(session->rx, rx);
	rcu_assign_pointer(session->rx_next, next);
	return 0;
}

int sdp_install_derive(struct sdp_session *session,
		       const struct sdp_session_add *add)
{
	bool client = add->role == SDP_ROLE_CLIENT;
	struct sdp_kdf_context ctx = {
		.cipher = session->cipher,
		.record_size = session->record_size,
	};
	struct sdp_epoch *tx, *rx, *next;
	u8 root[SDP_KDF_SECRET];

	sdp_kdf_extract(add->secret,
			client ? add->own_nonce : add->peer_nonce,
			client ? add->peer_nonce : add->own_nonce, root);
	memcpy(ctx.context, add->context, sizeof(ctx.context));
	memcpy(session->context, add->context, sizeof(session->context));
	session->id = sdp_kdf_id(root, &ctx);
	memcpy(session->tx_secret, root, sizeof(root));
	memcpy(session->rx_secret, root, sizeof(root));
	memzero_explicit(root, sizeof(root));

	tx = sdp_epoch_derive(session, true, 0, session->tx_secret);
	rx = sdp_epoch_derive(session, false, 0, session->rx_secret);
	next = sdp_epoch_derive(session, false, 1, session->rx_secret);
	session->rx_number = 2;
	return set_epochs(session, tx, rx, next);
}

static int install(const struct sdp_session_owner *owner,
		   const struct sdp_session_add *add, u64 began, u32 *id)
{
	struct sdp_session *session;
	int err;

	session = prepare(owner, add);
	if (IS_ERR(session))
		return PTR_ERR(session);
	session->began = began;
	memcpy(session->client_nonce, add->role == SDP_ROLE_CLIENT ?
	       add->own_nonce : add->peer_nonce, SDP_NONCE_LEN);
	err = sdp_install_derive(session, add);
	*id = session->id;
	if (!err)
		err = sdp_session_publish(session);
	if (err)
		sdp_session_discard(session);
	return err;
}

/*
 * If the machine was copied after the nonce was spent, the session may have
 * come into the table after all others were wiped.
 */
static int check_generation(const struct sdp_session_owner *owner,
			    u32 id, u32 generation)
{
	if (generation == sdp_nonces_generation())
		return 0;
	sdp_session_withdraw(owner, id);
	return -EINVAL;
}

int sdp_session_add(const struct sdp_session_owner *owner,
		    struct sdp_session_add *add, u32 *id)
{
	u32 generation = sdp_nonces_generation(), made;
	u64 began;
	int err;

	err = check_add(owner, add);
	if (!err && !crypto_memneq(add->own_nonce, add->peer_nonce,
				   SDP_NONCE_LEN))
		err = -EINVAL;
	if (!err)
		err = sdp_nonce_spend(owner->nonces, add->own_nonce, &began);
	if (!err) {
		err = install(owner, add, began, &made) ?:
		      check_generation(owner, made, generation);
		if (err)
			sdp_nonce_unspend(owner->nonces, add->own_nonce);
	}
	if (!err && id)
		*id = made;
	memzero_explicit(add, sizeof(*add));
	return err;
}

static void raw_epoch_keys(const struct sdp_raw_keys *raw, bool sends,
			   struct sdp_kdf_keys *keys)
{
	unsigned int len = sdp_kdf_key_length(raw->session.cipher);

	memset(keys, 0, sizeof(*keys));
	memcpy(keys->key, sends ? raw->tx_key : raw->rx_key, len);
	memcpy(keys->iv, sends ? raw->tx_iv : raw->rx_iv, sizeof(keys->iv));
	memcpy(keys->hdr, sends ? raw->tx_hdr : raw->rx_hdr, sizeof(keys->hdr));
}

static int raw_epochs(struct sdp_session *session,
		      const struct sdp_raw_keys *raw)
{
	struct sdp_epoch *tx, *rx;
	struct sdp_kdf_keys keys;

	raw_epoch_keys(raw, true, &keys);
	tx = sdp_epoch_alloc(session, true, 0, &keys);
	raw_epoch_keys(raw, false, &keys);
	rx = sdp_epoch_alloc(session, false, 0, &keys);
	memzero_explicit(&keys, sizeof(keys));
	return set_epochs(session, tx, rx, NULL);
}

static int install_raw(const struct sdp_session_owner *owner,
		       const struct sdp_raw_keys *raw)
{
	struct sdp_session *session;
	int err;

	session = prepare(owner, &raw->session);
	if (IS_ERR(session))
		return PTR_ERR(session);
	session->raw = true;
	session->began = ktime_get_ns();
	session->id = raw->id;
	err = raw_epochs(session, raw);
	if (!err)
		err = sdp_session_publish(session);
	if (err)
		sdp_session_discard(session);
	return err;
}

static int claim_raw_key(const u8 *key, unsigned int len)
{
	u8 digest[SHA256_DIGEST_SIZE];

	sha256(key, len, digest);
	return xa_insert(&raw_keys, get_unaligned((unsigned long *)digest),
			 xa_mk_value(1), GFP_KERNEL);
}

int sdp_session_add_raw(const struct sdp_session_owner *owner,
			struct sdp_raw_keys *raw)
{
	unsigned int len;
	int err;

	err = check_add(owner, &raw->session);
	len = sdp_kdf_key_length(raw->session.cipher);
	if (!err && (!raw->id || raw->reserved ||
		     !crypto_memneq(raw->tx_key, raw->rx_key, len)))
		err = -EINVAL;
	if (!err)
		err = claim_raw_key(raw->tx_key, len);
	if (err == -EBUSY)
		err = -EEXIST;
	if (!err)
		err = install_raw(owner, raw);
	memzero_explicit(raw, sizeof(*raw));
	return err;
}

void sdp_install_exit(void)
{
	xa_destroy(&raw_keys);
}
