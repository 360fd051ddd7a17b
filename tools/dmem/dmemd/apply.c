// SPDX-License-Identifier: GPL-2.0-or-later
#include "apply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cgroup.h"
#include "memory.h"
#include "value.h"

#define REMEMBERED	"user.dmemd"

static const char * const limit_words[DMEM_NR_LIMITS] = {
	[DMEM_LIMIT_MAX] = "max",
	[DMEM_LIMIT_LOW] = "low",
	[DMEM_LIMIT_MIN] = "min",
};

/* What a limit is that nobody has set. */
static uint64_t initial(enum dmem_limit limit)
{
	return limit == DMEM_LIMIT_MAX ? DMEM_MAX : 0;
}

static uint64_t current_value(const struct dmem_cgroup *now,
			      const struct dmem_setting *setting)
{
	const struct dmem_pool *pool = &now->pool[setting->region];

	switch (setting->limit) {
	case DMEM_LIMIT_MAX: return pool->max;
	case DMEM_LIMIT_LOW: return pool->low;
	default: return pool->min;
	}
}

const char *apply_unit_name(const char *cgroup)
{
	const char *name = strrchr(cgroup, '/') + 1;

	if (*name == '_')
		name++;
	return unit_type(name) ? name : NULL;
}

/* One job: a unit and its cgroup. */
struct job {
	struct apply *apply;
	const char *cgroup;
	const char *unit;
	int failed;
};

static void __attribute__((format(printf, 3, 4)))
fail(struct job *job, int ret, const char *fmt, ...)
{
	char *text;
	va_list args;
	int fd;

	/* a cgroup that has gone meanwhile needs no limits */
	fd = dmem_cgroup_open(&job->apply->root, job->cgroup);
	if (fd == -ENOENT || fd == -ENODEV)
		return;
	if (fd >= 0)
		close(fd);
	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		abort();
	va_end(args);
	job->apply->say(job->apply->userdata, job->unit, text);
	free(text);
	job->failed = ret ?: job->failed;
}

/* ---- what was set before ---- */

struct memory {
	struct dmem_setting *setting;
	size_t count;
};

static void free_memory(struct memory *memory)
{
	free(memory->setting);
}

static void remember(struct memory *memory, const struct dmem_setting *setting)
{
	size_t i;

	for (i = 0; i < memory->count; i++)
		if (memory->setting[i].limit == setting->limit &&
		    memory->setting[i].region == setting->region &&
		    memory->setting[i].value == setting->value)
			return;
	memory->setting = dmem_grow(memory->setting, memory->count, sizeof(*setting));
	memory->setting[memory->count++] = *setting;
}

/* An open dmem.max, or a negative errno. */
static int open_limits(const struct job *job)
{
	struct dmem_root *root = &job->apply->root;
	char *path __free_string = dmem_printf("%s%s/%s", root->cgroup, job->cgroup,
					       dmem_limit_file(DMEM_LIMIT_MAX));

	return dmem_open_at(root, root->fd, path, O_RDONLY);
}

/* Lines of "max REGION BYTES".  A region that is gone took its limits with it. */
static void recall(const struct job *job, struct memory *memory)
{
	const struct dmem_regions *regions = &job->apply->regions;
	char *text __free_string = NULL;
	int fd __close_fd = open_limits(job);
	const char *at, *line;
	ssize_t size;
	size_t len, limit;

	size = fd < 0 ? -1 : fgetxattr(fd, REMEMBERED, NULL, 0);
	if (size <= 0)
		return;
	text = dmem_grow(NULL, 0, size + 1);
	size = fgetxattr(fd, REMEMBERED, text, size);
	if (size <= 0)
		return;
	text[size] = '\0';

	for (at = text; (line = dmem_text_line(&at, &len)); ) {
		const char *name = memchr(line, ' ', len);
		const char *value = name ? memchr(name + 1, ' ', line + len - name - 1) : NULL;
		char *bytes __free_string = NULL;
		struct dmem_setting setting;

		if (!value)
			continue;
		for (limit = 0; limit < DMEM_NR_LIMITS; limit++)
			if (strlen(limit_words[limit]) == (size_t)(name - line) &&
			    !memcmp(limit_words[limit], line, name - line))
				break;
		setting.limit = limit;
		setting.region = dmem_regions_index(regions, name + 1, value - name - 1);
		bytes = dmem_strndup(value + 1, line + len - value - 1);
		if (limit < DMEM_NR_LIMITS && setting.region >= 0 &&
		    !dmem_value_parse(bytes, DMEM_UNKNOWN, &setting.value, NULL))
			remember(memory, &setting);
	}
}

