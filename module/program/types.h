/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fixed-width types for transport programs. The same typedefs as the kernel's,
 * so that a program compiles inside and outside of it without an include.
 */
#ifndef SDP_PROGRAM_TYPES_H
#define SDP_PROGRAM_TYPES_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed int s32;
typedef signed long long s64;

#endif /* SDP_PROGRAM_TYPES_H */
