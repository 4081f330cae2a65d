// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The durable log on a disk that tears, reorders and fails: what was acknowledged
 * is there after a power loss, and what is there is right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_disk.h"
#include "userspace/log/durable_internal.h"

#define SEGMENT_BYTES LOG_GROUP_SEGMENT_MIN
#define SEGMENTS 8
#define LOG_ID 0x1122334455667788ull
/* Two tables, of values of 8 bytes: a key is a place. */
#define TABLES 2
#define KEYS 20000
#define RECORDS_MAX 200000

struct machine {
	struct fake_disk fake;
	uint8_t *staging; /* the mapped log */
	uint64_t *tables[TABLES];
	struct durable_setup setup;
	struct log_writer log;
	struct durable durable;
	struct page_counters live;
	struct page_counters shown; /* acknowledged, as of the step before the last */
	struct durable_place courier;
	uint64_t now_ns;
	/* What was done: key of each record by its sequence, 0: no event. */
	uint32_t *keys;
	uint64_t seen; /* highest sequence that was acknowledged as durable */
	uint64_t redone;
	uint64_t repaired;
	const struct durable_recovered *found;
};

static struct machine machine;

static int loaded(void *context)
{
	(void)context;
	return 0;
}

static int repair(void *context, uint32_t function, uint64_t begin, uint64_t end)
{
	struct machine *m = context;

	assert_true(function < TABLES && begin < end && end <= KEYS * 8);
	m->repaired += end - begin;
	return 0;
}

static int redo(void *context, const struct log_record *record)
{
	struct machine *m = context;
	const struct log_entry *entry;
	struct log_walk walk;
	const uint8_t *body;

	log_walk_begin(&walk, record);
	while ((entry = log_walk_next(&walk, &body))) {
		uint32_t key, function;

		if (entry->kind != LOG_ENTRY_STATE)
			continue;
		function = m->found->functions[entry->function];
		if (function == FAAS_USER_FUNCTIONS_MAX)
			continue;
		memcpy(&key, body, sizeof(key));
		assert_true(key < KEYS && function % 2 == 0 && function / 2 < TABLES);
		memcpy(&m->tables[function / 2][key], body + 8, 8);
	}
	m->redone++;
	return 0;
}

static int recover(struct machine *m, struct durable_recovered *ret)
{
	m->found = ret;
	return durable_recover(&m->setup, ret);
}

static void open_staging(struct machine *m)
{
	memset(m->staging, 0, log_file_bytes(SEGMENTS, SEGMENT_BYTES));
	log_format(m->staging, SEGMENTS, SEGMENT_BYTES, LOG_ID, 1, 1);
}

/* Go on from *live, with the mapped log and the tables as they are. */
static void start(struct machine *m, const struct page_counters *acknowledged)
{
	struct durable_super super;

	assert_int_equal(durable_super_read(m->setup.disk, &super), 0);
	assert_int_equal(log_writer_open(&m->log, m->staging, m->setup.staging_bytes,
					 durable_incarnation(&super), m->live.log_position,
					 m->live.sequence, m->courier.position),
			 0);
	assert_int_equal(durable_start(&m->durable, &m->setup, &m->log, acknowledged), 0);
}

static void settle(struct machine *m)
{
	assert_int_equal(durable_settle(&m->durable, &m->live, &m->courier, m->now_ns), 0);
	m->durable.log->limit = durable_limit(&m->durable);
}

static void set_machine_up(struct machine *m, uint64_t seed, enum durable_policy policy)
{
	uint64_t bytes[DISK_FILES] = {0};

	memset(m, 0, sizeof(*m));
	m->staging = aligned_alloc(4096, log_file_bytes(SEGMENTS, SEGMENT_BYTES));
	m->keys = calloc(RECORDS_MAX, sizeof(*m->keys));
	assert_non_null(m->staging);
	assert_non_null(m->keys);
	for (unsigned int i = 0; i < TABLES; i++) {
		struct durable_image *image = &m->setup.images[2 * i];

		m->tables[i] = calloc(KEYS, 8);
		assert_non_null(m->tables[i]);
		(void)snprintf(image->shape.name, sizeof(image->shape.name), "table%u", i);
		image->shape.image_bytes = KEYS * 8;
		image->mapping = (uint8_t *)m->tables[i];
	}
	/* Function numbers 0 and 2 have tables: those between have none. */
	bytes[DISK_LOG] = durable_log_bytes(1, (uint64_t)SEGMENTS * SEGMENT_BYTES);
	bytes[DISK_SNAPSHOT_0] = bytes[DISK_SNAPSHOT_1] = durable_snapshot_bytes(m->setup.images);
	bytes[DISK_DAMAGE] = 65536;
	bytes[DISK_BEFORE] = DISK_BLOCK_BYTES + bytes[DISK_SNAPSHOT_0];
	fake_disk_open(&m->fake, bytes, seed);
	m->setup.disk = &m->fake.disk;
	m->setup.staging = m->staging;
	m->setup.staging_bytes = log_file_bytes(SEGMENTS, SEGMENT_BYTES);
	m->setup.generation = 1;
	m->setup.policy = policy;
	m->setup.context = m;
	m->setup.loaded = loaded;
	m->setup.repair = repair;
	m->setup.redo = redo;
	open_staging(m);
	assert_int_equal(durable_format(&m->setup), 0);
	start(m, &m->live);
	settle(m);
}

