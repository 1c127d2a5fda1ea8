// SPDX-License-Identifier: Apache-2.0
// Receive queues: a frame goes to all receivers that steering names, each by its hash to
// one queue, whose next work request says where in memory.
#include "selftests/connectx/nic.hpp"

#include <algorithm>

namespace cx {

namespace {

constexpr size_t segment = 16;
// A key of this number ends a list of data segments.
constexpr uint32_t no_key = 0x100;
constexpr uint8_t response_opcode = 2, response_error = 14;
constexpr uint8_t local_length = 0x01, local_protection = 0x04;
constexpr uint8_t l2_ok = 1, l3_ok = 2, l4_ok = 4;
constexpr uint16_t ipv4_type = 0x0800, ipv6_type = 0x86dd, vlan_type = 0x8100;
constexpr uint8_t tcp = 6, udp = 17;

// What the device found of a frame's layers, for a completion.
struct Parsed {
	uint8_t ok = l2_ok;
	uint8_t types = 0;
	uint16_t sum = 0;
};

uint8_t l4_type(View frame, const Layers &at)
{
	enum : uint8_t { none, tcp_no_ack, is_udp, tcp_ack_only, tcp_ack_data };
	if (at.fragment || at.l4 == 0 || at.l4 + 8 > frame.size())
		return none;
	if (at.protocol == udp)
		return is_udp;
	if (at.protocol != tcp || at.l4 + 20 > frame.size())
		return none;
	const size_t header = static_cast<size_t>(frame[at.l4 + 12] >> 4) * 4;
	if (!(frame[at.l4 + 13] & 0x10))
		return tcp_no_ack;
	return at.l4 + header < frame.size() ? tcp_ack_data : tcp_ack_only;
}

// The bytes of the IP packet, without the padding of a short frame.
size_t ip_end(View frame, const Layers &at)
{
	const size_t length =
		at.ethertype == ipv4_type ? be16(&frame[at.l3 + 2]) : 40U + be16(&frame[at.l3 + 4]);
	return std::min(frame.size(), at.l3 + length);
}

bool l4_right(View frame, const Layers &at)
{
	const auto end = ip_end(frame, at);
	if (end < at.l4)
		return false;
	const auto part = frame.subspan(at.l4, end - at.l4);
	if (at.protocol == udp && at.ethertype == ipv4_type && be16(&part[6]) == 0)
		return true; // none was made
	const bool v6 = at.ethertype == ipv6_type;
	const auto addresses = frame.subspan(at.l3 + (v6 ? 8 : 12), v6 ? 32 : 8);
	uint32_t sum = ones_sum(addresses);
	sum += at.protocol + static_cast<uint32_t>(part.size());
	return ones_sum(part, sum) == 0xffff;
}

Parsed parse(View frame)
{
	Parsed parsed;
	const auto at = layers(frame);
	const bool v4 = at.ethertype == ipv4_type, v6 = at.ethertype == ipv6_type;
	if ((!v4 && !v6) || at.l3 == 0 || at.l3 + (v4 ? 20 : 40) > frame.size()) {
		// One's complement of all above Ethernet, for what is no IP too.
		parsed.sum = ones_sum(frame.subspan(std::min<size_t>(14, frame.size())));
		return parsed;
	}
	parsed.sum = ones_sum(frame.subspan(at.l3));
	const auto l4 = l4_type(frame, at);
	parsed.types = static_cast<uint8_t>((v6 ? 1 : 2) << 2 | l4 << 4);
	const size_t header = static_cast<size_t>(frame[at.l3] & 15) * 4;
	if (v6 || (header >= 20 && at.l3 + header <= frame.size() &&
		   ones_sum(frame.subspan(at.l3, header)) == 0xffff))
		parsed.ok |= l3_ok;
	if (l4 != 0 && (parsed.ok & l3_ok) && l4_right(frame, at))
		parsed.ok |= l4_ok;
	return parsed;
}

} // namespace

void Nic::receive(View frame)
{
	if (frame.size() < 14 || hca_ != Hca::initialized)
		return;
	count_frame(received_, frame);
	if (frame.size() > admin_mtu_) {
		report_.count("frames above the port's MTU");
		return;
	}
	for (const auto number : steering_.receivers(frame)) {
		const auto tir = tirs_.find(number);
		if (tir != tirs_.end())
			deliver(tir->second, frame);
	}
}

void Nic::deliver(const Tir &tir, View frame)
{
	const auto hash = tir.fields ? flow_hash(tir, frame) : std::nullopt;
	// What was hashed: addresses (2 of 4 bits each IPv4 and IPv6), ports.
	uint8_t type = 0;
	if (hash) {
		type = tir.ipv6 ? 2 << 2 : 1 << 2;
		if (tir.fields & 12)
			type = static_cast<uint8_t>(type | (tir.udp ? 2 << 6 : 1 << 6));
	}
	if (!tir.indirect) {
		deliver_to(tir.rq, frame, hash.value_or(0), type);
		return;
	}
	const auto table = rqts_.find(tir.rqt);
	if (table == rqts_.end() || table->second.empty())
		return;
	deliver_to(table->second[hash.value_or(0) % table->second.size()], frame, hash.value_or(0),
		   type);
}

void Nic::deliver_to(uint32_t number, View frame, uint32_t hash, uint8_t hash_type)
{
	const auto found = rqs_.find(number);
	if (found == rqs_.end() || found->second.state != QueueState::ready) {
		report_.count("frames for a queue that is not ready");
		return;
	}
	auto &queue = found->second;
	const auto *counters = memory_.at(queue.doorbell, 8, "a receive queue's counter");
	if (!counters)
		return;
	const auto posted = static_cast<uint16_t>(be32(counters));
	if (posted == queue.consumer) {
		discards_++;
		out_of_buffer_[queue.counter_set]++;
		return;
	}
	if (static_cast<uint16_t>(posted - queue.consumer) > 1U << queue.log_size)
		report_.misuse("a receive queue overran", hex(number));

	const auto parsed = parse(frame);
	Bytes stripped;
	uint16_t tag = 0;
	bool tagged = false;
	if (!queue.keeps_vlan && be16(&frame[12]) == vlan_type && frame.size() >= 18) {
		stripped.assign(frame.begin(), frame.end());
		tag = be16(&frame[14]);
		tagged = true;
		stripped.erase(stripped.begin() + 12, stripped.begin() + 16);
		frame = stripped;
	}
	if (!scatter(queue, number, frame))
		return;
	auto &to = cqs_[queue.cq];
	auto *entry = completion(to, queue.cq);
	if (!entry)
		return;
	put_be32(entry + 0x0c, hash);
	entry[0x10] = hash_type;
	put_be16(entry + 0x14, parsed.sum);
	entry[0x1c] = parsed.ok;
	entry[0x1d] = static_cast<uint8_t>(parsed.types | (tagged ? 1 : 0));
	put_be16(entry + 0x1e, tag);
	put_be32(entry + 0x2c, static_cast<uint32_t>(frame.size()));
	put_be16(entry + 0x3c, queue.consumer);
	publish(to, queue.cq, entry, response_opcode);
	queue.consumer++;
}

// False when the frame found no place: the queue is then in error.
bool Nic::scatter(ReceiveQueue &queue, uint32_t number, View frame)
{
	const uint32_t mask = (1U << queue.log_size) - 1;
	const size_t stride = size_t{1} << queue.log_stride;
	const auto *request = queue.pages.at(memory_, (queue.consumer & mask) * stride, stride,
					     "a receive queue");
	uint8_t syndrome = request ? local_length : local_protection;
	for (size_t at = 0; request && at + segment <= stride; at += segment) {
		// The highest bit of the length asks for padding at the start, for alignment.
		const auto length = be32(request + at) & 0x7fffffff, key = be32(request + at + 4);
		if (key == no_key)
			break;
		const auto part = frame.first(std::min<size_t>(length, frame.size()));
		if (!objects_.known({Kind::mkey, key >> 8}, "a receive buffer") ||
		    !memory_.write(be64(request + at + 8), part, "a receive buffer")) {
			syndrome = local_protection;
			break;
		}
		frame = frame.subspan(part.size());
		if (frame.empty())
			return true;
	}
	report_.misuse("a receive buffer", "RQ " + hex(number) + " at " +
						   std::to_string(queue.consumer) + ", " +
						   std::to_string(frame.size()) + " bytes left");
	queue.state = QueueState::error;
	auto &to = cqs_[queue.cq];
	if (auto *entry = completion(to, queue.cq)) {
		entry[0x37] = syndrome;
		put_be32(entry + 0x38, number);
		put_be16(entry + 0x3c, queue.consumer);
		publish(to, queue.cq, entry, response_error);
	}
	return false;
}

} // namespace cx
