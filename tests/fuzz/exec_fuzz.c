// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the program of an exec function may write, against what reads it: any bytes, cut into any
 * pieces. A frame is the same however it comes; an answer that is taken says what its
 * bytes say, of outputs that there are, and nothing outside of them.
 *
 * Of an input, the first four bytes are the function and the pieces: bytes of its state,
 * outputs and (the highest bit) timers, which outputs have two fields, bytes of a piece. The rest
 * is what the program writes.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "exec_frame.h"

#define RULES_BYTES 4

static void must(int holds)
{
	if (!holds)
		abort();
}

static void read_rules(const uint8_t *data, struct exec_rules *ret)
{
	*ret = (struct exec_rules){.state_bytes = data[0],
				   .has_timer = data[1] >> 7,
				   .output_count = (data[1] & 0x7fu) % (FAAS_OUTPUTS_MAX + 1)};
	for (uint32_t i = 0; i < ret->output_count; i++)
		ret->field_counts[i] = data[2] >> i % 8 & 1 ? 2 : 0;
}

/* Written again from what was read, it has to be the same. */
static void check_answer(const uint8_t *frame, uint32_t bytes, const struct exec_rules *rules,
			 const struct exec_answer *answer)
{
	const uint8_t *at = frame + sizeof(struct faas_exec_answer);
	struct faas_exec_answer numbers;

	memcpy(&numbers, frame, sizeof(numbers));
	must(answer->timer_ns == numbers.timer_ns);
	must(rules->has_timer || answer->timer_ns == FAAS_EXEC_TIMER_SAME);
	must(exec_frame_kind(frame) == FAAS_EXEC_ANSWER);
	must(answer->status == exec_frame_value(frame));
	must(answer->output_count <= FAAS_EMITS_MAX);
	must(!answer->state || (answer->state == at && rules->state_bytes));
	if (answer->state)
		at += rules->state_bytes;
	must(answer->outputs == at);
	for (uint32_t i = 0; i < answer->output_count; i++) {
		const uint8_t *begin = at;
		struct faas_exec_output head;
		struct exec_output output;

		at = exec_frame_output(at, &output);
		must(at > begin && at <= frame + bytes);
		memcpy(&head, begin, sizeof(head));
		must(output.number == head.number && output.number < rules->output_count);
		must(output.value_count == rules->field_counts[output.number]);
		must(output.values == begin + sizeof(head));
		must(output.payload_bytes <= FAAS_EVENT_PAYLOAD_MAX);
		must(!output.payload == (head.payload_bytes == FAAS_EXEC_PAYLOAD_SAME));
		must(at ==
		     output.values + sizeof(uint64_t) * output.value_count + output.payload_bytes);
	}
	must(at == frame + bytes);
}

/* The frame at the beginning of so many bytes, and nothing behind them can be read.
 * Returns its length; 0: it is not all there, or none. */
static uint32_t take(const uint8_t *data, size_t bytes, const struct exec_rules *rules,
		     int *ret_err)
{
	uint8_t *copy = malloc(bytes ? bytes : 1);
	struct exec_answer answer;
	const char *wrong = NULL;
	uint32_t length = 0;

	must(copy != NULL);
	if (bytes)
		memcpy(copy, data, bytes);
	*ret_err = exec_frame_bytes(copy, bytes, &length, &wrong);
	must(!*ret_err || *ret_err == -EAGAIN || *ret_err == -EPROTO);
	must((wrong != NULL) == (*ret_err == -EPROTO));
	must(!length == (*ret_err != 0) && length <= bytes && length <= FAAS_EXEC_ANSWER_BYTES_MAX);
	free(copy);
	if (*ret_err)
		return 0;
	copy = malloc(length);
	must(copy != NULL);
	memcpy(copy, data, length);
	*ret_err = exec_frame_answer(copy, length, rules, &answer, &wrong);
	must(!*ret_err || (*ret_err == -EPROTO && wrong));
	if (!*ret_err)
		check_answer(copy, length, rules, &answer);
	free(copy);
	return length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct exec_rules rules;
	size_t piece, at = 0, have = 0;

	if (bytes < RULES_BYTES)
		return 0;
	read_rules(data, &rules);
	piece = data[3] + 1u;
	data += RULES_BYTES;
	bytes -= RULES_BYTES;
	while (at < bytes) {
		uint32_t length, whole;
		int err, err_whole;

		length = take(data + at, have - at, &rules, &err);
		if (err == -EAGAIN && have < bytes) {
			have = have + piece < bytes ? have + piece : bytes;
			continue;
		}
		whole = take(data + at, bytes - at, &rules, &err_whole);
		must(length == whole && err == err_whole);
		/* What is no answer ends the program. */
		if (err)
			break;
		at += length;
	}
	return 0;
}
