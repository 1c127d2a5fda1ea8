// SPDX-License-Identifier: Apache-2.0
#include "packet.hpp"

#include <algorithm>
#include <arpa/inet.h>

#include "test.hpp"

namespace packet {

Bytes common(Type type, const Ends &ends, uint8_t data_offset)
{
	Bytes bytes;
	put(bytes, ends.from, 2);
	put(bytes, ends.to, 2);
	put(bytes, 0, 4);
	put(bytes, 0, 3);
	put(bytes, type, 1);
	put(bytes, data_offset, 1);
	put(bytes, 0x06, 1);
	put(bytes, 0, 4);
	put(bytes, 0xb97d, 2);
	put(bytes, ends.id, 8);
	return bytes;
}

Bytes make_data(const Ends &ends, const Data &fields, View payload)
{
	Bytes bytes = common(data, ends, fields.explicit_offset ? 0xd0 : 0xe0);
	set(bytes, 4, fields.offset, 4);
	put(bytes, fields.message_length, 4);
	put(bytes, fields.incoming, 4);
	put(bytes, fields.acked.id, 8);
	put(bytes, fields.acked.port, 2);
	put(bytes, fields.cutoff_version, 2);
	put(bytes, fields.retransmit, 1);
	put(bytes, 0, 3);
	put(bytes, fields.explicit_offset ? fields.offset : in_sequence, 4);
	bytes.insert(bytes.end(), payload.begin(), payload.end());
	return bytes;
}

Bytes make_message(const Ends &ends, View message)
{
	Data fields;
	fields.message_length = static_cast<uint32_t>(message.size());
	fields.incoming = fields.message_length;
	return make_data(ends, fields, message);
}

Bytes make_grant(const Ends &ends, uint32_t offset, uint8_t priority)
{
	Bytes bytes = common(grant, ends);
	put(bytes, offset, 4);
	put(bytes, priority, 1);
	return bytes;
}

Bytes make_resend(const Ends &ends, uint32_t offset, uint32_t length, uint8_t priority)
{
	Bytes bytes = common(resend, ends);
	put(bytes, offset, 4);
	put(bytes, length, 4);
	put(bytes, priority, 1);
	return bytes;
}

Bytes make_ack(const Ends &ends, const std::vector<Acked> &acked)
{
	Bytes bytes = common(ack, ends);
	put(bytes, acked.size(), 2);
	for (const Acked &one : acked) {
		put(bytes, one.id, 8);
		put(bytes, one.port, 2);
	}
	bytes.resize(std::max<size_t>(80, bytes.size()));
	return bytes;
}

Bytes make_cutoffs(const Ends &ends, const uint32_t (&lengths)[8], uint16_t version)
{
	Bytes bytes = common(cutoffs, ends);
	for (uint32_t length : lengths)
		put(bytes, length, 4);
	put(bytes, version, 2);
	return bytes;
}

Parsed parse(View homa)
{
	auto number = [&](size_t offset, unsigned size) { return get(homa, offset, size); };
	Parsed p;
	p.ends = {static_cast<uint16_t>(number(0, 2)), static_cast<uint16_t>(number(2, 2)),
		  number(20, 8)};
	p.sequence = static_cast<uint32_t>(number(4, 4));
	p.type = static_cast<uint8_t>(number(11, 1));
	p.data_offset = static_cast<uint8_t>(number(12, 1));
	switch (p.type) {
	case data:
		p.message_length = static_cast<uint32_t>(number(28, 4));
		p.incoming = static_cast<uint32_t>(number(32, 4));
		p.acked = {number(36, 8), static_cast<uint16_t>(number(44, 2))};
		p.cutoff_version = static_cast<uint16_t>(number(46, 2));
		p.retransmit = static_cast<uint8_t>(number(48, 1));
		p.segment_offset = static_cast<uint32_t>(number(52, 4));
		p.offset = p.segment_offset == in_sequence ? p.sequence : p.segment_offset;
		if (homa.size() > data_length)
			p.payload.assign(homa.begin() + data_length, homa.end());
		p.length = static_cast<uint32_t>(p.payload.size());
		break;
	case grant:
		p.offset = static_cast<uint32_t>(number(28, 4));
		p.priority = static_cast<uint8_t>(number(32, 1));
		break;
	case resend:
		p.offset = static_cast<uint32_t>(number(28, 4));
		p.length = static_cast<uint32_t>(number(32, 4));
		p.priority = static_cast<uint8_t>(number(36, 1));
		break;
	case cutoffs:
		for (unsigned i = 0; i < 8; i++)
			p.lengths[i] = static_cast<uint32_t>(number(28 + 4 * i, 4));
		p.cutoff_version = static_cast<uint16_t>(number(60, 2));
		break;
	case ack:
		for (unsigned i = 0; i < std::min<uint64_t>(5, number(28, 2)); i++)
			p.acks.push_back({number(30 + 10 * i, 8),
					  static_cast<uint16_t>(number(38 + 10 * i, 2))});
		break;
	default:
		break;
	}
	return p;
}

namespace {

uint16_t checksum(View bytes)
{
	uint32_t sum = 0;
	for (size_t i = 0; i < bytes.size(); i += 2)
		sum += static_cast<uint32_t>(get(bytes, i, 2));
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return static_cast<uint16_t>(~sum);
}

void put_address(Bytes &to, const net::Address &address)
{
	sockaddr_in6 in6 = address.in6();
	const uint8_t *raw = in6.sin6_addr.s6_addr;
	bool v4 = address.storage.ss_family == AF_INET;
	to.insert(to.end(), raw + (v4 ? 12 : 0), raw + 16);
}

net::Address get_address(View from, size_t offset, bool v6)
{
	char text[INET6_ADDRSTRLEN] = {};
	if (from.size() < offset + (v6 ? 16 : 4))
		throw test::Failure("an IP packet too short for its header");
	inet_ntop(v6 ? AF_INET6 : AF_INET, &from[offset], text, sizeof(text));
	return net::Address::of(text, 0);
}

} // namespace

Bytes ip(const net::Address &from, const net::Address &to, View payload, uint8_t next, uint8_t tos)
{
	Bytes bytes;
	if (from.storage.ss_family == AF_INET) {
		put(bytes, 0x45, 1);
		put(bytes, tos, 1);
		put(bytes, 20 + payload.size(), 2);
		put(bytes, 0x00004000, 4);
		put(bytes, 64, 1);
		put(bytes, next, 1);
		put(bytes, 0, 2);
		put_address(bytes, from);
		put_address(bytes, to);
		set(bytes, 10, checksum(bytes), 2);
	} else {
		put(bytes, 0x60000000U | static_cast<uint32_t>(tos) << 20, 4);
		put(bytes, payload.size(), 2);
		put(bytes, next, 1);
		put(bytes, 64, 1);
		put_address(bytes, from);
		put_address(bytes, to);
	}
	bytes.insert(bytes.end(), payload.begin(), payload.end());
	return bytes;
}

Datagram parse_ip(View packet)
{
	Datagram d;
	d.v6 = get(packet, 0, 1) >> 4 == 6;
	size_t header = d.v6 ? 40 : (get(packet, 0, 1) & 15) * 4;
	size_t end = d.v6 ? 40 + get(packet, 4, 2) : get(packet, 2, 2);
	d.next = static_cast<uint8_t>(get(packet, d.v6 ? 6 : 9, 1));
	d.traffic_class = static_cast<uint8_t>(d.v6 ? get(packet, 0, 2) >> 4 : get(packet, 1, 1));
	d.ident = static_cast<uint16_t>(d.v6 ? 0 : get(packet, 4, 2));
	d.from = get_address(packet, d.v6 ? 8 : 12, d.v6);
	d.to = get_address(packet, d.v6 ? 24 : 16, d.v6);
	end = std::min(end, packet.size());
	if (end > header)
		d.payload.assign(packet.begin() + static_cast<long>(header),
				 packet.begin() + static_cast<long>(end));
	return d;
}

} // namespace packet
