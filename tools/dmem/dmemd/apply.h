/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bringing a unit's cgroup to what the unit's files ask for.
 *
 * What is set is remembered on the cgroup itself, in the extended attribute
 * "user.dmemd" of its dmem.max: that lives exactly as long as the limits do, and
 * only root can write it, also where the cgroup is delegated to a user.  A limit
 * that the files no longer ask for is taken back if it is remembered and still has
 * that value; whatever somebody else has set is left alone.
 */
#ifndef DMEMD_APPLY_H
#define DMEMD_APPLY_H

#include "region.h"
#include "root.h"
#include "unitfile.h"

/**
 * struct apply - what applying needs
 * @root: the system
 * @regions: the regions that there are
 * @files: all unit files
 * @say: takes what could not be applied: unit, file, line, reason
 * @userdata: for @say
 */
struct apply {
	struct dmem_root root;
	struct dmem_regions regions;
	struct unit_files files;
	unit_say_t say;
	void *userdata;
};

/**
 * apply_unit() - set the limits of one unit, and take back what is out of date
 * @apply: what it needs
 * @cgroup: path of the unit's cgroup, as dmem_cgroup_path() makes it
 * @unit: the unit's name
 *
 * Slices that have limits, or DeviceMemoryAccounting=, enable the controller for
 * what is inside them as well, so that it is seen there who uses how much.
 *
 * A cgroup that is gone is no failure.  Nothing is written that is as it should be.
 *
 * Return: 0, or a negative errno if anything could not be applied; the rest is.
 */
int apply_unit(struct apply *apply, const char *cgroup, const char *unit);

/**
 * apply_unit_name() - the unit that a cgroup belongs to
 * @cgroup: path of the cgroup
 *
 * Return: The last part of the path, without the "_" that systemd puts before names
 * that could be taken for files of the kernel's; NULL if that is no unit.
 */
const char *apply_unit_name(const char *cgroup);

#endif /* DMEMD_APPLY_H */
