// SPDX-License-Identifier: Apache-2.0
// So many RPCs outstanding, each followed by another: what they cost, their rate, their times.
#include "mark.hpp"
#include "modes.hpp"

#include <algorithm>
#include <sched.h>

namespace bench {
namespace {

/**
 * The two ends may share one CPU, and with several RPCs outstanding both often have work:
 * whichever has used less of the CPU pushes the other aside when woken, and small
 * differences decide whether that happens with each RPC or hardly ever. Two hosts
 * share no CPU. Here an end then runs until it has to wait.
 */
void take_turns(bool yes)
{
	const sched_param none{};
	check(::sched_setscheduler(0, yes ? SCHED_BATCH : SCHED_OTHER, &none), "policy");
}

double nanoseconds_since(clock::time_point start)
{
	return std::chrono::duration<double, std::nano>(clock::now() - start).count();
}

void report_cpu(const place &where, const std::string &end, const cpu_times &before,
		const cpu_times &after, double rpcs)
{
	const auto each = [&](const char *name, std::uint64_t from, std::uint64_t to) {
		report(where, end + name, static_cast<double>(to - from) / rpcs);
	};
	each("_user", before.user, after.user);
	each("_system", before.system, after.system);
	each("_interrupts", before.interrupts, after.interrupts);
	each("_softirqs", before.softirqs, after.softirqs);
	each("_idle", before.idle, after.idle);
}

class closed_point {
public:
	closed_point(const setting &all, const closed_mode &what, const transport &kind,
		     std::uint32_t size, std::uint32_t outstanding)
		: all_(all),
		  what_(what),
		  kind_(kind),
		  size_(size),
		  answer_(what.answer == 0 ? size : what.answer),
		  outstanding_(outstanding),
		  lanes_(all.one_connection ? 1 : outstanding)
	{
	}

	/** Several fresh connections; the one that took the least time counts. */
	void measure()
	{
		const place where{"closed", kind_.name, size_, outstanding_, all_.label};
		double least = 0;
		histogram times;
		for (unsigned i = 0; i < what_.connections; ++i) {
			histogram of_one;
			const double each = measure_one(where, of_one);
			if (i == 0 || each < least) {
				least = each;
				times = of_one;
			}
		}
		report(where, "ns", least);
		report(where, "rate", 1e9 / least);
		report(where, times);
	}

private:
	double measure_one(const place &where, histogram &times)
	{
		plan what = make_plan(all_, std::max(size_, answer_), lanes_);
		what.alone = outstanding_ == 1;
		take_turns(all_.turns && outstanding_ > 1);
		const connection with(all_, kind_, what);
		std::size_t count = what_.first;
		if (count == 0) {
			const std::size_t some = std::max<std::size_t>(50, 4 * outstanding_);
			run(with, some / 2, nullptr);
			const auto start = clock::now();
			run(with, some, nullptr);
			const double guess = nanoseconds_since(start) / static_cast<double>(some);
			const std::chrono::duration<double, std::nano> time(what_.duration);
			count = std::max(some, static_cast<std::size_t>(time.count() / guess));
		}
		const cpu_times there = all_.cpu ? with.host().cpu() : cpu_times{};
		const cpu_times here = own_cpu_times();
		const auto start = clock::now();
		mark_start();
		run(with, count, &times);
		mark_stop();
		const auto rpcs = static_cast<double>(count);
		const double each = nanoseconds_since(start) / rpcs;
		if (all_.cpu) {
			report_cpu(where, "client", here, own_cpu_times(), rpcs);
			report_cpu(where, "server", there, with.host().cpu(), rpcs);
		}
		return each;
	}

	void run(const connection &with, std::size_t count, histogram *times) const
	{
		closed_loop(with.to(), count, outstanding_, lanes_, size_, answer_, times);
	}

	const setting &all_;
	const closed_mode &what_;
	const transport &kind_;
	std::uint32_t size_;
	std::uint32_t answer_;
	std::uint32_t outstanding_;
	std::uint32_t lanes_;
};

} // namespace

void closed_loop(client &to, std::size_t count, std::uint32_t outstanding, std::uint32_t lanes,
		 std::uint32_t length, std::uint32_t answer, histogram *times)
{
	std::vector<clock::time_point> began(outstanding);
	std::size_t sent = 0;
	const auto send = [&](std::uint64_t tag, clock::time_point now) {
		began[tag] = now;
		to.request(static_cast<std::uint32_t>(tag % lanes), tag, length, answer);
		++sent;
	};
	for (std::uint64_t tag = 0; tag < outstanding && sent < count; ++tag) {
		send(tag, clock::now());
	}
	for (std::size_t received = 0; received < count; ++received) {
		const std::uint64_t tag = to.next({}).value();
		const auto now = clock::now();
		if (times != nullptr) {
			times->add(now - began.at(tag));
		}
		if (sent < count) {
			send(tag, now);
		}
	}
}

bool run(const setting &all, const closed_mode &what)
{
	bool fine = true;
	for (const std::uint32_t outstanding : what.outstanding) {
		for (const std::uint32_t size : what.sizes) {
			fine = each_transport(
				       all, "closed",
				       [&](const transport &kind) {
					       if (std::max(size, what.answer) > kind.longest) {
						       return;
					       }
					       closed_point(all, what, kind, size, outstanding)
						       .measure();
				       }) &&
			       fine;
		}
	}
	return fine;
}

} // namespace bench
