/* What only the whole configuration can tell: volumes bound to nothing, proxies of ourselves, names in conflict. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <sched.h>

#include "internal.h"

static bool is_wildcard(const struct conf_addr *addr)
{
	if (addr->sa.any.sa_family == AF_INET)
		return addr->sa.in.sin_addr.s_addr == htonl(INADDR_ANY);
	return addr->sa.any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&addr->sa.in6.sin6_addr);
}

static bool is_loopback(const struct conf_addr *addr)
{
	if (addr->sa.any.sa_family == AF_INET)
		return ntohl(addr->sa.in.sin_addr.s_addr) >> 24 == 127;
	return addr->sa.any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&addr->sa.in6.sin6_addr);
}

static bool is_of_interface(const struct conf_addr *addr, const struct ifaddrs *interfaces)
{
	for (; interfaces; interfaces = interfaces->ifa_next) {
		const struct sockaddr *own = interfaces->ifa_addr;
		if (!own || own->sa_family != addr->sa.any.sa_family)
			continue;
		if (own->sa_family == AF_INET && ((const struct sockaddr_in *)(const void *)own)->sin_addr.s_addr == addr->sa.in.sin_addr.s_addr)
			return true;
		if (own->sa_family == AF_INET6 && memcmp(&((const struct sockaddr_in6 *)(const void *)own)->sin6_addr, &addr->sa.in6.sin6_addr, 16) == 0)
			return true;
	}
	return false;
}

/* What connect() makes of an address: 0.0.0.0 is the machine itself, ::ffff:127.0.0.1 is 127.0.0.1. */
static struct conf_addr as_connected(const struct conf_addr *addr)
{
	struct conf_addr real = *addr;

	if (addr->sa.any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&addr->sa.in6.sin6_addr)) {
		memset(&real, 0, sizeof(real));
		real.sa.in.sin_family = AF_INET;
		real.sa.in.sin_port = addr->sa.in6.sin6_port;
		memcpy(&real.sa.in.sin_addr, addr->sa.in6.sin6_addr.s6_addr + 12, 4);
	}
	if (is_wildcard(&real) && real.sa.any.sa_family == AF_INET)
		real.sa.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else if (is_wildcard(&real))
		real.sa.in6.sin6_addr = in6addr_loopback;
	return real;
}

static in_port_t port_of(const struct conf_addr *addr)
{
	return addr->sa.any.sa_family == AF_INET ? addr->sa.in.sin_port : addr->sa.in6.sin6_port;
}

static bool reaches(const struct conf_addr *origin, const struct conf_addr *listen, const struct ifaddrs *interfaces)
{
	struct conf_addr real = as_connected(origin);

	if (address_eq(&real, listen))
		return true;
	if (real.sa.any.sa_family != listen->sa.any.sa_family || real.sa.any.sa_family == AF_UNIX || port_of(&real) != port_of(listen))
		return false;
	return is_wildcard(listen) && (is_loopback(&real) || is_of_interface(&real, interfaces));
}

static void check_loop(struct load *load, const struct conf_origin *origin, const struct ifaddrs *interfaces)
{
	const struct conf *conf = load->conf;

	for (size_t a = 0; a < origin->addr_count; a++)
		for (size_t i = 0; i < conf->listen_count; i++)
			if (reaches(&origin->addrs[a], &conf->listens[i].addr, interfaces)) {
				load_error(load, origin->pos, "this origin is proxyd itself, which listens on %.*s (line %u of %s): requests would go round in circles",
					SLICE_ARG(conf->listens[i].addr.text), conf->listens[i].pos.line, conf->listens[i].pos.file);
				return;
			}
}

static void check_loops(struct load *load)
{
	const struct conf *conf = load->conf;
	struct ifaddrs *interfaces = NULL;

	if (!load->options.sandbox && !load->options.literal && getifaddrs(&interfaces) != 0)
		interfaces = NULL;
	for (size_t u = 0; u < conf->upstream_count; u++)
		for (size_t o = 0; o < conf->upstreams[u]->origin_count; o++)
			check_loop(load, &conf->upstreams[u]->origins[o], interfaces);
	if (interfaces)
		freeifaddrs(interfaces);
}

