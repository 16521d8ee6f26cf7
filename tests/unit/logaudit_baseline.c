/* Baselines: what was there already does not fail; new, worse and gone; and files that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <unistd.h>

#include "../../logaudit/baseline.h"
#include "../../logaudit/noise.h"
#include "../../logaudit/report.h"
#include "audit_log.h"

static void write_file(char path[32], const char *text)
{
	int fd;

	strcpy(path, "/tmp/baseline-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* `loud` of 1,000 lines contradict their verdict. */
static void noisy_audit(struct audit *audit, int loud)
{
	struct log log = log_new();

	for (int i = 0; i < 1000; i++) {
		struct logline line = log_request(VERDICT_hit, "a.example", "/");
		line.origin_tries = i < loud;
		log_add(&log, line);
	}
	audit_init(audit);
	audit_log(audit, "a.csv", &log);
	audit_finish(audit);
	log_free(&log);
}

static void save(const struct audit *audit, char path[32])
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	report_json(audit, false, NULL, out);
	fclose(out);
	write_file(path, text);
	free(text);
}

static const struct finding *found(const struct audit *audit, enum rule_id rule)
{
	for (size_t i = 0; i < audit->findings.count; i++)
		if (audit->findings.rows[i].rule == &rules[rule]) return &audit->findings.rows[i];
	fail_msg("not found");
	return NULL;
}

static const struct finding *contradiction(const struct audit *audit)
{
	return found(audit, RULE_verdict_contradicted);
}

/* An origin of the host is not told who asks. */
static void silent_audit(struct audit *audit, const char *host)
{
	struct log log = log_new();

	for (int i = 0; i < 20; i++) {
		struct logline line = log_request(VERDICT_miss, host, "/");
		line.fwd_sent = 0;
		log_add(&log, line);
	}
	audit_init(audit);
	audit_log(audit, "a.csv", &log);
	audit_finish(audit);
	log_free(&log);
}

static void findings_stand_as_they_did_or_worse(void **state)
{
	static const struct { int before, now; enum standing standing; const char *why; } rows[] = {
		{ 50, 50, STANDING_known, "the same" }, { 50, 20, STANDING_known, "less" }, { 50, 60, STANDING_known, "not by half" },
		{ 50, 90, STANDING_worse, "by half and more than chance" }, { 3, 6, STANDING_known, "twice as many, which chance makes" },
		{ 3, 30, STANDING_worse, "ten times" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct audit before, now;
		struct baseline baseline;
		char path[32], why[256] = "";
		noisy_audit(&before, rows[i].before);
		noisy_audit(&now, rows[i].now);
		save(&before, path);
		if (!baseline_load(path, &baseline, why)) fail_msg("%s", why);
		if (baseline_standing(&baseline, &now, contradiction(&now)) != rows[i].standing) fail_msg("%d, %d: %s", rows[i].before, rows[i].now, rows[i].why);
		baseline_release(&baseline);
		unlink(path);
		audit_release(&before);
		audit_release(&now);
	}
}

static void what_is_new_and_what_is_gone_is_named(void **state)
{
	struct audit before, now;
	struct baseline baseline;
	char path[32], why[256], *text = NULL;
	size_t len = 0;
	json_t *root;
	FILE *out;

	(void)state;
	silent_audit(&before, "\xff old.example");
	silent_audit(&now, "new.example");
	save(&before, path);
	assert_true(baseline_load(path, &baseline, why));
	assert_int_equal(baseline_standing(&baseline, &now, found(&now, RULE_forwarding_missing)), STANDING_new);
	/* Subjects that are no text are the same all the same. */
	assert_int_equal(baseline_standing(&baseline, &before, found(&before, RULE_forwarding_missing)), STANDING_known);
	root = baseline_json(&baseline, &now);
	assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(root, "standings"), 0), "standing")), "new");
	assert_int_equal(json_array_size(json_object_get(root, "gone")), 1);
	json_decref(root);
	out = open_memstream(&text, &len);
	baseline_text(&baseline, &now, out);
	fclose(out);
	assert_non_null(strstr(text, "gone    warning forwarding-missing: \\xff old.example"));
	free(text);
	baseline_release(&baseline);
	unlink(path);
	audit_release(&before);
	audit_release(&now);
}

static void what_is_no_baseline_is_a_sentence(void **state)
{
	static const char *const texts[] = { "", "{", "[]", "{\"findings\": []}", "{\"lines_counted\": -1, \"findings\": []}", "{\"lines_counted\": 1, \"findings\": {}}",
		"{\"lines_counted\": 1, \"findings\": [1]}", "{\"lines_counted\": 1, \"findings\": [{\"rule\": \"x\", \"subject\": \"y\", \"count\": \"3\"}]}",
		"{\"lines_counted\": 1, \"lines_counted\": 2, \"findings\": []}" };
	struct baseline baseline;
	char path[32], why[256];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		write_file(path, texts[i]);
		why[0] = 0;
		if (baseline_load(path, &baseline, why)) fail_msg("%s", texts[i]);
		assert_true(why[0]);
		unlink(path);
	}
	assert_false(baseline_load("/nonexistent", &baseline, why));
}

static void z_is_that_of_the_textbook(void **state)
{
	/* 45 of 300 and 80 of 400: pooled 0.17857, error 0.02925. */
	struct share a = { 45, 300 }, b = { 80, 400 }, none = { 0, 0 };

	(void)state;
	assert_true(fabs(noise_z(a, b) - 1.7093) < 0.001);
	assert_true(fabs(noise_z(b, a) + 1.7093) < 0.001);
	assert_true(noise_z(none, a) == 0 && noise_z(a, a) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(findings_stand_as_they_did_or_worse), cmocka_unit_test(what_is_new_and_what_is_gone_is_named),
		cmocka_unit_test(what_is_no_baseline_is_a_sentence), cmocka_unit_test(z_is_that_of_the_textbook),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
