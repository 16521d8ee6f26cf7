/* The rules: for each a log that must be reported, and near misses that must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "audit_log.h"

/* ---- what proxyd sees on an ordinary day ---- */

/* What else comes between the hits. */
static struct logline other_request(int i)
{
	struct logline line;

	switch (i % 9) {
	case 0:    /* a user's page, passed since the request carries the login cookie */
		line = log_request(VERDICT_pass, "a.example", "/account");
		line.req_login = line.req_cookie = line.resp_setcookie = 1;
		line.nostore = NOSTORE_login_cookie;
		line.resp_cc = SLICE("private, no-cache");
		line.lifetime = 0;
		break;
	case 1:    /* an API with Authorization that says private */
		line = log_request(VERDICT_miss, "b.example", "/api/me");
		line.req_auth = 1;
		line.stored = 0;
		line.nostore = NOSTORE_private;
		line.resp_cc = SLICE("private, max-age=10");
		break;
	case 2:    /* public and asked for with Authorization by nobody */
		line = log_request(VERDICT_hit, "a.example", "/logo.png");
		line.resp_public = 1;
		line.resp_cc = SLICE("public, max-age=86400");
		break;
	case 3:
		line = log_request(VERDICT_revalidated, "a.example", "/feed");
		break;
	case 4:    /* refused, by a request that was not HTTP */
		line = log_request(VERDICT_refused, "", "");
		line.status = 400;
		line.end = END_refused;
		line.refusal = REFUSAL_request_line;
		line.volume = SLICE("none");
		break;
	case 5:    /* the origin is down */
		line = log_request(VERDICT_error, "b.example", "/x");
		line.status = 502;
		line.end = END_connect_refused;
		line.origin_in = 0;
		break;
	case 6:    /* a client that went away while its miss was waiting for a connection */
		line = log_request(VERDICT_miss, "b.example", "/slow");
		line.end = END_client_left;
		line.status = 0;
		line.origin_tries = line.origin_in = line.stored = 0;
		break;
	case 7:    /* stale while the object is refreshed */
		line = log_request(VERDICT_hit_stale, "a.example", "/news");
		break;
	default:
		line = log_request(VERDICT_collapsed, "a.example", "/news");
		break;
	}
	return line;
}

static void ordinary_traffic_is_not_reported(void **state)
{
	struct log log = log_new();
	struct logline line;
	struct audit audit;
	char target[32];

	(void)state;
	logline_init(&line);
	line.rec = REC_volume;
	line.worker = 65535;
	line.volume = SLICE("main");
	line.host = SLICE("2");
	log_add(&log, line);
	for (int i = 0; i < 2000; i++) {
		snprintf(target, sizeof(target), "/page/%d", i % 40);
		line = log_request(i < 40 ? VERDICT_miss : VERDICT_hit, i & 1 ? "a.example" : "b.example", target);
		line.worker = (uint64_t)(i / 3 % WORKERS);
		log_add(&log, line);
		line = other_request(i);
		line.worker = (uint64_t)(i / 3 % WORKERS);
		log_add(&log, line);
	}
	log_note(&log, REC_stop);
	audit_init(&audit);
	audit_log(&audit, "a.csv", &log);
	audit_finish(&audit);
	assert_int_equal(audit.lines_rejected, 0);
	assert_int_equal(audit.lines_counted, 4003);
	if (audit.findings.count) fail_msg("%s: %s", audit.findings.rows[0].rule->id, audit.findings.rows[0].cause);
	for (int i = 0; i < RULE_COUNT; i++) assert_false(audit.blind[i].blind);
	audit_release(&audit);
	log_free(&log);
}

/* ---- volume-no-hits ---- */

static struct log barren(int lines, int pages, bool stored, uint64_t pause_us)
{
	struct log log = log_new();
	char target[32];

