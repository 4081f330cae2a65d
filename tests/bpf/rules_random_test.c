// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Random trigger tables and random frames: the root program and the second opinion
 * (tests/lib/tables.c) say the same trigger. RULES_SEED repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <netinet/in.h>

#include "frame.h"
#include "root_harness.h"
#include "tables.h"

#define SLOT 5
#define TO(trigger)                                                                                \
	{                                                                                          \
		SLOT, (trigger)                                                                    \
	}
#define CHAIN(index) TABLES_CHAIN(index)
#define RANDOM_TABLES 150
#define RANDOM_FRAMES 60

static const char *const networks[] = {
	"10.1.2.3",    "10.1.2.0",	 "10.1.0.0",   "10.0.0.0", "0.0.0.0",
	"2001:db8::1", "2001:db8:0:1::", "2001:db8::", "::",	   "fe80::"};
static const uint8_t network_bits[] = {32, 24, 16, 8, 0, 128, 64, 32, 0, 10};
static const char *const addresses4[] = {"10.1.2.3", "10.1.2.4", "10.1.3.4", "10.9.9.9",
					 "192.168.0.1"};
static const char *const addresses6[] = {"2001:db8::1", "2001:db8:0:1::9", "2001:db8:f::1",
					 "fe80::1", "fd00::1"};
static const uint16_t random_ports[] = {1000, 1001, 2000, 65535};
static const uint8_t protocols[] = {IPPROTO_UDP,  IPPROTO_UDP,	  IPPROTO_TCP,
				    IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_GRE};
static const uint16_t ethertypes[] = {0x0800, 0x86dd, 0x0806, 0x88cc};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PICK(array) ((array)[(unsigned int)rand() % COUNT(array)])

static unsigned int below(unsigned int limit)
{
	return (unsigned int)rand() % limit;
}

static struct faas_trigger_ref random_ref(void)
{
	static uint16_t trigger;

	trigger = (uint16_t)(trigger % 16000 + 1);
	if (below(3))
		return (struct faas_trigger_ref)CHAIN((uint16_t)(1 + below(TABLES_RULES_MAX - 1)));
	return (struct faas_trigger_ref)TO(trigger);
}

static void random_rule(struct tables_rule *ret, uint16_t trigger)
{
	unsigned int source = below(COUNT(networks)), destination = below(COUNT(networks));
	uint16_t first = PICK(random_ports), last = PICK(random_ports);

	/* Two conditions at the most, else hardly anything would fit. */
	*ret = (struct tables_rule){{.leads_to = TO(trigger),
				     .next = below(4) ? 1 + below(TABLES_RULES_MAX - 1) : 0,
				     .checks = (uint16_t)(1u << below(8) | 1u << below(8)),
				     .vlan = (uint16_t)below(3),
				     .ethertype = PICK(ethertypes),
				     .destination_port_first = first,
				     .destination_port_last = last,
				     .source_port_first = last,
				     .source_port_last = first,
				     .protocol = PICK(protocols),
				     .icmp_type = (uint8_t)below(3),
				     .destination_bits = network_bits[destination],
				     .source_bits = network_bits[source]},
				    networks[destination],
				    networks[source]};
}

