/* TOP_ORDER(name, expression, doc): what `proxyd volume top --by` orders by; over `o`, the object, and `tool`. */
TOP_ORDER(size,     (int64_t)o->body_size,                 "bytes of the body")
TOP_ORDER(age,      tool->now_us - o->meta.stored_us,      "time since it was stored or confirmed")
TOP_ORDER(expired,  tool->now_us - o->meta.expires_us,     "time since its lifetime was over")
TOP_ORDER(lifetime, o->meta.lifetime_us,                   "freshness lifetime")
TOP_ORDER(extents,  (int64_t)o->extent_count,              "pieces on the disk")
TOP_ORDER(index,    (int64_t)o->index_bytes,               "bytes of record and head in the index")
TOP_ORDER(tags,     (int64_t)o->meta.tags.len,             "bytes of tags")
