// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bpf/verdict.h and the graph of loader/driver.c: what becomes of a packet, at
 * every hook and in every mode, and what is counted for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>

#include <ebpf_faas/event.h>

#include "bundle_harness.h"
#include "function_harness.h"

static const char *const outputs[] = {"a", "b", "c", "d", "e", NULL};

static struct bundle_rig *rig;
static const uint32_t loopback = 1;

/* choose: a drops, b passes, c replies, d redirects, e is left to the mode.
 * watch stands before it, and only observes: a drops, b goes on to choose. */
static int open_verdicts(void **state, bool separate, enum fuse_linker linker)
{
	struct bundle_function *choose, *watch;

	(void)state;
	rig = bundle_rig_new("verdicts");
	rig->linker = linker;
	watch = bundle_add_function(rig, "watch", "choose", "tests/bpf/choose.bpf.o", outputs);
	watch->observe = true;
	bundle_lead(watch, 0, TARGET_VERDICT, VERDICT_DROP);
	bundle_lead(watch, 1, TARGET_KERNEL, 1);
	bundle_lead(watch, 2, TARGET_VERDICT, VERDICT_REPLY);
	bundle_lead(watch, 3, TARGET_VERDICT, VERDICT_PASS);
	choose = bundle_add_function(rig, "choose", "choose", "tests/bpf/choose.bpf.o", outputs);
	bundle_lead(choose, 0, TARGET_VERDICT, VERDICT_DROP);
	bundle_lead(choose, 1, TARGET_VERDICT, VERDICT_PASS);
	bundle_lead(choose, 2, TARGET_VERDICT, VERDICT_REPLY);
	bundle_lead(choose, 3, TARGET_VERDICT, VERDICT_REDIRECT);
	strcpy(rig->bundle->redirects[0], "lo");
	rig->bundle->redirect_count = 1;
	bundle_add_trigger(rig, "copy", HOOK_XDP, MODE_COPY, 1);
	bundle_add_trigger(rig, "take", HOOK_XDP_GENERIC, MODE_TAKE, 1);
	bundle_add_trigger(rig, "observe", HOOK_XDP, MODE_OBSERVE, 1);
	bundle_add_trigger(rig, "watched", HOOK_XDP, MODE_TAKE, 0);
	bundle_add_trigger(rig, "in-copy", HOOK_TC_INGRESS, MODE_COPY, 1);
	bundle_add_trigger(rig, "in-observe", HOOK_TC_INGRESS, MODE_OBSERVE, 1);
	bundle_add_trigger(rig, "out-take", HOOK_TC_EGRESS, MODE_TAKE, 1);
	watch->separate = choose->separate = separate;
	bundle_rig_open(rig, &loopback);
	return 0;
}

static int open_rig(void **state)
{
	return open_verdicts(state, false, FUSE_BITCODE);
}

static int open_separate(void **state)
{
	return open_verdicts(state, true, FUSE_BITCODE);
}

static int close_rig(void **state)
{
	(void)state;
	bundle_rig_close(rig);
	return 0;
}

static int open_linked(void **state)
{
	return open_verdicts(state, false, FUSE_CALLS);
}

static int open_linked_separate(void **state)
{
	return open_verdicts(state, true, FUSE_CALLS);
}

enum { DROPPED, PASSED, REPLIED, REDIRECTED, WOULD_DROP, WOULD_TURN };

