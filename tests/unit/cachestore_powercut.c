/* Power cuts. A child works in a volume while powercut_log.h logs what it writes. Then the disk is what it was after a cut at a
 * random place of the log: all that was followed by a barrier of its file, and a part of the rest, some of it torn. On
 * that the next child works, and so on: IMAGES lives of one volume, each of which has to
 *   - open; set the index aside only when nothing had been acknowledged yet (the first start was cut), and drop no record
 *   - serve no wrong byte, no wrong head, and nothing that a purge took, if the purge was acknowledged
 *   - have what was acknowledged, and go on storing
 * Now and then a life begins with an empty disk.
 * Names are on disk when the folder is synced; what was done to them since is there up to some point, in order.
 *   SEED=7 IMAGES=200 build/unit/cachestore_powercut */
#include "powercut_log.h"

#include <sys/mman.h>
#include <sys/wait.h>

enum { KEYS = 120, GROUPS = 8, FILES_MAX = 64, NAME_MAX_LEN = 64, SECTOR = 512, PAGE = 4096, IMAGES_DEFAULT = 30 };
enum { EVENT_OPENED = 1, EVENT_FLUSHED, EVENT_SYNCED, EVENT_PURGING, EVENT_PURGED };

/* What must be and must not be there: seeds are numbers of puts, in order. */
struct promise {
	uint64_t due[KEYS];                     /* this one or a newer one; 0: nothing */
	uint64_t floor[GROUPS];                 /* none up to this one */
	uint64_t purging[GROUPS];               /* up to this one: may be gone */
	uint64_t seed;                          /* the last one ever given out */
	uint64_t told;                          /* acknowledged so far, of this life */
};
struct report { uint64_t set_aside, found, damaged, evicted, seed; };

static const char *self;

static size_t size_of(uint64_t seed)
{
	return (size_t)(seed * 2654435761u % 40000) * (seed % 11 == 0 ? 10 : 1);
}

static uint64_t turn(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return *random >> 11;
}

static void key_text(char text[32], uint64_t key)
{
	snprintf(text, 32, "g%llu/key %llu", (unsigned long long)(key % GROUPS), (unsigned long long)key);
}

#define WRONG(...) do { fprintf(stderr, "wrong: " __VA_ARGS__); fputc('\n', stderr); exit(1); } while (0)

/* ---- the child ---- */

static void judge(struct volume *volume, const struct promise *promise, struct report *report)
{
	for (uint64_t key = 0; key < KEYS; key++) {
		uint64_t seed = 0, due = promise->due[key];
		struct object *object;
		char text[32];

		key_text(text, key);
		if ((object = help_get(volume, text))) {
			seed = (uint64_t)object_meta(object)->stored_us;
			if (seed % KEYS != key || seed > promise->seed || !help_is(object, seed, size_of(seed)))
				WRONG("damaged bytes of %s, seed %llu", text, (unsigned long long)seed);
			object_unref(&object);
			report->found++;
		}
		if (seed > 0 && seed <= promise->floor[key % GROUPS])
			WRONG("%s, seed %llu, was purged by %llu", text, (unsigned long long)seed, (unsigned long long)promise->floor[key % GROUPS]);
		if (seed < due)
			WRONG("%s, seed %llu, is lost; there is %llu", text, (unsigned long long)due, (unsigned long long)seed);
	}
}

static void synced(void *arg, enum store_err err)
{
	CHECK(err == STORE_OK);
	help_done(arg);
}

static void purged(void *arg, enum store_err err, uint64_t objects)
{
	(void)objects;
	CHECK(err == STORE_OK);
	help_done(arg);
}

static void purge(struct volume *volume, uint64_t seed, uint64_t group)
{
	uint64_t event[] = { seed, group };
	struct help_wait wait = HELP_WAIT;
	char text[16];

	snprintf(text, sizeof(text), "g%llu/", (unsigned long long)group);
	cut_event(EVENT_PURGING, event, sizeof(event));
	CHECK(volume_purge(volume, &(struct store_purge){ PURGE_PREFIX, false, slice_str(text) }, purged, &wait) == STORE_OK);
	help_join(&wait);
	cut_event(EVENT_PURGED, event, sizeof(event));
}

