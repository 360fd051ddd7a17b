/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reserved memory that is to become a CMA area, see mm/cma_reserved.c.
 */
#ifndef _LINUX_CMA_RESERVED_H
#define _LINUX_CMA_RESERVED_H

#include <linux/stringify.h>
#include <linux/types.h>

/* Why there can be no more areas. */
#define CMA_RESERVED_TOO_MANY						\
	"there are CONFIG_CMA_AREAS=" __stringify(CONFIG_CMA_AREAS)	\
	" areas already, raise that"

const char *cma_reserved_name_wrong(const char *name, bool is_default);
int cma_reserved_check(const char *name, phys_addr_t base, phys_addr_t size,
		       bool is_default);

#endif /* _LINUX_CMA_RESERVED_H */
