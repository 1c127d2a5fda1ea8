// SPDX-License-Identifier: GPL-2.0-only
/*
 * A packet for a NIC holds plaintext until the device has it. It carries
 * skb->decrypted, which the kernel drops everywhere but where the owner's socket lets it
 * pass: in last_look(), and in the driver, which asks segment_of(). Both find out anew
 * what the packet is: its header names a message of the owner, and its fragments have to
 * be the very pages of the records that the header names. Nothing else is looked at, and
 * nothing that was true before is believed. The header's tag need not be checked: the
 * record number follows from the message and the pages, and a header that somebody has
 * changed is dropped by the peer, as it would be on any way.
 */
#include <linux/skbuff_ref.h>
#include <net/dst.h>
#include <net/gso.h>
#include <net/ip.h>
#include <net/lwtunnel.h>

#include "../../offload/nic.h"
#include "../../offload/segment.h"
#include "../../record/kdf.h"
#include "../../record/seal.h"
#include "../state/plain.h"
#include "../state/route.h"
#include "../state/rpc_table.h"
#include "nic.h"
#include "nic_ip.h"

/* Of messages kept for a NIC, one record in so many may be asked for again. */
#define AGAIN_SHARE 32

/* And one in so many may be bad. */
#define BAD_SHARE 100

/* Shares are of so many records at least. */
#define SHARE_OF 256

/* How long the CPU seals then, at first and at most; doubled if it is soon again. */
#define OFF_AGAIN (60 * HZ)
#define OFF_BAD HZ
#define OFF_MOST (3600UL * HZ)

/* Between two keys in the same place: routes may go one way and the other. */
#define KEY_AGAIN HZ

/* We are the transport of the registry. */
static bool attached __read_mostly;

/* A session without trouble for as long as it was off begins anew. */
static void switch_off(struct sdp_rpc *rpc, struct sdp_nic_health *health, bool bad)
{
	unsigned long time = bad ? OFF_BAD : OFF_AGAIN;

	/* One burst is on several CPUs at once: one of them has it. */
	if (cmpxchg(&health->off, SDP_NIC_ON, SDP_NIC_TURNING_OFF) != SDP_NIC_ON)
		return;
	if (health->off_for &&
	    time_before(jiffies, health->off_until + 2 * health->off_for))
		time = clamp(2 * health->off_for, time, OFF_MOST);
	health->off_for = time;
	WRITE_ONCE(health->off_until, jiffies + time);
	atomic_set(&health->kept, 0);
	atomic_set(&health->again, 0);
	atomic_set(&health->bad, 0);
	/* Pairs with is_off(). */
	smp_store_release(&health->off, SDP_NIC_OFF);
	sdp_count(rpc->who.sn->counts, SDP_CTR_nic_off);
}

static bool is_off(struct sdp_nic_health *health)
{
	/* Pairs with switch_off(). */
	u8 off = smp_load_acquire(&health->off);

	if (likely(off == SDP_NIC_ON))
		return false;
	if (off == SDP_NIC_TURNING_OFF || time_before(jiffies, READ_ONCE(health->off_until)))
		return true;
	cmpxchg(&health->off, SDP_NIC_OFF, SDP_NIC_ON);
	return false;
}

/* Two at once may count a little wrong: these are shares. */
static void asked_again(struct sdp_rpc *rpc, u32 records, bool bad)
{
	struct sdp_nic_health *health = &rpc->pctx->nic;
	int kept = max(atomic_read(&health->kept), SHARE_OF);

	if (bad)
		sdp_tx_suspect(&rpc->seal);
	/* The rest of what has turned it off: it is no new trouble. */
	if (is_off(health))
		return;
	if (bad) {
		if (atomic_add_return(records, &health->bad) * BAD_SHARE > kept)
			switch_off(rpc, health, true);
	} else if (atomic_add_return(records, &health->again) * AGAIN_SHARE > kept) {
		switch_off(rpc, health, false);
	}
}

/* What users are told: not who might seal, but who does. */
static void note_sealer(struct sdp_rpc *rpc, bool nic)
{
	if (READ_ONCE(rpc->pctx->nic.sealing) == nic)
		return;
	WRITE_ONCE(rpc->pctx->nic.sealing, nic);
	sdp_tx_sealer(&rpc->seal, nic);
}

