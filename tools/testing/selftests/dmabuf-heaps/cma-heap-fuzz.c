// SPDX-License-Identifier: GPL-2.0
/*
 * What no program should do with heaps, their buffers and their files in sysfs,
 * many times over.
 *
 * Operations are made by a grammar: mostly good ones with one thing wrong with
 * them, and any bytes now and then. The ioctls of heaps and dma-bufs with structs
 * of any size, in places that can't be read or written, on the wrong descriptor;
 * mappings that are cut, moved, grown and touched after all; reads and writes of
 * the files. In some cases a second thread of each process closes descriptors and
 * takes mappings away meanwhile. cma-heap-fuzz-corpus.h comes first: inputs whose
 * result is known.
 *
 * What has to be so, whatever was asked for: an ioctl fails with an errno that
 * is documented, never with EAGAIN, which libraries would repeat for ever. New
 * memory is zero. Nothing is charged and all is available once nobody has a
 * buffer any more; the caller of the test sees to it that the kernel has no
 * complaint.
 *
 * Each process has a sequence of its own, the same for the same DMEM_TEST_SEED;
 * see lib/repeatable.h. (What ALLOC and GET_INFO must return is known exactly in
 * heap-info, and what writes to dmem files must in test_dmem_fuzz.)
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>

#include "kselftest.h"
#include "cgroup_util.h"
#include "lib/cma_heap_cases.h"
#include "lib/cma_heap_util.h"
#include "lib/repeatable.h"

/* Of all generating cases together */
#define OPS		20000
#define CASE_SECONDS	240
/* The rate at which more of them must be done */
#define OPS_PER_SECOND	50

#define PROCESSES	2
#define NR_SLOTS	8
#define NO_SLOT		1000
/* Then everything is closed and unmapped, and the next ones start from nothing */
#define BATCH		256
#define MAX_FDS		48
#define ARENA_PAGES	2048

#define RECYCLE_DIR	"/sys/kernel/mm/cma_recycle"
#define MAX_FILES	128

/* Operations */

enum what {
	ALLOC,		/* length a, descriptor and flags b, heap flags d */
	GET_INFO,	/* flags a, addresses of texts b, their sizes c */
	SYNC,		/* flags a */
	SET_NAME,	/* a bytes, of variant b */
	EXPORT,		/* flags a */
	IMPORT,		/* flags a, the sync file in slot b */
	ANY_IOCTL,	/* request a */
	MMAP,		/* a pages at page b of the buffer, c of the arena, flags d */
	MUNMAP,		/* page a of the arena, b pages */
	MREMAP,		/* the same, to c pages, at page d if not 0 */
	MPROTECT,	/* the same, to protection c */
	MADVISE,	/* the same, advice c */
	TOUCH,		/* page a of the arena, b to write */
	CLOSE,
	DUP,
	SEEK,		/* to a, b as in lseek() */
	LOOK,		/* poll, fdinfo, read and write */
	SYSFS_READ,	/* file a, b bytes at c */
	SYSFS_WRITE,	/* file a, with what is made from b */
	NR_WHATS,
};

/* Where a struct is that an ioctl is given */
enum where {
	HERE,
	NOWHERE,
	READ_ONLY,
	ACROSS,		/* the last byte is in a hole */
	KERNEL,
	NR_WHERES,
};

#define NO_SIZE		0x10000		/* 0, where 0 stands for the usual one */

/**
 * struct op - an operation
 * @what:	which; it also says what @a to @d are
 * @slot:	descriptor that it is about
 * @into:	slot of a descriptor that comes of it, 0 for none
 * @size:	size field of an ioctl's request, 0 for the right one
 * @where:	its struct is
 * @tail:	value of the last byte of a struct larger than usual
 * @junk:	bytes of the struct that are any
 * @state:	of what makes them
 * @a:		first of what else it needs, see enum what
 * @b:		second
 * @c:		third
 * @d:		fourth
 */
struct op {
	enum what what;
	unsigned int slot;
	unsigned int into;
	unsigned int size;
	enum where where;
	unsigned char tail;
	unsigned int junk;
	__u32 state;
	__u64 a;
	__u64 b;
	__u64 c;
	__u64 d;
};

#ifdef __LP64__
#define OFFSET_ERRNO	EOVERFLOW
#else
#define OFFSET_ERRNO	EINVAL
#endif

#include "cma-heap-fuzz-corpus.h"

static struct dmem_sandbox sb;
static __u64 page;
static __u32 seed;
static __u32 total_ops;

/* Of the process */
static const struct cma_heap *heap;
static int slots[NR_SLOTS];
static int first_fd;
static char *arena;
static char *args_end;		/* memory ends there */
static char *constant;		/* can't be written to */
static unsigned int op_number;
static __u64 last_map;		/* where in the arena something was mapped last */
static bool racing;
static char *own;

static char *files[MAX_FILES];
static unsigned int nr_files;

