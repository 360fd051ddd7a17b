/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The protocol of kernel/cgroup/dmem.c: charge, limit, remove
 *
 * A model for spin, which looks at every order in which the steps of a few
 * tasks, a writer of limits, a removal of cgroups and a driver that goes can
 * happen.  It is about who may use what until when, and about the sums; see
 * docs/model.md for what it leaves out.
 *
 * Steps.  What dmem.c does under a region's lock is one step: nobody looks at
 * those numbers without the lock.  What it does under dmemcg_mutex is split
 * where a lookup under RCU can see the difference.  Memory is sequentially
 * consistent; a store that nothing orders is modelled as one that may happen
 * early or late.
 *
 * RCU.  An object that is given to kfree_rcu() may be used on by the readers of
 * that moment until they leave, and by nobody else from that moment on: this is
 * the earliest that memory could be freed, and stricter than any real grace
 * period.
 *
 * Who runs is said in the environment of the verifier, 0 if nothing is said:
 *	POOLS_EXIST	1: the pools of region 0 are there at the start
 *	ROUNDS0, ROUNDS1	how often tasks 0 and 1 charge
 *	COUSINS		1: task 1 is in B, not in A, where task 0 is
 *	SIZE1, SIZE2	... one of these sizes (1)
 *	NO_LIMIT_POOL	1: ... not asking for the pool whose limit refused
 *	FILES		how often somebody reads or writes a file of A or PARENT
 *	LIMIT1, LIMIT2	... writing one of these limits (1)
 *	REMOVALS	1: A is removed, 2: and then PARENT
 *	DRIVERS		1: the driver unregisters region 0, 2: and then another one
 *			registers region 1 and gets the id; task 1 charges that
 *	ALLOCATIONS_FAIL	1: each may
 *
 * -DONLY=<property> looks at one of the properties below alone.
 * -DBREAK_<what> takes away one thing that the protocol relies on;
 * check-dmem-model.sh lists them with the property that must then fail.
 */

/* Tree of cgroups: ROOT - PARENT - A, B. */
#define ROOT		0
#define PARENT		1
#define A		2
#define B		3
#define NR_CSS		4
#define UP(css)		((css) >= A -> PARENT : ROOT)

/* Who runs; the bit of each in what RCU and SRCU wait for. */
#define TASK0		0
#define TASK1		1
#define FILE		2
#define REMOVER		3
#define DRIVER		4
#define MONITOR		5
#define BIT		(1 << me)

/* Properties. */
mtype = {
	use_after_free,
	refcount,		/* counted up from 0, or below it */
	leak,			/* something is left when all has gone */
	within_limit,		/* granted is only what a limit in force allows ... */
	fits_is_granted,	/* ... and refused what one does not */
	sum_of_subtree,		/* usage is what is charged here and below */
	right_cgroup,		/* the task's, or the nearest that lives */
	cgroup_goes,		/* a removed cgroup waits for no buffer */
	driver_gone,		/* no callback after unregistration */
	unregistered_refuses,	/* and no charge */
	no_other_error,		/* than for a limit, unregistration, no memory */
	every_call_ends		/* searched for, not asserted */
}

#ifdef ONLY
#define CHECKED(property)	((property) == ONLY)
#else
#define CHECKED(property)	true
#endif

#define REQUIRE(property, condition)					\
	if								\
	:: !CHECKED(property) || (condition)				\
	:: else ->							\
		printf("violated: ");					\
		printm(property);					\
		printf("\n");						\
		assert(false)						\
	fi

#define UNLIMITED	15

#define ENOMEM		1
#define ENODEV		2
#define ECANCELED	3

/* Pointers to pools are index + 1, 0 is NULL. */
#define NR_POOLS	(2 * NR_CSS)
#define NO_CSS		NR_CSS

typedef dmem_cgroup_region {
	byte ref;
	bool unregistered;
	bool no_driver;		/* unregistration has returned */
	bool freed;
	byte readers		/* that may use it although it is freed */
}

typedef dmemcg_state {
	byte ref;		/* the core's */
	bool dead;
	byte pool;		/* the xarray: there is one region id */
	bool no_files;		/* the core has removed the files ... */
	byte in_files;		/* ... and waits for those that are in one */
	bool removed;		/* css_offline is through */
	bool freed;
	byte readers
}

