// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dmemctl events: who met a limit, so far or as it happens.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "cgroup.h"
#include "dmemctl.h"
#include "hits.h"
#include "memory.h"
#include "region.h"
#include "table.h"
#include "text.h"
#include "unit.h"
#include "value.h"

enum { COL_REGION, COL_CGROUP, COL_REFUSED, COL_EVICTED };

static const struct column columns[] = {
	[COL_REGION]  = { "REGION", "region", "region" },
	[COL_CGROUP]  = { "CGROUP", "cgroup", "cgroup whose limit it was" },
	[COL_REFUSED] = { "REFUSED", "refused", "charges that its dmem.max refused",
			  .right = true },
	[COL_EVICTED] = { "EVICTED", "evicted", "evictions of what its dmem.low should have kept",
			  .right = true },
};

enum { OPT_FOLLOW = 'f', OPT_COUNT = 'n', OPT_REGION = 'r', OPT_SOURCE = 300 };

static const struct opt options[] = {
	{ OPT_FOLLOW, "follow", NULL, "hits as they happen, one line each" },
	{ OPT_COUNT, "count", "N", "follow, and end after N of them" },
	{ OPT_REGION, "region", "REGION", "of this region (or heap) alone" },
	{ OPT_SOURCE, "source", "trace|files", "where to follow them; default: trace if permitted" },
	{ 0 },
};

static bool follow;
static uint64_t count = UINT64_MAX;
static const char *region_name, *source, *whose;

static int take_opt(struct dmemctl *ctl, int letter, const char *arg)
{
	char *end;

	switch (letter) {
	case OPT_FOLLOW:
		follow = true;
		return 0;
	case OPT_COUNT:
		count = strtoull(arg, &end, 10);
		if (*arg < '0' || *arg > '9' || *end || !count)
			return misused(ctl->verb, "'%s' is no number of hits", arg);
		follow = true;
		return 0;
	case OPT_REGION:
		region_name = arg;
		return 0;
	case OPT_SOURCE:
		if (strcmp(arg, "trace") && strcmp(arg, "files"))
			return misused(ctl->verb, "--source is trace or files, not '%s'", arg);
		source = arg;
		return 0;
	default:
		if (whose)
			return misused(ctl->verb, "one unit or cgroup, not '%s' too", arg);
		whose = arg;
		return 0;
	}
}

struct watch {
	struct dmemctl *ctl;
	const char *region;
	const char *cgroup;
};

static bool is_in(const char *path, const char *cgroup)
{
	size_t len = strlen(cgroup);

	return !cgroup[1] || (path && !strncmp(path, cgroup, len) &&
			      (path[len] == '/' || !path[len]));
}

static void print_hit(const struct dmemctl *ctl, const struct hit *hit)
{
	char *cgroup __free_string = hit->cgroup ? printable(hit->cgroup) : dmem_strdup("(removed)");
	char *comm __free_string = hit->comm ? printable(hit->comm) : NULL;
	char size[DMEM_SIZE_TEXT], when[64], zone[16];
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	strftime(when, sizeof(when), "%FT%T", &tm);
	strftime(zone, sizeof(zone), "%z", &tm);

	if (ctl->json) {
		char *stamp __free_string = dmem_printf("%s.%06ld%s", when, now.tv_nsec / 1000, zone);
		json_object *object = json_object_new_object();

		json_object_object_add(object, "time", json_text(stamp));
		json_object_object_add(object, "event", json_text(hit->evicted ? "evicted" : "refused"));
		json_object_object_add(object, "region", json_text(hit->region));
		json_object_object_add(object, "cgroup", json_text(hit->cgroup));
		json_object_object_add(object, "cgroup_id",
				       json_size(hit->cgroup_id ?: DMEM_UNKNOWN));
		json_object_object_add(object, "count", json_size(hit->count));
		json_object_object_add(object, "bytes", json_size(hit->bytes));
		json_object_object_add(object, "comm", json_text(hit->comm));
		json_object_object_add(object, "pid", json_size(hit->pid ? (uint64_t)hit->pid : DMEM_UNKNOWN));
		json_print(object, true);
		return;
	}
	printf("%s.%03ld%s %s %s %s", when, now.tv_nsec / 1000000, zone, hit->region,
	       cgroup, hit->evicted ? "evicted" : "refused");
	if (hit->bytes != DMEM_UNKNOWN)
		printf(" %s to %s[%d]\n", size_text(ctl, size, hit->bytes), comm, hit->pid);
	else
		printf(" %" PRIu64 " time%s\n", hit->count, hit->count > 1 ? "s" : "");
}

