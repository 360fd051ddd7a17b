// SPDX-License-Identifier: GPL-2.0
/*
 * DMA-BUF heaps for CMA areas
 *
 * One heap for each area that mm/cma_dmem.c lists: reusable reserved-memory
 * regions, the default area, areas named on the command line.  The default area
 * has a second heap under the name that the area itself has, for userspace that
 * knows it by that.
 *
 * A buffer is one contiguous run of whole pages, zeroed.  It is charged, page
 * rounded, to the area's dmem region in the cgroup of the task that allocates;
 * the charge is made before the pages are taken and given back after they are
 * free again, when the last reference to the dma-buf goes.  What becomes of free
 * pages until the next buffer takes them: mm/cma_recycle.c.
 *
 * Refusals: -ENOSPC if a dmem limit says no, -ENOMEM if the area has no room or
 * never could have or kernel memory is short, -EINTR if the task is killed while
 * it waits or while the pages are zeroed.
 *
 * Locking: buffer->lock protects the list of attachments, their @mapped, and the
 * kernel mapping.  It nests inside the dma-buf's reservation lock, which the
 * dma-buf core holds around map, unmap, vmap and vunmap; attach, detach and CPU
 * access come without that one, therefore our own.
 */

#define pr_fmt(fmt) "cma_heap: " fmt

#include <linux/cacheinfo.h>
#include <linux/cgroup_dmem.h>
#include <linux/cma.h>
#include <linux/cma_dmem.h>
#include <linux/cma_recycle.h>
#include <linux/contig_fault.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/dma-heap-facts.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/highmem.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pgtable.h>
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

/* Alignment of all buffers as large, as an order: that of the DMA API's. */
#ifdef CONFIG_CMA_ALIGNMENT
#define CMA_HEAP_MAX_ALIGN	CONFIG_CMA_ALIGNMENT
#else
#define CMA_HEAP_MAX_ALIGN	8
#endif

/*
 * A huge page's alignment is not worth more of the area than this share of the
 * buffer: 3 MiB at each second 2 MiB would leave a quarter unused.
 */
#define CMA_HEAP_ALIGN_SHARE	8

/* Zeroed between two looks at whether the task was killed. */
#define CMA_HEAP_ZERO_PAGES	(SZ_2M / PAGE_SIZE)

/* A scatterlist entry's length is an unsigned int. */
#define CMA_HEAP_SG_PAGES	(UINT_MAX >> PAGE_SHIFT)

/**
 * struct cma_heap_buffer - what a dma-buf of ours is about
 * @area: where the pages came from
 * @pool: what was charged for them, NULL if nothing was
 * @pfn: the first page
 * @nr_pages: how many there are
 * @lock: protects the rest
 * @attachments: &struct cma_heap_attachment, mapped or not
 * @vaddr: kernel mapping, of use while @vmap_count is not 0
 * @vmap_count: users of @vaddr
 */
struct cma_heap_buffer {
	const struct cma_dmem_area *area;
	struct dmem_cgroup_pool_state *pool;
	unsigned long pfn;
	unsigned long nr_pages;
	struct mutex lock;	/* see above */
	struct list_head attachments;
	void *vaddr;
	unsigned int vmap_count;
};

struct cma_heap_attachment {
	struct device *dev;
	struct sg_table table;
	struct list_head node;
	bool mapped;
};

static size_t cma_heap_size(const struct cma_heap_buffer *buffer)
{
	return buffer->nr_pages << PAGE_SHIFT;
}

static bool cma_heap_highmem(const struct cma_heap_buffer *buffer)
{
	/* CMA has no areas with pages of two zones */
	return PageHighMem(pfn_to_page(buffer->pfn));
}

/* -- devices -------------------------------------------------------------- */

static int cma_heap_attach(struct dma_buf *dmabuf,
			   struct dma_buf_attachment *attachment)
{
	struct cma_heap_buffer *buffer = dmabuf->priv;
	unsigned long pfn = buffer->pfn, left = buffer->nr_pages;
	struct cma_heap_attachment *a;
	struct scatterlist *sg;
	unsigned int i;
	int err;

	a = kzalloc_obj(*a);
	if (!a)
		return -ENOMEM;

	err = sg_alloc_table(&a->table, DIV_ROUND_UP(left, CMA_HEAP_SG_PAGES),
			     GFP_KERNEL);
	if (err) {
		kfree(a);
		return err;
	}
	for_each_sgtable_sg(&a->table, sg, i) {
		unsigned long n = min(left, CMA_HEAP_SG_PAGES);

		sg_set_page(sg, pfn_to_page(pfn), n << PAGE_SHIFT, 0);
		pfn += n;
		left -= n;
	}
	a->dev = attachment->dev;
	attachment->priv = a;

