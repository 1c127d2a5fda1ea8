// SPDX-License-Identifier: GPL-2.0-only
/*
 * Receive regions: sharing of pages, exhaustion, giving back, and offsets of an
 * application that lies.
 */
#include <kunit/test.h>
#include <linux/module.h>

#include "../../../module/socket/pool.c"

#define PAGE HOMA_BPAGE_SIZE

static struct sdp_pool *new_pool(struct kunit *test, u32 pages)
{
	struct sdp_pool *pool = sdp_pool_new(PAGE_SIZE, (u64)pages * PAGE);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pool);
	kunit_add_action(test, (kunit_action_t *)sdp_pool_free, pool);
	return pool;
}

static struct sdp_pages taken(struct kunit *test, struct sdp_pool *pool,
			      u32 length)
{
	struct sdp_pages pages = {};

	KUNIT_ASSERT_EQ(test, 0, sdp_pool_take(pool, length, 0, &pages));
	return pages;
}

static int give_one(struct sdp_pool *pool, u32 offset)
{
	bool wake;

	return sdp_pool_give(pool, &offset, 1, &wake);
}

static int give_all(struct sdp_pool *pool, const struct sdp_pages *pages)
{
	bool wake;

	return sdp_pool_give(pool, pages->offset, pages->count, &wake);
}

static void pool__regions(struct kunit *test)
{
	static const struct {
		const char *what;
		u64 start;
		u64 length;
		int err;
	} cases[] = {
		{ "not aligned", PAGE_SIZE + 1, PAGE, -EINVAL },
		{ "empty", PAGE_SIZE, 0, -EINVAL },
		{ "less than a page", PAGE_SIZE, PAGE - 1, -EINVAL },
		{ "more than 4 GB", PAGE_SIZE, (1ULL << 32) + 1, -EINVAL },
		{ "kernel memory", ~0ULL - 4 * PAGE + 1, PAGE, -EFAULT },
		{ "wraps", ~0ULL - PAGE_SIZE + 1, 2 * PAGE, -EFAULT },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, cases[i].err,
				    PTR_ERR(sdp_pool_new(cases[i].start,
							 cases[i].length)),
				    "%s", cases[i].what);
}

static void pool__part_of_a_page_is_unused(struct kunit *test)
{
	struct sdp_pool *pool = sdp_pool_new(PAGE_SIZE, 3 * PAGE - 1);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pool);
	KUNIT_EXPECT_EQ(test, pool->pages, 2);
	KUNIT_EXPECT_EQ(test, pool->length, 3 * PAGE - 1);
	sdp_pool_free(pool);
}

static void pool__pages_of_a_message(struct kunit *test)
{
	static const struct {
		u32 length;
		u32 count;
		u32 free;
	} cases[] = {
		{ 0, 0, 17 },
		{ 1, 1, 16 },
		{ PAGE - 1, 1, 16 },
		{ PAGE, 1, 16 },
		{ PAGE + 1, 2, 15 },
		{ 2 * PAGE, 2, 15 },
		{ HOMA_MAX_MESSAGE_LENGTH, 16, 1 },
		{ 16 * PAGE, 16, 1 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sdp_pool *pool = new_pool(test, 17);
		struct sdp_pages pages = taken(test, pool, cases[i].length);

		KUNIT_EXPECT_EQ(test, pages.count, cases[i].count);
		KUNIT_EXPECT_EQ(test, pool->free, cases[i].free);
		KUNIT_EXPECT_EQ(test, 0, give_all(pool, &pages));
		KUNIT_EXPECT_EQ(test, sdp_pool_available(pool), 17ULL * PAGE);
	}
}

static void pool__all_but_the_last_page_are_full(struct kunit *test)
{
	struct sdp_pool *pool = new_pool(test, 8);
	struct sdp_pages pages = taken(test, pool, 3 * PAGE + 100);
	struct iovec iov[HOMA_MAX_BPAGES];
	struct iov_iter iter;
	u32 i;

	sdp_pool_map(pool, &pages, iov, &iter);
	KUNIT_EXPECT_EQ(test, iov_iter_count(&iter), 3 * PAGE + 100);
	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_EQ(test, pages.offset[i] % PAGE, 0);
		KUNIT_EXPECT_EQ(test, iov[i].iov_len, i < 3 ? PAGE : 100);
		KUNIT_EXPECT_EQ(test, (unsigned long)iov[i].iov_base,
				PAGE_SIZE + pages.offset[i]);
	}
}

