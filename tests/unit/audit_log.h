/* Logs made in memory, as proxyd writes them, and their audit. */
#ifndef TESTS_UNIT_AUDIT_LOG_H
#define TESTS_UNIT_AUDIT_LOG_H

#include <inttypes.h>
#include <stdio.h>

#include "../../logaudit/audit.h"

#define T0 UINT64_C(1795517417000000)
enum { WORKERS = 2, STEP_US = 1000 };

struct log { char *text; size_t len, cap; uint64_t t_us, seq[WORKERS + 1]; };

static inline void log_add_text(struct log *log, struct slice text)
{
	if (log->len + text.len > log->cap) {
		log->cap = 2 * (log->len + text.len);
		log->text = must(realloc(log->text, log->cap));
	}
	if (text.len) memcpy(log->text + log->len, text.ptr, text.len);
	log->len += text.len;
}

static inline void log_header(struct log *log)
{
	static char out[LOG_LINE_MAX];

	log_add_text(log, slice_make(out, logline_write_header(out)));
	if (!log->t_us) log->t_us = T0;
}

/* Numbers and times the record when it has none; gap records stay without a number. */
static inline void log_add(struct log *log, struct logline line)
{
	static char out[LOG_LINE_MAX];
	uint64_t *seq = &log->seq[line.worker == 65535 ? WORKERS : line.worker];

	if (!line.node.len) line.node = SLICE("n1");
	if (line.rec == REC_gap) line.seq = 0;
	else if (!line.seq) line.seq = ++*seq;
	else *seq = line.seq;
	if (!line.t_us) line.t_us = log->t_us += STEP_US;
	log_add_text(log, slice_make(out, logline_write(&line, out)));
}

static inline void log_note(struct log *log, enum record rec)
{
	struct logline line;

	logline_init(&line);
	line.rec = (uint8_t)rec;
	line.worker = 65535;
	if (rec == REC_start) memset(log->seq, 0, sizeof(log->seq));
	log_add(log, line);
}

static inline struct logline log_request(enum verdict cache, const char *host, const char *target)
{
	struct logline line;

	logline_init(&line);
	line.rec = REC_req;
	line.client = line.peer = SLICE("192.0.2.1");
	line.proto = SLICE("HTTP/1.1");
	line.scheme = SLICE("http");
	line.method = SLICE("GET");
	line.status = 200;
	line.cache = (uint8_t)cache;
	line.volume = cache == VERDICT_off ? SLICE("none") : SLICE("main");
	line.nostore = cache == VERDICT_off ? NOSTORE_no_volume : NOSTORE_none;
	line.host = slice_str(host);
	line.target = slice_str(target);
	line.key = 1;
	for (const char *c = target; *c; c++) line.key = line.key * 31 + (unsigned char)*c;
	line.lifetime = 60;
	line.age = cache == VERDICT_hit ? 1 : -1;
	line.body_out = 100;
	line.total_us = 50;
	line.tier = cache == VERDICT_hit ? TIER_ram : TIER_origin;
	if (cache != VERDICT_hit && cache != VERDICT_collapsed && cache != VERDICT_synth && cache != VERDICT_refused) {
		line.origin_tries = 1;
		line.origin_status = 200;
		line.fwd_sent = 1;
		line.origin_first_us = 20;
		line.origin_in = cache == VERDICT_revalidated ? 0 : 100;
	}
	line.stored = cache == VERDICT_miss;
	return line;
}

/* The log's lines to the audit, as one more file. */
static inline void audit_log(struct audit *audit, const char *name, const struct log *log)
{
	size_t at = 0;
	uint64_t number = 0;

	audit_begin(audit, name);
	while (at < log->len) {
		const char *newline = memchr(log->text + at, '\n', log->len - at);
		size_t len = newline ? (size_t)(newline - log->text) - at : log->len - at;
		if (!audit_line(audit, slice_make(log->text + at, len), ++number, newline ? INPUT_none : INPUT_no_newline)) break;
		at += len + 1;
	}
	audit_end(audit);
}

static inline void log_free(struct log *log)
{
	free(log->text);
	*log = (struct log){ 0 };
}

/* ---- outcomes ---- */

/* A log with its header and the start of a daemon. */
static inline struct log log_new(void)
{
	struct log log = { 0 };

	log_header(&log);
	log_note(&log, REC_start);
	return log;
}

/* What an audit found of one rule: how often, and the numbers of its first finding. */
struct outcome { size_t of_rule, others, evidence; uint64_t count, first_line; enum severity severity; char subject[128], cause[512]; };

static inline struct outcome outcome_of(struct audit *audit, enum rule_id rule)
{
	struct outcome o = { 0 };

	audit_finish(audit);
	assert_int_equal(audit->lines_rejected, 0);
	assert_int_equal(audit->lines_read, audit->lines_counted);
	for (size_t i = 0; i < audit->findings.count; i++) {
		const struct finding *f = &audit->findings.rows[i];
		if (f->rule != &rules[rule]) {
			o.others++;
			continue;
		}
		if (o.of_rule++ > 0) continue;
		o.count = f->count;
		o.severity = f->severity;
		o.evidence = f->evidence.count;
		o.first_line = f->evidence.count ? f->evidence.at[0].line : 0;
		snprintf(o.subject, sizeof(o.subject), "%s", f->subject);
		snprintf(o.cause, sizeof(o.cause), "%s", f->cause);
	}
	audit_release(audit);
	return o;
}

/* Audits the log and takes it. */
static inline struct outcome judge(struct log *log, enum rule_id rule)
{
	struct audit audit;

	audit_init(&audit);
	audit_log(&audit, "a.csv", log);
	log_free(log);
	return outcome_of(&audit, rule);
}

#define assert_silent(log, rule) do { struct outcome silent_ = judge(log, rule); \
	if (silent_.of_rule) fail_msg("%s: %s", silent_.subject, silent_.cause); } while (0)

#endif
