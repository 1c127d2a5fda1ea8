// SPDX-License-Identifier: Apache-2.0
// What hosts send, as their devices saw it, and whether it shows a nonce that was
// used twice (selftests/record/reuse.hpp).
#pragma once

#include <map>
#include <set>
#include <vector>

#include "bytes.hpp"
#include "fd.hpp"
#include "net.hpp"
#include "record/reuse.hpp"

/// Keeps every packet that leaves these hosts from now on; a segment that is left
/// to the device to cut is one packet.
class Sniffer {
public:
	explicit Sniffer(const std::vector<const net::Netns *> &hosts);

	/// Looks at what was kept, and forgets it. Throws if packets were lost or
	/// cannot be read, or if there was no secure one at all.
	const sdp_test::ReuseCounts &look();
	/// look(), and throws if something was used twice.
	const sdp_test::ReuseCounts &check();

	// What look() has seen so far, so that a test can show that there was an
	// opportunity.
	/// Messages of which a byte was sent more than once.
	[[nodiscard]] size_t sent_again() const;
	/// Messages of which a byte was sent in packets of different lengths. Those
	/// in authenticated form, which always are shorter, do not count.
	[[nodiscard]] size_t cut_anew() const;
	[[nodiscard]] size_t sessions() const;
	/// Epochs of sessions, each direction for itself.
	[[nodiscard]] size_t epochs() const;
	/// Message numbers that a sender gave in more than one session or epoch.
	[[nodiscard]] size_t numbers_again() const;
	[[nodiscard]] size_t authenticated() const { return authenticated_; }

private:
	struct Sent {
		/// By byte: the payload per packet it was first sent with; 0: not yet.
		std::vector<uint16_t> cut;
		bool again = false;
		bool anew = false;
	};

	void saw(View ip);
	void data(View homa);

	std::vector<Fd> sockets_;
	sdp_test::ReuseDetector detector_;
	std::map<Bytes, Sent> messages_;
	std::set<Bytes> sessions_;
	std::set<Bytes> epochs_;
	std::map<Bytes, std::set<Bytes>> numbers_;
	size_t authenticated_ = 0;
};
