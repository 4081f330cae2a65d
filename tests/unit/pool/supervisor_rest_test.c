// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the numbers in events of one version are in another: by name. */
#include "userspace/pool/supervisor_rest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void add_user(struct bundle *bundle, const char *name, uint32_t key_count)
{
	struct bundle_entry *entry = &bundle->entries[bundle->entry_count++];

	entry->kind = TARGET_USER;
	entry->index = bundle->user_count;
	entry->key_count = entry->key_bytes = key_count;
	snprintf(bundle->user[bundle->user_count++].instance, FAAS_NAME_BYTES, "%s", name);
}

static void add_sink(struct bundle *bundle, const char *name)
{
	struct bundle_entry *entry = &bundle->entries[bundle->entry_count++];

	entry->kind = TARGET_SINK;
	entry->index = bundle->sink_count;
	snprintf(bundle->sinks[bundle->sink_count++].name, FAAS_NAME_BYTES, "%s", name);
}

static void add_field(struct bundle *bundle, const char *name, enum faas_field_type type)
{
	struct bundle_field *field = &bundle->kernel_fields[bundle->kernel_field_count++].field;

	snprintf(field->name, sizeof(field->name), "%s", name);
	field->type = type;
}

static void add_kernel(struct bundle *bundle, const char *name, const char *output, uint32_t origin)
{
	struct bundle_function *kernel = &bundle->kernel[bundle->kernel_count++];

	snprintf(kernel->instance, sizeof(kernel->instance), "%s", name);
	kernel->output_count = 1;
	snprintf(kernel->outputs[0].name, sizeof(kernel->outputs[0].name), "%s", output);
	kernel->outputs[0].origin = origin;
}

static void goes_by_names(void **state)
{
	struct bundle *from = calloc(1, sizeof(*from)), *to = calloc(1, sizeof(*to));
	struct page_rest tables;

	(void)state;
	assert_non_null(from);
	assert_non_null(to);
	add_user(from, "came", 1);
	add_user(from, "moved", 1);
	add_user(from, "other-key", 2);
	add_sink(from, "records");
	add_kernel(from, "first", "ok", 3);
	add_kernel(from, "second", "new", 4);
	add_field(from, "level", FAAS_FIELD_U64);
	add_field(from, "weight", FAAS_FIELD_S64);

	add_sink(to, "records");
	add_user(to, "other-key", 1);
	add_user(to, "moved", 1);
	add_kernel(to, "second", "old", 0);
	add_kernel(to, "first", "ok", 1);
	add_field(to, "weight", FAAS_FIELD_DECIMAL);
	add_field(to, "level", FAAS_FIELD_U64);

	rest_tables(from, to, &tables);
	assert_int_equal(tables.entries[0], PAGE_REST_NONE);
	assert_int_equal(tables.entries[1], 2);
	assert_int_equal(tables.entries[2], PAGE_REST_NONE);
	assert_int_equal(tables.entries[3], 0);
	assert_int_equal(tables.entries[4], PAGE_REST_NONE);
	assert_int_equal(tables.origins[3], 1);
	assert_int_equal(tables.origins[4], PAGE_REST_NONE);
	assert_int_equal(tables.fields[0], 1);
	assert_int_equal(tables.fields[1], PAGE_REST_NONE);
	free(to);
	free(from);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(goes_by_names)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
