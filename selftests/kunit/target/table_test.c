// SPDX-License-Identifier: GPL-2.0-only
/* Tables: one object per key, and eviction of what nobody uses. */
#include <kunit/test.h>
#include <linux/module.h>

#include "../../../module/target/state/table.c"

#define OBJECTS 200

struct object {
	struct sdp_table_entry entry;
	u64 key;
};

static struct sdp_table table;
static u32 gone;
static atomic_t freed;

static void on_gone(struct sdp_table_entry *entry)
{
	gone++;
}

static void on_free(struct rcu_head *rcu)
{
	atomic_inc(&freed);
	kfree(container_of(rcu, struct object, entry.rcu));
}

/* A reference to the object of a key. */
static struct object *get(struct kunit *test, u64 key)
{
	struct object *object = kzalloc(sizeof(*object), GFP_KERNEL);
	struct sdp_table_entry *entry;

	KUNIT_ASSERT_NOT_NULL(test, object);
	object->key = key;
	entry = sdp_table_add(&table, &object->entry);
	if (entry != &object->entry)
		kfree(object);
	return container_of(entry, struct object, entry);
}

static void finds_what_was_added(struct kunit *test)
{
	u64 key = 7, other = 8;
	struct object *object = get(test, key);

	KUNIT_EXPECT_PTR_EQ(test, get(test, key), object);
	KUNIT_EXPECT_PTR_EQ(test, sdp_table_find(&table, &key), &object->entry);
	KUNIT_EXPECT_NULL(test, sdp_table_find(&table, &other));
	KUNIT_EXPECT_EQ(test, refcount_read(&object->entry.refs), 4);
	sdp_table_put(&object->entry);
	sdp_table_put(&object->entry);
	sdp_table_put(&object->entry);
}

static void evicts_only_what_is_idle(struct kunit *test)
{
	struct object *held = get(test, 0);
	u64 key = 0;
	u32 i;

	for (i = 1; i < OBJECTS; i++)
		sdp_table_put(&get(test, i)->entry);
	KUNIT_EXPECT_EQ(test, sdp_table_evict(&table, 3600 * HZ,
					      SDP_TABLE_BUCKETS, U32_MAX, NULL,
					      NULL), 0);
	KUNIT_EXPECT_EQ(test, sdp_table_evict(&table, 0, SDP_TABLE_BUCKETS, 10,
					      NULL, NULL), 10);
	KUNIT_EXPECT_EQ(test, sdp_table_evict(&table, 0, SDP_TABLE_BUCKETS,
					      U32_MAX, NULL, NULL),
			OBJECTS - 11);
	KUNIT_EXPECT_EQ(test, gone, OBJECTS - 1);
	KUNIT_EXPECT_PTR_EQ(test, sdp_table_find(&table, &key), &held->entry);
	sdp_table_put(&held->entry);
	sdp_table_put(&held->entry);
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&freed), OBJECTS - 1);
}

static bool is_odd(const struct sdp_table_entry *entry, const void *arg)
{
	return container_of(entry, const struct object, entry)->key & 1;
}

static void evicts_what_matches(struct kunit *test)
{
	struct sdp_table_entry *entry;
	u64 i;

	for (i = 0; i < OBJECTS; i++)
		sdp_table_put(&get(test, i)->entry);
	KUNIT_EXPECT_EQ(test, sdp_table_evict(&table, 0, SDP_TABLE_BUCKETS,
					      U32_MAX, is_odd, NULL),
			OBJECTS / 2);
	i = 3;
	KUNIT_EXPECT_NULL(test, sdp_table_find(&table, &i));
	i = 2;
	entry = sdp_table_find(&table, &i);
	KUNIT_ASSERT_NOT_NULL(test, entry);
	sdp_table_put(entry);
}

static bool count_odd(struct sdp_table_entry *entry, const void *arg)
{
	return is_odd(entry, arg);
}

static void visits_all(struct kunit *test)
{
	struct object *held = get(test, 1);
	u32 i, count = 0;

	for (i = 0; i < OBJECTS; i++)
		sdp_table_put(&get(test, i)->entry);
	/* In pieces, each from where the one before ended. */
	for (i = 0; i < 8; i++)
		count += sdp_table_visit(&table, SDP_TABLE_BUCKETS / 8,
					 count_odd, NULL);
	KUNIT_EXPECT_EQ(test, count, OBJECTS / 2);
	KUNIT_EXPECT_EQ(test, gone, 0);
	sdp_table_put(&held->entry);
}

#define MANY (2 * SDP_TABLE_BUCKETS)

static u32 looked;

static bool look(const struct sdp_table_entry *entry, const void *arg)
{
	looked++;
	return false;
}

static bool look_too(struct sdp_table_entry *entry, const void *arg)
{
	return look(entry, arg);
}

/* In softirq: however many there are, and however many of them are of no use. */
static void looks_at_some_only(struct kunit *test)
{
	u32 i, most = 0, before, half = SDP_TABLE_BUCKETS / 2;

	for (i = 0; i < MANY; i++)
		sdp_table_put(&get(test, i)->entry);
	looked = 0;
	for (i = 0; i < MANY / SDP_TABLE_LOOKS; i++) {
		before = looked;
		KUNIT_EXPECT_EQ(test, sdp_table_evict(&table, 0, half, 1, look, NULL), 0);
		most = max(most, looked - before);
	}
	/* But for the rest of a bucket. */
	KUNIT_EXPECT_LT(test, most, SDP_TABLE_LOOKS + 32);
	/* Each from where the one before ended: a whole turn, and some of the next. */
	KUNIT_EXPECT_GE(test, looked, MANY);
	looked = 0;
	sdp_table_visit(&table, half, look_too, NULL);
	KUNIT_EXPECT_LT(test, looked, SDP_TABLE_LOOKS + 32);
	looked = 0;
	sdp_table_evict(&table, 0, SDP_TABLE_BUCKETS, 1, look, NULL);
	KUNIT_EXPECT_EQ(test, looked, MANY);
}

static int begin(struct kunit *test)
{
	gone = 0;
	atomic_set(&freed, 0);
	return sdp_table_init(&table, sizeof(u64), on_free, on_gone);
}

static void end(struct kunit *test)
{
	sdp_table_exit(&table);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(finds_what_was_added),
	KUNIT_CASE(evicts_only_what_is_idle),
	KUNIT_CASE(evicts_what_matches),
	KUNIT_CASE(visits_all),
	KUNIT_CASE(looks_at_some_only),
	{}
};

static struct kunit_suite suite = {
	.name = "sdp_target_table",
	.init = begin,
	.exit = end,
	.test_cases = cases,
};

kunit_test_suite(suite);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit suite of SDP's tables");
