// SPDX-License-Identifier: GPL-2.0
/*
 * Generated writes to the dmem files of a cgroup, good ones and bad ones.
 *
 * A write to dmem.max, dmem.min or dmem.low is lines of "<region> <value>" and
 * counts as a whole: the result of each is known before, and so is every value
 * that the file shows after it. Writes are made in two ways:
 *
 *	grammar		from names, numbers and mistakes, so that the result is
 *			known from what was put in
 *	mutation	bytes of such writes are changed, and the result is known
 *			from parse(), which says what the documentation says
 *
 * and parse() must agree with the grammar. Where a write has several mistakes
 * the error of any of them is right. DMEM_TEST_SEED and DMEM_TEST_OPS see
 * lib/repeatable.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "kselftest.h"
#include "cgroup_util.h"
#include "../dmabuf-heaps/lib/cma_heap_util.h"
#include "../dmabuf-heaps/lib/repeatable.h"

#define SELFTEST_DIR	"/sys/kernel/debug/dmem_selftest"
#define SELFTEST_REGION	"dmem_selftest"

/* Writes, of all cases together */
#define OPS		20000

/* For a case with the usual number of writes on a slow machine */
#define CASE_SECONDS	180
/* The rate at which more of them must be done */
#define OPS_PER_SECOND	100

/* The most that one write may be; some are a bit more */
#define WRITE_MAX	(64 * 1024)
#define WRITE_SIZE	(WRITE_MAX + 4096)

#define MAX_REGIONS	48
/* Each with a cgroup of its own */
#define PROCESSES	2

/* What may be wrong with a write; bits */
enum mistake {
	INVALID	= 1,	/* EINVAL */
	UNKNOWN	= 2,	/* ENODEV */
	TWICE	= 4,	/* EEXIST */
	RANGE	= 8,	/* ERANGE */
	LONG	= 16,	/* E2BIG */
};

static const struct {
	enum mistake mistake;
	int error;
} mistake_errors[] = {
	{ INVALID,	EINVAL },
	{ UNKNOWN,	ENODEV },
	{ TWICE,	EEXIST },
	{ RANGE,	ERANGE },
	{ LONG,		E2BIG },
};

/**
 * struct fuzz_write - a write, and what comes of it
 * @mistakes:	what is wrong with it: one of these errors; 0: it is good
 * @given:	the regions that have a line
 * @values:	and the values there
 * @len:	number of bytes
 * @text:	these
 */
struct fuzz_write {
	unsigned int mistakes;
	bool given[MAX_REGIONS];
	__u64 values[MAX_REGIONS];
	size_t len;
	unsigned char text[WRITE_SIZE];
};

static struct dmem_sandbox sb;
static __u32 seed;
static __u32 total_ops;

/* In the order of the files */
static char *regions[MAX_REGIONS];
static unsigned int nr_regions;

static const char * const limit_files[] = {
	"dmem.max", "dmem.min", "dmem.low",
};

/**
 * struct fuzz_group - a cgroup that is written to
 * @path:	where it is
 * @fds:	its limit files
 * @values:	what these show
 * @op:		how many writes there were
 * @good:	how many of them were good
 */
struct fuzz_group {
	char path[PATH_MAX + 128];
	int fds[ARRAY_SIZE(limit_files)];
	__u64 values[ARRAY_SIZE(limit_files)][MAX_REGIONS];
	__u32 op;
	__u32 good;
};

static int find_region(const char *name, size_t len)
{
	unsigned int i;

	for (i = 0; i < nr_regions; i++)
		if (strlen(regions[i]) == len && !memcmp(regions[i], name, len))
			return i;
	return -1;
}

/* What the documentation says */

/* The kernel's idea: 0xa0 is the no-break space of Latin-1 */
static bool is_blank(unsigned char byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r') || byte == 0xa0;
}

