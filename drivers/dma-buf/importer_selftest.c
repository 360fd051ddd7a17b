// SPDX-License-Identifier: GPL-2.0
/*
 * Selftest module: an importer of dma-bufs
 *
 * What an exporter does for devices can be seen only with a device.  This module
 * has two without hardware, one that is coherent with the CPU's caches and one
 * that is not.  In debugfs, directory dma_buf_importer, files "coherent" and
 * "noncoherent".  An open file imports one buffer.  Write to it, a command at a
 * time:
 *
 *	import FD	take a reference to the buffer
 *	attach, detach
 *	map DIR, unmap	for DMA; DIR is to_device, from_device or both
 *	begin DIR, end DIR
 *			the CPU's access, as the kernel does it
 *	vmap, vunmap
 *	dev-write SEED	the device writes a pattern to where it was told to
 *	dev-check SEED	the device reads, and finds this pattern
 *	cpu-write SEED	the same for the kernel mapping
 *	cpu-check SEED
 *	cycles NUMBER	attach, map for both, unmap, detach, as often
 *	release		undo whatever was not; so does closing the file
 *
 * A command that does not fit what was done before is -EINVAL, a pattern that is
 * not there -EILSEQ; errors of the exporter are passed on.
 *
 * Reading gives lines of a word and a number:
 *
 *	cycles, ns	of the last "cycles"
 *	entries		segments that the device has been given by "map"
 *	bytes		in all of them
 *	frame		first page frame of the kernel mapping
 *	contiguous	1 if the frames of the kernel mapping are, else 0
 *
 * Pattern: the first and the last 64-bit word of each page; pattern_of() and its
 * double in the selftests say what they are.
 *
 * The devices have no IOMMU: a DMA address is one that the CPU can reach as well.
 * If the DMA API bounces (swiotlb=force) the device sees only what was synced.
 *
 * Locking: importer->lock is held for each command.
 */

#include <linux/cleanup.h>
#include <linux/debugfs.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/iosys-map.h>
#include <linux/kstrtox.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#ifdef CONFIG_HAS_DMA
#include <linux/dma-direct.h>
#endif

/**
 * struct importer - what is being done through an open file
 * @dev: one of the two devices
 * @lock: protects the rest
 * @dmabuf: NULL, or the buffer, with a reference
 * @attachment: NULL, or that of @dev to @dmabuf
 * @table: NULL, or where @dev finds the buffer
 * @dir: what @table is for
 * @map: kernel mapping, if @mapped
 * @mapped: there is one
 * @cycles: how many were asked for last
 * @ns: how long they took
 */
struct importer {
	struct device *dev;
	struct mutex lock;	/* held for each command */
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attachment;
	struct sg_table *table;
	enum dma_data_direction dir;
	struct iosys_map map;
	bool mapped;
	u64 cycles;
	u64 ns;
};

static struct platform_device *importer_devices[2];
static struct dentry *importer_dir;

/* -- patterns ------------------------------------------------------------- */

static u64 pattern_of(u64 page_number, u32 seed)
{
	return (page_number << 32 | seed) * 0x9e3779b97f4a7c15ULL + 1;
}

/* One page at @vaddr, page @number of the buffer. */
static int pattern_page(void *vaddr, u64 number, u32 seed, bool write)
{
	u64 word = pattern_of(number, seed);
	u64 *first = vaddr, *last = vaddr + PAGE_SIZE - sizeof(*last);

	if (write) {
		*first = word;
		*last = ~word;
		return 0;
	}
	return *first == word && *last == ~word ? 0 : -EILSEQ;
}

#ifdef CONFIG_HAS_DMA
static int importer_device_pattern(struct importer *importer, u32 seed,
				   bool write)
{
	struct scatterlist *sg;
	u64 number = 0;
	unsigned int i;
	int err = 0;

	if (!importer->table)
		return -EINVAL;
	for_each_sgtable_dma_sg(importer->table, sg, i) {
		phys_addr_t phys = dma_to_phys(importer->dev, sg_dma_address(sg));
		size_t at;

		for (at = 0; at < sg_dma_len(sg) && !err; at += PAGE_SIZE) {
			struct page *page = pfn_to_page(PHYS_PFN(phys + at));
			void *vaddr = kmap_local_page(page);

			err = pattern_page(vaddr, number++, seed, write);
			kunmap_local(vaddr);
		}
	}
	return err;
}
#else
static int importer_device_pattern(struct importer *importer, u32 seed,
				   bool write)
{
	return -EINVAL;
}
#endif

static int importer_kernel_pattern(struct importer *importer, u32 seed,
				   bool write)
{
	size_t at;
	int err = 0;

	if (!importer->mapped)
		return -EINVAL;
	for (at = 0; at < importer->dmabuf->size && !err; at += PAGE_SIZE)
		err = pattern_page(importer->map.vaddr + at, at / PAGE_SIZE,
				   seed, write);
	return err;
}

