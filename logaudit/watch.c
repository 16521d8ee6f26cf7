/* Watching. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "../conf/check.h"
#include "watch.h"

/* How late a line may be noticed without inotify. */
enum { POLL_MS = 200 };

void watch_init(struct watch *watch, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = must(slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup("."));

	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd >= 0 && inotify_add_watch(watch->fd, folder, IN_MODIFY | IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE) < 0) {
		close(watch->fd);
		watch->fd = -1;
	}
	free(folder);
}

void watch_wait(struct watch *watch, int timeout_ms)
{
	struct pollfd pollfd = { .fd = watch->fd, .events = POLLIN };
	char events[4096];

	if (watch->fd < 0) {
		poll(NULL, 0, timeout_ms < POLL_MS ? timeout_ms : POLL_MS);
		return;
	}
	if (poll(&pollfd, 1, timeout_ms) <= 0) return;
	/* What happened is found out by looking; here only that something did. */
	while (read(watch->fd, events, sizeof(events)) > 0);
}

void watch_release(struct watch *watch)
{
	if (watch->fd >= 0) close(watch->fd);
	watch->fd = -1;
}
