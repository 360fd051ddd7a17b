// SPDX-License-Identifier: GPL-2.0
/*
 * A cache between CMA and those who free and allocate a buffer for each frame
 *
 * cma_alloc() drains the page lists of every CPU, isolates pageblocks and looks
 * for pages to migrate, for one page as for a thousand, and cma_release() hands
 * back page by page.  What a buffer leaves behind is kept here for a while and
 * is the next buffer's, at the price of a walk over a short list.
 *
 * What is held
 *	Runs of pages of one area, at most CMA_RECYCLE_MAX_RUNS of them and at
 *	most max_percent of the area.  To CMA they are allocated: its own numbers
 *	(sysfs, debugfs) count them as in use.  To everyone else they are
 *	available; they are charged to nobody.  Their contents are what the last
 *	user left, so who takes them zeroes them, as with pages from CMA.
 *
 * Where a buffer lies
 *	Where CMA would put it if it had all that is held: at the first place that
 *	fits.  So the area is as fragmented as without a cache.  If that place is
 *	held, it is the buffer's; if it is CMA's, CMA is asked, even if another
 *	place is held; if it is partly held, that part goes back to CMA first.
 *	CMA may pass over the place, for pages that cannot be migrated.  Asking
 *	again soon would be in vain and slow: for some time it is the first place
 *	that is held.  A buffer may lie higher then than without a cache, in an
 *	area where pages that stay have their places already.
 *
 *	An alignment that a buffer would like is tried first, with all of this,
 *	and nothing goes back to CMA for it but what is at its place.  If CMA had
 *	no such place, it is not asked for one as large for some time, or until
 *	memory with such a place is freed.
 *
 * When it goes back to CMA
 *	limit		there would be too much of it: the oldest first
 *	split		a buffer comes out of the middle of a run, and there are
 *			too many runs to keep both ends
 *	pressure	the kernel is short of memory (a shrinker)
 *	idle		nobody has had a use for it for idle_ms: what was there
 *			all of that time is not needed
 *	wanted		an allocation from the area found no place, or one that
 *			is partly held
 *
 * Nobody fails because of the cache
 *	cma_alloc() asks cma_recycle_again() when it is about to give up, whoever
 *	calls it: a driver through the DMA API, too.  That empties the cache and
 *	has it search once more.  Until that search is over nothing is cached, so
 *	that it sees what it would see if there was no cache.  Memory between the
 *	cache and CMA is not overlooked either: it is given back under the lock,
 *	which the search that failed has to take, and counted.
 *
 * init_on_free=1
 *	asks for memory to be cleared when it is freed.  Nothing is cached then.
 *
 * Userspace sees and sets all of this in /sys/kernel/mm/cma_recycle/<area>/, see
 * Documentation/ABI/testing/sysfs-kernel-mm-cma-recycle.
 *
 * Locking
 *	recycler->lock protects everything in the recycler.  It is taken in
 *	reclaim, which does not wait for it, so memory must not be allocated
 *	under it.  Inside nest cma->lock and the locks of the page allocator.
 *	recycler->held, ->max, ->percent, ->idle_ms, ->vain_pages and ->left are
 *	written under the lock and read without: single words, the last one as
 *	cma_recycle_begin() explains, the others as snapshots.  What only counts
 *	is atomic.  So who looks into sysfs, as anybody may, does not take the
 *	lock and cannot hold up those who allocate.
 */

#define pr_fmt(fmt) "cma_recycle: " fmt

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/cleanup.h>
#include <linux/cma.h>
#include <linux/cma_dmem.h>
#include <linux/cma_recycle.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/kobject.h>
#include <linux/kstrtox.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/page-flags.h>
#include <linux/printk.h>
#include <linux/sched/signal.h>
#include <linux/shrinker.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/swap.h>
#include <linux/sysfs.h>
#include <linux/vmstat.h>
#include <linux/workqueue.h>

#include "cma.h"

/* Where there is no place. */
#define CMA_RECYCLE_NOWHERE	ULONG_MAX

/* Lists of this length are walked when memory is freed. */
#define CMA_RECYCLE_MAX_RUNS	128

/*
 * Given back at a time: others may wait for the lock.  Who allocates or frees a
 * buffer gives back as much as that buffer has, if that is more.
 */
#define CMA_RECYCLE_PART_PAGES	(SZ_16M / PAGE_SIZE)

#define CMA_RECYCLE_PERCENT	50
#define CMA_RECYCLE_IDLE_MS	2000

/* How long the place that CMA passed over is not tried again. */
#define CMA_RECYCLE_PASSED_MS	1000

static unsigned int cma_recycle_percent = CMA_RECYCLE_PERCENT;
module_param_named(percent, cma_recycle_percent, uint, 0444);
MODULE_PARM_DESC(percent, "Share of each area that may be held, until it is set per area");

enum cma_recycle_why {
	CMA_RECYCLE_LIMIT,
	CMA_RECYCLE_SPLIT,
	CMA_RECYCLE_PRESSURE,
	CMA_RECYCLE_IDLE,
	CMA_RECYCLE_WANTED,
	CMA_RECYCLE_NR_WHYS,
};

/**
 * struct cma_recycle_run - free memory in one piece
 * @by_pfn: in &cma_recycler.runs, or in &cma_recycler.spare
 * @by_age: in &cma_recycler.ages
 * @pfn: first page
 * @nr_pages: how many there are
 */
