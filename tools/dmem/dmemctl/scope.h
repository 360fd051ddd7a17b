/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A cgroup of its own for a process that has not begun yet: a transient scope of
 * systemd, or a plain cgroup where there is no systemd.
 */
#ifndef DMEMCTL_SCOPE_H
#define DMEMCTL_SCOPE_H

#include <stdbool.h>
#include <sys/types.h>

#include "error.h"
#include "root.h"

/**
 * struct scope - the cgroup
 * @cgroup: its path
 * @plain: it is ours to remove
 */
struct scope {
	char *cgroup;
	bool plain;
};

/**
 * scope_begin() - make it, with a process in it
 * @root: the system
 * @unit: its name, NULL for one of our own making; ".scope" is added
 * @slice: the slice that it belongs to, NULL for the manager's default; without
 *	   systemd a cgroup that is there already, NULL for the root
 * @pid: the process
 * @description: what systemd shows it as
 * @scope: filled in; pass it to scope_end() whatever is returned
 * @err: takes the message
 *
 * Root's scopes are the system manager's, others' their own manager's.
 *
 * Return: 0, or a negative errno: -%EEXIST if there is one of that name.
 */
int scope_begin(struct dmem_root *root, const char *unit, const char *slice, pid_t pid,
		const char *description, struct scope *scope, struct dmem_error *err);

/**
 * scope_end() - remove it after its last process
 * @root: the system
 * @scope: what was filled in
 *
 * systemd removes its own.
 *
 * Return: 0, or -%EBUSY: processes that it started are still there, and so is the
 * cgroup.
 */
int scope_end(struct dmem_root *root, struct scope *scope);

#endif /* DMEMCTL_SCOPE_H */
