/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits that stay: drop-ins of a systemd unit that dmemd reads.
 *
 *	/etc/systemd/system/<unit>.d/50-dmemctl.conf
 *
 *	[X-DMem]
 *	DeviceMemoryMax=cma/video@58000000 64M
 *
 * systemd ignores the section, dmemd applies it whenever the unit's cgroup appears.
 */
#ifndef DMEMCTL_PERSIST_H
#define DMEMCTL_PERSIST_H

#include <stddef.h>

#include "error.h"
#include "limit.h"
#include "root.h"

/**
 * struct persist_line - a limit to keep
 * @limit: which
 * @region: the region's full name
 * @value: as it was given: a share stays a share
 */
struct persist_line {
	enum dmem_limit limit;
	const char *region;
	const char *value;
};

/**
 * persist_check() - whether limits of a cgroup can be kept
 * @root: the system
 * @cgroup: path of the cgroup
 * @err: takes the message
 *
 * Return: 0, or -%ENOENT without dmemd, -%EINVAL if the cgroup is no unit's or
 * that of a transient scope, which does not come back.
 */
int persist_check(struct dmem_root *root, const char *cgroup, struct dmem_error *err);

/**
 * persist_file() - where they are kept
 * @cgroup: path of the cgroup
 *
 * Return: The file, from the root; valid until the next call.
 */
const char *persist_file(const char *cgroup);

/**
 * persist_write() - keep them
 * @root: the system
 * @cgroup: path of the cgroup
 * @line: the limits; others that the file has stay
 * @count: how many
 * @err: takes the message
 *
 * The file is replaced as a whole: whoever reads it meanwhile sees the old one or
 * the new one.
 *
 * Return: 0, or a negative errno with the file as it was.
 */
int persist_write(struct dmem_root *root, const char *cgroup,
		  const struct persist_line *line, size_t count,
		  struct dmem_error *err);

/**
 * persist_merge() - the new text of a drop-in
 * @old: the text that it has, "" for none
 * @line: the limits
 * @count: how many
 *
 * A line for the same limit of the same region is replaced, everything else
 * stays, comments included.
 *
 * Return: The text; the caller frees it.
 */
char *persist_merge(const char *old, const struct persist_line *line, size_t count);

#endif /* DMEMCTL_PERSIST_H */
