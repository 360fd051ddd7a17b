// SPDX-License-Identifier: GPL-2.0-or-later
#include "hits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "memory.h"
#include "sample.h"
#include "tracehit.h"
#include "value.h"

#define INSTANCE	"dmemctl-"
/* a cgroup may be gone before its last hit is read: then its name was */
static const char * const enables[] = {
	"events/cgroup/cgroup_mkdir/enable", "events/cgroup/cgroup_release/enable",
	"events/dmem/dmem_limit_hit/enable",
};

/* how soon cgroups are found whose appearance nobody announces (+dmem) */
#define RESCAN_MS	1000

/* linux/exportfs.h is not for userspace: a handle that is a kernfs id */
#define FILEID_KERNFS	0xfe

/* what the kernel puts behind the path of something that was removed */
#define DELETED		" (deleted)"

/* -- the trace event ------------------------------------------------------ */

static const char * const tracefs[] = {
	"sys/kernel/tracing", "sys/kernel/debug/tracing",
};

/* Path of the cgroup that has this number, NULL if there is none any more. */
static char *path_of_id(struct dmem_root *root, uint64_t id)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + sizeof(id)];
	} named = {
		.handle = { .handle_bytes = sizeof(id), .handle_type = FILEID_KERNFS },
	};
	int top __close_fd = dmem_cgroup_open(root, "/");
	char link[64], path[4096];
	int fd __close_fd = -1;
	ssize_t len;

	memcpy(named.handle.f_handle, &id, sizeof(id));
	fd = top < 0 ? -1 : open_by_handle_at(top, &named.handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	if (len <= 0)
		return NULL;
	path[len] = '\0';
	/* a name may end so, and that of one that was removed does */
	if (len > (ssize_t)strlen(DELETED) && !strcmp(path + len - strlen(DELETED), DELETED) &&
	    access(path, F_OK))
		path[len - strlen(DELETED)] = '\0';
	return dmem_cgroup_path(root, path);
}

static int write_text(int dirfd, const char *path, const char *text)
{
	int fd __close_fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

/* Returns what the last one answers, which is the one that matters. */
static int enable_events(int instances, const char *name, const char *value)
{
	size_t i;
	int ret = 0;

	for (i = 0; i < sizeof(enables) / sizeof(enables[0]); i++) {
		char *file __free_string = dmem_printf("%s/%s", name, enables[i]);

		ret = write_text(instances, file, value);
	}
	return ret;
}

static void remove_instance(int instances, const char *name)
{
	enable_events(instances, name, "0");
	unlinkat(instances, name, AT_REMOVEDIR);
}

/* Those of earlier calls that were killed. */
static void remove_stale(int instances)
{
	int copy = fcntl(instances, F_DUPFD_CLOEXEC, 0);
	DIR *dir __close_dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		pid_t pid;

		if (strncmp(entry->d_name, INSTANCE, strlen(INSTANCE)))
			continue;
		pid = atoi(entry->d_name + strlen(INSTANCE));
		if (pid > 0 && kill(pid, 0) && errno == ESRCH)
			remove_instance(instances, entry->d_name);
	}
}

/**
 * struct trace_watch - a trace that is read
 * @root: the system
 * @pipe: the trace
 * @text: what was read, without a whole line yet
 * @len: bytes of it
 * @known: cgroups that were made since, by number
 * @nr_known: how many
 * @fn: called for each hit
 * @data: for @fn
 */
struct trace_watch {
	struct dmem_root *root;
	int pipe;
	char text[8192];
	size_t len;
	struct known {
		uint64_t id;
		char *path;
	} *known;
	size_t nr_known;
	hit_fn fn;
	void *data;
};

static size_t find_known(const struct trace_watch *watch, uint64_t id)
{
	size_t i;

	for (i = 0; i < watch->nr_known; i++)
		if (watch->known[i].id == id)
			break;
	return i;
}

