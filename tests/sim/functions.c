// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The simulated workflow's functions, as a worker loads them and calls them. What they
 * do follows from the event and the state alone: whoever is called again does the same.
 */
#include <signal.h>
#include <string.h>

#include <ebpf_faas/user.h>

#include "sim.h"

#define BAD_SWEEPS_MAX 40
#define CRASHES_MAX 12
#define SHORT_NS 1000
#define CUTS_MAX 16

static uint32_t bad_sweeps; /* so far */
static uint32_t crashes;    /* of the call for the state of this hash, in a row */
static uint64_t crashed_hash;
static uint64_t this_round, last_round; /* of the trigger of time */
static uint64_t this_begins;		/* with the key of this hash */
static bool this_counts;
/* An update came amid these: the tables that follow have keys in another order. */
static uint64_t cut_rounds[CUTS_MAX];
static uint32_t cut_count;

/* As the second version of the workflow has it: at another place, and longer. */
struct second_state {
	uint64_t lead;
	struct sim_chain chain;
	uint64_t end;
};
#define LEAD 0x5ec0d0f5ec0d0full

static uint64_t mix(uint64_t value)
{
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ value >> 27) * 0x94d049bb133111ebull;
	return value ^ value >> 31;
}

static uint64_t chain_check(const struct sim_chain *chain)
{
	return chain->count ^ chain->sum ^ chain->hash ^ chain->due_ns ^ chain->fired << 32 ^
	       chain->swept << 48 ^ chain->round << 1;
}

void workflow_seal(struct sim_chain *chain)
{
	chain->check = chain_check(chain);
}

void workflow_advance(struct sim_chain *chain, uint64_t number)
{
	sim_step();
	chain->count++;
	sim_step();
	chain->sum += number;
	sim_step();
	chain->hash = mix(chain->hash + number);
	sim_step();
	workflow_seal(chain);
}

/* ---- the functions, as a worker calls them ---- */

static unsigned int chain_total, chain_idle, chain_swept, chain_number, chain_kind, chain_block;
static unsigned int relay_seen, relay_count, relay_number, relay_kind;
static unsigned int decode_decoded, decode_number, decode_kind;
/* Of each version. */
static const uint32_t state_bytes[SIM_VERSIONS] = {sizeof(struct sim_chain),
						   sizeof(struct second_state)};
static const uint32_t state_versions[SIM_VERSIONS] = {1, 2};

uint32_t workflow_state_bytes(uint32_t version)
{
	return state_bytes[version - 1];
}

static struct sim_chain *chain_of(uint32_t version, void *state)
{
	struct second_state *second = state;

	if (version == 1)
		return state;
	/* A key that is new. */
	if (!second->lead && !second->chain.count)
		second->lead = LEAD;
	if (second->lead != LEAD || second->end)
		sim_fail("a state of the second version begins with %#llx, ends with %#llx",
			 (unsigned long long)second->lead, (unsigned long long)second->end);
	return &second->chain;
}

struct sim_chain *workflow_chain(void *state)
{
	return chain_of(sim_bundle->user[workflow_function(ROLE_CHAIN)].state_version, state);
}

static void check_state(const struct sim_chain *state, const char *function)
{
	if (state->check != chain_check(state))
		sim_fail("%s was given a torn state", function);
}

enum sim_timer workflow_timer(uint64_t count)
{
	if (!sim_plan.timer_ns || count % 5 == 4)
		return TIMER_NONE;
	if (!sim_plan.timer_bad || mix(count) % sim_plan.timer_bad)
		return TIMER_FIRES;
	return count & 1 ? TIMER_FAILS : TIMER_CRASHES;
}

/* Move the key's timer, or disarm it: no matter whether it was armed. */
static void set_timer(struct faas_call *call, struct sim_chain *state)
{
	uint64_t after_ns = 0;

	if (!sim_plan.timer_ns)
		return;
	if (workflow_timer(state->count) != TIMER_NONE)
		after_ns = 1 + mix(state->hash) % sim_plan.timer_ns;
	state->due_ns = after_ns ? faas_now(call) + after_ns : 0;
	state->check = chain_check(state);
	if (faas_timer(call, after_ns))
		sim_fail("faas_timer refused");
}

/* What a call by the trigger of time comes to, for a key in this state. */
static enum sim_timer sweep_of(const struct sim_chain *chain)
{
	uint64_t number = mix(chain->count + 1000 * chain->swept);

	/* What is bad is so again the next time: it must come to rest. */
	if (!sim_plan.timer_bad || number % sim_plan.timer_bad || bad_sweeps++ >= BAD_SWEEPS_MAX)
		return TIMER_FIRES;
	return number >> 40 & 7 ? TIMER_FAILS : TIMER_CRASHES;
}

/* Three deaths put the call aside; those of other things come in between, not so often. */
static void count_crash(const struct sim_chain *state)
{
	struct page_counters counters;
	uint64_t hash;

	if (worker_page_read(sim_data(SIM_FD_WORKER_PAGE), &counters))
		return;
	/* One that was put aside crashes again in the next round. */
	hash = state->hash + counters.timers_dead;
	crashes = hash == crashed_hash ? crashes + 1 : 1;
	crashed_hash = hash;
	if (crashes > CRASHES_MAX)
		sim_fail("a call by the trigger of time has crashed %u times, and is not put "
			 "aside",
			 crashes);
}

