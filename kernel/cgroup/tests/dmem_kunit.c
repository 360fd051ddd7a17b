// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the device memory (dmem) cgroup controller
 *
 * dmem.c includes this file, as nearly all that is tested here is static there.
 *
 * The cgroups are made by hand.  Real ones need a mounted hierarchy and go away
 * when the cgroup core finds the time; these appear and go at the very line of
 * a test that says so.  A cgroup is:
 *
 *   - what dmemcs_alloc() makes, the controller's own part, exempt from
 *     reference counting as that of a root is (CSS_NO_REF), so that the core is
 *     not needed to count and free.  dmemcs_offline() and dmemcs_free() end it;
 *   - a struct cgroup with the pointer back to it;
 *   - a kernfs node for the directory, which has the cgroup's id, and one for
 *     each file a test opens, so that the operations of the files are called
 *     as kernfs would.
 *
 * Nothing else of the core is involved.  Each test has a tree of its own,
 * beside the system's; its regions, however, are registered for all to see.
 *
 * Charges go through dmem_cgroup_try_charge().  dmemcg_current() is redirected
 * to the cgroup that the test wants to be charged.
 *
 * What a test leaves behind (cgroups, regions, charges, open files) is its
 * fixture's to give back.  Each region must then have lost all its pools.
 *
 * Only one task is at work: numbers are read without the region's lock.
 */

#include <kunit/resource.h>
#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/fs.h>
#include <linux/kernfs.h>
#include <linux/page_counter.h>
#include <linux/prandom.h>

#include "../cgroup-internal.h"

/* -- fixture ------------------------------------------------------------- */

/**
 * struct dmemcg_test - what a test has made
 * @cgroups: &struct dmemcg_test_cgroup, the youngest first
 * @regions: &struct dmemcg_test_region
 * @charges: &struct dmemcg_test_charge
 * @task: the cgroup that charges
 * @last_id: the last cgroup id given
 */
struct dmemcg_test {
	struct list_head cgroups;
	struct list_head regions;
	struct list_head charges;
	struct dmemcg_state *task;
	u64 last_id;
};

struct dmemcg_test_cgroup {
	struct list_head list;
	struct dmemcg_state *cs;
	struct kernfs_node dir;
	struct cgroup cgroup;	/* last, because an array ends it */
};

/* Keeps a reference, so that pools which are left can be noticed. */
struct dmemcg_test_region {
	struct list_head list;
	struct dmem_cgroup_region *region;
	bool registered;
};

struct dmemcg_test_charge {
	struct list_head list;
	struct dmem_cgroup_pool_state *pool;
	u64 size;
};

static bool dmemcg_test_failed(struct kunit *test)
{
	return READ_ONCE(test->status) == KUNIT_FAILURE;
}

/* In place of dmemcg_current(). */
static struct dmemcg_state *dmemcg_test_current(void)
{
	struct dmemcg_test *fixture = kunit_get_current_test()->priv;

	return fixture->task;
}

/* Gives back all but what kunit owns itself.  May be called in between. */
static void dmemcg_test_clean(void *context)
{
	struct kunit *test = context;
	struct dmemcg_test *fixture = test->priv;
	struct dmemcg_test_charge *charge, *next_charge;
	struct dmemcg_test_cgroup *cgroup, *next_cgroup;
	struct dmemcg_test_region *region, *next_region;

	list_for_each_entry_safe(charge, next_charge, &fixture->charges, list) {
		dmem_cgroup_uncharge(charge->pool, charge->size);
		list_del(&charge->list);
		kfree(charge);
	}
	list_for_each_entry(cgroup, &fixture->cgroups, list)
		if (!cgroup->cs->dead)
			dmemcs_offline(&cgroup->cs->css);
	/* a css is freed a grace period after it went offline */
	synchronize_rcu();
	list_for_each_entry_safe(cgroup, next_cgroup, &fixture->cgroups, list) {
		list_del(&cgroup->list);
		dmemcs_free(&cgroup->cs->css);
		kfree(cgroup);
	}
	list_for_each_entry_safe(region, next_region, &fixture->regions, list) {
		if (region->registered)
			dmem_cgroup_unregister_region(region->region);
		KUNIT_EXPECT_EQ_MSG(test, kref_read(&region->region->ref), 1,
				    "%s still has pools", region->region->name);
		dmemcg_region_put(region->region);
		list_del(&region->list);
		kfree(region);
	}
}

static int dmemcg_test_init(struct kunit *test)
{
	struct dmemcg_test *fixture;

	fixture = kunit_kzalloc(test, sizeof(*fixture), GFP_KERNEL);
	if (!fixture)
		return -ENOMEM;
	INIT_LIST_HEAD(&fixture->cgroups);
	INIT_LIST_HEAD(&fixture->regions);
	INIT_LIST_HEAD(&fixture->charges);
	test->priv = fixture;
	kunit_activate_static_stub(test, dmemcg_current, dmemcg_test_current);
	return kunit_add_action_or_reset(test, dmemcg_test_clean, test);
}

/* A cgroup below @parent, or the root of a tree if that is NULL. */
static struct dmemcg_state *dmemcg_test_mkdir(struct kunit *test,
					      struct dmemcg_state *parent)
{
	struct cgroup_subsys_state *parent_css = parent ? &parent->css : NULL;
	struct dmemcg_test *fixture = test->priv;
	struct dmemcg_test_cgroup *cgroup;
	struct cgroup_subsys_state *css;

	cgroup = kzalloc_obj(*cgroup);
	KUNIT_ASSERT_NOT_NULL(test, cgroup);
	css = dmemcs_alloc(parent_css);
	if (IS_ERR(css))
		kfree(cgroup);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, css);

	css->ss = &dmem_cgrp_subsys;
	css->flags = CSS_NO_REF;
	css->parent = parent_css;
	css->cgroup = &cgroup->cgroup;
	RCU_INIT_POINTER(cgroup->cgroup.subsys[dmem_cgrp_id], css);
	cgroup->cgroup.kn = &cgroup->dir;
	cgroup->dir.id = ++fixture->last_id;
	cgroup->dir.priv = &cgroup->cgroup;
	cgroup->dir.dir.root = cgrp_dfl_root.kf_root;
	cgroup->cs = css_to_dmemcs(css);
	list_add(&cgroup->list, &fixture->cgroups);
	return cgroup->cs;
}

static void dmemcg_test_rmdir(struct dmemcg_state *cs)
{
	dmemcs_offline(&cs->css);
}

static struct dmem_cgroup_region *
dmemcg_test_register_ops(struct kunit *test, const char *name, u64 size,
			 const struct dmem_cgroup_ops *ops, void *priv)
{
	struct dmem_cgroup_init init = {
		.size = size,
		.ops = ops,
		.reclaim_priv = priv,
	};
	struct dmemcg_test *fixture = test->priv;
	struct dmemcg_test_region *entry;
	struct dmem_cgroup_region *region;

	entry = kzalloc_obj(*entry);
	KUNIT_ASSERT_NOT_NULL(test, entry);
	region = dmem_cgroup_register_region(&init, "%s", name);
	if (IS_ERR_OR_NULL(region))
		kfree(entry);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, region);

	kref_get(&region->ref);
	entry->region = region;
	entry->registered = true;
	list_add(&entry->list, &fixture->regions);
	return region;
}

static struct dmem_cgroup_region *dmemcg_test_register(struct kunit *test,
						       const char *name)
{
	return dmemcg_test_register_ops(test, name, SZ_1G, NULL, NULL);
}

/* @region stays valid to the end of the test. */
static void dmemcg_test_unregister(struct kunit *test,
				   struct dmem_cgroup_region *region)
{
	struct dmemcg_test *fixture = test->priv;
	struct dmemcg_test_region *entry;

	list_for_each_entry(entry, &fixture->regions, list)
		if (entry->region == region)
			entry->registered = false;
	dmem_cgroup_unregister_region(region);
}

/*
 * A charge by a task in @cs.  *@limit is the pool whose limit refused it, no
 * more than an address to compare, or NULL.
 */
static int dmemcg_test_try_charge(struct kunit *test, struct dmemcg_state *cs,
				  struct dmem_cgroup_region *region, u64 size,
				  struct dmem_cgroup_pool_state **pool,
				  struct dmem_cgroup_pool_state **limit)
{
	struct dmemcg_test *fixture = test->priv;
	struct dmemcg_test_charge *charge;
	int err;

	charge = kzalloc_obj(*charge);
	KUNIT_ASSERT_NOT_NULL(test, charge);
	fixture->task = cs;
	err = dmem_cgroup_try_charge(region, size, pool, limit);
	dmem_cgroup_pool_state_put(*limit);
	if (!err && *pool) {
		charge->pool = *pool;
		charge->size = size;
		list_add(&charge->list, &fixture->charges);
	} else {
		KUNIT_EXPECT_PTR_EQ(test, *pool, NULL);
		kfree(charge);
	}
	return err;
}

/* The pool of a charge that has to be granted, NULL if it was not. */
static struct dmem_cgroup_pool_state *
dmemcg_test_charge(struct kunit *test, struct dmemcg_state *cs,
		   struct dmem_cgroup_region *region, u64 size)
{
	struct dmem_cgroup_pool_state *pool, *limit;

	KUNIT_EXPECT_EQ_MSG(test, dmemcg_test_try_charge(test, cs, region, size,
							 &pool, &limit), 0,
			    "charge of %llu", size);
	KUNIT_EXPECT_PTR_EQ(test, limit, NULL);
	return pool;
}

/* The pool whose limit refuses a charge that has to be refused. */
static struct dmem_cgroup_pool_state *
dmemcg_test_refused(struct kunit *test, struct dmemcg_state *cs,
		    struct dmem_cgroup_region *region, u64 size)
{
	struct dmem_cgroup_pool_state *pool, *limit;

	KUNIT_EXPECT_EQ_MSG(test, dmemcg_test_try_charge(test, cs, region, size,
							 &pool, &limit), -EAGAIN,
			    "charge of %llu", size);
	return limit;
}

/* Gives back a charge of @size that was made in @pool. */
static void dmemcg_test_uncharge(struct kunit *test,
				 struct dmem_cgroup_pool_state *pool, u64 size)
{
	struct dmemcg_test *fixture = test->priv;
	struct dmemcg_test_charge *charge;

	list_for_each_entry(charge, &fixture->charges, list) {
		if (charge->pool != pool || charge->size != size)
			continue;
		list_del(&charge->list);
		kfree(charge);
		dmem_cgroup_uncharge(pool, size);
		return;
	}
	KUNIT_FAIL(test, "the test has not charged %llu there", size);
}

/* @cs's pool, made if need be; good for as long as the cgroup keeps it. */
static struct dmem_cgroup_pool_state *
dmemcg_test_pool(struct kunit *test, struct dmemcg_state *cs,
		 struct dmem_cgroup_region *region)
{
	struct dmem_cgroup_pool_state *pool = dmemcg_pool_get(cs, region);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pool);
	dmemcg_pool_put(pool);
	return pool;
}

KUNIT_DEFINE_ACTION_WRAPPER(dmemcg_test_put, dmemcg_pool_put,
			    struct dmem_cgroup_pool_state *);

/* The same with a reference until the test ends. */
static struct dmem_cgroup_pool_state *
dmemcg_test_hold(struct kunit *test, struct dmemcg_state *cs,
		 struct dmem_cgroup_region *region)
{
	struct dmem_cgroup_pool_state *pool = dmemcg_pool_get(cs, region);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pool);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, dmemcg_test_put,
							pool), 0);
	return pool;
}

/* What @cs's xarray has, or NULL. */
static struct dmem_cgroup_pool_state *
dmemcg_test_find(struct dmemcg_state *cs, struct dmem_cgroup_region *region)
{
	guard(rcu)();
	return dmemcg_pool_find(cs, region);
}

/* A region of that name that is not hidden, or NULL. */
static struct dmem_cgroup_region *dmemcg_test_region_find(const char *name)
{
	struct dmem_cgroup_region *region = dmemcg_region_get(name);

	if (region)
		dmemcg_region_put(region);
	return region;
}

static u64 dmemcg_test_random(struct rnd_state *rnd)
{
	return (u64)prandom_u32_state(rnd) << 32 | prandom_u32_state(rnd);
}

static u32 dmemcg_test_random_below(struct rnd_state *rnd, u32 limit)
{
	return prandom_u32_state(rnd) % limit;
}

/* Of all magnitudes up to @bits bits, 0 included. */
static u64 dmemcg_test_random_size(struct rnd_state *rnd, unsigned int bits)
{
	unsigned int n = dmemcg_test_random_below(rnd, bits + 1);

	return n ? dmemcg_test_random(rnd) >> (64 - n) : 0;
}

/* -- files, as kernfs would call them ------------------------------------ */

#define DMEMCG_TEST_TEXT	SZ_64K
/* of open files in a test, and of regions in a file that it closes */
#define DMEMCG_TEST_VIEWS	4

struct dmemcg_test_file {
	struct kernfs_node kn;
	struct kernfs_open_file of;
	struct cgroup_file_ctx ctx;
	struct file file;
	char text[DMEMCG_TEST_TEXT];	/* what was read */
	char value[80];			/* one region's part of it */
};

static void dmemcg_test_file_close(void *context)
{
	struct dmemcg_test_file *file = context;
	struct cftype *cft = of_cft(&file->of);

	if (cft->release)
		cft->release(&file->of);
}

static struct dmemcg_test_file *dmemcg_test_open(struct kunit *test,
						 struct dmemcg_state *cs,
						 const char *name)
{
	struct dmemcg_test_file *file;
	struct cftype *cft;

	for (cft = dmemcg_files; cft->name[0] && strcmp(cft->name, name); cft++)
		;
	KUNIT_ASSERT_TRUE_MSG(test, cft->name[0], "no file dmem.%s", name);
	file = kunit_kzalloc(test, sizeof(*file), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, file);
	RCU_INIT_POINTER(file->kn.__parent, cs->css.cgroup->kn);
	file->kn.priv = cft;
	file->of.kn = &file->kn;
	file->of.priv = &file->ctx;
	file->of.file = &file->file;
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test,
							dmemcg_test_file_close,
							file), 0);
	return file;
}

/*
 * A view that stayed in its pool's list when it was freed would have the next
 * reset go round in freed memory, with interrupts off.  So that the test fails
 * and does not hang, it ends here if what was in front of the view still is.
 */
static void dmemcg_test_close(struct kunit *test, struct dmemcg_test_file *file)
{
	struct dmemcg_peak_file *peaks = dmemcg_peak_file(&file->of);
	struct {
		struct dmem_cgroup_pool_state *pool;
		struct list_head *before;
		struct list_head *node;
	} seen[DMEMCG_TEST_VIEWS];
	struct dmemcg_peak *view;
	unsigned long id;
	int n = 0;

	if (peaks) {
		xa_for_each(&peaks->peaks, id, view) {
			if (list_empty(&view->node))
				continue;
			KUNIT_ASSERT_LT(test, n, DMEMCG_TEST_VIEWS);
			/* which has the list */
			refcount_inc(&view->pool->ref);
			seen[n].pool = view->pool;
			seen[n].before = view->node.prev;
			seen[n++].node = &view->node;
		}
	}
	kunit_release_action(test, dmemcg_test_file_close, file);
	while (n--) {
		bool listed = seen[n].before->next == seen[n].node;

		dmemcg_pool_put(seen[n].pool);
		KUNIT_ASSERT_FALSE_MSG(test, listed,
				       "a closed file's view is still listed");
	}
}

