/* Made logs whose truth is known: the audit says it to the last request; with any number of threads it says the same to the byte, of
 * damaged logs too; and rules that are spared lines find what they would find without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <unistd.h>
#include <zlib.h>

#include "../../logaudit/report.h"
#include "../bench/traffic.h"
#include "audit_log.h"
#include "logline_random.h"

/* ---- help ---- */

static const struct traffic_options small = { .lines = 20000, .seed = 1, .pages = 3000, .clients = 500, .nodes = 2, .hosts = 5, .skew = 0.9, .rate = 20,
	.faults = 120, .broken = 3 };

static struct log traffic_log(struct traffic *t, const struct traffic_options *options)
{
	static char out[LOG_LINE_MAX];
	struct log log = { 0 };

	traffic_init(t, options);
	for (size_t len; (len = traffic_next(t, out));) log_add_text(&log, slice_make(out, len));
	traffic_release(t);
	return log;
}

static void log_write(char path[64], const struct log *log, bool gzip)
{
	int fd = mkstemp(strcpy(path, "/tmp/logaudit-truth-XXXXXX"));
	gzFile gz;

	assert_true(fd >= 0);
	gz = gzdopen(fd, gzip ? "wb1" : "wbT");
	assert_int_equal(gzwrite(gz, log->text, (unsigned)log->len), (int)log->len);
	assert_int_equal(gzclose(gz), Z_OK);
}

static void audit_file(struct audit *audit, const char *path, unsigned threads)
{
	audit_init(audit);
	audit->threads = threads;
	audit_read(audit, path);
	audit_finish(audit);
}

static char *audit_json(const char *path, unsigned threads)
{
	struct audit audit;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	audit_file(&audit, path, threads);
	report_json(&audit, true, NULL, out);
	fclose(out);
	audit_release(&audit);
	return text;
}

/* ---- the truth ---- */

static void rows_agree(const struct traffic_row *rows, size_t count, const struct map *map)
{
	assert_int_equal(map->count, count);
	for (size_t i = 0; i < count; i++) {
		const struct tally_row *row = map_find(map, slice_str(rows[i].name));
		assert_non_null(row);
		if (tally_requests(row) != rows[i].requests || tally_hits(row) != rows[i].hits || tally_bytes(row) != rows[i].bytes)
			fail_msg("%s: %d requests, %d hits", rows[i].name, (int)tally_requests(row), (int)tally_hits(row));
	}
}

/* Each fault is one finding with its count; there is no other at warning or above. */
static void findings_agree(const struct traffic_truth *truth, const struct audit *audit)
{
	size_t known = 0;

	for (int f = 0; f < TRAFFIC_FAULT_COUNT; f++) {
		uint64_t count = 0;
		for (size_t i = 0; i < audit->findings.count; i++) {
			const struct finding *finding = &audit->findings.rows[i];
			if (strcmp(finding->rule->id, traffic_fault_rows[f].rule) == 0 && strcmp(finding->subject, traffic_fault_rows[f].subject) == 0)
				count += finding->count;
		}
		if (count != truth->faults[f]) fail_msg("%s: %d, not %d", traffic_fault_rows[f].doc, (int)count, (int)truth->faults[f]);
		known += count > 0;
	}
	for (size_t i = 0; i < audit->findings.count; i++) known -= audit->findings.rows[i].severity != SEVERITY_info;
	assert_int_equal(known, 0);
}

static const char *const broken_names[] = {
#define BROKEN(reason, text) #reason,
	TRAFFIC_BROKEN(BROKEN)
#undef BROKEN
};

static void truth_agrees(const struct traffic_truth *truth, const struct audit *audit)
{
	assert_int_equal(audit->trouble_count, 0);
	assert_int_equal(audit->lines_counted, truth->requests);
	assert_int_equal(tally_requests(&audit->tally.all), truth->requests);
	assert_int_equal(tally_bytes(&audit->tally.all), truth->bytes);
	assert_int_equal(audit->tally.stored, truth->stored);
	assert_int_equal(audit->tally.all.origin_tries, truth->origin_tries);
	assert_int_equal(audit->tally.all.first_us, truth->first_us);
	assert_int_equal(audit->tally.all.last_us, truth->last_us);
	for (int i = 0; i < VERDICT_COUNT; i++) assert_int_equal(audit->tally.all.requests[i], truth->verdicts[i]);
	rows_agree(truth->hosts, truth->host_count, &audit->tally.tables[TABLE_hosts].map);
	rows_agree(truth->volumes, truth->volume_count, &audit->tally.tables[TABLE_volumes].map);
	for (size_t i = 0; i < COUNT_OF(broken_names); i++)
		for (int r = 0; r < REJECT_COUNT; r++)
			if (strcmp(reject_rows[r].name, broken_names[i]) == 0) assert_int_equal(audit->rejects[r].group.count, truth->broken[i]);
	findings_agree(truth, audit);
}

