/* A scripted origin: a thread that listens, and does what a list of steps says. A step that goes wrong ends the script,
 * and says which and why; the test fails on that. Nothing here waits for time to pass: each step waits for bytes, for a
 * connection, or for a word (semaphore) from the other side; a deadline only ends a test that hangs. */
#ifndef TESTS_UNIT_ORIGIN_SCRIPT_H
#define TESTS_UNIT_ORIGIN_SCRIPT_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../conf/check.h"
#include "../../conf/conf.h"
#include "../../proxyd/http_body.h"

enum { SCRIPT_DEADLINE_MS = 20000,
	SCRIPT_CONNS_MAX = 8,
	SCRIPT_BIG = 3 * 1024 * 1024,
	SCRIPT_HUGE = 24 * 1024 * 1024, /* more than sockets hold of an origin that does not read */
};

enum script_op {
	S_END,
	S_ACCEPT, /* the next connection becomes the current one: number 0, 1, 2... */
	S_ON, /* connection `number` becomes the current one */
	S_HEAD, /* reads a request head; it begins with `text` */
	S_READ, /* reads exactly `text` */
	S_READ_BIG, /* reads `number` bytes of the pattern */
	S_READ_CHUNKED, /* reads chunked content: `number` bytes of the pattern */
	S_SEND, /* sends `text` */
	S_SEND_BYTEWISE, /* the same, one byte a write */
	S_SEND_BIG, /* sends `number` bytes of the pattern */
	S_SEND_CHUNKS, /* sends `number` chunks of 5 bytes */
	S_CLOSE,
	S_RESET,
	S_EOF, /* the other side closes (or resets) */
	S_TELL, /* says the word to the other side */
	S_WAIT, /* waits for its word */
	S_NO_MORE, /* nobody is waiting to be accepted */
};
struct script_step {
	enum script_op op;
	const char *text;
	size_t number;
};

/* Steps as they are written in a list. */
#define STEP_(...) \
	{ \
		__VA_ARGS__ \
	}
#define ACCEPT               STEP_(.op = S_ACCEPT)
#define ON(conn)             STEP_(.op = S_ON, .number = conn)
#define HEAD(begin)          STEP_(.op = S_HEAD, .text = begin)
#define READ(bytes)          STEP_(.op = S_READ, .text = bytes)
#define READ_BIG(count)      STEP_(.op = S_READ_BIG, .number = count)
#define READ_CHUNKED(count)  STEP_(.op = S_READ_CHUNKED, .number = count)
#define SEND(bytes)          STEP_(.op = S_SEND, .text = bytes)
#define SEND_BYTEWISE(bytes) STEP_(.op = S_SEND_BYTEWISE, .text = bytes)
#define SEND_BIG(count)      STEP_(.op = S_SEND_BIG, .number = count)
#define SEND_CHUNKS(count)   STEP_(.op = S_SEND_CHUNKS, .number = count)
#define CLOSE                STEP_(.op = S_CLOSE)
#define RESET                STEP_(.op = S_RESET)
#define CLOSED               STEP_(.op = S_EOF)
#define CLOSED_AFTER_REST    STEP_(.op = S_EOF, .number = 1)
#define TELL                 STEP_(.op = S_TELL)
#define WAIT                 STEP_(.op = S_WAIT)
#define NO_MORE              STEP_(.op = S_NO_MORE)
#define OVER                 STEP_(.op = S_END)

struct script {
	const struct script_step *steps;
	int listener;
	int conns[SCRIPT_CONNS_MAX];
	size_t conn_count, on;
	pthread_t thread;
	sem_t to_user, to_origin;
	char failure[512];
	struct conf_addr addr;
	char addr_text[128];
};

static inline char script_pattern(size_t at)
{
	return (char)('a' + at % 23);
}

static inline bool script_fail(struct script *s, const struct script_step *step, const char *why, const char *detail)
{
	snprintf(s->failure, sizeof s->failure, "step %td (\"%.40s\"): %s %.300s", step - s->steps, step->text ? step->text : "",
		why, detail);
	return false;
}

static inline bool script_poll(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, SCRIPT_DEADLINE_MS) == 1;
}

static inline bool script_sem_wait(sem_t *sem)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += SCRIPT_DEADLINE_MS / 1000;
	while (sem_timedwait(sem, &until) < 0)
		if (errno != EINTR)
			return false;
	return true;
}

