// SPDX-License-Identifier: GPL-2.0
/*
 * Device memory (dmem) cgroup controller
 *
 * Accounts and limits memory that does not come from the page allocator's
 * common stock: a GPU's video RAM, a carveout.  Each such pool of memory is a
 * region.  All quantities are bytes, 64 bit wide on every architecture.
 *
 * Who is charged
 *	The cgroup of the task that calls dmem_cgroup_try_charge(), and each of
 *	its ancestors.  If that cgroup is being removed, its nearest ancestor
 *	that is not.  The charge stays where it was made, whoever holds the
 *	memory later on and wherever the task migrates, until it is given back
 *	with dmem_cgroup_uncharge().
 *
 * Limits
 *	A charge is granted if at every level usage + size <= max, and then adds
 *	to all levels at once.  Otherwise it is refused and leaves no trace.  A
 *	refused request therefore never makes another one fail, and usage is at
 *	any time the sum of the charges granted and not yet given back.  Usage
 *	exceeds max only if max is lowered below it: then the region's driver is
 *	asked to reclaim if it can, and what cannot be reclaimed stays; the limit
 *	holds for what comes next.  The root has usage but no limits.
 *
 * Protection
 *	min and low say how much of a cgroup's usage eviction on behalf of others
 *	must and should leave alone.  What that comes to, given what siblings
 *	claim and what the parent is granted itself, is worked out when a driver
 *	asks, along the path from the pool whose limit was met down to the one
 *	that may be evicted; the sums over siblings are kept up to date by every
 *	charge.  See dmemcg_protection() for the rules.  A driver that evicts
 *	because the memory itself is full, and names the root as what was met,
 *	is told of no protection, as before.
 *
 * Events
 *	max counts the charges that a limit refused (retries count again), low
 *	the times that a driver was allowed to evict what low should have kept: once
 *	for each object that it considered, evicted in the end or not.
 *	They count where it happened and in all ancestors, removed cgroups in
 *	their living ancestors only.  Changes wake poll and inotify, at a rate
 *	that the cgroup core limits without losing the last one.
 *
 * Peak
 *	The highest usage since the cgroup or the region is there.  Writing
 *	anything to dmem.peak makes that open file see the peak since then, of
 *	all regions; other open files are not affected.
 *
 * Removal of a cgroup
 *	Does not wait for memory, and no charge keeps the cgroup.  Its pools lose
 *	their limits and live on, nameless, as nodes that carry what is still
 *	charged; the ancestors go on showing it.  A new cgroup of the same name,
 *	or the same one after -dmem and +dmem, starts from 0.
 *
 * Loss of a region
 *	An unregistered region disappears from the files and refuses charges.
 *	Charges made before are given back as usual, at any later time.  A region
 *	registered under a name that another one still has takes the name over:
 *	that is a driver which was bound again while old buffers live.  The old
 *	region leaves the files but keeps working.
 *
 * Trace events
 *	Are called only when one is on.  With lockdep a call that is off looks at
 *	the number of its CPU nevertheless, which KCSAN takes for a race here.
 *
 * Structure
 *	A pool is one region's numbers in one cgroup.  Pools of a region form a
 *	tree of their own beside the cgroups: each holds a reference to its parent
 *	and to the region, both fixed before others can find it.  The cgroup's
 *	css finds its pools in an xarray by region id.  A pool is referenced by
 *	that xarray, by its children, and by each charge.
 *
 * Locking
 *	dmemcg_mutex	Finding: additions to and removals from the xarrays, pool
 *			->cs and ->region_node, region ->unregistered and
 *			->hidden, css ->dead.  Nests inside cgroup_mutex and a
 *			kernfs file's mutex.  Inside it are only spinlocks (the
 *			xarrays', a region's) and allocations that do not reclaim.
 *	css->peak_lock	Views: who watches the peaks of the css's pools and what
 *			they have seen.  Of the css, not of the region: who opens
 *			dmem.peak a thousand times and resets it keeps nobody
 *			waiting but those who have reset that file, too.
 *	region->lock	Numbers: usage, peaks, limits, protection sums and events of
 *			all the region's pools.  A leaf, inside the other two, irq
 *			safe, because memory may be given back in any context that
 *			may take a spinlock.
 *	RCU		Lookups.  Pools and regions are freed after a grace period,
 *			so one that was found may be looked at, and charged after
 *			its reference count was raised from non-zero.  A css is
 *			freed a grace period after its pools forgot it.
 *	dmemcg_srcu	Reclaim callbacks, which unregistration waits for.
 */

#include <kunit/static_stub.h>
#include <linux/cgroup.h>
#include <linux/cgroup_dmem.h>
#include <linux/cleanup.h>
#include <linux/ctype.h>
#include <linux/kref.h>
#include <linux/kstrtox.h>
#include <linux/list.h>
#include <linux/math64.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/string.h>
#include <linux/timer.h>
#include <linux/xarray.h>

#define CREATE_TRACE_POINTS
#include <trace/events/dmem.h>

#include "cgroup-internal.h"
#include "dmem_selftest.h"

#define DMEMCG_MAX		U64_MAX		/* no limit */
#define DMEMCG_MAX_WRITE	SZ_64K
#define DMEMCG_RECLAIM_RETRIES	16		/* of calls without progress */

/**
 * struct dmem_cgroup_region - memory that is charged and limited as a whole
 * @lock: protects the numbers of all pools of the region
 * @ref: held by the registration, each pool, and who looks it up by name
 * @id: index in &dmemcg_regions and in each css's pools; not used again before
 *	the last pool has left the xarrays
 * @unregistered: the driver is gone: no new pools, no reclaim
 * @hidden: a newer region has the name; not in the files
 * @size: capacity in bytes
 * @pools: pools that a css's xarray holds
 * @all_pools: all pools, for the selftest
 * @ops: driver's callbacks, or NULL
 * @reclaim_priv: for the callbacks
 * @rcu: for freeing
 * @name: what the files call it
 */
struct dmem_cgroup_region {
	spinlock_t lock;	/* see above */
	struct kref ref;
	u32 id;
	bool unregistered;
	bool hidden;
	u64 size;
	struct list_head pools;
#if IS_ENABLED(CONFIG_CGROUP_DMEM_SELFTEST)
	struct list_head all_pools;
#endif
	const struct dmem_cgroup_ops *ops;
	void *reclaim_priv;
	struct rcu_head rcu;
	char name[];
};

/**
 * struct dmemcg_state - the controller's part of a cgroup
 * @css: the cgroup core's part
 * @pools: region id to pool
 * @dead: offline: no new pools
 * @peak_lock: protects the views of the pools' peaks
 * @events_file: dmem.events, for notification
 * @events_local_file: dmem.events.local, for notification
 */
struct dmemcg_state {
	struct cgroup_subsys_state css;
	struct xarray pools;
	bool dead;
	spinlock_t peak_lock;	/* see above */
	struct cgroup_file events_file;
	struct cgroup_file events_local_file;
};

/* What is counted in dmem.events, in the order of the file. */
enum dmemcg_event {
	DMEMCG_EVENT_LOW,
	DMEMCG_EVENT_MAX,
	DMEMCG_NR_EVENTS,
};

/**
 * struct dmem_cgroup_pool_state - one region's numbers in one cgroup
 * @parent: the pool one level up, NULL in the root; referenced, constant
 * @usage: bytes charged here and below
 * @max: hard limit for @usage, DMEMCG_MAX for none
 * @peak: highest @usage since an open file last reset its view
 * @min: bytes that eviction must leave
 * @low: bytes that eviction should leave
 * @children_min: sum over the children of what of their usage @min covers
 * @children_low: the same with @low
 * @older_peak: highest @usage before that
 * @peaks: &struct dmemcg_peak, the views of open files
 * @events: counted here and below
 * @local_events: counted here
 * @path: scratch of dmemcg_protection()
 * @ref: see "Structure" above
 * @region: what the numbers are about; referenced, constant
 * @cgroup_id: of the cgroup it was made for, constant
 * @on_dfl: if it has a parent: that cgroup was one of the default hierarchy, where
 *	ids can be looked up; constant
 * @cs: the css whose xarray has this pool, NULL once it has not
 * @region_node: in &dmem_cgroup_region.pools while @cs is set
 * @rcu: for freeing
 * @all_node: in &dmem_cgroup_region.all_pools
 * @own: what of @usage was charged here and not below, for the selftest
 * @sum: scratch of dmemcg_show_pools()
 * @sum_min: the same
 * @sum_low: the same
 */
