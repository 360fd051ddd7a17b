// SPDX-License-Identifier: GPL-2.0
/*
 * What heaps tell about themselves: in sysfs, by DMA_HEAP_IOCTL_GET_INFO, in the
 * fdinfo of their buffers; and that it is so.
 *
 * The cases of the first part run for each heap, those of the second once. Each
 * runs in a process of its own, in a cgroup of its own where there is the dmem
 * controller. See drivers/dma-buf/dma-heap-consumer-test.c for the devices that
 * the cases about consumers want.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <linux/dma-heap.h>

#include "kselftest.h"
#include "cgroup_util.h"
#include "lib/cma_heap_util.h"
#include "lib/repeatable.h"

#define CASE_SECONDS	120
#define DRIVERS_DIR	"/sys/bus/platform/drivers"
#define TREE_DIR	"/sys/firmware/devicetree/base"
#define MIB		(1024ULL * 1024)
#define TEXT_SIZE	4096

static struct dmem_sandbox sb;
static __u64 page;

/* The cgroup that the current case runs in */
static char *own;

/* Every heap, CMA or not */
static struct cma_heap_list all;

/* Files */

static void expect_text_at(int line, const char *what, const char *seen,
			   const char *want)
{
	if (strcmp(seen, want))
		case_fail_at("expect_text", line, "%s: expected '%s', seen '%s'",
			     what, want, seen);
}

#define expect_text(what, seen, want) expect_text_at(__LINE__, what, seen, want)

static void expect_errno_at(int line, const char *what, int seen, int want)
{
	if (seen != want)
		case_fail_at("expect_errno", line, "%s: expected %s, seen %s",
			     what, strerror(want), strerror(seen));
}

#define expect_errno(what, seen, want) \
	expect_errno_at(__LINE__, what, seen, want)

static void expect_heap_text(const char *heap, const char *file,
			     const char *want)
{
	char seen[256] = "(no such file)", what[PATH_MAX];

	snprintf(what, sizeof(what), "%s/%s", heap, file);
	read_line(seen, sizeof(seen), CMA_HEAP_CLASS_DIR "/%s/%s", heap, file);
	expect_text(what, seen, want);
}

static void expect_no_file(const char *heap, const char *file)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), CMA_HEAP_CLASS_DIR "/%s/%s", heap, file);
	if (!lstat(path, &st))
		case_fail("%s exists", path);
}

static bool on_command_line(const char *parameter)
{
	char line[TEXT_SIZE], *word, *rest = line;

	if (read_line(line, sizeof(line), "/proc/cmdline"))
		return false;
	while ((word = strsep(&rest, " ")))
		if (!strcmp(word, parameter))
			return true;
	return false;
}

/*
 * The controller is built in and not disabled, whatever hierarchy it is in. One
 * file has those of version 2, the other one those that version 1 can have.
 */
static bool kernel_has_controller(const char *name)
{
	char line[512], word[64], root[PATH_MAX], *rest = line, *one;
	int enabled, found = 0;
	FILE *file;

	if (!cg_find_unified_root(root, sizeof(root) - 1, NULL) &&
	    !read_line(line, sizeof(line), "%s/cgroup.controllers", root))
		while ((one = strsep(&rest, " ")))
			if (!strcmp(one, name))
				return true;

	file = fopen("/proc/cgroups", "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %*d %*d %d", word, &enabled) == 2 &&
		    !strcmp(word, name))
			found = enabled;
	if (file)
		fclose(file);
	return found;
}

/* The ioctl */

static int open_heap(const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", CMA_HEAP_DIR, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		case_fail("%s: %s", path, strerror(errno));
	return fd;
}

/* The request with a struct of @size bytes */
static unsigned long info_request(unsigned int size)
{
	return _IOC(_IOC_READ | _IOC_WRITE, DMA_HEAP_IOC_MAGIC,
		    _IOC_NR(DMA_HEAP_IOCTL_GET_INFO), size);
}

static int get_info(int fd, unsigned long request, void *info)
{
	return ioctl(fd, request, info) ? errno : 0;
}

/* Cases: each heap */

static void test_sysfs(const struct cma_heap *heap)
{
	bool dmem = kernel_has_controller("dmem");
	char region[CMA_HEAP_NAME_SIZE + 8] = "";

	if (dmem)
		snprintf(region, sizeof(region), "cma/%s",
			 heap->is_default ? CMA_HEAP_DEFAULT : heap->name);
	expect_heap_text(heap->name, "accounting", dmem ? "dmem" : "none");
	expect_heap_text(heap->name, "region", region);
	expect_value("alignment", heap_number(heap->name, "alignment"), page);
	if (sb.accounting && heap->region[0]) {
		expect_text("region", region, heap->region);
		expect_value("size", heap_number(heap->name, "size"),
			     heap->size);
	}
	if (heap_number(heap->name, "size") % page)
		case_fail("size is not a number of pages");
}

/*
 * What is available goes down by what is allocated, in whole pages, and comes
 * back. Drivers use the default area when they please.
 */
static void test_available(const struct cma_heap *heap)
{
	__u64 before, size = heap_number(heap->name, "size");
	__u64 end = deadline();
	int fd, other;

	if (heap->is_default)
		case_skip(&sb, "others use the default area");
	before = heap_number(heap->name, "available");
	if (before > size)
		case_fail("%llu bytes available of %llu",
			  (unsigned long long)before, (unsigned long long)size);
	if (cma_heap_is_free(&sb, heap))
		expect_value("available", before, size);

	fd = expect_alloc(heap, 3 * page + 1, 0);
	expect_value("available", heap_number(heap->name, "available"),
		     before - 4 * page);
	other = expect_alloc(heap, MIB, 0);
	expect_value("available", heap_number(heap->name, "available"),
		     before - 4 * page - MIB);
	close(fd);
	close(other);
	while (heap_number(heap->name, "available") != before)
		if (!sleep_until(end))
			case_fail("available: expected %llu, seen %llu",
				  (unsigned long long)before,
				  (unsigned long long)
				  heap_number(heap->name, "available"));
}

