// SPDX-License-Identifier: Apache-2.0
// What the detector finds, and what it does not mind, in packets made by the second
// implementation of the wire format.
#include <gtest/gtest.h>

#include <fstream>

#include "selftests/connectx/detector.hpp"

namespace {

using cx::Detector;
using sdp_test::Direction;

constexpr size_t packet_payload = 1400;
constexpr size_t record = 16256 + 21;

const sdp_test::Parameters session = {.secret = sdp_test::counting(0, 32),
				      .client_nonce = sdp_test::counting(32, 16),
				      .server_nonce = sdp_test::counting(48, 16)};

Bytes frame_of(View homa, uint16_t ident, bool padded = false)
{
	Bytes out(12);
	put(out, 0x0800, 2);
	put(out, 0x4500, 2);
	put(out, 20 + homa.size(), 2);
	put(out, ident, 2);
	put(out, 0x4000, 2);
	put(out, 64, 1);
	put(out, 146, 1);
	put(out, 0, 2);
	put(out, 0x0a000001, 4);
	put(out, 0x0a000002, 4);
	out.insert(out.end(), homa.begin(), homa.end());
	out.resize(out.size() + (padded ? 9 : 0));
	return out;
}

struct Sends {
	explicit Sends(uint64_t epoch = 0, Direction direction = Direction::ClientToServer)
		: sender(sdp_test::sender(session, direction, epoch))
	{
	}

	[[nodiscard]] Bytes sealed(size_t length) const
	{
		return seal_message(sender,
				    {.number = number, .rpc_id = 0x77, .data = pattern(length)});
	}

	/// Everything from @a from on, cut as a NIC does it.
	[[nodiscard]] std::vector<Bytes> packets(View bytes, size_t from = 0,
						 bool index = true) const
	{
		std::vector<Bytes> out;
		for (size_t at = from; at < bytes.size(); at += packet_payload) {
			const size_t place = index ? from | 0x80000000 : at;
			Bytes homa = data_header(
				sender, {.source = 1,
					 .destination = 2,
					 .sequence = static_cast<uint32_t>(place),
					 .rpc_id = 0x77,
					 .message_length = static_cast<uint32_t>(bytes.size()),
					 .message_number = number,
					 .packet_payload = packet_payload});
			const View piece =
				bytes.subspan(at, std::min(packet_payload, bytes.size() - at));
			homa.insert(homa.end(), piece.begin(), piece.end());
			out.push_back(frame_of(
				homa, static_cast<uint16_t>(index ? out.size() : 0x1234 + at)));
		}
		return out;
	}

