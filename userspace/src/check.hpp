// SPDX-License-Identifier: Apache-2.0
/** @file What is wrong as exceptions, and file descriptors that close themselves. */
#ifndef SDP_SRC_CHECK_HPP
#define SDP_SRC_CHECK_HPP

#include <sdp/address.hpp>
#include <sdp/error.hpp>

#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace sdp::inline v0::detail {

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

/** @throws std::invalid_argument for port 0, which somebody forgot to write. */
inline const address &with_a_port(const address &place)
{
	if (place.port() == 0) {
		throw std::invalid_argument(place.text() + ": a port is missing: ADDRESS:PORT");
	}
	return place;
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

} // namespace sdp::inline v0::detail

#endif
