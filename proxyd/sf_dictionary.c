/* Parsing of dictionaries as RFC 8941 section 4.2.2 writes it down, step by step. */
#include "sf_dictionary.h"

struct cursor { const char *pos, *end; };

static bool at(const struct cursor *c, char wanted)
{
	return c->pos < c->end && *c->pos == wanted;
}

static bool take(struct cursor *c, char wanted)
{
	if (!at(c, wanted))
		return false;
	c->pos++;
	return true;
}

static void skip_spaces(struct cursor *c)
{
	while (take(c, ' '))
		;
}

static void skip_blanks(struct cursor *c)
{
	while (take(c, ' ') || take(c, '\t'))
		;
}

static bool is_digit(char ch) { return ch >= '0' && ch <= '9'; }
static bool is_lower(char ch) { return ch >= 'a' && ch <= 'z'; }
static bool is_alpha(char ch) { return is_lower(ch) || (ch >= 'A' && ch <= 'Z'); }
static bool is_key_char(char ch) { return is_lower(ch) || is_digit(ch) || (ch && strchr("_-.*", ch)); }
static bool is_token_char(char ch) { return is_alpha(ch) || is_digit(ch) || (ch && strchr("!#$%&'*+-.^_`|~:/", ch)); }
static bool is_base64_char(char ch) { return is_alpha(ch) || is_digit(ch) || (ch && strchr("+/=", ch)); }

static struct slice take_while(struct cursor *c, bool (*is)(char))
{
	const char *begin = c->pos;

	while (c->pos < c->end && is(*c->pos))
		c->pos++;
	return slice_make(begin, (size_t)(c->pos - begin));
}

static bool take_key(struct cursor *c, struct slice *ret_key)
{
	if (c->pos >= c->end || !(is_lower(*c->pos) || *c->pos == '*'))
		return false;
	*ret_key = take_while(c, is_key_char);
	return true;
}

/* Section 4.2.4: an integer has at most 15 digits, a decimal at most 12 before and 1 to 3 behind the point. */
static bool take_number(struct cursor *c, struct sf_member *ret)
{
	bool negative = take(c, '-');
	struct slice whole = take_while(c, is_digit), fraction = { NULL, 0 };
	int64_t number = 0;

	if (whole.len < 1 || whole.len > 15)
		return false;
	ret->type = SF_INTEGER;
	if (take(c, '.')) {
		fraction = take_while(c, is_digit);
		ret->type = SF_DECIMAL;
		return whole.len <= 12 && fraction.len >= 1 && fraction.len <= 3;
	}
	for (size_t i = 0; i < whole.len; i++)
		number = number * 10 + whole.ptr[i] - '0';
	ret->integer = negative ? -number : number;
	return true;
}

static bool take_string(struct cursor *c, struct sf_member *ret)
{
	const char *begin = ++c->pos;

	for (; c->pos < c->end; c->pos++) {
		if (*c->pos == '"') {
			ret->type = SF_STRING;
			ret->text = slice_make(begin, (size_t)(c->pos++ - begin));
			return true;
		}
		if (*c->pos == '\\' && (++c->pos >= c->end || (*c->pos != '"' && *c->pos != '\\')))
			return false;
		if ((unsigned char)*c->pos < 0x20 || (unsigned char)*c->pos >= 0x7f)
			return false;
	}
	return false;
}

static bool take_bare_item(struct cursor *c, struct sf_member *ret)
{
	if (c->pos >= c->end)
		return false;
	if (*c->pos == '-' || is_digit(*c->pos))
		return take_number(c, ret);
	if (*c->pos == '"')
		return take_string(c, ret);
	if (*c->pos == '*' || is_alpha(*c->pos)) {
		ret->type = SF_TOKEN;
		ret->text = take_while(c, is_token_char);
		return true;
	}
	if (take(c, ':')) {
		ret->type = SF_BYTES;
		take_while(c, is_base64_char);
		return take(c, ':');
	}
	if (take(c, '?') && (at(c, '0') || at(c, '1'))) {
		ret->type = SF_BOOLEAN;
		ret->integer = *c->pos++ == '1';
		return true;
	}
	return false;
}

static bool skip_parameters(struct cursor *c)
{
	struct sf_member ignored = { 0 };

	while (take(c, ';')) {
		skip_spaces(c);
		if (!take_key(c, &ignored.key) || (take(c, '=') && !take_bare_item(c, &ignored)))
			return false;
	}
	return true;
}

static bool skip_inner_list(struct cursor *c)
{
	struct sf_member ignored = { 0 };

	while (c->pos < c->end) {
		skip_spaces(c);
		if (take(c, ')'))
			return true;
		if (!take_bare_item(c, &ignored) || !skip_parameters(c) || !(at(c, ' ') || at(c, ')')))
			return false;
	}
	return false;
}

static bool take_value(struct cursor *c, struct sf_member *ret)
{
	if (take(c, '(')) {
		ret->type = SF_LIST;
		return skip_inner_list(c);
	}
	return take_bare_item(c, ret);
}

int sf_dictionary_next(const char **pos, const char *end, struct sf_member *ret_member)
{
	struct cursor c = { *pos, end };
	struct sf_member member = { .type = SF_BOOLEAN, .integer = 1 };

	if (c.pos >= c.end)
		return 0;
	if (!take_key(&c, &member.key) || (take(&c, '=') && !take_value(&c, &member)) || !skip_parameters(&c))
		return -1;
	skip_blanks(&c);
	if (c.pos < c.end) {
		if (!take(&c, ','))
			return -1;
		skip_blanks(&c);
		if (c.pos >= c.end)            /* a comma at the end */
			return -1;
	}
	*pos = c.pos;
	*ret_member = member;
	return 1;
}
