/* OWNER_GAUGE(name, expression, doc): of each level with a quota (labels volume and owner); over `o`, a struct owner_stat. */
OWNER_GAUGE(live_bytes,  o->live_bytes,  "Bytes of the volume that objects stored from there take.")
OWNER_GAUGE(quota_bytes, o->quota_bytes, "Its quota: while it has more, its objects leave first when room is needed.")
