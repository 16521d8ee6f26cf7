/* What is not stored after all, a volume that is set aside, and its way back (fault.c). A part of internal.h, which includes it. */
#ifndef CACHESTORE_FAULT_H
#define CACHESTORE_FAULT_H

/* The index is damaged: for good. Or the disk keeps failing. Any thread. */
void volume_fail(struct volume *volume, enum store_err err, const char *text);
/* An object of the batch could not be stored. */
void fault_lost(struct volume *volume, struct object *object, enum store_err err);
/* rc: of the commit; err: of the last object that an error kept from being stored, not for want of room in the volume. */
void fault_batch_over(struct volume *volume, int rc, enum store_err err, bool stored);
bool fault_retry_due(const struct volume *volume);
void fault_retry(struct volume *volume);
/* The writer ends. */
void fault_last_words(struct volume *volume);
uint64_t env_last_commit(struct env *env);

#endif
