/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Programs whose cases run once for each CMA heap, each in a sandbox.
 */
#ifndef CMA_HEAP_CASES_H
#define CMA_HEAP_CASES_H

#include "cma_heap_util.h"

/**
 * struct cma_heap_case - a test case
 * @fn:		ends the process where something is not as it should be
 * @name:	of the result, with the heap's
 * @once:	with the first heap with which it is not skipped
 */
struct cma_heap_case {
	void (*fn)(const struct cma_heap *heap);
	const char *name;
	bool once;
};

/**
 * cma_heap_run_cases() - the whole of a program's main()
 * @name:	of the program; also of the cgroup that it makes
 * @sb:		set up before the first case
 * @cases:	run in this order, each for all heaps but aliases, or once
 * @count:	how many there are
 * @seconds:	time limit of a case
 */
void __noreturn cma_heap_run_cases(const char *name, struct dmem_sandbox *sb,
				   const struct cma_heap_case *cases,
				   size_t count, unsigned int seconds);

/* In a case: the cgroup that the process is a member of from now on */
char *cma_heap_own_cgroup(struct dmem_sandbox *sb);

/* Memory of a buffer, and its descriptor; fail the case */
int alloc_buffer(const struct cma_heap *heap, __u64 bytes);
char *map_buffer_prot(int fd, __u64 bytes, __u64 offset, int prot);
char *map_buffer_over(char *place, int fd, __u64 bytes, __u64 offset);
char *reserve_addresses(__u64 bytes, __u64 align);

/* Accesses that the compiler neither leaves out nor moves */
static inline char load_byte(const char *at)
{
	return __atomic_load_n(at, __ATOMIC_RELAXED);
}

static inline void store_byte(char *at, char value)
{
	__atomic_store_n(at, value, __ATOMIC_RELAXED);
}

/* Contents that say which page they are of, to be found by any mapping */
void pattern_write(char *map, __u64 bytes, __u64 offset, __u32 seed);
void pattern_check_at(const char *func, int line, const char *map, __u64 bytes,
		      __u64 offset, __u32 seed);

#define pattern_check(map, bytes, offset, seed) \
	pattern_check_at(__func__, __LINE__, map, bytes, offset, seed)

/* A line of /proc/meminfo, in bytes; there has to be one */
__u64 memory_of(const char *name);

/* Large mappings of buffers are made of huge pages where it is possible */
bool has_huge_pages(void);

/* The signal that a read or write of this byte gives, 0 if it works */
int signal_of_access(char *byte, bool write);

#endif /* CMA_HEAP_CASES_H */