struct cma_recycle_run {
	struct list_head by_pfn;
	struct list_head by_age;
	unsigned long pfn;
	unsigned long nr_pages;
};

/**
 * struct cma_recycler - the cache of one area
 * @kobj: its directory in sysfs
 * @cma: the area
 * @lock: protects all that follows
 * @runs: &struct cma_recycle_run, by address; no two are adjacent
 * @ages: the same, the one that was added to last is last
 * @spare: those that are in neither
 * @all_runs: room for all of them: freeing a buffer allocates nothing
 * @held_map: a bit for each page of the area, set if it is in @runs
 * @passed_end: until then, in 64 bit jiffies, CMA has passed over a place
 * @vain_end: until then CMA has no place for @vain_pages
 * @vain_pages: or for more; 0 if that is not known of any number
 * @vain_align: with this alignment, as an order, or a larger one
 * @waiting: allocations that are searching again: nothing is to be cached
 * @held: pages in @runs
 * @low: the least that @held was since the idle work ran
 * @max: the most that @held may be
 * @left: how many times pages left @runs, to CMA or to a buffer
 * @percent: @max, as it was set
 * @idle_ms: how long nobody needs what goes back for being idle
 * @hits: allocations from here
 * @misses: all others, those that failed too
 * @why: pages given back, by reason
 * @idle_work: gives back what is idle
 * @idle_started: @idle_work is queued and @low counts
 * @shrinker: gives back under memory pressure
 */
struct cma_recycler {
	struct kobject kobj;
	struct cma *cma;
	struct mutex lock;	/* see above */
	struct list_head runs;
	struct list_head ages;
	struct list_head spare;
	struct cma_recycle_run all_runs[CMA_RECYCLE_MAX_RUNS];
	unsigned long *held_map;
	u64 passed_end;
	u64 vain_end;
	unsigned long vain_pages;
	unsigned int vain_align;
	unsigned int waiting;
	unsigned long held;
	unsigned long low;
	unsigned long max;
	unsigned long left;
	unsigned int percent;
	unsigned int idle_ms;
	atomic64_t hits;
	atomic64_t misses;
	atomic64_t why[CMA_RECYCLE_NR_WHYS];
	struct delayed_work idle_work;
	bool idle_started;
	struct shrinker *shrinker;
};

/* Indexed like cma_areas[]; NULL for areas without a cache. */
static struct cma_recycler *cma_recyclers[MAX_CMA_AREAS] __ro_after_init;

static struct cma_recycler *cma_recycler_of(const struct cma *cma)
{
	/* pairs with the release in cma_recycle_add(): it is complete */
	return READ_ONCE(cma_recyclers[cma - cma_areas]);
}

/* Areas with more than one range have no cache. */
static unsigned long cma_recycle_base(const struct cma_recycler *recycler)
{
	return recycler->cma->ranges[0].base_pfn;
}

static unsigned long cma_recycle_end(const struct cma_recycle_run *run)
{
	return run->pfn + run->nr_pages;
}

/* -- runs ----------------------------------------------------------------- */

static void cma_recycle_set_held(struct cma_recycler *recycler,
				 unsigned long held)
{
	lockdep_assert_held(&recycler->lock);
	WRITE_ONCE(recycler->held, held);
	recycler->low = min(recycler->low, held);
}

static void cma_recycle_drop(struct cma_recycler *recycler,
			     struct cma_recycle_run *run)
{
	lockdep_assert_held(&recycler->lock);
	list_move(&run->by_pfn, &recycler->spare);
	list_del(&run->by_age);
}

/* Pages that are in no run any more. */
static void cma_recycle_clear(struct cma_recycler *recycler, unsigned long pfn,
			      unsigned long nr_pages)
{
	bitmap_clear(recycler->held_map, pfn - cma_recycle_base(recycler),
		     nr_pages);
	cma_recycle_set_held(recycler, recycler->held - nr_pages);
}

/* For cma_recycle_begin(); after the pages can be found. */
static void cma_recycle_left(struct cma_recycler *recycler)
{
	lockdep_assert_held(&recycler->lock);
	WRITE_ONCE(recycler->left, recycler->left + 1);
}

/* CMA has these: what it had no place for may find one among them. */
static void cma_recycle_hope(struct cma_recycler *recycler, unsigned long pfn,
			     unsigned long nr_pages)
{
	unsigned long gap = ALIGN(pfn, 1UL << recycler->vain_align) - pfn;

	lockdep_assert_held(&recycler->lock);
	if (recycler->vain_pages <= nr_pages &&
	    gap <= nr_pages - recycler->vain_pages)
		WRITE_ONCE(recycler->vain_pages, 0);
}

/* Pages that are nobody's go back to CMA. */
static void cma_recycle_give(struct cma_recycler *recycler, unsigned long pfn,
			     unsigned long nr_pages, enum cma_recycle_why why)
{
	lockdep_assert_held(&recycler->lock);
	cma_release(recycler->cma, pfn_to_page(pfn), nr_pages);
	cma_recycle_hope(recycler, pfn, nr_pages);
	atomic64_add(nr_pages, &recycler->why[why]);
	cma_recycle_left(recycler);
}

