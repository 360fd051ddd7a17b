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
 *			->hidden, css ->dead.  Nests inside cgroup_mutex.  Inside
 *			it are only spinlocks (the xarrays', a region's) and
 *			allocations that do not reclaim.
 *	region->lock	Numbers: usage, peak and limits of all the region's pools.
 *			A leaf, irq safe, because memory may be given back in any
 *			context that may take a spinlock.
 *	RCU		Lookups.  Pools and regions are freed after a grace period,
 *			so one that was found may be looked at, and charged after
 *			its reference count was raised from non-zero.
 *	dmemcg_srcu	Reclaim callbacks, which unregistration waits for.
 */

#include <linux/cgroup.h>
#include <linux/cgroup_dmem.h>
#include <linux/cleanup.h>
#include <linux/ctype.h>
#include <linux/kref.h>
#include <linux/kstrtox.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/string.h>
#include <linux/xarray.h>

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
 */
struct dmemcg_state {
	struct cgroup_subsys_state css;
	struct xarray pools;
	bool dead;
};

/**
 * struct dmem_cgroup_pool_state - one region's numbers in one cgroup
 * @parent: the pool one level up, NULL in the root; referenced, constant
 * @usage: bytes charged here and below
 * @max: hard limit for @usage, DMEMCG_MAX for none
 * @peak: highest @usage so far
 * @min: bytes that eviction must leave
 * @low: bytes that eviction should leave
 * @ref: see "Structure" above
 * @region: what the numbers are about; referenced, constant
 * @cs: the css whose xarray has this pool, NULL once it has not
 * @region_node: in &dmem_cgroup_region.pools while @cs is set
 * @rcu: for freeing
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
	struct dmemcg_state *cs;
	struct list_head region_node;
	struct rcu_head rcu;
};

/* The numbers that have a file; a cftype's ->private. */
enum dmemcg_number {
	DMEMCG_CURRENT,
	DMEMCG_PEAK,
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

static u64 *dmemcg_number(struct dmem_cgroup_pool_state *pool,
			  enum dmemcg_number number)
{
	lockdep_assert_held(&pool->region->lock);

	switch (number) {
	case DMEMCG_CURRENT:
		return &pool->usage;
	case DMEMCG_PEAK:
		return &pool->peak;
	case DMEMCG_LIMIT_MIN:
		return &pool->min;
	case DMEMCG_LIMIT_LOW:
		return &pool->low;
	case DMEMCG_LIMIT_MAX:
		break;
	}
	return &pool->max;
}

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
	lockdep_assert_held(&dmemcg_mutex);

	xa_erase(&pool->cs->pools, pool->region->id);
	list_del(&pool->region_node);
	pool->cs = NULL;
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
	pool->cs = cs;

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
		cs = css_to_dmemcs(task_css(current, dmem_cgrp_id));
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
 * again.
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
		level->usage += size;
		if (level->peak < level->usage)
			level->peak = level->usage;
	}
	spin_unlock_irqrestore(&region->lock, flags);

	*ret_pool = pool;
	return 0;

refused:
	if (ret_limit_pool) {
		refcount_inc(&level->ref);
		*ret_limit_pool = level;
	}
	spin_unlock_irqrestore(&region->lock, flags);
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
		if (WARN_ON_ONCE(level->usage < size))
			level->usage = 0;
		else
			level->usage -= size;
	}
	spin_unlock_irqrestore(&pool->region->lock, flags);

	dmemcg_pool_put(pool);
}
EXPORT_SYMBOL_GPL(dmem_cgroup_uncharge);

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

/* -- cgroups come and go ------------------------------------------------- */

static struct cgroup_subsys_state *
dmemcs_alloc(struct cgroup_subsys_state *parent_css)
{
	struct dmemcg_state *cs = kzalloc_obj(*cs);

	if (!cs)
		return ERR_PTR(-ENOMEM);
	xa_init_flags(&cs->pools, XA_FLAGS_ACCOUNT);
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
			pool->min = 0;
			pool->low = 0;
		}
		dmemcg_pool_detach(pool);
	}
	mutex_unlock(&dmemcg_mutex);
}

static void dmemcs_free(struct cgroup_subsys_state *css)
{
	struct dmemcg_state *cs = css_to_dmemcs(css);

	/* slots whose reserver then met ->dead or ->unregistered */
	xa_destroy(&cs->pools);
	kfree(cs);
}

/* -- files --------------------------------------------------------------- */

/*
 * A registered region that has the name, with a reference, or NULL.  Regions
 * come and go while they are looked through, here and by those who print them:
 * one that does is found or not, and while it takes over a name, either or both
 * of the two that have it.
 */
static struct dmem_cgroup_region *dmemcg_region_get(const char *name)
{
	struct dmem_cgroup_region *region;
	unsigned long id;

	guard(rcu)();
	xa_for_each(&dmemcg_regions, id, region)
		if (!READ_ONCE(region->hidden) && !strcmp(region->name, name) &&
		    kref_get_unless_zero(&region->ref))
			return region;
	return NULL;
}

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
		if (pool) {
			scoped_guard(spinlock_irqsave, &region->lock)
				value = *dmemcg_number(pool, number);
		}

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
	settings = kvzalloc_objs(*settings, lines, GFP_KERNEL_ACCOUNT);
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

	for (set = settings; set < settings + n; set++) {
		scoped_guard(spinlock_irqsave, &set->region->lock) {
			*dmemcg_number(set->pool, number) = set->value;
		}
	}

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
		.private = DMEMCG_PEAK,
		.seq_show = dmemcg_number_show,
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
	{ }
};

struct cgroup_subsys dmem_cgrp_subsys = {
	.css_alloc	= dmemcs_alloc,
	.css_offline	= dmemcs_offline,
	.css_free	= dmemcs_free,
	.dfl_cftypes	= dmemcg_files,
	.legacy_cftypes	= dmemcg_files,
};