/* -- commands ------------------------------------------------------------- */

static int importer_import(struct importer *importer, int fd)
{
	struct dma_buf *dmabuf;

	if (importer->dmabuf)
		return -EINVAL;
	dmabuf = dma_buf_get(fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	importer->dmabuf = dmabuf;
	return 0;
}

static int importer_attach(struct importer *importer)
{
	struct dma_buf_attachment *attachment;

	if (!importer->dmabuf || importer->attachment)
		return -EINVAL;
	attachment = dma_buf_attach(importer->dmabuf, importer->dev);
	if (IS_ERR(attachment))
		return PTR_ERR(attachment);
	importer->attachment = attachment;
	return 0;
}

static int importer_detach(struct importer *importer)
{
	if (!importer->attachment || importer->table)
		return -EINVAL;
	dma_buf_detach(importer->dmabuf, importer->attachment);
	importer->attachment = NULL;
	return 0;
}

static int importer_map(struct importer *importer, enum dma_data_direction dir)
{
	struct sg_table *table;

	if (!importer->attachment || importer->table)
		return -EINVAL;
	table = dma_buf_map_attachment_unlocked(importer->attachment, dir);
	if (IS_ERR(table))
		return PTR_ERR(table);
	importer->table = table;
	importer->dir = dir;
	return 0;
}

static int importer_unmap(struct importer *importer)
{
	if (!importer->table)
		return -EINVAL;
	dma_buf_unmap_attachment_unlocked(importer->attachment, importer->table,
					  importer->dir);
	importer->table = NULL;
	return 0;
}

static int importer_vmap(struct importer *importer)
{
	int err;

	if (!importer->dmabuf || importer->mapped)
		return -EINVAL;
	err = dma_buf_vmap_unlocked(importer->dmabuf, &importer->map);
	importer->mapped = !err;
	return err;
}

static int importer_vunmap(struct importer *importer)
{
	if (!importer->mapped)
		return -EINVAL;
	dma_buf_vunmap_unlocked(importer->dmabuf, &importer->map);
	importer->mapped = false;
	return 0;
}

static void importer_release(struct importer *importer)
{
	if (importer->mapped)
		importer_vunmap(importer);
	if (importer->table)
		importer_unmap(importer);
	if (importer->attachment)
		importer_detach(importer);
	if (importer->dmabuf)
		dma_buf_put(importer->dmabuf);
	importer->dmabuf = NULL;
}

static int importer_cycles(struct importer *importer, u32 number)
{
	u64 start;
	u32 i;
	int err = 0;

	if (!importer->dmabuf || importer->attachment)
		return -EINVAL;

	start = ktime_get_ns();
	for (i = 0; i < number && !err; i++) {
		err = importer_attach(importer);
		if (!err)
			err = importer_map(importer, DMA_BIDIRECTIONAL);
		if (importer->table)
			importer_unmap(importer);
		if (importer->attachment)
			importer_detach(importer);
		if (signal_pending(current))
			err = -EINTR;
	}
	importer->ns = ktime_get_ns() - start;
	importer->cycles = number;
	return err;
}

/* -- debugfs -------------------------------------------------------------- */

static int importer_direction(const char *word, enum dma_data_direction *dir)
{
	if (!strcmp(word, "to_device"))
		*dir = DMA_TO_DEVICE;
	else if (!strcmp(word, "from_device"))
		*dir = DMA_FROM_DEVICE;
	else if (!strcmp(word, "both"))
		*dir = DMA_BIDIRECTIONAL;
	else
		return -EINVAL;
	return 0;
}

static int importer_command(struct importer *importer, char *line)
{
	const char *word = strsep(&line, " ");
	enum dma_data_direction dir;
	u32 number;

	/* those without an argument */
	if (!line) {
		if (!strcmp(word, "attach"))
			return importer_attach(importer);
		if (!strcmp(word, "detach"))
			return importer_detach(importer);
		if (!strcmp(word, "unmap"))
			return importer_unmap(importer);
		if (!strcmp(word, "vmap"))
			return importer_vmap(importer);
		if (!strcmp(word, "vunmap"))
			return importer_vunmap(importer);
		if (strcmp(word, "release"))
			return -EINVAL;
		importer_release(importer);
		return 0;
	}

	/* with a direction */
	if (!importer_direction(line, &dir)) {
		if (!strcmp(word, "map"))
			return importer_map(importer, dir);
		if (!importer->dmabuf)
			return -EINVAL;
		if (!strcmp(word, "begin"))
			return dma_buf_begin_cpu_access(importer->dmabuf, dir);
		if (!strcmp(word, "end"))
			return dma_buf_end_cpu_access(importer->dmabuf, dir);
		return -EINVAL;
	}

	/* with a number */
	if (kstrtou32(line, 0, &number))
		return -EINVAL;
	if (!strcmp(word, "import"))
		return importer_import(importer, number);
	if (!strcmp(word, "cycles"))
		return importer_cycles(importer, number);
	if (!strcmp(word, "dev-write"))
		return importer_device_pattern(importer, number, true);
	if (!strcmp(word, "dev-check"))
		return importer_device_pattern(importer, number, false);
	if (!strcmp(word, "cpu-write"))
		return importer_kernel_pattern(importer, number, true);
	if (!strcmp(word, "cpu-check"))
		return importer_kernel_pattern(importer, number, false);
	return -EINVAL;
}

static ssize_t importer_write(struct file *file, const char __user *buf,
			      size_t count, loff_t *pos)
{
	struct seq_file *sf = file->private_data;
	struct importer *importer = sf->private;
	char line[64];
	int err;

	if (count >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, buf, count))
		return -EFAULT;
	line[count] = '\0';

	guard(mutex)(&importer->lock);
	err = importer_command(importer, strim(line));
	return err ?: count;
}

