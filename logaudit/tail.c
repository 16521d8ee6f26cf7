/* Following: what is read is given only after the file's first bytes have been found to be the same still, so that a file that was cut
 * and grew again is never taken for the one before. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "tail.h"

enum { CHUNK = 256 * 1024, STATE_VERSION = 1 };

__attribute__((format(printf, 2, 3)))
static void note(struct tail *tail, const char *format, ...)
{
	va_list args;
	char text[512];

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	tail->calls.note(tail->calls.arg, text);
}

/* ---- lines ---- */

static void give(struct tail *tail, struct slice text, enum input_trouble trouble)
{
	tail->number++;
	if (!tail->ended && !tail->calls.line(tail->calls.arg, text, tail->number, trouble)) tail->ended = true;
}

/* Gives the whole lines of the buffer. offset moves behind them, even within a line that is too long: the rest of it is skipped. */
static bool give_lines(struct tail *tail)
{
	char *at = tail->buf, *end = tail->buf + tail->have, *newline;
	uint64_t before = tail->number;

	while ((newline = memchr(at, '\n', (size_t)(end - at)))) {
		struct slice text = slice_make(at, (size_t)(newline - at));
		if (tail->skipping) tail->skipping = false;
		else {
			if (slice_starts(text, SLICE("rec/"))) tail->header_at = tail->offset;
			give(tail, text, text.len < LOG_LINE_MAX ? INPUT_none : INPUT_too_long);
		}
		tail->offset += text.len + 1;
		at = newline + 1;
	}
	tail->have = (size_t)(end - at);
	if (!tail->skipping && tail->have >= LOG_LINE_MAX) {
		give(tail, slice_make(at, LOG_LINE_MAX), INPUT_too_long);
		tail->skipping = true;
	}
	if (tail->skipping) {
		tail->offset += tail->have;
		tail->have = 0;
	}
	memmove(tail->buf, at, tail->have);
	return tail->number != before;
}

/* The file ends for good: half a line at its end is none. */
static void give_rest(struct tail *tail)
{
	if (tail->have) give(tail, slice_make(tail->buf, tail->have), INPUT_no_newline);
	tail->have = 0;
}

/* ---- one file ---- */

static void begin(struct tail *tail, const char *name)
{
	struct stat st;

	tail->offset = tail->number = tail->header_at = 0;
	tail->have = 0;
	tail->skipping = tail->ended = false;
	/* At once: it must be known again, though nothing of it may be read before the next look. */
	tail->head = fstat(tail->fd, &st) == 0 ? tail_head_of(tail->fd, (uint64_t)st.st_size) : (struct tail_head){ 0 };
	tail->calls.begin(tail->calls.arg, name);
}

static void remember(struct tail *tail)
{
	if (!tail->head.len) return;
	if (tail->earlier_count == TAIL_EARLIER_MAX) {
		memmove(tail->earlier, tail->earlier + 1, sizeof(tail->earlier[0]) * (TAIL_EARLIER_MAX - 1));
		tail->earlier_count--;
	}
	tail->earlier[tail->earlier_count++] = tail->head;
}

static bool was_read(const struct tail *tail, const struct tail_file *file)
{
	for (unsigned i = 0; i < tail->earlier_count; i++)
		if (tail_file_has(file, tail->earlier[i])) return true;
	return tail_file_has(file, tail->head);
}

static bool open_path(struct tail *tail, char why[256])
{
	struct stat st;
	int fd = open(tail->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st) != 0) {
		snprintf(why, 256, "%s", strerror(errno));
		if (fd >= 0) close(fd);
		return false;
	}
	if (!S_ISREG(st.st_mode)) {
		snprintf(why, 256, "%s", S_ISDIR(st.st_mode) ? strerror(EISDIR) : "only a regular file can be followed");
		close(fd);
		return false;
	}
	if (tail->fd >= 0) close(tail->fd);
	tail->fd = fd;
	tail->dev = st.st_dev;
	tail->ino = st.st_ino;
	return true;
}

/* Is what is open what it was: not cut, and beginning with the same bytes? */
static bool is_same(const struct tail *tail)
{
	struct stat st;
	struct tail_head now;

	if (fstat(tail->fd, &st) != 0 || (uint64_t)st.st_size < tail->offset + tail->have) return false;
	if (!tail->head.len) return true;
	now = tail_head_of(tail->fd, tail->head.len);
	return now.len == tail->head.len && now.hash == tail->head.hash;
}

/* Reads what is open to its end. False: it was cut, and what was read last is not given. */
static bool drain(struct tail *tail, bool *any)
{
	for (;;) {
		ssize_t n = pread(tail->fd, tail->buf + tail->have, CHUNK, (off_t)(tail->offset + tail->have));
		if (!is_same(tail)) return false;
		if (n <= 0) return true;
		tail->have += (size_t)n;
		if (tail->head.len < TAIL_HEAD_MAX) tail->head = tail_head_of(tail->fd, tail->offset + tail->have);
		*any |= give_lines(tail);
	}
}

