// SPDX-License-Identifier: Apache-2.0
#include <sdp/header.hpp>

#include "patience.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using sdp::append;
using sdp::header_error;
using sdp::metadata;
using sdp::parse_reply;
using sdp::parse_request;
using sdp::reply_header;
using sdp::request_header;
using bytes = std::vector<std::byte>;

bytes hex(std::string_view text)
{
	bytes all;
	std::string digits;
	for (const char c : text) {
		if (c == ' ') {
			continue;
		}
		digits += c;
		if (digits.size() == 2) {
			all.push_back(static_cast<std::byte>(std::stoi(digits, nullptr, 16)));
			digits.clear();
		}
	}
	return all;
}

template <typename Header>
bytes made(const Header &from)
{
	bytes all;
	EXPECT_EQ(append(all, from), header_error::none);
	return all;
}

bytes changed(bytes all, std::size_t at, int value)
{
	all.at(at) = static_cast<std::byte>(value);
	return all;
}

const request_header full{
	.method = "get", .metadata = {{"trace", "17"}, {"a.b-c_d", ""}}, .patience = 2500ms};

// As docs/rpc.md prints them.
TEST(header, bytes_of_a_request)
{
	EXPECT_EQ(made(full), hex("01 01 0000 0027 0003 02 00 0000 000009c4"
				  "676574"
				  "05 0002 7472616365 3137"
				  "07 0000 612e622d635f64"));
	EXPECT_EQ(made(request_header{.method = 7U}),
		  hex("01 01 0001 0014 0004 00 00 0000 00000000 00000007"));
}

TEST(header, bytes_of_a_reply)
{
	EXPECT_EQ(made(reply_header{.status = sdp::status::busy, .text = "no"}),
		  hex("01 02 0001 0012 0002 00 00 0000 00000000 6e6f"));
}

TEST(header, what_is_written_is_read)
{
	bytes all = made(full);
	const std::size_t length = all.size();
	all.push_back(std::byte{1});
	const auto said = parse_request(all);
	EXPECT_EQ(said.error, header_error::none);
	EXPECT_EQ(said.length, length);
	EXPECT_EQ(said.header, full);
	const reply_header answer{.status = sdp::application_status(3),
				  .text = "what",
				  .metadata = {{"k", std::string(8192, 'v')}}};
	EXPECT_EQ(parse_reply(made(answer)).header, answer);
	const request_header number{.method = 0xfedcba98U};
	EXPECT_EQ(parse_request(made(number)).header, number);
	const request_header question{.patience = std::chrono::seconds(1), .collects = true};
	EXPECT_EQ(parse_request(made(question)).header, question);
	EXPECT_EQ(made(question)[3], std::byte{3});
}

TEST(header, each_error)
{
	const bytes good = made(full);
	const struct {
		const char *what;
		bytes all;
		header_error error;
	} cases[] = {
		{"nothing", {}, header_error::truncated},
		{"one byte", hex("01"), header_error::truncated},
		{"another version", hex("02"), header_error::version},
		{"a reply", changed(good, 1, 2), header_error::kind},
		{"no kind", changed(good, 1, 0), header_error::kind},
		{"an unknown flag", changed(good, 3, 4), header_error::flags},
		{"a high flag", changed(good, 2, 0x80), header_error::flags},
		{"reserved byte", changed(good, 9, 1), header_error::flags},
		{"reserved word", changed(good, 11, 1), header_error::flags},
		{"longer than the message", changed(good, 5, 0x28), header_error::truncated},
		{"longer than any", changed(good, 4, 0x41), header_error::length},
		{"shorter than its parts", changed(good, 5, 0x26), header_error::length},
		{"no room for the method", changed(good, 5, 0x12), header_error::length},
		{"no method", changed(good, 7, 0), header_error::method_length},
		{"number of another length", changed(good, 3, 1), header_error::method_length},
		{"one pair less", changed(good, 8, 1), header_error::length},
		{"one pair more", changed(good, 8, 3), header_error::length},
		{"many pairs", changed(good, 8, 65), header_error::pair_count},
		{"an empty key", changed(changed(good, 19, 0), 21, 7), header_error::key_length},
		{"a capital", changed(good, 22, 'T'), header_error::key_bytes},
		{"a zero in a key", changed(good, 22, 0), header_error::key_bytes},
		{"a long value", changed(good, 20, 0x21), header_error::value_length},
		{"a value too long for the header", changed(good, 20, 1), header_error::length},
	};
	for (const auto &each : cases) {
		EXPECT_EQ(parse_request(each.all).error, each.error) << each.what;
	}
	bytes twice = made(request_header{.method = "m", .metadata = {{"a", "1"}, {"b", "2"}}});
	*std::ranges::find(twice, std::byte{'b'}) = std::byte{'a'};
	EXPECT_EQ(parse_request(twice).error, header_error::key_twice);
	EXPECT_EQ(parse_reply(changed(made(reply_header{}), 15, 1)).error, header_error::flags);
	EXPECT_EQ(parse_reply(good).error, header_error::kind);
}

