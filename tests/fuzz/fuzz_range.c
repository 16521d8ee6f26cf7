/* Range, If-Range and Content-Range: whatever the bytes, ranges that lie within the body, and both readings of a Range agree. */
#include "../../conf/check.h"
#include "../../proxyd/http_range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ranges_check(struct slice value, uint64_t body_size)
{
	struct byte_range ranges[RANGES_MAX];
	struct range_asked asked = range_ask(value);
	uint64_t sum = 0;
	size_t count;
	enum range_answer answer = range_parse(value, body_size, ranges, &count);

	CHECK((answer == RANGE_parts) == (count > 0) && count <= RANGES_MAX);
	CHECK(asked.kind != ASKED_none || answer == RANGE_whole);
	for (size_t i = 0; i < count; i++) {
		CHECK(ranges[i].from <= ranges[i].to && ranges[i].to < body_size);
		sum += ranges[i].to - ranges[i].from + 1;
	}
	CHECK(count < 2 || sum < body_size);
	if (answer != RANGE_parts)
		return;
	switch (asked.kind) {
	case ASKED_none:
		CHECK(false);
		break;
	case ASKED_from_to: case ASKED_from:
		CHECK(count == 1 && ranges[0].from == asked.from && (asked.kind == ASKED_from || ranges[0].to <= asked.to));
		break;
	case ASKED_last:
		CHECK(count == 1 && ranges[0].to == body_size - 1);
		break;
	case ASKED_several:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t sizes[] = { 0, 1, 10, 20000, UINT64_MAX - 1 };
	struct slice value = slice_make((const char *)data, size);
	struct content_range part;

	if (size > 1024)
		return 0;
	for (size_t i = 0; i < COUNT_OF(sizes); i++)
		ranges_check(value, sizes[i]);
	if (content_range_parse(value, &part))
		CHECK(part.from <= part.to && part.to < part.total && part.to - part.from < UINT64_MAX - 1);
	return 0;
}