/* Any kernel mapping: of low memory, or made by vmap(). */
static unsigned long importer_frame(const void *vaddr)
{
	return page_to_pfn(is_vmalloc_addr(vaddr) ? vmalloc_to_page(vaddr) :
			   virt_to_page(vaddr));
}

static int importer_show(struct seq_file *sf, void *v)
{
	struct importer *importer = sf->private;
	struct scatterlist *sg;
	unsigned int i;
	u64 bytes = 0;

	guard(mutex)(&importer->lock);
	if (importer->cycles)
		seq_printf(sf, "cycles %llu\nns %llu\n", importer->cycles,
			   importer->ns);
	if (importer->table) {
		for_each_sgtable_dma_sg(importer->table, sg, i)
			bytes += sg_dma_len(sg);
		seq_printf(sf, "entries %u\nbytes %llu\n",
			   importer->table->nents, bytes);
	}
	if (importer->mapped) {
		void *vaddr = importer->map.vaddr;
		unsigned long first = importer_frame(vaddr);
		bool contiguous = true;
		size_t at;

		for (at = 0; at < importer->dmabuf->size; at += PAGE_SIZE)
			if (importer_frame(vaddr + at) != first + at / PAGE_SIZE)
				contiguous = false;
		seq_printf(sf, "frame %lu\ncontiguous %d\n", first, contiguous);
	}
	return 0;
}

static int importer_open(struct inode *inode, struct file *file)
{
	struct importer *importer;
	int err;

	importer = kzalloc_obj(*importer);
	if (!importer)
		return -ENOMEM;
	importer->dev = inode->i_private;
	mutex_init(&importer->lock);

	err = single_open(file, importer_show, importer);
	if (err)
		kfree(importer);
	return err;
}

static int importer_close(struct inode *inode, struct file *file)
{
	struct seq_file *sf = file->private_data;
	struct importer *importer = sf->private;

	importer_release(importer);
	mutex_destroy(&importer->lock);
	kfree(importer);
	return single_release(inode, file);
}

static const struct file_operations importer_fops = {
	.owner = THIS_MODULE,
	.open = importer_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.write = importer_write,
	.release = importer_close,
};

/* -- the devices ---------------------------------------------------------- */

static int __init importer_add(unsigned int i, const char *name, bool coherent)
{
	const struct platform_device_info info = {
		.name = name,
		.id = PLATFORM_DEVID_NONE,
		.dma_mask = DMA_BIT_MASK(sizeof(dma_addr_t) * 8),
	};
	struct platform_device *device = platform_device_register_full(&info);

	if (IS_ERR(device))
		return PTR_ERR(device);
	dev_assign_dma_coherent(&device->dev, coherent);
	/* a buffer is one segment, however large */
	dma_set_max_seg_size(&device->dev, UINT_MAX);
	importer_devices[i] = device;
	return 0;
}

static int __init importer_init(void)
{
	int err;

	err = importer_add(0, "dma-buf-importer-coherent", true);
	if (err)
		return err;
	err = importer_add(1, "dma-buf-importer-noncoherent", false);
	if (err) {
		platform_device_unregister(importer_devices[0]);
		return err;
	}
	importer_dir = debugfs_create_dir("dma_buf_importer", NULL);
	debugfs_create_file("coherent", 0600, importer_dir,
			    &importer_devices[0]->dev, &importer_fops);
	debugfs_create_file("noncoherent", 0600, importer_dir,
			    &importer_devices[1]->dev, &importer_fops);
	return 0;
}
module_init(importer_init);

static void __exit importer_exit(void)
{
	debugfs_remove(importer_dir);
	platform_device_unregister(importer_devices[1]);
	platform_device_unregister(importer_devices[0]);
}
module_exit(importer_exit);

MODULE_DESCRIPTION("Selftest importer of dma-bufs");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
