/* The file of the access log: whole lines or none. The log thread's own. */
#ifndef PROXYD_LOG_FILE_H
#define PROXYD_LOG_FILE_H

#include <sys/types.h>
#include <sys/uio.h>

#include "../conf/check.h"
#include "../conf/logline.h"

struct log_file {
	char *path;
	int fd;                              /* -1: none */
	bool regular;
	bool header_due;                     /* nothing may be written before the header line is */
	char *header;
	size_t header_len;
	char *torn;                          /* the rest of a line whose beginning is in the file and cannot be cut off */
	size_t torn_len;
};

/* path "-": the standard output. */
void log_file_init(struct log_file *file, const char *path);
void log_file_release(struct log_file *file);
/* Opens the file by its name, and closes the one before. False with errno: the one before stays. */
bool log_file_open(struct log_file *file);

enum { LOG_FILE_PIECES_MAX = 256 };
/* Writes the pieces, each a run of whole lines. Returns how many of their bytes are in the file: less than all when the
 * system refuses more, and then the rest is the caller's to count as lost. Ends at the end of a line. */
size_t log_file_write(struct log_file *file, const struct iovec *pieces, int count);

#endif
