// SPDX-License-Identifier: Apache-2.0
// A small test library that speaks TAP. Each case runs in a process of its own,
// so that a crash, a hang or a forgotten socket stays its own; when it is over,
// every namespace that was watched must be free of what it made (leaks.hpp).
//
//   TEST(name) { EQ(call(), 3); }         a case, named program/name
//   TEST_LIMIT(name, seconds) { ... }     with a time limit other than 60 s
//   SETUP { ... }                         once, before the cases, in the parent
//   EACH { ... }                          before each case, in its process
#pragma once

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace test {

/// What ends a failed case; thrown by the macros below.
struct Failure : std::runtime_error {
	using std::runtime_error::runtime_error;
};

/// What ends a case that this kernel cannot run.
struct Skip : std::runtime_error {
	using std::runtime_error::runtime_error;
};

/// @a asked: runs only when it is named.
struct Case {
	Case(const char *name, std::function<void()> run, unsigned seconds, bool asked = false);

	const char *name;
	std::function<void()> run;
	unsigned seconds;
	bool asked;
};

/// Runs before each case, in its process.
struct Each {
	explicit Each(void (*run)());
};

struct Setup {
	explicit Setup(void (*run)());
};

/// Seconds that slow kernels turn @a seconds into ($SDP_TEST_SLOW times).
unsigned slow(unsigned seconds);

/// A line of diagnosis in the TAP stream.
void note(const std::string &text);

[[noreturn]] void fail(const char *file, int line, const std::string &text);

std::string errno_name(int error);

template <class T>
std::string show(const T &value)
{
	std::ostringstream out;
	if constexpr (std::is_same_v<T, std::vector<uint8_t>>)
		for (uint8_t byte : value)
			out << "0123456789abcdef"[byte >> 4] << "0123456789abcdef"[byte & 15];
	else if constexpr (std::is_enum_v<T>)
		out << static_cast<long long>(value);
	else if constexpr (std::is_same_v<T, uint8_t> || std::is_same_v<T, int8_t>)
		out << static_cast<int>(value);
	else
		out << value;
	return out.str();
}

template <class A, class B>
void check_eq(const A &got, const B &expected, const char *expression, const char *file, int line)
{
	bool same;
	if constexpr (std::is_integral_v<A> && std::is_integral_v<B> && !std::is_same_v<A, bool> &&
		      !std::is_same_v<B, bool>)
		same = std::cmp_equal(got, expected);
	else
		same = got == expected;
	if (!same)
		fail(file, line,
		     std::string(expression) + " is " + show(got) + ", not " + show(expected));
}

template <class T>
T check_ok(T result, const char *expression, const char *file, int line)
{
	if (result < 0)
		fail(file, line, std::string(expression) + ": " + errno_name(errno));
	return result;
}

template <class T>
void check_fails(T result, int error, const char *expression, const char *file, int line)
{
	int got = errno;
	if (result >= 0)
		fail(file, line,
		     std::string(expression) + " gave " + show(result) + ", not " +
			     errno_name(error));
	if (got != error)
		fail(file, line,
		     std::string(expression) + ": " + errno_name(got) + ", not " +
			     errno_name(error));
}

/// Waits until @a done is true; false after @a seconds (of a fast machine).
bool eventually(const std::function<bool()> &done, unsigned seconds = 20);

/// A thread whose failed checks fail the case that joins it.
class Thread {
public:
	explicit Thread(std::function<void()> run);
	Thread(const Thread &) = delete;
	Thread &operator=(const Thread &) = delete;
	~Thread();
	void join();
	/// Sends it @a signal again and again until it has ended, then joins: nobody
	/// can tell when a thread is really waiting.
	void interrupt(int signal);
	[[nodiscard]] pthread_t handle() { return thread_.native_handle(); }

private:
	std::exception_ptr failure_;
	std::atomic<bool> ended_ = false;
	std::thread thread_;
};

/// A child process that runs @a run; its failed checks fail the case.
class Child {
public:
	explicit Child(const std::function<void()> &run);
	Child(const Child &) = delete;
	Child &operator=(const Child &) = delete;
	~Child();
	void join();
	void kill(int signal) const;
	[[nodiscard]] int pid() const { return pid_; }

private:
	int pid_;
};

} // namespace test

#define TEST_LIMIT(name, seconds)                                         \
	static void test_##name();                                        \
	static const test::Case case_##name(#name, test_##name, seconds); \
	static void test_##name()
#define TEST(name) TEST_LIMIT(name, 60)
#define SETUP                                            \
	static void test_setup();                        \
	static const test::Setup setup_once(test_setup); \
	static void test_setup()

#define EACH                                          \
	static void test_each();                      \
	static const test::Each each_case(test_each); \
	static void test_each()

#define CHECK(condition)                                                         \
	do {                                                                     \
		if (!(condition))                                                \
			test::fail(__FILE__, __LINE__, "not true: " #condition); \
	} while (0)
#define EQ(got, expected) test::check_eq((got), (expected), #got, __FILE__, __LINE__)
#define OK(call) test::check_ok((call), #call, __FILE__, __LINE__)
#define FAILS(call, error) test::check_fails((call), error, #call, __FILE__, __LINE__)
#define EVENTUALLY(condition)                                                           \
	do {                                                                            \
		if (!test::eventually([&] { return (condition); }))                     \
			test::fail(__FILE__, __LINE__, "never came true: " #condition); \
	} while (0)
