// SPDX-License-Identifier: GPL-2.0-only
#include <linux/ktime.h>

#include "copy.h"
#include "epoch.h"
#include "info.h"
#include "set.h"

static void fill_tx(struct sdp_session_info *info, struct sdp_epoch *epoch)
{
	u64 next = READ_ONCE(epoch->tx->next);
	u64 blocks = atomic64_read(&epoch->tx->blocks);

	info->tx_epoch = epoch->number;
	info->tx_messages = next;
	info->tx_messages_left = SDP_MSGNO_MAX + 1 - next;
	info->tx_blocks = blocks;
	info->tx_blocks_left = SDP_MAX_BLOCKS - min(blocks, SDP_MAX_BLOCKS);
	strscpy(info->driver, sdp_aead_driver(&epoch->aead),
		sizeof(info->driver));
}

static u32 state_of(const struct sdp_session *session)
{
	u32 state = sdp_copy_noticed() ? 0 : SDP_SESSION_COPY_UNNOTICED;

	if (READ_ONCE(session->replaced))
		return state | SDP_SESSION_REPLACED;
	rcu_read_lock();
	if (sdp_session_find(&session->key) != session)
		state |= SDP_SESSION_PENDING;
	rcu_read_unlock();
	return state;
}

static void fill_info(struct sdp_session *session,
		      struct sdp_session_info *info)
{
	struct sdp_epoch *epoch;

	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	info->id = session->id;
	info->peer.sin6_family = AF_INET6;
	info->peer.sin6_addr = session->key.peer;
	info->peer.sin6_port = htons(session->key.peer_port);
	info->peer.sin6_scope_id = session->key.scope;
	info->local.sin6_family = AF_INET6;
	info->local.sin6_port = htons(session->key.local_port);
	sdp_session_local(session, &info->local.sin6_addr);
	info->role = session->role;
	info->cipher = session->cipher;
	info->record_size = session->record_size;
	info->wire = SDP_WIRE_VERSION;
	info->state = state_of(session);
	info->rx_messages = atomic64_read(&session->opened);
	info->silent_ns = ktime_get_coarse_ns() - READ_ONCE(session->heard);
	rcu_read_lock();
	epoch = rcu_dereference(session->tx);
	if (epoch)
		fill_tx(info, epoch);
	if (epoch && sdp_record_ops->nic_seals &&
	    sdp_record_ops->nic_seals(session, rcu_dereference(epoch->nic),
				      &info->nic_records))
		info->offload = SDP_OFFLOAD_NIC;
	epoch = rcu_dereference(session->rx);
	if (epoch) {
		info->rx_epoch = epoch->number;
		info->rx_failed = atomic64_read(&epoch->rx->failed);
	}
	rcu_read_unlock();
}

int sdp_session_info(const struct sdp_session_owner *owner,
		     struct sdp_session_info *info)
{
	struct sdp_session *session;
	int err;

	err = sdp_session_check_ref(owner, info->id, &info->peer);
	if (err)
		return err;
	mutex_lock(&owner->set->lock);
	session = sdp_session_find_ref(owner, info->id, &info->peer);
	if (session)
		fill_info(session, info);
	mutex_unlock(&owner->set->lock);
	return session ? 0 : -ENOENT;
}

bool sdp_session_next(struct sdp_session_set *set, struct sdp_session_place *place,
		      struct sdp_session_info *info, struct sdp_session_key *key)
{
	struct sdp_session *session;

	mutex_lock(&set->lock);
	session = sdp_set_from(set, place->id, place->serial);
	if (session) {
		place->id = session->id;
		place->serial = session->serial + 1;
		*key = session->key;
		fill_info(session, info);
	}
	mutex_unlock(&set->lock);
	return session;
}
