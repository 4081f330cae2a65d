// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A function that is a program, here a thread at the other end of its socket: what it is told, and
 * what its answers do to state and timer. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <ebpf_faas/exec.h>
#include <ebpf_faas/user.h>

#include "stateview.h"
#include "userspace/pool/worker.h"
#include "userspace/pool/worker_exec.h"
#include "userspace/state/state.h"
#include "userspace/state/state_lookup.h"

#define NOW_NS 1000
#define KEY_BYTES 2
#define CALLS_MAX 8

/* What the program answers, one call after the other. */
struct answer {
	uint16_t status;
	uint64_t timer_ns;
	uint64_t state; /* 0: it stays */
};

static struct worker worker;
static struct bundle *bundle;
static void *table;
static pthread_t program;
static int ends[2];
static char hello[4096];
static struct answer answers[CALLS_MAX];
static uint16_t kinds[CALLS_MAX]; /* of the frames that came */
static uint64_t states[CALLS_MAX];
static uint32_t calls;
static uint8_t key[KEY_BYTES];

static uint64_t no_time(void)
{
	return NOW_NS;
}

/* 0, or -1: the socket is closed. */
static int read_all(void *to, size_t bytes)
{
	return recv(ends[1], to, bytes, MSG_WAITALL) == (ssize_t)bytes ? 0 : -1;
}

static void answer_call(const struct answer *answer)
{
	struct {
		struct faas_exec_answer head;
		uint64_t state;
	} frame = {.head = {.head = {.kind = FAAS_EXEC_ANSWER, .value = answer->status},
			    .state_bytes = answer->state ? sizeof(answer->state) : 0,
			    .timer_ns = answer->timer_ns},
		   .state = answer->state};
	uint32_t bytes = (uint32_t)sizeof(frame.head) + frame.head.state_bytes;

	frame.head.head.bytes = bytes - (uint32_t)sizeof(frame.head.head.bytes);
	(void)!write(ends[1], &frame, bytes);
}

static void *run_program(void *context)
{
	const struct faas_exec_head ready = {
		.bytes = sizeof(ready) - sizeof(ready.bytes),
		.kind = FAAS_EXEC_HELLO,
		.value = FAAS_EXEC_VERSION,
	};
	static uint8_t body[FAAS_EXEC_EVENT_BYTES_MAX];
	struct faas_exec_head head;

	while (!read_all(&head, sizeof(head))) {
		uint32_t bytes = head.bytes - (uint32_t)(sizeof(head) - sizeof(head.bytes));

		if (bytes > sizeof(body) || read_all(body, bytes))
			break;
		if (head.kind == FAAS_EXEC_HELLO) {
			memcpy(hello, body, bytes < sizeof(hello) ? bytes : sizeof(hello) - 1);
			(void)!write(ends[1], &ready, sizeof(ready));
			continue;
		}
		if (calls == CALLS_MAX)
			break;
		kinds[calls] = head.kind;
		memcpy(&states[calls], body + bytes - sizeof(uint64_t), sizeof(uint64_t));
		answer_call(&answers[calls++]);
	}
	return context;
}

static void describe(void)
{
	struct bundle_function *function = &bundle->user[0];

	bundle->user_count = 1;
	strcpy(bundle->name, "w");
	strcpy(function->instance, "watch");
	function->exec.argument_count = 1;
	function->has_state = true;
	function->has_timer = true;
	function->state_bytes = sizeof(uint64_t);
	function->state_version = 1;
	function->state_keys = 8;
	bundle->entry_count = 1;
	bundle->entries[0].kind = TARGET_USER;
	bundle->entries[0].key_bytes = KEY_BYTES;
	function->key_count = 1;
	function->key[0] = KEY_SOURCE_PORT;
	function->param_count = 1;
	strcpy(function->params[0].name, "silence");
	function->params[0].type = PARAM_DURATION;
	function->params[0].integer = 7000000000;
}

static int set_up(void **state)
{
	struct worker_function *function = &worker.functions[0];
	uint64_t bytes;

	(void)state;
	bundle = calloc(1, sizeof(*bundle));
	if (!bundle || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) ||
	    fcntl(ends[0], F_SETFL, O_NONBLOCK))
		return -1;
	describe();
	worker.bundle = bundle;
	worker.page = calloc(1, WORKER_PAGE_BYTES);
	worker.now_ns = no_time;
	function->has_state = true;
	function->on_batch = worker_on_exec;
	function->shape = (struct state_shape){.keys_max = 8,
					       .key_bytes = state_key_bytes(bundle, 0),
					       .value_bytes = state_value_bytes(&bundle->user[0]),
					       .value_version = 1};
	bytes = state_file_bytes(bundle, 0);
	table = calloc(1, bytes);
	function->copy = calloc(1, function->shape.value_bytes);
	if (!worker.page || !table || !function->copy ||
	    state_open(&function->table, table, bytes, &function->shape, 1))
		return -1;
	function->deadline = (uint64_t *)(void *)(function->copy + function->shape.value_bytes -
						  sizeof(uint64_t));
	if (worker_gather_open(&worker) || worker_exec_open(&worker, 0, ends[0]) ||
	    pthread_create(&program, NULL, run_program, NULL))
		return -1;
	return worker_exec_greet(&worker, 0);
}

