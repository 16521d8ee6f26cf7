/* The memory of a log ring: one file in memory, mapped twice in a row. */
#include "log_ring.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

bool log_ring_map(struct log_ring *ring)
{
	int fd = memfd_create("proxyd log ring", MFD_CLOEXEC), err;
	char *bytes = MAP_FAILED;
	bool ok = fd >= 0 && ftruncate(fd, LOG_RING_BYTES) == 0;

	if (ok)
		bytes = mmap(NULL, 2 * LOG_RING_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ok = ok && bytes != MAP_FAILED;
	for (int i = 0; i < 2 && ok; i++)
		ok = mmap(bytes + i * LOG_RING_BYTES, LOG_RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED;
	err = errno;
	if (!ok && bytes != MAP_FAILED)
		munmap(bytes, 2 * LOG_RING_BYTES);
	if (fd >= 0)
		close(fd);
	errno = err;
	ring->bytes = ok ? bytes : NULL;
	return ok;
}

void log_ring_unmap(struct log_ring *ring)
{
	if (ring->bytes)
		munmap(ring->bytes, 2 * LOG_RING_BYTES);
	ring->bytes = NULL;
}
