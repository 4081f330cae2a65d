// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Maps with keys: destination and source prefixes, and EtherTypes, which are
 * prefixes of equal length here. The kernel's lookup yields the longest prefix
 * only, so a place holds what those around it hold as well, behind its own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch_internal.h"

uint32_t keyed_stage(enum dispatch_map map)
{
	static const uint32_t stages[DISPATCH_MAPS] = {FAAS_STAGE_DESTINATION, FAAS_STAGE_SOURCE,
						       FAAS_STAGE_ETHERTYPE};

	return stages[map];
}

static int compare_keys(const struct faas_prefix_key *a, const struct faas_prefix_key *b)
{
	int difference = memcmp(a->address, b->address, sizeof(a->address));

	return difference ? difference : (a->bits > b->bits) - (a->bits < b->bits);
}

static int compare_places(const void *a, const void *b)
{
	return compare_keys(&((const struct keyed_place *)a)->key,
			    &((const struct keyed_place *)b)->key);
}

/* The first @p bits of a key. */
static struct faas_prefix_key shortened(const struct faas_prefix_key *key, uint32_t bits)
{
	struct faas_prefix_key ret = {.bits = bits};

	memcpy(ret.address, key->address, (bits + 7) / 8);
	if (bits % 8)
		ret.address[bits / 8] &= (uint8_t)(0xff00 >> bits % 8);
	return ret;
}

static bool is_within(const struct faas_prefix_key *inner, const struct faas_prefix_key *outer)
{
	struct faas_prefix_key cut;

	if (inner->bits < outer->bits)
		return false;
	cut = shortened(inner, outer->bits);
	return !compare_keys(&cut, outer);
}