static void tear_machine_down(struct machine *m)
{
	durable_end(&m->durable);
	fake_disk_close(&m->fake);
	for (unsigned int i = 0; i < TABLES; i++)
		free(m->tables[i]);
	free(m->staging);
	free(m->keys);
}

static unsigned int table_of(uint32_t key)
{
	return key % TABLES;
}

/* One event: it sets a key to its number, and has an output now and then. */
static bool event(struct machine *m)
{
	uint32_t key = 1 + fake_disk_random(&m->fake, KEYS - 1);
	uint64_t number = m->log.sequence + 1;
	uint8_t *value;

	if (number >= RECORDS_MAX || log_begin(&m->log))
		return false;
	value = log_state(&m->log, (uint8_t)(2 * table_of(key)), &key, sizeof(key), 8);
	assert_non_null(value);
	memcpy(value, &number, 8);
	if (number % 3 == 0) {
		uint8_t *output = log_output(&m->log, 1, 200);

		assert_non_null(output);
		memset(output, (int)(number & 0xff), 200);
	}
	m->live.processed++;
	(void)log_commit(&m->log, LOG_EVENT, 0, 0, number * 8, m->live.processed, 0);
	m->live.sequence = number;
	m->live.log_position = m->log.head;
	m->live.ring_position = number * 8;
	m->keys[number] = key;
	m->tables[table_of(key)][key] = number;
	return true;
}

static void step(struct machine *m)
{
	m->now_ns += 20000000;
	m->shown = m->durable.acknowledged;
	durable_step(&m->durable, &m->live, &m->courier, m->now_ns);
	assert_true(m->durable.acknowledged.sequence <= m->log.sequence);
	/* Damage is looked for no further than this. */
	if (!m->durable.adrift)
		assert_true(m->log.head <=
			    m->durable.super->reached + DURABLE_REACH(m->durable.capacity));
	if (m->durable.durable_sequence > m->seen)
		m->seen = m->durable.durable_sequence;
	/* The courier follows what is acknowledged, at its own pace. */
	if (fake_disk_random(&m->fake, 3) == 0) {
		m->courier.position = m->durable.acknowledged.log_position;
		m->courier.sequence = m->durable.acknowledged.sequence;
		log_set_tail(&m->log, m->courier.position);
	}
	m->log.limit = durable_limit(&m->durable);
}

static void run(struct machine *m, unsigned int steps)
{
	for (unsigned int i = 0; i < steps; i++) {
		for (uint32_t events = fake_disk_random(&m->fake, 60); events; events--)
			if (!event(m))
				break;
		step(m);
	}
}

/* Whether the tables are as after record @p last, and no later. */
static void check_tables(const struct machine *m, uint64_t last)
{
	uint64_t *wanted[TABLES];

	for (unsigned int i = 0; i < TABLES; i++) {
		wanted[i] = calloc(KEYS, 8);
		assert_non_null(wanted[i]);
	}
	for (uint64_t n = 1; n <= last; n++)
		if (m->keys[n])
			wanted[table_of(m->keys[n])][m->keys[n]] = n;
	for (unsigned int i = 0; i < TABLES; i++) {
		assert_memory_equal(m->tables[i], wanted[i], KEYS * 8);
		free(wanted[i]);
	}
}

/* What the courier has not had is in the mapped log, and nothing behind it. */
static void check_staging(const struct machine *m, const struct durable_recovered *found)
{
	static uint64_t copy[LOG_RECORD_BYTES_MAX / 8];
	struct durable_place at = found->courier;
	struct log_view view;

	assert_int_equal(log_view_open(m->staging, m->setup.staging_bytes, &view), 0);
	while (at.sequence < found->end.sequence) {
		uint64_t next;

		assert_true(log_read(&view, at.position, at.sequence + 1, copy, sizeof(copy),
				     &next) > 0);
		at.position = next;
		at.sequence++;
	}
	assert_int_equal(at.position, found->end.position);
	for (uint64_t i = at.position; i < found->courier.position + view.capacity; i++)
		assert_int_equal(view.data[i % view.capacity], 0);
}

/* Everything in memory is gone. */
static void reboot(struct machine *m, struct durable_recovered *ret)
{
	durable_end(&m->durable);
	open_staging(m);
	for (unsigned int i = 0; i < TABLES; i++)
		memset(m->tables[i], 0xa5, KEYS * 8);
	m->redone = 0;
	assert_int_equal(recover(m, ret), 0);
	m->live = (struct page_counters){.sequence = ret->end.sequence,
					 .log_position = ret->end.position};
	m->courier = ret->courier;
	/* Numbers behind the end are given again. */
	for (uint64_t n = ret->end.sequence + 1; n < RECORDS_MAX && m->keys[n]; n++)
		m->keys[n] = 0;
	for (uint64_t n = ret->end.sequence + 1; n < ret->end.sequence + 5000 && n < RECORDS_MAX;
	     n++)
		m->keys[n] = 0;
}