static int digit_of(unsigned char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	if (byte >= 'a' && byte <= 'f')
		return byte - 'a' + 10;
	if (byte >= 'A' && byte <= 'F')
		return byte - 'A' + 10;
	return 99;
}

/* "max", or a number as in C with a suffix */
static unsigned int parse_value(const unsigned char *word, size_t len,
				__u64 *value)
{
	unsigned int base = 10, shift = 0;
	bool too_large = false;
	const char *suffix;
	size_t i = 0;

	if (len == 3 && !memcmp(word, "max", 3)) {
		*value = DMEM_MAX;
		return 0;
	}
	if (len >= 2 && word[0] == '0' && (word[1] == 'x' || word[1] == 'X')) {
		base = 16;
		word += 2;
		len -= 2;
	} else if (len && word[0] == '0') {
		base = 8;
	}

	*value = 0;
	while (i < len && digit_of(word[i]) < (int)base) {
		__u64 digit = digit_of(word[i++]);

		if (*value > (UINT64_MAX - digit) / base)
			too_large = true;
		*value = *value * base + digit;
	}
	if (!i)
		return INVALID;
	if (i < len) {
		suffix = word[i] ? strchr("kmgtpe", tolower(word[i])) : NULL;
		if (!suffix || i + 1 != len)
			return INVALID;
		shift = 10 * (suffix - "kmgtpe" + 1);
	}
	if (too_large || (shift && *value >> (64 - shift)))
		return RANGE;
	*value <<= shift;
	return 0;
}

static void parse_line(struct fuzz_write *w, const unsigned char *line,
		       size_t len)
{
	const unsigned char *word[2] = { NULL };
	size_t words = 0, word_len[2] = { 0 };
	int region = -1;
	size_t i = 0;
	__u64 value;

	for (;;) {
		size_t start;

		while (i < len && is_blank(line[i]))
			i++;
		if (i == len)
			break;
		start = i;
		while (i < len && !is_blank(line[i]))
			i++;
		if (words < 2) {
			word[words] = line + start;
			word_len[words] = i - start;
		}
		words++;
	}
	if (!words)
		return;
	if (words != 2)
		w->mistakes |= INVALID;
	region = find_region((const char *)word[0], word_len[0]);
	if (region < 0)
		w->mistakes |= UNKNOWN;
	if (words < 2)
		return;
	w->mistakes |= parse_value(word[1], word_len[1], &value);
	if (region < 0)
		return;
	if (w->given[region])
		w->mistakes |= TWICE;
	w->given[region] = true;
	w->values[region] = value;
}

/* Fills in all but the text */
static void parse(struct fuzz_write *w)
{
	size_t len = w->len, start = 0, end;
	bool any = false;
	unsigned int i;

	w->mistakes = 0;
	memset(w->given, 0, sizeof(w->given));
	if (len > WRITE_MAX) {
		w->mistakes = LONG;
		return;
	}
	/* Nothing is written at all */
	if (!len)
		return;
	if (!w->text[len - 1])
		len--;
	if (memchr(w->text, 0, len)) {
		w->mistakes = INVALID;
		return;
	}
	while (start < len) {
		for (end = start; end < len && w->text[end] != '\n'; end++)
			;
		parse_line(w, w->text + start, end - start);
		start = end + 1;
	}
	for (i = 0; i < nr_regions; i++)
		any |= w->given[i];
	if (!any && !w->mistakes)
		w->mistakes = INVALID;
}

/* Grammar */

static void put_bytes(struct fuzz_write *w, const void *bytes, size_t len)
{
	if (len > WRITE_SIZE - w->len)
		case_fail("a write of more than %d bytes", WRITE_SIZE);
	memcpy(w->text + w->len, bytes, len);
	w->len += len;
}

static void put_text(struct fuzz_write *w, const char *text)
{
	put_bytes(w, text, strlen(text));
}