/* Reads a file of the set, gzip or not, from where we are to its end. */
static void read_file(struct tail *tail, const struct tail_file *file)
{
	gzFile gz = gzopen(file->path, "rbe");
	int n;

	if (!gz || (tail->offset && gzseek(gz, (z_off_t)tail->offset, SEEK_SET) < 0)) {
		note(tail, "%.200s cannot be read: lines are missing", file->path);
		if (gz) gzclose(gz);
		return;
	}
	tail->have = 0;
	while ((n = gzread(gz, tail->buf + tail->have, CHUNK)) > 0) {
		tail->have += (size_t)n;
		give_lines(tail);
	}
	if (n < 0) note(tail, "%.200s is damaged: lines are missing", file->path);
	gzclose(gz);
	give_rest(tail);
}

static bool is_open(const struct tail *tail, const struct tail_file *file)
{
	return file->dev == tail->dev && file->ino == tail->ino;
}

/* Files that came and went after what was read before, from that number in the set on, until the one that is open, if it is there. */
static void read_between(struct tail *tail, const struct tail_set *set, size_t from)
{
	for (size_t i = from; i < set->count && !is_open(tail, &set->files[i]); i++) {
		const struct tail_file *file = &set->files[i];
		int fd;
		if (was_read(tail, file)) continue;
		note(tail, "%.200s is read, too: it was rotated meanwhile", file->path);
		begin(tail, file->path);
		fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		tail->head = fd >= 0 ? tail_head_of(fd, file->size) : (struct tail_head){ 0 };
		if (fd >= 0) close(fd);
		read_file(tail, file);
		remember(tail);
	}
}

/* What was open, or was when the state was kept, among the rotated ones: by its inode, which a renamed one keeps, else by its first bytes (a copy, or gzip). The
 * newest of them: a cut file's copy is younger than copies that somebody made before. count: it is not there. */
static size_t find_rotated(const struct tail_set *set, struct tail_head head, uint64_t dev, uint64_t ino, bool by_inode)
{
	for (size_t i = set->count; i-- > 0;)
		if (by_inode ? set->files[i].dev == dev && set->files[i].ino == ino && (!head.len || tail_file_has(&set->files[i], head))
			: tail_file_has(&set->files[i], head)) return i;
	return set->count;
}

/* What was open is the newest of the rotated ones, or gone. */
static void leave(struct tail *tail)
{
	struct tail_set set;
	struct stat st;
	int64_t written_ns;
	size_t from = 0;

	give_rest(tail);
	remember(tail);
	if (fstat(tail->fd, &st) != 0) return;
	written_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	tail_set_init(&set, tail->path);
	while (from < set.count && !is_open(tail, &set.files[from])) from++;
	/* Not there any more: gzip has made another of it, which has its time. */
	if (from++ == set.count) for (from = 0; from < set.count && set.files[from].mtime_ns < written_ns; from++);
	read_between(tail, &set, from);
	tail_set_release(&set);
}

/* The file was cut: what we had not read yet is in its copy, if there is one. */
static void leave_cut(struct tail *tail)
{
	struct tail_set set;
	size_t i;

	tail_set_init(&set, tail->path);
	i = find_rotated(&set, tail->head, 0, 0, false);
	if (i < set.count) {
		note(tail, "%.200s was copied and cut; the copy was read to its end", tail->path);
		read_file(tail, &set.files[i]);
	} else {
		note(tail, "%.200s was cut, and no copy of it is beside it: lines written just before may be missing", tail->path);
	}
	remember(tail);
	read_between(tail, &set, i < set.count ? i + 1 : i);
	tail_set_release(&set);
}

bool tail_read(struct tail *tail)
{
	char why[256];
	struct stat st;
	bool any = false;

	for (;;) {
		if (!drain(tail, &any)) {
			leave_cut(tail);
			begin(tail, tail->path);
			any = true;
			continue;
		}
		if (stat(tail->path, &st) != 0) {
			if (!tail->missing) note(tail, "%.200s is gone: waiting for it to come back", tail->path);
			tail->missing = true;
			return any;
		}
		if (tail->missing) note(tail, "%.200s is back", tail->path);
		tail->missing = false;
		/* A new file that is empty yet: who writes may still use the one before. */
		if ((st.st_dev == tail->dev && st.st_ino == tail->ino) || st.st_size == 0) return any;
		/* What was written between the last look and the renaming. */
		if (!drain(tail, &any)) continue;
		leave(tail);
		if (!open_path(tail, why)) {
			note(tail, "%.200s: %s", tail->path, why);
			return any;
		}
		begin(tail, tail->path);
		any = true;
	}
}

/* ---- beginning, states ---- */

static json_t *head_json(struct tail_head head)
{
	char hash[32];

	snprintf(hash, sizeof(hash), "%016" PRIx64, head.hash);
	return must(json_pack("{s:I, s:s}", "len", (json_int_t)head.len, "hash", hash));
}

