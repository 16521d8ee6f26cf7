/* Reading lines: the splitter against libcsv, header lines, hostile lines, files of every kind; nothing ends the run and every
 * line is either counted or rejected with its reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include "audit_log.h"
#include "logline_random.h"
#include "page.h"

/* ---- one line ---- */

/* The fields joined by |, or the name of the reason. */
static char *split_text(struct splitter *s, struct slice text, char *out, enum reject (*by)(struct splitter *, struct slice, struct slice *, size_t *))
{
	struct slice fields[FIELDS_MAX];
	size_t count = 0, len = 0;
	enum reject why = by(s, text, fields, &count);

	if (why != REJECT_none) return strcpy(out, reject_rows[why].name);
	len += (size_t)sprintf(out, "%zu", count);
	for (size_t i = 0; i < count; i++) {
		out[len++] = '|';
		if (fields[i].len) memcpy(out + len, fields[i].ptr, fields[i].len);
		len += fields[i].len;
	}
	out[len] = 0;
	return out;
}

static const struct { const char *line, *answer, *why; } lines[] = {
	{ "", "0", "a blank line is no row" },
	{ "   ", "0", "blanks are no row" },
	{ "a", "1|a", "one field" },
	{ "a,b", "2|a|b", "two fields" },
	{ ",", "2||", "two empty fields" },
	{ "a,", "2|a|", "an empty field at the end" },
	{ ",,,,,,,,,,,,,,,,,,", "19|||||||||||||||||||", "more commas than a block has" },
	{ "  a  , b c ,d ", "3|a|b c|d", "blanks around a field are dropped" },
	{ "\"a\"", "1|a", "quoted" },
	{ "\"\"", "1|", "quoted and empty: a row" },
	{ "\"a,b\",c", "2|a,b|c", "a comma within quotes" },
	{ "\" a \",c", "2| a |c", "blanks within quotes" },
	{ "\"a\"\"b\"", "1|a\"b", "a doubled quote" },
	{ "\"\"\"\"", "1|\"", "only a quote" },
	{ " \"a\" ,b", "2|a|b", "blanks around quotes" },
	{ "0123456789abcde,\"0123456789abcdef,0123456789\",x", "3|0123456789abcde|0123456789abcdef,0123456789|x", "over the edge of a block" },
	{ "\"a", "open_quote", "not closed" },
	{ "a,\"b,c", "open_quote", "not closed, with a comma" },
	{ "\"a\"\"", "open_quote", "a doubled quote at the end does not close" },
	{ "\"", "open_quote", "only a quote" },
	{ "a\"b", "bad_quote", "a quote in the middle" },
	{ "a,b\"", "bad_quote", "a quote at the end" },
	{ "\"a\"b", "bad_quote", "text behind the quote" },
	{ "\"a\" b", "bad_quote", "text behind the quote and a blank" },
	{ "\"a\"b,\"c\"", "bad_quote", "text behind the quote" },
	{ "a\tb", "control_byte", "a tab" },
	{ "a,\"b\tc\"", "control_byte", "a tab within quotes" },
	{ "a\rb", "control_byte", "a bare CR" },
	{ "a\x7f", "control_byte", "DEL" },
	{ "a\"b\x01", "control_byte", "worse than the quote" },
	{ "caf\xc3\xa9,\xff", "2|caf\xc3\xa9|\xff", "bytes above 127" },
};

static void lines_split_as_rfc_4180_says(void **state)
{
	struct splitter *s = splitter_new();
	struct page page = page_new(4096);
	char out[4096];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		struct slice text = slice_make(page_put(page, lines[i].line, strlen(lines[i].line)), strlen(lines[i].line));
		if (strcmp(split_text(s, text, out, split), lines[i].answer) != 0) fail_msg("%s: %s", lines[i].why, out);
		if (strcmp(split_text(s, text, out, split_by_libcsv), lines[i].answer) != 0) fail_msg("libcsv: %s: %s", lines[i].why, out);
	}
	page_free(&page);
	splitter_free(&s);
}

static void the_scanner_splits_as_libcsv_does(void **state)
{
	static const char *const letters[] = { "a,\"", "ab , \"\"", ",\"x \x01", "abcdefghij,,\"\xff" };
	struct splitter *s = splitter_new();
	struct page page = page_new(4096);
	struct random r = { .state = 4180 };
	static char mine[8192], theirs[8192];
	size_t whole = 0;

	(void)state;
	for (int round = 0; round < 300000; round++) {
		const char *set = letters[random_below(&r, COUNT_OF(letters))];
		size_t len = random_below(&r, round % 10 ? 40 : 700);
		char *text = page_put(page, "", 0) - len;
		/* Every second one begins as lines do: fields, some of them well quoted. */
		for (size_t i = 0; i < len; i++) text[i] = set[random_below(&r, strlen(set))];
		split_text(s, slice_make(text, len), mine, split);
		split_text(s, slice_make(text, len), theirs, split_by_libcsv);
		if (strcmp(mine, theirs) != 0) fail_msg("'%.*s': '%s' is not '%s'", (int)len, text, mine, theirs);
		whole += mine[0] >= '0' && mine[0] <= '9';
	}
	assert_true(whole > 10000);
	page_free(&page);
	splitter_free(&s);
}

