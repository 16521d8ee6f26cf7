/* logaudit top: what was asked for most, or missed most. */
#include "cmd.h"
#include "json.h"
#include "report.h"
#include "top.h"
#include "top_by.h"

static bool parse_order(const char *name, enum top_order *ret_order)
{
	*ret_order = TOP_ORDER_requests;
	if (!name) return true;
	for (int i = 0; i < TOP_ORDER_COUNT; i++) {
		if (strcmp(top_order_names[i], name) != 0) continue;
		*ret_order = (enum top_order)i;
		return true;
	}
	return false;
}

static int top_of_column(const struct options *o)
{
	int column = column_named(slice_str(o->by)), code;
	enum top_order order;
	struct top_by top;
	struct audit audit;

	if (column < 0) return usage("--by takes a column of the log (logaudit fields), not", o->by);
	if (o->missed || o->why) return usage("--missed and --why are of URLs: top --by takes --order misses", NULL);
	if (!parse_order(o->order, &order)) return usage("--order takes requests, bytes, misses or time, not", o->order);
	cmd_begin(&audit, o);
	top_by_init(&top, (enum log_field)column);
	audit.reader = top_by_reader(&top);
	cmd_read(&audit, o);
	if (o->json) {
		json_t *root = top_by_json(&top, order, o->limit);
		lines_json(&audit, root);
		json_print(root, stdout);
	} else {
		lines_text(&audit, stdout);
		top_by_text(&top, order, o->limit, stdout);
	}
	code = audit.trouble_count ? EXIT_trouble : EXIT_ok;
	top_by_release(&top);
	audit_release(&audit);
	return code;
}

int cmd_top(const struct options *o)
{
	const struct top_options options = { o->missed, o->why, o->limit };
	struct audit audit;
	struct top top;
	int code;

	if (o->by) return top_of_column(o);
	if (o->order) return usage("--order goes with --by", NULL);
	cmd_begin(&audit, o);
	top_init(&top);
	audit.reader = top_reader(&top);
	cmd_read(&audit, o);
	(o->json ? top_json : top_text)(&top, &audit, &options, stdout);
	code = audit.trouble_count ? EXIT_trouble : EXIT_ok;
	top_release(&top);
	audit_release(&audit);
	return code;
}