static void put_blanks(struct fuzz_write *w, unsigned int least)
{
	static const char blanks[] = "     \t\t\v\f\r";
	unsigned int n = least + random_below(&seed, 3) * random_below(&seed, 2);

	while (n--)
		put_bytes(w, &blanks[random_below(&seed, sizeof(blanks) - 1)], 1);
}

static unsigned int put_bad_value(struct fuzz_write *w)
{
	static const char * const bad[] = {
		"-1", "+1", "-", "K", "1KK", "1Ki", "1KB", "1B", "4096x", "x4096",
		"4096,", "1.5M", "0x", "0X", "0xg", "08", "0x10x", "MAX", "Max",
		"maxx", "ma", "maxK", "0b11", "1e3", "1_000", "1'000", "0-1", "09k",
		"0x-1", "--1", "infinity", "\xff", "4\x80", "1;", "0xK", "18446744073709551616x",
	};

	put_text(w, bad[random_below(&seed, ARRAY_SIZE(bad))]);
	return INVALID;
}

/* A number of many digits, the first one not 0 */
static unsigned int put_long_number(struct fuzz_write *w)
{
	static const struct {
		const char *prefix;
		unsigned int base;
		unsigned int digits;	/* with so many it is too large */
	} bases[] = {
		{ "", 10, 21 }, { "0", 8, 23 }, { "0x", 16, 17 }, { "0X", 16, 17 },
	};
	unsigned int i = random_below(&seed, ARRAY_SIZE(bases));
	unsigned int n = bases[i].digits + random_below(&seed, 8) *
					   random_below(&seed, 8);
	unsigned int digit = 1 + random_below(&seed, bases[i].base - 1);

	put_text(w, bases[i].prefix);
	while (n--) {
		put_bytes(w, &"0123456789abcdef"[digit], 1);
		digit = random_below(&seed, bases[i].base);
	}
	if (random_once_in(&seed, 4) && bases[i].base < 16)
		put_bytes(w, &"kMgTpE"[random_below(&seed, 6)], 1);
	return RANGE;
}

static unsigned int put_number(struct fuzz_write *w, __u64 *value)
{
	static const char * const formats[] = {
		"%llu", "%llu", "0%llo", "000%llo", "0x%llx", "0X%llX", "0x00%llx",
	};
	unsigned int format = random_below(&seed, ARRAY_SIZE(formats));
	__u64 number = random_next64(&seed) >> random_below(&seed, 64);
	unsigned int unit = 0;
	char text[64];

	/* Often at a border */
	if (random_once_in(&seed, 8))
		number = 1ULL << random_below(&seed, 64);
	if (random_once_in(&seed, 8))
		number--;
	if (random_once_in(&seed, 2))
		unit = random_below(&seed, 7);
	/* A hexadecimal digit */
	if (unit == 6 && format >= 4)
		unit = 0;
	/* The first that is too large, or the last that is not */
	if (unit && random_once_in(&seed, 16))
		number = (1ULL << (64 - 10 * unit)) - random_below(&seed, 2);
	/* Most should be good */
	else if (unit && !random_once_in(&seed, 8))
		number >>= 10 * unit;

	snprintf(text, sizeof(text), formats[format], (unsigned long long)number);
	put_text(w, text);
	if (unit)
		put_bytes(w, &(random_once_in(&seed, 2) ? "kmgtpe" : "KMGTPE")[unit - 1], 1);
	*value = number << (10 * unit);
	return *value >> (10 * unit) == number ? 0 : RANGE;
}

static unsigned int put_value(struct fuzz_write *w, __u64 *value)
{
	switch (random_below(&seed, 24)) {
	case 0:
		return put_bad_value(w);
	case 1:
		return put_long_number(w);
	case 2:
	case 3:
	case 4:
		put_text(w, "max");
		*value = DMEM_MAX;
		return 0;
	case 5:
		put_text(w, "0");
		*value = 0;
		return 0;
	default:
		return put_number(w, value);
	}
}