static void power_loss(struct machine *m)
{
	struct durable_recovered found;

	fake_disk_crash(&m->fake);
	m->fake.broken = false;
	reboot(m, &found);
	if (found.end.sequence < m->seen)
		fail_msg("%llu was acknowledged, %llu is there", (unsigned long long)m->seen,
			 (unsigned long long)found.end.sequence);
	assert_int_equal(found.corrupt, 0);
	check_tables(m, found.end.sequence);
	check_staging(m, &found);
	m->seen = found.end.sequence;
	start(m, &m->live);
	settle(m);
}

/* The worker dies; mapped log, tables and counters stay. */
static void worker_loss(struct machine *m)
{
	struct page_counters acknowledged = m->durable.acknowledged;
	uint64_t reached = m->durable.super->reached;
	struct durable_super super;

	if (m->durable.adrift) {
		power_loss(m);
		return;
	}
	fake_disk_kill(&m->fake);
	assert_int_equal(durable_super_read(m->setup.disk, &super), 0);
	/* It may die before it could show what the last step knew, and before it heard that
	 * a snapshot is named. */
	if (m->shown.log_position >= super.begin.position &&
	    m->shown.log_position <= acknowledged.log_position)
		acknowledged = m->shown;
	durable_end(&m->durable);
	start(m, &acknowledged);
	assert_true(m->durable.super->reached >= reached);
	settle(m);
}

static void test_survives(void **state)
{
	static const struct {
		const char *name;
		enum durable_policy policy;
		unsigned int lazy, shorts, failures;
	} rows[] = {
		{"a good disk", DURABLE_WAIT, 0, 0, 0},
		{"a slow one", DURABLE_WAIT, 60, 0, 0},
		{"short writes", DURABLE_WAIT, 30, 30, 0},
		{"failures", DURABLE_WAIT, 30, 10, 10},
		{"failures, going on", DURABLE_CONTINUE, 30, 10, 3},
	};

	(void)state;
	for (unsigned int row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		uint64_t snapshots = 0, records = 0;

		for (uint64_t seed = 1; seed <= 12; seed++) {
			(void)fprintf(stderr, "%s, seed %llu\n", rows[row].name,
				      (unsigned long long)seed);
			set_machine_up(&machine, seed, rows[row].policy);
			for (unsigned int life = 0; life < 8; life++) {
				machine.fake.lazy = rows[row].lazy;
				machine.fake.shorts = rows[row].shorts;
				machine.fake.failures = rows[row].failures;
				run(&machine, 20 + fake_disk_random(&machine.fake, 150));
				snapshots += machine.durable.snapshots_written;
				machine.fake.shorts = machine.fake.failures = 0;
				if (fake_disk_random(&machine.fake, 3))
					power_loss(&machine);
				else
					worker_loss(&machine);
			}
			records += machine.log.sequence;
			tear_machine_down(&machine);
		}
		/* It was put to the test. */
		assert_true(snapshots > 20 && records > 100000);
	}
}

/* Half of the circle is behind, and nothing is written: it stops there. */
static void test_waits_for_the_disk(void **state)
{
	uint64_t sequence;

	(void)state;
	set_machine_up(&machine, 7, DURABLE_WAIT);
	run(&machine, 20);
	settle(&machine);
	sequence = machine.durable.acknowledged.sequence;
	machine.fake.broken = true;
	machine.fake.failure = -ENOSPC;
	run(&machine, 500);
	assert_int_equal(machine.durable.error, -ENOSPC);
	assert_int_equal(machine.durable.acknowledged.sequence, sequence);
	assert_false(event(&machine));
	assert_true(durable_wake_ns(&machine.durable) > machine.now_ns);
	machine.fake.broken = false;
	run(&machine, 500);
	assert_int_equal(machine.durable.error, 0);
	assert_true(machine.durable.acknowledged.sequence > sequence + 1000);
	power_loss(&machine);
	tear_machine_down(&machine);
}

static void test_goes_on_without_the_disk(void **state)
{
	uint64_t sequence, durable;

	(void)state;
	set_machine_up(&machine, 8, DURABLE_CONTINUE);
	run(&machine, 50);
	settle(&machine);
	durable = machine.durable.durable_sequence;
	machine.fake.broken = true;
	machine.fake.failure = -EROFS;
	run(&machine, 500);
	assert_int_equal(machine.durable.error, -EROFS);
	assert_true(machine.durable.adrift);
	assert_true(machine.durable.acknowledged.sequence > durable + 5000);
	assert_int_equal(machine.durable.durable_sequence, durable);
	sequence = machine.durable.acknowledged.sequence;
	machine.fake.broken = false;
	run(&machine, 200);
	assert_false(machine.durable.adrift);
	assert_true(machine.durable.durable_sequence > sequence);
	power_loss(&machine);
	/* What came while it was away was made up for, in the tables. */
	assert_true(machine.live.sequence > sequence);
	tear_machine_down(&machine);
}

