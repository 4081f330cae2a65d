/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The state of one user function: a table of fixed size in a mapped file, from
 * key to value. Open addressing, nothing is ever removed, no allocation. Its format
 * is in userspace/base/stateview.h, for those who only look at it.
 *
 * The owner may be killed at any instruction. A slot counts from when its mark
 * is stored, and by then its key stands. Values may be torn: the log says what
 * they should be, and recovery puts it back (state_put) for every event whose
 * copying may not have finished.
 */
#ifndef FAAS_STATE_STATE_H
#define FAAS_STATE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "bundle.h"
#include "bundle_size.h"
#include "stateview.h"
#include "userspace/log/durable_format.h"

/* A table in use. Borrows the mapping. */
struct state_table {
	uint8_t *slots;
	uint64_t *changes; /* of the header */
	uint64_t capacity;
	uint64_t seed;
	uint32_t slot_bytes;
	uint32_t key_room; /* key_bytes, padded */
	uint32_t value_bytes;
	uint32_t keys_max;
	uint32_t keys; /* in use */
};

/* Where a key is, or would be inserted. Good until the next insertion. */
struct state_place {
	struct state_slot *slot;
	uint32_t mark;
};

/* What a table must be like. */
struct state_shape {
	uint32_t keys_max;
	uint32_t key_bytes;
	uint32_t value_bytes;
	uint32_t value_version;
};

/* How the table of user function @p function stands on the disk; its name is "" if its
 * state is not durable. */
void state_durable_shape(const struct bundle *bundle, uint32_t function, struct durable_shape *ret);

/* Of the bytes of an image from @p begin on some were lost, and are zero: what is left
 * of a slot that they were a part of does not count any more. */
void state_cut(void *mapping, const struct state_shape *shape, uint64_t begin);

/* Behind state_cut: put the slots that are left where they are found again. Without
 * its head a table begins empty. 0 or -ENOMEM. */
int state_mend(void *mapping, const struct state_shape *shape) __attribute__((warn_unused_result));

/**
 * @brief Take up a table, or lay one out where there is none yet.
 *
 * @param mapping  The file, writable, @p file_bytes long. All zeros: a new
 *                 table is laid out.
 * @param seed     For a new table: random.
 * @return 0; -EINVAL: the file is too short, or no table; -ESTALE: a table of
 * another shape (an older version of the function's state).
 */
int state_open(struct state_table *table, void *mapping, uint64_t file_bytes,
	       const struct state_shape *shape, uint64_t seed) __attribute__((warn_unused_result));

/* Whether one more key may be inserted. */
static inline bool state_has_room(const struct state_table *table)
{
	return table->keys < table->keys_max;
}

/* Insert a key that is not there, at its place: for state_store of state_lookup.h. */
void state_insert(struct state_table *table, const struct state_place *place, const void *key,
		  uint32_t key_bytes, const void *value);

/* Redo: find and store, see state_lookup.h. -ENOSPC: no room. -EINVAL: @p key_bytes too long. */
int state_put(struct state_table *table, const void *key, uint32_t key_bytes, const void *value)
	__attribute__((warn_unused_result));

#endif
