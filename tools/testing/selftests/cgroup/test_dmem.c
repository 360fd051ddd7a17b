// SPDX-License-Identifier: GPL-2.0
/*
 * The dmem controller as userspace sees it, with CMA heaps as the consumer.
 *
 * Rules under test: an allocation from a CMA heap is charged, rounded up to
 * pages, to the cgroup of the process that makes it and to the ancestors of
 * that cgroup; it is refused with ENOSPC if that would exceed dmem.max of any
 * of them, and a refused one leaves no trace. The charge stays where it was
 * made until the last reference to the buffer is gone, whoever holds that and
 * whatever happens to processes and cgroups meanwhile.
 *
 * A refusal counts as an event of the cgroup whose limit it was, and in the
 * totals of its ancestors; who watches the files learns of it. The peak can be
 * reset for one open file. Charges, their return and refusals can be traced.
 *
 * Each case runs in a process of its own, in a new cgroup (sb.top below) that
 * has the controller enabled for its children; see cma_heap_util.c for what is
 * checked after each. The process of a case lives in the root cgroup and goes
 * to another one only to allocate there.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "kselftest.h"
#include "cgroup_util.h"
#include "../dmabuf-heaps/lib/cma_heap_util.h"
#include "../dmabuf-heaps/lib/fd_passing.h"
#include "../dmabuf-heaps/lib/repeatable.h"

#define CASE_SECONDS	60

/* The most that one write to a dmem file may be */
#define WRITE_MAX	(64 * 1024)

static struct dmem_sandbox sb;
static __u64 page;

static const char * const limit_files[] = {
	"dmem.max", "dmem.min", "dmem.low",
};

/* Cgroups, limits, processes */

static char *create_at(const char *func, int line, const char *parent,
		       const char *name)
{
	char *path = cg_name(parent, name);

	if (!path || cg_create(path))
		case_fail_at(func, line, "creating %s: %s", name,
			     strerror(errno));
	return path;
}

#define create(parent, name) create_at(__func__, __LINE__, parent, name)

static void control_at(const char *func, int line, const char *cgroup,
		       char *change)
{
	int ret = cg_write(cgroup, "cgroup.subtree_control", change);

	if (ret)
		case_fail_at(func, line, "%s/cgroup.subtree_control: %s: %s",
			     cgroup, change, strerror(-ret));
}

#define control(cgroup, change) control_at(__func__, __LINE__, cgroup, change)

static void enter_at(const char *func, int line, const char *cgroup)
{
	int ret = cg_enter_current(cgroup);

	if (ret)
		case_fail_at(func, line, "entering %s: %s", cgroup,
			     strerror(-ret));
}

#define enter(cgroup) enter_at(__func__, __LINE__, cgroup)

static void remove_at(const char *func, int line, const char *cgroup)
{
	if (rmdir(cgroup))
		case_fail_at(func, line, "removing %s: %s", cgroup,
			     strerror(errno));
}

#define remove_cgroup(cgroup) remove_at(__func__, __LINE__, cgroup)

/* Write "@region @value" */
static void set_text_at(const char *func, int line, const char *cgroup,
			const char *file, const struct cma_heap *heap,
			const char *value)
{
	char text[CMA_HEAP_NAME_SIZE + 64];
	int ret;

	snprintf(text, sizeof(text), "%s %s\n", heap->region, value);
	ret = dmem_write(cgroup, file, text, strlen(text));
	if (ret)
		case_fail_at(func, line, "%s/%s: writing %s %s: %s", cgroup,
			     file, heap->region, value, strerror(-ret));
}

#define set_text(cgroup, file, heap, value) \
	set_text_at(__func__, __LINE__, cgroup, file, heap, value)

static void set_at(const char *func, int line, const char *cgroup,
		   const char *file, const struct cma_heap *heap,
		   __u64 value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	set_text_at(func, line, cgroup, file, heap, text);
}

#define set_max(cgroup, heap, value) \
	set_at(__func__, __LINE__, cgroup, "dmem.max", heap, value)

/* The line of the region shows exactly this */
static void expect_text_at(const char *func, int line, const char *cgroup,
			   const char *file, const struct cma_heap *heap,
			   const char *want)
{
	char seen[32];
	int ret;

	ret = dmem_read_text(cgroup, file, heap->region, seen, sizeof(seen));
	if (ret)
		case_fail_at(func, line, "%s/%s: no value for %s: %s", cgroup,
			     file, heap->region, strerror(-ret));
	if (strcmp(seen, want))
		case_fail_at(func, line, "%s/%s: %s: expected '%s', seen '%s'",
			     cgroup, file, heap->region, want, seen);
}

#define expect_text(cgroup, file, heap, want) \
	expect_text_at(__func__, __LINE__, cgroup, file, heap, want)

#define expect_current(cgroup, heap, want) \
	expect_dmem(cgroup, "dmem.current", heap, want)
#define expect_current_soon(cgroup, heap, want) \
	expect_dmem_soon(cgroup, "dmem.current", heap, want)

/* How often a limit refused: at or below this cgroup, and at this one */
static void expect_events_at(const char *func, int line, const char *cgroup,
			     const struct cma_heap *heap, __u64 all,
			     __u64 local)
{
	char want[64];

	snprintf(want, sizeof(want), "low 0 max %llu", (unsigned long long)all);
	expect_text_at(func, line, cgroup, "dmem.events", heap, want);
	snprintf(want, sizeof(want), "low 0 max %llu",
		 (unsigned long long)local);
	expect_text_at(func, line, cgroup, "dmem.events.local", heap, want);
}

#define expect_events(cgroup, heap, all, local) \
	expect_events_at(__func__, __LINE__, cgroup, heap, all, local)

static void expect_no_file_at(const char *func, int line, const char *cgroup,
			      const char *file)
{
	char *path = cg_control(cgroup, file);

	if (!access(path, F_OK))
		case_fail_at(func, line, "%s: expected none, it exists", path);
	if (errno != ENOENT)
		case_fail_at(func, line, "%s: %s", path, strerror(errno));
	free(path);
}

#define expect_no_file(cgroup, file) \
	expect_no_file_at(__func__, __LINE__, cgroup, file)

/* Allocate as a member of @cgroup, then go back to the root */
static int alloc_in_at(const char *func, int line, const char *cgroup,
		       const struct cma_heap *heap, __u64 bytes,
		       int want_errno)
{
	int fd;

	enter_at(func, line, cgroup);
	fd = expect_alloc_at(func, line, heap, bytes, want_errno);
	enter_at(func, line, sb.root);
	return fd;
}

#define alloc_in(cgroup, heap, bytes) \
	alloc_in_at(__func__, __LINE__, cgroup, heap, bytes, 0)
#define refused_in(cgroup, heap, bytes, want_errno) \
	alloc_in_at(__func__, __LINE__, cgroup, heap, bytes, want_errno)

static pid_t spawn_at(const char *func, int line, const char *cgroup,
		      int (*fn)(const char *cgroup, void *arg), void *arg)
{
	pid_t pid = cg_run_nowait(cgroup, fn, arg);

	if (pid < 0)
		case_fail_at(func, line, "starting a process in %s: %s",
			     cgroup, strerror(errno));
	return pid;
}

#define spawn(cgroup, fn, arg) spawn_at(__func__, __LINE__, cgroup, fn, arg)

static void stop_at(const char *func, int line, pid_t pid)
{
	kill(pid, SIGKILL);
	expect_exit_at(func, line, pid, -SIGKILL);
}

#define stop(pid) stop_at(__func__, __LINE__, pid)

static void make_sockets(int *sock)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock))
		case_fail("socketpair: %s", strerror(errno));
}

static int receive_fd(int sock)
{
	int fd = fd_receive(sock, 0);

	if (fd < 0)
		case_fail("receiving a descriptor: %s", strerror(-fd));
	return fd;
}

/* Interface files */

static void expect_read_only(const char *cgroup, const char *file)
{
	char *path = cg_control(cgroup, file);
	char text[CMA_HEAP_NAME_SIZE + 64];
	struct stat st;
	int ret;

	if (stat(path, &st))
		case_fail("%s: %s", path, strerror(errno));
	if ((st.st_mode & 07777) != 0444)
		case_fail("%s: expected mode 0444, seen 0%o", path,
			  st.st_mode & 07777);

	snprintf(text, sizeof(text), "%s 4096\n", sb.heaps.heap[0].region);
	ret = dmem_write(cgroup, file, text, strlen(text));
	if (ret != -EINVAL)
		case_fail("writing %s: expected %s, seen %s", path,
			  strerror(EINVAL), strerror(-ret));
	free(path);
}

/*
 * The root has what there is and what is used. Other cgroups have what is
 * used, the most that was, limits, and what happened at them. What is measured
 * can't be written.
 */
static void test_files(const struct cma_heap *heap __maybe_unused)
{
	static const char * const everywhere_else[] = {
		"dmem.current", "dmem.peak", "dmem.max", "dmem.min", "dmem.low",
		"dmem.events", "dmem.events.local",
	};
	char *a = create(sb.top, "a");
	char *text;
	size_t i;

	expect_read_only(sb.root, "dmem.capacity");
	expect_read_only(sb.root, "dmem.current");
	expect_read_only(a, "dmem.current");
	expect_read_only(a, "dmem.events");
	expect_read_only(a, "dmem.events.local");

	for (i = 0; i < ARRAY_SIZE(everywhere_else); i++) {
		text = dmem_read_file(a, everywhere_else[i]);
		if (!text)
			case_fail("%s/%s: %s", a, everywhere_else[i],
				  strerror(errno));
		free(text);
	}
	expect_no_file(a, "dmem.capacity");
	for (i = 1; i < ARRAY_SIZE(everywhere_else); i++)
		expect_no_file(sb.root, everywhere_else[i]);
}

/*
 * Every region has one line in every file, in a cgroup without any charge too:
 * "<region> <value>\n" with one blank, where the value is 0, or max for
 * dmem.max. Events are names and values: "<region> low 0 max 0\n".
 */
static void test_lines(const struct cma_heap *heap __maybe_unused)
{
	static const struct {
		const char *file;
		const char *value;
	} fresh[] = {
		{ "dmem.current",	"0" },
		{ "dmem.peak",		"0" },
		{ "dmem.min",		"0" },
		{ "dmem.low",		"0" },
		{ "dmem.max",		"max" },
		{ "dmem.events",	"low 0 max 0" },
		{ "dmem.events.local",	"low 0 max 0" },
	};
	char *capacity = dmem_read_file(sb.root, "dmem.capacity");
	char *a = create(sb.top, "a");
	char *line, *rest, *blank, *seen;
	size_t i, want_size;
	char value[32];
	int ret;

	if (!capacity || !*capacity)
		case_fail("dmem.capacity of the root is empty");

	for (i = 0; i < ARRAY_SIZE(fresh); i++) {
		char *copy = strdup(capacity);

		rest = copy;
		want_size = 0;
		for (line = strsep(&rest, "\n"); line && *line;
		     line = strsep(&rest, "\n")) {
			blank = strchr(line, ' ');
			if (!blank)
				case_fail("dmem.capacity: line '%s'", line);
			*blank = '\0';
			ret = dmem_read_text(a, fresh[i].file, line, value,
					     sizeof(value));
			if (ret)
				case_fail("%s: no value for %s: %s",
					  fresh[i].file, line, strerror(-ret));
			if (strcmp(value, fresh[i].value))
				case_fail("%s: %s: expected %s, seen %s",
					  fresh[i].file, line, fresh[i].value,
					  value);
			want_size += strlen(line) + strlen(value) + 2;
		}
		/* Nothing but these lines */
		seen = dmem_read_file(a, fresh[i].file);
		if (!seen || strlen(seen) != want_size)
			case_fail("%s: expected %zu bytes, seen: %s",
				  fresh[i].file, want_size, seen ?: "(none)");
		free(seen);
		free(copy);
	}
	free(capacity);
}

/*
 * The capacity is what can be allocated: all of it in one piece, and not a
 * page more. Drivers may have a part of the default area, so there the whole
 * may be missing; where it is not it is charged like any other allocation.
 */
static void test_capacity(const struct cma_heap *heap)
{
	bool whole = cma_heap_is_free(&sb, heap);
	char *a = create(sb.top, "a");
	int fd;

	if (!heap->size || heap->size % page)
		case_fail("%s: capacity %llu is not a number of pages",
			  heap->region, (unsigned long long)heap->size);

	refused_in(a, heap, heap->size + 1, ENOMEM);
	refused_in(a, heap, heap->size + page, ENOMEM);
	expect_current(a, heap, 0);

	enter(a);
	fd = whole ? cma_heap_alloc_whole(heap) :
		     cma_heap_alloc(heap, heap->size);
	enter(sb.root);
	if (fd < 0 && (whole || fd != -ENOMEM))
		case_fail("all of %s: %s", heap->region, strerror(-fd));
	expect_current(a, heap, fd < 0 ? 0 : heap->size);
	if (fd >= 0)
		close(fd);
	expect_current(a, heap, 0);
}

