// SPDX-License-Identifier: GPL-2.0
/*
 * What is left when a buffer, a mapping, a limit, a cgroup or a region can't be
 * had because something on the way there fails.
 *
 * Each path is walked again and again. The first time the first thing on it that
 * can fail does, then the second one, until it succeeds with nothing left to
 * fail. What can fail is
 *
 *	slab	an object
 *	page	pages, also those that slab wants for more objects
 *	copy	reading or writing the caller's memory
 *
 * and slab and page each have a walk of their own, in which copies fail as well.
 * What tries once more when an object can't be had gets away with it there: in a
 * third walk all objects fail from some moment on (drought).
 *
 * After each failure: the errno is a documented one, the usage and what is
 * available are as before, the files show what they showed, no descriptor is
 * taken. A path on which nothing has failed of what must is no path: that fails
 * the test, too.
 *
 * Then the path is walked ROUNDS times more, and of no kind of object may there
 * be that many more than before: with one lost wherever one and the same thing
 * fails there would be. Numbers of objects are exact when nothing is cached: the
 * test has all caches of free objects dropped before it counts.
 *
 * Needs a kernel with failslab, fail_page_alloc and fail_usercopy, and the
 * selftest modules for the paths that start in the kernel.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>

#include "kselftest.h"
#include "cgroup_util.h"
#include "lib/cma_heap_cases.h"
#include "lib/cma_heap_util.h"
#include "lib/importer.h"

#define CASE_SECONDS	300
#define ROUNDS		6
/* Of rounds, and for what waits for grace periods after each */
#define GROWTH_TRIES	3
#define GROWTH_SECONDS	5
/* More than any path has */
#define MAX_SITES	2000

/* A drought begins that many bytes later each time; objects are rarely smaller */
#define DROUGHT_STEP	128
#define DROUGHT_TIMES	1000000

#define FAULTS_DIR	"/sys/kernel/debug"
#define SELFTEST_DIR	"/sys/kernel/debug/dmem_selftest"
#define SELFTEST_REGION	"dmem_selftest"
#define SLAB_DIR	"/sys/kernel/slab"
#define MAX_CACHES	512

static struct dmem_sandbox sb;
static __u64 page;

/* Fault injection */

enum fault {
	SLAB,
	PAGES,
	DROUGHT,
	COPY,
	NR_FAULTS,
};

static const char * const fault_names[] = {
	[SLAB] = "slab",
	[PAGES] = "page",
	[DROUGHT] = "drought",
	[COPY] = "copy",
};

static int fail_nth = -1;
static int make_it_fail = -1;
static int drought_space = -1;
static int drought_times = -1;

static void write_setting(const char *dir, const char *file, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), FAULTS_DIR "/%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		case_skip(&sb, "no %s in this kernel", dir);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		case_fail("%s: %s", path, strerror(errno));
	close(fd);
}

static int open_setting(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		case_skip(&sb, "no %s in this kernel", path);
	if (fd < 0)
		case_fail("%s: %s", path, strerror(errno));
	return fd;
}

static void put_number(int fd, unsigned int number)
{
	char text[16];
	int len = sprintf(text, "%u", number);

	if (write(fd, text, len) != len)
		case_fail("fault injection: %s", strerror(errno));
}

static void setup_faults(void)
{
	/* Not only what does without waiting for memory */
	write_setting("failslab", "ignore-gfp-wait", "N");
	write_setting("fail_page_alloc", "ignore-gfp-wait", "N");
	write_setting("fail_page_alloc", "ignore-gfp-highmem", "N");
	write_setting("failslab", "verbose", "0");
	write_setting("fail_page_alloc", "verbose", "0");
	write_setting("fail_usercopy", "verbose", "0");
	/* For who says so, always, if it is not just one */
	write_setting("failslab", "task-filter", "Y");
	write_setting("failslab", "probability", "100");
	drought_space = open_setting(FAULTS_DIR "/failslab/space", O_WRONLY);
	drought_times = open_setting(FAULTS_DIR "/failslab/times", O_WRONLY);
	make_it_fail = open_setting("/proc/self/make-it-fail", O_WRONLY);
	fail_nth = open_setting("/proc/self/fail-nth", O_RDWR);
}

/* From now on @fault and COPY can fail */
static void choose_fault(enum fault fault)
{
	/* Only caches that are marked, and none is; only very large ones */
	write_setting("failslab", "cache-filter", fault == PAGES ? "Y" : "N");
	write_setting("fail_page_alloc", "min-order", fault == PAGES ? "0" : "99");
}

/* From now on the @nth of what can fail in this process does */
static void start_fault(unsigned int nth)
{
	put_number(fail_nth, nth);
}

/*
 * Whether it has come to that. Reading and writing the number is a copy that can
 * fail itself: then it had not.
 */
