// SPDX-License-Identifier: Apache-2.0
#include "buffers.hpp"

#include <algorithm>
#include <sys/eventfd.h>
#include <sys/mman.h>

namespace sdp::inline v0::detail {

mapping::mapping(std::size_t length)
{
	void *start = ::mmap(nullptr, length, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (start ==
	    MAP_FAILED) { // NOLINT(*-cstyle-cast,performance-no-int-to-ptr): the system's macro
		fail(errno, "mmap");
	}
	bytes_ = {static_cast<std::byte *>(start), length};
}

mapping::~mapping()
{
	if (!bytes_.empty()) {
		::munmap(bytes_.data(), bytes_.size());
	}
}

mapping::mapping(mapping &&other) noexcept
	: bytes_(std::exchange(other.bytes_, std::span<std::byte>{}))
{
}

region::region(std::size_t length)
	: memory_((std::max(length, page_size) + page_size - 1) / page_size * page_size),
	  wake_(check(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"))
{
	// Small messages may share a page: 1,024 messages in each are plenty, and
	// giving back must not allocate.
	returned_.reserve(memory_.bytes().size() / page_size * 1024);
}

void region::clear_wake() noexcept
{
	std::uint64_t count = 0;
	// Nothing to read means that another receiver has been quicker.
	[[maybe_unused]] const ssize_t got = ::read(wake_.get(), &count, sizeof(count));
}

std::size_t region::take_returned(std::span<std::uint32_t> to)
{
	const std::scoped_lock held(lock_);
	const std::size_t count = std::min(to.size(), returned_.size());
	std::copy_n(returned_.end() - static_cast<std::ptrdiff_t>(count), count, to.begin());
	returned_.resize(returned_.size() - count);
	return count;
}

void region::put_returned(std::span<const std::uint32_t> offsets)
{
	const std::scoped_lock held(lock_);
	returned_.insert(returned_.end(), offsets.begin(), offsets.end());
}

void region::locate(std::span<const std::uint32_t> offsets, std::size_t size,
		    std::span<bytes_view> to) const
{
	for (std::size_t i = 0; i < offsets.size(); ++i) {
		const std::size_t offset = offsets[i];
		const std::size_t room = page_size - offset % page_size;
		const std::size_t length = std::min(room, size);
		if (offset >= bytes().size() || length > bytes().size() - offset) {
			fail(EPROTO, "receive region");
		}
		to[i] = bytes().subspan(offset, length);
		size -= length;
	}
	if (size != 0) {
		fail(EPROTO, "receive region");
	}
}

void region::give_back(std::span<const bytes_view> chunks) noexcept
{
	{
		const std::scoped_lock held(lock_);
		for (const bytes_view chunk : chunks) {
			returned_.push_back(
				static_cast<std::uint32_t>(chunk.data() - bytes().data()));
		}
	}
	if (sleepers_ > 0) {
		const std::uint64_t one = 1;
		// Fails only where the counter is full: it is readable then.
		[[maybe_unused]] const ssize_t put = ::write(wake_.get(), &one, sizeof(one));
	}
}

pool::pool(std::size_t size) : size_(size)
{
	if (size == 0) {
		fail(EINVAL, "longest message");
	}
	// Giving back must not allocate.
	free_.reserve(kept);
}

std::span<std::byte> pool::take()
{
	const std::scoped_lock held(lock_);
	if (free_.empty()) {
		mapping fresh(size_);
		const std::byte *start = fresh.bytes().data();
		return lent_.emplace(start, std::move(fresh)).first->second.bytes();
	}
	return lent_.insert(free_.extract(free_.begin())).position->second.bytes();
}

void pool::give_back(std::span<const bytes_view> chunks) noexcept
{
	const std::scoped_lock held(lock_);
	for (const bytes_view chunk : chunks) {
		auto buffer = lent_.extract(chunk.data());
		if (!buffer.empty() && free_.size() < kept) {
			free_.insert(std::move(buffer));
		}
	}
}

} // namespace sdp::inline v0::detail