/* Charges */

/* Whole pages are charged, in the size that the buffer has */
static void test_charge_rounding(const struct cma_heap *heap)
{
	const struct {
		__u64 bytes;
		__u64 pages;
	} rows[] = {
		{ 1,			1 },
		{ page - 1,		1 },
		{ page,			1 },
		{ page + 1,		2 },
		{ 3 * page - 1,		3 },
		{ 7 * page + 123,	8 },
		{ 256 * page + 1,	257 },
	};
	char *a = create(sb.top, "a");
	int fds[ARRAY_SIZE(rows)];
	__u64 sum = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		fds[i] = alloc_in(a, heap, rows[i].bytes);
		expect_value("size of the buffer", lseek(fds[i], 0, SEEK_END),
			     rows[i].pages * page);
		sum += rows[i].pages * page;
		expect_current(a, heap, sum);
	}
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		close(fds[i]);
		sum -= rows[i].pages * page;
		expect_current(a, heap, sum);
	}
	expect_current(a, heap, 0);
}

/*
 * a		3 + 2 pages
 * a/b		3
 * a/b/c	allocates 3
 * a/d		allocates 2
 * e		0
 */
static void test_hierarchy(const struct cma_heap *heap)
{
	char *a, *b, *c, *d, *e;
	int first, second;

	a = create(sb.top, "a");
	control(a, "+dmem");
	b = create(a, "b");
	control(b, "+dmem");
	c = create(b, "c");
	d = create(a, "d");
	e = create(sb.top, "e");

	first = alloc_in(c, heap, 3 * page);
	expect_current(c, heap, 3 * page);
	expect_current(b, heap, 3 * page);
	expect_current(a, heap, 3 * page);
	expect_current(d, heap, 0);

	second = alloc_in(d, heap, 2 * page);
	expect_current(d, heap, 2 * page);
	expect_current(c, heap, 3 * page);
	expect_current(b, heap, 3 * page);
	expect_current(a, heap, 5 * page);
	expect_current(sb.top, heap, 5 * page);
	expect_current(e, heap, 0);

	close(first);
	expect_current(c, heap, 0);
	expect_current(b, heap, 0);
	expect_current(a, heap, 2 * page);
	close(second);
	expect_current(a, heap, 0);
	expect_current(sb.top, heap, 0);
}

/* What is allocated in the root is charged there and nowhere else */
static void test_root(const struct cma_heap *heap)
{
	__u64 before;
	int fd;

	if (dmem_read(sb.root, "dmem.current", heap->region, &before))
		case_fail("dmem.current of the root can't be read");

	fd = expect_alloc(heap, 3 * page, 0);
	expect_current(sb.root, heap, before + 3 * page);
	expect_current(sb.top, heap, 0);
	close(fd);
	expect_current(sb.root, heap, before);
}

/* Limits */

/*
 * The limit is the last size that is granted, in one piece or in several. One
 * that is not a number of pages holds to the byte. Larger than the region is
 * ENOMEM even where a limit would refuse it as well.
 */
static void test_limit_exact(const struct cma_heap *heap)
{
	char *a = create(sb.top, "a");
	int one, two;

	set_max(a, heap, 4 * page);
	refused_in(a, heap, 4 * page + 1, ENOSPC);
	refused_in(a, heap, 5 * page, ENOSPC);
	refused_in(a, heap, heap->size + page, ENOMEM);
	expect_current(a, heap, 0);

	one = alloc_in(a, heap, 4 * page);
	expect_current(a, heap, 4 * page);
	refused_in(a, heap, 1, ENOSPC);
	expect_current(a, heap, 4 * page);
	close(one);

	one = alloc_in(a, heap, 3 * page);
	refused_in(a, heap, page + 1, ENOSPC);
	two = alloc_in(a, heap, page);
	refused_in(a, heap, page, ENOSPC);
	expect_current(a, heap, 4 * page);
	close(one);
	close(two);
	expect_current(a, heap, 0);

	set_max(a, heap, 5 * page - 1);
	one = alloc_in(a, heap, 4 * page);
	refused_in(a, heap, 1, ENOSPC);
	close(one);

	set_max(a, heap, 0);
	refused_in(a, heap, 1, ENOSPC);
	expect_current(a, heap, 0);
}

/*
 * a		max 4 pages
 * a/b		allocates 3
 * a/c		asks for 2 (refused), then 1
 * s		is not concerned
 */
static void test_limit_of_ancestor(const struct cma_heap *heap)
{
	char *a, *b, *c, *s;
	int in_b, in_c, in_s;

	a = create(sb.top, "a");
	control(a, "+dmem");
	b = create(a, "b");
	c = create(a, "c");
	s = create(sb.top, "s");
	set_max(a, heap, 4 * page);

	in_b = alloc_in(b, heap, 3 * page);
	refused_in(c, heap, 2 * page, ENOSPC);
	refused_in(b, heap, 2 * page, ENOSPC);
	expect_current(a, heap, 3 * page);
	expect_current(b, heap, 3 * page);
	expect_current(c, heap, 0);
	expect_current(sb.top, heap, 3 * page);

	in_s = alloc_in(s, heap, 5 * page);
	expect_current(s, heap, 5 * page);
	expect_current(a, heap, 3 * page);
	expect_current(sb.top, heap, 8 * page);

	in_c = alloc_in(c, heap, page);
	expect_current(a, heap, 4 * page);
	refused_in(c, heap, page, ENOSPC);

	/* Room in one makes room in the other */
	close(in_b);
	expect_current(a, heap, page);
	in_b = alloc_in(c, heap, 3 * page);
	expect_current(c, heap, 4 * page);
	expect_current(b, heap, 0);

	/* The tighter of two limits on the way decides, above or below */
	set_max(b, heap, 0);
	close(in_b);
	refused_in(b, heap, page, ENOSPC);
	close(in_c);
	close(in_s);
	expect_current(sb.top, heap, 0);
}

/* Two cgroups on one region, each with its limit */
static void test_two_cgroups(const struct cma_heap *heap)
{
	char *a = create(sb.top, "a");
	char *b = create(sb.top, "b");
	int in_a, in_b;

	set_max(a, heap, 4 * page);
	set_max(b, heap, 2 * page);
	in_a = alloc_in(a, heap, 4 * page);
	refused_in(a, heap, page, ENOSPC);
	in_b = alloc_in(b, heap, 2 * page);
	refused_in(b, heap, page, ENOSPC);
	expect_current(a, heap, 4 * page);
	expect_current(b, heap, 2 * page);
	expect_current(sb.top, heap, 6 * page);

	close(in_a);
	refused_in(b, heap, page, ENOSPC);
	expect_current(a, heap, 0);
	expect_current(b, heap, 2 * page);
	close(in_b);
}

/* A heap that charges another region than @heap, or NULL */
static const struct cma_heap *other_region(const struct cma_heap *heap)
{
	unsigned int i;

	for (i = 0; i < sb.heaps.count; i++)
		if (sb.heaps.heap[i].region[0] &&
		    strcmp(sb.heaps.heap[i].region, heap->region))
			return &sb.heaps.heap[i];
	return NULL;
}

/* One cgroup on two regions: one limit does not know of the other */
static void test_two_regions(const struct cma_heap *heap)
{
	const struct cma_heap *other = other_region(heap);
	char *a;
	int one, two;

	if (!other)
		case_skip(&sb, "there is one region only");

	a = create(sb.top, "a");
	set_max(a, heap, 2 * page);
	expect_text(a, "dmem.max", other, "max");
	set_max(a, other, 5 * page);

	one = alloc_in(a, heap, 2 * page);
	refused_in(a, heap, page, ENOSPC);
	expect_current(a, other, 0);
	two = alloc_in(a, other, 5 * page);
	refused_in(a, other, page, ENOSPC);
	expect_current(a, heap, 2 * page);
	expect_current(a, other, 5 * page);

	close(one);
	expect_current(a, heap, 0);
	expect_current(a, other, 5 * page);
	refused_in(a, other, page, ENOSPC);
	close(two);
	expect_current(a, other, 0);
}

/*
 * A limit below usage is taken, takes nothing back, and holds for all that
 * comes next until usage has gone below it. A raised one holds at once.
 */
static void test_limit_below_usage(const struct cma_heap *heap)
{
	char *a = create(sb.top, "a");
	int fds[4], five;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = alloc_in(a, heap, page);
	set_max(a, heap, 2 * page);
	expect_dmem(a, "dmem.max", heap, 2 * page);
	expect_current(a, heap, 4 * page);

	refused_in(a, heap, page, ENOSPC);
	close(fds[0]);
	expect_current(a, heap, 3 * page);
	refused_in(a, heap, page, ENOSPC);
	close(fds[1]);
	refused_in(a, heap, page, ENOSPC);
	close(fds[2]);
	fds[2] = alloc_in(a, heap, page);
	refused_in(a, heap, page, ENOSPC);
	expect_current(a, heap, 2 * page);

	set_max(a, heap, 5 * page);
	refused_in(a, heap, 4 * page, ENOSPC);
	five = alloc_in(a, heap, 3 * page);
	expect_current(a, heap, 5 * page);
	set_text(a, "dmem.max", heap, "max");
	fds[0] = alloc_in(a, heap, page);
	expect_current(a, heap, 6 * page);
	close(fds[0]);
	close(fds[2]);
	close(fds[3]);
	close(five);
	expect_current(a, heap, 0);
}

struct race {
	const struct cma_heap *heap;
	int start;		/* read end: closed when all may go */
	int result;		/* write end: one byte of errno each */
	int finish;		/* read end: closed when all may leave */
};

static int race_for_a_page(const char *cgroup __maybe_unused, void *arg)
{
	struct race *race = arg;
	unsigned char result;
	char byte;
	int fd;

	if (read(race->start, &byte, 1))
		return 1;
	fd = cma_heap_alloc(race->heap, page);
	result = fd < 0 ? -fd : 0;
	if (write(race->result, &result, 1) != 1)
		return 1;
	close(race->result);
	/* Keep the buffer until everyone has tried */
	return read(race->finish, &byte, 1) ? 1 : 0;
}

/* However many ask at once: the limit is reached exactly, never exceeded */
static void test_limit_race(const struct cma_heap *heap)
{
	enum { RACERS = 12, ROOM = 5 };
	int start[2], result[2], finish[2];
	char *a = create(sb.top, "a");
	unsigned int granted = 0, i;
	unsigned char seen;
	struct race race;
	pid_t pids[RACERS];

	if (pipe2(start, O_CLOEXEC) || pipe2(result, O_CLOEXEC) ||
	    pipe2(finish, O_CLOEXEC))
		case_fail("pipe2: %s", strerror(errno));

	set_max(a, heap, ROOM * page);
	race = (struct race){ heap, start[0], result[1], finish[0] };
	for (i = 0; i < RACERS; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			case_fail("fork: %s", strerror(errno));
		if (!pids[i]) {
			close(start[1]);
			close(finish[1]);
			enter(a);
			exit(race_for_a_page(a, &race));
		}
	}
	/* From here on a racer that dies is an end of file, not a wait */
	close(result[1]);
	close(start[1]);
	for (i = 0; i < RACERS; i++) {
		if (read(result[0], &seen, 1) != 1)
			case_fail("%u of %u racers left without a result", RACERS - i,
				  RACERS);
		if (!seen)
			granted++;
		else if (seen != ENOSPC)
			case_fail("expected success or %s, seen %s",
				  strerror(ENOSPC), strerror(seen));
	}
	expect_value("pages granted", granted, ROOM);
	expect_current(a, heap, ROOM * page);
	close(finish[1]);
	for (i = 0; i < RACERS; i++)
		expect_exit(pids[i], 0);
	expect_current_soon(a, heap, 0);
}

#define FIT_LOUD	3
#define FIT_ROUNDS	2000
#define FIT_SECONDS	10

/**
 * struct fit - what the processes of test_exact_fit() share
 * @heap:	to allocate from
 * @stop:	set when those that are refused may leave
 * @pages:	what each of those asks for
 * @refused:	how often each of those was
 */
struct fit {
	const struct cma_heap *heap;
	bool stop;
	unsigned int pages[FIT_LOUD];
	unsigned int refused[FIT_LOUD];
};

/* One of those that are refused */
struct fit_loud {
	struct fit *fit;
	unsigned int index;
};

static int ask_too_much(const char *cgroup __maybe_unused, void *arg)
{
	struct fit_loud *loud = arg;
	struct fit *fit = loud->fit;

	while (!__atomic_load_n(&fit->stop, __ATOMIC_RELAXED)) {
		if (cma_heap_alloc(fit->heap, fit->pages[loud->index] * page) !=
		    -ENOSPC)
			return 1;
		__atomic_fetch_add(&fit->refused[loud->index], 1, __ATOMIC_RELAXED);
	}
	return 0;
}