/* While it is adrift, what was durable before stays so. */
static void test_power_loss_while_adrift(void **state)
{
	uint64_t durable;

	(void)state;
	for (uint64_t seed = 1; seed < 20; seed++) {
		set_machine_up(&machine, seed, DURABLE_CONTINUE);
		run(&machine, 50 + (unsigned int)seed * 20);
		settle(&machine);
		durable = machine.durable.durable_sequence;
		machine.fake.broken = true;
		run(&machine, 300);
		assert_int_equal(machine.durable.durable_sequence, durable);
		if (seed % 2) { /* in the middle of the catching up */
			machine.fake.broken = false;
			machine.fake.lazy = 99;
			run(&machine, (unsigned int)seed);
		}
		power_loss(&machine);
		tear_machine_down(&machine);
	}
}

/* It goes on without the disk, for a snapshot fails, and is back before there was an event:
 * what the courier has not had is delivered from the disk as ever. */
static void test_adrift_and_nothing_came(void **state)
{
	struct durable_recovered found;
	struct durable_place courier;

	(void)state;
	set_machine_up(&machine, 18, DURABLE_CONTINUE);
	run(&machine, 30);
	settle(&machine);
	courier = machine.courier;
	assert_true(courier.position < machine.log.head);
	machine.fake.no_snapshots = true;
	durable_snapshot_begin(&machine.durable);
	durable_step(&machine.durable, &machine.live, &courier, machine.now_ns);
	assert_true(machine.durable.adrift);
	assert_int_equal(machine.durable.durable_position, machine.log.head);
	machine.fake.no_snapshots = false;
	for (unsigned int i = 0; i < 100 && machine.durable.adrift; i++) {
		machine.now_ns += DURABLE_RETRY_MAX_NS;
		durable_step(&machine.durable, &machine.live, &courier, machine.now_ns);
	}
	assert_false(machine.durable.adrift);
	reboot(&machine, &found);
	assert_int_equal(found.courier.position, courier.position);
	check_staging(&machine, &found);
	tear_machine_down(&machine);
}

/* A block that was acknowledged goes bad: what is behind it counts, and it is
 * said and kept. */
static void test_damage(void **state)
{
	struct durable_recovered found;
	uint64_t first, last, *at;
	struct durable_damage damage;

	(void)state;
	set_machine_up(&machine, 9, DURABLE_WAIT);
	run(&machine, 30);
	settle(&machine);
	last = machine.durable.acknowledged.sequence;
	first = machine.durable.super->begin.position;
	assert_int_equal(first, 0);
	at = (uint64_t *)(void *)(machine.fake.media[DISK_LOG] + DURABLE_LOG_OFFSET +
				  machine.durable.durable_position / 2 / 4096 * 4096 + 1000);
	*at ^= 1;
	fake_disk_crash(&machine.fake);
	reboot(&machine, &found);
	assert_int_equal(found.corrupt, 1);
	assert_true(found.corrupt_bytes >= 4096);
	assert_int_equal(found.end.sequence, last);
	/* Keys that came before and behind it are right. */
	assert_int_equal(machine.tables[table_of(machine.keys[1])][0], 0);
	assert_true(machine.tables[table_of(machine.keys[last - 1])][machine.keys[last - 1]] ==
		    last - 1);
	memcpy(&damage, machine.fake.media[DISK_DAMAGE], sizeof(damage));
	assert_int_equal(damage.magic, DURABLE_DAMAGE_MAGIC);
	assert_true(damage.bytes == found.corrupt_bytes && damage.kept > 0);
	/* The log goes on, and a second recovery says it again. */
	start(&machine, &machine.live);
	settle(&machine);
	run(&machine, 10);
	settle(&machine);
	last = machine.durable.acknowledged.sequence;
	reboot(&machine, &found);
	assert_int_equal(found.end.sequence, last);
	tear_machine_down(&machine);
}

/* The last group goes bad: nobody can tell it from a torn one. */
static void test_torn_tail(void **state)
{
	struct durable_recovered found;
	uint64_t before;

	(void)state;
	set_machine_up(&machine, 10, DURABLE_WAIT);
	run(&machine, 30);
	settle(&machine);
	before = machine.durable.acknowledged.sequence;
	assert_true(event(&machine));
	settle(&machine);
	machine.fake.media[DISK_LOG][DURABLE_LOG_OFFSET + machine.durable.durable_position - 1] ^=
		1;
	reboot(&machine, &found);
	assert_int_equal(found.corrupt, 0);
	assert_int_equal(found.end.sequence, before);
	tear_machine_down(&machine);
}

