// SPDX-License-Identifier: GPL-2.0-or-later
#include "tracehit.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

enum mark { HIT, MADE, GONE, NR_MARKS };

static const char * const marks[NR_MARKS] = {
	[HIT]  = ": dmem_limit_hit: region=",
	[MADE] = ": cgroup_mkdir: root=",
	[GONE] = ": cgroup_release: root=",
};

/* The first mark, NULL if it is another one. */
static const char *find_mark(const char *line, enum mark wanted)
{
	const char *first = strstr(line, marks[wanted]);
	enum mark mark;

	for (mark = 0; first && mark < NR_MARKS; mark++) {
		const char *other = strstr(line, marks[mark]);

		if (other && other < first)
			return NULL;
	}
	return first;
}

/* The word that ends before @end, and the blanks before it. Returns its start. */
static const char *word_before(const char *line, const char **end)
{
	const char *start, *stop = *end;

	while (stop > line && stop[-1] == ' ')
		stop--;
	for (start = stop; start > line && start[-1] != ' '; )
		start--;
	*end = stop;
	return start;
}

static const char *number(const char *text, uint64_t *value)
{
	if (!isdigit((unsigned char)*text))
		return NULL;
	for (*value = 0; isdigit((unsigned char)*text); text++)
		if (__builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, *text - '0', value))
			return NULL;
	return text;
}

static const char *labelled(const char *text, const char *label, uint64_t *value)
{
	size_t len = strlen(label);

	return strncmp(text, label, len) ? NULL : number(text + len, value);
}

bool trace_hit_parse(const char *line, struct trace_hit *hit)
{
	const char *event = find_mark(line, HIT);
	const char *end, *word, *region, *p;
	uint64_t pid;
	size_t len;

	if (!event)
		return false;

	/* NAME-PID [CPU] FLAGS TIME: from the right, for NAME may be anything */
	end = event;
	end = word_before(line, &end);		/* time */
	end = word_before(line, &end);		/* flags */
	word = word_before(line, &end);		/* cpu */
	if (*word != '[')
		return false;
	end = word;
	while (end > line && end[-1] == ' ')
		end--;
	for (p = end; p > line && isdigit((unsigned char)p[-1]); )
		p--;
	if (p == line || p[-1] != '-' || !number(p, &pid) || pid > INT_MAX)
		return false;
	hit->pid = pid;
	while (*line == ' ')
		line++;
	len = p - 1 > line ? p - 1 - line : 0;
	if (len >= sizeof(hit->comm))
		return false;
	memcpy(hit->comm, line, len);
	hit->comm[len] = '\0';

	region = event + strlen(marks[HIT]);
	len = strcspn(region, " \n");
	if (!len || len >= sizeof(hit->region))
		return false;
	memcpy(hit->region, region, len);
	hit->region[len] = '\0';
	p = labelled(region + len, " cgroup_id=", &hit->cgroup_id);
	p = p ? labelled(p, " bytes=", &hit->bytes) : NULL;
	return p && (!*p || *p == '\n');
}

bool trace_cgroup_parse(const char *line, struct trace_cgroup *cgroup)
{
	const char *event = find_mark(line, MADE), *p;
	uint64_t root, level;

	cgroup->made = event;
	if (!event)
		event = find_mark(line, GONE);
	if (!event)
		return false;
	p = number(event + strlen(marks[cgroup->made ? MADE : GONE]), &root);
	p = p ? labelled(p, " id=", &cgroup->id) : NULL;
	p = p ? labelled(p, " level=", &level) : NULL;
	/* the default hierarchy; those of cgroup v1 number their own */
	if (!p || root || strncmp(p, " path=/", 7))
		return false;
	cgroup->path = p + 6;
	return true;
}
