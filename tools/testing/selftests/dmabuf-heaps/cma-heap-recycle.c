// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that goes from one buffer of a CMA heap to the next: that it does, that
 * it is bounded, zeroed and charged to nobody meanwhile, that it goes back to
 * CMA when it should, and that no allocation from the area, whoever makes it,
 * fails for it.
 *
 * What is held, and why it went, is read from /sys/kernel/mm/cma_recycle. Other
 * users of the area are played by the cma_recycle_selftest module, frames are
 * asked of importer_selftest; cases that need one of them are skipped without.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "kselftest.h"
#include "lib/cma_heap_cases.h"
#include "lib/cma_heap_util.h"
#include "lib/importer.h"
#include "lib/repeatable.h"

#define CASE_SECONDS	120
#define MIB		(1024ULL * 1024)
#define RW		(PROT_READ | PROT_WRITE)
#define RECYCLE_DIR	"/sys/kernel/mm/cma_recycle"
#define SELFTEST_DIR	"/sys/kernel/debug/cma_recycle_selftest"
#define NEVER_MS	"2147483647"

static struct dmem_sandbox sb;
static __u64 page;
static char *own;

/* Files of the cache */

static void knob_path(char *path, size_t size, const struct cma_heap *heap,
		      const char *knob)
{
	/* The default area has the name of its region */
	snprintf(path, size, RECYCLE_DIR "/%s/%s",
		 heap->is_default ? CMA_HEAP_DEFAULT : heap->name, knob);
}

/* 0, or the errno */
static int knob_try(const struct cma_heap *heap, const char *knob,
		    const char *value)
{
	char path[PATH_MAX];
	int fd, ret = 0;

	knob_path(path, sizeof(path), heap, knob);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		case_fail("%s: %s", path, strerror(errno));
	if (write(fd, value, strlen(value)) < 0)
		ret = errno;
	close(fd);
	return ret;
}

static void knob_write(const struct cma_heap *heap, const char *knob,
		       const char *value)
{
	int ret = knob_try(heap, knob, value);

	if (ret)
		case_fail("%s: %s: %s", knob, value, strerror(ret));
}

static __u64 knob_read(const struct cma_heap *heap, const char *knob)
{
	char path[PATH_MAX], text[32] = "";
	int fd;

	knob_path(path, sizeof(path), heap, knob);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		case_fail("%s: %s", path, strerror(errno));
	close(fd);
	return strtoull(text, NULL, 10);
}

static void knob_expect_at(const char *func, int line,
			   const struct cma_heap *heap, const char *knob,
			   __u64 want)
{
	expect_value_at(func, line, knob, knob_read(heap, knob), want);
}

#define knob_expect(heap, knob, want) \
	knob_expect_at(__func__, __LINE__, heap, knob, want)

/* Something that happens by itself before long */
static void knob_expect_soon_at(const char *func, int line,
				const struct cma_heap *heap, const char *knob,
				__u64 want)
{
	__u64 end = deadline();

	while (knob_read(heap, knob) != want)
		if (!sleep_until(end))
			break;
	knob_expect_at(func, line, heap, knob, want);
}

#define knob_expect_soon(heap, knob, want) \
	knob_expect_soon_at(__func__, __LINE__, heap, knob, want)

/* Charges */

static void expect_charge_at(const char *func, int line,
			     const struct cma_heap *heap, __u64 want)
{
	if (!sb.accounting || !heap->region[0])
		return;
	expect_dmem_at(func, line, own, "dmem.current", heap, want);
	expect_dmem_at(func, line, sb.root, "dmem.current", heap, want);
}

#define expect_charge(heap, want) \
	expect_charge_at(__func__, __LINE__, heap, want)

/* An empty cache that may hold @percent, and from which nothing goes by time */
static void setup_share(const struct cma_heap *heap, const char *percent)
{
	char path[PATH_MAX];

	own = cma_heap_own_cgroup(&sb);
	knob_path(path, sizeof(path), heap, "held_bytes");
	if (access(path, F_OK))
		case_skip(&sb, "nothing is recycled here");
	knob_write(heap, "max_percent", "0");
	knob_expect(heap, "held_bytes", 0);
	knob_write(heap, "max_percent", percent);
	knob_write(heap, "idle_ms", NEVER_MS);
}

static void setup(const struct cma_heap *heap)
{
	setup_share(heap, "100");
}

/* All of the area is ours, and in one piece */
static void need_whole_area(const struct cma_heap *heap)
{
	if (!cma_heap_is_free(&sb, heap))
		case_skip(&sb, "others may use this area");
}

/* So it is, it has room for several huge pages of this size, and they are used */
static void need_huge_pages(const struct cma_heap *heap, __u64 huge)
{
	need_whole_area(heap);
	if (heap->size < 8 * huge)
		case_skip(&sb, "the area is too small");
	if (!has_huge_pages())
		case_skip(&sb, "no huge pages");
}

static void expect_zero(int fd, __u64 bytes)
{
	char *map = map_buffer_prot(fd, bytes, 0, RW);
	const unsigned long *word = (const unsigned long *)map;
	const unsigned long *end = (const unsigned long *)(map + bytes);

	while (word < end && !*word)
		word++;
	if (word < end)
		case_fail("byte %zu: expected 0, seen 0x%lx",
			  (size_t)((const char *)word - map), *word);
	munmap(map, bytes);
}

static void make_dirty(int fd, __u64 bytes)
{
	char *map = map_buffer_prot(fd, bytes, 0, RW);

	memset(map, 0xa5, bytes);
	munmap(map, bytes);
}

/* A buffer of this size that was, so that the cache holds its memory */
static void leave_memory(const struct cma_heap *heap, __u64 bytes)
{
	int fd = alloc_buffer(heap, bytes);

	make_dirty(fd, bytes);
	close(fd);
}

/* Cases */

/*
 * The memory of a freed buffer is held, at nobody's charge, and is the next
 * buffer's. Each allocation is a hit or a miss.
 */
static void test_reuse(const struct cma_heap *heap)
{
	const __u64 lengths[] = { page, 5 * page, MIB + page, heap->size / 4 };
	__u64 hits, misses, bytes, frame;
	unsigned int i;
	int fd;

	setup(heap);
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		bytes = page_round(lengths[i]);
		knob_write(heap, "max_percent", "0");
		knob_write(heap, "max_percent", "100");
		hits = knob_read(heap, "hits");
		misses = knob_read(heap, "misses");
		fd = alloc_buffer(heap, bytes);
		frame = importer_frame(&sb, fd);
		knob_expect(heap, "misses", misses + 1);
		knob_expect(heap, "held_bytes", 0);
		expect_charge(heap, bytes);
		close(fd);
		knob_expect(heap, "held_bytes", bytes);
		expect_charge(heap, 0);

		fd = alloc_buffer(heap, bytes);
		knob_expect(heap, "hits", hits + 1);
		knob_expect(heap, "misses", misses + 1);
		knob_expect(heap, "held_bytes", 0);
		expect_charge(heap, bytes);
		expect_value("frame", importer_frame(&sb, fd), frame);
		close(fd);
		knob_expect(heap, "held_bytes", bytes);
	}
}