static void test_damaged_snapshot(void **state)
{
	struct durable_recovered found;

	(void)state;
	set_machine_up(&machine, 11, DURABLE_WAIT);
	while (!machine.durable.super->snapshot)
		run(&machine, 10);
	settle(&machine);
	machine.fake.media[machine.durable.super->snapshot_file ? DISK_SNAPSHOT_1 : DISK_SNAPSHOT_0]
			  [DURABLE_CHUNK_BYTES + 5000] ^= 1;
	reboot(&machine, &found);
	assert_int_equal(found.corrupt, 1);
	assert_int_equal(machine.repaired, DURABLE_CHUNK_BODY);
	tear_machine_down(&machine);
}

/* No snapshot comes about: what the last one needs is not overwritten. */
static void test_keeps_what_a_snapshot_needs(void **state)
{
	(void)state;
	set_machine_up(&machine, 14, DURABLE_WAIT);
	machine.fake.no_snapshots = true;
	run(&machine, 2000);
	assert_int_equal(machine.durable.super->snapshot, 0);
	assert_true(machine.log.head > machine.durable.capacity / 2);
	assert_true(machine.log.head <= machine.durable.capacity);
	assert_false(event(&machine));
	machine.fake.no_snapshots = false;
	power_loss(&machine);
	run(&machine, 2000);
	assert_true(machine.durable.super->snapshot != 0);
	assert_true(machine.log.head > 2 * machine.durable.capacity);
	power_loss(&machine);
	tear_machine_down(&machine);
}

/* Of two groups that are on their way when the power goes, the second reaches the disk
 * and the first does not. */
static void leave_group_over(struct machine *m)
{
	const struct fake_write *writes = m->fake.writes, *second;

	m->fake.hangs = true;
	for (unsigned int i = 0; i < 2; i++) {
		assert_true(event(m));
		step(m);
		assert_true(writes[i].bytes);
	}
	second = writes[0].offset > writes[1].offset ? &writes[0] : &writes[1];
	memcpy(m->fake.media[DISK_LOG] + second->offset, second->data, second->bytes);
	memset(m->fake.writes, 0, sizeof(m->fake.writes));
	m->fake.hangs = false;
}

/* A group that was never acknowledged lies behind a new one that took the place
 * of the group before it: the numbers fit, and it does not count. Nor does it where
 * recovery begins with it, for a snapshot was made there. */
static void test_left_over_group(void **state)
{
	(void)state;
	for (unsigned int snapshots = 0; snapshots < 2; snapshots++) {
		struct durable_recovered found;
		uint64_t before;

		set_machine_up(&machine, 15, DURABLE_WAIT);
		run(&machine, 30);
		settle(&machine);
		before = machine.durable.acknowledged.sequence;
		leave_group_over(&machine);
		reboot(&machine, &found);
		assert_int_equal(found.end.sequence, before);
		machine.setup.generation += snapshots;
		start(&machine, &machine.live);
		assert_true(event(&machine));
		settle(&machine);
		assert_int_equal(machine.durable.snapshots_written, snapshots);
		reboot(&machine, &found);
		assert_int_equal(found.end.sequence, before + 2);
		assert_int_equal(found.corrupt, 0);
		check_tables(&machine, before + 2);
		tear_machine_down(&machine);
	}
}

/* Begin a group of one event that stays on its way. */
static const struct fake_write *hang_group(struct machine *m)
{
	const struct fake_write *write = m->fake.writes;

	m->fake.hangs = true;
	assert_true(event(m));
	step(m);
	assert_true(write->bytes && write->file == DISK_LOG);
	return write;
}

/* Of a group's first block all reaches the disk but the end, which is zeros: there lies
 * what a lap before left. */
static void tear_zeros_off(struct machine *m)
{
	const struct fake_write *write = hang_group(m);
	uint8_t *to = m->fake.media[DISK_LOG] + write->offset;
	uint32_t there = DISK_BLOCK_BYTES - FAKE_SECTOR_BYTES;

	memcpy(to, write->data, there);
	memset(to + there, 0xa5, FAKE_SECTOR_BYTES);
	memset(m->fake.writes, 0, sizeof(m->fake.writes));
	m->fake.hangs = false;
}

/* A group that was torn is made whole by the torn write of another in its place: their ends
 * are alike. It was acknowledged to nobody, and is not of the life that wrote there last. */
