// SPDX-License-Identifier: Apache-2.0
// Memory that is not there: of the allocations and the copies from and to the user
// that a call makes, the first fails, in the next round the second, and so on until
// there is none to fail (fail-nth of kernels with fault injection). The call fails
// with an errno, or does without; what it began is undone, and it works when it is
// made again.
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>

#include "lib/proc.hpp"
#include "lib/talk.hpp"
#include "lib/test.hpp"

namespace {

/// More places than any call can fail in.
constexpr unsigned too_many = 1000;

/// Sets @a name for each kind of fault that has it.
void configure(const char *name, const std::string &value)
{
	for (const char *kind : {"failslab", "fail_page_alloc", "fail_usercopy"}) {
		std::ofstream file(std::string("/sys/kernel/debug/") + kind + "/" + name);
		file << value << std::flush;
	}
}

/// Only what functions of the module call can fail.
void in_the_module()
{
	std::ifstream modules("/proc/modules");
	for (std::string line; std::getline(modules, line);) {
		std::istringstream fields(line);
		std::string name;
		std::string skipped;
		std::string start;
		uint64_t size = 0;
		fields >> name >> size >> skipped >> skipped >> skipped >> start;
		if (name != "sdp")
			continue;
		uint64_t from = std::stoull(start, nullptr, 16);
		configure("require-start", std::to_string(from));
		configure("require-end", std::to_string(from + size));
		return;
	}
	throw test::Failure("the module is not loaded");
}

/// What the rest of the kernel calls on behalf of the module can fail too.
void anywhere()
{
	configure("require-start", "0");
	configure("require-end", std::to_string(UINT64_MAX));
}

/// Makes calls of one thread fail.
class Injector {
public:
	Injector() : file_(open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC))
	{
		if (file_ < 0)
			throw test::Skip("this kernel has no fail-nth");
	}

	/// Begins a round, in which the @a nth place fails.
	void begin(unsigned nth)
	{
		nth_ = nth;
		happened_ = false;
	}

	/// Makes a call in which there may be a fault; returns its result, with errno.
	template <class Call>
	auto operator()(Call call)
	{
		std::string text = std::to_string(nth_);
		EQ(OK(pwrite(file_, text.data(), text.size(), 0)), text.size());
		auto result = call();
		int error = errno;
		end();
		if (result < 0 && !happened_)
			throw test::Failure("failed without a fault: " + test::errno_name(error));
		if (result < 0 && error != ENOMEM && error != ENOBUFS && error != EFAULT &&
		    error != ENFILE)
			throw test::Failure("a fault gave " + test::errno_name(error));
		errno = error;
		return result;
	}

	/// Was there a fault in this round?
	[[nodiscard]] bool happened() const { return happened_; }

private:
	void end()
	{
		char left[16] = {};
		// If it is this copy that fails, the call had been made.
		if (pread(file_, left, sizeof(left) - 1, 0) > 0 && atoi(left) == 0)
			happened_ = true;
		while (pwrite(file_, "0", 1, 0) < 0)
			;
	}

	Fd file_;
	unsigned nth_ = 0;
	bool happened_ = false;
};

/// Does @a round for each place that can fail in what it calls by the injector.
template <class Round>
void each_fault(const std::string &what, Round round)
{
	Injector injector;
	unsigned nth = 0;
	do {
		CHECK(++nth < too_many);
		injector.begin(nth);
		try {
			round(injector);
		} catch (const test::Failure &failure) {
			throw test::Failure(what + ", fault " + std::to_string(nth) + ": " +
					    failure.what());
		}
	} while (injector.happened());
	test::note(what + ": " + std::to_string(nth - 1) + " faults");
	CHECK(nth > 1);
}

/// A call that fails by its fault works when it is made again.
template <class Call>
auto again(Injector &injector, Call call)
{
	auto result = injector(call);
	return result < 0 ? OK(call()) : result;
}

/// Requests and responses are of these lengths: in the RPC's memory, in part of a
/// page, of several packets, of several records and segments.
constexpr size_t lengths[] = {100, 1000, 10000, 150000};

} // namespace

SETUP
{
	two_hosts();
}

EACH
{
	Injector present;
	configure("verbose", "0");
	configure("probability", "0");
	configure("task-filter", "N");
	configure("ignore-gfp-wait", "N");
	configure("ignore-gfp-highmem", "N");
	configure("min-order", "0");
	in_the_module();
}

