// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* funcs/gate: which verdicts count, about which packets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include <ebpf_faas/event.h>
#include <ebpf_faas/keyed.h>

#include "clock.h"
#include "function_harness.h"

#define HOUR_NS 3600000000000

enum { OPEN, SHUT };

static struct harness_instance instance_of(const char *name, const char *by)
{
	return (struct harness_instance){
		.instance = name,
		.object = "funcs/gate/gate.bpf.o",
		.params = {{"u32", "by", by, false}},
		.outputs = {"open", "shut"},
		.sized_map = "verdicts",
		.entries = 8,
	};
}

static void judge(const struct harness *harness, const char *instance, const struct faas_key *key,
		  uint64_t value, uint64_t expires_ns)
{
	const struct faas_verdict_entry entry = {.value = value, .expires_ns = expires_ns};
	int map = bpf_map__fd(harness_map(harness, instance, "verdicts"));

	assert_int_equal(bpf_map_update_elem(map, key, &entry, BPF_ANY), 0);
}

static int run(struct harness *harness, unsigned int instance, const struct frame_spec *spec)
{
	struct harness_answer answer;

	harness_run(harness, instance, spec, 0, &answer);
	assert_int_equal(answer.fields_present, 0);
	return answer.output;
}

static void test_what_counts(void **state)
{
	static const struct {
		uint64_t value;
		int64_t ttl_ns;
		int output;
	} rows[] = {
		{1, HOUR_NS, SHUT}, {77, HOUR_NS, SHUT}, {UINT64_MAX, HOUR_NS, SHUT},
		{0, HOUR_NS, OPEN}, {1, -1, OPEN},	 {1, -CLOCK_NS_PER_S, OPEN},
	};
	const struct harness_instance instance = instance_of("gate", "1");
	struct harness *harness = harness_open(&instance, 1);
	struct frame_spec spec = {.source = "10.1.2.3", .payload_bytes = 4};
	struct frame_spec other = {.source = "10.1.2.4", .payload_bytes = 4};
	struct faas_key key = {0};

	(void)state;
	frame_address("10.1.2.3", key.source_address);
	assert_int_equal(run(harness, 0, &spec), OPEN); /* no verdict */
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		judge(harness, "gate", &key, rows[i].value,
		      clock_monotonic_ns() + (uint64_t)rows[i].ttl_ns);
		if (run(harness, 0, &spec) != rows[i].output)
			fail_msg("row %u", i);
		assert_int_equal(run(harness, 0, &other), OPEN);
	}
	judge(harness, "gate", &key, 1, 0); /* taken back */
	assert_int_equal(run(harness, 0, &spec), OPEN);
	judge(harness, "gate", &key, 1, UINT64_MAX);
	harness_print_cost(harness, 0, &spec, VARY_NOTHING, "a key that is shut");
	harness_print_cost(harness, 0, &spec, VARY_SOURCE, "keys without a verdict");
	harness_close(harness);
}

/* It opens by itself, not before its time. */
static void test_time(void **state)
{
	const struct harness_instance instance = instance_of("gate", "1");
	struct harness *harness = harness_open(&instance, 1);
	struct frame_spec spec = {.ip_version = 6,
				  .source = "2001:db8::7",
				  .destination = "2001:db8::2",
				  .payload_bytes = 4};
	uint64_t end_ns = clock_monotonic_ns() + 200 * CLOCK_NS_PER_MS;
	struct faas_key key = {0};
	int output;

	(void)state;
	frame_address("2001:db8::7", key.source_address);
	judge(harness, "gate", &key, 1, end_ns);
	do {
		uint64_t before_ns = clock_monotonic_ns();

		output = run(harness, 0, &spec);
		assert_true(output == SHUT ? before_ns < end_ns : clock_monotonic_ns() >= end_ns);
	} while (output == SHUT);
	harness_close(harness);
}

/* Other parts, and two instances with maps of their own. */
static void test_parts(void **state)
{
	const struct harness_instance instances[2] = {instance_of("port", "4"),
						      instance_of("pair", "3")};
	struct harness *harness = harness_open(instances, 2);
	struct frame_spec spec = {.source = "10.1.2.3",
				  .destination = "10.9.9.9",
				  .source_port = 4000,
				  .payload_bytes = 4};
	struct faas_key key = {.source_port = 4000};

	(void)state;
	judge(harness, "port", &key, 1, UINT64_MAX);
	assert_int_equal(run(harness, 0, &spec), SHUT);
	assert_int_equal(run(harness, 1, &spec), OPEN);
	spec.source_port = 4001;
	assert_int_equal(run(harness, 0, &spec), OPEN);
	key.source_port = 0;
	frame_address("10.1.2.3", key.source_address);
	judge(harness, "pair", &key, 1, UINT64_MAX);
	assert_int_equal(run(harness, 1, &spec), OPEN); /* of a source without destination */
	frame_address("10.9.9.9", key.destination_address);
	judge(harness, "pair", &key, 1, UINT64_MAX);
	assert_int_equal(run(harness, 1, &spec), SHUT);
	spec.destination = "10.9.9.8";
	assert_int_equal(run(harness, 1, &spec), OPEN);
	harness_close(harness);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_counts),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_parts),
	};

	return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
