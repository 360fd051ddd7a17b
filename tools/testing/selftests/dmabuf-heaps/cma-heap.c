// SPDX-License-Identifier: GPL-2.0
/*
 * The CMA heaps as userspace sees them: what can be asked for and which errno
 * answers the rest, that all of a region can be had, used and had again, that
 * nobody sees what others left in it, and what a buffer can do.
 *
 * Each case runs for each CMA heap, in a process of its own that is a member
 * of a cgroup of its own. Where the dmem controller is available every case
 * also checks what that cgroup is charged; without it heaps must work all the
 * same, and the cases about nothing but charges are skipped.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>

#include "kselftest.h"
#include "cgroup_util.h"
#include "lib/cma_heap_util.h"

#define CASE_SECONDS	60
#define MIB		(1024ULL * 1024)
#define MAX_CHUNKS	128
#define RESERVED_DIR	"/proc/device-tree/reserved-memory"

static struct dmem_sandbox sb;
static __u64 page;

/* The cgroup that the current case runs in */
static char *own;

/* Charges */

static bool is_charged(const struct cma_heap *heap)
{
	return sb.accounting && heap->region[0];
}

static void expect_charge_at(const char *func, int line,
			     const struct cma_heap *heap, __u64 want)
{
	if (is_charged(heap))
		expect_dmem_at(func, line, own, "dmem.current", heap, want);
}

#define expect_charge(heap, want) \
	expect_charge_at(__func__, __LINE__, heap, want)

static void need_charges(const struct cma_heap *heap)
{
	if (!sb.accounting)
		case_skip(&sb, "%s", sb.why);
	if (!heap->region[0])
		case_fail("%s: dmem.capacity has no region for this heap",
			  heap->name);
}

static void set_max(const struct cma_heap *heap, __u64 bytes)
{
	char text[CMA_HEAP_NAME_SIZE + 64];
	int ret;

	snprintf(text, sizeof(text), "%s %llu\n", heap->region,
		 (unsigned long long)bytes);
	ret = dmem_write(own, "dmem.max", text, strlen(text));
	if (ret)
		case_fail("dmem.max: %s", strerror(-ret));
}

/* Allocation in full detail */

static int open_heap(const struct cma_heap *heap)
{
	int fd = cma_heap_open(heap);

	if (fd < 0)
		case_fail("%s/%s: %s", CMA_HEAP_DIR, heap->name, strerror(-fd));
	return fd;
}

/* The errno of the ioctl, 0 if it worked */
static int allocate(int heap_fd, unsigned long request, void *data)
{
	return ioctl(heap_fd, request, data) ? errno : 0;
}

static void expect_errno_at(const char *func, int line, const char *what,
			    int seen, int want)
{
	if (seen != want)
		case_fail_at(func, line, "%s: expected %s, seen %s", what,
			     strerror(want), strerror(seen));
}

#define expect_errno(what, seen, want) \
	expect_errno_at(__func__, __LINE__, what, seen, want)

/* The number that the next descriptor gets; leaks make it grow */
static int next_fd(void)
{
	int fd = dup(STDOUT_FILENO);

	if (fd < 0)
		case_fail("dup: %s", strerror(errno));
	close(fd);
	return fd;
}

static void *map_buffer_at(const char *func, int line, int fd, __u64 bytes,
			   __u64 offset)
{
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 offset);

	if (map == MAP_FAILED)
		case_fail_at(func, line, "mmap of %llu bytes at %llu: %s",
			     (unsigned long long)bytes,
			     (unsigned long long)offset, strerror(errno));
	return map;
}

#define map_buffer(fd, bytes, offset) \
	map_buffer_at(__func__, __LINE__, fd, bytes, offset)

/* A mapping works, and goes again, or is refused with this errno */
static void expect_mmap_at(const char *func, int line, int fd, __u64 bytes,
			   int prot, int flags, __u64 offset, int want)
{
	void *map = mmap(NULL, bytes, prot, flags, fd, offset);
	int seen = map == MAP_FAILED ? errno : 0;

	if (seen != want)
		case_fail_at(func, line,
			     "mmap of %llu bytes at %llu: expected %s, seen %s",
			     (unsigned long long)bytes,
			     (unsigned long long)offset, strerror(want),
			     strerror(seen));
	if (!seen)
		munmap(map, bytes);
}

#define expect_mmap(fd, bytes, prot, flags, offset, want) \
	expect_mmap_at(__func__, __LINE__, fd, bytes, prot, flags, offset, want)

/*
 * The dmem region of the heap exists, and is a number of pages. Every heap
 * here is a CMA heap as far as can be known, so one without a region is one
 * that escapes accounting.
 */
static void test_region(const struct cma_heap *heap)
{
	need_charges(heap);
	if (!heap->size || heap->size % page)
		case_fail("%s: capacity %llu is not a number of pages",
			  heap->region, (unsigned long long)heap->size);
	expect_charge(heap, 0);
}

/*
 * Any length is either granted, rounded up to pages, or refused: EINVAL if it
 * is nothing or wraps to nothing, ENOMEM if it is more than the region has. No
 * length is taken for another one, on 32 bit either.
 */
