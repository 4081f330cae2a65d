// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The short way of an event comes to the same as the long one: two workers get the same
 * events, one by each way, and after each the logs have the same bytes, the tables the same
 * states, and the counters the same numbers. What the function does is drawn by seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ebpf_faas/user.h>

#include "event_check.h"
#include "userspace/pool/worker.h"
#include "userspace/pool/worker_take.h"

#define SEEDS 40
#define EVENTS 300
#define KEYS 12
#define KEYS_MAX 8 /* of the table: for some there is no room */
#define OUTPUTS 6
#define EMITS 3
#define VALUE_BYTES_MAX 512
#define SEGMENTS 4
#define SEGMENT_BYTES (32 << 10)
#define TABLE_BYTES (64 << 10)

/* What the function does with an event. */
struct deed {
	int failed;
	uint32_t changed; /* so many bytes of the state */
	uint8_t with;	  /* are this */
	uint32_t emits;
	uint32_t outputs[EMITS];
	struct faas_value values[EMITS][FAAS_FIELDS_MAX];
};

/* A worker with all it needs of memory. */
struct side {
	struct worker *worker;
	void *table;
	uint8_t *log;
	struct worker_page *page;
	struct runtime_page *runtime;
};

static struct bundle *bundle;
static struct deed deed;
static uint8_t fields_of[OUTPUTS];
static uint32_t value_bytes;
static uint32_t key_bytes;

static uint32_t draw(uint32_t below)
{
	return (uint32_t)rand() % below;
}

static uint64_t no_time(void)
{
	return 1000;
}

static int act(struct faas_call *call, const struct faas_event *event, void *state)
{
	(void)event;
	memset(state, deed.with, deed.changed);
	for (uint32_t i = 0; i < deed.emits; i++)
		assert_int_equal(faas_emit(call, deed.outputs[i], deed.values[i],
					   fields_of[deed.outputs[i]]),
				 0);
	return deed.failed;
}

/* Behind the outputs that lead on. */
static int act_downstream(struct faas_call *call, const struct faas_event *event, void *state)
{
	(void)call;
	(void)event;
	(void)state;
	return 0;
}

static void *zeros(size_t bytes)
{
	void *memory = calloc(1, bytes);

	assert_non_null(memory);
	return memory;
}

static void set_outputs(struct worker_function *function)
{
	function->output_count = OUTPUTS;
	for (uint32_t i = 0; i < OUTPUTS; i++) {
		struct worker_output *output = &function->outputs[i];

		output->origin = (uint16_t)(11 + i);
		output->field_count = fields_of[i];
		/* 0: nowhere; 1: to a function; the others to sinks. */
		output->sinks = i ? 1u << i : 0;
		output->user_count = i == 1;
		output->users[0] = 1;
	}
	function->leads_on = true;
}

static void open_side(struct side *side)
{
	const struct state_shape shape = {KEYS_MAX, key_bytes, value_bytes, 1};
	struct worker_function *function;

	side->worker = zeros(sizeof(*side->worker));
	side->table = zeros(TABLE_BYTES);
	side->log = zeros(LOG_DATA_OFFSET + SEGMENTS * SEGMENT_BYTES);
	side->page = zeros(WORKER_PAGE_BYTES);
	side->runtime = zeros(RUNTIME_PAGE_BYTES);
	log_format(side->log, SEGMENTS, SEGMENT_BYTES, 77, 1, 1);
	assert_int_equal(log_writer_open(&side->worker->log, side->log,
					 LOG_DATA_OFFSET + SEGMENTS * SEGMENT_BYTES, 3, 0, 0, 0),
			 0);
	side->worker->bundle = bundle;
	side->worker->now_ns = no_time;
	side->worker->page = side->page;
	side->worker->runtime_page = side->runtime;
	side->worker->instance = 5;
	function = &side->worker->functions[0];
	function->has_state = true;
	function->on_event = act;
	function->copy = zeros(VALUE_BYTES_MAX + 8);
	assert_int_equal(state_open(&function->table, side->table, TABLE_BYTES, &shape, 4711), 0);
	set_outputs(function);
	side->worker->functions[1].number = 1;
	side->worker->functions[1].on_event = act_downstream;
}

static void close_side(struct side *side)
{
	free(side->worker->functions[0].copy);
	free(side->worker);
	free(side->table);
	free(side->log);
	free(side->page);
	free(side->runtime);
}

/* An event of one of the keys; all else of it is drawn. Returns its bytes. */
static uint32_t make_event(uint64_t *room)
{
	uint32_t payload_bytes = draw(3) ? draw(200) : 0, key = draw(KEYS);
	struct faas_event *event = (void *)room;
	uint8_t *bytes = (uint8_t *)room;

	for (size_t i = 0; i < FAAS_EVENT_BYTES_MAX; i++)
		bytes[i] = (uint8_t)rand();
	event->entry = 0;
	event->shard = (uint16_t)draw(256);
	event->field_count = (uint8_t)draw(4);
	event->fields_present = event->field_count ? 1 : 0;
	event->key_bytes = (uint8_t)key_bytes;
	event->payload_bytes = (uint16_t)payload_bytes;
	event->packet_payload_bytes = (uint16_t)(payload_bytes + (draw(2) ? 0 : 9));
	memset(bytes + FAAS_EVENT_KEY_OFFSET, 0, words_pad(key_bytes));
	memset(bytes + FAAS_EVENT_KEY_OFFSET, (int)key, key_bytes);
	return event_bytes(event);
}

