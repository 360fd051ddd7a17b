/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cgroup that somebody means: by path, or by the name of a systemd unit.
 */
#ifndef DMEM_UNIT_H
#define DMEM_UNIT_H

#include <stdbool.h>

#include "error.h"
#include "root.h"

/**
 * dmem_unit_is_name() - whether a name has a unit's suffix
 * @name: the name
 *
 * Return: True for "a.service", "a.scope", "a.slice" and the like.
 */
bool dmem_unit_is_name(const char *name);

/**
 * dmem_unit_resolve() - find the cgroup of a unit, or check that of a path
 * @root: the system
 * @name: a path ("/media/player", with or without the mount point before it), or
 *	  a unit ("player.service"; "player" is looked for as a path, then as a
 *	  service)
 * @cgroup: takes the path as dmem_cgroup_path() makes it; the caller frees it
 * @err: takes the message: candidates if the name fits several, what exists if
 *	 it fits none
 *
 * systemd is asked where it runs.  Elsewhere, and for units of users' own
 * managers, the one cgroup of that name in the tree is it.
 *
 * Return: 0, or -%ENOENT, -%EINVAL (a path with ".." in it), -%ENOTUNIQ.
 */
int dmem_unit_resolve(struct dmem_root *root, const char *name, char **cgroup,
		      struct dmem_error *err);

#endif /* DMEM_UNIT_H */
