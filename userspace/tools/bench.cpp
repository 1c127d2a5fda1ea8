// SPDX-License-Identifier: Apache-2.0
#include "bench.hpp"

#include "commands.hpp"

#include <sdp/sdp.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <iostream>
#include <memory>
#include <numeric>
#include <optional>
#include <vector>

namespace tool {

namespace {

using clock = std::chrono::steady_clock;

double seconds_since(clock::time_point begun)
{
	return std::chrono::duration<double>(clock::now() - begun).count();
}

sdp::client make_client(const sdp::address &server, const bench_options &options)
{
	if (options.clear) {
		return sdp::client(server);
	}
	sdp::psk_options psk;
	psk.cipher = sdp::cipher_named(options.cipher);
	return {server, sdp::secret::load(options.psk), psk};
}

sdp::server make_server(const sdp::address &local, const bench_options &options)
{
	if (options.clear) {
		return sdp::server(local);
	}
	return {local, sdp::secret::load(options.psk)};
}

/** Sends back what comes, until it is stopped. */
int serve(const sdp::address &local, const bench_options &options)
{
	sdp::server server = make_server(local, options);
	std::cout << "answering at " << local.text() << (options.clear ? ", in the clear" : "")
		  << std::endl;
	for (;;) {
		const sdp::message request = server.receive();
		try {
			server.underlying().respond(request, request.chunks());
		} catch (const std::system_error &error) {
			// One client's trouble is not the next one's.
			std::cerr << "sdp: " << error.what() << '\n';
		}
	}
}

void require_success(const sdp::message &response)
{
	if (response.error()) {
		throw std::system_error(response.error(), "request");
	}
}

std::vector<double> measure_times(sdp::client &client, sdp::bytes_view body, double seconds)
{
	std::vector<double> times;
	const auto begun = clock::now();
	do {
		const auto sent = clock::now();
		require_success(client.call(body));
		times.push_back(1e6 * seconds_since(sent));
	} while (seconds_since(begun) < seconds);
	return times;
}

record measure_rate(sdp::client &client, sdp::bytes_view body, const bench_options &options)
{
	std::uint64_t sent = 0;
	std::uint64_t received = 0;
	const auto begun = clock::now();
	const auto start = [&] { client.start(body, ++sent); };
	while (sent < options.outstanding) {
		start();
	}
	double took = 0;
	while (received < sent) {
		require_success(client.receive());
		++received;
		took = seconds_since(begun);
		if (took < options.seconds) {
			start();
		}
	}
	return describe_rate(received, options.size, took);
}

int measure(const style &how, const sdp::address &server, const bench_options &options)
{
	const std::vector<std::byte> body(options.size);
	sdp::client client = make_client(server, options);
	// The first one pays for what the others find made: routes, peers, memory.
	require_success(client.call(body));
	record result{{"server", server.text()},
		      {"cipher", options.clear ? std::string("none") : options.cipher},
		      {"bytes", options.size},
		      {"outstanding", options.outstanding}};
	for (const record &part : {describe_times(measure_times(client, body, options.seconds)),
				   measure_rate(client, body, options)}) {
		result.insert(result.end(), part.begin(), part.end());
	}
	print(std::cout, how, result);
	return success;
}

} // namespace

double quantile(const std::vector<double> &values, double share)
{
	if (values.empty()) {
		return 0;
	}
	const auto rank =
		static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
	return values[std::clamp<std::size_t>(rank, 1, values.size()) - 1];
}

record describe_times(std::vector<double> microseconds)
{
	std::ranges::sort(microseconds);
	const double sum = std::accumulate(microseconds.begin(), microseconds.end(), 0.0);
	const auto count = static_cast<double>(std::max<std::size_t>(microseconds.size(), 1));
	return {{"calls", std::uint64_t(microseconds.size())},
		{"rtt_min_us", quantile(microseconds, 0)},
		{"rtt_avg_us", sum / count},
		{"rtt_p50_us", quantile(microseconds, 0.5)},
		{"rtt_p99_us", quantile(microseconds, 0.99)},
		{"rtt_max_us", quantile(microseconds, 1)}};
}

record describe_rate(std::uint64_t messages, std::uint64_t size, double seconds)
{
	const double rate = seconds > 0 ? static_cast<double>(messages) / seconds : 0;
	return {{"rpcs", messages},
		{"rpcs_per_s", rate},
		{"mbyte_per_s_each_way", rate * static_cast<double>(size) / 1e6}};
}

int bench(const style &how, const bench_options &options)
{
	if (options.clear != options.psk.empty()) {
		throw usage_error("bench: one of --psk FILE and --clear is needed");
	}
	const auto where = sdp::address::resolve(options.target);
	if (where.port() == 0) {
		throw usage_error(options.target + ": a port is missing: ADDRESS:PORT");
	}
	return options.serve ? serve(where, options) : measure(how, where, options);
}

} // namespace tool
