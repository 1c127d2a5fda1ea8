/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events: what a target fills in before it dispatches one. The words are those of
 * RPCs and their packets; all programs share them and may ignore some.
 *
 * Each kind of event has its own fields, listed here; all others are ignored
 * and need not be set. @now, @kind are always set, and @id, @port wherever an
 * RPC is involved: also in events that a chain raises (MTP_RAISE), which see
 * the fields of the event that raised them, @length and @kind apart.
 *
 * Application
 *   SEND_REQUEST   message_length, length, prio, unsched, small, record, paced,
 *                  secure. The RPC is fresh; a verdict means it is not kept.
 *   SEND_RESPONSE  message_length, length, prio, unsched, small, record, paced,
 *                  scarce; of an RPC that is strange (prog_rpc_strange()): strange,
 *                  budget
 *                  @length is how many bytes are ready (sealed) so far, @prio
 *                  what prog_peer_prio() says for @message_length, @unsched and
 *                  @small what prog_peer_unsched() and prog_peer_small() say.
 *   READY_MORE     length (bytes ready so far), paced
 *   VERIFIED       the whole secure message has been opened; it stays for now
 *   RECORD_BAD     offset, length, final: these bytes did not open
 *   DELIVERED      ack_now, verified. The application has taken the message, or the failure
 *   ABORT          error: positive errno for the application, or 0: forget
 *   TAKE_ACKS      length: give up at most that many MTP_ACK (1 clear, 5 secure)
 * Network, the RPC exists
 *   DATA           offset, length (payload), message_length, incoming,
 *                  cutoff_version, auth, again, payload, record; in clear mode
 *                  echo, wire
 *   PROOF          cutoff_version, echo, wire, paced: DATA for an RPC that waits for
 *                  just that (prog_rpc_proving()), in place of DATA
 *   GRANT          offset, prio, resend_all, paced
 *   RESEND         offset, length, prio, auth (the flag "bad record"), record,
 *                  paced; in clear mode wire
 *   RPC_UNKNOWN    before, paced
 *   BUSY NEED_ACK
 *   ACK            the RPC is acknowledged: one event for each of the packet's
 *   ABORT_PACKET   error (positive), secure mode only
 *   ICMP_ERROR     error (positive), clear mode only
 * Network, a request whose RPC has just been created: as DATA
 *   REQUEST_NEW_CLEAR (and strange), REQUEST_NEW_SECURE
 * Network, a request for which there is no memory (answers as for no RPC)
 *   REQUEST_REFUSED
 * Network, no RPC (a PACKET goes back to the source, for the RPC of @id)
 *   CUTOFFS        cutoffs, cutoff_version
 *   STRAY_DATA (a response) STRAY_GRANT STRAY_UNKNOWN STRAY_BUSY STRAY_ACK
 *   STRAY_RESEND   before
 *   STRAY_NEED_ACK server_port in @port
 * Timer and ranks
 *   TIMEOUT        paced
 *   GRANT_TURN     position, winners, record
 *   FIFO_TURN      record
 *   SEND_TURN      length: bytes that may be sent now
 * Raised by chains only
 *   REQUEST_DONE ACK_LATER PEER_ALIVE GRANT_SETTLE HOLE PATH ECHO
 *
 * A message that is sent with @paced set waits in PROG_RANK_SEND for its
 * SEND_TURN, unless it is short (prog_params.pace_bytes).
 */
#ifndef SDP_PROGRAM_EVENT_H
#define SDP_PROGRAM_EVENT_H

#include "mtp.h"

#define PROG_PRIOS 8

/*
 * What a clear packet's cutoff version says, if the target looks: one that goes out in
 * CUTOFFS to one address, and that nobody else can know, shows that the sender has
 * that address.
 */
enum prog_echo {
	PROG_ECHO_PLAIN,	/* that of the settings, or not; shows nothing */
	PROG_ECHO_SPARED,	/* not looked at, not 0 */
	PROG_ECHO_RIGHT,	/* as we told this address of late */
	PROG_ECHO_WRONG,	/* another, or 0 */
};

