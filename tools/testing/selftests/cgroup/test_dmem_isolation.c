// SPDX-License-Identifier: GPL-2.0
/*
 * What an unprivileged user can do to others through dmem and the CMA heaps:
 * nothing. Each case is an attempt.
 *
 * The user has a delegated cgroup, and lives below it in a user, cgroup, mount
 * and pid namespace of his own, as in a rootless container. He has descriptors
 * of the heaps, which somebody must have given to him.
 *
 *	sb.top/hidden		limits what the user gets; he cannot see its name
 *	sb.top/hidden/u		delegated; root of the user's cgroup namespace
 *	sb.top/hidden/u/leaf	made by the user, who lives there
 *	sb.top/sibling		somebody else's
 *
 * With --runner=PROGRAM he does so in a container that PROGRAM makes:
 *
 *	PROGRAM CGROUP USER DESCRIPTORS TEST ARGUMENTS...
 *
 * runs TEST, a program without libraries, with a root that is USER outside. Its
 * cgroup, and the root of what is mounted on /sys/fs/cgroup, is CGROUP, a path
 * below the mount outside. It has that many descriptors from 3 on.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <linux/dma-heap.h>
#include <linux/dma-heap-info.h>
#include <linux/userfaultfd.h>

#include "kselftest.h"
#include "cgroup_util.h"
#include "../dmabuf-heaps/lib/cma_heap_util.h"
#include "../dmabuf-heaps/lib/shared_number.h"
#include "../dmabuf-heaps/lib/waits.h"

#define CASE_SECONDS	60
#define NOBODY		65534

/* Buffers and files to hoard; many enough that batches of statistics are few */
#define MANY		1000

/* Threads whose writes do not end */
#define WRITERS		100

/* Less than a dma_buf, which is larger than what the heap notes about it */
#define BYTES_OF_BUFFER	(40 * sizeof(long))

/* As much as a limit file takes in one write, in bytes */
#define LIMIT_TEXT	65536

/* How long statistics of memory may be behind, in milliseconds */
#define STAT_DELAY	3000

static struct dmem_sandbox sb;
static __u64 page;

/* What makes containers; NULL: namespaces are made here */
static const char *runner;

/**
 * struct user - the user, and what he was given
 * @heap:	the heap that he may allocate from
 * @heap_fd:	open on its device
 * @given_fd:	a buffer that was charged to somebody else, or -1
 * @faults_fd:	makes descriptors that tell him of faults in his memory
 * @begun_fd:	others go on once he has written to it
 * @over_fd:	at its end once they are done
 * @hidden:	its path, as it is outside
 * @sibling:	the same
 * @u:		outside
 * @dir:	where the user mounts his view of the cgroups
 * @root:	the same as @u, in that view
 * @leaf:	in that view
 * @outside:	the errno of paths as they are outside
 */
struct user {
	const struct cma_heap *heap;
	int heap_fd;
	int given_fd;
	int faults_fd;
	int begun_fd;
	int over_fd;
	char *hidden;
	char *sibling;
	char *u;
	char dir[64];
	char *root;
	char *leaf;
	int outside;
};

/* Root's part */

static char *create(const char *parent, const char *name)
{
	char *path = cg_name(parent, name);

	if (!path || cg_create(path))
		case_fail("creating %s: %s", name, strerror(errno));
	return path;
}

static void control(const char *cgroup, char *change)
{
	int ret = cg_write(cgroup, "cgroup.subtree_control", change);

	if (ret)
		case_fail("%s/cgroup.subtree_control: %s: %s", cgroup, change,
			  strerror(-ret));
}

static void enter(const char *cgroup)
{
	int ret = cg_enter_current(cgroup);

	if (ret)
		case_fail("entering %s: %s", cgroup, strerror(-ret));
}

static int try_set_max(const char *cgroup, const struct cma_heap *heap,
		       const char *value)
{
	char text[CMA_HEAP_NAME_SIZE + 64];

	snprintf(text, sizeof(text), "%s %s\n", heap->region, value);
	return dmem_write(cgroup, "dmem.max", text, strlen(text));
}

static void set_max_pages(const char *cgroup, const struct cma_heap *heap,
			  unsigned int pages)
{
	char value[32];
	int ret;

	snprintf(value, sizeof(value), "%llu",
		 (unsigned long long)pages * page);
	ret = try_set_max(cgroup, heap, value);
	if (ret)
		case_fail("%s/dmem.max: %s", cgroup, strerror(-ret));
}

static void give_to_user(const char *cgroup, const char *file)
{
	char *path = *file ? cg_control(cgroup, file) : strdup(cgroup);

	if (chown(path, NOBODY, NOBODY))
		case_fail("chown %s: %s", path, strerror(errno));
	free(path);
}

/* As systemd delegates, and /sys/kernel/cgroup/delegate says */
static void delegate(const char *cgroup)
{
	give_to_user(cgroup, "");
	give_to_user(cgroup, "cgroup.procs");
	give_to_user(cgroup, "cgroup.threads");
	give_to_user(cgroup, "cgroup.subtree_control");
}

