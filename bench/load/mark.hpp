// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * Marks for the profiler (profile/plugin.c): instructions that do nothing, with
 * a number that the plugin finds in them.
 */
#ifndef BENCH_MARK_HPP
#define BENCH_MARK_HPP

namespace bench {

// nopl 0x31504453(%rax): "SDP1"; and "SDP2".
inline void mark_start()
{
	asm volatile(".byte 0x0f, 0x1f, 0x80, 'S', 'D', 'P', '1'" ::: "memory");
}
inline void mark_stop()
{
	asm volatile(".byte 0x0f, 0x1f, 0x80, 'S', 'D', 'P', '2'" ::: "memory");
}

} // namespace bench

#endif
