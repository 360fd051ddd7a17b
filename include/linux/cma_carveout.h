/* SPDX-License-Identifier: GPL-2.0 */
/*
 * CMA areas that are named on the kernel command line, see mm/cma_carveout.c.
 */
#ifndef _LINUX_CMA_CARVEOUT_H
#define _LINUX_CMA_CARVEOUT_H

#include <linux/init.h>

struct cma;

#ifdef CONFIG_CMA
void __init cma_carveout_reserve(void);
struct cma *__init cma_carveout_by_idx(unsigned int idx);
#else
static inline void cma_carveout_reserve(void) { }
#endif

#endif /* _LINUX_CMA_CARVEOUT_H */
