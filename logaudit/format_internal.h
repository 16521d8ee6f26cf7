/* What the files of the formats share: the tables, the work on one line, layouts, JSON. */
#ifndef LOGAUDIT_FORMAT_INTERNAL_H
#define LOGAUDIT_FORMAT_INTERNAL_H

#include "../conf/check.h"
#include "../conf/logval.h"
#include "format.h"

/* ---- tables ---- */

enum dialect {
#define DIALECT(symbol, prefix, stamp, doc) DIALECT_##symbol,
#include "tbl/format_dialects.h"
#undef DIALECT
	DIALECT_COUNT };
enum stamp { STAMP_ANY, STAMP_START, STAMP_END };
struct dialect_row { const char *prefix; enum stamp stamp; const char *doc; };
extern const struct dialect_row dialect_rows[DIALECT_COUNT];

enum format_id {
#define FORMAT(symbol, name, dialect, stamp, layout, detected, caveat) FORMAT_##symbol,
#include "tbl/formats.h"
#undef FORMAT
	FORMAT_COUNT };
struct format_row { const char *name; enum dialect dialect; enum stamp stamp; const char *layout, *detected, *caveat; };
extern const struct format_row format_rows[FORMAT_COUNT];

enum word_family { WORDS_nginx, WORDS_varnish, WORDS_squid, WORDS_trafficserver, WORDS_cloudfront, WORDS_x_cache };
struct word_row { enum word_family family; struct slice word; uint8_t verdict, tier; const char *doc; };

/* ---- one line ---- */

enum { SCRATCH_BYTES = 128 * 1024, CLF_TIME_LEN = 26 };

struct format_scratch {
	char text[SCRATCH_BYTES];        /* what was unescaped, or changed */
	size_t used;
	char clf[CLF_TIME_LEN];          /* the last time in brackets, and what it was */
	uint64_t clf_us;
	const struct word_row *word;     /* the last that was found */
	format_trace_fn *trace;
	void *trace_arg;
};

/* How a program writes bytes that it does not write as they are: \xHH and \"; JSON's; #HH; not at all. */
enum escape { ESCAPE_backslash, ESCAPE_json, ESCAPE_hash, ESCAPE_none };

/* The values of a line that become columns only together. */
struct work {
	struct logline *line;
	struct format_scratch *scratch;
	enum escape escape;
	bool plain;                      /* no backslash and no control byte is on the line */
	bool other;                      /* the line is about no request */
	bool total_known, length_known;
	uint64_t at_us, fraction_us;     /* the time on the line */
	int64_t header_us;               /* to the origin's answer, the connecting included; -1 */
	int64_t request_ms, queue_ms, connect_ms, answer_ms;
	struct slice query, backend;
	char state;                      /* HAProxy: who ended it */
};

typedef bool take_fn(struct work *work, struct slice text);
struct take { take_fn *fn; const char *columns; };
enum take_id {
#define TAKE(symbol, columns) TAKE_##symbol,
#include "tbl/format_takes.h"
#undef TAKE
	TAKE_COUNT };
extern const struct take takes[TAKE_COUNT];
#define TAKE(symbol, columns) take_fn take_##symbol;
#include "tbl/format_takes.h"
#undef TAKE

struct field_row { enum dialect dialect; struct slice name; enum take_id take; };
extern const struct field_row field_rows[];
extern const size_t field_row_count;
/* What a dialect calls `name`: TAKE_skip when it is not known. */
enum take_id field_take(enum dialect dialect, struct slice name);

/* The row of a word, or NULL. */
const struct word_row *word_find(struct format_scratch *scratch, enum word_family family, struct slice word);

/* ---- texts ---- */

/* As it stands in our log: the other program's escapes undone, ours made, cut at LOG_STR_MAX. "-" alone is empty. */
struct slice text_plain(struct work *work, struct slice text);
/* The same as a WORD. */
struct slice text_word(struct work *work, struct slice text);
/* %XX undone first. */
struct slice text_url(struct work *work, struct slice text);
/* Lower case, without the port when it is the scheme's own; as it stands in our log. */
struct slice text_host(struct work *work, struct slice text);
static inline bool text_none(struct slice text) { return text.len == 0 || (text.len == 1 && text.ptr[0] == '-'); }
/* Room in the scratch, or NULL. */
char *scratch_room(struct format_scratch *scratch, size_t len);