struct dmem_cgroup_pool_state {
	struct dmem_cgroup_pool_state *parent;
	u64 usage;
	u64 max;
	u64 peak;
	u64 min;
	u64 low;
	refcount_t ref;
	struct dmem_cgroup_region *region;
	u64 children_min;
	u64 children_low;
	u64 older_peak;
	struct list_head peaks;
	u64 events[DMEMCG_NR_EVENTS];
	u64 local_events[DMEMCG_NR_EVENTS];
	struct dmem_cgroup_pool_state *path;
	u64 cgroup_id;
	bool on_dfl;
	struct dmemcg_state __rcu *cs;
	struct list_head region_node;
	struct rcu_head rcu;
#if IS_ENABLED(CONFIG_CGROUP_DMEM_SELFTEST)
	struct list_head all_node;
	u64 own;
	u64 sum;
	u64 sum_min;
	u64 sum_low;
#endif
};

/**
 * struct dmemcg_peak - a pool's peak as an open file sees it
 * @node: in &dmem_cgroup_pool_state.peaks; not yet, until the reset succeeds
 * @pool: referenced
 * @value: the peak since the file's reset until the pool's @peak was last reset
 */
struct dmemcg_peak {
	struct list_head node;
	struct dmem_cgroup_pool_state *pool;
	u64 value;
};

/**
 * struct dmemcg_peak_file - an open dmem.peak that was written to
 * @peaks: region id to &struct dmemcg_peak; protected by the open file's mutex
 */
struct dmemcg_peak_file {
	struct xarray peaks;
};

/* The numbers that have a file; a cftype's ->private. */
enum dmemcg_number {
	DMEMCG_CURRENT,
	DMEMCG_LIMIT_MAX,
	DMEMCG_LIMIT_MIN,
	DMEMCG_LIMIT_LOW,
};

static DEFINE_MUTEX(dmemcg_mutex);
DEFINE_STATIC_SRCU(dmemcg_srcu);

/* Registered regions by id. */
static DEFINE_XARRAY_ALLOC(dmemcg_regions);

static struct dmemcg_state *css_to_dmemcs(struct cgroup_subsys_state *css)
{
	return container_of(css, struct dmemcg_state, css);
}

static struct dmemcg_state *dmemcg_parent(struct dmemcg_state *cs)
{
	return cs->css.parent ? css_to_dmemcs(cs->css.parent) : NULL;
}

/* The current task's, under RCU.  The tests say who that is. */
static struct dmemcg_state *dmemcg_current(void)
{
	KUNIT_STATIC_STUB_REDIRECT(dmemcg_current);

	return css_to_dmemcs(task_css(current, dmem_cgrp_id));
}

/* -- numbers --------------------------------------------------------------- */

/*
 * Changes what the parent's sums depend on.  The arithmetic is modulo 2^64, in
 * which going down is as good as going up.
 */
static void dmemcg_update(struct dmem_cgroup_pool_state *pool, u64 usage,
			  u64 min, u64 low)
{
	struct dmem_cgroup_pool_state *parent = pool->parent;

	lockdep_assert_held(&pool->region->lock);

	if (parent) {
		parent->children_min += min(usage, min) -
					min(pool->usage, pool->min);
		parent->children_low += min(usage, low) -
					min(pool->usage, pool->low);
	}
	pool->usage = usage;
	pool->min = min;
	pool->low = low;
}

static void dmemcg_set_usage(struct dmem_cgroup_pool_state *pool, u64 usage)
{
	if (unlikely(pool->min | pool->low))
		dmemcg_update(pool, usage, pool->min, pool->low);
	else
		pool->usage = usage;
}

static u64 dmemcg_get_number(struct dmem_cgroup_pool_state *pool,
			     enum dmemcg_number number)
{
	guard(spinlock_irqsave)(&pool->region->lock);

	switch (number) {
	case DMEMCG_CURRENT:
		return pool->usage;
	case DMEMCG_LIMIT_MAX:
		return pool->max;
	case DMEMCG_LIMIT_MIN:
		return pool->min;
	case DMEMCG_LIMIT_LOW:
		return pool->low;
	}
	return 0;
}

static void dmemcg_set_limit(struct dmem_cgroup_pool_state *pool,
			     enum dmemcg_number number, u64 value)
{
	guard(spinlock_irqsave)(&pool->region->lock);

	switch (number) {
	case DMEMCG_LIMIT_MAX:
		pool->max = value;
		break;
	case DMEMCG_LIMIT_MIN:
		dmemcg_update(pool, pool->usage, value, pool->low);
		break;
	case DMEMCG_LIMIT_LOW:
		dmemcg_update(pool, pool->usage, pool->min, value);
		break;
	case DMEMCG_CURRENT:
		break;
	}
}

/* Counts an event that happened at @pool.  To be notified after the unlock. */
static void dmemcg_count_event(struct dmem_cgroup_pool_state *pool,
			       enum dmemcg_event event)
{
	lockdep_assert_held(&pool->region->lock);

	pool->local_events[event]++;
	for (; pool; pool = pool->parent)
		pool->events[event]++;
}

/* Tells who watches the files that dmemcg_count_event() has changed. */
static void dmemcg_notify(struct dmem_cgroup_pool_state *pool)
{
	struct dmem_cgroup_pool_state *level;

	guard(rcu)();
	for (level = pool; level; level = level->parent) {
		struct dmemcg_state *cs = rcu_dereference(level->cs);

		if (!cs)
			continue;
		cgroup_file_notify(&cs->events_file);
		if (level == pool)
			cgroup_file_notify(&cs->events_local_file);
	}
}

/*
 * What of a child's usage its parent's protection covers, from the child's
 * usage and setting, the parent's usage and effective protection, and the sum
 * of what the settings of all the parent's children cover.
 *
 * 1. A setting protects no more than what is used.
 * 2. If the children together claim more than the parent has, each gets its
 *    share of the parent's in proportion to its claim.
 * 3. If they claim less, each gets what it claims, and what is left over goes
 *    to all that use more than they claim, in proportion to the excess.
 */
static u64 dmemcg_effective(u64 usage, u64 setting, u64 parent_usage,
			    u64 parent_effective, u64 claims)
{
	u64 claim = min(usage, setting);

	if (claims > parent_effective)
		return mul_u64_u64_div_u64(claim, parent_effective, claims);

	/*
	 * usage > claim for one child implies it for the sums, and the child's
	 * excess is part of the parent's; unless a driver gave back more than it
	 * had charged, which must not become a fault in the division.
	 */
	if (usage > claim && parent_usage > claims)
		claim += mul_u64_u64_div_u64(parent_effective - claims,
					     min(usage - claim,
						 parent_usage - claims),
					     parent_usage - claims);
	return claim;
}

/*
 * The effective min and low of @test when something below @root, one of its
 * ancestors, has to give way.  Directly below @root the settings count as they
 * are, and @root itself is not protected from its own limit.
 */
static void dmemcg_protection(struct dmem_cgroup_pool_state *root,
			      struct dmem_cgroup_pool_state *test,
			      u64 *emin, u64 *elow)
{
	struct dmem_cgroup_pool_state *pool, *child;

	lockdep_assert_held(&root->region->lock);

	*emin = 0;
	*elow = 0;
	if (root == test)
		return;

	/* a trail down, as there are only pointers up */
	for (pool = test; pool != root; pool = pool->parent)
		pool->parent->path = pool;

	pool = root->path;
	*emin = pool->min;
	*elow = pool->low;
	for (; pool != test; pool = child) {
		child = pool->path;
		*emin = dmemcg_effective(child->usage, child->min, pool->usage,
					 *emin, pool->children_min);
		*elow = dmemcg_effective(child->usage, child->low, pool->usage,
					 *elow, pool->children_low);
	}
}

