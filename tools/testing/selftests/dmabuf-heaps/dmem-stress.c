// SPDX-License-Identifier: GPL-2.0
/*
 * Buffers of all CMA heaps under load: nothing is lost, at any time.
 *
 * Workers do random things to buffers and to the cgroups that are charged for
 * them: allocate, write and check contents, map, dup, pass through sockets,
 * fork, exec, kill -9, move, make and remove cgroups, set limits, freeze, thaw.
 * The cgroups are three levels deep:
 *
 *	top/m<i>/l<j>	leaves come and go
 *	top/b<n>/x	a worker's own, made and removed around an allocation
 *	top/safe	never frozen, never removed
 *
 * Three things are compared with what the controller says:
 *
 * - at any moment: a process takes snapshots of all pools of each region, under
 *   its lock, in which the sums must be right;
 * - at quiescent points: all workers wait, and each buffer that anybody has an
 *   open file or a mapping of, or that is in a socket, is counted once.
 *   dmem.current, what is charged in each cgroup, removed or not, and what the
 *   area has given away must be that, to the byte;
 * - in the end: nothing is charged, no page of the areas is missing, no pool and
 *   no cgroup is left.
 *
 * And each buffer says who is charged for it: always the cgroup that its process
 * was in when it allocated.  A new buffer is zeroed, one that is touched, by
 * whomever, has what was written when it was new.
 *
 * A seed repeats what each worker does, but not the order between workers, nor
 * where those die that are killed. See lib/repeatable.h for DMEM_TEST_SEED and
 * DMEM_TEST_OPS; --seed and --ops win.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "kselftest.h"
#include "lib/cma_heap_cases.h"
#include "lib/cma_heap_util.h"
#include "lib/dmem_pools.h"
#include "lib/fd_passing.h"
#include "lib/repeatable.h"
#include "lib/shared_number.h"

#define OPS		10000
#define WORKERS		4
#define MAX_WORKERS	32
#define MIN_ROUNDS	10
#define OPS_OF_ROUND	10000
#define REPLAY_PERCENT	10
/* As many have shown that a seed repeats them */
#define REPLAY_MAX	10000
/* Between two looks at all pools */
#define SNAPSHOT_US	10000

/* For a load with the usual number of operations on a slow machine */
#define CASE_SECONDS	300
#define OPS_PER_SECOND	20

#define MIDS		3
#define LEAVES		3
#define HELD		8
#define MAPPED		4
/* How many of its random things somebody does who is to be killed meanwhile */
#define VICTIM_OPS	64
#define IN_FLIGHT	512
#define MAX_PAGES	1024
#define MAX_SEEN	(IN_FLIGHT + MAX_WORKERS * 2 * (HELD + MAPPED))
#define KIB		1024ULL

/* In the order of the table of actions */
enum operation {
	ALLOCATE, CLOSE, TOUCH, MAP, UNMAP, DUP, GIVE, TAKE, MOVE, FORK, EXEC,
	HOLD, MIGRATE, KILL, MAKE, REMOVE, BRANCH, LIMIT, FREEZE, NR_OPERATIONS
};

/* What may be said to an operation that is not to be had just now */
static const struct {
	int error;
	const char *name;
} errors[] = {
	{ ENOSPC, "ENOSPC" },
	{ ENOMEM, "ENOMEM" },
	{ EAGAIN, "EAGAIN" },
	{ ETOOMANYREFS, "ETOOMANYREFS" },
	{ EBUSY, "EBUSY" },
	{ EEXIST, "EEXIST" },
	{ ENOENT, "ENOENT" },
	{ ENODEV, "ENODEV" },
};

/**
 * struct buffer - one that was allocated
 * @cgroup:	id of the one that is charged
 * @bytes:	size, 0 if nobody has said that it is there
 * @heap:	which one's
 * @census:	the last one that has seen it
 */
struct buffer {
	__u64 cgroup;
	__u32 bytes;
	__u32 heap;
	__u32 census;
};

/**
 * struct shared - what all processes of a load have in common
 * @go:		all are there: begin
 * @stop:	it is over, for who takes snapshots
 * @round:	counts the quiescent points
 * @waiting:	how many workers have come to one
 * @snapshots:	how often all pools were found right
 * @branches:	names of cgroups used up
 * @by_victims:	operations of processes that were killed
 * @granted:	allocations
 * @done:	operations
 * @refused:	allocations, by the error
 * @late:	other operations that came too late or too early, by the error
 * @drawn:	what each worker was told to do, as one number
 */
struct shared {
	__u32 go;
	__u32 stop;
	__u32 round;
	__u32 waiting;
	__u32 snapshots;
	__u32 branches;
	__u32 by_victims;
	__u32 granted;
	__u32 done[NR_OPERATIONS];
	__u32 refused[ARRAY_SIZE(errors)];
	__u32 late[ARRAY_SIZE(errors)];
	__u32 drawn[MAX_WORKERS];
};

/**
 * struct worker - a process that makes load
 * @index:	which one
 * @random:	state of its random numbers
 * @at:		the cgroup that it is in
 * @at_id:	its id, which is charged for what is allocated
 * @held:	buffers, or -1
 * @mapped:	mappings of whole buffers, or NULL
 * @holder:	a child with a copy of all of that, or 0
 * @victim:	it is going to be killed
 */