static void memorize(struct job *job, const struct memory *memory)
{
	const struct dmem_regions *regions = &job->apply->regions;
	int fd __close_fd = open_limits(job);
	char *text __free_string = NULL;
	char bytes[DMEM_SIZE_TEXT];
	size_t size, i;
	FILE *stream;

	if (fd < 0)
		return;
	if (!memory->count) {
		fremovexattr(fd, REMEMBERED);
		return;
	}
	stream = open_memstream(&text, &size);
	if (!stream)
		abort();
	for (i = 0; i < memory->count; i++)
		fprintf(stream, "%s %s %s\n", limit_words[memory->setting[i].limit],
			regions->region[memory->setting[i].region].name,
			dmem_bytes_format(bytes, sizeof(bytes), memory->setting[i].value));
	fclose(stream);
	/* without it limits are kept, but not taken back after a restart */
	if (fsetxattr(fd, REMEMBERED, text, size, 0))
		fail(job, 0, "cannot remember what was set: %s: %s", REMEMBERED,
		     strerror(errno));
}

/* ---- applying ---- */

/* Enable the controller for @cgroup, or for what is in it. */
static int enable(struct job *job, bool inside)
{
	struct apply *apply = job->apply;
	struct dmem_plan plan __cleanup(dmem_plan_free) = { 0 };
	struct dmem_error err = { "" };
	struct dmem_text text __cleanup(dmem_text_free) = { 0 };
	int ret;

	if (inside) {
		char *path __free_string =
			dmem_printf("%s%s/cgroup.subtree_control", apply->root.cgroup,
				    job->cgroup);
		const char *at;

		if (!dmem_read_at(&apply->root, apply->root.fd, path, &text))
			for (at = text.data; (at = strstr(at, "dmem")); at += 4)
				if ((at == text.data || at[-1] == ' ') &&
				    strchr(" \n", at[4]))
					return 0;
		plan.cgroup = dmem_strdup(job->cgroup);
		plan.enable = dmem_grow(NULL, 0, sizeof(*plan.enable));
		plan.enable[plan.nr_enable++] = dmem_strdup(job->cgroup);
	} else {
		ret = dmem_plan_make(&apply->root, &apply->regions, job->cgroup, NULL, 0,
				     &plan, &err);
		if (ret) {
			fail(job, ret, "%s", err.text);
			return ret;
		}
	}
	ret = dmem_plan_apply(&apply->root, &apply->regions, &plan, &err);
	if (ret)
		fail(job, ret, "%s", err.text);
	return ret;
}

static int set(struct job *job, const struct dmem_setting *setting, size_t count,
	       struct dmem_error *err)
{
	struct apply *apply = job->apply;
	struct dmem_plan plan __cleanup(dmem_plan_free) = { 0 };
	int ret;

	ret = dmem_plan_make(&apply->root, &apply->regions, job->cgroup, setting, count,
			     &plan, err);
	return ret ?: dmem_plan_apply(&apply->root, &apply->regions, &plan, err);
}