static void the_audit_says_what_was_made(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct traffic_options options = small;
		struct traffic traffic;
		struct audit audit;
		char path[64];
		options.seed = seed;
		if (seed == 4) options.faults = options.broken = 0;
		struct log log = traffic_log(&traffic, &options);
		log_write(path, &log, seed == 2);
		audit_file(&audit, path, (unsigned)seed);
		truth_agrees(&traffic.truth, &audit);
		audit_release(&audit);
		unlink(path);
		log_free(&log);
	}
}

/* ---- any number of threads ---- */

/* What disks, crashes and strangers do to a log. */
static void damage(struct random *r, struct log *log)
{
	static const char *const inserts[] = { "\n", "\"", ",", "\r\n", "rec/1,", "rec/2\n", "\nrec/1,t_us\n", "\nrec/1,t_us,cache,volume,host,body_out\n",
		"\nreq,1,hit,main,a.example,10\n", "\n\n\n", "\\x", "\x01" };
	size_t count = random_below(r, 400);

	for (size_t i = 0; i < count; i++) {
		char *at = log->text + random_below(r, log->len - 200);
		const char *insert = inserts[random_below(r, COUNT_OF(inserts))];
		switch (random_below(r, 4)) {
		case 0: *at = (char)random_next(r); break;
		case 1: memset(at, 0, random_below(r, 100)); break;
		/* A newer schema ends the file: not always near its beginning. */
		default: if (strcmp(insert, "rec/2\n") != 0 || i == 399) memcpy(at, insert, strlen(insert));
		}
	}
	/* A line of several chunks. */
	if (random_below(r, 3) == 0) {
		size_t at = random_below(r, log->len / 2), len = random_below(r, log->len / 2 < 400000 ? log->len / 2 : 400000);
		for (size_t i = at; i < at + len; i++)
			if (log->text[i] == '\n') log->text[i] = '.';
	}
	log->len -= random_below(r, 100);
}

/* The header line again, with the columns in another order in half of all cases: what a chunk was parsed by is wrong then. */
static void headers_between(struct random *r, struct log *log)
{
	struct log mixed = { 0 };
	size_t header = (size_t)((char *)memchr(log->text, '\n', log->len) - log->text) + 1, at = 0;

	while (at < log->len) {
		const char *newline = memchr(log->text + at, '\n', log->len - at);
		size_t len = newline ? (size_t)(newline - log->text) - at + 1 : log->len - at;
		log_add_text(&mixed, slice_make(log->text + at, len));
		at += len;
		if (random_below(r, 300) == 0) log_add_text(&mixed, slice_make(log->text, header));
		if (random_below(r, 2000) == 0) log_add_text(&mixed, SLICE("rec/1,t_us,volume,cache,host,body_out\nreq,1,main,hit,a.example,10\nreq,1,hit,main,a,1\n"));
	}
	log_free(log);
	*log = mixed;
}

static void any_number_of_threads_says_the_same(void **state)
{
	struct random r = { .state = 64 };

	(void)state;
	for (int round = 0; round < 24; round++) {
		struct traffic_options options = small;
		struct traffic traffic;
		char path[64];
		options.lines = 3000 + random_below(&r, 6000);
		options.seed = (uint64_t)round;
		struct log log = traffic_log(&traffic, &options);
		if (round % 3) headers_between(&r, &log);
		if (round % 4) damage(&r, &log);
		log_write(path, &log, round % 5 == 4);
		char *one = audit_json(path, 1);
		for (unsigned threads = 2; threads <= 5; threads++) {
			char *many = audit_json(path, threads);
			if (strcmp(one, many) != 0) fail_msg("round %d, %u threads: %s\n%s", round, threads, one, many);
			free(many);
		}
		free(one);
		unlink(path);
		log_free(&log);
	}
}

/* ---- rules that are spared lines ---- */

