/* Lines that are missing, and counters that should be what the lines add up to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "audit_log.h"
#include "logline_random.h"

/* ---- log-gap ---- */

static void log_hits(struct log *log, int count, uint64_t worker)
{
	for (int i = 0; i < count; i++) {
		struct logline line = log_request(VERDICT_hit, "a.example", "/");
		line.worker = worker;
		log_add(log, line);
	}
}

static void a_hole_in_the_numbers_is_reported(void **state)
{
	struct log log = log_new();
	struct outcome o;

	(void)state;
	log_hits(&log, 10, 0);
	log.seq[0] += 3;
	log_hits(&log, 10, 0);
	log_hits(&log, 10, 1);
	o = judge(&log, RULE_log_gap);
	assert_int_equal(o.of_rule, 1);
	assert_string_equal(o.subject, "n1, worker 0");
	assert_int_equal(o.count, 3);
	assert_int_equal(o.first_line, 2 + 10 + 1);
	assert_non_null(strstr(o.cause, "3 more are missing"));

	log = log_new();
	log.seq[0] = 5;
	log_hits(&log, 10, 0);
	assert_int_equal(judge(&log, RULE_log_gap).count, 5);      /* missing since the start */
}

static void a_gap_record_is_reported_and_explains(void **state)
{
	struct log log = log_new();
	struct logline gap;
	struct outcome o;

	(void)state;
	logline_init(&gap);
	gap.rec = REC_gap;
	gap.lost = 4;
	log_hits(&log, 10, 0);
	log_add(&log, gap);
	log.seq[0] = 14;                                 /* the lost lines have their numbers, the gap record has none */
	log_hits(&log, 10, 0);
	o = judge(&log, RULE_log_gap);
	assert_int_equal(o.of_rule, 1);
	assert_int_equal(o.count, 4);
	assert_non_null(strstr(o.cause, "0 more are missing"));
	log = log_new();
	gap.lost = 0;
	log_hits(&log, 10, 0);
	log_add(&log, gap);
	assert_silent(&log, RULE_log_gap);
}

static void a_start_without_a_stop_before_it_is_reported(void **state)
{
	struct log log = log_new();
	struct outcome o;

	(void)state;
	log_hits(&log, 10, 0);
	log_note(&log, REC_start);
	log_hits(&log, 10, 0);
	o = judge(&log, RULE_log_gap);
	assert_int_equal(o.of_rule, 1);
	assert_string_equal(o.subject, "n1");
	assert_int_equal(o.count, 1);
	assert_int_equal(o.first_line, 2 + 10 + 1);
	assert_non_null(strstr(o.cause, "without having stopped"));

	log = log_new();                                 /* the second run still goes on */
	log_hits(&log, 10, 0);
	log_note(&log, REC_stop);
	log_note(&log, REC_start);
	log_hits(&log, 10, 0);
	assert_silent(&log, RULE_log_gap);
}

static void whole_logs_are_not_reported_in_any_order(void **state)
{
	struct log files[4] = { { 0 } };
	struct audit audit;

	(void)state;
	/* Three files of one run, the last of which ends with a restart, and the first of the next run. */
	log_header(&files[0]);
	log_note(&files[0], REC_start);
	for (int i = 0; i < 4; i++) {
		if (i) {
			log_header(&files[i]);
			files[i].t_us = files[i - 1].t_us;
			memcpy(files[i].seq, files[i - 1].seq, sizeof(files[i].seq));
		}
		log_hits(&files[i], 20, 0);
		log_hits(&files[i], 7, 1);
		if (i == 2) {
			log_note(&files[i], REC_stop);
			log_note(&files[i], REC_start);
			log_hits(&files[i], 5, 0);
		}
	}
	for (int first = 0; first < 4; first++) {
		for (int skip = -1; skip < 2; skip++) {
			char name[8];
			audit_init(&audit);
			for (int i = 0; i < 4; i++) {
				int which = (first + i * 3) % 4;
				if (which == skip) continue;
				snprintf(name, sizeof(name), "%d", which);
				audit_log(&audit, name, &files[which]);
			}
			struct outcome o = outcome_of(&audit, RULE_log_gap);
			/* Without file 1 both workers lack lines; without file 0 nothing shows that there was one. */
			if (o.of_rule != (skip == 1 ? 2u : 0u)) fail_msg("from %d without %d: %s: %s", first, skip, o.subject, o.cause);
			if (skip == 1) assert_int_equal(o.count, 20);
		}
	}
	for (int i = 0; i < 4; i++) log_free(&files[i]);
}

