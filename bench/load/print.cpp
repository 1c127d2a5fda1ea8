// SPDX-License-Identifier: Apache-2.0
#include "print.hpp"

#include <array>
#include <cstdio>

namespace bench {

void report(const place &where, std::string_view metric, double value)
{
	std::printf("%.*s,%.*s,%u,%u,%s,%.*s,%.6g\n", static_cast<int>(where.mode.size()),
		    where.mode.data(), static_cast<int>(where.transport.size()),
		    where.transport.data(), where.size, where.outstanding, where.which.c_str(),
		    static_cast<int>(metric.size()), metric.data(), value);
	std::fflush(stdout);
}

void report(const place &where, const histogram &times)
{
	struct share {
		std::string_view name;
		double of;
	};
	static constexpr std::array<share, 4> shares{
		{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}}};
	for (const share &one : shares) {
		report(where, one.name, static_cast<double>(times.percentile(one.of)));
	}
	report(where, "most", static_cast<double>(times.most()));
	report(where, "mean", times.mean());
	report(where, "count", static_cast<double>(times.count()));
}

} // namespace bench
