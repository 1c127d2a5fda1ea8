// SPDX-License-Identifier: Apache-2.0
/** @file Commands of one connection, and Redis's own, run as that connection's user. */
#ifndef SDP_REDIS_EXECUTOR_HPP
#define SDP_REDIS_EXECUTOR_HPP

#include "command_reader.hpp"
#include "commands.hpp"
#include "module_api.hpp"
#include "watches.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sdp::redis {

/** A string of Redis's; copies share it. */
class redis_string {
public:
	redis_string() noexcept = default;
	explicit redis_string(std::string_view text);
	[[nodiscard]] RedisModuleString *get() const noexcept { return is_.get(); }
	[[nodiscard]] std::string_view view() const noexcept;

private:
	std::shared_ptr<RedisModuleString> is_;
};

/** What Redis remembers of a client. */
struct connection {
	explicit connection(const reader_limits &limits) : reader(limits) {}

	/** Between MULTI and EXEC. */
	struct transaction {
		std::vector<std::vector<std::string>> queued{};
		std::size_t bytes = 0;
		bool failed = false;
		bool uses_memory = false; /**< one of them does, as with the others: */
		bool writes = false;
		bool needs_fresh = false; /**< not what a replica without its master has */
	};

	std::uint64_t id = 0;
	redis_string user{};
	int database = 0;
	bool resp3 = false;
	std::optional<transaction> queue{};
	std::optional<watches::list> watched{};
	std::string name{};
	command_reader reader;
	std::string rest{};      /**< of a reply: what did not fit one message */
	std::size_t told = 0;    /**< of it */
	bool in_exec = false;    /**< it runs what was queued */
	bool ended = false;      /**< it said QUIT, or something that is no RESP */
	bool runs = false;       /**< one of its commands: it may not go away */
	std::uint64_t last = 0;  /**< tick of its last call */
	std::size_t counted = 0; /**< what held() was when it was last counted */

	/** Bytes that are kept between calls. */
	[[nodiscard]] std::size_t held() const noexcept
	{
		return reader.held() + (queue ? queue->bytes : 0) +
		       (watched ? watched->bytes() : 0) + rest.capacity();
	}
};

/** May be entered again while Redis runs a script. */
class executor {
public:
	/** @param loader a context of this module's. @throws std::runtime_error if this server
	 * lacks a command that is needed. */
	explicit executor(RedisModuleCtx *loader);
	~executor();
	executor(const executor &) = delete;
	executor &operator=(const executor &) = delete;
	executor(executor &&) = delete;
	executor &operator=(executor &&) = delete;

	/** Runs one command, and appends its reply. @param first the user after RESET. */
	void run(connection &of, const redis_string &first,
		 std::span<const std::string_view> arguments, std::string &out);

	/** For what wants one. */
	[[nodiscard]] RedisModuleCtx *context() const noexcept { return context_; }
	/** What state Redis is in; in its loop, before its timers, in which it evicts if it has to.
	 */
	void look_at_server();
	/** Likewise after its timers, before the commands of some calls. */
	void look_after_timers();
	/** A script is running, which Redis looks at its events from within. */
	[[nodiscard]] bool is_busy() const noexcept { return (state_ & api::script_runs) != 0; }
	/** Whether there is such a user, and it is on. */
	[[nodiscard]] bool can_log_in(const redis_string &user) const;
	/** How many more clients Redis would take. */
	[[nodiscard]] std::uint64_t room_for_clients(std::uint64_t ours) const;

private:
	using words = std::span<const std::string_view>;

	struct hash {
		using is_transparent = void;
		std::size_t operator()(std::string_view text) const noexcept
		{
			return std::hash<std::string_view>()(text);
		}
	};

	void dispatch(connection &of, const redis_string &first, const command_facts &what,
		      words arguments, std::string &out);
	void enqueue(connection &of, const command_facts &what, words arguments, std::string &out);
	void execute_queue(connection &of, const redis_string &first, std::string &out);
	/** Of what is not run: a transaction that it belongs to fails, one that it ends is none. */
	void refuse(connection &of, command_kind kind, std::string_view why, std::string &out);
	/** Whether Redis is above maxmemory, and does not evict or cannot. */
	[[nodiscard]] bool is_full() const;
	/** In such a state, what needs memory is refused above maxmemory. */
	[[nodiscard]] bool holds_up(int state) const noexcept;
	/** Why the server takes nothing like it now: a replica, a failed save; else empty. */
	[[nodiscard]] std::string refusal_of_server(const command_facts &what);
	[[nodiscard]] std::uint64_t maxmemory() const;
	bool set_maxmemory(std::uint64_t bytes);
	/** @return whether it was lowered. */
	bool restore_maxmemory();
	/** Keys, since the server began. */
	[[nodiscard]] std::uint64_t evicted() const;
	/** Of those that are called here; empty if there is none. */
	[[nodiscard]] std::string missing_command();
	void watch(connection &of, words arguments, std::string &out);
	/** Whether what is watched is not what it was. */
	[[nodiscard]] bool has_changed(connection &of);
	[[nodiscard]] bool exists(int database, std::string_view key);
	/** Commands of scripts too: those of ours may not restore. */
	static void filter(RedisModuleCommandFilterCtx *on) noexcept;
	/** Redis tells of all that changes, from the first WATCH on. */
	void listen_to_changes();
	static int changed(RedisModuleCtx *on, int type, const char *event,
			   RedisModuleString *key) noexcept;
	static void happened(RedisModuleCtx *on, api::server_event what, std::uint64_t which,
			     void *more) noexcept;
	void select(connection &of, const command_facts &what, words arguments, std::string &out);
	void authenticate(connection &of, words arguments, std::string &out);
	void hello(connection &of, words arguments, std::string &out);
	void client(connection &of, const command_facts &what, words arguments, std::string &out);
	[[nodiscard]] bool is_allowed(const connection &of, words arguments) const;
	/** Has Redis run it. @return whether the reply is no error. */
	bool call(const connection &of, const command_facts &what, words arguments,
		  std::string &out, bool as_user = true);
	/** Null: there is no such command, or subcommand. They stay where they are. */
	[[nodiscard]] const command_facts *facts_of(words arguments);
	/** An error that says so. */
	[[nodiscard]] std::string unknown(words arguments);
	[[nodiscard]] const command_facts *look_up(const std::string &name);
	void go_to(int database);

	RedisModuleCtx *context_;
	int database_ = 0; /**< of the context */
	int state_ = 0;    /**< of the server, as GetContextFlags says it */
	int running_ = 0;  /**< calls of ours */
	bool is_filtering_ = false;
	RedisModuleCommandFilter *filter_ = nullptr;
	std::uint64_t limit_ = 0;   /**< maxmemory, while it is lowered */
	std::uint64_t lowered_ = 0; /**< to this */
	std::uint64_t evicted_ = 0; /**< when it was */
	std::chrono::steady_clock::time_point tried_{};
	bool cannot_evict_ = false; /**< then nothing was */
	watches watches_;
	bool is_told_ = false;     /**< of what changes */
	static executor *the_one_; /**< those events carry no data of a module's */
	std::unordered_map<std::string, command_facts, hash, std::equal_to<>> known_;
};

} // namespace sdp::redis

#endif
