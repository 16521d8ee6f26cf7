/* One stream of gzip (RFC 1952), br (RFC 7932) or zstd (RFC 8878; windows of at most 8 MB, RFC 9659). */
#include "encoder.h"
#include "../conf/check.h"

#include <stdlib.h>
#include <zlib.h>
#include <brotli/encode.h>
#include <zstd.h>

enum { WINDOW_ON_ITS_WAY = 18, WINDOW_TO_STORE = 20, GZIP_WRAPPER = 16 };

struct encoder {
	enum coding coding;
	z_stream gzip;
	BrotliEncoderState *br;
	ZSTD_CCtx *zstd;
};

static bool begin(struct encoder *e, unsigned level, int window, uint64_t size)
{
	uint32_t hint = size > INT32_MAX ? 0 : (uint32_t)size;        /* of brotli: 0 is not known */

	switch (e->coding) {
	case CODING_gzip:
		return deflateInit2(&e->gzip, (int)level, Z_DEFLATED, MAX_WBITS + GZIP_WRAPPER, 8, Z_DEFAULT_STRATEGY) == Z_OK;
	case CODING_br:
		e->br = BrotliEncoderCreateInstance(NULL, NULL, NULL);
		return e->br && BrotliEncoderSetParameter(e->br, BROTLI_PARAM_QUALITY, level) && BrotliEncoderSetParameter(e->br, BROTLI_PARAM_LGWIN, (uint32_t)window)
			&& BrotliEncoderSetParameter(e->br, BROTLI_PARAM_SIZE_HINT, hint);
	case CODING_zstd:
		e->zstd = ZSTD_createCCtx();
		return e->zstd && !ZSTD_isError(ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_compressionLevel, (int)level))
			&& !ZSTD_isError(ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_windowLog, window))
			&& !ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(e->zstd, size == UINT64_MAX ? ZSTD_CONTENTSIZE_UNKNOWN : size));
	case CODING_identity: case CODING_COUNT:
		break;
	}
	return false;
}

struct encoder *encoder_new(enum coding coding, unsigned level, enum encoder_use use, uint64_t size)
{
	struct encoder *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->coding = coding;
	if (!begin(e, level, use == ENCODER_to_store ? WINDOW_TO_STORE : WINDOW_ON_ITS_WAY, size))
		encoder_free(&e);
	return e;
}

void encoder_free(struct encoder **encoder)
{
	struct encoder *e = *encoder;

	*encoder = NULL;
	if (!e)
		return;
	if (e->coding == CODING_gzip)
		deflateEnd(&e->gzip);
	if (e->br)
		BrotliEncoderDestroyInstance(e->br);
	ZSTD_freeCCtx(e->zstd);
	free(e);
}

static bool run_gzip(z_stream *z, enum encode how, struct slice *in, char *out, size_t room, size_t *ret_len, bool *ret_done)
{
	static const int flush[] = { [ENCODE_more] = Z_NO_FLUSH, [ENCODE_flush] = Z_SYNC_FLUSH, [ENCODE_end] = Z_FINISH };

	z->next_in = (Bytef *)(uintptr_t)in->ptr;
	z->avail_in = (uInt)in->len;
	z->next_out = (Bytef *)out;
	z->avail_out = (uInt)room;
	int err = deflate(z, flush[how]);
	if (err != Z_OK && err != Z_STREAM_END && err != Z_BUF_ERROR)      /* the last: there was nothing to do */
		return false;
	*in = slice_make(in->ptr + (in->len - z->avail_in), z->avail_in);
	*ret_len = room - z->avail_out;
	*ret_done = how == ENCODE_end ? err == Z_STREAM_END : in->len == 0 && (how == ENCODE_more || z->avail_out > 0);
	return true;
}

static bool run_br(BrotliEncoderState *br, enum encode how, struct slice *in, char *out, size_t room, size_t *ret_len, bool *ret_done)
{
	static const BrotliEncoderOperation op[] = { [ENCODE_more] = BROTLI_OPERATION_PROCESS, [ENCODE_flush] = BROTLI_OPERATION_FLUSH,
		[ENCODE_end] = BROTLI_OPERATION_FINISH };
	size_t left = in->len, room_left = room;
	const uint8_t *from = (const uint8_t *)in->ptr;
	uint8_t *to = (uint8_t *)out;

	if (!BrotliEncoderCompressStream(br, op[how], &left, &from, &room_left, &to, NULL))
		return false;
	*in = slice_make(in->ptr + (in->len - left), left);
	*ret_len = room - room_left;
	*ret_done = left == 0 && !BrotliEncoderHasMoreOutput(br) && (how != ENCODE_end || BrotliEncoderIsFinished(br));
	return true;
}

static bool run_zstd(ZSTD_CCtx *zstd, enum encode how, struct slice *in, char *out, size_t room, size_t *ret_len, bool *ret_done)
{
	static const ZSTD_EndDirective op[] = { [ENCODE_more] = ZSTD_e_continue, [ENCODE_flush] = ZSTD_e_flush, [ENCODE_end] = ZSTD_e_end };
	ZSTD_inBuffer from = { in->ptr, in->len, 0 };
	ZSTD_outBuffer to = { out, room, 0 };
	size_t left = ZSTD_compressStream2(zstd, &to, &from, op[how]);

	if (ZSTD_isError(left))
		return false;
	*in = slice_make(in->ptr + from.pos, in->len - from.pos);
	*ret_len = to.pos;
	*ret_done = in->len == 0 && (how == ENCODE_more || left == 0);
	return true;
}

bool encoder_run(struct encoder *e, enum encode how, struct slice *in, char *out, size_t room, size_t *ret_len, bool *ret_done)
{
	CHECK(room >= ENCODER_ROOM_MIN && in->len <= INT32_MAX);
	switch (e->coding) {
	case CODING_gzip: return run_gzip(&e->gzip, how, in, out, room, ret_len, ret_done);
	case CODING_br: return run_br(e->br, how, in, out, room, ret_len, ret_done);
	case CODING_zstd: return run_zstd(e->zstd, how, in, out, room, ret_len, ret_done);
	case CODING_identity: case CODING_COUNT: break;
	}
	return false;
}
