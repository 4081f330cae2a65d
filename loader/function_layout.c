// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * FAAS_STATE leaves a variable that points to the type of the state. From there the
 * type is walked down to its numbers. The object may be anybody's: what is not
 * understood becomes bytes, and the depth is bounded, for a type may claim to hold
 * itself.
 */
#include "function_layout.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdio.h>
#include <string.h>

#include "bundle_state.h"

#define VARIABLE "faas_state_layout"
#define DEPTH_MAX 16

/* Where the walk is. */
struct place {
	char path[FAAS_STATE_PATH_BYTES];
	uint32_t offset;
	struct bundle_state_dimension dimensions[FAAS_STATE_DIMENSIONS_MAX];
	uint32_t dimension_count;
	unsigned int depth;
};

struct walk {
	struct function *function;
	enum layout_result result;
	char *pointer_path;
};

static void walk_type(struct walk *walk, const struct place *place, Dwarf_Die *type);

static void add(struct walk *walk, const struct place *place, enum bundle_state_type type,
		uint32_t bytes)
{
	struct function *function = walk->function;
	struct bundle_state_field *field;

	if (function->state_field_count == FAAS_STATE_FIELDS_MAX) {
		walk->result = LAYOUT_COMPLEX;
		return;
	}
	field = &function->state_fields[function->state_field_count];
	*field = (struct bundle_state_field){
		.type = type,
		.offset = place->offset,
		.bytes = bytes,
		.dimension_count = place->dimension_count,
	};
	memcpy(field->name, place->path, sizeof(field->name));
	memcpy(field->dimensions, place->dimensions, sizeof(field->dimensions));
	if (bundle_state_field_valid(field, function->state_bytes))
		function->state_field_count++;
	else
		walk->result = LAYOUT_COMPLEX;
}

/* The type behind names and qualifiers. False: there is none. */
static bool peel(Dwarf_Die *type)
{
	for (unsigned int i = 0; i < 4 * DEPTH_MAX; i++) {
		Dwarf_Attribute attribute;
		Dwarf_Die next;
		int tag = dwarf_tag(type);

		if (tag != DW_TAG_typedef && tag != DW_TAG_const_type &&
		    tag != DW_TAG_volatile_type && tag != DW_TAG_atomic_type &&
		    tag != DW_TAG_restrict_type)
			return true;
		if (!dwarf_attr_integrate(type, DW_AT_type, &attribute) ||
		    !dwarf_formref_die(&attribute, &next))
			return false;
		*type = next;
	}
	return false;
}

static bool type_of(Dwarf_Die *die, Dwarf_Die *ret)
{
	Dwarf_Attribute attribute;

	return dwarf_attr_integrate(die, DW_AT_type, &attribute) &&
	       dwarf_formref_die(&attribute, ret) && peel(ret);
}

/* A number among the attributes of a DIE. */
static bool number_of(Dwarf_Die *die, unsigned int name, uint64_t *ret)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;

	if (!dwarf_attr_integrate(die, name, &attribute) || dwarf_formudata(&attribute, &value))
		return false;
	*ret = value;
	return true;
}

static uint32_t bytes_of(Dwarf_Die *type)
{
	Dwarf_Word bytes;

	if (dwarf_aggregate_size(type, &bytes) || bytes > FAAS_STATE_BYTES_MAX)
		return 0;
	return (uint32_t)bytes;
}

static enum bundle_state_type base_type(Dwarf_Die *type, uint32_t bytes)
{
	uint64_t encoding = 0;
	bool number = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;

	if (!number || !number_of(type, DW_AT_encoding, &encoding))
		return dwarf_tag(type) == DW_TAG_enumeration_type && number ? STATE_FIELD_UNSIGNED
									    : STATE_FIELD_BYTES;
	switch (encoding) {
	case DW_ATE_unsigned:
	case DW_ATE_unsigned_char:
	case DW_ATE_UTF:
		return STATE_FIELD_UNSIGNED;
	case DW_ATE_signed:
	case DW_ATE_signed_char:
		return STATE_FIELD_SIGNED;
	case DW_ATE_float:
		return bytes >= 4 ? STATE_FIELD_FLOAT : STATE_FIELD_BYTES;
	case DW_ATE_boolean:
		return bytes == 1 ? STATE_FIELD_BOOL : STATE_FIELD_BYTES;
	default:
		return STATE_FIELD_BYTES;
	}
}