static void prepare(struct user *user, const struct cma_heap *heap)
{
	memset(user, 0, sizeof(*user));
	user->heap = heap;
	user->given_fd = -1;
	user->faults_fd = -1;
	user->begun_fd = -1;
	user->over_fd = -1;
	user->heap_fd = cma_heap_open(heap);
	if (user->heap_fd < 0)
		case_fail("%s: %s", heap->name, strerror(-user->heap_fd));

	user->sibling = create(sb.top, "sibling");
	user->hidden = create(sb.top, "hidden");
	control(user->hidden, "+dmem");
	user->u = create(user->hidden, "u");
	delegate(user->u);

	snprintf(user->dir, sizeof(user->dir), "/tmp/dmem_isolation.XXXXXX");
	if (!mkdtemp(user->dir) || chmod(user->dir, 0755))
		case_fail("%s: %s", user->dir, strerror(errno));
}

/* Becoming the user */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		case_fail("%s: %s", path, strerror(errno));
	close(fd);
}

static void leave_privileges(void)
{
	char map[32];

	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		case_fail("becoming user %d: %s", NOBODY, strerror(errno));
	/* or what is in /proc/self belongs to root */
	if (prctl(PR_SET_DUMPABLE, 1))
		case_fail("PR_SET_DUMPABLE: %s", strerror(errno));

	if (unshare(CLONE_NEWUSER))
		case_fail("a user namespace: %s", strerror(errno));
	snprintf(map, sizeof(map), "0 %d 1", NOBODY);
	write_file("/proc/self/setgroups", "deny");
	write_file("/proc/self/uid_map", map);
	write_file("/proc/self/gid_map", map);
	if (unshare(CLONE_NEWCGROUP | CLONE_NEWNS | CLONE_NEWPID))
		case_fail("namespaces: %s", strerror(errno));
}

static void mount_cgroups(struct user *user)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		case_fail("private mounts: %s", strerror(errno));
	if (mount("none", user->dir, "cgroup2", 0, NULL))
		case_fail("mounting cgroups: %s", strerror(errno));
	user->root = user->dir;
	user->leaf = cg_name(user->root, "leaf");
	user->outside = EACCES;
	control(user->root, "+dmem");
}

/* In a container: the other program that this one is there */

enum {
	FD_HANDOVER = STDERR_FILENO + 1,
	FD_HEAP,
	FD_GIVEN,
	FD_FAULTS,
	FD_BEGUN,
	FD_OVER,
	FD_END
};

/**
 * struct handover - what it needs to know, beside descriptors
 * @heap:	of struct user
 * @u:		id of the cgroup to be in
 * @top:	sb.top
 */
struct handover {
	struct cma_heap heap;
	__u64 u;
	char top[sizeof(sb.top)];
};

static int hand_over(const struct user *user)
{
	struct handover over = { .heap = *user->heap };
	int fd = memfd_create("isolation", 0);

	snprintf(over.top, sizeof(over.top), "%s", sb.top);
	expect_done(user->u, dmem_cgroup_id(user->u, &over.u));
	if (fd < 0 || pwrite(fd, &over, sizeof(over), 0) != sizeof(over))
		case_fail("memfd: %s", strerror(errno));
	return fd;
}

/* @fds become those from FD_HANDOVER on; those that are -1 are of no use there */
static void give_descriptors(int fds[FD_END])
{
	int fd;

	for (fd = FD_HANDOVER; fd < FD_END; fd++) {
		if (fds[fd] < 0)
			fds[fd] = open("/dev/null", O_RDWR);
		fds[fd] = fcntl(fds[fd], F_DUPFD_CLOEXEC, FD_END);
		if (fds[fd] < 0)
			case_fail("descriptor %d: %s", fd, strerror(errno));
	}
	for (fd = FD_HANDOVER; fd < FD_END; fd++)
		if (dup2(fds[fd], fd) != fd)
			case_fail("descriptor %d: %s", fd, strerror(errno));
}

static void __noreturn run_container(const struct user *user, const char *attempt)
{
	int fds[FD_END] = {
		[FD_HANDOVER] = hand_over(user),
		[FD_HEAP] = user->heap_fd,
		[FD_GIVEN] = user->given_fd,
		[FD_FAULTS] = user->faults_fd,
		[FD_BEGUN] = user->begun_fd,
		[FD_OVER] = user->over_fd,
	};
	char uid[16], descriptors[16], test[PATH_MAX], option[64];
	ssize_t len;

	len = readlink("/proc/self/exe", test, sizeof(test) - 1);
	if (len < 0)
		case_fail("/proc/self/exe: %s", strerror(errno));
	test[len] = '\0';
	give_descriptors(fds);
	snprintf(uid, sizeof(uid), "%d", NOBODY);
	snprintf(descriptors, sizeof(descriptors), "%d", FD_END - FD_HANDOVER);
	snprintf(option, sizeof(option), "--attempt=%s", attempt);
	execl(runner, runner, user->u + strlen(sb.root), uid, descriptors, test,
	      option, NULL);
	case_fail("%s: %s", runner, strerror(errno));
}

