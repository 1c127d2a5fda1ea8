// SPDX-License-Identifier: Apache-2.0
// Somebody on the last links who reads all packets of a session, stops none,
// and sends what can be made of them without its keys: genuine headers with
// other bytes or in other places, and packets of earlier.
#pragma once

#include "sim.hpp"

namespace sim {

class Adversary {
public:
	enum class Way {
		tiny_pieces,     // single bytes, everywhere, as soon as they may be sent
		byte_per_record, // a record's last byte, of all records, likewise
		junk,            // whole packets, anywhere, other bytes
		other_places,    // genuine bytes in another place
		old_packets,     // any packet again
		everything,      // junk, places and old packets
	};

	// Of all packets between hosts @a and @b, @rate packets for each that it
	// sees.
	Adversary(World &world, int a, int b, Way way, double rate, u64 seed);

	// Goes on when there is nothing to see: every @interval until @end.
	void keep_on(u64 interval, u64 end);

private:
	void saw(const Packet &packet);
	void lead(const Packet &packet);
	void ahead(const Packet &like, u32 start, u32 end);
	void answer(const Packet &packet);
	void junk(Packet packet, u32 offset, u32 length);
	void junk_anywhere(const Packet &packet);
	void misplace(Packet packet);
	void repeat();

	World &world_;
	int a_;
	int b_;
	Way way_;
	double rate_;
	double due_ = 0;
	std::mt19937_64 random_;
	// Messages by receiver and id: a packet, and how far the adversary has been
	// ahead.
	std::map<std::pair<int, u64>, std::pair<Packet, u32>> begun_;
	std::vector<Packet> old_;
};

} // namespace sim
