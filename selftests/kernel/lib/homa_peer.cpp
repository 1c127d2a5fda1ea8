// SPDX-License-Identifier: Apache-2.0
#include "homa_peer.hpp"

#include <algorithm>
#include <chrono>

#include "test.hpp"

namespace {

bool same_address(const net::Address &one, const net::Address &other)
{
	sockaddr_in6 a = one.in6();
	sockaddr_in6 b = other.in6();
	return memcmp(&a.sin6_addr, &b.sin6_addr, sizeof(a.sin6_addr)) == 0;
}

// What the host's timers may send at any time, if this machine is slow enough.
bool by_timer(uint8_t type)
{
	return type == packet::resend || type == packet::need_ack;
}

bool passes(uint8_t type, const std::vector<uint8_t> &passing)
{
	return by_timer(type) || std::find(passing.begin(), passing.end(), type) != passing.end();
}

} // namespace

HomaPeer::HomaPeer(const net::Wire &wire, net::Address self, net::Address host)
	: wire_(wire), self_(self), host_(host)
{
}

packet::Ends HomaPeer::ends(uint64_t id) const
{
	return {self_.port(), host_.port(), id};
}

void HomaPeer::send(const Bytes &homa, uint8_t traffic_class) const
{
	wire_.send(packet::ip(self_, host_, homa, packet::protocol, traffic_class));
}

std::optional<HomaPeer::Seen> HomaPeer::next(int milliseconds) const
{
	for (;;) {
		auto raw = wire_.receive(milliseconds);
		if (raw.empty())
			return {};
		Seen seen;
		seen.ip = packet::parse_ip(raw);
		if (seen.ip.next != packet::protocol)
			continue;
		seen.homa = packet::parse(seen.ip.payload);
		if (seen.homa.ends.to != self_.port() || !same_address(seen.ip.to, self_) ||
		    seen.homa.ends.from != host_.port())
			continue;
		if (seen.homa.type == packet::cutoffs)
			cutoff_version = seen.homa.cutoff_version;
		return seen;
	}
}

HomaPeer::Seen HomaPeer::expect(packet::Type type, std::vector<uint8_t> passing) const
{
	for (;;) {
		auto seen = next();
		if (!seen)
			throw test::Failure("no packet of type " + std::to_string(type));
		if (seen->homa.type == type)
			return *seen;
		if (!passes(seen->homa.type, passing))
			throw test::Failure("a packet of type " + std::to_string(seen->homa.type) +
					    " before one of " + std::to_string(type));
	}
}

void HomaPeer::expect_silence(int milliseconds, const std::vector<uint8_t> &passing) const
{
	while (auto seen = next(milliseconds))
		if (!passes(seen->homa.type, passing))
			throw test::Failure("an unexpected packet of type " +
					    std::to_string(seen->homa.type));
}

void HomaPeer::send_data(const packet::Ends &ends, View message, uint32_t from, uint32_t to,
			 uint8_t retransmit) const
{
	packet::Data fields;
	fields.message_length = static_cast<uint32_t>(message.size());
	fields.incoming = std::min(fields.message_length, std::max(unscheduled, to));
	fields.retransmit = retransmit;
	fields.explicit_offset = explicit_offsets;
	fields.cutoff_version = cutoff_version;
	for (fields.offset = from; fields.offset < to; fields.offset += payload) {
		uint32_t count = std::min(payload, to - fields.offset);
		send(packet::make_data(ends, fields, message.subspan(fields.offset, count)));
	}
}

void HomaPeer::send_until(Rpc &rpc, uint64_t id, uint32_t end) const
{
	end = std::min(end, static_cast<uint32_t>(rpc.out.size()));
	if (end <= rpc.sent)
		return;
	send_data(ends(id), rpc.out, rpc.sent, end);
	rpc.sent = end;
}

void HomaPeer::resend(Rpc &rpc, uint64_t id, const packet::Parsed &wanted) const
{
	uint64_t end = static_cast<uint64_t>(wanted.offset) + wanted.length;
	if (rpc.out.empty()) {
		send(packet::common(packet::busy, ends(id)));
		return;
	}
	send_data(ends(id), rpc.out, wanted.offset,
		  static_cast<uint32_t>(std::min<uint64_t>(end, rpc.sent)), 1);
}

