/* States: written and read by one list of what is in them. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "state.h"
#include "why.h"

static const char magic[16] = "logaudit state\n";
enum { STATE_VERSION = 1, STATE_BYTES_MAX = 1 << 30, COUNT_MAX = 1 << 24 };

/* What of struct audit, tally and worth is plain: numbers of 8 bytes and nothing else. */
#define AUDIT_PLAIN(X) X(lines_read) X(lines_counted) X(lines_left_out) X(lines_rejected) X(lines_header)
#define TALLY_PLAIN(X) X(all) X(nostores) X(ends) X(refusals) X(uncoded) X(uncoded_bytes) X(records) X(lost) X(stored) X(unstored) X(unstored_bytes)
#define TALLY_MAPS(X) X(codings)
#define WORTH_PLAIN(X) X(repeats) X(repeat_bytes) X(requests) X(hits) X(saved) X(hit) X(miss)
#define WORTH_MAPS(X) X(origins)
#define BUCKET_PLAIN(X) X(requests) X(hits) X(asked) X(bytes) X(hit_bytes) X(errors)

/* ---- bytes: one walk that writes or reads ---- */

struct walk {
	bool writing, bad;
	char *out;                       /* writing */
	size_t len, cap;
	struct slice in;                 /* reading: what is left */
};

static void walk_bytes(struct walk *w, void *bytes, size_t len)
{
	if (w->bad || !len) return;
	if (!w->writing) {
		w->bad = w->in.len < len;
		if (w->bad) return;
		memcpy(bytes, w->in.ptr, len);
		w->in.ptr += len;
		w->in.len -= len;
		return;
	}
	if (w->len + len > w->cap) {
		w->cap = 2 * (w->len + len);
		w->out = must(realloc(w->out, w->cap));
	}
	memcpy(w->out + w->len, bytes, len);
	w->len += len;
}

static void walk_number(struct walk *w, uint64_t *number)
{
	unsigned char bytes[8];

	for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(*number >> 8 * i);
	walk_bytes(w, bytes, 8);
	if (w->writing || w->bad) return;
	*number = 0;
	for (int i = 0; i < 8; i++) *number |= (uint64_t)bytes[i] << 8 * i;
}

static void walk_numbers(struct walk *w, void *numbers, size_t bytes)
{
	for (size_t i = 0; i < bytes / 8; i++) walk_number(w, (uint64_t *)numbers + i);
}

/* A count of what follows, each of which takes at least one number. */
static size_t walk_count(struct walk *w, size_t count)
{
	uint64_t number = count;

	walk_number(w, &number);
	if (!w->writing && (number > COUNT_MAX || number > w->in.len / 8)) w->bad = true;
	return w->bad ? 0 : (size_t)number;
}

/* Reading makes a new text, NULL when it is none. */
static void walk_text(struct walk *w, char **text)
{
	size_t len = w->writing ? *text ? strlen(*text) + 1 : 0 : 0;
	uint64_t number = len;

	walk_number(w, &number);
	if (w->writing) {
		walk_bytes(w, *text, len ? len - 1 : 0);
		return;
	}
	*text = NULL;
	if (w->bad || number == 0) return;
	len = (size_t)number - 1;
	w->bad = number > w->in.len + 1 || memchr(w->in.ptr, 0, len);
	if (w->bad) return;
	*text = must(calloc(1, len + 1));
	walk_bytes(w, *text, len);
}

static void walk_texts(struct walk *w, char ***texts, size_t *count)
{
	size_t n = walk_count(w, *count);

	if (!w->writing) *texts = must(calloc(n + 1, sizeof(**texts)));
	if (!w->writing) *count = n;
	for (size_t i = 0; i < n; i++) {
		walk_text(w, &(*texts)[i]);
		if (!w->writing && !(*texts)[i]) {
			(*texts)[i] = must(strdup(""));
			w->bad = true;
		}
	}
}

/* Values are plain. */
static void walk_map(struct walk *w, struct map *map)
{
	size_t count = walk_count(w, map->count);

	for (size_t i = 0; i < count && !w->bad; i++) {
		char *key = w->writing ? map->entries[i].key : NULL;
		walk_text(w, &key);
		if (w->writing) walk_numbers(w, map_value(map, i), map->value_size);
		else if (key) walk_numbers(w, map_get(map, slice_str(key)), map->value_size);
		else w->bad = true;
		if (!w->writing) free(key);
	}
}

/* ---- the most frequent, and the series ---- */

/* False: a reason that is none would be looked up in a table. */
static bool missed_fits(const void *value)
{
	const struct missed *missed = value;
	bool fits = true;

	for (int i = 0; i < REASONS_MAX; i++) fits = fits && missed->reasons.rows[i].reason >= 0 && missed->reasons.rows[i].reason < REASON_COUNT;
	return fits;
}

