// SPDX-License-Identifier: Apache-2.0
// What a control group's programs say of its sockets' addresses, where UDP has them run.
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