static bool end_fault(void)
{
	char text[16] = "";
	ssize_t len = pread(fail_nth, text, sizeof(text) - 1, 0);

	if (len < 0 && errno != EFAULT)
		case_fail("fail-nth: %s", strerror(errno));
	while (pwrite(fail_nth, "0", 1, 0) != 1)
		if (errno != EFAULT)
			case_fail("fail-nth: %s", strerror(errno));
	return len > 0 && !strtoul(text, NULL, 10);
}

/* From now on objects can be had for as many bytes, and none after that */
static void start_drought(unsigned int bytes)
{
	put_number(drought_times, DROUGHT_TIMES);
	put_number(drought_space, bytes);
	put_number(make_it_fail, 1);
}

/* Whether it has come to that */
static bool end_drought(void)
{
	char text[16];

	put_number(make_it_fail, 0);
	if (read_line(text, sizeof(text), FAULTS_DIR "/failslab/times"))
		case_fail("fault injection: no number of times");
	return strtoul(text, NULL, 10) != DROUGHT_TIMES;
}

/* Objects */

struct cache {
	char name[64];
	unsigned long objects;
};

struct caches {
	struct cache cache[MAX_CACHES];
	unsigned int count;
};

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* Opened once: opening them again and again makes objects itself */
static int shrink_fds[MAX_CACHES];
static unsigned int nr_shrink_fds;
static int slabinfo_fd = -1;

static void setup_objects(void)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;
	int fd;

	/* Without a message whenever it is used */
	write_file("/proc/sys/vm/drop_caches", "4");
	slabinfo_fd = open("/proc/slabinfo", O_RDONLY | O_CLOEXEC);
	dir = opendir(SLAB_DIR);
	if (slabinfo_fd < 0 || !dir)
		case_skip(&sb, "no slabinfo or no " SLAB_DIR " in this kernel");
	for (entry = readdir(dir); entry; entry = readdir(dir)) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), SLAB_DIR "/%s/shrink", entry->d_name);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || nr_shrink_fds == MAX_CACHES)
			case_fail("%s: %s", path, strerror(errno));
		shrink_fds[nr_shrink_fds++] = fd;
	}
	closedir(dir);
}

/* Objects that were freed but are kept for the next one to be had quickly */
static void drop_free_objects(void)
{
	unsigned int i;

	/* Entries that nobody uses, and those that wait for a grace period */
	write_file("/proc/sys/vm/drop_caches", "2");
	for (i = 0; i < nr_shrink_fds; i++)
		if (pwrite(shrink_fds[i], "1", 1, 0) != 1)
			case_fail("shrinking a cache: %s", strerror(errno));
}

static void count_objects(struct caches *caches)
{
	static char text[256 * MAX_CACHES];
	char *line, *rest = text;
	size_t len = 0;
	ssize_t got;

	drop_free_objects();
	if (lseek(slabinfo_fd, 0, SEEK_SET))
		case_fail("slabinfo: %s", strerror(errno));
	do {
		got = read(slabinfo_fd, text + len, sizeof(text) - 1 - len);
		if (got < 0)
			case_fail("slabinfo: %s", strerror(errno));
		len += got;
	} while (got);
	text[len] = '\0';

	caches->count = 0;
	while ((line = strsep(&rest, "\n"))) {
		struct cache *cache = &caches->cache[caches->count];

		if (caches->count == MAX_CACHES)
			case_fail("more than %d caches", MAX_CACHES);
		if (sscanf(line, "%63s %lu", cache->name, &cache->objects) == 2)
			caches->count++;
	}
	if (!caches->count)
		case_fail("slabinfo is empty");
}

/*
 * The names and inodes of files in /proc, /sys and cgroups come and go with who
 * looks at them. A buffer that is lost is lost with its file, which is counted,
 * and a cgroup with its nodes in kernfs.
 *
 * What the kernel's own debugging notes about objects has reserves of its own.
 * An object that is lost is counted in the cache that it is from.
 */
static bool is_not_counted(const char *cache)
{
	static const char * const names[] = {
		"dentry", "inode_cache", "proc_inode_cache",
		"debug_objects_cache", "kmemleak_object",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(cache, names[i]))
			return true;
	return false;
}

/* The cache that has at least @more objects more than before, or NULL */
static const struct cache *find_growth(const struct caches *before,
				       const struct caches *now,
				       unsigned long more, unsigned long *had)
{
	unsigned int i, j;

	for (i = 0; i < now->count; i++) {
		const struct cache *cache = &now->cache[i];

		if (is_not_counted(cache->name))
			continue;
		for (j = 0; j < before->count; j++)
			if (!strcmp(before->cache[j].name, cache->name))
				break;
		*had = j < before->count ? before->cache[j].objects : 0;
		if (cache->objects >= *had + more)
			return cache;
	}
	return NULL;
}

