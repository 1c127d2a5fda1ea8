// SPDX-License-Identifier: Apache-2.0
// The simulator's record layer: no cryptography, but what it decides. A byte
// that is not what was sent makes its record bad. A header can be copied from a
// genuine packet, with other bytes behind it and another place; control packets
// and DATA in authenticated form can only be repeated.
#include <cstring>

#include "sim.hpp"

namespace sim {

namespace {

// What a packet occupies that is kept as it came, beyond its bytes.
constexpr u32 packet_overhead = 960;

bool any(const std::vector<u8> &bytes, u32 start, u32 end, u8 value)
{
	return std::memchr(&bytes[start], value, end - start) != nullptr;
}

} // namespace

// Whether a secure packet is what its sender sent, as far as its tags say, and
// not the second of its kind.
bool World::authentic(Host &h, const Packet &packet)
{
	// A restarted host has other sessions.
	if (packet.generation != h.generation + host(packet.from).generation)
		return false;
	if (packet.corrupt && (packet.type != type_data || packet.ev.auth != 0))
		return false;
	return packet.number == 0 || h.control_numbers.insert(packet.number).second;
}

// Charge what is kept of a packet; with too little memory the oldest message
// that is not complete goes.
void World::charge(Host &h, Rpc &rpc, u32 bytes)
{
	const bool copied = settings.layer.copies_small && bytes < packet_overhead;
	const u64 charged = bytes + (copied ? 0 : packet_overhead);

	rpc.in.charged += charged;
	h.charged += charged;
	h.most_charged = std::max(h.most_charged, h.charged);
	if (settings.layer.memory == 0 || h.charged <= settings.layer.memory || h.pressed)
		return;
	h.pressed = true;
	at(now(), [this, &h] { relieve(h); });
}

void World::relieve(Host &h)
{
	std::shared_ptr<Rpc> oldest;

	h.pressed = false;
	if (h.charged <= settings.layer.memory)
		return;
	for (auto &[key, rpc] : h.rpcs)
		if (rpc->ctx.state == HOMA_IN && (!oldest || rpc->ctx.born < oldest->ctx.born))
			oldest = rpc;
	if (!oldest)
		return;
	count["evicted"]++;
	prog_ev ev{};
	ev.error = PROG_ENOBUFS;
	exec(h, oldest, ev, PROG_EV_ABORT);
}

void World::uncharge(Host &h, Rpc &rpc)
{
	h.charged -= rpc.in.charged;
	rpc.in.charged = 0;
}

// Bytes of a message are missing again.
void World::lose(Rpc &rpc, u32 start, u32 end)
{
	Incoming &in = rpc.in;

	check(std::memchr(&in.here[start], 0, end - start) == nullptr,
	      "RX_FLUSH of what is missing");
	std::memset(&in.here[start], 0, end - start);
	std::memset(&in.corrupt[start], 0, end - start);
	in.got -= end - start;
	for (u32 record = start / settings.record; record * settings.record < end; record++)
		in.verified[record] = 0;
}

// Opens a record; false: its tag is wrong.
bool World::open_record(Incoming &in, u32 record)
{
	const u32 start = record * settings.record;
	const u32 end = std::min(in.length, start + settings.record);

	count["opened"]++;
	in.verified[record] = any(in.corrupt, start, end, 1) ? 0 : 1;
	return in.verified[record] != 0;
}

// Open a secure message, record by record; all that fail are asked for again,
// in authenticated form.
bool World::open(Host &h, const std::shared_ptr<Rpc> &rpc)
{
	Incoming &in = rpc->in;
	bool good = true;

	in.verified.resize((in.length + settings.record - 1) / settings.record);
	for (u32 i = 0; i < in.verified.size() && !rpc->ended; i++) {
		const u32 start = i * settings.record;
		const u32 end = std::min(in.length, start + settings.record);
		// An earlier bad record may have taken this one's bytes along.
		if (any(in.here, start, end, 0))
			continue;
		if (settings.layer.remembers && in.verified[i] != 0)
			continue;
		if (open_record(in, i))
			continue;
		good = false;
		count["bad records"]++;
		prog_ev ev{};
		ev.offset = start;
		ev.length = end - start;
		exec(h, rpc, ev, PROG_EV_RECORD_BAD);
		if (!settings.layer.one_pass)
			break;
	}
	return good;
}

} // namespace sim