/* -- what the selftest sees ------------------------------------------------ */

#if IS_ENABLED(CONFIG_CGROUP_DMEM_SELFTEST)
static void dmemcg_track_region(struct dmem_cgroup_region *region)
{
	INIT_LIST_HEAD(&region->all_pools);
}

static void dmemcg_track_pool(struct dmem_cgroup_pool_state *pool)
{
	guard(spinlock_irqsave)(&pool->region->lock);
	list_add_tail(&pool->all_node, &pool->region->all_pools);
}

static void dmemcg_untrack_pool(struct dmem_cgroup_pool_state *pool)
{
	guard(spinlock_irqsave)(&pool->region->lock);
	list_del(&pool->all_node);
}

static void dmemcg_track_charge(struct dmem_cgroup_pool_state *pool, u64 size)
{
	lockdep_assert_held(&pool->region->lock);
	pool->own += size;
}

/* For as long as it takes with the region's lock: all at one moment. */
static void dmemcg_show_pools(struct dmem_cgroup_region *region,
			      struct seq_file *sf)
{
	struct dmem_cgroup_pool_state *pool;
	bool consistent = true;

	guard(spinlock_irqsave)(&region->lock);

	list_for_each_entry(pool, &region->all_pools, all_node) {
		pool->sum = pool->own;
		pool->sum_min = 0;
		pool->sum_low = 0;
	}
	list_for_each_entry(pool, &region->all_pools, all_node) {
		seq_printf(sf, "cgroup %llu parent %llu usage %llu own %llu max %llu%s\n",
			   pool->cgroup_id,
			   pool->parent ? pool->parent->cgroup_id : 0,
			   pool->usage, pool->own, pool->max,
			   rcu_access_pointer(pool->cs) ? "" : " removed");
		if (!pool->parent)
			continue;
		pool->parent->sum += pool->usage;
		pool->parent->sum_min += min(pool->usage, pool->min);
		pool->parent->sum_low += min(pool->usage, pool->low);
	}
	list_for_each_entry(pool, &region->all_pools, all_node) {
		if (pool->usage == pool->sum &&
		    pool->children_min == pool->sum_min &&
		    pool->children_low == pool->sum_low)
			continue;
		consistent = false;
		seq_printf(sf, "broken: cgroup %llu: usage %llu, not %llu; min %llu, not %llu; low %llu, not %llu\n",
			   pool->cgroup_id, pool->usage, pool->sum,
			   pool->children_min, pool->sum_min,
			   pool->children_low, pool->sum_low);
	}
	if (consistent)
		seq_puts(sf, "consistent\n");
}
#else
static void dmemcg_track_region(struct dmem_cgroup_region *region) { }
static void dmemcg_track_pool(struct dmem_cgroup_pool_state *pool) { }
static void dmemcg_untrack_pool(struct dmem_cgroup_pool_state *pool) { }
static void dmemcg_track_charge(struct dmem_cgroup_pool_state *pool, u64 size) { }
#endif

/* -- lifetime of regions and pools -------------------------------------- */

static void dmemcg_region_release(struct kref *ref)
{
	struct dmem_cgroup_region *region;

	region = container_of(ref, struct dmem_cgroup_region, ref);
	kfree_rcu(region, rcu);
}

static void dmemcg_region_put(struct dmem_cgroup_region *region)
{
	kref_put(&region->ref, dmemcg_region_release);
}

/* Any context.  The last one to go takes its reference to the parent along. */
static void dmemcg_pool_put(struct dmem_cgroup_pool_state *pool)
{
	while (pool && refcount_dec_and_test(&pool->ref)) {
		struct dmem_cgroup_pool_state *parent = pool->parent;

		dmemcg_untrack_pool(pool);
		dmemcg_region_put(pool->region);
		kfree_rcu(pool, rcu);
		pool = parent;
	}
}

/* What @cs's xarray has for @region; only to be looked at, under RCU. */
static struct dmem_cgroup_pool_state *
dmemcg_pool_find(struct dmemcg_state *cs, struct dmem_cgroup_region *region)
{
	struct dmem_cgroup_pool_state *pool = xa_load(&cs->pools, region->id);

	/* the id of a region that is gone may have been given to another one */
	return pool && pool->region == region ? pool : NULL;
}

/* The same with a reference, under RCU. */
static struct dmem_cgroup_pool_state *
dmemcg_pool_tryget(struct dmemcg_state *cs, struct dmem_cgroup_region *region)
{
	struct dmem_cgroup_pool_state *pool = dmemcg_pool_find(cs, region);

	return pool && refcount_inc_not_zero(&pool->ref) ? pool : NULL;
}

/* Takes the pool out of its css's xarray and drops the xarray's reference. */
static void dmemcg_pool_detach(struct dmem_cgroup_pool_state *pool)
{
	struct dmemcg_state *cs;

	lockdep_assert_held(&dmemcg_mutex);

	cs = rcu_dereference_protected(pool->cs,
				       lockdep_is_held(&dmemcg_mutex));
	xa_erase(&cs->pools, pool->region->id);
	list_del(&pool->region_node);
	RCU_INIT_POINTER(pool->cs, NULL);
	dmemcg_pool_put(pool);
}

/*
 * Gives @cs a pool for @region below @parent, whose reference passes over to
 * the new pool, or is dropped if there is one already or on failure.
 *
 * Return: the pool with a reference for the caller; -ENOMEM; -ENODEV if the
 * region is unregistered; -ECANCELED if @cs is dead.
 */
static struct dmem_cgroup_pool_state *
dmemcg_pool_add(struct dmemcg_state *cs, struct dmem_cgroup_region *region,
		struct dmem_cgroup_pool_state *parent)
{
	struct dmem_cgroup_pool_state *pool, *found = NULL;
	const struct cgroup *cgrp;
	int err;

	/*
	 * Any user can make dead pools pile up by holding a buffer for each
	 * cgroup that he removes: the memory is his cgroup's.
	 */
	pool = kzalloc_obj(*pool, GFP_KERNEL_ACCOUNT);
	if (!pool) {
		dmemcg_pool_put(parent);
		return ERR_PTR(-ENOMEM);
	}
	pool->parent = parent;
	pool->max = DMEMCG_MAX;
	/* the xarray's and the caller's */
	refcount_set(&pool->ref, 2);
	kref_get(&region->ref);
	pool->region = region;
	INIT_LIST_HEAD(&pool->peaks);
	scoped_guard(rcu) {
		/* the root's is another one once its hierarchy is unmounted */
		cgrp = READ_ONCE(cs->css.cgroup);
		pool->cgroup_id = cgroup_id(cgrp);
		pool->on_dfl = cgroup_on_dfl(cgrp);
	}
	RCU_INIT_POINTER(pool->cs, cs);
	dmemcg_track_pool(pool);

	/* allocates (accounted) what the insertion under the mutex needs */
	err = xa_reserve(&cs->pools, region->id, GFP_KERNEL);
	if (err)
		goto err_free;

	mutex_lock(&dmemcg_mutex);
	if (region->unregistered) {
		err = -ENODEV;
	} else if (cs->dead) {
		err = -ECANCELED;
	} else {
		found = xa_load(&cs->pools, region->id);
		if (found) {
			refcount_inc(&found->ref);
		} else {
			err = xa_err(xa_store(&cs->pools, region->id, pool,
					      GFP_NOWAIT));
			if (!err)
				list_add(&pool->region_node, &region->pools);
		}
	}
	mutex_unlock(&dmemcg_mutex);

