// SPDX-License-Identifier: Apache-2.0
/** @file What loadmodule is given: words, in pairs. Without I/O. */
#ifndef SDP_REDIS_ARGUMENTS_HPP
#define SDP_REDIS_ARGUMENTS_HPP

#include <sdp/address.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace sdp::redis {

struct arguments {
	address local = address::any(ip::v6, 0); /**< of both versions of IP */
	std::filesystem::path chain, key, authorities, revoked;
	/** Redis's user for a certificate's name; "*": for all others. */
	std::map<std::string, std::string, std::less<>> users;
	std::chrono::seconds idle{3600};     /**< connections that say nothing are forgotten */
	std::size_t most_command = 64 << 20; /**< bytes of one command */
	std::size_t most_reply = 64 << 20;   /**< bytes of the replies to one call */
	std::size_t most_held = 256 << 20;   /**< bytes kept between calls, of all connections */

	/** Whom a certificate of @p name is to Redis; its own name where nothing is said. */
	[[nodiscard]] std::string user_of(std::string_view name) const;
};

/** When what is silent is looked for, and how many of such looks it may be silent for. */
struct silence_rule {
	std::chrono::milliseconds tick{};
	std::uint64_t ticks = 0; /**< within which it has to say something; with more it is old */
};

/** Whoever is silent is forgotten after @p idle, and an eighth or a minute more at most. */
[[nodiscard]] silence_rule silence_rule_of(std::chrono::seconds idle) noexcept;

/** @throws std::invalid_argument says which word makes no sense. */
[[nodiscard]] arguments parse_arguments(std::span<const std::string_view> words);

} // namespace sdp::redis

#endif