/* The exit status is the errno of what should have been granted */
static int ask_what_fits(const char *cgroup __maybe_unused, void *arg)
{
	__u64 end = now_ms() + FIT_SECONDS * 1000;
	struct fit *fit = arg;
	int fd, i;

	for (i = 0; i < FIT_ROUNDS && now_ms() < end; i++) {
		fd = cma_heap_alloc(fit->heap, 5 * page);
		if (fd < 0)
			return -fd;
		close(fd);
	}
	return 0;
}

/*
 * a		max 8 pages
 * a/held	has 3 all the time
 * a/fits	takes 5 and gives them back, thousands of times: always granted
 * a/loud0	asks for 6, one more than ever fits: always refused
 * a/loud1	asks for 9, more than the limit: always refused
 * a/loud2	asks for half the region: always refused
 *
 * A request that is refused harms no other, not for an instant, and every
 * refusal is counted, once. On a slow machine the time limits the rounds.
 */
static void test_exact_fit(const struct cma_heap *heap)
{
	struct fit_loud loud[FIT_LOUD];
	char *a, *held, *fits, *louds[FIT_LOUD];
	__u64 end, refused = 0;
	pid_t quiet, pids[FIT_LOUD];
	struct fit *fit;
	char name[16];
	int fd, i;

	a = create(sb.top, "a");
	control(a, "+dmem");
	held = create(a, "held");
	fits = create(a, "fits");
	set_max(a, heap, 8 * page);

	fit = mmap(NULL, sizeof(*fit), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fit == MAP_FAILED)
		case_fail("mmap: %s", strerror(errno));
	fit->heap = heap;
	fit->pages[0] = 6;
	fit->pages[1] = 9;
	fit->pages[2] = heap->size / page / 2;

	fd = alloc_in(held, heap, 3 * page);
	for (i = 0; i < FIT_LOUD; i++) {
		snprintf(name, sizeof(name), "loud%d", i);
		louds[i] = create(a, name);
		loud[i] = (struct fit_loud){ fit, i };
		pids[i] = spawn(louds[i], ask_too_much, &loud[i]);
	}
	end = deadline();
	for (i = 0; i < FIT_LOUD; i++)
		while (!__atomic_load_n(&fit->refused[i], __ATOMIC_RELAXED))
			if (!sleep_until(end))
				case_fail("%s: refused nothing yet", louds[i]);

	quiet = spawn(fits, ask_what_fits, fit);
	expect_exit(quiet, 0);
	__atomic_store_n(&fit->stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < FIT_LOUD; i++) {
		expect_exit(pids[i], 0);
		expect_dmem(louds[i], "dmem.peak", heap, 0);
		expect_events(louds[i], heap, 0, 0);
		refused += fit->refused[i];
	}

	expect_dmem(fits, "dmem.peak", heap, 5 * page);
	expect_events(fits, heap, 0, 0);
	expect_dmem(a, "dmem.peak", heap, 8 * page);
	expect_events(a, heap, refused, refused);
	expect_current_soon(a, heap, 3 * page);
	close(fd);
	expect_current_soon(a, heap, 0);
}

/* The most that was in use, here and in the ancestors; refusals don't count */
static void test_peak(const struct cma_heap *heap)
{
	char *a, *b, *c;
	int one, two;

	a = create(sb.top, "a");
	control(a, "+dmem");
	b = create(a, "b");
	c = create(a, "c");

	one = alloc_in(b, heap, 3 * page);
	expect_dmem(b, "dmem.peak", heap, 3 * page);
	close(one);
	expect_current(b, heap, 0);
	expect_dmem(b, "dmem.peak", heap, 3 * page);

	one = alloc_in(b, heap, page);
	two = alloc_in(c, heap, page);
	expect_dmem(b, "dmem.peak", heap, 3 * page);
	expect_dmem(c, "dmem.peak", heap, page);
	expect_dmem(a, "dmem.peak", heap, 3 * page);
	close(two);

	two = alloc_in(c, heap, 4 * page);
	expect_dmem(c, "dmem.peak", heap, 4 * page);
	expect_dmem(a, "dmem.peak", heap, 5 * page);

	set_max(a, heap, 5 * page);
	refused_in(b, heap, 2 * page, ENOSPC);
	refused_in(b, heap, heap->size + page, ENOMEM);
	expect_dmem(b, "dmem.peak", heap, 3 * page);
	expect_dmem(a, "dmem.peak", heap, 5 * page);
	close(one);
	close(two);
	expect_current(a, heap, 0);
	expect_dmem(a, "dmem.peak", heap, 5 * page);
}

/* Open files of a cgroup */

/* Room for the lines of all regions */
#define ALL_SIZE	(CMA_HEAP_MAX_HEAPS * (CMA_HEAP_NAME_SIZE + 64))

static int open_at(const char *func, int line, const char *cgroup,
		   const char *file, int flags)
{
	int fd = cg_open(cgroup, file, flags | O_CLOEXEC);

	if (fd < 0)
		case_fail_at(func, line, "opening %s/%s: %s", cgroup, file,
			     strerror(errno));
	return fd;
}

#define open_peak(cgroup) \
	open_at(__func__, __LINE__, cgroup, "dmem.peak", O_RDWR)
#define open_events(cgroup, file) \
	open_at(__func__, __LINE__, cgroup, file, O_RDONLY)

/* Text of the region's line, read from the start through this open file */
static void read_view_at(const char *func, int line, int fd,
			 const struct cma_heap *heap, char *text, size_t size)
{
	char all[ALL_SIZE];
	ssize_t len = pread(fd, all, sizeof(all) - 1, 0);
	int ret;

	if (len < 0)
		case_fail_at(func, line, "pread: %s", strerror(errno));
	all[len] = '\0';
	ret = dmem_find_text(all, heap->region, text, size);
	if (ret)
		case_fail_at(func, line, "no value for %s: %s", heap->region,
			     strerror(-ret));
}

/* How many refusals dmem.events or dmem.events.local shows */
static __u64 refusals_in(int fd, const struct cma_heap *heap)
{
	unsigned long long count;
	char text[64];

	read_view_at(__func__, __LINE__, fd, heap, text, sizeof(text));
	if (sscanf(text, "low 0 max %llu", &count) != 1)
		case_fail("%s: expected 'low 0 max N', seen '%s'", heap->region,
			  text);
	return count;
}

static __u64 peak_of_at(const char *func, int line, int fd,
			const struct cma_heap *heap)
{
	char text[32], *end;
	__u64 value;

	read_view_at(func, line, fd, heap, text, sizeof(text));
	value = strtoull(text, &end, 10);
	if (end == text || *end)
		case_fail_at(func, line, "%s: '%s' is not a number",
			     heap->region, text);
	return value;
}

#define peak_of(fd, heap) peak_of_at(__func__, __LINE__, fd, heap)
#define expect_view(fd, heap, want) \
	expect_value(#fd, peak_of(fd, heap), want)

static void reset_at(const char *func, int line, int fd, const char *text,
		     size_t len)
{
	ssize_t done = write(fd, text, len);

	if (done < 0)
		case_fail_at(func, line, "writing to dmem.peak: %s",
			     strerror(errno));
	expect_value_at(func, line, "bytes written", done, len);
}

#define reset(fd) reset_at(__func__, __LINE__, fd, "reset\n", 6)

/*
 * Whatever is written makes this open file, and nobody else's, see the peak
 * since then, which begins at what is in use. Other cgroups know nothing of it.
 */
static void test_peak_reset(const struct cma_heap *heap)
{
	static const struct {
		const char *text;
		size_t len;
	} rows[] = {
		{ "r", 1 }, { "0", 1 }, { "\n", 1 }, { " ", 1 }, { "\0", 1 },
		{ "max\n", 4 }, { "no-such-region 1 2 3\n", 21 },
		{ "\xff\0\xff", 3 },
	};
	int one, two, again, never, above, held, more, child;
	char by_read[ALL_SIZE], by_pread[ALL_SIZE];
	char *a, *b;
	ssize_t len;
	size_t i;

	a = create(sb.top, "a");
	control(a, "+dmem");
	b = create(a, "b");

	one = open_peak(b);
	two = open_peak(b);
	never = open_peak(b);
	above = open_peak(a);

	held = alloc_in(b, heap, 5 * page);
	expect_view(one, heap, 5 * page);
	close(held);
	expect_view(one, heap, 5 * page);

	/* Nothing written, nothing reset */
	reset_at(__func__, __LINE__, one, "", 0);
	expect_view(one, heap, 5 * page);

	/* From what is in use: 2 pages. It rises, and stays */
	held = alloc_in(b, heap, 2 * page);
	reset(one);
	expect_view(one, heap, 2 * page);
	more = alloc_in(b, heap, page);
	expect_view(one, heap, 3 * page);
	close(more);
	expect_view(one, heap, 3 * page);
	expect_view(two, heap, 5 * page);
	expect_dmem(b, "dmem.peak", heap, 5 * page);

	/* Another one is no concern of the first, at another usage */
	reset(two);
	expect_view(two, heap, 2 * page);
	expect_view(one, heap, 3 * page);
	more = alloc_in(b, heap, 2 * page);
	expect_view(one, heap, 4 * page);
	expect_view(two, heap, 4 * page);
	close(more);

	/* Again, as often as one likes */
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		reset_at(__func__, __LINE__, one, rows[i].text, rows[i].len);
		expect_view(one, heap, 2 * page);
		more = alloc_in(b, heap, page);
		close(more);
		expect_view(one, heap, 3 * page);
		expect_view(two, heap, 4 * page);
		expect_view(never, heap, 5 * page);
	}

	/* The same open file under another number, and in a child */
	again = dup(one);
	reset(again);
	expect_view(one, heap, 2 * page);
	expect_view(again, heap, 2 * page);
	close(again);
	more = alloc_in(b, heap, page);
	close(more);
	child = fork();
	if (!child) {
		expect_view(one, heap, 3 * page);
		reset(one);
		exit(0);
	}
	expect_exit(child, 0);
	expect_view(one, heap, 2 * page);

	/* From the start, by lseek() too: a write has moved the offset */
	if (lseek(one, 0, SEEK_SET))
		case_fail("lseek: %s", strerror(errno));
	more = alloc_in(b, heap, page);
	len = read(one, by_read, sizeof(by_read));
	expect_value("length", len,
		     pread(one, by_pread, sizeof(by_pread), 0));
	if (len <= 0 || memcmp(by_read, by_pread, len))
		case_fail("read() and pread() differ");
	expect_view(one, heap, 3 * page);
	close(more);

	/* New files begin with the cgroup's peak, whoever else was reset */
	close(two);
	two = open_peak(b);
	expect_view(two, heap, 5 * page);
	expect_view(never, heap, 5 * page);

	/* Parent and child each have their own */
	expect_view(above, heap, 5 * page);
	expect_dmem(a, "dmem.peak", heap, 5 * page);
	reset(above);
	expect_view(above, heap, 2 * page);
	expect_view(one, heap, 3 * page);
	expect_dmem(b, "dmem.peak", heap, 5 * page);

	/* A new high is everyone's */
	more = alloc_in(b, heap, 5 * page);
	close(more);
	close(held);
	expect_view(one, heap, 7 * page);
	expect_view(two, heap, 7 * page);
	expect_view(never, heap, 7 * page);
	expect_view(above, heap, 7 * page);
	expect_dmem(a, "dmem.peak", heap, 7 * page);
	reset(one);
	expect_view(one, heap, 0);
	expect_view(two, heap, 7 * page);
}

enum { RESET_FIRST, RESET_SECOND, FALL, RISE, NR_STEPS };

#define ORDER_STEPS	5
#define ORDERS		1024	/* NR_STEPS to the power of ORDER_STEPS */

/* Not one that has another's steps: nothing to release, files swapped */
static bool is_new_order(int order)
{
	bool has_first = false;
	int i, used = 0;

	for (i = 0; i < ORDER_STEPS; i++, order /= NR_STEPS) {
		switch (order % NR_STEPS) {
		case RESET_FIRST:
			has_first = true;
			break;
		case RESET_SECOND:
			if (!has_first)
				return false;
			break;
		case FALL:
			if (!used--)
				return false;
			break;
		case RISE:
			used++;
			break;
		}
	}
	return true;
}

/*
 * Every order of five steps, each of them a reset of one of two open files, or
 * a page more or less in use: what each file has to show is worked out beside.
 * A third one, opened anew for each look, shows the peak of all times.
 */
