// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What changed between two samples, and the rows of top.
 */
#include "check.h"
#include "sample.h"
#include "toprows.h"
#include "value.h"

#define NR	4

static struct dmem_pool pools[2][NR];
static struct dmem_cgroup cgroups[2][NR];
static struct dmem_region region = {
	.name = (char *)"cma/video", .size = 100 << 20, .charged = 30 << 20,
	.free = 70 << 20, .cached = DMEM_UNKNOWN,
};
static size_t order[2][NR];

/* sorted by path as the walk gives them: "/", "/a", "/a/b", "/c" */
static struct sample make(int which, const char * const *paths, size_t count, double seconds)
{
	struct sample sample = {
		.seconds = seconds,
		.regions = { .region = &region, .count = 1 },
		.cgroups = { .cgroup = cgroups[which], .count = count },
		.by_path = order[which],
	};
	size_t i;

	for (i = 0; i < count; i++) {
		pools[which][i] = (struct dmem_pool){
			.current = 0, .peak = 0, .max = DMEM_MAX,
			.events = { 0, 0 }, .local = { 0, 0 },
		};
		cgroups[which][i] = (struct dmem_cgroup){
			.path = (char *)paths[i], .enabled = true, .pool = &pools[which][i],
			.parent = i ? 0 : -1,
		};
		order[which][i] = i;
	}
	return sample;
}

static const char * const all[] = { "/", "/a", "/a/b", "/c" };
static const char * const fewer[] = { "/", "/a", "/c" };

static void new_counts(void)
{
	struct sample before = make(0, fewer, 3, 10), now = make(1, all, 4, 12);
	struct sample none = { 0 };

	pools[0][1].local.max = 5;
	pools[1][1].local = (struct dmem_counts){ 8, 1 };
	pools[1][2].local.max = 4;
	pools[0][2].local.max = 7;
	pools[1][3].local.max = 2;
	check_number(sample_new_counts(&before, &now, 1, 0).max, 3);
	check_number(sample_new_counts(&before, &now, 1, 0).low, 1);
	/* was not there before */
	check_number(sample_new_counts(&before, &now, 2, 0).max, 4);
	/* removed and made again: all it has is new */
	check_number(sample_new_counts(&before, &now, 3, 0).max, 2);
	/* the first sample of all: what happened before it is not news */
	check_number(sample_new_counts(&none, &now, 1, 0).max, 0);
	check_number(sample_new_counts(NULL, &now, 1, 0).max, 0);
	pools[1][1].local.max = DMEM_UNKNOWN;
	check_number(sample_new_counts(&before, &now, 1, 0).max, 0);
}

static void check_order(const struct sample *before, const struct sample *now,
			enum top_sort sort, bool reverse, const char *expected)
{
	struct top_rows rows;
	char seen[64] = "";
	size_t i;

	top_rows_make(before, now, 0, sort, reverse, &rows);
	for (i = 0; i < rows.count; i++) {
		strcat(seen, i ? " " : "");
		strcat(seen, rows.row[i].path);
	}
	check(!strcmp(seen, expected), "by %s: seen '%s', expected '%s'",
	      top_sort_name(sort), seen, expected);
	free(rows.row);
}

/* the root has no limit; /a: 10 of 20, 2 a second; /a/b: 10 of 11; /c: nothing */
static void rows(void)
{
	struct sample before = make(0, all, 4, 10), now = make(1, all, 4, 12);
	struct top_rows rows;

	pools[1][0].current = 30 << 20;
	pools[1][0].max = pools[1][0].peak = DMEM_UNKNOWN;
	pools[1][0].local.max = DMEM_UNKNOWN;
	pools[1][1].current = 10 << 20;
	pools[1][1].peak = 15 << 20;
	pools[1][1].max = 20 << 20;
	pools[1][1].local.max = 4;
	pools[1][2].current = 10 << 20;
	pools[1][2].peak = 12 << 20;
	pools[1][2].max = 11 << 20;
	pools[0][2].local.max = pools[1][2].local.max = 9;

	check_order(&before, &now, TOP_CURRENT, false, "/ /a /a/b");
	check_order(&before, &now, TOP_CURRENT, true, "/a/b /a /");
	check_order(&before, &now, TOP_PEAK, false, "/a /a/b /");
	check_order(&before, &now, TOP_MAX, false, "/ /a/b /a");
	check_order(&before, &now, TOP_SHARE, false, "/a/b /a /");
	check_order(&before, &now, TOP_RATE, false, "/a /a/b /");
	check_order(&before, &now, TOP_REFUSED, false, "/a/b /a /");
	check_order(&before, &now, TOP_NAME, false, "/ /a /a/b");

	top_rows_make(&before, &now, 0, TOP_NAME, false, &rows);
	check_number(rows.count, 3);
	if (rows.count == 3) {
		check(rows.row[0].rate < 0, "unknown for the root: %f", rows.row[0].rate);
		check(rows.row[1].rate == 2, "%f", rows.row[1].rate);
		check(rows.row[2].rate == 0, "%f", rows.row[2].rate);
		check_number(rows.row[0].bound.room, 70 << 20);
		check_number(rows.row[2].bound.room, 1 << 20);
	}
	free(rows.row);
	/* without an earlier sample there is no rate */
	top_rows_make(NULL, &now, 0, TOP_NAME, false, &rows);
	check(rows.count == 3 && rows.row[1].rate < 0, "a rate out of nothing");
	free(rows.row);
}

CHECK_MAIN(CASE(new_counts), CASE(rows))
