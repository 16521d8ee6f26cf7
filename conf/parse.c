/* Text -> a tree of statements. Included files stand in the tree where `include` stood. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

struct parser {
	struct load *load;
	struct source *source;
	struct lexer lexer;
	struct token ahead;
	bool has_ahead;
	unsigned blocks, includes;       /* how deep */
};

static void parse_statements(struct parser *p, struct statement ***tail, bool in_block);

static struct token take(struct parser *p)
{
	if (!p->has_ahead)
		return lexer_next(&p->lexer);
	p->has_ahead = false;
	return p->ahead;
}

static void put_back(struct parser *p, struct token token)
{
	p->ahead = token;
	p->has_ahead = true;
}

/* Reads the whole of a descriptor into the load's memory. False with errno. */
static bool read_all(struct load *load, int fd, struct slice *ret_text)
{
	size_t cap = 64 * 1024, len = 0;
	char *buf = must(malloc(cap));
	bool ok = false;

	for (;;) {
		if (len == cap)
			buf = must(realloc(buf, cap *= 2));
		ssize_t n = read(fd, buf + len, cap - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			goto out;
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > CONF_FILE_MAX) {
			errno = EFBIG;
			goto out;
		}
	}
	*ret_text = load_copy(load, slice_make(buf, len));
	ok = true;
out:
	free(buf);
	return ok;
}

static bool includes_itself(const struct source *includer, const struct stat *st)
{
	for (; includer; includer = includer->includer)
		if (includer->device == st->st_dev && includer->inode == st->st_ino && st->st_ino != 0)
			return true;
	return false;
}

struct source *parse_open(struct load *load, const char *path, struct source *includer, struct conf_pos pos)
{
	struct source *source = NULL;
	struct slice text;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) != 0) {
		load_error(load, pos, "cannot open '%s': %s", path, strerror(errno));
		goto out;
	}
	if (S_ISDIR(st.st_mode)) {
		load_error(load, pos, "'%s' is a folder: write %s/*.conf", path, path);
		goto out;
	}
	if (includes_itself(includer, &st)) {
		load_error(load, pos, "'%s' includes itself", path);
		goto out;
	}
	if (load->source_count >= CONF_INCLUDES_MAX) {
		load_error(load, pos, "more than %d files are included", CONF_INCLUDES_MAX);
		goto out;
	}
	if (!read_all(load, fd, &text)) {
		load_error(load, pos, "cannot read '%s': %s", path, strerror(errno));
		goto out;
	}
	source = load_source(load, path, text);
	source->includer = includer;
	source->device = st.st_dev;
	source->inode = st.st_ino;
out:
	if (fd >= 0)
		close(fd);
	return source;
}

static void include_one(struct parser *p, const char *path, struct conf_pos pos, struct statement ***tail)
{
	struct source *source = parse_open(p->load, path, p->source, pos);
	struct parser inner = { .load = p->load, .source = source, .blocks = p->blocks, .includes = p->includes + 1 };

	if (!source)
		return;
	lexer_init(&inner.lexer, p->load, source);
	parse_statements(&inner, tail, false);
}

/* nginx's list of file types: what it is for, we take from the origin. */
static bool is_mime_types(struct slice path)
{
	struct slice name = SLICE("mime.types");

	return path.len >= name.len && slice_eq(slice_make(path.ptr + path.len - name.len, name.len), name);
}

static void include(struct parser *p, const struct statement *st, struct statement ***tail)
{
	const struct token *what = &st->args[0];
	glob_t found;
	struct slice path;

	if (p->load->options.sandbox) {
		load_error(p->load, st->name.pos, "include is switched off here");
		return;
	}
	if (is_mime_types(what->text)) {
		load_note(p->load, what->pos, "'%.*s' is not read: types come from the origin", SLICE_ARG(what->text));
		return;
	}
	if (p->includes >= CONF_INCLUDE_DEPTH_MAX) {
		load_error(p->load, what->pos, "files are included more than %d deep", CONF_INCLUDE_DEPTH_MAX);
		return;
	}
	/* As in nginx: from the folder of the main file, whichever file includes. */
	path = load_printf(p->load, "%s%.*s", what->text.len && what->text.ptr[0] == '/' ? "" : p->load->folder, SLICE_ARG(what->text));
	if (!strpbrk(path.ptr, "*?[")) {
		include_one(p, path.ptr, what->pos, tail);
		return;
	}
	/* A pattern may match nothing: an empty conf.d is no error. */
	int result = glob(path.ptr, GLOB_NOMAGIC, NULL, &found);
	if (result != 0 && result != GLOB_NOMATCH)
		load_error(p->load, what->pos, "cannot read the folder of '%s'", path.ptr);
	for (size_t i = 0; result == 0 && i < found.gl_pathc; i++)
		include_one(p, found.gl_pathv[i], what->pos, tail);
	if (result == 0)
		globfree(&found);
}

static void missing_semicolon(struct parser *p, struct statement *st, struct conf_pos end)
{
	p->load->doubtful = true;
	st->doubtful = true;
	st->cut = true;
	if (!p->load->cut)
		load_error(p->load, end, "a ';' is missing after '%.*s'", SLICE_ARG(st->name.text));
}

