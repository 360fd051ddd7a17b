// SPDX-License-Identifier: GPL-2.0
/* Driving the importer selftest module */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "importer.h"

#define IMPORTER_DIR	"/sys/kernel/debug/dma_buf_importer"

int importer_open(struct dmem_sandbox *sb, const char *device)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), IMPORTER_DIR "/%s", device);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		case_skip(sb, "importer_selftest is not loaded");
	if (fd < 0)
		case_fail("%s: %s", path, strerror(errno));
	return fd;
}

int importer_try(int importer, const char *fmt, ...)
{
	char command[64];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	return write(importer, command, len) == len ? 0 : -errno;
}

void importer_expect_at(const char *func, int line, int importer,
			const char *command, int want)
{
	int seen = -importer_try(importer, "%s", command);

	if (seen != want)
		case_fail_at(func, line, "%s: expected %s, seen %s", command,
			     strerror(want), strerror(seen));
}

void importer_number_at(const char *func, int line, int importer,
			const char *command, unsigned int number, int want)
{
	char text[64];

	snprintf(text, sizeof(text), "%s %u", command, number);
	importer_expect_at(func, line, importer, text, want);
}

bool importer_read(int importer, const char *word, __u64 *value)
{
	const size_t len = strlen(word);
	char text[512], *line, *rest = text;
	ssize_t n;

	n = pread(importer, text, sizeof(text) - 1, 0);
	if (n < 0)
		case_fail("reading from the importer: %s", strerror(errno));
	text[n] = '\0';
	while ((line = strsep(&rest, "\n"))) {
		if (strncmp(line, word, len) || line[len] != ' ')
			continue;
		*value = strtoull(line + len + 1, NULL, 10);
		return true;
	}
	return false;
}

__u64 importer_frame(struct dmem_sandbox *sb, int buffer)
{
	int importer = importer_open(sb, "coherent");
	__u64 frame, contiguous;

	importer_number(importer, "import", buffer, 0);
	importer_expect(importer, "vmap", 0);
	if (!importer_read(importer, "frame", &frame) ||
	    !importer_read(importer, "contiguous", &contiguous))
		case_fail("the importer does not tell the frames");
	expect_value("frames are contiguous", contiguous, 1);
	close(importer);
	return frame;
}
