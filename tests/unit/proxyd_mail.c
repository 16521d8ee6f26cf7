/* The mailbox of a worker: many senders, nothing lost, nothing twice, the order of each sender kept, and a worker that
 * sleeps is woken. Run it with SAN=tsan, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../../proxyd/worker_internal.h"

enum { SENDERS = 4, LETTERS = 30000, DEADLINE_MS = 20000 };

static struct worker *worker_make(void)
{
	struct worker *worker = must(calloc(1, sizeof(*worker)));

	worker->priv = must(aligned_alloc(64, (sizeof(*worker->priv) + 63) / 64 * 64));
	memset(worker->priv, 0, sizeof(*worker->priv));
	worker->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_true(worker->wake_fd >= 0);
	mail_init(worker);
	return worker;
}

static void worker_drop(struct worker *worker)
{
	close(worker->wake_fd);
	free(worker->priv);
	free(worker);
}

/* How often it was woken since the last look. */
static uint64_t wakes(struct worker *worker)
{
	uint64_t count = 0;

	if (read(worker->wake_fd, &count, sizeof(count)) < 0)
		assert_int_equal(errno, EAGAIN);
	return count;
}

struct letter {
	struct mail mail;
	unsigned sender, number;
};
static unsigned next_of[SENDERS + 1], got;

static void letter_run(struct worker *worker, struct mail *mail)
{
	struct letter *letter = (struct letter *)(void *)mail;

	(void)worker;
	assert_int_equal(letter->number, next_of[letter->sender]);
	next_of[letter->sender]++;
	got++;
	free(letter);
}

static void letter_send(struct worker *worker, unsigned sender, unsigned number)
{
	struct letter *letter = must(calloc(1, sizeof(*letter)));

	letter->mail.run = letter_run;
	letter->sender = sender;
	letter->number = number;
	worker_post(worker, &letter->mail);
}

struct sender { struct worker *worker; unsigned number; pthread_t thread; };
static void *sender_main(void *arg)
{
	struct sender *sender = arg;

	for (unsigned i = 0; i < LETTERS; i++)
		letter_send(sender->worker, sender->number, i);
	return NULL;
}

static void many_senders(void **state)
{
	struct worker *worker = worker_make();
	struct sender senders[SENDERS];
	unsigned own = 0;

	(void)state;
	memset(next_of, 0, sizeof(next_of));
	got = 0;
	for (unsigned i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){ .worker = worker, .number = i };
		assert_int_equal(pthread_create(&senders[i].thread, NULL, sender_main, &senders[i]), 0);
	}
	while (got < (SENDERS + 1) * LETTERS) {
		/* A lost wake ends here. */
		if (mail_sleep(worker)) {
			struct pollfd wait = { .fd = worker->wake_fd, .events = POLLIN };

			if (own < LETTERS)           /* it has work of its own: does not wait */
				wakes(worker);
			else
				assert_int_equal(poll(&wait, 1, DEADLINE_MS), 1);
			wakes(worker);
		}
		mail_awake(worker);
		for (unsigned i = 0; i < 7 && own < LETTERS; i++)
			letter_send(worker, SENDERS, own++);
		mail_run(worker);
	}
	for (unsigned i = 0; i < SENDERS; i++)
		pthread_join(senders[i].thread, NULL);
	assert_true(mail_is_empty(worker));
	for (unsigned i = 0; i <= SENDERS; i++)
		assert_int_equal(next_of[i], LETTERS);
	worker_drop(worker);
}

/* One sender, one letter at a time, a worker that always sleeps: each letter must wake it. */
static atomic_uint answered;
static void answer(struct worker *worker, struct mail *mail)
{
	(void)worker, (void)mail;
	atomic_fetch_add(&answered, 1);
}

static void *asker_main(void *arg)
{
	struct worker *worker = arg;
	struct mail mail = { .run = answer };

	for (unsigned i = 0; i < LETTERS; i++) {
		worker_post(worker, &mail);
		while (atomic_load(&answered) <= i)
			;
	}
	return NULL;
}

static void a_sleeper_is_woken_each_time(void **state)
{
	struct worker *worker = worker_make();
	pthread_t asker;

	(void)state;
	atomic_store(&answered, 0);
	assert_int_equal(pthread_create(&asker, NULL, asker_main, worker), 0);
	while (atomic_load(&answered) < LETTERS) {
		if (mail_sleep(worker)) {
			struct pollfd wait = { .fd = worker->wake_fd, .events = POLLIN };

			assert_int_equal(poll(&wait, 1, DEADLINE_MS), 1);
			wakes(worker);
		}
		mail_awake(worker);
		mail_run(worker);
	}
	pthread_join(asker, NULL);
	worker_drop(worker);
}

static void only_the_first_letter_to_a_sleeper_wakes(void **state)
{
	struct worker *worker = worker_make();

	(void)state;
	memset(next_of, 0, sizeof(next_of));
	letter_send(worker, 0, 0);
	assert_int_equal(wakes(worker), 0);      /* awake: it looks by itself */
	assert_false(mail_sleep(worker));        /* and does not sleep over it */
	mail_run(worker);
	assert_true(mail_sleep(worker));
	letter_send(worker, 0, 1);
	letter_send(worker, 0, 2);
	letter_send(worker, 0, 3);
	assert_int_equal(wakes(worker), 1);
	mail_awake(worker);
	mail_run(worker);
	assert_int_equal(next_of[0], 4);
	worker_drop(worker);
}

/* run() may post its own letter again: it runs in the next round, so that a round ends. */
static unsigned runs;
static void post_again(struct worker *worker, struct mail *mail)
{
	runs++;
	worker_post(worker, mail);
}

static void a_letter_may_post_itself(void **state)
{
	struct worker *worker = worker_make();
	struct mail mail = { .run = post_again };

	(void)state;
	runs = 0;
	worker_post(worker, &mail);
	for (unsigned i = 1; i <= 3; i++) {
		mail_run(worker);
		assert_int_equal(runs, i);
		assert_false(mail_is_empty(worker));
	}
	assert_int_equal(wakes(worker), 0);
	worker_drop(worker);
}

/* What is put off runs in order, and so does what it puts off, all before the round ends. */
static char order[16];
static struct mail second, third;
static void put(struct worker *worker, struct mail *mail)
{
	size_t len = strlen(order);

	order[len] = mail == &second ? '2' : mail == &third ? '3' : '1';
	order[len + 1] = '\0';
	if (order[len] == '1') {
		worker_defer(worker, &third);
		free(mail);
	}
}

static void deferred_runs_to_its_end(void **state)
{
	struct worker *worker = worker_make();
	struct mail *first = must(calloc(1, sizeof(*first)));

	(void)state;
	order[0] = '\0';
	first->run = second.run = third.run = put;
	worker_defer(worker, first);
	worker_defer(worker, &second);
	assert_string_equal(order, "");
	deferred_run(worker);
	assert_string_equal(order, "123");
	deferred_run(worker);
	assert_string_equal(order, "123");
	worker_drop(worker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_senders),
		cmocka_unit_test(a_sleeper_is_woken_each_time),
		cmocka_unit_test(only_the_first_letter_to_a_sleeper_wakes),
		cmocka_unit_test(a_letter_may_post_itself),
		cmocka_unit_test(deferred_runs_to_its_end),
	};

	return cmocka_run_group_tests_name("proxyd_mail", tests, NULL, NULL);
}