/* Each pool has its place: one of each cgroup and region. */
typedef dmem_cgroup_pool_state {
	bool used;		/* published once */
	byte ref;
	byte parent;
	byte cs;		/* css + 1; 0 is NULL */
	byte usage;
	byte max;
#ifdef BREAK_UNORDERED
	bool inited;
#endif
	bool freed;
	byte readers
}
#define PLACE(css, r)	((r) * NR_CSS + (css))
#define CSS_OF(pool)	((pool) % NR_CSS)
#ifdef BREAK_NO_FOUND_RECHECK
/* ... but here, where the second place is for the second pool of a cgroup */
#define REGION_OF(pool)	0
#else
#define REGION_OF(pool)	((pool) / NR_CSS)
#endif

dmem_cgroup_region regions[2];
dmemcg_state csses[NR_CSS];
dmem_cgroup_pool_state pools[NR_POOLS];

byte registered;		/* dmemcg_regions: the region + 1 that has the id */
bool dmemcg_mutex;
byte rcu;			/* who is in a read-side section */
byte dmemcg_srcu;		/* who is in a reclaim callback's */

/* What is true, kept by other means: from the cgroup tree and the requests. */
byte charged[NR_POOLS];		/* granted and not given back, here and below */
byte limit[NR_POOLS];		/* in force */

byte task_css[2];
byte working;			/* processes that are neither done nor waiting */
byte running;			/* processes that are not done */
bool quiet;			/* all that is left are buffers that are held */

/* Who runs, see above.  Set once, and no state. */
hidden byte POOLS_EXIST, ROUNDS0, ROUNDS1, COUSINS, SIZE1, SIZE2, NO_LIMIT_POOL;
hidden byte FILES, LIMIT1, LIMIT2, REMOVALS, DRIVERS, ALLOCATIONS_FAIL;

c_decl {
	static int setting(const char *name, int otherwise)
	{
		const char *value = getenv(name);

		return value ? atoi(value) : otherwise;
	}
}

inline read_settings()
{
	c_code {
		POOLS_EXIST = setting("POOLS_EXIST", 0);
		ROUNDS0 = setting("ROUNDS0", 0);
		ROUNDS1 = setting("ROUNDS1", 0);
		COUSINS = setting("COUSINS", 0);
		SIZE1 = setting("SIZE1", 1);
		SIZE2 = setting("SIZE2", 1);
		NO_LIMIT_POOL = setting("NO_LIMIT_POOL", 0);
		FILES = setting("FILES", 0);
		LIMIT1 = setting("LIMIT1", 1);
		LIMIT2 = setting("LIMIT2", 1);
		REMOVALS = setting("REMOVALS", 0);
		DRIVERS = setting("DRIVERS", 0);
		ALLOCATIONS_FAIL = setting("ALLOCATIONS_FAIL", 0);
	}
}

/* scratch of d_steps, no state */
hidden byte scan, walk, at, says_no;

/* -- use, reference, free ------------------------------------------------- */

#define CAN_USE(object)		(!object.freed || (object.readers & BIT))
#define USE_POOL(p)		REQUIRE(use_after_free, CAN_USE(pools[(p) - 1]))
#define USE_CSS(c)		REQUIRE(use_after_free, CAN_USE(csses[c]))
#define USE_REGION(r)		REQUIRE(use_after_free, CAN_USE(regions[r]))

#ifdef BREAK_NO_RCU_FREE
#define POOL_READERS		0	/* kfree() */
#else
#define POOL_READERS		rcu	/* kfree_rcu() */
#endif

inline rcu_read_lock()
{
	rcu = rcu | BIT
}

inline rcu_read_unlock()
{
	d_step {
		rcu = rcu & ~BIT;
		for (scan : 0 .. NR_POOLS - 1) {
			pools[scan].readers = pools[scan].readers & ~BIT
		}
		for (scan : 0 .. NR_CSS - 1) {
			csses[scan].readers = csses[scan].readers & ~BIT
		}
		regions[0].readers = regions[0].readers & ~BIT;
		regions[1].readers = regions[1].readers & ~BIT;
		scan = 0
	}
}

/* dmemcg_region_put(), dmemcg_region_release(), inside a d_step */
inline region_put_locked(r)
{
	REQUIRE(refcount, regions[r].ref > 0);
	regions[r].ref--;
	if
	:: regions[r].ref == 0 ->
		regions[r].freed = true;
		regions[r].readers = rcu
	:: else
	fi
}

