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
 * Where a buffer is taken from
 *	The smallest run that has it at the wanted alignment, and there from an
 *	end that leaves one piece rather than two.  Of two pieces the smaller one
 *	goes back to CMA.  Freed memory is merged with its neighbours, so that the
 *	runs are as long as if nothing had been cut off.
 *
 * When it goes back to CMA
 *	limit		there would be too much of it: the oldest first
 *	split		see above
 *	pressure	the kernel is short of memory (a shrinker)
 *	idle		nobody has had a use for it for idle_ms: what was there
 *			all of that time is not needed
 *	wanted		an allocation from the area found no place
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
 *	reclaim, so memory must not be allocated under it.  Inside nest
 *	cma->lock and the locks of the page allocator.
 *	recycler->held and ->given_back are written under the lock and read
 *	without: single words, one as a snapshot, the other as cma_recycle_begin()
 *	explains.
 */

#define pr_fmt(fmt) "cma_recycle: " fmt

#include <linux/bitmap.h>
#include <linux/cleanup.h>
#include <linux/cma.h>
#include <linux/cma_dmem.h>
#include <linux/cma_recycle.h>
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
#include <linux/pageblock-flags.h>
#include <linux/printk.h>
#include <linux/sched/signal.h>
#include <linux/shrinker.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/swap.h>
#include <linux/sysfs.h>
#include <linux/workqueue.h>

#include "cma.h"

/* Where there is no place. */
#define CMA_RECYCLE_NOWHERE	ULONG_MAX

/* Lists of this length are walked for each allocation. */
#define CMA_RECYCLE_MAX_RUNS	128

/* Given back at a time by the idle work, which others may have to wait for. */
#define CMA_RECYCLE_IDLE_PAGES	(SZ_16M / PAGE_SIZE)

#define CMA_RECYCLE_PERCENT	0	/* off unless asked for */
#define CMA_RECYCLE_IDLE_MS	2000

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
 * @by_pfn: in &cma_recycler.runs
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
 * @nr_runs: how many these are
 * @waiting: allocations that are searching again: nothing is to be cached
 * @held: pages in @runs
 * @low: the least that @held was since the idle work ran
 * @max: the most that @held may be
 * @given_back: how many times pages were given back
 * @percent: @max, as it was set
 * @idle_ms: how long nobody needs what goes back for being idle
 * @hits: allocations from here
 * @misses: those that CMA was asked for
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
	unsigned int nr_runs;
	unsigned int waiting;
	unsigned long held;
	unsigned long low;
	unsigned long max;
	unsigned long given_back;
	unsigned int percent;
	unsigned int idle_ms;
	u64 hits;
	u64 misses;
	u64 why[CMA_RECYCLE_NR_WHYS];
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
	list_del(&run->by_pfn);
	list_del(&run->by_age);
	recycler->nr_runs--;
	kfree(run);
}

/* Pages that are in no run any more go back to CMA. */
static void cma_recycle_release(struct cma_recycler *recycler, unsigned long pfn,
				unsigned long nr_pages, enum cma_recycle_why why)
{
	lockdep_assert_held(&recycler->lock);
	cma_release(recycler->cma, pfn_to_page(pfn), nr_pages);
	cma_recycle_set_held(recycler, recycler->held - nr_pages);
	recycler->why[why] += nr_pages;
	/* after the pages can be found, see cma_recycle_begin() */
	WRITE_ONCE(recycler->given_back, recycler->given_back + 1);
}

/*
 * Gives back @nr_pages, oldest runs first.  A run of which not all has to go
 * goes on with a whole pageblock: a little more is given back than was asked
 * for, or less if @at_most.  Return: how many went.
 */
static unsigned long cma_recycle_give_back(struct cma_recycler *recycler,
					   unsigned long nr_pages, bool at_most,
					   enum cma_recycle_why why)
{
	struct cma_recycle_run *run, *next;
	unsigned long cut, done = 0;

	lockdep_assert_held(&recycler->lock);
	list_for_each_entry_safe(run, next, &recycler->ages, by_age) {
		if (done >= nr_pages)
			break;
		cut = run->pfn + (nr_pages - done);
		cut = at_most ? pageblock_start_pfn(cut) : pageblock_align(cut);
		if (nr_pages - done >= run->nr_pages)
			cut = cma_recycle_end(run);
		cut = min(cut, cma_recycle_end(run));
		/* there is no pageblock's end in what may go */
		if (cut <= run->pfn)
			continue;

		cma_recycle_release(recycler, run->pfn, cut - run->pfn, why);
		done += cut - run->pfn;
		run->nr_pages -= cut - run->pfn;
		run->pfn = cut;
		if (!run->nr_pages)
			cma_recycle_drop(recycler, run);
	}
	return done;
}

