/* The way of a line: parsed, counted, shown to the rules; or rejected with its reason. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "audit.h"
#include "input.h"
#include "pipeline.h"

void audit_init_tables(struct audit *audit)
{
	*audit = (struct audit){ .threads = 1 };
	names_init(&audit->names.nodes);
	names_init(&audit->names.hosts);
	names_init(&audit->names.volumes);
	chunk_init(&audit->one);
	line_parser_init(&audit->parser);
	tally_init(&audit->tally);
	worth_init(&audit->worth);
	metrics_init(&audit->metrics);
}

void audit_init(struct audit *audit)
{
	audit_init_tables(audit);
	for (int i = 0; i < RULE_COUNT; i++) {
		const struct rule_ops *ops = rules[i].ops;
		if (!ops->line) continue;
		audit->rule_state[i] = must(calloc(1, ops->state_size));
		ops->init(audit->rule_state[i]);
	}
}

/* From which reach of a filter on each rule cannot tell. */
static enum filter_reach sight_of(enum rule_id rule)
{
	switch ((int)rule) {
#define FILTER_SIGHT_nothing (FILTER_outcome + 1)
#define FILTER_SIGHT_time    FILTER_time
#define FILTER_SIGHT_place   FILTER_place
#define SIGHT(rule, reach) case RULE_##rule: return FILTER_SIGHT_##reach;
#include "tbl/sights.h"
#undef SIGHT
	}
	return FILTER_outcome;
}

void audit_filter(struct audit *audit, const struct filter *filter)
{
	if (filter_is_open(filter)) return;
	audit->filter = audit->one.filter = filter;
	for (int i = 0; i < RULE_COUNT; i++) audit->blind[i].filtered = filter_reach(filter) >= sight_of((enum rule_id)i);
}

__attribute__((format(printf, 3, 4)))
static void say(char ***list, size_t *count, const char *format, ...)
{
	va_list args;
	char *text = NULL;

	va_start(args, format);
	CHECK(vasprintf(&text, format, args) >= 0);
	va_end(args);
	*list = must(realloc(*list, (*count + 1) * sizeof(**list)));
	(*list)[(*count)++] = text;
}

void audit_trouble(struct audit *audit, const char *path, const char *what)
{
	say(&audit->troubles, &audit->trouble_count, "%s: %s", path, what);
}

void audit_note(struct audit *audit, const char *path, const char *what)
{
	say(&audit->notes, &audit->note_count, "%s: %s", path, what);
}

/* ---- lines ---- */

static int column_find(struct slice name)
{
	int field = column_named(name);

	CHECK(field >= 0);               /* tbl/rules.h names a column that is none */
	return field;
}

/* The first column that the rule needs and the header lacks; empty: none. */
static struct slice column_missing(const struct rule *rule, const struct columns *columns)
{
	const char *at = rule->columns;

	while (*at) {
		size_t len = strcspn(at, " ");
		if (!columns->present[column_find(slice_make(at, len))]) return slice_make(at, len);
		at += len + (at[len] == ' ');
	}
	return slice_make(at, 0);
}

_Static_assert(RULE_COUNT <= 64, "more rules than bits");

static uint64_t choose_rules(struct audit *audit, const struct columns *columns, struct place at)
{
	uint64_t on = 0;

	for (int i = 0; i < RULE_COUNT; i++) {
		struct slice missing = column_missing(&rules[i], columns);
		struct blind *blind = &audit->blind[i];
		if (!missing.len && rules[i].ops->line && !blind->filtered) on |= UINT64_C(1) << i;
		if (missing.len && !blind->blind) *blind = (struct blind){ blind->filtered, true, missing, at };
	}
	return on;
}

static void settle_rejects(struct audit *audit, const struct chunk *chunk, enum reject why)
{
	const struct chunk_rejects *from = &chunk->rejects[why];
	struct rejects *r = &audit->rejects[why];

	audit->lines_read += from->count;
	audit->lines_rejected += from->count;
	audit->file_rejected += from->count;
	r->group.count += from->count;
	for (unsigned i = 0; i < EVIDENCE_MAX && i < from->count; i++) evidence_add(&r->group.evidence, chunk_place(chunk, from->numbers[i]));
	if (!r->example && from->count && from->example.len) r->example = must(strndup(from->example.ptr, from->example.len));
}

