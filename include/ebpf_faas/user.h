/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writing a user function: one C file, funcs/NAME/NAME.user.c, compiled to a
 * shared object that the worker of the workflow loads.
 *
 *	#include <ebpf_faas/user.h>
 *
 *	FAAS_USER_FUNCTION("Counts the events of each key");
 *	FAAS_PARAM_U64(every, 1, 1, 1000000, "Emit a total each so many events");
 *	FAAS_OUTPUT(total, "The count so far");
 *	FAAS_FIELD(total, count, u64, "events", "Events of this key");
 *
 *	struct state { uint64_t count; };
 *	FAAS_STATE(struct state, 1);
 *
 *	int faas_on_event(struct faas_call *call, const struct faas_event *event, void *data)
 *	{
 *		struct state *state = data;
 *
 *		if (++state->count % faas_param(every))
 *			return 0;
 *		return faas_emit(call, faas_output(total),
 *				 (struct faas_value[]){{.u64 = state->count}}, 1);
 *	}
 *
 * Functions of one workflow run in one process and call each other directly.
 * A function keeps what it must remember in its state, not in variables: a
 * worker may be killed at any instruction, and its successor has the state as
 * of the last event that was committed, and nothing else.
 *
 * The header may be included from C++ (C++20 for the initializers above): what
 * it declares has C linkage, and so have the callbacks.
 */
#ifndef EBPF_FAAS_USER_H
#define EBPF_FAAS_USER_H

#include <stddef.h>
#include <stdint.h>

#include <ebpf_faas/describe.h>
#include <ebpf_faas/event.h>
#include <ebpf_faas/layout.h>
#include <ebpf_faas/limits.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FAAS_USER_FUNCTION(doc) FAAS_META("function\tuser\t" doc)

/* A constant that the loader reads by its name; in C++ those are private else. */
#ifdef __cplusplus
#define FAAS_CONSTANT(name, value)                                                                 \
	extern "C" {                                                                               \
	extern const uint32_t name;                                                                \
	const uint32_t name = (value);                                                             \
	}
#define FAAS_ASSERT(condition, text) static_assert(condition, text)
#else
#define FAAS_CONSTANT(name, value) const uint32_t name = (value)
#define FAAS_ASSERT(condition, text) _Static_assert(condition, text)
#endif

/*
 * Parameters: a variable each, set by the worker before faas_on_init.
 * FAAS_PARAM_type(name, default, min, max, "what it is"), written as in a
 * workflow; durations are nanoseconds.
 */
