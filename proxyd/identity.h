/* From root to the configured user. Ports below 1024 are bound before; files and folders are made by the user, who will
 * have to open them again, or are given to him. */
#ifndef PROXYD_IDENTITY_H
#define PROXYD_IDENTITY_H

#include <sys/types.h>

#include "../conf/conf.h"

struct identity {
	bool changes;                            /* root, and a user is configured */
	uid_t uid;
	gid_t gid;
	char user[128];
};

bool identity_find(const struct conf *conf, struct identity *ret_identity, char why[256]);
/* While still root: a folder, or a file, that is missing is made and given to the user. What cannot be made is for whoever
 * opens it to complain about. */
void identity_prepare_folder(const struct identity *identity, struct slice path);
void identity_prepare_file(const struct identity *identity, struct slice path);
/* The same for a file that was opened already. */
void identity_give_file(const struct identity *identity, struct slice path);
/* For good; before any thread is started. */
bool identity_take(const struct identity *identity, char why[256]);

#endif
