// SPDX-License-Identifier: GPL-2.0
/*
 * CMA heaps, the dmem regions they charge, and the sandbox for tests of both.
 *
 * A heap charges the region cma/<its name>. The default area is one region,
 * cma/default_cma_region, under each of its heap names: a heap without a
 * region of its own name is such a name, where that region exists.
 *
 * Values are parsed as 64 bits wherever this runs: limits of a region do not
 * fit the long of the cgroup test library on 32 bit.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <linux/dma-heap.h>

#include "kselftest.h"
#include "cgroup_util.h"
#include "cma_heap_util.h"

#define REASON_SIZE	256
#define POLL_MS		10
#define PATIENCE_MS		10000

__u64 page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

__u64 page_round(__u64 bytes)
{
	return (bytes + page_size() - 1) & ~(page_size() - 1);
}

__u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

/* One step of a loop that waits for a condition; false when time is up */
bool sleep_until(__u64 deadline_ms)
{
	if (now_ms() >= deadline_ms)
		return false;
	usleep(POLL_MS * 1000);
	return true;
}

/*
 * How many times slower than the usual one the kernel is: DMEM_TEST_SLOW in the
 * environment. All time limits are that much longer.
 */
unsigned int slowness(void)
{
	const char *given = getenv("DMEM_TEST_SLOW");
	int times = given ? atoi(given) : 1;

	return times > 0 ? times : 1;
}

/* How long something that need not happen at once may take, in milliseconds */
int patience(void)
{
	return PATIENCE_MS * slowness();
}

__u64 deadline(void)
{
	return now_ms() + patience();
}

/* Files */

/* Without the newline at the end; -errno if it cannot be read */
int read_line(char *text, size_t size, const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list args;
	ssize_t len;
	int fd;

	va_start(args, fmt);
	vsnprintf(path, sizeof(path), fmt, args);
	va_end(args);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = read(fd, text, size - 1);
	close(fd);
	if (len < 0)
		return -errno;
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

/* dmem files */

/* The whole text of an open file, to be freed by the caller; NULL and errno */
char *dmem_read_fd(int fd)
{
	size_t size = 4096, len = 0;
	char *text, *more;
	ssize_t got;
	int err;

	text = malloc(size);
	while (text) {
		got = read(fd, text + len, size - len - 1);
		if (got < 0) {
			err = errno;
			free(text);
			errno = err;
			return NULL;
		}
		if (!got)
			break;
		len += got;
		if (len == size - 1) {
			size *= 2;
			more = realloc(text, size);
			if (!more)
				free(text);
			text = more;
		}
	}
	if (text)
		text[len] = '\0';
	return text;
}

/* The same of a file that has a name */
char *dmem_read_file(const char *cgroup, const char *file)
{
	char path[PATH_MAX + 128];
	char *text;
	int fd, err;

	snprintf(path, sizeof(path), "%s/%s", cgroup, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	text = dmem_read_fd(fd);
	err = errno;
	close(fd);
	errno = err;
	return text;
}

/* What the line of @region in @all says after the name, see dmem_read_text() */
int dmem_find_text(const char *all, const char *region, char *text, size_t size)
{
	size_t len = strlen(region);
	const char *line, *end;

	for (line = all; *line; line = end + 1) {
		end = strchr(line, '\n');
		if (!end)
			return -EBADMSG;
		if (strncmp(line, region, len) || line[len] != ' ')
			continue;
		line += len + 1;
		return snprintf(text, size, "%.*s", (int)(end - line), line) <
		       (int)size ? 0 : -EBADMSG;
	}
	return -ENOENT;
}

/* The value in the line of @region, as text: -ENOENT without such a line */
int dmem_read_text(const char *cgroup, const char *file, const char *region,
		   char *text, size_t size)
{
	char *all = dmem_read_file(cgroup, file);
	int ret;

	if (!all)
		return -errno;
	ret = dmem_find_text(all, region, text, size);
	free(all);
	return ret;
}

/* The same as a number: -EBADMSG if it is neither digits nor max */
int dmem_read(const char *cgroup, const char *file, const char *region,
	      __u64 *value)
{
	char text[32];
	char *end;
	int ret;

	ret = dmem_read_text(cgroup, file, region, text, sizeof(text));
	if (ret)
		return ret;

	if (!strcmp(text, "max")) {
		*value = DMEM_MAX;
		return 0;
	}
	if (!*text || text[strspn(text, "0123456789")])
		return -EBADMSG;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return errno ? -EBADMSG : 0;
}

/* One write(2) of exactly these bytes; -EIO if it was not taken whole */
int dmem_write(const char *cgroup, const char *file, const char *text,
	       size_t len)
{
	char path[PATH_MAX + 128];
	int fd, ret = 0;
	ssize_t done;

	snprintf(path, sizeof(path), "%s/%s", cgroup, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;

	done = write(fd, text, len);
	if (done < 0)
		ret = -errno;
	else if ((size_t)done != len)
		ret = -EIO;
	close(fd);
	return ret;
}

int dmem_write_text(const char *cgroup, const char *file, const char *text)
{
	return dmem_write(cgroup, file, text, strlen(text));
}

/* A limit, DMEM_MAX for none, as a number all the same */
int dmem_set_limit(const char *cgroup, const char *file,
		   const struct cma_heap *heap, __u64 bytes)
{
	char text[sizeof(heap->region) + 32];

	snprintf(text, sizeof(text), "%s %llu\n", heap->region,
		 (unsigned long long)bytes);
	return dmem_write_text(cgroup, file, text);
}

/* What the kernel calls a cgroup, all 64 bits of it: 0, or the negative errno */
int dmem_cgroup_id(const char *cgroup, __u64 *id)
{
	struct {
		struct file_handle handle;
		__u64 id;
	} name = { .handle.handle_bytes = sizeof(__u64) };
	int mount;

	if (name_to_handle_at(AT_FDCWD, cgroup, &name.handle, &mount, 0))
		return -errno;
	memcpy(id, name.handle.f_handle, sizeof(*id));
	return 0;
}

/* The value of a key in fdinfo, NULL if there is no such line; to be freed */
char *fdinfo_value(pid_t pid, int fd, const char *key)
{
	char path[64], line[PATH_MAX + 64], *value = NULL;
	size_t len = strlen(key);
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	file = fopen(path, "re");
	if (!file)
		case_fail("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, len) || strncmp(line + len, ":\t", 2))
			continue;
		if (value)
			case_fail("%s: %s comes twice", path, key);
		line[strcspn(line, "\n")] = '\0';
		value = strdup(line + len + 2);
	}
	fclose(file);
	return value;
}

/* Heaps */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct cma_heap *)a)->name,
		      ((const struct cma_heap *)b)->name);
}

