/* What a process writes below one folder, as a log: the functions by which cachestore and LMDB write are defined here, do their
 * work, and append what they did to the file descriptor that POWERCUT_LOG names. Without it they only do their work.
 *
 * The program's definitions go before those of the C library, for liblmdb.so, too. A lock makes each call and its row one: what
 * stands before a barrier in the log was written before it. A barrier is logged when it begins; a cut behind it is one
 * where it came to its end and nothing else did. */
#ifndef POWERCUT_LOG_H
#define POWERCUT_LOG_H

#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "cachestore_help.h"

enum cut_op {
	CUT_WRITE = 1,        /* file, offset, len, bytes */
	CUT_GROW,             /* file, offset: at least this size from now on */
	CUT_SIZE,             /* file, offset: exactly this size */
	CUT_BARRIER,          /* file: what was written to it is on disk */
	CUT_MAKE,             /* file, name */
	CUT_RENAME,           /* name, bytes: the new name */
	CUT_UNLINK,           /* name */
	CUT_NAMES,            /* what was done to names is on disk */
	CUT_EVENT,            /* of the test: what it was told. offset: which, len: the size of bytes */
};
struct cut_row { uint32_t op, name_len; uint64_t file, offset, len; };     /* followed by the name and len bytes */

static pthread_mutex_t cut_lock = PTHREAD_MUTEX_INITIALIZER;
static int cut_fd = -2;
static const char *cut_folder;

/* Whether it is one of ours; name: behind the folder, "" for the folder itself. */
static inline bool cut_names(const char *path, const char **name)
{
	size_t len = cut_folder ? strlen(cut_folder) : 0;

	if (len == 0 || strncmp(path, cut_folder, len) != 0 || (path[len] != '/' && path[len] != '\0'))
		return false;
	*name = path[len] == '/' ? path + len + 1 : path + len;
	return true;
}

static inline bool cut_is_on(void)
{
	if (cut_fd == -2) {
		const char *fd = getenv("POWERCUT_LOG");

		cut_folder = getenv("POWERCUT_FOLDER");
		cut_fd = fd ? atoi(fd) : -1;
	}
	return cut_fd >= 0;
}

/* The row of something done to an open file; true: it is to be logged. */
static inline bool cut_file(int fd, struct cut_row *row, char path[PATH_MAX], const char **name)
{
	char link[64];
	struct stat st;
	ssize_t n;

	if (!cut_is_on())
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_MAX - 1);
	if (n <= 0 || fstat(fd, &st) != 0)
		return false;
	path[n] = '\0';
	row->file = st.st_ino;
	return cut_names(path, name);
}

static inline void cut_append(struct cut_row *row, const char *name, const void *bytes)
{
	struct iovec iov[] = { { row, sizeof(*row) }, { (void *)name, row->name_len }, { (void *)bytes, row->len } };

	CHECK(syscall(SYS_writev, cut_fd, iov, 3) == (long)(sizeof(*row) + row->name_len + row->len));
}

static inline void cut_put(enum cut_op op, struct cut_row *row, const char *name, const void *bytes)
{
	row->op = op;
	row->name_len = (uint32_t)strlen(name);
	cut_append(row, name, bytes);
}

static inline void cut_event(uint64_t event, const void *bytes, size_t len)
{
	struct cut_row row = { .offset = event, .len = len };

	pthread_mutex_lock(&cut_lock);
	if (cut_is_on())
		cut_put(CUT_EVENT, &row, "", bytes);
	pthread_mutex_unlock(&cut_lock);
}

static inline ssize_t cut_writev(int fd, const struct iovec *iov, int count, off_t offset, bool at)
{
	char path[PATH_MAX];
	const char *name;
	struct cut_row row = { 0 };
	ssize_t n;

	pthread_mutex_lock(&cut_lock);
	if (!at)
		offset = lseek(fd, 0, SEEK_CUR);
	n = at ? syscall(SYS_pwritev, fd, iov, count, offset, 0L) : syscall(SYS_writev, fd, iov, count);
	if (n > 0 && cut_file(fd, &row, path, &name)) {
		char *bytes = must(malloc((size_t)n));
		size_t done = 0;

		for (int i = 0; done < (size_t)n; done += iov[i++].iov_len)
			memcpy(bytes + done, iov[i].iov_base, iov[i].iov_len < (size_t)n - done ? iov[i].iov_len : (size_t)n - done);
		row.offset = (uint64_t)offset;
		row.len = (uint64_t)n;
		cut_put(CUT_WRITE, &row, name, bytes);
		free(bytes);
	}
	pthread_mutex_unlock(&cut_lock);
	return n;
}

