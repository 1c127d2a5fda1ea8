// SPDX-License-Identifier: Apache-2.0
#include "reuse.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

namespace sdp_test {

namespace {

constexpr std::uint8_t protocol_number = 146;
constexpr std::uint8_t secure_data = 0x50;
constexpr std::size_t data_header = 60;
constexpr std::size_t data_trailer = 24;
constexpr std::size_t control_trailer = 40;
constexpr std::uint32_t indexed = 0x80000000;
// Where ciphertexts are compared: every so often, behind the headers.
constexpr std::size_t sample_first = 64;
constexpr std::size_t sample_step = 512;
constexpr std::size_t sample_length = 16;

// Whose key it is: addresses and ports, session, epoch.
Bytes key_of(View addresses, View packet, View session, std::uint8_t epoch)
{
	Bytes key(addresses.begin(), addresses.end());

	append(key, packet.first(4));
	append(key, session);
	key.push_back(epoch);
	return key;
}

// The header of a captured frame, by the file's link type; nothing: not known.
std::optional<std::size_t> link_header(std::uint32_t type)
{
	switch (type) {
	case 1: // Ethernet
		return 14;
	case 12: // raw IP
	case 101:
		return 0;
	case 113: // Linux "cooked"
		return 16;
	case 276:
		return 20;
	default:
		return std::nullopt;
	}
}

std::uint32_t little(View bytes)
{
	Bytes reversed(bytes.begin(), bytes.end());

	std::ranges::reverse(reversed);
	return static_cast<std::uint32_t>(number(reversed));
}

} // namespace

// BYTES of a message that are known must be the ones known before.
void ReuseDetector::fill(Message &m, std::size_t place, View payload)
{
	bool different = place > m.bytes.size() || payload.size() > m.bytes.size() - place;
	bool again = false;

	for (std::size_t i = 0; i < payload.size() && !different; i++) {
		again = again || m.known[place + i];
		different = m.known[place + i] && m.bytes[place + i] != payload[i];
		total.bytes += m.known[place + i] ? 0 : 1;
		m.bytes[place + i] = payload[i];
		m.known[place + i] = true;
	}
	total.reused += different ? 1 : 0;
	total.repeated += again && !different ? 1 : 0;
}

// What messages have at the same place is different in each.
void ReuseDetector::sample(const Bytes &name, std::size_t place, View payload)
{
	const std::size_t end = place + payload.size();

	for (std::size_t at = sample_first; at + sample_length <= end; at += sample_step) {
		if (at < place)
			continue;
		Bytes bytes;
		append_number(bytes, at, 4);
		append(bytes, payload.subspan(at - place, sample_length));
		const auto [found, fresh] = samples.try_emplace(std::move(bytes), name);
		total.reused += found->second != name ? 1 : 0;
	}
}

// A counter belongs to one packet; the checksum is not part of it.
void ReuseDetector::counter(Bytes key, View value, View packet)
{
	Bytes bytes(packet.begin(), packet.end());

	append(key, value);
	bytes[16] = bytes[17] = 0;
	const auto [found, fresh] = counters.try_emplace(std::move(key), sha256(bytes));
	if (fresh)
		total.counters++;
	else if (found->second == sha256(bytes))
		total.repeated++;
	else
		total.reused++;
}

void ReuseDetector::data(View addresses, View packet, std::uint32_t ip_id)
{
	if (packet.size() < data_header) {
		total.unreadable++;
		return;
	}
	const Bytes key = key_of(addresses, packet, packet.subspan(36, 4), packet[49]);
	const auto rpc_id = number(packet.subspan(20, 8));
	const std::size_t length = number(packet.subspan(28, 4));
	const auto sequence = static_cast<std::uint32_t>(number(packet.subspan(4, 4)));
	std::size_t place = sequence & ~indexed;
	View payload = packet.subspan(data_header);

	if (sequence & indexed)
		place += ip_id * number(packet.subspan(50, 2));
	if (packet[48] & 2 && payload.size() >= data_trailer) {
		counter(key, packet.last(data_trailer).first(8), packet);
		payload = payload.first(payload.size() - data_trailer);
	}
	Bytes name = key;
	append(name, packet.subspan(40, 6));
	const auto [found, fresh] = messages.try_emplace(
		name, Message{rpc_id, Bytes(length), std::vector<bool>(length)});
	Message &m = found->second;
	if (fresh)
		total.messages++;
	if (m.rpc_id != rpc_id || m.bytes.size() != length)
		total.reused++;
	else
		fill(m, place, payload);
	sample(name, place, payload);
}

void ReuseDetector::control(View addresses, View packet)
{
	if (packet.size() < 28 + control_trailer) {
		total.unreadable++;
		return;
	}
	const View trailer = packet.last(control_trailer);
	counter(key_of(addresses, packet, trailer.first(4), trailer[4]), trailer.subspan(16, 8),
		packet);
}

void ReuseDetector::secure(View addresses, View packet, std::uint32_t ip_id)
{
	if (packet.size() < 28) {
		total.unreadable++;
		return;
	}
	if (!(packet[11] & 0x40))
		return;
	total.packets++;
	if (packet[11] == secure_data)
		data(addresses, packet, ip_id);
	else
		control(addresses, packet);
}

void ReuseDetector::packet(View ip)
{
	if (ip.size() >= 20 && ip[0] >> 4 == 4) {
		const std::size_t header = std::size_t{4} * (ip[0] & 15);
		const std::size_t length = number(ip.subspan(2, 2));
		if (ip[9] != protocol_number)
			return;
		// Longer than IP can say: a segment that nobody has cut yet.
		if (length > ip.size() || (number(ip.subspan(6, 2)) & 0x3fff) || header > ip.size())
			total.unreadable++;
		else
			secure(ip.subspan(12, 8),
			       ip.first(length ? length : ip.size()).subspan(header),
			       static_cast<std::uint32_t>(number(ip.subspan(4, 2))));
		return;
	}
	if (ip.size() >= 40 && ip[0] >> 4 == 6 && ip[6] == protocol_number) {
		const std::size_t length = number(ip.subspan(4, 2));
		if (length > ip.size() - 40)
			total.unreadable++;
		else
			secure(ip.subspan(8, 32), length ? ip.subspan(40, length) : ip.subspan(40),
			       0);
	}
}

bool ReuseDetector::file(const std::string &name)
{
	std::ifstream in(name, std::ios::binary);
	const Bytes all{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
	View rest = all;

	if (rest.size() < 24)
		return false;
	const std::uint32_t magic = little(rest.first(4));
	const auto skip = link_header(little(rest.subspan(20, 4)));
	if ((magic != 0xa1b2c3d4 && magic != 0xa1b23c4d) || !skip)
		return false;
	rest = rest.subspan(24);
	while (rest.size() >= 16) {
		const std::size_t kept = little(rest.subspan(8, 4));
		const std::size_t length = little(rest.subspan(12, 4));
		if (kept > rest.size() - 16)
			return false;
		const View frame = rest.subspan(16, kept);
		if (kept != length || kept < *skip)
			total.unreadable++;
		else
			packet(frame.subspan(*skip));
		rest = rest.subspan(16 + kept);
	}
	return rest.empty();
}

} // namespace sdp_test
