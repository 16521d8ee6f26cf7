/* The counters as the log has them since a node's last start, beside those of a scrape of its metrics page. */
#ifndef LOGAUDIT_METRICS_H
#define LOGAUDIT_METRICS_H

#include "../conf/counters.h"
#include "finding.h"
#include "map.h"

/* Lines of one worker in one file with growing numbers and no start record between them: all of one run of the daemon. The
 * log thread writes what several workers made: a run's first lines may stand before its start record. */
struct metrics_part { size_t node; uint64_t worker, turn, last_seq, t_lo, lost; struct counters counters; struct evidence gaps; };
struct metrics_node { uint64_t start_us, first_worker; bool started; struct evidence starts; };
struct metrics {
	struct map nodes;                /* struct metrics_node */
	struct keys workers;             /* node's index, worker: value[0] is its present part's index + 1 */
	struct metrics_part *parts;
	size_t count, cap;
	uint64_t turn;                   /* grows with each file and each start record: parts end there */
};

void metrics_init(struct metrics *metrics);
void metrics_restart(struct metrics *metrics);    /* another file begins */
void metrics_add(struct metrics *metrics, const struct logline *line, struct place at);
void metrics_release(struct metrics *metrics);

/* What the page of one node said. */
struct scrape { uint64_t value[COUNTER_COUNT]; bool present[COUNTER_COUNT]; };
/* Reads Prometheus text; samples of one name with other labels are added up. False: not one counter of ours is in it. */
bool scrape_parse(struct slice text, struct scrape *ret_scrape);
/* A file, or http://ADDRESS:PORT/PATH by a GET of our own. The caller frees *ret_text. False with the reason in why. */
bool scrape_load_file(const char *path, char **ret_text, size_t *ret_len, char why[256]);
bool scrape_load_url(const char *url, char **ret_text, size_t *ret_len, char why[256]);

struct compare_row { uint64_t scrape, log; bool present, differs; };
struct compare {
	struct slice node;
	struct compare_row rows[COUNTER_COUNT];
	unsigned differences;
	uint64_t lost;                   /* what the gap records of the run say */
	bool started;                    /* the run's start record is among the lines */
	struct evidence evidence;
};

/* node: empty when the log has one node only. False with the reason in why. */
bool metrics_compare(const struct metrics *metrics, struct slice node, const struct scrape *scrape, struct compare *ret_compare, char why[256]);
/* The finding of metrics-disagree, if the two sides differ. */
void compare_report(const struct compare *compare, struct findings *out);

#endif
