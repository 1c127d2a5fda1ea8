// SPDX-License-Identifier: Apache-2.0
// connectx: a model of two functions of a ConnectX-6 Dx and the cable between them, for a
// guest that attaches PCI devices by vhost-user.
#include "selftests/connectx/model.hpp"

#include <bit>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <getopt.h>
#include <iostream>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <system_error>

namespace {

constexpr const char *usage = R"(connectx [OPTION...] SOCKET0 SOCKET1

Models two functions of a ConnectX-6 Dx, one behind each socket, and the cable between
them. Ends when the guest is gone from both, or on TERM; prints its counters, and fails
(1) when the driver asked for what is not modelled or did what hardware does not forgive.

  -c FOLDER      takes commands by files there (see control.hpp)
  -m NAME=VALUE  an option, see below; repeatable
  -p             ends with its parent
  -v             tells of each command and work request
  -h             this

  channels=N     1 to 15: as many completion vectors (default 1)
  tis=N, dek=N   most contexts and keys, powers of two (4096)
  tls=0          no TLS; tls12=0, tls13=0 not this version
  crypto=1       keys in bulk, as newer firmware does
  mpw=1          enhanced multi-packet work requests
  mtu=BYTES      the largest frame (9978)
  rate=MBIT/S    of the cable; 0, the default: it takes no time
  delay=US       one way
  loss=N, reorder=N, duplicate=N   of a million frames
  reorder_by=US  how much later a reordered frame comes (1000)
  seed=N         of these (1)
  pcap=FILE      every frame
  ident_counts=0, unknown_sequence=1, unknown_checksum=1
                 what hardware may also do to large sends of protocols it does not know
  tolerate=NAME  a misuse of the TLS engine that is no failure
)";

[[noreturn]] void misused(const std::string &what)
{
	std::cerr << "connectx: " << what << " (see connectx -h)\n";
	exit(2);
}

uint64_t number(const std::string &option, const std::string &text, uint64_t least, uint64_t most)
{
	char *end = nullptr;
	errno = 0;
	const auto value = strtoull(text.c_str(), &end, 10);
	if (text.empty() || *end != '\0' || errno != 0 || text[0] == '-' || value < least ||
	    value > most)
		misused(option + " has to be " + std::to_string(least) + " to " +
			std::to_string(most) + ", not '" + text + "'");
	return value;
}

void set(cx::ModelOptions &options, const std::string &text)
{
	const auto equals = text.find('=');
	if (equals == std::string::npos)
		misused("no value: -m " + text);
	const auto name = text.substr(0, equals), value = text.substr(equals + 1);
	auto &nic = options.nic;
	auto &wire = options.wire;
	const auto flag = [&] { return number(name, value, 0, 1) != 0; };
	const auto small = [&](unsigned least, unsigned most) {
		return static_cast<unsigned>(number(name, value, least, most));
	};
	const auto power = [&](unsigned most) {
		const auto of = small(1, most);
		if (!std::has_single_bit(of))
			misused(name + " has to be a power of two");
		return of;
	};
	const auto microseconds = [&] {
		return static_cast<cx::Nanoseconds>(number(name, value, 0, 60'000'000)) * 1000;
	};

	if (name == "channels")
		nic.channels = small(1, 15);
	else if (name == "tis")
		nic.most_tis = power(1U << 15);
	else if (name == "dek")
		nic.most_keys = power(1U << 15);
	else if (name == "tls")
		nic.tls = flag();
	else if (name == "tls12")
		nic.tls_1_2 = flag();
	else if (name == "tls13")
		nic.tls_1_3 = flag();
	else if (name == "crypto")
		nic.crypto = flag();
	else if (name == "mpw")
		nic.multi_packet = flag();
	else if (name == "mtu")
		nic.most_mtu = small(1522, 16384);
	else if (name == "rate")
		wire.bits_per_second = number(name, value, 0, 1'000'000) * 1'000'000;
	else if (name == "delay")
		wire.delay = microseconds();
	else if (name == "loss")
		wire.loss = small(0, 1'000'000);
	else if (name == "reorder")
		wire.reorder = small(0, 1'000'000);
	else if (name == "duplicate")
		wire.duplicate = small(0, 1'000'000);
	else if (name == "reorder_by")
		wire.reorder_by = microseconds();
	else if (name == "seed")
		wire.seed = number(name, value, 0, UINT64_MAX);
	else if (name == "pcap")
		wire.pcap = value;
	else if (name == "ident_counts")
		nic.segment.ident_counts = flag();
	else if (name == "unknown_sequence")
		nic.segment.unknown_sequence = flag();
	else if (name == "unknown_checksum")
		nic.segment.unknown_checksum = flag();
	else if (name == "tolerate") {
		const auto what = cx::misuse_named(value);
		if (!what)
			misused("no such misuse: " + value);
		nic.engine.tolerated.insert(*what);
	} else
		misused("no such option: -m " + name);
}

} // namespace

int main(int count, char **arguments)
{
	cx::ModelOptions options;
	opterr = 0;
	for (int option; (option = getopt(count, arguments, "+:c:m:pvh")) != -1;) {
		switch (option) {
		case 'c':
			options.control = optarg;
			break;
		case 'm':
			set(options, optarg);
			break;
		case 'p':
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			break;
		case 'v':
			options.verbose = true;
			break;
		case 'h':
			std::cout << usage;
			return 0;
		case ':':
			misused(std::string("no value for option -") + static_cast<char>(optopt));
		default:
			misused(std::string("no such option: -") + static_cast<char>(optopt));
		}
	}
	if (count - optind != 2)
		misused("two sockets are needed");
	options.sockets = {arguments[optind], arguments[optind + 1]};

	sigset_t ends;
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, nullptr);
	signal(SIGPIPE, SIG_IGN);
	try {
		const Fd signals(signalfd(-1, &ends, SFD_CLOEXEC));
		cx::Model model(options);
		model.run(signals);
		std::cout << model.command("report");
		const auto wrong = model.wrong();
		if (wrong.empty())
			return 0;
		std::cerr << "connectx: this should not have been:\n" << wrong;
	} catch (const std::exception &error) {
		std::cerr << "connectx: " << error.what() << '\n';
	}
	return 1;
}
