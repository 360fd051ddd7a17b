// SPDX-License-Identifier: GPL-2.0
/*
 * CMA areas named on the kernel command line
 *
 *	cma_carveout=<name>:<size>[@<base>][,...]
 *
 * does for machines without a device tree (PCs, virtual machines, User Mode
 * Linux) what reusable shared-dma-pool nodes do for the others: each entry
 * becomes a CMA area, a dmem region and a dma-buf heap.  The parameter may be
 * given several times.  What cannot be had is left out, with one line that says
 * which entry and why; the entries beside it are not affected.
 *
 * Called once while the kernel is single-threaded, after memory zones are known
 * and before memblock hands memory to the page allocator.  Early parameters
 * have not been parsed on every architecture at that point, so the command line
 * is looked at directly.
 */

#define pr_fmt(fmt) "cma_carveout: " fmt

#include <linux/cma.h>
#include <linux/cma_carveout.h>
#include <linux/cma_reserved.h>
#include <linux/ctype.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/memblock.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include <asm/setup.h>

#include "cma.h"

static struct cma *cma_carveouts[MAX_CMA_AREAS] __initdata;
static unsigned int cma_carveout_count __initdata;
/* How often the parameter was given in time. */
static unsigned int cma_carveout_seen __initdata;
static char cma_carveout_cmdline[COMMAND_LINE_SIZE] __initdata;

/**
 * cma_carveout_by_idx() - iterate over the areas named on the command line
 * @idx: from 0
 *
 * Context: Initcalls.
 * Return: The area (activated or not), NULL if there are no more.
 */
struct cma *__init cma_carveout_by_idx(unsigned int idx)
{
	return idx < cma_carveout_count ? cma_carveouts[idx] : NULL;
}

/* What is wrong with @name, or NULL.  What a device tree node may be called. */
static const char *__init cma_carveout_check_name(const char *name)
{
	const char *c;

	if (!*name)
		return "the name is empty";
	for (c = name; *c; c++)
		if (!isascii(*c) || (!isalnum(*c) && !strchr("._+-@", *c)))
			return "the name has a character other than A-Z a-z 0-9 . _ + - @";
	if (!isalnum(*name))
		return "the name does not start with a letter or digit";
	return cma_reserved_name_wrong(name, false);
}

/* What is wrong with reserving @size bytes at @base, or NULL. */
static const char *__init cma_carveout_check_base(phys_addr_t base,
						  phys_addr_t size)
{
	/* CMA takes it for "anywhere" */
	if (!base)
		return "the base is 0";
	if (!IS_ALIGNED(base, CMA_MIN_ALIGNMENT_BYTES))
		return "the base is not aligned to a pageblock";
	/* within one of memblock's ranges, which differ in their flags */
	if (base + size < base || !memblock_is_region_memory(base, size) ||
	    !memblock_is_map_memory(base))
		return "not all of it is memory";
	if (memblock_is_region_reserved(base, size))
		return "part of it is reserved already";
	return NULL;
}

/*
 * Whether a reservation of @size leaves the kernel what it is about to need, the
 * memory map above all, which comes from memblock too: an eighth of all memory.
 */
static bool __init cma_carveout_leaves_enough(u64 size)
{
	u64 all = memblock_phys_mem_size();

	return memblock_reserved_size() + size + all / 8 <= all;
}

/* Parses one entry and reserves it.  Return: what went wrong, or NULL. */
static const char *__init cma_carveout_add(char *entry)
{
	unsigned long long size, base = 0;
	const char *wrong, *name = strsep(&entry, ":");
	bool fixed;
	struct cma *cma;
	char *p;
	int err;

	if (!entry)
		return "no size: expected <name>:<size>[@<base>]";
	wrong = cma_carveout_check_name(name);
	if (wrong)
		return wrong;

	if (!isdigit(*entry))
		return "the size is not a number";
	size = memparse(entry, &p);
	fixed = *p == '@';
	if (fixed) {
		if (!isdigit(p[1]))
			return "the base is not a number";
		base = memparse(p + 1, &p);
	}
	if (*p)
		return "there is something after the size or base";

	if (!size)
		return "the size is 0";
	if (size > memblock_phys_mem_size() || base > (phys_addr_t)-1)
		return "there is not so much memory";
	/* whole pageblocks, as CMA has them */
	size = ALIGN(size, (u64)CMA_MIN_ALIGNMENT_BYTES);
	if (!cma_carveout_leaves_enough(size))
		return "it would leave too little memory for the kernel";

	if (fixed) {
		wrong = cma_carveout_check_base(base, size);
		if (wrong)
			return wrong;
	}
	if (cma_area_count == MAX_CMA_AREAS)
		return CMA_RESERVED_TOO_MANY;

	err = cma_declare_contiguous(base, size, 0, 0, 0, fixed, name, &cma);
	if (err == -ENOMEM)
		return "no free range of memory is large enough";
	if (err)
		return "the range cannot be reserved";

	cma_carveouts[cma_carveout_count++] = cma;
	pr_info("%s: %llu MiB\n", name, size / SZ_1M);
	return NULL;
}

static int __init cma_carveout_param(char *param, char *val,
				     const char *unused, void *arg)
{
	char shown[80], *entry;

	/* '-' is '_' here, as __setup() has it */
	if (!parameq(param, "cma_carveout"))
		return 0;
	cma_carveout_seen++;
	if (!val) {
		pr_err("no value: expected <name>:<size>[@<base>][,...]\n");
		return 0;
	}

	while ((entry = strsep(&val, ","))) {
		const char *wrong;

		/* parsing cuts the entry up */
		strscpy(shown, entry);
		wrong = cma_carveout_add(entry);
		if (wrong)
			pr_err("\"%s\" left out: %s\n", shown, wrong);
	}
	return 0;
}

/**
 * cma_carveout_reserve() - reserve the areas that cma_carveout= asks for
 *
 * Context: Boot, between the initialisation of zones and the end of memblock.
 */
void __init cma_carveout_reserve(void)
{
	strscpy(cma_carveout_cmdline, boot_command_line);
	parse_args("cma_carveout", cma_carveout_cmdline, NULL, 0, 0, 0, NULL,
		   cma_carveout_param);
}

/*
 * Known, and dealt with long before: not to be passed on to init.  What a boot
 * configuration adds to the command line comes too late to reserve anything.
 */
static int __init cma_carveout_known(char *str)
{
	if (cma_carveout_seen)
		cma_carveout_seen--;
	else
		pr_err("\"%s\" left out: not on the command line that the boot loader gave\n",
		       str);
	return 1;
}
__setup("cma_carveout=", cma_carveout_known);
