// SPDX-License-Identifier: Apache-2.0
// The simulator's network and applications.
#include <algorithm>

#include "sim_fixed.hpp"

namespace sim {

namespace {

constexpr u64 take_ns = 3 * us;

u64 generation_key(const Host &h, u64 id)
{
	return id | h.generation << 40;
}

// Control packets whose RPC exists, and those whose does not.
u32 event_of(u32 type, bool exists)
{
	switch (type) {
	case PROG_PACKET_GRANT:
		return exists ? PROG_EV_GRANT : PROG_EV_STRAY_GRANT;
	case PROG_PACKET_RESEND:
		return exists ? PROG_EV_RESEND : PROG_EV_STRAY_RESEND;
	case PROG_PACKET_RPC_UNKNOWN:
		return exists ? PROG_EV_RPC_UNKNOWN : PROG_EV_STRAY_UNKNOWN;
	case PROG_PACKET_BUSY:
		return exists ? PROG_EV_BUSY : PROG_EV_STRAY_BUSY;
	case PROG_PACKET_NEED_ACK:
		return exists ? PROG_EV_NEED_ACK : PROG_EV_STRAY_NEED_ACK;
	case PROG_PACKET_ABORT:
		return exists ? PROG_EV_ABORT_PACKET : PROG_EV_STRAY_UNKNOWN;
	default:
		return exists ? PROG_EV_ACK : PROG_EV_STRAY_ACK;
	}
}

} // namespace

World::World(const Settings &s)
	: settings(s),
	  random_(s.seed),
	  network_(s.hosts, s.nic, s.link, s.back.value_or(s.link), clock_, s.seed + 1)
{
	hosts_.resize(static_cast<size_t>(s.hosts));
	for (int i = 0; i < s.hosts; i++) {
		host(i).number = i;
		prog_params_init(&host(i).params);
	}
	if (s.fixed < 0)
		return;
	const int fixed = s.fixed;
	host(fixed).fixed = std::make_shared<FixedPeer>(
		fixed, s.payload,
		FixedPeer::Around{
			clock_, [this](Packet packet) { send(std::move(packet)); },
			[this, fixed](u64 id, int error) { finish(fixed, false, id, error); },
			[this, fixed](int peer, u64 id) {
				return response_length_.at({fixed, peer, false, id});
			},
			s.service_ns});
}

bool World::chance(double p)
{
	return p > 0 && std::uniform_real_distribution<double>(0, 1)(random_) < p;
}

void World::run_until(u64 when)
{
	while (clock_.next() <= when && broken.empty())
		clock_.step();
	clock_.skip(when);
}

void World::run(u64 limit)
{
	const u64 end = now() + limit;
	while (clock_.next() <= end && broken.empty())
		clock_.step();
	if (live())
		breaks("RPCs without end");
}

// The network

u32 bytes_of(const Packet &packet)
{
	constexpr u32 ip = 20;
	constexpr u32 header[2] = {56, 60};
	constexpr u32 trailer[2] = {24, 40}; // of DATA in authenticated form, of control packets
	const size_t secure = packet.secure ? 1 : 0;
	u32 bytes = 28;

	if (packet.type == type_data)
		return ip + header[secure] + packet.ev.length +
		       (packet.secure && packet.ev.auth != 0 ? trailer[0] : 0);
	if (packet.type == PROG_PACKET_GRANT || packet.type == PROG_PACKET_RESEND)
		bytes = packet.type == PROG_PACKET_GRANT ? 34 : 37;
	if (packet.type == PROG_PACKET_CUTOFFS)
		bytes = 62;
	if (packet.type == PROG_PACKET_ACK)
		bytes = 80;
	return ip + (packet.secure ? (bytes + 3) / 4 * 4 + trailer[1] : bytes);
}

void World::send(Packet packet)
{
	const bool data = packet.type == type_data;

	packet.generation = host(packet.from).generation + host(packet.to).generation;
	count[std::string(packet.secure ? "secure " : "clear ") + std::to_string(packet.type)]++;
	if (!packet.secure && !packet.forged && chance(settings.forge))
		forge(packet);
	if (packet.secure && data && packet.ev.auth == 0)
		packet.corrupt = chance(settings.corrupt);
	if (!packet.forged && tap)
		tap(packet);
	const int from = packet.from;
	const int to = packet.to;
	const bool forged = packet.forged;
	if (!forged) {
		(data ? data_packets : control_packets)++;
		data_bytes += data ? packet.ev.length : 0;
	}
	if (swallow && swallow(packet))
		return;
	if (forged)
		network_.inject(to, unit_of(std::move(packet)));
	else
		network_.send(from, to, unit_of(std::move(packet)));
}

Unit World::unit_of(Packet packet)
{
	Unit unit{bytes_of(packet), packet.prio, packet.type == type_data, {}};

	unit.arrive = [this, packet = std::make_shared<const Packet>(std::move(packet))] {
		arrive(*packet);
	};
	return unit;
}

void World::inject(Packet packet)
{
	const int to = packet.to;

	packet.injected = true;
	packet.generation = host(packet.from).generation + host(to).generation;
	injected_packets++;
	injected_bytes += bytes_of(packet);
	network_.inject(to, unit_of(std::move(packet)));
}

// Any packet of clear mode, in the name of a host that talks to this one.
void World::forge(const Packet &like)
{
	static const u32 types[] = {type_data, 0x11, 0x12, 0x13, 0x14, 0x15, 0x17, 0x18};
	auto word = [this, &like]() -> u32 {
		switch (random_() % 8) {
		case 0:
			return 0;
		case 1:
			return 0xffffffff;
		case 2:
			return 0x80000000;
		case 3:
			return like.ev.message_length;
		case 4:
			return like.ev.offset + static_cast<u32>(random_() % 3) - 1;
		case 5:
			return like.ev.length;
		default:
			return static_cast<u32>(random_() % 300000);
		}
	};
	Packet packet = like;
	packet.forged = true;
	packet.type = types[random_() % std::size(types)];
	if (chance(0.2))
		packet.id = random_() % 64;
	packet.ev.offset = word();
	packet.ev.length = packet.type == type_data ? word() % 60000 : word();
	packet.ev.message_length = chance(0.5) ? like.ev.message_length : word();
	packet.ev.incoming = word();
	packet.ev.prio = static_cast<u8>(random_());
	packet.ev.resend_all = static_cast<u8>(random_() % 2);
	packet.ev.cutoff_version = static_cast<u16>(random_() % 3);
	for (u32 &cutoff : packet.ev.cutoffs)
		cutoff = word();
	packet.acks.clear();
	if (chance(0.2))
		packet.acks.emplace_back(random_() % 64, 0);
	send(packet);
}

void World::arrive(const Packet &packet)
{
	Host &h = host(packet.to);

	if (unplugged_.contains(packet.to) || unplugged_.contains(packet.from))
		return;
	if (h.fixed) {
		h.fixed->arrive(packet);
		return;
	}
	if (packet.secure && !authentic(h, packet))
		return;
	if (!packet.secure)
		h.traded[packet.from].first += bytes_of(packet);
	for (const auto &[id, port] : packet.acks) {
		const auto found = h.rpcs.find(Key{packet.from, packet.secure, id | 1});
		if (found == h.rpcs.end())
			continue;
		const std::shared_ptr<Rpc> rpc = found->second;
		exec(h, rpc, prog_ev{}, PROG_EV_ACK, &packet);
	}
	const auto found = h.rpcs.find(Key{packet.from, packet.secure, packet.id});
	std::shared_ptr<Rpc> rpc;
	if (found != h.rpcs.end())
		rpc = found->second;
	if (packet.type == type_data)
		arrive_data(h, packet, rpc);
	else
		arrive_control(h, packet, rpc);
}

void World::arrive_data(Host &h, const Packet &packet, std::shared_ptr<Rpc> rpc)
{
	const Key key{packet.from, packet.secure, packet.id};
	prog_ev ev = packet.ev;

	if (rpc) {
		look(h, *rpc, ev, packet, false);
		exec(h, rpc, ev, prog_rpc_proving(&rpc->ctx) != 0 ? PROG_EV_PROOF : PROG_EV_DATA,
		     &packet);
		return;
	}
	if ((packet.id & 1) == 0) {
		stray(h, packet);
		return;
	}
	if (packet.secure && h.delivered.contains(key))
		return;
	rpc = std::make_shared<Rpc>();
	rpc->key = key;
	h.rpcs[key] = rpc;
	look(h, *rpc, ev, packet, true);
	exec(h, rpc, ev, packet.secure ? PROG_EV_REQUEST_NEW_SECURE : PROG_EV_REQUEST_NEW_CLEAR,
	     &packet);
}

void World::arrive_control(Host &h, const Packet &packet, const std::shared_ptr<Rpc> &rpc)
{
	prog_ev ev = packet.ev;

	ev.wire = bytes_of(packet);
	if (packet.type == PROG_PACKET_CUTOFFS || !rpc)
		stray(h, packet);
	else
		exec(h, rpc, ev, event_of(packet.type, true), &packet);
}

void World::stray(Host &h, const Packet &packet)
{
	const Key key{packet.from, packet.secure, packet.id};
	prog_ev ev = packet.ev;
	u32 kind = event_of(packet.type, false);

	if (packet.type == type_data)
		kind = PROG_EV_STRAY_DATA;
	if (packet.type == PROG_PACKET_CUTOFFS)
		kind = PROG_EV_CUTOFFS;
	ev.id = packet.id;
	ev.before = packet.secure && h.delivered.contains(key) ? 1 : 0;
	const mtp_out out = dispatch(h, nullptr, &h.peers[{packet.from, packet.secure}], ev, kind);
	for (u32 i = 0; out.verdict == 0 && i < out.count; i++) {
		if (out.insn[i].op != MTP_PACKET) {
			breaks("a stray event did more than answer");
			return;
		}
		Packet answer = control(h, key, out.insn[i]);
		while (i + 1 < out.count && out.insn[i + 1].op == MTP_ACK) {
			i++;
			answer.acks.emplace_back(out.insn[i].key, out.insn[i].a);
		}
		send(answer);
	}
}

// The applications

u64 World::request(int from, int to, bool secure, u32 length, u32 response_length)
{
	Host &h = host(from);
	const u64 id = h.next_id;

	h.next_id += 2;
	response_length_[{to, from, secure, id | 1}] = response_length;
	outcomes_[Key{from, secure, generation_key(h, id)}] = {from, to, secure, now()};
	if (h.fixed) {
		h.fixed->request(to, id, length);
		return id;
	}
	auto rpc = std::make_shared<Rpc>();
	rpc->key = Key{to, secure, id};
	rpc->heard = now();
	h.rpcs[rpc->key] = rpc;
	prog_ev ev{};
	ev.message_length = length;
	ev.length = secure ? std::min(length, seal_step()) : length;
	const prog_peer &ctx = h.peers[{to, secure}];
	ev.prio = static_cast<u8>(prog_peer_prio(&ctx, &h.params, length));
	ev.unsched = prog_peer_unsched(&ctx);
	ev.small = static_cast<u8>(prog_peer_small(&ctx, now()));
	rpc->sealed = ev.length;
	exec(h, rpc, ev, PROG_EV_SEND_REQUEST);
	seal_more(from, rpc);
	return id;
}

void World::seal_more(int number, const std::shared_ptr<Rpc> &rpc)
{
	if (rpc->ended || rpc->sealed >= rpc->ctx.tx_length)
		return;
	at(now() + 2 * us, [this, number, rpc] {
		if (rpc->ended)
			return;
		rpc->sealed = std::min(rpc->sealed + seal_step(), rpc->ctx.tx_length);
		prog_ev ev{};
		ev.length = rpc->sealed;
		exec(host(number), rpc, ev, PROG_EV_READY_MORE);
		seal_more(number, rpc);
	});
}

void World::notify(Host &h, const std::shared_ptr<Rpc> &rpc, const mtp_insn &insn)
{
	const int number = h.number;

	if (insn.what == MTP_NOTIFY_FAILED) {
		auto &outcome = outcomes_.at(Key{number, std::get<1>(rpc->key),
						 generation_key(h, std::get<2>(rpc->key))});
		outcome.error = static_cast<int>(insn.a);
	}
	rpc->ready = true;
	at(now() + take_ns, [this, number, rpc] { take(number, rpc); });
}

void World::take(int number, const std::shared_ptr<Rpc> &rpc)
{
	Host &h = host(number);
	const auto [peer, secure, id] = rpc->key;

	if (rpc->ended || !rpc->ready)
		return;
	rpc->ready = false;
	const bool failed = rpc->ctx.state == HOMA_FAILED;
	if (!failed && secure) {
		if (!open(h, rpc))
			return;
		exec(h, rpc, prog_ev{}, PROG_EV_VERIFIED);
		h.delivered.insert(rpc->key);
	}
	if (!failed && !rpc->forged)
		check(std::count(rpc->in.here.begin(), rpc->in.here.end(), 1) == rpc->in.length &&
			      std::count(rpc->in.corrupt.begin(), rpc->in.corrupt.end(), 1) == 0,
		      "delivered in part");
	exec(h, rpc, prog_ev{}, PROG_EV_DELIVERED);
	if ((id & 1) != 0) {
		const u32 times = ++executed[{number, peer, secure, id}];
		check(times == 1 || excused.contains({number, peer, secure, id}) ||
			      settings.forge > 0,
		      "a request was executed twice");
		u64 wait = settings.service_ns;
		if (settings.slow != 0 && (id >> 1) % settings.slow == 0)
			wait = 300 * ms;
		at(now() + wait, [this, number, rpc] { respond(number, rpc); });
		return;
	}
	finish(number, secure, id, 0);
}

// A client's application has the response, or the failure.
void World::finish(int client, bool secure, u64 id, int error)
{
	Outcome &outcome = outcomes_.at(Key{client, secure, generation_key(host(client), id)});

	check(outcome.done == 0, "delivered twice");
	outcome.done = now();
	if (error != 0)
		outcome.error = error;
	if (ended)
		ended(outcome);
}

void World::respond(int number, const std::shared_ptr<Rpc> &rpc)
{
	Host &h = host(number);
	const auto [peer, secure, id] = rpc->key;

	if (rpc->ended)
		return;
	prog_ev ev{};
	const auto length = response_length_.find({number, peer, secure, id});
	ev.message_length = length == response_length_.end() ? 100 : length->second;
	ev.length = secure ? std::min(ev.message_length, seal_step()) : ev.message_length;
	const prog_peer &ctx = h.peers[{peer, secure}];
	ev.prio = static_cast<u8>(prog_peer_prio(&ctx, &h.params, ev.message_length));
	ev.unsched = prog_peer_unsched(&ctx);
	ev.small = static_cast<u8>(prog_peer_small(&ctx, now()));
	if (prog_rpc_strange(&rpc->ctx) != 0)
		ev.strange = prog_peer_proven(&ctx, now()) != 0 ? 0 : 1;
	ev.budget = prog_peer_budget(&ctx);
	rpc->sealed = ev.length;
	exec(h, rpc, ev, PROG_EV_SEND_RESPONSE);
	seal_more(number, rpc);
}

void World::abort(int number, int peer, bool secure, u64 id, int error)
{
	Host &h = host(number);
	const auto found = h.rpcs.find(Key{peer, secure, id});

	if (found == h.rpcs.end())
		return;
	const std::shared_ptr<Rpc> rpc = found->second;
	if (error == 0)
		outcomes_.at(Key{number, secure, generation_key(h, id)}).forgotten = true;
	prog_ev ev{};
	ev.error = error;
	exec(h, rpc, ev, PROG_EV_ABORT);
}

void World::restart(int number)
{
	Host &h = host(number);

	for (auto &[key, rpc] : h.rpcs)
		rpc->ended = true;
	h.rpcs.clear();
	h.peers.clear();
	h.clients.clear();
	h.delivered.clear();
	h.control_numbers.clear();
	h.ctx = prog_host{};
	h.generation++;
	h.next_id = 2 | h.generation << 30; // elsewhere, as a port's random start is
	for (auto &[key, times] : executed)
		if (std::get<0>(key) == number || std::get<1>(key) == number)
			times = 0;
	// Sessions with it are new: RPCs of the old ones end.
	for (Host &other : hosts_) {
		std::vector<std::shared_ptr<Rpc>> over;
		for (auto &[key, rpc] : other.rpcs)
			if (std::get<0>(key) == number && std::get<1>(key))
				over.push_back(rpc);
		std::erase_if(other.delivered,
			      [number](const Key &key) { return std::get<0>(key) == number; });
		prog_ev ev{};
		ev.error = PROG_ECONNRESET;
		for (auto &rpc : over)
			exec(other, rpc, ev, PROG_EV_ABORT);
	}
}

} // namespace sim
