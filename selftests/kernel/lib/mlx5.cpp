// SPDX-License-Identifier: Apache-2.0
#include "mlx5.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <unistd.h>

#include "fd.hpp"
#include "talk.hpp"
#include "test.hpp"
#include "testnic.hpp"

namespace mlx5 {

namespace {

namespace fs = std::filesystem;

const fs::path driver = "/sys/bus/pci/drivers/mlx5_core";

std::string folder()
{
	const char *text = getenv("SDP_NIC");
	return text == nullptr ? "" : text;
}

void append(const std::string &file, const std::string &line)
{
	const Fd fd(OK(open((folder() + '/' + file).c_str(),
			    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644)));
	EQ(write(fd, line.data(), line.size()), line.size());
}

/// The net device of a function, if it is in the initial namespace.
std::optional<std::string> device_of(const std::string &function)
{
	std::error_code none;
	for (const auto &entry : fs::directory_iterator(driver / function / "net", none))
		return entry.path().filename();
	return std::nullopt;
}

std::string lines(const net::Host &host, unsigned mtu)
{
	std::string out = "link set dev " + host.device + " mtu " + std::to_string(mtu) +
			  " up\naddr replace " + host.v4 + "/24 dev " + host.device;
	if (mtu >= 1280)
		out += "\naddr replace " + host.v6 + "/64 dev " + host.device + " nodad";
	return out;
}

bool has_carrier(const net::Host &host)
{
	return host.ns.try_sh("ip -o link show dev " + host.device + " | grep -q LOWER_UP");
}

std::string hex(const uint8_t *bytes, size_t length)
{
	return test::show(std::vector<uint8_t>(bytes, bytes + length));
}

} // namespace

bool present()
{
	return !folder().empty();
}

void two_hosts()
{
	if (!present())
		throw test::Failure("needs the modelled NIC: see selftests/connectx/run");
	testnic::two_hosts();
}

std::vector<std::string> functions()
{
	std::vector<std::string> out;
	std::error_code none;
	for (const auto &entry : fs::directory_iterator(driver, none)) {
		const std::string name = entry.path().filename();
		if (name.starts_with("0000:"))
			out.push_back(name);
	}
	std::ranges::sort(out);
	return out;
}

namespace {

/// Function @a index goes to a host, as its device.
void give(size_t index, const net::Host &host, unsigned mtu)
{
	std::optional<std::string> device;
	// Devices of namespaces that have ended come back when these are freed.
	EVENTUALLY(functions().size() > index && (device = device_of(functions()[index])));
	const std::string move = "ip link set dev " + *device + " down; ip link set dev " +
				 *device + " netns " + host.ns.path();
	if (system(move.c_str()) != 0)
		test::fail(__FILE__, __LINE__, "cannot move " + *device);
	host.ns.ip("link set dev " + *device + " name " + host.device);
	host.ns.sh("echo 0 >/proc/sys/net/ipv6/conf/" + host.device + "/router_solicitations");
	host.ns.ip(lines(host, mtu));
}

void wait_for_carrier()
{
	EVENTUALLY(has_carrier(hosts->a) && has_carrier(hosts->b));
}

} // namespace

void adopt(unsigned mtu, const std::vector<std::string> &names)
{
	hosts->a.ns.ip("link del dev " + hosts->a.device);
	hosts->a.device = names[0];
	hosts->b.device = names[1];
	give(0, hosts->a, mtu);
	give(1, hosts->b, mtu);
	wait_for_carrier();
}

void adopt_again(unsigned mtu)
{
	const net::Host *both[] = {&hosts->a, &hosts->b};
	for (size_t i = 0; i < 2; i++)
		if (!both[i]->ns.try_sh("ip link show dev " + both[i]->device))
			give(i, *both[i], mtu);
	wait_for_carrier();
}

std::string ask(const std::string &command)
{
	static std::atomic<uint64_t> count = 0;
	const std::string number = std::to_string(getpid()) + std::to_string(10000 + count++);
	append("ask", number + ' ' + command + '\n');
	const std::string file = folder() + "/answer." + number;
	std::string answer;
	EVENTUALLY(fs::exists(file));
	std::ifstream in(file);
	answer.assign(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
	fs::remove(file);
	if (answer.starts_with("error: "))
		test::fail(__FILE__, __LINE__, answer);
	return answer;
}

std::map<std::string, uint64_t> counters()
{
	std::istringstream in(ask("report"));
	std::map<std::string, uint64_t> all;
	std::string name;
	for (uint64_t value = 0; in >> name >> value;)
		all[name] = value;
	return all;
}

uint64_t Moved::operator()(const std::string &name) const
{
	uint64_t sum = 0;
	bool known = false;
	for (const auto &[key, value] : counters()) {
		if (key != name && key != "nic0_" + name && key != "nic1_" + name)
			continue;
		const auto old = before_.find(key);
		sum += value - (old == before_.end() ? 0 : old->second);
		known = true;
	}
	if (!known)
		test::fail(__FILE__, __LINE__, "the model has no counter " + name);
	return sum;
}

void clean()
{
	const std::string found = ask("findings");
	if (!found.empty())
		test::fail(__FILE__, __LINE__, "the model found:\n" + found);
}

uint64_t statistic(const net::Host &host, const std::string &name)
{
	std::string text;
	if (!host.ns.try_sh("ethtool -S " + host.device, &text))
		test::fail(__FILE__, __LINE__, text);
	std::istringstream in(text);
	for (std::string line; std::getline(in, line);) {
		const size_t at = line.find(name + ": ");
		if (at != std::string::npos && (at == 0 || line[at - 1] == ' '))
			return std::stoull(line.substr(at + name.size() + 2));
	}
	return 0;
}

void tell(const sdp_session_add &half)
{
	if (!present())
		return;
	const bool client = half.role == SDP_ROLE_CLIENT;
	const uint8_t *of_client = client ? half.own_nonce : half.peer_nonce;
	const uint8_t *of_server = client ? half.peer_nonce : half.own_nonce;
	append("keys", "session " + hex(half.secret, sizeof(half.secret)) + ' ' +
			       hex(half.context, sizeof(half.context)) + ' ' +
			       hex(of_client, SDP_NONCE_LEN) + ' ' + hex(of_server, SDP_NONCE_LEN) +
			       ' ' + std::to_string(half.cipher) + ' ' +
			       std::to_string(half.record_size) + '\n');
}

void tell(View plaintext)
{
	if (present())
		append("keys", "plaintext " + hex(plaintext.data(), plaintext.size()) + '\n');
}

} // namespace mlx5
