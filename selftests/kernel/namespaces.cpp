// SPDX-License-Identifier: Apache-2.0
// What belongs to a network namespace, and what users may see and change of it:
// sysctls and the files in /proc/net/sdp.
#include <fcntl.h>
#include <fstream>
#include <grp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <set>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "lib/proc.hpp"
#include "lib/talk.hpp"
#include "lib/test.hpp"

namespace {

constexpr uid_t nobody = 65534;

/// Runs in @a ns as somebody without capabilities.
void as_nobody(const net::Netns &ns, const std::function<void()> &run)
{
	test::Child child([&] {
		ns.in([&] {
			OK(setgroups(0, nullptr));
			OK(setuid(nobody));
			run();
		});
	});
	child.join();
}

std::vector<std::string> own_lines(const std::string &name)
{
	std::vector<std::string> result;
	FILE *file = fopen(("/proc/thread-self/net/sdp/" + name).c_str(), "r");
	CHECK(file != nullptr);
	char line[4096];
	while (fgets(line, sizeof(line), file))
		result.emplace_back(line);
	fclose(file);
	CHECK(!result.empty());
	result.erase(result.begin());
	return result;
}

bool has_pointer(const std::string &text)
{
	return text.find("ffff8") != std::string::npos ||
	       text.find("ffffffff8") != std::string::npos;
}

struct Range {
	const char *name;
	const char *least;
	const char *most;
	const char *too_small; // nullptr: nothing is
	const char *too_large;
};

constexpr Range ranges[] = {
	{"policy", "0", "2", "-1", "3"},
	{"policy_allowed", "0", "7", "-1", "8"},
	{"max_message", "1024", "268435456", "1023", "268435457"},
	{"rcvbuf", "65536", "268435456", "65535", "268435457"},
	{"sndbuf", "65536", "268435456", "65535", "268435457"},
	{"peer_rpcs", "1", "16777216", "0", "16777217"},
	{"max_peers", "1", "16777216", "0", "16777217"},
	{"user_sessions", "0", "16777216", "-1", "16777217"},
	{"user_orphans", "0", "16777216", "-1", "16777217"},
	{"user_ports", "0", "16777216", "-1", "16777217"},
	{"steer", "0", "1", "-1", "2"},
	{"unsched_bytes", "0", "268435456", "-1", "268435457"},
	{"max_unsched", "0", "268435456", "-1", "268435457"},
	{"window", "1500", "268435456", "1499", "268435457"},
	{"max_incoming", "1500", "268435456", "1499", "268435457"},
	{"grant_quantum", "0", "268435456", "-1", "268435457"},
	{"fifo_share", "0", "1000", "-1", "1001"},
	{"overcommit", "1", "8", "0", "9"},
	{"rekey_s", "1", "86400", "0", "86401"},
	{"resend_us", "1", "60000000", "0", "60000001"},
	{"dead_us", "1", "60000000", "0", "60000001"},
	{"need_ack_us", "1", "60000000", "0", "60000001"},
	{"pace_ns", "0", "10000000", "-1", "10000001"},
	{"prove_addresses", "0", "1", "-1", "2"},
	{"nic_min_bytes", "0", "2147483647", "-1", "2147483648"},
};

std::string sysctl_of(const net::Netns &ns, const std::string &name)
{
	std::string text = ns.read("/proc/sys/net/sdp/" + name);
	while (!text.empty() && text.back() == '\n')
		text.pop_back();
	return text;
}

/// The default value that docs/sysctl.md gives for @a name.
std::string documented(const std::string &name)
{
	const char *data = getenv("SDP_TEST_DATA");
	CHECK(data != nullptr);
	std::ifstream page(std::string(data) + "/../../../docs/sysctl.md");
	for (std::string line; std::getline(page, line);) {
		if (!line.starts_with("| `" + name + "`"))
			continue;
		std::istringstream columns(line);
		std::string column;
		for (int i = 0; i < 5; i++)
			std::getline(columns, column, '|');
		std::erase_if(column, [](char c) { return c < '0' || c > '9'; });
		return column;
	}
	return "not documented";
}

/// A namespace as the library makes them may have been changed for tests.
net::Netns pristine()
{
	net::Netns ns;
	ns.patient(false);
	return ns;
}

} // namespace