/* Until less and less are there no more: what waits for grace periods is gone */
static void count_settled(struct caches *caches)
{
	static struct caches now;
	__u64 end = deadline();
	unsigned int still = 0;
	unsigned long had;

	count_objects(caches);
	while (still < 3 && sleep_until(end)) {
		count_objects(&now);
		if (find_growth(&now, caches, 1, &had))
			still = 0;
		else
			still++;
		*caches = now;
	}
}

/* The cache that has grown and stays so, or NULL */
static const struct cache *wait_for_growth(const struct caches *before,
					   unsigned long *had)
{
	static struct caches now;
	__u64 end = now_ms() + GROWTH_SECONDS * 1000;
	const struct cache *cache;

	do {
		count_objects(&now);
		cache = find_growth(before, &now, ROUNDS, had);
	} while (cache && sleep_until(end));
	return cache;
}

/* Paths */

/**
 * struct path - something to do that can fail in several places
 * @name:	what it is
 * @begin:	before each try; NULL if nothing is to be prepared
 * @try:	0 or the negative errno
 * @check:	what must be after each, given what it returned
 * @end:	after each; gives back what @try has got if it returned 0
 * @want:	what it returns when nothing is made to fail
 * @need:	what must have failed at least once: bits of enum fault
 * @repeats:	for as long as it takes, so that no drought would end
 */
struct path {
	const char *name;
	void (*begin)(void);
	int (*try)(void);
	void (*check)(int ret);
	void (*end)(int ret);
	int want;
	unsigned int need;
	bool repeats;
};

/* What walks have seen: failures by kind, and those that nobody noticed */
struct walk {
	unsigned int failed[NR_FAULTS];
	unsigned int hidden[NR_FAULTS];
};

static int lowest_free_fd(void)
{
	int fd = dup(fail_nth);

	if (fd < 0)
		case_fail("dup: %s", strerror(errno));
	close(fd);
	return fd;
}

static void walk_with(const struct path *path, enum fault fault,
		      struct walk *walk)
{
	unsigned int nth;
	bool injected;
	int ret, fd;

	choose_fault(fault);
	for (nth = 1; nth < MAX_SITES; nth++) {
		if (path->begin)
			path->begin();
		fd = lowest_free_fd();
		if (fault == DROUGHT)
			start_drought(nth * DROUGHT_STEP);
		else
			start_fault(nth);
		ret = path->try();
		injected = fault == DROUGHT ? end_drought() : end_fault();

		if (ret && ret != path->want && ret != -ENOMEM && ret != -EFAULT)
			case_fail("%s, failure %u (%s): expected ENOMEM or EFAULT, seen %s",
				  path->name, nth, fault_names[fault],
				  strerror(-ret));
		if (!injected && ret != path->want)
			case_fail("%s, nothing has failed: expected %s, seen %s",
				  path->name, strerror(-path->want),
				  strerror(-ret));
		if (ret)
			expect_value("lowest free descriptor", lowest_free_fd(),
				     fd);
		if (path->check)
			path->check(ret);
		if (path->end)
			path->end(ret);
		if (!injected)
			return;
		if (ret == -EFAULT)
			walk->failed[COPY]++;
		else if (ret == path->want)
			walk->hidden[fault]++;
		else
			walk->failed[fault]++;
	}
	case_fail("%s: more than %d things that can fail", path->name, MAX_SITES);
}

static void walk_round(const struct path *path, struct walk *walk)
{
	memset(walk, 0, sizeof(*walk));
	walk_with(path, SLAB, walk);
	walk_with(path, PAGES, walk);
	if (!path->repeats)
		walk_with(path, DROUGHT, walk);
}

static void walk_path(const struct path *path)
{
	static struct caches before;
	const struct cache *cache;
	struct walk walk, again;
	unsigned int i, tries;
	unsigned long had;

	if (fail_nth < 0) {
		setup_faults();
		setup_objects();
	}
	walk_round(path, &walk);
	ksft_print_msg("%s: failed: %u slab, %u page, %u copy, %u droughts",
		       path->name, walk.failed[SLAB], walk.failed[PAGES],
		       walk.failed[COPY], walk.failed[DROUGHT]);
	printf("; unnoticed: %u slab, %u page, %u droughts\n", walk.hidden[SLAB],
	       walk.hidden[PAGES], walk.hidden[DROUGHT]);
	for (i = 0; i < NR_FAULTS; i++)
		if (path->need & 1 << i && !walk.failed[i] && !walk.hidden[i])
			case_fail("%s: no %s has failed: nothing was tested",
				  path->name, fault_names[i]);

	/* Others grow as well, once; what is lost here is so every time */
	for (tries = 0; tries < GROWTH_TRIES; tries++) {
		count_settled(&before);
		for (i = 0; i < ROUNDS; i++)
			walk_round(path, &again);
		cache = wait_for_growth(&before, &had);
		if (!cache)
			return;
		ksft_print_msg("%s, %d times: %s had %lu objects, has %lu\n",
			       path->name, ROUNDS, cache->name, had,
			       cache->objects);
	}
	case_fail("%s: objects are lost", path->name);
}

