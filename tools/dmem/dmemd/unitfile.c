// SPDX-License-Identifier: GPL-2.0-or-later
#include "unitfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "memory.h"
#include "value.h"

#define SECTION		"[X-DMem]"

/* No unit file comes near it; what does is not read */
#define FILE_MAX	(1U << 20)

/*
 * Where systemd looks, first one first.  Not /run/systemd/transient: it changes
 * with every transient unit, and what a program sends over the bus cannot have a
 * section of ours.
 */
static const char * const search_path[] = {
	"/etc/systemd/system.control",
	"/run/systemd/system.control",
	"/run/systemd/generator.early",
	"/etc/systemd/system",
	"/etc/systemd/system.attached",
	"/run/systemd/system",
	"/run/systemd/system.attached",
	"/run/systemd/generator",
	"/usr/local/lib/systemd/system",
	"/usr/lib/systemd/system",
	"/run/systemd/generator.late",
};

#define NR(array)	(sizeof(array) / sizeof((array)[0]))

static const char * const types[] = {
	"service", "slice", "scope", "socket", "mount", "swap",
};

static const struct {
	const char *key;
	enum dmem_limit limit;
} keys[] = {
	{ "DeviceMemoryMax", DMEM_LIMIT_MAX },
	{ "DeviceMemoryLow", DMEM_LIMIT_LOW },
	{ "DeviceMemoryMin", DMEM_LIMIT_MIN },
	{ "DeviceMemoryAccounting", DMEM_NR_LIMITS },
};

static const char *key_name(enum dmem_limit limit)
{
	size_t i;

	for (i = 0; keys[i].limit != limit; i++)
		;
	return keys[i].key;
}

const char *unit_type(const char *name)
{
	const char *dot = strrchr(name, '.');
	size_t i;

	if (!dot || dot == name || strchr(name, '/'))
		return NULL;
	for (i = 0; i < NR(types); i++)
		if (!strcmp(dot + 1, types[i]))
			return types[i];
	return NULL;
}

static bool is_type(const char *name)
{
	size_t i;

	for (i = 0; i < NR(types); i++)
		if (!strcmp(name, types[i]))
			return true;
	return false;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len > n && !strcmp(text + len - n, end);
}

/* ---- one file ---- */

static void free_line(struct unit_line *line)
{
	free(line->region);
	free(line->value);
}

static void free_file(struct unit_file *file)
{
	size_t i;

	for (i = 0; i < file->count; i++)
		free_line(&file->line[i]);
	free(file->line);
	free(file->path);
	free(file->dir);
	free(file->name);
}

struct parser {
	struct unit_file *file;
	unit_say_t say;
	void *userdata;
};

static void __attribute__((format(printf, 3, 4)))
complain(const struct parser *parser, unsigned int line, const char *fmt, ...)
{
	char *what __free_string = NULL, *whole __free_string = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&what, fmt, args) < 0)
		abort();
	va_end(args);
	whole = dmem_printf("%s:%u: %s", parser->file->path, line, what);
	parser->say(parser->userdata, parser->file->dir, whole);
}

static int parse_boolean(const char *text)
{
	static const char * const yes[] = { "1", "yes", "y", "true", "t", "on" };
	static const char * const no[] = { "0", "no", "n", "false", "f", "off" };
	size_t i;

	for (i = 0; i < NR(yes); i++)
		if (!strcasecmp(text, yes[i]))
			return 1;
	for (i = 0; i < NR(no); i++)
		if (!strcasecmp(text, no[i]))
			return 0;
	return -EINVAL;
}

