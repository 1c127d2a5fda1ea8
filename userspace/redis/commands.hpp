// SPDX-License-Identifier: Apache-2.0
/** @file What is done with each command: most go to Redis as they are. Without I/O. */
#ifndef SDP_REDIS_COMMANDS_HPP
#define SDP_REDIS_COMMANDS_HPP

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sdp::redis {

enum class command_kind : std::uint8_t {
	ordinary, /**< Redis runs it */
	refused,  /**< it needs what a client of SDP is not: somebody who is told things unasked */
	multi,
	exec,
	discard,
	select,
	auth,
	hello,
	quit,
	reset,
	watch,
	unwatch,
	client,
	module,
};

/** @param name in lower case. */
[[nodiscard]] command_kind kind_of(std::string_view name) noexcept;

/** Lower case, of ASCII letters alone. */
[[nodiscard]] std::string lower(std::string_view text);
/** Whether they are the same but for the case of ASCII letters. */
[[nodiscard]] bool same(std::string_view a, std::string_view b) noexcept;

/** What Redis says of a command: of a subcommand, where it has such. */
struct command_facts {
	command_kind kind = command_kind::ordinary;
	long long arity =
		0; /**< negative: at least so many arguments, the name included; 0: unknown */
	bool has_subcommands = false;
	bool writes = false;
	bool noscript = false;
	bool blocks = false;
	bool uses_memory = false; /**< not above maxmemory */
	bool no_multi = false;    /**< not within MULTI */

	[[nodiscard]] bool is_known() const noexcept { return arity != 0; }
	[[nodiscard]] bool fits(std::size_t count) const noexcept
	{
		const auto given = static_cast<long long>(count);
		return arity >= 0 ? given == arity : given >= -arity;
	}
};

/** Whether a command that can block would: those that read streams do so when told. */
[[nodiscard]] bool would_block(const command_facts &what,
			       std::span<const std::string_view> arguments) noexcept;

/** Whether it reads what DUMP has made. Redis ends itself when that is damaged and no client of its
 * own has sent it: whoever may do this could end the server. */
[[nodiscard]] bool restores(std::span<const std::string_view> arguments) noexcept;

/** Whether Redis runs it while a script is running: it ends that script, or the server, or
 * tells of it. */
[[nodiscard]] bool ends_scripts(std::span<const std::string_view> arguments) noexcept;

/** Whether a command is taken while a script is running: those that change what is remembered of
 * the connection alone. A transaction of which a part came meanwhile has to fail as a whole. */
[[nodiscard]] bool is_taken_when_busy(std::string_view name) noexcept;

/** How RedisModule_Call is told, but for the arguments. */
struct call_format {
	bool resp3 = false;
	bool as_user = true;     /**< with the user's rights; else with all */
	bool for_script = false; /**< refused where writes are */
	bool when_full = false;  /**< also above maxmemory: Redis evicts */
	[[nodiscard]] const char *text() const noexcept;
};

/** A simple error: CR and LF in @p text become spaces. */
void append_error(std::string &to, std::string_view text);

} // namespace sdp::redis

#endif