static void cma_recycle_release(struct cma_recycler *recycler, unsigned long pfn,
				unsigned long nr_pages, enum cma_recycle_why why)
{
	cma_recycle_give(recycler, pfn, nr_pages, why);
	cma_recycle_clear(recycler, pfn, nr_pages);
}

/*
 * Gives back @nr_pages, oldest runs first, and of the last one the end: buffers
 * are placed as low as possible.  Return: how many went.
 */
static unsigned long cma_recycle_give_back(struct cma_recycler *recycler,
					   unsigned long nr_pages,
					   enum cma_recycle_why why)
{
	struct cma_recycle_run *run, *next;
	unsigned long n, done = 0;

	lockdep_assert_held(&recycler->lock);
	list_for_each_entry_safe(run, next, &recycler->ages, by_age) {
		if (done >= nr_pages)
			break;
		n = min(run->nr_pages, nr_pages - done);
		cma_recycle_release(recycler, cma_recycle_end(run) - n, n, why);
		run->nr_pages -= n;
		done += n;
		if (!run->nr_pages)
			cma_recycle_drop(recycler, run);
	}
	return done;
}

/* Takes @nr_pages at @pfn, all of which are in @run. */
static void cma_recycle_cut(struct cma_recycler *recycler,
			    struct cma_recycle_run *run, unsigned long pfn,
			    unsigned long nr_pages)
{
	unsigned long front = pfn - run->pfn;
	unsigned long behind = pfn + nr_pages;
	unsigned long rest = cma_recycle_end(run) - behind;
	struct cma_recycle_run *second;

	cma_recycle_clear(recycler, pfn, nr_pages);

	if (front && rest) {
		second = list_first_entry_or_null(&recycler->spare,
						  struct cma_recycle_run,
						  by_pfn);
		if (second) {
			second->pfn = behind;
			second->nr_pages = rest;
			list_move(&second->by_pfn, &run->by_pfn);
			list_add(&second->by_age, &run->by_age);
			rest = 0;
		} else if (front < rest) {
			cma_recycle_release(recycler, run->pfn, front,
					    CMA_RECYCLE_SPLIT);
			front = 0;
		} else {
			cma_recycle_release(recycler, behind, rest,
					    CMA_RECYCLE_SPLIT);
			rest = 0;
		}
	}
	if (front) {
		run->nr_pages = front;
	} else if (rest) {
		run->pfn = behind;
		run->nr_pages = rest;
	} else {
		cma_recycle_drop(recycler, run);
	}
}

/* Makes @nr_pages at @pfn a run, or part of those beside it. */
static void cma_recycle_insert(struct cma_recycler *recycler, unsigned long pfn,
			       unsigned long nr_pages)
{
	struct cma_recycle_run *run, *prev = NULL, *next = NULL;
	struct list_head *before = &recycler->runs;

	list_for_each_entry(run, &recycler->runs, by_pfn) {
		if (run->pfn > pfn) {
			before = &run->by_pfn;
			if (pfn + nr_pages == run->pfn)
				next = run;
			break;
		}
		prev = cma_recycle_end(run) == pfn ? run : NULL;
	}

	bitmap_set(recycler->held_map, pfn - cma_recycle_base(recycler),
		   nr_pages);
	cma_recycle_set_held(recycler, recycler->held + nr_pages);

	if (next) {
		nr_pages += next->nr_pages;
		if (prev)
			cma_recycle_drop(recycler, next);
	}
	run = prev ?: next;
	if (prev) {
		pfn = prev->pfn;
		nr_pages += prev->nr_pages;
	}
	if (run) {
		list_move_tail(&run->by_age, &recycler->ages);
	} else {
		/* the caller has seen to it that there is one */
		run = list_first_entry(&recycler->spare, typeof(*run), by_pfn);
		list_move_tail(&run->by_pfn, before);
		list_add_tail(&run->by_age, &recycler->ages);
	}
	run->pfn = pfn;
	run->nr_pages = nr_pages;
}

/* -- places --------------------------------------------------------------- */

/*
 * The first place in the area for @nr_pages, aligned to the order @align, where
 * nothing is but what is held and what CMA has free: its index in the area.
 */
static unsigned long cma_recycle_first_place(struct cma_recycler *recycler,
					     unsigned long nr_pages,
					     unsigned int align)
{
	const struct cma_memrange *range = &recycler->cma->ranges[0];
	unsigned long mask = (1UL << align) - 1;
	unsigned long offset = range->base_pfn & mask;
	unsigned long bits = range->count, start = 0, zero, index, busy;

	lockdep_assert_held(&recycler->lock);
	/* as others, who do not take ours, allocate and release */
	guard(spinlock_irq)(&recycler->cma->lock);
	zero = find_first_zero_bit(range->bitmap, bits);
	for (;;) {
		if (zero < start)
			zero = find_next_zero_bit(range->bitmap, bits, start);
		/* what is held is in use to CMA, too */
		index = find_next_bit(recycler->held_map, zero, start);
		index = __ALIGN_MASK(index + offset, mask) - offset;
		if (index >= bits || nr_pages > bits - index)
			return CMA_RECYCLE_NOWHERE;
		busy = find_next_andnot_bit(range->bitmap, recycler->held_map,
					    index + nr_pages, index);
		if (busy >= index + nr_pages) {
			/* CMA passes over places that are not one array */
			if (page_range_contiguous(pfn_to_page(range->base_pfn + index),
						  nr_pages))
				return index;
			busy = index + mask;
		}
		start = busy + 1;
	}
}

