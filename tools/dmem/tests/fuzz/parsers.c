// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer: whatever a file, a name or a command line holds, parsers neither crash
 * nor break their word.  The first byte says which parser the rest is for.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "cgroup.h"
#include "dmemfile.h"
#include "limit.h"
#include "memory.h"
#include "persist.h"
#include "root.h"
#include "text.h"
#include "tracehit.h"
#include "value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define promise(condition) do {						\
	if (!(condition)) {						\
		fprintf(stderr, "%s:%d: broken: %s\n", __FILE__,	\
			__LINE__, #condition);				\
		abort();						\
	}								\
} while (0)

/* What is read can be written and read again, and a share is at most the whole. */
static void value(const char *text)
{
	const uint64_t capacity = 64 << 20;
	struct dmem_error err = { "" };
	char buf[DMEM_SIZE_TEXT];
	uint64_t value, again;

	if (dmem_value_parse(text, capacity, &value, &err)) {
		promise(*err.text);
		return;
	}
	promise(value != DMEM_UNKNOWN);
	promise(text[strlen(text) - 1] != '%' || value <= capacity);
	promise(!dmem_value_parse(dmem_bytes_format(buf, sizeof(buf), value), capacity, &again, &err));
	promise(again == value);
	/* people see it rounded down, by less than a tenth of the unit */
	dmem_size_format(buf, sizeof(buf), value);
	if (value >= 1024 && value != DMEM_MAX) {
		promise(!dmem_value_parse(buf, capacity, &again, &err));
		promise(again <= value && value - again <= value / 9);
	}
}

/* Names are words of the text; nothing is found twice. */
static void dmem_files(const char *text)
{
	const char *at, *last;
	struct dmem_counts counts;
	struct dmem_name name;
	uint64_t value;

	for (at = last = text; dmem_file_value(&at, &name, &value); last = at) {
		promise(at > last && name.len);
		promise(name.text >= last && name.text + name.len <= at);
		promise(!memchr(name.text, ' ', name.len) && !memchr(name.text, '\n', name.len));
	}
	for (at = last = text; dmem_file_counts(&at, &name, &counts); last = at) {
		promise(at > last && name.len);
		promise(counts.max != DMEM_UNKNOWN || counts.low != DMEM_UNKNOWN);
	}
}

static void mounts(const char *text)
{
	char *path __free_string = dmem_mountinfo_cgroup(text);
	char *cgroup __free_string = dmem_cgroup_of(text);

	promise(!path || *path);
	promise(!cgroup || *cgroup == '/');
}

/* A path never leaves the mount point. */
static void paths(const char *text)
{
	struct dmem_root root = { .fd = -1, .cgroup = (char *)"sys/fs/cgroup" };
	char *path __free_string = dmem_cgroup_path(&root, text);
	char *again __free_string = NULL;

	if (!path)
		return;
	promise(*path == '/' && !strstr(path, "//") && !strstr(path, "/../"));
	promise(!path[1] || path[strlen(path) - 1] != '/');
	promise(strlen(path) < 3 || strcmp(path + strlen(path) - 3, "/.."));
	again = dmem_cgroup_path(&root, path);
	/* but for a cgroup that is called like the mount point itself */
	promise(strstr(path, "/sys/fs/cgroup") || (again && !strcmp(again, path)));
}