/**
 * struct prog_ev - an event.
 * @now:            time of the event, ns, of one monotonic clock.
 * @id:             RPC id as this host sees it (even: we are the client).
 * @offset:         first byte that the event is about.
 * @length:         bytes that the event is about.
 * @message_length: bytes of the whole message.
 * @incoming:       bytes that the sender will send without more grants.
 * @record:         bytes of a record of a secure message: grants and unscheduled
 *                  bytes end at multiples of it; 0: not secure.
 * @unsched:        most bytes that the path takes without a grant; 0: no limit known.
 * @cutoffs:        of a CUTOFFS packet.
 * @wire:           bytes of the packet with all headers.
 * @budget:         of the peer's address, see prog_peer_budget().
 * @error:          positive errno.
 * @cutoff_version: version of cutoffs that the sender uses, or offers.
 * @port:           port of the RPC's server.
 * @position:       place among the winners of a rank, from 0.
 * @winners:        how many winners the rank has now.
 * @payload:        bytes that the sender puts into a packet; 0: it does not say.
 * @kind:           enum prog_event.
 * @prio:           priority.
 * @secure:         secure mode.
 * @auth:           authenticated form of DATA; bad record in RESEND.
 * @paced:          the device's queue is kept short: wait for SEND_TURN.
 * @final:          RECORD_BAD: the record failed in authenticated form too.
 * @before:         RPC_UNKNOWN, STRAY_RESEND: delivered before.
 * @resend_all:     GRANT: send again from the start.
 * @verified:       DELIVERED: the whole secure message has been opened: of one that is
 *                  taken at once there is no VERIFIED.
 * @ack_now:        DELIVERED: a response is acknowledged at once.
 * @scarce:         SEND_RESPONSE: memory for responses that are not acknowledged is
 *                  half used up.
 * @small:          the path passes small packets only.
 * @again:          DATA: marked as a retransmission.
 * @echo:           enum prog_echo.
 * @strange:        nobody has shown that the source address is the sender's.
 */
struct prog_ev {
	u64 now;
	u64 id;
	u32 offset;
	u32 length;
	u32 message_length;
	u32 incoming;
	u32 record;
	u32 unsched;
	u32 cutoffs[PROG_PRIOS];
	u32 wire;
	u32 budget;
	s32 error;
	u16 cutoff_version;
	u16 port;
	u16 position;
	u16 winners;
	u16 payload;
	u8 kind;
	u8 prio;
	u8 secure;
	u8 auth;
	u8 paced;
	u8 final;
	u8 before;
	u8 resend_all;
	u8 verified;
	u8 ack_now;
	u8 scarce;
	u8 small;
	u8 again;
	u8 echo;
	u8 strange;
};

/* RESEND: nothing of the message has arrived, its length is not known. */
#define PROG_LENGTH_ALL 0xffffffffu

/*
 * Control packets, by their type on the wire (secure: | 0x40). Instruction
 * PACKET and its fields:
 *   GRANT        a: offset, prio
 *   RESEND       a: offset, b: length, prio, flags: MTP_TX_AUTH (bad record)
 *   RPC_UNKNOWN  flags: MTP_TX_BEFORE
 *   CUTOFFS      our own cutoffs, from struct prog_params; and the version, from
 *                there or the target's for this address (enum prog_echo)
 *   ACK          for the RPC itself; the MTP_ACK instructions that follow at
 *                once are its further entries
 *   ABORT        a: reason (positive errno); secure mode only
 *   BUSY, NEED_ACK
 */
enum prog_packet {
	PROG_PACKET_GRANT = 0x11,
	PROG_PACKET_RESEND = 0x12,
	PROG_PACKET_RPC_UNKNOWN = 0x13,
	PROG_PACKET_BUSY = 0x14,
	PROG_PACKET_CUTOFFS = 0x15,
	PROG_PACKET_NEED_ACK = 0x17,
	PROG_PACKET_ACK = 0x18,
	PROG_PACKET_ABORT = 0x19,
};

/*
 * errno values that chains use, the generic ones of Linux; the target asserts
 * that they are the kernel's.
 */
#define PROG_EINVAL 22
#define PROG_EBADMSG 74
#define PROG_EMSGSIZE 90
#define PROG_ECONNRESET 104
#define PROG_ETIMEDOUT 110

#endif /* SDP_PROGRAM_EVENT_H */
