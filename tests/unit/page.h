/* Memory whose end is followed by an unreadable page: reading one byte too far is a crash. */
#ifndef TESTS_UNIT_PAGE_H
#define TESTS_UNIT_PAGE_H

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../conf/check.h"

struct page { char *base; size_t size; };      /* size: readable bytes */

static inline struct page page_new(size_t least)
{
	size_t unit = (size_t)sysconf(_SC_PAGESIZE), size = (least / unit + 1) * unit;
	char *base = mmap(NULL, size + unit, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(base != MAP_FAILED);
	CHECK(mprotect(base + size, unit, PROT_NONE) == 0);
	return (struct page){ base, size };
}

/* Copies the bytes so that they end where the page ends. */
static inline char *page_put(struct page page, const void *bytes, size_t len)
{
	CHECK(len <= page.size);
	return len ? memcpy(page.base + page.size - len, bytes, len) : page.base + page.size;
}

static inline void page_free(struct page *page)
{
	munmap(page->base, page->size + (size_t)sysconf(_SC_PAGESIZE));
	page->base = NULL;
}

#endif
