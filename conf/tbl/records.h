/* RECORD(name, doc): values of the column `rec`: what kind of record a line of the access log is. */
RECORD(req,    "One request, answered, refused or broken off: every request makes exactly one.")
RECORD(gap,    "Lines that could not be written: `lost` says how many of this worker's.")
RECORD(start,  "The daemon started: counters of the metrics begin at zero here.")
RECORD(reload, "A new configuration was taken into use; `config` is its generation.")
RECORD(volume, "A configured volume, stated at start, reload and rotation: `volume`, `object_bytes` (its size), `target` (its folder), `host` (how many sites are bound to it).")
RECORD(stop,   "The daemon stopped in good order.")
RECORD(refresh, "A fetch in the background, for no request of a client: an object past its lifetime is fetched while it is still being served (RFC 5861). Its origin columns count, its client columns are empty.")
RECORD(purge, "A purge over the admin socket: `target` is its kind, mode and text, `volume` where (empty: everywhere), `purge_objects` how many objects it concerned.")
