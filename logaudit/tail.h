/* Following a file that grows: line by line, across rotation by rename and by copying and truncating (copytruncate), without giving
 * a line twice or losing one. What was read is known again by device, inode and the hash of its first bytes, so that a restart
 * goes on exactly where the last run ended: in the file, in what it is called now, or in its copy, gzip or not. */
#ifndef LOGAUDIT_TAIL_H
#define LOGAUDIT_TAIL_H

#include <jansson.h>

#include "audit.h"

/* The first bytes of a log hold its header line, which all files share, and the time of its first record. */
enum { TAIL_HEAD_MAX = 4096, TAIL_EARLIER_MAX = 16 };
struct tail_head { uint64_t len, hash; };

struct tail_calls {
	/* Another file begins; path is what it is called now. */
	void (*begin)(void *arg, const char *path);
	/* One physical line without its newline, number from 1; 0: a header line that was read before. False: no more of this file. */
	bool (*line)(void *arg, struct slice text, uint64_t number, enum input_trouble trouble);
	/* What happened to the file, one sentence. */
	void (*note)(void *arg, const char *text);
	void *arg;
};

struct tail {
	const char *path;
	struct tail_calls calls;
	int fd;                          /* -1: nothing is open */
	uint64_t dev, ino;
	struct tail_head head;           /* of what is open */
	struct tail_head earlier[TAIL_EARLIER_MAX];   /* of files that were read to their end, the newest last */
	unsigned earlier_count;
	uint64_t offset;                 /* the end of the last whole line that was given */
	uint64_t number;                 /* lines of this file given */
	uint64_t header_at;              /* where its last header line begins */
	char *buf;                       /* what was read behind offset */
	size_t have;
	bool skipping;                   /* within a line that is too long and was given already */
	bool missing;                    /* the path leads nowhere: that was said */
	bool ended;                      /* line() wants no more of this file */
};

/* Begins with the file's first line; or, with a state that tail_save made, behind the last line that was given, in whatever file that is
 * now. False, with the reason in why: it cannot be read, or the state is none, or of another path. path must outlive the tail. */
bool tail_open(struct tail *tail, const char *path, const json_t *state, const struct tail_calls *calls, char why[256]);
/* Gives all lines that are there, and returns whether there were any. Half a line waits for the rest of it. */
bool tail_read(struct tail *tail);
/* The state as of the last line given. The caller frees. */
json_t *tail_save(const struct tail *tail);
void tail_close(struct tail *tail);

/* ---- tail_find.c: files of one rotated set ---- */
struct tail_file { char *path; uint64_t dev, ino, size; int64_t mtime_ns; };
struct tail_set { struct tail_file *files; size_t count; };
/* The regular files beside `path` whose names begin as its name does, without itself; the oldest first. */
void tail_set_init(struct tail_set *set, const char *path);
void tail_set_release(struct tail_set *set);
/* Of the first bytes of an open file; len 0: it has fewer than least bytes, or cannot be read. */
struct tail_head tail_head_of(int fd, uint64_t len);
/* Does this file, gzip or not, begin with these bytes? */
bool tail_file_has(const struct tail_file *file, struct tail_head head);

#endif
