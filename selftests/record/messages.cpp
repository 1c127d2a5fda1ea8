// SPDX-License-Identifier: Apache-2.0
// The second implementation by itself: whole messages there and back, changed
// ones, and the module's layout functions against what it produces. TAP.
#include "protocol.hpp"
#include <record/layout.h>

#include <array>
#include <iostream>

using namespace sdp_test;

namespace {

int tests = 0;
bool all_ok = true;

void result(bool ok, const std::string &name)
{
	std::cout << (ok ? "ok " : "not ok ") << ++tests << " - " << name << '\n';
	all_ok = all_ok && ok;
}

constexpr std::array ciphers = {Cipher::Aes128Gcm, Cipher::Aes256Gcm, Cipher::ChaCha20Poly1305};
constexpr std::array<std::uint16_t, 4> record_sizes = {256, 1000, 16256, 16385};

Sender sender_of(Cipher cipher, std::uint16_t record_size)
{
	const Parameters p = {counting(9, 32), counting(1, 16), counting(2, 16), cipher,
			      record_size};

	return sender(p, Direction::ClientToServer, 0);
}

Message message(std::size_t length, std::size_t padding, std::size_t acks)
{
	Message m;

	m.number = 77;
	m.rpc_id = 0x1000;
	m.data = counting(0, length);
	m.padding = padding;
	for (std::size_t i = 0; i < acks; i++)
		m.acks.push_back(0x2000 + 2 * i);
	return m;
}

// Content of one record and of several, give or take a byte.
std::vector<std::size_t> lengths(std::size_t record_size, std::size_t head)
{
	std::vector<std::size_t> out = {0, 1};

	for (std::size_t records = 1; records <= 3; records++)
		for (std::size_t i = 0; i < 3; i++)
			out.push_back(records * (record_size - 1) - head - 1 + i);
	return out;
}

bool same(const Message &a, const Message &b)
{
	return a.number == b.number && a.rpc_id == b.rpc_id && a.response == b.response &&
	       a.acks == b.acks && a.data == b.data && a.padding == b.padding;
}

bool there_and_back(const Sender &s, const Message &m)
{
	const auto got = open_message(s, m.number, seal_message(s, m));

	return got && same(*got, m);
}

bool round_trips(Cipher cipher)
{
	for (const auto size : record_sizes) {
		const Sender s = sender_of(cipher, size);
		for (const std::size_t acks : {0, 5}) {
			for (const auto length : lengths(size, 16 + 8 * acks))
				for (const std::size_t padding : {0, 1, 300})
					if (!there_and_back(s, message(length, padding, acks)))
						return false;
		}
	}
	return true;
}

bool every_byte_counts(Cipher cipher)
{
	const Sender s = sender_of(cipher, 256);
	const Message m = message(480, 40, 2);
	Bytes sealed = seal_message(s, m);

	for (auto &byte : sealed) {
		byte ^= 0x10;
		if (open_message(s, m.number, sealed))
			return false;
		byte ^= 0x10;
	}
	return open_message(s, m.number, sealed).has_value();
}

bool length_counts(Cipher cipher)
{
	const Sender s = sender_of(cipher, 256);
	const Message m = message(480, 40, 2);
	const Bytes sealed = seal_message(s, m);

	for (std::size_t length = 0; length < sealed.size(); length++)
		if (open_message(s, m.number, View(sealed).first(length)))
			return false;
	Bytes longer = sealed;
	longer.push_back(0);
	return !open_message(s, m.number, longer) && !open_message(s, m.number + 1, sealed);
}

// What the layout functions say of a message, against its records.
bool layout_of(std::uint32_t size, std::uint32_t head, std::uint32_t app, std::uint32_t padding,
	       const Bytes &sealed)
{
	const auto length = static_cast<std::uint32_t>(sealed.size());
	std::uint32_t at = 0;
	std::uint32_t data = 0;
	std::uint32_t index = 0;

	if (sdp_layout_sealed(size, std::uint64_t{head} + app + padding) != length ||
	    !sdp_layout_valid(size, length) || sdp_layout_max_app(size, length) < app)
		return false;
	for (; at < length; index++) {
		const auto wire =
			static_cast<std::uint32_t>(5 + number(View(sealed).subspan(at + 3, 2)));
		if (sdp_layout_offset(size, index) != at ||
		    sdp_layout_wire_length(size, length, index) != wire)
			return false;
		if (data < app && sdp_layout_app_start(size, head, index) != data)
			return false;
		data += sdp_layout_app_length(size, length, head, app, index);
		at += wire;
	}
	return at == length && data == app && sdp_layout_records(size, length) == index;
}

bool layout()
{
	for (const auto size : record_sizes) {
		const Sender s = sender_of(Cipher::Aes128Gcm, size);
		for (const auto app : lengths(size, 16)) {
			for (const std::size_t padding : {0, 1, 300}) {
				const Bytes sealed = seal_message(s, message(app, padding, 0));
				if (!layout_of(size, 16, static_cast<std::uint32_t>(app),
					       static_cast<std::uint32_t>(padding), sealed))
					return false;
			}
		}
	}
	return true;
}

struct Limit {
	std::uint32_t record_size;
	std::uint64_t content;
	std::uint32_t sealed;
};

bool layout_limits()
{
	constexpr std::array limits = {
		Limit{256, 0, 0},
		Limit{256, 1, 23},
		Limit{256, 255, 277},
		Limit{256, 256, 300},
		Limit{256, 65536 * 255, 65536 * 277},
		Limit{256, 65536 * 255 + 1, 0},
		Limit{16385, 65536ULL * 16384, 65536U * 16406},
		Limit{16385, 65536ULL * 16384 + 1, 0},
		Limit{16385, 0xffffffffULL, 0},
		Limit{16385, 0x100000010ULL, 0},
	};
	bool ok = true;

	for (const auto &limit : limits)
		ok = ok && sdp_layout_sealed(limit.record_size, limit.content) == limit.sealed;
	return ok;
}

bool illegal_lengths()
{
	constexpr std::array<std::uint32_t, 9> bad = {
		0, 1, 22, 37, 278, 299, 65536 * 277 + 1, 65536 * 277 + 23, 0xffffffff,
	};
	constexpr std::array<std::uint32_t, 6> good = {38, 277, 300, 554, 577, 65536 * 277};
	bool ok = true;

	for (const auto length : bad)
		ok = ok && !sdp_layout_valid(256, length);
	for (const auto length : good)
		ok = ok && sdp_layout_valid(256, length);
	return ok;
}

bool control_bytes_count(Cipher cipher)
{
	const Sender s = sender_of(cipher, 256);
	Bytes packet = control_packet(s, 0x12, 1, 2, 3, counting(0, 9), {.counter = 5});

	for (std::size_t i = 0; i < packet.size(); i++) {
		packet[i] ^= 1;
		if (control_packet_ok(s, packet) != (i == 16 || i == 17))
			return false;
		packet[i] ^= 1;
	}
	return control_packet_ok(s, packet);
}

} // namespace

int main()
{
	for (const auto cipher : ciphers) {
		const std::string name(cipher_name(cipher));
		result(round_trips(cipher), name + ": messages there and back");
		result(every_byte_counts(cipher), name + ": every byte of a message counts");
		result(length_counts(cipher), name + ": the length of a message counts");
		result(control_bytes_count(cipher),
		       name + ": every byte of a control packet counts");
	}
	result(layout(), "layout functions agree");
	result(layout_limits(), "lengths of sealed messages, up to the last record index");
	result(illegal_lengths(), "lengths that no message has");
	std::cout << "1.." << tests << '\n';
	return all_ok ? 0 : 1;
}
