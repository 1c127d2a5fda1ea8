// SPDX-License-Identifier: Apache-2.0
// TCP, kernel TLS and TLS in user space: a connection for each lane, served by one thread
// at each end; one that is alone blocks in reading, others are waited for with epoll.
#include "transport.hpp"
#include "waiting.hpp"
#include "wire.hpp"

#include <array>
#include <deque>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace bench {
namespace {

/** One connection: messages that come, and those that wait to go. */
class stream {
public:
	stream(std::unique_ptr<wire> on, std::size_t most)
		: wire_(std::move(on)), most_(most), in_(std::max<std::size_t>(2 * most, 4096))
	{
	}

	[[nodiscard]] int fd() const { return wire_->fd(); }
	[[nodiscard]] bool holds() const { return wire_->holds(); }
	[[nodiscard]] bool waits_to_write() const { return !out_.empty(); }

	/** Reads once; false when nothing was there. */
	bool read(bool block)
	{
		if (in_.size() - end_ < most_) {
			std::copy(in_.begin() + at(begin_), in_.begin() + at(end_), in_.begin());
			end_ -= begin_;
			begin_ = 0;
		}
		const auto got = wire_->read(std::span(in_).subspan(end_), block);
		end_ += got.value_or(0);
		return got.has_value();
	}

	/** The next whole message's header, if there is one. */
	std::optional<header> take()
	{
		if (end_ - begin_ < sizeof(header)) {
			return {};
		}
		const header what = header_of(std::span(in_).subspan(begin_));
		if (what.length < sizeof(header) || what.length > most_) {
			throw std::runtime_error("a message of a length that is not to be had");
		}
		if (end_ - begin_ < what.length) {
			return {};
		}
		begin_ += what.length;
		if (begin_ == end_) {
			begin_ = end_ = 0;
		}
		return what;
	}

	/** Sends, or without waiting what can be sent; the rest waits for flush(). */
	void send(const header &what, outgoing &from, bool block)
	{
		out_.push_back({what, 0});
		if (out_.size() == 1) {
			flush(from, block);
		}
	}

	void flush(outgoing &from, bool block)
	{
		while (!out_.empty()) {
			auto &[what, done] = out_.front();
			const auto wrote = wire_->write(from.message(what).subspan(done), block);
			if (!wrote) {
				return;
			}
			done += *wrote;
			if (done == what.length) {
				out_.pop_front();
			}
		}
	}

private:
	struct leaving {
		header what;
		std::size_t done;
	};

	static std::ptrdiff_t at(std::size_t index) { return static_cast<std::ptrdiff_t>(index); }

	std::unique_ptr<wire> wire_;
	std::size_t most_;
	std::vector<std::byte> in_;
	std::size_t begin_ = 0;
	std::size_t end_ = 0;
	std::deque<leaving> out_;
};

/** Connections of one thread, without any waiting but for all of them. */
class streams {
public:
	explicit streams(const plan &what) : from_(what.longest), most_(what.longest) {}

	void add(std::unique_ptr<wire> on)
	{
		poller_.add(on->fd(), all_.size());
		all_.emplace_back(std::move(on), most_);
	}

	[[nodiscard]] std::size_t size() const { return all_.size(); }

	void send(std::size_t index, const header &what)
	{
		stream &one = all_[index];
		const bool waited = one.waits_to_write();
		one.send(what, from_, false);
		if (one.waits_to_write() != waited) {
			poller_.want_out(one.fd(), index, true);
		}
	}

	/** Connection and header of the next message; empty when @p until has passed. */
	std::optional<std::pair<std::size_t, header>> next(std::optional<clock::time_point> until)
	{
		for (;;) {
			while (at_ != none) {
				stream &one = all_[at_];
				if (const auto what = one.take()) {
					return std::pair(at_, *what);
				}
				if (!one.holds() || !one.read(false)) {
					at_ = none;
				}
			}
			if (ready_.empty()) {
				ready_ = poller_.wait(until);
				if (ready_.empty()) {
					return {};
				}
			}
			handle(ready_.front());
			ready_ = ready_.subspan(1);
		}
	}

private:
	static constexpr std::size_t none = SIZE_MAX;

	void handle(const epoll_event &event)
	{
		stream &one = all_[event.data.u64];
		if ((event.events & EPOLLOUT) != 0 && one.waits_to_write()) {
			one.flush(from_, false);
			if (!one.waits_to_write()) {
				poller_.want_out(one.fd(), event.data.u64, false);
			}
		}
		if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && one.read(false)) {
			at_ = event.data.u64;
		}
	}

