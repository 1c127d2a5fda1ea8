// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * Where received messages live, and how their buffers come back: a receive
 * region shared with the kernel, or buffers that recvmsg copies into. Both
 * outlive the socket as long as a message of theirs does.
 */
#ifndef SDP_SRC_BUFFERS_HPP
#define SDP_SRC_BUFFERS_HPP

#include "check.hpp"

#include <sdp/message.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

namespace sdp::inline v0::detail {

class lender {
public:
	lender() = default;
	virtual ~lender() = default;
	lender(const lender &) = delete;
	lender &operator=(const lender &) = delete;
	lender(lender &&) = delete;
	lender &operator=(lender &&) = delete;

	/** Takes back what a message held. Any thread. */
	virtual void give_back(std::span<const bytes_view> chunks) noexcept = 0;
};

/** Anonymous memory, whole pages, touched only as used. */
class mapping {
public:
	explicit mapping(std::size_t length);
	~mapping();
	mapping(mapping &&other) noexcept;
	mapping &operator=(mapping &&) = delete;
	mapping(const mapping &) = delete;
	mapping &operator=(const mapping &) = delete;

	[[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }

private:
	std::span<std::byte> bytes_;
};

/**
 * A receive region of Homa's API. The kernel names places by their offset;
 * those given back wait here until the next recvmsg() hands them over. A
 * receiver that sleeps in poll() meanwhile is woken through wake_fd().
 */
class region final : public lender {
public:
	static constexpr std::size_t page_size = 65536;

	/** @p length is rounded up to whole buffer pages. */
	explicit region(std::size_t length);

	[[nodiscard]] std::span<std::byte> bytes() const noexcept { return memory_.bytes(); }
	/** Readable after something came back while there was a sleeper. */
	[[nodiscard]] int wake_fd() const noexcept { return wake_.get(); }
	void clear_wake() noexcept;
	/** A receiver that sleeps, or is about to. */
	class sleeper {
	public:
		explicit sleeper(region &of) noexcept : of_(of) { ++of_.sleepers_; }
		~sleeper() { --of_.sleepers_; }
		sleeper(const sleeper &) = delete;
		sleeper &operator=(const sleeper &) = delete;
		sleeper(sleeper &&) = delete;
		sleeper &operator=(sleeper &&) = delete;

	private:
		region &of_;
	};

	/** Moves up to @p to.size() offsets out; returns how many. */
	std::size_t take_returned(std::span<std::uint32_t> to);
	/** Puts them back, after a call that did not hand them over. */
	void put_returned(std::span<const std::uint32_t> offsets);

	/**
	 * The pieces of a message of @p size bytes at @p offsets: all but the last
	 * reach to the end of their page. @p to has room for one per offset.
	 * @throws EPROTO if they do not lie in the region.
	 */
	void locate(std::span<const std::uint32_t> offsets, std::size_t size,
		    std::span<bytes_view> to) const;

	void give_back(std::span<const bytes_view> chunks) noexcept override;

private:
	mapping memory_;
	file wake_;
	std::atomic<int> sleepers_ = 0;
	std::mutex lock_;
	std::vector<std::uint32_t> returned_; /**< has room for all there can be */
};

/** Buffers of one size; a few that came back are kept for the next messages. */
class pool final : public lender {
public:
	/** @throws EINVAL for a size of 0. */
	explicit pool(std::size_t size);

	[[nodiscard]] std::size_t size() const noexcept { return size_; }
	[[nodiscard]] std::span<std::byte> take();
	/** @p chunks is one buffer, perhaps cut short. */
	void give_back(std::span<const bytes_view> chunks) noexcept override;

private:
	static constexpr std::size_t kept = 64;

	const std::size_t size_;
	std::mutex lock_;
	using buffers = std::unordered_map<const std::byte *, mapping>;
	buffers free_;
	buffers lent_;
};

/** The bytes of one message, without room for more. */
class exact final : public lender {
public:
	explicit exact(std::vector<std::byte> bytes) noexcept : bytes_(std::move(bytes)) {}

	[[nodiscard]] bytes_view bytes() const noexcept { return bytes_; }
	/** They go with who holds this. */
	void give_back(std::span<const bytes_view>) noexcept override {}

private:
	std::vector<std::byte> bytes_;
};

} // namespace sdp::inline v0::detail

#endif
