/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * State of kernel functions that a new version of a workflow takes over from the one
 * that runs: the maps and variables of an instance that is there in both, under the
 * same function, if their layouts agree. Both versions then have the same map.
 */
#ifndef FAAS_LOADER_TAKEOVER_H
#define FAAS_LOADER_TAKEOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "bundle.h"
#include "diag.h"

struct bpf_object;

enum takeover_kind {
	TAKEOVER_KEPT,
	TAKEOVER_RESET, /* begins anew, as was asked for */
	TAKEOVER_DIFFERS,
	TAKEOVER_NEW,	   /* the running version has none */
	TAKEOVER_GONE,	   /* the new version has none */
	TAKEOVER_MIGRATED, /* of user functions: key by key into a new table */
};

/* A map or the variables of one instance. */
struct takeover_item {
	char instance[FAAS_NAME_BYTES];
	char function[FAAS_IDENTIFIER_BYTES];
	char state[FAAS_IDENTIFIER_BYTES]; /* the map as its source calls it, or "variables" */
	char pin[64];
	enum takeover_kind kind;
	char difference[256]; /* in words: "... there, ... here" */
};

#define TAKEOVER_ITEMS_MAX                                                                         \
	(2 * FAAS_KERNEL_FUNCTIONS_MAX * (FAAS_STATE_MAPS_MAX + 2) + 2 * FAAS_USER_FUNCTIONS_MAX)

struct takeover {
	/* What runs, given by the caller. */
	const struct bundle *from;
	uint32_t generation;
	const char *const *resets; /* instances whose state begins anew */
	unsigned int reset_count;
	/* What became of it. */
	struct takeover_item items[TAKEOVER_ITEMS_MAX];
	uint32_t item_count;
	bool meters_kept; /* counters go on in the same map */
};

/* Fill items and meters_kept. @p object is opened, and not loaded yet. 0, or -1 with a
 * diagnostic: pins of what runs cannot be read. */
int takeover_look(struct takeover *takeover, const struct bundle *to, struct bpf_object *object,
		  struct diags *diags) __attribute__((warn_unused_result));

/* takeover_look(), refuse what differs or is reset without being there, and put what is
 * kept into @p object. */
int takeover_apply(struct takeover *takeover, const struct bundle *to, struct bpf_object *object,
		   struct diags *diags) __attribute__((warn_unused_result));

/* Behind takeover_look: add what becomes of the states of user functions. */
void takeover_look_at_user(struct takeover *takeover, const struct bundle *to);

/* Whether a map of the new version, by its name in the object, is that of the running one;
 * behind takeover_look. */
bool takeover_keeps(const struct takeover *takeover, const struct bundle *to, const char *map);

/* Name in bpffs of the variables in a section; false: they have none. */
bool takeover_variables_pin(const char *section, char *ret, size_t bytes);

#endif
