/* The last step: what is held is let go, the record is completed and written. The only place that logs a request. */
#include "request.h"
#include "access_log.h"
#include "clock.h"
#include "joint.h"
#include "slices.h"
#include "compress.h"

#include <stdlib.h>

/* The carrier's counts, before it is let go. */
void request_take_counts(struct request *r)
{
	const struct carrier *carrier = r->carrier;

	if (!carrier)
		return;
	r->log.req_bytes = carrier->request_bytes;
	r->log.head_out = carrier->head_out;
	r->log.body_out = carrier->body_out;
	r->log.first_flush = carrier->first_flush;
	r->log.high_water = carrier->high_water;
}

static void log_fetch(struct request *r)
{
	const struct exchange_facts *facts = &r->facts;
	struct logline *log = &r->log;
	static const struct slice verifies[] = {
#define X(name) [ORIGIN_VERIFY_##name] = { #name, sizeof(#name) - 1 },
		ORIGIN_VERIFIES(X)
#undef X
	};

	if (!r->fetch_started)
		return;
	log->origin = facts->address;
	log->origin_tries = facts->tries;
	log->origin_reused = facts->reused;
	log->connect_us = facts->connect_us;
	log->origin_first_us = facts->first_us;
	log->origin_in = facts->bytes_in;
	log->origin_out = facts->bytes_out;
	log->origin_tls = facts->tls;
	log->origin_tls_us = facts->tls_us;
	log->origin_tls_resumed = facts->tls_resumed;
	log->origin_name = facts->tls_name;
	log->origin_verify = facts->verify == ORIGIN_VERIFY_none ? SLICE("") : verifies[facts->verify];
	log->origin_tls_error = slice_str(facts->tls_error);
}

enum step step_finish(struct request *r)
{
	struct logline *log = &r->log;

	CHECK(!r->exchange && !joint_busy(r) && !slices_busy(r));
	request_take_counts(r);
	log_fetch(r);
	const struct object *of = r->decoded ? r->decoded : r->object;
	if (r->source == SOURCE_object && of && !r->master && object_state(of) == OBJECT_WHOLE) {
		if (!(object_meta(of)->flags & STORED_PART))
			log->body_hash = object_checksum(of);
		log->object_bytes = (int64_t)object_size(of);
	}
	compress_finish(r);
	log->total_us = clock_now_us() - r->start_us;
	/* Answered within one round of the loop: the first byte left when the last one did. */
	if (log->first_us == 0)
		log->first_us = (int64_t)log->total_us;
	/* A fetch in the background is no request's verdict: its record says what the origin said, and whether it was stored. */
	if (r->background)
		log->cache = VERDICT_none;
	if (r->slice_of)
		slice_fetch_done(r);           /* in the record of the request that it was for */
	else
		access_log_write(r->worker, log);
	flight_end(&r->flight, 0);
	request_load_free(r);
	request_purge_free(r);
	request_disk_end(r);
	return STEP_done;
}
