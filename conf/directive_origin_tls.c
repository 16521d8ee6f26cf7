/* The proxy_ssl_ lines that are no settings: by what the certificates of origins are verified, what is shown to origins, what is
 * spoken. Whether files and names of ciphers are good is for proxyd to say, which has OpenSSL. */
#include "internal.h"

void conf_proxy_ssl_trusted_certificate(struct load *load, struct scope *scope, const struct statement *st)
{
	file_take(load, &st->args[0], &scope->here->origin_tls.trusted);
}

void conf_proxy_ssl_crl(struct load *load, struct scope *scope, const struct statement *st)
{
	file_take(load, &st->args[0], &scope->here->origin_tls.crl);
}

static bool is_inherited(const struct conf_location *here, struct slice path, size_t offset)
{
	const struct conf_location *outer = here->outer;

	return outer && path.len && ((const struct conf_file *)(const void *)((const char *)&outer->origin_tls + offset))->path.ptr == path.ptr;
}

void conf_proxy_ssl_certificate(struct load *load, struct scope *scope, const struct statement *st)
{
	struct conf_origin_tls *tls = &scope->here->origin_tls;

	/* A key belongs to its certificate: that of the level around belongs to another one. */
	if (is_inherited(scope->here, tls->key.path, offsetof(struct conf_origin_tls, key)))
		tls->key = (struct conf_file){ .path = SLICE("") };
	tls->certificate = (struct conf_file){ .path = SLICE("") };
	if (st->args[0].text.len)                /* "": none here, whatever stands around */
		file_take(load, &st->args[0], &tls->certificate);
}

void conf_proxy_ssl_certificate_key(struct load *load, struct scope *scope, const struct statement *st)
{
	file_take(load, &st->args[0], &scope->here->origin_tls.key);
}

void conf_proxy_ssl_protocols(struct load *load, struct scope *scope, const struct statement *st)
{
	scope->here->origin_tls.protocols = protocols_take(load, st, "proxy_ssl_ciphers");
}

void conf_proxy_ssl_ciphers(struct load *load, struct scope *scope, const struct statement *st)
{
	list_take(load, st, &scope->here->origin_tls.ciphers);
}

void conf_proxy_ssl_name(struct load *load, struct scope *scope, const struct statement *st)
{
	const struct token *name = &st->args[0];

	if (name->text.len == 0 || text_has_control(name->text) || memchr(name->text.ptr, '/', name->text.len))
		load_error(load, name->pos, "'%.*s' is not a name: write app.example.com, an address, or $host", SLICE_ARG(name->text));
	else
		template_compile(load, name, &scope->here->origin_tls.name);
}

/* ---- the whole ---- */

static bool same(const struct conf_location *a, const struct conf_location *b)
{
	const struct conf_origin_tls *x = &a->origin_tls, *y = &b->origin_tls;
	const struct settings *s = &a->set, *t = &b->set;

	return slice_eq(x->trusted.path, y->trusted.path) && slice_eq(x->crl.path, y->crl.path) && slice_eq(x->certificate.path, y->certificate.path)
		&& slice_eq(x->key.path, y->key.path) && x->protocols == y->protocols && slice_eq(x->ciphers, y->ciphers)
		&& s->proxy_ssl_verify == t->proxy_ssl_verify && s->proxy_ssl_verify_depth == t->proxy_ssl_verify_depth
		&& s->proxy_ssl_server_name == t->proxy_ssl_server_name && s->proxy_ssl_session_reuse == t->proxy_ssl_session_reuse;
}

void origin_tls_finish(struct load *load, struct conf_location *location)
{
	const struct conf_origin_tls *tls = &location->origin_tls;
	struct conf *conf = load->conf;
	size_t i = 0;

	if (!location->origin_https)
		return;
	if (tls->key.path.len && !tls->certificate.path.len)
		load_error(load, tls->key.pos, "this key has no certificate: write proxy_ssl_certificate");
	while (i < conf->tls_use_count && !same(conf->tls_uses[i]->location, location))
		i++;
	if (i == conf->tls_use_count) {
		struct conf_tls_use *use = load_alloc(load, sizeof(*use));

		use->location = location;
		conf->tls_uses = load_room(load, conf->tls_uses, conf->tls_use_count, sizeof(struct conf_tls_use *));
		conf->tls_uses[conf->tls_use_count++] = use;
	}
	location->tls_use = conf->tls_uses[i];
}

/* ---- printing ---- */

static void changed_print(const char *indent, const char *name, struct slice value, struct slice outer, FILE *out)
{
	if (slice_eq(value, outer))
		return;
	fprintf(out, "%s%s ", indent, name);
	word_print(value, out);
	fputs(";\n", out);
}

void origin_tls_print(const struct conf_origin_tls *tls, const struct conf_origin_tls *outer, const char *indent, FILE *out)
{
	/* A certificate that is written resets the key: both or none. */
	bool pair = !slice_eq(tls->certificate.path, outer->certificate.path) || !slice_eq(tls->key.path, outer->key.path);

	changed_print(indent, "proxy_ssl_trusted_certificate", tls->trusted.path, outer->trusted.path, out);
	changed_print(indent, "proxy_ssl_crl", tls->crl.path, outer->crl.path, out);
	if (pair) {
		fprintf(out, "%sproxy_ssl_certificate ", indent);
		word_print(tls->certificate.path, out);
		fputs(";\n", out);
		changed_print(indent, "proxy_ssl_certificate_key", tls->key.path, SLICE(""), out);
	}
	if (tls->protocols != outer->protocols) {
		fprintf(out, "%sproxy_ssl_protocols", indent);
		protocols_print(tls->protocols, out);
		fputs(";\n", out);
	}
	changed_print(indent, "proxy_ssl_ciphers", tls->ciphers, outer->ciphers, out);
	if (tls->name.pieces != outer->name.pieces) {
		fprintf(out, "%sproxy_ssl_name ", indent);
		template_print(&tls->name, out);
		fputs(";\n", out);
	}
}
