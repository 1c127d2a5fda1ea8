// SPDX-License-Identifier: Apache-2.0
#include <sdp/socket.hpp>

#include "socket_state.hpp"

#include <span>
#include <sys/ioctl.h>
#include <utility>
#include <vector>

namespace sdp::inline v0 {

using detail::after;
using detail::clock;
using detail::deadline;

namespace {

/**
 * For so long the kernel waits for a response at a time: then pages that messages gave back
 * meanwhile are handed over.
 */
constexpr std::chrono::milliseconds slice{50};
constexpr std::chrono::milliseconds least_wait{1};
/** How often a wait without an end looks whether the response lacks room, and how often it may. */
constexpr std::chrono::seconds look_every{1};
constexpr int looks = 5;

/** Of messages for others: call() takes none more from the kernel. */
constexpr std::size_t most_kept = 16384;
constexpr std::size_t most_kept_bytes = 64'000'000;

/** A request whose response is waited for: forgotten, unless that is received. */
class pending {
public:
	/** By @p id, or where that is 0 by @p cookie. */
	pending(int fd, std::uint64_t id, std::uint64_t cookie) noexcept
		: fd_(fd), id_(id), cookie_(cookie)
	{
	}
	~pending()
	{
		if (ended_) {
			return;
		}
		auto args = detail::sized<sdp_abort_args>();
		args.id = id_;
		args.cookie = id_ == 0 ? cookie_ : 0;
		// Fails only where its RPC has ended.
		static_cast<void>(::ioctl(fd_, SDPIOCABORT, &args));
	}
	pending(const pending &) = delete;
	pending &operator=(const pending &) = delete;
	pending(pending &&) = delete;
	pending &operator=(pending &&) = delete;

	void ended() noexcept { ended_ = true; }

private:
	int fd_;
	std::uint64_t id_;
	std::uint64_t cookie_;
	bool ended_ = false;
};

/** Whether the response to the request @p id is there, and the receive region has no room. */
bool lacks_room(int fd, std::uint64_t id)
{
	constexpr std::size_t more = 64;
	std::vector<homa_rpc_info> rpcs(more);
	for (;;) {
		homa_info info{};
		// The kernel takes an address as a number
		info.rpc_info = reinterpret_cast<std::uintptr_t>(rpcs.data());
		info.rpc_info_length = rpcs.size() * sizeof(homa_rpc_info);
		detail::check(::ioctl(fd, HOMAIOCINFO, &info), "call");
		const auto told = std::span(rpcs).first(std::min<std::size_t>(
			rpcs.size(), info.rpc_info_length / sizeof(homa_rpc_info)));
		const auto found = std::ranges::find(told, id, &homa_rpc_info::id);
		if (found != told.end()) {
			return (found->flags & HOMA_RPC_BUF_STALL) != 0;
		}
		if (info.num_rpcs <= rpcs.size()) {
			return false;
		}
		rpcs.resize(info.num_rpcs + more);
	}
}

} // namespace

/** The response to the private request @p id; all other messages stay in the kernel. */
message socket::state::receive_response(std::uint64_t id, const deadline &until)
{
	int lacked = 0;
	for (auto look = clock::now() + look_every;;) {
		const auto now = clock::now();
		const auto left =
			until ? std::chrono::ceil<std::chrono::milliseconds>(*until - now) : slice;
		if (auto got = read_region(id, std::clamp(left, least_wait, slice))) {
			return std::move(*got);
		}
		if (detail::passed(until)) {
			detail::fail(lacks_room(fd(), id) ? ENOBUFS : ETIMEDOUT, "call");
		}
		if (until || clock::now() < look) {
			continue;
		}
		lacked = lacks_room(fd(), id) ? lacked + 1 : 0;
		if (lacked == looks) {
			detail::fail(ENOBUFS, "call");
		}
		look = clock::now() + look_every;
	}
}

/** In no more memory than it needs: a buffer has room for the longest. */
void socket::state::keep(message got)
{
	if (got.lender_) {
		auto own = std::make_shared<detail::exact>(got.bytes());
		got.release();
		got.size_ = own->bytes().size();
		got.chunks_[0] = own->bytes();
		got.chunk_count_ = 1;
		got.lender_ = std::move(own);
	}
	const std::scoped_lock held(lock);
	const std::size_t size = got.size();
	kept.push_back(std::move(got));
	kept_bytes += size;
}

void socket::state::check_kept()
{
	const std::scoped_lock held(lock);
	if (kept.size() >= most_kept || kept_bytes >= most_kept_bytes) {
		detail::fail(ENOBUFS, "call");
	}
}

/** Without a region, the response comes in its turn: what comes before it is kept. */
message socket::state::receive_in_turn(std::uint64_t cookie, const deadline &until)
{
	do {
		check_kept();
		auto got = next(true, until);
		if (!got) {
			break;
		}
		if (!got->is_request() && got->cookie() == cookie) {
			return std::move(*got);
		}
		keep(std::move(*got));
	} while (!detail::passed(until));
	detail::fail(ETIMEDOUT, "call");
}

message socket::call(const address &to, bytes_view body, const send_options &options,
		     std::chrono::milliseconds timeout)
{
	send_options mine = options;
	{
		const std::scoped_lock held(state_->lock);
		mine.cookie = state_->next_cookie++;
	}
	std::uint64_t id = 0;
	if (state_->region) {
		id = state_->send_private(to, body, mine);
	} else {
		state_->check_kept();
		send_request(to, body, mine);
	}
	pending rpc(fd(), id, mine.cookie);
	const deadline until = timeout.count() > 0 ? after(timeout) : deadline(std::nullopt);
	message got = state_->region ? state_->receive_response(id, until)
				     : state_->receive_in_turn(mine.cookie, until);
	if (got.error()) {
		throw std::system_error(got.error(), "call");
	}
	rpc.ended();
	got.cookie_ = options.cookie;
	return got;
}

} // namespace sdp::inline v0
