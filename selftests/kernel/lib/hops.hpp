// SPDX-License-Identifier: Apache-2.0
// What may cross each device of a path, and who says whether it did.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "watch.hpp"

namespace hops {

/// Bytes that all payload is full of, so that it is known where it lies open.
extern const std::string marker;
/// @a length bytes; of each 64 the first are the marker.
Bytes marked(size_t length, uint64_t seed);
/// Empty if @a bytes are marked(bytes.size(), seed).
std::string marked_error(View bytes, uint64_t seed);

/// A device, and the layers (frames::Told::chain) of what goes out and comes in there.
/// Alternatives are separated by spaces; what begins with '?' need not be seen.
struct Hop {
	std::string host;
	std::string device;
	std::string out;
	std::string in;
	/// Whether it takes segments: as it is told, or not, as its driver does not know ours;
	/// or always, whatever it is told.
	enum { if_told, never, always } segments = if_told;
};

/// Which devices segment, merge and sum: none, all, or tunnels alone.
enum class Offloads { off, on, mixed };

/// Does @a device?
bool told_to(Offloads offloads, const std::string &device);

/// What must hold of all frames.
struct Rules {
	bool secure = false;
	Offloads offloads = Offloads::off;
};

class Judge {
public:
	Judge(const std::map<std::string, net::Netns> &hosts, const std::vector<Hop> &hops,
	      Rules rules);

	/// Looks at what has crossed since.
	void look();
	/// Empty if all was right, otherwise a line for each kind of trouble.
	[[nodiscard]] std::string verdict() const;
	/// Frames that were looked at.
	[[nodiscard]] size_t frames() const { return frames_; }
	/// Some frame was longer than its device's packets: a segment, or several merged.
	[[nodiscard]] bool segments() const { return segments_; }

private:
	struct Device {
		std::string name;
		size_t mtu = 0;
	};
	struct Count {
		size_t frames = 0;
		size_t marked = 0;
	};

	const Device &device(const std::string &host, int index);
	void see(const std::string &host, const Watch::Seen &seen);
	/// false: other frames are to be expected of this place, or none.
	bool known(const Hop &hop, bool out, const std::string &chain) const;
	void content(const std::string &place, const frames::Told &told, View bytes, Count &count);
	void complain(const std::string &place, const std::string &what);
	void missing(const Hop &hop, bool out, std::string &text) const;

	const std::map<std::string, net::Netns> &hosts_;
	std::vector<Hop> hops_;
	Rules rules_;
	std::map<std::string, std::unique_ptr<Watch>> watches_;
	std::map<std::pair<std::string, int>, Device> devices_;
	std::map<std::string, Count> counts_;
	std::map<std::string, size_t> complaints_;
	size_t frames_ = 0;
	bool segments_ = false;
};

} // namespace hops