static void too_many_fields_are_refused(void **state)
{
	struct splitter *s = splitter_new();
	struct slice fields[FIELDS_MAX];
	static char text[FIELDS_MAX + 1];
	size_t count = 0;

	(void)state;
	memset(text, ',', sizeof(text));
	assert_int_equal(split(s, slice_make(text, FIELDS_MAX - 1), fields, &count), REJECT_none);
	assert_int_equal(count, FIELDS_MAX);
	assert_int_equal(split(s, slice_make(text, FIELDS_MAX), fields, &count), REJECT_field_count);
	splitter_free(&s);
}

static void what_was_written_is_what_is_parsed(void **state)
{
	static char out[LOG_LINE_MAX], pool[1 << 20];
	struct random r = { .state = 99, .pool = pool, .pool_size = sizeof(pool) };
	struct line_parser parser;
	struct page page = page_new(LOG_LINE_MAX);
	struct logline want, got;
	enum reject why = REJECT_none;
	struct slice column;

	(void)state;
	line_parser_init(&parser);
	assert_int_equal(line_parse(&parser, slice_make(out, logline_write_header(out) - 1), &got, &why, &column), LINE_header);
	assert_true(parser.state.columns.all_in_order);
	for (int round = 0; round < 20000; round++) {
		random_logline(&r, &want);
		size_t len = logline_write(&want, out) - 1;
		/* The way through the columns by name must give the same. */
		parser.state.columns.all_in_order = round & 1;
		if (line_parse(&parser, slice_make(page_put(page, out, len), len), &got, &why, &column) != LINE_record)
			fail_msg("round %d: %s %.*s: %.*s", round, reject_rows[why].name, SLICE_ARG(column), (int)len, out);
		const char *name = logline_difference(&want, &got);
		if (name) fail_msg("round %d: %s differs: %.*s", round, name, (int)len, out);
	}
	line_parser_release(&parser);
	page_free(&page);
}

/* ---- whole logs ---- */

#define HEAD "rec/1,t_us,cache,volume,host,body_out\n"
#define GOOD "req,1,hit,main,a.example,10\n"

/* A log, and for each reason, in the table's order, how many lines of it are rejected: "reason:count ..." */
static const struct { const char *text; unsigned counted, headers; const char *rejected, *why; } logs[] = {
	{ "", 0, 0, "", "empty" },
	{ HEAD, 0, 1, "", "only the header line" },
	{ HEAD GOOD GOOD, 2, 1, "", "two lines" },
	{ "rec/1,t_us,cache,volume,host,body_out\r\nreq,1,hit,main,a.example,10\r\n", 1, 1, "", "CRLF" },
	{ HEAD GOOD HEAD GOOD, 2, 2, "", "the header line again, as after a rotation" },
	{ HEAD GOOD "rec/1,host,volume,cache,t_us,body_out\nreq,a.example,main,hit,1,10\n", 2, 2, "", "other columns from here on" },
	{ "rec/1,new,t_us,cache,volume,host,body_out,newer\nreq,?,1,hit,main,a.example,10,\"!,!\"\n", 1, 1, "", "columns of a younger program" },
	{ GOOD HEAD GOOD, 1, 1, "no_header:1", "no header line yet" },
	{ "rec/1,t_us,cache,host,body_out\n" GOOD HEAD GOOD, 1, 1, "no_header:1 bad_header:1", "without volume" },
	{ "rec/1,t_us,cache,volume,host,body_out,t_us\n" GOOD, 0, 0, "no_header:1 bad_header:1", "a column twice" },
	{ "rec/x,t_us,cache,volume,host,body_out\n" GOOD, 0, 0, "no_header:1 bad_header:1", "no version" },
	{ "rec/,t_us,cache,volume,host,body_out\n" GOOD, 0, 0, "no_header:1 bad_header:1", "no version" },
	{ HEAD GOOD "req,1,hit,main,\"a.example,10\n" GOOD, 2, 1, "open_quote:1", "an open quote swallows nothing" },
	{ HEAD "req,1,hit,main,a\"b,10\n" GOOD, 1, 1, "bad_quote:1", "a stray quote" },
	{ HEAD "req,1,hit,main,a.example\n" "req,1,hit,main,a.example,10,11\n" "\n" GOOD, 1, 1, "field_count:3", "too few, too many, none" },
	{ HEAD "req,x,hit,main,a.example,10\n" "req,1,bit,main,a.example,10\n" "wreck,1,hit,main,a.example,10\n" "req,1,hit,m n,a,10\n"
		"req,1,hit,main,a.example,-1\n" GOOD, 1, 1, "bad_value:5", "bad values" },
	{ HEAD "req,1,hit,main,a\x01" "b,10\n" GOOD, 1, 1, "control_byte:1", "a control byte" },
	{ HEAD GOOD "req,1,hit,main,a.exa", 1, 1, "no_newline:1", "cut short" },
	{ HEAD GOOD "req,1,hit,main,a.example,10", 1, 1, "no_newline:1", "cut short where it looks whole: 10 may have been 1000" },
	{ "192.0.2.1 - - [24/Nov/2026:10:50:17 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"curl\"\n", 0, 0, "bad_quote:1", "another program's log" },
	{ "rec/2,t_us,cache,volume,host,body_out\n" GOOD GOOD, 0, 0, "", "a newer schema: read no further" },
};

