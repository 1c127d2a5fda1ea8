// SPDX-License-Identifier: Apache-2.0
#include "executor.hpp"

#include "during.hpp"
#include "replies.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <utility>

namespace sdp::redis {

namespace {

using api::redis;

/** How a module is told that a user may not. */
constexpr std::string_view before_7_2 = "-ERR acl verification failed";
constexpr std::string_view full = "OOM command not allowed when used memory > 'maxmemory'.";
constexpr std::string_view busy =
	"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
constexpr std::string_view loading = "LOADING Redis is loading the dataset in memory";

struct user_freed {
	void operator()(RedisModuleUser *which) const noexcept { redis.FreeModuleUser(which); }
};
using user = std::unique_ptr<RedisModuleUser, user_freed>;

/** Arguments as Redis takes them, freed afterwards; most commands have few. */
class arguments_of {
public:
	explicit arguments_of(std::span<const std::string_view> from)
	{
		all_.reserve(from.size());
		for (const std::string_view each : from) {
			all_.push_back(redis.CreateString(nullptr, each.data(), each.size()));
		}
	}
	~arguments_of()
	{
		for (RedisModuleString *each : all_) {
			redis.FreeString(nullptr, each);
		}
	}
	arguments_of(const arguments_of &) = delete;
	arguments_of &operator=(const arguments_of &) = delete;
	arguments_of(arguments_of &&) = delete;
	arguments_of &operator=(arguments_of &&) = delete;

