// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "btf_print.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>

#define DEPTH_MAX 16
#define HEX_BYTES_MAX 4096

/* Bytes on their way to JSON, and what the BTF says of them. */
struct value {
	const struct btf *btf;
	enum btf_style style;
	uint32_t type;
	const uint8_t *data;
	size_t bytes;
	const char *name; /* of the member; "" */
	int depth;
};

static json_t *print(const struct value *value);

void btf_print_address(const uint8_t address[16], char ret[BTF_ADDRESS_CHARS])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool ipv4 = !memcmp(address, mapped, sizeof(mapped));

	if (!inet_ntop(ipv4 ? AF_INET : AF_INET6, ipv4 ? address + 12 : address, ret,
		       BTF_ADDRESS_CHARS))
		ret[0] = '\0';
}

/* "" + hexadecimal digits, two a byte. */
static json_t *print_hex(const uint8_t *data, size_t bytes)
{
	char text[2 * HEX_BYTES_MAX + 4];
	size_t shown = bytes < HEX_BYTES_MAX ? bytes : HEX_BYTES_MAX;

	for (size_t i = 0; i < shown; i++)
		snprintf(text + 2 * i, 3, "%02x", data[i]);
	snprintf(text + 2 * shown, 4, "%s", shown < bytes ? "..." : "");
	return json_string(text);
}

static json_t *print_bytes(const uint8_t *data, size_t bytes, enum btf_style style)
{
	json_t *list;

	if (style == BTF_READABLE)
		return print_hex(data, bytes);
	list = json_array();
	for (size_t i = 0; i < bytes; i++)
		json_array_append_new(list, json_integer(data[i]));
	return list;
}

static json_t *print_unsigned(uint64_t number)
{
	char text[24];

	if (number <= INT64_MAX)
		return json_integer((json_int_t)number);
	snprintf(text, sizeof(text), "%" PRIu64, number);
	return json_string(text);
}

/* Of a host that is little endian, as the program is. */
static uint64_t load_bits(const uint8_t *data, uint32_t first, uint32_t bits)
{
	uint64_t number = 0;

	for (uint32_t i = 0; i < bits && i < 64; i++) {
		uint32_t bit = first + i;

		number |= (uint64_t)(data[bit / 8] >> (bit % 8) & 1) << i;
	}
	return number;
}

static json_t *print_number(const struct btf_type *type, uint64_t number, uint32_t bits)
{
	uint8_t encoding = btf_int_encoding(type);

	if (encoding & BTF_INT_BOOL)
		return json_boolean(number != 0);
	if ((encoding & BTF_INT_SIGNED) && bits < 64 && bits && number >> (bits - 1))
		number |= ~0ull << bits;
	if (encoding & BTF_INT_SIGNED)
		return json_integer((json_int_t)number);
	return print_unsigned(number);
}

/* Through typedefs and qualifiers. NULL: there is no such type. */
static const struct btf_type *resolve(const struct btf *btf, uint32_t id)
{
	const struct btf_type *type = btf ? btf__type_by_id(btf, id) : NULL;

	for (int i = 0; type && i < DEPTH_MAX; i++) {
		if (!btf_is_mod(type) && !btf_is_typedef(type))
			return btf_is_void(type) ? NULL : type;
		type = btf__type_by_id(btf, type->type);
	}
	return NULL;
}

static const char *name_of(const struct btf *btf, uint32_t offset)
{
	const char *name = btf__name_by_offset(btf, offset);

	return name ? name : "";
}

static bool is_byte(const struct btf_type *type)
{
	return type && btf_is_int(type) && type->size == 1 &&
	       !(btf_int_encoding(type) & BTF_INT_BOOL);
}

static json_t *print_array(const struct value *value, const struct btf_type *type)
{
	const struct btf_array *array = btf_array(type);
	const struct btf_type *element = resolve(value->btf, array->type);
	struct value one = *value;
	json_t *list;
	int64_t bytes;

	bytes = btf__resolve_size(value->btf, array->type);
	if (bytes <= 0 || (uint64_t)bytes * array->nelems > value->bytes)
		return print_bytes(value->data, value->bytes, value->style);
	if (is_byte(element) && !strcmp(name_of(value->btf, element->name_off), "char")) {
		list = json_stringn((const char *)value->data,
				    strnlen((const char *)value->data, array->nelems));
		if (list)
			return list; /* else it is no UTF-8 */
	}
	if (is_byte(element) && value->style == BTF_READABLE && array->nelems == 16 &&
	    strstr(value->name, "address")) {
		char text[BTF_ADDRESS_CHARS];

		btf_print_address(value->data, text);
		return json_string(text);
	}
	if (is_byte(element))
		return print_bytes(value->data, array->nelems, value->style);
	list = json_array();
	one.type = array->type;
	one.bytes = (size_t)bytes;
	one.depth++;
	for (uint32_t i = 0; i < array->nelems; i++) {
		one.data = value->data + (size_t)i * one.bytes;
		json_array_append_new(list, print(&one));
	}
	return list;
}

