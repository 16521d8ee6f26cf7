/* The same as JSON, for programs: one object. Texts are as they stand in the log; bytes that are no UTF-8 become \xHH. */
#include "judge.h"
#include "json.h"
#include "report.h"
#include "show.h"

json_t *json_shown(struct slice text)
{
	char shown[SHOW_TEXT_MAX];

	return must(json_string(show_text(shown, text, 0)));
}

void put_number(json_t *object, const char *name, uint64_t n)
{
	/* JSON's whole numbers are signed here; a hostile line may hold more. */
	json_object_set_new(object, name, must(n <= INT64_MAX ? json_integer((json_int_t)n) : json_real((double)n)));
}

void put_text(json_t *object, const char *name, const char *value)
{
	json_object_set_new(object, name, json_shown(slice_str(value)));
}

void put_ratio(json_t *object, const char *name, uint64_t part, uint64_t whole)
{
	json_object_set_new(object, name, must(whole ? json_real((double)part / (double)whole) : json_null()));
}

static json_t *evidence_json(const struct audit *audit, const struct evidence *evidence)
{
	json_t *list = must(json_array());

	for (unsigned i = 0; i < evidence->count; i++) {
		json_t *place = must(json_object());
		put_text(place, "file", audit_path(audit, evidence->at[i]));
		put_number(place, "line", evidence->at[i].line);
		json_array_append_new(list, place);
	}
	return list;
}

void lines_json(const struct audit *audit, json_t *root)
{
	json_t *rejected = must(json_array()), *errors = must(json_array()), *notes = must(json_array());

	put_number(root, "lines_read", audit->lines_read);
	put_number(root, "lines_counted", audit->lines_counted);
	put_number(root, "lines_left_out", audit->lines_left_out);
	json_object_set_new(root, "filter", audit->filter ? json_shown(slice_str(audit->filter->words)) : must(json_null()));
	put_number(root, "lines_rejected", audit->lines_rejected);
	put_number(root, "lines_header", audit->lines_header);
	for (int i = 0; i < REJECT_COUNT; i++) {
		const struct rejects *r = &audit->rejects[i];
		json_t *row;
		if (!r->group.count) continue;
		row = must(json_object());
		put_text(row, "reason", reject_rows[i].name);
		put_text(row, "doc", reject_rows[i].doc);
		put_number(row, "count", r->group.count);
		if (r->example) put_text(row, "example", r->example);
		json_object_set_new(row, "evidence", evidence_json(audit, &r->group.evidence));
		json_array_append_new(rejected, row);
	}
	json_object_set_new(root, "rejected", rejected);
	for (size_t i = 0; i < audit->trouble_count; i++) json_array_append_new(errors, json_shown(slice_str(audit->troubles[i])));
	json_object_set_new(root, "errors", errors);
	formats_used_json(audit, root);
	for (size_t i = 0; i < audit->note_count; i++) json_array_append_new(notes, json_shown(slice_str(audit->notes[i])));
	json_object_set_new(root, "notes", notes);
	formats_used_json(audit, root);
}

static void findings_json(const struct audit *audit, json_t *root)
{
	json_t *list = must(json_array()), *blind = must(json_array());

	for (size_t i = 0; i < audit->findings.count; i++) {
		const struct finding *f = &audit->findings.rows[i];
		json_t *row = must(json_object());
		put_text(row, "rule", f->rule->id);
		put_text(row, "severity", severity_names[f->severity]);
		put_text(row, "subject", f->subject);
		put_number(row, "count", f->count);
		json_object_set_new(row, "evidence", evidence_json(audit, &f->evidence));
		put_text(row, "cause", f->cause);
		put_text(row, "cure", f->cure);
		json_array_append_new(list, row);
	}
	json_object_set_new(root, "findings", list);
	for (int i = 0; i < RULE_COUNT; i++) {
		json_t *row;
		if ((!audit->blind[i].blind && !audit->blind[i].filtered) || !rules[i].ops->line) continue;
		row = must(json_object());
		put_text(row, "rule", rules[i].id);
		json_object_set_new(row, "column", audit->blind[i].blind ? json_shown(audit->blind[i].column) : must(json_null()));
		json_object_set_new(row, "filtered", json_boolean(audit->blind[i].filtered));
		json_array_append_new(blind, row);
	}
	json_object_set_new(root, "cannot_tell", blind);
}

