// SPDX-License-Identifier: Apache-2.0
// A host and a far end of it that has the keys of a session: what the tests of
// authentic but wrong packets are made of.
#pragma once

#include <memory>

#include "packet.hpp"
#include "plain_socket.hpp"
#include "proc.hpp"
#include "secure.hpp"

namespace keyed {

constexpr uint16_t port = 4000;
constexpr uint8_t secure_ack = packet::ack | packet::secure_bit;
constexpr uint8_t secure_abort = packet::abort | packet::secure_bit;
constexpr uint8_t secure_busy = packet::busy | packet::secure_bit;
constexpr uint8_t secure_resend = packet::resend | packet::secure_bit;
constexpr uint8_t secure_unknown = packet::rpc_unknown | packet::secure_bit;

/// The host, and everyone else in the hands of the test; made by alone().
extern std::unique_ptr<net::Alone> place;

/// For SETUP.
void alone();
/// After how long the host asks again. For EACH: so late that what is counted
/// does not depend on the speed of this machine.
void ask_again_after(const char *microseconds = "30000000");

net::Address peer_at(uint16_t at);
net::Address host_at(uint16_t at = port);

/// A server on the host, and a client of it with a session.
struct Serving {
	explicit Serving(uint16_t cipher = SDP_CIPHER_AES_128_GCM, uint16_t record_size = 0);

	/// The host's application gets the request.
	[[nodiscard]] PlainMessage deliver(const secure::Message &request) const;
	/// Sends a request, has it echoed, checks the response.
	void echo(uint64_t number, uint64_t rpc_id, size_t length = 100);
	/// Nothing of what was sent has reached the application or made state.
	void nothing_happened() const;

	PlainSocket server;
	secure::Peer peer;
	proc::Counters counters;
};

/// A client on the host, and a server for it with a session.
struct Calling {
	Calling();

	/// The host sends a request; it comes out here.
	secure::Message call(size_t length = 100, uint64_t cookie = 1);
	/// The host's application gets the response.
	void answer(uint64_t number, const secure::Message &request);

	PlainSocket client;
	secure::Peer peer;
	proc::Counters counters;
};

/// Bodies of control packets, as in the clear form.
Bytes grant_body(uint32_t offset);
Bytes resend_body(uint32_t offset, uint32_t length);
Bytes ack_body(const std::vector<uint64_t> &ids);
Bytes abort_body(uint32_t reason);

} // namespace keyed
