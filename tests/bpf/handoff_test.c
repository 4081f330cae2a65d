// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bpf/driver.h: the record that leaves the kernel tier. A workflow is built by
 * the command itself, its program run by BPF_PROG_TEST_RUN on packets of every
 * length that matters, and each record in its ring compared with the packet.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <ebpf_faas/event.h>
#include <ebpf_faas/pins.h>

#include "bundle.h"
#include "event_hash.h"
#include "frame.h"
#include "function_harness.h"
#include "counters.h"
#include "userspace/ring/ring.h"

#define GENERATION 7
#define RING_BYTES (1 << 20)
#define WAKEUP_MS 60000 /* the longest that one is waited for */

/* Straight from the trigger to a sink, and by a function with a field to a user
 * function with a key of every kind of part that fits. */
static const char workflow_text[] =
	"workflow: handoff\n"
	"version: '1'\n"
	"triggers:\n"
	"  in:\n"
	"    packet:\n"
	"      interfaces: [none]\n"
	"      match: {protocol: udp, destination_port: 5005}\n"
	"    to: check\n"
	"functions:\n"
	"  check:\n"
	"    kernel: range_filter\n"
	"    params: {offset: 0, type: u8, min: 0, max: 127}\n"
	"    outputs: {inside: total, outside: lines, too_short: lines}\n"
	"  total:\n"
	"    user: tally\n"
	"    key: [source_address, source_port, vlan, protocol]\n"
	"    outputs: {total: lines}\n"
	"sinks:\n"
	"  lines: {file: {path: /tmp/none.jsonl}}\n";

struct rig {
	struct bpf_object *object;
	struct ring ring;
	int program, packet, meters, ring_map, cpus;
};

static struct rig rig;
static const char *linker;

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

/* Build it as a user does, into a directory that is removed at once. */
static struct bpf_object *build(void)
{
	char directory[] = "/tmp/handoff_test.XXXXXX", command[512], path[128];
	struct bpf_object *object;
	FILE *file;

	if (!mkdtemp(directory))
		return NULL;
	snprintf(path, sizeof(path), "%s/handoff.yaml", directory);
	file = fopen(path, "we");
	if (!file || fputs(workflow_text, file) < 0 || fclose(file))
		return NULL;
	snprintf(command, sizeof(command),
		 "%s/ebpf-faas build --linker %s --output %s/bundle %s >&2", TEST_BUILD, linker,
		 directory, path);
	object = NULL;
	if (!system(command)) {
		snprintf(path, sizeof(path), "%s/bundle/kernel.bpf.o", directory);
		object = bpf_object__open_file(path, NULL);
	}
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command) ? NULL : object;
}

static int open_rig(void **state)
{
	struct bpf_map *map;
	const struct faas_settings settings = {.generation = GENERATION};

	(void)state;
	libbpf_set_print(quiet);
	rig.object = build();
	if (!rig.object)
		return -1;
	bpf_object__for_each_map(map, rig.object)
	{
		if (strstr(bpf_map__name(map), ".rodata._driver") &&
		    bpf_map__set_initial_value(map, &settings, sizeof(settings)))
			return -1;
	}
	map = bpf_object__find_map_by_name(rig.object, FAAS_PIN_RING0);
	if (!map || bpf_map__set_max_entries(map, RING_BYTES) || counters_size(rig.object) ||
	    bpf_object__load(rig.object))
		return -1;
	rig.cpus = libbpf_num_possible_cpus();
	rig.program = bpf_program__fd(bpf_object__next_program(rig.object, NULL));
	rig.packet = bpf_object__find_map_fd_by_name(rig.object, FAAS_PIN_PACKET);
	rig.meters = bpf_object__find_map_fd_by_name(rig.object, FAAS_PIN_METERS);
	rig.ring_map = bpf_map__fd(map);
	return ring_open(rig.ring_map, &rig.ring);
}

static int close_rig(void **state)
{
	(void)state;
	ring_close(&rig.ring);
	bpf_object__close(rig.object);
	return 0;
}

static void put_packet(const struct faas_packet *packet)
{
	static struct faas_packet each[HARNESS_CPUS_MAX];
	uint32_t zero = 0;

	for (int i = 0; i < rig.cpus; i++)
		each[i] = *packet;
	assert_int_equal(bpf_map_update_elem(rig.packet, &zero, each, BPF_ANY), 0);
}

