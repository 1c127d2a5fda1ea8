// SPDX-License-Identifier: Apache-2.0
// Messages that go on while something else happens.
#pragma once

#include <atomic>
#include <thread>

#include "talk.hpp"

namespace testnic {

/// Messages both ways until it ends; each is checked.
class Load {
public:
	explicit Load(const PlainTalk &talk, size_t length = 150000);
	Load(const Load &) = delete;
	Load &operator=(const Load &) = delete;
	~Load() { end(); }

	/// Waits until so many more have come.
	void more(unsigned messages) const;
	/// Throws unless each message was whole.
	void check();

private:
	void serve();
	void call();
	void end();

	const PlainTalk &talk_;
	size_t length_;
	std::atomic<bool> stop_ = false;
	std::atomic<bool> finished_ = false;
	std::atomic<unsigned> done_ = 0;
	std::atomic<unsigned> bad_ = 0;
	std::thread server_;
	std::thread client_;
};

} // namespace testnic
