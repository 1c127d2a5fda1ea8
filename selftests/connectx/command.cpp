// SPDX-License-Identifier: Apache-2.0
// The command queue: entries of 64 bytes, whose input and output go on in chains of
// mailboxes. Commands are carried out at once; once there is a queue of events for
// them, one tells of each that is done.
#include "selftests/connectx/nic.hpp"

#include <algorithm>

namespace cx {

namespace {

constexpr unsigned entries = 32;
constexpr size_t entry_bytes = 64, inline_bytes = 16;
// Of an entry.
constexpr size_t type_at = 0, input_length_at = 4, input_at = 16, input_mailbox_at = 8,
		 output_at = 32, output_mailbox_at = 48, output_length_at = 56, token_at = 60,
		 status_at = 63;
constexpr uint8_t pci_transport = 7, hardware_owns = 1;
// Delivery status, in bits 7 to 1.
constexpr uint8_t bad_length = 0x4 << 1, bad_block = 0x7 << 1;
// Of a mailbox.
constexpr size_t block_data = 512, block_bytes = 576, block_next = 560, block_number = 568,
		 block_token = 573;
constexpr uint32_t longest = 1 << 20;
constexpr uint8_t command_event = 0x0a;

} // namespace

View Command::part(size_t at, size_t length) const
{
	return at <= in.size() && length <= in.size() - at ? View(in).subspan(at, length) : View();
}

void Nic::commands(uint32_t doorbell)
{
	if (!master_) {
		report_.misuse("a command", "before the function may be a bus master");
		return;
	}
	for (unsigned index = 0; index < entries; index++)
		if (doorbell >> index & 1)
			command_at(index);
}

bool Nic::gather_input(const uint8_t *entry, Bytes &input)
{
	const auto length = be32(entry + input_length_at);
	input.assign(entry + input_at, entry + input_at + std::min<size_t>(length, inline_bytes));
	auto next = be64(entry + input_mailbox_at);
	for (uint32_t number = 0; input.size() < length; number++) {
		const auto *block = memory_.at(next, block_bytes, "a command's mailbox");
		if (!block)
			return false;
		if (be32(block + block_number) != number || block[block_token] != entry[token_at]) {
			report_.misuse("a command's mailbox", "number or token");
			return false;
		}
		const auto part = std::min<size_t>(length - input.size(), block_data);
		input.insert(input.end(), block, block + part);
		next = be64(block + block_next);
	}
	return true;
}

bool Nic::scatter_output(const uint8_t *entry, View output)
{
	auto next = be64(entry + output_mailbox_at);
	for (size_t at = inline_bytes; at < output.size();) {
		auto *block = memory_.at(next, block_bytes, "a command's mailbox");
		if (!block)
			return false;
		const auto part = std::min(output.size() - at, block_data);
		std::copy_n(&output[at], part, block);
		at += part;
		next = be64(block + block_next);
	}
	return true;
}

void Nic::command_at(unsigned index)
{
	auto *entry =
		memory_.at(command_queue_ + index * entry_bytes, entry_bytes, "the command queue");
	if (!entry)
		return;
	uint8_t copy[entry_bytes];
	std::copy_n(entry, entry_bytes, copy);
	const auto input_length = be32(copy + input_length_at),
		   output_length = be32(copy + output_length_at);
	if (!(copy[status_at] & hardware_owns) || copy[type_at] != pci_transport) {
		report_.misuse("a command",
			       "entry " + std::to_string(index) + " is not the device's");
		return;
	}
	// Told of by the queues that were there before: one that is made by a command is
	// not told of it.
	std::vector<uint32_t> listeners;
	for (const auto &[number, queue] : eqs_)
		if (queue.events >> command_event & 1)
			listeners.push_back(number);

	uint8_t delivery = 0;
	Command command;
	if (input_length < 8 || output_length < 8 || input_length > longest ||
	    output_length > longest)
		delivery = bad_length;
	else if (!gather_input(copy, command.in))
		delivery = bad_block;
	if (delivery == 0) {
		// No command's fields are missing: what is past the end is zero.
		command.in.resize(std::max<size_t>(command.in.size(), 16));
		command.out.resize(std::max<size_t>(output_length, 16));
		const auto status = execute(command);
		command.out[0] = static_cast<uint8_t>(status);
		command.out.resize(output_length);
		std::copy_n(&command.out[0], std::min<size_t>(output_length, inline_bytes),
			    entry + output_at);
		if (!scatter_output(copy, command.out))
			delivery = bad_block;
	}
	if (delivery)
		report_.misuse("a command", "lengths or mailboxes");
	__atomic_store_n(entry + status_at, delivery, __ATOMIC_RELEASE);

	uint8_t done[4];
	put_be32(done, 1U << index);
	for (const auto number : listeners)
		if (eqs_.count(number))
			event(number, command_event, 0, done);
}

} // namespace cx
