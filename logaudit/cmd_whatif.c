/* logaudit whatif: hit ratios at other sizes. */
#include "cmd.h"
#include "json.h"
#include "whatif.h"

static void page_write(const void *arg, FILE *out)
{
	whatif_page(arg, out);
}

int cmd_whatif(const struct options *o)
{
	struct audit audit;
	struct whatif whatif;
	int code;

	cmd_begin(&audit, o);
	whatif_init(&whatif);
	audit.reader = whatif_reader(&whatif);
	cmd_read(&audit, o);
	if (o->json) {
		json_t *root = whatif_json(&whatif);
		lines_json(&audit, root);
		json_print(root, stdout);
	} else if (!o->html) {
		whatif_text(&whatif, &audit, stdout);
	}
	code = audit.trouble_count || (o->html && !cmd_save_page(o->html, page_write, &whatif)) ? EXIT_trouble : EXIT_ok;
	whatif_release(&whatif);
	audit_release(&audit);
	return code;
}
