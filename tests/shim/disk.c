/* A disk with faults, for stories: a library that is loaded before the C library (LD_PRELOAD) and stands between the daemon
 * and the files of its volumes. What it does is written by the story into the page that DISK_SHIM names (tests/story/disk.py); what it did is counted there. Other files are not touched.
 *
 * A file is known by its name: `data` holds bodies, `index` is LMDB's. LMDB reads its file as memory: there is no read of it.
 * mdb_put() stands for a full map. Nothing here waits for a time: a gate is open or shut, and the story opens it. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { DATA, INDEX, FILES };
enum { READ, WRITE, SYNC, OPERATIONS };

/* As in disk.py. */
struct control {
	struct {
		_Atomic int32_t error;           /* errno to fail with; 0: none */
		_Atomic int32_t only;            /* this many operations, then no more; -1: all */
		_Atomic int64_t from, to;        /* reads and writes that touch these bytes of the file; to 0: all */
		_Atomic int64_t done, failed;    /* counted */
	} of[FILES][OPERATIONS];
	_Atomic int32_t shut;                    /* reads of data wait until it is 0; 1: what is asked for ahead too */
	_Atomic int32_t passes;                  /* so many reads do not wait although it is shut */
	_Atomic int32_t cold;                    /* reads that must not wait are told to */
	_Atomic int32_t write_most;              /* longest write of data; 0: any */
	_Atomic int32_t delay_us;                /* of each read of data that may wait: for benchmarks */
	_Atomic int32_t map_full;                /* as `only`: this many mdb_put() */
	_Atomic int32_t waiting;                 /* reads that stand before the gate */
	_Atomic int64_t ahead, map_fulls;        /* bytes that were asked for ahead; counted */
};

static struct control *control;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("DISK_SHIM");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *page = fd >= 0 ? mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;

	if (page == MAP_FAILED) {
		fprintf(stderr, "disk shim: no page DISK_SHIM=%s\n", path ? path : "");
		_exit(99);
	}
	close(fd);
	control = page;
}

/* errno survives. */
static int file_of(int fd)
{
	char link[64], name[4096];
	int err = errno, file = -1;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, name, sizeof(name) - 1);
	errno = err;
	if (n <= 0)
		return -1;
	name[n] = '\0';
	if (n > 5 && strcmp(name + n - 5, "/data") == 0)
		file = DATA;
	else if (n > 6 && strcmp(name + n - 6, "/index") == 0)
		file = INDEX;
	return file;
}

/* Takes one of a number that may run out; -1: it does not. False: none is left. */
static int take(_Atomic int32_t *number)
{
	int32_t left = atomic_load(number);

	while (left > 0 && !atomic_compare_exchange_weak(number, &left, left - 1))
		;
	return left != 0;
}

/* True: it fails, and errno says with what. */
static int fails(int fd, int operation, off_t at, size_t len)
{
	int file = file_of(fd);
	int64_t to;

	if (file < 0)
		return 0;
	atomic_fetch_add(&control->of[file][operation].done, 1);
	if (atomic_load(&control->of[file][operation].error) == 0)
		return 0;
	to = atomic_load(&control->of[file][operation].to);
	if (to > 0 && (at >= to || at + (off_t)len <= atomic_load(&control->of[file][operation].from)))
		return 0;
	if (!take(&control->of[file][operation].only))
		return 0;
	atomic_fetch_add(&control->of[file][operation].failed, 1);
	errno = atomic_load(&control->of[file][operation].error);
	return 1;
}

static void pause_us(long us)
{
	nanosleep(&(struct timespec){ us / 1000000, us % 1000000 * 1000 }, NULL);
}

static void pass_gate(void)
{
	if (atomic_load(&control->shut) && !take(&control->passes)) {
		atomic_fetch_add(&control->waiting, 1);
		while (atomic_load(&control->shut))
			pause_us(1000);
		atomic_fetch_sub(&control->waiting, 1);
	}
	if (atomic_load(&control->delay_us))
		pause_us(atomic_load(&control->delay_us));
}

static size_t total(const struct iovec *iov, int count)
{
	size_t len = 0;

	for (int i = 0; i < count; i++)
		len += iov[i].iov_len;
	return len;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t preadv64v2(int fd, const struct iovec *iov, int count, off64_t at, int flags)
{
	if (file_of(fd) == DATA) {
		if ((flags & RWF_NOWAIT) && (atomic_load(&control->cold) || atomic_load(&control->shut))) {
			errno = EAGAIN;
			return -1;
		}
		if (!(flags & RWF_NOWAIT))
			pass_gate();
	}
	return fails(fd, READ, at, total(iov, count)) ? -1 : REAL(preadv64v2)(fd, iov, count, at, flags);
}

ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t at, int flags)
{
	return preadv64v2(fd, iov, count, at, flags);
}

ssize_t readahead(int fd, off64_t at, size_t len)
{
	if (file_of(fd) == DATA) {
		atomic_fetch_add(&control->ahead, (int64_t)len);
		if (atomic_load(&control->shut) == 1)
			pass_gate();
	}
	return REAL(readahead)(fd, at, len);
}

ssize_t pwritev64(int fd, const struct iovec *iov, int count, off64_t at)
{
	size_t len = total(iov, count), most = (size_t)atomic_load(&control->write_most), done = 0;

	if (fails(fd, WRITE, at, len))
		return -1;
	if (file_of(fd) != DATA || most == 0 || len <= most)
		return REAL(pwritev64)(fd, iov, count, at);
	for (int i = 0; i < count && done < most; i++) {
		size_t part = iov[i].iov_len < most - done ? iov[i].iov_len : most - done;
		ssize_t n = pwrite64(fd, iov[i].iov_base, part, at + (off_t)done);

		if (n < 0)
			return done > 0 ? (ssize_t)done : -1;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t at)
{
	return pwritev64(fd, iov, count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at)
{
	return fails(fd, WRITE, at, len) ? -1 : REAL(pwrite64)(fd, bytes, len, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	return pwrite64(fd, bytes, len, at);
}

/* LMDB's way with several pages: lseek(), then this. */
ssize_t writev(int fd, const struct iovec *iov, int count)
{
	if (file_of(fd) >= 0 && fails(fd, WRITE, lseek(fd, 0, SEEK_CUR), total(iov, count)))
		return -1;
	return REAL(writev)(fd, iov, count);
}

int fdatasync(int fd)
{
	return fails(fd, SYNC, 0, 0) ? -1 : REAL(fdatasync)(fd);
}

int mdb_put(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data, unsigned flags)
{
	if (atomic_load(&control->map_full) && take(&control->map_full)) {
		atomic_fetch_add(&control->map_fulls, 1);
		return MDB_MAP_FULL;
	}
	return REAL(mdb_put)(txn, dbi, key, data, flags);
}