static const struct {
	const char *trigger;
	uint8_t byte;
	uint32_t answer;
	int counted;
	int choose_output; /* -1: not reached */
} verdicts[] = {
	{"copy", 0, XDP_DROP, DROPPED, 0},
	{"copy", 1, XDP_PASS, PASSED, 1},
	{"copy", 2, XDP_TX, REPLIED, 2},
	{"copy", 3, XDP_REDIRECT, REDIRECTED, 3},
	{"copy", 9, XDP_PASS, PASSED, 4},
	{"take", 0, XDP_DROP, DROPPED, 0},
	{"take", 9, XDP_DROP, DROPPED, 4},
	{"observe", 0, XDP_PASS, WOULD_DROP, 0},
	{"observe", 1, XDP_PASS, PASSED, 1},
	{"observe", 2, XDP_PASS, WOULD_TURN, 2},
	{"observe", 3, XDP_PASS, WOULD_TURN, 3},
	{"observe", 9, XDP_PASS, PASSED, 4},
	/* What watch would drop or answer goes on as what it would not: to choose,
	 * whose verdict holds. */
	{"watched", 0, XDP_DROP, DROPPED, 0},
	{"watched", 1, XDP_PASS, PASSED, 1},
	{"watched", 2, XDP_TX, REPLIED, 2},
	{"watched", 3, XDP_PASS, PASSED, -1},
	{"watched", 9, XDP_DROP, DROPPED, -1},
	{"in-copy", 0, TC_ACT_SHOT, DROPPED, 0},
	{"in-copy", 1, (uint32_t)TC_ACT_UNSPEC, PASSED, 1},
	{"in-copy", 2, TC_ACT_REDIRECT, REPLIED, 2},
	{"in-copy", 3, TC_ACT_REDIRECT, REDIRECTED, 3},
	{"in-copy", 9, (uint32_t)TC_ACT_UNSPEC, PASSED, 4},
	{"in-observe", 0, (uint32_t)TC_ACT_UNSPEC, WOULD_DROP, 0},
	{"in-observe", 3, (uint32_t)TC_ACT_UNSPEC, WOULD_TURN, 3},
	{"out-take", 0, TC_ACT_SHOT, DROPPED, 0},
	{"out-take", 1, (uint32_t)TC_ACT_UNSPEC, PASSED, 1},
	{"out-take", 2, TC_ACT_REDIRECT, REPLIED, 2},
	{"out-take", 9, TC_ACT_SHOT, DROPPED, 4},
};

static const struct bundle_trigger *find_trigger(const char *name)
{
	for (uint32_t i = 0; i < rig->bundle->trigger_count; i++)
		if (!strcmp(rig->bundle->triggers[i].name, name))
			return &rig->bundle->triggers[i];
	fail_msg("no trigger %s", name);
	return NULL;
}

static uint64_t verdict_count(const struct faas_meters *ledger, int verdict)
{
	const uint64_t counts[] = {[DROPPED] = ledger->dropped,
				   [PASSED] = ledger->passed,
				   [REPLIED] = ledger->replied,
				   [REDIRECTED] = ledger->redirected};

	return counts[verdict];
}

static void run_verdict(size_t row, bool sampled)
{
	const struct bundle_trigger *trigger = find_trigger(verdicts[row].trigger);
	struct faas_meters before, after;
	struct faas_function_meters functions_before[2], functions[2];
	struct frame_spec spec = {.payload = &verdicts[row].byte, .payload_bytes = 1};
	struct faas_packet packet;
	struct frame frame;
	uint32_t answer;

	frame_build(&spec, &frame);
	packet = harness_describe(&spec, &frame, 0);
	packet.trigger = (uint16_t)(trigger->id | (sampled ? FAAS_PACKET_SAMPLED : 0));
	bundle_meters(rig, &before, functions_before);
	answer = bundle_run(rig, trigger->hook, &packet, &frame);
	bundle_meters(rig, &after, functions);
	if (answer != verdicts[row].answer)
		fail_msg("%s, %u: %d, not %d", verdicts[row].trigger, verdicts[row].byte,
			 (int)answer, (int)verdicts[row].answer);
	for (int i = DROPPED; i <= REDIRECTED; i++) {
		bool passed = verdicts[row].counted >= WOULD_DROP && i == PASSED;
		uint64_t times = verdict_count(&after, i) - verdict_count(&before, i);

		if (times != (i == verdicts[row].counted || passed))
			fail_msg("%s, %u: verdict %d counted %d times", verdicts[row].trigger,
				 verdicts[row].byte, i, (int)times);
	}
	assert_int_equal(after.observed_dropped - before.observed_dropped,
			 verdicts[row].counted == WOULD_DROP);
	assert_int_equal(after.observed_turned - before.observed_turned,
			 verdicts[row].counted == WOULD_TURN);
	assert_int_equal(after.lost_stale_trigger, before.lost_stale_trigger);
	for (int i = 0; i < 5; i++)
		if (functions[1].outputs[i] - functions_before[1].outputs[i] !=
		    (i == verdicts[row].choose_output))
			fail_msg("%s, %u: output %s of choose", verdicts[row].trigger,
				 verdicts[row].byte, outputs[i]);
	assert_int_equal(functions[1].time_samples - functions_before[1].time_samples,
			 sampled && verdicts[row].choose_output >= 0);
}

static void every_verdict_at_every_hook(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		run_verdict(i, false);
		run_verdict(i, true);
	}
}

