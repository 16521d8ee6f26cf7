/* What the admin socket can do. */
#include "admin.h"
#include "admin_parts.h"

#include <jansson.h>
#include <unistd.h>

#include "clock.h"
#include "purge.h"

static json_t *failure(const char *format, ...) __attribute__((format(printf, 1, 2)));
static json_t *failure(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* What was asked for may be any bytes: what is shown of it are characters. */
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || (unsigned char)*at > '~')
			*at = '?';
	return json_pack("{s:b, s:s}", "ok", 0, "error", text);
}

/* The next word: ends at a blank, which goes too. */
static struct slice word_take(struct slice *rest)
{
	const char *blank = rest->len > 0 ? memchr(rest->ptr, ' ', rest->len) : NULL;
	struct slice word = slice_make(rest->ptr, blank ? (size_t)(blank - rest->ptr) : rest->len);
	size_t taken = word.len + (blank != NULL);

	*rest = slice_make(rest->ptr + taken, rest->len - taken);
	return word;
}

/* ---- status ---- */

static json_t *status(struct daemon *daemon)
{
	struct counters sum = { 0 };
	json_t *counters = json_object();
	uint64_t connections = 0;

	for (unsigned i = 0; i < daemon->worker_count; i++) {
		counters_merge(&sum, &daemon->workers[i]->counters);
		connections += atomic_load_explicit(&daemon->workers[i]->conn_count, memory_order_relaxed);
	}
	for (int i = 0; i < COUNTER_COUNT; i++)
		json_object_set_new(counters, counter_rows[i].name.ptr, json_integer((json_int_t)counters_get(&sum, (enum counter)i)));
	return json_pack("{s:b, s:s, s:i, s:I, s:I, s:I, s:i, s:I, s:I, s:o}", "ok", 1, "node", daemon->node, "pid", (int)getpid(),
		"started", (json_int_t)(daemon->started_us / 1000000), "uptime_s", (json_int_t)((clock_wall_us() - daemon->started_us) / 1000000),
		"config_generation", (json_int_t)atomic_load(&daemon->generation), "workers", (int)daemon->worker_count,
		"connections", (json_int_t)connections, "log_lines_lost", (json_int_t)access_log_lost(daemon->log), "counters", counters);
}

static json_t *origins(struct daemon *daemon)
{
	json_t *answer = admin_origins(daemon);

	return answer ? answer : failure("a worker does not answer: the daemon is busy, or ends");
}

/* ---- the volumes that a command names ---- */

/* "*": every one. */
static bool is_meant(struct slice name, const struct conf_volume *volume)
{
	return slice_eq(name, SLICE("*")) || slice_eq(name, volume->name);
}

static json_t *none_is_meant(struct slice name)
{
	return slice_eq(name, SLICE("*")) ? failure("there is no volume") : failure("there is no volume '%.*s'", SLICE_ARG(name));
}

/* ---- volume flush ---- */

struct flushing {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	struct slice volume;                     /* "*": every one */
	size_t volumes, open;
	enum store_err err;                      /* the first one */
};

static void flush_done(void *arg, enum store_err err)
{
	struct flushing *flushing = arg;

	pthread_mutex_lock(&flushing->lock);
	flushing->open--;
	if (flushing->err == STORE_OK)
		flushing->err = err;
	pthread_cond_signal(&flushing->cond);
	pthread_mutex_unlock(&flushing->lock);
}

static void flush_volume(void *arg, const struct conf_volume *volume, struct volume *open)
{
	struct flushing *flushing = arg;

	if (!is_meant(flushing->volume, volume))
		return;
	pthread_mutex_lock(&flushing->lock);
	flushing->volumes++;
	flushing->open++;
	pthread_mutex_unlock(&flushing->lock);
	volume_sync(open, flush_done, flushing);
}

static json_t *flush(struct daemon *daemon, struct slice name)
{
	struct flushing flushing = { .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER, .volume = name };

	volumes_each(&daemon->volumes, flush_volume, &flushing);
	pthread_mutex_lock(&flushing.lock);
	while (flushing.open > 0)
		pthread_cond_wait(&flushing.cond, &flushing.lock);
	pthread_mutex_unlock(&flushing.lock);
	if (flushing.volumes == 0)
		return none_is_meant(name);
	if (flushing.err != STORE_OK)
		return failure("%s", store_strerror(flushing.err));
	return json_pack("{s:b, s:I}", "ok", 1, "volumes", (json_int_t)flushing.volumes);
}

/* ---- certificates ---- */

static json_t *time_json(int64_t seconds)
{
	return seconds ? json_integer((json_int_t)seconds) : json_null();
}

static json_t *staple_json(const struct cert_staple_view *staple)
{
	return json_pack("{s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "wanted", staple->wanted, "revoked", staple->revoked,
		"from", staple->source[0] ? text_json(slice_str(staple->source)) : json_null(), "since", time_json(staple->from_s),
		"until", time_json(staple->until_s == INT64_MAX ? 0 : staple->until_s), "fetched", time_json(staple->fetched_s),
		"next_fetch", time_json(staple->next_s), "error", staple->error[0] ? text_json(slice_str(staple->error)) : json_null(),
		"error_at", time_json(staple->error[0] ? staple->error_s : 0));
}