/* dmemcg_pool_put(); each level is a step of its own.  @p is 0 afterwards. */
inline dmemcg_pool_put(p)
{
	do
	:: p == 0 -> break
	:: else ->
		d_step {
			REQUIRE(use_after_free, !pools[p - 1].freed);
			REQUIRE(refcount, pools[p - 1].ref > 0);
			pools[p - 1].ref--;
			if
			:: pools[p - 1].ref == 0 ->
				REQUIRE(leak, pools[p - 1].usage == 0);
				pools[p - 1].freed = true;
				pools[p - 1].readers = POOL_READERS;
				region_put_locked(REGION_OF(p - 1));
#ifdef BREAK_NO_PARENT_REF
				p = 0
#else
				p = pools[p - 1].parent
#endif
			:: else -> p = 0
			fi
		}
	od;
	skip
}

/* The core's css_put(), which frees after a grace period and puts the parent. */
inline css_put(css)
{
	d_step {
		walk = css;
		do
		:: REQUIRE(refcount, csses[walk].ref > 0);
			csses[walk].ref--;
			if
			:: csses[walk].ref == 0 ->
				/* dmemcs_free(): nothing but reserved slots */
				REQUIRE(leak, csses[walk].pool == 0);
				csses[walk].freed = true;
				csses[walk].readers = rcu;
				walk = UP(walk)
			:: else -> break
			fi
		od;
		walk = 0
	}
}

/* -- lookup and creation ---------------------------------------------------- */

/* dmemcg_pool_find(), dmemcg_pool_tryget(): a look, then the reference */
inline dmemcg_pool_tryget(css, r, p)
{
	d_step {
		USE_CSS(css);
		p = csses[css].pool;
		if
		:: p != 0 ->
			USE_POOL(p);
			if
#ifndef BREAK_NO_REGION_CHECK
			:: REGION_OF(p - 1) != r -> p = 0
#endif
#ifdef BREAK_UNORDERED
			:: !pools[p - 1].inited -> p = 0
#endif
			:: else
			fi
		:: else
		fi
	}
	if
	:: p != 0 ->
		d_step {
			USE_POOL(p);
			if
#ifdef BREAK_NO_TRYGET
			:: true ->
				REQUIRE(refcount, pools[p - 1].ref > 0);
				pools[p - 1].ref++
#else
			:: pools[p - 1].ref > 0 -> pools[p - 1].ref++
			:: else -> p = 0
#endif
			fi
		}
	:: else
	fi
}

/* What dmemcg_pool_add() makes visible with one xa_store(), inside a d_step. */
inline publish(css, r, p, above)
{
	p = PLACE(css, r);
#ifdef BREAK_NO_FOUND_RECHECK
	if
	:: pools[p].used -> p = p + NR_CSS
	:: else
	fi;
#endif
	REQUIRE(leak, !pools[p].used);
	pools[p].used = true;
	pools[p].ref = 2;
#ifdef BREAK_UNORDERED
	pools[p].parent = 0;
#else
	pools[p].parent = above;
#ifndef BREAK_NO_PARENT_REF
	above = 0;
#endif
#endif
	pools[p].max = UNLIMITED;
	pools[p].cs = css + 1;
	p++;
	csses[css].pool = p
}

#ifdef BREAK_UNORDERED
/* As 7.3's get_cg_pool_locked(): found already, and the second of two plain
 * stores may be seen first. */
inline store_parent_and_inited(p, above)
{
	if
	:: d_step {
			pools[p - 1].inited = true;
			printf("%d: ... inited, but not its parent yet\n", me)
		}
		pools[p - 1].parent = above
	:: d_step {
			pools[p - 1].parent = above;
			pools[p - 1].inited = true
		}
	fi;
	d_step {
		above = 0;
		dmemcg_mutex = false
	}
}
#endif

/*
 * dmemcg_pool_add(): @p is the parent's pool before, the result afterwards.  A
 * pool that is not published yet has no place in the model, as nobody sees it,
 * only the references that it holds.
 */
inline dmemcg_pool_add(css, r, p, above, mine, err)
{
	d_step {
		above = p;
		p = 0;
		mine = false;
		err = 0;
		USE_REGION(r);
		REQUIRE(refcount, regions[r].ref > 0);
		regions[r].ref++
	}
	if
	:: ALLOCATIONS_FAIL -> err = ENOMEM
	:: skip
	fi;
	if
	:: err == 0 ->
		atomic {
			!dmemcg_mutex;
			d_step {
				USE_CSS(css);
				if
#ifndef BREAK_NO_UNREGISTERED_RECHECK
				:: regions[r].unregistered -> err = ENODEV
#endif
#ifndef BREAK_NO_DEAD_RECHECK
				:: !regions[r].unregistered && csses[css].dead ->
					err = ECANCELED
#endif
				:: else ->
#ifndef BREAK_NO_FOUND_RECHECK
					p = csses[css].pool;
#endif
					if
					:: p != 0 ->
						USE_POOL(p);
						REQUIRE(refcount, pools[p - 1].ref > 0);
						pools[p - 1].ref++
					:: else ->
						publish(css, r, p, above);
						mine = true;
						printf("%d: cgroup %d gets a pool\n", me, css)
#ifdef BREAK_UNORDERED
						; dmemcg_mutex = true
#endif
					fi
				fi
			}
		}
	:: else
	fi;
	if
	:: !mine ->
#ifdef BREAK_ERROR_KEEPS_PARENT
		above = 0;
#else
		dmemcg_pool_put(above);
#endif
		d_step { region_put_locked(r) }
	:: else ->
#ifdef BREAK_UNORDERED
		store_parent_and_inited(p, above)
#elif defined(BREAK_NO_PARENT_REF)
		dmemcg_pool_put(above)
#else
		skip
#endif
	fi;
	mine = false
}

