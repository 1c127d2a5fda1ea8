// SPDX-License-Identifier: Apache-2.0
#include "frames.hpp"

#include <net/ethernet.h>
#include <netinet/in.h>

#include "packet.hpp"

namespace frames {
namespace {

constexpr size_t ethernet_header = 14;
constexpr size_t shortest_frame = 60;
constexpr uint16_t vlan_types[] = {0x8100, 0x88a8};

constexpr uint16_t vxlan_port = 4789;
constexpr uint16_t geneve_port = 6081;
constexpr uint16_t wireguard_port = 51820;
constexpr uint16_t bridged = 0x6558;

// One's complement sum, as all of IP's.
uint32_t sum(View bytes, uint32_t start = 0)
{
	uint64_t total = start;
	for (size_t i = 0; i + 1 < bytes.size(); i += 2)
		total += static_cast<uint64_t>(bytes[i]) << 8 | bytes[i + 1];
	if (bytes.size() % 2)
		total += static_cast<uint64_t>(bytes.back()) << 8;
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return static_cast<uint32_t>(total);
}

class Reader {
public:
	explicit Reader(const Frame &frame)
		: frame_(frame), bytes_(frame.bytes.begin(), frame.bytes.end())
	{
	}

	Told read()
	{
		if (frame_.partial)
			complete();
		if (frame_.tagged)
			layer("vlan");
		if (frame_.ethernet)
			ethernet(0);
		else
			ip(0);
		return std::move(told_);
	}

private:
	void layer(const std::string &name)
	{
		told_.chain += (told_.chain.empty() ? "" : "/") + name;
	}
	void wrong(const std::string &what) { told_.wrong.push_back(told_.chain + ": " + what); }
	[[nodiscard]] uint64_t at(size_t offset, unsigned size) const
	{
		return get(bytes_, offset, size);
	}
	[[nodiscard]] View part(size_t from) const { return View(bytes_).subspan(from); }

	// As the device does; of a segment, when it is cut.
	void complete()
	{
		if (frame_.sum_start + frame_.sum_at + 2 > bytes_.size()) {
			wrong("a checksum beyond the end");
			return;
		}
		if (frame_.gso_size)
			return;
		uint32_t value = ~sum(part(frame_.sum_start)) & 0xffff;
		set(bytes_, frame_.sum_start + frame_.sum_at, value ? value : 0xffff, 2);
	}

	void ethernet(size_t offset)
	{
		uint64_t type = at(offset + 12, 2);
		offset += ethernet_header;
		while (type == vlan_types[0] || type == vlan_types[1]) {
			layer("vlan");
			type = at(offset + 2, 2);
			offset += 4;
		}
		typed(type, offset);
	}

	void typed(uint64_t type, size_t offset)
	{
		if (type == ETH_P_ARP)
			layer("arp");
		else if (type == ETH_P_IP || type == ETH_P_IPV6)
			ip(offset);
		else
			layer("type-" + std::to_string(type));
	}

	// All that follows is of the packet, but for what fills up a short frame.
	void ends(size_t offset, size_t length)
	{
		size_t there = bytes_.size() - std::min(offset, bytes_.size());
		bool padded = frame_.ethernet && bytes_.size() <= shortest_frame;
		if (length > there)
			wrong(std::to_string(length) + " bytes, of which " + std::to_string(there) +
			      " are there");
		else if (length < there && !padded)
			wrong(std::to_string(there - length) + " bytes too many");
		else
			bytes_.resize(offset + length);
		if (!ip_begins_)
			ip_begins_ = offset;
		if (!told_.length)
			told_.length = length;
	}

	void ip(size_t offset)
	{
		ip_ = offset;
		if (at(offset, 1) >> 4 == 6)
			ipv6(offset);
		else
			ipv4(offset);
	}

	void ipv4(size_t offset)
	{
		layer("ip4");
		size_t header = (at(offset, 1) & 15) * 4;
		ends(offset, at(offset + 2, 2));
		if (header < 20 || offset + header > bytes_.size())
			return wrong("a header of " + std::to_string(header));
		if (sum(part(offset).first(header)) != 0xffff)
			wrong("bad checksum of the header");
		if (at(offset + 6, 2) & 0x3fff)
			return layer("fragment");
		above(static_cast<uint8_t>(at(offset + 9, 1)), offset + header);
	}

	void ipv6(size_t offset)
	{
		constexpr size_t header = 40;
		layer("ip6");
		ends(offset, header + at(offset + 4, 2));
		uint8_t next = static_cast<uint8_t>(at(offset + 6, 1));
		offset += header;
		while (next == IPPROTO_HOPOPTS || next == IPPROTO_DSTOPTS) {
			next = static_cast<uint8_t>(at(offset, 1));
			offset += 8 * (at(offset + 1, 1) + 1);
		}
		above(next, offset);
	}