/* Return: 0 if all was written, or the error. */
static int dmemcg_test_write(struct kunit *test, struct dmemcg_test_file *file,
			     const char *text, size_t len)
{
	ssize_t done;
	char *buf;

	/* kernfs ends it with a NUL */
	buf = kunit_kmalloc(test, len + 1, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	memcpy(buf, text, len);
	buf[len] = '\0';
	done = of_cft(&file->of)->write(&file->of, buf, len, 0);
	kunit_kfree(test, buf);
	return done == len ? 0 : done < 0 ? done : -EIO;
}

static int dmemcg_test_puts(struct kunit *test, struct dmemcg_test_file *file,
			    const char *text)
{
	return dmemcg_test_write(test, file, text, strlen(text));
}

static const char *dmemcg_test_read(struct kunit *test,
				    struct dmemcg_test_file *file)
{
	struct seq_file sf = {
		.buf = file->text,
		.size = sizeof(file->text),
		.private = &file->of,
	};

	KUNIT_EXPECT_EQ(test, of_cft(&file->of)->seq_show(&sf, NULL), 0);
	KUNIT_ASSERT_FALSE(test, seq_has_overflowed(&sf));
	file->text[sf.count] = '\0';
	return file->text;
}

/* What the file says about a region: "absent" if nothing, "twice" if more. */
static const char *dmemcg_test_gets(struct kunit *test,
				    struct dmemcg_test_file *file,
				    const char *name)
{
	const char *line = dmemcg_test_read(test, file);
	size_t len = strlen(name);
	const char *end;
	int found = 0;

	for (; *line; line = end + 1) {
		end = strchrnul(line, '\n');
		KUNIT_ASSERT_EQ_MSG(test, *end, '\n', "a line without an end: %s",
				    line);
		if (strncmp(line, name, len) || line[len] != ' ')
			continue;
		found++;
		scnprintf(file->value, sizeof(file->value), "%.*s",
			  (int)(end - line - len - 1), line + len + 1);
	}
	return found == 0 ? "absent" : found == 1 ? file->value : "twice";
}

/* -- suite dmem_parse: from text to numbers ------------------------------ */

struct dmemcg_test_value {
	const char *name;
	const char *text;
	int err;
	u64 value;
};

static const struct dmemcg_test_value dmemcg_test_values[] = {
	{ "max", "max", 0, U64_MAX },
	{ "zero", "0", 0, 0 },
	{ "decimal", "4096", 0, 4096 },
	{ "hex", "0x1000", 0, 4096 },
	{ "hex_capital", "0XfF", 0, 255 },
	{ "octal", "0755", 0, 0755 },
	{ "octal_zeros", "000", 0, 0 },
	{ "zero_with_suffix", "0K", 0, 0 },

	{ "kilo", "3k", 0, 3ULL << 10 },
	{ "kilo_capital", "3K", 0, 3ULL << 10 },
	{ "mega", "3m", 0, 3ULL << 20 },
	{ "mega_capital", "3M", 0, 3ULL << 20 },
	{ "giga", "3g", 0, 3ULL << 30 },
	{ "giga_capital", "3G", 0, 3ULL << 30 },
	{ "tera", "3t", 0, 3ULL << 40 },
	{ "tera_capital", "3T", 0, 3ULL << 40 },
	{ "peta", "3p", 0, 3ULL << 50 },
	{ "peta_capital", "3P", 0, 3ULL << 50 },
	{ "exa", "3e", 0, 3ULL << 60 },
	{ "exa_capital", "3E", 0, 3ULL << 60 },
	{ "hex_suffix", "0x10M", 0, 16ULL << 20 },
	{ "octal_suffix", "010M", 0, 8ULL << 20 },
	/* where E is a digit it is no suffix */
	{ "hex_e_is_a_digit", "0x1E", 0, 30 },
	{ "4G_is_not_0", "4G", 0, 4294967296ULL },

	/* the last number that fits, and the first that does not */
	{ "last_decimal", "18446744073709551615", 0, U64_MAX },
	{ "past_decimal", "18446744073709551616", -ERANGE },
	{ "last_hex", "0xffffffffffffffff", 0, U64_MAX },
	{ "past_hex", "0x10000000000000000", -ERANGE },
	{ "last_octal", "01777777777777777777777", 0, U64_MAX },
	{ "past_octal", "02000000000000000000000", -ERANGE },
	{ "last_kilo", "18014398509481983k", 0, U64_MAX - 0x3ff },
	{ "past_kilo", "18014398509481984k", -ERANGE },
	{ "last_mega", "17592186044415M", 0, U64_MAX << 20 },
	{ "past_mega", "17592186044416M", -ERANGE },
	{ "last_giga", "17179869183g", 0, U64_MAX << 30 },
	{ "past_giga", "17179869184g", -ERANGE },
	{ "last_tera", "16777215T", 0, U64_MAX << 40 },
	{ "past_tera", "16777216T", -ERANGE },
	{ "last_peta", "16383p", 0, U64_MAX << 50 },
	{ "past_peta", "16384p", -ERANGE },
	{ "last_exa", "15E", 0, U64_MAX << 60 },
	{ "past_exa", "16E", -ERANGE },
	{ "2_to_the_65", "32E", -ERANGE },
	{ "many_digits", "999999999999999999999999999999999999", -ERANGE },
	{ "many_digits_suffix", "18446744073709551616E", -ERANGE },
	{ "zeros_do_not_count", "0x00000000000000000000001", 0, 1 },

	{ "empty", "", -EINVAL },
	{ "only_a_suffix", "k", -EINVAL },
	{ "unknown_suffix", "1x", -EINVAL },
	{ "two_suffixes", "1kk", -EINVAL },
	{ "unit", "1kB", -EINVAL },
	{ "suffix_and_digits", "1k1", -EINVAL },
	{ "beyond_ascii", "1\xcb", -EINVAL },
	{ "only_0x", "0x", -EINVAL },
	{ "0x_and_suffix", "0xk", -EINVAL },
	{ "0x_twice", "0x0x1", -EINVAL },
	{ "not_octal", "08", -EINVAL },
	{ "binary", "0b1", -EINVAL },
	{ "minus", "-1", -EINVAL },
	{ "plus", "+1", -EINVAL },
	{ "fraction", "1.5G", -EINVAL },
	{ "separator", "1,000", -EINVAL },
	{ "capital_max", "MAX", -EINVAL },
	{ "more_than_max", "maxx", -EINVAL },
	{ "less_than_max", "ma", -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(dmemcg_test_values, dmemcg_test_values, name);

/* One word: "max", or a number of any of C's bases and one suffix at most. */
static void test_parse_value(struct kunit *test)
{
	const struct dmemcg_test_value *row = test->param_value;
	char word[48];
	u64 value = 0;
	int err;

	strscpy(word, row->text);
	err = dmemcg_parse_value(word, &value);
	KUNIT_EXPECT_EQ_MSG(test, err, row->err, "\"%s\"", row->text);
	if (!err)
		KUNIT_EXPECT_EQ_MSG(test, value, row->value, "\"%s\"", row->text);
}

/* Words are what blanks of any kind divide; after the last there is NULL. */
static void test_parse_words(struct kunit *test)
{
	char text[] = " \t one\ttwo \v\f\r\nthree ";
	char *rest = text;

	KUNIT_EXPECT_STREQ(test, dmemcg_next_word(&rest), "one");
	KUNIT_EXPECT_STREQ(test, dmemcg_next_word(&rest), "two");
	KUNIT_EXPECT_STREQ(test, dmemcg_next_word(&rest), "three");
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_next_word(&rest), NULL);
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_next_word(&rest), NULL);
	KUNIT_EXPECT_PTR_EQ(test, rest, text + sizeof(text) - 1);
}

struct dmemcg_test_line {
	const char *name;
	const char *text;
	int ret;
	u64 value;
};

static const struct dmemcg_test_line dmemcg_test_lines[] = {
	{ "plain", "kunit/a 1M", 1, SZ_1M },
	{ "max", "kunit/a max", 1, U64_MAX },
	{ "blanks_around", " \t kunit/a \t 5 \r", 1, 5 },
	{ "empty", "", 0 },
	{ "blank", " \t\r\v\f", 0 },
	{ "no_value", "kunit/a", -EINVAL },
	{ "no_value_but_blanks", "kunit/a  ", -EINVAL },
	{ "no_region", "5", -EINVAL },
	{ "three_words", "kunit/a 5 6", -EINVAL },
	{ "divided_suffix", "kunit/a 5 k", -EINVAL },
	{ "bad_value", "kunit/a 5q", -EINVAL },
	{ "too_big", "kunit/a 16E", -ERANGE },
	{ "unknown_region", "kunit/b 5", -ENODEV },
	{ "part_of_a_name", "kunit/ 5", -ENODEV },
	{ "more_than_a_name", "kunit/aa 5", -ENODEV },
	{ "case_counts", "KUNIT/A 5", -ENODEV },
	{ "syntax_before_region", "kunit/b 5q", -EINVAL },
	{ "range_before_region", "kunit/b 16E", -ERANGE },
};

KUNIT_ARRAY_PARAM_DESC(dmemcg_test_lines, dmemcg_test_lines, name);

/* "<region> <value>", with a reference to the region only if all is well. */
static void test_parse_line(struct kunit *test)
{
	struct dmem_cgroup_region *region = dmemcg_test_register(test, "kunit/a");
	const struct dmemcg_test_line *row = test->param_value;
	struct dmemcg_setting set = { };
	char line[48];
	int ret;

	strscpy(line, row->text);
	ret = dmemcg_parse_line(line, &set);
	KUNIT_EXPECT_EQ_MSG(test, ret, row->ret, "\"%s\"", row->text);
	if (ret == 1) {
		KUNIT_EXPECT_PTR_EQ(test, set.region, region);
		KUNIT_EXPECT_EQ_MSG(test, set.value, row->value, "\"%s\"",
				    row->text);
		dmemcg_region_put(set.region);
	} else {
		KUNIT_EXPECT_PTR_EQ(test, set.region, NULL);
	}
}

static struct kunit_case dmemcg_parse_cases[] = {
	KUNIT_CASE_PARAM(test_parse_value, dmemcg_test_values_gen_params),
	KUNIT_CASE(test_parse_words),
	KUNIT_CASE_PARAM(test_parse_line, dmemcg_test_lines_gen_params),
	{ }
};

static struct kunit_suite dmemcg_parse_suite = {
	.name = "dmem_parse",
	.init = dmemcg_test_init,
	.test_cases = dmemcg_parse_cases,
};

/* -- suite dmem_regions: registration and names -------------------------- */

static unsigned int dmemcg_test_nr_regions(void)
{
	struct dmem_cgroup_region *region;
	unsigned int nr = 0;
	unsigned long id;

	guard(rcu)();
	xa_for_each(&dmemcg_regions, id, region)
		nr++;
	return nr;
}

/* No region is one to charge nothing to: that works and leaves no trace. */
static void test_region_null(struct kunit *test)
{
	struct dmem_cgroup_init init = { .size = 0 };
	unsigned int before = dmemcg_test_nr_regions();
	struct dmem_cgroup_pool_state *pool, *limit;

	KUNIT_EXPECT_PTR_EQ(test, dmem_cgroup_register_region(NULL, "kunit"), NULL);
	KUNIT_EXPECT_PTR_EQ(test, dmem_cgroup_register_region(&init, "kunit"),
			    NULL);
	KUNIT_EXPECT_EQ(test, dmemcg_test_nr_regions(), before);

	pool = ERR_PTR(-EIO);
	limit = ERR_PTR(-EIO);
	KUNIT_EXPECT_EQ(test, dmem_cgroup_try_charge(NULL, 1, &pool, &limit), 0);
	KUNIT_EXPECT_PTR_EQ(test, pool, NULL);
	KUNIT_EXPECT_PTR_EQ(test, limit, NULL);
	pool = ERR_PTR(-EIO);
	KUNIT_EXPECT_EQ(test, dmem_cgroup_try_charge(NULL, 1, &pool, NULL), 0);
	KUNIT_EXPECT_PTR_EQ(test, pool, NULL);

	dmem_cgroup_uncharge(NULL, 1);
	dmem_cgroup_pool_state_put(NULL);
	dmem_cgroup_unregister_region(NULL);
}

struct dmemcg_test_name {
	const char *name;
	const char *text;
	bool valid;
};

static const struct dmemcg_test_name dmemcg_test_names[] = {
	{ "driver", "drm/0000:03:00.0/vram0", true },
	{ "heap", "cma/video@58000000", true },
	{ "one_character", "x", true },
	{ "utf8", "vid\xc3\xa9o", true },
	{ "percent", "100%s", true },
	{ "empty", "", false },
	{ "blank", " ", false },
	{ "blank_before", " a", false },
	{ "blank_after", "a ", false },
	{ "blank_within", "a b", false },
	{ "tab", "a\tb", false },
	{ "newline", "a\n", false },
	{ "return", "a\r", false },
	{ "escape", "\x1b[1m", false },
	{ "delete", "a\x7f", false },
};

KUNIT_ARRAY_PARAM_DESC(dmemcg_test_names, dmemcg_test_names, name);

/* A name that is no word is refused, and nothing is left of the attempt. */
static void test_region_name(struct kunit *test)
{
	const struct dmemcg_test_name *row = test->param_value;
	struct dmem_cgroup_init init = { .size = SZ_1G };
	unsigned int before = dmemcg_test_nr_regions();
	struct dmem_cgroup_region *region;

	region = dmem_cgroup_register_region(&init, "%s", row->text);
	if (row->valid) {
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, region);
		KUNIT_EXPECT_STREQ(test, region->name, row->text);
		KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_region_find(row->text),
				    region);
		dmem_cgroup_unregister_region(region);
	} else {
		KUNIT_EXPECT_PTR_EQ(test, region, ERR_PTR(-EINVAL));
		if (!IS_ERR_OR_NULL(region))
			dmem_cgroup_unregister_region(region);
	}
	KUNIT_EXPECT_EQ(test, dmemcg_test_nr_regions(), before);
}

/* Whatever name is accepted can be written to the files. */
static void test_region_name_bytes(struct kunit *test)
{
	struct dmem_cgroup_init init = { .size = SZ_1G };
	int byte, accepted = 0;

	for (byte = 1; byte < 256; byte++) {
		struct dmem_cgroup_region *region;
		struct dmemcg_setting set = { };
		char line[16];
		int ret;

		region = dmem_cgroup_register_region(&init, "a%cb", byte);
		if (region == ERR_PTR(-EINVAL))
			continue;
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, region);
		accepted++;
		scnprintf(line, sizeof(line), "a%cb 5", byte);
		ret = dmemcg_parse_line(line, &set);
		KUNIT_EXPECT_EQ_MSG(test, ret, 1, "byte 0x%02x", byte);
		if (ret == 1) {
			KUNIT_EXPECT_PTR_EQ(test, set.region, region);
			dmemcg_region_put(set.region);
		}
		dmem_cgroup_unregister_region(region);
	}
	/* all that ASCII can print but the blank, at least */
	KUNIT_EXPECT_GE(test, accepted, 94);
}

/* As long as names go. */
static void test_region_name_long(struct kunit *test)
{
	size_t len = 5000;
	struct dmem_cgroup_region *region;
	char *name;

	name = kunit_kzalloc(test, len + 1, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, name);
	memset(name, 'n', len);
	region = dmemcg_test_register(test, name);
	KUNIT_EXPECT_EQ(test, strlen(region->name), len);
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_region_find(name), region);
}

