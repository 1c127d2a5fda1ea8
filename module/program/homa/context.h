/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Contexts of the Homa program: state that the target keeps, zeroed at its
 * creation, and hands to chains under its lock. Only chains write to it.
 */
#ifndef SDP_PROGRAM_HOMA_CONTEXT_H
#define SDP_PROGRAM_HOMA_CONTEXT_H

#include "../params.h"

/* Separate holes that the received part of a message may have. */
#define HOMA_GAPS 16
/* Acknowledgements that wait for a packet to ride in. */
#define HOMA_ACKS 5
/*
 * While there is memory, a server waits so many ns (or need_ack_ns) for a response to
 * be acknowledged by the client's next request: asking costs as much as a small RPC.
 */
#define HOMA_ACK_LATE_NS 1000000000ull
/* Numbers of requests (id / 2) that at-most-once remembers in one context. */
#define PROG_CLIENT_NUMBERS 1024
/*
 * Times that a client starts a request over on RPC_UNKNOWN, in all, and after how
 * many of them the time between two doubles.
 */
#define HOMA_RESTARTS 40
#define HOMA_RESTARTS_DOUBLE 4
/*
 * Times that a question waits for another RPC's, in a row, and how often that time
 * doubles.
 */
#define HOMA_PUT_OFF 8
#define HOMA_PUT_OFF_DOUBLES 5
/*
 * BUSY in a row: the time between two questions doubles that often. Whatever made
 * it longer, it is at most so many ns (or resend_ns, need_ack_ns).
 */
#define HOMA_BUSY_DOUBLES 7
#define HOMA_PATIENCE_MAX 1000000000ull
/* So a client has given up, or is another, that has asked for as long as this. */
#define HOMA_RETRY_NS (HOMA_RESTARTS * HOMA_PATIENCE_MAX)
/* Silence: the time between two questions doubles up to dead_ns >> this. */
#define HOMA_SILENCE_SHIFT 3
#define HOMA_SILENCE_DOUBLES 16

/*
 * Ranks. Of PROG_RANK_GRANT, the target lets clear messages win at most half of
 * the places while secure ones wait.
 */
enum prog_rank {
	PROG_RANK_GRANT,	/* key: bytes remaining */
	PROG_RANK_FIFO,		/* key: time of birth */
	PROG_RANK_SEND,		/* key: bytes left to send */
	PROG_RANKS
};

/*
 * States of an RPC. OUT, IN and REPLY have a timer pending, always; READY and
 * SERVICE wait for the application of this host, FAILED too.
 */
enum homa_state {
	HOMA_NEW,	/* created, nothing known */
	HOMA_OUT,	/* client: request going out, nothing of the response */
	HOMA_IN,	/* part of the peer's message is here */
	HOMA_READY,	/* the peer's message is complete, not taken */
	HOMA_SERVICE,	/* server: the application has the request */
	HOMA_REPLY,	/* server: response going out, or not acknowledged */
	HOMA_FAILED,	/* client: the application has to be told */
	HOMA_OVER,	/* ended; the target has been told (CTX_END) */
	HOMA_STATES
};

/**
 * struct homa_range - bytes [@start, @end) of a message.
 */
struct homa_range {
	u32 start;
	u32 end;
};

/**
 * struct prog_rpc - one RPC at one of its ends.
 * @active:      when the peer was last heard, or it became its turn.
 * @asked:       when we last asked (RESEND, NEED_ACK).
 * @born:        when the message that is being received began.
 * @resent_since: start of the interval that @resent counts.
 * @tx_length:   bytes of our message.
 * @tx_ready:    bytes of it that may be sent (sealed).
 * @tx_unsched:  bytes of it that need no grant.
 * @tx_granted:  bytes of it that the peer lets us send.
 * @tx_sent:     bytes of it sent at least once.
 * @resent:      bytes sent again in this interval.
 * @rx_length:   bytes of the peer's message; 0: not known.
 * @rx_unsched:  bytes of it that come without a grant.
 * @rx_granted:  bytes of it that the peer may send.
 * @rx_end:      end of the last byte received.
 * @rx_received: bytes received.
 * @rx_settled:  @rx_received when the host context last heard of it.
 * @held:        bytes of it that the host context counts as incoming.
 * @gaps:        number of @gap.
 * @gap:         holes below @rx_end, in order.
 * @gap_auth:    bit i: @gap[i] is filled by authenticated packets only.
 * @state:       enum homa_state.
 * @server:      we are the RPC's server.
 * @secure:      secure mode.
 * @verified:    the received message has been opened, whole.
 * @ranked:      in the ranks of messages that want grants.
 * @queued:      in PROG_RANK_SEND.
 * @asking:      the peer owes an answer to this RPC.
 * @offered:     CUTOFFS have been sent for this RPC.
 * @tries:       questions since the peer was last heard.
 * @put_off:     times that another RPC's question went first.
 * @patience:    times that the time between two questions is doubled, as the
 *               peer has answered BUSY, or had no room for the request, in a row.
 * @restarts:    times that the request was started over.
 * @tx_prio:     of unscheduled data.
 * @tx_sched_prio: of scheduled data.
 * @rx_prio:     of the last grant.
 */
