/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The CMA areas that can be charged to cgroups, see mm/cma_dmem.c.
 */
#ifndef _LINUX_CMA_DMEM_H
#define _LINUX_CMA_DMEM_H

#include <linux/types.h>

struct cma;
struct device_node;
struct dmem_cgroup_region;

/**
 * struct cma_dmem_area - a CMA area that consumers can reach
 * @cma: The area, activated.
 * @name: Name of its heap; its dmem region is "cma/" and this.
 * @size: Bytes, all of them page aligned.
 * @region: What to charge for memory of this area; NULL if nothing is to be
 *	charged, as dmem_cgroup_try_charge() takes it.
 * @of_node: The device tree node that reserves the area, NULL if none does.
 *
 * Constant and there for ever, once the postcore initcalls are done.
 */
struct cma_dmem_area {
	struct cma *cma;
	const char *name;
	u64 size;
	struct dmem_cgroup_region *region;
	struct device_node *of_node;
};

const struct cma_dmem_area *cma_dmem_area_by_idx(unsigned int idx);
u64 cma_dmem_available(const struct cma_dmem_area *area);

#endif /* _LINUX_CMA_DMEM_H */
