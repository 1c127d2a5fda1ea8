// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"

#include <algorithm>
#include <array>
#include <iterator>

namespace sdp::redis {

namespace {

using enum command_kind;

struct named {
	std::string_view name;
	command_kind kind;
};

constexpr named special[] = {
	{"multi", multi},
	{"exec", exec},
	{"discard", discard},
	{"select", select},
	{"auth", auth},
	{"hello", hello},
	{"quit", quit},
	{"reset", reset},
	{"watch", watch},
	{"unwatch", unwatch},
	{"client", client},
	{"module", module},
	{"subscribe", refused},
	{"psubscribe", refused},
	{"ssubscribe", refused},
	{"unsubscribe", refused},
	{"punsubscribe", refused},
	{"sunsubscribe", refused},
	{"monitor", refused},
	{"sync", refused},
	{"psync", refused},
	{"replconf", refused},
	{"readonly", refused},
	{"readwrite", refused},
	{"asking", refused},
	{"wait", refused}, // Before Redis 7.2 a module's call of it does not return a reply.
};

constexpr char lower(char which) noexcept
{
	return which >= 'A' && which <= 'Z' ? static_cast<char>(which - 'A' + 'a') : which;
}

} // namespace

command_kind kind_of(std::string_view name) noexcept
{
	const auto *const found = std::ranges::find(special, name, &named::name);
	return found == std::end(special) ? ordinary : found->kind;
}

std::string lower(std::string_view text)
{
	std::string made(text);
	std::ranges::transform(made, made.begin(), [](char each) { return lower(each); });
	return made;
}

bool same(std::string_view a, std::string_view b) noexcept
{
	return std::ranges::equal(
		a, b, {}, [](char each) { return lower(each); },
		[](char each) { return lower(each); });
}

bool would_block(const command_facts &what, std::span<const std::string_view> arguments) noexcept
{
	if (!what.blocks) {
		return false;
	}
	if (!same(arguments[0], "xread") && !same(arguments[0], "xreadgroup")) {
		return true;
	}
	for (std::size_t i = 1; i < arguments.size(); ++i) {
		if (same(arguments[i], "block")) {
			return true;
		}
		if (same(arguments[i], "streams")) {
			return false;
		}
		if (same(arguments[i], "group")) {
			i += 2; // Names, which may be any.
		}
	}
	return false;
}

bool restores(std::span<const std::string_view> arguments) noexcept
{
	return same(arguments[0], "restore") || same(arguments[0], "restore-asking") ||
	       (arguments.size() > 1 && same(arguments[0], "function") &&
		same(arguments[1], "restore"));
}

bool ends_scripts(std::span<const std::string_view> arguments) noexcept
{
	if (arguments.size() != 2) {
		return false;
	}
	return ((same(arguments[0], "script") || same(arguments[0], "function")) &&
		same(arguments[1], "kill")) ||
	       (same(arguments[0], "function") && same(arguments[1], "stats")) ||
	       (same(arguments[0], "shutdown") && same(arguments[1], "nosave"));
}

bool is_taken_when_busy(std::string_view name) noexcept
{
	return same(name, "multi") || same(name, "discard") || same(name, "reset") ||
	       same(name, "quit");
}

const char *call_format::text() const noexcept
{
	// E: errors are replies; !: to replicas and the append-only file; C: as the context's
	// user; S: checks of scripts, M: of maxmemory; 3: RESP3. Arguments are the caller's.
	static constexpr std::array<const char *, 16> all{
		"!EM", "!EM3", "!EMC", "!EMC3", "!EMS", "!EMS3", "!EMCS", "!EMCS3",
		"!E",  "!E3",  "!EC",  "!EC3",  "!ES",  "!ES3",  "!ECS",  "!ECS3"};
	return all[(resp3 ? 1U : 0U) + (as_user ? 2U : 0U) + (for_script ? 4U : 0U) +
		   (when_full ? 8U : 0U)];
}

void append_error(std::string &to, std::string_view text)
{
	to += '-';
	for (const char each : text) {
		to += each == '\r' || each == '\n' ? ' ' : each;
	}
	to += "\r\n";
}

} // namespace sdp::redis