/* What is cut off or merged, and what is as it was, has been zeroed */
static void test_zeroed(const struct cma_heap *heap)
{
	const __u64 bytes = 16 * page;
	int fds[4], fd;
	unsigned int i;

	setup(heap);
	leave_memory(heap, bytes);
	fd = alloc_buffer(heap, bytes);
	expect_zero(fd, bytes);
	make_dirty(fd, bytes);
	close(fd);
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = alloc_buffer(heap, bytes / 4);
		expect_zero(fds[i], bytes / 4);
		make_dirty(fds[i], bytes / 4);
	}
	cma_heap_drain(fds, ARRAY_SIZE(fds));
	fd = alloc_buffer(heap, bytes);
	expect_zero(fd, bytes);
	close(fd);
}

/*
 * Smaller buffers are cut off a larger piece, and it is whole again when they
 * are gone, in whatever order.
 */
static void test_split_and_merge(const struct cma_heap *heap)
{
	static const unsigned int orders[][4] = {
		{ 0, 1, 2, 3 }, { 3, 2, 1, 0 }, { 1, 3, 0, 2 }, { 2, 0, 3, 1 },
	};
	const __u64 bytes = 4 * MIB;
	__u64 misses, split, frame;
	unsigned int o, i;
	int fds[4], fd;

	setup(heap);
	need_whole_area(heap);
	fd = alloc_buffer(heap, bytes);
	frame = importer_frame(&sb, fd);
	close(fd);
	misses = knob_read(heap, "misses");
	split = knob_read(heap, "given_back_split");
	for (o = 0; o < ARRAY_SIZE(orders); o++) {
		for (i = 0; i < 4; i++) {
			fds[i] = alloc_buffer(heap, MIB);
			knob_expect(heap, "held_bytes", bytes - (i + 1) * MIB);
		}
		for (i = 0; i < 4; i++) {
			close(fds[orders[o][i]]);
			knob_expect(heap, "held_bytes", (i + 1) * MIB);
		}
		fd = alloc_buffer(heap, bytes);
		expect_value("frame", importer_frame(&sb, fd), frame);
		close(fd);
	}
	knob_expect(heap, "misses", misses);
	knob_expect(heap, "given_back_split", split);
}

/* What takes place in one area, with a cache and without */
#define STEPS		400
#define LIVE		24
#define FRAMES_NONE	(~0ULL)

/* Where buffers of all sizes end up that come and go as @seed says */
static void place_buffers(const struct cma_heap *heap, unsigned int seed,
			  __u64 *frames)
{
	static const unsigned int pages[] = { 1, 1, 2, 3, 16, 17, 64, 256, 512 };
	int fds[LIVE], fd;
	unsigned int i, slot;
	__u64 bytes;

	for (slot = 0; slot < LIVE; slot++)
		fds[slot] = -1;
	for (i = 0; i < STEPS; i++) {
		slot = rand_r(&seed) % LIVE;
		bytes = pages[rand_r(&seed) % ARRAY_SIZE(pages)] * page;
		if (rand_r(&seed) % 16 == 0)
			bytes = page_round(heap->size / 8);
		frames[i] = FRAMES_NONE;
		if (fds[slot] >= 0) {
			close(fds[slot]);
			fds[slot] = -1;
			continue;
		}
		fd = cma_heap_alloc(heap, bytes);
		if (fd < 0)
			continue;
		fds[slot] = fd;
		frames[i] = importer_frame(&sb, fd);
	}
	for (slot = 0; slot < LIVE; slot++)
		if (fds[slot] >= 0)
			close(fds[slot]);
}

/* With a cache each buffer is where it would be without: no new fragments */
static void test_placement(const struct cma_heap *heap)
{
	static __u64 without[STEPS], with[STEPS];
	unsigned int seed, i;
	__u64 hits;

	setup(heap);
	need_whole_area(heap);
	hits = knob_read(heap, "hits");
	for (seed = 1; seed <= 3; seed++) {
		knob_write(heap, "max_percent", "0");
		place_buffers(heap, seed, without);
		knob_write(heap, "max_percent", "100");
		place_buffers(heap, seed, with);
		for (i = 0; i < STEPS; i++)
			if (without[i] != with[i])
				case_fail("seed %u step %u: frame 0x%llx, without the cache 0x%llx",
					  seed, i, (unsigned long long)with[i],
					  (unsigned long long)without[i]);
	}
	if (knob_read(heap, "hits") - hits < STEPS / 2)
		case_fail("only %llu buffers were made of held memory",
			  (unsigned long long)(knob_read(heap, "hits") - hits));
}

/* A place of which a part is held: it is had, and the held part came from here */
static void test_beside(const struct cma_heap *heap)
{
	__u64 wanted, frame;
	int fd;

	setup(heap);
	need_whole_area(heap);
	fd = alloc_buffer(heap, MIB);
	frame = importer_frame(&sb, fd);
	close(fd);
	knob_expect(heap, "held_bytes", MIB);
	wanted = knob_read(heap, "given_back_wanted");
	fd = alloc_buffer(heap, MIB + page);
	expect_value("frame", importer_frame(&sb, fd), frame);
	knob_expect(heap, "held_bytes", 0);
	knob_expect(heap, "given_back_wanted", wanted + MIB);
	close(fd);
}

/*
 * Recycled memory has the alignment that new memory has: a buffer that holds a
 * huge page begins with one.
 */
static void test_alignment(const struct cma_heap *heap)
{
	const __u64 table = page * (page / 8), frames = table / page;
	__u64 misses, split;
	int front, odd, fd;

	setup(heap);
	need_huge_pages(heap, table);
	/* Held: three huge pages, but for three pages in front */
	fd = alloc_buffer(heap, 3 * table);
	expect_value("first frame of huge pages, in one",
		     importer_frame(&sb, fd) % frames, 0);
	close(fd);
	front = alloc_buffer(heap, 3 * page);
	if (knob_read(heap, "held_bytes") == 3 * table)
		case_skip(&sb, "the area does not begin with a huge page");
	knob_expect(heap, "held_bytes", 3 * table - 3 * page);
	misses = knob_read(heap, "misses");
	split = knob_read(heap, "given_back_split");
	/* The first place that suits is in the middle; both ends stay */
	fd = alloc_buffer(heap, table);
	expect_value("first frame of a huge page, in it",
		     importer_frame(&sb, fd) % frames, 0);
	knob_expect(heap, "held_bytes", 2 * table - 3 * page);
	odd = alloc_buffer(heap, MIB - 3 * page);
	knob_expect(heap, "misses", misses);
	knob_expect(heap, "given_back_split", split);
	close(odd);
	close(fd);
	close(front);
	knob_expect(heap, "held_bytes", 3 * table);

	/* Held is only what does not suit, and CMA has what does */
	knob_write(heap, "max_percent", "0");
	knob_write(heap, "max_percent", "100");
	odd = alloc_buffer(heap, MIB);
	fd = alloc_buffer(heap, table);
	close(odd);
	odd = alloc_buffer(heap, page);
	expect_value("first frame of a huge page, in it",
		     importer_frame(&sb, fd) % frames, 0);
	close(odd);
	close(fd);
}

