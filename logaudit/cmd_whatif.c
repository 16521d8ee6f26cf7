/* logaudit whatif: hit ratios at other sizes. */
#include "cmd.h"
#include "json.h"
#include "whatif.h"

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
	} else {
		whatif_text(&whatif, &audit, stdout);
	}
	code = audit.trouble_count ? EXIT_trouble : EXIT_ok;
	whatif_release(&whatif);
	audit_release(&audit);
	return code;
}