/*
 * A second region takes the name: only it is in the files.  The first one goes
 * on working, and does not come back when the second one goes.
 */
static void test_region_takeover(struct kunit *test)
{
	struct dmemcg_state *root = dmemcg_test_mkdir(test, NULL);
	struct dmemcg_state *a = dmemcg_test_mkdir(test, root);
	struct dmemcg_test_file *capacity = dmemcg_test_open(test, root, "capacity");
	struct dmemcg_test_file *current_file = dmemcg_test_open(test, a, "current");
	struct dmem_cgroup_region *first, *second, *other;
	struct dmem_cgroup_pool_state *pool, *later;

	other = dmemcg_test_register_ops(test, "kunit_other", 3, NULL, NULL);
	first = dmemcg_test_register_ops(test, "kunit", 1000, NULL, NULL);
	pool = dmemcg_test_charge(test, a, first, 10);
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, capacity, "kunit"), "1000");
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, current_file, "kunit"), "10");

	second = dmemcg_test_register_ops(test, "kunit", 2000, NULL, NULL);
	KUNIT_EXPECT_NE(test, first->id, second->id);
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_region_find("kunit"), second);
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, capacity, "kunit"), "2000");
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, current_file, "kunit"), "0");
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_region_find("kunit_other"), other);

	later = dmemcg_test_charge(test, a, first, 5);
	KUNIT_EXPECT_PTR_EQ(test, later, pool);
	KUNIT_EXPECT_EQ(test, pool->usage, 15);
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, current_file, "kunit"), "0");

	dmemcg_test_unregister(test, second);
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_region_find("kunit"), NULL);
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, capacity, "kunit"), "absent");
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, current_file, "kunit"),
			   "absent");

	dmemcg_test_unregister(test, first);
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, capacity, "kunit"), "absent");
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, capacity, "kunit_other"),
			   "3");
	dmemcg_test_uncharge(test, pool, 10);
	dmemcg_test_uncharge(test, pool, 5);
}

/* A name is free as soon as its region is unregistered, charged or not. */
static void test_region_again(struct kunit *test)
{
	struct dmemcg_state *root = dmemcg_test_mkdir(test, NULL);
	struct dmem_cgroup_region *first, *second;

	first = dmemcg_test_register(test, "kunit");
	dmemcg_test_charge(test, root, first, 10);
	dmemcg_test_unregister(test, first);
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_region_find("kunit"), NULL);
	second = dmemcg_test_register(test, "kunit");
	KUNIT_EXPECT_FALSE(test, first->hidden);
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_region_find("kunit"), second);
}

/*
 * An id is given again only after its region was unregistered, and then its
 * pools are not taken for those of the new region, nor the new one's for its.
 */
static void test_region_id(struct kunit *test)
{
	struct dmemcg_state *root = dmemcg_test_mkdir(test, NULL);
	struct dmemcg_state *a = dmemcg_test_mkdir(test, root);
	struct dmem_cgroup_region *first, *second, *third;
	struct dmem_cgroup_pool_state *old, *new;

	first = dmemcg_test_register(test, "kunit_1");
	second = dmemcg_test_register(test, "kunit_2");
	KUNIT_EXPECT_NE(test, first->id, second->id);
	old = dmemcg_test_charge(test, a, first, 10);

	dmemcg_test_unregister(test, first);
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_find(a, first), NULL);
	third = dmemcg_test_register(test, "kunit_3");
	KUNIT_EXPECT_EQ(test, third->id, first->id);

	KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_find(a, third), NULL);
	new = dmemcg_test_charge(test, a, third, 7);
	KUNIT_ASSERT_NOT_NULL(test, new);
	KUNIT_EXPECT_PTR_NE(test, new, old);
	KUNIT_EXPECT_EQ(test, new->usage, 7);
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_find(a, third), new);
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_find(a, first), NULL);

	dmemcg_test_uncharge(test, old, 10);
	KUNIT_EXPECT_EQ(test, new->usage, 7);
	KUNIT_EXPECT_EQ(test, new->parent->usage, 7);
}

/* Nothing new is charged to an unregistered region, what was is given back. */
static void test_region_unregistered(struct kunit *test)
{
	struct dmemcg_state *root = dmemcg_test_mkdir(test, NULL);
	struct dmemcg_state *a = dmemcg_test_mkdir(test, root);
	struct dmemcg_state *b = dmemcg_test_mkdir(test, root);
	struct dmem_cgroup_region *region = dmemcg_test_register(test, "kunit");
	struct dmem_cgroup_pool_state *pool, *none, *limit, *parent;

	pool = dmemcg_test_charge(test, a, region, 10);
	KUNIT_ASSERT_NOT_NULL(test, pool);
	parent = pool->parent;
	dmemcg_test_pool(test, b, region);
	dmemcg_test_unregister(test, region);

	/* where there was a pool, and where there was none */
	KUNIT_EXPECT_EQ(test, dmemcg_test_try_charge(test, a, region, 1, &none,
						     &limit), -ENODEV);
	KUNIT_EXPECT_PTR_EQ(test, limit, NULL);
	KUNIT_EXPECT_EQ(test, dmemcg_test_try_charge(test, dmemcg_test_mkdir(test, b),
						     region, 1, &none, &limit),
			-ENODEV);
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_pool_get(a, region), ERR_PTR(-ENODEV));
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_pool_get(root, region), ERR_PTR(-ENODEV));
	KUNIT_EXPECT_TRUE(test, list_empty(&region->pools));

	/* a pool, its parent, and the fixture */
	KUNIT_EXPECT_EQ(test, kref_read(&region->ref), 3);
	KUNIT_EXPECT_EQ(test, refcount_read(&pool->ref), 1);
	KUNIT_EXPECT_EQ(test, refcount_read(&parent->ref), 1);
	KUNIT_EXPECT_EQ(test, parent->usage, 10);
	dmemcg_test_uncharge(test, pool, 10);
	KUNIT_EXPECT_EQ(test, kref_read(&region->ref), 1);
}

/* Hundreds of them, each found by its name and charged for itself. */
static void test_region_many(struct kunit *test)
{
	enum { NR = 500 };
	struct dmemcg_state *root = dmemcg_test_mkdir(test, NULL);
	struct dmemcg_state *a = dmemcg_test_mkdir(test, root);
	struct dmemcg_test_file *max_file = dmemcg_test_open(test, a, "max");
	struct dmemcg_test_file *file = dmemcg_test_open(test, a, "current");
	struct dmem_cgroup_region **region;
	char name[24], value[24], *lines;
	size_t len = 0;
	int i;

	region = kunit_kcalloc(test, NR, sizeof(*region), GFP_KERNEL);
	lines = kunit_kzalloc(test, SZ_32K, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, region);
	KUNIT_ASSERT_NOT_NULL(test, lines);
	for (i = 0; i < NR; i++) {
		scnprintf(name, sizeof(name), "kunit_%d", i);
		region[i] = dmemcg_test_register(test, name);
		len += scnprintf(lines + len, SZ_32K - len, "%s %d\n", name,
				 i + 1);
	}

	/* the limits of all of them in one write */
	KUNIT_EXPECT_EQ(test, dmemcg_test_puts(test, max_file, lines), 0);
	for (i = 0; i < NR; i++) {
		dmemcg_test_charge(test, a, region[i], i + 1);
		dmemcg_test_refused(test, a, region[i], 1);
		if (dmemcg_test_failed(test))
			return;
	}
	for (i = 0; i < NR; i += 7) {
		scnprintf(name, sizeof(name), "kunit_%d", i);
		scnprintf(value, sizeof(value), "%d", i + 1);
		KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_region_find(name), region[i]);
		KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, file, name), value);
	}

	for (i = 0; i < NR; i += 2)
		dmemcg_test_unregister(test, region[i]);
	for (i = 0; i < NR; i++) {
		scnprintf(name, sizeof(name), "kunit_%d", i);
		KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_region_find(name),
				    i % 2 ? region[i] : NULL);
	}
}

static struct kunit_case dmemcg_regions_cases[] = {
	KUNIT_CASE(test_region_null),
	KUNIT_CASE_PARAM(test_region_name, dmemcg_test_names_gen_params),
	KUNIT_CASE(test_region_name_bytes),
	KUNIT_CASE(test_region_name_long),
	KUNIT_CASE(test_region_takeover),
	KUNIT_CASE(test_region_again),
	KUNIT_CASE(test_region_id),
	KUNIT_CASE(test_region_unregistered),
	KUNIT_CASE(test_region_many),
	{ }
};

static struct kunit_suite dmemcg_regions_suite = {
	.name = "dmem_regions",
	.init = dmemcg_test_init,
	.test_cases = dmemcg_regions_cases,
};

/* -- suite dmem_pools: the tree and its lifetime ------------------------- */

/* A chain of cgroups below a root: chain[0] is the root. */
static void dmemcg_test_chain(struct kunit *test, struct dmemcg_state **chain,
			      int nr)
{
	int i;

	for (i = 0; i < nr; i++)
		chain[i] = dmemcg_test_mkdir(test, i ? chain[i - 1] : NULL);
}

/*
 * A pool is made with all that are missing above it, once.  Each is held by the
 * cgroup's xarray and by its children, the one that was asked for also by who
 * asked.
 */
static void test_pool_get(struct kunit *test)
{
	struct dmem_cgroup_region *region = dmemcg_test_register(test, "kunit");
	struct dmem_cgroup_pool_state *pool, *again, *level;
	struct dmemcg_state *chain[4];
	int i;

	dmemcg_test_chain(test, chain, ARRAY_SIZE(chain));
	KUNIT_EXPECT_EQ(test, kref_read(&region->ref), 2);

	pool = dmemcg_pool_get(chain[3], region);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pool);
	KUNIT_EXPECT_EQ(test, refcount_read(&pool->ref), 2);
	for (i = 3, level = pool; i >= 0; i--, level = level->parent) {
		KUNIT_ASSERT_NOT_NULL_MSG(test, level, "level %d", i);
		KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_find(chain[i], region), level);
		KUNIT_EXPECT_EQ(test, refcount_read(&level->ref), 2);
		KUNIT_EXPECT_PTR_EQ(test, level->region, region);
		KUNIT_EXPECT_EQ(test, level->cgroup_id,
				cgroup_id(chain[i]->css.cgroup));
		KUNIT_EXPECT_PTR_EQ(test, rcu_access_pointer(level->cs), chain[i]);
		KUNIT_EXPECT_EQ(test, level->usage, 0);
		KUNIT_EXPECT_EQ(test, level->max, DMEMCG_MAX);
		KUNIT_EXPECT_EQ(test, level->min, 0);
		KUNIT_EXPECT_EQ(test, level->low, 0);
	}
	KUNIT_EXPECT_PTR_EQ(test, level, NULL);
	KUNIT_EXPECT_EQ(test, kref_read(&region->ref), 6);

	again = dmemcg_pool_get(chain[3], region);
	KUNIT_EXPECT_PTR_EQ(test, again, pool);
	KUNIT_EXPECT_EQ(test, refcount_read(&pool->ref), 3);
	KUNIT_EXPECT_EQ(test, refcount_read(&pool->parent->ref), 2);
	KUNIT_EXPECT_EQ(test, kref_read(&region->ref), 6);
	dmemcg_pool_put(again);
	dmemcg_pool_put(pool);
	KUNIT_EXPECT_EQ(test, refcount_read(&pool->ref), 1);
}

/* What is there already is used: by a pool below it, and by siblings. */
static void test_pool_get_below(struct kunit *test)
{
	struct dmem_cgroup_region *region = dmemcg_test_register(test, "kunit");
	struct dmemcg_state *root = dmemcg_test_mkdir(test, NULL);
	struct dmemcg_state *a = dmemcg_test_mkdir(test, root);
	struct dmemcg_state *b = dmemcg_test_mkdir(test, a);
	struct dmemcg_state *c = dmemcg_test_mkdir(test, a);
	struct dmem_cgroup_pool_state *pool_a, *pool_b, *pool_c;

	pool_a = dmemcg_test_pool(test, a, region);
	pool_b = dmemcg_test_pool(test, b, region);
	pool_c = dmemcg_test_pool(test, c, region);
	KUNIT_EXPECT_PTR_EQ(test, pool_b->parent, pool_a);
	KUNIT_EXPECT_PTR_EQ(test, pool_c->parent, pool_a);
	KUNIT_EXPECT_PTR_EQ(test, pool_a->parent, dmemcg_test_find(root, region));
	KUNIT_EXPECT_EQ(test, refcount_read(&pool_a->ref), 3);
}

/*
 * dmemcg_pool_add() when somebody else was faster: that pool is returned, and
 * all that was taken for the new one is given back.
 */
static void test_pool_add_lost(struct kunit *test)
{
	struct dmem_cgroup_region *region = dmemcg_test_register(test, "kunit");
	struct dmemcg_state *root = dmemcg_test_mkdir(test, NULL);
	struct dmemcg_state *a = dmemcg_test_mkdir(test, root);
	struct dmem_cgroup_pool_state *parent, *pool, *found;

	pool = dmemcg_test_pool(test, a, region);
	parent = dmemcg_pool_get(root, region);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, parent);
	found = dmemcg_pool_add(a, region, parent);
	KUNIT_EXPECT_PTR_EQ(test, found, pool);
	KUNIT_EXPECT_EQ(test, refcount_read(&pool->ref), 2);
	KUNIT_EXPECT_EQ(test, refcount_read(&parent->ref), 2);
	KUNIT_EXPECT_EQ(test, kref_read(&region->ref), 4);
	dmemcg_pool_put(pool);
}

/* A dead cgroup gets no pool.  It has lost those it had; those above stay. */
static void test_pool_dead(struct kunit *test)
{
	struct dmem_cgroup_region *region = dmemcg_test_register(test, "kunit");
	struct dmem_cgroup_region *other = dmemcg_test_register(test, "kunit_2");
	struct dmem_cgroup_pool_state *parent;
	struct dmemcg_state *chain[3];

	dmemcg_test_chain(test, chain, ARRAY_SIZE(chain));
	dmemcg_test_pool(test, chain[2], region);
	parent = dmemcg_test_find(chain[1], region);
	KUNIT_EXPECT_EQ(test, refcount_read(&parent->ref), 2);
	dmemcg_test_rmdir(chain[2]);

	KUNIT_EXPECT_TRUE(test, xa_empty(&chain[2]->pools));
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_pool_get(chain[2], region),
			    ERR_PTR(-ECANCELED));
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_find(chain[1], region), parent);
	KUNIT_EXPECT_EQ(test, refcount_read(&parent->ref), 1);
	/* a region that it never had a pool of, so that all are to be made */
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_pool_get(chain[2], other),
			    ERR_PTR(-ECANCELED));
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_pool_get(chain[1], region), parent);
	dmemcg_pool_put(parent);
}

/*
 * Memory that is charged keeps the pool, not the cgroup: the pool loses its
 * limits and its cgroup and goes with the last charge, and what it held above
 * goes along.
 */
