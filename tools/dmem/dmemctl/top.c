// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dmemctl top: who has how much, as it changes.  Sampling is in sample.c, what to
 * show in toprows.c, the screen in draw.c; here is what a key or --batch does.
 */
#include <errno.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "dmemctl.h"
#include "draw.h"
#include "memory.h"
#include "sample.h"
#include "table.h"
#include "toprows.h"
#include "unit.h"
#include "value.h"

/* ncurses has short names of its own */
#undef timeout

enum {
	COL_TIME, COL_REGION, COL_CGROUP, COL_CURRENT, COL_PEAK, COL_MAX, COL_ROOM,
	COL_REFUSED, COL_RATE,
};

static const struct column columns[] = {
	[COL_TIME]    = { "TIME", "time", "when" },
	[COL_REGION]  = { "REGION", "region", "region" },
	[COL_CGROUP]  = { "CGROUP", "cgroup", "cgroup" },
	[COL_CURRENT] = { "CURRENT", "current", "charged here and below", .right = true },
	[COL_PEAK]    = { "PEAK", "peak", "the most so far", .right = true },
	[COL_MAX]     = { "MAX", "max", "limit", .right = true },
	[COL_ROOM]    = { "ROOM", "room", "how much more can be had", .right = true },
	[COL_REFUSED] = { "REFUSED", "refused", "how often this limit refused", .right = true },
	[COL_RATE]    = { "REF/S", "refused_per_second", "refusals per second since the sample before",
			  .right = true },
};

enum {
	OPT_BATCH = 'b', OPT_COUNT = 'n', OPT_DELAY = 'd', OPT_SORT = 's', OPT_REGION = 'r',
	OPT_REVERSE = 300,
};

static const struct opt options[] = {
	{ OPT_BATCH, "batch", NULL, "tables one after the other, for logs" },
	{ OPT_COUNT, "count", "N", "end after N samples" },
	{ OPT_DELAY, "delay", "SECONDS", "between two samples: 0.1 to 3600, default 2" },
	{ OPT_SORT, "sort", "ORDER", "current, peak, max, share, rate, refused or name" },
	{ OPT_REVERSE, "reverse", NULL, "the other way round" },
	{ OPT_REGION, "region", "REGION", "begin with this region (or heap); batch: it alone" },
	{ 0 },
};

static struct view view = { .delay = 2 };
static bool batch;
static unsigned long count = -1UL;
static const char *region_name, *where;

static int take_opt(struct dmemctl *ctl, int letter, const char *arg)
{
	char *end;

	switch (letter) {
	case OPT_BATCH:
		batch = true;
		return 0;
	case OPT_COUNT:
		count = strtoul(arg, &end, 10);
		if (*arg < '0' || *arg > '9' || *end || !count)
			return misused(ctl->verb, "'%s' is no number of samples", arg);
		return 0;
	case OPT_DELAY:
		view.delay = strtod(arg, &end);
		if (end == arg || *end || !(view.delay >= 0.1 && view.delay <= 3600))
			return misused(ctl->verb, "'%s' is no delay from 0.1 to 3600 s", arg);
		return 0;
	case OPT_SORT:
		for (view.sort = 0; view.sort < TOP_NR_SORTS; view.sort++)
			if (!strcmp(arg, top_sort_name(view.sort)))
				return 0;
		return misused(ctl->verb, "no order '%s'; there are: current, peak, max, share, rate, refused, name", arg);
	case OPT_REVERSE:
		view.reverse = true;
		return 0;
	case OPT_REGION:
		region_name = arg;
		return 0;
	default:
		if (where)
			return misused(ctl->verb, "one unit or cgroup, not '%s' too", arg);
		where = arg;
		return 0;
	}
}

/* -- --batch --------------------------------------------------------------- */

static void fill_row(struct row *row, const char *when, const char *region,
		     const struct top_row *from)
{
	char rate[32];

	row_text(row, COL_TIME, when);
	row_text(row, COL_REGION, region);
	row_text(row, COL_CGROUP, from->path);
	row_size(row, COL_CURRENT, from->pool->current);
	row_size(row, COL_PEAK, from->pool->peak);
	row_size(row, COL_MAX, from->pool->max);
	row_size(row, COL_ROOM, from->bound.room == DMEM_MAX ? DMEM_UNKNOWN : from->bound.room);
	row_count(row, COL_REFUSED, from->pool->local.max);
	if (from->rate >= 0) {
		snprintf(rate, sizeof(rate), "%.1f", from->rate);
		row_json(row, COL_RATE, rate, json_object_new_double_s(from->rate, rate));
	}
}

