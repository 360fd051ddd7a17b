// SPDX-License-Identifier: GPL-2.0
/*
 * The dmem controller under load: what must be true of every moment, and what
 * must be left when all is over.
 *
 * Processes do random things to a tree of cgroups of three levels
 *
 *	top/m<i>/l<j>
 *
 * while another one takes snapshots of all pools of the region under the
 * region's lock. In each of them usage must be what was charged in the pool
 * itself plus its children's usage, and the protection sums must be right. The
 * memory is that of the region "dmem_selftest", which has none, so that any
 * size can be charged; stress_heaps does it with buffers of the CMA heaps.
 *
 * A case is over after a number of operations, not after a time. Processes run
 * as the scheduler likes, so a seed repeats what each of them does but not the
 * order between them. DMEM_TEST_SEED and DMEM_TEST_OPS see lib/repeatable.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "kselftest.h"
#include "cgroup_util.h"
#include "../dmabuf-heaps/lib/cma_heap_util.h"
#include "../dmabuf-heaps/lib/dmem_pools.h"
#include "../dmabuf-heaps/lib/fd_passing.h"
#include "../dmabuf-heaps/lib/repeatable.h"
#include "../dmabuf-heaps/lib/shared_number.h"

#define SELFTEST_DIR	"/sys/kernel/debug/dmem_selftest"
#define SELFTEST_REGION	"dmem_selftest"

/* Of all cases together */
#define OPS		10000

/* For a case with the usual number of operations on a slow machine */
#define CASE_SECONDS	180
/* The rate at which more of them must be done */
#define OPS_PER_SECOND	20

#define MIDS		3
#define LEAVES		3
#define WORKERS		4
/* Charges or buffers that a worker has at a time, and views of peaks */
#define HELD		6
#define PEAKS		3
#define KILLS		24

#define GIB		(1024ULL * 1024 * 1024)

/**
 * struct worker - one of the processes that make the load
 * @index:	which one
 * @random:	state of its random numbers
 * @held:	open files with charges: dmem_selftest/hold or buffers, or -1
 * @peaks:	open dmem.peak of cgroups, which may be gone, or -1
 * @events:	the same of a dmem.events
 */
struct worker {
	unsigned int index;
	__u32 random;
	int held[HELD];
	int peaks[PEAKS];
	int events;
};

/**
 * struct shared - what the processes of a case have in common
 * @go:		all are there: begin
 * @stop:	it is over, for those who have no operations of their own
 * @ops:	operations begun
 * @limit:	how many there are to do
 * @snapshots:	how often the tree was found right
 * @limits_hold: no limit is lowered below usage: no usage is above one
 * @round:	counts the stops of stress_limits_hold
 * @waiting:	how many workers have stopped
 * @granted:	charges
 * @refused:	charges, by worker
 * @charges:	what each worker of stress_limits_hold has charged, and where
 */
struct shared {
	__u32 go;
	__u32 stop;
	__u32 ops;
	__u32 limit;
	__u32 snapshots;
	__u32 limits_hold;
	__u32 round;
	__u32 waiting;
	__u32 granted;
	__u32 refused[16];
	struct charge {
		__u32 leaf;
		__u64 bytes;
	} charges[WORKERS][HELD];
};

static struct dmem_sandbox sb;
static struct shared *sh;
static __u64 page;
static __u32 total_ops;
/* Of the process: the workers get theirs from the case's */
static __u32 seed;

/* For what takes a heap: the region that charges without any memory */
static const struct cma_heap selftest = {
	.name = SELFTEST_REGION,
	.region = SELFTEST_REGION,
};

/* What the case charges */
static const struct cma_heap *heap;

/* Regions for the lines of a write, the case's first */
static const char *names[CMA_HEAP_MAX_HEAPS];
static unsigned int nr_names;

/* Files with charges that have no process at the moment */
static int mailbox[2] = { -1, -1 };

/* How the case has found the world */
static char *stat_before;
static unsigned int pools_before;
static __u64 case_start;

/* Results */

/* One of these errors, or none */
static void allow_at(const char *func, int line, const char *what, int ret,
		     const int *errors)
{
	if (!ret)
		return;
	for (; *errors; errors++)
		if (ret == -*errors)
			return;
	case_fail_at(func, line, "%s: unexpected: %s", what, strerror(-ret));
}

#define allow(what, ret, ...) \
	allow_at(__func__, __LINE__, what, ret, (const int[]){ __VA_ARGS__, 0 })

/* Cgroups come and go while they are used */
#define allow_gone(what, ret) \
	allow(what, ret, ENOENT, ENODEV)

static void expect_ret_at(const char *func, int line, const char *what,
			  int ret, int want_errno)
{
	if (ret != -want_errno)
		case_fail_at(func, line, "%s: expected %s, seen %s", what,
			     strerror(want_errno), strerror(-ret));
}

#define expect_ret(what, ret, want_errno) \
	expect_ret_at(__func__, __LINE__, what, ret, want_errno)

/* The tree */

#define path(...) sandbox_path(&sb, __VA_ARGS__)

static const char *mid_path(unsigned int mid)
{
	return path("/m%u", mid);
}

static const char *leaf_path(unsigned int leaf)
{
	return path("/m%u/l%u", leaf / LEAVES, leaf % LEAVES);
}

static int control(const char *cgroup, const char *change)
{
	return dmem_write_text(cgroup, "cgroup.subtree_control", change);
}

static int enter(const char *cgroup)
{
	return dmem_write_text(cgroup, "cgroup.procs", "0");
}

static int set_limit(const char *cgroup, const char *file, __u64 bytes)
{
	return dmem_set_limit(cgroup, file, heap, bytes);
}

static void make_tree(void)
{
	unsigned int i;

	for (i = 0; i < MIDS; i++) {
		expect_ret("making a cgroup", cgroup_make(mid_path(i)), 0);
		expect_ret("+dmem", control(mid_path(i), "+dmem"), 0);
	}
	for (i = 0; i < MIDS * LEAVES; i++)
		expect_ret("making a cgroup", cgroup_make(leaf_path(i)), 0);
}

static void remove_soon(const char *cgroup)
{
	allow(cgroup, cgroup_remove_soon(cgroup), ENOENT);
}

static void remove_tree(void)
{
	unsigned int i;

	for (i = 0; i < MIDS * LEAVES; i++)
		remove_soon(leaf_path(i));
	for (i = 0; i < MIDS; i++)
		remove_soon(mid_path(i));
}

/* The selftest module */

static bool has_selftest(void)
{
	return !access(SELFTEST_DIR "/hold", W_OK) &&
	       dmem_pools_visible();
}

static int selftest_write(const char *file, __u64 value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return dmem_write_text(SELFTEST_DIR, file, text);
}