	for (int i = 0; i < lines; i++) {
		snprintf(target, sizeof(target), "/%d", i % pages);
		struct logline line = log_request(VERDICT_miss, "a.example", target);
		line.stored = stored;
		if (!stored) line.nostore = NOSTORE_no_store;
		log.t_us += pause_us;
		log_add(&log, line);
	}
	return log;
}

static void a_volume_that_stores_and_never_hits_is_reported(void **state)
{
	struct log log = barren(200, 50, true, 0);
	struct outcome o = judge(&log, RULE_volume_no_hits);

	(void)state;
	assert_int_equal(o.of_rule, 1);
	assert_int_equal(o.others, 0);
	assert_string_equal(o.subject, "main");
	assert_int_equal(o.count, 200);
	assert_int_equal(o.severity, SEVERITY_error);
	assert_int_equal(o.evidence, EVIDENCE_MAX);
	assert_int_equal(o.first_line, 2 + 50 + 1);      /* the first repeat */

	log = barren(200, 50, false, 0);
	o = judge(&log, RULE_volume_no_hits);
	assert_int_equal(o.of_rule, 1);
	assert_int_equal(o.severity, SEVERITY_warning);
	assert_non_null(strstr(o.cause, "no_store"));
}

static void a_volume_that_was_set_aside_is_reported(void **state)
{
	struct log log = log_new();

	(void)state;
	for (int i = 0; i < 120; i++) {
		struct logline line = log_request(VERDICT_off, "a.example", "/");
		line.volume = SLICE("main");
		line.nostore = NOSTORE_volume_failed;
		log_add(&log, line);
	}
	assert_non_null(strstr(judge(&log, RULE_volume_no_hits).cause, "set aside"));
}

static void a_volume_without_a_chance_is_not_reported(void **state)
{
	struct log log = barren(1000, 1000, true, 0);

	(void)state;
	assert_silent(&log, RULE_volume_no_hits);        /* every page once */
	log = barren(99, 10, true, 0);
	assert_silent(&log, RULE_volume_no_hits);        /* too few lines */
	log = barren(200, 2, true, 61000000);
	assert_silent(&log, RULE_volume_no_hits);        /* expired before it was asked for again */
	log = barren(200, 50, true, 0);
	log_add(&log, log_request(VERDICT_hit, "a.example", "/1"));
	assert_silent(&log, RULE_volume_no_hits);        /* one hit */
	log = barren(0, 1, true, 0);
	for (int i = 0; i < 300; i++) {
		struct logline line = log_request(VERDICT_pass, "a.example", "/");
		line.nostore = NOSTORE_login_cookie;
		log_add(&log, line);
	}
	assert_silent(&log, RULE_volume_no_hits);        /* nothing that might use the cache */
	log = barren(0, 1, true, 0);
	for (int i = 0; i < 200; i++) {
		struct logline line = log_request(VERDICT_miss, "a.example", "/");
		line.variant = (uint64_t)i + 1;
		log_add(&log, line);
	}
	assert_silent(&log, RULE_volume_no_hits);        /* one page, each variant once */
}

/* ---- volume-unbound ---- */

static struct log unbound(int lines, enum nostore why)
{
	struct log log = log_new();

	for (int i = 0; i < lines; i++) {
		struct logline line = log_request(VERDICT_off, "shop.example", "/logo.png");
		line.nostore = (uint8_t)why;
		line.resp_cc = SLICE("public, max-age=60");
		log_add(&log, line);
	}
	return log;
}

static void a_site_without_a_volume_is_reported(void **state)
{
	struct log log = unbound(50, NOSTORE_no_volume);
	struct outcome o = judge(&log, RULE_volume_unbound);

	(void)state;
	assert_int_equal(o.of_rule, 1);
	assert_int_equal(o.others, 0);
	assert_string_equal(o.subject, "shop.example");
	assert_int_equal(o.count, 50);
	assert_int_equal(o.severity, SEVERITY_warning);
	assert_int_equal(o.first_line, 3);
	assert_non_null(strstr(o.cause, "everything worked and nothing was cached"));
}

