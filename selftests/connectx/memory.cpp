// SPDX-License-Identifier: Apache-2.0
#include "selftests/connectx/memory.hpp"

#include <algorithm>
#include <sys/mman.h>
#include <sys/stat.h>

namespace cx {

bool Memory::map(int fd, uint64_t address, uint64_t size, uint64_t offset)
{
	struct stat file {};
	if (regions_.size() >= 8 || size == 0 || address + size < address ||
	    fstat(fd, &file) != 0 || file.st_size < 0)
		return false;
	// Beyond the file's end an access would be a signal.
	const auto bytes = static_cast<uint64_t>(file.st_size);
	if (offset % 4096 != 0 || offset > bytes || size > bytes - offset)
		return false;
	void *memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			    static_cast<off_t>(offset));
	if (memory == MAP_FAILED)
		return false;
	regions_.push_back({address, size, static_cast<uint8_t *>(memory), true});
	return true;
}

void Memory::lend(uint64_t address, Area area)
{
	regions_.push_back({address, area.size(), area.data(), false});
}

void Memory::clear()
{
	for (const auto &region : regions_)
		if (region.ours)
			munmap(region.memory, region.size);
	regions_.clear();
}

uint8_t *Memory::find(uint64_t address, uint64_t length) const
{
	for (const auto &region : regions_)
		if (address >= region.address && address - region.address <= region.size &&
		    length <= region.size - (address - region.address))
			return region.memory + (address - region.address);
	return nullptr;
}

uint8_t *Memory::at(uint64_t address, uint64_t length, const char *what)
{
	auto *found = find(address, length);
	if (!found)
		report_.misuse("DMA outside memory", std::string(what) + " at " + hex(address) +
							     ", " + std::to_string(length) +
							     " bytes");
	return found;
}

bool Memory::read(uint64_t address, Area to, const char *what)
{
	const auto *from = at(address, to.size(), what);
	if (from)
		std::copy_n(from, to.size(), to.begin());
	return from != nullptr;
}

bool Memory::write(uint64_t address, View from, const char *what)
{
	auto *to = at(address, from.size(), what);
	if (to)
		std::copy(from.begin(), from.end(), to);
	return to != nullptr;
}

} // namespace cx
