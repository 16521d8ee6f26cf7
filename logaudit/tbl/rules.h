/* RULE(symbol, id, severity, columns, doc, cause, cure): one row a rule; rule_<symbol>.c looks for it.
 * columns: what it cannot do without; when the header lacks one, the rule says so and is silent otherwise.
 * cause and cure stand in findings unless the rule knows better from the lines. */
RULE(volume_no_hits, "volume-no-hits", error, "cache volume key nostore stored lifetime",
	"A volume carried at least 100 cacheable requests, pages were asked for again while they should have been stored, and not one hit came of it.",
	"answers are put into the volume but never found again, or are dropped at once",
	"see the error log for this volume; compare `key` and `variant` of repeated lines; check the volume's size against what is stored")
RULE(volume_unbound, "volume-unbound", warning, "cache volume nostore lifetime",
	"Everything worked and nothing was cached: cacheable answers of a host without a volume, or a configured volume that no request used.",
	"no volume is bound where these requests are served",
	"write `proxy_cache NAME` in the location, the server or around them, and reload; `proxyd -T` shows what is bound")
RULE(volume_errors, "volume-errors", error, "volume nostore unstored",
	"Objects that the log said stored were not, since the disk failed after that; or answers found their volume set aside.",
	"the disk under the volume is full or returns errors",
	"look at the error log and at the disk; the volume tries again by itself (`retry`)")
RULE(public_on_authenticated, "public-on-authenticated", warning, "req_auth req_login resp_public host target status",
	"Answers to requests with Authorization or a login cookie said `public` or `s-maxage`, and nobody else got these pages: every shared cache on the way may store them.",
	"the origin, or something before it, puts `Cache-Control: public` on all answers",
	"send `private` or `no-store` for what belongs to one user; keep `public` for what is the same for all")
RULE(authenticated_stored, "authenticated-stored", error, "cache stored key req_auth req_login resp_public resp_cc",
	"An answer to an authenticated request was stored, or was served again from the store, and nothing in it allowed that (RFC 9111 section 3.5).",
	"a shared cache treats a user's answer as everyone's",
	"purge what is stored for this host now; name the cookie with `login_cookie`; send `private`; report it if proxyd did this by itself")
RULE(authenticated_shared, "authenticated-shared", error, "cache stored key variant client req_auth req_login resp_public resp_cc",
	"An answer to one user's request, which nothing allowed to be stored, was served to another client.",
	"users see what belongs to others",
	"purge the host now; name the cookie with `login_cookie`; send `private`; tell whom it concerns")
RULE(set_cookie_replayed, "set-cookie-replayed", error, "cache client resp_setcookie cookie_hash",
	"One stored Set-Cookie went to several clients: they may share a session.",
	"`store_cookies on` for answers whose cookie identifies a user",
	"remove `store_cookies`, or let the origin set cookies only on answers that are not stored; purge the host; end the sessions concerned")
RULE(key_collision, "key-collision", error, "stored key variant body_hash host target status",
	"Several targets share one cache key and each brings another content: the first that comes decides what all get.",
	"the key leaves out what selects the content: a query argument, the host or the case of letters",
	"take what selects the content into the key again (the `cache_key_...` settings), then purge the host")
RULE(variant_explosion, "variant-explosion", warning, "cache nostore key variant host target",
	"One page has at least 64 variants, or at least 20 of its answers were not stored since it had too many: each variant is fetched anew.",
	"Vary names a field that differs from client to client, such as User-Agent or Cookie",
	"name fewer fields in Vary, and only those by which the answer really differs; see the column `resp_vary`")
RULE(forwarding_missing, "forwarding-missing", warning, "origin_status origin_tries fwd_sent host",
	"The origin answered at least 10 requests without having been told the client, the scheme and the host: it logs the proxy's address and makes wrong links.",
	"a setting takes X-Forwarded-For, X-Forwarded-Proto or X-Forwarded-Host away",
	"remove that setting, unless the origin must not know the client")
RULE(forwarding_spoofed, "forwarding-spoofed", warning, "fwd_dropped peer",
	"Forwarding fields came from addresses that are not trusted, and were dropped.",
	"clients that state an address that is not theirs, or a proxy of one's own that is not named",
	"name the proxy in `trusted_proxy` and reload")
RULE(verdict_contradicted, "verdict-contradicted", error, "cache origin_tries origin_in end",
	"The verdict and the origin's columns contradict each other: a hit that asked the origin, a miss or a confirmation that did not.",
	"the line does not tell what was done: an error in the program that wrote it, or a line changed afterwards",
	"do not trust ratios over these lines; report it with the lines named")
RULE(redirect_loop, "redirect-loop", error, "status location scheme client host target total_us",
	"Redirects sent a client in a circle: at least ten links, each followed at once, and no page at the end.",
	"a redirect points to the URL that it answers, or two redirects to each other",
	"correct the redirect; if it was stored, purge it")
RULE(proxy_loop, "proxy-loop", error, "refusal end hops host",
	"At least five requests came back to a proxy that they had passed.",
	"an origin, or a proxy behind it, points back to this proxy",
	"point `proxy_pass` and the DNS name it uses to the origin itself; single lines may be clients that forge Via: see `client`")
RULE(stream_buffered, "stream-buffered", warning, "origin_tries origin_first_us connect_us first_us total_us body_out resp_type host",
	"Streams of events reached the client only when they were over.",
	"something collects the answer before it passes it on",
	"let the origin flush each event, and switch off compression and buffering of proxies between (X-Accel-Buffering: no)")
