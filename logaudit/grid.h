/* A table for people: a name and numbers a row, each column as wide as it must be, all within the paper's width. */
#ifndef LOGAUDIT_GRID_H
#define LOGAUDIT_GRID_H

#include "show.h"

enum { GRID_COLUMNS_MAX = 12 };
struct grid_cell { char text[SHOW_NUMBER_MAX]; };
struct grid_row { char *name, *note; struct grid_cell cells[GRID_COLUMNS_MAX]; };
struct grid {
	const char *title;
	const char *headings[GRID_COLUMNS_MAX];
	size_t columns, filled;          /* filled: of the last row */
	struct grid_row *rows;
	size_t count, cap;
};

void grid_init(struct grid *grid, const char *title);
void grid_column(struct grid *grid, const char *heading);
/* A row and then its cells, in order. name: as on the line. */
void grid_row(struct grid *grid, struct slice name);
void grid_count(struct grid *grid, uint64_t n);
void grid_bytes(struct grid *grid, uint64_t n);
void grid_span(struct grid *grid, uint64_t us);
void grid_ratio(struct grid *grid, uint64_t part, uint64_t whole);
/* A sentence under the last row. */
void grid_note(struct grid *grid, const char *text);
/* Prints, unless there are no rows, and releases. Columns that do not fit are left out, the last ones first. */
void grid_print(struct grid *grid, const struct paper *paper);

#endif
