/* Filters. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "../conf/check.h"
#include "filter.h"
#include "moment.h"

/* A backtracking bomb ends as "no match". */
#define LIMITS "(*LIMIT_MATCH=100000)(*LIMIT_DEPTH=10000)(*LIMIT_HEAP=4096)"

static const struct { const char *text; enum filter_op op; } operators[] = {
	/* The longer ones first. */
	{ "!=", FILTER_is_not }, { "!~", FILTER_matches_not }, { "=", FILTER_is }, { "<", FILTER_below }, { ">", FILTER_above }, { "~", FILTER_matches },
};

void filter_init(struct filter *filter)
{
	*filter = (struct filter){ 0 };
}

void filter_release(struct filter *filter)
{
	for (size_t i = 0; i < filter->count; i++) pcre2_code_free(filter->conditions[i].regex);
	free(filter->words);
	*filter = (struct filter){ 0 };
}

static void add_words(struct filter *filter, const char *what, struct slice name, struct slice value)
{
	char *words = NULL;

	CHECK(asprintf(&words, "%s%s%.*s%s%.*s", filter->words ? filter->words : "", filter->words ? ", " : "", SLICE_ARG(name), what, SLICE_ARG(value)) >= 0);
	free(filter->words);
	filter->words = words;
}

/* ---- patterns ---- */

static void *regex_new(struct slice pattern, uint32_t flags, char why[FILTER_WHY_MAX])
{
	char message[128], *whole = NULL;
	int error = 0;
	PCRE2_SIZE offset = 0;
	pcre2_code *code;

	CHECK(asprintf(&whole, LIMITS "%.*s", SLICE_ARG(pattern)) >= 0);
	code = pcre2_compile((PCRE2_SPTR)whole, PCRE2_ZERO_TERMINATED, flags, &error, &offset, NULL);
	if (code) {
		pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	} else {
		pcre2_get_error_message(error, (PCRE2_UCHAR *)message, sizeof(message));
		snprintf(why, FILTER_WHY_MAX, "regular expression '%.80s': %s", pattern.ptr, message);
	}
	free(whole);
	return code;
}

static bool regex_matches(const void *regex, struct slice text)
{
	pcre2_match_data *data = must(pcre2_match_data_create(1, NULL));
	bool yes = pcre2_match(regex, (PCRE2_SPTR)(text.len ? text.ptr : ""), text.len, 0, 0, data, NULL) >= 0;

	pcre2_match_data_free(data);
	return yes;
}

/* A shell's pattern as a regular expression: * and ? stand for any bytes, others for themselves. */
static void *glob_new(struct slice glob, bool x_is_any, char why[FILTER_WHY_MAX])
{
	char *text = must(malloc(glob.len * 2 + 16));
	size_t len = 0;
	void *regex;

	text[len++] = '^';
	for (size_t i = 0; i < glob.len; i++) {
		char c = glob.ptr[i];
		if (c == '*') text[len++] = '.';
		if (c == '?' || (c == 'x' && x_is_any)) c = '.';
		else if (strchr("\\^$.|()[]{}+#", c)) text[len++] = '\\';
		text[len++] = c;
	}
	memcpy(text + len, "\\z", 2);
	regex = regex_new(slice_make(text, len + 2), PCRE2_DOTALL, why);
	free(text);
	return regex;
}

/* ---- making ---- */

/* The text is known to be one. */
static uint64_t hash_of(struct slice text)
{
	uint64_t hash = 0;

	CHECK(!text.len || logval_take_HEX64(text, &hash));
	return hash;
}

static bool condition_take(struct filter_condition *c, struct slice name, char why[FILTER_WHY_MAX])
{
	enum column_kind kind = column_kind(c->field);
	struct logline line;

	if (c->op == FILTER_matches || c->op == FILTER_matches_not) return (c->regex = regex_new(c->text, 0, why)) != NULL;
	if ((c->op == FILTER_below || c->op == FILTER_above) && kind != COLUMN_number) {
		snprintf(why, FILTER_WHY_MAX, "column %.*s holds no numbers: only =, != and ~ compare it", SLICE_ARG(name));
		return false;
	}
	/* The row `none` of a table is empty on the line. */
	if (kind == COLUMN_name && slice_eq(c->text, SLICE("none"))) c->text.len = 0;
	logline_init(&line);
	if (kind != COLUMN_text && kind != COLUMN_word && !logline_take(&line, c->field, c->text)) {
		snprintf(why, FILTER_WHY_MAX, "column %.*s has no value '%.80s'; logaudit fields explains them", SLICE_ARG(name), c->text.ptr);
		return false;
	}
	c->number = column_number(&line, c->field);
	c->hash = kind == COLUMN_hash ? hash_of(c->text) : 0;
	return true;
}

static struct filter_condition *condition_new(struct filter *filter, char why[FILTER_WHY_MAX])
{
	if (filter->count < FILTER_CONDITIONS_MAX) return &filter->conditions[filter->count];
	snprintf(why, FILTER_WHY_MAX, "more than %d conditions", FILTER_CONDITIONS_MAX);
	return NULL;
}