	if (!err && !found)
		return pool;

err_free:
	/* nobody has seen it */
	dmemcg_untrack_pool(pool);
	dmemcg_pool_put(parent);
	dmemcg_region_put(region);
	kfree(pool);
	return found ?: ERR_PTR(err);
}

/*
 * @cs's pool for @region, made if need be, its ancestors' first.  The caller
 * holds references to @cs and @region.  May sleep.  Returns as
 * dmemcg_pool_add() does.
 */
static struct dmem_cgroup_pool_state *
dmemcg_pool_get(struct dmemcg_state *cs, struct dmem_cgroup_region *region)
{
	for (;;) {
		struct dmem_cgroup_pool_state *pool = NULL;
		struct dmemcg_state *level, *missing = NULL;

		/* the highest level without a pool, and the pool above it */
		rcu_read_lock();
		for (level = cs; level; level = dmemcg_parent(level)) {
			pool = dmemcg_pool_tryget(level, region);
			if (pool)
				break;
			missing = level;
		}
		rcu_read_unlock();
		if (!missing)
			return pool;

		pool = dmemcg_pool_add(missing, region, pool);
		if (missing == cs || IS_ERR(pool))
			return pool;
		dmemcg_pool_put(pool);
	}
}

/*
 * The pool that the current task is to be charged in, with a reference.  May
 * sleep.  Return: -ENOMEM, or -ENODEV if @region is unregistered.
 */
static struct dmem_cgroup_pool_state *
dmemcg_pool_get_current(struct dmem_cgroup_region *region)
{
	struct dmem_cgroup_pool_state *pool;
	struct dmemcg_state *cs;

	do {
		rcu_read_lock();
		cs = dmemcg_current();
		for (;;) {
			pool = dmemcg_pool_tryget(cs, region);
			if (pool) {
				rcu_read_unlock();
				return pool;
			}
			/*
			 * Read without the mutex: who sees false too late is
			 * told -ECANCELED and comes again.  A dead css is not
			 * the root, and keeps its parent until it is freed.
			 */
			if (!READ_ONCE(cs->dead) && css_tryget(&cs->css))
				break;
			cs = dmemcg_parent(cs);
		}
		rcu_read_unlock();

		pool = dmemcg_pool_get(cs, region);
		css_put(&cs->css);
	} while (pool == ERR_PTR(-ECANCELED));

	return pool;
}

/* -- what drivers call --------------------------------------------------- */

static bool dmemcg_name_valid(const char *name)
{
	if (!*name)
		return false;
	for (; *name; name++)
		if (isspace(*name) || iscntrl(*name))
			return false;
	return true;
}

/**
 * dmem_cgroup_register_region() - make a pool of memory chargeable
 * @init: size (bytes) and callbacks; copied, but what it points to is not
 * @name_fmt: format of the name that the dmem files show
 *
 * The region appears in the files of all cgroups and can be charged at once.
 * If another region has the name it leaves the files, see the head of this
 * file.
 *
 * Context: Process context, may sleep; takes dmemcg_mutex.
 * Return: The region, to be given back with dmem_cgroup_unregister_region().
 * NULL, which the other functions take for "charge nothing", if @init is NULL
 * or its size 0, or the controller is disabled.  ERR_PTR(-EINVAL) if the name
 * is empty or has blanks or control characters, ERR_PTR(-ENOMEM).
 */
struct dmem_cgroup_region *
dmem_cgroup_register_region(const struct dmem_cgroup_init *init,
			    const char *name_fmt, ...)
{
	struct dmem_cgroup_region *region, *other;
	unsigned long index;
	va_list args, again;
	int len, err;

	if (!init || !init->size || !cgroup_subsys_enabled(dmem_cgrp_subsys))
		return NULL;

	va_start(args, name_fmt);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, name_fmt, again);
	va_end(again);
	region = kzalloc_flex(*region, name, len + 1);
	if (region)
		vsnprintf(region->name, len + 1, name_fmt, args);
	va_end(args);
	if (!region)
		return ERR_PTR(-ENOMEM);

	if (!dmemcg_name_valid(region->name)) {
		err = -EINVAL;
		goto err_free;
	}

	spin_lock_init(&region->lock);
	kref_init(&region->ref);
	INIT_LIST_HEAD(&region->pools);
	dmemcg_track_region(region);
	region->size = init->size;
	region->ops = init->ops;
	region->reclaim_priv = init->reclaim_priv;

	/*
	 * Reserve the id first, publish last: the id is in the region before
	 * anybody can find the region, and the old owner of the name is hidden
	 * only if nothing can fail any more.
	 */
	err = xa_alloc(&dmemcg_regions, &region->id, NULL, xa_limit_32b,
		       GFP_KERNEL);
	if (err)
		goto err_free;

	mutex_lock(&dmemcg_mutex);
	xa_for_each(&dmemcg_regions, index, other)
		if (!strcmp(other->name, region->name))
			WRITE_ONCE(other->hidden, true);
	err = xa_err(xa_store(&dmemcg_regions, region->id, region, GFP_NOWAIT));
	mutex_unlock(&dmemcg_mutex);
	/* the slot is there since xa_alloc() */
	WARN_ON_ONCE(err);

	return region;

err_free:
	kfree(region);
	return ERR_PTR(err);
}
EXPORT_SYMBOL_GPL(dmem_cgroup_register_region);

/**
 * dmem_cgroup_unregister_region() - the memory is no longer to be had
 * @region: from dmem_cgroup_register_region(); NULL is ignored
 *
 * The region leaves the files and charges are refused from now on.  Existing
 * charges are to be given back as usual, before or after.  When this returns,
 * no reclaim callback runs or will run, and the caller must not use @region
 * again.  A dmem_cgroup_try_charge() that is still running then is such a use: it
 * has no reference to the region until it has a pool.
 *
 * Context: Process context, may sleep; takes dmemcg_mutex, waits for reclaim
 * callbacks: not to be called with a lock that they take.
 */
void dmem_cgroup_unregister_region(struct dmem_cgroup_region *region)
{
	struct dmem_cgroup_pool_state *pool, *next;

	if (!region)
		return;

	mutex_lock(&dmemcg_mutex);
	WRITE_ONCE(region->unregistered, true);
	list_for_each_entry_safe(pool, next, &region->pools, region_node)
		dmemcg_pool_detach(pool);
	/* only now may another region get the id */
	xa_erase(&dmemcg_regions, region->id);
	mutex_unlock(&dmemcg_mutex);

	synchronize_srcu(&dmemcg_srcu);
	dmemcg_region_put(region);
}
EXPORT_SYMBOL_GPL(dmem_cgroup_unregister_region);

/**
 * dmem_cgroup_try_charge() - charge an allocation to the current task's cgroup
 * @region: what the memory comes from; with NULL nothing is charged
 * @size: bytes
 * @ret_pool: where to store the pool that was charged, with a reference that
 *	dmem_cgroup_uncharge() drops; NULL if nothing was charged
 * @ret_limit_pool: where to store, if a limit refused the charge, the pool
 *	whose limit it was, with a reference for dmem_cgroup_pool_state_put();
 *	NULL in all other cases.  May be NULL.
 *
 * To be called before the memory is taken.  The pool's lifetime has nothing to
 * do with the task's or the cgroup's.
 *
 * Context: Process context, may sleep; takes dmemcg_mutex and a region's lock.
 * Return: 0; -EAGAIN if a limit on the way to the root says no: evict something
 * below *@ret_limit_pool and try again, or give up; -ENOMEM for want of kernel
 * memory; -ENODEV if the region is unregistered.
 */
int dmem_cgroup_try_charge(struct dmem_cgroup_region *region, u64 size,
			   struct dmem_cgroup_pool_state **ret_pool,
			   struct dmem_cgroup_pool_state **ret_limit_pool)
{
	struct dmem_cgroup_pool_state *pool, *level;
	unsigned long flags;

