/* libcurl, held tightly. */
#include "cert_fetch.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "../conf/check.h"
#include "ocsp.h"

struct fetch {
	struct fetch *next;
	CURL *easy;
	struct curl_slist *fields;
	void *owner;
	uint64_t begun_us;
	bool over;
	CURLcode code;
	size_t len;
	char answer[OCSP_ANSWER_MAX];
};

struct fetches { CURLM *multi; struct fetch *list; unsigned count; };

struct fetches *fetches_new(void)
{
	struct fetches *fetches = must(calloc(1, sizeof(*fetches)));

	if (curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK)
		fetches->multi = curl_multi_init();
	if (!fetches->multi) {
		free(fetches);
		return NULL;
	}
	curl_multi_setopt(fetches->multi, CURLMOPT_MAXCONNECTS, 4l);
	return fetches;
}

static void fetch_free(struct fetches *fetches, struct fetch *fetch)
{
	struct fetch **at = &fetches->list;

	while (*at != fetch)
		at = &(*at)->next;
	*at = fetch->next;
	fetches->count--;
	curl_multi_remove_handle(fetches->multi, fetch->easy);
	curl_easy_cleanup(fetch->easy);
	curl_slist_free_all(fetch->fields);
	free(fetch);
}

void fetches_free(struct fetches **fetches, void (*drop)(void *owner))
{
	struct fetches *f = *fetches;

	if (!f)
		return;
	*fetches = NULL;
	while (f->list) {
		drop(f->list->owner);
		fetch_free(f, f->list);
	}
	curl_multi_cleanup(f->multi);
	curl_global_cleanup();
	free(f);
}

unsigned fetches_open(const struct fetches *fetches)
{
	return fetches ? fetches->count : 0;
}

static size_t take_bytes(char *bytes, size_t one, size_t count, void *arg)
{
	struct fetch *fetch = arg;

	if (count > sizeof(fetch->answer) - fetch->len)
		return 0;                        /* ends the transfer: it is larger than any OCSP answer */
	memcpy(fetch->answer + fetch->len, bytes, count);
	fetch->len += count;
	return one * count;
}

static bool fetch_set(struct fetch *fetch, const char *url, const void *body, size_t len)
{
	CURL *easy = fetch->easy;
	bool ok = true;

	fetch->fields = curl_slist_append(fetch->fields, "Content-Type: application/ocsp-request");
	ok &= curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http") == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0l) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK;     /* not what the environment says */
	ok &= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1l) == CURLE_OK;
	/* Who gives up a fetch does not wait for a name that is still being looked up. */
	ok &= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1l) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_USERAGENT, "proxyd") == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fetch->fields) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)len) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_bytes) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_PRIVATE, fetch) == CURLE_OK;
	return ok && fetch->fields;
}

bool fetch_begin(struct fetches *fetches, const char *url, const void *body, size_t len, uint64_t now_us, void *owner)
{
	struct fetch *fetch = must(calloc(1, sizeof(*fetch)));

	fetch->easy = curl_easy_init();
	if (!fetch->easy || !fetch_set(fetch, url, body, len) || curl_multi_add_handle(fetches->multi, fetch->easy) != CURLM_OK) {
		curl_easy_cleanup(fetch->easy);
		curl_slist_free_all(fetch->fields);
		free(fetch);
		return false;
	}
	fetch->owner = owner;
	fetch->begun_us = now_us;
	fetch->next = fetches->list;
	fetches->list = fetch;
	fetches->count++;
	return true;
}

int fetches_poll(struct fetches *fetches, struct pollfd *polls, unsigned count, int ms)
{
	struct curl_waitfd waits[8];
	int n = 0;

	CHECK(count <= COUNT_OF(waits));
	if (!fetches_open(fetches))
		return poll(polls, count, ms);
	for (unsigned i = 0; i < count; i++) {
		polls[i].revents = 0;
		waits[i] = (struct curl_waitfd){ .fd = polls[i].fd, .events = CURL_WAIT_POLLIN };
	}
	if (curl_multi_poll(fetches->multi, waits, count, ms, &n) != CURLM_OK)
		return poll(polls, count, ms);
	for (unsigned i = 0; i < count; i++)
		polls[i].revents = waits[i].revents & CURL_WAIT_POLLIN ? POLLIN : 0;
	return n;
}

static void fetch_tell(struct fetch *fetch, void (*over)(void *arg, void *owner, const struct slice *answer, const char *why), void *arg)
{
	struct slice answer = slice_make(fetch->answer, fetch->len);
	char why[FETCH_WHY_MAX];
	long status = 0, os_errno = 0;

	curl_easy_getinfo(fetch->easy, CURLINFO_OS_ERRNO, &os_errno);
	curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
	if (!fetch->over)
		snprintf(why, sizeof(why), "it did not answer within %d s", FETCH_US / 1000000);
	else if (fetch->code == CURLE_WRITE_ERROR)
		snprintf(why, sizeof(why), "its answer is larger than %d bytes", OCSP_ANSWER_MAX);
	else if (fetch->code != CURLE_OK)        /* not libcurl's longer text: it has times in it, and each would be news */
		snprintf(why, sizeof(why), "%.100s%s%.80s", curl_easy_strerror(fetch->code), os_errno ? ": " : "", os_errno ? strerror((int)os_errno) : "");
	else if (status != 200)
		snprintf(why, sizeof(why), "it answered with status %ld", status);
	else {
		over(arg, fetch->owner, &answer, "");
		return;
	}
	over(arg, fetch->owner, NULL, why);
}

void fetches_run(struct fetches *fetches, uint64_t now_us, void (*over)(void *arg, void *owner, const struct slice *answer, const char *why), void *arg)
{
	struct fetch *fetch, *next;
	CURLMsg *message;
	int left;

	curl_multi_perform(fetches->multi, &left);
	while ((message = curl_multi_info_read(fetches->multi, &left))) {
		char *private = NULL;

		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
		fetch = (struct fetch *)(void *)private;
		if (message->msg != CURLMSG_DONE)
			continue;
		fetch->over = true;
		fetch->code = message->data.result;
	}
	for (fetch = fetches->list; fetch; fetch = next) {
		next = fetch->next;
		if (!fetch->over && now_us - fetch->begun_us < FETCH_US)
			continue;
		fetch_tell(fetch, over, arg);
		fetch_free(fetches, fetch);
	}
}