static uint64_t work(struct volume *volume, uint64_t seed, uint64_t puts, uint64_t *random)
{
	struct help_wait wait = HELP_WAIT;
	char text[32];

	while (puts-- > 0) {
		seed++;
		key_text(text, seed % KEYS);
		CHECK(help_put(volume, text, seed, size_of(seed)) == STORE_OK);
		switch (turn(random) % 40) {
		case 0: case 1: case 2: case 3:
			volume_flush(volume);
			cut_event(EVENT_FLUSHED, &seed, sizeof(seed));
			break;
		case 4: case 5:
			volume_sync(volume, synced, &wait);
			help_join(&wait);
			cut_event(EVENT_SYNCED, &seed, sizeof(seed));
			break;
		case 6:
			purge(volume, seed, turn(random) % GROUPS);
			break;
		default:
			break;
		}
	}
	return seed;
}

static struct volume *begin(const struct store_config *config, struct report *report)
{
	struct volume *volume = NULL;
	char why[256] = "";
	enum store_err err = volume_open(config, &volume, why);

	if (err != STORE_OK && err != STORE_DAMAGED)
		WRONG("it does not open: %s", why);
	report->set_aside += err == STORE_DAMAGED;
	return volume;
}

static void told(void *arg, const struct store_event *event)
{
	(void)arg;
	fprintf(stderr, "%s\n", event->text);
}

static int child(const char *path, const char *promise_path, uint64_t random)
{
	struct store_config config = help_config(path, 16 * MB);
	struct promise promise;
	struct report report = { 0 };
	struct volume *volume;
	int fd = open(promise_path, O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0 && read(fd, &promise, sizeof(promise)) == sizeof(promise));
	config.event = told;
	config.batch_us = 2000;
	volume = begin(&config, &report);
	cut_event(EVENT_OPENED, "", 0);
	judge(volume, &promise, &report);
	report.seed = work(volume, promise.seed, 20 + turn(&random) % 150, &random);
	report.damaged = help_stat(volume).dropped_damaged;
	report.evicted = help_stat(volume).evicted;
	if (turn(&random) % 3 == 0) {
		volume_close(&volume);
		volume = begin(&config, &report);
		report.seed = work(volume, report.seed, turn(&random) % 20, &random);
	}
	CHECK(write(STDOUT_FILENO, &report, sizeof(report)) == sizeof(report));
	_exit(0);
}

/* ---- the disk ---- */

struct file { uint64_t inode; char name[NAME_MAX_LEN]; char *bytes; size_t size; };      /* name "": none has it any more */
struct disk { struct file files[FILES_MAX]; size_t count; };

static struct file *file_of(struct disk *disk, uint64_t inode)
{
	for (size_t i = 0; i < disk->count; i++)
		if (disk->files[i].inode == inode)
			return &disk->files[i];
	CHECK(disk->count < FILES_MAX);
	disk->files[disk->count] = (struct file){ .inode = inode };
	return &disk->files[disk->count++];
}

static void file_resize(struct file *file, size_t size)
{
	file->bytes = must(realloc(file->bytes, size + 1));
	if (size > file->size)
		memset(file->bytes + file->size, 0, size - file->size);
	file->size = size;
}

static void file_write(struct file *file, uint64_t at, const char *bytes, size_t len)
{
	if (at + len > file->size)
		file_resize(file, at + len);
	memcpy(file->bytes + at, bytes, len);
}

static void name_free(struct disk *disk, const char *name, size_t len)
{
	for (size_t i = 0; i < disk->count; i++)
		if (strlen(disk->files[i].name) == len && memcmp(disk->files[i].name, name, len) == 0)
			disk->files[i].name[0] = '\0';
}

/* One page in a few that were on their way is torn at a sector. */
static void write_in_part(struct file *file, const struct cut_row *row, const char *bytes, unsigned percent, size_t unit, uint64_t *random)
{
	for (uint64_t at = 0; at < row->len;) {
		uint64_t end = (row->offset + at) / unit * unit + unit - row->offset, len;

		if (end > row->len)
			end = row->len;
		len = end - at;
		if (turn(random) % 100 < percent) {
			if (percent < 100 && len > SECTOR && turn(random) % 8 == 0)
				len = (1 + turn(random) % (len / SECTOR)) * SECTOR;
			file_write(file, row->offset + at, bytes + at, len);
		}
		at = end;
	}
}

