// SPDX-License-Identifier: GPL-2.0
/*
 * Selftest module of the dmem cgroup controller
 *
 * Registers regions that have no memory behind them, so that charging can be
 * tested and measured by itself.  In debugfs, directory dmem_selftest:
 *
 *	charge		write a number of bytes: charge the writer's cgroup for
 *			them in the region "dmem_selftest"; fails as the charge
 *			does.  Stays charged when the file is closed.
 *	uncharge	write anything: give back all that was charged through
 *			"charge"
 *	hold		as charge, but what is charged through an open file is
 *			given back when it is closed, or 0 is written to it
 *	regions		write a number: that many regions, from 1 on.  The others
 *			are called dmem_selftest_1 and so on, and are registered
 *			before "dmem_selftest", which is always the last.  All are
 *			unregistered first: -EBUSY while charges are held.
 *	churn		write a name that starts with "dmem_selftest": register a
 *			region of that name, unregister it, with a charge and its
 *			return across both.  Such a region can be asked to reclaim,
 *			which takes a while and gives nothing.  Read: how often
 *			that happened.
 *	pairs		write a number: charge and uncharge a page that many times
 *			in the writer's cgroup, in kernel context.  Read: number
 *			of pairs and nanoseconds of the last run.
 *	tree		read: all pools of "dmem_selftest" as they are at one
 *			moment, and whether their sums are right.  Write the name
 *			of a region, whoever has registered it, and this open file
 *			shows that one's; reading fails (ENODEV) while there is
 *			none of that name.
 *
 * All but "tree" uses only what any driver may call, and works with any kernel
 * that has a dmem controller: to measure one against another, build it as an
 * external module.
 *
 * Locking: selftest_rwsem is held for reading where the region is used and for
 * writing where it is replaced; selftest_lock protects the list of charges.
 */

#include <linux/atomic.h>
#include <linux/cgroup_dmem.h>
#include <linux/cleanup.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/kstrtox.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "dmem_selftest.h"

#define SELFTEST_NAME		"dmem_selftest"
#define SELFTEST_MAX_REGIONS	1024
/* more than 32 bit can count */
#define SELFTEST_SIZE		(64ULL * SZ_1G)

struct selftest_charge {
	struct list_head node;
	struct dmem_cgroup_pool_state *pool;
	u64 size;
};

static DECLARE_RWSEM(selftest_rwsem);
static struct dmem_cgroup_region *selftest_region;
static struct dmem_cgroup_region **selftest_others;
static unsigned int selftest_nr_others;

static DEFINE_MUTEX(selftest_lock);
static LIST_HEAD(selftest_charges);
static unsigned int selftest_nr_charges;

static u64 selftest_pairs, selftest_ns;
static struct dentry *selftest_dir;

/* -- charging --------------------------------------------------------------- */

static int selftest_charge(u64 size, struct list_head *list)
{
	struct selftest_charge *charge;
	int err;

	charge = kzalloc_obj(*charge);
	if (!charge)
		return -ENOMEM;
	charge->size = size;

	scoped_guard(rwsem_read, &selftest_rwsem) {
		err = dmem_cgroup_try_charge(selftest_region, size,
					     &charge->pool, NULL);
		if (err)
			break;
		guard(mutex)(&selftest_lock);
		list_add(&charge->node, list);
		selftest_nr_charges++;
	}
	if (err)
		kfree(charge);
	return err;
}

static void selftest_uncharge(struct list_head *list)
{
	struct selftest_charge *charge, *next;

	guard(mutex)(&selftest_lock);
	list_for_each_entry_safe(charge, next, list, node) {
		dmem_cgroup_uncharge(charge->pool, charge->size);
		list_del(&charge->node);
		kfree(charge);
		selftest_nr_charges--;
	}
}