/* Heaps that are known to give other memory than CMA's */
static bool is_other_heap(const char *name)
{
	return !strncmp(name, "system", strlen("system")) ||
	       !strncmp(name, "protected,", strlen("protected,"));
}

/* True if the region exists, and then it is the heap's */
static bool take_region(struct cma_heap *heap, const char *cgroup_root,
			const char *name)
{
	char region[sizeof(heap->region)];

	snprintf(region, sizeof(region), "cma/%s", name);
	if (dmem_read(cgroup_root, "dmem.capacity", region, &heap->size))
		return false;
	memcpy(heap->region, region, sizeof(region));
	heap->is_default = !strcmp(name, CMA_HEAP_DEFAULT);
	return true;
}

void cma_heap_find_all(struct cma_heap_list *list, const char *cgroup_root)
{
	struct cma_heap *heap;
	struct dirent *entry;
	unsigned int i, j;
	DIR *dir;

	memset(list, 0, sizeof(*list));
	dir = opendir(CMA_HEAP_DIR);
	if (!dir)
		return;

	while (list->count < CMA_HEAP_MAX_HEAPS) {
		entry = readdir(dir);
		if (!entry)
			break;
		if (entry->d_name[0] == '.' || is_other_heap(entry->d_name) ||
		    strlen(entry->d_name) >= sizeof(heap->name))
			continue;
		heap = &list->heap[list->count++];
		memcpy(heap->name, entry->d_name, strlen(entry->d_name) + 1);
		heap->is_default = !strcmp(heap->name, CMA_HEAP_DEFAULT);
		if (cgroup_root && !take_region(heap, cgroup_root, heap->name))
			take_region(heap, cgroup_root, CMA_HEAP_DEFAULT);
	}
	closedir(dir);

	qsort(list->heap, list->count, sizeof(list->heap[0]), by_name);
	for (i = 0; i < list->count; i++)
		for (j = 0; j < i; j++)
			if (list->heap[i].region[0] &&
			    !strcmp(list->heap[i].region, list->heap[j].region))
				list->heap[i].is_alias = true;
}

