/* Numbers for names: what came lately is found by a few of its bytes, all else by the map. */
#include "names.h"

void names_init(struct names *names)
{
	*names = (struct names){ 0 };
	map_init(&names->map, sizeof(uint8_t), NAMES_MAX);
}

void names_release(struct names *names)
{
	map_release(&names->map);
}

static size_t lately_slot(struct slice text)
{
	const unsigned char *at = (const unsigned char *)text.ptr;

	if (!text.len) return 0;
	return (at[0] + 3u * at[text.len / 2] + 7u * at[text.len - 1] + 13u * at[text.len * 3 / 4] + 31u * (unsigned)text.len) % NAMES_LATELY;
}

struct name names_get(struct names *names, struct slice text)
{
	size_t slot = lately_slot(text), number;
	struct name name;

	if (names->lately[slot].name.id && slice_eq(slice_make(names->lately[slot].text, names->lately[slot].len), text))
		return names->lately[slot].name;
	name = (struct name){ map_hash(text), 0 };
	number = map_number_of(&names->map, map_get_hashed(&names->map, text, name.hash));
	/* All that did not find room share one entry, and have no number. */
	if (!slice_eq(map_key(&names->map, number), text)) return name;
	name.id = (uint32_t)number + 1;
	names->lately[slot].text = map_key(&names->map, number).ptr;
	names->lately[slot].len = text.len;
	names->lately[slot].name = name;
	return name;
}