static void kept(struct sdp_rpc *rpc, u32 records)
{
	struct sdp_nic_health *health = &rpc->pctx->nic;

	note_sealer(rpc, true);
	if (atomic_add_return(records, &health->kept) < 64 * SHARE_OF)
		return;
	/* What was long ago counts less and less. */
	atomic_set(&health->kept, 32 * SHARE_OF);
	atomic_set(&health->again, atomic_read(&health->again) / 2);
	atomic_set(&health->bad, atomic_read(&health->bad) / 2);
}

static struct sdp_nic_key *key_of_message(const struct sdp_rpc *rpc)
{
	return rcu_dereference_check(*sdp_tx_nic(&rpc->seal), rcu_read_lock_bh_held());
}

/* Make the key of the message's epoch on a device, in place of @old. */
static void make_key(struct sdp_rpc *rpc, const struct net_device *dev,
		     struct sdp_nic_key *old)
{
	struct sdp_nic_health *health = &rpc->pctx->nic;
	void __rcu **slot = sdp_tx_nic(&rpc->seal);
	struct sdp_nic_secret secret;
	struct sdp_nic_key *key;

	if (time_before(jiffies, READ_ONCE(health->key_at)))
		return;
	if (old)
		WRITE_ONCE(health->key_at, jiffies + KEY_AGAIN);
	secret.cipher = sdp_tx_secret(&rpc->seal, secret.key, secret.iv);
	key = sdp_nic_key_make(dev, &secret, rpc->who.sn->counts);
	memzero_explicit(&secret, sizeof(secret));
	if (!key) {
		WRITE_ONCE(health->key_at, jiffies + KEY_AGAIN);
		return;
	}
	if (unrcu_pointer(cmpxchg(slot, RCU_INITIALIZER((void *)old),
				  RCU_INITIALIZER((void *)key))) == old)
		key = old;
	sdp_nic_key_drop(key);
}

static bool has_key(struct sdp_rpc *rpc, const struct net_device *dev)
{
	struct sdp_nic_key *key = key_of_message(rpc);

	if (likely(sdp_nic_key_ready(key, dev)))
		return true;
	if (key && !sdp_nic_key_stale(key, dev))
		sdp_nic_key_want(key);
	else
		make_key(rpc, dev, key);
	return false;
}

/*
 * Nothing but IPv4 may come between us and the device: who encrypts or wraps packets
 * would take plaintext for what it is not. A NIC tells packets of a segment by IPv4's
 * identification, which is nobody else's only where no router fragments.
 */
static bool fits_route(const struct sdp_rpc *rpc, const struct dst_entry *dst)
{
	return rpc->peer->v4 && !dst_xfrm(dst) && !dst->lwtstate &&
	       sdp_route_whole(rpc->ep->sk, dst);
}

static struct sk_buff *__maybe_unused last_look(struct sock *sk, struct net_device *dev,
						 struct sk_buff *skb);

static enum sdp_counter sealer_on(struct sdp_rpc *rpc, const struct dst_entry *dst,
				  u32 length)
{
	enum sdp_nic_ability ability = sdp_nic_can(dst->dev, sdp_tx_cipher(&rpc->seal));

	if (ability == SDP_NIC_NOTHING)
		return SDP_CTR_seal_cpu_no_nic;
	if (ability == SDP_NIC_PACKETS && length + MAX_HEADER > dst_mtu(dst))
		return SDP_CTR_seal_cpu_cut;
	if (!fits_route(rpc, dst))
		return SDP_CTR_seal_cpu_route;
	if (is_off(&rpc->pctx->nic))
		return SDP_CTR_seal_cpu_off;
	if (!has_key(rpc, dst->dev))
		return SDP_CTR_seal_cpu_no_key;
	return SDP_CTR_seal_nic;
}

enum sdp_counter sdp_nic_sealer(struct sdp_rpc *rpc, u32 length)
{
	enum sdp_counter sealer = SDP_CTR_seal_cpu_no_nic;
	struct sdp_route route;