	*ret_pool = NULL;
	if (ret_limit_pool)
		*ret_limit_pool = NULL;
	if (!region)
		return 0;

	pool = dmemcg_pool_get_current(region);
	if (IS_ERR(pool))
		return PTR_ERR(pool);

	spin_lock_irqsave(&region->lock, flags);
	for (level = pool; level; level = level->parent) {
		/* in this order nothing wraps: usage may be above max */
		if (level->usage > level->max ||
		    size > level->max - level->usage)
			goto refused;
	}
	for (level = pool; level; level = level->parent) {
		dmemcg_set_usage(level, level->usage + size);
		if (level->peak < level->usage)
			level->peak = level->usage;
	}
	dmemcg_track_charge(pool, size);
	spin_unlock_irqrestore(&region->lock, flags);

	if (trace_dmem_charge_enabled())
		trace_dmem_charge(region->name, pool->cgroup_id, size);
	*ret_pool = pool;
	return 0;

refused:
	dmemcg_count_event(level, DMEMCG_EVENT_MAX);
	if (ret_limit_pool) {
		refcount_inc(&level->ref);
		*ret_limit_pool = level;
	}
	spin_unlock_irqrestore(&region->lock, flags);

	if (trace_dmem_limit_hit_enabled())
		trace_dmem_limit_hit(region->name, level->cgroup_id, size);
	dmemcg_notify(level);
	/* holds the level too */
	dmemcg_pool_put(pool);
	return -EAGAIN;
}
EXPORT_SYMBOL_GPL(dmem_cgroup_try_charge);

/**
 * dmem_cgroup_uncharge() - give a charge back
 * @pool: from dmem_cgroup_try_charge(); NULL is ignored.  The reference that
 *	came with it is dropped.
 * @size: bytes, the same as charged
 *
 * To be called after the memory was given back.
 *
 * Context: Any that may take a spinlock.
 */
void dmem_cgroup_uncharge(struct dmem_cgroup_pool_state *pool, u64 size)
{
	struct dmem_cgroup_pool_state *level;
	unsigned long flags;

	if (!pool)
		return;

	spin_lock_irqsave(&pool->region->lock, flags);
	for (level = pool; level; level = level->parent) {
		WARN_ON_ONCE(level->usage < size);
		dmemcg_set_usage(level, level->usage - min(level->usage, size));
	}
	dmemcg_track_charge(pool, -size);
	spin_unlock_irqrestore(&pool->region->lock, flags);

	if (trace_dmem_uncharge_enabled())
		trace_dmem_uncharge(pool->region->name, pool->cgroup_id, size);
	dmemcg_pool_put(pool);
}
EXPORT_SYMBOL_GPL(dmem_cgroup_uncharge);

/**
 * dmem_cgroup_region_name() - what the dmem files call a region
 * @region: the region, or NULL
 *
 * Context: Any.
 * Return: The name, valid as long as the region is registered; NULL if @region
 * is NULL, which is a region that nothing is charged to.
 */
const char *dmem_cgroup_region_name(const struct dmem_cgroup_region *region)
{
	return region ? region->name : NULL;
}
EXPORT_SYMBOL_GPL(dmem_cgroup_region_name);

/* The path as the current task's namespace has it; @cgrp is inside of that. */
static void dmemcg_show_path(struct seq_file *m, struct cgroup *cgrp)
{
	char *buf;
	size_t size = seq_get_buf(m, &buf);
	int len = -1;

	if (size) {
		spin_lock_irq(&css_set_lock);
		len = cgroup_path_ns_locked(cgrp, buf, size,
					    current->nsproxy->cgroup_ns);
		spin_unlock_irq(&css_set_lock);
	}
	/* if there is no room, the file is read again with more */
	seq_commit(m, len < 0 || (size_t)len + 1 >= size ? -1 : len);
}

/* Whether the pool's cgroup can be looked up by its number. */
static bool dmemcg_pool_on_dfl(const struct dmem_cgroup_pool_state *pool)
{
	const struct dmemcg_state *cs;

	if (pool->parent)
		return pool->on_dfl;
	/* the root of whatever hierarchy the controller is in now */
	guard(rcu)();
	cs = rcu_dereference(pool->cs);
	return cs && cgroup_on_dfl(READ_ONCE(cs->css.cgroup));
}

/**
 * dmem_cgroup_show_fdinfo() - say who is charged for what a descriptor is about
 * @m: the descriptor's file in /proc/<pid>/fdinfo
 * @pool: from dmem_cgroup_try_charge(), the charge not yet given back; nothing is
 *	shown if it is NULL
 *
 * Adds the lines dmem_region and dmem_cgroup_id, and dmem_cgroup with the path if
 * the cgroup is still there and in the reader's cgroup namespace.
 *
 * Context: Process context, that of the reader.  Takes css_set_lock.
 */
void dmem_cgroup_show_fdinfo(struct seq_file *m,
			     struct dmem_cgroup_pool_state *pool)
{
	struct cgroup *cgrp;

	if (!pool)
		return;

	seq_printf(m, "dmem_region:\t%s\n", pool->region->name);
	seq_printf(m, "dmem_cgroup_id:\t%llu\n", pool->cgroup_id);

	/* the same number is another cgroup in another hierarchy */
	if (!dmemcg_pool_on_dfl(pool))
		return;
	/* finds none that is not the namespace's, or its root, or below that */
	cgrp = cgroup_get_from_id(pool->cgroup_id);
	if (IS_ERR(cgrp))
		return;
	seq_puts(m, "dmem_cgroup:\t");
	dmemcg_show_path(m, cgrp);
	seq_putc(m, '\n');
	cgroup_put(cgrp);
}
EXPORT_SYMBOL_GPL(dmem_cgroup_show_fdinfo);

/**
 * dmem_cgroup_pool_state_put() - drop a reference to a pool
 * @pool: from dmem_cgroup_try_charge()'s @ret_limit_pool; NULL is ignored
 *
 * Context: Any.
 */
void dmem_cgroup_pool_state_put(struct dmem_cgroup_pool_state *pool)
{
	dmemcg_pool_put(pool);
}
EXPORT_SYMBOL_GPL(dmem_cgroup_pool_state_put);

static struct dmem_cgroup_pool_state *
dmemcg_top(struct dmem_cgroup_pool_state *pool)
{
	while (pool->parent)
		pool = pool->parent;
	return pool;
}

/* Whether @pool is below @ancestor. */
static bool dmemcg_is_below(struct dmem_cgroup_pool_state *pool,
			    struct dmem_cgroup_pool_state *ancestor)
{
	while (pool && pool != ancestor)
		pool = pool->parent;
	return pool;
}

/**
 * dmem_cgroup_state_evict_valuable() - may this pool's memory be evicted?
 * @limit_pool: the pool whose limit refused a charge; NULL if the region itself
 *	is full
 * @test_pool: the pool that is charged for the memory in question
 * @ignore_low: evict also what dmem.low should keep
 * @ret_hit_low: set to true if it is only dmem.low that says no, so that another
 *	round with @ignore_low may find something; otherwise left alone
 *
 * A pool may always be evicted for the sake of its own limit, and anything if
 * @limit_pool is the root's, which has no limit: the region is full.  With
 * @ignore_low, each time that something at or below its effective low may be
 * evicted counts as an event, whether or not the driver then can.
 *
 * Context: Any that may take a spinlock.  The caller holds references to both
 * pools.
 * Return: Whether evicting it makes sense: it counts towards the limit and is
 * not protected.
 */
