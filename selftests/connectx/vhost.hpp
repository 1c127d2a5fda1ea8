// SPDX-License-Identifier: Apache-2.0
// A vhost-user server with the two queues of User-Mode Linux's PCI over virtio: the
// guest's accesses come by the first, our interrupts go by the second. What is in
// the rings and messages is hostile: it is copied once, then checked.
#pragma once

#include "selftests/connectx/memory.hpp"
#include "selftests/kernel/lib/fd.hpp"
#include <array>
#include <deque>
#include <poll.h>
#include <string>

namespace cx {

/// The device behind a queue of accesses.
class Accessed {
public:
	virtual ~Accessed() = default;
	/// Carries out @a request, writes its answer; returns the answer's bytes.
	virtual size_t access(View request, Area answer) = 0;
};

/// A split ring of virtio, the device's side.
class Ring {
public:
	/// False when @a size is none. The ring has no place yet.
	bool resize(uint32_t size);
	void start(uint16_t next) { next_ = next; }
	/// False when not all of it is memory, or badly aligned.
	bool place(Memory &memory, uint64_t descriptors, uint64_t available, uint64_t used);
	void stop() { descriptors_ = nullptr; }
	[[nodiscard]] bool ready() const { return descriptors_ != nullptr; }
	[[nodiscard]] bool waiting() const;

	/// One chain: what the guest wrote, and where it wants to read.
	struct Chain {
		uint16_t head = 0;
		Bytes out;
		std::vector<Area> in;
	};
	/// The next chain; false when there is none, or when the ring is broken: it is
	/// then stopped, and @a error says why.
	bool take(Memory &memory, Chain &chain, std::string &error);
	void give(const Chain &chain, uint32_t written);

private:
	bool gather(Memory &memory, Chain &chain, std::string &error) const;

	uint32_t size_ = 0;
	uint16_t next_ = 0;
	const uint8_t *descriptors_ = nullptr;
	const uint8_t *available_ = nullptr;
	uint8_t *used_ = nullptr;
};

class VhostServer {
public:
	/// Listens at @a path. Throws std::system_error.
	VhostServer(const std::string &path, Memory &memory, Accessed &device, Report &report);
	~VhostServer();
	VhostServer(const VhostServer &) = delete;
	VhostServer &operator=(const VhostServer &) = delete;

	/// What to poll; serve() afterwards, whatever was ready.
	void watch(std::vector<pollfd> &fds) const;
	/// Never blocks. False when the guest is gone, or spoke nonsense.
	bool serve();
	/// Takes what the queue of accesses holds now. For waits of our own.
	void accesses();

	/// An MSI-X message. One that is still on its way is not sent twice.
	void interrupt(uint32_t data);

	[[nodiscard]] bool connected() const { return peer_ >= 0; }

private:
	struct Message;
	bool receive();
	bool handle(Message &message);
	bool handle_ring(const Message &message);
	bool map(Message &message);
	bool answer(uint32_t request, uint64_t value);
	bool refuse(const std::string &why);
	void signal(int queue);
	void flush_interrupts();

	std::string path_;
	Memory &memory_;
	Accessed &device_;
	Report &report_;
	Fd listener_, peer_, requests_;
	struct Queue {
		Ring ring;
		Fd kick, call;
		unsigned unsignalled = 0;
	};
	std::array<Queue, 2> queues_;
	std::deque<uint32_t> interrupts_;
};

} // namespace cx
