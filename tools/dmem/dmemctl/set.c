// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dmemctl set: limits of a cgroup, all of them or none.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup.h"
#include "dmemctl.h"
#include "limit.h"
#include "memory.h"
#include "persist.h"
#include "region.h"
#include "table.h"
#include "unit.h"
#include "value.h"

enum { OPT_MAX = 300, OPT_LOW, OPT_MIN, OPT_DRY_RUN, OPT_PERSIST };

static const struct opt options[] = {
	{ OPT_MAX, "max", NULL, "what follows is the hard limit (the default)" },
	{ OPT_LOW, "low", NULL, "what follows is protected as far as possible" },
	{ OPT_MIN, "min", NULL, "what follows is protected in any case" },
	{ OPT_DRY_RUN, "dry-run", NULL, "say what would be written, and write nothing" },
	{ OPT_PERSIST, "persist", NULL, "keep it: a drop-in of the unit, which dmemd applies" },
	{ 0 },
};

struct wish {
	enum dmem_limit limit;
	const char *text;
};

static const char *where;
static struct wish *wish;
static size_t nr_wishes;
static enum dmem_limit limit;
static bool dry_run, persist;

static int take_opt(struct dmemctl *ctl, int letter, const char *arg)
{
	(void)ctl;
	switch (letter) {
	case OPT_MAX:
		limit = DMEM_LIMIT_MAX;
		return 0;
	case OPT_LOW:
		limit = DMEM_LIMIT_LOW;
		return 0;
	case OPT_MIN:
		limit = DMEM_LIMIT_MIN;
		return 0;
	case OPT_DRY_RUN:
		dry_run = true;
		return 0;
	case OPT_PERSIST:
		persist = true;
		return 0;
	default:
		if (!where) {
			where = arg;
			return 0;
		}
		wish = dmem_grow(wish, nr_wishes, sizeof(*wish));
		wish[nr_wishes++] = (struct wish){ limit, arg };
		return 0;
	}
}

static json_object *plan_json(const struct dmem_root *root,
			      const struct dmem_regions *regions,
			      const struct dmem_plan *plan)
{
	json_object *whole = json_object_new_object();
	json_object *enable = json_object_new_array();
	json_object *changes = json_object_new_array();
	size_t i;

	json_object_object_add(whole, "cgroup", json_text(plan->cgroup));
	json_object_object_add(whole, "enable", enable);
	json_object_object_add(whole, "changes", changes);
	for (i = 0; i < plan->nr_enable; i++)
		json_object_array_add(enable, json_text(*plan->enable[i] ?
							plan->enable[i] : "/"));
	for (i = 0; i < plan->nr_changes; i++) {
		const struct dmem_change *change = &plan->change[i];
		json_object *object = json_object_new_object();

		json_object_object_add(object, "file",
				       json_text(dmem_limit_file(change->setting.limit)));
		json_object_object_add(object, "region",
				       json_text(regions->region[change->setting.region].name));
		json_object_object_add(object, "old", json_size(change->old));
		json_object_object_add(object, "new", json_size(change->setting.value));
		json_object_array_add(changes, object);
	}
	(void)root;
	return whole;
}

static int show_plan(const struct dmemctl *ctl, const struct dmem_regions *regions,
		     const struct dmem_plan *plan)
{
	const struct dmem_root *root = &ctl->root;
	char new[DMEM_SIZE_TEXT], old[DMEM_SIZE_TEXT];
	size_t i;

	if (ctl->json)
		return json_print(plan_json(root, regions, plan), false);
	for (i = 0; i < plan->nr_enable; i++)
		printf("%s/%s%s/cgroup.subtree_control: +dmem\n", root->path,
		       root->cgroup, plan->enable[i]);
	for (i = 0; i < plan->nr_changes; i++) {
		const struct dmem_change *change = &plan->change[i];

		printf("%s/%s%s/%s: %s %s (now %s)\n", root->path, root->cgroup,
		       plan->cgroup, dmem_limit_file(change->setting.limit),
		       regions->region[change->setting.region].name,
		       dmem_bytes_format(new, sizeof(new), change->setting.value),
		       dmem_bytes_format(old, sizeof(old), change->old));
	}
	return DONE;
}