static void every_line_is_counted_or_rejected_with_its_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(logs); i++) {
		struct log log = { 0 };
		struct audit audit;
		char rejected[256] = "";
		size_t len = 0;
		log_add_text(&log, slice_str(logs[i].text));
		audit_init(&audit);
		audit_log(&audit, "a.csv", &log);
		for (int r = 0; r < REJECT_COUNT; r++)
			if (audit.rejects[r].group.count)
				len += (size_t)snprintf(rejected + len, sizeof(rejected) - len, "%s%s:%d", len ? " " : "", reject_rows[r].name,
					(int)audit.rejects[r].group.count);
		if (strcmp(rejected, logs[i].rejected) != 0) fail_msg("%s: '%s'", logs[i].why, rejected);
		if (audit.lines_counted != logs[i].counted) fail_msg("%s: %d counted", logs[i].why, (int)audit.lines_counted);
		if (audit.lines_header != logs[i].headers) fail_msg("%s: %d headers", logs[i].why, (int)audit.lines_header);
		assert_int_equal(audit.lines_read, audit.lines_counted + audit.lines_rejected);
		assert_int_equal(tally_hits(&audit.tally.all), logs[i].counted);
		assert_int_equal(tally_bytes(&audit.tally.all), logs[i].counted * 10);
		/* A file of which nothing counts, or that is of the future, is trouble; a few bad lines are not. */
		assert_int_equal(audit.trouble_count, (logs[i].counted == 0 && audit.lines_rejected) || strncmp(logs[i].text, "rec/2", 5) == 0);
		audit_release(&audit);
		log_free(&log);
	}
}

static void a_header_line_holds_for_its_file_only(void **state)
{
	struct log log = { 0 }, headless = { 0 };
	struct audit audit;

	(void)state;
	log_add_text(&log, SLICE(HEAD GOOD));
	log_add_text(&headless, SLICE(GOOD));
	audit_init(&audit);
	audit_log(&audit, "a.csv", &log);
	audit_log(&audit, "b.csv", &headless);
	assert_int_equal(audit.lines_counted, 1);
	assert_int_equal(audit.rejects[REJECT_no_header].group.count, 1);
	assert_int_equal(audit.rejects[REJECT_no_header].group.evidence.at[0].file, 1);
	assert_int_equal(audit.rejects[REJECT_no_header].group.evidence.at[0].line, 1);
	audit_release(&audit);
	log_free(&log);
	log_free(&headless);
}

/* ---- files ---- */

static void file_write(char *path, const char *text, size_t len, bool gzip)
{
	int fd = mkstemp(strcpy(path, "/tmp/logaudit-line-XXXXXX"));

	assert_true(fd >= 0);
	if (gzip) {
		gzFile gz = gzdopen(fd, "wb");
		assert_int_equal(gzwrite(gz, text, (unsigned)len), (int)len);
		assert_int_equal(gzclose(gz), Z_OK);
	} else {
		assert_int_equal(write(fd, text, len), (ssize_t)len);
		close(fd);
	}
}

/* Header, good lines, lines at and over the limit, good lines: more than one buffer of each. */
static struct log long_log(void)
{
	struct log log = { 0 };
	static char longest[3 * LOG_LINE_MAX];

