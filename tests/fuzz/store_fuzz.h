/* What the fuzz targets of volumes share: a folder in memory, and a disk that need not be waited for. */
#ifndef STORE_FUZZ_H
#define STORE_FUZZ_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../cachestore/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int fdatasync(int fd) { return fcntl(fd, F_GETFD) < 0 ? -1 : 0; }
int fsync(int fd) { return fcntl(fd, F_GETFD) < 0 ? -1 : 0; }

static inline int fuzz_remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st; (void)kind; (void)ftw;
	return remove(path);
}

static char fuzz_path[64];

static inline void fuzz_folder_remove(void)
{
	nftw(fuzz_path, fuzz_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Empty, and the same one each time. */
static inline const char *fuzz_folder(void)
{
	if (!*fuzz_path) {
		snprintf(fuzz_path, sizeof(fuzz_path), "%s/fuzz-store-%ld", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (long)getpid());
		atexit(fuzz_folder_remove);
	}
	fuzz_folder_remove();
	CHECK(mkdir(fuzz_path, 0700) == 0);
	return fuzz_path;
}

/* The input, taken from its front. */
struct input { const uint8_t *at; size_t left; };

static inline uint64_t input_number(struct input *input, size_t bytes)
{
	uint64_t number = 0;

	for (; bytes > 0; bytes--) {
		number = number << 8 | (input->left > 0 ? *input->at : 0);
		input->at += input->left > 0;
		input->left -= input->left > 0;
	}
	return number;
}

#endif
