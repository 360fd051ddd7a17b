// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Limits are set together or not at all.  The tree is a copy of a recorded one:
 * files take what is written, and a directory in the place of a file refuses it.
 */
#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "limit.h"
#include "memory.h"
#include "value.h"

static struct dmem_root root;
static struct dmem_regions regions;
static struct dmem_error err;
static char copy[32];

static void open_copy(void)
{
	char *command __free_string = NULL;

	strcpy(copy, "/tmp/dmem-limit-XXXXXX");
	check(mkdtemp(copy), "%m");
	command = dmem_printf("cp -R '%s/.' %s && chmod -R u+w %s", tree("carveouts"), copy, copy);
	check(!system(command), "copying the tree");
	check_number(dmem_root_open(&root, copy, &err), 0);
	check_number(dmem_regions_read(&root, &regions, &err), 0);
}

static int unlink_it(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void close_copy(void)
{
	dmem_regions_free(&regions);
	dmem_root_close(&root);
	check(!nftw(copy, unlink_it, 8, FTW_DEPTH | FTW_PHYS), "%m");
}

static char *in_cgroup(const char *cgroup, const char *file)
{
	return dmem_printf("%s/sys/fs/cgroup%s/%s", copy, cgroup, file);
}

static void check_file(const char *cgroup, const char *file, const char *expected)
{
	struct dmem_text text __cleanup(dmem_text_free) = { 0 };
	char *path __free_string = in_cgroup(cgroup, file);

	check_number(dmem_read_at(&root, root.fd, path + strlen(copy) + 1, &text), 0);
	check_text(text.data, expected);
}

static void refuse(const char *cgroup, const char *file)
{
	char *path __free_string = in_cgroup(cgroup, file);

	check(!unlink(path) && !mkdir(path, 0700), "%s: %m", path);
}

static void set_text(const char *cgroup, const char *file, const char *text)
{
	char *path __free_string = in_cgroup(cgroup, file);
	FILE *out = fopen(path, "w");

	check(out && fputs(text, out) >= 0, "%s: %m", path);
	if (out)
		fclose(out);
}

static void parse(void)
{
	struct dmem_setting setting;

	open_copy();
	check_number(dmem_setting_parse(&regions, DMEM_LIMIT_LOW, "video=25%", &setting, &err), 0);
	check_number(setting.limit, DMEM_LIMIT_LOW);
	check_number(setting.region, 1);
	check_number(setting.value, 16 << 20);
	check_number(dmem_setting_parse(&regions, DMEM_LIMIT_MAX, "cma/display=max", &setting, &err), 0);
	check_number(setting.value, DMEM_MAX);

	check_number(dmem_setting_parse(&regions, DMEM_LIMIT_MAX, "video", &setting, &err), -EINVAL);
	check_names(&err, "'video' is not REGION=VALUE");
	check_number(dmem_setting_parse(&regions, DMEM_LIMIT_MAX, "=4M", &setting, &err), -EINVAL);
	check_number(dmem_setting_parse(&regions, DMEM_LIMIT_MAX, "audio=4M", &setting, &err), -ENODEV);
	check_names(&err, "cma/display, cma/video");
	check_number(dmem_setting_parse(&regions, DMEM_LIMIT_MAX, "video=4X", &setting, &err), -EINVAL);
	check_names(&err, "cma/video: '4X'");
	check_number(dmem_setting_parse(&regions, DMEM_LIMIT_MAX, "video=101%", &setting, &err), -ERANGE);
	close_copy();
}

#define SETTING(l, r, v) { .limit = DMEM_LIMIT_##l, .region = r, .value = v }

/* lines of one file go together, in one write */
static void apply(void)
{
	static const struct dmem_setting settings[] = {
		SETTING(LOW, 0, 4096), SETTING(MAX, 1, 5 << 20), SETTING(MAX, 0, DMEM_MAX),
	};
	struct dmem_plan plan __cleanup(dmem_plan_free) = { 0 };

	open_copy();
	check_number(dmem_plan_make(&root, &regions, "/media/player", settings, 3, &plan, &err), 0);
	check_number(plan.nr_enable, 0);
	check_number(plan.nr_changes, 3);
	check(plan.at_once, "that kernel has dmem.events");
	check_number(plan.change[0].old, 8 << 20);
	check_number(plan.change[1].old, DMEM_MAX);
	check_number(plan.change[2].old, 0);
	check(!dmem_plan_apply(&root, &regions, &plan, &err), "%s", err.text);
	check_file("/media/player", "dmem.max", "cma/video 5242880\ncma/display max\n");
	check_file("/media/player", "dmem.low", "cma/display 4096\n");
	close_copy();
}

/* the second file refuses: the first is as it was, and the message says which */
static void undo(void)
{
	static const struct dmem_setting settings[] = {
		SETTING(MAX, 1, 5 << 20), SETTING(LOW, 1, 1 << 20),
	};
	struct dmem_plan plan __cleanup(dmem_plan_free) = { 0 };

	open_copy();
	check_number(dmem_plan_make(&root, &regions, "/media/player", settings, 2, &plan, &err), 0);
	refuse("/media/player", "dmem.low");
	check_number(dmem_plan_apply(&root, &regions, &plan, &err), -EISDIR);
	check_names(&err, "sys/fs/cgroup/media/player/dmem.low");
	check_names(&err, "'cma/video 1048576'");
	check_file("/media/player", "dmem.max", "cma/video 8388608\n");
	close_copy();
}

/* a kernel that takes one line a time: the lines before the refused one go back */
static void undo_lines(void)
{
	static const struct dmem_setting settings[] = {
		SETTING(MAX, 0, 1 << 20), SETTING(MAX, 1, 5 << 20), SETTING(MIN, 1, 4096),
	};
	struct dmem_plan plan __cleanup(dmem_plan_free) = { 0 };
	char *events __free_string = NULL;

	open_copy();
	events = in_cgroup("/media/player", "dmem.events");
	check(!unlink(events), "%m");
	check_number(dmem_plan_make(&root, &regions, "/media/player", settings, 3, &plan, &err), 0);
	check(!plan.at_once, "no dmem.events: not a kernel that takes several lines");
	/* each line has a write of its own, which is all that a plain file keeps */
	check(!dmem_plan_apply(&root, &regions, &plan, &err), "%s", err.text);
	check_file("/media/player", "dmem.max", "cma/video 5242880\n");
	refuse("/media/player", "dmem.min");
	check_number(dmem_plan_apply(&root, &regions, &plan, &err), -EISDIR);
	/* the last that was written is the first that was changed */
	check_file("/media/player", "dmem.max", "cma/display max\n");
	close_copy();
}

/* +dmem from the root down, and back up when it comes to nothing */
static void enable(void)
{
	static const struct dmem_setting setting = SETTING(MAX, 1, 5 << 20);
	struct dmem_plan plan __cleanup(dmem_plan_free) = { 0 };

	open_copy();
	set_text("", "cgroup.subtree_control", "memory pids\n");
	set_text("/media", "cgroup.subtree_control", "dmemory\n");
	check_number(dmem_plan_make(&root, &regions, "/media/player", &setting, 1, &plan, &err), 0);
	check_number(plan.nr_enable, 2);
	check_text(plan.enable[0], "");
	check_text(plan.enable[1], "/media");
	check(!dmem_plan_apply(&root, &regions, &plan, &err), "%s", err.text);
	check_file("", "cgroup.subtree_control", "+dmem");
	check_file("/media", "cgroup.subtree_control", "+dmem");
	check_file("/media/player", "dmem.max", "cma/video 5242880\n");

	refuse("/media/player", "dmem.max");
	check_number(dmem_plan_apply(&root, &regions, &plan, &err), -EISDIR);
	check_file("", "cgroup.subtree_control", "-dmem");
	check_file("/media", "cgroup.subtree_control", "-dmem");

	/* the second cannot be enabled: the first is not left so */
	set_text("", "cgroup.subtree_control", "");
	refuse("/media", "cgroup.subtree_control");
	check_number(dmem_plan_apply(&root, &regions, &plan, &err), -EISDIR);
	check_names(&err, "/media/cgroup.subtree_control");
	check_file("", "cgroup.subtree_control", "-dmem");
	close_copy();
}

/* what cannot be taken back is named */
static void half_undone(void)
{
	static const struct dmem_setting settings[] = {
		SETTING(MAX, 1, 5 << 20), SETTING(LOW, 1, 1 << 20),
	};
	struct dmem_plan plan __cleanup(dmem_plan_free) = { 0 };

	open_copy();
	check_number(dmem_plan_make(&root, &regions, "/media/player", settings, 2, &plan, &err), 0);
	refuse("/media/player", "dmem.max");
	/* as if dmem.max had become unwritable after it was written */
	plan.at_once = false;
	plan.nr_changes = 1;
	plan.enable = dmem_grow(NULL, 0, sizeof(*plan.enable));
	plan.enable[plan.nr_enable++] = dmem_strdup("/ui");
	check_number(dmem_plan_apply(&root, &regions, &plan, &err), -EISDIR);
	check_file("/ui", "cgroup.subtree_control", "-dmem");
	refuse("/ui", "cgroup.subtree_control");
	check_number(dmem_plan_apply(&root, &regions, &plan, &err), -EISDIR);
	check_names(&err, "/ui/cgroup.subtree_control");
	close_copy();
}

static void refused_plans(void)
{
	static const struct dmem_setting twice[] = {
		SETTING(MAX, 1, 5 << 20), SETTING(LOW, 1, 1), SETTING(MAX, 1, 6 << 20),
	};
	struct dmem_plan plan = { 0 };

	open_copy();
	check_number(dmem_plan_make(&root, &regions, "/", twice, 1, &plan, &err), -EINVAL);
	check_names(&err, "root cgroup has no limits");
	dmem_plan_free(&plan);
	check_number(dmem_plan_make(&root, &regions, "/media/player", twice, 3, &plan, &err), -EEXIST);
	check_names(&err, "dmem.max is given twice for cma/video");
	dmem_plan_free(&plan);
	check_number(dmem_plan_make(&root, &regions, "/nowhere", twice, 2, &plan, &err), -ENOENT);
	check_names(&err, "/nowhere");
	dmem_plan_free(&plan);
	close_copy();
}

CHECK_MAIN(CASE(parse), CASE(apply), CASE(undo), CASE(undo_lines), CASE(enable),
	   CASE(half_undone), CASE(refused_plans))
