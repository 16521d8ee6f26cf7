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
	free(*input);
	*input = NULL;
}

/* Bytes read; 0 at the end, why says which. */
static size_t read_some(struct input *input, char *at, char why[256])
{
	int n = gzread(input->gz, at, CHUNK_BYTES), code = 0;
	const char *message;

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
