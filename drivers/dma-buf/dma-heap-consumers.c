// SPDX-License-Identifier: GPL-2.0
/*
 * Whose memory a heap allocates from
 *
 * A device tree gives a device a reserved region of its own with a memory-region
 * property, and its driver takes it with of_reserved_mem_device_init_by_idx() or
 * one of its kin.  If a heap allocates from the same region, a buffer of that
 * heap is one that the device can use: the heap's consumers/ in sysfs has a link
 * to the device, from when it was given the region until it lets go of it or is
 * removed.  Which of the two, the heap or the device, came first does not matter.
 *
 * Links are called <bus>:<device>, as V4L2 has it in the bus_info of platform
 * devices; those without a bus have their class there, or nothing.  A second
 * device of the same name (two children of different parents, without a bus) has
 * a number at the end.
 *
 * A device that was given a region while it was not in sysfs, and hence could
 * go without a word, is left out and told so.
 *
 * Locking: dma_heap_consumers_mutex protects both lists, what is in them, and
 * the links.  It is taken with or without the lock of the device in question
 * held; inside it are sysfs's locks and allocations.  No device is referenced:
 * all in the list are in sysfs, and leave the list before they leave that.
 *
 * Devices are removed with it, also to get a disk going again.  So who holds it
 * must not wait for a disk: it is held with memalloc_noio_save() in effect.
 */

#include <linux/cleanup.h>
#include <linux/device.h>
#include <linux/dma-heap-consumers.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/of_reserved_mem.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "dma-heap-internal.h"

/**
 * struct dma_heap_consumer - a device that was given a reserved region
 * @node: in &dma_heap_consumers
 * @dev: the device
 * @rmem: the region
 * @count: how often, as drivers do for two names of one region
 * @name: of its link
 */
struct dma_heap_consumer {
	struct list_head node;
	struct device *dev;
	const struct reserved_mem *rmem;
	unsigned int count;
	char *name;
};

static DEFINE_MUTEX(dma_heap_consumers_mutex);

static unsigned int dma_heap_consumers_lock(void)
{
	unsigned int noio = memalloc_noio_save();

	mutex_lock(&dma_heap_consumers_mutex);
	return noio;
}

static void dma_heap_consumers_unlock(unsigned int noio)
{
	mutex_unlock(&dma_heap_consumers_mutex);
	memalloc_noio_restore(noio);
}

DEFINE_LOCK_GUARD_0(dma_heap_consumers, _T->noio = dma_heap_consumers_lock(),
		    dma_heap_consumers_unlock(_T->noio), unsigned int noio)

/* In the order in which they came. */
static LIST_HEAD(dma_heap_consumers);
/* &struct dma_heap_watch, for ever. */
static LIST_HEAD(dma_heap_watches);

static struct dma_heap_consumer *
dma_heap_consumer_find(const struct device *dev, const struct reserved_mem *rmem)
{
	struct dma_heap_consumer *consumer;

	lockdep_assert_held(&dma_heap_consumers_mutex);

	list_for_each_entry(consumer, &dma_heap_consumers, node)
		if (consumer->dev == dev && consumer->rmem == rmem)
			return consumer;
	return NULL;
}

static bool dma_heap_consumer_has_name(const struct reserved_mem *rmem,
				       const char *name)
{
	struct dma_heap_consumer *consumer;

	lockdep_assert_held(&dma_heap_consumers_mutex);

	list_for_each_entry(consumer, &dma_heap_consumers, node)
		if (consumer->rmem == rmem && !strcmp(consumer->name, name))
			return true;
	return false;
}

/* A name for the link that none of the region's has.  Return: NULL: no memory. */
static char *dma_heap_consumer_name(const struct device *dev,
				    const struct reserved_mem *rmem)
{
	char *name = kasprintf(GFP_KERNEL, "%s:%s", dev_bus_name(dev),
			       dev_name(dev));
	unsigned int number = 2;

	while (name && dma_heap_consumer_has_name(rmem, name)) {
		kfree(name);
		name = kasprintf(GFP_KERNEL, "%s:%s:%u", dev_bus_name(dev),
				 dev_name(dev), number++);
	}
	return name;
}

static void dma_heap_consumer_link(const struct dma_heap_watch *watch,
				   const struct dma_heap_consumer *consumer)
{
	int err = sysfs_add_link_to_group(&watch->dev->kobj, "consumers",
					  &consumer->dev->kobj, consumer->name);

	if (err)
		dev_warn(consumer->dev, "not among the consumers of heap %s: %pe\n",
			 dev_name(watch->dev), ERR_PTR(err));
}

static void dma_heap_consumer_free(struct dma_heap_consumer *consumer)
{
	struct dma_heap_watch *watch;

	lockdep_assert_held(&dma_heap_consumers_mutex);

	list_for_each_entry(watch, &dma_heap_watches, node)
		if (watch->rmem == consumer->rmem)
			sysfs_remove_link_from_group(&watch->dev->kobj,
						     "consumers",
						     consumer->name);
	list_del(&consumer->node);
	kfree(consumer->name);
	kfree(consumer);
}

