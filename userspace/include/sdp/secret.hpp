// SPDX-License-Identifier: Apache-2.0
/** @file Secrets and nonces: fixed-size bytes; secrets are wiped when they go. */
#ifndef SDP_SECRET_HPP
#define SDP_SECRET_HPP

#include <sdp/export.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

namespace sdp::inline v0 {

/** 16 random bytes that salt the keys of one session; not secret. */
using nonce = std::array<std::byte, 16>;

/**
 * 32 secret bytes. Can be moved, not copied unless asked for (clone()); the
 * bytes are overwritten when an object is destroyed or moved from.
 */
class SDP_EXPORT secret {
public:
	static constexpr std::size_t length = 32;

	/** From exactly 32 bytes, which the caller wipes. @throws std::invalid_argument otherwise.
	 */
	explicit secret(std::span<const std::byte> bytes);

	/**
	 * From a regular file that nobody but its owner (this user, or root) may
	 * read or write: mode 0600 or narrower. It holds 32 raw bytes, or 64
	 * hexadecimal digits, perhaps with a newline.
	 * @throws std::system_error from opening it; EPERM if others have access
	 *         or it is not this user's; EINVAL if it holds something else, or zeros.
	 */
	static secret load(const std::filesystem::path &file);

	/** From 64 hexadecimal digits. @throws std::invalid_argument otherwise. */
	static secret from_hex(std::string_view digits);

	/** From the system's random numbers. */
	static secret random();

	~secret();
	secret(secret &&other) noexcept;
	secret &operator=(secret &&other) noexcept;
	secret(const secret &) = delete;
	secret &operator=(const secret &) = delete;

	[[nodiscard]] secret clone() const;
	[[nodiscard]] std::span<const std::byte, length> bytes() const noexcept;
	/** Whether all bytes are zero, as after a move: anybody's, and no secret. */
	[[nodiscard]] bool is_empty() const noexcept;

	/** In time that does not depend on the contents. */
	SDP_EXPORT friend bool operator==(const secret &a, const secret &b) noexcept;

private:
	secret() noexcept;
	std::array<std::byte, length> bytes_;
};

} // namespace sdp::inline v0

#endif