int cma_heap_open(const struct cma_heap *heap)
{
	char path[sizeof(CMA_HEAP_DIR) + CMA_HEAP_NAME_SIZE];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", CMA_HEAP_DIR, heap->name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int cma_heap_alloc_flags(const struct cma_heap *heap, __u64 bytes,
			 __u32 fd_flags)
{
	struct dma_heap_allocation_data data = {
		.len = bytes,
		.fd_flags = fd_flags,
	};
	int heap_fd, ret;

	heap_fd = cma_heap_open(heap);
	if (heap_fd < 0)
		return heap_fd;

	ret = ioctl(heap_fd, DMA_HEAP_IOCTL_ALLOC, &data) ? -errno : (int)data.fd;
	close(heap_fd);
	return ret;
}

int cma_heap_alloc(const struct cma_heap *heap, __u64 bytes)
{
	return cma_heap_alloc_flags(heap, bytes, O_RDWR | O_CLOEXEC);
}

/*
 * Pages that others had borrowed may be pinned for a moment when the area
 * wants them back, so a lack of room is final only after the deadline.
 */
int cma_heap_alloc_whole(const struct cma_heap *heap)
{
	__u64 end = deadline();
	int fd;

	do {
		fd = cma_heap_alloc(heap, heap->size);
	} while (fd == -ENOMEM && sleep_until(end));
	return fd;
}

void cma_heap_drain(int *fds, unsigned int count)
{
	while (count--)
		close(fds[count]);
}

/*
 * Allocate chunks until there is no room or @max are there; while there are
 * fewer than @wanted, no room is final only after the deadline. Returns how
 * many there are, with errno for what ended it.
 *
 * Where a page cannot be moved at the moment, a chunk is placed behind it, and
 * what it leaves out may be the room of another. So each try starts afresh.
 */
unsigned int cma_heap_fill(const struct cma_heap *heap, __u64 chunk,
			   int *fds, unsigned int max, unsigned int wanted)
{
	__u64 end = deadline();
	unsigned int count;
	int fd;

	for (;;) {
		errno = 0;
		for (count = 0; count < max; count++) {
			fd = cma_heap_alloc(heap, chunk);
			if (fd < 0)
				break;
			fds[count] = fd;
		}
		if (count == max)
			return count;
		if (fd != -ENOMEM || count >= wanted || !sleep_until(end)) {
			errno = -fd;
			return count;
		}
		cma_heap_drain(fds, count);
	}
}

/*
 * The largest single allocation that works now, for heaps whose size nothing
 * tells. Doubles until it is refused, then halves the distance.
 */
__u64 cma_heap_probe_size(const struct cma_heap *heap)
{
	__u64 good = 0, bad = 1ULL << 20, middle;
	int fd;

	while (bad < 1ULL << 32) {
		fd = cma_heap_alloc(heap, bad);
		if (fd < 0)
			break;
		close(fd);
		good = bad;
		bad *= 2;
	}
	while (bad - good > page_size()) {
		middle = page_round(good + (bad - good) / 2);
		if (middle == bad)
			break;
		fd = cma_heap_alloc(heap, middle);
		if (fd < 0) {
			bad = middle;
		} else {
			close(fd);
			good = middle;
		}
	}
	return good;
}

bool cma_heap_is_free(const struct dmem_sandbox *sb,
		      const struct cma_heap *heap)
{
	__u64 used;

	return sb->accounting && heap->region[0] && !heap->is_default &&
	       !dmem_read(sb->root, "dmem.current", heap->region, &used) &&
	       !used;
}

/* Ends and expectations of a case */

static void print_where(const char *func, int line)
{
	ksft_print_msg("%s:%d: ", func, line);
}

void case_fail_at(const char *func, int line, const char *fmt, ...)
{
	va_list args;

	print_where(func, line);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	exit(KSFT_FAIL);
}

void case_skip(struct dmem_sandbox *sb, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(sb->reason, REASON_SIZE, fmt, args);
	va_end(args);
	exit(KSFT_SKIP);
}

