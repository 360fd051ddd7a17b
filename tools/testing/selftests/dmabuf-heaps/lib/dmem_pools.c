// SPDX-License-Identifier: GPL-2.0
/* Snapshots of a region's pools */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cma_heap_util.h"
#include "dmem_pools.h"

#define TREE	"/sys/kernel/debug/dmem_selftest/tree"

bool dmem_pools_visible(void)
{
	return !access(TREE, R_OK | W_OK);
}

/* To be freed */
static char *read_tree(const char *region)
{
	const ssize_t len = strlen(region);
	int fd = open(TREE, O_RDWR | O_CLOEXEC);
	char *text;

	if (fd < 0)
		case_fail("%s: %s", TREE, strerror(errno));
	if (write(fd, region, len) != len)
		case_fail("%s: %s: %s", TREE, region, strerror(errno));
	text = dmem_read_fd(fd);
	if (!text)
		case_fail("%s: %s: %s", TREE, region, strerror(errno));
	close(fd);
	return text;
}

static struct dmem_pool parse_pool(const char *line, bool limits_hold)
{
	unsigned long long id, parent, usage, own, max;
	struct dmem_pool pool;

	if (sscanf(line, "cgroup %llu parent %llu usage %llu own %llu max %llu",
		   &id, &parent, &usage, &own, &max) != 5)
		case_fail("tree: %s", line);
	pool = (struct dmem_pool) {
		.cgroup = id,
		.parent = parent,
		.usage = usage,
		.own = own,
		.max = max,
		.removed = strstr(line, " removed"),
	};
	if (limits_hold && usage > max)
		case_fail("tree: usage above max: %s", line);
	if (own > usage)
		case_fail("tree: more own than usage: %s", line);
	if (pool.removed && max != DMEM_MAX)
		case_fail("tree: a removed cgroup has a limit: %s", line);
	return pool;
}

/* The sum of what was charged in each is the root's usage */
unsigned int dmem_pools_check(const char *region, bool limits_hold,
			      struct dmem_pool **pools)
{
	char *text = read_tree(region), *rest = text, *line;
	struct dmem_pool *all = NULL, pool;
	__u64 root = 0, sum = 0;
	bool consistent = false;
	unsigned int count = 0;

	while ((line = strsep(&rest, "\n")) && *line) {
		if (!strcmp(line, "consistent")) {
			consistent = true;
			continue;
		}
		pool = parse_pool(line, limits_hold);
		if (!pool.parent)
			root += pool.usage;
		sum += pool.own;
		count++;
		if (!pools)
			continue;
		all = realloc(all, count * sizeof(*all));
		if (!all)
			case_fail("out of memory");
		all[count - 1] = pool;
	}
	free(text);
	if (!consistent)
		case_fail("tree: %s: not consistent", region);
	if (root != sum)
		case_fail("tree: %s: %llu in the root, %llu charged", region,
			  (unsigned long long)root, (unsigned long long)sum);
	if (pools)
		*pools = all;
	return count;
}

unsigned int dmem_pools_soon(const char *region, unsigned int want)
{
	__u64 end = deadline();
	unsigned int count;

	do {
		count = dmem_pools_check(region, false, NULL);
	} while (count != want && sleep_until(end));
	return count;
}

void dmem_pools_print(const char *region)
{
	char *text = read_tree(region), *rest = text, *line;

	while ((line = strsep(&rest, "\n")) && *line)
		ksft_print_msg("%s: %s\n", region, line);
	free(text);
}
