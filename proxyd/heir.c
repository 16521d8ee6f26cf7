/* The channel of a binary upgrade, and the new process' end of it. */
#include "heir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/socket.h>
#include <unistd.h>

#include "diag.h"

bool packet_send(int channel, char kind, struct slice text, int fd, bool wait)
{
	union { struct cmsghdr align; char bytes[CMSG_SPACE(sizeof(int))]; } control;
	struct iovec iov[2] = { { &kind, 1 }, { (void *)(uintptr_t)text.ptr, text.len } };
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	memset(&control, 0, sizeof(control));
	if (fd >= 0) {
		struct cmsghdr *header;

		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		header = CMSG_FIRSTHDR(&message);
		*header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	}
	do
		n = sendmsg(channel, &message, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)text.len + 1;
}

static int control_fd(struct msghdr *message)
{
	int fd = -1;

	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header))
		if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int)))
			memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

char packet_receive(int channel, char *text, size_t *ret_len, int *ret_fd, bool wait)
{
	union { struct cmsghdr align; char bytes[CMSG_SPACE(sizeof(int))]; } control;
	char kind = 0;
	struct iovec iov[2] = { { &kind, 1 }, { text, HEIR_TEXT_MAX } };
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes) };
	ssize_t n;
	int fd;

	do
		n = recvmsg(channel, &message, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		errno = ECONNRESET;
	if (n <= 0)
		return 0;
	*ret_len = (size_t)n - 1;
	text[*ret_len] = '\0';
	fd = control_fd(&message);
	if (ret_fd)
		*ret_fd = fd;
	else if (fd >= 0)
		close(fd);
	return kind;
}

/* ---- the new process ---- */

static void inherited_add(struct heir *heir, char kind, const char *text, int fd)
{
	struct inherited *one = must(calloc(1, sizeof(*one)));
	char *name;

	one->kind = kind;
	one->fd = fd;
	if (kind == 'S') {
		one->size = strtoull(text, &name, 10);
		text = *name == ' ' ? name + 1 : name;
	}
	snprintf(one->text, sizeof(one->text), "%s", text);
	one->next = heir->list;
	heir->list = one;
	heir->count++;
}

static void tickets_add(struct heir *heir, char *text, size_t len)
{
	heir_forget_tickets(heir);
	heir->ticket_keys = must(malloc(len + 1));
	memcpy(heir->ticket_keys, text, len);
	heir->ticket_keys_len = len;
	explicit_bzero(text, len);
}

static bool hello_parse(struct heir *heir, const char *text)
{
	int version;

	return sscanf(text, "%d %u %u %" SCNu64 " %67s", &version, &heir->ordinal, &heir->first_worker, &heir->generation, heir->self) == 5 && version == 1;
}

bool heir_receive(struct heir **ret_heir)
{
	const char *number = getenv("PROXYD_UPGRADE");
	char *text, kind;
	struct heir *heir;
	bool hello = false;
	size_t len;
	int fd;

	*ret_heir = NULL;
	if (!number)
		return true;
	heir = must(calloc(1, sizeof(*heir)));
	heir->fd = atoi(number);
	unsetenv("PROXYD_UPGRADE");
	text = must(malloc(HEIR_TEXT_MAX + 1));
	if (fcntl(heir->fd, F_SETFD, FD_CLOEXEC) != 0) {
		diag(DIAG_error, "upgrade: PROXYD_UPGRADE=%d: %s", heir->fd, strerror(errno));
		heir->fd = -1;
		goto out;
	}
	while ((kind = packet_receive(heir->fd, text, &len, &fd, true)) != 0 && kind != 'E') {
		if (kind == 'H')
			hello = hello_parse(heir, text);
		else if (kind == 'K')
			tickets_add(heir, text, len);
		else
			inherited_add(heir, kind, text, fd);
	}
	if (kind == 'E' && hello)
		goto out;
	diag(DIAG_error, "upgrade: what the old process hands over is not understood; it may be of another version: restart instead");
	close(heir->fd);
	heir->fd = -1;
out:
	free(text);
	if (heir->fd < 0)
		heir_free(&heir);
	*ret_heir = heir;
	return heir != NULL;
}

static struct inherited *find(const struct heir *heir, char kind, struct slice text)
{
	for (struct inherited *one = heir ? heir->list : NULL; one; one = one->next)
		if (one->kind == kind && (one->fd >= 0 || kind == 'S') && slice_eq(slice_str(one->text), text))
			return one;
	return NULL;
}

bool heir_has(const struct heir *heir, char kind, struct slice text)
{
	return find(heir, kind, text) != NULL;
}

int heir_take(struct heir *heir, char kind, struct slice text)
{
	struct inherited *one = find(heir, kind, text);
	int fd = one ? one->fd : -1;

	if (one)
		one->fd = -1;
	return fd;
}

uint64_t heir_size(const struct heir *heir, struct slice path)
{
	const struct inherited *one = find(heir, 'S', path);

	return one ? one->size : 0;
}

struct slice heir_tickets(const struct heir *heir)
{
	return heir && heir->ticket_keys ? slice_make(heir->ticket_keys, heir->ticket_keys_len) : slice_make("", 0);
}

void heir_forget_tickets(struct heir *heir)
{
	if (!heir || !heir->ticket_keys)
		return;
	explicit_bzero(heir->ticket_keys, heir->ticket_keys_len);
	free(heir->ticket_keys);
	heir->ticket_keys = NULL;
}

static void gone(struct heir *heir)
{
	close(heir->fd);
	heir->fd = -1;
}

/* True: it was for us alone. */
static bool pass_on(struct heir *heir, char kind, const char *text, size_t len)
{
	const char *line = memchr(text, '\n', len);

	if (kind == 'X')
		heir->invalidated(heir->arg, slice_make("", 0), slice_make("", 0));
	else if (kind == 'I' && line)
		heir->invalidated(heir->arg, slice_make(text, (size_t)(line - text)), slice_make(line + 1, len - (size_t)(line + 1 - text)));
	return kind == 'X' || kind == 'I';
}

bool heir_say(struct heir *heir, char kind, const char *text, char answer)
{
	char *room, got;
	size_t len;

	if (heir->fd < 0)
		return false;
	if (!packet_send(heir->fd, kind, slice_str(text), -1, true)) {
		gone(heir);
		return false;
	}
	if (!answer)
		return true;
	room = must(malloc(HEIR_TEXT_MAX + 1));
	do
		got = packet_receive(heir->fd, room, &len, NULL, true);
	while (got != 0 && got != answer && pass_on(heir, got, room, len));
	free(room);
	if (got != answer)
		gone(heir);
	return got == answer;
}

void heir_listen(struct heir *heir)
{
	char *room = must(malloc(HEIR_TEXT_MAX + 1)), got;
	size_t len;

	while (heir->fd >= 0) {
		errno = 0;
		got = packet_receive(heir->fd, room, &len, NULL, false);
		if (got == 0 && errno == EAGAIN)
			break;
		if (got == 0)
			gone(heir);
		else
			pass_on(heir, got, room, len);
	}
	free(room);
}

void heir_free(struct heir **heir)
{
	struct heir *h = *heir;

	*heir = NULL;
	if (!h)
		return;
	heir_forget_tickets(h);
	while (h->list) {
		struct inherited *one = h->list;

		h->list = one->next;
		if (one->fd >= 0)
			close(one->fd);
		free(one);
	}
	if (h->fd >= 0)
		close(h->fd);
	free(h);
}