/* What somebody who lowers a limit may not expect. */
static void say_excess(struct dmemctl *ctl, const struct dmem_regions *regions,
		       const struct dmem_plan *plan)
{
	char max[DMEM_SIZE_TEXT], current[DMEM_SIZE_TEXT];
	struct dmem_cgroup now;
	size_t i;

	if (dmem_cgroup_read(&ctl->root, regions, plan->cgroup, DMEM_READ_CURRENT, &now))
		return;
	for (i = 0; i < plan->nr_changes; i++) {
		const struct dmem_setting *setting = &plan->change[i].setting;
		const struct dmem_region *region = &regions->region[setting->region];
		uint64_t usage = now.pool[setting->region].current;

		if (setting->limit == DMEM_LIMIT_MAX && usage != DMEM_UNKNOWN &&
		    usage > setting->value)
			note("%s: %s is in use, above the limit of %s: %s",
			     region->name, dmem_size_format(current, sizeof(current), usage),
			     dmem_size_format(max, sizeof(max), setting->value),
			     strncmp(region->name, "cma/", 4) ?
			     "the driver evicts what it can, and grants no more meanwhile" :
			     "nothing is taken back, and no more granted until enough is released");
	}
	dmem_cgroup_free(&now);
}

static int run(struct dmemctl *ctl, int argc, char **argv)
{
	struct dmem_regions regions __cleanup(dmem_regions_free) = { 0 };
	struct dmem_plan plan __cleanup(dmem_plan_free) = { 0 };
	struct dmem_setting *setting __free_string = NULL;
	struct dmem_error err = { "" };
	char *path __free_string = NULL;
	size_t i;
	int ret;

	(void)argc, (void)argv;
	if (!where)
		return misused(ctl->verb, "whose limits?");
	if (!nr_wishes)
		return misused(ctl->verb, "no REGION=VALUE");
	for (i = 0; i < nr_wishes; i++)
		if (!strchr(wish[i].text, '='))
			return misused(ctl->verb, "'%s' is not REGION=VALUE", wish[i].text);
	if (ctl->root.recorded && !dry_run)
		return misused(ctl->verb, "a recorded tree has no limits to set: add --dry-run");

	if (dmem_regions_read(&ctl->root, &regions, &err))
		return fail("%s", err.text);
	for (i = 0; i < nr_wishes; i++) {
		setting = dmem_grow(setting, i, sizeof(*setting));
		ret = dmem_setting_parse(&regions, wish[i].limit, wish[i].text, &setting[i],
					 &err);
		/* what no system would take is the caller's mistake */
		if (ret == -EINVAL || ret == -ERANGE)
			return misused(ctl->verb, "%s", err.text);
		if (ret)
			return fail("%s", err.text);
	}
	if (dmem_unit_resolve(&ctl->root, where, &path, &err))
		return fail("%s", err.text);
	ret = dmem_plan_make(&ctl->root, &regions, path, setting, nr_wishes, &plan, &err);
	if (ret == -EEXIST)
		return misused(ctl->verb, "%s", err.text);
	if (ret)
		return fail("%s", err.text);

	if (persist && persist_check(&ctl->root, path, &err))
		return fail("%s", err.text);
	if (dry_run) {
		int status = show_plan(ctl, &regions, &plan);

		if (persist && !ctl->json)
			printf("%s\n", persist_file(path));
		return status;
	}
	if (dmem_plan_apply(&ctl->root, &regions, &plan, &err))
		return fail("%s", err.text);
	say_excess(ctl, &regions, &plan);
	if (persist) {
		struct persist_line *line __free_string = NULL;

		for (i = 0; i < nr_wishes; i++) {
			line = dmem_grow(line, i, sizeof(*line));
			line[i].limit = setting[i].limit;
			line[i].region = regions.region[setting[i].region].name;
			line[i].value = strrchr(wish[i].text, '=') + 1;
		}
		if (persist_write(&ctl->root, path, line, nr_wishes, &err))
			return fail("the limits are in force, but not kept: %s", err.text);
	}
	return DONE;
}

const struct verb set_verb = {
	.name = "set",
	.arguments = "UNIT or CGROUP [--max] REGION=VALUE... [--low REGION=VALUE...] [--min ...]",
	.summary = "Set limits of a unit or cgroup, all of them or none",
	.details =
		"VALUE is bytes (16777216, 16M, 1.5G), a share of the region (25%), or max.\n"
		"REGION is a name from 'dmemctl list', or a heap's.  The controller is enabled\n"
		"from the root down where it is not.  For example:\n"
		"\n"
		"  dmemctl set player.service video@58000000=25%\n"
		"  dmemctl set /media --max cma/video@58000000=32M --low cma/video@58000000=8M\n",
	.takes = TAKES_JSON,
	.options = options,
	.take_opt = take_opt,
	.run = run,
};
