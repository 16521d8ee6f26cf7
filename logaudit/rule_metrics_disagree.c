/* metrics-disagree: both sides come from one record, so they can only differ when lines are missing, when the two were not
 * taken at the same time, or when one of them lies. Not fed by lines: metrics.c sums, this file judges. */
#include <inttypes.h>
#include <stdio.h>

#include "metrics.h"
#include "rule.h"

void compare_report(const struct compare *compare, struct findings *out)
{
	const struct compare_row *requests = &compare->rows[COUNTER_requests];
	struct group group = { compare->differences, compare->evidence };
	uint64_t short_of = requests->scrape > requests->log ? requests->scrape - requests->log : 0;
	struct finding *f;

	if (compare->differences == 0) return;
	f = findings_add(out, &rules[RULE_metrics_disagree], compare->node.len ? compare->node : SLICE("(node without a name)"), &group);
	if (short_of && short_of <= compare->lost)
		finding_text(&f->cause, "%" PRIu64 " requests are counted and not logged; gap records account for %" PRIu64 " lost lines: that "
			"explains it", short_of, compare->lost);
	else if (!compare->started)
		finding_text(&f->cause, "no start record is among the lines: the counters may have begun before these files; else %s", f->rule->cause);
	else if (short_of)
		finding_text(&f->cause, "%" PRIu64 " requests are counted and not logged (gap records account for %" PRIu64 "): %s", short_of,
			compare->lost, f->rule->cause);
	else if (requests->log > requests->scrape)
		finding_text(&f->cause, "%" PRIu64 " requests are logged and not counted: the scrape is older than the last lines, or is of another "
			"node", requests->log - requests->scrape);
}

const struct rule_ops rule_metrics_disagree = { 0, NULL, NULL, NULL };
