// SPDX-License-Identifier: Apache-2.0
// xdp_pass DEVICE PIN: has a program of XDP pass all that DEVICE receives, until the file PIN
// on a BPF file system is removed. A veth then has each packet in memory of its own, as a
// NIC's driver does, whereas otherwise those of one sender's page lie side by side.
#include <linux/bpf.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <net/if.h>
#include <string>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>

namespace {

int bpf(bpf_cmd what, bpf_attr &how, const char *name)
{
	const long result = ::syscall(SYS_bpf, what, &how, sizeof(how));
	if (result < 0) {
		throw std::system_error(errno, std::generic_category(), name);
	}
	return static_cast<int>(result);
}

std::uint64_t place_of(const void *what)
{
	return reinterpret_cast<std::uintptr_t>(what);
}

void pass_all(const char *device, const char *pin)
{
	// r0 = XDP_PASS; exit
	std::array<bpf_insn, 2> code{};
	code[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
	code[0].imm = XDP_PASS;
	code[1].code = BPF_JMP | BPF_EXIT;
	bpf_attr load{};
	load.prog_type = BPF_PROG_TYPE_XDP;
	load.insns = place_of(code.data());
	load.insn_cnt = code.size();
	load.license = place_of("Apache-2.0");

	bpf_attr link{};
	link.link_create.prog_fd = static_cast<std::uint32_t>(bpf(BPF_PROG_LOAD, load, "program"));
	link.link_create.target_ifindex = ::if_nametoindex(device);
	link.link_create.attach_type = BPF_XDP;
	bpf_attr kept{};
	kept.bpf_fd = static_cast<std::uint32_t>(bpf(BPF_LINK_CREATE, link, device));
	kept.pathname = place_of(pin);
	bpf(BPF_OBJ_PIN, kept, pin);
}

} // namespace

int main(int argc, char **argv)
{
	if (argc != 3 || argv[1][0] == '-') {
		std::cerr << "usage: xdp_pass DEVICE PIN\n";
		return 2;
	}
	try {
		pass_all(argv[1], argv[2]);
	} catch (const std::exception &error) {
		std::cerr << "xdp_pass: " << error.what() << '\n';
		return 1;
	}
	return 0;
}
