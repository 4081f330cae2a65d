// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Writing changes into the tables: first the entries of new chains, where nobody
 * looks, then one store for each place that changed.
 */
#include <assert.h>
#include <errno.h>

#include "dispatch_internal.h"
#include "fault.h"

/* ---- room -------------------------------------------------------------------- */

/* What a walk over the changed places does with each new entry. */
struct allocation {
	struct dispatch *dispatch;
	uint32_t cursor; /* entries below are looked at */
	bool reuse;	 /* also entries that were once in use: after a barrier */
	bool dry;	 /* count only */
	uint32_t count;
};

/* An entry that no packet can be looking at: one never used, while there are any. */
static int find_entry(struct allocation *allocation, uint32_t *ret)
{
	struct dispatch *dispatch = allocation->dispatch;
	const struct dispatch_storage *storage = dispatch->storage;
	int error;

	for (;;) {
		for (uint32_t i = allocation->cursor; i < FAAS_RULES_MAX; i++) {
			if (dispatch->live[i] ||
			    (!allocation->reuse && storage->rules[i].leads_to.slot))
				continue;
			dispatch->live[i] = true;
			allocation->cursor = i + 1;
			*ret = i;
			return 0;
		}
		if (allocation->reuse)
			return -ENOSPC;
		error = storage->barrier(storage->context);
		if (error)
			return error;
		allocation->reuse = true;
		allocation->cursor = 1;
	}
}

/* Give the entries of a chain their places in the table, the last one first. */
static int place_chain(struct allocation *allocation, uint32_t number)
{
	struct dispatch *dispatch = allocation->dispatch;
	uint32_t path[FAAS_CANDIDATES_MAX] = {0}, depth = 0;
	int error = 0;

	for (; number >= FAAS_RULES_MAX; depth++) {
		struct made_rule *made = &dispatch->made[number - FAAS_RULES_MAX];

		assert(depth < FAAS_CANDIDATES_MAX);
		if (made->entry)
			break;
		path[depth] = number;
		number = made->rule.next;
	}
	while (!error && depth-- > 0) {
		struct made_rule *made = &dispatch->made[path[depth] - FAAS_RULES_MAX];
		struct faas_rule rule = made->rule;

		allocation->count++;
		if (allocation->dry) {
			made->entry = UINT32_MAX; /* counted */
			continue;
		}
		error = find_entry(allocation, &made->entry);
		if (error)
			break;
		if (rule.next >= FAAS_RULES_MAX)
			rule.next = dispatch->made[rule.next - FAAS_RULES_MAX].entry;
		dispatch->storage->rules[made->entry] = rule;
	}
	return error;
}

static int place_ref(struct allocation *allocation, struct faas_trigger_ref ref)
{
	return faas_ref_is_chain(ref) ? place_chain(allocation, faas_ref_chain(ref)) : 0;
}

static int place_all(struct allocation *allocation)
{
	struct dispatch *dispatch = allocation->dispatch;
	const struct faas_trigger_ref *ports = &dispatch->ports[0].udp_destination;
	int error = 0;

	if (!dispatch->made_count)
		return 0;
	for (size_t i = 0; !error && i < PORT_REFS; i++)
		if (faas_ref_is_chain(ports[i]))
			error = place_ref(allocation, ports[i]);
	for (size_t i = 0; !error && i < FAAS_CLASSES; i++)
		error = place_ref(allocation, dispatch->classes[i]);
	for (enum dispatch_map map = 0; !error && map < DISPATCH_MAPS; map++)
		for (uint32_t i = 0; !error && i < dispatch->keyed[map].count; i++)
			error = place_ref(allocation, dispatch->keyed[map].places[i].now);
	return error;
}

static int refuse_full(const char *table, uint32_t max, struct dispatch_refusal *ret)
{
	ret->kind = REFUSED_FULL;
	ret->full = table;
	ret->full_max = max;
	ret->other_count = 0;
	return -EEXIST;
}

int dispatch_fits(struct dispatch *dispatch, struct dispatch_refusal *ret)
{
	static const struct {
		const char *name;
		uint32_t max;
	} maps[DISPATCH_MAPS] = {{FAAS_PIN_DESTINATIONS, FAAS_PREFIXES_MAX},
				 {FAAS_PIN_SOURCES, FAAS_PREFIXES_MAX},
				 {FAAS_PIN_ETHERTYPES, FAAS_ETHERTYPES_MAX}};
	struct allocation allocation = {.dispatch = dispatch, .dry = true};
	uint32_t used = 0;
	int error;

	for (enum dispatch_map map = 0; map < DISPATCH_MAPS; map++)
		if (keyed_present(&dispatch->keyed[map]) > maps[map].max)
			return refuse_full(maps[map].name, maps[map].max, ret);
	error = place_all(&allocation);
	for (uint32_t i = 0; i < dispatch->made_count; i++)
		dispatch->made[i].entry = 0;
	if (error)
		return error;
	for (uint32_t i = 1; i < FAAS_RULES_MAX; i++)
		used += dispatch->live[i];
	if (used + allocation.count > FAAS_RULES_MAX - 1)
		return refuse_full(FAAS_PIN_RULES, FAAS_RULES_MAX - 1, ret);
	return 0;
}

