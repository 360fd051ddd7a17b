// SPDX-License-Identifier: GPL-2.0-or-later
#include "cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"
#include "value.h"

static const struct {
	const char *name;
	unsigned int field;
	size_t offset;
} value_files[] = {
	{ "dmem.current", DMEM_READ_CURRENT, offsetof(struct dmem_pool, current) },
	{ "dmem.peak",	  DMEM_READ_PEAK,    offsetof(struct dmem_pool, peak) },
	{ "dmem.max",	  DMEM_READ_MAX,     offsetof(struct dmem_pool, max) },
	{ "dmem.low",	  DMEM_READ_LOW,     offsetof(struct dmem_pool, low) },
	{ "dmem.min",	  DMEM_READ_MIN,     offsetof(struct dmem_pool, min) },
}, count_files[] = {
	{ "dmem.events",       DMEM_READ_EVENTS, offsetof(struct dmem_pool, events) },
	{ "dmem.events.local", DMEM_READ_LOCAL,  offsetof(struct dmem_pool, local) },
};

#define NR(array)	(sizeof(array) / sizeof((array)[0]))

static const struct dmem_pool unknown_pool = {
	.current = DMEM_UNKNOWN,
	.peak = DMEM_UNKNOWN,
	.max = DMEM_UNKNOWN,
	.low = DMEM_UNKNOWN,
	.min = DMEM_UNKNOWN,
	.events = { DMEM_UNKNOWN, DMEM_UNKNOWN },
	.local = { DMEM_UNKNOWN, DMEM_UNKNOWN },
};

char *dmem_cgroup_path(const struct dmem_root *root, const char *name)
{
	size_t mount_len = root->cgroup ? strlen(root->cgroup) : 0;
	char *path, *to;
	const char *from;

	/* the way from the file system's root is an absolute path only */
	if (mount_len && name[0] == '/' && !strncmp(name + 1, root->cgroup, mount_len) &&
	    (name[1 + mount_len] == '/' || !name[1 + mount_len]))
		name += 1 + mount_len;

	path = dmem_printf("/%s", name);
	for (from = to = path; *from; ) {
		size_t len;

		from += strspn(from, "/");
		len = strcspn(from, "/");
		if (!len)
			break;
		if ((len == 1 && from[0] == '.') ||
		    (len == 2 && from[0] == '.' && from[1] == '.')) {
			free(path);
			return NULL;
		}
		*to++ = '/';
		memmove(to, from, len);
		to += len;
		from += len;
	}
	if (to == path)
		*to++ = '/';
	*to = '\0';
	return path;
}

int dmem_cgroup_open(struct dmem_root *root, const char *path)
{
	char *full __free_string = NULL;

	if (!root->cgroup)
		return -ENOENT;
	full = dmem_printf("%s%s", root->cgroup, path);
	return dmem_open_at(root, root->fd, full, O_DIRECTORY | O_RDONLY);
}

/*
 * Which region the next line is about.  Every file lists the regions in the
 * kernel's order: after the first file each is found where it is expected.
 */
struct order {
	int *index;
	size_t count;
};

static int expect_region(const struct dmem_regions *regions, struct order *order,
			 size_t line, const struct dmem_name *name)
{
	int index;

	if (line < order->count) {
		const char *expected;

		index = order->index[line];
		expected = index < 0 ? NULL : regions->region[index].name;
		if (expected && !strncmp(expected, name->text, name->len) &&
		    !expected[name->len])
			return index;
	}
	index = dmem_regions_index(regions, name->text, name->len);
	if (line == order->count) {
		order->index = dmem_grow(order->index, line, sizeof(*order->index));
		order->index[line] = index;
		order->count++;
	} else if (line < order->count) {
		order->index[line] = index;
	}
	return index;
}

static void free_order(struct order *order)
{
	free(order->index);
}

/* The dmem files of the cgroup whose directory is @dirfd. */
static void read_files(struct dmem_root *root, const struct dmem_regions *regions,
		       int dirfd, unsigned int fields, struct dmem_cgroup *cgroup,
		       struct order *order, struct dmem_text *text)
{
	struct dmem_name name;
	size_t i, line;
	const char *at;
	int index;

	cgroup->enabled = false;
	cgroup->pool = NULL;
	for (i = 0; i < regions->count; i++) {
		cgroup->pool = dmem_grow(cgroup->pool, i, sizeof(*cgroup->pool));
		cgroup->pool[i] = unknown_pool;
	}

	for (i = 0; i < NR(value_files); i++) {
		uint64_t value;

		if (!(fields & value_files[i].field))
			continue;
		if (dmem_read_at(root, dirfd, value_files[i].name, text)) {
			/* the one that every cgroup with dmem has */
			if (value_files[i].field == DMEM_READ_CURRENT)
				return;
			continue;
		}
		cgroup->enabled = true;
		at = text->data;
		for (line = 0; dmem_file_value(&at, &name, &value); line++) {
			index = expect_region(regions, order, line, &name);
			if (index >= 0)
				*(uint64_t *)((char *)&cgroup->pool[index] +
					      value_files[i].offset) = value;
		}
	}
	for (i = 0; i < NR(count_files); i++) {
		struct dmem_counts counts;

		if (!(fields & count_files[i].field) ||
		    dmem_read_at(root, dirfd, count_files[i].name, text))
			continue;
		cgroup->enabled = true;
		at = text->data;
		for (line = 0; dmem_file_counts(&at, &name, &counts); line++) {
			index = expect_region(regions, order, line, &name);
			if (index >= 0)
				*(struct dmem_counts *)((char *)&cgroup->pool[index] +
							count_files[i].offset) = counts;
		}
	}
}

