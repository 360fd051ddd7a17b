/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Amounts of memory as people write and read them.
 */
#ifndef DMEM_VALUE_H
#define DMEM_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

/* A limit that is none; dmem files say "max" */
#define DMEM_MAX		UINT64_MAX

/* Nobody can say how much */
#define DMEM_UNKNOWN		(UINT64_MAX - 1)

/* A buffer that any amount fits in, with the NUL */
#define DMEM_SIZE_TEXT		24

/**
 * dmem_value_parse() - read a limit
 * @text: "max"; a number of bytes with one of K, M, G, T, P, E (powers of 1024,
 *	  either case) if you like; or a share of the region, "25%".  Numbers are
 *	  decimal and may have a fraction: "1.5G", "12.5%"
 * @capacity: bytes of the region, for a share; %DMEM_UNKNOWN if not known
 * @value: takes bytes, rounded down, or %DMEM_MAX
 * @err: takes the message
 *
 * Return: 0, -%EINVAL if that is no amount, -%ERANGE if it is above 100% or does
 * not fit, -%ENODATA for a share of a region whose size is not known.
 */
int dmem_value_parse(const char *text, uint64_t capacity, uint64_t *value,
		     struct dmem_error *err);

/**
 * dmem_size_format() - write an amount for people
 * @buf: takes the text
 * @size: room in @buf, %DMEM_SIZE_TEXT is enough
 * @bytes: the amount, %DMEM_MAX ("max") or %DMEM_UNKNOWN ("-")
 *
 * Three digits or so: "4.8M", "64M", "980K".  An amount that is written without
 * a fraction and below 1024 units is exact only if it divides evenly.
 *
 * Return: @buf.
 */
char *dmem_size_format(char *buf, size_t size, uint64_t bytes);

/**
 * dmem_bytes_format() - write an amount exactly
 * @buf: takes the text
 * @size: room in @buf, %DMEM_SIZE_TEXT is enough
 * @bytes: the amount, %DMEM_MAX ("max") or %DMEM_UNKNOWN ("-")
 *
 * Return: @buf.
 */
char *dmem_bytes_format(char *buf, size_t size, uint64_t bytes);

#endif /* DMEM_VALUE_H */
