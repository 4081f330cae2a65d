/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the parts of dispatch share: see dispatch.h. */
#ifndef FAAS_LOADER_DISPATCH_INTERNAL_H
#define FAAS_LOADER_DISPATCH_INTERNAL_H

#include "dispatch.h"

#define KEY_BITS_MAX 128
#define PORT_REFS ((size_t)FAAS_PORTS * 4)

/* A place in a map that has keys. A ref with slot 0: it is not in the map. */
struct keyed_place {
	struct faas_prefix_key key;
	struct faas_trigger_ref now, before;
};

/* One such map, sorted by address and then length, so that a prefix stands right
 * before those within it. */
struct keyed {
	bool loaded;
	struct keyed_place *places;
	uint32_t count, capacity;
	uint32_t lengths[KEY_BITS_MAX + 1]; /* places with so many bits; 0: need not be sought */
};

/* An entry of a chain that is not in the table yet. Its number, in next and in
 * refs, is FAAS_RULES_MAX and more; below are the table's own. */
struct made_rule {
	struct faas_rule rule;
	uint32_t entry; /* in the table, once it has one */
};

struct dispatch {
	const struct dispatch_storage *storage; /* NULL: none yet */
	/* The tables as they shall be. */
	struct faas_port_entry *ports;
	struct faas_trigger_ref *classes;
	struct keyed keyed[DISPATCH_MAPS];
	uint32_t stages;
	struct made_rule *made;
	uint32_t made_count, made_capacity;
	/* Entries of the table that a chain leads to, from nodes_find() on. */
	bool marked;
	bool live[FAAS_RULES_MAX];
	/* All of them and the made ones, by content. */
	uint32_t *index;
	uint32_t index_size, index_used;
};

/* What is being done to the rules of a place: one added, or those of a slot taken
 * out. */
struct change {
	const struct faas_rule *insert;
	uint32_t slot;
	const struct faas_rule *keep; /* sorted by bytes */
	uint32_t keep_count;
	struct dispatch_refusal *refusal;
};

/* The rules of one place, most specific first. */
struct rule_list {
	struct faas_rule rules[FAAS_CANDIDATES_MAX];
	uint32_t count;
};

static inline bool ref_same(struct faas_trigger_ref a, struct faas_trigger_ref b)
{
	return a.slot == b.slot && a.trigger == b.trigger;
}

static inline struct faas_trigger_ref ref_to_chain(uint32_t number)
{
	return (struct faas_trigger_ref){(uint16_t)(FAAS_REF_CHAIN | number >> 16),
					 (uint16_t)number};
}

/* ---- dispatch_lists.c: chains as lists of rules ----------------------------- */

/* Read a place. @p direct is the rule that a direct ref stands for, without
 * leads_to. 0 or -EILSEQ. */
int list_read(const struct dispatch *dispatch, struct faas_trigger_ref ref,
	      const struct faas_rule *direct, struct rule_list *ret)
	__attribute__((warn_unused_result));

/* The ref of a place with these rules; makes the chain if it needs one that is not
 * there. 0, -ENOMEM, -EILSEQ or what the storage returned. */
int list_write(struct dispatch *dispatch, const struct rule_list *list,
	       struct faas_trigger_ref *ret) __attribute__((warn_unused_result));

/* 0, or -EEXIST with the change's refusal filled. */
int list_change(struct rule_list *list, const struct change *change)
	__attribute__((warn_unused_result));
/* Say that @p rule has no room beside those of @p list. -EEXIST. */
int list_refuse(const struct rule_list *list, const struct faas_rule *rule,
		struct dispatch_refusal *refusal) __attribute__((warn_unused_result));

/* An entry of a chain by its number; NULL if there is none. */
const struct faas_rule *node_read(const struct dispatch *dispatch, uint32_t number);

/* Find the entries that are in use, by looking at every place. 0 or -errno. */
int nodes_mark(struct dispatch *dispatch) __attribute__((warn_unused_result));

/* ---- dispatch_keyed.c -------------------------------------------------------- */

int keyed_load(struct dispatch *dispatch, enum dispatch_map map)
	__attribute__((warn_unused_result));
int keyed_change(struct dispatch *dispatch, enum dispatch_map map, const struct change *change)
	__attribute__((warn_unused_result));
/* Places that will be in the map. */
uint32_t keyed_present(const struct keyed *keyed);

/* The bit in stages of a keyed map. */
uint32_t keyed_stage(enum dispatch_map map);

#endif
