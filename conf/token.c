/* The lexer: see token.h for the rules. */
#include "internal.h"

void lexer_init(struct lexer *lexer, struct load *load, const struct source *source)
{
	*lexer = (struct lexer){ .load = load, .source = source, .line = 1, .col = 1 };
	if (slice_starts(source->text, SLICE("\xef\xbb\xbf")))
		lexer->at = 3;                   /* a byte order mark */
}

static struct conf_pos here(const struct lexer *lexer)
{
	return (struct conf_pos){ lexer->source->name, lexer->line, lexer->col };
}

/* The byte `ahead` of the present one, or -1 at the end. */
static int peek(const struct lexer *lexer, size_t ahead)
{
	size_t at = lexer->at + ahead;

	return at < lexer->source->text.len ? (unsigned char)lexer->source->text.ptr[at] : -1;
}

static void step(struct lexer *lexer)
{
	int c = peek(lexer, 0);

	lexer->at++;
	if (c == '\n') {
		lexer->line++;
		lexer->col = 1;
		return;
	}
	/* The bytes 10xxxxxx continue a UTF-8 character. */
	if ((peek(lexer, 0) & 0xc0) != 0x80 || peek(lexer, 0) < 0)
		lexer->col++;
}

static bool is_blank(int c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_control(int c)
{
	return c >= 0 && (c < ' ' || c == 0x7f) && !is_blank(c);
}

static void skip_blanks(struct lexer *lexer)
{
	for (;;) {
		int c = peek(lexer, 0);
		if (c == '#') {
			while (peek(lexer, 0) >= 0 && peek(lexer, 0) != '\n')
				step(lexer);
		} else if (is_control(c)) {
			load_error(lexer->load, here(lexer), "byte 0x%02x is not text", (unsigned)c);
			while (is_control(peek(lexer, 0)))
				step(lexer);
		} else if (is_blank(c)) {
			step(lexer);
		} else {
			return;
		}
	}
}

/* The character that \c stands for; 0 when the backslash stays. */
static char escape_of(int c)
{
	switch (c) {
	case '"': case '\'': case '\\': return (char)c;
	case 't': return '\t';
	case 'r': return '\r';
	case 'n': return '\n';
	default: return 0;
	}
}

/* Undoes the escapes. Most words have none and are borrowed from the source. */
static struct slice unescape(struct load *load, struct slice raw)
{
	char *out;
	size_t len = 0;

	if (raw.len == 0 || !memchr(raw.ptr, '\\', raw.len))
		return raw;
	out = load_alloc(load, raw.len);
	for (size_t i = 0; i < raw.len; i++) {
		char c = raw.ptr[i];
		if (c == '\\' && i + 1 < raw.len && escape_of(raw.ptr[i + 1]))
			c = escape_of(raw.ptr[++i]);
		out[len++] = c;
	}
	return slice_make(out, len);
}

static void reject_control(struct lexer *lexer)
{
	if (is_control(peek(lexer, 0)))
		load_error(lexer->load, here(lexer), "byte 0x%02x is not text", (unsigned)peek(lexer, 0));
}

static bool ends_word(int c)
{
	return c < 0 || is_blank(c) || c == ';' || c == '{' || c == '}';
}

static void read_quoted(struct lexer *lexer, struct token *token)
{
	int quote = peek(lexer, 0);
	size_t start;

	step(lexer);
	start = lexer->at;
	while (peek(lexer, 0) >= 0 && peek(lexer, 0) != quote) {
		reject_control(lexer);
		if (peek(lexer, 0) == '\\' && peek(lexer, 1) >= 0)
			step(lexer);
		step(lexer);
	}
	token->quoted = true;
	token->text = unescape(lexer->load, slice_make(lexer->source->text.ptr + start, lexer->at - start));
	if (peek(lexer, 0) < 0) {
		lexer->load->doubtful = true;
		lexer->load->cut = true;
		load_error(lexer->load, token->pos, "this quote is not closed");
		return;
	}
	step(lexer);
	if (!ends_word(peek(lexer, 0))) {
		load_error(lexer->load, here(lexer), "a blank or ';' must follow the closing quote");
		while (!ends_word(peek(lexer, 0)))
			step(lexer);
	}
}

static void read_word(struct lexer *lexer, struct token *token)
{
	size_t start = lexer->at;

	for (int c; (c = peek(lexer, 0)) >= 0 && !is_blank(c) && c != ';' && c != '{'; ) {
		reject_control(lexer);
		if (c == '\\' && peek(lexer, 1) >= 0) {
			step(lexer);
		} else if (c == '$' && peek(lexer, 1) == '{') {
			step(lexer);
			while (peek(lexer, 0) >= 0 && !is_blank(peek(lexer, 0)) && peek(lexer, 0) != '}')
				step(lexer);
			if (peek(lexer, 0) != '}')
				continue;
		}
		step(lexer);
	}
	token->text = unescape(lexer->load, slice_make(lexer->source->text.ptr + start, lexer->at - start));
}

struct token lexer_next(struct lexer *lexer)
{
	struct token token = { .kind = TOKEN_word };

	skip_blanks(lexer);
	token.pos = here(lexer);
	switch (peek(lexer, 0)) {
	case -1: token.kind = TOKEN_end; break;
	case ';': token.kind = TOKEN_semicolon; step(lexer); break;
	case '{': token.kind = TOKEN_open; step(lexer); break;
	case '}': token.kind = TOKEN_close; step(lexer); break;
	case '"': case '\'': read_quoted(lexer, &token); break;
	default: read_word(lexer, &token); break;
	}
	token.end = here(lexer);
	return token;
}
