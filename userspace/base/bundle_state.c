// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The members of a state's type: in the manifest, and whether they make sense. */
#include "bundle_state.h"

#include <stdlib.h>
#include <string.h>

#include "bundle_names.h"

static json_t *print_field(const struct bundle_state_field *field)
{
	json_t *dimensions = json_array();
	int err = 0;

	for (uint32_t i = 0; i < field->dimension_count; i++)
		err |= json_array_append_new(
			dimensions, json_pack("[I, I]", (json_int_t)field->dimensions[i].count,
					      (json_int_t)field->dimensions[i].stride));
	if (err) {
		json_decref(dimensions);
		return NULL;
	}
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:o}", "name", field->name, "type",
			 bundle_state_type_words[field->type], "offset", (json_int_t)field->offset,
			 "bytes", (json_int_t)field->bytes, "bit", (json_int_t)field->bit, "bits",
			 (json_int_t)field->bits, "dimensions", dimensions);
}

json_t *bundle_state_print(const struct bundle_function *function)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < function->state_field_count; i++)
		if (json_array_append_new(list, print_field(&function->state_fields[i]))) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static void read_field(struct manifest_at at, struct bundle_state_field *ret)
{
	struct manifest_at list;

	MANIFEST_OBJECT(&at, "name", "type", "offset", "bytes", "bit", "bits", "dimensions");
	manifest_text(&at, "name", ret->name, sizeof(ret->name));
	ret->type = (enum bundle_state_type)manifest_word(&at, "type", bundle_state_type_words);
	ret->offset = manifest_u32(&at, "offset", 0, FAAS_STATE_BYTES_MAX - 1);
	ret->bytes = manifest_u32(&at, "bytes", 1, FAAS_STATE_BYTES_MAX);
	ret->bit = manifest_u32(&at, "bit", 0, 63);
	ret->bits = manifest_u32(&at, "bits", 0, 64);
	list = manifest_array(&at, "dimensions", FAAS_STATE_DIMENSIONS_MAX, &ret->dimension_count);
	for (uint32_t i = 0; i < ret->dimension_count; i++) {
		struct manifest_at pair = manifest_element(&list, i);
		if (pair.value && json_array_size(pair.value) != 2) {
			manifest_complain(&pair, "is not a count and a stride");
			return;
		}
		struct manifest_at count = manifest_element(&pair, 0);
		struct manifest_at stride = manifest_element(&pair, 1);

		ret->dimensions[i].count =
			(uint32_t)manifest_read_integer(&count, 1, FAAS_STATE_BYTES_MAX);
		ret->dimensions[i].stride =
			(uint32_t)manifest_read_integer(&stride, 1, FAAS_STATE_BYTES_MAX);
	}
}

void bundle_state_read(const struct manifest_at *state, struct bundle_function *ret)
{
	struct manifest_at list =
		manifest_array(state, "fields", FAAS_STATE_FIELDS_MAX, &ret->state_field_count);

	for (uint32_t i = 0; i < ret->state_field_count; i++)
		read_field(manifest_element(&list, i), &ret->state_fields[i]);
}

uint32_t bundle_state_field_end(const struct bundle_state_field *field)
{
	uint64_t end = (uint64_t)field->offset + field->bytes;

	for (uint32_t i = 0; i < field->dimension_count; i++)
		end += (uint64_t)(field->dimensions[i].count - 1) * field->dimensions[i].stride;
	return end > UINT32_MAX ? UINT32_MAX : (uint32_t)end;
}

static bool fits_type(const struct bundle_state_field *field)
{
	uint32_t bytes = field->bytes;
	bool number = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;

	if (field->bits)
		return (field->type == STATE_FIELD_UNSIGNED || field->type == STATE_FIELD_SIGNED ||
			field->type == STATE_FIELD_BOOL) &&
		       bytes <= 9 && field->bit + field->bits <= 8 * bytes;
	switch (field->type) {
	case STATE_FIELD_UNSIGNED:
	case STATE_FIELD_SIGNED:
		return number;
	case STATE_FIELD_FLOAT:
		return bytes == 4 || bytes == 8;
	case STATE_FIELD_BOOL:
		return bytes == 1;
	case STATE_FIELD_TEXT:
	case STATE_FIELD_BYTES:
		return true;
	}
	return false;
}

bool bundle_state_field_valid(const struct bundle_state_field *field, uint32_t state_bytes)
{
	return bundle_state_path_valid(field->name, field->dimension_count) && fits_type(field) &&
	       bundle_state_field_end(field) <= state_bytes;
}

static bool same_field(const struct bundle_state_field *a, const struct bundle_state_field *b)
{
	return a->type == b->type && a->offset == b->offset && a->bytes == b->bytes &&
	       a->bit == b->bit && a->bits == b->bits && a->dimension_count == b->dimension_count &&
	       !memcmp(a->dimensions, b->dimensions, a->dimension_count * sizeof(a->dimensions[0]));
}

bool bundle_state_same_fields(const struct bundle_function *a, const struct bundle_function *b,
			      const char **ret_a, const char **ret_b)
{
	uint32_t count = a->state_field_count > b->state_field_count ? a->state_field_count
								     : b->state_field_count;

	if (!a->state_field_count || !b->state_field_count)
		return true;
	for (uint32_t i = 0; i < count; i++) {
		const struct bundle_state_field *one =
			i < a->state_field_count ? &a->state_fields[i] : NULL;
		const struct bundle_state_field *other =
			i < b->state_field_count ? &b->state_fields[i] : NULL;

		if (one && other && !strcmp(one->name, other->name) && same_field(one, other))
			continue;
		*ret_a = one ? one->name : "nothing";
		*ret_b = other ? other->name : "nothing";
		return false;
	}
	return true;
}

bool bundle_is_durable(const struct bundle *bundle)
{
	for (uint32_t i = 0; i < bundle->user_count; i++)
		if (bundle->user[i].state_mode == STATE_DURABLE)
			return true;
	return false;
}
