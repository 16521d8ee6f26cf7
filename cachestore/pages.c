/* Whether the pages of an index are such that LMDB may walk them. LMDB trusts its file: a page that is not what it should be
 * ends in an assertion or a wild read, so the whole tree is looked at before it is opened. Pure, and without LMDB's code:
 * the format of 0.9 on a little-endian machine of 64 bits, all numbers aligned as there.
 *
 *   page   0 u64 its number   8 u16 -   10 u16 flags   12 u16 end of pointers   14 u16 begin of nodes (overflow: 12 u32 pages)
 *          16 u16 pointers to nodes, in order of keys
 *   node   0 u32 size of data (branch: page, lower half)   4 u16 flags (branch: page, upper)   6 u16 size of key   8 key, data
 *   meta   16 u32 magic   20 u32 version   24 u64 address   32 u64 map size   40 db: free pages   88 db: names
 *          136 u64 last page   144 u64 transaction
 *   db     0 u32 page size, or 0   4 u16 flags   6 u16 depth   8 u64 branch, 16 leaf, 24 overflow pages   32 u64 entries   40 u64 root */
#include "internal.h"
#include "bytes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PAGE = 4096, PAGE_HEAD = 16, NODE_HEAD = 8, DB_BYTES = 48, DEPTH_MAX = 32, KEY_MAX = 511, METAS = 2,
	PAGE_BRANCH = 1, PAGE_LEAF = 2, PAGE_OVERFLOW = 4, PAGE_META = 8,
	NODE_BIG = 1, NODE_DB = 2,
	DB_INTEGER_KEY = 8, DB_NO_FOLDER = 0x4000 /* of the environment: they are kept with the table of free pages */,
	META_MAGIC = (int)0xbeefc0de, META_VERSION = 1,
};
#define ROOT_NONE UINT64_MAX

struct db { uint16_t flags, depth; uint64_t branches, leaves, overflows, entries, root; };
struct walk {
	const unsigned char *map;
	uint64_t pages;                         /* that may be named */
	uint64_t txn;                           /* the newest transaction, the first one is 1 */
	uint64_t *seen;                         /* a bit for each that was */
	/* the tree being walked */
	bool is_free, is_names, integer_key;
	uint16_t depth;
	uint64_t branches, leaves, overflows, entries;
	struct slice last;                      /* key: the next one must be higher */
	struct slice bound;                     /* key of a branch: the next one must not be lower; ptr NULL: none */
};

static struct db db_get(const unsigned char *at)
{
	return (struct db){ get16(at + 4), get16(at + 6), get64(at + 8), get64(at + 16), get64(at + 24), get64(at + 32), get64(at + 40) };
}

/* Marks count pages from `first` as used; false: outside, or used already. */
static bool pages_take(struct walk *walk, uint64_t first, uint64_t count)
{
	if (first < METAS || first >= walk->pages || count > walk->pages - first)
		return false;
	for (uint64_t page = first; page < first + count; page++) {
		uint64_t bit = (uint64_t)1 << (page % 64);

		if (walk->seen[page / 64] & bit)
			return false;
		walk->seen[page / 64] |= bit;
	}
	return true;
}

static int key_cmp(const struct walk *walk, struct slice a, struct slice b)
{
	int order;

	if (walk->integer_key) {
		uint64_t x = get64((const unsigned char *)a.ptr), y = get64((const unsigned char *)b.ptr);

		return x < y ? -1 : x > y;
	}
	order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
	return order ? order : a.len < b.len ? -1 : a.len > b.len;
}

/* Higher than all that came before. */
static bool key_follows(const struct walk *walk, struct slice key)
{
	if (walk->integer_key ? key.len != 8 : key.len == 0 || key.len > KEY_MAX)
		return false;
	return (!walk->last.ptr || key_cmp(walk, key, walk->last) > 0) && (!walk->bound.ptr || key_cmp(walk, key, walk->bound) >= 0);
}

/* A list of free pages: how many, then their numbers, falling. */
static bool free_list_check(struct walk *walk, struct slice list)
{
	const unsigned char *at = (const unsigned char *)list.ptr;
	uint64_t count = list.len >= 8 ? get64(at) : UINT64_MAX;

	if (list.len % 8 != 0 || count > list.len / 8 - 1)
		return false;
	for (uint64_t i = 1; i <= count; i++)
		if ((i > 1 && get64(at + 8 * i) >= get64(at + 8 * (i - 1))) || !pages_take(walk, get64(at + 8 * i), 1))
			return false;
	return true;
}

static bool tree_check(struct walk *outer, struct db db, bool is_free, bool is_names);

/* A leaf's data, which begins at `at`; the page has `room` bytes for it. *ret_bytes: how many of them it takes. */
static bool data_check(struct walk *walk, unsigned flags, uint32_t size, const unsigned char *at, size_t room, size_t *ret_bytes)
{
	struct slice data = slice_make((const char *)at, size);

	if ((flags & ~(unsigned)(NODE_BIG | NODE_DB)) || flags == (NODE_BIG | NODE_DB))
		return false;
	*ret_bytes = flags & NODE_BIG ? 8 : size;
	if (*ret_bytes > room)
		return false;
	if (flags & NODE_BIG) {
		uint64_t first = get64(at), count = ((uint64_t)size + PAGE_HEAD - 1) / PAGE + 1;
		const unsigned char *page;

		if (!pages_take(walk, first, count))
			return false;
		page = walk->map + first * PAGE;
		if (get64(page) != first || get16(page + 10) != PAGE_OVERFLOW || get32(page + 12) != count)
			return false;
		walk->overflows += count;
		data.ptr = (const char *)page + PAGE_HEAD;
	}
	if (walk->is_names)
		return flags == NODE_DB && size == DB_BYTES && tree_check(walk, db_get(at), false, false);
	return !(flags & NODE_DB) && (!walk->is_free || free_list_check(walk, data));
}

