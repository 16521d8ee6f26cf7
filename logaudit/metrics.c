/* Sums by run of the daemon, and what a scrape says. */
#include <inttypes.h>
#include <stdio.h>

#include "facts.h"
#include "metrics.h"

void metrics_init(struct metrics *metrics)
{
	*metrics = (struct metrics){ .turn = 1 };
	map_init(&metrics->nodes, sizeof(struct metrics_node), NAMES_MAX);
}

void metrics_restart(struct metrics *metrics)
{
	metrics->turn++;
}

void metrics_release(struct metrics *metrics)
{
	map_release(&metrics->nodes);
	keys_release(&metrics->workers);
	free(metrics->parts);
	*metrics = (struct metrics){ 0 };
}

static size_t part_begin(struct metrics *metrics, size_t node, const struct logline *line)
{
	if (metrics->count == metrics->cap) {
		metrics->cap = metrics->cap ? 2 * metrics->cap : 8;
		metrics->parts = must(realloc(metrics->parts, metrics->cap * sizeof(*metrics->parts)));
	}
	metrics->parts[metrics->count] = (struct metrics_part){ .node = node, .worker = line->worker, .turn = metrics->turn, .t_lo = line->t_us };
	return metrics->count++;
}

/* The part that the line belongs to; NULL when there are more workers than can be kept apart. */
static struct metrics_part *part_of(struct metrics *metrics, size_t node, const struct logline *line)
{
	bool is_new;
	struct key_entry *worker = keys_get(&metrics->workers, node + 1, line->worker, &is_new);
	struct metrics_part *part = worker && worker->value[0] ? &metrics->parts[worker->value[0] - 1] : NULL;

	if (!worker) return NULL;
	/* Gap records have no number. */
	if (!part || part->turn != metrics->turn || (line->seq && line->seq <= part->last_seq)) {
		worker->value[0] = part_begin(metrics, node, line) + 1;
		part = &metrics->parts[worker->value[0] - 1];
	}
	if (line->seq) part->last_seq = line->seq;
	if (line->t_us < part->t_lo) part->t_lo = line->t_us;
	return part;
}

void metrics_add(struct metrics *metrics, const struct logline *line, struct place at)
{
	struct metrics_node *node = map_get_name(&metrics->nodes, line->node, line_facts(line)->node);
	size_t index = (size_t)((char *)node - metrics->nodes.values) / sizeof(*node);
	struct metrics_part *part;

	if (line->rec == REC_start) {
		if (!node->started || line->t_us > node->start_us) {
			node->start_us = line->t_us;
			node->first_worker = 0;
		}
		node->started = true;
		evidence_add(&node->starts, at);
		metrics->turn++;
	}
	/* Another process, with workers of other numbers: the old one's lines go on, and are not in what a scrape says now. */
	if (line->rec == REC_upgrade) {
		if (!node->started || line->t_us > node->start_us) {
			node->start_us = line->t_us;
			node->first_worker = line->conn;
		}
		node->started = true;
		evidence_add(&node->starts, at);
	}
	part = part_of(metrics, index, line);
	if (!part) return;
	if (line->rec == REC_gap) {
		part->lost += line->lost;
		evidence_add(&part->gaps, at);
	}
	counters_add(&part->counters, line);
}

/* ---- the scrape ---- */

/* "123", "123.0", "1.23e+05": a whole number that is not negative. */
static bool number_parse(struct slice text, uint64_t *ret_value)
{
	char copy[64], *end;
	uint64_t value = 0;
	double real;
	size_t i = 0;

	for (; i < text.len && i < 19 && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++)
		value = value * 10 + (uint64_t)(text.ptr[i] - '0');
	if (i && i == text.len) {
		*ret_value = value;
		return true;
	}
	if (text.len == 0 || text.len >= sizeof(copy)) return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = 0;
	real = strtod(copy, &end);
	if (*end || !(real >= 0 && real < 1.8e19)) return false;
	*ret_value = (uint64_t)real;
	return true;
}