	void above(uint8_t protocol, size_t offset)
	{
		switch (protocol) {
		case IPPROTO_IPIP:
		case IPPROTO_IPV6:
			return ip(offset);
		case IPPROTO_UDP:
			return udp(offset);
		case IPPROTO_GRE:
			return gre(offset);
		case IPPROTO_ESP:
			return layer("esp");
		case IPPROTO_IGMP:
			return layer("igmp");
		case IPPROTO_ICMPV6:
			return icmp6(offset);
		case IPPROTO_FRAGMENT:
			return layer("fragment");
		case packet::protocol:
			return homa(offset);
		default:
			return layer("protocol-" + std::to_string(protocol));
		}
	}

	// Of the addresses of the innermost IP header so far.
	[[nodiscard]] uint32_t pseudo(uint8_t protocol, size_t length) const
	{
		bool v6 = at(ip_, 1) >> 4 == 6;
		View addresses = part(ip_ + (v6 ? 8 : 12)).first(v6 ? 32 : 8);
		return sum(addresses, static_cast<uint32_t>(protocol + length));
	}

	void summed(size_t offset, uint32_t start)
	{
		if (!frame_.gso_size && sum(part(offset), start) != 0xffff)
			wrong("bad checksum");
	}

	void icmp6(size_t offset)
	{
		uint64_t type = at(offset, 1);
		if ((type >= 130 && type <= 132) || type == 143)
			layer("mld");
		else if (type >= 133 && type <= 136)
			layer("nd");
		else
			layer("icmp6-" + std::to_string(type));
		summed(offset, pseudo(IPPROTO_ICMPV6, bytes_.size() - offset));
	}

	void udp(size_t offset)
	{
		uint64_t from = at(offset, 2);
		uint64_t to = at(offset + 2, 2);
		layer("udp");
		size_t length = bytes_.size() - std::min(offset, bytes_.size());
		if (at(offset + 4, 2) != length)
			wrong("length " + std::to_string(at(offset + 4, 2)) + " of " +
			      std::to_string(length));
		// All that we set up have one.
		if (at(offset + 6, 2) == 0)
			wrong("no checksum");
		summed(offset, pseudo(IPPROTO_UDP, length));
		offset += 8;
		if (to == vxlan_port) {
			layer("vxlan/eth");
			ethernet(offset + 8);
		} else if (to == geneve_port) {
			layer("geneve/eth");
			ethernet(offset + 8 + (at(offset, 1) & 63) * 4);
		} else if (to == wireguard_port || from == wireguard_port) {
			layer("wireguard");
		}
	}

	void gre(size_t offset)
	{
		uint64_t flags = at(offset, 2);
		uint64_t type = at(offset + 2, 2);
		layer("gre");
		if (flags & 0x8000)
			summed(offset, 0);
		else
			wrong("no checksum");
		offset += 4;
		for (unsigned bit : {0x8000U, 0x2000U, 0x1000U})
			offset += flags & bit ? 4 : 0;
		if (type == bridged) {
			layer("eth");
			ethernet(offset);
		} else {
			typed(type, offset);
		}
	}

	void homa(size_t offset)
	{
		layer("homa");
		size_t length = bytes_.size() - std::min(offset, bytes_.size());
		if (length < packet::common_length)
			return wrong("too short");
		told_.type = static_cast<uint8_t>(at(offset + 11, 1));
		bool secure = told_.type & packet::secure_bit;
		// What a device that takes it for TCP would write into it.
		if (at(offset + 13, 1) != (secure ? 0 : 6))
			wrong("flags " + std::to_string(at(offset + 13, 1)));
		if (at(offset + 14, 4) != 0)
			wrong("something in window or checksum");
		if ((told_.type & ~packet::secure_bit) == packet::data)
			data(offset, length, secure);
	}

	void data(size_t offset, size_t length, bool secure)
	{
		constexpr size_t secure_header = 60;
		constexpr uint8_t authenticated = 2;
		size_t header = secure ? secure_header : packet::data_length;
		if (length < header)
			return wrong("too short for DATA");
		size_t payload = length - header;
		if (secure && at(offset + 48, 1) & authenticated)
			payload -= std::min<size_t>(payload, 24);
		if (at(offset + 4, 4) + payload > at(offset + 28, 4))
			wrong("payload beyond the message's end");
		if (frame_.gso_size)
			told_.length = std::min(told_.length,
						offset + header - ip_begins_ + frame_.gso_size);
	}

	const Frame &frame_;
	Bytes bytes_;
	Told told_;
	size_t ip_ = 0;
	size_t ip_begins_ = 0;
};

} // namespace

bool Told::ends_in(const std::string &layer) const
{
	return chain == layer || chain.ends_with("/" + layer);
}

Told look(const Frame &frame)
{
	return Reader(frame).read();
}

} // namespace frames