static int hold_open(void)
{
	int fd = open(SELFTEST_DIR "/hold", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		case_fail("dmem_selftest/hold: %s", strerror(errno));
	return fd;
}

/* 0 bytes: give all back */
static int hold_write(int fd, __u64 bytes)
{
	char text[24];
	int len;

	len = snprintf(text, sizeof(text), "%llu", (unsigned long long)bytes);
	return write(fd, text, len) == len ? 0 : -errno;
}

static void check_snapshots(struct worker *w __maybe_unused)
{
	bool last;

	do {
		last = load(sh->stop);
		dmem_pools_check(heap->region, sh->limits_hold, NULL);
		count(sh->snapshots);
		sched_yield();
	} while (!last);
}

/* Begin and end of a case */

/* @regions is for the selftest's */
static void begin_case(const struct cma_heap *charged, unsigned int regions,
		       unsigned int percent)
{
	unsigned long long ops = (unsigned long long)total_ops * percent / 100;

	memset(sh, 0, sizeof(*sh));
	sh->limit = ops ?: 1;
	case_start = now_ms();
	heap = charged;
	nr_names = 0;
	names[nr_names++] = heap->region;

	if (heap == &selftest && !has_selftest())
		case_skip(&sb, "no CONFIG_CGROUP_DMEM_SELFTEST, or no debugfs");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, mailbox))
		case_fail("socketpair: %s", strerror(errno));
	/* Children of a worker that is killed: zombies keep their cgroup */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		case_fail("prctl: %s", strerror(errno));

	stat_before = dmem_read_file(sb.top, "cgroup.stat");
	if (!stat_before)
		case_fail("cgroup.stat: %s", strerror(errno));
	if (heap == &selftest)
		expect_ret("regions", selftest_write("regions", regions), 0);
	/* The pool of top is there from now on */
	expect_ret("dmem.max", set_limit(sb.top, "dmem.max", DMEM_MAX), 0);
	if (heap == &selftest)
		pools_before = dmem_pools_check(heap->region, false, NULL);
}

/* Cgroups are freed, whatever they were charged for */
static void expect_stat_soon(void)
{
	__u64 end = deadline();
	char *text = NULL;
	bool same;

	do {
		free(text);
		text = dmem_read_file(sb.top, "cgroup.stat");
		same = text && !strcmp(text, stat_before);
	} while (!same && sleep_until(end));
	if (!same)
		case_fail("cgroup.stat: expected:\n%s# seen:\n%s", stat_before,
			  text ?: "(none)");
	free(text);
}

/* So are their pools, as soon as nothing is charged there */
static void expect_pools_soon(void)
{
	unsigned int pools = dmem_pools_soon(heap->region, pools_before);

	if (pools == pools_before)
		return;
	dmem_pools_print(heap->region);
	case_fail("pools: expected %u, seen %u", pools_before, pools);
}

/* Nobody holds anything any more: nothing is left of it */
static void end_case(void)
{
	unsigned int refused = 0, i;

	for (i = 0; i < ARRAY_SIZE(sh->refused); i++)
		refused += load(sh->refused[i]);
	while (waitpid(-1, NULL, 0) > 0)
		;
	close(mailbox[0]);
	close(mailbox[1]);
	expect_dmem_soon(sb.top, "dmem.current", heap, 0);
	remove_tree();
	expect_stat_soon();
	if (heap == &selftest)
		expect_pools_soon();
	ksft_print_msg("%s: %u operations, %u charges granted, %u refused, %u snapshots, %llu ms\n",
		       heap->name, load(sh->ops), load(sh->granted), refused,
		       load(sh->snapshots),
		       (unsigned long long)(now_ms() - case_start));
}

/* Processes */

static bool next_op(void)
{
	return count(sh->ops) < sh->limit;
}

static pid_t start(void (*fn)(struct worker *w), unsigned int index)
{
	struct worker w = { .index = index };
	pid_t pid;

	w.random = random_fork(&seed);
	memset(w.held, -1, sizeof(w.held));
	memset(w.peaks, -1, sizeof(w.peaks));
	w.events = -1;

	pid = case_fork();
	if (pid)
		return pid;

	while (!load(sh->go))
		usleep(100);
	fn(&w);
	exit(KSFT_PASS);
}

static void expect_good_end(int status, bool was_killed)
{
	if (was_killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		case_fail("a process ended with status 0x%x", status);
}

/**
 * struct crew - the processes of a case
 * @pids:	the workers, 0 if one has ended
 * @count:	how many there were
 * @alive:	how many there are
 * @checker:	takes snapshots, 0 if there is none
 */
struct crew {
	pid_t pids[16];
	unsigned int count;
	unsigned int alive;
	pid_t checker;
};

static void crew_add(struct crew *crew, void (*fn)(struct worker *w))
{
	crew->pids[crew->count] = start(fn, crew->count);
	crew->count++;
	crew->alive++;
}

static void crew_go(struct crew *crew)
{
	if (heap == &selftest)
		crew->checker = start(check_snapshots, 0);
	store(sh->go, 1);
}

/* A moment passes. Whoever ended must have had a good end. */
static void crew_watch(struct crew *crew)
{
	unsigned int i;
	int status;
	pid_t pid;

	usleep(1000);
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		expect_good_end(status, false);
		if (pid == crew->checker)
			case_fail("the snapshots have ended");
		for (i = 0; i < crew->count; i++) {
			if (crew->pids[i] == pid) {
				crew->pids[i] = 0;
				crew->alive--;
			}
		}
	}
}

static void crew_stop(struct crew *crew)
{
	int status;

	store(sh->stop, 1);
	if (crew->checker) {
		if (waitpid(crew->checker, &status, 0) != crew->checker)
			case_fail("waitpid: %s", strerror(errno));
		expect_good_end(status, false);
		crew->checker = 0;
	}
	while (crew->alive)
		crew_watch(crew);
}

/* Ends a worker wherever it is, and starts another one in its place */
static void crew_kill(struct crew *crew, void (*fn)(struct worker *w))
{
	unsigned int victim = random_below(&seed, crew->count);
	int status;

	if (!crew->pids[victim])
		return;
	kill(crew->pids[victim], SIGKILL);
	if (waitpid(crew->pids[victim], &status, 0) != crew->pids[victim])
		case_fail("waitpid: %s", strerror(errno));
	expect_good_end(status, true);
	crew->pids[victim] = start(fn, victim);
}

/* Each worker comes to its end */
static void run_to_end(void (*fn)(struct worker *w))
{
	struct crew crew = { .count = 0 };
	unsigned int i;

	for (i = 0; i < WORKERS; i++)
		crew_add(&crew, fn);
	crew_go(&crew);
	while (crew.alive)
		crew_watch(&crew);
	crew_stop(&crew);
}

static void run_and_kill(void (*fn)(struct worker *w))
{
	__u32 step = sh->limit / KILLS + 1, next = step;
	struct crew crew = { .count = 0 };
	unsigned int i;

	for (i = 0; i < WORKERS; i++)
		crew_add(&crew, fn);
	crew_go(&crew);
	while (crew.alive) {
		crew_watch(&crew);
		if (load(sh->ops) < next || next >= sh->limit)
			continue;
		crew_kill(&crew, fn);
		next += step;
	}
	crew_stop(&crew);
}