/* There: what as_user() prepares where there is no container */
static void find_yourself(struct user *user)
{
	static struct handover over;
	__u64 id;

	if (pread(FD_HANDOVER, &over, sizeof(over), 0) != sizeof(over))
		case_fail("not called by --runner");
	snprintf(sb.top, sizeof(sb.top), "%s", over.top);
	memset(user, 0, sizeof(*user));
	user->heap = &over.heap;
	user->heap_fd = FD_HEAP;
	user->given_fd = FD_GIVEN;
	user->faults_fd = FD_FAULTS;
	user->begun_fd = FD_BEGUN;
	user->over_fd = FD_OVER;
	user->sibling = cg_name(sb.top, "sibling");
	user->hidden = cg_name(sb.top, "hidden");
	user->u = cg_name(user->hidden, "u");
	user->outside = ENOENT;

	user->root = "/sys/fs/cgroup";
	/* the attempts would show nothing as somebody else, elsewhere */
	if (getpid() != 1)
		case_fail("not the first process of a pid namespace");
	expect_done(user->root, dmem_cgroup_id(user->root, &id));
	expect_value("the container's cgroup", id, over.u);
	user->leaf = create(user->root, "leaf");
	enter(user->leaf);
	control(user->root, "+dmem");
}

static const char *attempt_name(void (*attempt)(struct user *user));

/* Runs @attempt as the user; it returns if nothing was wrong */
static void as_user(struct user *user, void (*attempt)(struct user *user))
{
	pid_t pid, inner;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		case_fail("fork: %s", strerror(errno));
	if (!pid && runner)
		run_container(user, attempt_name(attempt));
	if (!pid) {
		/* its root is where the namespace is made */
		enter(user->u);
		leave_privileges();
		enter(create(user->u, "leaf"));
		/* the first process of the pid namespace */
		inner = fork();
		if (inner < 0)
			case_fail("fork: %s", strerror(errno));
		if (inner) {
			expect_exit(inner, 0);
			exit(0);
		}
		mount_cgroups(user);
		attempt(user);
		exit(0);
	}
	expect_exit(pid, 0);
	rmdir(user->dir);
}

/* A descriptor, or the negative errno */
static int allocate_flags(const struct user *user, __u64 len, __u64 heap_flags)
{
	struct dma_heap_allocation_data data = {
		.len = len,
		.fd_flags = O_RDWR | O_CLOEXEC,
		.heap_flags = heap_flags,
	};

	return ioctl(user->heap_fd, DMA_HEAP_IOCTL_ALLOC, &data) ? -errno :
								   (int)data.fd;
}

static int allocate(const struct user *user, unsigned int pages)
{
	return allocate_flags(user, pages * page, 0);
}

static void expect_errno(const char *what, int seen, int want)
{
	const char *text = seen < 0 ? strerror(-seen) : "success";

	if (seen != -want)
		case_fail("%s: expected %s, seen %s", what, strerror(want),
			  text);
}

static void expect_pages(const char *cgroup, const struct user *user,
			 unsigned int pages)
{
	expect_dmem_soon(cgroup, "dmem.current", user->heap, pages * page);
}

/* Attempt: more than the limit above allows */

static void exceed_limit(struct user *user)
{
	int fd, more;

	expect_errno("his own root's limit",
		     try_set_max(user->root, user->heap, "max"), EACCES);
	expect_errno("the limit above",
		     try_set_max(user->hidden, user->heap, "max"), user->outside);
	if (try_set_max(user->leaf, user->heap, "max"))
		case_fail("a limit of his own must be his");

	expect_errno("more than all", allocate(user, 5), ENOSPC);
	fd = allocate(user, 4);
	if (fd < 0)
		case_fail("what the limit has room for: %s", strerror(-fd));
	expect_errno("a page too many", allocate(user, 1), ENOSPC);

	/* without controller, and in a cgroup that is new */
	expect_errno("room by -dmem", cg_write(user->root,
					       "cgroup.subtree_control",
					       "-dmem"), 0);
	expect_errno("after -dmem", allocate(user, 1), ENOSPC);
	control(user->root, "+dmem");
	expect_errno("after +dmem", allocate(user, 1), ENOSPC);
	enter(create(user->root, "fresh"));
	expect_errno("from a new cgroup", allocate(user, 1), ENOSPC);

	close(fd);
	more = allocate(user, 4);
	if (more < 0)
		case_fail("what was given back: %s", strerror(-more));
	close(more);
}

static void test_limit(const struct cma_heap *heap)
{
	struct user user;

	prepare(&user, heap);
	set_max_pages(user.hidden, heap, 4);
	as_user(&user, exceed_limit);
	expect_pages(user.hidden, &user, 0);
}

/* Attempt: memory that somebody else is charged for */

static void charge_others(struct user *user)
{
	char *procs = cg_control(user->sibling, "cgroup.procs");
	int fd = open(procs, O_WRONLY | O_CLOEXEC);

	expect_errno(procs, fd < 0 ? -errno : 0, user->outside);

	/* who opened the device does not matter, who holds the buffer neither */
	fd = allocate(user, 2);
	if (fd < 0)
		case_fail("allocating: %s", strerror(-fd));
	expect_pages(user->leaf, user, 2);
	expect_pages(user->root, user, 2);
	close(user->given_fd);
	expect_pages(user->root, user, 2);
}

static void test_charge(const struct cma_heap *heap)
{
	struct user user;

	prepare(&user, heap);
	enter(user.sibling);
	close(user.heap_fd);
	user.heap_fd = cma_heap_open(heap);
	user.given_fd = expect_alloc(heap, 3 * page, 0);
	enter(sb.root);

	as_user(&user, charge_others);
	/* his copy is closed, ours is not */
	expect_dmem(user.sibling, "dmem.current", heap, 3 * page);
	expect_pages(user.hidden, &user, 0);
	close(user.given_fd);
	expect_pages(user.sibling, &user, 0);
}

