// SPDX-License-Identifier: Apache-2.0
// SDP by the library: a channel and a listener on engines with io_uring, sessions by the
// handshake for a shared secret. Calls are coroutines on the engine's thread.
#include "arrivals.hpp"
#include "transport.hpp"

#include <sdp/channel.hpp>
#include <sdp/listener.hpp>

#include <array>
#include <system_error>
#include <thread>

namespace bench {
namespace {

std::shared_ptr<const sdp::credentials> who()
{
	return sdp::psk_credentials(sdp::secret::from_hex(std::string(64, '7')));
}

sdp::task<void> answer(sdp::request asked, outgoing &from, std::size_t most)
{
	asked.answer(from.message(answer_to(whole(asked.body()), most)));
	co_return;
}

/** The port is that of a server before for as long as the kernel takes its ring apart. */
sdp::listener listen(const sdp::address &at)
{
	for (int tries = 100;; --tries) {
		try {
			return {at, who()};
		} catch (const std::system_error &failed) {
			if (failed.code() != std::errc::address_in_use || tries == 0) {
				throw;
			}
		}
		std::this_thread::sleep_for(std::chrono::milliseconds(10));
	}
}

void serve(const plan &what, const pipe_pair &setup)
{
	sdp::listener on = listen(what.server);
	sdp::engine engine(sdp::engine_kind::io_uring);
	outgoing from(what.longest);
	setup.put_sign();
	setup.finished();
	on.serve_on(engine, [&](sdp::request asked) {
		return answer(std::move(asked), from, what.longest);
	});
}

class channel_client final : public client {
public:
	explicit channel_client(const plan &what)
		: from_(what.longest), channel_(what.server.text(), who(), own_engine())
	{
		// The session is made here.
		request(0, 0, shortest, shortest);
		next({});
	}

	void request(std::uint32_t, std::uint64_t tag, std::uint32_t length,
		     std::uint32_t wanted) override
	{
		auto call = channel_.call("echo", from_.message({length, wanted, tag}));
		calls_.start(deliver(std::move(call), arrivals_,
				     [tag](const sdp::reply &) { return tag; }));
	}

	std::optional<std::uint64_t> next(std::optional<clock::time_point> until) override
	{
		return arrivals_.take(until);
	}

private:
	outgoing from_;
	arrivals<std::uint64_t> arrivals_;
	sdp::task_group calls_;
	sdp::channel channel_; /**< ends first, and with it all calls */
};

std::unique_ptr<client> connect(const plan &what, const pipe_pair &setup)
{
	setup.wait_sign();
	return std::make_unique<channel_client>(what);
}

/** What is left of a message for the body. */
constexpr std::size_t channel_longest = longest - 4096;

constexpr std::array all{transport{"sdp-channel", channel_longest, true, false, serve, connect}};

} // namespace

std::span<const transport> channel_transports()
{
	return all;
}

} // namespace bench
