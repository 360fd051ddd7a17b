// SPDX-License-Identifier: GPL-2.0
/*
 * A machine that has been up for long: after very many buffers, and very many
 * cgroups that were charged for some, the kernel has as much memory as before.
 *
 * DMEM_TEST_OPS or --cycles is the number of buffers, a tenth of it that of
 * cgroups. What is compared, each before and after, with what can be given back
 * given back:
 *
 * available	of the heap: what CMA has not given away. Exact: all that a buffer
 *		has taken is there again when its last reference is gone. (Not
 *		CmaFree, which goes up and down with what processes borrow.)
 * dying	cgroups that are removed but not freed, of the whole machine, and
 *		states of the dmem controller. Exact: nothing of ours keeps one.
 * pools	of the region. Exact.
 * SUnreclaim	slab pages that hold something. Not exact: a slab stays as long
 *		as one object on it is in use, and which one of several is used
 *		for a short-lived object is chance. Allowed is half of the smallest
 *		thing that each cycle could lose: of 8 bytes for a buffer, kmalloc's
 *		least, of a pool's 256 for a cgroup. So one that is lost in each
 *		cycle, or in each second one, is found. With many cycles that is
 *		more than chance explains: never more than a slab of the largest
 *		order for each CPU in a few caches, ALLOWED_SLABS, which finds one
 *		that is lost in every hundredth cycle, or so.
 * Percpu	pages of per-CPU memory. Not exact: up to four pages a CPU are kept
 *		empty for those who can't wait (PCPU_EMPTY_POP_PAGES_HIGH in
 *		mm/percpu.c), and may not have been there before. With 1000 cgroups
 *		a loss of 8 bytes for each is less than that, with 10^5 it is not.
 *
 * A thousand cycles go before, since caches, kernfs, xarrays and per-CPU stocks
 * take their share at first use.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "kselftest.h"
#include "lib/cma_heap_cases.h"
#include "lib/cma_heap_util.h"
#include "lib/dmem_pools.h"
#include "lib/repeatable.h"

#define CYCLES			10000
#define CYCLES_PER_CGROUP	10
#define WARM_UP			1000
#define CASE_SECONDS		300
#define CYCLES_PER_SECOND	250

#define KIB			1024LL
/* Slabs of the largest order (3) in a handful of caches */
#define ALLOWED_SLABS		8
#define SLAB_PAGES		8
#define ALLOWED_PER_BUFFER	(8 / 2)
#define ALLOWED_PER_CGROUP	(256 / 2)
#define ALLOWED_PERCPU_PAGES	4

static struct dmem_sandbox sb;
static __u32 cycles;

/* What must be as before, in the order of struct state */
enum number { AVAILABLE, DYING, DYING_STATES, POOLS, UNRECLAIMABLE, PERCPU, NR_NUMBERS };

static const char * const names[NR_NUMBERS] = {
	[AVAILABLE]	= "available",
	[DYING]		= "dying cgroups",
	[DYING_STATES]	= "dying dmem states",
	[POOLS]		= "pools",
	[UNRECLAIMABLE]	= "SUnreclaim",
	[PERCPU]	= "Percpu",
};

/**
 * struct state - how much there is of what must not grow or shrink
 * @numbers:	bytes or pieces
 */
struct state {
	long long numbers[NR_NUMBERS];
};

/* From a file with lines of a name and a number; 0 if it has no such line */
static long long number_in(const char *dir, const char *file, const char *key)
{
	char *text = dmem_read_file(dir, file), *found;
	long long value = 0;

	if (!text)
		case_fail("%s/%s: %s", dir, file, strerror(errno));
	found = strstr(text, key);
	if (found)
		value = strtoll(found + strlen(key), NULL, 10);
	free(text);
	return value;
}

static void write_to(const char *dir, const char *file, const char *text)
{
	int ret = dmem_write_text(dir, file, text);

	/* Some caches can't be shrunk */
	if (ret && ret != -ENOENT && ret != -EINVAL && ret != -EACCES)
		case_fail("%s/%s: %s", dir, file, strerror(-ret));
}

/* Whatever is only kept for the next one to ask is given back */
static void settle(void)
{
	struct dirent *entry;
	char cache[PATH_MAX];
	DIR *dir;

	sync();
	write_to("/proc/sys/vm", "drop_caches", "3");
	dir = opendir("/sys/kernel/slab");
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(cache, sizeof(cache), "/sys/kernel/slab/%s", entry->d_name);
		write_to(cache, "shrink", "1");
	}
	if (dir)
		closedir(dir);
}

static struct state take_stock(const struct cma_heap *heap)
{
	char dir[sizeof(heap->name) + 32];
	struct state state = { 0 };

	settle();
	snprintf(dir, sizeof(dir), "/sys/class/dma_heap/%s", heap->name);
	state.numbers[AVAILABLE] = number_in(dir, "available", "");
	if (sb.accounting) {
		state.numbers[DYING] = number_in(sb.root, "cgroup.stat",
						 "nr_dying_descendants ");
		state.numbers[DYING_STATES] = number_in(sb.root, "cgroup.stat",
							"nr_dying_subsys_dmem ");
	}
	if (heap->region[0] && dmem_pools_visible())
		state.numbers[POOLS] = dmem_pools_check(heap->region, false, NULL);
	state.numbers[UNRECLAIMABLE] = number_in("/proc", "meminfo",
						 "SUnreclaim:") * KIB;
	state.numbers[PERCPU] = number_in("/proc", "meminfo", "Percpu:") * KIB;
	return state;
}

