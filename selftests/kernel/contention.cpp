// SPDX-License-Identifier: Apache-2.0
// How often the lock of a socket (ep->lock) is taken for an RPC, and how often it was
// another's just then, by probes of the kernel's spinlocks: counts, no times. What is
// checked is how often; the rest is told (docs/perf.md).
#include <fcntl.h>
#include <fstream>
#include <memory>
#include <sstream>

#include <sys/mount.h>

#include "lib/proc.hpp"
#include "lib/talk.hpp"
#include "lib/test.hpp"

namespace {

const std::string tracing = "/sys/kernel/tracing/";

/// Adds a line to a file that is a list of what there is.
void put_line(const std::string &file, const std::string &line)
{
	const Fd out(OK(open((tracing + file).c_str(), O_WRONLY | O_APPEND)));
	EQ(OK(write(out, line.data(), line.size())), line.size());
}

/// While this lives there is one CPU. QEMU (accel/tcg, until 8.1) may keep for good what it
/// translated of an instruction that another CPU was just writing: a breakpoint that is
/// no more, in a function as busy as these, ends the kernel.
class OneCpu {
public:
	OneCpu() { put("0"); }
	OneCpu(const OneCpu &) = delete;
	OneCpu &operator=(const OneCpu &) = delete;
	~OneCpu() { put("1"); }

private:
	void put(const char *online) const
	{
		for (unsigned cpu = 1; cpu < cpus_; cpu++)
			std::ofstream("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
				      "/online")
				<< online << std::flush;
	}

	unsigned cpus_ = static_cast<unsigned>(sysconf(_SC_NPROCESSORS_CONF));
};

/// Counts calls of a function by its first argument, while this lives.
class Calls {
public:
	explicit Calls(const std::string &function) : name_("of_" + function)
	{
		mount("none", tracing.c_str(), "tracefs", 0, nullptr);
		if (access((tracing + "kprobe_events").c_str(), F_OK) != 0)
			throw test::Skip("a kernel without probes");
		const OneCpu writing;
		put_line("kprobe_events", "p:sdp_calls/" + name_ + " " + function + " arg=%di:x64");
		put_line(events() + "trigger", "hist:keys=arg.hex:size=65536");
	}
	Calls(const Calls &) = delete;
	Calls &operator=(const Calls &) = delete;
	~Calls()
	{
		const OneCpu writing;
		put_line(events() + "trigger", "!hist:keys=arg.hex:size=65536");
		put_line("kprobe_events", "-:sdp_calls/" + name_);
	}

	/// By argument, up to now.
	[[nodiscard]] std::map<uint64_t, uint64_t> counts() const
	{
		std::ifstream file(tracing + events() + "hist");
		std::map<uint64_t, uint64_t> result;
		for (std::string line; std::getline(file, line);) {
			const size_t arg = line.find("arg:"), hits = line.find("hitcount:");
			if (arg != std::string::npos && hits != std::string::npos)
				result[std::stoull(line.substr(arg + 4), nullptr, 16)] =
					std::stoull(line.substr(hits + 9));
		}
		return result;
	}

private:
	[[nodiscard]] std::string events() const { return "events/sdp_calls/" + name_ + "/"; }

	std::string name_;
};

/// A client and a server; where the kernel has them.
struct Known {
	explicit Known(bool secure)
	{
		Calls made("sdp_endpoint_init");
		talk = std::make_unique<PlainTalk>();
		for (const auto &[endpoint, times] : made.counts())
			endpoints.push_back(endpoint);
		EQ(endpoints.size(), 2U);
		if (secure)
			make_secure(*talk);
	}