/* What a worker may do */

static int *random_slot(struct worker *w)
{
	return &w->held[random_below(&w->random, HELD)];
}

static unsigned int random_leaf(struct worker *w)
{
	return random_below(&w->random, MIDS * LEAVES);
}

static const char *random_cgroup(struct worker *w)
{
	unsigned int mid = random_below(&w->random, 2 * MIDS);

	return mid < MIDS ? mid_path(mid) : leaf_path(random_leaf(w));
}

static void drop(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static __u64 random_size(struct worker *w)
{
	if (heap != &selftest)
		return random_below(&w->random, 8 * page) + 1;
	/* Beyond 32 bits, too */
	if (random_once_in(&w->random, 4))
		return random_next64(&w->random) % (6 * GIB) + 1;
	return random_below(&w->random, 64 * 4096) + 1;
}

static void do_charge(struct worker *w)
{
	int *slot = random_slot(w);
	int ret;

	if (heap == &selftest) {
		if (*slot < 0)
			*slot = hold_open();
		ret = hold_write(*slot, random_size(w));
		allow("charge", ret, EAGAIN);
	} else {
		drop(slot);
		ret = cma_heap_alloc(heap, random_size(w));
		if (ret >= 0) {
			*slot = ret;
			ret = 0;
		}
		allow("allocation", ret, ENOSPC, ENOMEM);
	}
	if (ret)
		count(sh->refused[w->index]);
	else
		count(sh->granted);
}

static void do_release(struct worker *w)
{
	int *slot = random_slot(w);

	if (*slot < 0)
		return;
	if (heap == &selftest && random_once_in(&w->random, 2))
		expect_ret("release", hold_write(*slot, 0), 0);
	else
		drop(slot);
}

static void do_touch(struct worker *w)
{
	int *slot = random_slot(w);
	char *map;

	if (*slot < 0)
		return;
	map = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, *slot, 0);
	if (map == MAP_FAILED)
		case_fail("mmap: %s", strerror(errno));
	map[0] = 1;
	/* The mapping holds the buffer a bit longer */
	drop(slot);
	munmap(map, page);
}

/* Charges travel to other processes, and are nobody's on the way */
static void do_give(struct worker *w)
{
	int *slot = random_slot(w);

	if (*slot < 0)
		return;
	/* It may be full */
	allow("sendmsg", fd_send(mailbox[0], *slot, MSG_DONTWAIT), EAGAIN,
	      ETOOMANYREFS);
	drop(slot);
}

static void do_take(struct worker *w)
{
	int *slot = random_slot(w);
	int fd;

	drop(slot);
	fd = fd_receive(mailbox[1], MSG_DONTWAIT);
	if (fd >= 0)
		*slot = fd;
	else
		allow("recvmsg", fd, EAGAIN);
}

static void do_move(struct worker *w)
{
	if (random_once_in(&w->random, 8))
		expect_ret("back to the root", enter(sb.root), 0);
	else
		allow_gone("cgroup.procs", enter(leaf_path(random_leaf(w))));
}

/* A child has the same files, and may be the last one that does */
static void do_fork(struct worker *w)
{
	int *slot = random_slot(w);
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		case_fail("fork: %s", strerror(errno));
	if (!pid)
		_exit(0);
	drop(slot);
	waitpid(pid, NULL, 0);
}

static size_t random_line(struct worker *w, const char *name, char *text,
			  size_t size)
{
	/* Near to what is charged, so that some of it is refused */
	unsigned int kib = random_below(&w->random, heap == &selftest ?
					8 << 20 : 256);

	switch (random_below(&w->random, 4)) {
	case 0:
		return snprintf(text, size, "%s max\n", name);
	case 1:
		return snprintf(text, size, "%s 0x%xK\n", name, kib);
	case 2:
		return snprintf(text, size, " %s\t%uM\n", name, kib >> 10);
	default:
		return snprintf(text, size, "\n%s %uk\n", name, kib);
	}
}

static void do_limit(struct worker *w)
{
	static const char * const files[] = { "dmem.max", "dmem.min", "dmem.low" };
	const char *file = files[random_below(&w->random, ARRAY_SIZE(files))];
	unsigned int lines = random_below(&w->random, 3) + 1, first = 0, i;
	char text[3 * (CMA_HEAP_NAME_SIZE + 32)];
	size_t len = 0;

	if (lines > nr_names)
		lines = nr_names;
	if (lines > 1)
		first = random_below(&w->random, nr_names);
	for (i = 0; i < lines; i++)
		len += random_line(w, names[(first + i) % nr_names],
				   text + len, sizeof(text) - len);
	allow_gone(file, dmem_write_text(random_cgroup(w), file, text));
}

static void do_make(struct worker *w)
{
	allow("mkdir", cgroup_make(leaf_path(random_leaf(w))), EEXIST, ENOENT, ENODEV);
}

/* Charges that were made there live on */
static void do_remove(struct worker *w)
{
	if (rmdir(leaf_path(random_leaf(w))))
		allow("rmdir", -errno, EBUSY, ENOENT, ENODEV);
}

static void do_toggle(struct worker *w)
{
	const char *mid = mid_path(random_below(&w->random, MIDS));

	allow("cgroup.subtree_control",
	      control(mid, random_once_in(&w->random, 3) ? "-dmem" : "+dmem"),
	      EBUSY, ENOENT, ENODEV);
}

/* Lines of "<region> <something>" */
static void expect_lines(const char *file, const char *text)
{
	const char *line = text, *end, *blank;

	for (; *line; line = end + 1) {
		end = strchr(line, '\n');
		blank = strchr(line, ' ');
		if (!end || !blank || blank == line || blank + 1 >= end)
			case_fail("%s: '%s' in '%s'", file, line, text);
	}
}

static void do_read(struct worker *w)
{
	static const char * const files[] = {
		"dmem.current", "dmem.peak", "dmem.max", "dmem.min", "dmem.low",
		"dmem.events", "dmem.events.local",
	};
	const char *cgroup = random_cgroup(w);
	char *text;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		text = dmem_read_file(cgroup, files[i]);
		if (text)
			expect_lines(files[i], text);
		else
			allow_gone(files[i], -errno);
		free(text);
	}
	text = dmem_read_file(sb.root, "dmem.capacity");
	if (!text)
		case_fail("dmem.capacity: %s", strerror(errno));
	expect_lines("dmem.capacity", text);
	free(text);
}

