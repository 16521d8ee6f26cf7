/* Cache-Control (RFC 9111 section 5.2), read over all its lines, and the fields that may stand in for it (RFC 9213). */
#include <stddef.h>

#include "http_cache.h"
#include "sf_dictionary.h"

enum directive_kind { DIRECTIVE_flag, DIRECTIVE_number, DIRECTIVE_max_stale, DIRECTIVE_names };

/* One row a directive. at: the flag or the number; DIRECTIVE_names: the flag for "without names", then the flag and the
 * slice for "with names". */
static const struct directive {
	struct slice name;
	enum directive_kind kind;
	size_t at, flag_at, names_at;
} directives[] = {
#define AT(member) offsetof(struct cache_control, member)
	{ { "max-age", 7 },                  DIRECTIVE_number,    AT(max_age),                0, 0 },
	{ { "s-maxage", 8 },                 DIRECTIVE_number,    AT(s_maxage),               0, 0 },
	{ { "no-cache", 8 },                 DIRECTIVE_names,     AT(no_cache), AT(no_cache_fields), AT(no_cache_names) },
	{ { "no-store", 8 },                 DIRECTIVE_flag,      AT(no_store),               0, 0 },
	{ { "private", 7 },                  DIRECTIVE_names,     AT(private_), AT(private_fields), AT(private_names) },
	{ { "public", 6 },                   DIRECTIVE_flag,      AT(public_),                0, 0 },
	{ { "must-revalidate", 15 },         DIRECTIVE_flag,      AT(must_revalidate),        0, 0 },
	{ { "proxy-revalidate", 16 },        DIRECTIVE_flag,      AT(proxy_revalidate),       0, 0 },
	{ { "must-understand", 15 },         DIRECTIVE_flag,      AT(must_understand),        0, 0 },
	{ { "stale-while-revalidate", 22 },  DIRECTIVE_number,    AT(stale_while_revalidate), 0, 0 },
	{ { "stale-if-error", 14 },          DIRECTIVE_number,    AT(stale_if_error),         0, 0 },
	{ { "immutable", 9 },                DIRECTIVE_flag,      AT(immutable),              0, 0 },
	{ { "no-transform", 12 },            DIRECTIVE_flag,      AT(no_transform),           0, 0 },
	{ { "only-if-cached", 14 },          DIRECTIVE_flag,      AT(only_if_cached),         0, 0 },
	{ { "min-fresh", 9 },                DIRECTIVE_number,    AT(min_fresh),              0, 0 },
	{ { "max-stale", 9 },                DIRECTIVE_max_stale, AT(max_stale),              0, 0 },
#undef AT
};

static bool *flag_of(struct cache_control *cc, size_t at) { return (bool *)((char *)cc + at); }
static int64_t *number_of(struct cache_control *cc, size_t at) { return (int64_t *)((char *)cc + at); }
static struct slice *names_of(struct cache_control *cc, size_t at) { return (struct slice *)((char *)cc + at); }

static struct cache_control control_empty(void)
{
	return (struct cache_control){ .max_age = -1, .s_maxage = -1, .stale_while_revalidate = -1, .stale_if_error = -1,
		.min_fresh = -1, .max_stale = -1 };
}

static const struct directive *directive_find(struct slice name)
{
	for (size_t i = 0; i < COUNT_OF(directives); i++)
		if (slice_eq_nocase(directives[i].name, name))
			return &directives[i];
	return NULL;
}

int64_t cache_delta_seconds(struct slice text)
{
	int64_t seconds = 0;

	if (text.len == 0)
		return -1;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return -1;
		seconds = seconds * 10 + text.ptr[i] - '0';
		if (seconds > CACHE_DELTA_MAX)
			seconds = CACHE_DELTA_MAX;
	}
	return seconds;
}

/* Without the quotes when it has them; *ret_quoted says so. */
static struct slice unquote(struct slice text, bool *ret_quoted)
{
	*ret_quoted = text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"';
	return *ret_quoted ? slice_make(text.ptr + 1, text.len - 2) : text;
}

/* Given twice with other values: stale is one of the two things the RFC allows (section 4.2.1), and the careful one. */
static void number_add(int64_t *number, int64_t value)
{
	*number = *number == -1 || *number == value ? value : 0;
}

/* The names may be left out of the stored head only when they are names, and none of them is a field we rely on: an answer
 * without its Vary or Content-Encoding would be another answer. */
static bool names_usable(struct slice names)
{
	const char *pos = names.ptr, *end = names.len > 0 ? pos + names.len : pos;
	struct slice name;
	size_t count = 0;

	while (http_value_next(&pos, end, &name)) {
		enum http_field id = http_field_find(name);
		if (!http_is_token(name) || (id != FIELD_set_cookie && (http_field_flags(id) & HTTP_KEEP)))
			return false;
		count++;
	}
	return count > 0;
}

static void names_add(struct cache_control *cc, const struct directive *row, struct slice names)
{
	bool *with = flag_of(cc, row->flag_at);
	struct slice *kept = names_of(cc, row->names_at);

	if (!names_usable(names) || (*with && !slice_eq_nocase(*kept, names))) {
		*flag_of(cc, row->at) = true;   /* there is room for one list: two count as all fields */
		return;
	}
	*with = true;
	*kept = names;
}