/* Whether it should fire at all is checked here; then what comes of it. */
static enum sim_timer timer_of(const struct sim_chain *state, const struct faas_event *event)
{
	if (event->trigger == SIM_SWEEP_ID)
		return sweep_of(state);
	if (!state->due_ns)
		sim_fail("a timer fires that is not armed");
	if (state->due_ns > event->time_ns)
		sim_fail("a timer fires before its time");
	return workflow_timer(state->count);
}

static void emit(struct faas_call *call, unsigned int output, uint64_t a, uint64_t b, uint64_t c)
{
	const struct faas_value values[] = {{.u64 = a}, {.u64 = b}, {.u64 = c}};

	if (faas_emit(call, output, values, 3))
		sim_fail("faas_emit refused an output");
}

void functions_update_cuts(const struct page_sweep *sweep)
{
	if (sweep->cursor)
		cut_rounds[cut_count++ % CUTS_MAX] = sweep->next_ns;
}

static bool is_cut(uint64_t round)
{
	for (uint32_t i = 0; i < CUTS_MAX; i++)
		if (cut_rounds[i] == round)
			return true;
	return false;
}

/* A round is told from others by when the next is due. Of each it is called once; a call that came
 * to nothing leaves no trace in the state. A round may be taken back as long as nothing of it was
 * written, and counts from its second key on, or where a state knows of it. */
static void check_round(const struct sim_chain *state, uint64_t key_hash)
{
	uint64_t round = sim_live->sweeps[0].next_ns;

	if (round != this_round) {
		if (this_counts)
			last_round = this_round;
		this_round = round;
		this_begins = key_hash;
		this_counts = false;
	}
	this_counts |= key_hash != this_begins;
	if (state->round > last_round && state->round < round)
		last_round = state->round;
	if (sim_power_losses)
		return;
	if (state->round == round && !is_cut(round))
		sim_fail("the trigger of time calls a key twice in one round");
	if (state->round && state->round < last_round && !sim_plan.timer_bad && !is_cut(last_round))
		sim_fail("the trigger of time has left a key out of a round");
}

static int chain_on_timer(struct faas_call *call, const struct faas_event *event, void *data)
{
	struct sim_chain *state = workflow_chain(data);
	bool is_sweep = event->trigger == SIM_SWEEP_ID;

	check_state(state, "the timer of chain");
	if (event->origin != FAAS_ORIGIN_TIMER)
		sim_fail("a timer's event says it is of origin %u", event->origin);
	switch (timer_of(state, event)) {
	case TIMER_CRASHES:
		if (is_sweep)
			count_crash(state);
		sim_die(SIGSEGV);
	case TIMER_FAILS:
		state->hash++; /* must come to nothing */
		return -1;
	case TIMER_NONE:
	case TIMER_FIRES:
		break;
	}
	if (is_sweep) {
		crashed_hash = 0;
		check_round(state, event->key_hash);
		state->swept++;
		state->round = this_round;
	} else {
		state->due_ns = 0;
		state->fired++;
	}
	state->check = chain_check(state);
	emit(call, is_sweep ? chain_swept : chain_idle, state->count, state->hash,
	     is_sweep ? state->swept : state->fired);
	return 0;
}

enum sim_verdict workflow_verdict(uint64_t number)
{
	if (!sim_plan.verdict_room || number % 3)
		return VERDICT_NONE;
	switch (mix(number) % 4) {
	case 0:
		return VERDICT_BACK;
	case 1:
		return VERDICT_SHORT;
	default:
		return VERDICT_KEPT;
	}
}

static void give_verdict(struct faas_call *call, const struct sim_chain *state, uint64_t number)
{
	static const uint64_t ttl_ns[] = {
		[VERDICT_BACK] = 0, [VERDICT_SHORT] = SHORT_NS, [VERDICT_KEPT] = UINT64_MAX};
	enum sim_verdict verdict = workflow_verdict(number);

	if (verdict != VERDICT_NONE &&
	    faas_verdict(call, chain_block, state->hash, ttl_ns[verdict]))
		sim_fail("faas_verdict refused one");
}

static int chain_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	struct sim_chain *state = workflow_chain(data);
	int64_t number, kind;

	(void)event;
	check_state(state, "chain");
	if (faas_input_s64(call, chain_number, &number) || faas_input_s64(call, chain_kind, &kind))
		sim_fail("an event without its fields");
	workflow_advance(state, (uint64_t)number);
	if (kind == KIND_POISON)
		sim_die(SIGSEGV);
	set_timer(call, state);
	give_verdict(call, state, (uint64_t)number);
	if ((uint64_t)number % sim_plan.every)
		return kind == KIND_FAILING;
	for (uint32_t i = 0; i < sim_plan.copies; i++)
		emit(call, chain_total, state->count, state->hash, (uint64_t)number);
	return kind == KIND_FAILING;
}

