// SPDX-License-Identifier: Apache-2.0
// The guest's memory, as a bus master sees it.
#pragma once

#include "selftests/connectx/layout.hpp"
#include "selftests/connectx/report.hpp"
#include <vector>

namespace cx {

class Memory {
public:
	explicit Memory(Report &report) : report_(report) {}
	~Memory() { clear(); }
	Memory(const Memory &) = delete;
	Memory &operator=(const Memory &) = delete;

	/// Maps @a size bytes of @a fd at @a offset as the bus addresses from @a address.
	/// False when that cannot be; the descriptor stays the caller's.
	bool map(int fd, uint64_t address, uint64_t size, uint64_t offset);
	/// Memory of this process, for tests.
	void lend(uint64_t address, Area area);
	void clear();

	/// The bytes at a bus address, or null where not all of them are memory.
	[[nodiscard]] uint8_t *find(uint64_t address, uint64_t length) const;
	/// The same; an address that is not memory is reported, as @a what.
	uint8_t *at(uint64_t address, uint64_t length, const char *what);

	bool read(uint64_t address, Area to, const char *what);
	bool write(uint64_t address, View from, const char *what);

private:
	struct Region {
		uint64_t address;
		uint64_t size;
		uint8_t *memory;
		bool ours;
	};
	Report &report_;
	std::vector<Region> regions_;
};

} // namespace cx