static void test_peak_orders(const struct cma_heap *heap)
{
	static const char letters[NR_STEPS] = { '1', '2', '-', '+' };
	char *a = create(sb.top, "a");
	char said[ORDER_STEPS + 1];
	__u64 want[2], all = 0, seen;
	int held[ORDER_STEPS];
	int fds[2], run, rest, i, j, used;
	bool was_reset[2];

	/* For as long as this takes: to move costs more than all the rest */
	enter(a);
	for (run = 0; run < ORDERS; run++) {
		if (!is_new_order(run))
			continue;
		fds[0] = open_peak(a);
		fds[1] = open_peak(a);
		memset(was_reset, 0, sizeof(was_reset));
		memset(said, 0, sizeof(said));
		used = 0;

		for (i = 0, rest = run; i < ORDER_STEPS; i++, rest /= NR_STEPS) {
			int step = rest % NR_STEPS;

			said[i] = letters[step];
			if (step == FALL)
				close(held[--used]);
			if (step == RISE)
				held[used++] = expect_alloc(heap, page, 0);
			if (step == RESET_FIRST || step == RESET_SECOND) {
				reset(fds[step]);
				was_reset[step] = true;
				want[step] = used * page;
			}

			if (all < used * page)
				all = used * page;
			for (j = 0; j < 2; j++) {
				if (!was_reset[j])
					want[j] = all;
				else if (want[j] < used * page)
					want[j] = used * page;
				seen = peak_of(fds[j], heap);
				if (seen != want[j])
					case_fail("after %s: file %d: expected %llu, seen %llu",
						  said, j + 1,
						  (unsigned long long)want[j],
						  (unsigned long long)seen);
			}
			expect_dmem(a, "dmem.peak", heap, all);
		}
		cma_heap_drain(held, used);
		/* The first one to be reset leaves first, or last */
		close(fds[run % 2]);
		expect_dmem(a, "dmem.peak", heap, all);
		close(fds[!(run % 2)]);
	}
	enter(sb.root);
}

/*
 * One write resets all regions, also those that the cgroup has not used before:
 * they begin at 0, and only they do, when they come into use.
 */
static void test_peak_regions(const struct cma_heap *heap)
{
	const struct cma_heap *other = other_region(heap);
	int early, late, fd;
	char *a;

	if (!other)
		case_skip(&sb, "there is one region only");

	/* Before anything was charged */
	a = create(sb.top, "a");
	early = open_peak(a);
	reset(early);
	expect_view(early, heap, 0);
	expect_view(early, other, 0);

	fd = alloc_in(a, heap, 4 * page);
	close(fd);
	expect_view(early, heap, 4 * page);
	expect_view(early, other, 0);

	/* When one of the two was */
	late = open_peak(a);
	reset(late);
	expect_view(late, heap, 0);
	expect_view(late, other, 0);
	fd = alloc_in(a, other, 3 * page);
	close(fd);
	expect_view(late, heap, 0);
	expect_view(late, other, 3 * page);
	expect_view(early, heap, 4 * page);
	expect_view(early, other, 3 * page);

	/* When both were */
	reset(early);
	expect_view(early, heap, 0);
	expect_view(early, other, 0);
	expect_view(late, other, 3 * page);
	expect_dmem(a, "dmem.peak", heap, 4 * page);
	expect_dmem(a, "dmem.peak", other, 3 * page);

	fd = alloc_in(a, other, 2 * page);
	expect_view(early, heap, 0);
	expect_view(early, other, 2 * page);
	expect_view(late, other, 3 * page);
	reset(late);
	expect_view(late, other, 2 * page);
	close(fd);
	expect_view(late, heap, 0);
	expect_view(late, other, 2 * page);
	expect_dmem(a, "dmem.peak", other, 3 * page);
}

static void expect_gone_at(const char *func, int line, int fd)
{
	char text[64];

	if (pread(fd, text, sizeof(text), 0) >= 0 || errno != ENODEV)
		case_fail_at(func, line, "after removal: expected %s, seen %s",
			     strerror(ENODEV), strerror(errno));
}

#define expect_gone(fd) expect_gone_at(__func__, __LINE__, fd)

/*
 * An open dmem.peak, reset or not, outlives its cgroup, or the controller in
 * it, as a descriptor for nothing: ENODEV. What comes under that name later
 * owes it nothing.
 */
static void test_peak_removed(const struct cma_heap *heap)
{
	char *a = create(sb.top, "a");
	int was_reset = open_peak(a), never = open_peak(a);
	int held, fd;

	held = alloc_in(a, heap, 2 * page);
	reset(was_reset);
	remove_cgroup(a);
	expect_gone(was_reset);
	expect_gone(never);
	expect_value("errno of a write", write(never, "r", 1) < 0 ? errno : 0,
		     ENODEV);

	a = create(sb.top, "a");
	fd = open_peak(a);
	expect_view(fd, heap, 0);
	close(alloc_in(a, heap, page));
	expect_view(fd, heap, page);
	reset(fd);
	expect_gone(was_reset);
	close(was_reset);
	close(held);
	close(never);

	held = alloc_in(a, heap, page);
	control(sb.top, "-dmem");
	expect_gone(fd);
	control(sb.top, "+dmem");
	expect_gone(fd);
	close(held);
	expect_dmem(a, "dmem.peak", heap, 0);
	close(fd);
}

/* Who holds the charge, and until when */

/* Stay until the other end of the pipe at @arg closes */
static int stay(const char *cgroup __maybe_unused, void *arg)
{
	int *ends = arg;
	char byte;

	close(ends[1]);
	return read(ends[0], &byte, 1) ? 1 : 0;
}

/* The child's copy keeps the buffer, the charge stays with the parent's cgroup */
static void test_fork(const struct cma_heap *heap)
{
	char *a = create(sb.top, "a");
	char *b = create(sb.top, "b");
	int ends[2], fd;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		case_fail("pipe2: %s", strerror(errno));

	fd = alloc_in(a, heap, 2 * page);
	pid = spawn(b, stay, ends);
	close(fd);
	expect_current(a, heap, 2 * page);
	expect_current(b, heap, 0);

	close(ends[1]);
	expect_exit(pid, 0);
	expect_current_soon(a, heap, 0);
	expect_current(b, heap, 0);
}

/* Moving a task moves no charge; what it allocates then goes to the new cgroup */
static void test_migration(const struct cma_heap *heap)
{
	char *a = create(sb.top, "a");
	char *b = create(sb.top, "b");
	int in_a, in_b;

	enter(a);
	in_a = expect_alloc(heap, 2 * page, 0);
	enter(b);
	expect_current(a, heap, 2 * page);
	expect_current(b, heap, 0);

	in_b = expect_alloc(heap, page, 0);
	expect_current(a, heap, 2 * page);
	expect_current(b, heap, page);

	close(in_a);
	expect_current(a, heap, 0);
	expect_current(b, heap, page);
	enter(a);
	close(in_b);
	expect_current(b, heap, 0);
	enter(sb.root);
}

struct sender {
	const struct cma_heap *heap;
	int sock;
};

static int send_and_leave(const char *cgroup __maybe_unused, void *arg)
{
	struct sender *sender = arg;
	int fd = cma_heap_alloc(sender->heap, 2 * page);

	if (fd < 0)
		return -fd;
	return fd_send(sender->sock, fd, 0) ? 1 : 0;
}

static int send_and_stay(const char *cgroup, void *arg)
{
	int ret = send_and_leave(cgroup, arg);

	if (ret)
		return ret;
	for (;;)
		pause();
}

/* A received buffer costs the sender's cgroup, not the receiver's */
static void test_fd_passing(const struct cma_heap *heap)
{
	char *a = create(sb.top, "a");
	char *b = create(sb.top, "b");
	struct sender sender = { .heap = heap };
	int sock[2], fd;
	pid_t pid;

	make_sockets(sock);
	sender.sock = sock[1];
	pid = spawn(a, send_and_stay, &sender);

	enter(b);
	fd = receive_fd(sock[0]);
	expect_value("size of the buffer", lseek(fd, 0, SEEK_END), 2 * page);
	expect_current(a, heap, 2 * page);
	expect_current(b, heap, 0);

	/* It lives on after the sender */
	stop(pid);
	expect_current(a, heap, 2 * page);
	expect_current(b, heap, 0);
	close(fd);
	expect_current_soon(a, heap, 0);
	expect_current(b, heap, 0);
	enter(sb.root);
}

static void wait_for_message(int sock)
{
	struct pollfd wait = { .fd = sock, .events = POLLIN };

	if (poll(&wait, 1, patience()) != 1)
		case_fail("no message from the sender");
}

/* A message that nobody has received yet is a reference like any other */
static void test_fd_in_flight(const struct cma_heap *heap)
{
	char *a = create(sb.top, "a");
	struct sender sender = { .heap = heap };
	int sock[2], fd;
	pid_t pid;

	/* The sender left by itself, then the message is received */
	make_sockets(sock);
	sender.sock = sock[1];
	pid = spawn(a, send_and_leave, &sender);
	expect_exit(pid, 0);
	close(sock[1]);
	expect_current(a, heap, 2 * page);
	fd = receive_fd(sock[0]);
	expect_value("size of the buffer", lseek(fd, 0, SEEK_END), 2 * page);
	expect_current(a, heap, 2 * page);
	close(fd);
	expect_current(a, heap, 0);
	close(sock[0]);

	/* The sender was killed, and nobody will ever receive it */
	make_sockets(sock);
	sender.sock = sock[1];
	pid = spawn(a, send_and_stay, &sender);
	wait_for_message(sock[0]);
	stop(pid);
	expect_current(a, heap, 2 * page);
	close(sock[1]);
	expect_current(a, heap, 2 * page);
	close(sock[0]);
	expect_current_soon(a, heap, 0);
}

/* A mapping keeps the buffer without any descriptor, to its last page */
static void test_mmap(const struct cma_heap *heap)
{
	char *a = create(sb.top, "a");
	char *map;
	int fd;

	fd = alloc_in(a, heap, 4 * page);
	map = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		case_fail("mmap: %s", strerror(errno));
	close(fd);
	expect_current(a, heap, 4 * page);
	map[0] = 1;
	map[4 * page - 1] = 1;

	munmap(map + page, page);
	expect_current(a, heap, 4 * page);
	munmap(map, page);
	munmap(map + 3 * page, page);
	expect_current(a, heap, 4 * page);
	munmap(map + 2 * page, page);
	expect_current(a, heap, 0);
}

/* Cgroups come and go */

static void expect_stat_soon_at(const char *func, int line, const char *cgroup,
				const char *key, long want)
{
	__u64 end = deadline();
	long seen;

	do {
		seen = cg_read_key_long(cgroup, "cgroup.stat", key);
	} while (seen > want && sleep_until(end));
	if (seen < 0 || seen > want)
		case_fail_at(func, line,
			     "%s/cgroup.stat: %s: expected %ld at most, seen %ld",
			     cgroup, key, want, seen);
}

#define expect_stat_soon(cgroup, key, want) \
	expect_stat_soon_at(__func__, __LINE__, cgroup, key, want)

/*
 * a		keeps 3 + 2 pages when b and c are gone
 * a/b		3 pages, removed
 * a/b/c	2 pages, removed before
 *
 * The buffers do not keep the removed cgroups from being freed.
 */
static void test_removed(const struct cma_heap *heap)
{
	long dying = cg_read_key_long(sb.root, "cgroup.stat",
				      "nr_dying_descendants ");
	char *a, *b, *c;
	int in_b, in_c;

	a = create(sb.top, "a");
	control(a, "+dmem");
	b = create(a, "b");
	in_b = alloc_in(b, heap, 3 * page);
	control(b, "+dmem");
	c = create(b, "c");
	in_c = alloc_in(c, heap, 2 * page);
	expect_current(a, heap, 5 * page);

	remove_cgroup(c);
	expect_current(b, heap, 5 * page);
	expect_stat_soon(b, "nr_dying_descendants ", 0);
	remove_cgroup(b);
	expect_current(a, heap, 5 * page);
	expect_stat_soon(a, "nr_dying_descendants ", 0);
	expect_stat_soon(sb.root, "nr_dying_descendants ", dying);
	expect_current(a, heap, 5 * page);
	expect_current(sb.top, heap, 5 * page);

	/* What is left counts against the limits that are left */
	set_max(a, heap, 5 * page);
	b = create(a, "b");
	refused_in(b, heap, page, ENOSPC);
	close(in_c);
	expect_current(a, heap, 3 * page);
	in_c = alloc_in(b, heap, 2 * page);
	expect_current(b, heap, 2 * page);
	close(in_b);
	expect_current(a, heap, 2 * page);
	close(in_c);
	expect_current(a, heap, 0);
}

static void expect_fresh_at(const char *func, int line, const char *cgroup,
			    const struct cma_heap *heap)
{
	expect_text_at(func, line, cgroup, "dmem.current", heap, "0");
	expect_text_at(func, line, cgroup, "dmem.peak", heap, "0");
	expect_text_at(func, line, cgroup, "dmem.max", heap, "max");
	expect_text_at(func, line, cgroup, "dmem.min", heap, "0");
	expect_text_at(func, line, cgroup, "dmem.low", heap, "0");
	expect_events_at(func, line, cgroup, heap, 0, 0);
}

