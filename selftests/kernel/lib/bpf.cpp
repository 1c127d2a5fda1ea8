// SPDX-License-Identifier: Apache-2.0
#include "bpf.hpp"

#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <linux/if_link.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

#include "test.hpp"

namespace bpf {

namespace {

int call(bpf_cmd command, bpf_attr &attributes)
{
	auto result = static_cast<int>(syscall(SYS_bpf, command, &attributes, sizeof(attributes)));
	if (result < 0)
		throw test::Skip("no BPF of that kind: " + test::errno_name(errno));
	return result;
}

Fd load(bpf_insn *program, size_t length, bpf_prog_type type, bpf_attach_type attach)
{
	bpf_attr load{};
	load.prog_type = type;
	load.expected_attach_type = attach;
	load.insns = reinterpret_cast<uintptr_t>(program);
	load.insn_cnt = static_cast<uint32_t>(length);
	load.license = reinterpret_cast<uintptr_t>("GPL");
	return Fd(call(BPF_PROG_LOAD, load));
}

bpf_insn set_register(uint8_t number, uint32_t value)
{
	bpf_insn out{};
	out.code = BPF_ALU64 | BPF_MOV | BPF_K;
	out.dst_reg = number & 15;
	out.imm = static_cast<int32_t>(value);
	return out;
}

/// Of the context, whose address is in register 1.
bpf_insn store_in_context(size_t offset, uint8_t from)
{
	bpf_insn out{};
	out.code = BPF_STX | BPF_MEM | BPF_W;
	out.dst_reg = 1;
	out.src_reg = from & 15;
	out.off = static_cast<int16_t>(offset);
	return out;
}

bpf_insn store_on_stack(int16_t offset, uint32_t value)
{
	bpf_insn out{};
	out.code = BPF_ST | BPF_MEM | BPF_W;
	out.dst_reg = BPF_REG_10;
	out.off = offset;
	out.imm = static_cast<int32_t>(value);
	return out;
}

bpf_insn leave()
{
	bpf_insn out{};
	out.code = BPF_JMP | BPF_EXIT;
	return out;
}

} // namespace

Fd returning(int value, bpf_prog_type type, bpf_attach_type attach)
{
	bpf_insn program[] = {set_register(0, static_cast<uint32_t>(value)), leave()};
	return load(program, std::size(program), type, attach);
}

Fd rewriting_ip4(uint32_t ip4, uint16_t port, bpf_attach_type attach)
{
	bpf_insn program[] = {
		set_register(2, htonl(ip4)),
		store_in_context(offsetof(bpf_sock_addr, user_ip4), 2),
		set_register(2, htons(port)),
		store_in_context(offsetof(bpf_sock_addr, user_port), 2),
		set_register(0, 1),
		leave(),
	};
	return load(program, std::size(program), BPF_PROG_TYPE_CGROUP_SOCK_ADDR, attach);
}

Fd rewriting_source4(uint32_t ip4, bpf_attach_type attach)
{
	bpf_insn program[] = {
		set_register(2, htonl(ip4)),
		store_in_context(offsetof(bpf_sock_addr, msg_src_ip4), 2),
		set_register(0, 1),
		leave(),
	};
	return load(program, std::size(program), BPF_PROG_TYPE_CGROUP_SOCK_ADDR, attach);
}

Fd binding_ip4(uint32_t ip4, bpf_attach_type attach, bool agrees)
{
	constexpr int16_t at = -16;
	sockaddr_in name{};
	name.sin_family = AF_INET;
	name.sin_addr.s_addr = htonl(ip4);
	uint32_t words[4];
	static_assert(sizeof(words) == sizeof(name));
	std::memcpy(words, &name, sizeof(name));
	std::vector<bpf_insn> program;
	for (unsigned i = 0; i < std::size(words); i++)
		program.push_back(store_on_stack(static_cast<int16_t>(at + 4 * i), words[i]));
	bpf_insn address{};
	address.code = BPF_ALU64 | BPF_MOV | BPF_X;
	address.dst_reg = 2;
	address.src_reg = BPF_REG_10;
	program.push_back(address);
	bpf_insn down{};
	down.code = BPF_ALU64 | BPF_ADD | BPF_K;
	down.dst_reg = 2;
	down.imm = at;
	program.push_back(down);
	program.push_back(set_register(3, sizeof(name)));
	bpf_insn bind{};
	bind.code = BPF_JMP | BPF_CALL;
	bind.imm = BPF_FUNC_bind;
	program.push_back(bind);
	program.push_back(set_register(0, agrees));
	program.push_back(leave());
	return load(program.data(), program.size(), BPF_PROG_TYPE_CGROUP_SOCK_ADDR, attach);
}

Group::Group(const std::string &name) : path_("/sys/fs/cgroup/" + name)
{
	// Where it is not to be had, set() tells.
	std::ofstream("/sys/fs/cgroup/cgroup.subtree_control") << "+memory";
	if (mkdir(path_.c_str(), 0755) < 0 && errno != EEXIST)
		throw test::Skip("no control groups");
}

Group::~Group() noexcept(false)
{
	// A child that has just ended may still be in it.
	if (!test::eventually([this] { return rmdir(path_.c_str()) == 0; }) &&
	    std::uncaught_exceptions() == 0)
		test::fail(__FILE__, __LINE__, path_ + " stays: " + test::errno_name(errno));
}

void Group::attach(const Fd &program, bpf_attach_type attach) const
{
	attach_to_group(program, path_, attach);
}

void Group::in(const std::function<void()> &run) const
{
	test::Child child([&] {
		set("cgroup.procs", std::to_string(getpid()));
		run();
	});
	child.join();
}

void Group::set(const std::string &file, const std::string &value) const
{
	std::ofstream out(path_ + "/" + file);
	out << value << std::flush;
	if (!out)
		throw test::Skip("no control group with " + file);
}

std::string Group::get(const std::string &file) const
{
	std::ifstream in(path_ + "/" + file);
	return {std::istreambuf_iterator<char>(in), {}};
}

void attach_to_group(const Fd &program, const std::string &path, bpf_attach_type attach)
{
	Fd group(OK(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
	bpf_attr to{};
	to.target_fd = static_cast<uint32_t>(static_cast<int>(group));
	to.attach_bpf_fd = static_cast<uint32_t>(static_cast<int>(program));
	to.attach_type = attach;
	call(BPF_PROG_ATTACH, to);
}

Fd attach_generic_xdp(const Fd &program, const std::string &device)
{
	bpf_attr to{};
	to.link_create.prog_fd = static_cast<uint32_t>(static_cast<int>(program));
	to.link_create.target_ifindex = if_nametoindex(device.c_str());
	to.link_create.attach_type = BPF_XDP;
	to.link_create.flags = XDP_FLAGS_SKB_MODE;
	return Fd(call(BPF_LINK_CREATE, to));
}

} // namespace bpf