/* All lines to all rules, as if none had said which concern it. */
static void feed_all(struct audit *audit, const struct log *log)
{
	struct chunk chunk;

	audit_begin(audit, "all");
	chunk_init(&chunk);
	chunk.text = slice_make(log->text, log->len);
	chunk_parse(&chunk, &audit->parser, log->text + log->len);
	assert_true(audit_settle(audit, &chunk));
	for (size_t i = 0; i < chunk.count; i++)
		for (int rule = 0; rule < RULE_COUNT; rule++)
			if (audit->rule_state[rule])
				rules[rule].ops->line(audit->rule_state[rule], &chunk.lines[i].line, chunk_place(&chunk, chunk.lines[i].number));
	audit_end(audit);
	audit_finish(audit);
	chunk_release(&chunk);
}

/* Records with random values in the columns that rules look at. */
static struct log random_log(struct random *r, size_t lines)
{
	static const char *const hosts[] = { "a.example", "b.example", "" };
	struct log log = { 0 };

	log_header(&log);
	for (size_t i = 0; i < lines; i++) {
		struct logline l = log_request(random_below(r, 2) ? VERDICT_miss : (enum verdict)random_below(r, VERDICT_COUNT), hosts[random_below(r, 3)], random_below(r, 2) ? "/x" : "/y");
		l.client = random_below(r, 2) ? SLICE("192.0.2.7") : SLICE("192.0.2.8");
		l.cookie_hash = random_below(r, 3);
		l.rec = random_below(r, 8) ? REC_req : random_RECORD(r);
		l.end = random_below(r, 2) ? END_complete : random_END(r);
		l.refusal = random_below(r, 4) ? REFUSAL_none : random_REFUSAL(r);
		l.nostore = random_below(r, 2) ? NOSTORE_none : random_NOSTORE(r);
		l.stored = random_BOOL(r);
		l.req_auth = random_below(r, 4) == 0;
		l.resp_public = random_BOOL(r);
		l.resp_setcookie = random_below(r, 4) == 0;
		l.variant = random_below(r, 2) ? random_below(r, 200) : 0;
		l.body_hash = random_below(r, 3);
		l.origin_tries = random_below(r, 3);
		l.origin_status = (int64_t)random_below(r, 2) * 504;
		l.origin_in = random_below(r, 2);
		l.fwd_sent = random_BOOL(r);
		l.unstored = random_below(r, 3);
		l.age = (int64_t)random_below(r, 100);
		l.total_us = random_below(r, 2) ? 30000000 : random_below(r, 100);
		l.t_us = T0 + i * 200000;
		l.origin = random_below(r, 2) ? SLICE("10.0.0.1:80") : SLICE("10.0.0.2:80");
		l.origin_reused = random_BOOL(r);
		l.origin_first_us = l.origin.ptr[7] == '1' ? 500000 : 1000;
		l.first_us = 29000000;
		l.body_out = 5000;
		if (random_below(r, 8) == 0) l.resp_type = SLICE("text/event-stream");
		/* No answer at all, as an idle connection that is closed leaves it. */
		if (random_below(r, 8) == 0) {
			l.end = END_origin_left;
			l.origin_in = 0;
			l.origin_status = -1;
			l.origin_reused = random_below(r, 4) != 0;
		}
		log_add(&log, l);
	}
	return log;
}

static void rules_lose_nothing_by_the_lines_they_are_spared(void **state)
{
	struct random r = { .state = 5 };

	(void)state;
	for (int round = 0; round < 20; round++) {
		struct log log = random_log(&r, 3000);
		struct audit spared, all;
		audit_init(&spared);
		audit_log(&spared, "all", &log);
		audit_finish(&spared);
		audit_init(&all);
		feed_all(&all, &log);
		assert_int_equal(spared.findings.count, all.findings.count);
		assert_true(all.findings.count > 5);
		for (size_t i = 0; i < all.findings.count; i++) {
			const struct finding *a = &all.findings.rows[i], *b = &spared.findings.rows[i];
			if (a->rule != b->rule || a->count != b->count || strcmp(a->subject, b->subject) != 0 || strcmp(a->cause, b->cause) != 0)
				fail_msg("%s %s: %d, %s %s: %d", a->rule->id, a->subject, (int)a->count, b->rule->id, b->subject, (int)b->count);
		}
		audit_release(&spared);
		audit_release(&all);
		log_free(&log);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_audit_says_what_was_made),
		cmocka_unit_test(any_number_of_threads_says_the_same),
		cmocka_unit_test(rules_lose_nothing_by_the_lines_they_are_spared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