bool audit_settle(struct audit *audit, struct chunk *chunk)
{
	chunk->file = audit->here.file;
	chunk->first = audit->here.line + 1;
	chunk->rules_on = audit->rules_on;
	progress_add(audit->progress, chunk->text.len);
	audit->here.line += chunk->numbers;
	for (size_t i = 0; i < chunk->count; i++) facts_name(&chunk->lines[i], &audit->names);
	audit->lines_read += chunk->count + chunk->left_out;
	audit->lines_left_out += chunk->left_out;
	audit->lines_counted += chunk->count;
	audit->file_counted += chunk->count + chunk->left_out;
	audit->lines_header += chunk->turn_count;
	for (int i = 0; i < REJECT_COUNT; i++)
		if (chunk->rejects[i].count) settle_rejects(audit, chunk, (enum reject)i);
	for (size_t i = 0; i < chunk->turn_count && !audit->reader.line; i++) {
		struct turn *turn = &chunk->turns[i];
		audit->rules_on = turn->rules_on = choose_rules(audit, &turn->columns, chunk_place(chunk, turn->number));
	}
	if (!chunk->newer) return true;
	audit->file_newer = true;
	if (chunk->rejects[REJECT_other_columns].count) {
		say(&audit->troubles, &audit->trouble_count, "%s:%" PRIu64 ": %s; nothing after this line was read: give what follows as a file of "
			"its own", audit_path(audit, audit->here), audit->here.line, reject_rows[REJECT_other_columns].doc);
		return false;
	}
	say(&audit->troubles, &audit->trouble_count, "%s:%" PRIu64 ": the header line is of a newer schema than %d, the newest that "
		"this logaudit knows; use the logaudit that came with that proxyd; nothing after this line was read",
		audit_path(audit, audit->here), audit->here.line, LOG_SCHEMA_VERSION);
	return false;
}

/* ---- shares ---- */

static void feed_reader(struct audit *audit, const struct chunk *chunk)
{
	const struct audit_reader *reader = &audit->reader;
	size_t turn = 0;

	for (size_t i = 0; i <= chunk->count; i++) {
		for (; turn < chunk->turn_count && chunk->turns[turn].at == i && reader->columns; turn++)
			reader->columns(reader->arg, &chunk->turns[turn].columns, chunk_place(chunk, chunk->turns[turn].number));
		if (i < chunk->count) reader->line(reader->arg, &chunk->lines[i].line, chunk_place(chunk, chunk->lines[i].number));
	}
}

static void ahead_table(const struct audit *audit, const struct logline *line, unsigned table)
{
	if (table == 1) worth_ahead(&audit->worth, line);
	if (table == 3) worth_ahead_frequent(&audit->worth, line);
}

static void feed_table(struct audit *audit, const struct chunk *chunk, size_t block, unsigned table)
{
	for (size_t i = 64 * block; i < chunk->count && i < 64 * (block + 1); i++) ahead_table(audit, &chunk->lines[i].line, table);
	for (size_t i = 64 * block; i < chunk->count && i < 64 * (block + 1); i++) {
		const struct parsed *parsed = &chunk->lines[i];
		switch (table) {
		case 0: tally_add(&audit->tally, &parsed->line); break;
		case 1: worth_add(&audit->worth, &parsed->line); break;
		case 2: metrics_add(&audit->metrics, &parsed->line, chunk_place(chunk, parsed->number)); break;
		case 3: worth_add_frequent(&audit->worth, &parsed->line); break;
		case 4: worth_add_series(&audit->worth, &parsed->line); break;
		default: return;
		}
	}
}

