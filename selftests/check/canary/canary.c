// SPDX-License-Identifier: GPL-2.0-only
/*
 * A module that does on loading what its parameter says, so that the harness
 * can be seen to notice it. Each fault is one that a kernel module can commit.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

static char *fault = "";
module_param(fault, charp, 0444);
MODULE_PARM_DESC(fault, "warn, oops, hang, overflow, leak, sleep, lock, race or marked");

static DEFINE_SPINLOCK(canary_first);
static DEFINE_SPINLOCK(canary_second);

static void canary_oops(void)
{
	WRITE_ONCE(*(int *)8UL, 1);
}

static void canary_hang(void)
{
	preempt_disable();
	for (;;)
		cpu_relax();
}

static void canary_overflow(void)
{
	char *bytes = kmalloc(24, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(bytes);
	if (bytes)
		bytes[24] = 1;
	kfree(bytes);
}

/* Kept from the compiler, which would drop an allocation that nobody uses. */
static void canary_leak(void)
{
	char *bytes = kmalloc(24, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(bytes);
}

static void canary_sleep(void)
{
	spin_lock(&canary_first);
	msleep(20);
	spin_unlock(&canary_first);
}

/* Both orders: nothing hangs, but it could. */
static void canary_lock(void)
{
	spin_lock(&canary_first);
	spin_lock(&canary_second);
	spin_unlock(&canary_second);
	spin_unlock(&canary_first);
	spin_lock(&canary_second);
	spin_lock(&canary_first);
	spin_unlock(&canary_first);
	spin_unlock(&canary_second);
}

static struct task_struct *canary_threads[2];
static int canary_shared;

/* Read and written by both, until the module goes, and by nothing that says so. */
static int canary_races(void *unused)
{
	while (!kthread_should_stop()) {
		int value = canary_shared + 1;

		barrier();
		canary_shared = value;
		cond_resched();
	}
	return 0;
}

static int canary_marked(void *unused)
{
	while (!kthread_should_stop()) {
		WRITE_ONCE(canary_shared, READ_ONCE(canary_shared) + 1);
		cond_resched();
	}
	return 0;
}

static void canary_start(int (*function)(void *unused))
{
	int i;

	for (i = 0; i < ARRAY_SIZE(canary_threads); i++)
		canary_threads[i] = kthread_run(function, NULL, "canary/%d", i);
}

static void canary_race(void)
{
	canary_start(canary_races);
}

static void canary_mark(void)
{
	canary_start(canary_marked);
}

static const struct {
	const char *name;
	void (*commit)(void);
} canary_faults[] = {
	{ "oops", canary_oops },
	{ "hang", canary_hang },
	{ "overflow", canary_overflow },
	{ "leak", canary_leak },
	{ "sleep", canary_sleep },
	{ "lock", canary_lock },
	{ "race", canary_race },
	{ "marked", canary_mark },
};

static int __init canary_init(void)
{
	int i;

	WARN_ON(!strcmp(fault, "warn"));
	for (i = 0; i < ARRAY_SIZE(canary_faults); i++)
		if (!strcmp(fault, canary_faults[i].name))
			canary_faults[i].commit();
	return 0;
}
module_init(canary_init);

static void __exit canary_exit(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(canary_threads); i++)
		if (!IS_ERR_OR_NULL(canary_threads[i]))
			kthread_stop(canary_threads[i]);
}
module_exit(canary_exit);

MODULE_DESCRIPTION("Faults on request, to test the test harness");
MODULE_LICENSE("GPL");
