// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Cgroups that appear.
 *
 * mkdir() and rmdir() in the cgroup file system are seen by inotify as anywhere
 * else.  Units are children of slices, so only the folders of slices are watched.
 */
#include "dmemd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <syslog.h>
#include <unistd.h>

#include "cgroup.h"
#include "memory.h"

static void drain(struct dmemd *d);

static bool is_slice(const char *unit)
{
	return !strcmp(unit_type(unit), "slice");
}

/* Names of the directories in a cgroup. */
static size_t children(struct dmem_root *root, const char *path, char ***names)
{
	struct dirent *entry;
	size_t count = 0;
	DIR *dir;
	int fd;

	*names = NULL;
	fd = dmem_cgroup_open(root, path);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		*names = dmem_grow(*names, count, sizeof(**names));
		(*names)[count++] = dmem_strdup(entry->d_name);
	}
	closedir(dir);
	return count;
}

static char *child_path(const char *parent, const char *name)
{
	return dmem_printf("%s/%s", parent[1] ? parent : "", name);
}

static void add_watch(struct dmemd *d, const char *path)
{
	char *full __free_string = dmem_printf("/%s%s", d->apply.root.cgroup, path);
	size_t i;
	int wd;

	wd = inotify_add_watch(d->tree_fd, full,
			       IN_CREATE | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK);
	if (wd < 0) {
		if (errno != ENOENT)
			say(LOG_ERR, "%s cannot be watched, units that start there get no limits: %m",
			    full);
		return;
	}
	for (i = 0; i < d->nr_slices; i++)
		if (d->slice[i].wd == wd)
			return;
	d->slice = dmem_grow(d->slice, d->nr_slices, sizeof(*d->slice));
	d->slice[d->nr_slices++] = (struct slice_watch){ wd, dmem_strdup(path) };
}

static void drop_watch(struct dmemd *d, int wd)
{
	size_t i;

	for (i = 0; i < d->nr_slices; i++) {
		if (d->slice[i].wd != wd)
			continue;
		free(d->slice[i].path);
		d->slice[i] = d->slice[--d->nr_slices];
		return;
	}
}

/* A cgroup is there; slices with all that is in them. */
static void appeared(struct dmemd *d, const char *path)
{
	const char *unit = path[1] ? apply_unit_name(path) : "-.slice";
	char **names;
	size_t count, i;

	if (!unit)
		return;
	apply_unit(&d->apply, path, unit);
	if (!is_slice(unit))
		return;
	manager_seen(d, unit);
	/* first the watch, then the look: nothing can come in between */
	add_watch(d, path);
	count = children(&d->apply.root, path, &names);
	for (i = 0; i < count; i++) {
		char *child __free_string = child_path(path, names[i]);

		appeared(d, child);
		free(names[i]);
	}
	free(names);
}

static int on_tree(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void)source, (void)fd, (void)revents;
	drain(userdata);
	return 0;
}

static void drain(struct dmemd *d)
{
	char buf[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	const struct inotify_event *event;
	ssize_t len;
	char *at;
	size_t i;

	while ((len = read(d->tree_fd, buf, sizeof(buf))) > 0) {
		for (at = buf; at < buf + len; at += sizeof(*event) + event->len) {
			event = (const struct inotify_event *)at;
			if (event->mask & IN_Q_OVERFLOW) {
				d->overflow = true;
				continue;
			}
			if (event->mask & IN_IGNORED) {
				drop_watch(d, event->wd);
				continue;
			}
			if (!(event->mask & IN_ISDIR))
				continue;
			for (i = 0; i < d->nr_slices; i++) {
				char *child __free_string = NULL;

				if (d->slice[i].wd != event->wd)
					continue;
				child = child_path(d->slice[i].path, event->name);
				appeared(d, child);
				break;
			}
		}
	}
	if (d->overflow) {
		d->overflow = false;
		say(LOG_NOTICE, "too many cgroups at a time, looking at all of them");
		dmemd_reload_soon(d);
	}
	dmemd_check_ready(d);
}

void tree_apply_all(struct dmemd *d)
{
	appeared(d, "/");
	drain(d);
}

int tree_watch(struct dmemd *d)
{
	sd_event_source *source;
	int ret;

	d->tree_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (d->tree_fd < 0)
		return -errno;
	ret = sd_event_add_io(d->event, &source, d->tree_fd, EPOLLIN, on_tree, d);
	if (ret < 0)
		return ret;
	/* a unit is about to run: everything else can wait */
	sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IMPORTANT);
	sd_event_source_set_floating(source, true);
	sd_event_source_unref(source);
	return 0;
}

static char *find_below(struct dmem_root *root, const char *path, const char *unit)
{
	char **names, *found = NULL;
	size_t count, i;

	count = children(root, path, &names);
	for (i = 0; i < count; i++) {
		char *child = child_path(path, names[i]);
		const char *name = apply_unit_name(child);

		if (!found && name && !strcmp(name, unit))
			found = dmem_strdup(child);
		else if (!found && name && is_slice(name))
			found = find_below(root, child, unit);
		free(child);
		free(names[i]);
	}
	free(names);
	return found;
}

char *tree_find(struct dmem_root *root, const char *unit)
{
	return find_below(root, "/", unit);
}
