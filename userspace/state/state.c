// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "state.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "fault.h"
#include "userspace/state/state_lookup.h"
#include "words.h"

static void lay_out(struct state_header *header, const struct state_shape *shape, uint64_t seed)
{
	header->version = STATE_VERSION;
	header->key_bytes = shape->key_bytes;
	header->value_bytes = shape->value_bytes;
	header->value_version = shape->value_version;
	header->keys_max = shape->keys_max;
	header->slot_bytes = state_slot_bytes(shape->key_bytes, shape->value_bytes);
	header->capacity = state_capacity(shape->keys_max);
	header->seed = seed;
	__atomic_store_n(&header->magic, STATE_MAGIC, __ATOMIC_RELEASE);
}

int state_open(struct state_table *table, void *mapping, uint64_t file_bytes,
	       const struct state_shape *shape, uint64_t seed)
{
	struct state_header *header = mapping;
	uint32_t keys = 0;

	assert(shape->key_bytes <= FAAS_KEY_BYTES_MAX &&
	       shape->value_bytes <= FAAS_STATE_BYTES_MAX);
	if (!shape->keys_max || shape->keys_max > FAAS_STATE_KEYS_MAX ||
	    file_bytes < state_table_bytes(shape->keys_max, shape->key_bytes, shape->value_bytes))
		return -EINVAL;
	if (!header->magic)
		lay_out(header, shape, seed);
	if (header->magic != STATE_MAGIC || header->version != STATE_VERSION)
		return -EINVAL;
	if (header->key_bytes != shape->key_bytes || header->value_bytes != shape->value_bytes ||
	    header->value_version != shape->value_version || header->keys_max != shape->keys_max ||
	    header->slot_bytes != state_slot_bytes(shape->key_bytes, shape->value_bytes) ||
	    header->capacity != state_capacity(shape->keys_max))
		return -ESTALE;

	*table = (struct state_table){
		.slots = (uint8_t *)mapping + STATE_DATA_OFFSET,
		.changes = &header->changes,
		.capacity = header->capacity,
		.seed = header->seed,
		.slot_bytes = header->slot_bytes,
		.key_room = words_pad(header->key_bytes),
		.value_bytes = header->value_bytes,
		.keys_max = header->keys_max,
	};
	/* A count in the file could differ from the marks by a kill between them. */
	for (uint64_t i = 0; i < table->capacity; i++)
		keys += state_slot_at(table, i)->mark != 0;
	if (keys > table->keys_max)
		return -EINVAL;
	table->keys = keys;
	return 0;
}

void state_insert(struct state_table *table, const struct state_place *place, const void *key,
		  uint32_t key_bytes, const void *value)
{
	struct state_slot *slot = place->slot;

	assert(state_has_room(table));
	slot->key_bytes = key_bytes;
	memcpy(state_slot_key(slot), key, key_bytes);
	state_copy_value(state_slot_value(table, slot), value, table->value_bytes);
	fault_point("state.half_inserted");
	__atomic_store_n(&slot->mark, place->mark, __ATOMIC_RELEASE);
	table->keys++;
}

int state_put(struct state_table *table, const void *key, uint32_t key_bytes, const void *value)
{
	struct state_place place;

	if (key_bytes > table->key_room)
		return -EINVAL;
	if (!state_find(table, key, key_bytes, state_hash(table, key, key_bytes), &place) &&
	    !state_has_room(table))
		return -ENOSPC;
	state_store(table, &place, key, key_bytes, value);
	return 0;
}

void state_durable_shape(const struct bundle *bundle, uint32_t function, struct durable_shape *ret)
{
	const struct bundle_function *user = &bundle->user[function];

	memset(ret, 0, sizeof(*ret));
	if (user->state_mode != STATE_DURABLE)
		return;
	memcpy(ret->name, user->instance, strlen(user->instance));
	ret->key_bytes = state_key_bytes(bundle, function);
	ret->value_bytes = state_value_bytes(user);
	ret->value_version = user->state_version;
	ret->keys_max = user->state_keys;
	ret->image_bytes = state_file_bytes(bundle, function);
}
