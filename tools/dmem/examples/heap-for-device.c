// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Allocate a buffer that a given device can use, without knowing any name.
 *
 *	heap-for-device DEVICE BYTES[K|M|G]
 *
 * DEVICE is the node of a V4L2 or DRM device, such as /dev/video0.  Of the heaps
 * that share memory with it, those that have the room and whose limits let this
 * process have it are tried, the one with the most room first.
 *
 * The three steps are what a program of yours would do:
 *
 *	device_path()	which device is behind the node
 *	is_consumer()	was that device given the memory of this heap?
 *	room_in()	how much may and can this process take from it?
 *
 * A C library is all it needs: cc -o heap-for-device heap-for-device.c
 */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <linux/dma-heap.h>

#define CLASS		"/sys/class/dma_heap"
#define MAX_HEAPS	128

struct heap {
	char name[NAME_MAX + 1];
	uint64_t room;		/* bytes */
};

/* One line of a file, without the newline; false if there is none */
static bool read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");
	bool got;

	if (!file)
		return false;
	got = fgets(line, size, file);
	fclose(file);
	if (got)
		line[strcspn(line, "\n")] = '\0';
	return got;
}

static bool read_number(const char *path, uint64_t *number)
{
	char line[32], *end;

	if (!read_line(path, line, sizeof(line)))
		return false;
	errno = 0;
	*number = strtoull(line, &end, 10);
	return !errno && end != line && !*end;
}

/* -- which device is behind the node -------------------------------------- */

/* For /dev/video0 something like /sys/devices/platform/soc/30210000.codec */
static bool device_path(const char *node, char *path)
{
	char link[64];
	struct stat st;

	if (stat(node, &st)) {
		fprintf(stderr, "heap-for-device: %s: %s\n", node, strerror(errno));
		return false;
	}
	if (!S_ISCHR(st.st_mode)) {
		fprintf(stderr, "heap-for-device: %s: not a device node\n", node);
		return false;
	}
	snprintf(link, sizeof(link), "/sys/dev/char/%u:%u/device",
		 major(st.st_rdev), minor(st.st_rdev));
	if (!realpath(link, path)) {
		fprintf(stderr, "heap-for-device: %s: no device behind it (%s: %s)\n",
			node, link, strerror(errno));
		return false;
	}
	return true;
}

/* -- whose memory is it --------------------------------------------------- */

/*
 * The device itself, or one below it: drivers of hardware with several memory
 * ports have a device for each.
 */
static bool is_consumer(const char *heap, const char *device)
{
	size_t len = strlen(device);
	char path[PATH_MAX], target[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), CLASS "/%s/consumers", heap);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), CLASS "/%s/consumers/%s", heap,
			 entry->d_name);
		if (entry->d_name[0] != '.' && realpath(path, target))
			found = !strncmp(target, device, len) &&
				(!target[len] || target[len] == '/');
	}
	closedir(dir);
	return found;
}

/* -- how much may this process have --------------------------------------- */

/* The bytes of @region in a dmem file; without a limit UINT64_MAX */
static bool read_dmem(const char *cgroup, const char *file, const char *region,
		      uint64_t *bytes)
{
	char path[2 * PATH_MAX], *line = NULL;
	size_t size = 0, len = strlen(region);
	bool found = false;
	FILE *stream;

	snprintf(path, sizeof(path), "%s/%s", cgroup, file);
	stream = fopen(path, "re");
	if (!stream)
		return false;
	while (!found && getline(&line, &size, stream) > 0) {
		found = !strncmp(line, region, len) && line[len] == ' ';
		if (found)
			*bytes = !strncmp(line + len + 1, "max", 3) ? UINT64_MAX :
				 strtoull(line + len + 1, NULL, 10);
	}
	free(line);
	fclose(stream);
	return found;
}

/* The folder of this process's cgroup, and where the hierarchy is mounted */
static bool own_cgroup(char *mount, char *cgroup, size_t size)
{
	char line[2 * PATH_MAX], root[PATH_MAX], path[PATH_MAX] = "";
	bool mounted = false, member = false;
	FILE *file;

	file = fopen("/proc/self/mountinfo", "re");
	while (file && !mounted && fgets(line, sizeof(line), file))
		mounted = strstr(line, " - cgroup2 ") &&
			  sscanf(line, "%*s %*s %*s %4095s %4095s", root, mount) == 2;
	if (file)
		fclose(file);

	file = fopen("/proc/self/cgroup", "re");
	while (file && !member && fgets(line, sizeof(line), file))
		member = sscanf(line, "0::%4095s", path) == 1;
	if (file)
		fclose(file);

	if (!mounted || !member)
		return false;
	/* what is mounted may be a cgroup below the namespace's root */
	if (strcmp(root, "/") && !strncmp(path, root, strlen(root)))
		memmove(path, path + strlen(root), strlen(path + strlen(root)) + 1);
	snprintf(cgroup, size, "%s%s", mount, strcmp(path, "/") ? path : "");
	return true;
}