SETUP
{
	two_hosts();
}

TEST(sysctl_ranges)
{
	net::Netns ns = pristine();
	net::Netns other = pristine();
	for (const Range &range : ranges) {
		std::string initial = sysctl_of(ns, range.name);
		EQ(range.name + ("=" + initial), range.name + ("=" + documented(range.name)));
		for (const char *value : {range.least, range.most}) {
			CHECK(ns.sysctl(range.name, value));
			EQ(sysctl_of(ns, range.name), value);
		}
		CHECK(!ns.sysctl(range.name, range.too_small));
		CHECK(!ns.sysctl(range.name, range.too_large));
		CHECK(!ns.sysctl(range.name, "many"));
		EQ(sysctl_of(ns, range.name), range.most);
		EQ(sysctl_of(other, range.name), initial);
	}
}

TEST(sysctls_are_documented)
{
	net::Netns ns;
	std::string names;
	CHECK(ns.try_sh("ls /proc/sys/net/sdp | wc -l", &names));
	EQ(std::stoul(names), std::size(ranges));
}

TEST(sysctls_need_capabilities)
{
	as_nobody(hosts->a.ns, [] {
		FAILS(open("/proc/sys/net/sdp/policy", O_WRONLY), EACCES);
		FAILS(open("/proc/sys/net/sdp/rcvbuf", O_WRONLY), EACCES);
	});
}

// User namespaces are refused to who is in a chroot, as the guest's programs may
// be. Climb out of it, and make the same files the root of a mount namespace.
void leave_chroot()
{
	OK(unshare(CLONE_NEWNS));
	Fd files(OK(open("/", O_RDONLY | O_DIRECTORY)));
	OK(chroot("/mnt"));
	OK(fchdir(files));
	for (int i = 0; i < 16; i++)
		OK(chdir(".."));
	OK(chroot("."));
	OK(fchdir(files));
	// Fails where there was no chroot.
	if (!mount(".", "/", nullptr, MS_MOVE, nullptr))
		OK(chroot("."));
	OK(chdir("/"));
}

// A user who makes a namespace of their own is its root, not the machine's.
TEST(limits_of_an_own_namespace)
{
	test::Child child([] {
		leave_chroot();
		OK(setgroups(0, nullptr));
		OK(setuid(nobody));
		OK(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
		OK(unshare(CLONE_NEWUSER | CLONE_NEWNET));
		for (const char *name : {"max_message", "rcvbuf", "sndbuf", "peer_rpcs",
					 "max_peers", "user_sessions", "user_orphans", "steer"})
			FAILS(open(("/proc/sys/net/sdp/" + std::string(name)).c_str(), O_WRONLY),
			      EACCES);
		Fd policy(OK(open("/proc/sys/net/sdp/policy", O_WRONLY)));
		EQ(OK(write(policy, "1", 1)), 1);
		Fd socket(OK(::socket(AF_INET, SOCK_DGRAM, IPPROTO_HOMA)));
		int value = -1;
		socklen_t size = sizeof(value);
		OK(getsockopt(socket, IPPROTO_HOMA, SDP_POLICY, &value, &size));
		EQ(value, SDP_POLICY_SECURE);
	});
	child.join();
}

/// Sessions that can be installed at @a fd, up to @a count.
unsigned install_many(int fd, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		net::Address to = net::Address::of("10.0.0.200", static_cast<uint16_t>(1 + i));
		if (session::add(fd, session::make(SDP_ROLE_CLIENT, to, SDP_CIPHER_AES_128_GCM,
						   session::nonce(fd), session::Nonce{1})) == 0)
			continue;
		EQ(errno, ENOBUFS);
		return i;
	}
	return count;
}

