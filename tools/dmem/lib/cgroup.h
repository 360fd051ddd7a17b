/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cgroups and what their dmem files say.
 *
 * A cgroup is named by its path from the cgroup2 mount point: "/" is the root,
 * "/media/player" one below.  Cgroups come and go while they are looked at; one
 * that goes is passed over.
 */
#ifndef DMEM_CGROUP_H
#define DMEM_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dmemfile.h"
#include "error.h"
#include "region.h"
#include "root.h"

/**
 * struct dmem_pool - one region in one cgroup
 * @current: bytes charged to the cgroup and those below it
 * @peak: the most so far
 * @max: hard limit, %DMEM_MAX if none
 * @low: protected as far as possible
 * @min: protected in any case
 * @events: refusals and evictions here and below
 * @local: those by limits of this cgroup alone
 *
 * What a file does not say, or a kernel without that file, is %DMEM_UNKNOWN.
 */
struct dmem_pool {
	uint64_t current;
	uint64_t peak;
	uint64_t max;
	uint64_t low;
	uint64_t min;
	struct dmem_counts events;
	struct dmem_counts local;
};

/* What to read of a cgroup; a file that is not wanted is not opened */
#define DMEM_READ_CURRENT	(1U << 0)
#define DMEM_READ_PEAK		(1U << 1)
#define DMEM_READ_MAX		(1U << 2)
#define DMEM_READ_LOW		(1U << 3)
#define DMEM_READ_MIN		(1U << 4)
#define DMEM_READ_EVENTS	(1U << 5)
#define DMEM_READ_LOCAL		(1U << 6)
#define DMEM_READ_ALL		(~0U)

/**
 * struct dmem_cgroup - one cgroup
 * @path: from the mount point, "/" for the root
 * @parent: index of its parent in &dmem_cgroups, -1 for where the walk began
 * @enabled: it has dmem files; if not, its processes are charged above it
 * @pool: one for each region, in their order
 */
struct dmem_cgroup {
	char *path;
	int parent;
	bool enabled;
	struct dmem_pool *pool;
};

/**
 * struct dmem_cgroups - a subtree
 * @cgroup: parents before their children, siblings by name
 * @count: how many
 */
struct dmem_cgroups {
	struct dmem_cgroup *cgroup;
	size_t count;
};

/**
 * dmem_cgroup_path() - make a path that starts at the mount point
 * @root: the system
 * @name: "/media", "media", "media/", "/sys/fs/cgroup/media": all the same
 *
 * Whether there is such a cgroup is not looked at.  "." and ".." are not walked:
 * a path with one of them is refused.
 *
 * Return: The path, NULL if it is refused.  The caller frees it.
 */
char *dmem_cgroup_path(const struct dmem_root *root, const char *name);

/**
 * dmem_cgroup_open() - a descriptor of a cgroup's directory
 * @root: the system
 * @path: as dmem_cgroup_path() makes it
 *
 * Return: The descriptor, or a negative errno.
 */
int dmem_cgroup_open(struct dmem_root *root, const char *path);

/**
 * dmem_cgroup_read() - read the dmem files of one cgroup
 * @root: the system
 * @regions: the regions
 * @path: as dmem_cgroup_path() makes it
 * @fields: what to read, DMEM_READ_*
 * @cgroup: filled in; pass it to dmem_cgroup_free() if 0 is returned
 *
 * Return: 0, or a negative errno if there is no such cgroup.
 */
int dmem_cgroup_read(struct dmem_root *root, const struct dmem_regions *regions,
		     const char *path, unsigned int fields,
		     struct dmem_cgroup *cgroup);

/**
 * dmem_cgroup_free() - forget it
 * @cgroup: what was filled in
 */
void dmem_cgroup_free(struct dmem_cgroup *cgroup);

/**
 * dmem_cgroups_read() - read a cgroup and all below it
 * @root: the system
 * @regions: the regions
 * @path: where to begin, as dmem_cgroup_path() makes it
 * @fields: what to read, DMEM_READ_*; 0 to see which cgroups there are
 * @cgroups: filled in; pass it to dmem_cgroups_free() whatever is returned
 * @err: takes the message
 *
 * Directories are not entered below a cgroup without dmem files, unless @fields
 * is 0: there is nothing to read there.
 *
 * Return: 0, or a negative errno if @path is not there.
 */
int dmem_cgroups_read(struct dmem_root *root, const struct dmem_regions *regions,
		      const char *path, unsigned int fields,
		      struct dmem_cgroups *cgroups, struct dmem_error *err);

/**
 * dmem_cgroups_free() - forget them
 * @cgroups: what was filled in, or all zero; all zero afterwards
 */
void dmem_cgroups_free(struct dmem_cgroups *cgroups);

/**
 * dmem_cgroup_id() - the number that the kernel knows a cgroup by
 * @root: the system
 * @path: as dmem_cgroup_path() makes it
 *
 * The number in fdinfo's dmem_cgroup_id and in trace events.
 *
 * Return: The id, 0 if it cannot be found out: not there any more, or a recorded
 * tree.
 */
uint64_t dmem_cgroup_id(struct dmem_root *root, const char *path);

/**
 * dmem_cgroup_of() - which cgroup a process is in
 * @text: text of /proc/<pid>/cgroup
 *
 * Return: The path in the cgroup2 hierarchy, NULL if the text has none.  The
 * caller frees it.
 */
char *dmem_cgroup_of(const char *text);

#endif /* DMEM_CGROUP_H */
