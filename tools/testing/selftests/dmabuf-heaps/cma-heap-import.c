// SPDX-License-Identifier: GPL-2.0
/*
 * CMA heaps' buffers as devices and the kernel see them: in one piece wherever
 * they are mapped, with the same contents for the CPU, the kernel and devices
 * once access was bracketed, and charged for as long as a device has them. (What
 * is left when memory runs out on the way: cma-heap-faults.c.)
 *
 * Needs the importer selftest module. Booted with swiotlb=force devices have
 * memory of their own, and see nothing but what was synced: then the cases also
 * check that, without syncing, they do not.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/dma-buf.h>

#include "kselftest.h"
#include "lib/cma_heap_cases.h"
#include "lib/cma_heap_util.h"
#include "lib/importer.h"

#define CASE_SECONDS	60
#define MIB		(1024ULL * 1024)
#define RW		(PROT_READ | PROT_WRITE)

static struct dmem_sandbox sb;
static __u64 page;
static char *own;

static const char * const devices[] = { "coherent", "noncoherent" };

static void setup(void)
{
	page = page_size();
	own = cma_heap_own_cgroup(&sb);
}

static void expect_charge_at(const char *func, int line,
			     const struct cma_heap *heap, __u64 want)
{
	if (sb.accounting && heap->region[0])
		expect_dmem_at(func, line, own, "dmem.current", heap, want);
}

#define expect_charge(heap, want) \
	expect_charge_at(__func__, __LINE__, heap, want)

static bool is_bouncing(void)
{
	char line[4096];
	ssize_t n;
	int fd;

	fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, line, sizeof(line) - 1);
	close(fd);
	line[n < 0 ? 0 : n] = '\0';
	return strstr(line, "swiotlb=force");
}

/* What bounce buffers can take in one piece */
static __u64 largest(const struct cma_heap *heap)
{
	return is_bouncing() ? 32 * page : heap->size / 2 / page * page;
}

static void need_dma(int importer)
{
	int ret = importer_try(importer, "map both");

	if (ret == -EOPNOTSUPP)
		case_skip(&sb, "no DMA on this machine");
	if (ret)
		case_fail("map: %s", strerror(-ret));
	importer_expect(importer, "unmap", 0);
}

/* An importer that has the buffer and its device attached to it */
static int import_buffer(const char *device, int fd)
{
	int importer = importer_open(&sb, device);

	importer_number(importer, "import", fd, 0);
	importer_expect(importer, "attach", 0);
	return importer;
}

static void sync_buffer(int fd, __u64 flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	if (ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync))
		case_fail("DMA_BUF_IOCTL_SYNC 0x%llx: %s",
			  (unsigned long long)flags, strerror(errno));
}

/* Cases */

/* A device finds all of a buffer in one segment, whatever its size */
static void test_one_segment(const struct cma_heap *heap)
{
	const __u64 lengths[] = { page, 5 * page, MIB + page, largest(heap) };
	unsigned int d, i;
	int fd, importer;
	__u64 value;

	setup();
	for (d = 0; d < ARRAY_SIZE(devices); d++) {
		for (i = 0; i < ARRAY_SIZE(lengths); i++) {
			if (!lengths[i] || lengths[i] > largest(heap))
				continue;
			fd = alloc_buffer(heap, lengths[i]);
			importer = import_buffer(devices[d], fd);
			need_dma(importer);
			importer_expect(importer, "map both", 0);
			if (!importer_read(importer, "entries", &value))
				case_fail("the importer does not tell entries");
			expect_value("segments", value, 1);
			if (!importer_read(importer, "bytes", &value))
				case_fail("the importer does not tell bytes");
			expect_value("bytes in them", value, lengths[i]);
			importer_expect(importer, "unmap", 0);
			importer_expect(importer, "detach", 0);
			close(importer);
			close(fd);
			expect_charge(heap, 0);
		}
	}
}

/*
 * What the CPU writes between start and end of its access a device reads after,
 * and the other way round, through any number of turns.
 */
