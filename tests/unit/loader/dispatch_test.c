// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Trigger tables: random workflows come and go, and for random packets the walk
 * over the tables must end where the written order says. FAAS_TEST_SEED replays
 * one run, FAAS_TEST_RUNS sets how many there are.
 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "dispatch_model.h"

#define RULES_MAX 4096
#define RUNS_DEFAULT 60
#define STEPS 24
#define PACKETS 60

struct fixture {
	struct model_tables tables;
	struct faas_rule rules[RULES_MAX]; /* all that stand in the tables */
	uint32_t rule_count;
	unsigned int seed;
	struct dispatch_refusal refusal;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	if (!fixture)
		return -1;
	model_init(&fixture->tables);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

/* ---- changes, to the tables and to the list ------------------------------------ */

static int insert(struct fixture *fixture, const struct faas_rule *rules, uint32_t count)
{
	struct dispatch *dispatch = NULL;
	int error;

	assert_int_equal(dispatch_open(&fixture->tables.storage, &dispatch), 0);
	error = dispatch_insert(dispatch, rules, count, &fixture->refusal);
	if (!error) {
		model_before_commit(&fixture->tables);
		error = dispatch_commit(dispatch, &fixture->refusal);
		model_after_commit(&fixture->tables);
	}
	dispatch_close(dispatch);
	if (error)
		return error;
	assert_true(fixture->rule_count + count <= RULES_MAX);
	memcpy(&fixture->rules[fixture->rule_count], rules, count * sizeof(*rules));
	fixture->rule_count += count;
	return 0;
}

static bool is_in(const struct faas_rule *rule, const struct faas_rule *rules, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (!memcmp(&rules[i], rule, sizeof(*rule)))
			return true;
	return false;
}

static void take_out(struct fixture *fixture, uint32_t slot, const struct faas_rule *keep,
		     uint32_t keep_count)
{
	struct dispatch *dispatch = NULL;
	uint32_t left = 0;

	assert_int_equal(dispatch_open(&fixture->tables.storage, &dispatch), 0);
	assert_int_equal(dispatch_remove(dispatch, slot, keep, keep_count), 0);
	model_before_commit(&fixture->tables);
	assert_int_equal(dispatch_commit(dispatch, &fixture->refusal), 0);
	model_after_commit(&fixture->tables);
	dispatch_close(dispatch);
	for (uint32_t i = 0; i < fixture->rule_count; i++)
		if (fixture->rules[i].leads_to.slot != slot ||
		    is_in(&fixture->rules[i], keep, keep_count))
			fixture->rules[left++] = fixture->rules[i];
	fixture->rule_count = left;
}

static bool is_empty(struct fixture *fixture)
{
	struct dispatch *dispatch = NULL;
	bool empty;

	assert_int_equal(dispatch_open(&fixture->tables.storage, &dispatch), 0);
	empty = dispatch_empty(dispatch);
	dispatch_close(dispatch);
	return empty;
}

/* ---- rules by hand --------------------------------------------------------------- */

static struct faas_rule rule_of(uint16_t slot)
{
	return (struct faas_rule){.leads_to = {slot, 1}};
}

static struct faas_rule with_port(struct faas_rule rule, uint16_t first, uint16_t last)
{
	rule.named |= FAAS_RULE_DESTINATION_PORT | FAAS_RULE_PROTOCOL;
	rule.protocol = IPPROTO_UDP;
	rule.destination_port_first = first;
	rule.destination_port_last = last;
	return rule;
}

static struct faas_rule with_vlan(struct faas_rule rule, uint16_t vlan)
{
	rule.named |= FAAS_RULE_VLAN;
	rule.vlan = vlan;
	return rule;
}

/* IPv4, in the first @p bits of it. */
static struct faas_rule with_destination(struct faas_rule rule, uint32_t address, uint8_t bits)
{
	rule.named |= FAAS_RULE_DESTINATION;
	rule.destination_bits = (uint8_t)(96 + bits);
	rule.destination[10] = rule.destination[11] = 0xff;
	for (int i = 0; i < 4; i++)
		rule.destination[12 + i] = (uint8_t)(address >> (24 - 8 * i));
	return rule;
}

static struct faas_rule with_priority(struct faas_rule rule, int16_t priority)
{
	rule.priority = priority;
	return rule;
}

static struct model_packet packet_to(uint16_t port)
{
	return (struct model_packet){.has_ports = true,
				     .destination_port = port,
				     .source_port = 9,
				     .ethertype = 0x0800,
				     .protocol = IPPROTO_UDP};
}

static void leads(struct fixture *fixture, const struct model_packet *packet, uint32_t slot)
{
	assert_int_equal(model_walk(&fixture->tables, packet).slot, slot);
}

/* ---- the invariants, one by one ---------------------------------------------------- */

static void test_direct(void **state)
{
	struct fixture *fixture = *state;
	struct faas_rule port = with_port(rule_of(3), 5005, 5005);

	assert_int_equal(insert(fixture, &port, 1), 0);
	assert_int_equal(fixture->tables.ports[5005].udp_destination.slot, 3);
	assert_int_equal(fixture->tables.ports[5005].udp_destination.trigger, 1);
	assert_int_equal(model_entries_used(&fixture->tables), 0);
	assert_int_equal(fixture->tables.stages, 0);
	assert_int_equal(insert(fixture, &port, 1), 0); /* again: nothing changes */
	assert_int_equal(model_entries_used(&fixture->tables), 0);
	assert_false(is_empty(fixture));
	take_out(fixture, 3, NULL, 0);
	assert_true(is_empty(fixture));
}

/* A narrow range before a wide one, one port before both, and back. */
static void test_ranges(void **state)
{
	struct fixture *fixture = *state;
	struct faas_rule wide = with_port(rule_of(1), 1, 60000);
	struct faas_rule narrow = with_port(rule_of(2), 5000, 5009);
	struct faas_rule one = with_port(rule_of(3), 5005, 5005);
	struct model_packet five = packet_to(5005), four = packet_to(5004), far = packet_to(70);

	assert_int_equal(insert(fixture, &wide, 1), 0);
	assert_int_equal(model_entries_used(&fixture->tables), 1);
	assert_int_equal(insert(fixture, &one, 1), 0);
	assert_int_equal(insert(fixture, &narrow, 1), 0);
	leads(fixture, &five, 3);
	leads(fixture, &four, 2);
	leads(fixture, &far, 1);
	/* wide; narrow, wide; one, narrow, wide */
	assert_int_equal(model_entries_used(&fixture->tables), 3);
	take_out(fixture, 2, NULL, 0);
	leads(fixture, &five, 3);
	leads(fixture, &four, 1);
	take_out(fixture, 1, NULL, 0);
	leads(fixture, &five, 3);
	leads(fixture, &four, 0);
	assert_int_equal(model_entries_used(&fixture->tables), 0);
}

/* Nested prefixes without conditions need no chains, and come back one by one. */
static void test_prefixes(void **state)
{
	struct fixture *fixture = *state;
	struct model_packet packet = packet_to(5005);
	struct faas_rule rules[20];

	packet.destination[10] = packet.destination[11] = 0xff;
	packet.destination[12] = 10;
	for (uint16_t i = 0; i < 20; i++) {
		rules[i] = with_destination(rule_of(i + 1), 10u << 24, (uint8_t)(8 + i));
		assert_int_equal(insert(fixture, &rules[i], 1), 0);
	}
	assert_int_equal(fixture->tables.keyed_count[DISPATCH_DESTINATIONS], 20);
	assert_int_equal(model_entries_used(&fixture->tables), 0);
	assert_int_equal(fixture->tables.stages, FAAS_STAGE_DESTINATION);
	for (uint16_t i = 20; i > 0; i--) {
		leads(fixture, &packet, i);
		take_out(fixture, i, NULL, 0);
	}
	leads(fixture, &packet, 0);
	assert_int_equal(fixture->tables.stages, 0);
}

/* A conditional rule of a short prefix is tried at the longer ones as well. */
static void test_pushed_down(void **state)
{
	struct fixture *fixture = *state;
	struct model_packet packet = packet_to(5005);
	struct faas_rule outer = with_destination(rule_of(1), 10u << 24, 8);
	struct faas_rule inner = with_vlan(with_destination(rule_of(2), 10u << 24, 24), 7);

	packet.destination[10] = packet.destination[11] = 0xff;
	packet.destination[12] = 10;
	assert_int_equal(insert(fixture, &inner, 1), 0);
	leads(fixture, &packet, 0);
	assert_int_equal(insert(fixture, &outer, 1), 0);
	leads(fixture, &packet, 1);
	packet.vlan = 7;
	leads(fixture, &packet, 2);
	take_out(fixture, 1, NULL, 0);
	leads(fixture, &packet, 2);
	packet.vlan = 8;
	leads(fixture, &packet, 0);
}

static void test_collision(void **state)
{
	struct fixture *fixture = *state;
	struct faas_rule mine = with_port(rule_of(1), 5005, 5005);
	struct faas_rule same = with_port(rule_of(2), 5005, 5005);
	struct faas_rule more = with_vlan(same, 7), higher = with_priority(same, 1);
	struct model_packet packet = packet_to(5005);

	assert_int_equal(insert(fixture, &mine, 1), 0);
	assert_int_equal(insert(fixture, &same, 1), -EEXIST);
	assert_int_equal(fixture->refusal.kind, REFUSED_COLLISION);
	assert_int_equal(fixture->refusal.others[0].leads_to.slot, 1);
	leads(fixture, &packet, 1);
	assert_int_equal(insert(fixture, &more, 1), 0);
	leads(fixture, &packet, 1);
	assert_int_equal(insert(fixture, &higher, 1), 0);
	leads(fixture, &packet, 2);
	take_out(fixture, 2, NULL, 0);
	leads(fixture, &packet, 1);
	assert_int_equal(fixture->tables.ports[5005].udp_destination.slot, 1);
}

static void test_too_many(void **state)
{
	struct fixture *fixture = *state;
	struct faas_rule rule;

	for (uint16_t i = 0; i < FAAS_CANDIDATES_MAX; i++) {
		rule = with_vlan(with_port(rule_of(i + 1), 80, 80), i + 1);
		assert_int_equal(insert(fixture, &rule, 1), 0);
	}
	rule = with_vlan(with_port(rule_of(20), 80, 80), 20);
	assert_int_equal(insert(fixture, &rule, 1), -EEXIST);
	assert_int_equal(fixture->refusal.kind, REFUSED_CANDIDATES);
	assert_int_equal(fixture->refusal.other_count, FAAS_CANDIDATES_MAX);
	take_out(fixture, 4, NULL, 0);
	assert_int_equal(insert(fixture, &rule, 1), 0);
}

/* What is kept stays, and is not made again. */
static void test_keep(void **state)
{
	struct fixture *fixture = *state;
	struct faas_rule rules[] = {with_port(rule_of(1), 80, 80), with_port(rule_of(1), 81, 99),
				    with_vlan(rule_of(1), 5), rule_of(1)};
	struct faas_rule keep[] = {rules[2], rules[1], with_port(rule_of(1), 7, 7)};

	assert_int_equal(insert(fixture, rules, 4), 0);
	take_out(fixture, 1, keep, 3);
	assert_int_equal(fixture->rule_count, 2);
	assert_int_equal(fixture->tables.ports[80].udp_destination.slot, 0);
	assert_int_equal(fixture->tables.stages, FAAS_STAGE_VLAN);
	assert_int_equal(fixture->tables.classes[FAAS_CLASS_VLAN + 5].ref.slot, 1);
	assert_int_equal(fixture->tables.classes[FAAS_CLASS_ANY].ref.slot, 0);
}

/* A full table is used again after a barrier, and refused when it is really full. */
static void test_full(void **state)
{
	struct fixture *fixture = *state;
	struct faas_rule rules[1024];
	uint32_t loaded = 0;

	for (int16_t turn = 1; turn <= 40; turn++) {
		for (uint16_t i = 0; i < 1024; i++)
			rules[i] = with_priority(with_port(rule_of(1), i, i), turn);
		assert_int_equal(insert(fixture, rules, 1024), 0);
		take_out(fixture, 1, NULL, 0);
	}
	assert_true(fixture->tables.barriers > 0);
	for (uint16_t slot = 1; slot < 10; slot++) {
		for (uint16_t i = 0; i < 1024; i++) {
			uint16_t port = (uint16_t)(slot * 2000 + i);

			rules[i] = with_priority(with_port(rule_of(slot), port, port), 1);
		}
		fixture->rule_count = 0;
		if (insert(fixture, rules, 1024))
			break;
		loaded += 1024;
	}
	assert_int_equal(fixture->refusal.kind, REFUSED_FULL);
	assert_string_equal(fixture->refusal.full, "rules");
	assert_int_equal(loaded, (FAAS_RULES_MAX - 1) / 1024 * 1024);
	assert_int_equal(model_entries_used(&fixture->tables), loaded);
}

/* A store that fails leaves nothing that cannot be taken out. */
static void test_failed_store(void **state)
{
	struct fixture *fixture = *state;
	struct faas_rule rules[] = {with_port(rule_of(1), 80, 80),
				    with_destination(rule_of(1), 10u << 24, 8)};

	fixture->tables.store_error = -ENOMEM;
	assert_int_equal(insert(fixture, rules, 2), -ENOMEM);
	fixture->tables.store_error = 0;
	take_out(fixture, 1, NULL, 0);
	assert_true(is_empty(fixture));
	assert_int_equal(fixture->tables.stages, 0);
}

static void test_damaged(void **state)
{
	struct fixture *fixture = *state;
	struct faas_rule rule = with_vlan(rule_of(1), 5);
	struct dispatch *dispatch = NULL;

	fixture->tables.classes[FAAS_CLASS_VLAN + 5].ref = (struct faas_trigger_ref){0x8000, 9};
	fixture->tables.rules[9].next = 9;
	assert_int_equal(dispatch_open(&fixture->tables.storage, &dispatch), 0);
	assert_int_equal(dispatch_insert(dispatch, &rule, 1, &fixture->refusal), -EILSEQ);
	dispatch_close(dispatch);
}

/* ---- random workflows -------------------------------------------------------------- */

static uint32_t below(struct fixture *fixture, uint32_t limit)
{
	return (uint32_t)rand_r(&fixture->seed) % limit;
}

/* Few values each, so that rules meet. */
static uint16_t any_port(struct fixture *fixture)
{
	return (uint16_t)(100 + below(fixture, 6));
}

static void any_prefix(struct fixture *fixture, uint8_t *bits, uint8_t *address)
{
	static const uint8_t lengths[] = {0, 16, 96, 104, 112, 120, 124, 125, 128};
	uint32_t length = lengths[below(fixture, sizeof(lengths))];

	memset(address, 0, 16);
	if (length >= 96)
		address[10] = address[11] = 0xff;
	else
		address[0] = 0x20, address[1] = (uint8_t)below(fixture, 2);
	address[12] = 10;
	address[15] = (uint8_t)below(fixture, 16);
	for (uint32_t i = length; i < 128; i++)
		address[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	*bits = (uint8_t)length;
}

static struct faas_rule any_rule(struct fixture *fixture, uint16_t slot)
{
	struct faas_rule rule = {.leads_to = {slot, (uint16_t)(1 + below(fixture, 2))},
				 .priority = (int16_t)((int)below(fixture, 3) - 1)};
	uint32_t kinds = below(fixture, 64);

	if (kinds & 1) {
		rule.named |= FAAS_RULE_PROTOCOL;
		rule.protocol = below(fixture, 3) ? IPPROTO_UDP : IPPROTO_TCP;
		if (below(fixture, 5) == 0)
			rule.protocol = below(fixture, 2) ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	}
	if ((kinds & 1) && rule.protocol != IPPROTO_UDP && rule.protocol != IPPROTO_TCP) {
		if (kinds & 2) {
			rule.named |= FAAS_RULE_ICMP_TYPE;
			rule.icmp_type = (uint8_t)below(fixture, 3);
		}
	} else if (kinds & 1) {
		if (kinds & 2) {
			rule.named |= FAAS_RULE_DESTINATION_PORT;
			rule.destination_port_first = any_port(fixture);
			rule.destination_port_last =
				(uint16_t)(rule.destination_port_first +
					   (below(fixture, 2) ? below(fixture, 4) : 0));
		}
		if (below(fixture, 3) == 0) {
			rule.named |= FAAS_RULE_SOURCE_PORT;
			rule.source_port_first = any_port(fixture);
			rule.source_port_last =
				(uint16_t)(rule.source_port_first + (below(fixture, 2) ? 2 : 0));
		}
	}
	if (kinds & 4) {
		rule.named |= FAAS_RULE_DESTINATION;
		any_prefix(fixture, &rule.destination_bits, rule.destination);
	}
	if (kinds & 8) {
		rule.named |= FAAS_RULE_SOURCE;
		any_prefix(fixture, &rule.source_bits, rule.source);
	}
	if ((kinds & 16) && below(fixture, 3) == 0) {
		rule.named |= FAAS_RULE_ETHERTYPE;
		rule.ethertype = below(fixture, 2) ? 0x0800 : 0x0806;
	}
	if ((kinds & 32) && below(fixture, 2) == 0)
		rule = with_vlan(rule, (uint16_t)(1 + below(fixture, 2)));
	return rule;
}

static struct model_packet any_packet(struct fixture *fixture)
{
	static const uint8_t protocols[] = {IPPROTO_UDP,  IPPROTO_UDP,	  IPPROTO_TCP,
					    IPPROTO_ICMP, IPPROTO_ICMPV6, 0};
	struct model_packet packet = {.protocol = protocols[below(fixture, sizeof(protocols))]};
	uint8_t bits;

	packet.has_ports = (packet.protocol == IPPROTO_UDP || packet.protocol == IPPROTO_TCP) &&
			   below(fixture, 8);
	packet.has_icmp = packet.protocol == IPPROTO_ICMP || packet.protocol == IPPROTO_ICMPV6;
	packet.icmp_type = (uint8_t)below(fixture, 3);
	packet.destination_port = any_port(fixture);
	packet.source_port = any_port(fixture);
	packet.vlan = (uint16_t)below(fixture, 3);
	packet.ethertype = below(fixture, 2) ? 0x0800 : 0x0806;
	any_prefix(fixture, &bits, packet.destination);
	any_prefix(fixture, &bits, packet.source);
	return packet;
}

static void check_packets(struct fixture *fixture, unsigned int seed, int step)
{
	for (int i = 0; i < PACKETS; i++) {
		struct model_packet packet = any_packet(fixture);
		struct faas_trigger_ref is = model_walk(&fixture->tables, &packet);
		struct faas_trigger_ref should =
			model_best(fixture->rules, fixture->rule_count, &packet);

		if (is.slot != should.slot || is.trigger != should.trigger)
			fail_msg("seed %u, step %d, packet %d: the tables lead to %u/%u, the "
				 "order says %u/%u",
				 seed, step, i, is.slot, is.trigger, should.slot, should.trigger);
	}
}

/* A refusal must have its reason: the rule collides, or one place is full. */
static void check_refusal(struct fixture *fixture, const struct faas_rule *rules, uint32_t count)
{
	const struct dispatch_refusal *refusal = &fixture->refusal;

	if (refusal->kind == REFUSED_COLLISION) {
		assert_true(dispatch_rules_collide(&refusal->rule, &refusal->others[0]));
		assert_true(is_in(&refusal->rule, rules, count));
		assert_true(is_in(&refusal->others[0], fixture->rules, fixture->rule_count) ||
			    is_in(&refusal->others[0], rules, count));
		return;
	}
	assert_int_equal(refusal->kind, REFUSED_CANDIDATES);
	assert_true(refusal->other_count > 0);
}

/* Nothing that collides may have been let in. */
static void check_accepted(struct fixture *fixture)
{
	for (uint32_t i = 0; i < fixture->rule_count; i++)
		for (uint32_t k = 0; k < i; k++)
			if (dispatch_rules_collide(&fixture->rules[i], &fixture->rules[k]))
				fail_msg("rules %u and %u collide and were accepted", i, k);
}

static void step(struct fixture *fixture)
{
	struct faas_rule rules[6];
	uint16_t slot = (uint16_t)(1 + below(fixture, 10));
	uint32_t count = 1 + below(fixture, 6);

	if (below(fixture, 5) == 0) {
		uint32_t kept = 0;

		for (uint32_t i = 0; i < fixture->rule_count && kept < 3; i++)
			if (below(fixture, 3) == 0)
				rules[kept++] = fixture->rules[i];
		take_out(fixture, slot, rules, kept);
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		rules[i] = any_rule(fixture, slot);
	if (insert(fixture, rules, count))
		check_refusal(fixture, rules, count);
	else
		check_accepted(fixture);
}

static void run(struct fixture *fixture, unsigned int seed)
{
	fixture->seed = seed;
	fixture->rule_count = 0;
	/* As after a long life: every entry was used once. */
	memset(fixture->tables.rules, seed % 2 ? 0x55 : 0, sizeof(fixture->tables.rules));
	memset(fixture->tables.visible, 0, sizeof(fixture->tables.visible));
	for (int i = 0; i < STEPS; i++) {
		step(fixture);
		check_packets(fixture, seed, i);
	}
	for (uint16_t slot = 1; slot <= 10; slot++)
		take_out(fixture, slot, NULL, 0);
	assert_int_equal(fixture->rule_count, 0);
	assert_true(is_empty(fixture));
	assert_int_equal(fixture->tables.stages, 0);
	assert_int_equal(model_entries_used(&fixture->tables), 0);
}

static void test_random(void **state)
{
	const char *seed = getenv("FAAS_TEST_SEED"), *runs = getenv("FAAS_TEST_RUNS");
	unsigned int first = seed ? (unsigned int)atoi(seed) : (unsigned int)time(NULL);
	unsigned int count = runs ? (unsigned int)atoi(runs) : seed ? 1 : RUNS_DEFAULT;

	print_message("seeds %u to %u\n", first, first + count - 1);
	for (unsigned int i = 0; i < count; i++)
		run(*state, first + i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_direct, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ranges, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_prefixes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pushed_down, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_collision, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_keep, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failed_store, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damaged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_random, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("dispatch", tests, NULL, NULL);
}
