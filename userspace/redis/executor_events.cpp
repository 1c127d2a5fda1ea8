// SPDX-License-Identifier: Apache-2.0
/** @file What Redis tells an executor of: keys that change, for WATCH, and commands of scripts. */
#include "executor.hpp"

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
	RedisModuleCallReply *const got = redis.Call(context_, "EXISTS", "s", name.get());
	if (got == nullptr) {
		return false;
	}
	const bool is_there = redis.CallReplyInteger(got) == 1;
	redis.FreeCallReply(got);
	return is_there;
}

void executor::filter(RedisModuleCommandFilterCtx *on) noexcept
{
	if (the_one_ == nullptr || the_one_->running_ == 0) {
		return;
	}
	std::size_t length = 0;
	const char *const bytes = redis.StringPtrLen(redis.CommandFilterArgGet(on, 0), &length);
	const std::string_view name(bytes, length);
	if (restores({&name, 1})) {
		constexpr std::string_view unknown = "restore-is-not-possible-over-sdp";
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
