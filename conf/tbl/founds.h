/* FOUND(name, doc): values of the column `found`: how the client's address was found. */
FOUND(peer,      "It is the address of the connection's other end.")
FOUND(forwarded, "From X-Forwarded-For, read right to left past the trusted proxies.")
