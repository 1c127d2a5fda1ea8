// SPDX-License-Identifier: Apache-2.0
// BPF programs that do nothing but return a value. Where the kernel has none, the
// case is skipped.
#pragma once

#include <linux/bpf.h>
#include <string>

#include "fd.hpp"

namespace bpf {

/// A program that returns @a value.
Fd returning(int value, bpf_prog_type type, bpf_attach_type attach);

/// Attaches to the control group at @a path, for as long as that lives.
void attach_to_group(const Fd &program, const std::string &path, bpf_attach_type attach);

/// Attaches to a device of this thread's namespace as generic XDP, for as long as
/// the result lives.
Fd attach_generic_xdp(const Fd &program, const std::string &device);

} // namespace bpf
