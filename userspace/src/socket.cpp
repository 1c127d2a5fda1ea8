// SPDX-License-Identifier: Apache-2.0
#include <sdp/socket.hpp>

#include "buffers.hpp"
#include "check.hpp"
#include "unspent.hpp"
#include "wire.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <poll.h>
#include <set>
#include <sys/ioctl.h>
#include <utility>
#include <vector>

namespace sdp {

namespace {

using clock = std::chrono::steady_clock;
using deadline = std::optional<clock::time_point>;

/** @p timeout from now on; none where the clock cannot count so far. */
deadline after(std::chrono::milliseconds timeout)
{
	const clock::time_point now = clock::now();
	if (timeout >=
	    std::chrono::floor<std::chrono::milliseconds>(clock::time_point::max() - now)) {
		return std::nullopt;
	}
	return now + std::max(timeout, std::chrono::milliseconds(0));
}

/** Milliseconds left, rounded up, as poll() wants them; -1 without a deadline. */
int remaining(const deadline &until)
{
	if (!until) {
		return -1;
	}
	const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - clock::now());
	return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1'000'000'000));
}

template <typename T>
void set_option(int fd, int option, const T &value, const char *what)
{
	detail::check(::setsockopt(fd, IPPROTO_HOMA, option, &value, sizeof(value)), what);
}

template <typename T>
void get_option(int fd, int option, T &value, const char *what)
{
	socklen_t length = sizeof(value);
	detail::check(::getsockopt(fd, IPPROTO_HOMA, option, &value, &length), what);
}

sdp_session_ref reference(const address &peer)
{
	auto ref = detail::sized<sdp_session_ref>();
	ref.peer = detail::mapped_raw(peer);
	return ref;
}

/** What ends a wait without an error of its own. */
bool would_wait(int error)
{
	return error == EAGAIN || error == EINTR;
}

} // namespace

struct socket::state {
	detail::file file;
	ip version{};
	/**
	 * While the policy is secure: which time, counting from 1; otherwise 0. Not 0, and
	 * the same after a call as before it: nothing else was allowed in between.
	 */
	std::atomic<std::uint64_t> secure_time = 0;
	/** A request may have gone out in the clear. */
	std::atomic<bool> clear_sent = false;
	std::shared_ptr<detail::region> region;
	std::shared_ptr<detail::pool> pool;

	std::mutex lock;
	std::deque<message> kept; /**< that call() received for others */
	std::uint64_t next_cookie = std::uint64_t{1} << 63;
	std::optional<nonce> spare; /**< that a handshake did not use */

	std::mutex policy_lock; /**< one change of the policy at a time */
	std::uint64_t secure_times = 0;

	std::mutex turns_lock;
	std::condition_variable turn_ended;
	std::set<address> shaking; /**< peers with which a handshake of ours goes on */

	[[nodiscard]] int fd() const { return file.get(); }
	/** An address in the family of the socket. */
	[[nodiscard]] address fit(const address &peer) const
	{
		return version == ip::v6 ? peer.mapped() : peer.unmapped();
	}

	void send(const address &to, std::span<const bytes_view> body,
		  const sdp_rpc_cmsg &rpc) const;
	[[nodiscard]] policy get_policy() const;
	void set_policy(policy which);
	void look_at_policy();
	std::optional<message> take_kept();
	std::optional<message> next(bool wait, const deadline &until);
	void sleep(const deadline &until) const;
	std::optional<message> read(bool wait);
	std::optional<message> read_region();
	std::optional<message> read_region(std::span<const std::uint32_t> given);
	std::optional<message> read_copy(bool wait);
};

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
	while (::sendmsg(fd(), &head, MSG_NOSIGNAL) < 0) {
		if (errno != EINTR) {
			detail::fail(errno, "send");
		}
	}
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
		if (!wait || (until && clock::now() >= *until)) {
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
	return region ? read_region() : read_copy(wait);
}

/**
 * By Homa's API, without waiting; also hands buffers back. All of them before it finds
 * nothing: nobody may come again before a message has room.
 */
std::optional<message> socket::state::read_region()
{
	for (;;) {
		std::array<std::uint32_t, HOMA_MAX_BPAGES> given{};
		const std::size_t count = region->take_returned(given);
		auto got = read_region(std::span(given).first(count));
		if (got || count < given.size()) {
			return got;
		}
	}
}

