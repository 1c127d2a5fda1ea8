// SPDX-License-Identifier: Apache-2.0
// captures FILE...: fails if a pcap file shows a nonce used for two plaintexts, or
// cannot be read, or holds no secure packet. captures --self-test: TAP.
#include "protocol.hpp"
#include "reuse.hpp"

#include <iostream>
#include <string_view>

using namespace sdp_test;

namespace {

Sender sender_of(Direction direction, std::uint64_t epoch)
{
	const Parameters p = {counting(9, 32), counting(1, 16), counting(2, 16), Cipher::Aes128Gcm,
			      256};

	return sender(p, direction, epoch);
}

Bytes in_ipv4(View packet, std::uint16_t ip_id, std::uint8_t host)
{
	Bytes ip = {0x45, 0};

	append_number(ip, 20 + packet.size(), 2);
	append_number(ip, ip_id, 2);
	append_number(ip, 0x4000, 2);
	append(ip, Bytes{64, 146, 0, 0, 10, 0, 0, host, 10, 0, 0, 9});
	append(ip, packet);
	return ip;
}

Bytes in_ipv6(View packet)
{
	Bytes ip = {0x60, 0, 0, 0};

	append_number(ip, packet.size(), 2);
	append(ip, Bytes{146, 64});
	append(ip, counting(1, 32));
	append(ip, packet);
	return ip;
}

Message message(std::uint64_t number, std::uint8_t first)
{
	Message m;

	m.number = number;
	m.rpc_id = 0x1000;
	m.data = counting(first, 600);
	return m;
}

// A part of a message as a packet.
Bytes part(const Sender &s, const Message &m, std::uint32_t sequence, std::size_t place,
	   std::size_t length)
{
	const Bytes sealed = seal_message(s, m);
	DataHeader h;

	h.source = 1;
	h.destination = 2;
	h.sequence = sequence;
	h.rpc_id = m.rpc_id;
	h.message_length = static_cast<std::uint32_t>(sealed.size());
	h.message_number = m.number;
	h.packet_payload = 100;
	Bytes out = data_header(s, h);
	append(out, View(sealed).subspan(place, length));
	return out;
}

Bytes grant(const Sender &s, std::uint64_t counter, std::uint8_t priority)
{
	return control_packet(s, 0x11, 1, 2, 0x1000, Bytes{0, 0, 1, 0, priority, 0},
			      {.counter = counter});
}

std::uint64_t reused(std::initializer_list<Bytes> packets)
{
	ReuseDetector detector;

	for (const auto &packet : packets)
		detector.packet(packet);
	return detector.counts().unreadable ? 99 : detector.counts().reused;
}

int self_test()
{
	const Sender s = sender_of(Direction::ClientToServer, 0);
	const Sender other_epoch = sender_of(Direction::ClientToServer, 1);
	const Message a = message(5, 0);
	const Message b = message(5, 1);
	int tests = 0;
	bool all_ok = true;

	const auto expect = [&](std::uint64_t wanted, std::initializer_list<Bytes> packets,
				const char *name) {
		const bool ok = reused(packets) == wanted;
		std::cout << (ok ? "ok " : "not ok ") << ++tests << " - " << name << '\n';
		all_ok = all_ok && ok;
	};

	expect(0,
	       {in_ipv4(part(s, a, 0, 0, 300), 0, 1), in_ipv4(part(s, a, 100, 100, 250), 0, 1),
		in_ipv4(part(s, a, 0, 0, 300), 0, 1)},
	       "captures: a retransmission, cut differently");
	expect(0,
	       {in_ipv4(part(s, a, 0, 0, 300), 0, 1),
		in_ipv4(part(s, a, 0x80000000, 200, 100), 2, 1)},
	       "captures: a place counted by IP IDs");
	expect(1, {in_ipv4(part(s, a, 0, 0, 300), 0, 1), in_ipv4(part(s, b, 0, 0, 300), 0, 1)},
	       "captures: a message number used twice");
	expect(1, {in_ipv6(part(s, a, 0, 0, 300)), in_ipv6(part(s, b, 299, 299, 300))},
	       "captures: two messages that meet in one byte, IPv6");
	expect(0,
	       {in_ipv4(part(s, a, 0, 0, 300), 0, 1), in_ipv4(part(s, b, 0, 0, 300), 0, 2),
		in_ipv4(part(other_epoch, b, 0, 0, 300), 0, 1)},
	       "captures: the same number of another host, in another epoch");
	Sender renamed = s;
	renamed.epoch++;
	expect(1,
	       {in_ipv4(part(s, a, 0, 0, 300), 0, 1), in_ipv4(part(renamed, a, 0, 0, 300), 0, 1)},
	       "captures: the same key in another epoch");
	expect(0, {in_ipv4(grant(s, 1, 3), 0, 1), in_ipv4(grant(s, 1, 3), 0, 1)},
	       "captures: a control packet twice on the way");
	expect(1, {in_ipv4(grant(s, 1, 3), 0, 1), in_ipv4(grant(s, 1, 4), 0, 1)},
	       "captures: a counter used twice");
	expect(0, {in_ipv4(grant(s, 1, 3), 0, 1), in_ipv4(grant(s, 2, 4), 0, 1)},
	       "captures: two counters");
	std::cout << "1.." << tests << '\n';
	return all_ok ? 0 : 1;
}

int check(std::span<char *> files)
{
	ReuseDetector detector;
	bool readable = true;

	for (const std::string name : files) {
		if (detector.file(name))
			continue;
		std::cerr << name << ": not a pcap file that can be read to its end\n";
		readable = false;
	}
	const auto &c = detector.counts();
	std::cout << c.packets << " secure packets, " << c.messages << " messages, " << c.bytes
		  << " sealed bytes, " << c.counters << " counters, " << c.repeated << " repeated, "
		  << c.unreadable << " unreadable, " << c.reused << " reused\n";
	return readable && c.packets && !c.unreadable && !c.reused ? 0 : 1;
}

} // namespace

int main(int argc, char **argv)
{
	const std::span<char *> arguments(argv, static_cast<std::size_t>(argc));

	if (argc < 2) {
		std::cerr << "usage: captures FILE... | --self-test\n";
		return 2;
	}
	return std::string_view(argv[1]) == "--self-test" ? self_test()
							  : check(arguments.subspan(1));
}