/* dmemcg_pool_get(): the highest level without a pool, until it is @css's */
inline dmemcg_pool_get(css, r, p, level, missing, above, mine, err)
{
	err = 0;
	do
	:: d_step {
			rcu_read_lock();
			level = css;
			missing = NO_CSS
		}
		do
		:: dmemcg_pool_tryget(level, r, p);
			if
			:: p != 0 -> break
			:: else -> missing = level
			fi;
			if
			:: level == ROOT -> break
			:: else -> level = UP(level)
			fi
		od;
		skip;
		rcu_read_unlock();
		if
		:: missing == NO_CSS -> break
		:: else
		fi;
		dmemcg_pool_add(missing, r, p, above, mine, err);
		if
		:: err != 0 || missing == css -> break
		:: else -> dmemcg_pool_put(p)
		fi
	od;
	level = ROOT;
	missing = ROOT
}

/* dmemcg_pool_get_current() */
inline dmemcg_pool_get_current(r, p, css, level, missing, above, mine, err)
{
	do
	:: d_step {
			rcu_read_lock();
			err = 0;
			css = task_css[me];
			home = css
		}
		do
		:: dmemcg_pool_tryget(css, r, p);
			if
			:: p != 0 -> break
			:: else
			fi;
			d_step {
				USE_CSS(css);
				if
				:: !csses[css].dead && csses[css].ref > 0 ->
					csses[css].ref++;
					mine = true
				:: else ->
					css = UP(css)
				fi
			}
			if
			:: mine -> break
			:: else
			fi
		od;
		skip;
		rcu_read_unlock();
		if
		:: p != 0 -> break
		:: else
		fi;
		dmemcg_pool_get(css, r, p, level, missing, above, mine, err);
		css_put(css);
#ifdef BREAK_NO_RETRY
		break
#else
		if
		:: err != ECANCELED -> break
		:: else
		fi
#endif
	od;
	css = ROOT
}

/* -- numbers: each of these is what happens in one hold of the region's lock -- */

/* usage is the sum of the subtree, for every pool that is there */
inline check_sums()
{
	for (scan : 0 .. NR_POOLS - 1) {
		if
		:: pools[scan].used && !pools[scan].freed ->
			REQUIRE(sum_of_subtree, pools[scan].usage == charged[scan])
		:: else ->
			REQUIRE(sum_of_subtree, charged[scan] == 0)
		fi
	}
	scan = 0
}

/* The request in the books that are kept by the cgroups' tree, not the pools'. */
inline account(p, size, sign)
{
	walk = CSS_OF(p - 1);
	do
	:: at = PLACE(walk, REGION_OF(p - 1));
		charged[at] = charged[at] + sign * size;
		if
		:: walk == ROOT -> break
		:: else -> walk = UP(walk)
		fi
	od;
	walk = 0;
	at = 0
}

/* Whether a limit in force, of a cgroup that is there, says no: u. */
inline limit_says_no(p, size)
{
	says_no = 0;
	walk = CSS_OF(p - 1);
	do
	:: at = PLACE(walk, REGION_OF(p - 1));
		if
		:: limit[at] != UNLIMITED && charged[at] + size > limit[at] -> says_no = 1
		:: else
		fi;
		if
		:: walk == ROOT -> break
		:: else -> walk = UP(walk)
		fi
	od;
	walk = 0;
	at = 0
}

/*
 * The cgroup that the task was in, or the nearest ancestor that lives.  A charge
 * that found the pool before its cgroup died may stay there.
 */
inline check_right_cgroup(p)
{
	walk = home;
	do
	:: walk == CSS_OF(p - 1) -> break
	:: else ->
		REQUIRE(right_cgroup, csses[walk].dead && walk != ROOT);
		walk = UP(walk)
	od;
	walk = 0
}

