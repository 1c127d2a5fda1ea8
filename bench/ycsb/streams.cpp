// SPDX-License-Identifier: Apache-2.0
// Connections by TCP, or by TLS as Redis itself has it.
#include "../load/pipe.hpp"
#include "../load/wire.hpp"
#include "link.hpp"

#include <sdp/address.hpp>

#include <client.hpp>

#include <algorithm>
#include <array>
#include <deque>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace bench {
namespace {

int connected(const sdp::address &to)
{
	const int fd =
		check(::socket(to.data()->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
	if (::connect(fd, to.data(), to.size()) < 0) {
		const int error = errno;
		::close(fd);
		throw std::system_error(error, std::generic_category(), "connect to " + to.text());
	}
	return fd;
}

class stream_link final : public link {
public:
	stream_link(const std::string &to, std::uint32_t lanes, bool tls)
		: poll_(check(::epoll_create1(EPOLL_CLOEXEC), "epoll"))
	{
		const sdp::address at = sdp::address::parse(to);
		for (std::uint32_t i = 0; i < lanes; ++i) {
			lanes_.push_back(
				{make_wire(connected(at),
					   tls ? protection::openssl : protection::none, false),
				 {}});
			epoll_event event{.events = EPOLLIN, .data = {.u32 = i}};
			check(::epoll_ctl(poll_, EPOLL_CTL_ADD, lanes_.back().by->fd(), &event),
			      "epoll");
		}
	}
	~stream_link() override { ::close(poll_); }
	stream_link(const stream_link &) = delete;
	stream_link &operator=(const stream_link &) = delete;

	void send(std::uint32_t number, std::string_view command) override
	{
		auto left = std::as_bytes(std::span(command));
		while (!left.empty()) {
			left = left.subspan(lanes_.at(number).by->write(left, true).value());
		}
	}

	std::optional<reply> next(
		std::optional<std::chrono::steady_clock::time_point> until) override
	{
		while (done_.empty()) {
			if (lanes_.size() == 1 && !until) {
				read(0, true);
			} else if (!wait(until)) {
				return {};
			}
		}
		reply first = std::move(done_.front());
		done_.pop_front();
		return first;
	}

private:
	struct lane {
		std::unique_ptr<wire> by;
		std::string got;
	};

	/** Reads from those that have something. False when the time was over before. */
	bool wait(std::optional<std::chrono::steady_clock::time_point> until)
	{
		std::array<epoll_event, 64> events;
		timespec left{};
		if (until) {
			const auto time = std::max(*until - std::chrono::steady_clock::now(),
						   std::chrono::steady_clock::duration(0));
			left.tv_sec =
				std::chrono::duration_cast<std::chrono::seconds>(time).count();
			left.tv_nsec = (time % std::chrono::seconds(1)).count();
		}
		const int ready = ::epoll_pwait2(poll_, events.data(), events.size(),
						 until ? &left : nullptr, nullptr);
		if (ready < 0 && errno == EINTR) {
			return true;
		}
		check(ready, "epoll");
		for (int i = 0; i < ready; ++i) {
			read(events.at(static_cast<std::size_t>(i)).data.u32, false);
		}
		return ready > 0 || !until;
	}

	void read(std::uint32_t number, bool block)
	{
		lane &of = lanes_[number];
		while (const auto bytes =
			       of.by->read(std::as_writable_bytes(std::span(room_)), block)) {
			of.got.append(room_.data(), *bytes);
			const auto length = sdp::redis::reply_length(of.got);
			if (length) {
				done_.push_back({number, of.got.substr(0, *length)});
				of.got.erase(0, *length);
				return;
			}
		}
	}

	int poll_;
	std::vector<lane> lanes_;
	std::deque<reply> done_;
	std::array<char, 16384> room_{};
};

} // namespace

std::unique_ptr<link> connect_streams(const std::string &to, std::uint32_t lanes, bool tls)
{
	return std::make_unique<stream_link>(to, lanes, tls);
}

} // namespace bench
