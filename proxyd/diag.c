/* Messages for people: the error log. */
#include "diag.h"
#include "../conf/check.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

static const char *const names[] = { "error", "warn", "notice", "info", "debug" };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = 2;
static enum diag_level threshold = DIAG_notice;
static char *log_path;

bool diag_open(struct slice path, struct slice level)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (slice_eq(level, slice_str(names[i])))
			threshold = (enum diag_level)i;
	free(log_path);
	log_path = path.len && !slice_eq(path, SLICE("stderr")) ? must(strndup(path.ptr, path.len)) : NULL;
	pthread_mutex_unlock(&lock);
	return diag_reopen();
}

bool diag_reopen(void)
{
	bool ok = true;

	pthread_mutex_lock(&lock);
	int fd = log_path ? open(log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640) : 2;
	ok = fd >= 0;
	if (ok) {
		if (log_fd > 2)
			close(log_fd);
		log_fd = fd;
	}
	pthread_mutex_unlock(&lock);
	return ok;
}

void diag(enum diag_level level, const char *format, ...)
{
	char line[1200];
	size_t len = 0;
	va_list args;

	if (level > threshold)
		return;
	pthread_mutex_lock(&lock);
	if (log_fd != 2) {
		time_t now = time(NULL);
		struct tm tm;
		len = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%SZ ", gmtime_r(&now, &tm));
	}
	len += (size_t)snprintf(line + len, sizeof(line) - len, "proxyd: %s%s", level <= DIAG_warn ? names[level] : "", level <= DIAG_warn ? ": " : "");
	va_start(args, format);
	int n = vsnprintf(line + len, sizeof(line) - len - 1, format, args);
	va_end(args);
	len = n < 0 ? len : len + (size_t)n < sizeof(line) - 1 ? len + (size_t)n : sizeof(line) - 2;
	line[len++] = '\n';
	ssize_t written = write(log_fd, line, len);
	(void)written;
	pthread_mutex_unlock(&lock);
}
