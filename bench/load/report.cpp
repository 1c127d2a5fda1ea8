// SPDX-License-Identifier: Apache-2.0
#include "modes.hpp"

#include <csignal>
#include <iostream>
#include <unistd.h>

namespace bench {
namespace {

/** Seconds after which something that waits is given up; with EINTR. */
constexpr unsigned patience = 120;

void on_alarm(int) {}

} // namespace

connection::connection(const setting &all, const transport &kind, const plan &what)
	: host_(all.server_command.empty()
			? std::make_unique<server_host>(all.server_netns)
			: std::make_unique<server_host>(server_host::command{all.server_command})),
	  client_(kind.connect(what, host_->start(kind, what)))
{
}

plan make_plan(const setting &all, std::uint32_t most, std::uint32_t lanes)
{
	return {.server = all.server,
		.clients = all.clients,
		.longest = most,
		.lanes = lanes,
		.peers = false,
		.alone = false};
}

bool each_transport(const setting &all, std::string_view mode,
		    const std::function<void(const transport &)> &measure)
{
	struct sigaction action {};
	action.sa_handler = on_alarm; // No SA_RESTART: what waits ends with EINTR.
	check(::sigaction(SIGALRM, &action, nullptr), "sigaction");
	bool fine = true;
	for (const transport *kind : all.transports) {
		try {
			::alarm(patience);
			measure(*kind);
		} catch (const std::exception &error) {
			std::cerr << "load: " << mode << ' ' << kind->name << ": " << error.what()
				  << '\n';
			fine = false;
		}
		::alarm(0);
	}
	return fine;
}

} // namespace bench