/* The first place all of which is held. */
static unsigned long cma_recycle_first_held(struct cma_recycler *recycler,
					    unsigned long nr_pages,
					    unsigned int align)
{
	unsigned long base = cma_recycle_base(recycler), pfn;
	const struct cma_recycle_run *run;

	lockdep_assert_held(&recycler->lock);
	list_for_each_entry(run, &recycler->runs, by_pfn) {
		pfn = ALIGN(run->pfn, 1UL << align);
		if (pfn < cma_recycle_end(run) &&
		    nr_pages <= cma_recycle_end(run) - pfn &&
		    page_range_contiguous(pfn_to_page(pfn), nr_pages))
			return pfn - base;
	}
	return CMA_RECYCLE_NOWHERE;
}

/* Whether CMA passed over a place not long ago. */
static bool cma_recycle_passed(const struct cma_recycler *recycler)
{
	lockdep_assert_held(&recycler->lock);
	return time_before64(get_jiffies_64(), recycler->passed_end);
}

/* Whether CMA had no place for that, or for less, not long ago. */
static bool cma_recycle_in_vain(const struct cma_recycler *recycler,
				unsigned long nr_pages, unsigned int align)
{
	lockdep_assert_held(&recycler->lock);
	return recycler->vain_pages && nr_pages >= recycler->vain_pages &&
	       align >= recycler->vain_align &&
	       time_before64(get_jiffies_64(), recycler->vain_end);
}

/* Whether any of them is broken memory: CMA gets these, and drops them. */
static bool cma_recycle_poisoned(unsigned long pfn, unsigned long nr_pages)
{
	/* usually none is, anywhere, and the pages need no look */
	if (!IS_ENABLED(CONFIG_MEMORY_FAILURE) ||
	    !atomic_long_read(&num_poisoned_pages))
		return false;
	while (nr_pages--)
		if (PageHWPoison(pfn_to_page(pfn + nr_pages)))
			return true;
	return false;
}

/* What is at @place, if all of that is held and in order: it is held no more. */
static struct page *cma_recycle_take(struct cma_recycler *recycler,
				     unsigned long place, unsigned long nr_pages)
{
	unsigned long pfn = cma_recycle_base(recycler) + place;
	struct cma_recycle_run *run;

	lockdep_assert_held(&recycler->lock);
	if (place == CMA_RECYCLE_NOWHERE ||
	    find_next_zero_bit(recycler->held_map, place + nr_pages, place) <
	    place + nr_pages || cma_recycle_poisoned(pfn, nr_pages))
		return NULL;
	list_for_each_entry(run, &recycler->runs, by_pfn)
		if (pfn < cma_recycle_end(run))
			break;
	cma_recycle_cut(recycler, run, pfn, nr_pages);
	cma_recycle_left(recycler);
	atomic64_inc(&recycler->hits);
	return pfn_to_page(pfn);
}

/* What of @place is held goes to CMA. */
static void cma_recycle_clear_place(struct cma_recycler *recycler,
				    unsigned long place, unsigned long nr_pages)
{
	unsigned long pfn = cma_recycle_base(recycler) + place;
	unsigned long end = pfn + nr_pages, from, to;
	struct cma_recycle_run *run, *next;

	lockdep_assert_held(&recycler->lock);
	list_for_each_entry_safe(run, next, &recycler->runs, by_pfn) {
		from = max(pfn, run->pfn);
		to = min(end, cma_recycle_end(run));
		if (from >= to)
			continue;
		cma_recycle_cut(recycler, run, from, to - from);
		cma_recycle_give(recycler, from, to - from,
				 CMA_RECYCLE_WANTED);
	}
}

/* -- allocation and release ----------------------------------------------- */

/*
 * Takes held memory, if the buffer belongs there.  If not, NULL: CMA is to be asked,
 * and @place is where the buffer should come from, if that is known.
 *
 * ERR_PTR(-ENOMEM) if there is no place, whatever is given back.  Who asks for
 * that again and again does not empty the cache of those who do not.
 */
static struct page *cma_recycle_try(struct cma_recycler *recycler,
				    unsigned long nr_pages, unsigned int align,
				    bool optional, unsigned long *place)
{
	struct page *page;

	guard(mutex)(&recycler->lock);

	*place = CMA_RECYCLE_NOWHERE;
	if (recycler->held && cma_recycle_passed(recycler))
		*place = cma_recycle_first_held(recycler, nr_pages, align);
	if (*place == CMA_RECYCLE_NOWHERE) {
		if (optional && cma_recycle_in_vain(recycler, nr_pages, align))
			return ERR_PTR(-ENOMEM);
		/* CMA finds out by itself, but not at once */
		if (!optional && !recycler->held)
			return NULL;
		*place = cma_recycle_first_place(recycler, nr_pages, align);
		if (*place == CMA_RECYCLE_NOWHERE)
			return ERR_PTR(-ENOMEM);
	}
	page = cma_recycle_take(recycler, *place, nr_pages);
	if (!page)
		cma_recycle_clear_place(recycler, *place, nr_pages);
	return page;
}

/*
 * CMA was asked for @nr_pages at @place and has given @page.  It passed over the
 * place if that is still free, but for what is @page's now: if not, somebody else
 * was faster.  It did not if there is a better one since it was asked.
 *
 * Who was faster and has gone again, or pages that could not be moved for want of
 * memory, are taken for that, too.  It is a hint and ends by itself.
 */