static void test_lengths(const struct cma_heap *heap)
{
	const __u64 none = 0;
	const struct {
		const char *name;
		__u64 bytes;
		int error;
	} rows[] = {
		{ "0",			0,			EINVAL },
		{ "1",			1,			0 },
		{ "page - 1",		page - 1,		0 },
		{ "page",		page,			0 },
		{ "page + 1",		page + 1,		0 },
		{ "3 pages",		3 * page,		0 },
		{ "1 MiB",		MIB,			0 },
		{ "2 MiB + 1",		2 * MIB + 1,		0 },
		{ "region + 1",		heap->size + 1,		ENOMEM },
		{ "region + page",	heap->size + page,	ENOMEM },
		{ "2^31",		1ULL << 31,		ENOMEM },
		{ "2^32 - page",	(1ULL << 32) - page,	ENOMEM },
		{ "2^32 - 1",		(1ULL << 32) - 1,	ENOMEM },
		{ "2^32",		1ULL << 32,		ENOMEM },
		{ "2^32 + 1",		(1ULL << 32) + 1,	ENOMEM },
		{ "2^32 + page",	(1ULL << 32) + page,	ENOMEM },
		{ "2^33 + page",	(1ULL << 33) + page,	ENOMEM },
		{ "2^44",		1ULL << 44,		ENOMEM },
		{ "2^44 + page",	(1ULL << 44) + page,	ENOMEM },
		{ "2^63",		1ULL << 63,		ENOMEM },
		{ "2^64 - 2 pages",	none - 2 * page,	ENOMEM },
		{ "2^64 - page",	none - page,		ENOMEM },
		{ "2^64 - page + 1",	none - page + 1,	EINVAL },
		{ "2^64 - page + 2",	none - page + 2,	EINVAL },
		{ "2^64 - 1",		none - 1,		EINVAL },
	};
	__u64 want;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		/* A region that is larger than those of this table */
		if (rows[i].error == ENOMEM && rows[i].bytes <= heap->size)
			continue;
		/* A size that was found by trying is not known to be all */
		if (rows[i].error == ENOMEM && !is_charged(heap) &&
		    rows[i].bytes <= heap->size + page)
			continue;

		fd = cma_heap_alloc(heap, rows[i].bytes);
		expect_errno(rows[i].name, fd < 0 ? -fd : 0, rows[i].error);
		want = fd < 0 ? 0 : page_round(rows[i].bytes);
		expect_charge(heap, want);
		if (fd < 0)
			continue;
		expect_value(rows[i].name, lseek(fd, 0, SEEK_END), want);
		close(fd);
		expect_charge(heap, 0);
	}
}

/* The region in one piece: surely if nobody else has any of it */
static void test_whole_region(const struct cma_heap *heap)
{
	bool sure = cma_heap_is_free(&sb, heap);
	int fd;

	fd = sure ? cma_heap_alloc_whole(heap) :
		    cma_heap_alloc(heap, heap->size);
	if (fd < 0 && (sure || fd != -ENOMEM))
		case_fail("%llu bytes: %s", (unsigned long long)heap->size,
			  strerror(-fd));
	expect_charge(heap, fd < 0 ? 0 : heap->size);
	if (fd < 0)
		return;
	expect_value("size of the buffer", lseek(fd, 0, SEEK_END), heap->size);

	/* There is no room for one page beside it */
	if (is_charged(heap))
		expect_alloc(heap, page, ENOMEM);
	expect_charge(heap, heap->size);
	close(fd);
	expect_charge(heap, 0);
}

/* What is not understood is refused, and the struct comes back as it was */
static void test_bad_flags(const struct cma_heap *heap)
{
	const struct {
		const char *name;
		struct dma_heap_allocation_data data;
	} rows[] = {
		{ "fd 1", { .len = page, .fd = 1 } },
		{ "fd -1", { .len = page, .fd = -1 } },
		{ "fd_flags O_NONBLOCK",
			{ .len = page, .fd_flags = O_RDWR | O_NONBLOCK } },
		{ "fd_flags O_APPEND",
			{ .len = page, .fd_flags = O_RDWR | O_APPEND } },
		{ "fd_flags O_CREAT",
			{ .len = page, .fd_flags = O_CLOEXEC | O_CREAT } },
		{ "fd_flags bit 31",
			{ .len = page, .fd_flags = 1U << 31 } },
		{ "fd_flags all", { .len = page, .fd_flags = ~0U } },
		{ "heap_flags 1", { .len = page, .heap_flags = 1 } },
		{ "heap_flags 2^32",
			{ .len = page, .heap_flags = 1ULL << 32 } },
		{ "heap_flags 2^63",
			{ .len = page, .heap_flags = 1ULL << 63 } },
	};
	struct dma_heap_allocation_data data;
	int heap_fd = open_heap(heap);
	int free_fd = next_fd();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		data = rows[i].data;
		expect_errno(rows[i].name,
			     allocate(heap_fd, DMA_HEAP_IOCTL_ALLOC, &data),
			     EINVAL);
		if (memcmp(&data, &rows[i].data, sizeof(data)))
			case_fail("%s: the struct has changed", rows[i].name);
		expect_charge(heap, 0);
		expect_value("next descriptor", next_fd(), free_fd);
	}
	close(heap_fd);
}

/* A descriptor has the access mode and the close-on-exec bit it was asked for */
static void test_fd_flags(const struct cma_heap *heap)
{
	static const struct {
		__u32 flags;
		bool readable;
		bool writable;
	} rows[] = {
		{ O_RDONLY,			true,	false },
		{ O_RDONLY | O_CLOEXEC,		true,	false },
		{ O_WRONLY,			false,	false },
		{ O_WRONLY | O_CLOEXEC,		false,	false },
		{ O_RDWR,			true,	true },
		{ O_RDWR | O_CLOEXEC,		true,	true },
	};
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		fd = cma_heap_alloc_flags(heap, page, rows[i].flags);
		if (fd < 0)
			case_fail("fd_flags 0x%x: %s", rows[i].flags,
				  strerror(-fd));
		expect_value("access mode", fcntl(fd, F_GETFL) & O_ACCMODE,
			     rows[i].flags & O_ACCMODE);
		expect_value("close on exec",
			     !!(fcntl(fd, F_GETFD) & FD_CLOEXEC),
			     !!(rows[i].flags & O_CLOEXEC));
		expect_mmap(fd, page, PROT_READ, MAP_SHARED, 0,
			    rows[i].readable ? 0 : EACCES);
		expect_mmap(fd, page, PROT_READ | PROT_WRITE, MAP_SHARED, 0,
			    rows[i].writable ? 0 : EACCES);
		close(fd);
	}
}

