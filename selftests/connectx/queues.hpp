// SPDX-License-Identifier: Apache-2.0
// What the device knows of a queue in the guest's memory.
#pragma once

#include "selftests/connectx/memory.hpp"
#include <vector>

namespace cx {

/// The pages of a queue.
struct Pages {
	std::vector<uint64_t> addresses;
	unsigned log_page = 12;

	/// Where a part that crosses no page is; null, and reported, if nowhere.
	uint8_t *at(Memory &memory, uint64_t offset, uint64_t length, const char *what) const
	{
		const uint64_t page = offset >> log_page,
			       within = offset & ((1ull << log_page) - 1);
		if (page >= addresses.size() || within + length > 1ull << log_page)
			return memory.at(~0ull, length, what);
		return memory.at(addresses[page] + within, length, what);
	}
	[[nodiscard]] uint64_t bytes() const { return addresses.size() << log_page; }
};

struct EventQueue {
	Pages pages;
	unsigned log_size = 0;
	unsigned vector = 0;
	uint32_t uar = 0;
	uint64_t events = 0; ///< a bit for each type
	uint32_t producer = 0;
	uint32_t consumer = 0; ///< 24 bits, as the last doorbell said
	bool armed = false;
};

struct CompletionQueue {
	Pages pages;
	unsigned log_size = 0;
	unsigned entry_bytes = 64;
	uint32_t eq = 0;
	uint32_t uar = 0;
	uint64_t doorbell = 0;
	uint32_t producer = 0;
	bool armed = false;
	uint32_t armed_at = 0; ///< consumer counter, 24 bits
	bool broken = false;   ///< it overran
};

enum class QueueState : uint8_t { reset = 0, ready = 1, error = 3 };

struct SendQueue {
	Pages pages;
	unsigned log_size = 0;
	uint32_t cq = 0, tis = 0, uar = 0;
	uint64_t doorbell = 0;
	QueueState state = QueueState::reset;
	uint16_t consumer = 0;
	uint16_t posted = 0; ///< as of the last doorbell
};

struct ReceiveQueue {
	Pages pages;
	unsigned log_size = 0, log_stride = 0;
	uint32_t cq = 0;
	uint64_t doorbell = 0;
	QueueState state = QueueState::reset;
	uint32_t counter_set = 0;
	bool cyclic = true;
	bool keeps_vlan = false; ///< tags are not stripped
	bool keeps_fcs = false;
	uint16_t consumer = 0;
};

} // namespace cx
