/* The file of the access log: header line, partial writes, full disks. */
#include "log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIPE_PATIENCE_MS = 1000, TORN_LOOKS = 20 };

void log_file_init(struct log_file *file, const char *path)
{
	*file = (struct log_file){ .path = must(strdup(path)), .fd = -1 };
	file->header = must(malloc(LOG_LINE_MAX));
	file->header_len = logline_write_header(file->header);
	file->torn = must(malloc(LOG_LINE_MAX));
}

void log_file_release(struct log_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	free(file->path);
	free(file->header);
	free(file->torn);
	*file = (struct log_file){ .fd = -1 };
}

/* Reading is only for the look at what is there. A pipe is opened so that neither the open nor a write waits for whoever
 * reads it. */
static int file_open(const char *path, struct stat *ret_st)
{
	int flags = O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, fd;

	if (strcmp(path, "-") == 0)
		path = "/dev/stdout";
	if (stat(path, ret_st) == 0 && S_ISFIFO(ret_st->st_mode))
		flags |= O_NONBLOCK;
	fd = open(path, O_RDWR | flags, 0640);
	if (fd < 0 && errno != ENOENT)
		fd = open(path, O_WRONLY | flags, 0640);
	if (fd >= 0 && fstat(fd, ret_st) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Each file begins with the header line; one of another schema gets a new one where the new lines begin. */
static bool header_is_there(const struct log_file *file, int fd, off_t size)
{
	char *begin;
	bool same;

	if (size < (off_t)file->header_len)
		return false;
	begin = must(malloc(file->header_len));
	same = pread(fd, begin, file->header_len, 0) == (ssize_t)file->header_len && memcmp(begin, file->header, file->header_len) == 0;
	free(begin);
	return same;
}

bool log_file_open(struct log_file *file)
{
	struct stat st;
	int fd = file_open(file->path, &st);
	char last = '\n';

	if (fd < 0)
		return false;
	if (file->fd >= 0)
		close(file->fd);
	file->fd = fd;
	file->regular = S_ISREG(st.st_mode);
	file->header_due = !file->regular || !header_is_there(file, fd, st.st_size);
	file->torn_len = 0;
	/* A crash of the machine may leave half a line: the next one must not become its end. Or somebody is writing it just now. */
	for (int i = 0; i < TORN_LOOKS && file->regular && fstat(fd, &st) == 0 && st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) == 1
			&& last != '\n'; i++)
		usleep(1000);
	if (last != '\n') {
		file->torn[0] = '\n';
		file->torn_len = 1;
	}
	return true;
}

/* Bytes written: less than len when the system refuses more. */
static size_t bytes_write(struct log_file *file, const struct iovec *pieces, int count)
{
	struct iovec left[LOG_FILE_PIECES_MAX], *at = left;
	size_t total = 0;
	ssize_t n;

	CHECK(count <= LOG_FILE_PIECES_MAX);
	memcpy(left, pieces, (size_t)count * sizeof(*pieces));
	while (count > 0) {
		n = writev(file->fd, at, count);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			struct pollfd room = { .fd = file->fd, .events = POLLOUT };
			if (poll(&room, 1, PIPE_PATIENCE_MS) > 0)
				continue;
		}
		if (n <= 0)
			break;
		total += (size_t)n;
		while (count > 0 && (size_t)n >= at->iov_len) {
			n -= (ssize_t)at->iov_len;
			at++, count--;
		}
		if (count > 0) {
			at->iov_base = (char *)at->iov_base + n;
			at->iov_len -= (size_t)n;
		}
	}
	return total;
}

/* The end of the last whole line in the first `len` bytes of a piece. */
static size_t lines_end(const char *piece, size_t len)
{
	const char *newline = len ? memrchr(piece, '\n', len) : NULL;

	return newline ? (size_t)(newline + 1 - piece) : 0;
}

/* The first `written` bytes of the pieces are in the file and end within a line. It is cut off; where that cannot be, its
 * rest is kept to be written first. Returns where the whole lines end. */
static size_t line_mend(struct log_file *file, const struct iovec *pieces, size_t written)
{
	size_t before = 0, inside, whole, rest;
	struct stat st;

	while (before + pieces->iov_len <= written) {
		before += pieces->iov_len;
		pieces++;
	}
	inside = written - before;
	whole = lines_end(pieces->iov_base, inside);
	if (whole == inside)
		return written;
	if (file->regular && fstat(file->fd, &st) == 0 && st.st_size >= (off_t)(inside - whole)
			&& ftruncate(file->fd, st.st_size - (off_t)(inside - whole)) == 0)
		return before + whole;
	const char *from = (const char *)pieces->iov_base + inside;
	const char *newline = memchr(from, '\n', pieces->iov_len - inside);
	CHECK(newline);
	rest = (size_t)(newline + 1 - from);
	CHECK(rest <= LOG_LINE_MAX);
	memcpy(file->torn, from, rest);
	file->torn_len = rest;
	return written + rest;
}

/* The end of a torn line, then the header, when they are due. */
static bool begin_write(struct log_file *file)
{
	struct iovec header = { file->header, file->header_len };

	if (file->torn_len) {
		struct iovec torn = { file->torn, file->torn_len };
		size_t written = bytes_write(file, &torn, 1);

		file->torn_len -= written;
		memmove(file->torn, file->torn + written, file->torn_len);
		if (file->torn_len)
			return false;
	}
	if (file->header_due) {
		size_t written = bytes_write(file, &header, 1);

		if (written < header.iov_len && written > 0)
			written = line_mend(file, &header, written);
		file->header_due = written < header.iov_len;
	}
	return !file->header_due && !file->torn_len;
}

size_t log_file_write(struct log_file *file, const struct iovec *pieces, int count)
{
	size_t total = 0, written;

	if (file->fd < 0 || !begin_write(file) || count == 0)
		return 0;
	for (int i = 0; i < count; i++)
		total += pieces[i].iov_len;
	written = bytes_write(file, pieces, count);
	return written == total || written == 0 ? written : line_mend(file, pieces, written);
}
