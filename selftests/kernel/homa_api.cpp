// SPDX-License-Identifier: Apache-2.0
// Homa's socket API by <linux/homa.h> alone: what works.
#include <linux/homa.h>

#include <algorithm>
#include <poll.h>
#include <sys/mman.h>

#include "lib/talk.hpp"
#include "lib/test.hpp"

SETUP
{
	two_hosts();
}

TEST(echo)
{
	for (net::Family family : net::all_families) {
		HomaTalk talk(family);
		Bytes bytes = pattern(100);
		uint64_t id = talk.client.request(talk.to, bytes, 0x1234567890abcdef);
		HomaMessage request = talk.server.expect();
		EQ(request.result, 100);
		EQ(request.args.id, id + 1);
		EQ(request.args.completion_cookie, 0);
		EQ(request.args.num_bpages, 1);
		EQ(pattern_error(request.bytes), "");
		EQ(request.from, hosts->a.at(family, talk.client.port()));
		talk.server.reply(request, pattern(77, 2));
		HomaMessage response = talk.client.expect();
		EQ(response.args.id, id);
		EQ(response.args.completion_cookie, 0x1234567890abcdef);
		EQ(pattern_error(response.bytes, 2), "");
		EQ(response.result, 77);
		EQ(response.from, talk.to);
	}
}

TEST(ids_count_by_two)
{
	HomaTalk talk;
	uint64_t last = talk.client.request(talk.to, pattern(1));
	for (int i = 0; i < 10; i++) {
		uint64_t id = talk.client.request(talk.to, pattern(1));
		CHECK(id % 2 == 0);
		CHECK(id > last);
		last = id;
	}
}

TEST(longest_message)
{
	HomaTalk talk;
	Bytes bytes = pattern(HOMA_MAX_MESSAGE_LENGTH);
	talk.client.request(talk.to, bytes);
	HomaMessage request = talk.server.expect();
	EQ(request.result, HOMA_MAX_MESSAGE_LENGTH);
	EQ(request.args.num_bpages, HOMA_MAX_BPAGES);
	EQ(pattern_error(request.bytes), "");
	talk.server.reply(request, bytes);
	EQ(pattern_error(talk.client.expect().bytes), "");
}

TEST(gathered_request)
{
	HomaTalk talk;
	Bytes bytes = pattern(3000);
	homa_sendmsg_args args{};
	msghdr message{};
	iovec vectors[4] = {{&bytes[0], 1}, {nullptr, 0}, {&bytes[1], 1999}, {&bytes[2000], 1000}};
	message.msg_name = talk.to.raw();
	message.msg_namelen = talk.to.length;
	message.msg_iov = vectors;
	message.msg_iovlen = 4;
	message.msg_control = &args;
	EQ(OK(sendmsg(talk.client.fd(), &message, 0)), 0);
	EQ(pattern_error(talk.server.expect().bytes), "");
}

TEST(private_responses)
{
	HomaTalk talk;
	uint64_t one = talk.client.request(talk.to, pattern(10, 1), 1, HOMA_SENDMSG_PRIVATE);
	uint64_t two = talk.client.request(talk.to, pattern(20, 2), 2, HOMA_SENDMSG_PRIVATE);
	uint64_t open = talk.client.request(talk.to, pattern(30, 3), 3);
	for (int i = 0; i < 3; i++)
		talk.server.echo();
	FAILS(talk.client.receive(open).result, EINVAL);
	HomaMessage message = talk.client.expect();
	EQ(message.args.id, open);
	CHECK(!talk.client.ready(POLLIN, 100));
	FAILS(talk.client.receive(0, MSG_DONTWAIT).result, EAGAIN);
	message = talk.client.expect(two);
	EQ(message.args.id, two);
	EQ(message.args.completion_cookie, 2);
	EQ(pattern_error(message.bytes, 2), "");
	message = talk.client.expect(one);
	EQ(message.args.id, one);
	EQ(pattern_error(message.bytes, 1), "");
	FAILS(talk.client.receive(one).result, EINVAL);
}

TEST(private_wait)
{
	HomaTalk talk;
	uint64_t id = talk.client.request(talk.to, pattern(10), 0, HOMA_SENDMSG_PRIVATE);
	test::Thread waiter([&] { EQ(talk.client.expect(id).args.id, id); });
	usleep(50000);
	talk.server.echo();
	waiter.join();
}