static void test_pool_outlives(struct kunit *test)
{
	struct dmem_cgroup_region *region = dmemcg_test_register(test, "kunit");
	struct dmem_cgroup_pool_state *pool, *parent, *root;
	struct dmemcg_state *chain[3];

	dmemcg_test_chain(test, chain, ARRAY_SIZE(chain));
	pool = dmemcg_test_charge(test, chain[2], region, 10);
	KUNIT_ASSERT_NOT_NULL(test, pool);
	parent = pool->parent;
	root = parent->parent;
	dmemcg_set_limit(pool, DMEMCG_LIMIT_MAX, 11);
	dmemcg_set_limit(pool, DMEMCG_LIMIT_MIN, 5);
	dmemcg_set_limit(pool, DMEMCG_LIMIT_LOW, 6);
	dmemcg_set_limit(parent, DMEMCG_LIMIT_MIN, 3);
	KUNIT_EXPECT_EQ(test, parent->children_min, 5);
	KUNIT_EXPECT_EQ(test, parent->children_low, 6);

	dmemcg_test_rmdir(chain[2]);
	KUNIT_EXPECT_PTR_EQ(test, rcu_access_pointer(pool->cs), NULL);
	KUNIT_EXPECT_EQ(test, refcount_read(&pool->ref), 1);
	KUNIT_EXPECT_EQ(test, pool->usage, 10);
	KUNIT_EXPECT_EQ(test, pool->max, DMEMCG_MAX);
	KUNIT_EXPECT_EQ(test, pool->min, 0);
	KUNIT_EXPECT_EQ(test, pool->low, 0);
	KUNIT_EXPECT_EQ(test, parent->children_min, 0);
	KUNIT_EXPECT_EQ(test, parent->children_low, 0);

	dmemcg_test_rmdir(chain[1]);
	KUNIT_EXPECT_EQ(test, refcount_read(&parent->ref), 1);
	KUNIT_EXPECT_EQ(test, root->usage, 10);
	KUNIT_EXPECT_EQ(test, root->children_min, 0);
	KUNIT_EXPECT_EQ(test, refcount_read(&root->ref), 2);
	KUNIT_EXPECT_EQ(test, kref_read(&region->ref), 5);

	dmemcg_test_uncharge(test, pool, 10);
	KUNIT_EXPECT_EQ(test, root->usage, 0);
	KUNIT_EXPECT_EQ(test, refcount_read(&root->ref), 1);
	KUNIT_EXPECT_EQ(test, kref_read(&region->ref), 3);
}

/* Region and cgroup both go while memory is charged, in either order. */
static void test_pool_outlives_both(struct kunit *test)
{
	bool region_first;

	for (region_first = false;; region_first = true) {
		struct dmem_cgroup_region *region;
		struct dmem_cgroup_pool_state *pool;
		struct dmemcg_state *chain[3];

		region = dmemcg_test_register(test, "kunit");
		dmemcg_test_chain(test, chain, ARRAY_SIZE(chain));
		pool = dmemcg_test_charge(test, chain[2], region, 10);
		if (region_first)
			dmemcg_test_unregister(test, region);
		dmemcg_test_rmdir(chain[2]);
		dmemcg_test_rmdir(chain[1]);
		if (!region_first)
			dmemcg_test_unregister(test, region);

		KUNIT_EXPECT_EQ(test, kref_read(&region->ref), 4);
		dmemcg_test_uncharge(test, pool, 10);
		KUNIT_EXPECT_EQ(test, kref_read(&region->ref), 1);
		if (region_first)
			break;
	}
}

/* The controller switched off and on: a new css of the same cgroup, from 0. */
static void test_pool_again(struct kunit *test)
{
	struct dmem_cgroup_region *region = dmemcg_test_register(test, "kunit");
	struct dmemcg_state *root = dmemcg_test_mkdir(test, NULL);
	struct dmemcg_state *old = dmemcg_test_mkdir(test, root);
	struct dmem_cgroup_pool_state *was, *is;
	struct dmemcg_state *new;

	was = dmemcg_test_charge(test, old, region, 10);
	dmemcg_set_limit(was, DMEMCG_LIMIT_MAX, 10);
	dmemcg_test_rmdir(old);
	new = dmemcg_test_mkdir(test, root);
	new->css.cgroup->kn->id = old->css.cgroup->kn->id;

	is = dmemcg_test_charge(test, new, region, 4);
	KUNIT_ASSERT_NOT_NULL(test, is);
	KUNIT_EXPECT_PTR_NE(test, is, was);
	KUNIT_EXPECT_EQ(test, is->usage, 4);
	KUNIT_EXPECT_EQ(test, is->peak, 4);
	KUNIT_EXPECT_EQ(test, is->parent->usage, 14);
	dmemcg_test_uncharge(test, was, 10);
	KUNIT_EXPECT_EQ(test, is->usage, 4);
	KUNIT_EXPECT_EQ(test, is->parent->usage, 4);
}

/*
 * A task whose cgroup is gone already, with or without pools from before, is
 * charged in the nearest one above that is not.
 */
static void test_pool_current(struct kunit *test)
{
	struct dmem_cgroup_region *region = dmemcg_test_register(test, "kunit");
	struct dmem_cgroup_region *other = dmemcg_test_register(test, "kunit_2");
	struct dmemcg_state *chain[4];
	struct dmem_cgroup_pool_state *pool;
	int living;

	dmemcg_test_chain(test, chain, ARRAY_SIZE(chain));
	for (living = 3;; living--) {
		pool = dmemcg_test_charge(test, chain[3], region, 1 << living);
		KUNIT_ASSERT_NOT_NULL(test, pool);
		KUNIT_EXPECT_PTR_EQ(test, pool, dmemcg_test_find(chain[living],
								 region));
		if (!living)
			break;
		dmemcg_test_rmdir(chain[living]);
	}
	KUNIT_EXPECT_EQ(test, pool->usage, 1 + 2 + 4 + 8);

	pool = dmemcg_test_charge(test, chain[3], other, 1);
	KUNIT_EXPECT_PTR_EQ(test, pool, dmemcg_test_find(chain[0], other));
}

/*
 * Who came by a pool before it left the xarray, but is late: may look at it until
 * he leaves his RCU section, as far up as he likes, and gets no reference.
 */
static void test_pool_late_reader(struct kunit *test)
{
	struct dmem_cgroup_region *region = dmemcg_test_register(test, "kunit");
	struct dmemcg_state *root = dmemcg_test_mkdir(test, NULL);
	struct dmemcg_state *a = dmemcg_test_mkdir(test, root);
	struct dmem_cgroup_pool_state *pool, *parent, *found, *got, *above;
	unsigned int refs, refs_above;
	u64 usage_above;

	pool = dmemcg_test_charge(test, a, region, 10);
	KUNIT_ASSERT_NOT_NULL(test, pool);
	parent = pool->parent;
	dmemcg_test_rmdir(a);
	dmemcg_test_rmdir(root);
	/* what he read from there is what he would read now */
	KUNIT_ASSERT_EQ(test, xa_err(xa_store(&a->pools, region->id, pool,
					      GFP_KERNEL)), 0);

	/* to complain of something may sleep */
	scoped_guard(rcu) {
		dmemcg_test_uncharge(test, pool, 10);
		found = dmemcg_pool_find(a, region);
		refs = refcount_read(&pool->ref);
		got = dmemcg_pool_tryget(a, region);
		above = pool->parent;
		refs_above = refcount_read(&parent->ref);
		usage_above = parent->usage;
		xa_erase(&a->pools, region->id);
	}
	KUNIT_EXPECT_PTR_EQ(test, found, pool);
	KUNIT_EXPECT_EQ(test, refs, 0);
	KUNIT_EXPECT_PTR_EQ(test, got, NULL);
	KUNIT_EXPECT_PTR_EQ(test, above, parent);
	KUNIT_EXPECT_EQ(test, refs_above, 0);
	KUNIT_EXPECT_EQ(test, usage_above, 0);
}

static void dmemcg_test_timer(struct timer_list *timer)
{
}

/*
 * The core stops the timer of an events file when it removes the file, but a
 * notification that is under way may start it after that: it must not outlive
 * the css.  CONFIG_DEBUG_OBJECTS_FREE complains if it does; nothing else would
 * see it for sure.
 */
static void test_pool_late_notification(struct kunit *test)
{
	struct dmemcg_state *root = dmemcg_test_mkdir(test, NULL);
	struct dmemcg_state *a = dmemcg_test_mkdir(test, root);
	struct dmemcg_state *b = dmemcg_test_mkdir(test, root);

	if (!IS_ENABLED(CONFIG_DEBUG_OBJECTS_FREE) ||
	    !IS_ENABLED(CONFIG_DEBUG_OBJECTS_TIMERS))
		kunit_skip(test, "needs CONFIG_DEBUG_OBJECTS_FREE and _TIMERS");

	timer_setup(&a->events_file.notify_timer, dmemcg_test_timer, 0);
	timer_setup(&b->events_local_file.notify_timer, dmemcg_test_timer, 0);
	dmemcg_test_rmdir(a);
	dmemcg_test_rmdir(b);
	mod_timer(&a->events_file.notify_timer, jiffies + 3600 * HZ);
	mod_timer(&b->events_local_file.notify_timer, jiffies + 3600 * HZ);
	dmemcg_test_clean(test);
}

static struct kunit_case dmemcg_pools_cases[] = {
	KUNIT_CASE(test_pool_get),
	KUNIT_CASE(test_pool_get_below),
	KUNIT_CASE(test_pool_add_lost),
	KUNIT_CASE(test_pool_dead),
	KUNIT_CASE(test_pool_outlives),
	KUNIT_CASE(test_pool_outlives_both),
	KUNIT_CASE(test_pool_again),
	KUNIT_CASE(test_pool_current),
	KUNIT_CASE(test_pool_late_reader),
	KUNIT_CASE(test_pool_late_notification),
	{ }
};

static struct kunit_suite dmemcg_pools_suite = {
	.name = "dmem_pools",
	.init = dmemcg_test_init,
	.test_cases = dmemcg_pools_cases,
};

/* -- suite dmem_charge: limits, usage, events ---------------------------- */

struct dmemcg_test_level {
	const char *name;
	int level;
};

static const struct dmemcg_test_level dmemcg_test_levels[] = {
	{ "top", 1 },
	{ "middle", 2 },
	{ "own", 3 },
};

KUNIT_ARRAY_PARAM_DESC(dmemcg_test_levels, dmemcg_test_levels, name);

/*
 * A limit of 100 at one of three levels below the root: 100 go in, to the byte,
 * 101 never, and what is refused leaves nothing but one event, there and above.
 */
static void test_charge_limit(struct kunit *test)
{
	struct dmem_cgroup_region *region = dmemcg_test_register(test, "kunit");
	const struct dmemcg_test_level *row = test->param_value;
	struct dmem_cgroup_pool_state *pool, *limit, *level;
	struct dmemcg_state *chain[4];
	int i;

	dmemcg_test_chain(test, chain, ARRAY_SIZE(chain));
	pool = dmemcg_test_pool(test, chain[3], region);
	limit = dmemcg_test_find(chain[row->level], region);
	dmemcg_set_limit(limit, DMEMCG_LIMIT_MAX, 100);

	KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_refused(test, chain[3], region, 101),
			    limit);
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_refused(test, chain[3], region,
						      U64_MAX), limit);
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_charge(test, chain[3], region, 90),
			    pool);
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_refused(test, chain[3], region, 11),
			    limit);
	for (level = pool; level; level = level->parent)
		KUNIT_EXPECT_EQ(test, level->usage, 90);
	/* what was refused is in nobody's way */
	dmemcg_test_charge(test, chain[3], region, 10);
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_refused(test, chain[3], region, 1),
			    limit);
	dmemcg_test_charge(test, chain[3], region, 0);

	for (i = 3, level = pool; level; i--, level = level->parent) {
		KUNIT_EXPECT_EQ_MSG(test, level->usage, 100, "level %d", i);
		KUNIT_EXPECT_EQ_MSG(test, level->peak, 100, "level %d", i);
		KUNIT_EXPECT_EQ_MSG(test, level->events[DMEMCG_EVENT_MAX],
				    i <= row->level ? 4 : 0, "level %d", i);
		KUNIT_EXPECT_EQ_MSG(test, level->local_events[DMEMCG_EVENT_MAX],
				    i == row->level ? 4 : 0, "level %d", i);
		KUNIT_EXPECT_EQ_MSG(test, level->events[DMEMCG_EVENT_LOW], 0,
				    "level %d", i);
	}

	dmemcg_test_uncharge(test, pool, 90);
	for (level = pool; level; level = level->parent) {
		KUNIT_EXPECT_EQ(test, level->usage, 10);
		KUNIT_EXPECT_EQ(test, level->peak, 100);
	}
	/* a refused charge holds nothing: the xarray, and 10 and 0 bytes */
	KUNIT_EXPECT_EQ(test, refcount_read(&pool->ref), 3);
}

/* If several limits say no, the one nearest to the task is reported. */
static void test_charge_nearest_limit(struct kunit *test)
{
	struct dmem_cgroup_region *region = dmemcg_test_register(test, "kunit");
	struct dmem_cgroup_pool_state *pool, *none;
	struct dmemcg_state *chain[3];

	dmemcg_test_chain(test, chain, ARRAY_SIZE(chain));
	pool = dmemcg_test_pool(test, chain[2], region);
	dmemcg_set_limit(pool, DMEMCG_LIMIT_MAX, 10);
	dmemcg_set_limit(pool->parent, DMEMCG_LIMIT_MAX, 5);
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_refused(test, chain[2], region, 11),
			    pool);
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_refused(test, chain[2], region, 10),
			    pool->parent);
	/* who does not want to know is not told */
	KUNIT_EXPECT_EQ(test, dmem_cgroup_try_charge(region, 11, &none, NULL),
			-EAGAIN);
	KUNIT_EXPECT_PTR_EQ(test, none, NULL);
	KUNIT_EXPECT_EQ(test, refcount_read(&pool->ref), 1);
	KUNIT_EXPECT_EQ(test, refcount_read(&pool->parent->ref), 2);
}

/* The reference to the limiting pool is the caller's, and outlives all else. */
static void test_charge_limit_reference(struct kunit *test)
{
	struct dmem_cgroup_region *region = dmemcg_test_register(test, "kunit");
	struct dmemcg_state *root = dmemcg_test_mkdir(test, NULL);
	struct dmemcg_state *a = dmemcg_test_mkdir(test, root);
	struct dmem_cgroup_pool_state *pool, *limit;
	struct dmemcg_test *fixture = test->priv;

	dmemcg_set_limit(dmemcg_test_pool(test, a, region), DMEMCG_LIMIT_MAX, 0);
	fixture->task = a;
	KUNIT_ASSERT_EQ(test, dmem_cgroup_try_charge(region, 1, &pool, &limit),
			-EAGAIN);
	KUNIT_ASSERT_NOT_NULL(test, limit);
	dmemcg_test_rmdir(a);
	dmemcg_test_unregister(test, region);
	KUNIT_EXPECT_EQ(test, refcount_read(&limit->ref), 1);
	KUNIT_EXPECT_EQ(test, limit->events[DMEMCG_EVENT_MAX], 1);
	dmem_cgroup_pool_state_put(limit);
	KUNIT_EXPECT_EQ(test, kref_read(&region->ref), 1);
}

