/* The URL that is asked about, and whether a line is about it. */
#include "../conf/logval.h"
#include "why.h"

/* ---- parsing ---- */

static struct slice lower(char **buf, struct slice text)
{
	char *at = *buf;

	for (size_t i = 0; i < text.len; i++) at[i] = (char)(text.ptr[i] >= 'A' && text.ptr[i] <= 'Z' ? text.ptr[i] + 32 : text.ptr[i]);
	*buf += text.len;
	return slice_make(at, text.len);
}

/* Where the port's colon is, or len. [::1]:80 has one, [::1] none. */
static size_t port_at(struct slice host)
{
	for (size_t i = host.len; i-- > 0 && host.ptr[i] != ']';)
		if (host.ptr[i] == ':') return i;
	return host.len;
}

static bool take_authority(struct slice text, char **buf, struct why_url *url)
{
	const char *user = memrchr(text.ptr, '@', text.len);
	size_t port;

	if (user) text = slice_make(user + 1, text.len - (size_t)(user + 1 - text.ptr));
	port = port_at(text);
	if (port == 0) return false;
	url->host_port = lower(buf, text);
	url->host = slice_make(url->host_port.ptr, port);
	return true;
}

bool why_url_parse(struct slice text, char *buf, struct why_url *ret_url)
{
	struct why_url url = { 0 };
	const char *fragment = memchr(text.ptr, '#', text.len);
	size_t len;

	if (fragment) text.len = (size_t)(fragment - text.ptr);
	if (!text.len) return false;
	if (slice_eq(text, SLICE("*")) || text.ptr[0] == '/') {
		url.target = text;
		*ret_url = url;
		return true;
	}
	for (len = 0; len < text.len && text.ptr[len] != ':' && text.ptr[len] != '/' && text.ptr[len] != '?'; len++);
	if (slice_starts(slice_make(text.ptr + len, text.len - len), SLICE("://"))) {
		url.scheme = lower(&buf, slice_make(text.ptr, len));
		if (!slice_eq(url.scheme, SLICE("http")) && !slice_eq(url.scheme, SLICE("https"))) return false;
		text = slice_make(text.ptr + len + 3, text.len - len - 3);
	}
	for (len = 0; len < text.len && text.ptr[len] != '/' && text.ptr[len] != '?'; len++);
	if (!len || !take_authority(slice_make(text.ptr, len), &buf, &url)) return false;
	text = slice_make(text.ptr + len, text.len - len);
	url.target = text;
	if (!text.len || text.ptr[0] == '?') {           /* an empty path is / (RFC 9110 section 4.2.3) */
		url.target = slice_make(buf, text.len + 1);
		buf[0] = '/';
		if (text.len) memcpy(buf + 1, text.ptr, text.len);
	}
	*ret_url = url;
	return true;
}

/* ---- comparing ---- */

/* Path and query of a target in absolute form; others as they are. */
static struct slice origin_form(struct slice target)
{
	const char *slashes, *path;