/* "max" for people, digits otherwise */
static const char *dmem_text(__u64 value, char *text, size_t size)
{
	if (value == DMEM_MAX)
		snprintf(text, size, "max");
	else
		snprintf(text, size, "%llu", (unsigned long long)value);
	return text;
}

static void check_dmem(const char *func, int line, const char *cgroup,
		       const char *file, const struct cma_heap *heap,
		       __u64 want, __u64 until)
{
	char seen_text[32], want_text[32];
	__u64 seen;
	int ret;

	do {
		ret = dmem_read(cgroup, file, heap->region, &seen);
		if (ret)
			case_fail_at(func, line, "%s/%s: no value for %s: %s",
				     cgroup, file, heap->region, strerror(-ret));
		if (seen == want)
			return;
	} while (until && sleep_until(until));

	case_fail_at(func, line, "%s/%s: %s: expected %s, seen %s", cgroup,
		     file, heap->region,
		     dmem_text(want, want_text, sizeof(want_text)),
		     dmem_text(seen, seen_text, sizeof(seen_text)));
}

void expect_dmem_at(const char *func, int line, const char *cgroup,
		    const char *file, const struct cma_heap *heap,
		    __u64 want)
{
	check_dmem(func, line, cgroup, file, heap, want, 0);
}

/* For what may happen a moment later, such as the last put of a file */
void expect_dmem_soon_at(const char *func, int line, const char *cgroup,
			 const char *file, const struct cma_heap *heap,
			 __u64 want)
{
	check_dmem(func, line, cgroup, file, heap, want, deadline());
}

/* Returns the descriptor if no error was wanted, otherwise -1 */
int expect_alloc_at(const char *func, int line, const struct cma_heap *heap,
		    __u64 bytes, int want_errno)
{
	int fd = cma_heap_alloc(heap, bytes);
	int seen_errno = fd < 0 ? -fd : 0;

	if (seen_errno == want_errno)
		return want_errno ? -1 : fd;

	case_fail_at(func, line, "%s: %llu bytes: expected %s, seen %s",
		     heap->name, (unsigned long long)bytes,
		     strerror(want_errno), strerror(seen_errno));
}

void expect_value_at(const char *func, int line, const char *what,
		     __u64 seen, __u64 want)
{
	if (seen != want)
		case_fail_at(func, line, "%s: expected %llu, seen %llu", what,
			     (unsigned long long)want,
			     (unsigned long long)seen);
}

/* @want is an exit status, or minus the number of the signal that kills */
pid_t case_fork(void)
{
	pid_t parent = getpid(), pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		case_fail("fork: %s", strerror(errno));
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* It was killed before that, which is no failure to a subreaper */
		if (getppid() != parent)
			_exit(KSFT_PASS);
	}
	return pid;
}

void expect_done_at(const char *func, int line, const char *what, int ret)
{
	if (ret)
		case_fail_at(func, line, "%s: %s", what, strerror(-ret));
}

void expect_exit_at(const char *func, int line, pid_t pid, int want)
{
	int status, seen;

	if (waitpid(pid, &status, 0) != pid)
		case_fail_at(func, line, "waiting for a child: %s",
			     strerror(errno));
	seen = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
	if (seen != want)
		case_fail_at(func, line,
			     "child: expected %d, seen %d (exit status, or -signal)",
			     want, seen);
}

/* A number in a file of the heap, with a case that fails if there is none */
__u64 heap_number_at(const char *func, int line, const char *heap,
		     const char *file)
{
	char text[64], *end;
	__u64 value;
	int ret = read_line(text, sizeof(text), CMA_HEAP_CLASS_DIR "/%s/%s",
			    heap, file);

	if (ret)
		case_fail_at(func, line, "%s/%s: %s", heap, file,
			     strerror(-ret));
	value = strtoull(text, &end, 10);
	if (!*text || *end)
		case_fail_at(func, line, "%s/%s: '%s' is not a number",
			     heap, file, text);
	return value;
}

/* The sandbox */