std::optional<message> socket::state::read_region(std::span<const std::uint32_t> given)
{
	homa_recvmsg_args args{};
	const std::span offsets(args.bpage_offsets);
	std::ranges::copy(given, offsets.begin());
	args.num_bpages = static_cast<std::uint32_t>(given.size());

	sockaddr_storage peer{};
	msghdr head{};
	head.msg_name = &peer;
	head.msg_namelen = sizeof(peer);
	head.msg_control = &args;
	head.msg_controllen = sizeof(args);
	const std::uint64_t secure_before = secure_time;
	const ssize_t size = ::recvmsg(fd(), &head, MSG_DONTWAIT);
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

socket::socket(ip version, const socket_options &options) : state_(std::make_unique<state>())
{
	const int domain = version == ip::v4 ? AF_INET : AF_INET6;
	state_->version = version;
	state_->file = detail::file(
		detail::check(::socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_HOMA), "socket"));
	if (options.region == 0) {
		state_->pool = std::make_shared<detail::pool>(options.max_message);
		return;
	}
	state_->region = std::make_shared<detail::region>(options.region);
	homa_rcvbuf_args args{};
	// The kernel takes an address as a number
	args.start = reinterpret_cast<std::uintptr_t>(state_->region->bytes().data());
	args.length = state_->region->bytes().size();
	set_option(fd(), SO_HOMA_RCVBUF, args, "receive region");
	state_->look_at_policy();
}

socket::~socket() = default;
socket::socket(socket &&other) noexcept = default;
socket &socket::operator=(socket &&other) noexcept = default;

int socket::fd() const noexcept
{
	return state_->fd();
}

address socket::local() const
{
	sockaddr_storage raw{};
	socklen_t length = sizeof(raw);
	auto *where = reinterpret_cast<sockaddr *>(&raw);
	detail::check(::getsockname(fd(), where, &length), "local address");
	return address::from(where, length);
}

void socket::bind(const address &local)
{
	const address fitting =
		state_->version == ip::v6 && local.version() == ip::v4 && local.is_any()
			? address::any(ip::v6, local.port())
			: state_->fit(local);
	detail::check(::bind(fd(), fitting.data(), fitting.size()), "bind");
}

void socket::connect(const address &peer)
{
	const address fitting = state_->fit(peer);
	detail::check(::connect(fd(), fitting.data(), fitting.size()), "connect");
}

void socket::accept_requests(bool yes)
{
	set_option(fd(), SO_HOMA_SERVER, static_cast<int>(yes), "accept requests");
}

void socket::set_policy(policy which)
{
	state_->set_policy(which);
}

policy socket::get_policy() const
{
	return state_->get_policy();
}

void socket::set_padding(std::uint32_t bytes)
{
	if (bytes > SDP_PADDING_MAX) {
		detail::fail(EINVAL, "padding");
	}
	set_option(fd(), SDP_PADDING, static_cast<int>(bytes), "padding");
}

std::uint32_t socket::get_padding() const
{
	int value = 0;
	get_option(fd(), SDP_PADDING, value, "padding");
	return static_cast<std::uint32_t>(value);
}

void socket::shutdown()
{
	detail::check(::shutdown(fd(), SHUT_RDWR), "shutdown");
}

void socket::send_request(const address &to, bytes_view body, const send_options &options)
{
	send_request(to, std::span(&body, 1), options);
}

void socket::send_request(const address &to, std::span<const bytes_view> body,
			  const send_options &options)
{
	if (state_->secure_time == 0) {
		state_->clear_sent = true;
	}
	auto rpc = detail::sized<sdp_rpc_cmsg>();
	rpc.cookie = options.cookie;
	rpc.flags = options.clear ? SDP_MSG_CLEAR : 0;
	state_->send(to, body, rpc);
}

void socket::respond(const message &request, bytes_view body)
{
	respond(request, std::span(&body, 1));
}

void socket::respond(const message &request, std::span<const bytes_view> body)
{
	respond(request.peer(), request.id(), body);
}

void socket::respond(const address &peer, std::uint64_t id, std::span<const bytes_view> body)
{
	auto rpc = detail::sized<sdp_rpc_cmsg>();
	rpc.id = id;
	state_->send(peer, body, rpc);
}

message socket::receive()
{
	if (auto kept = state_->take_kept()) {
		return std::move(*kept);
	}
	auto got = state_->next(true, std::nullopt);
	return std::move(*got);
}

