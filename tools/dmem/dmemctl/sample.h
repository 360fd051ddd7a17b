/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of the system at one moment, and what changed since another.  Nothing
 * here knows how it is shown.
 */
#ifndef DMEMCTL_SAMPLE_H
#define DMEMCTL_SAMPLE_H

#include <stdint.h>
#include <time.h>

#include "cgroup.h"
#include "region.h"
#include "root.h"

/**
 * struct sample - one moment
 * @wall: when, for people
 * @seconds: when, on a clock that only goes forward
 * @regions: the regions
 * @cgroups: the cgroups below and with the one that was asked for
 * @by_path: indices of @cgroups in order of path
 */
struct sample {
	struct timespec wall;
	double seconds;
	struct dmem_regions regions;
	struct dmem_cgroups cgroups;
	size_t *by_path;
};

/**
 * sample_take() - look
 * @root: the system
 * @path: the cgroup to begin with
 * @fields: what to read, DMEM_READ_*
 * @sample: filled in; pass it to sample_free() whatever is returned
 * @err: takes the message
 *
 * Return: 0, or a negative errno.
 */
int sample_take(struct dmem_root *root, const char *path, unsigned int fields,
		struct sample *sample, struct dmem_error *err);

/**
 * sample_free() - forget it
 * @sample: what was filled in, or all zero; all zero afterwards
 */
void sample_free(struct sample *sample);

/**
 * sample_new_counts() - events since an earlier sample
 * @before: the earlier one; NULL or all zero for none
 * @now: the later one
 * @cgroup: index of a cgroup of @now
 * @region: index of a region of @now
 *
 * Only limits of this cgroup alone count.  A cgroup that was not there before began
 * with 0, and so did one whose count is lower than it was: it was removed and made
 * again.
 *
 * Return: How many; 0 without an earlier sample or where nobody counts.
 */
struct dmem_counts sample_new_counts(const struct sample *before, const struct sample *now,
				     size_t cgroup, size_t region);

#endif /* DMEMCTL_SAMPLE_H */
