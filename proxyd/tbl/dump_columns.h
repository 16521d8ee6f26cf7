/* DUMP_COLUMN(name, KIND, expression, doc): a column of `proxyd volume dump`, in CSV and in JSON; over `o`, the object (struct
 * inspect_object), `view`, its kept head (struct stored_view), and `tool`. Append only: scripts count on it.
 * KINDS: U64, I64 (numbers), BOOL (0 or 1; true or false), TEXT (a slice). */
DUMP_COLUMN(key,          TEXT, o->key_text,                     "The key's text: the URL, and behind a line end (\\x0a) what tells variants and parts apart.")
DUMP_COLUMN(status,       U64,  o->meta.status,                  "Status of the answer.")
DUMP_COLUMN(size,         U64,  o->body_size,                    "Bytes of the body.")
DUMP_COLUMN(stored_us,    I64,  o->meta.stored_us,               "When it was stored, or confirmed by the origin: microseconds since 1970, UTC.")
DUMP_COLUMN(lifetime_us,  I64,  o->meta.lifetime_us,             "Freshness lifetime in microseconds.")
DUMP_COLUMN(expires_us,   I64,  o->meta.expires_us,              "When that is over: microseconds since 1970, UTC.")
DUMP_COLUMN(age_us,       I64,  tool->now_us - o->meta.stored_us + o->meta.age_base_us, "Its age now, as Age would say it (RFC 9111 section 4.2.3), in microseconds.")
DUMP_COLUMN(fresh,        BOOL, o->meta.expires_us > tool->now_us, "Its lifetime is not over. no_cache and purges are flags and columns of their own.")
DUMP_COLUMN(purged,       TEXT, purged_name(tool_purged(tool, o)), "soft: validated before its next use; hard: not served any more; else empty.")
DUMP_COLUMN(flags,        TEXT, slice_str(flags_text(o->meta.flags, room->flags)), "What is kept beside it, with blanks between.")
DUMP_COLUMN(lifetime_by,  TEXT, stored_lifetime_by(o->meta.flags), "Which field gave the lifetime.")
DUMP_COLUMN(tags,         TEXT, tags_text(o->meta.tags, room->tags), "Its tags, with blanks between.")
DUMP_COLUMN(extents,      U64,  o->extent_count,                 "In how many pieces the body lies on the disk.")
DUMP_COLUMN(generation,   U64,  o->generation,                   "Number of the record: the newer the higher.")
DUMP_COLUMN(content_type, TEXT, view->content_type,              "Content-Type of the answer.")