	[[nodiscard]] RedisModuleString **data() noexcept { return all_.data(); }
	[[nodiscard]] std::size_t size() const noexcept { return all_.size(); }

private:
	std::vector<RedisModuleString *> all_;
};

/**
 * The first arguments are bytes, of which Redis makes strings that are its alone. A string that we
 * hold too is shared: Redis would not store it as the number that it is, nor without room behind
 * it. A variadic function takes no more than are written here; the others are ours.
 */
RedisModuleCallReply *call_redis(RedisModuleCtx *on, const std::string &name, std::string_view how,
				 std::span<const std::string_view> arguments)
{
	constexpr std::size_t most = 8;
	const std::size_t count = std::min(most, arguments.size());
	std::string format(how); // Short: no memory is taken for it.
	format.append(count, 'b');
	arguments_of others(arguments.subspan(count));
	if (others.size() > 0) {
		format += 'v';
	}
	std::array<std::string_view, most> own{};
	std::ranges::copy(arguments.first(count), own.begin());
	// What the format does not name is not looked at.
	return redis.Call(on, name.c_str(), format.c_str(), own[0].data(), own[0].size(),
			  own[1].data(), own[1].size(), own[2].data(), own[2].size(), own[3].data(),
			  own[3].size(), own[4].data(), own[4].size(), own[5].data(), own[5].size(),
			  own[6].data(), own[6].size(), own[7].data(), own[7].size(), others.data(),
			  others.size());
}

/** What a client's name may be. */
bool is_plain(std::string_view text) noexcept
{
	return std::ranges::all_of(text, [](char each) { return each >= '!' && each <= '~'; });
}

void append_bulk(std::string &to, std::string_view text)
{
	to += '$';
	to += std::to_string(text.size());
	to += "\r\n";
	to += text;
	to += "\r\n";
}

void append_arity(std::string &to, std::string_view name)
{
	append_error(to, "ERR wrong number of arguments for '" + lower(name) + "' command");
}

std::string no_permission(std::span<const std::string_view> arguments)
{
	return "NOPERM this user has no permissions to run the '" + lower(arguments[0]) +
	       "' command or to access its keys or channels";
}

} // namespace

redis_string::redis_string(std::string_view text)
	: is_(redis.CreateString(nullptr, text.data(), text.size()),
	      [](RedisModuleString *which) { redis.FreeString(nullptr, which); })
{
}

std::string_view redis_string::view() const noexcept
{
	std::size_t length = 0;
	const char *const bytes = is_ ? redis.StringPtrLen(is_.get(), &length) : nullptr;
	return bytes == nullptr ? std::string_view() : std::string_view(bytes, length);
}

executor *executor::the_one_;

executor::executor(RedisModuleCtx *loader) : context_(redis.GetDetachedThreadSafeContext(loader))
{
	const std::string missing = missing_command();
	if (!missing.empty()) {
		redis.FreeThreadSafeContext(context_);
		throw std::runtime_error("it needs the command " + missing +
					 ", which is renamed or away");
	}
	the_one_ = this;
	filter_ = redis.RegisterCommandFilter(context_, filter, 0);
}

executor::~executor()
{
	the_one_ = nullptr;
	restore_maxmemory();
	// Redis drops it with a module that it has loaded, but not with one that could not be.
	redis.UnregisterCommandFilter(context_, filter_);
	redis.FreeThreadSafeContext(context_);
}

void executor::go_to(int database)
{
	if (database != database_ && redis.SelectDb(context_, database) == api::ok) {
		database_ = database;
	}
}

bool executor::call(const connection &of, const command_facts &what, words arguments,
		    std::string &out, bool as_user)
{
	const user who(redis.GetModuleUserFromUserName(of.user.get()));
	if (!who) {
		append_error(out, "NOAUTH there is no user '" + std::string(of.user.view()) + "'");
		return false;
	}
	const std::string name(arguments[0]); // Plain: it is known.
	go_to(of.database);
	const call_format format{.resp3 = of.resp3,
				 .as_user = as_user,
				 .for_script = what.writes && !what.noscript,
				 .when_full = of.in_exec || !holds_up(state_)};
	struct as {
		as(RedisModuleCtx *on, const RedisModuleUser *who) : on_(on)
		{
			redis.SetContextUser(on, who);
		}
		~as() { redis.SetContextUser(on_, nullptr); }
		as(const as &) = delete;
		as &operator=(const as &) = delete;
		as(as &&) = delete;
		as &operator=(as &&) = delete;

	private:
		RedisModuleCtx *on_;
	};
	const reply got = [&] {
		const as rights(context_, who.get());
		const during now(running_, running_ + 1);
		return reply(call_redis(context_, name, format.text(), arguments.subspan(1)));
	}();
	if (!got) {
		append_error(out, "ERR Redis does not run '" + name + "' for a module");
		return false;
	}
	std::size_t length = 0;
	const char *const bytes = redis.CallReplyProto(got.get(), &length);
	std::string_view said(bytes, length);
	if (said.starts_with(before_7_2)) { // Redis says NOPERM to its own clients.
		out += "-NOPERM ";
		said.remove_prefix(sizeof("-ERR ") - 1);
	}
	out += said;
	return length > 0 && bytes[0] != '-';
}

bool executor::is_allowed(const connection &of, words arguments) const
{
	const user who(redis.GetModuleUserFromUserName(of.user.get()));
	arguments_of all(arguments);
	return who && redis.ACLCheckCommandPermissions(who.get(), all.data(),
						       static_cast<int>(all.size())) == api::ok;
}

void executor::run(connection &of, const redis_string &first, words arguments, std::string &out)
{
	if ((state_ & api::script_runs) != 0) {
		// Of a message with several: the script may have been its command before this one.
		state_ = redis.GetContextFlags(context_);
	}
	const command_facts *const found = facts_of(arguments);
	if (found == nullptr) {
		refuse(of, command_kind::ordinary, unknown(arguments), out);
		return;
	}
	const command_facts &what = *found;
	if ((state_ & api::script_runs) != 0 && !ends_scripts(what, arguments) &&
	    !is_taken_when_busy(what.kind)) {
		refuse(of, what.kind, busy, out);
		return;
	}
	if ((state_ & api::loading) != 0) {
		refuse(of, what.kind, loading, out);
		return;
	}
	if (what.restores) {
		refuse(of, what.kind, "ERR RESTORE and FUNCTION RESTORE are not possible over SDP",
		       out);
		return;
	}
	if (!what.fits(arguments.size())) {
		refuse(of, what.kind,
		       "ERR wrong number of arguments for '" + what.name + "' command", out);
		return;
	}
	const bool at_once = what.kind == command_kind::exec ||
			     what.kind == command_kind::discard ||
			     what.kind == command_kind::quit || what.kind == command_kind::reset ||
			     what.kind == command_kind::multi || what.kind == command_kind::watch;
	if (of.queue && !at_once) {
		enqueue(of, what, arguments, out);
	} else {
		dispatch(of, first, what, arguments, out);
	}
}

void executor::refuse(connection &of, command_kind kind, std::string_view why, std::string &out)
{
	if (kind == command_kind::exec) {
		of.queue.reset();
		of.watched.reset();
		constexpr std::string_view general = "ERR ";
		why.remove_prefix(why.starts_with(general) ? general.size() : 0);
		append_error(out,
			     "EXECABORT Transaction discarded because of: " + std::string(why));
		return;
	}
	if (of.queue) {
		of.queue->failed = true;
	}
	append_error(out, why);
}

void executor::dispatch(connection &of, const redis_string &first, const command_facts &what,
			words arguments, std::string &out)
{
	const bool is_ours =
		what.kind == command_kind::multi || what.kind == command_kind::exec ||
		what.kind == command_kind::discard || what.kind == command_kind::watch ||
		what.kind == command_kind::unwatch || what.kind == command_kind::client;
	if (is_ours && !is_allowed(of, arguments)) {
		refuse(of, what.kind, no_permission(arguments), out);
		return;
	}
	const std::string name = lower(arguments[0]);
	switch (what.kind) {
	case command_kind::ordinary:
		if (!of.in_exec && would_block(what, arguments)) {
			append_error(out, "ERR '" + name +
						  "' would block, which is not possible "
						  "over SDP; within MULTI it does not");
			return;
		}
		// A call says of other writes itself what they wait for.
		if (!of.in_exec && (!what.writes || what.noscript)) {
			const std::string why = refusal_of_server(what);
			if (!why.empty()) {
				append_error(out, why);
				return;
			}
		}
		call(of, what, arguments, out);
		return;
	case command_kind::refused:
		append_error(out, "ERR '" + name + "' is not possible over SDP");
		return;
	case command_kind::multi:
		if (of.queue) {
			append_error(out, "ERR MULTI calls can not be nested");
			return;
		}
		of.queue.emplace();
		out += "+OK\r\n";
		return;
	case command_kind::exec:
		execute_queue(of, first, out);
		return;
	case command_kind::discard:
		if (!of.queue) {
			append_error(out, "ERR DISCARD without MULTI");
			return;
		}
		of.queue.reset();
		of.watched.reset();
		out += "+OK\r\n";
		return;
	case command_kind::watch:
		watch(of, arguments, out);
		return;
	case command_kind::unwatch:
		of.watched.reset();
		out += "+OK\r\n";
		return;
	case command_kind::select:
		select(of, what, arguments, out);
		return;
	case command_kind::auth:
		authenticate(of, arguments, out);
		return;
	case command_kind::hello:
		hello(of, arguments, out);
		return;
	case command_kind::quit:
		of.ended = true;
		out += "+OK\r\n";
		return;
	case command_kind::reset:
		of.queue.reset();
		of.watched.reset();
		of.database = 0;
		of.resp3 = false;
		of.name.clear();
		of.user = first;
		out += "+RESET\r\n";
		return;
	case command_kind::client:
		client(of, what, arguments, out);
		return;
	case command_kind::module:
		if (arguments.size() == 3 && same(arguments[1], "unload") &&
		    arguments[2] == "sdp") {
			append_error(out, "ERR 'sdp' cannot be unloaded over SDP");
			return;
		}
		call(of, what, arguments, out);
		return;
	}
}

void executor::enqueue(connection &of, const command_facts &what, words arguments, std::string &out)
{
	if (what.kind == command_kind::refused || what.kind == command_kind::auth ||
	    what.kind == command_kind::hello) {
		refuse(of, what.kind,
		       "ERR '" + lower(arguments[0]) + "' is not possible within MULTI", out);
		return;
	}
	if (what.no_multi) {
		refuse(of, what.kind, "ERR Command not allowed inside a transaction", out);
		return;
	}
	if (!is_allowed(of, arguments)) {
		refuse(of, what.kind, no_permission(arguments), out);
		return;
	}
	// Whatever it is: what is queued takes memory.
	if (is_full()) {
		refuse(of, what.kind, full, out);
		return;
	}
	const std::string why = refusal_of_server(what);
	if (!why.empty()) {
		refuse(of, what.kind, why, out);
		return;
	}
	of.queue->writes |= what.writes;
	of.queue->needs_fresh |= !what.stale;
	of.queue->uses_memory |= what.uses_memory;
	auto &one = of.queue->queued.emplace_back(arguments.begin(), arguments.end());
	for (const std::string &each : one) {
		of.queue->bytes += sizeof(each) + each.capacity();
	}
	of.queue->bytes += 2 * sizeof(one); // There is room for as many again.
	out += "+QUEUED\r\n";
}

void executor::execute_queue(connection &of, const redis_string &first, std::string &out)
{
	if (!of.queue) {
		append_error(out, "ERR EXEC without MULTI");
		return;
	}
	const connection::transaction all = std::move(*of.queue);
	of.queue.reset();
	// Once for all of them, as Redis does: half a transaction is none.
	std::string why(all.uses_memory && is_full() ? full : std::string_view());
	if (why.empty()) {
		why = refusal_of_server({.writes = all.writes, .stale = !all.needs_fresh});
	}
	if (!why.empty()) {
		refuse(of, command_kind::exec, why, out);
		return;
	}
	const bool is_other = has_changed(of);
	of.watched.reset();
	if (all.failed) {
		append_error(out, "EXECABORT Transaction discarded because of previous errors.");
		return;
	}
	if (is_other) {
		out += of.resp3 ? "_\r\n" : "*-1\r\n";
		return;
	}
	out += '*' + std::to_string(all.queued.size()) + "\r\n";
	const during now(of.in_exec, true);
	std::vector<std::string_view> arguments;
	for (const auto &each : all.queued) {
		arguments.assign(each.begin(), each.end());
		const command_facts *const what = facts_of(arguments);
		if (what == nullptr) { // It went with its module.
			append_error(out, unknown(arguments));
		} else {
			dispatch(of, first, *what, arguments, out);
		}
	}
}

void executor::select(connection &of, const command_facts &what, words arguments, std::string &out)
{
	if (!call(of, what, arguments, out)) {
		return;
	}
	int number = 0;
	std::from_chars(arguments[1].data(), arguments[1].data() + arguments[1].size(), number);
	of.database = number;
}

void executor::authenticate(connection &of, words arguments, std::string &out)
{
	// Whoever may do nothing else may still do this.
	if (call(of, {}, arguments, out, false)) {
		of.user = redis_string(arguments.size() == 3 ? arguments[1] : "default");
	}
}

void executor::hello(connection &of, words arguments, std::string &out)
{
	bool resp3 = of.resp3;
	std::optional<std::string_view> name;
	words credentials;
	if (arguments.size() > 1) {
		if (arguments[1] != "2" && arguments[1] != "3") {
			append_error(out, "NOPROTO unsupported protocol version");
			return;
		}
		resp3 = arguments[1] == "3";
	}
	for (std::size_t i = 2; i < arguments.size(); ++i) {
		if (same(arguments[i], "auth") && i + 2 < arguments.size()) {
			credentials = arguments.subspan(i, 3);
			i += 2;
		} else if (same(arguments[i], "setname") && i + 1 < arguments.size() &&
			   is_plain(arguments[i + 1])) {
			name = arguments[++i];
		} else {
			append_error(out, "ERR Syntax error in HELLO option '" +
						  std::string(arguments[i].substr(0, 64)) + "'");
			return;
		}
	}
	if (!credentials.empty()) {
		std::string said;
		authenticate(of, credentials, said);
		if (said.starts_with('-')) {
			out += said;
			return;
		}
	}
	if (name) {
		of.name = *name;
	}
	of.resp3 = resp3;
	call(of, {}, arguments.first(1), out, false);
}

void executor::client(connection &of, const command_facts &what, words arguments, std::string &out)
{
	const std::string_view which = arguments[1];
	if (same(which, "id")) {
		out += ':' + std::to_string(of.id) + "\r\n";
	} else if (same(which, "getname")) {
		if (of.name.empty()) {
			out += of.resp3 ? "_\r\n" : "$-1\r\n";
		} else {
			append_bulk(out, of.name);
		}
	} else if (same(which, "setname")) {
		if (arguments.size() != 3) {
			append_arity(out, "client|setname");
		} else if (!is_plain(arguments[2])) {
			append_error(out, "ERR Client names cannot contain spaces, newlines or "
					  "special characters.");
		} else {
			of.name = arguments[2];
			out += "+OK\r\n";
		}
	} else if (same(which, "list") || same(which, "kill") || same(which, "pause") ||
		   same(which, "unpause") || same(which, "unblock") || same(which, "help")) {
		call(of, what, arguments, out);
	} else {
		append_error(out, "ERR 'client " + lower(which.substr(0, longest_name)) +
					  "' is not possible over SDP");
	}
}

} // namespace sdp::redis
