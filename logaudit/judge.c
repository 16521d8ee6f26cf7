/* The one sentence. */
#include <stdio.h>

#include "judge.h"
#include "show.h"

const char *const judged_names[] = { "nothing", "good", "look", "bad" };

/* What is wrong: the second half of the sentence. */
static void wrong_text(char *out, size_t size, const struct judgement *j)
{
	size_t grave = j->by_severity[SEVERITY_error], others = j->by_severity[SEVERITY_warning];

	if (grave) snprintf(out, size, "%zu finding%s must be dealt with", grave, grave == 1 ? "" : "s");
	else if (others) snprintf(out, size, "%zu finding%s should be looked at", others, others == 1 ? "" : "s");
	else snprintf(out, size, "nothing is wrong that a rule could see");
}

struct judgement judge_audit(const struct audit *audit)
{
	const struct tally_row *all = &audit->tally.all;
	uint64_t requests = tally_requests(all), hits = tally_hits(all);
	char ratio[SHOW_NUMBER_MAX], wrong[96];
	struct judgement j = { 0 };

	for (size_t i = 0; i < audit->findings.count; i++) j.by_severity[audit->findings.rows[i].severity]++;
	j.incomplete = audit->tally.lost || audit->lines_rejected || audit->trouble_count;
	wrong_text(wrong, sizeof(wrong), &j);
	if (!requests) {
		snprintf(j.text, sizeof(j.text), "Nothing to judge: no request is in these lines");
		return j;
	}
	if (!tally_told(all)) {
		j.judged = j.by_severity[SEVERITY_error] ? JUDGED_bad : JUDGED_look;
		snprintf(j.text, sizeof(j.text), "These lines do not say what the cache did; of the rest, %s", wrong);
		return j;
	}
	show_ratio(ratio, hits, tally_told(all));
	j.judged = j.by_severity[SEVERITY_error] || (!hits && j.by_severity[SEVERITY_warning]) ? JUDGED_bad
		: j.by_severity[SEVERITY_warning] || !hits ? JUDGED_look : JUDGED_good;
	if (!hits) snprintf(j.text, sizeof(j.text), "The cache answered no request; %s", wrong);
	else if (j.judged == JUDGED_good) snprintf(j.text, sizeof(j.text), "The cache works: it answered %s of the requests, and %s", ratio, wrong);
	else snprintf(j.text, sizeof(j.text), "The cache answered %s of the requests, and %s", ratio, wrong);
	return j;
}
