// SPDX-License-Identifier: GPL-2.0-or-later
#include "draw.h"

#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "memory.h"
#include "table.h"
#include "text.h"
#include "value.h"

enum { PLAIN, GOOD, WARM, FULL, OTHER, CACHE };

int screen_begin(void)
{
	SCREEN *screen = newterm(NULL, stdout, stdin);

	if (!screen)
		return -1;
	set_term(screen);
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	if (has_colors()) {
		start_color();
		use_default_colors();
		init_pair(GOOD, COLOR_GREEN, -1);
		init_pair(WARM, COLOR_YELLOW, -1);
		init_pair(FULL, COLOR_RED, -1);
		init_pair(OTHER, COLOR_MAGENTA, -1);
		init_pair(CACHE, COLOR_BLUE, -1);
	}
	return 0;
}

void screen_end(void)
{
	endwin();
}

int screen_key(void)
{
	int key = getch();

	return key == ERR ? -1 : key;
}

static int colour(int pair)
{
	return has_colors() ? COLOR_PAIR(pair) : pair == FULL ? A_BOLD : A_NORMAL;
}

static int colour_of_share(double share)
{
	return share >= 0.95 ? FULL : share >= 0.75 ? WARM : GOOD;
}

static int cells(double share, int width)
{
	int n = share * width + 0.5;

	/* something is not nothing, and not all is not all */
	if (share > 0 && !n)
		n = 1;
	if (share < 1 && n == width && width > 1)
		n = width - 1;
	return n < 0 ? 0 : n > width ? width : n;
}

static void part(char mark, int n, int pair)
{
	attron(colour(pair));
	while (n-- > 0)
		addch(mark);
	attroff(colour(pair));
}

/* [####oo==      ]: charged, taken by others, cached */
static void region_bar(const struct dmem_region *region, int width)
{
	double size = region->size;
	int charged, others = 0, cached = 0;

	addch('[');
	if (region->size == DMEM_UNKNOWN || region->charged == DMEM_UNKNOWN || !region->size) {
		printw("%*s", width, "");
	} else {
		charged = cells(region->charged / size, width);
		if (region->others != DMEM_UNKNOWN)
			others = cells(region->others / size, width);
		if (others > width - charged)
			others = width - charged;
		if (region->cached != DMEM_UNKNOWN)
			cached = cells(region->cached / size, width);
		if (cached > width - charged - others)
			cached = width - charged - others;
		part('#', charged, colour_of_share((region->charged +
			(region->others == DMEM_UNKNOWN ? 0 : region->others)) / size));
		part('o', others, OTHER);
		part('=', cached, CACHE);
		printw("%*s", width - charged - others - cached, "");
	}
	addch(']');
}

/* A name in so many columns: its end, where it is too long. */
static void name(const char *text, int width)
{
	char *safe __free_string = printable(text);
	size_t room = mbstowcs(NULL, safe, 0);
	wchar_t *wide __free_string = NULL;
	wchar_t *at;
	int used;

	if (room == (size_t)-1)
		return;
	wide = reallocarray(NULL, room + 1, sizeof(*wide));
	if (!wide)
		return;
	mbstowcs(wide, safe, room + 1);
	at = wide;
	used = wcswidth(at, room);
	if (used > width) {
		/* one column for the mark that something is missing */
		while (*at && used > width - 1)
			used -= wcwidth(*at++);
		addch('<');
		used++;
	}
	for (; *at; at++)
		printw("%lc", (wint_t)*at);
	printw("%*s", width - used, "");
}

static void draw_head(const struct dmemctl *ctl, const struct sample *sample,
		      const struct view *view)
{
	char when[16];
	struct tm tm;

	(void)ctl;
	localtime_r(&sample->wall.tv_sec, &tm);
	strftime(when, sizeof(when), "%T", &tm);
	move(0, 0);
	printw("dmemctl top  %s  every %.3g s%s  %zu cgroups  by %s%s", when, view->delay,
	       view->paused ? " (paused)" : "", sample->cgroups.count,
	       top_sort_name(view->sort), view->reverse ? ", reversed" : "");
	clrtoeol();
	move(1, 0);
	clrtoeol();
}

/* Returns the line below. */
static int draw_regions(const struct dmemctl *ctl, const struct sample *sample,
			const struct view *view, int line, int room)
{
	const struct dmem_regions *regions = &sample->regions;
	size_t first = 0, i;
	int width = COLS - 24 - 52;

	if (width < 10)
		width = 10;
	/* the one in view is among those that there is room for */
	if (regions->count > (size_t)room && view->region >= (size_t)room)
		first = view->region - room + 1;
	for (i = first; i < regions->count && room > 0; i++, room--, line++) {
		const struct dmem_region *region = &regions->region[i];
		char charged[DMEM_SIZE_TEXT], size[DMEM_SIZE_TEXT], others[DMEM_SIZE_TEXT];
		char cached[DMEM_SIZE_TEXT], unused[DMEM_SIZE_TEXT];

		move(line, 0);
		printw("%c ", i == view->region ? '>' : ' ');
		name(region->name, 21);
		addch(' ');
		region_bar(region, width);
		printw(" %s/%s  others %s  cached %s  free %s",
		       size_text(ctl, charged, region->charged), size_text(ctl, size, region->size),
		       size_text(ctl, others, region->others), size_text(ctl, cached, region->cached),
		       size_text(ctl, unused, region->free));
		clrtoeol();
	}
	move(line, 0);
	clrtoeol();
	return line + 1;
}

