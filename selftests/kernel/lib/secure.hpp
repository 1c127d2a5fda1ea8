// SPDX-License-Identifier: Apache-2.0
// Secure packets, taken apart, decrypted and forged with the keys, by the
// implementation of docs/wire.md in selftests/record; and a far end that uses it.
#pragma once

#include <functional>
#include <map>
#include <optional>

#include "net.hpp"
#include "packet.hpp"
#include "record/protocol.hpp"
#include "session.hpp"

namespace secure {

using sdp_test::Direction;
using sdp_test::Message;
using sdp_test::Parameters;
using sdp_test::Trailer;

constexpr size_t header_length = 60;
constexpr size_t trailer_length = 40;
constexpr uint8_t data_type = packet::data | packet::secure_bit;
constexpr uint8_t flag_retransmit = 1;
constexpr uint8_t flag_authenticated = 2;
constexpr uint64_t unknown_request = (1ULL << 48) - 1;

/// Of the session that @a of_client, the client's half, installed.
Parameters parameters(const sdp_session_add &of_client);

/// A secure DATA packet taken apart.
struct Data {
	packet::Ends ends;
	uint32_t sequence = 0;
	uint32_t message_length = 0;
	uint32_t incoming = 0;
	uint32_t session = 0;
	uint64_t number = 0;
	uint16_t cutoff_version = 0;
	uint8_t flags = 0;
	uint8_t epoch = 0;
	uint16_t packet_payload = 0;
	Bytes payload;
};
Data parse_data(View homa);

/// The trailer of a secure control packet.
struct Control {
	uint8_t type = 0;
	packet::Ends ends;
	Bytes body;
	uint32_t session = 0;
	uint8_t epoch = 0;
	uint8_t flags = 0;
	uint8_t request_epoch = 0;
	uint64_t request_number = 0;
	uint64_t counter = 0;
};
Control parse_control(View homa);

uint8_t type_of(View homa);
inline bool is_secure(View homa)
{
	return type_of(homa) & packet::secure_bit;
}

/// A far end of the host of a net::Alone, with the keys of a session.
class Peer {
public:
	/// At @a self, talking to @a host; installs the session at the host's socket
	/// @a fd. The host has role SDP_ROLE_SERVER unless @a host_is_client.
	Peer(const net::Wire &wire, net::Address self, net::Address host, int fd,
	     uint16_t cipher = SDP_CIPHER_AES_128_GCM, uint16_t record_size = 0,
	     bool host_is_client = false);

	[[nodiscard]] sdp_test::Sender out(uint64_t epoch = 0) const;
	[[nodiscard]] sdp_test::Sender in(uint64_t epoch = 0) const;

	void send(const Bytes &homa) const;
	/// DATA with @a payload at @a place of a sealed message of @a length bytes.
	[[nodiscard]] Bytes data(const Message &message, uint32_t length, uint32_t place,
				 View payload, uint64_t epoch = 0, uint8_t flags = 0) const;
	/// The same in authenticated form.
	[[nodiscard]] Bytes authenticated(const Message &message, uint32_t length, uint32_t place,
					  View payload, uint64_t epoch = 0);
	/// Seals and sends all of a message, unasked.
	void send_message(const Message &message, uint64_t epoch = 0) const;
	/// A control packet with the next counter; body as in the clear form.
	[[nodiscard]] Bytes control(uint8_t type, uint64_t rpc_id, View body, Trailer trailer = {},
				    uint64_t epoch = 0);

	/// The next packet of the host for this peer, if one comes.
	[[nodiscard]] std::optional<Bytes> next(int milliseconds = 40000) const;
	/// The next packet of @a type; those in @a passing may come before it.
	Bytes expect(uint8_t type, std::vector<uint8_t> passing = {}) const;
	/// The host's next message, decrypted; whatever else comes is ignored.
	Message receive(uint64_t epoch = 0) const;
	/// Nothing but @a passing comes for a while.
	void expect_silence(int milliseconds, std::vector<uint8_t> passing = {}) const;
	/// Tells the host that its response has come.
	void acknowledge(uint64_t rpc_id);

	[[nodiscard]] uint32_t session() const { return out().session; }
	[[nodiscard]] const net::Address &self() const { return self_; }
	uint64_t counter = 0;
	uint32_t payload = 1420;

private:
	const net::Wire &wire_;
	net::Address self_;
	net::Address host_;
	Parameters parameters_;
	Direction sends_;
};

/// Message number @a number with request @a data of RPC @a rpc_id.
Message request(uint64_t number, uint64_t rpc_id, Bytes data);

/// The response to a request that was received.
Message response(uint64_t number, const Message &to, Bytes data, uint64_t request_epoch = 0);

} // namespace secure