#define FAAS_PARAM_(type, name, default, min, max, doc)                                            \
	FAAS_META("param\t" #type "\t" #name "\t" #default "\t" #min "\t" #max "\t" doc "\t");     \
	FAAS_TYPE_##type faas_param_##name
#define FAAS_PARAM_U64(name, default, min, max, doc) FAAS_PARAM_(u64, name, default, min, max, doc)
#define FAAS_PARAM_S64(name, default, min, max, doc) FAAS_PARAM_(s64, name, default, min, max, doc)
#define FAAS_PARAM_F64(name, default, min, max, doc) FAAS_PARAM_(f64, name, default, min, max, doc)
#define FAAS_PARAM_BOOL(name, default, doc) FAAS_PARAM_(bool, name, default, , , doc)
#define FAAS_PARAM_DURATION(name, default, min, max, doc)                                          \
	FAAS_PARAM_(duration, name, default, min, max, doc)
#define FAAS_PARAM_CHOICE(name, default, doc, ...)                                                 \
	FAAS_META("param\tchoice\t" #name "\t" #default "\t\t\t" doc "\t" #__VA_ARGS__);           \
	enum { FAAS_WORDS(name, __VA_ARGS__) };                                                    \
	unsigned int faas_param_##name
/* A trigger of the workflow, of packets or of time, by name: its id as faas_event.trigger
 * has it, 0 if the workflow names none. */
#define FAAS_PARAM_TRIGGER(name, doc)                                                              \
	FAAS_META("param\ttrigger\t" #name "\t\t\t\t" doc "\t");                                   \
	unsigned int faas_param_##name
/* Where numbers stand in the payload, see layout.h. The workflow must give it; one
 * for each function. */
#define FAAS_PARAM_LAYOUT(name, doc)                                                               \
	FAAS_META("param\tlayout\t" #name "\t\t\t\t" doc "\t");                                    \
	struct faas_layout faas_param_##name
#define faas_param(name) (faas_param_##name)

/* Outputs: a number each, set by the worker before faas_on_init. */
#define FAAS_OUTPUT(name, doc)                                                                     \
	FAAS_META("output\t" #name "\t" doc);                                                      \
	unsigned int faas_output_##name
#define faas_output(name) (faas_output_##name)

/* A field of an output: FAAS_FIELD(output, name, type, "unit", "what it is"),
 * type u64, s64, f64 or decimal (millionths). faas_emit takes the values in
 * the order of these declarations. */
#define FAAS_FIELD(output, name, type, unit, doc)                                                  \
	FAAS_META("field\t" #output "\t" #name "\t" #type "\t" unit "\t" doc)

/* The fields of this output are those that the workflow names in a parameter of type
 * layout, declared before it. */
#define FAAS_OUTPUT_FIELDS(output, param) FAAS_META("fields\t" #output "\t" #param)

/* A field that the function reads from its events, whichever function before
 * it sets it; a workflow in which none does is refused. */
#define FAAS_INPUT(name, doc)                                                                      \
	FAAS_META("input\t" #name "\t" doc);                                                       \
	unsigned int faas_input_##name
/* The same, and no function need set it. */
#define FAAS_INPUT_OPTIONAL(name, doc)                                                             \
	FAAS_META("input\t" #name "\t" doc);                                                       \
	FAAS_META("optional\t" #name);                                                             \
	unsigned int faas_input_##name

/* A verdict about a key that the function may give, see faas_verdict. The workflow
 * says which kernel function takes it. */
#define FAAS_VERDICT(name, doc)                                                                    \
	FAAS_META("verdict\t" #name "\t" doc);                                                     \
	unsigned int faas_verdict_id_##name
#define faas_verdict_id(name) (faas_verdict_id_##name)

/* State of one key: its type, and a version of its layout, from 1. New keys
 * begin with zeros. At most FAAS_STATE_BYTES_MAX. Holds no pointers. */
#define FAAS_STATE(type, version)                                                                  \
	FAAS_META("state\t" #version);                                                             \
	FAAS_ASSERT(sizeof(type) <= FAAS_STATE_BYTES_MAX, "state too large");                      \
	/* How its layout is found in the debug information. */                                    \
	static __typeof__(type) *const faas_state_layout __attribute__((used)) = 0;                \
	FAAS_CONSTANT(faas_state_version, version);                                                \
	FAAS_CONSTANT(faas_state_bytes, sizeof(type))

/* The function has faas_on_timer: each key of its state has a timer. */
#define FAAS_TIMER() FAAS_META("timer")

/* The function has faas_on_batch in the place of faas_on_event: for decoders and
 * models, which are faster with many events at once. It keeps no state, has no
 * timers, and is entered from the kernel tier, not behind another function. */
#define FAAS_BATCH() FAAS_META("batch")

/* The function has faas_on_migrate: it takes over states of other versions. */
#define FAAS_MIGRATE() FAAS_META("migrate")

/* One value of a record. Which member counts is the field's declared type. */
struct faas_value {
	union {
		uint64_t u64;
		int64_t s64; /* also decimal, in millionths */
		double f64;
	};
};

/* Invocation handle. Borrowed: dead once the callback returns. */
struct faas_call;

/*
 * The function's callbacks. faas_on_event must exist, or faas_on_batch if and only
 * if FAAS_BATCH() is declared; faas_on_timer if and only if FAAS_TIMER() is, and
 * faas_on_migrate if and only if FAAS_MIGRATE() is; the others may.
 *
 * faas_on_init: once in each worker, before the first event. Not 0: the
 * worker does not start and the load fails; an -errno is told in words. A workflow
 * has many workers in its life: one with nothing to do for a while ends, and the next
 * event starts another. What is to outlive that belongs into the state.
 *
 * faas_on_event: one event. @p state is the state of the event's key, NULL if
 * the function declares none or the workflow says "state: none"; it is a
 * working copy. Returning 0 commits the state and what was emitted, together.
 * Anything else discards both, counts an error, and puts the event aside as a
 * dead letter.
 *
 * faas_on_timer: the timer of a key is due, see faas_timer; it is not armed any
 * more. Or a trigger of time that leads here: event->trigger is its number then, 0
 * else, and the key's own timer stays as it is.
 * @p event has time_ns (now), generation, key, key_hash and shard, its
 * origin is FAAS_ORIGIN_TIMER, and the rest of it is zero: no addresses, fields
 * or payload. What it changes and emits takes effect as with faas_on_event;
 * if it does not return 0, the call is put aside as a dead letter, and a timer that
 * was due stays disarmed.
 *
 * faas_on_batch: some events, 1 to FAAS_BATCH_MAX, in their order; not more than
 * there are at the moment. Each still takes effect by itself. faas_fail puts one
 * aside. If it does not return 0, nothing of it counts, and it is called again with
 * each event alone; one that fails alone is put aside as a dead letter. Events may
 * come again in another batch, as if this one had not been.
 *
 * faas_on_migrate: an update brings a state of another version, of one key:
 * @p from_bytes of it, of version @p from_version; it may be a later one, when a
 * rollback brings an earlier function back. Write it into @p to, which is zeros. Not
 * 0: this key cannot be taken over; the update fails, and the version before goes
 * on. Called for each key, after faas_on_init, in a process of its own that then
 * ends: what it keeps in variables is gone. The key's timer goes on by itself.
 *
 * faas_on_stop: once, when the worker ends in an orderly way, as it also does when it
 * has nothing to do. A killed worker
 * does not get there.
 */
int faas_on_init(void);
int faas_on_event(struct faas_call *call, const struct faas_event *event, void *state);
int faas_on_batch(struct faas_call *call, const struct faas_event *const *events,
		  unsigned int count);
int faas_on_timer(struct faas_call *call, const struct faas_event *event, void *state);
int faas_on_migrate(uint32_t from_version, const void *from, uint32_t from_bytes, void *to);
void faas_on_stop(void);

/**
 * @brief Append one record to this event's outputs.
 *
 * @param call   Invocation handle.
 * @param output Number of the output: faas_output(NAME).
 * @param values Values of the output's fields, in the order of declaration; copied.
 * @param count  Number of @p values: all fields of the output.
 *
 * Records keep call order within one event. They take effect together with the
 * state change when the callback returns 0; otherwise none does. An output that
 * leads to another user function calls it after this callback has returned.
 * Never blocks, never allocates.
 *
 * @return 0, or with nothing appended: -EINVAL (no such output, or not as many
 * values as it has fields), -ENOBUFS (FAAS_EMITS_MAX spent; retrying cannot help).
 */
int faas_emit(struct faas_call *call, unsigned int output, const struct faas_value *values,
	      unsigned int count);

/*
 * As faas_emit, for event @p index of the batch; only in faas_on_batch. There,
 * faas_emit and faas_input_* are about event 0, and faas_verdict is -EINVAL.
 * -EINVAL also if there is no such event.
 */
int faas_emit_for(struct faas_call *call, unsigned int index, unsigned int output,
		  const struct faas_value *values, unsigned int count);

/* Put event @p index of the batch aside as a dead letter; only in faas_on_batch. */
void faas_fail(struct faas_call *call, unsigned int index);

/* As faas_input_f64 and faas_input_s64, of event @p index of the batch. */
int faas_input_f64_for(struct faas_call *call, unsigned int index, unsigned int input, double *ret);
int faas_input_s64_for(struct faas_call *call, unsigned int index, unsigned int input,
		       int64_t *ret);

/**
 * @brief Arm the timer of this event's key in this function, or disarm it.
 *
 * @param call     Invocation handle, of a function with FAAS_TIMER() and state.
 * @param after_ns From now on; 0: disarm.
 *
 * A key has one timer: arming it again moves it. It takes effect with the state
 * change when the callback returns 0. faas_on_timer is called once, not before
 * the time is over, as soon afterwards as the worker comes to it (packets and
 * timers take turns), also by the successor of a worker that was killed.
 *
 * @return 0, or -EINVAL: the function has no FAAS_TIMER(), or no state here.
 */
int faas_timer(struct faas_call *call, uint64_t after_ns);

/**
 * @brief Decide about this event's key in the kernel tier.
 *
 * @param call    Invocation handle.
 * @param verdict faas_verdict_id(NAME).
 * @param value   What the kernel function makes of it is its business; `gate`: not 0
 *                is shut.
 * @param ttl_ns  How long it counts, from now on; 0: it does not count any more.
 *
 * An entry in the map of the kernel function that the workflow leads NAME to, read
 * by it for the next packet. It takes effect with the state change when the callback
 * returns 0, a moment later (the courier writes it), once it did in the order of the
 * events, and before older ones never again. When the map is full of verdicts that
 * count, it is counted as refused. With NAME led nowhere, nothing happens.
 *
 * @return 0, or with nothing written: -EINVAL (no such verdict, or the event has no
 * key), -ENOBUFS (FAAS_VERDICTS_EVENT_MAX spent).
 */
int faas_verdict(struct faas_call *call, unsigned int verdict, uint64_t value, uint64_t ttl_ns);

/* The state of this event's key, as the callback got it; NULL without. */
void *faas_state(struct faas_call *call);

/* CLOCK_MONOTONIC now, in nanoseconds: the clock of event->time_ns. */
uint64_t faas_now(const struct faas_call *call);

/* What to add to it to get the wall clock, nanoseconds since 1970, as of now. A
 * machine without a battery for its clock starts in 1970. */
int64_t faas_wall_offset(const struct faas_call *call);

/**
 * @brief Write a line to the log of the runtime, with the names of workflow and function.
 *
 * At most FAAS_LOG_LINE_BYTES of text; control characters are escaped. At most
 * as many a second as `limits.logs` of the workflow says, for all of its functions
 * together; what a function writes above that is counted, and its next line says
 * how many. Never blocks; a line that the runtime has no room for counts as one too
 * many. It is written when it is called: also if the event fails, and again if the
 * event is repeated after a crash.
 */
void faas_log(struct faas_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * @brief Read an input field of the event as a number.
 *
 * @param call  Invocation handle.
 * @param input faas_input(NAME).
 * @param ret   The value; u64, s64 and decimal are converted (decimal 1.5 is 1.5).
 * @return 0, or -ENODATA with *ret untouched: no function set it for this event.
 */
int faas_input_f64(struct faas_call *call, unsigned int input, double *ret);
int faas_input_s64(struct faas_call *call, unsigned int input, int64_t *ret);
#define faas_input(name) (faas_input_##name)

/* The event's key, bytes as the workflow composes it. Borrowed from the event. */
static inline const uint8_t *faas_event_key(const struct faas_event *event)
{
	return (const uint8_t *)event + FAAS_EVENT_KEY_OFFSET;
}

static inline const uint64_t *faas_event_fields(const struct faas_event *event)
{
	return (const uint64_t *)(const void *)((const uint8_t *)event + FAAS_EVENT_KEY_OFFSET +
						FAAS_ALIGN8(event->key_bytes));
}

/* Payload, event->payload_bytes long. */
static inline const uint8_t *faas_event_payload(const struct faas_event *event)
{
	return (const uint8_t *)(faas_event_fields(event) + event->field_count);
}

/* Addresses of the packet, 16 bytes each, IPv4 as ::ffff:a.b.c.d. */
static inline const uint8_t *faas_event_source(const struct faas_event *event)
{
	return (const uint8_t *)event + FAAS_EVENT_HEADER_BYTES;
}

static inline const uint8_t *faas_event_destination(const struct faas_event *event)
{
	return (const uint8_t *)event + FAAS_EVENT_HEADER_BYTES + FAAS_EVENT_ADDRESS_BYTES;
}

#ifdef __cplusplus
}
#endif

#endif
