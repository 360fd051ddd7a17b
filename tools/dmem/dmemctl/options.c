// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The command line after the verb, and --help made from the same tables.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dmemctl.h"
#include "memory.h"
#include "table.h"

enum {
	OPT_JSON = 1000,
	OPT_BYTES,
	OPT_LEGEND,
	OPT_SYSROOT,
	OPT_HELP,
};

static const struct {
	struct opt opt;
	unsigned int taken;
} shared[] = {
	{ { 'o', "output", "COLUMNS", "columns to show, separated by commas" }, TAKES_COLUMNS },
	{ { OPT_BYTES, "bytes", NULL, "amounts in bytes" }, TAKES_BYTES },
	{ { OPT_LEGEND, "no-legend", NULL, "no headings" }, TAKES_LEGEND },
	{ { OPT_JSON, "json", NULL, "JSON, as dmemctl-json(5) has it" }, TAKES_JSON },
	{ { OPT_SYSROOT, "sysroot", "DIR", "look at a recorded tree" }, 0 },
	{ { OPT_HELP, "help", NULL, "show this" }, 0 },
};

#define NR_SHARED	(sizeof(shared) / sizeof(shared[0]))

static bool is_taken(const struct verb *verb, size_t i)
{
	return !shared[i].taken || (verb->takes & shared[i].taken);
}

static void option_help(const struct opt *opt)
{
	char *left __free_string = NULL;

	if (!opt->help)
		return;
	left = dmem_printf("%s%s%s%s", opt->name, opt->arg ? " " : "", opt->arg ?: "", "");
	if (opt->letter < 256)
		printf("  -%c, --%-20s %s\n", opt->letter, left, opt->help);
	else
		printf("      --%-20s %s\n", left, opt->help);
}

void verb_help(const struct verb *verb)
{
	const struct opt *opt;
	size_t i;

	printf("Usage: dmemctl %s%s%s\n\n%s.\n", verb->name,
	       *verb->arguments ? " " : "", verb->arguments, verb->summary);
	if (verb->details)
		printf("\n%s", verb->details);
	printf("\nOptions:\n");
	for (opt = verb->options; opt && opt->name; opt++)
		option_help(opt);
	for (i = 0; i < NR_SHARED; i++)
		if (is_taken(verb, i))
			option_help(&shared[i].opt);
	if (verb->columns) {
		printf("\nColumns (those in brackets only if asked for):\n");
		for (i = 0; i < verb->nr_columns; i++) {
			const struct column *column = &verb->columns[i];
			char *name __free_string =
				dmem_printf(column->extra ? "[%s]" : "%s", column->heading);

			printf("  %-14s %s\n", name, column->help);
		}
	}
}

static void add_option(struct option **longs, size_t *count, char **shorts,
		       const struct opt *opt)
{
	char *longer;

	*longs = dmem_grow(*longs, *count, sizeof(**longs));
	(*longs)[(*count)++] = (struct option){
		.name = opt->name,
		.has_arg = opt->arg ? required_argument : no_argument,
		.val = opt->letter,
	};
	if (opt->letter > 255)
		return;
	longer = dmem_printf("%s%c%s", *shorts, opt->letter, opt->arg ? ":" : "");
	free(*shorts);
	*shorts = longer;
}

int options_parse(struct dmemctl *ctl, int argc, char **argv, int *rest)
{
	const struct verb *verb = ctl->verb;
	bool stops = verb->takes & STOPS_AT_ARGUMENT;
	/* "-": arguments come in order; "+": the first one ends it; ":": our words */
	char *shorts __free_string = dmem_strdup(stops ? "+:" : "-:");
	struct option *longs __free_string = NULL;
	const struct opt *opt;
	size_t count = 0, i;
	int letter, status;

	for (opt = verb->options; opt && opt->name; opt++)
		add_option(&longs, &count, &shorts, opt);
	for (i = 0; i < NR_SHARED; i++)
		if (is_taken(verb, i))
			add_option(&longs, &count, &shorts, &shared[i].opt);
	longs = dmem_grow(longs, count, sizeof(*longs));

	optind = 1;
	opterr = 0;
	while ((letter = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		switch (letter) {
		case 'o':
			ctl->columns = optarg;
			break;
		case OPT_JSON:
			ctl->json = true;
			break;
		case OPT_BYTES:
			ctl->bytes = true;
			break;
		case OPT_LEGEND:
			ctl->no_legend = true;
			break;
		case OPT_SYSROOT:
			ctl->sysroot = optarg;
			break;
		case OPT_HELP:
			verb_help(verb);
			exit(DONE);
		case '?':
			return misused(verb, "unknown option '%s'", argv[optind - 1]);
		case ':':
			return misused(verb, "option '%s' needs an argument", argv[optind - 1]);
		default:
			if (letter == OPT_ARGUMENT && !verb->take_opt)
				return misused(verb, "what is '%s'?", optarg);
			status = verb->take_opt(ctl, letter, optarg);
			if (status)
				return status;
		}
	}
	/* what comes after "--" */
	if (!stops) {
		for (; optind < argc; optind++) {
			if (!verb->take_opt)
				return misused(verb, "what is '%s'?", argv[optind]);
			status = verb->take_opt(ctl, OPT_ARGUMENT, argv[optind]);
			if (status)
				return status;
		}
	}
	*rest = optind;
	return 0;
}
