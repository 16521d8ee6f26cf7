/* The purges that are in force: a table of rules by kind and text. To hold an object against them costs one probe for the
 * URL, one for each distinct length of prefixes, and one for each of its tags; what kind has no rules costs nothing. Texts are
 * compared, not only hashes: a rule for `/items` never touches `/items2`.
 *
 * Under the lock of the table; look-ups share it, and come here only when a purge came since they were here with the same
 * object (purge.c). */
#include "internal.h"
#include "bytes.h"


void rules_init(struct rules *rules, uint64_t map_bytes)
{
	pthread_rwlockattr_t attr;

	/* Who purges does not wait for look-ups without end. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&rules->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	/* In the map they may have a sixteenth. */
	rules->bytes_max = map_bytes / 16;
	rules->max = rules->bytes_max / (2 * RULE_ROW_BYTES);
	if (rules->max > RULES_MAX)
		rules->max = RULES_MAX;
	atomic_store(&rules->clock, 1);
}

void rules_release(struct rules *rules)
{
	for (size_t i = 0; rules->slots && i < RULE_SLOTS; i++)
		while (rules->slots[i]) {
			struct rule *rule = rules->slots[i];

			rules->slots[i] = rule->next;
			free(rule);
		}
	free(rules->slots);
	free(rules->lengths);
	free((void *)atomic_load(&rules->ghosts));
	pthread_rwlock_destroy(&rules->lock);
}

struct store_key rule_hash(enum purge_kind kind, struct slice text)
{
	XXH128_hash_t hash = XXH3_128bits_withSeed(text.len > 0 ? text.ptr : "", text.len, kind);

	return (struct store_key){ hash.high64, hash.low64 };
}

static struct slice rule_text(const struct rule *rule)
{
	return slice_make(rule->text, rule->text_len);
}

static struct rule *find(const struct rules *rules, enum purge_kind kind, struct slice text, struct store_key hash)
{
	struct rule *rule = rules->slots ? rules->slots[hash.lo % RULE_SLOTS] : NULL;

	while (rule && !(key_eq(rule->hash, hash) && rule->kind == kind && slice_eq(rule_text(rule), text)))
		rule = rule->next;
	return rule;
}

struct rule *rules_find(struct rules *rules, enum purge_kind kind, struct slice text, struct store_key hash)
{
	struct rule *rule;

	pthread_rwlock_rdlock(&rules->lock);
	rule = find(rules, kind, text, hash);
	pthread_rwlock_unlock(&rules->lock);
	return rule;
}

/* ---- changes: lock held for writing ---- */

/* False: too many of them. */
static bool length_add(struct rules *rules, size_t len, bool bounded)
{
	for (size_t i = 0; i < rules->length_count; i++)
		if (rules->lengths[i].len == len) {
			rules->lengths[i].rules++;
			return true;
		}
	if (bounded && rules->length_count >= RULE_LENGTHS_MAX)
		return false;
	rules->lengths = must(realloc(rules->lengths, (rules->length_count + 1) * sizeof(*rules->lengths)));
	rules->lengths[rules->length_count].len = (uint32_t)len;
	rules->lengths[rules->length_count++].rules = 1;
	return true;
}

static void length_remove(struct rules *rules, size_t len)
{
	for (size_t i = 0; i < rules->length_count; i++)
		if (rules->lengths[i].len == len && --rules->lengths[i].rules == 0) {
			rules->lengths[i] = rules->lengths[--rules->length_count];
			return;
		}
}

/* NULL: there is no room, when bounded. */
static struct rule *add(struct rules *rules, enum purge_kind kind, struct slice text, struct store_key hash, bool bounded)
{
	struct rule *rule, **slot;

	if (bounded && (rules->count >= rules->max || text.len + RULE_ROW_BYTES > rules->bytes_max - rules->bytes))
		return NULL;
	if (kind == PURGE_PREFIX && !length_add(rules, text.len, bounded))
		return NULL;
	if (!rules->slots)
		rules->slots = must(calloc(RULE_SLOTS, sizeof(struct rule *)));
	slot = &rules->slots[hash.lo % RULE_SLOTS];
	rule = must(calloc(1, sizeof(*rule) + text.len));
	rule->hash = hash;
	rule->kind = (uint8_t)kind;
	rule->text_len = (uint32_t)text.len;
	if (text.len > 0)
		memcpy(rule->text, text.ptr, text.len);
	rule->next = *slot;
	*slot = rule;
	rules->count++;
	rules->tags += kind == PURGE_TAG;
	rules->keys += kind == PURGE_KEY;
	rules->bytes += text.len + RULE_ROW_BYTES;
	return rule;
}

