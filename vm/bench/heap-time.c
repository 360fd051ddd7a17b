// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Take the times of a CMA heap in the guest, whatever kernel it is.
 *
 *	heap-time HEAP [RECYCLER]
 *
 * RECYCLER is the heap's folder in /sys/kernel/mm/cma_recycle; without it there
 * is nothing to turn off or on.  Prints lines of
 *
 *	heap WHAT SIZE VALUE
 *
 * with nanoseconds (instructions under -icount), page faults, or bytes: the least
 * of several rounds.  WHAT ending in "-again" is with memory to be recycled,
 * everything else without.
 */

#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <linux/dma-heap.h>

#define IMPORTER	"/sys/kernel/debug/dma_buf_importer/"
#define LARGE		(64UL << 20)

static int heap;
static const char *recycler;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

static void keep_least(uint64_t *least, uint64_t value)
{
	if (value < *least)
		*least = value;
}

static const char *size_name(unsigned long bytes)
{
	return bytes == LARGE ? "64M" : bytes == 1 << 20 ? "1M" : "4K";
}

static void print(const char *what, unsigned long bytes, uint64_t value)
{
	printf("heap %s %s %llu\n", what, size_name(bytes), (unsigned long long)value);
}

static int allocate(unsigned long bytes)
{
	struct dma_heap_allocation_data data = {
		.len = bytes, .fd_flags = O_RDWR | O_CLOEXEC,
	};

	if (ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data))
		err(1, "%lu bytes", bytes);
	return data.fd;
}

/* Empties the recycler too, if there is one. */
static void recycle(const char *percent)
{
	char name[256];
	int fd;

	if (!recycler)
		return;
	snprintf(name, sizeof(name), "%s/max_percent", recycler);
	fd = open(name, O_WRONLY);
	if (fd < 0 || write(fd, "0", 1) != 1 || write(fd, percent, strlen(percent)) < 0)
		err(1, "%s", name);
	close(fd);
}

/* a number that follows a word in a file */
static uint64_t number_of(const char *name, const char *word)
{
	unsigned long long value;
	char line[256], format[64];
	FILE *file = fopen(name, "r");

	if (!file)
		err(1, "%s", name);
	snprintf(format, sizeof(format), "%s %%llu", word);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, format, &value) == 1) {
			fclose(file);
			return value;
		}
	}
	errx(1, "%s: no %s", name, word);
}

static uint64_t faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

static void time_mapping(unsigned long bytes, const char *percent, const char *suffix)
{
	uint64_t touch = UINT64_MAX, fault = UINT64_MAX, table = UINT64_MAX;
	uint64_t take = UINT64_MAX, drop = UINT64_MAX, start, start_faults, start_table;
	char what[32];

	recycle(percent);
	for (int round = 0; round < 5; round++) {
		volatile char *map;
		int fd;

		start = now();
		fd = allocate(bytes);
		/* the first one with a recycler has nothing to recycle */
		if (!*suffix || round)
			keep_least(&take, now() - start);

		start_faults = faults();
		start_table = number_of("/proc/self/status", "VmPTE:");
		start = now();
		map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (map == MAP_FAILED)
			err(1, "mmap");
		for (unsigned long at = 0; at < bytes; at += 4096)
			map[at] = 1;
		keep_least(&touch, now() - start);
		keep_least(&fault, faults() - start_faults);
		keep_least(&table, (number_of("/proc/self/status", "VmPTE:") - start_table) * 1024);

		start = now();
		munmap((void *)map, bytes);
		close(fd);
		keep_least(&drop, now() - start);
	}
	if (!*suffix) {
		print("touch", bytes, touch);
		print("touch-faults", bytes, fault);
		print("touch-tables", bytes, table);
	}
	snprintf(what, sizeof(what), "allocate%s", suffix);
	print(what, bytes, take);
	snprintf(what, sizeof(what), "drop%s", suffix);
	print(what, bytes, drop);
}

