// SPDX-License-Identifier: Apache-2.0
// The simulator's executor: chains and their instructions.
#include <algorithm>
#include <cstring>

#include "sim.hpp"

namespace sim {

namespace {

constexpr size_t max_turns = 20000;
constexpr u64 minute_ns = 60'000 * ms;

bool creates(u32 kind)
{
	return kind == PROG_EV_SEND_REQUEST || kind == PROG_EV_REQUEST_NEW_CLEAR ||
	       kind == PROG_EV_REQUEST_NEW_SECURE;
}

// Clear, secure.
std::vector<std::shared_ptr<Rpc>> first_of_each(const std::vector<std::shared_ptr<Rpc>> &order)
{
	std::vector<std::shared_ptr<Rpc>> won;

	for (const bool kind : {false, true}) {
		const auto first =
			std::find_if(order.begin(), order.end(), [kind](const auto &rpc) {
				return std::get<1>(rpc->key) == kind;
			});
		if (first != order.end())
			won.push_back(*first);
	}
	return won;
}

// The best member of the group that an RPC is of.
const Rpc *best_of(const Host &h, u32 rank, const Key &key)
{
	const Rpc *best = nullptr;

	for (const auto &[other, rpc] : h.rpcs)
		if (rpc->in_rank[rank] && std::get<0>(other) == std::get<0>(key) &&
		    std::get<1>(other) == std::get<1>(key) &&
		    (best == nullptr || rpc->rank_key[rank] < best->rank_key[rank]))
			best = rpc.get();
	return best;
}

} // namespace

// Contexts that the event does not name are not there; scratch memory is dirty.
mtp_out World::dispatch(Host &h, Rpc *rpc, prog_peer *peer, prog_ev &ev, u32 kind)
{
	const u32 contexts = prog_event_contexts(kind);
	prog_scratch scratch;
	mtp_out out;

	std::memset(static_cast<void *>(&scratch), 0xa5, sizeof(scratch));
	std::memset(static_cast<void *>(&out), 0xa5, sizeof(out));
	ev.kind = static_cast<u8>(kind);
	ev.now = now();
	prog_client *client = nullptr;
	if ((contexts & MTP_CTX_CLIENT) != 0)
		client = &h.clients[{std::get<0>(rpc->key),
				     std::get<2>(rpc->key) / 2 / PROG_CLIENT_NUMBERS}];
	homa_run(&ev, &h.params, (contexts & MTP_CTX_RPC) != 0 ? &rpc->ctx : nullptr, client,
		 (contexts & MTP_CTX_PEER) != 0 ? peer : nullptr,
		 (contexts & MTP_CTX_HOST) != 0 ? &h.ctx : nullptr, &scratch, &out);
	events++;
	count[prog_event_name(kind)]++;
	if (out.verdict > 0)
		count[std::string("drop ") + prog_drop_name(static_cast<u32>(out.verdict))]++;
	check_out(rpc, out, ev);
	return out;
}

void World::keep(Host &h, Rpc &rpc, const mtp_insn &insn, const prog_ev &ev, const Packet *packet)
{
	check(packet != nullptr, "RX_ADD without a packet");
	check(insn.a >= ev.offset && insn.b <= ev.offset + ev.length && insn.a < insn.b,
	      "RX_ADD outside of the packet");
	check(insn.b <= rpc.in.length, "RX_ADD outside of the message");
	if (!broken.empty())
		return;
	check(std::memchr(&rpc.in.here[insn.a], 1, insn.b - insn.a) == nullptr, "RX_ADD overlaps");
	std::memset(&rpc.in.here[insn.a], 1, insn.b - insn.a);
	std::memset(&rpc.in.corrupt[insn.a], packet->corrupt ? 1 : 0, insn.b - insn.a);
	rpc.in.got += insn.b - insn.a;
	charge(h, rpc, insn.b - insn.a);
	rpc.forged |= packet->forged;
}

void World::apply(Host &h, const std::shared_ptr<Rpc> &rpc, const mtp_out &out, const prog_ev &ev,
		  const Packet *packet, std::vector<mtp_insn> &later, std::vector<u32> &raised)
{
	const auto [peer, secure, id] = rpc->key;

	for (u32 i = 0; i < out.count; i++) {
		const mtp_insn &insn = out.insn[i];
		check_insn(h, *rpc, insn, ev);
		switch (insn.op) {
		case MTP_RX_NEW:
			check(rpc->in.length == 0, "RX_NEW twice");
			rpc->in.length = insn.a;
			rpc->in.here.assign(insn.a, 0);
			rpc->in.corrupt.assign(insn.a, 0);
			break;
		case MTP_RX_ADD:
			keep(h, *rpc, insn, ev, packet);
			break;
		case MTP_RX_FLUSH:
			lose(*rpc, insn.a, insn.b);
			break;
		case MTP_TIMER_SET:
			set_timer(h, rpc, insn.key);
			break;
		case MTP_TIMER_CANCEL:
			rpc->deadline = 0;
			break;
		case MTP_RANK_SET:
			rpc->in_rank[insn.what] = true;
			rpc->rank_key[insn.what] = insn.key;
			elect(h, insn.what, rpc.get(), false);
			break;
		case MTP_RANK_CLEAR:
			rpc->in_rank[insn.what] = false;
			elect(h, insn.what, nullptr, false);
			break;
		case MTP_RANK_KICK:
			elect(h, insn.what, nullptr, true);
			break;
		case MTP_RANK_PLACE: {
			u64 &place = h.place[insn.what][{peer, secure}];
			const bool sooner = insn.key < place;
			place = insn.key;
			elect(h, insn.what, sooner ? best_of(h, insn.what, rpc->key) : nullptr,
			      false);
			break;
		}
		case MTP_RAISE:
			raised.push_back(insn.what);
			break;
		case MTP_CTX_END:
			rpc->ended = true;
			break;
		case MTP_NOTIFY:
		case MTP_TX_DATA:
		case MTP_PACKET:
		case MTP_ACK:
			later.push_back(insn);
			break;
		default:
			check(insn.op == MTP_TX_FLUSH || insn.op == MTP_CTX_KEEP,
			      "unknown instruction");
		}
	}
}

int World::exec(Host &h, const std::shared_ptr<Rpc> &rpc, prog_ev ev, u32 kind,
		const Packet *packet)
{
	std::vector<mtp_insn> later;
	std::vector<u32> raised;
	const u32 before = rpc->ctx.state;
	const int peer = std::get<0>(rpc->key);

	ev.id = std::get<2>(rpc->key);
	ev.secure = std::get<1>(rpc->key) ? 1 : 0;
	ev.port = static_cast<u16>(1000 + ((ev.id & 1) != 0 ? h.number : peer));
	ev.paced = settings.paced ? 1 : 0;
	ev.record = ev.secure != 0 ? settings.record : 0;
	prog_peer &peer_ctx = h.peers[{peer, std::get<1>(rpc->key)}];
	mtp_out out = dispatch(h, rpc.get(), &peer_ctx, ev, kind);
	if (out.verdict != 0) {
		if (creates(kind))
			h.rpcs.erase(rpc->key);
		rpc->ended = rpc->ended || creates(kind);
		check_host(h);
		return out.verdict;
	}
	if (packet != nullptr)
		rpc->heard = now();
	apply(h, rpc, out, ev, packet, later, raised);
	for (size_t i = 0; i < raised.size(); i++) {
		ev.length = 0;
		const mtp_out more = dispatch(h, rpc.get(), &peer_ctx, ev, raised[i]);
		check(more.verdict == 0, "a raised event is refused");
		apply(h, rpc, more, ev, nullptr, later, raised);
	}
	check_rpc(*rpc, kind);
	if (rpc->ended) {
		check_end(h, *rpc, before, kind);
		rpc->deadline = 0;
		uncharge(h, *rpc);
		h.rpcs.erase(rpc->key);
		for (u32 rank = 0; rank < PROG_RANKS; rank++) {
			if (rpc->in_rank[rank] && rpc->position[rank] == 0)
				served(h, rank, *rpc);
			rpc->in_rank[rank] = false;
			elect(h, rank, nullptr, false);
		}
	}
	check_host(h);
	carry_out(h, rpc, later);
	give_turns(h);
	return 0;
}

void World::carry_out(Host &h, const std::shared_ptr<Rpc> &rpc, const std::vector<mtp_insn> &later)
{
	for (size_t i = 0; i < later.size(); i++) {
		const mtp_insn &insn = later[i];
		if (insn.op == MTP_TX_DATA) {
			transmit(h, *rpc, insn);
		} else if (insn.op == MTP_PACKET) {
			Packet packet = control(h, rpc->key, insn);
			while (i + 1 < later.size() && later[i + 1].op == MTP_ACK) {
				i++;
				packet.acks.emplace_back(later[i].key, later[i].a);
			}
			if (allows(h, *rpc, bytes_of(packet)))
				send(packet);
		} else if (insn.op == MTP_NOTIFY) {
			notify(h, rpc, insn);
		}
	}
}

void World::transmit(Host &h, Rpc &rpc, const mtp_insn &insn)
{
	const auto [peer, secure, id] = rpc.key;
	prog_peer &peer_ctx = h.peers[{peer, secure}];
	const bool small = (insn.flags & MTP_TX_SMALL) != 0;
	const u32 most = small ? std::min<u32>(settings.payload, MTP_SMALL) : settings.payload;
	const bool one = (insn.flags & MTP_TX_ONE) != 0;
	const u32 end = one ? std::min(insn.b, insn.a + most) : insn.b;
	u32 start = insn.a;
	Packet empty;

	empty.secure = secure;
	empty.type = type_data;
	if (!allows(h, rpc,
		    end - start + bytes_of(empty) * std::max((end - start + most - 1) / most, 1U)))
		return;
	if ((insn.flags & MTP_TX_RETRANSMIT) != 0)
		retransmitted += end - start;
	do {
		Packet packet;
		packet.from = h.number;
		packet.to = peer;
		packet.secure = secure;
		packet.type = type_data;
		packet.prio = insn.prio;
		packet.again = (insn.flags & MTP_TX_RETRANSMIT) != 0;
		packet.id = id ^ 1;
		packet.ev.offset = start;
		packet.ev.length = std::min(end - start, most);
		packet.ev.message_length = rpc.ctx.tx_length;
		packet.ev.incoming = insn.c;
		packet.ev.cutoff_version = static_cast<u16>(prog_peer_cutoff_version(&peer_ctx));
		packet.ev.auth = (insn.flags & MTP_TX_AUTH) != 0 ? 1 : 0;
		if (secure && settings.layer.says_payload)
			packet.ev.payload = static_cast<u16>(most);
		packet.ev.record = secure ? settings.record : 0;
		packet.ev.again = packet.again ? 1 : 0;
		start += packet.ev.length;
		if (prog_peer_acks(&peer_ctx) != 0) {
			prog_ev take{};
			take.length = secure ? 5 : 1;
			const mtp_out out =
				dispatch(h, nullptr, &peer_ctx, take, PROG_EV_TAKE_ACKS);
			check(out.count <= take.length, "too many acknowledgements taken");
			for (u32 i = 0; i < out.count; i++)
				packet.acks.emplace_back(out.insn[i].key, out.insn[i].a);
		}
		send(packet);
	} while (start < end);
}

Packet World::control(const Host &h, const Key &key, const mtp_insn &insn)
{
	Packet packet;
	packet.from = h.number;
	packet.to = std::get<0>(key);
	packet.secure = std::get<1>(key);
	packet.type = insn.what;
	packet.prio = h.params.prios - 1U;
	packet.id = std::get<2>(key) ^ 1;
	packet.number = ++numbers_;
	packet.ev.offset = insn.a;
	packet.ev.length = insn.b;
	packet.ev.prio = insn.prio;
	packet.ev.auth = (insn.flags & MTP_TX_AUTH) != 0 ? 1 : 0;
	packet.ev.before = (insn.flags & MTP_TX_BEFORE) != 0 ? 1 : 0;
	packet.ev.error = static_cast<s32>(insn.a);
	for (size_t i = 0; i < PROG_PRIOS; i++)
		packet.ev.cutoffs[i] = h.params.cutoffs[i];
	packet.ev.cutoff_version = h.params.cutoff_version;
	if (settings.prove && !packet.secure)
		packet.ev.cutoff_version = told(h.number, packet.to, now() / minute_ns);
	return packet;
}

// Not 0, and nobody else's.
u16 World::told(int by, int to, u64 minute) const
{
	return static_cast<u16>(1000 + 100 * (minute % 600) + 10 * static_cast<u64>(by) +
				static_cast<u64>(to));
}

// A clear packet of DATA has come: what the kernel tells the program of it.
void World::look(Host &h, const Rpc &rpc, prog_ev &ev, const Packet &packet, bool fresh)
{
	const prog_peer &peer = h.peers[{packet.from, false}];
	const u64 minute = now() / minute_ns;

	if (!settings.prove || packet.secure)
		return;
	ev.echo = ev.cutoff_version != 0 ? PROG_ECHO_SPARED : PROG_ECHO_WRONG;
	if (fresh && prog_peer_fresh(&peer, now()) != 0)
		return;
	if (fresh)
		ev.strange = prog_peer_proven(&peer, now()) != 0 ? 0 : 1;
	else if (prog_rpc_strange(&rpc.ctx) == 0)
		return;
	ev.echo = ev.cutoff_version == told(h.number, packet.from, minute) ||
				  (minute > 0 &&
				   ev.cutoff_version == told(h.number, packet.from, minute - 1))
			  ? PROG_ECHO_RIGHT
			  : PROG_ECHO_WRONG;
	ev.wire = bytes_of(packet);
}

// May a packet, or several, go to an address that may be forged? The bound is kept
// account of here once more.
bool World::allows(Host &h, const Rpc &rpc, u32 bytes)
{
	const int peer = std::get<0>(rpc.key);
	prog_peer &known = h.peers[{peer, false}];

	if (std::get<1>(rpc.key) || prog_rpc_strange(&rpc.ctx) == 0)
		return true;
	const bool proven = prog_peer_proven(&known, now()) != 0;
	if (prog_peer_spend(&known, bytes, now()) == 0)
		return false;
	auto &[came, went] = h.traded[peer];
	went += proven ? 0 : bytes;
	check(went <= 3 * came, "more than three times the bytes go to a strange address");
	return true;
}

void World::set_timer(Host &h, const std::shared_ptr<Rpc> &rpc, u64 deadline)
{
	check(deadline > now(), "a timer in the past");
	if (rpc->deadline == deadline)
		return;
	rpc->deadline = deadline;
	at(deadline, [this, &h, rpc, deadline] {
		if (rpc->ended || rpc->deadline != deadline)
			return;
		rpc->deadline = 0;
		exec(h, rpc, prog_ev{}, PROG_EV_TIMEOUT);
	});
}

// The best member of each group, groups in order; clear ones win at most half
// of the places while secure ones wait: of a single one every other turn, where
// members are not grouped, else none.
std::vector<std::shared_ptr<Rpc>> World::winners(Host &h, u32 rank)
{
	std::map<std::pair<int, bool>, std::shared_ptr<Rpc>> best;
	int singles = 0;
	bool secure_waits = false;
	bool clear_waits = false;

	for (auto &[key, rpc] : h.rpcs) {
		if (!rpc->in_rank[rank])
			continue;
		std::pair<int, bool> group{std::get<0>(key), std::get<1>(key)};
		if (prog_rank_grouped(rank) == 0)
			group = {singles++, false};
		(std::get<1>(key) ? secure_waits : clear_waits) = true;
		auto &first = best[group];
		if (!first || rpc->rank_key[rank] < first->rank_key[rank])
			first = rpc;
	}
	std::vector<std::shared_ptr<Rpc>> order;
	order.reserve(best.size());
	for (auto &[group, rpc] : best)
		order.push_back(rpc);
	const auto place = [&h, rank](const std::shared_ptr<Rpc> &rpc) {
		const auto found =
			h.place[rank].find({std::get<0>(rpc->key), std::get<1>(rpc->key)});
		return std::pair{found == h.place[rank].end() ? 0 : found->second,
				 rpc->rank_key[rank]};
	};
	std::stable_sort(order.begin(), order.end(),
			 [&place](const auto &a, const auto &b) { return place(a) < place(b); });
	if (prog_rank_apart(rank) != 0)
		return first_of_each(order);
	const size_t limit = prog_rank_winners(rank, &h.params);
	const bool clear_turn = limit == 1 && clear_waits && h.owed[rank];
	const size_t most_clear = secure_waits && !clear_turn ? limit / 2 : limit;
	std::vector<std::shared_ptr<Rpc>> won;
	size_t clear = 0;
	for (auto &rpc : order) {
		const bool secure = std::get<1>(rpc->key);
		if (won.size() == limit)
			break;
		if (secure ? clear_turn : clear >= most_clear)
			continue;
		clear += secure ? 0 : 1;
		won.push_back(rpc);
	}
	return won;
}

// A winner has had its turn: the next one may be the other kind's.
void World::served(Host &h, u32 rank, const Rpc &rpc)
{
	h.owed[rank] = std::get<1>(rpc.key) && prog_rank_grouped(rank) == 0;
}

void World::elect(Host &h, u32 rank, const Rpc *set, bool kick)
{
	if (rank == PROG_RANK_SEND) {
		pace(h);
		return;
	}
	for (auto &[key, rpc] : h.rpcs)
		if (rpc->position[rank] == 0 && (kick || rpc.get() == set || !rpc->in_rank[rank]))
			served(h, rank, *rpc);
	const auto won = winners(h, rank);
	for (auto &[key, rpc] : h.rpcs) {
		const auto place = std::find(won.begin(), won.end(), rpc);
		const int position =
			place == won.end() ? -1 : static_cast<int>(place - won.begin());
		if (position >= 0 && (kick || rpc.get() == set || rpc->position[rank] != position))
			turns_.push_back({&h, {rpc, rank}});
		rpc->position[rank] = position;
	}
}

void World::give_turns(Host &h)
{
	if (giving_)
		return;
	giving_ = true;
	for (size_t i = 0; i < turns_.size(); i++) {
		const auto [host, turn] = turns_[i];
		const auto &[rpc, rank] = turn;
		if (rpc->ended || rpc->position[rank] < 0)
			continue;
		prog_ev ev{};
		ev.position = static_cast<u16>(rpc->position[rank]);
		ev.winners = static_cast<u16>(winners(*host, rank).size());
		exec(*host, rpc, ev, prog_rank_event(rank));
		if (i > max_turns) {
			breaks("turns without end");
			break;
		}
	}
	turns_.clear();
	giving_ = false;
	check_host(h);
}

// The device's queue is kept short: it takes some 3,000 bytes at a time.
void World::pace(Host &h)
{
	constexpr u64 backlog_ns = 5 * us;

	if (h.pacing || winners(h, PROG_RANK_SEND).empty())
		return;
	h.pacing = true;
	const u64 waits = network_.up(h.number).backlog_ns();
	at(now() + std::max(1 * us, waits - std::min(waits, backlog_ns)), [this, &h] {
		h.pacing = false;
		const auto won = winners(h, PROG_RANK_SEND);
		if (won.empty())
			return;
		prog_ev ev{};
		ev.length = chance(0.1) ? 0 : 2 * settings.payload;
		served(h, PROG_RANK_SEND, *won[0]);
		exec(h, won[0], ev, PROG_EV_SEND_TURN);
		pace(h);
	});
}

} // namespace sim
