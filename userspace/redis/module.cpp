// SPDX-License-Identifier: Apache-2.0
// The module as Redis loads it: loadmodule sdp.so port 6380 cert FILE key FILE ca FILE ...
#include "module_api.hpp"
#include "service.hpp"

#include <exception>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sdp::redis {

namespace {

constexpr const char *name = "sdp";
constexpr int module_version = 1;

/** Never destroyed but by unloading: Redis may exit from within a command. */
std::optional<service> &the_service()
{
	static auto &is = *new std::optional<service>();
	return is;
}

void info(RedisModuleInfoCtx *on, int /*for_crash_report*/)
{
	const auto &is = the_service();
	if (!is || api::redis.InfoAddSection(on, "clients") != api::ok) {
		return;
	}
	const service_counts now = is->counts();
	const auto add = [on](const char *what, unsigned long long value) {
		api::redis.InfoAddFieldULongLong(on, what, value);
	};
	add("peers", now.peers);
	add("connections", now.connections);
	add("held_bytes", now.held);
	add("calls", now.calls);
	add("commands", now.commands);
	add("refused_calls", now.refused);
	add("unanswered_calls", now.unanswered);
	add("forgotten_connections", now.forgotten);
}

/** @return why not, or an empty string. */
std::string start(RedisModuleCtx *on, std::span<RedisModuleString *> given)
{
	using api::redis;
	if (redis.GetServerVersion() < api::least_server) {
		return "it needs Redis 7.0 or newer";
	}
	if ((redis.GetContextFlags(on) & api::clustered) != 0) {
		return "it does not serve clusters";
	}
	std::vector<std::string_view> words;
	for (const RedisModuleString *each : given) {
		std::size_t length = 0;
		const char *const bytes = redis.StringPtrLen(each, &length);
		words.emplace_back(bytes, length);
	}
	try {
		the_service().emplace(on, parse_arguments(words));
		redis.Log(on, "notice", "ready to accept messages at %s",
			  the_service()->local().text().c_str());
	} catch (const std::exception &error) {
		return error.what();
	}
	return redis.RegisterInfoFunc(on, info) == api::ok ? "" : "no INFO";
}

} // namespace

} // namespace sdp::redis

extern "C" {

[[gnu::visibility("default")]] int RedisModule_OnLoad(RedisModuleCtx *on, RedisModuleString **words,
						      int count);
[[gnu::visibility("default")]] int RedisModule_OnUnload(RedisModuleCtx *on);

int RedisModule_OnLoad(RedisModuleCtx *on, RedisModuleString **words, int count)
{
	namespace api = sdp::redis::api;
	const auto missing = api::load(on);
	const auto complain = [on](const std::string &text) {
		if (api::redis.Log != nullptr) {
			api::redis.Log(on, "warning", "%s", text.c_str());
		}
		return api::error;
	};
	if (!missing.empty()) {
		std::string names;
		for (const std::string &each : missing) {
			names += " RedisModule_" + each;
		}
		return complain("this Redis does not have" + names + "; 7.0 has");
	}
	if (api::redis.IsModuleNameBusy(sdp::redis::name) != 0) {
		return complain("it is loaded already");
	}
	api::redis.SetModuleAttribs(on, sdp::redis::name, sdp::redis::module_version, api::version);
	const std::string wrong = sdp::redis::start(on, {words, static_cast<std::size_t>(count)});
	if (!wrong.empty()) {
		sdp::redis::the_service().reset();
		return complain(wrong);
	}
	return api::ok;
}

int RedisModule_OnUnload(RedisModuleCtx * /*on*/)
{
	auto &is = sdp::redis::the_service();
	if (is && is->runs()) {
		return sdp::redis::api::error;
	}
	is.reset();
	return sdp::redis::api::ok;
}
}
