/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Setting limits: all of them or none.
 *
 * A cgroup has dmem files once every cgroup above it has "+dmem" in its
 * cgroup.subtree_control.  A plan says what that and the limits themselves come
 * to; it can be shown without being carried out.  Carrying it out enables the
 * controller from the root down, then writes the limits.  When a step fails, those
 * before it are taken back, latest first.
 */
#ifndef DMEM_LIMIT_H
#define DMEM_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "region.h"
#include "root.h"

/**
 * enum dmem_limit - the files that can be written
 * @DMEM_LIMIT_MAX: dmem.max
 * @DMEM_LIMIT_LOW: dmem.low
 * @DMEM_LIMIT_MIN: dmem.min
 * @DMEM_NR_LIMITS: how many there are
 */
enum dmem_limit {
	DMEM_LIMIT_MAX,
	DMEM_LIMIT_LOW,
	DMEM_LIMIT_MIN,
	DMEM_NR_LIMITS,
};

/**
 * struct dmem_setting - one limit that somebody asked for
 * @limit: which file
 * @region: index in &dmem_regions
 * @value: bytes, or %DMEM_MAX
 */
struct dmem_setting {
	enum dmem_limit limit;
	int region;
	uint64_t value;
};

/**
 * struct dmem_change - a limit and what it was
 * @setting: the new value
 * @old: the value when the plan was made: that of a new cgroup where the
 *	 controller was not enabled yet
 */
struct dmem_change {
	struct dmem_setting setting;
	uint64_t old;
};

/**
 * struct dmem_plan - what setting limits comes to
 * @cgroup: whose limits, as dmem_cgroup_path() makes it
 * @enable: cgroups that get "+dmem", from the root down
 * @nr_enable: how many
 * @change: the limits, those of one file together
 * @nr_changes: how many
 * @at_once: the kernel takes several lines in one write, wholly or not at all
 */
struct dmem_plan {
	char *cgroup;
	char **enable;
	size_t nr_enable;
	struct dmem_change *change;
	size_t nr_changes;
	bool at_once;
};

/**
 * dmem_limit_file() - the file of a limit
 * @limit: which
 *
 * Return: Its name in the cgroup's directory.
 */
const char *dmem_limit_file(enum dmem_limit limit);

/**
 * dmem_setting_parse() - read REGION=VALUE
 * @regions: the regions
 * @limit: which file it is for
 * @text: the region as dmem_regions_find() takes it, the value as
 *	  dmem_value_parse() does
 * @setting: filled in
 * @err: takes the message
 *
 * Return: 0, -%EINVAL without a "=", or what those two return.
 */
int dmem_setting_parse(const struct dmem_regions *regions, enum dmem_limit limit,
		       const char *text, struct dmem_setting *setting,
		       struct dmem_error *err);

/**
 * dmem_plan_make() - find out what there is to do
 * @root: the system
 * @regions: the regions
 * @cgroup: whose limits, as dmem_cgroup_path() makes it
 * @setting: the limits that are asked for, in any order
 * @count: how many
 * @plan: filled in; pass it to dmem_plan_free() whatever is returned
 * @err: takes the message
 *
 * A limit that has its value already is written again: whoever asks means it.
 *
 * Return: 0; -%EINVAL for the root, which has no limits; -%EEXIST for the same
 * limit twice; -%ENOENT if there is no such cgroup; or what reading failed with.
 */
int dmem_plan_make(struct dmem_root *root, const struct dmem_regions *regions,
		   const char *cgroup, const struct dmem_setting *setting,
		   size_t count, struct dmem_plan *plan, struct dmem_error *err);

/**
 * dmem_plan_apply() - do it
 * @root: the system
 * @regions: the regions that the plan was made with
 * @plan: the plan
 * @err: takes the message: file, value, likely cause, and whatever could not be
 *	 taken back
 *
 * Return: 0, or a negative errno with everything as it was before.
 */
int dmem_plan_apply(struct dmem_root *root, const struct dmem_regions *regions,
		    const struct dmem_plan *plan, struct dmem_error *err);

/**
 * dmem_plan_free() - forget it
 * @plan: what was filled in, or all zero; all zero afterwards
 */
void dmem_plan_free(struct dmem_plan *plan);

#endif /* DMEM_LIMIT_H */