/* A name that no region has */
static void put_unknown(struct fuzz_write *w)
{
	char name[CMA_HEAP_NAME_SIZE + 16];

	do {
		snprintf(name, sizeof(name), "%s",
			 regions[random_below(&seed, nr_regions)]);
		switch (random_below(&seed, 5)) {
		case 0:
			name[strlen(name) - 1] = '\0';
			break;
		case 1:
			strcat(name, "x");
			break;
		case 2:
			memmove(name + 1, name, strlen(name) + 1);
			break;
		case 3:
			name[0] ^= 0x20;
			break;
		default:
			snprintf(name, sizeof(name), "no/such-region");
			break;
		}
	} while (!name[0] || is_blank(name[0]) ||
		 find_region(name, strlen(name)) >= 0);
	put_text(w, name);
}

static void put_line(struct fuzz_write *w)
{
	unsigned int region = random_below(&seed, nr_regions), mistakes = 0;
	bool unknown = random_once_in(&seed, 24);
	__u64 value = 0;

	/* Twice now and then */
	while (w->given[region] && !random_once_in(&seed, nr_regions + 8))
		region = random_below(&seed, nr_regions);

	put_blanks(w, 0);
	if (unknown) {
		put_unknown(w);
		mistakes |= UNKNOWN;
	} else {
		put_text(w, regions[region]);
	}
	if (random_once_in(&seed, 48)) {
		mistakes |= INVALID;
	} else {
		put_blanks(w, 1);
		mistakes |= put_value(w, &value);
		if (random_once_in(&seed, 48)) {
			put_blanks(w, 1);
			put_text(w, random_once_in(&seed, 2) ? "max" : "0");
			mistakes |= INVALID;
		}
		if (!unknown) {
			if (w->given[region])
				mistakes |= TWICE;
			w->given[region] = true;
			w->values[region] = value;
		}
	}
	put_blanks(w, 0);
	w->mistakes |= mistakes;
}

static void make_write(struct fuzz_write *w)
{
	unsigned int lines = 1, i;
	bool any = false;

	w->len = 0;
	w->mistakes = 0;
	memset(w->given, 0, sizeof(w->given));

	if (random_once_in(&seed, 2))
		lines = 1 + random_below(&seed, nr_regions);
	for (i = 0; i < lines; i++) {
		if (i)
			put_text(w, "\n");
		if (random_once_in(&seed, 16)) {
			put_blanks(w, 0);
			continue;
		}
		put_line(w);
		any = true;
	}
	if (!any)
		w->mistakes |= INVALID;
	if (random_once_in(&seed, 2))
		put_text(w, "\n");
	/* Nothing but nothing is no mistake */
	if (!w->len)
		w->mistakes = 0;
	if (random_once_in(&seed, 16)) {
		put_bytes(w, "", 1);
		if (!any)
			w->mistakes = INVALID;
	}
}

/* Mutation */

static void mutate(struct fuzz_write *w)
{
	static const unsigned char bytes[] =
		"\0\n\n \t\v\r\xa0\xff\x80\x7f\x1b-+./_0189xXkKeEmaf";
	size_t at, n, from;

	if (!w->len) {
		put_bytes(w, &bytes[random_below(&seed, sizeof(bytes))], 1);
		return;
	}
	at = random_below(&seed, w->len);
	n = random_below(&seed, 8) + 1;
	if (n > w->len - at)
		n = w->len - at;
	switch (random_below(&seed, 8)) {
	case 0:
		w->text[at] ^= 1 << random_below(&seed, 8);
		break;
	case 1:
		w->text[at] = random_next(&seed);
		break;
	case 2:
	case 3:
		w->text[at] = bytes[random_below(&seed, sizeof(bytes))];
		break;
	case 4:
		/* Insert */
		memmove(w->text + at + 1, w->text + at, w->len - at);
		w->text[at] = bytes[random_below(&seed, sizeof(bytes))];
		w->len++;
		break;
	case 5:
		/* Remove */
		memmove(w->text + at, w->text + at + n, w->len - at - n);
		w->len -= n;
		break;
	case 6:
		/* Copy to some other place */
		from = random_below(&seed, w->len - n + 1);
		memmove(w->text + from, w->text + at, n);
		break;
	default:
		/* End early; append a copy of the beginning */
		if (random_once_in(&seed, 2))
			w->len = at;
		else if (w->len < WRITE_SIZE / 4)
			put_bytes(w, w->text, at);
		break;
	}
}