static void test_group_made_whole_by_another(void **state)
{
	/* Workers of the second life that die; what the first of them built is written again. */
	for (unsigned int deaths = 0; deaths < 3; deaths++) {
		struct page_counters acknowledged;
		struct durable_recovered found;
		const struct fake_write *write;
		uint64_t before;

		(void)state;
		set_machine_up(&machine, 16, DURABLE_WAIT);
		run(&machine, 30);
		settle(&machine);
		before = machine.durable.acknowledged.sequence;
		tear_zeros_off(&machine);
		reboot(&machine, &found);
		assert_int_equal(found.end.sequence, before);
		start(&machine, &machine.live);
		write = hang_group(&machine);
		for (unsigned int i = 0; i < deaths; i++) {
			acknowledged = machine.durable.acknowledged;
			assert_int_equal(acknowledged.sequence, before);
			memset(machine.fake.writes, 0, sizeof(machine.fake.writes));
			machine.fake.hangs = false;
			durable_end(&machine.durable);
			start(&machine, &acknowledged);
			write = hang_group(&machine);
		}
		memcpy(machine.fake.media[DISK_LOG] + write->offset + DISK_BLOCK_BYTES -
			       FAKE_SECTOR_BYTES,
		       write->data + DISK_BLOCK_BYTES - FAKE_SECTOR_BYTES, FAKE_SECTOR_BYTES);
		memset(machine.fake.writes, 0, sizeof(machine.fake.writes));
		machine.fake.hangs = false;
		reboot(&machine, &found);
		assert_int_equal(found.end.sequence, before);
		assert_int_equal(found.corrupt, 0);
		check_tables(&machine, before);
		/* And again, with nothing written between. */
		start(&machine, &machine.live);
		reboot(&machine, &found);
		assert_int_equal(found.end.sequence, before);
		start(&machine, &machine.live);
		settle(&machine);
		run(&machine, 20);
		settle(&machine);
		power_loss(&machine);
		tear_machine_down(&machine);
	}
}

static void test_superblocks(void **state)
{
	struct durable_recovered found;
	struct durable_super super;
	uint64_t number;

	(void)state;
	set_machine_up(&machine, 12, DURABLE_WAIT);
	run(&machine, 30);
	settle(&machine);
	number = machine.durable.super->number;
	assert_true(number > 0);
	/* One is torn: the other counts. */
	machine.fake.media[DISK_LOG][number % 2 * 4096 + 100] ^= 1;
	assert_int_equal(durable_super_read(machine.setup.disk, &super), 0);
	assert_int_equal(super.number, number - 1);
	/* Both are: that is said. */
	machine.fake.media[DISK_LOG][(number + 1) % 2 * 4096 + 100] ^= 1;
	assert_int_equal(durable_super_read(machine.setup.disk, &super), -EBADMSG);
	assert_int_equal(recover(&machine, &found), -EBADMSG);
	memset(machine.fake.media[DISK_LOG], 0, 8192);
	assert_int_equal(durable_super_read(machine.setup.disk, &super), -ENOENT);
	tear_machine_down(&machine);
}

/* With a fence of a life to come, or where the log never was, a superblock is none. */
static void test_fence_that_cannot_be(void **state)
{
	static const struct {
		uint64_t bytes;
		uint32_t lives;
	} ahead[] = {{0, 1}, {DISK_BLOCK_BYTES, 0}};

	(void)state;
	for (unsigned int i = 0; i < sizeof(ahead) / sizeof(ahead[0]); i++) {
		struct durable_super super, *newest;
		uint64_t number;

		set_machine_up(&machine, 17, DURABLE_WAIT);
		number = machine.durable.super->number;
		newest = (struct durable_super *)(void *)(machine.fake.media[DISK_LOG] +
							  number % 2 * DISK_BLOCK_BYTES);
		newest->fence_position = newest->reached + ahead[i].bytes;
		newest->fence_incarnation = newest->incarnation + ahead[i].lives;
		durable_super_seal(newest);
		assert_int_equal(durable_super_read(machine.setup.disk, &super), 0);
		assert_int_equal(super.number, number - 1);
		tear_machine_down(&machine);
	}
}

/* Another version of the workflow: a table of another shape is refused, unless it
 * begins anew. */
static void test_other_generation(void **state)
{
	struct durable_recovered found;
	struct page_counters acknowledged;

	(void)state;
	set_machine_up(&machine, 13, DURABLE_WAIT);
	run(&machine, 30);
	settle(&machine);
	machine.setup.images[2].shape.value_version = 2;
	assert_int_equal(recover(&machine, &found), -ESTALE);
	assert_int_equal(found.stale_function, 2);
	machine.setup.resets = 1u << 2;
	machine.setup.generation = 2;
	memset(machine.tables[1], 0xa5, KEYS * 8);
	assert_int_equal(recover(&machine, &found), 0);
	machine.setup.resets = 0;
	/* Taken over while it is in memory: the disk knows of it before the first event. */
	acknowledged = machine.durable.acknowledged;
	durable_end(&machine.durable);
	start(&machine, &acknowledged);
	assert_int_equal(machine.durable.super->generation, 1);
	settle(&machine);
	assert_int_equal(machine.durable.super->generation, 2);
	assert_true(machine.durable.super->snapshot != 0);
	assert_int_equal(recover(&machine, &found), 0);
	tear_machine_down(&machine);
}

/* Lay the second table out anew, as an update does, with every value the other way round. */
static void lay_out_anew(struct machine *m)
{
	for (uint32_t i = 0; i < KEYS; i++)
		m->tables[1][i] = ~m->tables[1][i];
	m->setup.images[2].shape.value_version++;
	m->setup.generation++;
}

static int keep_before(struct machine *m, uint64_t log_id, const struct durable_kept *kept)
{
	return durable_before_write(m->setup.disk, m->setup.images, log_id, m->setup.generation,
				    kept, m->now_ns);
}