/* Attempt: names of cgroups that are outside of his namespace */

static void expect_no_names(const struct user *user, const char *path)
{
	static char text[65536];
	const char *top = strrchr(sb.top, '/') + 1;
	ssize_t got;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		case_fail("%s: %s", path, strerror(errno));
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (got < 0)
		case_fail("%s: %s", path, strerror(errno));
	text[got] = '\0';
	if (strstr(text, top) || strstr(text, "hidden") ||
	    strstr(text, "sibling"))
		case_fail("%s: a name from outside: %s", path, text);
}

static void learn_names(struct user *user)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", user->given_fd);
	expect_no_names(user, path);

	fd = allocate(user, 1);
	if (fd < 0)
		case_fail("allocating: %s", strerror(-fd));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	expect_no_names(user, path);

	dir = opendir(user->root);
	if (!dir)
		case_fail("%s: %s", user->root, strerror(errno));
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, "dmem.", 5))
			continue;
		snprintf(path, sizeof(path), "%s/%s", user->root,
			 entry->d_name);
		expect_no_names(user, path);
	}
	closedir(dir);
}

static void test_names(const struct cma_heap *heap)
{
	struct user user;

	prepare(&user, heap);
	enter(user.sibling);
	user.given_fd = expect_alloc(heap, page, 0);
	enter(sb.root);
	as_user(&user, learn_names);
	close(user.given_fd);
}

/* Attempt: to fill the kernel's log */

#define LOG_ROUNDS	500

/* Until there is not a page left: what is refused then was CMA's to refuse */
static void fill_area(struct user *user)
{
	__u64 chunk;

	for (chunk = user->heap->size / 8; chunk >= page; chunk /= 2)
		while (allocate_flags(user, page_round(chunk), 0) >= 0)
			;
}

static void ask_for_nonsense(struct user *user)
{
	static const char * const nonsense[] = {
		"", "\n", "x", "x 1\n", "cma/nothing 1\n", "\xff\xfe\n",
		"0 0 0 0\n",
	};
	unsigned int i, j;

	for (i = 0; i < LOG_ROUNDS; i++) {
		int fd = allocate(user, 5);

		if (fd >= 0)
			close(fd);
		allocate_flags(user, 0, 0);
		allocate_flags(user, ~0ULL, 0);
		allocate_flags(user, 1ULL << 62, 0);
		allocate_flags(user, user->heap->size + page, 0);
		allocate_flags(user, page, ~0ULL);
		ioctl(user->heap_fd, _IOWR('H', 0x77, char[40]), &i);
		ioctl(user->heap_fd, DMA_HEAP_IOCTL_ALLOC, NULL);
		for (j = 0; j < ARRAY_SIZE(nonsense); j++)
			dmem_write(user->leaf, "dmem.max", nonsense[j],
				   strlen(nonsense[j]));
	}
}

/* Beyond a limit, and from an area that is full */
static void make_noise(struct user *user)
{
	set_max_pages(user->leaf, user->heap, 4);
	ask_for_nonsense(user);
	/* Somebody else may need it just now */
	if (user->heap->is_default)
		return;
	expect_errno("no limit", dmem_set_limit(user->leaf, "dmem.max",
						user->heap, DMEM_MAX), 0);
	fill_area(user);
	expect_errno("from a full area", allocate(user, 5), ENOMEM);
	ask_for_nonsense(user);
}

/* Of the heap, its area or its region, from whatever part of the kernel */
static bool is_ours(const struct user *user, const char *record)
{
	static const char * const words[] = { "dmem", "dma", "cma", "isolation" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasestr(record, words[i]))
			return true;
	return strstr(record, user->heap->name);
}

static void test_log(const struct cma_heap *heap)
{
	struct user user;
	char record[8192];
	unsigned int lines = 0;
	ssize_t len;
	int log;

	prepare(&user, heap);
	log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (log < 0 || lseek(log, 0, SEEK_END) < 0)
		case_fail("/dev/kmsg: %s", strerror(errno));
	as_user(&user, make_noise);
	/* others may have a word, too; EPIPE: more than it holds */
	while ((len = read(log, record, sizeof(record) - 1)) >= 0 || errno == EPIPE) {
		lines++;
		if (len < 0)
			continue;
		record[len] = '\0';
		if (is_ours(&user, record))
			case_fail("in the log: %s", record);
	}
	close(log);
	if (lines > LOG_ROUNDS / 50)
		case_fail("%u lines in the log after %u rounds", lines,
			  LOG_ROUNDS);
}

/* Attempt: kernel memory that nobody is charged for */

static __s64 memory_stat(const struct user *user, const char *key)
{
	long bytes = cg_read_key_long(user->root, "memory.stat", key);

	if (bytes < 0)
		case_fail("memory.stat: no %s", key);
	return bytes;
}

static __s64 slab(const struct user *user)
{
	__u64 end = now_ms() + STAT_DELAY;

	while (sleep_until(end))
		;
	return memory_stat(user, "slab_unreclaimable ");
}

static void wait_for_dying(const struct user *user)
{
	__u64 end = deadline();

	while (cg_read_key_long(user->root, "cgroup.stat",
				"nr_dying_descendants "))
		if (!sleep_until(end))
			case_fail("cgroups do not go");
}