/* An open file outlives its cgroup */
static void do_peak(struct worker *w)
{
	int *fd = &w->peaks[random_below(&w->random, PEAKS)];
	char text[4096];
	ssize_t len;

	if (random_once_in(&w->random, 3))
		drop(fd);
	if (*fd < 0) {
		const char *cgroup = random_cgroup(w);

		snprintf(text, sizeof(text), "%s/dmem.peak", cgroup);
		*fd = open(text, O_RDWR | O_CLOEXEC);
		if (*fd < 0) {
			allow_gone("dmem.peak", -errno);
			return;
		}
	}
	if (random_once_in(&w->random, 2) && write(*fd, "x", 1) != 1) {
		allow_gone("reset of dmem.peak", -errno);
		drop(fd);
		return;
	}
	len = pread(*fd, text, sizeof(text) - 1, 0);
	if (len < 0) {
		allow_gone("dmem.peak", -errno);
		drop(fd);
		return;
	}
	text[len] = '\0';
	expect_lines("dmem.peak", text);
}

/* Somebody waits for events, so that there is somebody to wake */
static void do_poll(struct worker *w)
{
	struct pollfd poll_fd = { .events = POLLPRI };
	char text[PATH_MAX + 256];

	drop(&w->events);
	snprintf(text, sizeof(text), "%s/dmem.events%s", random_cgroup(w),
		 random_once_in(&w->random, 2) ? ".local" : "");
	w->events = open(text, O_RDONLY | O_CLOEXEC);
	if (w->events < 0) {
		allow_gone("dmem.events", -errno);
		return;
	}
	if (read(w->events, text, sizeof(text)) < 0)
		allow_gone("dmem.events", -errno);
	poll_fd.fd = w->events;
	poll(&poll_fd, 1, 1);
}

static void do_pairs(struct worker *w)
{
	allow("dmem_selftest/pairs",
	      selftest_write("pairs", random_below(&w->random, 200)), EAGAIN);
}

static const char * const churn_names[] = { "dmem_selftest_x", "dmem_selftest_y" };

static void do_churn(struct worker *w)
{
	unsigned int i = random_below(&w->random, ARRAY_SIZE(churn_names));

	allow("dmem_selftest/churn",
	      dmem_write_text(SELFTEST_DIR, "churn", churn_names[i]), EAGAIN);
}

/* The region itself, if nothing of it is charged */
static void do_regions(struct worker *w)
{
	allow("dmem_selftest/regions",
	      selftest_write("regions", random_below(&w->random, 4) + 1), EBUSY);
}

static void do_nothing(struct worker *w)
{
	usleep(random_below(&w->random, 500));
}

enum mix { TREE, REGIONS, HEAPS, NR_MIXES };

/* How often in each mix, relative to the others */
static const struct {
	void (*fn)(struct worker *w);
	unsigned int weight[NR_MIXES];
} actions[] = {
	/*		  tree regions heaps */
	{ do_charge,	{ 40,	 8,	40 } },
	{ do_release,	{ 15,	20,	15 } },
	{ do_touch,	{  0,	 0,	10 } },
	{ do_give,	{  8,	 0,	 6 } },
	{ do_take,	{  8,	 0,	 6 } },
	{ do_move,	{  8,	 3,	 5 } },
	{ do_fork,	{  2,	 1,	 2 } },
	{ do_limit,	{ 12,	12,	 6 } },
	{ do_make,	{  5,	 4,	 2 } },
	{ do_remove,	{  3,	 3,	 2 } },
	{ do_toggle,	{  2,	 1,	 1 } },
	{ do_read,	{  4,	12,	 3 } },
	{ do_peak,	{  8,	 8,	 4 } },
	{ do_poll,	{  4,	 2,	 2 } },
	{ do_pairs,	{  6,	 6,	 0 } },
	{ do_churn,	{  2,	15,	 0 } },
	{ do_regions,	{  0,	 3,	 0 } },
	{ do_nothing,	{  1,	 1,	 1 } },
};

static void do_mix(struct worker *w, enum mix mix)
{
	unsigned int sum = 0, at;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(actions); i++)
		sum += actions[i].weight[mix];

	allow_gone("cgroup.procs", enter(leaf_path(random_leaf(w))));
	while (next_op()) {
		at = random_below(&w->random, sum);
		for (i = 0; at >= actions[i].weight[mix]; i++)
			at -= actions[i].weight[mix];
		actions[i].fn(w);
	}
	/* What is held is given back by exiting */
}

/*
 * Everything at once, while processes are killed in the middle of it: at any
 * moment usage is the sum of what is charged.
 */
static void tree_worker(struct worker *w)
{
	do_mix(w, TREE);
}

static void test_tree(const struct cma_heap *unused __maybe_unused)
{
	begin_case(&selftest, 3, 30);
	expect_ret("dmem.max", set_limit(sb.top, "dmem.max", 40 * GIB), 0);
	names[nr_names++] = SELFTEST_REGION "_1";
	names[nr_names++] = SELFTEST_REGION "_2";

	make_tree();
	run_and_kill(tree_worker);
	end_case();
}

/* Regions and cgroups come and go, used or not */
static void regions_worker(struct worker *w)
{
	do_mix(w, REGIONS);
}

static void test_regions(const struct cma_heap *unused __maybe_unused)
{
	unsigned int i;
	__u64 size;

	begin_case(&selftest, 1, 10);
	names[nr_names++] = SELFTEST_REGION "_1";
	names[nr_names++] = SELFTEST_REGION "_2";
	for (i = 0; i < ARRAY_SIZE(churn_names); i++)
		names[nr_names++] = churn_names[i];

	make_tree();
	run_and_kill(regions_worker);

	expect_dmem_soon(sb.top, "dmem.current", heap, 0);
	/* A new one, without a pool but those that are made here */
	expect_ret("regions", selftest_write("regions", 1), 0);
	expect_ret("dmem.max", set_limit(sb.top, "dmem.max", DMEM_MAX), 0);
	pools_before = dmem_pools_check(heap->region, false, NULL);
	end_case();

	for (i = 1; i < nr_names; i++)
		if (dmem_read(sb.root, "dmem.capacity", names[i], &size) != -ENOENT)
			case_fail("dmem.capacity: %s is still there", names[i]);
}

/*
 * The same mix as of the tree with buffers of a real heap. Meanwhile one process
 * has a cgroup of its own with just room for what it asks for, and it gets it
 * each time, whoever asks for more next to it.
 *
 * top/fit		max 4 pages
 * top/fit/a		asks for 4 pages: granted
 * top/fit/b		asks for 5 pages: refused
 */
static void heaps_worker(struct worker *w)
{
	do_mix(w, HEAPS);
}

static void fit_alloc(struct worker *w __maybe_unused)
{
	int fd;

	expect_ret("cgroup.procs", enter(path("/fit/a")), 0);
	while (next_op()) {
		fd = cma_heap_alloc(heap, 4 * page);
		if (fd >= 0)
			close(fd);
		else
			allow("4 pages of 4", fd, ENOMEM);
	}
}

static void fit_refused(struct worker *w __maybe_unused)
{
	expect_ret("cgroup.procs", enter(path("/fit/b")), 0);
	while (!load(sh->stop))
		expect_ret("5 pages of 4", cma_heap_alloc(heap, 5 * page), ENOSPC);
}

