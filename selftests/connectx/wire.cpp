// SPDX-License-Identifier: Apache-2.0
#include "wire.hpp"

#include <cerrno>
#include <system_error>

namespace cx {

namespace {

constexpr uint32_t pcap_nanoseconds = 0xa1b23c4d;
constexpr uint32_t pcap_version = 0x00040002;
constexpr uint32_t pcap_longest = 0x40000;
constexpr uint32_t pcap_ethernet = 1;
constexpr Nanoseconds second = 1'000'000'000;
/// Preamble, checksum, gap: what a frame takes of the cable besides itself.
constexpr uint64_t frame_overhead = 24;
constexpr uint64_t a_million = 1'000'000;

void put_little(Bytes &to, uint32_t value)
{
	for (unsigned shift = 0; shift < 32; shift += 8)
		to.push_back(static_cast<uint8_t>(value >> shift));
}

} // namespace

Wire::Wire(WireOptions options, Deliver deliver)
	: options_(std::move(options)), deliver_(std::move(deliver)), random_(options_.seed)
{
	if (options_.pcap.empty())
		return;
	pcap_.reset(fopen(options_.pcap.c_str(), "wbe"));
	if (!pcap_)
		throw std::system_error(errno, std::generic_category(), options_.pcap);
	Bytes head;
	for (const uint32_t word :
	     {pcap_nanoseconds, pcap_version, 0U, 0U, pcap_longest, pcap_ethernet})
		put_little(head, word);
	fwrite(head.data(), 1, head.size(), pcap_.get());
}

bool Wire::chance(uint32_t of_a_million)
{
	return of_a_million > 0 && random_.below(a_million) < of_a_million;
}

void Wire::capture(View frame, Nanoseconds now)
{
	if (!pcap_ || (options_.keep && !options_.keep(frame)))
		return;
	Bytes head;
	put_little(head, static_cast<uint32_t>(now / second));
	put_little(head, static_cast<uint32_t>(now % second));
	put_little(head, static_cast<uint32_t>(frame.size()));
	put_little(head, static_cast<uint32_t>(frame.size()));
	fwrite(head.data(), 1, head.size(), pcap_.get());
	fwrite(frame.data(), 1, frame.size(), pcap_.get());
}

void Wire::send(int from, View frame, Nanoseconds now)
{
	Counters &counters = counters_.at(static_cast<size_t>(from));
	Nanoseconds &free = free_.at(static_cast<size_t>(from));

	counters.sent++;
	counters.bytes += frame.size();
	for (const Tap &tap : taps_)
		tap(from, frame, now);
	capture(frame, now);
	if (!up_) {
		counters.while_down++;
		return;
	}
	free = std::max(free, now);
	if (options_.bits_per_second > 0)
		free += static_cast<Nanoseconds>((frame.size() + frame_overhead) * 8 *
						 static_cast<uint64_t>(second) /
						 options_.bits_per_second);
	if (chance(options_.loss)) {
		counters.lost++;
		return;
	}
	const int copies = chance(options_.duplicate) ? 2 : 1;
	counters.duplicated += copies == 2 ? 1 : 0;
	for (int i = 0; i < copies; i++) {
		Nanoseconds at = free + options_.delay;
		if (chance(options_.reorder)) {
			counters.reordered++;
			at += options_.reorder_by;
		}
		flying_.emplace(at, Flying{from, Bytes(frame.begin(), frame.end())});
	}
}

void Wire::run(Nanoseconds now)
{
	// What is delivered may send: that is for the next turn if it is due now.
	std::vector<Flying> due;
	while (!flying_.empty() && flying_.begin()->first <= now)
		due.push_back(std::move(flying_.extract(flying_.begin()).mapped()));
	for (const Flying &one : due) {
		counters_.at(static_cast<size_t>(one.from)).delivered++;
		deliver_(1 - one.from, one.frame);
	}
}

std::optional<Nanoseconds> Wire::next() const
{
	if (flying_.empty())
		return std::nullopt;
	return flying_.begin()->first;
}

void Wire::link(bool up)
{
	up_ = up;
	if (up)
		return;
	for (const auto &[at, one] : flying_)
		counters_.at(static_cast<size_t>(one.from)).while_down++;
	flying_.clear();
}

void Wire::change(const WireOptions &options)
{
	const std::string pcap = options_.pcap;

	options_ = options;
	options_.pcap = pcap;
}

void Wire::flush()
{
	if (pcap_)
		fflush(pcap_.get());
}

std::string Wire::report() const
{
	std::string out;
	for (size_t end = 0; end < counters_.size(); end++) {
		const Counters &of = counters_[end];
		const auto line = [&out, end](const char *name, uint64_t value) {
			out += "wire" + std::to_string(end) + '_' + name + ' ' +
			       std::to_string(value) + '\n';
		};
		line("sent", of.sent);
		line("bytes", of.bytes);
		line("lost", of.lost);
		line("reordered", of.reordered);
		line("duplicated", of.duplicated);
		line("while_down", of.while_down);
		line("delivered", of.delivered);
	}
	return out;
}

} // namespace cx
