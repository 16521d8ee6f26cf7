/* Formats: their tables, choosing one, and the way of a line. */
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "format_internal.h"

const struct dialect_row dialect_rows[DIALECT_COUNT] = {
#define DIALECT(symbol, prefix, stamp, doc) { prefix, STAMP_##stamp, doc },
#include "tbl/format_dialects.h"
#undef DIALECT
};

const struct format_row format_rows[FORMAT_COUNT] = {
#define FORMAT(symbol, name, dialect, stamp, layout, detected, caveat) { name, DIALECT_##dialect, STAMP_##stamp, layout, detected, caveat },
#include "tbl/formats.h"
#undef FORMAT
};

const struct take takes[TAKE_COUNT] = {
#define TAKE(symbol, columns) { take_##symbol, columns },
#include "tbl/format_takes.h"
#undef TAKE
};

const struct field_row field_rows[] = {
#define FIELD(dialect, name, take) { DIALECT_##dialect, { "" name, sizeof(name) - 1 }, TAKE_##take },
#include "tbl/format_fields.h"
#undef FIELD
};
const size_t field_row_count = COUNT_OF(field_rows);

enum take_id field_take(enum dialect dialect, struct slice name)
{
	for (size_t i = 0; i < field_row_count; i++) {
		bool same = field_rows[i].dialect == dialect || (dialect == DIALECT_VARNISH && field_rows[i].dialect == DIALECT_HTTPD);
		if (same && slice_eq(field_rows[i].name, name)) return field_rows[i].take;
	}
	return TAKE_skip;
}

/* ---- one format ---- */

static void column_claim(struct format *format, struct slice column)
{
	size_t field = 0;

	while (field < LOG_FIELD_COUNT && !slice_eq(log_field_rows[field].name, column)) field++;
	CHECK(field < LOG_FIELD_COUNT);  /* tbl/format_takes.h names a column that is none */
	format->present[field] = true;
}

void format_claim(struct format *format, enum take_id take)
{
	const char *at = takes[take].columns;

	while (*at) {
		size_t len = strcspn(at, " ");
		column_claim(format, slice_make(at, len));
		at += len + (at[len] == ' ');
	}
}

struct format *format_new(enum dialect dialect, enum stamp stamp, const char *layout, const char *name, const char *caveat)
{
	struct format *format = must(calloc(1, sizeof(*format)));

	format->dialect = dialect;
	format->stamp = stamp;
	format->caveat = caveat;
	format->runs = dialect == DIALECT_SQUID;
	format->find_start = dialect == DIALECT_HAPROXY;
	format->present[LOG_FIELD_rec] = true;
	snprintf(format->layout, sizeof(format->layout), "%s", layout);
	snprintf(format->name, sizeof(format->name), "%s", name);
	return format;
}

void format_free(struct format **format)
{
	free(*format);
	*format = NULL;
}

const char *format_name(const struct format *format) { return format->name; }
const bool *format_present(const struct format *format) { return format->present; }
const char *format_detected(const struct format *format) { return format->detected[0] ? format->detected : NULL; }
const char *format_caveat(const struct format *format) { return format->caveat; }

/* ---- choosing ---- */

static bool json_seen(void *arg, struct slice path, struct slice text)
{
	struct format *format = arg;
	const char *leaf = path.len ? memrchr(path.ptr, '>', path.len) : NULL;
	struct slice name = leaf ? slice_make(leaf + 1, (size_t)(path.ptr + path.len - leaf - 1)) : path;

	(void)text;
	format_claim(format, field_take(DIALECT_NGINX, name));
	return true;
}

/* Keys that are nginx's variables: all are read, and those of the first lines are claimed. */
static void keys_from_fields(struct format *format, struct slice head)
{
	struct slice line;

	format->json = true;
	for (size_t i = 0; i < field_row_count; i++) {
		if (field_rows[i].dialect != format->dialect) continue;
		json_key_add(format, field_rows[i].name, field_rows[i].take);
		if (format->dialect == DIALECT_CADDY) format_claim(format, field_rows[i].take);
	}
	while (format->dialect == DIALECT_NGINX && head_line(&head, &line)) json_walk(line, json_seen, format);
}

static bool format_compile(struct format *format, struct slice head, char why[FORMAT_WHY_MAX])
{
	if (format->dialect == DIALECT_W3C) return w3c_compile(format, head, why);
	if (format->layout[0] == '{') return json_compile(format, slice_str(format->layout), why);
	if (format->layout[0]) return layout_compile(format, why);
	keys_from_fields(format, head);
	/* Caddy tells of hits only where something adds Cache-Status. */
	if (format->dialect == DIALECT_CADDY) format->present[LOG_FIELD_cache] = memmem(head.ptr, head.len, "\"Cache-Status\"", 14) != NULL;
	return true;
}

