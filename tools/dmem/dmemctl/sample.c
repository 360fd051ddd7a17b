// SPDX-License-Identifier: GPL-2.0-or-later
#include "sample.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "value.h"

static int by_path(const void *a, const void *b, void *cgroups)
{
	const struct dmem_cgroup *cgroup = cgroups;

	return strcmp(cgroup[*(const size_t *)a].path, cgroup[*(const size_t *)b].path);
}

int sample_take(struct dmem_root *root, const char *path, unsigned int fields,
		struct sample *sample, struct dmem_error *err)
{
	struct timespec now;
	size_t i;
	int ret;

	*sample = (struct sample){ 0 };
	clock_gettime(CLOCK_REALTIME, &sample->wall);
	clock_gettime(CLOCK_MONOTONIC, &now);
	sample->seconds = now.tv_sec + now.tv_nsec / 1e9;
	ret = dmem_regions_read(root, &sample->regions, err);
	if (ret)
		return ret;
	ret = dmem_cgroups_read(root, &sample->regions, path, fields, &sample->cgroups, err);
	if (ret)
		return ret;
	for (i = 0; i < sample->cgroups.count; i++) {
		sample->by_path = dmem_grow(sample->by_path, i, sizeof(*sample->by_path));
		sample->by_path[i] = i;
	}
	qsort_r(sample->by_path, i, sizeof(*sample->by_path), by_path,
		sample->cgroups.cgroup);
	return 0;
}

void sample_free(struct sample *sample)
{
	dmem_regions_free(&sample->regions);
	dmem_cgroups_free(&sample->cgroups);
	free(sample->by_path);
	*sample = (struct sample){ 0 };
}

static const struct dmem_cgroup *find(const struct sample *sample, const char *path)
{
	size_t low = 0, high = sample->cgroups.count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct dmem_cgroup *cgroup =
			&sample->cgroups.cgroup[sample->by_path[middle]];
		int order = strcmp(path, cgroup->path);

		if (!order)
			return cgroup;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static uint64_t since(uint64_t before, uint64_t now)
{
	if (now == DMEM_UNKNOWN)
		return 0;
	return before == DMEM_UNKNOWN || before > now ? now : now - before;
}

struct dmem_counts sample_new_counts(const struct sample *before, const struct sample *now,
				     size_t cgroup, size_t region)
{
	const struct dmem_cgroup *at = &now->cgroups.cgroup[cgroup];
	const char *name = now->regions.region[region].name;
	struct dmem_counts old = { 0, 0 }, counts = { 0, 0 };
	const struct dmem_cgroup *was;
	int index;

	if (!before || !before->seconds || !at->enabled)
		return counts;
	was = find(before, at->path);
	index = dmem_regions_index(&before->regions, name, strlen(name));
	if (was && was->enabled && index >= 0)
		old = was->pool[index].local;
	counts.max = since(old.max, at->pool[region].local.max);
	counts.low = since(old.low, at->pool[region].local.low);
	return counts;
}
