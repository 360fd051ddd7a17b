// SPDX-License-Identifier: GPL-2.0-or-later
#include "limit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "memory.h"
#include "value.h"

static const struct {
	const char *file;
	unsigned int field;
	uint64_t initial;
} limits[DMEM_NR_LIMITS] = {
	[DMEM_LIMIT_MAX] = { "dmem.max", DMEM_READ_MAX, DMEM_MAX },
	[DMEM_LIMIT_LOW] = { "dmem.low", DMEM_READ_LOW, 0 },
	[DMEM_LIMIT_MIN] = { "dmem.min", DMEM_READ_MIN, 0 },
};

const char *dmem_limit_file(enum dmem_limit limit)
{
	return limits[limit].file;
}

int dmem_setting_parse(const struct dmem_regions *regions, enum dmem_limit limit,
		       const char *text, struct dmem_setting *setting,
		       struct dmem_error *err)
{
	/* a name may have a "=" in it, a value does not */
	const char *equals = strrchr(text, '=');
	char *name __free_string = NULL;
	struct dmem_error why;
	uint64_t capacity;
	int index, ret;

	if (!equals || equals == text)
		return dmem_fail(err, EINVAL, "'%s' is not REGION=VALUE", text);
	name = dmem_strndup(text, equals - text);
	index = dmem_regions_find(regions, name, err);
	if (index < 0)
		return index;
	capacity = regions->region[index].size;
	ret = dmem_value_parse(equals + 1, capacity, &setting->value, &why);
	if (ret)
		return dmem_fail(err, -ret, "%s: %s", regions->region[index].name,
				 why.text);
	setting->limit = limit;
	setting->region = index;
	return 0;
}

static uint64_t old_value(const struct dmem_pool *pool, enum dmem_limit limit)
{
	switch (limit) {
	case DMEM_LIMIT_MAX: return pool->max;
	case DMEM_LIMIT_LOW: return pool->low;
	default: return pool->min;
	}
}

static bool has_dmem(const char *list)
{
	while (*list) {
		size_t len = strcspn(list, " \n");

		if (len == 4 && !memcmp(list, "dmem", 4))
			return true;
		list += len;
		list += strspn(list, " \n");
	}
	return false;
}

/* Those of @cgroup's ancestors that do not enable dmem for their children. */
static int plan_enable(struct dmem_root *root, struct dmem_plan *plan,
		       struct dmem_error *err)
{
	struct dmem_text text __cleanup(dmem_text_free) = { 0 };
	const char *slash = plan->cgroup;
	int ret;

	while (slash) {
		char *above __free_string = NULL;
		char *file __free_string = NULL;

		above = dmem_strndup(plan->cgroup, slash - plan->cgroup);
		file = dmem_printf("%s%s/cgroup.subtree_control", root->cgroup, above);
		ret = dmem_read_at(root, root->fd, file, &text);
		if (ret)
			return dmem_fail(err, -ret, "cannot read %s/%s: %s",
					 root->path, file, strerror(-ret));
		if (!has_dmem(text.data)) {
			plan->enable = dmem_grow(plan->enable, plan->nr_enable,
						 sizeof(*plan->enable));
			plan->enable[plan->nr_enable++] = dmem_strdup(above);
		}
		slash = strchr(slash + 1, '/');
	}
	return 0;
}

int dmem_plan_make(struct dmem_root *root, const struct dmem_regions *regions,
		   const char *cgroup, const struct dmem_setting *setting,
		   size_t count, struct dmem_plan *plan, struct dmem_error *err)
{
	struct dmem_cgroup now;
	enum dmem_limit limit;
	size_t i, j;
	int ret;

	*plan = (struct dmem_plan){ .cgroup = dmem_strdup(cgroup) };
	ret = dmem_root_need_cgroup(root, err);
	if (ret)
		return ret;
	if (!cgroup[1])
		return dmem_fail(err, EINVAL,
				 "the root cgroup has no limits: everything is in it");

	ret = dmem_cgroup_read(root, regions, cgroup, DMEM_READ_ALL, &now);
	if (ret)
		return dmem_fail(err, -ret, "no cgroup %s: %s/%s%s: %s", cgroup,
				 root->path, root->cgroup, cgroup, strerror(-ret));
	for (limit = 0; limit < DMEM_NR_LIMITS; limit++) {
		for (i = 0; i < count; i++) {
			struct dmem_change *change;
			uint64_t old;

			if (setting[i].limit != limit)
				continue;
			for (j = 0; j < plan->nr_changes; j++) {
				const struct dmem_setting *other = &plan->change[j].setting;

				if (other->limit == limit && other->region == setting[i].region)
					break;
			}
			if (j < plan->nr_changes) {
				ret = dmem_fail(err, EEXIST, "%s is given twice for %s",
						limits[limit].file,
						regions->region[setting[i].region].name);
				goto out;
			}
			plan->change = dmem_grow(plan->change, plan->nr_changes,
						 sizeof(*plan->change));
			change = &plan->change[plan->nr_changes++];
			change->setting = setting[i];
			old = old_value(&now.pool[setting[i].region], limit);
			change->old = old == DMEM_UNKNOWN ? limits[limit].initial : old;
		}
	}

	/*
	 * dmem.events is of the kernel that takes several lines.  What is not
	 * enabled yet cannot be asked: one line a time is right everywhere.
	 */
	for (i = 0; i < regions->count; i++)
		if (now.pool[i].events.max != DMEM_UNKNOWN)
			plan->at_once = true;
	ret = plan_enable(root, plan, err);
out:
	dmem_cgroup_free(&now);
	return ret;
}

