// SPDX-License-Identifier: Apache-2.0
#include "selftests/connectx/pci.hpp"
#include <cstring>
#include <gtest/gtest.h>

namespace {

enum : uint8_t { config_read = 1, config_write, memory_read, memory_write, memory_set };

struct Pci : testing::Test, cx::Registers {
	cx::Report report{"test"};
	cx::PciFunction function{4, *this, report};
	std::vector<std::pair<uint64_t, size_t>> reads;
	std::map<uint64_t, Bytes> writes;
	std::vector<uint32_t> sent;
	bool master = false;

	Pci()
	{
		function.send = [this](uint32_t data) { sent.push_back(data); };
	}
	void bar_read(uint64_t at, cx::Area to) override { reads.emplace_back(at, to.size()); }
	void bar_write(uint64_t at, View from) override { writes[at] = {from.begin(), from.end()}; }
	void bus_master(bool on) override { master = on; }

	size_t ask(uint8_t op, uint64_t at, uint32_t size, const Bytes &data, cx::Area answer,
		   uint8_t bar = 0)
	{
		Bytes request(16);
		request[0] = op;
		request[1] = bar;
		memcpy(&request[4], &size, 4);
		memcpy(&request[8], &at, 8);
		request.insert(request.end(), data.begin(), data.end());
		return function.access(request, answer);
	}
	uint32_t config(uint64_t at)
	{
		uint8_t answer[4] = {};
		EXPECT_EQ(ask(config_read, at, 4, {}, answer), 4U);
		uint32_t value;
		memcpy(&value, answer, 4);
		return value;
	}
	void set_config(uint64_t at, Bytes bytes)
	{
		ask(config_write, at, static_cast<uint32_t>(bytes.size()), bytes, {});
	}
	void enable()
	{
		set_config(4, {6, 0});
		set_config(0x9e, {0, 0x80});
	}
	void set_vector(uint64_t vector, uint8_t data, uint8_t masked)
	{
		ask(memory_write, cx::msix_table_at + 16 * vector + 8, 4, {data, 0, 0, 0}, {});
		ask(memory_write, cx::msix_table_at + 16 * vector + 12, 4, {masked, 0, 0, 0}, {});
	}
};

TEST_F(Pci, SaysWhatItIs)
{
	EXPECT_EQ(config(0), 0x101d15b3U);
	EXPECT_EQ(config(8) >> 16, 0x0200U) << "a network controller";
}

TEST_F(Pci, TheBarTellsItsSize)
{
	set_config(0x10, {0xff, 0xff, 0xff, 0xff});
	EXPECT_EQ(~config(0x10) + 1, cx::bar_bytes);
}

TEST_F(Pci, IdentityCannotBeWritten)
{
	set_config(0, {1, 2, 3, 4});
	EXPECT_EQ(config(0), 0x101d15b3U);
}

TEST_F(Pci, MaskedVectorsWait)
{
	enable();
	EXPECT_TRUE(master);
	set_vector(2, 42, 1);
	function.interrupt(2);
	EXPECT_TRUE(sent.empty());
	set_vector(2, 43, 0);
	EXPECT_EQ(sent, std::vector<uint32_t>{43});
	function.interrupt(2);
	EXPECT_EQ(sent.size(), 2U);
}

TEST_F(Pci, NoInterruptBeforeTheyAreEnabled)
{
	set_config(4, {6, 0});
	set_vector(1, 5, 0);
	function.interrupt(1);
	EXPECT_TRUE(sent.empty());
	set_config(0x9e, {0, 0x80});
	EXPECT_EQ(sent, std::vector<uint32_t>{5});
}

TEST_F(Pci, CopiesAreReadRegisterByRegister)
{
	enable();
	Bytes answer(20);
	EXPECT_EQ(ask(memory_read, 4, 20, {}, answer), 20U);
	EXPECT_EQ(reads, (std::vector<std::pair<uint64_t, size_t>>{{4, 4}, {8, 8}, {16, 8}}));
}

TEST_F(Pci, NonsenseIsRefused)
{
	Bytes answer(8);
	enable();
	const auto before = report.faults();
	EXPECT_EQ(function.access(Bytes(15), answer), 0U);
	EXPECT_EQ(ask(99, 0, 4, {}, answer), 0U);
	EXPECT_EQ(ask(config_read, 4096, 4, {}, answer), 0U);
	EXPECT_EQ(ask(config_read, ~0ull, 4, {}, answer), 0U);
	EXPECT_EQ(ask(memory_read, cx::bar_bytes - 2, 4, {}, answer), 0U);
	EXPECT_EQ(ask(memory_read, 0, 16, {}, answer), 0U) << "no room for the answer";
	EXPECT_EQ(ask(memory_read, 0, 4, {}, answer, 1), 0U) << "no such BAR";
	ask(memory_write, 0, 8, {1, 2}, {});
	ask(memory_set, 0, 8, {}, {});
	function.interrupt(4);
	EXPECT_EQ(report.faults(), before + 10);
	EXPECT_TRUE(writes.empty());
}

} // namespace
