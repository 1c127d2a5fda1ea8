// SPDX-License-Identifier: Apache-2.0
#include "watch.hpp"

#include <atomic>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <sys/mman.h>

#include "test.hpp"

namespace {

constexpr size_t block_size = 1 << 17;
constexpr size_t blocks = 160;
constexpr unsigned frame_size = 1 << 11;
constexpr unsigned retire_ms = 50;

/// As in <linux/virtio_net.h>, which no C++ compiler takes.
struct Offload {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t header_length;
	uint16_t gso_size;
	uint16_t sum_start;
	uint16_t sum_at;
};
constexpr uint8_t needs_sum = 1;

template <class T>
void option(int fd, int name, const T &value)
{
	OK(setsockopt(fd, SOL_PACKET, name, &value, sizeof(value)));
}

Watch::Seen one(const uint8_t *start)
{
	const auto *header = reinterpret_cast<const tpacket3_hdr *>(start);
	const auto *from =
		reinterpret_cast<const sockaddr_ll *>(start + TPACKET_ALIGN(sizeof(tpacket3_hdr)));
	Offload offload{};
	memcpy(&offload, start + header->tp_mac - sizeof(offload), sizeof(offload));
	EQ(header->tp_snaplen, header->tp_len);
	Watch::Seen seen;
	seen.device = from->sll_ifindex;
	seen.out = from->sll_pkttype == PACKET_OUTGOING;
	seen.frame.bytes = View(start + header->tp_mac, header->tp_snaplen);
	seen.frame.ethernet =
		from->sll_hatype == ARPHRD_ETHER || from->sll_hatype == ARPHRD_LOOPBACK;
	seen.frame.tagged = header->tp_status & TP_STATUS_VLAN_VALID;
	if (offload.gso_type)
		seen.frame.gso_size = offload.gso_size;
	seen.frame.partial = offload.flags & needs_sum;
	seen.frame.sum_start = offload.sum_start;
	seen.frame.sum_at = offload.sum_at;
	return seen;
}

} // namespace

Watch::Watch(const net::Netns &ns) : fd_(ns.socket(AF_PACKET, SOCK_RAW, 0))
{
	option(fd_, PACKET_VERSION, static_cast<int>(TPACKET_V3));
	option(fd_, PACKET_VNET_HDR, 1);
	tpacket_req3 ring{};
	ring.tp_block_size = block_size;
	ring.tp_block_nr = blocks;
	ring.tp_frame_size = frame_size;
	ring.tp_frame_nr = blocks * block_size / frame_size;
	ring.tp_retire_blk_tov = retire_ms;
	option(fd_, PACKET_RX_RING, ring);
	void *memory =
		mmap(nullptr, blocks * block_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
	CHECK(memory != MAP_FAILED);
	ring_ = static_cast<uint8_t *>(memory);
	sockaddr_ll all{};
	all.sll_family = AF_PACKET;
	all.sll_protocol = htons(ETH_P_ALL);
	OK(bind(fd_, reinterpret_cast<sockaddr *>(&all), sizeof(all)));
}

Watch::~Watch()
{
	munmap(ring_, blocks * block_size);
}

void Watch::block(uint8_t *start, const std::function<void(const Seen &)> &see)
{
	const auto &header = reinterpret_cast<tpacket_block_desc *>(start)->hdr.bh1;
	const uint8_t *frame = start + header.offset_to_first_pkt;
	for (uint32_t i = 0; i < header.num_pkts; i++) {
		see(one(frame));
		frame += reinterpret_cast<const tpacket3_hdr *>(frame)->tp_next_offset;
	}
	looked_ += header.num_pkts;
}

uint64_t Watch::look(const std::function<void(const Seen &)> &see)
{
	// A block that is not full is given up when its time is over.
	auto all = [&] {
		for (;;) {
			uint8_t *start = ring_ + next_ * block_size;
			auto &header = reinterpret_cast<tpacket_block_desc *>(start)->hdr.bh1;
			std::atomic_ref<uint32_t> status(header.block_status);
			if (!(status & TP_STATUS_USER))
				break;
			block(start, see);
			status = TP_STATUS_KERNEL;
			next_ = (next_ + 1) % blocks;
		}
		tpacket_stats_v3 counts{};
		socklen_t size = sizeof(counts);
		OK(getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &counts, &size));
		lost_ += counts.tp_drops;
		told_ += counts.tp_packets - counts.tp_drops;
		return looked_ >= told_;
	};
	if (!test::eventually(all))
		throw test::Failure("frames missing: " + std::to_string(told_ - looked_));
	return lost_;
}