/*
 * The list is full, and a buffer comes out of the middle of a piece: of the two
 * ends the smaller one goes.
 */
static void test_split_when_full(const struct cma_heap *heap)
{
	enum { PIECES = 128 };
	const __u64 table = page * (page / 8), frames = table / page;
	int fds[2 * PIECES], large, front, fd;
	unsigned int i;
	__u64 split;

	setup(heap);
	need_huge_pages(heap, table);
	large = alloc_buffer(heap, 3 * table);
	for (i = 0; i < 2 * PIECES - 2; i++)
		fds[i] = alloc_buffer(heap, page);
	for (i = 1; i < 2 * PIECES - 2; i += 2)
		close(fds[i]);
	close(large);
	front = alloc_buffer(heap, page);
	if (importer_frame(&sb, front) % frames)
		case_skip(&sb, "the area does not begin with a huge page");
	knob_expect(heap, "held_bytes", 3 * table + (PIECES - 2) * page);
	split = knob_read(heap, "given_back_split");
	fd = alloc_buffer(heap, table);
	expect_value("first frame of a huge page, in it",
		     importer_frame(&sb, fd) % frames, 0);
	knob_expect(heap, "given_back_split", split + table - page);
	knob_expect(heap, "held_bytes", table + (PIECES - 1) * page);
	close(fd);
	close(front);
	for (i = 0; i < 2 * PIECES - 2; i += 2)
		close(fds[i]);
}

/* Never more than its share is held; the oldest goes first */
static void test_bound(const struct cma_heap *heap)
{
	const __u64 chunk = page_round(heap->size / 16);
	__u64 max, limit, held;
	int fds[8];
	unsigned int i;

	setup_share(heap, "25");
	max = knob_read(heap, "max_bytes");
	if (max > heap->size / 4 || max + page < heap->size / 4)
		case_fail("25 percent of %llu: seen %llu",
			  (unsigned long long)heap->size,
			  (unsigned long long)max);
	limit = knob_read(heap, "given_back_limit");
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = alloc_buffer(heap, chunk);
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		close(fds[i]);
		held = knob_read(heap, "held_bytes");
		if (held > max)
			case_fail("%llu bytes are held, %llu may be",
				  (unsigned long long)held,
				  (unsigned long long)max);
	}
	expect_value("held and given back", knob_read(heap, "held_bytes") +
		     knob_read(heap, "given_back_limit") - limit, 8 * chunk);
	if (!knob_read(heap, "held_bytes"))
		case_fail("nothing is held");

	/* What is more than the share by itself is not held at all */
	knob_write(heap, "max_percent", "5");
	held = knob_read(heap, "held_bytes");
	if (held > knob_read(heap, "max_bytes"))
		case_fail("a smaller share: %llu bytes are still held",
			  (unsigned long long)held);
	leave_memory(heap, heap->size / 8);
	if (knob_read(heap, "held_bytes") > held)
		case_fail("more is held than may be");

	/* Off */
	knob_write(heap, "max_percent", "0");
	knob_expect(heap, "held_bytes", 0);
	leave_memory(heap, page);
	knob_expect(heap, "held_bytes", 0);
	expect_charge(heap, 0);
}

/* What is too much goes from the end, as the next buffer is placed low */
static void test_from_the_end(const struct cma_heap *heap)
{
	__u64 misses;
	int fd;

	setup(heap);
	need_whole_area(heap);
	leave_memory(heap, page_round(heap->size / 4));
	knob_write(heap, "max_percent", "15");
	misses = knob_read(heap, "misses");
	fd = alloc_buffer(heap, page_round(heap->size / 16));
	knob_expect(heap, "misses", misses);
	close(fd);
}

/* A bounded number of pieces is held too: their list is walked each time */
static void test_pieces(const struct cma_heap *heap)
{
	enum { MAX = 400, PIECES = 128 };
	int fds[MAX];
	unsigned int i;
	__u64 held;

	setup(heap);
	for (i = 0; i < MAX; i++)
		fds[i] = alloc_buffer(heap, page);
	for (i = 0; i < MAX; i += 2)
		close(fds[i]);
	held = knob_read(heap, "held_bytes");
	if (held > PIECES * page || held < PIECES / 2 * page)
		case_fail("%llu pieces are held",
			  (unsigned long long)(held / page));
	for (i = 1; i < MAX; i += 2)
		close(fds[i]);
	expect_charge(heap, 0);
}

/*
 * With as many pieces as there may be, the oldest of which is large: a page that
 * would be one more does not cost it, and one that closes a gap is kept.
 */
static void test_large_piece(const struct cma_heap *heap)
{
	enum { PIECES = 128, PAGES = 2 * PIECES + 2 };
	const __u64 large = 17 * MIB;
	int fds[PAGES], fd;
	unsigned int i;
	__u64 held;

	setup(heap);
	need_whole_area(heap);
	if (heap->size < 2 * large)
		case_skip(&sb, "the area is too small for a large piece");
	fd = alloc_buffer(heap, large);
	for (i = 0; i < PAGES; i++) {
		fds[i] = alloc_buffer(heap, page);
		if (i && importer_frame(&sb, fds[i]) !=
			 importer_frame(&sb, fds[i - 1]) + 1)
			case_fail("page %u is not beside the one before", i);
	}
	close(fd);
	/* The first one is beside the large piece, or may be */
	for (i = 1; i < 2 * (PIECES - 1); i += 2)
		close(fds[i]);
	held = large + (PIECES - 1) * page;
	knob_expect(heap, "held_bytes", held);

	close(fds[i]);
	knob_expect(heap, "held_bytes", held);
	close(fds[2]);
	knob_expect(heap, "held_bytes", held + page);
}

