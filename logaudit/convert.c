/* Conversions. */
#include <inttypes.h>
#include <time.h>

#include "column.h"
#include "convert.h"
#include "json.h"

/* ---- combined ---- */

/* As nginx does it: a quote, a backslash and what is not printable ASCII become \xHH. A dash for nothing. */
static void quoted(const struct logline *line, enum log_field field, FILE *out)
{
	char buf[COLUMN_TEXT_MAX];
	struct slice text = column_plain(line, field, buf);

	if (!text.len) fputc('-', out);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\') fprintf(out, "\\x%02X", c);
		else fputc(c, out);
	}
}

static void combined_time(uint64_t t_us, FILE *out)
{
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t seconds = (time_t)(t_us / 1000000);
	struct tm tm;

	/* A year that no calendar knows: a hostile line. */
	if (t_us / 1000000 > UINT64_C(253402300799) || !gmtime_r(&seconds, &tm)) {
		seconds = 0;
		gmtime_r(&seconds, &tm);
	}
	fprintf(out, "%02d/%s/%04d:%02d:%02d:%02d +0000", tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void combined_header(FILE *out)
{
	(void)out;
}

static void combined_line(const struct logline *l, FILE *out)
{
	if (l->rec != REC_req) return;
	fprintf(out, "%.*s - - [", SLICE_ARG(l->client.len ? l->client : SLICE("-")));
	combined_time(l->t_us, out);
	fputs("] \"", out);
	/* A request line that was not understood is "-", as in other logs. */
	if (l->method.len || l->target.len) {
		quoted(l, LOG_FIELD_method, out);
		fputc(' ', out);
		quoted(l, LOG_FIELD_target, out);
		fprintf(out, " %.*s", SLICE_ARG(l->proto));
	} else {
		fputc('-', out);
	}
	fprintf(out, "\" %03" PRIu64 " %" PRIu64 " \"", l->status, l->body_out);
	quoted(l, LOG_FIELD_referer, out);
	fputs("\" \"", out);
	quoted(l, LOG_FIELD_agent, out);
	fputs("\"\n", out);
}

/* ---- JSON ---- */

static void json_header(FILE *out)
{
	(void)out;
}

static json_t *hash_json(const struct logline *line, enum log_field field)
{
	char buf[COLUMN_TEXT_MAX];
	struct slice text = column_text(line, field, buf);

	return text.len ? json_shown(text) : json_null();
}

static json_t *number_json(int64_t value)
{
	return must(value < 0 ? json_null() : json_integer(value));
}

static json_t *text_json(const struct logline *line, enum log_field field)
{
	char buf[COLUMN_TEXT_MAX];

	return json_shown(column_plain(line, field, buf));
}

#define JSON_U64(field)     must(json_integer((json_int_t)column_number(l, field)))
#define JSON_I64(field)     number_json(column_number(l, field))
#define JSON_BOOL(field)    json_boolean(column_number(l, field))
#define JSON_HEX64(field)   hash_json(l, field)
#define JSON_WORD(field)    text_json(l, field)
#define JSON_STR(field)     text_json(l, field)
#define JSON_RECORD(field)  text_json(l, field)
#define JSON_VERDICT(field) text_json(l, field)
#define JSON_TIER(field)    text_json(l, field)
#define JSON_NOSTORE(field) text_json(l, field)
#define JSON_END(field)     text_json(l, field)
#define JSON_REFUSAL(field) text_json(l, field)
#define JSON_UNCODED(field) text_json(l, field)
#define JSON_FOUND(field)   text_json(l, field)

static void json_line(const struct logline *l, FILE *out)
{
	json_t *root = must(json_object());

#define LOG_FIELD(name, KIND, doc) json_object_set_new(root, #name, JSON_##KIND(LOG_FIELD_##name));
#include "../conf/tbl/log_fields.h"
#undef LOG_FIELD
	json_dumpf(root, out, JSON_COMPACT);
	fputc('\n', out);
	json_decref(root);
}

/* ---- CSV ---- */

static void csv_header(FILE *out)
{
	for (int i = 0; i < LOG_FIELD_COUNT; i++) fprintf(out, "%s%s", i ? "," : "", log_field_rows[i].name.ptr);
	fputs("\r\n", out);
}

static void csv_line(const struct logline *l, FILE *out)
{
	char buf[COLUMN_TEXT_MAX];

	for (int i = 0; i < LOG_FIELD_COUNT; i++) {
		struct slice text = column_plain(l, (enum log_field)i, buf);
		bool quote = column_kind((enum log_field)i) == COLUMN_text && text.len;
		if (i) fputc(',', out);
		if (quote) fputc('"', out);
		for (size_t at = 0; at < text.len; at++) {
			if (text.ptr[at] == '"') fputc('"', out);
			fputc(text.ptr[at], out);
		}
		if (quote) fputc('"', out);
	}
	fputs("\r\n", out);
}

const struct conversion *conversion_find(const char *name)
{
	static const struct conversion conversions[] = {
#define CONVERSION(name, doc) { #name, name##_header, name##_line },
		CONVERSIONS(CONVERSION)
#undef CONVERSION
	};

	for (size_t i = 0; i < COUNT_OF(conversions); i++)
		if (strcmp(conversions[i].name, name) == 0) return &conversions[i];
	return NULL;
}
