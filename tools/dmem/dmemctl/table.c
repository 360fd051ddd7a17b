// SPDX-License-Identifier: GPL-2.0-or-later
#include "table.h"

#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "memory.h"
#include "text.h"
#include "value.h"

struct cell {
	char *text;
	json_object *json;
	bool alarm;
};

struct row {
	struct table *table;
	struct row *parent;
	struct libscols_line *line;
	struct cell *cell;
};

struct table {
	const struct dmemctl *ctl;
	const char *name;
	/* what is shown, as indices of the verb's columns */
	int *shown;
	size_t nr_shown;
	struct row **row;
	size_t nr_rows;
};

static void show_column(struct table *table, int column)
{
	table->shown = dmem_grow(table->shown, table->nr_shown, sizeof(*table->shown));
	table->shown[table->nr_shown++] = column;
}

void table_free(struct table *table)
{
	size_t i, j;

	for (i = 0; i < table->nr_rows; i++) {
		for (j = 0; j < table->ctl->verb->nr_columns; j++) {
			free(table->row[i]->cell[j].text);
			json_object_put(table->row[i]->cell[j].json);
		}
		free(table->row[i]->cell);
		free(table->row[i]);
	}
	free(table->row);
	free(table->shown);
	free(table);
}

static int find_column(const struct verb *verb, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < verb->nr_columns; i++)
		if (!strncasecmp(verb->columns[i].heading, name, len) &&
		    !verb->columns[i].heading[len])
			return i;
	return -1;
}

struct table *table_new(const struct dmemctl *ctl, const char *name)
{
	struct table *table = dmem_grow(NULL, 0, sizeof(*table));
	const struct verb *verb = ctl->verb;
	const char *at = ctl->columns;
	size_t i;

	*table = (struct table){ .ctl = ctl, .name = name };
	if (!at) {
		for (i = 0; i < verb->nr_columns; i++)
			if (ctl->json || !verb->columns[i].extra)
				show_column(table, i);
		return table;
	}
	while (true) {
		size_t len = strcspn(at, ",");
		int column = find_column(verb, at, len);

		if (column < 0) {
			char *all __free_string = dmem_strdup("");

			for (i = 0; i < verb->nr_columns; i++) {
				char *longer = dmem_printf("%s%s%s", all, i ? "," : "",
							   verb->columns[i].heading);

				free(all);
				all = longer;
			}
			misused(verb, "no column '%.*s'; there are: %s", (int)len, at, all);
			table_free(table);
			return NULL;
		}
		show_column(table, column);
		if (!at[len])
			return table;
		at += len + 1;
	}
}

struct row *table_row(struct table *table, struct row *parent)
{
	struct row *row = dmem_grow(NULL, 0, sizeof(*row));
	size_t i;

	*row = (struct row){ .table = table, .parent = parent };
	for (i = 0; i < table->ctl->verb->nr_columns; i++)
		row->cell = dmem_grow(row->cell, i, sizeof(*row->cell));
	table->row = dmem_grow(table->row, table->nr_rows, sizeof(*table->row));
	table->row[table->nr_rows++] = row;
	return row;
}

void row_json(struct row *row, int column, const char *text, json_object *json)
{
	struct cell *cell = &row->cell[column];

	free(cell->text);
	json_object_put(cell->json);
	cell->text = text ? dmem_strdup(text) : NULL;
	cell->json = json;
}

json_object *json_text(const char *text)
{
	char *valid __free_string = text ? utf8(text) : NULL;

	return text ? json_object_new_string(valid) : NULL;
}

json_object *json_size(uint64_t value)
{
	if (value == DMEM_MAX)
		return json_object_new_string("max");
	return value == DMEM_UNKNOWN ? NULL : json_object_new_uint64(value);
}

char *size_text(const struct dmemctl *ctl, char *buf, uint64_t value)
{
	return ctl->bytes ? dmem_bytes_format(buf, DMEM_SIZE_TEXT, value) :
			    dmem_size_format(buf, DMEM_SIZE_TEXT, value);
}

void row_text(struct row *row, int column, const char *text)
{
	row_json(row, column, text, json_text(text));
}

void row_size(struct row *row, int column, uint64_t value)
{
	char buf[DMEM_SIZE_TEXT];

	row_json(row, column, size_text(row->table->ctl, buf, value), json_size(value));
}

void row_count(struct row *row, int column, uint64_t value)
{
	char buf[DMEM_SIZE_TEXT];

	row_json(row, column, dmem_bytes_format(buf, sizeof(buf), value), json_size(value));
}

void row_alarm(struct row *row, int column)
{
	row->cell[column].alarm = true;
}

/* A failed write to stdout is a failure, as a full disk is no table. */
static int end_output(void)
{
	if (fflush(stdout) || ferror(stdout))
		return fail("cannot write: %s", strerror(errno));
	return DONE;
}

int json_print(json_object *json, bool stream)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE;

	flags |= stream ? JSON_C_TO_STRING_PLAIN :
			  JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
	puts(json_object_to_json_string_ext(json, flags));
	json_object_put(json);
	return end_output();
}

static int print_json(struct table *table)
{
	json_object *whole = json_object_new_object();
	json_object *rows = json_object_new_array();
	size_t i, j;

	json_object_object_add(whole, table->name, rows);
	for (i = 0; i < table->nr_rows; i++) {
		json_object *object = json_object_new_object();

		for (j = 0; j < table->nr_shown; j++) {
			int column = table->shown[j];
			struct cell *cell = &table->row[i]->cell[column];

			json_object_object_add(object, table->ctl->verb->columns[column].key,
					       json_object_get(cell->json));
		}
		json_object_array_add(rows, object);
	}
	return json_print(whole, false);
}

static void out_of_memory(int error)
{
	if (error)
		exit(fail("%s", strerror(ENOMEM)));
}

static int print_text(struct table *table)
{
	struct libscols_table *out = scols_new_table();
	const struct verb *verb = table->ctl->verb;
	bool tree = false;
	size_t i, j;

	out_of_memory(!out);
	scols_table_enable_noheadings(out, table->ctl->no_legend);
	scols_table_enable_colors(out, isatty(STDOUT_FILENO) && !getenv("NO_COLOR"));
	scols_table_enable_ascii(out, strcmp(nl_langinfo(CODESET), "UTF-8"));
	for (i = 0; i < table->nr_shown; i++) {
		const struct column *column = &verb->columns[table->shown[i]];
		int flags = column->right ? SCOLS_FL_RIGHT : 0;

		/* libsmartcols knows one tree */
		if (column->tree && !tree) {
			flags |= SCOLS_FL_TREE;
			tree = true;
		}
		out_of_memory(!scols_table_new_column(out, column->heading, 0, flags));
	}
	for (i = 0; i < table->nr_rows; i++) {
		struct row *row = table->row[i];

		row->line = scols_table_new_line(out, row->parent && tree ?
						 row->parent->line : NULL);
		out_of_memory(!row->line);
		for (j = 0; j < table->nr_shown; j++) {
			struct cell *cell = &row->cell[table->shown[j]];

			out_of_memory(scols_line_set_data(row->line, j, cell->text ?: "-"));
			if (cell->alarm)
				scols_cell_set_color(scols_line_get_cell(row->line, j),
						     "\033[31m");
		}
	}
	scols_print_table(out);
	scols_unref_table(out);
	return end_output();
}

int table_print(struct table *table)
{
	int status = table->ctl->json ? print_json(table) : print_text(table);

	table_free(table);
	return status;
}
