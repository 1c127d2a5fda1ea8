// SPDX-License-Identifier: Apache-2.0
// One function, and a driver of a few lines: what hardware answers, and that nothing in
// commands, queues and doorbells harms more than the one who wrote it.
#include "selftests/connectx/nic.hpp"
#include <gtest/gtest.h>

namespace {

using cx::be16;
using cx::be32;
using cx::put_be16;
using cx::put_be32;
using cx::put_be64;

#define OP(name) cx::ifc::MLX5_CMD_OP_##name
constexpr uint64_t memory_base = 0x100000, commands_at = memory_base;
constexpr uint64_t input_boxes = memory_base + 0x1000, output_boxes = memory_base + 0x4000;
constexpr uint64_t eq_at = memory_base + 0x10000, cq_at = memory_base + 0x11000,
		   sq_at = memory_base + 0x12000, rq_at = memory_base + 0x13000,
		   bells_at = memory_base + 0x14000, data_at = memory_base + 0x20000;
constexpr uint64_t sq_bell = bells_at, cq_bell = bells_at + 0x40, rq_bell = bells_at + 0x80;

struct Function : testing::Test {
	cx::Report report{"test"};
	cx::Memory memory{report};
	Bytes bytes = Bytes(0x40000);
	std::vector<unsigned> interrupts;
	std::vector<Bytes> frames;
	cx::Nic nic;
	uint32_t uar = 0, eq = 0, cq = 0, sq = 0, pd = 0, domain = 0, tis = 0, key = 0, rq = 0;
	uint16_t posted = 0;

	Function()
		: nic({.mac = {2, 0, 0, 0, 0, 1}},
		      {.interrupt = [this](unsigned vector) { interrupts.push_back(vector); },
		       .transmit = [this](View f) { frames.emplace_back(f.begin(), f.end()); },
		       .may_transmit = {},
		       .port_changed = [] {}},
		      memory, report)
	{
		memory.lend(memory_base, bytes);
		nic.bus_master(true);
		write(0x10, 0);
		write(0x14, commands_at);
	}
	uint8_t *at(uint64_t address) { return &bytes.at(address - memory_base); }
	void write(uint64_t to, uint64_t value)
	{
		uint8_t word[4];
		put_be32(word, static_cast<uint32_t>(value));
		nic.bar_write(to, word);
	}

