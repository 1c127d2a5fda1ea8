/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sending: number a message, seal its records, make packet headers.
 *
 * sdp_seal_begin() freezes everything; then each record once, in any order,
 * with sdp_seal_record(); then packets with sdp_tx_header(). What a message
 * needs for its life is struct sdp_tx, in the RPC; struct sdp_seal is only for
 * the call that seals.
 */
#ifndef SDP_RECORD_SEAL_H
#define SDP_RECORD_SEAL_H

#include <linux/scatterlist.h>

#include "head.h"
#include "layout.h"
#include "message.h"
#include "session.h"

/**
 * struct sdp_seal - a message while it is being sealed; on the stack.
 * @tx:       the message.
 * @app_len:  bytes of application data.
 * @head_len: bytes of @head.
 * @record_size: of the session.
 * @records:  number of records.
 * @head:     encoded message header.
 */
struct sdp_seal {
	struct sdp_tx *tx;
	u32 app_len;
	u32 head_len;
	u32 record_size;
	u32 records;
	u8 head[SDP_MESSAGE_HEAD_MAX];
};

/**
 * sdp_seal_begin() - give a message its number, and fix its header and layout.
 * @session: for a request, the session found for the peer; for a response,
 *           NULL: that of @request.
 * @tx:      zeroed.
 * @seal:    filled in.
 * @head:    @app_len, @rpc_id, @num_acks, @acks count; the rest is ignored.
 * @request: for a response: the received request; for a request: NULL.
 * @pad:     bytes of padding after the application data.
 *
 * Moves to the next epoch where the limits ask for it. A number that was given
 * is burnt. End with sdp_tx_end() even if sealing fails.
 *
 * Context: process, may sleep. Return: 0; -EMSGSIZE (too many records), -EAGAIN
 * (the window is full; ops->window tells when not), -EKEYEXPIRED, -ECONNRESET
 * (the session has been removed).
 */
int sdp_seal_begin(struct sdp_session *session, struct sdp_tx *tx,
		   struct sdp_seal *seal, const struct sdp_message_head *head,
		   const struct sdp_rx *request, u32 pad);

/**
 * sdp_seal_unspend() - a message was begun, but no memory found: who tries again and again
 *	shall not use up the key.
 * @seal: of which nothing has been sealed, nor will be. Its number stays burnt.
 */
void sdp_seal_unspend(const struct sdp_seal *seal);

/**
 * sdp_seal_lead() - bytes before a record's application data in its buffer.
 * @seal:  from sdp_seal_begin().
 * @index: of the record.
 */
static inline u32 sdp_seal_lead(const struct sdp_seal *seal, u32 index)
{
	return SDP_RECORD_HEADER + (index ? 0 : seal->head_len);
}

/**
 * sdp_seal_app_length() - bytes of application data that a record takes.
 * @seal:  from sdp_seal_begin().
 * @index: of the record.
 */
static inline u32 sdp_seal_app_length(const struct sdp_seal *seal, u32 index)
{
	return sdp_layout_app_length(seal->record_size, seal->tx->sealed,
				     seal->head_len, seal->app_len, index);
}

/**
 * sdp_seal_buffer() - bytes of the buffer that a record is sealed from.
 * @seal:  from sdp_seal_begin().
 * @index: of the record.
 *
 * Record header and inner plaintext. Never more than
 * SDP_RECORD_HEADER + record size.
 */
static inline u32 sdp_seal_buffer(const struct sdp_seal *seal, u32 index)
{
	return sdp_layout_wire_length(seal->record_size, seal->tx->sealed,
				      index) - SDP_RECORD_TAG;
}

/**
 * sdp_seal_record() - seal one record.
 * @seal:  from sdp_seal_begin().
 * @index: of the record; each once.
 * @buf:   linear kernel memory (kmalloc or pages) of sdp_seal_buffer() bytes;
 *         application data stands at sdp_seal_lead(), the rest is written
 *         here. It holds plaintext: the caller frees or wipes it.
 * @dst:   where the record goes, not @buf: sdp_layout_wire_length() bytes. NULL: @buf has
 *         as many, and takes it.
 *
 * Context: process, may sleep. Return: 0; -ECONNRESET (session removed);
 * -ENOMEM, or what the cipher driver says. Nothing of it may be sent then,
 * and the message has to be given up.
 */
int sdp_seal_record(struct sdp_seal *seal, u32 index, u8 *buf,
		    struct scatterlist *dst);

/**
 * sdp_seal_inner() - seal a record whose plaintext is ready in place: the CPU
 *	as owner of a segment that was meant for a NIC, once per record.
 * @tx:    the message.
 * @index: of the record.
 * @src:   record header, inner plaintext (type byte last): @len bytes.
 * @dst:   other memory, or the same list: @len + SDP_RECORD_TAG bytes.
 * @len:   bytes, record header included.
 * @atomic: may not sleep.
 *
 * Context: any if @atomic, otherwise process. Return: 0; -EAGAIN (atomic, and the
 * cipher cannot run now: from process context it can); -ECONNRESET; what the
 * cipher driver says.
 */