#define NEED(fault)	(1 << (fault))

/* What paths are about */

static const struct cma_heap *heap;

/* The cgroup that the process is in, or that is written to, and its parent */
static char parent[PATH_MAX + 128];
static char group[PATH_MAX + 192];
static int heap_fd = -1;
static int buffer = -1;
static int importer = -1;
static __u64 available;
static __u64 usage;

static void setup(const struct cma_heap *with)
{
	page = page_size();
	heap = with;
	snprintf(parent, sizeof(parent), "%s/parent", sb.top);
	snprintf(group, sizeof(group), "%s/group", parent);
	available = heap_number(heap->name, "available");
}

static void need_accounting(void)
{
	if (!sb.accounting)
		case_skip(&sb, "%s", sb.why);
	if (!heap->region[0])
		case_fail("%s: dmem.capacity has no region for this heap",
			  heap->name);
}

/* Two levels without pools */
static void make_groups(void)
{
	if (cg_create(parent) ||
	    cg_write(parent, "cgroup.subtree_control", "+dmem") ||
	    cg_create(group))
		case_fail("%s: %s", group, strerror(errno));
}

static void remove_group(const char *path)
{
	__u64 end = deadline();

	while (rmdir(path))
		if (errno != EBUSY || !sleep_until(end))
			case_fail("%s: %s", path, strerror(errno));
}

static void remove_groups(void)
{
	remove_group(group);
	remove_group(parent);
}

static void enter_groups(void)
{
	if (!sb.accounting)
		return;
	make_groups();
	if (cg_enter_current(group))
		case_fail("can't enter %s", group);
}

static void leave_groups(void)
{
	if (!sb.accounting)
		return;
	if (cg_enter_current(sb.root))
		case_fail("can't enter the root cgroup");
	remove_groups();
}

/*
 * Others take memory from the default area when they please; and what goes back
 * from the cache at this moment may be counted twice, or not at all.
 */
static void expect_available(__u64 taken)
{
	__u64 end = deadline(), seen;

	if (heap->is_default)
		return;
	do {
		seen = heap_number(heap->name, "available");
	} while (seen != available - taken && sleep_until(end));
	expect_value("available", seen, available - taken);
}

static void expect_usage(__u64 bytes)
{
	if (!sb.accounting || !heap->region[0])
		return;
	expect_dmem(group, "dmem.current", heap, bytes);
	expect_dmem(parent, "dmem.current", heap, bytes);
}

/* Allocation */

/* With a struct that does not fit the kernel's stack the second time */
static union {
	struct dma_heap_allocation_data data;
	char bytes[256];
} request;

static __u64 request_bytes;
static unsigned int request_size;

static void begin_alloc(void)
{
	enter_groups();
	heap_fd = cma_heap_open(heap);
	if (heap_fd < 0)
		case_fail("%s: %s", heap->name, strerror(-heap_fd));
	memset(&request, 0, sizeof(request));
	request.data.len = request_bytes;
	request.data.fd_flags = O_RDWR | O_CLOEXEC;
}

static int try_alloc(void)
{
	return ioctl(heap_fd, _IOC(_IOC_READ | _IOC_WRITE, DMA_HEAP_IOC_MAGIC, 0,
				   request_size), &request) ? -errno : 0;
}

static void check_alloc(int ret)
{
	expect_usage(ret ? 0 : request_bytes);
	expect_available(ret ? 0 : request_bytes);
	if (ret)
		expect_value("descriptor", request.data.fd, 0);
}

/* A buffer goes whether there is memory or not */
static void end_alloc(int ret)
{
	static unsigned int nth;

	if (!ret) {
		start_fault(1 + nth++ % 8);
		close(request.data.fd);
		end_fault();
	}
	close(heap_fd);
	expect_usage(0);
	expect_available(0);
	leave_groups();
}

/* A buffer is there completely, or not at all and nothing is charged */
static void test_alloc(const struct cma_heap *with)
{
	static const struct path path = {
		.name = "allocate",
		.begin = begin_alloc,
		.try = try_alloc,
		.check = check_alloc,
		.end = end_alloc,
		.need = NEED(SLAB) | NEED(COPY),
	};

	setup(with);
	request_size = sizeof(request.data);
	/* Often enough for the area to be used up, if any of it were lost */
	request_bytes = page_round(heap->size / 64);
	walk_path(&path);
}

static void test_alloc_larger_struct(const struct cma_heap *with)
{
	static const struct path path = {
		.name = "allocate with a larger struct",
		.begin = begin_alloc,
		.try = try_alloc,
		.check = check_alloc,
		.end = end_alloc,
		.need = NEED(SLAB) | NEED(COPY),
	};

	setup(with);
	request_size = sizeof(request);
	request_bytes = 3 * page;
	walk_path(&path);
}

