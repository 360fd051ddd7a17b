// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings of CMA heaps' buffers: that a fault maps all that it can and nothing
 * that it must not, that what is mapped are the right pages with the right
 * protection whatever was done to the mapping before, and that buffers are
 * placed where they can be mapped with huge pages.
 *
 * Where buffers are is asked of the importer selftest module. Without it the
 * cases about that are skipped.
 *
 * A "table" here is what one page table maps, which is also what a huge page
 * (a PMD) maps.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
/* /proc/self/mem is read at addresses */
#define _FILE_OFFSET_BITS	64

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "kselftest.h"
#include "lib/cma_heap_cases.h"
#include "lib/cma_heap_util.h"
#include "lib/importer.h"

#define CASE_SECONDS	60
#define MIB		(1024ULL * 1024)
#define RW		(PROT_READ | PROT_WRITE)

static struct dmem_sandbox sb;
static __u64 page, table;

/* What can be learnt about a mapping */

static __u64 minor_faults(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage))
		case_fail("getrusage: %s", strerror(errno));
	return usage.ru_minflt;
}

/* A page is accessed in each of this many tables */
static __u64 tables_of(const char *map, __u64 bytes)
{
	unsigned long start = (unsigned long)map / table;
	unsigned long end = ((unsigned long)map + bytes - 1) / table;

	return end - start + 1;
}

/* Memory of this process that is page tables, in KiB */
static __u64 table_kib(void)
{
	unsigned long long kib;
	char *line = NULL;
	bool found = false;
	size_t size = 0;
	FILE *file;

	file = fopen("/proc/self/status", "r");
	if (!file)
		case_fail("/proc/self/status: %s", strerror(errno));
	while (!found && getline(&line, &size, file) > 0)
		found = sscanf(line, "VmPTE: %llu kB", &kib) == 1;
	fclose(file);
	free(line);
	if (!found)
		case_fail("/proc/self/status has no VmPTE");
	return kib;
}

/* Long enough for whole tables, with something before and behind them */
static __u64 long_buffer(const struct cma_heap *heap)
{
	__u64 bytes = 3 * table + 5 * page;

	if (bytes > heap->size / 2)
		case_skip(&sb, "the area is too small");
	return bytes;
}

/* Cases */

/*
 * Writing to all pages of a mapping takes one fault for each table, whether it
 * is the first access or not: no other fault makes a page writable or dirty.
 */
static void test_faults(const struct cma_heap *heap)
{
	const __u64 lengths[] = { page, 1 * MIB, 3 * table + 5 * page, 0 };
	__u64 before, seen, bytes, at;
	unsigned int i, reads;
	int fd, sum = 0;
	char *map;

	cma_heap_own_cgroup(&sb);
	for (i = 0; lengths[i] && lengths[i] <= heap->size / 2; i++) {
		bytes = lengths[i];
		for (reads = 0; reads < 2; reads++) {
			fd = alloc_buffer(heap, bytes);
			map = map_buffer_prot(fd, bytes, 0, RW);
			before = minor_faults();
			if (reads)
				for (at = 0; at < bytes; at += page)
					sum += load_byte(map + at);
			for (at = 0; at < bytes; at += page)
				store_byte(map + at, 1);
			seen = minor_faults() - before;
			if (seen > tables_of(map, bytes))
				case_fail("%llu bytes in %llu tables: %llu faults",
					  (unsigned long long)bytes,
					  (unsigned long long)tables_of(map, bytes),
					  (unsigned long long)seen);
			expect_value("what was read", sum, 0);
			munmap(map, bytes);
			close(fd);
		}
	}
}

/*
 * A buffer that begins at a huge page's boundary is mapped by huge pages, as far
 * as it has whole ones: they need no page tables.
 */
static void test_huge(const struct cma_heap *heap)
{
	__u64 bytes, before, seen;
	char *map;
	int fd;

	cma_heap_own_cgroup(&sb);
	if (!has_huge_pages())
		case_skip(&sb, "no huge pages");
	bytes = heap->size / 2 / table * table;
	if (bytes < 4 * table)
		case_skip(&sb, "the area is too small");
	fd = alloc_buffer(heap, bytes);
	map = map_buffer_prot(fd, bytes, 0, RW);
	expect_value("address within a huge page", (unsigned long)map % table, 0);
	before = table_kib();
	pattern_write(map, bytes, 0, 1);
	seen = table_kib() - before;
	if (importer_frame(&sb, fd) % (table / page))
		case_skip(&sb, "the buffer does not begin at a huge page");
	/* The upper levels of the address may be new; the lowest must not be */
	if (seen >= bytes / table * page / 1024)
		case_fail("%llu KiB of page tables for %llu huge pages",
			  (unsigned long long)seen,
			  (unsigned long long)(bytes / table));
	pattern_check(map, bytes, 0, 1);
}

