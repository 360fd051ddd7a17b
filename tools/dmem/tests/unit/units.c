// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Units and cgroups by name, where no systemd runs: a recorded tree.
 */
#include <errno.h>

#include "check.h"
#include "memory.h"
#include "unit.h"

static struct dmem_root root;

static void resolve(void)
{
	static const struct {
		const char *name, *cgroup;
		int ret;
		const char *message;
	} names[] = {
		{ "/media.slice/player.service", "/media.slice/player.service", 0, NULL },
		{ "media.slice/player.service", "/media.slice/player.service", 0, NULL },
		{ "/sys/fs/cgroup/ui.service", "/ui.service", 0, NULL },
		{ "/", "/", 0, NULL },
		{ "media.slice", "/media.slice", 0, NULL },
		{ "ui.service", "/ui.service", 0, NULL },
		{ "ui", "/ui.service", 0, NULL },
		{ "plain", "/plain", 0, NULL },
		{ "player.service", NULL, -ENOTUNIQ,
		  "/media.slice/player.service, /user.slice/player.service" },
		{ "player", NULL, -ENOTUNIQ, "give its path" },
		{ "nobody.service", NULL, -ENOENT, "there are: /media.slice," },
		{ "/media", NULL, -ENOENT, "no cgroup '/media'" },
		{ "media.slice/", "/media.slice", 0, NULL },
		{ "../etc", NULL, -EINVAL, "'../etc'" },
		{ "", "/", 0, NULL },
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct dmem_error err = { "" };
		char *cgroup __free_string = NULL;
		int ret = dmem_unit_resolve(&root, names[i].name, &cgroup, &err);

		check(ret == names[i].ret, "'%s': seen %d, expected %d", names[i].name, ret,
		      names[i].ret);
		if (names[i].cgroup)
			check_text(cgroup, names[i].cgroup);
		if (names[i].message)
			check_names(&err, names[i].message);
	}
}

static void suffixes(void)
{
	check(dmem_unit_is_name("a.service"), "a service");
	check(dmem_unit_is_name("session-1.scope"), "a scope");
	check(!dmem_unit_is_name(".slice"), "no name");
	check(!dmem_unit_is_name("a.timer"), "has no cgroup");
	check(!dmem_unit_is_name("x/a.service"), "a path");
	check(!dmem_unit_is_name("service"), "no suffix");
}

static void in_board(void)
{
	struct dmem_error err;

	check_number(dmem_root_open(&root, tree("board"), &err), 0);
	resolve();
	dmem_root_close(&root);
}

CHECK_MAIN(CASE(in_board), CASE(suffixes))
