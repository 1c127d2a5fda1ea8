// SPDX-License-Identifier: Apache-2.0
// What each command is answered. Those that are not here nobody has asked for yet: they
// are refused, and reported.
#include "selftests/connectx/nic.hpp"

#include <algorithm>

namespace cx {

namespace {

#define OPCODE(name) cx::ifc::MLX5_CMD_OP_##name
constexpr uint32_t pages_at_boot = 24, pages_at_init = 40;
constexpr uint16_t key_object = 0xc;

} // namespace

Status Nic::simple_create(Command &command, Kind kind, const std::vector<Objects::Name> &uses)
{
	const auto number = objects_.create(kind, uses);
	if (!number)
		return objects_.full(kind) ? Status::limits : Status::bad_resource;
	command.give(number);
	return Status::ok;
}

Status Nic::simple_destroy(Command &command, Kind kind)
{
	return objects_.destroy({kind, command.number()}) ? Status::ok : Status::bad_resource_state;
}

Status Nic::execute(Command &command)
{
	const auto opcode = command.opcode();
	if (report_.verbose())
		report_.trace("command " + hex(opcode) + " modifier " + hex(command.modifier()) +
			      ", " + std::to_string(command.in.size()) + " bytes");
	report_.count("commands");
	const auto status = hca(command);
	// Drivers may fill limits up; all else they have no reason to be refused for.
	if (status == Status::limits)
		report_.count("commands refused for want of room");
	else if (status != Status::ok && status != Status::bad_op)
		report_.misuse("a command was refused",
			       hex(opcode) + " with status " + hex(static_cast<uint8_t>(status)));
	return status;
}

// The life of the function: disabled, enabled, initialized. Other commands but those of
// setting up are for the last.
Status Nic::hca(Command &command)
{
	switch (command.opcode()) {
	case OPCODE(ENABLE_HCA):
		if (hca_ != Hca::disabled)
			return Status::bad_sys_state;
		hca_ = Hca::enabled;
		return Status::ok;
	case OPCODE(DISABLE_HCA):
		if (hca_ != Hca::enabled)
			return Status::bad_sys_state;
		if (!pages_.empty())
			report_.misuse("pages that the driver did not take back",
				       std::to_string(pages_.size()));
		pages_.clear();
		reset();
		return Status::ok;
	case OPCODE(QUERY_ISSI):
		command.set(FIELD(query_issi_out, current_issi), 0);
		command.set(FIELD(query_issi_out, supported_issi_dw0), 3);
		return Status::ok;
	case OPCODE(INIT_HCA):
		if (hca_ != Hca::enabled)
			return Status::bad_sys_state;
		hca_ = Hca::initialized;
		return Status::ok;
	case OPCODE(TEARDOWN_HCA):
		if (hca_ != Hca::initialized)
			return Status::bad_sys_state;
		if (const auto left = objects_.left(); !left.empty())
			report_.misuse("left behind at the end", left);
		reset();
		hca_ = Hca::enabled;
		return Status::ok;
	case OPCODE(QUERY_HCA_CAP):
		return hca_ == Hca::disabled ? Status::bad_sys_state : query_caps(command);
	case OPCODE(SET_HCA_CAP):
		if (hca_ != Hca::enabled || command.modifier() >> 1 != 0)
			return Status::bad_param;
		general_caps_.assign(command.in.begin() + 16, command.in.end());
		general_caps_.resize(4096);
		return Status::ok;
	case OPCODE(QUERY_PAGES): {
		// 1 before initialization, 2 for it, 3 what could be given back
		const uint32_t wanted = command.modifier() == 1   ? pages_at_boot
					: command.modifier() == 2 ? pages_at_init
								  : 0;
		command.set(FIELD(query_pages_out, num_pages), wanted);
		return Status::ok;
	}
	case OPCODE(MANAGE_PAGES):
		return manage_pages(command);
	case OPCODE(SET_ISSI):
	case OPCODE(NOP):
		return Status::ok;
	case OPCODE(ACCESS_REG):
		return access_register(command);
	}
	if (hca_ != Hca::initialized)
		return Status::bad_sys_state;
	return dispatch(command);
}

Status Nic::manage_pages(Command &command)
{
	const auto count = command.get(FIELD(manage_pages_in, input_num_entries));
	constexpr size_t list = BYTE(manage_pages_in, pas);
	enum { cannot_give, give, take };
	switch (command.modifier()) {
	case give: {
		const auto given = command.part(list, 8 * count);
		if (given.size() != 8 * count || pages_.size() + count > 65536)
			return Status::bad_input_length;
		for (size_t i = 0; i < count; i++) {
			const auto page = be64(&given[8 * i]);
			if (std::find(pages_.begin(), pages_.end(), page) != pages_.end())
				report_.misuse("a page that was given twice", hex(page));
			if (memory_.at(page, 4096, "a page for the firmware"))
				pages_.push_back(page);
		}
		return Status::ok;
	}
	case take: {
		// The answer: how many, and which.
		const auto taken = std::min<size_t>(
			{count, pages_.size(),
			 command.out.size() < 16 ? 0 : (command.out.size() - 16) / 8});
		put_be32(&command.out[8], static_cast<uint32_t>(taken));
		for (size_t i = 0; i < taken; i++) {
			put_be64(&command.out[16 + 8 * i], pages_.back());
			pages_.pop_back();
		}
		return Status::ok;
	}
	case cannot_give:
		report_.misuse("the driver cannot give pages");
		return Status::ok;
	}
	return Status::bad_param;
}

Status Nic::dispatch(Command &command)
{
	switch (command.opcode()) {
	case OPCODE(QUERY_ADAPTER): {
		constexpr size_t at = BYTE(query_adapter_out, query_adapter_struct.vsd_contd_psid);
		static const std::string board = "SDP0000000001";
		if (command.out.size() < at + 16)
			return Status::bad_output_length;
		std::copy(board.begin(), board.end(), command.out.begin() + at);
		return Status::ok;
	}
	case OPCODE(SET_DRIVER_VERSION):
		return Status::ok;
	case OPCODE(ALLOC_UAR):
		return simple_create(command, Kind::uar, {});
	case OPCODE(DEALLOC_UAR):
		return simple_destroy(command, Kind::uar);
	case OPCODE(ALLOC_PD):
		return simple_create(command, Kind::pd, {});
	case OPCODE(DEALLOC_PD):
		return simple_destroy(command, Kind::pd);
	case OPCODE(ALLOC_TRANSPORT_DOMAIN):
		return simple_create(command, Kind::transport_domain, {});
	case OPCODE(DEALLOC_TRANSPORT_DOMAIN):
		return simple_destroy(command, Kind::transport_domain);
	case OPCODE(CREATE_MKEY):
		return create_mkey(command);
	case OPCODE(DESTROY_MKEY):
		return simple_destroy(command, Kind::mkey);
	case OPCODE(CREATE_EQ):
		return create_eq(command);
	case OPCODE(DESTROY_EQ):
		return destroy_eq(command);
	case OPCODE(CREATE_CQ):
		return create_cq(command);
	case OPCODE(MODIFY_CQ):
		return modify_cq(command);
	case OPCODE(DESTROY_CQ):
		return destroy_cq(command);
	case OPCODE(CREATE_SQ):
		return create_sq(command);
	case OPCODE(MODIFY_SQ):
		return modify_sq(command);
	case OPCODE(QUERY_SQ):
		return query_sq(command);
	case OPCODE(DESTROY_SQ):
		return destroy_sq(command);
	case OPCODE(CREATE_RQ):
		return create_rq(command);
	case OPCODE(MODIFY_RQ):
		return modify_rq(command);
	case OPCODE(QUERY_RQ):
		return query_rq(command);
	case OPCODE(DESTROY_RQ):
		return destroy_rq(command);
	case OPCODE(CREATE_TIS):
		return create_tis(command);
	case OPCODE(DESTROY_TIS):
		return destroy_tis(command);
	case OPCODE(CREATE_TIR):
		return create_tir(command);
	case OPCODE(MODIFY_TIR):
		return modify_tir(command);
	case OPCODE(DESTROY_TIR):
		return destroy_tir(command);
	case OPCODE(CREATE_RQT):
		return set_rqt(command, true);
	case OPCODE(MODIFY_RQT):
		return set_rqt(command, false);
	case OPCODE(DESTROY_RQT):
		return destroy_rqt(command);
	case OPCODE(ALLOC_Q_COUNTER):
		return simple_create(command, Kind::q_counter, {});
	case OPCODE(QUERY_Q_COUNTER):
		return query_q_counter(command);
	case OPCODE(DEALLOC_Q_COUNTER):
		out_of_buffer_.erase(command.number() & 0xff);
		return simple_destroy(command, Kind::q_counter);
	case OPCODE(CREATE_FLOW_TABLE):
		return create_table(command);
	case OPCODE(MODIFY_FLOW_TABLE):
		return modify_table(command);
	case OPCODE(DESTROY_FLOW_TABLE):
		return destroy_table(command);
	case OPCODE(SET_FLOW_TABLE_ROOT):
		return set_root(command);
	case OPCODE(CREATE_FLOW_GROUP):
		return create_group(command);
	case OPCODE(DESTROY_FLOW_GROUP):
		return destroy_group(command);
	case OPCODE(SET_FLOW_TABLE_ENTRY):
		return set_entry(command);
	case OPCODE(DELETE_FLOW_TABLE_ENTRY):
		return delete_entry(command);
	case OPCODE(QUERY_NIC_VPORT_CONTEXT):
		return vport_context(command, false);
	case OPCODE(MODIFY_NIC_VPORT_CONTEXT):
		return vport_context(command, true);
	case OPCODE(QUERY_VPORT_COUNTER):
		return vport_counters(command);
	case OPCODE(QUERY_VPORT_STATE):
		return vport_state(command);
	case OPCODE(CREATE_GENERAL_OBJECT):
	case OPCODE(MODIFY_GENERAL_OBJECT):
	case OPCODE(DESTROY_GENERAL_OBJECT):
		if (command.get(FIELD(general_obj_in_cmd_hdr, obj_type)) != key_object ||
		    !options_.tls)
			break;
		return command.opcode() == OPCODE(CREATE_GENERAL_OBJECT)   ? create_key(command)
		       : command.opcode() == OPCODE(MODIFY_GENERAL_OBJECT) ? modify_key(command)
									   : destroy_key(command);
	case OPCODE(SYNC_CRYPTO):
		if (!options_.crypto)
			break;
		report_.count("crypto synchronizations");
		return Status::ok;
	}
	report_.unknown("command " + hex(command.opcode()) + " modifier " +
			hex(command.modifier()));
	return Status::bad_op;
}

} // namespace cx