/* The index of a key, or where it belongs. */
static uint32_t find(const struct keyed *keyed, const struct faas_prefix_key *key, bool *ret_found)
{
	uint32_t low = 0, high = keyed->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (compare_keys(&keyed->places[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_found = low < keyed->count && !compare_keys(&keyed->places[low].key, key);
	return low;
}

/* ---- loading ----------------------------------------------------------------- */

static int reserve(struct keyed *keyed)
{
	uint32_t capacity = keyed->capacity ? keyed->capacity * 2 : 64;
	struct keyed_place *places;

	if (keyed->count < keyed->capacity)
		return 0;
	places = realloc(keyed->places, capacity * sizeof(*places));
	if (!places)
		return -ENOMEM;
	keyed->places = places;
	keyed->capacity = capacity;
	return 0;
}

static int add_loaded(void *to, const struct faas_prefix_key *key, struct faas_trigger_ref ref)
{
	struct keyed *keyed = to;
	int error = reserve(keyed);

	if (error)
		return error;
	if (key->bits > KEY_BITS_MAX)
		return -EILSEQ;
	keyed->places[keyed->count++] = (struct keyed_place){*key, ref, ref};
	keyed->lengths[key->bits]++;
	return 0;
}

int keyed_load(struct dispatch *dispatch, enum dispatch_map map)
{
	const struct dispatch_storage *storage = dispatch->storage;
	struct keyed *keyed = &dispatch->keyed[map];
	int error;

	if (keyed->loaded)
		return 0;
	if (storage && (*storage->stages & keyed_stage(map))) {
		error = storage->load(storage->context, map, add_loaded, keyed);
		if (error)
			return error;
		if (keyed->count)
			qsort(keyed->places, keyed->count, sizeof(*keyed->places), compare_places);
	}
	keyed->loaded = true;
	return 0;
}

uint32_t keyed_present(const struct keyed *keyed)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < keyed->count; i++)
		count += keyed->places[i].now.slot != 0;
	return count;
}

/* ---- changing ---------------------------------------------------------------- */

/* The rule that a direct ref at a place stands for. */
static struct faas_rule direct_rule(enum dispatch_map map, const struct faas_prefix_key *key)
{
	struct faas_rule rule = {0};

	switch (map) {
	case DISPATCH_DESTINATIONS:
		rule.named = FAAS_RULE_DESTINATION;
		rule.destination_bits = (uint8_t)key->bits;
		memcpy(rule.destination, key->address, sizeof(rule.destination));
		break;
	case DISPATCH_SOURCES:
		rule.named = FAAS_RULE_SOURCE;
		rule.source_bits = (uint8_t)key->bits;
		memcpy(rule.source, key->address, sizeof(rule.source));
		break;
	default:
		rule.named = FAAS_RULE_ETHERTYPE;
		rule.ethertype = (uint16_t)(key->address[0] << 8 | key->address[1]);
	}
	return rule;
}

static struct faas_prefix_key key_of(enum dispatch_map map, const struct faas_rule *rule)
{
	struct faas_prefix_key key = {0};

	switch (map) {
	case DISPATCH_DESTINATIONS:
		key.bits = rule->destination_bits;
		memcpy(key.address, rule->destination, sizeof(key.address));
		break;
	case DISPATCH_SOURCES:
		key.bits = rule->source_bits;
		memcpy(key.address, rule->source, sizeof(key.address));
		break;
	default:
		key.bits = 16;
		key.address[0] = (uint8_t)(rule->ethertype >> 8);
		key.address[1] = (uint8_t)rule->ethertype;
	}
	return key;
}

static int read_place(const struct dispatch *dispatch, enum dispatch_map map,
		      const struct keyed_place *place, struct rule_list *ret)
{
	struct faas_rule direct = direct_rule(map, &place->key);

	return list_read(dispatch, place->now, &direct, ret);
}

/* The rules of a place that have exactly its prefix. */
static int read_own(const struct dispatch *dispatch, enum dispatch_map map,
		    const struct keyed_place *place, struct rule_list *ret)
{
	uint32_t left = 0;
	int error = read_place(dispatch, map, place, ret);

	for (uint32_t i = 0; !error && i < ret->count; i++) {
		struct faas_prefix_key key = key_of(map, &ret->rules[i]);

		if (key.bits == place->key.bits)
			ret->rules[left++] = ret->rules[i];
	}
	ret->count = left;
	return error;
}

/*
 * How many rules a place may come to hold. Of rules without checks only those of
 * one place on the way to it stand in its chain, but which of them may change
 * when a workflow goes; and going must never be refused.
 */
struct load {
	uint32_t checked; /* rules with checks, here and in all places around */
	uint32_t plain;	  /* rules without, in the one place that has most */
};

static struct load add_load(struct load around, const struct rule_list *own)
{
	uint32_t plain = 0;

	for (uint32_t i = 0; i < own->count; i++)
		plain += !dispatch_rule_checks(&own->rules[i]);
	around.checked += own->count - plain;
	if (plain > around.plain)
		around.plain = plain;
	return around;
}

/* Write a place from its own rules and those of the place around it. */
static int write_place(struct dispatch *dispatch, enum dispatch_map map, struct keyed_place *place,
		       const struct keyed_place *around, struct rule_list *own)
{
	struct rule_list rest = {.count = 0};
	int error = 0;

	if (own->count && around && dispatch_rule_checks(&own->rules[own->count - 1]))
		error = read_place(dispatch, map, around, &rest);
	if (error)
		return error;
	if (own->count + rest.count > FAAS_CANDIDATES_MAX)
		return -EILSEQ;
	memcpy(&own->rules[own->count], rest.rules, rest.count * sizeof(rest.rules[0]));
	own->count += rest.count;
	return list_write(dispatch, own, &place->now);
}

/* The places around the one that is being written, outermost first. */
struct around {
	struct keyed_place *places[KEY_BITS_MAX + 1];
	struct load loads[KEY_BITS_MAX + 1];
	uint32_t depth;
};

static int around_push(const struct dispatch *dispatch, enum dispatch_map map,
		       struct keyed_place *place, struct around *around)
{
	struct load outer = {0, 0};
	struct rule_list own;
	int error = read_own(dispatch, map, place, &own);

	if (around->depth)
		outer = around->loads[around->depth - 1];
	around->places[around->depth] = place;
	around->loads[around->depth++] = add_load(outer, &own);
	return error;
}

static int find_around(const struct dispatch *dispatch, enum dispatch_map map, uint32_t index,
		       struct around *around)
{
	const struct keyed *keyed = &dispatch->keyed[map];
	int error = 0;

	for (uint32_t bits = 0; !error && bits < keyed->places[index].key.bits; bits++) {
		struct faas_prefix_key key;
		uint32_t at;
		bool found;

		if (!keyed->lengths[bits])
			continue;
		key = shortened(&keyed->places[index].key, bits);
		at = find(keyed, &key, &found);
		if (found && keyed->places[at].now.slot)
			error = around_push(dispatch, map, &keyed->places[at], around);
	}
	return error;
}

/* Write one place again, with the rule that is inserted if it is @p changed. */
static int rewrite_place(struct dispatch *dispatch, enum dispatch_map map,
			 struct keyed_place *place, bool changed, const struct around *around,
			 const struct change *change)
{
	struct load load = {0, 0};
	struct rule_list own;
	int error = read_own(dispatch, map, place, &own);

	if (!error && changed)
		error = list_change(&own, change);
	if (error)
		return error;
	if (around->depth)
		load = around->loads[around->depth - 1];
	load = add_load(load, &own);
	if (change->insert && load.checked + load.plain > FAAS_CANDIDATES_MAX)
		return list_refuse(&own, change->insert, change->refusal);
	return write_place(dispatch, map, place,
			   around->depth ? around->places[around->depth - 1] : NULL, &own);
}

/* Write the places from @p first to before @p last again; @p first gets the rule
 * that is inserted. Those around a place come before it. */
static int rewrite(struct dispatch *dispatch, enum dispatch_map map, uint32_t first, uint32_t last,
		   const struct change *change)
{
	struct keyed *keyed = &dispatch->keyed[map];
	struct around around = {.depth = 0};
	int error = first < last ? find_around(dispatch, map, first, &around) : 0;

	for (uint32_t i = first; !error && i < last; i++) {
		struct keyed_place *place = &keyed->places[i];

		while (around.depth &&
		       !is_within(&place->key, &around.places[around.depth - 1]->key))
			around.depth--;
		error = rewrite_place(dispatch, map, place, i == first || !change->insert, &around,
				      change);
		if (!error && place->now.slot)
			error = around_push(dispatch, map, place, &around);
	}
	return error;
}

static int insert(struct dispatch *dispatch, enum dispatch_map map, const struct change *change)
{
	struct keyed *keyed = &dispatch->keyed[map];
	struct faas_prefix_key key = key_of(map, change->insert);
	uint32_t at, last;
	bool found;
	int error;

	at = find(keyed, &key, &found);
	if (!found) {
		error = reserve(keyed);
		if (error)
			return error;
		memmove(&keyed->places[at + 1], &keyed->places[at],
			(keyed->count - at) * sizeof(keyed->places[0]));
		keyed->places[at] = (struct keyed_place){.key = key};
		keyed->count++;
		keyed->lengths[key.bits]++;
	}
	last = at + 1;
	while (last < keyed->count && is_within(&keyed->places[last].key, &key))
		last++;
	return rewrite(dispatch, map, at, last, change);
}

int keyed_change(struct dispatch *dispatch, enum dispatch_map map, const struct change *change)
{
	int error = keyed_load(dispatch, map);

	if (error)
		return error;
	if (change->insert)
		return insert(dispatch, map, change);
	return rewrite(dispatch, map, 0, dispatch->keyed[map].count, change);
}
