// SPDX-License-Identifier: GPL-2.0-only
/*
 * A module that does on loading what its parameter says, so that the harness
 * can be seen to notice it. Each fault is one that a kernel module can commit.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

static char *fault = "";
module_param(fault, charp, 0444);
MODULE_PARM_DESC(fault, "warn, oops, hang, overflow, leak, sleep or lock");

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
}
module_exit(canary_exit);

MODULE_DESCRIPTION("Faults on request, to test the test harness");
MODULE_LICENSE("GPL");
