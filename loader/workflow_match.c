// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* match: which packets a trigger takes. What goes together is for bundle_match_check(). */
#include "workflow_model.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "bundle_match.h"
#include "suggest.h"

#define WORDS_MAX 32

static const struct key_rule match_rules[] = {
	{"protocol", KEY_OPTIONAL, NULL},    {"destination_port", KEY_OPTIONAL, NULL},
	{"source_port", KEY_OPTIONAL, NULL}, {"port", KEY_OPTIONAL, NULL},
	{"destination", KEY_OPTIONAL, NULL}, {"source", KEY_OPTIONAL, NULL},
	{"vlan", KEY_OPTIONAL, NULL},	     {"ethertype", KEY_OPTIONAL, NULL},
	{"icmp_type", KEY_OPTIONAL, NULL},   {"any", KEY_OPTIONAL, NULL},
	{NULL, KEY_OPTIONAL, NULL},
};

struct match_reader {
	struct model *model;
	const struct yaml_node *node;
	struct bundle_match *result;
};

/* The items of @p name, each read with @p read into the next place of a list. */
static void read_list(struct match_reader *reader, const char *name, uint32_t max, uint32_t *count,
		      bool (*read)(struct match_reader *reader, const char *what,
				   const struct yaml_node *item, uint32_t index))
{
	const struct yaml_node *node = yaml_get(reader->node, name);
	char what[32];

	if (!node)
		return;
	snprintf(what, sizeof(what), "`%s`", name);
	if (node->kind == YAML_SEQUENCE && !node->count)
		model_complain(reader->model, node, "name a value, or remove it", "%s is empty",
			       what);
	model_for_each_item (item, node) {
		if (*count == max) {
			model_complain(reader->model, item, "make another trigger",
				       "%s: this is one more than a trigger may have, %u", what,
				       max);
			return;
		}
		if (read(reader, what, item, *count))
			++*count;
	}
}

/* ---- ports ---- */

static bool parse_port(const char *text, size_t chars, uint16_t *ret)
{
	struct value value;
	char digits[16];

	if (!chars || chars >= sizeof(digits) || strspn(text, "0123456789") < chars)
		return false;
	snprintf(digits, sizeof(digits), "%.*s", (int)chars, text);
	if (value_parse(PARAM_U32, digits, &value) || value.integer >= FAAS_PORTS)
		return false;
	*ret = (uint16_t)value.integer;
	return true;
}

static bool read_range(struct match_reader *reader, const char *what, const struct yaml_node *item,
		       struct bundle_range *ret)
{
	static const char advice[] = "write a port, 1 to 65535, or a range such as 5000-5010";
	const char *text = model_text(reader->model, item, what);
	const char *dash = text ? strchr(text, '-') : NULL;
	struct bundle_range range;

	if (!text)
		return false;
	if (!parse_port(text, dash ? (size_t)(dash - text) : strlen(text), &range.first) ||
	    !parse_port(dash ? dash + 1 : text, strlen(dash ? dash + 1 : text), &range.last)) {
		model_complain(reader->model, item, advice, "%s: `%s` is no port", what, text);
		return false;
	}
	if (!range.first || range.first > range.last) {
		model_complain(reader->model, item, advice, "%s: %s %s", what, text,
			       range.first ? "ends before it begins" : "is out of range");
		return false;
	}
	*ret = range;
	return true;
}

static bool read_destination_port(struct match_reader *reader, const char *what,
				  const struct yaml_node *item, uint32_t index)
{
	return read_range(reader, what, item, &reader->result->destination_ranges[index]);
}

static bool read_source_port(struct match_reader *reader, const char *what,
			     const struct yaml_node *item, uint32_t index)
{
	return read_range(reader, what, item, &reader->result->source_ranges[index]);
}

static void read_ports(struct match_reader *reader)
{
	const struct yaml_node *either = yaml_key(reader->node, "port");
	struct bundle_match *result = reader->result;

	if (either &&
	    (yaml_key(reader->node, "destination_port") || yaml_key(reader->node, "source_port"))) {
		model_complain(reader->model, either,
			       "write `destination_port` and `source_port`, which both have to "
			       "hold, or `port` alone",
			       "`port` is a port in either direction, and stands alone");
		return;
	}
	result->either_port = either;
	read_list(reader, either ? "port" : "destination_port", FAAS_TRIGGER_PORTS_MAX,
		  &result->destination_range_count, read_destination_port);
	read_list(reader, "source_port", FAAS_TRIGGER_PORTS_MAX, &result->source_range_count,
		  read_source_port);
}

/* ---- addresses ---- */

static bool read_prefix(struct match_reader *reader, const char *what, const struct yaml_node *item,
			struct bundle_prefix *ret)
{
	const char *text = model_text(reader->model, item, what);
	char advice[BUNDLE_PREFIX_TEXT_BYTES + 32], mended[BUNDLE_PREFIX_TEXT_BYTES];

	if (!text)
		return false;
	switch (bundle_prefix_parse(text, ret)) {
	case 0:
		return true;
	case -EDOM:
		bundle_prefix_print(ret, mended);
		snprintf(advice, sizeof(advice), "write %s", mended);
		model_complain(reader->model, item, advice, "%s: %s has bits behind the prefix",
			       what, text);
		return false;
	case -ERANGE:
		model_complain(reader->model, item,
			       "IPv4 addresses have 32 bits, IPv6 addresses 128",
			       "%s: %s has no such number of bits", what, text);
		return false;
	case -EXDEV:
		model_complain(reader->model, item, "write them as 192.0.2.0/24",
			       "%s: %s is of IPv4 addresses", what, text);
		return false;
	default:
		model_complain(reader->model, item,
			       "write an address or a prefix, such as 192.0.2.0/24 or "
			       "2001:db8::/32",
			       "%s: `%s` is no address", what, text);
		return false;
	}
}

