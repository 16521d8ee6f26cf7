/* How the files of conf/ load a configuration together; for nobody else.
 *
 * 1. parse.c      text -> a tree of statements, included files in their places
 * 2. directive.c  each statement against the table: known? allowed here? how many values? a block?
 * 3. directive_*.c, settings.c   statements -> struct conf; a level's single lines before its blocks, so that blocks inherit
 *                 what stands below them too
 * 4. verify.c     what only the whole can tell: volumes bound to nothing, loops, names in conflict
 * Each stage goes on after errors, so that one run shows them all; message.c sorts and prints them. */
#ifndef CONF_INTERNAL_H
#define CONF_INTERNAL_H

#include "check.h"
#include "conf.h"
#include "token.h"

enum {
	CONF_FILE_MAX = 16 * 1024 * 1024,/* bytes of one file */
	CONF_INCLUDE_DEPTH_MAX = 10,
	CONF_INCLUDES_MAX = 4096,        /* files of one load */
	CONF_BLOCK_DEPTH_MAX = 16,
	CONF_ARGS_MAX = 128,             /* values of one directive */
	CONF_MESSAGES_MAX = 100,         /* printed in one run */
	CONF_HEADERS_MAX = 100,          /* fields that one location sets, and adds */
	CONF_COOKIES_MAX = 100,
	PURGE_TOKEN_MIN = 16, PURGE_TOKEN_MAX = 512,
	CONF_KEY_NAMES_MAX = 200,        /* parameters that one location ignores, or keeps */
	CONF_KEY_SELECTORS_MAX = 500,    /* bytes of all cookies' names in the key */
	CONF_LISTEN_BACKLOG = 4096,
	CONF_CONNECTIONS_MAX = 16384,
	CONF_HANDSHAKES_MAX = 1024,
	CONF_KEEPALIVE = 64,
	CONF_UPSTREAM_BUCKETS = 4096,
};

/* Where a statement may stand: the letters of tbl/directives.h. */
enum { PLACE_MAIN = 1, PLACE_HTTP = 2, PLACE_SERVER = 4, PLACE_LOCATION = 8, PLACE_UPSTREAM = 16, PLACE_VOLUME = 32, PLACE_MANY = 64, PLACE_ALL = 63 };

struct statement {
	struct token name;
	struct token *args;
	size_t arg_count;
	struct statement *children, *next;
	const struct directive *row;     /* NULL: reported already, or ignored */
	struct conf_pos open;            /* of its { */
	bool has_block;
	bool cut;                        /* its values are not all there: reported */
	bool doubtful;                   /* something within was reported: do not report what seems to be missing */
};

struct load_options {
	bool sandbox;                    /* no file, no name service, no interfaces: for fuzzing; include is refused */
	bool literal;                    /* only literal addresses resolve: for tests */
};

struct load {
	struct conf *conf;
	struct load_options options;
	struct pool_chunk *scratch;      /* memory until the end of the load */
	struct upstream_link *upstreams[CONF_UPSTREAM_BUCKETS];   /* by name */
	struct source *sources;          /* newest first */
	unsigned source_count;
	const char *folder;              /* of the main file, with its '/'; "" when it has none */
	struct message *messages;        /* newest first */
	unsigned errors, notes;
	struct conf_pos metrics_pos;
	bool cut;                        /* a quote is not closed: the rest of the file is in it */
	bool doubtful;                   /* a name or a brace was not understood: absences may be its consequence */
};

/* conf->priv */
struct conf_priv {
	struct pool_chunk *chunks;
	void **regexes;                  /* pcre2_code */
	size_t regex_count;
	struct conf_server *http;        /* what servers inherit from: not a server, only its settings and lists */
};

/* The level that statements are applied to. */
struct scope {
	unsigned place;
	struct scope *outer;             /* NULL: main and http, which are one level */
	const struct statement *block;   /* NULL: the same */
	struct conf_server *server;      /* http's, or the server */
	struct conf_location *here;      /* the settings of this level: http's or the server's fallback, or the location */
	struct conf_volume *volume;
	struct conf_upstream *upstream;
	const struct statement **seen;   /* per row of the table: the first statement of it at this level */
};