/*
 * The pages of a buffer are contiguous, and the mapping has them in the order
 * that the kernel sees.
 */
static void test_frames(const struct cma_heap *heap)
{
	int fd, importer;
	__u64 bytes;
	char *map;

	cma_heap_own_cgroup(&sb);
	importer = importer_open(&sb, "coherent");
	bytes = long_buffer(heap);
	fd = alloc_buffer(heap, bytes);
	importer_frame(&sb, fd);
	importer_number(importer, "import", fd, 0);
	importer_expect(importer, "vmap", 0);

	map = map_buffer_prot(fd, bytes, 0, RW);
	pattern_write(map, bytes, 0, 1);
	importer_number(importer, "cpu-check", 1, 0);
	importer_number(importer, "cpu-check", 2, EILSEQ);
	importer_number(importer, "cpu-write", 3, 0);
	pattern_check(map, bytes, 0, 3);
}

/*
 * Any part of a buffer can be mapped at any address. Both are tried around the
 * bounds of tables, where mapping around a fault could go wrong.
 */
static void test_offsets(const struct cma_heap *heap)
{
	const __u64 last = table / page - 1;
	const __u64 starts[] = { 0, 1, 7, last, last + 1, last + 2 };
	const __u64 lengths[] = { 1, 2, last, last + 1, last + 2, 2 * last + 2 };
	unsigned int s, l, a;
	char *whole, *place, *map;
	__u64 bytes, from, len;
	int fd;

	cma_heap_own_cgroup(&sb);
	bytes = long_buffer(heap);
	fd = alloc_buffer(heap, bytes);
	whole = map_buffer_prot(fd, bytes, 0, RW);
	pattern_write(whole, bytes, 0, 2);
	place = reserve_addresses(bytes + 2 * table, table);
	for (s = 0; s < ARRAY_SIZE(starts); s++) {
		for (l = 0; l < ARRAY_SIZE(lengths); l++) {
			from = starts[s] * page;
			len = lengths[l] * page;
			if (from + len > bytes)
				continue;
			for (a = 0; a < ARRAY_SIZE(starts); a++) {
				map = map_buffer_over(place + starts[a] * page,
						      fd, len, from);
				/* First from the end: what is before is mapped */
				pattern_check(map + len - page, page,
					      from + len - page, 2);
				pattern_check(map, len, from, 2);
				pattern_write(map, len, from, 3);
				pattern_check(whole + from, len, from, 3);
				pattern_write(whole + from, len, from, 2);
				if (mmap(map, len, PROT_NONE, MAP_FIXED |
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != map)
					case_fail("mmap: %s", strerror(errno));
			}
		}
	}
	pattern_check(whole, bytes, 0, 2);
}

/*
 * Two buffers and memory of the process share a table. A fault in one of them
 * maps nothing where the others are, though its buffer goes on there.
 */
static void test_neighbours(const struct cma_heap *heap)
{
	const __u64 part = 16 * page;
	char *place, *one, *two, *own;
	__u64 bytes = 64 * page;
	int first, second;

	cma_heap_own_cgroup(&sb);
	first = alloc_buffer(heap, bytes);
	second = alloc_buffer(heap, bytes);
	place = reserve_addresses(table, table) + 32 * page;
	own = mmap(place, part, RW, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (own != place)
		case_fail("mmap: %s", strerror(errno));
	one = map_buffer_over(place + part, first, part, part);
	two = map_buffer_over(place + 2 * part, second, part, part);

	store_byte(one + 8 * page, 1);
	pattern_write(own, part, 0, 4);
	pattern_write(two, part, 0, 5);
	pattern_write(one, part, 0, 6);
	pattern_check(own, part, 0, 4);
	pattern_check(two, part, 0, 5);
	pattern_check(one, part, 0, 6);
	expect_value("signal before", signal_of_access(own - 1, false), SIGSEGV);
	expect_value("signal behind", signal_of_access(two + part, false),
		     SIGSEGV);

	/* What is put into a hole stays there */
	munmap(one + 4 * page, 4 * page);
	expect_value("signal in the hole",
		     signal_of_access(one + 5 * page, false), SIGSEGV);
	own = mmap(one + 4 * page, 4 * page, RW,
		   MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (own != one + 4 * page)
		case_fail("mmap: %s", strerror(errno));
	pattern_write(one + 8 * page, 8 * page, 8 * page, 7);
	expect_value("own memory", load_byte(own), 0);
	pattern_check(one, 4 * page, 0, 6);
	pattern_check(two, part, 0, 5);
}

/*
 * The last table of a buffer is mapped as far as the buffer goes. Whoever has
 * the pages behind it notices nothing.
 */
static void test_end(const struct cma_heap *heap)
{
	__u64 bytes, next_bytes = 8 * page;
	char *map, *next;
	int fd, next_fd;

	cma_heap_own_cgroup(&sb);
	bytes = long_buffer(heap);
	fd = alloc_buffer(heap, bytes);
	next_fd = alloc_buffer(heap, next_bytes);
	next = map_buffer_prot(next_fd, next_bytes, 0, RW);
	pattern_write(next, next_bytes, 0, 8);
	map = map_buffer_prot(fd, bytes, 0, RW);
	expect_value("signal of the last byte",
		     signal_of_access(map + bytes - 1, true), 0);
	pattern_write(map, bytes, 0, 9);
	pattern_check(next, next_bytes, 0, 8);
	pattern_check(map, bytes, 0, 9);
}

/*
 * A mapping that may only be read, or a part of it, is only read, before and
 * after it was touched; what is around keeps its own protection.
 */
static void test_protection(const struct cma_heap *heap)
{
	__u64 bytes, at;
	char *map, *ro;
	int fd;

	cma_heap_own_cgroup(&sb);
	bytes = long_buffer(heap);
	fd = alloc_buffer(heap, bytes);
	map = map_buffer_prot(fd, bytes, 0, RW);
	pattern_write(map, bytes, 0, 10);

	ro = map_buffer_prot(fd, bytes, 0, PROT_READ);
	pattern_check(ro, page, 0, 10);
	for (at = 0; at < bytes; at += table / 4)
		expect_value("signal of a write",
			     signal_of_access(ro + at, true), SIGSEGV);
	pattern_check(ro, bytes, 0, 10);
	if (mprotect(ro, bytes, RW))
		case_fail("mprotect: %s", strerror(errno));
	pattern_write(ro, bytes, 0, 11);
	pattern_check(map, bytes, 0, 11);

	/* Within one table, and across two */
	for (at = 5 * page; at < 2 * table; at += table) {
		const __u64 part = at < table ? 3 * page : table;

		if (mprotect(map + at, part, PROT_READ))
			case_fail("mprotect: %s", strerror(errno));
		expect_value("signal before",
			     signal_of_access(map + at - 1, true), 0);
		expect_value("signal of a write",
			     signal_of_access(map + at, true), SIGSEGV);
		expect_value("signal of a write",
			     signal_of_access(map + at + part - 1, true), SIGSEGV);
		expect_value("signal behind",
			     signal_of_access(map + at + part, true), 0);
		if (mprotect(map + at, part, PROT_NONE))
			case_fail("mprotect: %s", strerror(errno));
		expect_value("signal of a read",
			     signal_of_access(map + at, false), SIGSEGV);
		pattern_check(map, at, 0, 11);
		pattern_check(map + at + part, bytes - at - part, at + part, 11);
		if (mprotect(map + at, part, RW))
			case_fail("mprotect: %s", strerror(errno));
		pattern_check(map, bytes, 0, 11);
	}
	pattern_write(map, bytes, 0, 12);
	pattern_check(ro, bytes, 0, 12);
}

/* A mapping that was cut, moved or shrunk shows what it showed before */
static void test_cut_and_moved(const struct cma_heap *heap)
{
	const __u64 shifts[] = { 0, page, table - page, table / 2 };
	__u64 bytes, from, len;
	char *map, *place;
	unsigned int i;
	int fd;

	cma_heap_own_cgroup(&sb);
	bytes = long_buffer(heap);
	fd = alloc_buffer(heap, bytes);
	place = reserve_addresses(bytes + 2 * table, table);
	for (i = 0; i < ARRAY_SIZE(shifts); i++) {
		map = map_buffer_prot(fd, bytes, 0, RW);
		pattern_write(map, bytes, 0, 13);

		/* A hole in a table, then all from there to another table */
		from = table + 9 * page;
		munmap(map + from, page);
		expect_value("signal in the hole",
			     signal_of_access(map + from, false), SIGSEGV);
		pattern_check(map, from, 0, 13);
		pattern_check(map + from + page, bytes - from - page,
			      from + page, 13);
		len = table + page;
		munmap(map + from + page, len);
		pattern_check(map, from, 0, 13);
		pattern_check(map + from + page + len,
			      bytes - from - page - len, from + page + len, 13);
		munmap(map + from + page + len, bytes - from - page - len);

		/* To an address that suits huge pages, or that does not */
		if (mremap(map, from, from, MREMAP_MAYMOVE | MREMAP_FIXED,
			   place + shifts[i]) != place + shifts[i])
			case_fail("mremap: %s", strerror(errno));
		pattern_check(place + shifts[i], from, 0, 13);
		expect_value("signal at the old place",
			     signal_of_access(map, false), SIGSEGV);
		/* Half of it again, from the middle of a table */
		if (mremap(place + shifts[i] + 3 * page, table, table,
			   MREMAP_MAYMOVE | MREMAP_FIXED, map) != map)
			case_fail("mremap: %s", strerror(errno));
		pattern_check(map, table, 3 * page, 13);
		pattern_check(place + shifts[i], 3 * page, 0, 13);
		pattern_write(map, table, 3 * page, 14);
		if (mremap(map, table, 5 * page, 0) != map)
			case_fail("mremap to less: %s", strerror(errno));
		pattern_check(map, 5 * page, 3 * page, 14);
		munmap(map, 5 * page);
		munmap(place + shifts[i], from);
	}
}

/* Children share the pages, and what they unmap is theirs alone */
static void test_fork(const struct cma_heap *heap)
{
	__u64 bytes;
	pid_t pid;
	char *map;
	int fd;

	cma_heap_own_cgroup(&sb);
	bytes = long_buffer(heap);
	fd = alloc_buffer(heap, bytes);
	map = map_buffer_prot(fd, bytes, 0, RW);
	/* Partly touched: the rest is the child's first fault, and the parent's */
	pattern_write(map, table, 0, 15);
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		case_fail("fork: %s", strerror(errno));
	if (!pid) {
		pattern_check(map, table, 0, 15);
		munmap(map + 7 * page, page);
		pattern_write(map + table, bytes - table, table, 15);
		mprotect(map, 5 * page, PROT_READ);
		exit(KSFT_PASS);
	}
	expect_exit(pid, KSFT_PASS);
	pattern_check(map, bytes, 0, 15);
	pattern_write(map, bytes, 0, 16);

	if (madvise(map, bytes, MADV_DONTFORK))
		case_fail("MADV_DONTFORK: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		case_fail("fork: %s", strerror(errno));
	if (!pid)
		exit(signal_of_access(map, false) == SIGSEGV ? KSFT_PASS : KSFT_FAIL);
	expect_exit(pid, KSFT_PASS);
	pattern_check(map, bytes, 0, 16);
}

/* Advice is taken or refused as for any device memory, and loses nothing */
static void test_advice(const struct cma_heap *heap)
{
	const struct {
		int advice;
		const char *name;
		int error;
	} rows[] = {
		{ MADV_NORMAL, "NORMAL", 0 },
		{ MADV_RANDOM, "RANDOM", 0 },
		{ MADV_SEQUENTIAL, "SEQUENTIAL", 0 },
		{ MADV_DONTNEED, "DONTNEED", EINVAL },
		{ MADV_FREE, "FREE", EINVAL },
		{ MADV_COLD, "COLD", EINVAL },
		{ MADV_PAGEOUT, "PAGEOUT", EINVAL },
		{ MADV_REMOVE, "REMOVE", ENODEV },
		{ MADV_DODUMP, "DODUMP", EINVAL },
		{ MADV_WIPEONFORK, "WIPEONFORK", EINVAL },
	};
	__u64 bytes, before, seen;
	unsigned int i;
	char *map;
	int fd;

	cma_heap_own_cgroup(&sb);
	bytes = long_buffer(heap);
	fd = alloc_buffer(heap, bytes);
	map = map_buffer_prot(fd, bytes, 0, RW);
	pattern_write(map, bytes, 0, 17);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		seen = madvise(map, bytes, rows[i].advice) ? errno : 0;
		expect_value(rows[i].name, seen, rows[i].error);
		pattern_check(map, bytes, 0, 17);
	}
	munmap(map, bytes);

	if (!has_huge_pages())
		return;
	/* Without huge pages a table at a time is mapped: as many faults */
	map = map_buffer_prot(fd, bytes, 0, RW);
	if (madvise(map, bytes, MADV_NOHUGEPAGE))
		case_fail("NOHUGEPAGE: %s", strerror(errno));
	before = minor_faults();
	pattern_check(map, bytes, 0, 17);
	pattern_write(map, bytes, 0, 18);
	seen = minor_faults() - before;
	if (seen > tables_of(map, bytes))
		case_fail("%llu faults for %llu tables",
			  (unsigned long long)seen,
			  (unsigned long long)tables_of(map, bytes));
	if (madvise(map, bytes, MADV_HUGEPAGE))
		case_fail("HUGEPAGE: %s", strerror(errno));
	pattern_check(map, bytes, 0, 18);
}

/* A process that wants no huge pages has none, and the same contents */
static void test_thp_disabled(const struct cma_heap *heap)
{
	__u64 bytes, before, seen, tables;
	char *map;
	int fd;

	cma_heap_own_cgroup(&sb);
	if (!has_huge_pages())
		case_skip(&sb, "no huge pages");
	if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
		case_fail("PR_SET_THP_DISABLE: %s", strerror(errno));
	bytes = heap->size / 2 / table * table;
	fd = alloc_buffer(heap, bytes);
	map = map_buffer_prot(fd, bytes, 0, RW);
	before = table_kib();
	pattern_write(map, bytes, 0, 19);
	seen = table_kib() - before;
	tables = tables_of(map, bytes);
	if (seen < tables * page / 1024)
		case_fail("%llu KiB of page tables for %llu tables",
			  (unsigned long long)seen, (unsigned long long)tables);
	pattern_check(map, bytes, 0, 19);
}

/*
 * The kernel may be the one who touches a page first. What needs the page
 * itself, rather than its contents, is refused.
 */
static void test_kernel_access(const struct cma_heap *heap)
{
	char *map, small[64];
	int fd, ends[2], mem;
	__u64 bytes;

	cma_heap_own_cgroup(&sb);
	bytes = long_buffer(heap);
	fd = alloc_buffer(heap, bytes);
	if (pipe(ends))
		case_fail("pipe: %s", strerror(errno));

	map = map_buffer_prot(fd, bytes, 0, RW);
	if (write(ends[1], map + table - 32, 64) != 64)
		case_fail("write from a buffer: %s", strerror(errno));
	memset(small, 1, sizeof(small));
	if (read(ends[0], map + 2 * table - 32, 64) != 64)
		case_fail("read to a buffer: %s", strerror(errno));
	pattern_write(map, bytes, 0, 20);
	pattern_check(map, bytes, 0, 20);

	mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	if (mem < 0)
		case_fail("/proc/self/mem: %s", strerror(errno));
	expect_value("reading /proc/self/mem",
		     pread(mem, small, sizeof(small), (unsigned long)map) < 0 ?
		     errno : 0, EIO);
}

/* Many threads fault on the same tables while others change the mapping */
#define THREADS	4

static struct race {
	char *map;
	__u64 bytes;
	bool stop;
} race;

static void *race_writer(void *arg)
{
	const unsigned long number = (unsigned long)arg;
	__u64 at;

	for (at = number * page; at < race.bytes; at += THREADS * page)
		store_byte(race.map + at, at / page + 1);
	return NULL;
}

static void *race_protect(void *arg __maybe_unused)
{
	__u64 at = 0;

	/* Readable and writable all along: nobody may get a signal */
	while (!__atomic_load_n(&race.stop, __ATOMIC_RELAXED)) {
		at = (at + 13 * page) % (race.bytes - 4 * page);
		at -= at % page;
		mprotect(race.map + at, 3 * page, RW | PROT_EXEC);
		mprotect(race.map + at, 3 * page, RW);
	}
	return NULL;
}

static void test_race(const struct cma_heap *heap)
{
	pthread_t writers[THREADS], other;
	unsigned int round;
	unsigned long i;
	__u64 at;
	int fd;

	cma_heap_own_cgroup(&sb);
	race.bytes = long_buffer(heap);
	fd = alloc_buffer(heap, race.bytes);
	for (round = 0; round < 30; round++) {
		race.map = map_buffer_prot(fd, race.bytes, 0, RW);
		race.stop = false;
		if (pthread_create(&other, NULL, race_protect, NULL))
			case_fail("no thread");
		for (i = 0; i < THREADS; i++)
			if (pthread_create(&writers[i], NULL, race_writer, (void *)i))
				case_fail("no thread");
		for (i = 0; i < THREADS; i++)
			pthread_join(writers[i], NULL);
		__atomic_store_n(&race.stop, true, __ATOMIC_RELAXED);
		pthread_join(other, NULL);
		for (at = 0; at < race.bytes; at += page)
			expect_value("byte", load_byte(race.map + at),
				     (char)(at / page + 1));
		memset(race.map, 0, race.bytes);
		munmap(race.map, race.bytes);
	}
}

/*
 * A buffer that holds a huge page begins with one, though smaller ones are in
 * its way; where there is no such place it is put elsewhere, and the last page
 * of the area can be had.
 */
static void test_placement(const struct cma_heap *heap)
{
	enum { MAX = 256 };
	int fds[MAX], small, large, odd;
	unsigned int count, wanted, i;
	__u64 frames = table / page;

	cma_heap_own_cgroup(&sb);
	if (!cma_heap_is_free(&sb, heap))
		case_skip(&sb, "others may use this area");
	if (heap->size < 8 * table || heap->size / table > MAX)
		case_skip(&sb, "the area is too small or too large");
	if (!has_huge_pages())
		case_skip(&sb, "no huge pages");

	small = alloc_buffer(heap, page);
	large = alloc_buffer(heap, table);
	expect_value("first frame of a huge page, in it",
		     importer_frame(&sb, large) % frames, 0);
	close(large);
	large = alloc_buffer(heap, 8 * table + page);
	expect_value("first frame of eight huge pages, in the first",
		     importer_frame(&sb, large) % frames, 0);
	close(large);

	/* Frames of 1080p, which would leave half a huge page behind each */
	wanted = (heap->size - MIB) / (3 * MIB);
	count = cma_heap_fill(heap, 3 * MIB - 8 * page, fds, MAX, wanted);
	expect_value("frames", count, wanted);
	cma_heap_drain(fds, count);

	/* All that is whole goes to huge pages, and all that is left to others */
	count = cma_heap_fill(heap, table, fds, MAX, heap->size / table - 1);
	expect_value("huge pages", count, heap->size / table - 1);
	for (i = 0; i < count; i++)
		expect_value("first frame of a huge page, in it",
			     importer_frame(&sb, fds[i]) % frames, 0);
	expect_alloc(heap, table, ENOMEM);
	large = expect_alloc(heap, table / 2, 0);
	close(large);
	cma_heap_drain(fds, count);
	close(small);

	/* One that fits, but only where no huge page begins */
	odd = alloc_buffer(heap, 1 * MIB);
	large = expect_alloc(heap, heap->size - 1 * MIB, 0);
	if (!(importer_frame(&sb, large) % frames))
		case_fail("it begins with a huge page: not what is to be tested");
	pattern_write(map_buffer_prot(large, heap->size - MIB, 0, RW),
		      heap->size - MIB, 0, 21);
	close(large);
	close(odd);
}

static const struct cma_heap_case cases[] = {
	{ test_faults,		"faults" },
	{ test_huge,		"huge" },
	{ test_frames,		"frames" },
	{ test_offsets,		"offsets" },
	{ test_neighbours,	"neighbours" },
	{ test_end,		"end" },
	{ test_protection,	"protection" },
	{ test_cut_and_moved,	"cut_and_moved" },
	{ test_fork,		"fork" },
	{ test_advice,		"advice" },
	{ test_thp_disabled,	"thp_disabled" },
	{ test_kernel_access,	"kernel_access" },
	{ test_race,		"race" },
	{ test_placement,	"placement" },
};

int main(void)
{
	page = page_size();
	/* Entries are 8 bytes; 32-bit arm pairs tables to the same effect */
	table = page * (page / 8);
	cma_heap_run_cases("cma_heap_map_test", &sb, cases, ARRAY_SIZE(cases),
			   CASE_SECONDS);
}
