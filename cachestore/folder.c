/* The files of a volume's folder:
 *   volume       the marker: format, how it was left (clean, dirty, damaged, doubtful), the boot it was used in; carries the lock
 *   data         blocks of bodies, preallocated
 *   index        the LMDB environment, preallocated; index-lock is LMDB's
 *   index.damaged-TIME   an index that was set aside (the newest one is kept, for a person to look at) */
#include "internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MARKER "volume"
#define NOT_EMPTY "the folder is not empty and not a volume's; give the volume a folder of its own"
static const char MAGIC[] = "cachestore volume\n", ASIDE[] = "index.damaged-";

void folder_why(char why[256], const char *path, const char *format, ...)
{
	va_list args;
	int n;

	if (!why)
		return;
	n = snprintf(why, 256, "%.160s: ", path);
	va_start(args, format);
	if (n > 0 && n < 256)
		vsnprintf(why + n, 256 - (size_t)n, format, args);
	va_end(args);
}

bool folder_path(const char *path, const char *name, char out[PATH_ROOM])
{
	int n = snprintf(out, PATH_ROOM, "%s/%s", path, name);

	return n > 0 && n < PATH_ROOM;
}

static void boot_read(char boot[40])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, boot, 36) : -1;

	if (fd >= 0)
		close(fd);
	boot[n > 0 ? n : 0] = '\0';
}

/* Nothing but our files may be in it: a volume must not be laid into somebody's home. */
static bool folder_is_empty(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *file;
	bool empty = true;

	while (dir && (file = readdir(dir)))
		if (strcmp(file->d_name, ".") != 0 && strcmp(file->d_name, "..") != 0 && strcmp(file->d_name, "lost+found") != 0)
			empty = false;
	if (dir)
		closedir(dir);
	return empty;
}

static enum store_err open_error(int error)
{
	switch (error) {
	case ENOENT: case ENOTDIR: case ENAMETOOLONG: return STORE_NO_FOLDER;
	case EACCES: case EPERM: case EROFS: return STORE_NO_ACCESS;
	case ENOSPC: case EDQUOT: return STORE_NO_SPACE;
	default: return STORE_SYSTEM;
	}
}

static enum store_err refused(const char *path, int error, char why[256])
{
	enum store_err err = open_error(error);

	folder_why(why, path, "%s", strerror(error));
	return err;
}

/* The marker's lines; an empty marker is one whose maker was killed at once. */
static enum store_err marker_read(struct folder *folder, char why[256])
{
	char text[257] = "", boot[40] = "", state[16] = "", now[40];
	ssize_t n = pread(folder->marker_fd, text, sizeof(text) - 1, 0);
	unsigned format = 0;

	if (n < 0) {
		folder_why(why, folder->path, "reading the file '%s': %s", MARKER, strerror(errno));
		return STORE_SYSTEM;
	}
	if (n == 0) {
		folder->fresh = true;
		return STORE_OK;
	}
	if (!slice_starts(slice_make(text, (size_t)n), SLICE("cachestore volume\n"))) {
		folder_why(why, folder->path, "the file '%s' is not a volume's", MARKER);
		return STORE_NOT_VOLUME;
	}
	if (sscanf(text + sizeof(MAGIC) - 1, "format %u\nstate %15s\nboot %39s", &format, state, boot) < 1 || format != FORMAT_VERSION) {
		folder_why(why, folder->path, "the folder holds a volume of format version %u, this program reads and writes version %d: "
			"give the volume another folder, or remove this one to begin with an empty volume", format, FORMAT_VERSION);
		return STORE_VERSION;
	}
	boot_read(now);
	memcpy(folder->left, state, sizeof(folder->left));
	folder->clean = strcmp(state, "clean") == 0;
	folder->damaged = strcmp(state, "damaged") == 0;
	folder->same_boot = now[0] != '\0' && strcmp(boot, now) == 0 && strcmp(state, "doubtful") != 0;
	return STORE_OK;
}

enum store_err folder_open(struct folder *folder, const char *path, char why[256])
{
	char file[PATH_ROOM];
	enum store_err err;
	bool exists;

	*folder = (struct folder){ .path = path, .marker_fd = -1, .data_fd = -1 };
	if (!folder_path(path, "index.damaged-99999999T999999", file) || !folder_path(path, MARKER, file)) {
		folder_why(why, path, "the path is too long");
		return STORE_NO_FOLDER;
	}
	if (mkdir(path, 0750) != 0 && errno != EEXIST)
		goto refused;
	exists = access(file, F_OK) == 0;
	if (!exists && !folder_is_empty(path)) {
		folder_why(why, path, NOT_EMPTY);
		return STORE_NOT_VOLUME;
	}
	if ((folder->marker_fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0640)) < 0)
		goto refused;
	/* The lock is on the inode: another path to the same folder, in this process too, meets it. */
	if (flock(folder->marker_fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK)
			goto refused;
		folder_why(why, path, "%s", store_strerror(STORE_IN_USE));
		return STORE_IN_USE;
	}
	if ((err = marker_read(folder, why)) != STORE_OK)
		return err;
	if (!folder_path(path, "data", file) || (folder->data_fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0640)) < 0)
		goto refused;
	return STORE_OK;
