// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dmemd: the command line, the event loop, and what is said.
 */
#include "dmemd.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "cgroup.h"
#include "memory.h"
#include "value.h"

#define DONE		0
#define FAILED		1
#define MISUSED		2

/* Files come in packs, regions with a storm of uevents */
#define RELOAD_USEC	(50 * 1000ULL)
#define REFRESH_USEC	(200 * 1000ULL)
/* Whoever writes files all the time gets a fifth of a CPU of ours at most ... */
#define REST		4
/* ... and an answer by then */
#define REST_MAX_USEC	(2 * 1000 * 1000ULL)
/* A slice that does not start must not hold up the boot */
#define READY_USEC	(5 * 1000 * 1000ULL)

static bool for_journal;

void say(int level, const char *fmt, ...)
{
	char *text, *line, *rest;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		abort();
	va_end(args);
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (for_journal)
			fprintf(stderr, "<%d>%s\n", level, line);
		else
			fprintf(stderr, "dmemd: %s\n", line);
	}
	free(text);
}

/* What is wrong with a unit, for people who wait for the answer. */
static void say_now(void *userdata, const char *unit, const char *message)
{
	(void)userdata;
	say(LOG_WARNING, "%s%s%s", unit ?: "", unit ? ": " : "", message);
}

/* The same from the daemon: once, until files or regions change. */
static void say_once(void *userdata, const char *unit, const char *message)
{
	struct dmemd *d = userdata;
	size_t i;

	for (i = 0; i < d->nr_said; i++)
		if (!strcmp(d->said[i], message))
			return;
	d->said = dmem_grow(d->said, d->nr_said, sizeof(*d->said));
	d->said[d->nr_said++] = dmem_strdup(message);
	say_now(NULL, unit, message);
}

static void say_again(struct dmemd *d)
{
	while (d->nr_said)
		free(d->said[--d->nr_said]);
	free(d->said);
	d->said = NULL;
}

static void load_files(struct dmemd *d)
{
	unit_files_load("", &d->apply.files, folders_seen, say_once, d);
}

static bool same_regions(const struct dmem_regions *a, const struct dmem_regions *b)
{
	size_t i;

	if (a->count != b->count)
		return false;
	for (i = 0; i < a->count; i++)
		if (strcmp(a->region[i].name, b->region[i].name) ||
		    a->region[i].size != b->region[i].size)
			return false;
	return true;
}

/* Returns whether they are not what they were. */
static bool read_regions(struct dmemd *d)
{
	struct dmem_regions now;
	struct dmem_error err;
	bool same;

	if (dmem_regions_read(&d->apply.root, &now, &err)) {
		say_once(d, NULL, err.text);
		dmem_regions_free(&now);
		return false;
	}
	same = same_regions(&d->apply.regions, &now);
	dmem_regions_free(&d->apply.regions);
	d->apply.regions = now;
	return !same;
}

/* ---- what happens later ---- */

void dmemd_later(struct dmemd *d, sd_event_source **source, uint64_t usec,
		 sd_event_time_handler_t handler)
{
	int ret;

	if (*source)
		return;
	ret = sd_event_add_time_relative(d->event, source, CLOCK_MONOTONIC, usec, 0,
					 handler, d);
	if (ret < 0)
		say(LOG_ERR, "cannot set a timer: %s", strerror(-ret));
}

static uint64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ULL + now.tv_nsec / 1000;
}

/* Everything is looked at: it is not to be done again and again without a rest. */
static void look_at_all(struct dmemd *d, uint64_t began)
{
	tree_apply_all(d);
	d->rest_usec = REST * (now_usec() - began);
	if (d->rest_usec > REST_MAX_USEC)
		d->rest_usec = REST_MAX_USEC;
}

void dmemd_reload(struct dmemd *d)
{
	uint64_t began = now_usec();

	say_again(d);
	load_files(d);
	read_regions(d);
	look_at_all(d, began);
	manager_start_slices(d);
}

static int on_reload(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct dmemd *d = userdata;

	(void)source, (void)usec;
	d->reload = sd_event_source_unref(d->reload);
	dmemd_reload(d);
	return 0;
}

