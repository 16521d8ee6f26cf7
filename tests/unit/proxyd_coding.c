/* Content codings: whom Accept-Encoding chooses, entity tags of coded forms, types; and that encoders write what decoders of
 * their libraries read, at any cut of input and room. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <zlib.h>

#include "../../proxyd/encoder.h"
#include "../../conf/check.h"

enum { ALL = 1u << CODING_gzip | 1u << CODING_br | 1u << CODING_zstd, GZIP = 1u << CODING_gzip };

static enum coding choose(const char *value, unsigned offered)
{
	char text[4096];
	struct http_header headers[HTTP_HEADERS_MAX];
	struct http_limits limits = { 1024, 8192, HTTP_HEADERS_MAX };
	struct http_head head;
	enum refusal refusal;
	int len = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: %s\r\n\r\n", value);

	assert_true(http_parse_request(text, (size_t)len, 0, &limits, headers, &head, &refusal) > 0);
	return coding_choose(&head, offered);
}

static void accept_encoding_chooses(void **state)
{
	static const struct { const char *value; unsigned offered; enum coding coding; const char *why; } rows[] = {
		{ "", ALL, CODING_identity, "nothing but identity" },
		{ "gzip, br, zstd", ALL, CODING_br, "liked equally: by our order" },
		{ "gzip, br, zstd", GZIP, CODING_gzip, "what is not offered is no choice" },
		{ "br;q=0.9, gzip", ALL, CODING_gzip, "by quality" },
		{ "*", ALL, CODING_br, "any" },
		{ "*;q=0.5, zstd", ALL, CODING_zstd, "a name comes before the star" },
		{ "br;q=0, zstd;q=0.000, *", ALL, CODING_gzip, "refused ones are out of the star" },
		{ "gzip;q=0.5, identity;q=0.6", ALL, CODING_identity, "identity is liked better" },
		{ "identity;q=0", ALL, CODING_identity, "nothing else is accepted: it is sent all the same" },
		{ "identity;q=0, *", GZIP, CODING_gzip, "anything but identity" },
		{ "gzip;q=1.001", ALL, CODING_identity, "more than one" },
		{ "gzip;q=0.0001", ALL, CODING_identity, "four digits" },
		{ "gzip;q", ALL, CODING_identity, "no value" },
		{ "gzip ; Q=0.1", ALL, CODING_gzip, "blanks and case" },
		{ "gzip;q=0, gzip", ALL, CODING_identity, "said twice: the careful one counts" },
		{ "x-gzip", ALL, CODING_gzip, "its old name (RFC 9110 section 8.4.1.3)" },
		{ "gzip;q=0.5;q=1", ALL, CODING_identity, "two parameters" },
		{ ",,;,gzip", ALL, CODING_gzip, "empty elements" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (choose(rows[i].value, rows[i].offered) != rows[i].coding)
			fail_msg("'%s': %s", rows[i].value, rows[i].why);
}

static void tags_of_coded_forms(void **state)
{
	static const struct { const char *plain, *coded, *back, *why; } rows[] = {
		{ "\"abc\"", "W/\"abc-gzip\"", "W/\"abc\"", "a strong one" },
		{ "W/\"abc\"", "W/\"abc-gzip\"", "W/\"abc\"", "a weak one" },
		{ "\"\"", "W/\"-gzip\"", "W/\"\"", "an empty one" },
		{ "abc", "", NULL, "no entity tag" }, { "\"", "", NULL, "half of one" }, { "W/", "", NULL, "none" }, { "", "", NULL, "none at all" },
	};
	char out[64], back[64];
	struct slice plain;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct slice coded = coding_tag(slice_str(rows[i].plain), CODING_gzip, out);
		if (!slice_eq(coded, slice_str(rows[i].coded)))
			fail_msg("%s: '%.*s'", rows[i].why, (int)coded.len, coded.ptr);
		assert_int_equal(coding_tag_plain(coded, back, &plain), rows[i].back != NULL);
		if (rows[i].back)
			assert_true(slice_eq(plain, slice_str(rows[i].back)));
	}
	assert_false(coding_tag_plain(SLICE("\"abc-gzip\""), back, &plain));
	assert_false(coding_tag_plain(SLICE("W/\"abc-gzi\""), back, &plain));
	assert_false(coding_tag_plain(SLICE("W/\"gzip\""), back, &plain));
	assert_true(coding_tag_plain(SLICE("W/\"a-br\""), back, &plain));
}

static void types_that_are_text(void **state)
{
	static const struct slice list[] = { { "application/x-a", 15 }, { "image/*", 7 } }, star[] = { { "*", 1 } };

	(void)state;
	assert_true(coding_type_fits(SLICE("TEXT/css ; charset=x"), NULL, 0));
	assert_true(coding_type_fits(SLICE("image/svg+xml"), NULL, 0));
	assert_false(coding_type_fits(SLICE("image/png"), NULL, 0));
	assert_false(coding_type_fits(SLICE("text"), NULL, 0));
	assert_false(coding_type_fits(SLICE(""), star, 1));
	assert_true(coding_type_fits(SLICE("a/b"), star, 1));
	assert_true(coding_type_fits(SLICE("text/html"), list, 2));
	assert_true(coding_type_fits(SLICE("image/png"), list, 2));
	assert_false(coding_type_fits(SLICE("text/css"), list, 2));
}

/* Pieces of `cut` bytes into room for `room`: what is there after each flush is all that came (gzip), and the end is an end. */
static void gzip_is_read_by_zlib(void **state)
{
	static char text[40000], coded[60000], back[40000];
	static const size_t cuts[] = { 1, 7, 1000, sizeof(text) }, rooms[] = { ENCODER_ROOM_MIN, 11, 100, sizeof(coded) };

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * i / 100 + i % 7);
	for (size_t run = 0; run < COUNT_OF(cuts) * COUNT_OF(rooms); run++) {
		size_t cut = cuts[run % COUNT_OF(cuts)], room = rooms[run / COUNT_OF(cuts)], at = 0, len = 0, n;
		struct encoder *encoder = encoder_new(CODING_gzip, 1, ENCODER_on_its_way, run % 2 ? sizeof(text) : UINT64_MAX);
		z_stream z = { .next_out = (Bytef *)back, .avail_out = sizeof(back) };
		bool done;

		assert_int_equal(inflateInit2(&z, 31), Z_OK);
		for (size_t end = 0; at < sizeof(text); at = end) {
			end = at + cut < sizeof(text) ? at + cut : sizeof(text);
			struct slice in = slice_make(text + at, end - at);
			bool flush = cut >= 1000;
			do {
				assert_true(len + ENCODER_ROOM_MIN <= sizeof(coded));
				assert_true(encoder_run(encoder, flush ? ENCODE_flush : ENCODE_more, &in, coded + len, room < sizeof(coded) - len ? room : sizeof(coded) - len, &n, &done));
				len += n;
			} while (!done);
			if (flush) {
				z.next_in = (Bytef *)coded + z.total_in;
				z.avail_in = (uInt)(len - z.total_in);
				inflate(&z, Z_SYNC_FLUSH);
				assert_int_equal(z.total_out, end);
			}
		}
		struct slice none = { "", 0 };
		do {
			assert_true(encoder_run(encoder, ENCODE_end, &none, coded + len, room < sizeof(coded) - len ? room : sizeof(coded) - len, &n, &done));
			len += n;
		} while (!done);
		z.next_in = (Bytef *)coded + z.total_in;
		z.avail_in = (uInt)(len - z.total_in);
		assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
		assert_int_equal(z.total_in, len);
		assert_memory_equal(back, text, sizeof(text));
		inflateEnd(&z);
		encoder_free(&encoder);
	}
}

/* What was promised and did not come makes no end that a reader could take for one. */
static void a_promised_size_holds(void **state)
{
	static char text[5000], coded[6000];

	(void)state;
	for (int i = CODING_identity + 1; i < CODING_COUNT; i++)
		for (uint64_t size = sizeof(text); size <= sizeof(text) + 1; size++) {
			struct encoder *encoder = encoder_new((enum coding)i, 3, ENCODER_to_store, size);
			struct slice in = slice_make(text, sizeof(text)), none = { "", 0 };
			size_t len;
			bool done;
			assert_true(encoder_run(encoder, ENCODE_more, &in, coded, sizeof(coded), &len, &done) && in.len == 0);
			bool good = encoder_run(encoder, ENCODE_end, &none, coded + len, sizeof(coded) - len, &len, &done);
			assert_int_equal(good, size == sizeof(text) || i != CODING_zstd);
			encoder_free(&encoder);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accept_encoding_chooses), cmocka_unit_test(tags_of_coded_forms), cmocka_unit_test(types_that_are_text),
		cmocka_unit_test(gzip_is_read_by_zlib), cmocka_unit_test(a_promised_size_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
