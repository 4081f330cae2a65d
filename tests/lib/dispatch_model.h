/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Trigger tables in memory, the walk of a packet over them, and the same question
 * answered from a plain list of rules.
 */
#ifndef FAAS_TESTS_DISPATCH_MODEL_H
#define FAAS_TESTS_DISPATCH_MODEL_H

#include "loader/dispatch.h"

#define MODEL_KEYS_MAX 4096

struct model_entry {
	struct faas_prefix_key key;
	struct faas_trigger_ref ref;
};

struct model_tables {
	struct dispatch_storage storage;
	struct faas_port_entry ports[FAAS_PORTS];
	struct faas_rule rules[FAAS_RULES_MAX];
	struct dispatch_class classes[FAAS_CLASSES];
	uint32_t stages;
	struct model_entry keyed[DISPATCH_MAPS][MODEL_KEYS_MAX];
	uint32_t keyed_count[DISPATCH_MAPS];
	/* Entries that a packet may still be looking at. */
	bool visible[FAAS_RULES_MAX];
	struct faas_rule seen[FAAS_RULES_MAX];
	uint32_t barriers;
	int store_error; /* what the next store into a keyed map returns */
};

/* What the tables are asked for; conditions in host byte order. */
struct model_packet {
	bool has_ports, has_icmp;
	uint16_t destination_port, source_port, vlan, ethertype;
	uint8_t protocol, icmp_type;
	uint8_t destination[16], source[16];
};

void model_init(struct model_tables *tables);

/* The trigger that the tables lead a packet to; slot 0: none. Fails the test on a
 * chain that pins.h does not allow. */
struct faas_trigger_ref model_walk(const struct model_tables *tables,
				   const struct model_packet *packet);

/* The same by the written order, from all rules. */
struct faas_trigger_ref model_best(const struct faas_rule *rules, uint32_t count,
				   const struct model_packet *packet);

/* Call around a commit: fails the test if an entry was written that a packet may
 * have been looking at. */
void model_before_commit(struct model_tables *tables);
void model_after_commit(struct model_tables *tables);

/* Entries of rules that places lead to. */
uint32_t model_entries_used(const struct model_tables *tables);

#endif