/* Writing and looking */

/* Printable, for messages; long ones are cut */
static const char *quote(const unsigned char *text, size_t len)
{
	static char out[1024];
	size_t used = 0, i;

	for (i = 0; i < len && used < sizeof(out) - 8; i++) {
		if (text[i] == '\n')
			used += sprintf(out + used, "\\n");
		else if (text[i] < ' ' || text[i] > '~' || text[i] == '\\')
			used += sprintf(out + used, "\\x%02x", text[i]);
		else
			out[used++] = text[i];
	}
	if (i < len)
		used += sprintf(out + used, "...");
	out[used] = '\0';
	return out;
}

static unsigned int mistake_of(int error)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(mistake_errors); i++)
		if (mistake_errors[i].error == error)
			return mistake_errors[i].mistake;
	return 0;
}

static const char *mistake_names(unsigned int mistakes)
{
	static char text[256];
	size_t used = 0, i;

	text[0] = '\0';
	for (i = 0; i < ARRAY_SIZE(mistake_errors); i++)
		if (mistakes & mistake_errors[i].mistake)
			used += sprintf(text + used, "%s%s", used ? " or " : "",
					strerror(mistake_errors[i].error));
	return used ? text : "success";
}

static void expect_values(struct fuzz_group *group, unsigned int file,
			  const struct fuzz_write *w)
{
	static char seen[MAX_REGIONS * (CMA_HEAP_NAME_SIZE + 32)];
	static char want[sizeof(seen)];
	size_t used = 0;
	unsigned int i;
	ssize_t len;

	for (i = 0; i < nr_regions; i++) {
		__u64 value = group->values[file][i];

		if (value == DMEM_MAX)
			used += sprintf(want + used, "%s max\n", regions[i]);
		else
			used += sprintf(want + used, "%s %llu\n", regions[i],
					(unsigned long long)value);
	}
	len = pread(group->fds[file], seen, sizeof(seen) - 1, 0);
	if (len < 0)
		case_fail("%s: %s", limit_files[file], strerror(errno));
	if ((size_t)len == used && !memcmp(seen, want, used))
		return;
	seen[len] = '\0';
	case_fail("write %u: '%s': %s: expected\n%s# seen\n%s", group->op,
		  quote(w->text, w->len), limit_files[file], want, seen);
}

static void try_write(struct fuzz_group *group, const struct fuzz_write *w)
{
	unsigned int file = random_below(&seed, ARRAY_SIZE(limit_files)), i;
	/* Where in the file makes no difference */
	off_t at = random_once_in(&seed, 16) ? random_below(&seed, 9999) : 0;
	ssize_t done = pwrite(group->fds[file], w->text, w->len, at);
	int error = done < 0 ? errno : 0;

	group->op++;
	group->good += !error;
	if (!error && (size_t)done != w->len)
		case_fail("write %u: %zd of %zu bytes", group->op, done, w->len);
	if (error ? !(mistake_of(error) & w->mistakes) : w->mistakes)
		case_fail("write %u of %zu bytes to %s: '%s': expected %s, seen %s",
			  group->op, w->len, limit_files[file],
			  quote(w->text, w->len), mistake_names(w->mistakes),
			  strerror(error));

	for (i = 0; !error && i < nr_regions; i++)
		if (w->given[i])
			group->values[file][i] = w->values[i];
	expect_values(group, file, w);
	/* Nothing has happened to the others */
	if (random_once_in(&seed, 32))
		for (i = 0; i < ARRAY_SIZE(limit_files); i++)
			expect_values(group, i, w);
}

