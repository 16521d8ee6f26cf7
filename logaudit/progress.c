/* A bar, the share, the speed and the time that is left. */
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "progress.h"
#include "show.h"

enum { ASK_BYTES = 1 << 20, FIRST_US = 500000, AGAIN_US = 100000, BAR_MAX = 30 };

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void progress_begin(struct progress *progress, char *const *files, int file_count)
{
	*progress = (struct progress){ .out = isatty(STDERR_FILENO) ? stderr : NULL };
	if (!progress->out) return;
	progress->width = show_width(STDERR_FILENO);
	progress->begun_us = now_us();
	for (int i = 0; i < file_count; i++) {
		struct stat st;
		size_t len = strlen(files[i]);
		bool plain = stat(files[i], &st) == 0 && S_ISREG(st.st_mode) && !(len > 3 && strcmp(files[i] + len - 3, ".gz") == 0);
		if (!plain) {
			progress->total = 0;
			return;
		}
		progress->total += (uint64_t)st.st_size;
	}
}

char *progress_text(char out[PROGRESS_TEXT_MAX], const struct progress *progress, uint64_t elapsed_us)
{
	char done[SHOW_NUMBER_MAX], speed[SHOW_NUMBER_MAX], left[SHOW_NUMBER_MAX], bar[BAR_MAX + 1];
	double seconds = elapsed_us ? (double)elapsed_us / 1e6 : 1e-6, share;
	size_t cells = progress->width > 70 ? BAR_MAX : 10, filled;

	show_bytes(done, progress->done);
	show_bytes(speed, (uint64_t)((double)progress->done / seconds));
	if (!progress->total) {
		snprintf(out, PROGRESS_TEXT_MAX, "read %s, %s/s", done, speed);
		return out;
	}
	/* A file may grow while it is read. */
	share = progress->done < progress->total ? (double)progress->done / (double)progress->total : 1;
	filled = (size_t)(share * (double)cells);
	memset(bar, '#', filled);
	memset(bar + filled, '.', cells - filled);
	bar[cells] = 0;
	snprintf(left, sizeof(left), "under 1 s");
	/* In whole seconds: digits that change ten times a second cannot be read. */
	if (share > 0 && (double)elapsed_us / share * (1 - share) >= 1e6)
		show_span(left, (uint64_t)((double)elapsed_us / share * (1 - share)) / 1000000 * 1000000);
	snprintf(out, PROGRESS_TEXT_MAX, "[%s] %3u %%  %s/s  %s left", bar, (unsigned)(share * 100), speed, left);
	return out;
}

void progress_add(struct progress *progress, uint64_t bytes)
{
	char text[PROGRESS_TEXT_MAX];
	uint64_t now;

	if (!progress || !progress->out) return;
	progress->done += bytes;
	if (progress->done - progress->asked < ASK_BYTES) return;
	progress->asked = progress->done;
	now = now_us();
	if (now - progress->begun_us < FIRST_US || now - progress->shown_us < AGAIN_US) return;
	progress->shown_us = now;
	progress->shown = true;
	fprintf(progress->out, "\r%s\x1b[K", progress_text(text, progress, now - progress->begun_us));
	fflush(progress->out);
}

void progress_end(struct progress *progress)
{
	if (progress->shown) {
		fputs("\r\x1b[K", progress->out);
		fflush(progress->out);
	}
	progress->shown = false;
}
