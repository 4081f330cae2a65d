// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * States that a person puts in, piece by piece. No event comes meanwhile, so that it is
 * known what they are to become: each is one event ahead of what it was. A piece whose
 * answer did not come is in the tables, whole, or is sent again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "import.h"
#include "userspace/state/state_lookup.h"
#include "world.h"

#define IMPORTS_MAX 4
#define FIRST_NUMBER 1000000

static struct import {
	uint32_t after; /* so many events of those that the rings accepted */
	enum sim_role role;
	uint32_t keys; /* bit n: key n */
	bool known;    /* the answer said that it is there, or it was found there */
	bool refused;
} imports[IMPORTS_MAX];
static uint32_t count;
static bool sent;
static uint64_t message_number;
static uint64_t message[IMPORT_BYTES_MAX / sizeof(uint64_t)];

void imports_reset(void)
{
	count = 0;
	sent = false;
	message_number = 0;
}

static uint64_t number_of(const struct import *import)
{
	return FIRST_NUMBER + (uint64_t)(import - imports);
}

void imports_worker_gone(void)
{
	sent = false;
}

uint32_t imports_committed(void)
{
	uint32_t committed = 0;

	for (uint32_t i = 0; i < count; i++)
		committed += imports[i].known && !imports[i].refused && imports[i].keys;
	return committed;
}

static void expect(const struct import *import)
{
	for (uint32_t k = 0; k < sim_plan.keys; k++) {
		struct sim_chain *state = &sim_model.states[import->role][k];

		if (!(import->keys >> k & 1))
			continue;
		sim_model.keys[import->role] += !state->count;
		workflow_advance(state, number_of(import));
		if (import->role == ROLE_CHAIN)
			sim_model.hashes[k][state->count] = state->hash;
	}
}

/* ---- the piece ---- */

static bool is_refused(const struct import *import)
{
	uint32_t fresh = 0;

	for (uint32_t k = 0; k < sim_plan.keys; k++)
		fresh += (import->keys >> k & 1) && !sim_model.states[import->role][k].count;
	return fresh > sim_plan.keys_max - sim_model.keys[import->role];
}

static struct sim_chain find(const struct state_table *table, uint32_t key)
{
	struct sim_chain none = {0};
	struct state_place place;
	const struct sim_chain *found;
	uint8_t bytes[16];

	workflow_key(key, bytes);
	found = state_find(table, bytes, sizeof(bytes), state_hash(table, bytes, sizeof(bytes)),
			   &place);
	return found ? *found : none;
}

/* Append what key @p key is to be; returns the bytes. */
static uint32_t put_key(const struct import *import, const struct state_table *table, uint32_t key,
			uint8_t *to)
{
	struct sim_chain state = find(table, key);
	struct import_entry entry = {.key_bytes = 16};

	workflow_advance(&state, number_of(import));
	if (import->role == ROLE_CHAIN && sim_plan.timer_ns &&
	    workflow_timer(state.count) != TIMER_NONE) {
		entry.timer_ns = 1 + sim_below(sim_plan.timer_ns);
		state.due_ns = sim_now_ns + entry.timer_ns;
	}
	workflow_seal(&state);
	memcpy(to, &entry, sizeof(entry));
	workflow_key(key, to + sizeof(entry));
	memcpy(to + sizeof(entry) + 16, &state, sizeof(state));
	return import_entry_bytes(16, sizeof(state));
}

static void send_piece(struct import *import, const struct state_table *table)
{
	struct import_head head = {
		.word = IMPORT_WORD,
		.number = ++message_number,
		.function = workflow_function(import->role),
		.state_version = 1,
		.state_bytes = sizeof(struct sim_chain),
		.count = (uint32_t)__builtin_popcount(import->keys),
	};
	uint8_t *at = (uint8_t *)message + sizeof(head);

	memcpy(message, &head, sizeof(head));
	for (uint32_t k = 0; k < sim_plan.keys; k++)
		if (import->keys >> k & 1)
			at += put_key(import, table, k, at);
	sim_note("import %" PRIu64 ", %u keys", head.number, head.count);
	sent = true;
	runtime_tell_bytes(message, (size_t)(at - (uint8_t *)message));
}

