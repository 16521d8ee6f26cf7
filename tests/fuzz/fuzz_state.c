/* States: any bytes, with the checksum made right, as a partial result. It is refused; or it is an audit that can be shown, merged and
 * written again, and is then the same. */
#include <xxhash.h>

#include "../../logaudit/report.h"
#include "../../logaudit/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 32 };

/* Magic, version and fingerprint, which nobody guesses. Made once: an audit is large. */
static const char *frame_of(void)
{
	static char *frame;
	struct audit empty;
	size_t len;

	if (frame) return frame;
	audit_init(&empty);
	frame = state_bytes(&empty, &len);
	audit_release(&empty);
	return frame;
}

static char *with_frame(const uint8_t *data, size_t size, size_t *ret_len)
{
	char *bytes;
	uint64_t sum;

	*ret_len = HEAD + size + 8;
	bytes = must(malloc(*ret_len));
	memcpy(bytes, frame_of(), HEAD);
	if (size) memcpy(bytes + HEAD, data, size);
	sum = XXH3_64bits(bytes, HEAD + size);
	for (int i = 0; i < 8; i++) bytes[HEAD + size + (size_t)i] = (char)(sum >> 8 * i);
	return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *nowhere;
	struct audit audit, merged;
	size_t len, again_len;
	char *bytes = with_frame(data, size, &len), why[256], *again;

	if (!nowhere) nowhere = fopen("/dev/null", "we");
	if (state_parse(slice_make(bytes, len), &audit, why)) {
		audit_init_tables(&merged);
		audit_merge(&merged, &audit);
		audit_merge(&merged, &audit);
		audit_settle_order(&merged);
		report_json(&merged, true, NULL, nowhere);
		check_text(&merged, &(struct report_options){ 0 }, nowhere);
		audit_release(&merged);
		again = state_bytes(&audit, &again_len);
		CHECK(state_parse(slice_make(again, again_len), &merged, why));
		audit_release(&merged);
		free(again);
		audit_release(&audit);
	}
	free(bytes);
	return 0;
}