/*
 * What the limits on the way to the root leave.  One that this process cannot
 * see may still be in the way: the allocation decides.
 */
static uint64_t room_below_limits(const char *region)
{
	char mount[PATH_MAX], cgroup[2 * PATH_MAX], *slash;
	uint64_t room = UINT64_MAX, max, current;

	if (!own_cgroup(mount, cgroup, sizeof(cgroup)))
		return room;
	for (;;) {
		if (read_dmem(cgroup, "dmem.max", region, &max) &&
		    max != UINT64_MAX &&
		    read_dmem(cgroup, "dmem.current", region, &current)) {
			uint64_t left = current < max ? max - current : 0;

			if (left < room)
				room = left;
		}
		slash = strrchr(cgroup, '/');
		if (strlen(cgroup) <= strlen(mount) || !slash)
			return room;
		*slash = '\0';
	}
}

static uint64_t room_in(const char *heap)
{
	char path[PATH_MAX], region[256] = "";
	uint64_t room = UINT64_MAX, limit;

	snprintf(path, sizeof(path), CLASS "/%s/available", heap);
	read_number(path, &room);
	snprintf(path, sizeof(path), CLASS "/%s/region", heap);
	read_line(path, region, sizeof(region));
	if (*region) {
		limit = room_below_limits(region);
		if (limit < room)
			room = limit;
	}
	return room;
}

/* -- allocation ----------------------------------------------------------- */

/* A descriptor, or -1 with errno */
static int allocate(const char *heap, uint64_t bytes)
{
	struct dma_heap_allocation_data data = {
		.len = bytes,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	char path[PATH_MAX];
	int fd, err;

	snprintf(path, sizeof(path), "/dev/dma_heap/%.255s", heap);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	err = ioctl(fd, DMA_HEAP_IOCTL_ALLOC, &data) ? errno : 0;
	close(fd);
	errno = err;
	return err ? -1 : (int)data.fd;
}

static int by_room(const void *a, const void *b)
{
	uint64_t one = ((const struct heap *)a)->room;
	uint64_t other = ((const struct heap *)b)->room;

	return (one < other) - (one > other);
}

static unsigned int find_heaps(const char *device, struct heap *heaps)
{
	unsigned int count = 0;
	struct dirent *entry;
	DIR *dir = opendir(CLASS);

	while (dir && count < MAX_HEAPS && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !is_consumer(entry->d_name, device))
			continue;
		strcpy(heaps[count].name, entry->d_name);
		heaps[count].room = room_in(entry->d_name);
		count++;
	}
	if (dir)
		closedir(dir);
	qsort(heaps, count, sizeof(heaps[0]), by_room);
	return count;
}

static bool parse_bytes(const char *text, uint64_t *bytes)
{
	static const char suffixes[] = "KMG";
	const char *suffix;
	char *end;

	errno = 0;
	*bytes = strtoull(text, &end, 0);
	if (errno || end == text || *text == '-')
		return false;
	if (!*end)
		return true;
	suffix = strchr(suffixes, *end);
	if (!suffix || end[1] || *bytes > UINT64_MAX >> 30)
		return false;
	*bytes <<= 10 * (suffix - suffixes + 1);
	return true;
}

int main(int argc, char **argv)
{
	static struct heap heaps[MAX_HEAPS];
	char device[PATH_MAX];
	unsigned int i, count;
	uint64_t bytes;
	int fd = -1;

	if (argc != 3 || !parse_bytes(argv[2], &bytes)) {
		fprintf(stderr, "usage: heap-for-device DEVICE BYTES[K|M|G]\n");
		return 2;
	}
	if (!device_path(argv[1], device))
		return 1;

	count = find_heaps(device, heaps);
	if (!count) {
		fprintf(stderr, "heap-for-device: no heap shares memory with %s (%s)\n",
			argv[1], device);
		return 1;
	}
	for (i = 0; i < count && fd < 0; i++) {
		if (heaps[i].room < bytes) {
			fprintf(stderr, "heap-for-device: %s: room for %llu bytes, not %llu\n",
				heaps[i].name, (unsigned long long)heaps[i].room,
				(unsigned long long)bytes);
			continue;
		}
		fd = allocate(heaps[i].name, bytes);
		if (fd < 0)
			fprintf(stderr, "heap-for-device: %s: %llu bytes: %s\n",
				heaps[i].name, (unsigned long long)bytes,
				strerror(errno));
		else
			printf("%s: %lld bytes\n", heaps[i].name,
			       (long long)lseek(fd, 0, SEEK_END));
	}
	if (fd < 0)
		return 1;
	close(fd);
	return 0;
}