/* No room is no room, whatever else there is none of */
static void test_alloc_exhausted(const struct cma_heap *with)
{
	static const struct path path = {
		.name = "allocate from an area that is full",
		.begin = begin_alloc,
		.try = try_alloc,
		.check = check_alloc,
		.end = end_alloc,
		.want = -ENOMEM,
		.need = NEED(SLAB) | NEED(COPY),
	};
	int all;

	setup(with);
	if (!cma_heap_is_free(&sb, heap))
		case_skip(&sb, "others use the area");
	all = cma_heap_alloc_whole(heap);
	if (all < 0)
		case_fail("all of %s: %s", heap->name, strerror(-all));
	available = 0;
	request_size = sizeof(request.data);
	request_bytes = page;
	walk_path(&path);
	close(all);
	close(expect_alloc(heap, heap->size, 0));
}

static void begin_alloc_limited(void)
{
	char line[CMA_HEAP_NAME_SIZE + 32];

	begin_alloc();
	snprintf(line, sizeof(line), "%s %llu", heap->region,
		 (unsigned long long)request_bytes - 1);
	if (dmem_write(parent, "dmem.max", line, strlen(line)))
		case_fail("dmem.max: %s", strerror(errno));
}

/* A limit above refuses, with memory for the cgroup's own numbers or without */
static void test_alloc_limited(const struct cma_heap *with)
{
	static const struct path path = {
		.name = "allocate beyond a limit",
		.begin = begin_alloc_limited,
		.try = try_alloc,
		.check = check_alloc,
		.end = end_alloc,
		.want = -ENOSPC,
		.need = NEED(SLAB) | NEED(COPY),
	};

	setup(with);
	need_accounting();
	request_size = sizeof(request.data);
	request_bytes = 4 * page;
	walk_path(&path);
}

/* Information */

static struct dma_heap_info info, had_info;
static char info_texts[2][4096];

static void begin_info(void)
{
	memset(&info, 0, sizeof(info));
	info.of_node = (uintptr_t)info_texts[0];
	info.of_node_size = sizeof(info_texts[0]);
	info.consumers = (uintptr_t)info_texts[1];
	info.consumers_size = sizeof(info_texts[1]);
	had_info = info;
}

static int try_info(void)
{
	return ioctl(heap_fd, DMA_HEAP_IOCTL_GET_INFO, &info) ? -errno : 0;
}

static void check_info(int ret)
{
	if (ret && memcmp(&info, &had_info, sizeof(info)))
		case_fail("refused, but the struct has changed");
	if (!ret)
		expect_value("alignment", info.alignment, page);
}

static void test_info(const struct cma_heap *with)
{
	struct path path = {
		.name = "ask for information",
		.begin = begin_info,
		.try = try_info,
		.check = check_info,
		.need = NEED(COPY),
	};

	setup(with);
	heap_fd = cma_heap_open(heap);
	begin_info();
	if (try_info())
		case_fail("DMA_HEAP_IOCTL_GET_INFO: %s", strerror(errno));
	/* Without a node it allocates nothing */
	if (info.of_node_size)
		path.need |= NEED(SLAB);
	walk_path(&path);
}

/* Devices */

static void setup_importer(const struct cma_heap *with)
{
	setup(with);
	enter_groups();
	buffer = alloc_buffer(heap, 8 * page);
	importer = importer_open(&sb, "noncoherent");
	importer_number(importer, "import", buffer, 0);
}

/* An importer that has met failures is as good as any */
static void teardown_importer(void)
{
	importer_expect(importer, "release", 0);
	expect_usage(8 * page);
	close(buffer);
	close(importer);
	expect_usage(0);
	expect_available(0);
	leave_groups();
}

static int try_attach(void)
{
	return importer_try(importer, "attach");
}

static void end_attach(int ret)
{
	if (!ret)
		importer_expect(importer, "detach", 0);
}

static void test_attach(const struct cma_heap *with)
{
	static const struct path path = {
		.name = "attach",
		.try = try_attach,
		.end = end_attach,
		.need = NEED(SLAB) | NEED(COPY),
	};

	setup_importer(with);
	walk_path(&path);
	teardown_importer();
}

static int try_map(void)
{
	return importer_try(importer, "map both");
}

static void end_map(int ret)
{
	if (!ret)
		importer_expect(importer, "unmap", 0);
}

static void test_map(const struct cma_heap *with)
{
	static const struct path path = {
		.name = "map for a device",
		.try = try_map,
		.end = end_map,
		.need = NEED(SLAB) | NEED(COPY),
	};
	int ret;

	setup_importer(with);
	importer_expect(importer, "attach", 0);
	ret = try_map();
	if (ret == -EOPNOTSUPP)
		case_skip(&sb, "no DMA on this machine");
	end_map(ret);
	walk_path(&path);
	teardown_importer();
}

