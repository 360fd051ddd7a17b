/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where files are read: the running system, or a tree recorded from one.
 *
 * Every file is opened relative to one directory descriptor, so that whatever
 * can be read of a live system can be read of a recording.  Paths have no
 * leading slash ("sys/fs/cgroup/dmem.capacity").
 */
#ifndef DMEM_ROOT_H
#define DMEM_ROOT_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

/**
 * struct dmem_root - the system that is looked at
 * @fd: directory that paths start from
 * @recorded: there is no live system behind it: no bus, no processes to signal
 * @path: name of the directory for messages, "" for the running system's root
 * @cgroup: path of the cgroup2 mount point, NULL if there is none
 * @opens: files and directories opened so far, the measure of a scan's work
 */
struct dmem_root {
	int fd;
	bool recorded;
	char *path;
	char *cgroup;
	unsigned long opens;
};

/**
 * struct dmem_text - the text of a file, in memory that is used again
 * @data: the text, with a NUL behind it; NULL before anything was read
 * @len: bytes without that NUL
 * @room: bytes allocated
 */
struct dmem_text {
	char *data;
	size_t len;
	size_t room;
};

/* No file that is read here is longer: dmem files have a line per region */
#define DMEM_TEXT_MAX	(16U << 20)

/**
 * dmem_root_open() - begin to look at a system
 * @root: filled in; pass it to dmem_root_close() whatever is returned
 * @sysroot: directory of a recorded tree, NULL for the running system
 * @err: takes the message
 *
 * That no cgroup2 file system is mounted is no error here: see
 * dmem_root_need_cgroup().
 *
 * Return: 0, or a negative errno if @sysroot cannot be opened.
 */
int dmem_root_open(struct dmem_root *root, const char *sysroot,
		   struct dmem_error *err);

/**
 * dmem_root_close() - end it
 * @root: what dmem_root_open() filled in, or all zero
 */
void dmem_root_close(struct dmem_root *root);

/**
 * dmem_root_need_cgroup() - refuse to go on without dmem in a cgroup2 tree
 * @root: the system
 * @err: takes the message, which says what is missing and how to get it
 *
 * Return: 0, or -%ENOENT.
 */
int dmem_root_need_cgroup(struct dmem_root *root, struct dmem_error *err);

/**
 * dmem_open_at() - open a file or directory
 * @root: the system, whose work is counted
 * @dirfd: directory that @path starts from, &dmem_root.fd or one below
 * @path: relative path
 * @flags: as for open(); O_CLOEXEC is added
 *
 * Return: The descriptor, or a negative errno.
 */
int dmem_open_at(struct dmem_root *root, int dirfd, const char *path, int flags);

/**
 * dmem_read_at() - read all of a file
 * @root: the system, whose work is counted
 * @dirfd: directory that @path starts from
 * @path: relative path
 * @text: takes the text; on error it is empty, but not NULL
 *
 * Return: 0, or a negative errno: -%EFBIG above %DMEM_TEXT_MAX, -%EINVAL if
 * there is a NUL in it.
 */
int dmem_read_at(struct dmem_root *root, int dirfd, const char *path,
		 struct dmem_text *text);

/**
 * dmem_text_free() - give the memory back
 * @text: afterwards as before the first use
 */
void dmem_text_free(struct dmem_text *text);

/**
 * dmem_text_line() - the next line
 * @cursor: where to go on; set to the text once, before the first call
 * @len: takes the length without the newline
 *
 * Return: The line, without a NUL behind it; NULL at the end of the text.
 */
const char *dmem_text_line(const char **cursor, size_t *len);

/**
 * dmem_mountinfo_cgroup() - find where cgroup2 is mounted
 * @mountinfo: text of /proc/self/mountinfo
 *
 * Of several mounts the first counts, as the kernel lists them.
 *
 * Return: The mount point without its leading slash, NULL if there is none.
 * The caller frees it.
 */
char *dmem_mountinfo_cgroup(const char *mountinfo);

#endif /* DMEM_ROOT_H */