static void allow_files(void)
{
	struct rlimit limit = { 4 * MANY, 4 * MANY };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		case_fail("RLIMIT_NOFILE: %s", strerror(errno));
}

static void hoard_buffer(struct user *user, unsigned int i)
{
	int fd = allocate(user, 1);

	if (fd < 0)
		case_fail("buffer %u: %s", i, strerror(-fd));
}

/* Beside what any open file needs: what the kernel keeps of a buffer */
static void hoard_buffers(struct user *user)
{
	__s64 start, files, buffers;
	unsigned int i;

	start = slab(user);
	for (i = 0; i < MANY; i++)
		if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
			case_fail("/dev/null: %s", strerror(errno));
	files = slab(user) - start;
	for (i = 0; i < MANY; i++)
		hoard_buffer(user, i);
	buffers = slab(user) - start - files;
	if (buffers - files < MANY * BYTES_OF_BUFFER)
		case_fail("%u buffers: %lld bytes charged beside %lld", MANY,
			  (long long)(buffers - files), (long long)files);
	ksft_print_msg("%u buffers: %lld bytes, as many files: %lld\n", MANY,
		       (long long)buffers, (long long)files);
}

/*
 * Buffers of one cgroup, and as many whose cgroups are gone: what the latter
 * need in addition is what the controller keeps for each.
 */
static void hoard_pools(struct user *user)
{
	__s64 start, living, dead;
	char *cgroup;
	unsigned int i;

	start = slab(user);
	for (i = 0; i < MANY; i++)
		hoard_buffer(user, i);
	living = slab(user) - start;

	for (i = 0; i < MANY; i++) {
		cgroup = create(user->root, "gone");
		enter(cgroup);
		hoard_buffer(user, i);
		enter(user->leaf);
		if (rmdir(cgroup))
			case_fail("%s: %s", cgroup, strerror(errno));
		free(cgroup);
	}
	wait_for_dying(user);
	dead = slab(user) - start - living;
	if (dead - living < MANY * 100)
		case_fail("%u dead pools: %lld bytes charged beside %lld", MANY,
			  (long long)(dead - living), (long long)living);
	expect_pages(user->root, user, 2 * MANY);
}

static int open_file(const char *dir, const char *name, int flags)
{
	char *path = cg_name(dir, name);
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		case_fail("%s: %s", path, strerror(errno));
	free(path);
	return fd;
}

static void open_peaks(const struct user *user, int fds[MANY])
{
	unsigned int i;

	/* to have a pool */
	close(allocate(user, 1));
	for (i = 0; i < MANY; i++)
		fds[i] = open_file(user->leaf, "dmem.peak", O_RDWR);
}

static void reset_peak(int fd)
{
	if (write(fd, "1", 1) != 1)
		case_fail("dmem.peak: %s", strerror(errno));
}

static void hoard_peaks(struct user *user)
{
	__s64 opened, written;
	int fds[MANY];
	unsigned int i;

	open_peaks(user, fds);
	opened = slab(user);
	for (i = 0; i < MANY; i++)
		reset_peak(fds[i]);
	written = slab(user) - opened;
	if (written < MANY * 100)
		case_fail("%u views: %lld bytes charged", MANY,
			  (long long)written);
}

static void with_memory(const struct cma_heap *heap, int faults_fd,
			void (*attempt)(struct user *user))
{
	struct user user;

	if (cg_read_strstr(sb.root, "cgroup.subtree_control", "memory"))
		case_skip(&sb, "the memory controller is not enabled");
	if (heap->size < 2 * MANY * page)
		case_skip(&sb, "%s is too small", heap->name);
	allow_files();
	control(sb.top, "+memory");
	prepare(&user, heap);
	control(user.hidden, "+memory");
	user.faults_fd = faults_fd;
	as_user(&user, attempt);
}

static void test_pools(const struct cma_heap *heap)
{
	with_memory(heap, -1, hoard_pools);
}

static void test_buffers(const struct cma_heap *heap)
{
	with_memory(heap, -1, hoard_buffers);
}

static void test_peaks(const struct cma_heap *heap)
{
	with_memory(heap, -1, hoard_peaks);
}

/* Attempt: to delay somebody else by a lock of ours */

/* Where all is emulated one of them takes a quarter of a second */
#define DAYS	50

enum wait {
	WAIT_PAGE,
	WAIT_LIMIT,
	WAIT_CGROUP,
	NR_WAITS
};

/* What somebody who charges the same region does all day */
static void others_day(struct user *user, struct waits waits[NR_WAITS])
{
	char *home = cg_name(user->sibling, "home");
	char *guest = cg_name(user->sibling, "guest");
	unsigned int i;
	__u32 begin;

	for (i = 0; i < DAYS; i++) {
		begin = now_us();
		close(expect_alloc(user->heap, page, 0));
		waits_add(&waits[WAIT_PAGE], begin);

		begin = now_us();
		expect_done("his limit", dmem_set_limit(home, "dmem.max",
							user->heap, DMEM_MAX));
		waits_add(&waits[WAIT_LIMIT], begin);

		begin = now_us();
		expect_done(guest, cgroup_make(guest));
		enter(guest);
		close(expect_alloc(user->heap, page, 0));
		enter(home);
		expect_done(guest, cgroup_remove(guest));
		waits_add(&waits[WAIT_CGROUP], begin);
		usleep(1000);
	}
	free(home);
	free(guest);
}

