// SPDX-License-Identifier: Apache-2.0
#include "datagrams.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace bench {

datagram_client::datagram_client(const plan &what, std::vector<std::unique_ptr<datagram_end>> ends)
	: alone_(what.alone), from_(what.longest), ends_(std::move(ends))
{
	if (ends_.size() > 1) {
		poller_ = std::make_unique<poller>();
		for (std::size_t i = 0; i < ends_.size(); ++i) {
			poller_->add(ends_[i]->fd(), i);
		}
	}
}

void datagram_client::request(std::uint32_t lane, std::uint64_t tag, std::uint32_t length,
			      std::uint32_t answer)
{
	const header what{length, answer, tag};
	if (!waiting_.empty() || !end_of(lane).send(from_.message(what), alone_)) {
		waiting_.push_back({lane, what});
	}
}

bool datagram_client::flush()
{
	while (!waiting_.empty() &&
	       end_of(waiting_.front().lane).send(from_.message(waiting_.front().what), false)) {
		waiting_.pop_front();
	}
	return waiting_.empty();
}

std::optional<std::uint64_t> datagram_client::next(std::optional<clock::time_point> until)
{
	return ends_.size() == 1 ? next_of_one(until) : next_of_many(until);
}

std::optional<std::uint64_t> datagram_client::next_of_one(std::optional<clock::time_point> until)
{
	datagram_end &one = *ends_[0];
	for (;;) {
		const bool all_sent = flush();
		const bool may_block = all_sent && !until;
		if (const auto got = one.receive(may_block)) {
			return got->tag;
		}
		const auto events = static_cast<short>(all_sent ? POLLIN : POLLIN | POLLOUT);
		if (!wait_for(one.fd(), events, until)) {
			return {};
		}
	}
}

std::optional<std::uint64_t> datagram_client::next_of_many(std::optional<clock::time_point> until)
{
	for (;;) {
		flush();
		while (!ready_.empty()) {
			const auto got = ends_[ready_.front().data.u64]->receive(false);
			ready_ = ready_.subspan(1);
			if (got) {
				return got->tag;
			}
		}
		ready_ = poller_->wait(until);
		if (ready_.empty()) {
			return {};
		}
	}
}

sdp::address local_address(int fd, const sdp::address &peer)
{
	sockaddr_storage raw{};
	auto *where = reinterpret_cast<sockaddr *>(&raw);
	socklen_t length = sizeof(raw);
	check(::getsockname(fd, where, &length), "getsockname");
	const auto own = sdp::address::from(where, length);
	if (!own.is_any()) {
		return own;
	}
	// What a UDP socket would have.
	const int domain = peer.version() == sdp::ip::v4 ? AF_INET : AF_INET6;
	const int probe = check(::socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
	check(::connect(probe, peer.data(), peer.size()), "connect");
	length = sizeof(raw);
	check(::getsockname(probe, where, &length), "getsockname");
	::close(probe);
	return sdp::address::from(where, length).with_port(own.port());
}

} // namespace bench
