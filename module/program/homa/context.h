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
/* Times that a client starts a request over on RPC_UNKNOWN, in all. */
#define HOMA_RESTARTS 40
/*
 * Restarts, and answers that bring nothing, in a row, after which packets are
 * taken to be too large for the path; and answers after which the RPC ends.
 */
#define HOMA_TRY_SMALL 4
/*
 * Why packets are small: so the peer context says, or this message's do not arrive, which
 * it has not heard of yet.
 */
#define HOMA_SMALL_TOLD 1
#define HOMA_SMALL_FOUND 2
#define HOMA_BARREN 24
/*
 * Times that a question waits for another RPC's, in a row, and how often that time
 * doubles.
 */
#define HOMA_PUT_OFF 8
#define HOMA_PUT_OFF_DOUBLES 5
/* Questions of a peer's RPCs beside one that has no answer yet, where packets are lost. */
#define HOMA_BESIDE 3
/* Answers for which that holds, from one that shows a loss on. */
#define HOMA_LOSES 4
/*
 * The time between two questions doubles with each that has no answer, and with
 * each BUSY, up to so many times; but not beyond so many ns because of that.
 */
#define HOMA_DOUBLES 12
#define HOMA_PATIENCE_MAX 1000000000ull
/*
 * But up to so many while the peer says BUSY to one whose message it knows: by far less
 * than it remembers that it has executed a request (forget_ns).
 */
#define HOMA_BUSY_MAX 2000000000ull
/* So a client has given up, or is another, that has asked for as long as this. */
#define HOMA_RETRY_NS (HOMA_RESTARTS * HOMA_PATIENCE_MAX)
/* The time to ask doubles so many times while what is asked for comes twice. */
#define HOMA_SPURIOUS_MAX 3
/*
 * How often a quarter of the path time is doubled, as RFC 8985 does, while packets come that were
 * taken for lost: up to all of it. It halves after so many that were lost (RFC 8985, 16).
 */
#define HOMA_LATE_MAX 2
#define HOMA_LATE_LOST 16
/*
 * When so many bytes more have been asked for repeatedly than have come, it is not chance
 * that loses them, but that we ask for more than the path lets through.
 */
#define HOMA_DEBT 131072
/* And it is forgotten so many ns after the last loss. */
#define HOMA_DEBT_NS 4000000000ull
/* Ticks between two arrivals that tell how long to wait for the next, at most. */
#define HOMA_PACE_MAX 500000
/* These bits of a gap's time count how often it has been asked for, from one on. */
#define HOMA_ASKED 15
/*
 * Bits of the time of the last question: there is one; and what comes may be the
 * answer to one before.
 */
#define HOMA_SOUGHT 1
#define HOMA_SOUGHT_AGAIN 2
#define HOMA_SOUGHT_MASK 3
/* The rate of late is that of so many bytes, or ticks. */
#define HOMA_RATE_BYTES 65536
#define HOMA_RATE_TICKS (1 << 22)
/* A peer is dead after so many ns at the earliest. */
#define HOMA_DEAD_MIN 3000000000ull
/*
 * An RPC ends that has heard nothing for so many times that, though its peer
 * lives.
 */
#define HOMA_FORSAKEN 40
/* Where nothing is missing: ns from silence to the question whether the peer lives. */
#define HOMA_IDLE_NS 400000000ull
/* The time between two such questions doubles up to so many ns while the peer answers. */
#define HOMA_IDLE_MAX 4000000000ull

/*
 * An address that has echoed what it was told counts as its sender's for so many ns;
 * in the second half of that, its echoes are looked at again.
 */
#define HOMA_PROVEN_NS 600000000000ull
/* So many wrong echoes in HOMA_SHUT_NS, and none is believed for as long. */
#define HOMA_WRONGS 8
#define HOMA_SHUT_NS 60000000000ull
/* What an address that is not proven gets, for each byte that came from it. */
#define HOMA_AMPLIFY 3
/* At most so many bytes are saved up for that. */
#define HOMA_BUDGET_MAX 0x10000u
/* At least the headers of a DATA packet, that of IP included. */
#define HOMA_HEADERS 96

