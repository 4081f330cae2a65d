// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The workflow that the rig's worker runs. */
#include <netinet/in.h>
#include <stdio.h>

#include "worker_rig.h"

static void add_param(struct bundle_function *function, const char *name, uint64_t value)
{
	struct bundle_param *param = &function->params[function->param_count++];

	(void)snprintf(param->name, sizeof(param->name), "%s", name);
	param->type = PARAM_U64;
	param->integer = (int64_t)value;
	(void)snprintf(param->text, sizeof(param->text), "%llu", (unsigned long long)value);
}

static void add_field(struct bundle_output *output, const char *name, enum faas_field_type type)
{
	struct bundle_field *field = &output->fields[output->field_count++];

	(void)snprintf(field->name, sizeof(field->name), "%s", name);
	field->type = type;
}

static struct bundle_output *add_output(struct bundle_function *function, const char *name,
					uint32_t origin)
{
	struct bundle_output *output = &function->outputs[function->output_count++];

	(void)snprintf(output->name, sizeof(output->name), "%s", name);
	output->origin = origin;
	return output;
}

static void add_target(struct bundle_output *output, enum bundle_target_kind kind, uint32_t index)
{
	output->targets[output->target_count++] =
		(struct bundle_target){.kind = kind, .index = index, .entry = UINT32_MAX};
}

static struct bundle_function *add_user(struct bundle *bundle, const char *name,
					const struct rig_options *options)
{
	struct bundle_function *function = &bundle->user[bundle->user_count++];

	(void)snprintf(function->instance, sizeof(function->instance), "%s", name);
	(void)snprintf(function->function, sizeof(function->function), "%s", name);
	(void)snprintf(function->file, sizeof(function->file), "user/%s.so", name);
	function->state_keys = options->state_keys;
	function->state_version = 1;
	function->timeout_ns = BUNDLE_TIMEOUT_DEFAULT_NS;
	function->has_state = !options->no_state;
	if (function->has_state)
		function->state_mode = options->durable ? STATE_DURABLE : STATE_MEMORY;
	function->key[function->key_count++] = KEY_SOURCE_ADDRESS;
	return function;
}

/* In the place of counter. */
static void add_alarm(struct bundle *bundle, const struct rig_options *options)
{
	struct bundle_function *alarm = add_user(bundle, "alarm", options);
	struct bundle_output *output;

	if (options->cxx)
		(void)snprintf(alarm->function, sizeof(alarm->function), "alarm_cxx");
	alarm->state_bytes = 44;
	alarm->has_timer = true;
	add_param(alarm, "after", options->after_ns);
	add_param(alarm, "again", options->again);
	add_param(alarm, "fail_key", options->fail_key);
	add_param(alarm, "crash_key", options->crash_key);
	add_param(alarm, "disarm", options->disarm);
	add_param(alarm, "lines", options->lines);
	add_param(alarm, "verdicts", options->verdicts);
	bundle->kernel[0].map_count = 1;
	(void)snprintf(bundle->kernel[0].maps[0].map, FAAS_IDENTIFIER_BYTES, "shut");
	bundle->kernel[0].maps[0].takes_verdicts = true;
	alarm->verdict_count = 2;
	(void)snprintf(alarm->verdicts[0].name, FAAS_IDENTIFIER_BYTES, "first");
	(void)snprintf(alarm->verdicts[1].name, FAAS_IDENTIFIER_BYTES, "second");
	alarm->verdicts[1].kernel = BUNDLE_NO_FUNCTION;
	output = add_output(alarm, "fired", 4);
	add_field(output, "fires", FAAS_FIELD_U64);
	add_target(output, TARGET_SINK, 0);
}

/* In the place of counter. */
static void add_decoder(struct bundle *bundle, const struct rig_options *options)
{
	struct bundle_function *decoder = add_user(bundle, "decoder", options);
	struct bundle_output *output;

	decoder->has_batch = true;
	decoder->has_state = false;
	add_param(decoder, "fail_every", options->fail_every);
	add_param(decoder, "refuse_every", options->refuse_every);
	add_param(decoder, "crash_at", options->crash_at);
	(void)snprintf(decoder->inputs[decoder->input_count++], FAAS_IDENTIFIER_BYTES, "number");
	output = add_output(decoder, "decoded", RIG_ORIGIN_DECODER);
	add_field(output, "number", FAAS_FIELD_U64);
	add_field(output, "together", FAAS_FIELD_U64);
	add_target(output, TARGET_SINK, 0);
}

static void add_timer(struct bundle *bundle, uint64_t every_ns)
{
	struct bundle_timer *timer = &bundle->timers[bundle->timer_count++];

	(void)snprintf(timer->name, sizeof(timer->name), "minute");
	timer->id = bundle_trigger_id(timer->name);
	timer->every_ns = every_ns;
}