static void take_cgroup(struct trace_watch *watch, const struct trace_cgroup *cgroup)
{
	size_t at = find_known(watch, cgroup->id);

	if (at < watch->nr_known) {
		free(watch->known[at].path);
		watch->known[at] = watch->known[--watch->nr_known];
	}
	if (!cgroup->made)
		return;
	watch->known = dmem_grow(watch->known, watch->nr_known, sizeof(*watch->known));
	watch->known[watch->nr_known++] = (struct known){
		cgroup->id, dmem_strdup(cgroup->path),
	};
}

static void free_watch(struct trace_watch *watch)
{
	size_t i;

	for (i = 0; i < watch->nr_known; i++)
		free(watch->known[i].path);
	free(watch->known);
}

static int take_line(struct trace_watch *watch, const char *line)
{
	struct trace_cgroup cgroup;
	char *path __free_string = NULL;
	struct trace_hit seen;
	struct hit hit;
	size_t at;

	if (trace_cgroup_parse(line, &cgroup)) {
		take_cgroup(watch, &cgroup);
		return 0;
	}
	if (!trace_hit_parse(line, &seen))
		return 0;
	path = path_of_id(watch->root, seen.cgroup_id);
	at = find_known(watch, seen.cgroup_id);
	if (!path && at < watch->nr_known)
		path = dmem_strdup(watch->known[at].path);
	hit = (struct hit){
		.region = seen.region,
		.cgroup = path,
		.cgroup_id = seen.cgroup_id,
		.count = 1,
		.bytes = seen.bytes,
		.comm = seen.comm,
		.pid = seen.pid,
	};
	return watch->fn(&hit, watch->data);
}

/* Lines may come in pieces. */
static int read_lines(struct trace_watch *watch)
{
	char *buf = watch->text;
	size_t *len = &watch->len;
	const size_t size = sizeof(watch->text);

	while (true) {
		ssize_t got = read(watch->pipe, buf + *len, size - 1 - *len);
		char *line, *newline;
		int ret;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got && errno != EAGAIN ? -errno : 0;
		*len += got;
		buf[*len] = '\0';
		for (line = buf; (newline = strchr(line, '\n')); line = newline + 1) {
			*newline = '\0';
			ret = take_line(watch, line);
			if (ret < 0)
				return ret;
		}
		*len -= line - buf;
		memmove(buf, line, *len);
		/* a line longer than that is none of ours */
		if (*len == size - 1)
			*len = 0;
	}
}

int hits_from_trace(struct dmem_root *root, int stop, hit_fn fn, void *data,
		    struct dmem_error *err)
{
	char *name __free_string = dmem_printf(INSTANCE "%d", getpid());
	char *file __free_string = NULL;
	struct trace_watch watch __cleanup(free_watch) = {
		.root = root, .fn = fn, .data = data,
	};
	int instances __close_fd = -1;
	int pipe __close_fd = -1;
	int ret = -ENOENT;
	size_t i;

	for (i = 0; i < sizeof(tracefs) / sizeof(tracefs[0]); i++) {
		char *dir __free_string = dmem_printf("%s/instances", tracefs[i]);

		instances = dmem_open_at(root, root->fd, dir, O_DIRECTORY | O_RDONLY);
		if (instances >= 0)
			break;
		/* not being allowed to says more than not being there */
		if (instances != -ENOENT)
			ret = instances;
	}
	if (instances < 0)
		return dmem_fail(err, -ret, "cannot use %s/%s/instances: %s", root->path,
				 tracefs[0], strerror(-ret));
	remove_stale(instances);
	if (mkdirat(instances, name, 0700))
		return dmem_fail(err, errno, "cannot make a trace instance: %m");