/* The real path of a link below the heap, -errno if there is none */
static int heap_link(const char *heap, const char *link, char *target)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), CMA_HEAP_CLASS_DIR "/%s/%s", heap, link);
	return realpath(path, target) ? 0 : -errno;
}

/*
 * The link leads to the reserved-memory node that the heap is called after. The
 * default area may be one without a node.
 */
static void test_of_node(const struct cma_heap *heap)
{
	char want[PATH_MAX + 64], seen[PATH_MAX];
	int ret = heap_link(heap->name, "of_node", seen);

	snprintf(want, sizeof(want), TREE_DIR "/reserved-memory/%s", heap->name);
	if (heap->is_default) {
		if (ret)
			case_skip(&sb, "the default area has no node");
		snprintf(want, sizeof(want), "%s/linux,cma-default", seen);
		if (access(want, F_OK))
			case_fail("%s: not the default area's node", seen);
		return;
	}
	if (access(want, F_OK)) {
		if (!ret)
			case_fail("of_node leads to %s", seen);
		case_skip(&sb, "not from a device tree");
	}
	if (ret)
		case_fail("of_node: %s", strerror(-ret));
	expect_text("of_node", seen, want);
}

/* The names in a folder, sorted, one a line */
static void list_names(const char *path, char *text, size_t size)
{
	struct dirent **entries;
	int i, count;

	*text = '\0';
	count = scandir(path, &entries, NULL, alphasort);
	if (count < 0)
		case_fail("%s: %s", path, strerror(errno));
	for (i = 0; i < count; i++) {
		if (entries[i]->d_name[0] != '.')
			snprintf(text + strlen(text), size - strlen(text),
				 "%s\n", entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char * const *)a, *(char * const *)b);
}

/* The same format from names with a NUL each */
static void sort_names(char *names, size_t len, char *text, size_t size)
{
	char *list[64];
	unsigned int i, count = 0;
	size_t at;

	for (at = 0; at < len && count < ARRAY_SIZE(list); count++) {
		list[count] = names + at;
		at += strlen(names + at) + 1;
	}
	qsort(list, count, sizeof(list[0]), by_text);
	*text = '\0';
	for (i = 0; i < count; i++)
		snprintf(text + strlen(text), size - strlen(text), "%s\n",
			 list[i]);
}

/* The ioctl and sysfs agree on every fact */
static void test_ioctl(const struct cma_heap *heap)
{
	static const char * const accounting[] = {
		[DMA_HEAP_ACCOUNTING_NONE] = "none",
		[DMA_HEAP_ACCOUNTING_MEMORY] = "memory",
		[DMA_HEAP_ACCOUNTING_DMEM] = "dmem",
	};
	char node[PATH_MAX] = "", names[TEXT_SIZE], path[PATH_MAX];
	char seen[TEXT_SIZE], want[TEXT_SIZE];
	struct dma_heap_info info = {
		.of_node = (uintptr_t)node,
		.of_node_size = sizeof(node),
		.consumers = (uintptr_t)names,
		.consumers_size = sizeof(names),
	};
	int fd = open_heap(heap->name);

	expect_errno("GET_INFO", get_info(fd, DMA_HEAP_IOCTL_GET_INFO, &info), 0);
	close(fd);

	if (info.accounting >= ARRAY_SIZE(accounting))
		case_fail("accounting %u", info.accounting);
	expect_heap_text(heap->name, "accounting", accounting[info.accounting]);
	expect_heap_text(heap->name, "region", info.region);
	if (info.size) {
		expect_value("size", heap_number(heap->name, "size"), info.size);
		if (!heap->is_default)
			expect_value("available",
				     heap_number(heap->name, "available"),
				     info.available);
	} else {
		expect_no_file(heap->name, "size");
		expect_no_file(heap->name, "available");
	}
	expect_value("alignment", heap_number(heap->name, "alignment"),
		     info.alignment);

	if (info.of_node_size) {
		expect_value("length of the path", info.of_node_size,
			     strlen(node) + 1);
		if (heap_link(heap->name, "of_node", seen))
			case_fail("no of_node beside %s", node);
		snprintf(want, sizeof(want), TREE_DIR "%s", node);
		expect_text("of_node", seen, want);
	} else {
		expect_no_file(heap->name, "of_node");
	}

	snprintf(path, sizeof(path), CMA_HEAP_CLASS_DIR "/%s/consumers", heap->name);
	list_names(path, want, sizeof(want));
	sort_names(names, info.consumers_size, seen, sizeof(seen));
	expect_text("consumers", seen, want);
}

/*
 * Text is copied wholly or not at all, what it takes is told in any case, and no
 * more is written than that.
 */
