// SPDX-License-Identifier: Apache-2.0
#include "ping.hpp"

#include "commands.hpp"
#include "probe.hpp"

#include <sdp/sdp.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstring>
#include <iostream>
#include <linux/errqueue.h>
#include <memory>
#include <poll.h>
#include <random>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace tool {

namespace {

using clock = std::chrono::steady_clock;
using milliseconds = std::chrono::duration<double, std::milli>;

constexpr int sdp_protocol = 146;

[[noreturn]] void fail(int error, const std::string &what)
{
	throw std::system_error(error, std::generic_category(), what);
}

/** A raw socket that hears one host. */
class raw_socket {
public:
	explicit raw_socket(const sdp::address &peer)
		: v4_(peer.version() == sdp::ip::v4),
		  fd_(::socket(v4_ ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			       sdp_protocol))
	{
		if (fd_ < 0) {
			fail(errno, errno == EPERM ? "ping needs CAP_NET_RAW (root)" : "socket");
		}
		const int on = 1;
		const int failed =
			v4_ ? ::setsockopt(fd_, IPPROTO_IP, IP_RECVERR, &on, sizeof(on))
			    : ::setsockopt(fd_, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
		// The port of a raw socket's peer is none of IP's business.
		const sdp::address plain = peer.with_port(0);
		if (failed != 0 || ::connect(fd_, plain.data(), plain.size()) < 0) {
			const int error = errno;
			::close(fd_);
			fail(error, "no way to " + peer.text());
		}
	}
	~raw_socket() { ::close(fd_); }
	raw_socket(const raw_socket &) = delete;
	raw_socket &operator=(const raw_socket &) = delete;
	raw_socket(raw_socket &&) = delete;
	raw_socket &operator=(raw_socket &&) = delete;

	/** 0, or what stood in the way. */
	[[nodiscard]] int send(std::span<const std::byte> packet) const
	{
		// An ICMP error that is pending is reported, and cleared, first.
		for (int i = 0; i < 2; ++i) {
			if (::send(fd_, packet.data(), packet.size(), 0) >= 0) {
				return 0;
			}
		}
		return errno;
	}

	void wait(clock::time_point until) const
	{
		pollfd wanted{.fd = fd_, .events = POLLIN, .revents = 0};
		const auto left =
			std::chrono::ceil<std::chrono::milliseconds>(until - clock::now());
		::poll(&wanted, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
	}

	/** Takes what has come: whether it is the answer. */
	[[nodiscard]] bool answered(const probe &of) const
	{
		std::array<std::byte, 2048> room{};
		for (;;) {
			const ssize_t length = ::recv(fd_, room.data(), room.size(), 0);
			if (length < 0) {
				if (errno == EAGAIN) {
					return false;
				}
				// An ICMP error: its text is in the queue of errors.
				continue;
			}
			const auto whole = std::span<const std::byte>(room).first(
				static_cast<std::size_t>(length));
			if (is_answer(v4_ ? after_ipv4(whole) : whole, of)) {
				return true;
			}
		}
	}

	/** Likewise of errors: the one that is about @p of, or 0. */
	[[nodiscard]] int refused(const probe &of) const
	{
		std::array<std::byte, 2048> room{};
		for (;;) {
			alignas(cmsghdr) std::array<std::byte, 512> control{};
			iovec part{.iov_base = room.data(), .iov_len = room.size()};
			msghdr head{};
			head.msg_iov = &part;
			head.msg_iovlen = 1;
			head.msg_control = control.data();
			head.msg_controllen = control.size();
			const ssize_t length = ::recvmsg(fd_, &head, MSG_ERRQUEUE);
			if (length < 0) {
				return 0;
			}
			const auto quoted_part = std::span<const std::byte>(room).first(
				static_cast<std::size_t>(length));
			const int error = error_in(head);
			if (error != 0 && is_about(quoted_part, of)) {
				return error;
			}
		}
	}

private:
	static int error_in(msghdr &head)
	{
		for (cmsghdr *each = CMSG_FIRSTHDR(&head); each != nullptr;
		     each = CMSG_NXTHDR(&head, each)) {
			const bool ours =
				(each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_RECVERR) ||
				(each->cmsg_level == IPPROTO_IPV6 &&
				 each->cmsg_type == IPV6_RECVERR);
			if (ours && each->cmsg_len >= CMSG_LEN(sizeof(sock_extended_err))) {
				sock_extended_err error{};
				std::memcpy(&error, CMSG_DATA(each), sizeof(error));
				return static_cast<int>(error.ee_errno);
			}
		}
		return 0;
	}

	bool v4_;
	int fd_;
};

/** Random, so that neither somebody else's RPC nor a late answer is taken for it. */
probe fresh_probe(std::uint16_t to)
{
	std::random_device random;
	std::uniform_int_distribution<std::uint64_t> id(0, (std::uint64_t(1) << 61) - 1);
	std::uniform_int_distribution<std::uint16_t> port(0x8000, 0xffff);
	return {.from = port(random), .to = to, .id = id(random) * 2};
}

/** Sends @p packet and waits for what it brings about. */
outcome ask(const raw_socket &on, std::span<const std::byte> packet, const probe &of,
	    std::chrono::duration<double> timeout)
{
	const auto sent = clock::now();
	const auto until = sent + std::chrono::duration_cast<clock::duration>(timeout);
	if (const int error = on.send(packet); error != 0) {
		return {.milliseconds = {}, .said = refusal(error, of.to)};
	}
	do {
		on.wait(until);
		if (on.answered(of)) {
			return {.milliseconds = milliseconds(clock::now() - sent).count(),
				.said = {}};
		}
		if (const int error = on.refused(of); error != 0) {
			return {.milliseconds = {}, .said = refusal(error, of.to)};
		}
	} while (clock::now() < until);
	return {};
}

outcome ask_in_the_clear(const raw_socket &on, std::uint16_t port,
			 std::chrono::duration<double> timeout)
{
	const probe of = fresh_probe(port);
	outcome result = ask(on, make_question(of), of, timeout);
	if (result.milliseconds || !result.said.empty()) {
		return result;
	}
	// Silence: is anybody at that port?
	result = ask(on, make_knock(of), of, timeout);
	if (result.said.empty()) {
		result.said = "no answer: the socket there takes encrypted messages alone (--psk, "
			      "where it has a secret), "
			      "or a firewall, or nobody";
	}
	return result;
}

/** A handshake and what it agreed on. */
outcome shake_hands(const sdp::address &peer, const ping_options &options, record &agreed)
{
	sdp::socket socket(peer.version());
	socket.set_policy(sdp::policy::secure);
	sdp::psk_options psk;
	psk.cipher = sdp::cipher_named(options.cipher);
	psk.server_name = options.name;
	psk.timeout = std::chrono::milliseconds(static_cast<std::int64_t>(options.timeout * 1000));
	const auto secret = sdp::secret::load(options.psk);
	const auto begun = clock::now();
	try {
		sdp::psk_connect(socket, peer, secret, psk);
	} catch (const std::system_error &error) {
		return {.milliseconds = {}, .said = error.what()};
	}
	const double took = milliseconds(clock::now() - begun).count();
	const auto info = socket.info(peer);
	agreed = {{"cipher", std::string(sdp::name(info.cipher))},
		  {"driver", info.driver},
		  {"sealed_by", std::string(info.offloaded ? "NIC" : "CPU")},
		  {"wire", std::uint64_t(sdp::loaded_module().wire)}};
	return {.milliseconds = took, .said = {}};
}

void tell(const style &how, std::uint64_t number, const outcome &of, const sdp::address &peer)
{
	if (how.json) {
		return;
	}
	std::cout << number << ": ";
	if (of.milliseconds) {
		std::cout << paint(how, hue::good, "answer") << " from " << peer.text() << " after "
			  << to_json(cell(*of.milliseconds)) << " ms" << std::endl;
	} else {
		std::cout << paint(how, hue::bad, of.said) << std::endl;
	}
}

volatile std::sig_atomic_t interrupted = 0;

void on_interrupt(int)
{
	interrupted = 1;
}

} // namespace

void tally::add(const outcome &of)
{
	++sent_;
	if (!of.milliseconds) {
		return;
	}
	const double time = *of.milliseconds;
	least_ = answered_ == 0 ? time : std::min(least_, time);
	most_ = std::max(most_, time);
	sum_ += time;
	++answered_;
}

double tally::lost() const
{
	const auto missing = static_cast<double>(sent_ - answered_);
	return sent_ == 0 ? 0 : 100.0 * missing / static_cast<double>(sent_);
}

double tally::average() const
{
	return answered_ == 0 ? 0 : sum_ / static_cast<double>(answered_);
}

std::string tally::text() const
{
	std::string result = std::to_string(sent_) + " sent, " + std::to_string(answered_) +
			     " answered, " + std::to_string(std::lround(lost())) + " % lost";
	if (answered_ > 0) {
		result += ", min/avg/max " + to_json(cell(least_)) + "/" +
			  to_json(cell(average())) + "/" + to_json(cell(most_)) + " ms";
	}
	return result;
}

record tally::values() const
{
	record result{{"sent", sent_}, {"answered", answered_}, {"lost_percent", lost()}};
	if (answered_ > 0) {
		result.insert(result.end(),
			      {{"min_ms", least_}, {"avg_ms", average()}, {"max_ms", most_}});
	}
	return result;
}

std::string refusal(int error, std::uint16_t port)
{
	switch (error) {
	case ECONNREFUSED:
		return "no socket at port " + std::to_string(port);
	case ENOPROTOOPT:
	case EPROTO:
		return "the host does not speak SDP: its module is not loaded";
	case EACCES:
		return "a firewall forbids it";
	default:
		return std::generic_category().message(error);
	}
}

int ping(const style &how, const ping_options &options)
{
	const auto peer = sdp::address::resolve(options.target);
	if (peer.port() == 0) {
		throw usage_error(options.target + ": a port is missing: ADDRESS:PORT");
	}
	const std::chrono::duration<double> timeout(options.timeout);
	const bool secure = !options.psk.empty();
	std::unique_ptr<raw_socket> raw;
	if (!secure) {
		raw = std::make_unique<raw_socket>(peer);
	}
	struct sigaction stop {};
	stop.sa_handler = on_interrupt;
	::sigaction(SIGINT, &stop, nullptr);
	tally counted;
	record agreed;
	std::string last;
	for (std::uint64_t i = 1; i <= options.count && interrupted == 0; ++i) {
		const auto begun = clock::now();
		const outcome result = secure ? shake_hands(peer, options, agreed)
					      : ask_in_the_clear(*raw, peer.port(), timeout);
		counted.add(result);
		last = result.said;
		tell(how, i, result, peer);
		if (i < options.count && interrupted == 0) {
			std::this_thread::sleep_until(
				begun + std::chrono::duration_cast<clock::duration>(
						std::chrono::duration<double>(options.interval)));
		}
	}
	record all{{"peer", peer.text()}};
	for (const record &each : {counted.values(), agreed}) {
		all.insert(all.end(), each.begin(), each.end());
	}
	all.emplace_back("said", last);
	if (how.json) {
		std::cout << to_json(all) << '\n';
	} else {
		if (!agreed.empty()) {
			print(std::cout, how, agreed);
		}
		std::cout << counted.text() << '\n';
	}
	return counted.answered() > 0 ? success : failure;
}

} // namespace tool
