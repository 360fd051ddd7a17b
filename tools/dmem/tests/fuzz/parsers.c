// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer: whatever a file, a name or a command line holds, parsers neither crash
 * nor break their word.  The first byte says which parser the rest is for.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buffer.h"
#include "cgroup.h"
#include "dmemfile.h"
#include "limit.h"
#include "memory.h"
#include "persist.h"
#include "root.h"
#include "text.h"
#include "tracehit.h"
#include "unitfile.h"
#include "value.h"

/* its parser is its own */
#include "uevents.c"

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

static struct dmem_region region[] = {
	{ .name = (char *)"cma/a", .size = 1 << 20 },
	{ .name = (char *)"cma/b=c", .size = DMEM_UNKNOWN },
};
static const struct dmem_regions regions = { .region = region, .count = 2 };

static void setting(const char *text)
{
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

/* ---- what dmemd reads ---- */

#define UNIT		"f.service"
#define FOLDER		"/etc/systemd/system"
#define UNIT_FILE	FOLDER "/" UNIT
#define DROP_INS	FOLDER "/" UNIT ".d"
#define DROP_IN		DROP_INS "/50.conf"

static char *root;

static char *in_root(const char *path)
{
	return dmem_printf("%s%s", root, path);
}

static void remove_root(void)
{
	static const char * const made[] = {
		DROP_IN, UNIT_FILE, DROP_INS, FOLDER, "/etc/systemd", "/etc", "",
	};
	size_t i;

	for (i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		char *path __free_string = in_root(made[i]);

		remove(path);
	}
	free(root);
}

/* One file under both names, so that it is written once for each input. */
static int make_root(void)
{
	static const char * const folders[] = {
		"/etc", "/etc/systemd", FOLDER, DROP_INS,
	};
	const char *tmp = getenv("TMPDIR");
	char *unit_file __free_string = NULL;
	char *drop_in __free_string = NULL;
	size_t i;
	int fd;

	if (!tmp)
		tmp = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";
	root = dmem_printf("%s/dmem-fuzz-XXXXXX", tmp);
	promise(mkdtemp(root));
	atexit(remove_root);
	for (i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char *path __free_string = in_root(folders[i]);

		promise(!mkdir(path, 0700));
	}
	unit_file = in_root(UNIT_FILE);
	drop_in = in_root(DROP_IN);
	fd = open(unit_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	promise(fd >= 0 && !link(unit_file, drop_in));
	return fd;
}

/**
 * struct answer - what the files come to
 * @wishes: the limits; their files are those of the last answer
 * @lines: lines in each file
 * @said: lines that something was said about
 * @count: how many
 * @loaded: so many of them while loading
 */
struct answer {
	struct unit_wishes wishes;
	unsigned int lines;
	unsigned int *said;
	size_t count;
	size_t loaded;
};

/* A message names the file and a line that it has. */
static void hear(void *userdata, const char *unit, const char *message)
{
	struct answer *answer = userdata;
	const char *path = strncmp(message, DROP_INS, strlen(DROP_INS)) ? UNIT_FILE : DROP_IN;
	unsigned long line;
	char *end;

	promise(!strcmp(unit, UNIT));
	promise(!strncmp(message, path, strlen(path)) && message[strlen(path)] == ':');
	line = strtoul(message + strlen(path) + 1, &end, 10);
	promise(line && line <= answer->lines);
	promise(!strncmp(end, ": ", 2) && end[2]);
	answer->said = dmem_grow(answer->said, answer->count, sizeof(*answer->said));
	answer->said[answer->count++] = line;
}

/* A wish has a line that asks for it; of two files that say the same, in the last. */
static void check_wish(const struct unit_files *files, const struct unit_wish *wish)
{
	const struct dmem_setting *setting = &wish->setting;
	const struct unit_line *line = NULL;
	size_t i;

	promise(setting->region == 0 || setting->region == 1);
	promise(wish->file >= files->file && wish->file < files->file + files->count);
	promise(wish->file->dropin);
	for (i = 0; i < wish->file->count; i++)
		if (wish->file->line[i].line == wish->line)
			line = &wish->file->line[i];
	promise(line && line->limit == setting->limit && line->limit < DMEM_NR_LIMITS);
	promise(line->value && setting->value != DMEM_UNKNOWN);
	promise(!line->region || !strcmp(line->region, region[setting->region].name));
	promise(!strchr(line->value, '%') || setting->value <= region[setting->region].size);
}

static void check_lines(const struct unit_files *files, unsigned int lines)
{
	const struct unit_file *one = &files->file[0], *other = &files->file[1];
	size_t i;

	promise(files->count == 2 && !files->nr_aliases);
	promise(!strcmp(one->path, UNIT_FILE) && !strcmp(other->path, DROP_IN));
	promise(one->count == other->count);
	promise(unit_files_asked(files, UNIT) == !!one->count);
	for (i = 0; i < one->count; i++) {
		const struct unit_line *line = &one->line[i], *same = &other->line[i];

		promise(line->line > (i ? line[-1].line : 0) && line->line <= lines);
		promise(line->line == same->line && line->limit == same->limit);
		promise(!line->region == !same->region && !line->value == !same->value);
		promise(!line->region || !strcmp(line->region, same->region));
		promise(!line->value || !strcmp(line->value, same->value));
	}
}

static void ask(struct unit_files *files, unsigned int lines, struct answer *answer)
{
	const struct unit_wish *wish;
	size_t bad, i, j;

	*answer = (struct answer){ .lines = lines };
	unit_files_load(root, files, NULL, hear, answer);
	answer->loaded = answer->count;
	check_lines(files, lines);

	bad = unit_files_resolve(files, UNIT, &regions, &answer->wishes, hear, answer);
	promise(answer->count == answer->loaded + bad);
	wish = answer->wishes.wish;
	for (i = 0; i < answer->wishes.count; i++) {
		check_wish(files, &wish[i]);
		for (j = 0; j < i; j++)
			promise(wish[i].setting.limit != wish[j].setting.limit ||
				wish[i].setting.region != wish[j].setting.region);
	}
}

/* The answers are the same but for so many lines before all others. */
static void check_same(const struct answer *one, const struct answer *other,
		       unsigned int more)
{
	size_t i;

	promise(one->wishes.accounting == other->wishes.accounting);
	promise(one->wishes.count == other->wishes.count);
	for (i = 0; i < one->wishes.count; i++) {
		const struct unit_wish *a = &one->wishes.wish[i];
		const struct unit_wish *b = &other->wishes.wish[i];

		promise(a->setting.limit == b->setting.limit);
		promise(a->setting.region == b->setting.region);
		promise(a->setting.value == b->setting.value);
		promise(a->line + more == b->line);
	}
	/* what is not read again is not complained about again */
	promise(other->loaded == (more ? one->loaded : 0));
	promise(one->count - one->loaded == other->count - other->loaded);
	for (i = 0; i < other->count; i++)
		promise(one->said[one->count - other->count + i] + more == other->said[i]);
}

static void answer_free(struct answer *answer)
{
	unit_wishes_free(&answer->wishes);
	free(answer->said);
}

static void rewrite(int fd, const char *text, size_t len)
{
	promise(pwrite(fd, text, len, 0) == (ssize_t)len && !ftruncate(fd, len));
}

/*
 * A unit file and a drop-in say the same as before when they are loaded again; and
 * as written by another editor, after an empty line that goes on in the next one.
 */
static void unit(const char *text)
{
	static int fd = -1;
	struct answer first __cleanup(answer_free) = { 0 };
	struct answer again __cleanup(answer_free) = { 0 };
	struct answer other __cleanup(answer_free) = { 0 };
	struct unit_files files __cleanup(unit_files_free) = { 0 };
	char *edited __free_string = malloc(2 * strlen(text) + 6);
	unsigned int lines = 1;
	const char *p;
	char *end;

	if (fd < 0)
		fd = make_root();
	end = stpcpy(edited, "\\\r\n");
	for (p = text; *p; p++) {
		if (*p == '\n') {
			*end++ = '\r';
			lines++;
		}
		*end++ = *p;
	}
	end = stpcpy(end, "\r\n");

	rewrite(fd, text, p - text);
	ask(&files, lines, &first);
	ask(&files, lines, &again);
	check_same(&first, &again, 0);
	rewrite(fd, edited, end - edited);
	ask(&files, lines + 1, &other);
	check_same(&first, &other, 1);
}

static unsigned int refreshed;

void dmemd_refresh_soon(struct dmemd *d)
{
	(void)d;
	refreshed++;
}

/* The message's strings are lines here.  What follows never makes one less interesting. */
static void uevent(const char *text)
{
	static int fd[2] = { -1, -1 };
	bool bound = !strncmp(text, "bind@", 5) || !strncmp(text, "unbind@", 7);
	bool subsystem = strstr(text, "SUBSYSTEM=");
	char *message __free_string = dmem_printf("%s\nSUBSYSTEM=drm", text);
	size_t len = strlen(text), whole = strlen(message);
	bool alone, longer;
	char *p;

	if (fd[0] < 0)
		promise(!socketpair(AF_UNIX, SOCK_DGRAM, 0, fd));
	for (p = message; (p = strchr(p, '\n')); )
		*p++ = '\0';
	alone = is_interesting(message, len);
	longer = is_interesting(message, whole);
	promise(alone || !bound);
	promise(!alone || bound || subsystem);
	promise(longer || (!alone && subsystem));

	refreshed = 0;
	promise(send(fd[1], message, len, 0) == (ssize_t)len);
	on_uevents(NULL, fd[0], EPOLLIN, NULL);
	promise(refreshed == alone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (* const parsers[])(const char *) = {
		value, dmem_files, mounts, paths, fdinfo_name, buffers, trace, drop_in,
		setting, names, unit, uevent,
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