void imports_answer(const char *text, size_t bytes)
{
	struct import *import = &imports[count - 1];
	uint64_t budget = sim_budget;
	char copy[300], word[9];
	uint64_t number;

	(void)snprintf(copy, sizeof(copy), "%.*s", (int)bytes, text);
	if (sscanf(copy, "%8s %" SCNu64, word, &number) != 2 || !sent || number != message_number)
		sim_fail("the worker answers to nothing: %s", copy);
	import->refused = !strcmp(word, "refused");
	if (import->refused != is_refused(import))
		sim_fail("the worker answers to states that %s: %s",
			 is_refused(import) ? "have no room" : "have room", copy);
	sim_note("%s", copy);
	import->known = true;
	sent = false;
	/* Nobody comes in between: it is not the worker who does this. */
	sim_budget = 0;
	if (!import->refused)
		expect(import);
	sim_budget = budget;
}

/* ---- when ---- */

/* Timers that are armed, or have failed, change the state by themselves. */
static uint32_t choose_keys(enum sim_role role, const struct state_table *table)
{
	uint32_t keys = 0;

	for (uint32_t k = 0; k < sim_plan.keys; k++)
		if (sim_below(2) && (role != ROLE_CHAIN || !find(table, k).due_ns))
			keys |= 1u << k;
	return keys;
}

/* Whether it is in the tables already: all of it, or nothing. */
static bool is_there(const struct import *import, const struct state_table *table)
{
	uint32_t there = 0;

	for (uint32_t k = 0; k < sim_plan.keys; k++) {
		struct sim_chain wanted = sim_model.states[import->role][k];

		workflow_advance(&wanted, number_of(import));
		if ((import->keys >> k & 1) && find(table, k).hash == wanted.hash)
			there |= 1u << k;
	}
	if (there && there != import->keys)
		sim_fail("a part of a piece of states is in the table");
	return there;
}

static bool is_quiet(void)
{
	return kernel_is_idle() && !kernel_waiting() && sim_system.ready && !world.booted &&
	       !sim_system.runtime_gone && world.worker.state == SIM_BLOCKED &&
	       world_worker_page()->state == WORKER_SLEEPING;
}

bool imports_are_due(void)
{
	uint32_t part = sim_plan.events / (sim_plan.imports + 1);

	/* Nothing comes behind the word that the worker is to stop. */
	if (world.stopping)
		return false;
	if (count && !imports[count - 1].known)
		return true;
	return count < sim_plan.imports && sim_kernel.made >= (count + 1) * part;
}

void imports_step(void)
{
	struct state_table table;
	struct import *import;

	if (sent || !is_quiet())
		return;
	if (!count || imports[count - 1].known) {
		import = &imports[count++];
		*import = (struct import){.role = sim_below(sim_plan.function_count) ? ROLE_RELAY
										     : ROLE_CHAIN};
	}
	import = &imports[count - 1];
	if (!check_open_table(import->role, &table))
		sim_fail("the function has no state");
	if (import->keys && is_there(import, &table)) {
		import->known = true;
		expect(import);
		return;
	}
	import->after = sim_kernel.accepted_count;
	/* Which of two would have survived is not to be known. */
	if (count > 1 && import[-1].after == import->after) {
		import->known = true;
		return;
	}
	import->keys = choose_keys(import->role, &table);
	if (import->keys)
		send_piece(import, &table);
	else
		import->known = true;
}

/* ---- after a power loss ---- */

void imports_expect_before(uint32_t event)
{
	for (uint32_t i = 0; i < count; i++)
		if (imports[i].after == event && imports[i].known && !imports[i].refused)
			expect(&imports[i]);
}

bool imports_expect_last(uint32_t survivors)
{
	struct import *last = count ? &imports[count - 1] : NULL;

	if (!last || last->known || last->after != survivors || !last->keys || is_refused(last))
		return false;
	last->known = true;
	expect(last);
	return true;
}

void imports_forget(uint32_t survivors)
{
	while (count && imports[count - 1].after > survivors)
		count--;
}

bool imports_forget_last(uint32_t survivors)
{
	struct import *last = count ? &imports[count - 1] : NULL;

	if (!last || !last->known || last->refused || last->after != survivors)
		return false;
	last->known = false;
	return true;
}
