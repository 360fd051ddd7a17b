// SPDX-License-Identifier: GPL-2.0-or-later
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dmemctl.h"
#include "text.h"

#ifndef VERSION
#define VERSION "unknown"
#endif

static const struct verb * const verbs[] = {
	&list_verb, &show_verb, &buffers_verb, &events_verb, &top_verb,
	&set_verb, &run_verb, &export_verb,
};

#define NR_VERBS	(sizeof(verbs) / sizeof(verbs[0]))

static void help(void)
{
	size_t i;

	printf("Usage: dmemctl VERB [OPTIONS] [ARGUMENTS]\n"
	       "\n"
	       "Device memory: carveouts (cma/...) and graphics memory (drm/...).  Each is a\n"
	       "region; cgroups are charged for what their processes allocate from it.\n"
	       "\n");
	for (i = 0; i < NR_VERBS; i++)
		printf("  %-8s %s\n", verbs[i]->name, verbs[i]->summary);
	printf("\n"
	       "Who holds a carveout, process by process:\n"
	       "  dmemctl buffers --region video@58000000\n"
	       "Why an allocation was refused (ENOSPC: a limit; ENOMEM: the carveout is full):\n"
	       "  dmemctl show --region video@58000000\n"
	       "  REFUSED counts refusals by the limit in that line, ROOM is what is left and\n"
	       "  BOUND-BY whose limit it is that ends it.\n"
	       "\n"
	       "dmemctl VERB --help says more; so does dmemctl(1).\n"
	       "Exit status: 0 done, 1 failed, 2 misused; of run, that of the command.\n");
}

static void say(FILE *file, const char *fmt, va_list args)
{
	char text[4096];
	char *line, *rest = text;

	vsnprintf(text, sizeof(text), fmt, args);
	/* lines are ours, everything else in them may be somebody's name */
	while ((line = strsep(&rest, "\n"))) {
		char *safe = printable(line);

		fprintf(file, "dmemctl: %s\n", safe);
		free(safe);
	}
}

int fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(stderr, fmt, args);
	va_end(args);
	return FAILED;
}

int misused(const struct verb *verb, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "dmemctl: see 'dmemctl %s%s--help'\n", verb ? verb->name : "",
		verb ? " " : "");
	return MISUSED;
}

void note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(stderr, fmt, args);
	va_end(args);
}

int main(int argc, char **argv)
{
	struct dmemctl ctl = { 0 };
	struct dmem_error err = { "" };
	int rest, status;
	size_t i;

	setlocale(LC_ALL, "");
	/* numbers are the same everywhere */
	setlocale(LC_NUMERIC, "C");
	if (argc < 2)
		return misused(NULL, "which verb?");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		help();
		return DONE;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("dmemctl " VERSION "\n");
		return DONE;
	}
	for (i = 0; i < NR_VERBS && !ctl.verb; i++)
		if (!strcmp(argv[1], verbs[i]->name))
			ctl.verb = verbs[i];
	if (!ctl.verb)
		return misused(NULL, "there is no verb '%s'", argv[1]);

	argc--;
	argv++;
	status = options_parse(&ctl, argc, argv, &rest);
	if (status)
		return status;
	if (dmem_root_open(&ctl.root, ctl.sysroot, &err))
		return fail("%s", err.text);
	status = ctl.verb->run(&ctl, argc - rest, argv + rest);
	/* what a scan costs, for tests/run-scan */
	if (getenv("DMEMCTL_WORK"))
		note("opened %lu", ctl.root.opens);
	dmem_root_close(&ctl.root);
	return status;
}