	if (likely(length < READ_ONCE(rpc->who.sn->set.nic_min_bytes)))
		return SDP_CTR_seal_cpu_small;
	if (!attached || !sdp_offload_any())
		return sealer;
	if (sdp_tx_cipher(&rpc->seal) == SDP_CIPHER_CHACHA20_POLY1305 ||
	    !sdp_tx_atomic(&rpc->seal))
		return SDP_CTR_seal_cpu_cipher;
	rcu_read_lock();
	if (!sdp_peer_route(rpc->peer, rpc->ep->sk, &route)) {
		sealer = sealer_on(rpc, route.dst, length);
		sdp_route_end(&route);
	}
	rcu_read_unlock();
	if (sealer == SDP_CTR_seal_nic && !sdp_nic_ip_guard(rpc->who.sn))
		sealer = SDP_CTR_seal_cpu_memory;
	if (sealer != SDP_CTR_seal_nic)
		note_sealer(rpc, false);
#ifdef CONFIG_SOCK_VALIDATE_XMIT
	if (sealer == SDP_CTR_seal_nic)
		/* Before there is any packet that needs it; it stays. */
		smp_store_release(&rpc->ep->sk->sk_validate_xmit_skb, last_look);
#endif
	return sealer;
}

u32 sdp_nic_records(const struct sdp_rpc *rpc, const struct mtp_insn *insn,
		    const struct dst_entry *dst, u32 offset, u32 end, u32 payload)
{
	u32 size = rpc->tx.chunk_size, first = offset / size, last, room = payload;
	struct sdp_nic_key *key = key_of_message(rpc);

	if (insn->flags & (MTP_TX_RETRANSMIT | MTP_TX_AUTH | MTP_TX_SMALL | MTP_TX_ONE) ||
	    offset % size || !fits_route(rpc, dst) || !sdp_nic_key_ready(key, dst->dev))
		return 0;
	if (sdp_nic_key_cuts(key))
		room = sdp_segment_limit(dst->dev, sizeof(struct iphdr) +
					 sizeof(struct sdp_secure_data_hdr), payload);
	last = end == rpc->tx.length ? rpc->tx.chunks : end / size;
	if (rpc->tx.length <= room)
		room = rpc->tx.chunks * size;
	return sdp_plain_run(rpc, first, min3(last - first, room / size,
					      (u32)MAX_SKB_FRAGS));
}

bool sdp_nic_seal(struct sdp_rpc *rpc, const struct mtp_insn *insn, u32 offset,
		  u32 length)
{
	u32 size = rpc->tx.chunk_size, first = offset / size;
	u32 count = (offset + length - 1) / size - first + 1;
	bool again = insn->flags & (MTP_TX_RETRANSMIT | MTP_TX_AUTH);
	u32 plain = again ? sdp_plain_count(rpc, first, count) : 0;

	/* What the CPU has sealed before is nothing that a NIC has cost. */
	if (plain)
		asked_again(rpc, plain, insn->flags & MTP_TX_AUTH);
	if (!sdp_plain_seal(rpc, first, count, again ? SDP_CTR_seal_cpu_again :
			    SDP_CTR_seal_cpu_device))
		return true;
	sdp_count(rpc->who.sn->counts, SDP_CTR_tx_errors);
	return false;
}

void sdp_nic_mark_segment(struct sk_buff *skb, u32 payload, u32 bytes)
{
	sdp_nic_mark(skb, true);
	if (bytes > payload)
		sdp_segment_mark_device(skb, payload, bytes);
}

/**
 * struct plain_packet - what a packet for a NIC turned out to be.
 * @rpc:     whose, held.
 * @first:   record.
 * @records: how many.
 */
struct plain_packet {
	struct sdp_rpc *rpc;
	u32 first;
	u32 records;
};

static const struct sdp_secure_data_hdr *header_of(const struct sk_buff *skb)
{
	return (const void *)skb_transport_header(skb);
}

/* IPv4 without options, then our header, and nothing else before the fragments. */
static bool well_formed(const struct sk_buff *skb)
{
	const struct sdp_secure_data_hdr *hdr;
	const struct iphdr *ip;

	if (skb->encapsulation || !skb_transport_header_was_set(skb) ||
	    skb->protocol != htons(ETH_P_IP) ||
	    skb_network_offset(skb) < -(int)skb_headroom(skb) ||
	    skb_transport_offset(skb) + (int)sizeof(*hdr) != (int)skb_headlen(skb) ||
	    skb_transport_header(skb) - skb_network_header(skb) != sizeof(*ip))
		return false;
	ip = ip_hdr(skb);
	hdr = header_of(skb);
	return ip->version == 4 && ip->ihl == 5 &&
	       ip->protocol == skb->sk->sk_protocol &&
	       ip->frag_off == htons(IP_DF) &&
	       hdr->common.type == (SDP_TYPE_DATA | SDP_TYPE_SECURE) &&
	       hdr->common.doff == SDP_DOFF_SECURE_DATA;
}

