// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The workflow of the simulation (what its events should come to is in model.c):
 *
 *	source (kernel) -> chain -> archive        total: each so many events, some copies
 *	                   chain -> relay -> second
 *	source (kernel) -> archive                 events that are only passed on
 *	                   chain -> idle           no event of its key for some time (a timer)
 *	                         -> idle           each key, again and again (a trigger of time)
 *	                   chain -> source         verdicts, into its map
 *
 * With batches, all that leads to chain goes through `decode` first.
 *
 * Each state is a chain over all events of its key: one that was applied twice,
 * not at all, or in another order shows in it and in all outputs behind it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ebpf_faas/user.h>

#include "sim.h"
#include "userspace/log/log.h"

/* Versions number them by turns. */
static uint16_t entry_of(uint32_t version, bool is_sink)
{
	return (version == 1) == is_sink;
}
enum { FIELD_NUMBER, FIELD_KIND, FIELDS };

#define RETRY_MIN_NS 1000000ull

struct bundle *sim_bundle;

static struct bundle *bundles[SIM_VERSIONS];

/* Functions are in the order in which events go through them. */
uint32_t workflow_function(enum sim_role role)
{
	uint32_t chain = sim_plan.batches ? 1 : 0;

	switch (role) {
	case ROLE_DECODE:
		return sim_plan.batches ? 0 : BUNDLE_NO_FUNCTION;
	case ROLE_CHAIN:
		return chain;
	case ROLE_RELAY:
		return sim_plan.function_count == 2 ? chain + 1 : BUNDLE_NO_FUNCTION;
	}
	return BUNDLE_NO_FUNCTION;
}

/* ---- the bundle ---- */

static void add_field(struct bundle_output *output, const char *name)
{
	struct bundle_field *field = &output->fields[output->field_count++];

	(void)snprintf(field->name, sizeof(field->name), "%s", name);
	field->type = FAAS_FIELD_U64;
}

static void add_target(struct bundle_output *output, enum bundle_target_kind kind, uint32_t index,
		       uint32_t entry)
{
	output->targets[output->target_count++] =
		(struct bundle_target){.kind = kind, .index = index, .entry = entry};
}

static struct bundle_output *add_output(struct bundle_function *function, const char *name,
					uint32_t origin)
{
	struct bundle_output *output = &function->outputs[function->output_count++];

	(void)snprintf(output->name, sizeof(output->name), "%s", name);
	output->origin = origin;
	return output;
}

static struct bundle_function *add_function(struct bundle *bundle, const char *name)
{
	struct bundle_function *function = &bundle->user[bundle->user_count++];

	(void)snprintf(function->instance, sizeof(function->instance), "%s", name);
	(void)snprintf(function->function, sizeof(function->function), "%s", name);
	function->timeout_ns = BUNDLE_TIMEOUT_DEFAULT_NS;
	function->key[function->key_count++] = KEY_SOURCE_ADDRESS;
	return function;
}

static void add_state(struct bundle_function *function, uint32_t version)
{
	function->has_state = true;
	function->state_mode = sim_plan.durable ? STATE_DURABLE : STATE_MEMORY;
	function->state_keys = sim_plan.keys_max;
	function->state_version = version;
	function->state_bytes = workflow_state_bytes(version);
}

static void add_input(struct bundle_function *function, const char *name)
{
	(void)snprintf(function->inputs[function->input_count++], FAAS_IDENTIFIER_BYTES, "%s",
		       name);
}

static void add_idle(struct bundle_function *chain)
{
	struct bundle_output *output = add_output(chain, "idle", ORIGIN_IDLE);

	add_field(output, "count");
	add_field(output, "hash");
	add_field(output, "fired");
	add_target(output, TARGET_SINK, SIM_SINK_IDLE, BUNDLE_NO_ENTRY);
	chain->has_timer = sim_plan.timer_ns || sim_plan.sweep_ns;
	output = add_output(chain, "swept", ORIGIN_SWEPT);
	add_field(output, "count");
	add_field(output, "hash");
	add_field(output, "swept");
	add_target(output, TARGET_SINK, SIM_SINK_IDLE, BUNDLE_NO_ENTRY);
}

