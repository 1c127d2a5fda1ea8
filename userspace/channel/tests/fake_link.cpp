// SPDX-License-Identifier: Apache-2.0
#include "fake_link.hpp"

#include "check.hpp"

#include <sdp/error.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <thread>

namespace fake {

namespace {

/** Before each message. */
struct frame {
	std::uint64_t id = 0;
	std::uint64_t cookie = 0;
	std::uint32_t error = 0;
	std::uint32_t is_request = 0;
};

} // namespace

void end::wrap(const outgoing &what, envelope &into) const noexcept
{
	// The id of a response is the request's cookie here.
	const frame head{.id = what.id,
			 .cookie = what.id != 0 ? what.id : what.cookie,
			 .is_request = what.id == 0 ? 1U : 0U};
	std::memcpy(into.prefix.data(), &head, sizeof(head));
	into.pieces[0] = {into.prefix.data(), sizeof(head)};
	into.pieces[1] = {const_cast<std::byte *>(what.bytes->data()), what.bytes->size()};
	into.head.msg_iov = into.pieces.data();
	into.head.msg_iovlen = 2;
}

bool end::unwrap(msghdr &head, sdp::bytes_view payload, arrival &into) const
{
	if (no_memory > 0) {
		--no_memory;
		throw std::bad_alloc();
	}
	frame of;
	if (payload.size() < sizeof(of)) {
		return false;
	}
	std::memcpy(&of, payload.data(), sizeof(of));
	into.id = into.cookie = of.cookie;
	into.is_request = of.is_request != 0;
	into.secure = true;
	payload = payload.subspan(sizeof(of));
	into.bytes.assign(payload.begin(), payload.end());
	if (of.error != 0) {
		into.error = sdp::make_code(static_cast<int>(of.error));
	} else if ((head.msg_flags & MSG_TRUNC) != 0) {
		into.error = sdp::make_code(EMSGSIZE);
	}
	return true;
}

void end::abort(std::uint64_t cookie) noexcept
{
	const std::scoped_lock held(lock_);
	aborted_.push_back(cookie);
}

std::vector<std::uint64_t> end::aborted() const
{
	const std::scoped_lock held(lock_);
	return aborted_;
}

std::pair<std::shared_ptr<end>, std::shared_ptr<end>> make_pair()
{
	std::array<int, 2> both{};
	sdp::detail::check(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, both.data()),
			   "pair");
	return {std::make_shared<end>(both[0]), std::make_shared<end>(both[1])};
}

link::made link::renew(const std::stop_token &stop, sdp::early_exchange *early)
{
	const int at_once = ++of_->at_once;
	of_->most_at_once = std::max(of_->most_at_once.load(), at_once);
	while (of_->hangs && !stop.stop_requested()) {
		std::this_thread::sleep_for(std::chrono::milliseconds(1));
	}
	--of_->at_once;
	if (early != nullptr && of_->early) {
		of_->early(*early);
	}
	if (stop.stop_requested()) {
		sdp::detail::fail(ECANCELED, "handshake");
	}
	if (of_->error != 0) {
		sdp::detail::fail(of_->error, "handshake");
	}
	++of_->made;
	of_->is_gone = false;
	of_->silent = std::chrono::nanoseconds(0);
	of_->blocks = 0;
	return {.by = by_,
		.server = sdp::address::parse("127.0.0.1:4000"),
		.peer = {.name = "fake"}};
}

std::optional<sdp::detail::session_use> link::use() const
{
	if (of_->is_gone) {
		return std::nullopt;
	}
	return sdp::detail::session_use{.blocks = of_->blocks, .silent = of_->silent};
}

sdp::channel make_channel(const std::shared_ptr<end> &by, const std::shared_ptr<sessions> &of,
			  sdp::channel_options options)
{
	return sdp::channel(std::make_shared<sdp::detail::channel_core>(
		std::make_unique<link>(by, of), options));
}

handshakes::inside::inside()
	: event(sdp::detail::check(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"))
{
}

void handshakes::inside::bring(sdp::early_arrival what)
{
	const std::scoped_lock held(lock);
	come.push_back(std::move(what));
	::eventfd_write(event.get(), 1);
}

void handshakes::inside::wait()
{
	for (;; std::this_thread::sleep_for(std::chrono::milliseconds(1))) {
		const std::scoped_lock held(lock);
		if (come.empty()) {
			return;
		}
	}
}

std::optional<std::vector<std::byte>> handshakes::inside::answer(std::size_t which,
								 std::size_t most)
{
	const std::scoped_lock held(lock);
	return which < answers.size() && answers[which] ? answers[which](most) : std::nullopt;
}

void handshakes::handle() noexcept
{
	std::uint64_t count = 0;
	static_cast<void>(::eventfd_read(is_->event.get(), &count));
	const std::scoped_lock held(is_->lock);
	for (sdp::early_arrival &each : is_->come) {
		is_->answers.push_back(taker_(std::move(each), {.name = "early.lab"}));
	}
	is_->come.clear();
}

sdp::listener make_listener(const std::shared_ptr<end> &by, const sdp::listener_options &options,
			    std::unique_ptr<sdp::handshake_acceptor> handshakes)
{
	sdp::detail::listener_parts parts;
	parts.by = by;
	parts.handshakes = std::move(handshakes);
	parts.refuse = [] {};
	parts.local = [] { return sdp::address::parse("127.0.0.1:4000"); };
	return sdp::listener(
		std::make_shared<sdp::detail::listener_core>(std::move(parts), options));
}

peer::peer(std::shared_ptr<end> by, answer how)
	: by_(std::move(by)),
	  how_(std::move(how)),
	  thread_([this](const std::stop_token &stop) { run(stop); })
{
}

peer::~peer()
{
	thread_.request_stop();
	thread_.join();
}

void peer::run(const std::stop_token &stop)
{
	std::vector<std::byte> buffer(end::most);
	while (!stop.stop_requested()) {
		pollfd one{by_->fd(), POLLIN, 0};
		::poll(&one, 1, 5);
		arrival what;
		while (sdp::detail::receive_now(*by_, buffer, what) == 0 && what.is_request) {
			++requests_;
			how_(*by_, std::move(what));
			what = {};
		}
	}
}

namespace {

void send(end &by, const frame &head, const std::vector<std::byte> &bytes)
{
	std::vector<std::byte> all(sizeof(head));
	std::memcpy(all.data(), &head, sizeof(head));
	all.insert(all.end(), bytes.begin(), bytes.end());
	static_cast<void>(::send(by.fd(), all.data(), all.size(), MSG_NOSIGNAL));
}

} // namespace

void reply(end &by, const arrival &to, const sdp::reply_header &header)
{
	const auto asked = sdp::parse_request(to.bytes);
	const sdp::bytes_view body = sdp::bytes_view(to.bytes).subspan(asked.length);
	send(by, {.cookie = to.cookie}, sdp::detail::make_reply(header, body));
}

void fail(end &by, const arrival &to, int error)
{
	send(by, {.cookie = to.cookie, .error = static_cast<std::uint32_t>(error)}, {});
}

std::shared_ptr<sdp::engine> engine_if_any(sdp::engine_kind which)
{
	try {
		return std::make_shared<sdp::engine>(which);
	} catch (const std::system_error &failed) {
		const int why = failed.code().value();
		if (which == sdp::engine_kind::io_uring &&
		    (why == ENOSYS || why == EPERM || why == EACCES)) {
			return nullptr;
		}
		throw;
	}
}

} // namespace fake
