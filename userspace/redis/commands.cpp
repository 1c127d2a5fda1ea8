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
	if (what.name != "xread" && what.name != "xreadgroup") {
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

bool restores(std::string_view name) noexcept
{
	return name == "restore" || name == "restore-asking" || name == "function|restore";
}

bool ends_scripts(const command_facts &what, std::span<const std::string_view> arguments) noexcept
{
	return arguments.size() == 2 &&
	       (what.name == "script|kill" || what.name == "function|kill" ||
		what.name == "function|stats" ||
		(what.name == "shutdown" && same(arguments[1], "nosave")));
}

bool is_taken_when_busy(command_kind kind) noexcept
{
	return kind == multi || kind == discard || kind == unwatch || kind == reset || kind == quit;
}

bool is_name(std::string_view text) noexcept
{
	return std::ranges::all_of(
		text, [](char each) { return each >= '!' && each <= '~' && each != '|'; });
}

std::string unknown_command(std::span<const std::string_view> arguments, bool is_container)
{
	constexpr std::size_t most = 128;
	const std::string first(arguments[0].substr(0, most));
	if (is_container && arguments.size() > 1) {
		std::string upper(first);
		std::ranges::transform(upper, upper.begin(), [](char each) {
			return each >= 'a' && each <= 'z' ? static_cast<char>(each - 'a' + 'A')
							  : each;
		});
		return "ERR unknown subcommand '" + std::string(arguments[1].substr(0, most)) +
		       "'. Try " + upper + " HELP.";
	}
	std::string others;
	for (const std::string_view each : arguments.subspan(1)) {
		if (others.size() >= most) {
			break;
		}
		others += "'" + std::string(each.substr(0, most - others.size())) + "' ";
	}
	return "ERR unknown command '" + first + "', with args beginning with: " + others;
}

bool is_of_server(std::string_view error) noexcept
{
	static constexpr std::array<std::string_view, 4> codes{"READONLY ", "NOREPLICAS ",
							       "MISCONF ", "MASTERDOWN "};
	return std::ranges::any_of(codes, [&](auto code) { return error.starts_with(code); });
}

std::uint64_t lower_limit(std::uint64_t maxmemory) noexcept
{
	constexpr std::uint64_t part = 64;
	return maxmemory > part ? maxmemory - maxmemory / part : maxmemory + 1;
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