std::optional<message> socket::receive_for(std::chrono::milliseconds timeout)
{
	if (auto kept = state_->take_kept()) {
		return kept;
	}
	return state_->next(true, after(timeout));
}

std::optional<message> socket::try_receive()
{
	if (auto kept = state_->take_kept()) {
		return kept;
	}
	return state_->next(false, std::nullopt);
}

message socket::call(const address &to, bytes_view body, const send_options &options,
		     std::chrono::milliseconds timeout)
{
	send_options mine = options;
	{
		const std::scoped_lock held(state_->lock);
		mine.cookie = state_->next_cookie++;
	}
	send_request(to, body, mine);
	const deadline until = timeout.count() > 0 ? after(timeout) : deadline(std::nullopt);
	for (;;) {
		auto got = state_->next(true, until);
		if (!got) {
			abort(mine.cookie);
			detail::fail(ETIMEDOUT, "call");
		}
		if (got->is_request() || got->cookie() != mine.cookie) {
			const std::scoped_lock held(state_->lock);
			state_->kept.push_back(std::move(*got));
			continue;
		}
		if (got->error()) {
			throw std::system_error(got->error(), "call");
		}
		got->cookie_ = options.cookie;
		return std::move(*got);
	}
}

void socket::abort(std::uint64_t cookie, int error)
{
	auto args = detail::sized<sdp_abort_args>();
	args.cookie = cookie;
	args.error = static_cast<std::uint32_t>(error);
	detail::check(::ioctl(fd(), SDPIOCABORT, &args), "abort");
}

nonce socket::new_nonce()
{
	nonce fresh{};
	get_option(fd(), SDP_NONCE, fresh, "nonce");
	return fresh;
}

detail::unspent::unspent(socket &of) : of_(of)
{
	{
		const std::scoped_lock held(of_.state_->lock);
		if (of_.state_->spare) {
			bytes_ = *std::exchange(of_.state_->spare, std::nullopt);
			return;
		}
	}
	bytes_ = of_.new_nonce();
}

detail::unspent::~unspent()
{
	if (!spent_) {
		const std::scoped_lock held(of_.state_->lock);
		of_.state_->spare = bytes_;
	}
}

detail::handshake_turn::handshake_turn(socket &of, const address &peer) : of_(of), peer_(peer)
{
	std::unique_lock held(of_.state_->turns_lock);
	of_.state_->turn_ended.wait(held, [&] { return of_.state_->shaking.insert(peer_).second; });
}

detail::handshake_turn::~handshake_turn()
{
	const std::scoped_lock held(of_.state_->turns_lock);
	of_.state_->shaking.erase(peer_);
	of_.state_->turn_ended.notify_all();
}

void socket::add_session(const session_parameters &parameters, const secret &shared)
{
	auto args = detail::sized<sdp_session_add>();
	args.local = detail::mapped_raw(parameters.local.with_port(0));
	if (parameters.local.is_any()) {
		args.local.sin6_addr = in6addr_any;
	}
	args.peer = detail::mapped_raw(parameters.peer);
	args.role = static_cast<std::uint16_t>(parameters.role);
	args.cipher = static_cast<std::uint16_t>(parameters.cipher);
	args.record_size = parameters.record_size;
	detail::copy_bytes(shared.bytes(), args.secret);
	detail::copy_bytes(std::span(parameters.own_nonce), args.own_nonce);
	detail::copy_bytes(std::span(parameters.peer_nonce), args.peer_nonce);
	detail::copy_bytes(std::span(parameters.context), args.context);
	const int result = ::setsockopt(fd(), IPPROTO_HOMA, SDP_SESSION_ADD, &args, sizeof(args));
	const int error = errno;
	explicit_bzero(&args, sizeof(args));
	if (result < 0) {
		detail::fail(error, "session");
	}
	// A clear socket is a secure one now.
	state_->look_at_policy();
}

void socket::remove_session(const address &peer)
{
	set_option(fd(), SDP_SESSION_DEL, reference(peer), "session");
}

void socket::rekey(const address &peer)
{
	set_option(fd(), SDP_SESSION_REKEY, reference(peer), "rekey");
}

session_info socket::info(const address &peer) const
{
	auto raw = detail::sized<sdp_session_info>();
	raw.peer = detail::mapped_raw(peer);
	get_option(fd(), SDP_SESSION_INFO, raw, "session");
	return detail::from_kernel(raw);
}

} // namespace sdp