static bool client_fits(const void *value)
{
	(void)value;
	return true;
}

static void walk_entry_new(struct walk *w, struct heavy *heavy, bool (*fits)(const void *))
{
	struct heavy_entry entry = { 0 };
	char text[MISSED_TEXT_MAX];
	void *value;

	walk_number(w, &entry.hash);
	walk_number(w, &entry.count);
	walk_number(w, &entry.error);
	walk_number(w, &entry.text_len);
	if (entry.count == 0 || entry.error >= entry.count || entry.text_len > heavy->text_max || entry.text_len > sizeof(text)) w->bad = true;
	if (w->bad) return;
	walk_bytes(w, text, entry.text_len);
	value = w->bad ? NULL : heavy_put(heavy, entry.hash, entry.count, entry.error, slice_make(text, entry.text_len));
	if (!value) {
		w->bad = true;
		return;
	}
	walk_numbers(w, value, heavy->value_size);
	if (!w->bad && !fits(value)) w->bad = true;
}

/* In the order in which they are shown, so that the bytes do not tell who came first. */
static void walk_heavy(struct walk *w, struct heavy *heavy, bool (*fits)(const void *))
{
	size_t count = walk_count(w, heavy->count), *order = w->writing ? heavy_order(heavy) : NULL;

	walk_number(w, &heavy->floor);
	for (size_t i = 0; i < count && !w->bad; i++) {
		if (!w->writing) {
			walk_entry_new(w, heavy, fits);
			continue;
		}
		struct heavy_entry entry = heavy->entries[order[i]];
		walk_number(w, &entry.hash);
		walk_number(w, &entry.count);
		walk_number(w, &entry.error);
		walk_number(w, &entry.text_len);
		walk_bytes(w, (char *)(uintptr_t)heavy_name(heavy, order[i]).ptr, entry.text_len);
		walk_numbers(w, heavy_value(heavy, order[i]), heavy->value_size);
	}
	free(order);
}

/* Most classes are empty: a number each for those that are not, the class in its upper half. */
static void walk_classes(struct walk *w, struct times_small *times)
{
	size_t count = 0;

	for (size_t i = 0; i < TIMES_SMALL; i++) count += times->classes[i] > 0;
	count = walk_count(w, count);
	for (size_t i = 0, class = 0; i < count && !w->bad; i++, class++) {
		uint64_t number = 0;
		if (w->writing) {
			while (!times->classes[class]) class++;
			number = (uint64_t)class << 32 | times->classes[class];
		}
		walk_number(w, &number);
		if (number >> 32 < class || number >> 32 >= TIMES_SMALL) w->bad = true;
		if (w->bad) return;
		class = (size_t)(number >> 32);
		if (!w->writing) times->classes[class] = (uint32_t)number;
	}
}

static void walk_bucket(struct walk *w, struct series_bucket *bucket)
{
#define X(name) walk_number(w, &bucket->name);
	BUCKET_PLAIN(X)
#undef X
	walk_classes(w, &bucket->first);
}

static void walk_series(struct walk *w, struct series *series)
{
	uint64_t width_us = series->width_us, base = series->base, outside = series->outside;
	size_t count = walk_count(w, series->count);

	walk_number(w, &width_us);
	walk_number(w, &base);
	walk_number(w, &outside);
	if (!w->writing && !w->bad && !series_restore(series, width_us, base, count, outside)) w->bad = true;
	for (size_t i = 0; i < count && !w->bad; i++) walk_bucket(w, &series->buckets[i]);
}

/* ---- the parts ---- */

static void walk_place(struct walk *w, const struct audit *audit, struct place *at)
{
	uint64_t file = at->file;

	walk_number(w, &file);
	walk_number(w, &at->line);
	if (!w->writing && file >= audit->file_count) w->bad = true;
	at->file = w->bad ? 0 : (uint32_t)file;
}

static void walk_group(struct walk *w, const struct audit *audit, uint64_t *count, struct evidence *evidence)
{
	uint64_t places = evidence->count;

	walk_number(w, count);
	walk_number(w, &places);
	if (places > EVIDENCE_MAX) w->bad = true;
	if (w->bad) return;
	evidence->count = (unsigned)places;
	for (unsigned i = 0; i < places; i++) walk_place(w, audit, &evidence->at[i]);
}

static void walk_files(struct walk *w, struct audit *audit)
{
	size_t count = walk_count(w, audit->file_count);

	if (!w->writing) {
		audit->files = must(calloc(count + 1, sizeof(*audit->files)));
		audit->file_count = count;
	}
	for (size_t i = 0; i < count; i++) {
		walk_text(w, &audit->files[i].path);
		if (!w->writing && !audit->files[i].path) w->bad = true;
	}
}

