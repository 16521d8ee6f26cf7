/* After a crash of the machine: the index is not trusted. A child process copies each good record of it, with its head, into
 * a new environment; damaged pages may kill the child, never us. The new one takes the old one's place. */
#include "internal.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RECORDS_PER_TXN = 1000, OUT_FD = 3, LOOK_MS = 50 };

struct salvage {
	struct env from, to;
	MDB_txn *reading, *writing;
	uint64_t in_txn, budget;
	int write_rc;                           /* the disk's or the new map's fault, not the old index's */
};

static int salvage_visit(void *arg, uint64_t generation, struct slice bytes)
{
	struct salvage *salvage = arg;
	struct record record;
	struct extent *extents;
	struct slice head;
	int rc = 0;

	if (salvage->budget-- == 0)               /* pages that point in circles */
		return MDB_CORRUPTED;
	if (!record_decode(bytes, generation, UINT32_MAX, &record))
		return 0;
	if (!txn_get_right_head(&salvage->from, salvage->reading, &record, &head))
		return 0;
	record.head = head;
	extents = record_extents(&record);
	if (!salvage->writing)
		rc = txn_begin_write(&salvage->to, &salvage->writing);
	if (rc == 0)
		rc = txn_put(&salvage->to, salvage->writing, &record, extents, true);
	if (rc == 0 && ++salvage->in_txn % RECORDS_PER_TXN == 0)
		rc = txn_commit(&salvage->writing);
	free(extents);
	if (rc == MDB_KEYEXIST)                   /* not in order: not what was written */
		return MDB_CORRUPTED;
	salvage->write_rc = rc;
	return rc;
}

/* The child's part. */
static int salvage_copy(const char *path, const char *copy, uint64_t map_bytes)
{
	struct salvage salvage = { .budget = map_bytes / 64 };
	int rc;

	if ((rc = env_make(&salvage.from, path, map_bytes, MDB_RDONLY | MDB_NOLOCK)) != 0)
		return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
	if ((rc = txn_open_tables(&salvage.from)) != 0)   /* NOTFOUND: killed before the tables were made; there is nothing */
		return MDB_CORRUPTED;
	if ((rc = env_make(&salvage.to, copy, map_bytes, MDB_NOSYNC | MDB_NOLOCK)) != 0 || (rc = txn_open_tables(&salvage.to)) != 0)
		return rc;
	if ((rc = txn_begin_read(&salvage.from, &salvage.reading)) == 0)
		rc = txn_each(&salvage.from, salvage.reading, salvage_visit, &salvage);
	/* Without the purges that are in force the objects are worth nothing. */
	if (rc == 0 && !salvage.writing)
		rc = salvage.write_rc = txn_begin_write(&salvage.to, &salvage.writing);
	if (rc == 0)
		rc = txn_copy_rules(&salvage.from, salvage.reading, &salvage.to, salvage.writing);
	if (rc == 0 && salvage.writing)
		rc = salvage.write_rc = txn_commit(&salvage.writing);
	if (rc == 0)
		rc = salvage.write_rc = mdb_env_sync(salvage.to.env, 1);
	return rc == salvage.write_rc ? rc : MDB_CORRUPTED;
}

void child_may_die(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE };
	struct rlimit no_core = { 0, 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &no_core);
	for (size_t i = 0; i < COUNT_OF(signals); i++)
		signal(signals[i], SIG_DFL);
}

/* It holds no socket and no lock open that we may want to be rid of, and it does not outlive us. */
static void child_run(const char *path, const char *copy, uint64_t map_bytes, int out)
{
	int null, rc;

	child_may_die();
	if (dup2(out, OUT_FD) < 0)
		_exit(1);
	close_range(OUT_FD + 1, UINT_MAX, 0);
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null >= 0)
		dup2(null, STDERR_FILENO);
	rc = salvage_copy(path, copy, map_bytes);
	_exit(write(OUT_FD, &rc, sizeof(rc)) == sizeof(rc) ? 0 : 1);
}

/* What the child says. The answer comes by the pipe: the program may have asked the kernel to reap its children. */
static int child_wait(pid_t pid, int fd, const atomic_bool *stop)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	int rc = 0, ready;
	ssize_t n;

	while ((ready = poll(&wait, 1, LOOK_MS)) == 0 || (ready < 0 && errno == EINTR))
		if (atomic_load(stop)) {
			kill(pid, SIGKILL);
			break;
		}
	while ((n = read(fd, &rc, sizeof(rc))) < 0 && errno == EINTR)
		;
	if (n != sizeof(rc))
		rc = MDB_CORRUPTED;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return atomic_load(stop) ? ECANCELED : rc;
}

int env_salvage(const char *path, uint64_t map_bytes, const atomic_bool *stop)
{
	char copy[PATH_ROOM + 8];
	struct stat st;
	int fds[2], rc;
	pid_t pid;

	if (stat(path, &st) != 0)
		return errno == ENOENT ? 0 : errno;
	if (st.st_size == 0)                      /* made, but nothing of it came to the disk; LMDB would write into what it may only read */
		return MDB_CORRUPTED;
	if ((uint64_t)st.st_size > map_bytes)
		map_bytes = ((uint64_t)st.st_size + 4095) / 4096 * 4096;
	snprintf(copy, sizeof(copy), "%s.new", path);
	unlink(copy);
	if (pipe2(fds, O_CLOEXEC) != 0)
		return errno;
	pid = fork();
	if (pid == 0)
		child_run(path, copy, map_bytes, fds[1]);
	rc = errno;
	close(fds[1]);
	if (pid > 0)
		rc = child_wait(pid, fds[0], stop);
	close(fds[0]);
	if (rc == 0 && rename(copy, path) != 0)
		rc = errno;
	if (rc != 0)
		unlink(copy);
	return rc;
}
