// SPDX-License-Identifier: Apache-2.0
// A PCI function: configuration space, one memory BAR, MSI-X. Accesses come as
// messages of virtio's PCI device; what is in the BAR is somebody else's.
#pragma once

#include "selftests/connectx/vhost.hpp"
#include <array>
#include <functional>

namespace cx {

/// What is behind the BAR.
class Registers {
public:
	virtual ~Registers() = default;
	/// Writes @a to.size() bytes, 1 to 8 and aligned, in the order of memory.
	virtual void bar_read(uint64_t at, Area to) = 0;
	virtual void bar_write(uint64_t at, View from) = 0;
	/// The function was reset, or may no longer be a bus master.
	virtual void bus_master(bool on) = 0;
};

constexpr uint32_t bar_bytes = 8U << 20;
/// In the BAR, ahead of the first doorbell page that is given out.
constexpr uint32_t msix_table_at = 0x6000, msix_pending_at = 0x7000;
constexpr unsigned most_vectors = 32;

class PciFunction : public Accessed {
public:
	/// @a vectors MSI-X vectors, 1 to most_vectors.
	PciFunction(unsigned vectors, Registers &registers, Report &report);
	size_t access(View request, Area answer) override;

	/// Where a vector's message goes.
	std::function<void(uint32_t data)> send;
	/// Raises @a vector, or has it pending while it is masked.
	void interrupt(unsigned vector);

private:
	struct Vector {
		std::array<uint8_t, 16> entry{};
		bool pending = false;
	};
	void put16(size_t at, uint16_t value);
	void put32(size_t at, uint32_t value);
	size_t config_read(uint64_t at, Area to) const;
	void config_write(uint64_t at, View from);
	void memory_read(uint64_t at, Area to);
	void memory_write(uint64_t at, View from);
	[[nodiscard]] bool enabled() const;
	[[nodiscard]] bool masked(const Vector &vector) const;
	void fire_pending();

	Registers &registers_;
	Report &report_;
	std::array<uint8_t, 4096> config_{}, writable_{};
	std::vector<Vector> vectors_;
	bool master_ = false;
};

} // namespace cx
