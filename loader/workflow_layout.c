// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A parameter of type layout: where the numbers of a payload stand. */
#include "workflow_model.h"

#include <stdarg.h>
#include <string.h>

#include "bundle_names.h"
#include "utf8.h"

static const struct key_rule field_rules[] = {
	{"name", KEY_REQUIRED, "write `name: NAME`, a C identifier"},
	{"offset", KEY_REQUIRED, "write `offset: N`, the first byte of it in the payload"},
	{"type", KEY_REQUIRED, "write `type: u16be`, or another of u8 to f64le"},
	{"scale", KEY_OPTIONAL, NULL},
	{"unit", KEY_OPTIONAL, NULL},
	{"bit", KEY_OPTIONAL, NULL},
	{"bits", KEY_OPTIONAL, NULL},
	{NULL, KEY_OPTIONAL, NULL},
};

/* One item of the list. */
struct item {
	struct model *model;
	const struct yaml_node *node;
	char what[FAAS_IDENTIFIER_BYTES + 32]; /* for messages */
	struct faas_layout_field field;
	struct bundle_field named;
	bool failed;
};

static void __attribute__((format(printf, 4, 5)))
complain(struct item *item, const struct yaml_node *node, const char *advice, const char *format,
	 ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	model_complain(item->model, node, advice, "%s: %s", item->what, text);
	item->failed = true;
}

/* The whole number under @p key, or @p otherwise without one. */
static uint64_t read_number(struct item *item, const char *key, uint64_t min, uint64_t max,
			    uint64_t otherwise)
{
	const struct yaml_node *node = yaml_get(item->node, key);
	char what[sizeof(item->what) + 16];
	uint64_t number = otherwise;

	snprintf(what, sizeof(what), "%s: `%s`", item->what, key);
	if (node && !model_number(item->model, node, what, PARAM_U32, min, max, &number))
		item->failed = true;
	return number;
}

static void read_name(struct item *item)
{
	const struct yaml_node *node = yaml_get(item->node, "name");
	const char *text = node ? model_text(item->model, node, "`name`") : NULL;

	if (text && bundle_identifier_valid(text))
		snprintf(item->named.name, sizeof(item->named.name), "%s", text);
	else if (text)
		complain(item, node, "write letters, digits and _, at most 32, no digit first",
			 "`%s` is no name for a field", text);
	item->failed |= !text;
	if (item->named.name[0])
		snprintf(item->what, sizeof(item->what), "field `%s` of the layout",
			 item->named.name);
}

static void read_type(struct item *item)
{
	const struct yaml_node *node = yaml_get(item->node, "type");
	int word =
		node ? model_word(item->model, node, "`type`", bundle_layout_type_words, NULL) : -1;

	item->failed |= word < 0;
	if (word >= 0)
		item->field.type = (uint8_t)word;
}

static void read_offset(struct item *item)
{
	uint32_t bytes = faas_layout_bytes(item->field.type);

	item->field.offset =
		(uint32_t)read_number(item, "offset", 0, FAAS_EVENT_PAYLOAD_MAX - bytes, 0);
}

static void read_bits(struct item *item)
{
	const struct yaml_node *bit = yaml_key(item->node, "bit");
	const struct yaml_node *bits = yaml_key(item->node, "bits");
	uint32_t width = 8 * faas_layout_bytes(item->field.type);
	uint64_t first, count;

	if (!bit && !bits)
		return;
	if (!bit) {
		complain(item, bits, "write `bit: N` too, counted from 0, the least significant",
			 "`bits` without where they begin");
		return;
	}
	if (faas_layout_is_real(item->field.type)) {
		complain(item, bit, "remove it", "a floating point number has no bits to take");
		return;
	}
	first = read_number(item, "bit", 0, width - 1, 0);
	count = read_number(item, "bits", 1, width - 1, 1);
	if (!item->failed && first + count > width)
		complain(item, bits, "take fewer, or begin lower",
			 "bits %llu to %llu of a number of %u bits", (unsigned long long)first,
			 (unsigned long long)(first + count - 1), width);
	item->field.first_bit = (uint8_t)first;
	item->field.bit_count = (uint8_t)count;
}

static void read_scale(struct item *item)
{
	static const char advice[] = "allowed are -1000 to 1000 in steps of 0.000001, but not 0";
	const struct yaml_node *node = yaml_get(item->node, "scale");
	const char *text;
	struct value value;

	if (!node)
		return;
	text = model_text(item->model, node, "`scale`");
	if (!text)
		item->failed = true;
	else if (value_parse(PARAM_DECIMAL, text, &value) || !value.integer ||
		 value.integer > FAAS_LAYOUT_SCALE_MAX || value.integer < -FAAS_LAYOUT_SCALE_MAX)
		complain(item, node, advice, "`scale`: `%s` cannot be used", text);
	else
		item->field.scale = value.integer;
}