static void cma_recycle_see(struct cma_recycler *recycler, unsigned long place,
			    unsigned long nr_pages, unsigned int align,
			    bool optional, const struct page *page)
{
	const struct cma_memrange *range = &recycler->cma->ranges[0];
	unsigned long end = place + nr_pages;

	if (page ? page_to_pfn(page) <= range->base_pfn + place :
		   fatal_signal_pending(current))
		return;
	if (page)
		end = min(end, page_to_pfn(page) - range->base_pfn);

	guard(mutex)(&recycler->lock);
	scoped_guard(spinlock_irq, &recycler->cma->lock)
		if (find_next_bit(range->bitmap, end, place) < end)
			return;
	recycler->passed_end = get_jiffies_64() +
			       msecs_to_jiffies(CMA_RECYCLE_PASSED_MS);
	/* asked about for wishes only: others would replace it by less */
	if (!page && optional) {
		recycler->vain_end = recycler->passed_end;
		WRITE_ONCE(recycler->vain_pages, nr_pages);
		recycler->vain_align = align;
	}
}

/*
 * Held memory with exactly this alignment, or CMA's.  If @optional, the caller goes
 * on with less: CMA gives what it has free, and nobody's cache is emptied.
 */
static struct page *cma_recycle_attempt(struct cma *cma, unsigned long nr_pages,
					unsigned int align, bool optional)
{
	struct cma_recycler *recycler = cma_recycler_of(cma);
	unsigned long place = CMA_RECYCLE_NOWHERE;
	struct page *page = NULL;

	if (recycler)
		page = cma_recycle_try(recycler, nr_pages, align, optional,
				       &place);
	if (IS_ERR(page)) {
		if (!optional) {
			/* as if cma_alloc() had said so */
			count_vm_event(CMA_ALLOC_FAIL);
			cma_sysfs_account_fail_pages(cma, nr_pages);
		}
		return NULL;
	}
	if (page)
		return page;

	page = optional ? cma_alloc_optional(cma, nr_pages, align) :
			  cma_alloc(cma, nr_pages, align, true);
	if (!recycler)
		return page;
	if (page)
		atomic64_inc(&recycler->misses);
	if (place != CMA_RECYCLE_NOWHERE)
		cma_recycle_see(recycler, place, nr_pages, align, optional,
				page);
	if (page || !optional || fatal_signal_pending(current))
		return page;

	/* not the first place, but what was wished for */
	guard(mutex)(&recycler->lock);
	place = cma_recycle_first_held(recycler, nr_pages, align);
	return cma_recycle_take(recycler, place, nr_pages);
}

/**
 * cma_recycle_alloc() - allocate contiguous memory, recycled or new
 * @cma: the area
 * @nr_pages: how much
 * @align: alignment that it must have, as an order
 * @wish: alignment, as an order, that it has if the first such place can be had,
 *	or one that is all held or all CMA's, unless CMA had none within the last
 *	second and got none from here since; at least @align
 *
 * What is recycled has not been zeroed, as what cma_alloc() gives has not.  The
 * caller charges it first.  Fails quietly.
 *
 * Context: Sleeps; enters reclaim.
 * Return: The first page, each of them with a reference.  NULL if there is no
 * such place in the area, its pages cannot be migrated, or the task is being
 * killed.
 */
struct page *cma_recycle_alloc(struct cma *cma, unsigned long nr_pages,
			       unsigned int align, unsigned int wish)
{
	struct cma_recycler *recycler = cma_recycler_of(cma);
	struct page *page = NULL;

	if (wish > align)
		page = cma_recycle_attempt(cma, nr_pages, wish, true);
	if (!page && !fatal_signal_pending(current))
		page = cma_recycle_attempt(cma, nr_pages, align, false);
	if (!page && recycler)
		atomic64_inc(&recycler->misses);
	return page;
}
EXPORT_SYMBOL_GPL(cma_recycle_alloc);

/* From now on it is counted what nobody needs, until the work looks at it. */
static void cma_recycle_start_idle(struct cma_recycler *recycler)
{
	lockdep_assert_held(&recycler->lock);
	recycler->low = recycler->held;
	recycler->idle_started = recycler->held;
	if (recycler->idle_started)
		queue_delayed_work(system_power_efficient_wq,
				   &recycler->idle_work,
				   msecs_to_jiffies(recycler->idle_ms));
}

/*
 * Sees to it that there is a run for them: one beside them, a spare one, or the
 * oldest, which goes back.  False if that is too large.
 */
static bool cma_recycle_make_run(struct cma_recycler *recycler,
				 unsigned long pfn, unsigned long nr_pages)
{
	unsigned long place = pfn - cma_recycle_base(recycler);
	unsigned long behind = place + nr_pages;
	struct cma_recycle_run *oldest;

	lockdep_assert_held(&recycler->lock);
	if (!list_empty(&recycler->spare) ||
	    (place && test_bit(place - 1, recycler->held_map)) ||
	    (behind < recycler->cma->count &&
	     test_bit(behind, recycler->held_map)))
		return true;

	/* who frees a page does not give back half of the area */
	oldest = list_first_entry(&recycler->ages, typeof(*oldest), by_age);
	if (oldest->nr_pages > max(nr_pages, CMA_RECYCLE_PART_PAGES))
		return false;
	cma_recycle_give_back(recycler, oldest->nr_pages, CMA_RECYCLE_LIMIT);
	return true;
}