static void open_group(struct fuzz_group *group, unsigned int index)
{
	char file[sizeof(group->path) + 32];
	unsigned int i, j;

	memset(group, 0, sizeof(*group));
	snprintf(group->path, sizeof(group->path), "%s/g%u", sb.top, index);
	if (mkdir(group->path, 0755))
		case_fail("%s: %s", group->path, strerror(errno));
	for (i = 0; i < ARRAY_SIZE(limit_files); i++) {
		snprintf(file, sizeof(file), "%s/%s", group->path, limit_files[i]);
		group->fds[i] = open(file, O_RDWR | O_CLOEXEC);
		if (group->fds[i] < 0)
			case_fail("%s: %s", file, strerror(errno));
		for (j = 0; j < nr_regions; j++)
			group->values[i][j] = strcmp(limit_files[i], "dmem.max") ?
					      0 : DMEM_MAX;
	}
}

/* The share of the operations that is @percent */
static __u32 share(unsigned int percent)
{
	return (unsigned long long)total_ops * percent / 100 ?: 1;
}

/* In processes of their own, each with a cgroup of its own */
static void run(void (*fn)(struct fuzz_group *group, struct fuzz_write *w),
		unsigned int percent)
{
	__u32 ops = share(percent) / PROCESSES + 1, op;
	pid_t pids[PROCESSES];
	unsigned int i;

	for (i = 0; i < PROCESSES; i++) {
		__u32 own_seed = random_fork(&seed);
		struct fuzz_group group;
		struct fuzz_write *w;
		__u64 start = now_ms();

		pids[i] = case_fork();
		if (pids[i])
			continue;
		seed = own_seed;
		w = malloc(sizeof(*w));
		if (!w)
			case_fail("out of memory");
		open_group(&group, i);
		for (op = 0; op < ops; op++)
			fn(&group, w);
		ksft_print_msg("%u writes, %u of them good, in %llu ms\n",
			       group.op, group.good,
			       (unsigned long long)(now_ms() - start));
		exit(KSFT_PASS);
	}
	for (i = 0; i < PROCESSES; i++)
		expect_exit(pids[i], 0);
}

/* What the grammar makes has the result that it knows */
static void write_grammar(struct fuzz_group *group, struct fuzz_write *w)
{
	bool given[MAX_REGIONS];
	unsigned int mistakes, i;
	__u64 values[MAX_REGIONS];

	make_write(w);
	mistakes = w->mistakes;
	memcpy(given, w->given, sizeof(given));
	memcpy(values, w->values, sizeof(values));
	parse(w);
	if (mistakes != w->mistakes)
		case_fail("the test is wrong: '%s': made as %s, parsed as %s",
			  quote(w->text, w->len), strdup(mistake_names(mistakes)),
			  mistake_names(w->mistakes));
	for (i = 0; !mistakes && i < nr_regions; i++)
		if (given[i] != w->given[i] ||
		    (given[i] && values[i] != w->values[i]))
			case_fail("the test is wrong: '%s': made and parsed differently",
				  quote(w->text, w->len));
	try_write(group, w);
}

static void test_grammar(const struct cma_heap *unused __maybe_unused)
{
	run(write_grammar, 45);
}

static void write_mutation(struct fuzz_group *group, struct fuzz_write *w)
{
	unsigned int n = 1 + random_below(&seed, 4) * random_below(&seed, 2);

	make_write(w);
	while (n--)
		mutate(w);
	parse(w);
	try_write(group, w);
}

static void test_mutation(const struct cma_heap *unused __maybe_unused)
{
	run(write_mutation, 45);
}