/*
 * Ranks. Of PROG_RANK_GRANT, the target lets clear messages win at most half of
 * the places while secure ones wait; of PROG_RANK_LEND there is a place for each of
 * both.
 */
enum prog_rank {
	PROG_RANK_GRANT,	/* key: bytes remaining */
	PROG_RANK_FIFO,		/* key: time of birth */
	PROG_RANK_SEND,		/* key: bytes left to send */
	PROG_RANK_LEND,		/* key: bytes remaining; place: see lend.h */
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

/* Clear requests from addresses that may be forged (prove.h). */
enum homa_strange {
	HOMA_KNOWN,	/* shown to be the client's, or of no importance */
	HOMA_STRANGE,	/* what is sent is within the peer's budget */
	HOMA_HELD,	/* and the response is not, it waits */
};

/**
 * struct homa_range - bytes [@start, @end) of a message.
 * @due: when to ask for them (again), in ticks (path.h), but for HOMA_ASKED; 0: they
 *       have just been found missing.
 */
struct homa_range {
	u32 start;
	u32 end;
	u32 due;
};

/**
 * struct prog_rpc - one RPC at one of its ends.
 * @active:      when the peer was last heard, or it became its turn.
 * @asked:       when we last asked (RESEND, NEED_ACK).
 * @first:       when we asked the first of the questions without an answer.
 * @timed:       when the grant went out whose first byte is waited for, or 0.
 * @sought:      when the bytes up to @part were asked for, in ticks but for
 *               HOMA_SOUGHT_*; or 0: they have come.
 * @born:        when the message that is being received began.
 * @resent_since: start of the interval that @resent counts.
 * @tail:        when the last byte sent so far went out last.
 * @tx_length:   bytes of our message.
 * @tx_ready:    bytes of it that may be sent (sealed).
 * @tx_unsched:  bytes of it that need no grant.
 * @tx_granted:  bytes of it that the peer lets us send.
 * @tx_sent:     bytes of it sent at least once, since the request was started over.
 * @tx_over:     bytes of it that had been sent before that.
 * @resent:      bytes sent again in this interval.
 * @rx_timed:    end of what was granted before @timed.
 * @rx_before:   end of what was granted before the last grant.
 * @rx_step:     bytes after whose arrival the host context hears of it.
 * @rx_grown:    @rx_received when the window was last looked at.
 * @moved:       when bytes last arrived, in ticks.
 * @pace:        longest time between two arrivals of late, in ticks.
 * @spent:       ticks in which @came bytes came, of late.
 * @came:        see @spent.
 * @part:        end of what was last asked for.
 * @rx_length:   bytes of the peer's message; 0: not known.
 * @rx_unsched:  bytes of it that come without a grant.
 * @rx_granted:  bytes of it that the peer may send.
 * @rx_stale:    end of what was granted and did not come in time; 0: nothing.
 * @rx_end:      end of the last byte received.
 * @rx_received: bytes received.
 * @rx_settled:  @rx_received when the host context last heard of it.
 * @lent:        until then a quantum is lent to the message (lend.h), in ticks; 0: none.
 * @held:        bytes of it that the host context counts as incoming.
 * @gaps:        number of @gap.
 * @gap:         holes below @rx_end, in order.
 * @gap_auth:    bit i: @gap[i] is filled by authenticated packets only.
 * @state:       enum homa_state.
 * @server:      we are the RPC's server.
 * @secure:      secure mode.
 * @verified:    the received message has been opened, whole.
 * @ranked:      in the ranks of messages that want grants.
 * @barred:      wins nothing before more has come: so many bytes come without a grant that
 *               there is nothing to grant.
 * @announces:   the host context counts those of its unscheduled bytes as announced that had
 *               not come when it last heard of it.
 * @waiting:     in PROG_RANK_LEND, too.
 * @doubted:     the quantum was lent although the peer had let one lapse.
 * @queued:      in PROG_RANK_SEND.
 * @asking:      the peer owes an answer to this RPC.
 * @offered:     CUTOFFS have been sent for this RPC.
 * @tries:       questions since the peer was last heard.
 * @barren:      answers in a row that brought nothing.
 * @again:       times that the end of our message was sent again.
 * @lost:        what was asked for after the last byte received had to be sent
 *               again: so will the rest.
 * @begged:      bytes of the message have been asked for.
 * @copies:      bytes have come twice after that.
 * @late:        a packet that had been asked for was only late.
 * @small:       our packets are small, for larger ones seem not to arrive:
 *               HOMA_SMALL_*, or zero.
 * @cut:         the path let fewer bytes go unscheduled than would be usual.
 * @shrunk:      the peer context has heard of a loss of this message.
 * @put_off:     times that another RPC's question went first.
 * @patience:    times that the time between two questions is doubled, as the
 *               peer has answered BUSY, or does not know the request, in a row.
 * @known:       the peer has said BUSY about our message, and not RPC_UNKNOWN since.
 * @restarts:    times that the request was started over.
 * @strange:     server, in the clear: nobody has shown that the client has the address
 *               that it gives; enum homa_strange.
 * @tx_prio:     of unscheduled data.
 * @tx_sched_prio: of scheduled data.
 * @rx_prio:     of the last grant.
 */
struct prog_rpc {
	u64 active;
	u64 asked;
	u64 first;
	u64 timed;
	u64 born;
	u64 resent_since;
	u64 tail;
	u32 tx_length;
	u32 tx_ready;
	u32 tx_unsched;
	u32 tx_granted;
	u32 tx_sent;
	u32 tx_over;
	u32 resent;
	u32 rx_length;
	u32 rx_unsched;
	u32 rx_granted;
	u32 rx_stale;
	u32 rx_end;
	u32 rx_received;
	u32 rx_settled;
	u32 rx_timed;
	u32 rx_before;
	u32 rx_step;
	u32 rx_grown;
	u32 moved;
	u32 pace;
	u32 spent;
	u32 came;
	u32 part;
	u32 sought;
	u32 lent;
	u32 held;
	u8 state;
	u8 server;
	u8 secure;
	u8 verified;
	u8 ranked;
	u8 barred : 1;
	u8 announces : 1;
	u8 waiting;
	u8 doubted;
	u8 queued;
	u8 asking;
	u8 offered;
	u8 tries;
	u8 barren;
	u8 again;
	u8 lost;
	u8 begged;
	u8 copies;
	u8 late;
	u8 small;
	u8 cut;
	u8 shrunk;
	u8 put_off;
	u8 patience;
	u8 known;
	u8 restarts;
	u8 strange;
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
 * @heard:          when the peer last answered any RPC, as far as we were told.
 * @path:           smoothed time that a packet and its answer take, ns; 0: not
 *                  measured.
 * @path_var:       how far it varies, ns.
 * @path_least:     the shortest time measured, ns.
 * @shrunk:         when @window was last halved.
 * @small_until:    packets to the peer are small until then.
 * @small_again:    times that this time is doubled when large ones fail again.
 * @asked:          when a RESEND last went to this peer.
 * @asker:          RPC id of that RESEND, while it is not answered.
 * @proven:         clear: until then, who sends from the address has it.
 * @shut:           clear: no echo is believed before.
 * @wrong_since:    when the first of @wrong came.
 * @holds:          since when @holding is not 0.
 * @spent:          time for which it has held any of late, ns.
 * @aged:           when @spent was last halved.
 * @holding:        sum of the held bytes of its messages.
 * @waiting:        its messages in PROG_RANK_LEND.
 * @places:         places there that it has had.
 * @budget:         clear: bytes that may go to the address while it is not proven.
 * @window:         bytes of it that one message may have granted and not received;
 *                  0: as many as settings say.
 * @queues:         the last grant took far longer than the shortest.
 * @threshold:      below it, @window grows with each byte that arrives.
 * @credit:         bytes that have arrived since @window last grew.
 * @unsched:        bytes that go to it without a grant; 0: as settings say.
 * @debt:           bytes that were asked for more than once, less those that have come.
 * @cutoffs:        what the peer wants us to use for unscheduled data.
 * @cutoff_version: of @cutoffs, 0: none yet. For the header of DATA.
 * @asking:         a RESEND is not answered.
 * @beside:         RESENDs of other RPCs since then.
 * @guessed:        @path may be too long by far: the next that is measured replaces it.
 * @loses:          answers to come that are taken as if they showed a loss.
 * @spurious:       times that the time to ask is doubled, as what we asked for had
 *                  been on its way.
 * @late:           times that the time until a hole is asked for is doubled, as packets
 *                  overtake each other by more.
 * @lost:           holes since then that were lost.
 * @unanswered:     RESENDs since the peer was last heard.
 * @wrongs:         number of @wrong.
 * @wrong:          wrong echoes of late, each once: who knows the one before last
 *                  repeats it, who guesses does not.
 * @lapsed:         the last quantum that was lent to it did not come in time.
 * @acks:           number of @ack.
 * @ack:            acknowledgements to send.
 */
struct prog_peer {
	u64 heard;
	u64 path;
	u64 path_var;
	u64 path_least;
	u64 shrunk;
	u64 small_until;
	u64 asked;
	u64 asker;
	u64 proven;
	u64 shut;
	u64 wrong_since;
	u64 holds;
	u64 spent;
	u64 aged;
	u32 holding;
	u32 waiting;
	u32 places;
	u32 budget;
	u32 window;
	u32 threshold;
	u32 credit;
	u32 unsched;
	u32 debt;
	u32 cutoffs[PROG_PRIOS];
	u16 cutoff_version;
	u8 asking;
	u8 beside;
	u8 guessed;
	u8 loses;
	u8 spurious;
	u8 late;
	u8 lost;
	u8 queues;
	u8 unanswered;
	u8 small_again;
	u8 wrongs;
	u8 lapsed;
	u16 wrong[HOMA_WRONGS];
	u8 acks;
	struct homa_ack ack[HOMA_ACKS];
};

/**
 * struct prog_host - a network namespace. Index 0 is clear, 1 secure.
 * @held:        sum of the held bytes of all RPCs.
 * @announced:   likewise of what those that want grants announce.
 * @fifo_credit: bytes that the oldest message may be granted.
 * @ranked:      RPCs that want grants.
 * @denied:      a winner of the class got nothing: kick it when that changes.
 * @lent:        quanta that are lent.
 * @doubted:     of these, those lent to peers that had let one lapse.
 * @round:       since when @came is counted, ns.
 * @came:        bytes that have come since then, but for those that are lent.
 * @owed:        bytes that were held then.
 * @slow:        in the round before, less than half of them came.
 */
struct prog_host {
	u64 held[2];
	u64 announced[2];
	u64 fifo_credit;
	u64 round;
	u64 came[2];
	u64 owed[2];
	u32 ranked[2];
	u32 lent[2];
	u32 doubted[2];
	u8 denied[2];
	u8 slow[2];
};

/**
 * struct prog_scratch - what processors of one chain pass on. Need not be
 * initialised.
 * @fresh: the event created the RPC.
 * @stop:  TIMEOUT: nothing to do any more.
 * @silent: TIMEOUT: the peer has been silent for too long.
 * @count: of @range.
 * @auth:  bit i: @range[i] needs authenticated packets.
 * @range: gaps while they are rewritten.
 */
struct prog_scratch {
	u32 fresh;
	u32 stop;
	u32 silent;
	u32 count;
	u32 auth;
	struct homa_range range[HOMA_GAPS + 1];
};

#endif /* SDP_PROGRAM_HOMA_CONTEXT_H */
