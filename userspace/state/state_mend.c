// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A table of which a part was lost. A slot is found by looking from its first place
 * on until a free one: a hole makes those behind it unreachable, so all that are
 * left are stored anew.
 */
#include "state.h"

#include <stdlib.h>
#include <string.h>

#include <errno.h>

#include "userspace/state/state_lookup.h"

void state_cut(void *mapping, const struct state_shape *shape, uint64_t begin)
{
	uint64_t slot_bytes = state_slot_bytes(shape->key_bytes, shape->value_bytes);
	uint64_t into;

	if (begin < STATE_DATA_OFFSET)
		return;
	into = (begin - STATE_DATA_OFFSET) % slot_bytes;
	if (into)
		memset((uint8_t *)mapping + begin - into, 0, into);
}

int state_mend(void *mapping, const struct state_shape *shape)
{
	uint64_t bytes = state_table_bytes(shape->keys_max, shape->key_bytes, shape->value_bytes);
	struct state_table table;
	uint8_t *copy;
	int err = 0;

	/* Without the seed of the hash no key is found again. */
	if (!((const struct state_header *)mapping)->magic ||
	    state_open(&table, mapping, bytes, shape, 0)) {
		memset(mapping, 0, bytes);
		return 0;
	}
	copy = malloc(table.capacity * table.slot_bytes);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, table.slots, table.capacity * table.slot_bytes);
	memset(table.slots, 0, table.capacity * table.slot_bytes);
	table.keys = 0;
	for (uint64_t i = 0; !err && i < table.capacity; i++) {
		struct state_slot *slot =
			(struct state_slot *)(void *)(copy + i * table.slot_bytes);

		if (slot->mark && slot->key_bytes <= shape->key_bytes)
			err = state_put(&table, state_slot_key(slot), slot->key_bytes,
					state_slot_value(&table, slot));
	}
	free(copy);
	return err;
}
