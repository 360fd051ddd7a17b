// SPDX-License-Identifier: GPL-2.0
/*
 * The main program of tests that run once for each CMA heap, and what their
 * cases do with buffers.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "cgroup_util.h"
#include "cma_heap_cases.h"

void cma_heap_run_cases(const char *name, struct dmem_sandbox *sb,
			const struct cma_heap_case *cases, size_t count,
			unsigned int seconds)
{
	char title[CMA_HEAP_NAME_SIZE + 64];
	unsigned int i, heaps = 0, plan = 0;
	struct cma_heap *heap;
	bool once;
	size_t c;
	int ret;

	ksft_print_header();
	if (geteuid())
		ksft_exit_skip("needs root\n");
	ret = sandbox_open(sb, name);
	if (ret)
		ksft_exit_fail_msg("no sandbox: %s\n", strerror(-ret));

	for (i = 0; i < sb->heaps.count; i++) {
		heap = &sb->heaps.heap[i];
		if (heap->is_alias)
			continue;
		heaps++;
		if (!heap->size)
			heap->size = cma_heap_probe_size(heap);
		ksft_print_msg("%s: %llu bytes, region %s\n", heap->name,
			       (unsigned long long)heap->size,
			       heap->region[0] ? heap->region : "(none)");
	}
	if (!heaps) {
		sandbox_close(sb);
		ksft_exit_skip("no CMA heap in %s\n", CMA_HEAP_DIR);
	}

	for (c = 0; c < count; c++) {
		once = cases[c].once;
		plan += once ? 1 : heaps;
	}
	ksft_set_plan(plan);
	for (c = 0; c < count; c++) {
		unsigned int left = heaps;
		bool done = false;

		once = cases[c].once;
		for (i = 0; i < sb->heaps.count; i++) {
			heap = &sb->heaps.heap[i];
			if (heap->is_alias || (done && once))
				continue;
			left--;
			snprintf(title, sizeof(title), "%s", cases[c].name);
			if (!once)
				snprintf(title, sizeof(title), "%s:%s",
					 cases[c].name, heap->name);
			ret = sandbox_run(sb, cases[c].fn, heap, seconds);
			done = ret != KSFT_SKIP;
			if (once && !done && left)
				continue;
			if (ret == KSFT_SKIP)
				ksft_test_result_code(ret, title, "%s",
						      sb->reason);
			else
				ksft_test_result_code(ret, title, NULL);
		}
	}
	sandbox_close(sb);
	ksft_finished();
}

char *cma_heap_own_cgroup(struct dmem_sandbox *sb)
{
	char *own;

	if (!sb->accounting)
		return NULL;
	own = cg_name(sb->top, "own");
	if (!own || cg_create(own) || cg_enter_current(own))
		case_fail("can't enter a new cgroup");
	return own;
}

int alloc_buffer(const struct cma_heap *heap, __u64 bytes)
{
	int fd = cma_heap_alloc(heap, bytes);

	if (fd < 0)
		case_fail("%s: %llu bytes: %s", heap->name,
			  (unsigned long long)bytes, strerror(-fd));
	return fd;
}

char *map_buffer_prot(int fd, __u64 bytes, __u64 offset, int prot)
{
	char *map = mmap(NULL, bytes, prot, MAP_SHARED, fd, offset);

	if (map == MAP_FAILED)
		case_fail("mmap of %llu bytes at %llu: %s",
			  (unsigned long long)bytes,
			  (unsigned long long)offset, strerror(errno));
	return map;
}

/* Replaces what is mapped at @place */
char *map_buffer_over(char *place, int fd, __u64 bytes, __u64 offset)
{
	char *map = mmap(place, bytes, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, offset);

	if (map != place)
		case_fail("mmap of %llu bytes at a given address: %s",
			  (unsigned long long)bytes, strerror(errno));
	return map;
}

/* Addresses that nobody else uses, and that can't be accessed yet */
char *reserve_addresses(__u64 bytes, __u64 align)
{
	char *map = mmap(NULL, bytes + align, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED)
		case_fail("mmap: %s", strerror(errno));
	return (char *)(((unsigned long)map + align - 1) & ~(align - 1));
}

/* Other mappings show what was written, and what is read is what is there */
static void barrier(void)
{
	__asm__ volatile("" : : : "memory");
}

static __u64 pattern_of(__u64 page_number, __u32 seed)
{
	return (page_number << 32 | seed) * 0x9e3779b97f4a7c15ULL + 1;
}

/* The first and the last word of each page */
void pattern_write(char *map, __u64 bytes, __u64 offset, __u32 seed)
{
	const __u64 page = page_size();
	__u64 at;

	for (at = 0; at < bytes; at += page) {
		__u64 word = pattern_of((offset + at) / page, seed);

		*(__u64 *)(map + at) = word;
		*(__u64 *)(map + at + page - 8) = ~word;
	}
	barrier();
}

void pattern_check_at(const char *func, int line, const char *map, __u64 bytes,
		      __u64 offset, __u32 seed)
{
	const __u64 page = page_size();
	__u64 at;

	barrier();
	for (at = 0; at < bytes; at += page) {
		__u64 number = (offset + at) / page;
		__u64 word = pattern_of(number, seed);
		__u64 first = *(const __u64 *)(map + at);
		__u64 last = *(const __u64 *)(map + at + page - 8);

		if (first != word || last != ~word)
			case_fail_at(func, line,
				     "page %llu: expected 0x%llx and 0x%llx, seen 0x%llx and 0x%llx",
				     (unsigned long long)number,
				     (unsigned long long)word,
				     (unsigned long long)~word,
				     (unsigned long long)first,
				     (unsigned long long)last);
	}
}

__u64 memory_of(const char *name)
{
	unsigned long long kib;
	bool found = false;
	char line[128];
	FILE *file;

	file = fopen("/proc/meminfo", "r");
	if (!file)
		case_fail("/proc/meminfo: %s", strerror(errno));
	while (!found && fgets(line, sizeof(line), file))
		found = !strncmp(line, name, strlen(name)) &&
			sscanf(line + strlen(name), ": %llu", &kib) == 1;
	fclose(file);
	if (!found)
		case_fail("/proc/meminfo: no %s", name);
	return kib * 1024;
}

bool has_huge_pages(void)
{
	return sizeof(long) == 8 && !access("/sys/kernel/mm/transparent_hugepage", F_OK);
}

static sigjmp_buf access_return;

static void on_signal(int signal)
{
	siglongjmp(access_return, signal);
}

int signal_of_access(char *byte, bool write)
{
	struct sigaction handler = { .sa_handler = on_signal };
	struct sigaction old_segv, old_bus;
	int signal;

	sigaction(SIGSEGV, &handler, &old_segv);
	sigaction(SIGBUS, &handler, &old_bus);
	signal = sigsetjmp(access_return, 1);
	if (!signal) {
		char value = load_byte(byte);

		if (write)
			store_byte(byte, value);
	}
	sigaction(SIGSEGV, &old_segv, NULL);
	sigaction(SIGBUS, &old_bus, NULL);
	return signal;
}
