// SPDX-License-Identifier: Apache-2.0
// A file descriptor that closes itself.
#pragma once

#include <sys/socket.h>
#include <unistd.h>
#include <utility>

class Fd {
public:
	Fd() = default;
	explicit Fd(int fd) : fd_(fd) {}
	Fd(Fd &&other) noexcept : fd_(other.release()) {}
	Fd &operator=(Fd &&other) noexcept
	{
		reset(other.release());
		return *this;
	}
	~Fd() { reset(); }

	[[nodiscard]] int get() const { return fd_; }
	operator int() const { return fd_; } // NOLINT(google-explicit-constructor)
	int release() { return std::exchange(fd_, -1); }
	void reset(int fd = -1)
	{
		if (fd_ >= 0)
			close(fd_);
		fd_ = fd;
	}

private:
	int fd_ = -1;
};

/// SO_LINGER with a time of 0: what a case leaves behind is not the next one's concern.
inline void abort_at_close(int fd)
{
	const linger at_once{1, 0};
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}
