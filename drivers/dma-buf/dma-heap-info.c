// SPDX-License-Identifier: GPL-2.0
/*
 * What a dma-buf heap tells about itself
 *
 * Facts about accounting and placement: which cgroup resource an allocation is
 * charged to, how much memory there is and is left, where it is described, whose
 * it is.  In sysfs for those who look for a heap, by DMA_HEAP_IOCTL_GET_INFO for
 * those who were handed one.  No facts about what a heap would be good for:
 * whoever has to choose knows better than any set of flags.
 *
 * The heap's driver is asked each time (&dma_heap_ops.describe), so that what
 * depends on the kernel's command line or on who allocates is as it is now.
 * Of a heap whose driver tells nothing there is the accounting, "none", and no
 * file for what is not known.
 *
 * Locking: none here.  A heap is there for ever, and what describe() gives is
 * the heap's affair; see dma-heap-consumers.c for the list of devices.
 */

#include <linux/build_bug.h>
#include <linux/cleanup.h>
#include <linux/device.h>
#include <linux/dma-heap.h>
#include <linux/dma-heap-facts.h>
#include <linux/export.h>
#include <linux/memcontrol.h>
#include <linux/of.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/uaccess.h>

#include "dma-heap-internal.h"

/**
 * struct dma_heap_device - a heap in sysfs
 * @dev: its device
 * @heap: the heap
 * @ops: its operations
 * @watch: links to the devices that share its memory
 */
struct dma_heap_device {
	struct device dev;
	struct dma_heap *heap;
	const struct dma_heap_ops *ops;
	struct dma_heap_watch watch;
};

/* The layout is the same for every word size: nothing to translate for compat. */
static_assert(sizeof(struct dma_heap_info) == DMA_HEAP_INFO_SIZE_VER0);
static_assert(offsetof(struct dma_heap_info, of_node) == 32);
static_assert(offsetof(struct dma_heap_info, region) == 56);
static_assert(offsetof(struct dma_heap_info, reserved) == 184);

/**
 * dma_heap_describe_memory() - describe a heap that charges main memory
 * @heap: the heap
 * @facts: filled in
 *
 * A &dma_heap_ops.describe for heaps that take pages of any place from the page
 * allocator, accounted if mem_accounting is set.
 *
 * Context: Any, after early parameters are parsed.
 */
void dma_heap_describe_memory(struct dma_heap *heap,
			      struct dma_heap_facts *facts)
{
	/* what __GFP_ACCOUNT depends on, beside a cgroup other than the root */
	if (mem_accounting && !mem_cgroup_disabled() &&
	    !mem_cgroup_kmem_disabled())
		facts->accounting = DMA_HEAP_ACCOUNTING_MEMORY;
	facts->alignment = PAGE_SIZE;
}
EXPORT_SYMBOL_NS_GPL(dma_heap_describe_memory, "DMA_BUF_HEAP");

static struct dma_heap_facts dma_heap_facts_of(struct dma_heap *heap,
					       const struct dma_heap_ops *ops)
{
	struct dma_heap_facts facts = { };

	if (ops->describe)
		ops->describe(heap, &facts);
	if (facts.accounting != DMA_HEAP_ACCOUNTING_DMEM || !facts.region)
		facts.region = "";
	return facts;
}

/* -- sysfs ----------------------------------------------------------------- */

static struct dma_heap_facts dma_heap_facts_of_device(struct device *dev)
{
	struct dma_heap_device *hdev =
		container_of(dev, struct dma_heap_device, dev);

	return dma_heap_facts_of(hdev->heap, hdev->ops);
}

static ssize_t accounting_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	static const char * const names[] = {
		[DMA_HEAP_ACCOUNTING_NONE] = "none",
		[DMA_HEAP_ACCOUNTING_MEMORY] = "memory",
		[DMA_HEAP_ACCOUNTING_DMEM] = "dmem",
	};

	return sysfs_emit(buf, "%s\n",
			  names[dma_heap_facts_of_device(dev).accounting]);
}
static DEVICE_ATTR_RO(accounting);

static ssize_t region_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "%s\n", dma_heap_facts_of_device(dev).region);
}
static DEVICE_ATTR_RO(region);

static ssize_t size_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%llu\n", dma_heap_facts_of_device(dev).size);
}
static DEVICE_ATTR_RO(size);

static ssize_t available_show(struct device *dev,
			      struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n",
			  dma_heap_facts_of_device(dev).available);
}
static DEVICE_ATTR_RO(available);

static ssize_t alignment_show(struct device *dev,
			      struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n",
			  dma_heap_facts_of_device(dev).alignment);
}
static DEVICE_ATTR_RO(alignment);

static struct attribute *dma_heap_attrs[] = {
	&dev_attr_accounting.attr,
	&dev_attr_region.attr,
	&dev_attr_size.attr,
	&dev_attr_available.attr,
	&dev_attr_alignment.attr,
	NULL
};

/* What is not known has no file: 0 would be an answer. */
static umode_t dma_heap_attr_visible(struct kobject *kobj,
				     struct attribute *attr, int index)
{
	struct dma_heap_facts facts =
		dma_heap_facts_of_device(kobj_to_dev(kobj));

	if (attr == &dev_attr_size.attr || attr == &dev_attr_available.attr)
		return facts.size ? attr->mode : 0;
	if (attr == &dev_attr_alignment.attr)
		return facts.alignment ? attr->mode : 0;
	return attr->mode;
}