/**
 * dma_heap_consumer_add() - a device was given a reserved region
 * @dev: the device
 * @rmem: the region, whether a heap allocates from it or not
 *
 * To be undone with dma_heap_consumer_remove() or, for all regions of a device
 * that is removed, dma_heap_consumer_gone().
 *
 * Context: Process context, may sleep.
 */
void dma_heap_consumer_add(struct device *dev, const struct reserved_mem *rmem)
{
	struct dma_heap_consumer *consumer;
	struct dma_heap_watch *watch;

	if (!device_is_registered(dev)) {
		dev_warn(dev, "not among the consumers of %s: not in sysfs yet\n",
			 rmem->name);
		return;
	}

	guard(dma_heap_consumers)();

	consumer = dma_heap_consumer_find(dev, rmem);
	if (consumer) {
		consumer->count++;
		return;
	}

	consumer = kzalloc_obj(*consumer);
	if (consumer)
		consumer->name = dma_heap_consumer_name(dev, rmem);
	if (!consumer || !consumer->name) {
		kfree(consumer);
		dev_warn(dev, "not among the consumers of %s: no memory\n",
			 rmem->name);
		return;
	}
	consumer->dev = dev;
	consumer->rmem = rmem;
	consumer->count = 1;
	list_add_tail(&consumer->node, &dma_heap_consumers);

	list_for_each_entry(watch, &dma_heap_watches, node)
		if (watch->rmem == rmem)
			dma_heap_consumer_link(watch, consumer);
}

/**
 * dma_heap_consumer_remove() - a device lets go of a reserved region
 * @dev: the device, known or not
 * @rmem: the region
 *
 * Context: Process context, may sleep.
 */
void dma_heap_consumer_remove(struct device *dev,
			      const struct reserved_mem *rmem)
{
	struct dma_heap_consumer *consumer;

	guard(dma_heap_consumers)();

	consumer = dma_heap_consumer_find(dev, rmem);
	if (consumer && !--consumer->count)
		dma_heap_consumer_free(consumer);
}

/**
 * dma_heap_consumer_gone() - a device is about to leave sysfs
 * @dev: the device, whether it was given a region or not
 *
 * Context: Process context, may sleep.
 */
void dma_heap_consumer_gone(struct device *dev)
{
	struct dma_heap_consumer *consumer, *next;

	guard(dma_heap_consumers)();

	list_for_each_entry_safe(consumer, next, &dma_heap_consumers, node)
		if (consumer->dev == dev)
			dma_heap_consumer_free(consumer);
}

/**
 * dma_heap_watch_consumers() - have links to the devices that share the memory
 * @watch: filled in, to live for ever
 * @dev: the heap's device, in sysfs with a group "consumers", for ever
 * @np: the reserved region's node; nothing is done if it is none
 *
 * Context: Process context, may sleep.
 */
void dma_heap_watch_consumers(struct dma_heap_watch *watch, struct device *dev,
			      struct device_node *np)
{
	struct dma_heap_consumer *consumer;

	watch->dev = dev;
	watch->rmem = np ? of_reserved_mem_lookup(np) : NULL;
	if (!watch->rmem)
		return;

	guard(dma_heap_consumers)();

	list_add_tail(&watch->node, &dma_heap_watches);
	list_for_each_entry(consumer, &dma_heap_consumers, node)
		if (consumer->rmem == watch->rmem)
			dma_heap_consumer_link(watch, consumer);
}

/**
 * dma_heap_consumer_names() - the names of the links
 * @np: the reserved region's node, or NULL
 * @len: set to how many bytes the names take
 *
 * Context: Process context, may sleep.
 * Return: The names, each with a NUL at its end, to be freed with kfree(); NULL
 * if there are none; ERR_PTR(-ENOMEM).
 */
char *dma_heap_consumer_names(struct device_node *np, size_t *len)
{
	const struct reserved_mem *rmem = np ? of_reserved_mem_lookup(np) : NULL;
	struct dma_heap_consumer *consumer;
	char *names, *end;
	size_t size;

	*len = 0;
	if (!rmem)
		return NULL;

	guard(dma_heap_consumers)();

	list_for_each_entry(consumer, &dma_heap_consumers, node)
		if (consumer->rmem == rmem)
			*len += strlen(consumer->name) + 1;
	if (!*len)
		return NULL;

	names = kmalloc(*len, GFP_KERNEL);
	if (!names)
		return ERR_PTR(-ENOMEM);
	end = names;
	list_for_each_entry(consumer, &dma_heap_consumers, node) {
		if (consumer->rmem != rmem)
			continue;
		size = strlen(consumer->name) + 1;
		memcpy(end, consumer->name, size);
		end += size;
	}
	return names;
}
