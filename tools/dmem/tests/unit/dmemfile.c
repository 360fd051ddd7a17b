// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lines of dmem files are read whole or passed over.
 */
#include "check.h"
#include "dmemfile.h"
#include "value.h"

static bool named(const struct dmem_name *name, const char *text)
{
	return name->len == strlen(text) && !memcmp(name->text, text, name->len);
}

static void values(void)
{
	const char *at = "cma/video@58000000 5001216\n"
			 "drm/0000:03:00.0/vram0 max\n"
			 "last 18446744073709551615";
	struct dmem_name name;
	uint64_t value;

	check(dmem_file_value(&at, &name, &value), "the first line");
	check(named(&name, "cma/video@58000000"), "'%.*s'", (int)name.len, name.text);
	check_number(value, 5001216);
	check(dmem_file_value(&at, &name, &value), "the second line");
	check(named(&name, "drm/0000:03:00.0/vram0"), "'%.*s'", (int)name.len, name.text);
	check_number(value, DMEM_MAX);
	check(dmem_file_value(&at, &name, &value), "the last line, without a newline");
	check(named(&name, "last"), "'%.*s'", (int)name.len, name.text);
	check(!dmem_file_value(&at, &name, &value), "there is no fourth");
}

/* what another kernel might write is no reason to misread the rest */
static void strange_values(void)
{
	const char *at = "\n \nname\nname 12x\nname -1\nname 1 2\n name\n"
			 "name 18446744073709551616\nname MAX\nname \n\tgood\t7 \n";
	struct dmem_name name;
	uint64_t value;

	check(dmem_file_value(&at, &name, &value), "the good line");
	check(named(&name, "good"), "'%.*s'", (int)name.len, name.text);
	check_number(value, 7);
	check(!dmem_file_value(&at, &name, &value), "only one is good: '%.*s'",
	      (int)name.len, name.text);
}

static void events(void)
{
	const char *at = "cma/video low 1 max 2\n"
			 "cma/display max 3 low 4 evicted 5\n"
			 "new evicted 6\n"
			 "half max\n"
			 "odd max x low 7\n";
	struct dmem_name name;
	struct dmem_counts counts;

	check(dmem_file_counts(&at, &name, &counts), "first");
	check(named(&name, "cma/video"), "'%.*s'", (int)name.len, name.text);
	check_number(counts.low, 1);
	check_number(counts.max, 2);
	check(dmem_file_counts(&at, &name, &counts), "the other order, one key more");
	check(named(&name, "cma/display"), "'%.*s'", (int)name.len, name.text);
	check_number(counts.low, 4);
	check_number(counts.max, 3);
	check(dmem_file_counts(&at, &name, &counts), "one key is no number");
	check(named(&name, "odd"), "'%.*s'", (int)name.len, name.text);
	check_number(counts.low, 7);
	check_number(counts.max, DMEM_UNKNOWN);
	check(!dmem_file_counts(&at, &name, &counts), "no more");
}

static void nothing(void)
{
	const char *at = "";
	struct dmem_counts counts;
	struct dmem_name name;
	uint64_t value;

	check(!dmem_file_value(&at, &name, &value), "no values");
	check(!dmem_file_counts(&at, &name, &counts), "no events");
}

CHECK_MAIN(CASE(values), CASE(strange_values), CASE(events), CASE(nothing))