static void random_tables(struct tables *ret)
{
	*ret = (struct tables){0};
	for (unsigned int i = 0; i < TABLES_PORTS_MAX; i++)
		ret->ports[i].port = random_ports[i];
	for (unsigned int i = 0; i < TABLES_PORTS_MAX; i += 1 + below(3))
		ret->ports[i].entry =
			(struct faas_port_entry){random_ref(), random_ref(), random_ref(), {0, 0}};
	for (unsigned int i = 0, to = 0; i < COUNT(networks); i += 1 + below(4))
		ret->prefixes[to++] = (struct tables_prefix){networks[i], network_bits[i], below(2),
							     random_ref()};
	for (unsigned int i = 0; i < below(COUNT(ethertypes) + 1); i++) {
		ret->ethertypes[i].ethertype = ethertypes[i];
		ret->ethertypes[i].ref = random_ref();
	}
	for (unsigned int i = 0; i < TABLES_CLASSES_MAX; i++) {
		static const uint32_t classes[TABLES_CLASSES_MAX] = {
			FAAS_CLASS_ANY,
			FAAS_CLASS_PROTOCOL + IPPROTO_UDP,
			FAAS_CLASS_PROTOCOL + IPPROTO_TCP,
			FAAS_CLASS_PROTOCOL + IPPROTO_ICMP,
			FAAS_CLASS_PROTOCOL + IPPROTO_GRE,
			FAAS_CLASS_ICMP,
			FAAS_CLASS_ICMP + 1,
			FAAS_CLASS_ICMPV6,
			FAAS_CLASS_ICMPV6 + 2,
			FAAS_CLASS_VLAN + 1,
			FAAS_CLASS_VLAN + 2,
			FAAS_CLASS_VLAN + 4095,
		};

		ret->classes[i].class = classes[i];
		if (!below(3))
			ret->classes[i].ref = random_ref();
	}
	for (unsigned int i = 1; i < TABLES_RULES_MAX; i++)
		random_rule(&ret->rules[i], (uint16_t)(20000 + i));
}

static void random_frame(struct frame *ret)
{
	bool v6 = below(2);
	const uint8_t payload[8] = {(uint8_t)below(3)};
	struct frame_spec spec = {
		.ip_version = v6 ? 6 : 4,
		.source = v6 ? PICK(addresses6) : PICK(addresses4),
		.destination = v6 ? PICK(addresses6) : PICK(addresses4),
		.protocol = PICK(protocols),
		.source_port = PICK(random_ports),
		.destination_port = PICK(random_ports),
		.vlans = {{0, (uint16_t)below(3)}},
		.payload = payload,
		.payload_bytes = sizeof(payload),
		.padding_bytes = 20,
	};

	if (!below(6))
		spec.fragment_offset = 10;
	if (v6 && spec.fragment_offset)
		spec.extensions[0] = IPPROTO_FRAGMENT;
	if (!below(6))
		spec.ethertype = PICK(ethertypes);
	if (!below(20))
		spec.version_nibble = 9;
	frame_build(&spec, ret);
}

static void test_random_tables(void **state)
{
	const char *given = getenv("RULES_SEED");
	unsigned int seed =
		given ? (unsigned int)strtoul(given, NULL, 10) : (unsigned int)time(NULL);
	unsigned int taken = 0;
	static struct tables tables;
	static struct frame frame;

	print_message("RULES_SEED=%u\n", seed);
	srand(seed);
	for (int i = 0; i < RANDOM_TABLES; i++) {
		random_tables(&tables);
		root_set_tables(*state, &tables);
		for (int j = 0; j < RANDOM_FRAMES; j++) {
			uint16_t trigger, second;

			random_frame(&frame);
			trigger = root_trigger(*state, frame.data, frame.bytes);
			second = tables_trigger(&tables, frame.data, frame.bytes);
			if (trigger != second)
				fail_msg("table %d, frame %d: trigger %u, by the second opinion "
					 "%u (RULES_SEED=%u)",
					 i, j, trigger, second, seed);
			taken += !!trigger;
		}
	}
	root_clear_ports(*state, &tables);
	/* Both kinds are there, or the test would say little. */
	assert_in_range(taken, RANDOM_TABLES * RANDOM_FRAMES / 10,
			RANDOM_TABLES * RANDOM_FRAMES * 9 / 10);
}

static int setup_xdp(void **state)
{
	static struct root root;

	root_open(&root, ROOT_XDP);
	*state = &root;
	return 0;
}

static int setup_tc(void **state)
{
	static struct root root;

	root_open(&root, ROOT_TC);
	*state = &root;
	return 0;
}

static int teardown(void **state)
{
	root_close(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_tables),
	};

	return cmocka_run_group_tests_name("random rules, XDP", tests, setup_xdp, teardown) +
	       cmocka_run_group_tests_name("random rules, TC", tests, setup_tc, teardown);
}
