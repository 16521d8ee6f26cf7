/* Tables for people. */
#include "../conf/check.h"
#include "grid.h"

enum { NAME_MIN = 16, GAP = 2, INDENT = 2 };

void grid_init(struct grid *grid, const char *title)
{
	*grid = (struct grid){ .title = title };
}

void grid_column(struct grid *grid, const char *heading)
{
	CHECK(grid->columns < GRID_COLUMNS_MAX);
	grid->headings[grid->columns++] = heading;
}

void grid_row(struct grid *grid, struct slice name)
{
	char shown[SHOW_TEXT_MAX];

	if (grid->count == grid->cap) {
		grid->cap = grid->cap ? 2 * grid->cap : 32;
		grid->rows = must(realloc(grid->rows, grid->cap * sizeof(*grid->rows)));
	}
	grid->rows[grid->count] = (struct grid_row){ .name = must(strdup(show_text(shown, name, PAPER_WIDTH_MAX))) };
	grid->count++;
	grid->filled = 0;
}

static char *cell(struct grid *grid)
{
	CHECK(grid->count && grid->filled < grid->columns);
	return grid->rows[grid->count - 1].cells[grid->filled++].text;
}

void grid_count(struct grid *grid, uint64_t n) { show_count(cell(grid), n); }
void grid_bytes(struct grid *grid, uint64_t n) { show_bytes(cell(grid), n); }
void grid_span(struct grid *grid, uint64_t us) { show_span(cell(grid), us); }
void grid_ratio(struct grid *grid, uint64_t part, uint64_t whole) { show_ratio(cell(grid), part, whole); }

void grid_note(struct grid *grid, const char *text)
{
	CHECK(grid->count && !grid->rows[grid->count - 1].note);
	grid->rows[grid->count - 1].note = must(strdup(text));
}

static size_t column_width(const struct grid *grid, size_t column)
{
	size_t width = show_columns(grid->headings[column]);

	for (size_t i = 0; i < grid->count; i++) {
		size_t n = strlen(grid->rows[i].cells[column].text);
		if (n > width) width = n;
	}
	return width;
}

/* How many columns fit beside names of NAME_MIN, and how wide the names may then be. */
static size_t fit(const struct grid *grid, const struct paper *paper, size_t widths[GRID_COLUMNS_MAX], size_t *ret_name)
{
	size_t used = INDENT, shown = 0, name = show_columns(grid->title) > INDENT ? show_columns(grid->title) - INDENT : 0;

	for (size_t i = 0; i < grid->columns; i++) {
		widths[i] = column_width(grid, i);
		if (shown != i || used + GAP + widths[i] + NAME_MIN > paper->width) continue;
		used += GAP + widths[i];
		shown++;
	}
	for (size_t i = 0; i < grid->count; i++)
		if (show_columns(grid->rows[i].name) > name) name = show_columns(grid->rows[i].name);
	*ret_name = name < paper->width - used ? name : paper->width - used;
	return shown;
}

/* printf counts bytes, we count characters. */
static void pad(FILE *out, size_t columns, size_t width)
{
	if (columns < width) fprintf(out, "%*s", (int)(width - columns), "");
}

static void head_print(const struct grid *grid, const struct paper *paper, const size_t *widths, size_t shown, size_t name)
{
	char text[SHOW_TEXT_MAX];

	fputc('\n', paper->out);
	show_text(text, slice_str(grid->title), name + INDENT);
	show_painted(paper, PAINT_title, text);
	pad(paper->out, show_columns(text), name + INDENT);
	show_paint(paper, PAINT_dim);
	for (size_t c = 0; c < shown; c++) fprintf(paper->out, "  %*s", (int)widths[c], grid->headings[c]);
	show_paint(paper, PAINT_none);
	fputc('\n', paper->out);
}

void grid_print(struct grid *grid, const struct paper *paper)
{
	size_t widths[GRID_COLUMNS_MAX], name, shown = fit(grid, paper, widths, &name);
	char text[SHOW_TEXT_MAX];

	if (grid->count) head_print(grid, paper, widths, shown, name);
	for (size_t i = 0; i < grid->count; i++) {
		const struct grid_row *row = &grid->rows[i];
		show_text(text, slice_str(row->name), name);
		fprintf(paper->out, "  %s", text);
		pad(paper->out, show_columns(text), name);
		for (size_t c = 0; c < shown; c++) fprintf(paper->out, "  %*s", (int)widths[c], row->cells[c].text);
		fputc('\n', paper->out);
		if (row->note) {
			show_paint(paper, PAINT_dim);
			show_wrapped(paper->out, "      ", 6, paper->width, row->note);
			show_paint(paper, PAINT_none);
		}
	}
	for (size_t i = 0; i < grid->count; i++) {
		free(grid->rows[i].name);
		free(grid->rows[i].note);
	}
	free(grid->rows);
	*grid = (struct grid){ 0 };
}