#define expect_fresh(cgroup, heap) expect_fresh_at(__func__, __LINE__, cgroup, heap)

static void set_all_limits(const char *cgroup, const struct cma_heap *heap)
{
	set_max(cgroup, heap, 2 * page);
	set_at(__func__, __LINE__, cgroup, "dmem.min", heap, page);
	set_at(__func__, __LINE__, cgroup, "dmem.low", heap, 2 * page);
}

/* A new cgroup inherits nothing from one that had its name */
static void test_recreated(const struct cma_heap *heap)
{
	char *a = create(sb.top, "a");
	int old, new;

	set_all_limits(a, heap);
	old = alloc_in(a, heap, 2 * page);
	refused_in(a, heap, page, ENOSPC);
	remove_cgroup(a);
	a = create(sb.top, "a");
	expect_fresh(a, heap);
	expect_events(sb.top, heap, 1, 0);

	new = alloc_in(a, heap, 3 * page);
	expect_current(a, heap, 3 * page);
	expect_current(sb.top, heap, 5 * page);
	close(old);
	expect_current(a, heap, 3 * page);
	expect_current(sb.top, heap, 3 * page);
	close(new);
	expect_current(a, heap, 0);
	expect_current(sb.top, heap, 0);
}

/*
 * The controller taken from a live cgroup and given back: old charges stay in
 * the ancestors, charges made meanwhile go there, and the cgroup starts anew.
 */
static void test_controller_off_on(const struct cma_heap *heap)
{
	static const char dying[] = "nr_dying_subsys_dmem ";
	char *a = create(sb.top, "a");
	int old, between, new;

	set_all_limits(a, heap);
	old = alloc_in(a, heap, 2 * page);
	refused_in(a, heap, page, ENOSPC);
	expect_events(a, heap, 1, 1);

	control(sb.top, "-dmem");
	expect_no_file(a, "dmem.current");
	expect_no_file(a, "dmem.max");
	expect_no_file(a, "dmem.events");
	expect_current(sb.top, heap, 2 * page);
	if (cg_read_key_long(sb.top, "cgroup.stat", dying) >= 0)
		expect_stat_soon(sb.top, dying, 0);
	between = alloc_in(a, heap, 3 * page);
	expect_current(sb.top, heap, 5 * page);

	control(sb.top, "+dmem");
	expect_fresh(a, heap);
	expect_events(sb.top, heap, 1, 0);
	new = alloc_in(a, heap, page);
	expect_current(a, heap, page);
	expect_current(sb.top, heap, 6 * page);

	close(old);
	expect_current(a, heap, page);
	expect_current(sb.top, heap, 4 * page);
	close(between);
	expect_current(a, heap, page);
	expect_current(sb.top, heap, page);
	close(new);
	expect_current(a, heap, 0);
	expect_current(sb.top, heap, 0);
}

/*
 * a		max 3 pages, without the controller for its children
 * a/b		has no dmem files; what it allocates is a's
 */
static void test_no_controller(const struct cma_heap *heap)
{
	char *a = create(sb.top, "a");
	char *b = create(a, "b");
	int fd;

	expect_no_file(b, "dmem.current");
	expect_no_file(b, "dmem.max");
	set_max(a, heap, 3 * page);
	fd = alloc_in(b, heap, 2 * page);
	expect_current(a, heap, 2 * page);
	refused_in(b, heap, 2 * page, ENOSPC);
	expect_current(a, heap, 2 * page);

	/* Once b has the controller, the old charge is still a's alone */
	control(a, "+dmem");
	expect_current(b, heap, 0);
	close(fd);
	expect_current(a, heap, 0);
	expect_current(b, heap, 0);
}

/* Protection is stored and shown; it refuses nothing and limits nothing */
static void test_protection(const struct cma_heap *heap)
{
	static const char * const files[] = { "dmem.min", "dmem.low" };
	char *a = create(sb.top, "a");
	char *b = create(sb.top, "b");
	int in_a, in_b;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		set_at(__func__, __LINE__, a, files[i], heap, (2 + i) * page);
		expect_dmem(a, files[i], heap, (2 + i) * page);
		expect_text(b, files[i], heap, "0");
	}
	expect_dmem(a, "dmem.min", heap, 2 * page);
	expect_text(a, "dmem.max", heap, "max");
	expect_text(a, "dmem.current", heap, "0");

	in_a = alloc_in(a, heap, 4 * page);
	in_b = alloc_in(b, heap, 4 * page);
	expect_current(a, heap, 4 * page);
	expect_current(b, heap, 4 * page);
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		set_text(a, files[i], heap, "max");
		expect_text(a, files[i], heap, "max");
		set_text(a, files[i], heap, "0");
		expect_text(a, files[i], heap, "0");
	}
	close(in_a);
	close(in_b);
}

/* Events */

/*
 * a		max 4 pages, then 5
 * a/b		max 2 pages
 * a/b/c	asks
 * a/d		asks
 * s		is not concerned
 *
 * A refusal counts in dmem.events.local of the cgroup whose limit it was, and
 * in dmem.events from there up: once, for one region. Nothing else counts.
 */
static void test_events(const struct cma_heap *heap)
{
	const struct cma_heap *other = other_region(heap);
	char *a, *b, *c, *d, *s;
	int fd, in_d, i;

	a = create(sb.top, "a");
	control(a, "+dmem");
	b = create(a, "b");
	control(b, "+dmem");
	c = create(b, "c");
	d = create(a, "d");
	s = create(sb.top, "s");
	set_max(a, heap, 4 * page);
	set_max(b, heap, 2 * page);

	/* What is granted, given back, or more than there is */
	fd = alloc_in(c, heap, 2 * page);
	in_d = alloc_in(d, heap, 2 * page);
	close(fd);
	refused_in(c, heap, heap->size + page, ENOMEM);
	expect_events(c, heap, 0, 0);
	expect_events(d, heap, 0, 0);
	expect_events(b, heap, 0, 0);
	expect_events(a, heap, 0, 0);
	expect_events(sb.top, heap, 0, 0);

	/* b's limit */
	for (i = 1; i <= 3; i++) {
		set_max(a, heap, 5 * page);
		refused_in(c, heap, 3 * page, ENOSPC);
		expect_events(c, heap, 0, 0);
		expect_events(b, heap, i, i);
		expect_events(a, heap, i, 0);
		expect_events(sb.top, heap, i, 0);
	}

	/* a's, of which d has 2 already */
	set_max(a, heap, 3 * page);
	refused_in(c, heap, 2 * page, ENOSPC);
	refused_in(d, heap, 2 * page, ENOSPC);
	expect_events(c, heap, 0, 0);
	expect_events(d, heap, 0, 0);
	expect_events(b, heap, 3, 3);
	expect_events(a, heap, 5, 2);
	expect_events(sb.top, heap, 5, 0);

	/* Its own */
	set_max(c, heap, 0);
	refused_in(c, heap, 1, ENOSPC);
	expect_events(c, heap, 1, 1);
	expect_events(b, heap, 4, 3);
	expect_events(a, heap, 6, 2);
	expect_events(sb.top, heap, 6, 0);

	/* That of the topmost, with room below */
	set_max(sb.top, heap, 2 * page);
	refused_in(d, heap, page, ENOSPC);
	expect_events(d, heap, 0, 0);
	expect_events(a, heap, 6, 2);
	expect_events(sb.top, heap, 7, 1);

	/* What others do counts elsewhere */
	close(in_d);
	set_max(s, heap, 0);
	refused_in(s, heap, page, ENOSPC);
	expect_events(s, heap, 1, 1);
	expect_events(a, heap, 6, 2);
	expect_events(sb.top, heap, 8, 1);
	close(alloc_in(d, heap, page));
	expect_events(sb.top, heap, 8, 1);
	if (!other)
		return;

	expect_events(c, other, 0, 0);
	expect_events(b, other, 0, 0);
	expect_events(a, other, 0, 0);
	expect_events(sb.top, other, 0, 0);
	set_max(b, other, 0);
	refused_in(c, other, page, ENOSPC);
	expect_events(b, other, 1, 1);
	expect_events(a, other, 1, 0);
	expect_events(c, heap, 1, 1);
	expect_events(b, heap, 4, 3);
	expect_events(a, heap, 6, 2);
	expect_events(sb.top, heap, 8, 1);
}

/*
 * a		keeps the counts when b and c are gone
 * a/b		max 1 page, refuses, removed
 * a/b/c	max 0, refuses, removed before
 */
static void test_events_removed(const struct cma_heap *heap)
{
	char *a, *b, *c;
	int fd;

	a = create(sb.top, "a");
	control(a, "+dmem");
	b = create(a, "b");
	fd = alloc_in(b, heap, page);
	control(b, "+dmem");
	c = create(b, "c");
	set_max(b, heap, page);
	refused_in(c, heap, page, ENOSPC);
	set_max(c, heap, 0);
	refused_in(c, heap, page, ENOSPC);
	refused_in(c, heap, page, ENOSPC);

	remove_cgroup(c);
	expect_events(b, heap, 3, 1);
	expect_events(a, heap, 3, 0);
	expect_stat_soon(b, "nr_dying_descendants ", 0);
	expect_events(b, heap, 3, 1);

	/* With a buffer charged there, and without */
	remove_cgroup(b);
	expect_events(a, heap, 3, 0);
	expect_events(sb.top, heap, 3, 0);
	expect_stat_soon(a, "nr_dying_descendants ", 0);
	close(fd);
	expect_events(a, heap, 3, 0);
	expect_events(sb.top, heap, 3, 0);

	b = create(a, "b");
	expect_events(b, heap, 0, 0);
	set_max(b, heap, 0);
	refused_in(b, heap, page, ENOSPC);
	expect_events(b, heap, 1, 1);
	expect_events(a, heap, 4, 0);
	expect_events(sb.top, heap, 4, 0);
}

/**
 * struct watched - a file that is watched by poll and by inotify
 * @cgroup:	whose file it is
 * @file:	its name
 * @wakes:	a change of it is expected
 * @fd:		to poll
 * @mark:	inotify's number of it
 * @modified:	inotify has told of a change
 */
struct watched {
	const char *cgroup;
	const char *file;
	bool wakes;
	int fd;
	int mark;
	bool modified;
};

/* Whether it has changed since it was read last, now or in this time */
static bool has_changed(const struct watched *watched, int timeout_ms)
{
	struct pollfd wait = { .fd = watched->fd, .events = POLLPRI };

	if (!poll(&wait, 1, timeout_ms))
		return false;
	if (wait.revents != (POLLPRI | POLLERR))
		case_fail("%s/%s: poll: expected POLLPRI|POLLERR, seen 0x%x",
			  watched->cgroup, watched->file, wait.revents);
	return true;
}

static int watch(int inotify, const char *cgroup, const char *file)
{
	char *path = cg_control(cgroup, file);
	int mark = inotify_add_watch(inotify, path, IN_MODIFY);

	if (mark < 0)
		case_fail("inotify_add_watch: %s: %s", path, strerror(errno));
	free(path);
	return mark;
}

/* Take what inotify has to tell, after waiting for it at most this long */
static bool take_modified(int inotify, struct watched *watched, size_t count,
			  int timeout_ms)
{
	struct inotify_event buf[64];
	struct pollfd wait = { .fd = inotify, .events = POLLIN };
	const struct inotify_event *event;
	ssize_t len, at;
	size_t i;

	if (poll(&wait, 1, timeout_ms) != 1)
		return false;
	len = read(inotify, buf, sizeof(buf));
	if (len <= 0)
		case_fail("inotify: %s", strerror(errno));
	for (at = 0; at < len; at += sizeof(*event) + event->len) {
		event = (const void *)((char *)buf + at);
		if (!(event->mask & IN_MODIFY))
			case_fail("inotify: unexpected 0x%x", event->mask);
		for (i = 0; i < count; i++)
			if (watched[i].mark == event->wd)
				watched[i].modified = true;
	}
	return true;
}

static bool all_modified(const struct watched *watched, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (watched[i].wakes && !watched[i].modified)
			return false;
	return true;
}

/*
 * Watches dmem.events and dmem.events.local of all levels, of which @refuser
 * then refuses something that the first one asked for. No file was notified of
 * before except for the top cgroup's dmem.events: poll can tell at once, when
 * the refusal has returned, which were not now.
 */