static const char * const what_names[] = {
	[ALLOC] = "ALLOC", [GET_INFO] = "GET_INFO", [SYNC] = "SYNC",
	[SET_NAME] = "SET_NAME", [EXPORT] = "EXPORT_SYNC_FILE",
	[IMPORT] = "IMPORT_SYNC_FILE", [ANY_IOCTL] = "ioctl", [MMAP] = "mmap",
	[MUNMAP] = "munmap", [MREMAP] = "mremap", [MPROTECT] = "mprotect",
	[MADVISE] = "madvise", [TOUCH] = "touch", [CLOSE] = "close",
	[DUP] = "dup", [SEEK] = "lseek", [LOOK] = "look",
	[SYSFS_READ] = "sysfs read", [SYSFS_WRITE] = "sysfs write",
};

static void __noreturn op_fail(const struct op *op, const char *why, int seen)
{
	ksft_print_msg("%s: op %u of DMEM_TEST_SEED=%u: %s slot %u into %u size %u",
		       heap->name, op_number, seed, what_names[op->what],
		       op->slot, op->into, op->size);
	printf(" where %d tail %u junk %u state %u a 0x%llx b 0x%llx c 0x%llx d 0x%llx\n",
	       op->where, op->tail, op->junk, op->state,
	       (unsigned long long)op->a, (unsigned long long)op->b,
	       (unsigned long long)op->c, (unsigned long long)op->d);
	case_fail("%s: %s", why, strerror(seen));
}

/* The process's memory and descriptors */