/* With max below usage nothing is granted, until usage is below max again. */
static void test_charge_lowered_limit(struct kunit *test)
{
	struct dmem_cgroup_region *region = dmemcg_test_register(test, "kunit");
	struct dmemcg_state *root = dmemcg_test_mkdir(test, NULL);
	struct dmemcg_state *a = dmemcg_test_mkdir(test, root);
	struct dmem_cgroup_pool_state *pool;

	pool = dmemcg_test_charge(test, a, region, 60);
	dmemcg_test_charge(test, a, region, 40);
	KUNIT_ASSERT_NOT_NULL(test, pool);
	dmemcg_set_limit(pool, DMEMCG_LIMIT_MAX, 50);
	KUNIT_EXPECT_EQ(test, pool->usage, 100);
	dmemcg_test_refused(test, a, region, 1);
	dmemcg_test_refused(test, a, region, 0);
	/* 50 - 100 wraps to what this would fit into */
	dmemcg_test_refused(test, a, region, U64_MAX - 100);
	dmemcg_test_uncharge(test, pool, 60);
	dmemcg_test_refused(test, a, region, 11);
	dmemcg_test_charge(test, a, region, 10);
	KUNIT_EXPECT_EQ(test, pool->usage, 50);
}

/* Nothing wraps at 2^32 or 2^64, and the top never has more than fits. */
static void test_charge_large(struct kunit *test)
{
	struct dmem_cgroup_region *region = dmemcg_test_register(test, "kunit");
	struct dmemcg_state *root = dmemcg_test_mkdir(test, NULL);
	struct dmemcg_state *a = dmemcg_test_mkdir(test, root);
	struct dmemcg_state *b = dmemcg_test_mkdir(test, root);
	struct dmem_cgroup_pool_state *pool_a, *pool_b;

	pool_a = dmemcg_test_pool(test, a, region);
	pool_b = dmemcg_test_pool(test, b, region);
	dmemcg_set_limit(pool_a, DMEMCG_LIMIT_MAX, 5ULL << 32);
	dmemcg_test_charge(test, a, region, 4ULL << 32);
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_refused(test, a, region,
						      (1ULL << 32) + 1), pool_a);
	dmemcg_test_charge(test, a, region, 1ULL << 32);
	KUNIT_EXPECT_EQ(test, pool_a->usage, 5ULL << 32);

	KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_refused(test, b, region, U64_MAX),
			    pool_a->parent);
	dmemcg_test_charge(test, b, region, U64_MAX - (5ULL << 32));
	KUNIT_EXPECT_EQ(test, pool_b->parent->usage, U64_MAX);
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_refused(test, b, region, 1),
			    pool_b->parent);
	dmemcg_test_uncharge(test, pool_b, U64_MAX - (5ULL << 32));
	KUNIT_EXPECT_EQ(test, pool_b->parent->usage, 5ULL << 32);
}

struct dmemcg_test_seed {
	const char *name;
	u64 seed;
	unsigned int bits;
};

static const struct dmemcg_test_seed dmemcg_test_seeds[] = {
	{ "bytes_1", 1, 8 },
	{ "bytes_2", 2, 8 },
	{ "megabytes_1", 3, 26 },
	{ "megabytes_2", 4, 26 },
	{ "terabytes_1", 5, 44 },
	{ "terabytes_2", 6, 44 },
	{ "everything_1", 7, 64 },
	{ "everything_2", 8, 64 },
};

KUNIT_ARRAY_PARAM_DESC(dmemcg_test_seeds, dmemcg_test_seeds, name);

#define DMEMCG_TEST_CGROUPS	24
#define DMEMCG_TEST_CHARGES	48

/* What a pool should be like. */
struct dmemcg_test_model {
	struct dmemcg_state *cs;
	struct dmem_cgroup_pool_state *pool;
	int parent;
	bool dead;
	u64 usage, peak, max, min, low;
	u64 events, local_events;
};

struct dmemcg_test_random {
	struct dmem_cgroup_region *region;
	struct dmemcg_test_model cgroup[DMEMCG_TEST_CGROUPS];
	int nr_cgroups;
	struct {
		int cgroup;
		u64 size;
	} charge[DMEMCG_TEST_CHARGES];
	int nr_charges;
};

static void dmemcg_test_random_mkdir(struct kunit *test,
				     struct dmemcg_test_random *all, int parent)
{
	struct dmemcg_test_model *new = &all->cgroup[all->nr_cgroups++];

	new->parent = parent;
	new->max = DMEMCG_MAX;
	new->cs = dmemcg_test_mkdir(test, parent < 0 ? NULL :
				    all->cgroup[parent].cs);
	new->pool = dmemcg_test_hold(test, new->cs, all->region);
}

static void dmemcg_test_random_rmdir(struct dmemcg_test_random *all, int cgroup)
{
	struct dmemcg_test_model *model = &all->cgroup[cgroup];
	int i;

	if (model->parent < 0 || model->dead)
		return;
	for (i = 0; i < all->nr_cgroups; i++)
		if (all->cgroup[i].parent == cgroup && !all->cgroup[i].dead)
			return;
	dmemcg_test_rmdir(model->cs);
	model->dead = true;
	model->max = DMEMCG_MAX;
	model->min = 0;
	model->low = 0;
}

static void dmemcg_test_random_charge(struct kunit *test,
				      struct dmemcg_test_random *all, int cgroup,
				      u64 size)
{
	struct dmem_cgroup_pool_state *pool, *limit, *want_limit = NULL;
	struct dmemcg_state *cs = all->cgroup[cgroup].cs;
	struct dmemcg_test_model *model;
	int i, err;

	while (all->cgroup[cgroup].dead)
		cgroup = all->cgroup[cgroup].parent;
	for (i = cgroup; i >= 0; i = model->parent) {
		model = &all->cgroup[i];
		/* usage may be above max, if max was lowered */
		if (model->usage > model->max || model->max - model->usage < size) {
			want_limit = model->pool;
			model->local_events++;
			break;
		}
	}
	for (i = want_limit ? i : cgroup; i >= 0; i = model->parent) {
		model = &all->cgroup[i];
		if (want_limit) {
			model->events++;
			continue;
		}
		model->usage += size;
		model->peak = max(model->peak, model->usage);
	}

	err = dmemcg_test_try_charge(test, cs, all->region, size, &pool, &limit);
	KUNIT_EXPECT_EQ(test, err, want_limit ? -EAGAIN : 0);
	KUNIT_EXPECT_PTR_EQ(test, limit, want_limit);
	if (err)
		return;
	KUNIT_EXPECT_PTR_EQ(test, pool, all->cgroup[cgroup].pool);
	all->charge[all->nr_charges].cgroup = cgroup;
	all->charge[all->nr_charges++].size = size;
}

static void dmemcg_test_random_uncharge(struct kunit *test,
					struct dmemcg_test_random *all, int i)
{
	int cgroup = all->charge[i].cgroup;
	u64 size = all->charge[i].size;

	dmemcg_test_uncharge(test, all->cgroup[cgroup].pool, size);
	for (; cgroup >= 0; cgroup = all->cgroup[cgroup].parent)
		all->cgroup[cgroup].usage -= size;
	all->charge[i] = all->charge[--all->nr_charges];
}

static void dmemcg_test_same(struct kunit *test, const char *what, int cgroup,
			     int step, u64 seen, u64 want)
{
	KUNIT_EXPECT_EQ_MSG(test, seen, want, "%s of cgroup %d after step %d", what,
			    cgroup, step);
}

static void dmemcg_test_random_check(struct kunit *test,
				     struct dmemcg_test_random *all, int step)
{
	struct dmemcg_test_model *model;
	int i, child;

	for (i = 0; i < all->nr_cgroups; i++) {
		struct dmem_cgroup_pool_state *pool;
		u64 children_min = 0, children_low = 0;

		model = &all->cgroup[i];
		pool = model->pool;
		for (child = 0; child < all->nr_cgroups; child++) {
			struct dmemcg_test_model *c = &all->cgroup[child];

			if (c->parent != i)
				continue;
			children_min += min(c->usage, c->min);
			children_low += min(c->usage, c->low);
		}
		dmemcg_test_same(test, "usage", i, step, pool->usage, model->usage);
		dmemcg_test_same(test, "peak", i, step, pool->peak, model->peak);
		dmemcg_test_same(test, "max", i, step, pool->max, model->max);
		dmemcg_test_same(test, "min", i, step, pool->min, model->min);
		dmemcg_test_same(test, "low", i, step, pool->low, model->low);
		dmemcg_test_same(test, "children_min", i, step,
				 pool->children_min, children_min);
		dmemcg_test_same(test, "children_low", i, step,
				 pool->children_low, children_low);
		dmemcg_test_same(test, "events", i, step,
				 pool->events[DMEMCG_EVENT_MAX], model->events);
		dmemcg_test_same(test, "local events", i, step,
				 pool->local_events[DMEMCG_EVENT_MAX],
				 model->local_events);
	}
}

/*
 * Charges of random sizes by tasks in random cgroups, limits that change,
 * cgroups that come and go: after each step each pool is what a model says that
 * adds up everything anew.
 */
static void test_charge_random(struct kunit *test)
{
	const struct dmemcg_test_seed *row = test->param_value;
	struct dmemcg_test_random *all;
	struct rnd_state rnd;
	int step;

	prandom_seed_state(&rnd, row->seed);
	all = kunit_kzalloc(test, sizeof(*all), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, all);
	all->region = dmemcg_test_register(test, "kunit");
	dmemcg_test_random_mkdir(test, all, -1);

	for (step = 0; step < 2000 && !dmemcg_test_failed(test); step++) {
		int i = dmemcg_test_random_below(&rnd, all->nr_cgroups);
		struct dmemcg_test_model *model = &all->cgroup[i];
		unsigned int what = dmemcg_test_random_below(&rnd, 100);
		u64 size = dmemcg_test_random_size(&rnd, row->bits);

		if (what < 45) {
			if (all->nr_charges < DMEMCG_TEST_CHARGES)
				dmemcg_test_random_charge(test, all, i, size);
		} else if (what < 75) {
			if (all->nr_charges) {
				i = dmemcg_test_random_below(&rnd, all->nr_charges);
				dmemcg_test_random_uncharge(test, all, i);
			}
		} else if (what < 79) {
			/* few leave soon: there are not many all in all */
			if (all->nr_cgroups < DMEMCG_TEST_CGROUPS && !model->dead)
				dmemcg_test_random_mkdir(test, all, i);
		} else if (what < 80) {
			dmemcg_test_random_rmdir(all, i);
		} else if (model->parent >= 0 && !model->dead) {
			if (what % 4 == 0)
				size = DMEMCG_MAX;
			if (what < 86) {
				dmemcg_set_limit(model->pool, DMEMCG_LIMIT_MAX,
						 size);
				model->max = size;
			} else if (what < 93) {
				dmemcg_set_limit(model->pool, DMEMCG_LIMIT_MIN,
						 size);
				model->min = size;
			} else {
				dmemcg_set_limit(model->pool, DMEMCG_LIMIT_LOW,
						 size);
				model->low = size;
			}
		}
		dmemcg_test_random_check(test, all, step);
	}

	while (all->nr_charges)
		dmemcg_test_random_uncharge(test, all, 0);
	dmemcg_test_random_check(test, all, step);
	KUNIT_EXPECT_EQ(test, all->cgroup[0].pool->usage, 0);
	KUNIT_EXPECT_EQ(test, all->cgroup[0].pool->children_min, 0);
	KUNIT_EXPECT_EQ(test, all->cgroup[0].pool->children_low, 0);
}

static struct kunit_case dmemcg_charge_cases[] = {
	KUNIT_CASE_PARAM(test_charge_limit, dmemcg_test_levels_gen_params),
	KUNIT_CASE(test_charge_nearest_limit),
	KUNIT_CASE(test_charge_limit_reference),
	KUNIT_CASE(test_charge_lowered_limit),
	KUNIT_CASE(test_charge_large),
	KUNIT_CASE_PARAM(test_charge_random, dmemcg_test_seeds_gen_params),
	{ }
};

static struct kunit_suite dmemcg_charge_suite = {
	.name = "dmem_charge",
	.init = dmemcg_test_init,
	.test_cases = dmemcg_charge_cases,
};

/* -- suite dmem_limits: writes to dmem.max, dmem.min, dmem.low ------------ */

struct dmemcg_test_write {
	const char *name;
	const char *text;	/* with @ for NUL */
	int err;
	u64 a;
	u64 b;
};

/* 111 and 222 are what was there before: nothing of a bad write is applied. */
static const struct dmemcg_test_write dmemcg_test_writes[] = {
	{ "one_line", "kunit_a 5\n", 0, 5, 222 },
	{ "no_newline", "kunit_a 5", 0, 5, 222 },
	{ "two_lines", "kunit_b 6\nkunit_a 5\n", 0, 5, 6 },
	{ "blank_lines", "\n\nkunit_a 5\n \t\nkunit_b 6\n\n", 0, 5, 6 },
	{ "any_blanks", "\tkunit_a \t 5 \r\n kunit_b\v6", 0, 5, 6 },
	{ "max", "kunit_a max", 0, U64_MAX, 222 },
	{ "suffixes", "kunit_a 4G\nkunit_b 0x10k\n", 0, 4ULL << 30, SZ_16K },
	{ "nul_at_the_end", "kunit_a 5\n@", 0, 5, 222 },

	{ "empty", "", -EINVAL, 111, 222 },
	{ "only_newlines", "\n\n", -EINVAL, 111, 222 },
	{ "no_value", "kunit_a 5\nkunit_b\n", -EINVAL, 111, 222 },
	{ "one_line_for_two", "kunit_a 5 kunit_b 6", -EINVAL, 111, 222 },
	{ "bad_value_last", "kunit_a 5\nkunit_b 6z\n", -EINVAL, 111, 222 },
	{ "out_of_range_last", "kunit_a 5\nkunit_b 16E\n", -ERANGE, 111, 222 },
	{ "unknown_last", "kunit_a 5\nkunit_b 6\nkunit_c 7", -ENODEV, 111, 222 },
	{ "twice", "kunit_a 5\nkunit_b 6\nkunit_a 7\n", -EEXIST, 111, 222 },
	{ "twice_the_same", "kunit_a 5\nkunit_a 5\n", -EEXIST, 111, 222 },
	{ "nul_within", "kunit_a 5\n@kunit_b 6\n", -EINVAL, 111, 222 },
	{ "nul_first", "@kunit_a 5\n", -EINVAL, 111, 222 },
	{ "nul_twice", "kunit_a 5\n@@", -EINVAL, 111, 222 },
	{ "only_nul", "@", -EINVAL, 111, 222 },
};

KUNIT_ARRAY_PARAM_DESC(dmemcg_test_writes, dmemcg_test_writes, name);

static const struct {
	const char *name;
	enum dmemcg_number number;
} dmemcg_test_limits[] = {
	{ "max", DMEMCG_LIMIT_MAX },
	{ "min", DMEMCG_LIMIT_MIN },
	{ "low", DMEMCG_LIMIT_LOW },
};

/*
 * Lines of a region and a value, all or none of them; what was written to one
 * file is read back from it and is not in the other two.
 */
