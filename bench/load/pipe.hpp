// SPDX-License-Identifier: Apache-2.0
/** @file A way to the process with the other end: two pipes, or an ssh's input and output. */
#ifndef BENCH_PIPE_HPP
#define BENCH_PIPE_HPP

#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <system_error>
#include <type_traits>

namespace bench {

/** The result of a system call, or its errno thrown. */
template <typename T>
T check(T result, const char *what)
{
	if (result < 0) {
		throw std::system_error(errno, std::generic_category(), what);
	}
	return result;
}

/** Blocking, and owned by somebody else. All throw std::system_error or std::runtime_error. */
class pipe_pair {
public:
	/** @param last closed by finished(); -1: there is none. */
	pipe_pair(int in, int out, int last = -1) : in_(in), out_(out), last_(last) {}

	/** The same, for a server; see finished(). */
	[[nodiscard]] pipe_pair ending_with(int last) const { return {in_, out_, last}; }

	void put(std::span<const std::byte> bytes) const;
	void get(std::span<std::byte> bytes) const;

	template <typename T>
	void put_value(const T &value) const
	{
		static_assert(std::is_trivially_copyable_v<T>);
		put(std::as_bytes(std::span(&value, 1)));
	}
	template <typename T>
	[[nodiscard]] T get_value() const
	{
		static_assert(std::is_trivially_copyable_v<T>);
		T value{};
		get(std::as_writable_bytes(std::span(&value, 1)));
		return value;
	}

	/** A sign that this end is ready; wait_sign() throws when the other has failed instead. */
	void put_sign(bool fine = true) const { put_value(fine); }
	void wait_sign() const;
	/** For servers: that this is their last use of it, as somebody else is to read on. */
	void finished() const;

private:
	int in_;
	int out_;
	int last_;
};

} // namespace bench

#endif