int sdp_seal_inner(struct sdp_tx *tx, u32 index, struct scatterlist *src,
		   struct scatterlist *dst, unsigned int len, bool atomic);

/**
 * sdp_seal_plain() - make a record's plaintext without sealing it, for a NIC.
 * @seal:  from sdp_seal_begin().
 * @index: of the record.
 * @buf:   as for sdp_seal_record().
 */
void sdp_seal_plain(const struct sdp_seal *seal, u32 index, u8 *buf);

/**
 * sdp_tx_header() - complete the header of a DATA packet or segment.
 * @tx:    the message.
 * @hdr:   ports, sequence, sender id, incoming, cutoff_version, flags and
 *         packet_payload are set; writes the constants, message length,
 *         session, message number, epoch and tag.
 *
 * Context: any.
 */
void sdp_tx_header(const struct sdp_tx *tx, struct sdp_secure_data_hdr *hdr);

/**
 * sdp_tx_named() - does a header name this message?
 * @tx:  the message; may be ended, or not begun.
 * @hdr: anything; its tag is not looked at.
 *
 * Context: any.
 */
bool sdp_tx_named(const struct sdp_tx *tx, const struct sdp_secure_data_hdr *hdr);

/**
 * sdp_tx_made() - is a header, which somebody sends back, one of this message?
 * @tx:  the message; may be ended, or not begun.
 * @hdr: its tag is checked, with whatever segmentation and NICs change left out.
 *
 * Context: any.
 */
bool sdp_tx_made(const struct sdp_tx *tx, const struct sdp_secure_data_hdr *hdr);

/**
 * sdp_tx_authenticate() - put the trailer of the authenticated form on a packet.
 * @tx:  the message.
 * @sg:  the header from sdp_tx_header() (flag SDP_DATA_AUTHENTICATED), payload,
 *       and room for struct sdp_data_trailer: written here. The first entry
 *       holds at least the header, the last exactly the trailer.
 * @len: bytes of all of it.
 *
 * Context: any. Return: 0, -EKEYEXPIRED, -ECONNRESET.
 */
int sdp_tx_authenticate(struct sdp_tx *tx, struct scatterlist *sg,
			unsigned int len);

/**
 * sdp_tx_heard() - an authenticated packet shows that the peer has some of it.
 * @tx: the message. Any number of times.
 *
 * Not what was sent without having a packet of it, such as a question why there
 * is none: the receiver may be in the epoch before.
 *
 * Context: BH disabled. Return: whether that was news.
 */
bool sdp_tx_heard(struct sdp_tx *tx);

/**
 * sdp_tx_end() - the message is not needed any more, or failed.
 * @tx: the message; may be ended, or not begun. Drops the epoch.
 *
 * Context: any.
 */
void sdp_tx_end(struct sdp_tx *tx);

/**
 * sdp_tx_nic() - where the target keeps what it has on a NIC for a message's epoch.
 * @tx: begun, not ended.
 */
void __rcu **sdp_tx_nic(const struct sdp_tx *tx);

/**
 * sdp_tx_secret() - what a NIC seals a message's records with.
 * @tx:  begun, not ended.
 * @key: SDP_KDF_KEY_MAX bytes are written.
 * @iv:  SDP_KDF_IV bytes, likewise. The caller wipes both.
 *
 * Return: SDP_CIPHER_*.
 */
u16 sdp_tx_secret(const struct sdp_tx *tx, u8 *key, u8 *iv);

/** sdp_tx_cipher() - SDP_CIPHER_* of a begun message. */
u16 sdp_tx_cipher(const struct sdp_tx *tx);

/** sdp_tx_atomic() - can sdp_seal_inner() do without process context? */
bool sdp_tx_atomic(const struct sdp_tx *tx);

/**
 * sdp_tx_record() - the record number of a message's record.
 * @tx:    begun, not ended.
 * @index: of the record.
 */
u64 sdp_tx_record(const struct sdp_tx *tx, u32 index);

/**
 * sdp_tx_left() - a NIC is about to seal a record: for the nonce audit.
 * @tx:    begun, not ended.
 * @index: of the record.
 * @src:   as for sdp_seal_inner().
 * @len:   likewise.
 */
void sdp_tx_left(const struct sdp_tx *tx, u32 index, struct scatterlist *src,
		 unsigned int len);

/**
 * sdp_tx_suspect() - records that a NIC has sealed do not open at the peer: the next
 *	message moves on to the next epoch, at most once in SDP_EPOCH_ASK.
 * @tx: begun, not ended.
 */
void sdp_tx_suspect(const struct sdp_tx *tx);

/**
 * sdp_tx_sealer() - another seals a session's messages from here on: for who traces it.
 * @tx:  of a begun message.
 * @nic: a NIC, not the CPU.
 *
 * Context: any.
 */
void sdp_tx_sealer(const struct sdp_tx *tx, bool nic);

#endif /* SDP_RECORD_SEAL_H */
