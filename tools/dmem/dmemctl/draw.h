/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The screen of top.
 */
#ifndef DMEMCTL_DRAW_H
#define DMEMCTL_DRAW_H

#include <stdbool.h>

#include "dmemctl.h"
#include "sample.h"
#include "toprows.h"

/**
 * struct view - what is to be shown, and how
 * @region: index of the region whose cgroups are listed
 * @sort: their order
 * @reverse: the other way round
 * @first: rows that were scrolled past
 * @delay: seconds between two samples
 * @paused: no new samples
 * @help: the keys are shown instead
 */
struct view {
	size_t region;
	enum top_sort sort;
	bool reverse;
	size_t first;
	double delay;
	bool paused;
	bool help;
};

/**
 * screen_begin() - take the terminal
 *
 * Return: 0, or -1 if that is no terminal that can be drawn on.
 */
int screen_begin(void);

/**
 * screen_end() - give it back as it was
 */
void screen_end(void);

/**
 * screen_draw() - draw
 * @ctl: the call
 * @sample: what is shown
 * @rows: cgroups of the region in view
 * @view: how; &view.first is kept within the rows
 */
void screen_draw(const struct dmemctl *ctl, const struct sample *sample,
		 const struct top_rows *rows, struct view *view);

/**
 * screen_key() - a key that was pressed
 *
 * Return: The key as ncurses numbers it, -1 if there is none.
 */
int screen_key(void);

#endif /* DMEMCTL_DRAW_H */
