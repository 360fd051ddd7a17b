// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Regions, heaps and who has how much, from recorded trees.
 */
#include <errno.h>

#include "check.h"
#include "memory.h"
#include "region.h"
#include "value.h"

static struct dmem_root root;
static struct dmem_regions regions;

static int open_tree(const char *name, struct dmem_error *err)
{
	check_number(dmem_root_open(&root, tree(name), err), 0);
	return dmem_regions_read(&root, &regions, err);
}

static void close_tree(void)
{
	dmem_regions_free(&regions);
	dmem_root_close(&root);
}

/* a kernel that charges, but does not say which heap charges what */
static void without_discovery(void)
{
	const struct dmem_region *video;
	struct dmem_error err = { "" };

	check_number(open_tree("carveouts", &err), 0);
	check(!regions.discovery, "that kernel had none");
	check(regions.capacity, "the root says how large they are");
	check_number(regions.count, 2);
	check_text(regions.region[0].name, "cma/display");
	check_text(regions.region[1].name, "cma/video");
	video = &regions.region[1];
	check_number(video->size, 64 << 20);
	check_number(video->charged, 10244096);
	check_number(video->free, 13883 * 4096);
	check_number(video->cached, DMEM_UNKNOWN);
	/* all that is taken is charged */
	check_number(video->others, 0);

	check_number(regions.nr_heaps, 3);
	check_text(regions.heap[0].name, "display");
	check_text(regions.heap[0].region, "cma/display");
	check_number(regions.heap[0].accounting, DMEM_ACCOUNTING_UNKNOWN);
	check_text(regions.heap[1].name, "system");
	check(!regions.heap[1].region, "no region has that name");
	close_tree();
}

static void find(void)
{
	struct dmem_error err = { "" };

	check_number(open_tree("carveouts", &err), 0);
	check_number(dmem_regions_find(&regions, "cma/video", &err), 1);
	check_number(dmem_regions_find(&regions, "video", &err), 1);
	/* what exists is listed */
	check_number(dmem_regions_find(&regions, "vide", &err), -ENODEV);
	check_names(&err, "'vide'");
	check_names(&err, "cma/display, cma/video");
	check_number(dmem_regions_find(&regions, "cma/videos", &err), -ENODEV);
	check_number(dmem_regions_find(&regions, "", &err), -ENODEV);
	/* a heap, but one that charges no region */
	check_number(dmem_regions_find(&regions, "system", &err), -ENODEV);
	check_names(&err, "'system' charges no region");
	check_number(dmem_regions_index(&regions, "cma/video and more", 9), 1);
	close_tree();
}

/* heaps are there without the controller */
static void disabled(void)
{
	struct dmem_error err = { "" };

	check_number(open_tree("disabled", &err), -ENOENT);
	check_number(regions.count, 0);
	dmem_heaps_read(&root, &regions);
	check_number(regions.nr_heaps, 3);
	check_text(regions.heap[2].name, "video");
	check(!regions.heap[2].region, "charged to nothing");
	close_tree();
}

CHECK_MAIN(CASE(without_discovery), CASE(find), CASE(disabled))
