/* Log lines: any bytes as a log. Each line is counted or rejected, the scanner splits as libcsv does, and a record that was
 * taken says the same when it is written and taken again. */
#include "../../logaudit/audit.h"
#include "../../conf/logval.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void split_both(struct splitter *splitter, struct slice text)
{
	struct slice mine[FIELDS_MAX], theirs[FIELDS_MAX];
	static char copies[LOG_LINE_MAX];
	size_t my_count = 0, their_count = 0, used = 0;
	enum reject my_answer = split(splitter, text, mine, &my_count), their_answer;

	/* The fields may lie in the splitter, which the second split uses. */
	for (size_t i = 0; my_answer == REJECT_none && i < my_count; i++) {
		CHECK(used + mine[i].len <= sizeof(copies));
		if (mine[i].len) memcpy(copies + used, mine[i].ptr, mine[i].len);
		mine[i].ptr = copies + used;
		used += mine[i].len;
	}
	their_answer = split_by_libcsv(splitter, text, theirs, &their_count);
	CHECK(my_answer == their_answer);
	if (my_answer != REJECT_none) return;
	CHECK(my_count == their_count);
	for (size_t i = 0; i < my_count; i++) CHECK(slice_eq(mine[i], theirs[i]));
}

/* Texts as the request had them: the writer escapes them again. */
static struct slice plain(struct slice text, char *pool, size_t *used, bool *ret_cut)
{
	char *at = pool + *used;
	uint64_t true_len = 0;
	size_t len = logval_unescape(text, at, &true_len);

	*used += text.len;
	*ret_cut |= len != true_len || len > LOG_STR_MAX;
	return slice_make(at, len);
}

#define PLAIN_STR(name) line.name = plain(line.name, pool, &used, &cut);
#define PLAIN_U64(name)
#define PLAIN_I64(name)
#define PLAIN_BOOL(name)
#define PLAIN_HEX64(name)
#define PLAIN_WORD(name)
#define PLAIN_RECORD(name)
#define PLAIN_VERDICT(name)
#define PLAIN_TIER(name)
#define PLAIN_NOSTORE(name)
#define PLAIN_END(name)
#define PLAIN_REFUSAL(name)
#define PLAIN_FOUND(name)
#define PLAIN_UNCODED(name)

static void round_trip(struct line_parser *writer, struct logline line)
{
	static char pool[LOG_LINE_MAX], first[LOG_LINE_MAX], second[LOG_LINE_MAX];
	struct logline again;
	enum reject why = REJECT_none;
	struct slice column;
	size_t used = 0, first_len;
	bool cut = false;

#define LOG_FIELD(name, KIND, doc) PLAIN_##KIND(name)
#include "../../conf/tbl/log_fields.h"
#undef LOG_FIELD
	first_len = logline_write(&line, first);
	CHECK(memchr(first, '\n', first_len) == first + first_len - 1);
	CHECK(line_parse(writer, slice_make(first, first_len - 1), &again, &why, &column) == LINE_record);
	if (cut) return;
	line = again;
	used = 0;
#define LOG_FIELD(name, KIND, doc) PLAIN_##KIND(name)
#include "../../conf/tbl/log_fields.h"
#undef LOG_FIELD
	CHECK(logline_write(&line, second) == first_len && memcmp(first, second, first_len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct line_parser reader, writer;
	struct audit audit;
	struct logline line;
	enum reject why = REJECT_none;
	struct slice rest = slice_make((const char *)data, size), column;
	static char header[LOG_LINE_MAX];
	uint64_t number = 0;
	bool go_on = true;

	audit_init(&audit);
	audit_begin(&audit, "fuzz");
	line_parser_init(&reader);
	line_parser_init(&writer);
	CHECK(line_parse(&writer, slice_make(header, logline_write_header(header) - 1), &line, &why, &column) == LINE_header);
	while (rest.len) {
		const char *newline = memchr(rest.ptr, '\n', rest.len);
		size_t len = newline ? (size_t)(newline - rest.ptr) : rest.len;
		/* A copy of just the line: what reads beyond it is caught. */
		char *text = must(malloc(len + 1));
		memcpy(text, rest.ptr, len);
		bool too_long = len >= LOG_LINE_MAX;
		if (go_on) go_on = audit_line(&audit, slice_make(text, len), ++number, too_long ? INPUT_too_long : newline ? INPUT_none : INPUT_no_newline);
		if (!too_long) {
			split_both(reader.splitter, slice_make(text, len));
			if (line_parse(&reader, slice_make(text, len), &line, &why, &column) == LINE_record) round_trip(&writer, line);
		}
		free(text);
		rest.ptr += len + (newline != NULL);
		rest.len -= len + (newline != NULL);
	}
	CHECK(audit.lines_read == audit.lines_counted + audit.lines_rejected);
	audit_end(&audit);
	audit_finish(&audit);
	audit_release(&audit);
	line_parser_release(&reader);
	line_parser_release(&writer);
	return 0;
}
