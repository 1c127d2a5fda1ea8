// SPDX-License-Identifier: Apache-2.0
// Measures Redis over TCP, over its own TLS and over SDP, by one generator.
#include "../load/mark.hpp"
#include "../load/print.hpp"
#include "draws.hpp"
#include "link.hpp"

#include <CLI/CLI.hpp>

#include <client.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <vector>

namespace bench {
namespace {

using clock = std::chrono::steady_clock;

struct options {
	std::vector<std::string> transports{"tcp", "tls", "sdp"};
	std::string tcp;
	std::string tls;
	std::string sdp;
	std::string credentials;
	std::string workloads{operations::names};
	std::vector<std::uint32_t> sizes{64, 1024, 4096};
	std::vector<std::uint32_t> outstanding{1, 16};
	std::vector<std::uint32_t> rates; /**< operations a second, of the open loop */
	std::uint32_t pool = 32;          /**< connections of that */
	std::uint64_t records = 1000;
	std::size_t count = 1000; /**< operations of a point */
	std::uint32_t server = 0; /**< its process */
	std::uint64_t seed = 1;
};

/** Nanoseconds of processor time that a process's threads have had. */
std::uint64_t time_of(std::uint32_t process)
{
	std::uint64_t sum = 0;
	const auto tasks = "/proc/" + std::to_string(process) + "/task";
	for (const auto &task : std::filesystem::directory_iterator(tasks)) {
		std::uint64_t ran = 0;
		if (std::ifstream(task.path() / "schedstat") >> ran) {
			sum += ran;
		}
	}
	return sum;
}

std::unique_ptr<link> make_link(const options &from, std::string_view kind, std::uint32_t lanes)
{
	if (kind == "sdp") {
		return connect_channel(from.sdp, from.credentials);
	}
	return connect_streams(kind == "tls" ? from.tls : from.tcp, lanes, kind == "tls");
}

std::string get(std::uint64_t key)
{
	std::string command;
	sdp::redis::append_command(command, {"GET", key_name(key)});
	return command;
}

std::string set(std::uint64_t key, std::string_view value)
{
	std::string command;
	sdp::redis::append_command(command, {"SET", key_name(key), value});
	return command;
}

/** Operations on lanes, and how long they take. */
class run {
public:
	run(link &to, operations from, std::uint32_t lanes, std::uint32_t size)
		: to_(to),
		  from_(from),
		  lanes_(lanes),
		  value_(size, 'v'),
		  value_head_("$" + std::to_string(size) + "\r\n")
	{
		for (std::uint32_t i = lanes; i > 0; --i) {
			idle_.push_back(i - 1);
		}
	}

	/** All lanes always have one, but for the last. */
	void closed(std::size_t count)
	{
		std::size_t begun = 0;
		for (std::size_t ended = 0; ended < count;) {
			while (begun < count && !idle_.empty()) {
				begin(clock::now());
				++begun;
			}
			ended += end(to_.next({}).value()) ? 1 : 0;
		}
	}

	/** At random times, whether lanes are idle or not: those that find none wait. */
	void open(std::size_t count, double rate, chance &times)
	{
		std::size_t begun = 0;
		std::deque<clock::time_point> wait;
		clock::time_point due = clock::now();
		for (std::size_t ended = 0; ended < count;) {
			for (; begun < count && due <= clock::now(); ++begun) {
				wait.push_back(due);
				due += std::chrono::nanoseconds(
					static_cast<std::int64_t>(times.exponential(1e9 / rate)));
			}
			while (!wait.empty() && !idle_.empty()) {
				begin(wait.front());
				wait.pop_front();
			}
			const auto got =
				to_.next(begun < count ? std::optional(due) : std::nullopt);
			ended += got && end(*got) ? 1 : 0;
		}
	}

	[[nodiscard]] const histogram &times() const { return times_; }

private:
	struct lane {
		operation what;
		clock::time_point due;
		bool reads;
	};

	void begin(clock::time_point due)
	{
		const std::uint32_t number = idle_.back();
		idle_.pop_back();
		lane &on = lanes_[number];
		on = {from_.draw(), due, false};
		on.reads = on.what.what == verb::read || on.what.what == verb::modify;
		to_.send(number, on.reads ? get(on.what.key) : set(on.what.key, value_));
	}

	/** Whether the operation has ended; one that modifies goes on. */
	bool end(const reply &got)
	{
		lane &on = lanes_.at(got.lane);
		if (on.reads ? !got.text.starts_with(value_head_) : got.text != "+OK\r\n") {
			throw std::runtime_error("Redis says " + got.text.substr(0, 60));
		}
		if (on.reads && on.what.what == verb::modify) {
			on.reads = false;
			to_.send(got.lane, set(on.what.key, value_));
			return false;
		}
		if (on.what.what == verb::insert) {
			from_.inserted(on.what.key);
		}
		times_.add(clock::now() - on.due);
		idle_.push_back(got.lane);
		return true;
	}

