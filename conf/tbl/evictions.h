/* EVICTION(name, doc): values of `eviction`: who leaves a volume that is full. The first one is the default. */
EVICTION(lrfu,       "What was used least, by a count of uses that fades (half of it in eight times as many requests as there are objects), a large object being taken for somewhat less used than a small one; the count outlives the object.")
EVICTION(lrfu_small, "The same with much more weight on size: the most requests answered, at the price of bytes.")
EVICTION(s3fifo,     "S3-FIFO: a small queue for what is new, a main one for what was used there or comes back soon.")
EVICTION(sieve,      "SIEVE: one queue, and a hand that spares what was used since it last came by.")
EVICTION(lru,        "What was not used for the longest time.")
