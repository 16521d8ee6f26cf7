/* The way of a line: parsed, counted, shown to the rules; or rejected with its reason. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "audit.h"

void audit_init(struct audit *audit)
{
	*audit = (struct audit){ 0 };
	line_parser_init(&audit->parser);
	tally_init(&audit->tally);
	worth_init(&audit->worth);
	metrics_init(&audit->metrics);
	for (int i = 0; i < RULE_COUNT; i++) {
		const struct rule_ops *ops = rules[i].ops;
		if (!ops->line) continue;
		audit->rule_state[i] = must(calloc(1, ops->state_size));
		ops->init(audit->rule_state[i]);
	}
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

/* ---- lines ---- */

static int column_find(struct slice name)
{
	int field = 0;

	while (field < LOG_FIELD_COUNT && !slice_eq(log_field_rows[field].name, name)) field++;
	CHECK(field < LOG_FIELD_COUNT);  /* tbl/rules.h names a column that is none */
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

static void choose_rules(struct audit *audit)
{
	for (int i = 0; i < RULE_COUNT; i++) {
		struct slice missing = column_missing(&rules[i], &audit->parser.columns);
		audit->rule_on[i] = !missing.len && rules[i].ops->line;
		if (missing.len && !audit->blind[i].blind)
			audit->blind[i] = (struct blind){ true, missing, audit->here };
	}
}

static void reject(struct audit *audit, enum reject why, struct slice detail)
{
	struct rejects *r = &audit->rejects[why];

	audit->lines_read++;
	audit->lines_rejected++;
	audit->file_rejected++;
	group_add(&r->group, audit->here);
	if (!r->example && detail.len) r->example = must(strndup(detail.ptr, detail.len));
}

static void count(struct audit *audit, const struct logline *line)
{
	audit->lines_read++;
	audit->lines_counted++;
	audit->file_counted++;
	if (audit->reader.line) {
		audit->reader.line(audit->reader.arg, line, audit->here);
		return;
	}
	tally_add(&audit->tally, line);
	worth_add(&audit->worth, line);
	metrics_add(&audit->metrics, line, audit->here);
	for (int i = 0; i < RULE_COUNT; i++)
		if (audit->rule_on[i]) rules[i].ops->line(audit->rule_state[i], line, audit->here);
}

bool audit_line(struct audit *audit, struct slice text, uint64_t number, enum input_trouble trouble)
{
	struct logline line;
	enum reject why = REJECT_none;
	struct slice column = { NULL, 0 };

	audit->here.line = number;
	if (trouble != INPUT_none) {
		reject(audit, trouble == INPUT_too_long ? REJECT_too_long : REJECT_no_newline, column);
		return true;
	}
	switch (line_parse(&audit->parser, text, &line, &why, &column)) {
	case LINE_record:
		count(audit, &line);
		break;
	case LINE_header:
		audit->lines_header++;
		if (audit->reader.columns) audit->reader.columns(audit->reader.arg, &audit->parser.columns, audit->here);
		else choose_rules(audit);
		break;
	case LINE_rejected:
		reject(audit, why, column);
		break;
	case LINE_newer:
		audit->file_newer = true;
		say(&audit->troubles, &audit->trouble_count, "%s:%" PRIu64 ": the header line is of a newer schema than %d, the newest that "
			"this logaudit knows; use the logaudit that came with that proxyd; nothing after this line was read",
			audit_path(audit, audit->here), number, LOG_SCHEMA_VERSION);
		return false;
	}
	return true;
}

/* ---- files ---- */

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
	for (int i = 0; i < RULE_COUNT; i++) audit->rule_on[i] = false;
}

void audit_end(struct audit *audit)
{
	const char *path = audit->files[audit->file_count - 1].path;

	if (audit->file_counted == 0 && audit->file_rejected > 0 && !audit->file_newer)
		say(&audit->troubles, &audit->trouble_count, "%s: no line of it could be counted: is it an access log of proxyd, with its "
			"header line (rec/%d,t_us,...)", path, LOG_SCHEMA_VERSION);
}

static bool take_line(void *arg, struct slice text, uint64_t number, enum input_trouble trouble)
{
	return audit_line(arg, text, number, trouble);
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
	bool is_stdin = strcmp(path, "-") == 0;
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
	if (!input_read(path, take_line, audit, why))
		say(&audit->troubles, &audit->trouble_count, "%s: %s", path, why);
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
	for (size_t i = 0; i < audit->file_count; i++) free(audit->files[i].path);
	free(audit->files);
	for (int i = 0; i < REJECT_COUNT; i++) free(audit->rejects[i].example);
	list_release(audit->troubles, audit->trouble_count);
	list_release(audit->notes, audit->note_count);
	line_parser_release(&audit->parser);
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
