// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What became of a packet, as JSON and in words. See explain.h. */
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "btf_print.h"
#include "bundle_names.h"
#include "dispatch_rules.h"
#include "explain.h"

/* ---- JSON -------------------------------------------------------------------- */

static json_t *packet_json(const struct explain_outcome *outcome)
{
	const struct faas_packet *packet = &outcome->packet;
	char source[BTF_ADDRESS_CHARS], destination[BTF_ADDRESS_CHARS];
	json_t *value;

	if (!outcome->described)
		return json_null();
	value = json_pack("{s:i, s:i, s:i, s:i}", "ethertype", packet->ethertype, "ip_version",
			  packet->ip_version, "l4_offset", packet->l4_offset, "payload_bytes",
			  packet->payload_bytes);
	if (packet->vlan_tags)
		json_object_set_new(value, "vlan", json_integer(packet->vlan));
	if (packet->ip_version) {
		btf_print_address(outcome->source, source);
		btf_print_address(outcome->destination, destination);
		json_object_set_new(value, "protocol", json_integer(packet->ip_protocol));
		json_object_set_new(value, "source_address", json_string(source));
		json_object_set_new(value, "destination_address", json_string(destination));
	}
	if (outcome->icmp_type >= 0)
		json_object_set_new(value, "icmp_type", json_integer(outcome->icmp_type));
	if (packet->source_port || packet->destination_port) {
		json_object_set_new(value, "source_port", json_integer(packet->source_port));
		json_object_set_new(value, "destination_port",
				    json_integer(packet->destination_port));
	}
	if (packet->flags & FAAS_EVENT_FRAGMENT)
		json_object_set_new(value, "fragment", json_string("later"));
	else if (packet->flags & FAAS_EVENT_FIRST_FRAGMENT)
		json_object_set_new(value, "fragment", json_string("first"));
	if (packet->flags & FAAS_EVENT_TRUNCATED)
		json_object_set_new(value, "truncated", json_true());
	return value;
}

static json_t *match_json(const struct explain_match *match)
{
	char text[DISPATCH_RULE_TEXT_BYTES];

	dispatch_rule_text(match->rule, text, sizeof(text));
	return json_pack("{s:s, s:s, s:s, s:i}", "workflow", match->bundle->name, "trigger",
			 match->trigger->name, "condition", text, "priority",
			 match->rule->priority);
}

static json_t *params_json(const struct bundle_function *function)
{
	json_t *params = json_object();

	for (uint32_t i = 0; i < function->param_count; i++)
		json_object_set_new(params, function->params[i].name,
				    json_string(function->params[i].text));
	return params;
}

static const char *output_doc(const struct function *function, const char *output)
{
	for (uint32_t i = 0; function && i < function->output_count; i++)
		if (!strcmp(function->outputs[i].name, output))
			return function->outputs[i].doc;
	return "";
}

/* The graph is acyclic and a packet has one way through it: the functions that
 * counted it, in the order of the manifest, are its way. */
static json_t *functions_json(const struct explain_outcome *outcome)
{
	const struct bundle *bundle = outcome->taken.bundle;
	json_t *list = json_array();

	for (uint32_t i = 0; i < bundle->kernel_count; i++) {
		const struct bundle_function *function = &bundle->kernel[i];
		const struct faas_function_meters *counted = &outcome->counted.functions[i];
		const char *output = counted->errors ? "" : NULL;

		for (uint32_t k = 0; k < function->output_count; k++)
			if (counted->outputs[k])
				output = function->outputs[k].name;
		if (!output)
			continue;
		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:o, s:s?, s:s}", "name", function->instance,
				  "function", function->function, "params", params_json(function),
				  "output", output[0] ? output : NULL, "doc",
				  output[0] ? output_doc(outcome->functions[i], output)
					    : "it named an output that it does not have"));
	}
	return list;
}

static json_t *key_json(const struct bundle_entry *entry, const uint8_t *key)
{
	json_t *object = json_object();

	for (uint32_t i = 0; i < entry->key_count; i++) {
		uint32_t bytes = bundle_key_part_bytes(entry->key[i]);
		const char *name = bundle_key_part_name(entry->key[i]);
		char address[BTF_ADDRESS_CHARS];

		if (bytes == 16) {
			btf_print_address(key, address);
			json_object_set_new(object, name, json_string(address));
		} else {
			json_object_set_new(
				object, name,
				json_integer(bytes == 2 ? key[0] << 8 | key[1] : key[0]));
		}
		key += bytes;
	}
	return object;
}