static void time_cycle(unsigned long bytes, const char *percent, const char *suffix)
{
	uint64_t least = UINT64_MAX;
	char what[32];

	recycle(percent);
	for (int round = 0; round < 30; round++) {
		uint64_t start = now();

		close(allocate(bytes));
		if (!*suffix || round)
			keep_least(&least, now() - start);
	}
	snprintf(what, sizeof(what), "cycle%s", suffix);
	print(what, bytes, least);
}

/* What any dma-buf of that size costs, made of pages that are just there. */
static void time_system(unsigned long bytes)
{
	uint64_t least = UINT64_MAX;
	int ours = heap;

	heap = open("/dev/dma_heap/system", O_RDWR | O_CLOEXEC);
	if (heap < 0)
		err(1, "/dev/dma_heap/system");
	for (int round = 0; round < 30; round++) {
		uint64_t start = now();

		close(allocate(bytes));
		keep_least(&least, now() - start);
	}
	close(heap);
	heap = ours;
	print("system", bytes, least);
}

static void time_import(const char *device, unsigned long bytes, const char *what)
{
	uint64_t least = UINT64_MAX;
	char name[128], command[32];
	int fd, buffer = allocate(bytes);

	snprintf(name, sizeof(name), IMPORTER "%s", device);
	fd = open(name, O_RDWR);
	if (fd < 0)
		err(1, "%s", name);
	snprintf(command, sizeof(command), "import %d", buffer);
	if (write(fd, command, strlen(command)) < 0)
		err(1, "%s: %s", name, command);
	for (int round = 0; round < 5; round++) {
		unsigned long long cycles, ns;
		char text[256];
		ssize_t n;

		if (write(fd, "cycles 10", 9) < 0)
			err(1, "%s: cycles", name);
		n = pread(fd, text, sizeof(text) - 1, 0);
		text[n < 0 ? 0 : n] = '\0';
		if (sscanf(text, "cycles %llu\nns %llu", &cycles, &ns) != 2)
			errx(1, "%s: said '%s'", name, text);
		keep_least(&least, ns / cycles);
	}
	close(fd);
	close(buffer);
	print(what, bytes, least);
}

/* Pages of slab memory, those that CPUs have not added up yet included. */
static uint64_t slab_pages(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_WRONLY);

	/* a kernel for one CPU has nothing to add up */
	if (fd < 0 && errno != ENOENT)
		err(1, "stat_refresh");
	if (fd >= 0 && write(fd, "1", 1) != 1)
		err(1, "stat_refresh");
	if (fd >= 0)
		close(fd);
	return number_of("/proc/vmstat", "nr_slab_unreclaimable");
}

/* What the kernel allocates for itself when it allocates a buffer. */
static void size_overhead(unsigned long bytes)
{
	uint64_t least = UINT64_MAX;

	recycle("0");
	for (int round = 0; round < 5; round++) {
		uint64_t start = slab_pages();
		int fd = allocate(bytes);

		keep_least(&least, slab_pages() - start);
		close(fd);
	}
	print("overhead", bytes, least * sysconf(_SC_PAGESIZE));
}

int main(int argc, char **argv)
{
	static const unsigned long sizes[] = { 4096, 1 << 20, LARGE };

	if (argc < 2)
		errx(2, "see the head of heap-time.c");
	heap = open(argv[1], O_RDWR | O_CLOEXEC);
	if (heap < 0)
		err(1, "%s", argv[1]);
	recycler = argv[2];

	for (int i = 0; i < 3; i++) {
		time_mapping(sizes[i], "0", "");
		time_cycle(sizes[i], "0", "");
		size_overhead(sizes[i]);
		if (recycler) {
			time_mapping(sizes[i], "50", "-again");
			time_cycle(sizes[i], "50", "-again");
		}
		time_system(sizes[i]);
	}
	if (!access(IMPORTER "coherent", F_OK)) {
		for (int i = 0; i < 3; i += 2) {
			time_import("coherent", sizes[i], "import");
			time_import("noncoherent", sizes[i], "import-noncoherent");
		}
	}
	return 0;
}
