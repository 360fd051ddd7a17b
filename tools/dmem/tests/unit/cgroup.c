// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Cgroups of recorded trees: what tests/guest/scenario.sh set up.
 */
#include <errno.h>

#include "cgroup.h"
#include "check.h"
#include "memory.h"
#include "value.h"

static struct dmem_root root;
static struct dmem_regions regions;

static void open_tree(const char *name)
{
	struct dmem_error err = { "" };

	check_number(dmem_root_open(&root, tree(name), &err), 0);
	check(!dmem_regions_read(&root, &regions, &err), "%s", err.text);
}

static void close_tree(void)
{
	dmem_regions_free(&regions);
	dmem_root_close(&root);
}

static const struct dmem_cgroup *find(const struct dmem_cgroups *cgroups, const char *path)
{
	static struct dmem_pool none[8];
	static const struct dmem_cgroup nowhere = { .path = "", .parent = -2, .pool = none };
	size_t i;

	for (i = 0; i < cgroups->count; i++)
		if (!strcmp(cgroups->cgroup[i].path, path))
			return &cgroups->cgroup[i];
	check(false, "no cgroup %s", path);
	return &nowhere;
}

static void paths(void)
{
	static const struct {
		const char *name, *path;
	} names[] = {
		{ "/", "/" }, { "", "/" }, { "//", "/" },
		{ "media", "/media" }, { "/media", "/media" }, { "media//a/", "/media/a" },
		{ "/sys/fs/cgroup", "/" }, { "/sys/fs/cgroup/media/a", "/media/a" },
		{ "/sys/fs/cgroups", "/sys/fs/cgroups" }, { "..a/.b", "/..a/.b" },
		{ "sys/fs/cgroup", "/sys/fs/cgroup" },
		{ "..", NULL }, { "media/../..", NULL }, { "./a", NULL }, { "a/.", NULL },
	};
	size_t i;

	open_tree("carveouts");
	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char *path __free_string = dmem_cgroup_path(&root, names[i].name);

		if (names[i].path)
			check_text(path, names[i].path);
		else
			check(!path, "'%s' for '%s'", path, names[i].name);
	}
	close_tree();
}

static void whole_tree(void)
{
	struct dmem_cgroups cgroups __cleanup(dmem_cgroups_free) = { 0 };
	const struct dmem_cgroup *player;
	struct dmem_error err = { "" };
	int video, display;
	size_t i;

	open_tree("carveouts");
	video = dmem_regions_find(&regions, "cma/video", &err);
	display = dmem_regions_find(&regions, "cma/display", &err);
	check_number(dmem_cgroups_read(&root, &regions, "/", DMEM_READ_ALL, &cgroups, &err), 0);
	check_number(cgroups.count, 5);
	for (i = 0; i < cgroups.count; i++)
		check(cgroups.cgroup[i].parent < (int)i, "parents come first");
	check_text(cgroups.cgroup[0].path, "/");
	check_text(cgroups.cgroup[1].path, "/media");
	check_text(cgroups.cgroup[2].path, "/media/camera");
	check_text(cgroups.cgroup[3].path, "/media/player");
	check_text(cgroups.cgroup[4].path, "/ui");
	check_number(cgroups.cgroup[3].parent, 1);
	check_number(cgroups.cgroup[4].parent, 0);

	player = find(&cgroups, "/media/player");
	check_number(player->pool[video].current, 5001216);
	check_number(player->pool[video].peak, 5001216);
	check_number(player->pool[video].max, 8 << 20);
	check_number(player->pool[video].low, 16 << 20);
	check_number(player->pool[video].min, 0);
	check_number(player->pool[video].events.max, 2);
	check_number(player->pool[video].local.max, 2);
	check_number(player->pool[display].current, 0);
	check_number(player->pool[display].max, DMEM_MAX);
	/* the removed cgroup's buffer is the parent's, the children have less */
	check_number(find(&cgroups, "/media")->pool[video].current, 10244096);
	check_number(find(&cgroups, "/media/camera")->pool[video].current, 4 << 20);
	check_number(find(&cgroups, "/media")->pool[video].events.max, 2);
	check_number(find(&cgroups, "/media")->pool[video].local.max, 0);
	/* the root has usage alone */
	check_number(cgroups.cgroup[0].pool[video].current, 10244096);
	check_number(cgroups.cgroup[0].pool[video].max, DMEM_UNKNOWN);
	check_number(cgroups.cgroup[0].pool[video].events.max, DMEM_UNKNOWN);
	close_tree();
}

/* only what is asked for is opened: two files and a directory a cgroup, no more */
static void work(void)
{
	struct dmem_cgroups cgroups __cleanup(dmem_cgroups_free) = { 0 };
	struct dmem_error err = { "" };
	unsigned long before;

	open_tree("carveouts");
	before = root.opens;
	check_number(dmem_cgroups_read(&root, &regions, "/", DMEM_READ_LOCAL, &cgroups, &err), 0);
	check_number(root.opens - before, 3 * cgroups.count);
	close_tree();
}

static void no_cgroup(void)
{
	struct dmem_cgroups cgroups __cleanup(dmem_cgroups_free) = { 0 };
	struct dmem_error err = { "" };
	struct dmem_cgroup one;

	open_tree("carveouts");
	check_number(dmem_cgroups_read(&root, &regions, "/medium", 0, &cgroups, &err), -ENOENT);
	check_names(&err, "/medium");
	check_number(dmem_cgroup_read(&root, &regions, "/medium", 0, &one), -ENOENT);
	close_tree();
}

static void of_process(void)
{
	char *path __free_string = dmem_cgroup_of("12:dmem:/v1\n1:name=systemd:/x\n0::/media/a b\n");
	char *none __free_string = dmem_cgroup_of("12:dmem:/v1\n");
	char *deep __free_string = dmem_cgroup_of("0::/\n");

	check_text(path, "/media/a b");
	check(!none, "'%s'", none);
	check_text(deep, "/");
}

CHECK_MAIN(CASE(paths), CASE(whole_tree), CASE(work), CASE(no_cgroup), CASE(of_process))
