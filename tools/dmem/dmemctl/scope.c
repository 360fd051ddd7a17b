// SPDX-License-Identifier: GPL-2.0-or-later
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>

#include "cgroup.h"
#include "memory.h"

#define SYSTEMD		"org.freedesktop.systemd1"
#define MANAGER		SYSTEMD ".Manager"
#define OBJECT		"/org/freedesktop/systemd1"

/* systemd gives up on a job long before */
#define JOB_TIMEOUT_S	90

static bool has_suffix(const char *text, const char *suffix)
{
	size_t len = strlen(text), n = strlen(suffix);

	return len > n && !strcmp(text + len - n, suffix);
}

static char *with_suffix(const char *name, const char *suffix)
{
	return has_suffix(name, suffix) ? dmem_strdup(name) : dmem_printf("%s%s", name, suffix);
}

/* -- without systemd ------------------------------------------------------ */

static int begin_plain(struct dmem_root *root, const char *name, const char *slice,
		       pid_t pid, struct scope *scope, struct dmem_error *err)
{
	char *above __free_string = dmem_cgroup_path(root, slice ?: "/");
	char *dir __free_string = NULL;
	char *procs __free_string = NULL;
	char *number __free_string = dmem_printf("%d", pid);
	int fd __close_fd = -1;

	if (!above)
		return dmem_fail(err, EINVAL, "'%s': a cgroup's path has no '.' or '..'", slice);
	if (strchr(name, '/'))
		return dmem_fail(err, EINVAL, "--unit %s: a name has no '/'", name);
	scope->cgroup = dmem_printf("%s/%s", above[1] ? above : "", name);
	dir = dmem_printf("%s%s", root->cgroup, scope->cgroup);
	if (mkdirat(root->fd, dir, 0755))
		return dmem_fail(err, errno, "cannot make the cgroup /%s: %s", dir,
				 errno == ENOENT ? "there is no such --slice" : strerror(errno));
	scope->plain = true;

	procs = dmem_printf("%s/cgroup.procs", dir);
	fd = dmem_open_at(root, root->fd, procs, O_WRONLY);
	if (fd < 0)
		return dmem_fail(err, -fd, "cannot open /%s: %s", procs, strerror(-fd));
	if (write(fd, number, strlen(number)) < 0)
		return dmem_fail(err, errno, "cannot put the command into /%s: %m", procs);
	return 0;
}

/* -- with systemd --------------------------------------------------------- */

/**
 * struct job - a job that systemd was asked to do
 * @path: its object
 * @result: what came of it, NULL while it is under way
 */
struct job {
	char *path;
	char *result;
};

static int job_removed(sd_bus_message *message, void *data, sd_bus_error *error)
{
	const char *path, *unit, *result;
	struct job *job = data;
	uint32_t id;

	(void)error;
	if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) < 0)
		return 0;
	if (job->path && !strcmp(path, job->path) && !job->result)
		job->result = dmem_strdup(result);
	return 0;
}

static void bus_unref_p(sd_bus **bus)
{
	sd_bus_flush_close_unref(*bus);
}

static void message_unref_p(sd_bus_message **message)
{
	sd_bus_message_unref(*message);
}

static void error_free_p(sd_bus_error *error)
{
	sd_bus_error_free(error);
}

static void job_free_p(struct job *job)
{
	free(job->path);
	free(job->result);
}

static int start_scope(sd_bus *bus, const char *name, const char *slice, pid_t pid,
		       const char *description, sd_bus_error *error,
		       sd_bus_message **reply)
{
	sd_bus_message *call __cleanup(message_unref_p) = NULL;
	int ret;

	ret = sd_bus_message_new_method_call(bus, &call, SYSTEMD, OBJECT, MANAGER,
					     "StartTransientUnit");
	if (ret >= 0)
		ret = sd_bus_message_append(call, "ss", name, "fail");
	if (ret >= 0)
		ret = sd_bus_message_open_container(call, 'a', "(sv)");
	if (ret >= 0)
		ret = sd_bus_message_append(call, "(sv)(sv)(sv)",
					    "PIDs", "au", 1, (uint32_t)pid,
					    "Description", "s", description,
					    "CollectMode", "s", "inactive-or-failed");
	if (ret >= 0 && slice)
		ret = sd_bus_message_append(call, "(sv)", "Slice", "s", slice);
	if (ret >= 0)
		ret = sd_bus_message_close_container(call);
	if (ret >= 0)
		ret = sd_bus_message_append(call, "a(sa(sv))", 0);
	return ret < 0 ? ret : sd_bus_call(bus, call, 0, error, reply);
}