/* "proxyd_NAME_total": the counter, or -1. */
static int counter_find(struct slice name)
{
	const struct slice prefix = SLICE("proxyd_"), suffix = SLICE("_total");

	if (!slice_starts(name, prefix) || name.len < prefix.len + suffix.len) return -1;
	if (memcmp(name.ptr + name.len - suffix.len, suffix.ptr, suffix.len) != 0) return -1;
	name = slice_make(name.ptr + prefix.len, name.len - prefix.len - suffix.len);
	for (int i = 0; i < COUNTER_COUNT; i++)
		if (slice_eq(counter_rows[i].name, name)) return i;
	return -1;
}

/* NAME[{LABELS}] VALUE [TIME]. Labels may hold blanks within quotes. */
static void sample_parse(struct slice text, struct scrape *scrape)
{
	size_t name_len = 0, at;
	bool quoted = false;
	uint64_t value;
	int which;

	while (name_len < text.len && !strchr("{ \t", text.ptr[name_len])) name_len++;
	which = counter_find(slice_make(text.ptr, name_len));
	if (which < 0) return;
	at = name_len;
	if (at < text.len && text.ptr[at] == '{') {
		for (; at < text.len && (quoted || text.ptr[at] != '}'); at++) {
			if (text.ptr[at] == '\\' && quoted) at++;
			else if (text.ptr[at] == '"') quoted = !quoted;
		}
		at++;
	}
	if (at >= text.len) return;
	text = slice_trim(slice_make(text.ptr + at, text.len - at));
	for (at = 0; at < text.len && text.ptr[at] != ' ' && text.ptr[at] != '\t'; at++);
	if (!number_parse(slice_make(text.ptr, at), &value)) return;
	scrape->value[which] += value;
	scrape->present[which] = true;
}

bool scrape_parse(struct slice text, struct scrape *ret_scrape)
{
	struct scrape scrape = { 0 };
	bool any = false;

	while (text.len) {
		const char *newline = memchr(text.ptr, '\n', text.len);
		size_t len = newline ? (size_t)(newline - text.ptr) : text.len, used = len + (newline != NULL);
		if (len && text.ptr[len - 1] == '\r') len--;
		if (len && text.ptr[0] != '#') sample_parse(slice_make(text.ptr, len), &scrape);
		text.ptr += used;
		text.len -= used;
	}
	for (int i = 0; i < COUNTER_COUNT; i++) any |= scrape.present[i];
	if (any) *ret_scrape = scrape;
	return any;
}

/* ---- side by side ---- */

bool metrics_compare(const struct metrics *metrics, struct slice name, const struct scrape *scrape, struct compare *ret_compare, char why[256])
{
	struct compare c = { 0 };
	struct counters sum = { 0 };
	const struct metrics_node *node = name.len ? map_find(&metrics->nodes, name) : NULL;

	if (!name.len && metrics->nodes.count == 1) node = map_value(&metrics->nodes, 0);
	if (!node) {
		if (metrics->nodes.count == 0) snprintf(why, 256, "the log has no lines to compare with");
		else if (name.len) snprintf(why, 256, "the log has no line of node '%.*s'", SLICE_ARG(name));
		else snprintf(why, 256, "the log has lines of %zu nodes: say which one was scraped with --node NAME", metrics->nodes.count);
		return false;
	}
	if (metrics->workers.full) {
		snprintf(why, 256, "the log has lines of more workers than can be kept apart");
		return false;
	}
	size_t index = (size_t)((const char *)node - metrics->nodes.values) / sizeof(*node);
	c.node = map_key(&metrics->nodes, index);
	c.started = node->started;
	c.evidence = node->starts;
	for (size_t i = 0; i < metrics->count; i++) {
		const struct metrics_part *part = &metrics->parts[i];
		if (part->node != index || (node->started && part->t_lo < node->start_us) || part->worker < node->first_worker) continue;
		counters_merge(&sum, &part->counters);
		c.lost += part->lost;
		for (unsigned g = 0; g < part->gaps.count; g++) evidence_add(&c.evidence, part->gaps.at[g]);
	}
	for (int i = 0; i < COUNTER_COUNT; i++) {
		struct compare_row *row = &c.rows[i];
		*row = (struct compare_row){ scrape->value[i], counters_get(&sum, (enum counter)i), scrape->present[i], false };
		row->differs = !row->present || row->scrape != row->log;
		c.differences += row->differs;
	}
	*ret_compare = c;
	return true;
}
