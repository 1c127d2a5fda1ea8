// SPDX-License-Identifier: GPL-2.0-only
/*
 * A copy of a virtual machine has the keys of the original, and would use their
 * numbers for other messages. A device that changes its value with each copy (VM
 * generation id) tells the kernel, and the kernel tells us. Without it nobody does.
 */
#include <linux/acpi.h>
#ifdef CONFIG_X86
#include <asm/cpufeature.h>
#endif

#include "copy.h"

static bool is_virtual(void)
{
#ifdef CONFIG_UML
	return false;
#elif defined(CONFIG_X86)
	return boot_cpu_has(X86_FEATURE_HYPERVISOR);
#else
	return true;
#endif
}

/* The ids that the kernel's driver is for. */
static bool has_generation_id(void)
{
#if IS_ENABLED(CONFIG_VMGENID) && defined(CONFIG_ACPI)
	return acpi_dev_present("VMGENCTR", NULL, -1) ||
	       acpi_dev_present("VM_GEN_COUNTER", NULL, -1);
#else
	return false;
#endif
}

bool sdp_copy_noticed(void)
{
	return !is_virtual() || has_generation_id();
}
