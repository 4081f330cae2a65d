// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Chains as lists of rules, and back. Writing finds the entry that already holds
 * a rule and the rest behind it, so that a range of sixty thousand ports takes one
 * entry and a rule that is tried last at many places is there once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch_internal.h"

#define INDEX_SIZE_FIRST 1024

/* ---- entries ----------------------------------------------------------------- */

const struct faas_rule *node_read(const struct dispatch *dispatch, uint32_t number)
{
	if (number < FAAS_RULES_MAX)
		return number && dispatch->storage ? &dispatch->storage->rules[number] : NULL;
	number -= FAAS_RULES_MAX;
	return number < dispatch->made_count ? &dispatch->made[number].rule : NULL;
}

static uint32_t hash(const struct faas_rule *rule)
{
	uint32_t words[sizeof(*rule) / sizeof(uint32_t)], sum = 2166136261u;

	memcpy(words, rule, sizeof(*rule));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		sum = (sum ^ words[i]) * 16777619u;
	return sum ^ sum >> 15;
}

/* Where in the index a rule of this content is, or belongs. */
static uint32_t *index_place(const struct dispatch *dispatch, const struct faas_rule *rule)
{
	uint32_t at = hash(rule) & (dispatch->index_size - 1);

	while (dispatch->index[at] &&
	       memcmp(node_read(dispatch, dispatch->index[at]), rule, sizeof(*rule)))
		at = (at + 1) & (dispatch->index_size - 1);
	return &dispatch->index[at];
}

static int index_grow(struct dispatch *dispatch)
{
	uint32_t *old = dispatch->index, old_size = dispatch->index_size;

	dispatch->index_size = old_size ? old_size * 2 : INDEX_SIZE_FIRST;
	dispatch->index = calloc(dispatch->index_size, sizeof(*dispatch->index));
	if (!dispatch->index) {
		dispatch->index = old;
		dispatch->index_size = old_size;
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < old_size; i++)
		if (old[i])
			*index_place(dispatch, node_read(dispatch, old[i])) = old[i];
	free(old);
	return 0;
}

static int index_add(struct dispatch *dispatch, uint32_t number)
{
	int error = 0;

	if (dispatch->index_used * 2 >= dispatch->index_size)
		error = index_grow(dispatch);
	if (error)
		return error;
	*index_place(dispatch, node_read(dispatch, number)) = number;
	dispatch->index_used++;
	return 0;
}

/* Mark what a place leads to; ends early where another place went before. */
static int mark(struct dispatch *dispatch, struct faas_trigger_ref ref)
{
	uint32_t number = faas_ref_is_chain(ref) ? faas_ref_chain(ref) : 0;

	for (uint32_t steps = 0; number; steps++) {
		int error;

		if (number >= FAAS_RULES_MAX || steps == FAAS_CANDIDATES_MAX)
			return -EILSEQ;
		if (dispatch->live[number])
			return 0;
		dispatch->live[number] = true;
		error = index_add(dispatch, number);
		if (error)
			return error;
		number = dispatch->storage->rules[number].next;
	}
	return 0;
}

int nodes_mark(struct dispatch *dispatch)
{
	const struct dispatch_storage *storage = dispatch->storage;
	const struct faas_trigger_ref *ports = storage ? &storage->ports[0].udp_destination : NULL;
	int error = 0;

	if (dispatch->marked)
		return 0;
	for (enum dispatch_map map = 0; !error && map < DISPATCH_MAPS; map++)
		error = keyed_load(dispatch, map);
	for (size_t i = 0; storage && !error && i < PORT_REFS; i++)
		if (faas_ref_is_chain(ports[i]))
			error = mark(dispatch, ports[i]);
	for (size_t i = 0; storage && !error && i < FAAS_CLASSES; i++)
		error = mark(dispatch, storage->classes[i].ref);
	for (enum dispatch_map map = 0; storage && !error && map < DISPATCH_MAPS; map++)
		for (uint32_t i = 0; !error && i < dispatch->keyed[map].count; i++)
			error = mark(dispatch, dispatch->keyed[map].places[i].before);
	dispatch->marked = !error;
	return error;
}

