// SPDX-License-Identifier: Apache-2.0
#include <sdp/header.hpp>

#include "bytes.hpp"
#include "patience.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string>

namespace sdp::inline v0 {

namespace {

constexpr std::size_t fixed_length = 16;
constexpr std::size_t pair_head = 3;
constexpr std::uint8_t kind_request = 1;
constexpr std::uint8_t kind_reply = 2;
constexpr std::uint16_t flag_number = 1;
constexpr std::uint16_t flag_collects = 2;
constexpr std::size_t number_length = 4;
constexpr std::size_t patience_at = 12;

/** Both headers as they are on the wire. */
struct raw {
	std::uint8_t kind = 0;
	std::uint16_t word = 0;     /**< request: flags; reply: status */
	std::uint32_t patience = 0; /**< request: milliseconds; reply: zero */
	std::string name{};         /**< request: method; reply: text */
	sdp::metadata metadata{};
};

bool is_key_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

header_error check_key(std::string_view key)
{
	if (key.empty() || key.size() > most_key) {
		return header_error::key_length;
	}
	return std::ranges::all_of(key, is_key_byte) ? header_error::none : header_error::key_bytes;
}

header_error check_name(const raw &of)
{
	if (of.kind == kind_reply) {
		return of.name.size() > most_text ? header_error::text_length : header_error::none;
	}
	if ((of.word & flag_number) != 0) {
		return of.name.size() == number_length ? header_error::none
						       : header_error::method_length;
	}
	return of.name.empty() || of.name.size() > most_method ? header_error::method_length
							       : header_error::none;
}

template <typename T>
void put(std::vector<std::byte> &to, T value)
{
	for (std::size_t left = sizeof(T); left-- > 0;) {
		to.push_back(static_cast<std::byte>(value >> (8 * left) & 0xff));
	}
}

void put_text(std::vector<std::byte> &to, std::string_view text)
{
	const bytes_view bytes = as_bytes(text);
	to.insert(to.end(), bytes.begin(), bytes.end());
}

std::string text_of(bytes_view bytes)
{
	std::string text(bytes.size(), '\0');
	std::ranges::copy(bytes, std::as_writable_bytes(std::span(text)).begin());
	return text;
}

/** What is wrong, or the length in bytes. */
header_error measure(const raw &from, std::size_t &length)
{
	if (const header_error wrong = check_name(from); wrong != header_error::none) {
		return wrong;
	}
	const auto pairs = from.metadata.pairs();
	if (pairs.size() > most_metadata) {
		return header_error::pair_count;
	}
	length = fixed_length + from.name.size();
	for (const auto &[key, value] : pairs) {
		if (const header_error wrong = check_key(key); wrong != header_error::none) {
			return wrong;
		}
		if (value.size() > most_value) {
			return header_error::value_length;
		}
		length += pair_head + key.size() + value.size();
	}
	return length > most_header ? header_error::length : header_error::none;
}

header_error append_raw(std::vector<std::byte> &to, const raw &from)
{
	std::size_t length = 0;
	if (const header_error wrong = measure(from, length); wrong != header_error::none) {
		return wrong;
	}
	to.reserve(to.size() + length);
	put(to, header_version);
	put(to, from.kind);
	put(to, from.word);
	put(to, static_cast<std::uint16_t>(length));
	put(to, static_cast<std::uint16_t>(from.name.size()));
	put(to, static_cast<std::uint8_t>(from.metadata.pairs().size()));
	put(to, std::uint8_t{0});
	put(to, std::uint16_t{0});
	put(to, from.patience);
	put_text(to, from.name);
	for (const auto &[key, value] : from.metadata.pairs()) {
		put(to, static_cast<std::uint8_t>(key.size()));
		put(to, static_cast<std::uint16_t>(value.size()));
		put_text(to, key);
		put_text(to, value);
	}
	return header_error::none;
}

header_error parse_pairs(detail::reader &from, std::size_t count, metadata &into)
{
	while (count-- > 0) {
		if (from.left() < pair_head) {
			return header_error::length;
		}
		const auto key_size = from.number<std::uint8_t>();
		const auto value_size = from.number<std::uint16_t>();
		if (value_size > most_value) {
			return header_error::value_length;
		}
		if (from.left() < std::size_t{key_size} + value_size) {
			return header_error::length;
		}
		const std::string key = text_of(from.take(key_size));
		if (const header_error wrong = check_key(key); wrong != header_error::none) {
			return wrong;
		}
		if (into.get(key)) {
			return header_error::key_twice;
		}
		into.set(key, text_of(from.take(value_size)));
	}
	return from.left() == 0 ? header_error::none : header_error::length;
}

header_error parse_raw(bytes_view message, raw &into, std::size_t &length)
{
	const std::uint8_t wanted = into.kind;
	if (message.empty()) {
		return header_error::truncated;
	}
	// Of another version, nothing else can be said.
	if (std::to_integer<std::uint8_t>(message[0]) != header_version) {
		return header_error::version;
	}
	if (message.size() < fixed_length) {
		return header_error::truncated;
	}
	detail::reader fixed(message.first(fixed_length));
	fixed.take(1);
	into.kind = fixed.number<std::uint8_t>();
	into.word = fixed.number<std::uint16_t>();
	length = fixed.number<std::uint16_t>();
	const auto name_size = fixed.number<std::uint16_t>();
	const auto pairs = fixed.number<std::uint8_t>();
	const bool zeros = fixed.number<std::uint8_t>() == 0 && fixed.number<std::uint16_t>() == 0;
	into.patience = fixed.number<std::uint32_t>();
	if (into.kind != wanted) {
		return header_error::kind;
	}
	if (!zeros ||
	    (wanted == kind_request && (into.word & ~(flag_number | flag_collects)) != 0) ||
	    (wanted == kind_reply && into.patience != 0)) {
		return header_error::flags;
	}
	if (length > most_header || length < fixed_length + name_size) {
		return header_error::length;
	}
	if (length > message.size()) {
		return header_error::truncated;
	}
	if (pairs > most_metadata) {
		return header_error::pair_count;
	}
	detail::reader rest(message.first(length).subspan(fixed_length));
	into.name = text_of(rest.take(name_size));
	if (const header_error wrong = check_name(into); wrong != header_error::none) {
		return wrong;
	}
	return parse_pairs(rest, pairs, into.metadata);
}

std::string bytes_of(std::uint32_t number)
{
	std::vector<std::byte> bytes;
	put(bytes, number);
	return text_of(bytes);
}

std::uint32_t number_of(std::string_view bytes)
{
	return detail::reader(as_bytes(bytes)).number<std::uint32_t>();
}

std::uint32_t patience_of(std::chrono::milliseconds time, std::int64_t least)
{
	constexpr std::int64_t most = std::numeric_limits<std::uint32_t>::max();
	return static_cast<std::uint32_t>(std::clamp<std::int64_t>(time.count(), least, most));
}

} // namespace

void detail::set_patience(std::span<std::byte> request, std::chrono::milliseconds left) noexcept
{
	const std::uint32_t value = patience_of(left, 1);
	for (std::size_t i = 0; i < sizeof(value); ++i) {
		request[patience_at + i] =
			static_cast<std::byte>(value >> (8 * (sizeof(value) - 1 - i)) & 0xff);
	}
}

metadata::metadata() noexcept = default;
metadata::~metadata() = default;
metadata::metadata(const metadata &) = default;
metadata &metadata::operator=(const metadata &) = default;
metadata::metadata(metadata &&) noexcept = default;
metadata &metadata::operator=(metadata &&) noexcept = default;

metadata::metadata(std::initializer_list<pair> pairs)
{
	for (const auto &[key, value] : pairs) {
		set(key, value);
	}
}

void metadata::set(std::string_view key, std::string_view value)
{
	const auto found = std::ranges::find(pairs_, key, &pair::first);
	if (found != pairs_.end()) {
		found->second = value;
	} else {
		pairs_.emplace_back(key, value);
	}
}

std::optional<std::string_view> metadata::get(std::string_view key) const noexcept
{
	const auto found = std::ranges::find(pairs_, key, &pair::first);
	return found == pairs_.end() ? std::nullopt
				     : std::optional<std::string_view>(found->second);
}

bool operator==(const metadata &a, const metadata &b) noexcept
{
	return std::ranges::equal(a.pairs_, b.pairs_);
}

std::string_view describe(header_error what) noexcept
{
	constexpr auto texts = std::to_array<std::string_view>({
		"right",
		"the header ends too soon",
		"the header is of another version",
		"not a header of this kind",
		"a flag that means nothing, or a field that is not zero",
		"the header is too long, or its parts do not have its length",
		"the method's name is empty or too long, or its number not four bytes",
		"the status's text is too long",
		"too many pairs of metadata",
		"a key of metadata is empty or too long",
		"a key of metadata has other bytes than a-z, 0-9, '-', '_' and '.'",
		"a key of metadata is there twice",
		"a value of metadata is too long",
	});
	const auto index = static_cast<std::size_t>(what);
	return index < texts.size() ? texts.at(index) : "unknown";
}

header_error append(std::vector<std::byte> &to, const request_header &from)
{
	const bool number = from.method.is_number();
	const int flags = (number ? flag_number : 0) | (from.collects ? flag_collects : 0);
	return append_raw(to, {.kind = kind_request,
			       .word = static_cast<std::uint16_t>(flags),
			       .patience = patience_of(from.patience, 0),
			       .name = number ? bytes_of(from.method.number())
					      : std::string(from.method.name()),
			       .metadata = from.metadata});
}

header_error append(std::vector<std::byte> &to, const reply_header &from)
{
	return append_raw(to, {.kind = kind_reply,
			       .word = static_cast<std::uint16_t>(from.status),
			       .name = from.text,
			       .metadata = from.metadata});
}

parsed<request_header> parse_request(bytes_view message)
{
	raw all{.kind = kind_request};
	parsed<request_header> said;
	said.error = parse_raw(message, all, said.length);
	if (said.error == header_error::none) {
		said.header.method = (all.word & flag_number) != 0 ? method(number_of(all.name))
								   : method(all.name);
		said.header.metadata = std::move(all.metadata);
		said.header.patience = std::chrono::milliseconds(all.patience);
		said.header.collects = (all.word & flag_collects) != 0;
	}
	return said;
}

parsed<reply_header> parse_reply(bytes_view message)
{
	raw all{.kind = kind_reply};
	parsed<reply_header> said;
	said.error = parse_raw(message, all, said.length);
	if (said.error == header_error::none) {
		said.header.status = static_cast<status>(all.word);
		said.header.text = std::move(all.name);
		said.header.metadata = std::move(all.metadata);
	}
	return said;
}

} // namespace sdp::inline v0