/* Run one frame; returns the record that it made. */
static const struct faas_event *run(const struct frame *frame, const struct faas_packet *packet)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->data,
		    .data_size_in = frame->bytes, .repeat = 1);
	struct ring_record record;

	put_packet(packet);
	assert_int_equal(bpf_prog_test_run_opts(rig.program, &options), 0);
	assert_int_equal(options.retval, XDP_PASS);
	if (!ring_take(&rig.ring, &record))
		return NULL;
	assert_true(record.bytes >= sizeof(struct faas_event));
	return record.data;
}

static void check_record(const struct frame_spec *spec, const uint8_t *payload, uint32_t bytes)
{
	struct frame frame;
	struct faas_packet packet;
	const struct faas_event *event;
	bool keyed = bytes && payload[0] < 128;
	uint32_t kept = bytes < FAAS_EVENT_PAYLOAD_MAX ? bytes : FAAS_EVENT_PAYLOAD_MAX;
	uint8_t address[16], key[24] = {0};
	const uint8_t *at;

	frame_build(spec, &frame);
	packet = harness_describe(spec, &frame, 0);
	packet.trigger = bundle_trigger_id("in");
	event = run(&frame, &packet);
	if (!event)
		fail_msg("%u bytes of payload: no record", bytes);
	assert_int_equal(event->generation, GENERATION);
	assert_true(event->time_ns > 0);
	assert_int_equal(event->shard, event->key_hash & (FAAS_SHARDS - 1));
	/* The user tier computes it for timers, which have a key. */
	if (keyed)
		assert_int_equal(event->key_hash,
				 event_key_hash((const uint8_t *)event + FAAS_EVENT_KEY_OFFSET,
						event->key_bytes));
	assert_int_equal(event->trigger, bundle_trigger_id("in"));
	assert_int_equal(event->frame_bytes, frame.bytes);
	assert_int_equal(event->packet_payload_bytes, bytes);
	assert_int_equal(event->payload_bytes, kept);
	assert_int_equal(event->source_port, packet.source_port);
	assert_int_equal(event->destination_port, packet.destination_port);
	assert_int_equal(event->vlan, packet.vlan);
	assert_int_equal(event->ip_version, packet.ip_version);
	assert_int_equal(event->ip_protocol, packet.ip_protocol);
	assert_int_equal(event->flags, kept < bytes ? FAAS_EVENT_PAYLOAD_CUT : 0);
	assert_int_equal(event->field_count, 1);
	assert_int_equal(event->fields_present, bytes ? 1 : 0);
	assert_int_equal(event->key_bytes, keyed ? 16 + 2 + 2 + 1 : 0);
	for (size_t i = 0; i < sizeof(event->reserved); i++)
		assert_int_equal(event->reserved[i], 0);

	at = (const uint8_t *)(event + 1);
	frame_address(spec->source, address);
	assert_memory_equal(at, address, 16);
	memcpy(key, address, 16);
	frame_address(spec->destination, address);
	assert_memory_equal(at + 16, address, 16);
	at += 32;
	if (keyed) {
		frame_put16(key + 16, packet.source_port);
		frame_put16(key + 18, packet.vlan);
		key[20] = packet.ip_protocol;
		assert_memory_equal(at, key, sizeof(key));
		at += sizeof(key);
	}
	/* The field: the first byte, in millionths. */
	assert_int_equal(*(const uint64_t *)(const void *)at,
			 bytes ? (uint64_t)payload[0] * FAAS_DECIMAL_ONE : 0);
	at += 8;
	if (memcmp(at, payload, kept))
		fail_msg("%u bytes of payload: other bytes in the record", bytes);
	for (uint32_t i = kept; i < FAAS_ALIGN8(kept); i++)
		assert_int_equal(at[i], 0);
	ring_release(&rig.ring);
}

