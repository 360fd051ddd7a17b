/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What a dma-buf heap is made of and which cgroup resource it charges.
 * Included by linux/dma-heap.h.
 */
#ifndef _UAPI_LINUX_DMA_HEAP_INFO_H
#define _UAPI_LINUX_DMA_HEAP_INFO_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * enum dma_heap_accounting - which cgroup resource allocations are charged to
 * @DMA_HEAP_ACCOUNTING_NONE: none that the heap's driver tells
 * @DMA_HEAP_ACCOUNTING_MEMORY: main memory, the memory controller's
 * @DMA_HEAP_ACCOUNTING_DMEM: a region of the dmem controller
 */
enum dma_heap_accounting {
	DMA_HEAP_ACCOUNTING_NONE,
	DMA_HEAP_ACCOUNTING_MEMORY,
	DMA_HEAP_ACCOUNTING_DMEM,
};

/* Room for the name of a region, with the NUL. */
#define DMA_HEAP_INFO_REGION_SIZE	128

/**
 * struct dma_heap_info - what is known about a heap
 * @size: out: bytes that the heap has in all, 0 if that is not known
 * @available: out: bytes of these that are free now, in pieces of any size;
 *	of use if @size is not 0
 * @alignment: out: buffers start at a multiple of this many bytes, and lengths
 *	are rounded up to one; 0 if that is not known
 * @accounting: out: &enum dma_heap_accounting
 * @flags: must be 0
 * @of_node: in: address of room for the path of the device tree node that
 *	describes the memory, such as "/reserved-memory/video@58000000"
 * @consumers: in: address of room for the names of the devices that were given
 *	the memory, as in the heap's consumers/ in sysfs, each with a NUL at its
 *	end
 * @of_node_size: in: bytes of room at @of_node; out: bytes that the path takes
 *	with its NUL, 0 if there is no node
 * @consumers_size: in: bytes of room at @consumers; out: bytes that the names
 *	take, 0 if there are none
 * @region: out: name of the dmem region, as in dmem.max; empty unless
 *	@accounting is %DMA_HEAP_ACCOUNTING_DMEM
 * @reserved: must be 0
 *
 * Text for which there is not enough room, or 0 for an address, is left out,
 * wholly: the sizes that come back say how much room a second call has to offer.
 * A call that fails leaves the struct as it was.
 *
 * The struct will grow at its end.  Its size is part of the request, so that old
 * and new programs and kernels get along: what this kernel has and the program
 * does not know is left out, and what the program has and this kernel does not
 * know must be 0, and stays so.
 */
struct dma_heap_info {
	__u64 size;
	__u64 available;
	__u64 alignment;
	__u32 accounting;
	__u32 flags;
	__u64 of_node;
	__u64 consumers;
	__u32 of_node_size;
	__u32 consumers_size;
	char region[DMA_HEAP_INFO_REGION_SIZE];
	__u64 reserved[4];
};

/* Size of the struct when it was new: a request with less is not valid. */
#define DMA_HEAP_INFO_SIZE_VER0		216

/**
 * DOC: DMA_HEAP_IOCTL_GET_INFO - what a heap is made of and what it charges
 *
 * Takes a &struct dma_heap_info.  Fails with
 *
 * - E2BIG if there is something other than 0 beyond the struct that the kernel
 *   knows;
 *
 * - EINVAL if the struct is smaller than %DMA_HEAP_INFO_SIZE_VER0, or what must
 *   be 0 is not.  A kernel that does not have the request says EINVAL, too;
 *
 * - EFAULT if the struct, or room for text, is not there;
 *
 * - EOVERFLOW if the name of the region does not fit;
 *
 * - ENOMEM if the kernel lacks memory.
 */
#define DMA_HEAP_IOCTL_GET_INFO	_IOWR(DMA_HEAP_IOC_MAGIC, 0xb0,\
				      struct dma_heap_info)

#endif /* _UAPI_LINUX_DMA_HEAP_INFO_H */
