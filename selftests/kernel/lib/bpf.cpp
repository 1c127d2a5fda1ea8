// SPDX-License-Identifier: Apache-2.0
#include "bpf.hpp"

#include <fcntl.h>
#include <iterator>
#include <linux/if_link.h>
#include <net/if.h>
#include <sys/syscall.h>
#include <unistd.h>

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

} // namespace

Fd returning(int value, bpf_prog_type type, bpf_attach_type attach)
{
	bpf_insn program[2] = {};
	program[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
	program[0].imm = value;
	program[1].code = BPF_JMP | BPF_EXIT;
	bpf_attr load{};
	load.prog_type = type;
	load.expected_attach_type = attach;
	load.insns = reinterpret_cast<uintptr_t>(program);
	load.insn_cnt = std::size(program);
	load.license = reinterpret_cast<uintptr_t>("GPL");
	return Fd(call(BPF_PROG_LOAD, load));
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
