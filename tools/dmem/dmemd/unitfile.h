/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What unit files and their drop-ins say in [X-DMem].
 *
 *	[X-DMem]
 *	DeviceMemoryMax=cma/video@58000000 64M
 *	DeviceMemoryLow=cma/display@50000000 25%
 *
 * systemd passes over sections whose name begins with "X-".  Which files belong to
 * a unit, in which order, and which one hides another is as in systemd.unit(5):
 * the unit's own file, then *.conf of its drop-in folders, those of its template,
 * of its prefixes ("user-.slice.d") and of its type ("service.d"), sorted by file
 * name; of several with the same name the one in the first folder counts.
 *
 * Nothing but the file system is asked, so that this works before systemd has
 * loaded a unit, and while nobody answers on the bus.
 */
#ifndef DMEMD_UNITFILE_H
#define DMEMD_UNITFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "limit.h"
#include "region.h"

/**
 * struct unit_line - one assignment
 * @limit: which limit, %DMEM_NR_LIMITS for DeviceMemoryAccounting=
 * @region: the region as it is written, NULL for all of them
 * @value: the value as it is written; NULL forgets what came before
 * @line: where in the file, from 1
 */
struct unit_line {
	enum dmem_limit limit;
	char *region;
	char *value;
	unsigned int line;
};

/**
 * struct unit_file - a unit file or a drop-in; one without assignments still hides
 *		      others of its name
 * @path: the file
 * @dir: name of the folder without ".d"; for a unit file, its own name
 * @name: name of the file
 * @dropin: it is a drop-in
 * @rank: place of its folder in the search path, 0 comes first
 * @st: what it was when it was read
 * @line: its assignments
 * @count: how many
 */
struct unit_file {
	char *path;
	char *dir;
	char *name;
	bool dropin;
	unsigned int rank;
	struct stat st;
	struct unit_line *line;
	size_t count;
};

/**
 * struct unit_alias - another name of a unit
 * @name: the other name
 * @unit: the unit
 */
struct unit_alias {
	char *name;
	char *unit;
};

/**
 * struct unit_files - all of them
 * @file: sorted by path
 * @count: how many
 * @alias: names that are links to units
 * @nr_aliases: how many
 */
struct unit_files {
	struct unit_file *file;
	size_t count;
	struct unit_alias *alias;
	size_t nr_aliases;
};

/**
 * struct unit_wish - a limit that a unit's files ask for
 * @setting: the limit
 * @file: the file that has the last word on it
 * @line: and where in it
 */
struct unit_wish {
	struct dmem_setting setting;
	const struct unit_file *file;
	unsigned int line;
};

/**
 * struct unit_wishes - all that a unit's files ask for
 * @wish: the limits, of regions that there are
 * @count: how many
 * @accounting: the unit is to have dmem files, limits or not
 */
struct unit_wishes {
	struct unit_wish *wish;
	size_t count;
	bool accounting;
};

/* Takes a message about a unit, or about a file where @unit is NULL. */
typedef void (*unit_say_t)(void *userdata, const char *unit, const char *message);

/* Called with each folder before it is looked into, and with those missing. */
typedef void (*unit_folder_t)(void *userdata, const char *path, bool missing);

/**
 * unit_files_load() - read all files, those that have changed since @files
 * @root: directory that is the file system's root, "" for the running system
 * @files: empty, or what was loaded before
 * @folder: is told about folders; NULL if nobody wants to know
 * @say: takes what is wrong with files that are read now
 * @userdata: for both
 *
 * A file that cannot be read says nothing; @say is told.
 */
void unit_files_load(const char *root, struct unit_files *files, unit_folder_t folder,
		     unit_say_t say, void *userdata);

/**
 * unit_files_free() - forget them
 * @files: what was loaded, or all zero; all zero afterwards
 */
void unit_files_free(struct unit_files *files);

/**
 * unit_files_asked() - whether a unit's files ask for anything
 * @files: all files
 * @unit: the unit
 */
bool unit_files_asked(const struct unit_files *files, const char *unit);

/**
 * unit_files_resolve() - what a unit's files ask for
 * @files: all files
 * @unit: the unit's name
 * @regions: the regions that there are
 * @wishes: filled in; pass it to unit_wishes_free()
 * @say: takes what cannot be had: unit, file, line, reason
 * @userdata: for @say
 *
 * Return: How many lines could not be understood or name no region.
 */
size_t unit_files_resolve(const struct unit_files *files, const char *unit,
			  const struct dmem_regions *regions,
			  struct unit_wishes *wishes, unit_say_t say, void *userdata);

/**
 * unit_wishes_free() - forget them
 * @wishes: what was filled in, or all zero; all zero afterwards
 */
void unit_wishes_free(struct unit_wishes *wishes);

/**
 * unit_type() - what a name's suffix says
 * @name: the name
 *
 * Return: "service", "slice", "scope", "socket", "mount" or "swap"; NULL for
 * everything else: such a unit has no cgroup.
 */
const char *unit_type(const char *name);

#endif /* DMEMD_UNITFILE_H */