static void check_wakes(const struct cma_heap *heap, char **levels,
			size_t count, size_t refuser)
{
	static const char * const files[] = { "dmem.events", "dmem.events.local" };
	struct watched watched[2 * 4];
	__u64 end = deadline();
	int inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	size_t i, n = 0;

	if (inotify < 0)
		case_fail("inotify_init1: %s", strerror(errno));
	for (i = 0; i < 2 * count; i++) {
		struct watched *one = &watched[n++];

		one->cgroup = levels[i / 2];
		one->file = files[i % 2];
		one->modified = false;
		one->wakes = i % 2 ? i / 2 == refuser : i / 2 >= refuser;
		one->mark = watch(inotify, one->cgroup, one->file);
		one->fd = open_events(one->cgroup, one->file);
		refusals_in(one->fd, heap);
	}

	/* What is granted is nothing to wake up for */
	close(alloc_in(levels[0], heap, page));
	for (i = 0; i < n; i++)
		if (has_changed(&watched[i], 0))
			case_fail("%s/%s: woken by a success",
				  watched[i].cgroup, watched[i].file);

	set_max(levels[refuser], heap, page);
	refused_in(levels[0], heap, 2 * page, ENOSPC);
	for (i = 0; i < n; i++) {
		struct watched *one = &watched[i];
		int wait = one->wakes ? patience() : 0;

		if (has_changed(one, wait) != one->wakes)
			case_fail("limit of %s: %s/%s: poll: expected %d, seen %d",
				  levels[refuser], one->cgroup, one->file,
				  one->wakes, !one->wakes);
		/* Who has read it is not woken again for the same */
		refusals_in(one->fd, heap);
		if (has_changed(one, 0))
			case_fail("%s/%s: woken twice", one->cgroup, one->file);
		close(one->fd);
	}

	/* The same by inotify, which takes its time */
	do {
		take_modified(inotify, watched, n, 10);
	} while (!all_modified(watched, n) && now_ms() < end);
	for (i = 0; i < n; i++)
		if (watched[i].modified != watched[i].wakes)
			case_fail("limit of %s: %s/%s: inotify: expected %d, seen %d",
				  levels[refuser], watched[i].cgroup,
				  watched[i].file, watched[i].wakes,
				  watched[i].modified);
	close(inotify);
	set_text(levels[refuser], "dmem.max", heap, "max");
}

/*
 * A refusal wakes who watches dmem.events of the cgroup whose limit it was, or
 * of one above it, and dmem.events.local of that cgroup. Nobody else.
 */
static void test_events_wake(const struct cma_heap *heap)
{
	char *levels[3] = { NULL, NULL, sb.top };
	size_t refuser;

	for (refuser = 0; refuser < ARRAY_SIZE(levels); refuser++) {
		levels[1] = create(sb.top, "a");
		control(levels[1], "+dmem");
		levels[0] = create(levels[1], "b");
		check_wakes(heap, levels, ARRAY_SIZE(levels), refuser);
		remove_cgroup(levels[0]);
		remove_cgroup(levels[1]);
	}
}

#define BURST		500
#define BURST_TASKS	2

/* The core notifies of a file at most once in this many milliseconds */
#define NOTIFY_MS	10

static int ask_in_vain(const char *cgroup __maybe_unused, void *arg)
{
	int i;

	for (i = 0; i < BURST; i++)
		if (cma_heap_alloc(arg, page) != -ENOSPC)
			return 1;
	return 0;
}

/*
 * Reads whenever woken, and never else, until it has seen @total refusals.
 * Returns how often it was woken.
 */
static unsigned int read_when_woken(const struct cma_heap *heap, int inotify,
				    struct watched *watched, __u64 total)
{
	__u64 seen = refusals_in(watched->fd, heap);
	unsigned int wakes = 0;

	while (seen != total) {
		bool woken = inotify < 0 ?
			has_changed(watched, patience()) :
			take_modified(inotify, watched, 1, patience());

		if (!woken)
			case_fail("%s/%s: woken %u times, expected %llu refusals, last seen %llu",
				  watched->cgroup, watched->file, wakes,
				  (unsigned long long)total,
				  (unsigned long long)seen);
		wakes++;
		seen = refusals_in(watched->fd, heap);
	}
	return wakes;
}

/*
 * A thousand refusals, as fast as two processes can get them: the last one is
 * never lost on who only reads when woken. And that is seldom, for a file is
 * notified of at most once in NOTIFY_MS: so the bound is how often that goes
 * into the time it took. Twice as often is let pass, as a refusal and the timer
 * that stands in for earlier ones may both find the time to be over, and once
 * more at both ends. For a burst that takes less than half a second this is a
 * tenth of the refusals at most; on a slower machine there is less to limit.
 */
static void test_events_burst(const struct cma_heap *heap)
{
	char *a = create(sb.top, "a");
	struct watched rows[] = {
		{ .cgroup = a,		.file = "dmem.events" },
		{ .cgroup = a,		.file = "dmem.events.local" },
		{ .cgroup = sb.top,	.file = "dmem.events" },
	};
	pid_t pids[BURST_TASKS];
	unsigned int wakes, bound;
	__u64 total = 0, start, took;
	int inotify, i, j;

	set_max(a, heap, 0);
	/* Each file is watched in both ways */
	for (i = 0; i < 2 * (int)ARRAY_SIZE(rows); i++) {
		struct watched *watched = &rows[i / 2];

		inotify = -1;
		watched->fd = open_events(watched->cgroup, watched->file);
		if (i % 2) {
			inotify = inotify_init1(IN_CLOEXEC);
			watched->mark = watch(inotify, watched->cgroup,
					      watched->file);
		}

		start = now_ms();
		for (j = 0; j < BURST_TASKS; j++)
			pids[j] = spawn(a, ask_in_vain, (void *)heap);
		total += BURST_TASKS * BURST;
		wakes = read_when_woken(heap, inotify, watched, total);
		took = now_ms() - start;
		for (j = 0; j < BURST_TASKS; j++)
			expect_exit(pids[j], 0);

		bound = 2 * (took / NOTIFY_MS) + 2;
		if (wakes > bound)
			case_fail("%s/%s: expected %u wakeups at most in %llu ms, seen %u",
				  watched->cgroup, watched->file, bound,
				  (unsigned long long)took, wakes);
		close(watched->fd);
		if (inotify >= 0)
			close(inotify);
	}
	expect_events(a, heap, total, total);
	expect_events(sb.top, heap, total, 0);
}

static int ask_for_ever(const char *cgroup __maybe_unused, void *arg)
{
	int fd;

	for (;;) {
		fd = cma_heap_alloc(arg, page);
		if (fd >= 0)
			close(fd);
		else if (fd != -ENOSPC)
			return 1;
	}
}

/*
 * Cgroups are removed while a charge that a limit of theirs refuses may be on
 * its way, and notifications of earlier ones are due. What they have counted
 * stays in the top cgroup, with at most one more for each: the charge that was
 * on its way when it was read.
 */
static void test_events_leave(const struct cma_heap *heap)
{
	enum { ROUNDS = 50, SECONDS = 10 };
	__u64 last = now_ms() + SECONDS * 1000, end, counted = 0, kept;
	char *a, *b;
	pid_t pid;
	int i, fd;

	pid = spawn(sb.root, ask_for_ever, (void *)heap);
	for (i = 0; i < ROUNDS && now_ms() < last; i++) {
		a = create(sb.top, "a");
		set_max(a, heap, 0);
		control(a, "+dmem");
		b = create(a, "b");
		fd = open_events(a, "dmem.events");
		if (cg_enter(b, pid))
			case_fail("moving a process to %s", b);
		end = deadline();
		while (!refusals_in(fd, heap))
			if (now_ms() > end)
				case_fail("nothing was refused in %s", b);
		if (cg_enter(sb.root, pid))
			case_fail("moving a process to %s", sb.root);
		counted += refusals_in(fd, heap);
		remove_cgroup(b);
		remove_cgroup(a);
		expect_gone(fd);
		close(fd);
		free(b);
		free(a);
	}
	stop(pid);

	fd = open_events(sb.top, "dmem.events");
	kept = refusals_in(fd, heap);
	close(fd);
	if (kept < counted || kept > counted + i)
		case_fail("%s: %d removed cgroups counted %llu, seen %llu",
			  sb.top, i, (unsigned long long)counted,
			  (unsigned long long)kept);
	expect_current_soon(sb.top, heap, 0);
}

/* Trace events */

#define TRACING		"/sys/kernel/tracing"
#define TRACE_INSTANCE	TRACING "/instances/dmem_test"

/* What name_to_handle_at() gives: on 32 bit an inode number is only half of it */
static __u64 cgroup_id(const char *cgroup)
{
	struct stat st;
	__u64 id;
	int ret;

	if (stat(cgroup, &st))
		case_fail("%s: %s", cgroup, strerror(errno));
	ret = dmem_cgroup_id(cgroup, &id);
	if (ret && sizeof(long) < sizeof(id))
		case_skip(&sb, "name_to_handle_at() gives no cgroup id: %s",
			  strerror(-ret));
	if (ret)
		return st.st_ino;
	if (st.st_ino != (ino_t)id)
		case_fail("%s: inode %llu, id %llu", cgroup,
			  (unsigned long long)st.st_ino,
			  (unsigned long long)id);
	return id;
}

static void remove_instance(void)
{
	rmdir(TRACE_INSTANCE);
}

static void trace_write(const char *file, const char *text)
{
	int ret = dmem_write(TRACE_INSTANCE, file, text, strlen(text));

	if (ret)
		case_fail(TRACE_INSTANCE "/%s: %s: %s", file, text,
			  strerror(-ret));
}

/*
 * A buffer of our own, which disturbs nobody who traces, for events of this
 * process. Where tracefs isn't mounted it is, in a mount namespace of the case.
 */
static void open_trace(void)
{
	char filter[64];

	if (access(TRACING "/events", F_OK)) {
		if (unshare(CLONE_NEWNS))
			case_skip(&sb, "no mount namespace: %s", strerror(errno));
		if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
		    errno != EINVAL)
			case_skip(&sb, "mounts can't be private: %s",
				  strerror(errno));
		if (mount("tracefs", TRACING, "tracefs", 0, NULL))
			case_skip(&sb, "tracefs can't be mounted: %s",
				  strerror(errno));
	}
	if (access(TRACING "/events", F_OK))
		case_skip(&sb, "no trace events in this kernel");
	if (access(TRACING "/events/dmem", F_OK))
		case_fail("no events/dmem in tracefs: %s", strerror(errno));

	/* One that a killed run has left */
	remove_instance();
	if (mkdir(TRACE_INSTANCE, 0700))
		case_fail("mkdir " TRACE_INSTANCE ": %s", strerror(errno));
	atexit(remove_instance);

	/* A process that changes the CPU stays in order */
	trace_write("trace_clock", "global");
	snprintf(filter, sizeof(filter), "common_pid == %d", getpid());
	trace_write("events/dmem/filter", filter);
}

struct traced {
	const char *event;
	__u64 cgroup_id;
	__u64 bytes;
};

/* These events were recorded, in this order, and no others */
static void expect_trace(const struct cma_heap *heap,
			 const struct traced *want, size_t count)
{
	char *all = dmem_read_file(TRACE_INSTANCE, "trace");
	char expected[CMA_HEAP_NAME_SIZE + 128];
	char *line, *rest = all;
	size_t seen = 0;

	if (!all)
		case_fail(TRACE_INSTANCE "/trace: %s", strerror(errno));
	while ((line = strsep(&rest, "\n"))) {
		if (!*line || *line == '#')
			continue;
		if (seen == count)
			case_fail("expected %zu events, seen another: %s",
				  count, line);
		snprintf(expected, sizeof(expected),
			 ": %s: region=%s cgroup_id=%llu bytes=%llu",
			 want[seen].event, heap->region,
			 (unsigned long long)want[seen].cgroup_id,
			 (unsigned long long)want[seen].bytes);
		if (strlen(line) < strlen(expected) ||
		    strcmp(line + strlen(line) - strlen(expected), expected))
			case_fail("expected '...%s', seen '%s'", expected, line);
		seen++;
	}
	if (seen != count)
		case_fail("expected %s as event %zu of %zu, seen no more",
			  want[seen].event, seen + 1, count);
	free(all);
}

/*
 * a		max 4 pages
 * a/b		allocates, releases, is refused by a's limit; is removed with a
 *		buffer, which is released later
 * a/c		allocates and is refused when tracing is off
 *
 * Events tell the region, the cgroup that is charged or whose limit it was,
 * and the bytes, which are whole pages. Off is off.
 */
static void test_trace(const struct cma_heap *heap)
{
	__u64 id_a, id_b;
	char *a, *b, *c;
	int fd;

	open_trace();
	a = create(sb.top, "a");
	control(a, "+dmem");
	b = create(a, "b");
	c = create(a, "c");
	set_max(a, heap, 4 * page);
	id_a = cgroup_id(a);
	id_b = cgroup_id(b);

	close(alloc_in(b, heap, page));
	expect_trace(heap, NULL, 0);

	trace_write("events/dmem/enable", "1");
	fd = alloc_in(b, heap, 2 * page - 1);
	refused_in(b, heap, 3 * page - 5, ENOSPC);
	refused_in(b, heap, heap->size + page, ENOMEM);
	close(fd);
	fd = alloc_in(b, heap, page);
	remove_cgroup(b);
	close(fd);
	trace_write("events/dmem/enable", "0");

	fd = alloc_in(c, heap, page);
	refused_in(c, heap, 4 * page, ENOSPC);
	close(fd);
	expect_trace(heap, (const struct traced[]){
		{ "dmem_charge",	id_b,	2 * page },
		{ "dmem_limit_hit",	id_a,	3 * page },
		{ "dmem_uncharge",	id_b,	2 * page },
		{ "dmem_charge",	id_b,	page },
		{ "dmem_uncharge",	id_b,	page },
	}, 5);
}

