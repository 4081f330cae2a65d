/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Frames between a worker and the program of an exec function: <ebpf_faas/exec.h>.
 * What the program writes may be anything; nothing here believes it.
 */
#ifndef FAAS_BASE_EXEC_FRAME_H
#define FAAS_BASE_EXEC_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebpf_faas/exec.h>

/* What answers of a function must be like. */
struct exec_rules {
	uint32_t state_bytes; /* 0: it has no state */
	bool has_timer;	      /* each key has */
	uint32_t output_count;
	uint8_t field_counts[FAAS_OUTPUTS_MAX];
};

/* An answer that is as it must be. Borrows the frame. */
struct exec_answer {
	uint16_t status;
	const uint8_t *state; /* NULL: it stays as it is */
	uint64_t timer_ns;    /* or FAAS_EXEC_TIMER_SAME */
	uint32_t output_count;
	const uint8_t *outputs;
};

struct exec_output {
	uint16_t number;
	uint16_t value_count;
	const uint8_t *values;	/* 8 bytes each, at any place */
	const uint8_t *payload; /* NULL: the event's own */
	uint32_t payload_bytes;
};

/* Write an event, or a timer if its origin says so, at most FAAS_EXEC_EVENT_BYTES_MAX.
 * @p event_bytes: of all that belongs to it. Returns the length. */
uint32_t exec_frame_event(uint8_t *to, const struct faas_event *event, uint32_t event_bytes,
			  const void *state, uint32_t state_bytes, uint32_t back);

/* Mark a frame of exec_frame_event as the last for now. */
void exec_frame_mark_last(uint8_t *frame);

/**
 * @brief How long the frame at the beginning of @p in is, with its head.
 *
 * @param have       Bytes that are there.
 * @param ret_wrong  -EPROTO only: what is wrong with it, for a person.
 * @return 0; -EAGAIN: it is not all there yet; -EPROTO: it is no frame.
 */
int exec_frame_bytes(const uint8_t *in, size_t have, uint32_t *ret_bytes, const char **ret_wrong)
	__attribute__((warn_unused_result));

enum faas_exec_kind exec_frame_kind(const uint8_t *frame);
uint16_t exec_frame_value(const uint8_t *frame);

/* Read a whole frame as an answer. 0, or -EPROTO with *ret_wrong set. */
int exec_frame_answer(const uint8_t *frame, uint32_t bytes, const struct exec_rules *rules,
		      struct exec_answer *ret, const char **ret_wrong)
	__attribute__((warn_unused_result));

/* The output at @p at, which is in the outputs of an answer that was read; returns where
 * the next one begins. */
const uint8_t *exec_frame_output(const uint8_t *at, struct exec_output *ret);

#endif