/* An id that no trigger of the hook has: counted, and the packet passes. */
static void foreign_triggers_are_stale(void **state)
{
	static const struct {
		enum bundle_hook hook;
		const char *trigger; /* NULL: an id that none has */
		uint32_t answer;
	} stale[] = {
		{HOOK_XDP, NULL, XDP_PASS},
		{HOOK_XDP, "in-copy", XDP_PASS},
		{HOOK_TC_INGRESS, NULL, (uint32_t)TC_ACT_UNSPEC},
		{HOOK_TC_INGRESS, "take", (uint32_t)TC_ACT_UNSPEC},
	};
	static const uint8_t drop[] = {0};
	struct frame_spec spec = {.payload = drop, .payload_bytes = 1};
	struct faas_function_meters functions[2];
	struct faas_meters before, after;
	struct faas_packet packet;
	struct frame frame;

	(void)state;
	for (size_t i = 0; i < sizeof(stale) / sizeof(stale[0]); i++) {
		frame_build(&spec, &frame);
		packet = harness_describe(&spec, &frame, 0);
		packet.trigger = 0;
		if (stale[i].trigger)
			packet.trigger = (uint16_t)find_trigger(stale[i].trigger)->id;
		bundle_meters(rig, &before, functions);
		assert_int_equal(bundle_run(rig, stale[i].hook, &packet, &frame), stale[i].answer);
		bundle_meters(rig, &after, functions);
		assert_int_equal(after.lost_stale_trigger - before.lost_stale_trigger, 1);
		assert_int_equal(after.passed - before.passed, 1);
	}
}

/* ---- replies ---- */

static const uint8_t many[] = {0x33, 0x33, 0, 0, 0, 1};
static const uint8_t echo4[] = {8, 0, 0, 0, 0x12, 0x34, 0, 1, 'p', 'i', 'n', 'g'};
static const uint8_t unreachable4[] = {3, 1, 0xab, 0xcd, 0, 0, 0, 0};
static const uint8_t echo6[] = {128, 0, 0, 0, 0x12, 0x34, 0, 1, 'p', 'i', 'n', 'g'};
static const uint8_t arp[28] = {0, 1, 8, 0, 6, 4, 0, 1};

#define MESSAGE(bytes) .payload = (bytes), .payload_bytes = sizeof(bytes)

static const struct {
	const char *name;
	struct frame_spec spec;
	uint8_t flags;
	bool no_ip, has_ports, is_echo, refused;
} replies[] = {
	{"udp", {FRAME_PAYLOAD("\2abc")}, 0, .has_ports = true},
	{"tcp", {.protocol = IPPROTO_TCP, FRAME_PAYLOAD("\2abc")}, 0, .has_ports = true},
	{"udp over ipv6", {.ip_version = 6, FRAME_PAYLOAD("\2abc")}, 0, .has_ports = true},
	{"tagged twice",
	 {.vlans = {{0x88a8, 5}, {0x8100, 6}}, .ipv4_option_bytes = 8, FRAME_PAYLOAD("\2")},
	 0,
	 .has_ports = true},
	{"echo request", {.protocol = IPPROTO_ICMP, MESSAGE(echo4)}, 0, .is_echo = true},
	{"echo request, IPv6",
	 {.ip_version = 6, .protocol = IPPROTO_ICMPV6, MESSAGE(echo6)},
	 0,
	 .is_echo = true},
	{"another ICMP message", {.protocol = IPPROTO_ICMP, MESSAGE(unreachable4)}, .flags = 0},
	{"another protocol", {.protocol = 47, FRAME_PAYLOAD("\2greets")}, .flags = 0},
	{"later fragment",
	 {.fragment_offset = 10, FRAME_PAYLOAD("\2rest")},
	 .flags = FAAS_EVENT_FRAGMENT},
	{"no IP", {.ethertype = 0x0806, .protocol = 47, MESSAGE(arp)}, 0, .no_ip = true},
	{"for many", {.destination_mac = many, FRAME_PAYLOAD("\2")}, 0, .refused = true},
};

static void swap(uint8_t *frame, uint32_t a, uint32_t b, uint32_t bytes)
{
	uint8_t kept[16];

	memcpy(kept, frame + a, bytes);
	memmove(frame + a, frame + b, bytes);
	memcpy(frame + b, kept, bytes);
}

