// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/sink/encode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "event_check.h"
#include "userspace/sink/text.h"

struct origin {
	bool known;
	bool user;
	uint8_t function; /* index in kernel or user */
	char output[FAAS_IDENTIFIER_BYTES];
	struct bundle_field *fields; /* owned; user functions */
	uint32_t field_count;
};

/* A courier has one of each workflow, also of those with nothing to do: all lists are of
 * their length, and owned. */
struct encoder {
	char workflow[FAAS_NAME_BYTES];
	char (*kernel)[FAAS_NAME_BYTES];
	char (*user)[FAAS_NAME_BYTES];
	uint32_t user_count;
	struct trigger_name {
		uint32_t id;
		char name[FAAS_NAME_BYTES];
	} * triggers;
	uint32_t trigger_count;
	struct bundle_kernel_field *kernel_fields;
	uint32_t kernel_field_count;
	struct key_shape {
		enum bundle_key_part parts[FAAS_KEY_PARTS_MAX];
		uint32_t count;
		uint32_t bytes;
	} * keys;
	uint32_t key_count;
	struct origin *origins;
	uint32_t origin_count;
};

/* Origins are numbers below the one returned. */
static uint32_t count_origins(const struct bundle *bundle)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < bundle->kernel_count + bundle->user_count; i++) {
		const struct bundle_function *function =
			i < bundle->kernel_count ? &bundle->kernel[i]
						 : &bundle->user[i - bundle->kernel_count];

		for (uint32_t k = 0; k < function->output_count; k++)
			if (function->outputs[k].origin >= count)
				count = function->outputs[k].origin + 1;
	}
	return count < FAAS_ORIGINS_MAX ? count : FAAS_ORIGINS_MAX;
}

static bool make_lists(struct encoder *encoder, const struct bundle *bundle)
{
	encoder->user_count = bundle->user_count;
	encoder->trigger_count = bundle->trigger_count;
	encoder->kernel_field_count = bundle->kernel_field_count;
	encoder->key_count = bundle->entry_count;
	encoder->origin_count = count_origins(bundle);
	/* One more of each: none is of no length. */
	encoder->kernel = calloc(bundle->kernel_count + 1, sizeof(*encoder->kernel));
	encoder->user = calloc(encoder->user_count + 1, sizeof(*encoder->user));
	encoder->triggers = calloc(encoder->trigger_count + 1, sizeof(*encoder->triggers));
	encoder->kernel_fields =
		calloc(encoder->kernel_field_count + 1, sizeof(*encoder->kernel_fields));
	encoder->keys = calloc(encoder->key_count + 1, sizeof(*encoder->keys));
	encoder->origins = calloc(encoder->origin_count + 1, sizeof(*encoder->origins));
	return encoder->kernel && encoder->user && encoder->triggers && encoder->kernel_fields &&
	       encoder->keys && encoder->origins;
}

static bool take_fields(struct origin *origin, const struct bundle_output *output)
{
	free(origin->fields);
	origin->field_count = output->field_count;
	origin->fields = calloc(output->field_count + 1, sizeof(*origin->fields));
	if (!origin->fields)
		return false;
	memcpy(origin->fields, output->fields, output->field_count * sizeof(*origin->fields));
	return true;
}

static bool take_outputs(struct encoder *encoder, const struct bundle_function *function, bool user,
			 uint32_t index)
{
	for (uint32_t i = 0; i < function->output_count; i++) {
		const struct bundle_output *output = &function->outputs[i];
		struct origin *origin;

		if (output->origin >= encoder->origin_count)
			continue;
		origin = &encoder->origins[output->origin];
		origin->known = true;
		origin->user = user;
		origin->function = (uint8_t)index;
		memcpy(origin->output, output->name, sizeof(origin->output));
		if (!take_fields(origin, output))
			return false;
	}
	return true;
}

struct encoder *encoder_new(const struct bundle *bundle)
{
	struct encoder *encoder = calloc(1, sizeof(*encoder));
	bool is_whole = true;

	if (!encoder || !make_lists(encoder, bundle)) {
		encoder_free(encoder);
		return NULL;
	}
	memcpy(encoder->workflow, bundle->name, sizeof(encoder->workflow));
	for (uint32_t i = 0; i < bundle->kernel_count; i++) {
		memcpy(encoder->kernel[i], bundle->kernel[i].instance, FAAS_NAME_BYTES);
		is_whole &= take_outputs(encoder, &bundle->kernel[i], false, i);
	}
	for (uint32_t i = 0; i < bundle->user_count; i++) {
		memcpy(encoder->user[i], bundle->user[i].instance, FAAS_NAME_BYTES);
		is_whole &= take_outputs(encoder, &bundle->user[i], true, i);
	}
	for (uint32_t i = 0; i < bundle->trigger_count; i++) {
		encoder->triggers[i].id = bundle->triggers[i].id;
		memcpy(encoder->triggers[i].name, bundle->triggers[i].name, FAAS_NAME_BYTES);
	}
	memcpy(encoder->kernel_fields, bundle->kernel_fields,
	       encoder->kernel_field_count * sizeof(*encoder->kernel_fields));
	for (uint32_t i = 0; i < bundle->entry_count; i++) {
		struct key_shape *key = &encoder->keys[i];

		memcpy(key->parts, bundle->entries[i].key, sizeof(key->parts));
		key->count = bundle->entries[i].key_count;
		for (uint32_t k = 0; k < key->count; k++)
			key->bytes += bundle_key_part_bytes(key->parts[k]);
	}
	if (is_whole)
		return encoder;
	encoder_free(encoder);
	return NULL;
}