static bool has_highmem(void)
{
	unsigned long kib = 0;
	char line[128];
	FILE *file = fopen("/proc/meminfo", "re");

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "HighTotal: %lu", &kib);
	if (file)
		fclose(file);
	return kib;
}

static int try_vmap(void)
{
	return importer_try(importer, "vmap");
}

static void end_vmap(int ret)
{
	if (!ret)
		importer_expect(importer, "vunmap", 0);
}

/* Low memory is mapped already: only the command can fail */
static void test_vmap(const struct cma_heap *with)
{
	static const struct path path = {
		.name = "map for the kernel",
		.try = try_vmap,
		.end = end_vmap,
		.need = NEED(COPY),
	};

	if (has_highmem())
		case_skip(&sb, "dma_buf_vmap() warns when it fails");
	setup_importer(with);
	walk_path(&path);
	teardown_importer();
}

/* Processes */

/* Far from any other mapping, so that no page table is shared */
static char *place;
static __u64 map_bytes;

static void setup_map(const struct cma_heap *with)
{
	const __u64 span = sizeof(long) == 8 ? 1ULL << 30 : 1ULL << 22;

	setup(with);
	enter_groups();
	map_bytes = 5 * page;
	buffer = alloc_buffer(heap, map_bytes);
	place = reserve_addresses(3 * span, span) + span;
	if (munmap(place - span, 3 * span))
		case_fail("munmap: %s", strerror(errno));
}

static void teardown_map(void)
{
	close(buffer);
	expect_usage(0);
	expect_available(0);
	leave_groups();
}

static int try_mmap(void)
{
	return mmap(place, map_bytes, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED, buffer, 0) == MAP_FAILED ? -errno : 0;
}

static void end_mmap(int ret)
{
	if (!ret && munmap(place, map_bytes))
		case_fail("munmap: %s", strerror(errno));
}

static void test_mmap(const struct cma_heap *with)
{
	static const struct path path = {
		.name = "mmap",
		.try = try_mmap,
		.end = end_mmap,
		.need = NEED(SLAB),
	};

	setup_map(with);
	walk_path(&path);
	teardown_map();
}

static void begin_touch(void)
{
	map_buffer_over(place, buffer, map_bytes, 0);
}

static int try_touch(void)
{
	store_byte(place + page, 1);
	return 0;
}

/* Other pages have what they had, and are the buffer's */
static void check_touch(int ret __maybe_unused)
{
	pattern_write(place, map_bytes, 0, 1);
	end_mmap(0);
	begin_touch();
	pattern_check(place, map_bytes, 0, 1);
}

/* A first access that finds no memory for a page table comes again */
static void test_first_touch(const struct cma_heap *with)
{
	static const struct path path = {
		.name = "first touch",
		.begin = begin_touch,
		.try = try_touch,
		.check = check_touch,
		.end = end_mmap,
		.need = NEED(PAGES),
		.repeats = true,
	};

	setup_map(with);
	walk_path(&path);
	teardown_map();
}

/* Limits */

static const char * const limit_files[] = {
	"dmem.max", "dmem.min", "dmem.low",
};

static const char *limit_file;
static int limit_fd;
static char limit_text[CMA_HEAP_MAX_HEAPS * (CMA_HEAP_NAME_SIZE + 32)];
static char *limits_before[ARRAY_SIZE(limit_files)];

static char *read_limit(const char *file)
{
	char *text = dmem_read_file(group, file);

	if (!text)
		case_fail("%s: %s", file, strerror(errno));
	return text;
}

static void begin_limit(void)
{
	char path[sizeof(group) + 32];
	unsigned int i;

	make_groups();
	snprintf(path, sizeof(path), "%s/%s", group, limit_file);
	limit_fd = open(path, O_WRONLY | O_CLOEXEC);
	if (limit_fd < 0)
		case_fail("%s: %s", path, strerror(errno));
	for (i = 0; i < ARRAY_SIZE(limit_files); i++)
		limits_before[i] = read_limit(limit_files[i]);
}

static int try_limit(void)
{
	return write(limit_fd, limit_text, strlen(limit_text)) < 0 ? -errno : 0;
}

/* All of the lines count, or none */
static void check_limit(int ret)
{
	unsigned int i;
	char *now;

	for (i = 0; i < ARRAY_SIZE(limit_files); i++) {
		now = read_limit(limit_files[i]);
		if (!ret && limit_files[i] == limit_file) {
			if (!strstr(now, limit_text))
				case_fail("%s: expected to find\n%s# seen\n%s",
					  limit_file, limit_text, now);
		} else if (strcmp(now, limits_before[i])) {
			case_fail("%s has changed: expected\n%s# seen\n%s",
				  limit_files[i], limits_before[i], now);
		}
		free(now);
	}
}

