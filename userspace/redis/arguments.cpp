// SPDX-License-Identifier: Apache-2.0
#include "arguments.hpp"

#include <algorithm>
#include <charconv>
#include <set>
#include <stdexcept>
#include <utility>

namespace sdp::redis {

namespace {

[[noreturn]] void wrong(const std::string &text)
{
	throw std::invalid_argument(text);
}

std::uint64_t number(std::string_view name, std::string_view text, std::uint64_t least,
		     std::uint64_t most)
{
	std::uint64_t value = 0;
	const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
	if (error != std::errc() || end != text.data() + text.size() || value < least ||
	    value > most) {
		wrong(std::string(name) + " is a number from " + std::to_string(least) + " to " +
		      std::to_string(most) + ", not '" + std::string(text) + "'");
	}
	return value;
}

void add_user(arguments &to, std::string_view pair)
{
	const std::size_t at = pair.rfind('=');
	if (at == std::string_view::npos || at == 0 || at + 1 == pair.size()) {
		wrong("user-map is NAME=USER, a certificate's name and a user of Redis, not '" +
		      std::string(pair) + "'");
	}
	if (!to.users.emplace(pair.substr(0, at), pair.substr(at + 1)).second) {
		wrong("user-map says twice who '" + std::string(pair.substr(0, at)) + "' is");
	}
}

} // namespace

std::string arguments::user_of(std::string_view name) const
{
	auto found = users.find(name);
	if (found == users.end()) {
		found = users.find(std::string_view("*"));
	}
	return found == users.end() ? std::string(name) : found->second;
}

silence_rule silence_rule_of(std::chrono::seconds idle) noexcept
{
	using std::chrono::milliseconds;
	constexpr int looks = 8; // Within that time, unless they were too far apart.
	const milliseconds whole = idle;
	const milliseconds tick =
		std::clamp(whole / looks, milliseconds(100), milliseconds(60'000));
	const auto ticks = (whole + tick - milliseconds(1)) / tick;
	return {.tick = tick, .ticks = static_cast<std::uint64_t>(ticks)};
}

arguments parse_arguments(std::span<const std::string_view> words)
{
	constexpr std::uint64_t most_bytes = std::uint64_t{512} << 20;
	arguments said;
	std::set<std::string_view> seen;
	std::uint16_t port = 0;
	for (std::size_t i = 0; i < words.size(); i += 2) {
		const std::string_view name = words[i];
		if (i + 1 == words.size()) {
			wrong("'" + std::string(name) + "' has no value");
		}
		const std::string_view value = words[i + 1];
		if (name != "user-map" && !seen.insert(name).second) {
			wrong("'" + std::string(name) + "' is there twice");
		}
		if (name == "port") {
			port = static_cast<std::uint16_t>(number(name, value, 1, 32767));
		} else if (name == "bind") {
			try {
				said.local = address::parse(value);
			} catch (const std::invalid_argument &) {
				wrong("bind is an address, not '" + std::string(value) + "'");
			}
			if (said.local.port() != 0) {
				wrong("bind is an address without a port: that is 'port'");
			}
		} else if (name == "cert") {
			said.chain = value;
		} else if (name == "key") {
			said.key = value;
		} else if (name == "ca") {
			said.authorities = value;
		} else if (name == "revoked") {
			said.revoked = value;
		} else if (name == "user-map") {
			add_user(said, value);
		} else if (name == "idle") {
			said.idle = std::chrono::seconds(number(name, value, 1, 31'536'000));
		} else if (name == "max-command") {
			said.most_command = number(name, value, 1024, most_bytes);
		} else if (name == "max-reply") {
			said.most_reply = number(name, value, 1024, most_bytes);
		} else if (name == "max-held") {
			said.most_held = number(name, value, 1024, std::uint64_t{1} << 40);
		} else {
			wrong("nobody knows '" + std::string(name) +
			      "'; there are port, bind, cert, key, ca, revoked, user-map, idle, "
			      "max-command, max-reply, max-held");
		}
	}
	if (port == 0) {
		wrong("'port' is missing: 1 to 32767");
	}
	for (const auto &[name, path] : {std::pair("cert", said.chain), std::pair("key", said.key),
					 std::pair("ca", said.authorities)}) {
		if (path.empty()) {
			wrong(std::string("'") + name + "' is missing: a file in PEM");
		}
	}
	said.local = said.local.with_port(port);
	return said;
}

} // namespace sdp::redis
