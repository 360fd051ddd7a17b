/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the dmem_selftest module (kernel/cgroup/dmem_selftest.c) shows of a
 * region: all its pools at one moment, those of removed cgroups included.
 */
#ifndef DMEM_POOLS_H
#define DMEM_POOLS_H

#include <stdbool.h>

#include <linux/types.h>

/**
 * struct dmem_pool - a region's numbers in a cgroup
 * @cgroup:	its id; it may be gone
 * @parent:	the id one level up, 0 in the root
 * @usage:	bytes charged there and below
 * @own:	what of it was charged there and not below
 * @max:	limit, DMEM_MAX for none
 * @removed:	the cgroup is gone, or has the controller no more
 */
struct dmem_pool {
	__u64 cgroup;
	__u64 parent;
	__u64 usage;
	__u64 own;
	__u64 max;
	bool removed;
};

/* The module is there */
bool dmem_pools_visible(void);

/*
 * How many there are, and in @pools, if that is not NULL, which: to be freed.
 * Fails the case if the kernel finds a sum wrong, or if there is anything that
 * is never right; with @limits_hold also if usage is above a limit.
 */
unsigned int dmem_pools_check(const char *region, bool limits_hold,
			      struct dmem_pool **pools);

/* Waits until there are as many as @want, and returns how many there are then */
unsigned int dmem_pools_soon(const char *region, unsigned int want);

/* Prints them, for somebody who wonders which there are */
void dmem_pools_print(const char *region);

#endif /* DMEM_POOLS_H */