static void test_heaps(const struct cma_heap *real)
{
	unsigned int i, regions = 0;
	struct crew crew = { .count = 0 };

	for (i = 0; i < sb.heaps.count; i++)
		if (sb.heaps.heap[i].region[0] && !sb.heaps.heap[i].is_alias)
			regions++;
	begin_case(real, 0, 8 / regions ?: 1);
	for (i = 0; i < sb.heaps.count; i++)
		if (sb.heaps.heap[i].region[0] && !sb.heaps.heap[i].is_alias &&
		    strcmp(sb.heaps.heap[i].region, heap->region))
			names[nr_names++] = sb.heaps.heap[i].region;

	make_tree();
	run_and_kill(heaps_worker);

	expect_ret("making a cgroup", cgroup_make(path("/fit")), 0);
	expect_ret("+dmem", control(path("/fit"), "+dmem"), 0);
	expect_ret("making a cgroup", cgroup_make(path("/fit/a")), 0);
	expect_ret("making a cgroup", cgroup_make(path("/fit/b")), 0);
	expect_ret("dmem.max", set_limit(path("/fit"), "dmem.max", 4 * page), 0);
	store(sh->go, 0);
	store(sh->stop, 0);
	/* Each of those before has counted one operation too many */
	sh->limit = load(sh->ops) + sh->limit / 4 + 1;
	crew_add(&crew, fit_alloc);
	crew_add(&crew, fit_refused);
	crew_go(&crew);
	while (crew.pids[0])
		crew_watch(&crew);
	crew_stop(&crew);
	expect_dmem(path("/fit"), "dmem.peak", heap, 4 * page);
	remove_soon(path("/fit/a"));
	remove_soon(path("/fit/b"));
	remove_soon(path("/fit"));
	end_case();
}

/*
 * Limits that do not change are never exceeded: no snapshot shows it. And they
 * are exact: at each stop dmem.current is what the workers know that they hold,
 * at all levels, and what the tightest limit leaves can be charged, not a byte
 * more.
 *
 * top		max 20 GiB
 * top/m<i>	max 9 GiB
 * top/m<i>/l<j> max 4 GiB, but one has none
 */
#define HOLD_ROUNDS	8

static const __u64 hold_max[] = { 20 * GIB, 9 * GIB, 4 * GIB };

static __u64 leaf_max(unsigned int leaf)
{
	return leaf == 1 ? DMEM_MAX : hold_max[2];
}

static void hold_worker(struct worker *w)
{
	__u32 ops = sh->limit / HOLD_ROUNDS / WORKERS + 1;
	struct charge *charges = sh->charges[w->index];
	unsigned int leaf = 0, slot;
	__u32 round, i;
	__u64 bytes;
	int ret;

	for (round = 0; round < HOLD_ROUNDS; round++) {
		leaf = random_leaf(w);
		expect_ret("cgroup.procs", enter(leaf_path(leaf)), 0);
		for (i = 0; i < ops; i++) {
			if (random_once_in(&w->random, 32)) {
				leaf = random_leaf(w);
				expect_ret("cgroup.procs",
					   enter(leaf_path(leaf)), 0);
			}
			slot = random_below(&w->random, HELD);
			drop(&w->held[slot]);
			charges[slot].bytes = 0;
			bytes = random_next64(&w->random) % (2 * GIB) + 1;
			w->held[slot] = hold_open();
			ret = hold_write(w->held[slot], bytes);
			allow("charge", ret, EAGAIN);
			if (!ret) {
				charges[slot].leaf = leaf;
				charges[slot].bytes = bytes;
				count(sh->granted);
			} else {
				count(sh->refused[w->index]);
			}
			count(sh->ops);
		}
		expect_ret("cgroup.procs", enter(sb.root), 0);
		count(sh->waiting);
		while (load(sh->round) == round)
			usleep(100);
	}
}

static void expect_exact(void)
{
	__u64 leaves[MIDS * LEAVES] = { 0 }, mids[MIDS] = { 0 }, top = 0, room;
	unsigned int i, j;
	int fd;

	for (i = 0; i < WORKERS; i++)
		for (j = 0; j < HELD; j++)
			leaves[sh->charges[i][j].leaf] += sh->charges[i][j].bytes;
	for (i = 0; i < MIDS * LEAVES; i++) {
		expect_dmem(leaf_path(i), "dmem.current", heap, leaves[i]);
		mids[i / LEAVES] += leaves[i];
	}
	for (i = 0; i < MIDS; i++) {
		expect_dmem(mid_path(i), "dmem.current", heap, mids[i]);
		top += mids[i];
	}
	expect_dmem(sb.top, "dmem.current", heap, top);

	i = random_below(&seed, MIDS * LEAVES);
	room = hold_max[0] - top;
	if (room > hold_max[1] - mids[i / LEAVES])
		room = hold_max[1] - mids[i / LEAVES];
	if (room > leaf_max(i) - leaves[i])
		room = leaf_max(i) - leaves[i];
	expect_ret("cgroup.procs", enter(leaf_path(i)), 0);
	fd = hold_open();
	expect_ret("a byte more than there is room", hold_write(fd, room + 1),
		   EAGAIN);
	if (room)
		expect_ret("all that there is room", hold_write(fd, room), 0);
	close(fd);
	expect_ret("cgroup.procs", enter(sb.root), 0);
}

static void test_limits_hold(const struct cma_heap *unused __maybe_unused)
{
	struct crew crew = { .count = 0 };
	unsigned int i;

	begin_case(&selftest, 1, 20);
	make_tree();
	expect_ret("dmem.max", set_limit(sb.top, "dmem.max", hold_max[0]), 0);
	for (i = 0; i < MIDS; i++)
		expect_ret("dmem.max",
			   set_limit(mid_path(i), "dmem.max", hold_max[1]), 0);
	for (i = 0; i < MIDS * LEAVES; i++) {
		expect_ret("dmem.max",
			   set_limit(leaf_path(i), "dmem.max", leaf_max(i)), 0);
		/* The sums of these must be right, too */
		expect_ret("dmem.min",
			   set_limit(leaf_path(i), "dmem.min", i * GIB / 2), 0);
		expect_ret("dmem.low",
			   set_limit(leaf_path(i), "dmem.low", GIB), 0);
	}
	sh->limits_hold = true;

	for (i = 0; i < WORKERS; i++)
		crew_add(&crew, hold_worker);
	crew_go(&crew);
	for (i = 0; i < HOLD_ROUNDS; i++) {
		while (load(sh->waiting) < WORKERS)
			crew_watch(&crew);
		expect_exact();
		store(sh->waiting, 0);
		count(sh->round);
	}
	while (crew.alive)
		crew_watch(&crew);
	crew_stop(&crew);
	end_case();
}