/* The first request of a run: its line may come before the start record, its time does not. */
static void log_early(struct log *log)
{
	struct logline line = log_request(VERDICT_hit, "a.example", "/");

	line.seq = 1;
	line.t_us = log->t_us + STEP_US + 1;
	log_add(log, line);
}

static void lines_before_their_start_record_are_not_a_gap(void **state)
{
	struct log log = log_new();

	(void)state;
	log_hits(&log, 10, 0);
	log_note(&log, REC_stop);
	log_early(&log);
	log_note(&log, REC_start);
	log.seq[0] = 1;
	log_hits(&log, 10, 0);
	assert_silent(&log, RULE_log_gap);
}

static void a_start_without_its_record_is_not_a_gap(void **state)
{
	struct log log = { 0 };

	(void)state;
	log_header(&log);
	log.seq[0] = 100;
	log_hits(&log, 10, 0);
	log.seq[0] = 0;
	log_hits(&log, 10, 0);
	assert_silent(&log, RULE_log_gap);
}

static void lines_given_twice_are_reported(void **state)
{
	struct log log = log_new();
	struct audit audit;
	struct outcome o;

	(void)state;
	log_hits(&log, 10, 0);
	audit_init(&audit);
	audit_log(&audit, "a.csv", &log);
	audit_log(&audit, "copy-of-a.csv", &log);
	log_free(&log);
	o = outcome_of(&audit, RULE_log_gap);
	assert_int_equal(o.of_rule, 2);                  /* of worker 0, and of the start record's */
	assert_int_equal(o.count, 10);
	assert_non_null(strstr(o.cause, "twice"));
}

/* ---- metrics-disagree ---- */

#define PAGE(requests, hits) "# HELP proxyd_requests_total Requests.\n# TYPE proxyd_requests_total counter\n" \
	"proxyd_requests_total{worker=\"0\"} " requests "\nproxyd_requests_total{worker=\"1\"} 0\r\n" \
	"proxyd_hits_total " hits "\nproxyd_hits_totals 77\nproxyd_unknown_total 5\nother_requests_total 9\nproxyd_hits_total{a=\"} 5\n"

static struct compare compare_with(struct slice page, struct slice node, bool ret_ok)
{
	struct scrape scrape = { { 0 }, { 0 } };
	struct compare compare = { 0 };
	struct log log = { 0 };
	struct audit audit;
	char why[256] = "";

	log_header(&log);
	log_note(&log, REC_start);
	log_hits(&log, 5, 0);
	log_note(&log, REC_stop);
	log_early(&log);
	log_note(&log, REC_start);                       /* the counters begin anew here */
	log.seq[0] = 1;
	log_hits(&log, 2, 0);
	log_hits(&log, 4, 1);
	audit_init(&audit);
	audit_log(&audit, "a.csv", &log);
	assert_true(scrape_parse(page, &scrape));
	assert_int_equal(metrics_compare(&audit.metrics, node, &scrape, &compare, why), ret_ok);
	if (ret_ok) {
		struct findings findings = { 0 };
		compare_report(&compare, &findings);
		assert_int_equal(findings.count, compare.differences > 0);
		findings_release(&findings);
	} else {
		assert_true(why[0] != 0);
	}
	compare.node = slice_make(NULL, 0);
	audit_release(&audit);
	log_free(&log);
	return compare;
}