static void test_limit_write(struct kunit *test)
{
	const struct dmemcg_test_write *row = test->param_value;
	struct dmem_cgroup_region *region_a, *region_b;
	struct dmem_cgroup_pool_state *a, *b;
	struct dmemcg_state *root, *cs;
	char text[64];
	int i, k;

	region_a = dmemcg_test_register(test, "kunit_a");
	region_b = dmemcg_test_register(test, "kunit_b");
	root = dmemcg_test_mkdir(test, NULL);
	for (i = 0; i < ARRAY_SIZE(dmemcg_test_limits); i++) {
		struct dmemcg_test_file *file;

		cs = dmemcg_test_mkdir(test, root);
		file = dmemcg_test_open(test, cs, dmemcg_test_limits[i].name);
		a = dmemcg_test_pool(test, cs, region_a);
		b = dmemcg_test_pool(test, cs, region_b);
		for (k = 0; k < ARRAY_SIZE(dmemcg_test_limits); k++) {
			dmemcg_set_limit(a, dmemcg_test_limits[k].number, 111);
			dmemcg_set_limit(b, dmemcg_test_limits[k].number, 222);
		}

		strscpy(text, row->text);
		strreplace(text, '@', '\0');
		KUNIT_EXPECT_EQ_MSG(test, dmemcg_test_write(test, file, text,
							    strlen(row->text)),
				    row->err, "dmem.%s", dmemcg_test_limits[i].name);
		for (k = 0; k < ARRAY_SIZE(dmemcg_test_limits); k++) {
			enum dmemcg_number number = dmemcg_test_limits[k].number;

			KUNIT_EXPECT_EQ_MSG(test, dmemcg_get_number(a, number),
					    k == i ? row->a : 111,
					    "dmem.%s after a write to dmem.%s",
					    dmemcg_test_limits[k].name,
					    dmemcg_test_limits[i].name);
			KUNIT_EXPECT_EQ_MSG(test, dmemcg_get_number(b, number),
					    k == i ? row->b : 222,
					    "dmem.%s after a write to dmem.%s",
					    dmemcg_test_limits[k].name,
					    dmemcg_test_limits[i].name);
		}
		scnprintf(text, sizeof(text), "%llu", row->a);
		KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, file, "kunit_a"),
				   row->a == DMEMCG_MAX ? "max" : text);

		/* the write took no references that it has not given back */
		KUNIT_EXPECT_EQ(test, refcount_read(&a->ref), 1);
		KUNIT_EXPECT_EQ(test, refcount_read(&b->ref), 1);
	}
	/* registration, fixture, root's pool, three cgroups' pools */
	KUNIT_EXPECT_EQ(test, kref_read(&region_a->ref), 6);
	KUNIT_EXPECT_EQ(test, kref_read(&region_b->ref), 6);
}

/* Before anything was charged or set, the files say so, and make no pool. */
static void test_limit_defaults(struct kunit *test)
{
	static const char * const want[][2] = {
		{ "current", "0" },
		{ "max", "max" },
		{ "min", "0" },
		{ "low", "0" },
		{ "peak", "0" },
		{ "events", "low 0 max 0" },
		{ "events.local", "low 0 max 0" },
	};
	struct dmem_cgroup_region *region = dmemcg_test_register(test, "kunit");
	struct dmemcg_state *root = dmemcg_test_mkdir(test, NULL);
	struct dmemcg_state *a = dmemcg_test_mkdir(test, root);
	int i;

	for (i = 0; i < ARRAY_SIZE(want); i++)
		KUNIT_EXPECT_STREQ_MSG(test,
				       dmemcg_test_gets(test,
							dmemcg_test_open(test, a,
									 want[i][0]),
							"kunit"),
				       want[i][1], "dmem.%s", want[i][0]);
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_find(a, region), NULL);
}

/* Events, as their files show them: in the cgroup, and in those above. */
static void test_limit_events(struct kunit *test)
{
	struct dmem_cgroup_region *region = dmemcg_test_register(test, "kunit");
	struct dmemcg_test_file *max_file, *events, *local, *above, *above_local;
	struct dmemcg_state *chain[3];

	dmemcg_test_chain(test, chain, ARRAY_SIZE(chain));
	max_file = dmemcg_test_open(test, chain[2], "max");
	events = dmemcg_test_open(test, chain[2], "events");
	local = dmemcg_test_open(test, chain[2], "events.local");
	above = dmemcg_test_open(test, chain[1], "events");
	above_local = dmemcg_test_open(test, chain[1], "events.local");

	KUNIT_ASSERT_EQ(test, dmemcg_test_puts(test, max_file, "kunit 1M"), 0);
	dmemcg_test_refused(test, chain[2], region, SZ_1M + 1);
	dmemcg_test_refused(test, chain[2], region, SZ_2M);
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, events, "kunit"),
			   "low 0 max 2");
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, local, "kunit"),
			   "low 0 max 2");
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, above, "kunit"),
			   "low 0 max 2");
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, above_local, "kunit"),
			   "low 0 max 0");
}

/* A cgroup that is being removed has no limits to set any more. */
static void test_limit_dead(struct kunit *test)
{
	struct dmem_cgroup_region *region = dmemcg_test_register(test, "kunit");
	struct dmemcg_state *root = dmemcg_test_mkdir(test, NULL);
	struct dmemcg_state *a = dmemcg_test_mkdir(test, root);
	struct dmemcg_test_file *file = dmemcg_test_open(test, a, "max");

	dmemcg_test_rmdir(a);
	KUNIT_EXPECT_EQ(test, dmemcg_test_puts(test, file, "kunit 5"), -ENODEV);
	KUNIT_EXPECT_PTR_EQ(test, dmemcg_test_find(a, region), NULL);
}

#define DMEMCG_TEST_STEP	20	/* of five charges */

struct dmemcg_test_reclaim {
	const char *name;
	const char *file;
	const char *value;
	unsigned int flags;
	int steps;		/* that a call gives back */
	int ret;		/* of the call */
	int want_calls;
	u64 want_usage;
	u64 want_target;	/* of the first call */
};

static const struct dmemcg_test_reclaim dmemcg_test_reclaims[] = {
	{ "at_once", "max", "40", 0, 3, 0, 1, 40, 60 },
	{ "step_by_step", "max", "40", 0, 1, 0, 3, 40, 60 },
	{ "more_than_asked", "max", "99", 0, 4, 0, 1, 20, 1 },
	{ "to_nothing", "max", "0", 0, 2, 0, 3, 0, 100 },
	{ "cannot", "max", "40", 0, 0, -ENOSPC, DMEMCG_RECLAIM_RETRIES + 1, 100, 60 },
	{ "busy", "max", "40", 0, 0, -EBUSY, 1, 100, 60 },
	{ "room_enough", "max", "100", 0, 1, 0, 0, 100 },
	{ "no_limit", "max", "max", 0, 1, 0, 0, 100 },
	{ "nonblocking", "max", "40", O_NONBLOCK, 1, 0, 0, 100 },
	{ "min", "min", "40", 0, 1, 0, 0, 100 },
	{ "low", "low", "40", 0, 1, 0, 0, 100 },
};

KUNIT_ARRAY_PARAM_DESC(dmemcg_test_reclaims, dmemcg_test_reclaims, name);

struct dmemcg_test_reclaimer {
	struct kunit *test;
	const struct dmemcg_test_reclaim *row;
	struct dmem_cgroup_pool_state *pool;
	int calls;
	u64 target;
};

static int dmemcg_test_do_reclaim(struct dmem_cgroup_pool_state *pool,
				  u64 target_bytes, void *priv)
{
	struct dmemcg_test_reclaimer *reclaimer = priv;
	int i;

	KUNIT_EXPECT_PTR_EQ(reclaimer->test, pool, reclaimer->pool);
	if (!reclaimer->calls++)
		reclaimer->target = target_bytes;
	for (i = 0; i < reclaimer->row->steps && pool->usage; i++)
		dmemcg_test_uncharge(reclaimer->test, pool, DMEMCG_TEST_STEP);
	return reclaimer->row->ret;
}

/*
 * dmem.max below the usage of 100 asks the driver to free the difference until
 * it is done or gives up.  The write has succeeded in any case.
 */
static void test_limit_reclaim(struct kunit *test)
{
	static const struct dmem_cgroup_ops ops = {
		.reclaim = dmemcg_test_do_reclaim,
	};
	struct dmemcg_test_reclaimer reclaimer = {
		.test = test,
		.row = test->param_value,
	};
	struct dmemcg_state *root = dmemcg_test_mkdir(test, NULL);
	struct dmemcg_state *a = dmemcg_test_mkdir(test, root);
	struct dmem_cgroup_region *region;
	struct dmemcg_test_file *file;
	char line[32];
	int i;

	region = dmemcg_test_register_ops(test, "kunit", SZ_1G, &ops, &reclaimer);
	for (i = 0; i < 5; i++)
		reclaimer.pool = dmemcg_test_charge(test, a, region,
						    DMEMCG_TEST_STEP);
	KUNIT_ASSERT_NOT_NULL(test, reclaimer.pool);

	file = dmemcg_test_open(test, a, reclaimer.row->file);
	file->file.f_flags = reclaimer.row->flags;
	scnprintf(line, sizeof(line), "kunit %s\n", reclaimer.row->value);
	KUNIT_EXPECT_EQ(test, dmemcg_test_puts(test, file, line), 0);
	KUNIT_EXPECT_EQ(test, reclaimer.calls, reclaimer.row->want_calls);
	KUNIT_EXPECT_EQ(test, reclaimer.target, reclaimer.row->want_target);
	KUNIT_EXPECT_EQ(test, dmemcg_get_number(reclaimer.pool, DMEMCG_CURRENT),
			reclaimer.row->want_usage);
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, file, "kunit"),
			   reclaimer.row->value);
}

/* A region that cannot reclaim keeps what it has. */
static void test_limit_no_reclaim(struct kunit *test)
{
	static const struct dmem_cgroup_ops ops = { };
	struct dmemcg_state *root = dmemcg_test_mkdir(test, NULL);
	struct dmemcg_state *a = dmemcg_test_mkdir(test, root);
	struct dmemcg_test_file *file = dmemcg_test_open(test, a, "max");
	struct dmem_cgroup_pool_state *pool_1, *pool_2;

	pool_1 = dmemcg_test_charge(test, a, dmemcg_test_register(test, "kunit_1"),
				    100);
	pool_2 = dmemcg_test_charge(test, a,
				    dmemcg_test_register_ops(test, "kunit_2", 100,
							     &ops, NULL), 100);
	KUNIT_EXPECT_EQ(test, dmemcg_test_puts(test, file, "kunit_1 4\nkunit_2 5"),
			0);
	KUNIT_ASSERT_NOT_NULL(test, pool_1);
	KUNIT_ASSERT_NOT_NULL(test, pool_2);
	KUNIT_EXPECT_EQ(test, pool_1->usage, 100);
	KUNIT_EXPECT_EQ(test, pool_1->max, 4);
	KUNIT_EXPECT_EQ(test, pool_2->usage, 100);
	KUNIT_EXPECT_EQ(test, pool_2->max, 5);
}

static struct kunit_case dmemcg_limits_cases[] = {
	KUNIT_CASE_PARAM(test_limit_write, dmemcg_test_writes_gen_params),
	KUNIT_CASE(test_limit_defaults),
	KUNIT_CASE(test_limit_events),
	KUNIT_CASE(test_limit_dead),
	KUNIT_CASE_PARAM(test_limit_reclaim, dmemcg_test_reclaims_gen_params),
	KUNIT_CASE(test_limit_no_reclaim),
	{ }
};

static struct kunit_suite dmemcg_limits_suite = {
	.name = "dmem_limits",
	.init = dmemcg_test_init,
	.test_cases = dmemcg_limits_cases,
};

/* -- suite dmem_protection: min, low, eviction --------------------------- */

struct dmemcg_test_share {
	const char *name;
	u64 usage, setting;				/* the child's */
	u64 parent_usage, parent_effective, claims;	/* the parent's */
	u64 want;
};

static const struct dmemcg_test_share dmemcg_test_shares[] = {
	{ "nothing_at_all", 0, 0, 0, 0, 0, 0 },
	{ "nothing_set", 50, 0, 100, 0, 0, 0 },
	{ "parent_has_nothing", 50, 50, 100, 0, 100, 0 },

	/* 1. no more than what is used */
	{ "unused", 0, 50, 100, 80, 0, 0 },
	{ "used_in_part", 30, 50, 30, 30, 30, 30 },

	/* 2. the children claim more than there is: in proportion */
	{ "half", 100, 100, 200, 100, 200, 50 },
	{ "a_quarter", 50, 50, 200, 100, 200, 25 },
	{ "unequal", 90, 60, 150, 30, 90, 20 },
	{ "rounded_down", 1, 1, 3, 2, 3, 0 },
	{ "all_but_a_byte", 10, 10, 10, 9, 10, 9 },

	/* 3. they claim less: what is left over follows the excess */
	{ "as_claimed", 50, 50, 100, 80, 80, 50 },
	{ "leftover_not_needed", 50, 50, 100, 80, 50, 50 },
	{ "no_claims", 30, 0, 100, 50, 0, 15 },
	{ "all_of_it", 100, 20, 100, 60, 20, 60 },
	{ "part_of_it", 60, 20, 120, 60, 20, 20 + 16 },
	{ "covers_everything", 70, 20, 100, 1000, 20, 20 + 980 * 50 / 80 },

	/* products beyond 64 bits */
	{ "large_shares", 1ULL << 62, 1ULL << 62, 1ULL << 63, 1ULL << 62,
	  1ULL << 63, 1ULL << 61 },
	{ "large_leftover", 1ULL << 62, 0, 1ULL << 63, 1ULL << 63, 0, 1ULL << 62 },
	{ "unlimited_parent", 1ULL << 40, 0, 1ULL << 41, U64_MAX, 0, U64_MAX / 2 },
	{ "unlimited_all", U64_MAX, U64_MAX, U64_MAX, U64_MAX, U64_MAX, U64_MAX },

	/* a driver gave back more than it charged: the parent has less than them */
	{ "parent_short", 1000, 4, 8, U64_MAX, 4, U64_MAX },
	{ "parent_shorter", 1000, 4, 4, U64_MAX, 4, 4 },
	{ "parent_empty", 1000, 4, 0, U64_MAX, 4, 4 },
};

KUNIT_ARRAY_PARAM_DESC(dmemcg_test_shares, dmemcg_test_shares, name);

/* The three rules above dmemcg_effective(). */
static void test_protection_effective(struct kunit *test)
{
	const struct dmemcg_test_share *row = test->param_value;

	KUNIT_EXPECT_EQ(test, dmemcg_effective(row->usage, row->setting,
					       row->parent_usage,
					       row->parent_effective,
					       row->claims),
			row->want);
}

/*
 * The tree of the table below; ROOT's numbers are the sums.
 *
 *	ROOT			usage 190
 *	  A			usage 110, min 40, low 90
 *	    A1			usage 60, min 40, low 60
 *	    A2			usage 50
 *	  B			usage 50, low 10
 *	  C			usage 30, min 30
 *
 * Seen from ROOT, A has min 40 and low 90.  A1 claims all of the 40, and 60 of
 * the 90; the 30 that are left over go to A2, the only one that uses more than
 * it claims.
 */
enum { NONE, ROOT, A, A1, A2, B, C, NR_POOLS };

static const struct {
	int parent;
	u64 usage, min, low;
} dmemcg_test_tree[NR_POOLS] = {
	[ROOT] = { NONE },
	[A] = { ROOT, 0, 40, 90 },
	[A1] = { A, 60, 40, 60 },
	[A2] = { A, 50, 0, 0 },
	[B] = { ROOT, 50, 0, 10 },
	[C] = { ROOT, 30, 30, 0 },
};

struct dmemcg_test_decision {
	const char *name;
	int limit, test;
	bool valuable;		/* may be evicted */
	bool hit_low;		/* or might be, if low were ignored */
	bool valuable_anyway;	/* low ignored */
	bool event;		/* that this was worth */
	bool below_min, below_low;
};