static void walk_finding(struct walk *w, const struct audit *audit, struct finding *f)
{
	uint64_t rule = w->writing ? (uint64_t)(f->rule - rules) : 0, severity = f->severity;

	walk_number(w, &rule);
	walk_number(w, &severity);
	walk_text(w, &f->subject);
	walk_group(w, audit, &f->count, &f->evidence);
	walk_text(w, &f->cause);
	walk_text(w, &f->cure);
	if (w->writing) return;
	if (rule >= RULE_COUNT || severity > SEVERITY_error || !f->subject || !f->cause || !f->cure) w->bad = true;
	f->rule = &rules[w->bad ? 0 : rule];
	f->severity = w->bad ? SEVERITY_info : (enum severity)severity;
}

static void walk_findings(struct walk *w, struct audit *audit)
{
	struct findings *list = &audit->findings;
	size_t count = walk_count(w, list->count);

	if (!w->writing) {
		list->rows = must(calloc(count + 1, sizeof(*list->rows)));
		list->count = list->cap = count;
	}
	for (size_t i = 0; i < count; i++) walk_finding(w, audit, &list->rows[i]);
}

static void walk_blind(struct walk *w, const struct audit *audit, struct blind *blind)
{
	uint64_t flags = (uint64_t)blind->blind | (uint64_t)blind->filtered << 1, column = LOG_FIELD_COUNT;

	for (int i = 0; blind->blind && i < LOG_FIELD_COUNT; i++)
		if (slice_eq(log_field_rows[i].name, blind->column)) column = (uint64_t)i;
	walk_number(w, &flags);
	walk_number(w, &column);
	if (flags & 1) walk_place(w, audit, &blind->header);
	if (w->writing) return;
	if (flags > 3 || ((flags & 1) && column >= LOG_FIELD_COUNT)) w->bad = true;
	if (w->bad) return;
	blind->blind = flags & 1;
	blind->filtered = flags >> 1;
	if (blind->blind) blind->column = log_field_rows[column].name;
}

static void walk_audit(struct walk *w, struct audit *audit)
{
#define X(name) walk_numbers(w, &audit->name, sizeof(audit->name));
	AUDIT_PLAIN(X)
#undef X
	walk_files(w, audit);
	for (int i = 0; i < REJECT_COUNT; i++) {
		walk_group(w, audit, &audit->rejects[i].group.count, &audit->rejects[i].group.evidence);
		walk_text(w, &audit->rejects[i].example);
	}
#define X(name) walk_numbers(w, &audit->tally.name, sizeof(audit->tally.name));
	TALLY_PLAIN(X)
#undef X
#define X(name) walk_map(w, &audit->tally.name);
	TALLY_MAPS(X)
#undef X
	for (int i = 0; i < TABLE_COUNT; i++) walk_map(w, &audit->tally.tables[i].map);
#define X(name) walk_numbers(w, &audit->worth.name, sizeof(audit->worth.name));
	WORTH_PLAIN(X)
#undef X
#define X(name) walk_map(w, &audit->worth.name);
	WORTH_MAPS(X)
#undef X
	walk_heavy(w, &audit->worth.missed, missed_fits);
	walk_heavy(w, &audit->worth.clients, client_fits);
	walk_series(w, &audit->worth.series);
	walk_findings(w, audit);
	for (int i = 0; i < RULE_COUNT; i++) walk_blind(w, audit, &audit->blind[i]);
	walk_texts(w, &audit->troubles, &audit->trouble_count);
	walk_texts(w, &audit->notes, &audit->note_count);
}

/* ---- the whole ---- */

/* Of everything that decides what the numbers mean: names and sizes of members, names of the rows they are counted by. */
static uint64_t fingerprint(void)
{
	XXH3_state_t *hash = must(XXH3_createState());
	uint64_t print;

	XXH3_64bits_reset(hash);
#define ADD(text) XXH3_64bits_update(hash, text, sizeof(text));
#define X(name) ADD(#name) XXH3_64bits_update(hash, &(size_t){ sizeof(((struct tally *)0)->name) }, sizeof(size_t));
	TALLY_PLAIN(X)
	TALLY_MAPS(X)
#undef X
#define X(name) ADD(#name) XXH3_64bits_update(hash, &(size_t){ sizeof(((struct worth *)0)->name) }, sizeof(size_t));
	WORTH_PLAIN(X)
	WORTH_MAPS(X)
#undef X
#define X(type) ADD(#type) XXH3_64bits_update(hash, &(size_t){ sizeof(struct type) }, sizeof(size_t));
	X(tally_row) X(coding_row) X(times) X(missed) X(client) X(series_bucket)
#undef X
#define TABLE(symbol, name, limit, order, key, title, doc) ADD(#symbol)
#include "tbl/tables.h"
#undef TABLE
#define MISS(name, text, advice) ADD(#name)
#include "tbl/misses.h"
#undef MISS
#define UNCODED(name, doc) ADD(#name)
#include "../conf/tbl/uncodeds.h"
#undef UNCODED
#define RULE(symbol, id, severity, columns, doc, cause, cure) ADD(id)
#include "tbl/rules.h"
#undef RULE
#define REJECT(name, doc) ADD(#name)
#include "tbl/rejects.h"
#undef REJECT
#define VERDICT(name, doc) ADD(#name)
#include "../conf/tbl/verdicts.h"
#undef VERDICT
#define TIER(name, doc) ADD(#name)
#include "../conf/tbl/tiers.h"
#undef TIER
#define NOSTORE(name, doc) ADD(#name)
#include "../conf/tbl/nostores.h"
#undef NOSTORE
#define END(name, setting, error, doc) ADD(#name)
#include "../conf/tbl/ends.h"
#undef END
#define REFUSAL(name, status, doc) ADD(#name)
#include "../conf/tbl/refusals.h"
#undef REFUSAL
#define RECORD(name, doc) ADD(#name)
#include "../conf/tbl/records.h"
#undef RECORD
#define LOG_FIELD(name, KIND, doc) ADD(#name)
#include "../conf/tbl/log_fields.h"
#undef LOG_FIELD
#undef ADD
	print = XXH3_64bits_digest(hash);
	XXH3_freeState(hash);
	return print;
}