static void print_waits(const struct user *user, struct waits alone[NR_WAITS],
			struct waits beside[NR_WAITS])
{
	static const char * const names[NR_WAITS] = {
		[WAIT_PAGE] = "a page",
		[WAIT_LIMIT] = "a limit",
		[WAIT_CGROUP] = "a cgroup made, charged and removed",
	};
	unsigned int i;

	ksft_print_msg("test_dmem_isolation: %s: others wait, in us (median, longest):",
		       user->heap->name);
	for (i = 0; i < NR_WAITS; i++)
		printf(" %s %u, %u, beside it %u, %u%s", names[i],
		       waits_median(&alone[i]), alone[i].longest,
		       waits_median(&beside[i]), beside[i].longest,
		       i < NR_WAITS - 1 ? ";" : "\n");
}

/* Others: before the user does something, and while he does */
static void be_others(struct user *user, int begun_fd)
{
	struct waits alone[NR_WAITS] = { { .nr = 0 } };
	struct waits beside[NR_WAITS] = { { .nr = 0 } };
	__u64 bytes;
	char byte;

	enter(cg_name(user->sibling, "home"));
	others_day(user, alone);
	if (read(begun_fd, &byte, 1) != 1)
		case_fail("the attempt has ended before it began");
	others_day(user, beside);
	/* and who looks after the user */
	expect_done("his limit", dmem_set_limit(user->u, "dmem.max", user->heap,
						DMEM_MAX));
	expect_done("his usage", dmem_read(user->u, "dmem.current",
					   user->heap->region, &bytes));
	expect_done("his peak", dmem_write(user->u, "dmem.peak", "1", 1));
	print_waits(user, alone, beside);
}

/* @attempt begins when it calls let_others_go_on(), which ends when they are done */
static void beside_others(struct user *user, void (*attempt)(struct user *user))
{
	int begun[2], over[2];
	pid_t pid;

	control(user->sibling, "+dmem");
	free(create(user->sibling, "home"));
	if (pipe2(begun, O_CLOEXEC) || pipe2(over, O_CLOEXEC))
		case_fail("pipe: %s", strerror(errno));
	pid = case_fork();
	if (!pid) {
		close(begun[1]);
		close(over[0]);
		be_others(user, begun[0]);
		exit(0);
	}
	close(begun[0]);
	close(over[1]);
	user->begun_fd = begun[1];
	user->over_fd = over[0];
	as_user(user, attempt);
	close(begun[1]);
	close(over[0]);
	expect_exit(pid, 0);
	expect_pages(user->hidden, user, 0);
	expect_pages(user->sibling, user, 0);
}

/* The user's: others go on, until they are done */
static void let_others_go_on(const struct user *user)
{
	char byte = 0;

	if (write(user->begun_fd, &byte, 1) != 1)
		case_fail("others: %s", strerror(errno));
	if (read(user->over_fd, &byte, 1))
		case_fail("others: %s", strerror(errno));
}

/*
 * ... that is held while the kernel copies from or to his memory: as he says when
 * the memory is there, as a file system of his own could, that may be never.
 */

enum { STOP_ALLOC, STOP_INFO, STOP_LIMIT, STOP_PEAK, STOP_READ, STOP_FDINFO, NR_STOPS };

/**
 * struct stop - a call that does not come back
 * @what:	for people
 * @fd:		called with
 * @request:	for ioctl(), or 0
 * @write:	if that is 0: how much to write(); 0: read() a page
 * @at:		memory that is not there
 */
struct stop {
	const char *what;
	int fd;
	unsigned long request;
	size_t write;
	char *at;
};

static void *call(void *data)
{
	const struct stop *stop = data;

	if (stop->request)
		ioctl(stop->fd, stop->request, stop->at);
	else if (stop->write)
		write(stop->fd, stop->at, stop->write);
	else
		read(stop->fd, stop->at, page);
	case_fail("%s: not stopped", stop->what);
}

/* A descriptor that tells of faults at @map, which are not handled otherwise */
static int stop_faults(const struct user *user, char *map, __u64 bytes)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { (unsigned long)map, bytes },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = ioctl(user->faults_fd, USERFAULTFD_IOC_NEW, O_CLOEXEC);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) ||
	    ioctl(fd, UFFDIO_REGISTER, &range))
		case_fail("userfaultfd: %s", strerror(errno));
	return fd;
}

