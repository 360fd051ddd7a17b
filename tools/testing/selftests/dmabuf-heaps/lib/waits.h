/* SPDX-License-Identifier: GPL-2.0 */
/* How long somebody has waited, time after time, in microseconds */
#ifndef WAITS_H
#define WAITS_H

#include <stdlib.h>
#include <time.h>

#include <linux/types.h>

/* Of the last that many the median is taken */
#define WAITS_MAX	200

/**
 * struct waits - all zero is none yet
 * @took:	the last ones
 * @nr:		how many there were
 * @longest:	of all of them
 */
struct waits {
	__u32 took[WAITS_MAX];
	unsigned int nr;
	__u32 longest;
};

/* Only differences mean something */
static inline __u32 now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ULL + now.tv_nsec / 1000;
}

/* @begin: what now_us() said before it */
static inline void waits_add(struct waits *waits, __u32 begin)
{
	__u32 us = now_us() - begin;

	waits->took[waits->nr++ % WAITS_MAX] = us;
	if (us > waits->longest)
		waits->longest = us;
}

static inline int waits_by_length(const void *a, const void *b)
{
	__u32 x = *(const __u32 *)a, y = *(const __u32 *)b;

	return x < y ? -1 : x > y;
}

/* Sorts them */
static inline __u32 waits_median(struct waits *waits)
{
	unsigned int nr = waits->nr < WAITS_MAX ? waits->nr : WAITS_MAX;

	qsort(waits->took, nr, sizeof(waits->took[0]), waits_by_length);
	return nr ? waits->took[nr / 2] : 0;
}

#endif /* WAITS_H */