// Root's containers do not take from each other.
TEST(sessions_of_two_namespaces)
{
	PlainSocket one(hosts->a.ns, AF_INET);
	PlainSocket other(hosts->b.ns, AF_INET);
	CHECK(hosts->a.ns.sysctl("user_sessions", "8"));
	CHECK(hosts->b.ns.sysctl("user_sessions", "8"));
	EQ(install_many(one.fd(), 10), 8);
	EQ(install_many(other.fd(), 10), 8);
	CHECK(hosts->a.ns.sysctl("user_sessions", "4096"));
	CHECK(hosts->b.ns.sysctl("user_sessions", "4096"));
	EQ(install_many(one.fd(), 10), 10);
}

using Hold = std::function<void()>;

/// A process in user and network namespaces of its own, which nobody, as the machine
/// knows them, has made; it does @a work as one of the users there, which tells how much was
/// @a possible. With @a at the network namespace is that.
class Container {
public:
	using Work = std::function<unsigned(const Hold &hold)>;
	explicit Container(uid_t uid, unsigned possible, const Work &work,
			   const net::Netns *at = nullptr)
		: child_([=, this] {
			  leave_chroot();
			  if (at)
				  at->in([&] { run(uid, possible, work, 0); });
			  else
				  run(uid, possible, work, CLONE_NEWNET);
		  })
	{
		wait(up_);
		std::ofstream map("/proc/" + std::to_string(child_.pid()) + "/uid_map");
		map << "0 100000 10" << std::flush;
		CHECK(map.good());
		tell(down_);
		wait(up_);
	}
	void leave()
	{
		tell(down_);
		child_.join();
	}

private:
	struct Pipe {
		Pipe() { OK(pipe(ends)); }
		~Pipe()
		{
			close(ends[0]);
			close(ends[1]);
		}
		Pipe(const Pipe &) = delete;
		int ends[2];
	};
	static void tell(const Pipe &to) { EQ(write(to.ends[1], "x", 1), 1); }
	static void wait(const Pipe &from)
	{
		char byte;
		EQ(read(from.ends[0], &byte, 1), 1);
	}
	void run(uid_t uid, unsigned possible, const Work &work, int also)
	{
		OK(seteuid(nobody));
		OK(unshare(CLONE_NEWUSER | also));
		tell(up_);
		wait(down_);
		OK(setresuid(uid, uid, uid));
		EQ(work([this] {
			   tell(up_);
			   wait(down_);
		   }),
		   possible);
	}

	Pipe up_;
	Pipe down_;
	test::Child child_;
};

void set_machines_sessions(const char *value)
{
	std::ofstream file("/proc/sys/net/sdp/user_sessions");
	file << value << std::flush;
	CHECK(file.good());
}

// A user's containers have together what the user may have, whoever uses them.
TEST(sessions_of_a_users_namespaces)
{
	set_machines_sessions("8");
	{
		const auto install = [](const Hold &hold) {
			Fd fd(OK(socket(AF_INET, SOCK_DGRAM, IPPROTO_HOMA)));
			unsigned installed = install_many(fd, 5);
			hold();
			return installed;
		};
		Container one(1, 5, install);
		Container other(2, 3, install);
		one.leave();
		other.leave();
	}
	set_machines_sessions("4096");
}

/// Sockets of nobody's in a.ns that could have a port, of @a count that tried: every second one
/// an assigned one. They are open until @a then returns.
unsigned have_ports(
	unsigned count, const Hold &then = [] {}, unsigned first = 5000)
{
	std::vector<Fd> sockets;
	unsigned have = 0;
	for (unsigned i = 0; i < count; i++) {
		sockets.emplace_back(OK(socket(AF_INET, SOCK_DGRAM, IPPROTO_HOMA)));
		net::Address at = net::Address::of("0.0.0.0", static_cast<uint16_t>(first + i));
		net::Address to = net::Address::of("10.0.0.2", 4000);
		int err =
			i % 2 ? bind(sockets.back(), at.raw(), at.length)
			      : (sendto(sockets.back(), "x", 1, 0, to.raw(), to.length) == 1 ? 0
											     : -1);
		if (!err)
			have++;
		else
			EQ(errno, EDQUOT);
	}
	then();
	return have;
}