/* Of the lines 64 * block and following, a bit each: those that concern the rule and have all its columns. */
static uint64_t lines_of(const struct chunk *chunk, size_t block, int rule)
{
	uint64_t lines = rule_concerns[rule] ? 0 : UINT64_MAX, with_columns = 0, on = chunk->rules_on;
	size_t from = 0, first = 64 * block, last = chunk->count < first + 64 ? chunk->count : first + 64;

	for (uint32_t left = rule_concerns[rule]; left; left &= left - 1) lines |= chunk->traits[block].has[__builtin_ctz(left)];
	for (size_t turn = 0; turn <= chunk->turn_count; turn++) {
		size_t to = turn < chunk->turn_count ? chunk->turns[turn].at : chunk->count, begin = from > first ? from : first, end = to < last ? to : last;
		if (on >> rule & 1 && begin < end) with_columns |= UINT64_MAX >> (64 - (end - begin)) << (begin - first);
		from = to;
		if (turn < chunk->turn_count) on = chunk->turns[turn].rules_on;
	}
	return lines & with_columns;
}

static void feed_rule(struct audit *audit, const struct chunk *chunk, size_t block, int rule)
{
	const struct rule_ops *ops = rules[rule].ops;
	void *state = audit->rule_state[rule];

	uint64_t lines = state ? lines_of(chunk, block, rule) : 0;

	if (rule_aheads[rule])
		for (uint64_t left = lines; left; left &= left - 1)
			rule_aheads[rule](state, &chunk->lines[64 * block + (size_t)__builtin_ctzll(left)].line);
	for (uint64_t left = lines; left; left &= left - 1) {
		const struct parsed *parsed = &chunk->lines[64 * block + (size_t)__builtin_ctzll(left)];
		ops->line(state, &parsed->line, chunk_place(chunk, parsed->number));
	}
}

void audit_share(struct audit *audit, const struct chunk *chunk, unsigned share)
{
	if (audit->reader.line) {
		if (share == 0) feed_reader(audit, chunk);
		return;
	}
	/* What 64 lines have to say stays in the nearest cache while all ask them. */
	for (size_t block = 0; 64 * block < chunk->count; block++) {
		feed_table(audit, chunk, block, share);
		for (unsigned i = share; i < RULE_COUNT; i += AUDIT_SHARES) feed_rule(audit, chunk, block, (int)i);
	}
}

static bool take_chunk(struct audit *audit, struct chunk *chunk)
{
	bool more = audit_settle(audit, chunk);

	for (unsigned share = 0; share < AUDIT_SHARES; share++) audit_share(audit, chunk, share);
	return more;
}

bool audit_line(struct audit *audit, struct slice text, uint64_t number, enum input_trouble trouble)
{
	static const enum reject troubles[] = { [INPUT_none] = REJECT_none, [INPUT_too_long] = REJECT_too_long, [INPUT_no_newline] = REJECT_no_newline };

	audit->here.line = number - 1;
	chunk_parse_one(&audit->one, &audit->parser, text, troubles[trouble]);
	return take_chunk(audit, &audit->one);
}

/* ---- files ---- */

bool audit_head(struct audit *audit, struct slice head)
{
	struct audit_file *file = &audit->files[audit->file_count - 1];
	const struct columns *columns;
	char why[FORMAT_WHY_MAX];

	if (!format_open(head, audit->format, &file->format, why)) {
		say(&audit->troubles, &audit->trouble_count, "%s: --format: %s", file->path, why);
		return false;
	}
	if (!file->format) return true;
	line_parser_use(&audit->parser, file->format);
	columns = &audit->parser.state.columns;
	audit->tally.untold = !columns->present[LOG_FIELD_cache];
	if (!audit->reader.line) audit->rules_on = choose_rules(audit, columns, audit->here);
	else if (audit->reader.columns) audit->reader.columns(audit->reader.arg, columns, audit->here);
	return true;
}

void audit_begin(struct audit *audit, const char *name)
{
	audit->files = must(realloc(audit->files, (audit->file_count + 1) * sizeof(*audit->files)));
	audit->files[audit->file_count] = (struct audit_file){ .path = must(strdup(name)) };
	audit->here = (struct place){ (uint32_t)audit->file_count, 0 };
	audit->file_count++;
	audit->file_counted = audit->file_rejected = 0;
	audit->file_newer = false;
	line_parser_restart(&audit->parser);
	metrics_restart(&audit->metrics);
	audit->rules_on = 0;
	audit->tally.untold = false;
}