static json_object *row_object(const char *region, const struct top_row *row)
{
	json_object *object = json_object_new_object();
	char rate[32];

	snprintf(rate, sizeof(rate), "%.3f", row->rate);
	json_object_object_add(object, "region", json_text(region));
	json_object_object_add(object, "cgroup", json_text(row->path));
	json_object_object_add(object, "current", json_size(row->pool->current));
	json_object_object_add(object, "peak", json_size(row->pool->peak));
	json_object_object_add(object, "max", json_size(row->pool->max));
	json_object_object_add(object, "room", json_size(row->bound.room == DMEM_MAX ?
							 DMEM_UNKNOWN : row->bound.room));
	json_object_object_add(object, "refused", json_size(row->pool->local.max));
	json_object_object_add(object, "refused_per_second",
			       row->rate < 0 ? NULL : json_object_new_double_s(row->rate, rate));
	return object;
}

static int print_sample(struct dmemctl *ctl, const struct sample *before,
			const struct sample *now, int only)
{
	json_object *rows_json = json_object_new_array();
	json_object *whole = json_object_new_object();
	struct table *table = table_new(ctl, "pools");
	char when[40];
	struct tm tm;
	size_t i, j;

	localtime_r(&now->wall.tv_sec, &tm);
	strftime(when, sizeof(when), "%FT%T%z", &tm);
	json_object_object_add(whole, "time", json_text(when));
	json_object_object_add(whole, "pools", rows_json);
	for (i = 0; i < now->regions.count; i++) {
		const char *region = now->regions.region[i].name;
		struct top_rows rows;

		if (only >= 0 && only != (int)i)
			continue;
		top_rows_make(before, now, i, view.sort, view.reverse, &rows);
		for (j = 0; j < rows.count; j++) {
			json_object_array_add(rows_json, row_object(region, &rows.row[j]));
			fill_row(table_row(table, NULL), when, region, &rows.row[j]);
		}
		free(rows.row);
	}
	if (ctl->json) {
		table_free(table);
		return json_print(whole, true);
	}
	json_object_put(whole);
	return table_print(table);
}

static int find_region(const struct sample *sample, struct dmem_error *err)
{
	return region_name ? dmem_regions_find(&sample->regions, region_name, err) : -1;
}

