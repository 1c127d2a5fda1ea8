// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "selftests/connectx/segment.hpp"

namespace {

constexpr uint8_t tcp = 6;
constexpr uint8_t udp = 17;
constexpr uint8_t homa = 146;

Bytes ethernet(uint16_t type)
{
	Bytes out = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	put(out, type, 2);
	return out;
}

Bytes v4_headers(uint8_t protocol, size_t transport, uint16_t ident = 0xfffe)
{
	Bytes out = ethernet(0x800);
	put(out, 0x45000000, 4);
	put(out, ident, 2);
	put(out, 0x4000, 2);
	put(out, 64, 1);
	put(out, protocol, 1);
	put(out, 0, 2);
	put(out, 0x0a000001, 4);
	put(out, 0x0a000002, 4);
	const Bytes rest = pattern(transport, 3);
	out.insert(out.end(), rest.begin(), rest.end());
	return out;
}

Bytes v6_headers(uint8_t protocol, size_t transport)
{
	Bytes out = ethernet(0x86dd);
	put(out, 0x60000000, 4);
	put(out, 0, 2);
	put(out, protocol, 1);
	put(out, 64, 1);
	const Bytes rest = pattern(32 + transport, 4);
	out.insert(out.end(), rest.begin(), rest.end());
	return out;
}

/// Sums to nothing if the checksum is right.
bool l4_right(View frame)
{
	const cx::Layers at = cx::layers(frame);
	const bool six = at.ethertype == 0x86dd;
	uint32_t sum = cx::ones_sum(frame.subspan(at.l3 + (six ? 8 : 12), six ? 32 : 8));
	sum += at.protocol + static_cast<uint32_t>(frame.size() - at.l4);
	return cx::ones_sum(frame.subspan(at.l4), sum) == 0xffff;
}

bool l3_right(View frame)
{
	return cx::ones_sum(frame.subspan(14, 20)) == 0xffff;
}

Bytes payloads(const std::vector<Bytes> &frames, size_t headers)
{
	Bytes out;
	for (const Bytes &frame : frames)
		out.insert(out.end(), frame.begin() + static_cast<long>(headers), frame.end());
	return out;
}

TEST(Segment, TcpOverV4)
{
	Bytes headers = v4_headers(tcp, 20);
	set(headers, 34 + 4, 0xffffff00, 4);
	set(headers, 34 + 13, 0x80 | 0x10 | 0x08 | 0x01, 1);
	const Bytes payload = pattern(1000);
	const auto frames = cx::cut(headers, payload, 300, {true, true});

	ASSERT_EQ(frames.size(), 4U);
	EXPECT_EQ(payloads(frames, headers.size()), payload);
	const uint64_t flags[] = {0x90, 0x10, 0x10, 0x19};
	for (size_t i = 0; i < frames.size(); i++) {
		const Bytes &frame = frames[i];
		EXPECT_EQ(get(frame, 16, 2), frame.size() - 14);
		EXPECT_EQ(get(frame, 18, 2), (0xfffe + i) & 0xffff);
		EXPECT_EQ(get(frame, 38, 4), (0xffffff00 + 300 * i) & 0xffffffff);
		EXPECT_EQ(get(frame, 47, 1), flags[i]);
		EXPECT_TRUE(l3_right(frame));
		EXPECT_TRUE(l4_right(frame));
	}
}

TEST(Segment, TcpOverV6)
{
	const Bytes headers = v6_headers(tcp, 20);
	const auto frames = cx::cut(headers, pattern(999), 333, {true, true});

	ASSERT_EQ(frames.size(), 3U);
	for (const Bytes &frame : frames) {
		EXPECT_EQ(get(frame, 18, 2), 20 + 333U);
		EXPECT_TRUE(l4_right(frame));
	}
}

TEST(Segment, Udp)
{
	const Bytes headers = v4_headers(udp, 8);
	const auto frames = cx::cut(headers, pattern(250), 100, {true, true});

	ASSERT_EQ(frames.size(), 3U);
	EXPECT_EQ(get(frames[0], 38, 2), 108U);
	EXPECT_EQ(get(frames[2], 38, 2), 58U);
	for (const Bytes &frame : frames)
		EXPECT_TRUE(l4_right(frame));
}

// Of a protocol that it does not know nothing above IP is touched.
TEST(Segment, UnknownProtocol)
{
	const Bytes headers = v4_headers(homa, 60);
	const Bytes payload = pattern(5000);
	const auto frames = cx::cut(headers, payload, 1400, {true, true});

	ASSERT_EQ(frames.size(), 4U);
	EXPECT_EQ(payloads(frames, headers.size()), payload);
	for (size_t i = 0; i < frames.size(); i++) {
		EXPECT_TRUE(
			std::equal(headers.begin() + 34, headers.end(), frames[i].begin() + 34));
		EXPECT_EQ(get(frames[i], 16, 2), frames[i].size() - 14);
		EXPECT_EQ(get(frames[i], 18, 2), (0xfffe + i) & 0xffff);
		EXPECT_TRUE(l3_right(frames[i]));
	}
}

TEST(Segment, WhatIsNotKnownOfHardware)
{
	const Bytes headers = v4_headers(homa, 60);
	const auto frames = cx::cut(
		headers, pattern(200), 100, {true, true},
		{.ident_counts = false, .unknown_sequence = true, .unknown_checksum = true});

	ASSERT_EQ(frames.size(), 2U);
	EXPECT_EQ(get(frames[1], 18, 2), 0xfffeU);
	EXPECT_EQ(get(frames[1], 38, 4), get(headers, 38, 4) + 100);
	EXPECT_TRUE(l4_right(frames[1]));
}

TEST(Segment, Vlan)
{
	Bytes headers = v4_headers(tcp, 20);
	const Bytes tag = {0x81, 0, 0, 5};
	headers.insert(headers.begin() + 12, tag.begin(), tag.end());
	const auto frames = cx::cut(headers, pattern(50), 40, {true, true});

	ASSERT_EQ(frames.size(), 2U);
	EXPECT_EQ(get(frames[1], 20, 2), 20 + 20 + 10U);
	EXPECT_TRUE(l4_right(frames[1]));
}

TEST(Segment, OnePacket)
{
	const Bytes headers = v4_headers(tcp, 20);
	for (const size_t length : {0U, 1U, 77U}) {
		const auto frames = cx::cut(headers, pattern(length), 0, {true, true});
		ASSERT_EQ(frames.size(), 1U);
		EXPECT_EQ(frames[0].size(), headers.size() + length);
	}
}

TEST(Segment, ChecksumsOnlyWhereAsked)
{
	Bytes frame = v4_headers(tcp, 40);
	set(frame, 16, frame.size() - 14, 2);
	const Bytes before = frame;
	cx::finish(frame, {});
	EXPECT_EQ(frame, before);
	cx::finish(frame, {.l3_checksum = true});
	EXPECT_TRUE(l3_right(frame));
	EXPECT_EQ(get(frame, 50, 2), get(before, 50, 2));
	cx::finish(frame, {.l4_checksum = true});
	EXPECT_TRUE(l4_right(frame));
}

// A fragment has no transport header to look for, nor has what is cut short.
TEST(Segment, NothingToFind)
{
	Bytes frame = v4_headers(tcp, 20);
	set(frame, 20, 0x2001, 2);
	EXPECT_EQ(cx::layers(frame).l4, 0U);
	for (size_t length = 0; length < 34; length++) {
		Bytes start(frame.begin(), frame.begin() + static_cast<long>(length));
		EXPECT_EQ(cx::layers(start).l4, 0U);
		cx::finish(start, {true, true});
		cx::cut(start, pattern(10), 3, {true, true});
	}
	for (size_t length = 0; length < 60; length++) {
		const Bytes six = v6_headers(0, 8);
		cx::cut(View(six).first(length), pattern(10), 3, {true, true});
	}
}

TEST(Segment, ExtensionHeaders)
{
	Bytes headers = v6_headers(0, 8 + 20);
	headers[54] = tcp;
	headers[55] = 0;
	EXPECT_EQ(cx::layers(headers).l4, 62U);
	EXPECT_EQ(cx::layers(headers).protocol, tcp);
	headers[20] = 44;
	EXPECT_EQ(cx::layers(headers).l4, 0U);
}

} // namespace