static void take_assignment(struct parser *parser, char *key, char *value,
			    unsigned int number)
{
	struct unit_file *file = parser->file;
	char *region = NULL, *rest = NULL, *word[3] = { NULL };
	struct unit_line *line;
	struct dmem_error err;
	uint64_t ignored;
	size_t k, n;

	for (k = 0; k < NR(keys); k++)
		if (!strcmp(key, keys[k].key))
			break;
	if (k == NR(keys)) {
		complain(parser, number, "unknown key '%s' in " SECTION ", ignored", key);
		return;
	}

	for (n = 0; n < NR(word); n++) {
		word[n] = strtok_r(n ? NULL : value, " \t", &rest);
		if (!word[n])
			break;
	}
	if (keys[k].limit == DMEM_NR_LIMITS) {
		if (n != 1 || parse_boolean(word[0]) < 0) {
			complain(parser, number, "%s= is yes or no", key);
			return;
		}
	} else if (n > 2) {
		complain(parser, number,
			 "%s= takes a region and a value, not '%s %s %s%s%s'", key,
			 word[0], word[1], word[2], rest && *rest ? " " : "",
			 rest ?: "");
		return;
	} else if (n) {
		if (!strcmp(word[n - 1], "infinity"))
			word[n - 1] = (char *)"max";
		/* any capacity will do to see whether it is a value at all */
		if (dmem_value_parse(word[n - 1], 1ULL << 40, &ignored, &err)) {
			complain(parser, number, "%s=: %s", key, err.text);
			return;
		}
		/* the regions of a machine have sizes of their own */
		if (n == 1 && strcmp(word[0], "max") && strcmp(word[0], "0") &&
		    !ends_with(word[0], "%")) {
			complain(parser, number,
				 "%s=%s names no region: for all of them a share ('25%%'), 'max' or '0' will do", key, word[0]);
			return;
		}
		region = n == 2 ? word[0] : NULL;
	}

	file->line = dmem_grow(file->line, file->count, sizeof(*file->line));
	line = &file->line[file->count++];
	line->limit = keys[k].limit;
	line->region = region ? dmem_strdup(region) : NULL;
	line->value = n ? dmem_strdup(word[n - 1]) : NULL;
	line->line = number;
}

/* Without blanks at both ends; @end is behind the text. */
static char *trim(char *text, char *end)
{
	while (end > text && strchr(" \t\r", end[-1]))
		end--;
	*end = '\0';
	return text + strspn(text, " \t");
}

static void parse(struct parser *parser, char *text)
{
	unsigned int number = 0, first = 0;
	char *next, *line, *pending = NULL;
	bool ours = false;

	for (line = text; line; line = next) {
		char *end, *equals, *key;

		next = strchr(line, '\n');
		end = next ?: line + strlen(line);
		if (next)
			next++;
		number++;
		line = trim(line, end);

		/* comments may stand between a line and its continuation */
		if (*line == '#' || *line == ';')
			continue;
		if (pending) {
			char *joined = dmem_printf("%s%s%s", pending,
						   *pending ? " " : "", line);

			free(pending);
			pending = joined;
		} else {
			first = number;
			pending = dmem_strdup(line);
		}
		end = pending + strlen(pending);
		if (end > pending && end[-1] == '\\' && next) {
			trim(pending, end - 1);
			continue;
		}

		if (*pending == '[') {
			ours = !strcmp(pending, SECTION);
		} else if (ours && *pending) {
			equals = strchr(pending, '=');
			if (!equals) {
				complain(parser, first, "'%s' is not KEY=VALUE", pending);
			} else {
				key = trim(pending, equals);
				equals = trim(equals + 1, equals + 1 + strlen(equals + 1));
				take_assignment(parser, key, equals, first);
			}
		}
		free(pending);
		pending = NULL;
	}
	free(pending);
}

static void read_file(struct unit_file *file, const char *full, unit_say_t say,
		      void *userdata)
{
	struct parser parser = { file, say, userdata };
	char *text __free_string = NULL;
	int fd __close_fd = -1;
	size_t size, got = 0;
	ssize_t n;

	/* a link to /dev/null, which is how files are hidden, says nothing */
	if (!S_ISREG(file->st.st_mode))
		return;
	if (file->st.st_size > FILE_MAX) {
		complain(&parser, 1, "larger than a unit file can be, not read");
		return;
	}
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		if (errno != ENOENT)
			complain(&parser, 1, "cannot be read: %s", strerror(errno));
		return;
	}
	size = file->st.st_size;
	text = dmem_grow(NULL, 0, size + 2);
	while (got < size && (n = read(fd, text + got, size - got)) > 0)
		got += n;
	if (memchr(text, '\0', got)) {
		complain(&parser, 1, "not a text file, not read");
		return;
	}
	/* nothing is left to be continued at the end */
	strcpy(text + got, "\n");
	/* most unit files have nothing for us */
	if (strstr(text, SECTION))
		parse(&parser, text);
}