struct prog_rpc {
	u64 active;
	u64 asked;
	u64 born;
	u64 resent_since;
	u32 tx_length;
	u32 tx_ready;
	u32 tx_unsched;
	u32 tx_granted;
	u32 tx_sent;
	u32 resent;
	u32 rx_length;
	u32 rx_unsched;
	u32 rx_granted;
	u32 rx_end;
	u32 rx_received;
	u32 rx_settled;
	u32 held;
	u8 state;
	u8 server;
	u8 secure;
	u8 verified;
	u8 ranked;
	u8 queued;
	u8 asking;
	u8 offered;
	u8 tries;
	u8 put_off;
	u8 patience;
	u8 restarts;
	u8 tx_prio;
	u8 tx_sched_prio;
	u8 rx_prio;
	u8 gaps;
	u16 gap_auth;
	struct homa_range gap[HOMA_GAPS];
};

/**
 * struct prog_client - a client (address and port) at a server, clear mode: which
 * of PROG_CLIENT_NUMBERS requests that follow each other have been received whole.
 * Their number is an id / 2.
 * @received: when one was last received whole, or a long one ended.
 * @seen:     then, or when one of them was last refused as it had been received.
 * @done:     bit number % 64 of word number / 64 % 16: it has been received.
 */
struct prog_client {
	u64 received;
	u64 seen;
	u64 done[PROG_CLIENT_NUMBERS / 64];
};

/**
 * struct homa_ack - an RPC that can be acknowledged.
 * @id:   as the client sees it.
 * @port: of its server.
 */
struct homa_ack {
	u64 id;
	u16 port;
};

/**
 * struct prog_peer - a peer address (clear), or a session (secure).
 * @asked:          when a RESEND last went to this peer.
 * @asker:          RPC id of that RESEND, while it is not answered.
 * @cutoffs:        what the peer wants us to use for unscheduled data.
 * @cutoff_version: of @cutoffs, 0: none yet. For the header of DATA.
 * @asking:         a RESEND is not answered.
 * @unanswered:     RESENDs since the peer was last heard.
 * @acks:           number of @ack.
 * @ack:            acknowledgements to send.
 */
struct prog_peer {
	u64 asked;
	u64 asker;
	u32 cutoffs[PROG_PRIOS];
	u16 cutoff_version;
	u8 asking;
	u8 unanswered;
	u8 acks;
	struct homa_ack ack[HOMA_ACKS];
};

/**
 * struct prog_host - a network namespace. Index 0 is clear, 1 secure.
 * @held:        sum of the held bytes of all RPCs.
 * @fifo_credit: bytes that the oldest message may be granted.
 * @ranked:      RPCs that want grants.
 * @denied:      a winner of the class got nothing: kick it when that changes.
 */
struct prog_host {
	u64 held[2];
	u64 fifo_credit;
	u32 ranked[2];
	u8 denied[2];
};

/**
 * struct prog_scratch - what processors of one chain pass on. Need not be
 * initialised.
 * @fresh: the event created the RPC.
 * @stop:  TIMEOUT: nothing to do any more.
 * @count: of @range.
 * @auth:  bit i: @range[i] needs authenticated packets.
 * @range: gaps while they are rewritten.
 */
struct prog_scratch {
	u32 fresh;
	u32 stop;
	u32 count;
	u32 auth;
	struct homa_range range[HOMA_GAPS + 1];
};

#endif /* SDP_PROGRAM_HOMA_CONTEXT_H */