/* Put the right checksum over an ICMP message. */
static void sum_icmp(struct frame *frame, uint8_t version)
{
	uint32_t bytes = frame->bytes - frame->l4_offset, sum = 0;
	uint8_t *l4 = frame->data + frame->l4_offset;

	if (version == 6)
		sum = frame_sum(bytes + IPPROTO_ICMPV6, frame->data + frame->l3_offset + 8, 32);
	frame_put16(l4 + 2, 0);
	frame_put16(l4 + 2, frame_checksum(frame_sum(sum, l4, bytes)));
}

static void expect_reply(size_t row, const struct frame *sent, struct frame *ret)
{
	uint8_t version = replies[row].spec.ip_version;

	*ret = *sent;
	if (replies[row].refused)
		return;
	swap(ret->data, 0, 6, 6);
	if (!replies[row].no_ip)
		swap(ret->data, sent->l3_offset + (version == 6 ? 8 : 12),
		     sent->l3_offset + (version == 6 ? 24 : 16), version == 6 ? 16 : 4);
	if (replies[row].has_ports)
		swap(ret->data, sent->l4_offset, sent->l4_offset + 2, 2);
	if (replies[row].is_echo) {
		ret->data[ret->l4_offset] = version == 6 ? 129 : 0;
		sum_icmp(ret, version);
	}
}

static void replies_are_turned_round(void **state)
{
	static const char *const triggers[] = {"reply", "reply-in", "reply-out"};

	(void)state;
	for (size_t i = 0; i < 3 * sizeof(replies) / sizeof(replies[0]); i++) {
		size_t row = i / 3;
		const struct bundle_trigger *trigger = find_trigger(triggers[i % 3]);
		struct frame sent, got, expected;
		struct faas_packet packet;

		frame_build(&replies[row].spec, &sent);
		if (replies[row].is_echo)
			sum_icmp(&sent, replies[row].spec.ip_version);
		packet = harness_describe(&replies[row].spec, &sent, replies[row].flags);
		if (replies[row].no_ip)
			packet.ip_version = packet.ip_protocol = 0;
		packet.trigger = (uint16_t)trigger->id;
		got = sent;
		bundle_run(rig, trigger->hook, &packet, &got);
		expect_reply(row, &sent, &expected);
		assert_int_equal(got.bytes, sent.bytes);
		for (uint32_t k = 0; k < sent.bytes; k++)
			if (got.data[k] != expected.data[k])
				fail_msg("%s by %s: byte %u is %02x, not %02x", replies[row].name,
					 triggers[i % 3], k, got.data[k], expected.data[k]);
	}
}

/* Every output of the function replies. */
static int open_replies(void **state)
{
	struct bundle_function *choose;

	(void)state;
	rig = bundle_rig_new("replies");
	choose = bundle_add_function(rig, "choose", "choose", "tests/bpf/choose.bpf.o", outputs);
	for (uint32_t i = 0; i < choose->output_count; i++)
		bundle_lead(choose, i, TARGET_VERDICT, VERDICT_REPLY);
	bundle_add_trigger(rig, "reply", HOOK_XDP, MODE_COPY, 0);
	bundle_add_trigger(rig, "reply-in", HOOK_TC_INGRESS, MODE_COPY, 0);
	bundle_add_trigger(rig, "reply-out", HOOK_TC_EGRESS, MODE_COPY, 0);
	bundle_rig_open(rig, NULL);
	return 0;
}

int main(void)
{
	const struct CMUnitTest verdict_tests[] = {
		cmocka_unit_test(every_verdict_at_every_hook),
		cmocka_unit_test(foreign_triggers_are_stale),
	};
	const struct CMUnitTest reply_tests[] = {
		cmocka_unit_test(replies_are_turned_round),
	};

	return cmocka_run_group_tests_name("bpf/verdict", verdict_tests, open_rig, close_rig) |
	       cmocka_run_group_tests_name("bpf/verdict, functions apart", verdict_tests,
					   open_separate, close_rig) |
	       cmocka_run_group_tests_name("bpf/verdict, linked by libbpf", verdict_tests,
					   open_linked, close_rig) |
	       cmocka_run_group_tests_name("bpf/verdict, linked by libbpf, functions apart",
					   verdict_tests, open_linked_separate, close_rig) |
	       cmocka_run_group_tests_name("bpf/verdict, replies", reply_tests, open_replies,
					   close_rig);
}