static void compare_json(const struct compare *compare, json_t *root)
{
	json_t *list = must(json_array());

	for (int i = 0; i < COUNTER_COUNT; i++) {
		const struct compare_row *row = &compare->rows[i];
		json_t *object = must(json_object());
		put_text(object, "name", counter_rows[i].name.ptr);
		if (row->present) put_number(object, "metrics", row->scrape);
		else json_object_set_new(object, "metrics", json_null());
		put_number(object, "log", row->log);
		json_object_set_new(object, "differs", json_boolean(row->differs));
		if (row->present) json_object_set_new(object, "difference", must(json_integer((json_int_t)(row->scrape - row->log))));
		json_array_append_new(list, object);
	}
	json_object_set_new(root, "node", json_shown(compare->node));
	json_object_set_new(root, "counters", list);
	put_number(root, "differences", compare->differences);
	put_number(root, "lost", compare->lost);
}

void json_print(json_t *root, FILE *out)
{
	CHECK(root);
	/* 17 digits are the shortest that every double survives. */
	json_dumpf(root, out, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
	fputc('\n', out);
	json_decref(root);
}

json_t *report_json_new(const struct audit *audit, bool with_totals, const struct compare *compare)
{
	json_t *root = must(json_object());

	lines_json(audit, root);
	if (with_totals) {
		json_t *verdict = must(json_object());
		struct judgement judgement = judge_audit(audit);
		put_text(verdict, "verdict", judged_names[judgement.judged]);
		put_text(verdict, "text", judgement.text);
		json_object_set_new(verdict, "incomplete", json_boolean(judgement.incomplete));
		json_object_set_new(root, "verdict", verdict);
		tally_json(&audit->tally, root);
		worth_json(&audit->worth, root);
	}
	if (compare) compare_json(compare, root);
	findings_json(audit, root);
	return root;
}

void report_json(const struct audit *audit, bool with_totals, const struct compare *compare, FILE *out)
{
	json_print(report_json_new(audit, with_totals, compare), out);
}

/* ---- the tables ---- */

static json_t *rows_json(const struct enum_row *rows, int count)
{
	json_t *list = must(json_array());

	for (int i = 0; i < count; i++) {
		json_t *row = must(json_object());
		put_text(row, "name", rows[i].name.ptr);
		json_object_set_new(row, "text", json_shown(slice_make(rows[i].log_text, rows[i].log_len)));
		if (rows[i].extra[0]) put_text(row, "setting", rows[i].extra);
		if (rows[i].status) put_number(row, "status", (uint64_t)rows[i].status);
		put_text(row, "doc", rows[i].doc);
		json_array_append_new(list, row);
	}
	return list;
}

void fields_json(FILE *out)
{
	json_t *root = must(json_object()), *fields = must(json_array()), *values = must(json_object());

	put_number(root, "schema", LOG_SCHEMA_VERSION);
	for (int i = 0; i < LOG_FIELD_COUNT; i++) {
		json_t *row = must(json_object());
		put_text(row, "name", log_field_rows[i].name.ptr);
		put_text(row, "kind", log_field_rows[i].kind);
		put_text(row, "doc", log_field_rows[i].doc);
		json_array_append_new(fields, row);
	}
	json_object_set_new(root, "fields", fields);
	json_object_set_new(values, "rec", rows_json(record_rows, REC_COUNT));
	json_object_set_new(values, "found", rows_json(found_rows, FOUND_COUNT));
	json_object_set_new(values, "cache", rows_json(verdict_rows, VERDICT_COUNT));
	json_object_set_new(values, "tier", rows_json(tier_rows, TIER_COUNT));
	json_object_set_new(values, "nostore", rows_json(nostore_rows, NOSTORE_COUNT));
	json_object_set_new(values, "end", rows_json(end_rows, END_COUNT));
	json_object_set_new(values, "refusal", rows_json(refusal_rows, REFUSAL_COUNT));
	json_object_set_new(values, "uncoded", rows_json(uncoded_rows, UNCODED_COUNT));
	json_object_set_new(root, "values", values);
	json_print(root, out);
}

void rules_json(FILE *out)
{
	json_t *root = must(json_object()), *list = must(json_array());

	for (int i = 0; i < RULE_COUNT; i++) {
		json_t *row = must(json_object());
		put_text(row, "rule", rules[i].id);
		put_text(row, "severity", severity_names[rules[i].severity]);
		put_text(row, "doc", rules[i].doc);
		put_text(row, "cause", rules[i].cause);
		put_text(row, "cure", rules[i].cure);
		put_text(row, "columns", rules[i].columns);
		json_array_append_new(list, row);
	}
	json_object_set_new(root, "rules", list);
	json_print(root, out);
}