static void test_turns(const struct cma_heap *heap)
{
	const __u64 bytes = largest(heap) < 4 * MIB ? largest(heap) :
						      4 * MIB + 3 * page;
	unsigned int d, turn;
	int fd, importer;
	char *map;

	setup();
	for (d = 0; d < ARRAY_SIZE(devices); d++) {
		fd = alloc_buffer(heap, bytes);
		map = map_buffer_prot(fd, bytes, 0, RW);
		pattern_write(map, bytes, 0, 1);
		importer = import_buffer(devices[d], fd);
		need_dma(importer);
		importer_expect(importer, "map both", 0);
		importer_number(importer, "dev-check", 1, 0);

		for (turn = 2; turn < 8; turn += 2) {
			importer_number(importer, "dev-write", turn, 0);
			if (is_bouncing())
				pattern_check(map, bytes, 0, turn - 1);
			sync_buffer(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);
			pattern_check(map, bytes, 0, turn);
			pattern_write(map, bytes, 0, turn + 1);
			if (is_bouncing())
				importer_number(importer, "dev-check", turn, 0);
			sync_buffer(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW);
			importer_number(importer, "dev-check", turn + 1, 0);
		}
		importer_number(importer, "dev-write", turn, 0);
		importer_expect(importer, "unmap", 0);
		pattern_check(map, bytes, 0, turn);
		munmap(map, bytes);
		close(importer);
		close(fd);
	}
}

/* The same for the kernel's access; a mapping for DMA syncs all by itself */
static void test_kernel_turns(const struct cma_heap *heap)
{
	const __u64 bytes = largest(heap) < 4 * MIB ? largest(heap) :
						      4 * MIB + 3 * page;
	int fd, importer;
	unsigned int d;
	char *map;

	setup();
	for (d = 0; d < ARRAY_SIZE(devices); d++) {
		fd = alloc_buffer(heap, bytes);
		map = map_buffer_prot(fd, bytes, 0, RW);
		importer = import_buffer(devices[d], fd);
		importer_expect(importer, "vmap", 0);
		importer_number(importer, "cpu-write", 1, 0);
		pattern_check(map, bytes, 0, 1);
		need_dma(importer);

		importer_expect(importer, "map both", 0);
		importer_number(importer, "dev-check", 1, 0);
		importer_expect(importer, "begin both", 0);
		importer_number(importer, "cpu-write", 2, 0);
		importer_expect(importer, "end both", 0);
		importer_number(importer, "dev-check", 2, 0);
		importer_number(importer, "dev-write", 3, 0);
		importer_expect(importer, "begin from_device", 0);
		importer_number(importer, "cpu-check", 3, 0);
		importer_expect(importer, "end from_device", 0);
		importer_expect(importer, "unmap", 0);

		importer_expect(importer, "map from_device", 0);
		importer_number(importer, "dev-write", 4, 0);
		importer_expect(importer, "unmap", 0);
		importer_number(importer, "cpu-check", 4, 0);
		pattern_check(map, bytes, 0, 4);
		importer_expect(importer, "vunmap", 0);
		munmap(map, bytes);
		close(importer);
		close(fd);
		expect_charge(heap, 0);
	}
}

