// SPDX-License-Identifier: Apache-2.0
/** @file Waiting for one descriptor, or for many, until a point in time. */
#ifndef BENCH_WAITING_HPP
#define BENCH_WAITING_HPP

#include "transport.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <sys/epoll.h>

namespace bench {

/** Waits until @p fd has @p events (those of poll()); false when @p until has passed. */
bool wait_for(int fd, short events, std::optional<clock::time_point> until);

/** Descriptors by index, level triggered. */
class poller {
public:
	poller();
	~poller();
	poller(const poller &) = delete;
	poller &operator=(const poller &) = delete;

	void add(int fd, std::uint64_t index) const;
	/** Whether it is also told when @p fd can be written to. */
	void want_out(int fd, std::uint64_t index, bool yes) const;
	/** Those that are ready, at most 16; none when @p until has passed. */
	std::span<const epoll_event> wait(std::optional<clock::time_point> until);

private:
	int fd_;
	std::array<epoll_event, 16> events_{};
};

} // namespace bench

#endif