	link &to_;
	operations from_;
	std::vector<lane> lanes_;
	std::vector<std::uint32_t> idle_;
	std::string value_;
	std::string value_head_;
	histogram times_;
};

/** Fills the server, by TCP, with values of @p size bytes and nothing else. */
void fill(const options &from, std::uint32_t size)
{
	const auto to = connect_streams(from.tcp, 1, false);
	const std::string value(size, 'v');
	const auto expect = [&](const std::string &command) {
		to->send(0, command);
		const auto got = to->next({});
		if (got.value().text != "+OK\r\n") {
			throw std::runtime_error("Redis says " + got->text.substr(0, 60));
		}
	};
	std::string flush;
	sdp::redis::append_command(flush, {"FLUSHALL"});
	expect(flush);
	for (std::uint64_t key = 0; key < from.records; ++key) {
		expect(set(key, value));
	}
}

void measure(const options &from, const place &where, std::uint32_t lanes,
	     const std::function<void(run &, std::size_t count)> &loop)
{
	const auto to = make_link(from, where.transport, lanes);
	const operations drawn(where.which[0], from.records, from.seed);
	// The session is made, and memory had, before what is measured.
	run warm(*to, operations('c', from.records, from.seed), lanes, where.size);
	warm.closed(std::max<std::size_t>(lanes, from.count / 10));
	run of(*to, drawn, lanes, where.size);
	const std::uint64_t before = time_of(from.server);
	const auto begin = clock::now();
	mark_start();
	loop(of, from.count);
	mark_stop();
	const std::chrono::duration<double, std::nano> took = clock::now() - begin;
	const auto count = static_cast<double>(from.count);
	report(where, "server_ns", static_cast<double>(time_of(from.server) - before) / count);
	report(where, "ns", took.count() / count);
	report(where, "rate", count * 1e9 / took.count());
	report(where, of.times());
}

bool measure_all(const options &from)
{
	bool fine = true;
	const auto one = [&](const std::string &mode, const std::string &kind, std::uint32_t size,
			     std::uint32_t number, char workload, std::uint32_t lanes,
			     const auto &loop) {
		try {
			// What the workload inserts is not there for the next transport.
			fill(from, size);
			measure(from, {mode, kind, size, number, std::string(1, workload)}, lanes,
				loop);
		} catch (const std::exception &error) {
			std::cerr << "ycsb: " << mode << ' ' << kind << ' ' << workload << ": "
				  << error.what() << '\n';
			fine = false;
		}
	};
	for (const std::uint32_t size : from.sizes) {
		for (const char workload : from.workloads) {
			for (const std::uint32_t lanes : from.outstanding) {
				for (const std::string &kind : from.transports) {
					one("closed", kind, size, lanes, workload, lanes,
					    [](run &of, std::size_t count) { of.closed(count); });
				}
			}
			for (const std::uint32_t rate : from.rates) {
				for (const std::string &kind : from.transports) {
					chance times(from.seed);
					one("open", kind, size, rate, workload, from.pool,
					    [&](run &of, std::size_t count) {
						    of.open(count, rate, times);
					    });
				}
			}
		}
	}
	return fine;
}

void add_options(CLI::App &app, options &to)
{
	const CLI::Range numbers(1U, 1'000'000U);
	app.add_option("-t,--transports", to.transports, "tcp, tls, sdp")
		->delimiter(',')
		->check(CLI::IsMember({"tcp", "tls", "sdp"}));
	app.add_option("--tcp", to.tcp, "ADDRESS:PORT of Redis, which it is filled by")->required();
	app.add_option("--tls", to.tls, "that of its TLS");
	app.add_option("--sdp", to.sdp, "that of its SDP");
	app.add_option("--credentials", to.credentials, "folder of this client's certificate");
	app.add_option("--server", to.server, "number of Redis's process, of this host")
		->required();
	app.add_option("-w,--workloads", to.workloads, "letters of a, b, c, d, f")
		->check([](const std::string &text) {
			return text.find_first_not_of(operations::names) == std::string::npos &&
					       !text.empty()
				       ? std::string()
				       : "no such workload: " + text;
		});
	app.add_option("-s,--sizes", to.sizes, "bytes of values")
		->delimiter(',')
		->check(CLI::Range(1U, 900'000U));
	app.add_option("-o,--outstanding", to.outstanding,
		       "operations at a time, of the closed loop")
		->delimiter(',')
		->check(CLI::Range(1U, 1024U));
	app.add_option("-r,--rates", to.rates, "operations a second, of the open loop")
		->delimiter(',')
		->check(numbers);
	app.add_option("-p,--pool", to.pool, "connections of the open loop")
		->check(CLI::Range(1U, 1024U));
	app.add_option("-R,--records", to.records, "keys")->check(CLI::Range(2U, 10'000'000U));
	app.add_option("-c,--count", to.count, "operations of a point")->check(numbers);
	app.add_option("--seed", to.seed, "of what is random");
}

} // namespace
} // namespace bench

int main(int argc, char **argv)
{
	std::signal(SIGPIPE, SIG_IGN);
	bench::options from;
	CLI::App app("Measures Redis by workloads of YCSB: lines of CSV\n"
		     "mode,transport,size,outstanding,workload,metric,value; times in nanoseconds.",
		     "ycsb");
	bench::add_options(app, from);
	try {
		app.parse(argc, argv);
	} catch (const CLI::Success &asked) {
		return app.exit(asked);
	} catch (const CLI::ParseError &error) {
		app.exit(error);
		return 2;
	}
	try {
		return bench::measure_all(from) ? 0 : 1;
	} catch (const std::exception &error) {
		std::cerr << "ycsb: " << error.what() << '\n';
		return 1;
	}
}