static void parse_block(struct parser *p, struct statement *st, struct conf_pos open)
{
	struct statement **tail = &st->children;

	st->has_block = true;
	st->open = open;
	if (p->blocks >= CONF_BLOCK_DEPTH_MAX) {
		/* Not descended into: skip to its end, counting braces. */
		st->doubtful = true;
		load_error(p->load, open, "blocks are nested more than %d deep", CONF_BLOCK_DEPTH_MAX);
		for (unsigned depth = 1; depth > 0; ) {
			struct token token = take(p);
			depth += token.kind == TOKEN_open;
			depth -= token.kind == TOKEN_close;
			if (token.kind == TOKEN_end)
				return;
		}
		return;
	}
	p->blocks++;
	parse_statements(p, &tail, true);
	p->blocks--;
	struct token close = take(p);
	if (close.kind != TOKEN_close) {
		p->load->doubtful = true;
		st->doubtful = true;
		if (!p->load->cut)
			load_error(p->load, open, "the block of '%.*s' is not closed: a '}' is missing", SLICE_ARG(st->name.text));
		put_back(p, close);
	}
}

static void add_arg(struct parser *p, struct statement *st, const struct token *token)
{
	if (st->arg_count == CONF_ARGS_MAX && !st->cut) {
		load_error(p->load, token->pos, "'%.*s' has more than %d values", SLICE_ARG(st->name.text), CONF_ARGS_MAX);
		st->cut = true;
		st->doubtful = true;
	}
	if (st->arg_count < CONF_ARGS_MAX)
		st->args[st->arg_count++] = *token;
}

/* "server_name ~^a{2}$;": as in nginx a brace ends a word, and begins a block that nobody meant. */
static bool is_torn(const struct statement *st, const struct token *open)
{
	const struct directive *row = directive_find(st->name.text);
	const struct token *last = st->arg_count ? &st->args[st->arg_count - 1] : NULL;

	if (!last || last->quoted || last->end.line != open->pos.line || last->end.col != open->pos.col)
		return false;
	return (row && !row->block) || slice_starts(st->args[0].text, SLICE("~"));
}

/* The values of a directive, up to its ';', its block, or where its ';' is missing. Returns what ended them. */
static struct token parse_args(struct parser *p, struct statement *st)
{
	struct conf_pos end = st->name.end;
	struct token args[CONF_ARGS_MAX], token;

	st->args = args;
	for (;; end = token.end) {
		token = take(p);
		bool torn = token.kind == TOKEN_open && is_torn(st, &token);
		/* A line that begins with the name of a directive is not another value of the line above. */
		bool next_line = token.kind == TOKEN_word && !token.quoted && token.pos.line > end.line && directive_find(token.text);
		if (torn) {
			load_error(p->load, st->args[st->arg_count - 1].pos, "a word with braces must be in quotes");
			st->cut = true;
			st->doubtful = true;
		} else if (next_line || token.kind == TOKEN_close || token.kind == TOKEN_end) {
			missing_semicolon(p, st, end);
			put_back(p, token);
			break;
		} else if (token.kind != TOKEN_word) {
			break;
		} else {
			add_arg(p, st, &token);
		}
	}
	st->args = load_scratch(p->load, (st->arg_count + 1) * sizeof(*st->args));
	memcpy(st->args, args, st->arg_count * sizeof(*st->args));
	return token;
}

static void parse_statement(struct parser *p, struct statement *st)
{
	struct token end = parse_args(p, st);

	if (end.kind == TOKEN_open)
		parse_block(p, st, end.pos);
}

static void append(struct statement ***tail, struct statement *st)
{
	**tail = st;
	*tail = &st->next;
}

static void parse_statements(struct parser *p, struct statement ***tail, bool in_block)
{
	for (;;) {
		struct token token = take(p);
		struct statement *st;

		switch (token.kind) {
		case TOKEN_end:
			if (in_block)
				put_back(p, token);
			return;
		case TOKEN_close:
			if (in_block) {
				put_back(p, token);
				return;
			}
			load_error(p->load, token.pos, "'}' closes nothing");
			break;
		case TOKEN_semicolon:
			load_error(p->load, token.pos, "';' ends nothing");
			break;
		case TOKEN_open:
			load_error(p->load, token.pos, "a block needs a name before its '{'");
			st = load_scratch(p->load, sizeof(*st));
			st->name = token;
			parse_block(p, st, token.pos);
			break;
		case TOKEN_word:
			st = load_scratch(p->load, sizeof(*st));
			st->name = token;
			parse_statement(p, st);
			if (slice_eq(st->name.text, SLICE("include")) && st->arg_count == 1 && !st->has_block)
				include(p, st, tail);
			else
				append(tail, st);
			break;
		}
	}
}

struct statement *parse_text(struct load *load, struct source *source)
{
	struct statement *top = load_scratch(load, sizeof(*top));
	struct statement **tail = &top->children;
	struct parser p = { .load = load, .source = source };

	lexer_init(&p.lexer, load, source);
	parse_statements(&p, &tail, false);
	return top;
}
