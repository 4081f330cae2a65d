// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The workflow of the simulation (what its events should come to is in model.c):
 *
 *	source (kernel) -> chain -> archive        total: each so many events, some copies
 *	                   chain -> relay -> second
 *	source (kernel) -> archive                 events that are only passed on
 *	                   chain -> idle           no event of its key for some time (a timer)
 *	                         -> idle           each key, again and again (a trigger of time)
 *
 * Each state is a chain over all events of its key: one that was applied twice,
 * not at all, or in another order shows in it and in all outputs behind it.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <ebpf_faas/user.h>

#include "sim.h"
#include "userspace/log/log.h"

enum { ENTRY_USER = 0, ENTRY_SINK = 1 };
enum { FIELD_NUMBER, FIELD_KIND, FIELDS };

#define BAD_SWEEPS_MAX 40
#define RETRY_MIN_NS 1000000ull
#define CRASHES_MAX 12

struct bundle *sim_bundle;
static uint32_t bad_sweeps; /* so far */
static uint32_t crashes;    /* of the call for the state of this hash, in a row */
static uint64_t crashed_hash;

static uint64_t mix(uint64_t value)
{
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ value >> 27) * 0x94d049bb133111ebull;
	return value ^ value >> 31;
}

static uint64_t chain_check(const struct sim_chain *chain)
{
	return chain->count ^ chain->sum ^ chain->hash ^ chain->due_ns ^ chain->fired << 32 ^
	       chain->swept << 48;
}

void workflow_advance(struct sim_chain *chain, uint64_t number)
{
	sim_step();
	chain->count++;
	sim_step();
	chain->sum += number;
	sim_step();
	chain->hash = mix(chain->hash + number);
	sim_step();
	chain->check = chain_check(chain);
}

/* ---- the functions, as a worker calls them ---- */

static unsigned int chain_total, chain_idle, chain_swept, chain_number, chain_kind;
static unsigned int relay_seen, relay_count, relay_number, relay_kind;
static const uint32_t state_bytes = sizeof(struct sim_chain);
static const uint32_t state_version = 1;

static void check_state(const struct sim_chain *state, const char *function)
{
	if (state->check != chain_check(state))
		sim_fail("%s was given a torn state", function);
}

enum sim_timer workflow_timer(uint64_t count)
{
	if (!sim_plan.timer_ns || count % 5 == 4)
		return TIMER_NONE;
	if (!sim_plan.timer_bad || mix(count) % sim_plan.timer_bad)
		return TIMER_FIRES;
	return count & 1 ? TIMER_FAILS : TIMER_CRASHES;
}

/* Move the key's timer, or disarm it: no matter whether it was armed. */
static void set_timer(struct faas_call *call, struct sim_chain *state)
{
	uint64_t after_ns = 0;

	if (!sim_plan.timer_ns)
		return;
	if (workflow_timer(state->count) != TIMER_NONE)
		after_ns = 1 + mix(state->hash) % sim_plan.timer_ns;
	state->due_ns = after_ns ? faas_now(call) + after_ns : 0;
	state->check = chain_check(state);
	if (faas_timer(call, after_ns))
		sim_fail("faas_timer refused");
}

/* What a call by the trigger of time comes to, for a key in this state. */
static enum sim_timer sweep_of(const struct sim_chain *chain)
{
	uint64_t number = mix(chain->count + 1000 * chain->swept);

	/* What is bad is so again the next time: it must come to rest. */
	if (!sim_plan.timer_bad || number % sim_plan.timer_bad || bad_sweeps++ >= BAD_SWEEPS_MAX)
		return TIMER_FIRES;
	return number >> 40 & 7 ? TIMER_FAILS : TIMER_CRASHES;
}

/* Three deaths put the call aside; those of other things come in between, not so often. */
static void count_crash(const struct sim_chain *state)
{
	struct page_counters counters;
	uint64_t hash;

	if (worker_page_read(sim_data(SIM_FD_WORKER_PAGE), &counters))
		return;
	/* One that was put aside crashes again in the next round. */
	hash = state->hash + counters.timers_dead;
	crashes = hash == crashed_hash ? crashes + 1 : 1;
	crashed_hash = hash;
	if (crashes > CRASHES_MAX)
		sim_fail("a call by the trigger of time has crashed %u times, and is not put "
			 "aside",
			 crashes);
}