static void test_ioctl_room(const struct cma_heap *heap)
{
	struct dma_heap_info info = { 0 }, had;
	char text[TEXT_SIZE];
	int fd = open_heap(heap->name);
	__u32 need;
	size_t i;

	expect_errno("no room", get_info(fd, DMA_HEAP_IOCTL_GET_INFO, &info), 0);
	need = info.of_node_size;
	if (!need)
		case_skip(&sb, "no device tree node");
	/* without an address nothing is wanted, whatever the size */
	expect_errno("no address", get_info(fd, DMA_HEAP_IOCTL_GET_INFO, &info),
		     0);
	expect_value("room to offer", info.of_node_size, need);

	for (i = 0; i < need; i++) {
		memset(text, 'x', sizeof(text));
		info.of_node = (uintptr_t)text;
		info.of_node_size = i;
		expect_errno("little room",
			     get_info(fd, DMA_HEAP_IOCTL_GET_INFO, &info), 0);
		expect_value("room to offer", info.of_node_size, need);
		if (text[0] != 'x' || memcmp(text, text + 1, sizeof(text) - 1))
			case_fail("%zu bytes: a part was copied", i);
	}
	memset(text, 'x', sizeof(text));
	info.of_node_size = need;
	expect_errno("just enough",
		     get_info(fd, DMA_HEAP_IOCTL_GET_INFO, &info), 0);
	expect_value("length of the path", strlen(text), need - 1);
	if (text[need] != 'x')
		case_fail("more was written than the path");

	/* beyond what there is for users; on 32 bit, beyond what there is */
	for (i = 0; i < 2; i++) {
		info.of_node = i ? 8 : (1ULL << 62) + (uintptr_t)text;
		had = info;
		expect_errno("room that is not there",
			     get_info(fd, DMA_HEAP_IOCTL_GET_INFO, &info),
			     EFAULT);
		if (memcmp(&info, &had, sizeof(info)))
			case_fail("the struct has changed");
	}
	close(fd);
}

/*
 * Older and newer structs work, what is not understood is refused, and what is
 * refused leaves the struct as it was.
 */
static void test_ioctl_refused(const struct cma_heap *heap)
{
	enum { KNOWN = sizeof(struct dma_heap_info),
	       MOST = (1 << _IOC_SIZEBITS) - 1 };
	static const unsigned int sizes[] = { KNOWN, KNOWN + 1, KNOWN + 8,
					      2 * KNOWN, 4096, MOST };
	struct dma_heap_info *info;
	unsigned int i, size;
	int fd = open_heap(heap->name);
	char *bytes, *had, what[64];

	bytes = calloc(2, MOST + 1);
	if (!bytes)
		case_fail("no memory");
	had = bytes + MOST + 1;
	info = (struct dma_heap_info *)bytes;

	/* too small: no such struct has ever been */
	for (size = 0; size < DMA_HEAP_INFO_SIZE_VER0; size++) {
		snprintf(what, sizeof(what), "struct of %u bytes", size);
		expect_errno(what, get_info(fd, info_request(size), info),
			     EINVAL);
	}
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		size = sizes[i];
		snprintf(what, sizeof(what), "struct of %u bytes", size);
		memset(bytes, 0, MOST + 1);
		bytes[size] = 0x5a;
		expect_errno(what, get_info(fd, info_request(size), info), 0);
		expect_value("alignment", info->alignment, page);
		expect_value("beyond the struct", bytes[size], 0x5a);
		if (size == KNOWN)
			continue;
		expect_value("unknown part", bytes[size - 1], 0);

		snprintf(what, sizeof(what), "%u bytes, the last one not zero",
			 size);
		memset(bytes, 0, MOST + 1);
		bytes[size - 1] = 1;
		memcpy(had, bytes, MOST + 1);
		expect_errno(what, get_info(fd, info_request(size), info), E2BIG);
		if (memcmp(bytes, had, MOST + 1))
			case_fail("%s: the struct has changed", what);
	}

	memset(bytes, 0, MOST + 1);
	info->flags = 1;
	expect_errno("flags 1", get_info(fd, DMA_HEAP_IOCTL_GET_INFO, info),
		     EINVAL);
	expect_value("alignment", info->alignment, 0);
	info->flags = 0;
	for (i = 0; i < sizeof(info->reserved); i++) {
		snprintf(what, sizeof(what), "byte %u of reserved", i);
		((char *)info->reserved)[i] = 1;
		expect_errno(what, get_info(fd, DMA_HEAP_IOCTL_GET_INFO, info),
			     EINVAL);
		((char *)info->reserved)[i] = 0;
	}

	/* the number alone is not the request */
	expect_errno("another direction",
		     get_info(fd, _IOC(_IOC_READ, DMA_HEAP_IOC_MAGIC,
				       _IOC_NR(DMA_HEAP_IOCTL_GET_INFO), KNOWN),
			      info), EINVAL);
	expect_errno("another type",
		     get_info(fd, _IOC(_IOC_READ | _IOC_WRITE, 'I',
				       _IOC_NR(DMA_HEAP_IOCTL_GET_INFO), KNOWN),
			      info), EINVAL);
	expect_errno("no struct",
		     get_info(fd, DMA_HEAP_IOCTL_GET_INFO, NULL), EFAULT);
	free(bytes);
	close(fd);
}

/* What the kernel knows of a struct, and the room that a call has for it */
struct fuzz {
	char *bytes;		/* ends where memory does */
	char *had;
	size_t room;
	int fd;
	__u32 state;
};

/* 0 mostly: junk in one or two places is what gets past the first checks */
static void fuzz_fill(struct fuzz *fuzz, unsigned int size)
{
	unsigned int i, times;

	memset(fuzz->bytes - size, 0, size);
	if (random_once_in(&fuzz->state, 8)) {
		for (i = 0; i < size; i++)
			fuzz->bytes[(int)(i - size)] = random_next(&fuzz->state);
		return;
	}
	times = random_below(&fuzz->state, 3);
	for (i = 0; size && i < times; i++)
		fuzz->bytes[-1 - (int)random_below(&fuzz->state, size)] =
			random_next(&fuzz->state);
}

/* Addresses that are junk lead nowhere, not into the memory of the test */
static void fuzz_spoil_addresses(struct fuzz *fuzz, unsigned int size)
{
	struct dma_heap_info info;

	if (size < sizeof(info))
		return;
	memcpy(&info, fuzz->bytes - size, sizeof(info));
	if (info.of_node)
		info.of_node |= 1ULL << 62;
	if (info.consumers)
		info.consumers |= 1ULL << 62;
	memcpy(fuzz->bytes - size, &info, sizeof(info));
}