/*
 * A request that fits is granted, whatever is refused at the same time in the
 * same cgroup, next to it, or further up. What is refused never adds anything:
 * not to a peak either. Each refusal is counted once, where the limit is.
 *
 * top			max 14 GiB and a page more than that for each loop
 * top/m0		max 8 GiB and the pages
 * top/m0/l0		3 GiB again and again: granted
 * top/m0/l1		5 GiB held all the time; a page in a loop: granted
 * top/m0/l2		max 1 GiB; asks for 2 GiB: refused there
 * top/m1/l0		6 GiB again and again: granted
 * top/m1/l1		asks for 10 GiB: refused by top
 * top/m2		max 0
 * top/m2/l0		asks for a byte: refused by m2
 *
 * and another process in m0/l0 asks for 4 GiB: refused by m0.
 */
#define FIT_PAIRS	300

static void fit_again(struct worker *w, const char *cgroup, __u64 bytes)
{
	int fd = hold_open();

	expect_ret("cgroup.procs", enter(cgroup), 0);
	/* Once in any case: peaks are compared with it */
	do {
		expect_ret("what fits", hold_write(fd, bytes), 0);
		count(sh->granted);
		if (random_once_in(&w->random, 4)) {
			close(fd);
			fd = hold_open();
		} else {
			expect_ret("release", hold_write(fd, 0), 0);
		}
	} while (next_op());
	close(fd);
}

static void refused_again(struct worker *w, const char *cgroup, __u64 bytes)
{
	int fd = hold_open();

	expect_ret("cgroup.procs", enter(cgroup), 0);
	while (!load(sh->stop)) {
		expect_ret("what does not fit", hold_write(fd, bytes), EAGAIN);
		count(sh->refused[w->index]);
	}
}

static void fit_m0(struct worker *w)
{
	fit_again(w, path("/m0/l0"), 3 * GIB);
}

static void fit_m1(struct worker *w)
{
	fit_again(w, path("/m1/l0"), 6 * GIB);
}

static void fit_pairs(struct worker *w __maybe_unused)
{
	__u32 i, loops = sh->limit / 8 + 1;

	expect_ret("cgroup.procs", enter(path("/m0/l1")), 0);
	for (i = 0; i < loops; i++)
		expect_ret("a page, in a loop",
			   selftest_write("pairs", FIT_PAIRS), 0);
}

static void refused_leaf(struct worker *w)
{
	refused_again(w, path("/m0/l2"), 2 * GIB);
}

static void refused_m0(struct worker *w)
{
	refused_again(w, path("/m0/l0"), 4 * GIB);
}

static void refused_m2(struct worker *w)
{
	refused_again(w, path("/m2/l0"), 1);
}

static void refused_top(struct worker *w)
{
	refused_again(w, path("/m1/l1"), 10 * GIB);
}

static void expect_max_events(const char *cgroup, const char *file, __u64 want)
{
	unsigned long long seen;
	char text[64];
	int ret;

	ret = dmem_read_text(cgroup, file, heap->region, text, sizeof(text));
	if (ret || sscanf(text, "low %*u max %llu", &seen) != 1)
		case_fail("%s/%s: no events", cgroup, file);
	if (seen != want)
		case_fail("%s/%s: expected max %llu, seen %llu", cgroup, file,
			  (unsigned long long)want, seen);
}

static void test_fit(const struct cma_heap *unused __maybe_unused)
{
	/* In this order: the first three end, the others wait for that */
	static void (* const workers[])(struct worker *w) = {
		fit_m0, fit_m1, fit_pairs,
		refused_leaf, refused_m0, refused_m2, refused_top,
	};
	enum { FITS = 3, LEAF = FITS, M0, M2, TOP };
	/* The loop has a page all the time, and charges another one */
	__u64 pages = 2 * page;
	struct crew crew = { .count = 0 };
	const __u32 *refused = sh->refused;
	unsigned int i;
	int fd;

	begin_case(&selftest, 1, 15);
	make_tree();
	expect_ret("dmem.max", set_limit(sb.top, "dmem.max", 14 * GIB + pages), 0);
	expect_ret("dmem.max",
		   set_limit(path("/m0"), "dmem.max", 8 * GIB + pages), 0);
	expect_ret("dmem.max", set_limit(path("/m0/l2"), "dmem.max", GIB), 0);
	expect_ret("dmem.max", set_limit(path("/m2"), "dmem.max", 0), 0);
	sh->limits_hold = true;

	expect_ret("cgroup.procs", enter(path("/m0/l1")), 0);
	fd = hold_open();
	expect_ret("5 GiB", hold_write(fd, 5 * GIB), 0);
	expect_ret("cgroup.procs", enter(sb.root), 0);

	for (i = 0; i < ARRAY_SIZE(workers); i++)
		crew_add(&crew, workers[i]);
	crew_go(&crew);
	while (crew.pids[0] || crew.pids[1] || crew.pids[2])
		crew_watch(&crew);
	crew_stop(&crew);

	expect_max_events(path("/m0/l2"), "dmem.events.local", refused[LEAF]);
	expect_max_events(path("/m0"), "dmem.events.local", refused[M0]);
	expect_max_events(path("/m0"), "dmem.events", refused[LEAF] + refused[M0]);
	expect_max_events(path("/m0/l0"), "dmem.events", 0);
	expect_max_events(path("/m1"), "dmem.events", 0);
	expect_max_events(path("/m2"), "dmem.events.local", refused[M2]);
	expect_max_events(path("/m2/l0"), "dmem.events.local", 0);
	expect_max_events(sb.top, "dmem.events.local", refused[TOP]);
	expect_max_events(sb.top, "dmem.events", (__u64)refused[LEAF] +
			  refused[M0] + refused[M2] + refused[TOP]);
	expect_dmem(path("/m0/l0"), "dmem.peak", heap, 3 * GIB);
	expect_dmem(path("/m0/l1"), "dmem.peak", heap, 5 * GIB + pages);
	expect_dmem(path("/m0/l2"), "dmem.peak", heap, 0);
	expect_dmem(path("/m1"), "dmem.peak", heap, 6 * GIB);
	expect_dmem(path("/m1/l1"), "dmem.peak", heap, 0);
	expect_dmem(path("/m2"), "dmem.peak", heap, 0);
	expect_dmem(path("/m0"), "dmem.current", heap, 5 * GIB);
	close(fd);
	end_case();
}

/*
 * All want the room that is there for one of them, from two cgroups: never do
 * two have it, not even for a moment, or the peak would tell. Each refusal
 * counts once, at the limit.
 *
 * top/m0		max 3 GiB
 * top/m0/l0, l1	ask for 2 GiB
 */
#define ROOM_TRIES	8

