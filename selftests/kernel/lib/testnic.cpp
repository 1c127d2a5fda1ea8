// SPDX-License-Identifier: Apache-2.0
#include "testnic.hpp"

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <thread>

#include "mlx5.hpp"
#include "proc.hpp"
#include "test.hpp"

namespace testnic {

namespace {

const std::string folder = "/sys/kernel/debug/sdp_testnic/";

constexpr std::string_view mark = "not to be seen! ";

std::string module_file()
{
	utsname name{};
	uname(&name);
	const char *build = getenv("SDP_BUILD");
	const bool stock = std::string(name.release).find("deb12") != std::string::npos;
	return std::string(build != nullptr ? build : "build") + (stock ? "/amd64" : "/uml") +
	       "/selftests/testnic/sdp_testnic.ko";
}

std::string lines(const net::Host &host, unsigned mtu)
{
	return "link set dev " + host.device + " mtu " + std::to_string(mtu) + " up\naddr add " +
	       host.v4 + "/24 dev " + host.device + "\naddr add " + host.v6 + "/64 dev " +
	       host.device + " nodad";
}

} // namespace

void two_hosts(unsigned mtu)
{
	if (mlx5::present()) {
		mlx5::tell(secret(mark.size()));
		make_hosts(mtu);
		mlx5::adopt(mtu, {"testnic0", "testnic1"});
		return;
	}
	const net::Netns outside;
	outside.sh("mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug; "
		   "[ ! -e /sys/module/sdp_testnic ] || rmmod sdp_testnic; insmod " +
		   module_file());
	::two_hosts(mtu);
	hosts->a.device = "testnic0";
	hosts->b.device = "testnic1";
	hosts->a.ns.ip("link del dev eth0");
	for (const net::Host *host : {&hosts->a, &hosts->b}) {
		if (system(("ip link set dev " + host->device + " netns " + host->ns.path())
				   .c_str()) != 0)
			test::fail(__FILE__, __LINE__, "cannot move " + host->device);
		host->ns.sh("echo 0 >/proc/sys/net/ipv6/conf/" + host->device +
			    "/router_solicitations");
		host->ns.ip(lines(*host, mtu));
	}
}

void set(const std::string &name, uint64_t value)
{
	if (mlx5::present())
		throw test::Skip("the NIC cannot be told: " + name);
	std::ofstream file(folder + name);
	file << value << std::flush;
	if (!file)
		test::fail(__FILE__, __LINE__, "cannot set " + name);
}

std::map<std::string, uint64_t> counters()
{
	if (mlx5::present())
		throw test::Skip("the NIC has other counters");
	std::ifstream file(folder + "counters");
	std::map<std::string, uint64_t> all;
	std::string name;
	for (uint64_t value = 0; file >> name >> value;)
		all[name] = value;
	if (all.empty())
		test::fail(__FILE__, __LINE__, "no counters");
	return all;
}

void appear_again()
{
	for (const uint64_t device : {0U, 2U}) {
		set("vanish", device + 1);
		set("vanish", device);
	}
}

void set_mtu(unsigned mtu)
{
	for (const net::Host *host : {&hosts->a, &hosts->b})
		host->ns.ip("link set dev " + host->device + " mtu " + std::to_string(mtu));
}

void clear()
{
	if (!mlx5::present())
		set("clear", 1);
}

void until(const std::string &what, const std::function<bool()> &done)
{
	for (unsigned tries = 0; tries < test::slow(3000); tries++) {
		if (done())
			return;
		std::this_thread::sleep_for(std::chrono::milliseconds(10));
	}
	test::fail(__FILE__, __LINE__, "in vain: " + what);
}

void clean()
{
	if (mlx5::present()) {
		mlx5::clean();
		return;
	}
	for (const auto &[name, value] : counters())
		if ((name == "leaks" || name == "nonce_reuse" || name.starts_with("misuse")) &&
		    value != 0)
			test::fail(__FILE__, __LINE__, name + " " + std::to_string(value));
}

Bytes secret(size_t length, uint64_t seed)
{
	Bytes bytes(length);
	for (size_t i = 0; i < length; i++)
		bytes[i] = static_cast<uint8_t>(mark[i % mark.size()]);
	// So that no two places of messages are taken for each other.
	for (size_t i = 0; i + 64 <= length; i += 64)
		::set(bytes, i + 48, (seed << 40) + i, 8);
	return bytes;
}

std::string secret_error(View bytes, uint64_t seed)
{
	const Bytes wanted = secret(bytes.size(), seed);
	for (size_t i = 0; i < bytes.size(); i++)
		if (bytes[i] != wanted[i])
			return "byte " + std::to_string(i) + " of " + std::to_string(bytes.size());
	return "";
}

void echo(const PlainTalk &talk, size_t length, uint64_t seed)
{
	talk.client.request(talk.to, secret(length, seed));
	PlainMessage request = talk.server.expect();
	EQ(request.bytes.size(), length);
	EQ(secret_error(request.bytes, seed), "");
	talk.server.reply(request, secret(length, seed + 1));
	PlainMessage response = talk.client.expect();
	EQ(response.bytes.size(), length);
	EQ(secret_error(response.bytes, seed + 1), "");
}

void warm(const PlainTalk &talk, size_t length)
{
	until("the devices seal", [&] {
		const proc::Counters a(hosts->a.ns);
		const proc::Counters b(hosts->b.ns);
		echo(talk, length);
		return a.moved("seal_nic") != 0 && b.moved("seal_nic") != 0;
	});
}

} // namespace testnic