static ssize_t selftest_charge_write(struct file *file, const char __user *buf,
				     size_t count, loff_t *pos)
{
	u64 size;
	int err = kstrtoull_from_user(buf, count, 0, &size);

	if (!err)
		err = selftest_charge(size, &selftest_charges);
	return err ?: count;
}

static const struct file_operations selftest_charge_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = selftest_charge_write,
};

static ssize_t selftest_uncharge_write(struct file *file,
				       const char __user *buf, size_t count,
				       loff_t *pos)
{
	selftest_uncharge(&selftest_charges);
	return count;
}

static const struct file_operations selftest_uncharge_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = selftest_uncharge_write,
};

static int selftest_hold_open(struct inode *inode, struct file *file)
{
	struct list_head *list = kmalloc_obj(*list);

	if (!list)
		return -ENOMEM;
	INIT_LIST_HEAD(list);
	file->private_data = list;
	return 0;
}

static int selftest_hold_release(struct inode *inode, struct file *file)
{
	selftest_uncharge(file->private_data);
	kfree(file->private_data);
	return 0;
}

static ssize_t selftest_hold_write(struct file *file, const char __user *buf,
				   size_t count, loff_t *pos)
{
	u64 size;
	int err = kstrtoull_from_user(buf, count, 0, &size);

	if (err)
		return err;
	if (size)
		err = selftest_charge(size, file->private_data);
	else
		selftest_uncharge(file->private_data);
	return err ?: count;
}

static const struct file_operations selftest_hold_fops = {
	.owner = THIS_MODULE,
	.open = selftest_hold_open,
	.release = selftest_hold_release,
	.write = selftest_hold_write,
};

/* -- regions ---------------------------------------------------------------- */

static const struct dmem_cgroup_init selftest_init_data = {
	.size = SELFTEST_SIZE,
};

static void selftest_unregister(void)
{
	dmem_cgroup_unregister_region(selftest_region);
	selftest_region = NULL;
	while (selftest_nr_others)
		dmem_cgroup_unregister_region(selftest_others[--selftest_nr_others]);
	kfree(selftest_others);
	selftest_others = NULL;
}

static int selftest_register(unsigned int nr)
{
	struct dmem_cgroup_region *region;
	unsigned int i;

	selftest_others = kcalloc(nr, sizeof(*selftest_others), GFP_KERNEL);
	if (!selftest_others)
		return -ENOMEM;

	for (i = 1; i < nr; i++) {
		region = dmem_cgroup_register_region(&selftest_init_data,
						     SELFTEST_NAME "_%u", i);
		if (IS_ERR(region))
			goto err;
		selftest_others[selftest_nr_others++] = region;
	}
	region = dmem_cgroup_register_region(&selftest_init_data, SELFTEST_NAME);
	if (IS_ERR(region))
		goto err;
	selftest_region = region;
	return 0;
err:
	selftest_unregister();
	return PTR_ERR(region);
}

static ssize_t selftest_regions_write(struct file *file, const char __user *buf,
				      size_t count, loff_t *pos)
{
	unsigned int nr;
	int err = kstrtouint_from_user(buf, count, 0, &nr);

	if (err)
		return err;
	if (!nr || nr > SELFTEST_MAX_REGIONS)
		return -EINVAL;

	guard(rwsem_write)(&selftest_rwsem);
	scoped_guard(mutex, &selftest_lock)
		if (selftest_nr_charges)
			return -EBUSY;
	selftest_unregister();
	err = selftest_register(nr);
	return err ?: count;
}

static const struct file_operations selftest_regions_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = selftest_regions_write,
};

/* What a driver loses when it is unbound. */
struct selftest_driver {
	atomic_t reclaiming;
	bool bound;
};

static atomic_t selftest_reclaims;