TEST(server_option)
{
	HomaSocket server(hosts->b.ns, AF_INET);
	HomaSocket client(hosts->a.ns, AF_INET);
	OK(net::bind_to(server.fd(), net::Address::any(AF_INET, 0)));
	net::Address to = hosts->b.at(net::Family::v4, server.port());
	int on = 1;
	OK(setsockopt(server.fd(), IPPROTO_HOMA, SO_HOMA_SERVER, &on, sizeof(on)));
	int got = 0;
	socklen_t size = sizeof(got);
	OK(getsockopt(server.fd(), IPPROTO_HOMA, SO_HOMA_SERVER, &got, &size));
	EQ(got, 1);
	client.request(to, pattern(10));
	server.echo();
	client.expect();
	on = 0;
	OK(setsockopt(server.fd(), IPPROTO_HOMA, SO_HOMA_SERVER, &on, sizeof(on)));
	// The client starts over for a while; quickly with this.
	CHECK(hosts->a.ns.sysctl("resend_us", "200"));
	uint64_t id = client.request(to, pattern(10));
	HomaMessage failed = client.receive();
	CHECK(failed.result < 0);
	EQ(failed.error, ETIMEDOUT);
	EQ(failed.args.id, id);
	CHECK(hosts->a.ns.sysctl("resend_us", "5000"));
}

TEST(nobody_listens)
{
	for (net::Family family : net::all_families) {
		HomaSocket client(hosts->a.ns, net::domain(family));
		uint64_t id = client.request(hosts->b.at(family, 777), pattern(10), 99);
		HomaMessage failed = client.receive();
		FAILS(failed.result, ENOTCONN);
		EQ(failed.args.id, id);
		EQ(failed.args.completion_cookie, 99);
		EQ(failed.args.num_bpages, 0);
		EQ(client.info().num_rpcs, 0);
	}
}

TEST(peer_is_silent)
{
	net::Alone far;
	far.host.ns.patient(false);
	HomaSocket client(far.host.ns, AF_INET);
	uint64_t id = client.request(net::Address::of("10.0.0.9", 5), pattern(10), 7);
	HomaMessage failed = client.receive();
	FAILS(failed.result, ETIMEDOUT);
	EQ(failed.args.id, id);
	EQ(failed.args.completion_cookie, 7);
}

TEST(abort_one)
{
	HomaTalk talk;
	uint64_t id = talk.client.request(talk.to, pattern(10), 5);
	uint64_t kept = talk.client.request(talk.to, pattern(11), 6);
	OK(talk.client.abort(id, ECANCELED));
	HomaMessage failed = talk.client.receive();
	FAILS(failed.result, ECANCELED);
	EQ(failed.args.id, id);
	EQ(failed.args.completion_cookie, 5);
	FAILS(talk.client.abort(id, 0), EINVAL);
	talk.server.echo();
	talk.server.echo();
	EQ(talk.client.expect().args.id, kept);
	FAILS(talk.client.receive(0, MSG_DONTWAIT).result, EAGAIN);
}

TEST(abort_silently)
{
	HomaTalk talk;
	uint64_t id = talk.client.request(talk.to, pattern(10));
	OK(talk.client.abort(id, 0));
	EQ(talk.client.info().num_rpcs, 0);
	FAILS(talk.client.receive(0, MSG_DONTWAIT).result, EAGAIN);
}

TEST(abort_all)
{
	HomaTalk talk;
	for (unsigned i = 0; i < 20; i++)
		talk.client.request(talk.to, pattern(10), i);
	OK(talk.client.abort(0, EIO));
	uint64_t seen = 0;
	for (int i = 0; i < 20; i++) {
		HomaMessage failed = talk.client.receive();
		FAILS(failed.result, EIO);
		seen |= 1ULL << failed.args.completion_cookie;
	}
	EQ(seen, (1ULL << 20) - 1);
	FAILS(talk.client.receive(0, MSG_DONTWAIT).result, EAGAIN);
	EQ(talk.client.info().num_rpcs, 0);
}

TEST(info)
{
	HomaTalk talk;
	uint64_t id = talk.client.request(talk.to, pattern(10), 42);
	talk.server.expect();
	std::vector<homa_rpc_info> rpcs;
	homa_info info = talk.client.info(&rpcs);
	EQ(info.port, talk.client.port());
	EQ(info.num_rpcs, 1);
	EQ(info.bpool_avail_bytes, talk.client.region_size());
	EQ(rpcs.size(), 1);
	EQ(rpcs[0].id, id);
	EQ(rpcs[0].completion_cookie, 42);
	EQ(rpcs[0].tx_length, 10);
	EQ(rpcs[0].tx_sent, 10);
	EQ(rpcs[0].tx_granted, 10);
	EQ(rpcs[0].rx_length, -1);
	EQ(rpcs[0].flags, 0);
	EQ(rpcs[0].peer.in4.sin_family, AF_INET);
	EQ(ntohs(rpcs[0].peer.in4.sin_port), server_port);
	CHECK(all_zero(reinterpret_cast<char *>(&rpcs[0].peer) + sizeof(sockaddr_in),
		       sizeof(rpcs[0].peer) - sizeof(sockaddr_in)));
	// The padding after the flags.
	CHECK(all_zero(&rpcs[0].flags + 1,
		       sizeof(homa_rpc_info) - offsetof(homa_rpc_info, flags) - 2));
	info = talk.server.info(&rpcs);
	EQ(info.port, server_port);
	EQ(rpcs.size(), 1);
	EQ(rpcs[0].id, id + 1);
	EQ(rpcs[0].tx_length, -1);
	EQ(rpcs[0].rx_length, 10);
	EQ(rpcs[0].rx_remaining, 0);
}

