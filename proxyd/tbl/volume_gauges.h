/* VOLUME_GAUGE(name, kind, expression, doc): the same for each volume (label volume); over `s`, a struct volume_stat, and
 * `v`, its struct conf_volume. */
VOLUME_GAUGE(objects,         gauge,   s->objects,         "Objects in the volume.")
VOLUME_GAUGE(live_bytes,      gauge,   s->live_bytes,      "Bytes of the data file in use.")
VOLUME_GAUGE(size_bytes,      gauge,   v->size,           "Size the volume was given.")
VOLUME_GAUGE(ram_bytes,       gauge,   s->ram_bytes,       "Bytes of bodies and heads kept in memory.")
VOLUME_GAUGE(fill_bytes,      gauge,   s->fill_bytes,      "Bytes of bodies being fetched or waiting to be written.")
VOLUME_GAUGE(bound_sites,     gauge,   v->bound,          "Sites bound to the volume.")
VOLUME_GAUGE(failed,          gauge,   s->failed,          "1 when the volume was set aside after an error.")
VOLUME_GAUGE(stored_total,    counter, s->stored,          "Objects that were committed.")
VOLUME_GAUGE(evicted_total,   counter, s->evicted,         "Objects that had to leave.")
VOLUME_GAUGE(damaged_total,   counter, s->dropped_damaged, "Objects dropped since their checksum was wrong.")
VOLUME_GAUGE(errors_total,    counter, s->dropped_error,   "Objects dropped since they could not be written.")
VOLUME_GAUGE(commits_total,   counter, s->commits,         "Commits of the index.")
