// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Amounts are what they say, to the byte, and nothing else is an amount.
 */
#include <errno.h>

#include "check.h"
#include "value.h"

#define MIB	(1024ULL * 1024)
#define GIB	(1024 * MIB)

/* what it says, in a region of 64 MiB */
static void amounts(void)
{
	static const struct {
		const char *text;
		uint64_t value;
	} good[] = {
		{ "0", 0 },
		{ "1", 1 },
		{ "007", 7 },
		{ "16777216", 16 * MIB },
		{ "16M", 16 * MIB },
		{ "16m", 16 * MIB },
		{ "4k", 4096 },
		{ "1.5G", GIB + GIB / 2 },
		{ "0.001K", 1 },
		{ "0.0009K", 0 },
		{ "2T", 2048 * GIB },
		{ "3P", 3 * 1024 * 1024 * GIB },
		{ "15E", 15ULL << 60 },
		{ "18446744073709551613", UINT64_MAX - 2 },
		{ "max", DMEM_MAX },
		{ "0%", 0 },
		{ "25%", 16 * MIB },
		{ "100%", 64 * MIB },
		{ "100.000%", 64 * MIB },
		{ "12.5%", 8 * MIB },
		/* 67108864 / 3 = 22369621.3 */
		{ "33.333333333333333333333333333333%", 22369621 },
		{ "0.000001490116119384%", 0 },
		{ "0.000001490116119385%", 1 },
	};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct dmem_error err = { "" };
		uint64_t value = 4711;
		int ret = dmem_value_parse(good[i].text, 64 * MIB, &value, &err);

		check(!ret, "%s: %d %s", good[i].text, ret, err.text);
		check(value == good[i].value, "%s: seen %" PRIu64 ", expected %" PRIu64,
		      good[i].text, value, good[i].value);
	}
}

/* nothing is half understood, and the message has it */
static void no_amounts(void)
{
	static const struct {
		const char *text;
		int error;
	} bad[] = {
		{ "", EINVAL }, { " 1", EINVAL }, { "1 ", EINVAL }, { "1\n", EINVAL },
		{ "-1", EINVAL }, { "+1", EINVAL }, { "0x10", EINVAL },
		{ "M", EINVAL }, { "1MB", EINVAL }, { "1MiB", EINVAL }, { "1Q", EINVAL },
		{ ".5G", EINVAL }, { "1.G", EINVAL }, { "1.5", EINVAL }, { "1..5G", EINVAL },
		{ "MAX", EINVAL }, { "maximum", EINVAL }, { "%", EINVAL }, { "5%%", EINVAL },
		{ "-5%", EINVAL }, { "1,5G", EINVAL }, { "nan", EINVAL }, { "1e3", EINVAL },
		{ "16E", ERANGE }, { "18446744073709551616", ERANGE },
		/* these two stand for something else */
		{ "18446744073709551615", ERANGE }, { "18446744073709551614", ERANGE },
		{ "99999999999999999999999999", ERANGE }, { "17592186044416M", ERANGE },
		{ "101%", ERANGE }, { "100.1%", ERANGE }, { "18446744073709551615%", ERANGE },
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct dmem_error err = { "" };
		uint64_t value;
		int ret = dmem_value_parse(bad[i].text, 64 * MIB, &value, &err);

		check(ret == -bad[i].error, "'%s': seen %d, expected %d", bad[i].text,
		      ret, -bad[i].error);
		check_names(&err, bad[i].text);
	}
}

/* a share of what nobody knows the size of is refused, bytes are not */
static void unknown_capacity(void)
{
	struct dmem_error err = { "" };
	uint64_t value;

	check_number(dmem_value_parse("25%", DMEM_UNKNOWN, &value, &err), -ENODATA);
	check_names(&err, "size of the region is not known");
	check_number(dmem_value_parse("4K", DMEM_UNKNOWN, &value, &err), 0);
	check_number(value, 4096);
}

/* the largest region there can be does not overflow */
static void huge_capacity(void)
{
	uint64_t value;

	check_number(dmem_value_parse("99.999999999999999999%", UINT64_MAX - 2, &value, NULL), 0);
	check(value < UINT64_MAX - 2 && value > UINT64_MAX / 100 * 99, "%" PRIu64, value);
	check_number(dmem_value_parse("50%", 1ULL << 63, &value, NULL), 0);
	check_number(value, 1ULL << 62);
}

static void for_people(void)
{
	static const struct {
		uint64_t bytes;
		const char *text, *exact;
	} sizes[] = {
		{ 0, "0", "0" },
		{ 1, "1B", "1" },
		{ 1023, "1023B", "1023" },
		{ 1024, "1K", "1024" },
		{ 1536, "1.5K", "1536" },
		{ 5001216, "4.7M", "5001216" },
		{ 8 * MIB, "8M", "8388608" },
		{ 8 * MIB - 1, "7.9M", "8388607" },
		{ 102400 * 1024 - 1, "99.9M", "104857599" },
		{ 1023 * MIB + 1, "1023M", "1072693249" },
		{ GIB, "1G", "1073741824" },
		{ 15ULL << 60, "15E", "17293822569102704640" },
		{ DMEM_MAX, "max", "max" },
		{ DMEM_UNKNOWN, "-", "-" },
	};
	char buf[DMEM_SIZE_TEXT];
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		check_text(dmem_size_format(buf, sizeof(buf), sizes[i].bytes), sizes[i].text);
		check_text(dmem_bytes_format(buf, sizeof(buf), sizes[i].bytes), sizes[i].exact);
	}
}

CHECK_MAIN(CASE(amounts), CASE(no_amounts), CASE(unknown_capacity),
	   CASE(huge_capacity), CASE(for_people))
