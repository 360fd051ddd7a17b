// SPDX-License-Identifier: GPL-2.0
/*
 * The floor under the cost of a charge: bare page counters
 *
 * Page counters are what the dmem controller of Linux 7.3 counts with.  They
 * are not exported to modules, so this module has its own copy of the code:
 * vm/bench/run lays the released kernel's mm/page_counter.c beside this file.
 *
 * In debugfs, directory dmem_floor:
 *
 *	pairs	write "<depth> <number>": charge and uncharge a page that many
 *		times in a counter with <depth> counters above it, with
 *		protection, as the controller's are.  Read: number of pairs and
 *		nanoseconds of the last run.
 *
 * The loop is that of dmem_selftest's "pairs".
 */

#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/page_counter.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#define FLOOR_MAX_DEPTH	16

static DEFINE_MUTEX(floor_mutex);
static struct page_counter floor_counters[FLOOR_MAX_DEPTH + 1];
static u64 floor_pairs, floor_ns;
static struct dentry *floor_dir;

static ssize_t floor_pairs_write(struct file *file, const char __user *buf,
				 size_t count, loff_t *pos)
{
	struct page_counter *counter = NULL, *fail;
	unsigned int depth, level;
	u64 nr, i, start;
	char args[64];
	int err = 0;

	if (count >= sizeof(args))
		return -EINVAL;
	if (copy_from_user(args, buf, count))
		return -EFAULT;
	args[count] = '\0';
	if (sscanf(args, "%u %llu", &depth, &nr) != 2 || depth > FLOOR_MAX_DEPTH)
		return -EINVAL;

	guard(mutex)(&floor_mutex);
	for (level = 0; level <= depth; level++) {
		page_counter_init(&floor_counters[level], counter, true);
		counter = &floor_counters[level];
	}
	/* as there: one page stays charged */
	if (!page_counter_try_charge(counter, PAGE_SIZE, &fail))
		return -EAGAIN;

	start = ktime_get_ns();
	for (i = 0; i < nr; i++) {
		if (!page_counter_try_charge(counter, PAGE_SIZE, &fail)) {
			err = -EAGAIN;
			break;
		}
		page_counter_uncharge(counter, PAGE_SIZE);
		if (!(i % 1024) && signal_pending(current)) {
			err = -EINTR;
			break;
		}
	}
	floor_ns = ktime_get_ns() - start;
	floor_pairs = i;
	return err ?: count;
}

static int floor_pairs_show(struct seq_file *sf, void *v)
{
	guard(mutex)(&floor_mutex);
	seq_printf(sf, "%llu pairs %llu ns\n", floor_pairs, floor_ns);
	return 0;
}

static int floor_pairs_open(struct inode *inode, struct file *file)
{
	return single_open(file, floor_pairs_show, NULL);
}

static const struct file_operations floor_pairs_fops = {
	.owner = THIS_MODULE,
	.open = floor_pairs_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
	.write = floor_pairs_write,
};

static int __init floor_init(void)
{
	floor_dir = debugfs_create_dir("dmem_floor", NULL);
	debugfs_create_file("pairs", 0600, floor_dir, NULL, &floor_pairs_fops);
	return 0;
}
module_init(floor_init);

static void __exit floor_exit(void)
{
	debugfs_remove(floor_dir);
}
module_exit(floor_exit);

MODULE_DESCRIPTION("Floor under the cost of a dmem charge");
MODULE_LICENSE("GPL");
