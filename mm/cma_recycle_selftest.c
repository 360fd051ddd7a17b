// SPDX-License-Identifier: GPL-2.0
/*
 * Selftest module: somebody else who allocates from CMA areas
 *
 * Heaps are not the only users of an area, and no other must fail for what a
 * heap's cache holds.  In debugfs, directory cma_recycle_selftest:
 *
 *	cma	write "<area> <bytes>": cma_alloc() of that much
 *	dma	the same through the DMA API, as a driver whose device has the area
 *		for its memory-region does
 *	search	allocates nothing: is somebody who has looked for that much, has
 *		found nothing, and is about to look again
 *	look	the same in two writes: begins to look; has found nothing
 *
 * An open file has one allocation, which is freed when the file is closed.  Fails
 * as the allocation does (ENODATA where there is no reason to look again);
 * -ENODEV without such an area.  The DMA API takes other memory where the area
 * has none: look at the area's numbers.
 *
 * Locking: none of its own.  Users of one open file take turns, or one of them
 * finds it occupied: holder->busy.
 */

#include <linux/atomic.h>
#include <linux/cma.h>
#include <linux/cma_dmem.h>
#include <linux/cma_recycle.h>
#include <linux/debugfs.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

/**
 * struct holder - an open file
 * @area: where the memory is from
 * @nr_pages: how much it is
 * @page: what cma_alloc() gave, or NULL
 * @device: NULL, or who the DMA API gave memory to
 * @vaddr: that memory
 * @handle: its address for the device
 * @looking: @want is that of somebody who has not found anything yet
 * @searching: @want is that of a search under way
 * @want: see cma_recycle_begin()
 * @busy: there is, or is about to be, an allocation
 */
struct holder {
	const struct cma_dmem_area *area;
	unsigned long nr_pages;
	struct page *page;
	struct platform_device *device;
	void *vaddr;
	dma_addr_t handle;
	bool looking;
	bool searching;
	struct cma_recycle_want want;
	atomic_t busy;
};

enum holder_kind {
	HOLDER_CMA,
	HOLDER_DMA,
	HOLDER_SEARCH,
	HOLDER_LOOK,
};

static struct dentry *selftest_dir;

static int holder_cma(struct holder *holder)
{
	holder->page = cma_alloc(holder->area->cma, holder->nr_pages, 0, true);
	return holder->page ? 0 : -ENOMEM;
}

#ifdef CONFIG_DMA_CMA
static int holder_dma(struct holder *holder)
{
	const struct platform_device_info info = {
		.name = "cma-recycle-selftest",
		.id = PLATFORM_DEVID_AUTO,
		.dma_mask = DMA_BIT_MASK(sizeof(dma_addr_t) * 8),
	};
	struct platform_device *device = platform_device_register_full(&info);

	if (IS_ERR(device))
		return PTR_ERR(device);
	/* the mask above is for streaming only */
	dma_coerce_mask_and_coherent(&device->dev, info.dma_mask);
	device->dev.cma_area = holder->area->cma;

	holder->vaddr = dma_alloc_coherent(&device->dev,
					   holder->nr_pages << PAGE_SHIFT,
					   &holder->handle,
					   GFP_KERNEL | __GFP_NOWARN);
	if (!holder->vaddr) {
		platform_device_unregister(device);
		return -ENOMEM;
	}
	holder->device = device;
	return 0;
}
#else
static int holder_dma(struct holder *holder)
{
	return -EOPNOTSUPP;
}
#endif

static void holder_begin(struct holder *holder)
{
	cma_recycle_begin(holder->area->cma, holder->nr_pages, 0, &holder->want);
	holder->looking = true;
}

static int holder_again(struct holder *holder)
{
	holder->looking = false;
	holder->searching = cma_recycle_again(holder->area->cma, &holder->want,
					      NULL);
	return holder->searching ? 0 : -ENODATA;
}

static ssize_t holder_write(struct file *file, const char __user *buf,
			    size_t count, loff_t *pos)
{
	enum holder_kind kind = debugfs_get_aux_num(file);
	struct holder *holder = file->private_data;
	const struct cma_dmem_area *area;
	unsigned long long bytes;
	char line[128], name[96];
	unsigned int i;
	int err;

	if (count >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, buf, count))
		return -EFAULT;
	line[count] = '\0';
	if (sscanf(line, "%95s %llu", name, &bytes) != 2 || !bytes)
		return -EINVAL;

	for (i = 0; (area = cma_dmem_area_by_idx(i)); i++)
		if (!strcmp(area->name, name))
			break;
	if (!area)
		return -ENODEV;
	if (bytes > area->size)
		return -ENOMEM;

	if (atomic_xchg(&holder->busy, 1))
		return -EBUSY;
	if (!holder->looking) {
		holder->area = area;
		holder->nr_pages = PAGE_ALIGN(bytes) >> PAGE_SHIFT;
	}
	switch (kind) {
	case HOLDER_CMA:
		err = holder_cma(holder);
		break;
	case HOLDER_DMA:
		err = holder_dma(holder);
		break;
	case HOLDER_SEARCH:
		holder_begin(holder);
		err = holder_again(holder);
		break;
	case HOLDER_LOOK:
		err = 0;
		if (holder->looking)
			err = holder_again(holder);
		else
			holder_begin(holder);
		break;
	}
	if (err || holder->looking)
		atomic_set(&holder->busy, 0);
	return err ?: count;
}

static int holder_open(struct inode *inode, struct file *file)
{
	file->private_data = kzalloc_obj(struct holder);
	return file->private_data ? 0 : -ENOMEM;
}

static int holder_release(struct inode *inode, struct file *file)
{
	struct holder *holder = file->private_data;

	if (holder->page)
		cma_release(holder->area->cma, holder->page, holder->nr_pages);
	if (holder->device) {
		dma_free_coherent(&holder->device->dev,
				  holder->nr_pages << PAGE_SHIFT, holder->vaddr,
				  holder->handle);
		platform_device_unregister(holder->device);
	}
	if (holder->searching)
		cma_recycle_again(holder->area->cma, &holder->want, NULL);
	kfree(holder);
	return 0;
}

static const struct file_operations holder_fops = {
	.owner = THIS_MODULE,
	.open = holder_open,
	.write = holder_write,
	.release = holder_release,
};

static int __init selftest_init(void)
{
	selftest_dir = debugfs_create_dir("cma_recycle_selftest", NULL);
	debugfs_create_file_aux_num("cma", 0200, selftest_dir, NULL,
				    HOLDER_CMA, &holder_fops);
	debugfs_create_file_aux_num("dma", 0200, selftest_dir, NULL,
				    HOLDER_DMA, &holder_fops);
	debugfs_create_file_aux_num("search", 0200, selftest_dir, NULL,
				    HOLDER_SEARCH, &holder_fops);
	debugfs_create_file_aux_num("look", 0200, selftest_dir, NULL,
				    HOLDER_LOOK, &holder_fops);
	return 0;
}
module_init(selftest_init);

static void __exit selftest_exit(void)
{
	debugfs_remove(selftest_dir);
}
module_exit(selftest_exit);

MODULE_DESCRIPTION("Selftest: another user of CMA areas");
MODULE_LICENSE("GPL");
