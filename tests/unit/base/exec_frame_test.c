// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Frames of programs: events as they are written, and answers, most of them garbage. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exec_frame.h"

static const struct exec_rules rules = {
	.state_bytes = 8, .output_count = 2, .field_counts = {0, 2}};

static uint32_t put(uint8_t *to, uint32_t at, const void *bytes, uint32_t count)
{
	memcpy(to + at, bytes, count);
	return at + count;
}

static uint32_t put_head(uint8_t *to, uint16_t status, uint32_t state_bytes, uint32_t outputs)
{
	const struct faas_exec_answer head = {.head = {.kind = FAAS_EXEC_ANSWER, .value = status},
					      .state_bytes = state_bytes,
					      .outputs = outputs,
					      .timer_ns = FAAS_EXEC_TIMER_SAME};

	return put(to, 0, &head, sizeof(head));
}

static uint32_t put_output(uint8_t *to, uint32_t at, uint16_t number, uint16_t values,
			   uint32_t payload_bytes)
{
	const struct faas_exec_output output = {number, values, payload_bytes};

	return put(to, at, &output, sizeof(output));
}

static void finish(uint8_t *frame, uint32_t bytes)
{
	const uint32_t length = bytes - 4;

	memcpy(frame, &length, sizeof(length));
}

static int read_answer(uint8_t *frame, uint32_t bytes, struct exec_answer *ret, const char **wrong)
{
	uint8_t *copy = malloc(bytes); /* so that a read beyond it is seen */
	int err;

	assert_non_null(copy);
	finish(frame, bytes);
	memcpy(copy, frame, bytes);
	err = exec_frame_answer(copy, bytes, &rules, ret, wrong);
	free(copy);
	return err;
}

static void test_event(void **state)
{
	const struct faas_event event = {.time_ns = 7};
	uint8_t frame[256];
	struct faas_exec_event head;
	uint32_t bytes = exec_frame_event(frame, &event, sizeof(event), "12345678", 8, 0), length;
	const char *wrong = NULL;

	(void)state;
	memcpy(&head, frame, sizeof(head));
	assert_int_equal(bytes, 16 + sizeof(event) + 8);
	assert_int_equal(head.head.bytes, bytes - 4);
	assert_int_equal(head.head.kind, FAAS_EXEC_EVENT);
	assert_int_equal(head.head.value, 0);
	assert_int_equal(head.state_bytes, 8);
	assert_memory_equal(frame + 16, &event, sizeof(event));
	assert_memory_equal(frame + bytes - 8, "12345678", 8);
	exec_frame_mark_last(frame);
	assert_int_equal(exec_frame_value(frame), FAAS_EXEC_LAST);
	assert_int_equal(exec_frame_bytes(frame, bytes, &length, &wrong), 0);
	assert_int_equal(length, bytes);
}

static void test_timer(void **state)
{
	const struct faas_event event = {.time_ns = 7, .origin = FAAS_ORIGIN_TIMER};
	uint8_t frame[256];

	(void)state;
	(void)exec_frame_event(frame, &event, sizeof(event), NULL, 0, 0);
	assert_int_equal(exec_frame_kind(frame), FAAS_EXEC_TIMER);
}

static void test_lengths(void **state)
{
	static const struct {
		uint32_t length;
		size_t have;
		int result;
	} rows[] = {
		{4, 0, -EAGAIN},
		{4, 3, -EAGAIN},
		{4, 7, -EAGAIN},
		{4, 8, 0},
		{3, 8, -EPROTO},
		{0, 8, -EPROTO},
		{FAAS_EXEC_ANSWER_BYTES_MAX - 4, 8, -EAGAIN},
		{FAAS_EXEC_ANSWER_BYTES_MAX - 3, 8, -EPROTO},
		{UINT32_MAX, 8, -EPROTO},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *wrong = NULL;
		uint8_t in[8] = {0};
		uint32_t bytes = 0;

		memcpy(in, &rows[i].length, 4);
		assert_int_equal(exec_frame_bytes(in, rows[i].have, &bytes, &wrong),
				 rows[i].result);
		assert_int_equal(bytes, rows[i].result ? 0 : 8);
		assert_int_equal(wrong != NULL, rows[i].result == -EPROTO);
	}
}

static void test_answer(void **state)
{
	const uint64_t values[2] = {11, 12};
	struct exec_answer answer;
	struct exec_output output;
	uint8_t frame[256];
	const uint8_t *next;
	const char *wrong;
	uint32_t at;

	(void)state;
	at = put_head(frame, 0, 8, 3);
	at = put(frame, at, "12345678", 8);
	at = put_output(frame, at, 1, 2, 0);
	at = put(frame, at, values, sizeof(values));
	at = put_output(frame, at, 0, 0, FAAS_EXEC_PAYLOAD_SAME);
	at = put_output(frame, at, 0, 0, 3);
	at = put(frame, at, "abc", 3);
	finish(frame, at);
	assert_int_equal(exec_frame_answer(frame, at, &rules, &answer, &wrong), 0);
	assert_int_equal(answer.status, 0);
	assert_memory_equal(answer.state, "12345678", 8);
	assert_int_equal(answer.output_count, 3);
	next = exec_frame_output(answer.outputs, &output);
	assert_int_equal(output.number, 1);
	assert_int_equal(output.value_count, 2);
	assert_memory_equal(output.values, values, sizeof(values));
	next = exec_frame_output(next, &output);
	assert_null(output.payload);
	next = exec_frame_output(next, &output);
	assert_int_equal(output.payload_bytes, 3);
	assert_memory_equal(output.payload, "abc", 3);
	assert_ptr_equal(next, frame + at);
	at = put_head(frame, 9, 0, 0);
	assert_int_equal(read_answer(frame, at, &answer, &wrong), 0);
	assert_int_equal(answer.status, 9);
	assert_null(answer.state);
}

