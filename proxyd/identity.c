/* Becoming the configured user. */
#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

bool identity_find(const struct conf *conf, struct identity *ret_identity, char why[256])
{
	struct identity id = { 0 };
	char group[128];
	const struct passwd *user;
	const struct group *other;

	if (conf->user.len == 0 || geteuid() != 0) {
		*ret_identity = id;
		return true;
	}
	snprintf(id.user, sizeof(id.user), "%.*s", SLICE_ARG(conf->user));
	snprintf(group, sizeof(group), "%.*s", SLICE_ARG(conf->group));
	user = getpwnam(id.user);
	if (!user) {
		snprintf(why, 256, "user: there is no user '%s'", id.user);
		return false;
	}
	id.uid = user->pw_uid;
	id.gid = user->pw_gid;
	if (conf->group.len) {
		other = getgrnam(group);
		if (!other) {
			snprintf(why, 256, "user: there is no group '%s'", group);
			return false;
		}
		id.gid = other->gr_gid;
	}
	id.changes = id.uid != 0;
	*ret_identity = id;
	return true;
}

void identity_prepare_folder(const struct identity *identity, struct slice path)
{
	char name[4096];

	snprintf(name, sizeof(name), "%.*s", SLICE_ARG(path));
	if (identity->changes && mkdir(name, 0750) == 0 && chown(name, identity->uid, identity->gid) != 0)
		rmdir(name);
}

static bool is_device(struct slice path)
{
	return path.len == 0 || slice_eq(path, SLICE("-")) || slice_eq(path, SLICE("stderr")) || slice_starts(path, SLICE("/dev/"));
}

void identity_prepare_file(const struct identity *identity, struct slice path)
{
	char name[4096];
	int fd;

	if (!identity->changes || is_device(path))
		return;
	snprintf(name, sizeof(name), "%.*s", SLICE_ARG(path));
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0640);
	if (fd < 0)
		return;
	if (fchown(fd, identity->uid, identity->gid) != 0)
		unlink(name);
	close(fd);
}

void identity_give_file(const struct identity *identity, struct slice path)
{
	char name[4096];
	struct stat st;

	if (!identity->changes || is_device(path))
		return;
	snprintf(name, sizeof(name), "%.*s", SLICE_ARG(path));
	if (lstat(name, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != 0 || st.st_size != 0)
		return;                              /* not one that was made just now */
	if (lchown(name, identity->uid, identity->gid) != 0)
		return;                              /* then it cannot be opened again, which will be told */
}

bool identity_take(const struct identity *identity, char why[256])
{
	if (!identity->changes)
		return true;
	if (initgroups(identity->user, identity->gid) != 0 || setgid(identity->gid) != 0 || setuid(identity->uid) != 0) {
		snprintf(why, 256, "user: cannot become '%s': %s", identity->user, strerror(errno));
		return false;
	}
	/* A change of user switches core dumps off. */
	prctl(PR_SET_DUMPABLE, 1);
	return true;
}