/* A child that closes all it has not asked for goes on logging. */
int close_range(unsigned first, unsigned last, int flags)
{
	unsigned kept = cut_is_on() ? (unsigned)cut_fd : last + 1;
	long rc = 0;

	if (kept < first || kept > last)
		return (int)syscall(SYS_close_range, first, last, flags);
	if (kept > first)
		rc = syscall(SYS_close_range, first, kept - 1, flags);
	return rc == 0 && kept < last ? (int)syscall(SYS_close_range, kept + 1, last, flags) : (int)rc;
}

ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	return cut_writev(fd, iov, count, offset, true);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	return cut_writev(fd, &(struct iovec){ (void *)bytes, len }, 1, offset, true);
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
	return cut_writev(fd, iov, count, 0, false);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
	return cut_writev(fd, &(struct iovec){ (void *)bytes, len }, 1, 0, false);
}

static inline int cut_resize(int fd, enum cut_op op, uint64_t size)
{
	char path[PATH_MAX];
	const char *name;
	struct cut_row row = { .offset = size };
	int rc;

	pthread_mutex_lock(&cut_lock);
	rc = (int)(op == CUT_SIZE ? syscall(SYS_ftruncate, fd, size) : syscall(SYS_fallocate, fd, 0, 0L, size));
	if (rc == 0 && cut_file(fd, &row, path, &name))
		cut_put(op, &row, name, NULL);
	pthread_mutex_unlock(&cut_lock);
	return rc;
}

int ftruncate(int fd, off_t size)
{
	return cut_resize(fd, CUT_SIZE, (uint64_t)size);
}

int posix_fallocate(int fd, off_t offset, off_t len)
{
	return cut_resize(fd, CUT_GROW, (uint64_t)(offset + len)) == 0 ? 0 : errno;
}

static inline int cut_barrier(int fd, long number)
{
	char path[PATH_MAX];
	const char *name;
	struct cut_row row = { 0 };

	pthread_mutex_lock(&cut_lock);
	if (cut_file(fd, &row, path, &name))
		cut_put(*name ? CUT_BARRIER : CUT_NAMES, &row, name, NULL);
	pthread_mutex_unlock(&cut_lock);
	return (int)syscall(number, fd);
}

int fdatasync(int fd) { return cut_barrier(fd, SYS_fdatasync); }
int fsync(int fd) { return cut_barrier(fd, SYS_fsync); }

/* New files are logged when they are made: open() tells by O_CREAT and by whether there was one. */
int open(const char *path, int flags, ...)
{
	struct cut_row row = { 0 };
	const char *name;
	struct stat st;
	bool there;
	mode_t mode = 0;
	va_list args;
	int fd;

	va_start(args, flags);
	if (flags & (O_CREAT | O_TMPFILE))
		mode = va_arg(args, mode_t);
	va_end(args);
	pthread_mutex_lock(&cut_lock);
	there = syscall(SYS_access, path, F_OK) == 0;
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	if (fd >= 0 && !there && cut_is_on() && cut_names(path, &name) && fstat(fd, &st) == 0) {
		row.file = st.st_ino;
		cut_put(CUT_MAKE, &row, name, NULL);
	}
	pthread_mutex_unlock(&cut_lock);
	return fd;
}

int rename(const char *from, const char *to)
{
	struct cut_row row = { 0 };
	const char *name, *now;
	int rc;

	pthread_mutex_lock(&cut_lock);
	rc = (int)syscall(SYS_rename, from, to);
	if (rc == 0 && cut_is_on() && cut_names(from, &name) && cut_names(to, &now)) {
		row.len = strlen(now);
		cut_put(CUT_RENAME, &row, name, now);
	}
	pthread_mutex_unlock(&cut_lock);
	return rc;
}

int unlink(const char *path)
{
	struct cut_row row = { 0 };
	const char *name;
	int rc;

	pthread_mutex_lock(&cut_lock);
	rc = (int)syscall(SYS_unlink, path);
	if (rc == 0 && cut_is_on() && cut_names(path, &name))
		cut_put(CUT_UNLINK, &row, name, NULL);
	pthread_mutex_unlock(&cut_lock);
	return rc;
}

#endif