/* Whether an array of it is a text, or a string of bytes. */
static bool is_character(Dwarf_Die *element, enum bundle_state_type *ret)
{
	const char *name = dwarf_diename(element);
	uint64_t encoding;

	if (dwarf_tag(element) != DW_TAG_base_type || bytes_of(element) != 1 ||
	    !number_of(element, DW_AT_encoding, &encoding))
		return false;
	/* "char" is signed on one architecture and unsigned on another. */
	if (name && !strcmp(name, "char"))
		*ret = STATE_FIELD_TEXT;
	else if (encoding == DW_ATE_unsigned_char)
		*ret = STATE_FIELD_BYTES;
	else
		return false;
	return true;
}

/* The numbers of elements of an array, outermost first. False: one is not known. */
static bool counts_of(Dwarf_Die *array, uint32_t *counts, uint32_t *ret_count)
{
	Dwarf_Die child;
	int more = dwarf_child(array, &child);

	*ret_count = 0;
	for (; !more; more = dwarf_siblingof(&child, &child)) {
		uint64_t count;

		if (dwarf_tag(&child) != DW_TAG_subrange_type)
			continue;
		if (!number_of(&child, DW_AT_count, &count)) {
			if (!number_of(&child, DW_AT_upper_bound, &count))
				return false;
			count++;
		}
		if (!count || count > FAAS_STATE_BYTES_MAX ||
		    *ret_count == FAAS_STATE_DIMENSIONS_MAX + 1)
			return false;
		counts[(*ret_count)++] = (uint32_t)count;
	}
	return *ret_count > 0;
}

static void walk_array(struct walk *walk, const struct place *place, Dwarf_Die *array)
{
	uint32_t counts[FAAS_STATE_DIMENSIONS_MAX + 1], count, stride = bytes_of(array);
	enum bundle_state_type text = STATE_FIELD_UNSIGNED;
	struct place within = *place;
	Dwarf_Die element;
	bool is_text;

	if (!stride)
		return; /* without elements */
	if (!type_of(array, &element) || !counts_of(array, counts, &count)) {
		add(walk, place, STATE_FIELD_BYTES, stride);
		return;
	}
	is_text = is_character(&element, &text);
	for (uint32_t i = 0; i < count; i++) {
		size_t used = strlen(within.path);

		stride /= counts[i];
		if (is_text && i + 1 == count)
			break;
		if (within.dimension_count == FAAS_STATE_DIMENSIONS_MAX ||
		    used + 3 > sizeof(within.path)) {
			walk->result = LAYOUT_COMPLEX;
			return;
		}
		memcpy(within.path + used, "[]", 3);
		within.dimensions[within.dimension_count++] =
			(struct bundle_state_dimension){counts[i], stride};
	}
	if (is_text)
		add(walk, &within, text, counts[count - 1]);
	else
		walk_type(walk, &within, &element);
}

/* A bit-field: the bytes that hold it, and where in them it is. */
static void walk_bits(struct walk *walk, const struct place *place, Dwarf_Die *member,
		      Dwarf_Die *type, uint64_t bits)
{
	struct bundle_state_field *field;
	enum bundle_state_type kind;
	uint64_t first;
	uint32_t count = walk->function->state_field_count;
	struct place within = *place;

	if (!number_of(member, DW_AT_data_bit_offset, &first) || !bits || bits > 64) {
		walk->result = LAYOUT_COMPLEX;
		return;
	}
	within.offset += (uint32_t)(first / 8);
	first %= 8;
	kind = base_type(type, bytes_of(type));
	if (kind != STATE_FIELD_SIGNED && kind != STATE_FIELD_BOOL)
		kind = STATE_FIELD_UNSIGNED;
	add(walk, &within, STATE_FIELD_BYTES, (uint32_t)(first + bits + 7) / 8);
	if (walk->function->state_field_count == count)
		return;
	field = &walk->function->state_fields[count];
	field->type = kind;
	field->bit = (uint32_t)first;
	field->bits = (uint32_t)bits;
}