	/// Lays a command out, with its mailboxes; the doorbell is the caller's.
	void lay(const Bytes &in, uint32_t out)
	{
		auto *entry = at(commands_at);
		std::fill_n(entry, 64, uint8_t{0});
		entry[0] = 7;
		put_be32(entry + 4, static_cast<uint32_t>(in.size()));
		put_be64(entry + 8, input_boxes);
		std::copy_n(in.begin(), std::min<size_t>(16, in.size()), entry + 16);
		put_be64(entry + 48, output_boxes);
		put_be32(entry + 56, out);
		entry[60] = 9;
		entry[63] = 1;
		for (uint32_t i = 0; i < 8; i++) {
			for (const auto boxes : {input_boxes, output_boxes}) {
				auto *box = at(boxes + 1024 * i);
				std::fill_n(box, 576, uint8_t{0});
				put_be64(box + 560, boxes + 1024 * (i + 1));
				put_be32(box + 568, i);
				box[573] = 9;
			}
			const size_t from = 16 + 512 * i;
			if (from < in.size())
				std::copy_n(&in[from], std::min<size_t>(512, in.size() - from),
					    at(input_boxes + 1024 * i));
		}
	}
	/// Status, and the first 16 bytes of the answer in @a answer.
	uint8_t execute(const Bytes &in, Bytes *answer = nullptr, uint32_t out = 16)
	{
		lay(in, out);
		write(0x18, 1);
		const auto *entry = at(commands_at);
		EXPECT_EQ(entry[63], 0) << "delivered";
		if (answer) {
			answer->assign(entry + 32, entry + 48);
			for (uint32_t got = 16; got < out; got += 512)
				answer->insert(answer->end(), at(output_boxes + (got - 16) * 2),
					       at(output_boxes + (got - 16) * 2) + 512);
		}
		return entry[32];
	}
	static Bytes command(uint32_t opcode, size_t size = 16, uint16_t modifier = 0)
	{
		Bytes in(size);
		put_be16(&in[0], static_cast<uint16_t>(opcode));
		put_be16(&in[6], modifier);
		return in;
	}
	static Bytes about(uint32_t opcode, uint32_t number)
	{
		auto in = command(opcode);
		put_be32(&in[8], number);
		return in;
	}
	uint32_t create(const Bytes &in)
	{
		Bytes answer;
		EXPECT_EQ(execute(in, &answer), 0);
		return be32(&answer[8]) & 0xffffff;
	}
	void initialize()
	{
		EXPECT_EQ(execute(command(OP(ENABLE_HCA))), 0);
		EXPECT_EQ(execute(command(OP(INIT_HCA))), 0);
	}
	void make_queues()
	{
		initialize();
		uar = create(command(OP(ALLOC_UAR)));
		pd = create(command(OP(ALLOC_PD)));
		domain = create(command(OP(ALLOC_TRANSPORT_DOMAIN)));
		auto in = command(OP(CREATE_MKEY), 272);
		set_field(in, FIELD(create_mkey_in, memory_key_mkey_entry.pd), pd);
		set_field(in, FIELD(create_mkey_in, memory_key_mkey_entry.length64), 1);
		key = create(in);
		in = command(OP(CREATE_TIS), 192);
		set_field(in, FIELD(create_tis_in, ctx.transport_domain), domain);
		tis = create(in);
		in = command(OP(CREATE_EQ), BYTE(create_eq_in, pas) + 8);
		set_field(in, FIELD(create_eq_in, eq_context_entry.log_eq_size), 6);
		set_field(in, FIELD(create_eq_in, eq_context_entry.uar_page), uar);
		set_field(in, FIELD(create_eq_in, eq_context_entry.intr), 3);
		put_be64(&in[BYTE(create_eq_in, pas)], eq_at);
		eq = create(in);
		in = command(OP(CREATE_CQ), BYTE(create_cq_in, pas) + 8);
		set_field(in, FIELD(create_cq_in, cq_context.log_cq_size), 6);
		set_field(in, FIELD(create_cq_in, cq_context.uar_page), uar);
		set_field(in, FIELD(create_cq_in, cq_context.c_eqn_or_apu_element), eq);
		set_field(in, FIELD(create_cq_in, cq_context.dbr_addr), cq_bell);
		put_be64(&in[BYTE(create_cq_in, pas)], cq_at);
		cq = create(in);
		in = command(OP(CREATE_SQ), BYTE(create_sq_in, ctx.wq.pas) + 8);
		set_field(in, FIELD(create_sq_in, ctx.cqn), cq);
		set_field(in, FIELD(create_sq_in, ctx.tis_lst_sz), 1);
		set_field(in, FIELD(create_sq_in, ctx.tis_num_0), tis);
		set_field(in, FIELD(create_sq_in, ctx.wq.log_wq_sz), 6);
		set_field(in, FIELD(create_sq_in, ctx.wq.log_wq_stride), 6);
		set_field(in, FIELD(create_sq_in, ctx.wq.uar_page), uar);
		set_field(in, FIELD(create_sq_in, ctx.wq.pd), pd);
		set_field(in, FIELD(create_sq_in, ctx.wq.dbr_addr), sq_bell);
		put_be64(&in[BYTE(create_sq_in, ctx.wq.pas)], sq_at);
		sq = create(in);
		in = command(OP(MODIFY_SQ), 272);
		put_be32(&in[8], sq);
		set_field(in, FIELD(modify_sq_in, ctx.state), 1);
		EXPECT_EQ(execute(in), 0);
		in = command(OP(ACCESS_REG), 32);
		put_be16(&in[10], 0x5003);
		set_field(Area(in).subspan(16), FIELD(pmtu_reg, admin_mtu), 1522);
		EXPECT_EQ(execute(in, nullptr, 32), 0);
	}
	using Area = cx::Area;