static void remove_cgroups(const char *path)
{
	__u64 end = deadline();
	char sub[PATH_MAX + 64];
	struct dirent *entry;
	DIR *dir;

	dir = opendir(path);
	if (!dir)
		return;
	for (entry = readdir(dir); entry; entry = readdir(dir)) {
		if (entry->d_type != DT_DIR || !strcmp(entry->d_name, ".") ||
		    !strcmp(entry->d_name, ".."))
			continue;
		if (snprintf(sub, sizeof(sub), "%s/%s", path, entry->d_name) <
		    (int)sizeof(sub))
			remove_cgroups(sub);
	}
	closedir(dir);

	while (rmdir(path) && errno == EBUSY && sleep_until(end))
		cg_write(path, "cgroup.kill", "1");
}

/* In a buffer that the next but three calls use again */
const char *sandbox_path(const struct dmem_sandbox *sb, const char *format, ...)
{
	static char paths[4][sizeof(sb->top) + 64];
	static unsigned int next;
	char *text = paths[next++ % ARRAY_SIZE(paths)];
	va_list args;
	int len;

	len = snprintf(text, sizeof(paths[0]), "%s", sb->top);
	va_start(args, format);
	vsnprintf(text + len, sizeof(paths[0]) - len, format, args);
	va_end(args);
	return text;
}

int cgroup_make(const char *cgroup)
{
	return mkdir(cgroup, 0755) ? -errno : 0;
}

int cgroup_remove(const char *cgroup)
{
	return rmdir(cgroup) ? -errno : 0;
}

/* The last process may be on its way out */
int cgroup_remove_soon(const char *cgroup)
{
	__u64 end = deadline();
	int ret;

	do {
		ret = cgroup_remove(cgroup);
	} while (ret == -EBUSY && sleep_until(end));
	return ret;
}

/* The controller is available to the root's children; false with errno */
bool sandbox_enable_dmem(const struct dmem_sandbox *sb)
{
	__u64 end = deadline();
	int ret;

	/* On its way back from a v1 hierarchy it may be missing for a while */
	do {
		ret = cg_write(sb->root, "cgroup.subtree_control", "+dmem");
	} while (ret && sleep_until(end));
	errno = -ret;
	return !ret;
}

static bool has_word(const char *cgroup, const char *file, const char *word)
{
	char *text = dmem_read_file(cgroup, file);
	char *one, *rest = text;
	bool found = false;

	while (rest && !found) {
		one = strsep(&rest, "\n ");
		found = !strcmp(one, word);
	}
	free(text);
	return found;
}

static const char *find_accounting(struct dmem_sandbox *sb, const char *name)
{
	if (cg_find_unified_root(sb->root, sizeof(sb->root) - 1, NULL))
		return "cgroup v2 isn't mounted";
	if (!has_word(sb->root, "cgroup.controllers", "dmem"))
		return "the dmem controller isn't available";
	if (!cg_read_strstr(sb->root, "cgroup.type", "domain"))
		return "not in the root cgroup namespace";

	sb->was_enabled = has_word(sb->root, "cgroup.subtree_control", "dmem");
	if (!sb->was_enabled && !sandbox_enable_dmem(sb))
		return "the dmem controller can't be enabled";

	snprintf(sb->top, sizeof(sb->top), "%s/%s", sb->root, name);
	return NULL;
}

/* Returns 0, or -errno where not even heaps can be tested */
int sandbox_open(struct dmem_sandbox *sb, const char *name)
{
	const char *why;

	memset(sb, 0, sizeof(*sb));
	sb->patience = patience();
	sb->reason = mmap(NULL, REASON_SIZE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sb->reason == MAP_FAILED)
		return -errno;
	/* Children of a case that is killed become ours to reap */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		return -errno;

	why = find_accounting(sb, name);
	sb->accounting = !why;
	if (why)
		snprintf(sb->why, sizeof(sb->why), "%s", why);

	cma_heap_find_all(&sb->heaps, sb->accounting ? sb->root : NULL);
	return 0;
}

void sandbox_close(struct dmem_sandbox *sb)
{
	if (!sb->accounting)
		return;
	if (!sb->was_enabled)
		cg_write(sb->root, "cgroup.subtree_control", "-dmem");
	else if (!sandbox_enable_dmem(sb))
		ksft_print_msg("can't enable dmem again: %s\n", strerror(errno));
}

