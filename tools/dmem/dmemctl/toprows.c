// SPDX-License-Identifier: GPL-2.0-or-later
#include "toprows.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "value.h"

static const char * const sort_names[TOP_NR_SORTS] = {
	[TOP_CURRENT] = "current",
	[TOP_PEAK]    = "peak",
	[TOP_MAX]     = "max",
	[TOP_SHARE]   = "share",
	[TOP_RATE]    = "rate",
	[TOP_REFUSED] = "refused",
	[TOP_NAME]    = "name",
};

const char *top_sort_name(enum top_sort sort)
{
	return sort < TOP_NR_SORTS ? sort_names[sort] : NULL;
}

/* Unknown comes last, whatever it is compared with. */
static int descending(uint64_t a, uint64_t b)
{
	if (a == DMEM_UNKNOWN || b == DMEM_UNKNOWN)
		return (a == DMEM_UNKNOWN) - (b == DMEM_UNKNOWN);
	return a < b ? 1 : a > b ? -1 : 0;
}

static double share(const struct dmem_pool *pool)
{
	if (pool->max == DMEM_MAX || pool->max == DMEM_UNKNOWN || pool->current == DMEM_UNKNOWN)
		return -1;
	return pool->max ? (double)pool->current / pool->max : 1;
}

struct order {
	enum top_sort sort;
	bool reverse;
};

static int compare(const void *x, const void *y, void *data)
{
	const struct top_row *a = x, *b = y;
	const struct order *order = data;
	int result = 0;

	switch (order->sort) {
	case TOP_CURRENT:
		result = descending(a->pool->current, b->pool->current);
		break;
	case TOP_PEAK:
		result = descending(a->pool->peak, b->pool->peak);
		break;
	case TOP_MAX:
		result = -descending(a->pool->max, b->pool->max);
		break;
	case TOP_SHARE:
		result = share(a->pool) < share(b->pool) ? 1 :
			 share(a->pool) > share(b->pool) ? -1 : 0;
		break;
	case TOP_RATE:
		result = a->rate < b->rate ? 1 : a->rate > b->rate ? -1 : 0;
		break;
	case TOP_REFUSED:
		result = descending(a->pool->local.max, b->pool->local.max);
		break;
	default:
		break;
	}
	/* rows that are equal do not change places from one sample to the next */
	if (!result)
		result = strcmp(a->path, b->path);
	return order->reverse ? -result : result;
}

static bool is_worth_a_row(const struct dmem_pool *pool, double rate)
{
	return (pool->current && pool->current != DMEM_UNKNOWN) ||
	       (pool->max != DMEM_MAX && pool->max != DMEM_UNKNOWN) ||
	       (pool->peak && pool->peak != DMEM_UNKNOWN) || rate > 0;
}

void top_rows_make(const struct sample *before, const struct sample *now, size_t region,
		   enum top_sort sort, bool reverse, struct top_rows *rows)
{
	struct order order = { sort, reverse };
	struct dmem_bound *bound __free_string = NULL;
	size_t i;

	*rows = (struct top_rows){ 0 };
	for (i = 0; i < now->cgroups.count; i++) {
		const struct dmem_cgroup *cgroup = &now->cgroups.cgroup[i];
		const struct dmem_pool *pool;
		double rate = -1;

		bound = dmem_grow(bound, i, sizeof(*bound));
		if (!cgroup->enabled)
			continue;
		pool = &cgroup->pool[region];
		bound[i] = cgroup->parent < 0 ?
			   dmem_bound_region(&now->regions.region[region]) :
			   bound[cgroup->parent];
		bound[i] = dmem_bound_add(bound[i], cgroup->path, pool);
		if (before && before->seconds && pool->local.max != DMEM_UNKNOWN &&
		    now->seconds > before->seconds)
			rate = sample_new_counts(before, now, i, region).max /
			       (now->seconds - before->seconds);
		if (!is_worth_a_row(pool, rate))
			continue;
		rows->row = dmem_grow(rows->row, rows->count, sizeof(*rows->row));
		rows->row[rows->count++] = (struct top_row){
			.path = cgroup->path,
			.pool = pool,
			.bound = bound[i],
			.rate = rate,
		};
	}
	if (rows->count)
		qsort_r(rows->row, rows->count, sizeof(*rows->row), compare, &order);
}
