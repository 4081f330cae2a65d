// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Every CPU counts for itself; the sum is what all of them counted. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "bundle_harness.h"
#include "counters.h"
#include "function_harness.h"
#include "root_harness.h"

#define SLOT 5
#define PORT 7000
#define FIRST_CHAIN_SLOT (FAAS_REF_CHAIN | 1) /* no slot: as large as the head of a chain is */

/* Stay on the CPU; false: this process may not, or there is none. */
static bool stay_on(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET((size_t)cpu, &cpus);
	return !sched_setaffinity(0, sizeof(cpus), &cpus);
}

static void meters_of_all_cpus(void **state)
{
	static const char *const outputs[] = {"a", "b", "c", "d", "e", NULL};
	static const uint8_t payload[1] = {0};
	struct frame_spec spec = {.payload = payload, .payload_bytes = sizeof(payload)};
	struct bundle_rig *rig = bundle_rig_new("counting");
	struct faas_function_meters functions[1];
	struct faas_meters ledger;
	struct faas_packet packet;
	struct frame frame;
	uint64_t runs = 0;
	uint16_t trigger;

	(void)state;
	bundle_lead(bundle_add_function(rig, "choose", "choose", "tests/bpf/choose.bpf.o", outputs),
		    0, TARGET_VERDICT, VERDICT_DROP);
	trigger = bundle_add_trigger(rig, "all", HOOK_XDP, MODE_COPY, 0);
	bundle_rig_open(rig, NULL);
	frame_build(&spec, &frame);
	packet = harness_describe(&spec, &frame, 0);
	packet.trigger = trigger;
	for (int cpu = 0; cpu < (int)counters_cpus(); cpu++) {
		if (!stay_on(cpu))
			continue;
		runs++;
		assert_int_equal(bundle_run(rig, HOOK_XDP, &packet, &frame), XDP_DROP);
	}
	bundle_meters(rig, &ledger, functions);
	assert_true(runs > 0);
	assert_int_equal(ledger.dropped, runs);
	assert_int_equal(functions[0].outputs[0], runs);
	bundle_rig_close(rig);
}

static void slots_of_all_cpus(void **state)
{
	struct faas_port_entry entry = {.udp_destination = {SLOT, 1}};
	struct faas_slot_counters counters;
	struct frame frame;
	struct root root;
	uint64_t runs = 0;

	(void)state;
	frame_build(&(struct frame_spec){.destination_port = PORT, .payload_bytes = 18}, &frame);
	root_open(&root, ROOT_XDP);
	root_set_port(&root, PORT, &entry);
	root_set_slot(&root, SLOT, XDP_DROP);
	for (int cpu = 0; cpu < (int)counters_cpus(); cpu++) {
		if (!stay_on(cpu))
			continue;
		runs++;
		assert_int_equal(root_run(&root, frame.data, frame.bytes), XDP_DROP);
	}
	assert_true(runs > 0);
	assert_int_equal(root_slot_counters(&root, SLOT).matched, runs);
	assert_int_equal(root_slot_counters(&root, SLOT).matched_bytes, runs * frame.bytes);
	assert_int_equal(root_slot_counters(&root, SLOT - 1).matched, 0);
	assert_int_equal(root_slot_counters(&root, SLOT + 1).matched, 0);

	/* What is no slot is nobody's, and not that of another CPU. */
	entry.udp_destination.slot = FIRST_CHAIN_SLOT;
	root_set_port(&root, PORT, &entry);
	assert_true(stay_on(0));
	assert_int_equal(root_run(&root, frame.data, frame.bytes), root.pass);
	for (uint32_t slot = 0; slot < FAAS_SLOTS_MAX; slot++)
		assert_int_equal(root_slot_counters(&root, slot).matched, slot == SLOT ? runs : 0);

	assert_int_equal(counters_slot_clear(root.slot_counters_fd, SLOT), 0);
	assert_int_equal(counters_slot(root.slot_counters_fd, SLOT, &counters), 0);
	assert_int_equal(counters.matched, 0);
	root_close(&root);
}

/* A map of another version of this program, or of another kind, is told from one's own. */
static void sizes_of_others(void **state)
{
	static const struct {
		enum bpf_map_type type;
		uint32_t value_bytes;
		int sum, meters;
	} rows[] = {
		{BPF_MAP_TYPE_ARRAY, 16, 0, 0},
		{BPF_MAP_TYPE_ARRAY, 8, -ESTALE, -ESTALE},
		{BPF_MAP_TYPE_ARRAY, 15, -ESTALE, -ESTALE},
		{BPF_MAP_TYPE_ARRAY, 17, -ESTALE, 0}, /* meters of functions come behind */
		{BPF_MAP_TYPE_ARRAY, 24, -ESTALE, 0},
		{BPF_MAP_TYPE_HASH, 16, -ESTALE, -ESTALE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = bpf_map_create(rows[i].type, "ef_counters", sizeof(uint32_t),
					rows[i].value_bytes, 4, NULL);
		uint64_t value[3] = {0}, sum[2];

		assert_true(fd >= 0);
		for (uint32_t key = 0; key < 4; key++) {
			value[0] = key + 1;
			value[1] = 10 * (key + 1);
			assert_int_equal(bpf_map_update_elem(fd, &key, value, BPF_ANY), 0);
		}
		assert_int_equal(counters_sum(fd, 2, 1, sum, sizeof(sum)), rows[i].sum);
		if (!rows[i].sum) {
			assert_int_equal(sum[0], 2 + 4);
			assert_int_equal(sum[1], 20 + 40);
		}
		assert_int_equal(counters_meters(fd, sum, sizeof(sum)), rows[i].meters);
		if (!rows[i].meters) {
			assert_int_equal(sum[0], 10);
			assert_int_equal(sum[1], 100);
		}
		close(fd);
	}
	assert_true(counters_sum(-1, 1, 0, NULL, 0) < 0);
	assert_true(counters_meters(-1, NULL, 0) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(meters_of_all_cpus),
		cmocka_unit_test(slots_of_all_cpus),
		cmocka_unit_test(sizes_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