/* ---- all files ---- */

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct unit_file *)a)->path,
		      ((const struct unit_file *)b)->path);
}

static struct unit_file *find_file(const struct unit_files *files, const char *path)
{
	struct unit_file key = { .path = (char *)path };

	if (!files->count)
		return NULL;
	return bsearch(&key, files->file, files->count, sizeof(key), by_path);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size && a->st_mode == b->st_mode &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

struct loader {
	const char *root;
	struct unit_files old;
	struct unit_files *new;
	unit_folder_t folder;
	unit_say_t say;
	void *userdata;
};

static void load_file(struct loader *loader, const char *path, const char *dir,
		      const char *name, unsigned int rank, bool dropin)
{
	char *full __free_string = dmem_printf("%s%s", loader->root, path);
	struct unit_file *file, *old;
	struct stat st;

	/* gone again, or a link to nowhere */
	if (stat(full, &st))
		return;
	loader->new->file = dmem_grow(loader->new->file, loader->new->count,
				      sizeof(*loader->new->file));
	file = &loader->new->file[loader->new->count++];
	file->path = dmem_strdup(path);
	file->dir = dmem_strdup(dir);
	file->name = dmem_strdup(name);
	file->dropin = dropin;
	file->rank = rank;
	file->st = st;

	old = find_file(&loader->old, path);
	if (old && same_file(&old->st, &st)) {
		file->line = old->line;
		file->count = old->count;
		old->line = NULL;
		old->count = 0;
		return;
	}
	read_file(file, full, loader->say, loader->userdata);
}

static void load_dropins(struct loader *loader, const char *path, const char *dir,
			 unsigned int rank)
{
	char *full __free_string = dmem_printf("%s%s", loader->root, path);
	DIR *stream __close_dir = NULL;
	struct dirent *entry;

	if (loader->folder)
		loader->folder(loader->userdata, full, false);
	stream = opendir(full);
	while (stream && (entry = readdir(stream))) {
		char *file __free_string = NULL;

		if (entry->d_name[0] == '.' || !ends_with(entry->d_name, ".conf"))
			continue;
		file = dmem_printf("%s/%s", path, entry->d_name);
		load_file(loader, file, dir, entry->d_name, rank, true);
	}
}

/* A link to a unit of another name is a name of that unit. */
static bool load_alias(struct loader *loader, const char *full, const char *name)
{
	char target[PATH_MAX];
	struct unit_alias *alias;
	const char *base;
	ssize_t len;

	len = readlink(full, target, sizeof(target) - 1);
	if (len <= 0)
		return false;
	target[len] = '\0';
	base = strrchr(target, '/') ? strrchr(target, '/') + 1 : target;
	if (!unit_type(base) || !strcmp(base, name))
		return false;
	loader->new->alias = dmem_grow(loader->new->alias, loader->new->nr_aliases,
				       sizeof(*loader->new->alias));
	alias = &loader->new->alias[loader->new->nr_aliases++];
	alias->name = dmem_strdup(name);
	alias->unit = dmem_strdup(base);
	return true;
}

static void load_folder(struct loader *loader, unsigned int rank)
{
	const char *folder = search_path[rank];
	char *full __free_string = dmem_printf("%s%s", loader->root, folder);
	DIR *stream __close_dir = NULL;
	struct dirent *entry;

	if (loader->folder)
		loader->folder(loader->userdata, full, access(full, F_OK) != 0);
	stream = opendir(full);
	while (stream && (entry = readdir(stream))) {
		const char *name = entry->d_name;
		char *path __free_string = dmem_printf("%s/%s", folder, name);
		char *real __free_string = dmem_printf("%s%s", loader->root, path);

		if (ends_with(name, ".d")) {
			char *dir __free_string = dmem_strndup(name, strlen(name) - 2);

			if (unit_type(dir) || is_type(dir))
				load_dropins(loader, path, dir, rank);
		} else if (unit_type(name)) {
			if (!load_alias(loader, real, name))
				load_file(loader, path, name, name, rank, false);
		}
	}
}

void unit_files_load(const char *root, struct unit_files *files, unit_folder_t folder,
		     unit_say_t say, void *userdata)
{
	struct loader loader = {
		.root = root,
		.old = *files,
		.new = files,
		.folder = folder,
		.say = say,
		.userdata = userdata,
	};
	unsigned int rank;

	*files = (struct unit_files){ 0 };
	for (rank = 0; rank < NR(search_path); rank++)
		load_folder(&loader, rank);
	if (files->count)
		qsort(files->file, files->count, sizeof(*files->file), by_path);
	unit_files_free(&loader.old);
}

void unit_files_free(struct unit_files *files)
{
	size_t i;

	for (i = 0; i < files->count; i++)
		free_file(&files->file[i]);
	for (i = 0; i < files->nr_aliases; i++) {
		free(files->alias[i].name);
		free(files->alias[i].unit);
	}
	free(files->file);
	free(files->alias);
	*files = (struct unit_files){ 0 };
}

/* ---- the files of a unit ---- */

/* Names in the order in which their folders are looked at. */
struct names {
	char **name;
	size_t count;
};

static void free_names(struct names *names)
{
	size_t i;

	for (i = 0; i < names->count; i++)
		free(names->name[i]);
	free(names->name);
}

static void add_name(struct names *names, char *name)
{
	size_t i;

	for (i = 0; i < names->count; i++) {
		if (!strcmp(names->name[i], name)) {
			free(name);
			return;
		}
	}
	names->name = dmem_grow(names->name, names->count, sizeof(*names->name));
	names->name[names->count++] = name;
}

/*
 * "a-b@c.service" also has the folders of a-b@.service, a-@c.service and
 * a-@.service.
 */
static void add_variants(struct names *names, const char *name)
{
	const char *dot = strrchr(name, '.'), *at = strchr(name, '@');
	const char *end = at && at < dot ? at : dot, *dash;

	add_name(names, dmem_strdup(name));
	if (at && at < dot && at + 1 < dot)
		add_name(names, dmem_printf("%.*s@%s", (int)(at - name), name, dot));

	/* a name that ends in a dash is a prefix already: go on before it */
	for (dash = end - 2; dash > name && *dash != '-'; dash--)
		;
	if (dash > name) {
		char *shorter __free_string =
			dmem_printf("%.*s%s", (int)(dash + 1 - name), name, end);

		add_variants(names, shorter);
	}
}

static void unit_names(const struct unit_files *files, const char *unit,
		       struct names *names)
{
	size_t i;