static inline bool script_head(struct script *s, const struct script_step *step)
{
	char got[4096];
	size_t len = 0;

	while (len < 4 || memcmp(got + len - 4, "\r\n\r\n", 4) != 0) { /* byte by byte: content stays unread */
		if (len + 1 >= sizeof got || !script_poll(s->conns[s->on]) || recv(s->conns[s->on], got + len, 1, 0) != 1)
			return script_fail(s, step, "no whole head, but", len ? (got[len] = '\0', got) : "(nothing)");
		len++;
	}
	got[len] = '\0';
	return strncmp(got, step->text, strlen(step->text)) == 0 || script_fail(s, step, "got", got);
}

static inline bool script_read(struct script *s, const struct script_step *step, size_t want)
{
	static char block[65536];
	size_t got = 0;

	while (got < want) {
		size_t most = want - got < sizeof block ? want - got : sizeof block;
		ssize_t n = script_poll(s->conns[s->on]) ? recv(s->conns[s->on], block, most, 0) : -1;

		if (n <= 0)
			return script_fail(s, step, "the bytes end early", n < 0 ? strerror(errno) : "");
		for (size_t i = 0; i < (size_t)n; i++)
			if (block[i] != (step->text ? step->text[got + i] : script_pattern(got + i)))
				return script_fail(s, step, "other bytes came", (block[n < 300 ? n : 300] = '\0', block));
		got += (size_t)n;
	}
	return true;
}

static inline bool script_read_chunked(struct script *s, const struct script_step *step)
{
	static char block[65536];
	struct http_body body;
	size_t got = 0;

	http_body_init(&body, FRAMING_chunked, 0);
	while (!body.done) {
		ssize_t n = script_poll(s->conns[s->on]) ? recv(s->conns[s->on], block, sizeof block, 0) : -1;

		if (n <= 0)
			return script_fail(s, step, "the content ends early", n < 0 ? strerror(errno) : "");
		for (size_t at = 0; at < (size_t)n;) {
			struct slice data = { NULL, 0 };
			long used = http_body_feed(&body, block + at, (size_t)n - at, &data);

			if (used <= 0)
				return script_fail(s, step, "bad chunk, or bytes after the last one", "");
			for (size_t i = 0; i < data.len; i++)
				if (data.ptr[i] != script_pattern(got++))
					return script_fail(s, step, "other bytes came", "");
			at += (size_t)used;
		}
	}
	return got == step->number || script_fail(s, step, "other length", "");
}

static inline bool script_send(struct script *s, const struct script_step *step, const char *bytes, size_t len)
{
	for (size_t sent = 0; sent < len;) {
		ssize_t n = send(s->conns[s->on], bytes + sent, len - sent, MSG_NOSIGNAL);

		if (n < 0)
			return script_fail(s, step, "cannot send:", strerror(errno));
		sent += (size_t)n;
	}
	return true;
}

static inline bool script_send_big(struct script *s, const struct script_step *step)
{
	char *bytes = must(malloc(step->number));
	bool ok;

	for (size_t i = 0; i < step->number; i++)
		bytes[i] = script_pattern(i);
	ok = script_send(s, step, bytes, step->number);
	free(bytes);
	return ok;
}

static inline bool script_send_chunks(struct script *s, const struct script_step *step)
{
	bool ok;
	char *bytes = must(malloc(step->number * 10));

	for (size_t i = 0; i < step->number; i++) {
		memcpy(bytes + i * 10, "5\r\n.....\r\n", 10);
		for (size_t b = 0; b < 5; b++)
			bytes[i * 10 + 3 + b] = script_pattern(i * 5 + b);
	}
	ok = script_send(s, step, bytes, step->number * 10);
	free(bytes);
	return ok;
}

static inline bool script_eof(struct script *s, const struct script_step *step)
{
	char block[4096];
	ssize_t n;

	do
		n = script_poll(s->conns[s->on]) ? recv(s->conns[s->on], block, sizeof block, 0) : -1;
	while (n > 0 && step->number); /* number 1: whatever comes before is skipped */
	if (n > 0)
		return script_fail(s, step, "not the end, but", (block[n < 300 ? n : 300] = '\0', block));
	return n == 0 || errno == ECONNRESET || script_fail(s, step, "no end:", strerror(errno));
}

static inline bool script_accept(struct script *s, const struct script_step *step)
{
	int fd = script_poll(s->listener) ? accept(s->listener, NULL, NULL) : -1, on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* does nothing to a Unix socket */
	if (fd < 0 || s->conn_count == SCRIPT_CONNS_MAX)
		return script_fail(s, step, "nobody connects", "");
	s->on = s->conn_count;
	s->conns[s->conn_count++] = fd;
	return true;
}