#define EXCEEDS(p, size)						\
	(pools[(p) - 1].max != UNLIMITED &&				\
	 pools[(p) - 1].usage + (size) > pools[(p) - 1].max)

/* The first loop of dmem_cgroup_try_charge(): @refused is where it says no. */
inline check_all_levels(p, size, refused)
{
	refused = p;
	do
	:: refused == 0 -> break
	:: else ->
		USE_POOL(refused);
		if
		:: EXCEEDS(refused, size) -> break
		:: else -> refused = pools[refused - 1].parent
		fi
	od
}

/* The second one. */
inline add_at_all_levels(p, size)
{
	at = p;
	do
	:: at == 0 -> break
	:: else ->
		USE_POOL(at);
		pools[at - 1].usage = pools[at - 1].usage + size;
		at = pools[at - 1].parent
	od;
	at = 0
}

inline granted(p, size)
{
	REQUIRE(unregistered_refuses, !late);
	limit_says_no(p, size);
	REQUIRE(within_limit, says_no == 0);
	check_right_cgroup(p);
	account(p, size, 1);
	check_sums();
	printf("%d: %d granted in cgroup %d\n", me, size, CSS_OF(p - 1))
}

inline not_granted(p, size, refused)
{
	limit_says_no(p, size);
	REQUIRE(fits_is_granted, says_no == 1);
	says_no = 0;
	check_sums();
	printf("%d: %d refused by cgroup %d\n", me, size, CSS_OF(refused - 1))
}

/* *ret_limit_pool */
inline get_limit_pool(refused)
{
	if
#ifndef BREAK_NO_LIMIT_POOL_REF
	:: !NO_LIMIT_POOL ->
		REQUIRE(refcount, pools[refused - 1].ref > 0);
		pools[refused - 1].ref++
#endif
	:: else
	fi
}

/* dmem_cgroup_try_charge(), the part with the lock */
#if defined(BREAK_TAKE_BACK)
/* As page_counter_try_charge(), which 7.3 uses: add, look, take back. */
inline charge(p, size, refused, level)
{
	level = p;
	refused = 0;
	do
	:: level == 0 -> break
	:: else ->
		d_step {
			pools[level - 1].usage = pools[level - 1].usage + size;
			if
			:: EXCEEDS(level, 0) ->
				refused = level;
				printf("%d: %d refused by cgroup %d, added already\n",
				       me, size, CSS_OF(refused - 1));
				limit_says_no(p, size);
				REQUIRE(fits_is_granted, says_no == 1);
				says_no = 0
			:: else -> level = pools[level - 1].parent
			fi
		}
		if
		:: refused != 0 -> break
		:: else
		fi
	od;
	if
	:: refused == 0 ->
		d_step { granted(p, size) }
	:: else ->
		level = p;
		do
		:: d_step {
				pools[level - 1].usage = pools[level - 1].usage - size
			}
			if
			:: level == refused -> break
			:: else -> level = pools[level - 1].parent
			fi
		od;
		skip;
		d_step { get_limit_pool(refused) }
		printf("%d: ... and taken back\n", me)
	fi;
	level = 0
}
#elif defined(BREAK_LOCK_TWICE)
inline charge(p, size, refused, level)
{
	d_step { check_all_levels(p, size, refused) }
	d_step {
		if
		:: refused == 0 ->
			add_at_all_levels(p, size);
			granted(p, size)
		:: else
		fi
	}
}
#else
inline charge(p, size, refused, level)
{
	d_step {
		check_all_levels(p, size, refused);
		if
		:: refused == 0 ->
			add_at_all_levels(p, size);
			granted(p, size)
		:: else ->
#ifdef BREAK_HALF_UNDONE
			/* the caller's own level was added first */
			pools[p - 1].usage = pools[p - 1].usage + size;
#endif
			not_granted(p, size, refused);
			get_limit_pool(refused)
		fi
	}
}
#endif

/* dmemcg_notify(): level->cs under RCU, then the css, level by level */
inline dmemcg_notify(p, level, css)
{
	d_step {
		rcu_read_lock();
		level = p
	}
	do
	:: level == 0 -> break
	:: else ->
		d_step {
			USE_POOL(level);
			css = pools[level - 1].cs
		}
		d_step {
			if
			:: css != 0 -> USE_CSS(css - 1)
			:: else
			fi;
			css = 0;
			level = pools[level - 1].parent
		}
	od;
	skip;
	rcu_read_unlock()
}