	add_variants(names, unit);
	for (i = 0; i < files->nr_aliases; i++)
		if (!strcmp(files->alias[i].unit, unit))
			add_variants(names, files->alias[i].name);
}

/* Where a drop-in stands among those of its name: the least counts. */
static long precedence(const struct unit_file *file, const struct names *names,
		       const char *type)
{
	size_t i;

	for (i = 0; i < names->count; i++)
		if (!strcmp(names->name[i], file->dir))
			return (long)file->rank * (names->count + 1) + i;
	if (!strcmp(type, file->dir))
		return (long)NR(search_path) * (names->count + 1) + file->rank;
	return -1;
}

struct chosen {
	const struct unit_file *file;
	long precedence;
};

static int by_name(const void *a, const void *b)
{
	const struct chosen *one = a, *other = b;
	int order = strcmp(one->file->name, other->file->name);

	return order ?: (one->precedence > other->precedence) -
			(one->precedence < other->precedence);
}

/* The unit's files in the order in which they are read. */
static size_t choose(const struct unit_files *files, const char *unit,
		     struct chosen **chosen)
{
	struct names names __cleanup(free_names) = { 0 };
	const struct unit_file *own = NULL;
	const char *type = unit_type(unit);
	bool own_exact = false;
	size_t count = 0, kept, i;

	*chosen = NULL;
	if (!type)
		return 0;
	unit_names(files, unit, &names);
	for (i = 0; i < files->count; i++) {
		const struct unit_file *file = &files->file[i];
		bool exact;
		long place;

		if (file->dropin) {
			place = precedence(file, &names, type);
			if (place < 0)
				continue;
			*chosen = dmem_grow(*chosen, count, sizeof(**chosen));
			(*chosen)[count++] = (struct chosen){ file, place };
			continue;
		}
		/* the file of that name, else that of the template, which is next */
		exact = !strcmp(file->dir, unit);
		if (!exact && !(strstr(file->dir, "@.") && names.count > 1 &&
				!strcmp(file->dir, names.name[1])))
			continue;
		if (!own || (exact && !own_exact) ||
		    (exact == own_exact && file->rank < own->rank)) {
			own = file;
			own_exact = exact;
		}
	}