static bool read_destination(struct match_reader *reader, const char *what,
			     const struct yaml_node *item, uint32_t index)
{
	return read_prefix(reader, what, item, &reader->result->destinations[index]);
}

static bool read_source(struct match_reader *reader, const char *what, const struct yaml_node *item,
			uint32_t index)
{
	return read_prefix(reader, what, item, &reader->result->sources[index]);
}

/* ---- numbers, and words for them ---- */

static bool read_number(struct match_reader *reader, const char *what, const struct yaml_node *item,
			const struct bundle_number *names, uint16_t min, uint16_t max,
			uint16_t *ret)
{
	const char *text = model_text(reader->model, item, what), *words[WORDS_MAX];
	char advice[512];
	size_t count = 0;
	uint64_t number;
	int value;

	if (!text)
		return false;
	if (!names || (text[0] >= '0' && text[0] <= '9')) {
		if (!model_number(reader->model, item, what, PARAM_U32, min, max, &number))
			return false;
		*ret = (uint16_t)number;
		return true;
	}
	value = bundle_number_find(names, text);
	if (value < 0) {
		for (; count < WORDS_MAX && names[count].name; count++)
			words[count] = names[count].name;
		suggest_advice(text, words, count, "a number, or one of", advice, sizeof(advice));
		model_complain(reader->model, item, advice, "%s: `%s` is not known", what, text);
		return false;
	}
	*ret = (uint16_t)value;
	return true;
}

static bool read_vlan(struct match_reader *reader, const char *what, const struct yaml_node *item,
		      uint32_t index)
{
	return read_number(reader, what, item, NULL, 1, 4094, &reader->result->vlans[index]);
}

static bool read_ethertype(struct match_reader *reader, const char *what,
			   const struct yaml_node *item, uint32_t index)
{
	return read_number(reader, what, item, bundle_ethertypes, 0x0600, UINT16_MAX,
			   &reader->result->ethertypes[index]);
}

/* The words depend on the protocol, which has been read. */
static bool read_icmp_type(struct match_reader *reader, const char *what,
			   const struct yaml_node *item, uint32_t index)
{
	const struct bundle_number *names = reader->result->ip_protocol == IPPROTO_ICMPV6
						    ? bundle_icmpv6_types
						    : bundle_icmp_types;
	uint16_t type;

	if (!read_number(reader, what, item, names, 0, UINT8_MAX, &type))
		return false;
	reader->result->icmp_types[index] = (uint8_t)type;
	return true;
}

static void read_protocol(struct match_reader *reader)
{
	const struct yaml_node *node = yaml_get(reader->node, "protocol");
	uint16_t protocol;

	if (!node ||
	    !read_number(reader, "`protocol`", node, bundle_protocols, 0, UINT8_MAX, &protocol))
		return;
	reader->result->has_protocol = true;
	reader->result->ip_protocol = (uint8_t)protocol;
}

static void read_any(struct match_reader *reader)
{
	const struct yaml_node *node = yaml_get(reader->node, "any");
	const char *text = node ? model_text(reader->model, node, "`any`") : NULL;

	if (!text)
		return;
	reader->result->any = !strcmp(text, "true");
	if (!reader->result->any)
		model_complain(reader->model, node, "write `any: true`, or remove it",
			       "`any`: `%s` means nothing here", text);
}

/* The node that a fault is about. */
static const struct yaml_node *place_of(const struct yaml_node *match, const struct yaml_node *key,
					const struct bundle_fault *fault)
{
	const struct yaml_node *place = fault->key ? yaml_key(match, fault->key) : NULL;
	uint32_t index = 0;

	if (!place)
		return key;
	if (fault->item == BUNDLE_WHOLE)
		return place;
	model_for_each_item (item, place->value)
		if (index++ == fault->item)
			return item;
	return place;
}

void model_read_match(struct model *model, const struct yaml_node *key, struct bundle_match *ret)
{
	struct match_reader reader = {model, key->value, ret};
	bool failed_before = model->failed;
	struct bundle_fault fault;

	/* What is compared below must be what was meant. */
	model->failed = false;
	if (!model_keys(model, key->value, key, "`match`", match_rules))
		return;
	read_protocol(&reader);
	read_ports(&reader);
	read_list(&reader, "destination", FAAS_TRIGGER_PREFIXES_MAX, &ret->destination_count,
		  read_destination);
	read_list(&reader, "source", FAAS_TRIGGER_PREFIXES_MAX, &ret->source_count, read_source);
	read_list(&reader, "icmp_type", FAAS_TRIGGER_VALUES_MAX, &ret->icmp_type_count,
		  read_icmp_type);
	read_list(&reader, "ethertype", FAAS_TRIGGER_VALUES_MAX, &ret->ethertype_count,
		  read_ethertype);
	read_list(&reader, "vlan", FAAS_TRIGGER_VALUES_MAX, &ret->vlan_count, read_vlan);
	read_any(&reader);
	if (!model->failed && !bundle_match_check(ret, &fault))
		model_complain(model, place_of(key->value, key, &fault), fault.advice, "%s",
			       fault.cause);
	model->failed |= failed_before;
}