static void room_worker(struct worker *w)
{
	int fd = hold_open(), i, ret;

	expect_ret("cgroup.procs", enter(leaf_path(w->index % 2)), 0);
	while (next_op()) {
		for (i = 0; i < ROOM_TRIES; i++) {
			ret = hold_write(fd, 2 * GIB);
			allow("charge", ret, EAGAIN);
			if (ret) {
				count(sh->refused[w->index]);
			} else {
				count(sh->granted);
				expect_ret("release", hold_write(fd, 0), 0);
			}
		}
	}
	close(fd);
}

static void test_room(const struct cma_heap *unused __maybe_unused)
{
	__u64 refused = 0;
	unsigned int i;

	begin_case(&selftest, 1, 15);
	make_tree();
	expect_ret("dmem.max", set_limit(path("/m0"), "dmem.max", 3 * GIB), 0);
	sh->limits_hold = true;

	run_to_end(room_worker);

	for (i = 0; i < WORKERS; i++)
		refused += sh->refused[i];
	expect_dmem(path("/m0"), "dmem.peak", heap, 2 * GIB);
	expect_max_events(path("/m0"), "dmem.events.local", refused);
	expect_dmem(path("/m0"), "dmem.current", heap, 0);
	end_case();
}

/*
 * Each worker has a cgroup m of its own, with leaves that it makes, removes,
 * limits, charges, and takes the controller from, so that it knows the result
 * of everything it does, however busy the rest of the tree is: what is charged
 * in a leaf stays in m when the leaf goes, in top when m goes, and a new cgroup
 * of the same name starts from nothing.
 */
struct own_charge {
	int fd;
	int leaf;	/* -1: gone, or charged in m itself */
	bool in_mid;	/* else m is gone */
	__u64 bytes;
};

struct own_group {
	bool exists;
	__u64 usage;
	__u64 max;
};

struct own_tree {
	struct worker *w;
	bool enabled;
	struct own_group mid;
	struct own_group leaves[LEAVES];
	struct own_charge charges[HELD];
};

static const struct own_group new_group = { .exists = true, .max = DMEM_MAX };

static const char *own_leaf(struct own_tree *own, unsigned int leaf)
{
	return path("/m%u/l%u", own->w->index, leaf);
}

static const char *own_mid(struct own_tree *own)
{
	return path("/m%u", own->w->index);
}

static void own_check_group(const char *cgroup, struct own_group *group)
{
	expect_dmem(cgroup, "dmem.current", heap, group->usage);
	expect_dmem(cgroup, "dmem.max", heap, group->max);
}

static void own_check(struct own_tree *own)
{
	unsigned int i;

	own_check_group(own_mid(own), &own->mid);
	for (i = 0; i < LEAVES && own->enabled; i++)
		if (own->leaves[i].exists)
			own_check_group(own_leaf(own, i), &own->leaves[i]);
}

/* What was charged there is charged only further up from now on */
static void own_leaf_gone(struct own_tree *own, unsigned int leaf)
{
	unsigned int i;

	own->leaves[leaf].usage = 0;
	own->leaves[leaf].max = DMEM_MAX;
	for (i = 0; i < HELD; i++)
		if (own->charges[i].leaf == (int)leaf)
			own->charges[i].leaf = -1;
}

static void own_remove_leaf(struct own_tree *own, unsigned int leaf)
{
	expect_ret("rmdir of a leaf",
		   rmdir(own_leaf(own, leaf)) ? -errno : 0, 0);
	own_leaf_gone(own, leaf);
	own->leaves[leaf].exists = false;
}

static void own_new_mid(struct own_tree *own)
{
	expect_ret("mkdir of m", cgroup_make(own_mid(own)), 0);
	expect_ret("+dmem", control(own_mid(own), "+dmem"), 0);
	own->mid = new_group;
	own->enabled = true;
}

static void own_replace_mid(struct own_tree *own)
{
	unsigned int i;

	for (i = 0; i < LEAVES; i++)
		if (own->leaves[i].exists)
			own_remove_leaf(own, i);
	for (i = 0; i < HELD; i++)
		own->charges[i].in_mid = false;
	expect_ret("rmdir of m", rmdir(own_mid(own)) ? -errno : 0, 0);
	own_new_mid(own);
}

static void own_toggle(struct own_tree *own)
{
	unsigned int i;

	if (own->enabled) {
		expect_ret("-dmem", control(own_mid(own), "-dmem"), 0);
		for (i = 0; i < LEAVES; i++)
			own_leaf_gone(own, i);
	} else {
		expect_ret("+dmem", control(own_mid(own), "+dmem"), 0);
	}
	own->enabled = !own->enabled;
}

static void own_limit(struct own_tree *own)
{
	__u64 max = random_next64(&own->w->random) % (8 * GIB);
	unsigned int leaf = random_below(&own->w->random, LEAVES + 1);
	static const char * const protections[] = { "dmem.min", "dmem.low" };
	const char *protection = protections[random_below(&own->w->random, 2)];

	if (random_once_in(&own->w->random, 3))
		max = DMEM_MAX;
	if (leaf == LEAVES) {
		expect_ret("dmem.max of m",
			   set_limit(own_mid(own), "dmem.max", max), 0);
		own->mid.max = max;
	} else if (own->enabled && own->leaves[leaf].exists) {
		expect_ret("dmem.max",
			   set_limit(own_leaf(own, leaf), "dmem.max", max), 0);
		own->leaves[leaf].max = max;
		expect_ret(protection,
			   set_limit(own_leaf(own, leaf), protection, max / 2), 0);
	}
}

static bool own_fits(const struct own_group *group, __u64 bytes)
{
	return group->usage <= group->max &&
	       bytes <= group->max - group->usage;
}

static void own_release(struct own_tree *own, struct own_charge *charge)
{
	if (charge->fd < 0)
		return;
	/* This one gives back at once, closing when the task is back */
	expect_ret("release", hold_write(charge->fd, 0), 0);
	close(charge->fd);
	if (charge->leaf >= 0)
		own->leaves[charge->leaf].usage -= charge->bytes;
	if (charge->in_mid)
		own->mid.usage -= charge->bytes;
	charge->fd = -1;
	charge->leaf = -1;
	charge->in_mid = false;
}

static void own_charge(struct own_tree *own, unsigned int leaf)
{
	struct own_charge *charge;
	__u64 bytes = random_next64(&own->w->random) % (4 * GIB) + 1;
	bool fits;
	int ret;

	charge = &own->charges[random_below(&own->w->random, HELD)];
	own_release(own, charge);

	fits = own_fits(&own->mid, bytes) &&
	       (!own->enabled || own_fits(&own->leaves[leaf], bytes));
	expect_ret("cgroup.procs", enter(own_leaf(own, leaf)), 0);
	charge->fd = hold_open();
	ret = hold_write(charge->fd, bytes);
	expect_ret("cgroup.procs", enter(sb.root), 0);
	expect_ret(fits ? "a charge that fits" : "a charge that does not fit",
		   ret, fits ? 0 : EAGAIN);
	if (!fits) {
		drop(&charge->fd);
		count(sh->refused[own->w->index]);
		return;
	}
	count(sh->granted);
	charge->bytes = bytes;
	charge->in_mid = true;
	own->mid.usage += bytes;
	if (own->enabled) {
		charge->leaf = leaf;
		own->leaves[leaf].usage += bytes;
	}
}

