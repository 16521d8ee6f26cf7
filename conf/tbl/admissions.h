/* ADMISSION(name, doc): values of `admission`: what is stored in a volume. The first one is the default. */
ADMISSION(all,        "Every answer that may be stored.")
ADMISSION(second_hit, "What is asked for a second time while the first is remembered; with over=SIZE this concerns only bodies larger than that, or of unknown size.")