static int tear_down(void **state)
{
	(void)state;
	(void)shutdown(ends[0], SHUT_RDWR);
	(void)pthread_join(program, NULL);
	(void)close(ends[0]);
	(void)close(ends[1]);
	free(worker.functions[0].copy);
	free(worker.gathered);
	free(worker.page);
	free(table);
	free(bundle);
	return 0;
}

/* Each test has a key of its own, which is a new one. */
static int begin(void **state)
{
	(void)state;
	calls = 0;
	key[0]++;
	memset(worker.functions[0].copy, 0, worker.functions[0].shape.value_bytes);
	return 0;
}

/* Call the function as the worker does, with what is in the table. The program's answers are as
 * they are in `answers`. Returns whether it failed; the copy is what it left. */
static int call_function(uint16_t origin)
{
	static uint8_t place[FAAS_EVENT_BYTES(KEY_BYTES, 0, 0)] __attribute__((aligned(8)));
	struct faas_event *event = (struct faas_event *)(void *)place;
	struct worker_function *function = &worker.functions[0];
	struct faas_call call = {.worker = &worker, .function = function, .emission = -1};

	memset(place, 0, sizeof(place));
	event->origin = origin;
	event->key_bytes = KEY_BYTES;
	memcpy(place + FAAS_EVENT_KEY_OFFSET, key, KEY_BYTES);
	worker.run.emission_count = 0;
	worker.page->attempt_position = 1;
	return worker_on_gathered(&call, event, function->copy);
}

static uint64_t copied_state(void)
{
	uint64_t state;

	memcpy(&state, worker.functions[0].copy, sizeof(state));
	return state;
}

static void store(void)
{
	assert_int_equal(
		state_put(&worker.functions[0].table, key, KEY_BYTES, worker.functions[0].copy), 0);
}

static void test_hello(void **state)
{
	(void)state;
	assert_non_null(strstr(hello, "\"params\":[{\"name\":\"silence\",\"type\":\"duration\","
				      "\"value\":\"7000000000\"}]"));
	assert_non_null(strstr(hello, "\"timer\":true"));
}

static void test_timer(void **state)
{
	uint64_t *deadline = worker.functions[0].deadline;

	(void)state;
	answers[0] = (struct answer){.timer_ns = 500, .state = 11};
	assert_int_equal(call_function(0), 0);
	assert_int_equal(copied_state(), 11);
	assert_int_equal(*deadline, NOW_NS + 500);
	store();
	/* It is due: the program sees the state, and not that the timer is past. */
	*deadline = 0;
	answers[1] = (struct answer){.timer_ns = FAAS_EXEC_TIMER_SAME};
	assert_int_equal(call_function(FAAS_ORIGIN_TIMER), 0);
	assert_int_equal(*deadline, 0);
	answers[2] = (struct answer){.timer_ns = 900, .state = 12};
	assert_int_equal(call_function(FAAS_ORIGIN_TIMER), 0);
	assert_int_equal(copied_state(), 12);
	assert_int_equal(*deadline, NOW_NS + 900);
	store();
	answers[3] = (struct answer){.timer_ns = FAAS_EXEC_TIMER_SAME, .state = 13};
	assert_int_equal(call_function(0), 0);
	assert_int_equal(*deadline, NOW_NS + 900);
	store();
	answers[4] = (struct answer){.timer_ns = 0};
	assert_int_equal(call_function(0), 0);
	assert_int_equal(*deadline, 0);
	assert_int_equal(copied_state(), 13);
	assert_int_equal(calls, 5);
	assert_int_equal(kinds[0], FAAS_EXEC_EVENT);
	assert_int_equal(kinds[1], FAAS_EXEC_TIMER);
	assert_int_equal(kinds[2], FAAS_EXEC_TIMER);
	assert_int_equal(kinds[3], FAAS_EXEC_EVENT);
	assert_int_equal(states[0], 0);
	assert_int_equal(states[1], 11);
	assert_int_equal(states[3], 12);
}

/* Neither its state nor its timer counts. */
static void test_failed(void **state)
{
	(void)state;
	answers[0] = (struct answer){.timer_ns = 500, .state = 11};
	assert_int_equal(call_function(0), 0);
	store();
	answers[1] = (struct answer){.status = 1, .timer_ns = 900, .state = 12};
	assert_int_not_equal(call_function(FAAS_ORIGIN_TIMER), 0);
	assert_int_equal(copied_state(), 11);
	assert_int_equal(*worker.functions[0].deadline, NOW_NS + 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_hello, begin),
		cmocka_unit_test_setup(test_timer, begin),
		cmocka_unit_test_setup(test_failed, begin),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