struct worker {
	unsigned int index;
	__u32 random;
	char at[PATH_MAX + 128];
	__u64 at_id;
	int held[HELD];
	struct mapping {
		char *start;
		__u32 bytes;
		__u32 number;
	} mapped[MAPPED];
	pid_t holder;
	bool victim;
};

/* What an operation does in detail; always drawn, whether it is needed or not */
struct draw {
	__u32 a, b, c;
};

/**
 * struct heap_state - what a heap looks like to the load
 * @heap:	the heap
 * @available:	bytes that its area had in the beginning
 * @pools:	how many pools its region had then
 * @live:	bytes of the buffers that the last census has seen
 */
struct heap_state {
	const struct cma_heap *heap;
	__u64 available;
	unsigned int pools;
	__u64 live;
};

static struct dmem_sandbox sb;
static struct shared *sh;
static __u64 page;
static __u32 seed, total_ops;
static unsigned int nr_workers = WORKERS;
static struct heap_state heaps[CMA_HEAP_MAX_HEAPS];
static unsigned int nr_heaps;

/*
 * By the inode's number less the first one's: numbers count up by one for each
 * buffer of the machine.
 */
static struct buffer *buffers;
static size_t buffers_size;
static __u64 first_ino;
static dev_t buffers_dev;

/* Buffers that no process has at the moment */
static int mailbox[2];

/* The tree */

#define path(...) sandbox_path(&sb, __VA_ARGS__)

static const char *leaf_path(__u32 number)
{
	number %= MIDS * LEAVES;
	return path("/m%u/l%u", number / LEAVES, number % LEAVES);
}

static const char *group_path(__u32 number)
{
	number %= MIDS * LEAVES + MIDS;
	if (number < MIDS)
		return path("/m%u", number);
	return leaf_path(number - MIDS);
}

/* Results */

static void enable(const char *cgroup)
{
	expect_done("+dmem",
		    dmem_write_text(cgroup, "cgroup.subtree_control", "+dmem"));
}

/* Counts one of these errors, or none; true if there was none */
static bool tried_at(const char *func, int line, const char *what, int ret,
		     __u32 *counts, const int *allowed)
{
	size_t i;

	if (!ret)
		return true;
	while (*allowed && ret != -*allowed)
		allowed++;
	if (!*allowed)
		case_fail_at(func, line, "%s: unexpected: %s", what,
			     strerror(-ret));
	for (i = 0; errors[i].error != -ret; i++)
		;
	count(counts[i]);
	return false;
}

#define tried(what, ret, counts, ...) \
	tried_at(__func__, __LINE__, what, ret, counts, \
		 (const int[]){ __VA_ARGS__, 0 })

static void expect_child(pid_t pid, bool killed)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		case_fail("waitpid: %s", strerror(errno));
	if (killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		case_fail("a child ended with status 0x%x", status);
}

/* Buffers */

/* Which one it is, and that it has the size that it was asked for */
static __u32 number_of(int fd, __u32 *bytes)
{
	struct stat st;

	if (fstat(fd, &st))
		case_fail("fstat: %s", strerror(errno));
	if (st.st_ino < first_ino || st.st_ino - first_ino >= buffers_size)
		case_fail("buffer %llu: not of this test, or too many others meanwhile",
			  (unsigned long long)st.st_ino);
	*bytes = st.st_size;
	return st.st_ino - first_ino;
}

static void expect_zeroed(const char *map, __u64 bytes)
{
	__u64 at;

	for (at = 0; at < bytes; at += sizeof(__u64))
		if (*(const __u64 *)(map + at))
			case_fail("a new buffer has 0x%llx at %llu",
				  *(const unsigned long long *)(map + at),
				  (unsigned long long)at);
}

static void expect_charged(struct worker *w, const struct cma_heap *heap, int fd)
{
	char *region = fdinfo_value(getpid(), fd, "dmem_region");
	char *id = fdinfo_value(getpid(), fd, "dmem_cgroup_id");

	if (!region || !id)
		case_fail("%s: a buffer that does not say who is charged", w->at);
	if (strcmp(region, heap->region))
		case_fail("%s: charged is region %s", heap->name, region);
	if (strtoull(id, NULL, 10) != w->at_id)
		case_fail("%s, id %llu: charged is cgroup %s", w->at,
			  (unsigned long long)w->at_id, id);
	free(region);
	free(id);
}

