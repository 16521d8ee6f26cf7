/* VOLUME_WRONG(condition, text): what is wrong with a volume, for `proxyd ctl volumes`; over `s`, a struct volume_stat, and `v`,
 * its struct conf_volume. */
VOLUME_WRONG(s->failed,                              "it is set aside after an error: it serves what it has and stores nothing; the error log says why")
VOLUME_WRONG(!s->failed && s->set_aside > 0,         "it was set aside after an error, and stores again; the error log says why")
VOLUME_WRONG(s->read_errors > 0,                     "the disk refused to read bodies")
VOLUME_WRONG(s->io_late > 0 || s->io_refused > 0,    "requests did not wait for the disk, which was too slow (`disk_timeout`, `io_threads`)")
VOLUME_WRONG(v->bound == 0,                          "no site is bound to it: write `proxy_cache NAME;`")
VOLUME_WRONG(s->dropped_damaged > 0,                 "objects were damaged on disk and were dropped: `proxyd volume check` finds more of them, if there are")
VOLUME_WRONG(s->dropped_error > 0,                   "objects could not be written: the error log says why")
VOLUME_WRONG(s->purge_rules >= s->purge_rules_max,   "there is no room for more purges: purge something wider, or all, once")
