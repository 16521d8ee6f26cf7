/* The common log format and what grew around it: the columns before and behind the core are told by their shape. */
#include "format_internal.h"

enum { TAIL_MAX = 16, LINES_LOOKED_AT = 200, LABEL_MAX = 24 };

/* One line in pieces. */
struct pieces {
	unsigned before;                 /* words before ADDRESS IDENT USER */
	bool port;                       /* the first of them ends in :PORT */
	bool agent;                      /* a quoted Referer and User-Agent stand behind the size */
	bool absolute;                   /* the request's target is a whole URL */
	unsigned count;
	struct tail { struct slice text; char label[LABEL_MAX]; bool quoted; } tail[TAIL_MAX];
};

/* What was seen in one of the columns behind the core. */
struct seen { unsigned lines, none, words_nginx, words_varnish, decimals, lists, addresses, ports, whole; };

static bool word_take(struct slice *rest, struct slice *ret_word)
{
	const char *blank;

	while (rest->len && *rest->ptr == ' ') *rest = slice_make(rest->ptr + 1, rest->len - 1);
	if (!rest->len) return false;
	blank = memchr(rest->ptr, ' ', rest->len);
	*ret_word = slice_make(rest->ptr, blank ? (size_t)(blank - rest->ptr) : rest->len);
	*rest = slice_make(rest->ptr + ret_word->len, rest->len - ret_word->len);
	return true;
}

/* A text in quotes at the beginning of rest. */
static bool quoted_take(struct slice *rest, struct slice *ret_text)
{
	while (rest->len && *rest->ptr == ' ') *rest = slice_make(rest->ptr + 1, rest->len - 1);
	if (!rest->len || *rest->ptr != '"') return false;
	for (size_t i = 1; i < rest->len; i++) {
		if (rest->ptr[i] == '\\') i++;
		else if (rest->ptr[i] == '"') {
			*ret_text = slice_make(rest->ptr + 1, i - 1);
			*rest = slice_make(rest->ptr + i + 1, rest->len - i - 1);
			return true;
		}
	}
	return false;
}

/* A value behind the core: 0.003, "192.0.2.1", rt=0.003, uct="0.001"; lists go on behind ", " and " : ". */
static bool tail_take(struct slice *rest, struct tail *tail)
{
	struct slice word;
	size_t label = 0;

	*tail = (struct tail){ 0 };
	while (rest->len && *rest->ptr == ' ') *rest = slice_make(rest->ptr + 1, rest->len - 1);
	while (label < rest->len && label < LABEL_MAX - 2 && ((rest->ptr[label] | 32) >= 'a' && (rest->ptr[label] | 32) <= 'z')) label++;
	while (label && label < rest->len && label < LABEL_MAX - 2 && rest->ptr[label] == '_') label++;
	if (label && label < rest->len && (rest->ptr[label] == '=' || rest->ptr[label] == ':')) {
		memcpy(tail->label, rest->ptr, label + 1);
		*rest = slice_make(rest->ptr + label + 1, rest->len - label - 1);
	}
	if (quoted_take(rest, &tail->text)) return tail->quoted = true;
	if (!word_take(rest, &tail->text)) return tail->label[0] != 0;
	while (rest->len && (tail->text.ptr[tail->text.len - 1] == ',' || slice_starts(*rest, SLICE(" : ")))) {
		if (slice_starts(*rest, SLICE(" : "))) *rest = slice_make(rest->ptr + 3, rest->len - 3);
		if (!word_take(rest, &word)) break;
		tail->text.len = (size_t)(word.ptr + word.len - tail->text.ptr);
	}
	return true;
}

static bool pieces_of(struct slice line, struct pieces *p)
{
	const char *bracket = memmem(line.ptr, line.len, " [", 2);
	const char *close = bracket ? memmem(bracket, (size_t)(line.ptr + line.len - bracket), "] \"", 3) : NULL;
	struct slice rest, word, request, referer, agent;
	unsigned words = 0;

	*p = (struct pieces){ 0 };
	if (!bracket || !close || close - bracket != CLF_TIME_LEN + 2 || bracket[4] != '/' || bracket[8] != '/') return false;
	rest = slice_make(line.ptr, (size_t)(bracket - line.ptr));
	while (word_take(&rest, &word)) {
		const char *colon = words ? NULL : memrchr(word.ptr, ':', word.len);
		unsigned port;
		if (!words) p->port = colon && colon + 1 < word.ptr + word.len && parse_digits(colon + 1, (unsigned)(word.ptr + word.len - colon - 1), &port);
		words++;
	}
	if (words < 3) return false;
	p->before = words - 3;
	rest = slice_make(close + 2, (size_t)(line.ptr + line.len - close - 2));
	if (!quoted_take(&rest, &request) || !word_take(&rest, &word) || !word_take(&rest, &word)) return false;
	p->absolute = memmem(request.ptr, request.len, " http://", 8) || memmem(request.ptr, request.len, " https://", 9);
	if (rest.len > 1 && rest.ptr[1] == '"') {
		struct slice before = rest;
		p->agent = quoted_take(&rest, &referer) && quoted_take(&rest, &agent);
		if (!p->agent) rest = before;
	}
	while (p->count < TAIL_MAX && tail_take(&rest, &p->tail[p->count])) p->count++;
	return true;
}