static void pool__ends_share_a_page(struct kunit *test)
{
	struct sdp_pool *pool = new_pool(test, 2);
	struct sdp_pages first = taken(test, pool, 100);
	struct sdp_pages second = taken(test, pool, 200);
	u32 page = first.offset[0] / PAGE;

	KUNIT_EXPECT_EQ(test, second.offset[0] / PAGE, page);
	KUNIT_EXPECT_EQ(test, second.offset[0], first.offset[0] + 128);
	KUNIT_EXPECT_EQ(test, pool->refs[page], 2);
	KUNIT_EXPECT_EQ(test, pool->free, 1);
	/* Any offset in the page gives one of its messages back. */
	KUNIT_EXPECT_EQ(test, 0, give_one(pool, first.offset[0]));
	KUNIT_EXPECT_EQ(test, 0, give_one(pool, first.offset[0]));
	KUNIT_EXPECT_EQ(test, -EINVAL, give_one(pool, first.offset[0]));
	KUNIT_EXPECT_EQ(test, sdp_pool_available(pool), 2 * PAGE);
}

static void pool__an_unused_shared_page_begins_anew(struct kunit *test)
{
	struct sdp_pool *pool = new_pool(test, 1);
	struct sdp_pages pages;
	int i;

	for (i = 0; i < 10; i++) {
		pages = taken(test, pool, PAGE - 1);
		KUNIT_EXPECT_EQ(test, pages.offset[0], 0);
		KUNIT_EXPECT_EQ(test, 0, give_all(pool, &pages));
	}
	/* And is as good as free for a message that needs all of it. */
	pages = taken(test, pool, PAGE);
	KUNIT_EXPECT_EQ(test, pages.offset[0], 0);
}

static void pool__a_full_shared_page_is_left(struct kunit *test)
{
	struct sdp_pool *pool = new_pool(test, 2);
	struct sdp_pages first = taken(test, pool, PAGE - 64);
	struct sdp_pages fits = taken(test, pool, 64);
	struct sdp_pages next = taken(test, pool, 1);
	struct sdp_pages none;

	KUNIT_EXPECT_EQ(test, fits.offset[0], first.offset[0] + PAGE - 64);
	KUNIT_EXPECT_NE(test, next.offset[0] / PAGE, first.offset[0] / PAGE);
	KUNIT_EXPECT_EQ(test, -ENOBUFS, sdp_pool_take(pool, PAGE, 0, &none));
	KUNIT_EXPECT_EQ(test, 0, give_all(pool, &first));
	KUNIT_EXPECT_EQ(test, -ENOBUFS, sdp_pool_take(pool, PAGE, 0, &none));
	KUNIT_EXPECT_EQ(test, 0, give_all(pool, &fits));
	KUNIT_EXPECT_EQ(test, 0, sdp_pool_take(pool, PAGE, 0, &none));
}

static void pool__exhaustion(struct kunit *test)
{
	struct sdp_pool *pool = new_pool(test, 4);
	struct sdp_pages pages = taken(test, pool, 3 * PAGE);
	struct sdp_pages none;
	bool wake;

	KUNIT_EXPECT_EQ(test, -ENOBUFS,
			sdp_pool_take(pool, 2 * PAGE, 3, &none));
	KUNIT_EXPECT_FALSE(test, sdp_pool_fits(pool, PAGE + 1));
	KUNIT_EXPECT_TRUE(test, sdp_pool_fits(pool, PAGE));
	/* In vain until a message more is there, or a page is given back. */
	KUNIT_EXPECT_TRUE(test, sdp_pool_stalled(pool, 3));
	KUNIT_EXPECT_FALSE(test, sdp_pool_stalled(pool, 4));
	/* Two have gone, and one has come. */
	KUNIT_EXPECT_FALSE(test, sdp_pool_stalled(pool, BIT_ULL(32) * 2 + 2));
	sdp_pool_give(pool, pages.offset, 1, &wake);
	KUNIT_EXPECT_TRUE(test, wake);
	KUNIT_EXPECT_FALSE(test, sdp_pool_stalled(pool, 3));
	sdp_pool_give(pool, pages.offset + 1, 1, &wake);
	KUNIT_EXPECT_FALSE(test, wake);
	KUNIT_EXPECT_EQ(test, 0, sdp_pool_take(pool, 2 * PAGE, 3, &none));
}