bool dmem_cgroup_state_evict_valuable(struct dmem_cgroup_pool_state *limit_pool,
				      struct dmem_cgroup_pool_state *test_pool,
				      bool ignore_low, bool *ret_hit_low)
{
	u64 emin, elow;

	if (limit_pool == test_pool)
		return true;
	if (limit_pool && !limit_pool->parent)
		return true;
	if (limit_pool && !dmemcg_is_below(test_pool, limit_pool))
		return false;
	if (!limit_pool)
		limit_pool = dmemcg_top(test_pool);

	scoped_guard(spinlock_irqsave, &test_pool->region->lock) {
		dmemcg_protection(limit_pool, test_pool, &emin, &elow);
		if (test_pool->usage <= emin)
			return false;
		if (test_pool->usage > elow)
			return true;
		if (!ignore_low) {
			*ret_hit_low = true;
			return false;
		}
		dmemcg_count_event(test_pool, DMEMCG_EVENT_LOW);
	}
	dmemcg_notify(test_pool);
	return true;
}
EXPORT_SYMBOL_GPL(dmem_cgroup_state_evict_valuable);

/*
 * Whether @test's usage is at most its effective protection below @root, or
 * below the top if that is NULL.
 */
static bool dmemcg_is_protected(struct dmem_cgroup_pool_state *root,
				struct dmem_cgroup_pool_state *test, bool low)
{
	u64 emin, elow;

	if (root == test || !test || !test->parent)
		return false;
	if (!root)
		root = dmemcg_top(test);
	else if (!dmemcg_is_below(test, root))
		return false;

	guard(spinlock_irqsave)(&test->region->lock);
	dmemcg_protection(root, test, &emin, &elow);
	return test->usage <= (low ? elow : emin);
}

/**
 * dmem_cgroup_below_min() - does dmem.min protect all that a pool uses?
 * @root: the pool below which memory is wanted; NULL for the whole region
 * @test: the pool to look at
 *
 * Context: Any that may take a spinlock.  The caller holds references to both
 * pools.
 * Return: true if usage is at or below the effective min.  false if @test is
 * NULL, @root itself, not below it, or the root cgroup's.
 */
bool dmem_cgroup_below_min(struct dmem_cgroup_pool_state *root,
			   struct dmem_cgroup_pool_state *test)
{
	return dmemcg_is_protected(root, test, false);
}
EXPORT_SYMBOL_GPL(dmem_cgroup_below_min);

/**
 * dmem_cgroup_below_low() - does dmem.low protect all that a pool uses?
 * @root: the pool below which memory is wanted; NULL for the whole region
 * @test: the pool to look at
 *
 * Context: As dmem_cgroup_below_min().
 * Return: As dmem_cgroup_below_min(), for the effective low.
 */
bool dmem_cgroup_below_low(struct dmem_cgroup_pool_state *root,
			   struct dmem_cgroup_pool_state *test)
{
	return dmemcg_is_protected(root, test, true);
}
EXPORT_SYMBOL_GPL(dmem_cgroup_below_low);

static unsigned int dmemcg_depth(struct dmem_cgroup_pool_state *pool)
{
	unsigned int depth = 0;

	while ((pool = pool->parent))
		depth++;
	return depth;
}

/**
 * dmem_cgroup_get_common_ancestor() - where do the paths of two pools meet?
 * @a: a pool, or NULL
 * @b: another pool of the same region, or NULL
 *
 * Context: Any.  The caller holds references to both pools.
 * Return: The lowest pool that both are, or are below, with a reference for
 * dmem_cgroup_pool_state_put(); NULL if one of them is NULL, or they are of
 * different regions.
 */
struct dmem_cgroup_pool_state *
dmem_cgroup_get_common_ancestor(struct dmem_cgroup_pool_state *a,
				struct dmem_cgroup_pool_state *b)
{
	unsigned int depth_a, depth_b;

	if (!a || !b || a->region != b->region)
		return NULL;

	depth_a = dmemcg_depth(a);
	depth_b = dmemcg_depth(b);
	for (; depth_a > depth_b; depth_a--)
		a = a->parent;
	for (; depth_b > depth_a; depth_b--)
		b = b->parent;
	while (a != b) {
		a = a->parent;
		b = b->parent;
	}
	/* its descendants, which the caller holds, hold it */
	refcount_inc(&a->ref);
	return a;
}
EXPORT_SYMBOL_GPL(dmem_cgroup_get_common_ancestor);

/* -- cgroups come and go ------------------------------------------------- */

static struct cgroup_subsys_state *
dmemcs_alloc(struct cgroup_subsys_state *parent_css)
{
	struct dmemcg_state *cs = kzalloc_obj(*cs, GFP_KERNEL_ACCOUNT);

	if (!cs)
		return ERR_PTR(-ENOMEM);
	xa_init_flags(&cs->pools, XA_FLAGS_ACCOUNT);
	spin_lock_init(&cs->peak_lock);
	return &cs->css;
}

/* Before its parent goes offline, and never for the root. */
static void dmemcs_offline(struct cgroup_subsys_state *css)
{
	struct dmemcg_state *cs = css_to_dmemcs(css);
	struct dmem_cgroup_pool_state *pool;
	unsigned long id;

	mutex_lock(&dmemcg_mutex);
	WRITE_ONCE(cs->dead, true);
	xa_for_each(&cs->pools, id, pool) {
		/* who holds memory here must not be bound by a ghost's limit */
		scoped_guard(spinlock_irqsave, &pool->region->lock) {
			pool->max = DMEMCG_MAX;
			dmemcg_update(pool, pool->usage, 0, 0);
		}
		dmemcg_pool_detach(pool);
	}
	mutex_unlock(&dmemcg_mutex);
}

static void dmemcs_free(struct cgroup_subsys_state *css)
{
	struct dmemcg_state *cs = css_to_dmemcs(css);

	/*
	 * dmemcg_notify() may have started a file's timer while the core removed
	 * the file and stopped it.  (No function: the file was never made.)
	 */
	if (cs->events_file.notify_timer.function)
		timer_delete_sync(&cs->events_file.notify_timer);
	if (cs->events_local_file.notify_timer.function)
		timer_delete_sync(&cs->events_local_file.notify_timer);

	/* slots whose reserver then met ->dead or ->unregistered */
	xa_destroy(&cs->pools);
	kfree(cs);
}

/* -- files --------------------------------------------------------------- */

/*
 * A registered region that has the name, with a reference, or NULL.  The mutex,
 * because a name that is being taken over is that of one of the two, always.
 * Who prints regions goes without: one that comes or goes meanwhile is printed
 * or not, and while it takes over a name, one, both or neither of the two.
 */
static struct dmem_cgroup_region *dmemcg_region_get(const char *name)
{
	struct dmem_cgroup_region *region;
	unsigned long id;

	guard(mutex)(&dmemcg_mutex);
	xa_for_each(&dmemcg_regions, id, region)
		if (!region->hidden && !strcmp(region->name, name) &&
		    kref_get_unless_zero(&region->ref))
			return region;
	return NULL;
}

#if IS_ENABLED(CONFIG_CGROUP_DMEM_SELFTEST)
/**
 * dmem_cgroup_selftest_tree() - show all pools of a region, and check the sums
 * @name: what the region is called
 * @sf: where to
 *
 * A line for each pool, removed cgroups' included, as they are at one moment;
 * then "consistent", or a line for each pool whose usage is not what was charged
 * in it plus its children's usage, or whose protection sums are not its
 * children's.
 *
 * Context: Process context, may sleep; takes the region's lock for as long as
 * it takes.
 * Return: 0, -ENODEV if no registered region has the name.
 */
int dmem_cgroup_selftest_tree(const char *name, struct seq_file *sf)
{
	struct dmem_cgroup_region *region = dmemcg_region_get(name);

	if (!region)
		return -ENODEV;
	dmemcg_show_pools(region, sf);
	dmemcg_region_put(region);
	return 0;
}
EXPORT_SYMBOL_GPL(dmem_cgroup_selftest_tree);
#endif

static int dmemcg_capacity_show(struct seq_file *sf, void *v)
{
	struct dmem_cgroup_region *region;
	unsigned long id;

	guard(rcu)();
	xa_for_each(&dmemcg_regions, id, region)
		if (!READ_ONCE(region->hidden))
			seq_printf(sf, "%s %llu\n", region->name, region->size);
	return 0;
}

