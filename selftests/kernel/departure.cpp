// SPDX-License-Identifier: Apache-2.0
// The control messages that a send gives: from where a message leaves, by which device,
// with what marks; and which of them are refused.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/bpf.hpp"
#include "lib/talk.hpp"
#include "lib/test.hpp"
#include "lib/told.hpp"

namespace {

/// Control messages for sendmsg(), as they are put together.
class Controls {
public:
	template <class T>
	Controls &&add(int level, int type, const T &value) &&
	{
		return std::move(*this).bytes(level, type, &value, sizeof(value));
	}
	Controls &&bytes(int level, int type, const void *value, size_t size) &&
	{
		const size_t at = room_.size();
		room_.resize(at + CMSG_SPACE(size));
		cmsghdr header{};
		header.cmsg_len = CMSG_LEN(size);
		header.cmsg_level = level;
		header.cmsg_type = type;
		memcpy(room_.data() + at, &header, sizeof(header));
		memcpy(room_.data() + at + CMSG_LEN(0), value, size);
		return std::move(*this);
	}
	/// Sends a request, or with a known RPC the response.
	[[nodiscard]] ssize_t send(const PlainSocket &socket, const net::Address &to,
				   View bytes) const
	{
		iovec vector{const_cast<uint8_t *>(bytes.data()), bytes.size()};
		msghdr header{};
		net::Address name = to;
		header.msg_name = name.raw();
		header.msg_namelen = name.length;
		header.msg_iov = &vector;
		header.msg_iovlen = 1;
		header.msg_control = const_cast<uint8_t *>(room_.data());
		header.msg_controllen = room_.size();
		return sendmsg(socket.fd(), &header, 0);
	}

private:
	Bytes room_;
};

in_pktinfo from_v4(const std::string &address, int device = 0)
{
	in_pktinfo info{};
	info.ipi_ifindex = device;
	info.ipi_spec_dst.s_addr = inet_addr(address.c_str());
	return info;
}

in6_pktinfo from_v6(const std::string &address, unsigned device = 0)
{
	in6_pktinfo info{};
	info.ipi6_ifindex = device;
	CHECK(inet_pton(AF_INET6, address.c_str(), &info.ipi6_addr) == 1);
	return info;
}

Controls leaving(net::Family family, const std::string &address, int device = 0)
{
	if (family == net::Family::v4)
		return Controls().add(SOL_IP, IP_PKTINFO, from_v4(address, device));
	return Controls().add(SOL_IPV6, IPV6_PKTINFO,
			      from_v6(address, static_cast<unsigned>(device)));
}

/// The second address of host a.
std::string second(net::Family family)
{
	return family == net::Family::v4 ? "10.0.0.11" : "fd00::11";
}

void set(const PlainSocket &socket, int level, int name, int value = 1)
{
	OK(setsockopt(socket.fd(), level, name, &value, sizeof(value)));
}

/// Sends a request, checks where it came from, and has it answered.
void comes_from(const PlainTalk &talk, const Controls &controls, const net::Address &source,
		size_t length)
{
	EQ(OK(controls.send(talk.client, talk.to, pattern(length))), static_cast<ssize_t>(length));
	const PlainMessage request = talk.server.expect();
	EQ(request.from, source);
	EQ(pattern_error(request.bytes), "");
	talk.server.reply(request, pattern(length));
	EQ(talk.client.expect().bytes.size(), length);
}

} // namespace

SETUP
{
	two_hosts();
	hosts->a.ns.sh("ip addr add 10.0.0.11/24 dev " + hosts->a.device);
	hosts->a.ns.sh("ip addr add fd00::11/64 nodad preferred_lft 0 dev " + hosts->a.device);
}

