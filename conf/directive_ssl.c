/* The ssl_ lines that are no settings: certificates, protocols, ciphers, tickets, certificates of clients; and hsts. Whether
 * the files and the names of ciphers are good is for proxyd to say, which has OpenSSL. */
#include "internal.h"

/* What is written in a server takes the place of what it inherits. */
static struct conf_files *own_files(struct load *load, struct scope *scope, size_t offset)
{
	const struct conf_server *http = ((struct conf_priv *)load->conf->priv)->http;
	struct conf_files *files = (struct conf_files *)(void *)((char *)&scope->server->tls + offset);
	const struct conf_files *outer = (const struct conf_files *)(const void *)((const char *)&http->tls + offset);

	if (scope->server != http && files->items == outer->items)
		*files = (struct conf_files){ NULL, 0 };
	return files;
}

bool file_take(struct load *load, const struct token *token, struct conf_file *ret)
{
	if (token->text.len == 0 || text_has_control(token->text)) {
		load_error(load, token->pos, "'%.*s' is not a file", SLICE_ARG(token->text));
		return false;
	}
	*ret = (struct conf_file){ token->text, token->pos };
	return true;
}

static void file_add(struct load *load, struct conf_files *files, const struct token *token)
{
	struct conf_file file;

	if (!file_take(load, token, &file))
		return;
	files->items = load_room(load, files->items, files->count, sizeof(*files->items));
	files->items[files->count++] = file;
}

void conf_ssl_certificate(struct load *load, struct scope *scope, const struct statement *st)
{
	struct conf_files *files = own_files(load, scope, offsetof(struct conf_tls, certificates));

	/* Keys belong to their certificates: those of the level around belong to others. */
	own_files(load, scope, offsetof(struct conf_tls, keys));
	file_add(load, files, &st->args[0]);
}

void conf_ssl_certificate_key(struct load *load, struct scope *scope, const struct statement *st)
{
	file_add(load, own_files(load, scope, offsetof(struct conf_tls, keys)), &st->args[0]);
}

void conf_ssl_certificate_folder(struct load *load, struct scope *scope, const struct statement *st)
{
	file_add(load, own_files(load, scope, offsetof(struct conf_tls, folders)), &st->args[0]);
}

void conf_ssl_stapling_file(struct load *load, struct scope *scope, const struct statement *st)
{
	file_add(load, own_files(load, scope, offsetof(struct conf_tls, staplings)), &st->args[0]);
}

void conf_ssl_session_ticket_key(struct load *load, struct scope *scope, const struct statement *st)
{
	(void)scope;
	file_add(load, &load->conf->ticket_keys, &st->args[0]);
}

void conf_ssl_handshakes_max(struct load *load, struct scope *scope, const struct statement *st)
{
	(void)scope;
	load_count(load, &st->args[0], 1, 1000000, &load->conf->handshakes_max);
}

static const struct { struct slice name; unsigned bit; } protocols[] = {
	{ { "TLSv1", 5 }, CONF_TLS_1_0 }, { { "TLSv1.1", 7 }, CONF_TLS_1_1 }, { { "TLSv1.2", 7 }, CONF_TLS_1_2 }, { { "TLSv1.3", 7 }, CONF_TLS_1_3 },
};

unsigned protocols_take(struct load *load, const struct statement *st, const char *ciphers)
{
	unsigned bits = 0;

	for (size_t i = 0; i < st->arg_count; i++) {
		const struct token *token = &st->args[i];
		unsigned bit = 0;
		for (size_t p = 0; p < COUNT_OF(protocols); p++)
			if (slice_eq(token->text, protocols[p].name))
				bit = protocols[p].bit;
		if (!bit)
			load_error(load, token->pos, "'%.*s' is not TLSv1.2 or TLSv1.3", SLICE_ARG(token->text));
		else if (bit <= CONF_TLS_1_1)
			load_note(load, token->pos, "%.*s is broken (RFC 8996), and needs %s with @SECLEVEL=0", SLICE_ARG(token->text), ciphers);
		bits |= bit;
	}
	/* What lies between two versions cannot be left out: OpenSSL and its peers know a lowest and a highest one. */
	for (unsigned bit = CONF_TLS_1_0; bit < CONF_TLS_1_3; bit <<= 1)
		if (bits & (bit - 1) && !(bits & bit) && bits > bit)
			load_error(load, st->args[0].pos, "these protocols have a gap between them");
	return bits;
}

void conf_ssl_protocols(struct load *load, struct scope *scope, const struct statement *st)
{
	scope->server->tls.protocols = protocols_take(load, st, "ssl_ciphers");
}

