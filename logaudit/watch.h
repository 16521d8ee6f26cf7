/* Waiting until something happens in a folder: inotify where it works, else a short sleep. */
#ifndef LOGAUDIT_WATCH_H
#define LOGAUDIT_WATCH_H

struct watch { int fd; };       /* -1: without inotify (a file system or a limit that forbids it) */

/* path: a file; its folder is watched, so that a rotation is seen, too. */
void watch_init(struct watch *watch, const char *path);
/* Returns when something changed, a signal came, or the time is over. */
void watch_wait(struct watch *watch, int timeout_ms);
void watch_release(struct watch *watch);

#endif