static void drop(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int *slot(struct worker *w, __u32 number)
{
	return &w->held[number % HELD];
}

/* The first one from there on with a buffer, if there is any */
static int *used_slot(struct worker *w, __u32 number)
{
	unsigned int i;

	for (i = 0; i < HELD && *slot(w, number + i) < 0; i++)
		;
	return slot(w, number + i);
}

/* Mostly a few pages; sometimes so much that zeroing takes a while */
static __u32 random_size(struct draw *draw)
{
	__u32 pages = draw->c % 8 ? draw->c % 16 + 1 : draw->a % MAX_PAGES + 1;

	return pages * page - draw->b % page;
}

static void do_allocate(struct worker *w, struct draw *draw)
{
	unsigned int which = draw->a % nr_heaps;
	const struct cma_heap *heap = heaps[which].heap;
	__u32 bytes = random_size(draw), size, number;
	int *fd = slot(w, draw->b);
	char *map;
	int ret;

	drop(fd);
	ret = cma_heap_alloc(heap, bytes);
	if (!tried(heap->name, ret < 0 ? ret : 0, sh->refused, ENOSPC, ENOMEM))
		return;
	*fd = ret;
	number = number_of(*fd, &size);
	if (size != page_round(bytes))
		case_fail("%u bytes are %u", bytes, size);
	expect_charged(w, heap, *fd);
	map = map_buffer_prot(*fd, size, 0, PROT_READ | PROT_WRITE);
	expect_zeroed(map, size);
	pattern_write(map, size, 0, number);
	munmap(map, size);

	/* Nobody else has had it so far */
	buffers[number].cgroup = w->at_id;
	buffers[number].heap = which;
	store(buffers[number].bytes, size);
	count(sh->granted);
}

static void do_close(struct worker *w, struct draw *draw)
{
	drop(used_slot(w, draw->a));
}

static void touch(int fd)
{
	__u32 bytes, number = number_of(fd, &bytes);
	char *map = map_buffer_prot(fd, bytes, 0, PROT_READ | PROT_WRITE);

	pattern_check(map, bytes, 0, number);
	pattern_write(map, bytes, 0, number);
	munmap(map, bytes);
}

static void do_touch(struct worker *w, struct draw *draw)
{
	int *fd = used_slot(w, draw->a);

	if (*fd >= 0)
		touch(*fd);
}

static void unmap(struct mapping *mapping)
{
	if (!mapping->start)
		return;
	pattern_check(mapping->start, mapping->bytes, 0, mapping->number);
	munmap(mapping->start, mapping->bytes);
	mapping->start = NULL;
}

/* A mapping holds the buffer, with or without the descriptor */
static void do_map(struct worker *w, struct draw *draw)
{
	struct mapping *mapping = &w->mapped[draw->b % MAPPED];
	int *fd = used_slot(w, draw->a);

	unmap(mapping);
	if (*fd < 0)
		return;
	mapping->number = number_of(*fd, &mapping->bytes);
	mapping->start = map_buffer_prot(*fd, mapping->bytes, 0,
					 PROT_READ | PROT_WRITE);
	if (draw->c % 2)
		drop(fd);
}

static void do_unmap(struct worker *w, struct draw *draw)
{
	unmap(&w->mapped[draw->a % MAPPED]);
}

static void do_dup(struct worker *w, struct draw *draw)
{
	int *from = used_slot(w, draw->a), *to = slot(w, draw->b);

	if (from == to || *from < 0)
		return;
	drop(to);
	*to = fcntl(*from, F_DUPFD_CLOEXEC, 0);
	if (*to < 0)
		case_fail("dup: %s", strerror(errno));
}

static void do_give(struct worker *w, struct draw *draw)
{
	int *fd = used_slot(w, draw->a);

	if (*fd < 0)
		return;
	tried("sendmsg", fd_send(mailbox[0], *fd, MSG_DONTWAIT), sh->late,
	      EAGAIN, ETOOMANYREFS);
	drop(fd);
}

static void do_take(struct worker *w, struct draw *draw)
{
	int *to = slot(w, draw->a);
	int fd = fd_receive(mailbox[1], MSG_DONTWAIT);

	if (!tried("recvmsg", fd < 0 ? fd : 0, sh->late, EAGAIN))
		return;
	drop(to);
	*to = fd;
}

/* Leaves are removed while one is on the way into them */
static void enter(struct worker *w, const char *cgroup)
{
	int ret = dmem_write_text(cgroup, "cgroup.procs", "0");

	if (!tried("cgroup.procs", ret, sh->late, ENOENT, ENODEV))
		return;
	/* It stays as long as somebody is in there */
	snprintf(w->at, sizeof(w->at), "%s", cgroup);
	expect_done(cgroup, dmem_cgroup_id(cgroup, &w->at_id));
}

static void do_move(struct worker *w, struct draw *draw)
{
	enter(w, draw->b % 8 ? leaf_path(draw->a) : path("/safe"));
}

static void do_fork(struct worker *w, struct draw *draw)
{
	int *fd = used_slot(w, draw->a);
	pid_t pid = case_fork();

	if (!pid) {
		do_touch(w, draw);
		_exit(0);
	}
	/* The child may be the last one to have it */
	if (draw->b % 2)
		drop(fd);
	expect_child(pid, false);
}

/* Another program gets one buffer, and finds the others closed */
static void do_exec(struct worker *w, struct draw *draw)
{
	int *fd = used_slot(w, draw->a);
	char fd_text[16], ino_text[24];
	__u32 bytes;
	pid_t pid;

	if (*fd < 0)
		return;
	snprintf(fd_text, sizeof(fd_text), "%d", *fd);
	snprintf(ino_text, sizeof(ino_text), "%u", number_of(*fd, &bytes));
	pid = case_fork();
	if (!pid) {
		fcntl(*fd, F_SETFD, 0);
		execl("/proc/self/exe", "dmem-stress", "--inherit", fd_text,
		      ino_text, NULL);
		_exit(KSFT_FAIL);
	}
	drop(fd);
	expect_child(pid, false);
}

static int inherited(int fd, __u32 number)
{
	struct stat st, other;
	int i;

	if (fstat(fd, &st))
		case_fail("descriptor %d: %s", fd, strerror(errno));
	pattern_check(map_buffer_prot(fd, st.st_size, 0, PROT_READ),
		      st.st_size, 0, number);
	for (i = 0; i < IN_FLIGHT; i++)
		if (i != fd && !fstat(i, &other) && other.st_dev == st.st_dev)
			case_fail("buffer %d has survived exec", i);
	return KSFT_PASS;
}

static void kill_holder(struct worker *w)
{
	if (!w->holder)
		return;
	kill(w->holder, SIGKILL);
	expect_child(w->holder, true);
	w->holder = 0;
}

/* Somebody who has all that the worker had, until killed, frozen or not */
static void do_hold(struct worker *w, struct draw *draw __maybe_unused)
{
	kill_holder(w);
	if (w->victim)
		return;
	w->holder = case_fork();
	if (!w->holder)
		for (;;)
			pause();
}

static void do_migrate(struct worker *w, struct draw *draw)
{
	char pid[16];

	if (!w->holder)
		return;
	snprintf(pid, sizeof(pid), "%d", w->holder);
	tried("cgroup.procs of a child",
	      dmem_write_text(leaf_path(draw->a), "cgroup.procs", pid),
	      sh->late, ENOENT, ENODEV);
}

static void do_make(struct worker *w __maybe_unused, struct draw *draw)
{
	tried("mkdir", cgroup_make(leaf_path(draw->a)), sh->late, EEXIST,
	      ENODEV);
}

/* Its buffers live on */
static void do_remove(struct worker *w __maybe_unused, struct draw *draw)
{
	tried("rmdir", cgroup_remove(leaf_path(draw->a)), sh->late, EBUSY,
	      ENOENT, ENODEV);
}

/* The buffer is charged two levels down in what is gone at once */
static void do_branch(struct worker *w, struct draw *draw)
{
	char back[sizeof(w->at)], top[sizeof(w->at)], below[sizeof(w->at) + 2];

	if (w->victim)
		return;
	snprintf(top, sizeof(top), "%s", path("/b%u", count(sh->branches)));
	snprintf(below, sizeof(below), "%s/x", top);
	snprintf(back, sizeof(back), "%s", path("/safe"));
	expect_done(top, cgroup_make(top));
	enable(top);
	expect_done(below, cgroup_make(below));
	enter(w, below);
	do_allocate(w, draw);
	enter(w, back);
	expect_done(below, cgroup_remove(below));
	expect_done(top, cgroup_remove(top));
}

static void do_limit(struct worker *w __maybe_unused, struct draw *draw)
{
	static const char * const files[] = { "dmem.max", "dmem.min", "dmem.low" };
	const char *file = files[draw->c % ARRAY_SIZE(files)];
	const struct cma_heap *heap = heaps[draw->b % nr_heaps].heap;
	/* Near to what is charged, so that some of it is refused */
	__u64 bytes = draw->a % 3 ? draw->a % (4096 * KIB) : DMEM_MAX;

	tried(file, dmem_set_limit(group_path(draw->a), file, heap, bytes),
	      sh->late, ENOENT, ENODEV);
}

/*
 * Who freezes is where nobody freezes anything, so that there is always somebody
 * to thaw. Meanwhile an allocation, or a frozen child is killed or moved.
 */
static void do_freeze(struct worker *w, struct draw *draw)
{
	char cgroup[sizeof(w->at)];

	if (w->victim)
		return;
	enter(w, path("/safe"));
	snprintf(cgroup, sizeof(cgroup), "%s", group_path(draw->a));
	if (!tried("freeze", dmem_write_text(cgroup, "cgroup.freeze", "1"),
		   sh->late, ENOENT, ENODEV))
		return;
	switch (draw->b % 4) {
	case 0:
		do_allocate(w, draw);
		break;
	case 1:
		kill_holder(w);
		break;
	case 2:
		do_migrate(w, draw);
		break;
	default:
		usleep(draw->c % 2000);
	}
	tried("thaw", dmem_write_text(cgroup, "cgroup.freeze", "0"), sh->late,
	      ENOENT, ENODEV);
}

static void do_kill(struct worker *w, struct draw *draw);

/* How often, relative to the others */
static const struct {
	const char *name;
	void (*fn)(struct worker *w, struct draw *draw);
	unsigned int weight;
} actions[NR_OPERATIONS] = {
	[ALLOCATE]	= { "allocate", do_allocate,	30 },
	[CLOSE]		= { "close",	do_close,	12 },
	[TOUCH]		= { "touch",	do_touch,	10 },
	[MAP]		= { "map",	do_map,		6 },
	[UNMAP]		= { "unmap",	do_unmap,	5 },
	[DUP]		= { "dup",	do_dup,		4 },
	[GIVE]		= { "give",	do_give,	7 },
	[TAKE]		= { "take",	do_take,	7 },
	[MOVE]		= { "move",	do_move,	6 },
	[FORK]		= { "fork",	do_fork,	2 },
	[EXEC]		= { "exec",	do_exec,	1 },
	[HOLD]		= { "hold",	do_hold,	1 },
	[MIGRATE]	= { "migrate",	do_migrate,	2 },
	[KILL]		= { "kill",	do_kill,	2 },
	[MAKE]		= { "make",	do_make,	4 },
	[REMOVE]	= { "remove",	do_remove,	3 },
	[BRANCH]	= { "branch",	do_branch,	1 },
	[LIMIT]		= { "limit",	do_limit,	8 },
	[FREEZE]	= { "freeze",	do_freeze,	2 },
};

/* Always as many numbers, whatever comes of it: else a seed would not repeat it */
static enum operation draw_next(__u32 *random, struct draw *draw)
{
	unsigned int sum = 0, at;
	enum operation op;

	for (op = 0; op < NR_OPERATIONS; op++)
		sum += actions[op].weight;
	at = random_below(random, sum);
	draw->a = random_next(random);
	draw->b = random_next(random);
	draw->c = random_next(random);
	for (op = 0; at >= actions[op].weight; op++)
		at -= actions[op].weight;
	return op;
}

/* Killed wherever it is by then, with what it has, and what its parent has */
static void do_kill(struct worker *w, struct draw *draw)
{
	struct draw mine;
	unsigned int i;
	pid_t pid;

	if (w->victim)
		return;
	pid = case_fork();
	if (!pid) {
		w->victim = true;
		w->holder = 0;
		w->random = draw->a ?: 1;
		for (i = 0; i < VICTIM_OPS; i++) {
			actions[draw_next(&w->random, &mine)].fn(w, &mine);
			count(sh->by_victims);
		}
		for (;;)
			pause();
	}
	usleep(draw->b % 40000);
	kill(pid, SIGKILL);
	expect_child(pid, true);
}

/* How often all wait to be counted */
static __u32 nr_rounds(void)
{
	__u32 rounds = total_ops / OPS_OF_ROUND;

	return rounds < MIN_ROUNDS ? MIN_ROUNDS : rounds;
}

static void work(struct worker *w)
{
	__u32 *drawn = &sh->drawn[w->index], rounds = nr_rounds(), round, i = 0;
	__u64 ops = total_ops / nr_workers;
	enum operation op;
	struct draw draw;

	ops += w->index < total_ops % nr_workers;
	for (round = 0; round < rounds; round++) {
		for (; i < ops * (round + 1) / rounds; i++) {
			op = draw_next(&w->random, &draw);
			*drawn = (*drawn ^ op ^ draw.a ^ draw.b ^ draw.c) * 0x01000193;
			actions[op].fn(w, &draw);
			count(sh->done[op]);
		}
		count(sh->waiting);
		while (load(sh->round) == round)
			usleep(200);
	}
	kill_holder(w);
	/* What is held is given back by exiting */
}

static pid_t start_worker(unsigned int index, __u32 *random)
{
	struct worker w = { .index = index, .random = random_fork(random) };
	pid_t pid = case_fork();

	if (pid)
		return pid;
	memset(w.held, -1, sizeof(w.held));
	enter(&w, path("/safe"));
	while (!load(sh->go))
		usleep(100);
	work(&w);
	exit(KSFT_PASS);
}

/* At any moment */

static pid_t start_checker(void)
{
	unsigned int i;
	bool last;
	pid_t pid = case_fork();

	if (pid)
		return pid;
	do {
		last = load(sh->stop);
		for (i = 0; i < nr_heaps; i++)
			dmem_pools_check(heaps[i].heap->region, false, NULL);
		count(sh->snapshots);
		/* It would be a fifth of the load else, and the rest is slower */
		usleep(SNAPSHOT_US);
	} while (!last);
	exit(KSFT_PASS);
}

/* At quiescent points */

static __u32 census;
static struct buffer *seen[MAX_SEEN];
static unsigned int nr_seen;

static void census_file(const char *dir, const char *name)
{
	char file[PATH_MAX + 64];
	struct buffer *buffer;
	struct stat st;

	snprintf(file, sizeof(file), "%s/%s", dir, name);
	if (stat(file, &st) || st.st_dev != buffers_dev)
		return;
	if (st.st_ino < first_ino || st.st_ino - first_ino >= buffers_size)
		case_fail("%s: not a buffer of this test", file);
	buffer = &buffers[st.st_ino - first_ino];
	if (load(buffer->bytes) != st.st_size)
		case_fail("%s: %llu bytes, allocated were %u", file,
			  (unsigned long long)st.st_size, buffer->bytes);
	if (buffer->census == census)
		return;
	buffer->census = census;
	heaps[buffer->heap].live += buffer->bytes;
	if (nr_seen == MAX_SEEN)
		case_fail("more than %u buffers", nr_seen);
	seen[nr_seen++] = buffer;
}

/* Whatever it has an open file or a mapping of */
static void census_process(long pid)
{
	static const char * const kinds[] = { "fd", "map_files" };
	char dir_path[64];
	struct dirent *entry;
	unsigned int i;
	DIR *dir;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		snprintf(dir_path, sizeof(dir_path), "/proc/%ld/%s", pid, kinds[i]);
		dir = opendir(dir_path);
		/* Somebody who was killed a moment ago: it has nothing any more */
		if (!dir)
			continue;
		while ((entry = readdir(dir)))
			if (entry->d_name[0] != '.')
				census_file(dir_path, entry->d_name);
		closedir(dir);
	}
}

