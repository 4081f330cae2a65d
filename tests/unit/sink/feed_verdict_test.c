// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Verdicts, as the courier writes them into a map. Needs root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "userspace/sink/feed_internal.h"

#define NOW_NS 1000000
#define BOOT 77
#define ROOM 4

static struct feed *feed;
static struct feed_scratch *scratch;
static struct courier_page *page;
static struct log_header header = {.ring_boot_hash = BOOT};
static int map;

static int set_up(void **state)
{
	(void)state;
	feed = calloc(1, sizeof(*feed));
	scratch = calloc(1, sizeof(*scratch));
	page = calloc(1, sizeof(*page));
	map = bpf_map_create(BPF_MAP_TYPE_HASH, "verdicts", sizeof(struct faas_key),
			     sizeof(struct faas_verdict_entry), ROOM, NULL);
	if (!feed || !scratch || !page || map < 0)
		return -1;
	feed->courier_page = page;
	memset(feed->verdict_maps, -1, sizeof(feed->verdict_maps));
	memset(feed->verdicts_to, -1, sizeof(feed->verdicts_to));
	feed->log = &header;
	feed->verdict_maps[3] = map;
	feed->verdicts_to[1][2] = 3;
	feed->verdicts_to[1][1] = 4; /* a function that takes none */
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(map);
	free(feed);
	free(scratch);
	free(page);
	return 0;
}

/* One record with one verdict about the key of a port. */
struct given {
	uint64_t sequence;
	uint16_t port;
	uint64_t value, expires_ns;
	uint8_t function, verdict;
	uint64_t boot;
	uint32_t bytes;
};

static void give(const struct given *given)
{
	struct feed_turn turn = {.feed = feed, .scratch = scratch, .now_ns = NOW_NS};
	struct log_record *record = (struct log_record *)scratch->record;
	struct log_entry *entry = (struct log_entry *)(record + 1);
	struct log_verdict *verdict = (struct log_verdict *)(entry + 1);

	memset(scratch->record, 0, 1024);
	record->sequence = given->sequence;
	record->entry_count = 1;
	*entry = (struct log_entry){.kind = LOG_ENTRY_VERDICT,
				    .function = given->function,
				    .reason = given->verdict,
				    .bytes = given->bytes};
	verdict->boot_hash = given->boot;
	verdict->key.source_port = given->port;
	verdict->entry.value = given->value;
	verdict->entry.expires_ns = given->expires_ns;
	feed_apply_verdicts(&turn);
}

#define GIVE(...)                                                                                  \
	give(&(struct given){.function = 1,                                                        \
			     .verdict = 2,                                                         \
			     .boot = BOOT,                                                         \
			     .bytes = sizeof(struct log_verdict),                                  \
			     __VA_ARGS__})

/* Value of a key that counts now; 0: none. */
static uint64_t value_of(uint16_t port)
{
	const struct faas_key key = {.source_port = port};
	struct faas_verdict_entry entry;

	if (bpf_map_lookup_elem(map, &key, &entry) || entry.expires_ns <= NOW_NS)
		return 0;
	return entry.value;
}

static void test_in_order(void **state)
{
	(void)state;
	GIVE(.sequence = 5, .port = 1, .value = 10, .expires_ns = 2 * NOW_NS);
	assert_int_equal(value_of(1), 10);
	GIVE(.sequence = 6, .port = 1, .value = 11, .expires_ns = 2 * NOW_NS);
	assert_int_equal(value_of(1), 11);
	GIVE(.sequence = 7, .port = 1, .value = 12); /* taken back */
	assert_int_equal(value_of(1), 0);
	assert_int_equal(feed->cursor.verdicts, 3);
	assert_int_equal(feed->cursor.verdicts_refused, 0);
}

/* A courier that begins again at an old cursor changes nothing by that. */
static void test_again(void **state)
{
	(void)state;
	GIVE(.sequence = 5, .port = 1, .value = 10, .expires_ns = 2 * NOW_NS);
	GIVE(.sequence = 6, .port = 1, .value = 11, .expires_ns = 2 * NOW_NS);
	/* Within one courier it is not even counted. */
	GIVE(.sequence = 5, .port = 1, .value = 10, .expires_ns = 2 * NOW_NS);
	assert_int_equal(feed->cursor.verdicts, 2);
	feed->cursor.verdicts_sequence = 0;
	GIVE(.sequence = 5, .port = 1, .value = 10, .expires_ns = 2 * NOW_NS);
	assert_int_equal(value_of(1), 11);
	GIVE(.sequence = 7, .port = 1);
	feed->cursor.verdicts_sequence = 0;
	GIVE(.sequence = 6, .port = 1, .value = 11, .expires_ns = 2 * NOW_NS);
	assert_int_equal(value_of(1), 0);
}

static void test_full(void **state)
{
	(void)state;
	for (uint16_t i = 1; i <= ROOM; i++)
		GIVE(.sequence = i, .port = i, .value = i,
		     .expires_ns = i == 2 ? NOW_NS + 1 : 9 * NOW_NS);
	GIVE(.sequence = 10, .port = 99, .value = 1, .expires_ns = 9 * NOW_NS);
	assert_int_equal(feed->cursor.verdicts, ROOM);
	assert_int_equal(feed->cursor.verdicts_refused, 1);
	assert_int_equal(value_of(99), 0);
	/* One whose time is over makes room, and only that one. */
	GIVE(.sequence = 11, .port = 2, .expires_ns = 0);
	/* Not while a successor would put an older one back in its place. */
	GIVE(.sequence = 12, .port = 98, .value = 7, .expires_ns = 9 * NOW_NS);
	assert_int_equal(value_of(98), 0);
	assert_int_equal(feed->cursor.verdicts_refused, 2);
	page->cursors[page->current & 1].verdicts_sequence = 11;
	GIVE(.sequence = 13, .port = 98, .value = 7, .expires_ns = 9 * NOW_NS);
	assert_int_equal(value_of(98), 7);
	for (uint16_t i = 1; i <= ROOM; i++)
		assert_int_equal(value_of(i), i == 2 ? 0 : i);
}

/* What damage or a hostile worker could leave in a log, and what is too late. */
static void test_refused(void **state)
{
	static const struct given rows[] = {
		/* sequence, port, value, end; function, verdict, boot, bytes */
		{1, 1, 1, 9 * NOW_NS, 200, 2, BOOT, sizeof(struct log_verdict)},
		{2, 1, 1, 9 * NOW_NS, 1, 200, BOOT, sizeof(struct log_verdict)},
		{3, 1, 1, 9 * NOW_NS, 1, 1, BOOT, sizeof(struct log_verdict)},
		{4, 1, 1, 9 * NOW_NS, 1, 0, BOOT, sizeof(struct log_verdict)},
		{5, 1, 1, 9 * NOW_NS, 1, 2, BOOT, 64},
		{6, 1, 1, 9 * NOW_NS, 1, 2, BOOT + 1, sizeof(struct log_verdict)},
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		give(&rows[i]);
	assert_int_equal(feed->cursor.verdicts, 0);
	assert_int_equal(value_of(1), 0);
	GIVE(.sequence = 7, .port = 1, .value = 1, .expires_ns = NOW_NS); /* over by now */
	assert_int_equal(value_of(1), 0);
	GIVE(.sequence = 8, .port = 1, .value = 1, .expires_ns = NOW_NS + 1);
	assert_int_equal(value_of(1), 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_in_order),
		CASE(test_again),
		CASE(test_full),
		CASE(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
