/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What heaps tell about themselves, see drivers/dma-buf/dma-heap-info.c.
 */
#ifndef _LINUX_DMA_HEAP_FACTS_H
#define _LINUX_DMA_HEAP_FACTS_H

#include <linux/types.h>
#include <uapi/linux/dma-heap.h>

struct device_node;
struct dma_heap;

/**
 * struct dma_heap_facts - what a heap's driver knows about it
 * @accounting: What an allocation that is made now would be charged to.
 * @region: Name of the dmem region if @accounting is DMA_HEAP_ACCOUNTING_DMEM,
 *	to live as long as the heap.
 * @size: Bytes that the heap has in all, 0 if that cannot be said.  Whether it is
 *	0 must not change.
 * @available: Bytes of @size that are free now, in pieces of any size.
 * @alignment: What buffers start at a multiple of, and lengths are rounded up
 *	to (bytes), 0 if that cannot be said.  Must not change.
 * @of_node: Device tree node that describes the memory, to live as long as the
 *	heap, or NULL.  Must not change.
 *
 * Zeroed before &dma_heap_ops.describe fills in what it knows.
 */
struct dma_heap_facts {
	enum dma_heap_accounting accounting;
	const char *region;
	u64 size;
	u64 available;
	u64 alignment;
	struct device_node *of_node;
};

void dma_heap_describe_memory(struct dma_heap *heap,
			      struct dma_heap_facts *facts);

#endif /* _LINUX_DMA_HEAP_FACTS_H */
