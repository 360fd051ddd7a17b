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

/* discovery, drivers that take memory without a charge, freed memory kept */
static void discovery(void)
{
	const struct dmem_region *display, *video;
	const struct dmem_heap *heap;
	struct dmem_error err = { "" };

	check_number(open_tree("board", &err), 0);
	check(regions.discovery, "that kernel has it");
	check_number(regions.count, 2);
	display = &regions.region[0];
	video = &regions.region[1];
	/* in order of name, whatever the kernel's order */
	check_text(display->name, "cma/display@50000000");
	check_number(video->size, 64 << 20);
	check_number(video->charged, 14 << 20);
	check_number(video->free, 38 << 20);
	check_number(video->cached, 4 << 20);
	check_number(video->others, 8 << 20);
	check_number(video->charged + video->free + video->cached + video->others, video->size);
	/* without CMA's own number cached and free are one */
	check_number(display->cached, DMEM_UNKNOWN);
	check_number(display->free, 28 << 20);
	check_number(display->others, 0);

	check_number(regions.nr_heaps, 4);
	heap = &regions.heap[3];
	check_text(heap->name, "video@58000000");
	check_number(heap->accounting, DMEM_ACCOUNTING_DMEM);
	check_text(heap->region, "cma/video@58000000");
	check_text(heap->node, "video@58000000");
	check_number(heap->alignment, 4096);
	check_number(heap->nr_consumers, 2);
	check_text(heap->consumers[0], "platform:camera");
	check_text(heap->consumers[1], "platform:video-codec");
	heap = &regions.heap[2];
	check_text(heap->name, "system");
	check_number(heap->accounting, DMEM_ACCOUNTING_MEMORY);
	check(!heap->region, "'%s'", heap->region);
	check_number(heap->size, DMEM_UNKNOWN);
	check_number(regions.heap[1].accounting, DMEM_ACCOUNTING_NONE);
	close_tree();
}

/* stock 7.3 and a graphics card */
static void graphics(void)
{
	struct dmem_error err = { "" };

	check_number(open_tree("gpu", &err), 0);
	check_number(regions.count, 1);
	check_text(regions.region[0].name, "drm/0000:03:00.0/vram0");
	check_number(regions.region[0].size, 17163091968);
	check_number(regions.region[0].charged, 4294967296);
	check_number(regions.region[0].free, DMEM_UNKNOWN);
	check_number(regions.region[0].others, DMEM_UNKNOWN);
	close_tree();
}

/* a cgroup namespace has no dmem.capacity, but still regions */
static void container(void)
{
	struct dmem_error err = { "" };

	check_number(open_tree("container", &err), 0);
	check(!regions.capacity, "there is none");
	check_number(regions.count, 1);
	check_number(regions.region[0].size, DMEM_UNKNOWN);
	check_number(regions.region[0].charged, 1 << 20);
	close_tree();
}

CHECK_MAIN(CASE(discovery), CASE(graphics), CASE(container), CASE(without_discovery), CASE(find), CASE(disabled))
