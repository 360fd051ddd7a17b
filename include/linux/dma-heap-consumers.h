/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices that share memory with heaps, see drivers/dma-buf/dma-heap-consumers.c.
 */
#ifndef _LINUX_DMA_HEAP_CONSUMERS_H
#define _LINUX_DMA_HEAP_CONSUMERS_H

struct device;
struct reserved_mem;

#if IS_ENABLED(CONFIG_DMABUF_HEAPS) && IS_ENABLED(CONFIG_OF_RESERVED_MEM)
void dma_heap_consumer_add(struct device *dev, const struct reserved_mem *rmem);
void dma_heap_consumer_remove(struct device *dev,
			      const struct reserved_mem *rmem);
void dma_heap_consumer_gone(struct device *dev);
#else
static inline void dma_heap_consumer_add(struct device *dev,
					 const struct reserved_mem *rmem) { }
static inline void dma_heap_consumer_remove(struct device *dev,
					    const struct reserved_mem *rmem) { }
static inline void dma_heap_consumer_gone(struct device *dev) { }
#endif

#endif /* _LINUX_DMA_HEAP_CONSUMERS_H */
