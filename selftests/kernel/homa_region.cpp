// SPDX-License-Identifier: Apache-2.0
// Homa's socket API by <linux/homa.h> alone: the receive region and its pages.
#include <linux/homa.h>

#include <algorithm>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/proc.hpp"
#include "lib/talk.hpp"
#include "lib/test.hpp"

SETUP
{
	two_hosts();
}

TEST(region_read_back)
{
	HomaSocket socket(hosts->a.ns, AF_INET, 0, 4);
	homa_rcvbuf_args args{};
	socklen_t size = sizeof(args);
	OK(getsockopt(socket.fd(), IPPROTO_HOMA, SO_HOMA_RCVBUF, &args, &size));
	EQ(size, sizeof(args));
	EQ(args.start, reinterpret_cast<uint64_t>(socket.region()));
	EQ(args.length, 4 * HOMA_BPAGE_SIZE);
	size = sizeof(args) - 1;
	FAILS(getsockopt(socket.fd(), IPPROTO_HOMA, SO_HOMA_RCVBUF, &args, &size), EINVAL);
}

TEST(pages_out_of_range)
{
	HomaTalk talk(net::Family::v4, 4);
	auto give_back = [&](uint32_t offset) {
		homa_recvmsg_args args{};
		args.num_bpages = 1;
		args.bpage_offsets[0] = offset;
		HomaMessage message = talk.client.receive_raw(args, MSG_DONTWAIT);
		errno = message.error;
		return message.result;
	};
	uint64_t all = talk.client.info().bpool_avail_bytes;
	FAILS(give_back(4 * HOMA_BPAGE_SIZE), EINVAL);
	FAILS(give_back(UINT32_MAX), EINVAL);
	FAILS(give_back(0x80000000), EINVAL);
	// In range, but nobody's: nothing may be freed twice.
	CHECK(give_back(0) < 0);
	CHECK(give_back(3 * HOMA_BPAGE_SIZE) < 0);
	EQ(talk.client.info().bpool_avail_bytes, all);
	talk.client.request(talk.to, pattern(100));
	talk.server.echo();
	EQ(pattern_error(talk.client.expect().bytes), "");
}

TEST(page_given_back_twice)
{
	HomaTalk talk(net::Family::v4, 4);
	uint64_t all = talk.client.info().bpool_avail_bytes;
	talk.client.request(talk.to, pattern(200000));
	talk.server.echo();
	HomaMessage message = talk.client.receive_raw({});
	EQ(message.args.num_bpages, 4);
	homa_recvmsg_args back = message.args;
	back.id = 0;
	back.num_bpages = 2;
	back.bpage_offsets[1] = back.bpage_offsets[0];
	CHECK(talk.client.receive_raw(back, MSG_DONTWAIT).result < 0);
	CHECK(talk.client.info().bpool_avail_bytes <= all - 3 * HOMA_BPAGE_SIZE);
}

TEST(region_fills_and_drains)
{
	HomaTalk talk(net::Family::v4, 4);
	uint64_t all = talk.client.info().bpool_avail_bytes;
	EQ(all, 4 * HOMA_BPAGE_SIZE);
	for (unsigned i = 0; i < 3; i++)
		talk.client.request(talk.to, pattern(130000, i), i);
	for (unsigned i = 0; i < 3; i++)
		talk.server.echo();
	// Two pages each: the first is held, so the third waits for room.
	HomaMessage first = talk.client.receive_raw({});
	EQ(pattern_error(first.bytes, first.args.completion_cookie), "");
	HomaMessage second = talk.client.receive_raw({});
	EQ(pattern_error(second.bytes, second.args.completion_cookie), "");
	FAILS(talk.client.receive_raw({}, MSG_DONTWAIT).result, EAGAIN);
	EVENTUALLY([&] {
		std::vector<homa_rpc_info> rpcs;
		homa_info info = talk.client.info(&rpcs);
		return info.bpool_avail_bytes == 0 && rpcs.size() == 1 &&
		       rpcs[0].flags & HOMA_RPC_BUF_STALL;
	}());
	homa_recvmsg_args back = first.args;
	back.id = 0;
	HomaMessage third = talk.client.receive_raw(back);
	EQ(third.result, 130000);
	EQ(pattern_error(third.bytes, third.args.completion_cookie), "");
	EQ(pattern_error(talk.client.gather(second.args, 130000), second.args.completion_cookie),
	   "");
	back = second.args;
	back.id = 0;
	FAILS(talk.client.receive_raw(back, MSG_DONTWAIT).result, EAGAIN);
	back = third.args;
	back.id = 0;
	FAILS(talk.client.receive_raw(back, MSG_DONTWAIT).result, EAGAIN);
	EQ(talk.client.info().bpool_avail_bytes, all);
}