/* The ioctl with a struct of @size bytes */
static unsigned long request_of(unsigned int size)
{
	return _IOC(_IOC_READ | _IOC_WRITE, DMA_HEAP_IOC_MAGIC, 0, size);
}

/*
 * Programs built with an older or a newer struct: what is missing counts as
 * zero, and what is beyond the struct that the kernel knows must be zero: E2BIG,
 * and nothing is charged.
 */
static void test_struct_size(const struct cma_heap *heap)
{
	static const unsigned int sizes[] = {
		offsetof(struct dma_heap_allocation_data, fd_flags),
		offsetof(struct dma_heap_allocation_data, heap_flags),
		sizeof(struct dma_heap_allocation_data),
		sizeof(struct dma_heap_allocation_data) + 1,
		sizeof(struct dma_heap_allocation_data) + 8,
		/* On both sides of what the kernel has room for on its stack */
		128, 129, 256, 4096, (1 << _IOC_SIZEBITS) - 1,
	};
	const unsigned int known = sizeof(struct dma_heap_allocation_data);
	struct dma_heap_allocation_data *data;
	int heap_fd = open_heap(heap);
	int free_fd = next_fd();
	char what[64], *bytes;
	size_t i;

	bytes = calloc(1, 1 << _IOC_SIZEBITS);
	if (!bytes)
		case_fail("out of memory");
	data = (struct dma_heap_allocation_data *)bytes;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		snprintf(what, sizeof(what), "struct of %u bytes", sizes[i]);
		*data = (struct dma_heap_allocation_data){ .len = 2 * page };
		expect_errno(what, allocate(heap_fd, request_of(sizes[i]), data),
			     0);
		expect_value(what, data->fd, free_fd);
		expect_charge(heap, 2 * page);
		close(data->fd);
		expect_charge(heap, 0);

		if (sizes[i] <= known)
			continue;
		snprintf(what, sizeof(what), "%u bytes, the last one not zero",
			 sizes[i]);
		*data = (struct dma_heap_allocation_data){ .len = 2 * page };
		bytes[sizes[i] - 1] = 1;
		expect_errno(what, allocate(heap_fd, request_of(sizes[i]), data),
			     E2BIG);
		expect_value(what, data->fd, 0);
		expect_value("next descriptor", next_fd(), free_fd);
		expect_charge(heap, 0);
		bytes[sizes[i] - 1] = 0;
	}

	/* Without any struct the length is 0 */
	*data = (struct dma_heap_allocation_data){ .len = 2 * page };
	expect_errno("struct of 0 bytes",
		     allocate(heap_fd, _IO(DMA_HEAP_IOC_MAGIC, 0), data),
		     EINVAL);
	expect_charge(heap, 0);
	free(bytes);
	close(heap_fd);
}

/*
 * A struct that can't be read, or not be written after the allocation: EFAULT,
 * and no charge, descriptor or memory is left behind. The rounds ask for twice
 * the region in all, so memory that was lost would show as ENOMEM.
 */
static void test_bad_address(const struct cma_heap *heap)
{
	enum { ROUNDS = 16 };
	struct dma_heap_allocation_data *data;
	int heap_fd = open_heap(heap);
	int free_fd = next_fd();
	char *map;
	int i;

	expect_errno("no struct", allocate(heap_fd, DMA_HEAP_IOCTL_ALLOC, NULL),
		     EFAULT);
	map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		case_fail("mmap: %s", strerror(errno));
	munmap(map + page, page);
	data = (struct dma_heap_allocation_data *)(map + page) - 1;
	data->len = page_round(heap->size / (ROUNDS / 2));
	expect_errno("a struct that ends where memory does",
		     allocate(heap_fd, request_of(sizeof(*data) + 8), data),
		     EFAULT);

	mprotect(map, page, PROT_READ);
	for (i = 0; i < ROUNDS; i++) {
		expect_errno("a struct that can't be written",
			     allocate(heap_fd, DMA_HEAP_IOCTL_ALLOC, data),
			     EFAULT);
		expect_charge(heap, 0);
		expect_value("next descriptor", next_fd(), free_fd);
	}
	close(heap_fd);
}

/* No room for one more descriptor: EMFILE, nothing charged, nothing lost */
static void test_fd_limit(const struct cma_heap *heap)
{
	enum { ROUNDS = 16 };
	struct dma_heap_allocation_data data;
	struct rlimit old, tight;
	int heap_fd = open_heap(heap);
	int seen, i, fd;

	if (getrlimit(RLIMIT_NOFILE, &old))
		case_fail("getrlimit: %s", strerror(errno));
	for (i = 0; i < ROUNDS; i++) {
		data = (struct dma_heap_allocation_data){
			.len = page_round(heap->size / (ROUNDS / 2)),
		};
		tight = old;
		tight.rlim_cur = next_fd();
		if (setrlimit(RLIMIT_NOFILE, &tight))
			case_fail("setrlimit: %s", strerror(errno));
		seen = allocate(heap_fd, DMA_HEAP_IOCTL_ALLOC, &data);
		setrlimit(RLIMIT_NOFILE, &old);
		expect_errno("all descriptors in use", seen, EMFILE);
		expect_charge(heap, 0);
	}
	fd = expect_alloc(heap, page, 0);
	expect_charge(heap, page);
	close(fd);
	close(heap_fd);
}

/* Memory */

/* Of a size that a region has not more than MAX_CHUNKS / 2 of */
static __u64 chunk_of(const struct cma_heap *heap)
{
	__u64 chunk = page_round(heap->size / (MAX_CHUNKS / 2));

	return chunk < MIB ? MIB : chunk;
}

