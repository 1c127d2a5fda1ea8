// SPDX-License-Identifier: Apache-2.0
// Sees each frame that comes in or goes out at any device of a host.
#pragma once

#include <functional>
#include <string>

#include "fd.hpp"
#include "frames.hpp"
#include "net.hpp"

/// The kernel copies frames for it at once and holds none: what is held too is not merged
/// behind veth.
class Watch {
public:
	explicit Watch(const net::Netns &ns);
	Watch(const Watch &) = delete;
	Watch &operator=(const Watch &) = delete;
	~Watch();

	struct Seen {
		int device = 0;
		bool out = false;
		frames::Frame frame;
	};
	/// Calls @a see with each frame since it was called last. Returns how many more there
	/// have been so far, for which there was no room.
	uint64_t look(const std::function<void(const Seen &)> &see);

private:
	void block(uint8_t *start, const std::function<void(const Seen &)> &see);

	Fd fd_;
	uint8_t *ring_ = nullptr;
	size_t next_ = 0;
	uint64_t looked_ = 0;
	uint64_t told_ = 0;
	uint64_t lost_ = 0;
};
