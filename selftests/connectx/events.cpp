// SPDX-License-Identifier: Apache-2.0
// Event and completion queues. Who owns an entry is told by a bit that changes with
// each turn; a queue tells of new entries once for each time it is armed.
#include "selftests/connectx/nic.hpp"

#include <algorithm>

namespace cx {

namespace {

constexpr size_t event_bytes = 64, event_data = 0x20, event_owner = 63;
constexpr uint8_t completion_type = 0, cq_error_type = 4;
constexpr size_t cqe_bytes = 64, cqe_owner = 63;
constexpr uint32_t counter_mask = 0xffffff;

} // namespace

void Nic::event(uint32_t number, uint8_t type, uint8_t subtype, View data)
{
	const auto found = eqs_.find(number);
	if (found == eqs_.end())
		return;
	auto &queue = found->second;
	const uint32_t size = 1U << queue.log_size;
	if (((queue.producer - queue.consumer) & counter_mask) >= size) {
		report_.misuse("an event queue overran", hex(number));
		return;
	}
	auto *entry = queue.pages.at(memory_, (queue.producer & (size - 1)) * event_bytes,
				     event_bytes, "an event queue");
	if (!entry)
		return;
	std::fill_n(entry, event_owner, uint8_t{0});
	entry[1] = type;
	entry[3] = subtype;
	std::copy_n(data.begin(), std::min<size_t>(data.size(), 28), entry + event_data);
	const uint8_t owner = queue.producer >> queue.log_size & 1;
	__atomic_store_n(entry + event_owner, owner, __ATOMIC_RELEASE);
	queue.producer++;
	if (queue.armed) {
		queue.armed = false;
		ports_.interrupt(queue.vector);
	}
}

void Nic::event_all(uint8_t type, uint8_t subtype, View data)
{
	for (const auto &[number, queue] : eqs_)
		if (type < 64 && queue.events >> type & 1)
			event(number, type, subtype, data);
}

void Nic::eq_doorbell(uint32_t word, bool arm, uint32_t uar)
{
	const auto number = word >> 24, consumer = word & counter_mask;
	if (!objects_.known({Kind::eq, number}, "a doorbell"))
		return;
	auto &queue = eqs_[number];
	if (queue.uar != uar)
		report_.misuse("a doorbell in another's page", "EQ " + hex(number));
	if (((queue.producer - consumer) & counter_mask) > 1U << queue.log_size)
		report_.misuse("an event queue's consumer", hex(consumer));
	queue.consumer = consumer;
	if (!arm)
		return;
	queue.armed = true;
	if ((queue.producer & counter_mask) != consumer) {
		queue.armed = false;
		ports_.interrupt(queue.vector);
	}
}

uint8_t *Nic::completion(CompletionQueue &queue, uint32_t number)
{
	const auto *doorbell = memory_.at(queue.doorbell, 8, "a completion queue's counter");
	if (!doorbell || queue.broken)
		return nullptr;
	const uint32_t size = 1U << queue.log_size;
	if (((queue.producer - be32(doorbell)) & counter_mask) >= size) {
		queue.broken = true;
		report_.misuse("a completion queue overran", hex(number));
		uint8_t data[28] = {};
		put_be32(data, number);
		put_be32(data + 8, 1); // overrun
		event_all(cq_error_type, 0, data);
		return nullptr;
	}
	const auto at = static_cast<uint64_t>(queue.producer & (size - 1)) * queue.entry_bytes;
	auto *entry = queue.pages.at(memory_, at, queue.entry_bytes, "a completion queue");
	if (!entry)
		return nullptr;
	entry += queue.entry_bytes - cqe_bytes;
	std::fill_n(entry, cqe_owner, uint8_t{0});
	return entry;
}

void Nic::publish(CompletionQueue &queue, uint32_t number, uint8_t *entry, uint8_t opcode)
{
	const auto owner = queue.producer >> queue.log_size & 1;
	__atomic_store_n(entry + cqe_owner, static_cast<uint8_t>(opcode << 4 | owner),
			 __ATOMIC_RELEASE);
	queue.producer++;
	if (queue.armed)
		completion_event(queue, number);
}

void Nic::completion_event(CompletionQueue &queue, uint32_t number)
{
	uint8_t data[28] = {};
	put_be32(data + 24, number);
	queue.armed = false;
	event(queue.eq, completion_type, 0, data);
}

void Nic::cq_doorbell(uint32_t command, uint32_t number, uint32_t uar)
{
	if (!objects_.known({Kind::cq, number}, "a doorbell"))
		return;
	auto &queue = cqs_[number];
	if (queue.uar != uar)
		report_.misuse("a doorbell in another's page", "CQ " + hex(number));
	queue.armed = true;
	queue.armed_at = command & counter_mask;
	// Entries that came since the driver looked are told of at once.
	if ((queue.producer & counter_mask) != queue.armed_at)
		completion_event(queue, number);
}

} // namespace cx