static u32 place_in(const struct sdp_secure_data_hdr *hdr)
{
	return ntohl(hdr->common.sequence) & ~SDP_PLACE_INDEXED;
}

/* As it was made: its place may have been changed, which no tag covers. */
static u32 records_in(const struct sk_buff *skb, const struct sdp_rpc *rpc, u32 *first)
{
	u32 place = place_in(header_of(skb)), size = rpc->tx.chunk_size;

	if (place % size)
		return 0;
	*first = place / size;
	return sdp_txbuf_holds(&rpc->tx, skb, *first);
}

/* False: dropped is all that is left; counted. */
static bool look_at(const struct sk_buff *skb, struct plain_packet *packet)
{
	struct sdp_counts __percpu *counts = sdp_counts(sock_net(skb->sk));

	if (!well_formed(skb)) {
		sdp_count(counts, SDP_CTR_nic_drop_packet);
		return false;
	}
	packet->rpc = sdp_plain_find(skb->sk, header_of(skb));
	if (!packet->rpc) {
		sdp_count(counts, SDP_CTR_nic_drop_stale);
		return false;
	}
	packet->records = records_in(skb, packet->rpc, &packet->first);
	if (packet->records)
		return true;
	sdp_count(counts, SDP_CTR_nic_drop_packet);
	sdp_rpc_put(packet->rpc);
	return false;
}

/* The sealed records in place of the plain ones, in a copy that is cut by the kernel. */
static struct sk_buff *copy_with(struct sk_buff *skb, const struct plain_packet *packet)
{
	/* A GSO callback has taken off the headers before ours. */
	u32 pulled = skb->data - skb_mac_header(skb), i;
	struct sdp_txbuf *tx = &packet->rpc->tx;
	struct sdp_secure_data_hdr *hdr;
	struct sock *sk = skb->sk;
	struct sk_buff *copy;

	__skb_push(skb, pulled);
	copy = __pskb_copy(skb, skb_headroom(skb), GFP_ATOMIC);
	__skb_pull(skb, pulled);
	if (!copy)
		return NULL;
	__skb_pull(copy, pulled);
	for (i = 0; i < packet->records; i++) {
		skb_frag_t *frag = &skb_shinfo(copy)->frags[i];

		skb_frag_unref(copy, i);
		get_page(tx->sealed[packet->first + i]);
		skb_frag_fill_page_desc(frag, tx->sealed[packet->first + i],
					SDP_BUFFER_LEAD, skb_frag_size(frag));
	}
	skb_shinfo(copy)->flags |= SKBFL_SHARED_FRAG;
	sdp_nic_mark(copy, false);
	if (unlikely(!refcount_add_not_zero(copy->truesize, &sk->sk_wmem_alloc))) {
		kfree_skb(copy);
		return NULL;
	}
	copy->sk = sk;
	copy->destructor = sock_wfree;
	hdr = (void *)skb_transport_header(copy);
	hdr->common.sequence &= ~htonl(SDP_PLACE_INDEXED);
	if (skb_is_gso(copy))
		sdp_segment_mark_kernel(copy);
	return copy;
}

static struct sk_buff *seal_packet(struct sk_buff *skb, const struct plain_packet *packet,
				   enum sdp_counter reason)
{
	struct sdp_counts __percpu *counts = packet->rpc->who.sn->counts;
	struct sk_buff *copy = NULL;

	if (!sdp_plain_seal(packet->rpc, packet->first, packet->records, reason))
		copy = copy_with(skb, packet);
	if (!copy)
		sdp_count(counts, SDP_CTR_nic_drop_busy);
	return copy;
}

struct sk_buff *sdp_nic_seal_packet(struct sk_buff *skb)
{
	struct plain_packet packet;
	struct sk_buff *copy;

	/* Without an owner there is nobody to ask: the kernel drops those, too. */
	if (!skb->sk || !sk_fullsock(skb->sk) || !look_at(skb, &packet))
		return NULL;
	copy = seal_packet(skb, &packet, SDP_CTR_seal_cpu_cut);
	sdp_rpc_put(packet.rpc);
	return copy;
}