static void walk_member(struct walk *walk, const struct place *place, Dwarf_Die *member)
{
	const char *name = dwarf_diename(member);
	struct place within = *place;
	size_t used = strlen(within.path);
	uint64_t offset = 0, bits;
	Dwarf_Die type;

	if (!type_of(member, &type)) {
		walk->result = LAYOUT_COMPLEX;
		return;
	}
	if (!name && dwarf_tag(&type) == DW_TAG_union_type) {
		Dwarf_Die first;

		/* It has to be called something. */
		name = !dwarf_child(&type, &first) ? dwarf_diename(&first) : NULL;
		if (!name)
			name = "union";
	}
	if (name && snprintf(within.path + used, sizeof(within.path) - used, "%s%s",
			     used ? "." : "", name) >= (int)(sizeof(within.path) - used)) {
		walk->result = LAYOUT_COMPLEX;
		return;
	}
	if (number_of(member, DW_AT_bit_size, &bits)) {
		if (name)
			walk_bits(walk, &within, member, &type, bits);
		return;
	}
	if (number_of(member, DW_AT_data_member_location, &offset) && offset > FAAS_STATE_BYTES_MAX)
		walk->result = LAYOUT_COMPLEX;
	within.offset += (uint32_t)offset;
	if (walk->result == LAYOUT_FOUND)
		walk_type(walk, &within, &type);
}

static void walk_struct(struct walk *walk, const struct place *place, Dwarf_Die *type)
{
	Dwarf_Die child;
	int more = dwarf_child(type, &child);

	for (; !more && walk->result == LAYOUT_FOUND; more = dwarf_siblingof(&child, &child)) {
		int tag = dwarf_tag(&child);

		/* Static members are not in it. */
		if ((tag == DW_TAG_member && !dwarf_hasattr(&child, DW_AT_external)) ||
		    tag == DW_TAG_inheritance)
			walk_member(walk, place, &child);
	}
}

static void walk_type(struct walk *walk, const struct place *place, Dwarf_Die *type)
{
	struct place within = *place;
	uint32_t bytes;

	if (!peel(type) || within.depth++ == DEPTH_MAX) {
		walk->result = LAYOUT_COMPLEX;
		return;
	}
	/* A state that is no structure. */
	if (!within.path[0] && dwarf_tag(type) != DW_TAG_structure_type &&
	    dwarf_tag(type) != DW_TAG_class_type)
		memcpy(within.path, "value", sizeof("value"));
	bytes = bytes_of(type);
	switch (dwarf_tag(type)) {
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
		walk_struct(walk, &within, type);
		return;
	case DW_TAG_array_type:
		walk_array(walk, &within, type);
		return;
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_subroutine_type:
		walk->result = LAYOUT_POINTER;
		memcpy(walk->pointer_path, within.path, sizeof(within.path));
		return;
	case DW_TAG_base_type:
	case DW_TAG_enumeration_type:
		add(walk, &within, base_type(type, bytes), bytes);
		return;
	default:
		if (bytes)
			add(walk, &within, STATE_FIELD_BYTES, bytes);
	}
}

/* The type that the variable among the children of @p unit points to. */
static bool find_type(Dwarf_Die *unit, Dwarf_Die *ret)
{
	Dwarf_Die child, pointer;
	int more = dwarf_child(unit, &child);

	for (; !more; more = dwarf_siblingof(&child, &child)) {
		const char *name = dwarf_diename(&child);

		if (dwarf_tag(&child) == DW_TAG_variable && name && !strcmp(name, VARIABLE))
			return type_of(&child, &pointer) &&
			       dwarf_tag(&pointer) == DW_TAG_pointer_type && type_of(&pointer, ret);
	}
	return false;
}

enum layout_result function_layout_read(Elf *elf, struct function *ret, char *path)
{
	struct walk walk = {.function = ret, .result = LAYOUT_NONE, .pointer_path = path};
	Dwarf *dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
	Dwarf_CU *unit = NULL;
	const struct place top = {.path = ""};
	Dwarf_Die die, type;

	ret->state_field_count = 0;
	while (dwarf && walk.result == LAYOUT_NONE &&
	       !dwarf_get_units(dwarf, unit, &unit, NULL, NULL, &die, NULL)) {
		if (!find_type(&die, &type))
			continue;
		walk.result = LAYOUT_FOUND;
		walk_type(&walk, &top, &type);
	}
	dwarf_end(dwarf);
	if (walk.result != LAYOUT_FOUND)
		ret->state_field_count = 0;
	return walk.result;
}
