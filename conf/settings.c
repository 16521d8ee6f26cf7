/* The SETTING rows of the table: defaults, values within bounds, and writing them again. */
#include <inttypes.h>

#include "internal.h"

static bool parse_flag(struct slice text, uint64_t *ret)
{
	if (!slice_eq(text, SLICE("on")) && !slice_eq(text, SLICE("off")))
		return false;
	*ret = text.len == 2;
	return true;
}

static const char *count_text(uint64_t count, char out[VALUE_TEXT_MAX])
{
	snprintf(out, VALUE_TEXT_MAX, "%" PRIu64, count);
	return out;
}

static const char *flag_text(uint64_t flag, char out[VALUE_TEXT_MAX])
{
	snprintf(out, VALUE_TEXT_MAX, "%s", flag ? "on" : "off");
	return out;
}

static const struct kind {
	const char *what;
	bool (*parse)(struct slice text, uint64_t *ret);
	const char *(*text)(uint64_t value, char out[VALUE_TEXT_MAX]);
} kinds[] = {
	[SETTING_SIZE] = { "a size: write 512k, 8m or 1g", conf_parse_size, size_text },
	[SETTING_TIME] = { "a time: write 500ms, 30s, 5m, 1h or 1d", conf_parse_time, time_text },
	[SETTING_COUNT] = { "a number: write it in digits", conf_parse_count, count_text },
	[SETTING_RATE] = { "a rate: write bytes a second, 500, 64k or 1m", conf_parse_size, size_text },
	[SETTING_FLAG] = { "on or off", parse_flag, flag_text },
};

static uint64_t get(const struct settings *set, const struct directive *row)
{
	const char *member = (const char *)set + row->offset;
	uint64_t value;

	if (row->kind == SETTING_FLAG)
		return *(const bool *)member;
	memcpy(&value, member, sizeof(value));
	return value;
}

static void put(struct settings *set, const struct directive *row, uint64_t value)
{
	char *member = (char *)set + row->offset;

	if (row->kind == SETTING_FLAG)
		*(bool *)member = value != 0;
	else
		memcpy(member, &value, sizeof(value));
}

/* The value of a text of the table: it cannot be wrong but by our error. */
static uint64_t known(const struct kind *kind, const char *text)
{
	uint64_t value = 0;

	CHECK(kind->parse(slice_str(text), &value));
	return value;
}

static bool load_value(struct load *load, const struct token *token, const struct kind *kind, const char *min, const char *max,
	const char *fallback, uint64_t *ret)
{
	uint64_t value;

	if (!kind->parse(token->text, &value)) {
		load_error(load, token->pos, "'%.*s' is not %s", SLICE_ARG(token->text), kind->what);
		return false;
	}
	if ((min[0] && value < known(kind, min)) || (max[0] && value > known(kind, max))) {
		load_error(load, token->pos, "'%.*s' is out of range: %s to %s%s%s", SLICE_ARG(token->text), min, max,
			fallback ? ", default " : "", fallback ? fallback : "");
		return false;
	}
	*ret = value;
	return true;
}

bool load_size(struct load *load, const struct token *token, const char *min, const char *max, uint64_t *ret_bytes)
{
	return load_value(load, token, &kinds[SETTING_SIZE], min, max, NULL, ret_bytes);
}

bool load_time(struct load *load, const struct token *token, const char *min, const char *max, uint64_t *ret_us)
{
	return load_value(load, token, &kinds[SETTING_TIME], min, max, NULL, ret_us);
}

bool load_count(struct load *load, const struct token *token, uint64_t min, uint64_t max, uint64_t *ret_count)
{
	char least[VALUE_TEXT_MAX], most[VALUE_TEXT_MAX];

	return load_value(load, token, &kinds[SETTING_COUNT], count_text(min, least), count_text(max, most), NULL, ret_count);
}

bool load_flag(struct load *load, const struct token *token, bool *ret_on)
{
	uint64_t on;

	if (!load_value(load, token, &kinds[SETTING_FLAG], "", "", NULL, &on))
		return false;
	*ret_on = on != 0;
	return true;
}

void settings_init(struct settings *set)
{
	for (size_t i = 0; i < directive_count; i++)
		if (directive_rows[i].kind != SETTING_none)
			put(set, &directive_rows[i], known(&kinds[directive_rows[i].kind], directive_rows[i].fallback));
}

void settings_take(struct load *load, struct scope *scope, const struct statement *st)
{
	const struct directive *row = st->row;
	uint64_t value;

	if (load_value(load, &st->args[0], &kinds[row->kind], row->min, row->max, row->fallback, &value))
		put(&scope->here->set, row, value);
}

void settings_print(const struct settings *set, const struct settings *outer, const char *indent, FILE *out)
{
	char text[VALUE_TEXT_MAX];

	for (size_t i = 0; i < directive_count; i++) {
		const struct directive *row = &directive_rows[i];
		if (row->kind == SETTING_none || (outer && get(set, row) == get(outer, row)))
			continue;
		fprintf(out, "%s%s %s;\n", indent, row->name.ptr, kinds[row->kind].text(get(set, row), text));
	}
}
