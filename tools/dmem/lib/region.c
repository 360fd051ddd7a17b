// SPDX-License-Identifier: GPL-2.0-or-later
#include "region.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "value.h"

#define HEAPS		"sys/class/dma_heap"
#define CMA_AREAS	"sys/kernel/mm/cma"

/* The default area has one region and several names for its heap and area. */
#define DEFAULT_REGION	"cma/default_cma_region"
static const char * const default_areas[] = {
	"default_cma_region", "linux,cma", "reserved",
};

static const char * const accounting_names[] = {
	[DMEM_ACCOUNTING_NONE]	 = "none",
	[DMEM_ACCOUNTING_MEMORY] = "memory",
	[DMEM_ACCOUNTING_DMEM]	 = "dmem",
};

const char *dmem_accounting_name(enum dmem_accounting accounting)
{
	return accounting_names[accounting];
}

int dmem_regions_index(const struct dmem_regions *regions, const char *name,
		       size_t len)
{
	size_t low = 0, high = regions->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const char *other = regions->region[middle].name;
		int order = strncmp(name, other, len);

		if (!order && other[len])
			order = -1;
		if (!order)
			return middle;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -1;
}

int dmem_regions_find(const struct dmem_regions *regions, const char *name,
		      struct dmem_error *err)
{
	int index = dmem_regions_index(regions, name, strlen(name));
	size_t i;

	if (index >= 0)
		return index;
	for (i = 0; i < regions->nr_heaps; i++) {
		const struct dmem_heap *heap = &regions->heap[i];

		if (strcmp(heap->name, name))
			continue;
		if (heap->region) {
			index = dmem_regions_index(regions, heap->region,
						   strlen(heap->region));
			if (index >= 0)
				return index;
		}
		dmem_fail(err, ENODEV, "the heap '%s' charges no region that is known here; there are:", name);
		break;
	}
	if (i == regions->nr_heaps)
		dmem_fail(err, ENODEV, "no region '%s'; there are:", name);
	for (i = 0; i < regions->count; i++)
		dmem_error_add(err, "%s %s", i ? "," : "", regions->region[i].name);
	if (!regions->count)
		dmem_error_add(err, " none");
	return -ENODEV;
}

static int by_region(const void *a, const void *b)
{
	return strcmp(((const struct dmem_region *)a)->name,
		      ((const struct dmem_region *)b)->name);
}

static int by_heap(const void *a, const void *b)
{
	return strcmp(((const struct dmem_heap *)a)->name,
		      ((const struct dmem_heap *)b)->name);
}

static int by_string(const void *a, const void *b)
{
	return strcmp(*(char * const *)a, *(char * const *)b);
}

/* One number in a file of its own, as sysfs has them. */
static uint64_t read_number(struct dmem_root *root, int dirfd, const char *path,
			    struct dmem_text *text)
{
	uint64_t value;

	if (dmem_read_at(root, dirfd, path, text))
		return DMEM_UNKNOWN;
	text->data[strcspn(text->data, "\n")] = '\0';
	return dmem_value_parse(text->data, DMEM_UNKNOWN, &value, NULL) ?
		DMEM_UNKNOWN : value;
}

static char *read_word(struct dmem_root *root, int dirfd, const char *path,
		       struct dmem_text *text)
{
	if (dmem_read_at(root, dirfd, path, text))
		return NULL;
	text->data[strcspn(text->data, "\n")] = '\0';
	return *text->data ? dmem_strdup(text->data) : NULL;
}

/* Links in a directory of sysfs, which is closed afterwards. */
static void read_consumers(struct dmem_root *root, int heap_fd,
			   struct dmem_heap *heap)
{
	DIR *dir __close_dir = NULL;
	struct dirent *entry;
	int fd;

	fd = dmem_open_at(root, heap_fd, "consumers", O_DIRECTORY | O_RDONLY);
	if (fd < 0)
		return;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		heap->consumers = dmem_grow(heap->consumers, heap->nr_consumers,
					    sizeof(*heap->consumers));
		heap->consumers[heap->nr_consumers++] = dmem_strdup(entry->d_name);
	}
	if (heap->nr_consumers)
		qsort(heap->consumers, heap->nr_consumers,
		      sizeof(*heap->consumers), by_string);
}

