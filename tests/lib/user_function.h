/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A user function on its own: the built shared object, loaded as a worker
 * loads it, with user_function.c in the worker's place.
 */
#ifndef FAAS_TEST_USER_FUNCTION_H
#define FAAS_TEST_USER_FUNCTION_H

#include <stdbool.h>
#include <stdint.h>

#define USER_FUNCTION_FIELDS_MAX 8
#define USER_FUNCTION_EMITS_MAX 16 /* FAAS_EMITS_MAX */
#define USER_FUNCTION_INPUTS_MAX 8
#define USER_FUNCTION_INPUT 7 /* the number that a test gives the function's input */

/* As include/ebpf_faas/user.h has it; what that declares is for functions. */
struct faas_value {
	union {
		uint64_t u64;
		int64_t s64;
		double f64;
	};
};

struct user_function_record {
	unsigned int output;
	unsigned int field_count;
	struct faas_value fields[USER_FUNCTION_FIELDS_MAX];
};

/* The handle of a call: what the event holds, and what it led to. */
struct faas_call {
	bool has_value; /* of input USER_FUNCTION_INPUT */
	double value;
	bool has_input[USER_FUNCTION_INPUTS_MAX]; /* of the others */
	int64_t inputs[USER_FUNCTION_INPUTS_MAX];
	unsigned int emitted;
	unsigned int output; /* of the last emit, as are the fields */
	unsigned int field_count;
	struct faas_value fields[USER_FUNCTION_FIELDS_MAX];
	uint64_t now_ns; /* what the clock shows, and how far the wall clock is from it */
	int64_t wall_offset_ns;
	/* The timer of the key, as a worker keeps it from call to call; a test that
	 * lets it run out clears it before it calls on_timer. 0: not armed. */
	uint64_t deadline_ns;
	void *state;						      /* what faas_state returns */
	unsigned int lines;					      /* of log */
	struct user_function_record records[USER_FUNCTION_EMITS_MAX]; /* of each */
	unsigned int verdicts;
	unsigned int verdict; /* the last of them, as are value and time */
	uint64_t verdict_value, verdict_ttl_ns;
};

struct user_function {
	void *object;
	int (*on_event)(struct faas_call *call, const void *event, void *state);
	/* NULL: the function has no timers. */
	int (*on_timer)(struct faas_call *call, const void *event, void *state);
	uint32_t state_bytes; /* 0: it keeps none */
};

/* Load $BUILD/funcs/NAME/NAME.so. A failure fails the test. */
struct user_function user_function_load(const char *name);
void user_function_close(struct user_function *function);

/* A variable of it, such as faas_param_alpha. */
void *user_function_symbol(const struct user_function *function, const char *name);

/* What a worker exports to functions. */
int faas_emit(struct faas_call *call, unsigned int output, const struct faas_value *values,
	      unsigned int count);
int faas_input_f64(struct faas_call *call, unsigned int input, double *ret);
int faas_timer(struct faas_call *call, uint64_t after_ns);
uint64_t faas_now(const struct faas_call *call);
int faas_verdict(struct faas_call *call, unsigned int verdict, uint64_t value, uint64_t ttl_ns);
int64_t faas_wall_offset(const struct faas_call *call);
void *faas_state(struct faas_call *call);
void faas_log(struct faas_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int faas_input_s64(struct faas_call *call, unsigned int input, int64_t *ret);

#endif