	if (target.len && (target.ptr[0] == '/' || target.ptr[0] == '*')) return target;
	slashes = memmem(target.ptr, target.len, "://", 3);
	if (!slashes) return target;
	slashes += 3;
	path = memchr(slashes, '/', target.len - (size_t)(slashes - target.ptr));
	return path ? slice_make(path, target.len - (size_t)(path - target.ptr)) : SLICE("/");
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* The next byte of a target; an encoded one counts with 256 added unless it is one that needs no encoding (RFC 3986 section 2.3). */
static int next_byte(struct slice *text)
{
	int byte = (unsigned char)text->ptr[0], hi, lo;
	size_t used = 1;

	if (byte == '%' && text->len >= 3 && (hi = hex(text->ptr[1])) >= 0 && (lo = hex(text->ptr[2])) >= 0) {
		byte = hi << 4 | lo;
		used = 3;
		if (!((byte | 32) >= 'a' && (byte | 32) <= 'z') && !(byte >= '0' && byte <= '9') && !(byte && strchr("-._~", byte))) byte += 256;
	}
	*text = slice_make(text->ptr + used, text->len - used);
	return byte;
}

static bool same_target(struct slice a, struct slice b)
{
	while (a.len && b.len)
		if (next_byte(&a) != next_byte(&b)) return false;
	return a.len == b.len;
}

/* The log doubles backslashes, escapes control bytes and cuts long texts: rare, and undone here. */
static bool same_escaped(struct slice asked, struct slice logged)
{
	char plain[LOG_LINE_MAX];
	uint64_t true_len;
	size_t len = logval_unescape(logged, plain, &true_len);

	if (true_len == len) return same_target(asked, origin_form(slice_make(plain, len)));
	return asked.len == true_len && memcmp(asked.ptr, plain, len) == 0;
}

static bool same_host(const struct why_url *url, struct slice host)
{
	return !url->host.len || slice_eq(host, url->host) || slice_eq(host, url->host_port);
}

bool why_url_is(const struct why_url *url, const struct logline *line)
{
	if (!same_host(url, line->host) || (url->scheme.len && line->scheme.len && !slice_eq(url->scheme, line->scheme))) return false;
	if (slice_eq(url->target, line->target)) return true;
	if (line->target.len && memchr(line->target.ptr, '\\', line->target.len)) return same_escaped(url->target, line->target);
	return line->target.len && same_target(url->target, origin_form(line->target));
}

/* ---- purges ---- */

static struct slice word(struct slice *text)
{
	const char *blank = text->len ? memchr(text->ptr, ' ', text->len) : NULL;
	struct slice first = slice_make(text->ptr, blank ? (size_t)(blank - text->ptr) : text->len);

	*text = slice_make(text->ptr + first.len + (blank != NULL), text->len - first.len - (blank != NULL));
	return first;
}

/* The target of a purge record is kind, mode and text: "prefix hard http://HOST/images/". */
bool why_url_is_purged(const struct why_url *url, const struct logline *line)
{
	char buf[2 * LOG_LINE_MAX];
	struct slice text = line->target, kind, target = url->target;
	struct why_url purged;

	if (line->rec == REC_req) return line->cache == VERDICT_purge && why_url_is(url, line);
	if (line->rec != REC_purge) return false;
	kind = word(&text);
	word(&text);
	if (slice_eq(kind, SLICE("all"))) return true;
	if (!text.len || !why_url_parse(text, buf, &purged)) return false;
	if (url->scheme.len && purged.scheme.len && !slice_eq(url->scheme, purged.scheme)) return false;
	if (url->host.len && !slice_eq(url->host, purged.host)) return false;
	if (slice_eq(kind, SLICE("prefix"))) target.len = target.len < purged.target.len ? target.len : purged.target.len;
	else if (!slice_eq(kind, SLICE("url"))) return false;
	return same_target(target, purged.target);
}

/* ---- what is near ---- */

static unsigned differing(struct slice a, struct slice b)
{
	size_t begin = 0, end = 0, most = a.len < b.len ? a.len : b.len;

	while (begin < most && a.ptr[begin] == b.ptr[begin]) begin++;
	while (end < most - begin && a.ptr[a.len - 1 - end] == b.ptr[b.len - 1 - end]) end++;
	return (unsigned)((a.len > b.len ? a.len : b.len) - begin - end);
}

static struct slice path_of(struct slice target)
{
	const char *query = target.len ? memchr(target.ptr, '?', target.len) : NULL;

	return query ? slice_make(target.ptr, (size_t)(query - target.ptr)) : target;
}

unsigned why_url_distance(const struct why_url *url, const struct logline *line)
{
	struct slice target = origin_form(line->target);
	unsigned distance = differing(url->target, target);

	/* The same path with another query is near, however long the query. */
	if (distance > 2 && slice_eq(path_of(url->target), path_of(target))) distance = 2;
	if (url->scheme.len && line->scheme.len && !slice_eq(url->scheme, line->scheme)) distance++;
	if (!same_host(url, line->host)) distance += 1 + differing(url->host, line->host);
	return distance;
}
