/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What top shows: the rows of one region, in order.  Not how.
 */
#ifndef DMEMCTL_TOPROWS_H
#define DMEMCTL_TOPROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bound.h"
#include "sample.h"

/**
 * enum top_sort - what the rows are ordered by
 * @TOP_CURRENT: most in use first
 * @TOP_PEAK: highest peak first
 * @TOP_MAX: tightest limit first
 * @TOP_SHARE: nearest to its limit first
 * @TOP_RATE: most refusals per second first
 * @TOP_REFUSED: most refusals first
 * @TOP_NAME: by path
 * @TOP_NR_SORTS: how many
 */
enum top_sort {
	TOP_CURRENT,
	TOP_PEAK,
	TOP_MAX,
	TOP_SHARE,
	TOP_RATE,
	TOP_REFUSED,
	TOP_NAME,
	TOP_NR_SORTS,
};

/**
 * struct top_row - a cgroup
 * @path: which
 * @pool: its numbers, in the sample
 * @bound: how much more it can have, and what ends that
 * @rate: refusals per second, below 0 if unknown
 */
struct top_row {
	const char *path;
	const struct dmem_pool *pool;
	struct dmem_bound bound;
	double rate;
};

/**
 * struct top_rows - the rows
 * @row: in order
 * @count: how many
 */
struct top_rows {
	struct top_row *row;
	size_t count;
};

/**
 * top_rows_make() - the cgroups that have, had or limit something of a region
 * @before: the sample before, for rates; all zero for none
 * @now: the sample, which must outlive the rows
 * @region: index of the region
 * @sort: their order
 * @reverse: the other way round
 * @rows: filled in; give ->row to free()
 */
void top_rows_make(const struct sample *before, const struct sample *now, size_t region,
		   enum top_sort sort, bool reverse, struct top_rows *rows);

/**
 * top_sort_name() - what an order is called
 * @sort: the order
 *
 * Return: Its name, NULL beyond the last.
 */
const char *top_sort_name(enum top_sort sort);

#endif /* DMEMCTL_TOPROWS_H */