/* What can be written */

/*
 * Templates of writes: @ stands for the region. Returns what must be freed.
 */
static char *expand(const char *template, const struct cma_heap *heap)
{
	size_t len = 1;
	const char *from;
	char *text, *to;

	for (from = template; *from; from++)
		len += *from == '@' ? strlen(heap->region) : 1;
	text = malloc(len);
	if (!text)
		case_fail("out of memory");
	for (from = template, to = text; *from; from++) {
		if (*from == '@')
			to = stpcpy(to, heap->region);
		else
			*to++ = *from;
	}
	*to = '\0';
	return text;
}

/* Printable, for messages */
static const char *quote(const char *text)
{
	static char out[512];
	size_t len = 0;

	for (; *text && len < sizeof(out) - 3; text++) {
		if (*text == '\n' || *text == '\t') {
			out[len++] = '\\';
			out[len++] = *text == '\n' ? 'n' : 't';
		} else {
			out[len++] = *text;
		}
	}
	out[len] = '\0';
	return out;
}

static void test_good_writes(const struct cma_heap *heap)
{
	static const struct {
		const char *text;
		const char *shown;
	} rows[] = {
		{ "@ 4096",			"4096" },
		{ "@ 4096\n",			"4096" },
		{ "@ 0",			"0" },
		{ "@ 1",			"1" },
		{ "@ 12345",			"12345" },
		{ "@ 00",			"0" },
		{ "@ 0x1000",			"4096" },
		{ "@ 0xAbC",			"2748" },
		{ "@ 010000",			"4096" },
		{ "@ 4k",			"4096" },
		{ "@ 4K",			"4096" },
		{ "@ 0x4K",			"4096" },
		{ "@ 04K",			"4096" },
		{ "@ 010K",			"8192" },
		{ "@ 3m",			"3145728" },
		{ "@ 3M",			"3145728" },
		{ "@ 5g",			"5368709120" },
		{ "@ 5G",			"5368709120" },
		{ "@ 4G",			"4294967296" },
		{ "@ 7t",			"7696581394432" },
		{ "@ 7T",			"7696581394432" },
		{ "@ 2p",			"2251799813685248" },
		{ "@ 2P",			"2251799813685248" },
		{ "@ 15e",			"17293822569102704640" },
		{ "@ 15E",			"17293822569102704640" },
		/* A hexadecimal digit before it can be a suffix */
		{ "@ 0x1E",			"30" },
		{ "@ 4294967296",		"4294967296" },
		{ "@ 9223372036854775807",	"9223372036854775807" },
		{ "@ 9223372036854775808",	"9223372036854775808" },
		{ "@ 18446744073709551614",	"18446744073709551614" },
		{ "@ 0xfffffffffffffffe",	"18446744073709551614" },
		{ "@ 18014398509481983K",	"18446744073709550592" },
		/* No limit and the largest one are the same number */
		{ "@ 18446744073709551615",	"max" },
		{ "@ 0xffffffffffffffff",	"max" },
		{ "@ max",			"max" },
		{ "@ max\n",			"max" },
		/* Blanks */
		{ "@\t4097",			"4097" },
		{ "@    4098",			"4098" },
		{ "@ \t \t4099",		"4099" },
		{ "  @ 4100",			"4100" },
		{ "\t@ 4101\t",			"4101" },
		{ "@ 4102  \t\n",		"4102" },
		{ "\n@ 4103",			"4103" },
		{ "\n\n \t\n@ 4104\n\t\n\n",	"4104" },
		{ " \t@\t 4K \t\n",		"4096" },
	};
	char *a = create(sb.top, "a");
	size_t i, j, len;
	char *text;
	int ret;

	for (i = 0; i < ARRAY_SIZE(limit_files); i++) {
		for (j = 0; j < ARRAY_SIZE(rows); j++) {
			text = expand(rows[j].text, heap);
			/* From another value, so that this one must change it */
			set_text(a, limit_files[i], heap, "777");
			ret = dmem_write(a, limit_files[i], text, strlen(text));
			if (ret)
				case_fail("%s: '%s': expected success, seen %s",
					  limit_files[i], quote(text),
					  strerror(-ret));
			expect_text(a, limit_files[i], heap, rows[j].shown);
			free(text);
		}

		/* The longest write: a line, and blanks up to 64 KiB */
		text = malloc(WRITE_MAX);
		if (!text)
			case_fail("out of memory");
		len = snprintf(text, WRITE_MAX, "%s 4105\n", heap->region);
		memset(text + len, ' ', WRITE_MAX - len);
		ret = dmem_write(a, limit_files[i], text, WRITE_MAX);
		if (ret)
			case_fail("%s: %d bytes: %s", limit_files[i], WRITE_MAX,
				  strerror(-ret));
		expect_text(a, limit_files[i], heap, "4105");
		free(text);

		/* Nothing to write is nothing done */
		ret = dmem_write(a, limit_files[i], "", 0);
		expect_value("a write of 0 bytes", -ret, 0);
		expect_text(a, limit_files[i], heap, "4105");
	}
}

/* All regions in one write, in any order, with empty lines between */
static void test_many_lines(const struct cma_heap *unused __maybe_unused)
{
	char text[CMA_HEAP_MAX_HEAPS * (CMA_HEAP_NAME_SIZE + 32)];
	const struct cma_heap *heap;
	char *a = create(sb.top, "a");
	unsigned int i, j;
	size_t len = 0;
	int ret;

	for (i = sb.heaps.count; i-- > 0; ) {
		heap = &sb.heaps.heap[i];
		if (heap->region[0] && !heap->is_alias)
			len += snprintf(text + len, sizeof(text) - len,
					"%s\t%uK\n\n", heap->region, 4 + i);
	}
	for (j = 0; j < ARRAY_SIZE(limit_files); j++) {
		ret = dmem_write(a, limit_files[j], text, len);
		if (ret)
			case_fail("%s: '%s': expected success, seen %s",
				  limit_files[j], quote(text), strerror(-ret));
		for (i = 0; i < sb.heaps.count; i++) {
			heap = &sb.heaps.heap[i];
			if (heap->region[0] && !heap->is_alias)
				expect_dmem(a, limit_files[j], heap,
					    (4 + i) * 1024);
		}
	}
}

/* The write is refused and changes nothing in any of the files */
static void expect_refused(const char *cgroup, const char *file,
			   const char *text, size_t len, int want)
{
	char *before[ARRAY_SIZE(limit_files)];
	char *after;
	size_t i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(limit_files); i++)
		before[i] = dmem_read_file(cgroup, limit_files[i]);

	ret = dmem_write(cgroup, file, text, len);
	if (ret != -want)
		case_fail("%s: '%s': expected %s, seen %s", file, quote(text),
			  strerror(want), strerror(-ret));

	for (i = 0; i < ARRAY_SIZE(limit_files); i++) {
		after = dmem_read_file(cgroup, limit_files[i]);
		if (!before[i] || !after)
			case_fail("%s can't be read", limit_files[i]);
		if (strcmp(before[i], after))
			case_fail("%s: '%s': refused, but %s has changed", file,
				  quote(text), limit_files[i]);
		free(before[i]);
		free(after);
	}
}

/* Lines that are refused, each for one reason */
static const struct bad_line {
	const char *text;
	int error;
} bad_lines[] = {
	{ "@",				EINVAL },
	{ "@ ",				EINVAL },
	{ "@\t",			EINVAL },
	{ "@4096",			EINVAL },
	{ "@ -1",			EINVAL },
	{ "@ +1",			EINVAL },
	{ "@ -",			EINVAL },
	{ "@ K",			EINVAL },
	{ "@ 1KK",			EINVAL },
	{ "@ 1Ki",			EINVAL },
	{ "@ 1KB",			EINVAL },
	{ "@ 1B",			EINVAL },
	{ "@ 4 K",			EINVAL },
	{ "@ 4096 4096",		EINVAL },
	{ "@ 4096 max",			EINVAL },
	{ "@ max 4096",			EINVAL },
	{ "@ 4096x",			EINVAL },
	{ "@ x4096",			EINVAL },
	{ "@ 4096,",			EINVAL },
	{ "@ 1.5M",			EINVAL },
	{ "@ 0x",			EINVAL },
	{ "@ 0xg",			EINVAL },
	{ "@ 08",			EINVAL },
	{ "@ 0x10x",			EINVAL },
	{ "@ MAX",			EINVAL },
	{ "@ maxx",			EINVAL },
	{ "@ ma",			EINVAL },
	{ "@ maxK",			EINVAL },
	{ "@=4096",			EINVAL },
	{ "@no-such-region 4096",	ENODEV },
	{ "no-such-region 4096",	ENODEV },
	{ "x@ 4096",			ENODEV },
	{ "cma/ 4096",			ENODEV },
	{ "@ 18446744073709551616",	ERANGE },
	{ "@ 0x10000000000000000",	ERANGE },
	{ "@ 02000000000000000000000",	ERANGE },
	{ "@ 99999999999999999999999",	ERANGE },
	{ "@ 16E",			ERANGE },
	{ "@ 16384P",			ERANGE },
	{ "@ 17179869184G",		ERANGE },
	{ "@ 18014398509481984K",	ERANGE },
	{ "@ 18446744073709551615K",	ERANGE },
};

static void test_bad_writes(const struct cma_heap *heap)
{
	static const struct bad_line whole[] = {
		{ "\n",				EINVAL },
		{ " ",				EINVAL },
		{ "\n \t\n\n\t \t",	EINVAL },
		{ "@ 4096\n@ 4096",		EEXIST },
		{ "@ 4096\n@ 8192\n",		EEXIST },
		{ "@ max\n\n\n @ max",		EEXIST },
	};
	char *a = create(sb.top, "a");
	char line[CMA_HEAP_NAME_SIZE + 64];
	__u64 size;
	size_t i, j;
	char *text;

	for (i = 0; i < ARRAY_SIZE(limit_files); i++) {
		set_text(a, limit_files[i], heap, "777");
		for (j = 0; j < ARRAY_SIZE(bad_lines); j++) {
			text = expand(bad_lines[j].text, heap);
			expect_refused(a, limit_files[i], text, strlen(text),
				       bad_lines[j].error);
			free(text);
		}
		for (j = 0; j < ARRAY_SIZE(whole); j++) {
			text = expand(whole[j].text, heap);
			expect_refused(a, limit_files[i], text, strlen(text),
				       whole[j].error);
			free(text);
		}

		/* A byte more than 64 KiB, good as it may be */
		text = malloc(WRITE_MAX + 2);
		if (!text)
			case_fail("out of memory");
		memset(text, '\n', WRITE_MAX + 1);
		text[WRITE_MAX + 1] = '\0';
		memcpy(text, heap->region, strlen(heap->region));
		memcpy(text + strlen(heap->region), " 4096", 5);
		expect_refused(a, limit_files[i], text, WRITE_MAX + 1, E2BIG);
		free(text);
		expect_text(a, limit_files[i], heap, "777");
	}

	/* A part of the name is another name */
	text = strdup(heap->region);
	if (!text)
		case_fail("out of memory");
	text[strlen(text) - 1] = '\0';
	if (dmem_read(sb.root, "dmem.capacity", text, &size)) {
		snprintf(line, sizeof(line), "%s 4096\n", text);
		expect_refused(a, "dmem.max", line, strlen(line), ENODEV);
	}
	free(text);
}

/*
 * A good line next to a bad one is not applied, in whatever order. Two lines
 * for one region are refused as such, so the bad line is the other region's
 * where it needs a region that exists.
 */
static void test_all_or_nothing(const struct cma_heap *heap)
{
	const struct cma_heap *other = other_region(heap);
	char text[3 * CMA_HEAP_NAME_SIZE + 128];
	char *a = create(sb.top, "a");
	char *bad;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(limit_files); i++) {
		set_text(a, limit_files[i], heap, "777");
		for (j = 0; j < ARRAY_SIZE(bad_lines); j++) {
			if (!other && bad_lines[j].error != ENODEV)
				continue;
			bad = expand(bad_lines[j].text, other ?: heap);
			snprintf(text, sizeof(text), "%s 4096\n%s\n",
				 heap->region, bad);
			expect_refused(a, limit_files[i], text, strlen(text),
				       bad_lines[j].error);
			snprintf(text, sizeof(text), "%s\n%s 4096\n", bad,
				 heap->region);
			expect_refused(a, limit_files[i], text, strlen(text),
				       bad_lines[j].error);
			free(bad);
		}
		if (other) {
			snprintf(text, sizeof(text), "%s 1\n%s 2\n%s 3\n",
				 heap->region, other->region, heap->region);
			expect_refused(a, limit_files[i], text, strlen(text),
				       EEXIST);
		}
		expect_text(a, limit_files[i], heap, "777");
	}
}

