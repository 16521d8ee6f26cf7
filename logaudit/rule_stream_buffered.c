/* stream-buffered: events that come all at once at the end. Types that are made to be read as they come are judged, nothing else: a
 * long poll that answers JSON after a minute is meant so. Either the origin's first byte was here long before the client got one
 * (held here), or the origin's first byte came only with the last (held behind). Bounded by the number of hosts. */
#include <inttypes.h>

#include "map.h"
#include "rule.h"

enum { STREAMS_MIN = 5, BODY_MIN = 2048 };
#define HELD_US INT64_C(1000000)
#define LONG_US UINT64_C(5000000)

struct host { struct group held; uint64_t streams, here; };
struct state { struct map hosts; };

static void init(void *state)
{
	map_init(&((struct state *)state)->hosts, sizeof(struct host), NAMES_MAX);
}

static bool is_stream(struct slice type)
{
	static const char *const types[] = { "text/event-stream", "application/x-ndjson", "application/grpc-web", "multipart/x-mixed-replace" };
	const char *semicolon = type.len ? memchr(type.ptr, ';', type.len) : NULL;

	if (semicolon) type.len = (size_t)(semicolon - type.ptr);
	for (size_t i = 0; i < COUNT_OF(types); i++)
		if (slice_eq_nocase(slice_trim(type), slice_str(types[i]))) return true;
	return false;
}

static void line(void *state, const struct logline *l, struct place at)
{
	struct host *host;
	bool here, behind;

	if (l->rec != REC_req || !l->origin_tries || l->origin_first_us < 0 || l->first_us < 0 || l->total_us < LONG_US || !is_stream(l->resp_type)) return;
	host = host_value(&((struct state *)state)->hosts, l);
	host->streams++;
	here = l->first_us - l->origin_first_us - (l->connect_us > 0 ? l->connect_us : 0) >= HELD_US && l->origin_tries == 1;
	behind = (uint64_t)l->origin_first_us >= l->total_us / 10 * 9 && l->body_out >= BODY_MIN;
	host->here += here;
	if (here || behind) group_add(&host->held, at);
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	for (size_t i = 0; i < s->hosts.count; i++) {
		const struct host *host = map_value(&s->hosts, i);
		if (host->held.count < STREAMS_MIN || host->held.count * 2 < host->streams) continue;
		struct finding *f = findings_add(out, rule, map_key(&s->hosts, i), &host->held);
		if (host->here * 2 >= host->held.count)
			finding_text(&f->cause, "the origin had begun more than a second before the client got its first byte (%" PRIu64 " of %" PRIu64
				" streams): the answer was held in this proxy", host->here, host->streams);
		else
			finding_text(&f->cause, "the first byte came from the origin only when nine tenths of the time were over (%" PRIu64 " of %" PRIu64
				" streams): the origin, or a proxy before it, collects the stream", host->held.count, host->streams);
	}
	map_release(&s->hosts);
}

const struct rule_ops rule_stream_buffered = { sizeof(struct state), init, line, finish };
