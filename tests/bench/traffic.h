/* Made traffic: the access log of several nodes, any number of lines, the same for the same seed; and its truth, counted while it
 * is made: what a report must say to the last request. Pages are asked for by Zipf's law; the store of each node is played, so that
 * hits, confirmations and misses follow from what came before. Faults are laid in evenly, each with the count of the finding it
 * must make. Memory: 4 bytes for each page and node. */
#ifndef TESTS_BENCH_TRAFFIC_H
#define TESTS_BENCH_TRAFFIC_H

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "../../conf/check.h"
#include "../../conf/logline.h"

enum { TRAFFIC_WORKERS = 4, TRAFFIC_NODES_MAX = 8, TRAFFIC_HOSTS_MAX = 64, TRAFFIC_VOLUMES = 3, TRAFFIC_TEXT_MAX = 256 };
#define TRAFFIC_T0 UINT64_C(1795517417000000)

/* FAULT(name, rule, subject, doc): what is laid in; the finding's rule and subject. Its count is the number of such lines, or of
 * missing ones. */
#define TRAFFIC_FAULTS(FAULT) \
	FAULT(contradicted, "verdict-contradicted",   "hit with bytes from the origin", "hits that asked the origin") \
	FAULT(unbound,      "volume-unbound",         "forgotten.example",   "cacheable answers of a site without a volume") \
	FAULT(barren,       "volume-no-hits",         "barren",              "a volume that stores and never finds") \
	FAULT(cookie,       "set-cookie-replayed",    "shop.example cookie 00000000000c00c1", "one stored cookie to many clients") \
	FAULT(missing,      "log-gap",                "n1, worker 2",        "numbers that no line has") \
	FAULT(user_stored,  "authenticated-stored",   "members.example",     "answers to one user that were stored") \
	FAULT(failing,      "origin-failing",         "10.9.9.9:8080",       "an origin that refuses connections") \
	FAULT(loop,         "proxy-loop",             "loop.example",        "requests that came round") \
	FAULT(plain,        "forwarding-missing",     "plain.example",       "an origin that is not told who asks") \
	FAULT(too_stale,    "stale-past-window",      "stale.example",       "stale answers that must not be")

enum traffic_fault {
#define FAULT(name, rule, subject, doc) TRAFFIC_##name,
	TRAFFIC_FAULTS(FAULT)
#undef FAULT
	TRAFFIC_FAULT_COUNT };
struct traffic_fault_row { const char *name, *rule, *subject, *doc; };
static const struct traffic_fault_row traffic_fault_rows[TRAFFIC_FAULT_COUNT] = {
#define FAULT(name, rule, subject, doc) { #name, rule, subject, doc },
	TRAFFIC_FAULTS(FAULT)
#undef FAULT
};

/* BROKEN(reason, text): lines that must be rejected, for each reason one that a crash or a disk makes. */
#define TRAFFIC_BROKEN(BROKEN) \
	BROKEN(bad_quote,    "req,1795517417000000,n1,0,0\",main") \
	BROKEN(open_quote,   "req,1795517417000000,n1,\"0,0,main") \
	BROKEN(field_count,  "req,1795517417000000,n1,0") \
	BROKEN(control_byte, "req,\x01\x02\x03")

struct traffic_options {
	uint64_t lines, seed;            /* lines: requests of the ordinary traffic and of faults together */
	uint32_t pages, clients, nodes, hosts;
	double skew, rate;               /* Zipf's exponent, not 1; requests a second */
	uint32_t faults;                 /* lines of each fault; 0: none */
	uint32_t broken;                 /* lines of each kind of broken line */
};

struct traffic_row { char name[32]; uint64_t requests, hits, bytes; };
/* What is true of all lines made so far. */
struct traffic_truth {
	uint64_t requests, bytes, stored, origin_tries, pages, first_us, last_us, broken[8];
	uint64_t verdicts[VERDICT_COUNT], faults[TRAFFIC_FAULT_COUNT];
	struct traffic_row hosts[TRAFFIC_HOSTS_MAX + TRAFFIC_FAULT_COUNT], volumes[TRAFFIC_VOLUMES + 8];
	size_t host_count, volume_count;
};

