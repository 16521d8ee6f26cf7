/* "did you mean": the nearest of the words that would be right, by edit distance with swaps of neighbours. */
#include "internal.h"

enum { SUGGEST_LEN_MAX = 48 };

static unsigned smaller(unsigned a, unsigned b) { return a < b ? a : b; }

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

/* Optimal string alignment distance; both words at most SUGGEST_LEN_MAX long. */
static unsigned distance_of(struct slice a, struct slice b)
{
	unsigned rows[3][SUGGEST_LEN_MAX + 1], *two = rows[0], *one = rows[1], *now = rows[2];

	for (size_t j = 0; j <= b.len; j++)
		one[j] = (unsigned)j;
	memcpy(two, one, sizeof(rows[0]));
	for (size_t i = 1; i <= a.len; i++) {
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= b.len; j++) {
			char x = lower(a.ptr[i - 1]), y = lower(b.ptr[j - 1]);
			unsigned best = smaller(one[j], now[j - 1]) + 1;
			best = smaller(best, one[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == lower(b.ptr[j - 2]) && lower(a.ptr[i - 2]) == y)
				best = smaller(best, two[j - 2] + 1);
			now[j] = best;
		}
		unsigned *spare = two;
		two = one;
		one = now;
		now = spare;
	}
	return one[b.len];
}

void suggest_start(struct suggestion *suggestion, struct slice word)
{
	*suggestion = (struct suggestion){ .word = word };
	/* A third of the word may be wrong: more is another word. */
	suggestion->distance = smaller((unsigned)(word.len / 3 + 1), 5);
	if (word.len < 3)
		suggestion->distance = 2;
}

void suggest_offer(struct suggestion *suggestion, struct slice candidate)
{
	struct slice word = suggestion->word;

	if (word.len == 0 || candidate.len == 0 || word.len > SUGGEST_LEN_MAX || candidate.len > SUGGEST_LEN_MAX)
		return;
	unsigned distance = distance_of(word, candidate);
	/* A word that goes on after a right one: warning for warn. */
	if (candidate.len >= 4 && slice_starts(word, candidate))
		distance = smaller(distance, 1);
	if (distance < suggestion->distance && distance < candidate.len) {
		suggestion->distance = distance;
		suggestion->best = candidate;
	}
}

const char *suggest_text(struct suggestion *suggestion)
{
	suggestion->text[0] = 0;
	if (suggestion->best.len > 0)
		snprintf(suggestion->text, sizeof(suggestion->text), ", did you mean '%.*s'?", SLICE_ARG(suggestion->best));
	return suggestion->text;
}