/* Seconds with up to nine digits behind the point, in microseconds. False: no such number. */
bool parse_seconds(struct slice text, int64_t *ret_us);
bool parse_number(struct slice text, uint64_t *ret_value);
/* Seconds since 1970 of a day. */
int64_t day_seconds(unsigned year, unsigned month, unsigned day);
bool parse_digits(const char *at, unsigned count, unsigned *ret_value);
/* "Jan" to 1; 0: no month. */
unsigned parse_month(const char *at);

/* ---- layouts ---- */

enum { ITEMS_MAX = 96, KEYS_SLOTS = 256, LAYOUT_MAX = 4096 };

/* A value, and the text that ends it. */
struct item {
	enum take_id take;
	struct slice name;               /* in the layout */
	struct slice end;
	bool quoted;                     /* ends at an unescaped quote */
	bool own_quotes;                 /* brings its quotes with it, and may have lost the last */
	bool keeps_end;                  /* the ending text belongs to the next value */
	bool is_list;                    /* of nginx's origins */
	bool braces;                     /* only there when it begins with {: captures of HAProxy */
};
struct json_key { struct slice path; enum take_id take; };

struct format {
	enum dialect dialect;
	enum stamp stamp;
	bool json, runs;                 /* runs: a blank of the layout is one or more */
	bool find_start;                 /* something may stand before the line: HAProxy through syslog */
	char separator;                  /* W3C: tab or blank */
	struct slice fields;             /* W3C: the #Fields line */
	char layout[LAYOUT_MAX];         /* the text that names point into */
	struct slice lead;
	struct item items[ITEMS_MAX];
	size_t count;
	struct json_key keys[KEYS_SLOTS];/* open addressing; path.len 0: free */
	size_t key_count, key_text;      /* key_text: bytes of `layout` in use, when keys are kept there */
	bool present[LOG_FIELD_COUNT];
	char name[LAYOUT_MAX], detected[FORMAT_WHY_MAX];
	const char *caveat;
};

/* Compiles format->layout in format->dialect. False: *ret_at is what is not understood. */
bool layout_compile(struct format *format, char why[FORMAT_WHY_MAX]);
/* The columns of the takes are present. */
void format_claim(struct format *format, enum take_id take);
enum reject layout_line(const struct format *format, struct work *work, struct slice text, struct slice *ret_column);
bool item_take(struct work *work, const struct item *item, struct slice text);

bool json_compile(struct format *format, struct slice template, char why[FORMAT_WHY_MAX]);
void json_key_add(struct format *format, struct slice path, enum take_id take);
enum reject json_line(const struct format *format, struct work *work, struct slice text, struct slice *ret_column);
/* Calls fn for each value of an object that is no object itself: path (keys joined by >), text of the value; the first of an array.
 * False: not one whole object, or fn said false. */
typedef bool json_value_fn(void *arg, struct slice path, struct slice text);
bool json_walk(struct slice text, json_value_fn *fn, void *arg);

bool w3c_compile(struct format *format, struct slice head, char why[FORMAT_WHY_MAX]);
enum reject w3c_line(const struct format *format, struct work *work, struct slice text, struct slice *ret_column, bool *ret_header);
/* Where a line of HAProxy begins, behind what syslog put before it; text.len when it is none. */
size_t haproxy_start(struct slice text);

/* ---- detection ---- */

struct format *format_new(enum dialect dialect, enum stamp stamp, const char *layout, const char *name, const char *caveat);
/* By the table, with what the head says where the names come with the file. */
bool format_from_row(enum format_id id, struct slice head, struct format **ret_format, char why[FORMAT_WHY_MAX]);
/* NULL: nothing known. */
struct format *format_detect(struct slice head);
/* The layout of the lines around the common core; NULL when they have none. */
struct format *clf_guess(struct slice head);
/* The next line of a head that is whole; false at its end. A head without a newline is one line. */
bool head_line(struct slice *head, struct slice *ret_line);

#endif