TEST(info_of_received)
{
	HomaTalk talk;
	talk.client.request(talk.to, pattern(10), 1, HOMA_SENDMSG_PRIVATE);
	talk.server.echo();
	EVENTUALLY([&] {
		std::vector<homa_rpc_info> rpcs;
		talk.client.info(&rpcs);
		return rpcs.size() == 1 && rpcs[0].rx_length == 10 &&
		       rpcs[0].flags == (HOMA_RPC_PRIVATE | HOMA_RPC_RX_READY);
	}());
}

TEST(info_room)
{
	HomaTalk talk;
	for (int i = 0; i < 5; i++)
		talk.client.request(talk.to, pattern(10));
	homa_rpc_info space[3];
	memset(space, 0xa5, sizeof(space));
	homa_info info{};
	info.rpc_info = reinterpret_cast<uint64_t>(space);
	info.rpc_info_length = 2 * sizeof(space[0]) + 7;
	OK(ioctl(talk.client.fd(), HOMAIOCINFO, &info));
	EQ(info.num_rpcs, 5);
	EQ(info.rpc_info_length, 2 * sizeof(space[0]));
	EQ(*reinterpret_cast<uint8_t *>(&space[2]), 0xa5);
	info.rpc_info = reinterpret_cast<uint64_t>(nowhere);
	info.rpc_info_length = sizeof(space);
	FAILS(ioctl(talk.client.fd(), HOMAIOCINFO, &info), EFAULT);
	FAILS(ioctl(talk.client.fd(), HOMAIOCINFO, nowhere), EFAULT);
	info = {};
	OK(ioctl(talk.client.fd(), HOMAIOCINFO, &info));
	EQ(info.num_rpcs, 5);
	EQ(info.rpc_info_length, 0);
}

TEST(error_text)
{
	HomaTalk talk;
	homa_sendmsg_args args{0, 0, 0, 1};
	FAILS(talk.client.send(talk.to, pattern(1), args), EINVAL);
	homa_info info = talk.client.info();
	size_t length = strnlen(info.error_msg, sizeof(info.error_msg));
	CHECK(length > 0);
	CHECK(length < sizeof(info.error_msg));
	CHECK(all_zero(info.error_msg + length, sizeof(info.error_msg) - length));
}

TEST(poll)
{
	HomaTalk talk;
	CHECK(!talk.server.ready(POLLIN));
	CHECK(talk.client.ready(POLLOUT));
	talk.client.request(talk.to, pattern(10));
	CHECK(talk.server.ready(POLLIN, 10000));
	talk.server.echo();
	CHECK(!talk.server.ready(POLLIN));
	CHECK(talk.client.ready(POLLIN, 10000));
	talk.client.expect();
	CHECK(!talk.client.ready(POLLIN));
}

TEST(shutdown_wakes)
{
	HomaTalk talk;
	talk.client.request(talk.to, pattern(10));
	talk.server.expect();
	test::Thread any([&] { FAILS(talk.client.receive_raw({}).result, ESHUTDOWN); });
	test::Thread polled([&] { CHECK(talk.client.ready(POLLIN | POLLHUP, 20000)); });
	usleep(100000);
	OK(shutdown(talk.client.fd(), SHUT_RDWR));
	any.join();
	polled.join();
	FAILS(talk.client.receive().result, ESHUTDOWN);
	homa_sendmsg_args args{};
	FAILS(talk.client.send(talk.to, pattern(1), args), ESHUTDOWN);
}

TEST(receive_timeout)
{
	HomaTalk talk;
	talk.client.set_timeout(50);
	FAILS(talk.client.receive().result, EAGAIN);
}

TEST(two_threads_share_a_socket)
{
	HomaTalk talk(net::Family::v4, 64);
	constexpr int count = 200;
	auto serve = [&] {
		for (int i = 0; i < count / 2; i++) {
			HomaMessage request = talk.server.receive_raw({});
			OK(request.result);
			EQ(pattern_error(request.bytes, static_cast<uint64_t>(request.result)), "");
			talk.server.reply(request, pattern(4, 4));
		}
	};
	test::Thread one(serve);
	test::Thread two(serve);
	for (int i = 0; i < count; i++)
		talk.client.request(talk.to, pattern(100U + static_cast<unsigned>(i),
						     100U + static_cast<unsigned>(i)));
	for (int i = 0; i < count; i++)
		talk.client.expect();
	one.join();
	two.join();
}
