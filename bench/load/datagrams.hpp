// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * A client of messages that go as they are: one socket for all lanes or, where lanes are
 * peers of their own, a socket each. Waits like a program would: in recvmsg where there is
 * one socket and no time limit, otherwise in poll or epoll.
 */
#ifndef BENCH_DATAGRAMS_HPP
#define BENCH_DATAGRAMS_HPP

#include "transport.hpp"
#include "waiting.hpp"

#include <deque>
#include <memory>
#include <vector>

namespace bench {

/** A connected socket. */
class datagram_end {
public:
	datagram_end() = default;
	virtual ~datagram_end() = default;
	datagram_end(const datagram_end &) = delete;
	datagram_end &operator=(const datagram_end &) = delete;

	[[nodiscard]] virtual int fd() const = 0;
	/** False when it would wait, and @p block is false. */
	virtual bool send(std::span<const std::byte> message, bool block) = 0;
	/** The header of a message; empty when it would wait, and @p block is false. */
	virtual std::optional<header> receive(bool block) = 0;
};

class datagram_client final : public client {
public:
	datagram_client(const plan &what, std::vector<std::unique_ptr<datagram_end>> ends);

	void request(std::uint32_t lane, std::uint64_t tag, std::uint32_t length,
		     std::uint32_t answer) override;
	std::optional<std::uint64_t> next(std::optional<clock::time_point> until) override;

private:
	struct leaving {
		std::uint32_t lane;
		header what;
	};

	datagram_end &end_of(std::uint32_t lane) { return *ends_[ends_.size() == 1 ? 0 : lane]; }
	/** Sends what has waited; true when nothing does. */
	bool flush();
	std::optional<std::uint64_t> next_of_one(std::optional<clock::time_point> until);
	std::optional<std::uint64_t> next_of_many(std::optional<clock::time_point> until);

	bool alone_;
	outgoing from_;
	std::vector<std::unique_ptr<datagram_end>> ends_;
	std::deque<leaving> waiting_; /**< found no memory */
	std::unique_ptr<poller> poller_;
	std::span<const epoll_event> ready_;
};

/** The port of @p fd, with the address that a socket connected to @p peer has. */
sdp::address local_address(int fd, const sdp::address &peer);

} // namespace bench

#endif