static const struct attribute_group dma_heap_group = {
	.attrs = dma_heap_attrs,
	.is_visible = dma_heap_attr_visible,
};

/* A folder, which dma-heap-consumers.c puts links into. */
static struct attribute *dma_heap_no_attrs[] = { NULL };

static const struct attribute_group dma_heap_consumers_group = {
	.name = "consumers",
	.attrs = dma_heap_no_attrs,
};

static const struct attribute_group *dma_heap_groups[] = {
	&dma_heap_group,
	&dma_heap_consumers_group,
	NULL
};

static void dma_heap_device_release(struct device *dev)
{
	of_node_put(dev->of_node);
	kfree(container_of(dev, struct dma_heap_device, dev));
}

/**
 * dma_heap_create_device() - make a heap appear in /dev/dma_heap and sysfs
 * @class: class of all heaps
 * @devt: device number, which can be opened already
 * @heap: the heap
 * @ops: its operations, to live as long as the heap
 *
 * The device has an of_node link if the heap knows a device tree node.
 *
 * Context: Process context, may sleep; takes the consumers' mutex.
 * Return: 0, from then on the device is there for ever, and its uevent was sent
 * when it was complete; -ENOMEM; -EEXIST if the class has a device of that name,
 * with a complaint by sysfs; -ENODEV without a class.
 */
int dma_heap_create_device(const struct class *class, dev_t devt,
			   struct dma_heap *heap,
			   const struct dma_heap_ops *ops)
{
	struct dma_heap_device *hdev;
	int err;

	if (IS_ERR_OR_NULL(class))
		return -ENODEV;
	hdev = kzalloc_obj(*hdev);
	if (!hdev)
		return -ENOMEM;
	hdev->heap = heap;
	hdev->ops = ops;

	device_initialize(&hdev->dev);
	hdev->dev.class = class;
	hdev->dev.devt = devt;
	hdev->dev.groups = dma_heap_groups;
	hdev->dev.release = dma_heap_device_release;
	/* not as its fwnode: it supplies nothing, and nothing waits for it */
	hdev->dev.of_node = of_node_get(dma_heap_facts_of(heap, ops).of_node);

	/* who is told of the heap finds its consumers */
	dev_set_uevent_suppress(&hdev->dev, true);
	err = dev_set_name(&hdev->dev, "%s", dma_heap_get_name(heap));
	if (!err)
		err = device_add(&hdev->dev);
	if (err) {
		put_device(&hdev->dev);
		return err;
	}
	dma_heap_watch_consumers(&hdev->watch, &hdev->dev, hdev->dev.of_node);
	dev_set_uevent_suppress(&hdev->dev, false);
	kobject_uevent(&hdev->dev.kobj, KOBJ_ADD);
	return 0;
}

/* -- ioctl ----------------------------------------------------------------- */

/* Copies @text if it is wanted and there is room, and tells how much it takes. */
static int dma_heap_put_text(u64 address, u32 *size, const char *text,
			     size_t len)
{
	u32 room = *size;

	*size = len;
	if (!address || !len || len > room)
		return 0;
	if (overflows_type(address, uintptr_t))
		return -EFAULT;
	return copy_to_user(u64_to_user_ptr(address), text, len) ? -EFAULT : 0;
}

/**
 * dma_heap_ioctl_get_info() - DMA_HEAP_IOCTL_GET_INFO
 * @heap: the heap
 * @ops: its operations
 * @cmd: the request, with the size of the caller's struct
 * @arg: address of the caller's &struct dma_heap_info
 *
 * Context: Process context, may sleep; takes the consumers' mutex.
 * Return: 0, or an error as the UAPI header has them.
 */
long dma_heap_ioctl_get_info(struct dma_heap *heap,
			     const struct dma_heap_ops *ops,
			     unsigned int cmd, unsigned long arg)
{
	struct dma_heap_info __user *uinfo = (void __user *)arg;
	size_t usize = _IOC_SIZE(cmd), names_len, path_len = 0;
	struct dma_heap_facts facts;
	struct dma_heap_info info;
	int err;

	if (usize < DMA_HEAP_INFO_SIZE_VER0)
		return -EINVAL;
	err = copy_struct_from_user(&info, sizeof(info), uinfo, usize);
	if (err)
		return err;
	if (info.flags || memchr_inv(info.reserved, 0, sizeof(info.reserved)))
		return -EINVAL;

	facts = dma_heap_facts_of(heap, ops);
	info.size = facts.size;
	info.available = facts.available;
	info.alignment = facts.alignment;
	info.accounting = facts.accounting;
	if (strscpy_pad(info.region, facts.region) < 0)
		return -EOVERFLOW;

	char *path __free(kfree) = NULL;
	if (facts.of_node) {
		path = kasprintf(GFP_KERNEL, "%pOF", facts.of_node);
		if (!path)
			return -ENOMEM;
		path_len = strlen(path) + 1;
	}
	err = dma_heap_put_text(info.of_node, &info.of_node_size, path,
				path_len);
	if (err)
		return err;

	char *names __free(kfree) = dma_heap_consumer_names(facts.of_node,
							     &names_len);
	if (IS_ERR(names))
		return PTR_ERR(names);
	err = dma_heap_put_text(info.consumers, &info.consumers_size, names,
				names_len);
	if (err)
		return err;

	return copy_to_user(uinfo, &info, min(usize, sizeof(info))) ? -EFAULT : 0;
}
