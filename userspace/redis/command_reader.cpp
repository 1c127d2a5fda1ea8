// SPDX-License-Identifier: Apache-2.0
#include "command_reader.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace sdp::redis {

namespace {

constexpr std::size_t longest_number = 20;
/** Arguments that there stays room for between messages. */
constexpr std::size_t most_kept = 64;

/** Decimal digits; -1 for whatever is negative. */
std::optional<std::int64_t> number(std::string_view text)
{
	const bool negative = text.starts_with('-');
	if (negative) {
		text.remove_prefix(1);
	}
	std::uint32_t value = 0;
	const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
	if (error != std::errc() || end != text.data() + text.size() ||
	    (text.size() > 1 && text.front() == '0') || (negative && value == 0)) {
		return std::nullopt;
	}
	return negative ? -1 : std::int64_t{value};
}

bool is_space(char which) noexcept
{
	return which == ' ' || (which >= '\t' && which <= '\r');
}

std::optional<unsigned> hexadecimal(std::string_view digits)
{
	unsigned value = 0;
	const auto [end, error] =
		std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
	return digits.size() == 2 && error == std::errc() && end == digits.data() + 2
		       ? std::optional(value)
		       : std::nullopt;
}

/** What is behind a backslash between double quotes; takes it from @p text. */
char escaped(std::string_view &text)
{
	if (text.front() == 'x') {
		if (const auto value = hexadecimal(text.substr(1, 2))) {
			text.remove_prefix(3);
			return static_cast<char>(*value);
		}
	}
	const char which = text.front();
	text.remove_prefix(1);
	switch (which) {
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	case 'b':
		return '\b';
	case 'a':
		return '\a';
	default:
		return which;
	}
}

/** A quoted piece, behind its first quote; takes it from @p text. False: it has no end. */
bool unquote(std::string_view &text, char quote, std::string &into)
{
	while (!text.empty()) {
		const char which = text.front();
		text.remove_prefix(1);
		if (which == quote) {
			return text.empty() || is_space(text.front());
		}
		if (which != '\\' || text.empty()) {
			into += which;
		} else if (quote == '"') {
			into += escaped(text);
		} else if (text.front() == '\'') {
			into += '\'';
			text.remove_prefix(1);
		} else {
			into += which;
		}
	}
	return false;
}

/** Words, as Redis splits an inline command. False: a quote is not closed. */
bool split(std::string_view text, std::vector<std::string> &words)
{
	for (;;) {
		while (!text.empty() && is_space(text.front())) {
			text.remove_prefix(1);
		}
		if (text.empty()) {
			return true;
		}
		std::string &word = words.emplace_back();
		while (!text.empty() && !is_space(text.front())) {
			const char which = text.front();
			text.remove_prefix(1);
			if (which != '"' && which != '\'') {
				word += which;
			} else if (!unquote(text, which, word)) {
				return false;
			}
		}
	}
}

} // namespace

void command_reader::give(std::string_view bytes)
{
	if (kept_.empty()) {
		bytes_ = bytes;
	} else {
		kept_.append(bytes);
		bytes_ = kept_;
	}
}

void command_reader::keep()
{
	if (bytes_.data() == kept_.data() && !kept_.empty()) {
		kept_.erase(0, start_);
	} else {
		kept_.assign(bytes_.substr(start_));
	}
	if (kept_.empty()) {
		std::string().swap(kept_); // With its memory.
		std::vector<place>().swap(places_);
	}
	bytes_ = kept_;
	start_ = 0;
	// Room that a long command needed, and that held() does not count: each connection might
	// have had one.
	unquoted_.clear();
	unquoted_.shrink_to_fit();
	if (arguments_.capacity() > most_kept) {
		std::vector<std::string_view>().swap(arguments_);
	}
	arguments_.clear();
}

void command_reader::clear() noexcept
{
	std::string().swap(kept_);
	bytes_ = {};
	start_ = at_ = 0;
	count_.reset();
	bulk_.reset();
	std::vector<place>().swap(places_);
	std::vector<std::string_view>().swap(arguments_);
	std::vector<std::string>().swap(unquoted_);
}

