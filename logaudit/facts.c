/* Facts of a line. */
#include "facts.h"
#include "recent.h"
#include "rule.h"

static uint32_t traits_of(const struct logline *l)
{
	uint32_t traits = 0;

	traits |= l->rec != REC_req ? TRAIT_note : TRAIT_request;
	traits |= line_from_store(l) || l->cache == VERDICT_collapsed ? TRAIT_store : 0;
	traits |= l->cache == VERDICT_hit_stale ? TRAIT_stale : 0;
	traits |= l->origin_tries ? TRAIT_origin : 0;
	traits |= l->cache == VERDICT_miss || l->cache == VERDICT_revalidated ? TRAIT_fetched : 0;
	traits |= l->stored ? TRAIT_stored : 0;
	traits |= l->nostore != NOSTORE_none ? TRAIT_unstored : 0;
	traits |= l->req_auth || l->req_login ? TRAIT_user : 0;
	traits |= l->resp_public ? TRAIT_public : 0;
	traits |= l->resp_setcookie ? TRAIT_setcookie : 0;
	traits |= l->variant ? TRAIT_variant : 0;
	traits |= l->end != END_complete || l->refusal ? TRAIT_ended : 0;
	return traits;
}

void facts_find(const struct logline *l, struct facts *ret_facts)
{
	uint64_t host = recent_text(line_host(l), 0);

	*ret_facts = (struct facts){ .node = recent_text(l->node, 0), .host = host, .url = recent_text(l->target, host),
		.client = recent_text(l->client, 0), .volume = recent_text(line_volume(l), 0), .page = recent_pair(l->key, l->variant),
		.traits = traits_of(l) };
}
