// SPDX-License-Identifier: Apache-2.0
// Commands that build the flow tables.
#include "selftests/connectx/nic.hpp"

#include <algorithm>

namespace cx {

namespace {

constexpr uint8_t receive_tables = 0;
enum : uint64_t { miss_drops = 0, miss_goes_on = 1 };
enum : uint64_t { allow = 1, drop = 2, forward = 4 };
enum : uint8_t { to_table = 1, to_tir = 2 };

bool named(const std::map<uint32_t, FlowTable> &tables, uint32_t number)
{
	for (const auto &[other, table] : tables) {
		if (table.on_miss == number)
			return true;
		for (const auto &[group_number, group] : table.groups)
			for (const auto &[index, entry] : group.entries)
				for (const auto &to : entry.to)
					if (to.to == FlowDestination::To::table &&
					    to.number == number)
						return true;
	}
	return false;
}

} // namespace

Status Nic::create_table(Command &command)
{
	FlowTable table;
	const auto get = [&](Field field) { return static_cast<uint32_t>(command.get(field)); };
	table.type = static_cast<uint8_t>(get(FIELD(create_flow_table_in, table_type)));
	table.level =
		static_cast<uint8_t>(get(FIELD(create_flow_table_in, flow_table_context.level)));
	const auto log_size = get(FIELD(create_flow_table_in, flow_table_context.log_size));
	if (get(FIELD(create_flow_table_in, flow_table_context.table_miss_action)) == miss_goes_on)
		table.on_miss = get(FIELD(create_flow_table_in, flow_table_context.table_miss_id));
	if (table.type != receive_tables || command.get(FIELD(create_flow_table_in, other_vport)) ||
	    log_size > 22) {
		report_.unknown("a flow table of type " + std::to_string(table.type));
		return Status::bad_param;
	}
	table.size = 1ull << log_size;
	if (table.on_miss && !objects_.known({Kind::flow_table, table.on_miss}, "a flow table"))
		return Status::bad_resource;
	const auto status = simple_create(command, Kind::flow_table, {});
	if (status == Status::ok)
		steering_.tables[be32(&command.out[8])] = table;
	return status;
}

Status Nic::modify_table(Command &command)
{
	const auto number =
		static_cast<uint32_t>(command.get(FIELD(modify_flow_table_in, table_id)));
	if (!objects_.known({Kind::flow_table, number}, "a command"))
		return Status::bad_resource;
	const auto select = command.get(FIELD(modify_flow_table_in, modify_field_select));
	if (select != 1) {
		report_.unknown("a flow table's change of " + hex(select));
		return Status::bad_param;
	}
	const bool on = command.get(FIELD(modify_flow_table_in,
					  flow_table_context.table_miss_action)) == miss_goes_on;
	const auto next = static_cast<uint32_t>(
		command.get(FIELD(modify_flow_table_in, flow_table_context.table_miss_id)));
	if (on && !objects_.known({Kind::flow_table, next}, "a flow table"))
		return Status::bad_resource;
	steering_.tables[number].on_miss = on ? next : 0;
	return Status::ok;
}

Status Nic::destroy_table(Command &command)
{
	const auto number =
		static_cast<uint32_t>(command.get(FIELD(destroy_flow_table_in, table_id)));
	if (named(steering_.tables, number)) {
		report_.misuse("destroyed in use", "flow table " + hex(number));
		return Status::bad_resource_state;
	}
	if (!objects_.destroy({Kind::flow_table, number}))
		return Status::bad_resource_state;
	steering_.tables.erase(number);
	if (steering_.root == number)
		steering_.root = 0;
	return Status::ok;
}

Status Nic::set_root(Command &command)
{
	const auto number =
		static_cast<uint32_t>(command.get(FIELD(set_flow_table_root_in, table_id)));
	// Modifier 1 takes the table away.
	if (command.modifier() == 1) {
		steering_.root = 0;
		return Status::ok;
	}
	if (!objects_.known({Kind::flow_table, number}, "a command"))
		return Status::bad_resource;
	steering_.root = number;
	return Status::ok;
}

Status Nic::create_group(Command &command)
{
	FlowGroup group;
	const auto get = [&](Field field) { return static_cast<uint32_t>(command.get(field)); };
	const auto table = get(FIELD(create_flow_group_in, table_id));
	const auto mask = command.part(BYTE(create_flow_group_in, match_criteria), match_bytes);
	group.first = get(FIELD(create_flow_group_in, start_flow_index));
	group.last = get(FIELD(create_flow_group_in, end_flow_index));
	if (mask.empty())
		return Status::bad_input_length;
	if (!objects_.known({Kind::flow_table, table}, "a flow group"))
		return Status::bad_resource;
	auto &of = steering_.tables[table];
	if (group.first > group.last || group.last >= of.size)
		return Status::bad_index;
	for (const auto &[number, other] : of.groups)
		if (group.first <= other.last && other.first <= group.last)
			return Status::bad_index;
	// A mask counts where the enabling bits say so: bit 0 the outer headers.
	const auto enabled = get(FIELD(create_flow_group_in, match_criteria_enable));
	if (enabled & 1)
		std::copy_n(mask.begin(), LENGTH(fte_match_set_lyr_2_4), group.mask.begin());
	if (enabled & ~1U)
		std::copy(mask.begin() + LENGTH(fte_match_set_lyr_2_4), mask.end(),
			  group.mask.begin() + LENGTH(fte_match_set_lyr_2_4));
	if (const auto why = Steering::unsupported(group.mask); !why.empty()) {
		report_.unknown(why);
		return Status::bad_param;
	}
	const auto status = simple_create(command, Kind::flow_group, {{Kind::flow_table, table}});
	if (status == Status::ok)
		of.groups[be32(&command.out[8])] = group;
	return status;
}

Status Nic::destroy_group(Command &command)
{
	const auto table =
		static_cast<uint32_t>(command.get(FIELD(destroy_flow_group_in, table_id)));
	const auto number =
		static_cast<uint32_t>(command.get(FIELD(destroy_flow_group_in, group_id)));
	const auto found = steering_.tables.find(table);
	if (found == steering_.tables.end() || !found->second.groups.count(number))
		return Status::bad_resource;
	if (!found->second.groups[number].entries.empty()) {
		report_.misuse("destroyed in use", "flow group " + hex(number));
		return Status::bad_resource_state;
	}
	found->second.groups.erase(number);
	return objects_.destroy({Kind::flow_group, number}) ? Status::ok
							    : Status::bad_resource_state;
}

Status Nic::set_entry(Command &command)
{
	const auto get = [&](Field field) { return static_cast<uint32_t>(command.get(field)); };
	const auto table = get(FIELD(set_fte_in, table_id)),
		   index = get(FIELD(set_fte_in, flow_index)),
		   number = get(FIELD(set_fte_in, flow_context.group_id)),
		   action = get(FIELD(set_fte_in, flow_context.action)),
		   count = get(FIELD(set_fte_in, flow_context.destination_list_size));
	const auto value = command.part(BYTE(set_fte_in, flow_context.match_value), match_bytes);
	const auto list = command.part(BYTE(set_fte_in, flow_context.destination), 8ull * count);
	if (value.empty() || list.size() != 8ull * count)
		return Status::bad_input_length;
	const auto found = steering_.tables.find(table);
	if (found == steering_.tables.end())
		return Status::bad_resource;
	// Modifier 1 changes an entry: what it is to do, and not what it matches.
	FlowGroup *group = nullptr;
	for (auto &[group_number, of] : found->second.groups)
		if (command.modifier() == 1 ? of.entries.count(index) != 0 : group_number == number)
			group = &of;
	if (!group || index < group->first || index > group->last)
		return Status::bad_index;
	if (command.modifier() == 0 && group->entries.count(index))
		return Status::bad_index;
	if (action & ~(allow | drop | forward)) {
		report_.unknown("a flow action " + hex(action));
		return Status::bad_param;
	}
	FlowEntry entry;
	std::copy(value.begin(), value.end(), entry.value.begin());
	entry.drop = (action & drop) != 0;
	for (uint32_t i = 0; i < count && action & forward; i++) {
		const auto type = list[8 * i];
		const auto to = be32(&list[8 * i]) & 0xffffff;
		if (type != to_table && type != to_tir) {
			report_.unknown("a flow destination of type " + std::to_string(type));
			return Status::bad_param;
		}
		if (!objects_.known({type == to_tir ? Kind::tir : Kind::flow_table, to},
				    "a flow entry"))
			return Status::bad_resource;
		entry.to.push_back(
			{type == to_tir ? FlowDestination::To::tir : FlowDestination::To::table,
			 to});
	}
	if (command.modifier() == 1)
		entry.value = group->entries[index].value;
	group->entries[index] = entry;
	return Status::ok;
}

Status Nic::delete_entry(Command &command)
{
	const auto table = static_cast<uint32_t>(command.get(FIELD(delete_fte_in, table_id)));
	const auto index = static_cast<uint32_t>(command.get(FIELD(delete_fte_in, flow_index)));
	const auto found = steering_.tables.find(table);
	if (found == steering_.tables.end())
		return Status::bad_resource;
	for (auto &[number, group] : found->second.groups)
		if (group.entries.erase(index))
			return Status::ok;
	return Status::bad_index;
}

} // namespace cx
