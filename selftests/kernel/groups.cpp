// SPDX-License-Identifier: Apache-2.0
// What a control group may say of its sockets: programs about addresses, where UDP has them
// run, and a limit of memory.
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <sstream>
#include <unistd.h>

#include "lib/bpf.hpp"
#include "lib/talk.hpp"
#include "lib/test.hpp"

namespace {

/// Runs @a run in a group with one program.
void with(const Fd &program, bpf_attach_type attach, const std::function<void()> &run)
{
	bpf::Group group("sdp-addresses");
	group.attach(program, attach);
	group.in(run);
}

Fd refusing(bpf_attach_type attach)
{
	return bpf::returning(0, BPF_PROG_TYPE_CGROUP_SOCK_ADDR, attach);
}

net::Address name_of(int fd, int (*get)(int, sockaddr *, socklen_t *))
{
	net::Address out;
	OK(get(fd, out.raw(), &out.length));
	return out;
}

/// A group with a limit, bytes, that cannot swap.
class Small : public bpf::Group {
public:
	explicit Small(size_t most) : Group("sdp-memory")
	{
		set("memory.max", std::to_string(most));
		set("memory.swap.max", "0");
	}

	[[nodiscard]] long event(const std::string &name) const
	{
		std::istringstream lines(get("memory.events"));
		std::string word;
		long count = 0;
		while (lines >> word >> count)
			if (word == name)
				return count;
		return -1;
	}
};

/// Reads files until about as many bytes of them are in memory.
void fill_page_cache(size_t bytes)
{
	std::vector<char> some(1 << 16);
	for (const auto &entry : std::filesystem::directory_iterator("/usr/lib/x86_64-linux-gnu")) {
		if (!entry.is_regular_file())
			continue;
		std::ifstream file(entry.path());
		while (file.read(some.data(), static_cast<std::streamsize>(some.size())) &&
		       bytes > some.size())
			bytes -= some.size();
		if (bytes <= some.size())
			return;
	}
}

constexpr uint32_t elsewhere = 0x01020304;

} // namespace

SETUP
{
	two_hosts();
}

TEST(no_sending_to_ipv4)
{
	with(refusing(BPF_CGROUP_UDP4_SENDMSG), BPF_CGROUP_UDP4_SENDMSG, [] {
		for (net::Family family : {net::Family::v4, net::Family::mapped}) {
			PlainTalk talk(family);
			FAILS(talk.client.send(&talk.to, pattern(10), nullptr), EPERM);
			// Asked for as the socket was connected: connect4 has a say in that.
			OK(net::connect_to(talk.client.fd(), talk.to));
			OK(talk.client.send(nullptr, pattern(10), nullptr));
			// Responses name whom they are for.
			PlainMessage request = talk.server.expect();
			sdp_rpc_cmsg rpc = rpc_cmsg(request.rpc->id);
			FAILS(talk.server.send(&request.from, pattern(10), &rpc), EPERM);
		}
		{
			HomaTalk homa;
			homa_sendmsg_args args{};
			FAILS(homa.client.send(homa.to, pattern(10), args), EPERM);
			EQ(args.id, 0);
		}
		PlainTalk other(net::Family::v6);
		other.client.request(other.to, pattern(10));
		other.server.echo();
		EQ(other.client.expect().bytes.size(), 10);
	});
}

TEST(no_sending_to_ipv6)
{
	with(refusing(BPF_CGROUP_UDP6_SENDMSG), BPF_CGROUP_UDP6_SENDMSG, [] {
		{
			PlainTalk talk(net::Family::v6);
			FAILS(talk.client.send(&talk.to, pattern(10), nullptr), EPERM);
		}
		PlainTalk other(net::Family::mapped);
		other.client.request(other.to, pattern(10));
		other.server.echo();
		EQ(other.client.expect().bytes.size(), 10);
	});
}

TEST(another_destination)
{
	Fd program = bpf::rewriting_ip4(0x0a000002, server_port, BPF_CGROUP_UDP4_SENDMSG);
	with(program, BPF_CGROUP_UDP4_SENDMSG, [] {
		for (net::Family family : {net::Family::v4, net::Family::mapped}) {
			PlainTalk talk(family);
			net::Address nobody = net::Address::of("192.0.2.1", 9);
			if (family == net::Family::mapped)
				nobody = nobody.mapped();
			talk.client.request(nobody, pattern(10), 7);
			EQ(talk.server.receive().bytes.size(), 10);
		}
	});
	// A port that nobody can have.
	program = bpf::rewriting_ip4(0x0a000002, 0, BPF_CGROUP_UDP4_SENDMSG);
	with(program, BPF_CGROUP_UDP4_SENDMSG, [] {
		PlainTalk talk;
		FAILS(talk.client.send(&talk.to, pattern(10), nullptr), EINVAL);
	});
}

TEST(another_source_is_told)
{
	Fd program = bpf::rewriting_ip4(elsewhere, 77, BPF_CGROUP_UDP4_RECVMSG);
	with(program, BPF_CGROUP_UDP4_RECVMSG, [] {
		{
			PlainTalk talk;
			talk.client.request(talk.to, pattern(10), 7);
			EQ(talk.server.receive().from, net::Address::of("1.2.3.4", 77));
		}
		HomaTalk homa_only(net::Family::v6);
		homa_only.client.request(homa_only.to, pattern(10));
		EQ(homa_only.server.receive().from,
		   hosts->a.at(net::Family::v6, homa_only.client.port()));
	});
}

