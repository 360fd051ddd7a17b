/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of the kernel's trace event dmem_limit_hit.
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
 * A process may be called anything, what looks like the rest of the line included:
 * the line is read from where a name of 15 bytes cannot reach.
 *
 * Return: Whether it is a dmem_limit_hit.
 */
bool trace_hit_parse(const char *line, struct trace_hit *hit);

#endif /* DMEMCTL_TRACEHIT_H */
