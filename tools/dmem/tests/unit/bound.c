// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The room that is left, and whose limit ends it.
 */
#include "bound.h"
#include "check.h"
#include "value.h"

static struct dmem_pool pool(uint64_t current, uint64_t max)
{
	return (struct dmem_pool){ .current = current, .max = max };
}

static void region(void)
{
	struct dmem_region region = { .size = 64, .charged = 14, .free = 38, .cached = 4, .others = 8 };

	check_number(dmem_bound_region(&region).room, 42);
	check(!dmem_bound_region(&region).cgroup, "the region itself");
	region.cached = DMEM_UNKNOWN;
	check_number(dmem_bound_region(&region).room, 38);
	/* what nobody says is free may be what is not charged */
	region.free = DMEM_UNKNOWN;
	check_number(dmem_bound_region(&region).room, 50);
	region.charged = 65;
	check_number(dmem_bound_region(&region).room, 0);
	region.size = DMEM_UNKNOWN;
	check_number(dmem_bound_region(&region).room, DMEM_MAX);
}

/*
 * 100 free; a: 30 of 50; a/b: 10 of 40 (20 by a); a/c: 20 of 35 (15 by itself);
 * a/d: 0 of 20 (20: a, which is above, as raising d's alone gives nothing)
 */
static void tree_of_limits(void)
{
	struct dmem_bound top = { .room = 100 };
	struct dmem_pool none = pool(30, DMEM_MAX), unknown = pool(DMEM_UNKNOWN, 5);
	struct dmem_pool pa = pool(30, 50), pb = pool(10, 40), pc = pool(20, 35), pd = pool(0, 20);
	struct dmem_pool over = pool(60, 50);
	struct dmem_bound a = dmem_bound_add(top, "/a", &pa), b, c, d;

	b = dmem_bound_add(a, "/a/b", &pb);
	c = dmem_bound_add(a, "/a/c", &pc);
	d = dmem_bound_add(a, "/a/d", &pd);
	check_number(a.room, 20);
	check_text(a.cgroup, "/a");
	check_number(b.room, 20);
	check_text(b.cgroup, "/a");
	check_number(c.room, 15);
	check_text(c.cgroup, "/a/c");
	check_number(d.room, 20);
	check_text(d.cgroup, "/a");
	check_number(dmem_bound_add(top, "/x", &none).room, 100);
	check_number(dmem_bound_add(top, "/x", &unknown).room, 100);
	check_number(dmem_bound_add(top, "/x", &over).room, 0);
}

CHECK_MAIN(CASE(region), CASE(tree_of_limits))