	file = dmem_printf("%s/trace_pipe", name);
	pipe = openat(instances, file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ret = pipe < 0 ? -errno : enable_events(instances, name, "1");
	watch.pipe = pipe;
	if (ret) {
		dmem_fail(err, -ret, "cannot trace dmem_limit_hit: %s", strerror(-ret));
		remove_instance(instances, name);
		return ret;
	}

	while (!ret) {
		struct pollfd fds[] = {
			{ .fd = pipe, .events = POLLIN },
			{ .fd = stop, .events = POLLIN },
		};

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			ret = -errno;
		else if (fds[0].revents)
			ret = read_lines(&watch);
		if (fds[1].revents)
			break;
	}
	/* the reader of a trace has to be gone before its instance can be */
	close(pipe);
	pipe = -1;
	remove_instance(instances, name);
	return ret;
}

/* -- the files ------------------------------------------------------------ */

static void watch_all(struct dmem_root *root, int notify, const struct dmem_cgroups *cgroups)
{
	size_t i;

	/* a second watch of the same inode is the first one again */
	for (i = 0; i < cgroups->count; i++) {
		const char *path = cgroups->cgroup[i].path;
		char *dir __free_string = dmem_printf("%s/%s%s", root->path, root->cgroup, path);
		char *file __free_string = dmem_printf("%s/dmem.events.local", dir);

		inotify_add_watch(notify, dir, IN_CREATE | IN_ONLYDIR);
		inotify_add_watch(notify, file, IN_MODIFY);
	}
}

static int tell(const struct sample *before, const struct sample *now, hit_fn fn, void *data)
{
	size_t i, j;
	int ret = 0;

	for (i = 0; i < now->cgroups.count; i++) {
		for (j = 0; j < now->regions.count; j++) {
			struct dmem_counts counts = sample_new_counts(before, now, i, j);
			struct hit hit = {
				.region = now->regions.region[j].name,
				.cgroup = now->cgroups.cgroup[i].path,
				.bytes = DMEM_UNKNOWN,
			};

			hit.count = counts.max;
			if (hit.count && (ret = fn(&hit, data)) < 0)
				return ret;
			hit.count = counts.low;
			hit.evicted = true;
			if (hit.count && (ret = fn(&hit, data)) < 0)
				return ret;
		}
	}
	return 0;
}

int hits_from_files(struct dmem_root *root, int stop, hit_fn fn, void *data,
		    struct dmem_error *err)
{
	struct sample before __cleanup(sample_free) = { 0 };
	struct sample now = { 0 };
	int notify __close_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char events[4096];
	bool counted = false;
	size_t i, j;
	int ret;

	if (notify < 0)
		return dmem_fail(err, errno, "cannot watch files: %m");
	ret = sample_take(root, "/", DMEM_READ_LOCAL, &before, err);
	if (ret)
		return ret;
	for (i = 0; i < before.cgroups.count; i++)
		for (j = 0; j < before.regions.count && before.cgroups.cgroup[i].enabled; j++)
			counted = counted ||
				  before.cgroups.cgroup[i].pool[j].local.max != DMEM_UNKNOWN;
	/* where cgroups are limited, but nobody counts, none will ever be seen */
	if (!counted && before.cgroups.count > 1 && before.cgroups.cgroup[1].enabled)
		return dmem_fail(err, EOPNOTSUPP, "this kernel does not count limit hits: there is no dmem.events.local");

	while (true) {
		struct pollfd fds[] = {
			{ .fd = notify, .events = POLLIN },
			{ .fd = stop, .events = POLLIN },
		};

		/* watched before it is read: nothing falls in between */
		watch_all(root, notify, &before.cgroups);
		ret = sample_take(root, "/", DMEM_READ_LOCAL, &now, err);
		if (!ret)
			ret = tell(&before, &now, fn, data);
		if (ret) {
			sample_free(&now);
			return ret;
		}
		sample_free(&before);
		before = now;
		if (poll(fds, 2, RESCAN_MS) < 0 && errno != EINTR)
			return dmem_fail(err, errno, "cannot wait: %m");
		if (fds[1].revents)
			return 0;
		while (read(notify, events, sizeof(events)) > 0)
			;
	}
}
