// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "btf_compare.h"

#include <stdio.h>
#include <string.h>

#include <bpf/btf.h>

#define DEPTH_MAX 16
#define PATH_BYTES 256

struct compare {
	const struct btf *a, *b;
	char *ret;
	size_t bytes;
};

/* A type without its names and qualifiers. */
static const struct btf_type *resolve(const struct btf *btf, uint32_t id)
{
	const struct btf_type *type = btf__type_by_id(btf, id);

	for (int i = 0; type && i < DEPTH_MAX &&
			(btf_is_mod(type) || btf_is_typedef(type) || btf_is_type_tag(type));
	     i++)
		type = btf__type_by_id(btf, type->type);
	return type;
}

static const char *name_of(const struct btf *btf, uint32_t offset)
{
	const char *name = btf__name_by_offset(btf, offset);

	return name ? name : "";
}

/* What a person calls it. */
static void describe(const struct btf *btf, const struct btf_type *type, char *ret, size_t bytes)
{
	if (!type) {
		snprintf(ret, bytes, "nothing");
		return;
	}
	switch (btf_kind(type)) {
	case BTF_KIND_INT:
		snprintf(ret, bytes, "%c%u", btf_int_encoding(type) & BTF_INT_SIGNED ? 's' : 'u',
			 type->size * 8);
		return;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		snprintf(ret, bytes, "%s %s of %u bytes", btf_is_union(type) ? "union" : "struct",
			 name_of(btf, type->name_off), type->size);
		return;
	case BTF_KIND_ARRAY:
		snprintf(ret, bytes, "an array of %u", btf_array(type)->nelems);
		return;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		snprintf(ret, bytes, "an enum of %u bytes", type->size);
		return;
	case BTF_KIND_PTR:
		snprintf(ret, bytes, "a pointer");
		return;
	case BTF_KIND_FLOAT:
		snprintf(ret, bytes, "f%u", type->size * 8);
		return;
	case BTF_KIND_DATASEC:
		snprintf(ret, bytes, "%u bytes of variables", type->size);
		return;
	default:
		snprintf(ret, bytes, "of kind %u", btf_kind(type));
	}
}

static bool differ(const struct compare *compare, const char *path, const struct btf_type *a,
		   const struct btf_type *b)
{
	char there[96], here[96];

	describe(compare->a, a, there, sizeof(there));
	describe(compare->b, b, here, sizeof(here));
	snprintf(compare->ret, compare->bytes, "%s is %s there, %s here", path, there, here);
	return false;
}

static bool same(const struct compare *compare, uint32_t a_id, uint32_t b_id, const char *path,
		 int depth);

static bool same_members(const struct compare *compare, const struct btf_type *a,
			 const struct btf_type *b, const char *path, int depth)
{
	const struct btf_member *from = btf_members(a), *to = btf_members(b);
	char inner[PATH_BYTES];

	for (uint32_t i = 0; i < btf_vlen(a) || i < btf_vlen(b); i++) {
		const char *there, *here;
		uint32_t at_a, at_b;

		if (i >= btf_vlen(a) || i >= btf_vlen(b)) {
			const struct btf *btf = i < btf_vlen(a) ? compare->a : compare->b;
			const struct btf_member *only = i < btf_vlen(a) ? &from[i] : &to[i];

			snprintf(compare->ret, compare->bytes, "%s.%s is only %s", path,
				 name_of(btf, only->name_off), i < btf_vlen(a) ? "there" : "here");
			return false;
		}
		there = name_of(compare->a, from[i].name_off);
		here = name_of(compare->b, to[i].name_off);
		at_a = btf_member_bit_offset(a, i);
		at_b = btf_member_bit_offset(b, i);
		if (strcmp(there, here)) {
			snprintf(compare->ret, compare->bytes,
				 "member %u of %s is %s there, %s here", i + 1, path, there, here);
			return false;
		}
		snprintf(inner, sizeof(inner), "%s.%s", path, here);
		if (at_a != at_b ||
		    btf_member_bitfield_size(a, i) != btf_member_bitfield_size(b, i)) {
			snprintf(compare->ret, compare->bytes, "%s is at byte %u there, %u here",
				 inner, at_a / 8, at_b / 8);
			return false;
		}
		if (!same(compare, from[i].type, to[i].type, inner, depth + 1))
			return false;
	}
	return true;
}

/* The variables of a section, which stand in the order of their places. */
static bool same_variables(const struct compare *compare, const struct btf_type *a,
			   const struct btf_type *b, const char *path, int depth)
{
	const struct btf_var_secinfo *from = btf_var_secinfos(a), *to = btf_var_secinfos(b);

	if (btf_vlen(a) != btf_vlen(b)) {
		snprintf(compare->ret, compare->bytes, "%s has %u variables there, %u here", path,
			 btf_vlen(a), btf_vlen(b));
		return false;
	}
	for (uint32_t i = 0; i < btf_vlen(a); i++) {
		const struct btf_type *there = btf__type_by_id(compare->a, from[i].type);
		const struct btf_type *here = btf__type_by_id(compare->b, to[i].type);
		const char *name = here ? name_of(compare->b, here->name_off) : "";

		if (!there || !here || strcmp(name_of(compare->a, there->name_off), name)) {
			snprintf(compare->ret, compare->bytes,
				 "variable %u of %s is %s there, %s here", i + 1, path,
				 there ? name_of(compare->a, there->name_off) : "", name);
			return false;
		}
		if (from[i].offset != to[i].offset || from[i].size != to[i].size) {
			snprintf(compare->ret, compare->bytes,
				 "%s has %u bytes at %u there, %u at %u here", name, from[i].size,
				 from[i].offset, to[i].size, to[i].offset);
			return false;
		}
		if (!same(compare, there->type, here->type, name, depth + 1))
			return false;
	}
	return true;
}

static bool same(const struct compare *compare, uint32_t a_id, uint32_t b_id, const char *path,
		 int depth)
{
	const struct btf_type *a = resolve(compare->a, a_id), *b = resolve(compare->b, b_id);
	char inner[PATH_BYTES];

	if (!a || !b)
		return a == b ? true : differ(compare, path, a, b);
	if (depth > DEPTH_MAX) {
		snprintf(compare->ret, compare->bytes, "%s is nested too deeply to compare", path);
		return false;
	}
	if (btf_kind(a) != btf_kind(b))
		return differ(compare, path, a, b);
	switch (btf_kind(a)) {
	case BTF_KIND_INT:
		return (a->size == b->size &&
			!((btf_int_encoding(a) ^ btf_int_encoding(b)) & BTF_INT_SIGNED))
			       ? true
			       : differ(compare, path, a, b);
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
	case BTF_KIND_FLOAT:
		return a->size == b->size ? true : differ(compare, path, a, b);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		if (!same_members(compare, a, b, path, depth))
			return false;
		return a->size == b->size ? true : differ(compare, path, a, b);
	case BTF_KIND_ARRAY:
		if (btf_array(a)->nelems != btf_array(b)->nelems)
			return differ(compare, path, a, b);
		snprintf(inner, sizeof(inner), "%s[]", path);
		return same(compare, btf_array(a)->type, btf_array(b)->type, inner, depth + 1);
	case BTF_KIND_DATASEC:
		return same_variables(compare, a, b, path, depth);
	default: /* pointers and what has no layout of its own */
		return true;
	}
}

bool btf_compare(const struct btf *a, uint32_t a_type, const struct btf *b, uint32_t b_type,
		 const char *what, char *ret, size_t bytes)
{
	const struct compare compare = {a, b, ret, bytes};

	return same(&compare, a_type, b_type, what, 0);
}