/* The story that this project began with: a cache that everybody believed in and that nothing was bound to. */
static void check_bindings(struct load *load)
{
	struct conf *conf = load->conf;
	bool *named = load_scratch(load, conf->volume_count + 1), *used = load_scratch(load, conf->upstream_count + 1);

	for (size_t s = 0; s < conf->server_count; s++)
		for (size_t i = 0; i < conf->servers[s]->location_count; i++) {
			struct conf_location *location = &conf->servers[s]->locations[i];
			if (location->upstream)
				used[location->upstream->index] = true;
			if (location->volume)
				named[location->volume->index] = true;
			if (location->volume && location->upstream)
				location->volume->bound++;
		}
	for (size_t i = 0; i < conf->volume_count && !load->doubtful; i++) {
		struct conf_volume *volume = conf->volumes[i];
		if (volume->bound == 0 && !named[i])
			load_error(load, volume->pos, "volume '%.*s' is bound to nothing: no proxy_cache names it where requests are passed on", SLICE_ARG(volume->name));
		else if (volume->bound == 0)
			load_error(load, volume->pos, "volume '%.*s' is bound to nothing: the locations under its proxy_cache have no proxy_pass", SLICE_ARG(volume->name));
	}
	for (size_t i = 0; i < conf->upstream_count; i++)
		if (!used[i] && !load->doubtful)
			load_note(load, conf->upstreams[i]->pos, "no proxy_pass names upstream '%.*s'", SLICE_ARG(conf->upstreams[i]->name));
}

/* Owners are known by the name of the level: that does not change with the order of the file. */
static void name_owners(struct load *load)
{
	struct conf *conf = load->conf;

	for (size_t i = 0; i < conf->owner_count; i++) {
		struct conf_owner *owner = conf->owners[i];

		owner->name = owner->level->route.len ? owner->level->route : owner->level->outer ? SLICE("_") : SLICE("*");
		for (size_t other = 0; other < i; other++)
			if (conf->owners[other]->volume == owner->volume && slice_eq(conf->owners[other]->name, owner->name)
				&& conf->owners[other]->quota != owner->quota)
				load_error(load, owner->pos, "'%.*s' has another quota in line %u of %s", SLICE_ARG(owner->name),
					conf->owners[other]->pos.line, conf->owners[other]->pos.file);
	}
}

static void check_listens(struct load *load)
{
	struct conf *conf = load->conf;

	for (size_t i = 0; i < conf->listen_count; i++) {
		struct conf_listen *listen = &conf->listens[i];
		if (!listen->fallback)
			listen->fallback = listen->servers[0];
		if (!listen->backlog)
			listen->backlog = CONF_LISTEN_BACKLOG;
		names_index(load, listen);
		/* Port 0 is another port each time. */
		if (conf->metrics && address_eq(conf->metrics, &listen->addr) && listen->addr.sa.in.sin_port)
			load_error(load, load->metrics_pos, "the server in line %u of %s listens on this address", listen->servers[0]->pos.line, listen->servers[0]->pos.file);
	}
}

/* The cores that this process may use, which in a container may be fewer than the machine has. */
static unsigned core_count(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set) != 0 || CPU_COUNT(&set) < 1)
		return 1;
	return (unsigned)CPU_COUNT(&set);
}

void conf_verify(struct load *load)
{
	struct conf *conf = load->conf;
	const struct source *main_file = load->sources;

	if (conf->workers == 0)
		conf->workers = core_count();
	while (main_file->next)
		main_file = main_file->next;
	if (conf->server_count == 0 && !load->doubtful && load->errors == 0)
		load_error(load, (struct conf_pos){ main_file->name, 0, 0 }, "there is no server: write server { location / { proxy_pass http://127.0.0.1:3000; } }");
	check_listens(load);
	check_bindings(load);
	name_owners(load);
	check_loops(load);
}
