// SPDX-License-Identifier: Apache-2.0
// What the tool's doctor thinks of machines: text as kernels, nft and iptables wrote it.
#include "checks.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace {

using tool::verdict;

struct release_case {
	const char *release;
	verdict how;
};

TEST(doctor, kernels)
{
	for (const auto &each :
	     {release_case{"6.12.57+deb12-amd64", verdict::good},
	      release_case{"6.12", verdict::good}, release_case{"7.0.1", verdict::good},
	      release_case{"10.2", verdict::good}, release_case{"6.1.0-30-amd64", verdict::bad},
	      release_case{"6.9.12", verdict::bad}, release_case{"5.15.0", verdict::bad},
	      release_case{"", verdict::bad}}) {
		EXPECT_EQ(tool::check_kernel(each.release).how, each.how) << each.release;
	}
}

TEST(doctor, modules)
{
	tool::module_state state{.error = 0,
				 .version = "0.1",
				 .interface = 2,
				 .wanted = 2,
				 .installed = true,
				 .release = "6.12.1"};
	EXPECT_EQ(tool::check_module(state).how, verdict::good);
	state.interface = 3;
	EXPECT_EQ(tool::check_module(state).how, verdict::good);
	state.interface = 1;
	EXPECT_EQ(tool::check_module(state).how, verdict::bad);
	EXPECT_NE(tool::check_module(state).said.find("needs interface 2"), std::string::npos);
	state.error = EPROTONOSUPPORT;
	EXPECT_NE(tool::check_module(state).said.find("does not load"), std::string::npos);
	state.installed = false;
	EXPECT_NE(tool::check_module(state).mend.find("linux-headers-6.12.1"), std::string::npos);
	state.error = EAFNOSUPPORT;
	EXPECT_EQ(tool::check_module(state).how, verdict::bad);
}

constexpr const char *crypto_fast = "name         : gcm(aes)\n"
				    "driver       : gcm_base(ctr(aes-generic),ghash-generic)\n"
				    "module       : gcm\n"
				    "priority     : 100\n"
				    "\n"
				    "name         : gcm(aes)\n"
				    "driver       : generic-gcm-aesni\n"
				    "module       : aesni_intel\n"
				    "priority     : 400\n"
				    "\n"
				    "name         : rfc7539(chacha20,poly1305)\n"
				    "driver       : rfc7539(chacha20-generic,poly1305-generic)\n"
				    "priority     : 100\n";
constexpr const char *crypto_slow = "name         : gcm(aes)\n"
				    "driver       : gcm_base(ctr(aes-generic),ghash-generic)\n"
				    "priority     : 100\n";
constexpr const char *with_aes = "processor : 0\nflags\t\t: fpu sse2 aes avx\n";
constexpr const char *without_aes = "processor : 0\nflags\t\t: fpu sse2\n";

TEST(doctor, drivers_of_ciphers)
{
	EXPECT_EQ(tool::best_driver(crypto_fast, "gcm(aes)"), "generic-gcm-aesni");
	EXPECT_EQ(tool::best_driver(crypto_fast, "none"), "");
	const auto fast = tool::check_ciphers(crypto_fast, with_aes);
	EXPECT_EQ(fast[0].how, verdict::good);
	EXPECT_EQ(fast[1].how, verdict::doubtful);
	const auto slow = tool::check_ciphers(crypto_slow, with_aes);
	EXPECT_EQ(slow[0].how, verdict::doubtful);
	EXPECT_EQ(slow[0].mend.substr(0, 20), "modprobe aesni_intel");
	// Where the processor has nothing better, there is nothing to mend.
	EXPECT_EQ(tool::check_ciphers(crypto_slow, without_aes)[0].how, verdict::good);
	// Nothing has used it yet: on x86 the fast form lists itself when it is loaded.
	EXPECT_EQ(tool::check_ciphers("", with_aes)[0].how, verdict::doubtful);
	EXPECT_EQ(tool::check_ciphers("", "Features : fp aes\n")[0].how, verdict::good);
}

TEST(doctor, devices)
{
	const tool::link_state fine{.name = "eth0", .mtu = 1500, .rx_queues = 4, .physical = true};
	EXPECT_EQ(tool::check_link(fine, 4).at(0).how, verdict::good);
	auto link = fine;
	link.segments = false;
	EXPECT_EQ(tool::check_link(link, 4).at(0).mend, "ethtool -K eth0 gso on");
	link = fine;
	link.merges = false;
	EXPECT_EQ(tool::check_link(link, 4).at(0).mend, "ethtool -K eth0 gro on");
	link = fine;
	link.scatter = false;
	EXPECT_EQ(tool::check_link(link, 4).at(0).mend, "ethtool -K eth0 sg on");
	link = fine;
	link.mtu = 1000;
	EXPECT_EQ(tool::check_link(link, 4).at(0).how, verdict::doubtful);
	link = fine;
	link.rx_queues = 1;
	EXPECT_NE(tool::check_link(link, 4).at(0).mend.find("combined 4"), std::string::npos);
	EXPECT_EQ(tool::check_link(link, 1).at(0).how, verdict::good);
	link.spread = true;
	EXPECT_EQ(tool::check_link(link, 4).at(0).how, verdict::good);
}

