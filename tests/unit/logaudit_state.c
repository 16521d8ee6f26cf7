/* Partial results: merged in any order and grouping they are the same to the byte, and the tallies are those of all lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <jansson.h>
#include <xxhash.h>

#include "../../logaudit/report.h"
#include "../../logaudit/state.h"
#include "audit_log.h"

enum { PARTS = 6 };

static uint64_t seed = 1;

static unsigned next_random(unsigned bound)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned)(seed >> 33) % bound;
}

static char *json_text(const struct audit *audit)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	report_json(audit, true, NULL, out);
	fclose(out);
	return text;
}

/* Without the reasons of each missed URL: here they have more than the five that are told apart, and then the order counts. */
static char *exact_text(const struct audit *audit)
{
	char *text = json_text(audit), *exact;
	json_t *root = json_loads(text, 0, NULL), *row;
	size_t i;

	free(text);
	assert_non_null(root);
	assert_true(json_array_size(json_object_get(root, "missed")) > 0);
	json_array_foreach(json_object_get(root, "missed"), i, row) {
		assert_int_equal(json_object_del(row, "reasons"), 0);
		assert_int_equal(json_object_del(row, "other_reasons"), 0);
	}
	exact = json_dumps(root, JSON_INDENT(1));
	json_decref(root);
	return exact;
}

/* One node's log: hosts, verdicts, reasons, errors, findings, bad lines. */
static struct log part_log(unsigned part)
{
	static const char *const hosts[] = { "a.example", "b.example", "\xff c", "" };
	static char node[8];
	struct log log = log_new();

	snprintf(node, sizeof(node), "n%u", part % 3);
	for (int i = 0; i < 400; i++) {
		struct logline line = log_request((enum verdict)(1 + next_random(VERDICT_COUNT - 1)), hosts[next_random(4)], next_random(2) ? "/1" : "/2");
		line.node = slice_str(node);
		line.t_us = T0 + next_random(1000000);
		line.nostore = (uint8_t)next_random(NOSTORE_COUNT);
		line.status = 100 * (1 + next_random(5));
		line.origin = next_random(2) ? SLICE("192.0.2.7:80") : SLICE("192.0.2.8:80");
		line.origin_tries = next_random(3);
		line.origin_first_us = (int64_t)next_random(100000);
		line.first_us = (int64_t)next_random(100000);
		line.fwd_sent = part % 2;
		line.client = next_random(2) ? SLICE("198.51.100.1") : SLICE("198.51.100.2");
		line.uncoded = (uint8_t)next_random(UNCODED_COUNT);
		line.coding = next_random(3) ? SLICE("") : next_random(2) ? SLICE("br") : SLICE("gzip");
		line.plain_bytes = (int64_t)next_random(10000);
		log_add(&log, line);
		if (i % 50 == 0) log_add_text(&log, part % 2 ? SLICE("req,\"open\n") : SLICE("req,1\n"));
	}
	return log;
}

static void part_audit(struct audit *audit, const struct log *log, unsigned part)
{
	char name[16];

	snprintf(name, sizeof(name), "n%u.csv", part);
	audit_init(audit);
	audit_log(audit, name, log);
	audit_finish(audit);
}

/* There and back: every state on its way is bytes. */
static void pass_on(struct audit *audit)
{
	struct audit again;
	size_t len;
	char *bytes = state_bytes(audit, &len), why[256] = "";

	if (!state_parse(slice_make(bytes, len), &again, why)) fail_msg("%s", why);
	free(bytes);
	audit_release(audit);
	*audit = again;
}

/* Merges the parts two by two, at random, until one is left. */
static char *merged_at_random(const struct log *logs)
{
	struct audit heap[PARTS];
	unsigned count = PARTS;
	char *text;

	for (unsigned i = 0; i < PARTS; i++) {
		part_audit(&heap[i], &logs[i], i);
		pass_on(&heap[i]);
	}
	while (count > 1) {
		unsigned a = next_random(count), b = next_random(count - 1);
		struct audit pair;
		b += b >= a;
		audit_init(&pair);
		audit_merge(&pair, &heap[a]);
		audit_merge(&pair, &heap[b]);
		audit_settle_order(&pair);
		pass_on(&pair);
		audit_release(&heap[a]);
		audit_release(&heap[b]);
		heap[a] = pair;
		if (b != --count) heap[b] = heap[count];
	}
	audit_settle_order(&heap[0]);
	text = exact_text(&heap[0]);
	audit_release(&heap[0]);
	return text;
}

