// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * The header before the body of each request and reply: method, metadata, status. docs/rpc.md
 * has its bytes. All functions are pure and safe from any thread.
 */
#ifndef SDP_HEADER_HPP
#define SDP_HEADER_HPP

#include <sdp/export.hpp>
#include <sdp/message.hpp>
#include <sdp/status.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sdp::inline v0 {

/** Limits; whatever exceeds them is refused, not cut. */
inline constexpr std::uint8_t header_version = 1;
inline constexpr std::size_t most_method = 255;   /**< bytes of a method's name */
inline constexpr std::size_t most_metadata = 64;  /**< pairs */
inline constexpr std::size_t most_key = 255;      /**< bytes */
inline constexpr std::size_t most_value = 8192;   /**< bytes */
inline constexpr std::size_t most_text = 1024;    /**< bytes of a status's text */
inline constexpr std::size_t most_header = 16384; /**< bytes of it all */

/** Which of a server's functions is meant: a name of 1 to 255 bytes, or a number. */
class method {
public:
	method(std::string_view name) : is_(std::string(name)) {}
	method(const std::string &name) : is_(name) {}
	method(const char *name) : is_(std::string(name)) {}
	method(std::uint32_t number) : is_(number) {}

	[[nodiscard]] bool is_number() const noexcept { return is_.index() == 1; }
	/** Empty if it is a number. */
	[[nodiscard]] std::string_view name() const noexcept
	{
		const auto *text = std::get_if<0>(&is_);
		return text != nullptr ? std::string_view(*text) : std::string_view();
	}
	/** 0 if it is a name. */
	[[nodiscard]] std::uint32_t number() const noexcept
	{
		const auto *value = std::get_if<1>(&is_);
		return value != nullptr ? *value : 0;
	}
	/** The name, or "#NUMBER". */
	[[nodiscard]] std::string text() const
	{
		return is_number() ? "#" + std::to_string(number()) : std::string(name());
	}

	friend bool operator==(const method &a, const method &b) = default;

private:
	std::variant<std::string, std::uint32_t> is_;
};

/** Pairs of key and value; each key once, in the order in which they were set. */
class SDP_EXPORT metadata {
public:
	using pair = std::pair<std::string, std::string>;

	metadata() noexcept;
	metadata(std::initializer_list<pair> pairs);
	~metadata();
	metadata(const metadata &);
	metadata &operator=(const metadata &);
	metadata(metadata &&) noexcept;
	metadata &operator=(metadata &&) noexcept;

	/** Takes the place of a value of the same key. Limits are looked at when it is sent. */
	void set(std::string_view key, std::string_view value);
	/** The value of @p key, if it is there. */
	[[nodiscard]] std::optional<std::string_view> get(std::string_view key) const noexcept;
	[[nodiscard]] std::span<const pair> pairs() const noexcept { return pairs_; }
	[[nodiscard]] bool empty() const noexcept { return pairs_.empty(); }

	SDP_EXPORT friend bool operator==(const metadata &a, const metadata &b) noexcept;

private:
	std::vector<pair> pairs_;
};

/** What is wrong with a header. */
enum class header_error : std::uint8_t {
	none,
	truncated,     /**< it ends before its length says, or before it could say it */
	version,       /**< of another version */
	kind,          /**< a reply where a request is expected, or the other way round */
	flags,         /**< bits that mean nothing, or a field that has to be zero is not */
	length,        /**< longer than a header may be, or not the sum of its parts */
	method_length, /**< no name, or a number that is not four bytes */
	text_length,   /**< the status's text is too long */
	pair_count,    /**< too many pairs of metadata */
	key_length,    /**< an empty key */
	key_bytes,     /**< one with other bytes than a-z 0-9 - _ . */
	key_twice,     /**< one that was there before */
	value_length,  /**< a value that is too long */
};

/** One sentence. */
[[nodiscard]] SDP_EXPORT std::string_view describe(header_error what) noexcept;

/** The header of a request. */
struct request_header {
	sdp::method method = 0U;
	sdp::metadata metadata{};
	/** For so long the client waits; zero: it does not say. At most 2^32-1 ms. */
	std::chrono::milliseconds patience{};
	/** It asks for the answer to a request that went as early data: its body is the token. */
	bool collects = false;

	friend bool operator==(const request_header &, const request_header &) = default;
};

/** The header of a reply. */
struct reply_header {
	sdp::status status = status::ok;
	std::string text{};
	sdp::metadata metadata{};

	friend bool operator==(const reply_header &, const reply_header &) = default;
};

/** Appends the bytes of @p from to @p to; nothing if it breaks a limit. */
[[nodiscard]] SDP_EXPORT header_error append(std::vector<std::byte> &to,
					     const request_header &from);
[[nodiscard]] SDP_EXPORT header_error append(std::vector<std::byte> &to, const reply_header &from);

/** What parse() says. */
template <typename Header>
struct parsed {
	header_error error = header_error::none;
	Header header{};
	std::size_t length = 0; /**< bytes before the body */
};

/** Reads what begins @p message; all of it is checked, and nothing behind it is looked at. */
[[nodiscard]] SDP_EXPORT parsed<request_header> parse_request(bytes_view message);
[[nodiscard]] SDP_EXPORT parsed<reply_header> parse_reply(bytes_view message);

} // namespace sdp::inline v0

#endif