/* What the kernel keeps to itself in a value. */
static bool is_private(const struct btf *btf, const struct btf_type *type)
{
	static const char *const names[] = {"bpf_spin_lock", "bpf_timer"};

	if (!btf_is_struct(type))
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name_of(btf, type->name_off), names[i]))
			return true;
	return false;
}

/* One member into @p object. */
static void print_member(const struct value *value, const struct btf_type *type, uint32_t index,
			 json_t *object)
{
	const struct btf_member *member = btf_members(type) + index;
	const struct btf_type *inner = resolve(value->btf, member->type);
	uint32_t bit = btf_member_bit_offset(type, index);
	uint32_t bits = btf_member_bitfield_size(type, index);
	int64_t bytes = btf__resolve_size(value->btf, member->type);
	struct value one = *value;
	json_t *printed;

	if (!inner || bytes < 0 || is_private(value->btf, inner))
		return;
	one.name = name_of(value->btf, member->name_off);
	if (bits && btf_is_int(inner) && (uint64_t)bit + bits <= 8 * (uint64_t)value->bytes) {
		json_object_set_new(object, one.name,
				    print_number(inner, load_bits(value->data, bit, bits), bits));
		return;
	}
	if (bits || bit / 8 + (uint64_t)bytes > value->bytes)
		return;
	one.type = member->type;
	one.data = value->data + bit / 8;
	one.bytes = (size_t)bytes;
	one.depth++;
	printed = print(&one);
	if (one.name[0] || !json_is_object(printed)) {
		json_object_set_new(object, one.name, printed);
		return;
	}
	json_object_update(object, printed);
	json_decref(printed);
}

static json_t *print_members(const struct value *value, const struct btf_type *type)
{
	json_t *object;

	if (value->style == BTF_READABLE && value->bytes >= 16 && btf_is_union(type) &&
	    !strcmp(name_of(value->btf, type->name_off), "faas_address")) {
		char text[BTF_ADDRESS_CHARS];

		btf_print_address(value->data, text);
		return json_string(text);
	}
	object = json_object();
	for (uint32_t i = 0; i < btf_vlen(type); i++)
		print_member(value, type, i, object);
	return object;
}

static json_t *print_section(const struct value *value, const struct btf_type *type)
{
	const struct btf_var_secinfo *variable = btf_var_secinfos(type);
	json_t *object = json_object();

	for (uint32_t i = 0; i < btf_vlen(type); i++, variable++) {
		const struct btf_type *var = btf__type_by_id(value->btf, variable->type);
		struct value one = *value;

		if (!var || !btf_is_var(var) ||
		    (uint64_t)variable->offset + variable->size > value->bytes)
			continue;
		one.name = name_of(value->btf, var->name_off);
		one.type = var->type;
		one.data = value->data + variable->offset;
		one.bytes = variable->size;
		one.depth++;
		json_object_set_new(object, one.name, print(&one));
	}
	return object;
}

static json_t *print_enumerator(const struct value *value, const struct btf_type *type)
{
	uint64_t number = load_bits(value->data, 0, 8 * type->size);
	uint64_t mask = type->size < 8 ? (1ull << (8 * type->size)) - 1 : ~0ull;

	for (uint32_t i = 0; i < btf_vlen(type); i++) {
		uint64_t one = btf_is_enum(type) ? (uint64_t)(int64_t)btf_enum(type)[i].val
						 : btf_enum64_value(btf_enum64(type) + i);
		uint32_t name = btf_is_enum(type) ? btf_enum(type)[i].name_off
						  : btf_enum64(type)[i].name_off;

		if ((one & mask) == number)
			return json_string(name_of(value->btf, name));
	}
	return print_unsigned(number);
}

static json_t *print_float(const struct value *value, const struct btf_type *type)
{
	float single;
	double real;

	if (type->size == sizeof(single)) {
		memcpy(&single, value->data, sizeof(single));
		real = (double)single;
	} else if (type->size == sizeof(real)) {
		memcpy(&real, value->data, sizeof(real));
	} else {
		return print_bytes(value->data, value->bytes, value->style);
	}
	/* JSON has no infinity and no "not a number". */
	return json_real(real) ?: json_null();
}

static json_t *print(const struct value *value)
{
	const struct btf_type *type = resolve(value->btf, value->type);
	char text[24];

	if (!type || value->depth > DEPTH_MAX)
		return print_bytes(value->data, value->bytes, value->style);
	if (btf_is_array(type))
		return print_array(value, type);
	if (btf_is_ptr(type) && value->bytes >= 8) {
		snprintf(text, sizeof(text), "0x%" PRIx64, load_bits(value->data, 0, 64));
		return json_string(text);
	}
	if (btf_is_ptr(type) || type->size > value->bytes)
		return print_bytes(value->data, value->bytes, value->style);
	if (btf_is_int(type) && type->size <= 8)
		return print_number(type, load_bits(value->data, 0, 8 * type->size),
				    8 * type->size);
	if (btf_is_any_enum(type))
		return print_enumerator(value, type);
	if (btf_is_float(type))
		return print_float(value, type);
	if (btf_is_composite(type))
		return print_members(value, type);
	if (btf_is_datasec(type))
		return print_section(value, type);
	return print_bytes(value->data, value->bytes, value->style);
}

