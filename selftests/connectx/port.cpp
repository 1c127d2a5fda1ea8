// SPDX-License-Identifier: Apache-2.0
// The port: registers that are reached by a command, what the driver has told of its
// addresses, counters, and whether the link is up.
#include "selftests/connectx/nic.hpp"

#include <algorithm>

namespace cx {

namespace {

enum : uint16_t {
	pmlp = 0x5002,
	pmtu = 0x5003,
	ptys = 0x5004,
	paos = 0x5006,
	pfcc = 0x5007,
	ppcnt = 0x5008,
	host_endianness = 0x7004,
};
// Kept as they were written, and of no effect: buffers, priorities, what is for cables.
const std::set<uint16_t> kept = {0x4002, 0x4005, 0x400a, 0x4013, 0x5007, 0x500b,
				 0x500c, 0x500e, 0x500f, 0x5041, 0x5023, 0x7004};

constexpr uint8_t port_change = 0x09, link_down = 1, link_up = 4;
enum : uint64_t { admin_up = 1, admin_down = 2 };
constexpr uint64_t speed_100g = 1 << 21;
constexpr size_t register_at = 16;
constexpr size_t context_bytes = LENGTH(nic_vport_context);
enum { unicast_cast, multicast_cast, broadcast_cast };

#define CONTEXT(field) FIELD(nic_vport_context, field)

} // namespace

Status Nic::access_register(Command &command)
{
	const auto number =
		static_cast<uint16_t>(command.get(FIELD(access_register_in, register_id)));
	const bool write = command.modifier() == 0;
	if (command.in.size() > command.out.size())
		return Status::bad_output_length;
	std::copy(command.in.begin() + register_at, command.in.end(),
		  command.out.begin() + register_at);
	const auto data = Area(command.out).subspan(register_at);
	port_register(number, write, data);
	return Status::ok;
}

void Nic::port_register(uint16_t number, bool write, Area data)
{
	report_.count("registers accessed");
	switch (number) {
	case pmlp:
		set_field(data, FIELD(pmlp_reg, width), 4);
		return;
	case pmtu:
		if (write)
			admin_mtu_ = std::min(
				static_cast<uint32_t>(field_of(data, FIELD(pmtu_reg, admin_mtu))),
				options_.most_mtu);
		set_field(data, FIELD(pmtu_reg, max_mtu), options_.most_mtu);
		set_field(data, FIELD(pmtu_reg, admin_mtu), admin_mtu_);
		set_field(data, FIELD(pmtu_reg, oper_mtu), admin_mtu_);
		return;
	case ptys:
		set_field(data, FIELD(ptys_reg, an_disable_cap), 1);
		set_field(data, FIELD(ptys_reg, eth_proto_capability), speed_100g);
		set_field(data, FIELD(ptys_reg, eth_proto_admin), speed_100g);
		set_field(data, FIELD(ptys_reg, eth_proto_oper), link_up_ ? speed_100g : 0);
		set_field(data, FIELD(ptys_reg, eth_proto_lp_advertise), speed_100g);
		return;
	case paos:
		if (write) {
			port_admin_up_ = field_of(data, FIELD(paos_reg, admin_status)) == admin_up;
			ports_.port_changed();
		}
		set_field(data, FIELD(paos_reg, admin_status),
			  port_admin_up_ ? admin_up : admin_down);
		set_field(data, FIELD(paos_reg, oper_status), link_up_ ? admin_up : admin_down);
		return;
	case ppcnt:
		port_counters(data);
		return;
	}
	if (!kept.count(number)) {
		report_.unknown("register " + hex(number) + (write ? " written" : " read"));
		return;
	}
	auto &value = registers_[number];
	if (write)
		value.assign(data.begin(), data.end());
	else if (!value.empty())
		std::copy_n(value.begin(), std::min(value.size(), data.size()), data.begin());
}

void Nic::port_counters(Area data) const
{
	constexpr size_t set = 8;
	enum : uint64_t { ieee_802_3 = 0 };
	if (data.size() < set + 0x50)
		return;
	const auto group = field_of(data, FIELD(ppcnt_reg, grp));
	std::fill(data.begin() + set, data.end(), uint8_t{0});
	if (group != ieee_802_3)
		return;
	const auto put = [&](size_t at, uint64_t value) { put_be64(&data[set + at], value); };
	put(0x00, sent_.packets);
	put(0x08, received_.packets);
	put(0x20, sent_.bytes);
	put(0x28, received_.bytes);
	put(0x30, sent_.multicast);
	put(0x38, sent_.broadcast);
	put(0x40, received_.multicast);
	put(0x48, received_.broadcast);
}

void Nic::count_frame(PortCounters &counters, View frame)
{
	static constexpr uint8_t all[6] = {255, 255, 255, 255, 255, 255};
	counters.packets++;
	counters.bytes += frame.size();
	unsigned cast = unicast_cast;
	if (std::equal(std::begin(all), std::end(all), frame.begin())) {
		counters.broadcast++;
		cast = broadcast_cast;
	} else if (frame[0] & 1) {
		counters.multicast++;
		cast = multicast_cast;
	} else {
		counters.unicast++;
	}
	counters.bytes_by_cast[cast] += frame.size();
}

Status Nic::vport_counters(Command &command)
{
	const auto put = [&](Field packets, Field octets, uint64_t count, uint64_t bytes) {
		command.set(packets, count);
		command.set(octets, bytes);
	};
#define COUNTER(name) \
	FIELD(query_vport_counter_out, name.packets), FIELD(query_vport_counter_out, name.octets)
	put(COUNTER(received_eth_unicast), received_.unicast,
	    received_.bytes_by_cast[unicast_cast]);
	put(COUNTER(received_eth_multicast), received_.multicast,
	    received_.bytes_by_cast[multicast_cast]);
	put(COUNTER(received_eth_broadcast), received_.broadcast,
	    received_.bytes_by_cast[broadcast_cast]);
	put(COUNTER(transmitted_eth_unicast), sent_.unicast, sent_.bytes_by_cast[unicast_cast]);
	put(COUNTER(transmitted_eth_multicast), sent_.multicast,
	    sent_.bytes_by_cast[multicast_cast]);
	put(COUNTER(transmitted_eth_broadcast), sent_.broadcast,
	    sent_.bytes_by_cast[broadcast_cast]);
	return Status::ok;
}

Status Nic::vport_state(Command &command)
{
	command.set(FIELD(query_vport_state_out, admin_state), 1);
	command.set(FIELD(query_vport_state_out, state), link_up_ ? 1 : 0);
	return Status::ok;
}

Status Nic::vport_context(Command &command, bool write)
{
	if (vport_context_.empty()) {
		constexpr size_t mac = BYTE(nic_vport_context, permanent_address) + 2;
		vport_context_.resize(context_bytes);
		std::copy(options_.mac.begin(), options_.mac.end(), vport_context_.begin() + mac);
		set_field(vport_context_, CONTEXT(mtu), admin_mtu_);
	}
	if (command.get(FIELD(query_nic_vport_context_in, other_vport))) {
		report_.unknown("another vport's context");
		return Status::bad_param;
	}
	if (!write) {
		constexpr size_t at = BYTE(query_nic_vport_context_out, nic_vport_context);
		if (command.out.size() < at + context_bytes)
			return Status::bad_output_length;
		std::copy(vport_context_.begin(), vport_context_.end(), command.out.begin() + at);
		return Status::ok;
	}
	const auto context =
		command.part(BYTE(modify_nic_vport_context_in, nic_vport_context), context_bytes);
	if (context.empty())
		return Status::bad_input_length;
	const auto selected = [&](Field field) { return command.get(field) != 0; };
	const auto take = [&](Field field) {
		set_field(vport_context_, field, field_of(context, field));
	};
#define SELECTED(field) selected(FIELD(modify_nic_vport_context_in, field_select.field))
	if (SELECTED(mtu))
		take(CONTEXT(mtu));
	if (SELECTED(min_inline))
		take(CONTEXT(min_wqe_inline_mode));
	if (SELECTED(promisc)) {
		take(CONTEXT(promisc_uc));
		take(CONTEXT(promisc_mc));
		take(CONTEXT(promisc_all));
	}
	if (SELECTED(permanent_address))
		take(CONTEXT(permanent_address));
	return Status::ok;
}

void Nic::link(bool up)
{
	if (up == link_up_)
		return;
	link_up_ = up;
	uint8_t data[28] = {};
	data[8] = 1 << 4; // port 1
	event_all(port_change, up ? link_up : link_down, data);
}

std::map<std::string, uint64_t> Nic::counters() const
{
	auto all = report_.counters();
	all["frames_sent"] = sent_.packets;
	all["bytes_sent"] = sent_.bytes;
	all["frames_received"] = received_.packets;
	all["bytes_received"] = received_.bytes;
	all["frames_without_buffer"] = discards_;
	return all;
}

} // namespace cx
