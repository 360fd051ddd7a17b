/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Contiguous memory that goes from one buffer to the next without a detour
 * through the page allocator, see mm/cma_recycle.c.
 */
#ifndef _LINUX_CMA_RECYCLE_H
#define _LINUX_CMA_RECYCLE_H

#include <linux/types.h>

struct cma;
struct page;

struct page *cma_recycle_alloc(struct cma *cma, unsigned long nr_pages,
			       unsigned int align, unsigned int wish);
void cma_recycle_free(struct cma *cma, struct page *page,
		      unsigned long nr_pages);

/**
 * struct cma_recycle_want - an allocation that must not fail for the cache
 * @nr_pages: how much is wanted
 * @align: alignment that it must have, as an order
 * @left: how often something had left the cache when the search began
 * @waiting: nothing more is cached until the search has ended
 */
struct cma_recycle_want {
	unsigned long nr_pages;
	unsigned int align;
	unsigned long left;
	bool waiting;
};

#ifdef CONFIG_CMA_RECYCLE
void cma_recycle_begin(struct cma *cma, unsigned long nr_pages,
		       unsigned int align, struct cma_recycle_want *want);
bool cma_recycle_again(struct cma *cma, struct cma_recycle_want *want,
		       const struct page *found);
unsigned long cma_recycle_held(const struct cma *cma);
#else
static inline void cma_recycle_begin(struct cma *cma, unsigned long nr_pages,
				     unsigned int align,
				     struct cma_recycle_want *want) { }
static inline bool cma_recycle_again(struct cma *cma,
				     struct cma_recycle_want *want,
				     const struct page *found)
{
	return false;
}

static inline unsigned long cma_recycle_held(const struct cma *cma)
{
	return 0;
}
#endif

#endif /* _LINUX_CMA_RECYCLE_H */
