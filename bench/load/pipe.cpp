// SPDX-License-Identifier: Apache-2.0
#include "pipe.hpp"

#include <stdexcept>
#include <unistd.h>

namespace bench {

void pipe_pair::put(std::span<const std::byte> bytes) const
{
	while (!bytes.empty()) {
		const ssize_t done = check(::write(out_, bytes.data(), bytes.size()), "pipe");
		bytes = bytes.subspan(static_cast<std::size_t>(done));
	}
}

void pipe_pair::get(std::span<std::byte> bytes) const
{
	while (!bytes.empty()) {
		const ssize_t got = check(::read(in_, bytes.data(), bytes.size()), "pipe");
		if (got == 0) {
			throw std::runtime_error("the other end is gone");
		}
		bytes = bytes.subspan(static_cast<std::size_t>(got));
	}
}

void pipe_pair::wait_sign() const
{
	if (!get_value<bool>()) {
		throw std::runtime_error("the other end has failed");
	}
}

void pipe_pair::finished() const
{
	if (last_ >= 0) {
		::close(last_);
	}
}

} // namespace bench
