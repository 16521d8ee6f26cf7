/* The method PURGE: who may, what it names, and how many objects that concerned. By default the URL with all its variants, by
 * `Purge-Prefix: 1` everything whose URL begins with it, by Cache-Tag or Surrogate-Key everything in the volume that has one
 * of the tags. Soft unless `Purge-Mode: hard`. */
#include "request.h"
#include "purge.h"
#include "tags.h"

#include <arpa/inet.h>

struct purge_wait {
	struct purge_order order;
	struct mail mail;
	struct request *request;
};

/* ---- who may ---- */

static bool address_is_allowed(const struct request *r)
{
	union { struct sockaddr any; struct sockaddr_in in; struct sockaddr_in6 in6; } at = { .any = { .sa_family = AF_UNIX } };
	char text[INET6_ADDRSTRLEN + 1];

	if (r->location->purge_allow_count == 0)
		return true;
	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(r->log.client));
	if (inet_pton(AF_INET, text, &at.in.sin_addr) == 1)
		at.any.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &at.in6.sin6_addr) == 1)
		at.any.sa_family = AF_INET6;
	else if (r->peer.sin6_family != AF_UNIX)
		return false;
	return conf_networks_have(r->location->purge_allow, r->location->purge_allow_count, &at.any);
}

/* Takes as long for a token that is nearly right as for one that is all wrong. */
static bool same_secret(struct slice given, struct slice secret)
{
	volatile unsigned char differs = given.len != secret.len;

	for (size_t i = 0; i < given.len; i++)
		differs = (unsigned char)(differs | (given.ptr[i] ^ secret.ptr[i % secret.len]));
	return differs == 0;
}

static bool token_is_right(const struct request *r)
{
	struct slice given = http_header_value(&r->head, FIELD_purge_token), bearer = http_header_value(&r->head, FIELD_authorization);

	if (!r->location->purge_token.len)
		return true;
	if (!given.len && bearer.len > 7 && slice_eq_nocase(slice_make(bearer.ptr, 7), SLICE("bearer ")))
		given = slice_make(bearer.ptr + 7, bearer.len - 7);
	return same_secret(given, r->location->purge_token);
}

/* ---- what it names ---- */

static void purge_done(struct purge_order *order)
{
	struct purge_wait *wait = (struct purge_wait *)order;

	worker_post(wait->request->worker, &wait->mail);
}

static void purge_run(struct worker *worker, struct mail *mail)
{
	struct purge_wait *wait = (struct purge_wait *)((char *)mail - offsetof(struct purge_wait, mail));

	(void)worker;
	wait->request->purging = false;
	request_run(wait->request);
}

static bool take_mode(const struct request *r, bool *ret_soft)
{
	struct slice mode = http_header_value(&r->head, FIELD_purge_mode);

	*ret_soft = !slice_eq_nocase(mode, SLICE("hard"));
	return !mode.len || !*ret_soft || slice_eq_nocase(mode, SLICE("soft"));
}

/* The key of the URL that is named. The beginning of a URL may end within a parameter's name: it is taken as it is, or the
 * rules for the key would leave the parameter out, and what is purged would be more than was named. */
static bool take_key(struct request *r, bool prefix, struct slice *ret_text)
{
	struct target target = request_target(r);
	struct text text;

	if (prefix)
		target.location = NULL;
	text_init(&text, &r->arena, target.authority.len + target.path.len + target.query.len + 24);
	target_add_key(&text, &target);
	char *room = text.overflowed ? NULL : arena_alloc(&r->arena, text.len);
	if (!room)
		return false;
	*ret_text = target_plain_key(text_slice(&text), room);
	return true;
}

static enum step start(struct request *r)
{
	struct store_purge purge = { .kind = PURGE_KEY };
	struct slice prefix = http_header_value(&r->head, FIELD_purge_prefix), tags, tag;
	size_t pos = 0;

	if (!take_mode(r, &purge.soft) || !tags_of(&r->arena, &r->head, &tags) || (tags_are_in(&r->head) && !tags.len))
		return request_refuse(r, REFUSAL_purge_fields);
	if (tags_are_in(&r->head))
		purge.kind = PURGE_TAG;
	else if (prefix.len && !slice_eq(prefix, SLICE("0")))
		purge.kind = PURGE_PREFIX;
	if (!request_key_make(r) || !take_key(r, purge.kind == PURGE_PREFIX, &purge.text))
		return request_refuse(r, REFUSAL_head_too_large);
	r->purge_kind = (uint8_t)purge.kind;
	r->purge_soft = purge.soft;
	r->purge = must(calloc(1, sizeof(*r->purge)));
	*r->purge = (struct purge_wait){ .mail = { .run = purge_run }, .request = r };
	r->purging = true;
	request_keep(r);
	purge_begin(&r->purge->order, purge_done);
	if (purge.kind != PURGE_TAG)
		purge_add(&r->purge->order, r->volume, &purge);
	else
		while (tags_next(tags, &pos, &tag)) {
			purge.text = tag;
			purge_add(&r->purge->order, r->volume, &purge);
		}
	purge_end(&r->purge->order);
	return STEP_wait;
}

/* ---- the answer ---- */

static enum step answer(struct request *r)
{
	static const char *const kinds[] = { [PURGE_KEY] = "url", [PURGE_PREFIX] = "prefix", [PURGE_TAG] = "tag" };
	enum store_err err = (enum store_err)atomic_load(&r->purge->order.err);
	uint64_t objects = atomic_load(&r->purge->order.objects);

	if (err == STORE_RULES_FULL)
		return request_refuse(r, REFUSAL_purge_full);
	r->log.cache = VERDICT_purge;
	r->log.purge_objects = (int64_t)objects;
	r->own = true;
	r->own_status = err == STORE_OK ? 200 : 500;
	r->own_type = SLICE("application/json");
	r->own_text = err == STORE_OK
		? arena_printf(&r->arena, "{\"ok\": true, \"kind\": \"%s\", \"mode\": \"%s\", \"volume\": \"%.*s\", \"objects\": %llu}\n",
			kinds[r->purge_kind], r->purge_soft ? "soft" : "hard", SLICE_ARG(r->log.volume), (unsigned long long)objects)
		: arena_printf(&r->arena, "{\"ok\": false, \"error\": \"%s\", \"objects\": %llu}\n", store_strerror(err), (unsigned long long)objects);
	return STEP_answer;
}

void request_purge_free(struct request *r)
{
	free(r->purge);
	r->purge = NULL;
}

enum step step_purge(struct request *r)
{
	const struct conf_location *location = r->location;

	if (r->purging)
		return STEP_wait;
	if (r->purge)
		return answer(r);
	if (!location->purge_token.len && location->purge_allow_count == 0)
		return request_refuse(r, REFUSAL_method_not_allowed);
	if (!address_is_allowed(r))
		return request_refuse(r, REFUSAL_purge_address);
	if (!token_is_right(r))
		return request_refuse(r, REFUSAL_purge_token);
	if (!r->volume)
		return request_refuse(r, REFUSAL_purge_nothing);
	return start(r);
}