/* As many chunks as are surely there, 0 where that is not known */
static unsigned int sure_chunks(const struct cma_heap *heap, __u64 chunk)
{
	return cma_heap_is_free(&sb, heap) ? heap->size / chunk : 0;
}

static unsigned int fill_at(const char *func, int line,
			    const struct cma_heap *heap, __u64 chunk, int *fds,
			    unsigned int wanted)
{
	unsigned int count = cma_heap_fill(heap, chunk, fds, MAX_CHUNKS,
					   wanted);

	if (count == MAX_CHUNKS || !count || errno != ENOMEM)
		case_fail_at(func, line,
			     "%u chunks of %llu bytes, then expected %s, seen %s",
			     count, (unsigned long long)chunk, strerror(ENOMEM),
			     strerror(errno));
	if (count < wanted)
		case_fail_at(func, line,
			     "expected %u chunks of %llu bytes, seen %u",
			     wanted, (unsigned long long)chunk, count);
	return count;
}

#define fill(heap, chunk, fds, wanted) \
	fill_at(__func__, __LINE__, heap, chunk, fds, wanted)

/*
 * A region gives all it has, to the last chunk, as memory of which no two
 * pages are the same; then ENOMEM, which costs nothing. What is given back can
 * be had again.
 */
static void test_exhaustion(const struct cma_heap *heap)
{
	__u64 chunk = chunk_of(heap), at;
	unsigned int sure = sure_chunks(heap, chunk);
	unsigned int first, second, i;
	const __u64 *word;
	int fds[MAX_CHUNKS];
	char *maps[MAX_CHUNKS];

	first = fill(heap, chunk, fds, sure);
	expect_charge(heap, first * chunk);
	if (sure) {
		expect_value("chunks", first, sure);
		if (first * chunk == heap->size)
			expect_alloc(heap, page, ENOMEM);
	}
	expect_charge(heap, first * chunk);

	for (i = 0; i < first; i++) {
		maps[i] = map_buffer(fds[i], chunk, 0);
		for (at = 0; at < chunk; at += page)
			*(__u64 *)(maps[i] + at) = i * chunk + at + 1;
	}
	for (i = 0; i < first; i++) {
		for (at = 0; at < chunk; at += page) {
			word = (const __u64 *)(maps[i] + at);
			if (*word != i * chunk + at + 1)
				case_fail("chunk %u, byte %llu: expected %llu, seen %llu",
					  i, (unsigned long long)at,
					  (unsigned long long)(i * chunk + at + 1),
					  (unsigned long long)*word);
		}
		munmap(maps[i], chunk);
	}

	/* One back, one again */
	close(fds[first / 2]);
	expect_charge(heap, (first - 1) * chunk);
	fds[first / 2] = cma_heap_alloc(heap, chunk);
	if (fds[first / 2] < 0)
		case_fail("a chunk that was given back: %s",
			  strerror(-fds[first / 2]));
	expect_charge(heap, first * chunk);

	cma_heap_drain(fds, first);
	expect_charge(heap, 0);
	second = fill(heap, chunk, fds, first);
	expect_charge(heap, second * chunk);
	cma_heap_drain(fds, second);
	expect_charge(heap, 0);
}

/* As many chunks as there are, but not more than @max */
static unsigned int fill_part(const struct cma_heap *heap, __u64 chunk,
			      int *fds, unsigned int max)
{
	unsigned int count;

	if (max >= MAX_CHUNKS)
		return fill(heap, chunk, fds, 1);
	count = cma_heap_fill(heap, chunk, fds, max, 1);
	if (!count)
		case_fail("no chunk of %llu bytes: %s",
			  (unsigned long long)chunk, strerror(errno));
	return count;
}

/* Another process takes chunks, and leaves them full of this byte */
static void leave_dirty(const struct cma_heap *heap, __u64 chunk,
			unsigned int max, unsigned char byte)
{
	int fds[MAX_CHUNKS];
	unsigned int count;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		case_fail("fork: %s", strerror(errno));
	if (pid) {
		expect_exit(pid, KSFT_PASS);
		return;
	}
	alarm(CASE_SECONDS * slowness());
	count = fill_part(heap, chunk, fds, max);
	while (count--)
		memset(map_buffer(fds[count], chunk, 0), byte, chunk);
	exit(KSFT_PASS);
}

static void expect_zero(const char *map, __u64 bytes, unsigned int chunk)
{
	const unsigned long *word = (const unsigned long *)map;
	const unsigned long *end = (const unsigned long *)(map + bytes);

	while (word < end && !*word)
		word++;
	if (word < end)
		case_fail("chunk %u, byte %zu: expected 0, seen 0x%lx", chunk,
			  (size_t)((const char *)word - map), *word);
}

/*
 * What one process wrote, the next one does not read: in the whole region once,
 * then where new buffers straddle old ones in the part that is used first.
 */
static void test_zeroed(const struct cma_heap *heap)
{
	__u64 chunk = chunk_of(heap);
	const struct {
		__u64 dirty;
		unsigned int max_dirty;
		__u64 clean;
		unsigned int max_clean;
	} rounds[] = {
		{ chunk, MAX_CHUNKS, chunk, MAX_CHUNKS },
		{ 4 * chunk, 1, chunk, 4 },
		{ chunk, 5, 3 * chunk + 5 * page, 1 },
	};
	unsigned int count, i;
	int fds[MAX_CHUNKS];
	char *map;
	size_t r;

	for (r = 0; r < ARRAY_SIZE(rounds); r++) {
		leave_dirty(heap, rounds[r].dirty, rounds[r].max_dirty,
			    0xa5 + r);
		count = fill_part(heap, rounds[r].clean, fds,
				  rounds[r].max_clean);
		for (i = 0; i < count; i++) {
			map = map_buffer(fds[i], rounds[r].clean, 0);
			expect_zero(map, rounds[r].clean, i);
			munmap(map, rounds[r].clean);
		}
		cma_heap_drain(fds, count);
		expect_charge(heap, 0);
	}
}