static int census_cgroup(const char *file, const struct stat *st __maybe_unused,
			 int type, struct FTW *ftw __maybe_unused)
{
	char *text, *next, *end;
	long pid;

	if (type != FTW_D)
		return 0;
	text = dmem_read_file(file, "cgroup.procs");
	if (!text)
		case_fail("%s/cgroup.procs: %s", file, strerror(errno));
	for (next = text; (pid = strtol(next, &end, 10)), end != next; next = end)
		census_process(pid);
	free(text);
	return 0;
}

static __u64 live_in(unsigned int heap, __u64 cgroup)
{
	unsigned int i;
	__u64 bytes = 0;

	for (i = 0; i < nr_seen; i++)
		if (seen[i]->heap == heap && seen[i]->cgroup == cgroup)
			bytes += seen[i]->bytes;
	return bytes;
}

static bool is_below(const struct dmem_pool *pools, unsigned int nr, __u64 id,
		     __u64 top)
{
	unsigned int i;

	while (id && id != top) {
		for (i = 0; i < nr && pools[i].cgroup != id; i++)
			;
		id = i < nr ? pools[i].parent : 0;
	}
	return id;
}

/* What is charged in each cgroup itself, to the byte; the difference is printed */
static bool pools_are_right(unsigned int heap, bool tell)
{
	const char *region = heaps[heap].heap->region;
	struct dmem_pool *pools;
	unsigned int i, nr;
	__u64 top, want;
	bool right = true;

	expect_done(sb.top, dmem_cgroup_id(sb.top, &top));
	nr = dmem_pools_check(region, false, &pools);
	for (i = 0; i < nr; i++) {
		if (!is_below(pools, nr, pools[i].cgroup, top))
			continue;
		want = live_in(heap, pools[i].cgroup);
		if (want == pools[i].own)
			continue;
		right = false;
		if (tell)
			ksft_print_msg("%s: cgroup %llu: %llu bytes of buffers, charged %llu\n",
				       region,
				       (unsigned long long)pools[i].cgroup,
				       (unsigned long long)want,
				       (unsigned long long)pools[i].own);
	}
	free(pools);
	return right;
}