static bool sandbox_setup(struct dmem_sandbox *sb)
{
	remove_cgroups(sb->top);
	if (!sandbox_enable_dmem(sb)) {
		ksft_print_msg("%s: can't enable dmem: %s\n", sb->root,
			       strerror(errno));
		return false;
	}
	if (cg_create(sb->top)) {
		ksft_print_msg("%s: %s\n", sb->top, strerror(errno));
		return false;
	}
	if (cg_write(sb->top, "cgroup.subtree_control", "+dmem")) {
		ksft_print_msg("%s: can't enable dmem\n", sb->top);
		return false;
	}
	return true;
}

/* Kill and reap whatever the case left behind */
static bool sandbox_reap(struct dmem_sandbox *sb)
{
	__u64 end = deadline();
	pid_t pid;

	if (sb->accounting)
		cg_write(sb->top, "cgroup.kill", "1");
	do {
		do {
			pid = waitpid(-1, NULL, WNOHANG);
		} while (pid > 0);
	} while (!pid && sleep_until(end));

	if (!pid)
		ksft_print_msg("children of the test are still alive\n");
	return pid < 0;
}

static bool usage_is(const char *cgroup, const struct cma_heap *heap,
		     __u64 want, __u64 end)
{
	__u64 seen = 0;
	int ret;

	do {
		ret = dmem_read(cgroup, "dmem.current", heap->region, &seen);
	} while ((ret || seen != want) && sleep_until(end));

	if (!ret && seen == want)
		return true;
	ksft_print_msg("after the test: %s: %s: expected %llu, seen %llu%s\n",
		       cgroup, heap->region, (unsigned long long)want,
		       (unsigned long long)seen, ret ? " (unreadable)" : "");
	return false;
}

static bool sandbox_is_clean(struct dmem_sandbox *sb, const __u64 *before)
{
	/* A case that has removed the cgroup has left nothing in there */
	bool has_top = !access(sb->top, F_OK);
	struct cma_heap_list *list = &sb->heaps;
	__u64 end = now_ms() + sb->patience;
	bool clean = true;
	unsigned int i;

	for (i = 0; i < list->count; i++) {
		if (!list->heap[i].region[0] || list->heap[i].is_alias)
			continue;
		if (has_top && !usage_is(sb->top, &list->heap[i], 0, end))
			clean = false;
		if (!usage_is(sb->root, &list->heap[i], before[i], end))
			clean = false;
	}
	/* A kernel that never gives back must not cost this much every time */
	if (!clean)
		sb->patience = 1000;
	return clean;
}

static int sandbox_wait(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid) {
		ksft_print_msg("waitpid: %s\n", strerror(errno));
		return KSFT_FAIL;
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	ksft_print_msg("killed by signal %d%s\n", WTERMSIG(status),
		       WTERMSIG(status) == SIGALRM ? " (time limit)" : "");
	return KSFT_FAIL;
}

/*
 * Run one case in a process of its own, which starts in the root cgroup, and
 * return a kselftest exit code. Usage must have come back to zero in the top
 * cgroup, and to its old value in the root, whatever the case did.
 */
int sandbox_run(struct dmem_sandbox *sb,
		void (*fn)(const struct cma_heap *heap),
		const struct cma_heap *heap, unsigned int seconds)
{
	__u64 before[CMA_HEAP_MAX_HEAPS] = { 0 };
	unsigned int i;
	int result;
	pid_t pid;

	sb->reason[0] = '\0';
	for (i = 0; sb->accounting && i < sb->heaps.count; i++)
		if (sb->heaps.heap[i].region[0])
			dmem_read(sb->root, "dmem.current",
				  sb->heaps.heap[i].region, &before[i]);
	if (sb->accounting && !sandbox_setup(sb))
		return KSFT_FAIL;

	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		ksft_print_msg("fork: %s\n", strerror(errno));
		return KSFT_FAIL;
	}
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(seconds * slowness());
		if (sb->accounting && cg_enter_current(sb->root))
			case_fail("can't enter the root cgroup");
		fn(heap);
		exit(KSFT_PASS);
	}

	result = sandbox_wait(pid);
	if (!sandbox_reap(sb))
		result = KSFT_FAIL;
	if (sb->accounting) {
		if (!sandbox_is_clean(sb, before))
			result = KSFT_FAIL;
		remove_cgroups(sb->top);
	}
	return result;
}
