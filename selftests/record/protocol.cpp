// SPDX-License-Identifier: Apache-2.0
#include "protocol.hpp"

#include <algorithm>

namespace sdp_test {

namespace {

constexpr std::size_t record_header = 5;
constexpr std::size_t tag_length = 16;
constexpr std::size_t header_length = 60;
constexpr std::uint8_t application_data = 23;

Bytes info(const Parameters &p, std::string_view label, Direction direction, std::uint64_t epoch)
{
	Bytes out;

	append(out, "sdp2 ");
	append(out, label);
	append_number(out, static_cast<std::uint8_t>(direction), 1);
	append_number(out, epoch, 8);
	append_number(out, static_cast<std::uint16_t>(p.cipher) & 0xff, 1);
	append_number(out, p.record_size, 2);
	append(out, p.context);
	return out;
}

Bytes nonce(const Keys &keys, std::uint64_t record)
{
	Bytes out = keys.iv;

	for (std::size_t i = 0; i < 8; i++)
		out[4 + i] ^= static_cast<std::uint8_t>(record >> (56 - 8 * i));
	return out;
}

std::uint64_t record_number(std::uint64_t message, std::uint64_t index)
{
	return message << 16 | index;
}

constexpr std::uint64_t control_record = 1ULL << 63;

Bytes record_aad(std::size_t inner)
{
	Bytes out = {application_data, 3, 3};

	append_number(out, inner + tag_length, 2);
	return out;
}

Bytes message_header(const Message &m)
{
	Bytes out = {1, static_cast<std::uint8_t>(m.response),
		     static_cast<std::uint8_t>(m.acks.size()), 0};

	append_number(out, m.data.size(), 4);
	append_number(out, m.rpc_id, 8);
	if (m.response) {
		append_number(out, m.request_epoch, 2);
		append_number(out, m.request_number, 6);
	}
	for (const auto ack : m.acks)
		append_number(out, ack, 8);
	return out;
}

// Read a message header; nothing unless it is well formed and fits.
std::optional<Message> parse(View content)
{
	Message m;

	if (content.size() < 16 || content[0] != 1 || content[1] > 1 || content[2] > 5 ||
	    content[3] != 0)
		return std::nullopt;
	const std::size_t length = number(content.subspan(4, 4));
	m.response = content[1] != 0;
	m.rpc_id = number(content.subspan(8, 8));
	const std::size_t fixed = m.response ? 24 : 16;
	const std::size_t start = fixed + 8 * std::size_t{content[2]};
	if (content.size() < start || content.size() - start < length)
		return std::nullopt;
	if (m.response) {
		m.request_epoch = static_cast<std::uint16_t>(number(content.subspan(16, 2)));
		m.request_number = number(content.subspan(18, 6));
	}
	for (std::size_t i = 0; i < content[2]; i++)
		m.acks.push_back(number(content.subspan(fixed + 8 * i, 8)));
	const View data = content.subspan(start, length);
	const View padding = content.subspan(start + length);
	m.data.assign(data.begin(), data.end());
	m.padding = padding.size();
	if (std::ranges::any_of(padding, [](auto byte) { return byte != 0; }))
		return std::nullopt;
	return m;
}

// Packet with the bytes as zero that its tag takes as zero.
Bytes with_zero(View packet, std::initializer_list<std::size_t> places)
{
	Bytes out(packet.begin(), packet.end());

	for (const auto place : places)
		out[place] = 0;
	return out;
}

} // namespace

Bytes root_secret(const Parameters &p)
{
	Bytes salt = p.client_nonce;

	append(salt, p.server_nonce);
	return hkdf_extract(salt, p.secret);
}

std::uint32_t session_id(const Parameters &p)
{
	const auto id =
		number(hkdf_expand(root_secret(p), info(p, "id", Direction::ClientToServer, 0), 4));

	return id ? static_cast<std::uint32_t>(id) : 1;
}

Keys epoch_keys(const Parameters &p, Direction direction, std::uint64_t epoch)
{
	Bytes secret = root_secret(p);

	for (std::uint64_t e = 0; e < epoch; e++)
		secret = hkdf_expand(secret, info(p, "next", direction, e), 32);
	return {
		hkdf_expand(secret, info(p, "key", direction, epoch), key_length(p.cipher)),
		hkdf_expand(secret, info(p, "iv", direction, epoch), 12),
		hkdf_expand(secret, info(p, "hdr", direction, epoch), 16),
		hkdf_expand(secret, info(p, "next", direction, epoch), 32),
	};
}

Sender sender(const Parameters &p, Direction direction, std::uint64_t epoch)
{
	return {p.cipher, p.record_size, session_id(p), epoch, epoch_keys(p, direction, epoch)};
}

Bytes seal_message(const Sender &s, const Message &m)
{
	const std::size_t room = s.record_size - 1;
	Bytes content = message_header(m);
	Bytes out;

	append(content, m.data);
	content.resize(content.size() + m.padding);
	for (std::size_t at = 0, index = 0; at < content.size(); at += room, index++) {
		const auto chunk = View(content).subspan(at, std::min(room, content.size() - at));
		Bytes inner(chunk.begin(), chunk.end());
		inner.push_back(application_data);
		const Bytes aad = record_aad(inner.size());
		append(out, aad);
		append(out, aead_seal(s.cipher, s.keys.key,
				      nonce(s.keys, record_number(m.number, index)), aad, inner));
	}
	return out;
}

std::optional<Message> open_message(const Sender &s, std::uint64_t message, View sealed)
{
	const std::size_t full = s.record_size + record_header + tag_length;
	Bytes content;

	for (std::size_t at = 0, index = 0; at < sealed.size(); at += full, index++) {
		const View record = sealed.subspan(at, std::min(full, sealed.size() - at));
		if (record.size() < record_header + tag_length + 2)
			return std::nullopt;
		const Bytes aad = record_aad(record.size() - record_header - tag_length);
		if (!std::ranges::equal(aad, record.first(record_header)))
			return std::nullopt;
		const auto inner = aead_open(s.cipher, s.keys.key,
					     nonce(s.keys, record_number(message, index)), aad,
					     record.subspan(record_header));
		if (!inner || inner->back() != application_data)
			return std::nullopt;
		append(content, View(*inner).first(inner->size() - 1));
	}
	auto m = parse(content);
	if (m)
		m->number = message;
	return m;
}

Bytes data_header(const Sender &s, const DataHeader &h)
{
	Bytes out;

	append_number(out, h.source, 2);
	append_number(out, h.destination, 2);
	append_number(out, h.sequence, 4);
	append_number(out, 0x50f000, 6);
	append_number(out, 0, 6);
	append_number(out, h.rpc_id, 8);
	append_number(out, h.message_length, 4);
	append_number(out, h.incoming, 4);
	append_number(out, s.session, 4);
	append_number(out, h.message_number, 6);
	append_number(out, h.cutoff_version, 2);
	append_number(out, h.flags, 1);
	append_number(out, s.epoch & 0xff, 1);
	append_number(out, h.packet_payload, 2);
	append(out, siphash(s.keys.hdr, with_zero(out, {4, 5, 6, 7, 13, 16, 17})));
	return out;
}

Bytes authenticated_data(const Sender &s, const DataHeader &h, View payload, std::uint64_t counter)
{
	Bytes out = data_header(s, h);

	append(out, payload);
	append_number(out, counter, 8);
	append(out, aead_seal(s.cipher, s.keys.key, nonce(s.keys, control_record | counter),
			      with_zero(out, {16, 17}), {}));
	return out;
}

Bytes control_packet(const Sender &s, std::uint8_t type, std::uint16_t source,
		     std::uint16_t destination, std::uint64_t rpc_id, View body, const Trailer &t)
{
	Bytes out;

	append_number(out, source, 2);
	append_number(out, destination, 2);
	append_number(out, 0, 7);
	append_number(out, type | 0x40, 1);
	append_number(out, 0x50, 1);
	append_number(out, 0, 7);
	append_number(out, rpc_id, 8);
	append(out, body);
	out.resize((out.size() + 3) / 4 * 4);
	append_number(out, s.session, 4);
	append_number(out, s.epoch & 0xff, 1);
	append_number(out, t.flags, 1);
	append_number(out, t.request_epoch, 1);
	append_number(out, 0, 1);
	append_number(out, t.request_number, 6);
	append_number(out, 0, 2);
	append_number(out, t.counter, 8);
	append(out, aead_seal(s.cipher, s.keys.key, nonce(s.keys, control_record | t.counter),
			      with_zero(out, {16, 17}), {}));
	return out;
}

bool control_packet_ok(const Sender &s, View packet)
{
	if (packet.size() < header_length)
		return false;
	const View covered = packet.first(packet.size() - tag_length);
	const auto counter = number(covered.last(8));

	return aead_open(s.cipher, s.keys.key, nonce(s.keys, control_record | counter),
			 with_zero(covered, {16, 17}), packet.last(tag_length))
		.has_value();
}

} // namespace sdp_test