static void stop_in_the_kernel(struct user *user)
{
	struct stop stops[NR_STOPS] = {
		[STOP_ALLOC] = { "allocating", .request = DMA_HEAP_IOCTL_ALLOC },
		[STOP_INFO] = { "asking", .request = DMA_HEAP_IOCTL_GET_INFO },
		[STOP_LIMIT] = { "dmem.max", .write = page },
		[STOP_PEAK] = { "dmem.peak", .write = page },
		[STOP_READ] = { "dmem.current" },
		[STOP_FDINFO] = { "fdinfo" },
	};
	unsigned int i, stopped = 0;
	struct uffd_msg msg;
	pthread_t thread;
	int buffer, faults;
	char name[16], *map;

	buffer = allocate(user, 1);
	if (buffer < 0)
		case_fail("allocating: %s", strerror(-buffer));
	snprintf(name, sizeof(name), "%d", buffer);
	stops[STOP_ALLOC].fd = user->heap_fd;
	stops[STOP_INFO].fd = user->heap_fd;
	stops[STOP_LIMIT].fd = open_file(user->leaf, "dmem.max", O_WRONLY);
	stops[STOP_PEAK].fd = open_file(user->leaf, "dmem.peak", O_WRONLY);
	stops[STOP_READ].fd = open_file(user->root, "dmem.current", O_RDONLY);
	stops[STOP_FDINFO].fd = open_file("/proc/thread-self/fdinfo", name, O_RDONLY);

	map = mmap(NULL, NR_STOPS * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		case_fail("mmap: %s", strerror(errno));
	faults = stop_faults(user, map, NR_STOPS * page);
	for (i = 0; i < NR_STOPS; i++) {
		stops[i].at = map + i * page;
		if (pthread_create(&thread, NULL, call, &stops[i]))
			case_fail("a thread: %s", strerror(errno));
	}
	while (stopped != (1 << NR_STOPS) - 1) {
		if (read(faults, &msg, sizeof(msg)) != sizeof(msg))
			case_fail("userfaultfd: %s", strerror(errno));
		stopped |= 1 << (msg.arg.pagefault.address - (unsigned long)map) / page;
	}
	let_others_go_on(user);
}

static int open_faults(void)
{
	int fd = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		case_skip(&sb, "/dev/userfaultfd: %s", strerror(errno));
	return fd;
}

static void test_stopped(const struct cma_heap *heap)
{
	struct user user;
	int faults = open_faults();

	prepare(&user, heap);
	user.faults_fd = faults;
	beside_others(&user, stop_in_the_kernel);
	close(faults);
}

/* Meanwhile the kernel keeps what it has copied so far: that is his memory */

/* What the kernel allocates for its own purposes, in pieces of any size */
static __s64 slab_and_vmalloc(const struct user *user)
{
	__s64 bytes = slab(user);

	return bytes + memory_stat(user, "vmalloc ");
}

static void hoard_writes(struct user *user)
{
	struct stop stops[WRITERS];
	struct uffd_msg msg;
	unsigned int i;
	pthread_t thread;
	__s64 start, stopped;
	int faults;
	char *map;

	map = mmap(NULL, LIMIT_TEXT, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		case_fail("mmap: %s", strerror(errno));
	faults = stop_faults(user, map, LIMIT_TEXT);
	/* one write at a time to an open file */
	for (i = 0; i < WRITERS; i++)
		stops[i] = (struct stop){
			.what = "dmem.max",
			.fd = open_file(user->leaf, "dmem.max", O_WRONLY),
			.write = LIMIT_TEXT,
			.at = map,
		};
	start = slab_and_vmalloc(user);
	for (i = 0; i < WRITERS; i++)
		if (pthread_create(&thread, NULL, call, &stops[i]))
			case_fail("a thread: %s", strerror(errno));
	for (i = 0; i < WRITERS; i++)
		if (read(faults, &msg, sizeof(msg)) != sizeof(msg))
			case_fail("userfaultfd: %s", strerror(errno));
	stopped = slab_and_vmalloc(user) - start;
	if (stopped < WRITERS * LIMIT_TEXT)
		case_fail("%u writes of %u bytes: %lld bytes charged", WRITERS,
			  LIMIT_TEXT, (long long)stopped);
}

static void test_writes(const struct cma_heap *heap)
{
	int faults = open_faults();

	with_memory(heap, faults, hoard_writes);
	close(faults);
}

/* ... that he takes without a pause, and keeps as long as he can */

/* How often he did it */
enum { RESETS, LIMITS, CGROUPS, NR_ATTACKS };

static __u32 *attacks;

static void reset_peaks(struct user *user)
{
	int fds[MANY];
	unsigned int i;

	open_peaks(user, fds);
	for (i = 0;; i = (i + 1) % MANY) {
		reset_peak(fds[i]);
		count(attacks[RESETS]);
	}
}

/* As many lines as there may be in one write: all but the last say nothing */
static void write_limits(struct user *user)
{
	static char text[LIMIT_TEXT];
	char setting[CMA_HEAP_NAME_SIZE + 64];
	size_t len;

	len = snprintf(setting, sizeof(setting), "%s max\n", user->heap->region);
	memset(text, '\n', sizeof(text));
	memcpy(text + sizeof(text) - len, setting, len);
	for (;;) {
		expect_done("dmem.max", dmem_write(user->leaf, "dmem.max", text,
						   sizeof(text)));
		count(attacks[LIMITS]);
	}
}

/* Each is charged, by a buffer that is given back when it is gone */
static void make_cgroups(struct user *user)
{
	char *cgroup = cg_name(user->root, "again");
	int fd;

	for (;;) {
		expect_done(cgroup, cgroup_make(cgroup));
		enter(cgroup);
		fd = allocate(user, 1);
		enter(user->leaf);
		expect_done(cgroup, cgroup_remove(cgroup));
		close(fd);
		count(attacks[CGROUPS]);
	}
}

static void (*const attackers[NR_ATTACKS])(struct user *user) = {
	[RESETS] = reset_peaks,
	[LIMITS] = write_limits,
	[CGROUPS] = make_cgroups,
};

/* They end with the first process of their namespace */
static void attack(struct user *user)
{
	__u32 before[NR_ATTACKS];
	unsigned int i;

	attacks = mmap(NULL, NR_ATTACKS * sizeof(*attacks), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (attacks == MAP_FAILED)
		case_fail("mmap: %s", strerror(errno));
	for (i = 0; i < NR_ATTACKS; i++)
		if (!case_fork())
			attackers[i](user);
	for (i = 0; i < NR_ATTACKS; i++) {
		while (!load(attacks[i])) {
			if (waitpid(-1, NULL, WNOHANG))
				case_fail("somebody has ended");
			usleep(1000);
		}
	}
	memcpy(before, attacks, sizeof(before));
	let_others_go_on(user);
	for (i = 0; i < NR_ATTACKS; i++) {
		if (load(attacks[i]) == before[i])
			case_fail("number %u has stopped", i);
		before[i] = load(attacks[i]) - before[i];
	}
	ksft_print_msg("test_dmem_isolation: %s: meanwhile %u resets of %u peaks,",
		       user->heap->name, before[RESETS], MANY);
	printf(" %u limits of %u KiB, %u cgroups removed\n", before[LIMITS],
	       LIMIT_TEXT / 1024, before[CGROUPS]);
}

static void test_locks(const struct cma_heap *heap)
{
	struct user user;

	allow_files();
	prepare(&user, heap);
	beside_others(&user, attack);
}

/* By the names that the program in a container is told */
static const struct {
	void (*fn)(struct user *user);
	const char *name;
} attempts[] = {
	{ exceed_limit,		"exceed_limit" },
	{ charge_others,	"charge_others" },
	{ learn_names,		"learn_names" },
	{ make_noise,		"make_noise" },
	{ hoard_buffers,	"hoard_buffers" },
	{ hoard_pools,		"hoard_pools" },
	{ hoard_peaks,		"hoard_peaks" },
	{ hoard_writes,		"hoard_writes" },
	{ stop_in_the_kernel,	"stop_in_the_kernel" },
	{ attack,		"attack" },
};

static const char *attempt_name(void (*attempt)(struct user *user))
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(attempts); i++)
		if (attempts[i].fn == attempt)
			return attempts[i].name;
	case_fail("an attempt that attempts[] does not name");
}

static void __noreturn attempt_here(const char *name)
{
	struct user user;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(attempts); i++)
		if (!strcmp(attempts[i].name, name))
			break;
	if (i == ARRAY_SIZE(attempts))
		case_fail("%s: no such attempt", name);
	find_yourself(&user);
	attempts[i].fn(&user);
	exit(KSFT_PASS);
}

