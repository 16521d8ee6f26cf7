/* Owners of objects: numbers by name that outlive a restart, live bytes of each, and quotas: who is over goes first. */
#include "cachestore_help.h"

static void put_as(struct volume *volume, uint64_t number, uint16_t owner, size_t size)
{
	struct object_meta meta = help_meta(number);
	char text[64], *body = must(calloc(1, size + 1));
	struct object *object = NULL;
	enum store_err err = STORE_OK;

	meta.owner = owner;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	for (int tries = 0; tries < 2; tries++) {
		err = object_new(volume, help_key(text), slice_str(text), &meta, SLICE("head"), size, &object);
		if (err == STORE_OK && (err = object_append(object, body, size)) == STORE_OK)
			err = object_finish(object);
		object_unref(&object);
		if (err == STORE_OK)
			break;
		volume_flush(volume);
	}
	assert_int_equal(err, STORE_OK);
	free(body);
}

static uint64_t bytes_of(struct volume *volume, uint16_t owner)
{
	struct owner_stat stat;

	assert_true(volume_owner_stat(volume, owner, &stat));
	return stat.live_bytes;
}

static void names_keep_their_numbers(void **state)
{
	char *path = help_folder(), longest[OWNER_NAME_MAX + 2];
	struct store_config config = help_config(path, 8 * MB);
	struct volume *volume = help_open(&config);
	struct owner_stat stat;
	(void)state;

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(volume_owner(volume, SLICE("shop.test /")), 1);
	assert_int_equal(volume_owner(volume, SLICE("b")), 2);
	assert_int_equal(volume_owner(volume, SLICE("shop.test /")), 1);
	assert_int_equal(volume_owner(volume, SLICE("")), 0);
	assert_int_equal(volume_owner(volume, slice_str(longest)), 0);
	longest[OWNER_NAME_MAX] = '\0';
	assert_int_equal(volume_owner(volume, slice_str(longest)), 3);
	put_as(volume, 1, 2, 10000);
	put_as(volume, 2, 2, 1);
	put_as(volume, 3, 1, 1);
	put_as(volume, 4, 60000, 1);                              /* nobody's, and no harm */
	assert_int_equal(bytes_of(volume, 2), 4 * 4096);
	volume_close(&volume);

	volume = help_open(&config);
	assert_true(volume_owner_stat(volume, 1, &stat) && strcmp(stat.name, "shop.test /") == 0 && stat.quota_bytes == 0);
	assert_int_equal(bytes_of(volume, 2), 4 * 4096);
	assert_int_equal(bytes_of(volume, 1), 4096);
	assert_false(volume_owner_stat(volume, 0, &stat));
	assert_false(volume_owner_stat(volume, 4, &stat));
	assert_int_equal(volume_owner(volume, SLICE("new")), 4);
	assert_int_equal(volume_owner(volume, SLICE("b")), 2);
	put_as(volume, 1, 1, 5000);                               /* another owner's now */
	assert_int_equal(bytes_of(volume, 2), 4096);
	assert_int_equal(bytes_of(volume, 1), 3 * 4096);
	assert_true(volume_drop(volume, help_key("2"), NULL));
	assert_int_equal(bytes_of(volume, 2), 0);
	volume_close(&volume);
	help_remove(path);
	free(path);
}

/* Two owners, as many bytes each, more than the volume holds. The one with a quota comes down to it; the other does not go. */
static void who_is_over_its_quota_goes_first(void **state)
{
	(void)state;
	for (int eviction = 0; eviction < EVICTION_COUNT; eviction++) {
		char *path = help_folder();
		struct store_config config = help_config(path, 24 * MB);
		uint16_t bounded, other;
		struct volume *volume;

		config.ram = 0;
		config.eviction = (enum eviction)eviction;
		volume = help_open(&config);
		bounded = volume_owner(volume, SLICE("bounded"));
		other = volume_owner(volume, SLICE("other"));
		volume_quota(volume, bounded, 2 * MB);
		for (uint64_t i = 0; i < 130; i++)
			put_as(volume, i, bounded, 64 * 1024);
		assert_int_equal(bytes_of(volume, bounded), 130 * 64 * 1024);        /* there was room */
		for (uint64_t i = 200; i < 400; i++)
			put_as(volume, i, other, 64 * 1024);
		volume_flush(volume);
		assert_int_equal(bytes_of(volume, other), 200 * 64 * 1024);
		assert_in_range(bytes_of(volume, bounded), 2 * MB - 64 * 1024, 130 * 64 * 1024 - 1);
		for (uint64_t i = 400; i < 500; i++)
			put_as(volume, i, other, 64 * 1024);
		volume_flush(volume);
		assert_in_range(bytes_of(volume, bounded), 0, 2 * MB);
		volume_quota(volume, 0, 0);
		volume_close(&volume);
		help_remove(path);
		free(path);
	}
}

static void owners_are_bounded(void **state)
{
	char *path = help_folder(), name[32];
	struct store_config config = help_config(path, 8 * MB);
	struct volume *volume = help_open(&config);
	unsigned given = 0;
	(void)state;

	for (int i = 0; i < 1030; i++) {
		snprintf(name, sizeof(name), "owner %d", i);
		given += volume_owner(volume, slice_str(name)) > 0;
	}
	assert_int_equal(given, 1023);
	volume_close(&volume);
	help_remove(path);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_keep_their_numbers),
		cmocka_unit_test(who_is_over_its_quota_goes_first),
		cmocka_unit_test(owners_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