static const struct dmemcg_test_decision dmemcg_test_decisions[] = {
	/* the region is full */
	{ "full_root", NONE, ROOT, true, false, true, false, false, false },
	{ "full_a", NONE, A, true, false, true, false, false, false },
	{ "full_a1", NONE, A1, false, true, true, true, false, true },
	{ "full_a2", NONE, A2, true, false, true, false, false, false },
	{ "full_b", NONE, B, true, false, true, false, false, false },
	{ "full_c", NONE, C, false, false, false, false, true, false },
	/* the root's limit: anything goes */
	{ "root_root", ROOT, ROOT, true, false, true, false, false, false },
	{ "root_a1", ROOT, A1, true, false, true, false, false, true },
	{ "root_c", ROOT, C, true, false, true, false, true, false },
	/* A's limit: what is below it, A1 with its own settings */
	{ "a_root", A, ROOT, false, false, false, false, false, false },
	{ "a_a", A, A, true, false, true, false, false, false },
	{ "a_a1", A, A1, false, true, true, true, false, true },
	{ "a_a2", A, A2, true, false, true, false, false, false },
	{ "a_b", A, B, false, false, false, false, false, false },
	{ "a_c", A, C, false, false, false, false, false, false },
	/* limits that have nothing below them but themselves */
	{ "a1_a", A1, A, false, false, false, false, false, false },
	{ "a1_a1", A1, A1, true, false, true, false, false, false },
	{ "a1_a2", A1, A2, false, false, false, false, false, false },
	{ "c_c", C, C, true, false, true, false, false, false },
};

KUNIT_ARRAY_PARAM_DESC(dmemcg_test_decisions, dmemcg_test_decisions, name);

/* Whether a pool is protected, from whom, and what that counts. */
static void test_protection_decision(struct kunit *test)
{
	const struct dmemcg_test_decision *row = test->param_value;
	struct dmem_cgroup_region *region = dmemcg_test_register(test, "kunit");
	struct dmem_cgroup_pool_state *pool[NR_POOLS] = { };
	struct dmemcg_state *cs[NR_POOLS] = { };
	bool hit_low = false;
	int i;

	for (i = ROOT; i < NR_POOLS; i++) {
		cs[i] = dmemcg_test_mkdir(test, cs[dmemcg_test_tree[i].parent]);
		pool[i] = dmemcg_test_pool(test, cs[i], region);
		dmemcg_set_limit(pool[i], DMEMCG_LIMIT_MIN,
				 dmemcg_test_tree[i].min);
		dmemcg_set_limit(pool[i], DMEMCG_LIMIT_LOW,
				 dmemcg_test_tree[i].low);
		dmemcg_test_charge(test, cs[i], region, dmemcg_test_tree[i].usage);
	}
	KUNIT_EXPECT_EQ(test, pool[ROOT]->usage, 190);

	KUNIT_EXPECT_EQ(test, dmem_cgroup_state_evict_valuable(pool[row->limit],
							       pool[row->test],
							       false, &hit_low),
			row->valuable);
	KUNIT_EXPECT_EQ(test, hit_low, row->hit_low);
	KUNIT_EXPECT_EQ(test, pool[row->test]->events[DMEMCG_EVENT_LOW], 0);

	hit_low = false;
	KUNIT_EXPECT_EQ(test, dmem_cgroup_state_evict_valuable(pool[row->limit],
							       pool[row->test],
							       true, &hit_low),
			row->valuable_anyway);
	KUNIT_EXPECT_FALSE(test, hit_low);
	KUNIT_EXPECT_EQ(test, pool[row->test]->local_events[DMEMCG_EVENT_LOW],
			row->event);
	KUNIT_EXPECT_EQ(test, pool[ROOT]->events[DMEMCG_EVENT_LOW], row->event);
	KUNIT_EXPECT_EQ(test, pool[ROOT]->local_events[DMEMCG_EVENT_LOW], 0);

	KUNIT_EXPECT_EQ(test, dmem_cgroup_below_min(pool[row->limit],
						    pool[row->test]),
			row->below_min);
	KUNIT_EXPECT_EQ(test, dmem_cgroup_below_low(pool[row->limit],
						    pool[row->test]),
			row->below_low);
}

/* No pool is legal wherever it was in Linux 7.3. */
static void test_protection_null(struct kunit *test)
{
	struct dmem_cgroup_region *region = dmemcg_test_register(test, "kunit_1");
	struct dmem_cgroup_region *other = dmemcg_test_register(test, "kunit_2");
	struct dmemcg_state *root = dmemcg_test_mkdir(test, NULL);
	struct dmem_cgroup_pool_state *pool, *strange;
	bool hit_low = false;

	pool = dmemcg_test_pool(test, root, region);
	strange = dmemcg_test_pool(test, root, other);

	/* who was never charged is as good as any */
	KUNIT_EXPECT_TRUE(test, dmem_cgroup_state_evict_valuable(NULL, NULL, false,
								 &hit_low));
	/* NULL does not ask for hit_low if low is ignored, or if nobody is asked */
	KUNIT_EXPECT_TRUE(test, dmem_cgroup_state_evict_valuable(pool, pool, false,
								 NULL));
	KUNIT_EXPECT_FALSE(test, dmem_cgroup_state_evict_valuable(NULL, pool, true,
								  NULL));

	KUNIT_EXPECT_FALSE(test, dmem_cgroup_below_min(NULL, NULL));
	KUNIT_EXPECT_FALSE(test, dmem_cgroup_below_low(NULL, NULL));
	KUNIT_EXPECT_FALSE(test, dmem_cgroup_below_min(pool, NULL));
	KUNIT_EXPECT_FALSE(test, dmem_cgroup_below_low(pool, NULL));

	KUNIT_EXPECT_PTR_EQ(test, dmem_cgroup_get_common_ancestor(NULL, NULL), NULL);
	KUNIT_EXPECT_PTR_EQ(test, dmem_cgroup_get_common_ancestor(pool, NULL), NULL);
	KUNIT_EXPECT_PTR_EQ(test, dmem_cgroup_get_common_ancestor(NULL, pool), NULL);
	KUNIT_EXPECT_PTR_EQ(test, dmem_cgroup_get_common_ancestor(pool, strange),
			    NULL);
	KUNIT_EXPECT_EQ(test, refcount_read(&pool->ref), 1);
	KUNIT_EXPECT_EQ(test, refcount_read(&strange->ref), 1);
}

#define DMEMCG_TEST_NODES	12

/* A generated tree, twice: as pools, and as the page counters of 7.3. */
struct dmemcg_test_trees {
	struct dmem_cgroup_region *region;
	int nr;
	struct dmemcg_test_node {
		int parent;	/* comes before its children; 0 is the root */
		struct dmemcg_state *cs;
		struct dmem_cgroup_pool_state *pool;
		struct page_counter counter;
		u64 charged;
	} node[DMEMCG_TEST_NODES];
};

static void dmemcg_test_grow(struct kunit *test, struct dmemcg_test_trees *trees,
			     struct rnd_state *rnd)
{
	int i;

	memset(trees, 0, sizeof(*trees));
	trees->region = dmemcg_test_register(test, "kunit");
	trees->nr = 2 + dmemcg_test_random_below(rnd, DMEMCG_TEST_NODES - 1);
	for (i = 0; i < trees->nr; i++) {
		struct dmemcg_test_node *node = &trees->node[i], *parent = NULL;

		if (i) {
			/* rather deep than wide, at times */
			node->parent = dmemcg_test_random_below(rnd, 2) ? i - 1 :
				       dmemcg_test_random_below(rnd, i);
			parent = &trees->node[node->parent];
		}
		node->cs = dmemcg_test_mkdir(test, parent ? parent->cs : NULL);
		node->pool = dmemcg_test_pool(test, node->cs, trees->region);
		page_counter_init(&node->counter,
				  parent ? &parent->counter : NULL, true);
	}
}

/* A protection: none, all there is, or anything. */
static u64 dmemcg_test_setting(struct rnd_state *rnd, unsigned int bits)
{
	switch (dmemcg_test_random_below(rnd, 8)) {
	case 0:
	case 1:
		return 0;
	case 2:
		return PAGE_COUNTER_MAX;
	default:
		return dmemcg_test_random_size(rnd, bits);
	}
}

/* Changes charges and settings, of both trees alike. */
static void dmemcg_test_shake(struct kunit *test, struct dmemcg_test_trees *trees,
			      struct rnd_state *rnd, unsigned int bits)
{
	int i;

	for (i = 0; i < trees->nr; i++) {
		struct dmemcg_test_node *node = &trees->node[i];
		u64 size = dmemcg_test_random_below(rnd, 4) ?
			   dmemcg_test_random_size(rnd, bits) : 0;

		/* a tree with a lot to forget is the better test */
		if (dmemcg_test_random_below(rnd, 3)) {
			if (node->charged) {
				dmemcg_test_uncharge(test, node->pool,
						     node->charged);
				page_counter_uncharge(&node->counter,
						      node->charged);
			}
			if (size) {
				dmemcg_test_charge(test, node->cs, trees->region,
						   size);
				page_counter_charge(&node->counter, size);
			}
			node->charged = size;
		}
		if (i && dmemcg_test_random_below(rnd, 2)) {
			u64 setting = dmemcg_test_setting(rnd, bits);

			dmemcg_set_limit(node->pool, DMEMCG_LIMIT_MIN, setting);
			page_counter_set_min(&node->counter, setting);
		}
		if (i && dmemcg_test_random_below(rnd, 2)) {
			u64 setting = dmemcg_test_setting(rnd, bits);

			dmemcg_set_limit(node->pool, DMEMCG_LIMIT_LOW, setting);
			page_counter_set_low(&node->counter, setting);
		}
	}
}

static bool dmemcg_test_is_below(struct dmemcg_test_trees *trees, int node,
				 int ancestor)
{
	while (node > ancestor)
		node = trees->node[node].parent;
	return node == ancestor;
}

/* emin and elow of the counter of @node, seen from @root. */
static void dmemcg_test_calculate(struct dmemcg_test_trees *trees, int root,
				  int node)
{
	if (node == root)
		return;
	dmemcg_test_calculate(trees, root, trees->node[node].parent);
	page_counter_calculate_protection(&trees->node[root].counter,
					  &trees->node[node].counter, true);
}

/* One test pool and one limit, which may be NULL: -1. */
static void dmemcg_test_compare(struct kunit *test,
				struct dmemcg_test_trees *trees, int limit,
				int tested, const char *where)
{
	struct dmem_cgroup_pool_state *limit_pool, *pool;
	struct dmemcg_test_node *node = &trees->node[tested];
	bool valuable, valuable_anyway, below_min, below_low;
	bool want_hit_low = false, hit_low = false;
	int root = max(limit, 0);
	u64 usage, emin, elow, events;

	pool = node->pool;
	limit_pool = limit < 0 ? NULL : trees->node[limit].pool;
	usage = page_counter_read(&node->counter);
	KUNIT_EXPECT_EQ_MSG(test, pool->usage, usage, "%s", where);

	/* what 7.3 would make of its counters */
	if (root == tested) {
		valuable = limit == tested || usage > 0;
		valuable_anyway = valuable;
		below_min = false;
		below_low = false;
	} else if (!dmemcg_test_is_below(trees, tested, root)) {
		valuable = false;
		valuable_anyway = false;
		below_min = false;
		below_low = false;
	} else {
		dmemcg_test_calculate(trees, root, tested);
		below_min = usage <= node->counter.emin;
		below_low = usage <= node->counter.elow;
		valuable = limit == 0 || (!below_min && !below_low);
		valuable_anyway = limit == 0 || !below_min;
		want_hit_low = valuable_anyway && !valuable;

		scoped_guard(spinlock_irqsave, &trees->region->lock)
			dmemcg_protection(trees->node[root].pool, pool, &emin,
					  &elow);
		if (usage) {
			KUNIT_EXPECT_EQ_MSG(test, emin, node->counter.emin,
					    "%s", where);
			KUNIT_EXPECT_EQ_MSG(test, elow, node->counter.elow,
					    "%s", where);
		} else {
			/* the counter's are stale, but enough for nothing */
			below_min = true;
			below_low = true;
			valuable = limit == 0;
			valuable_anyway = limit == 0;
			want_hit_low = false;
		}
	}

	KUNIT_EXPECT_EQ_MSG(test, dmem_cgroup_state_evict_valuable(limit_pool, pool,
								   false, &hit_low),
			    valuable, "%s", where);
	KUNIT_EXPECT_EQ_MSG(test, hit_low, want_hit_low, "%s", where);
	events = pool->local_events[DMEMCG_EVENT_LOW];
	KUNIT_EXPECT_EQ_MSG(test, dmem_cgroup_state_evict_valuable(limit_pool, pool,
								   true, &hit_low),
			    valuable_anyway, "%s", where);
	KUNIT_EXPECT_EQ_MSG(test, pool->local_events[DMEMCG_EVENT_LOW] - events,
			    want_hit_low, "%s", where);
	KUNIT_EXPECT_EQ_MSG(test, dmem_cgroup_below_min(limit_pool, pool),
			    below_min, "%s", where);
	KUNIT_EXPECT_EQ_MSG(test, dmem_cgroup_below_low(limit_pool, pool),
			    below_low, "%s", where);
}

/*
 * 320 generated trees decide as the page counters of Linux 7.3 would, through
 * changes of usage and settings, for each pool and each limit.  Where 7.3
 * differs, it is not compared:
 *
 *   - its counters end at PAGE_COUNTER_MAX (of bytes), so that "max" as a min
 *     or low is a number there, which a child's share may be too small of;
 *   - effective values of a pool without usage are those of some time before.
 *     Nothing follows from that, as 0 is at or below any protection;
 *   - below_min() and below_low() of a pool that is not below the root answer
 *     from such old values; here the answer is no;
 *   - counters read while others charge contradict each other, so that they
 *     need limits on the result which the numbers under one lock do not.
 */
static void test_protection_page_counter(struct kunit *test)
{
	const struct dmemcg_test_seed *row = test->param_value;
	/* sums of charges have to stay within a counter, and 2^31 at the least */
	unsigned int bits = min(row->bits, BITS_PER_LONG == 64 ? 46 : 26);
	struct dmemcg_test_trees *trees;
	struct rnd_state rnd;
	int tree, round;
	char where[64];

	prandom_seed_state(&rnd, row->seed);
	trees = kunit_kzalloc(test, sizeof(*trees), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, trees);

	for (tree = 0; tree < 40; tree++) {
		dmemcg_test_grow(test, trees, &rnd);
		for (round = 0; round < 4; round++) {
			int limit, tested;

			dmemcg_test_shake(test, trees, &rnd, bits);
			for (limit = -1; limit < trees->nr; limit++) {
				for (tested = 0; tested < trees->nr; tested++) {
					scnprintf(where, sizeof(where),
						  "tree %d, round %d, limit %d, pool %d",
						  tree, round, limit, tested);
					dmemcg_test_compare(test, trees, limit,
							    tested, where);
				}
			}
			if (dmemcg_test_failed(test))
				return;
		}
		dmemcg_test_clean(test);
	}
}

