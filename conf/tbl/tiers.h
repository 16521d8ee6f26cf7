/* TIER(name, doc): values of the column `tier`: where the body bytes came from. */
TIER(none,   "No body bytes came from a cache or an origin.")
TIER(ram,    "All body bytes were in memory.")
TIER(disk,   "At least one body byte was read from the volume's data file.")
TIER(origin, "The bytes came from the origin, for this request or the one it was collapsed with.")
