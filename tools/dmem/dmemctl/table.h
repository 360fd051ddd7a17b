/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables for people, and the same rows as JSON.
 *
 * A verb has one array of columns; headings, -o, --help and the JSON keys all come
 * from it.  A cell has a text and a JSON value.  One that was not filled in is
 * unknown: "-" for people, null in JSON.
 */
#ifndef DMEMCTL_TABLE_H
#define DMEMCTL_TABLE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dmemctl.h"

/**
 * struct column - one column
 * @heading: for people, and the name in -o
 * @key: in JSON
 * @help: one line
 * @right: aligned to the right: a number
 * @tree: shows how the rows descend from each other
 * @extra: people see it only if they ask for it
 */
struct column {
	const char *heading;
	const char *key;
	const char *help;
	bool right;
	bool tree;
	bool extra;
};

struct table;
struct row;

/**
 * table_new() - begin a table
 * @ctl: the call: its verb's columns, -o, --json, --bytes, --no-legend
 * @name: what the rows are, the key of the array in JSON
 *
 * Return: The table, NULL after a message if -o names a column that there is
 * not: exit with %MISUSED then.
 */
struct table *table_new(const struct dmemctl *ctl, const char *name);

/**
 * table_row() - add a row
 * @table: the table
 * @parent: the row it hangs under in the tree, NULL for none
 *
 * Return: The row, which belongs to the table.
 */
struct row *table_row(struct table *table, struct row *parent);

/**
 * row_text(), row_size(), row_count(), row_json() - fill in a cell
 * @row: the row
 * @column: index in the verb's columns
 * @text: any bytes; NULL leaves it unknown
 * @value: bytes, or a number of things; %DMEM_UNKNOWN leaves it unknown
 * @json: taken over by the table
 */
void row_text(struct row *row, int column, const char *text);
void row_size(struct row *row, int column, uint64_t value);
void row_count(struct row *row, int column, uint64_t value);
void row_json(struct row *row, int column, const char *text, json_object *json);

/**
 * row_alarm() - point at a cell
 * @row: the row
 * @column: the cell, which is red on a terminal
 */
void row_alarm(struct row *row, int column);

/**
 * table_print() - show it, and end it
 * @table: the table, not to be used any more
 *
 * Return: The exit status.
 */
int table_print(struct table *table);

/**
 * table_free() - end it without showing it
 * @table: the table
 */
void table_free(struct table *table);

/**
 * json_text() - a string as JSON
 * @text: any bytes, or NULL for null
 *
 * Return: The value.
 */
json_object *json_text(const char *text);

/**
 * json_size() - an amount as JSON
 * @value: bytes, %DMEM_MAX for "max", %DMEM_UNKNOWN for null
 *
 * Return: The value.
 */
json_object *json_size(uint64_t value);

/**
 * json_print() - print a value and end it
 * @json: the value
 * @stream: on one line, for a stream of values; several otherwise
 *
 * Return: The exit status.
 */
int json_print(json_object *json, bool stream);

/**
 * size_text() - an amount as people want it
 * @ctl: the call: exact with --bytes
 * @buf: takes the text, %DMEM_SIZE_TEXT bytes
 * @value: bytes, %DMEM_MAX or %DMEM_UNKNOWN
 *
 * Return: @buf.
 */
char *size_text(const struct dmemctl *ctl, char *buf, uint64_t value);

#endif /* DMEMCTL_TABLE_H */