static void pool__a_take_ends_a_stall(struct kunit *test)
{
	struct sdp_pool *pool = new_pool(test, 2);
	struct sdp_pages none;

	taken(test, pool, PAGE);
	KUNIT_EXPECT_EQ(test, -ENOBUFS,
			sdp_pool_take(pool, 2 * PAGE, 2, &none));
	KUNIT_EXPECT_TRUE(test, sdp_pool_stalled(pool, 2));
	taken(test, pool, 10);
	KUNIT_EXPECT_FALSE(test, sdp_pool_stalled(pool, 1));
}

static void pool__never_fits(struct kunit *test)
{
	struct sdp_pool *small = new_pool(test, 2);
	struct sdp_pool *large = new_pool(test, 40);
	struct sdp_pages none;

	KUNIT_EXPECT_EQ(test, -EMSGSIZE,
			sdp_pool_take(small, 2 * PAGE + 1, 0, &none));
	KUNIT_EXPECT_EQ(test, -EMSGSIZE,
			sdp_pool_take(large, 16 * PAGE + 1, 0, &none));
	KUNIT_EXPECT_EQ(test, -EMSGSIZE,
			sdp_pool_take(large, U32_MAX, 0, &none));
}

static void pool__hostile_offsets(struct kunit *test)
{
	static const u32 offsets[] = {
		0, PAGE - 1, 3 * PAGE, 4 * PAGE, 0x7fffffff, 0x80000000,
		U32_MAX, U32_MAX - PAGE,
	};
	struct sdp_pool *pool = new_pool(test, 4);
	struct sdp_pages pages = taken(test, pool, 2 * PAGE);
	u32 mix[3] = { pages.offset[0], U32_MAX, pages.offset[1] };
	unsigned int i;
	bool wake;

	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		u32 page = offsets[i] / PAGE;

		if (page < 4 && pool->refs[page])
			continue;
		KUNIT_EXPECT_EQ(test, -EINVAL, give_one(pool, offsets[i]));
	}
	KUNIT_EXPECT_EQ(test, pool->free, 2);
	/* A bad one among good ones: these are taken back even so. */
	KUNIT_EXPECT_EQ(test, -EINVAL, sdp_pool_give(pool, mix, 3, &wake));
	KUNIT_EXPECT_EQ(test, pool->free, 4);
	KUNIT_EXPECT_EQ(test, -EINVAL, give_one(pool, pages.offset[0]));
	KUNIT_EXPECT_EQ(test, pool->free, 4);
}

/* Many takes and gives of all sizes: pages neither vanish nor overlap. */
static void pool__random_use(struct kunit *test)
{
	struct sdp_pool *pool = new_pool(test, 24);
	struct sdp_pages *held = kunit_kcalloc(test, 32, sizeof(*held),
					       GFP_KERNEL);
	u32 seed = 1, step;

	KUNIT_ASSERT_NOT_NULL(test, held);
	for (step = 0; step < 20000; step++) {
		struct sdp_pages *one;

		seed = seed * 1103515245 + 12345;
		one = &held[(seed >> 8) % 32];
		if (one->count) {
			KUNIT_ASSERT_EQ(test, 0, give_all(pool, one));
			one->count = 0;
			continue;
		}
		if (sdp_pool_take(pool, (seed >> 13) % (5 * PAGE), 0, one))
			one->count = 0;
	}
	for (step = 0; step < 32; step++)
		if (held[step].count)
			KUNIT_ASSERT_EQ(test, 0, give_all(pool, &held[step]));
	KUNIT_EXPECT_EQ(test, sdp_pool_available(pool), 24ULL * PAGE);
}

static struct kunit_case pool_cases[] = {
	KUNIT_CASE(pool__regions),
	KUNIT_CASE(pool__part_of_a_page_is_unused),
	KUNIT_CASE(pool__pages_of_a_message),
	KUNIT_CASE(pool__all_but_the_last_page_are_full),
	KUNIT_CASE(pool__ends_share_a_page),
	KUNIT_CASE(pool__an_unused_shared_page_begins_anew),
	KUNIT_CASE(pool__a_full_shared_page_is_left),
	KUNIT_CASE(pool__exhaustion),
	KUNIT_CASE(pool__a_take_ends_a_stall),
	KUNIT_CASE(pool__never_fits),
	KUNIT_CASE(pool__hostile_offsets),
	KUNIT_CASE(pool__random_use),
	{}
};

static struct kunit_suite pool_suite = {
	.name = "sdp_socket_pool",
	.test_cases = pool_cases,
};

kunit_test_suite(pool_suite);

MODULE_DESCRIPTION("KUnit tests of SDP's receive regions");
MODULE_LICENSE("GPL");