struct traffic {
	struct traffic_options options;
	struct traffic_truth truth;
	uint64_t random, now_us, made, broken_made, seq[TRAFFIC_NODES_MAX][TRAFFIC_WORKERS], conn;
	uint32_t fault_made[TRAFFIC_FAULT_COUNT];
	uint32_t *stored_s;              /* by node and page: when it was stored, in seconds since T0, + 1; 0: not */
	uint64_t *seen;                  /* a bit for each page */
	struct logline last;             /* the request that was made last */
	char texts[8][TRAFFIC_TEXT_MAX]; /* of it */
};

/* splitmix64 */
static inline uint64_t traffic_mix(uint64_t z)
{
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}
static inline uint64_t traffic_random(struct traffic *t) { return traffic_mix(t->random += UINT64_C(0x9e3779b97f4a7c15)); }
static inline uint64_t traffic_below(struct traffic *t, uint64_t n) { return traffic_random(t) % n; }
static inline double traffic_real(struct traffic *t) { return (double)(traffic_random(t) >> 11) * 0x1p-53; }

/* A rank below n by Zipf's law, by the inverse of the continuous distribution. */
static inline uint32_t traffic_zipf(struct traffic *t, uint32_t n)
{
	double exponent = 1 - t->options.skew, x = pow((pow((double)n + 1, exponent) - 1) * traffic_real(t) + 1, 1 / exponent) - 1;

	return x < 0 ? 0 : x >= n ? n - 1 : (uint32_t)x;
}

static inline struct slice traffic_text(struct traffic *t, int which, const char *format, ...) __attribute__((format(printf, 3, 4)));
static inline struct slice traffic_text(struct traffic *t, int which, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(t->texts[which], TRAFFIC_TEXT_MAX, format, args);
	va_end(args);
	CHECK(len >= 0 && len < TRAFFIC_TEXT_MAX);
	return slice_make(t->texts[which], (size_t)len);
}

static inline void traffic_init(struct traffic *t, const struct traffic_options *options)
{
	*t = (struct traffic){ .options = *options, .random = options->seed, .now_us = TRAFFIC_T0 };
	CHECK(options->nodes && options->nodes <= TRAFFIC_NODES_MAX && options->hosts && options->hosts <= TRAFFIC_HOSTS_MAX);
	t->stored_s = must(calloc((size_t)options->pages * options->nodes, sizeof(*t->stored_s)));
	t->seen = must(calloc(options->pages / 64 + 1, sizeof(*t->seen)));
}

static inline void traffic_release(struct traffic *t)
{
	free(t->stored_s);
	free(t->seen);
}

/* ---- what a line is made of ---- */

static inline void traffic_client(struct traffic *t, struct logline *l)
{
	static const char *const agents[] = {
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0", "curl/8.8.0",
		"Mozilla/5.0 (compatible; Examplebot/2.1; +http://bot.example/about)", "okhttp/4.12.0" };
	uint64_t who = traffic_zipf(t, t->options.clients);

	l->client = who % 8 == 7 ? traffic_text(t, 0, "2001:db8:%" PRIx64 "::%" PRIx64, who >> 4 & 0xffff, who + 1)
		: traffic_text(t, 0, "10.%" PRIu64 ".%" PRIu64 ".%" PRIu64, who >> 16 & 255, who >> 8 & 255, who & 255);
	l->peer = l->client;
	l->agent = slice_str(agents[traffic_mix(who) % COUNT_OF(agents)]);
}

