// SPDX-License-Identifier: Apache-2.0
// Messages by Protocol Buffers (inventory.proto), on channels and coroutines:
//
// inventory CREDENTIALS serve ADDRESS:PORT                    a service
// inventory CREDENTIALS HOST:PORT put NAME COUNT [PLACE...]   asks one
// inventory CREDENTIALS HOST:PORT get NAME...                 all at once
#include "inventory.pb.h"

#include <cerrno>
#include <charconv>
#include <iostream>
#include <map>
#include <mutex>
#include <optional>
#include <sdp/channel.hpp>
#include <sdp/error.hpp>
#include <sdp/listener.hpp>
#include <sdp/task.hpp>
#include <sdp/tls_plugin.hpp>
#include <string>
#include <vector>

namespace {

constexpr sdp::status no_such_item = sdp::application_status(0);

/** Bytes of a body as a message; empty: they are none. */
template <typename Message>
std::optional<Message> parse(sdp::bytes_view body)
{
	Message made;
	if (!made.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
		return std::nullopt;
	}
	return made;
}

/** A call whose request and answer are messages. */
template <typename Answer, typename Asked>
sdp::task<sdp::result<Answer>> call(sdp::channel &to, std::string method, Asked asked)
{
	const std::string body = asked.SerializeAsString();
	const auto got = co_await to.call(method, body);
	if (!got) {
		co_return got.error();
	}
	auto answer = parse<Answer>(got->body());
	if (!answer) {
		const sdp::failure why{sdp::executed::executed, sdp::make_code(EPROTO),
				       "the answer is not the message that was expected"};
		co_return why;
	}
	co_return *std::move(answer);
}

class service {
public:
	/** A coroutine, for it may wait for other services. */
	sdp::task<void> handle(sdp::request asked)
	{
		if (asked.method() == "put") {
			answer<inventory::Item>(asked,
						[this](const auto &item) { return put(item); });
		} else if (asked.method() == "get") {
			answer<inventory::Name>(asked,
						[this](const auto &name) { return get(name); });
		} else {
			asked.refuse(sdp::status::no_such_method, asked.method().text());
		}
		co_return;
	}

private:
	template <typename Asked, typename Work>
	static void answer(sdp::request &to, const Work &work)
	{
		const auto asked = parse<Asked>(to.body());
		if (!asked) {
			to.refuse(sdp::status::malformed, "not the message that was expected");
		} else if (const std::optional<inventory::Item> found = work(*asked)) {
			to.answer(found->SerializeAsString());
		} else {
			to.refuse(no_such_item, "no such item");
		}
	}
	std::optional<inventory::Item> put(const inventory::Item &item)
	{
		const std::scoped_lock held(lock_);
		return items_[item.name()] = item;
	}
	std::optional<inventory::Item> get(const inventory::Name &which)
	{
		const std::scoped_lock held(lock_);
		const auto found = items_.find(which.name());
		return found == items_.end() ? std::nullopt : std::optional(found->second);
	}

	std::mutex lock_;
	std::map<std::string, inventory::Item> items_;
};

int serve(const std::string &where, const std::shared_ptr<sdp::credentials> &who)
{
	service all;
	sdp::listener on(sdp::address::resolve(where), who);
	on.serve_async([&](sdp::request asked) { return all.handle(std::move(asked)); }, 2);
	return 0;
}

int print(const sdp::result<inventory::Item> &got)
{
	if (!got) {
		std::cerr << "inventory: " << got.error().describe() << '\n';
		return 1;
	}
	std::cout << got->name() << ": " << got->count();
	for (const std::string &place : got->places()) {
		std::cout << ' ' << place;
	}
	std::cout << '\n';
	return 0;
}

int put(sdp::channel &to, const std::vector<std::string> &words)
{
	std::uint32_t count = 0;
	const std::string &digits = words.at(1);
	const auto [end, wrong] =
		std::from_chars(digits.data(), digits.data() + digits.size(), count);
	if (wrong != std::errc() || end != digits.data() + digits.size()) {
		std::cerr << "inventory: not a number: " << digits << '\n';
		return 2;
	}
	inventory::Item item;
	item.set_name(words.at(0));
	item.set_count(count);
	item.mutable_places()->Add(words.begin() + 2, words.end());
	return print(sdp::sync_wait(call<inventory::Item>(to, "put", item)));
}

int get(sdp::channel &to, const std::vector<std::string> &names)
{
	std::vector<sdp::task<sdp::result<inventory::Item>>> all;
	for (const std::string &name : names) {
		inventory::Name which;
		which.set_name(name);
		all.push_back(call<inventory::Item>(to, "get", which));
	}
	int failed = 0;
	for (const auto &each : sdp::sync_wait(sdp::when_all(std::move(all)))) {
		failed |= print(each);
	}
	return failed;
}

} // namespace

int main(int argc, char **argv)
try {
	const std::vector<std::string> words(argv + 1, argv + argc);
	if (words.size() == 3 && words[1] == "serve") {
		return serve(words[2], sdp::tls::from_folder(words[0]));
	}
	const bool is_put = words.size() >= 5 && words[2] == "put";
	const bool is_get = words.size() >= 4 && words[2] == "get";
	if (!is_put && !is_get) {
		std::cerr << "usage: inventory CREDENTIALS serve ADDRESS:PORT\n"
			     "       inventory CREDENTIALS HOST:PORT put NAME COUNT [PLACE...]\n"
			     "       inventory CREDENTIALS HOST:PORT get NAME...\n";
		return 2;
	}
	sdp::channel to(words[1], sdp::tls::from_folder(words[0]));
	const std::vector<std::string> rest(words.begin() + 3, words.end());
	return is_put ? put(to, rest) : get(to, rest);
} catch (const std::exception &error) {
	std::cerr << "inventory: " << error.what() << '\n';
	return 1;
}