/* An update to another layout, and the power goes: the disk has what the one version
 * can take up, or what the other can, whichever is loaded. */
static void test_update_with_tables_of_before(void **state)
{
	struct durable_recovered found;
	struct page_counters acknowledged;
	uint64_t last;

	(void)state;
	for (uint64_t seed = 20; seed < 30; seed++) {
		set_machine_up(&machine, seed, DURABLE_WAIT);
		run(&machine, 40);
		settle(&machine);
		last = machine.durable.acknowledged.sequence;
		assert_int_equal(keep_before(&machine, LOG_ID, &(struct durable_kept){0}), 0);
		acknowledged = machine.durable.acknowledged;
		durable_end(&machine.durable);
		lay_out_anew(&machine);
		start(&machine, &acknowledged);
		settle(&machine);
		/* It goes on a while, but sets no key that was set. */
		for (unsigned int i = 0; i < seed; i++) {
			assert_int_equal(log_begin(&machine.log), 0);
			(void)log_commit(&machine.log, LOG_EVENT, 0, 0, 0, 0, 0);
			machine.live.sequence = machine.log.sequence;
			machine.live.log_position = machine.log.head;
		}
		settle(&machine);
		fake_disk_crash(&machine.fake);
		/* The new version finds its own. */
		memset(machine.tables[1], 0xa5, KEYS * 8);
		reboot(&machine, &found);
		assert_false(found.before);
		assert_int_equal(found.taken, 5);
		for (uint32_t i = 0; i < KEYS; i++)
			machine.tables[1][i] = ~machine.tables[1][i];
		check_tables(&machine, last);
		/* The one before finds what it left. */
		machine.setup.images[2].shape.value_version--;
		machine.setup.generation--;
		reboot(&machine, &found);
		assert_true(found.before);
		assert_int_equal(found.taken, 5);
		assert_int_equal(found.corrupt, 0);
		assert_int_equal(found.end.sequence, machine.log.sequence);
		check_tables(&machine, last);
		check_staging(&machine, &found);
		/* And goes on from there. */
		for (uint64_t n = last + 1; n <= found.end.sequence; n++)
			machine.keys[n] = 0;
		start(&machine, &machine.live);
		settle(&machine);
		run(&machine, 20);
		settle(&machine);
		power_loss(&machine);
		/* A third finds nothing. */
		machine.setup.images[2].shape.value_version += 2;
		assert_int_equal(recover(&machine, &found), -ESTALE);
		tear_machine_down(&machine);
	}
}

/* One event of the version behind an update: it sets a key of both tables, whose functions
 * have these numbers. */
static void set_both(struct machine *m, const uint8_t functions[TABLES], uint32_t key)
{
	assert_int_equal(log_begin(&m->log), 0);
	for (unsigned int i = 0; i < TABLES; i++) {
		uint64_t number = m->log.sequence + 1;
		uint8_t *value = log_state(&m->log, functions[i], &key, sizeof(key), 8);

		assert_non_null(value);
		memcpy(value, &number, 8);
		m->tables[i][key] = number;
	}
	(void)log_commit(&m->log, LOG_EVENT, 0, 0, 0, 0, 0);
	m->live.sequence = m->log.sequence;
	m->live.log_position = m->log.head;
}

/* An update keeps the one table, under the same number or another, and lays the other out
 * anew; the power goes on its trial. The version before finds the one as it is now, and the
 * other as it left it: a way back in memory gives it the same. Of an update that is another
 * than the one on trial it finds all as it left it. */