/* Whether they are the cache's now. */
static bool cma_recycle_keep(struct cma_recycler *recycler, unsigned long pfn,
			     unsigned long nr_pages)
{
	guard(mutex)(&recycler->lock);

	/* what is above a new limit goes in parts, and not from here */
	if (nr_pages > recycler->max || recycler->held > recycler->max ||
	    recycler->waiting || cma_recycle_poisoned(pfn, nr_pages))
		return false;
	if (!cma_recycle_make_run(recycler, pfn, nr_pages))
		return false;
	cma_recycle_insert(recycler, pfn, nr_pages);
	if (recycler->held > recycler->max) {
		cma_recycle_give_back(recycler, recycler->held - recycler->max,
				      CMA_RECYCLE_LIMIT);
		/* as many as came were not idle */
		recycler->low = min(recycler->low, recycler->held - nr_pages);
	}
	if (!recycler->idle_started)
		cma_recycle_start_idle(recycler);
	return true;
}

/**
 * cma_recycle_free() - give up memory from cma_recycle_alloc() or cma_alloc()
 * @cma: the area
 * @page: the first page; nobody has a reference to any of them but the caller
 * @nr_pages: how many
 *
 * The caller uncharges it after.
 *
 * Context: Sleeps.  Allocates no memory.
 */
void cma_recycle_free(struct cma *cma, struct page *page,
		      unsigned long nr_pages)
{
	struct cma_recycler *recycler = cma_recycler_of(cma);

	/* looks without the lock save taking it where this is turned off */
	if (recycler && nr_pages <= READ_ONCE(recycler->max) &&
	    !want_init_on_free() &&
	    cma_recycle_keep(recycler, page_to_pfn(page), nr_pages))
		return;
	cma_release(cma, page, nr_pages);
	if (recycler && READ_ONCE(recycler->vain_pages)) {
		guard(mutex)(&recycler->lock);
		cma_recycle_hope(recycler, page_to_pfn(page), nr_pages);
	}
}
EXPORT_SYMBOL_GPL(cma_recycle_free);

/**
 * cma_recycle_held() - memory of an area that is in use according to CMA only
 * @cma: the area
 *
 * Context: Any.
 * Return: Pages that the cache holds: to be added to what CMA has available.
 */
unsigned long cma_recycle_held(const struct cma *cma)
{
	struct cma_recycler *recycler = cma_recycler_of(cma);

	return recycler ? READ_ONCE(recycler->held) : 0;
}

/* -- for cma_alloc() ------------------------------------------------------ */

/**
 * cma_recycle_begin() - a search for free memory in an area begins
 * @cma: the area
 * @nr_pages: how much is wanted
 * @align: alignment that it must have, as an order
 * @want: for cma_recycle_again(), which must follow if the search is not optional
 *
 * Gives back what is held of the first place that fits.  The search would go
 * around it, and memory that is used for long would lie where nothing did
 * without the cache, and be in the way of larger buffers.
 *
 * Remembers how often something has left what is held.  The number is read before
 * the search leaves cma->lock, and raised after pages were made free under it:
 * whatever the search could not see yet changes the number.  What became a buffer's
 * does so, too: it may have been freed, past the cache, where the search had been.
 *
 * Context: Sleeps.  Must not be called with locks held that reclaim takes.
 */
void cma_recycle_begin(struct cma *cma, unsigned long nr_pages,
		       unsigned int align, struct cma_recycle_want *want)
{
	struct cma_recycler *recycler = cma_recycler_of(cma);
	unsigned long place;

	want->nr_pages = nr_pages;
	want->align = align;
	want->waiting = false;
	/* what is held a moment later was not free to CMA before, either */
	if (recycler && READ_ONCE(recycler->held)) {
		guard(mutex)(&recycler->lock);
		place = cma_recycle_first_place(recycler, nr_pages, align);
		if (place != CMA_RECYCLE_NOWHERE)
			cma_recycle_clear_place(recycler, place, nr_pages);
	}
	want->left = recycler ? READ_ONCE(recycler->left) : 0;
}
EXPORT_SYMBOL_FOR_MODULES(cma_recycle_begin, "cma_recycle_selftest");

/**
 * cma_recycle_again() - whether to repeat a search for free memory in an area
 * @cma: the area
 * @want: what cma_recycle_begin() has set up
 * @found: what the search has found, or NULL
 *
 * If nothing was found and there would be a place, gives back all that the cache
 * holds.  If true, the cache stays empty until the next call: to be called again
 * after the search was repeated.
 *
 * Context: Sleeps.  Must not be called with locks held that reclaim takes.
 * Return: Whether there is something that the search has not seen.
 */