void list_take(struct load *load, const struct statement *st, struct slice *ret)
{
	struct slice text = st->args[0].text;

	if (text.len == 0 || text_has_control(text))
		load_error(load, st->args[0].pos, "a list of names is missing");
	else
		*ret = text;
}

void conf_ssl_ciphers(struct load *load, struct scope *scope, const struct statement *st)
{
	list_take(load, st, &scope->server->tls.ciphers);
}

void conf_ssl_ciphersuites(struct load *load, struct scope *scope, const struct statement *st)
{
	list_take(load, st, &scope->server->tls.suites);
}

void conf_ssl_ecdh_curve(struct load *load, struct scope *scope, const struct statement *st)
{
	list_take(load, st, &scope->server->tls.curves);
	if (slice_eq(st->args[0].text, SLICE("auto")))
		scope->server->tls.curves = SLICE("");
}

void conf_ssl_client_certificate(struct load *load, struct scope *scope, const struct statement *st)
{
	file_take(load, &st->args[0], &scope->server->tls.client_ca);
}

void conf_ssl_trusted_certificate(struct load *load, struct scope *scope, const struct statement *st)
{
	file_take(load, &st->args[0], &scope->server->tls.trusted);
}

void conf_ssl_stapling_responder(struct load *load, struct scope *scope, const struct statement *st)
{
	struct slice url = st->args[0].text, scheme = SLICE("http://");

	/* What is fetched is signed, and nobody can look at its certificate before it is there: OCSP goes over plain HTTP. */
	if (!slice_starts(url, scheme) || url.len == scheme.len || url.ptr[scheme.len] == '/' || text_has_control(url) || memchr(url.ptr, ' ', url.len))
		load_error(load, st->args[0].pos, "'%.*s' is not http://HOST[:PORT][/PATH]", SLICE_ARG(url));
	else
		scope->server->tls.responder = url;
}

void conf_ssl_stapling_folder(struct load *load, struct scope *scope, const struct statement *st)
{
	struct conf_file folder = { { NULL, 0 }, st->name.pos };

	(void)scope;
	file_take(load, &st->args[0], &folder);
	load->conf->stapling_folder = folder.path;
}

static const struct { struct slice name; enum conf_verify_client value; } verifies[] = {
	{ { "off", 3 }, CONF_VERIFY_off }, { { "optional", 8 }, CONF_VERIFY_optional }, { { "on", 2 }, CONF_VERIFY_on },
};

void conf_ssl_verify_client(struct load *load, struct scope *scope, const struct statement *st)
{
	for (size_t i = 0; i < COUNT_OF(verifies); i++)
		if (slice_eq(st->args[0].text, verifies[i].name)) {
			scope->server->tls.verify = verifies[i].value;
			return;
		}
	load_error(load, st->args[0].pos, "'%.*s' is not off, optional or on", SLICE_ARG(st->args[0].text));
}

void conf_hsts(struct load *load, struct scope *scope, const struct statement *st)
{
	struct conf_hsts hsts = { 0 };

	if (slice_eq(st->args[0].text, SLICE("off")) && st->arg_count == 1) {
		scope->here->hsts = hsts;
		return;
	}
	if (!load_time(load, &st->args[0], "0", "10y", &hsts.us))
		return;
	for (size_t i = 1; i < st->arg_count; i++) {
		if (slice_eq_nocase(st->args[i].text, SLICE("includeSubDomains")))
			hsts.subdomains = true;
		else if (slice_eq_nocase(st->args[i].text, SLICE("preload")))
			hsts.preload = true;
		else
			load_error(load, st->args[i].pos, "'%.*s' is not includeSubDomains or preload", SLICE_ARG(st->args[i].text));
	}
	/* The lists that browsers are built with take it for a year and all names below, or not at all. */
	if (hsts.preload && (!hsts.subdomains || hsts.us < 365ull * 86400 * 1000000))
		load_note(load, st->args[0].pos, "preload lists want 1y or more and includeSubDomains");
	hsts.value = load_printf(load, "max-age=%llu%s%s", (unsigned long long)(hsts.us / 1000000), hsts.subdomains ? "; includeSubDomains" : "",
		hsts.preload ? "; preload" : "");
	scope->here->hsts = hsts;
}

/* ---- the whole ---- */

void tls_listen(struct conf_server *server, const struct conf_listen *listen)
{
	bool first = listen->tls && !server->has_tls;

	if (first && listen->addr.sa.any.sa_family == AF_INET)
		server->https_port = ntohs(listen->addr.sa.in.sin_port);
	else if (first && listen->addr.sa.any.sa_family == AF_INET6)
		server->https_port = ntohs(listen->addr.sa.in6.sin6_port);
	server->has_tls = server->has_tls || listen->tls;
	server->has_plain = server->has_plain || !listen->tls;
}

