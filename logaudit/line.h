/* Lines of the access log: by the columns that the header line above them names. */
#ifndef LOGAUDIT_LINE_H
#define LOGAUDIT_LINE_H

#include "../conf/logline.h"
#include "format.h"
#include "take.h"

/* What a header line says. Unknown columns are of a program younger than this one: they are passed over. */
struct columns {
	bool valid;                      /* a good header line has been seen in this file */
	size_t count;
	int16_t field[FIELDS_MAX];       /* enum log_field, or -1 */
	bool present[LOG_FIELD_COUNT];
	bool all_in_order;               /* exactly this program's columns */
};

enum line_kind { LINE_record, LINE_header, LINE_rejected, LINE_newer /* header of a newer schema, or of other columns: read no further */ };

/* What lines that came before say of those to come: all that makes one parser go on where another one stopped. */
struct line_state {
	struct columns columns;
	const struct format *format;     /* of another program, borrowed; NULL: proxyd's own log */
};
bool line_state_same(const struct line_state *a, const struct line_state *b);

struct line_parser {
	struct line_state state;
	bool plain;                      /* all texts of the last record lie in the text that was given */
	struct splitter *splitter;
	struct words words;
	struct marks marks;
	struct format_scratch *scratch;
};

void line_parser_init(struct line_parser *parser);
void line_parser_release(struct line_parser *parser);
/* A file begins: no columns are known. */
void line_parser_restart(struct line_parser *parser);
/* The file is another program's: its columns are known now, and there is no header line. The format must stay until the restart. */
void line_parser_use(struct line_parser *parser, const struct format *format);

/* text: a physical line without its newline (a CR before it is dropped), at most LOG_LINE_MAX bytes. On LINE_record *ret_line
 * borrows from text and parser. On LINE_rejected *ret_reject says why and *ret_column is the column concerned, or empty. */
enum line_kind line_parse(struct line_parser *parser, struct slice text, struct logline *ret_line, enum reject *ret_reject, struct slice *ret_column);
/* The same, when bytes may be read up to `limit`, at or behind the text's end: faster by a little. */
enum line_kind line_parse_within(struct line_parser *parser, struct slice text, const char *limit, struct logline *ret_line, enum reject *ret_reject,
	struct slice *ret_column);

#endif
