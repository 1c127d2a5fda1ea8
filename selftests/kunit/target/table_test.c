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

/* No object is on its way from a table to a larger or smaller one. */
static void settle(void)
{
	while (flush_work(&table.ht.run_work))
		;
}

static u32 evict_all(bool (*match)(const struct sdp_table_entry *entry))
{
	u32 count = 0, more;

	/* While it shrinks, some are not met. */
	do {
		settle();
		more = sdp_table_evict(&table, 0, SDP_TABLE_ALL, U32_MAX, match);
		count += more;
	} while (more);
	return count;
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
	settle();
	KUNIT_EXPECT_EQ(test, sdp_table_evict(&table, 3600 * HZ, SDP_TABLE_ALL,
					      U32_MAX, NULL), 0);
	KUNIT_EXPECT_EQ(test, sdp_table_evict(&table, 0, SDP_TABLE_ALL, 10, NULL), 10);
	KUNIT_EXPECT_EQ(test, evict_all(NULL), OBJECTS - 11);
	KUNIT_EXPECT_EQ(test, gone, OBJECTS - 1);
	KUNIT_EXPECT_PTR_EQ(test, sdp_table_find(&table, &key), &held->entry);
	sdp_table_put(&held->entry);
	sdp_table_put(&held->entry);
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&freed), OBJECTS - 1);
}

static bool is_odd(const struct sdp_table_entry *entry)
{
	return container_of(entry, const struct object, entry)->key & 1;
}

static void evicts_what_matches(struct kunit *test)
{
	struct sdp_table_entry *entry;
	u64 i;

	for (i = 0; i < OBJECTS; i++)
		sdp_table_put(&get(test, i)->entry);
	KUNIT_EXPECT_EQ(test, evict_all(is_odd), OBJECTS / 2);
	i = 3;
	KUNIT_EXPECT_NULL(test, sdp_table_find(&table, &i));
	i = 2;
	entry = sdp_table_find(&table, &i);
	KUNIT_ASSERT_NOT_NULL(test, entry);
	sdp_table_put(entry);
}

static bool count_odd(struct sdp_table_entry *entry)
{
	return is_odd(entry);
}

static void visits_all(struct kunit *test)
{
	struct object *held = get(test, 1);
	u32 i, count = 0;

	for (i = 0; i < OBJECTS; i++)
		sdp_table_put(&get(test, i)->entry);
	settle();
	count = sdp_table_visit(&table, SDP_TABLE_ALL, count_odd);
	KUNIT_EXPECT_EQ(test, count, OBJECTS / 2);
	KUNIT_EXPECT_EQ(test, gone, 0);
	sdp_table_put(&held->entry);
}

#define MANY 8192
#define LOOKS 512

static u32 looked;

static bool look(const struct sdp_table_entry *entry)
{
	looked++;
	return false;
}

static bool look_too(struct sdp_table_entry *entry)
{
	return look(entry);
}

static void get_many(struct kunit *test, u64 from)
{
	u64 i;

	for (i = from; i < from + MANY; i++)
		sdp_table_put(&get(test, i)->entry);
}

/* In softirq: however many there are, and however many of them are of no use. */
static void looks_at_some_only(struct kunit *test)
{
	u32 i, most = 0, before;

	get_many(test, 0);
	settle();
	looked = 0;
	for (i = 0; i < MANY / LOOKS; i++) {
		before = looked;
		KUNIT_EXPECT_EQ(test, sdp_table_evict(&table, 0, LOOKS, 1, look), 0);
		most = max(most, looked - before);
	}
	/* But for the rest of a bucket. */
	KUNIT_EXPECT_LT(test, most, LOOKS + 32);
	/* Each from where the one before ended: a whole turn, and some of the next. */
	KUNIT_EXPECT_GE(test, looked, MANY);
	looked = 0;
	sdp_table_visit(&table, LOOKS, look_too);
	KUNIT_EXPECT_LT(test, looked, LOOKS + 32);
	looked = 0;
	sdp_table_evict(&table, 0, SDP_TABLE_ALL, 1, look);
	KUNIT_EXPECT_EQ(test, looked, MANY);
}

static u32 size_of_table(void)
{
	u32 size;

	settle();
	rcu_read_lock();
	size = rht_dereference_rcu(table.ht.tbl, &table.ht)->size;
	rcu_read_unlock();
	return size;
}