static void make_memory(void)
{
	const size_t args = 32 * 1024;

	arena = reserve_addresses(ARENA_PAGES * page, 1 << 21);
	args_end = mmap(NULL, args + page, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	constant = mmap(NULL, args, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (args_end == MAP_FAILED || constant == MAP_FAILED)
		case_fail("mmap: %s", strerror(errno));
	args_end += args;
	if (mprotect(args_end, page, PROT_NONE))
		case_fail("mprotect: %s", strerror(errno));
	constant += args;
}

static int open_fd(const char *path, int flags)
{
	return open(path, flags | O_CLOEXEC);
}

static void empty_arena(void)
{
	if (mmap(arena, ARENA_PAGES * page, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		 0) != arena)
		case_fail("mmap: %s", strerror(errno));
}

/* None is set aside for a buffer that there is not */
static void expect_free_fds(void)
{
	unsigned int count = 0;

	while (dup(STDOUT_FILENO) >= 0)
		count++;
	expect_value("free descriptors", count, MAX_FDS);
	close_range(first_fd, ~0U, 0);
}

/* Nobody has anything any more, and a heap is in slot 0 */
static void start_over(void)
{
	unsigned int i;

	if (close_range(first_fd, ~0U, 0))
		case_fail("close_range: %s", strerror(errno));
	if (!racing)
		expect_free_fds();
	empty_arena();
	for (i = 1; i < NR_SLOTS; i++)
		slots[i] = -1;
	slots[0] = cma_heap_open(heap);
	if (slots[0] < 0)
		case_fail("%s: %s", heap->name, strerror(-slots[0]));
}

static void start_process(const struct cma_heap *with)
{
	struct rlimit limit;

	page = page_size();
	heap = with;
	make_memory();
	first_fd = dup(STDOUT_FILENO);
	if (first_fd < 0)
		case_fail("dup: %s", strerror(errno));
	limit.rlim_cur = first_fd + MAX_FDS;
	limit.rlim_max = limit.rlim_cur;
	setrlimit(RLIMIT_NOFILE, &limit);
	start_over();
}

/* What was allocated before by anybody must not be seen */
static void expect_zero(const struct op *op, int fd)
{
	__u64 bytes = lseek(fd, 0, SEEK_END), *word;
	char *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	__u64 at;

	/* Of what cannot be read */
	if (map == MAP_FAILED)
		return;
	for (at = 0; at < bytes; at += bytes > 64 * page ? 16 * page : page) {
		word = (__u64 *)(map + at);
		if (word[0] || word[page / 8 - 1])
			op_fail(op, "new memory is not zero", 0);
	}
	munmap(map, bytes);
}

static void put_slot(unsigned int slot, int fd)
{
	if (!slot || slot >= NR_SLOTS)
		return;
	if (slots[slot] >= 0)
		close(slots[slot]);
	slots[slot] = fd;
}

static int slot_fd(unsigned int slot)
{
	return slot < NR_SLOTS ? slots[slot] : -1;
}

/* Doing it: 0 or the negative errno */

/* The struct with what is wrong with it, where it is wanted */
static char *place_struct(const struct op *op, const void *known,
			  size_t known_size, size_t size)
{
	size_t room = size > known_size ? size : known_size;
	char *at = args_end - room;
	__u32 state = op->state;
	unsigned int i;

	memset(at, 0, room);
	memcpy(at, known, known_size);
	for (i = 0; i < op->junk; i++)
		at[random_below(&state, room)] = random_next(&state);
	if (size > known_size && op->tail)
		at[size - 1] = op->tail;

	switch (op->where) {
	case NOWHERE:
		return NULL;
	case READ_ONLY:
		mprotect(constant - 32 * 1024, 32 * 1024, PROT_READ | PROT_WRITE);
		memcpy(constant - room, at, room);
		mprotect(constant - 32 * 1024, 32 * 1024, PROT_READ);
		return constant - room;
	case ACROSS:
		return memmove(at + 1, at, room - 1);
	case KERNEL:
		return (char *)-4096L;
	default:
		return at;
	}
}

static int do_ioctl(const struct op *op, unsigned long request, void *known,
		    size_t known_size)
{
	unsigned int size = op->size ?: known_size;
	int fd = slot_fd(op->slot), ret;
	char *at;

	if (op->size == NO_SIZE)
		size = 0;
	if (op->size)
		request = (request & ~((unsigned long)_IOC_SIZEMASK << _IOC_SIZESHIFT)) |
			  (unsigned long)size << _IOC_SIZESHIFT;
	at = place_struct(op, known, known_size, size);
	ret = ioctl(fd, request, at) ? -errno : 0;
	if (!ret && op->where == HERE)
		memcpy(known, at, known_size);
	return ret;
}

static int do_alloc(const struct op *op)
{
	struct dma_heap_allocation_data data = {
		.len = op->a,
		.fd_flags = op->b,
		.fd = op->b >> 32,
		.heap_flags = op->d,
	};
	int ret;

	if (op->a == SIZE)
		data.len = heap->size + op->c;
	ret = do_ioctl(op, DMA_HEAP_IOCTL_ALLOC, &data, sizeof(data));
	/* A struct that ends before it does not say */
	if (ret || op->where != HERE || (op->size && op->size < 12))
		return ret;
	if (!racing)
		expect_zero(op, data.fd);
	if (op->into)
		put_slot(op->into, data.fd);
	return 0;
}

static int do_get_info(const struct op *op)
{
	static char texts[2][4096];
	const __u64 places[] = { 0, (uintptr_t)texts[op->c & 1], 8,
				 (uintptr_t)args_end, ~0ULL - 4095,
				 (uintptr_t)constant - 16 };
	struct dma_heap_info info = {
		.flags = op->a,
		.of_node = places[op->b % ARRAY_SIZE(places)],
		.of_node_size = op->c % sizeof(texts[0]),
		.consumers = places[op->b / 8 % ARRAY_SIZE(places)],
		.consumers_size = op->c / 8 % sizeof(texts[0]),
	};

	return do_ioctl(op, DMA_HEAP_IOCTL_GET_INFO, &info, sizeof(info));
}

static int do_set_name(const struct op *op)
{
	char name[64];

	memset(name, 'n', sizeof(name));
	name[op->a < sizeof(name) ? op->a : sizeof(name) - 1] = '\0';
	/* Without its end */
	return do_ioctl(op, op->b ? DMA_BUF_SET_NAME_B : DMA_BUF_SET_NAME_A, name,
			op->where == ACROSS ? 8 : sizeof(name));
}

static int do_export(const struct op *op)
{
	struct dma_buf_export_sync_file data = { .flags = op->a, .fd = -1 };
	int ret = do_ioctl(op, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &data, sizeof(data));

	if (!ret && op->where == HERE && op->into)
		put_slot(op->into, data.fd);
	return ret;
}

static int do_import(const struct op *op)
{
	struct dma_buf_import_sync_file data = {
		.flags = op->a,
		.fd = slot_fd(op->b),
	};

	return do_ioctl(op, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &data, sizeof(data));
}

static char *arena_at(__u64 number)
{
	return arena + number % ARENA_PAGES * page;
}

static __u64 arena_len(__u64 from, __u64 pages)
{
	__u64 most = ARENA_PAGES - from % ARENA_PAGES;

	return (pages < most ? pages : most) * page;
}

static int do_mmap(const struct op *op)
{
	int flags = op->d ? (int)op->d : MAP_SHARED;
	int prot = op->into ? (int)op->into & 7 : PROT_READ | PROT_WRITE;
	void *at = arena_at(op->c), *map;

	map = mmap(at, arena_len(op->c, op->a), prot, flags | MAP_FIXED,
		   slot_fd(op->slot), op->b * page);
	return map == MAP_FAILED ? -errno : 0;
}

/* Where the kernel likes it is for a moment only */
static int do_mremap(const struct op *op)
{
	__u64 from = arena_len(op->a, op->b);
	__u64 to = op->d ? arena_len(op->d, op->c) : op->c % ARENA_PAGES * page;
	char *old = arena_at(op->a), *map;

	if (op->d) {
		map = mremap(old, from, to, MREMAP_MAYMOVE | MREMAP_FIXED,
			     arena_at(op->d));
		return map == MAP_FAILED ? -errno : 0;
	}
	map = mremap(old, from, to, op->into & 1 ? 0 : MREMAP_MAYMOVE);
	if (map == MAP_FAILED)
		return -errno;
	if (map != old)
		munmap(map, to);
	return 0;
}

static int do_madvise(const struct op *op)
{
	/* Not those that take pages away from the machine */
	static const int advice[] = { 0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14, 15,
				      20, 21, 22, 23, 24, 25 };

	return madvise(arena_at(op->a), arena_len(op->a, op->b),
		       advice[op->c % ARRAY_SIZE(advice)]) ? -errno : 0;
}

static int do_look(const struct op *op)
{
	struct pollfd poll_fd = { .fd = slot_fd(op->slot), .events = op->a };
	char path[64], text[512];
	int fd;

	poll(&poll_fd, 1, 0);
	if (read(poll_fd.fd, text, op->b % sizeof(text)) > 0 ||
	    write(poll_fd.fd, text, op->b % sizeof(text)) > 0)
		op_fail(op, "could be read or written", 0);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", poll_fd.fd);
	fd = open_fd(path, O_RDONLY);
	if (fd < 0)
		return -errno;
	while (read(fd, text, 1 + op->c % sizeof(text)) > 0)
		;
	close(fd);
	return 0;
}

static int do_sysfs_read(const struct op *op)
{
	char text[8192];
	int fd = open_fd(files[op->a % nr_files], op->d & 1 ? O_RDWR : O_RDONLY);
	ssize_t len;
	int ret;

	if (fd < 0)
		return -errno;
	len = pread(fd, text, op->b % sizeof(text), op->c);
	ret = len < 0 ? -errno : 0;
	/* A line, from its beginning */
	if (!op->c && len > 0 && (size_t)len < op->b % sizeof(text) &&
	    text[len - 1] != '\n')
		op_fail(op, "not a line", 0);
	close(fd);
	return ret;
}

static int do_sysfs_write(const struct op *op)
{
	static const char alphabet[] = "0123456789\n +-x\0max";
	__u32 state = op->state;
	char text[8192];
	size_t len, i;
	int fd, ret;

	fd = open_fd(files[op->a % nr_files], O_WRONLY);
	if (fd < 0)
		return -errno;
	if (op->c & 1) {
		/* One that is good for one of them, or close to */
		len = sprintf(text, "%llu", (unsigned long long)op->b % 128);
	} else {
		len = op->b % (op->c & 6 ? 24 : sizeof(text));
		for (i = 0; i < len; i++)
			text[i] = op->c & 8 ? (char)random_next(&state) :
				  alphabet[random_below(&state, sizeof(alphabet) - 1)];
	}
	ret = pwrite(fd, text, len, 0) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

static int do_op(const struct op *op)
{
	struct dma_buf_sync sync = { .flags = op->a };
	int fd = slot_fd(op->slot), new_fd;

	switch (op->what) {
	case ALLOC:
		return do_alloc(op);
	case GET_INFO:
		return do_get_info(op);
	case SYNC:
		return do_ioctl(op, DMA_BUF_IOCTL_SYNC, &sync, sizeof(sync));
	case SET_NAME:
		return do_set_name(op);
	case EXPORT:
		return do_export(op);
	case IMPORT:
		return do_import(op);
	case ANY_IOCTL:
		return do_ioctl(op, op->a, &sync, sizeof(sync));
	case MMAP:
		return do_mmap(op);
	case MUNMAP:
		return munmap(arena_at(op->a), arena_len(op->a, op->b)) ? -errno : 0;
	case MREMAP:
		return do_mremap(op);
	case MPROTECT:
		return mprotect(arena_at(op->a), arena_len(op->a, op->b),
				op->c & 7) ? -errno : 0;
	case MADVISE:
		return do_madvise(op);
	case TOUCH:
		return signal_of_access(arena_at(op->a) + op->c % page, op->b) ?
		       -EFAULT : 0;
	case CLOSE:
		if (!op->slot)
			return 0;
		put_slot(op->slot, -1);
		return fd < 0 ? -EBADF : 0;
	case DUP:
		new_fd = dup(fd);
		if (new_fd < 0)
			return -errno;
		put_slot(op->into, new_fd);
		return 0;
	case SEEK:
		return lseek(fd, op->a, op->b) < 0 ? -errno : 0;
	case LOOK:
		return do_look(op);
	case SYSFS_READ:
		return do_sysfs_read(op);
	case SYSFS_WRITE:
		return do_sysfs_write(op);
	default:
		case_fail("no such operation: %d", op->what);
	}
}

/* What may come of it, where that is ours to say */
static void check_result(const struct op *op, int ret)
{
	static const int of_ioctls[] = { 0, EINVAL, ENOMEM, ENOSPC, E2BIG, EFAULT,
					 EMFILE, EBADF, ENOTTY };
	static const int of_mmap[] = { 0, EINVAL, ENOMEM, EOVERFLOW, EBADF, EACCES,
				       ENODEV, EOPNOTSUPP, EPERM };
	static const int of_sysfs[] = { 0, EINVAL, ERANGE, EACCES, EBADF, EMFILE,
					EIO };
	const int *list;
	size_t n, i;

	switch (op->what) {
	case ALLOC ... ANY_IOCTL:
		list = of_ioctls;
		n = ARRAY_SIZE(of_ioctls);
		break;
	case MMAP:
		list = of_mmap;
		n = ARRAY_SIZE(of_mmap);
		break;
	case SYSFS_READ:
	case SYSFS_WRITE:
		list = of_sysfs;
		n = ARRAY_SIZE(of_sysfs);
		break;
	default:
		return;
	}
	for (i = 0; i < n; i++)
		if (-ret == list[i])
			return;
	op_fail(op, "not an errno that this may have", -ret);
}

/* Grammar */

/* Small ones, ones about powers of two, and any */
static __u64 make_number(__u32 *state)
{
	switch (random_below(state, 4)) {
	case 0:
		return random_below(state, 8);
	case 1:
		return (1ULL << random_below(state, 64)) + random_below(state, 5) - 2;
	case 2:
		return ~0ULL << random_below(state, 64);
	default:
		return random_next64(state);
	}
}

static __u64 make_length(__u32 *state)
{
	switch (random_below(state, 32)) {
	case 0 ... 23:
		return random_below(state, 64 * page) + 1;
	case 24 ... 27:
		return random_below(state, 1024) * page;
	case 28:
		/* That costs */
		return random_once_in(state, 4) ? random_next64(state) % heap->size :
						  page;
	default:
		return make_number(state);
	}
}

static void make_struct(struct op *op, __u32 *state)
{
	static const unsigned int sizes[] = { 1, 4, 8, 12, 16, 23, 24, 25, 32, 128,
					      129, 200, 255, 256, 4096, 16383,
					      NO_SIZE };

	op->state = random_fork(state);
	if (random_once_in(state, 6))
		op->where = random_below(state, NR_WHERES);
	if (random_once_in(state, 6))
		op->junk = 1 + random_below(state, 4);
	if (random_once_in(state, 4)) {
		op->size = random_once_in(state, 4) ?
			   1 + random_below(state, 16383) :
			   sizes[random_below(state, ARRAY_SIZE(sizes))];
		if (random_once_in(state, 4))
			op->tail = random_next(state);
	}
}

static void make_ioctl(struct op *op, __u32 *state)
{
	static const unsigned int types[] = { 'H', 'b', '>', 'd' };

	make_struct(op, state);
	switch (op->what) {
	case ALLOC:
		op->slot = random_once_in(state, 16) ?
			   random_below(state, NR_SLOTS) : 0;
		op->a = make_length(state);
		op->b = random_once_in(state, 6) ? random_below(state, 4) : O_RDWR;
		op->b |= random_next(state) & O_CLOEXEC;
		if (random_once_in(state, 16))
			op->b = make_number(state);
		if (random_once_in(state, 32))
			op->d = make_number(state);
		break;
	case GET_INFO:
		op->slot = random_once_in(state, 8) ?
			   random_below(state, NR_SLOTS) : 0;
		op->a = random_once_in(state, 16) ? make_number(state) : 0;
		op->b = random_next(state);
		op->c = random_next(state);
		break;
	case SET_NAME:
		op->a = random_below(state, 64);
		op->b = random_below(state, 2);
		break;
	case ANY_IOCTL:
		op->a = _IOC(random_below(state, 4),
			     types[random_below(state, ARRAY_SIZE(types))],
			     random_once_in(state, 4) ? random_below(state, 256) :
							random_below(state, 4),
			     random_below(state, 64));
		break;
	default:
		op->a = random_once_in(state, 8) ? make_number(state) :
						   random_below(state, 8);
		op->b = random_below(state, NR_SLOTS + 2);
		break;
	}
}

/* Mostly where there may be something */
static __u64 make_place(__u32 *state)
{
	return random_once_in(state, 4) ? random_below(state, ARENA_PAGES) :
					  last_map + random_below(state, 4);
}

static void make_mmap(struct op *op, __u32 *state)
{
	op->a = random_once_in(state, 4) ? random_below(state, 80) :
					   1 + random_below(state, 8);
	op->b = random_once_in(state, 6) ? make_number(state) >> 12 :
					   random_below(state, 8) *
					   random_below(state, 2);
	op->c = random_below(state, ARENA_PAGES);
	/* As PMDs, if the buffer is large enough */
	if (random_once_in(state, 16)) {
		op->a = 512;
		op->b = 0;
		op->c -= op->c % 512;
	}
	/* Not any bits, lest it be a mapping of something else */
	if (random_once_in(state, 8))
		op->d = (random_next(state) &
			 (MAP_SHARED | MAP_PRIVATE | MAP_NORESERVE |
			  MAP_POPULATE | MAP_NONBLOCK)) ?: MAP_SHARED_VALIDATE;
	op->into = random_once_in(state, 3) ? random_below(state, 8) :
					      PROT_READ | PROT_WRITE;
	last_map = op->c;
}

static void make_op(struct op *op, __u32 *state)
{
	/* How often each, in all of them together */
	static const unsigned int shares[NR_WHATS] = {
		[ALLOC] = 24, [GET_INFO] = 4, [SYNC] = 8, [SET_NAME] = 4,
		[EXPORT] = 6, [IMPORT] = 6, [ANY_IOCTL] = 6, [MMAP] = 16,
		[MUNMAP] = 6, [MREMAP] = 6, [MPROTECT] = 4, [MADVISE] = 4,
		[TOUCH] = 16, [CLOSE] = 8, [DUP] = 4, [SEEK] = 3, [LOOK] = 3,
		[SYSFS_READ] = 4, [SYSFS_WRITE] = 4,
	};
	unsigned int what = 0, left, sum = 0, i;

	for (i = 0; i < NR_WHATS; i++)
		sum += shares[i];
	left = random_below(state, sum);
	while (left >= shares[what])
		left -= shares[what++];

	memset(op, 0, sizeof(*op));
	op->what = what;
	op->slot = random_below(state, NR_SLOTS);
	op->into = 1 + random_below(state, NR_SLOTS - 1);
	switch (op->what) {
	case ALLOC ... ANY_IOCTL:
		make_ioctl(op, state);
		break;
	case MMAP:
		make_mmap(op, state);
		break;
	case SEEK:
		op->a = random_once_in(state, 2) ? 0 : make_number(state);
		op->b = random_below(state, 6);
		break;
	case SYSFS_READ:
	case SYSFS_WRITE:
		op->a = random_next(state);
		op->b = random_next(state);
		op->c = random_once_in(state, 2) ? 0 : random_next(state);
		op->d = random_next(state);
		op->state = random_fork(state);
		break;
	default:
		op->a = make_place(state);
		op->b = op->what == TOUCH ? random_below(state, 2) :
					    random_below(state, 16);
		op->c = random_below(state, 4096);
		if (op->what == MREMAP) {
			op->c = random_below(state, 24);
			op->d = random_below(state, 2) *
				random_below(state, ARENA_PAGES);
		}
		break;
	}
	if (op->what == SYSFS_READ && op->c)
		op->c %= 8192;
}

/* The second thread */

struct racer {
	pthread_t thread;
	__u32 state;
	bool stop;
};

/* At any moment, and as often as the other one does something */
static void *race(void *data)
{
	struct racer *racer = data;
	unsigned int seen = 0, now;

	while (!__atomic_load_n(&racer->stop, __ATOMIC_RELAXED)) {
		__u32 from = random_below(&racer->state, ARENA_PAGES);
		__u64 len = arena_len(from, 1 + random_below(&racer->state, 16));

		switch (random_below(&racer->state, 8)) {
		case 0 ... 4:
			close(first_fd + random_below(&racer->state, 2 * NR_SLOTS));
			break;
		case 5:
			/* No hole, in which somebody else's memory would be */
			if (mmap(arena_at(from), len, PROT_NONE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
				 MAP_FIXED, -1, 0) == MAP_FAILED)
				sched_yield();
			break;
		case 6:
			mprotect(arena_at(from), len, PROT_READ);
			break;
		default:
			madvise(arena_at(from), len, MADV_DONTNEED);
			break;
		}
		do {
			sched_yield();
			now = __atomic_load_n(&op_number, __ATOMIC_RELAXED);
		} while (now == seen &&
			 !__atomic_load_n(&racer->stop, __ATOMIC_RELAXED));
		seen = now;
	}
	return NULL;
}

/* Cases */

static void expect_unused(void)
{
	if (sb.accounting && heap->region[0])
		expect_dmem_soon(own, "dmem.current", heap, 0);
}

/* What the areas have left, before and after; not of the one that others use */
static void read_available(__u64 *available)
{
	unsigned int i;

	for (i = 0; i < sb.heaps.count; i++)
		available[i] = sb.heaps.heap[i].is_default ? 0 :
			       heap_number(sb.heaps.heap[i].name, "available");
}

static void expect_available(const __u64 *before)
{
	__u64 end = deadline();
	__u64 now[CMA_HEAP_MAX_HEAPS];
	unsigned int i;

	do {
		read_available(now);
		for (i = 0; i < sb.heaps.count; i++)
			if (now[i] != before[i])
				break;
		if (i == sb.heaps.count)
			return;
	} while (sleep_until(end));
	case_fail("%s: available: expected %llu, seen %llu", sb.heaps.heap[i].name,
		  (unsigned long long)before[i], (unsigned long long)now[i]);
}

static void test_corpus(const struct cma_heap *with)
{
	__u64 before[CMA_HEAP_MAX_HEAPS];
	unsigned int i;
	int ret;

	own = cma_heap_own_cgroup(&sb);
	read_available(before);
	start_process(with);
	for (i = 0; i < ARRAY_SIZE(corpus); i++) {
		op_number = i;
		ret = -do_op(&corpus[i].op);
		if (ret == corpus[i].want)
			continue;
		ksft_print_msg("%s: expected %s, seen %s\n", corpus[i].name,
			       strerror(corpus[i].want), strerror(ret));
		op_fail(&corpus[i].op, "seen", ret);
	}
	start_over();
	expect_unused();
	expect_available(before);
}

/* Numbers that can be set; put back by whoever calls a case that sets them */
static const char * const settings[] = { "max_percent", "idle_ms" };
static char saved[CMA_HEAP_MAX_HEAPS][ARRAY_SIZE(settings)][32];

static void each_setting(void (*fn)(const char *path, char *value))
{
	char path[PATH_MAX];
	unsigned int i, j;

	for (i = 0; i < sb.heaps.count; i++) {
		for (j = 0; j < ARRAY_SIZE(settings); j++) {
			snprintf(path, sizeof(path), RECYCLE_DIR "/%s/%s",
				 sb.heaps.heap[i].name, settings[j]);
			if (!access(path, F_OK))
				fn(path, saved[i][j]);
		}
	}
}

static void save_setting(const char *path, char *value)
{
	if (read_line(value, sizeof(saved[0][0]), "%s", path))
		case_fail("%s can't be read", path);
}

static void restore_setting(const char *path, char *value)
{
	char seen[32];
	int fd = open_fd(path, O_WRONLY);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		case_fail("%s: %s", path, strerror(errno));
	close(fd);
	save_setting(path, seen);
	if (strcmp(seen, value))
		case_fail("%s: expected %s, seen %s", path, value, seen);
}

/* max_percent takes what it takes, and refuses the rest unchanged */
static void test_corpus_sysfs(const struct cma_heap *with)
{
	char path[PATH_MAX], value[32], had[32];
	unsigned int i;
	int fd, ret;

	snprintf(path, sizeof(path), RECYCLE_DIR "/%s/max_percent", with->name);
	fd = open_fd(path, O_RDWR);
	if (fd < 0 && errno == ENOENT)
		case_skip(&sb, "nothing is recycled in this area");
	if (fd < 0)
		case_fail("%s: %s", path, strerror(errno));
	each_setting(save_setting);
	for (i = 0; i < ARRAY_SIZE(sysfs_corpus); i++) {
		save_setting(path, had);
		ret = pwrite(fd, sysfs_corpus[i].text, sysfs_corpus[i].len, 0) < 0 ?
		      errno : 0;
		if (ret != sysfs_corpus[i].want)
			case_fail("%s, input %u: expected %s, seen %s", path, i,
				  strerror(sysfs_corpus[i].want), strerror(ret));
		save_setting(path, value);
		if (ret ? strcmp(value, had) :
			  strtoul(value, NULL, 10) !=
			  strtoul(sysfs_corpus[i].text, NULL, 10))
			case_fail("%s, input %u: shows %s", path, i, value);
	}
	close(fd);
	each_setting(restore_setting);
}

static void add_files(const char *dir_path)
{
	char path[PATH_MAX];
	struct dirent *entry;
	struct stat st;
	DIR *dir = opendir(dir_path);

	if (!dir)
		return;
	for (entry = readdir(dir); entry; entry = readdir(dir)) {
		/* Not ours, and tells udev what has not happened */
		if (entry->d_name[0] == '.' || !strcmp(entry->d_name, "uevent"))
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", dir_path,
			     entry->d_name) >= (int)sizeof(path))
			continue;
		if (!lstat(path, &st) && S_ISREG(st.st_mode) &&
		    nr_files < MAX_FILES)
			files[nr_files++] = strdup(path);
	}
	closedir(dir);
}

/* In an order that is the same for the same machine */
static int by_text(const void *a, const void *b)
{
	return strcmp(*(char * const *)a, *(char * const *)b);
}

static void find_files(void)
{
	char path[PATH_MAX];
	unsigned int i;

	for (i = 0; i < sb.heaps.count; i++) {
		snprintf(path, sizeof(path), CMA_HEAP_CLASS_DIR "/%s",
			 sb.heaps.heap[i].name);
		add_files(path);
		snprintf(path, sizeof(path), RECYCLE_DIR "/%s",
			 sb.heaps.heap[i].name);
		add_files(path);
	}
	add_files(CMA_HEAP_CLASS_DIR "/system");
	if (!nr_files)
		case_fail("no files in " CMA_HEAP_CLASS_DIR);
	qsort(files, nr_files, sizeof(files[0]), by_text);
}

/* The heaps that have an area of their own */
static const struct cma_heap *pick_heap(unsigned int number)
{
	unsigned int i, n = 0;

	for (i = 0; i < sb.heaps.count; i++)
		n += !sb.heaps.heap[i].is_alias;
	number %= n;
	for (i = 0; i < sb.heaps.count; i++)
		if (!sb.heaps.heap[i].is_alias && !number--)
			break;
	return &sb.heaps.heap[i];
}

static void enter_own_cgroup(unsigned int number)
{
	char line[CMA_HEAP_NAME_SIZE + 32];

	if (!sb.accounting)
		return;
	own = cg_name_indexed(sb.top, "process", number);
	if (!own || cg_create(own) || cg_enter_current(own))
		case_fail("can't enter a new cgroup");
	/* For one of them it is a limit that says no, not the area */
	if (!number && heap->region[0]) {
		snprintf(line, sizeof(line), "%s %llu", heap->region,
			 (unsigned long long)heap->size / 4);
		if (dmem_write(own, "dmem.max", line, strlen(line)))
			case_fail("dmem.max of %s can't be set", own);
	}
}

static void __noreturn fuzz_process(unsigned int number, __u32 state, __u32 ops)
{
	struct racer racer = { .state = random_fork(&state) };
	unsigned int good = 0, counts[NR_WHATS] = { 0 };
	__u64 start = now_ms();
	struct op op;
	int ret;

	heap = pick_heap(number);
	enter_own_cgroup(number);
	start_process(heap);
	if (racing && pthread_create(&racer.thread, NULL, race, &racer))
		case_fail("no thread");
	for (op_number = 0; op_number < ops; op_number++) {
		/* With one CPU it is now, or while something waits */
		if (racing)
			sched_yield();
		/* It may have been closed, and be something else */
		if (racing && !(op_number % 8)) {
			close(slots[0]);
			slots[0] = cma_heap_open(heap);
		}
		make_op(&op, &state);
		ret = do_op(&op);
		check_result(&op, ret);
		good += !ret;
		counts[op.what] += !ret;
		if (op_number % BATCH != BATCH - 1)
			continue;
		start_over();
		if (!racing)
			expect_unused();
	}
	if (racing) {
		__atomic_store_n(&racer.stop, true, __ATOMIC_RELAXED);
		pthread_join(racer.thread, NULL);
	}
	start_over();
	expect_unused();
	if (ops > 1000 && (!counts[ALLOC] || !counts[MMAP] || !counts[TOUCH]))
		case_fail("of %u operations %u were good: nothing was tested",
			  ops, good);
	ksft_print_msg("%s: %u operations in %llu ms, %u good", heap->name, ops,
		       (unsigned long long)(now_ms() - start), good);
	printf(" (%u allocations, %u mappings, %u touched)\n", counts[ALLOC],
	       counts[MMAP], counts[TOUCH]);
	exit(KSFT_PASS);
}

static void fuzz(unsigned int percent)
{
	__u32 ops = (unsigned long long)total_ops * percent / 100 / PROCESSES + 1;
	__u64 before[CMA_HEAP_MAX_HEAPS];
	__u32 states = seed;
	pid_t pids[PROCESSES];
	siginfo_t info;
	unsigned int i;

	ksft_print_msg("DMEM_TEST_SEED=%u DMEM_TEST_OPS=%u\n", seed, total_ops);
	find_files();
	each_setting(save_setting);
	read_available(before);
	for (i = 0; i < PROCESSES; i++) {
		__u32 state = random_fork(&states);

		pids[i] = case_fork();
		if (!pids[i])
			fuzz_process(i, state, ops);
	}
	/* Whatever has become of them, the settings are as before */
	for (i = 0; i < PROCESSES; i++)
		waitid(P_PID, pids[i], &info, WEXITED | WNOWAIT);
	each_setting(restore_setting);
	for (i = 0; i < PROCESSES; i++)
		expect_exit(pids[i], 0);
	expect_available(before);
}

static void test_alone(const struct cma_heap *unused __maybe_unused)
{
	fuzz(50);
}

static void test_races(const struct cma_heap *unused __maybe_unused)
{
	racing = true;
	fuzz(50);
}

static const struct cma_heap_case cases[] = {
	{ test_corpus,		"corpus" },
	{ test_corpus_sysfs,	"corpus_sysfs" },
	{ test_alone,		"fuzz",		true },
	{ test_races,		"fuzz_races",	true },
};

int main(void)
{
	page = page_size();
	seed = repeatable_seed();
	total_ops = repeatable_ops(OPS);
	cma_heap_run_cases("cma_heap_fuzz_test", &sb, cases, ARRAY_SIZE(cases),
			   CASE_SECONDS + total_ops / OPS_PER_SECOND);
}