	if (count)
		qsort(*chosen, count, sizeof(**chosen), by_name);
	for (i = kept = 0; i < count; i++) {
		if (i && !strcmp((*chosen)[i].file->name, (*chosen)[i - 1].file->name))
			(*chosen)[i].precedence = -1;
		else
			kept++;
	}
	/* the unit's own file comes first */
	*chosen = realloc(*chosen, (kept + 1 + count) * sizeof(**chosen));
	if (!*chosen)
		abort();
	memmove(*chosen + 1, *chosen, count * sizeof(**chosen));
	kept = 0;
	if (own)
		(*chosen)[kept++].file = own;
	for (i = 1; i <= count; i++)
		if ((*chosen)[i].precedence >= 0)
			(*chosen)[kept++] = (*chosen)[i];
	return kept;
}

bool unit_files_asked(const struct unit_files *files, const char *unit)
{
	struct chosen *chosen __free_string = NULL;
	size_t count, i;

	count = choose(files, unit, &chosen);
	for (i = 0; i < count; i++)
		if (chosen[i].file->count)
			return true;
	return false;
}

static void forget(struct unit_wishes *wishes, enum dmem_limit limit)
{
	size_t i, kept = 0;

	for (i = 0; i < wishes->count; i++)
		if (wishes->wish[i].setting.limit != limit)
			wishes->wish[kept++] = wishes->wish[i];
	wishes->count = kept;
}

static void add_wish(struct unit_wishes *wishes, const struct dmem_setting *setting,
		     const struct unit_file *file, unsigned int line)
{
	size_t i;

	for (i = 0; i < wishes->count; i++)
		if (wishes->wish[i].setting.limit == setting->limit &&
		    wishes->wish[i].setting.region == setting->region)
			break;
	if (i == wishes->count) {
		wishes->wish = dmem_grow(wishes->wish, i, sizeof(*wishes->wish));
		wishes->count++;
	}
	wishes->wish[i] = (struct unit_wish){ *setting, file, line };
}

size_t unit_files_resolve(const struct unit_files *files, const char *unit,
			  const struct dmem_regions *regions,
			  struct unit_wishes *wishes, unit_say_t say, void *userdata)
{
	struct chosen *chosen __free_string = NULL;
	size_t count, bad = 0, i, j, r;

	*wishes = (struct unit_wishes){ 0 };
	count = choose(files, unit, &chosen);
	for (i = 0; i < count; i++) {
		const struct unit_file *file = chosen[i].file;

		for (j = 0; j < file->count; j++) {
			const struct unit_line *line = &file->line[j];
			struct dmem_setting setting = { .limit = line->limit };
			struct dmem_error err;
			size_t first = 0, end = regions->count;
			int ret = 0;

			if (line->limit == DMEM_NR_LIMITS) {
				wishes->accounting = parse_boolean(line->value) > 0;
				continue;
			}
			if (!line->value) {
				forget(wishes, line->limit);
				continue;
			}
			if (line->region) {
				ret = dmem_regions_find(regions, line->region, &err);
				first = ret < 0 ? 0 : ret;
				end = first + 1;
			}
			for (r = first; ret >= 0 && r < end; r++) {
				setting.region = r;
				ret = dmem_value_parse(line->value, regions->region[r].size,
						       &setting.value, &err);
				if (!ret)
					add_wish(wishes, &setting, file, line->line);
			}
			if (ret < 0) {
				char *message __free_string =
					dmem_printf("%s:%u: %s=%s%s%s: %s", file->path,
						    line->line, key_name(line->limit),
						    line->region ?: "", line->region ? " " : "",
						    line->value, err.text);
				say(userdata, unit, message);
				bad++;
			}
		}
	}
	return bad;
}

void unit_wishes_free(struct unit_wishes *wishes)
{
	free(wishes->wish);
	*wishes = (struct unit_wishes){ 0 };
}