/* What has to come out for GET_INFO with what is in the struct */
static int fuzz_want_info(const struct fuzz *fuzz, unsigned int size,
			  __u32 path_size, __u32 names_size)
{
	struct dma_heap_info info;
	unsigned int i;

	if (size < DMA_HEAP_INFO_SIZE_VER0)
		return -EINVAL;
	for (i = sizeof(info); i < size; i++)
		if (fuzz->bytes[(int)(i - size)])
			return -E2BIG;
	memcpy(&info, fuzz->bytes - size, sizeof(info));
	if (info.flags)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(info.reserved); i++)
		if (info.reserved[i])
			return -EINVAL;
	if ((info.of_node && path_size && info.of_node_size >= path_size) ||
	    (info.consumers && names_size && info.consumers_size >= names_size))
		return -EFAULT;
	return 0;
}

/* The same for ALLOC */
static int fuzz_want_alloc(const struct fuzz *fuzz, unsigned int size)
{
	struct dma_heap_allocation_data data = { 0 };
	unsigned int i;

	memcpy(&data, fuzz->bytes - size,
	       size < sizeof(data) ? size : sizeof(data));
	for (i = sizeof(data); i < size; i++)
		if (fuzz->bytes[(int)(i - size)])
			return -E2BIG;
	if (data.fd || data.fd_flags & ~(O_CLOEXEC | O_ACCMODE) ||
	    data.heap_flags || !data.len || data.len + page - 1 < data.len)
		return -EINVAL;
	return 0;
}

static void fuzz_fail(const struct fuzz *fuzz, unsigned long request,
		      const char *why, int seen, int want)
{
	unsigned int i, size = _IOC_SIZE(request);

	ksft_print_msg("request 0x%lx:", request);
	for (i = 0; i < size && i < 512; i++)
		printf(" %02x", (unsigned char)fuzz->had[i]);
	printf("\n");
	case_fail("%s: expected %s, seen %s", why, strerror(want),
		  strerror(seen));
}

/*
 * Both requests with any size and junk in the struct: the answer is what the
 * rules say, refusals change nothing, and nothing is left over.
 */
