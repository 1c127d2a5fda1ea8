// SPDX-License-Identifier: Apache-2.0
// What the function says it can do: no more than it does.
#include "selftests/connectx/nic.hpp"

#include <algorithm>
#include <bit>

namespace cx {

namespace {

enum class Caps : uint16_t { general = 0, ethernet = 1, flow_table = 7, tls = 0x11, crypto = 0x1a };
constexpr size_t caps_at = 16, caps_bytes = 4096;

unsigned log2_of(unsigned value)
{
	return static_cast<unsigned>(std::bit_width(value)) - 1;
}

#define GENERAL(field, value) set_field(caps, FIELD(cmd_hca_cap, field), value)

Bytes general(const NicOptions &options)
{
	Bytes caps(caps_bytes);
	GENERAL(port_type, 1);
	GENERAL(num_ports, options.channels);
	GENERAL(eth_net_offloads, 1);
	GENERAL(nic_flow_table, 1);
	GENERAL(vport_counters, 1);
	GENERAL(log_max_qp, 18);
	GENERAL(log_max_qp_sz, 15);
	GENERAL(log_max_cq, 15);
	GENERAL(log_max_cq_sz, 16);
	GENERAL(log_max_eq, 6);
	GENERAL(log_max_eq_sz, 16);
	GENERAL(max_num_eqs, 64);
	GENERAL(log_max_mkey, 15);
	GENERAL(log_max_pd, 15);
	GENERAL(log_max_transport_domain, 15);
	GENERAL(log_max_tis, log2_of(options.most_tis));
	GENERAL(log_max_tis_per_sq, 3);
	GENERAL(log_max_tir, 15);
	GENERAL(log_max_rqt, 15);
	GENERAL(log_max_rqt_size, 11);
	GENERAL(log_max_rq, 15);
	GENERAL(log_max_sq, 15);
	GENERAL(log_max_wq_sz, 15);
	GENERAL(log_max_rmp, 15);
	GENERAL(basic_cyclic_rcv_wqe, 1);
	GENERAL(log_min_stride_sz_rq, 6);
	GENERAL(log_max_stride_sz_rq, 13);
	GENERAL(log_min_stride_sz_sq, 6);
	GENERAL(log_max_stride_sz_sq, 13);
	GENERAL(max_wqe_sz_sq, 1024);
	GENERAL(max_wqe_sz_rq, 512);
	GENERAL(bf, 1);
	GENERAL(log_bf_reg_size, 9);
	GENERAL(num_of_uars_per_page, 1);
	GENERAL(cq_moderation, 1);
	GENERAL(log_max_klm_list_size, 16);
	GENERAL(log_max_msg, 30);
	GENERAL(log_max_current_uc_list, 7);
	GENERAL(log_max_current_mc_list, 11);
	GENERAL(log_max_vlan_list, 12);
	GENERAL(log_max_l2_table, 0);
	GENERAL(umr_ptr_rlky, 1);
	GENERAL(fixed_buffer_size, 1);
	GENERAL(max_tc, 8);
	GENERAL(driver_version, 1);
	if (options.tls) {
		GENERAL(tls_tx, 1);
		GENERAL(log_max_dek, log2_of(options.most_keys));
		GENERAL(general_obj_types, 1ull << 0xc);
		GENERAL(crypto, options.crypto ? 1 : 0);
	}
	return caps;
}

#define ETHERNET(field, value) \
	set_field(caps, FIELD(per_protocol_networking_offload_caps, field), value)

Bytes ethernet(const NicOptions &options)
{
	Bytes caps(caps_bytes);
	ETHERNET(csum_cap, 1);
	ETHERNET(vlan_cap, 1);
	ETHERNET(max_lso_cap, 18);
	ETHERNET(wqe_inline_mode, 2); // none is needed
	ETHERNET(wqe_vlan_insert, 1);
	ETHERNET(rss_ind_tbl_cap, 11);
	ETHERNET(self_lb_en_modifiable, 1);
	ETHERNET(enhanced_multi_pkt_send_wqe, options.multi_packet ? 1 : 0);
	return caps;
}

#define RECEIVE(field, value) \
	set_field(caps, FIELD(flow_table_nic_cap, flow_table_properties_nic_receive.field), value)

Bytes flow_table()
{
	Bytes caps(caps_bytes);
	RECEIVE(ft_support, 1);
	RECEIVE(flow_modify_en, 1);
	RECEIVE(modify_root, 1);
	RECEIVE(identified_miss_table_mode, 1);
	RECEIVE(flow_table_modify, 1);
	RECEIVE(log_max_ft_size, 22);
	RECEIVE(max_ft_level, 64);
	RECEIVE(log_max_ft_num, 12);
	RECEIVE(log_max_destination, 8);
	RECEIVE(log_max_flow, 16);
	RECEIVE(ft_field_support.outer_dmac, 1);
	RECEIVE(ft_field_support.outer_smac, 1);
	RECEIVE(ft_field_support.outer_ether_type, 1);
	RECEIVE(ft_field_support.outer_ip_version, 1);
	RECEIVE(ft_field_support.outer_first_prio, 1);
	RECEIVE(ft_field_support.outer_first_vid, 1);
	RECEIVE(ft_field_support.outer_sip, 1);
	RECEIVE(ft_field_support.outer_dip, 1);
	RECEIVE(ft_field_support.outer_frag, 1);
	RECEIVE(ft_field_support.outer_ip_protocol, 1);
	RECEIVE(ft_field_support.outer_udp_sport, 1);
	RECEIVE(ft_field_support.outer_udp_dport, 1);
	RECEIVE(ft_field_support.outer_tcp_sport, 1);
	RECEIVE(ft_field_support.outer_tcp_dport, 1);
	RECEIVE(ft_field_support.outer_tcp_flags, 1);
	return caps;
}

Bytes tls(const NicOptions &options)
{
	Bytes caps(caps_bytes);
	set_field(caps, FIELD(tls_cap, tls_1_2_aes_gcm_128), options.tls_1_2 ? 1 : 0);
	set_field(caps, FIELD(tls_cap, tls_1_2_aes_gcm_256), options.tls_1_2 ? 1 : 0);
	set_field(caps, FIELD(tls_cap, tls_1_3_aes_gcm_128), options.tls_1_3 ? 1 : 0);
	set_field(caps, FIELD(tls_cap, tls_1_3_aes_gcm_256), options.tls_1_3 ? 1 : 0);
	return caps;
}

Bytes crypto(const NicOptions &options)
{
	Bytes caps(caps_bytes);
	set_field(caps, FIELD(crypto_cap, synchronize_dek), 1);
	set_field(caps, FIELD(crypto_cap, log_dek_max_alloc), 8);
	set_field(caps, FIELD(crypto_cap, log_max_num_deks), log2_of(options.most_keys));
	set_field(caps, FIELD(crypto_cap, log_dek_granularity), 0);
	return caps;
}

} // namespace

Status Nic::query_caps(Command &command)
{
	// Bit 0 asks for what is in force, not for the most: here, both are one, but for
	// what SET_HCA_CAP has changed.
	const bool current = command.modifier() & 1;
	Bytes caps;
	switch (static_cast<Caps>(command.modifier() >> 1)) {
	case Caps::general:
		caps = current && !general_caps_.empty() ? general_caps_ : general(options_);
		break;
	case Caps::ethernet:
		caps = ethernet(options_);
		break;
	case Caps::flow_table:
		caps = flow_table();
		break;
	case Caps::tls:
		if (!options_.tls)
			return Status::bad_param;
		caps = tls(options_);
		break;
	case Caps::crypto:
		if (!options_.crypto)
			return Status::bad_param;
		caps = crypto(options_);
		break;
	default:
		report_.unknown("capabilities of type " + hex(command.modifier() >> 1));
		return Status::bad_param;
	}
	if (command.out.size() < caps_at + caps_bytes)
		return Status::bad_output_length;
	std::copy(caps.begin(), caps.end(), command.out.begin() + caps_at);
	return Status::ok;
}

} // namespace cx
