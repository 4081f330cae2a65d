/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The root program under BPF_PROG_TEST_RUN: frames go in, and what its maps say
 * comes out. Stays on one CPU, as the maps are per CPU. A failure outside the
 * program fails the cmocka test.
 */
#ifndef FAAS_TEST_ROOT_HARNESS_H
#define FAAS_TEST_ROOT_HARNESS_H

#include <stdint.h>

#include <bpf/libbpf.h>

#include <ebpf_faas/pins.h>

struct root {
	struct bpf_object *object;
	int program_fd, packet_fd, ports_fd, slots_fd, slot_counters_fd, counters_fd;
	unsigned int cpus; /* possible */
};

/* Where a frame was counted: exactly one of them goes up by one. */
enum root_count {
	ROOT_UNMATCHED,
	ROOT_FRAGMENT,
	ROOT_NOT_IP,
	ROOT_OTHER_PROTOCOL,
	ROOT_MALFORMED,
	ROOT_MATCHED, /* and described in *packet */
	ROOT_COUNTS,
};

extern const char *const root_count_names[ROOT_COUNTS];

void root_open(struct root *ret);
void root_close(struct root *root);

/* Say where a port leads. */
void root_set_port(struct root *root, uint16_t port, const struct faas_port_entry *entry);

/* Put a program that returns @p verdict into a slot; a negative one empties it. */
void root_set_slot(struct root *root, uint32_t slot, int verdict);

/* Run a frame. Returns the verdict. */
uint32_t root_run(struct root *root, const void *frame, uint32_t bytes);

/* Run a frame that no slot's program takes: checks that it passes and that it
 * is counted once, and tells where. */
enum root_count root_count(struct root *root, const void *frame, uint32_t bytes,
			   struct faas_packet *ret_packet);

/* Counters of a slot and of the interface, summed over CPUs. */
struct faas_slot_counters root_slot_counters(struct root *root, uint32_t slot);
struct faas_root_counters root_counters(struct root *root);

#endif
