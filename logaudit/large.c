/* Memory straight from the system. */
#include <stdint.h>
#include <sys/mman.h>

#include "../conf/check.h"
#include "large.h"

enum { LARGE_PAGE = 2 << 20 };

static size_t whole_pages(size_t bytes)
{
	return (bytes + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
}

void *large_alloc(size_t bytes)
{
	size_t size = whole_pages(bytes), before;
	char *memory = mmap(NULL, size + LARGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), *aligned;

	must(memory == MAP_FAILED ? NULL : memory);
	before = (LARGE_PAGE - (uintptr_t)memory % LARGE_PAGE) % LARGE_PAGE;
	aligned = memory + before;
	if (before) munmap(memory, before);
	munmap(aligned + size, LARGE_PAGE - before);
	/* Less than a page of it would only take more memory. Where it cannot be had, it is slower. */
	if (bytes >= LARGE_PAGE) (void)madvise(aligned, bytes / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE);
	return aligned;
}

void large_free(void *memory, size_t bytes)
{
	if (memory) munmap(memory, whole_pages(bytes));
}
