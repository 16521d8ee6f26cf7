/* TABLE(symbol, name, limit, order, key, title, doc): the tables of a report, one row for each value of `key` among the requests.
 * symbol: the list's name in the JSON; name: of one row there and in the CSV. limit: most rows; those that come later share one.
 * order: ROWS_by_requests, or ROWS_by_name. key: a slice of the line `l`, or of `buf` (TABLE_KEY_MAX bytes); empty: the line has no
 * row here. */
TABLE(hosts,    host,    NAMES_MAX, ROWS_by_requests, line_host(l), "Hosts", "The host that was asked for.")
TABLE(volumes,  volume,  NAMES_MAX, ROWS_by_requests, l->volume.len ? l->volume : SLICE("none"), "Volumes",
	"The volume bound to the site, or none.")
TABLE(routes,   route,   4096,      ROWS_by_requests, l->route, "Routes", "The server and location that took the request.")
TABLE(statuses, status,  1024,      ROWS_by_name,     key_status(buf, l->status), "Status codes",
	"The status sent to the client; none when no answer was begun.")
TABLE(types,    type,    4096,      ROWS_by_requests, key_type(buf, l->resp_type), "Content types",
	"The media type of the answer, without its parameters and in lower case.")
TABLE(tiers,    tier,    64,        ROWS_by_requests, tier_rows[l->tier].name, "Tiers",
	"Where the bodies came from: memory, the volume's disk, the origin, or none of them.")
TABLE(origins,  origin,  1024,      ROWS_by_requests, l->origin, "Origins", "The origin server that answered last; requests that asked none are not here.")
TABLE(hours,    hour,    32,        ROWS_by_name,     key_hour(buf, l->t_us), "Hours of the day (UTC)",
	"The hour, in UTC, in which the first byte of the request arrived, of all days together.")
TABLE(nodes,    node,    NAMES_MAX, ROWS_by_requests, l->node, "Nodes", "The node that wrote the line.")
