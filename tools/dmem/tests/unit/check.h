/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The little that unit tests need: cases that go on after a failed expectation,
 * so that one run shows all of them, and KTAP on stdout.
 */
#ifndef CHECK_H
#define CHECK_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool check_failed;

#define check(condition, fmt, ...) do {					\
	if (!(condition)) {						\
		check_failed = true;					\
		printf("# %s:%d: %s: " fmt "\n", __FILE__, __LINE__,	\
		       #condition, ##__VA_ARGS__);			\
	}								\
} while (0)

#define check_number(seen, expected) do {				\
	uint64_t s_ = (uint64_t)(seen), e_ = (uint64_t)(expected);	\
									\
	check(s_ == e_, "seen %" PRIu64 ", expected %s = %" PRIu64,	\
	      s_, #expected, e_);					\
} while (0)

#define check_text(seen, expected) do {					\
	const char *s_ = (seen), *e_ = (expected);			\
									\
	check(s_ && !strcmp(s_, e_), "seen '%s', expected '%s'",	\
	      s_ ? s_ : "(null)", e_);					\
} while (0)

/* the message names the thing */
#define check_names(err, what)						\
	check(strstr((err)->text, what), "'%s' is not in '%s'", what, (err)->text)

struct check_case {
	const char *name;
	void (*run)(void);
};

#define CASE(fn) { #fn, fn }

static inline int check_run(const struct check_case *cases, size_t count)
{
	size_t i;
	int status = 0;

	printf("KTAP version 1\n1..%zu\n", count);
	for (i = 0; i < count; i++) {
		check_failed = false;
		cases[i].run();
		printf("%sok %zu %s\n", check_failed ? "not " : "", i + 1, cases[i].name);
		fflush(stdout);
		status |= check_failed;
	}
	return status;
}

#define CHECK_MAIN(...)							\
int main(void)								\
{									\
	static const struct check_case cases[] = { __VA_ARGS__ };	\
									\
	return check_run(cases, sizeof(cases) / sizeof(*cases));	\
}

/* A recorded tree: where the Makefile says they are */
static inline const char *tree(const char *name)
{
	static char path[4096];
	const char *dir = getenv("DMEM_TREES");

	snprintf(path, sizeof(path), "%s/%s", dir ? dir : "tests/trees", name);
	return path;
}

#endif /* CHECK_H */
