// SPDX-License-Identifier: GPL-2.0-or-later
#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"

int dmem_open_at(struct dmem_root *root, int dirfd, const char *path, int flags)
{
	int fd;

	root->opens++;
	fd = openat(dirfd, path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int dmem_read_at(struct dmem_root *root, int dirfd, const char *path,
		 struct dmem_text *text)
{
	int fd __close_fd = -1;
	int ret = 0;

	/* the NUL behind the text always has room */
	if (!text->data) {
		text->room = 4096;
		text->data = dmem_grow(NULL, 0, text->room);
	}
	text->len = 0;

	fd = dmem_open_at(root, dirfd, path, O_RDONLY);
	if (fd < 0)
		ret = fd;
	while (!ret) {
		size_t room = text->room - text->len - 1;
		ssize_t got = read(fd, text->data + text->len, room);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			ret = -errno;
		if (got <= 0)
			break;
		text->len += got;
		if ((size_t)got < room)
			continue;
		if (text->room >= DMEM_TEXT_MAX) {
			ret = -EFBIG;
			break;
		}
		text->data = realloc(text->data, text->room * 2);
		if (!text->data)
			abort();
		text->room *= 2;
	}
	if (!ret && memchr(text->data, '\0', text->len))
		ret = -EINVAL;
	if (ret)
		text->len = 0;
	text->data[text->len] = '\0';
	return ret;
}

void dmem_text_free(struct dmem_text *text)
{
	free(text->data);
	*text = (struct dmem_text){ 0 };
}

const char *dmem_text_line(const char **cursor, size_t *len)
{
	const char *line = *cursor;

	if (!*line)
		return NULL;
	*len = strcspn(line, "\n");
	*cursor = line + *len + (line[*len] == '\n');
	return line;
}

/* A blank in a path is \040 in mountinfo, a backslash \134. */
static char *unescape(const char *text, size_t len)
{
	char *copy = dmem_strndup(text, len), *to = copy;
	const char *from = copy;

	while (*from) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' &&
		    from[2] >= '0' && from[2] <= '7' &&
		    from[3] >= '0' && from[3] <= '7') {
			*to++ = (from[1] - '0') << 6 | (from[2] - '0') << 3 |
				(from[3] - '0');
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
	return copy;
}

char *dmem_mountinfo_cgroup(const char *mountinfo)
{
	const char *line, *end, *word;
	size_t len;

	while ((line = dmem_text_line(&mountinfo, &len))) {
		const char *point = NULL;
		size_t point_len = 0;
		bool tail = false;
		int field = 0;

		end = line + len;
		/*
		 * id parent major:minor root POINT options [tags...] - TYPE ...:
		 * the number of tags varies, so count from the dash.
		 */
		for (word = line; word < end; word += len + 1) {
			len = strcspn(word, " \n");
			field++;
			if (field == 5) {
				point = word;
				point_len = len;
			} else if (!tail && len == 1 && *word == '-') {
				tail = true;
			} else if (tail) {
				if (len == 7 && !memcmp(word, "cgroup2", 7) &&
				    point_len > 1)
					return unescape(point + 1, point_len - 1);
				break;
			}
		}
	}
	return NULL;
}

int dmem_root_open(struct dmem_root *root, const char *sysroot,
		   struct dmem_error *err)
{
	struct dmem_text text __cleanup(dmem_text_free) = { 0 };
	int ret;

	*root = (struct dmem_root){ .recorded = sysroot, .path = dmem_strdup("") };
	root->fd = open(sysroot ?: "/", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (root->fd < 0)
		return dmem_fail(err, errno, "cannot open the tree '%s': %m", sysroot);
	if (sysroot) {
		free(root->path);
		root->path = dmem_strdup(sysroot);
	}

	ret = dmem_read_at(root, root->fd, "proc/self/mountinfo", &text);
	if (!ret)
		root->cgroup = dmem_mountinfo_cgroup(text.data);
	else if (!faccessat(root->fd, "sys/fs/cgroup/cgroup.controllers", F_OK, 0))
		root->cgroup = dmem_strdup("sys/fs/cgroup");
	return 0;
}

void dmem_root_close(struct dmem_root *root)
{
	if (root->path && root->fd >= 0)
		close(root->fd);
	free(root->path);
	free(root->cgroup);
	*root = (struct dmem_root){ .fd = -1 };
}

/* cgroup.controllers lists what can be had, separated by blanks */
static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	while (*list) {
		size_t n = strcspn(list, " \n");

		if (n == len && !memcmp(list, word, n))
			return true;
		list += n;
		list += strspn(list, " \n");
	}
	return false;
}

int dmem_root_need_cgroup(struct dmem_root *root, struct dmem_error *err)
{
	struct dmem_text text __cleanup(dmem_text_free) = { 0 };
	char *path __free_string = NULL;
	int ret;

	if (!root->cgroup)
		return dmem_fail(err, ENOENT,
				 "no cgroup2 file system is mounted: dmem limits cannot be seen or set (mount -t cgroup2 none /sys/fs/cgroup)");

	path = dmem_printf("%s/cgroup.controllers", root->cgroup);
	ret = dmem_read_at(root, root->fd, path, &text);
	if (ret)
		return dmem_fail(err, -ret, "cannot read %s/%s: %s", root->path,
				 path, strerror(-ret));
	if (has_word(text.data, "dmem"))
		return 0;

	dmem_fail(err, ENOENT, "the dmem controller is not available: %s/%s says '%.*s'\n",
		  root->path, path, (int)strcspn(text.data, "\n"), text.data);
	dmem_error_add(err, "(a kernel without CONFIG_CGROUP_DMEM, cgroup_disable=dmem on its command line, a cgroup v1 hierarchy that has it, or a container whose parent did not enable it)");
	return -ENOENT;
}
