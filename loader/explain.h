/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Running packets through workflows without an interface: the real root program
 * and the real fused programs in maps of their own, which nobody else sees, under
 * BPF_PROG_TEST_RUN. What happened to a packet is read from what the programs
 * counted and emitted; only the triggers that came second are found here.
 *
 *   explain_open -> explain_add ... -> explain_begin -> explain_run ... -> explain_close
 */
#ifndef FAAS_LOADER_EXPLAIN_H
#define FAAS_LOADER_EXPLAIN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include <ebpf_faas/event.h>
#include <ebpf_faas/pins.h>

#include "bundle.h"
#include "capture.h"
#include "diag.h"
#include "function.h"

#define EXPLAIN_PASSED_OVER_MAX 16
#define EXPLAIN_EVENTS_MAX (FAAS_TRIGGER_TARGETS_MAX + FAAS_ENTRIES_MAX)

struct explain;

struct explain_meters {
	struct faas_meters ledger;
	struct faas_function_meters functions[FAAS_KERNEL_FUNCTIONS_MAX];
};

struct explain_event {
	struct faas_event head;
	uint8_t key[FAAS_KEY_BYTES_MAX];
	uint64_t fields[FAAS_RECORD_FIELDS_MAX];
};

/* A rule that matches a packet, and whose it is. */
struct explain_match {
	const struct faas_rule *rule;
	const struct bundle *bundle;
	const struct bundle_trigger *trigger;
};

/* What became of one packet. */
struct explain_outcome {
	/* Why no workflow took it: a member of struct faas_root_counters, or
	 * "too_short" for the kernel to run a program with; NULL: one did. */
	const char *not_taken;
	bool described; /* the root program could parse it: what follows is known */
	struct faas_packet packet;
	uint8_t source[16], destination[16];
	int icmp_type; /* -1: none */
	/* Of a packet that was taken. */
	struct explain_match taken;
	struct explain_match passed_over[EXPLAIN_PASSED_OVER_MAX]; /* most specific first */
	uint32_t passed_over_count;
	const struct function *functions[FAAS_KERNEL_FUNCTIONS_MAX]; /* NULL: not at hand */
	struct explain_meters counted;				     /* by this packet */
	struct explain_event events[EXPLAIN_EVENTS_MAX];
	uint32_t event_count;
};

/* Load the programs of a hook. Returns-owned. Needs root. The thread stays on one
 * CPU from here on. */
int explain_open(enum bundle_hook hook, struct explain **ret, struct diags *diags)
	__attribute__((warn_unused_result));
void explain_close(struct explain *explain);

/**
 * @brief Load a workflow as well, with its triggers of this hook.
 *
 * @param bundle     Copied.
 * @param directory  Of the bundle.
 * @param interface  Only triggers of this interface count; NULL: all.
 * @param functions  What its kernel functions declare, by index; NULL members where
 *                   that is not at hand. Copied.
 */
int explain_add(struct explain *explain, const struct bundle *bundle, const char *directory,
		const char *interface, const struct function *const *functions, struct diags *diags)
	__attribute__((warn_unused_result));

/* Fill the trigger tables, as loading does, from all that were added. */
int explain_begin(struct explain *explain, struct diags *diags) __attribute__((warn_unused_result));

/* Run a packet. What functions remember stays for the next one. */
int explain_run(struct explain *explain, const uint8_t *frame, uint32_t bytes,
		struct explain_outcome *ret, struct diags *diags)
	__attribute__((warn_unused_result));

/* Whether a trigger is at the hook and interface (NULL: any). */
bool explain_trigger_counts(const struct bundle_trigger *trigger, enum bundle_hook hook,
			    const char *interface);

/* One packet and what became of it. Returns-owned. */
json_t *explain_json(const struct explain_outcome *outcome, uint64_t number,
		     const struct capture_packet *packet) __attribute__((warn_unused_result));
/* The same for people, from explain_json(). */
void explain_print(const json_t *packet, FILE *stream);

#endif