static void a_site_that_wants_no_cache_is_only_told(void **state)
{
	struct log log = unbound(50, NOSTORE_cache_off);
	struct outcome o = judge(&log, RULE_volume_unbound);

	(void)state;
	assert_int_equal(o.of_rule, 1);
	assert_int_equal(o.severity, SEVERITY_info);
}

/* Each row makes answers that could not have been stored anyway. */
#define UNCACHEABLE(X) X(lifetime, 0) X(lifetime, -1) X(status, 404) X(req_auth, 1) X(req_login, 1) X(resp_setcookie, 1) \
	X(method, SLICE("POST")) X(resp_cc, SLICE("private, max-age=60")) X(resp_cc, SLICE("max-age=60, No-Store")) X(cache, VERDICT_synth)

static void answers_that_no_cache_keeps_are_not_reported(void **state)
{
	struct log log = unbound(9, NOSTORE_no_volume);

	(void)state;
	assert_silent(&log, RULE_volume_unbound);        /* too few */
#define X(member, value) do { \
		log = log_new(); \
		for (int i = 0; i < 50; i++) { \
			struct logline line = log_request(VERDICT_off, "shop.example", "/"); \
			line.member = (__typeof__(line.member))value; \
			log_add(&log, line); \
		} \
		assert_silent(&log, RULE_volume_unbound); \
	} while (0);
	UNCACHEABLE(X)
#undef X
	log = unbound(50, NOSTORE_no_volume);
	log_add(&log, log_request(VERDICT_miss, "shop.example", "/other"));
	assert_silent(&log, RULE_volume_unbound);        /* the host has a volume elsewhere */
}

static struct log with_volume(const char *sites, int requests)
{
	struct log log = log_new();
	struct logline line;

	logline_init(&line);
	line.rec = REC_volume;
	line.worker = 65535;
	line.volume = SLICE("spare");
	line.host = slice_str(sites);
	log_add(&log, line);
	for (int i = 0; i < requests; i++) log_add(&log, log_request(i ? VERDICT_hit : VERDICT_miss, "a.example", "/"));
	return log;
}

static void a_volume_that_nobody_uses_is_reported(void **state)
{
	struct log log = with_volume("1", 30);
	struct outcome o = judge(&log, RULE_volume_unbound);

	(void)state;
	assert_int_equal(o.of_rule, 1);
	assert_string_equal(o.subject, "spare");
	assert_int_equal(o.first_line, 3);
	log = with_volume("0", 0);
	assert_int_equal(judge(&log, RULE_volume_unbound).of_rule, 1);
	log = with_volume("1", 9);
	assert_silent(&log, RULE_volume_unbound);        /* the daemon has hardly begun */
	log = with_volume("1", 30);
	struct logline line = log_request(VERDICT_miss, "b.example", "/");
	line.volume = SLICE("spare");
	log_add(&log, line);
	assert_silent(&log, RULE_volume_unbound);
}

/* ---- public-on-authenticated, authenticated-stored ---- */

static struct log one(struct logline line)
{
	struct log log = log_new();

	log_add(&log, line);
	return log;
}

static void public_on_a_users_answer_is_reported(void **state)
{
	struct logline line = log_request(VERDICT_pass, "app.example", "/me");
	struct log log;
	struct outcome o;

	(void)state;
	line.resp_public = 1;
	log = one(line);
	assert_silent(&log, RULE_public_on_authenticated);         /* nobody was authenticated */
	line.req_cookie = 1;
	log = one(line);
	assert_silent(&log, RULE_public_on_authenticated);         /* any cookie is not a login */
	line.req_auth = 1;
	log = one(line);
	o = judge(&log, RULE_public_on_authenticated);
	assert_int_equal(o.of_rule, 1);
	assert_string_equal(o.subject, "app.example");
	assert_int_equal(o.first_line, 3);
	line.req_auth = 0;
	line.req_login = 1;
	log = one(line);
	assert_int_equal(judge(&log, RULE_public_on_authenticated).of_rule, 1);
	line.resp_public = 0;
	line.resp_cc = SLICE("private");
	log = one(line);
	assert_silent(&log, RULE_public_on_authenticated);
}