/* What discovery says of a heap. Returns whether it says anything. */
static bool read_heap(struct dmem_root *root, int heap_fd, struct dmem_heap *heap,
		      struct dmem_text *text)
{
	char target[PATH_MAX];
	char *word __free_string = NULL;
	ssize_t len;
	size_t i;

	heap->size = DMEM_UNKNOWN;
	heap->available = DMEM_UNKNOWN;
	heap->alignment = DMEM_UNKNOWN;
	word = read_word(root, heap_fd, "accounting", text);
	if (!word)
		return false;
	for (i = DMEM_ACCOUNTING_NONE; i <= DMEM_ACCOUNTING_DMEM; i++)
		if (!strcmp(word, accounting_names[i]))
			heap->accounting = i;
	heap->region = read_word(root, heap_fd, "region", text);
	heap->size = read_number(root, heap_fd, "size", text);
	heap->available = read_number(root, heap_fd, "available", text);
	heap->alignment = read_number(root, heap_fd, "alignment", text);
	/* a heap of main memory has no size: not the same as an empty one */
	if (!heap->size) {
		heap->size = DMEM_UNKNOWN;
		heap->available = DMEM_UNKNOWN;
	}
	len = readlinkat(heap_fd, "of_node", target, sizeof(target) - 1);
	if (len > 0) {
		target[len] = '\0';
		heap->node = dmem_strdup(strrchr(target, '/') ?
					 strrchr(target, '/') + 1 : target);
	}
	read_consumers(root, heap_fd, heap);
	return true;
}

static char *guess_region(const struct dmem_regions *regions, const char *heap)
{
	char *name = dmem_printf("cma/%s", heap);

	if (dmem_regions_index(regions, name, strlen(name)) >= 0)
		return name;
	free(name);
	return NULL;
}

void dmem_heaps_read(struct dmem_root *root, struct dmem_regions *regions)
{
	struct dmem_text text __cleanup(dmem_text_free) = { 0 };
	DIR *dir __close_dir = NULL;
	struct dirent *entry;
	int fd;

	fd = dmem_open_at(root, root->fd, HEAPS, O_DIRECTORY | O_RDONLY);
	if (fd < 0)
		return;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return;
	}
	while ((entry = readdir(dir))) {
		int heap_fd __close_fd = -1;
		struct dmem_heap *heap;

		if (entry->d_name[0] == '.')
			continue;
		/* gone again since it was listed: not a heap */
		heap_fd = dmem_open_at(root, fd, entry->d_name, O_DIRECTORY | O_RDONLY);
		if (heap_fd < 0)
			continue;
		regions->heap = dmem_grow(regions->heap, regions->nr_heaps,
					  sizeof(*regions->heap));
		heap = &regions->heap[regions->nr_heaps++];
		heap->name = dmem_strdup(entry->d_name);
		if (read_heap(root, heap_fd, heap, &text)) {
			regions->discovery = true;
			continue;
		}
		heap->region = guess_region(regions, heap->name);
	}
	if (regions->nr_heaps)
		qsort(regions->heap, regions->nr_heaps, sizeof(*regions->heap), by_heap);
}

/*
 * Free bytes of a CMA area, if it is the area that the region is: another one of
 * the same name has another size.
 */
static uint64_t area_free(struct dmem_root *root, const char *area, uint64_t size,
			  struct dmem_text *text)
{
	char *total __free_string = dmem_printf(CMA_AREAS "/%s/total_pages", area);
	char *free_pages __free_string = dmem_printf(CMA_AREAS "/%s/available_pages", area);
	uint64_t page = sysconf(_SC_PAGESIZE);
	uint64_t pages;

	pages = read_number(root, root->fd, total, text);
	if (pages == DMEM_UNKNOWN || pages > DMEM_UNKNOWN / page || pages * page != size)
		return DMEM_UNKNOWN;
	pages = read_number(root, root->fd, free_pages, text);
	return pages == DMEM_UNKNOWN || pages > size / page ? DMEM_UNKNOWN : pages * page;
}

static void read_usage(struct dmem_root *root, const struct dmem_regions *regions,
		       struct dmem_region *region, struct dmem_text *text)
{
	uint64_t available = DMEM_UNKNOWN;
	uint64_t taken;
	size_t i;