RULE(round_timeout, "round-timeout", warning, "end total_us origin_status host",
	"Requests were ended by a time-out: one of this proxy's settings over at least three minutes, or ends that cluster at a round number of seconds.",
	"somebody's patience ends before the work does",
	"find what takes so long; of all time-outs on the way, the one nearest to the client should be the longest")
RULE(reuse_race, "reuse-race", warning, "end origin origin_in origin_status origin_reused host total_us",
	"Requests failed on origin connections that had been used before, in at least three different minutes, without a byte of an answer.",
	"the origin closes idle connections sooner than this proxy stops using them",
	"set `proxy_keepalive_timeout` below the origin's idle time, or raise that one")
RULE(stampede, "stampede", warning, "cache origin_tries stored nostore lifetime key variant node host target total_us",
	"At least eight fetches of one page that may be stored were under way at once on one node.",
	"concurrent misses are not made one fetch: `collapse` is off, or the origin takes longer than `collapse_timeout`",
	"set `collapse on` and a `collapse_timeout` above what the origin takes; let answers be served stale while they are renewed")
RULE(short_body, "short-body", warning, "nostore end origin origin_status host total_us",
	"At least three answers of an origin ended before they were whole, in at least three different minutes.",
	"the origin, or a proxy before it, crashes, is restarted or gives up in the middle",
	"see the origin's error log at these times; compare `origin_in` with what it meant to send")
RULE(stale_past_window, "stale-past-window", error, "cache age lifetime resp_cc host",
	"Answers past their lifetime were served though they forbid it (must-revalidate, proxy-revalidate, no-cache).",
	"an error in the program that served them, or headers that changed after they were stored",
	"purge the host; report it with the lines named")
RULE(hit_after_purge, "hit-after-purge", error, "cache age key node scheme host target origin_tries total_us",
	"A page was served as fresh that was older than a purge of its URL, and nothing had fetched it since.",
	"the purge did not reach this store, or the fetch stands in a file that was not given",
	"give all files since the purge; purge again and look at `purge_objects`; report it")
RULE(origin_failing, "origin-failing", warning, "origin_tries origin_status end origin host total_us",
	"At least one in twenty requests to an origin failed, 20 or more, in at least three different minutes.",
	"the origin is down, overloaded or broken",
	"see the origin's error log at the times of the lines named")
RULE(origin_unverified, "origin-unverified", warning, "origin_verify origin_name origin host",
	"Answers came over TLS from an origin whose certificate nobody verified: anybody on the way could have answered, and read the requests.",
	"`proxy_ssl_verify off` is written where these requests are served",
	"remove it; for a certificate that the system does not know write `proxy_ssl_trusted_certificate FILE`, for another name `proxy_ssl_name NAME`")
RULE(origin_unbalanced, "origin-unbalanced", warning, "origin_tries origin_first_us origin host",
	"Of several servers of one host, one takes at least four times as long as another.",
	"one server is overloaded, cold or differently built",
	"look at the slow server; give it less weight until it is well")
RULE(retry_storm, "retry-storm", warning, "origin_tries host total_us",
	"In at least three minutes the origin was asked at least half again as often as clients asked.",
	"failing requests are tried anew, which loads an origin in trouble even more",
	"mend the origin; let fewer tries be made while it fails; serve stale answers meanwhile")
RULE(rate_limit_would_refuse, "rate-limit-would-refuse", info, "client",
	"A client sent more than 100 requests a second, in at least ten seconds.",
	"a crawler, a load test, an attack, or many people behind one address",
	"nothing, if that is meant; else limit it before this proxy, or block it")
RULE(regression, "regression", warning, "node config host status cache refusal",
	"With a new generation of the configuration a host's errors rose (by 5 points and to three times), or its hit ratio fell by 20 points.",
	"what was changed, or what was changed elsewhere at that time",
	"compare the two configurations; go back to the old one, and see whether it helps")
RULE(uncompressed, "uncompressed", warning, "uncoded body_out route host",
	"Text went out as it is to clients that would have taken it compressed, and nothing spoke against it: at least 10 answers and 100,000 bytes of a route.",
	"compression is not switched on there, or not for a coding that these clients take",
	"write `compress on;` in the location, the server or around them; behind an origin that compresses, let it")
RULE(certificate_differs, "certificate-differs", error, "node t_us sni tls_key tls_serial",
	"For more than an hour nodes showed different certificates, of the same kind of key, to clients that asked for the same name.",
	"a node did not get the new certificate, or refuses it",
	"see `proxyd ctl certificates` and the error log of the node with the older one; copy the files there")
RULE(certificate_expiring, "certificate-expiring", warning, "node t_us sni tls_key tls_serial tls_from tls_until",
	"The last certificate that a node showed for a name ends within 21 days, or a quarter of its life if that is less; within 7 days, or a twelfth, it is an error.",
	"whatever renews it does not, or its files do not get to the node",
	"renew it; see the log of what should have, and the node's error log for a new one that was refused")
RULE(log_gap, "log-gap", warning, "node worker seq lost",
	"Lines are missing: gap records, holes in the numbers that each worker gives its lines, or a start that no stop came before; or lines were read twice.",
	"a full disk, a full ring, a file that was not given, or removed lines",
	"give all files of the rotated set; look for a full disk at the times around the lines named")
RULE(metrics_disagree, "metrics-disagree", error,
	"node worker seq status cache tier stored nostore req_bytes body_out head_out origin_tries origin_in origin_out end disk_late tls tls_us tls_resumed coding compressed plain_bytes origin_tls_us origin_tls_resumed origin_verify",
	"The counters of the metrics page are not what the lines since the last start add up to (`logaudit metrics`).",
	"lines are missing, the scrape was taken at another time than the log ends, or one of the two lies",
	"scrape while no requests run, give all files since the start, and compare again")