/* A name, whatever it is, does not change what the kernel says. */
static void fdinfo_name(const char *name)
{
	static const char charged[] =
		"dmem_region:\tcma/x\ndmem_cgroup_id:\t7\ndmem_cgroup:\t/real\n";
	char *text __free_string =
		dmem_printf("pos:\t0\nino:\t5\nsize:\t4096\ncount:\t1\nexp_name:\theap\n%s%s%s%s",
			    *name ? "name:\t" : "", name, *name ? "\n" : "", charged);
	struct dmem_buffers buffers = { 0 };

	buffers.buffer = dmem_grow(NULL, 0, sizeof(*buffers.buffer));
	buffers.count = 1;
	promise(dmem_fdinfo_parse(text, name, buffers.buffer));
	promise(buffers.buffer->ino == 5 && buffers.buffer->size == 4096);
	promise(!strcmp(buffers.buffer->exporter, "heap"));
	promise(!strcmp(buffers.buffer->region, "cma/x"));
	promise(!strcmp(buffers.buffer->cgroup, "/real") && buffers.buffer->cgroup_id == 7);
	dmem_buffers_free(&buffers);

	/* one that is not charged: the kernel says nothing after the name */
	text[strlen(text) - strlen(charged)] = '\0';
	buffers.buffer = dmem_grow(NULL, 0, sizeof(*buffers.buffer));
	buffers.count = 1;
	promise(dmem_fdinfo_parse(text, name, buffers.buffer));
	promise(!buffers.buffer->region && !buffers.buffer->cgroup && !buffers.buffer->cgroup_id);
	dmem_buffers_free(&buffers);
}

static void buffers(const char *text)
{
	struct dmem_buffers all = { 0 };
	const char *at = text;
	uint64_t ino;
	size_t i;

	while (dmem_maps_next(&at, &ino))
		;
	dmem_bufinfo_parse(text, &all);
	for (i = 1; i < all.count; i++)
		promise(all.buffer[i - 1].ino < all.buffer[i].ino);
	dmem_buffers_free(&all);

	all.buffer = dmem_grow(NULL, 0, sizeof(*all.buffer));
	all.count = 1;
	dmem_fdinfo_parse(text, "name", all.buffer);
	dmem_buffers_free(&all);
}

static void trace(const char *text)
{
	struct trace_cgroup cgroup;
	struct trace_hit hit;
	bool is_hit = trace_hit_parse(text, &hit);
	bool is_cgroup = trace_cgroup_parse(text, &cgroup);

	promise(!is_hit || !is_cgroup);
	promise(!is_hit || (*hit.region && strlen(hit.comm) < sizeof(hit.comm)));
	promise(!is_cgroup || *cgroup.path == '/');
}

/* Writing the same limits twice is writing them once. */
static void drop_in(const char *text)
{
	static const struct persist_line line[] = {
		{ DMEM_LIMIT_MAX, "cma/video", "25%" }, { DMEM_LIMIT_LOW, "cma/video", "1M" },
	};
	char *once __free_string = persist_merge(text, line, 2);
	char *twice __free_string = persist_merge(once, line, 2);

	promise(!strcmp(once, twice));
	promise(strstr(once, "DeviceMemoryMax=cma/video 25%\n"));
}

static void setting(const char *text)
{
	static struct dmem_region region[] = {
		{ .name = (char *)"cma/a", .size = 1 << 20 },
		{ .name = (char *)"cma/b=c", .size = DMEM_UNKNOWN },
	};
	static const struct dmem_regions regions = { .region = region, .count = 2 };
	struct dmem_error err = { "" };
	struct dmem_setting setting = { .region = -1 };

	if (dmem_setting_parse(&regions, DMEM_LIMIT_LOW, text, &setting, &err))
		promise(*err.text);
	else
		promise(setting.region == 0 || setting.region == 1);
}

static void names(const char *text)
{
	char *safe __free_string = printable(text);
	char *valid __free_string = utf8(text);
	char *again __free_string = utf8(valid);
	const char *p;

	for (p = safe; *p; p++)
		promise((unsigned char)*p >= 0x20 && *p != 0x7f);
	promise(!strcmp(again, valid));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (* const parsers[])(const char *) = {
		value, dmem_files, mounts, paths, fdinfo_name, buffers, trace, drop_in,
		setting, names,
	};
	char *text;

	/* a file with a NUL in it is refused before it comes here */
	if (!size || memchr(data + 1, '\0', size - 1))
		return 0;
	text = malloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	parsers[data[0] % (sizeof(parsers) / sizeof(parsers[0]))](text);
	free(text);
	return 0;
}
