/* logaudit follow: the loop, its signals and the terminal. */
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "follow.h"
#include "watch.h"

enum { LINES_EVERY_S = 10 };

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

static void catch_signals(void)
{
	/* Without SA_RESTART: waiting ends. */
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

static bool save(const struct follow *f, const struct options *o)
{
	char why[256];

	if (!o->state || follow_save(f, o->state, why)) return true;
	fprintf(stderr, "logaudit: %s\n", why);
	return false;
}

/* Each second the counts are kept; every so many seconds what is new is said, and where we are is kept. */
static bool run(struct follow *f, const struct options *o, bool screen)
{
	uint64_t every = o->every ? o->every : screen ? 1 : LINES_EVERY_S, now, last = 0;
	struct watch watch;
	bool ok = true, news = true;

	watch_init(&watch, o->files[0]);
	while (!stopped && ok) {
		news |= follow_read(f);
		now = (uint64_t)time(NULL);
		if (now != f->second) follow_tick(f, now);
		if (now - last >= every || now < last) {
			follow_judge(f);
			if (screen) follow_screen(f, stdout);
			else if (news || f->notes_fresh) follow_lines(f, stdout);
			ok = save(f, o) && !ferror(stdout);
			news = false;
			last = now;
		}
		if (!stopped && ok) watch_wait(&watch, 1000);
	}
	follow_read(f);
	watch_release(&watch);
	return save(f, o) && ok;
}

static int once(struct follow *f, const struct options *o)
{
	follow_tick(f, (uint64_t)time(NULL));
	follow_read(f);
	follow_judge(f);
	follow_lines(f, stdout);
	return !save(f, o) ? EXIT_trouble : follow_worst(f) >= SEVERITY_warning ? EXIT_found : EXIT_ok;
}

int cmd_follow(const struct options *o)
{
	struct follow *f;
	bool screen = isatty(STDOUT_FILENO);
	char why[256] = "";
	int code = EXIT_trouble;

	if (o->file_count != 1 || strcmp(o->files[0], "-") == 0) return usage("follow takes one file, and no pipe", NULL);
	f = must(malloc(sizeof(*f)));
	if (!follow_open(f, o->files[0], o->state, &o->filter, why)) {
		fprintf(stderr, "logaudit: %s\n", why);
	} else if (o->once) {
		code = once(f, o);
	} else {
		catch_signals();
		/* Another screen, so that what stood on the terminal comes back; no cursor. */
		if (screen) fputs("\033[?1049h\033[?25l", stdout);
		code = run(f, o, screen) ? EXIT_ok : EXIT_trouble;
		if (screen) fputs("\033[?25h\033[?1049l", stdout);
	}
	follow_close(f);
	free(f);
	return code;
}