/* A style sheet that a logged-in browser loads, too: before or after somebody without a login got it. */
static void what_everybody_gets_is_not_a_users_answer(void **state)
{
	struct logline line = log_request(VERDICT_hit, "app.example", "/style.css");
	struct outcome o;

	(void)state;
	for (int users_first = 0; users_first < 2; users_first++) {
		struct log log = { 0 };
		log_header(&log);
		line.resp_public = 1;
		line.req_login = (uint8_t)users_first;
		log_add(&log, line);
		line.req_login = (uint8_t)!users_first;
		log_add(&log, line);
		assert_silent(&log, RULE_public_on_authenticated);
	}
	/* Being refused is not getting it. */
	struct log log = { 0 };
	log_header(&log);
	line.req_login = 0;
	line.status = 401;
	log_add(&log, line);
	line.req_login = 1;
	line.status = 200;
	log_add(&log, line);
	o = judge(&log, RULE_public_on_authenticated);
	assert_int_equal(o.of_rule, 1);
}

static const struct { bool auth, login, stored; enum verdict cache; bool is_public; const char *cc; bool reported; const char *why; } authenticated[] = {
	{ true, false, true, VERDICT_miss, false, "max-age=60", true, "stored, and nothing allows it" },
	{ true, false, false, VERDICT_hit, false, "max-age=60", true, "served from the store" },
	{ true, false, false, VERDICT_revalidated, false, "", true, "served from the store" },
	{ true, false, true, VERDICT_miss, true, "public, max-age=60", false, "public allows it" },
	{ true, false, false, VERDICT_hit, false, "max-age=60, Must-Revalidate", false, "must-revalidate allows it" },
	{ true, false, false, VERDICT_hit, false, "max-age=60, must-revalidate-not", true, "that is another word" },
	{ true, false, false, VERDICT_miss, false, "max-age=60", false, "not stored" },
	{ true, false, false, VERDICT_pass, false, "private", false, "passed" },
	{ false, true, true, VERDICT_miss, true, "public", true, "with a login cookie nothing allows it" },
	{ false, true, false, VERDICT_hit, true, "must-revalidate", true, "with a login cookie nothing allows it" },
	{ false, true, false, VERDICT_pass, false, "", false, "passed" },
	{ false, false, true, VERDICT_miss, false, "max-age=60", false, "not authenticated" },
};

static void a_users_answer_in_the_store_is_reported(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(authenticated); i++) {
		struct logline line = log_request(authenticated[i].cache, "app.example", "/me");
		struct log log;
		line.req_auth = authenticated[i].auth;
		line.req_login = authenticated[i].login;
		line.stored = authenticated[i].stored;
		line.resp_public = authenticated[i].is_public;
		line.resp_cc = slice_str(authenticated[i].cc);
		log = one(line);
		struct outcome o = judge(&log, RULE_authenticated_stored);
		if ((o.of_rule == 1) != authenticated[i].reported) fail_msg("row %zu: %s", i, authenticated[i].why);
		/* A hit alone does not show who stored the page. */
		if (o.of_rule) assert_int_equal(o.severity, authenticated[i].stored || authenticated[i].login ? SEVERITY_error : SEVERITY_warning);
	}
}

static struct logline with_authorization(enum verdict cache, bool auth)
{
	struct logline line = log_request(cache, "app.example", "/logo.png");

	line.req_auth = auth;
	line.resp_cc = SLICE("max-age=60");
	return line;
}