static inline void traffic_common(struct traffic *t, struct logline *l, uint32_t node, uint32_t worker)
{
	logline_init(l);
	l->rec = REC_req;
	l->node = traffic_text(t, 1, "n%u", node + 1);
	l->worker = worker;
	l->seq = ++t->seq[node][worker];
	l->conn = ++t->conn;
	l->conn_req = 1 + traffic_below(t, 8);
	l->rid = traffic_random(t) | 1;
	l->config = 1;
	l->proto = SLICE("HTTP/1.1");
	l->scheme = SLICE("https");
	l->tls = SLICE("TLSv1.3");
	l->tls_cipher = SLICE("TLS_AES_256_GCM_SHA384");
	l->method = SLICE("GET");
	l->status = 200;
	l->req_bytes = 300 + traffic_below(t, 400);
	l->head_out = 250 + traffic_below(t, 60);
	traffic_client(t, l);
}

static inline void traffic_times(struct traffic *t, struct logline *l)
{
	l->first_us = (int64_t)(40 + traffic_below(t, 90));
	l->first_flush = l->body_out < 16384 ? l->body_out : 16384;
	l->high_water = l->body_out < 65536 ? l->body_out : 65536;
	if (l->origin_tries) {
		l->origin_reused = traffic_below(t, 10) != 0;
		l->connect_us = l->origin_reused ? -1 : (int64_t)(200 + traffic_below(t, 900));
		l->origin_first_us = (int64_t)(3000 + traffic_below(t, 60000));
		l->first_us += l->origin_first_us + (l->connect_us > 0 ? l->connect_us : 0);
	}
	l->total_us = (uint64_t)l->first_us + l->body_out / 50 + traffic_below(t, 500);
	l->t_us = t->now_us - l->total_us;
}

static inline void traffic_origin(struct traffic *t, struct logline *l, const char *address, int64_t status, uint64_t bytes)
{
	l->origin = slice_str(address);
	l->origin_status = status;
	l->origin_tries = 1;
	l->origin_in = bytes;
	l->fwd_sent = 1;
	(void)t;
}

static inline void traffic_page(struct traffic *t, struct logline *l, uint32_t page, uint32_t node)
{
	uint64_t id = traffic_mix(page + UINT64_C(77777)), now_s = (t->now_us - TRAFFIC_T0) / 1000000;
	uint32_t *stored = &t->stored_s[(size_t)node * t->options.pages + page], host = page % t->options.hosts;
	static const char *const types[] = { "text/html; charset=utf-8", "image/webp", "application/javascript", "text/css" };

	if (!(t->seen[page / 64] >> page % 64 & 1)) t->truth.pages++;
	t->seen[page / 64] |= UINT64_C(1) << page % 64;
	l->host = traffic_text(t, 2, "www.site%02u.example", host);
	l->volume = traffic_text(t, 3, "volume%u", host % TRAFFIC_VOLUMES);
	l->target = page % 5 ? traffic_text(t, 4, "/section-%u/article-%u/page-%u.html", page % 17, page / 7, page)
		: traffic_text(t, 4, "/search?q=word%u&page=%u", page, page % 9);
	l->referer = traffic_text(t, 5, "https://www.site%02u.example/section-%u/", host, page % 17);
	l->route = l->host;
	l->key = id | 1;
	l->variant = page % 3 ? 0 : traffic_mix(3) | 1;
	l->resp_vary = page % 3 ? slice_make(NULL, 0) : SLICE("Accept-Encoding");
	l->lifetime = 3600 * (1 + page % 24);
	l->lifetime_by = SLICE("answer");
	l->resp_cc = traffic_text(t, 6, page % 2 ? "max-age=%" PRId64 : "public, max-age=%" PRId64, l->lifetime);
	l->resp_public = page % 2 == 0;
	l->resp_type = slice_str(types[page % COUNT_OF(types)]);
	l->object_bytes = (int64_t)(500 + id % 60000);
	l->body_out = (uint64_t)l->object_bytes;
	l->body_hash = traffic_mix(id);
	if (*stored && now_s < *stored - 1 + (uint64_t)l->lifetime) {
		l->cache = VERDICT_hit;
		l->tier = traffic_below(t, 10) < 7 ? TIER_ram : TIER_disk;
		l->age = (int64_t)(now_s + 1 - *stored);
		return;
	}
	l->cache = *stored && page % 2 ? VERDICT_revalidated : VERDICT_miss;
	l->tier = l->cache == VERDICT_miss ? TIER_origin : TIER_disk;
	traffic_origin(t, l, page % 2 ? "10.1.0.1:8080" : "10.1.0.2:8080", l->cache == VERDICT_miss ? 200 : 304, l->cache == VERDICT_miss ? l->body_out : 0);
	l->stored = 1;
	*stored = (uint32_t)now_s + 1;
}

