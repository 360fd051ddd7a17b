/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every dma-buf there is, and who holds it.
 *
 * A buffer lives as long as anybody holds it: a descriptor, a mapping, a message
 * on its way through a socket, a driver that imported it.  Descriptors and mappings
 * are found in /proc; /sys/kernel/debug/dma_buf/bufinfo, where root may read it,
 * has those too that no process holds.  Buffers are told apart by their inode
 * number.
 */
#ifndef DMEM_BUFFER_H
#define DMEM_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "region.h"
#include "root.h"

/**
 * struct dmem_holder - a process that holds a buffer
 * @pid: the process
 * @comm: its name
 * @cgroup: the cgroup that it is in now, NULL if unknown
 * @fd: descriptors of the buffer
 * @nr_fds: how many; none for a process that has it mapped alone
 * @mapped: the process has it mapped
 */
struct dmem_holder {
	pid_t pid;
	char *comm;
	char *cgroup;
	int *fd;
	size_t nr_fds;
	bool mapped;
};

/**
 * struct dmem_buffer - one buffer
 * @ino: its inode number
 * @size: bytes, %DMEM_UNKNOWN for one that is only seen mapped
 * @exporter: who made it: a heap's name or a driver's, NULL if unknown
 * @name: the name that userspace gave it, NULL if none
 * @region: what is charged, NULL if nothing or unknown: see @charge_known
 * @cgroup_id: who is charged, 0 if unknown
 * @cgroup: path of that cgroup; NULL if it was removed, or this process may not
 *	    see it, or unknown
 * @charge_known: the kernel said who is charged, or that it is no dmem
 * @described: fdinfo was read, not only a mapping or bufinfo
 * @holder: who holds it, in order of pid
 * @nr_holders: how many
 * @device: devices that import it
 * @nr_devices: how many
 */
struct dmem_buffer {
	uint64_t ino;
	uint64_t size;
	char *exporter;
	char *name;
	char *region;
	uint64_t cgroup_id;
	char *cgroup;
	bool charge_known;
	bool described;
	struct dmem_holder *holder;
	size_t nr_holders;
	char **device;
	size_t nr_devices;
};

/**
 * struct dmem_buffers - all of them
 * @buffer: the buffers, by inode number
 * @count: how many
 * @processes: how many processes were looked into
 * @unreadable: how many did not let us
 * @complete: bufinfo could be read: there are no others
 */
struct dmem_buffers {
	struct dmem_buffer *buffer;
	size_t count;
	size_t processes;
	size_t unreadable;
	bool complete;
};

/**
 * dmem_buffers_read() - find all buffers and who holds them
 * @root: the system
 * @regions: its regions and heaps; on a kernel whose fdinfo does not tell the
 *	     region, a buffer of a heap is taken to be charged to the heap's
 * @buffers: filled in; pass it to dmem_buffers_free()
 *
 * Processes that end meanwhile are passed over.
 *
 * Return: 0, or a negative errno if there is no /proc.
 */
int dmem_buffers_read(struct dmem_root *root, const struct dmem_regions *regions,
		      struct dmem_buffers *buffers);

/**
 * dmem_buffers_free() - forget them
 * @buffers: what was filled in, or all zero; all zero afterwards
 */
void dmem_buffers_free(struct dmem_buffers *buffers);

/**
 * dmem_fdinfo_parse() - read /proc/<pid>/fdinfo/<fd> of a buffer
 * @text: the file
 * @name: the name that userspace gave the buffer, as the descriptor's link has it:
 *	  it may hold anything, newlines and lines that look like the kernel's
 *	  included, and is passed over by its length
 * @buffer: all zero before; what the text says is filled in
 *
 * Return: Whether the text has an inode number: otherwise nothing is filled in.
 */
bool dmem_fdinfo_parse(const char *text, const char *name, struct dmem_buffer *buffer);

/**
 * dmem_bufinfo_parse() - read /sys/kernel/debug/dma_buf/bufinfo
 * @text: the file
 * @buffers: buffers that are not there yet are added, devices filled in
 */
void dmem_bufinfo_parse(const char *text, struct dmem_buffers *buffers);

/**
 * dmem_maps_next() - the next mapping of a buffer in /proc/<pid>/maps
 * @cursor: where to go on; set to the text once, before the first call
 * @ino: takes the inode number of the buffer
 *
 * Return: Whether there was one more.
 */
bool dmem_maps_next(const char **cursor, uint64_t *ino);

#endif /* DMEM_BUFFER_H */