static json_t *fields_json(const struct bundle *bundle, const struct explain_event *event)
{
	json_t *object = json_object();

	for (uint32_t i = 0; i < bundle->kernel_field_count; i++) {
		const struct bundle_field *field = &bundle->kernel_fields[i].field;
		int64_t number = (int64_t)event->fields[i];

		if (!(event->head.fields_present & (1u << i)))
			continue;
		if (field->type == FAAS_FIELD_DECIMAL)
			json_object_set_new(object, field->name,
					    json_real((double)number / FAAS_DECIMAL_ONE));
		else
			json_object_set_new(object, field->name, json_integer(number));
	}
	return object;
}

static json_t *events_json(const struct explain_outcome *outcome)
{
	const struct bundle *bundle = outcome->taken.bundle;
	json_t *list = json_array();

	for (uint32_t i = 0; i < outcome->event_count; i++) {
		const struct explain_event *event = &outcome->events[i];
		const struct bundle_entry *entry;
		const char *from, *output = "", *to;
		bool user;

		if (event->head.entry >= bundle->entry_count)
			continue;
		entry = &bundle->entries[event->head.entry];
		user = entry->kind == TARGET_USER;
		to = user ? bundle->user[entry->index].instance : bundle->sinks[entry->index].name;
		from = outcome->taken.trigger->name;
		if (entry->kernel_function < bundle->kernel_count) {
			from = bundle->kernel[entry->kernel_function].instance;
			output = bundle->kernel[entry->kernel_function].outputs[entry->output].name;
		}
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:i, s:i}",
						      "from", from, "output", output, "to", to,
						      "kind", user ? "function" : "sink", "key",
						      key_json(entry, event->key), "fields",
						      fields_json(bundle, event), "shard",
						      event->head.shard, "payload_bytes",
						      event->head.payload_bytes));
	}
	return list;
}

static const char *verdict_name(const struct faas_meters *ledger)
{
	if (ledger->dropped)
		return "dropped";
	if (ledger->replied)
		return "replied";
	if (ledger->redirected)
		return "redirected";
	return ledger->passed ? "passed" : "passed, as no program counted it";
}

/* What `mode: observe` kept from happening, or NULL. */
static const char *observed_name(const struct faas_meters *ledger)
{
	if (ledger->observed_dropped)
		return "dropped";
	return ledger->observed_turned ? "replied or redirected" : NULL;
}

/* The output that the last function answered with; NULL: none did, or nothing it
 * has. */
static const struct bundle_output *last_output(const struct explain_outcome *outcome,
					       const struct bundle_function **ret_function)
{
	const struct bundle *bundle = outcome->taken.bundle;
	const struct bundle_output *last = NULL;

	*ret_function = NULL;
	for (uint32_t i = 0; i < bundle->kernel_count; i++)
		for (uint32_t k = 0; k < bundle->kernel[i].output_count; k++)
			if (outcome->counted.functions[i].outputs[k]) {
				*ret_function = &bundle->kernel[i];
				last = &bundle->kernel[i].outputs[k];
			}
	return last;
}

static const char *target_verdict(const struct bundle_output *output)
{
	for (uint32_t i = 0; output && i < output->target_count; i++)
		if (output->targets[i].kind == TARGET_VERDICT)
			return bundle_verdict_words[output->targets[i].index];
	return NULL;
}

static json_t *why_json(const struct explain_outcome *outcome)
{
	const struct faas_meters *ledger = &outcome->counted.ledger;
	const struct bundle_function *function;
	const struct bundle_output *output = last_output(outcome, &function);
	const char *asked = target_verdict(output);
	const char *mode = bundle_mode_words[outcome->taken.trigger->mode];

	if (outcome->taken.bundle->overload_drop && ledger->dropped &&
	    (ledger->lost_ring_full || ledger->lost_no_route || ledger->lost_error))
		return json_string("an event of it could not be made, and overload.packet is drop");
	if (observed_name(ledger))
		return json_sprintf("mode observe: else it would be %s", observed_name(ledger));
	if (asked && function->observe && strcmp(asked, "pass"))
		return json_sprintf("%s.%s leads to %s, but %s only observes", function->instance,
				    output->name, asked, function->instance);
	if (asked && !strcmp(asked, "reply") && !ledger->replied)
		return json_sprintf("%s.%s leads to reply, but the packet cannot be turned round: "
				    "mode %s decides",
				    function->instance, output->name, mode);
	if (asked)
		return json_sprintf("%s.%s leads to %s", function->instance, output->name, asked);
	return json_sprintf("mode %s, as nothing in the kernel decides", mode);
}

