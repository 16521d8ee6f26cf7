/* MISS(name, doc, advice): why a request that could be answered from the store was not, though its answer could be stored. The
 * log does not say it: it follows from the lines before, in order of time, of the same node, key and variant. */
MISS(first,       "Nothing was stored for it before: the first of its kind in these lines.",
	"Nothing is wrong; a longer lifetime or a larger volume keeps it for the next one.")
MISS(variant,     "It was stored, but for other values of the request fields that Vary names.",
	"Let the origin name fewer fields in Vary, and only those by which the answer really differs.")
MISS(expired,     "What was stored had passed its lifetime.",
	"Send a longer max-age, or stale-while-revalidate so that nobody waits while it is renewed.")
MISS(invalidated, "A request with an unsafe method had succeeded in between, and what was stored was dropped (RFC 9111 section 4.4).",
	"Send what changes nothing with GET, or to a URL of its own.")
MISS(purged,      "It had been purged in between.",
	"Purge less widely: by tag instead of by prefix, or softly, so that the old answer serves while the new one is fetched.")
MISS(meanwhile,   "It was being fetched for another request at that moment, and this one fetched it for itself.",
	"See that `collapse` is on and that `collapse_timeout` is longer than the origin takes.")
MISS(gone,        "It was stored, its lifetime was not over, and it was there no more: evicted, or dropped by an error.",
	"Give the volume more room; see the error log of that time if it should have had enough.")
MISS(disk_late,   "It was stored, and the volume's disk did not give it in time.",
	"Use a faster disk or more `ram` for the volume; `io_threads` is how much the disk does at once, `disk_timeout` how long a request waits for it.")
