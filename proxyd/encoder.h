/* One stream of a content coding: bytes in, coded bytes out, into the caller's room. zlib, libbrotlienc and libzstd behind one
 * face. One thread at a time. Memory: gzip 270 KB, br about 1 MB at level 4 and 5 MB at 9, zstd about 1 MB at level 3 and 4 MB
 * at 12: the windows of the latter two are kept to 256 KB (level for an answer on its way) or 1 MB. */
#ifndef PROXYD_ENCODER_H
#define PROXYD_ENCODER_H

#include "coding.h"

struct encoder;
enum encode {
	ENCODE_more,                   /* more will come: nothing need leave yet */
	ENCODE_flush,                  /* what came so far can be read by who has what left */
	ENCODE_end,                    /* that was all */
};
enum encoder_use { ENCODER_on_its_way, ENCODER_to_store };
/* coding: not identity. size: how many bytes will come, exactly, so that small bodies take small tables; UINT64_MAX: not known.
 * NULL: no memory. */
struct encoder *encoder_new(enum coding coding, unsigned level, enum encoder_use use, uint64_t size);
void encoder_free(struct encoder **encoder);     /* NULL is fine */
enum { ENCODER_ROOM_MIN = 7 };     /* with less zlib begins a flush anew and anew */
/* Takes from *in (which moves on), writes at most `room` bytes. True: *ret_len were written; *ret_done: all was taken and, for
 * flush and end, all is written; else call again with the same `how`. False: the library failed, the stream is lost. */
bool encoder_run(struct encoder *encoder, enum encode how, struct slice *in, char *out, size_t room, size_t *ret_len, bool *ret_done);

#endif
