// SPDX-License-Identifier: Apache-2.0
// The cable between two ends: rate, delay, loss, reordering, duplication, a link that can
// be down, and a capture of every packet. Has no clock of its own, and no threads.
#pragma once

#include <array>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "selftests/kernel/lib/bytes.hpp"

namespace cx {

using Nanoseconds = int64_t;

struct WireOptions {
	uint64_t bits_per_second = 0; ///< 0: takes no time
	Nanoseconds delay = 0;
	// Of a million packets.
	uint32_t loss = 0;
	uint32_t reorder = 0;
	uint32_t duplicate = 0;
	/// How much later a reordered packet comes.
	Nanoseconds reorder_by = 1'000'000;
	uint64_t seed = 1;
	/// Capture, nanosecond pcap; empty: none.
	std::string pcap;
	/// Only these packets are kept there; all if there is no function.
	std::function<bool(View frame)> keep;
};

class Wire {
public:
	/// What comes out: at end 0 or 1.
	using Deliver = std::function<void(int end, View frame)>;
	/// Sees each frame as it goes in, before anything happens to it.
	using Tap = std::function<void(int from, View frame, Nanoseconds now)>;

	/// Throws if the capture cannot be made.
	Wire(WireOptions options, Deliver deliver);

	void tap(Tap tap) { taps_.push_back(std::move(tap)); }
	/// A frame leaves @a from at @a now. Nothing is delivered before run().
	void send(int from, View frame, Nanoseconds now);
	/// Delivers what is due at @a now.
	void run(Nanoseconds now);
	/// When something will be due.
	[[nodiscard]] std::optional<Nanoseconds> next() const;
	/// When the last bit of what @a from has sent is out: a sender that waits until
	/// then has a queue, not a backlog.
	[[nodiscard]] Nanoseconds free_at(int from) const
	{
		return free_.at(static_cast<size_t>(from));
	}

	/// Down: what is sent is lost, and so is what is on its way.
	void link(bool up);
	[[nodiscard]] bool up() const { return up_; }
	/// Change loss and the like; the seed's sequence goes on, the capture stays.
	void change(const WireOptions &options);
	/// Writes the capture's buffer out.
	void flush();

	struct Counters {
		uint64_t sent = 0;
		uint64_t bytes = 0;
		uint64_t lost = 0;
		uint64_t reordered = 0;
		uint64_t duplicated = 0;
		uint64_t while_down = 0;
		uint64_t delivered = 0;
	};
	[[nodiscard]] const Counters &counters(int from) const
	{
		return counters_.at(static_cast<size_t>(from));
	}
	[[nodiscard]] std::string report() const;

private:
	struct Close {
		void operator()(FILE *file) const { fclose(file); }
	};
	struct Flying {
		int from = 0;
		Bytes frame;
	};

	bool chance(uint32_t of_a_million);
	void capture(View frame, Nanoseconds now);

	WireOptions options_;
	Deliver deliver_;
	std::vector<Tap> taps_;
	std::unique_ptr<FILE, Close> pcap_;
	Random random_;
	std::array<Nanoseconds, 2> free_{};
	std::multimap<Nanoseconds, Flying> flying_;
	std::array<Counters, 2> counters_{};
	bool up_ = true;
};

} // namespace cx
