// SPDX-License-Identifier: GPL-2.0-or-later
#include "text.h"

#include <stdio.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "memory.h"

char *printable(const char *text)
{
	char *copy = dmem_printf("%*s", (int)strlen(text) * 4, "");
	mbstate_t state = { 0 };
	char *to = copy;

	while (*text) {
		wchar_t wide;
		size_t len = mbrtowc(&wide, text, strlen(text), &state);

		if (len == (size_t)-1 || len == (size_t)-2) {
			memset(&state, 0, sizeof(state));
			len = 1;
			wide = L'\0';
		}
		if (iswprint(wide) && wide != L'\\') {
			memcpy(to, text, len);
			to += len;
			text += len;
		} else {
			for (; len; len--)
				to += sprintf(to, "\\x%02x", (unsigned char)*text++);
		}
	}
	*to = '\0';
	return copy;
}

/* Length of the UTF-8 character at @p, 0 if it is none. */
static size_t utf8_len(const unsigned char *p)
{
	size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 :
		     p[0] >= 0xe0 && p[0] < 0xf0 ? 3 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;
	size_t i;

	for (i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* longer than need be, a surrogate, beyond the last one */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90))
		return 0;
	return len;
}

char *utf8(const char *text)
{
	char *copy = dmem_printf("%*s", (int)strlen(text) * 3, "");
	char *to = copy;

	while (*text) {
		size_t len = utf8_len((const unsigned char *)text);

		if (len) {
			memcpy(to, text, len);
			to += len;
			text += len;
		} else {
			memcpy(to, "\xef\xbf\xbd", 3);
			to += 3;
			text++;
		}
	}
	*to = '\0';
	return copy;
}