	/// A work request of @a segments, 16 bytes each behind the first, at the queue's end.
	uint8_t *post(uint8_t opcode, const std::vector<Bytes> &segments, uint8_t flags = 8)
	{
		auto *request = at(sq_at + 64 * (posted % 64));
		Bytes whole(16);
		put_be32(&whole[0], static_cast<uint32_t>(posted) << 8 | opcode);
		put_be32(&whole[4], sq << 8 | static_cast<uint32_t>(1 + segments.size()));
		whole[11] = flags;
		for (const auto &segment : segments)
			whole.insert(whole.end(), segment.begin(), segment.end());
		std::copy(whole.begin(), whole.end(), request);
		posted = static_cast<uint16_t>(posted + (whole.size() + 63) / 64);
		put_be32(at(sq_bell + 4), posted);
		return request;
	}
	void ring(const uint8_t *request)
	{
		nic.bar_write(uar * 4096ull + 0x800, View(request, 8));
	}
	Bytes data(uint32_t length, uint64_t address, uint32_t with)
	{
		Bytes segment;
		put(segment, length, 4);
		put(segment, with, 4);
		put(segment, address, 8);
		return segment;
	}
	/// A receive queue that gets every frame.
	void make_receiver()
	{
		auto in = command(OP(CREATE_RQ), BYTE(create_rq_in, ctx.wq.pas) + 8);
		set_field(in, FIELD(create_rq_in, ctx.cqn), cq);
		set_field(in, FIELD(create_rq_in, ctx.wq.wq_type), 1);
		set_field(in, FIELD(create_rq_in, ctx.wq.log_wq_sz), 3);
		set_field(in, FIELD(create_rq_in, ctx.wq.log_wq_stride), 5);
		set_field(in, FIELD(create_rq_in, ctx.wq.pd), pd);
		set_field(in, FIELD(create_rq_in, ctx.wq.dbr_addr), rq_bell);
		put_be64(&in[BYTE(create_rq_in, ctx.wq.pas)], rq_at);
		rq = create(in);
		in = command(OP(MODIFY_RQ), 272);
		put_be32(&in[8], rq);
		set_field(in, FIELD(modify_rq_in, ctx.state), 1);
		EXPECT_EQ(execute(in), 0);
		in = command(OP(CREATE_TIR), BYTE(create_tir_in, ctx) + LENGTH(tirc));
		set_field(in, FIELD(create_tir_in, ctx.inline_rqn), rq);
		set_field(in, FIELD(create_tir_in, ctx.transport_domain), domain);
		const auto tir = create(in);
		const auto table = create(command(OP(CREATE_FLOW_TABLE), 64));
		in = command(OP(CREATE_FLOW_GROUP), 1024);
		set_field(in, FIELD(create_flow_group_in, table_id), table);
		const auto group = create(in);
		in = command(OP(SET_FLOW_TABLE_ENTRY),
			     BYTE(set_fte_in, flow_context.destination) + 8);
		set_field(in, FIELD(set_fte_in, table_id), table);
		set_field(in, FIELD(set_fte_in, flow_context.group_id), group);
		set_field(in, FIELD(set_fte_in, flow_context.action), 4);
		set_field(in, FIELD(set_fte_in, flow_context.destination_list_size), 1);
		put_be32(&in[BYTE(set_fte_in, flow_context.destination)], 2U << 24 | tir);
		EXPECT_EQ(execute(in), 0);
		in = command(OP(SET_FLOW_TABLE_ROOT), 64);
		set_field(in, FIELD(set_flow_table_root_in, table_id), table);
		EXPECT_EQ(execute(in), 0);
	}
	/// Up to two buffers for the next frame, each {length, address}.
	void post_buffer(const std::vector<std::pair<uint32_t, uint64_t>> &parts)
	{
		auto *request = at(rq_at + 32 * (buffers % 8));
		std::fill_n(request, 32, uint8_t{0});
		put_be32(request + 20, 0x100); // the end of the list
		for (const auto &[length, address] : parts) {
			put_be32(request, length | 1U << 31);
			put_be32(request + 4, key << 8);
			put_be64(request + 8, address);
			request += 16;
		}
		put_be32(at(rq_bell), ++buffers);
	}
	uint32_t buffers = 0;

