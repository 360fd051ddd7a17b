// SPDX-License-Identifier: GPL-2.0-or-later
#include "memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

static void *checked(void *p)
{
	if (!p) {
		fputs("dmem: out of memory\n", stderr);
		exit(1);
	}
	return p;
}

void *dmem_grow(void *array, size_t count, size_t size)
{
	/* a power of two, or nothing yet: full */
	if (!(count & (count - 1))) {
		size_t room = count ? count * 2 : 1;

		array = checked(reallocarray(array, room, size));
	}
	memset((char *)array + count * size, 0, size);
	return array;
}

char *dmem_strdup(const char *text)
{
	return checked(strdup(text));
}

char *dmem_strndup(const char *text, size_t len)
{
	return checked(strndup(text, len));
}

char *dmem_printf(const char *fmt, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	return checked(len < 0 ? NULL : text);
}