/* Nothing is to be had, after a look that takes a while. */
static int selftest_reclaim(struct dmem_cgroup_pool_state *pool, u64 bytes,
			    void *priv)
{
	struct selftest_driver *driver = priv;

	atomic_inc(&selftest_reclaims);
	atomic_inc(&driver->reclaiming);
	fsleep(100);
	WARN_ONCE(!READ_ONCE(driver->bound), "reclaim from a driver that is gone");
	atomic_dec(&driver->reclaiming);
	return -ENOSPC;
}

static const struct dmem_cgroup_ops selftest_ops = {
	.reclaim = selftest_reclaim,
};

static void selftest_unbind(struct dmem_cgroup_region *region,
			    struct selftest_driver *driver)
{
	dmem_cgroup_unregister_region(region);
	WRITE_ONCE(driver->bound, false);
	WARN_ONCE(atomic_read(&driver->reclaiming),
		  "a driver that is gone is still asked to reclaim");
}

/* A driver is bound, used, and unbound while its buffers live. */
static ssize_t selftest_churn_write(struct file *file, const char __user *buf,
				    size_t count, loff_t *pos)
{
	struct selftest_driver *driver __free(kfree) = kzalloc_obj(*driver);
	struct dmem_cgroup_init init = {
		.size = SELFTEST_SIZE,
		.ops = &selftest_ops,
		.reclaim_priv = driver,
	};
	struct dmem_cgroup_pool_state *pool, *late;
	struct dmem_cgroup_region *region;
	int charged, err;
	char name[64];

	if (!count || count >= sizeof(name))
		return -EINVAL;
	if (copy_from_user(name, buf, count))
		return -EFAULT;
	name[count] = '\0';
	/* not to take over what is in use */
	if (!strstarts(strim(name), SELFTEST_NAME))
		return -EINVAL;
	if (!driver)
		return -ENOMEM;

	driver->bound = true;
	region = dmem_cgroup_register_region(&init, "%s", strim(name));
	if (IS_ERR_OR_NULL(region))
		return region ? PTR_ERR(region) : -EOPNOTSUPP;
	charged = dmem_cgroup_try_charge(region, PAGE_SIZE, &pool, NULL);
	if (charged) {
		selftest_unbind(region, driver);
		return charged;
	}
	/* time for whoever lowers a limit meanwhile */
	fsleep(300);
	/*
	 * A second charge in flight while the region goes is for the driver to
	 * prevent; one that comes back late is not.
	 */
	err = dmem_cgroup_try_charge(region, PAGE_SIZE, &late, NULL);
	dmem_cgroup_uncharge(pool, PAGE_SIZE);
	selftest_unbind(region, driver);
	if (!err)
		dmem_cgroup_uncharge(late, PAGE_SIZE);
	return err ?: count;
}

static int selftest_churn_show(struct seq_file *sf, void *v)
{
	seq_printf(sf, "%d reclaims\n", atomic_read(&selftest_reclaims));
	return 0;
}

static int selftest_churn_open(struct inode *inode, struct file *file)
{
	return single_open(file, selftest_churn_show, NULL);
}

static const struct file_operations selftest_churn_fops = {
	.owner = THIS_MODULE,
	.open = selftest_churn_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
	.write = selftest_churn_write,
};

/* -- speed ------------------------------------------------------------------ */

static ssize_t selftest_pairs_write(struct file *file, const char __user *buf,
				    size_t count, loff_t *pos)
{
	struct dmem_cgroup_pool_state *pool;
	u64 nr, i, start;
	int err;

	err = kstrtoull_from_user(buf, count, 0, &nr);
	if (err)
		return err;

	guard(rwsem_read)(&selftest_rwsem);
	/* the pool is made outside the measurement */
	err = dmem_cgroup_try_charge(selftest_region, PAGE_SIZE, &pool, NULL);
	if (err)
		return err;
	start = ktime_get_ns();
	for (i = 0; i < nr; i++) {
		struct dmem_cgroup_pool_state *one;

		err = dmem_cgroup_try_charge(selftest_region, PAGE_SIZE, &one,
					     NULL);
		if (err)
			break;
		dmem_cgroup_uncharge(one, PAGE_SIZE);
		if (!(i % 1024) && signal_pending(current)) {
			err = -EINTR;
			break;
		}
	}
	WRITE_ONCE(selftest_ns, ktime_get_ns() - start);
	WRITE_ONCE(selftest_pairs, i);
	dmem_cgroup_uncharge(pool, PAGE_SIZE);
	return err ?: count;
}

