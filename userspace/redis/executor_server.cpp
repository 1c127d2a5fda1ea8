// SPDX-License-Identifier: Apache-2.0
/** @file What an executor asks of the server itself: its state, its commands, its memory. */
#include "executor.hpp"
#include "replies.hpp"

#include <charconv>
#include <chrono>
#include <utility>

namespace sdp::redis {

using api::redis;

namespace {

constexpr int full_and_evicting = api::above_maxmemory | api::evicts;
/** Where nothing can be evicted, it is tried again after this: each time Redis logs that. */
constexpr std::chrono::seconds between_tries{1};

} // namespace

void executor::look_at_server()
{
	state_ = redis.GetContextFlags(context_);
	if ((state_ & full_and_evicting) != full_and_evicting) {
		cannot_evict_ = false;
		return;
	}
	if ((state_ & (api::script_runs | api::loading)) != 0 || lowered_ != 0) {
		return;
	}
	const auto now = std::chrono::steady_clock::now();
	if (cannot_evict_ && now - tried_ < between_tries) {
		return;
	}
	tried_ = now;
	evicted_ = evicted();
	// Redis evicts before the commands of its own clients, and, in its loop's timers, after
	// this setting has changed: to a lower one, for what is written next.
	const std::uint64_t most = maxmemory();
	const std::uint64_t lower = lower_limit(most);
	if (most != 0 && set_maxmemory(lower)) {
		limit_ = most;
		lowered_ = lower;
	}
}

void executor::look_after_timers()
{
	const bool was_lowered = restore_maxmemory();
	state_ = redis.GetContextFlags(context_);
	if (was_lowered && (state_ & api::script_runs) == 0) {
		cannot_evict_ = evicted() == evicted_;
	}
	if ((state_ & full_and_evicting) != full_and_evicting) {
		cannot_evict_ = false;
	}
}

bool executor::restore_maxmemory()
{
	const std::uint64_t lowered = std::exchange(lowered_, 0);
	if (lowered != 0 && maxmemory() == lowered) { // Nobody else has set it meanwhile.
		set_maxmemory(limit_);
	}
	return lowered != 0;
}

bool executor::holds_up(int state) const noexcept
{
	return (state & api::limits_memory) != 0 && ((state & api::evicts) == 0 || cannot_evict_);
}

bool executor::is_full() const
{
	const int now = redis.GetContextFlags(context_);
	return (now & api::above_maxmemory) != 0 && holds_up(now);
}

std::uint64_t executor::maxmemory() const
{
	const reply got(redis.Call(context_, "CONFIG", "cc", "GET", "maxmemory"));
	std::uint64_t bytes = 0;
	if (got && redis.CallReplyType(got.get()) == api::is_array &&
	    redis.CallReplyLength(got.get()) == 2) {
		const std::string_view text = text_of(redis.CallReplyArrayElement(got.get(), 1));
		std::from_chars(text.data(), text.data() + text.size(), bytes);
	}
	return bytes;
}

bool executor::set_maxmemory(std::uint64_t bytes)
{
	const std::string text = std::to_string(bytes);
	const reply done(redis.Call(context_, "CONFIG", "ccc", "SET", "maxmemory", text.c_str()));
	return done && redis.CallReplyType(done.get()) != api::is_error;
}

std::uint64_t executor::evicted() const
{
	RedisModuleServerInfoData *const info = redis.GetServerInfo(context_, "stats");
	const auto keys = redis.ServerInfoGetFieldUnsigned(info, "evicted_keys", nullptr);
	redis.FreeServerInfo(context_, info);
	return keys;
}

bool executor::can_log_in(const redis_string &who) const
{
	const reply got(redis.Call(context_, "ACL", "cs", "GETUSER", who.get()));
	if (!got || redis.CallReplyType(got.get()) != api::is_array ||
	    redis.CallReplyLength(got.get()) < 2) {
		return false;
	}
	// Pairs, of which the first are its flags.
	RedisModuleCallReply *const flags = redis.CallReplyArrayElement(got.get(), 1);
	const std::size_t count = redis.CallReplyLength(flags);
	for (std::size_t i = 0; i < count; ++i) {
		if (text_of(redis.CallReplyArrayElement(flags, i)) == "on") {
			return true;
		}
	}
	return false;
}

std::uint64_t executor::room_for_clients(std::uint64_t ours) const
{
	RedisModuleServerInfoData *const info = redis.GetServerInfo(context_, "clients");
	int failed = api::ok;
	const auto most = redis.ServerInfoGetFieldUnsigned(info, "maxclients", &failed);
	const auto there = redis.ServerInfoGetFieldUnsigned(info, "connected_clients", nullptr);
	redis.FreeServerInfo(context_, info);
	const std::uint64_t taken = there + ours;
	return failed != api::ok || most <= taken ? 0 : most - taken;
}

std::string executor::missing_command()
{
	// Under these names nothing else may be, either: SETRANGE is what refusal_of_server()
	// asks with.
	for (const char *const each : {"command", "acl", "config", "exists", "setrange"}) {
		const command_facts *const found = look_up(each);
		if (found == nullptr || found->name != each) {
			return each;
		}
	}
	return {};
}

std::string executor::refusal_of_server(const command_facts &what)
{
	const bool may_be_stale = (state_ & api::stale) != 0 && !what.stale;
	if (!what.writes && !may_be_stale) {
		return {};
	}
	// With the checks of scripts (S), a call of a command that changes nothing says why not: on
	// a replica, without enough replicas, after a failed save, without a master.
	const reply got(what.writes ? redis.Call(context_, "SETRANGE", "ESccc", "sdp", "0", "")
				    : redis.Call(context_, "EXISTS", "ESc", "sdp"));
	if (!got || redis.CallReplyType(got.get()) != api::is_error) {
		return {};
	}
	std::string_view text = text_of(got.get());
	if (text.starts_with('-')) {
		text.remove_prefix(1);
	}
	while (text.ends_with('\n') || text.ends_with('\r')) {
		text.remove_suffix(1);
	}
	return is_of_server(text) ? std::string(text) : std::string();
}

const command_facts *executor::look_up(const std::string &name)
{
	const reply got(redis.Call(context_, "COMMAND", "cc", "INFO", name.c_str()));
	if (!got || redis.CallReplyType(got.get()) != api::is_array) {
		return nullptr;
	}
	RedisModuleCallReply *const one = redis.CallReplyArrayElement(got.get(), 0);
	if (one == nullptr || redis.CallReplyType(one) != api::is_array ||
	    redis.CallReplyLength(one) < 3) {
		return nullptr;
	}
	// Redis's own name of it: rename-command gives others.
	command_facts facts{.name = lower(text_of(redis.CallReplyArrayElement(one, 0))),
			    .arity = redis.CallReplyInteger(redis.CallReplyArrayElement(one, 1))};
	if (facts.name.empty()) {
		return nullptr;
	}
	facts.kind = kind_of(facts.name.substr(0, facts.name.find('|')));
	facts.restores = restores(facts.name);
	RedisModuleCallReply *const flags = redis.CallReplyArrayElement(one, 2);
	const std::size_t count = redis.CallReplyLength(flags);
	for (std::size_t i = 0; i < count; ++i) {
		const std::string_view flag = text_of(redis.CallReplyArrayElement(flags, i));
		facts.writes |= flag == "write";
		facts.noscript |= flag == "noscript";
		facts.blocks |= flag == "blocking";
		facts.uses_memory |= flag == "denyoom";
		facts.no_multi |= flag == "no_multi";
		facts.stale |= flag == "stale";
	}
	constexpr std::size_t subcommands = 9;
	if (redis.CallReplyLength(one) > subcommands) {
		facts.has_subcommands =
			redis.CallReplyLength(redis.CallReplyArrayElement(one, subcommands)) > 0;
	}
	return &known_.emplace(name, std::move(facts)).first->second;
}

const command_facts *executor::facts_of(words arguments)
{
	// Names that are longer are none over SDP.
	std::array<char, 2 * longest_name> room{};
	std::size_t length = 0;
	const auto find = [&](std::string_view more) -> const command_facts * {
		if (more.empty() || more.size() > longest_name - 1 || !is_name(more)) {
			return nullptr;
		}
		for (const char each : more) {
			room[length++] =
				each >= 'A' && each <= 'Z' ? static_cast<char>(each + 32) : each;
		}
		const std::string_view name(room.data(), length);
		const auto found = known_.find(name);
		return found == known_.end() ? look_up(std::string(name)) : &found->second;
	};
	const command_facts *const container = find(arguments[0]);
	if (container == nullptr || !container->has_subcommands || arguments.size() < 2) {
		return container;
	}
	room[length++] = '|';
	return find(arguments[1]);
}

std::string executor::unknown(words arguments)
{
	const command_facts *const container = facts_of(arguments.first(1));
	return unknown_command(arguments, container != nullptr && container->has_subcommands);
}

} // namespace sdp::redis