static void counters_are_those_since_the_last_start(void **state)
{
	struct compare c = compare_with(SLICE(PAGE("7", "7.0e+00")), slice_make(NULL, 0), true);

	(void)state;
	assert_false(c.rows[COUNTER_requests].differs);
	assert_false(c.rows[COUNTER_hits].differs);
	assert_int_equal(c.rows[COUNTER_requests].log, 7);
	assert_true(c.rows[COUNTER_misses].differs && !c.rows[COUNTER_misses].present);     /* not on the page at all */
	assert_true(c.started);
	c = compare_with(SLICE(PAGE("8", "7")), SLICE("n1"), true);
	assert_true(c.rows[COUNTER_requests].differs);
	assert_int_equal(c.rows[COUNTER_requests].scrape, 8);
	assert_false(c.rows[COUNTER_hits].differs);
	compare_with(SLICE(PAGE("7", "7")), SLICE("n2"), false);
}

static void equal_pages_make_no_finding(void **state)
{
	struct counters sum = { 0 };
	struct logline line = log_request(VERDICT_hit, "a.example", "/");
	char page[8192];
	size_t len = 0;
	struct compare c;

	(void)state;
	for (int i = 0; i < 7; i++) counters_add(&sum, &line);
	for (int i = 0; i < COUNTER_COUNT; i++)
		len += (size_t)snprintf(page + len, sizeof(page) - len, "proxyd_%s_total %llu\n", counter_rows[i].name.ptr,
			(unsigned long long)counters_get(&sum, (enum counter)i));
	c = compare_with(slice_make(page, len), slice_make(NULL, 0), true);
	assert_int_equal(c.differences, 0);
}

static void a_page_of_something_else_is_no_scrape(void **state)
{
	struct scrape scrape;

	(void)state;
	assert_false(scrape_parse(SLICE(""), &scrape));
	assert_false(scrape_parse(SLICE("<html>\nnginx_requests_total 5\nproxyd_requests_total\nproxyd_requests_total x\nproxyd_requests_total -1\n"
		"proxyd_requests_total{a=\"b} 5\nproxyd_requests_total NaN\n"), &scrape));
}

static bool names_column(const char *name)
{
	size_t len = strlen(name);

	for (const char *at = rules[RULE_metrics_disagree].columns; *at; at += strcspn(at, " "), at += *at == ' ')
		if (strcspn(at, " ") == len && strncmp(at, name, len) == 0) return true;
	return false;
}

/* The counters depend on no column but those that the rule asks for. */
static void no_other_column_is_counted(void **state)
{
	static char pool[1 << 20];
	struct random r = { .state = 7, .pool = pool, .pool_size = sizeof(pool) };

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct logline one, other;
		struct counters sum = { 0 }, other_sum = { 0 };
		random_logline(&r, &one);
		random_logline(&r, &other);
		one.rec = other.rec = REC_req;
#define LOG_FIELD(name, KIND, doc) if (names_column(#name)) other.name = one.name;
#include "../../conf/tbl/log_fields.h"
#undef LOG_FIELD
		counters_add(&sum, &one);
		counters_add(&other_sum, &other);
		assert_memory_equal(&sum, &other_sum, sizeof(sum));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hole_in_the_numbers_is_reported),
		cmocka_unit_test(a_start_without_a_stop_before_it_is_reported),
		cmocka_unit_test(a_gap_record_is_reported_and_explains),
		cmocka_unit_test(whole_logs_are_not_reported_in_any_order),
		cmocka_unit_test(lines_before_their_start_record_are_not_a_gap),
		cmocka_unit_test(a_start_without_its_record_is_not_a_gap),
		cmocka_unit_test(lines_given_twice_are_reported),
		cmocka_unit_test(counters_are_those_since_the_last_start),
		cmocka_unit_test(equal_pages_make_no_finding),
		cmocka_unit_test(a_page_of_something_else_is_no_scrape),
		cmocka_unit_test(no_other_column_is_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
