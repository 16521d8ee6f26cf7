/* Regular expressions of names and locations: pcre2, compiled to machine code, with limits that a request cannot pass. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "internal.h"

/* The limits are part of the pattern: a backtracking bomb ends as "no match". */
#define REGEX_LIMITS "(*LIMIT_MATCH=100000)(*LIMIT_DEPTH=10000)(*LIMIT_HEAP=4096)"
enum { REGEX_PATTERN_MAX = 4096 };

void *regex_compile(struct load *load, struct conf_pos pos, struct slice pattern, bool nocase)
{
	struct conf_priv *priv = load->conf->priv;
	size_t limits = sizeof(REGEX_LIMITS) - 1;
	int error = 0;
	PCRE2_SIZE offset = 0;
	char text[128];

	if (pattern.len > REGEX_PATTERN_MAX) {
		load_error(load, pos, "a regular expression may have %d bytes, not %zu", REGEX_PATTERN_MAX, pattern.len);
		return NULL;
	}
	struct slice whole = load_printf(load, "%s%.*s", REGEX_LIMITS, SLICE_ARG(pattern));
	pcre2_code *code = pcre2_compile((PCRE2_SPTR)whole.ptr, whole.len, nocase ? PCRE2_CASELESS : 0, &error, &offset, NULL);
	if (!code) {
		pcre2_get_error_message(error, (PCRE2_UCHAR *)text, sizeof(text));
		load_error(load, pos, "regular expression '%.*s': %s at its character %zu", SLICE_ARG(pattern), text,
			offset >= limits ? offset - limits + 1 : 1);
		return NULL;
	}
	/* Without machine code (a system that forbids it) the interpreter takes over. */
	pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	priv->regexes = load_room(load, priv->regexes, priv->regex_count, sizeof(*priv->regexes));
	priv->regexes[priv->regex_count++] = code;
	return code;
}

void regex_free(void *regex)
{
	pcre2_code_free(regex);
}

bool regex_matches(struct regex_match *match, const void *regex, struct slice text)
{
	if (!match->data)
		match->data = must(pcre2_match_data_create(1, NULL));
	return pcre2_match(regex, (PCRE2_SPTR)(text.len ? text.ptr : ""), text.len, 0, 0, match->data, NULL) >= 0;
}

void regex_match_release(struct regex_match *match)
{
	pcre2_match_data_free(match->data);
	match->data = NULL;
}
