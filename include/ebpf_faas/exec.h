/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What an exec function reads on its standard input and writes on its standard
 * output: frames, one behind the other, without padding. All numbers are
 * little-endian. Helpers for Python and JavaScript lie in exec/ beside this file;
 * ebpf-faas-exec(7) tells the story.
 *
 *   every frame   u32 bytes    of what follows
 *                 u16 kind     FAAS_EXEC_*
 *                 u16 value    by kind
 *
 *   HELLO, first, to the program: value is the version of this format; then JSON, an object:
 *
 *     workflow, version, function   names, and the label of the workflow
 *     params         [{name, type, value}]: value is a text of digits where the type is u64, s64,
 *                    bytes or duration (nanoseconds), true or false of a bool, a number of
 *                    f64 and decimal, the word of a choice, and of a trigger its id as
 *                    faas_event.trigger has it, 0: none
 *     outputs        [{name, fields: [{name, type}]}], by number
 *     fields         [{name, type}]: what functions in the kernel set, by number
 *     key            names of its parts
 *     state_bytes, state_version   0: no state
 *     timer          whether the function is called with timers
 *
 *   The program answers with a HELLO of the same version and nothing behind it, or
 *   with FAILED and a line of UTF-8 text that says why it does not begin.
 *
 *   EVENT, to the program: value has FAAS_EXEC_LAST with the last one for now; then
 *
 *                 u32 state_bytes  of the state behind the event
 *                 u32 back         0, or: the key's state is that behind the answer to
 *                                  the event so many before this one; none follows then
 *                 struct faas_event with all that belongs to it, see event.h
 *                 state_bytes of state, of the event's key
 *
 *   TIMER, to the program: the same, and what it is called for is a timer, of the key or of
 *   the workflow. The event's origin is FAAS_ORIGIN_TIMER; it has the time, the key, and the
 *   trigger if it is one of the workflow.
 *
 *   ANSWER, to us, one for each event in the order of the events: value is the
 *   status, 0: the event is done; else it failed, as when faas_on_event does not
 *   return 0, and nothing of the answer counts; then
 *
 *                 u32 state_bytes  0: the state stays; else all of the new one
 *                 u32 outputs      how many
 *                 u64 timer_ns     FAAS_EXEC_TIMER_SAME: the key's timer stays as it is;
 *                                  0: it has none; else when, from now on. Only of functions
 *                                  with timers and state
 *                 state_bytes of state
 *                 each output: u16 number, in the order of HELLO
 *                              u16 values, all fields of the output
 *                              u32 payload_bytes, FAAS_EXEC_PAYLOAD_SAME: the event's own
 *                              values of 8 bytes each
 *                              payload_bytes of payload, only for outputs without fields
 *
 * A program that fails an event goes on from the state that was before it. It may
 * keep answers back until it has the event that is the last for now, no longer.
 * Events come again when they were not committed: what has to stay stands in the state.
 */
#ifndef EBPF_FAAS_EXEC_H
#define EBPF_FAAS_EXEC_H

#include <linux/types.h>

#include <ebpf_faas/event.h>

#define FAAS_EXEC_VERSION 2

enum faas_exec_kind {
	FAAS_EXEC_HELLO = 1,
	FAAS_EXEC_EVENT = 2,
	FAAS_EXEC_ANSWER = 3,
	FAAS_EXEC_FAILED = 4,
	FAAS_EXEC_TIMER = 5,
};

#define FAAS_EXEC_LAST 1
#define FAAS_EXEC_PAYLOAD_SAME 0xffffffffu
#define FAAS_EXEC_TIMER_SAME 0xffffffffffffffffull

struct faas_exec_head {
	__u32 bytes; /* of what follows this number */
	__u16 kind;
	__u16 value;
};

struct faas_exec_event {
	struct faas_exec_head head;
	__u32 state_bytes;
	__u32 back;
};

struct faas_exec_answer {
	struct faas_exec_head head;
	__u32 state_bytes;
	__u32 outputs;
	__u64 timer_ns;
};

struct faas_exec_output {
	__u16 number;
	__u16 values;
	__u32 payload_bytes;
};

/* The longest answer, with its head: an output of an event each, as long as it may be. */
#define FAAS_EXEC_ANSWER_BYTES_MAX                                                                 \
	((__u32)(sizeof(struct faas_exec_answer) + FAAS_STATE_BYTES_MAX +                          \
		 FAAS_EMITS_MAX * (sizeof(struct faas_exec_output) +                               \
				   sizeof(__u64) * FAAS_FIELDS_MAX + FAAS_EVENT_PAYLOAD_MAX)))
#define FAAS_EXEC_EVENT_BYTES_MAX                                                                  \
	((__u32)(sizeof(struct faas_exec_event) + FAAS_EVENT_BYTES_MAX + FAAS_STATE_BYTES_MAX))

#ifndef __cplusplus
_Static_assert(sizeof(struct faas_exec_head) == 8, "no padding");
_Static_assert(sizeof(struct faas_exec_event) == 16, "no padding");
_Static_assert(sizeof(struct faas_exec_answer) == 24, "no padding");
_Static_assert(sizeof(struct faas_exec_output) == 8, "no padding");
#endif

#endif
