// SPDX-License-Identifier: GPL-2.0-only
/*
 * Structures with a size field: older, newer and wrong ones.
 */
#include <kunit/test.h>
#include <linux/module.h>

#include "../../../module/socket/argument.c"

#define KNOWN 24
#define LEAST 16

/* Bytes of an argument: its size field, then 1, 2, 3, ... */
static void fill(u8 *bytes, u32 size, size_t room)
{
	size_t i;

	for (i = 0; i < room; i++)
		bytes[i] = i;
	memcpy(bytes, &size, sizeof(size));
}

static void argument__sizes(struct kunit *test)
{
	static const struct {
		const char *what;
		u32 size;
		size_t len;
		int err;
	} cases[] = {
		{ "no room for a size", 4, 3, -EINVAL },
		{ "nothing", 0, 0, -EINVAL },
		{ "size zero", 0, KNOWN, -EINVAL },
		{ "shorter than the first version", LEAST - 1, KNOWN, -EINVAL },
		{ "the first version", LEAST, LEAST, 0 },
		{ "the first version in a larger buffer", LEAST, KNOWN, 0 },
		{ "this version", KNOWN, KNOWN, 0 },
		{ "longer than the buffer", KNOWN + 1, KNOWN, -EINVAL },
		{ "much longer than the buffer", U32_MAX, KNOWN, -EINVAL },
		{ "a newer version that uses its new fields", KNOWN + 8,
		  KNOWN + 8, -E2BIG },
	};
	u8 from[KNOWN + 8], to[KNOWN];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		fill(from, cases[i].size, sizeof(from));
		KUNIT_EXPECT_EQ_MSG(test, cases[i].err,
				    sdp_options_copy(to, KNOWN, LEAST,
						     KERNEL_SOCKPTR(from),
						     cases[i].len),
				    "%s", cases[i].what);
	}
}

static void argument__newer_with_zero_tail(struct kunit *test)
{
	u8 from[KNOWN + 8], to[KNOWN];

	fill(from, sizeof(from), sizeof(from));
	memset(from + KNOWN, 0, 8);
	KUNIT_EXPECT_EQ(test, 0,
			sdp_options_copy(to, KNOWN, LEAST,
					 KERNEL_SOCKPTR(from), sizeof(from)));
	KUNIT_EXPECT_EQ(test, *(u32 *)to, KNOWN);
	KUNIT_EXPECT_MEMEQ(test, to + 4, from + 4, KNOWN - 4);
	from[KNOWN + 7] = 1;
	KUNIT_EXPECT_EQ(test, -E2BIG,
			sdp_options_copy(to, KNOWN, LEAST,
					 KERNEL_SOCKPTR(from), sizeof(from)));
}

static void argument__older_is_filled_up(struct kunit *test)
{
	static const u8 zeros[KNOWN - LEAST];
	u8 from[KNOWN], to[KNOWN];

	fill(from, LEAST, sizeof(from));
	memset(to, 0xa5, sizeof(to));
	KUNIT_EXPECT_EQ(test, 0,
			sdp_options_copy(to, KNOWN, LEAST,
					 KERNEL_SOCKPTR(from), sizeof(from)));
	KUNIT_EXPECT_EQ(test, *(u32 *)to, LEAST);
	KUNIT_EXPECT_MEMEQ(test, to + 4, from + 4, LEAST - 4);
	KUNIT_EXPECT_MEMEQ(test, to + LEAST, zeros, sizeof(zeros));
}

static struct kunit_case argument_cases[] = {
	KUNIT_CASE(argument__sizes),
	KUNIT_CASE(argument__newer_with_zero_tail),
	KUNIT_CASE(argument__older_is_filled_up),
	{}
};

static struct kunit_suite argument_suite = {
	.name = "sdp_socket_argument",
	.test_cases = argument_cases,
};

kunit_test_suite(argument_suite);

MODULE_DESCRIPTION("KUnit tests of SDP's extensible structures");
MODULE_LICENSE("GPL");