static void end_limit(int ret __maybe_unused)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(limit_files); i++)
		free(limits_before[i]);
	close(limit_fd);
	remove_groups();
}

/* All regions, in the order of the file */
static void make_limit_text(void)
{
	char *all = dmem_read_file(sb.root, "dmem.capacity");
	char *line, *rest = all;
	unsigned int n = 0;
	size_t len = 0;

	while (rest) {
		line = strsep(&rest, "\n");
		if (!*line || !strncmp(line, SELFTEST_REGION,
				       strlen(SELFTEST_REGION)))
			continue;
		n++;
		len += snprintf(limit_text + len, sizeof(limit_text) - len,
				"%s %llu\n", strsep(&line, " "),
				(unsigned long long)(n * page));
		if (len >= sizeof(limit_text))
			case_fail("too many regions");
	}
	free(all);
	if (!n)
		case_fail("no region in dmem.capacity");
}

static void test_limits(const struct cma_heap *with)
{
	struct path path = {
		.begin = begin_limit,
		.try = try_limit,
		.check = check_limit,
		.end = end_limit,
		.need = NEED(SLAB) | NEED(COPY),
	};
	unsigned int i;

	setup(with);
	need_accounting();
	make_limit_text();
	for (i = 0; i < ARRAY_SIZE(limit_files); i++) {
		limit_file = limit_files[i];
		path.name = limit_file;
		walk_path(&path);
	}
}

/* The peak that an open file sees */

static void begin_peak(void)
{
	char path[sizeof(group) + 32];

	snprintf(path, sizeof(path), "%s/dmem.peak", group);
	limit_fd = open(path, O_RDWR | O_CLOEXEC);
	if (limit_fd < 0)
		case_fail("%s: %s", path, strerror(errno));
}

static int try_peak(void)
{
	return pwrite(limit_fd, "0", 1, 0) < 0 ? -errno : 0;
}

static void check_peak(int ret)
{
	char text[4096], want[CMA_HEAP_NAME_SIZE + 32], seen[32];
	ssize_t len = pread(limit_fd, text, sizeof(text) - 1, 0);

	if (len < 0)
		case_fail("dmem.peak: %s", strerror(errno));
	text[len] = '\0';
	snprintf(want, sizeof(want), "%llu",
		 (unsigned long long)(ret ? 5 * page : usage));
	if (dmem_find_text(text, heap->region, seen, sizeof(seen)) ||
	    strcmp(seen, want))
		case_fail("dmem.peak, write gives %s: expected %s, seen\n%s",
			  strerror(-ret), want, text);
}

static void end_peak(int ret __maybe_unused)
{
	close(limit_fd);
}

/* A reset is of all regions or of none; the file goes on seeing what it saw */
static void test_peak(const struct cma_heap *with)
{
	static const struct path path = {
		.name = "dmem.peak",
		.begin = begin_peak,
		.try = try_peak,
		.check = check_peak,
		.end = end_peak,
		.need = NEED(SLAB) | NEED(COPY),
	};

	setup(with);
	need_accounting();
	make_limit_text();
	enter_groups();
	/* Pools of all regions */
	if (dmem_write(group, "dmem.low", limit_text, strlen(limit_text)))
		case_fail("dmem.low: %s", strerror(errno));
	close(alloc_buffer(heap, 5 * page));
	usage = 2 * page;
	buffer = alloc_buffer(heap, usage);
	walk_path(&path);
	close(buffer);
	leave_groups();
}

/* Cgroups */

static __u64 cgroups_below(void)
{
	long count = cg_read_key_long(sb.top, "cgroup.stat", "nr_descendants ");

	if (count < 0)
		case_fail("cgroup.stat has no number");
	return count;
}

static __u64 cgroups_before;

static void begin_create(void)
{
	if (cg_create(parent) ||
	    cg_write(parent, "cgroup.subtree_control", "+dmem"))
		case_fail("%s: %s", parent, strerror(errno));
	cgroups_before = cgroups_below();
}

static int try_create(void)
{
	return mkdir(group, 0755) ? -errno : 0;
}

static void check_create(int ret)
{
	expect_value("cgroups", cgroups_below(), cgroups_before + !ret);
	expect_value("directory is there", !access(group, F_OK), !ret);
	if (!ret)
		expect_dmem(group, "dmem.current", heap, 0);
}

static void end_create(int ret)
{
	if (!ret)
		remove_group(group);
	remove_group(parent);
}

static void test_create_cgroup(const struct cma_heap *with)
{
	static const struct path path = {
		.name = "make a cgroup",
		.begin = begin_create,
		.try = try_create,
		.check = check_create,
		.end = end_create,
		/* Not every architecture's way to copy a path can fail */
		.need = NEED(SLAB),
	};

	setup(with);
	need_accounting();
	walk_path(&path);
}

