// SPDX-License-Identifier: Apache-2.0
/** @file Received messages. */
#ifndef SDP_MESSAGE_HPP
#define SDP_MESSAGE_HPP

#include <sdp/address.hpp>
#include <sdp/export.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace sdp::inline v0 {

using bytes_view = std::span<const std::byte>;

/** The bytes of some text, without a terminator. */
[[nodiscard]] inline bytes_view as_bytes(std::string_view text) noexcept
{
	return std::as_bytes(std::span(text.data(), text.size()));
}

namespace detail {
class lender;
} // namespace detail

/**
 * A request or response that a socket received, or the failure of a request.
 *
 * Its bytes live in a buffer of the socket and are given back when the message
 * is destroyed, on any thread, also after the socket is gone. Holding many
 * messages keeps new ones out: a receive region is finite.
 */
class SDP_EXPORT message {
public:
	/** Pieces that a message may have: 64 KB each in a receive region. */
	static constexpr std::size_t max_chunks = 16;

	~message();
	message(message &&other) noexcept;
	message &operator=(message &&other) noexcept;
	message(const message &) = delete;
	message &operator=(const message &) = delete;

	/** The RPC as its socket sees it: odd for a request, even for a response. */
	[[nodiscard]] std::uint64_t id() const noexcept { return id_; }
	[[nodiscard]] bool is_request() const noexcept { return (id_ & 1) != 0; }
	/** What the request was sent with; 0 in a request. */
	[[nodiscard]] std::uint64_t cookie() const noexcept { return cookie_; }
	/** The other end; the any-address in a failure where a receive region is used. */
	[[nodiscard]] const address &peer() const noexcept { return peer_; }

	/**
	 * Why the RPC failed; there are no bytes then. EMSGSIZE in a request: it
	 * was longer than the socket takes, and still wants a response; not where a
	 * receive region is used, where it has ended.
	 */
	[[nodiscard]] const std::error_code &error() const noexcept { return error_; }

	/**
	 * Whether it came encrypted. Where a receive region is used: whether nothing else can
	 * have come, because the socket's policy is secure and, for a response, no request
	 * has ever been sent under another.
	 */
	[[nodiscard]] bool secure() const noexcept { return secure_; }
	/** Id of the session it came over; 0 in the clear or where a receive region is used. */
	[[nodiscard]] std::uint32_t session() const noexcept { return session_; }

	/** Length in bytes. */
	[[nodiscard]] std::size_t size() const noexcept { return size_; }
	/** The bytes, without copying: pieces to be read one after another. */
	[[nodiscard]] std::span<const bytes_view> chunks() const noexcept
	{
		return {chunks_.data(), chunk_count_};
	}
	/** Copies bytes from @p offset on until @p to is full or the message ends; returns how
	 * many. */
	std::size_t copy_to(std::span<std::byte> to, std::size_t offset = 0) const noexcept;
	[[nodiscard]] std::vector<std::byte> bytes() const;
	[[nodiscard]] std::string text() const;

	/** Gives the buffer back now; size() is 0 from then on. */
	void release() noexcept;

private:
	friend class socket;
	message() noexcept = default;

	std::uint64_t id_ = 0;
	std::uint64_t cookie_ = 0;
	address peer_;
	std::error_code error_;
	bool secure_ = false;
	std::uint32_t session_ = 0;
	std::size_t size_ = 0;
	std::size_t chunk_count_ = 0;
	std::array<bytes_view, max_chunks> chunks_{};
	std::shared_ptr<detail::lender> lender_;
};

} // namespace sdp::inline v0

#endif
