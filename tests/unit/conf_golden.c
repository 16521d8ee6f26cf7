/* Each tests/golden/conf/NAME.conf gives exactly the messages of NAME.expected; an empty or absent list of errors means
 * that it loads. Run from the root of the repository. GOLDEN_UPDATE=1 writes the expectations anew: read the diff. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glob.h>

#include "../../conf/internal.h"

#define FOLDER "tests/golden/conf/"

static char *file_text(const char *path)
{
	FILE *in = fopen(path, "r");
	char *text = NULL;
	size_t len = 0;
	int c;

	if (!in)
		return NULL;
	FILE *out = must(open_memstream(&text, &len));
	while ((c = fgetc(in)) != EOF)
		fputc(c, out);
	fclose(in);
	fclose(out);
	return text;
}

/* Only literal addresses resolve here: what the machine's name service says is no part of an expectation. */
static char *messages_of(const char *path, bool *ret_loaded)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = must(open_memstream(&text, &len));
	struct conf *conf = conf_load_path(path, (struct load_options){ .literal = true }, out);

	*ret_loaded = conf != NULL;
	conf_unref(&conf);
	fclose(out);
	return text;
}

/* "FILE:LINE:COL: message", not a note, a shown line or a caret. */
static bool has_error(const char *text)
{
	for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		const char *end = strchrnul(line, '\n'), *note = memmem(line, (size_t)(end - line), ": note: ", 8);
		if (line[0] != ' ' && !note)
			return true;
	}
	return false;
}

static bool check_one(const char *path)
{
	char expected_path[512];
	bool loaded, good;

	snprintf(expected_path, sizeof(expected_path), "%.*s.expected", (int)(strlen(path) - strlen(".conf")), path);
	char *got = messages_of(path, &loaded), *expected = file_text(expected_path);
	if (getenv("GOLDEN_UPDATE")) {
		FILE *out = must(fopen(expected_path, "w"));
		fputs(got, out);
		fclose(out);
	}
	good = expected && strcmp(got, expected) == 0 && loaded == !has_error(got);
	if (!good)
		fprintf(stderr, "%s\n--- expected\n%s--- got (%s)\n%s", path, expected ? expected : "(no file)\n", loaded ? "loaded" : "refused", got);
	free(got);
	free(expected);
	return good;
}

static void test_messages(void **state)
{
	glob_t found;
	size_t bad = 0;

	(void)state;
	assert_int_equal(glob(FOLDER "*.conf", 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 40);
	for (size_t i = 0; i < found.gl_pathc; i++)
		bad += !check_one(found.gl_pathv[i]);
	globfree(&found);
	assert_int_equal(bad, 0);
}

static void test_missing_file(void **state)
{
	bool loaded;
	char *got = messages_of(FOLDER "no-such-file", &loaded);

	(void)state;
	assert_false(loaded);
	assert_string_equal(got, FOLDER "no-such-file: cannot open '" FOLDER "no-such-file': No such file or directory\n");
	free(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_messages), cmocka_unit_test(test_missing_file) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