void HomaPeer::take_data(Rpc &rpc, const packet::Parsed &data)
{
	Message &in = rpc.in;
	if (data.retransmit)
		counts.retransmitted++;
	if (in.bytes.empty()) {
		in.bytes.resize(data.message_length);
		in.have.resize(data.message_length);
		in.missing = data.message_length;
		in.granted = data.incoming;
	}
	EQ(data.message_length, in.bytes.size());
	CHECK(data.offset + data.length <= in.bytes.size());
	CHECK(data.offset + data.length <= in.granted);
	if (lose_every && !data.retransmit && ++arrived_ % lose_every == 0)
		return;
	for (uint32_t i = 0; i < data.length; i++) {
		if (!in.have[data.offset + i])
			in.missing--;
		in.have[data.offset + i] = true;
		in.bytes[data.offset + i] = data.payload[i];
	}
	in.newest = std::max(in.newest, data.offset + data.length);
}

void HomaPeer::ask_for_missing(Rpc &rpc, const packet::Ends &to) const
{
	Message &in = rpc.in;
	if (in.bytes.empty() || !in.missing)
		return;
	auto first = static_cast<uint32_t>(std::find(in.have.begin(), in.have.end(), false) -
					   in.have.begin());
	if (first < in.granted) {
		uint32_t end = first;
		while (end < in.granted && !in.have[end])
			end++;
		send(packet::make_resend(to, first, end - first));
	}
}

void HomaPeer::handle(const Seen &seen)
{
	const packet::Parsed &p = seen.homa;
	// The same RPC as this peer names it.
	uint64_t id = p.ends.id ^ 1;
	if (p.type == packet::ack)
		counts.acks++;
	for (const packet::Acked &acked : p.acks)
		if (rpcs_.count(acked.id | 1))
			rpcs_[acked.id | 1].acknowledged = true;
	if (p.type == packet::data && p.acked.id && rpcs_.count(p.acked.id | 1))
		rpcs_[p.acked.id | 1].acknowledged = true;
	if (!rpcs_.count(id)) {
		if (p.type != packet::data || !(id & 1))
			return;
		rpcs_[id].server = true;
	}
	Rpc &rpc = rpcs_[id];
	switch (p.type) {
	case packet::data:
		take_data(rpc, p);
		break;
	case packet::grant:
		counts.grants++;
		send_until(rpc, id, p.offset);
		break;
	case packet::resend:
		counts.resends++;
		resend(rpc, id, p);
		break;
	case packet::ack:
		rpc.acknowledged = true;
		break;
	case packet::need_ack:
		counts.need_acks++;
		if (!rpc.in.missing && !rpc.in.bytes.empty())
			send(packet::make_ack(ends(id), {{id, host_.port()}}));
		break;
	case packet::rpc_unknown:
		throw test::Failure("RPC_UNKNOWN for an RPC that is not over");
	default:
		break;
	}
	Message &in = rpc.in;
	if (p.type == packet::data && in.missing && in.newest + window / 2 > in.granted &&
	    in.granted < in.bytes.size()) {
		in.granted = std::min(in.newest + window, static_cast<uint32_t>(in.bytes.size()));
		send(packet::make_grant(ends(id), in.granted, 3));
	}
}

void HomaPeer::step(const std::function<bool()> &done)
{
	auto asked = std::chrono::steady_clock::now();
	int silent = 0;
	while (!done()) {
		auto seen = next(50);
		if (seen)
			handle(*seen);
		silent = seen ? 0 : silent + 1;
		if (silent > static_cast<int>(test::slow(200)))
			throw test::Failure("the host has fallen silent");
		if (std::chrono::steady_clock::now() - asked < std::chrono::milliseconds(50))
			continue;
		asked = std::chrono::steady_clock::now();
		for (auto &[id, rpc] : rpcs_)
			ask_for_missing(rpc, ends(id));
	}
}

Bytes HomaPeer::call(View request)
{
	uint64_t id = next_id;
	next_id += 2;
	Rpc &rpc = rpcs_[id];
	rpc.out.assign(request.begin(), request.end());
	send_until(rpc, id, unscheduled);
	step([&] { return !rpc.in.bytes.empty() && !rpc.in.missing; });
	Bytes response = rpc.in.bytes;
	rpcs_.erase(id);
	send(packet::make_ack(ends(id), {}));
	return response;
}

void HomaPeer::echo()
{
	uint64_t id = 0;
	step([&] {
		for (auto &[candidate, rpc] : rpcs_)
			if (rpc.server && rpc.out.empty() && !rpc.in.bytes.empty() &&
			    !rpc.in.missing)
				id = candidate;
		return id != 0;
	});
	Rpc &rpc = rpcs_[id];
	rpc.out = rpc.in.bytes;
	send_until(rpc, id, unscheduled);
	step([&] {
		if (rpc.sent == rpc.out.size())
			send(packet::common(packet::need_ack, ends(id)));
		return rpc.acknowledged;
	});
	rpcs_.erase(id);
}