TEST(opening_and_closing)
{
	anywhere();
	hosts->a.ns.in([] {
		for (int domain : {AF_INET, AF_INET6})
			each_fault("socket", [&](Injector &fault) {
				int fd = fault(
					[&] { return socket(domain, SOCK_DGRAM, IPPROTO_HOMA); });
				if (fd >= 0)
					fault([&] { return close(fd); });
			});
	});
}

TEST(binding_and_connecting)
{
	anywhere();
	for (net::Family family : {net::Family::v4, net::Family::v6}) {
		net::Address own = net::Address::any(net::domain(family), server_port);
		net::Address far = hosts->b.at(family, server_port);
		each_fault("bind", [&](Injector &fault) {
			PlainSocket one(hosts->a.ns, net::domain(family));
			again(fault, [&] { return net::bind_to(one.fd(), own); });
		});
		each_fault("connect", [&](Injector &fault) {
			PlainSocket one(hosts->a.ns, net::domain(family));
			again(fault, [&] { return net::connect_to(one.fd(), far); });
		});
	}
}

TEST(region)
{
	HomaSocket with(hosts->a.ns, AF_INET);
	homa_rcvbuf_args args{reinterpret_cast<uint64_t>(with.region()), with.region_size()};
	each_fault("SO_HOMA_RCVBUF", [&](Injector &fault) {
		HomaSocket one(hosts->a.ns, AF_INET, 0, 0);
		again(fault, [&] {
			return setsockopt(one.fd(), IPPROTO_HOMA, SO_HOMA_RCVBUF, &args,
					  sizeof(args));
		});
	});
}

TEST(sessions)
{
	net::Address far = hosts->b.at(net::Family::v4, server_port);
	for (uint16_t cipher : session::all_ciphers)
		each_fault(session::name(cipher), [&](Injector &fault) {
			PlainSocket one(hosts->a.ns, AF_INET);
			session::Nonce nonce;
			again(fault, [&] {
				socklen_t size = nonce.size();
				return getsockopt(one.fd(), IPPROTO_HOMA, SDP_NONCE, nonce.data(),
						  &size);
			});
			sdp_session_add add = session::make(SDP_ROLE_CLIENT, far, cipher, nonce,
							    session::Nonce{});
			again(fault, [&] { return session::add(one.fd(), add); });
			again(fault, [&] {
				sdp_session_info info{};
				socklen_t size = info.size = sizeof(info);
				info.peer = far.in6();
				return getsockopt(one.fd(), IPPROTO_HOMA, SDP_SESSION_INFO, &info,
						  &size);
			});
			again(fault, [&] { return session::remove(one.fd(), far); });
		});
}