/* What the area has not given away; what it has lent to processes it has */
static __u64 area_has(const struct cma_heap *heap)
{
	char dir[sizeof(heap->name) + 32], *text;
	__u64 bytes;

	snprintf(dir, sizeof(dir), "/sys/class/dma_heap/%s", heap->name);
	text = dmem_read_file(dir, "available");
	if (!text)
		case_fail("%s/available: %s", dir, strerror(errno));
	bytes = strtoull(text, NULL, 10);
	free(text);
	return bytes;
}

static bool heap_is_right(unsigned int which, bool tell)
{
	struct heap_state *state = &heaps[which];
	const struct cma_heap *heap = state->heap;
	__u64 current, gone = state->available - area_has(heap);
	bool right;
	int ret;

	ret = dmem_read(sb.top, "dmem.current", heap->region, &current);
	if (ret)
		case_fail("dmem.current: %s: %s", heap->region, strerror(-ret));
	/* Drivers take from the default area when they like */
	right = current == state->live &&
		(heap->is_default || gone == state->live);
	if (!right && tell)
		ksft_print_msg("%s: %llu bytes of buffers, charged %llu, gone from the area %llu\n",
			       heap->region, (unsigned long long)state->live,
			       (unsigned long long)current,
			       (unsigned long long)gone);
	return pools_are_right(which, tell) && right;
}

