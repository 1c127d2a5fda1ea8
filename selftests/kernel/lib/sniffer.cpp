// SPDX-License-Identifier: Apache-2.0
#include "sniffer.hpp"

#include <algorithm>
#include <linux/if_packet.h>
#include <net/ethernet.h>

#include "packet.hpp"
#include "secure.hpp"
#include "test.hpp"

namespace {

constexpr int room = 1 << 30;
constexpr size_t longest = 1 << 17;

Fd listen_in(const net::Netns &ns)
{
	// From protocol 0 nothing comes before the room is there.
	Fd fd = ns.socket(AF_PACKET, SOCK_DGRAM, 0);
	OK(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)));
	sockaddr_ll all{};
	all.sll_family = AF_PACKET;
	all.sll_protocol = htons(ETH_P_ALL);
	OK(bind(fd, reinterpret_cast<sockaddr *>(&all), sizeof(all)));
	return fd;
}

void nothing_lost(int fd)
{
	tpacket_stats lost{};
	socklen_t size = sizeof(lost);
	OK(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &lost, &size));
	EQ(lost.tp_drops, 0);
}

} // namespace

Sniffer::Sniffer(const std::vector<const net::Netns *> &hosts)
{
	for (const net::Netns *ns : hosts)
		sockets_.push_back(listen_in(*ns));
}

void Sniffer::data(View homa)
{
	secure::Data data = secure::parse_data(homa);
	Bytes ports(homa.begin(), homa.begin() + 4);
	Bytes session;
	put(session, data.session, 4);
	Bytes key = ports;
	key.insert(key.end(), session.begin(), session.end());
	put(key, data.epoch, 1);
	Bytes number = ports;
	put(number, data.number, 6);
	sessions_.insert(session);
	epochs_.insert(key);
	numbers_[number].insert(key);
	Bytes name = number;
	name.insert(name.end(), key.begin(), key.end());
	Sent &sent = messages_[name];
	sent.cut.resize(data.message_length);
	bool authenticated = data.flags & secure::flag_authenticated;
	authenticated_ += authenticated;
	for (size_t i = 0; i < data.payload.size(); i++) {
		uint16_t &cut = sent.cut.at(data.sequence + i);
		sent.again |= cut != 0;
		sent.anew |= cut && cut != data.packet_payload && !authenticated;
		cut = cut ? cut : data.packet_payload;
	}
}

void Sniffer::saw(View ip)
{
	detector_.packet(ip);
	packet::Datagram datagram = packet::parse_ip(ip);
	if (datagram.next == packet::protocol &&
	    secure::type_of(datagram.payload) == secure::data_type)
		data(datagram.payload);
}

const sdp_test::ReuseCounts &Sniffer::look()
{
	Bytes frame(longest);
	for (const Fd &fd : sockets_) {
		for (;;) {
			sockaddr_ll from{};
			socklen_t size = sizeof(from);
			ssize_t got =
				recvfrom(fd, frame.data(), frame.size(), MSG_DONTWAIT | MSG_TRUNC,
					 reinterpret_cast<sockaddr *>(&from), &size);
			if (got < 0 && errno == EAGAIN)
				break;
			CHECK(OK(got) <= static_cast<ssize_t>(frame.size()));
			uint16_t type = ntohs(from.sll_protocol);
			if (from.sll_pkttype == PACKET_OUTGOING &&
			    (type == ETH_P_IP || type == ETH_P_IPV6))
				saw(View(frame).first(static_cast<size_t>(got)));
		}
		nothing_lost(fd);
	}
	CHECK(detector_.counts().packets > 0);
	EQ(detector_.counts().unreadable, 0);
	return detector_.counts();
}

const sdp_test::ReuseCounts &Sniffer::check()
{
	const sdp_test::ReuseCounts &counts = look();
	EQ(counts.reused, 0);
	return counts;
}

size_t Sniffer::sent_again() const
{
	return static_cast<size_t>(std::ranges::count_if(
		messages_, [](const auto &message) { return message.second.again; }));
}

size_t Sniffer::cut_anew() const
{
	return static_cast<size_t>(std::ranges::count_if(
		messages_, [](const auto &message) { return message.second.anew; }));
}

size_t Sniffer::sessions() const
{
	return sessions_.size();
}

size_t Sniffer::epochs() const
{
	return epochs_.size();
}

size_t Sniffer::numbers_again() const
{
	return static_cast<size_t>(std::ranges::count_if(
		numbers_, [](const auto &number) { return number.second.size() > 1; }));
}