static void test_update_that_keeps_a_table(void **state)
{
	static const struct {
		uint8_t functions[TABLES];
		uint32_t generation; /* that the tables of before say */
		bool kept;
	} rows[] = {{{0, 2}, 2, true}, {{1, 2}, 2, true}, {{2, 0}, 2, true}, {{0, 2}, 3, false}};

	(void)state;
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		const uint8_t *functions = rows[row].functions;
		struct durable_kept kept = {.generation = rows[row].generation,
					    .as[0] = (uint8_t)(functions[0] + 1)};
		struct durable_image images[FAAS_USER_FUNCTIONS_MAX];
		uint64_t *before[TABLES], *now[TABLES];
		struct page_counters acknowledged;
		struct durable_recovered found;

		set_machine_up(&machine, 60 + row, DURABLE_WAIT);
		run(&machine, 40);
		settle(&machine);
		assert_int_equal(keep_before(&machine, LOG_ID, &kept), 0);
		acknowledged = machine.durable.acknowledged;
		durable_end(&machine.durable);
		memcpy(images, machine.setup.images, sizeof(images));
		for (unsigned int i = 0; i < TABLES; i++) {
			before[i] = calloc(KEYS, 8);
			now[i] = calloc(KEYS, 8);
			assert_true(before[i] && now[i]);
			memcpy(before[i], machine.tables[i], KEYS * 8);
		}
		lay_out_anew(&machine);
		machine.setup.images[0] = machine.setup.images[2] = (struct durable_image){0};
		for (unsigned int i = 0; i < TABLES; i++)
			machine.setup.images[functions[i]] = images[2 * (size_t)i];
		machine.setup.images[functions[1]].shape.value_version++;
		start(&machine, &acknowledged);
		settle(&machine);
		for (uint32_t key = 1; key < 100; key++)
			set_both(&machine, functions, key);
		settle(&machine);
		for (unsigned int i = 0; i < TABLES; i++)
			memcpy(now[i], machine.tables[i], KEYS * 8);
		memcpy(machine.setup.images, images, sizeof(images));
		machine.setup.generation--;
		for (unsigned int again = 0; again < 2; again++) {
			reboot(&machine, &found);
			assert_true(found.before);
			assert_int_equal(found.taken, 5);
			assert_int_equal(found.kept, rows[row].kept);
			assert_int_equal(found.corrupt, 0);
			assert_memory_equal(machine.tables[0], rows[row].kept ? now[0] : before[0],
					    KEYS * 8);
			assert_memory_equal(machine.tables[1], before[1], KEYS * 8);
			check_staging(&machine, &found);
		}
		/* Its own are on the disk from here on. */
		start(&machine, &machine.live);
		settle(&machine);
		reboot(&machine, &found);
		assert_false(found.before);
		assert_memory_equal(machine.tables[0], rows[row].kept ? now[0] : before[0],
				    KEYS * 8);
		assert_memory_equal(machine.tables[1], before[1], KEYS * 8);
		for (unsigned int i = 0; i < TABLES; i++) {
			free(before[i]);
			free(now[i]);
		}
		tear_machine_down(&machine);
	}
}

/* An update lets states begin anew in the same layout, and the power goes on its trial: each
 * generation finds its own. */
static void test_update_that_begins_anew(void **state)
{
	struct durable_recovered found;
	struct page_counters acknowledged;
	uint64_t last;

	(void)state;
	set_machine_up(&machine, 50, DURABLE_WAIT);
	run(&machine, 40);
	settle(&machine);
	last = machine.durable.acknowledged.sequence;
	assert_int_equal(keep_before(&machine, LOG_ID, &(struct durable_kept){0}), 0);
	acknowledged = machine.durable.acknowledged;
	durable_end(&machine.durable);
	memset(machine.tables[1], 0, KEYS * 8);
	machine.setup.generation++;
	start(&machine, &acknowledged);
	settle(&machine);
	fake_disk_crash(&machine.fake);
	reboot(&machine, &found);
	assert_false(found.before);
	for (uint32_t i = 0; i < KEYS; i++)
		assert_int_equal(machine.tables[1][i], 0);
	machine.setup.generation--;
	reboot(&machine, &found);
	assert_true(found.before);
	check_tables(&machine, last);
	/* Its own are on the disk from here on. */
	start(&machine, &machine.live);
	settle(&machine);
	reboot(&machine, &found);
	assert_false(found.before);
	check_tables(&machine, last);
	tear_machine_down(&machine);
}

/* Tables of before that were not written to their end, are damaged, or of another log, are
 * none. */
static void test_tables_of_before_that_do_not_count(void **state)
{
	struct durable_recovered found;
	struct page_counters acknowledged;

	(void)state;
	for (unsigned int how = 0; how < 4; how++) {
		set_machine_up(&machine, 40, DURABLE_WAIT);
		run(&machine, 20);
		settle(&machine);
		if (how == 3) /* the power went before the head was written */
			machine.fake.disk.bytes[DISK_BEFORE] = 0;
		else
			assert_int_equal(keep_before(&machine, LOG_ID + (how == 1),
						     &(struct durable_kept){0}),
					 0);
		if (how == 2)
			machine.fake.media[DISK_BEFORE][100] ^= 1;
		acknowledged = machine.durable.acknowledged;
		durable_end(&machine.durable);
		lay_out_anew(&machine);
		start(&machine, &acknowledged);
		settle(&machine);
		machine.setup.images[2].shape.value_version--;
		assert_int_equal(recover(&machine, &found), how ? -ESTALE : 0);
		tear_machine_down(&machine);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_survives),
		cmocka_unit_test(test_waits_for_the_disk),
		cmocka_unit_test(test_goes_on_without_the_disk),
		cmocka_unit_test(test_power_loss_while_adrift),
		cmocka_unit_test(test_adrift_and_nothing_came),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_torn_tail),
		cmocka_unit_test(test_damaged_snapshot),
		cmocka_unit_test(test_keeps_what_a_snapshot_needs),
		cmocka_unit_test(test_left_over_group),
		cmocka_unit_test(test_group_made_whole_by_another),
		cmocka_unit_test(test_superblocks),
		cmocka_unit_test(test_fence_that_cannot_be),
		cmocka_unit_test(test_other_generation),
		cmocka_unit_test(test_update_with_tables_of_before),
		cmocka_unit_test(test_update_that_keeps_a_table),
		cmocka_unit_test(test_update_that_begins_anew),
		cmocka_unit_test(test_tables_of_before_that_do_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
