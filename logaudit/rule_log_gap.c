/* log-gap: lines that are not there. Each worker numbers its lines 1, 2, 3... from the start of the daemon. The numbers are
 * kept as spans, so that files may be given in any order; start records, by their time, tell one run of the daemon from the
 * next, since in each run the numbers begin anew. A run that has no stop record before the next start was killed, and what
 * it had not written yet is gone without a number. */
#include <inttypes.h>
#include <stdio.h>

#include "map.h"
#include "rule.h"

enum { SPANS_MAX = 1 << 20, STREAM_NAME_MAX = 256 + 32, STREAMS_LATELY = 256 };

/* Consecutive numbers on consecutive lines of the worker within one file. */
struct span { uint64_t lo, hi, t_lo, t_hi; struct place first; };
struct stream {
	struct span *spans;
	size_t count, cap;
	uint64_t lost;                   /* what gap records say */
	struct evidence gap_records;
	bool overflowed;                 /* too many spans: nothing is claimed */
};
struct mark { uint64_t t_us; struct place at; };
struct marks { struct mark *all; size_t count, cap; };
struct state {
	struct map streams;              /* "node, worker N" */
	struct map starts, stops;        /* node */
	struct lately { uint64_t worker; uint32_t node, index; } lately[STREAMS_LATELY];     /* streams by number of the node and worker */
};

static void init(void *state)
{
	map_init(&((struct state *)state)->streams, sizeof(struct stream), NAMES_MAX);
	map_init(&((struct state *)state)->starts, sizeof(struct marks), NAMES_MAX);
	map_init(&((struct state *)state)->stops, sizeof(struct marks), NAMES_MAX);
}

static void marks_add(struct marks *marks, uint64_t t_us, struct place at)
{
	if (marks->count == marks->cap) {
		marks->cap = marks->cap ? 2 * marks->cap : 8;
		marks->all = must(realloc(marks->all, marks->cap * sizeof(*marks->all)));
	}
	marks->all[marks->count++] = (struct mark){ t_us, at };
}

static void stream_add(struct stream *stream, const struct logline *l, struct place at)
{
	struct span *last = stream->count ? &stream->spans[stream->count - 1] : NULL;

	if (last && last->first.file == at.file && last->hi < l->seq && l->seq - last->hi == 1) {
		last->hi = l->seq;
		if (l->t_us < last->t_lo) last->t_lo = l->t_us;
		if (l->t_us > last->t_hi) last->t_hi = l->t_us;
		return;
	}
	if (stream->count == SPANS_MAX) {
		stream->overflowed = true;
		return;
	}
	if (stream->count == stream->cap) {
		stream->cap = stream->cap ? 2 * stream->cap : 4;
		stream->spans = must(realloc(stream->spans, stream->cap * sizeof(*stream->spans)));
	}
	stream->spans[stream->count++] = (struct span){ l->seq, l->seq, l->t_us, l->t_us, at };
}

static struct stream *stream_of(struct state *s, const struct logline *l)
{
	char name[STREAM_NAME_MAX];
	size_t len = l->node.len;
	uint64_t worker = l->worker;
	uint32_t node = line_facts(l)->node.id;
	struct lately *lately = &s->lately[(node * 31 + worker) % STREAMS_LATELY];
	struct stream *stream;

	if (node && lately->node == node && lately->worker == worker) return map_value(&s->streams, lately->index);
	CHECK(len <= 255);
	if (len) memcpy(name, l->node.ptr, len);
	memcpy(name + len, ", worker ", 9);
	len += 9;
	if (worker < 10) name[len++] = (char)('0' + worker);
	else len += (size_t)snprintf(name + len, sizeof(name) - len, "%" PRIu64, worker);
	stream = map_get(&s->streams, slice_make(name, len));
	*lately = (struct lately){ worker, node, map_number_of(&s->streams, stream) };
	return stream;
}

static void line(void *state, const struct logline *l, struct place at)
{
	struct state *s = state;
	struct stream *stream;

	if (l->rec == REC_start) marks_add(map_get(&s->starts, l->node), l->t_us, at);
	if (l->rec == REC_stop) marks_add(map_get(&s->stops, l->node), l->t_us, at);
	if (l->seq == 0 && l->rec != REC_gap) return;
	stream = stream_of(s, l);
	if (l->rec == REC_gap && l->lost) {
		stream->lost = stream->lost + l->lost < l->lost ? UINT64_MAX : stream->lost + l->lost;
		evidence_add(&stream->gap_records, at);
	}
	if (l->seq) stream_add(stream, l, at);
}

/* ---- at the end ---- */

static int by_mark(const void *a, const void *b)
{
	const struct mark *x = a, *y = b;

	return x->t_us < y->t_us ? -1 : x->t_us > y->t_us;
}

static int by_time(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return x->t_lo != y->t_lo ? (x->t_lo < y->t_lo ? -1 : 1) : x->lo < y->lo ? -1 : x->lo > y->lo;
}