/* Long ones: words, lines, blanks, and around the 64 KiB that are the limit */
static void write_long(struct fuzz_group *group, struct fuzz_write *w)
{
	size_t len = WRITE_MAX - 8 + random_below(&seed, 17);
	char byte = ' ';

	if (random_once_in(&seed, 4))
		len = random_below(&seed, len + 1);
	make_write(w);
	if (!w->len || w->len > len / 2)
		return;
	if (!w->text[w->len - 1])
		w->len--;
	switch (random_below(&seed, 6)) {
	case 0:
		byte = '\n';
		break;
	case 1:
		/* A word, or an extra one, or a longer one */
		byte = 'x';
		break;
	case 2:
		/* A number of very many digits */
		byte = random_once_in(&seed, 2) ? '0' : '7';
		if (w->text[w->len - 1] == '\n')
			w->len--;
		break;
	case 3:
		/* As many lines as can be */
		while (w->len + 4 < len)
			put_text(w, "\nx 1");
		break;
	default:
		break;
	}
	memset(w->text + w->len, byte, len - w->len);
	w->len = len;
	if (random_once_in(&seed, 8))
		w->text[random_below(&seed, len)] = random_next(&seed);
	parse(w);
	try_write(group, w);
}

static void test_long(const struct cma_heap *unused __maybe_unused)
{
	run(write_long, 2);
}

/*
 * Any bytes written to dmem.peak reset what this open file sees, up to a page
 * of them. Three open files of a cgroup, and one that is never written to, are
 * read in between charges, if the region is there that can be charged.
 */
#define PEAK_FILES	4

struct fuzz_peak {
	struct fuzz_group group;
	int fds[PEAK_FILES];
	int hold;
	int region;
	__u64 usage;
	__u64 peaks[PEAK_FILES];
};

static void peak_charge(struct fuzz_peak *p)
{
	__u64 bytes = random_once_in(&seed, 4) ? 0 : random_next64(&seed) >> 30;
	unsigned int i;
	char text[32];
	int len;

	len = sprintf(text, "%llu", (unsigned long long)bytes);
	if (write(p->hold, text, len) != len)
		case_fail("charge: %s", strerror(errno));
	p->usage = bytes ? p->usage + bytes : 0;
	for (i = 0; i < PEAK_FILES; i++)
		if (p->peaks[i] < p->usage)
			p->peaks[i] = p->usage;
}

static void peak_reset(struct fuzz_peak *p, unsigned int file)
{
	size_t size = page_size(), len = 1 + random_below(&seed, 16), i;
	static unsigned char bytes[65536 + 1];
	ssize_t done;

	if (size >= sizeof(bytes))
		case_fail("pages of %zu bytes", size);
	if (random_once_in(&seed, 8))
		len = size - 4 + random_below(&seed, 6);
	for (i = 0; i < len; i++)
		bytes[i] = random_next(&seed);
	done = pwrite(p->fds[file], bytes, len, 0);
	if (len > size && done < 0 && errno == E2BIG)
		return;
	if (done != (ssize_t)len || len > size)
		case_fail("dmem.peak: %zu bytes, '%s': seen %zd, %s", len,
			  quote(bytes, len), done, strerror(errno));
	p->peaks[file] = p->usage;
}

static void peak_read(struct fuzz_peak *p, unsigned int file)
{
	static char seen[MAX_REGIONS * (CMA_HEAP_NAME_SIZE + 32)];
	static char want[sizeof(seen)];
	unsigned int i;
	size_t used = 0;
	ssize_t len;

	for (i = 0; i < nr_regions; i++)
		used += sprintf(want + used, "%s %llu\n", regions[i],
				(int)i == p->region ?
				(unsigned long long)p->peaks[file] : 0);
	len = pread(p->fds[file], seen, sizeof(seen) - 1, 0);
	if (len < 0)
		case_fail("dmem.peak: %s", strerror(errno));
	if ((size_t)len == used && !memcmp(seen, want, used))
		return;
	seen[len] = '\0';
	case_fail("dmem.peak, open file %u: expected\n%s# seen\n%s", file, want,
		  seen);
}