static int selftest_pairs_show(struct seq_file *sf, void *v)
{
	seq_printf(sf, "%llu pairs %llu ns\n", READ_ONCE(selftest_pairs),
		   READ_ONCE(selftest_ns));
	return 0;
}

static int selftest_pairs_open(struct inode *inode, struct file *file)
{
	return single_open(file, selftest_pairs_show, NULL);
}

static const struct file_operations selftest_pairs_fops = {
	.owner = THIS_MODULE,
	.open = selftest_pairs_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
	.write = selftest_pairs_write,
};

/* -- the tree --------------------------------------------------------------- */

#if IS_ENABLED(CONFIG_CGROUP_DMEM_SELFTEST)
static int selftest_tree_show(struct seq_file *sf, void *v)
{
	guard(rwsem_read)(&selftest_rwsem);
	return dmem_cgroup_selftest_tree(sf->private ?: SELFTEST_NAME, sf);
}

static int selftest_tree_open(struct inode *inode, struct file *file)
{
	return single_open(file, selftest_tree_show, NULL);
}

/* The name stays with the open file: two readers do not disturb each other. */
static ssize_t selftest_tree_write(struct file *file, const char __user *buf,
				   size_t count, loff_t *pos)
{
	struct seq_file *sf = file->private_data;
	char *name;

	if (!count || count > PAGE_SIZE)
		return -EINVAL;
	name = memdup_user_nul(buf, count);
	if (IS_ERR(name))
		return PTR_ERR(name);
	name[strcspn(name, "\n")] = '\0';

	guard(mutex)(&sf->lock);
	kfree(sf->private);
	sf->private = name;
	return count;
}

static int selftest_tree_release(struct inode *inode, struct file *file)
{
	struct seq_file *sf = file->private_data;

	kfree(sf->private);
	return single_release(inode, file);
}

static const struct file_operations selftest_tree_fops = {
	.owner = THIS_MODULE,
	.open = selftest_tree_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = selftest_tree_release,
	.write = selftest_tree_write,
};

static void selftest_add_tree(void)
{
	debugfs_create_file("tree", 0600, selftest_dir, NULL,
			    &selftest_tree_fops);
}
#else
static void selftest_add_tree(void) { }
#endif

static int __init selftest_module_init(void)
{
	int err = selftest_register(1);

	if (err)
		return err;

	selftest_dir = debugfs_create_dir(SELFTEST_NAME, NULL);
	debugfs_create_file("charge", 0200, selftest_dir, NULL,
			    &selftest_charge_fops);
	debugfs_create_file("uncharge", 0200, selftest_dir, NULL,
			    &selftest_uncharge_fops);
	debugfs_create_file("hold", 0200, selftest_dir, NULL,
			    &selftest_hold_fops);
	debugfs_create_file("regions", 0200, selftest_dir, NULL,
			    &selftest_regions_fops);
	debugfs_create_file("churn", 0600, selftest_dir, NULL,
			    &selftest_churn_fops);
	debugfs_create_file("pairs", 0600, selftest_dir, NULL,
			    &selftest_pairs_fops);
	selftest_add_tree();
	return 0;
}
module_init(selftest_module_init);

static void __exit selftest_module_exit(void)
{
	debugfs_remove(selftest_dir);
	selftest_uncharge(&selftest_charges);
	selftest_unregister();
}
module_exit(selftest_module_exit);

MODULE_DESCRIPTION("Selftest of the dmem cgroup controller");
MODULE_LICENSE("GPL");
