// SPDX-License-Identifier: GPL-2.0-or-later
#include "value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char units[] = "KMGTPE";

static int no_amount(struct dmem_error *err, const char *text)
{
	return dmem_fail(err, EINVAL,
			 "'%s' is no amount of memory: expected bytes (16777216, 16M, 1.5G), a share of the region (25%%) or max",
			 text);
}

/* whole * unit + fraction * unit / scale, all in range */
static bool scale(uint64_t whole, uint64_t fraction, uint64_t scale,
		  uint64_t unit, uint64_t *value)
{
	unsigned __int128 sum = (unsigned __int128)whole * unit +
				(unsigned __int128)fraction * unit / scale;

	*value = sum;
	/* the largest two stand for "max" and "unknown" */
	return sum < DMEM_UNKNOWN;
}

int dmem_value_parse(const char *text, uint64_t capacity, uint64_t *value,
		     struct dmem_error *err)
{
	uint64_t whole = 0, fraction = 0, tenths = 1, unit = 1;
	const char *p = text;
	const char *u;

	if (!strcmp(text, "max")) {
		*value = DMEM_MAX;
		return 0;
	}

	if (!isdigit((unsigned char)*p))
		return no_amount(err, text);
	for (; isdigit((unsigned char)*p); p++) {
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, *p - '0', &whole))
			return dmem_fail(err, ERANGE, "'%s' is more than can be counted", text);
	}
	if (*p == '.') {
		if (!isdigit((unsigned char)*++p))
			return no_amount(err, text);
		/* more digits than that are less than a byte of an exabyte */
		for (; isdigit((unsigned char)*p); p++) {
			if (tenths <= UINT64_MAX / 100) {
				fraction = fraction * 10 + (*p - '0');
				tenths *= 10;
			}
		}
	}

	if (*p == '%' && !p[1]) {
		unsigned __int128 share;

		if (whole > 100 || (whole == 100 && fraction))
			return dmem_fail(err, ERANGE, "'%s' is more than the whole region", text);
		if (capacity == DMEM_UNKNOWN)
			return dmem_fail(err, ENODATA,
					 "'%s': the size of the region is not known here, give bytes instead",
					 text);
		/* up to 2^64 * 10^18, divided before it is added up */
		share = (unsigned __int128)capacity * whole / 100;
		share += ((unsigned __int128)capacity * whole % 100 * tenths +
			  (unsigned __int128)capacity * fraction) /
			 ((unsigned __int128)tenths * 100);
		*value = share;
		return 0;
	}

	if (*p) {
		u = memchr(units, toupper((unsigned char)*p), sizeof(units) - 1);
		if (!u || p[1])
			return no_amount(err, text);
		unit <<= 10 * (u - units + 1);
	} else if (tenths > 1) {
		return dmem_fail(err, EINVAL, "'%s': there is no fraction of a byte", text);
	}
	if (!scale(whole, fraction, tenths, unit, value))
		return dmem_fail(err, ERANGE, "'%s' is more than can be counted", text);
	return 0;
}

static const char *word_for(uint64_t bytes)
{
	return bytes == DMEM_MAX ? "max" : bytes == DMEM_UNKNOWN ? "-" : NULL;
}

char *dmem_bytes_format(char *buf, size_t size, uint64_t bytes)
{
	const char *word = word_for(bytes);

	if (word)
		snprintf(buf, size, "%s", word);
	else
		snprintf(buf, size, "%" PRIu64, bytes);
	return buf;
}

char *dmem_size_format(char *buf, size_t size, uint64_t bytes)
{
	unsigned int exponent = 0;
	uint64_t unit = 1, tenths;

	if (word_for(bytes))
		return dmem_bytes_format(buf, size, bytes);
	while (bytes / unit >= 1024 && exponent < sizeof(units) - 1) {
		unit <<= 10;
		exponent++;
	}
	if (!exponent) {
		snprintf(buf, size, bytes ? "%" PRIu64 "B" : "%" PRIu64, bytes);
		return buf;
	}

	/* down, never up: what is shown as room must be there */
	tenths = (uint64_t)((unsigned __int128)bytes * 10 / unit);
	if (tenths >= 1000 || !(bytes % unit))
		snprintf(buf, size, "%" PRIu64 "%c", tenths / 10, units[exponent - 1]);
	else
		snprintf(buf, size, "%" PRIu64 ".%" PRIu64 "%c", tenths / 10,
			 tenths % 10, units[exponent - 1]);
	return buf;
}