static void test_fuzz(const struct cma_heap *heap)
{
	__u32 seed = repeatable_seed(), ops = repeatable_ops(10000), i;
	struct dma_heap_info plain = { 0 };
	struct fuzz fuzz = { .state = seed };
	unsigned int size;
	unsigned long request;
	int seen, want, first;
	char *map;

	ksft_print_msg("DMEM_TEST_SEED=%u DMEM_TEST_OPS=%u\n", seed, ops);
	fuzz.room = (1 << _IOC_SIZEBITS) + page;
	fuzz.room -= fuzz.room % page;
	map = mmap(NULL, fuzz.room + page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fuzz.had = malloc(fuzz.room);
	if (map == MAP_FAILED || !fuzz.had || munmap(map + fuzz.room, page))
		case_fail("no memory");
	fuzz.bytes = map + fuzz.room;
	fuzz.fd = open_heap(heap->name);
	first = dup(fuzz.fd);
	close(first);
	expect_errno("GET_INFO",
		     get_info(fuzz.fd, DMA_HEAP_IOCTL_GET_INFO, &plain), 0);

	for (i = 0; i < ops; i++) {
		bool info = random_once_in(&fuzz.state, 2);
		unsigned int known = info ? sizeof(struct dma_heap_info) :
				     sizeof(struct dma_heap_allocation_data);

		/* around what is known, or anything */
		size = random_once_in(&fuzz.state, 3) ?
		       random_below(&fuzz.state, 1 << _IOC_SIZEBITS) :
		       known + random_below(&fuzz.state, 32) - 8;
		fuzz_fill(&fuzz, size);
		if (info)
			fuzz_spoil_addresses(&fuzz, size);
		if (!info && size >= sizeof(__u64) &&
		    random_once_in(&fuzz.state, 2))
			memcpy(fuzz.bytes - size, &page, sizeof(page));
		memcpy(fuzz.had, fuzz.bytes - size, size);

		request = info ? info_request(size) :
			  _IOC(_IOC_READ | _IOC_WRITE, DMA_HEAP_IOC_MAGIC, 0,
			       size);
		want = info ? -fuzz_want_info(&fuzz, size, plain.of_node_size,
					      plain.consumers_size) :
			      -fuzz_want_alloc(&fuzz, size);
		seen = ioctl(fuzz.fd, request, fuzz.bytes - size) ? errno : 0;
		/* junk in the length is mostly more than there is */
		if (!info && !want && seen == ENOMEM)
			continue;
		if (seen != want)
			fuzz_fail(&fuzz, request, "junk", seen, want);
		if (seen && memcmp(fuzz.had, fuzz.bytes - size, size))
			fuzz_fail(&fuzz, request, "refused, but changed", seen,
				  want);
		/* a struct that ends before it does not say */
		if (!seen && !info)
			close(first);
	}
	expect_value("next descriptor", dup(fuzz.fd), first);
	if (sb.accounting && heap->region[0])
		expect_dmem_soon(own, "dmem.current", heap, 0);
}

/* fdinfo */

static void expect_fdinfo_at(int line, pid_t pid, int fd, const char *key,
			     const char *want)
{
	char *seen = fdinfo_value(pid, fd, key);

	if (seen && want ? strcmp(seen, want) : seen != want)
		case_fail_at("expect_fdinfo", line, "%s: expected %s, seen %s",
			     key, want ?: "no line", seen ?: "no line");
	free(seen);
}

#define expect_fdinfo(pid, fd, key, want) \
	expect_fdinfo_at(__LINE__, pid, fd, key, want)

static void cgroup_id_text(const char *cgroup, char *text, size_t size)
{
	__u64 id;
	int ret = dmem_cgroup_id(cgroup, &id);

	if (ret)
		case_fail("%s: no id: %s", cgroup, strerror(-ret));
	snprintf(text, size, "%llu", (unsigned long long)id);
}

static void need_accounting(const struct cma_heap *heap)
{
	if (!sb.accounting)
		case_skip(&sb, "%s", sb.why);
	if (!heap->region[0])
		case_fail("%s: dmem.capacity has no region for this heap",
			  heap->name);
}

/* The path of a cgroup as the root's namespace has it */
static const char *inside(const char *cgroup)
{
	return cgroup + strlen(sb.root);
}

static char *make_cgroup(const char *parent, const char *name)
{
	char *cgroup = cg_name(parent, name);

	if (!cgroup || cg_create(cgroup))
		case_fail("%s/%s: %s", parent, name, strerror(errno));
	return cgroup;
}

/* Leave the sandbox's cgroup as it was, with this process elsewhere */
static void remove_cgroup(const char *cgroup)
{
	__u64 end = deadline();

	while (rmdir(cgroup))
		if (errno != EBUSY || !sleep_until(end))
			case_fail("%s: %s", cgroup, strerror(errno));
}

/*
 * A buffer tells the region and the cgroup that are charged. The cgroup is the
 * one that allocated, wherever that process is now; its number stays when it is
 * removed, its path does not, and a new one of the same name is not it.
 */
static void test_fdinfo(const struct cma_heap *heap)
{
	char id[32];
	pid_t pid = getpid();
	int fd;

	need_accounting(heap);
	cgroup_id_text(own, id, sizeof(id));
	fd = expect_alloc(heap, page, 0);
	expect_fdinfo(pid, fd, "dmem_region", heap->region);
	expect_fdinfo(pid, fd, "dmem_cgroup_id", id);
	expect_fdinfo(pid, fd, "dmem_cgroup", inside(own));

	if (cg_enter_current(sb.root))
		case_fail("can't enter the root cgroup");
	expect_fdinfo(pid, fd, "dmem_cgroup_id", id);
	expect_fdinfo(pid, fd, "dmem_cgroup", inside(own));

	/* without the controller it is the cgroup that was charged all the same */
	if (cg_write(sb.top, "cgroup.subtree_control", "-dmem"))
		case_fail("-dmem: %s", strerror(errno));
	expect_fdinfo(pid, fd, "dmem_cgroup_id", id);
	expect_fdinfo(pid, fd, "dmem_cgroup", inside(own));

	remove_cgroup(own);
	expect_fdinfo(pid, fd, "dmem_region", heap->region);
	expect_fdinfo(pid, fd, "dmem_cgroup_id", id);
	expect_fdinfo(pid, fd, "dmem_cgroup", NULL);
	make_cgroup(sb.top, "own");
	expect_fdinfo(pid, fd, "dmem_cgroup_id", id);
	expect_fdinfo(pid, fd, "dmem_cgroup", NULL);
	close(fd);
}

/* A buffer that nobody is charged for says nothing */
static void test_fdinfo_uncharged(const struct cma_heap *heap)
{
	static const char * const keys[] = { "dmem_region", "dmem_cgroup_id",
					     "dmem_cgroup" };
	struct cma_heap system = { .name = "system" };
	bool dmem = kernel_has_controller("dmem");
	size_t i;
	int fd;

	fd = cma_heap_alloc(dmem ? &system : heap, page);
	if (fd == -ENOENT)
		case_skip(&sb, "every heap here is charged");
	if (fd < 0)
		case_fail("%s", strerror(-fd));
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		expect_fdinfo(getpid(), fd, keys[i], NULL);
	close(fd);
}

struct seen_from {
	const char *cgroup;	/* whose namespace */
	const char *path;	/* that it sees for the buffer, NULL for none */
};

/*
 * Who is in a namespace of cgroups sees paths from its root on, and of what is
 * not below that no more than the number.
 */
static void test_fdinfo_namespace(const struct cma_heap *heap)
{
	char *inner, *dots, *sub, id[32], *text;
	char path[64];
	unsigned int i;
	int fd;

	need_accounting(heap);
	if (cg_enter_current(sb.root) ||
	    cg_write(sb.top, "cgroup.subtree_control", "+dmem"))
		case_fail("can't prepare cgroups: %s", strerror(errno));
	inner = make_cgroup(sb.top, "inner");
	if (cg_write(inner, "cgroup.subtree_control", "+dmem"))
		case_fail("+dmem: %s", strerror(errno));
	/* not the parent of anything, for all its name */
	dots = make_cgroup(inner, "..dots");
	sub = make_cgroup(inner, "sub");

	/* the last two can't have processes as long as children have controllers */
	struct seen_from rows[] = {
		{ sb.root, inside(dots) },
		{ dots, "/" },
		{ sub, NULL },
		{ own, NULL },
		{ sb.top, "/inner/..dots" },
		{ inner, "/..dots" },
	};

	if (cg_enter_current(dots))
		case_fail("can't enter %s", dots);
	cgroup_id_text(dots, id, sizeof(id));
	fd = expect_alloc(heap, page, 0);
	if (cg_enter_current(sb.root))
		case_fail("can't enter the root cgroup");

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		pid_t pid;

		if (rows[i].cgroup == sb.top &&
		    (cg_write(inner, "cgroup.subtree_control", "-dmem") ||
		     cg_write(sb.top, "cgroup.subtree_control", "-dmem")))
			case_fail("-dmem: %s", strerror(errno));
		pid = fork();
		if (pid < 0)
			case_fail("fork: %s", strerror(errno));
		if (pid) {
			expect_exit(pid, 0);
			continue;
		}
		if (cg_enter_current(rows[i].cgroup))
			case_fail("can't enter %s", rows[i].cgroup);
		if (unshare(CLONE_NEWCGROUP))
			case_fail("unshare: %s", strerror(errno));
		ksft_print_msg("from %s\n", rows[i].cgroup);
		expect_fdinfo(getpid(), fd, "dmem_region", heap->region);
		expect_fdinfo(getpid(), fd, "dmem_cgroup_id", id);
		expect_fdinfo(getpid(), fd, "dmem_cgroup", rows[i].path);
		snprintf(path, sizeof(path), "/proc/%d/fdinfo", getpid());
		snprintf(id, sizeof(id), "%d", fd);
		text = dmem_read_file(path, id);
		if (!rows[i].path && (!text || strstr(text, "dots")))
			case_fail("a name of the outside: %s", text);
		exit(0);
	}
	close(fd);
}

