/* The configuration: text -> tokens -> a checked, immutable struct conf, shared under a reference count.
 *
 * A configuration is loaded whole or not at all. All errors of one load are reported in one run, each as
 *   FILE:LINE:COL: message
 *       the line
 *       ^~~~~ caret under the token, and a suggestion when one is near
 * Positions survive parsing (struct conf_pos in what is checked later). Check (-t), start and reload are this one path.
 * Threads: load in any thread; a loaded conf is read-only but for its reference count. */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdio.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <netinet/in.h>

#include "policies.h"
#include "slice.h"

struct conf_pos { const char *file; unsigned line, col; };

/* An address to listen on or to connect to. `text` is how it is shown: 127.0.0.1:80, [::1]:80, unix:/path. */
struct conf_addr {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} sa;
	socklen_t len;
	struct slice text;
};

/* A text with variables, compiled: pieces in order. A template without variables is one literal piece (or none). */
enum conf_variable {
	CONF_VAR_literal,      /* text = the literal */
	CONF_VAR_request_field,/* text = the field's name: $http_accept_language -> accept-language */
#define VARIABLE(name, doc) CONF_VAR_##name,
#include "tbl/variables.h"
#undef VARIABLE
	CONF_VAR_COUNT
};
struct conf_piece { enum conf_variable var; struct slice text; };
struct conf_template { const struct conf_piece *pieces; size_t count; };

struct conf_header { struct slice name; struct conf_template value; };

struct conf_network { int family; unsigned char addr[16]; unsigned bits; };

struct conf_volume {
	struct slice name;               /* [A-Za-z0-9._-]+ */
	struct slice path;
	uint64_t size, ram, fill_max;    /* bytes */
	unsigned io_threads;
	uint64_t retry;                  /* microseconds */
	uint64_t scrub, scrub_interval;  /* bytes a second, 0: off; microseconds */
	enum eviction eviction;
	enum admission admission;
	uint64_t admission_over;         /* bytes */
	unsigned index;                  /* in conf.volumes */
	unsigned bound;                  /* how many locations are bound to it */
	struct conf_pos pos;
};

/* Who is bound to a volume with a quota: a `proxy_cache NAME quota=SIZE`, and what inherits it. */
struct conf_owner {
	struct slice name;               /* of the level: "server_name location", "server_name", or "*" for http */
	struct conf_volume *volume;
	const struct conf_location *level;   /* where it is written */
	uint64_t quota;                  /* bytes, > 0 */
	_Atomic uint16_t number;         /* in the volume: the daemon's; 0 until it is known */
	struct conf_pos pos;
};

struct conf_origin {                 /* one `server` of an upstream, or one address of a proxy_pass */
	struct slice host; uint16_t port;/* as written; host is a name or an address without brackets */
	struct conf_addr *addrs;         /* resolved at load (getaddrinfo); at least one unless unresolved */
	size_t addr_count;
	unsigned weight;                 /* 1..1000, default 1 */
	unsigned max_fails;              /* default 1; 0: never taken out */
	uint64_t fail_timeout_us;        /* default 10 s */
	bool backup, down, has_port;
	struct slice tls_name;           /* its name for TLS unless proxy_ssl_name is written: the host when that is a name, else that of proxy_pass */
	unsigned index;                  /* in conf_upstream.origins */
	struct conf_pos pos;
};

struct conf_upstream {
	struct slice name;               /* of the block, or host:port of a proxy_pass */
	struct conf_origin *origins;
	size_t origin_count;
	size_t keepalive;                /* idle connections a worker keeps, default 64 */
	unsigned index;                  /* in conf.upstreams */
	struct conf_pos pos;
};

/* What the ssl_ lines of a server say that are no settings. */
enum conf_verify_client { CONF_VERIFY_off, CONF_VERIFY_optional, CONF_VERIFY_on };
enum { CONF_TLS_1_0 = 1, CONF_TLS_1_1 = 2, CONF_TLS_1_2 = 4, CONF_TLS_1_3 = 8 };
struct conf_file { struct slice path; struct conf_pos pos; };
struct conf_files { struct conf_file *items; size_t count; };
struct conf_tls {
	struct conf_files certificates, keys;   /* in order: a key for each, or none: the keys are in the same files */
	struct conf_files folders, staplings;
	unsigned protocols;              /* CONF_TLS_ bits */
	struct slice ciphers, suites, curves;   /* empty: not written */
	struct conf_file client_ca;      /* path empty: none */
	struct conf_file trusted;        /* the same: issuers, for OCSP */
	struct slice responder;          /* http://...; empty: what the certificate names */
	enum conf_verify_client verify;
};

