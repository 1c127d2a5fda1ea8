// SPDX-License-Identifier: Apache-2.0
#include <sdp/socket.hpp>

#include "socket_state.hpp"

#include <utility>

namespace sdp {

using detail::after;
using detail::deadline;

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

} // namespace sdp
