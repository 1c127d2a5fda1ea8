// SPDX-License-Identifier: Apache-2.0
#include "executor.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

namespace sdp::redis {

namespace {

using api::redis;

/** Longer than any command's name with its subcommand. */
constexpr std::size_t longest_name = 64;
/** How a module is told that a user may not. */
constexpr std::string_view before_7_2 = "-ERR acl verification failed";
constexpr std::string_view full = "OOM command not allowed when used memory > 'maxmemory'.";
constexpr std::string_view busy =
	"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
constexpr std::string_view loading = "LOADING Redis is loading the dataset in memory";

struct reply_freed {
	void operator()(RedisModuleCallReply *which) const noexcept { redis.FreeCallReply(which); }
};
using reply = std::unique_ptr<RedisModuleCallReply, reply_freed>;

struct user_freed {
	void operator()(RedisModuleUser *which) const noexcept { redis.FreeModuleUser(which); }
};
using user = std::unique_ptr<RedisModuleUser, user_freed>;

std::string_view text_of(RedisModuleCallReply *of)
{
	std::size_t length = 0;
	const char *const bytes = redis.CallReplyStringPtr(of, &length);
	return bytes == nullptr ? std::string_view() : std::string_view(bytes, length);
}

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
	the_one_ = this;
	// Redis drops it with the module.
	redis.RegisterCommandFilter(context_, filter, 0);
}

executor::~executor()
{
	the_one_ = nullptr;
	redis.FreeThreadSafeContext(context_);
}

void executor::look_at_server()
{
	constexpr int full_and_evicting = api::above_maxmemory | api::evicts;
	state_ = redis.GetContextFlags(context_);
	if ((state_ & full_and_evicting) != full_and_evicting) {
		return;
	}
	// Redis evicts before the commands of its own clients, and when this setting is written.
	const reply now(redis.Call(context_, "CONFIG", "cc", "GET", "maxmemory"));
	if (now && redis.CallReplyLength(now.get()) == 2) {
		const std::string bytes(text_of(redis.CallReplyArrayElement(now.get(), 1)));
		const reply done(
			redis.Call(context_, "CONFIG", "ccc", "SET", "maxmemory", bytes.c_str()));
	}
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
	command_facts facts{.kind = kind_of(name.substr(0, name.find('|'))),
			    .arity = redis.CallReplyInteger(redis.CallReplyArrayElement(one, 1))};
	RedisModuleCallReply *const flags = redis.CallReplyArrayElement(one, 2);
	const std::size_t count = redis.CallReplyLength(flags);
	for (std::size_t i = 0; i < count; ++i) {
		const std::string_view flag = text_of(redis.CallReplyArrayElement(flags, i));
		facts.writes |= flag == "write";
		facts.noscript |= flag == "noscript";
		facts.blocks |= flag == "blocking";
		facts.uses_memory |= flag == "denyoom";
		facts.no_multi |= flag == "no_multi";
	}
	constexpr std::size_t subcommands = 9;
	if (redis.CallReplyLength(one) > subcommands) {
		facts.has_subcommands =
			redis.CallReplyLength(redis.CallReplyArrayElement(one, subcommands)) > 0;
	}
	return &known_.emplace(name, facts).first->second;
}

command_facts executor::facts_of(words arguments)
{
	std::array<char, longest_name> room{};
	std::size_t length = 0;
	const auto find = [&](std::string_view more) -> const command_facts * {
		if (more.size() > room.size() - length || more.find('|') != more.npos ||
		    !is_plain(more)) {
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
	const command_facts *what = find(arguments[0]);
	if (what == nullptr) {
		return {};
	}
	const command_facts container = *what;
	if (!container.has_subcommands || arguments.size() < 2 || length == room.size()) {
		return container;
	}
	room[length++] = '|';
	what = find(arguments[1]);
	return what == nullptr ? container : *what;
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
	// Redis takes the name as a string of C.
	const std::string name(arguments[0]);
	if (!is_plain(name)) {
		append_error(out, "ERR unknown command");
		return false;
	}
	go_to(of.database);
	const call_format format{.resp3 = of.resp3,
				 .as_user = as_user,
				 .for_script = what.writes && !what.noscript,
				 .when_full = (state_ & api::evicts) != 0};
	redis.SetContextUser(context_, who.get());
	++running_;
	const reply got(call_redis(context_, name, format.text(), arguments.subspan(1)));
	--running_;
	redis.SetContextUser(context_, nullptr);
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

bool executor::is_allowed(const connection &of, words arguments, std::string &out)
{
	const user who(redis.GetModuleUserFromUserName(of.user.get()));
	arguments_of all(arguments);
	if (who && redis.ACLCheckCommandPermissions(who.get(), all.data(),
						    static_cast<int>(all.size())) == api::ok) {
		return true;
	}
	append_error(out, "NOPERM this user has no permissions to run the '" + lower(arguments[0]) +
				  "' command or to access its keys or channels");
	return false;
}

void executor::run(connection &of, const redis_string &first, words arguments, std::string &out)
{
	if ((state_ & api::script_runs) != 0) {
		// Of a message with several: the script may have been its command before this one.
		state_ = redis.GetContextFlags(context_);
	}
	if ((state_ & api::script_runs) != 0 && !ends_scripts(arguments) &&
	    !is_taken_when_busy(arguments[0])) {
		put_off(of, arguments, busy, out);
		return;
	}
	if ((state_ & api::loading) != 0) {
		put_off(of, arguments, loading, out);
		return;
	}
	if (restores(arguments)) {
		put_off(of, arguments, "ERR RESTORE and FUNCTION RESTORE are not possible over SDP",
			out);
		return;
	}
	const command_facts what = facts_of(arguments);
	const bool at_once = what.kind == command_kind::exec ||
			     what.kind == command_kind::discard ||
			     what.kind == command_kind::quit || what.kind == command_kind::reset ||
			     what.kind == command_kind::multi || what.kind == command_kind::watch;
	if (of.queue && !at_once) {
		enqueue(of, what, arguments, out);
	} else {
		dispatch(of, first, what, arguments, out, false);
	}
}

void executor::put_off(connection &of, words arguments, std::string_view why, std::string &out)
{
	if (of.queue && same(arguments[0], "exec")) {
		of.queue.reset();
		of.watched.reset();
		append_error(out,
			     "EXECABORT Transaction discarded because of: " + std::string(why));
		return;
	}
	if (of.queue) {
		of.queue->failed = true;
	}
	append_error(out, why);
}

bool executor::is_full() const
{
	constexpr int flags = api::above_maxmemory | api::evicts;
	return (redis.GetContextFlags(context_) & flags) == api::above_maxmemory;
}

void executor::dispatch(connection &of, const redis_string &first, const command_facts &what,
			words arguments, std::string &out, bool in_exec)
{
	// Redis says what is wrong with those itself.
	if (!what.is_known() || !what.fits(arguments.size())) {
		call(of, what, arguments, out);
		return;
	}
	const bool is_ours =
		what.kind == command_kind::multi || what.kind == command_kind::exec ||
		what.kind == command_kind::discard || what.kind == command_kind::watch ||
		what.kind == command_kind::unwatch || what.kind == command_kind::client;
	if (is_ours && !is_allowed(of, arguments, out)) {
		return;
	}
	const std::string name = lower(arguments[0]);
	switch (what.kind) {
	case command_kind::ordinary:
		if (!in_exec && would_block(what, arguments)) {
			append_error(out, "ERR '" + name +
						  "' would block, which is not possible "
						  "over SDP; within MULTI it does not");
			return;
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
	if (!what.is_known() || !what.fits(arguments.size())) {
		call(of, what, arguments, out);
		of.queue->failed = true;
		return;
	}
	if (what.kind == command_kind::refused || what.kind == command_kind::auth ||
	    what.kind == command_kind::hello) {
		append_error(out, "ERR '" + lower(arguments[0]) + "' is not possible within MULTI");
		of.queue->failed = true;
		return;
	}
	if (what.no_multi) {
		append_error(out, "ERR Command not allowed inside a transaction");
		of.queue->failed = true;
		return;
	}
	if (!is_allowed(of, arguments, out)) {
		of.queue->failed = true;
		return;
	}
	// Whatever it is: what is queued takes memory.
	if (is_full()) {
		append_error(out, full);
		of.queue->failed = true;
		return;
	}
	of.queue->uses_memory |= what.uses_memory;
	auto &one = of.queue->queued.emplace_back(arguments.begin(), arguments.end());
	for (const std::string &each : one) {
		of.queue->bytes += sizeof(each) + each.capacity();
	}
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
	const bool is_other = has_changed(of);
	of.watched.reset();
	if (all.failed) {
		append_error(out, "EXECABORT Transaction discarded because of previous errors.");
		return;
	}
	if (all.uses_memory && is_full()) {
		append_error(out,
			     "EXECABORT Transaction discarded because of: " + std::string(full));
		return;
	}
	if (is_other) {
		out += of.resp3 ? "_\r\n" : "*-1\r\n";
		return;
	}
	out += '*' + std::to_string(all.queued.size()) + "\r\n";
	std::vector<std::string_view> arguments;
	for (const auto &each : all.queued) {
		arguments.assign(each.begin(), each.end());
		dispatch(of, first, facts_of(arguments), arguments, out, true);
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
