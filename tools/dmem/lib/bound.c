// SPDX-License-Identifier: GPL-2.0-or-later
#include "bound.h"

#include "value.h"

struct dmem_bound dmem_bound_region(const struct dmem_region *region)
{
	struct dmem_bound bound = { .room = DMEM_MAX };

	if (region->free != DMEM_UNKNOWN)
		bound.room = region->free +
			     (region->cached == DMEM_UNKNOWN ? 0 : region->cached);
	else if (region->size != DMEM_UNKNOWN && region->charged != DMEM_UNKNOWN)
		bound.room = region->size > region->charged ?
			     region->size - region->charged : 0;
	return bound;
}

struct dmem_bound dmem_bound_add(struct dmem_bound above, const char *path,
				 const struct dmem_pool *pool)
{
	uint64_t room;

	if (pool->max == DMEM_MAX || pool->max == DMEM_UNKNOWN ||
	    pool->current == DMEM_UNKNOWN)
		return above;
	room = pool->max > pool->current ? pool->max - pool->current : 0;
	return room < above.room ? (struct dmem_bound){ room, path } : above;
}
