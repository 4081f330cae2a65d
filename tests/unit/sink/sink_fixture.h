/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A workflow and its events, for the tests of this directory. */
#ifndef TESTS_UNIT_SINK_FIXTURE_H
#define TESTS_UNIT_SINK_FIXTURE_H

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "bundle.h"
#include "event_check.h"

/*
 * plausible (kernel, origin 0 "outside" with value; origin 3 "odd" of a second
 * kernel function with value and code) -> trend (user, origin 1 "anomaly" with
 * four fields, one of each type; origin 2 "quiet" without). Entries: 0 keyed by
 * source address, 1 by source address and port and protocol, 2 without a key,
 * from the trigger.
 */
enum { ORIGIN_OUTSIDE = 0, ORIGIN_ANOMALY = 1, ORIGIN_QUIET = 2, ORIGIN_ODD = 3 };

static inline struct bundle *fixture_bundle(void)
{
	struct bundle *bundle = calloc(1, sizeof(*bundle));
	struct bundle_function *trend = &bundle->user[0];
	static const char *const names[] = {"count", "change", "mean", "value"};
	static const enum faas_field_type types[] = {FAAS_FIELD_U64, FAAS_FIELD_S64, FAAS_FIELD_F64,
						     FAAS_FIELD_DECIMAL};

	strcpy(bundle->name, "vibration-watch");
	bundle->trigger_count = 1;
	strcpy(bundle->triggers[0].name, "sensors");
	bundle->triggers[0].id = 1;
	bundle->kernel_count = 2;
	strcpy(bundle->kernel[0].instance, "plausible");
	bundle->kernel[0].output_count = 1;
	strcpy(bundle->kernel[0].outputs[0].name, "outside");
	bundle->kernel[0].outputs[0].origin = ORIGIN_OUTSIDE;
	strcpy(bundle->kernel[1].instance, "checked");
	bundle->kernel[1].output_count = 1;
	strcpy(bundle->kernel[1].outputs[0].name, "odd");
	bundle->kernel[1].outputs[0].origin = ORIGIN_ODD;
	bundle->kernel_field_count = 3;
	strcpy(bundle->kernel_fields[0].field.name, "value");
	bundle->kernel_fields[0].field.type = FAAS_FIELD_DECIMAL;
	strcpy(bundle->kernel_fields[1].field.name, "code");
	bundle->kernel_fields[1].field.type = FAAS_FIELD_U64;
	bundle->kernel_fields[2].kernel_function = 1;
	strcpy(bundle->kernel_fields[2].field.name, "value");
	bundle->kernel_fields[2].field.type = FAAS_FIELD_S64;
	bundle->user_count = 1;
	strcpy(trend->instance, "trend");
	trend->output_count = 2;
	strcpy(trend->outputs[0].name, "anomaly");
	trend->outputs[0].origin = ORIGIN_ANOMALY;
	trend->outputs[0].field_count = 4;
	for (int i = 0; i < 4; i++) {
		strcpy(trend->outputs[0].fields[i].name, names[i]);
		trend->outputs[0].fields[i].type = types[i];
	}
	strcpy(trend->outputs[1].name, "quiet");
	trend->outputs[1].origin = ORIGIN_QUIET;
	bundle->entry_count = 3;
	bundle->entries[0].key[0] = KEY_SOURCE_ADDRESS;
	bundle->entries[0].key_count = 1;
	bundle->entries[1].key[0] = KEY_SOURCE_ADDRESS;
	bundle->entries[1].key[1] = KEY_SOURCE_PORT;
	bundle->entries[1].key[2] = KEY_PROTOCOL;
	bundle->entries[1].key_count = 3;
	bundle->entries[2].kernel_function = BUNDLE_FROM_TRIGGER;
	return bundle;
}

union fixture_event {
	struct faas_event event;
	uint64_t align[(FAAS_EVENT_BYTES_MAX + 4096) / 8];
	uint8_t bytes[FAAS_EVENT_BYTES_MAX + 4096];
};

static inline void fixture_set_address(uint8_t *at, const char *text)
{
	if (strchr(text, ':')) {
		inet_pton(AF_INET6, text, at);
		return;
	}
	memset(at, 0, 10);
	at[10] = at[11] = 0xff;
	inet_pton(AF_INET, text, at + 12);
}

/* An event of entry 0: key is the source address. */
static inline void fixture_event(union fixture_event *event, uint16_t origin,
				 const uint64_t *fields, uint8_t field_count, const char *payload)
{
	uint8_t *key = event->bytes + FAAS_EVENT_KEY_OFFSET;

	memset(event, 0, sizeof(*event));
	event->event = (struct faas_event){
		.time_ns = 1000000001,
		.generation = 1,
		.origin = origin,
		.trigger = 1,
		.interface_index = 3,
		.source_port = 4242,
		.destination_port = 5005,
		.ip_version = 4,
		.ip_protocol = 17,
		.key_bytes = 16,
		.field_count = field_count,
		.fields_present = (1u << field_count) - 1,
		.payload_bytes = (uint16_t)strlen(payload),
	};
	fixture_set_address(event->bytes + 64, "10.20.0.7");
	fixture_set_address(event->bytes + 80, "10.20.0.1");
	memcpy(key, event->bytes + 64, 16);
	if (field_count)
		memcpy(key + 16, fields, 8u * field_count);
	memcpy(key + 16 + 8u * field_count, payload, strlen(payload));
}

#endif