command_reader::found command_reader::wrong(std::string text)
{
	error_ = "Protocol error: " + std::move(text);
	return found::error;
}

std::optional<std::string_view> command_reader::line(std::size_t from, std::size_t most,
						     std::string_view too_long)
{
	const std::string_view rest = bytes_.substr(start_ + from);
	const std::size_t end = rest.substr(0, most + 2).find('\n');
	if (end == std::string_view::npos) {
		if (rest.size() > most + 1) {
			static_cast<void>(wrong(std::string(too_long)));
		}
		return std::nullopt;
	}
	if (end == 0 || rest[end - 1] != '\r') {
		static_cast<void>(wrong("expected CRLF"));
		return std::nullopt;
	}
	return rest.substr(0, end - 1);
}

/** A whole command, from the start to at_. */
command_reader::found command_reader::finish()
{
	arguments_.clear();
	for (const place &each : places_) {
		arguments_.push_back(bytes_.substr(start_ + each.at, each.length));
	}
	places_.clear();
	start_ += at_;
	at_ = 0;
	count_.reset();
	return found::command;
}

command_reader::found command_reader::read_inline()
{
	// Redis takes a bare line feed here, and people's tools send it.
	const std::string_view rest = bytes_.substr(start_);
	const std::size_t end = rest.substr(0, limits_.most_inline + 1).find('\n');
	if (end == std::string_view::npos) {
		return rest.size() > limits_.most_inline ? wrong("too big inline request")
							 : found::nothing;
	}
	start_ += end + 1;
	unquoted_.clear();
	if (!split(rest.substr(0, end), unquoted_)) {
		return wrong("unbalanced quotes in request");
	}
	arguments_.assign(unquoted_.begin(), unquoted_.end());
	return found::command;
}

command_reader::found command_reader::next()
{
	while (error_.empty()) {
		if (!count_) {
			if (left() == 0) {
				return found::nothing;
			}
			if (bytes_[start_] != '*') {
				const found got = read_inline();
				if (got == found::command && arguments_.empty()) {
					continue; // An empty line.
				}
				return got;
			}
			const auto digits = line(1, longest_number, "too big mbulk count string");
			if (!digits) {
				break;
			}
			const auto count = number(*digits);
			if (!count || (*count > 0 && static_cast<std::uint64_t>(*count) >
							     limits_.most_arguments)) {
				return wrong("invalid multibulk length");
			}
			at_ = 1 + digits->size() + 2;
			if (*count <= 0) { // Nothing, as Redis has it.
				start_ += at_;
				at_ = 0;
				continue;
			}
			count_ = static_cast<std::size_t>(*count);
		}
		if (places_.size() == *count_) {
			return finish();
		}
		if (!bulk_) {
			if (left() == at_) {
				return found::nothing;
			}
			if (bytes_[start_ + at_] != '$') {
				const char which = bytes_[start_ + at_];
				return wrong(std::string("expected '$', got '") +
					     (which >= ' ' && which <= '~' ? which : '?') + "'");
			}
			const auto digits =
				line(at_ + 1, longest_number, "too big bulk count string");
			if (!digits) {
				break;
			}
			const auto length = number(*digits);
			at_ += 1 + digits->size() + 2;
			if (!length || *length < 0 || at_ > limits_.most_command ||
			    static_cast<std::uint64_t>(*length) > limits_.most_command - at_) {
				return wrong("invalid bulk length");
			}
			bulk_ = static_cast<std::size_t>(*length);
		}
		if (left() - at_ < *bulk_ + 2) {
			return found::nothing;
		}
		if (bytes_.substr(start_ + at_ + *bulk_, 2) != "\r\n") {
			return wrong("expected CRLF");
		}
		places_.push_back({at_, *bulk_});
		at_ += *bulk_ + 2;
		bulk_.reset();
	}
	return error_.empty() ? found::nothing : found::error;
}

} // namespace sdp::redis
