// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lines of trace_pipe, names that try to be lines included.
 */
#include "check.h"
#include "tracehit.h"

#define TAIL "  [000] .....    12.345678: dmem_limit_hit: region=cma/video@58000000 cgroup_id=96 bytes=4194304"

static void hits(void)
{
	static const struct {
		const char *line, *comm;
		int pid;
	} good[] = {
		{ "       heap-hold-84    " TAIL, "heap-hold", 84 },
		{ "heap-hold-84" TAIL "\n", "heap-hold", 84 },
		{ "           <...>-1234  " TAIL, "<...>", 1234 },
		{ "          a-b-c-7      " TAIL, "a-b-c", 7 },
		{ "       x [0] 1: y-7    " TAIL, "x [0] 1: y", 7 },
		{ "       : dmem_limit_h-7 " TAIL, ": dmem_limit_h", 7 },
		{ "                -7     " TAIL, "", 7 },
	};
	static const char * const bad[] = {
		"", "x", ": dmem_limit_hit: region=",
		"a-1 [000] ..... 1.0: dmem_limit_hit: region= cgroup_id=1 bytes=1",
		"a-1 [000] ..... 1.0: dmem_limit_hit: region=r cgroup_id= bytes=1",
		"a-1 [000] ..... 1.0: dmem_limit_hit: region=r cgroup_id=1 bytes=1x",
		"a-1 [000] ..... 1.0: dmem_limit_hit: region=r cgroup_id=1 bytes=99999999999999999999",
		"a-1 [000] ..... 1.0: dmem_charge: region=r cgroup_id=1 bytes=1",
		"a [000] ..... 1.0: dmem_limit_hit: region=r cgroup_id=1 bytes=1",
		"a-1 ..... 1.0: dmem_limit_hit: region=r cgroup_id=1 bytes=1",
		/* a cgroup with a path that looks like a hit */
		"a-1 [000] ..... 1.0: cgroup_mkdir: root=0 id=9 level=1 path=/z-1 [000] ..... 1.0: dmem_limit_hit: region=r cgroup_id=1 bytes=1",
	};
	struct trace_hit hit;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
		memset(&hit, 0, sizeof(hit));
		check(trace_hit_parse(good[i].line, &hit), "'%s'", good[i].line);
		check_text(hit.comm, good[i].comm);
		check_number(hit.pid, good[i].pid);
		check_text(hit.region, "cma/video@58000000");
		check_number(hit.cgroup_id, 96);
		check_number(hit.bytes, 4194304);
	}
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		check(!trace_hit_parse(bad[i], &hit), "'%s'", bad[i]);
}

static void cgroups(void)
{
	struct trace_cgroup cgroup;

	check(trace_cgroup_parse("  mkdir-7 [001] ..... 1.0: cgroup_mkdir: root=0 id=96 level=2 path=/a b/c", &cgroup), "made");
	check(cgroup.made, "made");
	check_number(cgroup.id, 96);
	check_text(cgroup.path, "/a b/c");
	check(trace_cgroup_parse("  kworker-7 [001] ..... 1.0: cgroup_release: root=0 id=96 level=2 path=/a", &cgroup), "gone");
	check(!cgroup.made, "gone");
	/* another hierarchy has the same numbers for others */
	check(!trace_cgroup_parse("  x-7 [001] ..... 1.0: cgroup_mkdir: root=3 id=96 level=2 path=/a", &cgroup), "cgroup v1");
	check(!trace_cgroup_parse("  x-7 [001] ..... 1.0: cgroup_mkdir: root=0 id=96 level=2 path=", &cgroup), "no path");
	check(!trace_cgroup_parse("  x-7" TAIL, &cgroup), "a hit");
	check(!trace_cgroup_parse("  x-7 [001] ..... 1.0: dmem_limit_hit: region=r: cgroup_mkdir: root=0 id=1 level=1 path=/a", &cgroup), "in a region's name");
}

CHECK_MAIN(CASE(hits), CASE(cgroups))