static void wait_a_bit(double seconds)
{
	struct timespec left = {
		.tv_sec = seconds,
		.tv_nsec = (seconds - (long)seconds) * 1e9,
	};

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

static int run_batch(struct dmemctl *ctl, const char *path)
{
	struct sample before __cleanup(sample_free) = { 0 };
	struct dmem_error err = { "" };
	unsigned long i;

	for (i = 0; i < count; i++) {
		struct sample now;
		int only, status;

		if (i)
			wait_a_bit(view.delay);
		if (sample_take(&ctl->root, path, DMEM_READ_ALL, &now, &err)) {
			sample_free(&now);
			return fail("%s", err.text);
		}
		only = find_region(&now, &err);
		if (region_name && only < 0) {
			sample_free(&now);
			return fail("%s", err.text);
		}
		/* a blank line between two tables; headings alone need none */
		if (i && !ctl->json && !ctl->no_legend)
			putchar('\n');
		status = print_sample(ctl, &before, &now, only);
		sample_free(&before);
		before = now;
		if (status)
			return status;
	}
	return DONE;
}

/* -- the screen ------------------------------------------------------------ */

/* Returns false to quit. */
static bool press(int key, const struct sample *sample, const struct top_rows *rows)
{
	size_t regions = sample->regions.count;
	size_t page = LINES > 8 ? LINES - 8 : 1;
	enum top_sort sort = TOP_NR_SORTS;

	switch (key) {
	case 'q':
	case 'Q':
		return false;
	case 'h':
	case '?':
		view.help = !view.help;
		break;
	case ' ':
		view.paused = !view.paused;
		break;
	case 'i':
		view.reverse = !view.reverse;
		break;
	case '+':
		view.delay = view.delay * 2 > 3600 ? 3600 : view.delay * 2;
		break;
	case '-':
		view.delay = view.delay / 2 < 0.1 ? 0.1 : view.delay / 2;
		break;
	case KEY_RIGHT:
	case '\t':
		if (regions)
			view.region = (view.region + 1) % regions;
		view.first = 0;
		break;
	case KEY_LEFT:
	case KEY_BTAB:
		if (regions)
			view.region = (view.region + regions - 1) % regions;
		view.first = 0;
		break;
	case KEY_DOWN:
		view.first++;
		break;
	case KEY_UP:
		view.first -= view.first > 0;
		break;
	case KEY_NPAGE:
		view.first += page;
		break;
	case KEY_PPAGE:
		view.first -= view.first > page ? page : view.first;
		break;
	case KEY_HOME:
		view.first = 0;
		break;
	case KEY_END:
		view.first = rows->count;
		break;
	case 'c': sort = TOP_CURRENT; break;
	case 'p': sort = TOP_PEAK; break;
	case 'm': sort = TOP_MAX; break;
	case 's': sort = TOP_SHARE; break;
	case 'r': sort = TOP_RATE; break;
	case 'R': sort = TOP_REFUSED; break;
	case 'n': sort = TOP_NAME; break;
	}
	if (sort != TOP_NR_SORTS) {
		view.sort = sort;
		view.first = 0;
	}
	return true;
}

/* Keep to the region in view by its name: others come and go. */
static void follow_region(const struct sample *sample, const char *name)
{
	int index = name ? dmem_regions_index(&sample->regions, name, strlen(name)) : -1;

	if (index >= 0)
		view.region = index;
	else if (view.region >= sample->regions.count)
		view.region = 0;
}

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static int run_screen(struct dmemctl *ctl, const char *path)
{
	struct sample before __cleanup(sample_free) = { 0 };
	struct sample now __cleanup(sample_free) = { 0 };
	struct dmem_error err = { "" };
	char *name __free_string = NULL;
	int stop __close_fd = -1;
	unsigned long taken = 1;
	bool go_on = true;
	sigset_t signals;

	/* before the terminal is taken: what is wrong can be read */
	if (sample_take(&ctl->root, path, DMEM_READ_ALL, &now, &err))
		return fail("%s", err.text);
	if (region_name) {
		int index = find_region(&now, &err);

		if (index < 0)
			return fail("%s", err.text);
		view.region = index;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	stop = signalfd(-1, &signals, SFD_CLOEXEC);
	if (stop < 0)
		return fail("%s", strerror(errno));
	if (screen_begin())
		return fail("cannot draw on this terminal (TERM=%s): use --batch",
			    getenv("TERM") ?: "");

	while (go_on) {
		struct pollfd fds[] = {
			{ .fd = STDIN_FILENO, .events = POLLIN },
			{ .fd = stop, .events = POLLIN },
		};
		double left = now.seconds + view.delay - now_seconds();
		struct top_rows rows = { 0 };
		int key, wait;

		if (now.regions.count)
			top_rows_make(&before, &now, view.region, view.sort, view.reverse, &rows);
		screen_draw(ctl, &now, &rows, &view);
		wait = view.paused ? -1 : left > 0 ? (int)(left * 1000) + 1 : 0;
		/* a resize interrupts it, and is a key */
		poll(fds, 2, wait);
		if (fds[1].revents || (fds[0].revents & (POLLHUP | POLLERR)))
			go_on = false;
		while (go_on && (key = screen_key()) >= 0)
			go_on = press(key, &now, &rows);
		free(rows.row);
		if (!go_on || view.paused || now_seconds() < now.seconds + view.delay)
			continue;
		if (taken++ >= count)
			break;
		free(name);
		name = now.regions.count ?
		       dmem_strdup(now.regions.region[view.region].name) : NULL;
		sample_free(&before);
		before = now;
		if (sample_take(&ctl->root, path, DMEM_READ_ALL, &now, &err)) {
			screen_end();
			return fail("%s", err.text);
		}
		follow_region(&now, name);
	}
	screen_end();
	return DONE;
}

static int run(struct dmemctl *ctl, int argc, char **argv)
{
	char *path __free_string = NULL;
	struct dmem_error err = { "" };
	struct table *table;

	(void)argc, (void)argv;
	table = table_new(ctl, "pools");
	if (!table)
		return MISUSED;
	table_free(table);
	if (ctl->json && !batch)
		return misused(ctl->verb, "--json goes with --batch");
	if (dmem_unit_resolve(&ctl->root, where ?: "/", &path, &err))
		return fail("%s", err.text);
	if (batch)
		return run_batch(ctl, path);
	if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO))
		return misused(ctl->verb, "that is no terminal: use --batch");
	return run_screen(ctl, path);
}

const struct verb top_verb = {
	.name = "top",
	.arguments = "[UNIT or CGROUP]",
	.summary = "Live view: use, limits and refusals per second (h: keys)",
	.details =
		"A bar for each region; below it the cgroups that have, had or limit something\n"
		"of the region in view.  h shows the keys.\n",
	.takes = TAKES_TABLE,
	.options = options,
	.columns = columns,
	.nr_columns = sizeof(columns) / sizeof(columns[0]),
	.take_opt = take_opt,
	.run = run,
};