static void begin_enable(void)
{
	char path[sizeof(parent) + 32];

	if (cg_create(parent) || cg_create(group))
		case_fail("%s: %s", group, strerror(errno));
	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", parent);
	limit_fd = open(path, O_WRONLY | O_CLOEXEC);
	if (limit_fd < 0)
		case_fail("%s: %s", path, strerror(errno));
}

static int try_enable(void)
{
	return write(limit_fd, "+dmem", 5) < 0 ? -errno : 0;
}

static void check_enable(int ret)
{
	char path[sizeof(group) + 32];

	snprintf(path, sizeof(path), "%s/dmem.current", group);
	expect_value("dmem.current is there", !access(path, F_OK), !ret);
}

static void end_enable(int ret __maybe_unused)
{
	close(limit_fd);
	remove_groups();
}

static void test_enable_controller(const struct cma_heap *with)
{
	static const struct path path = {
		.name = "enable the controller",
		.begin = begin_enable,
		.try = try_enable,
		.check = check_enable,
		.end = end_enable,
		.need = NEED(SLAB) | NEED(COPY),
	};

	setup(with);
	need_accounting();
	walk_path(&path);
}

/* Regions */

static unsigned int selftest_regions(void)
{
	char *all = dmem_read_file(sb.root, "dmem.capacity");
	char *line, *rest = all;
	unsigned int n = 0;

	if (!all)
		case_fail("dmem.capacity: %s", strerror(errno));
	while (rest) {
		line = strsep(&rest, "\n");
		n += !strncmp(line, SELFTEST_REGION, strlen(SELFTEST_REGION));
	}
	free(all);
	return n;
}

static void open_selftest(const char *file)
{
	char path[128];

	snprintf(path, sizeof(path), SELFTEST_DIR "/%s", file);
	limit_fd = open(path, O_WRONLY | O_CLOEXEC);
	if (limit_fd < 0 && errno == ENOENT)
		case_skip(&sb, "dmem_selftest is not loaded");
	if (limit_fd < 0)
		case_fail("%s: %s", path, strerror(errno));
}

static unsigned int nr_regions;

static void begin_register(void)
{
	nr_regions = selftest_regions();
}

static int try_register(void)
{
	return write(limit_fd, "3", 1) < 0 ? -errno : 0;
}

/* The module gives up those that it had first, or does not come to that */
static void check_register(int ret)
{
	unsigned int seen = selftest_regions();

	if (!ret)
		expect_value("regions", seen, 3);
	else if (ret == -EFAULT)
		expect_value("regions", seen, nr_regions);
	else
		expect_value("regions", seen, 0);
}

/* A region that can't be registered is in no file */
static void test_register(const struct cma_heap *with)
{
	static const struct path path = {
		.name = "register regions",
		.begin = begin_register,
		.try = try_register,
		.check = check_register,
		.need = NEED(SLAB) | NEED(COPY),
	};

	setup(with);
	need_accounting();
	open_selftest("regions");
	walk_path(&path);
	if (write(limit_fd, "1", 1) != 1)
		case_fail("a region again: %s", strerror(errno));
	close(limit_fd);
}

static int try_churn(void)
{
	static const char name[] = SELFTEST_REGION "_faults";

	return write(limit_fd, name, strlen(name)) < 0 ? -errno : 0;
}

static void check_churn(int ret __maybe_unused)
{
	expect_value("regions", selftest_regions(), nr_regions);
}

/* Registered, charged for the first time in two levels of cgroups, and gone */
static void test_churn(const struct cma_heap *with)
{
	static const struct path path = {
		.name = "register and charge a region",
		.begin = begin_register,
		.try = try_churn,
		.check = check_churn,
		.need = NEED(SLAB) | NEED(COPY),
	};

	setup(with);
	need_accounting();
	open_selftest("churn");
	enter_groups();
	walk_path(&path);
	leave_groups();
	close(limit_fd);
}

static const struct cma_heap_case cases[] = {
	{ test_alloc,			"alloc" },
	{ test_alloc_larger_struct,	"alloc_larger_struct",	true },
	{ test_alloc_exhausted,		"alloc_exhausted" },
	{ test_alloc_limited,		"alloc_limited",	true },
	{ test_info,			"info" },
	{ test_attach,			"attach",		true },
	{ test_map,			"map",			true },
	{ test_vmap,			"vmap" },
	{ test_mmap,			"mmap",			true },
	{ test_first_touch,		"first_touch",		true },
	{ test_limits,			"limits",		true },
	{ test_peak,			"peak",			true },
	{ test_create_cgroup,		"create_cgroup",	true },
	{ test_enable_controller,	"enable_controller",	true },
	{ test_register,		"register",		true },
	{ test_churn,			"churn",		true },
};

int main(void)
{
	cma_heap_run_cases("cma_heap_faults_test", &sb, cases,
			   ARRAY_SIZE(cases), CASE_SECONDS);
}
