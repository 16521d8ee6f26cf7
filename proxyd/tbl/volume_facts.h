/* VOLUME_FACT(name, expression): what `proxyd ctl volumes` says beside the rows of volume_gauges.h: members of volume_stat that are
 * no metrics; over `s`, a struct volume_stat. */
VOLUME_FACT(data_bytes,      s->data_bytes)
VOLUME_FACT(queue_bytes,     s->queue_bytes)
VOLUME_FACT(gets,            s->gets)
VOLUME_FACT(hits_ram,        s->hits_ram)
VOLUME_FACT(hits_disk,       s->hits_disk)
VOLUME_FACT(puts,            s->puts)
VOLUME_FACT(commit_us_p50,   s->commit_us_p50)
VOLUME_FACT(commit_us_p99,   s->commit_us_p99)
VOLUME_FACT(commit_us_max,   s->commit_us_max)
VOLUME_FACT(purge_rules_max, s->purge_rules_max)
VOLUME_FACT(unstored_bytes,  s->lost[STORE_LOSS_disk_full].bytes + s->lost[STORE_LOSS_disk_error].bytes + s->lost[STORE_LOSS_index_full].bytes + s->lost[STORE_LOSS_volume_failed].bytes)
