// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "exec_frame.h"

#include <errno.h>
#include <string.h>

#define LENGTH_BYTES sizeof(uint32_t) /* what a frame's length does not count */

uint32_t exec_frame_event(uint8_t *to, const struct faas_event *event, uint32_t event_bytes,
			  const void *state, uint32_t state_bytes, uint32_t back)
{
	struct faas_exec_event frame = {
		.head = {.kind = event->origin == FAAS_ORIGIN_TIMER ? FAAS_EXEC_TIMER
								    : FAAS_EXEC_EVENT},
		.state_bytes = state_bytes,
		.back = back,
	};
	uint32_t bytes = (uint32_t)sizeof(frame) + event_bytes + state_bytes;

	frame.head.bytes = bytes - (uint32_t)LENGTH_BYTES;
	memcpy(to, &frame, sizeof(frame));
	memcpy(to + sizeof(frame), event, event_bytes);
	if (state_bytes)
		memcpy(to + sizeof(frame) + event_bytes, state, state_bytes);
	return bytes;
}

void exec_frame_mark_last(uint8_t *frame)
{
	const uint16_t last = FAAS_EXEC_LAST;

	memcpy(frame + offsetof(struct faas_exec_head, value), &last, sizeof(last));
}

int exec_frame_bytes(const uint8_t *in, size_t have, uint32_t *ret_bytes, const char **ret_wrong)
{
	uint32_t bytes;

	if (have < LENGTH_BYTES)
		return -EAGAIN;
	memcpy(&bytes, in, sizeof(bytes));
	if (bytes < sizeof(struct faas_exec_head) - LENGTH_BYTES) {
		*ret_wrong = "a frame that is shorter than its head";
		return -EPROTO;
	}
	if (bytes > FAAS_EXEC_ANSWER_BYTES_MAX - LENGTH_BYTES) {
		*ret_wrong = "a frame that is longer than an answer may be, or none: print to "
			     "standard error";
		return -EPROTO;
	}
	if (have < bytes + LENGTH_BYTES)
		return -EAGAIN;
	*ret_bytes = bytes + (uint32_t)LENGTH_BYTES;
	return 0;
}

enum faas_exec_kind exec_frame_kind(const uint8_t *frame)
{
	struct faas_exec_head head;

	memcpy(&head, frame, sizeof(head));
	return (enum faas_exec_kind)head.kind;
}

uint16_t exec_frame_value(const uint8_t *frame)
{
	struct faas_exec_head head;

	memcpy(&head, frame, sizeof(head));
	return head.value;
}

/* What is wrong with the output at @p *at, NULL: nothing, and *at is behind it. */
static const char *pass_output(const uint8_t **at, const uint8_t *end,
			       const struct exec_rules *rules)
{
	struct faas_exec_output output;

	if ((size_t)(end - *at) < sizeof(output))
		return "an answer that ends in the middle of an output";
	memcpy(&output, *at, sizeof(output));
	*at += sizeof(output);
	if (output.number >= rules->output_count)
		return "an output that the function does not have";
	if (output.values != rules->field_counts[output.number])
		return "an output with more or fewer values than it has fields";
	if (output.payload_bytes == FAAS_EXEC_PAYLOAD_SAME)
		output.payload_bytes = 0;
	else if (output.values && output.payload_bytes)
		return "payload in an output with fields";
	else if (output.payload_bytes > FAAS_EVENT_PAYLOAD_MAX)
		return "an output with more payload than an event may have";
	if ((size_t)(end - *at) < sizeof(uint64_t) * output.values + output.payload_bytes)
		return "an answer that ends in the middle of an output";
	*at += sizeof(uint64_t) * output.values + output.payload_bytes;
	return NULL;
}

int exec_frame_answer(const uint8_t *frame, uint32_t bytes, const struct exec_rules *rules,
		      struct exec_answer *ret, const char **ret_wrong)
{
	const uint8_t *end = frame + bytes, *at = frame + sizeof(struct faas_exec_answer);
	struct exec_answer answer = {0};
	struct faas_exec_answer head;
	const char *wrong = NULL;

	if (bytes < sizeof(head) || exec_frame_kind(frame) != FAAS_EXEC_ANSWER) {
		*ret_wrong = "a frame that is no answer";
		return -EPROTO;
	}
	memcpy(&head, frame, sizeof(head));
	answer.status = head.head.value;
	answer.output_count = head.outputs;
	answer.timer_ns = head.timer_ns;
	if (head.state_bytes && head.state_bytes != rules->state_bytes)
		wrong = "a state of another size than the workflow says";
	else if ((size_t)(end - at) < head.state_bytes)
		wrong = "an answer that ends in the middle of the state";
	else if (head.timer_ns != FAAS_EXEC_TIMER_SAME && !rules->has_timer)
		wrong = "a timer, and keys have none: `timer` and `state_bytes` of the workflow";
	else if (head.outputs > FAAS_EMITS_MAX)
		wrong = "more outputs than one event may have";
	if (!wrong) {
		if (head.state_bytes)
			answer.state = at;
		at += head.state_bytes;
		answer.outputs = at;
	}
	for (uint32_t i = 0; !wrong && i < head.outputs; i++)
		wrong = pass_output(&at, end, rules);
	if (!wrong && at != end)
		wrong = "an answer with something behind its end";
	if (wrong) {
		*ret_wrong = wrong;
		return -EPROTO;
	}
	*ret = answer;
	return 0;
}

const uint8_t *exec_frame_output(const uint8_t *at, struct exec_output *ret)
{
	struct faas_exec_output output;

	memcpy(&output, at, sizeof(output));
	at += sizeof(output);
	*ret = (struct exec_output){.number = output.number, .value_count = output.values};
	ret->values = at;
	at += sizeof(uint64_t) * output.values;
	if (output.payload_bytes != FAAS_EXEC_PAYLOAD_SAME) {
		ret->payload = at;
		ret->payload_bytes = output.payload_bytes;
		at += output.payload_bytes;
	}
	return at;
}