// A user leaves ports to others, whichever they are, and root has what it wants.
TEST(ports_of_a_user)
{
	net::Netns &ns = hosts->a.ns;
	CHECK(ns.sysctl("user_ports", "8"));
	as_nobody(ns, [] {
		EQ(have_ports(12, [] { EQ(have_ports(2), 0); }), 8);
		// Given back.
		EQ(have_ports(12), 8);
	});
	test::Child holder([&] {
		ns.in([&] {
			OK(setgroups(0, nullptr));
			OK(setuid(nobody - 1));
			EQ(have_ports(9), 8);
		});
	});
	holder.join();
	std::vector<PlainSocket> roots;
	for (unsigned i = 0; i < 20; i++) {
		roots.emplace_back(ns, AF_INET);
		OK(net::bind_to(roots.back().fd(),
				net::Address::of("0.0.0.0", static_cast<uint16_t>(6000 + i))));
	}
	// In another namespace, another count.
	as_nobody(hosts->b.ns, [] { EQ(have_ports(12), 12); });
	CHECK(ns.sysctl("user_ports", "0"));
	as_nobody(ns, [] { EQ(have_ports(2), 0); });
	CHECK(ns.sysctl("user_ports", "16384"));
}

// Whoever makes user namespaces, to be other users there, has no more ports by it.
TEST(ports_of_a_users_users)
{
	CHECK(hosts->a.ns.sysctl("user_ports", "8"));
	{
		Container one(
			1, 5, [](const Hold &hold) { return have_ports(5, hold, 5000); },
			&hosts->a.ns);
		Container other(
			2, 3, [](const Hold &hold) { return have_ports(5, hold, 5100); },
			&hosts->a.ns);
		// The same user, without any.
		as_nobody(hosts->a.ns, [] { EQ(have_ports(2), 0); });
		one.leave();
		other.leave();
	}
	as_nobody(hosts->a.ns, [] { EQ(have_ports(9), 8); });
	CHECK(hosts->a.ns.sysctl("user_ports", "16384"));
}

constexpr const char *host_peers = "/sys/module/sdp/parameters/host_peers";

void set_host_peers(const std::string &value)
{
	std::ofstream file(host_peers);
	file << value << std::flush;
	CHECK(file.good());
}

/// Sends requests to @a count peers whose addresses begin with @a prefix; how many
/// were possible.
unsigned call_many(int fd, const std::string &prefix, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		net::Address to = net::Address::of(prefix + std::to_string(1 + i), 4000);
		if (sendto(fd, "x", 1, 0, to.raw(), to.length) == 1)
			continue;
		EQ(errno, ENOBUFS);
		return i;
	}
	return count;
}