/* May it go to the device as it is? */
static enum sdp_counter who_seals(const struct sk_buff *skb, struct net_device *dev,
				  const struct plain_packet *packet)
{
	struct sdp_nic_key *key = key_of_message(packet->rpc);
	netdev_features_t features;

	if (!sdp_nic_key_ready(key, dev))
		return SDP_CTR_seal_cpu_device;
	/* As the kernel, which cuts, or copies into one piece, after this. */
	features = netif_skb_features((struct sk_buff *)skb);
	if (skb_is_gso(skb) &&
	    (!sdp_nic_key_cuts(key) || netif_needs_gso((struct sk_buff *)skb, features)))
		return SDP_CTR_seal_cpu_cut;
	if (!(features & NETIF_F_SG))
		return SDP_CTR_seal_cpu_device;
	if (!sdp_nic_ready(key, skb_get_queue_mapping(skb)))
		return SDP_CTR_seal_cpu_no_context;
	return SDP_CTR_seal_nic;
}

/*
 * sk_validate_xmit_skb: the packet is about to be handed to a device, after routing, qdisc
 * and the choice of a queue. Under a queue's or a qdisc's lock, BH disabled.
 */
static struct sk_buff *last_look(struct sock *sk, struct net_device *dev,
				 struct sk_buff *skb)
{
	struct plain_packet packet;
	enum sdp_counter sealer;
	struct sk_buff *copy;

	if (likely(!skb_is_decrypted(skb)))
		return skb;
	if (!look_at(skb, &packet)) {
		kfree_skb(skb);
		return NULL;
	}
	sealer = who_seals(skb, dev, &packet);
	copy = skb;
	if (sealer != SDP_CTR_seal_nic) {
		note_sealer(packet.rpc, false);
		copy = seal_packet(skb, &packet, sealer);
		if (copy)
			consume_skb(skb);
		else
			kfree_skb(skb);
	}
	sdp_rpc_put(packet.rpc);
	return copy;
}

/* For the driver: is it one of ours? */
static bool is_marked(const struct sk_buff *skb)
{
#ifdef CONFIG_SOCK_VALIDATE_XMIT
	return skb->sk && sk_fullsock(skb->sk) &&
	       READ_ONCE(skb->sk->sk_validate_xmit_skb) == last_look;
#else
	return false;
#endif
}

/* Each record, before it is the device's; nothing where nonces are not audited. */
static void audit(const struct plain_packet *packet)
{
	const struct sdp_txbuf *tx = &packet->rpc->tx;
	struct scatterlist sg;
	u32 i, length;

	if (!IS_ENABLED(CONFIG_KUNIT))
		return;
	for (i = packet->first; i < packet->first + packet->records; i++) {
		length = sdp_txbuf_record_length(tx, i) - SDP_RECORD_TAG;
		sg_init_one(&sg, sdp_txbuf_frame(tx, i), length);
		sdp_tx_left(&packet->rpc->seal, i, &sg, length);
	}
}

static int segment_of(const struct sk_buff *skb, struct net_device *dev, u16 queue,
		      struct sdp_offload_segment *segment)
{
	struct plain_packet packet;
	int err;

	if (!look_at(skb, &packet))
		return -EINVAL;
	segment->record = sdp_tx_record(&packet.rpc->seal, packet.first);
	segment->records = packet.records;
	segment->headers = skb_headlen(skb);
	err = sdp_nic_take(key_of_message(packet.rpc), dev, queue, segment);
	if (!err) {
		audit(&packet);
		kept(packet.rpc, packet.records);
	}
	sdp_rpc_put(packet.rpc);
	return err;
}

void sdp_nic_end_key(void *nic)
{
	sdp_nic_key_end(nic);
}

bool sdp_nic_seals(struct sdp_session *session, const void *nic, u64 *records)
{
	const struct sdp_pctx *pctx = sdp_session_transport(session);

	*records = nic ? sdp_nic_key_records(nic) : 0;
	return READ_ONCE(pctx->nic.sealing);
}

static const struct sdp_offload_transport transport = {
	.marked = is_marked,
	.segment = segment_of,
	.posted = sdp_nic_posted,
	.gone = sdp_nic_gone,
};

void sdp_nic_exit_net(struct sdp_net *sn)
{
	/* They count in what ends with the namespace. */
	sdp_nic_wait_gone(sn->counts);
	sdp_nic_ip_exit_net(sn);
}

int sdp_nic_attach(void)
{
	int err = sdp_offload_attach(&transport);

	if (!err)
		attached = true;
	/* Another transport has the NICs: this one goes without. */
	return err == -EBUSY ? 0 : err;
}

void sdp_nic_detach(void)
{
	if (attached)
		sdp_offload_detach();
	attached = false;
}