/* conf.c: memory that lives as long as the configuration, or the load; zeroed, never NULL. */
void *load_alloc(struct load *load, size_t size);
void *load_scratch(struct load *load, size_t size);
/* Frees the scratch memory: statements and messages are gone. */
void load_release(struct load *load);
struct slice load_copy(struct load *load, struct slice text);
struct slice load_printf(struct load *load, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The array with room for one more; count before. */
void *load_room(struct load *load, void *items, size_t count, size_t item_size);
/* A copy of an array that another level goes on using; load_room may be called on it. */
void *load_unshare(struct load *load, const void *items, size_t count, size_t item_size);
struct source *load_source(struct load *load, const char *name, struct slice text);
/* Loads a text under a name. What the public functions call; tests and fuzzing too. */
struct conf *conf_load_text(const char *name, struct slice text, struct load_options options, FILE *messages);
struct conf *conf_load_path(const char *path, struct load_options options, FILE *messages);

/* message.c */
void load_error(struct load *load, struct conf_pos pos, const char *format, ...) __attribute__((format(printf, 3, 4)));
void load_note(struct load *load, struct conf_pos pos, const char *format, ...) __attribute__((format(printf, 3, 4)));
void messages_print(struct load *load, FILE *out);
/* The position `offset` characters into a token's text. Exact unless an escape stands before it. */
struct conf_pos token_pos_at(const struct token *token, size_t offset);

/* parse.c */
struct statement *parse_text(struct load *load, struct source *source);
/* Reads a file for the load: NULL after reporting at `pos`. */
struct source *parse_open(struct load *load, const char *path, struct source *includer, struct conf_pos pos);

/* directive.c */
enum setting_kind { SETTING_none, SETTING_SIZE, SETTING_TIME, SETTING_COUNT, SETTING_RATE, SETTING_FLAG };
struct directive {
	struct slice name;
	unsigned where;                  /* PLACE_ bits */
	unsigned min_args, max_args;
	bool block;
	enum setting_kind kind;          /* SETTING rows */
	size_t offset;                   /* in struct settings */
	const char *fallback, *min, *max;
	const char *doc;
	void (*take)(struct load *load, struct scope *scope, const struct statement *st);
};
extern const struct directive directive_rows[];
extern const size_t directive_count;
const struct directive *directive_find(struct slice name);
/* "in http, in server or in location" */
const char *place_names(unsigned where, char *out, size_t size);
void statements_check(struct load *load, struct statement *block, unsigned place);
void statements_apply(struct load *load, struct scope *scope, const struct statement *children);
/* A scope within another: its own `seen`. */
void scope_init(struct load *load, struct scope *scope, struct scope *outer, unsigned place, const struct statement *block);

#define SETTING(name, KIND, fallback, min, max, where, doc)
#define DIRECTIVE(name, where, min, max, block, doc) void conf_##name(struct load *load, struct scope *scope, const struct statement *st);
#include "tbl/directives.h"
#undef SETTING
#undef DIRECTIVE

/* foreign.c: a directive of nginx's that we do not have: noted or reported. False: not in the table. */
bool foreign_take(struct load *load, const struct statement *st, unsigned place);
/* Drops, with a note, the values of a directive of ours that only nginx's has. */
void foreign_values(struct load *load, struct statement *st);
/* What to use instead of a variable of nginx's; NULL: not in the table. */
const char *foreign_variable(struct slice name);

/* settings.c */
void settings_init(struct settings *set);
void settings_take(struct load *load, struct scope *scope, const struct statement *st);
/* Writes the rows in which `set` differs from `outer`; all of them when it is NULL. */
void settings_print(const struct settings *set, const struct settings *outer, const char *indent, FILE *out);
/* A value within bounds (as they are written in messages), or false after reporting. */
bool load_size(struct load *load, const struct token *token, const char *min, const char *max, uint64_t *ret_bytes);
bool load_flag(struct load *load, const struct token *token, bool *ret_on);
bool load_time(struct load *load, const struct token *token, const char *min, const char *max, uint64_t *ret_us);
bool load_count(struct load *load, const struct token *token, uint64_t min, uint64_t max, uint64_t *ret_count);

/* value.c */
enum { VALUE_TEXT_MAX = 32 };
bool conf_parse_count(struct slice text, uint64_t *ret_count);
const char *size_text(uint64_t bytes, char out[VALUE_TEXT_MAX]);
const char *time_text(uint64_t us, char out[VALUE_TEXT_MAX]);
/* [A-Za-z0-9._-], 1 to max of them. */
/* The token behind "name=". False: it is not this parameter. */
bool parameter_take(const struct token *token, struct slice name, struct token *ret_value);
bool name_is_plain(struct slice name, size_t max);

/* address.c */
struct endpoint {
	struct slice host;               /* name, address without brackets, "*", or unix:/path */
	uint16_t port;
	bool has_port, is_unix;
};
/* host, host:port, [v6]:port, *:port, unix:/path; a port alone when `listening`. Reports at `pos`. */
bool endpoint_parse(struct load *load, struct conf_pos pos, struct slice text, uint16_t default_port, bool listening, struct endpoint *ret);
bool endpoint_resolve(struct load *load, struct conf_pos pos, const struct endpoint *endpoint, struct conf_addr **ret_addrs, size_t *ret_count);
bool address_eq(const struct conf_addr *a, const struct conf_addr *b);
bool network_parse(struct slice text, struct conf_network *ret);
void network_print(const struct conf_network *network, FILE *out);

/* directive_location.c: what a level inherits from the one around it; how many locations stand in a block, at any depth. */
void location_inherit(struct conf_location *location, struct conf_location *outer);
size_t locations_count(const struct statement *children);
/* A header field of the configuration: checked and compiled. */
bool field_parse(struct load *load, const struct token *name, const struct token *value, struct conf_header *ret);
bool field_is_own(struct slice name);
/* Adds to a level's list, replacing what it inherits under that name; `once`: a name may stand once at a level. */
struct field_list { struct conf_header **items; size_t *count; };
void field_add(struct load *load, struct conf_pos pos, struct field_list *list, const struct field_list *outer, const struct conf_header *header, bool once);

/* directive_key.c: the selectors of a location, from its lists and settings. */
void key_finish(struct load *load, struct conf_location *location);
bool is_token_char(char c);

/* directive_upstream.c: a server line of an upstream */
void upstream_server(struct load *load, struct scope *scope, const struct statement *st);
/* The upstream of that name, or NULL. */
struct conf_upstream *upstream_find(const struct load *load, struct slice name);
/* Made by a proxy_pass: names of blocks have no ':'. */
static inline bool upstream_is_implicit(const struct conf_upstream *upstream)
{
	return memchr(upstream->name.ptr, ':', upstream->name.len) != NULL;
}
/* The one that a proxy_pass without a named upstream makes; shared by all that name the same host and port. */
struct conf_upstream *upstream_implicit(struct load *load, struct conf_pos pos, const struct endpoint *endpoint);

/* directive_ssl.c: TLSv1.2 TLSv1.3 -> CONF_TLS_ bits, and back; `ciphers`: the directive that the oldest versions need too. */
unsigned protocols_take(struct load *load, const struct statement *st, const char *ciphers);
void protocols_print(unsigned bits, FILE *out);
/* A file's name; false after reporting. A list of OpenSSL's. */
bool file_take(struct load *load, const struct token *token, struct conf_file *ret);
void list_take(struct load *load, const struct statement *st, struct slice *ret);
/* The server listens there; all its lines are read: they are checked as a whole. */
void tls_listen(struct conf_server *server, const struct conf_listen *listen);
void tls_finish(struct load *load, const struct statement *st, struct conf_server *server);
void tls_print(const struct conf_tls *tls, const struct conf_tls *outer, const char *indent, FILE *out);
void hsts_print(const struct conf_hsts *hsts, const char *indent, FILE *out);

/* directive_origin_tls.c: all lines of the location are read. */
void origin_tls_finish(struct load *load, struct conf_location *location);
void origin_tls_print(const struct conf_origin_tls *tls, const struct conf_origin_tls *outer, const char *indent, FILE *out);

/* regex.c */
void *regex_compile(struct load *load, struct conf_pos pos, struct slice pattern, bool nocase);
void regex_free(void *regex);
/* One lookup's memory for matching; made when it is first needed. */
struct regex_match { void *data; };
bool regex_matches(struct regex_match *match, const void *regex, struct slice text);
void regex_match_release(struct regex_match *match);

/* template.c */
bool template_compile(struct load *load, const struct token *token, struct conf_template *ret);
/* A line end, or a control character other than a tab: what a header field cannot carry. */
bool text_has_control(struct slice text);
void template_print(const struct conf_template *template, FILE *out);
void template_print_help(FILE *out);

/* route.c: the names of a listener. Reports names that two servers have. */
void names_index(struct load *load, struct conf_listen *listen);

/* verify.c */
void conf_verify(struct load *load);

/* print.c: a word as the language reads it: quoted when it must be. */
void word_print(struct slice word, FILE *out);

/* suggest.c: offer words, take the nearest. */
struct suggestion { struct slice word, best; unsigned distance; char text[128]; };
void suggest_start(struct suggestion *suggestion, struct slice word);
void suggest_offer(struct suggestion *suggestion, struct slice candidate);
/* ", did you mean 'x'?" or "". */
const char *suggest_text(struct suggestion *suggestion);

#endif