// There are no more of them than when all were looked at, but another one.
TEST(a_message_in_the_place_of_one_that_went)
{
	HomaTalk talk(net::Family::v4, 3);
	talk.client.request(talk.to, pattern(130000));
	talk.server.echo();
	HomaMessage first = talk.client.receive_raw({}); // two pages
	EQ(first.result, 130000);
	const uint64_t second = talk.client.request(talk.to, pattern(130000));
	talk.server.echo();
	CHECK(talk.client.ready(POLLIN, 10000));
	FAILS(talk.client.receive_raw({}, MSG_DONTWAIT).result, EAGAIN);
	CHECK(!talk.client.ready(POLLIN));
	OK(talk.client.abort(second, 0));
	talk.client.request(talk.to, pattern(100));
	talk.server.echo();
	CHECK(talk.client.ready(POLLIN, 10000));
	EQ(talk.client.receive_raw({}).result, 100);
}

TEST(small_messages_share_a_page)
{
	HomaTalk talk(net::Family::v4, 2);
	std::vector<HomaMessage> held;
	for (unsigned i = 0; i < 60; i++) {
		talk.client.request(talk.to, pattern(1000, i), i);
		talk.server.echo();
		held.push_back(talk.client.receive_raw({}));
		EQ(held.back().result, 1000);
	}
	for (const HomaMessage &message : held)
		EQ(pattern_error(talk.client.gather(message.args, 1000),
				 message.args.completion_cookie),
		   "");
	for (const HomaMessage &message : held) {
		homa_recvmsg_args back = message.args;
		back.id = 0;
		FAILS(talk.client.receive_raw(back, MSG_DONTWAIT).result, EAGAIN);
	}
	talk.client.request(talk.to, pattern(HOMA_BPAGE_SIZE));
	talk.server.echo();
	EQ(pattern_error(talk.client.expect().bytes), "");
}

TEST(a_secure_response_that_never_fits)
{
	// Told as a failure, and nothing of it stays.
	HomaTalk talk(net::Family::v4, 1);
	make_secure(talk);
	talk.client.request(talk.to, pattern(5000), 3);
	HomaMessage request = talk.server.expect();
	talk.server.reply(request, pattern(HOMA_BPAGE_SIZE + 1));
	HomaMessage failed = talk.client.receive();
	FAILS(failed.result, EMSGSIZE);
	EQ(failed.args.completion_cookie, 3);
	int queued = -1;
	EVENTUALLY((OK(ioctl(talk.client.fd(), SIOCOUTQ, &queued)), queued == 0));
	EVENTUALLY(proc::lines(hosts->a.ns, "rpcs").empty());
	EVENTUALLY(proc::lines(hosts->b.ns, "rpcs").empty());
}

TEST(a_secure_request_that_never_fits)
{
	HomaTalk talk;
	HomaSocket server(hosts->b.ns, AF_INET, server_port + 1, 1);
	net::Address to = hosts->b.at(net::Family::v4, server_port + 1);
	session::join(talk.client.fd(), hosts->a.at(net::Family::v4, talk.client.port()),
		      server.fd(), to);
	talk.client.request(to, pattern(HOMA_BPAGE_SIZE + 1));
	FAILS(server.receive().result, EMSGSIZE);
	EVENTUALLY(proc::lines(hosts->b.ns, "rpcs").empty());
	// Not a second time: the client is told that it is lost.
	FAILS(talk.client.receive().result, ECONNRESET);
	FAILS(server.receive(0, MSG_DONTWAIT).result, EAGAIN);
}

