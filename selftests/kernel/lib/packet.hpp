// SPDX-License-Identifier: Apache-2.0
// Homa's packets, built and taken apart from the description of the wire alone
// (docs/wire.md): nothing here comes from the module's headers.
#pragma once

#include "bytes.hpp"
#include "net.hpp"

namespace packet {

enum Type : uint8_t {
	data = 0x10,
	grant = 0x11,
	resend = 0x12,
	rpc_unknown = 0x13,
	busy = 0x14,
	cutoffs = 0x15,
	freeze = 0x16,
	need_ack = 0x17,
	ack = 0x18,
	abort = 0x19,
};

constexpr uint8_t secure_bit = 0x40;
constexpr uint8_t protocol = 146;
constexpr size_t common_length = 28;
constexpr size_t data_length = 56;
constexpr uint32_t in_sequence = 0xffffffff;
constexpr uint32_t everything = 0xffffffff;

struct Acked {
	uint64_t id = 0;
	uint16_t port = 0;
};

/// The two ends and the RPC id, as the sender sees it.
struct Ends {
	uint16_t from = 0;
	uint16_t to = 0;
	uint64_t id = 0;
};

Bytes common(Type type, const Ends &ends, uint8_t data_offset = 0x50);

/// DATA as it is sent where the kernel segments: offset in `sequence`.
struct Data {
	uint32_t message_length = 0;
	uint32_t incoming = 0;
	Acked acked{};
	uint16_t cutoff_version = 0;
	uint8_t retransmit = 0;
	uint32_t offset = 0;
	/// Put the offset into the segment header, as NIC segmentation wants it.
	bool explicit_offset = false;
};
Bytes make_data(const Ends &ends, const Data &fields, View payload);
/// The whole message in one packet.
Bytes make_message(const Ends &ends, View message);

Bytes make_grant(const Ends &ends, uint32_t offset, uint8_t priority = 0);
Bytes make_resend(const Ends &ends, uint32_t offset, uint32_t length, uint8_t priority = 7);
Bytes make_ack(const Ends &ends, const std::vector<Acked> &acked);
Bytes make_cutoffs(const Ends &ends, const uint32_t (&lengths)[8], uint16_t version);

/// A packet taken apart. Fields of other types are zero.
struct Parsed {
	uint8_t type = 0;
	Ends ends;
	uint8_t data_offset = 0;
	uint32_t sequence = 0;
	uint32_t message_length = 0;
	uint32_t incoming = 0;
	Acked acked;
	uint16_t cutoff_version = 0;
	uint8_t retransmit = 0;
	uint32_t segment_offset = 0;
	/// Of DATA: place of the payload. GRANT, RESEND: the field.
	uint32_t offset = 0;
	uint32_t length = 0;
	uint8_t priority = 0;
	uint32_t lengths[8] = {};
	std::vector<Acked> acks;
	Bytes payload;
};
Parsed parse(View homa);

/// An IP packet (v4 or v6) around a Homa packet; the addresses tell which.
Bytes ip(const net::Address &from, const net::Address &to, View payload, uint8_t next = protocol,
	 uint8_t tos = 0);

/// An IP packet taken apart.
struct Datagram {
	bool v6 = false;
	net::Address from;
	net::Address to;
	uint8_t next = 0;
	uint8_t traffic_class = 0;
	uint16_t ident = 0;
	Bytes payload;
};
Datagram parse_ip(View packet);

} // namespace packet
