/* One physical line to its fields. libcsv in its strict mode is the definition; lines without odd quotes are split here
 * with the same result, several times faster. */
#ifndef LOGAUDIT_SPLIT_H
#define LOGAUDIT_SPLIT_H

#include "../conf/logline.h"

enum reject {
#define REJECT(name, doc) REJECT_##name,
#include "tbl/rejects.h"
#undef REJECT
	REJECT_COUNT };
struct reject_row { const char *name, *doc; };
extern const struct reject_row reject_rows[REJECT_COUNT];

enum { FIELDS_MAX = 256 };

struct splitter;
struct splitter *splitter_new(void);
void splitter_free(struct splitter **splitter);

/* text: one line without its newline, at most LOG_LINE_MAX bytes. The fields point into it or into the splitter, until its
 * next use. Returns REJECT_none, control_byte, open_quote, bad_quote or field_count (more than FIELDS_MAX). */
enum reject split(struct splitter *splitter, struct slice text, struct slice fields[FIELDS_MAX], size_t *ret_count);
/* The same, always by libcsv. */
enum reject split_by_libcsv(struct splitter *splitter, struct slice text, struct slice fields[FIELDS_MAX], size_t *ret_count);

#endif