/* What the proxy_ssl_ lines of a level say that are no settings. */
struct conf_origin_tls {
	struct conf_file trusted, crl, certificate, key;   /* path empty: none; trusted: the system's */
	unsigned protocols;              /* CONF_TLS_ bits; 0: not written */
	struct slice ciphers;            /* empty: not written */
	struct conf_template name;       /* count 0: not written */
};

/* Strict-Transport-Security; value empty: not sent. */
struct conf_hsts { uint64_t us; bool subdomains, preload; struct slice value; };

struct conf_names { struct slice *items; size_t count; };
/* What of a request is in the cache's key besides scheme, host and path; settings cache_key_sort and cache_key_device too. */
struct conf_key {
	struct conf_names ignore, keep;  /* query parameters: NAME, or PREFIX*; at most one of the two lists has any */
	struct conf_names cookies;
	struct slice selectors;          /* what variants are made of beside Vary: ":cookie=NAME,:device"; empty: nothing */
};

/* What is said of TLS to origins, but for the name: one for all locations that say the same. */
struct conf_tls_use {
	const struct conf_location *location;    /* the first of them */
	void *made;                      /* proxyd's: set before the configuration is taken into use, freed with it by conf.tls_use_free */
};

struct settings {                    /* one member a SETTING row; sizes in bytes, times in microseconds */
#define CONF_TYPE_SIZE uint64_t
#define CONF_TYPE_TIME uint64_t
#define CONF_TYPE_COUNT uint64_t
#define CONF_TYPE_RATE uint64_t
#define CONF_TYPE_FLAG bool
#define SETTING(name, KIND, fallback, min, max, where, doc) CONF_TYPE_##KIND name;
#define DIRECTIVE(name, where, min, max, block, doc)
#include "tbl/directives.h"
#undef SETTING
#undef DIRECTIVE
};

enum conf_match { CONF_MATCH_prefix, CONF_MATCH_prefix_final /* ^~ */, CONF_MATCH_exact, CONF_MATCH_regex, CONF_MATCH_regex_nocase };

struct conf_location {
	enum conf_match match;
	struct slice pattern;
	void *regex;                     /* pcre2_code *, JIT compiled; NULL for prefix and exact */
	struct settings set;             /* merged from all levels */
	struct conf_volume *volume;      /* NULL: no cache */
	struct conf_owner *owner;        /* NULL: no quota */
	bool cache_off;                  /* `proxy_cache off` was written (here or outside) */
	bool cache_named;                /* a volume was named at this or an outer level */
	struct conf_upstream *upstream;  /* NULL: no proxy_pass */
	struct slice proxy_host;         /* host[:port] as written in proxy_pass */
	struct slice proxy_path;         /* path of proxy_pass that replaces the prefix; ptr == NULL: target unchanged */
	bool origin_http_1_0;            /* proxy_http_version 1.0 */
	bool origin_https;               /* proxy_pass https:// */
	struct conf_origin_tls origin_tls;
	struct conf_tls_use *tls_use;    /* with origin_https */
	struct conf_header *set_headers; size_t set_header_count;   /* for the origin; merged, the innermost wins by name */
	struct conf_header *add_headers; size_t add_header_count;   /* for the client; merged */
	struct slice *login_cookies; size_t login_cookie_count;
	struct slice purge_token;        /* empty: none */
	struct conf_network *purge_allow; size_t purge_allow_count;
	struct conf_key key;
	struct slice targeted;           /* the field that comes before CDN-Cache-Control; empty: none */
	struct conf_hsts hsts;
	struct conf_names gzip_types, brotli_types, zstd_types;      /* none: the usual ones */
	unsigned return_code;            /* 0: no return */
	struct conf_template return_text;
	struct slice route;              /* "server_name location", for the log */
	struct conf_server *server;
	struct conf_location *outer;     /* the location it is written in; else the server's fallback */
	bool has_inner;                  /* locations are written in it */
	struct conf_pos pos;
};

