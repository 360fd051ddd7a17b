// SPDX-License-Identifier: GPL-2.0
/*
 * How long somebody waits for a page of an area while another one, in a cgroup
 * of his own, does nothing but allocate a quarter of it, from which processes'
 * pages have to be moved each time.
 *
 * One allocation at a time has the area to itself, whoever it is from: that is a
 * mutex of CMA's, which no limit shortens. The times are printed, for people, as
 * they are of no use to a test. What has to be is that he gets each of his pages,
 * that both are charged for their own and that nothing is left.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "kselftest.h"
#include "lib/cma_heap_cases.h"
#include "lib/cma_heap_util.h"
#include "lib/shared_number.h"
#include "lib/waits.h"

#define CASE_SECONDS	300
#define PAUSE_US	2000
/* Of the area, for each large buffer */
#define LARGE_SHARE	4
/* Fewer of them have not been in anybody's way */
#define LARGE_WANTED	3
/* Of the memory that is available, for who borrows from the area */
#define BORROWED_SHARE	2

/**
 * struct shared - what the processes of a case have in common
 * @stop:	the others end
 * @rounds:	how often the borrower has touched all of its memory
 * @large:	large buffers that were allocated
 * @refused:	those that were not, as a page could not be moved at the moment
 * @longest:	microseconds that the slowest of both has taken
 */
struct shared {
	__u32 stop;
	__u32 rounds;
	__u32 large;
	__u32 refused;
	__u32 longest;
};

static struct dmem_sandbox sb;
static struct shared *sh;
static __u64 page;
static char large_group[PATH_MAX + 128], small_group[PATH_MAX + 128];

static void enter(const char *cgroup)
{
	expect_done(cgroup, dmem_write_text(cgroup, "cgroup.procs", "0"));
}

static pid_t start(void (*fn)(const struct cma_heap *heap),
		   const struct cma_heap *heap)
{
	pid_t pid = case_fork();

	if (pid)
		return pid;
	fn(heap);
	exit(KSFT_PASS);
}

/* Memory that may be in the area, given back and taken again and again */
static void borrow(const struct cma_heap *heap __maybe_unused)
{
	__u64 bytes = memory_of("MemAvailable") / BORROWED_SHARE, at;
	char *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		case_fail("mmap: %s", strerror(errno));
	while (!load(sh->stop)) {
		for (at = 0; at < bytes; at += page)
			store_byte(map + at, 1);
		count(sh->rounds);
		usleep(PAUSE_US);
		if (madvise(map, bytes, MADV_DONTNEED))
			case_fail("madvise: %s", strerror(errno));
	}
}

static void allocate_large(const struct cma_heap *heap)
{
	__u64 bytes = page_round(heap->size / LARGE_SHARE);
	__u32 begin, took;
	int fd;

	enter(large_group);
	while (!load(sh->stop)) {
		begin = now_us();
		fd = cma_heap_alloc(heap, bytes);
		took = now_us() - begin;
		if (took > sh->longest)
			store(sh->longest, took);
		if (fd < 0 && fd != -ENOMEM)
			case_fail("%s: a large buffer: %s", heap->name,
				  strerror(-fd));
		if (fd < 0) {
			count(sh->refused);
			continue;
		}
		count(sh->large);
		close(fd);
	}
}

/* Pages, one after another, until @wanted of the large ones were there as well */
static struct waits wait_for_pages(const struct cma_heap *heap, __u32 wanted)
{
	struct waits waits = { .nr = 0 };
	__u32 begin;
	int fd;

	while (waits.nr < WAITS_MAX || load(sh->large) < wanted) {
		begin = now_us();
		fd = alloc_buffer(heap, page);
		waits_add(&waits, begin);
		close(fd);
		usleep(PAUSE_US);
	}
	return waits;
}

static void test_wait(const struct cma_heap *heap)
{
	struct waits alone, borrowed, beside;
	pid_t borrower, large;

	if (!sb.accounting)
		case_skip(&sb, "%s", sb.why);
	if (!heap->region[0] || heap->is_default)
		case_skip(&sb, "not charged, or others use the area");
	memset(sh, 0, sizeof(*sh));
	snprintf(large_group, sizeof(large_group), "%s/large", sb.top);
	snprintf(small_group, sizeof(small_group), "%s/small", sb.top);
	expect_done(large_group, cgroup_make(large_group));
	expect_done(small_group, cgroup_make(small_group));
	enter(small_group);

	alone = wait_for_pages(heap, 0);
	borrower = start(borrow, heap);
	while (!load(sh->rounds))
		usleep(PAUSE_US);
	borrowed = wait_for_pages(heap, 0);
	large = start(allocate_large, heap);
	beside = wait_for_pages(heap, LARGE_WANTED);
	store(sh->stop, 1);
	expect_exit(large, KSFT_PASS);
	expect_exit(borrower, KSFT_PASS);

	ksft_print_msg("cma-heap-wait: %s: a page in us (median, longest): alone %u, %u;",
		       heap->name, waits_median(&alone), alone.longest);
	printf(" beside who borrows from the area %u, %u;", waits_median(&borrowed),
	       borrowed.longest);
	printf(" beside that and buffers of %llu KiB %u, %u;",
	       (unsigned long long)(heap->size / LARGE_SHARE >> 10),
	       waits_median(&beside), beside.longest);
	printf(" of these were %u, and %u refused, the longest in %u us\n",
	       load(sh->large), load(sh->refused), load(sh->longest));

	expect_dmem_soon(large_group, "dmem.current", heap, 0);
	expect_dmem_soon(small_group, "dmem.current", heap, 0);
	expect_dmem(large_group, "dmem.peak", heap,
		    page_round(heap->size / LARGE_SHARE));
	expect_dmem(small_group, "dmem.peak", heap, page);
	enter(sb.root);
	expect_done(large_group, cgroup_remove_soon(large_group));
	expect_done(small_group, cgroup_remove_soon(small_group));
}

static const struct cma_heap_case cases[] = {
	{ test_wait,	"wait" },
};

int main(void)
{
	page = page_size();
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		ksft_exit_fail_msg("mmap: %s\n", strerror(errno));
	cma_heap_run_cases("dmem_wait", &sb, cases, ARRAY_SIZE(cases), CASE_SECONDS);
}