	mutex_lock(&buffer->lock);
	list_add(&a->node, &buffer->attachments);
	mutex_unlock(&buffer->lock);
	return 0;
}

static void cma_heap_detach(struct dma_buf *dmabuf,
			    struct dma_buf_attachment *attachment)
{
	struct cma_heap_buffer *buffer = dmabuf->priv;
	struct cma_heap_attachment *a = attachment->priv;

	mutex_lock(&buffer->lock);
	list_del(&a->node);
	mutex_unlock(&buffer->lock);

	sg_free_table(&a->table);
	kfree(a);
}

static struct sg_table *cma_heap_map(struct dma_buf_attachment *attachment,
				     enum dma_data_direction direction)
{
	struct cma_heap_buffer *buffer = attachment->dmabuf->priv;
	struct cma_heap_attachment *a = attachment->priv;
	int err;

	err = dma_map_sgtable(attachment->dev, &a->table, direction, 0);
	if (err)
		return ERR_PTR(err);

	mutex_lock(&buffer->lock);
	a->mapped = true;
	mutex_unlock(&buffer->lock);
	return &a->table;
}

static void cma_heap_unmap(struct dma_buf_attachment *attachment,
			   struct sg_table *table,
			   enum dma_data_direction direction)
{
	struct cma_heap_buffer *buffer = attachment->dmabuf->priv;
	struct cma_heap_attachment *a = attachment->priv;

	/* from here on no CPU access syncs a mapping that is about to go */
	mutex_lock(&buffer->lock);
	a->mapped = false;
	mutex_unlock(&buffer->lock);

	dma_unmap_sgtable(attachment->dev, table, direction, 0);
}

/* -- the CPU -------------------------------------------------------------- */

/* Hands the buffer over between its devices and the CPU, caches and all. */
static void cma_heap_sync(struct cma_heap_buffer *buffer, bool to_cpu,
			  enum dma_data_direction direction)
{
	struct cma_heap_attachment *a;

	guard(mutex)(&buffer->lock);

	if (buffer->vmap_count && to_cpu)
		invalidate_kernel_vmap_range(buffer->vaddr,
					     cma_heap_size(buffer));
	else if (buffer->vmap_count)
		flush_kernel_vmap_range(buffer->vaddr, cma_heap_size(buffer));

	list_for_each_entry(a, &buffer->attachments, node) {
		if (!a->mapped)
			continue;
		if (to_cpu)
			dma_sync_sgtable_for_cpu(a->dev, &a->table, direction);
		else
			dma_sync_sgtable_for_device(a->dev, &a->table,
						    direction);
	}
}

static int cma_heap_begin_cpu_access(struct dma_buf *dmabuf,
				     enum dma_data_direction direction)
{
	cma_heap_sync(dmabuf->priv, true, direction);
	return 0;
}

static int cma_heap_end_cpu_access(struct dma_buf *dmabuf,
				   enum dma_data_direction direction)
{
	cma_heap_sync(dmabuf->priv, false, direction);
	return 0;
}

/*
 * The pages do not move while the mapping holds the dma-buf: no lock.  Mappings
 * of 2 MiB and more start where it suits PMDs: dma_buf_fops sees to that.
 */
static vm_fault_t cma_heap_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	struct cma_heap_buffer *buffer = vmf->vma->vm_private_data;

	return vmf_insert_contig(vmf, buffer->pfn, buffer->nr_pages, order);
}

static vm_fault_t cma_heap_fault(struct vm_fault *vmf)
{
	return cma_heap_huge_fault(vmf, 0);
}

static const struct vm_operations_struct cma_heap_vm_ops = {
	.fault = cma_heap_fault,
#ifdef CONFIG_ARCH_SUPPORTS_PMD_PFNMAP
	.huge_fault = cma_heap_huge_fault,
#endif
};

static int cma_heap_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	/* a private copy would be main memory, and not what was asked for */
	if (!(vma->vm_flags & (VM_SHARED | VM_MAYSHARE)))
		return -EINVAL;

	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_ops = &cma_heap_vm_ops;
	vma->vm_private_data = dmabuf->priv;
	return 0;
}

/* A kernel mapping: low memory has one, high memory gets one. */
static void *cma_heap_map_kernel(struct cma_heap_buffer *buffer)
{
	struct page **pages;
	unsigned long i;
	void *vaddr;

	if (!cma_heap_highmem(buffer))
		return page_address(pfn_to_page(buffer->pfn));

	pages = kvmalloc_objs(*pages, buffer->nr_pages);
	if (!pages)
		return NULL;
	for (i = 0; i < buffer->nr_pages; i++)
		pages[i] = pfn_to_page(buffer->pfn + i);
	vaddr = vmap(pages, buffer->nr_pages, VM_MAP, PAGE_KERNEL);
	kvfree(pages);
	return vaddr;
}

