// SPDX-License-Identifier: Apache-2.0
// The BAR: the initialization segment, which a driver reads before anything else, and
// the pages of doorbells.
#include "selftests/connectx/nic.hpp"

#include <algorithm>
#include <cstring>
#include <ctime>

namespace cx {

namespace {

enum : uint64_t {
	firmware_revision = 0x0,
	command_revision = 0x4,
	command_queue_high = 0x10,
	command_queue_low = 0x14,
	command_doorbell = 0x18,
	initializing = 0x1fc,
	health = 0x200,
	health_version = 0x230,
	command_timeout = 0xff8,
	timer_high = 0x1000,
	timer_low = 0x1004,
	health_counter = 0x1010,
	real_time = 0x1040,
};

constexpr uint32_t page = 4096;
// 32 entries of 64 bytes.
constexpr uint32_t command_queue_shape = 5 << 4 | 6;

// Within a page of doorbells.
enum : uint64_t {
	ring_cq = 0x20,
	ring_eq_armed = 0x40,
	ring_eq = 0x48,
	ring_sq = 0x800,
};

// The device's clock, 1 GHz.
uint64_t ticks()
{
	timespec now{};
	clock_gettime(CLOCK_MONOTONIC, &now);
	return static_cast<uint64_t>(now.tv_sec) * 1000000000 + static_cast<uint64_t>(now.tv_nsec);
}

} // namespace

Nic::Nic(NicOptions options, NicPorts ports, Memory &memory, Report &report)
	: options_(std::move(options)),
	  ports_(std::move(ports)),
	  memory_(memory),
	  report_(report),
	  engine_(options_.engine),
	  objects_(report),
	  steering_(report)
{
	reset();
}

void Nic::reset()
{
	objects_.clear();
	objects_.limit(Kind::tis, options_.most_tis);
	objects_.limit(Kind::key, options_.most_keys);
	steering_.clear();
	for (const auto tis : tls_tis_)
		engine_.tis_destroy(tis, false);
	for (const auto &[number, queue] : sqs_)
		engine_.sq_reset(number);
	eqs_.clear();
	cqs_.clear();
	sqs_.clear();
	rqs_.clear();
	rqts_.clear();
	tirs_.clear();
	tls_tis_.clear();
	sending_.clear();
	general_caps_.clear();
	vport_context_.clear();
	hca_ = Hca::disabled;
	if (port_admin_up_) {
		port_admin_up_ = false;
		if (ports_.port_changed)
			ports_.port_changed();
	}
}

void Nic::bus_master(bool on)
{
	master_ = on;
}

void Nic::bar_read(uint64_t at, Area to)
{
	// Registers are words of four bytes, big-endian.
	const auto word = [&](uint64_t register_at) -> uint32_t {
		switch (register_at) {
		case firmware_revision:
			return 36U << 16 | 22; // minor, major
		case command_revision:
			return 5U << 16 | 1000;
		case command_queue_low:
			return static_cast<uint32_t>(command_queue_) | interface_ << 8U |
			       command_queue_shape;
		case command_queue_high:
			return static_cast<uint32_t>(command_queue_ >> 32);
		case health_version:
			return 22U << 16 | 36;
		case timer_high:
		case real_time:
			return static_cast<uint32_t>(ticks() >> 32);
		case timer_low:
		case real_time + 4:
			return static_cast<uint32_t>(ticks());
		case health_counter:
			return ++health_ticks_;
		case initializing:
		case command_doorbell:
			return 0;
		}
		if ((register_at >= health && register_at < health + 0x40) ||
		    register_at == command_timeout || register_at == command_timeout + 4)
			return 0;
		report_.unknown("a register is read: " + hex(register_at));
		return 0;
	};
	for (size_t i = 0; i < to.size(); i++) {
		uint8_t bytes[4];
		put_be32(bytes, word((at + i) & ~3ull));
		const auto within = (at + i) & 3;
		const auto count = std::min<size_t>(4 - within, to.size() - i);
		std::copy_n(bytes + within, count, &to[i]);
		i += count - 1;
	}
}

void Nic::bar_write(uint64_t at, View from)
{
	const auto uar = static_cast<uint32_t>(at / page);
	const auto within = at % page;
	if (at >= 16 * page) {
		if (!objects_.known({Kind::uar, uar}, "a doorbell"))
			return;
		const bool whole = from.size() == 8;
		if (within == ring_cq && whole)
			cq_doorbell(be32(&from[0]), be32(&from[4]) & 0xffffff, uar);
		else if ((within == ring_eq_armed || within == ring_eq) && from.size() == 4)
			eq_doorbell(be32(&from[0]), within == ring_eq_armed, uar);
		else if (within >= ring_sq && whole)
			sq_doorbell(be32(&from[4]) >> 8, uar);
		else
			report_.unknown("a doorbell of " + std::to_string(from.size()) +
					" bytes at " + hex(within));
		return;
	}
	if (from.size() != 4) {
		report_.unknown("a register is written by " + std::to_string(from.size()) +
				" bytes: " + hex(at));
		return;
	}
	const auto value = be32(&from[0]);
	switch (at) {
	case command_queue_high:
		command_queue_ = static_cast<uint64_t>(value) << 32;
		return;
	case command_queue_low:
		// Bits 10 to 8 are the state of the interface, the address is whole pages.
		command_queue_ = (command_queue_ & ~0xffffffffull) | (value & ~0xfffU);
		interface_ = value >> 8 & 7;
		return;
	case command_doorbell:
		commands(value);
		return;
	}
	report_.unknown("a register is written: " + hex(at) + " " + hex(value));
}

bool Nic::run()
{
	// One work request of each queue in turn, as long as the cable takes them.
	while (!sending_.empty()) {
		if (ports_.may_transmit && !ports_.may_transmit())
			return true;
		const auto number = sending_.front();
		sending_.pop_front();
		const auto found = sqs_.find(number);
		if (found != sqs_.end() && send_some(number, found->second))
			sending_.push_back(number);
	}
	return false;
}

} // namespace cx