bool cma_recycle_again(struct cma *cma, struct cma_recycle_want *want,
		       const struct page *found)
{
	struct cma_recycler *recycler = cma_recycler_of(cma);
	unsigned long done;

	if (!want->waiting) {
		if (found || !recycler || fatal_signal_pending(current))
			return false;
		scoped_guard(mutex, &recycler->lock) {
			/* as cma_recycle_try(): that is no one's gain */
			if (cma_recycle_first_place(recycler, want->nr_pages,
						    want->align) ==
			    CMA_RECYCLE_NOWHERE)
				return false;
			recycler->waiting++;
		}
		do {
			guard(mutex)(&recycler->lock);
			done = cma_recycle_give_back(recycler,
						     CMA_RECYCLE_PART_PAGES,
						     CMA_RECYCLE_WANTED);
		} while (done);
	}

	guard(mutex)(&recycler->lock);
	/* the second call ends what the first has begun */
	want->waiting = !want->waiting &&
			recycler->left != want->left;
	if (!want->waiting)
		recycler->waiting--;
	return want->waiting;
}
EXPORT_SYMBOL_FOR_MODULES(cma_recycle_again, "cma_recycle_selftest");

/* -- going back by itself ------------------------------------------------- */

static void cma_recycle_idle(struct work_struct *work)
{
	struct cma_recycler *recycler = container_of(to_delayed_work(work),
						     struct cma_recycler,
						     idle_work);
	unsigned long idle, done;

	do {
		guard(mutex)(&recycler->lock);
		idle = recycler->low;
		done = cma_recycle_give_back(recycler,
					     min(idle, CMA_RECYCLE_PART_PAGES),
					     CMA_RECYCLE_IDLE);
		/* giving back has lowered it, to what is held now */
		recycler->low = min(idle - done, recycler->held);
		if (!done)
			cma_recycle_start_idle(recycler);
	} while (done);
}

static unsigned long cma_recycle_count(struct shrinker *shrinker,
				       struct shrink_control *sc)
{
	struct cma_recycler *recycler = shrinker->private_data;

	return READ_ONCE(recycler->held) ?: SHRINK_EMPTY;
}

static unsigned long cma_recycle_scan(struct shrinker *shrinker,
				      struct shrink_control *sc)
{
	struct cma_recycler *recycler = shrinker->private_data;
	unsigned long n = sc->nr_to_scan, done;

	/* who has the lock may have a low priority, or be giving back himself */
	scoped_cond_guard(mutex_try, return SHRINK_STOP, &recycler->lock) {
		/* a rest as small as that would not be asked for again */
		if (recycler->held <= 2 * n)
			n = recycler->held;
		done = cma_recycle_give_back(recycler, n, CMA_RECYCLE_PRESSURE);
	}
	/* reclaim counts slab pages by itself, but these are none */
	mm_account_reclaimed_pages(done);
	return done;
}

/* -- sysfs ---------------------------------------------------------------- */

static struct cma_recycler *to_recycler(struct kobject *kobj)
{
	return container_of(kobj, struct cma_recycler, kobj);
}

static void cma_recycle_set_percent(struct cma_recycler *recycler,
				    unsigned int percent)
{
	lockdep_assert_held(&recycler->lock);
	WRITE_ONCE(recycler->percent, percent);
	WRITE_ONCE(recycler->max, mult_frac(recycler->cma->count, percent, 100));
}

static ssize_t max_percent_show(struct kobject *kobj,
				struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(to_recycler(kobj)->percent));
}

static ssize_t max_percent_store(struct kobject *kobj,
				 struct kobj_attribute *attr, const char *buf,
				 size_t count)
{
	struct cma_recycler *recycler = to_recycler(kobj);
	unsigned long excess;
	unsigned int percent;
	int err;

	err = kstrtouint(buf, 10, &percent);
	if (err)
		return err;
	if (percent > 100)
		return -ERANGE;

	scoped_guard(mutex, &recycler->lock)
		cma_recycle_set_percent(recycler, percent);
	do {
		guard(mutex)(&recycler->lock);
		excess = recycler->held - min(recycler->held, recycler->max);
		cma_recycle_give_back(recycler,
				      min(excess, CMA_RECYCLE_PART_PAGES),
				      CMA_RECYCLE_LIMIT);
	} while (excess > CMA_RECYCLE_PART_PAGES);
	return count;
}

static struct kobj_attribute max_percent_attr = __ATTR_RW(max_percent);

static ssize_t idle_ms_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(to_recycler(kobj)->idle_ms));
}

static ssize_t idle_ms_store(struct kobject *kobj, struct kobj_attribute *attr,
			     const char *buf, size_t count)
{
	struct cma_recycler *recycler = to_recycler(kobj);
	unsigned int ms;
	int err;

	err = kstrtouint(buf, 10, &ms);
	if (err)
		return err;
	if (!ms || ms > INT_MAX)
		return -ERANGE;

	guard(mutex)(&recycler->lock);
	WRITE_ONCE(recycler->idle_ms, ms);
	if (recycler->idle_started)
		mod_delayed_work(system_power_efficient_wq, &recycler->idle_work,
				 msecs_to_jiffies(ms));
	return count;
}

static struct kobj_attribute idle_ms_attr = __ATTR_RW(idle_ms);

#define CMA_RECYCLE_SHOW(_name, _value)					\
static ssize_t _name##_show(struct kobject *kobj,			\
			    struct kobj_attribute *attr, char *buf)	\
{									\
	struct cma_recycler *recycler = to_recycler(kobj);		\
									\
	return sysfs_emit(buf, "%llu\n", (u64)(_value));		\
}									\
static struct kobj_attribute _name##_attr = __ATTR_RO(_name)

