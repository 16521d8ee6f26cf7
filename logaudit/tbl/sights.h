/* SIGHT(rule, reach): the least that a filter leaves out (filter.h) and the rule cannot tell any more. Rules without a row cannot
 * when lines are chosen by what came of them (outcome): ratios over such lines are not those of the site.
 *   nothing  each line, or each pair of lines, proves it by itself: fewer lines make no false finding
 *   time     it needs all lines of a node
 *   place    it needs all lines of a span of time */
SIGHT(log_gap,              time)
SIGHT(metrics_disagree,     time)
SIGHT(volume_unbound,       place)
SIGHT(volume_errors,        nothing)
SIGHT(authenticated_stored, nothing)
SIGHT(authenticated_shared, nothing)
SIGHT(set_cookie_replayed,  nothing)
SIGHT(key_collision,        nothing)
SIGHT(variant_explosion,    nothing)
SIGHT(forwarding_spoofed,   nothing)
SIGHT(verdict_contradicted, nothing)
SIGHT(proxy_loop,           nothing)
SIGHT(short_body,           nothing)
SIGHT(stale_past_window,    nothing)
SIGHT(rate_limit_would_refuse, nothing)
SIGHT(certificate_differs,  nothing)
SIGHT(certificate_expiring, nothing)
