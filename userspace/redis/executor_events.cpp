// SPDX-License-Identifier: Apache-2.0
/** @file What Redis tells an executor of: keys that change, for WATCH, and commands of scripts. */
#include "executor.hpp"

#include "during.hpp"
#include "replies.hpp"

#include <array>
#include <exception>
#include <utility>

namespace sdp::redis {

using api::redis;

void executor::watch(connection &of, words arguments, std::string &out)
{
	if (of.queue) {
		append_error(out, "ERR WATCH inside MULTI is not allowed");
		return;
	}
	listen_to_changes();
	if (!of.watched) {
		of.watched.emplace(watches_);
	}
	for (const std::string_view key : arguments.subspan(1)) {
		of.watched->add(of.database, key, exists(of.database, key));
	}
	out += "+OK\r\n";
}

bool executor::has_changed(connection &of)
{
	if (!of.watched) {
		return false;
	}
	// What has expired is noticed, and told of, when somebody looks for it; what was not there
	// may have come with another database.
	for (const auto &each : of.watched->keys()) {
		if (of.watched->is_touched() || exists(each.database, each.key) != each.existed) {
			return true;
		}
		if (!each.existed) {
			of.watched->forgive(); // It came, but has expired: it is not there either.
		}
	}
	return of.watched->is_touched();
}

bool executor::exists(int database, std::string_view key)
{
	go_to(database);
	const redis_string name(key);
	const reply got(redis.Call(context_, "EXISTS", "s", name.get()));
	return got && redis.CallReplyInteger(got.get()) == 1;
}

void executor::filter(RedisModuleCommandFilterCtx *on) noexcept
{
	executor *const me = the_one_;
	// Its own look-ups are none of these.
	if (me == nullptr || me->running_ == 0 || me->is_filtering_) {
		return;
	}
	const during now(me->is_filtering_, true);
	std::array<std::string_view, 2> start;
	std::size_t count = 0;
	for (std::string_view &each : start) {
		const RedisModuleString *const word =
			redis.CommandFilterArgGet(on, static_cast<int>(count));
		if (word == nullptr) {
			break;
		}
		std::size_t length = 0;
		const char *const bytes = redis.StringPtrLen(word, &length);
		each = {bytes, length};
		++count;
	}
	bool is_refused = true;
	try {
		// What cannot be looked up may be any: Redis compares names up to a zero.
		const command_facts *const what = me->facts_of(words(start).first(count));
		is_refused = what == nullptr || what->restores;
	} catch (const std::exception &) {
		is_refused = true; // No memory for it.
	}
	if (is_refused) {
		constexpr std::string_view unknown = "this-is-not-possible-over-sdp";
		redis.CommandFilterArgReplace(
			on, 0, redis.CreateString(nullptr, unknown.data(), unknown.size()));
	}
}

void executor::listen_to_changes()
{
	if (std::exchange(is_told_, true)) {
		return;
	}
	redis.SubscribeToKeyspaceEvents(context_, api::changes, changed);
	redis.SubscribeToServerEvent(context_, api::flushing, happened);
	redis.SubscribeToServerEvent(context_, api::swapped, happened);
}

int executor::changed(RedisModuleCtx *on, int /*type*/, const char * /*event*/,
		      RedisModuleString *key) noexcept
{
	if (the_one_ != nullptr) {
		std::size_t length = 0;
		const char *const bytes = redis.StringPtrLen(key, &length);
		the_one_->watches_.touch(redis.GetSelectedDb(on), {bytes, length});
	}
	return api::ok;
}

void executor::happened(RedisModuleCtx * /*on*/, api::server_event what, std::uint64_t which,
			void *more) noexcept
{
	if (the_one_ == nullptr) {
		return;
	}
	if (what.id == api::flushing.id && which == api::flush_begins) {
		the_one_->watches_.flush(static_cast<const api::flush_facts *>(more)->database);
	} else if (what.id == api::swapped.id) {
		const auto *const databases = static_cast<const api::swap_facts *>(more);
		the_one_->watches_.flush(databases->one);
		the_one_->watches_.flush(databases->other);
	}
}

} // namespace sdp::redis
