/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Allocation that does not fail, and variables that clean up after themselves.
 *
 * Everything here is small and the tools cannot go on without it: they end with
 * a message when memory is exhausted.
 */
#ifndef DMEM_MEMORY_H
#define DMEM_MEMORY_H

#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/**
 * dmem_grow() - room for one more element at the end of an array
 * @array: the array, NULL while it is empty
 * @count: elements in it
 * @size: bytes of an element
 *
 * Grows by powers of two.  The new element is zero.
 *
 * Return: The array, perhaps elsewhere.
 */
void *dmem_grow(void *array, size_t count, size_t size);

/**
 * dmem_strdup(), dmem_strndup(), dmem_printf() - a new string
 *
 * Return: The string; the caller frees it.
 */
char *dmem_strdup(const char *text);
char *dmem_strndup(const char *text, size_t len);
char *__attribute__((format(printf, 1, 2))) dmem_printf(const char *fmt, ...);

/* what free() and close() are to a variable that goes out of scope */
static inline void dmem_free_p(void *p)
{
	free(*(void **)p);
}

static inline void dmem_close_p(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void dmem_closedir_p(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

#define __cleanup(fn)	__attribute__((cleanup(fn)))
#define __free_string	__cleanup(dmem_free_p)
#define __close_fd	__cleanup(dmem_close_p)
#define __close_dir	__cleanup(dmem_closedir_p)

#endif /* DMEM_MEMORY_H */
