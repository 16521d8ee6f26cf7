/* Which format the first lines of a file are of. Every candidate reads them; the one that reads most is taken, and doubts are said. */
#include "format_internal.h"

enum { LINES_TRIED = 200 };

bool head_line(struct slice *head, struct slice *ret_line)
{
	const char *newline = head->len ? memchr(head->ptr, '\n', head->len) : NULL;
	bool whole = newline != NULL;

	if (!head->len) return false;
	if (!whole) newline = head->ptr + head->len;
	*ret_line = slice_make(head->ptr, (size_t)(newline - head->ptr));
	if (ret_line->len && ret_line->ptr[ret_line->len - 1] == '\r') ret_line->len--;
	*head = slice_make(newline + whole, head->len - (size_t)(newline - head->ptr) - whole);
	/* What was cut may be of any format. */
	return whole || ret_line->len < LOG_LINE_MAX;
}

/* How many of the first lines a format reads, and how many there are; headings count as neither. */
struct score { unsigned read, lines, other, verdicts; };

static struct score score_of(const struct format *format, struct slice head)
{
	struct format_scratch *scratch = format_scratch_new();
	struct score score = { 0 };
	struct slice text, column;
	struct logline line;

	while (score.lines < LINES_TRIED && head_line(&head, &text)) {
		bool header = false;
		enum reject why;
		if (!text.len) continue;
		why = text.len < LOG_LINE_MAX ? format_line(format, scratch, text, &line, &column, &header) : REJECT_too_long;
		if (header) continue;
		score.lines++;
		score.read += why == REJECT_none;
		score.other += why == REJECT_other_line;
		score.verdicts += why == REJECT_none && line.cache != VERDICT_none;
	}
	format_scratch_free(&scratch);
	return score;
}

static void say_detected(struct format *format, struct score score)
{
	unsigned fit = score.read + score.other;

	snprintf(format->detected, sizeof(format->detected), "detected: %.360s (%u of the first %u lines fit)%s", format->name, fit, score.lines,
		fit * 10 < score.lines * 8 ? "; many do not: name the format with --format when that is wrong" : "");
}

/* Squid and Traffic Server write the same columns: Squid's hierarchy begins with HIER_, and each knows words that the other does not. */
static enum format_id squid_or_not(struct slice head)
{
	struct format *a = NULL, *b = NULL;
	char why[FORMAT_WHY_MAX];
	bool squid = memmem(head.ptr, head.len, " HIER_", 6) != NULL;

	if (!squid && format_from_row(FORMAT_squid, head, &a, why) && format_from_row(FORMAT_trafficserver, head, &b, why))
		squid = score_of(a, head).verdicts > score_of(b, head).verdicts;
	format_free(&a);
	format_free(&b);
	return squid ? FORMAT_squid : FORMAT_trafficserver;
}

static bool has_header(struct slice head)
{
	return slice_starts(head, SLICE("#Version:")) || slice_starts(head, SLICE("#Fields:")) || slice_starts(head, SLICE("#Software:"));
}

static struct format *json_detect(struct slice head)
{
	struct format *format = NULL;
	char why[FORMAT_WHY_MAX];
	bool caddy = memmem(head.ptr, head.len, "\"request\":{", 11) != NULL;

	if (!format_from_row(caddy ? FORMAT_caddy : FORMAT_nginx_json, head, &format, why)) return NULL;
	/* Objects without a time and a status are no access log. */
	if (!format->present[LOG_FIELD_t_us] || !format->present[LOG_FIELD_status]) format_free(&format);
	return format;
}

static struct format *row_detect(enum format_id id, struct slice head)
{
	struct format *format = NULL;
	char why[FORMAT_WHY_MAX];

	return format_from_row(id, head, &format, why) ? format : NULL;
}

/* Takes the candidate when it reads more than the best so far. */
static void better(struct format *candidate, struct slice head, struct format **best, struct score *best_score)
{
	struct score score;

	if (!candidate) return;
	score = score_of(candidate, head);
	if (score.read + score.other <= best_score->read + best_score->other || !score.read) {
		format_free(&candidate);
		return;
	}
	format_free(best);
	*best = candidate;
	*best_score = score;
}

struct format *format_detect(struct slice head)
{
	struct format *best = NULL;
	struct score score = { 0 };

	if (slice_starts(head, SLICE("rec/")) || !head.len) return NULL;
	if (has_header(head)) better(row_detect(FORMAT_cloudfront, head), head, &best, &score);
	if (memmem(head.ptr, head.len < 4096 ? head.len : 4096, "{\"", 2) || memmem(head.ptr, head.len < 4096 ? head.len : 4096, "{ \"", 3))
		better(json_detect(head), head, &best, &score);
	better(clf_guess(head), head, &best, &score);
	better(row_detect(squid_or_not(head), head), head, &best, &score);
	better(row_detect(FORMAT_haproxy, head), head, &best, &score);
	if (best) say_detected(best, score);
	return best;
}