/* One request in 20 is no page: a form that is sent, or an answer for one user. */
static inline void traffic_pass(struct traffic *t, struct logline *l)
{
	l->host = SLICE("api.example");
	l->volume = SLICE("volume0");
	l->target = traffic_text(t, 4, "/v1/orders/%" PRIu64, traffic_below(t, 100000));
	l->method = traffic_below(t, 2) ? SLICE("POST") : SLICE("GET");
	l->req_auth = 1;
	l->cache = VERDICT_pass;
	l->tier = TIER_origin;
	l->nostore = l->method.len == 4 ? NOSTORE_method : NOSTORE_authorization;
	l->resp_cc = SLICE("private, no-store");
	l->resp_type = SLICE("application/json");
	l->body_out = 200 + traffic_below(t, 4000);
	traffic_origin(t, l, "10.1.0.3:8080", 200, l->body_out);
}

/* ---- faults ---- */

static inline void traffic_hit_of(struct logline *l, uint64_t bytes)
{
	l->cache = VERDICT_hit;
	l->tier = TIER_ram;
	l->age = 5;
	l->lifetime = 600;
	l->body_out = bytes;
}

static inline void traffic_miss_of(struct traffic *t, struct logline *l, uint64_t bytes)
{
	l->cache = VERDICT_miss;
	l->tier = TIER_origin;
	l->lifetime = 600;
	l->body_out = bytes;
	l->stored = 1;
	traffic_origin(t, l, "10.1.0.1:8080", 200, bytes);
}

