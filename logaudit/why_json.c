/* What happened to a URL, as one JSON object. */
#include "json.h"
#include "show.h"
#include "why.h"

static json_t *place_json(const struct audit *audit, struct place at)
{
	json_t *place = must(json_object());

	put_text(place, "file", audit_path(audit, at));
	put_number(place, "line", at.line);
	return place;
}

static void put_seen(json_t *object, const struct seen *seen, const struct audit *audit)
{
	put_number(object, "count", seen->count);
	if (!seen->count) return;
	put_number(object, "first_us", seen->first_us);
	put_number(object, "last_us", seen->last_us);
	json_object_set_new(object, "first", place_json(audit, seen->first));
	json_object_set_new(object, "last", place_json(audit, seen->last));
}

static json_t *seen_json(const struct seen *seen, const struct audit *audit)
{
	json_t *object = must(json_object());

	put_seen(object, seen, audit);
	return object;
}

static void put_values(json_t *root, const char *list_name, const char *name, const struct map *map)
{
	json_t *list = must(json_array());

	for (size_t i = 0; i < map->count; i++) {
		json_t *row = must(json_object());
		json_object_set_new(row, name, json_shown(map_key(map, i)));
		put_number(row, "requests", *(uint64_t *)map_value(map, i));
		json_array_append_new(list, row);
	}
	json_object_set_new(root, list_name, list);
}

static json_t *reasons_json(const struct why *why, const struct audit *audit)
{
	json_t *list = must(json_array());
	int order[REASON_COUNT];
	size_t count = why_order(why, order);

	for (size_t i = 0; i < count; i++) {
		struct reason_row reason = reason_row(order[i]);
		json_t *row = must(json_object());
		put_text(row, "kind", reason.kind);
		put_text(row, "reason", reason.name);
		put_text(row, "doc", reason.doc);
		put_text(row, "advice", reason.advice);
		put_seen(row, &why->reasons[order[i]], audit);
		json_array_append_new(list, row);
	}
	return list;
}

static json_t *runs_json(const struct why *why, const struct audit *audit)
{
	json_t *list = must(json_array());

	for (size_t i = 0; i < why->run_count; i++) {
		const struct why_event *e = why->runs[i].first;
		json_t *row = must(json_object());
		put_text(row, "record", record_rows[e->rec].name.ptr);
		put_text(row, "cache", verdict_rows[e->cache].name.ptr);
		json_object_set_new(row, "reason", e->reason == REASON_answered ? must(json_null()) : json_shown(slice_str(reason_row(e->reason).name)));
		put_number(row, "status", e->status);
		put_number(row, "requests", why->runs[i].count);
		put_number(row, "first_us", e->visit.t_us);
		put_number(row, "last_us", why->runs[i].last_us);
		json_object_set_new(row, "first", place_json(audit, e->at));
		json_array_append_new(list, row);
	}
	return list;
}

static json_t *hosts_json(const struct why *why)
{
	json_t *list = must(json_array());

	for (size_t i = 0; i < why->hosts.count; i++) {
		const struct why_host *host = map_value(&why->hosts, i);
		json_t *row = must(json_object());
		json_object_set_new(row, "host", json_shown(map_key(&why->hosts, i)));
		put_number(row, "requests", host->requests);
		put_number(row, "hits", host->hits);
		json_array_append_new(list, row);
	}
	return list;
}

static json_t *near_json(const struct why *why)
{
	json_t *list = must(json_array());

	for (size_t i = 0; i < why->near_count && !why->requests.count; i++) json_array_append_new(list, json_shown(slice_str(why->near[i].text)));
	return list;
}

static json_t *missing_json(const struct why *why)
{
	json_t *list = must(json_array());

	for (int i = 0; i < LOG_FIELD_COUNT; i++)
		if (why->missing[i] && why_needs((enum log_field)i)) json_array_append_new(list, json_shown(log_field_rows[i].name));
	return list;
}

void why_json(const struct why *why, const struct audit *audit, FILE *out)
{
	json_t *root = must(json_object()), *verdicts = must(json_object()), *stored = seen_json(&why->stored, audit);

	lines_json(audit, root);
	json_object_set_new(root, "scheme", json_shown(why->url.scheme));
	json_object_set_new(root, "host", json_shown(why->url.host_port));
	json_object_set_new(root, "target", json_shown(why->url.target));
	json_object_set_new(root, "requests", seen_json(&why->requests, audit));
	for (int i = 0; i < VERDICT_COUNT; i++)
		if (why->verdicts[i]) put_number(verdicts, verdict_rows[i].name.ptr, why->verdicts[i]);
	json_object_set_new(root, "verdicts", verdicts);
	json_object_set_new(root, "hosts", hosts_json(why));
	json_object_set_new(root, "timeline", runs_json(why, audit));
	put_number(root, "not_in_timeline", why->unordered);
	json_object_set_new(root, "reasons", reasons_json(why, audit));
	put_values(root, "volumes", "volume", &why->volumes);
	put_values(root, "lifetimes", "seconds", &why->lifetimes);
	put_values(root, "cache_control", "value", &why->controls);
	put_values(root, "vary", "value", &why->varies);
	put_number(root, "variants", why->variants.count);
	if (why->stored.count) json_object_set_new(stored, "by", json_shown(slice_str(why->stored_by)));
	if (why->object_bytes >= 0) put_number(stored, "object_bytes", (uint64_t)why->object_bytes);
	json_object_set_new(root, "stored", stored);
	json_object_set_new(root, "refreshed", seen_json(&why->refreshed, audit));
	json_object_set_new(root, "purged", seen_json(&why->purged, audit));
	json_object_set_new(root, "nearest", near_json(why));
	json_object_set_new(root, "cannot_tell", missing_json(why));
	json_print(root, out);
}
