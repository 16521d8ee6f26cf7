/* MEASURE(name, KIND, heading, columns, part, whole, doc): what is told of each row of a table, in order. name: in JSON and CSV.
 * KIND: COUNT, BYTES, RATIO (part of whole) or INSTANT (microseconds since 1970). columns: the text has it when its lines are at
 * least that wide; 0: never. */
MEASURE(requests,       COUNT,   "requests",   1,   tally_requests(row),  0, "Requests.")
MEASURE(hits,           COUNT,   "hits",       1,   tally_hits(row),      0, "Answered from the store: hit, hit_stale or revalidated.")
MEASURE(hit_ratio,      RATIO,   "hit ratio",  1,   tally_hits(row),      tally_told(row), "hits / requests, less those untold.")
MEASURE(bytes,          BYTES,   "bytes",      1,   tally_bytes(row),     0, "Body bytes sent to clients.")
MEASURE(hit_bytes,      BYTES,   "hit bytes",  100, tally_hit_bytes(row), 0, "Those of the hits.")
MEASURE(byte_hit_ratio, RATIO,   "byte ratio", 1,   tally_hit_bytes(row), tally_told_bytes(row), "hit_bytes / bytes, less those untold.")
MEASURE(untold,         COUNT,   "untold",     0,   row->untold,          0, "Requests of logs that do not say what the cache did: no ratio counts them.")
MEASURE(errors,         COUNT,   "5xx",        1,   row->errors,          0, "Answers with a status of 500 or above.")
MEASURE(origin_tries,   COUNT,   "origin",     90,  row->origin_tries,    0, "How many times an origin was asked.")
MEASURE(origin_bytes_in, BYTES,   "its bytes",  110, row->origin_bytes,    0, "Body bytes read from origins.")
MEASURE(first_us,       INSTANT, "first",      0,   row->first_us,        0, "When the first of them began.")
MEASURE(last_us,        INSTANT, "last",       0,   row->last_us,         0, "When the last of them began.")
