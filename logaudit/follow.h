/* `logaudit follow`: the audit of a log that grows. What was counted since the start is kept with the place where reading ended. */
#ifndef LOGAUDIT_FOLLOW_H
#define LOGAUDIT_FOLLOW_H

#include "tail.h"

/* X(name): what is counted since the start, and kept in the state. */
#define FOLLOW_COUNTS(X) X(lines_counted) X(lines_left_out) X(lines_rejected) X(requests) X(hits) X(bytes) X(hit_bytes) X(errors)
struct follow_counts {
#define X(name) uint64_t name;
	FOLLOW_COUNTS(X)
#undef X
};

enum { FOLLOW_SECONDS = 60, FOLLOW_NOTES = 4, FOLLOW_FINDINGS_MAX = 256 };
struct follow_finding { char *name, *text; uint64_t count; enum severity severity; bool fresh /* not shown yet */; };

struct follow {
	struct audit audit;
	struct tail tail;
	struct follow_counts before;     /* what runs before this one counted */
	uint64_t since_s;                /* when the first of them began */
	/* At the end of each of the last seconds, by the wall's clock: what stood in the counts. */
	struct follow_counts seconds[FOLLOW_SECONDS + 1];
	uint64_t second, first_second;   /* the last one kept; the first one */
	struct follow_finding findings[FOLLOW_FINDINGS_MAX];
	size_t finding_count, findings_unnamed;
	uint64_t findings_of;            /* lines counted when the rules were asked last */
	char *notes[FOLLOW_NOTES];       /* the newest last */
	unsigned note_count, notes_fresh;
	size_t troubles_said;
};

/* state_path: NULL, or a file that need not be there. False, with the reason in why. follow is large. */
bool follow_open(struct follow *follow, const char *path, const char *state_path, const struct filter *filter, char why[256]);
/* Reads what is there. True: there was something. */
bool follow_read(struct follow *follow);
/* A second is over. */
void follow_tick(struct follow *follow, uint64_t now_s);
/* Asks the rules what they have found so far, when there are new lines. */
void follow_judge(struct follow *follow);
/* Writes the state beside the path and renames it: it is never half there. False, with the reason in why. */
bool follow_save(const struct follow *follow, const char *state_path, char why[256]);
void follow_close(struct follow *follow);

struct follow_counts follow_total(const struct follow *follow);
/* Of the last minute, or as much of it as we were there; *ret_seconds: how much. */
struct follow_counts follow_minute(const struct follow *follow, uint64_t *ret_seconds);
/* The worst severity found so far, or -1. */
int follow_worst(const struct follow *follow);

/* A screen, cleared first; or lines of what is new: notes, findings and one line of rates. */
void follow_screen(struct follow *follow, FILE *out);
void follow_lines(struct follow *follow, FILE *out);

#endif
