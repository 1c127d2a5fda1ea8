// SPDX-License-Identifier: Apache-2.0
#include "sim_fixed.hpp"

#include <cstring>

namespace sim {

namespace {

constexpr u64 tick_ns = 1 * ms;
constexpr u32 ask_ticks = 5;
constexpr u32 dead_ticks = 100;
constexpr u32 ack_ticks = 2;
constexpr u32 unscheduled = 40000;
constexpr u32 window = 100000;
constexpr u32 highest = 7;

} // namespace

Packet FixedPeer::packet(const Name &name, u32 type) const
{
	Packet packet;

	packet.from = number_;
	packet.to = name.first;
	packet.type = type;
	packet.prio = highest;
	packet.id = name.second ^ 1;
	packet.ev.cutoff_version = 1;
	return packet;
}

void FixedPeer::control(const Name &name, u32 type, u32 offset, u32 length)
{
	Packet out = packet(name, type);

	out.ev.offset = offset;
	out.ev.length = length;
	out.ev.prio = type == PROG_PACKET_RESEND ? highest : 0;
	around_.send(std::move(out));
}

void FixedPeer::transmit(const Name &name, const Call &call, u32 start, u32 end, bool again)
{
	while (start < end) {
		Packet out = packet(name, type_data);
		out.prio = again ? highest : start < unscheduled ? highest - 1 : 0;
		out.again = again;
		out.ev.offset = start;
		out.ev.length = std::min(end - start, payload_);
		out.ev.message_length = call.out_length;
		out.ev.incoming = call.out_granted;
		start += out.ev.length;
		around_.send(std::move(out));
	}
}

void FixedPeer::send_granted(const Name &name, Call &call)
{
	const u32 start = call.out_sent;

	call.out_sent = call.out_granted;
	transmit(name, call, start, call.out_granted, false);
}

void FixedPeer::request(int to, u64 id, u32 length)
{
	const Name name{to, id};
	Call &call = calls_[name];

	call.out_length = length;
	start_over(name, call);
	arm();
}

void FixedPeer::start_over(const Name &name, Call &call)
{
	call.out_sent = 0;
	call.out_granted = std::min(call.out_length, unscheduled);
	send_granted(name, call);
}

void FixedPeer::arrive(const Packet &packet)
{
	const Name name{packet.from, packet.id};

	for (const auto &[id, port] : packet.acks)
		calls_.erase(Name{packet.from, id | 1});
	if (packet.type == type_data) {
		data(name, packet);
		return;
	}
	const auto found = calls_.find(name);
	if (found == calls_.end()) {
		if (packet.type == PROG_PACKET_RESEND)
			control(name, PROG_PACKET_RPC_UNKNOWN);
		if (packet.type == PROG_PACKET_NEED_ACK)
			control(name, PROG_PACKET_ACK);
		return;
	}
	Call &call = found->second;
	call.silent = 0;
	switch (packet.type) {
	case PROG_PACKET_GRANT:
		if (call.state != outgoing || packet.ev.offset <= call.out_granted)
			break;
		call.out_granted = std::min(packet.ev.offset, call.out_length);
		send_granted(name, call);
		break;
	case PROG_PACKET_RESEND:
		asked(name, call, packet);
		break;
	case PROG_PACKET_RPC_UNKNOWN:
		if (serves(name))
			calls_.erase(name);
		else if (call.state == outgoing)
			start_over(name, call);
		break;
	case PROG_PACKET_ACK:
		if (serves(name))
			calls_.erase(name);
		break;
	default:
		break;
	}
}

void FixedPeer::data(const Name &name, const Packet &packet)
{
	const prog_ev &ev = packet.ev;

	if (!serves(name) && !calls_.contains(name))
		return;
	Call &call = calls_[name];
	call.silent = 0;
	if (call.here.empty() && (serves(name) || call.state == outgoing)) {
		call.state = incoming;
		call.here.assign(ev.message_length, 0);
		call.in_granted = std::min(ev.incoming, ev.message_length);
		arm();
	}
	if (call.state != incoming || ev.offset + ev.length > call.here.size())
		return;
	for (u32 i = ev.offset; i < ev.offset + ev.length; i++) {
		call.in_got += 1U - call.here[i];
		call.here[i] = 1;
	}
	call.in_end = std::max(call.in_end, ev.offset + ev.length);
	if (call.in_got == call.here.size())
		whole(name, call);
	else
		grant(name, call);
}

void FixedPeer::whole(const Name &name, Call &call)
{
	if (!serves(name)) {
		forget(name, 0);
		return;
	}
	call.state = service;
	around_.clock.at(around_.clock.now() + around_.service_ns, [this, name] { respond(name); });
}

void FixedPeer::respond(const Name &name)
{
	const auto found = calls_.find(name);

	if (found == calls_.end() || found->second.state != service)
		return;
	Call &call = found->second;
	call.state = outgoing;
	call.out_length = around_.response_length(name.first, name.second);
	start_over(name, call);
}

void FixedPeer::grant(const Name &name, Call &call)
{
	const u32 want = std::min(static_cast<u32>(call.here.size()), call.in_got + window);

	if (want <= call.in_granted)
		return;
	call.in_granted = want;
	control(name, PROG_PACKET_GRANT, want);
}

// A RESEND, answered at once: with the bytes, as far as they have been sent.
void FixedPeer::asked(const Name &name, Call &call, const Packet &packet)
{
	const u32 start = packet.ev.length == PROG_LENGTH_ALL ? 0 : packet.ev.offset;

	if (call.state != outgoing || start >= call.out_sent || packet.ev.length == 0) {
		control(name, PROG_PACKET_BUSY);
		return;
	}
	const u32 end = start + std::min(packet.ev.length, call.out_sent - start);
	transmit(name, call, start, end, true);
}

void FixedPeer::forget(const Name &name, int error)
{
	calls_.erase(name);
	if (!serves(name))
		around_.ended(name.second, error);
}

void FixedPeer::arm()
{
	if (ticking_ || calls_.empty())
		return;
	ticking_ = true;
	around_.clock.at(around_.clock.now() + tick_ns, [this] {
		ticking_ = false;
		tick();
		arm();
	});
}

void FixedPeer::tick()
{
	std::vector<Name> dead;

	for (auto &[name, call] : calls_)
		if (!tick_of(name, call))
			dead.push_back(name);
	for (const Name &name : dead)
		forget(name, PROG_ETIMEDOUT);
}

// Whether the call lives on.
bool FixedPeer::tick_of(const Name &name, Call &call)
{
	const bool answered = serves(name) && call.state == outgoing;

	if (call.state == service)
		return true;
	if (answered && call.out_sent == call.out_length && ++call.waits >= ack_ticks)
		control(name, PROG_PACKET_NEED_ACK);
	if (++call.silent >= dead_ticks)
		return false;
	if (!answered && call.silent % ask_ticks == 0)
		ask(name, call);
	return true;
}

void FixedPeer::ask(const Name &name, const Call &call)
{
	if (call.state == outgoing) {
		control(name, PROG_PACKET_RESEND, 0, PROG_LENGTH_ALL);
		return;
	}
	const u32 end = std::max(call.in_end, call.in_granted);
	u32 at = 0;
	while (at < end) {
		const auto *gap = static_cast<const u8 *>(std::memchr(&call.here[at], 0, end - at));
		if (gap == nullptr)
			return;
		const auto start = static_cast<u32>(gap - call.here.data());
		const auto *next =
			static_cast<const u8 *>(std::memchr(gap, 1, call.here.size() - start));
		at = next == nullptr ? end : static_cast<u32>(next - call.here.data());
		control(name, PROG_PACKET_RESEND, start, at - start);
	}
}

} // namespace sim
