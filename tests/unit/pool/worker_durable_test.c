// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A worker with durable state on real files: killed, and with everything in memory
 * gone. Needs root.
 */
#include "worker_helpers.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userspace/log/durable_format.h"

/* Everything that was made is in the state and in the outputs, once. */
static void check_all(uint64_t events, uint64_t keys)
{
	assert_int_equal(rig->config->lost, 0);
	assert_int_equal(rig->config->submitted, events);
	assert_int_equal(rig->read.events, events);
	assert_int_equal(rig->read.outputs, events);
	assert_int_equal(rig->read.repeated, 0);
	assert_int_equal(rig->read.wrong, 0);
	assert_int_equal(rig->page->corrupt, 0);
	for (uint64_t key = 0; key < keys; key++) {
		uint64_t value[3];

		key_state(key, value);
		assert_int_equal(value[0], (events - key + keys - 1) / keys);
		assert_int_equal(value[2], value[0] ^ value[1]);
	}
}

static void test_reboots(void **state)
{
	struct rig_options options = {.copies = 1, .durable = true};
	unsigned int seed = (unsigned int)time(NULL);
	uint64_t events = 0;

	(void)state;
	print_message("seed %u\n", seed);
	assert_int_equal(open_rig(&options), 0);
	for (int i = 0; i < 12; i++) {
		uint32_t count = 500 + (unsigned int)rand_r(&seed) % 30000;

		assert_int_equal(rig_start(rig), 0);
		emit(count);
		events += count;
		pause_us((unsigned int)rand_r(&seed) % 3000);
		assert_int_equal(rig_read(rig), 0);
		if (i % 3 == 0) {
			assert_int_equal(WTERMSIG(rig_kill(rig)), SIGKILL);
			continue;
		}
		/* A ring does not outlive the machine, but this one does: nothing may be in
		 * it that is on the disk already. */
		assert_int_equal(rig_drain(rig), 0);
		assert_int_equal(rig_read(rig), 0);
		assert_int_equal(rig_reboot(rig), 0);
	}
	assert_int_equal(rig_start(rig), 0);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	check_all(events, 100);
	assert_true(rig->page->durable_position == rig->page->head);
	assert_int_equal(rig_stop(rig), 0);
	/* Once more, with nothing to do. */
	assert_int_equal(rig_reboot(rig), 0);
	assert_int_equal(rig_start(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	check_all(events, 100);
	assert_int_equal(rig_stop(rig), 0);
}

/* Many laps of the log on the disk: snapshots make room, and are what it begins with. */
static void test_snapshots(void **state)
{
	struct rig_options options = {.copies = 1, .durable = true, .state_keys = 65536};
	uint64_t events = 250000;

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	rig->config->keys = 5000;
	assert_int_equal(rig_start(rig), 0);
	emit(events);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	assert_true(rig->page->snapshots >= 2);
	assert_true(rig->page->durable_position > 3 * FAAS_STORAGE_BYTES_MIN);
	check_all(events, 5000);
	assert_int_equal(rig_reboot(rig), 0);
	assert_int_equal(rig_start(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	check_all(events, 5000);
	assert_int_equal(rig_stop(rig), 0);
}

/* Read the newest superblock of the rig's log. */
static void read_super(struct durable_super *ret)
{
	struct durable_super super[2];

	(void)fcntl(rig->disk[DISK_LOG], F_SETFL, 0); /* no O_DIRECT: any buffer will do */
	assert_int_equal(pread(rig->disk[DISK_LOG], super, sizeof(super), 0), sizeof(super));
	*ret = super[super[1].number > super[0].number];
}

static void flip_byte(int fd, uint64_t offset)
{
	uint8_t byte;

	(void)fcntl(fd, F_SETFL, 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
	byte ^= 0x40;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset), 1);
}

/* A part of a snapshot is damaged: the keys that lay there are gone, and said to be;
 * all others are found. */
static void test_damaged_snapshot(void **state)
{
	struct rig_options options = {.durable = true, .state_keys = 8192};
	struct durable_super super;
	uint64_t kept = 0, lost = 0;

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	rig->config->keys = 4000;
	assert_int_equal(rig_start(rig), 0);
	emit(100000);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_stop(rig), 0);
	read_super(&super);
	assert_true(super.snapshot != 0 && super.snapshot_chunks > 4);
	flip_byte(rig->disk[super.snapshot_file ? DISK_SNAPSHOT_1 : DISK_SNAPSHOT_0],
		  3 * DURABLE_CHUNK_BYTES + 4242);
	assert_int_equal(rig_reboot(rig), 0);
	assert_int_equal(rig_start(rig), 0);
	assert_int_equal(rig->page->corrupt, 1);
	assert_int_equal(rig->page->corrupt_bytes, DURABLE_CHUNK_BYTES);
	for (uint64_t key = 0; key < 4000; key++) {
		uint64_t value[3];

		key_state(key, value);
		kept += value[0] == 25;
		lost += value[0] != 25;
		assert_int_equal(value[2], value[0] ^ value[1]);
	}
	assert_true(kept + lost == 4000 && kept > 2000);
	/* It is a table like any other. */
	emit(4000);
	assert_int_equal(rig_drain(rig), 0);
	for (uint64_t key = 0; key < 4000; key++) {
		uint64_t value[3];

		key_state(key, value);
		assert_true(value[0] >= 1 && value[0] <= 26);
	}
	assert_int_equal(rig_stop(rig), 0);
}

/* A block of the log is damaged: what is behind it counts, and it is said. */
static void test_damaged_log(void **state)
{
	struct rig_options options = {.durable = true};
	struct durable_super super;
	uint64_t value[3];

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	assert_int_equal(rig_start(rig), 0);
	for (int i = 0; i < 20; i++) {
		emit(1000);
		assert_int_equal(rig_drain(rig), 0);
	}
	assert_int_equal(rig_stop(rig), 0);
	read_super(&super);
	assert_int_equal(super.snapshot, 0);
	flip_byte(rig->disk[DISK_LOG], DURABLE_LOG_OFFSET + rig->page->durable_position / 2 + 77);
	assert_int_equal(rig_reboot(rig), 0);
	assert_int_equal(rig_start(rig), 0);
	assert_int_equal(rig->page->corrupt, 1);
	assert_true(rig->page->corrupt_bytes > 0);
	key_state(42, value);
	assert_int_equal(value[0], 200);
	assert_int_equal(rig_stop(rig), 0);
}

/* State of another version is refused by name, and nothing is harmed. */
static void test_other_shape(void **state)
{
	struct rig_options options = {.copies = 1, .durable = true};
	char *text;

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	assert_int_equal(rig_start(rig), 0);
	emit(1000);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_stop(rig), 0);
	assert_int_equal(rig_reboot(rig), 0);
	rig->bundle->user[0].state_keys = 100;
	text = bundle_print(rig->bundle);
	assert_non_null(text);
	assert_int_equal(ftruncate(rig->manifest, 0), 0);
	assert_int_equal(pwrite(rig->manifest, text, strlen(text), 0), (ssize_t)strlen(text));
	assert_int_equal(rig_spawn(rig), 0);
	assert_int_equal(rig_expect(rig,
				    "failed the durable state of counter is of another version, "
				    "size or key than this workflow's; load the version that wrote "
				    "it and update from there, or let it begin anew with "
				    "`ebpf-faas load --reset-state counter`",
				    10000),
			 0);
	assert_int_equal(WEXITSTATUS(rig_wait(rig)), 12);
	rig->bundle->user[0].state_keys = 4096;
	free(text);
	text = bundle_print(rig->bundle);
	assert_int_equal(ftruncate(rig->manifest, 0), 0);
	assert_int_equal(pwrite(rig->manifest, text, strlen(text), 0), (ssize_t)strlen(text));
	free(text);
	assert_int_equal(rig_start(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	check_all(1000, 100);
	assert_int_equal(rig_stop(rig), 0);
}

/* A worker is killed that went on without the disk: its successor has what is in
 * memory, and brings all of it to the disk before anything is called durable. */
static void test_killed_adrift(void **state)
{
	struct rig_options options = {.copies = 1, .durable = true, .adrift = true};
	uint64_t position, sequence, end;
	void *zeros;

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	assert_int_equal(rig_start(rig), 0);
	emit(1000);
	assert_int_equal(rig_drain(rig), 0);
	position = rig->page->durable_position;
	sequence = rig->page->durable_sequence;
	emit(1000);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	end = rig->page->durable_position;
	assert_true(end > position);
	assert_int_equal(WTERMSIG(rig_kill(rig)), SIGKILL);
	/* As if the disk had refused the second thousand. */
	zeros = calloc(1, end - position);
	assert_non_null(zeros);
	(void)fcntl(rig->disk[DISK_LOG], F_SETFL, 0);
	assert_int_equal(pwrite(rig->disk[DISK_LOG], zeros, end - position,
				(off_t)(DURABLE_LOG_OFFSET + position)),
			 end - position);
	free(zeros);
	rig->page->adrift = 1;
	rig->page->durable_position = position;
	rig->page->durable_sequence = sequence;

	assert_int_equal(rig_start(rig), 0);
	assert_int_equal(rig->page->adrift, 0);
	assert_int_equal(rig->page->snapshots, 1);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_stop(rig), 0);
	assert_int_equal(rig_reboot(rig), 0);
	assert_int_equal(rig_start(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	check_all(2000, 100);
	assert_int_equal(rig_stop(rig), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_reboots),	TEST(test_snapshots),	TEST(test_damaged_snapshot),
		TEST(test_damaged_log), TEST(test_other_shape), TEST(test_killed_adrift),
	};

	if (geteuid()) {
		(void)fprintf(stderr, "needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