static void cma_heap_unmap_kernel(struct cma_heap_buffer *buffer)
{
	if (cma_heap_highmem(buffer))
		vunmap(buffer->vaddr);
	buffer->vaddr = NULL;
}

static int cma_heap_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct cma_heap_buffer *buffer = dmabuf->priv;

	guard(mutex)(&buffer->lock);
	if (!buffer->vmap_count) {
		buffer->vaddr = cma_heap_map_kernel(buffer);
		if (!buffer->vaddr)
			return -ENOMEM;
	}
	buffer->vmap_count++;
	iosys_map_set_vaddr(map, buffer->vaddr);
	return 0;
}

static void cma_heap_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct cma_heap_buffer *buffer = dmabuf->priv;

	iosys_map_clear(map);

	guard(mutex)(&buffer->lock);
	if (!--buffer->vmap_count)
		cma_heap_unmap_kernel(buffer);
}

/* -- allocation and release ----------------------------------------------- */

/*
 * Userspace is to see zeros where it has the pages at addresses of another cache
 * colour.  Each page says by itself whether that is still to be done, and a
 * recycled one says what was true for the last buffer.
 */
static void cma_heap_flush(unsigned long pfn, unsigned long end)
{
	if (!cpu_dcache_is_aliasing())
		return;
	for (; pfn < end; pfn++)
		flush_dcache_page(pfn_to_page(pfn));
}

/* 0, or -EINTR if the task was killed: then nobody will miss the rest. */
static int cma_heap_zero(const struct cma_heap_buffer *buffer)
{
	unsigned long pfn = buffer->pfn, end = pfn + buffer->nr_pages;
	bool highmem = cma_heap_highmem(buffer);

	while (pfn < end) {
		unsigned long stop = min(end, pfn + CMA_HEAP_ZERO_PAGES);
		unsigned long start = pfn;

		if (fatal_signal_pending(current))
			return -EINTR;

		if (highmem) {
			for (; pfn < stop; pfn++)
				clear_highpage(pfn_to_page(pfn));
		} else {
			clear_pages(page_address(pfn_to_page(pfn)), stop - pfn);
			pfn = stop;
		}
		cma_heap_flush(start, stop);
		cond_resched();
	}
	return 0;
}

static int cma_heap_charge(struct cma_heap_buffer *buffer)
{
	int err;

	err = dmem_cgroup_try_charge(buffer->area->region,
				     cma_heap_size(buffer), &buffer->pool, NULL);
	/*
	 * At a limit there is nothing to evict here.  -EAGAIN must not get out:
	 * callers that wrap ioctls like libdrm does would try for ever.
	 */
	return err == -EAGAIN ? -ENOSPC : err;
}

static void cma_heap_uncharge(struct cma_heap_buffer *buffer)
{
	dmem_cgroup_uncharge(buffer->pool, cma_heap_size(buffer));
}

/* The alignment to have if there is room: what can be mapped with PMDs. */
static unsigned int cma_heap_wish(unsigned long nr_pages, unsigned int align)
{
	unsigned long with, without;

	if (!IS_ENABLED(CONFIG_ARCH_SUPPORTS_PMD_PFNMAP) ||
	    align >= PMD_ORDER || nr_pages < 1UL << PMD_ORDER)
		return align;
	with = ALIGN(nr_pages, 1UL << PMD_ORDER);
	without = ALIGN(nr_pages, 1UL << align);
	return with - without <= nr_pages / CMA_HEAP_ALIGN_SHARE ? PMD_ORDER :
								   align;
}

static int cma_heap_take_pages(struct cma_heap_buffer *buffer)
{
	unsigned int order = get_order(cma_heap_size(buffer));
	unsigned int align = min(order, CMA_HEAP_MAX_ALIGN);
	struct page *page;

	page = cma_recycle_alloc(buffer->area->cma, buffer->nr_pages, align,
				 cma_heap_wish(buffer->nr_pages, align));
	if (!page)
		return fatal_signal_pending(current) ? -EINTR : -ENOMEM;
	buffer->pfn = page_to_pfn(page);
	return 0;
}

static void cma_heap_release_pages(struct cma_heap_buffer *buffer)
{
	cma_recycle_free(buffer->area->cma, pfn_to_page(buffer->pfn),
			 buffer->nr_pages);
}

static void cma_heap_release(struct dma_buf *dmabuf)
{
	struct cma_heap_buffer *buffer = dmabuf->priv;

	if (WARN_ON_ONCE(buffer->vmap_count))
		cma_heap_unmap_kernel(buffer);

	cma_heap_release_pages(buffer);
	cma_heap_uncharge(buffer);
	kfree(buffer);
}