/* Cases: once */

/* Every heap tells something, and those without memory of their own no size */
static void test_all_heaps(const struct cma_heap *unused __maybe_unused)
{
	unsigned int i;
	char names[TEXT_SIZE], devices[TEXT_SIZE];

	list_names(CMA_HEAP_CLASS_DIR, names, sizeof(names));
	list_names(CMA_HEAP_DIR, devices, sizeof(devices));
	expect_text("heaps in sysfs", names, devices);
	for (i = 0; i < all.count; i++) {
		struct cma_heap heap = all.heap[i];

		test_ioctl(&heap);
		if (!strncmp(heap.name, "system", strlen("system"))) {
			expect_no_file(heap.name, "size");
			expect_no_file(heap.name, "available");
			expect_no_file(heap.name, "of_node");
			expect_value("alignment",
				     heap_number(heap.name, "alignment"), page);
		}
	}
}

/* What the system heap has to say, from what was configured */
static bool system_is_charged(void)
{
	char text[16] = "";

	read_line(text, sizeof(text),
		  "/sys/module/dma_heap/parameters/mem_accounting");
	return !strcmp(text, "Y") && kernel_has_controller("memory") &&
	       !on_command_line("cgroup.memory=nokmem");
}

static void need_system_heap(void)
{
	if (access(CMA_HEAP_DIR "/system", F_OK))
		case_skip(&sb, "no system heap");
}

/* Our configurations charge it unless the command line says something else */
static void test_system(const struct cma_heap *unused __maybe_unused)
{
	char text[16] = "";

	need_system_heap();
	if (!on_command_line("dma_heap.mem_accounting=0") &&
	    kernel_has_controller("memory")) {
		read_line(text, sizeof(text),
			  "/sys/module/dma_heap/parameters/mem_accounting");
		expect_text("mem_accounting", text, "Y");
	}
	expect_heap_text("system", "accounting",
			 system_is_charged() ? "memory" : "none");
	expect_heap_text("system", "region", "");
}

static void need_memory_cgroup(void)
{
	need_system_heap();
	if (!sb.accounting)
		case_skip(&sb, "%s", sb.why);
	if (!kernel_has_controller("memory"))
		case_skip(&sb, "the memory controller isn't available");
	if (cg_enter_current(sb.root) ||
	    cg_write(sb.top, "cgroup.subtree_control", "+memory"))
		case_skip(&sb, "the memory controller can't be enabled");
	if (cg_enter_current(own))
		case_fail("can't enter %s", own);
}

/*
 * A buffer of the system heap counts in memory.current while it lives if the heap
 * says memory, and not at all if it says none. A MiB more or less is other memory
 * of the process.
 */
static void test_system_current(const struct cma_heap *unused __maybe_unused)
{
	struct cma_heap system = { .name = "system" };
	__u64 before, with, after, bytes = 32 * MIB;
	bool charged = system_is_charged();
	int fd;

	need_memory_cgroup();
	/* whatever the first one takes beside its pages */
	close(expect_alloc(&system, page, 0));
	before = cg_read_long(own, "memory.current");
	fd = expect_alloc(&system, bytes, 0);
	with = cg_read_long(own, "memory.current");
	close(fd);
	after = cg_read_long(own, "memory.current");

	ksft_print_msg("memory.current %llu, %llu with %llu bytes, %llu\n",
		       (unsigned long long)before, (unsigned long long)with,
		       (unsigned long long)bytes, (unsigned long long)after);
	if (with + MIB < before + (charged ? bytes : 0) ||
	    with > before + (charged ? bytes : 0) + MIB)
		case_fail("the buffer should be charged: %d", charged);
	if (after > before + MIB)
		case_fail("the charge is not given back");
}

/*
 * memory.max keeps a process from taking more, whether the allocation fails or
 * the process is killed for it. (Single pages are taken as any process's, so it
 * mostly is.)
 */
static void test_system_max(const struct cma_heap *unused __maybe_unused)
{
	struct cma_heap system = { .name = "system" };
	__u64 max = 16 * MIB;
	int i, fd, status;
	pid_t pid;

	if (!system_is_charged())
		case_skip(&sb, "the system heap isn't charged");
	need_memory_cgroup();
	if (cg_write(own, "memory.max", "16M") || cg_enter_current(sb.root))
		case_fail("can't set memory.max");

	pid = fork();
	if (pid < 0)
		case_fail("fork: %s", strerror(errno));
	if (!pid) {
		if (cg_enter_current(own))
			exit(1);
		for (i = 0; i < 64; i++) {
			fd = cma_heap_alloc(&system, MIB);
			if (fd < 0)
				exit(fd == -ENOMEM ? 0 : 2);
		}
		exit(3);
	}
	if (waitpid(pid, &status, 0) != pid)
		case_fail("waitpid: %s", strerror(errno));
	if (!(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) &&
	    !(WIFEXITED(status) && !WEXITSTATUS(status)))
		case_fail("64 MiB: expected ENOMEM or SIGKILL, seen status 0x%x",
			  status);
	if (cg_read_long(own, "memory.peak") > (long)max)
		case_fail("memory.peak is %ld", cg_read_long(own, "memory.peak"));
	if (cg_read_key_long(own, "memory.events", "max ") <= 0)
		case_fail("memory.events has no max");
}