static inline void traffic_fault(struct traffic *t, struct logline *l, enum traffic_fault fault)
{
	uint32_t n = t->fault_made[fault]++;

	l->volume = SLICE("volume0");
	l->target = traffic_text(t, 4, "/%s/%u", traffic_fault_rows[fault].name, n);
	l->key = traffic_mix((uint64_t)fault << 32 | n) | 1;
	t->truth.faults[fault]++;
	switch (fault) {
	case TRAFFIC_contradicted:
		l->host = SLICE("liar.example");
		traffic_hit_of(l, 1000);
		traffic_origin(t, l, "10.1.0.1:8080", 200, 1000);
		break;
	case TRAFFIC_unbound:
		l->host = slice_str(traffic_fault_rows[fault].subject);
		traffic_miss_of(t, l, 2000);
		l->cache = VERDICT_off;
		l->volume = SLICE("none");
		l->nostore = NOSTORE_no_volume;
		l->stored = 0;
		break;
	case TRAFFIC_barren:
		l->host = SLICE("barren.example");
		l->volume = SLICE("barren");
		l->key = traffic_mix(n % 5) | 1;
		l->target = traffic_text(t, 4, "/barren/%u", n % 5);
		traffic_miss_of(t, l, 3000);
		l->lifetime = 86400 * 365;
		break;
	case TRAFFIC_cookie:
		l->host = SLICE("shop.example");
		l->key = 0xc0;
		if (n == 0) {                /* the first one fetched it, and counts as no replay */
			traffic_miss_of(t, l, 500);
			t->truth.faults[fault]--;
		} else {
			traffic_hit_of(l, 500);
		}
		l->resp_setcookie = 1;
		l->cookie_hash = 0xc00c1;
		l->client = traffic_text(t, 0, "192.0.2.%u", n % 250);
		break;
	case TRAFFIC_missing:
		l->host = SLICE("www.site00.example");
		traffic_hit_of(l, 100);
		break;
	case TRAFFIC_user_stored:
		l->host = slice_str(traffic_fault_rows[fault].subject);
		l->req_auth = 1;
		traffic_miss_of(t, l, 700);
		break;
	case TRAFFIC_failing:
		l->host = SLICE("down.example");
		traffic_miss_of(t, l, 150);
		l->cache = VERDICT_error;
		l->end = END_connect_refused;
		l->status = 502;
		l->stored = 0;
		l->lifetime = -1;
		l->tier = TIER_none;
		traffic_origin(t, l, traffic_fault_rows[fault].subject, -1, 0);
		break;
	case TRAFFIC_loop:
		l->host = slice_str(traffic_fault_rows[fault].subject);
		l->cache = VERDICT_refused;
		l->refusal = REFUSAL_proxy_loop;
		l->end = END_refused;
		l->status = 508;
		l->hops = 3;
		break;
	case TRAFFIC_plain:
		l->host = slice_str(traffic_fault_rows[fault].subject);
		traffic_miss_of(t, l, 800);
		l->fwd_sent = 0;
		break;
	case TRAFFIC_too_stale:
		l->host = slice_str(traffic_fault_rows[fault].subject);
		traffic_hit_of(l, 900);
		l->cache = VERDICT_hit_stale;
		l->resp_cc = SLICE("max-age=600, must-revalidate");
		l->age = 700;
		break;
	case TRAFFIC_FAULT_COUNT: break;
	}
}

/* ---- the truth ---- */

static inline struct traffic_row *traffic_row(struct traffic_row *rows, size_t *count, size_t room, struct slice name)
{
	size_t i = 0;

	while (i < *count && !slice_eq(slice_str(rows[i].name), name)) i++;
	CHECK(i < room && name.len < sizeof(rows[i].name));
	if (i == *count) {
		memcpy(rows[i].name, name.ptr, name.len);
		++*count;
	}
	return &rows[i];
}

static inline void traffic_count(struct traffic_truth *truth, const struct logline *l)
{
	struct traffic_row *rows[2] = { traffic_row(truth->hosts, &truth->host_count, COUNT_OF(truth->hosts), l->host),
		traffic_row(truth->volumes, &truth->volume_count, COUNT_OF(truth->volumes), l->volume) };

	truth->requests++;
	truth->verdicts[l->cache]++;
	truth->bytes += l->body_out;
	truth->stored += l->stored;
	truth->origin_tries += l->origin_tries;
	if (!truth->first_us || l->t_us < truth->first_us) truth->first_us = l->t_us;
	if (l->t_us > truth->last_us) truth->last_us = l->t_us;
	for (int i = 0; i < 2; i++) {
		rows[i]->requests++;
		rows[i]->hits += l->cache == VERDICT_hit || l->cache == VERDICT_hit_stale || l->cache == VERDICT_revalidated;
		rows[i]->bytes += l->body_out;
	}
}

/* ---- lines ---- */

/* Is one more of `total` things due, when they are spread evenly over the lines? */
static inline bool traffic_due(const struct traffic *t, uint64_t done, uint64_t total)
{
	return done < total && t->made * total >= done * t->options.lines;
}

static inline int traffic_fault_due(const struct traffic *t)
{
	for (int i = 0; i < TRAFFIC_FAULT_COUNT; i++)
		if (traffic_due(t, t->fault_made[i], t->options.faults + (i == TRAFFIC_cookie && t->options.faults))) return i;
	return -1;
}

