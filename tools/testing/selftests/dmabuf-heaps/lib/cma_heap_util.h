/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of the CMA heaps and of the dmem controller both need: which
 * CMA heaps this machine has and which dmem region each of them charges,
 * allocation from a heap with the errno it gave, the values in dmem files, and
 * the sandbox that every test case runs in.
 *
 * A test case is a function that returns when it passed. All expectations end
 * the process of the case when they are not met, after they have printed what
 * was expected and what was seen; the sandbox cleans up from there.
 */
#ifndef CMA_HEAP_UTIL_H
#define CMA_HEAP_UTIL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/types.h>

#include "kselftest.h"

#define CMA_HEAP_DIR		"/dev/dma_heap"
#define CMA_HEAP_CLASS_DIR	"/sys/class/dma_heap"
#define CMA_HEAP_DEFAULT	"default_cma_region"
#define CMA_HEAP_NAME_SIZE	128
#define CMA_HEAP_MAX_HEAPS	32

/* The value of a limit that a dmem file shows as "max" */
#define DMEM_MAX		UINT64_MAX

/**
 * struct cma_heap - one CMA heap, or one more name of the default area's heap
 * @name:	name in /dev/dma_heap
 * @region:	dmem region that its buffers are charged to, empty if there is
 *		none: no dmem here, or a kernel that does not charge CMA heaps
 * @size:	size of the region in bytes, 0 if unknown
 * @is_default:	charges the default area, which drivers may use as well
 * @is_alias:	shares @region with a heap that comes earlier in the list
 */
struct cma_heap {
	char name[CMA_HEAP_NAME_SIZE];
	char region[CMA_HEAP_NAME_SIZE + 4];
	__u64 size;
	bool is_default;
	bool is_alias;
};

/**
 * struct cma_heap_list - the CMA heaps of this machine, sorted by name
 * @heap:	the heaps
 * @count:	how many there are
 */
struct cma_heap_list {
	struct cma_heap heap[CMA_HEAP_MAX_HEAPS];
	unsigned int count;
};

/* Sizes */
__u64 page_size(void);
__u64 page_round(__u64 bytes);

/* The first line of a file: 0, or the negative errno */
int read_line(char *text, size_t size, const char *fmt, ...) __printf(3, 4);

/* Deadlines, on the monotonic clock */
__u64 now_ms(void);
unsigned int slowness(void);
int patience(void);
__u64 deadline(void);
bool sleep_until(__u64 deadline_ms);

/* Heaps; @cgroup_root is NULL where nothing is charged */
void cma_heap_find_all(struct cma_heap_list *list, const char *cgroup_root);
__u64 cma_heap_probe_size(const struct cma_heap *heap);
int cma_heap_open(const struct cma_heap *heap);

/* Allocation: a descriptor, or the negative errno */
int cma_heap_alloc(const struct cma_heap *heap, __u64 bytes);
int cma_heap_alloc_flags(const struct cma_heap *heap, __u64 bytes,
			 __u32 fd_flags);
int cma_heap_alloc_whole(const struct cma_heap *heap);
unsigned int cma_heap_fill(const struct cma_heap *heap, __u64 chunk,
			   int *fds, unsigned int max, unsigned int wanted);
void cma_heap_drain(int *fds, unsigned int count);

/* Values of dmem files: 0, or the negative errno */
char *dmem_read_fd(int fd);
char *dmem_read_file(const char *cgroup, const char *file);
int dmem_find_text(const char *all, const char *region, char *text,
		   size_t size);
int dmem_read_text(const char *cgroup, const char *file, const char *region,
		   char *text, size_t size);
int dmem_read(const char *cgroup, const char *file, const char *region,
	      __u64 *value);
int dmem_write(const char *cgroup, const char *file, const char *text,
	       size_t len);
int dmem_write_text(const char *cgroup, const char *file, const char *text);
int dmem_set_limit(const char *cgroup, const char *file,
		   const struct cma_heap *heap, __u64 bytes);
int dmem_cgroup_id(const char *cgroup, __u64 *id);

