/* Where the fields of a line end: one pass over its bytes, 64 at a time, without a branch for a byte. */
#ifndef LOGAUDIT_SCAN_H
#define LOGAUDIT_SCAN_H

#include "split.h"

/* One block may bring more ends than are left. */
struct marks { size_t count; uint32_t end[FIELDS_MAX + 64 + 4]; };

enum scanned { SCAN_plain, SCAN_odd, SCAN_control };

/* text: at most LOG_LINE_MAX bytes; nothing outside of it is read. SCAN_plain: field i lies between the end before it (-1: the
 * line's beginning) and end[i], both not included; it is quoted as a whole, without quotes within, or has no quote. At most
 * FIELDS_MAX fields. SCAN_odd: libcsv must say. SCAN_control: a control byte is among them, whatever else is. */
enum scanned scan(struct slice text, struct marks *ret_marks);
/* The same without what only some processors have. */
enum scanned scan_portable(struct slice text, struct marks *ret_marks);

/* Byte by byte. */
bool text_has_control(struct slice text);

#endif