static void test_peak(const struct cma_heap *unused __maybe_unused)
{
	__u32 ops = share(8), op;
	struct fuzz_peak p = {
		.region = find_region(SELFTEST_REGION, strlen(SELFTEST_REGION)),
		.hold = open(SELFTEST_DIR "/hold", O_WRONLY | O_CLOEXEC),
	};
	/* Nothing was written to the limits */
	static const struct fuzz_write none;
	char file[PATH_MAX + 256];
	unsigned int i;

	open_group(&p.group, 0);
	snprintf(file, sizeof(file), "%s/dmem.peak", p.group.path);
	for (i = 0; i < PEAK_FILES; i++) {
		p.fds[i] = open(file, O_RDWR | O_CLOEXEC);
		if (p.fds[i] < 0)
			case_fail("%s: %s", file, strerror(errno));
	}
	if (cg_enter_current(p.group.path))
		case_fail("entering %s", p.group.path);

	for (op = 0; op < ops; op++) {
		/* The last one is never written to */
		peak_reset(&p, random_below(&seed, PEAK_FILES - 1));
		if (p.hold >= 0)
			peak_charge(&p);
		peak_read(&p, random_below(&seed, PEAK_FILES));
	}
	for (i = 0; i < ARRAY_SIZE(limit_files); i++)
		expect_values(&p.group, i, &none);
	close(p.hold);
	if (cg_enter_current(sb.root))
		case_fail("entering the root cgroup");
}

static const struct {
	void (*fn)(const struct cma_heap *heap);
	const char *name;
} cases[] = {
	{ test_grammar,		"fuzz_grammar" },
	{ test_mutation,	"fuzz_mutation" },
	{ test_long,		"fuzz_long" },
	{ test_peak,		"fuzz_peak" },
};

/* The regions of the machine: whoever has them, only a new cgroup is written to */
static void find_regions(void)
{
	char *text = dmem_read_file(sb.root, "dmem.capacity");
	char *line, *rest = text;

	while (rest && nr_regions < MAX_REGIONS) {
		line = strsep(&rest, "\n");
		if (*line)
			regions[nr_regions++] = strsep(&line, " ");
	}
	if (rest && *rest)
		ksft_exit_skip("more than %d regions\n", MAX_REGIONS);
}

static void set_selftest_regions(const char *number)
{
	if (!access(SELFTEST_DIR "/regions", W_OK))
		dmem_write(SELFTEST_DIR, "regions", number, strlen(number));
}

int main(void)
{
	unsigned int seconds;
	__u32 case_seed;
	int result, ret;
	size_t i;

	ksft_print_header();
	if (geteuid())
		ksft_exit_skip("needs root\n");
	ret = sandbox_open(&sb, "dmem_fuzz");
	if (ret)
		ksft_exit_fail_msg("no sandbox: %s\n", strerror(-ret));
	if (!sb.accounting)
		ksft_exit_skip("%s\n", sb.why);
	set_selftest_regions("4");
	find_regions();
	if (!nr_regions) {
		sandbox_close(&sb);
		ksft_exit_skip("no dmem region\n");
	}

	case_seed = repeatable_seed();
	total_ops = repeatable_ops(OPS);
	seconds = CASE_SECONDS + total_ops / OPS_PER_SECOND;
	ksft_print_msg("DMEM_TEST_SEED=%u DMEM_TEST_OPS=%u, %u regions\n",
		       case_seed, total_ops, nr_regions);
	ksft_set_plan(ARRAY_SIZE(cases));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		seed = case_seed;
		result = sandbox_run(&sb, cases[i].fn, NULL, seconds);
		ksft_test_result_code(result, cases[i].name, NULL);
	}

	set_selftest_regions("1");
	sandbox_close(&sb);
	ksft_finished();
}
