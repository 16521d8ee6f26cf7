/* Accept-Encoding and entity tags: whatever the bytes, nothing is chosen that is not offered, offering more never makes identity
 * of a coding, and the tag of a coded form leads back to the tag it was made of. */
#include <stdlib.h>

#include "../../conf/check.h"
#include "../../proxyd/coding.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 4096)
		return 0;
	unsigned offered = data[0] & 0xf & ~1u;
	struct slice text = slice_make((const char *)data + 1, size - 1), plain;
	struct http_header header = { .id = FIELD_accept_encoding, .name = SLICE("accept-encoding"), .value = text };
	struct http_head head = { .headers = &header, .header_count = 1 };
	char *out = malloc(text.len + CODING_TAG_MORE), *back = malloc(text.len + CODING_TAG_MORE + 1);

	CHECK(out && back);
	head.first[FIELD_accept_encoding] = 1;
	head.times[FIELD_accept_encoding] = 1;
	enum coding coding = coding_choose(&head, offered), any = coding_choose(&head, 0xe);
	CHECK(coding == CODING_identity || (offered & 1u << coding));
	CHECK(coding == CODING_identity || any != CODING_identity);
	for (int i = CODING_identity + 1; i < CODING_COUNT; i++) {
		struct slice tag = coding_tag(text, (enum coding)i, out);
		CHECK(tag.len <= text.len + CODING_TAG_MORE);
		if (tag.len) {
			CHECK(coding_tag_plain(tag, back, &plain));
			size_t skip = text.ptr[0] == 'W' ? 2 : 0;
			CHECK(plain.len == text.len - skip + 2 && memcmp(plain.ptr + 2, text.ptr + skip, plain.len - 2) == 0);
		}
	}
	coding_tag_plain(text, back, &plain);
	coding_type_fits(text, NULL, 0);
	free(out);
	free(back);
	return 0;
}