	region->free = DMEM_UNKNOWN;
	region->cached = DMEM_UNKNOWN;
	region->others = DMEM_UNKNOWN;
	for (i = 0; i < regions->nr_heaps; i++) {
		const struct dmem_heap *heap = &regions->heap[i];

		if (!heap->region || strcmp(heap->region, region->name))
			continue;
		if (available == DMEM_UNKNOWN)
			available = heap->available;
		if (region->size == DMEM_UNKNOWN)
			region->size = heap->size;
	}
	if (region->size == DMEM_UNKNOWN || strncmp(region->name, "cma/", 4))
		return;

	if (!strcmp(region->name, DEFAULT_REGION)) {
		for (i = 0; i < sizeof(default_areas) / sizeof(*default_areas); i++) {
			region->free = area_free(root, default_areas[i],
						 region->size, text);
			if (region->free != DMEM_UNKNOWN)
				break;
		}
	} else {
		region->free = area_free(root, region->name + 4, region->size, text);
	}

	/* the heap counts what it keeps as available, the area as taken */
	if (available != DMEM_UNKNOWN && region->free != DMEM_UNKNOWN)
		region->cached = available > region->free ? available - region->free : 0;
	else if (available != DMEM_UNKNOWN)
		region->free = available;

	if (region->free == DMEM_UNKNOWN || region->charged == DMEM_UNKNOWN)
		return;
	taken = region->free + region->charged +
		(region->cached == DMEM_UNKNOWN ? 0 : region->cached);
	region->others = region->size > taken ? region->size - taken : 0;
}

int dmem_regions_read(struct dmem_root *root, struct dmem_regions *regions,
		      struct dmem_error *err)
{
	struct dmem_text text __cleanup(dmem_text_free) = { 0 };
	char *capacity __free_string = NULL;
	char *current __free_string = NULL;
	struct dmem_name name;
	const char *cursor;
	uint64_t value;
	size_t i;
	int ret;

	*regions = (struct dmem_regions){ 0 };
	ret = dmem_root_need_cgroup(root, err);
	if (ret)
		return ret;

	/* a container sees its own cgroup as the root: no capacity there */
	capacity = dmem_printf("%s/dmem.capacity", root->cgroup);
	current = dmem_printf("%s/dmem.current", root->cgroup);
	ret = dmem_read_at(root, root->fd, capacity, &text);
	regions->capacity = !ret;
	if (ret == -ENOENT)
		ret = dmem_read_at(root, root->fd, current, &text);
	if (ret)
		return dmem_fail(err, -ret, "cannot read %s/%s: %s", root->path,
				 regions->capacity ? capacity : current, strerror(-ret));

	for (cursor = text.data; dmem_file_value(&cursor, &name, &value); ) {
		struct dmem_region *region;

		regions->region = dmem_grow(regions->region, regions->count,
					    sizeof(*regions->region));
		region = &regions->region[regions->count++];
		region->name = dmem_strndup(name.text, name.len);
		region->size = regions->capacity ? value : DMEM_UNKNOWN;
		region->charged = DMEM_UNKNOWN;
	}
	if (regions->count)
		qsort(regions->region, regions->count, sizeof(*regions->region),
		      by_region);

	if (!dmem_read_at(root, root->fd, current, &text)) {
		for (cursor = text.data; dmem_file_value(&cursor, &name, &value); ) {
			int index = dmem_regions_index(regions, name.text, name.len);

			if (index >= 0)
				regions->region[index].charged = value;
		}
	}

	dmem_heaps_read(root, regions);
	for (i = 0; i < regions->count; i++)
		read_usage(root, regions, &regions->region[i], &text);
	return 0;
}

void dmem_regions_free(struct dmem_regions *regions)
{
	size_t i, j;

	for (i = 0; i < regions->count; i++)
		free(regions->region[i].name);
	for (i = 0; i < regions->nr_heaps; i++) {
		struct dmem_heap *heap = &regions->heap[i];

		free(heap->name);
		free(heap->region);
		free(heap->node);
		for (j = 0; j < heap->nr_consumers; j++)
			free(heap->consumers[j]);
		free(heap->consumers);
	}
	free(regions->region);
	free(regions->heap);
	*regions = (struct dmem_regions){ 0 };
}
