// SPDX-License-Identifier: Apache-2.0
/** @file Commands of RESP, and inline ones, out of bytes that come in pieces. Without I/O. */
#ifndef SDP_REDIS_COMMAND_READER_HPP
#define SDP_REDIS_COMMAND_READER_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sdp::redis {

struct reader_limits {
	std::size_t most_arguments = 1'048'576;
	std::size_t most_inline = 65'536;    /**< bytes of an inline command */
	std::size_t most_command = 64 << 20; /**< bytes of a command, its lengths included */
};

/**
 * Strict: lengths are decimal digits without leading zeros (and a negative number of arguments is
 * none), lines end in CRLF, and a bulk string is followed by it. After an error nothing more is
 * read.
 */
class command_reader {
public:
	enum class found : std::uint8_t {
		command, /**< arguments() has one, with at least its name */
		nothing, /**< no whole command is left */
		error,   /**< error() says what is wrong */
	};

	explicit command_reader(const reader_limits &limits = {}) noexcept : limits_(limits) {}

	/** What comes next. Not copied: it has to be there until keep(), or the last next(). */
	void give(std::string_view bytes);
	[[nodiscard]] found next();
	/** Copies what was given and not read, for the next give(). */
	void keep();
	/** Forgets all that was given and not read. */
	void clear() noexcept;

	/** Until next(), give() or keep(). */
	[[nodiscard]] const std::vector<std::string_view> &arguments() const noexcept
	{
		return arguments_;
	}
	/** As Redis says it, without "-ERR ". */
	[[nodiscard]] const std::string &error() const noexcept { return error_; }
	/** Bytes that were given, and are not a whole command yet. */
	[[nodiscard]] std::size_t unread() const noexcept { return left(); }
	/** Bytes that keep() has copied, and what else it needs for them. */
	[[nodiscard]] std::size_t held() const noexcept
	{
		return kept_.capacity() + places_.capacity() * sizeof(place);
	}

private:
	struct place {
		std::size_t at, length;
	};

	found wrong(std::string text);
	found finish();
	found read_inline();
	/** A line behind @p from, without CRLF. No value: it is not there yet, or error_ says why.
	 */
	[[nodiscard]] std::optional<std::string_view> line(std::size_t from, std::size_t most,
							   std::string_view too_long);
	[[nodiscard]] std::size_t left() const noexcept { return bytes_.size() - start_; }

	reader_limits limits_;
	std::string kept_;
	std::string_view bytes_;           /**< all that there is: in kept_, or the giver's */
	std::size_t start_ = 0;            /**< of the command */
	std::size_t at_ = 0;               /**< what is read next, behind the start */
	std::optional<std::size_t> count_; /**< of arguments, once it was read */
	std::optional<std::size_t> bulk_;  /**< bytes of the argument that comes */
	std::vector<place> places_;        /**< of arguments, behind the start */
	std::vector<std::string_view> arguments_;
	std::vector<std::string> unquoted_; /**< of an inline command */
	std::string error_;
};

} // namespace sdp::redis

#endif