static json_t *lost_json(const struct faas_meters *ledger)
{
	json_t *lost = json_object();

	if (ledger->lost_ring_full)
		json_object_set_new(lost, "ring_full",
				    json_integer((json_int_t)ledger->lost_ring_full));
	if (ledger->lost_no_route)
		json_object_set_new(lost, "no_route",
				    json_integer((json_int_t)ledger->lost_no_route));
	if (ledger->lost_error)
		json_object_set_new(lost, "error", json_integer((json_int_t)ledger->lost_error));
	return lost;
}

json_t *explain_json(const struct explain_outcome *outcome, uint64_t number,
		     const struct capture_packet *packet)
{
	json_t *value, *passed_over = json_array();

	value = json_pack("{s:I, s:I, s:I, s:I, s:o}", "number", (json_int_t)number, "time_ns",
			  (json_int_t)packet->time_ns, "bytes", (json_int_t)packet->bytes,
			  "wire_bytes", (json_int_t)packet->wire_bytes, "packet",
			  packet_json(outcome));
	if (outcome->not_taken) {
		json_object_set_new(value, "not_taken", json_string(outcome->not_taken));
		json_object_set_new(value, "verdict", json_string("passed"));
		json_decref(passed_over);
		return value;
	}
	for (uint32_t i = 0; i < outcome->passed_over_count; i++)
		json_array_append_new(passed_over, match_json(&outcome->passed_over[i]));
	json_object_set_new(value, "taken_by", match_json(&outcome->taken));
	json_object_set_new(value, "passed_over", passed_over);
	json_object_set_new(value, "functions", functions_json(outcome));
	json_object_set_new(value, "events", events_json(outcome));
	json_object_set_new(value, "lost", lost_json(&outcome->counted.ledger));
	json_object_set_new(value, "verdict", json_string(verdict_name(&outcome->counted.ledger)));
	if (observed_name(&outcome->counted.ledger))
		json_object_set_new(value, "observed",
				    json_string(observed_name(&outcome->counted.ledger)));
	json_object_set_new(value, "why", why_json(outcome));
	return value;
}

/* ---- words ------------------------------------------------------------------- */

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)) ?: "";
}