	uint8_t *completion(unsigned index) { return at(cq_at + 64 * index); }
	void put_frame(size_t length)
	{
		for (size_t i = 0; i < length; i++)
			*at(data_at + i) = static_cast<uint8_t>(i * 7);
		*at(data_at) = 2;
	}
};

TEST_F(Function, CommandsComeInTheirOrder)
{
	EXPECT_EQ(execute(command(OP(INIT_HCA))), 4);
	EXPECT_EQ(execute(command(OP(ALLOC_PD))), 4);
	initialize();
	EXPECT_EQ(execute(command(OP(ENABLE_HCA))), 4);
	EXPECT_EQ(report.misuses().at("a command was refused"), 3U);
}

TEST_F(Function, WhatIsNotKnownIsReported)
{
	initialize();
	EXPECT_EQ(execute(command(OP(CREATE_QP))), 2);
	EXPECT_EQ(report.unknowns().size(), 1U);
}

TEST_F(Function, WhatIsLeftBehindIsReported)
{
	initialize();
	create(command(OP(ALLOC_PD)));
	EXPECT_EQ(execute(command(OP(TEARDOWN_HCA))), 0);
	EXPECT_EQ(report.misuses().count("left behind at the end"), 1U);
	EXPECT_EQ(execute(command(OP(INIT_HCA))), 0) << "and begun anew";
}

TEST_F(Function, CommandsOfAnyShapeAreSafe)
{
	initialize();
	for (const uint32_t length : {0U, 7U, 17U, 100'000U, ~0U}) {
		lay(command(OP(ALLOC_PD)), 16);
		put_be32(at(commands_at) + 4, length);
		write(0x18, 1);
		EXPECT_EQ(at(commands_at)[63] & 1, 0);
	}
	lay(command(OP(CREATE_EQ), 600), 16);
	put_be64(at(commands_at) + 8, 0xdead0000);
	write(0x18, 1);
	EXPECT_NE(at(commands_at)[63], 0);
	lay(command(OP(CREATE_EQ), 600), 16);
	at(input_boxes)[573] = 1; // another's token
	write(0x18, 1);
	EXPECT_NE(at(commands_at)[63], 0);
	write(0x14, 0x7000000);
	write(0x18, ~0U);
	EXPECT_GT(report.faults(), 8U);
}

// Every opcode, with inputs that are short, zero, or ones.
TEST_F(Function, EveryCommandTakesAnyInput)
{
	make_queues();
	for (uint32_t opcode = 0; opcode < 0xc00; opcode++) {
		if (opcode == OP(TEARDOWN_HCA) || opcode == OP(DISABLE_HCA))
			continue;
		for (const size_t size : {16U, 64U, 700U})
			for (const uint8_t fill : {uint8_t{0}, uint8_t{255}}) {
				Bytes in(size, fill);
				put_be16(&in[0], static_cast<uint16_t>(opcode));
				execute(in, nullptr, size == 64 ? 16 : 4112);
			}
	}
}

TEST_F(Function, AFrameLeaves)
{
	make_queues();
	put_frame(100);
	ring(post(0x0a, {Bytes(16), data(100, data_at, key << 8)}));
	ASSERT_EQ(frames.size(), 1U);
	EXPECT_EQ(frames[0], Bytes(at(data_at), at(data_at) + 100));
	EXPECT_EQ(completion(0)[63] >> 4, 0);
	EXPECT_EQ(be16(completion(0) + 60), 0);
	EXPECT_EQ(report.faults(), 0U);
}

TEST_F(Function, AQueueTellsOnceForEachTimeItIsArmed)
{
	make_queues();
	put_frame(100);
	uint8_t arm[8];
	put_be32(arm, 0);
	put_be32(arm + 4, cq);
	uint8_t eq_arm[4];
	put_be32(eq_arm, eq << 24);
	nic.bar_write(uar * 4096ull + 0x40, View(eq_arm, 4));
	nic.bar_write(uar * 4096ull + 0x20, View(arm, 8));
	for (int i = 0; i < 3; i++)
		ring(post(0x0a, {Bytes(16), data(100, data_at, key << 8)}));
	EXPECT_EQ(interrupts, std::vector<unsigned>{3});
	EXPECT_EQ(be32(at(eq_at) + 0x20 + 24), cq);
	nic.bar_write(uar * 4096ull + 0x40, View(eq_arm, 4));
	EXPECT_EQ(interrupts.size(), 2U) << "what came in between is told of at once";
}

TEST_F(Function, AWrongKeyIsAnErrorAndTheQueueStops)
{
	make_queues();
	put_frame(100);
	ring(post(0x0a, {Bytes(16), data(100, data_at, 0x12345600)}));
	EXPECT_TRUE(frames.empty());
	EXPECT_EQ(completion(0)[63] >> 4, 13);
	EXPECT_EQ(completion(0)[0x37], 4) << "local protection";
	ring(post(0x0a, {Bytes(16), data(100, data_at, key << 8)}));
	EXPECT_TRUE(frames.empty());
	EXPECT_EQ(completion(1)[0x37], 5) << "flushed";
	Bytes answer;
	EXPECT_EQ(execute(about(OP(QUERY_SQ), sq), &answer, 16 + 512), 0);
	EXPECT_EQ(cx::field_of(answer, FIELD(query_sq_out, sq_context.state)), 3U);
}

TEST_F(Function, WorkRequestsThatHardwareRefuses)
{
	const struct {
		const char *what;
		uint8_t opcode;
		std::vector<Bytes> segments;
	} cases[] = {
		{"no Ethernet segment", 0x0a, {}},
		{"data outside memory", 0x0a, {Bytes(16), data(100, 0xdead0000, 0)}},
		{"an unknown opcode", 0x3f, {Bytes(16)}},
		{"UMR that is no static parameters", 0x25, {Bytes(16)}},
		{"PSV that is no progress parameters", 0x20, {Bytes(16), Bytes(16)}},
		{"multi-packet, which it does not do", 0x29, {Bytes(16)}},
		{"no data at all", 0x0a, {Bytes(16)}},
	};
	make_queues();
	for (const auto &one : cases) {
		auto in = command(OP(MODIFY_SQ), 272);
		auto segments = one.segments;
		for (auto &segment : segments)
			if (be32(&segment[0]) == 100)
				put_be32(&segment[4], key << 8);
		ring(post(one.opcode, segments));
		EXPECT_TRUE(frames.empty()) << one.what;
		// As a driver recovers: error, reset, ready.
		for (const auto &[from, to] : {std::pair{3, 0}, std::pair{0, 1}}) {
			put_be32(&in[8], static_cast<uint32_t>(from) << 28 | sq);
			set_field(in, FIELD(modify_sq_in, ctx.state), static_cast<uint64_t>(to));
			EXPECT_EQ(execute(in), 0) << one.what;
		}
		posted = 0;
		put_be32(at(sq_bell + 4), 0);
	}
}

TEST_F(Function, AControlSegmentHasToBeItsQueuesOwn)
{
	make_queues();
	auto *request = post(0x0a, {Bytes(16), data(100, data_at, key << 8)});
	request[2] = 9; // another index
	ring(request);
	EXPECT_TRUE(frames.empty());
	EXPECT_EQ(completion(0)[63] >> 4, 13);
	EXPECT_EQ(report.misuses().count("a work request"), 1U);
}

TEST_F(Function, ALargeSendIsCut)
{
	make_queues();
	Bytes ethernet(16), headers(54);
	headers[12] = 8; // IPv4, 20 bytes, TCP, 20 bytes
	headers[14] = 0x45;
	headers[23] = 6;
	headers[46] = 0x50;
	put_be16(&ethernet[6], 1000);
	put_be16(&ethernet[12], 54);
	std::copy_n(headers.begin(), 2, &ethernet[14]);
	std::vector<Bytes> segments{ethernet};
	Bytes rest(headers.begin() + 2, headers.end());
	rest.resize(64);
	for (size_t i = 0; i < 64; i += 16)
		segments.emplace_back(rest.begin() + static_cast<long>(i),
				      rest.begin() + static_cast<long>(i + 16));
	segments.push_back(data(2500, data_at, key << 8));
	ring(post(0x0e, segments));
	ASSERT_EQ(frames.size(), 3U);
	EXPECT_EQ(frames[0].size(), 1054U);
	EXPECT_EQ(frames[2].size(), 554U);
	EXPECT_EQ(be32(&frames[2][38]), 2000U) << "sequence number";
}

TEST_F(Function, DoorbellsOfAnyKindAreSafe)
{
	make_queues();
	for (uint64_t at = 0; at < 4096; at += 4)
		for (const size_t size : {4U, 8U}) {
			nic.bar_write(uar * 4096ull + at, Bytes(size, 0));
			nic.bar_write(uar * 4096ull + at, Bytes(size, 255));
			nic.bar_write((uar + 1) * 4096ull + at, Bytes(size, 0));
			nic.bar_write(at, Bytes(size, 255));
		}
	EXPECT_GT(report.faults(), 0U);
}

TEST_F(Function, AFrameIsSpreadOverItsBuffers)
{
	make_queues();
	make_receiver();
	// The highest bit of a length is a flag: it once made the first buffer endless.
	post_buffer({{60, data_at}, {60, data_at + 0x1000}});
	put_frame(100);
	const Bytes frame(at(data_at), at(data_at) + 100);
	std::fill_n(at(data_at), 0x2000, uint8_t{0xee});
	nic.receive(frame);
	EXPECT_EQ(Bytes(at(data_at), at(data_at) + 60), Bytes(frame.begin(), frame.begin() + 60));
	EXPECT_EQ(*at(data_at + 60), 0xee);
	EXPECT_EQ(Bytes(at(data_at + 0x1000), at(data_at + 0x1000) + 40),
		  Bytes(frame.begin() + 60, frame.end()));
	EXPECT_EQ(*at(data_at + 0x1000 + 40), 0xee);
	EXPECT_EQ(completion(0)[63] >> 4, 2);
	EXPECT_EQ(be32(completion(0) + 0x2c), 100U);
	EXPECT_EQ(report.faults(), 0U);
}

TEST_F(Function, WithoutABufferAFrameIsCounted)
{
	make_queues();
	make_receiver();
	nic.receive(Bytes(100, 2));
	EXPECT_EQ(nic.counters().at("frames_without_buffer"), 1U);
	EXPECT_EQ(completion(0)[63] >> 4, 0) << "nothing was written";
	EXPECT_EQ(report.faults(), 0U);
}

TEST_F(Function, AFrameLargerThanItsBuffersStopsTheQueue)
{
	make_queues();
	make_receiver();
	post_buffer({{60, data_at}});
	nic.receive(Bytes(100, 2));
	EXPECT_EQ(completion(0)[63] >> 4, 14);
	EXPECT_EQ(report.misuses().count("a receive buffer"), 1U);
	post_buffer({{200, data_at}});
	nic.receive(Bytes(100, 2));
	EXPECT_EQ(completion(1)[63] >> 4, 0) << "it is in error";
}

TEST_F(Function, AFrameNobodyWantsIsDropped)
{
	make_queues();
	nic.receive(Bytes(100, 2));
	EXPECT_EQ(nic.counters().at("frames_received"), 1U);
	EXPECT_EQ(report.faults(), 0U);
}

TEST_F(Function, AContextThatIsPostedWithIsInUse)
{
	make_queues();
	auto in = command(OP(CREATE_TIS), 192);
	set_field(in, FIELD(create_tis_in, ctx.transport_domain), domain);
	set_field(in, FIELD(create_tis_in, ctx.pd), pd);
	set_field(in, FIELD(create_tis_in, ctx.tls_en), 1);
	const auto tls = create(in);
	auto *request = post(0x0a, {Bytes(16), data(100, data_at, key << 8)});
	put_be32(request + 12, tls << 8);
	EXPECT_EQ(execute(about(OP(DESTROY_TIS), tls)), 0);
	EXPECT_EQ(nic.engine().count(cx::Misuse::deleted_in_use), 1U);
}

} // namespace