TEST(header, limits_of_what_is_sent)
{
	const auto refused = [](const auto &what) {
		bytes all;
		const header_error said = append(all, what);
		EXPECT_TRUE(all.empty());
		return said;
	};
	EXPECT_EQ(refused(request_header{.method = ""}), header_error::method_length);
	EXPECT_EQ(refused(request_header{.method = std::string(256, 'm')}),
		  header_error::method_length);
	EXPECT_EQ(refused(request_header{.method = "m", .metadata = {{"A", ""}}}),
		  header_error::key_bytes);
	EXPECT_EQ(refused(request_header{.method = "m", .metadata = {{std::string(256, 'k'), ""}}}),
		  header_error::key_length);
	EXPECT_EQ(
		refused(request_header{.method = "m", .metadata = {{"k", std::string(8193, 'v')}}}),
		header_error::value_length);
	EXPECT_EQ(refused(reply_header{.text = std::string(1025, 't')}), header_error::text_length);
	metadata many;
	for (int i = 0; i < 65; ++i) {
		many.set("k" + std::to_string(i), "");
	}
	EXPECT_EQ(refused(reply_header{.metadata = many}), header_error::pair_count);
	const std::string half(8000, 'v');
	EXPECT_EQ(refused(reply_header{.metadata = {{"a", half}, {"b", half}, {"c", half}}}),
		  header_error::length);
}

// Whatever is cut off, or changed in any byte, is an error or another header, never a crash.
TEST(header, every_byte_changed_and_every_length)
{
	const bytes good = made(full);
	for (std::size_t length = 0; length < good.size(); ++length) {
		EXPECT_EQ(parse_request(std::span(good).first(length)).error,
			  header_error::truncated);
	}
	for (std::size_t at = 0; at < good.size(); ++at) {
		for (int value = 0; value < 256; ++value) {
			const bytes other = changed(good, at, value);
			const auto said = parse_request(other);
			if (said.error == header_error::none) {
				EXPECT_EQ(made(said.header),
					  bytes(other.begin(),
						other.begin() +
							static_cast<std::ptrdiff_t>(said.length)));
			}
		}
	}
}

TEST(header, patience_is_changed_in_place)
{
	bytes all = made(full);
	sdp::detail::set_patience(all, 77ms);
	EXPECT_EQ(parse_request(all).header.patience, 77ms);
	sdp::detail::set_patience(all, -1ms);
	EXPECT_EQ(parse_request(all).header.patience, 1ms);
}

TEST(header, errors_have_sentences)
{
	for (int i = 0; i <= static_cast<int>(header_error::value_length); ++i) {
		EXPECT_GT(describe(static_cast<header_error>(i)).size(), 4U);
	}
	EXPECT_EQ(describe(static_cast<header_error>(200)), "unknown");
}

TEST(metadata, a_key_is_there_once)
{
	metadata some{{"a", "1"}, {"a", "2"}};
	EXPECT_EQ(some.get("a"), "2");
	EXPECT_EQ(some.pairs().size(), 1U);
	EXPECT_EQ(some.get("b"), std::nullopt);
}

} // namespace
