// SPDX-License-Identifier: Apache-2.0
#include "socket_state.hpp"

#include <array>
#include <poll.h>
#include <utility>
#include <vector>

namespace sdp::inline v0 {

using detail::clock;
using detail::deadline;
using detail::get_option;
using detail::set_option;

namespace {

/** Milliseconds left, rounded up, as poll() wants them; -1 without a deadline. */
int remaining(const deadline &until)
{
	if (!until) {
		return -1;
	}
	const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - clock::now());
	return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1'000'000'000));
}

/** What ends a wait without an error of its own. */
bool would_wait(int error)
{
	return error == EAGAIN || error == EINTR;
}

void transmit(int fd, const msghdr &head)
{
	while (::sendmsg(fd, &head, MSG_NOSIGNAL) < 0) {
		if (errno != EINTR) {
			detail::fail(errno, "send");
		}
	}
}

/** How long a recvmsg() by @p fd that may wait does so, more than 0. */
void wait_at_most(int fd, std::chrono::milliseconds time)
{
	const timeval value{.tv_sec = time.count() / 1000, .tv_usec = time.count() % 1000 * 1000};
	detail::check(::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &value, sizeof(value)), "receive");
}

} // namespace

void socket::state::send(const address &to, std::span<const bytes_view> body,
			 const sdp_rpc_cmsg &rpc) const
{
	constexpr std::size_t few = 8;
	std::array<iovec, few> inline_pieces{};
	std::vector<iovec> many(body.size() > few ? body.size() : 0);
	const std::span<iovec> pieces = many.empty()
						? std::span<iovec>(inline_pieces).first(body.size())
						: std::span<iovec>(many);
	std::ranges::transform(body, pieces.begin(), detail::to_iovec);

	const address peer = fit(to);
	detail::control<sdp_rpc_cmsg> room;
	msghdr head{};
	head.msg_name = const_cast<sockaddr *>(peer.data()); // not written
	head.msg_namelen = peer.size();
	head.msg_iov = pieces.data();
	head.msg_iovlen = pieces.size();
	detail::put_control(head, room, SDP_CMSG_RPC, rpc);
	transmit(fd(), head);
}

/** A request that is about to go out may do so in the clear. */
void socket::state::begin_request()
{
	if (secure_time == 0) {
		clear_sent = true;
	}
}

/** By Homa's API: only who asks for the id that is returned gets the response. */
std::uint64_t socket::state::send_private(const address &to, bytes_view body,
					  const send_options &options)
{
	begin_request();
	homa_sendmsg_args args{};
	args.completion_cookie = options.cookie;
	args.flags = HOMA_SENDMSG_PRIVATE | (options.clear ? SDP_MSG_CLEAR : 0U);
	const address peer = fit(to);
	iovec piece = detail::to_iovec(body);
	msghdr head{};
	head.msg_name = const_cast<sockaddr *>(peer.data()); // not written
	head.msg_namelen = peer.size();
	head.msg_iov = &piece;
	head.msg_iovlen = 1;
	head.msg_control = &args; // without a length: the kernel knows it
	transmit(fd(), head);
	return args.id;
}

policy socket::state::get_policy() const
{
	int value = 0;
	get_option(fd(), SDP_POLICY, value, "policy");
	return static_cast<policy>(value);
}

/** Told apart from before: false before anything else is allowed, true after nothing else is. */
void socket::state::set_policy(policy which)
{
	const std::scoped_lock held(policy_lock);
	if (which == policy::secure) {
		set_option(fd(), SDP_POLICY, static_cast<int>(which), "policy");
		if (secure_time == 0) {
			secure_time = ++secure_times;
		}
		return;
	}
	clear_sent = clear_sent || secure_time != 0;
	secure_time = 0;
	set_option(fd(), SDP_POLICY, static_cast<int>(which), "policy");
}

/** After what may have made the policy secure. */
void socket::state::look_at_policy()
{
	const std::scoped_lock held(policy_lock);
	if (secure_time == 0 && get_policy() == policy::secure) {
		secure_time = ++secure_times;
	}
}

std::optional<message> socket::state::take_kept()
{
	const std::scoped_lock held(lock);
	if (kept.empty()) {
		return std::nullopt;
	}
	std::optional<message> first(std::move(kept.front()));
	kept.pop_front();
	kept_bytes -= first->size();
	return first;
}

/** Sleeps until a message may be there, or @p until has passed. */
void socket::state::sleep(const deadline &until) const
{
	std::array<pollfd, 2> wait{{{fd(), POLLIN, 0}, {-1, POLLIN, 0}}};
	if (region) {
		wait[1].fd = region->wake_fd();
	}
	const int got = ::poll(wait.data(), wait.size(), remaining(until));
	if (got < 0 && errno != EINTR) {
		detail::fail(errno, "poll");
	}
	if ((wait[1].revents & POLLIN) != 0) {
		region->clear_wake();
	}
}