/* What a descriptor says of its file; fails the case where it can't be asked */
char *fdinfo_value(pid_t pid, int fd, const char *key);

/**
 * struct dmem_sandbox - where test cases run
 * @heaps:	the heaps of this machine
 * @accounting:	the dmem controller is there and can be used
 * @why:	what is missing where @accounting is false
 * @root:	root of the cgroup v2 tree
 * @top:	cgroup that each case finds new and empty, with the dmem
 *		controller enabled for the children it creates there
 * @reason:	why the last case was skipped
 * @was_enabled: the root had the controller enabled already
 * @patience:	milliseconds that usage may take to come back after a case
 */
struct dmem_sandbox {
	struct cma_heap_list heaps;
	bool accounting;
	char why[128];
	char root[PATH_MAX];
	char top[PATH_MAX + 64];
	char *reason;
	bool was_enabled;
	unsigned int patience;
};

int sandbox_open(struct dmem_sandbox *sb, const char *name);
void sandbox_close(struct dmem_sandbox *sb);
int sandbox_run(struct dmem_sandbox *sb,
		void (*fn)(const struct cma_heap *heap),
		const struct cma_heap *heap, unsigned int seconds);
bool sandbox_enable_dmem(const struct dmem_sandbox *sb);

/* A cgroup below the top one */
const char *sandbox_path(const struct dmem_sandbox *sb, const char *format, ...)
			 __printf(2, 3);

/* Cgroups: 0, or the negative errno */
int cgroup_make(const char *cgroup);
int cgroup_remove(const char *cgroup);
int cgroup_remove_soon(const char *cgroup);

/* It is known that nobody has any of the region: all of it can be had */
bool cma_heap_is_free(const struct dmem_sandbox *sb,
		      const struct cma_heap *heap);

/* Ends of a case, but for success */
void __noreturn __printf(3, 4)
case_fail_at(const char *func, int line, const char *fmt, ...);
void __noreturn __printf(2, 3)
case_skip(struct dmem_sandbox *sb, const char *fmt, ...);

#define case_fail(fmt, ...) case_fail_at(__func__, __LINE__, fmt, ##__VA_ARGS__)

/* fork() of a process that dies with its parent; a case without one fails */
pid_t case_fork(void);

/* Expectations */
void expect_dmem_at(const char *func, int line, const char *cgroup,
		    const char *file, const struct cma_heap *heap,
		    __u64 want);
void expect_dmem_soon_at(const char *func, int line, const char *cgroup,
			 const char *file, const struct cma_heap *heap,
			 __u64 want);
int expect_alloc_at(const char *func, int line, const struct cma_heap *heap,
		    __u64 bytes, int want_errno);
void expect_value_at(const char *func, int line, const char *what,
		     __u64 seen, __u64 want);
void expect_exit_at(const char *func, int line, pid_t pid, int want);
/* @ret is 0, and not a negative errno of @what */
void expect_done_at(const char *func, int line, const char *what, int ret);

/* What a file of the heap in sysfs says; the case fails if it is no number */
__u64 heap_number_at(const char *func, int line, const char *heap,
		     const char *file);

#define expect_dmem(cgroup, file, heap, want) \
	expect_dmem_at(__func__, __LINE__, cgroup, file, heap, want)
#define expect_dmem_soon(cgroup, file, heap, want) \
	expect_dmem_soon_at(__func__, __LINE__, cgroup, file, heap, want)
#define expect_alloc(heap, bytes, want_errno) \
	expect_alloc_at(__func__, __LINE__, heap, bytes, want_errno)
#define expect_value(what, seen, want) \
	expect_value_at(__func__, __LINE__, what, seen, want)
#define expect_exit(pid, want) \
	expect_exit_at(__func__, __LINE__, pid, want)
#define expect_done(what, ret) \
	expect_done_at(__func__, __LINE__, what, ret)
#define heap_number(heap, file) \
	heap_number_at(__func__, __LINE__, heap, file)

#endif /* CMA_HEAP_UTIL_H */
