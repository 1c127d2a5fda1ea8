// SPDX-License-Identifier: Apache-2.0
// sim: one path, some messages: what is sent for them and how long they take.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "sim_measure.hpp"

using namespace sim;

namespace {

const char usage[] =
	R"(usage: sim [OPTION]...
Sends messages from hosts 1, 2, ... to host 0 over simulated links, by the same
program and settings as the kernel, and prints what it took.

  --messages NxBYTES   of each client (default 1x700000)
  --clients N          (default 1)
  --response BYTES     (default 100)
  --interval TIME      between a client's messages (default: all at once)
  --serial             each message after the response to the one before
  --fixed HOST         a host with fixed timers, as Homa's kernel module (--clear)
  --clear              Homa's format instead of the secure one
The last link to host 0, and with --back- before the name to the clients
(default: the same); with --nic- each host's own towards the network:
  --rate BITS          a second (0, the default: no limit; devices: 25G)
  --delay TIME         one way (default 10us; devices: 0)
  --queue PACKETS      what may wait, the rest is dropped (0: all)
  --queue-bytes BYTES
  --fifo               no priorities
  --loss P             share of packets lost
  --repeat P           repeated
  --late P             delayed by up to --late-time TIME (1ms)
  --hole BYTES         longer IP packets vanish
  --police BITS        a second, what is above vanishes; --burst BYTES
  --arp TIME           (devices) before the first packet to each host leaves
Others:
  --paced              a device with a short queue
  --payload BYTES      of a message in a packet (1400)
  --record BYTES       sealed, of a record (16277)
  --set NAME=VALUE     a setting of the program, of all hosts
  --limit TIME         (default 300s)
  --seed N
  --tcp                TCP's time for the same, too
  --trace              every packet that is sent
  --events             how often each event and drop was
Numbers may end in k, M, G; times in ns, us, ms, s.
)";

double number(const char *text)
{
	char *end = nullptr;
	const double value = std::strtod(text, &end);
	static const std::map<std::string, double> units = {
		{"", 1},   {"k", 1e3},  {"K", 1e3},  {"M", 1e6}, {"G", 1e9},
		{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9},
	};
	const auto unit = units.find(end);
	if (end == text || unit == units.end()) {
		std::fprintf(stderr, "sim: %s is no number\n", text);
		std::exit(2);
	}
	return value * unit->second;
}

struct Options {
	Settings settings;
	Load load;
	u64 limit = 300 * second;
	bool tcp = false;
	bool trace = false;
	bool events = false;
	std::vector<std::pair<std::string, u64>> params;
};

// An option of a link; false: it is none.
bool link_option(LinkSettings &link, const std::string &name, const char *value)
{
	if (name == "rate")
		link.rate = static_cast<u64>(number(value));
	else if (name == "delay")
		link.delay_ns = static_cast<u64>(number(value));
	else if (name == "queue")
		link.queue_packets = static_cast<u32>(number(value));
	else if (name == "queue-bytes")
		link.queue_bytes = static_cast<u64>(number(value));
	else if (name == "loss")
		link.loss = number(value);
	else if (name == "repeat")
		link.repeat = number(value);
	else if (name == "late")
		link.late = number(value);
	else if (name == "late-time")
		link.late_ns = static_cast<u64>(number(value));
	else if (name == "hole")
		link.hole = static_cast<u32>(number(value));
	else if (name == "police")
		link.police_rate = static_cast<u64>(number(value));
	else if (name == "burst")
		link.police_burst = static_cast<u64>(number(value));
	else if (name == "arp")
		link.arp_ns = static_cast<u64>(number(value));
	else
		return false;
	return true;
}

bool flag(Options &options, const std::string &name)
{
	if (name == "serial")
		options.load.one_by_one = true;
	else if (name == "clear")
		options.load.secure = false;
	else if (name == "fifo")
		options.settings.link.priorities = false;
	else if (name == "back-fifo")
		options.settings.back->priorities = false;
	else if (name == "nic-fifo")
		options.settings.nic.priorities = false;
	else if (name == "paced")
		options.settings.paced = true;
	else if (name == "tcp")
		options.tcp = true;
	else if (name == "trace")
		options.trace = true;
	else if (name == "events")
		options.events = true;
	else
		return false;
	return true;
}

bool valued(Options &options, const std::string &name, const char *value)
{
	Load &load = options.load;

	if (name == "messages") {
		const char *by = std::strchr(value, 'x');
		load.messages = std::atoi(value);
		load.length = static_cast<u32>(number(by != nullptr ? by + 1 : ""));
	} else if (name == "clients") {
		load.clients = std::atoi(value);
	} else if (name == "response") {
		load.response = static_cast<u32>(number(value));
	} else if (name == "interval") {
		load.interval_ns = static_cast<u64>(number(value));
	} else if (name == "payload") {
		options.settings.payload = static_cast<u32>(number(value));
	} else if (name == "record") {
		options.settings.record = static_cast<u32>(number(value));
	} else if (name == "limit") {
		options.limit = static_cast<u64>(number(value));
	} else if (name == "seed") {
		options.settings.seed = static_cast<u64>(number(value));
	} else if (name == "set") {
		const char *is = std::strchr(value, '=');
		if (is == nullptr)
			return false;
		options.params.emplace_back(std::string(value, is),
					    static_cast<u64>(number(is + 1)));
	} else if (name.starts_with("nic-")) {
		return link_option(options.settings.nic, name.substr(4), value);
	} else if (name.starts_with("back-")) {
		return link_option(*options.settings.back, name.substr(5), value);
	} else if (name == "fixed") {
		options.settings.fixed = std::atoi(value);
	} else if (name == "arp") {
		options.settings.nic.arp_ns = static_cast<u64>(number(value));
	} else {
		return link_option(options.settings.link, name, value);
	}
	return true;
}

