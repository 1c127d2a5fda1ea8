// SPDX-License-Identifier: Apache-2.0
// Commands for queues, and for what points to them.
#include "selftests/connectx/nic.hpp"

#include <algorithm>

namespace cx {

namespace {

constexpr size_t page_number_bytes = 8;
// Byte 8 of MODIFY_SQ and MODIFY_RQ: the state the driver thinks the queue is in.
unsigned state_before(const Command &command)
{
	return command.in[8] >> 4;
}

} // namespace

bool Nic::read_pages(const Command &command, size_t at, unsigned log_page, uint64_t bytes,
		     Pages &pages)
{
	pages.log_page = 12 + log_page;
	if (log_page > 12)
		return false;
	const auto needed = ((bytes - 1) >> pages.log_page) + 1;
	const auto list = command.part(at, needed * page_number_bytes);
	if (list.empty())
		return false;
	for (size_t i = 0; i < needed; i++)
		pages.addresses.push_back(be64(&list[i * page_number_bytes]));
	return true;
}

Status Nic::create_mkey(Command &command)
{
	const auto pd =
		static_cast<uint32_t>(command.get(FIELD(create_mkey_in, memory_key_mkey_entry.pd)));
	const auto mode =
		command.get(FIELD(create_mkey_in, memory_key_mkey_entry.access_mode_1_0)) |
		command.get(FIELD(create_mkey_in, memory_key_mkey_entry.access_mode_4_2)) << 2;
	// Addresses as they are on the bus, from the first to the last.
	if (mode != 0 || !command.get(FIELD(create_mkey_in, memory_key_mkey_entry.length64))) {
		report_.unknown("a memory key of mode " + std::to_string(mode));
		return Status::bad_param;
	}
	return simple_create(command, Kind::mkey, {{Kind::pd, pd}});
}

Status Nic::create_eq(Command &command)
{
	EventQueue queue;
	queue.log_size = static_cast<unsigned>(
		command.get(FIELD(create_eq_in, eq_context_entry.log_eq_size)));
	queue.vector =
		static_cast<unsigned>(command.get(FIELD(create_eq_in, eq_context_entry.intr)));
	queue.uar =
		static_cast<uint32_t>(command.get(FIELD(create_eq_in, eq_context_entry.uar_page)));
	const auto list = command.part(BYTE(create_eq_in, event_bitmask), 8);
	const auto log_page = static_cast<unsigned>(
		command.get(FIELD(create_eq_in, eq_context_entry.log_page_size)));
	if (list.empty() || queue.log_size > 16 || queue.vector >= most_vectors ||
	    !read_pages(command, BYTE(create_eq_in, pas), log_page, 64ull << queue.log_size,
			queue.pages))
		return Status::bad_param;
	queue.events = be64(&list[0]);
	const auto status = simple_create(command, Kind::eq, {{Kind::uar, queue.uar}});
	if (status == Status::ok)
		eqs_[be32(&command.out[8])] = queue;
	return status;
}

Status Nic::destroy_eq(Command &command)
{
	const auto number = command.number() & 0xff;
	if (!objects_.destroy({Kind::eq, number}))
		return Status::bad_resource_state;
	eqs_.erase(number);
	return Status::ok;
}

Status Nic::create_cq(Command &command)
{
	CompletionQueue queue;
	const auto context = [&](Field field) { return static_cast<uint32_t>(command.get(field)); };
	queue.log_size = context(FIELD(create_cq_in, cq_context.log_cq_size));
	queue.entry_bytes = 64U << context(FIELD(create_cq_in, cq_context.cqe_sz));
	queue.eq = context(FIELD(create_cq_in, cq_context.c_eqn_or_apu_element)) & 0xff;
	queue.uar = context(FIELD(create_cq_in, cq_context.uar_page));
	queue.doorbell = command.get(FIELD(create_cq_in, cq_context.dbr_addr));
	if (context(FIELD(create_cq_in, cq_context.cqe_comp_en)))
		report_.unknown("compressed completions");
	if (queue.log_size > 16 || queue.entry_bytes > 128 ||
	    !read_pages(command, BYTE(create_cq_in, pas),
			context(FIELD(create_cq_in, cq_context.log_page_size)),
			static_cast<uint64_t>(queue.entry_bytes) << queue.log_size, queue.pages))
		return Status::bad_param;
	const auto status =
		simple_create(command, Kind::cq, {{Kind::eq, queue.eq}, {Kind::uar, queue.uar}});
	if (status == Status::ok)
		cqs_[be32(&command.out[8])] = queue;
	return status;
}

Status Nic::modify_cq(Command &command)
{
	// Only how long completions may gather before an event, which here is not at all.
	report_.count("completion queues modified");
	return objects_.known({Kind::cq, command.number()}, "a command") ? Status::ok
									 : Status::bad_resource;
}

Status Nic::destroy_cq(Command &command)
{
	if (!objects_.destroy({Kind::cq, command.number()}))
		return Status::bad_resource_state;
	cqs_.erase(command.number());
	return Status::ok;
}

Status Nic::create_sq(Command &command)
{
	SendQueue queue;
	const auto context = [&](Field field) { return static_cast<uint32_t>(command.get(field)); };
	queue.cq = context(FIELD(create_sq_in, ctx.cqn));
	queue.tis = context(FIELD(create_sq_in, ctx.tis_num_0));
	queue.log_size = context(FIELD(create_sq_in, ctx.wq.log_wq_sz));
	queue.uar = context(FIELD(create_sq_in, ctx.wq.uar_page));
	queue.doorbell = command.get(FIELD(create_sq_in, ctx.wq.dbr_addr));
	const auto pd = context(FIELD(create_sq_in, ctx.wq.pd));
	if (queue.log_size > 15 || context(FIELD(create_sq_in, ctx.wq.log_wq_stride)) != 6 ||
	    context(FIELD(create_sq_in, ctx.tis_lst_sz)) > 1 ||
	    !read_pages(command, BYTE(create_sq_in, ctx.wq.pas),
			context(FIELD(create_sq_in, ctx.wq.log_wq_pg_sz)), 64ull << queue.log_size,
			queue.pages))
		return Status::bad_param;
	std::vector<Objects::Name> uses = {
		{Kind::cq, queue.cq}, {Kind::pd, pd}, {Kind::uar, queue.uar}};
	if (context(FIELD(create_sq_in, ctx.tis_lst_sz)))
		uses.push_back({Kind::tis, queue.tis});
	const auto status = simple_create(command, Kind::sq, uses);
	if (status == Status::ok)
		sqs_[be32(&command.out[8])] = queue;
	return status;
}

Status Nic::modify_sq(Command &command)
{
	const auto number = command.number();
	if (!objects_.known({Kind::sq, number}, "a command"))
		return Status::bad_resource;
	auto &queue = sqs_[number];
	const auto to = static_cast<QueueState>(command.get(FIELD(modify_sq_in, ctx.state)));
	if (state_before(command) != static_cast<unsigned>(queue.state))
		return Status::bad_resource_state;
	const bool legal = to == QueueState::error || to == QueueState::reset ||
			   (to == QueueState::ready && queue.state != QueueState::error);
	if (!legal)
		return Status::bad_resource_state;
	if (to == QueueState::reset) {
		queue.consumer = queue.posted = 0;
		engine_.sq_reset(number);
	}
	queue.state = to;
	return Status::ok;
}

Status Nic::query_sq(Command &command)
{
	const auto number = command.number();
	if (!objects_.known({Kind::sq, number}, "a command"))
		return Status::bad_resource;
	const auto &queue = sqs_[number];
	command.set(FIELD(query_sq_out, sq_context.state), static_cast<uint64_t>(queue.state));
	command.set(FIELD(query_sq_out, sq_context.cqn), queue.cq);
	command.set(FIELD(query_sq_out, sq_context.wq.log_wq_sz), queue.log_size);
	command.set(FIELD(query_sq_out, sq_context.wq.hw_counter), queue.consumer);
	return Status::ok;
}

Status Nic::destroy_sq(Command &command)
{
	if (!objects_.destroy({Kind::sq, command.number()}))
		return Status::bad_resource_state;
	sqs_.erase(command.number());
	engine_.sq_reset(command.number());
	return Status::ok;
}

Status Nic::create_rq(Command &command)
{
	ReceiveQueue queue;
	const auto context = [&](Field field) { return static_cast<uint32_t>(command.get(field)); };
	enum { linked_list = 0, cyclic = 1 };
	const auto type = context(FIELD(create_rq_in, ctx.wq.wq_type));
	queue.cq = context(FIELD(create_rq_in, ctx.cqn));
	queue.log_size = context(FIELD(create_rq_in, ctx.wq.log_wq_sz));
	queue.log_stride = context(FIELD(create_rq_in, ctx.wq.log_wq_stride));
	queue.doorbell = command.get(FIELD(create_rq_in, ctx.wq.dbr_addr));
	queue.counter_set = context(FIELD(create_rq_in, ctx.counter_set_id));
	queue.keeps_vlan = context(FIELD(create_rq_in, ctx.vsd)) != 0;
	queue.keeps_fcs = context(FIELD(create_rq_in, ctx.scatter_fcs)) != 0;
	queue.cyclic = type == cyclic;
	const auto pd = context(FIELD(create_rq_in, ctx.wq.pd));
	if (queue.log_size > 15 || queue.log_stride < 4 || queue.log_stride > 9 ||
	    (type != cyclic && type != linked_list) ||
	    context(FIELD(create_rq_in, ctx.mem_rq_type)) != 0 ||
	    !read_pages(command, BYTE(create_rq_in, ctx.wq.pas),
			context(FIELD(create_rq_in, ctx.wq.log_wq_pg_sz)),
			1ull << (queue.log_size + queue.log_stride), queue.pages))
		return Status::bad_param;
	std::vector<Objects::Name> uses = {{Kind::cq, queue.cq}};
	// The driver names no domain for the queue that it drops into, and posts nothing there.
	if (pd)
		uses.push_back({Kind::pd, pd});
	if (queue.counter_set)
		uses.push_back({Kind::q_counter, queue.counter_set});
	const auto status = simple_create(command, Kind::rq, uses);
	if (status == Status::ok)
		rqs_[be32(&command.out[8])] = queue;
	return status;
}

Status Nic::modify_rq(Command &command)
{
	enum : uint64_t { vsd = 2, scatter_fcs = 4, counter_set = 8 };
	const auto number = command.number();
	if (!objects_.known({Kind::rq, number}, "a command"))
		return Status::bad_resource;
	auto &queue = rqs_[number];
	if (state_before(command) != static_cast<unsigned>(queue.state))
		return Status::bad_resource_state;
	const auto changed = command.get(FIELD(modify_rq_in, modify_bitmask));
	if (changed & vsd)
		queue.keeps_vlan = command.get(FIELD(modify_rq_in, ctx.vsd)) != 0;
	if (changed & scatter_fcs)
		queue.keeps_fcs = command.get(FIELD(modify_rq_in, ctx.scatter_fcs)) != 0;
	if (changed & ~(vsd | scatter_fcs))
		report_.unknown("a receive queue's change of " + hex(changed));
	const auto to = static_cast<QueueState>(command.get(FIELD(modify_rq_in, ctx.state)));
	if (to == QueueState::ready && queue.state == QueueState::error)
		return Status::bad_resource_state;
	if (to == QueueState::reset)
		queue.consumer = 0;
	queue.state = to;
	return Status::ok;
}

Status Nic::query_rq(Command &command)
{
	const auto number = command.number();
	if (!objects_.known({Kind::rq, number}, "a command"))
		return Status::bad_resource;
	const auto &queue = rqs_[number];
	command.set(FIELD(query_rq_out, rq_context.state), static_cast<uint64_t>(queue.state));
	command.set(FIELD(query_rq_out, rq_context.cqn), queue.cq);
	command.set(FIELD(query_rq_out, rq_context.wq.log_wq_sz), queue.log_size);
	command.set(FIELD(query_rq_out, rq_context.wq.hw_counter), queue.consumer);
	return Status::ok;
}

Status Nic::destroy_rq(Command &command)
{
	if (!objects_.destroy({Kind::rq, command.number()}))
		return Status::bad_resource_state;
	rqs_.erase(command.number());
	return Status::ok;
}

Status Nic::create_tis(Command &command)
{
	const bool tls = command.get(FIELD(create_tis_in, ctx.tls_en)) != 0;
	const auto domain =
		static_cast<uint32_t>(command.get(FIELD(create_tis_in, ctx.transport_domain)));
	const auto pd = static_cast<uint32_t>(command.get(FIELD(create_tis_in, ctx.pd)));
	if (tls && !options_.tls)
		return Status::bad_param;
	std::vector<Objects::Name> uses = {{Kind::transport_domain, domain}};
	if (tls)
		uses.push_back({Kind::pd, pd});
	const auto status = simple_create(command, Kind::tis, uses);
	if (status == Status::ok && tls) {
		const auto number = be32(&command.out[8]);
		tls_tis_.insert(number);
		engine_.tis_create(number, true);
	}
	return status;
}

Status Nic::destroy_tis(Command &command)
{
	const auto number = command.number();
	const bool posted = tls_tis_.count(number) && posted_with(number);
	if (!objects_.destroy({Kind::tis, number}))
		return Status::bad_resource_state;
	if (tls_tis_.erase(number))
		engine_.tis_destroy(number, posted);
	return Status::ok;
}

namespace {

Tir tir_of(View context)
{
	Tir tir;
	tir.indirect = field_of(context, FIELD(tirc, disp_type)) == 1;
	tir.rq = static_cast<uint32_t>(field_of(context, FIELD(tirc, inline_rqn)));
	tir.rqt = static_cast<uint32_t>(field_of(context, FIELD(tirc, indirect_table)));
	tir.toeplitz = field_of(context, FIELD(tirc, rx_hash_fn)) == 2;
	if (context.size() >= LENGTH(tirc))
		std::copy_n(&context[BYTE(tirc, rx_hash_toeplitz_key)], tir.key.size(),
			    tir.key.begin());
	const auto select = [&](Field field) {
		return static_cast<uint32_t>(field_of(context, field));
	};
	tir.fields = select(FIELD(tirc, rx_hash_field_selector_outer.selected_fields));
	tir.ipv6 = select(FIELD(tirc, rx_hash_field_selector_outer.l3_prot_type)) == 1;
	tir.udp = select(FIELD(tirc, rx_hash_field_selector_outer.l4_prot_type)) == 1;
	return tir;
}

Objects::Name target_of(const Tir &tir)
{
	return tir.indirect ? Objects::Name{Kind::rqt, tir.rqt} : Objects::Name{Kind::rq, tir.rq};
}

} // namespace

Status Nic::create_tir(Command &command)
{
	const auto context = command.part(BYTE(create_tir_in, ctx), LENGTH(tirc));
	if (context.empty())
		return Status::bad_input_length;
	const auto tir = tir_of(context);
	if (field_of(context, FIELD(tirc, tls_en)) || tir.fields & ~31U) {
		report_.unknown("a TIR with TLS, or a hash of other fields");
		return Status::bad_param;
	}
	const auto domain = static_cast<uint32_t>(field_of(context, FIELD(tirc, transport_domain)));
	const auto status = simple_create(command, Kind::tir,
					  {{Kind::transport_domain, domain}, target_of(tir)});
	if (status == Status::ok)
		tirs_[be32(&command.out[8])] = tir;
	return status;
}

Status Nic::modify_tir(Command &command)
{
	const auto number = command.number();
	const auto context = command.part(BYTE(modify_tir_in, ctx), LENGTH(tirc));
	if (context.empty())
		return Status::bad_input_length;
	if (!objects_.known({Kind::tir, number}, "a command"))
		return Status::bad_resource;
	auto &tir = tirs_[number];
	if (command.get(FIELD(modify_tir_in, bitmask.hash))) {
		const auto changed = tir_of(context);
		tir.toeplitz = changed.toeplitz;
		tir.key = changed.key;
		tir.fields = changed.fields;
		tir.ipv6 = changed.ipv6;
		tir.udp = changed.udp;
	}
	if (command.get(FIELD(modify_tir_in, bitmask.packet_merge)) &&
	    field_of(context, FIELD(tirc, packet_merge_mask)))
		report_.unknown("packets merged by hardware");
	return Status::ok;
}

Status Nic::destroy_tir(Command &command)
{
	const auto number = command.number();
	for (const auto &[table_number, table] : steering_.tables)
		for (const auto &[group_number, group] : table.groups)
			for (const auto &[index, entry] : group.entries)
				for (const auto &to : entry.to)
					if (to.to == FlowDestination::To::tir &&
					    to.number == number)
						return Status::bad_resource_state;
	if (!objects_.destroy({Kind::tir, number}))
		return Status::bad_resource_state;
	tirs_.erase(number);
	return Status::ok;
}

Status Nic::set_rqt(Command &command, bool create)
{
	const size_t context = create ? BYTE(create_rqt_in, rqt_context) : BYTE(modify_rqt_in, ctx);
	const auto size = create ? command.get(FIELD(create_rqt_in, rqt_context.rqt_actual_size))
				 : command.get(FIELD(modify_rqt_in, ctx.rqt_actual_size));
	const auto list = command.part(context + BYTE(rqtc, rq_num), 4 * size);
	if (size == 0 || size > 2048 || list.empty())
		return Status::bad_param;
	std::vector<uint32_t> queues;
	std::set<Objects::Name> uses;
	for (size_t i = 0; i < size; i++) {
		queues.push_back(be32(&list[4 * i]) & 0xffffff);
		uses.insert({Kind::rq, queues.back()});
	}
	const std::vector<Objects::Name> used(uses.begin(), uses.end());
	if (create) {
		const auto status = simple_create(command, Kind::rqt, used);
		if (status == Status::ok)
			rqts_[be32(&command.out[8])] = queues;
		return status;
	}
	const Objects::Name name{Kind::rqt, command.number()};
	if (!objects_.known(name, "a command") || !objects_.use(name, used))
		return Status::bad_resource;
	rqts_[name.number] = queues;
	return Status::ok;
}

Status Nic::destroy_rqt(Command &command)
{
	if (!objects_.destroy({Kind::rqt, command.number()}))
		return Status::bad_resource_state;
	rqts_.erase(command.number());
	return Status::ok;
}

Status Nic::query_q_counter(Command &command)
{
	const auto number =
		static_cast<uint32_t>(command.get(FIELD(query_q_counter_in, counter_set_id)));
	if (!objects_.known({Kind::q_counter, number}, "a command"))
		return Status::bad_resource;
	command.set(FIELD(query_q_counter_out, out_of_buffer), out_of_buffer_[number]);
	return Status::ok;
}

} // namespace cx
