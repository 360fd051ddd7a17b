/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The importer selftest module (drivers/dma-buf/importer_selftest.c), which
 * does to a buffer what drivers do, and looks at it as the kernel does.
 */
#ifndef IMPORTER_H
#define IMPORTER_H

#include <stdbool.h>

#include <linux/types.h>

#include "cma_heap_util.h"

/* A descriptor; the case is skipped where there is no such module */
int importer_open(struct dmem_sandbox *sb, const char *device);

/* Gives a command, see the module: 0 or the negative errno */
int importer_try(int importer, const char *fmt, ...) __printf(2, 3);

/* The same, and fails the case if the errno (positive) is another */
void importer_expect_at(const char *func, int line, int importer,
			const char *command, int want);

#define importer_expect(importer, command, want) \
	importer_expect_at(__func__, __LINE__, importer, command, want)

/* A command that takes a number */
void importer_number_at(const char *func, int line, int importer,
			const char *command, unsigned int number, int want);

#define importer_number(importer, command, number, want) \
	importer_number_at(__func__, __LINE__, importer, command, number, want)

/* What the module says of the buffer, see there; false if it says nothing */
bool importer_read(int importer, const char *word, __u64 *value);

/* The first frame of a buffer. All of its frames are contiguous. */
__u64 importer_frame(struct dmem_sandbox *sb, int buffer);

#endif /* IMPORTER_H */
