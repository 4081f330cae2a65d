// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * loader/budget.c: what is too much for one program is built apart, as little of it
 * as needed; and what is too much all the same is refused by the names of the
 * functions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/bpf.h>

#include "bundle_harness.h"
#include "function_harness.h"
#include "loader/budget.h"
#include "counters.h"
#include "loader/host.h"

static const char *const parities[] = {"even", "odd", NULL};
static const char *const ons[] = {"on", NULL};
static struct diags diags;
static char directory[64], output[128];

/* @p count functions in a row; each output leads to the next, the last drops. */
static struct bundle_rig *chain(const char *function, const char *const outputs[], uint32_t count)
{
	struct bundle_rig *rig = bundle_rig_new("budget");
	char object[64], instance[16];

	snprintf(object, sizeof(object), "tests/bpf/%s.bpf.o", function);
	for (uint32_t i = 0; i < count; i++) {
		struct bundle_function *made;

		snprintf(instance, sizeof(instance), "f-%u", i);
		made = bundle_add_function(rig, instance, function, object, outputs);
		for (uint32_t k = 0; k < made->output_count; k++)
			bundle_lead(made, k, i + 1 < count ? TARGET_KERNEL : TARGET_VERDICT,
				    i + 1 < count ? i + 1 : VERDICT_DROP);
	}
	bundle_add_trigger(rig, "in", HOOK_XDP, MODE_COPY, 0);
	return rig;
}

static void set_rounds(struct bundle_rig *rig, uint32_t index, int64_t rounds)
{
	bundle_add_param(&rig->bundle->kernel[index], "rounds", PARAM_U32, rounds, false);
}

static int build(struct bundle_rig *rig)
{
	memset(&diags, 0, sizeof(diags));
	snprintf(directory, sizeof(directory), "/tmp/ef_budget_XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(output, sizeof(output), "%s/kernel.bpf.o", directory);
	return budget_build((const char(*)[FAAS_PATH_BYTES])rig->objects, FUSE_BITCODE, directory,
			    output, rig->bundle, &diags);
}

static uint32_t separate_count(const struct bundle_rig *rig)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < rig->bundle->kernel_count; i++)
		count += rig->bundle->kernel[i].separate;
	return count;
}

/* Run a packet through what was built; every function sees it. */
static void check_runs(struct bundle_rig *rig)
{
	static const uint8_t payload[64] = {3, 4};
	struct frame_spec spec = {.payload = payload, .payload_bytes = sizeof(payload)};
	struct faas_function_meters functions[FAAS_KERNEL_FUNCTIONS_MAX];
	struct faas_meters ledger;
	struct faas_packet packet;
	struct frame frame;

	rig->object = bpf_object__open_file(output, NULL);
	assert_non_null(rig->object);
	assert_int_equal(counters_size(rig->object), 0);
	assert_int_equal(bpf_object__load(rig->object), 0);
	frame_build(&spec, &frame);
	packet = harness_describe(&spec, &frame, 0);
	packet.trigger = (uint16_t)rig->bundle->triggers[0].id;
	assert_int_equal(bundle_run(rig, HOOK_XDP, &packet, &frame), XDP_DROP);
	bundle_meters(rig, &ledger, functions);
	assert_int_equal(ledger.dropped, 1);
	for (uint32_t i = 0; i < rig->bundle->kernel_count; i++)
		assert_int_equal(functions[i].outputs[0] + functions[i].outputs[1], 1);
}

static void done(struct bundle_rig *rig)
{
	host_remove_tree(directory);
	bundle_rig_close(rig);
}

static void what_fits_is_inlined(void **state)
{
	struct bundle_rig *rig = chain("toil", parities, FAAS_KERNEL_FUNCTIONS_MAX);

	(void)state;
	for (uint32_t i = 0; i < FAAS_KERNEL_FUNCTIONS_MAX; i++)
		set_rounds(rig, i, 1);
	if (build(rig))
		fail_msg("%s", diags.list[0].cause);
	assert_int_equal(separate_count(rig), 0);
	check_runs(rig);
	done(rig);
}

