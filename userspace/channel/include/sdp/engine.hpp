// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * Engines: a thread that receives for channels, counts their deadlines and resumes coroutines.
 * On io_uring where the kernel has it and lets this process use it, otherwise on epoll.
 */
#ifndef SDP_ENGINE_HPP
#define SDP_ENGINE_HPP

#include <sdp/export.hpp>

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <string_view>

namespace sdp::inline v0 {

enum class engine_kind : std::uint8_t {
	automatic, /**< io_uring, or epoll where that is missing (ENOSYS) or forbidden (EPERM) */
	io_uring,
	epoll,
};

/** "automatic", "io_uring", "epoll". */
[[nodiscard]] SDP_EXPORT std::string_view name(engine_kind which) noexcept;

namespace detail {
class engine_core;
} // namespace detail

/**
 * One thread, for any number of channels. All functions are safe from any thread. What is
 * resumed on the engine's thread must not block there: all its channels would wait.
 *
 * It lives as long as a channel of its does; its thread blocks all signals. There is none in a
 * child after fork().
 */
class SDP_EXPORT engine {
public:
	/**
	 * @throws std::system_error for io_uring what the kernel says: ENOSYS, EPERM
	 *         (kernel.io_uring_disabled, seccomp), ENOMEM; for all EMFILE, EAGAIN.
	 */
	explicit engine(engine_kind which = engine_kind::automatic);
	~engine();
	engine(const engine &) = delete;
	engine &operator=(const engine &) = delete;
	engine(engine &&) = delete;
	engine &operator=(engine &&) = delete;

	/** The process's own, for channels that name none. It ends with the last of them. */
	[[nodiscard]] static std::shared_ptr<engine> shared();

	/** What it runs on: never automatic. */
	[[nodiscard]] engine_kind kind() const noexcept;
	/** Whether this is its thread. */
	[[nodiscard]] bool on_thread() const noexcept;

	/** To be awaited: goes on on the engine's thread. */
	class SDP_EXPORT scheduled {
	public:
		/** Of a suspended coroutine: on the engine's thread. It is not resumed then. */
		~scheduled();
		scheduled(const scheduled &) = delete;
		scheduled &operator=(const scheduled &) = delete;
		scheduled(scheduled &&) = delete;
		scheduled &operator=(scheduled &&) = delete;

		[[nodiscard]] bool await_ready() const noexcept { return false; }
		void await_suspend(std::coroutine_handle<> next);
		void await_resume() const noexcept {}

	private:
		friend class engine;
		struct sleeper;
		scheduled(detail::engine_core &on, std::chrono::nanoseconds after) noexcept
			: on_(on), after_(after)
		{
		}
		detail::engine_core &on_;
		std::chrono::nanoseconds after_;
		std::shared_ptr<sleeper> is_{};
	};
	[[nodiscard]] scheduled schedule() const noexcept;
	/** Likewise, not before @p time has passed. */
	[[nodiscard]] scheduled sleep_for(std::chrono::nanoseconds time) const noexcept;

	[[nodiscard]] detail::engine_core &inside() const noexcept { return *core_; }

private:
	std::shared_ptr<detail::engine_core> core_;
};

} // namespace sdp::inline v0

#endif