static int chain_on_sweep(struct faas_call *call, struct sim_chain *state)
{
	struct faas_value values[3];

	switch (sweep_of(state)) {
	case TIMER_CRASHES:
		count_crash(state);
		sim_die(SIGSEGV);
	case TIMER_FAILS:
		state->hash++; /* must come to nothing */
		return -1;
	case TIMER_NONE:
	case TIMER_FIRES:
		break;
	}
	crashed_hash = 0;
	state->swept++;
	state->check = chain_check(state);
	values[0].u64 = state->count;
	values[1].u64 = state->hash;
	values[2].u64 = state->swept;
	if (faas_emit(call, chain_swept, values, 3))
		sim_fail("faas_emit refused an output");
	return 0;
}

static int chain_on_timer(struct faas_call *call, const struct faas_event *event, void *data)
{
	struct sim_chain *state = data;
	struct faas_value values[3];

	check_state(state, "the timer of chain");
	if (event->origin != FAAS_ORIGIN_TIMER)
		sim_fail("a timer's event says it is of origin %u", event->origin);
	if (event->trigger == SIM_SWEEP_ID)
		return chain_on_sweep(call, state);
	if (!state->due_ns)
		sim_fail("a timer fires that is not armed");
	if (state->due_ns > event->time_ns)
		sim_fail("a timer fires before its time");
	switch (workflow_timer(state->count)) {
	case TIMER_CRASHES:
		sim_die(SIGSEGV);
	case TIMER_FAILS:
		state->hash++; /* must come to nothing */
		return -1;
	case TIMER_NONE:
	case TIMER_FIRES:
		break;
	}
	state->due_ns = 0;
	state->fired++;
	state->check = chain_check(state);
	values[0].u64 = state->count;
	values[1].u64 = state->hash;
	values[2].u64 = state->fired;
	if (faas_emit(call, chain_idle, values, 3))
		sim_fail("faas_emit refused an output");
	return 0;
}

static int chain_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	struct sim_chain *state = data;
	int64_t number, kind;

	(void)event;
	check_state(state, "chain");
	if (faas_input_s64(call, chain_number, &number) || faas_input_s64(call, chain_kind, &kind))
		sim_fail("an event without its fields");
	workflow_advance(state, (uint64_t)number);
	if (kind == KIND_POISON)
		sim_die(SIGSEGV);
	set_timer(call, state);
	if ((uint64_t)number % sim_plan.every)
		return kind == KIND_FAILING;
	for (uint32_t i = 0; i < sim_plan.copies; i++) {
		const struct faas_value values[] = {
			{.u64 = state->count}, {.u64 = state->hash}, {.u64 = (uint64_t)number}};

		if (faas_emit(call, chain_total, values, 3))
			sim_fail("faas_emit refused an output");
	}
	return kind == KIND_FAILING;
}

static int relay_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	struct sim_chain *state = data;
	int64_t count, number, kind;
	struct faas_value values[3];

	(void)event;
	check_state(state, "relay");
	if (faas_input_s64(call, relay_number, &number) ||
	    faas_input_s64(call, relay_count, &count) || faas_input_s64(call, relay_kind, &kind))
		sim_fail("an output without its fields");
	workflow_advance(state, (uint64_t)(number + count));
	values[0].u64 = state->count;
	values[1].u64 = state->hash;
	values[2].s64 = number;
	if (faas_emit(call, relay_seen, values, 3))
		sim_fail("faas_emit refused an output");
	return kind == KIND_LATE_FAILING;
}

