/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names that others chose, on a terminal.
 *
 * A user to whom a cgroup is delegated may call one below it anything but "/",
 * escape sequences included; the same goes for processes and buffers.
 */
#ifndef DMEMCTL_TEXT_H
#define DMEMCTL_TEXT_H

/**
 * printable() - a name that does nothing to a terminal
 * @text: any bytes
 *
 * Bytes that do not print in this locale become \xNN, a backslash \x5c.
 *
 * Return: The text; the caller frees it.
 */
char *printable(const char *text);

/**
 * utf8() - a name that may stand in JSON and OpenMetrics
 * @text: any bytes
 *
 * Bytes that are no UTF-8 become U+FFFD, one for each.
 *
 * Return: The text; the caller frees it.
 */
char *utf8(const char *text);

#endif /* DMEMCTL_TEXT_H */
