/* Facts of a line. */
#include "facts.h"
#include "rule.h"

static uint32_t traits_of(const struct logline *l)
{
	uint32_t traits = 0;

	traits |= l->rec != REC_req ? TRAIT_note : 0;
	traits |= line_from_store(l) || l->cache == VERDICT_collapsed ? TRAIT_store : 0;
	traits |= l->cache == VERDICT_hit_stale ? TRAIT_stale : 0;
	traits |= l->origin_tries || l->origin_in ? TRAIT_origin : 0;
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
	*ret_facts = (struct facts){ .url = recent_text(l->target, 0), .client = recent_text(l->client, 0), .traits = traits_of(l) };
}

void facts_name(struct parsed *parsed, struct known_names *names)
{
	const struct logline *l = &parsed->line;
	struct facts *facts = &parsed->facts;

	facts->node = names_get(&names->nodes, l->node);
	facts->host = names_get(&names->hosts, line_host(l));
	facts->volume = names_get(&names->volumes, line_volume(l));
	facts->url = url_hash(facts->host.hash, facts->url);
}
