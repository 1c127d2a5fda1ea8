// SPDX-License-Identifier: Apache-2.0
// Short RPCs at random times beside long ones between the same hosts.
#include "modes.hpp"

#include <algorithm>

namespace bench {
namespace {

/** Tags from here on are of long RPCs. */
constexpr std::uint64_t long_tags = std::uint64_t{1} << 32;

class mixture {
public:
	mixture(const setting &all, const tails_mode &what, const transport &kind,
		std::uint32_t bulk)
		: all_(all),
		  what_(what),
		  bulk_(bulk),
		  lanes_(all.one_connection ? 1 : 1 + bulk),
		  with_(all, kind, make_plan(all, std::max(what.bulk_size, what.size), lanes_)),
		  random_(all.seed),
		  due_(what.count)
	{
		place_ = {"tails", kind.name, what.size, bulk, all.label};
	}

	void measure()
	{
		closed_loop(with_.to(), 20, 1, 1, what_.size, what_.size, nullptr);
		for (std::uint32_t i = 0; i < bulk_; ++i) {
			send_long(i);
		}
		// Long messages first find their pace.
		const auto begin = clock::now();
		auto due = begin + std::chrono::milliseconds(bulk_ == 0 ? 0 : 300);
		for (std::size_t ended = 0, sent = 0; ended < what_.count;) {
			for (; sent < what_.count && due <= clock::now(); ++sent) {
				due_[sent] = due;
				with_.to().request(0, sent, what_.size, what_.size);
				due += gap();
			}
			const auto tag = with_.to().next(sent < what_.count ? std::optional(due)
									    : std::nullopt);
			if (tag && *tag >= long_tags) {
				++long_ended_;
				send_long(*tag - long_tags);
			} else if (tag) {
				times_.add(clock::now() - due_.at(*tag));
				++ended;
			}
		}
		report(place_, times_);
		if (bulk_ != 0) {
			const std::chrono::duration<double> took = clock::now() - begin;
			report(place_, "bulk_bytes_per_s",
			       static_cast<double>(long_ended_) * what_.bulk_size / took.count());
		}
	}

private:
	void send_long(std::uint64_t index)
	{
		const auto lane = static_cast<std::uint32_t>(lanes_ == 1 ? 0 : 1 + index);
		with_.to().request(lane, long_tags + index, what_.bulk_size, what_.bulk_size);
	}

	clock::duration gap()
	{
		const double mean = std::chrono::duration<double, std::nano>(what_.gap).count();
		return std::chrono::nanoseconds(
			static_cast<std::int64_t>(random_.exponential(mean)));
	}

	const setting &all_;
	const tails_mode &what_;
	std::uint32_t bulk_;
	std::uint32_t lanes_;
	connection with_;
	chance random_;
	std::vector<clock::time_point> due_;
	std::size_t long_ended_ = 0;
	histogram times_;
	place place_;
};

} // namespace

bool run(const setting &all, const tails_mode &what)
{
	bool fine = true;
	for (const std::uint32_t bulk : what.bulks) {
		fine = each_transport(all, "tails",
				      [&](const transport &kind) {
					      if (kind.reliable &&
						  std::max(what.bulk_size, what.size) <=
							  kind.longest) {
						      mixture(all, what, kind, bulk).measure();
					      }
				      }) &&
		       fine;
	}
	return fine;
}

} // namespace bench