/* Consumers */

#define CONSUMER_DRIVER	"dma-heap-test-consumer"
#define BUS_DRIVER	"dma-heap-test-bus"
/* Property of devices that give nothing back */
#define FORGETS		"forgets-to-release"
#define MAX_DEVICES	16

struct device_list {
	char name[MAX_DEVICES][64];
	unsigned int count;
};

/* The devices that are bound to a driver, by name */
static void bound_devices(const char *driver, struct device_list *list)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	list->count = 0;
	snprintf(path, sizeof(path), DRIVERS_DIR "/%s", driver);
	dir = opendir(path);
	if (!dir)
		return;
	for (entry = readdir(dir); entry; entry = readdir(dir)) {
		if (entry->d_type != DT_LNK || !strcmp(entry->d_name, "module") ||
		    list->count == MAX_DEVICES)
			continue;
		snprintf(list->name[list->count++], sizeof(list->name[0]),
			 "%.63s", entry->d_name);
	}
	closedir(dir);
}

static void need_consumers(struct device_list *list)
{
	bound_devices(CONSUMER_DRIVER, list);
	if (!list->count)
		case_skip(&sb, "no " CONSUMER_DRIVER);
}

static void bind_device(const char *driver, const char *device, bool bind)
{
	const char *file = bind ? "bind" : "unbind";
	char path[PATH_MAX];
	int ret;

	snprintf(path, sizeof(path), DRIVERS_DIR "/%s", driver);
	ret = cg_write(path, file, (char *)device);
	if (ret)
		case_fail("%s: %s: %s", device, file, strerror(-ret));
}

/* How many links in consumers/ lead to the device */
static unsigned int count_links(const char *heap, const char *device)
{
	char path[PATH_MAX], target[PATH_MAX];
	unsigned int count = 0;
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), CMA_HEAP_CLASS_DIR "/%s/consumers", heap);
	dir = opendir(path);
	if (!dir)
		case_fail("%s: %s", path, strerror(errno));
	for (entry = readdir(dir); entry; entry = readdir(dir)) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), CMA_HEAP_CLASS_DIR "/%s/consumers/%s", heap,
			 entry->d_name);
		if (!realpath(path, target))
			case_fail("%s leads nowhere", path);
		if (!strcmp(target, device))
			count++;
	}
	closedir(dir);
	return count;
}

static void real_device(const char *device, char *path)
{
	char link[PATH_MAX];

	snprintf(link, sizeof(link), "/sys/bus/platform/devices/%s", device);
	if (!realpath(link, path))
		case_fail("%s: %s", link, strerror(errno));
}

