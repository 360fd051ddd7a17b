/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of the kernel's trace: dmem_limit_hit, and which cgroups come and go.
 *
 * A process has a name of up to 15 bytes, a cgroup a path: both may be made to look
 * like a piece of a line.  None of the marks below fits into a process's name, which
 * comes first, so the first mark in a line is the kernel's.
 */
#ifndef DMEMCTL_TRACEHIT_H
#define DMEMCTL_TRACEHIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct trace_hit - a charge that a limit refused
 * @comm: name of the process, "<...>" if the kernel has forgotten it
 * @pid: the process
 * @region: what was asked for
 * @cgroup_id: whose limit it was
 * @bytes: how much was asked for
 */
struct trace_hit {
	char comm[32];
	pid_t pid;
	char region[256];
	uint64_t cgroup_id;
	uint64_t bytes;
};

/**
 * trace_hit_parse() - read a line of trace_pipe
 * @line: the line, with or without its newline
 * @hit: filled in
 *
 * Return: Whether it is a dmem_limit_hit.
 */
bool trace_hit_parse(const char *line, struct trace_hit *hit);

/**
 * struct trace_cgroup - a cgroup that was made or is gone for good
 * @id: its number
 * @path: its path; into the line, ended by its end
 * @made: made; otherwise gone
 */
struct trace_cgroup {
	uint64_t id;
	const char *path;
	bool made;
};

/**
 * trace_cgroup_parse() - read a line of trace_pipe
 * @line: the line without its newline
 * @cgroup: filled in
 *
 * Return: Whether it is a cgroup_mkdir or cgroup_release.
 */
bool trace_cgroup_parse(const char *line, struct trace_cgroup *cgroup);

#endif /* DMEMCTL_TRACEHIT_H */