void audit_end(struct audit *audit)
{
	const char *path = audit->files[audit->file_count - 1].path;

	if (audit->file_counted == 0 && audit->file_rejected > 0 && !audit->file_newer)
		say(&audit->troubles, &audit->trouble_count, "%s: no line of it could be counted: is it an access log of proxyd, with its "
			"header line (rec/%d,t_us,...)? or of another program, by a format of its own (--format; logaudit formats)", path, LOG_SCHEMA_VERSION);
}

/* Why the input ended before its end; empty: it did not. */
static void read_input(struct audit *audit, struct input *input, char why[256])
{
	struct chunk chunk;
	bool more = true;

	if (audit->threads > 1) {
		pipeline_run(audit, input, why);
		return;
	}
	chunk_init(&chunk);
	chunk.filter = audit->filter;
	while (more && input_next(input, &chunk, why)) {
		chunk_parse(&chunk, &audit->parser, chunk.text.ptr + chunk.text.len + CHUNK_SLACK);
		more = take_chunk(audit, &chunk);
	}
	chunk_release(&chunk);
}

/* A file that was given before, perhaps by another name, would be counted twice. */
static const char *given_before(const struct audit *audit, const struct stat *st)
{
	for (size_t i = 0; i < audit->file_count; i++)
		if (audit->files[i].dev == st->st_dev && audit->files[i].ino == st->st_ino) return audit->files[i].path;
	return NULL;
}

void audit_read(struct audit *audit, const char *path)
{
	struct stat st = { 0 };
	bool is_stdin = strcmp(path, "-") == 0, known;
	struct input *input;
	char why[256] = "";

	if (!is_stdin && stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
		const char *before = given_before(audit, &st);
		if (before) {
			say(&audit->notes, &audit->note_count, "%s: read once only: it is the same file as %s", path, before);
			return;
		}
	}
	audit_begin(audit, is_stdin ? "(standard input)" : path);
	audit->files[audit->file_count - 1].dev = st.st_dev;
	audit->files[audit->file_count - 1].ino = st.st_ino;
	input = input_open(path, why);
	known = input && audit_head(audit, input_head(input));
	if (known) read_input(audit, input, why);
	input_close(&input);
	if (*why) audit_trouble(audit, path, why);
	else if (known && audit->here.line == 0) audit_note(audit, path, "it is empty");
	audit_end(audit);
}

void audit_finish(struct audit *audit)
{
	for (int i = 0; i < RULE_COUNT; i++) {
		if (!audit->rule_state[i]) continue;
		rules[i].ops->finish(audit->rule_state[i], &rules[i], &audit->findings);
		free(audit->rule_state[i]);
		audit->rule_state[i] = NULL;
	}
	findings_sort(&audit->findings);
}

static void list_release(char **list, size_t count)
{
	for (size_t i = 0; i < count; i++) free(list[i]);
	free(list);
}

void audit_release(struct audit *audit)
{
	struct findings unread = { 0 };

	for (int i = 0; i < RULE_COUNT; i++) {
		if (!audit->rule_state[i]) continue;
		rules[i].ops->finish(audit->rule_state[i], &rules[i], &unread);
		free(audit->rule_state[i]);
	}
	findings_release(&unread);
	for (size_t i = 0; i < audit->file_count; i++) {
		free(audit->files[i].path);
		format_free(&audit->files[i].format);
	}
	free(audit->files);
	for (int i = 0; i < REJECT_COUNT; i++) free(audit->rejects[i].example);
	list_release(audit->troubles, audit->trouble_count);
	list_release(audit->notes, audit->note_count);
	line_parser_release(&audit->parser);
	chunk_release(&audit->one);
	names_release(&audit->names.nodes);
	names_release(&audit->names.hosts);
	names_release(&audit->names.volumes);
	tally_release(&audit->tally);
	worth_release(&audit->worth);
	metrics_release(&audit->metrics);
	findings_release(&audit->findings);
	*audit = (struct audit){ 0 };
}

const char *audit_path(const struct audit *audit, struct place at)
{
	return audit->files[at.file].path;
}

int audit_worst(const struct audit *audit)
{
	int worst = -1;

	for (size_t i = 0; i < audit->findings.count; i++)
		if ((int)audit->findings.rows[i].severity > worst) worst = (int)audit->findings.rows[i].severity;
	return worst;
}
