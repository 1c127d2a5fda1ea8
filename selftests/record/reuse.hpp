// SPDX-License-Identifier: Apache-2.0
// Finds, without any key, a (key, record number) used for two plaintexts: what is
// sealed once is the same bytes at every transmission, so different bytes at one
// place of a message, or two packets with one counter, give it away. So does one
// keystream under two names (session, epoch): it makes the same ciphertext of the
// same plaintext, which two messages else never share. To be fed with what a
// sender sent, not with what somebody changed on the way.
#pragma once

#include "crypto.hpp"

#include <map>

namespace sdp_test {

struct ReuseCounts {
	std::uint64_t packets = 0; // secure ones
	std::uint64_t messages = 0;
	std::uint64_t bytes = 0;    // of sealed messages, each counted once
	std::uint64_t repeated = 0; // seen again, the same
	std::uint64_t counters = 0;
	std::uint64_t reused = 0;     // what must not be
	std::uint64_t unreadable = 0; // cut short, or no packet of ours
};

class ReuseDetector {
	struct Message {
		std::uint64_t rpc_id;
		Bytes bytes;
		std::vector<bool> known;
	};

	ReuseCounts total;
	std::map<Bytes, Message> messages;
	std::map<Bytes, Bytes> counters;
	std::map<Bytes, Bytes> samples; // of ciphertext: the message it belongs to

	void secure(View addresses, View packet, std::uint32_t ip_id);
	void data(View addresses, View packet, std::uint32_t ip_id);
	void control(View addresses, View packet);
	void counter(Bytes key, View value, View packet);
	void fill(Message &m, std::size_t place, View payload);
	void sample(const Bytes &name, std::size_t place, View payload);

public:
	// One IP packet.
	void packet(View ip);
	// All of a pcap file; false if it is none, or ends in the middle.
	bool file(const std::string &name);
	const ReuseCounts &counts() const { return total; }
};

} // namespace sdp_test