void dmemd_reload_soon(struct dmemd *d)
{
	dmemd_later(d, &d->reload, d->rest_usec > RELOAD_USEC ? d->rest_usec : RELOAD_USEC,
		    on_reload);
}

/*
 * A region that was gone for a moment only looks as it did before, but has lost its
 * limits: what is not as it was left is set again either way.
 */
static int on_refresh(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct dmemd *d = userdata;
	uint64_t began = now_usec();

	(void)source, (void)usec;
	d->refresh = sd_event_source_unref(d->refresh);
	if (read_regions(d))
		say_again(d);
	look_at_all(d, began);
	return 0;
}

void dmemd_refresh_soon(struct dmemd *d)
{
	dmemd_later(d, &d->refresh, d->rest_usec > REFRESH_USEC ? d->rest_usec : REFRESH_USEC,
		    on_refresh);
}

static void declare_ready(struct dmemd *d)
{
	d->ready = true;
	d->deadline = sd_event_source_unref(d->deadline);
	sd_notify(false, "READY=1\nSTATUS=Limits of units are kept.");
}

void dmemd_check_ready(struct dmemd *d)
{
	/* not before the first look at everything, which sets the deadline */
	if (!d->ready && d->deadline && !d->nr_wanted)
		declare_ready(d);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct dmemd *d = userdata;
	size_t i;

	(void)source, (void)usec;
	for (i = 0; i < d->nr_wanted; i++)
		say(LOG_WARNING, "%s has not started yet, going on without it", d->wanted[i]);
	declare_ready(d);
	return 0;
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info,
		     void *userdata)
{
	(void)source, (void)info;
	sd_notify(false, "RELOADING=1");
	dmemd_reload(userdata);
	sd_notify(false, "READY=1");
	return 0;
}

/* ---- modes ---- */

static int keep(struct dmemd *d)
{
	struct dmem_error err;
	sigset_t signals;
	int ret;

	for_journal = getenv("JOURNAL_STREAM") || getenv("NOTIFY_SOCKET");
	d->apply.say = say_once;
	d->apply.userdata = d;
	if (dmem_root_need_cgroup(&d->apply.root, &err)) {
		say(LOG_ERR, "%s", err.text);
		return FAILED;
	}

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);

	ret = sd_event_default(&d->event);
	if (ret >= 0)
		ret = sd_event_add_signal(d->event, NULL, SIGTERM, NULL, NULL);
	if (ret >= 0)
		ret = sd_event_add_signal(d->event, NULL, SIGINT, NULL, NULL);
	if (ret >= 0)
		ret = sd_event_add_signal(d->event, NULL, SIGHUP, on_hangup, d);
	if (ret >= 0)
		ret = sd_event_set_watchdog(d->event, true);
	if (ret >= 0)
		ret = tree_watch(d);
	if (ret >= 0)
		ret = folders_watch(d);
	if (ret < 0) {
		say(LOG_ERR, "cannot begin: %s", strerror(-ret));
		return FAILED;
	}
	/* without it limits of regions that come later wait for the next reload */
	ret = uevents_watch(d);
	if (ret < 0)
		say(LOG_WARNING, "cannot listen to uevents: %s", strerror(-ret));

	manager_connect(d);
	dmemd_reload(d);
	dmemd_later(d, &d->deadline, READY_USEC, on_deadline);
	dmemd_check_ready(d);
	ret = sd_event_loop(d->event);
	sd_notify(false, "STOPPING=1");
	manager_disconnect(d);
	if (ret < 0)
		say(LOG_ERR, "the event loop failed: %s", strerror(-ret));
	return ret < 0 ? FAILED : DONE;
}

/* The cgroup of a unit; that of this process if it is the unit's own. */
static char *find_cgroup(struct dmemd *d, const char *unit)
{
	struct dmem_text text __cleanup(dmem_text_free) = { 0 };
	char *own __free_string = NULL;
	const char *name;

	if (!dmem_read_at(&d->apply.root, d->apply.root.fd, "proc/self/cgroup", &text)) {
		own = dmem_cgroup_of(text.data);
		name = own && own[1] ? apply_unit_name(own) : NULL;
		if (name && !strcmp(name, unit))
			return dmem_strdup(own);
	}
	return tree_find(&d->apply.root, unit);
}

