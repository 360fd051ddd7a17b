// SPDX-License-Identifier: GPL-2.0-or-later
#include "dmemfile.h"

#include <string.h>

#include "root.h"
#include "value.h"

/* The next word of the line, or false at its end. */
static bool next_word(const char **at, const char *end, struct dmem_name *word)
{
	const char *p = *at;

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	word->text = p;
	while (p < end && *p != ' ' && *p != '\t')
		p++;
	word->len = p - word->text;
	*at = p;
	return word->len;
}

static bool is(const struct dmem_name *word, const char *text)
{
	return word->len == strlen(text) && !memcmp(word->text, text, word->len);
}

/* A count of bytes or events as the kernel writes it, nothing else. */
static bool number(const struct dmem_name *word, uint64_t *value)
{
	size_t i;

	*value = 0;
	for (i = 0; i < word->len; i++) {
		unsigned int digit = (unsigned char)word->text[i] - '0';

		if (digit > 9 || __builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, digit, value))
			return false;
	}
	return word->len;
}

bool dmem_file_value(const char **cursor, struct dmem_name *name, uint64_t *value)
{
	const char *line, *at, *end;
	struct dmem_name word;
	size_t len;

	while ((line = dmem_text_line(cursor, &len))) {
		at = line;
		end = line + len;
		if (!next_word(&at, end, name) || !next_word(&at, end, &word))
			continue;
		if (is(&word, "max"))
			*value = DMEM_MAX;
		else if (!number(&word, value))
			continue;
		if (!next_word(&at, end, &word))
			return true;
	}
	return false;
}

bool dmem_file_counts(const char **cursor, struct dmem_name *name,
		      struct dmem_counts *counts)
{
	const char *line, *at, *end;
	struct dmem_name key, word;
	size_t len;

	while ((line = dmem_text_line(cursor, &len))) {
		uint64_t count;

		at = line;
		end = line + len;
		*counts = (struct dmem_counts){ DMEM_UNKNOWN, DMEM_UNKNOWN };
		if (!next_word(&at, end, name))
			continue;
		while (next_word(&at, end, &key) && next_word(&at, end, &word)) {
			if (!number(&word, &count))
				continue;
			if (is(&key, "max"))
				counts->max = count;
			else if (is(&key, "low"))
				counts->low = count;
		}
		if (counts->max != DMEM_UNKNOWN || counts->low != DMEM_UNKNOWN)
			return true;
	}
	return false;
}
