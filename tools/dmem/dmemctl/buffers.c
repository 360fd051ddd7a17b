// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dmemctl buffers: every buffer, who is charged for it and who holds it.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "cgroup.h"
#include "dmemctl.h"
#include "memory.h"
#include "table.h"
#include "unit.h"
#include "value.h"

enum {
	COL_REGION, COL_SIZE, COL_CHARGED_TO, COL_HOLDERS, COL_DEVICES, COL_NAME,
	COL_EXPORTER, COL_INODE, COL_CGROUP_ID,
};

static const struct column columns[] = {
	[COL_REGION]     = { "REGION", "region", "what is charged" },
	[COL_SIZE]       = { "SIZE", "size", "how large it is", .right = true },
	[COL_CHARGED_TO] = { "CHARGED-TO", "cgroup",
			     "cgroup that allocated it; (removed): it is gone, or not yours to see" },
	[COL_HOLDERS]    = { "HOLDERS", "holders",
			     "name[pid]:descriptors, \"map\" for a mapping; <device> that imports it" },
	[COL_DEVICES]    = { "DEVICES", "devices", "devices that import it", .extra = true },
	[COL_NAME]       = { "NAME", "name", "name that userspace gave it", .extra = true },
	[COL_EXPORTER]   = { "EXPORTER", "exporter", "heap or driver that made it", .extra = true },
	[COL_INODE]      = { "INODE", "inode", "number that tells it from others",
			     .right = true, .extra = true },
	[COL_CGROUP_ID]  = { "CGROUP-ID", "cgroup_id", "number of the cgroup that allocated it",
			     .right = true, .extra = true },
};

enum { OPT_REGION = 'r' };

static const struct opt options[] = {
	{ OPT_REGION, "region", "REGION", "of this region (or heap) alone" },
	{ 0 },
};

static const char *region_name;
static const char *whose;

static int take_opt(struct dmemctl *ctl, int letter, const char *arg)
{
	if (letter == OPT_REGION) {
		region_name = arg;
		return 0;
	}
	if (whose)
		return misused(ctl->verb, "one process, unit or cgroup, not '%s' too", arg);
	whose = arg;
	return 0;
}

static void fill_holders(struct row *row, const struct dmem_buffer *buffer)
{
	json_object *all = json_object_new_array();
	char *text __free_string = dmem_strdup("");
	size_t i, j;

	for (i = 0; i < buffer->nr_holders; i++) {
		const struct dmem_holder *holder = &buffer->holder[i];
		json_object *object = json_object_new_object();
		json_object *fds = json_object_new_array();
		char *longer;

		longer = dmem_printf("%s%s%s[%d]:", text, i ? " " : "", holder->comm, holder->pid);
		free(text);
		text = longer;
		for (j = 0; j < holder->nr_fds; j++) {
			longer = dmem_printf("%s%s%d", text, j ? "," : "", holder->fd[j]);
			free(text);
			text = longer;
			json_object_array_add(fds, json_object_new_int(holder->fd[j]));
		}
		if (holder->mapped) {
			longer = dmem_printf("%s%smap", text, holder->nr_fds ? "," : "");
			free(text);
			text = longer;
		}
		json_object_object_add(object, "pid", json_object_new_int(holder->pid));
		json_object_object_add(object, "comm", json_text(holder->comm));
		json_object_object_add(object, "cgroup", json_text(holder->cgroup));
		json_object_object_add(object, "fds", fds);
		json_object_object_add(object, "mapped", json_object_new_boolean(holder->mapped));
		json_object_array_add(all, object);
	}
	for (i = 0; i < buffer->nr_devices; i++) {
		char *longer = dmem_printf("%s%s<%s>", text, *text ? " " : "", buffer->device[i]);

		free(text);
		text = longer;
	}
	row_json(row, COL_HOLDERS, *text ? text : "(no process)", all);
}

static void fill_row(struct row *row, const struct dmem_buffer *buffer, bool complete)
{
	size_t i;

	row_text(row, COL_REGION, buffer->region);
	row_size(row, COL_SIZE, buffer->size);
	if (buffer->cgroup)
		row_text(row, COL_CHARGED_TO, buffer->cgroup);
	else if (buffer->cgroup_id)
		row_json(row, COL_CHARGED_TO, "(removed)", NULL);
	else if (buffer->charge_known)
		row_json(row, COL_CHARGED_TO, "(no region)", NULL);
	fill_holders(row, buffer);
	row_text(row, COL_NAME, buffer->name);
	row_text(row, COL_EXPORTER, buffer->exporter);
	row_count(row, COL_INODE, buffer->ino);
	row_count(row, COL_CGROUP_ID, buffer->cgroup_id ?: DMEM_UNKNOWN);
	if (complete) {
		json_object *devices = json_object_new_array();
		char *text __free_string = NULL;

		for (i = 0; i < buffer->nr_devices; i++) {
			char *longer = dmem_printf("%s%s%s", text ?: "", text ? "," : "",
						   buffer->device[i]);

			free(text);
			text = longer;
			json_object_array_add(devices, json_text(buffer->device[i]));
		}
		row_json(row, COL_DEVICES, text, devices);
	}
}

