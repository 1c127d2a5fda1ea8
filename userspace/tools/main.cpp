// SPDX-License-Identifier: Apache-2.0
// sdp: looks at SDP, tests it and makes keys for it. See sdp(8).
#include "commands.hpp"

#include <sdp/version.hpp>

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <memory>
#include <unistd.h>

namespace tool {

namespace {

/** What the command line says; the chosen command leaves its work in @p run. */
struct context {
	tool::style style;
	std::function<int()> run;
};

void add_show(CLI::App &app, context &on)
{
	CLI::App *show = app.add_subcommand(
		"show", "Sockets, peers, RPCs and sessions of this network namespace");
	show->require_subcommand(0, 1);
	show->fallthrough();
	show->final_callback([&on] {
		if (!on.run) {
			on.run = [&on] { return show_totals(on.style); };
		}
	});
	const auto add = [&](const char *name, const char *text, int (*run)(const style &)) {
		show->add_subcommand(name, text)->fallthrough()->callback([&on, run] {
			on.run = [&on, run] { return run(on.style); };
		});
	};
	add("sockets", "one line for each socket", show_sockets);
	add("peers", "one line for each host with a session or an RPC", show_peers);
	add("rpcs", "one line for each RPC under way", show_rpcs);
	add("sessions", "keys: epochs, ciphers, who seals, messages left", show_sessions);
}

void add_stats(CLI::App &app, context &on)
{
	CLI::App *command =
		app.add_subcommand("stats", "Counters of this network namespace")->fallthrough();
	const auto options = std::make_shared<stats_options>();
	command->add_flag("-a,--all", options->zeros, "also those that are zero");
	command->add_option("-w,--watch", options->seconds,
			    "print what they grow by, every so many seconds")
		->type_name("SECONDS")
		->check(CLI::Range(0.01, 86400.0));
	command->add_option("-c,--count", options->count, "stop after so many times (with -w)")
		->type_name("N");
	command->add_option("pattern", options->patterns,
			    "only counters of these names; * and ? as in the shell");
	command->callback(
		[&on, options] { on.run = [&on, options] { return stats(on.style, *options); }; });
}

void add_ping(CLI::App &app, context &on)
{
	CLI::App *command =
		app.add_subcommand("ping", "Asks whether a socket of SDP answers")->fallthrough();
	const auto options = std::make_shared<ping_options>();
	command->add_option("target", options->target, "ADDRESS:PORT or NAME:PORT")->required();
	command->add_option("-c,--count", options->count, "how often (4)")
		->type_name("N")
		->check(CLI::Range(std::uint64_t(1), std::uint64_t(1'000'000'000)));
	command->add_option("-i,--interval", options->interval, "time between questions (1)")
		->type_name("SECONDS")
		->check(CLI::Range(0.001, 86400.0));
	command->add_option("-W,--timeout", options->timeout, "time for an answer (1)")
		->type_name("SECONDS")
		->check(CLI::Range(0.001, 3600.0));
	auto *psk = command->add_option("--psk", options->psk,
					"shake hands with the secret in this file")
			    ->type_name("FILE");
	command->add_option("--cipher", options->cipher,
			    "aes-128-gcm, aes-256-gcm, chacha20-poly1305")
		->needs(psk)
		->check(CLI::IsMember({"aes-128-gcm", "aes-256-gcm", "chacha20-poly1305"}));
	command->add_option("--name", options->name, "as the server calls itself")->needs(psk);
	command->callback(
		[&on, options] { on.run = [&on, options] { return ping(on.style, *options); }; });
}

void add_doctor(CLI::App &app, context &on)
{
	app.add_subcommand("doctor", "Looks for what is wrong here, and says what to type")
		->fallthrough()
		->callback([&on] { on.run = [&on] { return doctor(on.style); }; });
}

void add_genkey(CLI::App &app, context &on)
{
	CLI::App *command =
		app.add_subcommand("genkey", "Makes a secret of 32 random bytes")->fallthrough();
	const auto path = std::make_shared<std::string>();
	command->add_option(
		"file", *path,
		"a new file, readable for its owner alone; without: 64 digits on stdout");
	command->callback([&on, path] { on.run = [path] { return genkey(*path); }; });
}

void add_cert(CLI::App &app, context &on)
{
	CLI::App *cert =
		app.add_subcommand("cert", "Makes certificates for a lab: a CA, and what it signs");
	cert->fallthrough();
	cert->require_subcommand(1);
	const auto options = std::make_shared<cert_options>();
	cert->add_option("-d,--directory", options->folder, "folder of the files (.)")
		->type_name("DIR");
	const auto days = CLI::Range(1, 36500);
	const auto add = [&](const char *name, const char *text,
			     int (*run)(const style &, const cert_options &)) {
		CLI::App *command = cert->add_subcommand(name, text)->fallthrough();
		command->callback([&on, options, run] {
			on.run = [&on, options, run] { return run(on.style, *options); };
		});
		return command;
	};
	CLI::App *ca = add("ca", "ca.pem, and ca.key for its owner alone", cert_ca);
	CLI::App *host = add(
		"host", "a folder NAME: chain.pem, key.pem for its owner alone, ca.pem", cert_host);
	CLI::App *lab =
		add("lab", "a CA if there is none, and a certificate for each NAME", cert_lab);
	for (CLI::App *each : {ca, lab}) {
		each->add_option("--ca-name", options->ca_name, "the CA's name (SDP lab CA)");
		each->add_option("--ca-days", options->ca_days, "how long it lives (3650)")
			->check(days);
	}
	host->add_option("name", options->names, "names and addresses of one host")->required();
	lab->add_option("name", options->names, "a name or address of each host")->required();
	for (CLI::App *each : {host, lab}) {
		each->add_option("--days", options->days, "how long they live (397)")->check(days);
	}
}

void add_bench(CLI::App &app, context &on)
{
	CLI::App *command = app.add_subcommand("bench", "Measures round trips and rate, quickly")
				    ->fallthrough();
	const auto options = std::make_shared<bench_options>();
	command->add_option("target", options->target,
			    "ADDRESS:PORT of the server (port 1 to 32767)")
		->required();
	command->add_flag("-s,--server", options->serve, "be the server there");
	auto *clear = command->add_flag("--clear", options->clear, "unencrypted");
	auto *psk = command->add_option("--psk", options->psk, "the secret of both ends")
			    ->type_name("FILE")
			    ->excludes(clear);
	command->add_option("--cipher", options->cipher,
			    "aes-128-gcm, aes-256-gcm, chacha20-poly1305")
		->needs(psk)
		->check(CLI::IsMember({"aes-128-gcm", "aes-256-gcm", "chacha20-poly1305"}));
	command->add_option("-l,--length", options->size, "bytes of each message (64)")
		->type_name("BYTES")
		->check(CLI::Range(std::uint64_t(1), std::uint64_t(1'000'000)));
	command->add_option("-n,--outstanding", options->outstanding, "requests at once (16)")
		->type_name("N")
		->check(CLI::Range(std::uint64_t(1), std::uint64_t(10'000)));
	command->add_option("-t,--time", options->seconds, "time for each of the two (2)")
		->type_name("SECONDS")
		->check(CLI::Range(0.01, 3600.0));
	command->callback(
		[&on, options] { on.run = [&on, options] { return bench(on.style, *options); }; });
}

void add_redis_proxy(CLI::App &app, context &on)
{
	CLI::App *command =
		app.add_subcommand("redis-proxy",
				   "Takes Redis's clients on a local socket, for a Redis over SDP")
			->fallthrough();
	const auto options = std::make_shared<redis_proxy_options>();
	command->add_option("target", options->target, "HOST:PORT of the server")->required();
	command->add_option("-d,--credentials", options->credentials,
			    "folder with chain.pem, key.pem and ca.pem")
		->type_name("DIR")
		->required();
	command->add_option("-l,--listen", options->addresses,
			    "a loopback address, such as 127.0.0.1:6379")
		->type_name("ADDRESS:PORT")
		->take_all()
		->expected(1);
	command->add_option("-u,--unix", options->paths, "a socket for its owner alone")
		->type_name("PATH")
		->take_all()
		->expected(1);
	command->add_option("--name", options->name, "as the server's certificate has it");
	command->add_option("-t,--timeout", options->timeout, "time for an answer (60)")
		->type_name("SECONDS")
		->check(CLI::Range(0.1, 86400.0));
	command->add_option("-n,--connections", options->connections, "clients at once (1000)")
		->type_name("N")
		->check(CLI::Range(std::uint64_t(1), std::uint64_t(60'000)));
	command->callback([&on, options] { on.run = [options] { return redis_proxy(*options); }; });
}

std::string version_text()
{
	return "sdp " + std::string(sdp::version()) + " (interface " +
	       std::to_string(sdp::interface_version()) + ")";
}

int run(int argc, char **argv)
{
	CLI::App app("Looks at SDP, tests it, and makes keys for it.", "sdp");
	context on;
	app.add_flag("-j,--json", on.style.json, "print JSON");
	app.set_version_flag("-V,--version", version_text(), "print the version");
	app.require_subcommand(1);
	app.fallthrough();
	app.footer("Exit status: 0 all is well, 1 something failed, 2 a wrong command line.\n"
		   "See sdp(8).");
	add_show(app, on);
	add_stats(app, on);
	add_ping(app, on);
	add_doctor(app, on);
	add_genkey(app, on);
	add_cert(app, on);
	add_bench(app, on);
	add_redis_proxy(app, on);
	on.style.colour = wants_colour(::isatty(STDOUT_FILENO) != 0, std::getenv("NO_COLOR"),
				       std::getenv("TERM"));
	try {
		app.parse(argc, argv);
	} catch (const CLI::RequiredError &error) {
		// What is missing matters less than what nobody knows.
		for (const std::string &each : app.remaining(true)) {
			if (each.starts_with('-')) {
				throw usage_error("no such option: " + each);
			}
		}
		app.exit(error);
		return misuse;
	} catch (const CLI::ParseError &error) {
		// Help and version are no errors, and CLI11 prints them itself.
		if (app.exit(error) == 0) {
			return std::cout.flush() ? success : failure;
		}
		return misuse;
	}
	const int status = on.run();
	// A full disk or a closed pipe is a failure like any other.
	return std::cout.flush() ? status : failure;
}

} // namespace

} // namespace tool

int main(int argc, char **argv)
{
	try {
		return tool::run(argc, argv);
	} catch (const tool::usage_error &error) {
		std::cerr << "sdp: " << error.what() << '\n';
		return tool::misuse;
	} catch (const std::exception &error) {
		std::cerr << "sdp: " << error.what() << '\n';
		return tool::failure;
	}
}