char *state_bytes(const struct audit *audit, size_t *ret_len)
{
	struct walk w = { .writing = true };
	uint64_t version = STATE_VERSION, print = fingerprint(), sum;
	char head[sizeof(magic)];

	memcpy(head, magic, sizeof(head));
	walk_bytes(&w, head, sizeof(head));
	walk_number(&w, &version);
	walk_number(&w, &print);
	/* Writing changes nothing. */
	walk_audit(&w, (struct audit *)(uintptr_t)audit);
	sum = XXH3_64bits(w.out, w.len);
	walk_number(&w, &sum);
	*ret_len = w.len;
	return w.out;
}

bool state_parse(struct slice bytes, struct audit *ret_audit, char why[256])
{
	enum { HEAD = sizeof(magic) + 16, TAIL = 8 };
	struct walk w = { .in = bytes }, end;
	uint64_t version = 0, print = 0, sum = 0;
	char head[sizeof(magic)] = "";
	struct audit audit;

	walk_bytes(&w, head, sizeof(head));
	walk_number(&w, &version);
	walk_number(&w, &print);
	if (w.bad || bytes.len < HEAD + TAIL || memcmp(head, magic, sizeof(head)) != 0) {
		snprintf(why, 256, "that is no state of logaudit");
		return false;
	}
	end = (struct walk){ .in = slice_make(bytes.ptr + bytes.len - TAIL, TAIL) };
	walk_number(&end, &sum);
	if (sum != XXH3_64bits(bytes.ptr, bytes.len - TAIL)) {
		snprintf(why, 256, "the state is damaged: its checksum is wrong");
		return false;
	}
	if (version != STATE_VERSION || print != fingerprint()) {
		snprintf(why, 256, "the state is of another version of logaudit: make it anew with this one");
		return false;
	}
	w.in.len -= TAIL;
	audit_init_tables(&audit);
	walk_audit(&w, &audit);
	if (!w.bad && w.in.len == 0) {
		*ret_audit = audit;
		return true;
	}
	snprintf(why, 256, "the state is damaged");
	for (size_t i = 0; i < audit.findings.count; i++) audit.findings.rows[i].rule = &rules[0];
	audit_release(&audit);
	return false;
}

bool state_load(const char *path, struct audit *ret_audit, char why[256])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st = { 0 };
	char *bytes = NULL, reason[256];
	size_t have = 0;
	ssize_t n = -1;
	bool ok = false;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= STATE_BYTES_MAX) {
		bytes = must(malloc((size_t)st.st_size + 1));
		while (have < (size_t)st.st_size && (n = read(fd, bytes + have, (size_t)st.st_size - have)) > 0) have += (size_t)n;
		ok = state_parse(slice_make(bytes, have), ret_audit, reason);
	} else {
		snprintf(reason, sizeof(reason), "%s", fd < 0 ? strerror(errno) : "that is no state of logaudit");
	}
	if (!ok) snprintf(why, 256, "%.100s: %.140s", path, reason);
	if (fd >= 0) close(fd);
	free(bytes);
	return ok;
}

bool state_save(const struct audit *audit, const char *path, char why[256])
{
	size_t len;
	char *bytes = state_bytes(audit, &len);
	FILE *out = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
	bool ok = out && fwrite(bytes, 1, len, out) == len && fflush(out) == 0;

	if (out && out != stdout && fclose(out) != 0) ok = false;
	if (!ok) snprintf(why, 256, "%.150s: %s", path, strerror(errno));
	free(bytes);
	return ok;
}