/** The next message from the kernel; empty after @p until, or at once if not @p wait. */
std::optional<message> socket::state::next(bool wait, const deadline &until)
{
	// Without a deadline and a region, recvmsg itself waits best.
	const bool in_kernel = wait && !until && !region;
	for (;;) {
		if (auto got = read(in_kernel)) {
			return got;
		}
		if (!wait || detail::passed(until)) {
			return std::nullopt;
		}
		if (in_kernel) {
			continue;
		}
		if (!region) {
			sleep(until);
			continue;
		}
		// What came back between the read and this must not be overlooked.
		const detail::region::sleeper counted(*region);
		if (auto got = read(false)) {
			return got;
		}
		sleep(until);
	}
}

std::optional<message> socket::state::read(bool wait)
{
	return region ? read_region(0, {}) : read_copy(wait);
}

/**
 * By Homa's API: any message without waiting, or the response to the private request @p id,
 * for which the kernel waits for @p wait. Also hands buffers back: all of them before it finds
 * nothing, as nobody may come again before a message has room.
 */
std::optional<message> socket::state::read_region(std::uint64_t id, std::chrono::milliseconds wait)
{
	if (wait.count() > 0) {
		wait_at_most(fd(), wait);
	}
	for (;;) {
		std::array<std::uint32_t, HOMA_MAX_BPAGES> given{};
		const std::size_t count = region->take_returned(given);
		const bool more = count == given.size();
		auto got = read_region(std::span(given).first(count), id,
				       more || wait.count() == 0 ? MSG_DONTWAIT : 0);
		if (got || !more) {
			return got;
		}
	}
}

std::optional<message> socket::state::read_region(std::span<const std::uint32_t> given,
						  std::uint64_t id, int flags)
{
	homa_recvmsg_args args{};
	const std::span offsets(args.bpage_offsets);
	std::ranges::copy(given, offsets.begin());
	args.num_bpages = static_cast<std::uint32_t>(given.size());
	args.id = id;

	sockaddr_storage peer{};
	msghdr head{};
	head.msg_name = &peer;
	head.msg_namelen = sizeof(peer);
	head.msg_control = &args;
	head.msg_controllen = sizeof(args);
	const std::uint64_t secure_before = secure_time;
	const ssize_t size = ::recvmsg(fd(), &head, flags);
	const int error = size < 0 ? errno : 0;
	// Whatever the error, even one that an RPC was aborted with: the kernel writes a zero
	// once it has taken the buffers back. Twice, they would be another message's.
	if (error != 0 && args.num_bpages != 0) {
		region->put_returned(given);
	}
	if (error != 0 && args.id == 0) {
		if (!would_wait(error)) {
			detail::fail(error, "receive");
		}
		return std::nullopt;
	}
	message result;
	result.id_ = args.id;
	result.cookie_ = args.completion_cookie;
	result.secure_ = secure_before != 0 && secure_before == secure_time &&
			 (result.is_request() || !clear_sent);
	if (error != 0) {
		// The kernel names no peer when recvmsg fails.
		result.error_ = make_code(error);
		return result;
	}
	result.peer_ =
		address::from(reinterpret_cast<sockaddr *>(&peer), head.msg_namelen).unmapped();
	const std::size_t pages = std::min<std::size_t>(args.num_bpages, HOMA_MAX_BPAGES);
	result.size_ = static_cast<std::size_t>(size);
	region->locate(offsets.first(pages), result.size_, result.chunks_);
	result.chunk_count_ = pages;
	result.lender_ = region;
	return result;
}

/** By the plain API. */
std::optional<message> socket::state::read_copy(bool wait)
{
	const std::span<std::byte> buffer = pool->take();
	message result;
	result.lender_ = pool; // takes the buffer back whatever happens
	result.chunks_[0] = buffer;
	result.chunk_count_ = 1;

	iovec piece{buffer.data(), buffer.size()};
	sockaddr_storage peer{};
	detail::control<sdp_rpc_cmsg> room;
	msghdr head{};
	head.msg_name = &peer;
	head.msg_namelen = sizeof(peer);
	head.msg_iov = &piece;
	head.msg_iovlen = 1;
	head.msg_control = room.bytes.data();
	head.msg_controllen = room.bytes.size();
	const ssize_t size = ::recvmsg(fd(), &head, wait ? 0 : MSG_DONTWAIT);
	if (size < 0) {
		if (!would_wait(errno)) {
			detail::fail(errno, "receive");
		}
		return std::nullopt;
	}
	sdp_rpc_cmsg rpc{};
	if (!detail::get_control(head, SDP_CMSG_RPC, rpc)) {
		detail::fail(EPROTO, "receive");
	}
	result.id_ = rpc.id;
	result.cookie_ = rpc.cookie;
	result.peer_ =
		address::from(reinterpret_cast<sockaddr *>(&peer), head.msg_namelen).unmapped();
	result.secure_ = (rpc.flags & SDP_RPC_SECURE) != 0;
	result.session_ = rpc.session;
	if ((rpc.flags & SDP_RPC_FAILED) != 0) {
		result.error_ = make_code(static_cast<int>(rpc.error));
	} else if ((head.msg_flags & MSG_TRUNC) != 0) {
		result.error_ = make_code(EMSGSIZE);
	}
	if (result.error_) {
		result.release();
		return result;
	}
	result.size_ = static_cast<std::size_t>(size);
	result.chunks_[0] = buffer.first(result.size_);
	return result;
}

} // namespace sdp::inline v0