uint64_t rules_add(struct rules *rules, const struct store_purge *purge, struct store_key hash)
{
	uint64_t clock = 0;
	struct rule *rule;

	pthread_rwlock_wrlock(&rules->lock);
	rule = find(rules, purge->kind, purge->text, hash);
	/* One that covers all has room always: it is the way out when there is none. */
	if (!rule)
		rule = add(rules, purge->kind, purge->text, hash, purge->kind != PURGE_PREFIX || purge->text.len > 0);
	if (rule) {
		clock = atomic_load(&rules->clock) + 1;
		if (purge->soft)
			rule->soft = clock;
		else
			rule->hard = clock;
		rule->made_us = now_us();
		atomic_store(&rules->clock, clock);
	}
	pthread_rwlock_unlock(&rules->lock);
	return clock;
}

bool rules_load(struct rules *rules, const struct rule_row *row)
{
	struct slice text = slice_make(row->text, row->text_len);
	uint64_t newest = row->hard > row->soft ? row->hard : row->soft;
	struct rule *rule;

	if (row->kind > PURGE_TAG || !key_eq(rule_hash((enum purge_kind)row->kind, text), row->hash) || newest >> 61)
		return false;
	if (find(rules, (enum purge_kind)row->kind, text, row->hash))
		return true;                     /* the start was tried before */
	rule = add(rules, (enum purge_kind)row->kind, text, row->hash, false);
	rule->hard = rule->stored_hard = row->hard;
	rule->soft = rule->stored_soft = row->soft;
	rule->made_us = now_us();
	if (newest > atomic_load(&rules->clock))
		atomic_store(&rules->clock, newest);
	return true;
}

/* ---- look-ups ---- */

struct judging {
	struct rules *rules;
	uint64_t born;
	bool bookkeeping;
	void (*each)(struct rule *rule);
	bool stored;                         /* hard purges count once they are on disk */
	enum purged purged;
};

static void probe(struct judging *judging, enum purge_kind kind, struct slice text)
{
	struct rule *rule = find(judging->rules, kind, text, rule_hash(kind, text));
	enum purged says;

	if (!rule)
		return;
	says = (judging->stored ? rule->stored_hard : rule->hard) > judging->born ? PURGED_hard : rule->soft > judging->born && !judging->bookkeeping ? PURGED_soft : PURGED_no;
	if (says > judging->purged)
		judging->purged = says;
	if (says != PURGED_no && judging->each)
		judging->each(rule);
}

static void probe_tags(struct judging *judging, struct slice tags)
{
	const char *at = tags.ptr, *end = at + tags.len, *line;

	for (; at < end && (line = memchr(at, '\n', (size_t)(end - at))); at = line + 1)
		probe(judging, PURGE_TAG, slice_make(at, (size_t)(line - at)));
}

static struct slice base_text(struct slice key_text)
{
	const char *end = key_text.len > 0 ? memchr(key_text.ptr, '\n', key_text.len) : NULL;

	return end ? slice_make(key_text.ptr, (size_t)(end - key_text.ptr)) : key_text;
}

static uint64_t judge(struct judging *judging, struct slice key_text, struct slice tags)
{
	struct rules *rules = judging->rules;
	uint64_t clock;

	pthread_rwlock_rdlock(&rules->lock);
	clock = atomic_load(&rules->clock);
	if (rules->keys > 0)
		probe(judging, PURGE_KEY, base_text(key_text));
	for (size_t i = 0; i < rules->length_count; i++)
		if (rules->lengths[i].len <= key_text.len)
			probe(judging, PURGE_PREFIX, slice_make(key_text.ptr, rules->lengths[i].len));
	if (rules->tags > 0 && tags.len > 0)
		probe_tags(judging, tags);
	pthread_rwlock_unlock(&rules->lock);
	return clock;
}

enum purged rules_judge(struct rules *rules, struct slice key_text, const struct object_meta *meta, bool bookkeeping,
	void (*each)(struct rule *rule), uint64_t *ret_clock)
{
	struct judging judging = { .rules = rules, .born = meta->born, .bookkeeping = bookkeeping, .each = each };

	*ret_clock = judge(&judging, key_text, meta->tags);
	return judging.purged;
}

/* ---- the purger's ---- */

bool rules_take(struct rules *rules, struct slice key_text, const struct object_meta *meta)
{
	struct judging judging = { .rules = rules, .born = meta->born, .stored = true };

	judge(&judging, key_text, meta->tags);
	return judging.purged == PURGED_hard;
}

static bool covers(const struct rule *wider, const struct rule *rule)
{
	uint64_t newest = wider->stored_hard > wider->stored_soft ? wider->stored_hard : wider->stored_soft;

	return wider != rule && wider->stored_hard >= rule->hard && newest >= rule->soft;
}

static bool have_wider(const struct rules *rules, const struct rule *rule)
{
	struct slice text = rule->kind == PURGE_TAG ? slice_make("", 0) : rule_text(rule);
	bool wider = false;

	for (size_t i = 0; !wider && i < rules->length_count; i++) {
		struct slice prefix = slice_make(text.ptr, rules->lengths[i].len);
		const struct rule *other = prefix.len <= text.len ? find(rules, PURGE_PREFIX, prefix, rule_hash(PURGE_PREFIX, prefix)) : NULL;

		wider = other && covers(other, rule);
	}
	return wider;
}