static bool is_in(const char *path, const char *cgroup)
{
	size_t len = strlen(cgroup);

	if (!path)
		return false;
	return !cgroup[1] || (!strncmp(path, cgroup, len) && (path[len] == '/' || !path[len]));
}

/* Allocated by the cgroup or below, or held by a process there. */
static bool is_of_cgroup(const struct dmem_buffer *buffer, const char *cgroup)
{
	size_t i;

	if (is_in(buffer->cgroup, cgroup))
		return true;
	for (i = 0; i < buffer->nr_holders; i++)
		if (is_in(buffer->holder[i].cgroup, cgroup))
			return true;
	return false;
}

static bool is_of_process(const struct dmem_buffer *buffer, pid_t pid)
{
	size_t i;

	for (i = 0; i < buffer->nr_holders; i++)
		if (buffer->holder[i].pid == pid)
			return true;
	return false;
}

/* The region, then the largest first. */
static int by_region_and_size(const void *a, const void *b)
{
	const struct dmem_buffer *one = *(const struct dmem_buffer * const *)a;
	const struct dmem_buffer *other = *(const struct dmem_buffer * const *)b;
	int order;

	if (!one->region != !other->region)
		return !one->region - !other->region;
	order = one->region ? strcmp(one->region, other->region) : 0;
	if (order)
		return order;
	if (one->size != other->size)
		return one->size < other->size ? 1 : -1;
	return one->ino < other->ino ? -1 : 1;
}

static bool is_number(const char *text)
{
	return *text && !text[strspn(text, "0123456789")];
}

static void say_unavailable(const struct dmem_buffers *buffers,
			    const struct dmem_regions *regions)
{
	bool guessed = false;
	size_t i;

	for (i = 0; i < buffers->count; i++)
		guessed = guessed || !buffers->buffer[i].charge_known;
	if (guessed && !regions->discovery)
		note("this kernel does not tell who is charged for a buffer: CHARGED-TO is unknown, REGION is that of the heap of the same name");
	if (buffers->unreadable)
		note("%zu of %zu processes could not be looked into: run as root to see what they hold",
		     buffers->unreadable, buffers->processes);
	if (!buffers->complete)
		note("buffers that no process holds are not seen, nor DEVICES: cannot read /sys/kernel/debug/dma_buf/bufinfo");
}

static int run(struct dmemctl *ctl, int argc, char **argv)
{
	struct dmem_regions regions __cleanup(dmem_regions_free) = { 0 };
	struct dmem_buffers buffers __cleanup(dmem_buffers_free) = { 0 };
	const struct dmem_buffer **wanted __free_string = NULL;
	char *cgroup __free_string = NULL;
	struct dmem_error err = { "" };
	struct table *table;
	size_t count = 0, i;
	const char *region = NULL;
	int ret;

	(void)argc, (void)argv;
	table = table_new(ctl, "buffers");
	if (!table)
		return MISUSED;
	if (dmem_regions_read(&ctl->root, &regions, &err)) {
		if (region_name)
			return fail("%s", err.text);
		/* buffers are there without anybody being charged */
		note("%s", err.text);
		dmem_heaps_read(&ctl->root, &regions);
	}
	if (region_name) {
		ret = dmem_regions_find(&regions, region_name, &err);
		if (ret < 0)
			return fail("%s", err.text);
		region = regions.region[ret].name;
	}
	if (whose && !is_number(whose) &&
	    dmem_unit_resolve(&ctl->root, whose, &cgroup, &err))
		return fail("%s", err.text);
	ret = dmem_buffers_read(&ctl->root, &regions, &buffers);
	if (ret)
		return fail("cannot read %s/proc: %s", ctl->root.path, strerror(-ret));
	if (whose && is_number(whose)) {
		char *proc __free_string = dmem_printf("proc/%s", whose);
		int fd __close_fd = dmem_open_at(&ctl->root, ctl->root.fd, proc, 0);

		if (fd < 0)
			return fail("no process %s", whose);
	}

	for (i = 0; i < buffers.count; i++) {
		const struct dmem_buffer *buffer = &buffers.buffer[i];

		if (region && (!buffer->region || strcmp(buffer->region, region)))
			continue;
		if (cgroup && !is_of_cgroup(buffer, cgroup))
			continue;
		if (whose && !cgroup && !is_of_process(buffer, atoi(whose)))
			continue;
		wanted = dmem_grow(wanted, count, sizeof(*wanted));
		wanted[count++] = buffer;
	}
	if (count)
		qsort(wanted, count, sizeof(*wanted), by_region_and_size);
	for (i = 0; i < count; i++)
		fill_row(table_row(table, NULL), wanted[i], buffers.complete);
	say_unavailable(&buffers, &regions);
	return table_print(table);
}

const struct verb buffers_verb = {
	.name = "buffers",
	.arguments = "[PID, UNIT or CGROUP]",
	.summary = "Every buffer: size, region, charged cgroup, and who holds it",
	.details =
		"All buffers, those that a process holds, or those that a unit or cgroup\n"
		"allocated or holds.  A buffer is charged to who allocated it until the last\n"
		"holder lets go, whoever that is by then.  Root sees all processes.\n",
	.takes = TAKES_TABLE,
	.options = options,
	.columns = columns,
	.nr_columns = sizeof(columns) / sizeof(columns[0]),
	.take_opt = take_opt,
	.run = run,
};