/* How much more is no loss; @each: half of what all cycles together could lose */
static long long allowance(enum number number, long long each)
{
	long long page = page_size(), cpus = sysconf(_SC_NPROCESSORS_CONF);
	long long slabs = ALLOWED_SLABS * SLAB_PAGES * page * cpus;

	switch (number) {
	case UNRECLAIMABLE:
		return slabs < each ? slabs : each;
	case PERCPU:
		return ALLOWED_PERCPU_PAGES * page * cpus;
	default:
		return 0;
	}
}

static long long growth(const struct state *before, const struct state *after,
			enum number number)
{
	long long more = after->numbers[number] - before->numbers[number];

	return number == AVAILABLE ? -more : more;
}

/* Where it was, as soon as what is freed later is freed */
static void expect_as_before(const struct cma_heap *heap, const char *what,
			     __u32 done, unsigned int half,
			     const struct state *before)
{
	const long long each = (long long)half * done;
	__u64 end = deadline();
	enum number number;
	struct state after;
	bool same;

	do {
		after = take_stock(heap);
		same = true;
		for (number = 0; number < NR_NUMBERS; number++)
			if (growth(before, &after, number) >
			    allowance(number, each))
				same = false;
	} while (!same && sleep_until(end));

	ksft_print_msg("dmem-long-life: %s: %u %s:", heap->name, done, what);
	for (number = 0; number < NR_NUMBERS; number++)
		printf("%s %s %+lld (allowed %lld)", number ? "," : "",
		       names[number], growth(before, &after, number),
		       allowance(number, each));
	putchar('\n');
	for (number = 0; number < NR_NUMBERS; number++)
		if (growth(before, &after, number) > allowance(number, each))
			case_fail("%s: was %lld, is %lld", names[number],
				  before->numbers[number], after.numbers[number]);
}

static void touch(int fd)
{
	char *map = map_buffer_prot(fd, page_size(), 0, PROT_READ | PROT_WRITE);

	store_byte(map, 1);
	munmap(map, page_size());
}

/* Of one to eight pages */
static void buffer_cycles(const struct cma_heap *heap, __u32 number)
{
	__u32 i;
	int fd;

	for (i = 0; i < number; i++) {
		fd = alloc_buffer(heap, (i % 8 + 1) * page_size());
		touch(fd);
		close(fd);
	}
}

static void test_buffers(const struct cma_heap *heap)
{
	struct state before;

	cma_heap_own_cgroup(&sb);
	buffer_cycles(heap, WARM_UP);
	before = take_stock(heap);
	buffer_cycles(heap, cycles);
	expect_as_before(heap, "buffers", cycles, ALLOWED_PER_BUFFER, &before);
}

static void enter(const char *cgroup)
{
	expect_done(cgroup, dmem_write_text(cgroup, "cgroup.procs", "0"));
}

/* With limits, a charge, and every other time a buffer that outlives the cgroup */
static void cgroup_cycles(const struct cma_heap *heap, __u32 number)
{
	char group[sizeof(sb.top) + 8];
	__u32 i;
	int fd;

	snprintf(group, sizeof(group), "%s/life", sb.top);
	for (i = 0; i < number; i++) {
		expect_done("mkdir", cgroup_make(group));
		expect_done("dmem.max", dmem_set_limit(group, "dmem.max", heap,
						       page_size()));
		enter(group);
		fd = alloc_buffer(heap, page_size());
		enter(sb.root);
		if (i % 2)
			close(fd);
		expect_done("rmdir", cgroup_remove(group));
		if (!(i % 2))
			close(fd);
	}
}

static void test_cgroups(const struct cma_heap *heap)
{
	__u32 number = cycles / CYCLES_PER_CGROUP + 1;
	struct state before;

	if (!sb.accounting)
		case_skip(&sb, "%s", sb.why);
	if (!heap->region[0])
		case_skip(&sb, "the heap is not charged");
	cgroup_cycles(heap, WARM_UP);
	before = take_stock(heap);
	cgroup_cycles(heap, number);
	expect_as_before(heap, "cgroups", number, ALLOWED_PER_CGROUP, &before);
}

static const struct cma_heap_case cases[] = {
	{ test_buffers,	"buffers" },
	{ test_cgroups,	"cgroups" },
};

static void print_usage(FILE *to)
{
	fprintf(to, "usage: dmem-long-life [--cycles N]\n"
		"  --cycles N  buffers from each heap, and a tenth as many cgroups (default %u)\n",
		CYCLES);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "cycles",	required_argument, NULL, 'c' },
		{ "help",	no_argument, NULL, 'h' },
		{ 0 }
	};
	int option;

	cycles = repeatable_ops(CYCLES);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			cycles = strtoul(optarg, NULL, 0);
			break;
		case 'h':
			print_usage(stdout);
			return 0;
		default:
			print_usage(stderr);
			return 2;
		}
	}
	if (optind != argc || !cycles) {
		print_usage(stderr);
		return 2;
	}
	cma_heap_run_cases("dmem_long_life", &sb, cases, ARRAY_SIZE(cases),
			   CASE_SECONDS + cycles / CYCLES_PER_SECOND);
}
