// SPDX-License-Identifier: Apache-2.0
/** @file Turning errno into exceptions, and file descriptors that close themselves. */
#ifndef SDP_SRC_CHECK_HPP
#define SDP_SRC_CHECK_HPP

#include <sdp/error.hpp>

#include <cerrno>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace sdp::detail {

[[noreturn]] inline void fail(int error, const char *what)
{
	throw std::system_error(make_code(error), what);
}

/** The result of a system call, or its errno thrown. */
template <typename T>
T check(T result, const char *what)
{
	if (result < 0) {
		fail(errno, what);
	}
	return result;
}

class file {
public:
	file() noexcept = default;
	explicit file(int descriptor) noexcept : fd_(descriptor) {}
	~file() { reset(); }
	file(file &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
	file &operator=(file &&other) noexcept
	{
		if (this != &other) {
			reset();
			fd_ = std::exchange(other.fd_, -1);
		}
		return *this;
	}
	file(const file &) = delete;
	file &operator=(const file &) = delete;

	[[nodiscard]] int get() const noexcept { return fd_; }

private:
	void reset() noexcept
	{
		if (fd_ >= 0) {
			::close(fd_);
		}
		fd_ = -1;
	}

	int fd_ = -1;
};

} // namespace sdp::detail

#endif