json_t *tail_save(const struct tail *tail)
{
	json_t *earlier = must(json_array());

	for (unsigned i = 0; i < tail->earlier_count; i++) json_array_append_new(earlier, head_json(tail->earlier[i]));
	return must(json_pack("{s:i, s:s, s:I, s:I, s:o, s:I, s:I, s:I, s:b, s:o}", "version", STATE_VERSION, "path", tail->path, "device",
		(json_int_t)tail->dev, "inode", (json_int_t)tail->ino, "head", head_json(tail->head), "offset", (json_int_t)tail->offset,
		"lines", (json_int_t)tail->number, "header_at", (json_int_t)tail->header_at, "skipping", tail->skipping, "earlier", earlier));
}

static bool head_take(const json_t *object, struct tail_head *ret_head)
{
	const char *hash = json_string_value(json_object_get(object, "hash"));
	json_int_t len = json_integer_value(json_object_get(object, "len"));
	char *end;

	if (!hash || strlen(hash) != 16 || len < 0 || len > TAIL_HEAD_MAX) return false;
	*ret_head = (struct tail_head){ (uint64_t)len, strtoull(hash, &end, 16) };
	return *end == 0;
}

static bool state_take(struct tail *tail, const json_t *state, json_int_t *ret_dev, json_int_t *ret_ino)
{
	json_int_t version, offset, lines, header_at;
	json_t *head, *earlier, *row, *copy = must(json_deep_copy(state));
	const char *path;
	int skipping = 0;
	size_t i;
	bool ok = json_unpack(copy, "{s:I, s:s, s:I, s:I, s:o, s:I, s:I, s:I, s:b, s:o}", "version", &version, "path", &path, "device", ret_dev, "inode", ret_ino,
		"head", &head, "offset", &offset, "lines", &lines, "header_at", &header_at, "skipping", &skipping, "earlier", &earlier) == 0
		&& version == STATE_VERSION && strcmp(path, tail->path) == 0 && offset >= 0 && lines >= 0 && header_at >= 0 && header_at <= offset
		&& json_is_array(earlier) && json_array_size(earlier) <= TAIL_EARLIER_MAX && head_take(head, &tail->head);

	if (ok) json_array_foreach(earlier, i, row) ok = ok && head_take(row, &tail->earlier[tail->earlier_count++]);
	if (ok) {
		tail->offset = (uint64_t)offset;
		tail->number = (uint64_t)lines;
		tail->header_at = (uint64_t)header_at;
		tail->skipping = skipping;
	}
	json_decref(copy);
	return ok;
}

/* The columns are those of the last header line before where we go on: it is given again, and counts as no line. */
static void give_header(struct tail *tail, const char *path)
{
	gzFile gz = gzopen(path, "rbe");
	int n = gz && gzseek(gz, (z_off_t)tail->header_at, SEEK_SET) >= 0 ? gzread(gz, tail->buf, LOG_LINE_MAX) : 0;
	const char *newline = n > 0 ? memchr(tail->buf, '\n', (size_t)n) : NULL;

	if (newline) tail->calls.line(tail->calls.arg, slice_make(tail->buf, (size_t)(newline - tail->buf)), 0, INPUT_none);
	if (gz) gzclose(gz);
}

/* Where the file of the state is now: at its path, or among the rotated ones. dev, ino: what it was. A log that has nothing but its
 * header line begins as all others do: the inode is asked before the bytes. */
static void resume(struct tail *tail, uint64_t dev, uint64_t ino)
{
	bool same = is_same(tail), here = same && tail->dev == dev && tail->ino == ino;
	struct tail_set set;
	size_t i;

	tail_set_init(&set, tail->path);
	i = here ? set.count : find_rotated(&set, tail->head, dev, ino, true);
	if (here || (same && i == set.count)) {
		tail->calls.begin(tail->calls.arg, tail->path);
		if (tail->offset) give_header(tail, tail->path);
		tail_set_release(&set);
		return;
	}
	if (i == set.count) i = find_rotated(&set, tail->head, dev, ino, false);
	if (i < set.count) {
		note(tail, "%.200s was rotated meanwhile: reading on in %.200s", tail->path, set.files[i].path);
		tail->calls.begin(tail->calls.arg, set.files[i].path);
		give_header(tail, set.files[i].path);
		read_file(tail, &set.files[i]);
	} else {
		note(tail, "what was followed as %.200s is not there any more: lines are missing", tail->path);
	}
	remember(tail);
	read_between(tail, &set, i < set.count ? i + 1 : i);
	tail_set_release(&set);
	begin(tail, tail->path);
}

bool tail_open(struct tail *tail, const char *path, const json_t *state, const struct tail_calls *calls, char why[256])
{
	json_int_t dev = 0, ino = 0;

	*tail = (struct tail){ .path = path, .calls = *calls, .fd = -1 };
	if (state && !state_take(tail, state, &dev, &ino)) {
		snprintf(why, 256, "the state is damaged, of another version, or of another file");
		return false;
	}
	if (!open_path(tail, why)) return false;
	tail->buf = must(malloc(LOG_LINE_MAX + CHUNK));
	if (state) resume(tail, (uint64_t)dev, (uint64_t)ino);
	else begin(tail, path);
	return true;
}

void tail_close(struct tail *tail)
{
	if (tail->fd >= 0) close(tail->fd);
	free(tail->buf);
	*tail = (struct tail){ .fd = -1 };
}
