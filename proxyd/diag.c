/* The error log. */
#include "diag.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../conf/check.h"

enum { LINE_BYTES = 2048, LIMIT_US = 10 * 1000 * 1000 };

static const char *const level_names[DIAG_LEVEL_COUNT] = {
#define X(name) #name,
	DIAG_LEVELS(X)
#undef X
};

/* The lock is for the descriptor, which a reopen closes. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = STDERR_FILENO;
static char *log_path;                   /* NULL: stderr */
static _Atomic(enum diag_level) log_level = DIAG_notice;
static atomic_bool starting = true;      /* somebody waits at stderr for how it goes */

enum diag_level diag_level_find(struct slice name, enum diag_level fallback)
{
	for (int i = 0; i < DIAG_LEVEL_COUNT; i++)
		if (slice_eq(name, slice_str(level_names[i])))
			return (enum diag_level)i;
	return fallback;
}

static int file_open(const char *path)
{
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

/* Takes the path. */
static void file_use(int fd, char *path)
{
	pthread_mutex_lock(&lock);
	if (log_fd != STDERR_FILENO)
		close(log_fd);
	if (log_path != path)
		free(log_path);
	log_fd = fd;
	log_path = path;
	pthread_mutex_unlock(&lock);
}

bool diag_open(struct slice path, enum diag_level level)
{
	char *name = path.len && !slice_eq(path, SLICE("stderr")) ? must(strndup(path.ptr, path.len)) : NULL;
	int fd = name ? file_open(name) : STDERR_FILENO;

	if (fd < 0) {
		int err = errno;
		free(name);
		errno = err;
		return false;
	}
	file_use(fd, name);
	atomic_store(&log_level, level);
	return true;
}

void diag_reopen(void)
{
	int fd;

	if (!log_path)                       /* only the main thread changes it */
		return;
	fd = file_open(log_path);
	if (fd < 0)
		diag(DIAG_error, "error_log '%s' cannot be opened again: %s; the old file is used further", log_path, strerror(errno));
	else
		file_use(fd, log_path);
}

void diag_close(void)
{
	file_use(STDERR_FILENO, NULL);
}

bool diag_is_stderr(void)
{
	return !log_path;
}

static size_t put_time(char *out, size_t size)
{
	struct timespec now;
	struct tm utc;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	len = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &utc);
	return len + (size_t)snprintf(out + len, size - len, ".%03ldZ ", now.tv_nsec / 1000000);
}

/* One message is one line, whatever a path or an address had in it. */
static void line_write(int fd, enum diag_level level, const char *text)
{
	char line[LINE_BYTES];
	bool to_stderr = fd == STDERR_FILENO;
	size_t len = to_stderr ? 0 : put_time(line, sizeof(line));
	ssize_t written;

	len += (size_t)snprintf(line + len, sizeof(line) - len, "%s", to_stderr ? "proxyd: " : "");
	if (!to_stderr || level != DIAG_notice)
		len += (size_t)snprintf(line + len, sizeof(line) - len, "%s: ", level_names[level]);
	for (; *text && len < sizeof(line) - 1; text++)
		line[len++] = (unsigned char)*text < ' ' || *text == 127 ? '?' : *text;
	line[len++] = '\n';
	written = write(fd, line, len);
	(void)written;                       /* a full disk: there is nobody left to tell */
}

void diag(enum diag_level level, const char *format, ...)
{
	char text[DIAG_TEXT_MAX];
	va_list args;

	if (level > atomic_load_explicit(&log_level, memory_order_relaxed))
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	pthread_mutex_lock(&lock);
	line_write(log_fd, level, text);
	if (log_fd != STDERR_FILENO && atomic_load(&starting))
		line_write(STDERR_FILENO, level, text);
	pthread_mutex_unlock(&lock);
}

void diag_ready(const char *format, ...)
{
	char text[DIAG_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	pthread_mutex_lock(&lock);
	line_write(STDERR_FILENO, DIAG_notice, text);
	if (log_fd != STDERR_FILENO && DIAG_notice <= atomic_load(&log_level))
		line_write(log_fd, DIAG_notice, text);
	pthread_mutex_unlock(&lock);
}

void diag_started(void)
{
	atomic_store(&starting, false);
}

bool diag_limited(struct diag_limit *limit, uint64_t now_us, uint64_t *ret_count)
{
	uint_fast64_t last = atomic_load(&limit->last_us);

	atomic_fetch_add(&limit->count, 1);
	if ((last && now_us - last < LIMIT_US) || !atomic_compare_exchange_strong(&limit->last_us, &last, now_us))
		return false;
	*ret_count = atomic_exchange(&limit->count, 0);
	return true;
}

void diag_lines(enum diag_level level, char *text)
{
	char *rest = text, *line;

	if (diag_is_stderr()) {
		fputs(text, stderr);
		return;
	}
	while ((line = strsep(&rest, "\n")))
		if (*line)
			diag(level, "%s", line);
}
