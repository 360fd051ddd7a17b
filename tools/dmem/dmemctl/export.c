// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dmemctl export: OpenMetrics text, for the textfile collector of node_exporter and
 * whoever else reads metrics.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "dmemctl.h"
#include "memory.h"
#include "region.h"
#include "text.h"
#include "value.h"

enum { OPT_TO = 't' };

static const struct opt options[] = {
	{ OPT_TO, "to", "FILE", "write to FILE instead, which is replaced as a whole" },
	{ 0 },
};

static const char *to_file;

static int take_opt(struct dmemctl *ctl, int letter, const char *arg)
{
	if (letter != OPT_TO)
		return misused(ctl->verb, "what is '%s'?", arg);
	to_file = arg;
	return 0;
}

/* of a region alone, and of a region in a cgroup */
static const struct metric {
	const char *name;
	const char *help;
	size_t offset;
	bool counter;
} region_metrics[] = {
	{ "dmem_region_size_bytes", "Size of the region.",
	  offsetof(struct dmem_region, size), false },
	{ "dmem_region_charged_bytes", "Charged to cgroups.",
	  offsetof(struct dmem_region, charged), false },
	{ "dmem_region_others_bytes", "Taken without a charge, by drivers.",
	  offsetof(struct dmem_region, others), false },
	{ "dmem_region_cached_bytes", "Freed, and kept by the heap to hand out again.",
	  offsetof(struct dmem_region, cached), false },
	{ "dmem_region_free_bytes", "Nobody's.",
	  offsetof(struct dmem_region, free), false },
}, pool_metrics[] = {
	{ "dmem_cgroup_current_bytes", "Charged to the cgroup and those below it.",
	  offsetof(struct dmem_pool, current), false },
	{ "dmem_cgroup_peak_bytes", "The most that was charged so far.",
	  offsetof(struct dmem_pool, peak), false },
	{ "dmem_cgroup_max_bytes", "Hard limit.",
	  offsetof(struct dmem_pool, max), false },
	{ "dmem_cgroup_low_bytes", "Protected as far as possible.",
	  offsetof(struct dmem_pool, low), false },
	{ "dmem_cgroup_min_bytes", "Protected in any case.",
	  offsetof(struct dmem_pool, min), false },
	{ "dmem_cgroup_refusals", "Charges that the limit of this cgroup refused.",
	  offsetof(struct dmem_pool, local.max), true },
	{ "dmem_cgroup_evictions", "Evictions of what low of this cgroup should have kept.",
	  offsetof(struct dmem_pool, local.low), true },
};

#define NR(array)	(sizeof(array) / sizeof((array)[0]))

static uint64_t field(const void *object, const struct metric *metric)
{
	return *(const uint64_t *)((const char *)object + metric->offset);
}

static void print_head(FILE *out, const struct metric *metric)
{
	size_t len = strlen(metric->name);

	fprintf(out, "# TYPE %s %s\n", metric->name, metric->counter ? "counter" : "gauge");
	if (len > 6 && !strcmp(metric->name + len - 6, "_bytes"))
		fprintf(out, "# UNIT %s bytes\n", metric->name);
	fprintf(out, "# HELP %s %s\n", metric->name, metric->help);
}

static void print_label(FILE *out, const char *label, const char *value)
{
	char *valid __free_string = utf8(value);
	const char *p;

	fprintf(out, "%s=\"", label);
	for (p = valid; *p; p++) {
		if (*p == '\\' || *p == '"')
			fputc('\\', out);
		if (*p == '\n')
			fputs("\\n", out);
		else
			fputc(*p, out);
	}
	fputc('"', out);
}

/* What is not known has no sample; no limit is infinity. */
static void print_sample(FILE *out, const struct metric *metric, const char *region,
			 const char *cgroup, uint64_t value)
{
	if (value == DMEM_UNKNOWN)
		return;
	fprintf(out, "%s%s{", metric->name, metric->counter ? "_total" : "");
	print_label(out, "region", region);
	if (cgroup) {
		fputc(',', out);
		print_label(out, "cgroup", cgroup);
	}
	if (value == DMEM_MAX)
		fputs("} +Inf\n", out);
	else
		fprintf(out, "} %" PRIu64 "\n", value);
}

static void print_all(FILE *out, const struct dmem_regions *regions,
		      const struct dmem_cgroups *cgroups)
{
	size_t m, i, j;

	for (m = 0; m < NR(region_metrics); m++) {
		print_head(out, &region_metrics[m]);
		for (i = 0; i < regions->count; i++)
			print_sample(out, &region_metrics[m], regions->region[i].name, NULL,
				     field(&regions->region[i], &region_metrics[m]));
	}
	for (m = 0; m < NR(pool_metrics); m++) {
		print_head(out, &pool_metrics[m]);
		for (i = 0; i < cgroups->count; i++) {
			const struct dmem_cgroup *cgroup = &cgroups->cgroup[i];

			for (j = 0; cgroup->enabled && j < regions->count; j++)
				print_sample(out, &pool_metrics[m], regions->region[j].name,
					     cgroup->path,
					     field(&cgroup->pool[j], &pool_metrics[m]));
		}
	}
	fputs("# EOF\n", out);
}

/* The collector reads at any time: it must not see half a file. */
static int replace_file(const struct dmem_regions *regions,
			const struct dmem_cgroups *cgroups)
{
	char *temporary __free_string = dmem_printf("%s.XXXXXX", to_file);
	int fd = mkostemp(temporary, O_CLOEXEC);
	FILE *out;
	int bad;

	if (fd < 0)
		return fail("cannot write %s: %s", temporary, strerror(errno));
	/* others read it, as any file of metrics */
	fchmod(fd, 0644);
	out = fdopen(fd, "w");
	if (!out) {
		close(fd);
		unlink(temporary);
		return fail("%s", strerror(errno));
	}
	print_all(out, regions, cgroups);
	bad = fflush(out) || ferror(out);
	bad = fclose(out) || bad;
	if (bad || rename(temporary, to_file)) {
		fail("cannot write %s: %s", to_file, strerror(errno));
		unlink(temporary);
		return FAILED;
	}
	return DONE;
}

static int run(struct dmemctl *ctl, int argc, char **argv)
{
	struct dmem_regions regions __cleanup(dmem_regions_free) = { 0 };
	struct dmem_cgroups cgroups __cleanup(dmem_cgroups_free) = { 0 };
	struct dmem_error err = { "" };

	(void)argc, (void)argv;
	if (dmem_regions_read(&ctl->root, &regions, &err) ||
	    dmem_cgroups_read(&ctl->root, &regions, "/", DMEM_READ_ALL, &cgroups, &err))
		return fail("%s", err.text);
	if (to_file)
		return replace_file(&regions, &cgroups);
	print_all(stdout, &regions, &cgroups);
	if (fflush(stdout) || ferror(stdout))
		return fail("cannot write: %s", strerror(errno));
	return DONE;
}

const struct verb export_verb = {
	.name = "export",
	.arguments = "",
	.summary = "Everything as OpenMetrics text, for node_exporter's textfile collector",
	.details = "For example, from a timer:\n"
		   "\n"
		   "  dmemctl export --to /var/lib/prometheus/node-exporter/dmem.prom\n",
	.options = options,
	.take_opt = take_opt,
	.run = run,
};
