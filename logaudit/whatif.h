/* `logaudit whatif`: a curve for each volume of each node. */
#ifndef LOGAUDIT_WHATIF_H
#define LOGAUDIT_WHATIF_H

#include <jansson.h>

#include "audit.h"
#include "mrc.h"
#include "show.h"

/* About 13 MiB at most for each; those that come later are counted and not played. */
enum { WHATIF_GROUPS_MAX = 16 };

struct whatif_group { char *node, *volume; uint64_t size_now; struct mrc mrc; };
struct whatif {
	struct whatif_group groups[WHATIF_GROUPS_MAX];
	size_t count;
	uint64_t left_out;               /* requests of volumes that did not fit */
	uint64_t no_volume;              /* requests without a volume */
};

void whatif_init(struct whatif *whatif);
struct audit_reader whatif_reader(struct whatif *whatif);
void whatif_release(struct whatif *whatif);

void whatif_text(const struct whatif *whatif, const struct audit *audit, FILE *out);
json_t *whatif_json(const struct whatif *whatif);
/* page_whatif.c: a self-contained page. */
void whatif_page(const struct whatif *whatif, FILE *out);

/* 1536 MiB is 1.5g: as in the configuration, but with a point. */
const char *whatif_size(char out[SHOW_NUMBER_MAX], uint64_t bytes);
/* What is worth a line: from the first size that the sample can speak of to the first one with room for everything. */
bool whatif_is_shown(const struct mrc *mrc, int i);

#endif