static int wait_for(sd_bus *bus, struct job *job)
{
	time_t end = time(NULL) + JOB_TIMEOUT_S;
	int ret;

	while (!job->result) {
		ret = sd_bus_process(bus, NULL);
		if (ret < 0)
			return ret;
		if (ret)
			continue;
		if (time(NULL) >= end)
			return -ETIMEDOUT;
		ret = sd_bus_wait(bus, 1000000);
		if (ret < 0 && ret != -EINTR)
			return ret;
	}
	return 0;
}

static int begin_unit(sd_bus *bus, const char *name, const char *slice, pid_t pid,
		      const char *description, struct scope *scope,
		      struct dmem_error *err)
{
	sd_bus_error error __cleanup(error_free_p) = SD_BUS_ERROR_NULL;
	sd_bus_message *reply __cleanup(message_unref_p) = NULL;
	sd_bus_message *unit __cleanup(message_unref_p) = NULL;
	struct job job __cleanup(job_free_p) = { 0 };
	char *path __free_string = NULL;
	const char *object;
	int ret;

	/* before the job begins, or its end could be missed */
	ret = sd_bus_match_signal(bus, NULL, SYSTEMD, OBJECT, MANAGER, "JobRemoved",
				  job_removed, &job);
	if (ret >= 0)
		ret = sd_bus_call_method(bus, SYSTEMD, OBJECT, MANAGER, "Subscribe",
					 &error, NULL, NULL);
	if (ret >= 0)
		ret = start_scope(bus, name, slice, pid, description, &error, &reply);
	if (ret >= 0)
		ret = sd_bus_message_read(reply, "o", &object);
	if (ret >= 0) {
		job.path = dmem_strdup(object);
		ret = wait_for(bus, &job);
	}
	if (ret < 0)
		return dmem_fail(err, -ret, "systemd does not start %s: %s", name,
				 error.message ?: strerror(-ret));
	if (strcmp(job.result, "done"))
		return dmem_fail(err, EIO, "systemd does not start %s: the job's result is '%s'",
				 name, job.result);

	ret = sd_bus_call_method(bus, SYSTEMD, OBJECT, MANAGER, "GetUnit", &error, &unit,
				 "s", name);
	if (ret >= 0)
		ret = sd_bus_message_read(unit, "o", &object);
	if (ret >= 0)
		ret = sd_bus_get_property_string(bus, SYSTEMD, object, SYSTEMD ".Scope",
						 "ControlGroup", &error, &path);
	if (ret < 0)
		return dmem_fail(err, -ret, "systemd does not tell the cgroup of %s: %s", name,
				 error.message ?: strerror(-ret));
	scope->cgroup = dmem_strdup(path);
	return 0;
}

int scope_begin(struct dmem_root *root, const char *unit, const char *slice, pid_t pid,
		const char *description, struct scope *scope, struct dmem_error *err)
{
	sd_bus *bus __cleanup(bus_unref_p) = NULL;
	char *own __free_string = dmem_printf("dmem-run-%d", getpid());
	char *name __free_string = with_suffix(unit ?: own, ".scope");
	char *full_slice __free_string = NULL;
	int ret;

	*scope = (struct scope){ 0 };
	if (sd_booted() <= 0)
		return begin_plain(root, name, slice, pid, scope, err);
	ret = geteuid() ? sd_bus_open_user(&bus) : sd_bus_open_system(&bus);
	if (ret < 0)
		return dmem_fail(err, -ret, "cannot reach the %s manager of systemd: %s",
				 geteuid() ? "user" : "system", strerror(-ret));
	full_slice = slice ? with_suffix(slice, ".slice") : NULL;
	return begin_unit(bus, name, full_slice, pid, description, scope, err);
}

int scope_end(struct dmem_root *root, struct scope *scope)
{
	char *dir __free_string = NULL;
	int tries, ret = 0;

	if (scope->plain) {
		dir = dmem_printf("%s%s", root->cgroup, scope->cgroup);
		/* the last process is waited for, but leaves its cgroup after that */
		for (tries = 0; tries < 50; tries++) {
			ret = unlinkat(root->fd, dir, AT_REMOVEDIR) ? -errno : 0;
			if (ret != -EBUSY)
				break;
			nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
		}
	}
	free(scope->cgroup);
	*scope = (struct scope){ 0 };
	return ret == -EBUSY ? ret : 0;
}