static void certificate_add(void *arg, const struct cert_view *view)
{
	json_t *certificate = json_object(), *names = json_array();

	for (size_t i = 0; i < view->name_count; i++)
		json_array_append_new(names, text_json(slice_str(view->names[i])));
	json_object_set_new(certificate, "file", text_json(slice_str(view->file)));
	json_object_set_new(certificate, "names", names);
	json_object_set_new(certificate, "loaded", json_boolean(view->cert != NULL));
	json_object_set_new(certificate, "serial", view->cert ? json_string(view->cert->facts->serial) : json_null());
	json_object_set_new(certificate, "key", view->cert ? json_string(cert_kind_name(view->cert->facts->kind)) : json_null());
	json_object_set_new(certificate, "not_before", time_json(view->cert ? view->cert->facts->not_before_s : 0));
	json_object_set_new(certificate, "not_after", time_json(view->not_after_s));
	json_object_set_new(certificate, "since", time_json(view->cert ? view->cert->facts->loaded_s : 0));
	json_object_set_new(certificate, "stapled", json_boolean(view->staple.valid));
	json_object_set_new(certificate, "ocsp", view->cert ? staple_json(&view->staple) : json_null());
	json_object_set_new(certificate, "error", view->error[0] ? text_json(slice_str(view->error)) : json_null());
	json_object_set_new(certificate, "error_at", time_json(view->error[0] ? view->error_s : 0));
	json_array_append_new(arg, certificate);
}

static json_t *certificates(struct daemon *daemon)
{
	json_t *list = json_array();

	certs_each(daemon->tls.certs, certificate_add, list);
	return json_pack("{s:b, s:I, s:o}", "ok", 1, "refused", (json_int_t)certs_refused(daemon->tls.certs), "certificates", list);
}

/* ---- purge ---- */

struct waiting {
	struct purge_order order;                /* first */
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
	struct store_purge purge;
	struct purge_keys *keys;                 /* of a URL: each in place of purge.text; NULL: not one */
	struct slice url;
	const char *why;                         /* NULL: the URL has been read */
	struct slice volume;                     /* "*": every one */
	size_t volumes;
};

static void purge_done(struct purge_order *order)
{
	struct waiting *waiting = (struct waiting *)order;

	pthread_mutex_lock(&waiting->lock);
	waiting->done = true;
	pthread_cond_signal(&waiting->cond);
	pthread_mutex_unlock(&waiting->lock);
}

static void purge_volume(void *arg, const struct conf_volume *volume, struct volume *open)
{
	struct waiting *waiting = arg;

	if (!is_meant(waiting->volume, volume))
		return;
	waiting->volumes++;
	if (!waiting->keys)
		purge_add(&waiting->order, open, &waiting->purge);
	for (size_t i = 0; waiting->keys && i < waiting->keys->count; i++) {
		waiting->purge.text = waiting->keys->texts[i];
		purge_add(&waiting->order, open, &waiting->purge);
	}
}

/* Under the lock of the configuration in force. */
static void url_look(void *arg, const struct conf *conf)
{
	struct waiting *waiting = arg;
	const char *why;

	waiting->why = purge_keys_of_url(conf, waiting->url, waiting->keys, &why) ? NULL : why;
}

/* NULL: understood. A URL has the keys that requests for it have, by the rules of the sites that serve it. */
static json_t *url_parse(struct daemon *daemon, struct waiting *waiting, struct slice text)
{
	waiting->purge.kind = PURGE_KEY;
	waiting->keys = must(malloc(sizeof(*waiting->keys)));
	waiting->url = text;
	waiting->why = "there is no configuration";
	volumes_look(&daemon->volumes, url_look, waiting);
	return waiting->why ? failure("'%.*s': %s", (int)(text.len < 200 ? text.len : 200), text.ptr, waiting->why) : NULL;
}

static void purge_note(struct daemon *daemon, const struct waiting *waiting, struct slice kind, struct slice text)
{
	struct logline line;
	char target[URL_MAX + 64];
	int len = snprintf(target, sizeof(target), "%.*s %s%s%.*s", SLICE_ARG(kind), waiting->purge.soft ? "soft" : "hard", text.len ? " " : "",
		(int)(text.len < URL_MAX ? text.len : URL_MAX), text.ptr);

	logline_init(&line);
	line.rec = REC_purge;
	line.t_us = (uint64_t)clock_wall_us();
	line.config = atomic_load(&daemon->generation);
	line.target = slice_make(target, (size_t)len);
	if (!slice_eq(waiting->volume, SLICE("*")))
		line.volume = waiting->volume;
	line.purge_objects = (int64_t)atomic_load(&waiting->order.objects);
	access_log_note(daemon->log, &line);
}

