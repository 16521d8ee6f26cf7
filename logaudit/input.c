/* Reading: zlib passes plain files through and unpacks gzip ones; what is read is cut at the last newline. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "../conf/check.h"
#include "input.h"

enum { GZ_BYTES = 16 * 1024 };           /* less than is read at once: plain files then go straight into the chunk's room */

struct input {
	gzFile gz;
	bool skipping;                   /* within a line that is too long and was given already */
	bool ended;
	char *head;                      /* read ahead by input_head(); NULL: nothing, or no more */
	size_t head_len, head_at;        /* head_at: given already */
	size_t rest_len;                 /* of a line whose end is still to come */
	char rest[LOG_LINE_MAX];
};

struct input *input_open(const char *path, char why[256])
{
	struct input *input = NULL;
	int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0) {
		snprintf(why, 256, "%s", strerror(errno));
		goto out;
	}
	if (S_ISDIR(st.st_mode)) {
		snprintf(why, 256, "%s", strerror(EISDIR));
		goto out;
	}
	input = must(malloc(sizeof(*input)));
	input->gz = must(gzdopen(fd, "rb"));
	input->skipping = input->ended = false;
	input->head = NULL;
	input->head_len = input->head_at = 0;
	input->rest_len = 0;
	gzbuffer(input->gz, GZ_BYTES);
	fd = -1;
out:
	if (fd >= 0) close(fd);
	return input;
}

void input_close(struct input **input)
{
	if (!*input) return;
	gzclose((*input)->gz);
	free((*input)->head);
	free(*input);
	*input = NULL;
}

struct slice input_head(struct input *input)
{
	size_t len = 0;
	int n;

	if (!input->head) input->head = must(malloc(FORMAT_HEAD_MAX));
	while (len < FORMAT_HEAD_MAX && (n = gzread(input->gz, input->head + len, (unsigned)(FORMAT_HEAD_MAX - len))) > 0) len += (size_t)n;
	input->head_len = len;
	input->head_at = 0;
	return slice_make(input->head, len);
}

/* What was read ahead comes first. */
static size_t read_head(struct input *input, char *at)
{
	size_t left = input->head_len - input->head_at, n = left < CHUNK_BYTES ? left : CHUNK_BYTES;

	if (!n) return 0;
	memcpy(at, input->head + input->head_at, n);
	input->head_at += n;
	if (n == left) {
		free(input->head);
		input->head = NULL;
	}
	return n;
}

/* Bytes read; 0 at the end, why says which. */
static size_t read_some(struct input *input, char *at, char why[256])
{
	size_t ahead = read_head(input, at);
	const char *message;
	int n, code = 0;

	if (ahead) return ahead;
	n = gzread(input->gz, at, CHUNK_BYTES);
	if (n > 0) return (size_t)n;
	message = gzerror(input->gz, &code);
	if (code != Z_OK && code != Z_STREAM_END)
		snprintf(why, 256, "%s", code == Z_ERRNO ? strerror(errno) : code == Z_BUF_ERROR ? "the gzip file is cut short" : message);
	input->ended = true;
	return 0;
}

/* Reads until there is a whole line, or as much as a line may have: bytes in the room. */
static size_t fill(struct input *input, char *room, char why[256])
{
	size_t have = input->rest_len, n;
	const char *newline;

	memcpy(room, input->rest, have);
	input->rest_len = 0;
	while (!input->ended) {
		n = read_some(input, room + have, why);
		newline = memchr(room + have, '\n', n);
		if (input->skipping) {
			if (!newline) continue;
			have = n - (size_t)(newline + 1 - room);
			memmove(room, newline + 1, have);
			input->skipping = false;
			newline = memchr(room, '\n', have);
		} else {
			have += n;
		}
		if (newline || have >= LOG_LINE_MAX) break;
	}
	return have;
}

bool input_next(struct input *input, struct chunk *chunk, char why[256])
{
	size_t have, whole;
	const char *last;

	if (!chunk->room) chunk->room = must(malloc(CHUNK_ROOM));
	have = fill(input, chunk->room, why);
	last = have ? memrchr(chunk->room, '\n', have) : NULL;
	whole = last ? (size_t)(last + 1 - chunk->room) : 0;
	chunk->cut = false;
	if (have - whole >= LOG_LINE_MAX) {
		/* The line goes on: its beginning is given as a line, what follows is passed over. */
		whole += LOG_LINE_MAX;
		chunk->room[whole++] = '\n';
		input->skipping = true;
	} else if (input->ended && !*why && have > whole) {
		chunk->cut = true;
		whole = have;
	} else {
		input->rest_len = have - whole;
		memcpy(input->rest, chunk->room + whole, input->rest_len);
	}
	chunk->text = slice_make(chunk->room, whole);
	memset(chunk->room + whole, 0, CHUNK_SLACK);
	return whole > 0;
}
