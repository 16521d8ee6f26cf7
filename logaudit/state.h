/* Partial results: what an audit has counted and found, as bytes, to be combined with those of other nodes or days.
 *
 * Combining is exact and needs no order: counts, times, rows of tables and the series are added up; first and last times are the least
 * and the greatest. Findings of one rule and subject become one: counts are added, the gravest severity stands, evidence is the first
 * EVIDENCE_MAX by file and line, and a cause that the parts tell in different words becomes the rule's own. A rule saw only the lines of
 * its part: what shows only across parts (the same cookie to clients of two nodes, a purge on one day and a hit on the next) needs
 * the lines together. Names that a table has no row for share one, and then the order counts. So it does for the URLs most often missed and the
 * clients (heavy.h) once they have more than their places: the error of each count is kept and adds up; and for reasons of a URL beyond
 * REASONS_MAX.
 *
 * The bytes: a magic and a version, a fingerprint of the tables that the program was built from, numbers of 8 bytes (least byte
 * first), texts with their length before them, and the XXH3 of all before it at the end. Another program's are refused, and so is
 * whatever is damaged. */
#ifndef LOGAUDIT_STATE_H
#define LOGAUDIT_STATE_H

#include "audit.h"

/* The audit is finished. *ret_len bytes, which the caller frees. */
char *state_bytes(const struct audit *audit, size_t *ret_len);
/* Makes a finished audit of the bytes, which the caller releases. False, with the reason in why: they are none; *ret_audit is untouched. */
bool state_parse(struct slice bytes, struct audit *ret_audit, char why[256]);
bool state_load(const char *path, struct audit *ret_audit, char why[256]);
bool state_save(const struct audit *audit, const char *path, char why[256]);

/* state_merge.c. Adds what another finished audit counted and found. */
void audit_merge(struct audit *into, const struct audit *from);
/* Once, after all merges: everything in an order that does not depend on theirs. */
void audit_settle_order(struct audit *audit);

#endif
