// SPDX-License-Identifier: Apache-2.0
// SDP: one channel, a call for each command.
#include "../load/arrivals.hpp"
#include "link.hpp"

#include <sdp/tls_plugin.hpp>

#include <client.hpp>

namespace bench {
namespace {

class channel_link final : public link {
public:
	channel_link(const std::string &to, const std::string &credentials)
		: to_(to, sdp::tls::from_folder(credentials), own_engine())
	{
	}

	void send(std::uint32_t lane, std::string_view command) override
	{
		calls_.start(deliver(to_.start(command), arrivals_, [lane](const sdp::reply &got) {
			return reply{lane, std::string(got.text())};
		}));
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
