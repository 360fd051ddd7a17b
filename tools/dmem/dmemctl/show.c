// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dmemctl show: the tree of cgroups with what each has of each region, its limits,
 * and which of them bind.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "cgroup.h"
#include "dmemctl.h"
#include "memory.h"
#include "region.h"
#include "table.h"
#include "unit.h"
#include "value.h"

enum {
	COL_CGROUP, COL_REGION, COL_CURRENT, COL_PEAK, COL_MIN, COL_LOW, COL_MAX,
	COL_REFUSED, COL_ROOM, COL_BOUND_BY, COL_EVENTS, COL_EVICTED, COL_PATH,
};

static const struct column columns[] = {
	[COL_CGROUP]   = { "CGROUP", "name", "region, and cgroups as a tree below it", .tree = true },
	[COL_REGION]   = { "REGION", "region", "region", .extra = true },
	[COL_CURRENT]  = { "CURRENT", "current", "charged here and below", .right = true },
	[COL_PEAK]     = { "PEAK", "peak", "the most so far", .right = true },
	[COL_MIN]      = { "MIN", "min", "protected from eviction", .right = true },
	[COL_LOW]      = { "LOW", "low", "protected as far as possible", .right = true },
	[COL_MAX]      = { "MAX", "max", "limit; \"!\" behind it: it binds, nothing more fits",
			   .right = true },
	[COL_REFUSED]  = { "REFUSED", "refused", "how often this limit refused", .right = true },
	[COL_ROOM]     = { "ROOM", "room", "how much more can be had", .right = true },
	[COL_BOUND_BY] = { "BOUND-BY", "bound_by", "whose limit ends it; (region): there is no more of it" },
	[COL_EVENTS]   = { "REFUSED-BELOW", "refused_below", "refusals here and below",
			   .right = true, .extra = true },
	[COL_EVICTED]  = { "EVICTED", "evicted", "evictions of what LOW should have kept",
			   .right = true, .extra = true },
	[COL_PATH]     = { "PATH", "cgroup", "path from the cgroup mount point", .extra = true },
};

enum { OPT_ALL = 'a', OPT_REGION = 'r' };

static const struct opt options[] = {
	{ OPT_ALL, "all", NULL, "also cgroups that have, had and limit nothing" },
	{ OPT_REGION, "region", "REGION", "this region (or heap) alone" },
	{ 0 },
};

static bool show_all;
static const char *region_name;
static const char *where;

static int take_opt(struct dmemctl *ctl, int letter, const char *arg)
{
	switch (letter) {
	case OPT_ALL:
		show_all = true;
		return 0;
	case OPT_REGION:
		region_name = arg;
		return 0;
	default:
		if (where)
			return misused(ctl->verb, "one unit or cgroup, not '%s' too", arg);
		where = arg;
		return 0;
	}
}

/* Somebody has, had, may or may not have something. */
static bool has_something(const struct dmem_pool *pool)
{
	return (pool->current && pool->current != DMEM_UNKNOWN) ||
	       (pool->peak && pool->peak != DMEM_UNKNOWN) ||
	       (pool->max != DMEM_MAX && pool->max != DMEM_UNKNOWN) ||
	       (pool->low && pool->low != DMEM_UNKNOWN) ||
	       (pool->min && pool->min != DMEM_UNKNOWN) ||
	       (pool->events.max && pool->events.max != DMEM_UNKNOWN) ||
	       (pool->events.low && pool->events.low != DMEM_UNKNOWN);
}

/* The smallest amount that is charged, of a carveout at least. */
static bool binds(const struct dmem_pool *pool)
{
	return pool->max != DMEM_MAX && pool->max != DMEM_UNKNOWN &&
	       pool->current != DMEM_UNKNOWN && pool->current + 4096 > pool->max;
}

