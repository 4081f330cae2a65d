/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The root program under BPF_PROG_TEST_RUN: frames go in, and what its maps say
 * comes out. Stays on one CPU, as the maps are per CPU. A failure outside the
 * program fails the cmocka test.
 */
#ifndef FAAS_TEST_ROOT_HARNESS_H
#define FAAS_TEST_ROOT_HARNESS_H

#include <stdbool.h>
#include <stdint.h>

#include <bpf/libbpf.h>

#include <ebpf_faas/pins.h>

#include "tables.h"

enum root_hook { ROOT_XDP, ROOT_TC };

struct root {
	enum root_hook hook;
	struct bpf_object *object;
	int program_fd, packet_fd, ports_fd, slots_fd, slot_counters_fd, counters_fd;
	int rules_fd, classes_fd, stages_fd, ethertypes_fd, sources_fd, destinations_fd;
	unsigned int cpus;	  /* possible */
	uint32_t pass;		  /* verdict of what no workflow takes */
	uint32_t frame_bytes_min; /* that the kernel runs it with */
};

/* Where a frame was counted: exactly one of them goes up by one. */
enum root_count {
	ROOT_UNMATCHED,
	ROOT_FRAGMENT,
	ROOT_NOT_IP,
	ROOT_OTHER_PROTOCOL,
	ROOT_MALFORMED,
	ROOT_NONLINEAR,
	ROOT_MATCHED, /* and described in *packet */
	ROOT_COUNTS,
};

extern const char *const root_count_names[ROOT_COUNTS];

void root_open(struct root *ret, enum root_hook hook);
void root_close(struct root *root);

/* Say where a port leads. */
void root_set_port(struct root *root, uint16_t port, const struct faas_port_entry *entry);

/* Put these tables, and no others, behind the port table; their ports are added to
 * those that are set. */
void root_set_tables(struct root *root, const struct tables *tables);

/* Empty the port table where @p tables filled it. */
void root_clear_ports(struct root *root, const struct tables *tables);

/* Put a program that returns @p verdict into a slot; a negative one empties it. */
void root_set_slot(struct root *root, uint32_t slot, int verdict);

/* Run a frame. Returns the verdict. */
uint32_t root_run(struct root *root, const void *frame, uint32_t bytes);

/* Run a frame that no slot's program takes: checks that it passes and that it
 * is counted once, and tells where. */
enum root_count root_count(struct root *root, const void *frame, uint32_t bytes,
			   struct faas_packet *ret_packet);

/* The trigger that takes a frame; 0: none. */
uint16_t root_trigger(struct root *root, const void *frame, uint32_t bytes);

/* As root_count() with @p linear_bytes in the linear part and the others in further
 * buffers; 0: as the kernel likes it. False: this kernel's BPF_PROG_TEST_RUN cannot
 * make such a packet. */
bool root_count_split(struct root *root, const void *frame, uint32_t bytes, uint32_t linear_bytes,
		      enum root_count *ret, struct faas_packet *ret_packet);

/* How the last packet that was taken on this CPU was described. */
struct faas_packet root_packet(struct root *root);

/* Counters of a slot and of the interface, summed over CPUs. */
struct faas_slot_counters root_slot_counters(struct root *root, uint32_t slot);
struct faas_root_counters root_counters(struct root *root);

#endif
