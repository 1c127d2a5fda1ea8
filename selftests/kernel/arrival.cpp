// SPDX-License-Identifier: Apache-2.0
// What the options of other levels do: control messages that tell how a message came, and
// clear refusals. And that one call sends one message, whatever the call is.
#include <arpa/inet.h>
#include <ctime>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "lib/talk.hpp"
#include "lib/test.hpp"
#include "lib/told.hpp"

namespace {

void set(const PlainSocket &socket, int level, int name, int value = 1)
{
	OK(setsockopt(socket.fd(), level, name, &value, sizeof(value)));
}

void check_stamp(const Control &control)
{
	const auto stamp = value_of<timespec>(control, SOL_SOCKET, SCM_TIMESTAMPNS);
	timespec now{};
	clock_gettime(CLOCK_REALTIME, &now);
	CHECK(stamp.tv_sec <= now.tv_sec && stamp.tv_sec > now.tv_sec - 60);
	CHECK(stamp.tv_nsec < 1'000'000'000);
}

void check_v4(const Control &control)
{
	const auto info = value_of<in_pktinfo>(control, SOL_IP, IP_PKTINFO);
	const in_addr_t local = inet_addr(hosts->b.v4.c_str());
	EQ(info.ipi_ifindex, index_of(hosts->b));
	EQ(info.ipi_addr.s_addr, local);
	EQ(info.ipi_spec_dst.s_addr, local);
	EQ(value_of<int>(control, SOL_IP, IP_TTL), 9);
	EQ(value_of<uint8_t>(control, SOL_IP, IP_TOS), 0x28);
}

void ask_v4(const PlainSocket &socket)
{
	for (const int name : {IP_PKTINFO, IP_RECVTTL, IP_RECVTOS})
		set(socket, SOL_IP, name);
}

void check_v6(const Control &control)
{
	const auto info = value_of<in6_pktinfo>(control, SOL_IPV6, IPV6_PKTINFO);
	in6_addr local{};
	inet_pton(AF_INET6, hosts->b.v6.c_str(), &local);
	EQ(info.ipi6_ifindex, static_cast<unsigned>(index_of(hosts->b)));
	CHECK(memcmp(&info.ipi6_addr, &local, sizeof(local)) == 0);
	EQ(value_of<int>(control, SOL_IPV6, IPV6_HOPLIMIT), 9);
	EQ(value_of<int>(control, SOL_IPV6, IPV6_TCLASS), 0x28);
}

void ask_v6(const PlainSocket &socket)
{
	for (const int name : {IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS})
		set(socket, SOL_IPV6, name);
}

} // namespace

SETUP
{
	two_hosts();
}

// Short and long, in the clear and secure, over both families: where it came to, by which
// device, with what marks, and when.
TEST_LIMIT(told_by_control_messages, 120)
{
	for (const net::Family family : {net::Family::v4, net::Family::v6}) {
		const bool v6 = family == net::Family::v6;
		PlainTalk talk(family);
		set(talk.client, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_UNICAST_HOPS : IP_TTL, 9);
		set(talk.client, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_TCLASS : IP_TOS, 0x28);
		v6 ? ask_v6(talk.server) : ask_v4(talk.server);
		set(talk.server, SOL_SOCKET, SO_TIMESTAMPNS);
		for (const bool secure : {false, true}) {
			if (secure)
				make_secure(talk, family);
			for (const size_t length : {300U, 300'000U}) {
				talk.client.request(talk.to, pattern(length));
				const Told told = receive(talk.server);
				EQ(pattern_error(told.message.bytes), "");
				EQ(told.message.bytes.size(), length);
				EQ(told.message.flags & (MSG_TRUNC | MSG_CTRUNC), 0);
				EQ(told.control.size(), v6 ? 5U : 5U);
				v6 ? check_v6(told.control) : check_v4(told.control);
				check_stamp(told.control);
				talk.server.reply(told.message, pattern(10));
				EQ(talk.client.expect().bytes.size(), 10U);
			}
		}
	}
}

// A v6 socket is told of v4 messages in both ways, as other sockets are.
TEST(v4_on_a_v6_socket)
{
	PlainSocket server(hosts->b.ns, AF_INET6, 4000);
	PlainSocket client(hosts->a.ns, AF_INET);
	set(client, SOL_IP, IP_TTL, 9);
	set(client, SOL_IP, IP_TOS, 0x28);
	ask_v4(server);
	ask_v6(server);
	client.request(hosts->b.at(net::Family::v4, 4000), pattern(300));
	const Told told = receive(server);
	check_v4(told.control);
	const auto info = value_of<in6_pktinfo>(told.control, SOL_IPV6, IPV6_PKTINFO);
	CHECK(IN6_IS_ADDR_V4MAPPED(&info.ipi6_addr));
	EQ(told.control.size(), 5U);
	server.reply(told.message, pattern(1));
	EQ(client.expect().bytes.size(), 1U);
}

// What is not asked for is not told; what has no room is said so, and the message is there.
TEST(no_room_for_all)
{
	PlainTalk talk;
	talk.client.request(talk.to, pattern(300));
	const Told plain = receive(talk.server);
	EQ(plain.control.size(), 1U);
	talk.server.reply(plain.message, pattern(1));
	(void)talk.client.expect();
	ask_v4(talk.server);
	talk.client.request(talk.to, pattern(300));
	const Told told = receive(talk.server, CMSG_SPACE(sizeof(sdp_rpc_cmsg)) + 4);
	CHECK((told.message.flags & MSG_CTRUNC) != 0);
	EQ(pattern_error(told.message.bytes), "");
	CHECK(told.message.rpc.has_value());
	talk.server.reply(told.message, pattern(1));
	EQ(talk.client.expect().bytes.size(), 1U);
	// A failure has come from nowhere.
	talk.client.request(hosts->b.at(net::Family::v4, 4001), pattern(1), 5);
	ask_v4(talk.client);
	OK(talk.client.abort(0, 5, ECANCELED));
	const Told failed = receive(talk.client);
	CHECK(failed.message.failed());
	EQ(failed.control.size(), 1U);
}

TEST(options_without_effect)
{
	const PlainSocket v4(hosts->a.ns, AF_INET);
	const PlainSocket v6(hosts->a.ns, AF_INET6);
	const int values[] = {1, 1};
	for (const int name :
	     {SO_REUSEPORT, SO_KEEPALIVE, SO_OOBINLINE, SO_BROADCAST, SO_RXQ_OVFL, SO_TIMESTAMPING,
	      SO_RCVLOWAT, SO_MAX_PACING_RATE, SO_TXTIME, SO_BUSY_POLL, SO_INCOMING_CPU,
	      SO_PASSCRED, SO_ZEROCOPY, SO_SELECT_ERR_QUEUE, SO_NO_CHECK, 12345})
		FAILS(setsockopt(v4.fd(), SOL_SOCKET, name, values, sizeof(values)), ENOPROTOOPT);
	for (const int name : {IP_RECVERR, IP_RECVORIGDSTADDR, IP_RECVOPTS, IP_CHECKSUM,
			       IP_BIND_ADDRESS_NO_PORT, IP_ADD_MEMBERSHIP, IP_MULTICAST_ALL})
		FAILS(setsockopt(v4.fd(), SOL_IP, name, values, sizeof(values)), ENOPROTOOPT);
	for (const int name : {IPV6_RECVERR, IPV6_RECVRTHDR, IPV6_RECVPATHMTU, IPV6_JOIN_GROUP,
			       IPV6_ADDRFORM, IPV6_DONTFRAG, IPV6_2292PKTINFO})
		FAILS(setsockopt(v6.fd(), SOL_IPV6, name, values, sizeof(values)), ENOPROTOOPT);
	// To turn off what is not there anyway is no request.
	const int zeros[] = {0, 0};
	for (const int name : {SO_REUSEPORT, SO_KEEPALIVE, SO_BROADCAST})
		OK(setsockopt(v4.fd(), SOL_SOCKET, name, zeros, sizeof(zeros)));
	FAILS(setsockopt(v4.fd(), SOL_SOCKET, SO_KEEPALIVE, nowhere, sizeof(zeros)), ENOPROTOOPT);
	// Zero is a processor, and a clock; and a rate is longer than an int.
	for (const int name : {SO_INCOMING_CPU, SO_TXTIME})
		FAILS(setsockopt(v4.fd(), SOL_SOCKET, name, zeros, sizeof(zeros)), ENOPROTOOPT);
	const uint64_t rate = 1ULL << 32;
	FAILS(setsockopt(v4.fd(), SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate)),
	      ENOPROTOOPT);
	// What has an effect is taken, and said so.
	for (const int name : {SO_REUSEADDR, SO_TIMESTAMP, SO_TIMESTAMPNS, SO_PRIORITY}) {
		set(v4, SOL_SOCKET, name);
		int got = 0;
		socklen_t size = sizeof(got);
		OK(getsockopt(v4.fd(), SOL_SOCKET, name, &got, &size));
		// The later of the two kinds of time stamps stays.
		EQ(got, 1);
	}
}

// A file is one message, or an error and none.
TEST(one_call_one_message)
{
	PlainTalk talk;
	OK(connect(talk.client.fd(), talk.to.raw(), talk.to.length));
	const Bytes content = pattern(200'000);
	const Fd file(OK(open("/run", O_TMPFILE | O_RDWR, 0600)));
	EQ(write(file, content.data(), content.size()), 200'000);
	for (const size_t length : {1000U, 60'000U}) {
		off_t offset = 0;
		EQ(sendfile(talk.client.fd(), file, &offset, length), static_cast<ssize_t>(length));
		const PlainMessage request = talk.server.expect();
		EQ(request.bytes.size(), length);
		EQ(pattern_error(request.bytes), "");
		talk.server.reply(request, pattern(1));
		(void)talk.client.expect();
	}
	off_t offset = 0;
	FAILS(sendfile(talk.client.fd(), file, &offset, 200'000), EOPNOTSUPP);
	FAILS(send(talk.client.fd(), content.data(), 10, MSG_MORE), EOPNOTSUPP);
	CHECK(!talk.server.ready(POLLIN, 200));
	talk.client.request(talk.to, pattern(5));
	EQ(talk.server.expect().bytes.size(), 5U);
}