/* The common ancestor of any two pools of generated trees, with a reference. */
static void test_protection_common_ancestor(struct kunit *test)
{
	struct dmemcg_test_trees *trees;
	struct rnd_state rnd;
	int tree, a, b, want;

	prandom_seed_state(&rnd, 73);
	trees = kunit_kzalloc(test, sizeof(*trees), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, trees);

	for (tree = 0; tree < 40; tree++) {
		dmemcg_test_grow(test, trees, &rnd);
		for (a = 0; a < trees->nr; a++) {
			for (b = 0; b < trees->nr; b++) {
				struct dmem_cgroup_pool_state *found, *pool;
				unsigned int refs;

				/* parents have lower numbers: the first such */
				for (want = a;
				     !dmemcg_test_is_below(trees, b, want);
				     want = trees->node[want].parent)
					;
				pool = trees->node[want].pool;
				refs = refcount_read(&pool->ref);
				found = dmem_cgroup_get_common_ancestor(trees->node[a].pool,
									trees->node[b].pool);
				KUNIT_EXPECT_PTR_EQ_MSG(test, found, pool,
							"tree %d, %d and %d: not %d",
							tree, a, b, want);
				KUNIT_EXPECT_EQ(test, refcount_read(&pool->ref),
						refs + 1);
				dmem_cgroup_pool_state_put(found);
			}
		}
		if (dmemcg_test_failed(test))
			return;
		dmemcg_test_clean(test);
	}
}

/* Pools of removed cgroups count as they did, but protect nothing. */
static void test_protection_dead(struct kunit *test)
{
	struct dmem_cgroup_region *region = dmemcg_test_register(test, "kunit");
	struct dmem_cgroup_pool_state *pool, *parent, *sibling, *found;
	struct dmemcg_state *chain[3], *other;
	bool hit_low = false;

	dmemcg_test_chain(test, chain, ARRAY_SIZE(chain));
	other = dmemcg_test_mkdir(test, chain[1]);
	pool = dmemcg_test_charge(test, chain[2], region, 10);
	sibling = dmemcg_test_charge(test, other, region, 10);
	KUNIT_ASSERT_NOT_NULL(test, pool);
	KUNIT_ASSERT_NOT_NULL(test, sibling);
	parent = pool->parent;
	dmemcg_set_limit(pool, DMEMCG_LIMIT_MIN, 10);
	dmemcg_set_limit(sibling, DMEMCG_LIMIT_MIN, 10);
	dmemcg_set_limit(parent, DMEMCG_LIMIT_MIN, 10);
	/* the two share their parent's */
	KUNIT_EXPECT_TRUE(test, dmem_cgroup_state_evict_valuable(NULL, sibling,
								 false, &hit_low));
	KUNIT_EXPECT_TRUE(test, dmem_cgroup_below_min(parent, pool));

	dmemcg_test_rmdir(chain[2]);
	KUNIT_EXPECT_FALSE(test, dmem_cgroup_below_min(parent, pool));
	KUNIT_EXPECT_TRUE(test, dmem_cgroup_state_evict_valuable(NULL, pool, false,
								 &hit_low));
	KUNIT_EXPECT_FALSE(test, dmem_cgroup_state_evict_valuable(NULL, sibling,
								  false, &hit_low));
	KUNIT_EXPECT_FALSE(test, hit_low);
	found = dmem_cgroup_get_common_ancestor(pool, sibling);
	KUNIT_EXPECT_PTR_EQ(test, found, parent);
	dmem_cgroup_pool_state_put(found);
}

static struct kunit_case dmemcg_protection_cases[] = {
	KUNIT_CASE_PARAM(test_protection_effective, dmemcg_test_shares_gen_params),
	KUNIT_CASE_PARAM(test_protection_decision, dmemcg_test_decisions_gen_params),
	KUNIT_CASE(test_protection_null),
	KUNIT_CASE_PARAM(test_protection_page_counter, dmemcg_test_seeds_gen_params),
	KUNIT_CASE(test_protection_common_ancestor),
	KUNIT_CASE(test_protection_dead),
	{ }
};

static struct kunit_suite dmemcg_protection_suite = {
	.name = "dmem_protection",
	.init = dmemcg_test_init,
	.test_cases = dmemcg_protection_cases,
};

/* -- suite dmem_peak: views of open files -------------------------------- */

/*
 * A write makes a file show the peak since then.  Files that were not written
 * to, or at another time, show what they did.
 */
static void test_peak_views(struct kunit *test)
{
	struct dmem_cgroup_region *region = dmemcg_test_register(test, "kunit");
	struct dmemcg_state *root = dmemcg_test_mkdir(test, NULL);
	struct dmemcg_state *a = dmemcg_test_mkdir(test, root);
	struct dmemcg_test_file *first = dmemcg_test_open(test, a, "peak");
	struct dmemcg_test_file *second = dmemcg_test_open(test, a, "peak");
	struct dmemcg_test_file *plain = dmemcg_test_open(test, a, "peak");
	struct dmem_cgroup_pool_state *pool;

#define EXPECT_PEAKS(in_first, in_second, in_plain) do {			\
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, first, "kunit"),	\
			   in_first);						\
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, second, "kunit"),	\
			   in_second);						\
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, plain, "kunit"),	\
			   in_plain);						\
} while (0)
	EXPECT_PEAKS("0", "0", "0");
	pool = dmemcg_test_charge(test, a, region, 60);
	dmemcg_test_charge(test, a, region, 40);
	EXPECT_PEAKS("100", "100", "100");
	dmemcg_test_uncharge(test, pool, 60);
	EXPECT_PEAKS("100", "100", "100");

	/* at 40 */
	KUNIT_EXPECT_EQ(test, dmemcg_test_puts(test, first, "\n"), 0);
	EXPECT_PEAKS("40", "100", "100");
	dmemcg_test_charge(test, a, region, 30);
	EXPECT_PEAKS("70", "100", "100");
	dmemcg_test_uncharge(test, pool, 40);

	/* at 30 */
	KUNIT_EXPECT_EQ(test, dmemcg_test_puts(test, second, "reset"), 0);
	EXPECT_PEAKS("70", "30", "100");
	dmemcg_test_charge(test, a, region, 20);
	EXPECT_PEAKS("70", "50", "100");
	dmemcg_test_uncharge(test, pool, 30);

	/* at 20, again */
	KUNIT_EXPECT_EQ(test, dmemcg_test_puts(test, first, "x"), 0);
	EXPECT_PEAKS("20", "50", "100");
	dmemcg_test_charge(test, a, region, 100);
	EXPECT_PEAKS("120", "120", "120");
#undef EXPECT_PEAKS

	dmemcg_test_close(test, first);
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, second, "kunit"), "120");
	dmemcg_test_uncharge(test, pool, 100);
	KUNIT_EXPECT_EQ(test, dmemcg_test_puts(test, second, "x"), 0);
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, second, "kunit"), "20");
	dmemcg_test_close(test, second);
	/* the next to open it starts with the peak of all time */
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, plain, "kunit"), "120");
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test,
						  dmemcg_test_open(test, a, "peak"),
						  "kunit"), "120");
	/* the xarray, and a charge of 20 */
	KUNIT_EXPECT_EQ(test, refcount_read(&pool->ref), 2);
	KUNIT_EXPECT_TRUE(test, list_empty(&pool->peaks));
}

/* A reset in one cgroup is none in those above or below. */
static void test_peak_levels(struct kunit *test)
{
	struct dmem_cgroup_region *region = dmemcg_test_register(test, "kunit");
	struct dmemcg_test_file *above, *at, *below;
	struct dmem_cgroup_pool_state *pool;
	struct dmemcg_state *chain[4];

	dmemcg_test_chain(test, chain, ARRAY_SIZE(chain));
	above = dmemcg_test_open(test, chain[1], "peak");
	at = dmemcg_test_open(test, chain[2], "peak");
	below = dmemcg_test_open(test, chain[3], "peak");
	pool = dmemcg_test_charge(test, chain[3], region, 10);
	dmemcg_test_uncharge(test, pool, 10);
	KUNIT_EXPECT_EQ(test, dmemcg_test_puts(test, at, "x"), 0);
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, above, "kunit"), "10");
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, at, "kunit"), "0");
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, below, "kunit"), "10");
}

/*
 * A reset is of all regions.  Regions and pools that come later start from 0 in
 * every file, those that go with their id, too.
 */
static void test_peak_regions(struct kunit *test)
{
	struct dmemcg_state *root = dmemcg_test_mkdir(test, NULL);
	struct dmemcg_state *a = dmemcg_test_mkdir(test, root);
	struct dmemcg_test_file *file = dmemcg_test_open(test, a, "peak"), *other;
	struct dmem_cgroup_region *first, *second, *third, *fourth;
	struct dmem_cgroup_pool_state *pool;

	first = dmemcg_test_register(test, "kunit_1");
	second = dmemcg_test_register(test, "kunit_2");
	third = dmemcg_test_register(test, "kunit_3");
	dmemcg_test_uncharge(test, dmemcg_test_charge(test, a, first, 10), 10);
	dmemcg_test_uncharge(test, dmemcg_test_charge(test, a, second, 20), 20);
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, file, "kunit_1"), "10");
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, file, "kunit_2"), "20");

	KUNIT_EXPECT_EQ(test, dmemcg_test_puts(test, file, "x"), 0);
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, file, "kunit_1"), "0");
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, file, "kunit_2"), "0");
	/* no pool at the time of the reset */
	dmemcg_test_uncharge(test, dmemcg_test_charge(test, a, third, 30), 30);
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, file, "kunit_3"), "30");
	KUNIT_EXPECT_EQ(test, dmemcg_test_puts(test, file, "x"), 0);
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, file, "kunit_3"), "0");

	/* the view is of the first region's pool, the id soon the fourth's */
	pool = dmemcg_test_charge(test, a, first, 5);
	KUNIT_EXPECT_EQ(test, dmemcg_test_puts(test, file, "x"), 0);
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, file, "kunit_1"), "5");
	dmemcg_test_unregister(test, first);
	fourth = dmemcg_test_register(test, "kunit_4");
	KUNIT_EXPECT_EQ(test, fourth->id, first->id);
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, file, "kunit_4"), "0");
	dmemcg_test_uncharge(test, dmemcg_test_charge(test, a, fourth, 4), 4);
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, file, "kunit_4"), "4");
	/* another file's reset is its own affair, here as well */
	other = dmemcg_test_open(test, a, "peak");
	KUNIT_EXPECT_EQ(test, dmemcg_test_puts(test, other, "x"), 0);
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, other, "kunit_4"), "0");
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, file, "kunit_4"), "4");
	dmemcg_test_uncharge(test, dmemcg_test_charge(test, a, fourth, 40), 40);
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, file, "kunit_4"), "40");
	dmemcg_test_uncharge(test, pool, 5);
	KUNIT_EXPECT_EQ(test, dmemcg_test_puts(test, file, "x"), 0);
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, file, "kunit_4"), "0");
	KUNIT_EXPECT_STREQ(test, dmemcg_test_gets(test, file, "kunit_2"), "0");
	/* the view of the first region's pool was the last to hold it */
	KUNIT_EXPECT_EQ(test, kref_read(&first->ref), 1);
}

/* A file that was written to may be closed after its cgroup and region. */
static void test_peak_close_late(struct kunit *test)
{
	struct dmem_cgroup_region *region = dmemcg_test_register(test, "kunit");
	struct dmemcg_state *root = dmemcg_test_mkdir(test, NULL);
	struct dmemcg_state *a = dmemcg_test_mkdir(test, root);
	struct dmemcg_test_file *file = dmemcg_test_open(test, a, "peak");

	dmemcg_test_uncharge(test, dmemcg_test_charge(test, a, region, 10), 10);
	KUNIT_EXPECT_EQ(test, dmemcg_test_puts(test, file, "x"), 0);
	dmemcg_test_rmdir(a);
	dmemcg_test_unregister(test, region);
	/* the fixture, and the view's pool and its parent */
	KUNIT_EXPECT_EQ(test, kref_read(&region->ref), 3);
	dmemcg_test_close(test, file);
	KUNIT_EXPECT_EQ(test, kref_read(&region->ref), 1);
}

/*
 * Charges, resets and files that are opened and closed, at random: each file
 * shows the highest usage since it was written to last.
 */
static void test_peak_random(struct kunit *test)
{
	const struct dmemcg_test_seed *row = test->param_value;
	struct {
		struct dmemcg_test_file *file;
		bool reset;
		u64 peak;
	} view[DMEMCG_TEST_VIEWS] = { };
	struct dmem_cgroup_region *region = dmemcg_test_register(test, "kunit");
	struct dmemcg_state *root = dmemcg_test_mkdir(test, NULL);
	struct dmemcg_state *a = dmemcg_test_mkdir(test, root);
	struct dmem_cgroup_pool_state *pool;
	u64 charge[8] = { }, usage = 0, peak = 0;
	/* the sum has to fit */
	unsigned int bits = min(row->bits, 60);
	struct rnd_state rnd;
	char want[24];
	int step, i;

	prandom_seed_state(&rnd, row->seed);
	pool = dmemcg_test_pool(test, a, region);
	for (i = 0; i < DMEMCG_TEST_VIEWS; i++)
		view[i].file = dmemcg_test_open(test, a, "peak");

	for (step = 0; step < 500 && !dmemcg_test_failed(test); step++) {
		unsigned int what = dmemcg_test_random_below(&rnd, 10);

		if (what < 7) {
			u64 *c = &charge[dmemcg_test_random_below(&rnd,
								  ARRAY_SIZE(charge))];

			if (*c) {
				dmemcg_test_uncharge(test, pool, *c);
				usage -= *c;
				*c = 0;
			} else {
				*c = dmemcg_test_random_size(&rnd, bits) + 1;
				dmemcg_test_charge(test, a, region, *c);
				usage += *c;
			}
			peak = max(peak, usage);
			for (i = 0; i < DMEMCG_TEST_VIEWS; i++)
				view[i].peak = max(view[i].peak, usage);
		} else {
			i = dmemcg_test_random_below(&rnd, DMEMCG_TEST_VIEWS);
			view[i].reset = what < 9;
			if (what < 9) {
				KUNIT_EXPECT_EQ(test,
						dmemcg_test_puts(test, view[i].file,
								 "x"), 0);
				view[i].peak = usage;
			} else {
				dmemcg_test_close(test, view[i].file);
				kunit_kfree(test, view[i].file);
				view[i].file = dmemcg_test_open(test, a, "peak");
			}
		}
		for (i = 0; i < DMEMCG_TEST_VIEWS; i++) {
			scnprintf(want, sizeof(want), "%llu",
				  view[i].reset ? view[i].peak : peak);
			KUNIT_EXPECT_STREQ_MSG(test,
					       dmemcg_test_gets(test, view[i].file,
								"kunit"), want,
					       "step %d, file %d", step, i);
		}
	}
}

static struct kunit_case dmemcg_peak_cases[] = {
	KUNIT_CASE(test_peak_views),
	KUNIT_CASE(test_peak_levels),
	KUNIT_CASE(test_peak_regions),
	KUNIT_CASE(test_peak_close_late),
	KUNIT_CASE_PARAM(test_peak_random, dmemcg_test_seeds_gen_params),
	{ }
};

static struct kunit_suite dmemcg_peak_suite = {
	.name = "dmem_peak",
	.init = dmemcg_test_init,
	.test_cases = dmemcg_peak_cases,
};

kunit_test_suites(&dmemcg_parse_suite,
		  &dmemcg_regions_suite,
		  &dmemcg_pools_suite,
		  &dmemcg_charge_suite,
		  &dmemcg_limits_suite,
		  &dmemcg_protection_suite,
		  &dmemcg_peak_suite);