/* Every length around the classes of record, and around whole words. */
static void payloads_of_every_length(void **state)
{
	static const uint32_t around[] = {256, 1024, 1472, FAAS_EVENT_PAYLOAD_MAX};
	static uint8_t payload[4096];

	(void)state;
	for (uint32_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 2654435761u >> 11 | 1);
	for (int first = 0; first < 2; first++) {
		payload[0] = first ? 200 : 100; /* outside, inside */
		for (uint32_t bytes = 0; bytes <= 80; bytes++)
			check_record(&(struct frame_spec){.source = "10.20.0.7",
							  .destination = "10.20.0.1",
							  .payload = payload,
							  .payload_bytes = bytes},
				     payload, bytes);
		for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++)
			for (uint32_t bytes = around[i] - 9; bytes <= around[i] + 9; bytes++)
				check_record(&(struct frame_spec){.source = "10.20.0.7",
								  .destination = "10.20.0.1",
								  .payload = payload,
								  .payload_bytes = bytes},
					     payload, bytes);
	}
}

/* Padding behind a short packet is not payload. */
static void padding_stays_behind(void **state)
{
	static const uint8_t payload[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

	(void)state;
	for (uint32_t bytes = 1; bytes <= sizeof(payload); bytes++)
		check_record(&(struct frame_spec){.source = "10.20.0.7",
						  .destination = "10.20.0.1",
						  .payload = payload,
						  .payload_bytes = bytes,
						  .padding_bytes = 18},
			     payload, bytes);
}

static void tags_and_ipv6(void **state)
{
	static const uint8_t payload[64] = {42, 1, 2, 3};

	(void)state;
	check_record(&(struct frame_spec){.ip_version = 6,
					  .source = "fd00::7",
					  .destination = "fd00::1",
					  .source_port = 65535,
					  .vlans = {{0x8100, 4094}},
					  .payload = payload,
					  .payload_bytes = sizeof(payload)},
		     payload, sizeof(payload));
	check_record(&(struct frame_spec){.source = "255.255.255.254",
					  .destination = "1.2.3.4",
					  .source_port = 1,
					  .vlans = {{0x88a8, 17}, {0x8100, 18}},
					  .ipv4_option_bytes = 40,
					  .payload = payload,
					  .payload_bytes = sizeof(payload)},
		     payload, sizeof(payload));
}

/* A description that says more than the frame holds: no record, one loss. Who waits for
 * events is woken, to give its room back. */
static void unreadable_payload_is_counted(void **state)
{
	static const uint8_t payload[200] = {1};
	static const uint16_t announced[] = {64, 201, 300, 2000, 4000};
	struct epoll_event wakeup = {.events = EPOLLIN};
	struct faas_meters before, after;
	struct frame frame;
	int waits = epoll_create1(EPOLL_CLOEXEC);

	(void)state;
	assert_true(waits >= 0);
	ring_release(&rig.ring);
	assert_int_equal(epoll_ctl(waits, EPOLL_CTL_ADD, rig.ring_map, &wakeup), 0);
	frame_build(&(struct frame_spec){.payload = payload, .payload_bytes = 60}, &frame);
	for (size_t i = 0; i < sizeof(announced) / sizeof(announced[0]); i++) {
		struct faas_packet packet =
			harness_describe(&(struct frame_spec){.source_port = 0}, &frame, 0);

		packet.trigger = bundle_trigger_id("in");
		packet.payload_bytes = announced[i];
		assert_int_equal(counters_meters(rig.meters, &before, sizeof(before)), 0);
		assert_int_equal(epoll_wait(waits, &wakeup, 1, 0), 0);
		assert_null(run(&frame, &packet));
		assert_int_equal(epoll_wait(waits, &wakeup, 1, WAKEUP_MS), 1);
		ring_release(&rig.ring);
		assert_int_equal(counters_meters(rig.meters, &after, sizeof(after)), 0);
		assert_int_equal(after.lost_error, before.lost_error + 1);
	}
	assert_int_equal(close(waits), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(payloads_of_every_length),
		cmocka_unit_test(padding_stays_behind),
		cmocka_unit_test(tags_and_ipv6),
		cmocka_unit_test(unreadable_payload_is_counted),
	};
	int failed;

	linker = "llvm";
	failed = cmocka_run_group_tests_name("bpf/handoff", tests, open_rig, close_rig);
	linker = "bpf";
	failed |= cmocka_run_group_tests_name("bpf/handoff, linked by libbpf", tests, open_rig,
					      close_rig);
	return failed;
}
