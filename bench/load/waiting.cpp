// SPDX-License-Identifier: Apache-2.0
#include "waiting.hpp"

#include <ctime>
#include <poll.h>
#include <unistd.h>

namespace bench {
namespace {

timespec left(clock::time_point until)
{
	using namespace std::chrono;
	const auto time =
		std::max(duration_cast<nanoseconds>(until - clock::now()), nanoseconds(0));
	return {time.count() / 1'000'000'000, time.count() % 1'000'000'000};
}

} // namespace

bool wait_for(int fd, short events, std::optional<clock::time_point> until)
{
	pollfd one{fd, events, 0};
	timespec time{};
	if (until) {
		time = left(*until);
	}
	return check(::ppoll(&one, 1, until ? &time : nullptr, nullptr), "poll") != 0;
}

poller::poller() : fd_(check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {}

poller::~poller()
{
	::close(fd_);
}

void poller::add(int fd, std::uint64_t index) const
{
	epoll_event event{};
	event.events = EPOLLIN;
	event.data.u64 = index;
	check(::epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

void poller::want_out(int fd, std::uint64_t index, bool yes) const
{
	epoll_event event{};
	event.events = yes ? EPOLLIN | EPOLLOUT : EPOLLIN;
	event.data.u64 = index;
	check(::epoll_ctl(fd_, EPOLL_CTL_MOD, fd, &event), "epoll_ctl");
}

std::span<const epoll_event> poller::wait(std::optional<clock::time_point> until)
{
	const int room = static_cast<int>(events_.size());
	int count = 0;
	if (until) {
		const timespec time = left(*until);
		count = ::epoll_pwait2(fd_, events_.data(), room, &time, nullptr);
	} else {
		count = ::epoll_wait(fd_, events_.data(), room, -1);
	}
	return std::span(events_).first(static_cast<std::size_t>(check(count, "epoll_wait")));
}

} // namespace bench