/* Those that wait for statistics run with one region */
static const struct {
	void (*fn)(const struct cma_heap *heap);
	const char *name;
	bool once;
} cases[] = {
	{ test_limit,	"limit" },
	{ test_charge,	"charge" },
	{ test_names,	"names" },
	{ test_log,	"log" },
	{ test_buffers,	"buffers",	true },
	{ test_pools,	"pools",	true },
	{ test_peaks,	"peaks",	true },
	{ test_writes,	"writes",	true },
	{ test_stopped,	"stopped" },
	{ test_locks,	"locks" },
};

/* The next region's heap from @index on; -1 if there is none */
static int next_heap(unsigned int index)
{
	for (; index < sb.heaps.count; index++)
		if (sb.heaps.heap[index].region[0] &&
		    !sb.heaps.heap[index].is_alias)
			return index;
	return -1;
}

static void parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "attempt", required_argument, NULL, 'a' },
		{ "runner", required_argument, NULL, 'r' },
		{ }
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 'a':
			attempt_here(optarg);
		case 'r':
			runner = optarg;
			break;
		default:
			exit(KSFT_FAIL);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "%s: what is '%s'?\n", argv[0], argv[optind]);
		exit(KSFT_FAIL);
	}
}

int main(int argc, char **argv)
{
	char name[CMA_HEAP_NAME_SIZE + 64];
	unsigned int regions = 0, runs = 0;
	int at, result, ret;
	size_t i;

	page = page_size();
	parse_options(argc, argv);
	ksft_print_header();
	if (geteuid())
		ksft_exit_skip("needs root\n");
	if (runner && access(runner, X_OK))
		ksft_exit_fail_msg("%s: %s\n", runner, strerror(errno));
	ret = sandbox_open(&sb, "dmem_isolation");
	if (ret)
		ksft_exit_fail_msg("no sandbox: %s\n", strerror(-ret));
	if (!sb.accounting)
		ksft_exit_skip("%s\n", sb.why);
	for (at = next_heap(0); at >= 0; at = next_heap(at + 1))
		regions++;
	if (!regions) {
		sandbox_close(&sb);
		ksft_exit_skip("no heap in %s charges a CMA region\n",
			       CMA_HEAP_DIR);
	}

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		if (cases[i].once)
			runs++;
		else
			runs += regions;
	}
	ksft_set_plan(runs);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		for (at = next_heap(0); at >= 0; at = next_heap(at + 1)) {
			result = sandbox_run(&sb, cases[i].fn,
					     &sb.heaps.heap[at], CASE_SECONDS);
			snprintf(name, sizeof(name), "%s:%s", cases[i].name,
				 sb.heaps.heap[at].name);
			if (result == KSFT_SKIP)
				ksft_test_result_code(KSFT_SKIP, name, "%s",
						      sb.reason);
			else
				ksft_test_result_code(result, name, NULL);
			if (cases[i].once)
				break;
		}
	}

	sandbox_close(&sb);
	ksft_finished();
}
