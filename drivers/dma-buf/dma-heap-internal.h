/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What dma-heap.c, dma-heap-info.c and dma-heap-consumers.c know of each other.
 */
#ifndef _DMA_HEAP_INTERNAL_H
#define _DMA_HEAP_INTERNAL_H

#include <linux/err.h>
#include <linux/list.h>
#include <linux/types.h>

struct class;
struct device;
struct device_node;
struct dma_heap;
struct dma_heap_ops;
struct reserved_mem;

/**
 * struct dma_heap_watch - a heap whose memory devices may be given
 * @node: in the list of all
 * @dev: the heap's device, with a group "consumers"
 * @rmem: the memory
 */
struct dma_heap_watch {
	struct list_head node;
	struct device *dev;
	const struct reserved_mem *rmem;
};

/* dma-heap-info.c */
int dma_heap_create_device(const struct class *class, dev_t devt,
			   struct dma_heap *heap,
			   const struct dma_heap_ops *ops);
long dma_heap_ioctl_get_info(struct dma_heap *heap,
			     const struct dma_heap_ops *ops,
			     unsigned int cmd, unsigned long arg);

/* dma-heap-consumers.c */
#if IS_ENABLED(CONFIG_OF_RESERVED_MEM)
void dma_heap_watch_consumers(struct dma_heap_watch *watch, struct device *dev,
			      struct device_node *np);
char *dma_heap_consumer_names(struct device_node *np, size_t *len);
#else
static inline void dma_heap_watch_consumers(struct dma_heap_watch *watch,
					    struct device *dev,
					    struct device_node *np) { }

static inline char *dma_heap_consumer_names(struct device_node *np, size_t *len)
{
	*len = 0;
	return NULL;
}
#endif

#endif /* _DMA_HEAP_INTERNAL_H */