/* Killed processes */

struct killed {
	const struct cma_heap *heap;
	__u32 seed;
};

/* The exit status is the errno that should not have been */
static int allocate_until_killed(const char *cgroup __maybe_unused, void *arg)
{
	struct killed *job = arg;
	__u32 state = job->seed;
	int held[3] = { -1, -1, -1 };
	__u64 bytes;
	int fd;

	for (;;) {
		/* Mostly small, at times up to a quarter of the region */
		bytes = random_next(&state) % 8 ?
			random_next(&state) % (64 * page) + 1 :
			random_next(&state) % (job->heap->size / 4) + 1;
		fd = cma_heap_alloc(job->heap, bytes);
		if (fd < 0 && fd != -ENOSPC && fd != -ENOMEM)
			return -fd;
		if (fd < 0)
			continue;
		bytes = random_next(&state) % ARRAY_SIZE(held);
		if (held[bytes] >= 0)
			close(held[bytes]);
		held[bytes] = fd;
	}
}

/*
 * Processes that allocate all the time are killed wherever they happen to be.
 * Nothing may stay charged, and no memory may be lost. The sequence is that of
 * the seed; DMEM_TEST_SEED in the environment repeats one.
 */
static void test_killed(const struct cma_heap *heap)
{
	enum { ALIVE = 5, KILLED = 50, CHUNKS = 16, MAX_CHUNKS = 32 };
	__u32 state = repeatable_seed();
	bool whole = cma_heap_is_free(&sb, heap);
	__u64 chunk = page_round(heap->size / CHUNKS);
	char *a = create(sb.top, "a");
	struct killed job = { .heap = heap };
	unsigned int count, i, victim;
	pid_t alive[ALIVE] = { 0 };
	int fds[MAX_CHUNKS], fd;

	ksft_print_msg("%s: DMEM_TEST_SEED=%u\n", heap->name, state);

	count = cma_heap_fill(heap, chunk, fds, MAX_CHUNKS, 0);
	cma_heap_drain(fds, count);

	set_max(a, heap, heap->size / 2);
	for (i = 0; i < KILLED; i++) {
		victim = random_next(&state) % ALIVE;
		if (alive[victim])
			stop(alive[victim]);
		job.seed = random_next(&state);
		alive[victim] = spawn(a, allocate_until_killed, &job);
		usleep(random_next(&state) % 8000);
	}
	for (i = 0; i < ALIVE; i++)
		if (alive[i])
			stop(alive[i]);

	expect_current_soon(a, heap, 0);
	expect_current_soon(sb.top, heap, 0);

	i = cma_heap_fill(heap, chunk, fds, MAX_CHUNKS, count);
	cma_heap_drain(fds, i);
	if (i < count)
		case_fail("%s: room for %u chunks of %llu bytes before, for %u after",
			  heap->name, count, (unsigned long long)chunk, i);
	if (!whole)
		return;
	fd = cma_heap_alloc_whole(heap);
	if (fd < 0)
		case_fail("%s: all of it, after: %s", heap->name, strerror(-fd));
	close(fd);
}

/* Cgroup v1 */

#define V1_SECONDS	20

static bool cgroup_v1_disabled(void)
{
	char line[4096];

	return read_text("/proc/cmdline", line, sizeof(line)) > 0 &&
	       strstr(line, "cgroup_no_v1=");
}

/* Somebody has cgroups that would lose the controller, and their limits */
static bool others_use_v2(void)
{
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	if (!sb.was_enabled)
		return false;
	dir = opendir(sb.root);
	while (dir && !found) {
		entry = readdir(dir);
		if (!entry)
			break;
		found = entry->d_type == DT_DIR && entry->d_name[0] != '.';
	}
	if (dir)
		closedir(dir);
	return found;
}

static void mount_v1(void)
{
	__u64 end = deadline();
	int ret;

	/* Removed cgroups hold the controller in v2 until they are freed */
	do {
		ret = mount("cgroup", sb.root, "cgroup", 0, "dmem");
	} while (ret && errno == EBUSY && sleep_until(end));
	if (ret && errno == EBUSY)
		case_skip(&sb, "the controller is in use in cgroup v2");
	if (ret && errno == ENODEV)
		case_skip(&sb, "there is no cgroup v1 in this kernel");
	if (ret)
		case_fail("mount -t cgroup -o dmem: %s", strerror(errno));
}

/* How many cgroups the hierarchy of the controller has, with its root */
static int count_v1_cgroups(void)
{
	char *text = dmem_read_file("/proc", "cgroups");
	char *line = text ? strstr(text, "\ndmem\t") : NULL;
	int count = -1;

	if (line && sscanf(line, " dmem %*d %d", &count) != 1)
		count = -1;
	free(text);
	return count;
}

/*
 * The hierarchy ends, and v2 gets the controller back, only if it is without
 * cgroups when it is unmounted: wait for those to be freed.
 */
static void unmount_v1(const char *a, const char *b)
{
	__u64 end = deadline();

	rmdir(b);
	rmdir(a);
	while (count_v1_cgroups() != 1 && sleep_until(end))
		;
	if (umount(sb.root))
		case_fail("umount: %s", strerror(errno));
}

static void check_v1(const char *a, const char *b, const struct cma_heap *heap)
{
	__u64 size;
	int fd;

	if (dmem_read(sb.root, "dmem.capacity", heap->region, &size))
		case_fail("no %s in dmem.capacity of v1", heap->region);
	expect_value("capacity in v1", size, heap->size);
	expect_no_file(sb.root, "dmem.max");

	if (cg_create(a) || cg_create(b))
		case_fail("creating v1 cgroups: %s", strerror(errno));
	expect_fresh(a, heap);
	set_max(a, heap, 3 * page);
	fd = alloc_in(b, heap, 2 * page);
	expect_current(b, heap, 2 * page);
	expect_current(a, heap, 2 * page);
	refused_in(b, heap, 2 * page, ENOSPC);
	refused_in(a, heap, 2 * page, ENOSPC);
	expect_current(a, heap, 2 * page);
	expect_events(a, heap, 2, 2);
	expect_events(b, heap, 0, 0);
	close(fd);
	expect_current(a, heap, 0);
	expect_dmem(a, "dmem.peak", heap, 2 * page);
}

/*
 * The controller works in a v1 hierarchy too. That is mounted over the v2 one
 * in a mount namespace of the case's own; until it is gone there is no dmem in
 * v2, for anyone. The checks run in a child, so that the hierarchy is removed
 * whatever becomes of them.
 */
static void test_cgroup_v1(const struct cma_heap *heap)
{
	char *a = cg_name(sb.root, "dmem_test_v1");
	char *b = cg_name(a, "b");
	int status;
	pid_t pid;

	if (cgroup_v1_disabled())
		case_skip(&sb, "cgroup_no_v1= is on the command line");
	if (unshare(CLONE_NEWNS))
		case_skip(&sb, "no mount namespace: %s", strerror(errno));
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) && errno != EINVAL)
		case_skip(&sb, "mounts can't be private: %s", strerror(errno));
	if (rmdir(sb.top))
		case_fail("removing %s: %s", sb.top, strerror(errno));
	if (others_use_v2() ||
	    cg_write(sb.root, "cgroup.subtree_control", "-dmem"))
		case_skip(&sb, "other cgroups have the controller in v2");
	mount_v1();

	pid = fork();
	if (!pid) {
		alarm(V1_SECONDS);
		check_v1(a, b, heap);
		exit(KSFT_PASS);
	}
	if (pid > 0 && waitpid(pid, &status, 0) != pid)
		pid = -1;
	unmount_v1(a, b);
	if (pid < 0)
		case_fail("no child: %s", strerror(errno));
	if (status)
		case_fail("the checks of v1 failed, status 0x%x", status);
}

enum each {
	ONCE,		/* all regions in one */
	REGION,		/* the heaps of a region make no difference */
	HEAP,
};

static const struct {
	void (*fn)(const struct cma_heap *heap);
	const char *name;
	enum each each;
} cases[] = {
	{ test_files,			"files",		ONCE },
	{ test_lines,			"lines",		ONCE },
	{ test_capacity,		"capacity",		HEAP },
	{ test_charge_rounding,		"charge_rounding",	HEAP },
	{ test_hierarchy,		"hierarchy",		HEAP },
	{ test_root,			"root",			HEAP },
	{ test_limit_exact,		"limit_exact",		HEAP },
	{ test_limit_of_ancestor,	"limit_of_ancestor",	HEAP },
	{ test_two_cgroups,		"two_cgroups",		HEAP },
	{ test_two_regions,		"two_regions",		HEAP },
	{ test_limit_below_usage,	"limit_below_usage",	HEAP },
	{ test_limit_race,		"limit_race",		HEAP },
	{ test_exact_fit,		"exact_fit",		HEAP },
	{ test_peak,			"peak",			HEAP },
	{ test_peak_reset,		"peak_reset",		REGION },
	{ test_peak_orders,		"peak_orders",		REGION },
	{ test_peak_regions,		"peak_regions",		REGION },
	{ test_peak_removed,		"peak_removed",		REGION },
	{ test_events,			"events",		REGION },
	{ test_events_removed,		"events_removed",	REGION },
	{ test_events_wake,		"events_wake",		REGION },
	{ test_events_burst,		"events_burst",		REGION },
	{ test_events_leave,		"events_leave",		REGION },
	{ test_trace,			"trace",		REGION },
	{ test_fork,			"fork",			HEAP },
	{ test_migration,		"migration",		HEAP },
	{ test_fd_passing,		"fd_passing",		HEAP },
	{ test_fd_in_flight,		"fd_in_flight",		HEAP },
	{ test_mmap,			"mmap",			HEAP },
	{ test_removed,			"removed",		HEAP },
	{ test_recreated,		"recreated",		HEAP },
	{ test_controller_off_on,	"controller_off_on",	HEAP },
	{ test_no_controller,		"no_controller",	HEAP },
	{ test_protection,		"protection",		REGION },
	{ test_good_writes,		"good_writes",		REGION },
	{ test_bad_writes,		"bad_writes",		REGION },
	{ test_all_or_nothing,		"all_or_nothing",	REGION },
	{ test_many_lines,		"many_lines",		ONCE },
	{ test_killed,			"killed",		HEAP },
	/* Last: it takes the controller away from v2 for a while */
	{ test_cgroup_v1,		"cgroup_v1",		ONCE },
};

/* The next heap a case runs with, from @index on; -1 if there is none */
static int next_heap(enum each each, unsigned int index)
{
	for (; index < sb.heaps.count; index++) {
		if (!sb.heaps.heap[index].region[0])
			continue;
		if (each == REGION && sb.heaps.heap[index].is_alias)
			continue;
		return index;
	}
	return -1;
}

static unsigned int count_runs(void)
{
	unsigned int runs = 0;
	size_t i;
	int at;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		if (cases[i].each == ONCE) {
			runs++;
			continue;
		}
		for (at = next_heap(cases[i].each, 0); at >= 0;
		     at = next_heap(cases[i].each, at + 1))
			runs++;
	}
	return runs;
}

static void report(int result, const char *name)
{
	if (result == KSFT_SKIP)
		ksft_test_result_code(KSFT_SKIP, name, "%s", sb.reason);
	else
		ksft_test_result_code(result, name, NULL);
}

int main(void)
{
	char name[CMA_HEAP_NAME_SIZE + 64];
	int at, result, ret;
	size_t i;

	ksft_print_header();
	if (geteuid())
		ksft_exit_skip("needs root\n");
	page = page_size();
	ret = sandbox_open(&sb, "dmem_test");
	if (ret)
		ksft_exit_fail_msg("no sandbox: %s\n", strerror(-ret));
	if (!sb.accounting)
		ksft_exit_skip("%s\n", sb.why);
	if (next_heap(HEAP, 0) < 0) {
		sandbox_close(&sb);
		ksft_exit_skip("no heap in %s charges a CMA region\n",
			       CMA_HEAP_DIR);
	}

	ksft_set_plan(count_runs());
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		for (at = next_heap(cases[i].each, 0); at >= 0;
		     at = next_heap(cases[i].each, at + 1)) {
			result = sandbox_run(&sb, cases[i].fn,
					     &sb.heaps.heap[at], CASE_SECONDS);
			if (cases[i].each == ONCE) {
				report(result, cases[i].name);
				break;
			}
			snprintf(name, sizeof(name), "%s:%s", cases[i].name,
				 sb.heaps.heap[at].name);
			report(result, name);
		}
	}

	sandbox_close(&sb);
	ksft_finished();
}