struct conf_name { enum { CONF_NAME_exact, CONF_NAME_suffix /* *.x: text = .x */, CONF_NAME_prefix /* x.*: text = x. */, CONF_NAME_regex } kind; struct slice text; void *regex; struct conf_pos pos; };

struct conf_server {
	struct conf_name *names; size_t name_count;
	struct slice first_name;         /* "_" when none was given */
	struct conf_location *locations; size_t location_count;   /* in order of the file */
	struct conf_location *fallback;  /* server level settings: for requests that match no location; return of the server */
	struct settings set;
	struct conf_tls tls;
	unsigned index;                  /* in conf.servers */
	bool has_tls, has_plain;         /* listens with ssl, without */
	uint16_t https_port;             /* of the first listen with ssl; 443 when there is none */
	struct conf_network *trusted; size_t trusted_count;
	struct conf_pos pos;
};

struct conf_listen {                 /* one address; several servers may share it */
	struct conf_addr addr;
	int backlog;
	bool tls;
	struct conf_server **servers; size_t server_count;
	struct conf_server *fallback;    /* default_server, else the first */
	void *names;                     /* index of the servers' names: route.c's own */
	struct conf_pos pos;
};

struct conf {
	atomic_uint refs;
	uint64_t generation;             /* set by the daemon, from 1 */
	unsigned workers;                /* resolved: auto = cores */
	struct slice user, group, pid_file, node, error_log, error_level, access_log;   /* empty: not given */
	struct conf_addr *metrics;       /* NULL: no metrics page */
	struct conf_addr *admin;         /* NULL: no admin socket */
	unsigned admin_mode;             /* of its file */
	uint64_t connections_max;        /* per worker, default 16384 */
	uint64_t handshakes_max;         /* the same, TLS handshakes under way, default 1024 */
	struct conf_files ticket_keys;   /* empty: made by ourselves */
	struct slice stapling_folder;    /* empty: fetched OCSP answers are kept in memory alone */
	void *tls;                       /* proxyd's: set before the configuration is taken into use, freed with it by tls_free */
	void (*tls_free)(void *tls);
	struct conf_tls_use **tls_uses; size_t tls_use_count;
	void (*tls_use_free)(void *made);
	struct conf_listen *listens; size_t listen_count;
	struct conf_server **servers; size_t server_count;
	struct conf_volume **volumes; size_t volume_count;
	struct conf_owner **owners; size_t owner_count;
	struct conf_upstream **upstreams; size_t upstream_count;
	void *priv;                      /* arena and compiled patterns: conf.c's own */
};

/* Quick mode (no file): what the options say. Unset slices have len 0. */
struct conf_quick {
	struct slice listen, origin, volume /* DIR:SIZE */, access_log, metrics;
	unsigned workers;                /* 0: auto */
};

/* Both return a configuration with one reference, or NULL after writing every error to `messages`. Notes (such as
 * "proxy_buffering has no effect") are written there too and do not fail the load. */
struct conf *conf_load_file(const char *path, FILE *messages);
struct conf *conf_load_quick(const struct conf_quick *quick, FILE *messages);
struct conf *conf_ref(struct conf *conf);
void conf_unref(struct conf **conf);          /* NULL is fine; the last one frees */

/* -T: the effective configuration in the language itself, defaults included. Loading the output gives the same. */
void conf_print(const struct conf *conf, FILE *out);
/* What is wrong with what stands at `pos` of a loaded configuration, as the load itself would have said it: with the line, read
 * again, and a caret. For those who know more of files than conf/ does. */
void conf_complain(struct conf_pos pos, const char *sentence, FILE *out);
/* The table of directives for people: proxyd --help-conf. */
void conf_print_help(FILE *out);

/* Routing; pure, read-only. host: lower case, no port. path: as received, up to the query (prefix and regex match the
 * percent-decoded, dot-normalised path that the caller gives). NULL when no location matches. */
struct conf_server *conf_find_server(const struct conf_listen *listen, struct slice host);
struct conf_location *conf_find_location(const struct conf_server *server, struct slice path);
bool conf_is_trusted(const struct conf_server *server, const struct sockaddr *peer);
bool conf_networks_have(const struct conf_network *networks, size_t count, const struct sockaddr *peer);

/* "8m" -> bytes, "30s" -> microseconds. False when it is not one. Pure. */
bool conf_parse_size(struct slice text, uint64_t *ret_bytes);
bool conf_parse_time(struct slice text, uint64_t *ret_us);

#endif