/* Where in @run @nr_pages aligned to @align can be cut off. */
static unsigned long cma_recycle_place(const struct cma_recycle_run *run,
				       unsigned long nr_pages,
				       unsigned int align)
{
	unsigned long size = 1UL << align, end = cma_recycle_end(run), pfn;

	if (run->nr_pages < nr_pages)
		return CMA_RECYCLE_NOWHERE;
	pfn = ALIGN_DOWN(end - nr_pages, size);
	if (pfn < run->pfn)
		return CMA_RECYCLE_NOWHERE;
	/* the front stays aligned; but rather one piece than two */
	if (pfn + nr_pages != end && IS_ALIGNED(run->pfn, size))
		pfn = run->pfn;
	if (!page_range_contiguous(pfn_to_page(pfn), nr_pages))
		return CMA_RECYCLE_NOWHERE;
	return pfn;
}

/* Cuts @nr_pages at @pfn out of @run. */
static void cma_recycle_cut(struct cma_recycler *recycler,
			    struct cma_recycle_run *run, unsigned long pfn,
			    unsigned long nr_pages)
{
	unsigned long front = pfn - run->pfn;
	unsigned long behind = pfn + nr_pages;
	unsigned long rest = cma_recycle_end(run) - behind;

	cma_recycle_set_held(recycler, recycler->held - nr_pages);
	if (front > rest) {
		run->nr_pages = front;
		if (rest)
			cma_recycle_release(recycler, behind, rest,
					    CMA_RECYCLE_SPLIT);
	} else if (rest) {
		if (front)
			cma_recycle_release(recycler, run->pfn, front,
					    CMA_RECYCLE_SPLIT);
		run->pfn = behind;
		run->nr_pages = rest;
	} else {
		cma_recycle_drop(recycler, run);
	}
}

/* The first page, NULL if there is no such run. */
static struct page *cma_recycle_take(struct cma_recycler *recycler,
				     unsigned long nr_pages, unsigned int align)
{
	struct cma_recycle_run *run, *best = NULL;
	unsigned long pfn, found = 0;

	lockdep_assert_held(&recycler->lock);
	list_for_each_entry(run, &recycler->runs, by_pfn) {
		if (best && run->nr_pages >= best->nr_pages)
			continue;
		pfn = cma_recycle_place(run, nr_pages, align);
		if (pfn == CMA_RECYCLE_NOWHERE)
			continue;
		best = run;
		found = pfn;
		if (run->nr_pages == nr_pages)
			break;
	}
	if (!best)
		return NULL;
	cma_recycle_cut(recycler, best, found, nr_pages);
	return pfn_to_page(found);
}

/* Puts @run where it belongs, or what is in it into the runs beside it. */
static void cma_recycle_insert(struct cma_recycler *recycler,
			       struct cma_recycle_run *run)
{
	struct cma_recycle_run *next, *prev;
	struct list_head *before = &recycler->runs;

	cma_recycle_set_held(recycler, recycler->held + run->nr_pages);

	list_for_each_entry(next, &recycler->runs, by_pfn) {
		if (next->pfn > run->pfn) {
			before = &next->by_pfn;
			break;
		}
	}
	list_add_tail(&run->by_pfn, before);
	list_add_tail(&run->by_age, &recycler->ages);
	recycler->nr_runs++;

	/* areas with more than one range have no cache: adjacent is mergeable */
	if (!list_is_last(&run->by_pfn, &recycler->runs)) {
		next = list_next_entry(run, by_pfn);
		if (cma_recycle_end(run) == next->pfn) {
			run->nr_pages += next->nr_pages;
			cma_recycle_drop(recycler, next);
		}
	}
	if (!list_is_first(&run->by_pfn, &recycler->runs)) {
		prev = list_prev_entry(run, by_pfn);
		if (cma_recycle_end(prev) == run->pfn) {
			run->pfn = prev->pfn;
			run->nr_pages += prev->nr_pages;
			cma_recycle_drop(recycler, prev);
		}
	}
}

/* -- allocation and release ----------------------------------------------- */

/* Whether CMA has such a place.  Others may be faster: a hint. */
static bool cma_recycle_has_room(struct cma *cma, unsigned long nr_pages,
				 unsigned int align)
{
	struct cma_memrange *range = &cma->ranges[0];
	unsigned long mask = (1UL << align) - 1, bits;

	/* one range, and a bit for each page: others have no cache */
	bits = cma_bitmap_maxno(cma, range);
	guard(spinlock_irq)(&cma->lock);
	return bitmap_find_next_zero_area_off(range->bitmap, bits, 0, nr_pages,
					      mask, range->base_pfn & mask) < bits;
}

