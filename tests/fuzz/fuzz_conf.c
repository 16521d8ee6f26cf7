/* Any text as a configuration: no crash, no file, no name service; and what loads is printed, loads again and is the same. */
#include "../../conf/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *print(const struct conf *conf, size_t *ret_len)
{
	char *text = NULL;
	FILE *out = must(open_memstream(&text, ret_len));

	conf_print(conf, out);
	fclose(out);
	return text;
}

static void route(const struct conf *conf, struct slice text)
{
	for (size_t i = 0; i < conf->listen_count; i++) {
		struct conf_server *server = conf_find_server(&conf->listens[i], text);
		CHECK(server);
		conf_find_location(server, text);
		conf_find_location(server, SLICE("/"));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct load_options options = { .sandbox = true };
	struct slice text = slice_make((const char *)data, size);
	size_t first_len, second_len;
	char *messages = NULL;
	size_t messages_len;

	if (size > 64 * 1024)
		return 0;
	FILE *out = must(open_memstream(&messages, &messages_len));
	struct conf *conf = conf_load_text("fuzz", text, options, out);
	fclose(out);
	CHECK(conf || messages_len > 0);
	free(messages);
	if (!conf)
		return 0;
	route(conf, size > 300 ? slice_make(text.ptr + size - 300, 300) : text);
	char *first = print(conf, &first_len);
	struct conf *again = conf_load_text("printed", slice_make(first, first_len), options, stderr);
	CHECK(again);
	char *second = print(again, &second_len);
	CHECK(first_len == second_len && memcmp(first, second, first_len) == 0);
	conf_unref(&conf);
	conf_unref(&again);
	free(first);
	free(second);
	return 0;
}