static bool page_check(struct walk *walk, uint64_t number, uint16_t depth);

/* Branch or leaf: *ret_bytes is what the node takes of the page. first: its key says nothing, in a branch. */
static bool node_check(struct walk *walk, const unsigned char *node, size_t room, bool branch, bool first, uint16_t depth, size_t *ret_bytes)
{
	struct slice key;
	size_t bytes = 0;

	if (room < NODE_HEAD || get16(node + 6) > room - NODE_HEAD)
		return false;
	key = slice_make((const char *)node + NODE_HEAD, get16(node + 6));
	if (branch) {
		if (!first && !key_follows(walk, key))
			return false;
		if (!first)
			walk->bound = key;
		if (!page_check(walk, get32(node) | (uint64_t)get16(node + 4) << 32, (uint16_t)(depth + 1)))
			return false;
	} else {
		if (!key_follows(walk, key))
			return false;
		if (walk->is_free && (get64((const unsigned char *)key.ptr) == 0 || get64((const unsigned char *)key.ptr) > walk->txn))
			return false;             /* keys are the transactions that freed the pages */
		walk->last = key;
		walk->bound = slice_make(NULL, 0);
		walk->entries++;
		if (!data_check(walk, get16(node + 4), get32(node), (const unsigned char *)key.ptr + key.len, room - NODE_HEAD - key.len, &bytes))
			return false;
	}
	*ret_bytes = (NODE_HEAD + key.len + bytes + 1) / 2 * 2;
	return true;
}

static bool page_check(struct walk *walk, uint64_t number, uint16_t depth)
{
	const unsigned char *page = walk->map + number * PAGE;
	size_t lower, upper, count, used = 0, bytes;
	bool branch;

	if (depth > walk->depth || depth > DEPTH_MAX || !pages_take(walk, number, 1))
		return false;
	branch = depth < walk->depth;
	if (get64(page) != number || get16(page + 10) != (branch ? PAGE_BRANCH : PAGE_LEAF))
		return false;
	lower = get16(page + 12);
	upper = get16(page + 14);
	if (lower < PAGE_HEAD + 2 || lower % 2 != 0 || upper % 2 != 0 || lower > upper || upper > PAGE)
		return false;
	count = (lower - PAGE_HEAD) / 2;
	if (branch && count < 2 && !walk->is_free)
		return false;
	walk->branches += branch;
	walk->leaves += !branch;
	for (size_t i = 0; i < count; i++) {
		size_t at = get16(page + PAGE_HEAD + 2 * i);

		if (at < upper || at >= PAGE || at % 2 != 0 || !node_check(walk, page + at, PAGE - at, branch, i == 0, depth, &bytes))
			return false;
		used += bytes;
	}
	return used == PAGE - upper;              /* no gap, so no two nodes in one place */
}

/* outer: whose pages and marks it shares. */
static bool tree_check(struct walk *outer, struct db db, bool is_free, bool is_names)
{
	struct walk walk = { .map = outer->map, .pages = outer->pages, .txn = outer->txn, .seen = outer->seen, .is_free = is_free, .is_names = is_names,
		.integer_key = is_free || (db.flags & DB_INTEGER_KEY), .depth = db.depth };

	if (is_free ? (db.flags & ~DB_NO_FOLDER) != DB_INTEGER_KEY : (db.flags & ~DB_INTEGER_KEY) != 0)
		return false;                     /* sorts that no table of ours has, or a map at a fixed address */
	if (db.root == ROOT_NONE)
		return db.depth == 0 && db.entries == 0 && db.branches == 0 && db.leaves == 0 && db.overflows == 0;
	return db.depth > 0 && db.root < walk.pages && page_check(&walk, db.root, 1) && walk.branches == db.branches
		&& walk.leaves == db.leaves && walk.overflows == db.overflows && walk.entries == db.entries;
}

static bool meta_check(const unsigned char *page, uint64_t number)
{
	return get64(page) == number && get16(page + 10) == PAGE_META && get32(page + 16) == (uint32_t)META_MAGIC && get32(page + 20) == META_VERSION
		&& get32(page + 40) == PAGE;
}

bool pages_check(const void *map, size_t size)
{
	const unsigned char *pages = map, *meta;
	struct walk walk = { .map = pages };
	bool good;

	if (size < METAS * PAGE || !meta_check(pages, 0) || !meta_check(pages + PAGE, 1))
		return false;
	meta = get64(pages + 144) < get64(pages + PAGE + 144) ? pages + PAGE : pages;
	walk.txn = get64(meta + 144);
	if ((walk.txn & 1) != (meta != pages))
		return false;                     /* LMDB finds it by its parity, too */
	walk.pages = get64(meta + 136);
	if (walk.pages >= size / PAGE)
		return false;
	walk.pages++;
	walk.seen = must(calloc(walk.pages / 64 + 1, sizeof(*walk.seen)));
	good = tree_check(&walk, db_get(meta + 40), true, false) && tree_check(&walk, db_get(meta + 88), false, true);
	free(walk.seen);
	return good;
}

int env_check(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
	struct stat st;
	void *map;

	if (fd < 0 || fstat(fd, &st) != 0)
		rc = errno;
	else if (st.st_size > 0) {
		map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
		if (map == MAP_FAILED)
			rc = errno;
		else {
			rc = pages_check(map, (size_t)st.st_size) ? 0 : MDB_CORRUPTED;
			munmap(map, (size_t)st.st_size);
		}
	}
	if (fd >= 0)
		close(fd);
	return rc == ENOENT ? 0 : rc;
}
