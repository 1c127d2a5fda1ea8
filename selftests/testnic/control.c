// SPDX-License-Identifier: GPL-2.0-only
/* debugfs/sdp_testnic: counters to read and clear, knobs, actions. */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "testnic.h"

atomic_t testnic_counters[TESTNIC_COUNT];
u32 testnic_knobs[TESTNIC_KNOBS_COUNT] = {
	[TESTNIC_KNOB_contexts_max] = 64,
};

static struct dentry *root;

static const char *const counter_names[] = {
#define X(name) #name,
	TESTNIC_COUNTERS(X)
#undef X
};

static const char *const knob_names[] = {
#define X(name) #name,
	TESTNIC_KNOBS(X)
#undef X
};

static int counters_show(struct seq_file *seq, void *unused)
{
	u32 i;

	for (i = 0; i < TESTNIC_COUNT; i++)
		seq_printf(seq, "%s %d\n", counter_names[i],
			   atomic_read(&testnic_counters[i]));
	/* These are not cleared. */
	seq_printf(seq, "keys_now %d\ncontexts_now %d\n", atomic_read(&testnic_keys_now),
		   atomic_read(&testnic_contexts_now));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(counters);

static int clear_set(void *data, u64 value)
{
	u32 i;

	for (i = 0; i < TESTNIC_COUNT; i++)
		atomic_set(&testnic_counters[i], 0);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(clear_fops, NULL, clear_set, "%llu\n");

/* Device * 2 + whether it vanishes. */
static int vanish_set(void *data, u64 value)
{
	return testnic_vanish(value / 2, value & 1);
}
DEFINE_DEBUGFS_ATTRIBUTE(vanish_fops, NULL, vanish_set, "%llu\n");

static int lose_set(void *data, u64 value)
{
	if (value >= TESTNIC_DEVICES)
		return -EINVAL;
	testnic_lose(value);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(lose_fops, NULL, lose_set, "%llu\n");

int testnic_control_init(void)
{
	u32 i;

	root = debugfs_create_dir("sdp_testnic", NULL);
	debugfs_create_file("counters", 0400, root, NULL, &counters_fops);
	debugfs_create_file_unsafe("clear", 0200, root, NULL, &clear_fops);
	debugfs_create_file_unsafe("vanish", 0200, root, NULL, &vanish_fops);
	debugfs_create_file_unsafe("lose", 0200, root, NULL, &lose_fops);
	for (i = 0; i < TESTNIC_KNOBS_COUNT; i++)
		debugfs_create_u32(knob_names[i], 0600, root, &testnic_knobs[i]);
	return PTR_ERR_OR_ZERO(root);
}

void testnic_control_exit(void)
{
	debugfs_remove(root);
}