static inline void script_close(struct script *s, bool reset)
{
	struct linger linger = { 1, 0 };

	if (reset)
		setsockopt(s->conns[s->on], SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	close(s->conns[s->on]);
	s->conns[s->on] = -1;
}

static inline bool script_step_run(struct script *s, const struct script_step *step)
{
	switch (step->op) {
	case S_END: return true;
	case S_ACCEPT: return script_accept(s, step);
	case S_ON: s->on = step->number; return true;
	case S_HEAD: return script_head(s, step);
	case S_READ: return script_read(s, step, strlen(step->text));
	case S_READ_BIG: return script_read(s, step, step->number);
	case S_READ_CHUNKED: return script_read_chunked(s, step);
	case S_SEND: return script_send(s, step, step->text, strlen(step->text));
	case S_SEND_BYTEWISE:
		for (const char *c = step->text; *c; c++)
			if (!script_send(s, step, c, 1))
				return false;
		return true;
	case S_SEND_BIG: return script_send_big(s, step);
	case S_SEND_CHUNKS: return script_send_chunks(s, step);
	case S_CLOSE: script_close(s, false); return true;
	case S_RESET: script_close(s, true); return true;
	case S_EOF: return script_eof(s, step);
	case S_TELL: sem_post(&s->to_user); return true;
	case S_WAIT: return script_sem_wait(&s->to_origin) || script_fail(s, step, "no word", "");
	case S_NO_MORE: {
		struct pollfd p = { .fd = s->listener, .events = POLLIN };

		return poll(&p, 1, 0) == 0 || script_fail(s, step, "one connection too many", "");
	}
	}
	return false;
}

static inline void *script_run(void *arg)
{
	struct script *s = arg;

	for (const struct script_step *step = s->steps; step->op != S_END; step++)
		if (!script_step_run(s, step))
			break;
	if (!*s->failure)
		script_sem_wait(&s->to_origin); /* what stayed open is not closed under the test's eyes */
	for (size_t i = 0; i < s->conn_count; i++)
		if (s->conns[i] >= 0)
			close(s->conns[i]);
	close(s->listener);
	return NULL;
}

/* On a free port of the loopback, or on a Unix socket. */
static inline void script_start(struct script *s, const struct script_step *steps, bool over_unix)
{
	int on = 1, receive = 64 * 1024;

	memset(s, 0, sizeof *s);
	s->steps = steps;
	sem_init(&s->to_user, 0, 0);
	sem_init(&s->to_origin, 0, 0);
	if (over_unix) {
		s->addr.sa.un.sun_family = AF_UNIX;
		snprintf(s->addr.sa.un.sun_path, sizeof s->addr.sa.un.sun_path, "/tmp/origin_script.%d.sock", (int)getpid());
		s->addr.len = sizeof s->addr.sa.un;
		snprintf(s->addr_text, sizeof s->addr_text, "unix:%s", s->addr.sa.un.sun_path);
		unlink(s->addr.sa.un.sun_path);
	} else {
		s->addr.sa.in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		s->addr.len = sizeof s->addr.sa.in;
	}
	s->listener = socket(s->addr.sa.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(s->listener >= 0);
	setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(s->listener, SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive); /* so that SCRIPT_BIG does not fit in */
	CHECK(bind(s->listener, &s->addr.sa.any, s->addr.len) == 0);
	CHECK(listen(s->listener, 16) == 0);
	if (!over_unix) {
		CHECK(getsockname(s->listener, &s->addr.sa.any, &s->addr.len) == 0);
		snprintf(s->addr_text, sizeof s->addr_text, "127.0.0.1:%u", ntohs(s->addr.sa.in.sin_port));
	}
	s->addr.text = slice_str(s->addr_text);
	CHECK(pthread_create(&s->thread, NULL, script_run, s) == 0);
}

/* Tells an origin that still waits for a word that the test is over. Empty when every step went as written. */
static inline const char *script_join(struct script *s)
{
	for (size_t i = 0; i < 4; i++) /* more than any script waits for at its end */
		sem_post(&s->to_origin);
	pthread_join(s->thread, NULL);
	sem_destroy(&s->to_user);
	sem_destroy(&s->to_origin);
	if (s->addr.sa.any.sa_family == AF_UNIX)
		unlink(s->addr.sa.un.sun_path);
	return s->failure;
}

#endif