/* Mappings */

/* Small enough for single pages, large enough for a PMD and some pages more */
static void map_lengths(const struct cma_heap *heap, __u64 *lengths)
{
	lengths[0] = 8 * page;
	lengths[1] = 4 * MIB + 3 * page;
	if (lengths[1] > heap->size / 2)
		lengths[1] = 16 * page;
}

static void write_pages(char *map, __u64 bytes, __u64 base)
{
	__u64 at;

	for (at = 0; at < bytes; at += page) {
		*(__u32 *)(map + at) = (base + at) / page + 1;
		*(__u32 *)(map + at + page - 4) = ~((base + at) / page);
	}
}

static void check_pages_at(const char *func, int line, const char *map,
			   __u64 bytes, __u64 base)
{
	__u32 first, last, number;
	__u64 at;

	for (at = 0; at < bytes; at += page) {
		number = (base + at) / page;
		first = *(const __u32 *)(map + at);
		last = *(const __u32 *)(map + at + page - 4);
		if (first != number + 1 || last != ~number)
			case_fail_at(func, line,
				     "page %u: expected %u and %u, seen %u and %u",
				     number, number + 1, ~number, first, last);
	}
}

#define check_pages(map, bytes, base) \
	check_pages_at(__func__, __LINE__, map, bytes, base)

static sigjmp_buf fault_return;

static void on_fault(int signal)
{
	siglongjmp(fault_return, signal);
}

/* The signal that an access to this byte gives, 0 if it works */
static int fault_of(char *byte, bool write)
{
	struct sigaction handler = { .sa_handler = on_fault };
	struct sigaction old_segv, old_bus;
	int signal;
	char value;

	sigaction(SIGSEGV, &handler, &old_segv);
	sigaction(SIGBUS, &handler, &old_bus);
	signal = sigsetjmp(fault_return, 1);
	if (!signal) {
		value = __atomic_load_n(byte, __ATOMIC_SEQ_CST);
		if (write)
			__atomic_store_n(byte, value, __ATOMIC_SEQ_CST);
	}
	sigaction(SIGSEGV, &old_segv, NULL);
	sigaction(SIGBUS, &old_bus, NULL);
	return signal;
}

/* All of a buffer, twice, and each sees what the other wrote */
static void test_mmap_whole(const struct cma_heap *heap)
{
	char *map, *second;
	__u64 lengths[2];
	size_t i;
	int fd;

	map_lengths(heap, lengths);
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		fd = expect_alloc(heap, lengths[i], 0);
		map = map_buffer(fd, lengths[i], 0);
		second = map_buffer(fd, lengths[i], 0);
		write_pages(map, lengths[i], 0);
		check_pages(second, lengths[i], 0);
		write_pages(second, lengths[i], 7 * page);
		check_pages(map, lengths[i], 7 * page);
		munmap(map, lengths[i]);
		check_pages(second, lengths[i], 7 * page);

		/* Mappings live without the descriptor */
		close(fd);
		check_pages(second, lengths[i], 7 * page);
		expect_charge(heap, lengths[i]);
		munmap(second, lengths[i]);
		expect_charge(heap, 0);
	}
}

/* A part of a buffer is that part, from any page on and to any page */
static void test_mmap_part(const struct cma_heap *heap)
{
	char *whole, *part;
	__u64 lengths[2];
	size_t i, j;
	int fd;

	map_lengths(heap, lengths);
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		const struct {
			__u64 offset;
			__u64 bytes;
		} parts[] = {
			{ 0, page },
			{ page, page },
			{ 2 * page, 3 * page },
			{ page, lengths[i] - page },
			{ 0, lengths[i] - page },
			{ lengths[i] - page, page },
			{ lengths[i] / 2 / page * page, 2 * page },
		};

		fd = expect_alloc(heap, lengths[i], 0);
		whole = map_buffer(fd, lengths[i], 0);
		write_pages(whole, lengths[i], 0);
		for (j = 0; j < ARRAY_SIZE(parts); j++) {
			part = map_buffer(fd, parts[j].bytes, parts[j].offset);
			check_pages(part, parts[j].bytes, parts[j].offset);
			write_pages(part, parts[j].bytes, parts[j].offset);
			munmap(part, parts[j].bytes);
			check_pages(whole, lengths[i], 0);
		}
		munmap(whole, lengths[i]);
		close(fd);
		expect_charge(heap, 0);
	}
}

/* There is nothing beyond the end to be mapped, and no private copy */
static void test_mmap_refused(const struct cma_heap *heap)
{
	const int rw = PROT_READ | PROT_WRITE;
	int fd;

	fd = expect_alloc(heap, 4 * page, 0);
	expect_mmap(fd, 4 * page + 1, rw, MAP_SHARED, 0, EINVAL);
	expect_mmap(fd, 5 * page, rw, MAP_SHARED, 0, EINVAL);
	expect_mmap(fd, 4 * page, rw, MAP_SHARED, page, EINVAL);
	expect_mmap(fd, 2 * page, rw, MAP_SHARED, 3 * page, EINVAL);
	expect_mmap(fd, page, rw, MAP_SHARED, 4 * page, EINVAL);
	expect_mmap(fd, page, PROT_READ, MAP_SHARED, 1024 * page, EINVAL);
	expect_mmap(fd, page, rw, MAP_SHARED, 3 * page, 0);

	expect_mmap(fd, 4 * page, rw, MAP_PRIVATE, 0, EINVAL);
	expect_mmap(fd, 4 * page, PROT_READ, MAP_PRIVATE, 0, EINVAL);
	expect_mmap(fd, page, PROT_READ, MAP_PRIVATE, page, EINVAL);
	expect_charge(heap, 4 * page);
	close(fd);
}

