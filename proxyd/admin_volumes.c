/* proxyd ctl volumes. */
#include "admin_parts.h"

struct listing { struct daemon *daemon; json_t *list; };

/* Under the lock of the volumes: the configuration that is shown stays. */
static json_t *sites_of(const struct conf *conf, const struct conf_volume *volume)
{
	json_t *sites = json_array();

	for (size_t i = 0; conf && i < conf->server_count; i++)
		for (size_t l = 0; l <= conf->servers[i]->location_count; l++) {
			const struct conf_server *server = conf->servers[i];
			const struct conf_location *location = l < server->location_count ? &server->locations[l] : server->fallback;

			/* Nobody comes to the fallback of a server without an upstream of its own. */
			if (location && location->volume == volume && location->upstream)
				json_array_append_new(sites, text_json(location->route));
		}
	return sites;
}

static json_t *wrongs_of(const struct conf_volume *v, const struct volume_stat *s)
{
	json_t *wrongs = json_array();

#define VOLUME_WRONG(condition, text) if (condition) json_array_append_new(wrongs, json_string(text));
#include "tbl/volume_wrongs.h"
#undef VOLUME_WRONG
	return wrongs;
}

static void volume_add(void *arg, const struct conf_volume *v, const struct volume_stat *s)
{
	struct listing *listing = arg;
	json_t *volume = json_object();

	json_object_set_new(volume, "name", text_json(v->name));
	json_object_set_new(volume, "path", text_json(v->path));
#define VOLUME_GAUGE(name, kind, expression, doc) json_object_set_new(volume, #name, json_integer((json_int_t)(expression)));
#include "tbl/volume_gauges.h"
#undef VOLUME_GAUGE
#define VOLUME_FACT(name, expression) json_object_set_new(volume, #name, json_integer((json_int_t)(expression)));
#include "tbl/volume_facts.h"
#undef VOLUME_FACT
	json_object_set_new(volume, "sites", sites_of(listing->daemon->volumes.shown, v));
	json_object_set_new(volume, "wrong", wrongs_of(v, s));
	json_array_append_new(listing->list, volume);
}

static void owner_add(void *arg, const struct conf_volume *v, const struct owner_stat *o)
{
	json_t *owner = json_object();

	json_object_set_new(owner, "volume", text_json(v->name));
	json_object_set_new(owner, "owner", text_json(slice_str(o->name)));
#define OWNER_GAUGE(gauge, expression, doc) json_object_set_new(owner, #gauge, json_integer((json_int_t)(expression)));
#include "tbl/owner_gauges.h"
#undef OWNER_GAUGE
	json_array_append_new(arg, owner);
}

json_t *admin_volumes(struct daemon *daemon)
{
	struct listing listing = { daemon, json_array() };
	json_t *owners = json_array();

	volumes_stat(&daemon->volumes, volume_add, &listing);
	volumes_owners(&daemon->volumes, owner_add, owners);
	return json_pack("{s:b, s:o, s:o}", "ok", 1, "volumes", listing.list, "owners", owners);
}