static void fill_row(const struct dmemctl *ctl, struct row *row,
		     const struct dmem_region *region, const struct dmem_cgroup *cgroup,
		     const struct dmem_pool *pool, const struct dmem_bound *bound,
		     const char *name)
{
	char size[DMEM_SIZE_TEXT];

	row_json(row, COL_CGROUP, name, json_text(cgroup->path[1] ? name : "/"));
	row_text(row, COL_REGION, region->name);
	row_text(row, COL_PATH, cgroup->path);
	row_size(row, COL_CURRENT, pool->current);
	row_size(row, COL_PEAK, pool->peak);
	row_size(row, COL_MIN, pool->min);
	row_size(row, COL_LOW, pool->low);
	row_size(row, COL_MAX, pool->max);
	if (binds(pool)) {
		char *marked __free_string =
			dmem_printf("%s!", size_text(ctl, size, pool->max));

		row_json(row, COL_MAX, marked, json_size(pool->max));
		row_alarm(row, COL_MAX);
	}
	row_count(row, COL_REFUSED, pool->local.max);
	if (pool->local.max && pool->local.max != DMEM_UNKNOWN)
		row_alarm(row, COL_REFUSED);
	row_count(row, COL_EVENTS, pool->events.max);
	row_count(row, COL_EVICTED, pool->events.low);
	row_size(row, COL_ROOM, bound->room == DMEM_MAX ? DMEM_UNKNOWN : bound->room);
	if (bound->room != DMEM_MAX && bound->cgroup)
		row_text(row, COL_BOUND_BY, bound->cgroup);
	else if (bound->room != DMEM_MAX)
		row_json(row, COL_BOUND_BY, "(region)", json_text(region->name));
	if (bound->room < 4096)
		row_alarm(row, COL_ROOM);
}

/* The bound that those above the first cgroup make. */
static struct dmem_bound bound_above(struct dmem_root *root,
				     const struct dmem_regions *regions, int region,
				     const char *path, struct dmem_cgroups *above)
{
	struct dmem_bound bound = dmem_bound_region(&regions->region[region]);
	const char *slash = path;
	size_t i;

	/* read once, for all regions */
	while (!above->count || slash) {
		char *upper __free_string = NULL;

		slash = strchr(slash + 1, '/');
		if (!slash)
			break;
		upper = dmem_strndup(path, slash - path);
		above->cgroup = dmem_grow(above->cgroup, above->count, sizeof(*above->cgroup));
		if (!dmem_cgroup_read(root, regions, upper,
				      DMEM_READ_CURRENT | DMEM_READ_MAX,
				      &above->cgroup[above->count]))
			above->count++;
	}
	for (i = 0; i < above->count; i++)
		bound = dmem_bound_add(bound, above->cgroup[i].path,
				       &above->cgroup[i].pool[region]);
	return bound;
}

static void add_region(struct dmemctl *ctl, struct table *table,
		       const struct dmem_regions *regions, int region,
		       const struct dmem_cgroups *cgroups, struct dmem_cgroups *above)
{
	struct dmem_bound *bound __free_string = calloc(cgroups->count, sizeof(*bound));
	struct row **row __free_string = calloc(cgroups->count, sizeof(*row));
	bool *shown __free_string = calloc(cgroups->count, sizeof(*shown));
	const struct dmem_cgroup *cgroup;
	struct row *top = NULL;
	size_t i;

	if (!bound || !row || !shown)
		exit(fail("%s", strerror(ENOMEM)));

	/* the region's own row is the root's; people see it also without the root */
	if (cgroups->count && cgroups->cgroup[0].path[1] && !ctl->json) {
		struct dmem_bound whole = dmem_bound_region(&regions->region[region]);

		top = table_row(table, NULL);
		row_text(top, COL_CGROUP, regions->region[region].name);
		row_text(top, COL_REGION, regions->region[region].name);
		row_text(top, COL_PATH, "/");
		row_size(top, COL_CURRENT, regions->region[region].charged);
		if (whole.room != DMEM_MAX) {
			row_size(top, COL_ROOM, whole.room);
			row_text(top, COL_BOUND_BY, "(region)");
		}
	}

	/* those with something, and whoever is above them */
	for (i = cgroups->count; i-- > 0; ) {
		cgroup = &cgroups->cgroup[i];
		shown[i] = shown[i] || show_all || !i ||
			   (cgroup->enabled && has_something(&cgroup->pool[region]));
		if (shown[i] && cgroup->parent >= 0)
			shown[cgroup->parent] = true;
	}

	for (i = 0; i < cgroups->count; i++) {
		const struct dmem_pool *pool;

		cgroup = &cgroups->cgroup[i];
		if (!cgroup->enabled)
			continue;
		pool = &cgroup->pool[region];
		bound[i] = cgroup->parent >= 0 ? bound[cgroup->parent] :
			   bound_above(&ctl->root, regions, region, cgroup->path, above);
		bound[i] = dmem_bound_add(bound[i], cgroup->path, pool);
		if (!shown[i])
			continue;
		row[i] = table_row(table, cgroup->parent >= 0 ? row[cgroup->parent] : top);
		fill_row(ctl, row[i], &regions->region[region], cgroup, pool, &bound[i],
			 cgroup->parent >= 0 ? strrchr(cgroup->path, '/') + 1 :
			 cgroup->path[1] ? cgroup->path : regions->region[region].name);
	}
}

