/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which regions there are, how full they are, and which heaps and devices they
 * belong to.
 *
 * Regions are the lines of the root's dmem.capacity.  Heaps are the directories
 * of /sys/class/dma_heap; a kernel with discovery says there which region each
 * one charges.  On a kernel without, a heap is taken to charge the region that
 * has its name ("cma/<heap>"), if there is one and /sys/kernel/mm/cma has an area
 * of that name: see &dmem_regions.discovery.
 */
#ifndef DMEM_REGION_H
#define DMEM_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dmemfile.h"
#include "error.h"
#include "root.h"

/**
 * enum dmem_accounting - who is charged for memory of a heap
 * @DMEM_ACCOUNTING_UNKNOWN: the kernel does not say
 * @DMEM_ACCOUNTING_NONE: nobody
 * @DMEM_ACCOUNTING_MEMORY: the cgroup that allocates, in its memory.current
 * @DMEM_ACCOUNTING_DMEM: the cgroup that allocates, in its dmem.current
 */
enum dmem_accounting {
	DMEM_ACCOUNTING_UNKNOWN,
	DMEM_ACCOUNTING_NONE,
	DMEM_ACCOUNTING_MEMORY,
	DMEM_ACCOUNTING_DMEM,
};

/**
 * struct dmem_heap - one of /dev/dma_heap
 * @name: its name there
 * @accounting: who is charged
 * @region: dmem region that is charged, NULL if none is or nobody can say
 * @size: bytes, %DMEM_UNKNOWN for a heap without a size of its own
 * @available: bytes that could be had if they were in one piece, or
 *	       %DMEM_UNKNOWN
 * @alignment: what sizes are rounded up to, or %DMEM_UNKNOWN
 * @node: name of the device tree node that reserves the memory, or NULL
 * @consumers: devices that the memory was given to, sorted
 * @nr_consumers: how many
 */
struct dmem_heap {
	char *name;
	enum dmem_accounting accounting;
	char *region;
	uint64_t size;
	uint64_t available;
	uint64_t alignment;
	char *node;
	char **consumers;
	size_t nr_consumers;
};

/**
 * struct dmem_region - memory that is charged and limited as a whole
 * @name: as in dmem files
 * @size: bytes, %DMEM_UNKNOWN inside a container, which cannot read the root's
 *	  dmem.capacity, and without discovery
 * @charged: bytes charged to cgroups, or %DMEM_UNKNOWN
 * @free: bytes that nobody has, or %DMEM_UNKNOWN
 * @cached: freed bytes that the heap keeps to hand out again, charged to nobody
 *	    and given up when anybody needs them, or %DMEM_UNKNOWN
 * @others: bytes taken without a charge, by drivers; or %DMEM_UNKNOWN
 *
 * The four add up to the size where all are known.  They are read one after the
 * other while the system runs, so that a moment's allocation can be missing in
 * one and present in another; nothing is shown below zero for that.
 */
struct dmem_region {
	char *name;
	uint64_t size;
	uint64_t charged;
	uint64_t free;
	uint64_t cached;
	uint64_t others;
};

/**
 * struct dmem_regions - all of them
 * @region: the regions, sorted by name
 * @count: how many
 * @heap: the heaps, sorted by name
 * @nr_heaps: how many
 * @discovery: the kernel says which region a heap charges
 * @capacity: the root's dmem.capacity could be read
 */
struct dmem_regions {
	struct dmem_region *region;
	size_t count;
	struct dmem_heap *heap;
	size_t nr_heaps;
	bool discovery;
	bool capacity;
};

/**
 * dmem_regions_read() - find all regions and heaps
 * @root: the system
 * @regions: filled in; pass it to dmem_regions_free() whatever is returned
 * @err: takes the message
 *
 * No region at all is a success: a kernel may have none.  Heaps and areas that
 * cannot be read leave what they would say unknown.
 *
 * Return: 0, or a negative errno if there is no dmem (see
 * dmem_root_need_cgroup()) or its files cannot be read.
 */
int dmem_regions_read(struct dmem_root *root, struct dmem_regions *regions,
		      struct dmem_error *err);

/**
 * dmem_heaps_read() - find all heaps, also where there is no dmem
 * @root: the system
 * @regions: its heaps are filled in; regions that are there already are used to
 *	     guess what a heap charges
 *
 * dmem_regions_read() does it itself where it succeeds.
 */
void dmem_heaps_read(struct dmem_root *root, struct dmem_regions *regions);

/**
 * dmem_regions_free() - forget them
 * @regions: what was filled in, or all zero; all zero afterwards
 */
void dmem_regions_free(struct dmem_regions *regions);

/**
 * dmem_regions_index() - a region by its exact name
 * @regions: the regions
 * @name: the name, without a NUL behind it
 * @len: its length
 *
 * Return: Its index, -1 if there is none.
 */
int dmem_regions_index(const struct dmem_regions *regions, const char *name,
		       size_t len);

/**
 * dmem_regions_find() - a region as people name it
 * @regions: the regions
 * @name: a region's name, or the name of a heap that charges one
 * @err: takes the message, which lists what exists
 *
 * Return: Its index, or -%ENODEV.
 */
int dmem_regions_find(const struct dmem_regions *regions, const char *name,
		      struct dmem_error *err);

/**
 * dmem_accounting_name() - as the kernel writes it
 * @accounting: who is charged
 *
 * Return: "dmem", "memory" or "none"; NULL if unknown.
 */
const char *dmem_accounting_name(enum dmem_accounting accounting);

#endif /* DMEM_REGION_H */