std::string input_chain(const std::string &policy, const std::string &rules)
{
	return "table inet filter {\n\tchain input {\n"
	       "\t\ttype filter hook input priority filter; policy " +
	       policy + ";\n" + rules + "\t}\n}\n";
}

TEST(doctor, nftables)
{
	const auto how = [](const std::string &rules) { return tool::check_nftables(rules).how; };
	EXPECT_EQ(how(""), verdict::good);
	EXPECT_EQ(how(input_chain("accept", "")), verdict::good);
	EXPECT_EQ(how(input_chain("drop", "\t\ttcp dport 22 accept\n")), verdict::bad);
	EXPECT_EQ(how(input_chain("drop", "\t\tmeta l4proto 146 accept\n")), verdict::good);
	EXPECT_EQ(how(input_chain("drop", "\t\tip protocol { 6, 146 } accept\n")), verdict::good);
	EXPECT_EQ(how(input_chain("drop", "\t\ttcp dport 146 accept\n")), verdict::bad);
	EXPECT_EQ(how(input_chain("accept", "\t\tcounter packets 0 bytes 0 drop\n")), verdict::bad);
	EXPECT_EQ(how(input_chain("accept", "\t\tiif \"lo\" accept\n\t\treject\n")), verdict::bad);
	EXPECT_EQ(how(input_chain("accept", "\t\tip protocol 146 drop\n")), verdict::bad);
	// A rule behind the one that ends everything comes too late.
	EXPECT_EQ(how(input_chain("accept", "\t\tdrop\n\t\tip protocol 146 accept\n")),
		  verdict::bad);
	EXPECT_EQ(how("table ip filter {\n\tchain forward {\n\t\ttype filter hook forward priority "
		      "0; policy drop;\n\t}\n}\n"),
		  verdict::good);
	EXPECT_EQ(tool::check_nftables(input_chain("drop", "")).mend,
		  "nft insert rule inet filter input meta l4proto 146 accept");
}

TEST(doctor, iptables)
{
	const auto how = [](const std::string &rules) {
		return tool::check_iptables("*nat\n:INPUT DROP [0:0]\nCOMMIT\n*filter\n" + rules +
						    "COMMIT\n",
					    "iptables")
			.how;
	};
	EXPECT_EQ(how(":INPUT ACCEPT [0:0]\n"), verdict::good);
	EXPECT_EQ(how(":INPUT DROP [0:0]\n"), verdict::bad);
	EXPECT_EQ(how(":INPUT DROP [0:0]\n-A INPUT -p 146 -j ACCEPT\n"), verdict::good);
	EXPECT_EQ(how(":INPUT ACCEPT [0:0]\n-A INPUT -p 146 -j DROP\n"), verdict::bad);
	EXPECT_EQ(how(":INPUT ACCEPT [0:0]\n-A INPUT -j REJECT --reject-with x\n"), verdict::bad);
	EXPECT_EQ(how(":INPUT ACCEPT [0:0]\n-A INPUT -p tcp -j DROP\n"), verdict::good);
}

TEST(doctor, settings)
{
	const auto how = [](const std::map<std::string, std::uint64_t> &values, bool raw) {
		return tool::check_settings(values, raw).at(0).how;
	};
	EXPECT_EQ(how({{"policy", 1}, {"policy_allowed", 2}}, false), verdict::good);
	EXPECT_EQ(how({{"policy", 0}, {"policy_allowed", 7}}, false), verdict::doubtful);
	EXPECT_EQ(how({}, true), verdict::bad);
	EXPECT_EQ(how({{"rcvbuf", 65536}}, false), verdict::doubtful);
	EXPECT_EQ(how({{"user_sessions", 0}}, false), verdict::bad);
}

TEST(doctor, hints_alone_are_no_failure)
{
	EXPECT_FALSE(
		tool::any_bad({{"a", verdict::good, "", ""}, {"b", verdict::doubtful, "", ""}}));
	EXPECT_TRUE(tool::any_bad({{"a", verdict::good, "", ""}, {"b", verdict::bad, "", ""}}));
}

} // namespace