static void draw_deed(void)
{
	deed.failed = !draw(20);
	deed.changed = draw(4) ? value_bytes : draw(value_bytes);
	deed.with = (uint8_t)rand();
	deed.emits = draw(3) ? 1 : draw(EMITS + 1);
	for (uint32_t i = 0; i < deed.emits; i++) {
		deed.outputs[i] = draw(2) ? 3 : draw(OUTPUTS);
		for (uint32_t f = 0; f < FAAS_FIELDS_MAX; f++)
			deed.values[i][f].u64 = (uint64_t)rand() << 32 | (uint64_t)rand();
	}
}

static int take_by(struct side *side, const uint64_t *event, uint32_t bytes, uint64_t number,
		   int (*way)(struct worker *worker, const struct worker_pending *pending))
{
	struct worker_pending pending = {.record = {event, bytes, 8 * number, 8 * number + 8}};

	worker_prepare(side->worker, &pending);
	assert_non_null(pending.entry);
	log_set_tail(&side->worker->log, side->worker->log.head);
	return way(side->worker, &pending);
}

static void compare(const struct side *plain, const struct side *full)
{
	const struct log_writer *left = &plain->worker->log, *right = &full->worker->log;

	assert_int_equal(left->head, right->head);
	assert_int_equal(left->sequence, right->sequence);
	assert_int_equal(left->rest, right->rest);
	assert_int_equal(left->place - left->data, right->place - right->data);
	assert_memory_equal(&plain->worker->live, &full->worker->live, sizeof(plain->worker->live));
	assert_memory_equal(plain->page, full->page, WORKER_PAGE_BYTES);
	assert_memory_equal(plain->table, full->table, TABLE_BYTES);
}

/* The bytes of the record between two positions: no more, for what stands behind it may be
 * of an event that was given up. */
static void compare_log(const struct side *plain, const struct side *full, uint64_t from)
{
	const struct log_writer *left = &plain->worker->log, *right = &full->worker->log;
	struct log_view views[2];
	static uint64_t copies[2][LOG_RECORD_BYTES_MAX / 8];
	uint64_t next[2];
	int64_t bytes[2];

	for (int i = 0; i < 2; i++) {
		assert_int_equal(log_view_open(i ? full->log : plain->log,
					       LOG_DATA_OFFSET + SEGMENTS * SEGMENT_BYTES,
					       &views[i]),
				 0);
		bytes[i] = log_read(&views[i], from, left->sequence, copies[i], sizeof(copies[i]),
				    &next[i]);
	}
	assert_true(bytes[0] > 0);
	assert_int_equal(bytes[0], bytes[1]);
	assert_memory_equal(copies[0], copies[1], (size_t)bytes[0]);
	assert_int_equal(next[0], left->head);
	assert_int_equal(next[1], right->head);
}

static void run(uint32_t seed)
{
	static uint64_t event[FAAS_EVENT_BYTES_MAX / 8];
	struct side plain, full;

	srand(seed);
	key_bytes = seed % 4 ? 16 : draw(FAAS_KEY_BYTES_MAX + 1);
	value_bytes = seed % 2 ? 8 * (1 + draw(9)) : 4 * (1 + draw(VALUE_BYTES_MAX / 4));
	for (uint32_t i = 0; i < OUTPUTS; i++)
		fields_of[i] = (uint8_t)(i == 2 ? 0 : draw(FAAS_FIELDS_MAX + 1));
	bundle->entries[0].key_bytes = key_bytes;
	open_side(&plain);
	open_side(&full);
	for (uint64_t i = 0; i < EVENTS; i++) {
		uint32_t bytes = make_event(event);
		uint64_t from = plain.worker->log.head;

		draw_deed();
		assert_int_equal(take_by(&plain, event, bytes, i, worker_plain),
				 take_by(&full, event, bytes, i, worker_event));
		compare(&plain, &full);
		compare_log(&plain, &full, from);
	}
	close_side(&plain);
	close_side(&full);
}

static void test_ways_agree(void **state)
{
	(void)state;
	bundle = zeros(sizeof(*bundle));
	bundle->entry_count = 1;
	bundle->entries[0].kind = TARGET_USER;
	bundle->user_count = 2;
	for (uint32_t seed = 1; seed <= SEEDS; seed++) {
		print_message("seed %u\n", seed);
		run(seed);
	}
	free(bundle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ways_agree),
	};

	return cmocka_run_group_tests_name("pool/worker_plain", tests, NULL, NULL);
}
