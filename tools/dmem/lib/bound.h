/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much more a cgroup may have of a region, and what ends it.
 */
#ifndef DMEM_BOUND_H
#define DMEM_BOUND_H

#include <stdint.h>

#include "cgroup.h"
#include "region.h"

/**
 * struct dmem_bound - the tightest of all that bounds a cgroup
 * @room: bytes that may still be had, %DMEM_MAX if nothing bounds it as far as
 *	  is known
 * @cgroup: path of the cgroup whose dmem.max it is; NULL for the region itself,
 *	    of which there is no more
 */
struct dmem_bound {
	uint64_t room;
	const char *cgroup;
};

/**
 * dmem_bound_region() - begin with the region
 * @region: the region; its cached memory can be had
 *
 * Return: The bound of whoever has no limit.
 */
struct dmem_bound dmem_bound_region(const struct dmem_region *region);

/**
 * dmem_bound_add() - take a cgroup's own limit into account
 * @above: the bound of its parent
 * @path: the cgroup
 * @pool: its numbers
 *
 * Of two that leave the same room, the upper one bounds: raising the lower alone
 * would give nothing.
 *
 * Return: The bound of the cgroup.
 */
struct dmem_bound dmem_bound_add(struct dmem_bound above, const char *path,
				 const struct dmem_pool *pool);

#endif /* DMEM_BOUND_H */