static void add_sinks(struct bundle *bundle)
{
	bundle->sink_count = 2;
	for (uint32_t i = 0; i < 2; i++) {
		struct bundle_sink *sink = &bundle->sinks[i];

		(void)snprintf(sink->name, sizeof(sink->name), i ? "second" : "archive");
		sink->kind = SINK_FILE;
		(void)snprintf(sink->path, sizeof(sink->path), "/nonexistent/%u.jsonl", i);
	}
}

/* trigger -> source (kernel) -> [counter -> [relay ->]] archive, and source ->
 * archive directly. */
void rig_make_bundle(struct bundle *bundle, const struct rig_options *options)
{
	struct bundle_trigger *trigger = &bundle->triggers[0];
	struct bundle_function *source = &bundle->kernel[0];
	struct bundle_function *counter, *relay;
	struct bundle_output *output;

	(void)snprintf(bundle->name, sizeof(bundle->name), "rig");
	(void)snprintf(bundle->version, sizeof(bundle->version), "1");
	bundle->queue_events = FAAS_QUEUE_EVENTS_DEFAULT;
	bundle->worker_memory_bytes = FAAS_WORKER_MEMORY_DEFAULT;
	bundle->worker_class = options->worker_class;
	if (options->durable) {
		bundle->storage_bytes = FAAS_STORAGE_BYTES_MIN;
		bundle->storage_continue = options->adrift;
	}

	bundle->trigger_count = 1;
	(void)snprintf(trigger->name, sizeof(trigger->name), "packets");
	trigger->id = bundle_trigger_id(trigger->name);
	trigger->interface_count = 1;
	(void)snprintf(trigger->interfaces[0], sizeof(trigger->interfaces[0]), "eth0");
	trigger->match = (struct bundle_match){
		.has_protocol = true,
		.ip_protocol = IPPROTO_UDP,
		.destination_ranges = {{5005, 5005}},
		.destination_range_count = 1,
	};
	trigger->target_count = 1;
	trigger->targets[0] =
		(struct bundle_target){.kind = TARGET_KERNEL, .entry = BUNDLE_NO_ENTRY};

	bundle->kernel_count = 1;
	(void)snprintf(source->instance, sizeof(source->instance), "source");
	(void)snprintf(source->function, sizeof(source->function), "source");
	output = add_output(source, "out", 0);
	add_target(output, TARGET_USER, 0);
	output->targets[0].entry = 0;
	add_target(output, TARGET_SINK, 0);
	output->targets[1].entry = RIG_ENTRY_SINK;
	bundle->kernel_field_count = 1;
	(void)snprintf(bundle->kernel_fields[0].field.name, FAAS_IDENTIFIER_BYTES, "number");

	bundle->entry_count = 2;
	for (uint32_t i = 0; i < 2; i++) {
		struct bundle_entry *entry = &bundle->entries[i];

		entry->kind = i == RIG_ENTRY_SINK ? TARGET_SINK : TARGET_USER;
		entry->key[entry->key_count++] = KEY_SOURCE_ADDRESS;
		entry->key_bytes = 16;
		entry->payload_bytes_max = FAAS_EVENT_PAYLOAD_MAX;
	}

	if (options->decoder) {
		add_decoder(bundle, options);
		add_sinks(bundle);
		return;
	}
	if (options->alarm) {
		add_alarm(bundle, options);
		if (options->every_ns)
			add_timer(bundle, options->every_ns);
		add_sinks(bundle);
		return;
	}
	counter = add_user(bundle, "counter", options);
	counter->state_bytes = 24;
	add_param(counter, "every", options->every);
	add_param(counter, "copies", options->copies);
	add_param(counter, "fail_every", options->fail_every);
	add_param(counter, "crash_at", options->crash_at);
	add_param(counter, "spin", options->spin);
	(void)snprintf(counter->inputs[counter->input_count++], FAAS_IDENTIFIER_BYTES, "number");
	output = add_output(counter, "total", 1);
	add_field(output, "count", FAAS_FIELD_U64);
	add_field(output, "number", FAAS_FIELD_U64);
	if (options->user_count == 2)
		add_target(output, TARGET_USER, 1);
	if (!options->no_sinks)
		add_target(output, TARGET_SINK, 0);
	(void)add_output(counter, "raw", 2);

	if (options->user_count == 2) {
		relay = add_user(bundle, "relay", options);
		relay->state_bytes = 8;
		output = add_output(relay, "seen", 3);
		add_field(output, "relayed", FAAS_FIELD_U64);
		add_field(output, "half", FAAS_FIELD_F64);
		add_field(output, "origin", FAAS_FIELD_U64);
		add_target(output, TARGET_SINK, 1);
		(void)snprintf(relay->inputs[relay->input_count++], FAAS_IDENTIFIER_BYTES, "count");
		(void)snprintf(relay->inputs[relay->input_count++], FAAS_IDENTIFIER_BYTES,
			       "number");
	}
	add_sinks(bundle);
}