/* One write: cgroup files take nothing in two. */
static int write_file(struct dmem_root *root, const char *cgroup, const char *name,
		      const char *text)
{
	char *path __free_string = dmem_printf("%s%s/%s", root->cgroup, cgroup, name);
	int fd __close_fd = dmem_open_at(root, root->fd, path, O_WRONLY | O_TRUNC);
	ssize_t done;

	if (fd < 0)
		return fd;
	do {
		done = write(fd, text, strlen(text));
	} while (done < 0 && errno == EINTR);
	if (done < 0)
		return -errno;
	return (size_t)done == strlen(text) ? 0 : -EIO;
}

static const char *why_not_enabled(int error)
{
	switch (error) {
	case EBUSY:
		return "it has processes of its own, which a cgroup that controls its children may not have: move them into a child";
	case ENOENT:
		return "the controller is not available there, or the cgroup has just been removed";
	case EOPNOTSUPP:
		return "it is a threaded cgroup";
	case EACCES:
	case EPERM:
		return "only root, and whom the cgroup is delegated to, may do that";
	case EROFS:
		return "the cgroup file system is mounted read-only, as in a container";
	default:
		return strerror(error);
	}
}

static const char *why_not_set(int error)
{
	switch (error) {
	case ENODEV:
		return "the region, or the cgroup, has just gone away";
	case ENOENT:
		return "no such file: the cgroup has just been removed, or lost the dmem controller";
	case EACCES:
	case EPERM:
		return "only root, and whom the cgroup is delegated to, may do that";
	case EROFS:
		return "the cgroup file system is mounted read-only, as in a container";
	case ERANGE:
		return "the kernel cannot count that far";
	default:
		return strerror(error);
	}
}

static char *limit_line(const struct dmem_regions *regions,
			const struct dmem_change *change, uint64_t value)
{
	char bytes[DMEM_SIZE_TEXT];

	return dmem_printf("%s %s\n", regions->region[change->setting.region].name,
			   dmem_bytes_format(bytes, sizeof(bytes), value));
}

/* Put @done changes and @enabled cgroups back, latest first. */
static void take_back(struct dmem_root *root, const struct dmem_regions *regions,
		      const struct dmem_plan *plan, size_t done, size_t enabled,
		      struct dmem_error *err)
{
	int ret;

	while (done--) {
		const struct dmem_change *change = &plan->change[done];
		char *line __free_string = limit_line(regions, change, change->old);
		const char *file = limits[change->setting.limit].file;

		ret = write_file(root, plan->cgroup, file, line);
		if (ret)
			dmem_error_add(err, "\nand it could not be undone: %s/%s%s/%s: writing '%.*s': %s",
				       root->path, root->cgroup, plan->cgroup, file,
				       (int)strcspn(line, "\n"), line, strerror(-ret));
	}
	while (enabled--) {
		/* whoever relies on it since then keeps it: that is EBUSY */
		ret = write_file(root, plan->enable[enabled],
				 "cgroup.subtree_control", "-dmem");
		if (ret)
			dmem_error_add(err, "\nand dmem stays enabled below %s/%s%s: %s",
				       root->path, root->cgroup, plan->enable[enabled],
				       strerror(-ret));
	}
}

/* The changes from @first on that go into one write. */
static size_t batch(const struct dmem_plan *plan, size_t first)
{
	size_t end = first + 1;

	while (plan->at_once && end < plan->nr_changes &&
	       plan->change[end].setting.limit == plan->change[first].setting.limit)
		end++;
	return end;
}

int dmem_plan_apply(struct dmem_root *root, const struct dmem_regions *regions,
		    const struct dmem_plan *plan, struct dmem_error *err)
{
	size_t enabled, done, end, i;
	int ret;

	for (enabled = 0; enabled < plan->nr_enable; enabled++) {
		const char *cgroup = plan->enable[enabled];

		ret = write_file(root, cgroup, "cgroup.subtree_control", "+dmem");
		if (ret) {
			dmem_fail(err, -ret,
				  "cannot enable the controller: %s/%s%s/cgroup.subtree_control: writing '+dmem': %s",
				  root->path, root->cgroup, cgroup, why_not_enabled(-ret));
			take_back(root, regions, plan, 0, enabled, err);
			return ret;
		}
	}

	for (done = 0; done < plan->nr_changes; done = end) {
		const char *file = limits[plan->change[done].setting.limit].file;
		char *lines __free_string = dmem_strdup("");

		end = batch(plan, done);
		for (i = done; i < end; i++) {
			char *line __free_string =
				limit_line(regions, &plan->change[i],
					   plan->change[i].setting.value);
			char *longer = dmem_printf("%s%s", lines, line);

			free(lines);
			lines = longer;
		}
		ret = write_file(root, plan->cgroup, file, lines);
		if (ret) {
			/* the lines on one line of the message */
			lines[strlen(lines) - 1] = '\0';
			for (i = 0; lines[i]; i++)
				if (lines[i] == '\n')
					lines[i] = ',';
			dmem_fail(err, -ret, "cannot set a limit: %s/%s%s/%s: writing '%s': %s",
				  root->path, root->cgroup, plan->cgroup, file, lines,
				  why_not_set(-ret));
			take_back(root, regions, plan, done, enabled, err);
			return ret;
		}
	}
	return 0;
}

void dmem_plan_free(struct dmem_plan *plan)
{
	size_t i;

	for (i = 0; i < plan->nr_enable; i++)
		free(plan->enable[i]);
	free(plan->enable);
	free(plan->change);
	free(plan->cgroup);
	*plan = (struct dmem_plan){ 0 };
}
