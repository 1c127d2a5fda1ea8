// SPDX-License-Identifier: Apache-2.0
#include "leaks.hpp"

#include <fstream>
#include <memory>
#include <sched.h>
#include <thread>

#include "net.hpp"
#include "proc.hpp"
#include "test.hpp"

namespace leaks {
namespace {

struct Baseline {
	std::map<std::string, long> objects;
	long namespaces = 0;
};

std::vector<const net::Netns *> watched;
std::vector<proc::Counters> counters;
Baseline before;

// Caches of per-peer memory empty by age, not when a program ends.
bool counts(const std::string &cache)
{
	return cache.find("peer") == std::string::npos && cache.find("client") == std::string::npos;
}

Baseline measure()
{
	Baseline now;
	for (const auto &[name, active] : proc::slabs("sdp"))
		if (counts(name))
			now.objects[name] = active;
	for (const auto &[name, active] : proc::slabs("net_namespace"))
		now.namespaces += active;
	return now;
}

std::string remaining(const Baseline &now)
{
	std::string text;
	for (const auto &[name, active] : now.objects)
		if (active > before.objects[name])
			text += name + ": " + std::to_string(active) + " objects, " +
				std::to_string(before.objects[name]) + " before\n";
	// Of the last one that went: see free_namespaces().
	if (now.namespaces > before.namespaces + 1)
		text += "net_namespace: " + std::to_string(now.namespaces) + " objects, " +
			std::to_string(before.namespaces) + " before\n";
	return text;
}

// The kernel frees the memory of the namespaces that went last, together, when
// the next one goes. Here it goes.
void free_namespaces()
{
	test::Child([] { OK(unshare(CLONE_NEWNET)); }).join();
}

std::string first_left(const net::Netns &ns)
{
	for (const char *list : {"sockets", "rpcs", "sessions"}) {
		auto lines = proc::lines(ns, list);
		if (!lines.empty())
			return std::string("left in ") + list + ": " + lines[0] + " (of " +
			       std::to_string(lines.size()) + ")";
	}
	return {};
}

} // namespace

void watch(const net::Netns &ns)
{
	watched.push_back(&ns);
}

void begin()
{
	before = measure();
}

void begin_case()
{
	counters.clear();
	for (const net::Netns *ns : watched) {
		ns->patient(true);
		counters.emplace_back(*ns);
	}
}

std::string moved()
{
	std::string text;
	for (size_t i = 0; i < counters.size(); i++)
		text += "host " + std::string(1, static_cast<char>('a' + i)) + ":\n" +
			counters[i].all_moved();
	return text;
}

void check()
{
	for (const net::Netns *ns : watched) {
		std::string left;
		// Responses of sockets that are closed wait for clients that may be dead.
		ns->patient(false);
		if (!test::eventually([&] { return (left = first_left(*ns)).empty(); }))
			throw test::Failure(left);
	}
}

void end()
{
	std::string left;
	unsigned looks = 0;
	auto clean = [&] {
		if (looks++ % 200 == 0)
			free_namespaces();
		return (left = remaining(measure())).empty();
	};
	if (!test::eventually(clean, 60))
		throw test::Failure(left);
	for (const net::Netns *ns : watched) {
		proc::Charged charged;
		// Each CPU may keep a megabyte of the protocol's charge for itself.
		long kept = 256L * std::thread::hardware_concurrency();
		if (!test::eventually([&] {
			    charged = proc::charged(*ns);
			    return charged.pages <= kept;
		    }))
			throw test::Failure(std::to_string(charged.pages) + " pages still charged");
	}
}

} // namespace leaks