/* All wait: who has what does not change, but a last put may be on its way */
static void expect_exact(void)
{
	__u64 end = deadline();
	unsigned int i;
	bool right, last;

	do {
		last = now_ms() >= end;
		census++;
		nr_seen = 0;
		for (i = 0; i < nr_heaps; i++)
			heaps[i].live = 0;
		census_process(getpid());
		if (nftw(sb.top, census_cgroup, 16, FTW_PHYS))
			case_fail("nftw: %s", strerror(errno));
		right = true;
		for (i = 0; i < nr_heaps; i++)
			right = heap_is_right(i, last) && right;
	} while (!right && (sleep_until(end) || !last));
	if (!right)
		case_fail("round %u: what is charged is not what is there",
			  load(sh->round));
}

static void quiesce(void)
{
	int fds[IN_FLIGHT], fd = 0;
	unsigned int nr = 0, i;

	/* What is in the sockets is ours for a moment */
	while (nr < IN_FLIGHT) {
		fd = fd_receive(mailbox[1], MSG_DONTWAIT);
		if (fd < 0)
			break;
		fds[nr++] = fd;
	}
	if (fd != -EAGAIN)
		case_fail("messages: %s", strerror(-fd));
	expect_exact();
	for (i = 0; i < nr; i++) {
		expect_done("sendmsg", fd_send(mailbox[0], fds[i], MSG_DONTWAIT));
		close(fds[i]);
	}
}

/* A load from its beginning to its end */

/**
 * struct crew - the processes of a load
 * @workers:	0 if one has ended
 * @alive:	how many there are
 * @checker:	takes snapshots
 */
struct crew {
	pid_t workers[MAX_WORKERS];
	unsigned int alive;
	pid_t checker;
};

static bool crew_has(const struct crew *crew, pid_t pid)
{
	unsigned int i;

	for (i = 0; i < nr_workers; i++)
		if (crew->workers[i] == pid)
			return true;
	return pid == crew->checker;
}

/* A moment passes. Whoever ended must have had a good end. */
static void crew_watch(struct crew *crew)
{
	int status;
	pid_t pid;

	usleep(1000);
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		/* Children of who was killed are killed, too, and come to us */
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL &&
		    !crew_has(crew, pid))
			continue;
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			case_fail("a process ended with status 0x%x", status);
		if (pid == crew->checker)
			case_fail("the snapshots have ended");
		crew->alive -= crew_has(crew, pid);
	}
}

