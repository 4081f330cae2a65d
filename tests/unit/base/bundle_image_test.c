// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bundle_image.h"

static struct bundle *make(void)
{
	struct bundle *bundle = calloc(1, sizeof(*bundle));

	assert_non_null(bundle);
	strcpy(bundle->name, "first-member");
	bundle->user_count = 2;
	strcpy(bundle->user[1].instance, "trend");
	bundle->user[1].state_keys = 1024;
	strcpy(bundle->files[BUNDLE_FILES_MAX - 1].sha256, "of the last member but counts");
	return bundle;
}

static void *image_of(const struct bundle *bundle, uint32_t *ret_bytes)
{
	void *image = NULL;

	assert_int_equal(bundle_image_make(bundle, &image, ret_bytes), 0);
	return image;
}

static void check_same(const struct bundle *bundle)
{
	struct bundle *read = NULL;
	uint32_t bytes;
	void *image = image_of(bundle, &bytes);

	assert_non_null(image);
	assert_int_equal(bundle_image_read(image, bytes, &read), 0);
	assert_memory_equal(read, bundle, sizeof(*bundle));
	free(read);
	free(image);
}

static void is_read_as_it_was(void **state)
{
	struct bundle *bundle = make();

	(void)state;
	check_same(bundle);
	/* The first and the last byte. */
	((char *)bundle)[0] = 1;
	((char *)bundle)[sizeof(*bundle) - 1] = 1;
	check_same(bundle);
	memset(bundle, 0, sizeof(*bundle));
	check_same(bundle);
	free(bundle);
}

static void is_small(void **state)
{
	struct bundle *bundle = make();
	uint32_t bytes;
	void *image = image_of(bundle, &bytes);

	(void)state;
	assert_true(bytes < 300);
	free(image);
	free(bundle);
}

static void is_not_made_if_too_long(void **state)
{
	struct bundle *bundle = make();
	uint32_t bytes = 1;

	(void)state;
	memset(bundle, 1, BUNDLE_IMAGE_BYTES_MAX);
	assert_null(image_of(bundle, &bytes));
	assert_int_equal(bytes, 0);
	free(bundle);
}

/* Whatever it was cut to, or says: nothing is written outside of a bundle. */
static void is_refused_if_it_is_none(void **state)
{
	struct bundle *bundle = make(), *read = NULL;
	uint32_t bytes;
	char *image = image_of(bundle, &bytes), *other = malloc(bytes);

	(void)state;
	assert_non_null(other);
	for (uint32_t cut = 1; cut < bytes; cut++) {
		int err = bundle_image_read(image, bytes - cut, &read);

		/* At the end of a run it is a shorter one. */
		assert_true(err == -EINVAL || !err);
		if (!err)
			free(read);
	}
	assert_int_equal(bundle_image_read(image, bytes - 1, &read), -EINVAL);
	/* Format, size of a bundle, where the first run begins, how long it is. */
	for (size_t at = 0; at < 16; at += sizeof(uint32_t)) {
		memcpy(other, image, bytes);
		memset(other + at, 0xff, sizeof(uint32_t));
		assert_int_equal(bundle_image_read(other, bytes, &read), -EINVAL);
	}
	free(other);
	free(image);
	free(bundle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_read_as_it_was),
		cmocka_unit_test(is_small),
		cmocka_unit_test(is_not_made_if_too_long),
		cmocka_unit_test(is_refused_if_it_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