	sdp_test::Sender sender;
	uint64_t number = 5;
};

void see(Detector &detector, const std::vector<Bytes> &frames, int from = 0)
{
	for (const Bytes &frame : frames)
		detector.see(from, frame);
}

TEST(Detector, OpensWhatIsSealed)
{
	for (const bool index : {true, false}) {
		Detector detector;
		detector.add(session);
		const Sends sends;
		see(detector, sends.packets(sends.sealed(40000), 0, index));
		EXPECT_EQ(detector.errors(), 0U) << detector.report();
		EXPECT_EQ(detector.findings().records, 3U);
		EXPECT_EQ(detector.findings().unknown, 0U);
	}
}

TEST(Detector, BothDirectionsAndEpochs)
{
	Detector detector;
	detector.add(session);
	for (const uint64_t epoch : {0U, 1U, 2U, 300U}) {
		const Sends out(epoch);
		const Sends back(epoch, Direction::ServerToClient);
		see(detector, out.packets(out.sealed(1000)), 0);
		see(detector, back.packets(back.sealed(1000)), 1);
	}
	EXPECT_EQ(detector.errors(), 0U) << detector.report();
	EXPECT_EQ(detector.findings().records, 8U);
}

TEST(Detector, AgainAndInAnyOrder)
{
	Detector detector;
	detector.add(session);
	const Sends sends;
	const Bytes sealed = sends.sealed(50000);
	auto packets = sends.packets(sealed);
	std::reverse(packets.begin(), packets.end());
	see(detector, packets);
	see(detector, sends.packets(sealed, record, false));
	EXPECT_EQ(detector.errors(), 0U) << detector.report();
	EXPECT_EQ(detector.findings().records, 4U);
	EXPECT_GT(detector.findings().again, 20U);
}

TEST(Detector, ClearMessageHeader)
{
	Detector detector;
	const Sends sends;
	Bytes plain = sends.sealed(3000);
	plain[5] = 1;
	plain[6] = 0;
	set(plain, 13, 0x77, 8);
	see(detector, sends.packets(plain));
	EXPECT_EQ(detector.findings().plaintext, 1U);
}

TEST(Detector, ClearRecordDoesNotOpen)
{
	Detector detector;
	detector.add(session);
	const Sends sends;
	Bytes plain = sends.sealed(40000);
	for (size_t i = record + 5; i < 2 * record; i++)
		plain[i] = 0x61;
	see(detector, sends.packets(plain));
	EXPECT_EQ(detector.findings().unopened, 1U);
	EXPECT_EQ(detector.findings().records, 2U);
}

TEST(Detector, RegisteredPlaintext)
{
	Detector detector;
	const std::string text = "not to be seen! ";
	detector.plaintext(bytes_of(text));
	const Sends sends;
	Bytes plain = sends.sealed(5000);
	std::copy(text.begin(), text.end(), plain.begin() + 3000);
	see(detector, sends.packets(plain));
	EXPECT_EQ(detector.findings().plaintext, 1U);
	EXPECT_EQ(detector.errors(), 1U);
}

TEST(Detector, TwoCiphertexts)
{
	Detector detector;
	const Sends sends;
	Bytes sealed = sends.sealed(5000);
	see(detector, sends.packets(sealed));
	sealed[2000] ^= 1;
	see(detector, sends.packets(sealed));
	EXPECT_EQ(detector.findings().reused, 1U);
	// Somebody else's message of the same number is another.
	see(detector, sends.packets(sealed), 1);
	EXPECT_EQ(detector.findings().reused, 1U);
}

TEST(Detector, WrongNumber)
{
	Detector detector;
	detector.add(session);
	Sends sends;
	const Bytes sealed = sends.sealed(1000);
	sends.number = 6;
	see(detector, sends.packets(sealed));
	EXPECT_EQ(detector.findings().unopened, 1U);
}

TEST(Detector, Malformed)
{
	Detector detector;
	detector.add(session);
	const Sends sends;
	const auto packets = sends.packets(sends.sealed(1000));
	for (const size_t at : {28U, 31U, 46U, 52U}) {
		Bytes frame = packets[0];
		frame[34 + at] ^= 0x81;
		detector.see(0, frame);
	}
	EXPECT_EQ(detector.findings().malformed, 4U);
	for (size_t length = 0; length < 34 + 60; length++)
		detector.see(0, View(packets[0]).first(length));
}

TEST(Detector, OthersAreNotLookedAt)
{
	Detector detector;
	const Sends sends;
	auto packets = sends.packets(sends.sealed(1000));
	packets[0][34 + 11] = 0x10;
	see(detector, packets);
	packets[0][23] = 6;
	see(detector, packets);
	EXPECT_EQ(detector.findings().packets, 0U);
}

TEST(Detector, FramesThatAreFilledUp)
{
	Detector detector;
	detector.add(session);
	const Sends sends;
	const Bytes sealed = sends.sealed(10);
	const auto packets = sends.packets(sealed);
	Bytes padded = packets[0];
	padded.resize(padded.size() + 9);
	detector.see(0, padded);
	EXPECT_EQ(detector.errors(), 0U);
	EXPECT_EQ(detector.findings().records, 1U);
}

TEST(Detector, ForgetsTheOldest)
{
	Detector detector({.kept = 2 * record});
	Sends sends;
	const Bytes sealed = sends.sealed(40000);
	auto packets = sends.packets(sealed);
	packets.erase(packets.begin());
	see(detector, packets);
	for (int i = 0; i < 3; i++) {
		sends.number++;
		see(detector, sends.packets(sends.sealed(40000)));
	}
	EXPECT_EQ(detector.findings().incomplete, 1U);
	EXPECT_EQ(detector.errors(), 0U);
}

TEST(Detector, ReadsItsFile)
{
	const std::string file = testing::TempDir() + "detector.keys";
	const auto hex = [](View bytes) { return sdp_test::hex(bytes); };
	std::ofstream(file) << "plaintext " << hex(bytes_of("not to be seen! ")) << '\n';
	Detector detector({.file = file});
	const Sends sends;
	const auto packets = sends.packets(sends.sealed(1000));
	see(detector, packets);
	EXPECT_EQ(detector.findings().unknown, 1U);
	std::ofstream(file, std::ios::app)
		<< "session " << hex(session.secret) << ' ' << hex(session.context) << ' '
		<< hex(session.client_nonce) << ' ' << hex(session.server_nonce) << ' '
		<< static_cast<unsigned>(session.cipher) << " 0\n";
	see(detector, packets, 1);
	EXPECT_EQ(detector.findings().unknown, 1U);
	EXPECT_EQ(detector.findings().records, 1U);
	EXPECT_EQ(detector.errors(), 0U);
}

} // namespace