/* What is not a share, or not a time, is refused and changes nothing */
static void test_bad_values(const struct cma_heap *heap)
{
	static const struct {
		const char *knob;
		const char *value;
		int error;
	} rows[] = {
		{ "max_percent", "101", ERANGE },
		{ "max_percent", "4294967295", ERANGE },
		{ "max_percent", "4294967296", ERANGE },
		{ "max_percent", "-1", EINVAL },
		{ "max_percent", "x", EINVAL },
		{ "max_percent", "", 0 },
		{ "max_percent", "5 0", EINVAL },
		{ "idle_ms", "0", ERANGE },
		{ "idle_ms", "2147483648", ERANGE },
		{ "idle_ms", "-1", EINVAL },
		{ "idle_ms", "soon", EINVAL },
	};
	unsigned int i;

	setup_share(heap, "37");
	leave_memory(heap, 3 * page);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!*rows[i].value)
			continue;
		expect_value(rows[i].value,
			     knob_try(heap, rows[i].knob, rows[i].value),
			     rows[i].error);
		knob_expect(heap, "max_percent", 37);
		knob_expect(heap, "idle_ms", strtoull(NEVER_MS, NULL, 10));
		knob_expect(heap, "held_bytes", 3 * page);
	}
}

/* A limit is a limit for held memory as well: charged first, taken then */
static void test_charged_first(const struct cma_heap *heap)
{
	char text[CMA_HEAP_NAME_SIZE + 64];
	int len, fd;

	setup(heap);
	if (!sb.accounting || !heap->region[0])
		case_skip(&sb, "nothing is charged");
	need_whole_area(heap);
	leave_memory(heap, MIB);
	len = snprintf(text, sizeof(text), "%s %llu\n", heap->region,
		       (unsigned long long)(4 * page));
	if (dmem_write(own, "dmem.max", text, len))
		case_fail("dmem.max can't be set");
	expect_alloc(heap, MIB, ENOSPC);
	knob_expect(heap, "held_bytes", MIB);
	fd = expect_alloc(heap, 4 * page, 0);
	expect_alloc(heap, page, ENOSPC);
	expect_charge(heap, 4 * page);
	knob_expect(heap, "held_bytes", MIB - 4 * page);
	close(fd);
	expect_charge(heap, 0);
}

/* The kernel asks for memory back when it is short of it */
static void test_pressure(const struct cma_heap *heap)
{
	const __u64 bytes = page_round(heap->size / 4);
	__u64 pressure;
	int fd;

	setup(heap);
	leave_memory(heap, bytes);
	pressure = knob_read(heap, "given_back_pressure");
	/* Drops all that can be had again, as being short of memory does */
	fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "2", 1) != 1)
		case_fail("drop_caches: %s", strerror(errno));
	close(fd);
	knob_expect(heap, "held_bytes", 0);
	knob_expect(heap, "given_back_pressure", pressure + bytes);
}

/* Uses memory up until some of what is held was given back for it */
static void __noreturn use_memory_up(const struct cma_heap *heap, __u64 held)
{
	const __u64 before = knob_read(heap, "given_back_pressure");
	const __u64 bytes = (memory_of("MemFree") + held) / MIB * MIB;
	__u64 at;
	char *map;
	int fd;

	/* If anybody is killed for want of memory */
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1000", 4) != 4)
		case_fail("oom_score_adj: %s", strerror(errno));
	map = mmap(NULL, bytes, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		   -1, 0);
	if (map == MAP_FAILED)
		case_fail("mmap: %s", strerror(errno));
	for (at = 0; at < bytes; at += page) {
		store_byte(map + at, 1);
		if (!(at % MIB) && knob_read(heap, "given_back_pressure") > before)
			exit(KSFT_PASS);
	}
	exit(KSFT_FAIL);
}