/* A mapping is shared with children, and stays when theirs goes */
static void test_mmap_fork(const struct cma_heap *heap)
{
	__u64 lengths[2];
	char *map;
	size_t i;
	pid_t pid;
	int fd;

	map_lengths(heap, lengths);
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		fd = expect_alloc(heap, lengths[i], 0);
		map = map_buffer(fd, lengths[i], 0);
		write_pages(map, lengths[i], 0);
		pid = fork();
		if (pid < 0)
			case_fail("fork: %s", strerror(errno));
		if (!pid) {
			check_pages(map, lengths[i], 0);
			write_pages(map, lengths[i], 9 * page);
			munmap(map, lengths[i]);
			exit(KSFT_PASS);
		}
		expect_exit(pid, KSFT_PASS);
		check_pages(map, lengths[i], 9 * page);
		expect_charge(heap, lengths[i]);
		munmap(map, lengths[i]);
		close(fd);
		expect_charge(heap, 0);
	}
}

/* A hole in a mapping is a hole; what is around it keeps its contents */
static void test_munmap_part(const struct cma_heap *heap)
{
	__u64 lengths[2], hole;
	char *map;
	size_t i;
	int fd;

	map_lengths(heap, lengths);
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		fd = expect_alloc(heap, lengths[i], 0);
		map = map_buffer(fd, lengths[i], 0);
		close(fd);
		write_pages(map, lengths[i], 0);
		hole = lengths[i] / 2 / page * page;
		munmap(map + hole, page);
		expect_value("signal in the hole", fault_of(map + hole, false),
			     SIGSEGV);
		check_pages(map, hole, 0);
		check_pages(map + hole + page, lengths[i] - hole - page,
			    hole + page);
		write_pages(map, hole, 5 * page);
		check_pages(map, hole, 5 * page);
		expect_charge(heap, lengths[i]);
		munmap(map, hole);
		expect_charge(heap, lengths[i]);
		check_pages(map + hole + page, lengths[i] - hole - page,
			    hole + page);
		munmap(map + hole + page, lengths[i] - hole - page);
		expect_charge(heap, 0);
	}
}

/* Protection of a part, and a part that moves: the contents are the same */
static void test_mprotect_mremap(const struct cma_heap *heap)
{
	__u64 lengths[2], part;
	char *map, *moved, *place;
	size_t i;
	int fd;

	map_lengths(heap, lengths);
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		fd = expect_alloc(heap, lengths[i], 0);
		map = map_buffer(fd, lengths[i], 0);
		write_pages(map, lengths[i], 0);
		part = lengths[i] / 2 / page * page;

		if (mprotect(map + part, page, PROT_READ))
			case_fail("mprotect: %s", strerror(errno));
		expect_value("signal of a read", fault_of(map + part, false), 0);
		expect_value("signal of a write", fault_of(map + part, true),
			     SIGSEGV);
		expect_value("signal of a write before",
			     fault_of(map + part - 1, true), 0);
		expect_value("signal of a write behind",
			     fault_of(map + part + page, true), 0);
		check_pages(map, lengths[i], 0);
		if (mprotect(map + part, page, PROT_READ | PROT_WRITE))
			case_fail("mprotect: %s", strerror(errno));
		expect_value("signal of a write", fault_of(map + part, true), 0);
		check_pages(map, lengths[i], 0);

		moved = mremap(map, lengths[i], part, MREMAP_MAYMOVE);
		if (moved == MAP_FAILED)
			case_fail("mremap to less: %s", strerror(errno));
		check_pages(moved, part, 0);
		/* It can't grow, and is what it was after the attempt */
		if (mremap(moved, part, lengths[i] + page, MREMAP_MAYMOVE) !=
		    MAP_FAILED)
			case_fail("mremap beyond the end: expected %s, seen %s",
				  strerror(EFAULT), strerror(0));
		expect_errno("mremap beyond the end", errno, EFAULT);
		check_pages(moved, part, 0);

		place = mmap(NULL, part, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
		if (place == MAP_FAILED)
			case_fail("mmap: %s", strerror(errno));
		moved = mremap(moved, part, part,
			       MREMAP_MAYMOVE | MREMAP_FIXED, place);
		if (moved != place)
			case_fail("mremap to another place: %s",
				  strerror(errno));
		check_pages(moved, part, 0);
		write_pages(moved, part, 3 * page);
		check_pages(moved, part, 3 * page);
		munmap(moved, part);
		close(fd);
		expect_charge(heap, 0);
	}
}

/* Access by the CPU can be bracketed, in every direction */
static void test_sync(const struct cma_heap *heap)
{
	const struct {
		const char *name;
		__u64 flags;
		int error;
	} rows[] = {
		{ "read", DMA_BUF_SYNC_READ, 0 },
		{ "write", DMA_BUF_SYNC_WRITE, 0 },
		{ "read and write", DMA_BUF_SYNC_RW, 0 },
		{ "no direction", 0, EINVAL },
		{ "unknown flag",
			DMA_BUF_SYNC_RW | DMA_BUF_SYNC_VALID_FLAGS_MASK << 1,
			EINVAL },
	};
	struct dma_buf_sync sync;
	char *map;
	size_t i;
	int fd;

	fd = expect_alloc(heap, 2 * page, 0);
	map = map_buffer(fd, 2 * page, 0);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		sync.flags = DMA_BUF_SYNC_START | rows[i].flags;
		expect_errno(rows[i].name,
			     ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync) ? errno : 0,
			     rows[i].error);
		write_pages(map, 2 * page, i * page);
		sync.flags = DMA_BUF_SYNC_END | rows[i].flags;
		expect_errno(rows[i].name,
			     ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync) ? errno : 0,
			     rows[i].error);
		check_pages(map, 2 * page, i * page);
	}
	expect_errno("no struct", ioctl(fd, DMA_BUF_IOCTL_SYNC, NULL) ? errno : 0,
		     EFAULT);
	munmap(map, 2 * page);
	close(fd);
}

