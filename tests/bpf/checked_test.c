// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A fused program compares payload with the end of the packet once, for packets that
 * have all that its functions look at. Packets of every length around that get the
 * same answers as those that libbpf linked, where every function compares by itself,
 * and as they should.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <linux/bpf.h>

#include "bundle_harness.h"
#include "function_harness.h"

static const char *const outputs[] = {"low", "high", "too_short", NULL};
static const uint32_t offsets[] = {0, 20, 7, 44};

#define COUNT (sizeof(offsets) / sizeof(offsets[0]))

/* Each function leads to the next, whatever it says; the last drops what is low. */
static struct bundle_rig *open_rig(enum fuse_linker linker)
{
	struct bundle_rig *rig = bundle_rig_new("checked");

	rig->linker = linker;
	for (uint32_t i = 0; i < COUNT; i++) {
		struct bundle_function *word;
		char name[16];

		snprintf(name, sizeof(name), "at-%u", offsets[i]);
		word = bundle_add_function(rig, name, "word", "tests/bpf/word.bpf.o", outputs);
		bundle_add_param(word, "offset", PARAM_U32, offsets[i], false);
		for (uint32_t k = 0; k < 3 && i + 1 < COUNT; k++)
			bundle_lead(word, k, TARGET_KERNEL, i + 1);
		if (i + 1 == COUNT)
			bundle_lead(word, 0, TARGET_VERDICT, VERDICT_DROP);
	}
	bundle_add_trigger(rig, "in", HOOK_XDP, MODE_COPY, 0);
	bundle_add_trigger(rig, "egress", HOOK_TC_EGRESS, MODE_COPY, 0);
	bundle_rig_open(rig, NULL);
	return rig;
}

static uint32_t expected(const uint8_t *payload, uint32_t bytes, uint32_t offset)
{
	if (offset + 4 > bytes)
		return 2;
	return frame_get32(payload + offset) >= 1000;
}

/* One packet; @p padding behind it is no payload. */
static void check(struct bundle_rig *rig, uint32_t trigger, const uint8_t *payload, uint32_t bytes,
		  uint32_t padding)
{
	struct frame_spec spec = {
		.payload = payload, .payload_bytes = bytes, .padding_bytes = padding};
	struct faas_function_meters before[COUNT], after[COUNT];
	const struct bundle_trigger *from = &rig->bundle->triggers[trigger];
	struct faas_packet packet;
	struct faas_meters ledger;
	struct frame frame;

	frame_build(&spec, &frame);
	packet = harness_describe(&spec, &frame, 0);
	packet.trigger = (uint16_t)from->id;
	bundle_meters(rig, &ledger, before);
	bundle_run(rig, from->hook, &packet, &frame);
	bundle_meters(rig, &ledger, after);
	for (uint32_t i = 0; i < COUNT; i++)
		for (uint32_t k = 0; k < 3; k++)
			if (after[i].outputs[k] - before[i].outputs[k] !=
			    (k == expected(payload, bytes, offsets[i])))
				fail_msg("%u bytes, %u of padding: output %s at %u", bytes, padding,
					 outputs[k], offsets[i]);
}

static void lengths_of_all_kinds(enum fuse_linker linker)
{
	struct bundle_rig *rig = open_rig(linker);
	uint8_t payload[64];

	for (uint32_t seed = 0; seed < 4; seed++) {
		for (uint32_t i = 0; i < sizeof(payload); i++)
			payload[i] = (uint8_t)((i * 7 + seed) % 5 ? 0 : 9);
		for (uint32_t bytes = 0; bytes <= sizeof(payload); bytes++)
			for (uint32_t trigger = 0; trigger < 2; trigger++) {
				check(rig, trigger, payload, bytes, 0);
				check(rig, trigger, payload, bytes, 30);
			}
	}
	bundle_rig_close(rig);
}

static void fused(void **state)
{
	(void)state;
	lengths_of_all_kinds(FUSE_BITCODE);
}

static void linked(void **state)
{
	(void)state;
	lengths_of_all_kinds(FUSE_CALLS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fused),
		cmocka_unit_test(linked),
	};

	return cmocka_run_group_tests_name("bpf/checked", tests, NULL, NULL);
}
