// SPDX-License-Identifier: Apache-2.0
// load: the generator of all transports' loads, and the server of them; see --help.
#include "modes.hpp"

#include <CLI/CLI.hpp>

#include <csignal>
#include <exception>
#include <functional>
#include <iostream>
#include <unistd.h>

namespace bench {
namespace {

struct context {
	setting all;
	std::string server = "127.0.0.1:4000";
	std::string clients = "0.0.0.0";
	std::vector<std::string> transports{"tcp", "ktls", "sdp-clear", "sdp"};
	std::vector<std::string> workloads{"w1", "w2", "w3", "w4", "w5"};
	closed_mode closed;
	open_mode open;
	tails_mode tails;
	peers_mode peers;
	std::uint32_t milliseconds = 100;
	std::uint32_t gap = 1000;
	std::function<bool()> run;
};

std::string is_transport(const std::string &name)
{
	return transport_named(name) != nullptr ? "" : "no such transport: " + name;
}

std::string is_workload(const std::string &name)
{
	return workload_named(name) != nullptr ? "" : "no such workload: " + name;
}

const CLI::Range sizes(static_cast<std::uint32_t>(shortest), static_cast<std::uint32_t>(longest));
const CLI::Range counts(1U, 1'000'000U);

void add_common(CLI::App &app, context &on)
{
	app.add_option("-a,--address", on.server, "the server's ADDRESS:PORT");
	app.add_option("-n,--netns", on.all.client_netns, "network namespace of the client");
	app.add_option("-N,--server-netns", on.all.server_netns, "and of the server");
	app.add_option("-R,--server-command", on.all.server_command,
		       "a shell's command that runs `load serve` elsewhere, such as ssh HOST load "
		       "serve");
	app.add_option("-t,--transport", on.transports,
		       "udp, tcp, ktls, tls, sdp-clear, sdp, sdp-aes256, sdp-chacha, "
		       "sdp-clear-homa, sdp-homa, sdp-channel")
		->delimiter(',')
		->check(is_transport);
	app.add_option("-l,--label", on.all.label, "begins the column `case`")
		->check([](const std::string &text) {
			return text.find_first_of(",\"\n") == std::string::npos
				       ? std::string()
				       : std::string("no commas or quotes");
		});
	app.add_option("--seed", on.all.seed, "of sizes and times");
	app.add_flag("--cpu", on.all.cpu, "also processor times of both hosts");
	app.add_flag("--turns", on.all.turns, "with several outstanding, run until one waits");
	app.add_flag("--one-connection", on.all.one_connection,
		     "all by one connection, where there are connections");
}

void add_closed(CLI::App &app, context &on)
{
	CLI::App *mode = app.add_subcommand("closed", "so many RPCs outstanding")->fallthrough();
	mode->add_option("-s,--size", on.closed.sizes, "bytes of requests and answers")
		->delimiter(',')
		->check(sizes);
	mode->add_option("-o,--outstanding", on.closed.outstanding, "RPCs at a time")
		->delimiter(',')
		->check(CLI::Range(1U, 4096U));
	mode->add_option("-A,--answer", on.closed.answer, "bytes of answers")->check(sizes);
	mode->add_option("-c,--connections", on.closed.connections,
			 "fresh connections of each kind; the fastest counts")
		->check(CLI::Range(1U, 100U));
	mode->add_option("-d,--duration", on.milliseconds, "milliseconds of each")->check(counts);
	mode->add_option("-f,--first", on.closed.first, "its first so many RPCs, in place of that")
		->check(counts);
	mode->callback([&on] {
		on.closed.duration = std::chrono::milliseconds(on.milliseconds);
		on.run = [&on] { return run(on.all, on.closed); };
	});
}

void add_open(CLI::App &app, context &on)
{
	CLI::App *mode = app.add_subcommand("open", "a workload at random times")->fallthrough();
	mode->add_option("-w,--workload", on.workloads, "w1 to w5")
		->delimiter(',')
		->check(is_workload);
	mode->add_option("-L,--load", on.open.loads, "percent of the link")
		->delimiter(',')
		->check(CLI::Range(1U, 100U));
	mode->add_option("-m,--megabits", on.open.megabits, "a second, of the link, each way")
		->check(CLI::Range(1.0, 1e6));
	mode->add_option("-c,--count", on.open.count, "RPCs")->check(counts);
	mode->add_option("-p,--pool", on.open.pool, "connections")->check(CLI::Range(1U, 4096U));
	mode->callback([&on] {
		for (const std::string &name : on.workloads) {
			on.open.workloads.push_back(workload_named(name));
		}
		on.run = [&on] { return run(on.all, on.open); };
	});
}

void add_tails(CLI::App &app, context &on)
{
	CLI::App *mode = app.add_subcommand("tails", "short RPCs beside long ones")->fallthrough();
	mode->add_option("-b,--bulk", on.tails.bulks, "long RPCs outstanding")
		->delimiter(',')
		->check(CLI::Range(0U, 1024U));
	mode->add_option("-B,--bulk-size", on.tails.bulk_size, "their bytes")->check(sizes);
	mode->add_option("-s,--size", on.tails.size, "bytes of short ones")->check(sizes);
	mode->add_option("-c,--count", on.tails.count, "short RPCs")->check(counts);
	mode->add_option("-g,--gap", on.gap, "mean microseconds between them")->check(counts);
	mode->callback([&on] {
		on.tails.gap = std::chrono::microseconds(on.gap);
		on.run = [&on] { return run(on.all, on.tails); };
	});
}

void add_peers(CLI::App &app, context &on)
{
	CLI::App *mode = app.add_subcommand("peers", "many clients of one server")->fallthrough();
	mode->add_option("-p,--peers", on.peers.peers, "how many")
		->delimiter(',')
		->check(CLI::Range(1U, 60'000U));
	mode->add_option("-F,--from", on.clients, "address of the first one")->required();
	mode->add_option("-s,--size", on.peers.size, "bytes")->check(sizes);
	mode->callback([&on] { on.run = [&on] { return run(on.all, on.peers); }; });
}

int start(context &on)
{
	on.all.server = sdp::address::parse(on.server);
	on.all.clients = sdp::address::parse(on.clients);
	for (const std::string &name : on.transports) {
		on.all.transports.push_back(transport_named(name));
	}
	enter(on.all.client_netns);
	return on.run() ? 0 : 1;
}

int main(int argc, char **argv)
{
	context on;
	CLI::App app("Measures transports between two hosts: lines of CSV\n"
		     "mode,transport,size,outstanding,case,metric,value; times in nanoseconds.",
		     "load");
	app.require_subcommand(1);
	add_common(app, on);
	add_closed(app, on);
	add_open(app, on);
	add_tails(app, on);
	add_peers(app, on);
	bool serves = false;
	app.add_subcommand("serve", "the other end, as --server-command starts it")
		->callback([&serves] { serves = true; });
	try {
		app.parse(argc, argv);
	} catch (const CLI::Success &asked) {
		return app.exit(asked);
	} catch (const CLI::ParseError &error) {
		app.exit(error);
		return 2;
	}
	if (serves) {
		serve_host({STDIN_FILENO, STDOUT_FILENO});
		return 0;
	}
	return start(on);
}

} // namespace
} // namespace bench

int main(int argc, char **argv)
{
	std::signal(SIGPIPE, SIG_IGN);
	try {
		return bench::main(argc, argv);
	} catch (const std::exception &error) {
		std::cerr << "load: " << error.what() << '\n';
		return 1;
	}
}
