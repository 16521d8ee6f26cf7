/* Bodies that stay on disk. What the kernel has in its page cache is read at once, into memory of the worker; the rest is
 * read by an I/O thread of the volume, which is asked for the next piece while this one is being sent.
 *
 * Not by sendfile(), though it takes half the time: the kernel goes on sending from the pages of the file for as long as the
 * client takes, and once nobody has the object any more its blocks are written anew. Nor from a map: there an unreadable page
 * is a signal, and one that has just left the page cache stops the loop. */
#include "deliver.h"

#include <errno.h>
#include <stdlib.h>

enum { PIECE_BYTES = 256 * 1024 };

struct disk_read {
	struct store_read read;        /* first */
	struct mail mail;
	struct worker *worker;
	struct request *request;       /* NULL: it waits no more, and the message frees this */
	ssize_t result;                /* bytes; negative: failed */
	uint64_t offset;
	bool busy;
	char buf[PIECE_BYTES];
};

static void disk_run(struct worker *worker, struct mail *mail)
{
	struct disk_read *read = (struct disk_read *)((char *)mail - offsetof(struct disk_read, mail));

	if (!read->request) {
		free(read);
		return;
	}
	timer_clear(worker, &read->request->disk_timer);
	read->busy = false;
	request_run(read->request);
}

static void disk_done(struct store_read *store_read, ssize_t result)
{
	struct disk_read *read = (struct disk_read *)store_read;

	read->result = result;
	worker_post(read->worker, &read->mail);
}

/* Lets go of what was read, or of what is being read: the kernel may still write into it. */
static void disk_drop(struct request *r, bool late)
{
	struct disk_read *read = r->disk_read;

	r->disk_read = NULL;
	if (!read)
		return;
	timer_clear(r->worker, &r->disk_timer);
	if (read->busy && !object_read_cancel(&read->read, late))
		read->request = NULL;
	else
		free(read);
}

static void disk_timeout(struct worker *worker, struct timer *timer)
{
	struct request *r = (struct request *)((char *)timer - offsetof(struct request, disk_timer));

	(void)worker;
	disk_drop(r, true);
	r->disk_late = true;
	request_run(r);
}

static enum disk disk_wait(struct request *r)
{
	struct disk_read *read = must(malloc(sizeof(*read)));

	/* Field by field: the buffer need not be cleared. */
	read->read = (struct store_read){ .done = disk_done };
	read->mail.run = disk_run;
	read->worker = r->worker;
	read->request = r;
	read->result = 0;
	read->offset = r->sent;
	read->busy = true;
	request_keep(r);
	r->disk_read = read;
	timer_set(r->worker, &r->disk_timer, r->location->set.disk_timeout, disk_timeout);
	if (object_read_wait(r->object, r->sent - r->base, read->buf, sizeof(read->buf), &read->read) == STORE_OK) {
		r->ahead_to = r->sent + PIECE_BYTES;
		return DISK_WAIT;
	}
	read->busy = false;
	disk_drop(r, false);
	r->disk_late = true;
	return DISK_UNREADABLE;
}

/* Of one whom the disk has let wait: two pieces are in the page cache, or on their way, before they are wanted. */
static void disk_ahead(struct request *r, uint64_t end)
{
	uint64_t last = r->base + object_size(r->object);

	if (r->body_end < last)
		last = r->body_end;
	if (r->ahead_to == 0 || r->ahead_to >= last || r->ahead_to > end + PIECE_BYTES)
		return;
	if (r->ahead_to < end)
		r->ahead_to = end;
	object_read_ahead(r->object, r->ahead_to - r->base, PIECE_BYTES);
	r->ahead_to += PIECE_BYTES;
}

enum disk request_disk_read(struct request *r, struct iovec *ret_iov)
{
	struct disk_read *read = r->disk_read;
	ssize_t n;

	if (read && read->busy)
		return DISK_WAIT;
	if (r->disk_late || (read && read->result < 0)) {
		disk_drop(r, false);
		return DISK_UNREADABLE;
	}
	if (read && r->sent >= read->offset && r->sent < read->offset + (uint64_t)read->result) {
		uint64_t skip = r->sent - read->offset;
		*ret_iov = (struct iovec){ read->buf + skip, (size_t)read->result - skip };
	} else {
		disk_drop(r, false);
		n = object_read(r->object, r->sent - r->base, r->worker->clients->disk_buf, sizeof(r->worker->clients->disk_buf));
		if (n == -EAGAIN)
			return disk_wait(r);
		if (n <= 0)
			return DISK_UNREADABLE;
		*ret_iov = (struct iovec){ r->worker->clients->disk_buf, (size_t)n };
	}
	disk_ahead(r, r->sent + ret_iov->iov_len);
	return DISK_READY;
}

void request_disk_pause(struct request *r)
{
	if (r->disk_read && !r->disk_read->busy)
		disk_drop(r, false);
}

void request_disk_end(struct request *r)
{
	disk_drop(r, false);
}