static void add_user_functions(struct bundle *bundle, uint32_t version)
{
	struct bundle_function *chain = add_function(bundle, "chain"), *relay;
	struct bundle_output *output = add_output(chain, "total", ORIGIN_TOTAL);

	add_state(chain, version);
	add_field(output, "count");
	add_field(output, "hash");
	add_field(output, "number");
	add_input(chain, "number");
	add_input(chain, "kind");
	add_target(output, TARGET_SINK, 0, BUNDLE_NO_ENTRY);
	add_idle(chain);
	if (sim_plan.verdict_room) {
		(void)snprintf(chain->verdicts[0].name, FAAS_IDENTIFIER_BYTES, "block");
		chain->verdict_count = 1;
	}
	if (sim_plan.function_count < 2)
		return;
	add_target(output, TARGET_USER, workflow_function(ROLE_RELAY), BUNDLE_NO_ENTRY);
	relay = add_function(bundle, "relay");
	add_state(relay, version);
	output = add_output(relay, "seen", ORIGIN_SEEN);
	add_field(output, "count");
	add_field(output, "hash");
	add_field(output, "number");
	add_input(relay, "count");
	add_input(relay, "number");
	add_input(relay, "kind");
	add_target(output, TARGET_SINK, 1, BUNDLE_NO_ENTRY);
}

static void add_decode(struct bundle *bundle)
{
	struct bundle_function *decode = add_function(bundle, "decode");
	struct bundle_output *output = add_output(decode, "decoded", ORIGIN_DECODED);

	decode->has_batch = true;
	add_field(output, "number");
	add_field(output, "kind");
	add_input(decode, "number");
	add_input(decode, "kind");
	add_target(output, TARGET_USER, workflow_function(ROLE_CHAIN), BUNDLE_NO_ENTRY);
}

static void make_bundle(struct bundle *bundle, uint32_t version)
{
	static const char *const fields[FIELDS] = {"number", "kind"};
	struct bundle_function *source = &bundle->kernel[0];
	struct bundle_output *output;

	/* What was written, not all of it: it is large. */
	memset(bundle->user, 0, SIM_FUNCTIONS_MAX * sizeof(bundle->user[0]));
	memset(source, 0, sizeof(*source));
	memset(bundle->entries, 0, 2 * sizeof(bundle->entries[0]));
	bundle->user_count = 0;
	(void)snprintf(bundle->name, sizeof(bundle->name), "simulated");
	(void)snprintf(bundle->version, sizeof(bundle->version), "%u", version);
	bundle->queue_events = FAAS_QUEUE_EVENTS_DEFAULT;
	bundle->worker_memory_bytes = FAAS_WORKER_MEMORY_DEFAULT;
	bundle->worker_class = sim_plan.worker_class;
	bundle->storage_continue = sim_plan.drifts;
	bundle->retry_attempts = sim_plan.retry;
	bundle->retry_backoff_min_ns = RETRY_MIN_NS;
	bundle->retry_backoff_max_ns = 2 * RETRY_MIN_NS;
	bundle->trigger_count = 1;
	(void)snprintf(bundle->triggers[0].name, sizeof(bundle->triggers[0].name), "packets");
	bundle->triggers[0].id = 1;
	bundle->timer_count = sim_plan.sweep_ns != 0;
	bundle->timers[0] = (struct bundle_timer){
		.name = "sweep",
		.id = SIM_SWEEP_ID,
		.every_ns = sim_plan.sweep_ns,
		.function = workflow_function(ROLE_CHAIN),
	};

	bundle->kernel_count = 1;
	(void)snprintf(source->instance, sizeof(source->instance), "source");
	output = add_output(source, "out", ORIGIN_OUT);
	add_target(output, TARGET_USER, 0, entry_of(version, false));
	add_target(output, TARGET_SINK, 0, entry_of(version, true));
	bundle->kernel_field_count = FIELDS;
	for (uint32_t i = 0; i < FIELDS; i++)
		(void)snprintf(bundle->kernel_fields[i].field.name, FAAS_IDENTIFIER_BYTES, "%s",
			       fields[i]);
	bundle->entry_count = 2;
	for (uint32_t i = 0; i < 2; i++) {
		struct bundle_entry *entry = &bundle->entries[i];

		entry->kind = i == entry_of(version, true) ? TARGET_SINK : TARGET_USER;
		entry->key[entry->key_count++] = KEY_SOURCE_ADDRESS;
		entry->key_bytes = 16;
		entry->payload_bytes_max = FAAS_EVENT_PAYLOAD_MAX;
	}
	if (sim_plan.batches)
		add_decode(bundle);
	add_user_functions(bundle, version);
	bundle->sink_count = SIM_SINKS;
	for (uint32_t i = 0; i < SIM_SINKS; i++) {
		struct bundle_sink *sink = &bundle->sinks[i];

		(void)snprintf(sink->name, sizeof(sink->name), "sink%u", i);
		sink->kind = SINK_FILE;
		sink->rotate_bytes = sim_plan.rotate_bytes;
		sink->keep = SIM_SINK_KEEP;
		sinks_path(i, sink->path, sizeof(sink->path));
	}
}