TEST(a_request_that_never_fits)
{
	// Nobody is told whose it was: nobody could answer it.
	HomaTalk talk;
	HomaSocket server(hosts->b.ns, AF_INET, server_port + 1, 1);
	CHECK(hosts->a.ns.sysctl("resend_us", "200"));
	talk.client.request(hosts->b.at(net::Family::v4, server_port + 1), pattern(300000));
	FAILS(server.receive().result, EMSGSIZE);
	// In the clear the server forgets that it has had it; the client gives up.
	while (!talk.client.ready(POLLIN, 10)) {
		HomaMessage again = server.receive(0, MSG_DONTWAIT);
		CHECK(again.result < 0 && (again.error == EMSGSIZE || again.error == EAGAIN));
	}
	FAILS(talk.client.receive().result, ETIMEDOUT);
	EVENTUALLY(proc::lines(hosts->b.ns, "rpcs").empty());
	CHECK(hosts->a.ns.sysctl("resend_us", "5000"));
}

TEST(region_unmapped)
{
	HomaTalk talk(net::Family::v4, 4);
	talk.client.request(talk.to, pattern(1000));
	OK(mprotect(talk.client.region(), talk.client.region_size(), PROT_NONE));
	talk.server.echo();
	HomaMessage message = talk.client.receive();
	FAILS(message.result, EFAULT);
	OK(mprotect(talk.client.region(), talk.client.region_size(), PROT_READ | PROT_WRITE));
	message = talk.client.receive();
	EQ(OK(message.result), 1000);
	EQ(pattern_error(message.bytes), "");
}

// Who hands on a socket is not to choose what is overwritten in a process that may do more; one
// that may do as much receives on behalf of it, as ever.
TEST(region_of_another_process)
{
	constexpr uid_t nobody = 65534;
	HomaTalk talk;
	for (bool same : {false, true}) {
		HomaSocket socket(hosts->a.ns, AF_INET, 0, 0);
		const size_t size = 4 * HOMA_BPAGE_SIZE;
		void *place = mmap(nullptr, size, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(place != MAP_FAILED);
		int pid = OK(fork());
		if (pid == 0) {
			homa_rcvbuf_args args{reinterpret_cast<uint64_t>(place), size};
			if (!same && setresuid(nobody, nobody, nobody))
				_exit(2);
			_exit(setsockopt(socket.fd(), IPPROTO_HOMA, SO_HOMA_RCVBUF, &args,
					 sizeof(args)) != 0);
		}
		int status = 1;
		OK(waitpid(pid, &status, 0));
		EQ(status, 0);
		socket.request(talk.to, pattern(1000));
		talk.server.echo();
		CHECK(socket.ready(POLLIN, 30000));
		homa_recvmsg_args args{};
		msghdr message{};
		message.msg_control = &args;
		message.msg_controllen = sizeof(args);
		const auto *first = static_cast<const uint8_t *>(place);
		if (same) {
			EQ(OK(recvmsg(socket.fd(), &message, 0)), 1000);
			EQ(pattern_error(View(first + args.bpage_offsets[0], 1000)), "");
		} else {
			FAILS(recvmsg(socket.fd(), &message, 0), EFAULT);
			CHECK(std::all_of(first, first + size, [](uint8_t each) { return !each; }));
		}
		munmap(place, size);
	}
}

TEST(received_fields_are_clean)
{
	HomaTalk talk;
	talk.client.request(talk.to, pattern(10));
	uint8_t name[sizeof(sockaddr_storage)];
	memset(name, 0xa5, sizeof(name));
	homa_recvmsg_args args;
	memset(&args, 0, sizeof(args));
	msghdr message{};
	message.msg_name = name;
	message.msg_namelen = sizeof(name);
	message.msg_control = &args;
	message.msg_controllen = sizeof(args);
	EQ(OK(recvmsg(talk.server.fd(), &message, 0)), 10);
	EQ(message.msg_namelen, sizeof(sockaddr_in));
	CHECK(all_zero(reinterpret_cast<sockaddr_in *>(name)->sin_zero, 8));
	for (size_t i = sizeof(sockaddr_in); i < sizeof(name); i++)
		EQ(name[i], 0xa5);
	EQ(args.num_bpages, 1);
	EQ(args.reserved, 0);
	CHECK(all_zero(&args.bpage_offsets[1], sizeof(args.bpage_offsets) - 4));
}
