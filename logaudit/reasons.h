/* The first few reasons of something, counted; those beyond them are counted together. */
#ifndef LOGAUDIT_REASONS_H
#define LOGAUDIT_REASONS_H

#include "../conf/logline.h"

enum { REASONS_MAX = 5 };
struct reason_count { int64_t reason; uint64_t count; };         /* reason: of why.h; count 0: none yet */
struct reasons { struct reason_count rows[REASONS_MAX]; uint64_t unnamed; };

void reasons_add(struct reasons *reasons, int reason, uint64_t count);
void reasons_merge(struct reasons *into, const struct reasons *from);
/* Most frequent first. */
void reasons_sort(struct reasons *reasons);
/* "12 private, 3 expired, 2 of other reasons": as much as fits. Sorts first. Returns out. */
enum { REASONS_TEXT_MAX = REASONS_MAX * 80 };
char *reasons_show(char out[REASONS_TEXT_MAX], struct reasons *reasons);

#endif
