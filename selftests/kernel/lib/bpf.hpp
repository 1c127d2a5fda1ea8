// SPDX-License-Identifier: Apache-2.0
// BPF programs that do nothing but return a value. Where the kernel has none, the
// case is skipped.
#pragma once

#include <functional>
#include <linux/bpf.h>
#include <string>

#include "fd.hpp"

namespace bpf {

/// A program that returns @a value.
Fd returning(int value, bpf_prog_type type, bpf_attach_type attach);

/// A program for addresses, of @a attach's kind, that puts @a ip4 and @a port, both in host
/// byte order, in the place of what it sees, and agrees.
Fd rewriting_ip4(uint32_t ip4, uint16_t port, bpf_attach_type attach);
/// The same for the address that a message leaves from.
Fd rewriting_source4(uint32_t ip4, bpf_attach_type attach);
/// A program for connect() that binds the socket to @a ip4, host byte order, as far as it
/// can be, and agrees if @a agrees.
Fd binding_ip4(uint32_t ip4, bpf_attach_type attach, bool agrees = true);

/// A control group that processes can join. The namespace of a socket is not its matter,
/// but when it was made: by a process in it.
class Group {
public:
	/// Throws test::Skip where there are none.
	explicit Group(const std::string &name);
	/// Fails the case when the group cannot be removed.
	~Group() noexcept(false);
	Group(const Group &) = delete;
	Group &operator=(const Group &) = delete;

	void attach(const Fd &program, bpf_attach_type attach) const;
	/// Runs @a run in a child that is in the group; its failure is ours.
	void in(const std::function<void()> &run) const;
	/// Writes a control file, or throws.
	void set(const std::string &file, const std::string &value) const;
	[[nodiscard]] std::string get(const std::string &file) const;

private:
	std::string path_;
};

/// Attaches to the control group at @a path, for as long as that lives.
void attach_to_group(const Fd &program, const std::string &path, bpf_attach_type attach);

/// Attaches to a device of this thread's namespace as generic XDP, for as long as
/// the result lives.
Fd attach_generic_xdp(const Fd &program, const std::string &device);

} // namespace bpf