	memset(longest, 'a', sizeof(longest));
	log_add_text(&log, SLICE(HEAD));
	for (int i = 0; i < 20000; i++) log_add_text(&log, SLICE(GOOD));
	log_add_text(&log, slice_make(longest, LOG_LINE_MAX - 1));      /* with its newline as long as may be */
	log_add_text(&log, SLICE("\n"));
	log_add_text(&log, slice_make(longest, LOG_LINE_MAX));
	log_add_text(&log, SLICE("\n" GOOD));
	log_add_text(&log, slice_make(longest, sizeof(longest)));
	log_add_text(&log, SLICE("\n"));
	for (int i = 0; i < 12; i++) log_add_text(&log, slice_make(longest, sizeof(longest)));
	log_add_text(&log, SLICE("\n"));
	for (int i = 0; i < 19999; i++) log_add_text(&log, SLICE(GOOD));
	return log;
}

static void assert_long_log(const struct audit *audit)
{
	assert_int_equal(audit->lines_counted, 40000);
	assert_int_equal(audit->lines_rejected, 4);
	assert_int_equal(audit->rejects[REJECT_field_count].group.count, 1);
	assert_int_equal(audit->rejects[REJECT_too_long].group.count, 3);
	assert_int_equal(audit->rejects[REJECT_too_long].group.evidence.at[0].line, 20003);
	assert_int_equal(audit->rejects[REJECT_too_long].group.evidence.at[2].line, 20006);
	assert_int_equal(audit->here.line, 40005);
}

static void files_and_gzip_files_are_the_same_lines(void **state)
{
	struct log log = long_log();
	char path[64];
	struct audit audit;

	(void)state;
	for (int gzip = 0; gzip < 2; gzip++) {
		file_write(path, log.text, log.len, gzip);
		audit_init(&audit);
		audit_read(&audit, path);
		assert_int_equal(audit.trouble_count, 0);
		assert_long_log(&audit);
		/* By another name it is still the same file: read once only. */
		char other[80];
		snprintf(other, sizeof(other), "/tmp/../%s", path);
		audit_read(&audit, other);
		assert_int_equal(audit.note_count, 1);
		assert_long_log(&audit);
		audit_release(&audit);
		unlink(path);
	}
	log_free(&log);
}

static void a_pipe_is_read_to_its_end(void **state)
{
	struct log log = { 0 };
	struct audit audit;
	int pipes[2], saved = dup(STDIN_FILENO);

	(void)state;
	log_add_text(&log, SLICE(HEAD GOOD GOOD));
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(write(pipes[1], log.text, log.len), (ssize_t)log.len);
	close(pipes[1]);
	assert_true(dup2(pipes[0], STDIN_FILENO) >= 0);
	close(pipes[0]);
	audit_init(&audit);
	audit_read(&audit, "-");
	assert_int_equal(audit.trouble_count, 0);
	assert_int_equal(audit.lines_counted, 2);
	audit_release(&audit);
	assert_true(dup2(saved, STDIN_FILENO) >= 0);
	close(saved);
	log_free(&log);
}

static void what_cannot_be_read_is_named_and_the_rest_is_read(void **state)
{
	struct log log = long_log();
	char good[64], cut[64], damaged[64];
	struct audit audit;
	int fd;

	(void)state;
	file_write(good, HEAD GOOD, sizeof(HEAD GOOD) - 1, false);
	file_write(cut, log.text, log.len, true);
	assert_int_equal(truncate(cut, 500), 0);
	file_write(damaged, log.text, log.len, true);
	fd = open(damaged, O_WRONLY);
	assert_int_equal(pwrite(fd, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, 40), 8);
	close(fd);
	audit_init(&audit);
	audit_read(&audit, "/tmp/no/such/file");
	audit_read(&audit, "/tmp");
	audit_read(&audit, cut);
	audit_read(&audit, damaged);
	audit_read(&audit, good);
	assert_true(audit.trouble_count >= 4);
	assert_non_null(strstr(audit.troubles[0], "/tmp/no/such/file: No such file"));
	assert_non_null(strstr(audit.troubles[1], "directory"));
	assert_non_null(strstr(audit.troubles[2], "cut short"));
	assert_true(audit.lines_counted >= 1);
	assert_int_equal(audit.lines_read, audit.lines_counted + audit.lines_rejected);
	audit_release(&audit);
	unlink(good);
	unlink(cut);
	unlink(damaged);
	log_free(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_split_as_rfc_4180_says),
		cmocka_unit_test(the_scanner_splits_as_libcsv_does),
		cmocka_unit_test(too_many_fields_are_refused),
		cmocka_unit_test(what_was_written_is_what_is_parsed),
		cmocka_unit_test(every_line_is_counted_or_rejected_with_its_reason),
		cmocka_unit_test(a_header_line_holds_for_its_file_only),
		cmocka_unit_test(files_and_gzip_files_are_the_same_lines),
		cmocka_unit_test(a_pipe_is_read_to_its_end),
		cmocka_unit_test(what_cannot_be_read_is_named_and_the_rest_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
