/* The pid file. */
#include "pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../conf/check.h"

enum { PATH_BYTES = 4096 };

/* Who ends removes the file before the lock goes: between our open and our lock it may have become a file without a name,
 * which nobody would find. */
static bool still_has_name(int fd, const char *name)
{
	struct stat mine, named;

	return fstat(fd, &mine) == 0 && stat(name, &named) == 0 && mine.st_dev == named.st_dev && mine.st_ino == named.st_ino;
}

/* The file, locked; -1 with errno, which is EAGAIN when another process has it. */
static int locked_open(const char *name)
{
	for (;;) {
		int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644), err;

		if (fd < 0)
			return -1;
		struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
		if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
			err = errno;
			close(fd);
			errno = err;
			return -1;
		}
		if (still_has_name(fd, name))
			return fd;
		close(fd);
	}
}

bool pid_file_write(const struct pid_file *file)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	return file->fd < 0 || (ftruncate(file->fd, 0) == 0 && pwrite(file->fd, text, (size_t)len, 0) == len);
}

bool pid_file_take(struct slice path, int inherited, struct pid_file *ret_file, char why[256])
{
	char name[PATH_BYTES];
	int fd;

	if (path.len == 0)
		return true;
	snprintf(name, sizeof(name), "%.*s", SLICE_ARG(path));
	if (inherited >= 0) {                     /* locked, and of the old process until it is written */
		*ret_file = (struct pid_file){ must(strdup(name)), inherited };
		return true;
	}
	fd = locked_open(name);
	if (fd >= 0 && fchmod(fd, 0644) == 0 && pid_file_write(&(struct pid_file){ name, fd })) {
		*ret_file = (struct pid_file){ must(strdup(name)), fd };
		return true;
	}
	snprintf(why, 256, "pid '%.150s': %s", name, errno == EAGAIN || errno == EACCES ? "another proxyd is running with it" : strerror(errno));
	if (fd >= 0)
		close(fd);
	return false;
}

void pid_file_give(struct pid_file *file)
{
	char text[32] = "";

	if (file->fd < 0)
		return;
	/* Handed over: it is the new process' now. */
	if (pread(file->fd, text, sizeof(text) - 1, 0) > 0 && strtol(text, NULL, 10) != (long)getpid())
		goto out;
	/* The user that the daemon has become may not be allowed to remove it: it is emptied, and unlocked in any case. */
	if (unlink(file->path) == 0 || ftruncate(file->fd, 0) == 0)
		errno = 0;
out:
	close(file->fd);
	free(file->path);
	*file = (struct pid_file){ NULL, -1 };
}

pid_t pid_file_read(struct slice path, char why[256])
{
	char name[PATH_BYTES], text[32] = "";
	long pid;
	int fd;

	snprintf(name, sizeof(name), "%.*s", SLICE_ARG(path));
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		snprintf(why, 256, "no proxyd is running: pid file '%.150s': %s", name, strerror(errno));
		return 0;
	}
	pid = pread(fd, text, sizeof(text) - 1, 0) > 0 ? strtol(text, NULL, 10) : 0;
	/* Asks who holds it, without holding it for a moment itself: a daemon that starts just then must not be turned away. */
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	if (fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK || pid < 2) {
		snprintf(why, 256, "no proxyd is running: nobody holds the pid file '%.150s'", name);
		pid = 0;
	}
	close(fd);
	return (pid_t)pid;
}
