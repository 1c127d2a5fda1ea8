// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * Coroutines: task<T>, and what starts and joins them. A task does nothing until it is awaited
 * or started; it runs on the thread that starts it and, behind a co_await of the library's, on
 * that engine's thread.
 */
#ifndef SDP_TASK_HPP
#define SDP_TASK_HPP

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace sdp::inline v0 {

template <typename T = void>
class task;

namespace detail {

/** What ends a task: goes on with whoever awaits it, without growing the stack. */
class promise_base {
public:
	struct last {
		[[nodiscard]] bool await_ready() const noexcept { return false; }
		template <typename Promise>
		std::coroutine_handle<> await_suspend(
			std::coroutine_handle<Promise> ended) const noexcept
		{
			return ended.promise().next_;
		}
		void await_resume() const noexcept {}
	};

	[[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
	[[nodiscard]] last final_suspend() const noexcept { return {}; }
	void unhandled_exception() noexcept { thrown_ = std::current_exception(); }
	void then(std::coroutine_handle<> next) noexcept { next_ = next; }

protected:
	void rethrow() const
	{
		if (thrown_) {
			std::rethrow_exception(thrown_);
		}
	}

private:
	std::coroutine_handle<> next_ = std::noop_coroutine();
	std::exception_ptr thrown_;
};

template <typename T>
class promise : public promise_base {
public:
	task<T> get_return_object() noexcept;
	template <typename U>
	void return_value(U &&value)
	{
		value_.emplace(std::forward<U>(value));
	}
	T take()
	{
		rethrow();
		return std::move(*value_);
	}

private:
	std::optional<T> value_;
};

template <>
class promise<void> : public promise_base {
public:
	task<void> get_return_object() noexcept;
	void return_void() const noexcept {}
	void take() const { rethrow(); }
};

} // namespace detail

/**
 * A coroutine that gives a T. To be awaited once. Destroying one that is suspended ends it, and
 * cancels what it waits for; not while another thread may resume it.
 */
template <typename T>
class [[nodiscard]] task {
public:
	using promise_type = detail::promise<T>;
	using value_type = T;

	task(task &&other) noexcept : is_(std::exchange(other.is_, {})) {}
	task &operator=(task &&other) noexcept
	{
		if (this != &other) {
			destroy();
			is_ = std::exchange(other.is_, {});
		}
		return *this;
	}
	task(const task &) = delete;
	task &operator=(const task &) = delete;
	~task() { destroy(); }

	auto operator co_await() &&noexcept
	{
		struct awaiter {
			std::coroutine_handle<promise_type> is;
			[[nodiscard]] bool await_ready() const noexcept { return is.done(); }
			std::coroutine_handle<> await_suspend(std::coroutine_handle<> next) noexcept
			{
				is.promise().then(next);
				return is;
			}
			T await_resume() { return is.promise().take(); }
		};
		return awaiter{is_};
	}

private:
	friend promise_type;
	explicit task(std::coroutine_handle<promise_type> is) noexcept : is_(is) {}
	void destroy() noexcept
	{
		if (is_) {
			is_.destroy();
		}
	}

	std::coroutine_handle<promise_type> is_;
};

namespace detail {

template <typename T>
task<T> promise<T>::get_return_object() noexcept
{
	return task<T>(std::coroutine_handle<promise<T>>::from_promise(*this));
}

inline task<void> promise<void>::get_return_object() noexcept
{
	return task<void>(std::coroutine_handle<promise<void>>::from_promise(*this));
}

/** A coroutine that begins at once and destroys itself at its end. */
struct detached {
	struct promise_type {
		[[nodiscard]] detached get_return_object() const noexcept { return {}; }
		[[nodiscard]] std::suspend_never initial_suspend() const noexcept { return {}; }
		[[nodiscard]] std::suspend_never final_suspend() const noexcept { return {}; }
		void return_void() const noexcept {}
		[[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
	};
};

/** Counts what goes on; a thread waits for none. */
class countdown {
public:
	void add() noexcept { ++left_; }
	void end() noexcept
	{
		if (--left_ == 0) {
			left_.notify_all();
		}
	}
	void wait() const noexcept
	{
		for (std::size_t left = left_; left != 0; left = left_) {
			left_.wait(left);
		}
	}

private:
	std::atomic<std::size_t> left_ = 0;
};

} // namespace detail

/**
 * Tasks that go on by themselves. join(), and the destructor, wait for all of them: not to be
 * called on a thread that one of them needs, such as an engine's. start() from any thread.
 */
class task_group {
public:
	task_group() : left_(std::make_shared<detail::countdown>()) {}
	~task_group() { join(); }
	task_group(const task_group &) = delete;
	task_group &operator=(const task_group &) = delete;
	task_group(task_group &&) = delete;
	task_group &operator=(task_group &&) = delete;

	/** Runs @p what until it first waits. An exception that leaves it ends the program. */
	void start(task<void> what) { run(std::move(what), left_); }
	void join() const noexcept { left_->wait(); }

private:
	static detail::detached run(task<void> what, std::shared_ptr<detail::countdown> left)
	{
		left->add(); // There is memory for it.
		{
			// Destroyed before the end is told: who joins may destroy what it uses.
			task<void> one = std::move(what);
			co_await std::move(one);
		}
		left->end();
	}

	std::shared_ptr<detail::countdown> left_;
};

/** Runs @p what, and waits for its end. Not on a thread that it needs, such as an engine's. */
template <typename T>
T sync_wait(task<T> what)
{
	const auto left = std::make_shared<detail::countdown>();
	std::exception_ptr thrown;
	left->add();
	if constexpr (std::is_void_v<T>) {
		[](task<T> one, std::exception_ptr &error,
		   std::shared_ptr<detail::countdown> count) -> detail::detached {
			try {
				co_await std::move(one);
			} catch (...) {
				error = std::current_exception();
			}
			count->end();
		}(std::move(what), thrown, left);
		left->wait();
		if (thrown) {
			std::rethrow_exception(thrown);
		}
	} else {
		std::optional<T> value;
		[](task<T> one, std::optional<T> &into, std::exception_ptr &error,
		   std::shared_ptr<detail::countdown> count) -> detail::detached {
			try {
				into.emplace(co_await std::move(one));
			} catch (...) {
				error = std::current_exception();
			}
			count->end();
		}(std::move(what), value, thrown, left);
		left->wait();
		if (thrown) {
			std::rethrow_exception(thrown);
		}
		return std::move(*value);
	}
}

namespace detail {

/** Who waits for some that run at once, and for how many. */
struct joint {
	std::atomic<std::size_t> left = 0;
	std::coroutine_handle<> next{};
};

/** A coroutine within another's frame: begun when it is told to, and destroyed with that. */
class part {
public:
	struct promise_type {
		struct last {
			[[nodiscard]] bool await_ready() const noexcept { return false; }
			void await_suspend(std::coroutine_handle<promise_type> ended) const noexcept
			{
				// Behind the count this frame may be gone, by another thread.
				joint &all = ended.promise().all;
				if (--all.left == 0) {
					all.next.resume();
				}
			}
			void await_resume() const noexcept {}
		};

		template <typename... Others>
		explicit promise_type(joint &of, Others &...) noexcept : all(of)
		{
		}
		[[nodiscard]] part get_return_object() noexcept
		{
			return part(std::coroutine_handle<promise_type>::from_promise(*this));
		}
		[[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
		[[nodiscard]] last final_suspend() const noexcept { return {}; }
		void return_void() const noexcept {}
		[[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }

		joint &all;
	};

	part(part &&other) noexcept : is_(std::exchange(other.is_, {})) {}
	part(const part &) = delete;
	part &operator=(const part &) = delete;
	part &operator=(part &&) = delete;
	~part()
	{
		if (is_) {
			is_.destroy();
		}
	}
	void begin() const { is_.resume(); }

private:
	explicit part(std::coroutine_handle<promise_type> is) noexcept : is_(is) {}

	std::coroutine_handle<promise_type> is_;
};

} // namespace detail

/**
 * Runs all of @p tasks at once. What they give, in their order; the first exception, if any.
 * Destroyed while it is suspended, it destroys those that are, as if they had been awaited.
 */
template <typename T>
requires(!std::is_void_v<T>) task<std::vector<T>> when_all(std::vector<task<T>> tasks)
{
	struct shared : detail::joint {
		std::vector<std::optional<T>> values{};
		std::exception_ptr thrown{};
		std::atomic_flag has_thrown{};

		static detail::part run(shared &of, task<T> one, std::size_t index)
		{
			try {
				of.values[index].emplace(co_await std::move(one));
			} catch (...) {
				if (!of.has_thrown.test_and_set()) {
					of.thrown = std::current_exception();
				}
			}
		}
	};
	struct awaiter {
		shared &all;
		std::vector<detail::part> &parts;

		[[nodiscard]] bool await_ready() const noexcept { return parts.empty(); }
		bool await_suspend(std::coroutine_handle<> next)
		{
			// One more, for this loop: none resumes before all have begun.
			all.left = parts.size() + 1;
			all.next = next;
			for (const detail::part &each : parts) {
				each.begin();
			}
			return --all.left != 0;
		}
		void await_resume() const noexcept {}
	};
	shared all;
	all.values.resize(tasks.size());
	{
		// All of them are there before one begins: there may be no memory for the next.
		std::vector<detail::part> parts;
		parts.reserve(tasks.size());
		for (std::size_t i = 0; i < tasks.size(); ++i) {
			parts.push_back(shared::run(all, std::move(tasks[i]), i));
		}
		co_await awaiter{all, parts};
	}
	if (all.thrown) {
		std::rethrow_exception(all.thrown);
	}
	std::vector<T> values;
	values.reserve(all.values.size());
	for (auto &each : all.values) {
		values.push_back(std::move(*each));
	}
	co_return values;
}

} // namespace sdp::inline v0

#endif