	outgoing from_;
	std::size_t most_;
	poller poller_;
	std::deque<stream> all_;
	std::span<const epoll_event> ready_;
	std::size_t at_ = none; /**< connection whose messages are being taken */
};

int family_of(const sdp::address &where)
{
	return where.version() == sdp::ip::v4 ? AF_INET : AF_INET6;
}

void answer_alone(stream &one, std::size_t most)
{
	outgoing from(most);
	for (;;) {
		one.read(true);
		while (const auto what = one.take()) {
			one.send(answer_to(*what, most), from, true);
		}
	}
}

void answer_all(streams &all, std::size_t most)
{
	while (const auto got = all.next({})) {
		all.send(got->first, answer_to(got->second, most));
	}
}

void serve(const plan &what, const pipe_pair &setup, protection how)
{
	const int listener =
		check(::socket(family_of(what.server), SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
	const int yes = 1;
	::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	check(::bind(listener, what.server.data(), what.server.size()), "bind");
	check(::listen(listener, 1024), "listen");
	setup.put_sign();
	const auto take = [&] {
		const int fd = check(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC), "accept");
		auto made = make_wire(fd, how, true);
		setup.put_sign();
		return made;
	};
	try {
		if (what.alone) {
			stream one(take(), what.longest);
			setup.finished();
			answer_alone(one, what.longest);
		}
		streams all(what);
		for (std::uint32_t i = 0; i < what.lanes; ++i) {
			all.add(take());
		}
		setup.finished();
		answer_all(all, what.longest);
	} catch (const closed &) {
		// The client closes first; that is no news.
	}
}

std::unique_ptr<wire> connect_one(const plan &what, std::uint32_t lane, const pipe_pair &setup,
				  protection how)
{
	const int fd =
		check(::socket(family_of(what.server), SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
	if (what.peers) {
		const auto from = client_address(what.clients, lane);
		check(::bind(fd, from.data(), from.size()), "bind");
	}
	check(::connect(fd, what.server.data(), what.server.size()), "connect");
	auto made = make_wire(fd, how, false);
	setup.wait_sign();
	return made;
}

/** One connection with one RPC at a time. */
class lone_client final : public client {
public:
	lone_client(const plan &what, const pipe_pair &setup, protection how)
		: from_(what.longest), one_(connect_one(what, 0, setup, how), what.longest)
	{
	}

	void request(std::uint32_t, std::uint64_t tag, std::uint32_t length,
		     std::uint32_t answer) override
	{
		one_.send({length, answer, tag}, from_, true);
	}

	std::optional<std::uint64_t> next(std::optional<clock::time_point> until) override
	{
		for (;;) {
			if (const auto what = one_.take()) {
				return what->tag;
			}
			if (until && !one_.holds() && !wait_for(one_.fd(), EPOLLIN, until)) {
				return {};
			}
			one_.read(true);
		}
	}

private:
	outgoing from_;
	stream one_;
};

class many_client final : public client {
public:
	many_client(const plan &what, const pipe_pair &setup, protection how) : all_(what)
	{
		for (std::uint32_t i = 0; i < what.lanes; ++i) {
			all_.add(connect_one(what, i, setup, how));
		}
	}

	void request(std::uint32_t lane, std::uint64_t tag, std::uint32_t length,
		     std::uint32_t answer) override
	{
		all_.send(lane, {length, answer, tag});
	}

	std::optional<std::uint64_t> next(std::optional<clock::time_point> until) override
	{
		const auto got = all_.next(until);
		return got ? std::optional(got->second.tag) : std::nullopt;
	}

private:
	streams all_;
};

template <protection How>
void serve_as(const plan &what, const pipe_pair &setup)
{
	serve(what, setup, How);
}

template <protection How>
std::unique_ptr<client> connect_as(const plan &what, const pipe_pair &setup)
{
	setup.wait_sign();
	if (what.alone) {
		return std::make_unique<lone_client>(what, setup, How);
	}
	return std::make_unique<many_client>(what, setup, How);
}

template <protection How>
constexpr transport make(std::string_view name)
{
	return {name, longest, true, true, serve_as<How>, connect_as<How>};
}

constexpr std::array all{
	make<protection::none>("tcp"),
	make<protection::kernel>("ktls"),
	make<protection::openssl>("tls"),
};

} // namespace

std::span<const transport> stream_transports()
{
	return all;
}

} // namespace bench