static int take_hit(const struct hit *hit, void *data)
{
	struct watch *watch = data;

	if (watch->region && strcmp(hit->region, watch->region))
		return 0;
	if (watch->cgroup && !is_in(hit->cgroup, watch->cgroup))
		return 0;
	print_hit(watch->ctl, hit);
	if (fflush(stdout))
		return -EPIPE;
	return --count ? 0 : -ECANCELED;
}

static int follow_hits(struct watch *watch)
{
	struct dmem_root *root = &watch->ctl->root;
	struct dmem_error err = { "" };
	int stop __close_fd = -1;
	sigset_t signals;
	int ret = -ENOENT;

	if (root->recorded)
		return misused(watch->ctl->verb, "nothing happens in a recorded tree");
	/* the trace instance is removed on the way out, also when a reader goes */
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	stop = signalfd(-1, &signals, SFD_CLOEXEC);
	if (stop < 0)
		return fail("%s", strerror(errno));

	if (!source || !strcmp(source, "trace")) {
		ret = hits_from_trace(root, stop, take_hit, watch, &err);
		if (*err.text && source)
			return fail("%s", err.text);
		if (*err.text)
			note("%s; following dmem.events.local instead: no amounts, no processes",
			     err.text);
	}
	if ((source && !strcmp(source, "files")) || *err.text) {
		err.text[0] = '\0';
		ret = hits_from_files(root, stop, take_hit, watch, &err);
	}
	if (*err.text)
		return fail("%s", err.text);
	if (ret == -EPIPE)
		return fail("cannot write: nobody reads");
	return ret && ret != -ECANCELED ? fail("%s", strerror(-ret)) : DONE;
}

static int run(struct dmemctl *ctl, int argc, char **argv)
{
	struct dmem_regions regions __cleanup(dmem_regions_free) = { 0 };
	struct dmem_cgroups cgroups __cleanup(dmem_cgroups_free) = { 0 };
	struct watch watch = { .ctl = ctl };
	char *path __free_string = NULL;
	struct dmem_error err = { "" };
	bool known = false, any = false;
	struct table *table;
	size_t i, j;

	(void)argc, (void)argv;
	table = table_new(ctl, "events");
	if (!table)
		return MISUSED;
	if (dmem_regions_read(&ctl->root, &regions, &err))
		return fail("%s", err.text);
	if (region_name) {
		int index = dmem_regions_find(&regions, region_name, &err);

		if (index < 0)
			return fail("%s", err.text);
		watch.region = regions.region[index].name;
	}
	if (dmem_unit_resolve(&ctl->root, whose ?: "/", &path, &err))
		return fail("%s", err.text);
	watch.cgroup = whose ? path : NULL;
	if (follow)
		return follow_hits(&watch);

	if (dmem_cgroups_read(&ctl->root, &regions, path, DMEM_READ_LOCAL, &cgroups, &err))
		return fail("%s", err.text);
	for (i = 0; i < cgroups.count; i++) {
		const struct dmem_cgroup *cgroup = &cgroups.cgroup[i];

		for (j = 0; cgroup->enabled && j < regions.count; j++) {
			const struct dmem_counts *local = &cgroup->pool[j].local;
			struct row *row;

			any = any || cgroup->path[1];
			if (local->max == DMEM_UNKNOWN && local->low == DMEM_UNKNOWN)
				continue;
			known = true;
			if (watch.region && strcmp(regions.region[j].name, watch.region))
				continue;
			if (!local->max && !local->low)
				continue;
			row = table_row(table, NULL);
			row_text(row, COL_REGION, regions.region[j].name);
			row_text(row, COL_CGROUP, cgroup->path);
			row_count(row, COL_REFUSED, local->max);
			row_count(row, COL_EVICTED, local->low);
		}
	}
	if (any && !known)
		return fail("this kernel does not count limit hits: there is no dmem.events.local");
	return table_print(table);
}

const struct verb events_verb = {
	.name = "events",
	.arguments = "[UNIT or CGROUP]",
	.summary = "Limit hits: how many so far, or each one as it happens",
	.details =
		"With --follow a line for each, until interrupted:\n"
		"\n"
		"  TIME REGION CGROUP refused AMOUNT to PROCESS[PID]\n"
		"\n"
		"CGROUP is the one whose limit it was.  Who may not trace sees how often\n"
		"instead of how much and by whom.\n",
	.takes = TAKES_TABLE,
	.options = options,
	.columns = columns,
	.nr_columns = sizeof(columns) / sizeof(columns[0]),
	.take_opt = take_opt,
	.run = run,
};
