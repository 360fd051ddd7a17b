// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files are read whole, relative to the tree; what is missing is said plainly.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "memory.h"
#include "root.h"

static void mount_point(void)
{
	static const struct {
		const char *mountinfo, *path;
	} mounts[] = {
		{ "26 21 0:22 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n",
		  "sys/fs/cgroup" },
		/* optional fields, as many as there are */
		{ "30 21 0:22 / /cg rw shared:4 master:1 - cgroup2 none rw\n", "cg" },
		/* not first; v1 beside it */
		{ "20 2 0:18 / /proc rw - proc proc rw\n"
		  "21 2 0:18 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
		  "22 2 0:18 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
		  "23 2 0:18 / /again rw - cgroup2 cgroup2 rw\n",
		  "sys/fs/cgroup/unified" },
		/* blank and backslash in the path */
		{ "1 2 0:1 / /a\\040b\\134c rw - cgroup2 x rw", "a b\\c" },
		/* cgroup2 anywhere but in the type */
		{ "1 2 0:1 / /cgroup2 rw - tmpfs cgroup2 cgroup2\n", NULL },
		{ "1 2 0:1 / /x rw - cgroup2x cgroup2 rw\n", NULL },
		{ "1 2 0:1 / / rw - cgroup2 cgroup2 rw\n", NULL },
		{ "short\n\n - cgroup2\n", NULL },
		{ "", NULL },
	};
	size_t i;

	for (i = 0; i < sizeof(mounts) / sizeof(*mounts); i++) {
		char *path __free_string = dmem_mountinfo_cgroup(mounts[i].mountinfo);

		if (mounts[i].path)
			check_text(path, mounts[i].path);
		else
			check(!path, "'%s' from '%s'", path, mounts[i].mountinfo);
	}
}

static void recorded(void)
{
	struct dmem_root root __cleanup(dmem_root_close) = { 0 };
	struct dmem_text text __cleanup(dmem_text_free) = { 0 };
	struct dmem_error err = { "" };

	check_number(dmem_root_open(&root, tree("carveouts"), &err), 0);
	check(root.recorded, "a recorded tree");
	check_text(root.cgroup, "sys/fs/cgroup");
	check_number(dmem_root_need_cgroup(&root, &err), 0);
	check_number(dmem_read_at(&root, root.fd, "sys/class/dma_heap/no/size", &text), -ENOENT);
	check_text(text.data, "");
	check_number(dmem_read_at(&root, root.fd, "sys/fs/cgroup", &text), -EISDIR);
	check_number(dmem_read_at(&root, root.fd, "sys/fs/cgroup/dmem.capacity", &text), 0);
	check_text(text.data, "cma/display 33554432\ncma/video 67108864\n");
	check_number(text.len, strlen(text.data));
}

/* cgroup_disable=dmem: that, and not "no such file" */
static void disabled(void)
{
	struct dmem_root root __cleanup(dmem_root_close) = { 0 };
	struct dmem_error err = { "" };

	check_number(dmem_root_open(&root, tree("disabled"), &err), 0);
	check_number(dmem_root_need_cgroup(&root, &err), -ENOENT);
	check_names(&err, "sys/fs/cgroup/cgroup.controllers");
	check_names(&err, "cgroup_disable=dmem");
}

static void no_tree(void)
{
	struct dmem_root root __cleanup(dmem_root_close) = { 0 };
	struct dmem_error err = { "" };

	check_number(dmem_root_open(&root, tree("of-no-such-name"), &err), -ENOENT);
	check_names(&err, "of-no-such-name");
}

static void make_file(const char *path, const char *text, size_t times)
{
	FILE *file = fopen(path, "w");

	if (!file)
		abort();
	while (times--)
		fputs(text, file);
	fclose(file);
}

/* longer than the first guess, exactly as long, and too long to be true */
static void lengths(void)
{
	struct dmem_root root __cleanup(dmem_root_close) = { 0 };
	struct dmem_text text __cleanup(dmem_text_free) = { 0 };
	char dir[] = "/tmp/dmem-root-XXXXXX";
	static const size_t times[] = { 0, 1, 511, 512, 513, 100000 };
	char *path __free_string = NULL;
	struct dmem_error err;
	size_t i;

	check(mkdtemp(dir), "%m");
	path = dmem_printf("%s/file", dir);
	check_number(dmem_root_open(&root, dir, &err), 0);
	check(!root.cgroup, "nothing is mounted in an empty tree");
	check_number(dmem_root_need_cgroup(&root, &err), -ENOENT);
	check_names(&err, "no cgroup2 file system is mounted");
	for (i = 0; i < sizeof(times) / sizeof(*times); i++) {
		make_file(path, "12345678", times[i]);
		check_number(dmem_read_at(&root, root.fd, "file", &text), 0);
		check_number(text.len, 8 * times[i]);
		check_number(strlen(text.data), text.len);
	}
	make_file(path, "12345678", (DMEM_TEXT_MAX >> 3) + 1);
	check_number(dmem_read_at(&root, root.fd, "file", &text), -EFBIG);
	check_text(text.data, "");
	check(!truncate(path, 0) && !truncate(path, 1), "%m");
	check_number(dmem_read_at(&root, root.fd, "file", &text), -EINVAL);
	unlink(path);
	rmdir(dir);
}

CHECK_MAIN(CASE(mount_point), CASE(recorded), CASE(disabled), CASE(no_tree), CASE(lengths))
