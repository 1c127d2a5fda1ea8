// SPDX-License-Identifier: Apache-2.0
#include "sim_adversary.hpp"

namespace sim {

namespace {

constexpr u32 pieces = 5000;
constexpr size_t remembers = 20000;

} // namespace

Adversary::Adversary(World &world, int a, int b, Way way, double rate, u64 seed)
	: world_(world), a_(a), b_(b), way_(way), rate_(rate), random_(seed)
{
	world.tap = [this](const Packet &packet) { saw(packet); };
}

void Adversary::keep_on(u64 interval, u64 end)
{
	if (world_.now() >= end)
		return;
	world_.at(world_.now() + interval, [this, interval, end] {
		if (!old_.empty())
			answer(old_[random_() % old_.size()]);
		keep_on(interval, end);
	});
}

void Adversary::saw(const Packet &packet)
{
	if (std::minmax(packet.from, packet.to) != std::minmax(a_, b_))
		return;
	if (old_.size() < remembers)
		old_.push_back(packet);
	lead(packet);
	for (due_ += rate_; due_ >= 1; due_--)
		answer(packet);
}

// With the first packet of a message and with each grant: the adversary is
// ahead of the bytes that may come now.
void Adversary::lead(const Packet &packet)
{
	const bool grant = packet.type == PROG_PACKET_GRANT;

	if (way_ != Way::tiny_pieces && way_ != Way::byte_per_record)
		return;
	if (packet.type == type_data && packet.ev.auth == 0)
		begun_.try_emplace({packet.to, packet.id}, packet, packet.ev.length);
	const auto found = grant ? begun_.find({packet.from, packet.id ^ 1})
				 : begun_.find({packet.to, packet.id});
	if (found == begun_.end())
		return;
	auto &[like, covered] = found->second;
	const u32 end = grant ? packet.ev.offset : packet.ev.incoming;
	if (end > covered)
		ahead(like, std::exchange(covered, end), end);
}

void Adversary::ahead(const Packet &like, u32 start, u32 end)
{
	const u32 length = like.ev.message_length;
	const u32 record = world_.settings.record;

	if (way_ == Way::tiny_pieces)
		for (u32 at = start; at < end; at += std::max(length / pieces, 1U))
			junk(like, at, 1);
	if (way_ == Way::byte_per_record)
		for (u32 at = start / record * record; at < end; at += record) {
			const u32 last = std::min(at + record, length) - 1;
			if (last >= start && last < end)
				junk(like, last, 1);
		}
}

void Adversary::answer(const Packet &packet)
{
	static const Way all[] = {Way::junk, Way::other_places, Way::old_packets};
	const Way way = way_ == Way::everything ? all[random_() % std::size(all)] : way_;

	switch (way) {
	case Way::junk:
		junk_anywhere(packet);
		break;
	case Way::other_places:
		misplace(packet);
		break;
	case Way::old_packets:
		repeat();
		break;
	default:
		break;
	}
}

void Adversary::junk(Packet packet, u32 offset, u32 length)
{
	packet.corrupt = true;
	packet.ev.offset = offset;
	packet.ev.length = length;
	world_.inject(std::move(packet));
}

void Adversary::junk_anywhere(const Packet &packet)
{
	if (packet.type != type_data)
		return;
	const auto at = static_cast<u32>(random_() % packet.ev.message_length);
	junk(packet, at, std::min(world_.settings.payload, packet.ev.message_length - at));
}

// The place is not covered by the header's tag, nor is the index of a packet in
// its segment.
void Adversary::misplace(Packet packet)
{
	const u32 record = world_.settings.record;

	if (packet.type != type_data)
		return;
	switch (random_() % 5) {
	case 0:
		packet.ev.offset += 1;
		break;
	case 1:
		packet.ev.offset += record;
		break;
	case 2:
		packet.ev.offset = static_cast<u32>(random_() % packet.ev.message_length);
		break;
	case 3:
		packet.ev.offset = packet.ev.message_length -
				   std::min(packet.ev.length, packet.ev.message_length);
		break;
	default:
		packet.ev.offset = static_cast<u32>(random_());
	}
	packet.corrupt = true;
	world_.inject(std::move(packet));
}

void Adversary::repeat()
{
	if (!old_.empty())
		world_.inject(old_[random_() % old_.size()]);
}

} // namespace sim