refused:
	return refused(path, errno, why);
}

/* ---- without a change ---- */

/* It would be made: in a folder that there is. */
static enum store_err probe_parent(const char *path, char parent[PATH_ROOM], char why[256])
{
	const char *slash = strrchr(path, '/');

	snprintf(parent, PATH_ROOM, "%.*s", slash ? slash == path ? 1 : (int)(slash - path) : 1, slash ? path : ".");
	if (faccessat(AT_FDCWD, parent, W_OK | X_OK, AT_EACCESS) == 0)
		return STORE_OK;
	return refused(path, errno, why);
}

static enum store_err probe_marker(const char *path, char why[256])
{
	struct folder folder = { .path = path, .marker_fd = -1, .data_fd = -1 };
	char file[PATH_ROOM];
	enum store_err err;

	if (!folder_path(path, MARKER, file) || (folder.marker_fd = open(file, O_RDONLY | O_CLOEXEC)) < 0) {
		if (errno != ENOENT)
			return refused(path, errno, why);
		if (folder_is_empty(path))
			return STORE_OK;
		folder_why(why, path, NOT_EMPTY);
		return STORE_NOT_VOLUME;
	}
	err = marker_read(&folder, why);
	folder_close(&folder);
	return err;
}

static uint64_t file_bytes(const char *path, const char *name)
{
	char file[PATH_ROOM];
	struct stat st;

	return folder_path(path, name, file) && stat(file, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

enum store_err folder_probe(const char *path, uint64_t bytes, char why[256])
{
	static const char *const names[] = { "", MARKER, "data", "index" };
	char parent[PATH_ROOM], file[PATH_ROOM];
	enum store_err err;
	struct statvfs fs;
	struct stat st;
	uint64_t have;

	if (stat(path, &st) != 0) {
		if (errno != ENOENT)
			return refused(path, errno, why);
		if ((err = probe_parent(path, parent, why)) != STORE_OK)
			return err;
		path = parent;
	} else {
		if (!S_ISDIR(st.st_mode))
			return refused(path, ENOTDIR, why);
		if ((err = probe_marker(path, why)) != STORE_OK)
			return err;
		for (size_t i = 0; i < COUNT_OF(names); i++)
			if (folder_path(path, names[i], file) && faccessat(AT_FDCWD, file, W_OK, AT_EACCESS) != 0 && errno != ENOENT)
				return refused(path, errno, why);
	}
	have = file_bytes(path, "data") + file_bytes(path, "index");
	if (statvfs(path, &fs) != 0)
		return refused(path, errno, why);
	if (bytes <= have || (bytes - have) / fs.f_frsize <= fs.f_bavail)
		return STORE_OK;
	folder_why(why, path, "no room on the disk for the size of the volume: %llu bytes are needed, %llu are free",
		(unsigned long long)(bytes - have), (unsigned long long)(fs.f_bavail * fs.f_frsize));
	return STORE_NO_SPACE;
}

/* For those who only look: nothing is made, locked or changed. */
enum store_err folder_look(struct folder *folder, const char *path, char why[256])
{
	char file[PATH_ROOM];
	enum store_err err;

	*folder = (struct folder){ .path = path, .marker_fd = -1, .data_fd = -1 };
	if (access(path, F_OK) != 0 || !folder_path(path, MARKER, file))
		goto refused;
	if ((folder->marker_fd = open(file, O_RDONLY | O_CLOEXEC)) < 0 && errno == ENOENT) {
		folder_why(why, path, "the folder is not a volume's: it has no file '%s'", MARKER);
		return STORE_NOT_VOLUME;
	}
	if (folder->marker_fd < 0)
		goto refused;
	if ((err = marker_read(folder, why)) != STORE_OK)
		return err;
	if (!folder_path(path, "data", file) || (folder->data_fd = open(file, O_RDONLY | O_CLOEXEC)) < 0)
		goto refused;
	return STORE_OK;
refused:
	return refused(path, errno, why);
}

enum store_err folder_mark(struct folder *folder, const char *state)
{
	char text[256], boot[40];
	int n;

	boot_read(boot);
	n = snprintf(text, sizeof(text), "%sformat %d\nstate %s\nboot %s\n", MAGIC, FORMAT_VERSION, state, boot[0] ? boot : "-");
	while (n < (int)sizeof(text) - 1)
		text[n++] = '\n';                 /* always one size: nothing of a longer text stays behind */
	if (pwrite(folder->marker_fd, text, (size_t)n, 0) != n)
		return open_error(errno);
	return fdatasync(folder->marker_fd) == 0 ? STORE_OK : open_error(errno);
}

/* fallocate would take all there is before it fails; so the room is asked for first, and given back if it was not enough. */
static int file_allocate(int fd, uint64_t bytes)
{
	struct statvfs fs;
	struct stat st;
	int error;

	if (fstat(fd, &st) != 0 || fstatvfs(fd, &fs) != 0)
		return errno;
	if (bytes > (uint64_t)st.st_blocks * 512 && (bytes - (uint64_t)st.st_blocks * 512) / fs.f_frsize > fs.f_bavail)
		return ENOSPC;
	do
		error = posix_fallocate(fd, 0, (off_t)bytes);
	while (error == EINTR);
	if (error != 0 && ftruncate(fd, st.st_size) != 0)
		return error;
	return error == EFBIG ? ENOSPC : error;
}

enum store_err folder_allocate(struct folder *folder, const char *name, uint64_t bytes, char why[256])
{
	char file[PATH_ROOM];
	int fd = -1, error;

	if (!folder_path(folder->path, name, file))
		return STORE_NO_FOLDER;
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	error = fd < 0 ? errno : file_allocate(fd, bytes);
	if (fd >= 0)
		close(fd);
	if (error == 0)
		return STORE_OK;
	folder_why(why, folder->path, error == ENOSPC || error == EDQUOT ? "no room on the disk for the size of the volume (%s, %llu bytes): %s"
		: "making the file '%s' (%llu bytes): %s", name, (unsigned long long)bytes, strerror(error));
	return open_error(error);
}

static int sync_names(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error = fd < 0 || fsync(fd) != 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	return error;
}

int folder_sync(struct folder *folder)
{
	char parent[PATH_ROOM];
	int error = sync_names(folder->path);

	/* A folder above that may not be read is not ours to care for. */
	if (error == 0 && folder->fresh && folder_path(folder->path, "..", parent) && (error = sync_names(parent)) == EACCES)
		error = 0;
	return error;
}

int folder_shrink_data(struct folder *folder, uint64_t bytes)
{
	struct stat st;

	if (fstat(folder->data_fd, &st) != 0)
		return errno;
	if ((uint64_t)st.st_size > bytes && ftruncate(folder->data_fd, (off_t)bytes) != 0)
		return errno;
	return 0;
}

static void aside_remove(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *file;

	while (dir && (file = readdir(dir)))
		if (strncmp(file->d_name, ASIDE, sizeof(ASIDE) - 1) == 0)
			unlinkat(dirfd(dir), file->d_name, 0);
	if (dir)
		closedir(dir);
}

int folder_set_aside(struct folder *folder)
{
	char from[PATH_ROOM], to[PATH_ROOM], name[64], lock[PATH_ROOM];
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	snprintf(name, sizeof(name), "%s%04d%02d%02dT%02d%02d%02d", ASIDE, (tm.tm_year + 1900) % 10000, tm.tm_mon + 1, tm.tm_mday,
		tm.tm_hour, tm.tm_min, tm.tm_sec);
	if (!folder_path(folder->path, "index", from) || !folder_path(folder->path, name, to)
		|| !folder_path(folder->path, "index-lock", lock))
		return ENAMETOOLONG;
	aside_remove(folder->path);               /* one at a time: they are not part of the volume's size */
	unlink(lock);
	return rename(from, to) == 0 || errno == ENOENT ? 0 : errno;
}

void folder_remove_all(struct folder *folder)
{
	static const char *const names[] = { "data", "index", "index-lock", "limbo", MARKER };
	char file[PATH_ROOM];

	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (folder_path(folder->path, names[i], file))
			unlink(file);
}

/* ---- two processes ----
 * flock on the marker: who writes. A range lock on its first byte, shared: who reads, though another process writes. */

static struct flock readers_lock(short type)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };
}

bool folder_share(struct folder *folder)
{
	struct flock lock = readers_lock(F_RDLCK);

	return fcntl(folder->marker_fd, F_OFD_SETLK, &lock) == 0 && flock(folder->marker_fd, LOCK_UN) == 0;
}

bool folder_take_back(struct folder *folder)
{
	struct flock lock = readers_lock(F_UNLCK);

	return flock(folder->marker_fd, LOCK_EX | LOCK_NB) == 0 && fcntl(folder->marker_fd, F_OFD_SETLK, &lock) == 0;
}

/* When it cannot be found out there may be one. */
bool folder_has_readers(const struct folder *folder)
{
	struct flock lock = readers_lock(F_WRLCK);

	return fcntl(folder->marker_fd, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

void folder_close(struct folder *folder)
{
	if (folder->data_fd >= 0)
		close(folder->data_fd);
	if (folder->marker_fd >= 0)
		close(folder->marker_fd);
	folder->data_fd = folder->marker_fd = -1;
}
