/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Table tests of kernel functions: each runs alone, or a few instances side by
 * side, in a program of its own that is fused as a workflow is, through
 * BPF_PROG_TEST_RUN. Needs root, clang, and the build tree.
 *
 *   harness_open -> harness_run, harness_map ... -> harness_close
 *
 * Whatever goes wrong outside the function under test fails the cmocka test
 * with a message.
 */
#ifndef FAAS_TEST_FUNCTION_HARNESS_H
#define FAAS_TEST_FUNCTION_HARNESS_H

#include <stdbool.h>
#include <stdint.h>

#include <bpf/libbpf.h>

#include <ebpf_faas/limits.h>
#include <ebpf_faas/pins.h>

#include "frame.h"

#define HARNESS_INSTANCES_MAX 4
#define HARNESS_PARAMS_MAX 10
#define HARNESS_MAPS_MAX 16
#define HARNESS_CPUS_MAX 1024
#define HARNESS_TOGETHER 2
#define HARNESS_LOG_BYTES (1 << 20)

/* Type as in FAAS_TYPE_type; value as C writes it: durations in nanoseconds,
 * decimals in millionths, choices by number, sets by bits. What a function says
 * is changeable can be set by harness_set if it is said here as well. */
struct harness_param {
	const char *type, *name, *value;
	bool changeable;
};

/* An instance of a function. Output n of the function is answered as number n,
 * field n as bit n, in the order of these lists. */
struct harness_instance {
	const char *instance; /* a C identifier */
	const char *object; /* "funcs/NAME/NAME.bpf.o" or another path below the build directory */
	struct harness_param params[HARNESS_PARAMS_MAX];
	const char *outputs[FAAS_OUTPUTS_MAX];
	const char *fields[FAAS_RECORD_FIELDS_MAX];
	/* A state map of it and its number of entries, as a workflow's build sets it. */
	const char *sized_map;
	uint32_t entries;
};

/* A state map: of which instance, as the source calls it, in the object. */
struct harness_map {
	char instance[32], map[32], name[32];
};

struct harness {
	struct bpf_object *object; /* NULL: refused by the verifier */
	int program_fd;
	struct harness_map maps[HARNESS_MAPS_MAX];
	unsigned int map_count;
	char log[HARNESS_LOG_BYTES]; /* of the verifier */
};

/* What an instance did with a packet. */
struct harness_answer {
	int output;
	uint32_t fields_present;
	uint64_t fields[FAAS_RECORD_FIELDS_MAX];
};

/* Fuse and load. Returns-owned. */
struct harness *harness_open(const struct harness_instance *instances, unsigned int count);

/* The same, but the verifier may refuse the program: then object is NULL, and
 * log says why. */
struct harness *harness_try(const struct harness_instance *instances, unsigned int count);

void harness_close(struct harness *harness);

/* Let an instance see a frame. @p flags are FAAS_EVENT_*, as the root program
 * would set them. */
void harness_run(struct harness *harness, unsigned int instance, const struct frame_spec *spec,
		 uint8_t flags, struct harness_answer *ret);

/* The same with a frame and its description at hand. */
void harness_run_packet(struct harness *harness, unsigned int instance, const void *frame,
			uint32_t bytes, const struct faas_packet *packet,
			struct harness_answer *ret);

/* What is not alike in packets that are run many times: nothing; the first 8 bytes of
 * the payload; 4 bytes of the source address (IPv4 without VLAN tag); or the payload,
 * but on each CPU the same in the same order. */
enum harness_vary { VARY_NOTHING, VARY_PAYLOAD, VARY_SOURCE, VARY_IN_STEP };

/* The same from HARNESS_TOGETHER threads at once, on as many CPUs if there are,
 * each @p repeat times. @p ret_tallies is how often each output was the answer.
 * Returns how many CPUs there were. */
unsigned int harness_run_together(struct harness *harness, unsigned int instance,
				  const struct frame_spec *spec, enum harness_vary vary,
				  unsigned int repeat, uint64_t ret_tallies[FAAS_OUTPUTS_MAX]);

/* Change a changeable parameter of 4 or 8 bytes. */
void harness_set(struct harness *harness, const char *instance, const char *param, int64_t value);

/* Time @p repeat runs, in nanoseconds each. */
uint32_t harness_time(struct harness *harness, unsigned int instance, const struct frame_spec *spec,
		      enum harness_vary vary, unsigned int repeat);

/* Measure and print what the instance costs above one that does nothing, for the
 * function's README: best of some rounds of both, in turns. */
void harness_print_cost(struct harness *harness, unsigned int instance,
			const struct frame_spec *spec, enum harness_vary vary, const char *what);

/* A state map of an instance. Borrowed. */
struct bpf_map *harness_map(const struct harness *harness, const char *instance, const char *map);

/* What the root program would find in a frame from frame_build. */
struct faas_packet harness_describe(const struct frame_spec *spec, const struct frame *frame,
				    uint8_t flags);

#endif
