/* HTTP dates: whatever the bytes, an answer; and what was understood is written and understood again. */
#include "../../conf/check.h"
#include "../../proxyd/http_cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int64_t now_us = 0, time_us;
	char out[HTTP_DATE_LEN];

	/* The first 8 bytes choose the clock, from 1970 to about 2540. */
	if (size < sizeof now_us)
		return 0;
	memcpy(&now_us, data, sizeof now_us);
	now_us = (int64_t)((uint64_t)now_us >> 10);
	time_us = http_parse_date(slice_make((const char *)data + sizeof now_us, size - sizeof now_us), now_us);
	if (time_us == -1)
		return 0;
	CHECK(time_us % 1000000 == 0);
	http_format_date(time_us, out);
	CHECK(http_parse_date(slice_make(out, sizeof out), now_us) == time_us);
	return 0;
}