/* The entry that holds @p rule; makes it if there is none. */
static int node_find(struct dispatch *dispatch, const struct faas_rule *rule, uint32_t *ret)
{
	uint32_t number = FAAS_RULES_MAX + dispatch->made_count;
	int error = nodes_mark(dispatch);

	if (!error && !dispatch->index_size)
		error = index_grow(dispatch);
	if (error)
		return error;
	*ret = *index_place(dispatch, rule);
	if (*ret)
		return 0;
	if (dispatch->made_count == dispatch->made_capacity) {
		uint32_t capacity = dispatch->made_capacity ? dispatch->made_capacity * 2 : 64;
		struct made_rule *made = realloc(dispatch->made, capacity * sizeof(*made));

		if (!made)
			return -ENOMEM;
		dispatch->made = made;
		dispatch->made_capacity = capacity;
	}
	dispatch->made[dispatch->made_count++] = (struct made_rule){.rule = *rule};
	*ret = number;
	return index_add(dispatch, number);
}

/* ---- lists ------------------------------------------------------------------- */

int list_read(const struct dispatch *dispatch, struct faas_trigger_ref ref,
	      const struct faas_rule *direct, struct rule_list *ret)
{
	uint32_t number;

	ret->count = 0;
	if (!ref.slot)
		return 0;
	if (!faas_ref_is_chain(ref)) {
		ret->rules[0] = *direct;
		ret->rules[0].leads_to = ref;
		ret->count = 1;
		return 0;
	}
	for (number = faas_ref_chain(ref); number;) {
		const struct faas_rule *rule = node_read(dispatch, number);

		if (!rule || ret->count == FAAS_CANDIDATES_MAX)
			return -EILSEQ;
		number = rule->next;
		ret->rules[ret->count] = *rule;
		ret->rules[ret->count].next = 0;
		ret->rules[ret->count].checks = 0;
		ret->count++;
	}
	return 0;
}

/* Whether a direct ref says all there is to say about the rule. */
static bool is_plain(const struct faas_rule *rule)
{
	return !dispatch_rule_checks(rule) && !rule->priority &&
	       rule->destination_port_first == rule->destination_port_last &&
	       rule->source_port_first == rule->source_port_last;
}

int list_write(struct dispatch *dispatch, const struct rule_list *list,
	       struct faas_trigger_ref *ret)
{
	uint32_t next = 0;

	if (!list->count || (list->count == 1 && is_plain(&list->rules[0]))) {
		*ret = list->count ? list->rules[0].leads_to : (struct faas_trigger_ref){0, 0};
		return 0;
	}
	for (uint32_t i = list->count; i-- > 0;) {
		struct faas_rule rule = list->rules[i];
		int error;

		rule.next = next;
		rule.checks = dispatch_rule_checks(&rule);
		error = node_find(dispatch, &rule, &next);
		if (error)
			return error;
	}
	*ret = ref_to_chain(next);
	return 0;
}

int list_refuse(const struct rule_list *list, const struct faas_rule *rule,
		struct dispatch_refusal *refusal)
{
	refusal->kind = REFUSED_CANDIDATES;
	refusal->rule = *rule;
	refusal->other_count = list->count;
	memcpy(refusal->others, list->rules, sizeof(list->rules));
	return -EEXIST;
}

static int add(struct rule_list *list, const struct change *change)
{
	const struct faas_rule *rule = change->insert;
	uint32_t at = 0;

	for (uint32_t i = 0; i < list->count; i++) {
		if (!dispatch_rule_order(&list->rules[i], rule))
			return 0;
		if (dispatch_rules_collide(&list->rules[i], rule)) {
			change->refusal->kind = REFUSED_COLLISION;
			change->refusal->rule = *rule;
			change->refusal->others[0] = list->rules[i];
			change->refusal->other_count = 1;
			return -EEXIST;
		}
	}
	if (list->count == FAAS_CANDIDATES_MAX)
		return list_refuse(list, rule, change->refusal);
	while (at < list->count && dispatch_rule_order(&list->rules[at], rule) < 0)
		at++;
	memmove(&list->rules[at + 1], &list->rules[at],
		(list->count - at) * sizeof(list->rules[0]));
	list->rules[at] = *rule;
	list->count++;
	return 0;
}

static int compare_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct faas_rule));
}

int list_change(struct rule_list *list, const struct change *change)
{
	uint32_t left = 0;

	if (change->insert)
		return add(list, change);
	for (uint32_t i = 0; i < list->count; i++) {
		const struct faas_rule *rule = &list->rules[i];

		if (rule->leads_to.slot != change->slot ||
		    (change->keep_count &&
		     bsearch(rule, change->keep, change->keep_count, sizeof(*rule), compare_bytes)))
			list->rules[left++] = *rule;
	}
	list->count = left;
	return 0;
}