/* Seeking tells the size and does nothing else */
static void test_lseek(const struct cma_heap *heap)
{
	int fd;

	fd = expect_alloc(heap, 2 * page + 1, 0);
	expect_value("SEEK_END", lseek(fd, 0, SEEK_END), 3 * page);
	expect_value("SEEK_SET", lseek(fd, 0, SEEK_SET), 0);
	expect_value("SEEK_END", lseek(fd, 0, SEEK_END), 3 * page);
	expect_errno("SEEK_END + 1", lseek(fd, 1, SEEK_END) < 0 ? errno : 0,
		     EINVAL);
	expect_errno("SEEK_SET + 1", lseek(fd, 1, SEEK_SET) < 0 ? errno : 0,
		     EINVAL);
	expect_errno("SEEK_CUR", lseek(fd, 0, SEEK_CUR) < 0 ? errno : 0,
		     EINVAL);
	close(fd);
}

/*
 * The default area has several names. They are one region: what one heap takes
 * is charged where the other's is, and counts against the same limit.
 */
static void test_alias(const struct cma_heap *unused __maybe_unused)
{
	const struct cma_heap *one = NULL, *other;
	unsigned int i, aliases = 0;
	int first, second;

	if (!sb.accounting)
		case_skip(&sb, "%s", sb.why);
	for (i = 0; i < sb.heaps.count && !one; i++)
		if (!strcmp(sb.heaps.heap[i].name, CMA_HEAP_DEFAULT))
			one = &sb.heaps.heap[i];
	if (!one)
		case_skip(&sb, "there is no default area");

	for (i = 0; i < sb.heaps.count; i++) {
		other = &sb.heaps.heap[i];
		if (!other->is_default || other == one)
			continue;
		aliases++;
		if (strcmp(one->region, other->region))
			case_fail("%s: expected region %s, seen '%s'",
				  other->name, one->region, other->region);

		set_max(one, 4 * page);
		first = expect_alloc(one, 3 * page, 0);
		expect_charge(other, 3 * page);
		expect_alloc(other, 2 * page, ENOSPC);
		second = expect_alloc(other, page, 0);
		expect_charge(one, 4 * page);
		expect_alloc(one, page, ENOSPC);
		close(first);
		expect_charge(one, page);
		first = expect_alloc(other, 3 * page, 0);
		expect_alloc(one, page, ENOSPC);
		expect_charge(one, 4 * page);
		close(first);
		close(second);
		expect_charge(one, 0);
	}
	if (!aliases)
		case_skip(&sb, "the default area has one heap only");
}

/* Device tree */

/* Returns the length, -1 without such a property */
static int read_property(const char *node, const char *property, char *value,
			 size_t size)
{
	char path[PATH_MAX];
	int fd, len;

	snprintf(path, sizeof(path), "%s/%s/%s", RESERVED_DIR, node, property);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	len = read(fd, value, size);
	close(fd);
	return len;
}

static bool has_property(const char *node, const char *property)
{
	char value[1];

	return read_property(node, property, value, sizeof(value)) >= 0;
}

/* One of the strings of the property is this one */
static bool property_has(const char *node, const char *property,
			 const char *string)
{
	char value[1024];
	int len, at;

	len = read_property(node, property, value, sizeof(value) - 1);
	if (len <= 0)
		return false;
	value[len] = '\0';
	for (at = 0; at < len; at += strlen(value + at) + 1)
		if (!strcmp(value + at, string))
			return true;
	return false;
}

/* Cells are 32 bits, the most significant byte first */
static __u64 cells(const unsigned char *at, unsigned int count)
{
	__u64 value = 0;
	unsigned int i;

	for (i = 0; i < 4 * count; i++)
		value = value << 8 | at[i];
	return value;
}

/* The size that the node asks for, 0 if it can't be told */
static __u64 node_size(const char *node)
{
	unsigned char value[64], count[4];
	unsigned int address_cells, size_cells;
	int len;

	if (read_property(".", "#address-cells", (char *)count, 4) != 4)
		return 0;
	address_cells = cells(count, 1);
	if (read_property(".", "#size-cells", (char *)count, 4) != 4)
		return 0;
	size_cells = cells(count, 1);
	if (address_cells > 2 || size_cells < 1 || size_cells > 2)
		return 0;

	len = read_property(node, "reg", (char *)value, sizeof(value));
	if (len == (int)(4 * (address_cells + size_cells)))
		return cells(value + 4 * address_cells, size_cells);
	if (len >= 0)
		return 0;
	len = read_property(node, "size", (char *)value, sizeof(value));
	return len == (int)(4 * size_cells) ? cells(value, size_cells) : 0;
}

static bool is_enabled(const char *node)
{
	return !has_property(node, "status") ||
	       property_has(node, "status", "okay") ||
	       property_has(node, "status", "ok");
}

static bool is_cma_node(const char *node)
{
	return is_enabled(node) &&
	       property_has(node, "compatible", "shared-dma-pool") &&
	       has_property(node, "reusable") && !has_property(node, "no-map");
}

/* Another default area was asked for, so the one of the device tree is not made */
static bool is_bypassed(const char *node)
{
	char line[4096];

	if (!has_property(node, "linux,cma-default") ||
	    read_text("/proc/cmdline", line, sizeof(line)) <= 0)
		return false;
	return !strncmp(line, "cma=", 4) || strstr(line, " cma=");
}