TEST_LIMIT(from_an_address, 120)
{
	for (const net::Family family : {net::Family::v4, net::Family::v6}) {
		PlainTalk talk(family);
		const auto by = net::Address::of(second(family), talk.client.port());
		for (const bool secure : {false, true}) {
			if (secure)
				session::join(talk.client.fd(), by, talk.server.fd(), talk.to);
			for (const size_t length : {100U, 200'000U})
				comes_from(talk, leaving(family, second(family)), by, length);
		}
	}
	// The any-address leaves it to the route, the device does not.
	PlainTalk talk;
	const auto first = hosts->a.at(net::Family::v4, talk.client.port());
	comes_from(talk, leaving(net::Family::v4, "0.0.0.0", index_of(hosts->a)), first, 100);
	int lo = 0;
	hosts->a.ns.in([&] { lo = static_cast<int>(if_nametoindex("lo")); });
	OK(leaving(net::Family::v4, "0.0.0.0", lo).send(talk.client, talk.to, pattern(1)));
	CHECK(!talk.server.ready(POLLIN, 50));
}

// An IPv6 socket that sends to an IPv4 address takes what is of either family.
TEST(from_a_v6_socket_to_v4)
{
	PlainTalk talk(net::Family::mapped);
	const auto by = net::Address::of("10.0.0.11", talk.client.port()).mapped();
	comes_from(talk, leaving(net::Family::v4, "10.0.0.11"), by, 100);
	comes_from(talk, leaving(net::Family::v6, "::ffff:10.0.0.11"), by, 100);
	comes_from(talk, leaving(net::Family::v6, "::"),
		   hosts->a.at(net::Family::v4, talk.client.port()).mapped(), 100);
	FAILS(leaving(net::Family::v6, "fd00::11").send(talk.client, talk.to, pattern(1)), EINVAL);
	FAILS(Controls().add(SOL_IPV6, IPV6_HOPLIMIT, 9).send(talk.client, talk.to, pattern(1)),
	      EINVAL);
}

TEST(not_from_others_addresses)
{
	for (const net::Family family : {net::Family::v4, net::Family::v6}) {
		const std::string theirs = family == net::Family::v4 ? "10.0.0.2" : "fd00::2";
		PlainTalk talk(family);
		FAILS(leaving(family, theirs).send(talk.client, talk.to, pattern(1)), EINVAL);
		FAILS(leaving(family, second(family), 9999).send(talk.client, talk.to, pattern(1)),
		      family == net::Family::v4 ? ENODEV : EINVAL);
		FAILS(leaving(family, second(family), -1).send(talk.client, talk.to, pattern(1)),
		      EINVAL);
		// A socket has the address that it is bound to, and the device.
		net::Address own = hosts->a.at(family, 0);
		OK(bind(talk.client.fd(), own.raw(), own.length));
		FAILS(leaving(family, second(family)).send(talk.client, talk.to, pattern(1)),
		      EADDRNOTAVAIL);
		comes_from(talk,
			   leaving(family, family == net::Family::v4 ? "10.0.0.1" : "fd00::1"),
			   hosts->a.at(family, talk.client.port()), 100);
		set(talk.client, SOL_SOCKET, SO_BINDTOIFINDEX, index_of(hosts->a));
		FAILS(leaving(family, "::", 1).send(talk.client, talk.to, pattern(1)), EINVAL);
	}
	// Link-local addresses are of a device.
	PlainTalk talk(net::Family::v6);
	FAILS(leaving(net::Family::v6, "fe80::1").send(talk.client, talk.to, pattern(1)), EINVAL);
}

// What a session is from is not for a call to choose.
TEST(a_session_keeps_its_address)
{
	PlainTalk talk;
	session::Nonce mine = session::nonce(talk.client.fd());
	session::Nonce theirs = session::nonce(talk.server.fd());
	const auto at = hosts->a.at(net::Family::v4, talk.client.port());
	auto of_client =
		session::make(SDP_ROLE_CLIENT, talk.to, SDP_CIPHER_AES_128_GCM, mine, theirs);
	of_client.local = hosts->a.at(net::Family::v4, 0).in6();
	OK(session::add(talk.client.fd(), of_client));
	OK(session::add(talk.server.fd(),
			session::make(SDP_ROLE_SERVER, at, SDP_CIPHER_AES_128_GCM, theirs, mine)));
	FAILS(leaving(net::Family::v4, "10.0.0.11").send(talk.client, talk.to, pattern(1)),
	      EADDRNOTAVAIL);
	comes_from(talk, leaving(net::Family::v4, "10.0.0.1"), at, 100);
}

// A server may answer with what it was told; another way there is not.
TEST(responses_go_back)
{
	for (const net::Family family : {net::Family::v4, net::Family::v6}) {
		const bool v6 = family == net::Family::v6;
		PlainTalk talk(family);
		set(talk.server, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_RECVPKTINFO : IP_PKTINFO);
		set(talk.client, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_RECVHOPLIMIT : IP_RECVTTL);
		set(talk.client, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_RECVTCLASS : IP_RECVTOS);
		talk.client.request(talk.to, pattern(100));
		const Told request = receive(talk.server);
		const sdp_rpc_cmsg rpc = rpc_cmsg(request.message.rpc->id);
		const auto reply = [&] { return Controls().add(IPPROTO_HOMA, SDP_CMSG_RPC, rpc); };
		const net::Address &to = request.message.from;
		const std::string other = v6 ? "fd00::77" : "10.0.0.77";
		const Controls elsewhere = v6 ? reply().add(SOL_IPV6, IPV6_PKTINFO, from_v6(other))
					      : reply().add(SOL_IP, IP_PKTINFO, from_v4(other));
		FAILS(elsewhere.send(talk.server, to, pattern(1)), EINVAL);
		FAILS(reply().add(SOL_SOCKET, SO_MARK, 1U).send(talk.server, to, pattern(1)),
		      EINVAL);
		const auto key =
			v6 ? std::pair{SOL_IPV6, IPV6_PKTINFO} : std::pair{SOL_IP, IP_PKTINFO};
		const Bytes &told = request.control.at(key);
		const Controls back =
			reply().bytes(key.first, key.second, told.data(), told.size())
				.add(v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_HOPLIMIT : IP_TTL, 7)
				.add(v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_TCLASS : IP_TOS, 0x48);
		EQ(OK(back.send(talk.server, to, pattern(5))), 5);
		const Told response = receive(talk.client);
		EQ(response.message.bytes.size(), 5U);
		EQ(value_of<int>(response.control, v6 ? SOL_IPV6 : SOL_IP,
				 v6 ? IPV6_HOPLIMIT : IP_TTL),
		   7);
		if (v6)
			EQ(value_of<int>(response.control, SOL_IPV6, IPV6_TCLASS), 0x48);
		else
			EQ(value_of<uint8_t>(response.control, SOL_IP, IP_TOS), 0x48);
	}
}

// In the place of what the socket sets, for one message; congestion bits are nobody's.
TEST(marks_of_one_message)
{
	for (const net::Family family : {net::Family::v4, net::Family::v6}) {
		const bool v6 = family == net::Family::v6;
		const int level = v6 ? SOL_IPV6 : SOL_IP;
		const int hops = v6 ? IPV6_HOPLIMIT : IP_TTL, marks = v6 ? IPV6_TCLASS : IP_TOS;
		PlainTalk talk(family);
		set(talk.server, level, v6 ? IPV6_RECVHOPLIMIT : IP_RECVTTL);
		set(talk.server, level, v6 ? IPV6_RECVTCLASS : IP_RECVTOS);
		set(talk.client, level, v6 ? IPV6_UNICAST_HOPS : IP_TTL, 9);
		set(talk.client, level, marks, 0x28);
		const auto arrives = [&](const Controls &controls, int ttl, int tos) {
			OK(controls.send(talk.client, talk.to, pattern(20)));
			const Told told = receive(talk.server);
			EQ(value_of<int>(told.control, level, hops), ttl);
			EQ(v6 ? value_of<int>(told.control, level, marks)
			      : value_of<uint8_t>(told.control, level, marks),
			   tos);
			talk.server.reply(told.message, pattern(1));
			EQ(talk.client.expect().bytes.size(), 1U);
		};
		arrives(Controls().add(level, hops, 3).add(level, marks, 0x4b), 3, 0x48);
		arrives(Controls().add(level, hops, 255), 255, 0x28);
		arrives(Controls(), 9, 0x28);
		if (v6) {
			arrives(Controls().add(level, hops, -1).add(level, marks, -1), 9, 0x28);
			continue;
		}
		const uint8_t byte = 0x50;
		arrives(Controls().add(level, marks, byte), 9, 0x50);
	}
}

// A mark chooses the route.
TEST(marks_of_the_host)
{
	hosts->a.ns.sh("ip rule add fwmark 7 prohibit");
	hosts->a.ns.sh("ip -6 rule add fwmark 7 prohibit");
	for (const net::Family family : {net::Family::v4, net::Family::v6}) {
		PlainTalk talk(family);
		const Controls marked = Controls().add(SOL_SOCKET, SO_MARK, 7U);
		FAILS(marked.send(talk.client, talk.to, pattern(1)), EACCES);
		comes_from(talk, Controls().add(SOL_SOCKET, SO_MARK, 8U),
			   hosts->a.at(family, talk.client.port()), 100);
		// Of this thread alone; it keeps the saved one.
		OK(static_cast<int>(syscall(SYS_setresuid, -1, 65534, 0)));
		const ssize_t sent = marked.send(talk.client, talk.to, pattern(1));
		const int error = errno;
		OK(static_cast<int>(syscall(SYS_setresuid, -1, 0, 0)));
		EQ(sent, -1);
		EQ(error, EPERM);
	}
	hosts->a.ns.sh("ip rule del fwmark 7 prohibit");
	hosts->a.ns.sh("ip -6 rule del fwmark 7 prohibit");
}

TEST(refused_to_v4)
{
	PlainTalk talk;
	const auto refuses = [&](const Controls &controls) {
		FAILS(controls.send(talk.client, talk.to, pattern(1)), EINVAL);
	};
	const sdp_rpc_cmsg rpc = rpc_cmsg(0);
	refuses(Controls()
			.add(IPPROTO_HOMA, SDP_CMSG_RPC, rpc)
			.add(IPPROTO_HOMA, SDP_CMSG_RPC, rpc));
	refuses(Controls().add(IPPROTO_HOMA, SDP_CMSG_RPC + 1, rpc));
	for (const int type :
	     {int{SCM_RIGHTS}, int{SCM_CREDENTIALS}, SO_TIMESTAMPING, SCM_TXTIME, SO_PRIORITY})
		refuses(Controls().add(SOL_SOCKET, type, 0));
	for (const int type : {IP_RETOPTS, IP_RECVERR, IP_PKTINFO + 100})
		refuses(Controls().add(SOL_IP, type, 1));
	refuses(Controls().add(SOL_IPV6, IPV6_HOPLIMIT, 9));
	refuses(Controls().add(IPPROTO_UDP, 103, uint16_t{1000}));
	for (const int hops : {0, -1, 256})
		refuses(Controls().add(SOL_IP, IP_TTL, hops));
	for (const int tos : {-1, 256})
		refuses(Controls().add(SOL_IP, IP_TOS, tos));
	// Too short, too long, and longer than there is room for.
	refuses(Controls().add(SOL_IP, IP_TTL, uint8_t{9}));
	refuses(Controls().add(SOL_IP, IP_TOS, uint16_t{9}));
	refuses(Controls().add(SOL_IP, IP_PKTINFO, 1));
	refuses(Controls().add(SOL_SOCKET, SO_MARK, uint64_t{1}));
	refuses(leaving(net::Family::v4, "10.0.0.11", -1));
	// Nothing of all this was sent.
	CHECK(!talk.server.ready(POLLIN, 50));
}

TEST(refused_to_v6)
{
	PlainTalk six(net::Family::v6);
	for (const int type : {IPV6_2292PKTINFO, IPV6_RTHDR, IPV6_HOPOPTS, IPV6_DONTFRAG})
		FAILS(Controls().add(SOL_IPV6, type, 1).send(six.client, six.to, pattern(1)),
		      EINVAL);
	for (const int hops : {0, -2, 256})
		FAILS(Controls()
			      .add(SOL_IPV6, IPV6_HOPLIMIT, hops)
			      .send(six.client, six.to, pattern(1)),
		      EINVAL);
	FAILS(Controls().add(SOL_IP, IP_TTL, 9).send(six.client, six.to, pattern(1)), EINVAL);
	CHECK(!six.server.ready(POLLIN, 50));
}

// A program of a control group may choose the address, as for UDP.
TEST(from_where_a_program_says)
{
	const Fd program = bpf::rewriting_source4(0x0a00000b, BPF_CGROUP_UDP4_SENDMSG);
	bpf::Group group("sdp-source");
	group.attach(program, BPF_CGROUP_UDP4_SENDMSG);
	PlainSocket server(hosts->b.ns, AF_INET, server_port);
	group.in([&] {
		PlainSocket client(hosts->a.ns, AF_INET);
		client.request(hosts->b.at(net::Family::v4, server_port), pattern(100));
		const PlainMessage request = server.expect();
		EQ(request.from, net::Address::of("10.0.0.11", client.port()));
		server.reply(request, pattern(100));
		EQ(client.expect().bytes.size(), 100U);
	});
	server.close();
	bpf::Group other("sdp-other-source");
	const Fd wrong = bpf::rewriting_source4(0x0a000002, BPF_CGROUP_UDP4_SENDMSG);
	other.attach(wrong, BPF_CGROUP_UDP4_SENDMSG);
	other.in([] {
		PlainTalk talk;
		FAILS(talk.client.send(&talk.to, pattern(1), nullptr), EINVAL);
	});
}