namespace {

Bytes next_bytes(Injector &fault, const PlainSocket &from, PlainMessage &message, size_t length)
{
	again(fault, [&] { return (message = from.receive(0, length + 1)).result; });
	return message.bytes;
}

Bytes next_bytes(Injector &fault, HomaSocket &from, HomaMessage &message, size_t)
{
	again(fault, [&] { return (message = from.receive()).result; });
	return message.bytes;
}

/// The request of @a seed. One before it, which failed when it was on its way
/// already, may have come too.
template <class Socket, class Message>
void next_request(Injector &fault, Socket &server, Message &message, size_t length, uint64_t seed)
{
	Bytes bytes = next_bytes(fault, server, message, length);
	if (seed == 2 && bytes == pattern(length, 1))
		bytes = next_bytes(fault, server, message, length);
	EQ(pattern_error(bytes, seed), "");
	EQ(bytes.size(), length);
}

/// An RPC at whose calls there are faults.
void plain_rpc(const PlainTalk &talk, size_t length, Injector &fault)
{
	Bytes bytes = pattern(length, 1);
	PlainMessage message;
	uint64_t seed = 1;
	if (fault([&] { return talk.client.send(&talk.to, bytes, nullptr); }) < 0) {
		EVENTUALLY(proc::lines(hosts->a.ns, "rpcs").empty());
		bytes = pattern(length, ++seed);
		OK(talk.client.send(&talk.to, bytes, nullptr));
	}
	next_request(fault, talk.server, message, length, seed);
	sdp_rpc_cmsg rpc = rpc_cmsg(message.rpc.value().id);
	net::Address from = message.from;
	ssize_t replied = fault([&] { return talk.server.send(&from, bytes, &rpc); });
	if (replied < 0)
		OK(talk.server.send(&from, bytes, &rpc));
	bytes = next_bytes(fault, talk.client, message, length);
	// Of a sealed response whose beginning was sent there can be no other.
	if (replied < 0 && message.failed() && length > 65536)
		return;
	CHECK(!message.failed());
	EQ(pattern_error(bytes, seed), "");
	EQ(bytes.size(), length);
}

/// A region whose memory is there: UML does not survive a page fault in the kernel
/// that finds none.
HomaSocket touched(const net::Netns &ns, uint16_t port = 0)
{
	HomaSocket one(ns, AF_INET, port, 8);
	memset(one.region(), 1, one.region_size());
	return one;
}

void homa_rpc(size_t length, Injector &fault)
{
	HomaSocket server = touched(hosts->b.ns, server_port);
	HomaSocket client = touched(hosts->a.ns);
	net::Address to = hosts->b.at(net::Family::v4, server_port);
	Bytes bytes = pattern(length, 1);
	HomaMessage message;
	homa_sendmsg_args args{};
	uint64_t seed = 1;
	if (fault([&] { return client.send(to, bytes, args); }) < 0) {
		EVENTUALLY(proc::lines(hosts->a.ns, "rpcs").empty());
		bytes = pattern(length, ++seed);
		client.request(to, bytes);
	}
	next_request(fault, server, message, length, seed);
	args = {message.args.id, 0, 0, 0};
	net::Address from = message.from;
	again(fault, [&] { return server.send(from, bytes, args); });
	bytes = next_bytes(fault, client, message, length);
	EQ(pattern_error(bytes, seed), "");
	EQ(bytes.size(), length);
}

} // namespace

TEST_LIMIT(clear_rpcs, 240)
{
	for (size_t length : lengths)
		each_fault(std::to_string(length) + " bytes", [&](Injector &fault) {
			PlainTalk talk;
			plain_rpc(talk, length, fault);
		});
}

TEST_LIMIT(secure_rpcs, 240)
{
	for (size_t length : lengths)
		each_fault(std::to_string(length) + " bytes", [&](Injector &fault) {
			PlainTalk talk;
			make_secure(talk);
			plain_rpc(talk, length, fault);
		});
}

TEST(rekeying)
{
	each_fault("SDP_SESSION_REKEY", [&](Injector &fault) {
		PlainTalk talk;
		make_secure(talk);
		for (int i = 0; i < 2; i++) {
			talk.client.request(talk.to, pattern(1000));
			talk.server.echo();
			talk.client.expect();
			if (i == 0)
				again(fault,
				      [&] { return session::rekey(talk.client.fd(), talk.to); });
		}
		EQ(session::info(talk.client.fd(), talk.to).tx_epoch, 1);
	});
}

TEST_LIMIT(homa_rpcs, 240)
{
	for (size_t length : lengths)
		each_fault(std::to_string(length) + " bytes",
			   [&](Injector &fault) { homa_rpc(length, fault); });
}

namespace {

/// Makes @a call until it works.
template <class Call>
void insist(Call call)
{
	while (call() < 0)
		CHECK(errno == ENOMEM || errno == ENOBUFS || errno == EFAULT);
}

} // namespace

// Packets are received where no call can fail; there memory is short by chance, and
// that is as if packets had been lost.
TEST_LIMIT(short_of_memory_while_receiving, 240)
{
	for (bool secure : {false, true}) {
		PlainTalk talk;
		if (secure)
			make_secure(talk);
		configure("times", "-1");
		configure("probability", "3");
		for (uint64_t i = 1; i < 60; i++) {
			PlainMessage message;
			insist([&] {
				return talk.client.send(&talk.to, pattern(20000, i), nullptr);
			});
			insist([&] { return (message = talk.server.receive(0, 20000)).result; });
			EQ(pattern_error(message.bytes, i), "");
			sdp_rpc_cmsg rpc = rpc_cmsg(message.rpc.value().id);
			insist([&] {
				return talk.server.send(&message.from, message.bytes, &rpc);
			});
			insist([&] { return (message = talk.client.receive(0, 20000)).result; });
			CHECK(!message.failed());
			EQ(pattern_error(message.bytes, i), "");
		}
		configure("probability", "0");
	}
}