/* Numbers of buffers begin after this one's */
static void find_first_buffer(void)
{
	struct stat st;
	int fd = alloc_buffer(heaps[0].heap, page);

	if (fstat(fd, &st))
		case_fail("fstat: %s", strerror(errno));
	first_ino = st.st_ino + 1;
	buffers_dev = st.st_dev;
	close(fd);
}

static void make_tree(void)
{
	unsigned int i;

	expect_done("making a cgroup", cgroup_make(path("/safe")));
	for (i = 0; i < MIDS; i++) {
		expect_done("making a cgroup", cgroup_make(path("/m%u", i)));
		enable(path("/m%u", i));
	}
	for (i = 0; i < MIDS * LEAVES; i++)
		expect_done("making a cgroup", cgroup_make(leaf_path(i)));
	for (i = 0; i < nr_heaps; i++) {
		const struct cma_heap *heap = heaps[i].heap;

		/* Its pool is there from now on */
		expect_done("dmem.max",
			    dmem_set_limit(sb.top, "dmem.max", heap, DMEM_MAX));
		heaps[i].available = area_has(heap);
		heaps[i].pools = dmem_pools_check(heap->region, false, NULL);
	}
}

static void remove_soon(const char *cgroup)
{
	int ret = cgroup_remove_soon(cgroup);

	if (ret != -ENOENT)
		expect_done(cgroup, ret);
}

static __u64 number_in_stat(const char *key)
{
	char text[32];
	int ret = dmem_read_text(sb.top, "cgroup.stat", key, text, sizeof(text));

	expect_done(key, ret);
	return strtoull(text, NULL, 10);
}

/* How many cgroups there are below top, dying ones included */
static __u64 cgroups(void)
{
	return number_in_stat("nr_descendants") +
	       number_in_stat("nr_dying_descendants");
}

/**
 * struct losses - what is not there any more, or still there, in the end
 * @bytes:	charged to nobody's buffers
 * @pages:	that the areas have not got back, but for the default area
 * @pools:	of cgroups that are gone
 * @cgroups:	that were removed
 */
struct losses {
	__u64 bytes;
	__u64 pages;
	__u64 pools;
	__u64 cgroups;
};

static struct losses look_for_losses(void)
{
	struct losses lost = { .cgroups = cgroups() };
	unsigned int i, pools;
	__u64 current;

	for (i = 0; i < nr_heaps; i++) {
		const struct cma_heap *heap = heaps[i].heap;

		expect_done("dmem.current", dmem_read(sb.top, "dmem.current",
						      heap->region, &current));
		lost.bytes += current;
		if (!heap->is_default)
			lost.pages += (heaps[i].available - area_has(heap)) / page;
		pools = dmem_pools_check(heap->region, false, NULL);
		/* those of cgroups from before it may have gone meanwhile */
		if (pools > heaps[i].pools)
			lost.pools += pools - heaps[i].pools;
	}
	return lost;
}

static bool nothing_lost(const struct losses *lost)
{
	return !lost->bytes && !lost->pages && !lost->pools && !lost->cgroups;
}

static void print_errors(const char *title, const __u32 *counts)
{
	size_t i;

	printf("; %s:", title);
	for (i = 0; i < ARRAY_SIZE(errors); i++)
		if (counts[i])
			printf(" %s %u", errors[i].name, counts[i]);
}

static void print_summary(const struct losses *lost)
{
	enum operation op;
	__u32 sum = 0;

	for (op = 0; op < NR_OPERATIONS; op++)
		sum += sh->done[op];
	ksft_print_msg("dmem-stress: seed %u, %u workers, %u operations:", seed,
		       nr_workers, sum);
	for (op = 0; op < NR_OPERATIONS; op++)
		printf(" %s %u", actions[op].name, sh->done[op]);
	printf("; %u more by processes that were killed; %u buffers", sh->by_victims,
	       sh->granted);
	print_errors("refused", sh->refused);
	print_errors("too late or too early", sh->late);
	printf("; %u snapshots, %u exact counts", sh->snapshots, sh->round);
	printf("; lost: %llu bytes, %llu pages, %llu pools, %llu cgroups\n",
	       (unsigned long long)lost->bytes, (unsigned long long)lost->pages,
	       (unsigned long long)lost->pools, (unsigned long long)lost->cgroups);
}

static void end_load(void)
{
	__u64 end = deadline();
	struct losses lost;
	unsigned int i;

	close(mailbox[0]);
	close(mailbox[1]);
	for (i = 0; i < MIDS * LEAVES; i++)
		remove_soon(leaf_path(i));
	for (i = 0; i < MIDS; i++)
		remove_soon(path("/m%u", i));
	remove_soon(path("/safe"));
	do {
		lost = look_for_losses();
	} while (!nothing_lost(&lost) && sleep_until(end));
	print_summary(&lost);
	if (!nothing_lost(&lost))
		case_fail("something is lost");
}