	std::unique_ptr<PlainTalk> talk;
	std::vector<uint64_t> endpoints;
};

/// Of the two locks that an endpoint has, the one for its lists is taken often.
uint64_t of_lists(const std::map<uint64_t, uint64_t> &counts,
		  const std::vector<uint64_t> &endpoints)
{
	constexpr uint64_t endpoint_size = 4096;
	uint64_t sum = 0;
	for (const uint64_t endpoint : endpoints) {
		uint64_t most = 0;
		for (auto at = counts.lower_bound(endpoint);
		     at != counts.end() && at->first < endpoint + endpoint_size; ++at)
			most = std::max(most, at->second);
		sum += most;
	}
	return sum;
}

/// Echoes of @a length bytes by @a threads at each end, all of one socket.
void echo(const PlainTalk &talk, unsigned threads, unsigned rpcs, size_t length)
{
	std::atomic<int> requests = static_cast<int>(rpcs), answers = requests.load();
	std::vector<std::unique_ptr<test::Thread>> all;
	for (unsigned i = 0; i < threads; i++) {
		all.push_back(std::make_unique<test::Thread>([&] {
			while (answers-- > 0)
				talk.server.echo();
		}));
		all.push_back(std::make_unique<test::Thread>([&] {
			while (requests-- > 0) {
				talk.client.request(talk.to, pattern(length));
				EQ(talk.client.expect().bytes.size(), length);
			}
		}));
	}
	for (auto &thread : all)
		thread->join();
}

std::string per(uint64_t count, unsigned rpcs)
{
	std::ostringstream out;
	out.precision(4);
	out << static_cast<double>(count) / rpcs;
	return out.str();
}

/// Takings of both ends' locks for RPCs, one at a time.
uint64_t taken_once(const Known &known, unsigned rpcs, size_t length)
{
	const Calls plain("_raw_spin_lock"), bh("_raw_spin_lock_bh");
	echo(*known.talk, 1, rpcs, length);
	std::map<uint64_t, uint64_t> all = plain.counts();
	for (const auto &[lock, count] : bh.counts())
		all[lock] += count;
	const uint64_t sum = of_lists(all, known.endpoints);
	CHECK(sum > 0);
	return sum;
}

/// The least of several times, for timers of a machine that stands still take it, too; no
/// more of them once it is @a most for each.
uint64_t taken(const Known &known, unsigned rpcs, size_t length, unsigned most)
{
	echo(*known.talk, 1, 20, length);
	uint64_t least = taken_once(known, rpcs, length);
	for (int i = 0; i < 5 && least > most * rpcs; i++)
		least = std::min(least, taken_once(known, rpcs, length));
	return least;
}

} // namespace

SETUP
{
	two_hosts();
}

// Client and server: insertion, announcement, claim, done, end.
TEST_LIMIT(taken_for_a_short_message, 300)
{
	constexpr unsigned rpcs = 500;
	for (const bool secure : {false, true}) {
		const Known known(secure);
		const uint64_t sum = taken(known, rpcs, 64, 10);
		test::note(std::string(secure ? "secure" : "clear") + ", 64 B: " + per(sum, rpcs) +
			   " times an RPC, both ends");
		CHECK(sum <= 10 * rpcs + rpcs / 10);
	}
}

// Beside these, each end enters the list of incomplete messages.
TEST_LIMIT(taken_for_a_long_message, 300)
{
	constexpr unsigned rpcs = 50;
	for (const bool secure : {false, true}) {
		const Known known(secure);
		const uint64_t sum = taken(known, rpcs, 200'000, 12);
		test::note(std::string(secure ? "secure" : "clear") +
			   ", 200 KB: " + per(sum, rpcs) + " times an RPC, both ends");
		CHECK(sum <= 12 * rpcs + rpcs);
	}
}

// Threads that share sockets; nothing is checked but that all is answered. $SDP_TEST_ALL: four
// times as much, for figures.
TEST_LIMIT(contended, 300)
{
	const unsigned times = getenv("SDP_TEST_ALL") ? 4 : 1;
	for (const size_t length : {64U, 200'000U})
		for (const char *steer : {"0", "1"}) {
			const unsigned rpcs = times * (length < 1000 ? 1000 : 100);
			const unsigned cpus = static_cast<unsigned>(sysconf(_SC_NPROCESSORS_ONLN));
			for (const net::Host *host : {&hosts->a, &hosts->b})
				CHECK(host->ns.sysctl("steer", steer));
			const Known known(true);
			echo(*known.talk, cpus, rpcs / 10, length);
			const proc::Counters a(hosts->a.ns), b(hosts->b.ns);
			const Calls slow("native_queued_spin_lock_slowpath");
			echo(*known.talk, cpus, rpcs, length);
			uint64_t all = 0;
			for (const auto &[lock, count] : slow.counts())
				all += count;
			test::note(std::to_string(length) + " B, " + std::to_string(cpus) +
				   " threads on as many CPUs, steer " + steer + ": " +
				   per(of_lists(slow.counts(), known.endpoints) * 1000, rpcs) +
				   " waits for ep->lock, " + per(all * 1000, rpcs) +
				   " for any lock, " +
				   per(1000 * (a.moved("steered") + b.moved("steered")), rpcs) +
				   " packets to other CPUs, " +
				   per(1000 * (a.moved("steer_wakes") + b.moved("steer_wakes")),
				       rpcs) +
				   " wakes, per 1,000 RPCs");
		}
}
