/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The trigger tables of one interface and hook as a data structure. A change is
 * made in memory first, where it may be refused, and then committed: new chains
 * are written into entries that no packet can reach, and each place is switched
 * to its new chain by one store. A packet sees a place as it was or as it will be.
 *
 *   dispatch_open -> dispatch_remove, dispatch_insert (any number) ->
 *   dispatch_fits or dispatch_commit -> dispatch_close
 *
 * What always holds in the tables, besides what pins.h says:
 *   - A place leads to a trigger directly if and only if one rule stands there
 *     which has no checks, priority 0 and, at a port, that one port. So a direct
 *     ref says everything about its rule.
 *   - A prefix place exists while a rule has exactly this prefix. Its chain goes
 *     on with the one of the next shorter prefix, unless one of its own rules
 *     takes every packet that comes there.
 *   - Equal chains, and equal ends of chains, are the same entries.
 *   - An entry that a chain led to is written again only after a barrier.
 *
 * Not safe against a second writer: hold the host's lock. Reading alone is safe.
 */
#ifndef FAAS_LOADER_DISPATCH_H
#define FAAS_LOADER_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebpf_faas/pins.h>

#include "dispatch_rules.h"

enum dispatch_map { DISPATCH_DESTINATIONS, DISPATCH_SOURCES, DISPATCH_ETHERTYPES, DISPATCH_MAPS };

/* An element of classes as it is mapped: the kernel pads elements to 8 bytes. */
struct dispatch_class {
	struct faas_trigger_ref ref;
	uint32_t padding;
};

/*
 * Where the tables are: mapped memory, and calls for the maps that cannot be
 * mapped. A key of DISPATCH_ETHERTYPES has 16 bits, in network order. The calls
 * return 0 or -errno.
 */
struct dispatch_storage {
	struct faas_port_entry *ports;	/* FAAS_PORTS */
	struct faas_rule *rules;	/* FAAS_RULES_MAX */
	struct dispatch_class *classes; /* FAAS_CLASSES */
	uint32_t *stages;
	void *context;
	/* Hand every entry to @p add, which returns 0 or -errno, in any order. */
	int (*load)(void *context, enum dispatch_map map,
		    int (*add)(void *to, const struct faas_prefix_key *key,
			       struct faas_trigger_ref ref),
		    void *to);
	int (*store)(void *context, enum dispatch_map map, const struct faas_prefix_key *key,
		     struct faas_trigger_ref ref);
	int (*erase)(void *context, enum dispatch_map map, const struct faas_prefix_key *key);
	/* Wait until no running program can see what was taken out of the tables. */
	int (*barrier)(void *context);
};

/* Why rules were refused. */
enum dispatch_refusal_kind {
	REFUSED_NOT,
	REFUSED_COLLISION,  /* others[0] is as specific as rule and has the same priority */
	REFUSED_CANDIDATES, /* others, together with rule, are too many for one place */
	REFUSED_FULL,	    /* full says which table */
};

struct dispatch_refusal {
	enum dispatch_refusal_kind kind;
	struct faas_rule rule;
	struct faas_rule others[FAAS_CANDIDATES_MAX];
	uint32_t other_count;
	const char *full;
	uint32_t full_max;
};

struct dispatch;

/**
 * Look at tables. @p storage is borrowed, and NULL for tables that are not made
 * yet: they are empty then, and cannot be committed. Returns-owned.
 * 0, -ENOMEM, or -EILSEQ: the tables are damaged.
 */
int dispatch_open(const struct dispatch_storage *storage, struct dispatch **ret)
	__attribute__((warn_unused_result));
void dispatch_close(struct dispatch *dispatch);

/**
 * Add rules; those that are there already stay as they are.
 *
 * @return 0; -EEXIST with @p ret filled; -ENOMEM, -EILSEQ or what the storage
 * returned. After an error only dispatch_close() may follow.
 */
int dispatch_insert(struct dispatch *dispatch, const struct faas_rule *rules, uint32_t count,
		    struct dispatch_refusal *ret) __attribute__((warn_unused_result));

/* Take out the rules that lead to @p slot, except the @p keep_count in @p keep.
 * Errors as with dispatch_insert(). */
int dispatch_remove(struct dispatch *dispatch, uint32_t slot, const struct faas_rule *keep,
		    uint32_t keep_count) __attribute__((warn_unused_result));

/* Whether there is room for what was added: 0, or -EEXIST with @p ret filled. */
int dispatch_fits(struct dispatch *dispatch, struct dispatch_refusal *ret)
	__attribute__((warn_unused_result));

/**
 * Write the changes. After -EEXIST (no room; @p ret is filled) nothing is changed;
 * after another error some places are, each of them to a sound state. Only
 * dispatch_close() may follow.
 */
int dispatch_commit(struct dispatch *dispatch, struct dispatch_refusal *ret)
	__attribute__((warn_unused_result));

/* Whether no rule at all stands in the tables. */
bool dispatch_empty(const struct dispatch *dispatch);

#endif
