// SPDX-License-Identifier: GPL-2.0
/*
 * Device tree regions that cannot be CMA areas
 *
 * A reusable shared-dma-pool node becomes a CMA area, a dmem region and a heap
 * unless its name, its place or the number of areas stand against it.  Then it
 * is none of them, the memory goes back to the page allocator, and what was
 * meant for one purpose is there for all: worth one line that says why, what
 * became of it, and what to change.
 *
 * The lines are printed when all areas are known: where the devices get their
 * memory from instead depends on areas that come later.
 *
 * Locking: none, all of it happens before there is a second thread.
 */

#define pr_fmt(fmt) "cma_reserved: " fmt

#include <linux/array_size.h>
#include <linux/cma.h>
#include <linux/cma_reserved.h>
#include <linux/dma-map-ops.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "cma.h"

/**
 * struct cma_reserved_refusal - a region that was left out
 * @name: of its node
 * @base: its address
 * @size: bytes
 * @why: what stands against it, NULL: its place, see cma_reserved_check()
 */
struct cma_reserved_refusal {
	const char *name;
	phys_addr_t base;
	phys_addr_t size;
	const char *why;
};

/* More than a device tree has; what does not fit is reported at once. */
static struct cma_reserved_refusal cma_reserved_refusals[64] __initdata;
static unsigned int cma_reserved_refusal_count __initdata;

/**
 * cma_reserved_name_wrong() - whether an area can be called like that
 * @name: of the area, and of a heap then
 * @is_default: it would be the default area
 *
 * Context: Boot, while areas are declared.
 * Return: What is wrong with the name, or NULL.
 */
const char *__init cma_reserved_name_wrong(const char *name, bool is_default)
{
	static const struct {
		const char *name;
		bool is_default;	/* of the default area, or its heap */
	} taken[] = {
		{ "default_cma_region", true },
		/* the default area, if it is asked for by cma= or Kconfig */
		{ "reserved", true },
		{ "system", false },
		{ "system_cc_shared", false },
	};
	unsigned int i;

	if (strlen(name) >= CMA_MAX_NAME)
		return "the name is too long";
	for (i = 0; IS_ENABLED(CONFIG_DMABUF_HEAPS) && i < ARRAY_SIZE(taken); i++)
		if (!strcmp(name, taken[i].name) &&
		    !(is_default && taken[i].is_default))
			return "the name belongs to another heap";
	for (i = 0; i < cma_area_count; i++)
		if (!strcmp(name, cma_areas[i].name))
			return "another CMA area has the name";
	return NULL;
}

static bool __init cma_reserved_aligned(phys_addr_t base, phys_addr_t size)
{
	return IS_ALIGNED(base | size, CMA_MIN_ALIGNMENT_BYTES);
}

static void __init
cma_reserved_report(const struct cma_reserved_refusal *refusal)
{
	struct cma *instead = dev_get_cma_area(NULL);
	const char *name = refusal->name;
	unsigned long long kib = refusal->size / SZ_1K;
	bool base = !IS_ALIGNED(refusal->base, CMA_MIN_ALIGNMENT_BYTES);
	char place[96];

	if (!refusal->why)
		snprintf(place, sizeof(place),
			 "its %s %pa is not a multiple of a pageblock, %#lx",
			 base ? "base" : "size",
			 base ? &refusal->base : &refusal->size,
			 (unsigned long)CMA_MIN_ALIGNMENT_BYTES);

	/* that one was left out as well */
	if (instead && !instead->count)
		instead = NULL;

	pr_err("%s left out: %s; its %llu KiB are ordinary memory, devices that point at it are refused it (EINVAL) or use %s%s\n",
	       name, refusal->why ?: place, kib,
	       instead ? "the default area " : "ordinary memory",
	       instead ? cma_get_name(instead) : "");
}

/**
 * cma_reserved_check() - whether a reserved region can become a CMA area
 * @name: of its node, to live as long as the region
 * @base: its address
 * @size: bytes
 * @is_default: it would be the default area
 *
 * If not, a line will say so.  The caller gives the memory back.
 *
 * Context: Boot, while areas are declared.
 * Return: 0; -EINVAL for its name or place; -ENOSPC if there are as many areas
 * as the kernel was configured for.
 */
int __init cma_reserved_check(const char *name, phys_addr_t base,
			      phys_addr_t size, bool is_default)
{
	struct cma_reserved_refusal refusal = {
		.name = name,
		.base = base,
		.size = size,
		.why = cma_reserved_name_wrong(name, is_default),
	};
	int err = -EINVAL;

	if (!refusal.why && cma_reserved_aligned(base, size)) {
		if (cma_area_count < MAX_CMA_AREAS)
			return 0;
		refusal.why = CMA_RESERVED_TOO_MANY;
		err = -ENOSPC;
	}

	if (cma_reserved_refusal_count < ARRAY_SIZE(cma_reserved_refusals))
		cma_reserved_refusals[cma_reserved_refusal_count++] = refusal;
	else
		cma_reserved_report(&refusal);
	return err;
}

static int __init cma_reserved_report_all(void)
{
	unsigned int i;

	for (i = 0; i < cma_reserved_refusal_count; i++)
		cma_reserved_report(&cma_reserved_refusals[i]);
	return 0;
}
postcore_initcall(cma_reserved_report_all);