void tls_finish(struct load *load, const struct statement *st, struct conf_server *server)
{
	const struct conf_tls *tls = &server->tls;
	struct conf_pos pos = st->name.pos;

	if (tls->keys.count && tls->keys.count != tls->certificates.count)
		load_error(load, tls->keys.items[0].pos, "%zu ssl_certificate_key for %zu ssl_certificate: write one for each, or none when the keys are in the same files",
			tls->keys.count, tls->certificates.count);
	if (tls->verify != CONF_VERIFY_off && !tls->client_ca.path.len)
		load_error(load, pos, "ssl_verify_client needs ssl_client_certificate: the file by which certificates of clients are verified");
	if (tls->verify != CONF_VERIFY_off && tls->trusted.path.len && !load->doubtful)
		load_note(load, tls->trusted.pos, "certificates of clients are verified with ssl_client_certificate alone");
	if (server->has_tls && !tls->certificates.count && !tls->folders.count && !server->set.ssl_reject_handshake)
		load_error(load, pos, "this server listens with ssl and has no certificate: write ssl_certificate, or ssl_certificate_folder");
	if (!server->has_tls && st->children && (tls->certificates.count || tls->folders.count) && !load->doubtful) {
		const struct conf_file *file = tls->certificates.count ? &tls->certificates.items[0] : &tls->folders.items[0];
		const struct conf_server *http = ((struct conf_priv *)load->conf->priv)->http;
		if (tls->certificates.items != http->tls.certificates.items || tls->folders.items != http->tls.folders.items)
			load_note(load, file->pos, "this server does not listen with ssl: write listen 443 ssl");
	}
}

/* ---- printing ---- */

static void word_line(const char *indent, const char *name, struct slice value, FILE *out)
{
	if (value.len == 0)
		return;
	fprintf(out, "%s%s ", indent, name);
	word_print(value, out);
	fputs(";\n", out);
}

static void files_print(const char *indent, const char *name, const struct conf_files *files, const struct conf_files *outer, FILE *out)
{
	for (size_t i = 0; i < files->count && files->items != outer->items; i++)
		word_line(indent, name, files->items[i].path, out);
}

static void changed_print(const char *indent, const char *name, struct slice value, struct slice outer, FILE *out)
{
	if (!slice_eq(value, outer))
		word_line(indent, name, value, out);
}

void protocols_print(unsigned bits, FILE *out)
{
	for (size_t i = 0; i < COUNT_OF(protocols); i++)
		if (bits & protocols[i].bit)
			fprintf(out, " %s", protocols[i].name.ptr);
}

void tls_print(const struct conf_tls *tls, const struct conf_tls *outer, const char *indent, FILE *out)
{
	static const struct conf_tls nothing;

	outer = outer ? outer : &nothing;
	files_print(indent, "ssl_certificate", &tls->certificates, &outer->certificates, out);
	files_print(indent, "ssl_certificate_key", &tls->keys, &outer->keys, out);
	files_print(indent, "ssl_certificate_folder", &tls->folders, &outer->folders, out);
	files_print(indent, "ssl_stapling_file", &tls->staplings, &outer->staplings, out);
	if (tls->protocols && tls->protocols != outer->protocols) {
		fprintf(out, "%sssl_protocols", indent);
		protocols_print(tls->protocols, out);
		fputs(";\n", out);
	}
	changed_print(indent, "ssl_ciphers", tls->ciphers, outer->ciphers, out);
	changed_print(indent, "ssl_ciphersuites", tls->suites, outer->suites, out);
	changed_print(indent, "ssl_ecdh_curve", tls->curves.len ? tls->curves : SLICE("auto"), outer->curves.len ? outer->curves : SLICE("auto"), out);
	changed_print(indent, "ssl_stapling_responder", tls->responder, outer->responder, out);
	changed_print(indent, "ssl_trusted_certificate", tls->trusted.path, outer->trusted.path, out);
	changed_print(indent, "ssl_client_certificate", tls->client_ca.path, outer->client_ca.path, out);
	if (tls->verify != outer->verify)
		fprintf(out, "%sssl_verify_client %s;\n", indent, verifies[tls->verify].name.ptr);
}

void hsts_print(const struct conf_hsts *hsts, const char *indent, FILE *out)
{
	char text[VALUE_TEXT_MAX];

	if (hsts->value.len)
		fprintf(out, "%shsts %s%s%s;\n", indent, time_text(hsts->us, text), hsts->subdomains ? " includeSubDomains" : "", hsts->preload ? " preload" : "");
	else
		fprintf(out, "%shsts off;\n", indent);
}