static void cma_heap_show_fdinfo(struct dma_buf *dmabuf, struct seq_file *m)
{
	const struct cma_heap_buffer *buffer = dmabuf->priv;

	dmem_cgroup_show_fdinfo(m, buffer->pool);
}

static const struct dma_buf_ops cma_heap_buf_ops = {
	.attach = cma_heap_attach,
	.detach = cma_heap_detach,
	.map_dma_buf = cma_heap_map,
	.unmap_dma_buf = cma_heap_unmap,
	.begin_cpu_access = cma_heap_begin_cpu_access,
	.end_cpu_access = cma_heap_end_cpu_access,
	.mmap = cma_heap_mmap,
	.vmap = cma_heap_vmap,
	.vunmap = cma_heap_vunmap,
	.release = cma_heap_release,
	.show_fdinfo = cma_heap_show_fdinfo,
};

static struct dma_buf *cma_heap_allocate(struct dma_heap *heap,
					 unsigned long len, u32 fd_flags,
					 u64 heap_flags)
{
	const struct cma_dmem_area *area = dma_heap_get_drvdata(heap);
	DEFINE_DMA_BUF_EXPORT_INFO(exp_info);
	struct cma_heap_buffer *buffer;
	struct dma_buf *dmabuf;
	int err;

	/* never fits, whoever asks; it also keeps what follows from wrapping */
	if (len > area->size)
		return ERR_PTR(-ENOMEM);

	/* small, but many of them can be had: not for nothing */
	buffer = kzalloc_obj(*buffer, GFP_KERNEL_ACCOUNT);
	if (!buffer)
		return ERR_PTR(-ENOMEM);
	buffer->area = area;
	buffer->nr_pages = PAGE_ALIGN(len) >> PAGE_SHIFT;
	mutex_init(&buffer->lock);
	INIT_LIST_HEAD(&buffer->attachments);

	err = cma_heap_charge(buffer);
	if (err)
		goto err_free;
	err = cma_heap_take_pages(buffer);
	if (err)
		goto err_uncharge;
	err = cma_heap_zero(buffer);
	if (err)
		goto err_release;

	exp_info.exp_name = dma_heap_get_name(heap);
	exp_info.ops = &cma_heap_buf_ops;
	exp_info.size = cma_heap_size(buffer);
	exp_info.flags = fd_flags;
	exp_info.priv = buffer;
	dmabuf = dma_buf_export(&exp_info);
	if (IS_ERR(dmabuf)) {
		err = PTR_ERR(dmabuf);
		goto err_release;
	}
	return dmabuf;

err_release:
	cma_heap_release_pages(buffer);
err_uncharge:
	cma_heap_uncharge(buffer);
err_free:
	kfree(buffer);
	return ERR_PTR(err);
}

static void cma_heap_describe(struct dma_heap *heap,
			      struct dma_heap_facts *facts)
{
	const struct cma_dmem_area *area = dma_heap_get_drvdata(heap);

	if (area->region)
		facts->accounting = DMA_HEAP_ACCOUNTING_DMEM;
	facts->region = dmem_cgroup_region_name(area->region);
	facts->size = area->size;
	facts->available = cma_dmem_available(area);
	facts->alignment = PAGE_SIZE;
	facts->of_node = area->of_node;
}

static const struct dma_heap_ops cma_heap_ops = {
	.allocate = cma_heap_allocate,
	.describe = cma_heap_describe,
};

/* -- registration --------------------------------------------------------- */

static void __init cma_heap_add(const struct cma_dmem_area *area,
				const char *name)
{
	struct dma_heap_export_info exp_info = {
		.name = name,
		.ops = &cma_heap_ops,
		/* no heap writes to its area */
		.priv = (void *)area,
	};
	struct dma_heap *heap = dma_heap_add(&exp_info);

	if (IS_ERR(heap))
		pr_err("%s: no heap: %pe\n", name, heap);
}

static int __init cma_heap_init(void)
{
	const struct cma_dmem_area *area, *other;
	unsigned int i, j;

	for (i = 0; (area = cma_dmem_area_by_idx(i)); i++)
		cma_heap_add(area, area->name);

	/* the default area's other name, unless another area's heap has it */
	for (i = 0; (area = cma_dmem_area_by_idx(i)); i++) {
		const char *alias = cma_get_name(area->cma);

		for (j = 0; (other = cma_dmem_area_by_idx(j)); j++)
			if (!strcmp(other->name, alias))
				break;
		if (!other)
			cma_heap_add(area, alias);
	}
	return 0;
}
module_init(cma_heap_init);

MODULE_DESCRIPTION("DMA-BUF heaps for CMA areas, charged to the dmem cgroup controller");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("DMA_BUF_HEAP");
