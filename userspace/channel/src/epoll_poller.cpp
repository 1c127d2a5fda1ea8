// SPDX-License-Identifier: Apache-2.0
#include "buffers.hpp"
#include "check.hpp"
#include "poller.hpp"
#include "timeout.hpp"

#include <array>
#include <cerrno>
#include <map>
#include <sys/epoll.h>
#include <sys/eventfd.h>

namespace sdp::inline v0::detail {

namespace {

/** Messages that are taken of one transport before the others have their turn. */
constexpr int burst = 64;
constexpr std::uint64_t wake_key = 0;

class epoll_poller final : public poller {
public:
	epoll_poller()
		: epoll_(check(::epoll_create1(EPOLL_CLOEXEC), "epoll")),
		  wake_(check(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"))
	{
		control(EPOLL_CTL_ADD, wake_.get(), EPOLLIN, wake_key);
	}

	[[nodiscard]] engine_kind kind() const noexcept override { return engine_kind::epoll; }

	void add(const std::shared_ptr<attached> &what) override
	{
		if (!buffer_ || buffer_->bytes().size() < what->by->room()) {
			buffer_.emplace(what->by->room());
		}
		const auto place = all_.emplace(what->key, what).first;
		try {
			control(EPOLL_CTL_ADD, what->by->fd(), EPOLLIN, what->key);
		} catch (...) {
			all_.erase(place);
			throw;
		}
	}
	void remove(const std::shared_ptr<attached> &what) noexcept override
	{
		if (all_.erase(what->key) != 0) {
			// Fails only where it is not there.
			static_cast<void>(
				::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, what->by->fd(), nullptr));
		}
	}
	void want_write(const std::shared_ptr<attached> &what) override
	{
		if (!all_.contains(what->key)) {
			return; // Removed meanwhile.
		}
		control(EPOLL_CTL_MOD, what->by->fd(), EPOLLIN | EPOLLOUT, what->key);
	}
	bool send(const std::shared_ptr<attached> &, const std::shared_ptr<outgoing> &) override
	{
		return false;
	}
	void turn(std::optional<clock::time_point> until) override;
	void wake() noexcept override
	{
		// Cannot fail: the counter is far from its end.
		static_cast<void>(::eventfd_write(wake_.get(), 1));
	}

private:
	void control(int what, int fd, std::uint32_t events, std::uint64_t key)
	{
		epoll_event event{};
		event.events = events;
		event.data.u64 = key;
		check(::epoll_ctl(epoll_.get(), what, fd, &event), "epoll");
	}
	void handle(const epoll_event &event);
	void receive(const std::shared_ptr<attached> &from);

	file epoll_;
	file wake_;
	std::optional<mapping> buffer_;
	std::map<std::uint64_t, std::shared_ptr<attached>> all_;
};

void epoll_poller::turn(std::optional<clock::time_point> until)
{
	std::array<epoll_event, 64> events{};
	const int count =
		::epoll_wait(epoll_.get(), events.data(), events.size(), milliseconds_until(until));
	if (count < 0) {
		if (errno != EINTR) {
			fail(errno, "epoll");
		}
		return;
	}
	for (const epoll_event &event : std::span(events).first(static_cast<std::size_t>(count))) {
		handle(event);
	}
}

void epoll_poller::handle(const epoll_event &event)
{
	if (event.data.u64 == wake_key) {
		eventfd_t value = 0;
		static_cast<void>(::eventfd_read(wake_.get(), &value));
		return;
	}
	// One that came before it may have removed it.
	const auto found = all_.find(event.data.u64);
	if (found == all_.end()) {
		return;
	}
	const std::shared_ptr<attached> which = found->second;
	if ((event.events & EPOLLOUT) != 0) {
		control(EPOLL_CTL_MOD, which->by->fd(), EPOLLIN, which->key);
		if (const auto user = which->user.lock()) {
			user->writable();
		}
	}
	if ((event.events & ~std::uint32_t{EPOLLOUT}) != 0) {
		receive(which);
	}
}

void epoll_poller::receive(const std::shared_ptr<attached> &from)
{
	for (int left = burst; left > 0 && all_.contains(from->key); --left) {
		const auto user = from->user.lock();
		arrival what;
		const int error = user ? receive_now(*from->by,
						     buffer_->bytes().first(from->by->room()), what)
				       : EAGAIN;
		if (lacks_memory(error)) {
			return;
		}
		if (error == EPROTO) {
			continue;
		}
		if (error != 0) {
			remove(from);
			user->broken(error);
			return;
		}
		user->arrived(std::move(what));
	}
}

} // namespace

std::unique_ptr<poller> make_epoll_poller()
{
	return std::make_unique<epoll_poller>();
}

} // namespace sdp::inline v0::detail
