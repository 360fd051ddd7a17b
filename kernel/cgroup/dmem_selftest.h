/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the dmem controller shows its selftest module, kernel/cgroup/
 * dmem_selftest.c, and nobody else.
 */
#ifndef _DMEM_SELFTEST_H
#define _DMEM_SELFTEST_H

struct seq_file;

int dmem_cgroup_selftest_tree(const char *name, struct seq_file *sf);

#endif /* _DMEM_SELFTEST_H */
