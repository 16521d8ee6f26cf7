/* DIFF(name, WORSE, points, part, whole, doc): a share that diff compares; part and whole are counts of struct side.
 * WORSE: UP or DOWN. points: the least difference, in points of a hundred, that is worth a word, however sure it is. */
DIFF(hit_ratio,      DOWN, 1, hits,          requests, "requests that the store answered (hit, hit_stale, revalidated)")
DIFF(errors,         UP,   1, errors,        requests, "answers with status 5xx")
DIFF(refused,        UP,   1, refused,       requests, "requests that were refused")
DIFF(unfinished,     UP,   1, unfinished,    requests, "requests that did not end complete, those that the client left aside")
DIFF(origin_failed,  UP,   1, origin_failed, asked,    "of requests that asked an origin, those that failed or got 5xx")
DIFF(slow_hits,      UP,   5, slow_hits,     timed_hits,   "hits whose first byte took more than twice as long as that of 90 of 100 before, and more than a millisecond")
DIFF(slow_misses,    UP,   5, slow_misses,   timed_misses, "the same of requests that asked an origin")