// Who looks at a socket after bind() may refuse it; then it is as it was.
TEST(no_binding)
{
	struct kind {
		bpf_attach_type attach;
		net::Family family;
	};
	for (const auto &[attach, family] : {kind{BPF_CGROUP_INET4_POST_BIND, net::Family::v4},
					     kind{BPF_CGROUP_INET6_POST_BIND, net::Family::v6}}) {
		const int domain = net::domain(family);
		const Fd program = bpf::returning(0, BPF_PROG_TYPE_CGROUP_SOCK, attach);
		bpf::Group group("sdp-binding");
		group.in([&] {
			PlainSocket bound(hosts->b.ns, domain, server_port);
			const PlainSocket fresh(hosts->b.ns, domain);
			const net::Address before = name_of(bound.fd(), getsockname);
			group.attach(program, attach);
			for (const uint16_t port : {uint16_t{4001}, server_port, uint16_t{0}}) {
				const net::Address to = hosts->b.at(family, port);
				FAILS(net::bind_to(bound.fd(), to), EPERM);
				FAILS(net::bind_to(fresh.fd(), to),
				      port == server_port ? EADDRINUSE : EPERM);
			}
			EQ(name_of(bound.fd(), getsockname), before);
			// It is reached at any address, and nobody has the other port.
			PlainSocket client(hosts->a.ns, domain);
			client.request(hosts->b.at(family, server_port), pattern(10));
			bound.echo();
			EQ(client.expect().bytes.size(), 10);
		});
		const PlainSocket other(hosts->b.ns, domain, 4001);
	}
}

TEST(other_names)
{
	Fd program = bpf::rewriting_ip4(elsewhere, 77, BPF_CGROUP_INET4_GETSOCKNAME);
	with(program, BPF_CGROUP_INET4_GETSOCKNAME, [] {
		PlainTalk talk;
		EQ(name_of(talk.server.fd(), getsockname), net::Address::of("1.2.3.4", 77));
		OK(net::connect_to(talk.client.fd(), talk.to));
		EQ(name_of(talk.client.fd(), getpeername), talk.to);
	});
	program = bpf::rewriting_ip4(elsewhere, 77, BPF_CGROUP_INET4_GETPEERNAME);
	with(program, BPF_CGROUP_INET4_GETPEERNAME, [] {
		PlainTalk talk;
		OK(net::connect_to(talk.client.fd(), talk.to));
		EQ(name_of(talk.client.fd(), getpeername), net::Address::of("1.2.3.4", 77));
		EQ(name_of(talk.server.fd(), getsockname).port(), server_port);
	});
}

TEST_LIMIT(sender_within_its_memory, 200)
{
	constexpr size_t most = 32 << 20;
	Small group(most);
	hosts->a.ns.sh("ip neigh replace 10.0.0.99 lladdr 02:00:00:00:00:99 dev eth0");
	group.in([&] {
		std::vector<PlainSocket> sockets;
		net::Address silent = net::Address::of("10.0.0.99", server_port);
		Bytes bytes = pattern(900000);
		size_t sent = 0, refused = 0;
		for (unsigned i = 0; i < 10; i++) {
			sockets.emplace_back(hosts->a.ns, AF_INET);
			while (sockets.back().send(&silent, bytes, nullptr, MSG_DONTWAIT) >= 0)
				sent += bytes.size();
			CHECK(errno == EAGAIN || errno == ENOBUFS);
			refused += errno == ENOBUFS;
		}
		CHECK(sent > 5 * bytes.size());
		CHECK(refused > 0);
		sockets.clear();
		PlainTalk talk;
		talk.client.request(talk.to, pattern(100000), 1);
		talk.server.echo();
		EQ(talk.client.expect().bytes, pattern(100000));
	});
	EQ(group.event("oom_kill"), 0);
	// What a CPU charges without looking comes on top.
	CHECK(std::stoul(group.get("memory.peak")) < most + (1 << 20));
}

TEST_LIMIT(receiver_within_its_memory, 200)
{
	constexpr size_t most = 24 << 20;
	Small group(most);
	group.in([&] {
		PlainTalk talk;
		// By default an eighth each way, so that the rest of the program has some.
		int room = 0;
		socklen_t length = sizeof(room);
		OK(getsockopt(talk.server.fd(), SOL_SOCKET, SO_RCVBUF, &room, &length));
		EQ(room, most / 8);
		// Nobody reads.
		for (unsigned i = 0; i < 40; i++)
			talk.client.send(&talk.to, pattern(900000), nullptr, MSG_DONTWAIT);
		EVENTUALLY(talk.server.ready(POLLIN));
		sleep(2);
		EQ(talk.server.expect().bytes.size(), 900000);
	});
	EQ(group.event("oom_kill"), 0);
	CHECK(std::stoul(group.get("memory.peak")) < most + (1 << 20));
}

/// It goes, as for whoever else wants memory.
TEST_LIMIT(page_cache_gives_way, 200)
{
	constexpr size_t most = 16 << 20;
	Small group(most);
	group.in([&] {
		fill_page_cache(2 * most);
		CHECK(std::stoul(group.get("memory.current")) > most / 2);
		PlainTalk talk;
		for (unsigned i = 0; i < 4; i++) {
			talk.client.request(talk.to, pattern(900000), 1);
			talk.server.echo();
			EQ(talk.client.expect().bytes.size(), 900000);
		}
	});
	EQ(group.event("oom_kill"), 0);
}
