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

/** Longer than any command's name with its subcommand. */
inline constexpr std::size_t longest_name = 64;

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

/** @param name Redis's own, in lower case: there are others for it (rename-command). */
[[nodiscard]] command_kind kind_of(std::string_view name) noexcept;

/** Lower case, of ASCII letters alone. */
[[nodiscard]] std::string lower(std::string_view text);
/** Whether they are the same but for the case of ASCII letters. */
[[nodiscard]] bool same(std::string_view a, std::string_view b) noexcept;

/** What Redis says of a command: of a subcommand, where it has such. */
struct command_facts {
	std::string name{}; /**< Redis's own, in lower case, with "|" before a subcommand */
	command_kind kind = command_kind::ordinary;
	long long arity = 0; /**< negative: at least so many arguments, the name included */
	bool has_subcommands = false;
	bool writes = false;
	bool noscript = false;
	bool blocks = false;
	bool uses_memory = false; /**< not above maxmemory */
	bool no_multi = false;    /**< not within MULTI */
	bool stale = false;       /**< also on a replica without its master */
	bool restores = false;

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
[[nodiscard]] bool restores(std::string_view name) noexcept;

/** Whether Redis runs it while a script is running: it ends that script, or the server, or
 * tells of it. */
[[nodiscard]] bool ends_scripts(const command_facts &what,
				std::span<const std::string_view> arguments) noexcept;

/** Whether a command is taken while a script is running: those that change what is remembered of
 * the connection alone. A transaction of which a part came meanwhile has to fail as a whole. */
[[nodiscard]] bool is_taken_when_busy(command_kind kind) noexcept;

/** Whether it may be looked up: visible ASCII, without what separates subcommands. */
[[nodiscard]] bool is_name(std::string_view text) noexcept;

/** As Redis says it. @param is_container the first is known, what is behind it not. */
[[nodiscard]] std::string unknown_command(std::span<const std::string_view> arguments,
					  bool is_container);

/** Whether an error says that this server takes no such command at present, whatever it is. */
[[nodiscard]] bool is_of_server(std::string_view error) noexcept;

/** What maxmemory is set to for a moment, so that Redis evicts: another that is not 0, and leaves
 * room for what is written before the next time. */
[[nodiscard]] std::uint64_t lower_limit(std::uint64_t maxmemory) noexcept;

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
