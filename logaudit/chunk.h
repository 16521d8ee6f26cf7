/* A piece of a log: whole physical lines, and what they are once parsed. Pieces are made by any thread and taken in their order. */
#ifndef LOGAUDIT_CHUNK_H
#define LOGAUDIT_CHUNK_H

#include "facts.h"
#include "filter.h"
#include "finding.h"
#include "line.h"

/* CHUNK_BYTES: read at once; the rest of a line may stand before it. CHUNK_SLACK: may be read behind the text, whatever is there. */
enum { CHUNK_BYTES = 64 * 1024, CHUNK_SLACK = 64, CHUNK_ROOM = CHUNK_BYTES + LOG_LINE_MAX + CHUNK_SLACK };

/* Of 64 lines, a bit each: which have the trait. */
struct traits { uint64_t has[TRAIT_COUNT]; };
/* A header line; it holds from line `at` of the chunk's records on. */
struct turn { size_t at; uint32_t number; struct columns columns; uint64_t rules_on; };
/* Lines that were not counted for one reason. */
struct chunk_rejects { uint64_t count; uint32_t numbers[EVIDENCE_MAX]; struct slice example; };

struct chunk {
	char *room;                      /* CHUNK_ROOM bytes, for whoever reads */
	struct slice text;               /* within it, or borrowed; a line ends with a newline, the last one perhaps not */
	bool cut;                        /* the last one does not: the file ended */
	const struct filter *filter;     /* NULL: all records are kept; else those that pass, and the others only counted */
	/* what it is parsed into */
	struct parsed *lines;
	struct traits *traits;           /* beside them, 64 in one */
	size_t count, cap;
	uint64_t left_out;
	struct turn *turns;
	size_t turn_count, turn_cap;
	struct chunk_rejects rejects[REJECT_COUNT];
	uint32_t numbers;                /* physical lines */
	bool newer;                      /* a header line of a newer schema was the last that counts */
	struct line_state before, after; /* what the parser knew */
	struct texts *texts;             /* that do not lie in `text` */
	/* what is known when it is its turn */
	uint64_t first;                  /* number of its line 0, from 1 */
	uint32_t file;
	uint64_t rules_on;               /* up to the first turn */
};

void chunk_init(struct chunk *chunk);
void chunk_release(struct chunk *chunk);
/* Parses its text. limit: the end of what may be read. */
void chunk_parse(struct chunk *chunk, struct line_parser *parser, const char *limit);
/* The next physical line of its text, from *at on, which moves behind it: the text without its newline, and what is wrong with the line
 * as such. False at the end. */
bool chunk_line(const struct chunk *chunk, const char **at, struct slice *ret_text, enum reject *ret_trouble);
/* One line without its newline, that may be in trouble already (REJECT_none: it is not). Its texts are borrowed. */
void chunk_parse_one(struct chunk *chunk, struct line_parser *parser, struct slice text, enum reject trouble);

static inline struct place chunk_place(const struct chunk *chunk, uint32_t number)
{
	return (struct place){ chunk->file, chunk->first + number };
}

#endif