// Peers of all namespaces have a bound too, and users' own get half of it.
TEST(peers_of_all_namespaces)
{
	std::string before;
	std::ifstream(host_peers) >> before;
	CHECK(std::stoul(before) > 1000);
	set_host_peers("120");
	int ready[2];
	int done[2];
	OK(pipe(ready));
	OK(pipe(done));
	test::Child child([&] {
		leave_chroot();
		OK(setgroups(0, nullptr));
		OK(setuid(nobody));
		OK(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
		OK(unshare(CLONE_NEWUSER | CLONE_NEWNET));
		Fd socket(OK(::socket(AF_INET, SOCK_DGRAM, IPPROTO_HOMA)));
		ifreq loopback{};
		strcpy(loopback.ifr_name, "lo");
		loopback.ifr_flags = IFF_UP;
		OK(ioctl(socket, SIOCSIFFLAGS, &loopback));
		unsigned possible = call_many(socket, "127.0.1.", 100);
		test::note("of a user's: " + std::to_string(possible));
		CHECK(possible > 40 && possible <= 60);
		OK(write(ready[1], "x", 1));
		char byte = 0;
		OK(read(done[0], &byte, 1));
	});
	close(ready[1]);
	char byte = 0;
	bool alive = read(ready[0], &byte, 1) == 1;
	PlainSocket client(hosts->a.ns, AF_INET);
	proc::Counters counters(hosts->a.ns);
	unsigned possible = call_many(client.fd(), "10.0.0.", 100);
	set_host_peers(before);
	OK(write(done[1], "x", 1));
	child.join();
	CHECK(alive);
	CHECK(possible >= 40 && possible < 100);
	CHECK(counters.moved("host_full") > 0);
	OK(client.abort(0, 0, 0));
}

TEST(dumps_show_what_is_there)
{
	PlainTalk talk;
	make_secure(talk);
	talk.client.request(talk.to, pattern(1000));
	PlainMessage request = talk.server.expect();
	auto sockets = proc::lines(hosts->a.ns, "sockets");
	auto rpcs = proc::lines(hosts->a.ns, "rpcs");
	auto sessions = proc::lines(hosts->a.ns, "sessions");
	EQ(sockets.size(), 1);
	EQ(rpcs.size(), 1);
	EQ(sessions.size(), 1);
	CHECK(sockets[0].find("secure client rpcs=1") != std::string::npos);
	CHECK(sockets[0].find(":" + std::to_string(talk.client.port())) != std::string::npos);
	CHECK(rpcs[0].find("client " + std::to_string(talk.client.port()) + " 10.0.0.2:4000") !=
	      std::string::npos);
	CHECK(rpcs[0].find("session=") != std::string::npos);
	CHECK(rpcs[0].find(" local=10.0.0.1:" + std::to_string(talk.client.port())) !=
	      std::string::npos);
	CHECK(sessions[0].find("10.0.0.2:4000") != std::string::npos);
	CHECK(sessions[0].find("0x1301") != std::string::npos);
	for (const auto &text : {sockets[0], rpcs[0], sessions[0]})
		CHECK(!has_pointer(text));
	CHECK(proc::lines(hosts->b.ns, "rpcs").at(0).find("server") != std::string::npos);
	CHECK(proc::lines(hosts->b.ns, "rpcs").at(0).find(" local=10.0.0.2:4000") !=
	      std::string::npos);
	talk.server.reply(request, pattern(10));
	talk.client.expect();
}

TEST(namespaces_are_separate)
{
	net::Netns elsewhere;
	PlainTalk talk;
	make_secure(talk);
	talk.client.request(talk.to, pattern(10));
	talk.server.expect();
	for (const char *name : {"sockets", "rpcs", "sessions"})
		CHECK(proc::lines(elsewhere, name).empty());
	for (const auto &[name, value] : proc::Counters::read(elsewhere))
		EQ(name + "=" + std::to_string(value), name + "=0");
}

TEST(dumps_of_other_users)
{
	PlainTalk talk;
	make_secure(talk);
	talk.client.request(talk.to, pattern(10));
	talk.server.expect();
	as_nobody(hosts->a.ns, [] {
		for (const char *name : {"sockets", "rpcs", "sessions"})
			CHECK(own_lines(name).empty());
		Fd own(OK(socket(AF_INET, SOCK_DGRAM, IPPROTO_HOMA)));
		EQ(own_lines("sockets").size(), 1);
		CHECK(own_lines("sockets")[0].starts_with("65534 "));
		CHECK(own_lines("rpcs").empty());
	});
}

TEST(many_sockets_in_a_dump)
{
	constexpr unsigned count = 300;
	std::vector<PlainSocket> sockets;
	sockets.reserve(count);
	for (unsigned i = 0; i < count; i++)
		sockets.emplace_back(hosts->a.ns, i % 2 ? AF_INET : AF_INET6);
	EQ(proc::lines(hosts->a.ns, "sockets").size(), count);
	while (sockets.size() > 100)
		sockets.pop_back();
	EQ(proc::lines(hosts->a.ns, "sockets").size(), 100);
}

/// Reads /proc/net/sdp/@a name of host a up to a page, does @a meanwhile, then reads on.
/// Returns the lines of before and after.
std::pair<std::vector<std::string>, std::vector<std::string>> read_in_two(
	const std::string &name, const std::function<void()> &meanwhile)
{
	std::pair<std::vector<std::string>, std::vector<std::string>> result;
	hosts->a.ns.in([&] {
		Fd file(OK(open(("/proc/thread-self/net/sdp/" + name).c_str(), O_RDONLY)));
		char bytes[4096];
		std::string before(bytes,
				   static_cast<size_t>(OK(read(file, bytes, sizeof(bytes)))));
		CHECK(before.ends_with('\n'));
		meanwhile();
		std::string after;
		while (auto got = OK(read(file, bytes, sizeof(bytes))))
			after.append(bytes, static_cast<size_t>(got));
		std::istringstream first(before), second(after);
		for (std::string line; std::getline(first, line);)
			result.first.push_back(line);
		for (std::string line; std::getline(second, line);)
			result.second.push_back(line);
	});
	result.first.erase(result.first.begin());
	return result;
}

// A dump goes on where it was, and tells what there is when it comes there.
TEST(dumps_go_by_lines)
{
	constexpr unsigned count = 300;
	PlainTalk talk;
	PlainSocket second(hosts->a.ns, AF_INET);
	for (unsigned i = 0; i < count; i++)
		talk.client.request(talk.to, pattern(10));
	for (unsigned i = 0; i < 10; i++)
		second.request(talk.to, pattern(10));
	auto all = proc::lines(hosts->a.ns, "rpcs");
	EQ(all.size(), count + 10);
	auto [before, after] = read_in_two("rpcs", [] {});
	before.insert(before.end(), after.begin(), after.end());
	std::set<std::string> ids;
	for (const auto &line : before)
		ids.insert(line.substr(0, line.find(' ')));
	EQ(before.size(), count + 10);
	EQ(ids.size(), count + 10);
	auto [shown, left] = read_in_two("rpcs", [&] { OK(talk.client.abort(0, 0, 0)); });
	CHECK(!shown.empty() && shown.size() < 100);
	// One had been looked at that did not fit into the page.
	CHECK(left.size() == 10 || left.size() == 11);
	// Those of before the last line, too.
	EQ(proc::lines(hosts->a.ns, "rpcs").size(), 10);
	OK(second.abort(0, 0, 0));

	for (unsigned i = 0; i < 100; i++)
		OK(session::add(second.fd(),
				session::make(SDP_ROLE_CLIENT,
					      net::Address::of("10.0.0.2", uint16_t(i + 1)),
					      SDP_CIPHER_AES_128_GCM, session::nonce(second.fd()),
					      session::Nonce{1})));
	EQ(proc::lines(hosts->a.ns, "sessions").size(), 100);
	auto [told, rest] = read_in_two("sessions", [&] { second.close(); });
	CHECK(!told.empty() && told.size() < 60);
	CHECK(rest.size() <= 1);
}

// Dumps beside sockets that come and go.
TEST(dump_under_load)
{
	PlainTalk talk;
	bool done = false;
	test::Thread reader([&] {
		while (!__atomic_load_n(&done, __ATOMIC_RELAXED)) {
			proc::lines(hosts->a.ns, "sockets");
			proc::lines(hosts->a.ns, "rpcs");
			proc::lines(hosts->b.ns, "rpcs");
		}
	});
	for (int i = 0; i < 100; i++) {
		PlainSocket client(hosts->a.ns, AF_INET);
		for (int j = 0; j < 5; j++)
			client.request(talk.to, pattern(3000));
		// Requests of the one before may still be there.
		while (!client.ready(POLLIN, 1))
			while (talk.server.ready(POLLIN))
				talk.server.echo();
		client.expect();
	}
	__atomic_store_n(&done, true, __ATOMIC_RELAXED);
	reader.join();
}

TEST(module_stays_while_a_socket_is_open)
{
	PlainSocket socket(hosts->a.ns, AF_INET);
	std::string output;
	CHECK(!hosts->a.ns.try_sh("rmmod sdp", &output));
	CHECK(output.find("in use") != std::string::npos);
}
