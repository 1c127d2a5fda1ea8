// SPDX-License-Identifier: Apache-2.0
// RPCs of a workload's sizes at random times, whatever has become of those before: by how
// much each is slower than one of its size on an idle link.
#include "modes.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace bench {
namespace {

/** Times of RPCs on the idle link, by the faster one of TCP and SDP in the clear. */
class unloaded {
public:
	explicit unloaded(const setting &all)
	{
		for (const std::uint32_t size : sizes) {
			double best = 0;
			for (const std::string_view name : {"tcp", "sdp-clear"}) {
				const double time = measure(all, *transport_named(name), size);
				best = best == 0 ? time : std::min(best, time);
			}
			times_.push_back(best);
			report({"open", "unloaded", size, 1, all.label}, "p50", best);
		}
	}

	/** Nanoseconds; between the sizes that were measured, on a line. */
	[[nodiscard]] double of(std::uint32_t size) const
	{
		const auto above = std::find_if(sizes.begin() + 1, sizes.end() - 1,
						[&](std::uint32_t one) { return size < one; });
		const auto index = static_cast<std::size_t>(above - sizes.begin());
		const double low = sizes[index - 1];
		const double share = std::max(0.0, (size - low) / (sizes[index] - low));
		return times_[index - 1] + share * (times_[index] - times_[index - 1]);
	}

private:
	static constexpr std::array<std::uint32_t, 9> sizes{
		64, 512, 1400, 4096, 16'384, 65'536, 262'144, 524'288, 1'000'000};

	static double measure(const setting &all, const transport &kind, std::uint32_t size)
	{
		plan what = make_plan(all, size, 1);
		what.alone = true;
		const connection with(all, kind, what);
		closed_loop(with.to(), 8, 1, 1, size, size, nullptr);
		histogram times;
		closed_loop(with.to(), 9, 1, 1, size, size, &times);
		return static_cast<double>(times.percentile(0.5));
	}

	std::vector<double> times_;
};

/** Bytes on the link for a message of @p size: with headers of packets of 1500 bytes. */
double on_link(double size)
{
	constexpr double payload = 1440;
	constexpr double headers = 74;
	return size + headers * std::ceil(size / payload);
}

/** Of the workload, by many draws: long messages are cut, and headers count. */
double mean_on_link(const workload &of)
{
	chance from(1);
	double sum = 0;
	constexpr int draws = 100'000;
	for (int i = 0; i < draws; ++i) {
		sum += on_link(of.draw(from));
	}
	return sum / draws;
}

/** The top of the bucket of @p size: a power of four, at most what is sent at all. */
std::uint32_t bucket_of(std::uint32_t size)
{
	std::uint32_t top = 64;
	while (top < size) {
		top *= 4;
	}
	return std::min<std::uint32_t>(top, longest);
}

class run_of {
public:
	run_of(const setting &all, const open_mode &what, const transport &kind,
	       const workload &sizes, std::uint32_t load)
		: what_(what),
		  sizes_(sizes),
		  lanes_(all.one_connection ? 1 : what.pool),
		  gap_(mean_on_link(sizes) * 8e3 / what.megabits * 100 / load),
		  random_(all.seed),
		  with_(all, kind, make_plan(all, longest, lanes_)),
		  busy_(lanes_),
		  where_{"open", kind.name, 0, load, all.label + std::string(sizes.name)}
	{
	}

	void measure(const unloaded &idle)
	{
		std::vector<one> rpcs;
		auto due = clock::now() + std::chrono::milliseconds(1);
		const auto begin = due;
		for (std::size_t ended = 0; ended < what_.count;) {
			while (rpcs.size() < what_.count && due <= clock::now()) {
				send(rpcs, due);
				due += std::chrono::nanoseconds(
					static_cast<std::int64_t>(random_.exponential(gap_)));
			}
			const auto tag = with_.to().next(
				rpcs.size() < what_.count ? std::optional(due) : std::nullopt);
			if (!tag) {
				continue;
			}
			const one &done = rpcs.at(*tag);
			--busy_[done.lane];
			++ended;
			bytes_ += done.size;
			// The first tenth finds an empty link.
			if (*tag >= what_.count / 10) {
				add(done, clock::now() - done.due, idle);
			}
		}
		const std::chrono::duration<double> took = clock::now() - begin;
		report_all(static_cast<double>(bytes_) / took.count());
	}

private:
	struct one {
		clock::time_point due;
		std::uint32_t size;
		std::uint32_t lane;
	};
	struct by_size {
		histogram times;
		histogram slowdowns; /**< thousandths */
	};

	void send(std::vector<one> &rpcs, clock::time_point due)
	{
		// A connection that is idle, or has the least to do.
		const auto least = std::min_element(busy_.begin(), busy_.end());
		const auto lane = static_cast<std::uint32_t>(least - busy_.begin());
		const std::uint32_t size = sizes_.draw(random_);
		++*least;
		rpcs.push_back({due, size, lane});
		with_.to().request(lane, rpcs.size() - 1, size, size);
	}

	void add(const one &done, clock::duration time, const unloaded &idle)
	{
		const double slowdown = static_cast<double>(time.count()) / idle.of(done.size);
		const std::chrono::nanoseconds scaled(static_cast<std::int64_t>(1000 * slowdown));
		for (by_size *to : {&buckets_[bucket_of(done.size)], &buckets_[0]}) {
			to->times.add(time);
			to->slowdowns.add(scaled);
		}
	}

	void report_all(double rate)
	{
		report(where_, "bytes_per_s", rate);
		for (const auto &[top, of] : buckets_) {
			where_.size = top;
			report(where_, "p50", static_cast<double>(of.times.percentile(0.5)));
			report(where_, "p99", static_cast<double>(of.times.percentile(0.99)));
			report(where_, "slowdown_p50",
			       static_cast<double>(of.slowdowns.percentile(0.5)) / 1000);
			report(where_, "slowdown_p99",
			       static_cast<double>(of.slowdowns.percentile(0.99)) / 1000);
			report(where_, "count", static_cast<double>(of.times.count()));
		}
	}

	const open_mode &what_;
	const workload &sizes_;
	std::uint32_t lanes_;
	double gap_; /**< mean, nanoseconds */
	chance random_;
	connection with_;
	std::vector<std::uint32_t> busy_; /**< RPCs of each lane */
	std::uint64_t bytes_ = 0;
	std::map<std::uint32_t, by_size> buckets_; /**< by their top; 0: all */
	place where_;
};

} // namespace

bool run(const setting &all, const open_mode &what)
{
	const unloaded idle(all);
	bool fine = true;
	for (const workload *sizes : what.workloads) {
		for (const std::uint32_t load : what.loads) {
			fine = each_transport(all, "open",
					      [&](const transport &kind) {
						      if (kind.reliable &&
							  kind.longest >= longest) {
							      run_of(all, what, kind, *sizes, load)
								      .measure(idle);
						      }
					      }) &&
			       fine;
		}
	}
	return fine;
}

} // namespace bench
