// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Triggers of a manifest. */
#include "bundle_read.h"

#include <string.h>

#include "bundle_match.h"
#include "bundle_names.h"

/* Each range is [FIRST, LAST]. */
static uint32_t read_ranges(const struct manifest_at *object, const char *key,
			    struct bundle_range *ret)
{
	uint32_t count;
	struct manifest_at list = manifest_array(object, key, FAAS_TRIGGER_PORTS_MAX, &count);

	for (uint32_t i = 0; i < count; i++) {
		struct manifest_at range = manifest_element(&list, i), first, last;

		if (!json_is_array(range.value) || json_array_size(range.value) != 2) {
			manifest_complain(&range, "is not a range of ports, [FIRST, LAST]");
			continue;
		}
		first = manifest_element(&range, 0);
		last = manifest_element(&range, 1);
		ret[i].first = (uint16_t)manifest_read_integer(&first, 1, FAAS_PORTS - 1);
		ret[i].last = (uint16_t)manifest_read_integer(&last, 1, FAAS_PORTS - 1);
	}
	return count;
}

static uint32_t read_prefixes(const struct manifest_at *object, const char *key,
			      struct bundle_prefix *ret)
{
	uint32_t count;
	struct manifest_at list = manifest_array(object, key, FAAS_TRIGGER_PREFIXES_MAX, &count);

	for (uint32_t i = 0; i < count; i++) {
		struct manifest_at prefix = manifest_element(&list, i);
		char text[BUNDLE_PREFIX_TEXT_BYTES] = "";

		manifest_read_text(&prefix, text, sizeof(text));
		if (bundle_prefix_parse(text, &ret[i]))
			manifest_complain(&prefix, "is not a prefix of addresses");
	}
	return count;
}

static uint32_t read_values(const struct manifest_at *object, const char *key, uint16_t max,
			    uint16_t *ret)
{
	uint32_t count;
	struct manifest_at list = manifest_array(object, key, FAAS_TRIGGER_VALUES_MAX, &count);

	for (uint32_t i = 0; i < count; i++) {
		struct manifest_at value = manifest_element(&list, i);

		ret[i] = (uint16_t)manifest_read_integer(&value, 0, max);
	}
	return count;
}

static void read_match(struct manifest_at at, struct bundle_match *ret)
{
	uint16_t icmp_types[FAAS_TRIGGER_VALUES_MAX] = {0};
	struct manifest_at protocol;

	MANIFEST_OBJECT(&at, "any", "protocol", "either_port", "destination_ports", "source_ports",
			"destinations", "sources", "icmp_types", "ethertypes", "vlans");
	ret->any = manifest_bool(&at, "any");
	protocol = manifest_member(&at, "protocol");
	ret->has_protocol = protocol.value && !json_is_null(protocol.value);
	if (ret->has_protocol)
		ret->ip_protocol = (uint8_t)manifest_read_integer(&protocol, 0, UINT8_MAX);
	ret->either_port = manifest_bool(&at, "either_port");
	ret->destination_range_count =
		read_ranges(&at, "destination_ports", ret->destination_ranges);
	ret->source_range_count = read_ranges(&at, "source_ports", ret->source_ranges);
	ret->destination_count = read_prefixes(&at, "destinations", ret->destinations);
	ret->source_count = read_prefixes(&at, "sources", ret->sources);
	ret->icmp_type_count = read_values(&at, "icmp_types", UINT8_MAX, icmp_types);
	for (uint32_t i = 0; i < ret->icmp_type_count; i++)
		ret->icmp_types[i] = (uint8_t)icmp_types[i];
	ret->ethertype_count = read_values(&at, "ethertypes", UINT16_MAX, ret->ethertypes);
	ret->vlan_count = read_values(&at, "vlans", UINT16_MAX, ret->vlans);
}

void bundle_read_trigger(struct manifest_at at, struct bundle_trigger *ret)
{
	struct manifest_at list;

	MANIFEST_OBJECT(&at, "name", "id", "priority", "interfaces", "hook", "mode", "importance",
			"match", "targets");
	manifest_text(&at, "name", ret->name, sizeof(ret->name));
	ret->id = manifest_u32(&at, "id", 1, INT16_MAX);
	ret->priority = (int16_t)manifest_integer(&at, "priority", -BUNDLE_PRIORITY_MAX,
						  BUNDLE_PRIORITY_MAX);
	list = manifest_array(&at, "interfaces", FAAS_TRIGGER_INTERFACES_MAX,
			      &ret->interface_count);
	for (uint32_t i = 0; i < ret->interface_count; i++) {
		struct manifest_at interface = manifest_element(&list, i);

		manifest_read_text(&interface, ret->interfaces[i], sizeof(ret->interfaces[i]));
	}
	ret->hook = (enum bundle_hook)manifest_word(&at, "hook", bundle_hook_words);
	ret->mode = (enum bundle_mode)manifest_word(&at, "mode", bundle_mode_words);
	ret->importance =
		(enum bundle_importance)manifest_word(&at, "importance", bundle_importance_words);
	read_match(manifest_member(&at, "match"), &ret->match);
	list = manifest_array(&at, "targets", FAAS_TRIGGER_TARGETS_MAX, &ret->target_count);
	for (uint32_t i = 0; i < ret->target_count; i++)
		bundle_read_target(manifest_element(&list, i), &ret->targets[i]);
}

void bundle_read_timer(struct manifest_at at, struct bundle_timer *ret)
{
	MANIFEST_OBJECT(&at, "name", "id", "every_ns", "function");
	manifest_text(&at, "name", ret->name, sizeof(ret->name));
	ret->id = manifest_u32(&at, "id", 1, INT16_MAX);
	ret->every_ns = (uint64_t)manifest_integer(&at, "every_ns", (int64_t)BUNDLE_TIMER_MIN_NS,
						   (int64_t)BUNDLE_TIMER_MAX_NS);
	ret->function = manifest_u32(&at, "function", 0, FAAS_USER_FUNCTIONS_MAX - 1);
}