static void run_load(__u32 ops)
{
	struct crew crew = { .alive = 0 };
	__u32 random = seed, round;
	unsigned int i;

	total_ops = ops;
	memset(sh, 0, sizeof(*sh));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, mailbox))
		case_fail("socketpair: %s", strerror(errno));
	/* Children of somebody who is killed: zombies keep their cgroup */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		case_fail("prctl: %s", strerror(errno));

	find_first_buffer();
	/* Killed processes allocate as well, and so may somebody else */
	buffers_size = 4ULL * ops + (1 << 16);
	buffers = mmap(NULL, buffers_size * sizeof(*buffers),
		       PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (buffers == MAP_FAILED)
		case_fail("mmap: %s", strerror(errno));

	make_tree();
	crew.checker = start_checker();
	for (i = 0; i < nr_workers; i++)
		crew.workers[i] = start_worker(i, &random);
	crew.alive = nr_workers;
	store(sh->go, 1);
	for (round = 0; round < nr_rounds(); round++) {
		while (load(sh->waiting) < nr_workers)
			crew_watch(&crew);
		quiesce();
		store(sh->waiting, 0);
		count(sh->round);
	}
	while (crew.alive)
		crew_watch(&crew);
	store(sh->stop, 1);
	expect_child(crew.checker, false);
	while (waitpid(-1, NULL, 0) > 0)
		;
	end_load();
	munmap(buffers, buffers_size * sizeof(*buffers));
	if (!sh->granted || !sh->snapshots)
		case_fail("nothing was done");
}

/* Everything at once, and nothing is lost */
static void test_load(const struct cma_heap *unused __maybe_unused)
{
	run_load(total_ops);
}

/* Without this, nobody could do again what has failed */
static void test_replay(const struct cma_heap *unused __maybe_unused)
{
	__u32 ops = total_ops * (__u64)REPLAY_PERCENT / 100;
	struct shared first;

	if (ops > REPLAY_MAX)
		ops = REPLAY_MAX;
	run_load(ops);
	first = *sh;
	run_load(ops);
	if (memcmp(first.done, sh->done, sizeof(sh->done)) ||
	    memcmp(first.drawn, sh->drawn, sizeof(sh->drawn)))
		case_fail("the same seed did something else");
}

static const struct cma_heap_case cases[] = {
	{ test_load,	"load" },
	{ test_replay,	"replay" },
};

static void find_heaps(void)
{
	unsigned int i;

	for (i = 0; i < sb.heaps.count; i++)
		if (sb.heaps.heap[i].region[0] && !sb.heaps.heap[i].is_alias)
			heaps[nr_heaps++].heap = &sb.heaps.heap[i];
}

static void print_usage(FILE *to)
{
	fprintf(to, "usage: dmem-stress [--workers N] [--ops N] [--seed N]\n"
		"  --workers N  processes that make load, up to %u (default %u)\n"
		"  --ops N      operations of all workers (default %u)\n"
		"  --seed N     do again what the run did that printed this\n",
		MAX_WORKERS, WORKERS, OPS);
}

static void parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "workers",	required_argument, NULL, 'w' },
		{ "ops",	required_argument, NULL, 'o' },
		{ "seed",	required_argument, NULL, 's' },
		{ "help",	no_argument, NULL, 'h' },
		{ 0 }
	};
	int option;

	seed = repeatable_seed();
	total_ops = repeatable_ops(OPS);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'w':
			nr_workers = strtoul(optarg, NULL, 0);
			break;
		case 'o':
			total_ops = strtoul(optarg, NULL, 0);
			break;
		case 's':
			seed = strtoul(optarg, NULL, 0);
			break;
		case 'h':
			print_usage(stdout);
			exit(0);
		default:
			print_usage(stderr);
			exit(2);
		}
	}
	if (optind == argc && nr_workers && nr_workers <= MAX_WORKERS &&
	    total_ops && seed)
		return;
	print_usage(stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	struct rlimit files = { IN_FLIGHT + 128, IN_FLIGHT + 128 };
	unsigned int seconds;
	size_t i;
	int ret;

	if (argc == 4 && !strcmp(argv[1], "--inherit"))
		return inherited(atoi(argv[2]), strtoul(argv[3], NULL, 10));
	parse_options(argc, argv);

	ksft_print_header();
	if (geteuid())
		ksft_exit_skip("needs root\n");
	page = page_size();
	ret = sandbox_open(&sb, "dmem_stress_heaps");
	if (ret)
		ksft_exit_fail_msg("no sandbox: %s\n", strerror(-ret));
	if (!sb.accounting)
		ksft_exit_skip("%s\n", sb.why);
	find_heaps();
	if (!nr_heaps || !dmem_pools_visible()) {
		sandbox_close(&sb);
		ksft_exit_skip(nr_heaps ? "dmem_selftest isn't loaded, or no debugfs\n" :
			       "no CMA heap that is charged\n");
	}
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED || setrlimit(RLIMIT_NOFILE, &files))
		ksft_exit_fail_msg("no memory, or too few files: %s\n",
				   strerror(errno));

	ksft_print_msg("DMEM_TEST_SEED=%u DMEM_TEST_OPS=%u\n", seed, total_ops);
	seconds = CASE_SECONDS + total_ops / OPS_PER_SECOND;
	ksft_set_plan(ARRAY_SIZE(cases));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ret = sandbox_run(&sb, cases[i].fn, NULL, seconds);
		ksft_test_result_code(ret, cases[i].name, NULL);
	}
	sandbox_close(&sb);
	ksft_finished();
}
