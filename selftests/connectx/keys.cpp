// SPDX-License-Identifier: Apache-2.0
// Encryption keys: one by one, or, with the CRYPTO capability, in bulk, to be filled in
// later. What becomes of them is the engine's.
#include "selftests/connectx/nic.hpp"

#include <algorithm>

namespace cx {

namespace {

constexpr uint64_t for_tls = 1;
#define KEY(field) FIELD(create_encryption_key_in, encryption_key_object.field)

} // namespace

Status Nic::take_key(const Command &command, uint32_t number)
{
	constexpr size_t at = BYTE(create_encryption_key_in, encryption_key_object.key);
	const auto field = command.part(at, 128);
	if (field.empty())
		return Status::bad_input_length;
	// A key of 128 bits is the second of the field's eight parts.
	const auto size = command.get(KEY(key_size));
	if (size > 1)
		return Status::bad_param;
	engine_.key_create(number, size == 0 ? field.subspan(16, 16) : field.first(32));
	report_.count("keys set");
	return Status::ok;
}

Status Nic::create_key(Command &command)
{
	const auto log_range =
		command.get(FIELD(general_obj_in_cmd_hdr, op_param.create.log_obj_range));
	const auto pd = static_cast<uint32_t>(command.get(KEY(pd)));
	if (command.get(KEY(key_purpose)) != for_tls || log_range > 12 ||
	    (log_range != 0 && !options_.crypto))
		return Status::bad_param;
	if (!objects_.known({Kind::pd, pd}, "a key"))
		return Status::bad_resource;
	if (objects_.full(Kind::key, 1U << log_range))
		return Status::limits;
	// A whole range is one object to the driver: it is destroyed by its first number.
	const auto number = objects_.create_range(Kind::key, 1U << log_range);
	if (!number)
		return Status::limits;
	key_ranges_[number] = 1U << log_range;
	command.give(number);
	if (log_range != 0)
		return Status::ok;
	return take_key(command, number);
}

Status Nic::modify_key(Command &command)
{
	const auto first =
		static_cast<uint32_t>(command.get(FIELD(general_obj_in_cmd_hdr, obj_id)));
	// The offset within a range, in the low bits of the last word of the header.
	const auto offset = static_cast<uint32_t>(
		command.get(FIELD(general_obj_in_cmd_hdr, op_param.query.obj_offset)));
	const auto range = key_ranges_.find(first);
	if (!options_.crypto || range == key_ranges_.end() || offset >= range->second) {
		report_.misuse("a key that does not exist", hex(first) + " + " + hex(offset));
		return Status::bad_resource;
	}
	return take_key(command, first + offset);
}

Status Nic::destroy_key(Command &command)
{
	const auto first =
		static_cast<uint32_t>(command.get(FIELD(general_obj_in_cmd_hdr, obj_id)));
	const auto range = key_ranges_.find(first);
	if (range == key_ranges_.end()) {
		report_.misuse("a key that does not exist", hex(first));
		return Status::bad_resource;
	}
	for (uint32_t i = 0; i < range->second; i++) {
		objects_.destroy({Kind::key, first + i});
		engine_.key_destroy(first + i);
	}
	key_ranges_.erase(range);
	return Status::ok;
}

} // namespace cx