static void who_stored_the_page_decides(void **state)
{
	struct log log = log_new();
	struct outcome o;

	(void)state;
	log_add(&log, with_authorization(VERDICT_miss, false));
	log_add(&log, with_authorization(VERDICT_hit, true));
	assert_silent(&log, RULE_authenticated_stored);  /* everyone's page, asked for by a user */
	log = log_new();
	log_add(&log, with_authorization(VERDICT_collapsed, true));
	log_add(&log, with_authorization(VERDICT_hit, true));
	log_add(&log, with_authorization(VERDICT_miss, false));
	assert_silent(&log, RULE_authenticated_stored);  /* the fetch ended after the hits that it fed */
	log = log_new();
	log_add(&log, with_authorization(VERDICT_miss, true));
	log_add(&log, with_authorization(VERDICT_hit, true));
	o = judge(&log, RULE_authenticated_stored);
	assert_int_equal(o.of_rule, 1);
	assert_int_equal(o.count, 2);
	assert_int_equal(o.severity, SEVERITY_error);
}

/* ---- set-cookie-replayed ---- */

static struct logline cookie(enum verdict cache, const char *client, uint64_t hash)
{
	struct logline line = log_request(cache, "app.example", "/");

	line.client = slice_str(client);
	line.resp_setcookie = 1;
	line.cookie_hash = hash;
	return line;
}

static void one_cookie_to_two_clients_is_reported(void **state)
{
	struct log log = log_new();
	struct outcome o;

	(void)state;
	log_add(&log, cookie(VERDICT_miss, "192.0.2.1", 7));
	log_add(&log, cookie(VERDICT_hit, "192.0.2.2", 7));
	log_add(&log, cookie(VERDICT_hit, "192.0.2.3", 7));
	o = judge(&log, RULE_set_cookie_replayed);
	assert_int_equal(o.of_rule, 1);
	assert_int_equal(o.count, 2);
	assert_int_equal(o.first_line, 4);
	assert_non_null(strstr(o.cause, "3 clients"));
	assert_non_null(strstr(o.subject, "app.example"));

	log = log_new();
	log_add(&log, cookie(VERDICT_hit, "192.0.2.2", 7));
	log_add(&log, cookie(VERDICT_hit, "192.0.2.3", 7));
	assert_int_equal(judge(&log, RULE_set_cookie_replayed).of_rule, 1);      /* the fetch is in an older file */
}

static void cookies_of_their_own_are_not_reported(void **state)
{
	struct log log = log_new();
	struct logline line;

	(void)state;
	log_add(&log, cookie(VERDICT_miss, "192.0.2.1", 7));
	log_add(&log, cookie(VERDICT_hit, "192.0.2.1", 7));
	log_add(&log, cookie(VERDICT_hit, "192.0.2.1", 7));
	assert_silent(&log, RULE_set_cookie_replayed);   /* one client */
	log = log_new();
	log_add(&log, cookie(VERDICT_hit, "192.0.2.1", 7));
	log_add(&log, cookie(VERDICT_hit, "192.0.2.2", 8));
	assert_silent(&log, RULE_set_cookie_replayed);   /* each its own */
	log = log_new();
	for (int i = 0; i < 3; i++) {
		line = cookie(VERDICT_pass, i & 1 ? "192.0.2.1" : "192.0.2.2", 7);
		log_add(&log, line);
	}
	assert_silent(&log, RULE_set_cookie_replayed);   /* the origin gave it to each */
	log = log_new();
	log_add(&log, cookie(VERDICT_miss, "192.0.2.1", 7));
	log_add(&log, cookie(VERDICT_miss, "192.0.2.2", 7));
	assert_silent(&log, RULE_set_cookie_replayed);   /* stored twice, replayed to nobody */
}

/* ---- verdict-contradicted ---- */