/* Units go onto terminals. */
static bool is_printable(const char *text)
{
	while (*text) {
		size_t bytes = utf8_character(text);

		if (!bytes || utf8_is_control(text, bytes))
			return false;
		text += bytes;
	}
	return true;
}

static void read_unit(struct item *item)
{
	const struct yaml_node *node = yaml_get(item->node, "unit");
	const char *text = node ? model_text(item->model, node, "`unit`") : NULL;

	if (!node)
		return;
	if (text && (strlen(text) >= sizeof(item->named.unit) || !is_printable(text)))
		complain(item, node, "write a short text, such as mm/s",
			 "`unit` is longer than %zu bytes or holds control characters",
			 sizeof(item->named.unit) - 1);
	else if (text)
		snprintf(item->named.unit, sizeof(item->named.unit), "%s", text);
	item->failed |= !text;
}

/* One more field of an output. */
static void add_field(struct item *item, struct function_output *output)
{
	for (uint32_t i = 0; i < output->field_count; i++)
		if (!strcmp(output->fields[i].name, item->named.name)) {
			complain(item, yaml_get(item->node, "name"), "choose another name",
				 "there is one already");
			return;
		}
	if (output->field_count == FAAS_FIELDS_MAX)
		complain(item, item->node, "leave one out, or read the rest with a second instance",
			 "one more than the %d that an output may have", FAAS_FIELDS_MAX);
	else
		output->fields[output->field_count++] = item->named;
}

static void read_item(struct item *item, struct model_function *function, uint32_t param)
{
	struct function *declared = function->declared;

	if (!model_keys(item->model, item->node, item->node, item->what, field_rules)) {
		item->failed = true;
		return;
	}
	read_name(item);
	read_type(item);
	read_scale(item);
	read_unit(item);
	if (!item->failed) { /* the width is known */
		read_offset(item);
		read_bits(item);
	}
	item->field.field_type =
		(uint8_t)faas_layout_field_type(item->field.type, item->field.scale);
	item->named.type = (enum faas_field_type)item->field.field_type;
	for (uint32_t i = 0; i < declared->output_count && !item->failed; i++)
		if (declared->outputs[i].is_laid_out && declared->outputs[i].layout_param == param)
			add_field(item, &declared->outputs[i]);
	if (!item->failed)
		function->layout.fields[function->layout.count++] = item->field;
}

/* For people: "level u16be at 4, door u8 at 6 bit 3". What does not fit is told by a
 * number that changes with it. */
static void describe(const struct yaml_node *list, const struct faas_layout *layout, char *ret,
		     size_t bytes)
{
	uint32_t index = 0, hash = 2166136261u; /* FNV-1a */
	size_t used = 0;

	yaml_for_each (node, list) {
		const struct faas_layout_field *field = &layout->fields[index++];
		char text[128], bits[24] = "", scale[40] = "";

		if (field->bit_count)
			snprintf(bits, sizeof(bits), " bit %u+%u", field->first_bit,
				 field->bit_count);
		if (field->scale)
			snprintf(scale, sizeof(scale), " x%s", yaml_get(node, "scale")->text);
		snprintf(text, sizeof(text), "%s%s %s at %u%s%s", index > 1 ? ", " : "",
			 yaml_get(node, "name")->text, bundle_layout_type_words[field->type],
			 field->offset, bits, scale);
		for (const char *at = text; *at; at++)
			hash = (hash ^ (uint8_t)*at) * 16777619u;
		if (used < bytes)
			used += (size_t)snprintf(ret + used, bytes - used, "%s", text);
	}
	if (used >= bytes)
		snprintf(ret + bytes - 15, 15, "... (%08x)", hash);
}

void model_read_layout(struct model *model, struct model_function *function,
		       const struct function_param *declared, const struct yaml_node *node,
		       struct bundle_param *ret)
{
	uint32_t number = 0;
	bool failed = false;

	if (node->kind != YAML_SEQUENCE || !node->count) {
		model_complain(model, node, "write [{name: level, offset: 4, type: u16be}]",
			       "parameter `%s` must be a list of fields, not %s", declared->name,
			       node->kind == YAML_SEQUENCE ? "empty" : yaml_kind_name(node));
		return;
	}
	yaml_for_each (child, node) {
		struct item item = {.model = model, .node = child};

		snprintf(item.what, sizeof(item.what), "field %u of the layout", ++number);
		read_item(&item, function, (uint32_t)(declared - function->declared->params));
		failed |= item.failed;
	}
	if (failed)
		function->layout.count = 0;
	else
		describe(node, &function->layout, ret->text, sizeof(ret->text));
}
