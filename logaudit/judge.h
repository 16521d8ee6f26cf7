/* Does the cache work? One sentence, for whoever has no time to read more. */
#ifndef LOGAUDIT_JUDGE_H
#define LOGAUDIT_JUDGE_H

#include "audit.h"

enum judged { JUDGED_nothing, JUDGED_good, JUDGED_look, JUDGED_bad };
extern const char *const judged_names[];                         /* nothing, good, look, bad */

struct judgement {
	enum judged judged;
	size_t by_severity[SEVERITY_error + 1];
	bool incomplete;                 /* lines are missing, were rejected, or files could not be read to their end */
	char text[256];                  /* without a full stop */
};

struct judgement judge_audit(const struct audit *audit);

#endif