bool filter_where(struct filter *filter, const char *text, char why[FILTER_WHY_MAX])
{
	struct filter_condition *c = condition_new(filter, why);
	struct slice name = slice_make(text, strcspn(text, "!=<>~"));
	int field = column_named(name);
	size_t i = 0;

	if (!c) return false;
	if (field < 0) {
		snprintf(why, FILTER_WHY_MAX, "'%.80s': no column '%.*s'; logaudit fields lists them", text, name.len > 80 ? 80 : (int)name.len, text);
		return false;
	}
	while (i < COUNT_OF(operators) && strncmp(text + name.len, operators[i].text, strlen(operators[i].text)) != 0) i++;
	if (i == COUNT_OF(operators)) {
		snprintf(why, FILTER_WHY_MAX, "'%.80s': write COLUMN=VALUE, or !=, <, >, ~, !~ for the =", text);
		return false;
	}
	*c = (struct filter_condition){ .field = (enum log_field)field, .op = operators[i].op, .text = slice_str(text + name.len + strlen(operators[i].text)) };
	if (!condition_take(c, name, why)) return false;
	filter->count++;
	add_words(filter, operators[i].text, name, slice_str(text + name.len + strlen(operators[i].text)));
	return true;
}

bool filter_column(struct filter *filter, enum log_field field, const char *value, char why[FILTER_WHY_MAX])
{
	struct filter_condition *c = condition_new(filter, why);
	struct slice name = log_field_rows[field].name;
	bool x_is_any = field == LOG_FIELD_status && strchr(value, 'x');

	if (!c) return false;
	*c = (struct filter_condition){ .field = field, .op = FILTER_is, .text = slice_str(value) };
	if (strpbrk(value, "*?") || x_is_any) {
		c->op = FILTER_matches;
		if (!(c->regex = glob_new(c->text, x_is_any, why))) return false;
	} else if (!condition_take(c, name, why)) {
		return false;
	}
	filter->count++;
	add_words(filter, "=", name, slice_str(value));
	return true;
}

static bool take_moment(struct filter *filter, const char *what, const char *text, uint64_t now_us, uint64_t *ret_us, char why[FILTER_WHY_MAX])
{
	if (!moment_parse(slice_str(text), now_us, ret_us)) {
		snprintf(why, FILTER_WHY_MAX, "'%.80s' is no moment: write 2026-11-24, 2026-11-24T10:00:03Z, or -2h for two hours before now", text);
		return false;
	}
	add_words(filter, " ", slice_str(what), slice_str(text));
	return true;
}

bool filter_since(struct filter *filter, const char *text, uint64_t now_us, char why[FILTER_WHY_MAX])
{
	return take_moment(filter, "since", text, now_us, &filter->since_us, why);
}

bool filter_until(struct filter *filter, const char *text, uint64_t now_us, char why[FILTER_WHY_MAX])
{
	return take_moment(filter, "until", text, now_us, &filter->until_us, why);
}

/* ---- lines ---- */

static bool condition_holds(const struct filter_condition *c, const struct logline *line)
{
	char text[COLUMN_TEXT_MAX];
	enum column_kind kind = column_kind(c->field);

	switch (c->op) {
	case FILTER_below: return column_number(line, c->field) < c->number;
	case FILTER_above: return column_number(line, c->field) > c->number;
	case FILTER_matches: return regex_matches(c->regex, column_plain(line, c->field, text));
	case FILTER_matches_not: return !regex_matches(c->regex, column_plain(line, c->field, text));
	case FILTER_is:
	case FILTER_is_not: break;
	}
	if (kind == COLUMN_number) return (column_number(line, c->field) == c->number) == (c->op == FILTER_is);
	if (kind == COLUMN_hash) return (hash_of(column_text(line, c->field, text)) == c->hash) == (c->op == FILTER_is);
	return slice_eq(column_plain(line, c->field, text), c->text) == (c->op == FILTER_is);
}

bool filter_passes(const struct filter *filter, const struct logline *line)
{
	if (line->t_us < filter->since_us || (filter->until_us && line->t_us >= filter->until_us)) return false;
	for (size_t i = 0; i < filter->count; i++)
		if (!condition_holds(&filter->conditions[i], line)) return false;
	return true;
}

/* Columns that are the same for all requests of a page at one node: whoever filters by them sees all or nothing of it. */
static bool is_place(enum log_field field)
{
	return field == LOG_FIELD_node || field == LOG_FIELD_volume || field == LOG_FIELD_host || field == LOG_FIELD_route || field == LOG_FIELD_key
		|| field == LOG_FIELD_t_us;
}

enum filter_reach filter_reach(const struct filter *filter)
{
	enum filter_reach reach = filter->since_us || filter->until_us ? FILTER_time : FILTER_nothing;

	for (size_t i = 0; i < filter->count; i++) {
		enum filter_reach one = is_place(filter->conditions[i].field) ? FILTER_place : FILTER_outcome;
		if (one > reach) reach = one;
	}
	return reach;
}