static bool pieces_alike(const struct pieces *a, const struct pieces *b)
{
	return a->before == b->before && a->port == b->port && a->agent == b->agent && a->count == b->count;
}

/* ---- shapes ---- */

static bool is_address(struct slice text, bool *ret_port)
{
	size_t dots = 0, colons = 0, others = 0;
	bool unix_socket = slice_starts(text, SLICE("unix:"));

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		dots += c == '.';
		colons += c == ':';
		others += !((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f') || strchr(".:[]", c));
	}
	*ret_port = unix_socket || (colons == 1 && dots == 3) || (text.len && text.ptr[0] == '[' && text.ptr[text.len - 1] != ']');
	return unix_socket || (!others && (dots == 3 || colons >= 2));
}

static void shape_add(struct seen *seen, struct slice text, struct format_scratch *scratch)
{
	const struct word_row *nginx = word_find(scratch, WORDS_nginx, text), *varnish;
	struct slice first = text;
	const char *comma = text.len ? memchr(text.ptr, ',', text.len) : NULL;
	int64_t us;
	uint64_t whole;
	bool port = false;

	seen->lines++;
	if (comma) first.len = (size_t)(comma - text.ptr);
	if (text_none(text)) {
		seen->none++;
		return;
	}
	varnish = word_find(scratch, WORDS_varnish, text);
	seen->words_nginx += nginx && text.ptr[0] >= 'A' && text.ptr[0] <= 'Z';
	seen->words_varnish += varnish && text.ptr[0] >= 'a' && text.ptr[0] <= 'z';
	seen->lists += comma != NULL;
	if (parse_number(text, &whole)) seen->whole++;
	else seen->decimals += parse_seconds(first, &us);
	if (!is_address(first, &port)) return;
	seen->addresses += !port;
	seen->ports += port;
}

/* Labels that are customary in nginx's logs. */
static const struct { const char *label, *variable; } labels[] = {
	{ "rt=", "$request_time" }, { "request_time=", "$request_time" }, { "uct=", "$upstream_connect_time" }, { "uht=", "$upstream_header_time" },
	{ "urt=", "$upstream_response_time" }, { "cs=", "$upstream_cache_status" }, { "cache=", "$upstream_cache_status" }, { "ua=", "$upstream_addr" },
	{ "upstream=", "$upstream_addr" }, { "us=", "$upstream_status" }, { "host=", "$host" }, { "upstream_cache_status=", "$upstream_cache_status" },
	{ "upstream_response_time=", "$upstream_response_time" }, { "upstream_addr=", "$upstream_addr" }, { "sn=", "$server_name" },
};

/* nginx's variable for a column. *timed: a time was taken already. */
static const char *variable_of(const struct seen *seen, const char *label, bool *timed)
{
	unsigned some = seen->lines - seen->none;

	for (size_t i = 0; label[0] && i < COUNT_OF(labels); i++)
		if (strcmp(labels[i].label, label) == 0) return labels[i].variable;
	if (label[0]) return "$unknown";
	if (some && seen->words_nginx == some) return "$upstream_cache_status";
	if (some && seen->ports == some) return "$upstream_addr";
	if (some && seen->decimals == some) {
		bool first = !*timed && !seen->none && !seen->lists;
		*timed = true;
		return first ? "$request_time" : "$upstream_response_time";
	}
	if (some == 0 || seen->addresses == some) return "$http_x_forwarded_for";
	return "$unknown";
}

/* ---- the guess ---- */

/* The make-up that most of the first lines have. False: none is of this kind. */
static bool usual_pieces(struct slice head, struct pieces *ret_pieces)
{
	struct pieces kinds[8];
	unsigned counts[8] = { 0 }, used = 0, best = 0, lines = 0;
	struct slice line;
	struct pieces p;

	while (lines < LINES_LOOKED_AT && head_line(&head, &line)) {
		unsigned i = 0;
		lines++;
		if (!pieces_of(line, &p)) continue;
		while (i < used && !pieces_alike(&kinds[i], &p)) i++;
		if (i == COUNT_OF(kinds)) continue;
		if (i == used) kinds[used++] = p;
		counts[i]++;
		/* A URL as target is a trait of the whole log: one line without does away with it, but for junk. */
		kinds[i].absolute &= p.absolute;
	}
	for (unsigned i = 1; i < used; i++)
		if (counts[i] > counts[best]) best = i;
	if (used) *ret_pieces = kinds[best];
	return used > 0;
}

static void shapes_of(struct slice head, const struct pieces *usual, struct seen seen[TAIL_MAX])
{
	struct format_scratch *scratch = format_scratch_new();
	unsigned lines = 0;
	struct slice line;
	struct pieces p;

	while (lines++ < LINES_LOOKED_AT && head_line(&head, &line)) {
		if (!pieces_of(line, &p) || !pieces_alike(usual, &p)) continue;
		for (unsigned i = 0; i < p.count; i++) shape_add(&seen[i], p.tail[i].text, scratch);
	}
	format_scratch_free(&scratch);
}

/* A row of the table, when it is just that. FORMAT_COUNT: none. */
static enum format_id row_of(const struct pieces *p, const struct seen *seen)
{
	unsigned some = seen[0].lines - seen[0].none;
	bool one = p->count == 1 && p->agent && !p->tail[0].label[0] && some;

	if (p->before > 1 || (p->before == 1 && !p->port)) return FORMAT_COUNT;
	if (p->count == 0 && p->before == 1 && p->agent) return FORMAT_vhost_combined;
	if (one && p->before == 1 && seen[0].whole == some) return FORMAT_vhost_combined_us;
	if (p->before) return FORMAT_COUNT;
	if (one && !p->tail[0].quoted && seen[0].words_varnish == some) return FORMAT_varnish_handling;
	if (one && !p->tail[0].quoted && seen[0].words_nginx == some) return FORMAT_nginx_cache;
	if (p->count) return FORMAT_COUNT;
	return !p->agent ? FORMAT_common : p->absolute ? FORMAT_varnish : FORMAT_combined;
}

/* varnishncsa's name for a column: its own words and times. */
static const char *directive_of(const struct seen *seen)
{
	unsigned some = seen->lines - seen->none;

	if (some && seen->words_varnish == some) return "%{Varnish:handling}x";
	if (some && seen->decimals == some) return "%{Varnish:time_firstbyte}x";
	return seen->addresses == some ? "%{X-Forwarded-For}i" : "%{unknown}x";
}

static const char *core_of(const struct pieces *p, bool varnish)
{
	if (varnish) return p->agent ? "%h %l %u %t \"%r\" %s %b \"%{Referer}i\" \"%{User-agent}i\"" : "%h %l %u %t \"%r\" %s %b";
	return p->agent ? "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\""
		: "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent";
}

/* Whose layout it is: Varnish's, when a column has its words; else nginx's, and surely so when a column has something of nginx. */
static enum dialect layout_of(const struct pieces *p, const struct seen *seen, char layout[LAYOUT_MAX], bool *ret_sure)
{
	bool varnish = false, timed = false;
	size_t len;

	for (unsigned i = 0; i < p->count; i++) varnish |= seen[i].words_varnish && seen[i].words_varnish == seen[i].lines - seen[i].none;
	len = (size_t)snprintf(layout, LAYOUT_MAX, "%s%s",
		p->before == 0 ? "" : varnish ? "%{Host}i " : p->port ? "$server_name:$server_port " : "$host ", core_of(p, varnish));
	*ret_sure = varnish;
	for (unsigned i = 0; i < p->count; i++) {
		const char *quote = p->tail[i].quoted ? "\"" : "", *name = varnish ? directive_of(&seen[i]) : variable_of(&seen[i], p->tail[i].label, &timed);
		*ret_sure |= strcmp(name, "$unknown") != 0 && strcmp(name, "$http_x_forwarded_for") != 0;
		len += (size_t)snprintf(layout + len, LAYOUT_MAX - len, " %s%s%s%s", p->tail[i].label, quote, name, quote);
	}
	return varnish ? DIALECT_VARNISH : DIALECT_NGINX;
}

struct format *clf_guess(struct slice head)
{
	struct seen seen[TAIL_MAX] = { { 0 } };
	char layout[LAYOUT_MAX], name[LAYOUT_MAX + 16], why[FORMAT_WHY_MAX];
	struct format *format = NULL;
	enum format_id id;
	struct pieces p;
	enum dialect dialect;
	bool sure;

	if (!usual_pieces(head, &p) || p.before > 1) return NULL;
	shapes_of(head, &p, seen);
	id = row_of(&p, seen);
	if (id != FORMAT_COUNT) return format_from_row(id, head, &format, why) ? format : NULL;
	dialect = layout_of(&p, seen, layout, &sure);
	snprintf(name, sizeof(name), "%s:%s", dialect_rows[dialect].prefix, layout);
	format = format_new(dialect, sure ? dialect_rows[dialect].stamp : STAMP_ANY, layout, name, strstr(layout, "unknown") ?
		"the columns called unknown are passed over: name them with --format when they matter" : "");
	if (!layout_compile(format, why)) format_free(&format);
	return format;
}
