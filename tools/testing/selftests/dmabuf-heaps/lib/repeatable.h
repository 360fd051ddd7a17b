/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random tests that can be repeated: DMEM_TEST_SEED in the environment gives
 * the seed that an earlier run has printed, DMEM_TEST_OPS the number of
 * operations instead of the default.
 */
#ifndef REPEATABLE_H
#define REPEATABLE_H

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <linux/types.h>

/* Never 0, which is where xorshift does not leave from */
static inline __u32 repeatable_seed(void)
{
	const char *given = getenv("DMEM_TEST_SEED");
	__u32 seed = given ? strtoul(given, NULL, 0) :
			     (__u32)(time(NULL) ^ ((__u32)getpid() << 16));

	return seed ?: 1;
}

static inline __u32 repeatable_ops(__u32 usual)
{
	const char *given = getenv("DMEM_TEST_OPS");
	__u32 ops = given ? strtoul(given, NULL, 0) : usual;

	return ops ?: 1;
}

/* Xorshift: the same numbers for the same seed everywhere, never 0 */
static inline __u32 random_next(__u32 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* A state for somebody else, away from the sequence that this one goes on with */
static inline __u32 random_fork(__u32 *state)
{
	return random_next(state) * 0x9e3779b9 ?: 1;
}

static inline __u32 random_below(__u32 *state, __u32 end)
{
	return random_next(state) % end;
}

/* One time out of @times */
static inline bool random_once_in(__u32 *state, __u32 times)
{
	return !random_below(state, times);
}

static inline __u64 random_next64(__u32 *state)
{
	__u64 high = random_next(state);

	return high << 32 | random_next(state);
}

#endif /* REPEATABLE_H */