static void long_functions_are_built_apart(void **state)
{
	struct bundle_rig *rig = chain("toil", parities, 3);

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		set_rounds(rig, i, i == 1 ? 80000 : 10000);
	if (build(rig))
		fail_msg("%s", diags.list[0].cause);
	assert_true(rig->bundle->kernel[1].separate);
	assert_int_equal(separate_count(rig), 1);
	check_runs(rig);
	done(rig);
}

/* Nothing helps: each function is named with what it costs. */
static void too_long_all_the_same(void **state)
{
	struct bundle_rig *rig = chain("toil", parities, 2);

	(void)state;
	set_rounds(rig, 0, 1);
	set_rounds(rig, 1, 250000);
	assert_int_equal(build(rig), -1);
	assert_int_equal(diags.count, 1);
	assert_non_null(strstr(diags.list[0].cause, "what the kernel's verifier looks at"));
	assert_non_null(strstr(diags.list[0].cause, "f-0 (toil): 0 maps"));
	assert_non_null(strstr(diags.list[0].cause, "f-1 (toil): 0 maps"));
	done(rig);
}

static void too_many_maps(void **state)
{
	struct bundle_rig *rig = chain("maps", ons, 16);

	(void)state;
	assert_int_equal(build(rig), -1);
	assert_int_equal(diags.count, 1);
	assert_non_null(strstr(diags.list[0].cause, "the 64 maps of a BPF program"));
	assert_non_null(strstr(diags.list[0].cause, "f-0 (maps): 4 maps"));
	assert_non_null(strstr(diags.list[0].cause, "and 8 more"));
	done(rig);
}

static void too_much_stack(void **state)
{
	struct bundle_rig *rig = chain("hungry", ons, 2);

	(void)state;
	assert_int_equal(build(rig), -1);
	assert_int_equal(diags.count, 1);
	assert_non_null(strstr(diags.list[0].cause, "the 512 bytes of stack of a BPF program"));
	assert_non_null(strstr(diags.list[0].cause, "f-0 (hungry): too much already when alone"));
	done(rig);
}

/* Fields that functions set go on to those after them, whichever are apart. */
static void fields_travel(void **state)
{
	/* One bit for each. */
	static const uint32_t apart[] = {0, 1, 6, 8, 15};

	(void)state;
	for (size_t row = 0; row < sizeof(apart) / sizeof(apart[0]); row++) {
		struct bundle_rig *rig = chain("mark", ons, 3);
		struct bundle_function *expect;
		static const char *const answers[] = {"right", "wrong", NULL};

		expect = bundle_add_function(rig, "expect", "expect", "tests/bpf/expect.bpf.o",
					     answers);
		bundle_add_param(expect, "present", PARAM_U32, 7, false);
		bundle_add_param(expect, "newest", PARAM_U32, 4, false);
		bundle_lead(expect, 0, TARGET_VERDICT, VERDICT_DROP);
		rig->bundle->kernel[2].outputs[0].targets[0] = (struct bundle_target){
			.kind = TARGET_KERNEL, .index = 3, .entry = BUNDLE_NO_ENTRY};
		for (uint32_t i = 0; i < 3; i++) {
			struct bundle_kernel_field *field = &rig->bundle->kernel_fields[i];

			field->kernel_function = i;
			snprintf(field->field.name, sizeof(field->field.name), "number");
		}
		rig->bundle->kernel_field_count = 3;
		for (uint32_t i = 0; i < 4; i++)
			rig->bundle->kernel[i].separate = apart[row] >> i & 1;
		if (build(rig))
			fail_msg("%s", diags.list[0].cause);
		check_runs(rig);
		done(rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fits_is_inlined),
		cmocka_unit_test(long_functions_are_built_apart),
		cmocka_unit_test(too_long_all_the_same),
		cmocka_unit_test(too_many_maps),
		cmocka_unit_test(too_much_stack),
		cmocka_unit_test(fields_travel),
	};

	return cmocka_run_group_tests_name("bpf/budget", tests, NULL, NULL);
}
