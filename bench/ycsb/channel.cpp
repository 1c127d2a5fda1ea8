// SPDX-License-Identifier: Apache-2.0
// SDP: one channel, a call for each command.
#include "../load/arrivals.hpp"
#include "link.hpp"

#include <sdp/task.hpp>
#include <sdp/tls_plugin.hpp>

#include <client.hpp>

namespace bench {
namespace {

sdp::task<void> finish(sdp::pending_call call, std::uint32_t lane, arrivals<reply> &to)
{
	const auto got = co_await std::move(call);
	if (got) {
		to.put({lane, std::string(got->text())});
	} else {
		to.fail(got.error().describe());
	}
}

sdp::channel_options options()
{
	sdp::channel_options made;
	made.engine = std::make_shared<sdp::engine>(sdp::engine_kind::io_uring);
	return made;
}

class channel_link final : public link {
public:
	channel_link(const std::string &to, const std::string &credentials)
		: to_(to, sdp::tls::from_folder(credentials), options())
	{
	}

	void send(std::uint32_t lane, std::string_view command) override
	{
		calls_.start(finish(to_.start(command), lane, arrivals_));
	}
	std::optional<reply> next(
		std::optional<std::chrono::steady_clock::time_point> until) override
	{
		return arrivals_.take(until);
	}

private:
	arrivals<reply> arrivals_;
	sdp::task_group calls_;
	sdp::redis::client to_; /**< ends first, and with it all calls */
};

} // namespace

std::unique_ptr<link> connect_channel(const std::string &to, const std::string &credentials)
{
	return std::make_unique<channel_link>(to, credentials);
}

} // namespace bench