bool format_from_row(enum format_id id, struct slice head, struct format **ret_format, char why[FORMAT_WHY_MAX])
{
	const struct format_row *row = &format_rows[id];
	struct format *format = format_new(row->dialect, row->stamp, row->layout, row->name, row->caveat);

	if (!format_compile(format, head, why)) {
		format_free(&format);
		return false;
	}
	/* Answers of HAProxy's own cache are told apart where there is one. */
	if (row->dialect == DIALECT_HAPROXY) format->present[LOG_FIELD_cache] = memmem(head.ptr, head.len, "/<CACHE> ", 9) != NULL;
	*ret_format = format;
	return true;
}

static bool from_layout(struct slice prefix, const char *layout, struct slice head, struct format **ret_format, char why[FORMAT_WHY_MAX])
{
	if (!layout[0]) {
		snprintf(why, FORMAT_WHY_MAX, "the layout is empty");
		return false;
	}
	for (int i = 0; i < DIALECT_COUNT; i++) {
		struct format *format;
		if (!dialect_rows[i].prefix[0] || !slice_eq(slice_str(dialect_rows[i].prefix), prefix)) continue;
		format = format_new((enum dialect)i, dialect_rows[i].stamp, layout, "", "");
		snprintf(format->name, sizeof(format->name), "%s:%.*s", dialect_rows[i].prefix, LAYOUT_MAX - 64, layout);
		if (!format_compile(format, head, why)) {
			format_free(&format);
			return false;
		}
		*ret_format = format;
		return true;
	}
	snprintf(why, FORMAT_WHY_MAX, "'%.*s' has no layouts of its own: see logaudit formats", (int)(prefix.len < 60 ? prefix.len : 60), prefix.ptr);
	return false;
}

bool format_open(struct slice head, const char *wanted, struct format **ret_format, char why[FORMAT_WHY_MAX])
{
	const char *colon = wanted ? strchr(wanted, ':') : NULL;

	*ret_format = NULL;
	if (!wanted) {
		*ret_format = format_detect(head);
		return true;
	}
	if (strcmp(wanted, "proxyd") == 0) return true;
	if (strlen(wanted) >= LAYOUT_MAX) {
		snprintf(why, FORMAT_WHY_MAX, "it is longer than %d bytes", LAYOUT_MAX - 1);
		return false;
	}
	if (colon) return from_layout(slice_make(wanted, (size_t)(colon - wanted)), colon + 1, head, ret_format, why);
	for (int i = 0; i < FORMAT_COUNT; i++)
		if (strcmp(format_rows[i].name, wanted) == 0) return format_from_row((enum format_id)i, head, ret_format, why);
	snprintf(why, FORMAT_WHY_MAX, "there is no format '%.60s': see logaudit formats", wanted);
	return false;
}

/* ---- a line ---- */

struct format_scratch *format_scratch_new(void) { return must(calloc(1, sizeof(struct format_scratch))); }

void format_scratch_free(struct format_scratch **scratch)
{
	free(*scratch);
	*scratch = NULL;
}

void format_scratch_trace(struct format_scratch *scratch, format_trace_fn *fn, void *arg)
{
	scratch->trace = fn;
	scratch->trace_arg = arg;
}

enum { MARK_odd = 1, MARK_nul = 2 };

static unsigned byte_mark(unsigned char c, bool tabs)
{
	return c == 0 ? MARK_nul : (c < 0x20 && !(tabs && c == '\t')) || c == 0x7f || c == '\\' ? MARK_odd : 0;
}

/* What the line has of backslashes, control bytes and NUL. tabs: these are its separators. */
static unsigned line_marks(struct slice text, bool tabs)
{
	unsigned seen = 0;
	size_t i = 0;

#ifdef __SSE2__
	__m128i odd = _mm_setzero_si128(), nul = odd;
	for (; i + 16 <= text.len; i += 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)(const void *)(text.ptr + i));
		__m128i control = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1f)), x);
		if (tabs) control = _mm_andnot_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('\t')), control);
		odd = _mm_or_si128(odd, _mm_or_si128(control, _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f)), _mm_cmpeq_epi8(x, _mm_set1_epi8('\\')))));
		nul = _mm_or_si128(nul, _mm_cmpeq_epi8(x, _mm_setzero_si128()));
	}
	seen |= _mm_movemask_epi8(odd) ? MARK_odd : 0;
	seen |= _mm_movemask_epi8(nul) ? MARK_nul : 0;