/* Each of several devices is synced for, but only while it has a mapping */
static void test_two_devices(const struct cma_heap *heap)
{
	const __u64 bytes = 8 * page;
	int fd, one, two;
	char *map;

	setup();
	fd = alloc_buffer(heap, bytes);
	map = map_buffer_prot(fd, bytes, 0, RW);
	one = import_buffer(devices[0], fd);
	two = import_buffer(devices[1], fd);
	need_dma(one);
	importer_expect(one, "map to_device", 0);
	importer_expect(two, "map to_device", 0);

	sync_buffer(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE);
	pattern_write(map, bytes, 0, 1);
	sync_buffer(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
	importer_number(one, "dev-check", 1, 0);
	importer_number(two, "dev-check", 1, 0);

	importer_expect(one, "unmap", 0);
	importer_number(one, "dev-check", 1, EINVAL);
	sync_buffer(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE);
	pattern_write(map, bytes, 0, 2);
	sync_buffer(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
	importer_number(two, "dev-check", 2, 0);
	importer_expect(one, "detach", 0);
	sync_buffer(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE);
	pattern_write(map, bytes, 0, 3);
	sync_buffer(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
	importer_number(two, "dev-check", 3, 0);
}

/* Two users of the kernel mapping: it stays until both are done with it */
static void test_vmap_twice(const struct cma_heap *heap)
{
	const __u64 bytes = MIB + 3 * page;
	__u64 frame, same;
	int fd, one, two;
	char *map;

	setup();
	fd = alloc_buffer(heap, bytes);
	map = map_buffer_prot(fd, bytes, 0, RW);
	one = importer_open(&sb, devices[0]);
	two = importer_open(&sb, devices[1]);
	importer_number(one, "import", fd, 0);
	importer_number(two, "import", fd, 0);
	importer_expect(one, "vmap", 0);
	importer_expect(two, "vmap", 0);
	if (!importer_read(one, "frame", &frame) ||
	    !importer_read(two, "frame", &same))
		case_fail("the importer does not tell the frames");
	expect_value("frame", same, frame);
	importer_number(one, "cpu-write", 1, 0);
	importer_number(two, "cpu-check", 1, 0);
	importer_expect(one, "vunmap", 0);
	importer_number(two, "cpu-write", 2, 0);
	pattern_check(map, bytes, 0, 2);
	importer_expect(two, "vunmap", 0);
	importer_expect(one, "vmap", 0);
	importer_number(one, "cpu-check", 2, 0);
}

/* A device that has the buffer keeps it, and its charge, alive */
static void test_lifetime(const struct cma_heap *heap)
{
	const __u64 bytes = 5 * page;
	int fd, importer;
	char *map;

	setup();
	fd = alloc_buffer(heap, bytes);
	map = map_buffer_prot(fd, bytes, 0, RW);
	pattern_write(map, bytes, 0, 1);
	importer = import_buffer(devices[0], fd);
	importer_expect(importer, "vmap", 0);
	munmap(map, bytes);
	close(fd);
	expect_charge(heap, bytes);
	importer_number(importer, "cpu-check", 1, 0);
	importer_expect(importer, "vunmap", 0);
	expect_charge(heap, bytes);
	importer_expect(importer, "release", 0);
	expect_charge(heap, 0);
}

/* Steps out of order are the importer's fault: this tests the module itself */
static void test_order(const struct cma_heap *heap)
{
	static const char * const wrong[] = {
		"attach", "detach", "map both", "unmap", "vmap", "vunmap",
		"begin both", "end both", "dev-write 1", "dev-check 1",
		"cpu-write 1", "cpu-check 1", "cycles 1", "import -1x", "map",
		"map sideways", "import", "nonsense", "", "release 1",
	};
	unsigned int i;
	int importer;

	setup();
	importer = importer_open(&sb, devices[0]);
	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		if (*wrong[i])
			importer_expect(importer, wrong[i], EINVAL);
	importer_expect(importer, "import 12345", EBADF);
	importer_expect(importer, "import 0x7fffffff", EBADF);
	importer_number(importer, "import", alloc_buffer(heap, page), 0);
	importer_number(importer, "import", 0, EINVAL);
	importer_expect(importer, "attach", 0);
	importer_expect(importer, "attach", EINVAL);
	importer_expect(importer, "cycles 1", EINVAL);
	importer_expect(importer, "detach", 0);
	importer_expect(importer, "detach", EINVAL);
}

static const struct cma_heap_case cases[] = {
	{ test_one_segment,	"one_segment" },
	{ test_turns,		"turns" },
	{ test_kernel_turns,	"kernel_turns" },
	{ test_two_devices,	"two_devices" },
	{ test_vmap_twice,	"vmap_twice" },
	{ test_lifetime,	"lifetime" },
	{ test_order,		"order" },
};

int main(void)
{
	page = page_size();
	cma_heap_run_cases("cma_heap_import_test", &sb, cases,
			   ARRAY_SIZE(cases), CASE_SECONDS);
}