/* A broken line into out; 0: none is due. */
static inline size_t traffic_broken(struct traffic *t, char *out)
{
	static const char *const texts[] = {
#define BROKEN(reason, text) text "\n",
		TRAFFIC_BROKEN(BROKEN)
#undef BROKEN
	};
	size_t which = t->broken_made % COUNT_OF(texts), len = strlen(texts[which]);

	if (!traffic_due(t, t->broken_made, (uint64_t)t->options.broken * COUNT_OF(texts))) return 0;
	memcpy(out, texts[which], len);
	t->truth.broken[which]++;
	t->broken_made++;
	return len;
}

/* The next line into out (LOG_LINE_MAX bytes): its length with the newline; 0: all lines are made. The first is the header line. */
static inline size_t traffic_next(struct traffic *t, char *out)
{
	struct logline l;
	uint32_t node, worker;
	size_t broken;
	int fault;

	if (!t->made) {
		t->made = 1;
		return logline_write_header(out);
	}
	if (t->made > t->options.lines) return 0;
	if ((broken = traffic_broken(t, out))) return broken;
	t->made++;
	t->now_us += 1 + (uint64_t)(-log(1 - traffic_real(t)) * 1e6 / t->options.rate);
	fault = traffic_fault_due(t);
	node = fault == TRAFFIC_missing ? 0 : (uint32_t)traffic_below(t, t->options.nodes);
	worker = fault == TRAFFIC_missing ? 2 : (uint32_t)traffic_below(t, TRAFFIC_WORKERS);
	/* The number that is left out is seen when others stand before and behind it. */
	if (fault == TRAFFIC_missing) t->seq[node][worker] += t->seq[node][worker] > 0 ? 1 : 0;
	traffic_common(t, &l, node, worker);
	if (fault >= 0) traffic_fault(t, &l, (enum traffic_fault)fault);
	else if (traffic_below(t, 20) == 0) traffic_pass(t, &l);
	else traffic_page(t, &l, traffic_zipf(t, t->options.pages), node);
	if (fault == TRAFFIC_missing && l.seq == 1) t->truth.faults[fault]--;
	traffic_times(t, &l);
	traffic_count(&t->truth, &l);
	t->last = l;
	return logline_write(&l, out);
}

/* ---- the truth as JSON ---- */

static inline void traffic_rows_print(const char *name, const struct traffic_row *rows, size_t count, FILE *out)
{
	fprintf(out, "  \"%s\": {", name);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s\n    \"%s\": { \"requests\": %" PRIu64 ", \"hits\": %" PRIu64 ", \"bytes\": %" PRIu64 " }", i ? "," : "", rows[i].name,
			rows[i].requests, rows[i].hits, rows[i].bytes);
	fputs("\n  },\n", out);
}

static inline void traffic_truth_print(const struct traffic *t, FILE *out)
{
	const struct traffic_truth *truth = &t->truth;
	const char *comma = "";

	fprintf(out, "{\n  \"requests\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"stored\": %" PRIu64 ", \"pages\": %" PRIu64 ",\n  \"verdicts\": {",
		truth->requests, truth->bytes, truth->stored, truth->pages);
	for (int i = 0; i < VERDICT_COUNT; i++, comma = ",") fprintf(out, "%s \"%s\": %" PRIu64, comma, verdict_rows[i].name.ptr, truth->verdicts[i]);
	fputs(" },\n", out);
	traffic_rows_print("hosts", truth->hosts, truth->host_count, out);
	traffic_rows_print("volumes", truth->volumes, truth->volume_count, out);
	fputs("  \"findings\": [", out);
	for (int i = 0; i < TRAFFIC_FAULT_COUNT; i++)
		fprintf(out, "%s\n    { \"rule\": \"%s\", \"subject\": \"%s\", \"count\": %" PRIu64 " }", i ? "," : "", traffic_fault_rows[i].rule,
			traffic_fault_rows[i].subject, truth->faults[i]);
	fputs("\n  ]\n}\n", out);
}

#endif