#define BAR_WIDTH	12

static void draw_row(const struct dmemctl *ctl, const struct dmem_region *region,
		     const struct top_row *row, int width)
{
	char current[DMEM_SIZE_TEXT], peak[DMEM_SIZE_TEXT], max[DMEM_SIZE_TEXT];
	char room[DMEM_SIZE_TEXT], refused[DMEM_SIZE_TEXT], rate[16] = "-";
	const struct dmem_pool *pool = row->pool;
	bool limited = pool->max != DMEM_MAX && pool->max != DMEM_UNKNOWN;
	uint64_t of = limited ? pool->max : region->size;
	double share = -1;

	if (of != DMEM_UNKNOWN && of != DMEM_MAX && pool->current != DMEM_UNKNOWN)
		share = of ? (double)pool->current / of : 1;
	if (row->rate >= 0)
		snprintf(rate, sizeof(rate), "%.1f", row->rate);

	name(row->path, width);
	printw(" %8s %8s %8s [", size_text(ctl, current, pool->current),
	       size_text(ctl, peak, pool->peak), size_text(ctl, max, pool->max));
	if (share >= 0) {
		int n = cells(share, BAR_WIDTH);

		/* of the limit if there is one, of the region otherwise */
		part(limited ? '#' : '-', n, limited ? colour_of_share(share) : PLAIN);
		printw("%*s", BAR_WIDTH - n, "");
	} else {
		printw("%*s", BAR_WIDTH, "");
	}
	addch(']');
	if (row->bound.room < 4096)
		attron(colour(FULL));
	printw(" %8s", size_text(ctl, room, row->bound.room == DMEM_MAX ?
				 DMEM_UNKNOWN : row->bound.room));
	attroff(colour(FULL));
	printw(" %8s", dmem_bytes_format(refused, sizeof(refused), pool->local.max));
	if (row->rate > 0)
		attron(colour(FULL));
	printw(" %7s", rate);
	attroff(colour(FULL));
}

static void draw_help(int line)
{
	static const char * const keys[] = {
		"",
		"  Left, Right, Tab   the region whose cgroups are listed",
		"  c p m s r R n      order: current, peak, max, share of max, refusals per",
		"                     second, refusals, name",
		"  i                  the other way round",
		"  Up, Down, PgUp, PgDn, Home, End   scroll",
		"  + -                longer, shorter between two samples",
		"  Space              stop and go on",
		"  h ?                these keys",
		"  q                  quit",
		"",
		"  [####oo==   ]      # charged, o taken by others without a charge, = cached",
		"  [####   ]          # share of the limit, - of the region where there is none",
		"  ROOM               how much more the cgroup can have, all limits considered",
	};
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]) && line < LINES; i++, line++) {
		move(line, 0);
		addstr(keys[i]);
		clrtoeol();
	}
	clrtobot();
}

void screen_draw(const struct dmemctl *ctl, const struct sample *sample,
		 const struct top_rows *rows, struct view *view)
{
	int width = COLS - 68 - (ctl->bytes ? 20 : 0);
	int line, room;
	size_t i;

	if (width < 12)
		width = 12;
	draw_head(ctl, sample, view);
	if (!sample->regions.count) {
		mvaddstr(2, 0, "No regions: this kernel has no carveout or graphics memory that it charges.");
		clrtobot();
		refresh();
		return;
	}
	line = draw_regions(ctl, sample, view, 2, LINES > 12 ? LINES / 3 : 1);
	if (view->help) {
		draw_help(line);
		refresh();
		return;
	}

	move(line, 0);
	attron(A_REVERSE);
	printw("%-*s %8s %8s %8s %-*s %8s %8s %7s", width, "CGROUP", "CURRENT", "PEAK", "MAX",
	       BAR_WIDTH + 2, "", "ROOM", "REFUSED", "REF/S");
	printw("%*s", COLS - getcurx(stdscr) - 1 > 0 ? COLS - getcurx(stdscr) - 1 : 0, "");
	attroff(A_REVERSE);
	clrtoeol();
	line++;

	room = LINES - line;
	if (view->first + room > rows->count)
		view->first = rows->count > (size_t)room ? rows->count - room : 0;
	for (i = view->first; i < rows->count && line < LINES; i++, line++) {
		move(line, 0);
		draw_row(ctl, &sample->regions.region[view->region], &rows->row[i], width);
		clrtoeol();
	}
	if (!rows->count && line < LINES) {
		mvaddstr(line++, 0, "No cgroup has, had or limits anything of this region.");
		clrtoeol();
	}
	if (line < LINES) {
		move(line, 0);
		clrtobot();
	}
	refresh();
}