/* The node behind entry @idx of the device's memory-region; false: no such */
static bool region_node(const char *path, unsigned int idx, char *node)
{
	char file[PATH_MAX];
	unsigned char cells[64], phandle[4];
	struct dirent *entry;
	bool found = false;
	int fd, len;
	DIR *dir;

	snprintf(file, sizeof(file), "%s/of_node/memory-region", path);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	len = read(fd, cells, sizeof(cells));
	close(fd);
	if (len < (int)(4 * idx + 4))
		return false;

	dir = opendir(TREE_DIR "/reserved-memory");
	if (!dir)
		case_fail("reserved-memory: %s", strerror(errno));
	for (entry = readdir(dir); entry && !found; entry = readdir(dir)) {
		snprintf(file, sizeof(file), TREE_DIR "/reserved-memory/%s/phandle",
			 entry->d_name);
		fd = open(file, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		found = read(fd, phandle, 4) == 4 &&
			!memcmp(phandle, cells + 4 * idx, 4);
		close(fd);
		if (found)
			snprintf(node, PATH_MAX, TREE_DIR "/reserved-memory/%s",
				 entry->d_name);
	}
	closedir(dir);
	return found;
}

/* Each heap of the region has one link to the device, and no other heap has */
static void expect_consumer_at(int line, const char *device, const char *node)
{
	char seen[PATH_MAX];
	unsigned int i, want, links = 0;

	for (i = 0; i < all.count; i++) {
		want = node && !heap_link(all.heap[i].name, "of_node", seen) &&
		       !strcmp(seen, node);
		links = count_links(all.heap[i].name, device);
		if (links != want)
			case_fail_at("expect_consumer", line,
				     "heap %s: %u links to %s, expected %u",
				     all.heap[i].name, links, device, want);
	}
}

#define expect_consumer(device, node) expect_consumer_at(__LINE__, device, node)

/* The device and its ports are consumers of what they were given, or of nothing */
static void expect_consumers_at(int line, const char *path, bool device,
				bool ports)
{
	char node[PATH_MAX], port[PATH_MAX + 16];
	unsigned int idx;

	expect_consumer_at(line, path,
			   device && region_node(path, 0, node) ? node : NULL);
	for (idx = 1; region_node(path, idx, node); idx++) {
		snprintf(port, sizeof(port), "%.4000s/port%u", path, idx);
		expect_consumer_at(line, port, ports ? node : NULL);
	}
}

#define expect_consumers(path, device, ports) \
	expect_consumers_at(__LINE__, path, device, ports)

static bool forgets(const char *path)
{
	char file[PATH_MAX + 64];

	snprintf(file, sizeof(file), "%s/of_node/" FORGETS, path);
	return !access(file, F_OK);
}

/* Devices are consumers from when they are given a region until they let go */
static void test_consumers_bind(const struct cma_heap *unused __maybe_unused)
{
	char path[PATH_MAX], other[PATH_MAX];
	struct device_list list;
	unsigned int i, j;

	need_consumers(&list);
	for (i = 0; i < list.count; i++) {
		real_device(list.name[i], path);
		expect_consumers(path, true, true);
	}
	for (i = 0; i < list.count; i++) {
		real_device(list.name[i], path);
		bind_device(CONSUMER_DRIVER, list.name[i], false);
		/* one that gives nothing back has it still; its ports are gone */
		expect_consumers(path, forgets(path), false);
		for (j = 0; j < list.count; j++) {
			if (j == i)
				continue;
			real_device(list.name[j], other);
			expect_consumers(other, true, true);
		}
		bind_device(CONSUMER_DRIVER, list.name[i], true);
		expect_consumers(path, true, true);
	}
}

/* A device that goes away takes its links along, whatever it has forgotten */
static void test_consumers_removal(const struct cma_heap *unused __maybe_unused)
{
	char path[MAX_DEVICES][PATH_MAX];
	struct device_list list, bus, again;
	char port[PATH_MAX];
	unsigned int i;
	int round;

	need_consumers(&list);
	bound_devices(BUS_DRIVER, &bus);
	if (bus.count != 1)
		case_fail("%u devices bound to " BUS_DRIVER, bus.count);
	for (i = 0; i < list.count; i++)
		real_device(list.name[i], path[i]);

	for (round = 0; round < 2; round++) {
		bind_device(BUS_DRIVER, bus.name[0], false);
		for (i = 0; i < list.count; i++) {
			if (!access(path[i], F_OK))
				case_fail("%s is still there", path[i]);
			expect_consumer(path[i], NULL);
			snprintf(port, sizeof(port), "%.4000s/port1", path[i]);
			expect_consumer(port, NULL);
		}
		bind_device(BUS_DRIVER, bus.name[0], true);
		bound_devices(CONSUMER_DRIVER, &again);
		expect_value("consumers", again.count, list.count);
		for (i = 0; i < list.count; i++) {
			real_device(list.name[i], path[i]);
			expect_consumers(path[i], true, true);
		}
	}
}

static const struct {
	void (*fn)(const struct cma_heap *heap);
	const char *name;
	bool once;
} cases[] = {
	{ test_sysfs,			"sysfs",		false },
	{ test_available,		"available",		false },
	{ test_of_node,			"of_node",		false },
	{ test_ioctl,			"ioctl",		false },
	{ test_ioctl_room,		"ioctl_room",		false },
	{ test_ioctl_refused,		"ioctl_refused",	false },
	{ test_fuzz,			"fuzz",			false },
	{ test_fdinfo,			"fdinfo",		false },
	{ test_fdinfo_uncharged,	"fdinfo_uncharged",	false },
	{ test_fdinfo_namespace,	"fdinfo_namespace",	false },
	{ test_all_heaps,		"all_heaps",		true },
	{ test_system,			"system",		true },
	{ test_system_current,		"system_current",	true },
	{ test_system_max,		"system_max",		true },
	{ test_consumers_bind,		"consumers_bind",	true },
	{ test_consumers_removal,	"consumers_removal",	true },
};

static size_t current_case;

/* In the process of the case: go to a cgroup of its own, then do it */
static void run_case(const struct cma_heap *heap)
{
	if (sb.accounting) {
		own = make_cgroup(sb.top, "own");
		if (cg_enter_current(own))
			case_fail("can't enter a new cgroup");
	}
	cases[current_case].fn(heap);
}

static void report(int result, const char *name)
{
	if (result == KSFT_SKIP)
		ksft_test_result_code(KSFT_SKIP, name, "%s", sb.reason);
	else
		ksft_test_result_code(result, name, NULL);
}

/* Heaps of any kind, with no more than their names */
static void find_all_heaps(void)
{
	struct dirent *entry;
	DIR *dir = opendir(CMA_HEAP_DIR);

	if (!dir)
		return;
	for (entry = readdir(dir); entry; entry = readdir(dir))
		if (entry->d_name[0] != '.' && all.count < CMA_HEAP_MAX_HEAPS)
			snprintf(all.heap[all.count++].name,
				 sizeof(all.heap[0].name), "%.127s",
				 entry->d_name);
	closedir(dir);
}

int main(void)
{
	char name[CMA_HEAP_NAME_SIZE + 64];
	unsigned int i, runs = 0;
	int ret;

	ksft_print_header();
	if (geteuid())
		ksft_exit_skip("needs root\n");
	page = page_size();
	find_all_heaps();
	if (!all.count)
		ksft_exit_skip("no heap in %s\n", CMA_HEAP_DIR);
	ret = sandbox_open(&sb, "heap_info_test");
	if (ret)
		ksft_exit_fail_msg("no sandbox: %s\n", strerror(-ret));
	if (!sb.accounting)
		ksft_print_msg("nothing is charged: %s\n", sb.why);
	/* under any name but its own it is the default area's heap */
	for (i = 0; !sb.accounting && i < sb.heaps.count; i++)
		if (!strcmp(sb.heaps.heap[i].name, "linux,cma") ||
		    !strcmp(sb.heaps.heap[i].name, "reserved"))
			sb.heaps.heap[i].is_default = true;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		if (cases[i].once)
			runs++;
		else
			runs += sb.heaps.count;
	}
	ksft_set_plan(runs);
	for (; current_case < ARRAY_SIZE(cases); current_case++) {
		if (cases[current_case].once) {
			ret = sandbox_run(&sb, run_case, NULL, CASE_SECONDS);
			report(ret, cases[current_case].name);
			continue;
		}
		for (i = 0; i < sb.heaps.count; i++) {
			ret = sandbox_run(&sb, run_case, &sb.heaps.heap[i],
					  CASE_SECONDS);
			snprintf(name, sizeof(name), "%s:%s",
				 cases[current_case].name,
				 sb.heaps.heap[i].name);
			report(ret, name);
		}
	}

	sandbox_close(&sb);
	ksft_finished();
}