bool set_param(prog_params &params, const std::string &name, u64 value)
{
#define PARAM(field)                                                       \
	if (name == #field) {                                              \
		params.field = static_cast<decltype(params.field)>(value); \
		return true;                                               \
	}
	PARAM(resend_ns)
	PARAM(dead_ns)
	PARAM(need_ack_ns)
	PARAM(unsched_bytes)
	PARAM(max_unsched)
	PARAM(window)
	PARAM(max_incoming)
	PARAM(quantum)
	PARAM(overcommit)
#undef PARAM
	return false;
}

[[noreturn]] void refuse(const char *what)
{
	std::fprintf(stderr, "sim: %s\n%s", what, usage);
	std::exit(2);
}

// Options of the link to host 0 count for the way back too, unless it has its
// own: they are read first.
Options read(int argc, char **argv)
{
	Options options;

	options.settings.link.jitter_ns = 0;
	options.settings.record = 16277;
	for (const bool back : {false, true}) {
		if (back)
			options.settings.back = options.settings.link;
		for (int i = 1; i < argc; i++) {
			const std::string word = argv[i];
			if (word == "--help" || word == "-h") {
				std::fputs(usage, stdout);
				std::exit(0);
			}
			if (!word.starts_with("--"))
				refuse(argv[i]);
			const std::string name = word.substr(2);
			const bool of_back = name.starts_with("back-");
			const bool simple = name == "serial" || name == "clear" || name == "fifo" ||
					    name.ends_with("-fifo") || name == "paced" ||
					    name == "tcp" || name == "trace" || name == "events";
			if (!simple && i + 1 == argc)
				refuse(argv[i]);
			const char *value = simple ? "" : argv[++i];
			if (of_back != back)
				continue;
			if (simple ? !flag(options, name) : !valued(options, name, value))
				refuse(argv[simple ? i : i - 1]);
		}
	}
	options.settings.hosts = options.load.clients + 1;
	return options;
}

void show(const World &world, const Packet &packet)
{
	static const std::map<u32, const char *> names = {
		{type_data, "DATA"},
		{PROG_PACKET_GRANT, "GRANT"},
		{PROG_PACKET_RESEND, "RESEND"},
		{PROG_PACKET_RPC_UNKNOWN, "RPC_UNKNOWN"},
		{PROG_PACKET_BUSY, "BUSY"},
		{PROG_PACKET_CUTOFFS, "CUTOFFS"},
		{PROG_PACKET_NEED_ACK, "NEED_ACK"},
		{PROG_PACKET_ACK, "ACK"},
		{PROG_PACKET_ABORT, "ABORT"},
	};
	const auto name = names.find(packet.type);
	std::printf("%12.6f ms  %d->%d  rpc %llu  prio %u  %s %u+%u%s\n",
		    static_cast<double>(world.now() - 1000 * ms) / 1e6, packet.from, packet.to,
		    static_cast<unsigned long long>(packet.id), packet.prio,
		    name == names.end() ? "?" : name->second, packet.ev.offset, packet.ev.length,
		    packet.again ? " again" : "");
}

double in_ms(u64 ns)
{
	return static_cast<double>(ns) / 1e6;
}

void print(const Figures &f)
{
	const auto count = [](u64 n) { return static_cast<unsigned long long>(n); };

	std::printf("rpcs %llu, failed %llu%s%s\n", count(f.rpcs), count(f.failed),
		    f.broken.empty() ? "" : ", broken: ", f.broken.c_str());
	std::printf("bytes needed %llu, sent %llu (%.3f times), of them again %llu\n",
		    count(f.needed), count(f.data_bytes),
		    static_cast<double>(f.data_bytes) / static_cast<double>(f.needed),
		    count(f.again_bytes));
	std::printf("DATA packets %llu (%.2f%% did not arrive), control packets %llu "
		    "(%.2f per RPC)\n",
		    count(f.data_packets), 100 * f.loss, count(f.control_packets),
		    static_cast<double>(f.control_packets) / static_cast<double>(f.rpcs));
	std::printf("shortest %.3f ms, longest %.3f ms, all %.3f ms\n", in_ms(f.shortest_ns),
		    in_ms(f.longest_ns), in_ms(f.all_ns));
}

} // namespace

int main(int argc, char **argv)
{
	const Options options = read(argc, argv);
	World world(options.settings);

	for (const auto &[name, value] : options.params)
		for (int i = 0; i < options.settings.hosts; i++)
			if (!set_param(world.host(i).params, name, value))
				refuse(name.c_str());
	if (options.trace)
		world.tap = [&world](const Packet &packet) { show(world, packet); };
	const Figures figures = measure(world, options.load, options.limit);
	print(figures);
	if (options.events)
		for (const auto &[name, n] : world.count)
			std::printf("%12llu %s\n", static_cast<unsigned long long>(n),
				    name.c_str());
	if (options.tcp) {
		const u64 took = tcp_takes(options.settings, options.load, options.limit);
		std::printf("TCP %.3f ms: %.2f times as long\n", in_ms(took),
			    static_cast<double>(figures.all_ns) / static_cast<double>(took));
	}
	return figures.broken.empty() && figures.failed == 0 ? 0 : 1;
}