void *workflow_symbol(uint32_t function, const char *name)
{
	static const struct {
		uint32_t function;
		const char *name;
		const void *at;
	} symbols[] = {
		{0, "faas_on_event", (const void *)chain_on_event},
		{0, "faas_state_bytes", &state_bytes},
		{0, "faas_state_version", &state_version},
		{0, "faas_on_timer", (const void *)chain_on_timer},
		{0, "faas_output_total", &chain_total},
		{0, "faas_output_idle", &chain_idle},
		{0, "faas_output_swept", &chain_swept},
		{0, "faas_input_number", &chain_number},
		{0, "faas_input_kind", &chain_kind},
		{1, "faas_on_event", (const void *)relay_on_event},
		{1, "faas_state_bytes", &state_bytes},
		{1, "faas_state_version", &state_version},
		{1, "faas_output_seen", &relay_seen},
		{1, "faas_input_count", &relay_count},
		{1, "faas_input_number", &relay_number},
		{1, "faas_input_kind", &relay_kind},
	};

	for (unsigned int i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
		if (symbols[i].function == function && !strcmp(symbols[i].name, name))
			return (void *)(uintptr_t)symbols[i].at;
	return NULL;
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
	function->state_keys = sim_plan.keys_max;
	function->state_version = state_version;
	function->timeout_ns = BUNDLE_TIMEOUT_DEFAULT_NS;
	function->state_bytes = state_bytes;
	function->has_state = true;
	function->state_mode = sim_plan.durable ? STATE_DURABLE : STATE_MEMORY;
	function->key[function->key_count++] = KEY_SOURCE_ADDRESS;
	return function;
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

static void add_user_functions(struct bundle *bundle)
{
	struct bundle_function *chain = add_function(bundle, "chain"), *relay;
	struct bundle_output *output = add_output(chain, "total", ORIGIN_TOTAL);

	add_field(output, "count");
	add_field(output, "hash");
	add_field(output, "number");
	add_input(chain, "number");
	add_input(chain, "kind");
	add_target(output, TARGET_SINK, 0, BUNDLE_NO_ENTRY);
	add_idle(chain);
	if (sim_plan.function_count < 2)
		return;
	add_target(output, TARGET_USER, 1, BUNDLE_NO_ENTRY);
	relay = add_function(bundle, "relay");
	output = add_output(relay, "seen", ORIGIN_SEEN);
	add_field(output, "count");
	add_field(output, "hash");
	add_field(output, "number");
	add_input(relay, "count");
	add_input(relay, "number");
	add_input(relay, "kind");
	add_target(output, TARGET_SINK, 1, BUNDLE_NO_ENTRY);
}

static void make_bundle(struct bundle *bundle)
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
	(void)snprintf(bundle->version, sizeof(bundle->version), "1");
	bundle->queue_events = FAAS_QUEUE_EVENTS_DEFAULT;
	bundle->worker_memory_bytes = FAAS_WORKER_MEMORY_DEFAULT;
	bundle->worker_class = sim_plan.worker_class;
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
		.function = 0,
	};

	bundle->kernel_count = 1;
	(void)snprintf(source->instance, sizeof(source->instance), "source");
	output = add_output(source, "out", ORIGIN_OUT);
	add_target(output, TARGET_USER, 0, ENTRY_USER);
	add_target(output, TARGET_SINK, 0, ENTRY_SINK);
	bundle->kernel_field_count = FIELDS;
	for (uint32_t i = 0; i < FIELDS; i++)
		(void)snprintf(bundle->kernel_fields[i].field.name, FAAS_IDENTIFIER_BYTES, "%s",
			       fields[i]);
	bundle->entry_count = 2;
	for (uint32_t i = 0; i < 2; i++) {
		struct bundle_entry *entry = &bundle->entries[i];

		entry->kind = i == ENTRY_SINK ? TARGET_SINK : TARGET_USER;
		entry->key[entry->key_count++] = KEY_SOURCE_ADDRESS;
		entry->key_bytes = 16;
		entry->payload_bytes_max = FAAS_EVENT_PAYLOAD_MAX;
	}
	add_user_functions(bundle);
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

void workflow_reset(void)
{
	make_bundle(sim_bundle);
	bad_sweeps = 0;
	crashed_hash = 0;
	memset(&sim_model, 0, offsetof(struct sim_model, letters));
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
		.entry = event->kind == KIND_FORWARDED ? ENTRY_SINK : ENTRY_USER,
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