int dmem_cgroup_read(struct dmem_root *root, const struct dmem_regions *regions,
		     const char *path, unsigned int fields,
		     struct dmem_cgroup *cgroup)
{
	struct dmem_text text __cleanup(dmem_text_free) = { 0 };
	struct order order __cleanup(free_order) = { 0 };
	int fd __close_fd = -1;

	*cgroup = (struct dmem_cgroup){ .parent = -1 };
	fd = dmem_cgroup_open(root, path);
	if (fd < 0)
		return fd;
	cgroup->path = dmem_strdup(path);
	read_files(root, regions, fd, fields, cgroup, &order, &text);
	return 0;
}

void dmem_cgroup_free(struct dmem_cgroup *cgroup)
{
	free(cgroup->path);
	free(cgroup->pool);
	*cgroup = (struct dmem_cgroup){ 0 };
}

static int by_string(const void *a, const void *b)
{
	return strcmp(*(char * const *)a, *(char * const *)b);
}

/* Names of the directories in @fd, sorted. */
static size_t subdirectories(int fd, char ***names)
{
	DIR *dir __close_dir = NULL;
	struct dirent *entry;
	size_t count = 0;
	int copy;

	*names = NULL;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	dir = copy < 0 ? NULL : fdopendir(copy);
	if (!dir) {
		if (copy >= 0)
			close(copy);
		return 0;
	}
	while ((entry = readdir(dir))) {
		struct stat st;

		if (entry->d_name[0] == '.' &&
		    (!entry->d_name[1] || !strcmp(entry->d_name, "..")))
			continue;
		if (entry->d_type == DT_UNKNOWN &&
		    (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
		     !S_ISDIR(st.st_mode)))
			continue;
		if (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN)
			continue;
		*names = dmem_grow(*names, count, sizeof(**names));
		(*names)[count++] = dmem_strdup(entry->d_name);
	}
	if (count)
		qsort(*names, count, sizeof(**names), by_string);
	return count;
}

struct walk {
	struct dmem_root *root;
	const struct dmem_regions *regions;
	unsigned int fields;
	struct dmem_cgroups *cgroups;
	struct order order;
	struct dmem_text text;
};

/* A cgroup whose directory is open, and those below. */
static void walk_into(struct walk *walk, int fd, const char *path, int parent)
{
	struct dmem_cgroups *cgroups = walk->cgroups;
	char **names;
	size_t count, i;
	int self = cgroups->count;

	cgroups->cgroup = dmem_grow(cgroups->cgroup, cgroups->count,
				    sizeof(*cgroups->cgroup));
	cgroups->cgroup[self].path = dmem_strdup(path);
	cgroups->cgroup[self].parent = parent;
	cgroups->count++;
	if (walk->fields) {
		read_files(walk->root, walk->regions, fd,
			   walk->fields | DMEM_READ_CURRENT,
			   &cgroups->cgroup[self], &walk->order, &walk->text);
		/* those below have no more files; the root has few of its own */
		if (!cgroups->cgroup[self].enabled && path[1])
			return;
	}

	count = subdirectories(fd, &names);
	for (i = 0; i < count; i++) {
		int below __close_fd = dmem_open_at(walk->root, fd, names[i],
						    O_DIRECTORY | O_RDONLY);
		char *below_path __free_string =
			dmem_printf("%s/%s", path[1] ? path : "", names[i]);

		/* removed since it was listed, or not for us to see */
		if (below >= 0)
			walk_into(walk, below, below_path, self);
		free(names[i]);
	}
	free(names);
}

int dmem_cgroups_read(struct dmem_root *root, const struct dmem_regions *regions,
		      const char *path, unsigned int fields,
		      struct dmem_cgroups *cgroups, struct dmem_error *err)
{
	struct walk walk = {
		.root = root,
		.regions = regions,
		.fields = fields,
		.cgroups = cgroups,
	};
	int fd __close_fd = -1;

	*cgroups = (struct dmem_cgroups){ 0 };
	fd = dmem_cgroup_open(root, path);
	if (fd < 0)
		return dmem_fail(err, -fd, "no cgroup %s: %s/%s%s: %s", path,
				 root->path, root->cgroup ?: "", path, strerror(-fd));
	walk_into(&walk, fd, path, -1);
	free_order(&walk.order);
	dmem_text_free(&walk.text);
	return 0;
}

void dmem_cgroups_free(struct dmem_cgroups *cgroups)
{
	size_t i;

	for (i = 0; i < cgroups->count; i++)
		dmem_cgroup_free(&cgroups->cgroup[i]);
	free(cgroups->cgroup);
	*cgroups = (struct dmem_cgroups){ 0 };
}

uint64_t dmem_cgroup_id(struct dmem_root *root, const char *path)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + sizeof(uint64_t)];
	} named;
	int fd __close_fd = -1;
	struct stat st;
	uint64_t id;
	int mount_id;

	if (root->recorded)
		return 0;
	fd = dmem_cgroup_open(root, path);
	if (fd < 0)
		return 0;
	/* 64 bits wide everywhere; an inode number is not on 32-bit machines */
	named.handle.handle_bytes = sizeof(id);
	if (!name_to_handle_at(fd, "", &named.handle, &mount_id, AT_EMPTY_PATH) &&
	    named.handle.handle_bytes == sizeof(id)) {
		memcpy(&id, named.handle.f_handle, sizeof(id));
		return id;
	}
	return fstat(fd, &st) ? 0 : st.st_ino;
}

char *dmem_cgroup_of(const char *text)
{
	const char *line;
	size_t len;

	while ((line = dmem_text_line(&text, &len)))
		if (len > 3 && !strncmp(line, "0::/", 4))
			return dmem_strndup(line + 3, len - 3);
	return NULL;
}
