/* The access log: record -> line -> ring -> log thread -> file. A full ring or disk loses whole lines, which the next
 * gap record counts; nothing is lost in silence and nobody waits. */
#ifndef PROXYD_ACCESS_LOG_H
#define PROXYD_ACCESS_LOG_H

#include "worker.h"
#include "../conf/logline.h"

struct access_log;
/* Opens (appending) and writes the header line. path "" : no file; records are still counted. Starts the log thread.
 * false with errno and a message in why. */
bool access_log_open(const char *path, unsigned workers, const char *node, struct access_log **ret_log, char why[256]);
/* Writes what is in the rings; ends the thread. */
void access_log_close(struct access_log **log);
/* Reopens by name (rotation); every line written after it returns goes to the new file, which begins with the header
 * line. Waits for the log thread: not for workers. */
bool access_log_reopen(struct access_log *log);
/* Returns when all lines that were made before the call are written or lost. */
void access_log_sync(struct access_log *log);
/* Before the first line: the numbers that workers have in it, the first one's and on from there; ordinal: upgrades since the
 * start. Two processes that write into one file at the same time have no number in common. */
void access_log_number(struct access_log *log, unsigned first_worker, unsigned ordinal);
struct log_ring *access_log_ring(struct access_log *log, unsigned worker);
/* Lines that all workers have lost so far. */
uint64_t access_log_lost(const struct access_log *log);

/* The only place that makes a record count: sets node, worker and seq, adds the record to worker->counters and puts its
 * line into the ring. Called by step_finish and for records of the daemon itself. */
void access_log_write(struct worker *worker, struct logline *line);
/* Records that no worker makes (start, reload, volume, stop): any thread; counted under worker number 65535. */
void access_log_note(struct access_log *log, struct logline *line);

#endif
