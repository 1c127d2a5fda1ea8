// SPDX-License-Identifier: Apache-2.0
// kv CREDENTIALS serve ADDRESS:PORT            a key-value store in memory
// kv CREDENTIALS HOST:PORT put KEY VALUE       asks one
// kv CREDENTIALS HOST:PORT get KEY
// kv CREDENTIALS HOST:PORT load COUNT          puts so many at once
#include <iostream>
#include <map>
#include <mutex>
#include <sdp/channel.hpp>
#include <sdp/listener.hpp>
#include <sdp/task.hpp>
#include <sdp/tls_plugin.hpp>
#include <string>
#include <vector>

namespace {

constexpr sdp::status no_such_key = sdp::application_status(0);

class store {
public:
	void answer(sdp::request asked)
	{
		const auto key = asked.metadata().get("key");
		if (!key) {
			asked.refuse(sdp::status::malformed, "no key");
		} else if (asked.method() == "put") {
			{
				const std::scoped_lock held(lock_);
				all_[std::string(*key)] = asked.text();
			}
			asked.answer("");
		} else if (asked.method() == "get") {
			const auto value = find(std::string(*key));
			value ? asked.answer(*value) : asked.refuse(no_such_key, "no such key");
		} else {
			asked.refuse(sdp::status::no_such_method, asked.method().text());
		}
	}

private:
	std::optional<std::string> find(const std::string &key)
	{
		const std::scoped_lock held(lock_);
		const auto found = all_.find(key);
		return found == all_.end() ? std::nullopt : std::optional(found->second);
	}

	std::mutex lock_;
	std::map<std::string, std::string> all_;
};

int serve(const std::string &where, const std::shared_ptr<sdp::credentials> &who)
{
	store all;
	sdp::listener on(sdp::address::resolve(where), who);
	on.serve([&](sdp::request asked) { all.answer(std::move(asked)); }, 4);
	return 0;
}

/** Putting and getting the same twice does no harm: both may be sent again. */
sdp::call_options with_key(const std::string &key)
{
	return sdp::call_options().idempotent().with("key", key);
}

int say(const sdp::result<sdp::reply> &got)
{
	if (!got) {
		std::cerr << "kv: " << got.error().describe() << '\n';
		return 1;
	}
	std::cout << got->text() << '\n';
	return 0;
}

sdp::task<bool> put(sdp::channel &to, std::string key)
{
	const auto got = co_await to.call("put", "value of " + key, with_key(key));
	co_return got.has_value();
}

int load(sdp::channel &to, int count)
{
	const auto all = [&]() -> sdp::task<std::vector<bool>> {
		std::vector<sdp::task<bool>> each;
		for (int i = 0; i < count; ++i) {
			each.push_back(put(to, std::to_string(i)));
		}
		co_return co_await sdp::when_all(std::move(each));
	};
	int done = 0;
	for (const bool right : sdp::sync_wait(all())) {
		done += right ? 1 : 0;
	}
	std::cout << done << " of " << count << '\n';
	return done == count ? 0 : 1;
}

} // namespace

int main(int argc, char **argv)
try {
	const std::vector<std::string> said(argv + 1, argv + argc);
	if (said.size() == 3 && said[1] == "serve") {
		return serve(said[2], sdp::tls::from_folder(said[0]));
	}
	const bool puts = said.size() == 5 && said[2] == "put";
	const bool gets = said.size() == 4 && said[2] == "get";
	const bool loads = said.size() == 4 && said[2] == "load";
	if (!puts && !gets && !loads) {
		std::cerr
			<< "usage: kv CREDENTIALS serve ADDRESS:PORT\n"
			   "       kv CREDENTIALS HOST:PORT put KEY VALUE | get KEY | load COUNT\n";
		return 2;
	}
	sdp::channel to(said[1], sdp::tls::from_folder(said[0]));
	if (loads) {
		return load(to, std::stoi(said[3]));
	}
	return say(to.call(said[2], puts ? said[4] : "", with_key(said[3])).get());
} catch (const std::exception &error) {
	std::cerr << "kv: " << error.what() << '\n';
	return 1;
}