/* Look-ups are as long with many as with few, and memory goes with what it was for. */
static void is_as_large_as_what_it_holds(struct kunit *test)
{
	u32 least = size_of_table(), count = 0;

	KUNIT_EXPECT_LE(test, least, 64);
	get_many(test, 0);
	KUNIT_EXPECT_GE(test, size_of_table(), MANY);
	KUNIT_EXPECT_LE(test, size_of_table(), 4 * MANY);
	KUNIT_EXPECT_EQ(test, evict_all(NULL), MANY);
	/* It shrinks as objects leave, step by step. */
	while (size_of_table() > least && count++ < 16) {
		sdp_table_put(&get(test, 1)->entry);
		evict_all(NULL);
	}
	KUNIT_EXPECT_EQ(test, size_of_table(), least);
}

/* A key that has become another does not keep its object in the table. */
static void evicts_where_it_was_added(struct kunit *test)
{
	struct object *retired = get(test, 1);
	u64 key = 1;

	WRITE_ONCE(retired->key, U64_MAX);
	KUNIT_EXPECT_NULL(test, sdp_table_find(&table, &key));
	sdp_table_put(&retired->entry);
	KUNIT_EXPECT_EQ(test, evict_all(NULL), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&table.ht.nelems), 0);
	retired = get(test, 1);
	WRITE_ONCE(retired->key, U64_MAX);
	/* All objects move to other buckets. */
	get_many(test, 10);
	sdp_table_put(&retired->entry);
	KUNIT_EXPECT_EQ(test, evict_all(NULL), MANY + 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&table.ht.nelems), 0);
}

/* Many that had one key, and are used, do not keep the next of it out. */
static void many_of_one_key(struct kunit *test)
{
	struct object *held[40];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(held); i++) {
		held[i] = get(test, 1);
		KUNIT_ASSERT_NOT_NULL(test, held[i]);
		WRITE_ONCE(held[i]->key, U64_MAX - i);
		sdp_table_scatter(&table, &held[i]->entry);
	}
	for (i = 0; i < ARRAY_SIZE(held); i++)
		sdp_table_put(&held[i]->entry);
	KUNIT_EXPECT_EQ(test, evict_all(NULL), ARRAY_SIZE(held));
	KUNIT_EXPECT_EQ(test, atomic_read(&table.ht.nelems), 0);
}

/* Who evicts has been interrupted by who wants an object of that key. */
static void replaces_what_is_about_to_go(struct kunit *test)
{
	struct object *old = get(test, 5), *new;
	u64 key = 5;

	sdp_table_put(&old->entry);
	KUNIT_ASSERT_TRUE(test, refcount_dec_if_one(&old->entry.refs));
	KUNIT_EXPECT_NULL(test, sdp_table_find(&table, &key));
	new = get(test, key);
	KUNIT_EXPECT_PTR_NE(test, new, old);
	KUNIT_EXPECT_EQ(test, rhashtable_remove_fast(&table.ht, &old->entry.node, params),
			-ENOENT);
	call_rcu(&old->entry.rcu, on_free);
	KUNIT_EXPECT_PTR_EQ(test, sdp_table_find(&table, &key), &new->entry);
	sdp_table_put(&new->entry);
	sdp_table_put(&new->entry);
}

static void says_that_it_cannot_add(struct kunit *test)
{
	struct object object = { .key = 1 };

	table.ht.max_elems = 0;
	KUNIT_EXPECT_NULL(test, sdp_table_add(&table, &object.entry));
	KUNIT_EXPECT_NULL(test, sdp_table_find(&table, &object.key));
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
	rcu_barrier();
}

static struct kunit_case cases[] = {
	KUNIT_CASE(finds_what_was_added),
	KUNIT_CASE(evicts_only_what_is_idle),
	KUNIT_CASE(evicts_what_matches),
	KUNIT_CASE(visits_all),
	KUNIT_CASE(looks_at_some_only),
	KUNIT_CASE(is_as_large_as_what_it_holds),
	KUNIT_CASE(evicts_where_it_was_added),
	KUNIT_CASE(many_of_one_key),
	KUNIT_CASE(replaces_what_is_about_to_go),
	KUNIT_CASE(says_that_it_cannot_add),
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
