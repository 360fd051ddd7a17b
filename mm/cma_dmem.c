// SPDX-License-Identifier: GPL-2.0
/*
 * CMA areas as dmem cgroup regions
 *
 * Several consumers take memory from one CMA area: its heap (the default area
 * has two), drivers through the DMA API.  A limit means something only if all
 * of them charge the same region, so the region belongs to the area and is
 * registered here, once.  (Heaps charge it; drivers that take memory through
 * the DMA API do not yet.)
 *
 * Which areas
 *	Those that dma_contiguous_get_area_by_idx() lists (the device tree's
 *	reusable shared-dma-pool nodes, the default area) and those named on the
 *	command line (cma_carveout=).  Others, such as hugetlb's, have one user
 *	that nobody can allocate through.  An area that could not be activated
 *	has no memory: the CMA core said so when it happened.
 *
 * Names
 *	"cma/" and the heap's name: the name of the area, for the default area
 *	"default_cma_region" whatever it is called.
 *
 * Locking
 *	None.  The table is filled by one initcall, after the areas were activated
 *	(core_initcall) and before heaps and drivers look (device_initcall), and
 *	does not change after.
 */

#define pr_fmt(fmt) "cma_dmem: " fmt

#include <linux/cgroup_dmem.h>
#include <linux/cma.h>
#include <linux/cma_carveout.h>
#include <linux/cma_dmem.h>
#include <linux/cma_recycle.h>
#include <linux/dma-map-ops.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/minmax.h>
#include <linux/of.h>
#include <linux/of_reserved_mem.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "cma.h"

#define CMA_DMEM_DEFAULT_NAME "default_cma_region"

/* Indexed like cma_areas[]; without ->cma if consumers cannot reach the area. */
static struct cma_dmem_area cma_dmem_areas[MAX_CMA_AREAS] __ro_after_init;

/* The entries in use, in the order that consumers are to see them. */
static struct cma_dmem_area *cma_dmem_order[MAX_CMA_AREAS] __ro_after_init;
static unsigned int cma_dmem_count __ro_after_init;

/**
 * cma_dmem_area_by_idx() - iterate over the areas that consumers can reach
 * @idx: from 0; the default area comes first
 *
 * Context: Any, after the postcore initcalls.
 * Return: The area, NULL if there are no more.
 */
const struct cma_dmem_area *cma_dmem_area_by_idx(unsigned int idx)
{
	return idx < cma_dmem_count ? cma_dmem_order[idx] : NULL;
}
EXPORT_SYMBOL_GPL(cma_dmem_area_by_idx);

/**
 * cma_dmem_available() - how much of an area is free
 * @area: the area
 *
 * What is kept for recycling is free: no allocation fails for it.  A snapshot,
 * and in pieces of any size: no promise that one allocation of as much would
 * work.
 *
 * Context: Any.
 * Return: Bytes that consumers do not have.
 */
u64 cma_dmem_available(const struct cma_dmem_area *area)
{
	/*
	 * Without locks: each is one word, and as old as any answer would be
	 * that the caller can do something about.  What goes from one to the
	 * other meanwhile may be counted twice, or not at all.
	 */
	unsigned long free = data_race(READ_ONCE(area->cma->available_count)) +
			     cma_recycle_held(area->cma);

	return min((u64)free << PAGE_SHIFT, area->size);
}
EXPORT_SYMBOL_GPL(cma_dmem_available);

/* With a reference, for ever. */
static struct device_node *__init cma_dmem_find_node(const struct cma *cma)
{
	struct device_node *parent, *node;
	struct reserved_mem *rmem;

	parent = of_find_node_by_path("/reserved-memory");
	if (!parent)
		return NULL;
	for_each_child_of_node(parent, node) {
		/* by name: then make sure that it is this area's */
		rmem = of_reserved_mem_lookup(node);
		if (rmem && rmem->priv == cma)
			break;
	}
	of_node_put(parent);
	return node;
}

static void __init cma_dmem_add(struct cma *cma, const char *name)
{
	struct cma_dmem_area *area = &cma_dmem_areas[cma - cma_areas];
	/* cma_get_size() is an unsigned long: short where addresses are longer */
	struct dmem_cgroup_init init = { .size = (u64)cma->count << PAGE_SHIFT };
	struct dmem_cgroup_region *region;
	unsigned int i;

	/* not activated; or the default area, under its other name */
	if (!init.size || area->cma)
		return;

	for (i = 0; i < cma_dmem_count; i++) {
		if (!strcmp(cma_dmem_order[i]->name, name)) {
			pr_err("%s: another area has the name, no heap and no region\n",
			       name);
			return;
		}
	}

	region = dmem_cgroup_register_region(&init, "cma/%s", name);
	if (IS_ERR(region)) {
		pr_err("%s: cannot register dmem region: %pe, no heap\n",
		       name, region);
		return;
	}

	area->cma = cma;
	area->name = name;
	area->size = init.size;
	area->region = region;
	area->of_node = cma_dmem_find_node(cma);
	cma_dmem_order[cma_dmem_count++] = area;
}

static int __init cma_dmem_init(void)
{
	struct cma *cma = dev_get_cma_area(NULL);
	unsigned int i;

	if (cma)
		cma_dmem_add(cma, CMA_DMEM_DEFAULT_NAME);
	for (i = 0; (cma = dma_contiguous_get_area_by_idx(i)); i++)
		cma_dmem_add(cma, cma_get_name(cma));
	for (i = 0; (cma = cma_carveout_by_idx(i)); i++)
		cma_dmem_add(cma, cma_get_name(cma));
	return 0;
}
postcore_initcall(cma_dmem_init);
