/* Sides: counting and comparing. */
#include "column.h"
#include "diff.h"

/* ---- counting ---- */

static void side_add(struct side *s, const struct logline *l)
{
	s->requests++;
	s->hits += line_from_store(l);
	s->errors += l->status >= 500;
	s->refused += l->refusal != REFUSAL_none;
	s->unfinished += l->end != END_complete && l->end != END_client_left;
	s->asked += l->origin_tries > 0;
	s->origin_failed += l->origin_tries > 0 && line_origin_failed(l);
	if (l->first_us < 0) return;
	if (line_from_store(l) && !l->origin_tries) times_add(&s->hit, (uint64_t)l->first_us);
	else if (l->origin_tries) times_add(&s->miss, (uint64_t)l->first_us);
}

struct diff_value *diff_find(const struct diff *diff, const char *name)
{
	for (size_t i = 0; i < diff->count; i++)
		if (strcmp(diff->values[i].name, name) == 0) return &diff->values[i];
	return NULL;
}

static void value_init(struct diff_value *value, const char *name)
{
	memset(value, 0, sizeof(*value));
	value->name = must(strdup(name));
	map_init(&value->hosts, sizeof(struct side), SIDE_HOSTS_MAX);
}

static struct diff_value *value_of(struct diff *diff, const char *name)
{
	struct diff_value *value = diff_find(diff, name);

	if (value || diff->count == SIDES_MAX) return value;
	value_init(&diff->values[diff->count], name);
	return &diff->values[diff->count++];
}

static void take_line(void *arg, const struct logline *l, struct place at)
{
	char text[COLUMN_TEXT_MAX], name[COLUMN_TEXT_MAX + 1];
	struct diff *diff = arg;
	struct slice column = SLICE("all");
	struct diff_value *value;

	(void)at;
	if (l->rec != REC_req) return;
	if (diff->column >= 0) column = column_text(l, (enum log_field)diff->column, text);
	else if (diff->at_us) column = l->t_us < diff->at_us ? SLICE("before") : SLICE("since");
	snprintf(name, sizeof(name), "%.*s", SLICE_ARG(column));
	value = value_of(diff, name);
	if (!value) {
		diff->left_out++;
		return;
	}
	if (!value->first_us || l->t_us < value->first_us) value->first_us = l->t_us;
	side_add(&value->all, l);
	side_add(map_get(&value->hosts, line_host(l)), l);
}

struct audit_reader diff_reader(struct diff *diff)
{
	return (struct audit_reader){ take_line, NULL, diff };
}

void diff_init(struct diff *diff, int column, uint64_t at_us)
{
	*diff = (struct diff){ .column = column, .at_us = at_us, .values = must(calloc(SIDES_MAX, sizeof(struct diff_value))) };
}

void diff_value_release(struct diff_value *value)
{
	free(value->name);
	map_release(&value->hosts);
}

void diff_release(struct diff *diff)
{
	for (size_t i = 0; i < diff->count; i++) diff_value_release(&diff->values[i]);
	free(diff->values);
}

/* ---- choosing ---- */

static size_t values_named(const struct diff *diff, char *out, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < diff->count && len + 32 < size; i++)
		len += (size_t)snprintf(out + len, size - len, "%s%.24s", i ? ", " : "", diff->values[i].name);
	return len;
}

bool diff_choose(const struct diff *diff, struct diff_value **ret_before, struct diff_value **ret_now, char why[256])
{
	struct diff_value *before = NULL, *now = NULL;
	char names[160] = "none";

	values_named(diff, names, sizeof(names));
	for (size_t i = 0; i < diff->count; i++) {
		struct diff_value *value = &diff->values[i];
		if (!now || value->first_us > now->first_us) {
			before = now;
			now = value;
		} else if (!before || value->first_us > before->first_us) {
			before = value;
		}
	}
	if (!before || (diff->count > 2 && diff->column != LOG_FIELD_config)) {
		snprintf(why, 256, "two sides are compared; the lines have %zu (%s): name two with --sides A,B", diff->count, names);
		return false;
	}
	*ret_before = before;
	*ret_now = now;
	return true;
}

/* ---- comparing ---- */

/* How many took more than twice as long as 90 of 100 did before, and more than a millisecond: below that it is the machine's mood. Classes
 * are the same on both sides: this is exact. */
enum { SLOW_US_MIN = 1000 };
static struct share slower(const struct times *times, const struct times *before)
{
	uint64_t limit = 2 * times_percentile(before, 0.9), slow = 0, below = 0;

	if (limit < SLOW_US_MIN) limit = SLOW_US_MIN;
	if (!before->count) return (struct share){ 0, 0 };
	for (size_t i = 0; i < TIMES_CLASSES; i++) below += times_class_end(i) <= limit ? times->classes[i] : 0;
	slow = times->count - below;
	return (struct share){ slow, times->count };
}

/* What tbl/diffs.h names. */
struct figures { uint64_t requests, hits, errors, refused, unfinished, asked, origin_failed, slow_hits, timed_hits, slow_misses, timed_misses; };

static struct figures figures_of(const struct side *s, const struct side *before)
{
	struct share hits = slower(&s->hit, &before->hit), misses = slower(&s->miss, &before->miss);

	return (struct figures){ s->requests, s->hits, s->errors, s->refused, s->unfinished, s->asked, s->origin_failed, hits.part, hits.whole,
		misses.part, misses.whole };
}

static enum diff_verdict judge(const struct diff_row *row, bool up_is_worse, double points, double z_least)
{
	double difference = share_of(row->now) - share_of(row->before);

	if (row->before.whole < SIDE_REQUESTS_MIN || row->now.whole < SIDE_REQUESTS_MIN) return DIFF_too_few;
	if (fabs(row->z) <= z_least || fabs(difference) * 100 < points) return DIFF_same;
	return (difference > 0) == up_is_worse ? DIFF_worse : DIFF_better;
}

void diff_compare(const struct side *before, const struct side *now, double z_least, struct diff_row ret_rows[DIFF_COUNT])
{
	struct figures a = figures_of(before, before), b = figures_of(now, before);

#define UP true
#define DOWN false
#define DIFF(name, WORSE, points, part, whole, doc) do { struct diff_row *row = &ret_rows[DIFF_ID_##name]; \
	*row = (struct diff_row){ .before = { a.part, a.whole }, .now = { b.part, b.whole } }; \
	row->z = noise_z(row->before, row->now); \
	row->verdict = judge(row, WORSE, points, z_least); } while (0);
#include "tbl/diffs.h"
#undef DIFF
#undef UP
#undef DOWN
}