static long long number_of(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

/* Address and port as one writes them: 10.0.0.1:53, [2001:db8::1]:53. */
static void print_end(const json_t *packet, const char *address, const char *port, FILE *stream)
{
	bool ports = json_object_get(packet, port) != NULL;
	bool ipv6 = strchr(text(packet, address), ':') != NULL;

	fprintf(stream, "%s%s%s", ipv6 && ports ? "[" : "", text(packet, address),
		ipv6 && ports ? "]" : "");
	if (ports)
		fprintf(stream, ":%lld", number_of(packet, port));
}

static const char *protocol_name(long long protocol)
{
	switch (protocol) {
	case IPPROTO_UDP:
		return "UDP";
	case IPPROTO_TCP:
		return "TCP";
	case IPPROTO_ICMP:
		return "ICMP";
	case IPPROTO_ICMPV6:
		return "ICMPv6";
	default:
		return NULL;
	}
}

static void print_packet(const json_t *packet, FILE *stream)
{
	long long protocol = number_of(packet, "protocol");
	const char *name = protocol_name(protocol);

	if (!number_of(packet, "ip_version")) {
		fprintf(stream, "EtherType 0x%04llx", number_of(packet, "ethertype"));
	} else {
		if (name)
			fprintf(stream, "%s ", name);
		else
			fprintf(stream, "IP protocol %lld ", protocol);
		if (json_object_get(packet, "icmp_type"))
			fprintf(stream, "type %lld ", number_of(packet, "icmp_type"));
		print_end(packet, "source_address", "source_port", stream);
		fprintf(stream, " > ");
		print_end(packet, "destination_address", "destination_port", stream);
	}
	if (json_object_get(packet, "vlan"))
		fprintf(stream, ", VLAN %lld", number_of(packet, "vlan"));
	fprintf(stream, ", payload %lld bytes", number_of(packet, "payload_bytes"));
	if (json_object_get(packet, "fragment"))
		fprintf(stream, ", %s fragment", text(packet, "fragment"));
	if (json_object_get(packet, "truncated"))
		fprintf(stream, ", shorter than its headers say");
}

static void print_function(const json_t *function, FILE *stream)
{
	const char *before = " ", *key;
	json_t *value;

	fprintf(stream, "  %s (%s", text(function, "name"), text(function, "function"));
	json_object_foreach (json_object_get(function, "params"), key, value) {
		fprintf(stream, "%s%s=%s", before, key, json_string_value(value));
		before = ", ";
	}
	fprintf(stream, "): %s%s%s\n",
		text(function, "output")[0] ? text(function, "output") : "error",
		text(function, "doc")[0] ? " - " : "", text(function, "doc"));
}

static void print_event(const json_t *event, FILE *stream)
{
	fprintf(stream, "  event from %s%s%s to %s %s", text(event, "from"),
		text(event, "output")[0] ? "." : "", text(event, "output"), text(event, "kind"),
		text(event, "to"));
	if (json_object_size(json_object_get(event, "key"))) {
		fprintf(stream, ", key ");
		btf_print_line(json_object_get(event, "key"), stream);
	}
	if (json_object_size(json_object_get(event, "fields"))) {
		fprintf(stream, ", fields ");
		btf_print_line(json_object_get(event, "fields"), stream);
	}
	fprintf(stream, ", payload %lld bytes\n", number_of(event, "payload_bytes"));
}

static const char *reason_text(const char *reason)
{
	static const struct {
		const char *reason, *text;
	} reasons[] = {
		{"unmatched", "no trigger matches"},
		{"fragments", "a fragment without ports, and no trigger matches it"},
		{"not_ip", "neither IPv4 nor IPv6, and no trigger matches"},
		{"other_protocol", "neither UDP nor TCP, and no trigger matches"},
		{"malformed", "its headers are cut short or contradict themselves"},
		{"nonlinear", "its headers lie beyond the first buffer"},
		{"too_short", "too short for a frame with headers"},
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (!strcmp(reason, reasons[i].reason))
			return reasons[i].text;
	return reason;
}

void explain_print(const json_t *packet, FILE *stream)
{
	const json_t *by = json_object_get(packet, "taken_by"),
		     *described = json_object_get(packet, "packet");
	json_t *item;
	size_t i;

	fprintf(stream, "packet %lld, %lld bytes", number_of(packet, "number"),
		number_of(packet, "bytes"));
	if (number_of(packet, "wire_bytes") != number_of(packet, "bytes"))
		fprintf(stream, " of %lld", number_of(packet, "wire_bytes"));
	if (json_is_object(described)) {
		fprintf(stream, ": ");
		print_packet(described, stream);
	}
	fputc('\n', stream);
	if (!by) {
		fprintf(stream, "  taken by none: %s\n  verdict: passed\n",
			reason_text(text(packet, "not_taken")));
		return;
	}
	fprintf(stream, "  taken by trigger %s of %s: %s\n", text(by, "trigger"),
		text(by, "workflow"), text(by, "condition"));
	json_array_foreach (json_object_get(packet, "passed_over"), i, item)
		fprintf(stream, "    before trigger %s of %s: %s%s\n", text(item, "trigger"),
			text(item, "workflow"), text(item, "condition"),
			number_of(item, "priority") == number_of(by, "priority")
				? ""
				: " (another priority)");
	json_array_foreach (json_object_get(packet, "functions"), i, item)
		print_function(item, stream);
	json_array_foreach (json_object_get(packet, "events"), i, item)
		print_event(item, stream);
	if (json_object_size(json_object_get(packet, "lost"))) {
		fprintf(stream, "  events lost: ");
		btf_print_line(json_object_get(packet, "lost"), stream);
		fputc('\n', stream);
	}
	fprintf(stream, "  verdict: %s (%s)\n", text(packet, "verdict"), text(packet, "why"));
}
