/* The pipeline. A ring of chunks; each goes through stages:
 *
 *   read     by one thread at a time, in order: where a chunk ends is where the next one begins
 *   parse    by any thread, several chunks at once; by the columns of the last header line that is known
 *   settle   by one thread at a time, in order: when another header line has come before after all, it is parsed again here
 *   share s  by one thread at a time for each s, in order; another share of the same chunk may go on beside it
 *
 * Whatever has a state is used by one thread at a time and sees all chunks in their order: that is why the outcome cannot depend
 * on the threads. A thread that looks for work takes the oldest there is. The lock is held while it looks, never while it works. */
#include <pthread.h>

#include "../conf/check.h"
#include "pipeline.h"

enum { RING_PER_THREAD = 3 };

enum stage { STAGE_free, STAGE_read, STAGE_parsed, STAGE_settled };
struct slot { struct chunk chunk; enum stage stage; bool busy; unsigned shares_done; };

/* Numbers of chunks count up from 0; chunk n is in slot n % ring. */
struct pipeline {
	struct audit *audit;
	struct input *input;
	char *why;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct slot *slots;
	size_t ring;
	uint64_t read, settled, share[AUDIT_SHARES];    /* the next chunk of each stage */
	bool reading, settling, sharing[AUDIT_SHARES];
	bool no_more;                    /* nothing is read any more */
	uint64_t end;                    /* of those that were read, this one and later ones do not count */
};

enum work_kind { WORK_none, WORK_read, WORK_parse, WORK_settle, WORK_share, WORK_over };
struct work { enum work_kind kind; uint64_t chunk; unsigned share; };

static struct slot *slot_of(struct pipeline *p, uint64_t n)
{
	return &p->slots[n % p->ring];
}

/* The oldest chunk that a share still needs. */
static uint64_t oldest(const struct pipeline *p)
{
	uint64_t n = p->share[0];

	for (unsigned s = 1; s < AUDIT_SHARES; s++)
		if (p->share[s] < n) n = p->share[s];
	return n;
}

/* What is nearest to the end of the pipeline goes first: it makes room. Parsing waits for the first chunk of the file to be settled,
 * since that says the columns of nearly all others. */
static struct work look_for_work(struct pipeline *p)
{
	uint64_t first = oldest(p), last = p->read < p->end ? p->read : p->end;

	for (unsigned s = 0; s < AUDIT_SHARES; s++)
		if (!p->sharing[s] && p->share[s] < p->settled) return (struct work){ WORK_share, p->share[s], s };
	if (!p->settling && p->settled < last && slot_of(p, p->settled)->stage == STAGE_parsed) return (struct work){ WORK_settle, p->settled, 0 };
	for (uint64_t n = p->settled; n < last && (n == 0 || p->settled > 0); n++)
		if (slot_of(p, n)->stage == STAGE_read && !slot_of(p, n)->busy) return (struct work){ WORK_parse, n, 0 };
	if (!p->no_more && !p->reading && p->read - first < p->ring) return (struct work){ WORK_read, p->read, 0 };
	if (p->no_more && first == last && !p->reading && !p->settling) return (struct work){ WORK_over, 0, 0 };
	return (struct work){ WORK_none, 0, 0 };
}

/* The lock is held before and after each of these, not while the work is done. */

static void do_read(struct pipeline *p, struct slot *slot)
{
	bool more;

	p->reading = true;
	pthread_mutex_unlock(&p->lock);
	more = input_next(p->input, &slot->chunk, p->why);
	pthread_mutex_lock(&p->lock);
	p->reading = false;
	if (more) {
		slot->stage = STAGE_read;
		slot->shares_done = 0;
		p->read++;
	} else {
		p->no_more = true;
	}
}

static void parse(struct chunk *chunk, struct line_parser *parser)
{
	chunk_parse(chunk, parser, chunk->text.ptr + chunk->text.len + CHUNK_SLACK);
}

static void do_parse(struct pipeline *p, struct slot *slot, struct line_parser *parser)
{
	slot->busy = true;
	parser->state = p->audit->parser.state;
	pthread_mutex_unlock(&p->lock);
	parse(&slot->chunk, parser);
	pthread_mutex_lock(&p->lock);
	slot->busy = false;
	slot->stage = STAGE_parsed;
}

static void do_settle(struct pipeline *p, struct slot *slot, struct line_parser *parser)
{
	struct audit *audit = p->audit;
	bool more;

	p->settling = true;
	parser->state = audit->parser.state;
	pthread_mutex_unlock(&p->lock);
	if (!line_state_same(&slot->chunk.before, &parser->state)) parse(&slot->chunk, parser);
	more = audit_settle(audit, &slot->chunk);
	pthread_mutex_lock(&p->lock);
	audit->parser.state = slot->chunk.after;
	p->settling = false;
	slot->stage = STAGE_settled;
	p->settled++;
	if (more) return;
	p->no_more = true;
	p->end = p->settled;
}

static void do_share(struct pipeline *p, struct slot *slot, unsigned share)
{
	p->sharing[share] = true;
	pthread_mutex_unlock(&p->lock);
	audit_share(p->audit, &slot->chunk, share);
	pthread_mutex_lock(&p->lock);
	p->sharing[share] = false;
	p->share[share]++;
	if (++slot->shares_done == AUDIT_SHARES) slot->stage = STAGE_free;
}

static void *work(void *arg)
{
	struct pipeline *p = arg;
	struct line_parser parser;
	struct work work = { WORK_none, 0, 0 };

	line_parser_init(&parser);
	pthread_mutex_lock(&p->lock);
	while ((work = look_for_work(p)).kind != WORK_over) {
		struct slot *slot = slot_of(p, work.chunk);
		switch (work.kind) {
		case WORK_read: do_read(p, slot); break;
		case WORK_parse: do_parse(p, slot, &parser); break;
		case WORK_settle: do_settle(p, slot, &parser); break;
		case WORK_share: do_share(p, slot, work.share); break;
		default: pthread_cond_wait(&p->changed, &p->lock); continue;
		}
		pthread_cond_broadcast(&p->changed);
	}
	pthread_mutex_unlock(&p->lock);
	line_parser_release(&parser);
	return NULL;
}

void pipeline_run(struct audit *audit, struct input *input, char why[256])
{
	unsigned count = audit->threads < PIPELINE_THREADS_MAX ? audit->threads : PIPELINE_THREADS_MAX;
	struct pipeline p = { .audit = audit, .input = input, .why = why, .ring = count * RING_PER_THREAD + 1, .end = UINT64_MAX };
	pthread_t threads[PIPELINE_THREADS_MAX];
	unsigned started = 0;

	CHECK(pthread_mutex_init(&p.lock, NULL) == 0 && pthread_cond_init(&p.changed, NULL) == 0);
	p.slots = must(calloc(p.ring, sizeof(*p.slots)));
	for (size_t i = 0; i < p.ring; i++) p.slots[i].chunk.filter = audit->filter;
	/* With fewer threads than were asked for, it takes longer. */
	while (started + 1 < count && pthread_create(&threads[started], NULL, work, &p) == 0) started++;
	work(&p);
	for (unsigned i = 0; i < started; i++) pthread_join(threads[i], NULL);
	for (size_t i = 0; i < p.ring; i++) chunk_release(&p.slots[i].chunk);
	free(p.slots);
	pthread_cond_destroy(&p.changed);
	pthread_mutex_destroy(&p.lock);
}