#endif
	for (; i < text.len; i++) seen |= byte_mark((unsigned char)text.ptr[i], tabs);
	return seen;
}

static enum escape escape_of(const struct format *format)
{
	if (format->json) return ESCAPE_json;
	if (format->dialect == DIALECT_HAPROXY) return ESCAPE_hash;
	return format->dialect == DIALECT_W3C || format->dialect == DIALECT_SQUID || format->dialect == DIALECT_TRAFFICSERVER ? ESCAPE_none
		: ESCAPE_backslash;
}

/* HAProxy's own answers have no word of their own: who ended the session says what they are. */
static void verdict_by_state(struct work *work)
{
	struct logline *line = work->line;

	if (line->cache != VERDICT_none || line->origin_tries) return;
	if (work->state == 'L') line->cache = VERDICT_synth;
	else if (work->state == 'P') line->cache = VERDICT_refused;
	else if (work->state && !strchr("-Cc", work->state)) line->cache = VERDICT_error;
}

static void query_join(struct work *work)
{
	struct logline *line = work->line;
	size_t len = line->target.len + 1 + work->query.len;
	char *out;

	if (!work->query.len || !line->target.len || memchr(line->target.ptr, '?', line->target.len)) return;
	if (len > 2 * LOG_STR_MAX || !(out = scratch_room(work->scratch, len))) return;
	memcpy(out, line->target.ptr, line->target.len);
	out[line->target.len] = '?';
	memcpy(out + line->target.len + 1, work->query.ptr, work->query.len);
	line->target = slice_make(out, len);
}

/* What follows only from several values together. */
static void work_finish(const struct format *format, struct work *work)
{
	struct logline *line = work->line;

	line->t_us = work->at_us + work->fraction_us;
	if (format->stamp == STAMP_END && work->total_known && line->total_us < line->t_us) line->t_us -= line->total_us;
	query_join(work);
	if (work->header_us >= 0) {
		bool parted = line->connect_us > 0 && line->connect_us < work->header_us;
		line->origin_first_us = work->header_us - (parted ? line->connect_us : 0);
	}
	if (format->dialect != DIALECT_HAPROXY) return;
	if (work->request_ms >= 0 && work->queue_ms >= 0 && work->connect_ms >= 0 && work->answer_ms >= 0)
		line->first_us = (work->request_ms + work->queue_ms + work->connect_ms + work->answer_ms) * 1000;
	verdict_by_state(work);
}

static enum reject line_read(const struct format *format, struct work *work, struct slice text, struct slice *ret_column, bool *ret_header)
{
	if (format->dialect == DIALECT_W3C) return w3c_line(format, work, text, ret_column, ret_header);
	if (format->json) return json_line(format, work, text, ret_column);
	if (format->find_start) {
		size_t start = haproxy_start(text);
		if (start == text.len) return memmem(text.ptr, text.len, "haproxy", 7) ? REJECT_other_line : REJECT_no_match;
		text = slice_make(text.ptr + start, text.len - start);
	}
	return layout_line(format, work, text, ret_column);
}

enum reject format_line(const struct format *format, struct format_scratch *scratch, struct slice text, struct logline *ret_line,
	struct slice *ret_column, bool *ret_header)
{
	struct work work = { .line = ret_line, .scratch = scratch, .escape = escape_of(format), .header_us = -1, .request_ms = -1, .queue_ms = -1,
		.connect_ms = -1, .answer_ms = -1 };
	unsigned marks;
	enum reject why;

	*ret_header = false;
	*ret_column = slice_make(NULL, 0);
	if (text.len && text.ptr[text.len - 1] == '\r') text.len--;
	if (text.len == 0) return REJECT_no_match;
	scratch->used = 0;
	marks = line_marks(text, format->separator == '\t');
	if (marks & MARK_nul) return REJECT_control_byte;
	work.plain = !marks;
	logline_init(ret_line);
	why = line_read(format, &work, text, ret_column, ret_header);
	if (why != REJECT_none || *ret_header) return why;
	if (work.other) return REJECT_other_line;
	if (format->present[LOG_FIELD_t_us] && !work.at_us) {
		*ret_column = log_field_rows[LOG_FIELD_t_us].name;
		return REJECT_bad_value;
	}
	work_finish(format, &work);
	return REJECT_none;
}