/* dmem_cgroup_uncharge(), the part with the lock */
inline uncharge(p, size)
{
	d_step {
		account(p, size, -1);
		at = p;
		do
		:: at == 0 -> break
		:: else ->
			USE_POOL(at);
			REQUIRE(sum_of_subtree, pools[at - 1].usage >= size);
			pools[at - 1].usage = pools[at - 1].usage - size;
			at = pools[at - 1].parent
		od;
		at = 0;
		check_sums();
		printf("%d: %d given back\n", me, size)
	}
}

/* What evict_valuable() does with the pool whose limit was met: looks up. */
inline look_at_ancestors(p)
{
	d_step {
		at = p;
		do
		:: at == 0 -> break
		:: else ->
			USE_POOL(at);
			at = pools[at - 1].parent
		od;
		at = 0
	}
}

/* -- removal ---------------------------------------------------------------- */

/* dmemcg_pool_detach(), with dmemcg_mutex */
inline dmemcg_pool_detach(p)
{
	csses[pools[p - 1].cs - 1].pool = 0;
#ifndef BREAK_KEEP_CS
	pools[p - 1].cs = 0;
#endif
#ifdef BREAK_DETACH_KEEPS_REF
	p = 0
#else
	dmemcg_pool_put(p)
#endif
}

/* dmemcs_offline() */
inline dmemcs_offline(css, p)
{
	atomic {
		!dmemcg_mutex;
		dmemcg_mutex = true;
		csses[css].dead = true;
		printf("%d: cgroup %d goes offline\n", me, css)
	}
	p = csses[css].pool;
	if
	:: p != 0 ->
		d_step {
			USE_POOL(p);
#ifndef BREAK_KEEP_LIMITS
			pools[p - 1].max = UNLIMITED;
#endif
			limit[p - 1] = UNLIMITED
		}
		dmemcg_pool_detach(p)
	:: else
	fi;
	d_step {
		dmemcg_mutex = false;
		csses[css].removed = true;
		printf("%d: cgroup %d is offline\n", me, css)
	}
}

/* dmem_cgroup_unregister_region() */
inline dmem_cgroup_unregister_region(r, p, n)
{
	atomic {
		!dmemcg_mutex;
		dmemcg_mutex = true;
		regions[r].unregistered = true;
		printf("%d: region %d is being unregistered\n", me, r)
	}
	n = 0;
	do
	:: n == NR_POOLS -> break
	:: else ->
		if
		:: pools[n].used && pools[n].cs != 0 && REGION_OF(n) == r ->
			p = n + 1;
			dmemcg_pool_detach(p)
		:: else
		fi;
		n++
	od;
	n = 0;
	d_step {
		registered = 0;
		dmemcg_mutex = false
	}
#ifndef BREAK_NO_SRCU
	/* synchronize_srcu(): who comes later, too, which is no harm */
	dmemcg_srcu == 0;
#endif
	regions[r].no_driver = true;
	printf("%d: unregistration is over\n", me);
	d_step { region_put_locked(r) }
}

/* -- who runs --------------------------------------------------------------- */

/*
 * A task charges, holds the memory for a while or until all else is over, and
 * gives it back.  Like dmemcg_limit_write() it holds the region while it calls:
 * that is what a driver sees to, see docs/model.md.
 */
proctype task(byte me; byte r; byte rounds)
{
	byte p, css, level, missing, above, refused, err, size, home;
	bool mine, late;

	do
	:: rounds == 0 -> break
	:: else ->
		rounds--;
		d_step {
			late = registered != r + 1;
			if
			:: regions[r].ref == 0 || regions[r].no_driver -> err = ENODEV
			:: else ->
				err = 0;
#ifndef BREAK_CALLER_HOLDS_NOTHING
				regions[r].ref++
#endif
			fi
		}
		if
		:: err != 0 -> break
		:: else
		fi;
		if
		:: size = SIZE1
		:: size = SIZE2
		fi;

		dmemcg_pool_get_current(r, p, css, level, missing, above, mine, err);
		if
		:: err == 0 -> charge(p, size, refused, level)
		:: else -> refused = 0
		fi;
#ifndef BREAK_CALLER_HOLDS_NOTHING
		d_step { region_put_locked(r) }
#endif
		if
		:: err != 0 ->
			REQUIRE(no_other_error,
				err == ENOMEM ||
				err == ENODEV && regions[r].unregistered)
		:: err == 0 && refused != 0 ->
#ifdef BREAK_NOTIFY_LATE
			dmemcg_pool_put(p);
			dmemcg_notify(refused, level, css);
#else
			dmemcg_notify(refused, level, css);
			dmemcg_pool_put(p);
#endif
			if
			:: NO_LIMIT_POOL -> refused = 0
			:: else ->
				look_at_ancestors(refused);
				dmemcg_pool_put(refused)
			fi
		:: else ->
#ifdef BREAK_PIN_CSS
			/* as 7.3, where a charge keeps its cgroup */
			d_step {
				css = CSS_OF(p - 1);
				csses[css].ref++
			}
#endif
			if
			:: skip
			:: working--;
				quiet;
				working++
			fi;
#ifdef BREAK_PUT_FIRST
			level = p;
			dmemcg_pool_put(p);
			uncharge(level, size);
			level = 0;
#else
			uncharge(p, size);
			dmemcg_pool_put(p);
#endif
#ifdef BREAK_PIN_CSS
			css_put(css);
#endif
		fi;
		d_step {
			err = 0;
			css = 0;
			size = 0;
			home = 0;
			late = false
		}
	od;
	atomic {
		/* exit */
		css_put(task_css[me]);
		task_css[me] = NO_CSS;
		working--;
		running--
	}
}