static json_t *purge_parse(struct daemon *daemon, struct slice kind, struct slice text, char key[PURGE_KEY_ROOM], struct waiting *waiting)
{
	struct store_purge *purge = &waiting->purge;
	const char *why;

	if (slice_eq(kind, SLICE("all"))) {
		purge->kind = PURGE_PREFIX;
		return text.len ? failure("purge all takes no text") : NULL;
	}
	if (!text.len)
		return failure("purge %.*s: what?", SLICE_ARG(kind));
	if (slice_eq(kind, SLICE("tag"))) {
		purge->kind = PURGE_TAG;
		purge->text = text;
		return text.len > STORE_TAGS_MAX ? failure("the tag is too long") : NULL;
	}
	if (slice_eq(kind, SLICE("url")))
		return url_parse(daemon, waiting, text);
	purge->kind = PURGE_PREFIX;
	if (!slice_eq(kind, SLICE("prefix")))
		return failure("'%.*s' is not url, prefix, tag or all", SLICE_ARG(kind));
	return purge_key_of_url(text, key, &purge->text, &why) ? NULL : failure("'%.200s': %s", key, why);
}

static json_t *purge_answer(const struct waiting *waiting, struct slice mode, struct slice kind)
{
	enum store_err err = (enum store_err)atomic_load(&waiting->order.err);

	if (waiting->volumes == 0)
		return none_is_meant(waiting->volume);
	json_t *answer = err ? failure("%s", store_strerror(err)) : json_pack("{s:b}", "ok", 1);
	json_object_set_new(answer, "kind", text_json(kind));
	json_object_set_new(answer, "mode", text_json(mode));
	json_object_set_new(answer, "volumes", json_integer((json_int_t)waiting->volumes));
	json_object_set_new(answer, "objects", json_integer((json_int_t)atomic_load(&waiting->order.objects)));
	return answer;
}

static json_t *purge(struct daemon *daemon, struct slice rest)
{
	struct waiting waiting = { .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };
	struct slice mode = word_take(&rest), kind;
	char key[PURGE_KEY_ROOM];
	json_t *answer;

	waiting.volume = word_take(&rest);
	kind = word_take(&rest);
	snprintf(key, sizeof(key), "%.*s", SLICE_ARG(rest));
	waiting.purge.soft = slice_eq(mode, SLICE("soft"));
	if (!waiting.purge.soft && !slice_eq(mode, SLICE("hard")))
		return failure("'%.*s' is not soft or hard", SLICE_ARG(mode));
	if ((answer = purge_parse(daemon, kind, rest, key, &waiting)))
		goto out;
	purge_begin(&waiting.order, purge_done);
	volumes_each(&daemon->volumes, purge_volume, &waiting);
	purge_end(&waiting.order);
	pthread_mutex_lock(&waiting.lock);
	while (!waiting.done)
		pthread_cond_wait(&waiting.cond, &waiting.lock);
	pthread_mutex_unlock(&waiting.lock);
	if (waiting.volumes > 0)
		purge_note(daemon, &waiting, kind, rest);
	answer = purge_answer(&waiting, mode, kind);
out:
	free(waiting.keys);
	return answer;
}

/* ---- upgrade ---- */

static json_t *upgrade(struct daemon *daemon, struct slice program)
{
	char why[512] = "", path[4096];
	long pid;

	snprintf(path, sizeof(path), "%.*s", SLICE_ARG(program));
	pid = daemon_ask_upgrade(daemon, program.len ? path : NULL, why);
	return pid ? json_pack("{s:b, s:I, s:I}", "ok", 1, "pid", (json_int_t)pid, "old_pid", (json_int_t)getpid()) : failure("%s", why);
}

/* ---- the line ---- */

char *admin_answer(struct daemon *daemon, struct slice line)
{
	struct slice rest = line, word = word_take(&rest);
	json_t *answer;
	char *text, *out;

	if (slice_eq(word, SLICE("status")) && !rest.len)
		answer = status(daemon);
	else if (slice_eq(word, SLICE("volumes")) && !rest.len)
		answer = admin_volumes(daemon);
	else if (slice_eq(word, SLICE("origins")) && !rest.len)
		answer = origins(daemon);
	else if (slice_eq(word, SLICE("volume")) && slice_eq(word_take(&rest), SLICE("flush")) && rest.len)
		answer = flush(daemon, rest);
	else if (slice_eq(word, SLICE("certificates")) && !rest.len)
		answer = certificates(daemon);
	else if (slice_eq(word, SLICE("upgrade")))
		answer = upgrade(daemon, rest);
	else if (slice_eq(word, SLICE("purge")))
		answer = purge(daemon, rest);
	else
		answer = failure("'%.*s' is no command; there are: status, volumes, origins, volume flush VOLUME|*, certificates, upgrade [PROGRAM], purge soft|hard VOLUME|* url|prefix|tag|all [TEXT]", SLICE_ARG(line));
	text = must(json_dumps(answer, JSON_ENSURE_ASCII));
	json_decref(answer);
	out = must(malloc(strlen(text) + 2));
	memcpy(out, text, strlen(text));
	memcpy(out + strlen(text), "\n", 2);
	free(text);
	return out;
}