static int dmemcg_number_show(struct seq_file *sf, void *v)
{
	struct dmemcg_state *cs = css_to_dmemcs(seq_css(sf));
	enum dmemcg_number number = seq_cft(sf)->private;
	struct dmem_cgroup_region *region;
	unsigned long id;

	guard(rcu)();
	xa_for_each(&dmemcg_regions, id, region) {
		struct dmem_cgroup_pool_state *pool;
		u64 value = number == DMEMCG_LIMIT_MAX ? DMEMCG_MAX : 0;

		if (READ_ONCE(region->hidden))
			continue;

		pool = dmemcg_pool_find(cs, region);
		if (pool)
			value = dmemcg_get_number(pool, number);

		if (value == DMEMCG_MAX)
			seq_printf(sf, "%s max\n", region->name);
		else
			seq_printf(sf, "%s %llu\n", region->name, value);
	}
	return 0;
}

/*
 * "max" or a number in any of C's bases with at most one of the suffixes K, M,
 * G, T, P, E.  Return: 0, -EINVAL, or -ERANGE if it does not fit.
 */
static int dmemcg_parse_value(char *word, u64 *value)
{
	static const char suffixes[] = "kmgtpe";
	const char *digits = "0123456789";
	unsigned int base = 10, shift = 0;
	char *end;
	int err;

	if (!strcmp(word, "max")) {
		*value = DMEMCG_MAX;
		return 0;
	}

	if (word[0] == '0' && tolower(word[1]) == 'x') {
		digits = "0123456789abcdefABCDEF";
		base = 16;
		word += 2;
	} else if (word[0] == '0') {
		digits = "01234567";
		base = 8;
	}

	end = word + strspn(word, digits);
	if (end == word)
		return -EINVAL;
	if (*end) {
		const char *suffix = strchr(suffixes, tolower(*end));

		if (!suffix || end[1])
			return -EINVAL;
		shift = 10 * (suffix - suffixes + 1);
		*end = '\0';
	}

	err = kstrtoull(word, base, value);
	if (err)
		return err;
	if (shift && *value > U64_MAX >> shift)
		return -ERANGE;
	*value <<= shift;
	return 0;
}

/* One line of a write to a limit file. */
struct dmemcg_setting {
	struct dmem_cgroup_region *region;
	struct dmem_cgroup_pool_state *pool;
	u64 value;
};

/* The next word of *@line, NULL if there is none. */
static char *dmemcg_next_word(char **line)
{
	char *word;

	*line = skip_spaces(*line);
	word = *line;
	while (**line && !isspace(**line))
		(*line)++;
	if (**line)
		*(*line)++ = '\0';
	return *word ? word : NULL;
}

/*
 * Parses "<region> <value>" into @set.  Return: 1, 0 for a blank line, -EINVAL,
 * -ENODEV for an unknown region, -ERANGE.
 */
static int dmemcg_parse_line(char *line, struct dmemcg_setting *set)
{
	char *name = dmemcg_next_word(&line);
	char *value = dmemcg_next_word(&line);
	int err;

	if (!name)
		return 0;
	if (!value || dmemcg_next_word(&line))
		return -EINVAL;

	err = dmemcg_parse_value(value, &set->value);
	if (err)
		return err;
	set->region = dmemcg_region_get(name);
	return set->region ? 1 : -ENODEV;
}

/*
 * Asks the region's driver, if it can, to get usage below a max that was just
 * lowered, and may have been changed again since.
 */
static void dmemcg_reclaim(struct dmem_cgroup_pool_state *pool)
{
	struct dmem_cgroup_region *region = pool->region;
	int retries = DMEMCG_RECLAIM_RETRIES;

	/*
	 * Pairs with synchronize_srcu() in dmem_cgroup_unregister_region(): who
	 * still sees the region registered may use ops, which is the driver's.
	 */
	guard(srcu)(&dmemcg_srcu);
	while (!READ_ONCE(region->unregistered) &&
	       region->ops && region->ops->reclaim && !signal_pending(current)) {
		u64 excess = 0;
		int err;

		scoped_guard(spinlock_irqsave, &region->lock) {
			if (pool->usage > pool->max)
				excess = pool->usage - pool->max;
		}
		if (!excess)
			break;

		err = region->ops->reclaim(pool, excess, region->reclaim_priv);
		if (err == -ENOSPC && retries-- > 0)
			err = 0;
		if (err)
			break;
		cond_resched();
	}
}

/*
 * Lines of "<region> <value>".  The write counts as a whole: first everything
 * that can fail, then the new values, then, unless the file is O_NONBLOCK, what
 * may take long.
 */
static ssize_t dmemcg_limit_write(struct kernfs_open_file *of, char *buf,
				  size_t nbytes, loff_t off)
{
	struct dmemcg_state *cs = css_to_dmemcs(of_css(of));
	enum dmemcg_number number = of_cft(of)->private;
	struct dmemcg_setting *settings, *set;
	size_t lines = 1, n = 0, i;
	char *line;
	int ret;

	/* a NUL may end the write, but must not hide what follows it */
	if (strlen(buf) + (nbytes && !buf[nbytes - 1]) != nbytes)
		return -EINVAL;
	for (i = 0; i < nbytes; i++)
		lines += buf[i] == '\n';
	settings = kvzalloc_objs(*settings, lines,
				 GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!settings)
		return -ENOMEM;

	while ((line = strsep(&buf, "\n"))) {
		set = &settings[n];
		ret = dmemcg_parse_line(line, set);
		if (ret < 0)
			goto out;
		if (!ret)
			continue;
		n++;
		/* short, as there are no more lines than regions before it ends */
		for (i = 0; i < n - 1; i++) {
			if (settings[i].region == set->region) {
				ret = -EEXIST;
				goto out;
			}
		}
	}
	if (!n) {
		ret = -EINVAL;
		goto out;
	}

	for (set = settings; set < settings + n; set++) {
		struct dmem_cgroup_pool_state *pool;

		pool = dmemcg_pool_get(cs, set->region);
		if (IS_ERR(pool)) {
			ret = PTR_ERR(pool);
			/* the cgroup is being removed, and its files with it */
			if (ret == -ECANCELED)
				ret = -ENODEV;
			goto out;
		}
		set->pool = pool;
	}

	for (set = settings; set < settings + n; set++)
		dmemcg_set_limit(set->pool, number, set->value);

	ret = 0;
	if (number != DMEMCG_LIMIT_MAX || (of->file->f_flags & O_NONBLOCK))
		goto out;
	for (set = settings; set < settings + n; set++)
		dmemcg_reclaim(set->pool);
out:
	for (set = settings; set < settings + n; set++) {
		dmemcg_pool_put(set->pool);
		dmemcg_region_put(set->region);
	}
	kvfree(settings);
	return ret ?: nbytes;
}

static int dmemcg_events_show(struct seq_file *sf, void *v)
{
	struct dmemcg_state *cs = css_to_dmemcs(seq_css(sf));
	bool local = seq_cft(sf)->private;
	struct dmem_cgroup_region *region;
	unsigned long id;

	guard(rcu)();
	xa_for_each(&dmemcg_regions, id, region) {
		struct dmem_cgroup_pool_state *pool;
		u64 count[DMEMCG_NR_EVENTS] = { };

		if (READ_ONCE(region->hidden))
			continue;

		pool = dmemcg_pool_find(cs, region);
		if (pool) {
			guard(spinlock_irqsave)(&region->lock);
			memcpy(count, local ? pool->local_events : pool->events,
			       sizeof(count));
		}
		seq_printf(sf, "%s low %llu max %llu\n", region->name,
			   count[DMEMCG_EVENT_LOW], count[DMEMCG_EVENT_MAX]);
	}
	return 0;
}

/* -- dmem.peak: of the cgroup, or since an open file was written to ------- */

/*
 * What an open file knows, NULL before the first write.  Behind the word that
 * the core has for the peak of a file: ours are several.
 */
