/* Sets of files: expanded, and put into the order of their first records. */
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <sys/stat.h>

#include "fileset.h"
#include "input.h"

struct file { char *path; uint64_t first_us; size_t given; };     /* first_us: UINT64_MAX: there is no record */
struct fileset { struct file *files; size_t count, cap; };

static void add(struct fileset *set, const char *path, uint64_t first_us)
{
	if (set->count == set->cap) {
		set->cap = set->cap ? 2 * set->cap : 8;
		set->files = must(realloc(set->files, set->cap * sizeof(*set->files)));
	}
	set->files[set->count] = (struct file){ must(strdup(path)), first_us, set->count };
	set->count++;
}

/* When the first record's request began, of those that the file's first chunk has. A file that cannot be of the format that was named
 * comes first: audit_read() says why. */
static uint64_t first_time(const struct audit *audit, const char *path)
{
	struct format *format = NULL;
	struct line_parser parser;
	struct chunk chunk;
	char why[256] = "", unfit[FORMAT_WHY_MAX];
	struct input *input = input_open(path, why);
	uint64_t first_us = UINT64_MAX;

	line_parser_init(&parser);
	chunk_init(&chunk);
	if (input && !format_open(input_head(input), audit->format, &format, unfit)) first_us = 0;
	else if (input && input_next(input, &chunk, why)) {
		if (format) line_parser_use(&parser, format);
		chunk_parse(&chunk, &parser, chunk.text.ptr + chunk.text.len + CHUNK_SLACK);
		if (chunk.count) first_us = chunk.lines[0].line.t_us;
	}
	input_close(&input);
	chunk_release(&chunk);
	line_parser_release(&parser);
	format_free(&format);
	return first_us;
}

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* What is looked at twice must be a file: what comes through a pipe comes once. */
static void add_path(const struct audit *audit, struct fileset *set, const char *path)
{
	add(set, path, is_file(path) ? first_time(audit, path) : UINT64_MAX);
}

static void add_folder(struct audit *audit, struct fileset *set, const char *path)
{
	struct dirent **entries = NULL;
	int count = scandir(path, &entries, NULL, alphasort);
	size_t before = set->count, others = 0;

	if (count < 0) audit_trouble(audit, path, strerror(errno));
	for (int i = 0; i < count; i++) {
		char *file = NULL;
		CHECK(asprintf(&file, "%s/%s", path, entries[i]->d_name) >= 0);
		uint64_t first_us = entries[i]->d_name[0] != '.' && is_file(file) ? first_time(audit, file) : UINT64_MAX;
		if (first_us != UINT64_MAX) add(set, file, first_us);
		else others += entries[i]->d_name[0] != '.';
		free(file);
		free(entries[i]);
	}
	free(entries);
	if (count >= 0 && set->count == before) audit_trouble(audit, path, "no file in this folder is an access log with a record");
	else if (others) audit_note(audit, path, "what is no access log with a record in this folder was passed over");
}

static void add_pattern(struct audit *audit, struct fileset *set, const char *pattern)
{
	glob_t found;

	if (glob(pattern, 0, NULL, &found) != 0) {
		audit_trouble(audit, pattern, "no file has a name of this pattern");
		return;
	}
	for (size_t i = 0; i < found.gl_pathc; i++) add_path(audit, set, found.gl_pathv[i]);
	globfree(&found);
}

static int by_time(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	if (x->first_us != y->first_us) return x->first_us < y->first_us ? -1 : 1;
	return x->given < y->given ? -1 : 1;
}

void fileset_read(struct audit *audit, char *const *given, int count)
{
	struct fileset set = { 0 };
	struct stat st;

	for (int i = 0; i < count; i++) {
		bool exists = stat(given[i], &st) == 0;
		if (exists && S_ISDIR(st.st_mode)) add_folder(audit, &set, given[i]);
		else if (!exists && strpbrk(given[i], "*?[")) add_pattern(audit, &set, given[i]);
		else add_path(audit, &set, given[i]);
	}
	if (set.count) qsort(set.files, set.count, sizeof(*set.files), by_time);
	for (size_t i = 0; i < set.count; i++) {
		audit_read(audit, set.files[i].path);
		free(set.files[i].path);
	}
	free(set.files);
}