/* What there is to know before one unit's limits: DONE, or what to end with. */
static int prepare(struct dmemd *d, const char *unit)
{
	struct dmem_error err;

	if (!unit_type(unit)) {
		say(LOG_ERR, "'%s' is not a unit that can have limits", unit);
		return MISUSED;
	}
	load_files(d);
	if (dmem_regions_read(&d->apply.root, &d->apply.regions, &err)) {
		say(LOG_ERR, "%s", err.text);
		return FAILED;
	}
	return DONE;
}

static int apply_once(struct dmemd *d, const char *unit)
{
	char *cgroup __free_string = NULL;
	int status;

	status = prepare(d, unit);
	if (status != DONE)
		return status;
	cgroup = find_cgroup(d, unit);
	if (!cgroup) {
		say(LOG_ERR, "%s has no cgroup: is it running?", unit);
		return FAILED;
	}
	return apply_unit(&d->apply, cgroup, unit) ? FAILED : DONE;
}

static int show(struct dmemd *d, const char *unit)
{
	struct unit_wishes wishes __cleanup(unit_wishes_free) = { 0 };
	char bytes[DMEM_SIZE_TEXT];
	size_t bad, i;
	int status;

	status = prepare(d, unit);
	if (status != DONE)
		return status;
	bad = unit_files_resolve(&d->apply.files, unit, &d->apply.regions, &wishes,
				 say_now, NULL);
	for (i = 0; i < wishes.count; i++) {
		const struct unit_wish *wish = &wishes.wish[i];

		printf("%s: %s %s  (%s:%u)\n", dmem_limit_file(wish->setting.limit),
		       d->apply.regions.region[wish->setting.region].name,
		       dmem_bytes_format(bytes, sizeof(bytes), wish->setting.value),
		       wish->file->path, wish->line);
	}
	return bad || d->nr_said ? FAILED : DONE;
}

static void usage(FILE *stream)
{
	fputs("usage: dmemd [--apply UNIT | --show UNIT]\n"
	      "\n"
	      "Keeps the dmem limits that unit files and drop-ins ask for in [X-DMem], e.g.\n"
	      "/etc/systemd/system/video.slice.d/50-limit.conf:\n"
	      "\n"
	      "  [X-DMem]\n"
	      "  DeviceMemoryMax=cma/video@58000000 64M\n"
	      "\n"
	      "Without options it runs as a daemon: see dmemd.service.\n"
	      "\n"
	      "  --apply UNIT   apply the limits of a unit that is running, and end\n"
	      "  --show UNIT    say what the unit's files ask for, and where\n"
	      "  --help         this text\n"
	      "  --version      the version\n", stream);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "apply", required_argument, NULL, 'a' },
		{ "show", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	struct dmemd d = {
		.apply = { .say = say_now },
		.tree_fd = -1,
		.folders_fd = -1,
		.uevents_fd = -1,
	};
	const char *apply = NULL, *shown = NULL;
	struct dmem_error err;
	int c, status;

	d.apply.userdata = &d;
	while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
		switch (c) {
		case 'a':
			apply = optarg;
			break;
		case 's':
			shown = optarg;
			break;
		case 'h':
			usage(stdout);
			return DONE;
		case 'V':
			puts("dmemd " DMEM_VERSION);
			return DONE;
		default:
			usage(stderr);
			return MISUSED;
		}
	}
	if (optind < argc || (apply && shown)) {
		usage(stderr);
		return MISUSED;
	}

	if (dmem_root_open(&d.apply.root, NULL, &err)) {
		say(LOG_ERR, "%s", err.text);
		return FAILED;
	}
	if (apply)
		status = apply_once(&d, apply);
	else if (shown)
		status = show(&d, shown);
	else
		status = keep(&d);

	say_again(&d);
	unit_files_free(&d.apply.files);
	dmem_regions_free(&d.apply.regions);
	dmem_root_close(&d.apply.root);
	return status;
}
