/* Reading: zlib passes plain files through and unpacks gzip ones; lines are cut out of one buffer. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "../conf/check.h"
#include "../conf/logline.h"
#include "input.h"

/* Read at once: large enough that zlib reads plain files straight into the buffer. */
enum { READ_BYTES = 256 * 1024, GZ_BYTES = 64 * 1024 };

struct lines {
	char *buf;
	size_t have;                     /* bytes in buf */
	uint64_t number;                 /* of the last line given */
	bool skipping;                   /* within a line that is too long and was given already */
	input_line_fn *fn;
	void *arg;
};

static bool give(struct lines *lines, struct slice text, enum input_trouble trouble)
{
	lines->number++;
	return lines->fn(lines->arg, text, lines->number, trouble);
}

/* Gives the whole lines of the buffer and moves the rest to its front. */
static bool give_lines(struct lines *lines)
{
	char *at = lines->buf, *end = lines->buf + lines->have, *newline;

	while ((newline = memchr(at, '\n', (size_t)(end - at)))) {
		struct slice text = slice_make(at, (size_t)(newline - at));
		at = newline + 1;
		if (lines->skipping) lines->skipping = false;
		else if (!give(lines, text, text.len < LOG_LINE_MAX ? INPUT_none : INPUT_too_long)) return false;
	}
	lines->have = (size_t)(end - at);
	if (lines->skipping) lines->have = 0;
	if (lines->have >= LOG_LINE_MAX) {
		if (!give(lines, slice_make(at, LOG_LINE_MAX), INPUT_too_long)) return false;
		lines->skipping = true;
		lines->have = 0;
	}
	memmove(lines->buf, at, lines->have);
	return true;
}

static bool read_all(gzFile gz, struct lines *lines, char why[256])
{
	for (;;) {
		int n = gzread(gz, lines->buf + lines->have, READ_BYTES), code = 0;
		if (n > 0) {
			lines->have += (size_t)n;
			if (!give_lines(lines)) return true;
			continue;
		}
		const char *message = gzerror(gz, &code);
		if (code == Z_OK || code == Z_STREAM_END) break;
		snprintf(why, 256, "%s", code == Z_ERRNO ? strerror(errno) : code == Z_BUF_ERROR ? "the gzip file is cut short" : message);
		return false;
	}
	if (lines->have) give(lines, slice_make(lines->buf, lines->have), INPUT_no_newline);
	return true;
}

bool input_read(const char *path, input_line_fn *fn, void *arg, char why[256])
{
	struct lines lines = { .fn = fn, .arg = arg };
	bool is_stdin = strcmp(path, "-") == 0, ok = false;
	int fd = is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	gzFile gz = NULL;

	if (fd < 0 || fstat(fd, &st) != 0) {
		snprintf(why, 256, "%s", strerror(errno));
		goto out;
	}
	if (S_ISDIR(st.st_mode)) {
		snprintf(why, 256, "%s", strerror(EISDIR));
		goto out;
	}
	gz = must(gzdopen(fd, "rb"));
	fd = -1;
	gzbuffer(gz, GZ_BYTES);
	lines.buf = must(malloc(LOG_LINE_MAX + READ_BYTES));
	ok = read_all(gz, &lines, why);
out:
	if (fd >= 0) close(fd);
	if (gz) gzclose(gz);
	free(lines.buf);
	return ok;
}