/*
 * A cgroup without dmem files is charged with the nearest above that has them.
 * @path is made that one.
 */
static void go_up(const struct dmemctl *ctl, const struct dmem_regions *regions,
		  char **path)
{
	char *asked __free_string = dmem_strdup(*path);
	struct dmem_cgroup cgroup;

	while ((*path)[1]) {
		char *slash = strrchr(*path, '/');
		bool enabled;

		if (dmem_cgroup_read((struct dmem_root *)&ctl->root, regions, *path,
				     DMEM_READ_CURRENT, &cgroup))
			break;
		enabled = cgroup.enabled;
		dmem_cgroup_free(&cgroup);
		if (enabled)
			break;
		slash[slash == *path] = '\0';
	}
	if (strcmp(asked, *path))
		note("%s has no dmem files (dmemctl set enables the controller): its processes are charged to %s",
		     asked, *path);
}

static void say_unavailable(const struct dmem_regions *regions,
			    const struct dmem_cgroups *cgroups)
{
	bool events = false, peak = false, limited = false;
	size_t i, j;

	for (i = 0; i < cgroups->count; i++) {
		if (!cgroups->cgroup[i].enabled || !cgroups->cgroup[i].path[1])
			continue;
		for (j = 0; j < regions->count; j++) {
			const struct dmem_pool *pool = &cgroups->cgroup[i].pool[j];

			limited = true;
			events = events || pool->local.max != DMEM_UNKNOWN;
			peak = peak || pool->peak != DMEM_UNKNOWN;
		}
	}
	if (!regions->count)
		note("no regions: this kernel has no carveout or graphics memory that it charges");
	else if (!limited && cgroups->count && !cgroups->cgroup[0].path[1] &&
		 cgroups->cgroup[0].enabled &&
		 cgroups->cgroup[0].pool[0].max == DMEM_UNKNOWN)
		note("no cgroup below the root has the dmem controller: nothing is limited (dmemctl set enables it)");
	if (limited && !events)
		note("REFUSED is unknown: this kernel has no dmem.events");
	if (limited && !peak)
		note("PEAK is unknown: this kernel has no dmem.peak");
}

static int run(struct dmemctl *ctl, int argc, char **argv)
{
	struct dmem_regions regions __cleanup(dmem_regions_free) = { 0 };
	struct dmem_cgroups cgroups __cleanup(dmem_cgroups_free) = { 0 };
	struct dmem_cgroups above __cleanup(dmem_cgroups_free) = { 0 };
	char *path __free_string = NULL;
	struct dmem_error err = { "" };
	struct table *table;
	int region = -1;
	size_t i;

	(void)argc, (void)argv;
	table = table_new(ctl, "pools");
	if (!table)
		return MISUSED;
	if (dmem_regions_read(&ctl->root, &regions, &err))
		return fail("%s", err.text);
	if (region_name) {
		region = dmem_regions_find(&regions, region_name, &err);
		if (region < 0)
			return fail("%s", err.text);
	}
	if (dmem_unit_resolve(&ctl->root, where ?: "/", &path, &err))
		return fail("%s", err.text);
	go_up(ctl, &regions, &path);
	if (dmem_cgroups_read(&ctl->root, &regions, path, DMEM_READ_ALL, &cgroups, &err))
		return fail("%s", err.text);

	for (i = 0; i < regions.count; i++)
		if (region < 0 || region == (int)i)
			add_region(ctl, table, &regions, i, &cgroups, &above);
	say_unavailable(&regions, &cgroups);
	return table_print(table);
}

const struct verb show_verb = {
	.name = "show",
	.arguments = "[UNIT or CGROUP]",
	.summary = "Who has how much, under which limits, and which of them bind",
	.details =
		"For each region the tree of cgroups: all of it, or from UNIT or CGROUP down.  A\n"
		"refused allocation counts in REFUSED of the cgroup whose limit it was.  What\n"
		"a parent has beyond its children is its own processes', or that of removed\n"
		"cgroups whose buffers live on.\n",
	.takes = TAKES_TABLE,
	.options = options,
	.columns = columns,
	.nr_columns = sizeof(columns) / sizeof(columns[0]),
	.take_opt = take_opt,
	.run = run,
};
