/* Combining: sums, least and greatest, unions in order. Each step may be done in any order and grouping. */
#include "state.h"

/* ---- evidence ---- */

static int place_compare(const struct audit *audit, struct place a, struct place b)
{
	int paths = strcmp(audit_path(audit, a), audit_path(audit, b));

	return paths ? paths : a.line != b.line ? a.line < b.line ? -1 : 1 : 0;
}

static void place_insert(const struct audit *audit, struct evidence *e, struct place at)
{
	unsigned i = e->count;

	if (e->count == EVIDENCE_MAX) {
		if (place_compare(audit, at, e->at[EVIDENCE_MAX - 1]) >= 0) return;
		i--;
	} else {
		e->count++;
	}
	for (; i > 0 && place_compare(audit, at, e->at[i - 1]) < 0; i--) e->at[i] = e->at[i - 1];
	e->at[i] = at;
}

/* shift: where the files of `from` are now. */
static void evidence_merge(const struct audit *audit, struct evidence *into, const struct evidence *from, uint32_t shift)
{
	for (unsigned i = 0; i < from->count; i++)
		place_insert(audit, into, (struct place){ .file = from->at[i].file + shift, .line = from->at[i].line });
}

static void evidence_sort(const struct audit *audit, struct evidence *e)
{
	struct evidence old = *e;

	e->count = 0;
	evidence_merge(audit, e, &old, 0);
}

/* ---- texts ---- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void texts_merge(char ***into, size_t *count, char *const *from, size_t more)
{
	*into = must(realloc(*into, (*count + more + 1) * sizeof(**into)));
	for (size_t i = 0; i < more; i++) (*into)[(*count)++] = must(strdup(from[i]));
	if (*count) qsort(*into, *count, sizeof(**into), by_text);
}

/* The lesser, and any rather than none. */
static void text_least(char **into, const char *from)
{
	if (!from || (*into && strcmp(*into, from) <= 0)) return;
	free(*into);
	*into = must(strdup(from));
}

/* Words that differ become the rule's own. */
static void words_merge(char **into, const char *from, const char *own)
{
	if (strcmp(*into, from) == 0) return;
	free(*into);
	*into = must(strdup(own));
}

/* ---- findings ---- */

static struct finding *finding_same(struct findings *list, const struct finding *f)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->rows[i].rule == f->rule && strcmp(list->rows[i].subject, f->subject) == 0) return &list->rows[i];
	return NULL;
}

static void finding_merge(struct audit *into, const struct finding *f, uint32_t shift)
{
	struct finding *mine = finding_same(&into->findings, f);

	if (!mine) {
		mine = findings_add(&into->findings, f->rule, slice_str(f->subject), &(struct group){ 0 });
		mine->severity = f->severity;
		free(mine->cause);
		free(mine->cure);
		mine->cause = must(strdup(f->cause));
		mine->cure = must(strdup(f->cure));
	}
	mine->count += f->count;
	if (f->severity > mine->severity) mine->severity = f->severity;
	words_merge(&mine->cause, f->cause, f->rule->cause);
	words_merge(&mine->cure, f->cure, f->rule->cure);
	evidence_merge(into, &mine->evidence, &f->evidence, shift);
}

static void blind_merge(const struct audit *audit, struct blind *into, const struct blind *from, uint32_t shift)
{
	struct place header = { .file = from->header.file + shift, .line = from->header.line };
	int order;

	into->filtered |= from->filtered;
	if (!from->blind) return;
	order = into->blind ? place_compare(audit, header, into->header) : -1;
	/* One header line may lack a column for each of two rules, but only one for this one. */
	if (order >= 0) return;
	into->blind = true;
	into->column = from->column;
	into->header = header;
}

/* ---- the whole ---- */

static uint32_t files_merge(struct audit *into, const struct audit *from)
{
	uint32_t shift = (uint32_t)into->file_count;

	into->files = must(realloc(into->files, (into->file_count + from->file_count + 1) * sizeof(*into->files)));
	for (size_t i = 0; i < from->file_count; i++)
		into->files[into->file_count++] = (struct audit_file){ .path = must(strdup(from->files[i].path)) };
	return shift;
}

void audit_merge(struct audit *into, const struct audit *from)
{
	uint32_t shift = files_merge(into, from);

	into->lines_read += from->lines_read;
	into->lines_counted += from->lines_counted;
	into->lines_left_out += from->lines_left_out;
	into->lines_rejected += from->lines_rejected;
	into->lines_header += from->lines_header;
	for (int i = 0; i < REJECT_COUNT; i++) {
		into->rejects[i].group.count += from->rejects[i].group.count;
		evidence_merge(into, &into->rejects[i].group.evidence, &from->rejects[i].group.evidence, shift);
		text_least(&into->rejects[i].example, from->rejects[i].example);
	}
	tally_merge(&into->tally, &from->tally);
	worth_merge(&into->worth, &from->worth);
	for (size_t i = 0; i < from->findings.count; i++) finding_merge(into, &from->findings.rows[i], shift);
	for (int i = 0; i < RULE_COUNT; i++) blind_merge(into, &into->blind[i], &from->blind[i], shift);
	texts_merge(&into->troubles, &into->trouble_count, from->troubles, from->trouble_count);
	texts_merge(&into->notes, &into->note_count, from->notes, from->note_count);
}

void audit_settle_order(struct audit *audit)
{
	for (int i = 0; i < REJECT_COUNT; i++) evidence_sort(audit, &audit->rejects[i].group.evidence);
	for (size_t i = 0; i < audit->findings.count; i++) evidence_sort(audit, &audit->findings.rows[i].evidence);
	findings_sort(&audit->findings);
	for (int i = 0; i < TABLE_COUNT; i++) map_sort(&audit->tally.tables[i].map);
	map_sort(&audit->tally.codings);
	map_sort(&audit->worth.origins);
}