/* The loop of dmemcg_reclaim() once, and the driver's callback in it. */
inline dmemcg_reclaim(r)
{
	d_step {
		dmemcg_srcu = dmemcg_srcu | BIT;
		USE_REGION(r)
	}
	if
	:: !regions[r].unregistered ->
		d_step {
			REQUIRE(driver_gone, !regions[r].no_driver);
			printf("%d: reclaim callback\n", me)
		}
	:: else
	fi;
	dmemcg_srcu = dmemcg_srcu & ~BIT
}

/* dmemcg_number_show(): no reference at all, just RCU */
inline read_file(css, p, r)
{
	d_step {
		rcu_read_lock();
		r = registered
	}
	if
	:: r != 0 ->
		d_step {
			USE_REGION(r - 1);
			USE_CSS(css);
			p = csses[css].pool
		}
		d_step {
			if
			:: p != 0 ->
				USE_POOL(p);
				USE_REGION(REGION_OF(p - 1))
			:: else
			fi;
			p = 0;
			r = 0
		}
	:: else
	fi;
	rcu_read_unlock()
}

/* dmemcg_set_limit() */
inline dmemcg_set_limit(p, new)
{
	d_step {
		USE_POOL(p);
		pools[p - 1].max = new;
		if
		:: !csses[CSS_OF(p - 1)].removed -> limit[p - 1] = new
		:: else
		fi;
		printf("%d: limit of cgroup %d is %d\n", me, CSS_OF(p - 1), new)
	}
}

/* dmemcg_limit_write(), dmemcg_reclaim() */
inline write_limit(css, r, p, level, missing, above, mine, err)
{
	/* dmemcg_region_get() */
	atomic {
		!dmemcg_mutex;
		d_step {
			r = registered;
			if
			:: r != 0 && regions[r - 1].ref > 0 -> regions[r - 1].ref++
			:: else -> r = 0
			fi
		}
	}
	if
	:: r != 0 ->
		r--;
		dmemcg_pool_get(css, r, p, level, missing, above, mine, err);
		if
		:: err == 0 ->
			d_step {
				USE_POOL(p);
				REQUIRE(right_cgroup, CSS_OF(p - 1) == css &&
						      REGION_OF(p - 1) == r)
			}
			if
			:: dmemcg_set_limit(p, LIMIT1)
			:: dmemcg_set_limit(p, LIMIT2)
			fi;
			if
			:: DRIVERS -> dmemcg_reclaim(r)
			:: else
			fi;
			dmemcg_pool_put(p)
		:: else
		fi;
		d_step {
			region_put_locked(r);
			r = 0
		}
	:: else
	fi
}

/* Somebody writes dmem.max or reads dmem.current, of A or PARENT. */
proctype file(byte me; byte rounds)
{
	byte p, css, level, missing, above, err, r;
	bool mine;

	do
	:: rounds == 0 -> break
	:: else ->
		rounds--;
		/* kernfs: a removed file is not entered */
		if
		:: css = A
		:: css = PARENT
		fi;
		d_step {
			if
			:: csses[css].no_files -> err = ENODEV
			:: else ->
				csses[css].in_files++;
				err = 0
			fi
		}
		if
		:: err == 0 ->
			if
			:: read_file(css, p, r)
			:: write_limit(css, r, p, level, missing, above, mine, err)
			fi;
			csses[css].in_files--
		:: else
		fi;
		err = 0
	od;
	atomic {
		working--;
		running--
	}
}