/* Of a function whose keys have timers, and of one whose have none. */
static void test_timer_of_an_answer(void **state)
{
	static const uint64_t times[] = {FAAS_EXEC_TIMER_SAME, 0, 1, FAAS_EXEC_TIMER_SAME - 1};
	struct exec_rules timed = rules;

	(void)state;
	timed.has_timer = true;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		bool is_same = times[i] == FAAS_EXEC_TIMER_SAME;
		struct exec_answer answer = {0};
		const char *wrong = NULL;
		uint8_t frame[64];
		uint32_t at = put_head(frame, 0, 0, 0);

		memcpy(frame + offsetof(struct faas_exec_answer, timer_ns), &times[i],
		       sizeof(times[i]));
		finish(frame, at);
		assert_int_equal(exec_frame_answer(frame, at, &timed, &answer, &wrong), 0);
		assert_true(answer.timer_ns == times[i]);
		assert_int_equal(exec_frame_answer(frame, at, &rules, &answer, &wrong),
				 is_same ? 0 : -EPROTO);
		assert_true(is_same ? !wrong : strstr(wrong, "keys have none") != NULL);
	}
}

/* One answer that is right but for one thing. */
static const struct garbage {
	const char *what; /* in what is said */
	uint16_t kind;
	uint32_t state_bytes, outputs;
	uint16_t number, values;
	uint32_t payload_bytes;
	uint32_t cut, more; /* bytes at its end */
} garbage[] = {
	{"no answer", FAAS_EXEC_HELLO, 0, 0, 0, 0, 0, 0, 0},
	{"no answer", FAAS_EXEC_ANSWER, 0, 0, 0, 0, 0, 4, 0},
	{"no answer", FAAS_EXEC_TIMER, 0, 0, 0, 0, 0, 0, 0},
	{"state of another size", FAAS_EXEC_ANSWER, 7, 0, 0, 0, 0, 0, 0},
	{"state of another size", FAAS_EXEC_ANSWER, UINT32_MAX, 0, 0, 0, 0, 0, 0},
	{"middle of the state", FAAS_EXEC_ANSWER, 8, 0, 0, 0, 0, 1, 0},
	{"more outputs", FAAS_EXEC_ANSWER, 8, FAAS_EMITS_MAX + 1, 0, 0, 0, 0, 0},
	{"more outputs", FAAS_EXEC_ANSWER, 8, UINT32_MAX, 0, 0, 0, 0, 0},
	{"does not have", FAAS_EXEC_ANSWER, 8, 1, 2, 0, 0, 0, 0},
	{"values than it has fields", FAAS_EXEC_ANSWER, 8, 1, 1, 1, 0, 0, 0},
	{"values than it has fields", FAAS_EXEC_ANSWER, 8, 1, 0, 1, 0, 0, 0},
	{"payload in an output with", FAAS_EXEC_ANSWER, 8, 1, 1, 2, 1, 0, 0},
	{"more payload", FAAS_EXEC_ANSWER, 8, 1, 0, 0, FAAS_EVENT_PAYLOAD_MAX + 1, 0, 0},
	{"middle of an output", FAAS_EXEC_ANSWER, 8, 1, 0, 0, 5, 1, 0},
	{"middle of an output", FAAS_EXEC_ANSWER, 8, 1, 1, 2, 0, 1, 0},
	{"middle of an output", FAAS_EXEC_ANSWER, 8, 2, 0, 0, 0, 0, 0},
	{"behind its end", FAAS_EXEC_ANSWER, 8, 0, 0, 0, 0, 0, 1},
	{"behind its end", FAAS_EXEC_ANSWER, 8, 1, 1, 2, 0, 0, 8},
};

static void test_garbage(void **state)
{
	static uint8_t frame[8192];

	(void)state;
	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		const struct garbage *row = &garbage[i];
		const char *wrong = NULL;
		struct exec_answer answer;
		uint32_t at;

		memset(frame, 0, sizeof(frame));
		at = put_head(frame, 0, row->state_bytes, row->outputs);
		memcpy(frame + 4, &row->kind, sizeof(row->kind));
		if (row->state_bytes <= 8)
			at += row->state_bytes;
		if (row->outputs && row->outputs <= 2) {
			at = put_output(frame, at, row->number, row->values, row->payload_bytes);
			at += 8u * row->values + row->payload_bytes;
		}
		at = at + row->more - row->cut;
		assert_int_equal(read_answer(frame, at, &answer, &wrong), -EPROTO);
		if (!wrong || !strstr(wrong, row->what))
			fail_msg("row %zu: \"%s\", should be \"%s\"", i, wrong, row->what);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_event),
		cmocka_unit_test(test_timer),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_timer_of_an_answer),
		cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