void encoder_free(struct encoder *encoder)
{
	if (!encoder)
		return;
	free(encoder->kernel);
	free(encoder->user);
	free(encoder->triggers);
	free(encoder->kernel_fields);
	free(encoder->keys);
	for (uint32_t i = 0; encoder->origins && i < encoder->origin_count; i++)
		free(encoder->origins[i].fields);
	free(encoder->origins);
	free(encoder);
}

static void put_member(struct text *text, const char *name)
{
	text_put(text, ",", 1);
	text_json_string(text, name);
	text_put(text, ":", 1);
}

static void put_id(struct text *text, const struct encode_id *id)
{
	text_string(text, "{\"id\":\"");
	text_hex_number(text, id->log_id, 16);
	text_put(text, "-", 1);
	text_unsigned(text, id->incarnation);
	text_put(text, "-", 1);
	text_unsigned(text, id->sequence);
	text_put(text, "-", 1);
	text_unsigned(text, id->output);
	text_put(text, "\"", 1);
}

static void put_time(struct text *text, uint64_t wall_ns)
{
	put_member(text, "time");
	text_put(text, "\"", 1);
	text_time(text, wall_ns);
	text_put(text, "\"", 1);
}

static void put_key_part(struct text *text, enum bundle_key_part part, const uint8_t *at)
{
	switch (part) {
	case KEY_SOURCE_ADDRESS:
	case KEY_DESTINATION_ADDRESS:
		text_address(text, at);
		break;
	case KEY_SOURCE_PORT:
	case KEY_DESTINATION_PORT:
	case KEY_VLAN:
		text_unsigned(text, (uint64_t)at[0] << 8 | at[1]);
		break;
	case KEY_PROTOCOL:
		text_unsigned(text, at[0]);
		break;
	}
}

static void put_key(struct text *text, const struct encoder *encoder,
		    const struct faas_event *event)
{
	const uint8_t *at = (const uint8_t *)event + FAAS_EVENT_KEY_OFFSET;
	const struct key_shape *key = NULL;

	if (!event->key_bytes)
		return;
	put_member(text, "key");
	text_put(text, "\"", 1);
	if (event->entry < encoder->key_count)
		key = &encoder->keys[event->entry];
	if (!key || key->bytes != event->key_bytes) {
		text_hex(text, at, event->key_bytes);
	} else {
		for (uint32_t i = 0; i < key->count; i++) {
			if (i)
				text_put(text, ",", 1);
			put_key_part(text, key->parts[i], at);
			at += bundle_key_part_bytes(key->parts[i]);
		}
	}
	text_put(text, "\"", 1);
}

static void put_field(struct text *text, bool first, const struct bundle_field *field,
		      uint64_t value)
{
	double real;

	if (!first)
		text_put(text, ",", 1);
	text_json_string(text, field->name);
	text_put(text, ":", 1);
	switch (field->type) {
	case FAAS_FIELD_U64:
		text_unsigned(text, value);
		break;
	case FAAS_FIELD_S64:
		text_signed(text, (int64_t)value);
		break;
	case FAAS_FIELD_DECIMAL:
		text_decimal(text, (int64_t)value);
		break;
	case FAAS_FIELD_F64:
		memcpy(&real, &value, sizeof(real));
		text_double(text, real);
		break;
	}
}

/* Of kernel fields of one name, that of the function nearest to the sink
 * counts: they are in topological order, so the last one that is present. */
static bool is_shadowed(const struct encoder *encoder, uint32_t present, uint32_t field)
{
	for (uint32_t i = field + 1; i < encoder->kernel_field_count; i++)
		if (present >> i & 1 && !strcmp(encoder->kernel_fields[i].field.name,
						encoder->kernel_fields[field].field.name))
			return true;
	return false;
}

/* Returns how many there are. */
static uint32_t put_fields(struct text *text, const struct encoder *encoder,
			   const struct origin *origin, const struct faas_event *event)
{
	const uint64_t *values = (const uint64_t *)((const uint8_t *)event + FAAS_EVENT_KEY_OFFSET +
						    FAAS_ALIGN8(event->key_bytes));
	bool user = origin && origin->user;
	uint32_t declared = user ? origin->field_count : encoder->kernel_field_count;
	uint32_t count = 0;

	for (uint32_t i = 0; i < declared && i < event->field_count; i++) {
		const struct bundle_field *field =
			user ? &origin->fields[i] : &encoder->kernel_fields[i].field;

		if (!(event->fields_present >> i & 1))
			continue;
		if (!user && is_shadowed(encoder, event->fields_present, i))
			continue;
		if (!count) {
			put_member(text, "fields");
			text_put(text, "{", 1);
		}
		put_field(text, !count, field, values[i]);
		count++;
	}
	if (count)
		text_put(text, "}", 1);
	return count;
}