static void own_step(struct own_tree *own)
{
	unsigned int leaf = random_below(&own->w->random, LEAVES);
	unsigned int action = random_below(&own->w->random, 16);

	if (!own->leaves[leaf].exists) {
		expect_ret("mkdir of a leaf", cgroup_make(own_leaf(own, leaf)), 0);
		own->leaves[leaf] = new_group;
	} else if (action < 7) {
		own_charge(own, leaf);
	} else if (action < 10) {
		own_release(own, &own->charges[random_below(&own->w->random, HELD)]);
	} else if (action < 12) {
		own_limit(own);
	} else if (action < 14) {
		own_remove_leaf(own, leaf);
	} else if (action < 15 || random_once_in(&own->w->random, 2)) {
		own_toggle(own);
	} else {
		own_replace_mid(own);
	}
}

static void cgroups_worker(struct worker *w)
{
	struct own_tree own = { .w = w };
	unsigned int i;

	for (i = 0; i < HELD; i++) {
		own.charges[i].fd = -1;
		own.charges[i].leaf = -1;
	}
	own_new_mid(&own);
	while (next_op()) {
		own_step(&own);
		own_check(&own);
	}
	/* Without anybody in them, and with what is held given back by exiting */
	for (i = 0; i < LEAVES; i++)
		if (own.leaves[i].exists)
			own_remove_leaf(&own, i);
	expect_ret("rmdir of m", rmdir(own_mid(&own)) ? -errno : 0, 0);
}

static void test_cgroups(const struct cma_heap *unused __maybe_unused)
{
	begin_case(&selftest, 1, 12);
	run_to_end(cgroups_worker);
	end_case();
}

/*
 * Drivers are unbound while they are being asked to reclaim. The module itself
 * notices if one is asked when it is gone.
 *
 * top/r	where the regions of churn are charged, and limited to nothing
 */
static unsigned long reclaims(void)
{
	char *text = dmem_read_file(SELFTEST_DIR, "churn"), *end;
	unsigned long n;

	if (!text)
		case_fail("dmem_selftest/churn: %s", strerror(errno));
	n = strtoul(text, &end, 10);
	if (end == text)
		case_fail("dmem_selftest/churn: '%s'", text);
	free(text);
	return n;
}

static unsigned long reclaims_before;

/* A few operations may have been too few */
static void reclaim_bound(struct worker *w)
{
	unsigned int more = 10000;

	expect_ret("cgroup.procs", enter(path("/r")), 0);
	while (next_op() || (reclaims() == reclaims_before && more--))
		do_churn(w);
}

/* Before the charge it is refused, after it reclaim is called */
static void reclaim_limit(struct worker *w)
{
	char text[64];

	while (!load(sh->stop)) {
		snprintf(text, sizeof(text), "%s 0",
			 churn_names[random_below(&w->random,
						  ARRAY_SIZE(churn_names))]);
		allow("dmem.max", dmem_write_text(path("/r"), "dmem.max", text),
		      ENODEV);
	}
}

static void test_reclaim(const struct cma_heap *unused __maybe_unused)
{
	struct crew crew = { .count = 0 };

	begin_case(&selftest, 1, 5);
	reclaims_before = reclaims();
	expect_ret("making a cgroup", cgroup_make(path("/r")), 0);
	crew_add(&crew, reclaim_bound);
	crew_add(&crew, reclaim_bound);
	crew_add(&crew, reclaim_limit);
	crew_add(&crew, reclaim_limit);
	crew_go(&crew);
	while (crew.pids[0] || crew.pids[1])
		crew_watch(&crew);
	crew_stop(&crew);
	remove_soon(path("/r"));
	ksft_print_msg("%lu calls of reclaim\n", reclaims() - reclaims_before);
	if (reclaims() == reclaims_before)
		case_fail("no driver was asked to reclaim");
	end_case();
}

static const struct {
	void (*fn)(const struct cma_heap *heap);
	const char *name;
	bool each_heap;
} cases[] = {
	{ test_tree,		"stress_tree",		false },
	{ test_limits_hold,	"stress_limits_hold",	false },
	{ test_fit,		"stress_fit",		false },
	{ test_room,		"stress_room",		false },
	{ test_regions,		"stress_regions",	false },
	{ test_reclaim,		"stress_reclaim",	false },
	{ test_cgroups,		"stress_cgroups",	false },
	{ test_heaps,		"stress_heaps",		true },
};

static void run_case(size_t i, const struct cma_heap *on)
{
	unsigned int seconds = CASE_SECONDS + total_ops / OPS_PER_SECOND;
	char name[CMA_HEAP_NAME_SIZE + 64];
	int result;

	if (on)
		snprintf(name, sizeof(name), "%s:%s", cases[i].name, on->name);
	else
		snprintf(name, sizeof(name), "%s", cases[i].name);
	result = sandbox_run(&sb, cases[i].fn, on, seconds);
	if (result == KSFT_SKIP)
		ksft_test_result_code(KSFT_SKIP, name, "%s", sb.reason);
	else
		ksft_test_result_code(result, name, NULL);
}

int main(void)
{
	unsigned int plan = 0, j;
	size_t i;
	int ret;

	ksft_print_header();
	if (geteuid())
		ksft_exit_skip("needs root\n");
	page = page_size();
	ret = sandbox_open(&sb, "dmem_stress");
	if (ret)
		ksft_exit_fail_msg("no sandbox: %s\n", strerror(-ret));
	if (!sb.accounting)
		ksft_exit_skip("%s\n", sb.why);
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		ksft_exit_fail_msg("mmap: %s\n", strerror(errno));

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		plan += !cases[i].each_heap;
	for (j = 0; j < sb.heaps.count; j++)
		plan += sb.heaps.heap[j].region[0] && !sb.heaps.heap[j].is_alias;
	if (!has_selftest() && plan < ARRAY_SIZE(cases)) {
		sandbox_close(&sb);
		ksft_exit_skip("no CONFIG_CGROUP_DMEM_SELFTEST, or no debugfs, and no CMA heap\n");
	}

	seed = repeatable_seed();
	total_ops = repeatable_ops(OPS);
	ksft_print_msg("DMEM_TEST_SEED=%u DMEM_TEST_OPS=%u\n", seed, total_ops);
	ksft_set_plan(plan);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		if (!cases[i].each_heap) {
			run_case(i, NULL);
			continue;
		}
		for (j = 0; j < sb.heaps.count; j++)
			if (sb.heaps.heap[j].region[0] &&
			    !sb.heaps.heap[j].is_alias)
				run_case(i, &sb.heaps.heap[j]);
	}

	if (has_selftest())
		selftest_write("regions", 1);
	sandbox_close(&sb);
	ksft_finished();
}
