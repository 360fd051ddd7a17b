// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dmemctl list: which regions there are and how full they are.
 */
#include <string.h>

#include "dmemctl.h"
#include "memory.h"
#include "region.h"
#include "table.h"
#include "value.h"

enum {
	COL_NAME, COL_SIZE, COL_CHARGED, COL_OTHERS, COL_CACHED, COL_FREE, COL_HEAPS,
	COL_DEVICES, COL_NODE,
};

static const struct column columns[] = {
	[COL_NAME]    = { "NAME", "name", "region, as in dmem files" },
	[COL_SIZE]    = { "SIZE", "size", "how large it is", .right = true },
	[COL_CHARGED] = { "CHARGED", "charged", "charged to cgroups", .right = true },
	[COL_OTHERS]  = { "OTHERS", "others", "taken without a charge, by drivers",
			  .right = true },
	[COL_CACHED]  = { "CACHED", "cached", "freed, kept by the heap to hand out again",
			  .right = true },
	[COL_FREE]    = { "FREE", "free", "nobody's", .right = true },
	[COL_HEAPS]   = { "HEAPS", "heaps", "names in /dev/dma_heap" },
	[COL_DEVICES] = { "DEVICES", "devices", "devices that the memory was given to" },
	[COL_NODE]    = { "NODE", "node", "device tree node that reserves it",
			  .extra = true },
};

/* One more name in a cell that holds several. */
struct names {
	char *text;
	json_object *json;
};

static void add_name(struct names *names, const char *name)
{
	char *longer = dmem_printf("%s%s%s", names->text ?: "", names->text ? "," : "", name);

	if (!names->json)
		names->json = json_object_new_array();
	json_object_array_add(names->json, json_text(name));
	free(names->text);
	names->text = longer;
}

/* "drm/0000:03:00.0/vram0": the device is the name between the slashes. */
static void add_drm_device(struct names *names, const char *region)
{
	char *device __free_string = NULL;
	const char *end;

	if (strncmp(region, "drm/", 4))
		return;
	end = strchr(region + 4, '/');
	if (!end)
		return;
	device = dmem_strndup(region + 4, end - region - 4);
	add_name(names, device);
}

static void fill_row(struct row *row, const struct dmem_regions *regions,
		     const struct dmem_region *region)
{
	struct names heaps = { 0 }, devices = { 0 };
	const char *node = NULL;
	bool known = false;
	size_t i, j;

	row_text(row, COL_NAME, region->name);
	row_size(row, COL_SIZE, region->size);
	row_size(row, COL_CHARGED, region->charged);
	row_size(row, COL_OTHERS, region->others);
	if (region->others != DMEM_UNKNOWN && region->others)
		row_alarm(row, COL_OTHERS);
	row_size(row, COL_CACHED, region->cached);
	row_size(row, COL_FREE, region->free);

	add_drm_device(&devices, region->name);
	for (i = 0; i < regions->nr_heaps; i++) {
		const struct dmem_heap *heap = &regions->heap[i];

		if (!heap->region || strcmp(heap->region, region->name))
			continue;
		add_name(&heaps, heap->name);
		node = node ?: heap->node;
		known = known || heap->accounting != DMEM_ACCOUNTING_UNKNOWN;
		/* two heaps of one region have the same devices */
		for (j = 0; j < heap->nr_consumers && !devices.json; j++)
			for (size_t k = 0; k < heap->nr_consumers; k++)
				add_name(&devices, heap->consumers[k]);
	}
	/* none, and not knowing, are not the same: [] and null */
	if (!devices.json && known)
		devices.json = json_object_new_array();
	if (!heaps.json && (regions->discovery || !strncmp(region->name, "drm/", 4)))
		heaps.json = json_object_new_array();
	row_json(row, COL_HEAPS, heaps.text, heaps.json);
	row_json(row, COL_DEVICES, devices.text, devices.json);
	row_text(row, COL_NODE, node);
	free(heaps.text);
	free(devices.text);
}

/* Plainly what this kernel, or this user, cannot see. */
static void say_unavailable(const struct dmem_regions *regions)
{
	bool cma = false, no_free = false, no_size = false;
	size_t i;

	for (i = 0; i < regions->count; i++) {
		const struct dmem_region *region = &regions->region[i];
		bool is_cma = !strncmp(region->name, "cma/", 4);

		cma = cma || is_cma;
		no_size = no_size || region->size == DMEM_UNKNOWN;
		no_free = no_free || (is_cma && region->free == DMEM_UNKNOWN);
	}
	if (!regions->count)
		note("no regions: this kernel has no carveout or graphics memory that it charges");
	if (regions->nr_heaps && !regions->discovery)
		note("this kernel does not tell which region a heap charges%s",
		     cma ? ": HEAPS are matched by name, DEVICES and CACHED are unknown" : "");
	if (no_size)
		note("sizes are unknown: dmem.capacity is in the root cgroup, which is not visible here");
	if (no_free && !no_size)
		note("OTHERS and FREE are unknown: the kernel has neither discovery nor CONFIG_CMA_SYSFS for every carveout");
}

static int run(struct dmemctl *ctl, int argc, char **argv)
{
	struct dmem_regions regions __cleanup(dmem_regions_free) = { 0 };
	struct dmem_error err = { "" };
	struct table *table;
	size_t i;

	(void)argc, (void)argv;
	table = table_new(ctl, "regions");
	if (!table)
		return MISUSED;
	if (dmem_regions_read(&ctl->root, &regions, &err)) {
		/* heaps are there all the same, and nobody is charged */
		dmem_heaps_read(&ctl->root, &regions);
		fail("%s", err.text);
		for (i = 0; i < regions.nr_heaps; i++)
			note("heap %s: charged to no region", regions.heap[i].name);
		return FAILED;
	}
	for (i = 0; i < regions.count; i++)
		fill_row(table_row(table, NULL), &regions, &regions.region[i]);
	say_unavailable(&regions);
	return table_print(table);
}

const struct verb list_verb = {
	.name = "list",
	.arguments = "",
	.summary = "Regions: size, charged, taken without a charge, free, heaps, devices",
	.details = "SIZE is CHARGED + OTHERS + CACHED + FREE.  \"-\" is unknown, and a note says why.\n",
	.takes = TAKES_TABLE,
	.columns = columns,
	.nr_columns = sizeof(columns) / sizeof(columns[0]),
	.run = run,
};
