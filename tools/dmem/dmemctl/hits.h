/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limit hits as they happen.
 *
 * Root reads them from the kernel's trace event dmem_limit_hit: each one, with the
 * process and the amount.  Others watch dmem.events.local of every cgroup: which
 * limit, and how often.
 */
#ifndef DMEMCTL_HITS_H
#define DMEMCTL_HITS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"
#include "root.h"

/**
 * struct hit - a limit hit, or several that could not be told apart
 * @region: what was asked for
 * @cgroup: path of the cgroup whose limit it was, NULL if it was removed
 * @cgroup_id: its number, 0 if unknown
 * @count: how many
 * @evicted: not refused, but evicted below dmem.low
 * @bytes: how much was asked for, %DMEM_UNKNOWN if unknown
 * @comm: who asked, NULL if unknown
 * @pid: who asked, 0 if unknown
 */
struct hit {
	const char *region;
	const char *cgroup;
	uint64_t cgroup_id;
	uint64_t count;
	bool evicted;
	uint64_t bytes;
	const char *comm;
	pid_t pid;
};

/* Called for each hit; a negative value ends the watch. */
typedef int (*hit_fn)(const struct hit *hit, void *data);

/**
 * hits_from_trace() - watch the trace event
 * @root: the system
 * @stop: a descriptor that becomes readable when it is time to end
 * @fn: called for each hit
 * @data: for @fn
 * @err: takes the message
 *
 * A trace instance of its own is used, so that nobody else's tracing is changed; it
 * is removed in the end, and so are those of earlier calls that were killed.
 *
 * Return: 0 when @stop became readable, what @fn returned, or a negative errno
 * before anything was watched: -%ENOENT without the event or tracefs, -%EACCES or
 * -%EPERM for those who may not trace.
 */
int hits_from_trace(struct dmem_root *root, int stop, hit_fn fn, void *data,
		    struct dmem_error *err);

/**
 * hits_from_files() - watch dmem.events.local
 * @root: the system
 * @stop: a descriptor that becomes readable when it is time to end
 * @fn: called for each region of each cgroup that had hits
 * @data: for @fn
 * @err: takes the message
 *
 * Cgroups that appear later are found; hits of one that is removed within
 * milliseconds after them may be missed.
 *
 * Return: 0 when @stop became readable, what @fn returned, or a negative errno.
 */
int hits_from_files(struct dmem_root *root, int stop, hit_fn fn, void *data,
		    struct dmem_error *err);

#endif /* DMEMCTL_HITS_H */