static void put_payload(struct text *text, const struct faas_event *event)
{
	const uint8_t *payload = (const uint8_t *)event + FAAS_EVENT_KEY_OFFSET +
				 FAAS_ALIGN8(event->key_bytes) + (size_t)8 * event->field_count;

	if (!event->payload_bytes)
		return;
	put_member(text, "payload");
	text_put(text, "\"", 1);
	text_hex(text, payload, event->payload_bytes);
	text_put(text, "\"", 1);
	if (event->flags & FAAS_EVENT_PAYLOAD_CUT)
		text_string(text, ",\"payload_cut\":true");
}

static int put_origin(struct text *text, const struct encoder *encoder, const struct origin *origin,
		      uint32_t trigger)
{
	if (origin) {
		put_member(text, "function");
		text_json_string(text, origin->user ? encoder->user[origin->function]
						    : encoder->kernel[origin->function]);
		put_member(text, "output");
		text_json_string(text, origin->output);
		return 0;
	}
	for (uint32_t i = 0; i < encoder->trigger_count; i++) {
		if (encoder->triggers[i].id == trigger) {
			put_member(text, "trigger");
			text_json_string(text, encoder->triggers[i].name);
			return 0;
		}
	}
	return -EBADMSG;
}

static void put_endpoints(struct text *text, const struct faas_event *event)
{
	const uint8_t *addresses = (const uint8_t *)event + FAAS_EVENT_HEADER_BYTES;

	put_member(text, "source");
	text_put(text, "\"", 1);
	text_endpoint(text, addresses, event->source_port);
	text_put(text, "\"", 1);
	put_member(text, "destination");
	text_put(text, "\"", 1);
	text_endpoint(text, addresses + FAAS_EVENT_ADDRESS_BYTES, event->destination_port);
	text_put(text, "\"", 1);
}

int encode_output(const struct encoder *encoder, const struct encode_id *id, const void *data,
		  uint32_t bytes, int64_t wall_offset_ns, char *line)
{
	struct text text = {.data = line, .room = ENCODE_LINE_BYTES_MAX};
	const struct faas_event *event = data;
	const struct origin *origin = NULL;

	if (!event_check(event, bytes))
		return -EBADMSG;
	if (event->origin != FAAS_ORIGIN_TRIGGER) {
		if (event->origin >= encoder->origin_count ||
		    !encoder->origins[event->origin].known)
			return -EBADMSG;
		origin = &encoder->origins[event->origin];
	}
	put_id(&text, id);
	/* The sum wraps when the event's time does not make sense. */
	put_time(&text, event->time_ns + (uint64_t)wall_offset_ns);
	put_member(&text, "workflow");
	text_json_string(&text, encoder->workflow);
	if (put_origin(&text, encoder, origin, event->trigger))
		return -EBADMSG;
	put_key(&text, encoder, event);
	/* A timer has none; every packet came in somewhere. */
	if (event->interface_index)
		put_endpoints(&text, event);
	put_member(&text, "generation");
	text_unsigned(&text, event->generation);
	if (!put_fields(&text, encoder, origin, event))
		put_payload(&text, event);
	text_put(&text, "}", 1);
	return text.overrun ? -EBADMSG : (int)text.used;
}

int encode_dead(const struct encoder *encoder, const struct encode_id *id,
		const struct log_entry *entry, const void *data, uint64_t wall_ns, char *line)
{
	static const char *const reasons[] = {
		[LOG_DEAD_ERROR] = "error",	      [LOG_DEAD_POISON] = "crash",
		[LOG_DEAD_STATE] = "state",	      [LOG_DEAD_INVALID] = "invalid",
		[LOG_DEAD_LIMIT] = "limit",	      [LOG_DEAD_TIMEOUT] = "timeout",
		[LOG_DEAD_QUARANTINE] = "quarantine", [LOG_DEAD_VERSION] = "version",
	};
	struct text text = {.data = line, .room = ENCODE_LINE_BYTES_MAX};
	bool known = entry->reason < sizeof(reasons) / sizeof(reasons[0]) && reasons[entry->reason];
	uint32_t bytes = entry->bytes < FAAS_EVENT_BYTES_MAX ? entry->bytes : FAAS_EVENT_BYTES_MAX;

	put_id(&text, id);
	put_time(&text, wall_ns);
	put_member(&text, "workflow");
	text_json_string(&text, encoder->workflow);
	put_member(&text, "reason");
	text_json_string(&text, known ? reasons[entry->reason] : "unknown");
	put_member(&text, "attempts");
	text_unsigned(&text, entry->sinks);
	if (entry->function < encoder->user_count) {
		put_member(&text, "function");
		text_json_string(&text, encoder->user[entry->function]);
	}
	put_member(&text, "event");
	text_put(&text, "\"", 1);
	text_hex(&text, data, bytes);
	text_string(&text, "\"}");
	return text.overrun ? -EBADMSG : (int)text.used;
}