static const struct { enum verdict cache; uint64_t tries, in; enum end end; bool reported; const char *why; } verdicts[] = {
	{ VERDICT_hit, 0, 0, END_complete, false, "a hit" },
	{ VERDICT_hit, 0, 100, END_complete, true, "a hit with bytes of the origin" },
	{ VERDICT_hit, 1, 0, END_complete, true, "a hit that asked" },
	{ VERDICT_hit_stale, 1, 100, END_complete, false, "stale, refreshed behind the answer" },
	{ VERDICT_miss, 1, 100, END_complete, false, "a miss" },
	{ VERDICT_miss, 1, 0, END_complete, false, "a miss of an empty page" },
	{ VERDICT_miss, 0, 0, END_complete, true, "a miss that asked nobody" },
	{ VERDICT_miss, 0, 0, END_client_left, false, "the client left before the origin was asked" },
	{ VERDICT_revalidated, 1, 0, END_complete, false, "confirmed" },
	{ VERDICT_revalidated, 0, 0, END_complete, true, "confirmed by nobody" },
	{ VERDICT_collapsed, 0, 0, END_complete, false, "another's fetch" },
	{ VERDICT_synth, 0, 0, END_complete, false, "by rule" },
	{ VERDICT_pass, 1, 100, END_complete, false, "passed" },
};

static void a_verdict_that_the_bytes_deny_is_reported(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(verdicts); i++) {
		struct logline line = log_request(verdicts[i].cache, "a.example", "/");
		line.origin_tries = verdicts[i].tries;
		line.origin_in = verdicts[i].in;
		line.end = (uint8_t)verdicts[i].end;
		struct log log = one(line);
		struct outcome o = judge(&log, RULE_verdict_contradicted);
		if ((o.of_rule == 1) != verdicts[i].reported) fail_msg("row %zu: %s", i, verdicts[i].why);
	}
}

/* ---- columns ---- */

static void a_rule_says_when_it_cannot_tell(void **state)
{
	static const char text[] = "rec/1,t_us,host,cache,volume,body_out,origin_tries,end,future\n"
		"req,1,a.example,hit,main,5,1,complete,\"x,y\"\n";
	struct log log = { 0 };
	struct audit audit;

	(void)state;
	log_add_text(&log, slice_str(text));
	audit_init(&audit);
	audit_log(&audit, "cut.csv", &log);
	audit_finish(&audit);
	assert_int_equal(audit.lines_counted, 1);
	assert_int_equal(tally_hits(&audit.tally.all), 1);
	assert_true(audit.blind[RULE_verdict_contradicted].blind);
	assert_true(slice_eq(audit.blind[RULE_verdict_contradicted].column, SLICE("origin_in")));
	assert_int_equal(audit.findings.count, 0);
	audit_release(&audit);
	log_free(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_traffic_is_not_reported),
		cmocka_unit_test(a_volume_that_stores_and_never_hits_is_reported),
		cmocka_unit_test(a_volume_that_was_set_aside_is_reported),
		cmocka_unit_test(a_volume_without_a_chance_is_not_reported),
		cmocka_unit_test(a_site_without_a_volume_is_reported),
		cmocka_unit_test(a_site_that_wants_no_cache_is_only_told),
		cmocka_unit_test(answers_that_no_cache_keeps_are_not_reported),
		cmocka_unit_test(a_volume_that_nobody_uses_is_reported),
		cmocka_unit_test(public_on_a_users_answer_is_reported),
		cmocka_unit_test(what_everybody_gets_is_not_a_users_answer),
		cmocka_unit_test(a_users_answer_in_the_store_is_reported),
		cmocka_unit_test(who_stored_the_page_decides),
		cmocka_unit_test(one_cookie_to_two_clients_is_reported),
		cmocka_unit_test(cookies_of_their_own_are_not_reported),
		cmocka_unit_test(a_verdict_that_the_bytes_deny_is_reported),
		cmocka_unit_test(a_rule_says_when_it_cannot_tell),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
