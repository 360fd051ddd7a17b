/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all verbs of dmemctl share: the system that is looked at, the options that
 * mean the same everywhere, and the way to end.
 */
#ifndef DMEMCTL_H
#define DMEMCTL_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "root.h"

enum {
	DONE = 0,		/* exit status: done */
	FAILED = 1,		/* failed, and said why */
	MISUSED = 2,		/* called the wrong way */
};

struct column;
struct verb;

/**
 * struct dmemctl - one call of the tool
 * @verb: what it was called for
 * @root: the system
 * @sysroot: --sysroot, or NULL
 * @json: --json
 * @bytes: --bytes
 * @no_legend: --no-legend
 * @columns: -o, or NULL
 */
struct dmemctl {
	const struct verb *verb;
	struct dmem_root root;
	const char *sysroot;
	bool json;
	bool bytes;
	bool no_legend;
	const char *columns;
};

/**
 * struct opt - an option of a verb
 * @letter: the short one, or what take_opt is given: above 255, no short one
 * @name: the long one
 * @arg: what its argument is called, NULL if it takes none
 * @help: one line; NULL keeps it out of --help
 */
struct opt {
	int letter;
	const char *name;
	const char *arg;
	const char *help;
};

/* What take_opt is given for an argument that is no option, in order */
#define OPT_ARGUMENT	1

/* The options that mean the same for all verbs that take them */
#define TAKES_JSON	(1U << 0)
#define TAKES_BYTES	(1U << 1)
#define TAKES_LEGEND	(1U << 2)
#define TAKES_COLUMNS	(1U << 3)
#define TAKES_TABLE	(TAKES_JSON | TAKES_BYTES | TAKES_LEGEND | TAKES_COLUMNS)
/* the first argument that is no option ends the options */
#define STOPS_AT_ARGUMENT (1U << 4)

/**
 * struct verb - something dmemctl can do
 * @name: as it is typed
 * @arguments: what else is typed, for --help
 * @summary: one line
 * @details: some more, with an example
 * @takes: TAKES_* | STOPS_AT_ARGUMENT
 * @options: its own, ended by an empty one; or NULL
 * @columns: of its table, or NULL
 * @nr_columns: how many
 * @take_opt: called for each of its own options and arguments in order, returns
 *	      0 or an exit status
 * @run: does it, returns the exit status
 */
struct verb {
	const char *name;
	const char *arguments;
	const char *summary;
	const char *details;
	unsigned int takes;
	const struct opt *options;
	const struct column *columns;
	size_t nr_columns;
	int (*take_opt)(struct dmemctl *ctl, int letter, const char *arg);
	int (*run)(struct dmemctl *ctl, int argc, char **argv);
};

extern const struct verb list_verb, show_verb, set_verb, run_verb, top_verb,
			 buffers_verb, events_verb, export_verb;

/**
 * options_parse() - read the command line after the verb
 * @ctl: the call; its options are set
 * @argc: arguments, the verb first
 * @argv: the arguments
 * @rest: index of the first argument after the options, for a verb that stops
 *	  there
 *
 * --help is answered here and ends the program.
 *
 * Return: 0, or an exit status after a message.
 */
int options_parse(struct dmemctl *ctl, int argc, char **argv, int *rest);

/**
 * verb_help() - print what a verb does
 * @verb: the verb
 */
void verb_help(const struct verb *verb);

/**
 * fail() - say what failed
 * @fmt: the message, without the program's name and the newline
 *
 * Return: %FAILED.
 */
int __attribute__((format(printf, 1, 2))) fail(const char *fmt, ...);

/**
 * misused() - say what was wrong with the call, and where to look
 * @verb: the verb, NULL if there is none
 * @fmt: the message, without the program's name and the newline
 *
 * Return: %MISUSED.
 */
int __attribute__((format(printf, 2, 3)))
misused(const struct verb *verb, const char *fmt, ...);

/**
 * note() - say what is unavailable, or what should be known
 * @fmt: the message, without the program's name and the newline
 */
void __attribute__((format(printf, 1, 2))) note(const char *fmt, ...);

#endif /* DMEMCTL_H */