/* All limits at once; if that is refused one by one, to find out which. */
static void set_wishes(struct job *job, const struct unit_wish *wish, size_t count)
{
	struct dmem_setting *setting __free_string = NULL;
	struct dmem_error err = { "" };
	size_t i;
	int ret;

	for (i = 0; i < count; i++) {
		setting = dmem_grow(setting, i, sizeof(*setting));
		setting[i] = wish[i].setting;
	}
	if (!count || !set(job, setting, count, &err))
		return;
	for (i = 0; i < count; i++) {
		ret = set(job, &setting[i], 1, &err);
		if (ret)
			fail(job, ret, "%s:%u: %s", wish[i].file->path, wish[i].line, err.text);
	}
}

static bool is_wished(const struct unit_wishes *wishes, const struct dmem_setting *setting)
{
	size_t i;

	for (i = 0; i < wishes->count; i++)
		if (wishes->wish[i].setting.limit == setting->limit &&
		    wishes->wish[i].setting.region == setting->region)
			return true;
	return false;
}

/* Limits that were set for files that no longer ask for them. */
static void take_back(struct job *job, const struct unit_wishes *wishes,
		      const struct memory *memory, const struct dmem_cgroup *now)
{
	struct dmem_error err;
	size_t i;
	int ret;

	for (i = 0; i < memory->count; i++) {
		struct dmem_setting setting = memory->setting[i];

		if (is_wished(wishes, &setting) ||
		    current_value(now, &setting) != setting.value)
			continue;
		setting.value = initial(setting.limit);
		ret = set(job, &setting, 1, &err);
		if (ret)
			fail(job, ret, "cannot take a limit back: %s", err.text);
	}
}

static void apply_limits(struct job *job, const struct unit_wishes *wishes)
{
	struct apply *apply = job->apply;
	struct memory before __cleanup(free_memory) = { 0 };
	struct memory during __cleanup(free_memory) = { 0 };
	struct memory after __cleanup(free_memory) = { 0 };
	struct unit_wish *changed __free_string = NULL;
	size_t nr_changed = 0, i;
	struct dmem_cgroup now;
	bool same;

	if (dmem_cgroup_read(&apply->root, &apply->regions, job->cgroup,
			     DMEM_READ_MAX | DMEM_READ_LOW | DMEM_READ_MIN, &now))
		return;
	recall(job, &before);
	for (i = 0; i < before.count; i++)
		remember(&during, &before.setting[i]);
	for (i = 0; i < wishes->count; i++) {
		const struct unit_wish *wish = &wishes->wish[i];

		remember(&after, &wish->setting);
		remember(&during, &wish->setting);
		if (current_value(&now, &wish->setting) == wish->setting.value)
			continue;
		changed = dmem_grow(changed, nr_changed, sizeof(*changed));
		changed[nr_changed++] = *wish;
	}

	/* written down first: who is killed in between finds out what may be his */
	same = before.count == during.count;
	if (!same)
		memorize(job, &during);
	set_wishes(job, changed, nr_changed);
	take_back(job, wishes, &before, &now);
	if (during.count != after.count)
		memorize(job, &after);
	dmem_cgroup_free(&now);
}

int apply_unit(struct apply *apply, const char *cgroup, const char *unit)
{
	struct unit_wishes wishes __cleanup(unit_wishes_free) = { 0 };
	struct job job = { apply, cgroup, unit, 0 };

	if (unit_files_resolve(&apply->files, unit, &apply->regions, &wishes,
			       apply->say, apply->userdata))
		job.failed = -EINVAL;
	if (!wishes.count && !wishes.accounting) {
		int fd = open_limits(&job);

		/* it may have had some */
		if (fd >= 0) {
			close(fd);
			apply_limits(&job, &wishes);
		}
		return job.failed;
	}
	/* the root is limited by what there is */
	if (!cgroup[1]) {
		fail(&job, -EINVAL, "the root of all cgroups takes no limits");
		return job.failed;
	}
	if (enable(&job, false))
		return job.failed;
	apply_limits(&job, &wishes);
	if (!strcmp(unit_type(unit), "slice"))
		enable(&job, true);
	return job.failed;
}
