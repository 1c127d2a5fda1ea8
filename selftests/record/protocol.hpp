// SPDX-License-Identifier: Apache-2.0
// The secure wire format as docs/wire.md describes it, written from that page
// and from nothing in module/: a second implementation to compare with.
#pragma once

#include "crypto.hpp"

namespace sdp_test {

enum class Direction : std::uint8_t { ClientToServer = 0, ServerToClient = 1 };

struct Parameters {
	Bytes secret;
	Bytes client_nonce;
	Bytes server_nonce;
	Cipher cipher = Cipher::Aes128Gcm;
	std::uint16_t record_size = 16256;
	Bytes context = Bytes(32);
};

struct Keys {
	Bytes key;
	Bytes iv;
	Bytes hdr;
	Bytes next;
};

Bytes root_secret(const Parameters &p);
std::uint32_t session_id(const Parameters &p);
Keys epoch_keys(const Parameters &p, Direction direction, std::uint64_t epoch);

// One direction of a session in one epoch.
struct Sender {
	Cipher cipher;
	std::uint16_t record_size;
	std::uint32_t session;
	std::uint64_t epoch;
	Keys keys;
};

Sender sender(const Parameters &p, Direction direction, std::uint64_t epoch);

struct Message {
	std::uint64_t number = 0;
	std::uint64_t rpc_id = 0;
	bool response = false;
	std::uint16_t request_epoch = 0;
	std::uint64_t request_number = 0;
	std::vector<std::uint64_t> acks;
	Bytes data;
	std::size_t padding = 0;
};

Bytes seal_message(const Sender &s, const Message &m);
// Nothing if any byte of it is not as it must be.
std::optional<Message> open_message(const Sender &s, std::uint64_t number, View sealed);

// A 60-byte DATA header; SEQUENCE and what segmentation writes are not tagged.
struct DataHeader {
	std::uint16_t source = 0;
	std::uint16_t destination = 0;
	std::uint32_t sequence = 0;
	std::uint64_t rpc_id = 0;
	std::uint32_t message_length = 0;
	std::uint32_t incoming = 0;
	std::uint64_t message_number = 0;
	std::uint16_t cutoff_version = 0;
	std::uint8_t flags = 0;
	std::uint16_t packet_payload = 0;
};

Bytes data_header(const Sender &s, const DataHeader &h);

// A DATA packet in authenticated form.
Bytes authenticated_data(const Sender &s, const DataHeader &h, View payload, std::uint64_t counter);

struct Trailer {
	std::uint8_t flags = 0;
	std::uint8_t request_epoch = 0;
	std::uint64_t request_number = (1ULL << 48) - 1;
	std::uint64_t counter = 0;
};

// BODY: what follows the common header in the clear form.
Bytes control_packet(const Sender &s, std::uint8_t type, std::uint16_t source,
		     std::uint16_t destination, std::uint64_t rpc_id, View body, const Trailer &t);
bool control_packet_ok(const Sender &s, View packet);

} // namespace sdp_test