void workflow_open(void)
{
	for (uint32_t i = 0; i < SIM_VERSIONS; i++) {
		bundles[i] = calloc(1, sizeof(*bundles[i]));
		if (!bundles[i])
			abort();
	}
}

const struct bundle *workflow_bundle(uint32_t version)
{
	return bundles[version - 1];
}

void workflow_use(uint32_t version)
{
	sim_bundle = bundles[version - 1];
}

void model_reset(void)
{
	memset(&sim_model, 0, offsetof(struct sim_model, letters));
}

void workflow_reset(void)
{
	for (uint32_t i = 0; i < SIM_VERSIONS; i++)
		make_bundle(bundles[i], i + 1);
	workflow_use(1);
	functions_reset();
	model_reset();
}

/* ---- events ---- */

void workflow_key(uint32_t key, uint8_t *to)
{
	memset(to, 0, 16);
	to[10] = to[11] = 0xff;
	to[12] = 10;
	to[13] = 20;
	to[15] = (uint8_t)(key + 1);
}

uint32_t workflow_event(const struct sim_event *event, void *to)
{
	uint8_t *bytes = to;
	struct faas_event *head = to;
	uint64_t fields[FIELDS] = {event->number, event->kind};

	memset(to, 0, FAAS_EVENT_BYTES(16, FIELDS, event->payload_bytes));
	*head = (struct faas_event){
		.time_ns = event->number, /* for finding it in a dead letter */
		.generation = 1,
		.key_hash = event->key,
		.fields_present = (1u << FIELDS) - 1,
		.entry = entry_of(sim_kernel.version, event->kind == KIND_FORWARDED),
		.trigger = 1,
		.shard = (uint16_t)event->key,
		.payload_bytes = (uint16_t)event->payload_bytes,
		.packet_payload_bytes = (uint16_t)event->payload_bytes,
		.ip_version = 4,
		.ip_protocol = 17,
		.key_bytes = event->kind == KIND_INVALID ? 200 : 16,
		.field_count = FIELDS,
	};
	workflow_key(event->key, bytes + FAAS_EVENT_HEADER_BYTES);
	workflow_key(event->key, bytes + FAAS_EVENT_KEY_OFFSET);
	memcpy(bytes + FAAS_EVENT_KEY_OFFSET + 16, fields, sizeof(fields));
	memset(bytes + FAAS_EVENT_KEY_OFFSET + 16 + sizeof(fields), (int)event->number & 0xff,
	       event->payload_bytes);
	return FAAS_EVENT_BYTES(16, FIELDS, event->payload_bytes);
}