#define CMA_RECYCLE_SHOW_PAGES(_name, _pages)				\
	CMA_RECYCLE_SHOW(_name, (u64)(_pages) << PAGE_SHIFT)

#define CMA_RECYCLE_SHOW_WHY(_name, _why)				\
	CMA_RECYCLE_SHOW_PAGES(_name, atomic64_read(&recycler->why[_why]))

CMA_RECYCLE_SHOW_PAGES(max_bytes, READ_ONCE(recycler->max));
CMA_RECYCLE_SHOW_PAGES(held_bytes, READ_ONCE(recycler->held));
CMA_RECYCLE_SHOW(hits, atomic64_read(&recycler->hits));
CMA_RECYCLE_SHOW(misses, atomic64_read(&recycler->misses));
CMA_RECYCLE_SHOW_WHY(given_back_limit, CMA_RECYCLE_LIMIT);
CMA_RECYCLE_SHOW_WHY(given_back_split, CMA_RECYCLE_SPLIT);
CMA_RECYCLE_SHOW_WHY(given_back_pressure, CMA_RECYCLE_PRESSURE);
CMA_RECYCLE_SHOW_WHY(given_back_idle, CMA_RECYCLE_IDLE);
CMA_RECYCLE_SHOW_WHY(given_back_wanted, CMA_RECYCLE_WANTED);

static struct attribute *cma_recycle_attrs[] = {
	&max_percent_attr.attr,
	&max_bytes_attr.attr,
	&idle_ms_attr.attr,
	&held_bytes_attr.attr,
	&hits_attr.attr,
	&misses_attr.attr,
	&given_back_limit_attr.attr,
	&given_back_split_attr.attr,
	&given_back_pressure_attr.attr,
	&given_back_idle_attr.attr,
	&given_back_wanted_attr.attr,
	NULL,
};
ATTRIBUTE_GROUPS(cma_recycle);

/* -- setup ---------------------------------------------------------------- */

static void cma_recycler_release(struct kobject *kobj)
{
	struct cma_recycler *recycler = to_recycler(kobj);

	mutex_destroy(&recycler->lock);
	bitmap_free(recycler->held_map);
	kfree(recycler);
}

static const struct kobj_type cma_recycler_type = {
	.release = cma_recycler_release,
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = cma_recycle_groups,
};

static int __init cma_recycle_add(const struct cma_dmem_area *area,
				  struct kobject *parent)
{
	struct cma_recycler *recycler;
	unsigned int i;
	int err;

	/* which adjacent pages may be merged and released apart is clear here */
	if (area->cma->nranges != 1 || area->cma->order_per_bit)
		return 0;

	recycler = kzalloc_obj(*recycler);
	if (!recycler)
		return -ENOMEM;
	mutex_init(&recycler->lock);
	INIT_LIST_HEAD(&recycler->runs);
	INIT_LIST_HEAD(&recycler->ages);
	INIT_LIST_HEAD(&recycler->spare);
	for (i = 0; i < CMA_RECYCLE_MAX_RUNS; i++)
		list_add_tail(&recycler->all_runs[i].by_pfn, &recycler->spare);
	INIT_DELAYED_WORK(&recycler->idle_work, cma_recycle_idle);
	recycler->cma = area->cma;
	recycler->held_map = bitmap_zalloc(area->cma->count, GFP_KERNEL);
	recycler->idle_ms = CMA_RECYCLE_IDLE_MS;
	scoped_guard(mutex, &recycler->lock)
		cma_recycle_set_percent(recycler, cma_recycle_percent);

	kobject_init(&recycler->kobj, &cma_recycler_type);
	err = -ENOMEM;
	if (!recycler->held_map)
		goto err_put;
	err = kobject_add(&recycler->kobj, parent, "%s", area->name);
	if (err)
		goto err_put;

	err = -ENOMEM;
	recycler->shrinker = shrinker_alloc(0, "cma-recycle:%s", area->name);
	if (!recycler->shrinker)
		goto err_put;
	recycler->shrinker->count_objects = cma_recycle_count;
	recycler->shrinker->scan_objects = cma_recycle_scan;
	recycler->shrinker->private_data = recycler;
	/* half of it at a time: it costs no more than asking CMA again */
	recycler->shrinker->seeks = 0;
	shrinker_register(recycler->shrinker);

	/* pairs with cma_recycler_of() */
	smp_store_release(&cma_recyclers[area->cma - cma_areas], recycler);
	return 0;

err_put:
	kobject_put(&recycler->kobj);
	return err;
}

static int __init cma_recycle_init(void)
{
	const struct cma_dmem_area *area;
	struct kobject *parent;
	unsigned int i;
	int err;

	if (cma_recycle_percent > 100) {
		pr_err("percent=%u is more than all, %u it is\n",
		       cma_recycle_percent, CMA_RECYCLE_PERCENT);
		cma_recycle_percent = CMA_RECYCLE_PERCENT;
	}
	if (!cma_dmem_area_by_idx(0))
		return 0;

	parent = kobject_create_and_add("cma_recycle", mm_kobj);
	if (!parent)
		return -ENOMEM;
	for (i = 0; (area = cma_dmem_area_by_idx(i)); i++) {
		err = cma_recycle_add(area, parent);
		if (err)
			pr_err("%s: nothing will be recycled: %pe\n",
			       area->name, ERR_PTR(err));
	}
	return 0;
}
subsys_initcall(cma_recycle_init);
