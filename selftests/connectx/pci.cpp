// SPDX-License-Identifier: Apache-2.0
#include "selftests/connectx/pci.hpp"

#include <algorithm>
#include <cstring>

namespace cx {

namespace {

enum : uint8_t { config_read_op = 1, config_write_op, read_op, write_op, memset_op };
constexpr size_t request_header = 16;

// Where things are in configuration space.
constexpr size_t command = 4, bar0 = 0x10, express = 0x60, msix = 0x9c;
constexpr uint8_t command_memory = 2, command_master = 4;

template <typename T>
T little(View bytes, size_t at)
{
	T value;
	memcpy(&value, &bytes[at], sizeof(value));
	return value;
}

} // namespace

PciFunction::PciFunction(unsigned vectors, Registers &registers, Report &report)
	: registers_(registers), report_(report), vectors_(vectors)
{
	put16(0x00, 0x15b3); // Mellanox
	put16(0x02, 0x101d); // ConnectX-6 Dx
	put16(0x06, 0x0010); // has capabilities
	put32(0x08, 0x02000000);
	put16(0x2c, 0x15b3);
	put16(0x2e, 0x0058);
	writable_[command] = 0x46;
	writable_[command + 1] = 0x05;
	writable_[0x3c] = 0xff;
	config_[0x34] = express;
	// A 32-bit BAR, as large as its lowest writable bit.
	const uint32_t mask = ~(bar_bytes - 1);
	memcpy(&writable_[bar0], &mask, sizeof(mask));

	// PCI Express, an endpoint: 512-byte payloads, x16 at 16 GT/s
	config_[express] = 0x10;
	config_[express + 1] = msix;
	put16(express + 2, 2);
	put32(express + 4, 0x10008002);
	put16(express + 8, 0x2810);
	writable_[express + 8] = 0xff;
	writable_[express + 9] = 0x7f;
	put32(express + 0x0c, 0x0104);
	put16(express + 0x12, 0x0104);

	config_[msix] = 0x11;
	put16(msix + 2, static_cast<uint16_t>(vectors - 1));
	writable_[msix + 3] = 0xc0;
	put32(msix + 4, msix_table_at);
	put32(msix + 8, msix_pending_at);
	for (auto &vector : vectors_)
		vector.entry[12] = 1; // masked
}

void PciFunction::put16(size_t at, uint16_t value)
{
	memcpy(&config_[at], &value, sizeof(value));
}

void PciFunction::put32(size_t at, uint32_t value)
{
	memcpy(&config_[at], &value, sizeof(value));
}

size_t PciFunction::access(View request, Area answer)
{
	if (request.size() < request_header) {
		report_.misuse("PCI access",
			       "a request of " + std::to_string(request.size()) + " bytes");
		return 0;
	}
	const auto op = request[0], bar = request[1];
	const uint64_t size = little<uint32_t>(request, 4);
	const auto at = little<uint64_t>(request, 8);
	const auto data = request.subspan(request_header);
	const bool reads = op == config_read_op || op == read_op;
	const uint64_t needed = op == memset_op ? 1 : size;
	const bool memory = op == read_op || op == write_op || op == memset_op;

	if ((reads ? answer.size() : data.size()) < needed || (memory && bar != 0) ||
	    op < config_read_op || op > memset_op) {
		report_.misuse("PCI access", "op " + std::to_string(op) + ", BAR " +
						     std::to_string(bar) + ", " +
						     std::to_string(size) + " bytes");
		return 0;
	}
	const uint64_t limit = memory ? bar_bytes : config_.size();
	if (at > limit || size > limit - at) {
		report_.misuse("PCI access", "beyond the end, at " + hex(at));
		return 0;
	}
	switch (op) {
	case config_read_op:
		return config_read(at, answer.first(size));
	case config_write_op:
		config_write(at, data.first(size));
		return 0;
	case read_op:
		memory_read(at, answer.first(size));
		return size;
	case write_op:
		memory_write(at, data.first(size));
		return 0;
	default:
		memory_write(at, Bytes(std::min<uint64_t>(size, 65536), data[0]));
		return 0;
	}
}

size_t PciFunction::config_read(uint64_t at, Area to) const
{
	std::copy_n(&config_[at], to.size(), to.begin());
	return to.size();
}

void PciFunction::config_write(uint64_t at, View from)
{
	for (size_t i = 0; i < from.size(); i++) {
		auto &byte = config_[at + i];
		const auto mask = writable_[at + i];
		byte = static_cast<uint8_t>((byte & ~mask) | (from[i] & mask));
	}
	// Bit 15 of the device control register: function level reset, reads as zero.
	if (at <= express + 9 && at + from.size() > express + 9 && config_[express + 9] & 0x80)
		report_.unknown("function level reset");
	const bool master = config_[command] & command_master;
	if (master != master_)
		registers_.bus_master(master);
	master_ = master;
	fire_pending();
}

// Copies come whole; registers are read by eight bytes at most.
void PciFunction::memory_read(uint64_t at, Area to)
{
	for (size_t done = 0; done < to.size();) {
		size_t size = 8;
		while (size > to.size() - done || (at + done) % size != 0)
			size /= 2;
		const auto part = to.subspan(done, size);
		const auto where = at + done;
		if (where >= msix_table_at && where < msix_table_at + 16 * vectors_.size())
			std::copy_n(&vectors_[(where - msix_table_at) / 16].entry[where % 16], size,
				    part.begin());
		else if (where >= msix_pending_at && where < msix_pending_at + 0x1000)
			std::fill(part.begin(), part.end(), 0);
		else
			registers_.bar_read(where, part);
		done += size;
	}
}

void PciFunction::memory_write(uint64_t at, View from)
{
	if (!(config_[command] & command_memory))
		report_.misuse("PCI access", "to a BAR that is not enabled");
	for (size_t done = 0; done < from.size();) {
		size_t size = 8;
		while (size > from.size() - done || (at + done) % size != 0)
			size /= 2;
		const auto part = from.subspan(done, size);
		const auto where = at + done;
		if (where >= msix_table_at && where < msix_table_at + 16 * vectors_.size()) {
			auto &vector = vectors_[(where - msix_table_at) / 16];
			std::copy(part.begin(), part.end(), &vector.entry[where % 16]);
			fire_pending();
		} else {
			registers_.bar_write(where, part);
		}
		done += size;
	}
}

bool PciFunction::enabled() const
{
	return (config_[msix + 3] & 0x80) && (config_[command] & command_master);
}

bool PciFunction::masked(const Vector &vector) const
{
	return (config_[msix + 3] & 0x40) || (vector.entry[12] & 1);
}

void PciFunction::interrupt(unsigned vector)
{
	if (vector >= vectors_.size()) {
		report_.misuse("interrupt", "no vector " + std::to_string(vector));
		return;
	}
	vectors_[vector].pending = true;
	fire_pending();
}

void PciFunction::fire_pending()
{
	for (auto &vector : vectors_) {
		if (!vector.pending || !enabled() || masked(vector))
			continue;
		vector.pending = false;
		if (send)
			send(little<uint32_t>(vector.entry, 8));
	}
}

} // namespace cx
