/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Trigger tables as tests write them down, and which trigger they lead a frame
 * to, found by code that shares nothing with the BPF side: it reads the frame by
 * reading.h and compares addresses bit by bit.
 */
#ifndef FAAS_TESTS_LIB_TABLES_H
#define FAAS_TESTS_LIB_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include <ebpf_faas/pins.h>

#include "reading.h"

#define TABLES_PORTS_MAX 4
#define TABLES_PREFIXES_MAX 12
#define TABLES_ETHERTYPES_MAX 4
#define TABLES_CLASSES_MAX 12
#define TABLES_RULES_MAX 32

/* Networks are text; bits count as in the text, so /24 of an IPv4 network is 24. */
struct tables_prefix {
	const char *network; /* NULL ends the list */
	uint8_t bits;
	bool destination;
	struct faas_trigger_ref ref;
};

struct tables_rule {
	struct faas_rule rule;
	const char *destination, *source; /* networks of it; bits in rule, as in the text */
};

struct tables {
	struct {
		uint16_t port; /* 0: no entry */
		struct faas_port_entry entry;
	} ports[TABLES_PORTS_MAX];
	struct tables_prefix prefixes[TABLES_PREFIXES_MAX];
	struct {
		uint16_t ethertype; /* 0 ends the list */
		struct faas_trigger_ref ref;
	} ethertypes[TABLES_ETHERTYPES_MAX];
	struct {
		uint32_t class;
		struct faas_trigger_ref ref; /* slot 0: no entry */
	} classes[TABLES_CLASSES_MAX];
	struct tables_rule rules[TABLES_RULES_MAX]; /* by index; 0 is not used */
};

/* A chain that begins with a rule. */
#define TABLES_CHAIN(index)                                                                        \
	{                                                                                          \
		FAAS_REF_CHAIN, (index)                                                            \
	}

/* As they stand in the maps. */
struct faas_rule tables_rule(const struct tables_rule *rule);
struct faas_prefix_key tables_prefix_key(const struct tables_prefix *prefix);
uint32_t tables_stages(const struct tables *tables);

/* The trigger that takes a frame; slot 0: none. */
struct faas_trigger_ref tables_find(const struct tables *tables, const struct reading *reading);

/* Its id, for the bytes of a frame; 0: none. */
uint16_t tables_trigger(const struct tables *tables, const void *frame, uint32_t bytes);

#endif
