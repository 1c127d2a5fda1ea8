// SPDX-License-Identifier: Apache-2.0
// vectors --text | --header: the test vectors, for docs/wire.md and for KUnit.
#include "protocol.hpp"

#include <array>
#include <iostream>
#include <map>

using namespace sdp_test;

namespace {

constexpr std::array ciphers = {Cipher::Aes128Gcm, Cipher::Aes256Gcm, Cipher::ChaCha20Poly1305};
constexpr std::array directions = {Direction::ClientToServer, Direction::ServerToClient};

constexpr std::uint16_t client_port = 40000;
constexpr std::uint16_t server_port = 99;
constexpr std::uint64_t rpc_id = 0x123456789abcdef0;
constexpr std::uint64_t request_number = 0x010203040506;

Parameters parameters(Cipher cipher, std::uint16_t record_size)
{
	return {counting(0x00, 32), counting(0x20, 16), counting(0x30, 16), cipher,
		record_size,        counting(0x40, 32)};
}

// Where a vector goes: a line of text, or an array of a C header.
class Output {
	bool header;

public:
	explicit Output(bool as_header) : header(as_header) {}

	void begin() const;
	void section(std::string_view title) const;
	void value(const std::string &name, View bytes) const;
	void end() const;
};

void Output::begin() const
{
	if (header)
		std::cout << "/* SPDX-License-Identifier: Apache-2.0 */\n"
			     "/* Made by selftests/record/vectors --header; docs/wire.md lists the "
			     "same. */\n"
			     "#ifndef SDP_RECORD_VECTORS_H\n#define SDP_RECORD_VECTORS_H\n\n"
			     "#include <linux/types.h>\n";
}

void Output::section(std::string_view title) const
{
	std::cout << (header ? "\n/* " : "\n# ") << title << (header ? " */\n" : "\n");
}

void Output::value(const std::string &name, View bytes) const
{
	const std::string digits = hex(bytes);
	const std::size_t line = header ? 24 : 64;

	std::cout << (header ? "\nstatic const __u8 " + name + "[] = {" : name);
	for (std::size_t at = 0; at < digits.size(); at += line) {
		const std::string part = digits.substr(at, line);
		if (!header) {
			std::cout << "\n  " << part;
			continue;
		}
		std::cout << "\n\t";
		for (std::size_t i = 0; i < part.size(); i += 2)
			std::cout << (i ? " " : "") << "0x" << part.substr(i, 2) << ',';
	}
	std::cout << (header ? "\n};\n" : "\n");
}

void Output::end() const
{
	if (header)
		std::cout << "\n#endif /* SDP_RECORD_VECTORS_H */\n";
}

std::string name_of(Cipher cipher, Direction direction, std::uint64_t epoch)
{
	return std::string(cipher_name(cipher)) +
	       (direction == Direction::ClientToServer ? "_c2s_" : "_s2c_") + std::to_string(epoch);
}

void keys(const Output &out, Cipher cipher)
{
	const Parameters p = parameters(cipher, 16256);
	const std::string name(cipher_name(cipher));
	Bytes id;

	out.section("Keys of " + name + ", record size 16256");
	append_number(id, session_id(p), 4);
	out.value(name + "_id", id);
	for (const auto direction : directions) {
		for (std::uint64_t epoch = 0; epoch < 2; epoch++) {
			const Keys k = epoch_keys(p, direction, epoch);
			const std::string prefix = name_of(cipher, direction, epoch);
			out.value(prefix + "_key", k.key);
			out.value(prefix + "_iv", k.iv);
			out.value(prefix + "_hdr", k.hdr);
			out.value(prefix + "_next", k.next);
		}
	}
}

// What ends have that know nothing of each other.
void without_context(const Output &out)
{
	Parameters p = parameters(Cipher::Aes128Gcm, 16256);
	Bytes id;

	p.context = Bytes(32);
	out.section("Keys of aes_128_gcm, record size 16256, context of zeros");
	append_number(id, session_id(p), 4);
	out.value("no_context_id", id);
	for (const auto direction : directions)
		out.value(direction == Direction::ClientToServer ? "no_context_c2s_key"
								 : "no_context_s2c_key",
			  epoch_keys(p, direction, 0).key);
}

Message request()
{
	Message m;

	m.number = request_number;
	m.rpc_id = rpc_id;
	m.acks = {0x1111111111111110, 0x2222222222222220};
	m.data = counting(0x40, 48);
	return m;
}

Message response()
{
	Message m;

	m.number = 7;
	m.rpc_id = rpc_id | 1;
	m.response = true;
	m.request_epoch = 0;
	m.request_number = request_number;
	m.data = counting(0x80, 20);
	m.padding = 11;
	return m;
}

void messages(const Output &out, Cipher cipher)
{
	const Parameters p = parameters(cipher, 16256);
	const std::string name(cipher_name(cipher));

	out.section("Messages with " + name);
	out.value(name + "_request",
		  seal_message(sender(p, Direction::ClientToServer, 0), request()));
	out.value(name + "_response",
		  seal_message(sender(p, Direction::ServerToClient, 0), response()));
}

// Three records and padding that reaches into the last one.
void records(const Output &out)
{
	const Parameters p = parameters(Cipher::Aes128Gcm, 256);
	Message m = request();

	m.data = counting(0, 480);
	m.padding = 40;
	out.section("A request of three records: aes_128_gcm, record size 256, epoch 1");
	out.value("three_records", seal_message(sender(p, Direction::ClientToServer, 1), m));
}

DataHeader request_header(std::uint32_t length)
{
	DataHeader h;

	h.source = client_port;
	h.destination = server_port;
	h.rpc_id = rpc_id;
	h.message_length = length;
	h.incoming = length;
	h.message_number = request_number;
	h.cutoff_version = 3;
	h.packet_payload = 1404;
	return h;
}

void data(const Output &out, Cipher cipher)
{
	const Sender s = sender(parameters(cipher, 16256), Direction::ClientToServer, 0);
	const Bytes sealed = seal_message(s, request());
	const auto length = static_cast<std::uint32_t>(sealed.size());
	const std::string name(cipher_name(cipher));
	DataHeader h = request_header(length);

	out.section("DATA of that request with " + name + ": header, packet in authenticated form");
	out.value(name + "_data_header", data_header(s, h));
	h.flags = 3;
	h.sequence = 16;
	out.value(name + "_authenticated_data",
		  authenticated_data(s, h, View(sealed).subspan(16), 0x123456789));
}

struct Control {
	std::string name;
	std::uint8_t type;
	bool from_server;
	Bytes body;
	std::uint8_t flags;
};

Bytes body(std::initializer_list<std::pair<std::uint64_t, std::size_t>> fields)
{
	Bytes out;

	for (const auto &[value, length] : fields)
		append_number(out, value, length);
	return out;
}

std::vector<Control> controls()
{
	Bytes cutoffs;
	for (std::uint64_t i = 0; i < 8; i++)
		append_number(cutoffs, 0x10000 >> i, 4);
	append_number(cutoffs, 9, 2);

	Bytes acks =
		body({{2, 2}, {rpc_id, 8}, {server_port, 2}, {rpc_id + 2, 8}, {server_port, 2}});
	acks.resize(52);

	return {
		{"grant", 0x11, true, body({{50000, 4}, {5, 1}, {1, 1}}), 0},
		{"resend", 0x12, true, body({{100, 4}, {2000, 4}, {7, 1}}), 1},
		{"rpc_unknown", 0x13, true, {}, 2},
		{"busy", 0x14, true, {}, 0},
		{"cutoffs", 0x15, true, cutoffs, 0},
		{"need_ack", 0x17, true, {}, 0},
		{"ack", 0x18, false, acks, 0},
		{"abort", 0x19, true, body({{1, 4}}), 0},
	};
}

void control(const Output &out, Cipher cipher, const Control &c, std::uint64_t counter)
{
	const auto direction =
		c.from_server ? Direction::ServerToClient : Direction::ClientToServer;
	const Sender s = sender(parameters(cipher, 16256), direction, 0);
	Trailer t;

	t.flags = c.flags;
	t.request_number = request_number;
	t.counter = counter;
	out.value(std::string(cipher_name(cipher)) + '_' + c.name,
		  control_packet(s, c.type, c.from_server ? server_port : client_port,
				 c.from_server ? client_port : server_port,
				 c.from_server ? rpc_id | 1 : rpc_id, c.body, t));
}

void control_packets(const Output &out)
{
	std::uint64_t counter = 0;

	out.section("Control packets, counters from 0 on");
	for (const auto &c : controls())
		control(out, Cipher::Aes128Gcm, c, counter++);
	control(out, Cipher::Aes256Gcm, controls()[3], counter++);
	control(out, Cipher::ChaCha20Poly1305, controls()[3], counter);
}

} // namespace

int main(int argc, char **argv)
{
	const std::string_view mode = argc == 2 ? argv[1] : "";

	if (mode != "--text" && mode != "--header") {
		std::cerr << "usage: vectors --text | --header\n";
		return 2;
	}
	const Output out(mode == "--header");
	out.begin();
	for (const auto cipher : ciphers)
		keys(out, cipher);
	without_context(out);
	for (const auto cipher : ciphers)
		messages(out, cipher);
	records(out);
	for (const auto cipher : ciphers)
		data(out, cipher);
	control_packets(out);
	out.end();
}
