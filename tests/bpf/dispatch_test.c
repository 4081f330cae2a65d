// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The root program's trigger table and slots: which workflow takes a packet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <linux/bpf.h>
#include <netinet/in.h>

#include "frame.h"
#include "root_harness.h"

struct precedence {
	const char *name;
	struct faas_port_entry source, destination; /* of the ports 1000 and 2000 */
	uint16_t slot[2], trigger[2];		    /* that UDP and TCP packets lead to */
};

/* {slot, trigger} of udp_destination, udp_source, tcp_destination, tcp_source */
static const struct precedence precedences[] = {
	{"none",
	 {{0, 0}, {0, 0}, {0, 0}, {0, 0}},
	 {{0, 0}, {0, 0}, {0, 0}, {0, 0}},
	 {0, 0},
	 {0, 0}},
	{"destination",
	 {{0, 0}, {0, 0}, {0, 0}, {0, 0}},
	 {{3, 1}, {0, 0}, {4, 2}, {0, 0}},
	 {3, 4},
	 {1, 2}},
	{"source",
	 {{0, 0}, {5, 1}, {0, 0}, {6, 2}},
	 {{0, 0}, {0, 0}, {0, 0}, {0, 0}},
	 {5, 6},
	 {1, 2}},
	{"both: the destination counts",
	 {{0, 0}, {5, 1}, {0, 0}, {6, 2}},
	 {{3, 7}, {0, 0}, {4, 8}, {0, 0}},
	 {3, 4},
	 {7, 8}},
	{"the other way round",
	 {{3, 1}, {0, 0}, {4, 2}, {0, 0}},
	 {{0, 0}, {5, 3}, {0, 0}, {6, 4}},
	 {0, 0},
	 {0, 0}},
	{"UDP only",
	 {{0, 0}, {5, 1}, {0, 0}, {0, 0}},
	 {{3, 2}, {0, 0}, {0, 0}, {0, 0}},
	 {3, 0},
	 {2, 0}},
	{"TCP by source, UDP by destination",
	 {{0, 0}, {0, 0}, {0, 0}, {6, 1}},
	 {{3, 2}, {0, 0}, {0, 0}, {0, 0}},
	 {3, 6},
	 {2, 1}},
	{"everything",
	 {{1, 1}, {2, 2}, {3, 3}, {4, 4}},
	 {{5, 5}, {6, 6}, {7, 7}, {1, 8}},
	 {5, 7},
	 {5, 7}},
};

static void test_port_precedence(void **state)
{
	static const uint8_t protocols[2] = {IPPROTO_UDP, IPPROTO_TCP};
	struct root *root = *state;

	for (unsigned int i = 0; i < sizeof(precedences) / sizeof(precedences[0]); i++) {
		const struct precedence *row = &precedences[i];

		root_set_port(root, 1000, &row->source);
		root_set_port(root, 2000, &row->destination);
		for (int p = 0; p < 2; p++) {
			struct frame_spec spec = {.protocol = protocols[p],
						  .source_port = 1000,
						  .destination_port = 2000,
						  .payload_bytes = 5};
			struct faas_slot_counters before = root_slot_counters(root, row->slot[p]),
						  after;
			struct faas_packet packet = {0};
			struct frame frame;

			frame_build(&spec, &frame);
			if (root_count(root, frame.data, frame.bytes, &packet) !=
			    (row->slot[p] ? ROOT_MATCHED : ROOT_UNMATCHED))
				fail_msg("%s, protocol %u", row->name, protocols[p]);
			if (!row->slot[p])
				continue;
			after = root_slot_counters(root, row->slot[p]);
			if ((packet.trigger & ~FAAS_PACKET_SAMPLED) != row->trigger[p] ||
			    after.matched != before.matched + 1)
				fail_msg("%s, protocol %u: trigger %u", row->name, protocols[p],
					 packet.trigger);
			assert_int_equal(after.matched_bytes, before.matched_bytes + frame.bytes);
			/* No program is in the slot: the packet passed, and that is counted. */
			assert_int_equal(after.no_program, before.no_program + 1);
		}
	}
}

/* The ends of the port table. */
static void test_first_and_last_port(void **state)
{
	static const uint16_t ports[] = {1, 1023, 32768, 65535};
	struct frame frame;

	for (unsigned int i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		const struct frame_spec spec = {.destination_port = ports[i]};
		const struct faas_port_entry entry = {.udp_destination = {1, 9}},
					     none = {{0, 0}, {0, 0}, {0, 0}, {0, 0}};

		frame_build(&spec, &frame);
		assert_int_equal(root_count(*state, frame.data, frame.bytes, NULL), ROOT_UNMATCHED);
		root_set_port(*state, ports[i], &entry);
		assert_int_equal(root_count(*state, frame.data, frame.bytes, NULL), ROOT_MATCHED);
		root_set_port(*state, ports[i], &none);
		assert_int_equal(root_count(*state, frame.data, frame.bytes, NULL), ROOT_UNMATCHED);
	}
}

/* With a program in the slot its verdict counts; the first slots and the others
 * are reached by different instructions. */
static void test_slots(void **state)
{
	static const uint16_t slots[] = {1, 2, 3, 4, 5, 100, FAAS_SLOTS_MAX - 1};
	struct root *root = *state;
	struct frame frame;

	frame_build(&(struct frame_spec){.destination_port = 3000}, &frame);
	for (unsigned int i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		const struct faas_port_entry entry = {.udp_destination = {slots[i], 1}};
		struct faas_slot_counters before = root_slot_counters(root, slots[i]), after;

		root_set_port(root, 3000, &entry);
		root_set_slot(root, slots[i], 1); /* XDP_DROP, but any number will do */
		assert_int_equal(root_run(root, frame.data, frame.bytes), 1);
		root_set_slot(root, slots[i], 3); /* replaced */
		assert_int_equal(root_run(root, frame.data, frame.bytes), 3);
		root_set_slot(root, slots[i], -1);
		assert_int_equal(root_run(root, frame.data, frame.bytes), root->pass);
		after = root_slot_counters(root, slots[i]);
		assert_int_equal(after.matched, before.matched + 3);
		assert_int_equal(after.no_program, before.no_program + 1);
	}
}

/* The time of functions is taken on one packet in so many. */
static void test_sampling(void **state)
{
	const struct faas_port_entry entry = {.udp_destination = {6, 1}};
	unsigned int sampled = 0;
	struct frame frame;

	frame_build(&(struct frame_spec){.destination_port = 3001}, &frame);
	root_set_port(*state, 3001, &entry);
	for (unsigned int i = 0; i < 3 * FAAS_TIME_SAMPLE_EVERY; i++) {
		struct faas_packet packet;

		assert_int_equal(root_count(*state, frame.data, frame.bytes, &packet),
				 ROOT_MATCHED);
		sampled += !!(packet.trigger & FAAS_PACKET_SAMPLED);
	}
	assert_int_equal(sampled, 3);
}

static int setup(void **state, enum root_hook hook)
{
	static struct root root;

	root_open(&root, hook);
	*state = &root;
	return 0;
}

static int setup_xdp(void **state)
{
	return setup(state, ROOT_XDP);
}

static int setup_tc(void **state)
{
	return setup(state, ROOT_TC);
}

static int teardown(void **state)
{
	root_close(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_port_precedence),
		cmocka_unit_test(test_first_and_last_port),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_sampling),
	};

	return cmocka_run_group_tests_name("dispatch, XDP", tests, setup_xdp, teardown) +
	       cmocka_run_group_tests_name("dispatch, TC", tests, setup_tc, teardown);
}
