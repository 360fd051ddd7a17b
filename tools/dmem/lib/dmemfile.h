/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of dmem files, line by line.
 *
 *	dmem.current, .capacity, .peak, .max, .low, .min: REGION VALUE
 *	dmem.events, dmem.events.local: REGION KEY COUNT [KEY COUNT...]
 *
 * A kernel may one day write more: what is not understood is passed over, line
 * by line or key by key, never half read.
 */
#ifndef DMEM_DMEMFILE_H
#define DMEM_DMEMFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct dmem_name - a region's name in the text of a file
 * @text: the name, without a NUL behind it
 * @len: its length
 */
struct dmem_name {
	const char *text;
	size_t len;
};

/**
 * struct dmem_counts - what dmem.events says of a region
 * @max: charges that a limit refused, %DMEM_UNKNOWN if the file does not say
 * @low: evictions of what dmem.low should have kept, or %DMEM_UNKNOWN
 */
struct dmem_counts {
	uint64_t max;
	uint64_t low;
};

/**
 * dmem_file_value() - the next region and its value
 * @cursor: where to go on; set to the text once, before the first call
 * @name: takes the region
 * @value: takes bytes, %DMEM_MAX for "max"
 *
 * Return: Whether there was one more.
 */
bool dmem_file_value(const char **cursor, struct dmem_name *name, uint64_t *value);

/**
 * dmem_file_counts() - the next region and its events
 * @cursor: where to go on; set to the text once, before the first call
 * @name: takes the region
 * @counts: takes the events
 *
 * Return: Whether there was one more.
 */
bool dmem_file_counts(const char **cursor, struct dmem_name *name,
		      struct dmem_counts *counts);

#endif /* DMEM_DMEMFILE_H */
