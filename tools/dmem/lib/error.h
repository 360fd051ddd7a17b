/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What went wrong, in words for the person who has to put it right.
 */
#ifndef DMEM_ERROR_H
#define DMEM_ERROR_H

/**
 * struct dmem_error - the message that goes with a negative errno
 * @text: one line or more without the last newline, naming the file, what was
 *	  tried and the likely cause; empty if nothing failed
 */
struct dmem_error {
	char text[2048];
};

/**
 * dmem_fail() - say why, and return the errno
 * @err: takes the message; NULL if nobody wants it
 * @code: a positive errno
 * @fmt: the message, as for printf()
 *
 * Return: -@code, so that a function can end with it.
 */
int __attribute__((format(printf, 3, 4)))
dmem_fail(struct dmem_error *err, int code, const char *fmt, ...);

/**
 * dmem_error_add() - append to the message
 * @err: the message; NULL if nobody wants it
 * @fmt: what to append, as for printf(); cut off where it no longer fits
 */
void __attribute__((format(printf, 2, 3)))
dmem_error_add(struct dmem_error *err, const char *fmt, ...);

#endif /* DMEM_ERROR_H */
