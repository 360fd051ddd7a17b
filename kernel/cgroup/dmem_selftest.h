/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the dmem controller shows its selftest module, kernel/cgroup/
 * dmem_selftest.c, and nobody else.
 */
#ifndef _DMEM_SELFTEST_H
#define _DMEM_SELFTEST_H

struct dmem_cgroup_region;
struct seq_file;

int dmem_cgroup_selftest_tree(struct dmem_cgroup_region *region,
			      struct seq_file *sf);

#endif /* _DMEM_SELFTEST_H */
