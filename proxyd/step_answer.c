/* Answers of our own: refusals, errors, and what `return` says. A short plain text; everything else as for any answer. */
#include "request.h"
#include "proxy_status.h"

/* A refusal whose cause is an end of its own. */
static enum end end_of(enum refusal refusal)
{
	return refusal == REFUSAL_head_timeout ? END_client_header_timeout : refusal == REFUSAL_proxy_loop ? END_loop : END_refused;
}

enum step request_refuse(struct request *r, enum refusal refusal)
{
	r->log.refusal = (uint8_t)refusal;
	r->log.cache = VERDICT_refused;
	r->log.end = (uint8_t)end_of(refusal);
	r->own_status = (unsigned)refusal_rows[refusal].status;
	r->own_text = slice_str(refusal_rows[refusal].doc);
	r->own = true;
	return STEP_answer;
}

enum step request_refuse_content(struct request *r)
{
	enum step step = request_refuse(r, r->content_refusal);

	r->log.end = (uint8_t)r->content_end;
	return step;
}

enum step request_error(struct request *r, unsigned status, enum end end)
{
	r->own_status = status;
	r->own_text = http_reason(status);
	r->own = true;
	r->log.end = (uint8_t)end;
	if (end == END_only_if_cached)
		r->log.cache = VERDICT_miss;
	else if (r->log.cache != VERDICT_synth) {
		r->log.cache = VERDICT_error;
		r->own_text = slice_str(end_rows[end].doc);
	}
	return STEP_answer;
}

enum step request_redirect(struct request *r, unsigned status, struct slice location)
{
	r->log.cache = VERDICT_synth;
	r->own_location = location;
	return request_error(r, status, END_complete);
}

static bool is_redirect(unsigned status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* What `return CODE TEXT` of the configuration says. */
static void use_rule(struct request *r, struct text *block)
{
	struct slice text = request_expand_text(r, &r->location->return_text);

	if (is_redirect(r->own_status) && text.len) {
		text = request_expand(r, &r->location->return_text);
		text_add_field(block, SLICE("Location"), text);
		r->log.location = text;
		r->own_text = http_reason(r->own_status);
	} else if (text.len) {
		r->own_text = text;
		return;
	}
}

/* What tls_alert_received has besides (RFC 9209 section 2.3.13). */
static struct slice alert_of(struct request *r)
{
	int alert = r->facts.tls_alert;

	if (r->log.end != END_origin_tls_alert || alert < 0)
		return SLICE("");
	return arena_printf(&r->arena, "; alert-id=%d; alert-message=%.*s", alert, SLICE_ARG(tls_alert_name(alert).len ? tls_alert_name(alert) : SLICE("unknown")));
}

enum step step_answer(struct request *r)
{
	struct text block;
	bool by_rule = r->log.cache == VERDICT_synth && r->location->return_code && !r->own_location.len, whole = by_rule || r->own_type.len;
	struct slice type = r->own_type.len ? r->own_type : SLICE("text/plain; charset=utf-8");

	if (!r->carrier || r->head_sent)
		return STEP_finish;
	text_init(&block, &r->arena, 256);
	text_add_field(&block, SLICE("Date"), slice_make(r->worker->date, 29));
	if (by_rule)
		use_rule(r, &block);
	if (r->own_location.len) {
		text_add_field(&block, SLICE("Location"), r->own_location);
		r->log.location = r->own_location;
	}
	r->source = SOURCE_text;
	r->sent = 0;                           /* a range of what could not be had began elsewhere */
	r->text = (struct slice){ NULL, 0 };
	if (r->own_status != 204 && r->own_status != 304) {
		text_add_field(&block, SLICE("Content-Type"), type);
		r->log.resp_type = type;
		struct text body;
		text_init(&body, &r->arena, r->own_text.len + 64);
		if (!whole) {
			text_add_u64(&body, r->own_status);
			text_add(&body, SLICE(" "));
			text_add(&body, http_reason(r->own_status));
			text_add(&body, SLICE("\n"));
		}
		text_add(&body, r->own_text);
		if (!whole)
			text_add(&body, SLICE("\n"));
		r->text = text_slice(&body);
	}
	if (r->own_status == 401)
		text_add_field(&block, SLICE("WWW-Authenticate"), SLICE("Bearer"));
	if (r->own_status == 405)
		text_add_field(&block, SLICE("Allow"), SLICE("GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"));
	struct slice error = proxy_status_error((enum end)r->log.end, (enum refusal)r->log.refusal);
	if (error.len && !by_rule)
		text_add_field(&block, SLICE("Proxy-Status"), arena_printf(&r->arena, "%.*s; error=%.*s%.*s", SLICE_ARG(daemon_self(r->worker->daemon)), SLICE_ARG(error),
			SLICE_ARG(alert_of(r))));
	/* Nobody may keep an error of ours but for as long as it lasts. */
	if (r->own_status >= 400 || r->log.cache == VERDICT_purge)
		text_add_field(&block, SLICE("Cache-Control"), SLICE("no-store"));
	r->blocks[0] = text_slice(&block);
	return STEP_deliver;
}
