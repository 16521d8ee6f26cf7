/* Text -> tokens, by nginx's rules; each token knows its file, line and column.
 * Words end at white space, ';' and '{' ("${" does not end one). A quote counts at the beginning of a word only. '#' begins
 * a comment where a word could begin. In words and quotes \" \' \\ stand for the second character, \t \r \n for control
 * characters; every other backslash stays, so that regular expressions read as they do in nginx. */
#ifndef CONF_TOKEN_H
#define CONF_TOKEN_H

#include "conf.h"

struct load;

/* A text that is being read. Lives as long as the configuration: tokens and positions point into it. */
struct source {
	struct source *next;
	struct source *includer;         /* NULL: the main file */
	const char *name;                /* conf_pos.file is this very pointer */
	struct slice text;
	unsigned order;                  /* in which the files were opened, from 0 */
	uint64_t device, inode;          /* to know a file that includes itself */
};

enum token_kind { TOKEN_word, TOKEN_open /* { */, TOKEN_close /* } */, TOKEN_semicolon, TOKEN_end };

struct token {
	enum token_kind kind;
	struct slice text;               /* unquoted, escapes undone */
	bool quoted;
	struct conf_pos pos, end;        /* first character; one past the last */
};

struct lexer {
	struct load *load;               /* for memory and messages */
	const struct source *source;
	size_t at;
	unsigned line, col;              /* of the byte at `at`, from 1; columns count characters */
};

void lexer_init(struct lexer *lexer, struct load *load, const struct source *source);
/* The next token. What is no token (an unclosed quote, a control byte) is reported and skipped. */
struct token lexer_next(struct lexer *lexer);

#endif