static void unlink_rule(struct rules *rules, struct rule *rule)
{
	struct rule **at = &rules->slots[rule->hash.lo % RULE_SLOTS];

	while (*at != rule)
		at = &(*at)->next;
	*at = rule->next;
	if (rule->kind == PURGE_PREFIX)
		length_remove(rules, rule->text_len);
	rules->count--;
	rules->tags -= rule->kind == PURGE_TAG;
	rules->keys -= rule->kind == PURGE_KEY;
	rules->bytes -= rule->text_len + RULE_ROW_BYTES;
}

static struct rule_row *row_make(const struct rules *rules, const struct rule *rule)
{
	struct rule_row *row = must(malloc(sizeof(*row) + rule->text_len));

	*row = (struct rule_row){ .hash = rule->hash, .hard = rule->hard, .soft = rule->soft, .clock = atomic_load(&rules->clock),
		.kind = rule->kind, .text_len = rule->text_len };
	memcpy(row->text, rule->text, rule->text_len);
	return row;
}

struct rule_row *rules_row(struct rules *rules, const struct rule *rule)
{
	struct rule_row *row;

	pthread_rwlock_rdlock(&rules->lock);
	row = row_make(rules, rule);
	pthread_rwlock_unlock(&rules->lock);
	return row;
}

struct rule_row *rules_remove(struct rules *rules, struct rule *rule, uint64_t before_us, bool covered)
{
	struct rule_row *row = NULL;
	uint64_t newest;

	pthread_rwlock_wrlock(&rules->lock);
	newest = rule->hard > rule->soft ? rule->hard : rule->soft;
	if (covered ? have_wider(rules, rule) : rule->made_us <= before_us) {
		if (!covered && newest > atomic_load(&rules->floor))
			atomic_store(&rules->floor, newest);
		row = row_make(rules, rule);
		row->hard = row->soft = 0;
		unlink_rule(rules, rule);
	}
	pthread_rwlock_unlock(&rules->lock);
	if (row)
		free(rule);
	return row;
}

size_t rules_slot(struct rules *rules, size_t slot, struct rule **ret, size_t room)
{
	size_t count = 0;

	pthread_rwlock_rdlock(&rules->lock);
	for (struct rule *rule = rules->slots ? rules->slots[slot] : NULL; rule && count < room; rule = rule->next)
		ret[count++] = rule;
	pthread_rwlock_unlock(&rules->lock);
	return count;
}

void rules_clear_counts(struct rules *rules)
{
	pthread_rwlock_rdlock(&rules->lock);
	for (size_t i = 0; rules->slots && i < RULE_SLOTS; i++)
		for (struct rule *rule = rules->slots[i]; rule; rule = rule->next)
			rule->count = 0;
	pthread_rwlock_unlock(&rules->lock);
}

void rules_stored(struct rules *rules, struct rule *rule, bool soft, uint64_t clock)
{
	uint64_t *stored = soft ? &rule->stored_soft : &rule->stored_hard;

	pthread_rwlock_wrlock(&rules->lock);
	if (*stored < clock)
		*stored = clock;
	pthread_rwlock_unlock(&rules->lock);
}

/* ---- rows on disk: u64 hard, u64 soft, u8 kind and 7 bytes 0, u64 checksum over those 24 bytes and the text; the text ---- */

size_t rule_row_size(const struct rule_row *row)
{
	return RULE_FIXED + row->text_len;
}

static uint64_t row_sum(const unsigned char *bytes, size_t text_len)
{
	return XXH3_64bits_withSeed(bytes + RULE_FIXED, text_len, XXH3_64bits(bytes, 24));
}

void rule_row_encode(const struct rule_row *row, unsigned char *out)
{
	put64(out, row->hard);
	put64(out + 8, row->soft);
	put64(out + 16, row->kind);
	memcpy(out + RULE_FIXED, row->text, row->text_len);
	put64(out + 24, row_sum(out, row->text_len));
}

struct rule_row *rule_row_decode(struct slice bytes)
{
	const unsigned char *in = (const unsigned char *)bytes.ptr;
	size_t text_len = bytes.len - RULE_FIXED;
	struct rule_row *row;

	if (bytes.len < RULE_FIXED || text_len > STORE_KEY_MAX)
		return NULL;
	if (get64(in + 24) != row_sum(in, text_len) || get64(in + 16) > PURGE_TAG)
		return NULL;
	row = must(malloc(sizeof(*row) + text_len));
	*row = (struct rule_row){ .hard = get64(in), .soft = get64(in + 8), .kind = (uint8_t)get64(in + 16),
		.text_len = (uint32_t)text_len };
	memcpy(row->text, in + RULE_FIXED, text_len);
	row->hash = rule_hash((enum purge_kind)row->kind, slice_make(row->text, text_len));
	return row;
}