static struct dmemcg_peak_file *dmemcg_peak_file(struct kernfs_open_file *of)
{
	return (struct dmemcg_peak_file *)of_peak(of)->value;
}

static u64 dmemcg_get_peak(struct dmemcg_state *cs,
			   struct dmem_cgroup_pool_state *pool,
			   struct dmemcg_peak *view)
{
	/*
	 * A view of another pool is of one that has left, one that is in no list
	 * of a reset that failed: this pool is younger than the file's reset, or
	 * there was none.  The file's mutex is held: that does not change.
	 */
	if (view && view->pool == pool && !list_empty(&view->node)) {
		guard(spinlock)(&cs->peak_lock);
		guard(spinlock_irqsave)(&pool->region->lock);
		return max(view->value, pool->peak);
	}

	/* these two change together under this lock alone */
	guard(spinlock_irqsave)(&pool->region->lock);
	return max(pool->older_peak, pool->peak);
}

static int dmemcg_peak_show(struct seq_file *sf, void *v)
{
	struct dmemcg_state *cs = css_to_dmemcs(seq_css(sf));
	struct dmemcg_peak_file *file = dmemcg_peak_file(sf->private);
	struct dmem_cgroup_region *region;
	unsigned long id;

	guard(rcu)();
	xa_for_each(&dmemcg_regions, id, region) {
		struct dmem_cgroup_pool_state *pool;
		u64 peak = 0;

		if (READ_ONCE(region->hidden))
			continue;
		pool = dmemcg_pool_find(cs, region);
		if (pool)
			peak = dmemcg_get_peak(cs, pool, file ?
					       xa_load(&file->peaks, id) : NULL);
		seq_printf(sf, "%s %llu\n", region->name, peak);
	}
	return 0;
}

static void dmemcg_peak_free(struct dmemcg_state *cs, struct dmemcg_peak *view)
{
	if (!view)
		return;
	scoped_guard(spinlock, &cs->peak_lock)
		list_del(&view->node);
	dmemcg_pool_put(view->pool);
	kfree(view);
}

/* Makes sure that @file has a view of the pool that @cs has under @id, if any. */
static int dmemcg_peak_add(struct dmemcg_peak_file *file,
			   struct dmemcg_state *cs, unsigned long id)
{
	struct dmem_cgroup_pool_state *pool;
	struct dmemcg_peak *view;
	int err;

	rcu_read_lock();
	pool = xa_load(&cs->pools, id);
	if (pool && !refcount_inc_not_zero(&pool->ref))
		pool = NULL;
	rcu_read_unlock();
	if (!pool)
		return 0;

	view = xa_load(&file->peaks, id);
	if (view && view->pool == pool) {
		dmemcg_pool_put(pool);
		return 0;
	}
	dmemcg_peak_free(cs, view);
	xa_erase(&file->peaks, id);

	view = kzalloc_obj(*view, GFP_KERNEL_ACCOUNT);
	if (!view) {
		dmemcg_pool_put(pool);
		return -ENOMEM;
	}
	INIT_LIST_HEAD(&view->node);
	view->pool = pool;
	err = xa_err(xa_store(&file->peaks, id, view, GFP_KERNEL));
	if (err)
		dmemcg_peak_free(cs, view);
	return err;
}

/* From now on @view sees the peak from now on. */
static void dmemcg_peak_reset(struct dmemcg_state *cs, struct dmemcg_peak *view)
{
	struct dmem_cgroup_pool_state *pool = view->pool;
	struct dmemcg_peak *other;
	u64 peak, usage;

	guard(spinlock)(&cs->peak_lock);

	scoped_guard(spinlock_irqsave, &pool->region->lock) {
		peak = pool->peak;
		usage = pool->usage;
		pool->older_peak = max(pool->older_peak, peak);
		pool->peak = usage;
	}

	/* the others keep what they have seen */
	list_for_each_entry(other, &pool->peaks, node)
		other->value = max(other->value, peak);

	view->value = usage;
	if (list_empty(&view->node))
		list_add(&view->node, &pool->peaks);
}

static ssize_t dmemcg_peak_write(struct kernfs_open_file *of, char *buf,
				 size_t nbytes, loff_t off)
{
	struct dmemcg_state *cs = css_to_dmemcs(of_css(of));
	struct dmemcg_peak_file *file = dmemcg_peak_file(of);
	struct dmem_cgroup_pool_state *pool;
	struct dmemcg_peak *view;
	unsigned long id;
	int err;

	if (!file) {
		file = kzalloc_obj(*file, GFP_KERNEL_ACCOUNT);
		if (!file)
			return -ENOMEM;
		xa_init_flags(&file->peaks, XA_FLAGS_ACCOUNT);
		of_peak(of)->value = (unsigned long)file;
	}

	/* what can fail first: a reset is of all regions or of none */
	xa_for_each(&cs->pools, id, pool) {
		err = dmemcg_peak_add(file, cs, id);
		if (err)
			return err;
	}
	xa_for_each(&file->peaks, id, view)
		dmemcg_peak_reset(cs, view);
	return nbytes;
}

/* The css is there: the core closes files before it lets go of it. */
static void dmemcg_peak_release(struct kernfs_open_file *of)
{
	struct dmemcg_peak_file *file = dmemcg_peak_file(of);
	struct dmemcg_peak *view;
	unsigned long id;

	if (!file)
		return;
	xa_for_each(&file->peaks, id, view)
		dmemcg_peak_free(css_to_dmemcs(of_css(of)), view);
	xa_destroy(&file->peaks);
	kfree(file);
}

static struct cftype dmemcg_files[] = {
	{
		.name = "capacity",
		.flags = CFTYPE_ONLY_ON_ROOT,
		.seq_show = dmemcg_capacity_show,
	},
	{
		.name = "current",
		.private = DMEMCG_CURRENT,
		.seq_show = dmemcg_number_show,
	},
	{
		.name = "peak",
		.flags = CFTYPE_NOT_ON_ROOT,
		.release = dmemcg_peak_release,
		.seq_show = dmemcg_peak_show,
		.write = dmemcg_peak_write,
	},
	{
		.name = "max",
		.flags = CFTYPE_NOT_ON_ROOT,
		.private = DMEMCG_LIMIT_MAX,
		.max_write_len = DMEMCG_MAX_WRITE,
		.seq_show = dmemcg_number_show,
		.write = dmemcg_limit_write,
	},
	{
		.name = "min",
		.flags = CFTYPE_NOT_ON_ROOT,
		.private = DMEMCG_LIMIT_MIN,
		.max_write_len = DMEMCG_MAX_WRITE,
		.seq_show = dmemcg_number_show,
		.write = dmemcg_limit_write,
	},
	{
		.name = "low",
		.flags = CFTYPE_NOT_ON_ROOT,
		.private = DMEMCG_LIMIT_LOW,
		.max_write_len = DMEMCG_MAX_WRITE,
		.seq_show = dmemcg_number_show,
		.write = dmemcg_limit_write,
	},
	{
		.name = "events",
		.flags = CFTYPE_NOT_ON_ROOT,
		.private = false,	/* local */
		.file_offset = offsetof(struct dmemcg_state, events_file),
		.seq_show = dmemcg_events_show,
	},
	{
		.name = "events.local",
		.flags = CFTYPE_NOT_ON_ROOT,
		.private = true,	/* local */
		.file_offset = offsetof(struct dmemcg_state, events_local_file),
		.seq_show = dmemcg_events_show,
	},
	{ }
};

struct cgroup_subsys dmem_cgrp_subsys = {
	.css_alloc	= dmemcs_alloc,
	.css_offline	= dmemcs_offline,
	.css_free	= dmemcs_free,
	.dfl_cftypes	= dmemcg_files,
	.legacy_cftypes	= dmemcg_files,
};

/* The unit tests, here because what they test is static. */
#if IS_ENABLED(CONFIG_CGROUP_DMEM_KUNIT_TEST)
#include "tests/dmem_kunit.c"
#endif
