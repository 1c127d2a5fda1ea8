// SPDX-License-Identifier: Apache-2.0
#include "paths.hpp"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <stdexcept>
#include <thread>

namespace sim {

namespace {

constexpr u64 limit = 1800 * second;

// Names for tests: no points.
std::string amount(u64 value)
{
	for (const auto &[unit, letter] : {std::pair{1'000'000'000ULL, "G"},
					   std::pair{1'000'000ULL, "M"}, std::pair{1'000ULL, "k"}})
		if (value >= unit && value % unit == 0)
			return std::to_string(value / unit) + letter;
	return std::to_string(value);
}

const std::pair<const char *, Load> loads[] = {
	{"small", {.messages = 20, .length = 200, .response = 1000, .interval_ns = 1 * ms}},
	{"one", {.length = 700000}},
	{"six", {.messages = 6, .length = 500000}},
	{"responses", {.messages = 6, .length = 100, .response = 300000}},
	{"incast", {.clients = 8, .messages = 2, .length = 100000}},
	{"clear", {.messages = 4, .length = 200000, .response = 100000, .secure = false}},
};

Result run_one(const Path &path)
{
	const bool chance = path.link.loss > 0 || (path.back && path.back->loss > 0);
	Result result{};

	for (u64 seed = 1; seed <= (chance ? 3 : 1); seed++) {
		const Settings settings = settings_of(path, seed);
		World world(settings);
		const Figures figures = measure(world, path.load, limit);
		result.runs++;
		result.failed = std::max(result.failed, figures.failed);
		result.bytes = std::max(result.bytes, share_of_bytes(figures));
		result.control = std::max(result.control, share_of_control(figures));
		result.sdp_ns += figures.all_ns;
		if (!figures.broken.empty())
			std::strncpy(result.broken, figures.broken.c_str(),
				     sizeof(result.broken) - 1);
		const u64 tcp = tcp_takes(settings, path.load, limit);
		const bool ends = tcp != ~0ULL && result.tcp_ns != ~0ULL;
		result.tcp_ns = ends ? result.tcp_ns + tcp : ~0ULL;
	}
	return result;
}

} // namespace

double share_of_bytes(const Figures &f)
{
	return static_cast<double>(f.data_bytes) /
	       ((1.2 + 3 * f.loss) * static_cast<double>(f.needed));
}

double share_of_control(const Figures &f)
{
	return static_cast<double>(f.control_packets) /
	       static_cast<double>(4 * f.rpcs + f.needed / 16384 + 2 * f.lost_packets);
}

Path path_of(u64 rate, u64 delay_ns, Queue queue, double loss, const char *what, const Load &load)
{
	Path path{.load_name = what,
		  .link = {.rate = rate,
			   .delay_ns = delay_ns,
			   .queue_packets = queue.packets,
			   .queue_bytes = queue.bytes,
			   .loss = loss},
		  .load = load};

	path.name = amount(rate) + "_" + amount(delay_ns) + "ns_" +
		    (queue.packets != 0 ? std::to_string(queue.packets) + "packets"
					: amount(queue.bytes) + "bytes") +
		    "_loss" + std::to_string(static_cast<int>(loss * 100)) + "_" + what;
	return path;
}

Settings settings_of(const Path &path, u64 seed)
{
	Settings settings;

	settings.hosts = path.load.clients + 1;
	settings.seed = seed;
	settings.link = path.link;
	settings.back = path.back;
	settings.nic.rate = std::max(settings.nic.rate, path.link.rate);
	settings.nic.arp_ns = path.arp_ns;
	settings.record = path_record;
	settings.fixed = path.fixed;
	return settings;
}

std::vector<Path> matrix()
{
	static const u64 rates[] = {1'000'000,       5'000'000,      20'000'000,
				    100'000'000,     1'000'000'000,  10'000'000'000,
				    100'000'000'000, 400'000'000'000};
	static const u64 delays[] = {1 * us, 100 * us, 1 * ms, 20 * ms, 100 * ms};
	static const Queue queues[] = {{10, 0}, {100, 0}, {1000, 0}, {0, 100'000'000}};
	static const double losses[] = {0, 0.01, 0.1, 0.3};
	std::vector<Path> list;

	for (const u64 rate : rates)
		for (const u64 delay : delays)
			for (const Queue &queue : queues)
				for (const double loss : losses)
					for (const auto &[what, load] : loads)
						list.push_back(path_of(rate, delay, queue, loss,
								       what, load));
	return list;
}

std::vector<Path> variations()
{
	static const u64 rates[] = {1'000'000, 20'000'000, 1'000'000'000, 100'000'000'000};
	static const u64 delays[] = {100 * us, 20 * ms};
	std::vector<Path> list;

	const auto vary = [&list](Path path, const char *how, const auto &change) {
		path.variation = how;
		path.name = std::string(how) + "_" + path.name;
		change(path);
		list.push_back(path);
	};
	for (const u64 rate : rates)
		for (const u64 delay : delays)
			for (const auto &[what, load] : loads) {
				const Path path = path_of(rate, delay, {1000, 0}, 0, what, load);
				vary(path, "slow_back", [rate](Path &p) {
					p.back = p.link;
					p.back->rate = std::max(rate / 20, 1'000'000ULL);
				});
				vary(path, "lossy_back", [](Path &p) {
					p.back = p.link;
					p.back->loss = 0.1;
				});
				vary(path, "fifo", [](Path &p) { p.link.priorities = false; });
				vary(path, "arp", [](Path &p) { p.arp_ns = 500 * ms; });
				if (load.secure || rate < 20'000'000)
					continue;
				for (const int host : {0, 1})
					vary(path, host == 0 ? "fixed_server" : "fixed_client",
					     [host](Path &p) { p.fixed = host; });
			}
	return list;
}

std::vector<Result> run_all(const std::vector<Path> &paths)
{
	struct Shared {
		std::atomic<size_t> next;
	};
	const size_t bytes = sizeof(Shared) + paths.size() * sizeof(Result);
	void *memory =
		mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		throw std::runtime_error("mmap");
	auto *shared = new (memory) Shared{};
	auto *results = reinterpret_cast<Result *>(shared + 1);
	std::vector<pid_t> children;

	for (unsigned i = 0; i < std::max(std::thread::hardware_concurrency(), 1U); i++) {
		const pid_t child = fork();
		if (child < 0)
			throw std::runtime_error("fork");
		if (child == 0) {
			for (size_t at = shared->next++; at < paths.size(); at = shared->next++)
				results[at] = run_one(paths[at]);
			_exit(0);
		}
		children.push_back(child);
	}
	bool well = true;
	for (const pid_t child : children) {
		int status = 0;
		well = waitpid(child, &status, 0) == child && status == 0 && well;
	}
	std::vector<Result> all(results, results + paths.size());
	munmap(memory, bytes);
	if (!well)
		throw std::runtime_error("a process that runs paths has failed");
	return all;
}

} // namespace sim