static int relay_on_event(struct faas_call *call, const struct faas_event *event, void *data)
{
	struct sim_chain *state = workflow_chain(data);
	int64_t count, number, kind;

	(void)event;
	check_state(state, "relay");
	if (faas_input_s64(call, relay_number, &number) ||
	    faas_input_s64(call, relay_count, &count) || faas_input_s64(call, relay_kind, &kind))
		sim_fail("an output without its fields");
	workflow_advance(state, (uint64_t)(number + count));
	emit(call, relay_seen, state->count, state->hash, (uint64_t)number);
	return kind == KIND_LATE_FAILING;
}

/* Events come on in their order; bad ones are bad by themselves, or spoil the batch. */
static int decode_on_batch(struct faas_call *call, const struct faas_event *const *events,
			   unsigned int count)
{
	bool spoiled = false;

	if (!count || count > FAAS_BATCH_MAX)
		sim_fail("a batch of %u events", count);
	for (unsigned int i = 0; i < count; i++) {
		int64_t number, kind;

		sim_step();
		if (faas_input_s64_for(call, i, decode_number, &number) ||
		    faas_input_s64_for(call, i, decode_kind, &kind))
			sim_fail("an event of a batch without its fields");
		if ((uint64_t)number != events[i]->time_ns ||
		    (i && events[i]->time_ns <= events[i - 1]->time_ns))
			sim_fail("event %u of a batch is not the one that comes there", i);
		if (kind == KIND_CURSED)
			sim_die(SIGSEGV);
		if (kind == KIND_UNDECODED)
			faas_fail(call, i);
		spoiled |= kind == KIND_SPOILING;
		if (faas_emit_for(call, i, decode_decoded,
				  (const struct faas_value[]){{.s64 = number}, {.s64 = kind}}, 2))
			sim_fail("faas_emit_for refused an output");
	}
	return spoiled;
}

/* From either version to the other. */
static int on_migrate(uint32_t from_version, const void *from, uint32_t from_bytes, void *to)
{
	uint32_t version = 3 - from_version;
	struct sim_chain *chain;
	uint8_t copy[sizeof(struct second_state)];

	if (version != updates_loading() || from_bytes != workflow_state_bytes(from_version))
		sim_fail("faas_on_migrate is called for version %u, %u bytes", from_version,
			 from_bytes);
	memcpy(copy, from, from_bytes);
	chain = chain_of(from_version, copy);
	check_state(chain, "faas_on_migrate");
	if (updates_refuse(chain))
		return -7;
	memcpy(chain_of(version, to), chain, sizeof(*chain));
	return 0;
}

void *workflow_symbol(uint32_t function, const char *name)
{
	const uint32_t version = updates_loading() - 1;
	const struct {
		enum sim_role role;
		const char *name;
		const void *at;
	} symbols[] = {
		{ROLE_CHAIN, "faas_on_event", (const void *)chain_on_event},
		{ROLE_CHAIN, "faas_state_bytes", &state_bytes[version]},
		{ROLE_CHAIN, "faas_state_version", &state_versions[version]},
		{ROLE_CHAIN, "faas_on_migrate", (const void *)on_migrate},
		{ROLE_CHAIN, "faas_on_timer", (const void *)chain_on_timer},
		{ROLE_CHAIN, "faas_output_total", &chain_total},
		{ROLE_CHAIN, "faas_output_idle", &chain_idle},
		{ROLE_CHAIN, "faas_output_swept", &chain_swept},
		{ROLE_CHAIN, "faas_input_number", &chain_number},
		{ROLE_CHAIN, "faas_input_kind", &chain_kind},
		{ROLE_CHAIN, "faas_verdict_id_block", &chain_block},
		{ROLE_RELAY, "faas_on_event", (const void *)relay_on_event},
		{ROLE_RELAY, "faas_on_migrate", (const void *)on_migrate},
		{ROLE_RELAY, "faas_state_bytes", &state_bytes[version]},
		{ROLE_RELAY, "faas_state_version", &state_versions[version]},
		{ROLE_RELAY, "faas_output_seen", &relay_seen},
		{ROLE_RELAY, "faas_input_count", &relay_count},
		{ROLE_RELAY, "faas_input_number", &relay_number},
		{ROLE_RELAY, "faas_input_kind", &relay_kind},
		{ROLE_DECODE, "faas_on_batch", (const void *)decode_on_batch},
		{ROLE_DECODE, "faas_output_decoded", &decode_decoded},
		{ROLE_DECODE, "faas_input_number", &decode_number},
		{ROLE_DECODE, "faas_input_kind", &decode_kind},
	};

	for (unsigned int i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
		if (workflow_function(symbols[i].role) == function &&
		    !strcmp(symbols[i].name, name))
			return (void *)(uintptr_t)symbols[i].at;
	return NULL;
}

void functions_reset(void)
{
	bad_sweeps = 0;
	crashed_hash = 0;
	this_round = last_round = this_begins = 0;
	this_counts = false;
	memset(cut_rounds, 0, sizeof(cut_rounds));
	cut_count = 0;
}