static struct page *cma_recycle_try(struct cma_recycler *recycler,
				    unsigned long nr_pages, unsigned int align,
				    unsigned int wish)
{
	struct page *page;

	guard(mutex)(&recycler->lock);

	page = cma_recycle_take(recycler, nr_pages, wish);
	/* a place in CMA that is as wished comes before one here that is not */
	if (!page && wish > align &&
	    !cma_recycle_has_room(recycler->cma, nr_pages, wish))
		page = cma_recycle_take(recycler, nr_pages, align);

	if (page)
		recycler->hits++;
	else
		recycler->misses++;
	return page;
}

/**
 * cma_recycle_alloc() - allocate contiguous memory, recycled or new
 * @cma: the area
 * @nr_pages: how much
 * @align: alignment that it must have, as an order
 * @wish: alignment, as an order, that it has if there is such a place; at least
 *	@align
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

	if (recycler)
		page = cma_recycle_try(recycler, nr_pages, align, wish);
	if (!page)
		page = cma_alloc(cma, nr_pages, wish, true);
	if (!page && wish > align && !fatal_signal_pending(current))
		page = cma_alloc(cma, nr_pages, align, true);
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

/* Whether @run is now the cache's. */
static bool cma_recycle_keep(struct cma_recycler *recycler,
			     struct cma_recycle_run *run)
{
	guard(mutex)(&recycler->lock);