static void expect_presence(const char *node, const char *what, bool seen,
			    bool want)
{
	static const char * const text[] = { "none", "one" };

	if (seen != want)
		case_fail("%s: %s: expected %s, seen %s", node, what,
			  text[want], text[seen]);
}

static void check_node(const char *node)
{
	bool is_default = has_property(node, "linux,cma-default");
	bool cma = is_cma_node(node);
	char region[PATH_MAX];
	char path[PATH_MAX];
	bool has_region;
	__u64 size = 0;

	snprintf(path, sizeof(path), "%s/%s", CMA_HEAP_DIR, node);
	expect_presence(node, "heap", !access(path, F_OK), cma);
	if (cma && is_default)
		expect_presence(node, "heap " CMA_HEAP_DEFAULT,
				!access(CMA_HEAP_DIR "/" CMA_HEAP_DEFAULT, F_OK),
				true);
	if (!sb.accounting)
		return;

	/* Under its name or, if it is the default area, under that one */
	snprintf(region, sizeof(region), "cma/%s",
		 cma && is_default ? CMA_HEAP_DEFAULT : node);
	has_region = !dmem_read(sb.root, "dmem.capacity", region, &size);
	expect_presence(node, region, has_region, cma);
	if (cma && node_size(node))
		expect_value(node, size, node_size(node));
}

/*
 * Of the reserved regions in the device tree, the reusable ones that are
 * mapped are heaps and dmem regions, by their names, and the others are not.
 */
static void test_device_tree(const struct cma_heap *unused __maybe_unused)
{
	unsigned int checked = 0;
	struct dirent *entry;
	DIR *dir;

	dir = opendir(RESERVED_DIR);
	if (!dir)
		case_skip(&sb, "no reserved memory in a device tree");
	for (entry = readdir(dir); entry; entry = readdir(dir)) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.' ||
		    is_bypassed(entry->d_name))
			continue;
		check_node(entry->d_name);
		checked++;
	}
	closedir(dir);
	if (!checked)
		case_skip(&sb, "no reserved region in the device tree");
}

static const struct {
	void (*fn)(const struct cma_heap *heap);
	const char *name;
	bool once;
} cases[] = {
	{ test_region,		"region",		false },
	{ test_lengths,		"lengths",		false },
	{ test_whole_region,	"whole_region",		false },
	{ test_bad_flags,	"bad_flags",		false },
	{ test_fd_flags,	"fd_flags",		false },
	{ test_struct_size,	"struct_size",		false },
	{ test_bad_address,	"bad_address",		false },
	{ test_fd_limit,	"fd_limit",		false },
	{ test_exhaustion,	"exhaustion",		false },
	{ test_zeroed,		"zeroed",		false },
	{ test_mmap_whole,	"mmap_whole",		false },
	{ test_mmap_part,	"mmap_part",		false },
	{ test_mmap_refused,	"mmap_refused",		false },
	{ test_mmap_fork,	"mmap_fork",		false },
	{ test_munmap_part,	"munmap_part",		false },
	{ test_mprotect_mremap,	"mprotect_mremap",	false },
	{ test_sync,		"sync",			false },
	{ test_lseek,		"lseek",		false },
	{ test_alias,		"alias",		true },
	{ test_device_tree,	"device_tree",		true },
};

static size_t current_case;

/* In the process of the case: go to a cgroup of its own, then do it */
static void run_case(const struct cma_heap *heap)
{
	if (sb.accounting) {
		own = cg_name(sb.top, "own");
		if (!own || cg_create(own) || cg_enter_current(own))
			case_fail("can't enter a new cgroup");
	}
	cases[current_case].fn(heap);
}

static void report(int result, const char *name)
{
	if (result == KSFT_SKIP)
		ksft_test_result_code(KSFT_SKIP, name, "%s", sb.reason);
	else
		ksft_test_result_code(result, name, NULL);
}

static unsigned int count_runs(void)
{
	unsigned int runs = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		if (cases[i].once)
			runs++;
		else
			runs += sb.heaps.count;
	}
	return runs;
}

int main(void)
{
	char name[CMA_HEAP_NAME_SIZE + 64];
	struct cma_heap *heap;
	unsigned int i;
	int ret;

	ksft_print_header();
	if (geteuid())
		ksft_exit_skip("needs root\n");
	page = page_size();
	ret = sandbox_open(&sb, "cma_heap_test");
	if (ret)
		ksft_exit_fail_msg("no sandbox: %s\n", strerror(-ret));
	if (!sb.heaps.count) {
		sandbox_close(&sb);
		ksft_exit_skip("no CMA heap in %s\n", CMA_HEAP_DIR);
	}
	if (!sb.accounting)
		ksft_print_msg("nothing is charged: %s\n", sb.why);

	for (i = 0; i < sb.heaps.count; i++) {
		heap = &sb.heaps.heap[i];
		if (!heap->size)
			heap->size = cma_heap_probe_size(heap);
		ksft_print_msg("%s: %llu bytes, region %s\n", heap->name,
			       (unsigned long long)heap->size,
			       heap->region[0] ? heap->region : "(none)");
	}

	ksft_set_plan(count_runs());
	for (; current_case < ARRAY_SIZE(cases); current_case++) {
		for (i = 0; i < sb.heaps.count; i++) {
			ret = sandbox_run(&sb, run_case, &sb.heaps.heap[i],
					  CASE_SECONDS);
			if (cases[current_case].once) {
				report(ret, cases[current_case].name);
				break;
			}
			snprintf(name, sizeof(name), "%s:%s",
				 cases[current_case].name,
				 sb.heaps.heap[i].name);
			report(ret, name);
		}
	}

	sandbox_close(&sb);
	ksft_finished();
}
