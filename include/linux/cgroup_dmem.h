/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Device memory cgroup controller: what drivers call.
 *
 * A driver that hands out memory of a limited pool (video RAM, a carveout)
 * registers the pool as a region, charges each allocation to the calling
 * task's cgroup before it takes the memory, and uncharges when the memory is
 * free again.  See kernel/cgroup/dmem.c for who is charged, and when.
 */
#ifndef _CGROUP_DMEM_H
#define _CGROUP_DMEM_H

#include <linux/types.h>

struct seq_file;

/* One region's numbers in one cgroup. */
struct dmem_cgroup_pool_state;

/* A pool of memory that is charged and limited as a whole. */
struct dmem_cgroup_region;

/**
 * struct dmem_cgroup_ops - what the controller may ask of a region's driver
 * @reclaim: Called after dmem.max of @pool was lowered below its usage; may be
 *	NULL.  Should free memory charged to @pool or below it, about
 *	@target_bytes (bytes).  Called in process context, without spinlocks,
 *	again and again while usage stays above the limit, never after
 *	dmem_cgroup_unregister_region() returned, which waits for it and which
 *	it must therefore not call.  Removing the cgroup waits for it, too.
 *
 *	Return: 0 after any progress, -ENOSPC after none (it is asked a limited
 *	number of times more), another negative errno to be left alone.
 */
struct dmem_cgroup_ops {
	int (*reclaim)(struct dmem_cgroup_pool_state *pool,
		       u64 target_bytes, void *priv);
};

/**
 * struct dmem_cgroup_init - what a region is registered with
 * @size: Size of the region (bytes), shown in dmem.capacity.
 * @ops: Callbacks, or NULL.  Must live as long as the region is registered.
 * @reclaim_priv: Handed to @ops->reclaim.
 */
struct dmem_cgroup_init {
	u64 size;
	const struct dmem_cgroup_ops *ops;
	void *reclaim_priv;
};

#if IS_ENABLED(CONFIG_CGROUP_DMEM)
struct dmem_cgroup_region *
dmem_cgroup_register_region(const struct dmem_cgroup_init *init,
			    const char *name_fmt, ...) __printf(2, 3);
void dmem_cgroup_unregister_region(struct dmem_cgroup_region *region);

int dmem_cgroup_try_charge(struct dmem_cgroup_region *region, u64 size,
			   struct dmem_cgroup_pool_state **ret_pool,
			   struct dmem_cgroup_pool_state **ret_limit_pool);
void dmem_cgroup_uncharge(struct dmem_cgroup_pool_state *pool, u64 size);
void dmem_cgroup_pool_state_put(struct dmem_cgroup_pool_state *pool);

const char *dmem_cgroup_region_name(const struct dmem_cgroup_region *region);
void dmem_cgroup_show_fdinfo(struct seq_file *m,
			     struct dmem_cgroup_pool_state *pool);

bool dmem_cgroup_state_evict_valuable(struct dmem_cgroup_pool_state *limit_pool,
				      struct dmem_cgroup_pool_state *test_pool,
				      bool ignore_low, bool *ret_hit_low);
bool dmem_cgroup_below_min(struct dmem_cgroup_pool_state *root,
			   struct dmem_cgroup_pool_state *test);
bool dmem_cgroup_below_low(struct dmem_cgroup_pool_state *root,
			   struct dmem_cgroup_pool_state *test);
struct dmem_cgroup_pool_state *
dmem_cgroup_get_common_ancestor(struct dmem_cgroup_pool_state *a,
				struct dmem_cgroup_pool_state *b);
#else
static inline __printf(2, 3) struct dmem_cgroup_region *
dmem_cgroup_register_region(const struct dmem_cgroup_init *init,
			    const char *name_fmt, ...)
{
	return NULL;
}

static inline void
dmem_cgroup_unregister_region(struct dmem_cgroup_region *region) { }

static inline int
dmem_cgroup_try_charge(struct dmem_cgroup_region *region, u64 size,
		       struct dmem_cgroup_pool_state **ret_pool,
		       struct dmem_cgroup_pool_state **ret_limit_pool)
{
	*ret_pool = NULL;
	if (ret_limit_pool)
		*ret_limit_pool = NULL;
	return 0;
}

static inline void
dmem_cgroup_uncharge(struct dmem_cgroup_pool_state *pool, u64 size) { }

static inline void
dmem_cgroup_pool_state_put(struct dmem_cgroup_pool_state *pool) { }

static inline
const char *dmem_cgroup_region_name(const struct dmem_cgroup_region *region)
{
	return NULL;
}

static inline void
dmem_cgroup_show_fdinfo(struct seq_file *m,
			struct dmem_cgroup_pool_state *pool) { }

static inline bool
dmem_cgroup_state_evict_valuable(struct dmem_cgroup_pool_state *limit_pool,
				 struct dmem_cgroup_pool_state *test_pool,
				 bool ignore_low, bool *ret_hit_low)
{
	return true;
}

static inline bool dmem_cgroup_below_min(struct dmem_cgroup_pool_state *root,
					 struct dmem_cgroup_pool_state *test)
{
	return false;
}

static inline bool dmem_cgroup_below_low(struct dmem_cgroup_pool_state *root,
					 struct dmem_cgroup_pool_state *test)
{
	return false;
}

static inline struct dmem_cgroup_pool_state *
dmem_cgroup_get_common_ancestor(struct dmem_cgroup_pool_state *a,
				struct dmem_cgroup_pool_state *b)
{
	return NULL;
}
#endif /* CONFIG_CGROUP_DMEM */
#endif /* _CGROUP_DMEM_H */
