// SPDX-License-Identifier: Apache-2.0
// A server without the kernel's module: messages cross a pair of sockets, each behind a frame of
// its own, so that engines do to it what they do to a real one.
#ifndef SDP_CHANNEL_TESTS_FAKE_LINK_HPP
#define SDP_CHANNEL_TESTS_FAKE_LINK_HPP

#include "channel_core.hpp"
#include "link.hpp"
#include "listener_core.hpp"
#include "transport.hpp"

#include <sdp/channel.hpp>
#include <sdp/listener.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <utility>
#include <vector>

namespace fake {

using sdp::detail::arrival;
using sdp::detail::envelope;
using sdp::detail::outgoing;

/** One end of a pair. */
class end final : public sdp::detail::transport {
public:
	static constexpr std::size_t most = 100'000;

	explicit end(int fd) : fd_(fd) {}

	[[nodiscard]] int fd() const noexcept override { return fd_.get(); }
	[[nodiscard]] std::size_t room() const noexcept override { return most; }
	void wrap(const outgoing &what, envelope &into) const noexcept override;
	[[nodiscard]] bool unwrap(msghdr &head, sdp::bytes_view payload,
				  arrival &into) const override;
	void abort(std::uint64_t cookie) noexcept override;

	[[nodiscard]] std::vector<std::uint64_t> aborted() const;

	mutable std::atomic<int> no_memory = 0; /**< for so many messages that come */

private:
	const sdp::detail::file fd_;
	mutable std::mutex lock_;
	std::vector<std::uint64_t> aborted_;
};

/** Both. */
std::pair<std::shared_ptr<end>, std::shared_ptr<end>> make_pair();

/** What a test has sessions do. */
struct sessions {
	std::atomic<int> made = 0;
	std::atomic<int> at_once = 0, most_at_once = 0; /**< handshakes */
	std::atomic<int> error = 0;                     /**< of the next handshakes */
	std::atomic<bool> is_gone = false;              /**< until the next one */
	std::atomic<std::chrono::nanoseconds> silent{std::chrono::nanoseconds(0)};
	std::atomic<std::uint64_t> blocks = 0;
	std::atomic<bool> hangs = false; /**< handshakes, until they are asked to stop */
	/** What handshakes do with early data; set before there is a channel. */
	std::function<void(sdp::early_exchange &)> early{};
};

class link final : public sdp::detail::link {
public:
	link(std::shared_ptr<end> by, std::shared_ptr<sessions> of)
		: by_(std::move(by)), of_(std::move(of))
	{
	}
	made renew(const std::stop_token &stop, sdp::early_exchange *early) override;
	[[nodiscard]] bool has_sessions() const noexcept override { return true; }
	[[nodiscard]] std::optional<sdp::detail::session_use> use() const override;

private:
	std::shared_ptr<end> by_;
	std::shared_ptr<sessions> of_;
};

/** A channel to the other end of @p by. */
sdp::channel make_channel(const std::shared_ptr<end> &by, const std::shared_ptr<sessions> &of,
			  sdp::channel_options options = {});

/** A listener at the other end. */
sdp::listener make_listener(const std::shared_ptr<end> &by,
			    const sdp::listener_options &options = {},
			    std::unique_ptr<sdp::handshake_acceptor> handshakes = {});

/** Handshakes that bring nothing but early data, when a test says so. */
class handshakes final : public sdp::handshake_acceptor {
public:
	/** What tests have of it, also when the listener has it. */
	struct inside {
		sdp::detail::file event;
		std::mutex lock{};
		std::vector<sdp::early_arrival> come{};
		std::vector<sdp::early_answer> answers{}; /**< to those that were taken */

		inside();
		void bring(sdp::early_arrival what);
		/** Waits until all that was brought is with the listener. */
		void wait();
		[[nodiscard]] std::optional<std::vector<std::byte>> answer(std::size_t which,
									   std::size_t most);
	};
	explicit handshakes(std::shared_ptr<inside> is) : is_(std::move(is)) {}

	[[nodiscard]] int fd() const noexcept override { return is_->event.get(); }
	void on_early(std::function<sdp::early_answer(sdp::early_arrival &&, sdp::principal)> taker)
		override
	{
		taker_ = std::move(taker);
	}
	void handle() noexcept override;
	[[nodiscard]] std::optional<sdp::principal> peer_of(const sdp::address &,
							    std::uint32_t) const override
	{
		return std::nullopt;
	}

private:
	std::shared_ptr<inside> is_;
	std::function<sdp::early_answer(sdp::early_arrival &&, sdp::principal)> taker_;
};

/** Answers, or fails, what comes to it, on a thread of its own. */
class peer {
public:
	/** What to do with a request: what is sent back, or nothing. */
	using answer = std::function<void(end &by, arrival what)>;

	peer(std::shared_ptr<end> by, answer how);
	~peer();
	peer(const peer &) = delete;
	peer &operator=(const peer &) = delete;
	peer(peer &&) = delete;
	peer &operator=(peer &&) = delete;

	[[nodiscard]] int requests() const { return requests_; }

private:
	void run(const std::stop_token &stop);

	std::shared_ptr<end> by_;
	answer how_;
	std::atomic<int> requests_ = 0;
	std::jthread thread_;
};

/**
 * For tests of one kind of engine: null where io_uring is missing or forbidden, which is a reason
 * to skip. What else goes wrong is thrown, and a failure.
 */
std::shared_ptr<sdp::engine> engine_if_any(sdp::engine_kind which);

/** A reply with @p header, and with the request's body. */
void reply(end &by, const arrival &to, const sdp::reply_header &header = {});
/** The failure of an RPC, as the kernel tells it. */
void fail(end &by, const arrival &to, int error);

} // namespace fake

#endif
