// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names that others chose do nothing to a terminal, and are valid in JSON.
 */
#include <locale.h>

#include "check.h"
#include "memory.h"
#include "text.h"

static void terminals(void)
{
	static const struct {
		const char *text, *safe;
	} cases[] = {
		{ "", "" },
		{ "player", "player" },
		{ "\033[31mred", "\\x1b[31mred" },
		{ "a\nb\tc\177", "a\\x0ab\\x09c\\x7f" },
		{ "back\\slash", "back\\x5cslash" },
		{ "\xc3\xa4", "\xc3\xa4" },
		{ "\xc3", "\\xc3" },
		{ "\xff\xfe!", "\\xff\\xfe!" },
		/* C1 control, as UTF-8 */
		{ "\xc2\x9b", "\\xc2\\x9b" },
	};
	size_t i;

	check(setlocale(LC_ALL, "C.UTF-8"), "this test wants a UTF-8 locale");
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *safe __free_string = printable(cases[i].text);

		check_text(safe, cases[i].safe);
	}
}

#define R "\xef\xbf\xbd"

static void json(void)
{
	static const struct {
		const char *text, *valid;
	} cases[] = {
		{ "", "" },
		{ "a\n\033", "a\n\033" },
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x8e\xac", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x8e\xac" },
		{ "\xc3", R }, { "\xe2\x82", R R }, { "\xff-", R "-" },
		/* overlong, a surrogate, beyond the last */
		{ "\xc0\x80", R R }, { "\xe0\x80\x80", R R R }, { "\xed\xa0\x80", R R R },
		{ "\xf4\x90\x80\x80", R R R R }, { "\xf0\x80\x80\x80", R R R R },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *valid __free_string = utf8(cases[i].text);

		check_text(valid, cases[i].valid);
	}
}

CHECK_MAIN(CASE(terminals), CASE(json))