/* value.ptr NULL: none. well_formed: no white space around '='. */
static void directive_add(struct cache_control *cc, const struct directive *row, struct slice value, bool well_formed)
{
	bool quoted;
	int64_t number;

	switch (row->kind) {
	case DIRECTIVE_flag:
		*flag_of(cc, row->at) = true;
		break;
	case DIRECTIVE_max_stale:
		if (!value.ptr && well_formed) {
			number_add(number_of(cc, row->at), INT64_MAX);
			break;
		}
		/* fall through */
	case DIRECTIVE_number:
		number = well_formed ? cache_delta_seconds(unquote(value, &quoted)) : -1;
		number_add(number_of(cc, row->at), number < 0 ? 0 : number);
		break;
	case DIRECTIVE_names:
		if (value.ptr && well_formed)
			names_add(cc, row, unquote(value, &quoted));
		else
			*flag_of(cc, row->at) = true;
		break;
	}
}

void cache_control_parse(const struct http_head *head, enum http_field id, struct cache_control *ret_cc)
{
	struct cache_control cc = control_empty();
	struct http_list it = { 0 };
	struct slice element;

	/* Most requests have none: then there is nothing to look for. */
	while (head->times[id] > 0 && http_list_next(head, id, &it, &element)) {
		const char *equals = memchr(element.ptr, '=', element.len);
		struct slice name = element, value = { NULL, 0 };
		const struct directive *row;

		if (equals) {
			name.len = (size_t)(equals - element.ptr);
			value = slice_make(equals + 1, element.len - name.len - 1);
		}
		if ((row = directive_find(slice_trim(name))))
			directive_add(&cc, row, value, slice_trim(name).len == name.len && slice_trim(value).len == value.len);
	}
	*ret_cc = cc;
}

/* A member of a targeted field. A key that comes again replaces what it said before (RFC 8941 section 3.2). A value of
 * another type than the directive's is not converted (RFC 9213 section 2.1): numbers count as 0, flags as set. */
static void member_set(struct cache_control *cc, const struct directive *row, const struct sf_member *member)
{
	bool off = member->type == SF_BOOLEAN && member->integer == 0;

	switch (row->kind) {
	case DIRECTIVE_flag:
		*flag_of(cc, row->at) = !off;
		break;
	case DIRECTIVE_max_stale:
	case DIRECTIVE_number:
		*number_of(cc, row->at) = member->type != SF_INTEGER || member->integer < 0 ? 0 :
			member->integer > CACHE_DELTA_MAX ? CACHE_DELTA_MAX : member->integer;
		break;
	case DIRECTIVE_names:
		*flag_of(cc, row->at) = *flag_of(cc, row->flag_at) = false;
		*names_of(cc, row->names_at) = slice_make(NULL, 0);
		if (member->type == SF_STRING || member->type == SF_TOKEN)
			names_add(cc, row, member->text);
		else
			*flag_of(cc, row->at) = !off;
		break;
	}
}

/* The next line of a field, known (by its id) or not (by its name), from *at on; NULL at the end. */
static const struct http_header *line_next(const struct http_head *head, enum http_field id, struct slice name, size_t *at)
{
	while (*at < head->header_count) {
		const struct http_header *h = &head->headers[(*at)++];
		if (h->id == id && (id != FIELD_other || (!h->dropped && slice_eq_nocase(h->name, name))))
			return h;
	}
	return NULL;
}

/* False when the field is absent, empty, or in any part no dictionary: then it does not exist (RFC 9213 section 2.2). */
static bool targeted_parse(const struct http_head *head, enum http_field id, struct slice name, struct cache_control *ret_cc)
{
	struct cache_control cc = control_empty();
	struct sf_member member;
	size_t members = 0, empty_lines = 0, at = 0;
	const struct http_header *h;

	if (id != FIELD_other && !head->first[id])
		return false;
	while ((h = line_next(head, id, name, &at))) {
		const char *pos = h->value.ptr, *end = h->value.len > 0 ? pos + h->value.len : pos;
		int got = 0;

		empty_lines += h->value.len == 0;
		while ((got = sf_dictionary_next(&pos, end, &member)) > 0) {
			const struct directive *row = directive_find(member.key);
			if (row)
				member_set(&cc, row, &member);
			members++;
		}
		if (got < 0)
			return false;
	}
	if (members == 0 || empty_lines > 0)   /* an empty line among others leaves a lone comma when they are joined */
		return false;
	*ret_cc = cc;
	return true;
}

bool cache_control_effective(const struct http_head *response, struct slice targeted, struct cache_control *ret_cc)
{
	if (targeted.len && targeted_parse(response, FIELD_other, targeted, ret_cc))
		return true;
	if (targeted_parse(response, FIELD_cdn_cache_control, SLICE(""), ret_cc))
		return true;
	cache_control_parse(response, FIELD_cache_control, ret_cc);
	return false;
}

bool cache_names_have(struct slice names, struct slice name)
{
	const char *pos = names.ptr, *end = names.len > 0 ? pos + names.len : pos;
	struct slice each;

	while (http_value_next(&pos, end, &each))
		if (slice_eq_nocase(each, name))
			return true;
	return false;
}
