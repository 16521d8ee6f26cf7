/* Texts with variables: "$scheme://${host}" -> pieces, and back. */
#include "internal.h"

static const struct { struct slice name; const char *doc; } variables[CONF_VAR_COUNT] = {
#define VARIABLE(name, doc) [CONF_VAR_##name] = { { #name, sizeof(#name) - 1 }, doc },
#include "tbl/variables.h"
#undef VARIABLE
};

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* $http_accept_language -> accept-language */
static struct slice field_name(struct load *load, struct slice text)
{
	char *name = load_alloc(load, text.len + 1);

	for (size_t i = 0; i < text.len; i++)
		name[i] = text.ptr[i] == '_' ? '-' : text.ptr[i] >= 'A' && text.ptr[i] <= 'Z' ? (char)(text.ptr[i] + 32) : text.ptr[i];
	return slice_make(name, text.len);
}

static bool find_variable(struct load *load, struct conf_pos pos, struct slice name, struct conf_piece *ret)
{
	const struct slice prefix = SLICE("http_");
	const char *instead = foreign_variable(name);
	struct suggestion near;

	/* A row of the table before the rule: $http_host is the Host as received. */
	for (unsigned i = CONF_VAR_request_field + 1; i < CONF_VAR_COUNT; i++)
		if (slice_eq(variables[i].name, name)) {
			*ret = (struct conf_piece){ (enum conf_variable)i, { NULL, 0 } };
			return true;
		}
	if (slice_starts(name, prefix) && name.len > prefix.len) {
		*ret = (struct conf_piece){ CONF_VAR_request_field, field_name(load, slice_make(name.ptr + prefix.len, name.len - prefix.len)) };
		return true;
	}
	if (instead) {
		load_error(load, pos, "there is no '$%.*s': %s", SLICE_ARG(name), instead);
		return false;
	}
	if (name.ptr[0] >= '0' && name.ptr[0] <= '9') {
		load_error(load, pos, "'$%.*s': parts of a regular expression cannot be used in texts", SLICE_ARG(name));
		return false;
	}
	suggest_start(&near, name);
	for (unsigned i = CONF_VAR_request_field + 1; i < CONF_VAR_COUNT; i++)
		suggest_offer(&near, variables[i].name);
	if (near.best.len)
		load_error(load, pos, "unknown variable '$%.*s', did you mean '$%.*s'?", SLICE_ARG(name), SLICE_ARG(near.best));
	else
		load_error(load, pos, "unknown variable '$%.*s'", SLICE_ARG(name));
	return false;
}

/* The name after a '$' at text[at]; *ret_next is what follows it. Empty: none, or a brace that is not closed. */
static struct slice variable_name(struct slice text, size_t at, size_t *ret_next)
{
	bool brace = at + 1 < text.len && text.ptr[at + 1] == '{';
	size_t start = at + 1 + brace, end = start;

	while (end < text.len && is_name(text.ptr[end]))
		end++;
	*ret_next = end;
	if (brace && (end == text.len || text.ptr[end] != '}'))
		return SLICE("");
	*ret_next = end + brace;
	return slice_make(text.ptr + start, end - start);
}

bool text_has_control(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (((unsigned char)text.ptr[i] < ' ' && text.ptr[i] != '\t') || text.ptr[i] == 0x7f)
			return true;
	return false;
}

bool template_compile(struct load *load, const struct token *token, struct conf_template *ret)
{
	struct slice text = token->text;
	struct conf_piece *pieces = NULL;
	size_t count = 0, next;
	bool ok = true;

	for (size_t at = 0; at < text.len; at = next) {
		struct conf_piece piece = { CONF_VAR_literal, { NULL, 0 } };
		if (text.ptr[at] == '$') {
			struct slice name = variable_name(text, at, &next);
			struct conf_pos pos = token_pos_at(token, at);
			if (name.len == 0)
				load_error(load, pos, at + 1 < text.len && text.ptr[at + 1] == '{' ? "'${' begins a variable: its name or '}' is missing"
					: "'$' begins a variable: its name is missing");
			if (name.len == 0 || !find_variable(load, pos, name, &piece)) {
				ok = false;
				continue;
			}
		} else {
			const char *dollar = memchr(text.ptr + at, '$', text.len - at);
			next = dollar ? (size_t)(dollar - text.ptr) : text.len;
			piece.text = slice_make(text.ptr + at, next - at);
		}
		pieces = load_room(load, pieces, count, sizeof(*pieces));
		pieces[count++] = piece;
	}
	if (ok)
		*ret = (struct conf_template){ pieces, count };
	return ok;
}

void template_print(const struct conf_template *template, FILE *out)
{
	char *text = NULL;
	size_t len = 0;
	FILE *whole = must(open_memstream(&text, &len));

	for (size_t i = 0; i < template->count; i++) {
		const struct conf_piece *piece = &template->pieces[i];
		if (piece->var == CONF_VAR_literal) {
			fwrite(piece->text.ptr, 1, piece->text.len, whole);
		} else if (piece->var == CONF_VAR_request_field) {
			fputs("${http_", whole);
			for (size_t c = 0; c < piece->text.len; c++)
				fputc(piece->text.ptr[c] == '-' ? '_' : piece->text.ptr[c], whole);
			fputc('}', whole);
		} else {
			fprintf(whole, "${%s}", variables[piece->var].name.ptr);
		}
	}
	fclose(whole);
	word_print(slice_make(must(text), len), out);
	free(text);
}

void template_print_help(FILE *out)
{
	for (unsigned i = CONF_VAR_request_field + 1; i < CONF_VAR_COUNT; i++)
		fprintf(out, "    $%-28s%s\n", variables[i].name.ptr, variables[i].doc);
	fprintf(out, "    $%-28s%s\n", "http_NAME", "The request field NAME, in lower case with _ for -.");
}
