/* Errors and notes of one load: kept, sorted by place, printed with their line and a caret. */
#include <stdarg.h>

#include "internal.h"

enum { MESSAGE_MAX = 512, SHOWN_MAX = 160, SHOWN_BEFORE = 60 };

struct message {
	struct message *next;
	struct conf_pos pos;
	unsigned file_order, number;
	bool note;
	char *text;
};

static const struct source *source_of(const struct load *load, const char *file)
{
	for (const struct source *source = load->sources; source; source = source->next)
		if (source->name == file)
			return source;
	return NULL;
}

static void add(struct load *load, struct conf_pos pos, bool note, const char *format, va_list args)
{
	unsigned *count = note ? &load->notes : &load->errors;
	const struct source *source = source_of(load, pos.file);
	struct message *message;
	char text[MESSAGE_MAX];

	if ((*count)++ >= CONF_MESSAGES_MAX)
		return;
	vsnprintf(text, sizeof(text), format, args);
	/* What the user wrote is repeated in messages: it must not steer a terminal. */
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	message = load_scratch(load, sizeof(*message));
	*message = (struct message){ load->messages, pos, source ? source->order : 0, load->errors + load->notes, note, NULL };
	message->text = load_scratch(load, strlen(text) + 1);
	memcpy(message->text, text, strlen(text) + 1);
	load->messages = message;
}

void load_error(struct load *load, struct conf_pos pos, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(load, pos, false, format, args);
	va_end(args);
}

void load_note(struct load *load, struct conf_pos pos, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(load, pos, true, format, args);
	va_end(args);
}

struct conf_pos token_pos_at(const struct token *token, size_t offset)
{
	struct conf_pos pos = token->pos;

	pos.col += (unsigned)token->quoted;
	for (size_t i = 0; i < offset && i < token->text.len; i++)
		pos.col += ((unsigned char)token->text.ptr[i] & 0xc0) != 0x80;
	return pos;
}

static struct slice line_of(const struct source *source, unsigned number)
{
	const char *at = source->text.ptr, *end = at + source->text.len, *newline;

	for (unsigned i = 1; i < number && at < end; i++) {
		newline = memchr(at, '\n', (size_t)(end - at));
		at = newline ? newline + 1 : end;
	}
	newline = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
	struct slice line = slice_make(at, (size_t)((newline ? newline : end) - at));
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	if (number == 1 && slice_starts(line, SLICE("\xef\xbb\xbf")))
		line = slice_make(line.ptr + 3, line.len - 3);
	return line;
}

static bool is_continuation(char c) { return ((unsigned char)c & 0xc0) == 0x80; }

/* The byte at which the character `col` (from 1) begins. */
static size_t offset_of(struct slice line, unsigned col)
{
	size_t at = 0;

	for (unsigned i = 1; i < col && at < line.len; i++)
		do at++; while (at < line.len && is_continuation(line.ptr[at]));
	return at;
}

/* How many bytes the word at `at` takes: up to its closing quote, or to where words end. */
static size_t width_of(struct slice line, size_t at)
{
	char quote = at < line.len ? line.ptr[at] : 0;
	size_t end = at + 1;

	if (quote == '"' || quote == '\'') {
		while (end < line.len && line.ptr[end] != quote)
			end += line.ptr[end] == '\\' ? 2 : 1;
		end++;
		return end > line.len ? line.len - at : end - at;
	}
	if (quote == 0 || strchr(";{} \t", quote))
		return 1;
	while (end < line.len && !strchr(";{ \t\"", line.ptr[end]))
		end++;
	return end - at;
}

/* The line, and below it the caret. Tabs are kept in both, so that the caret stays right however wide they are. */
static void print_line(struct slice line, unsigned col, FILE *out)
{
	size_t at = offset_of(line, col), width = width_of(line, at), from = 0, to;

	if (line.len > SHOWN_MAX && at > SHOWN_BEFORE)
		for (from = at - SHOWN_BEFORE; from < at && is_continuation(line.ptr[from]); )
			from++;
	to = line.len - from > SHOWN_MAX ? from + SHOWN_MAX : line.len;
	while (to < line.len && is_continuation(line.ptr[to]))
		to++;
	fprintf(out, "    %s", from ? "..." : "");
	for (size_t i = from; i < to; i++)
		fputc(((unsigned char)line.ptr[i] < ' ' && line.ptr[i] != '\t') || line.ptr[i] == 0x7f ? '?' : line.ptr[i], out);
	fprintf(out, "%s\n    %s", to < line.len ? "..." : "", from ? "   " : "");
	for (size_t i = from; i < at; i++)
		if (!is_continuation(line.ptr[i]))
			fputc(line.ptr[i] == '\t' ? '\t' : ' ', out);
	fputc('^', out);
	for (size_t i = at + 1; i < at + width && i < to; i++)
		if (!is_continuation(line.ptr[i]))
			fputc('~', out);
	fputc('\n', out);
}

void conf_complain(struct conf_pos pos, const char *sentence, FILE *out)
{
	FILE *in = fopen(pos.file, "re");
	char *text = NULL;
	size_t size = 0;
	ssize_t len = 0;

	fprintf(out, "%s:%u:%u: %s\n", pos.file, pos.line, pos.col, sentence);
	for (unsigned i = 0; in && i < pos.line && len >= 0; i++)
		len = getline(&text, &size, in);
	if (in && len > 0) {
		const struct source source = { .text = slice_make(text, (size_t)len) };
		print_line(line_of(&source, 1), pos.col, out);
	}
	free(text);
	if (in)
		fclose(in);
}

static void print_one(const struct load *load, const struct message *message, FILE *out)
{
	const struct source *source = source_of(load, message->pos.file);
	const char *note = message->note ? "note: " : "";

	if (!message->pos.file) {
		fprintf(out, "%s%s\n", note, message->text);
		return;
	}
	if (message->pos.line == 0) {
		fprintf(out, "%s: %s%s\n", message->pos.file, note, message->text);
		return;
	}
	fprintf(out, "%s:%u:%u: %s%s\n", message->pos.file, message->pos.line, message->pos.col, note, message->text);
	if (source && !message->note)
		print_line(line_of(source, message->pos.line), message->pos.col, out);
}

static int compare(const void *left, const void *right)
{
	const struct message *a = *(const struct message *const *)left, *b = *(const struct message *const *)right;

	if (a->file_order != b->file_order)
		return a->file_order < b->file_order ? -1 : 1;
	if (a->pos.line != b->pos.line)
		return a->pos.line < b->pos.line ? -1 : 1;
	if (a->pos.col != b->pos.col)
		return a->pos.col < b->pos.col ? -1 : 1;
	return a->number < b->number ? -1 : 1;
}

void messages_print(struct load *load, FILE *out)
{
	size_t count = 0;
	struct message **sorted;

	for (struct message *message = load->messages; message; message = message->next)
		count++;
	sorted = load_scratch(load, (count + 1) * sizeof(*sorted));
	for (struct message *message = load->messages, **to = sorted; message; message = message->next)
		*to++ = message;
	qsort(sorted, count, sizeof(*sorted), compare);
	for (size_t i = 0; i < count; i++)
		print_one(load, sorted[i], out);
	if (load->errors > CONF_MESSAGES_MAX)
		fprintf(out, "%u more errors are not shown\n", load->errors - CONF_MESSAGES_MAX);
}