json_t *btf_print_value(const struct btf *btf, uint32_t type, const void *data, size_t bytes,
			enum btf_style style)
{
	const struct value value = {
		.btf = btf, .style = style, .type = type, .data = data, .bytes = bytes, .name = ""};

	return print(&value);
}

json_t *btf_print_prefix(const void *key, size_t bytes)
{
	uint8_t address[16] = {[10] = 0xff, [11] = 0xff};
	char text[BTF_ADDRESS_CHARS];
	uint32_t bits;

	if (bytes != sizeof(bits) + 16 && bytes != sizeof(bits) + 4)
		return print_hex(key, bytes);
	memcpy(&bits, key, sizeof(bits));
	if (bytes == sizeof(bits) + 16)
		memcpy(address, (const uint8_t *)key + sizeof(bits), 16);
	else
		memcpy(address + 12, (const uint8_t *)key + sizeof(bits), 4);
	btf_print_address(address, text);
	/* A prefix of IPv4 addresses has the 96 bits in front of them. A shorter
	 * one that begins like them holds more than IPv4. */
	if (bytes == sizeof(bits) + 16 && !strchr(text, ':')) {
		if (bits < 96)
			return json_sprintf("::ffff:%s/%u", text, bits);
		bits -= 96;
	}
	return json_sprintf("%s/%u", text, bits);
}

/* What print_unsigned() made. */
static bool is_number(const json_t *value, uint64_t *ret)
{
	const char *text = json_string_value(value);

	if (json_is_integer(value)) {
		*ret = (uint64_t)json_integer_value(value);
		return true;
	}
	if (!text || !text[0] || text[strspn(text, "0123456789")] || strlen(text) > 20)
		return false;
	*ret = strtoull(text, NULL, 10);
	return true;
}

static json_t *sum_two(const json_t *a, const json_t *b)
{
	json_t *sum, *item;
	uint64_t one, other;
	const char *key;
	size_t i;

	if (json_is_integer(a) && json_integer_value(a) < 0)
		return json_is_integer(b)
			       ? json_integer(json_integer_value(a) + json_integer_value(b))
			       : json_null();
	if (is_number(a, &one) && is_number(b, &other))
		return json_is_integer(b) && json_integer_value(b) < 0
			       ? json_integer((json_int_t)one + json_integer_value(b))
			       : print_unsigned(one + other);
	if (json_is_object(a) && json_is_object(b)) {
		sum = json_object();
		json_object_foreach ((json_t *)a, key, item)
			json_object_set_new(sum, key, sum_two(item, json_object_get(b, key)));
		return sum;
	}
	if (json_is_array(a) && json_is_array(b)) {
		sum = json_array();
		json_array_foreach (a, i, item)
			json_array_append_new(sum, sum_two(item, json_array_get(b, i)));
		return sum;
	}
	return json_equal((json_t *)a, (json_t *)b) ? json_deep_copy(a) : json_null();
}

json_t *btf_print_sum(const json_t *values)
{
	json_t *sum = json_deep_copy(json_array_get(values, 0));

	for (size_t i = 1; i < json_array_size(values); i++) {
		json_t *next = sum_two(sum, json_array_get(values, i));

		json_decref(sum);
		sum = next;
	}
	return sum;
}

void btf_print_line(const json_t *value, FILE *stream)
{
	const char *key, *before = "";
	json_t *item;
	size_t i;

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		fputc('{', stream);
		json_object_foreach ((json_t *)value, key, item) {
			fprintf(stream, "%s%s: ", before, key);
			btf_print_line(item, stream);
			before = ", ";
		}
		fputc('}', stream);
		return;
	case JSON_ARRAY:
		fputc('[', stream);
		json_array_foreach (value, i, item) {
			fputs(before, stream);
			btf_print_line(item, stream);
			before = ", ";
		}
		fputc(']', stream);
		return;
	case JSON_STRING:
		/* Bytes of packets may be in there: nothing that a terminal obeys. */
		for (key = json_string_value(value); *key; key++)
			if ((unsigned char)*key < 0x20 || (unsigned char)*key >= 0x7f)
				fprintf(stream, "\\x%02x", (unsigned char)*key);
			else
				fputc(*key, stream);
		return;
	case JSON_INTEGER:
		fprintf(stream, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return;
	case JSON_REAL:
		fprintf(stream, "%.17g", json_real_value(value));
		return;
	case JSON_TRUE:
		fputs("true", stream);
		return;
	case JSON_FALSE:
		fputs("false", stream);
		return;
	case JSON_NULL:
		fputs("-", stream);
		return;
	}
}
