/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Looking up and storing in a table of state.h, for inlining: it is done for
 * every event.
 */
#ifndef FAAS_STATE_STATE_LOOKUP_H
#define FAAS_STATE_STATE_LOOKUP_H

#include <string.h>

#include "fault.h"
#include "words.h"

#include "userspace/state/state.h"

/* The folded 128-bit product depends on every bit of both. */
static inline uint64_t state_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t state_key_word(const uint8_t *key, uint32_t bytes)
{
	uint64_t word = 0;

	memcpy(&word, key, bytes < 8 ? bytes : 8);
	return word;
}

/* Hash of a key in this table, for state_first_slot and state_find. */
static inline uint64_t state_hash(const struct state_table *table, const void *key,
				  uint32_t key_bytes)
{
	const uint8_t *at = key;
	uint64_t seed = table->seed;
	uint64_t hash = seed ^ key_bytes;
	uint64_t first, second;

	/* An address: the same as below, and most keys are one. */
	if (key_bytes == 16) {
		memcpy(&first, at, 8);
		memcpy(&second, at + 8, 8);
		hash = state_mix(first ^ hash, second ^ 0x9e3779b97f4a7c15ull);
		return state_mix(hash ^ 0xa0761d6478bd642full, seed | 1);
	}
	for (; key_bytes >= 16; key_bytes -= 16, at += 16) {
		memcpy(&first, at, 8);
		memcpy(&second, at + 8, 8);
		hash = state_mix(first ^ hash, second ^ 0x9e3779b97f4a7c15ull);
	}
	if (key_bytes) {
		first = state_key_word(at, key_bytes);
		second = key_bytes > 8 ? state_key_word(at + 8, key_bytes - 8) : 0;
		hash = state_mix(first ^ hash, second ^ 0x9e3779b97f4a7c15ull);
	}
	return state_mix(hash ^ 0xa0761d6478bd642full, seed | 1);
}

static inline struct state_slot *state_slot_at(const struct state_table *table, uint64_t index)
{
	return (struct state_slot *)(void *)(table->slots + index * table->slot_bytes);
}

/* Where a key of this hash is looked for first. */
static inline struct state_slot *state_first_slot(const struct state_table *table, uint64_t hash)
{
	return state_slot_at(table, (uint64_t)(((unsigned __int128)hash * table->capacity) >> 64));
}

/* Have the memory fetched where a key is looked for first. The barrier is for gcc, which takes
 * calls of a function out that only prefetches: it has no effect that the language knows. */
static inline void state_prefetch(const struct state_table *table, const struct state_slot *slot)
{
	__builtin_prefetch(slot, 1);
	__builtin_prefetch((const uint8_t *)slot + table->slot_bytes - 1, 1);
	__asm__ volatile("");
}

static inline uint8_t *state_slot_key(struct state_slot *slot)
{
	return (uint8_t *)(slot + 1);
}

static inline uint8_t *state_slot_value(const struct state_table *table, struct state_slot *slot)
{
	return state_slot_key(slot) + table->key_room;
}

/* Look a key up as state_find does, where @p first is its state_first_slot. */
static inline void *state_find_from(const struct state_table *table, const void *key,
				    uint32_t key_bytes, uint64_t hash, struct state_slot *first,
				    struct state_place *ret)
{
	uint8_t *end = table->slots + table->capacity * table->slot_bytes;
	struct state_slot *slot = first;
	uint32_t mark = (uint32_t)hash | 1;

	ret->mark = mark;
	/* Ends: keys_max is below the capacity, so a free slot exists. */
	for (;;) {
		ret->slot = slot;
		if (!slot->mark)
			return NULL;
		if (slot->mark == mark && slot->key_bytes == key_bytes &&
		    words_same(state_slot_key(slot), key, key_bytes))
			return state_slot_value(table, slot);
		slot = (struct state_slot *)(void *)((uint8_t *)slot + table->slot_bytes);
		if ((uint8_t *)slot == end)
			slot = state_slot_at(table, 0);
	}
}

/**
 * @brief Look a key up.
 *
 * @param key_bytes 0..the table's key_bytes.
 * @param hash      Its state_hash.
 * @param ret       Its place, or where state_store would insert it.
 * @return The value, value_bytes long; NULL if there is none.
 */
static inline void *state_find(const struct state_table *table, const void *key, uint32_t key_bytes,
			       uint64_t hash, struct state_place *ret)
{
	return state_find_from(table, key, key_bytes, hash, state_first_slot(table, hash), ret);
}

/* Copy a value; a kill may leave it half done. */
static inline void state_copy_value(uint8_t *to, const void *value, uint32_t bytes)
{
#ifdef FAAS_FAULTS
	uint32_t half = bytes / 2;

	memcpy(to, value, half);
	fault_point("state.half_copied");
	memcpy(to + half, (const uint8_t *)value + half, bytes - half);
#else
	words_copy(to, value, bytes);
#endif
}

/* Copy a value over the one in the slot, and say so to those who look on. A worker
 * that was killed in between has left the number odd. */
static inline void state_replace(struct state_table *table, struct state_slot *slot,
				 const void *value)
{
	uint64_t copying = *table->changes | 1;

	__atomic_store_n(table->changes, copying, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	state_copy_value(state_slot_value(table, slot), value, table->value_bytes);
	__atomic_store_n(table->changes, copying + 1, __ATOMIC_RELEASE);
}

/* Store the value at a place that state_find gave for this key, inserting it if
 * it is not there: room must have been checked. @p value is read up to the end
 * of its last word of 8 bytes. */
static inline void state_store(struct state_table *table, const struct state_place *place,
			       const void *key, uint32_t key_bytes, const void *value)
{
	if (place->slot->mark)
		state_replace(table, place->slot, value);
	else
		state_insert(table, place, key, key_bytes, value);
}

#endif