	if (run->nr_pages > recycler->max || recycler->waiting)
		return false;
	if (recycler->held > recycler->max - run->nr_pages)
		cma_recycle_give_back(recycler, recycler->held + run->nr_pages -
				      recycler->max, false, CMA_RECYCLE_LIMIT);
	cma_recycle_insert(recycler, run);
	if (recycler->nr_runs > CMA_RECYCLE_MAX_RUNS) {
		run = list_first_entry(&recycler->ages, typeof(*run), by_age);
		cma_recycle_give_back(recycler, run->nr_pages, false,
				      CMA_RECYCLE_LIMIT);
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
 * Context: Sleeps.  Allocates no memory that it would have to wait for.
 */
void cma_recycle_free(struct cma *cma, struct page *page,
		      unsigned long nr_pages)
{
	struct cma_recycler *recycler = cma_recycler_of(cma);
	struct cma_recycle_run *run = NULL;

	/* a look without the lock saves the allocation where it is turned off */
	if (recycler && nr_pages <= READ_ONCE(recycler->max) &&
	    !want_init_on_free())
		run = kmalloc_obj(*run, GFP_NOWAIT | __GFP_NOWARN);
	if (run) {
		run->pfn = page_to_pfn(page);
		run->nr_pages = nr_pages;
		if (cma_recycle_keep(recycler, run))
			return;
		kfree(run);
	}
	cma_release(cma, page, nr_pages);
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
EXPORT_SYMBOL_GPL(cma_recycle_held);

/* -- for cma_alloc() ------------------------------------------------------ */

/**
 * cma_recycle_begin() - a search for free memory in an area begins
 * @cma: the area
 * @want: for cma_recycle_again(), which must follow
 *
 * Remembers how often something has been given back.  The number is read before
 * the search leaves cma->lock, and raised after pages were made free under it:
 * whatever the search could not see yet changes the number.
 *
 * Context: Any.
 */
void cma_recycle_begin(struct cma *cma, struct cma_recycle_want *want)
{
	struct cma_recycler *recycler = cma_recycler_of(cma);

	want->waiting = false;
	want->given_back = recycler ? READ_ONCE(recycler->given_back) : 0;
}

/**
 * cma_recycle_again() - whether to repeat a search for free memory in an area
 * @cma: the area
 * @want: what cma_recycle_begin() has set up
 * @found: what the search has found, or NULL
 *
 * If nothing was found, gives back all that the cache holds and keeps it empty
 * until the next call.  To be called again after the search was repeated.
 *
 * Context: Sleeps.  Must not be called with locks held that reclaim takes.
 * Return: Whether there is something that the search has not seen.
 */
bool cma_recycle_again(struct cma *cma, struct cma_recycle_want *want,
		       const struct page *found)
{
	struct cma_recycler *recycler = cma_recycler_of(cma);

	if (want->waiting) {
		guard(mutex)(&recycler->lock);
		recycler->waiting--;
		return false;
	}
	if (found || !recycler || fatal_signal_pending(current))
		return false;

	guard(mutex)(&recycler->lock);
	cma_recycle_give_back(recycler, recycler->held, false,
			      CMA_RECYCLE_WANTED);
	if (recycler->given_back == want->given_back)
		return false;
	want->waiting = true;
	recycler->waiting++;
	return true;
}

/* -- going back by itself ------------------------------------------------- */

static void cma_recycle_idle(struct work_struct *work)
{
	struct cma_recycler *recycler = container_of(to_delayed_work(work),
						     struct cma_recycler,
						     idle_work);
	unsigned long done;

	do {
		guard(mutex)(&recycler->lock);
		done = cma_recycle_give_back(recycler,
					     min(recycler->low,
						 CMA_RECYCLE_IDLE_PAGES),
					     true, CMA_RECYCLE_IDLE);
		recycler->low -= min(done, recycler->low);
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
	unsigned long done;

	scoped_guard(mutex, &recycler->lock)
		done = cma_recycle_give_back(recycler, sc->nr_to_scan, false,
					     CMA_RECYCLE_PRESSURE);
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
	recycler->percent = percent;
	WRITE_ONCE(recycler->max, mult_frac(recycler->cma->count, percent, 100));
	if (recycler->held > recycler->max)
		cma_recycle_give_back(recycler, recycler->held - recycler->max,
				      false, CMA_RECYCLE_LIMIT);
}

static ssize_t max_percent_show(struct kobject *kobj,
				struct kobj_attribute *attr, char *buf)
{
	struct cma_recycler *recycler = to_recycler(kobj);

	guard(mutex)(&recycler->lock);
	return sysfs_emit(buf, "%u\n", recycler->percent);
}

static ssize_t max_percent_store(struct kobject *kobj,
				 struct kobj_attribute *attr, const char *buf,
				 size_t count)
{
	struct cma_recycler *recycler = to_recycler(kobj);
	unsigned int percent;
	int err;

	err = kstrtouint(buf, 10, &percent);
	if (err)
		return err;
	if (percent > 100)
		return -ERANGE;

	guard(mutex)(&recycler->lock);
	cma_recycle_set_percent(recycler, percent);
	return count;
}

static struct kobj_attribute max_percent_attr = __ATTR_RW(max_percent);

static ssize_t idle_ms_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	struct cma_recycler *recycler = to_recycler(kobj);

	guard(mutex)(&recycler->lock);
	return sysfs_emit(buf, "%u\n", recycler->idle_ms);
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
	recycler->idle_ms = ms;
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
	guard(mutex)(&recycler->lock);					\
	return sysfs_emit(buf, "%llu\n", _value);			\
}									\
static struct kobj_attribute _name##_attr = __ATTR_RO(_name)

#define CMA_RECYCLE_BYTES(_pages)	((u64)(_pages) << PAGE_SHIFT)

CMA_RECYCLE_SHOW(max_bytes, CMA_RECYCLE_BYTES(recycler->max));
CMA_RECYCLE_SHOW(held_bytes, CMA_RECYCLE_BYTES(recycler->held));
CMA_RECYCLE_SHOW(hits, recycler->hits);
CMA_RECYCLE_SHOW(misses, recycler->misses);
CMA_RECYCLE_SHOW(given_back_limit,
		 CMA_RECYCLE_BYTES(recycler->why[CMA_RECYCLE_LIMIT]));
CMA_RECYCLE_SHOW(given_back_split,
		 CMA_RECYCLE_BYTES(recycler->why[CMA_RECYCLE_SPLIT]));
CMA_RECYCLE_SHOW(given_back_pressure,
		 CMA_RECYCLE_BYTES(recycler->why[CMA_RECYCLE_PRESSURE]));
CMA_RECYCLE_SHOW(given_back_idle,
		 CMA_RECYCLE_BYTES(recycler->why[CMA_RECYCLE_IDLE]));
CMA_RECYCLE_SHOW(given_back_wanted,
		 CMA_RECYCLE_BYTES(recycler->why[CMA_RECYCLE_WANTED]));

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
	INIT_DELAYED_WORK(&recycler->idle_work, cma_recycle_idle);
	recycler->cma = area->cma;
	recycler->idle_ms = CMA_RECYCLE_IDLE_MS;
	scoped_guard(mutex, &recycler->lock)
		cma_recycle_set_percent(recycler, cma_recycle_percent);

	err = kobject_init_and_add(&recycler->kobj, &cma_recycler_type, parent,
				   "%s", area->name);
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
