/* AHEAD(rule): rules whose large tables are not in the nearest cache. rule_<rule>_ahead says which entry of them a line will need, for 64
 * lines before the first of them comes: the memory's delays then pass side by side. It changes nothing else. */
AHEAD(authenticated_stored)
AHEAD(public_on_authenticated)
AHEAD(key_collision)
AHEAD(stampede)
AHEAD(rate_limit_would_refuse)
AHEAD(variant_explosion)