static void any_order_and_grouping_gives_the_same_bytes(void **state)
{
	struct log logs[PARTS];
	char *first;

	(void)state;
	for (unsigned i = 0; i < PARTS; i++) logs[i] = part_log(i);
	first = merged_at_random(logs);
	for (int round = 0; round < 25; round++) {
		char *text = merged_at_random(logs);
		if (strcmp(text, first) != 0) fail_msg("round %d", round);
		free(text);
	}
	assert_non_null(strstr(first, "forwarding-missing"));
	free(first);
	for (unsigned i = 0; i < PARTS; i++) log_free(&logs[i]);
}

static void tallies_are_those_of_all_lines(void **state)
{
	static const char *const same[] = { "lines_read", "lines_counted", "lines_rejected", "totals", "hosts", "volumes", "routes", "statuses", "types", "tiers",
		"origins", "hours", "nodes", "saved", "first_byte", "missed", "clients", "series" };
	struct audit whole;
	struct log logs[PARTS];
	char *all, *merged;
	json_t *a, *b;

	(void)state;
	for (unsigned i = 0; i < PARTS; i++) logs[i] = part_log(i);
	audit_init(&whole);
	for (unsigned i = 0; i < PARTS; i++) audit_log(&whole, "x.csv", &logs[i]);
	audit_finish(&whole);
	all = exact_text(&whole);
	merged = merged_at_random(logs);
	a = json_loads(all, 0, NULL);
	b = json_loads(merged, 0, NULL);
	assert_true(a && b);
	for (size_t i = 0; i < COUNT_OF(same); i++) {
		assert_non_null(json_object_get(a, same[i]));
		if (!json_equal(json_object_get(a, same[i]), json_object_get(b, same[i]))) fail_msg("%s", same[i]);
	}
	json_decref(a);
	json_decref(b);
	free(all);
	free(merged);
	audit_release(&whole);
	for (unsigned i = 0; i < PARTS; i++) log_free(&logs[i]);
}

static void findings_with_one_subject_become_one(void **state)
{
	struct audit parts[2], both;
	uint64_t sum = 0, count = 0;
	struct log logs[2];

	(void)state;
	audit_init(&both);
	for (unsigned i = 0; i < 2; i++) {
		logs[i] = part_log(2 * i);
		part_audit(&parts[i], &logs[i], i);
		audit_merge(&both, &parts[i]);
	}
	audit_settle_order(&both);
	for (unsigned i = 0; i < 2; i++)
		for (size_t f = 0; f < parts[i].findings.count; f++)
			if (parts[i].findings.rows[f].rule == &rules[RULE_forwarding_missing] && !strcmp(parts[i].findings.rows[f].subject, "a.example"))
				sum += parts[i].findings.rows[f].count;
	for (size_t f = 0; f < both.findings.count; f++)
		if (both.findings.rows[f].rule == &rules[RULE_forwarding_missing] && !strcmp(both.findings.rows[f].subject, "a.example")) {
			assert_int_equal(count, 0);
			count = both.findings.rows[f].count;
		}
	assert_true(count > 0);
	assert_int_equal(count, sum);
	audit_release(&both);
	for (unsigned i = 0; i < 2; i++) {
		audit_release(&parts[i]);
		log_free(&logs[i]);
	}
}

/* Whatever a byte is changed to, it is noticed; and with a right checksum it is a state or none, and never more than that. */
static void damage_is_noticed(void **state)
{
	struct log log = part_log(1);
	struct audit audit, again;
	size_t len;
	char *bytes, why[256];

	(void)state;
	part_audit(&audit, &log, 1);
	bytes = state_bytes(&audit, &len);
	for (size_t cut = 0; cut < len; cut += cut < 64 ? 1 : 997)
		if (state_parse(slice_make(bytes, cut), &again, why)) fail_msg("cut at %zu", cut);
	for (int round = 0; round < 3000; round++) {
		size_t at = next_random((unsigned)len);
		char before = bytes[at];
		uint64_t sum;
		bytes[at] = (char)(before ^ (1 + next_random(255)));
		assert_false(state_parse(slice_make(bytes, len), &again, why));
		if (at < len - 8) {
			char right[8];
			memcpy(right, bytes + len - 8, 8);
			sum = XXH3_64bits(bytes, len - 8);
			for (int i = 0; i < 8; i++) bytes[len - 8 + (size_t)i] = (char)(sum >> 8 * i);
			if (state_parse(slice_make(bytes, len), &again, why)) {
				free(json_text(&again));
				audit_release(&again);
			}
			memcpy(bytes + len - 8, right, 8);
		}
		bytes[at] = before;
	}
	assert_true(state_parse(slice_make(bytes, len), &again, why));
	audit_release(&again);
	free(bytes);
	audit_release(&audit);
	log_free(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order_and_grouping_gives_the_same_bytes), cmocka_unit_test(tallies_are_those_of_all_lines),
		cmocka_unit_test(findings_with_one_subject_become_one), cmocka_unit_test(damage_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