struct log { char *bytes; size_t size, count, room; struct { struct cut_row row; const char *name, *bytes; bool done; } *rows; };

static void log_load(struct log *log, int fd)
{
	struct stat st;

	CHECK(fstat(fd, &st) == 0);
	log->size = (size_t)st.st_size;
	log->bytes = log->size ? mmap(NULL, log->size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
	CHECK(log->bytes != MAP_FAILED);
	for (size_t at = 0; at < log->size;) {
		if (log->count == log->room) {
			log->room = log->room ? log->room * 2 : 1024;
			log->rows = must(realloc(log->rows, log->room * sizeof(*log->rows)));
		}
		memcpy(&log->rows[log->count].row, log->bytes + at, sizeof(struct cut_row));
		log->rows[log->count].name = log->bytes + at + sizeof(struct cut_row);
		log->rows[log->count].bytes = log->rows[log->count].name + log->rows[log->count].row.name_len;
		log->rows[log->count].done = false;
		at += sizeof(struct cut_row) + log->rows[log->count].row.name_len + log->rows[log->count].row.len;
		log->count++;
	}
}

static void log_release(struct log *log)
{
	if (log->bytes)
		munmap(log->bytes, log->size);
	free(log->rows);
}

/* Marks what is followed by its barrier, up to `cut`. Backwards: which files have had one is then known. */
static void log_settle(struct log *log, size_t cut)
{
	uint64_t synced_files[FILES_MAX];
	size_t count = 0;
	bool names = false;

	for (size_t i = cut; i-- > 0;) {
		const struct cut_row *row = &log->rows[i].row;
		bool is_name = row->op == CUT_MAKE || row->op == CUT_RENAME || row->op == CUT_UNLINK, has = false;

		for (size_t j = 0; j < count; j++)
			has |= synced_files[j] == row->file;
		log->rows[i].done = is_name ? names : has;
		names |= row->op == CUT_NAMES;
		if (row->op == CUT_BARRIER && !has) {
			CHECK(count < FILES_MAX);
			synced_files[count++] = row->file;
		}
	}
}

struct chance { unsigned percent; size_t unit; uint64_t *random; bool names; };

static void disk_apply(struct disk *disk, const struct log *log, size_t at, struct chance *chance)
{
	const struct cut_row *row = &log->rows[at].row;
	const char *name = log->rows[at].name;
	bool done = log->rows[at].done, lucky = done || turn(chance->random) % 100 < chance->percent;
	struct file *file;

	switch ((enum cut_op)row->op) {
	case CUT_WRITE:
		write_in_part(file_of(disk, row->file), row, log->rows[at].bytes, done ? 100 : chance->percent, done ? SIZE_MAX / 2 : chance->unit, chance->random);
		break;
	case CUT_GROW: case CUT_SIZE:
		file = file_of(disk, row->file);
		if (lucky && (row->op == CUT_SIZE || row->offset > file->size))
			file_resize(file, row->offset);
		break;
	case CUT_MAKE: case CUT_RENAME: case CUT_UNLINK:
		chance->names &= lucky;           /* in order: none without the one before */
		if (!chance->names)
			break;
		if (row->op == CUT_MAKE) {
			CHECK(row->name_len < NAME_MAX_LEN);
			file = file_of(disk, row->file);
			file->size = 0;
			memcpy(file->name, name, row->name_len);
			file->name[row->name_len] = '\0';
		} else if (row->op == CUT_UNLINK) {
			name_free(disk, name, row->name_len);
		} else {
			CHECK(row->len < NAME_MAX_LEN);
			name_free(disk, log->rows[at].bytes, row->len);
			for (size_t i = 0; i < disk->count; i++)
				if (strlen(disk->files[i].name) == row->name_len && memcmp(disk->files[i].name, name, row->name_len) == 0) {
					memcpy(disk->files[i].name, log->rows[at].bytes, row->len);
					disk->files[i].name[row->len] = '\0';
				}
		}
		break;
	case CUT_BARRIER: case CUT_NAMES: case CUT_EVENT:
		break;
	}
}

/* Puts the disk where the volume is, as it is found at the next start of the machine. */
static void disk_write(struct disk *disk, const char *path, uint64_t *random)
{
	size_t kept = 0;
	struct stat st;
	char file[PATH_MAX];

	help_remove(path);
	CHECK(mkdir(path, 0750) == 0);
	for (size_t i = 0; i < disk->count; i++) {
		struct file *one = &disk->files[i];
		char *boot = one->size > 0 && strcmp(one->name, "volume") == 0 ? memmem(one->bytes, one->size, "\nboot ", 6) : NULL;
		int fd;

		if (boot)                         /* another boot: what the file says is not the machine's any more */
			memcpy(boot + 6, "00000000", 8);
		if (strcmp(one->name, "index-lock") == 0)       /* LMDB writes it by a map: anything may be in it */
			file_resize(one, 8192);
		for (size_t at = 0; strcmp(one->name, "index-lock") == 0 && at < one->size; at++)
			one->bytes[at] = (char)turn(random);
		if (!*one->name) {
			free(one->bytes);
			continue;
		}
		snprintf(file, sizeof(file), "%s/%s", path, one->name);
		fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
		CHECK(fd >= 0 && fstat(fd, &st) == 0 && pwrite(fd, one->bytes ? one->bytes : "", one->size, 0) == (ssize_t)one->size);
		close(fd);
		disk->files[kept] = *one;
		disk->files[kept++].inode = st.st_ino;
	}
	disk->count = kept;
}

/* ---- what was acknowledged before the cut ---- */

static void promise_due(struct promise *promise, uint64_t until)
{
	for (uint64_t seed = promise->told + 1; seed <= until; seed++)
		if (seed > promise->purging[seed % KEYS % GROUPS])
			promise->due[seed % KEYS] = seed;
	if (until > promise->told)
		promise->told = until;
}

/* volume_flush() counts when a barrier of the index began after it came back: the last commit's meta page may wait for that. */
static void promise_take(struct promise *promise, const struct log *log, size_t cut)
{
	uint64_t flushed = 0, event[2];

	for (size_t i = 0; i < cut; i++) {
		const struct cut_row *row = &log->rows[i].row;

		if (row->op == CUT_BARRIER && row->name_len == 5 && memcmp(log->rows[i].name, "index", 5) == 0)
			promise_due(promise, flushed);
		if (row->op != CUT_EVENT)
			continue;
		memcpy(event, log->rows[i].bytes, row->len);
		switch (row->offset) {
		case EVENT_FLUSHED: flushed = event[0]; break;
		case EVENT_SYNCED: promise_due(promise, event[0]); break;
		case EVENT_PURGING:
			promise->purging[event[1]] = event[0];
			for (uint64_t key = 0; key < KEYS; key++)
				if (key % GROUPS == event[1])
					promise->due[key] = 0;
			break;
		case EVENT_PURGED: promise->floor[event[1]] = event[0]; break;
		default: break;
		}
	}
}

/* ---- the lives ---- */

static size_t cut_choose(const struct log *log, bool fresh, uint64_t *random)
{
	size_t opened = 0;

	while (opened < log->count && !(log->rows[opened].row.op == CUT_EVENT && log->rows[opened].row.offset == EVENT_OPENED))
		opened++;
	switch (turn(random) % (fresh ? 3 : 10)) {
	case 0: case 1: return turn(random) % (opened + 1);           /* while it starts */
	case 2: return log->count;
	default: return opened + turn(random) % (log->count - opened + 1);
	}
}

static struct report life_run(const char *path, const char *promise_path, const char *log_path, uint64_t random)
{
	struct report report;
	char number[32], fd_text[32];
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	CHECK(pipe(fds) == 0);
	snprintf(number, sizeof(number), "%llu", (unsigned long long)random);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		int fd = fcntl(open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600), F_DUPFD, 100);   /* out of the way of others */

		snprintf(fd_text, sizeof(fd_text), "%d", fd);
		setenv("POWERCUT_LOG", fd_text, 1);
		setenv("POWERCUT_FOLDER", path, 1);
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		execl(self, self, "child", path, promise_path, number, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	n = read(fds[0], &report, sizeof(report));
	close(fds[0]);
	CHECK(waitpid(pid, &status, 0) == pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(n, sizeof(report));
	return report;
}

static void promise_write(const struct promise *promise, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0 && write(fd, promise, sizeof(*promise)) == sizeof(*promise));
	close(fd);
}

/* Everything between a life and the next: where it is cut, what the disk has then, what must be there. */
static void cut(struct disk *disk, struct promise *promise, const char *path, const char *log_path, uint64_t *random)
{
	static const unsigned percents[] = { 10, 50, 90 };
	struct chance chance = { percents[turn(random) % 3], turn(random) % 2 ? PAGE : SECTOR, random, true };
	struct log log = { 0 };
	size_t at;
	int fd = open(log_path, O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	log_load(&log, fd);
	close(fd);
	at = cut_choose(&log, disk->count == 0, random);
	log_settle(&log, at);
	promise_take(promise, &log, at);
	for (size_t i = 0; i < at; i++)
		disk_apply(disk, &log, i, &chance);
	disk_write(disk, path, random);
	log_release(&log);
}

static void disk_clear(struct disk *disk, struct promise *promise, const char *path)
{
	for (size_t i = 0; i < disk->count; i++)
		free(disk->files[i].bytes);
	disk->count = 0;
	*promise = (struct promise){ .seed = promise->seed };
	help_remove(path);
}

static uint64_t due_count(const struct promise *promise)
{
	uint64_t due = 0;

	for (uint64_t key = 0; key < KEYS; key++)
		due += promise->due[key] > 0;
	return due;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void nothing_damaged_is_served_and_nothing_acknowledged_lost(void **state)
{
	static struct disk disk;
	char *base = help_folder(), path[600], promise_path[600], log_path[600];
	uint64_t images = setting("IMAGES", IMAGES_DEFAULT), seed = setting("SEED", 1), random = seed * 0x9e3779b97f4a7c15u | 1;
	uint64_t found = 0, due = 0, aside = 0;
	struct promise promise = { 0 };
	(void)state;

	snprintf(path, sizeof(path), "%s/v", base);
	snprintf(promise_path, sizeof(promise_path), "%s/promise", base);
	snprintf(log_path, sizeof(log_path), "%s/log", base);
	for (uint64_t image = 0; image <= images; image++) {
		struct report report;

		promise.told = promise.seed;
		promise_write(&promise, promise_path);
		due += due_count(&promise);
		report = life_run(path, promise_path, log_path, turn(&random));
		if (report.damaged > 0 || (report.set_aside > 0 && due_count(&promise) > 0))
			fprintf(stderr, "wrong: image %llu of seed %llu: %llu damaged records, index set aside %llu times\n", (unsigned long long)image,
				(unsigned long long)seed, (unsigned long long)report.damaged, (unsigned long long)report.set_aside);
		assert_true(report.set_aside == 0 || due_count(&promise) == 0);
		assert_int_equal(report.damaged, 0);
		assert_int_equal(report.evicted, 0);
		aside += report.set_aside;
		found += report.found;
		cut(&disk, &promise, path, log_path, &random);
		promise.seed = report.seed;
		if (turn(&random) % 10 == 0)
			disk_clear(&disk, &promise, path);
	}
	print_message("power cut: seed %llu: %llu images: %llu opened with all records, %llu with an index that had never been whole; %llu "
		"objects found right, of which %llu had to be there\n", (unsigned long long)seed, (unsigned long long)images,
		(unsigned long long)(images - aside), (unsigned long long)aside, (unsigned long long)found, (unsigned long long)due);
	assert_true(found >= due && due > 0);
	disk_clear(&disk, &promise, path);
	help_remove(base);
	free(base);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(nothing_damaged_is_served_and_nothing_acknowledged_lost) };

	self = argv[0];
	if (argc == 5 && strcmp(argv[1], "child") == 0)
		return child(argv[2], argv[3], strtoull(argv[4], NULL, 10));
	return cmocka_run_group_tests_name("cachestore: power cut", tests, NULL, NULL);
}