/* So it is when a process takes all there is, before anybody is killed for it */
static void test_real_pressure(const struct cma_heap *heap)
{
	const __u64 held = heap->size / 4 * 3;
	__u64 pressure;
	int status;
	pid_t pid;

	setup(heap);
	need_whole_area(heap);
	if (memory_of("SwapTotal") || memory_of("MemAvailable") > 2048 * MIB)
		case_skip(&sb, "too much memory or swap to use it up");
	leave_memory(heap, held);
	knob_expect(heap, "held_bytes", held);
	fflush(stdout);
	pressure = knob_read(heap, "given_back_pressure");
	pid = fork();
	if (!pid)
		use_memory_up(heap, held);
	/*
	 * It may be killed in the end, for want of a page table: these can't be
	 * in an area. Then what was held had been given back in vain.
	 */
	if (waitpid(pid, &status, 0) != pid)
		case_fail("waitpid: %s", strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		expect_value("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0,
			     SIGKILL);
	if (knob_read(heap, "given_back_pressure") == pressure)
		case_fail("nothing was given back");
	/* The area is whole again for those whose it is */
	close(expect_alloc(heap, heap->size, 0));
}

/* Pages from one place that CMA tries to the next one, for buffers this large */
#define STEP	256
#define HUGE_STEP	(2 * STEP)

/* Read from pagemap at a time */
#define ENTRIES		1024

/*
 * Fills memory, pins the page that is lowest in the area, of those that no huge
 * page but a step comes after first, and keeps only that one.
 * Return: its number in the area, whose first frame is @base, or -1.
 */
static long pin_lowest_page(const struct cma_heap *heap, __u64 base, int pipe_end)
{
	const __u64 bytes = memory_of("MemFree") / 16 * 15 / page * page;
	const __u64 pages = heap->size / page;
	struct iovec iov = { .iov_len = page };
	__u64 at, frame, lowest = pages, entries[ENTRIES];
	unsigned int i;
	char *map;
	int fd;

	fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		case_fail("pagemap: %s", strerror(errno));
	map = mmap(NULL, bytes, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		   -1, 0);
	if (map == MAP_FAILED)
		case_fail("mmap: %s", strerror(errno));
	/* All of a huge page would stay for one page of it */
	if (madvise(map, bytes, MADV_NOHUGEPAGE) && errno != EINVAL)
		case_fail("NOHUGEPAGE: %s", strerror(errno));
	if (madvise(map, bytes, MADV_POPULATE_WRITE))
		case_fail("POPULATE_WRITE: %s", strerror(errno));
	for (at = 0; at < bytes; at += page) {
		i = at / page % ENTRIES;
		if (!i && pread(fd, entries, sizeof(entries),
				(unsigned long)(map + at) / page *
				sizeof(*entries)) <= 0)
			case_fail("pagemap: %s", strerror(errno));
		frame = entries[i] & ((1ULL << 55) - 1);
		if (frame >= base && frame - base < lowest &&
		    frame % HUGE_STEP < STEP) {
			lowest = frame - base;
			iov.iov_base = map + at;
		}
	}
	close(fd);
	if (lowest < pages && vmsplice(pipe_end, &iov, 1, 0) != (ssize_t)page)
		case_fail("vmsplice: %s", strerror(errno));
	munmap(map, bytes);
	return lowest < pages ? (long)lowest : -1;
}

/*
 * A page near the start of the area, whose first frame is @base, that cannot be
 * migrated; until the process ends.  The cache is off: nothing is remembered.
 * Return: its number in the area.
 */
static __u64 pin_page(const struct cma_heap *heap, __u64 *base)
{
	int fd, ends[2];
	long number;

	setup(heap);
	need_whole_area(heap);
	if (memory_of("SwapTotal") || memory_of("MemAvailable") > 2048 * MIB)
		case_skip(&sb, "too much memory or swap to fill it");
	fd = expect_alloc(heap, heap->size, 0);
	*base = importer_frame(&sb, fd);
	close(fd);
	knob_write(heap, "max_percent", "0");
	if (pipe(ends))
		case_fail("pipe: %s", strerror(errno));
	number = pin_lowest_page(heap, *base, ends[1]);
	if (number < 0 || (number + 16) * page > heap->size / 4)
		case_skip(&sb, "no page of the area was given to a process");
	return number;
}

/* Longer than mm/cma_recycle.c remembers it */
#define PASSED_US	1200000

/* Buffers of @bytes that CMA cannot place around @frame are recycled after that */
static void pass_over(const struct cma_heap *heap, __u64 frame, __u64 bytes)
{
	__u64 hits, end;
	int fd;

	fd = alloc_buffer(heap, bytes);
	if (importer_frame(&sb, fd) <= frame)
		case_fail("the page was migrated");
	close(fd);
	hits = knob_read(heap, "hits");
	end = deadline();
	do {
		close(alloc_buffer(heap, bytes));
	} while (knob_read(heap, "hits") == hits && now_ms() < end);
	if (knob_read(heap, "hits") == hits)
		case_fail("%llu bytes: held memory is not used",
			  (unsigned long long)bytes);
}

/*
 * The first place has a page that cannot be migrated: CMA passes over it each
 * time.  Held memory behind it is used nevertheless.
 */
static void test_passed_over(const struct cma_heap *heap)
{
	__u64 base, number = pin_page(heap, &base);

	knob_write(heap, "max_percent", "100");
	pass_over(heap, base + number, (number + 16) * page);
	/* Once that is forgotten: one that is larger than the steps CMA takes */
	knob_write(heap, "max_percent", "0");
	usleep(PASSED_US);
	knob_write(heap, "max_percent", "100");
	pass_over(heap, base + number, (number + 16) * page + 4 * MIB);
}

/* CMA has a place that begins within the one it passed over: that counts */
static void test_passed_near(const struct cma_heap *heap)
{
	const __u64 area = heap->size / page;
	__u64 base, number = pin_page(heap, &base), frame, misses, hits;
	/* What is small does not fit between the start and what is big */
	const __u64 small = number + HUGE_STEP + 16;
	const __u64 big = small + HUGE_STEP;
	/* In front of what is held is room for another one, once big is there */
	const __u64 filler = big + small + 2 * HUGE_STEP;
	char percent[4];
	int fd, held;

	if (number + 2 * HUGE_STEP + filler + small > area)
		case_skip(&sb, "the area is too small");
	snprintf(percent, sizeof(percent), "%llu",
		 (unsigned long long)(small * 100 / area + 1));

	fd = alloc_buffer(heap, filler * page);
	held = alloc_buffer(heap, small * page);
	frame = importer_frame(&sb, held);
	knob_write(heap, "max_percent", percent);
	close(held);
	close(fd);
	knob_expect(heap, "held_bytes", small * page);
	usleep(PASSED_US);

	misses = knob_read(heap, "misses");
	hits = knob_read(heap, "hits");
	fd = alloc_buffer(heap, big * page);
	if (importer_frame(&sb, fd) <= base + number ||
	    importer_frame(&sb, fd) >= base + big)
		case_fail("frame %llu: not within the first %llu of the area",
			  (unsigned long long)(importer_frame(&sb, fd) - base),
			  (unsigned long long)big);
	knob_expect(heap, "misses", misses + 1);
	knob_expect(heap, "held_bytes", small * page);
	close(expect_alloc(heap, small * page, 0));
	knob_expect(heap, "hits", hits + 1);
	fd = alloc_buffer(heap, small * page);
	expect_value("frame of what was held", importer_frame(&sb, fd), frame);
}

/* The number of the step behind the page @number, which is no huge page's */
static __u64 step_behind(__u64 base, __u64 number)
{
	return (base + number) / STEP * STEP + STEP - base;
}

/*
 * CMA has passed over each place where a buffer could have a huge page's
 * alignment. What is held without it is used.
 */
static void test_passed_huge(const struct cma_heap *heap)
{
	__u64 base, number = pin_page(heap, &base);

	knob_write(heap, "max_percent", "100");
	pass_over(heap, base + number, heap->size - step_behind(base, number) * page);
}

static void need_huge_steps(const struct cma_heap *heap)
{
	need_huge_pages(heap, HUGE_STEP * page);
	if (page != 4096)
		case_skip(&sb, "huge pages are larger than that");
}

/*
 * CMA has passed over a place of a small buffer.  Another one has the alignment
 * of a huge page nevertheless, though memory is held that lacks it.
 */
static void test_passed_small(const struct cma_heap *heap)
{
	/* What would waste too much if it was aligned, and what then would not */
	const __u64 odd = 5 * STEP, even = odd + STEP;
	__u64 base, number, frame;
	int first, second;

	need_huge_steps(heap);
	number = pin_page(heap, &base);
	first = alloc_buffer(heap, odd * page);
	second = alloc_buffer(heap, STEP * page);
	frame = importer_frame(&sb, first);
	if (frame != base + step_behind(base, number) ||
	    importer_frame(&sb, second) != frame + odd)
		case_skip(&sb, "the buffers are not where they would be in the way");
	knob_write(heap, "max_percent", "100");
	close(first);
	close(second);
	knob_expect(heap, "held_bytes", even * page);
	usleep(PASSED_US);

	/* One that does not fit between the page and what is held */
	first = alloc_buffer(heap, (number < STEP ? STEP : number + 16) * page);
	if (importer_frame(&sb, first) <= frame)
		case_fail("not behind what is held");
	second = alloc_buffer(heap, even * page);
	expect_value("page within a huge page",
		     importer_frame(&sb, second) % HUGE_STEP, 0);
}

/*
 * CMA has no place with the alignment of a huge page.  That is no reason to give
 * back what is held, as there is one with less.
 */
static void test_wish_kept(const struct cma_heap *heap)
{
	const __u64 area = heap->size / page, kept = STEP / 4;
	__u64 base, number, first, bytes, wanted;
	int fd, held, others[16];
	unsigned int i;

	need_huge_steps(heap);
	number = pin_page(heap, &base);
	first = step_behind(base, number);
	/* All but @kept behind the page: a step later it would not fit */
	bytes = (area - first - kept) * page;
	fd = alloc_buffer(heap, bytes);
	/* What fits in front of it is free again when it is looked for */
	for (i = 0;; i++) {
		held = alloc_buffer(heap, kept * page);
		if (importer_frame(&sb, held) == base + area - kept)
			break;
		if (i == ARRAY_SIZE(others))
			case_skip(&sb, "the page is too far behind");
		others[i] = held;
	}
	while (i)
		close(others[--i]);
	knob_write(heap, "max_percent", "1");
	close(held);
	close(fd);
	knob_expect(heap, "held_bytes", kept * page);
	usleep(PASSED_US);

	wanted = knob_read(heap, "given_back_wanted");
	fd = alloc_buffer(heap, bytes);
	expect_value("frame", importer_frame(&sb, fd), base + first);
	knob_expect(heap, "given_back_wanted", wanted);
	knob_expect(heap, "held_bytes", kept * page);
}

/*
 * CMA had no place with the alignment of a huge page.  It is asked again as soon
 * as there is one, though the cache is off and has not held what was freed.
 */
static void test_wish_again(const struct cma_heap *heap)
{
	const __u64 area = heap->size / page, wish = 2 * STEP;
	__u64 base, number, first;
	int odd, lone, fd, others[16];
	unsigned int i;

	need_huge_steps(heap);
	number = pin_page(heap, &base);
	first = step_behind(base, number);
	/* Nothing is free in front of the page, but for its huge page's own half */
	for (i = 0;; i++) {
		lone = alloc_buffer(heap, STEP * page);
		if (importer_frame(&sb, lone) == base + first)
			break;
		if (i == ARRAY_SIZE(others))
			case_skip(&sb, "the page is too far behind");
		others[i] = lone;
	}
	alloc_buffer(heap, STEP * page);
	odd = alloc_buffer(heap, (wish + STEP) * page);
	if (importer_frame(&sb, odd) != base + first + 2 * STEP)
		case_fail("not where the aligned place is its second part");
	alloc_buffer(heap, (area - first - 5 * STEP) * page);

	/* The page's huge page is free but for the page */
	close(lone);
	fd = cma_heap_alloc(heap, wish * page);
	if (fd >= 0)
		case_fail("there is room for another one");
	close(odd);
	fd = alloc_buffer(heap, wish * page);
	expect_value("frame", importer_frame(&sb, fd), base + first + 3 * STEP);
}

/* What nobody has a use for goes back after a while */
static void test_idle(const struct cma_heap *heap)
{
	const __u64 bytes = page_round(heap->size / 4);
	__u64 idle;

	setup(heap);
	idle = knob_read(heap, "given_back_idle");
	leave_memory(heap, bytes);
	knob_write(heap, "idle_ms", "20");
	knob_expect_soon(heap, "held_bytes", 0);
	knob_expect(heap, "given_back_idle", idle + bytes);
	/* And again, once it had nothing to do */
	leave_memory(heap, page);
	knob_expect_soon(heap, "held_bytes", 0);
	knob_expect(heap, "given_back_idle", idle + bytes + page);
}

/*
 * All that was idle goes at once, though it is given back in parts: nothing
 * waits for another idle time, which does not come here.
 */
static void test_idle_parts(const struct cma_heap *heap)
{
	const __u64 bytes = 48 * MIB;
	__u64 end = deadline();

	setup(heap);
	if (heap->size < bytes + 8 * MIB)
		case_skip(&sb, "the area is too small for several parts");
	leave_memory(heap, bytes);
	knob_write(heap, "idle_ms", "500");
	while (knob_read(heap, "held_bytes") == bytes)
		if (now_ms() > end)
			case_fail("nothing is given back");
	knob_write(heap, "idle_ms", NEVER_MS);
	knob_expect_soon(heap, "held_bytes", 0);
}

/*
 * What is in use all the time does not go, though it is in the cache in between,
 * while the rest does. Where the test does not get to run for as long as that
 * takes, memory does lie idle: try again.
 */
static void test_idle_rest(const struct cma_heap *heap)
{
	const __u64 used = 8 * page, unused = 4 * MIB;
	int keep, one, two, tries;
	__u64 misses, end;

	setup(heap);
	for (tries = 0; tries < 10; tries++) {
		knob_write(heap, "idle_ms", NEVER_MS);
		knob_write(heap, "max_percent", "0");
		knob_write(heap, "max_percent", "100");
		one = alloc_buffer(heap, unused);
		keep = alloc_buffer(heap, page);
		two = alloc_buffer(heap, used);
		close(one);
		close(two);
		knob_write(heap, "idle_ms", "200");
		misses = knob_read(heap, "misses");
		end = deadline();
		/* Nearly always it is in the cache: seen there, and not idle */
		do {
			close(alloc_buffer(heap, used));
			usleep(5000);
		} while (knob_read(heap, "held_bytes") > used && now_ms() < end);
		/* What is used has not gone with the rest */
		close(alloc_buffer(heap, used));
		close(keep);
		if (now_ms() >= end)
			case_fail("%llu bytes are still held",
				  (unsigned long long)knob_read(heap, "held_bytes"));
		if (knob_read(heap, "misses") == misses)
			return;
	}
	case_fail("what is in use goes back as well");
}

/* 0, or minus the errno */
static int tell_elsewhere(int fd, const struct cma_heap *heap, __u64 bytes)
{
	char line[CMA_HEAP_NAME_SIZE + 32];
	int len;

	len = snprintf(line, sizeof(line), "%s %llu",
		       heap->is_default ? CMA_HEAP_DEFAULT : heap->name,
		       (unsigned long long)bytes);
	return write(fd, line, len) == len ? 0 : -errno;
}

/* Another user of the area: a descriptor, or minus the errno */
static int take_elsewhere(const struct cma_heap *heap, const char *how,
			  __u64 bytes)
{
	char path[PATH_MAX];
	int fd, ret;

	snprintf(path, sizeof(path), SELFTEST_DIR "/%s", how);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		case_skip(&sb, "cma_recycle_selftest is not loaded");
	if (fd < 0)
		case_fail("%s: %s", path, strerror(errno));
	ret = tell_elsewhere(fd, heap, bytes);
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

/* What CMA itself has to give, 0 if it does not tell */
static __u64 cma_available(const struct cma_heap *heap)
{
	char path[PATH_MAX], text[32] = "";
	int fd;

	snprintf(path, sizeof(path),
		 "/sys/kernel/mm/cma/%s/available_pages", heap->name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		case_fail("%s: %s", path, strerror(errno));
	close(fd);
	return strtoull(text, NULL, 10) * page;
}

/* Held memory that is in the way of a larger allocation, in several pieces */
static void hold_half(const struct cma_heap *heap)
{
	const __u64 chunk = page_round(heap->size / 16);
	int fds[16];
	unsigned int i, count;

	count = cma_heap_fill(heap, chunk, fds, 16, 8);
	if (count < 8)
		case_fail("%u chunks of %llu bytes: %s", count,
			  (unsigned long long)chunk, strerror(errno));
	for (i = 0; i < count; i += 2)
		close(fds[i]);
	for (i = 1; i < count; i += 2)
		close(fds[i]);
	if (knob_read(heap, "held_bytes") < 8 * chunk)
		case_fail("only %llu bytes are held",
			  (unsigned long long)knob_read(heap, "held_bytes"));
}

/* A larger buffer, and all of the area, can be had whatever is held */
static void test_wanted_by_heap(const struct cma_heap *heap)
{
	__u64 wanted;
	int fd;

	setup(heap);
	need_whole_area(heap);
	wanted = knob_read(heap, "given_back_wanted");
	leave_memory(heap, MIB);
	fd = expect_alloc(heap, heap->size, 0);
	knob_expect(heap, "held_bytes", 0);
	knob_expect(heap, "given_back_wanted", wanted + MIB);
	expect_zero(fd, heap->size);
	/* There is nothing to be had, held or not */
	expect_alloc(heap, page, ENOMEM);
	close(fd);
	knob_expect(heap, "held_bytes", heap->size);
	fd = expect_alloc(heap, heap->size, 0);
	close(fd);
}

/* What cannot be had in any case takes nothing from those who share the area */
static void test_hopeless(const struct cma_heap *heap)
{
	__u64 wanted, misses;
	int fd, err;

	setup(heap);
	need_whole_area(heap);
	fd = expect_alloc(heap, page, 0);
	leave_memory(heap, MIB);
	wanted = knob_read(heap, "given_back_wanted");
	misses = knob_read(heap, "misses");
	expect_alloc(heap, heap->size, ENOMEM);
	expect_alloc(heap, heap->size - page / 2, ENOMEM);
	knob_expect(heap, "misses", misses + 2);
	err = take_elsewhere(heap, "cma", heap->size);
	if (err != -ENOMEM)
		case_fail("cma_alloc() of all of an area in use: expected %s, seen %s",
			  strerror(ENOMEM), strerror(-err));
	knob_expect(heap, "held_bytes", MIB);
	knob_expect(heap, "given_back_wanted", wanted);
	close(fd);
}

/*
 * Nothing is held while somebody who has found no room looks again: what is freed
 * meanwhile is for him.
 */
static void test_searching(const struct cma_heap *heap)
{
	int search;

	setup(heap);
	search = take_elsewhere(heap, "search", page);
	if (search != -ENODATA)
		case_fail("search where nothing is held: expected %s, seen %s",
			  strerror(ENODATA), strerror(-search));
	leave_memory(heap, MIB);
	search = take_elsewhere(heap, "search", page);
	if (search < 0)
		case_fail("search: %s", strerror(-search));
	knob_expect(heap, "held_bytes", 0);
	leave_memory(heap, MIB);
	knob_expect(heap, "held_bytes", 0);
	close(search);
	leave_memory(heap, MIB);
	knob_expect(heap, "held_bytes", MIB);
}

/*
 * What was held when somebody looked, and is not now, is a reason to look again, if a
 * buffer has it, too: it may be freed, past the cache, where he has been.
 */
static void test_taken(const struct cma_heap *heap)
{
	char percent[4];
	__u64 hits;
	int fd, look, err;

	setup(heap);
	need_whole_area(heap);
	if (heap->size < 16 * MIB || heap->size > 256 * MIB)
		case_skip(&sb, "the area is too small or too large");
	/* As much as is to be held, and not what is in front of it */
	snprintf(percent, sizeof(percent), "%llu", 100 * MIB / heap->size + 1);
	fd = alloc_buffer(heap, 4 * MIB);
	look = alloc_buffer(heap, MIB);
	knob_write(heap, "max_percent", percent);
	close(look);
	close(fd);
	knob_expect(heap, "held_bytes", MIB);

	look = take_elsewhere(heap, "look", page);
	if (look < 0)
		case_fail("looking: %s", strerror(-look));
	alloc_buffer(heap, 4 * MIB);
	hits = knob_read(heap, "hits");
	alloc_buffer(heap, MIB);
	knob_expect(heap, "hits", hits + 1);
	err = tell_elsewhere(look, heap, page);
	if (err)
		case_fail("no reason to look again: %s", strerror(-err));
	close(look);
}

/* Somebody who does not know of the cache can have all of the area, too */
static void test_wanted_by_cma(const struct cma_heap *heap)
{
	__u64 wanted;
	int fd;

	setup(heap);
	need_whole_area(heap);
	wanted = knob_read(heap, "given_back_wanted");
	hold_half(heap);
	fd = take_elsewhere(heap, "cma", heap->size);
	if (fd < 0)
		case_fail("cma_alloc() of all of the area: %s", strerror(-fd));
	knob_expect(heap, "held_bytes", 0);
	if (knob_read(heap, "given_back_wanted") == wanted)
		case_fail("nothing was given back");
	expect_alloc(heap, page, ENOMEM);
	close(fd);
	/* Only what heaps free is held */
	knob_expect(heap, "held_bytes", 0);
	close(expect_alloc(heap, page, 0));
}

/*
 * What a driver has for long lies where it would without the cache, so that as
 * large a buffer fits beside it
 */
static void test_beside_driver(const struct cma_heap *heap)
{
	/* no buffer begins at less than this, nor does its size have to be more */
	const __u64 align = 1ULL << 20;
	__u64 available;
	int fd, other;

	setup(heap);
	need_whole_area(heap);
	available = heap_number(heap->name, "available");
	/* The first half, with nothing behind it */
	close(expect_alloc(heap, page_round(heap->size / 2), 0));
	knob_expect(heap, "held_bytes", page_round(heap->size / 2));
	fd = take_elsewhere(heap, "cma", page);
	if (fd < 0)
		case_fail("cma_alloc() of a page: %s", strerror(-fd));
	expect_value("available", heap_number(heap->name, "available"),
		     available - page);
	other = cma_heap_alloc(heap, heap->size - align);
	if (other < 0)
		case_fail("all of the area but the driver's MiB: %s",
			  strerror(-other));
	close(other);
	close(fd);
}

/* And by a driver, through the DMA API */
static void test_wanted_by_dma(const struct cma_heap *heap)
{
	/* The DMA API aligns, so that not all of the area may do */
	const __u64 bytes = heap->size / 2;
	__u64 available;
	int fd, other;

	setup(heap);
	need_whole_area(heap);
	available = cma_available(heap);
	if (!available)
		case_skip(&sb, "CMA does not tell what it has");
	hold_half(heap);
	other = alloc_buffer(heap, page);
	fd = take_elsewhere(heap, "dma", bytes);
	if (fd == -EOPNOTSUPP)
		case_skip(&sb, "no DMA on this machine");
	if (fd < 0)
		case_fail("dma_alloc_coherent() of %llu bytes: %s",
			  (unsigned long long)bytes, strerror(-fd));
	/* The DMA API would have taken other memory instead */
	expect_value("available",
		     cma_available(heap) + knob_read(heap, "held_bytes"),
		     available - bytes - page);
	close(fd);
	close(other);
}

/* CMA's own numbers count held memory as in use, which is what docs say */
static void test_numbers(const struct cma_heap *heap)
{
	__u64 available;

	setup(heap);
	need_whole_area(heap);
	available = cma_available(heap);
	if (!available)
		case_skip(&sb, "CMA does not tell what it has");
	leave_memory(heap, 5 * page);
	expect_value("available and held",
		     cma_available(heap) + knob_read(heap, "held_bytes"),
		     available);
	knob_expect(heap, "held_bytes", 5 * page);
}

/*
 * Processes share the area, each with slots of its own, so that there is always
 * room for what they ask. Among them is one that asks CMA, and one that empties
 * the cache for the kernel and resizes it. Not one request may fail.
 */
enum { WORKERS = 4 };

static void worker(const struct cma_heap *heap, unsigned int number,
		   unsigned int slots, __u32 seed)
{
	int *fds = calloc(slots, sizeof(*fds));
	__u32 ops = repeatable_ops(600);
	unsigned int i, slot;

	if (!fds)
		case_fail("out of memory");
	for (i = 0; i < slots; i++)
		fds[i] = -1;
	for (i = 0; i < ops; i++) {
		slot = random_below(&seed, slots);
		if (fds[slot] >= 0) {
			close(fds[slot]);
			fds[slot] = -1;
		} else if (number) {
			/* What is smaller than a slot leaves the rest free */
			fds[slot] = alloc_buffer(heap, random_once_in(&seed, 2) ?
						 MIB : page);
		} else {
			fds[slot] = take_elsewhere(heap, "cma", MIB);
			if (fds[slot] < 0)
				case_fail("cma_alloc(): %s",
					  strerror(-fds[slot]));
		}
	}
	exit(KSFT_PASS);
}

static void disturb(const struct cma_heap *heap, __u32 seed)
{
	static const char * const shares[] = { "0", "5", "50", "100" };
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	for (;;) {
		if (random_once_in(&seed, 16) && pwrite(fd, "2", 1, 0) < 0)
			case_fail("drop_caches: %s", strerror(errno));
		knob_write(heap, "max_percent", shares[random_below(&seed, 4)]);
		knob_write(heap, "idle_ms", random_once_in(&seed, 2) ? "1" : "10");
		usleep(1000);
	}
}

static void test_stress(const struct cma_heap *heap)
{
	pid_t pids[WORKERS], other;
	unsigned int i, slots;
	__u32 seed = repeatable_seed();

	setup(heap);
	need_whole_area(heap);
	close(take_elsewhere(heap, "cma", page));
	slots = heap->size / MIB / WORKERS;
	if (!slots)
		case_skip(&sb, "the area is too small");
	ksft_print_msg("DMEM_TEST_SEED=%u\n", seed);
	fflush(stdout);
	for (i = 0; i < WORKERS; i++) {
		__u32 its = random_fork(&seed);

		pids[i] = fork();
		if (!pids[i])
			worker(heap, i, slots, its);
	}
	other = fork();
	if (!other)
		disturb(heap, random_fork(&seed));
	for (i = 0; i < WORKERS; i++)
		expect_exit(pids[i], KSFT_PASS);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	expect_charge(heap, 0);

	/* Nothing was lost */
	knob_write(heap, "max_percent", "0");
	knob_expect(heap, "held_bytes", 0);
	close(expect_alloc(heap, heap->size, 0));
}

/*
 * A process that is killed at any moment of allocating, zeroing or freeing
 * leaves nothing behind but what may be held.
 */
static void test_killed(const struct cma_heap *heap)
{
	__u32 seed = repeatable_seed();
	unsigned int i;
	pid_t pid;

	setup_share(heap, "50");
	need_whole_area(heap);
	ksft_print_msg("DMEM_TEST_SEED=%u\n", seed);
	fflush(stdout);
	for (i = 0; i < 25; i++) {
		pid = fork();
		if (!pid) {
			for (;;) {
				close(alloc_buffer(heap, heap->size));
				close(alloc_buffer(heap, heap->size / 2));
			}
		}
		usleep(random_below(&seed, 30000));
		kill(pid, SIGKILL);
		expect_exit(pid, -SIGKILL);
		expect_charge(heap, 0);
	}
	close(expect_alloc(heap, heap->size, 0));
}

static const struct cma_heap_case cases[] = {
	{ test_reuse,		"reuse" },
	{ test_zeroed,		"zeroed" },
	{ test_split_and_merge,	"split_and_merge" },
	{ test_placement,	"placement" },
	{ test_beside,		"beside" },
	{ test_alignment,	"alignment" },
	{ test_split_when_full,	"split_when_full" },
	{ test_bound,		"bound" },
	{ test_from_the_end,	"from_the_end" },
	{ test_pieces,		"pieces" },
	{ test_large_piece,	"large_piece" },
	{ test_bad_values,	"bad_values" },
	{ test_charged_first,	"charged_first" },
	{ test_pressure,	"pressure" },
	{ test_real_pressure,	"real_pressure" },
	{ test_passed_over,	"passed_over" },
	{ test_passed_near,	"passed_near",	true },
	{ test_passed_huge,	"passed_huge",	true },
	{ test_wish_again,	"wish_again",	true },
	{ test_passed_small,	"passed_small",	true },
	{ test_wish_kept,	"wish_kept",	true },
	{ test_idle,		"idle" },
	{ test_idle_parts,	"idle_parts" },
	{ test_idle_rest,	"idle_rest" },
	{ test_wanted_by_heap,	"wanted_by_heap" },
	{ test_hopeless,	"hopeless" },
	{ test_searching,	"searching" },
	{ test_taken,		"taken" },
	{ test_wanted_by_cma,	"wanted_by_cma" },
	{ test_beside_driver,	"beside_driver" },
	{ test_wanted_by_dma,	"wanted_by_dma" },
	{ test_numbers,		"numbers" },
	{ test_killed,		"killed" },
	{ test_stress,		"stress" },
};

int main(void)
{
	page = page_size();
	cma_heap_run_cases("cma_heap_recycle_test", &sb, cases,
			   ARRAY_SIZE(cases), CASE_SECONDS);
}