static int by_number(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

/* The holes and the overlaps of one run's numbers. */
static void run_judge(struct span *spans, size_t count, bool start_known, struct group *missing, struct group *twice)
{
	uint64_t hi;

	qsort(spans, count, sizeof(*spans), by_number);
	hi = start_known ? 0 : spans[0].lo - 1;
	for (size_t i = 0; i < count; i++) {
		const struct span *span = &spans[i];
		if (span->lo > hi && span->lo - hi > 1) {
			missing->count += span->lo - hi - 1;
			evidence_add(&missing->evidence, span->first);
		} else if (span->lo <= hi) {
			twice->count += (span->hi < hi ? span->hi : hi) - span->lo + 1;
			evidence_add(&twice->evidence, span->first);
		}
		if (span->hi > hi) hi = span->hi;
	}
}

/* How many of the node's starts are not later than the time. */
static size_t starts_before(const struct marks *starts, uint64_t t_us)
{
	size_t n = 0;

	while (starts && n < starts->count && starts->all[n].t_us <= t_us) n++;
	return n;
}

static void stream_judge(struct stream *stream, const struct marks *starts, struct group *missing, struct group *twice)
{
	size_t begin = 0, run = 0;
	uint64_t t_hi = 0;

	if (stream->count) qsort(stream->spans, stream->count, sizeof(*stream->spans), by_time);
	for (size_t i = 0; i < stream->count; i++) {
		const struct span *span = &stream->spans[i];
		size_t now = starts_before(starts, span->t_lo);
		/* The number 1 after all that came before: a start whose record is not among the lines. */
		if (i > begin && (now != run || (span->lo == 1 && span->t_lo > t_hi))) {
			run_judge(stream->spans + begin, i - begin, run > 0, missing, twice);
			begin = i;
			t_hi = 0;
		}
		run = now;
		if (span->t_hi > t_hi) t_hi = span->t_hi;
	}
	if (stream->count > begin) run_judge(stream->spans + begin, stream->count - begin, run > 0, missing, twice);
}

static void stream_report(struct slice name, const struct stream *stream, struct group *missing, const struct group *twice,
	const struct rule *rule, struct findings *out)
{
	uint64_t unexplained = missing->count > stream->lost ? missing->count - stream->lost : 0;

	if (missing->count || stream->lost) {
		for (unsigned i = 0; i < stream->gap_records.count; i++) evidence_add(&missing->evidence, stream->gap_records.at[i]);
		if (stream->lost > missing->count) missing->count = stream->lost;
		struct finding *f = findings_add(out, rule, name, missing);
		finding_text(&f->cause, "gap records account for %" PRIu64 " lost lines%s; %" PRIu64 " more are missing without a word%s",
			stream->lost, stream->lost ? " (full disk or full ring)" : "", unexplained,
			unexplained ? ": a file was not given, lines were rejected or removed" : "");
	}
	if (twice->count) {
		struct finding *f = findings_add(out, rule, name, twice);
		finding_text(&f->cause, "%" PRIu64 " lines were read twice: a file and its copy were both given", twice->count);
		finding_text(&f->cure, "give each file once; all counts of this run include these lines twice");
	}
}

/* Runs that were followed by a start without having stopped. */
static void runs_judge(struct slice node, const struct marks *starts, const struct marks *stops, const struct rule *rule, struct findings *out)
{
	struct group killed = { 0 };
	size_t stop = 0, stop_count = stops ? stops->count : 0;

	for (size_t i = 1; i < starts->count; i++) {
		uint64_t from = starts->all[i - 1].t_us, to = starts->all[i].t_us;
		while (stop < stop_count && stops->all[stop].t_us < from) stop++;
		if (from == to || (stop < stop_count && stops->all[stop].t_us <= to)) continue;   /* from == to: a file and its copy */
		killed.count++;
		evidence_add(&killed.evidence, starts->all[i].at);
	}
	if (!killed.count) return;
	struct finding *f = findings_add(out, rule, node, &killed);
	finding_text(&f->cause, "the daemon was killed or crashed (%" PRIu64 "): it started again without having stopped, and the lines of its last 100 ms may be missing",
		killed.count);
	finding_text(&f->cure, "stop it with `-s quit` or `-s stop`; give all files of the rotated set, if the stop is in one that was not given");
}

static void marks_sort(struct map *nodes)
{
	for (size_t i = 0; i < nodes->count; i++) {
		struct marks *marks = map_value(nodes, i);
		qsort(marks->all, marks->count, sizeof(*marks->all), by_mark);
	}
}

static void marks_release(struct map *nodes)
{
	for (size_t i = 0; i < nodes->count; i++) free(((struct marks *)map_value(nodes, i))->all);
	map_release(nodes);
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	marks_sort(&s->starts);
	marks_sort(&s->stops);
	for (size_t i = 0; i < s->starts.count; i++)
		runs_judge(map_key(&s->starts, i), map_value(&s->starts, i), map_find(&s->stops, map_key(&s->starts, i)), rule, out);
	for (size_t i = 0; i < s->streams.count; i++) {
		struct stream *stream = map_value(&s->streams, i);
		struct slice name = map_key(&s->streams, i);
		size_t node_len = name.len;
		struct group missing = { 0 }, twice = { 0 };
		while (node_len && name.ptr[node_len] != ',') node_len--;
		if (!stream->overflowed)
			stream_judge(stream, map_find(&s->starts, slice_make(name.ptr, node_len)), &missing, &twice);
		stream_report(name, stream, &missing, &twice, rule, out);
		free(stream->spans);
	}
	map_release(&s->streams);
	marks_release(&s->starts);
	marks_release(&s->stops);
}

const struct rule_ops rule_log_gap = { sizeof(struct state), init, line, finish };
