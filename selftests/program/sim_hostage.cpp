// SPDX-License-Identifier: Apache-2.0
#include "sim_hostage.hpp"

#include <algorithm>

namespace sim {

namespace {

constexpr u32 first_bytes = 100;
constexpr u32 piece = 1400;

} // namespace

Hostages::Hostages(World &world, const Settings &settings) : world_(world), settings_(settings)
{
	world_.swallow = [this](const Packet &packet) {
		if (!ours(packet.to))
			return false;
		heard(packet);
		return true;
	};
	world_.at(world_.now(), [this] { act(); });
}

Hostages::Message *Hostages::find(int peer, u64 id)
{
	for (Message &m : messages_)
		if (m.peer == peer && m.id == id)
			return &m;
	return nullptr;
}

void Hostages::begin(int peer)
{
	Message &m = messages_.emplace_back();

	m.peer = settings_.first + peer;
	m.id = next_;
	m.granted = settings_.announced;
	next_ += 2;
	send(m, first_bytes);
}

void Hostages::send(Message &m, u32 until)
{
	while (m.sent < until) {
		Packet packet;
		packet.from = m.peer;
		packet.to = 0;
		packet.secure = settings_.secure;
		packet.type = type_data;
		packet.id = m.id;
		packet.ev.offset = m.sent;
		packet.ev.length = std::min(until - m.sent, piece);
		packet.ev.message_length = settings_.length;
		packet.ev.incoming = m.granted;
		packet.ev.cutoff_version = 1;
		packet.ev.record = settings_.secure ? world_.settings.record : 0;
		m.sent += packet.ev.length;
		packets_++;
		world_.inject(packet);
	}
}

void Hostages::control(const Packet &packet, u32 type)
{
	Packet answer;

	answer.from = packet.to;
	answer.to = packet.from;
	answer.secure = packet.secure;
	answer.type = type;
	answer.prio = 7;
	answer.id = packet.id ^ 1;
	packets_++;
	world_.inject(answer);
}

void Hostages::heard(const Packet &packet)
{
	Message *m = find(packet.to, packet.id ^ 1);
	const bool resend = packet.type == PROG_PACKET_RESEND;

	if (m == nullptr) {
		if (resend)
			control(packet, PROG_PACKET_RPC_UNKNOWN);
		return;
	}
	const u32 before = m->granted;
	if (packet.type == PROG_PACKET_GRANT)
		m->granted = std::max(m->granted, packet.ev.offset);
	if (resend)
		control(packet, PROG_PACKET_BUSY);
	if (settings_.way == Way::late && m->granted > before)
		world_.at(world_.now() + settings_.late_ns,
			  [this, peer = m->peer, id = m->id, until = m->granted] {
				  if (Message *then = find(peer, id))
					  send(*then, until);
			  });
	if (settings_.way == Way::stop_short && m->granted > before)
		send(*m, m->granted - 1);
}

void Hostages::act()
{
	const bool adds = settings_.way == Way::rotate || settings_.way == Way::gather;
	const u64 most = static_cast<u64>(settings_.peers) * settings_.messages;

	if (adds) {
		begin(turn_++ % settings_.peers);
		if (settings_.way == Way::rotate && messages_.size() > most)
			messages_.pop_front();
	} else if (messages_.size() < most) {
		for (int i = 0; i < settings_.peers; i++)
			begin(i);
	}
	if (settings_.way == Way::trickle || settings_.way == Way::packets)
		for (Message &m : messages_)
			send(m, std::min(m.granted,
					 m.sent + (settings_.way == Way::trickle ? 1 : piece)));
	if (settings_.way == Way::late || settings_.way == Way::stop_short)
		std::erase_if(messages_,
			      [this](const Message &m) { return m.sent == settings_.length; });
	if (world_.now() < settings_.end)
		world_.at(world_.now() + settings_.every_ns, [this] { act(); });
}

} // namespace sim