/* The core removes a cgroup, or -dmem takes it from the controller. */
inline remove(css, p)
{
	/* either its tasks move away, or those left are exiting */
	if
	:: d_step {
			for (scan : 0 .. 1) {
				if
				:: task_css[scan] == css ->
					task_css[scan] = UP(css);
					csses[UP(css)].ref++;
					csses[css].ref--
				:: else
				fi
			}
			scan = 0;
			printf("%d: tasks of cgroup %d move to its parent\n", me, css)
		}
	:: skip
	fi;
	/* kernfs: nobody enters the files, wait for those inside */
	csses[css].no_files = true;
#ifndef BREAK_FILES_STAY
	csses[css].in_files == 0;
#endif
	dmemcs_offline(css, p);
	css_put(css)
}

proctype remover(byte me)
{
	byte p;

#ifdef BREAK_PARENT_FIRST
	remove(PARENT, p);
#endif
	remove(A, p);
#ifndef BREAK_PARENT_FIRST
	/* children go offline before their parent */
	if
	:: REMOVALS > 1 -> remove(PARENT, p)
	:: else
	fi;
#endif
	atomic {
		working--;
		running--
	}
}

proctype driver(byte me)
{
	byte p, n;

	dmem_cgroup_unregister_region(0, p, n);
	if
	:: DRIVERS > 1 ->
		/* dmem_cgroup_register_region(), of another device */
		d_step {
			regions[1].ref = 1;
			registered = 2
		}
	:: else
	fi;
	atomic {
		working--;
		running--
	}
}

#define START(process)							\
	working++;							\
	running++;							\
	run process

/* B would keep PARENT */
#define HAVE_B		(REMOVALS < 2 -> 1 : 0)

/* A task that is there keeps its cgroup and those above it. */
#define IS_IN(task, css)						\
	(task_css[task] == (css) ||					\
	 (css) == PARENT && (task_css[task] == A || task_css[task] == B))

/* Starts all, and looks at what is left: before the last buffers go, and after. */
init {
	byte me = MONITOR, p, n, r;

	d_step {
		read_settings();
		for (scan : 0 .. NR_POOLS - 1) {
			limit[scan] = UNLIMITED
		}
		scan = 0;
		csses[ROOT].ref = 2;
		csses[PARENT].ref = 2 + HAVE_B;
		csses[A].ref = 1;
		csses[B].ref = HAVE_B;
		csses[B].freed = !HAVE_B;
		csses[B].removed = !HAVE_B;
		csses[B].dead = !HAVE_B;
		regions[0].ref = 1;
		registered = 1;
		task_css[0] = A;
		task_css[1] = A + COUSINS;
		csses[A].ref++;
		csses[A + COUSINS].ref++
	}
	if
	:: POOLS_EXIST ->
		/* all pools are there: no caller's reference, but the children's */
		d_step {
			regions[0].ref = 1 + NR_CSS;
			publish(ROOT, 0, p, n);
			n = p;
			publish(PARENT, 0, p, n);
			n = p;
			publish(A, 0, p, n);
			n = PLACE(PARENT, 0) + 1;
			publish(B, 0, p, n);
			pools[ROOT].ref = 2;
			pools[PARENT].ref = 3;
			pools[A].ref = 1;
			pools[B].ref = 1;
			p = 0
		}
	:: else
	fi;
	atomic {
		START(task(TASK0, 0, ROUNDS0));
		START(task(TASK1, DRIVERS > 1, ROUNDS1));
		if
		:: FILES -> START(file(FILE, FILES))
		:: else
		fi;
		if
		:: REMOVALS -> START(remover(REMOVER))
		:: else
		fi;
		if
		:: DRIVERS -> START(driver(DRIVER))
		:: else
		fi
	}

	atomic {
		working == 0;
		d_step {
			for (scan : PARENT .. B) {
				REQUIRE(cgroup_goes, !csses[scan].removed || csses[scan].freed ||
					IS_IN(TASK0, scan) || IS_IN(TASK1, scan))
			}
			scan = 0;
			quiet = true
		}
	}

	running == 0;
	if
	:: registered != 0 ->
		r = registered - 1;
		dmem_cgroup_unregister_region(r, p, n)
	:: else
	fi;
	d_step {
		for (scan : 0 .. NR_POOLS - 1) {
			REQUIRE(leak, !pools[scan].used || pools[scan].freed)
		}
		for (scan : PARENT .. B) {
			REQUIRE(leak, !csses[scan].removed || csses[scan].freed)
		}
		REQUIRE(leak, regions[0].freed);
		REQUIRE(leak, regions[1].freed == (DRIVERS > 1));
		printf("%d: the end\n", me)
	}
}
