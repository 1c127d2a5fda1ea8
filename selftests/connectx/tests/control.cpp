// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "selftests/connectx/control.hpp"

namespace {

std::string text_of(const std::string &file)
{
	std::ifstream in(file);
	return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

struct Control : testing::Test {
	cx::Wire wire{{}, [](int, View) {}};
	cx::Detector detector;
	std::string link;
	cx::Controlled controlled{.wire = wire,
				  .options = {},
				  .detector = detector,
				  .link = [this](bool up) { link = up ? "up" : "down"; },
				  .report = [] { return "a 1\n"; },
				  .findings = [] { return "bad 2\nworse 0\n"; }};
};

TEST_F(Control, Link)
{
	EXPECT_EQ(controlled.command("link down"), "ok\n");
	EXPECT_EQ(link, "down");
	EXPECT_FALSE(wire.up());
	EXPECT_EQ(controlled.command("link up"), "ok\n");
	EXPECT_TRUE(wire.up());
}

TEST_F(Control, Wire)
{
	EXPECT_EQ(controlled.command("wire loss=1000000 delay=3"), "ok\n");
	wire.send(0, Bytes(10), 0);
	EXPECT_EQ(wire.counters(0).lost, 1U);
	EXPECT_EQ(controlled.command("wire loss=0"), "ok\n");
	wire.send(0, Bytes(10), 0);
	EXPECT_EQ(wire.next(), 3000);
}

TEST_F(Control, Errors)
{
	for (const char *wrong : {"", "link", "link left", "wire loss", "wire loss=x", "wire a=1",
				  "nothing of the kind"})
		EXPECT_TRUE(controlled.command(wrong).starts_with("error: ")) << wrong;
}

TEST_F(Control, Reports)
{
	const std::string report = controlled.command("report");
	EXPECT_NE(report.find("a 1\n"), std::string::npos);
	EXPECT_NE(report.find("wire0_sent 0\n"), std::string::npos);
	EXPECT_NE(report.find("detector_plaintext 0\n"), std::string::npos);
}

TEST_F(Control, Findings)
{
	EXPECT_EQ(controlled.command("findings"), "bad 2\n");
	EXPECT_EQ(controlled.command("expect bad"), "ok\n");
	EXPECT_EQ(controlled.command("findings"), "");
}

TEST(Asked, AnswersWhatIsWhole)
{
	const std::string folder = testing::TempDir() + "asked";
	std::filesystem::remove_all(folder);
	std::filesystem::create_directory(folder);
	std::string heard;
	cx::Asked asked(folder, [&heard](const std::string &command) {
		heard += command + ';';
		return "to " + command;
	});
	asked.poll();
	std::ofstream(folder + "/ask") << "1 one\n2 tw";
	asked.poll();
	asked.poll();
	EXPECT_EQ(heard, "one;");
	EXPECT_EQ(text_of(folder + "/answer.1"), "to one");
	std::ofstream(folder + "/ask", std::ios::app) << "o\n../3 three\n4\n";
	asked.poll();
	EXPECT_EQ(heard, "one;two;;");
	EXPECT_EQ(text_of(folder + "/answer.2"), "to two");
	cx::Asked nobody("", [](const std::string &) { return ""; });
	nobody.poll();
}

} // namespace
