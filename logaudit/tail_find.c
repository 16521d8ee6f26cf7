/* Files of one rotated set: access.csv, access.csv.1, access.csv.2.gz, access.csv-20261124. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zlib.h>

#include "tail.h"

struct tail_head tail_head_of(int fd, uint64_t len)
{
	char bytes[TAIL_HEAD_MAX];
	uint64_t want = len < TAIL_HEAD_MAX ? len : TAIL_HEAD_MAX, have = 0;

	while (have < want) {
		ssize_t n = pread(fd, bytes + have, want - have, (off_t)have);
		if (n <= 0) return (struct tail_head){ 0 };
		have += (uint64_t)n;
	}
	return (struct tail_head){ have, XXH3_64bits(bytes, have) };
}

bool tail_file_has(const struct tail_file *file, struct tail_head head)
{
	char bytes[TAIL_HEAD_MAX];
	/* A pipe of the same name must not be waited for. */
	int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	gzFile gz;
	int n;

	if (fd < 0 || head.len == 0 || head.len > sizeof(bytes)) {
		if (fd >= 0) close(fd);
		return false;
	}
	gz = must(gzdopen(fd, "rb"));
	n = gzread(gz, bytes, (unsigned)head.len);
	gzclose(gz);
	return n == (int)head.len && XXH3_64bits(bytes, head.len) == head.hash;
}

/* The number in access.csv.12.gz, or -1. */
static long turn_of(const struct tail_file *file)
{
	const char *end = file->path + strlen(file->path), *at;

	if (end - file->path > 3 && strcmp(end - 3, ".gz") == 0) end -= 3;
	for (at = end; at > file->path && at[-1] >= '0' && at[-1] <= '9'; at--);
	return at < end && end - at < 9 && at > file->path && at[-1] == '.' ? atol(at) : -1;
}

/* Files that were written last in one tick of the kernel's clock: a larger number is older, a later date younger. */
static int by_age(const void *a, const void *b)
{
	const struct tail_file *x = a, *y = b;
	long m = turn_of(x), n = turn_of(y);

	if (x->mtime_ns != y->mtime_ns) return x->mtime_ns < y->mtime_ns ? -1 : 1;
	if (m >= 0 && n >= 0 && m != n) return m > n ? -1 : 1;
	return strcmp(x->path, y->path);
}

static void set_add(struct tail_set *set, const char *folder, const char *name)
{
	char *path = NULL;
	struct stat st;

	CHECK(asprintf(&path, "%s/%s", folder, name) >= 0);
	if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
		free(path);
		return;
	}
	set->files = must(realloc(set->files, (set->count + 1) * sizeof(*set->files)));
	set->files[set->count++] = (struct tail_file){ path, st.st_dev, st.st_ino, (uint64_t)st.st_size,
		(int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec };
}

void tail_set_init(struct tail_set *set, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char *folder = must(slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup("."));
	DIR *dir = opendir(folder);
	size_t len = strlen(name);

	*set = (struct tail_set){ 0 };
	for (const struct dirent *entry; dir && (entry = readdir(dir));)
		if (strncmp(entry->d_name, name, len) == 0 && entry->d_name[len]) set_add(set, folder, entry->d_name);
	if (dir) closedir(dir);
	if (set->count) qsort(set->files, set->count, sizeof(*set->files), by_age);
	free(folder);
}

void tail_set_release(struct tail_set *set)
{
	for (size_t i = 0; i < set->count; i++) free(set->files[i].path);
	free(set->files);
	*set = (struct tail_set){ 0 };
}