/* ---- writing ------------------------------------------------------------------ */

/* A ref as it stands in the table. */
static struct faas_trigger_ref translate(const struct dispatch *dispatch,
					 struct faas_trigger_ref ref)
{
	uint32_t number = faas_ref_is_chain(ref) ? faas_ref_chain(ref) : 0;

	return number < FAAS_RULES_MAX
		       ? ref
		       : ref_to_chain(dispatch->made[number - FAAS_RULES_MAX].entry);
}

/* One store: who reads the new ref also finds what it leads to. */
static void store_ref(struct faas_trigger_ref *to, struct faas_trigger_ref ref)
{
	__atomic_store(to, &ref, __ATOMIC_RELEASE);
}

static void store_changed(const struct dispatch *dispatch, struct faas_trigger_ref *to,
			  struct faas_trigger_ref ref)
{
	if (!ref_same(*to, ref))
		store_ref(to, translate(dispatch, ref));
}

static void store_arrays(const struct dispatch *dispatch)
{
	const struct faas_trigger_ref *from = &dispatch->ports[0].udp_destination;
	struct faas_trigger_ref *to = &dispatch->storage->ports[0].udp_destination;

	for (size_t i = 0; i < PORT_REFS; i++)
		store_changed(dispatch, &to[i], from[i]);
	for (size_t i = 0; i < FAAS_CLASSES; i++)
		store_changed(dispatch, &dispatch->storage->classes[i].ref, dispatch->classes[i]);
}

static int store_keyed(struct dispatch *dispatch, enum dispatch_map map)
{
	const struct dispatch_storage *storage = dispatch->storage;
	struct keyed *keyed = &dispatch->keyed[map];
	int error = 0;

	__atomic_thread_fence(__ATOMIC_RELEASE);
	for (uint32_t i = 0; !error && i < keyed->count; i++) {
		struct keyed_place *place = &keyed->places[i];

		if (ref_same(place->now, place->before))
			continue;
		if (place->now.slot)
			error = storage->store(storage->context, map, &place->key,
					       translate(dispatch, place->now));
		else
			error = storage->erase(storage->context, map, &place->key);
		if (!error)
			place->before = place->now;
	}
	return error;
}

static bool any_class(const struct dispatch *dispatch, uint32_t first, uint32_t last)
{
	for (uint32_t i = first; i < last; i++)
		if (dispatch->classes[i].slot)
			return true;
	return false;
}

static uint32_t find_stages(const struct dispatch *dispatch)
{
	static const struct {
		uint32_t stage, first, last;
	} classes[] = {
		{FAAS_STAGE_ANY, FAAS_CLASS_ANY, FAAS_CLASS_ANY + 1},
		{FAAS_STAGE_PROTOCOL, FAAS_CLASS_PROTOCOL, FAAS_CLASS_ICMP},
		{FAAS_STAGE_ICMP, FAAS_CLASS_ICMP, FAAS_CLASS_VLAN},
		{FAAS_STAGE_VLAN, FAAS_CLASS_VLAN, FAAS_CLASSES},
	};
	uint32_t stages = 0;

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (any_class(dispatch, classes[i].first, classes[i].last))
			stages |= classes[i].stage;
	for (enum dispatch_map map = 0; map < DISPATCH_MAPS; map++)
		if (dispatch->keyed[map].loaded ? keyed_present(&dispatch->keyed[map]) != 0
						: (dispatch->stages & keyed_stage(map)) != 0)
			stages |= keyed_stage(map);
	return stages;
}

int dispatch_commit(struct dispatch *dispatch, struct dispatch_refusal *ret)
{
	struct allocation allocation = {.dispatch = dispatch, .cursor = 1};
	const struct dispatch_storage *storage = dispatch->storage;
	uint32_t stages;
	int error;

	assert(storage);
	error = dispatch_fits(dispatch, ret);
	if (!error)
		error = place_all(&allocation);
	if (error)
		return error;
	fault_point("load.chains_written");
	stages = find_stages(dispatch);
	/* A table's bit is set before anything is in it, and cleared after all of it is
	 * gone: a killed command leaves no entry that later ones do not look for. */
	__atomic_store_n(storage->stages, *storage->stages | stages, __ATOMIC_RELEASE);
	store_arrays(dispatch);
	for (enum dispatch_map map = 0; !error && map < DISPATCH_MAPS; map++)
		error = store_keyed(dispatch, map);
	if (error)
		return error;
	fault_point("load.places_switched");
	__atomic_store_n(storage->stages, stages, __ATOMIC_RELEASE);
	dispatch->stages = stages;
	return 0;
}
