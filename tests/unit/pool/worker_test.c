// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The worker as a process, with a real ring: every event once, whatever happens
 * to it. Needs root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <ebpf_faas/pins.h>

#include "ringview.h"
#include "userspace/pool/worker_fds.h"
#include "userspace/state/state_lookup.h"
#include "worker_rig.h"

static struct rig *rig;

static int open_rig(const struct rig_options *options)
{
	rig = calloc(1, sizeof(*rig));
	return rig_open(rig, options);
}

static int close_rig(void **state)
{
	(void)state;
	if (rig) {
		rig_close(rig);
		free(rig);
	}
	rig = NULL;
	return 0;
}

static void pause_us(unsigned int us)
{
	const struct timespec time = {.tv_nsec = us * 1000L};

	(void)nanosleep(&time, NULL);
}

static struct page_counters counters(void)
{
	struct page_counters copy;

	assert_int_equal(worker_page_read(rig->page, &copy), 0);
	return copy;
}

/* Emit in pieces that the ring takes, reading the log as it fills. */
static void emit(uint64_t count)
{
	while (count) {
		uint32_t piece = count > 2500 ? 2500 : (uint32_t)count;
		struct ringview view;
		uint64_t waiting;

		assert_int_equal(rig_emit(rig, piece), 0);
		count -= piece;
		assert_int_equal(ringview_open(rig->ring, &view), 0);
		for (int i = 0; i < 200000; i++) {
			assert_int_equal(rig_read(rig), 0);
			if (*view.producer - *view.consumer < view.bytes / 2)
				break;
			pause_us(20);
		}
		waiting = *view.producer - *view.consumer;
		ringview_close(&view);
		assert_true(waiting < rig->options.ring_bytes / 2);
	}
}

/* The state of a key in the table of the first function, as its file has it. */
static void key_state(uint64_t key, uint64_t ret[3])
{
	const uint64_t bytes[2] = {0, key};
	struct state_shape shape = {
		.keys_max = rig->options.state_keys,
		.key_bytes = 16,
		.value_bytes = 24,
		.value_version = 1,
	};
	uint64_t file_bytes = state_file_bytes(rig->bundle, 0);
	struct state_place place;
	struct state_table table;
	const void *value;
	void *mapping;

	mapping = mmap(NULL, file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, rig->states[0], 0);
	assert_ptr_not_equal(mapping, MAP_FAILED);
	assert_int_equal(state_open(&table, mapping, file_bytes, &shape, 0), 0);
	value = state_find(&table, bytes, sizeof(bytes), state_hash(&table, bytes, sizeof(bytes)),
			   &place);
	memset(ret, 0, 3 * sizeof(*ret));
	if (value)
		memcpy(ret, value, 3 * sizeof(*ret));
	(void)munmap(mapping, file_bytes);
}

#ifdef FAAS_FAULTS
/* Of the counts of all keys. */
static uint64_t state_sum(void)
{
	uint64_t file_bytes = state_file_bytes(rig->bundle, 0);
	struct state_shape shape = {.keys_max = rig->options.state_keys,
				    .key_bytes = 16,
				    .value_bytes = 24,
				    .value_version = 1};
	struct state_table table;
	uint64_t sum = 0;
	void *mapping;

	mapping = mmap(NULL, file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, rig->states[0], 0);
	assert_ptr_not_equal(mapping, MAP_FAILED);
	assert_int_equal(state_open(&table, mapping, file_bytes, &shape, 0), 0);
	for (uint64_t i = 0; i < table.capacity; i++) {
		const uint64_t *slot = (const void *)(table.slots + i * table.slot_bytes);

		if (!*(const uint32_t *)slot)
			continue;
		assert_int_equal(slot[3] ^ slot[4], slot[5]);
		sum += slot[3];
	}
	(void)munmap(mapping, file_bytes);
	return sum;
}
#endif

/* All that were submitted came through once, and the state is that of all. */
static void check_all_counted(uint64_t keys)
{
	uint64_t events = rig->config->submitted;

	assert_int_equal(rig->config->lost, 0);
	assert_int_equal(rig->read.events, events);
	assert_int_equal(rig->read.outputs, events);
	assert_int_equal(rig->read.repeated, 0);
	assert_int_equal(rig->read.wrong, 0);
	assert_int_equal(counters().processed, events);
	assert_int_equal(counters().functions[0].events, events);
	assert_int_equal(counters().functions[0].outputs[0], events);
	for (uint64_t key = 0; key < keys; key++) {
		/* Numbers key, key + keys, ... below `made`. */
		uint64_t n = (rig->config->made - key + keys - 1) / keys;
		uint64_t value[3];

		key_state(key, value);
		assert_int_equal(value[0], n);
		assert_int_equal(value[1], n * key + keys * n * (n - 1) / 2);
		assert_int_equal(value[2], value[0] ^ value[1]);
	}
}

static void test_counts(void **state)
{
	struct rig_options options = {.copies = 1};

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	assert_int_equal(rig_start(rig), 0);
	emit(50000);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	check_all_counted(100);
	assert_true(counters().functions[0].time_samples > 100);
	assert_int_equal(rig_stop(rig), 0);
	assert_int_equal(rig->page->state, WORKER_STOPPED);
}

static void test_discarded_records(void **state)
{
	struct rig_options options = {.copies = 1};

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	rig->config->discard_every = 3;
	rig->config->keys = 1;
	assert_int_equal(rig_start(rig), 0);
	emit(3000);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	assert_int_equal(rig->config->discarded, 1000);
	assert_int_equal(rig->read.events, 2000);
	assert_int_equal(counters().processed, 2000);
	assert_int_equal(rig_stop(rig), 0);
}

static void test_two_functions(void **state)
{
	struct rig_options options = {.copies = 1, .every = 10, .user_count = 2};
	struct page_counters now;

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	assert_int_equal(rig_start(rig), 0);
	emit(20000);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	now = counters();
	assert_int_equal(now.processed, 20000);
	assert_int_equal(now.functions[0].events, 20000);
	assert_int_equal(now.functions[0].outputs[0], 2000);
	assert_int_equal(now.functions[1].events, 2000);
	assert_int_equal(now.functions[1].errors, 0);
	assert_int_equal(now.functions[1].outputs[0], 2000);
	assert_int_equal(rig->read.outputs, 4000);
	assert_int_equal(rig->read.wrong, 0);
	assert_int_equal(rig_stop(rig), 0);
}

static void test_forwards_to_sink(void **state)
{
	struct rig_options options = {.copies = 1};

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	rig->config->entry = RIG_ENTRY_SINK;
	assert_int_equal(rig_start(rig), 0);
	emit(1000);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	assert_int_equal(rig->read.outputs, 1000);
	assert_int_equal(counters().processed, 1000);
	assert_int_equal(counters().functions[0].events, 0);
	assert_int_equal(rig_stop(rig), 0);
}

static void test_dead_letters(void **state)
{
	struct rig_options options = {.copies = 1, .fail_every = 9, .state_keys = 50};
	struct page_counters now;

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	rig->config->spoil_every = 7;
	assert_int_equal(rig_start(rig), 0);
	emit(7000); /* keys 0..99, room for 50 */
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	now = counters();
	assert_int_equal(rig->read.dead[LOG_DEAD_INVALID], 1000);
	assert_true(rig->read.dead[LOG_DEAD_STATE] > 2500);
	assert_true(rig->read.dead[LOG_DEAD_ERROR] > 200);
	assert_int_equal(now.functions[0].errors, rig->read.dead[LOG_DEAD_ERROR]);
	assert_int_equal(now.functions[0].outputs[1], 0);
	assert_int_equal(now.processed, rig->read.events);
	assert_int_equal(now.processed + now.dead_lettered, 7000);
	assert_int_equal(now.dead_lettered, rig->read.dead[LOG_DEAD_INVALID] +
						    rig->read.dead[LOG_DEAD_STATE] +
						    rig->read.dead[LOG_DEAD_ERROR]);
	assert_int_equal(rig_stop(rig), 0);
}

static void test_emits_are_bounded(void **state)
{
	struct rig_options options = {.copies = 32};

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	assert_int_equal(rig_start(rig), 0);
	emit(1000);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	assert_int_equal(counters().processed, 1000);
	assert_int_equal(rig->read.outputs, 1000 * FAAS_EMITS_MAX);
	assert_int_equal(rig_stop(rig), 0);
}

static void test_full_log_waits(void **state)
{
	struct rig_options options = {.copies = 1, .log_segments = 2};
	uint64_t head;

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	assert_int_equal(rig_start(rig), 0);
	/* Nobody reads the log: it takes some 8,000 records of over 250 bytes. */
	for (int i = 0;
	     i < 2000 && __atomic_load_n(&rig->page->state, __ATOMIC_RELAXED) != WORKER_WAITING;
	     i++) {
		struct ringview view;

		assert_int_equal(ringview_open(rig->ring, &view), 0);
		if (*view.producer - *view.consumer < view.bytes / 2)
			assert_int_equal(rig_emit(rig, 100), 0);
		ringview_close(&view);
		pause_us(500);
	}
	assert_int_equal(rig->page->state, WORKER_WAITING);
	head = rig->page->head;
	assert_true(head <= 2 * FAAS_LOG_SEGMENT_BYTES);
	assert_true(head > FAAS_LOG_SEGMENT_BYTES);
	/* A full log keeps nobody from stopping it: it dies, another goes on. */
	assert_int_equal(WTERMSIG(rig_kill(rig)), SIGKILL);
	assert_int_equal(rig_start(rig), 0);
	emit(20000);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	check_all_counted(100);
	assert_int_equal(rig_stop(rig), 0);
}

static void test_killed_at_random(void **state)
{
	struct rig_options options = {.copies = 1, .log_segments = 2};
	unsigned int seed = (unsigned int)time(NULL);

	(void)state;
	print_message("seed %u\n", seed);
	assert_int_equal(open_rig(&options), 0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(rig_start(rig), 0);
		emit(500 + (unsigned int)rand_r(&seed) % 3000);
		pause_us((unsigned int)rand_r(&seed) % 300);
		assert_int_equal(WTERMSIG(rig_kill(rig)), SIGKILL);
		assert_int_equal(rig_read(rig), 0);
	}
	assert_int_equal(rig_start(rig), 0);
	emit(1000);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	check_all_counted(100);
	assert_int_equal(rig->page->skipped_bytes, 0);
	assert_int_equal(rig_stop(rig), 0);
}

/* The log alone makes counters and state again, and says where the ring goes on. */
static void test_redoes_the_log(void **state)
{
	struct rig_options options = {.copies = 1, .fail_every = 9};
	struct page_counters before, after;
	uint64_t value[3], again[3];
	uint64_t bytes;
	void *mapping;

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	assert_int_equal(rig_start(rig), 0);
	assert_int_equal(rig_emit(rig, 5000), 0);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_stop(rig), 0);
	before = counters();
	key_state(42, value);
	assert_true(value[0] > 40);

	bytes = state_file_bytes(rig->bundle, 0);
	mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, rig->states[0], 0);
	assert_ptr_not_equal(mapping, MAP_FAILED);
	memset(mapping, 0, bytes);
	(void)munmap(mapping, bytes);
	memset(rig->page, 0, WORKER_PAGE_BYTES);

	assert_int_equal(rig_start(rig), 0);
	after = counters();
	assert_int_equal(after.processed, before.processed);
	assert_int_equal(after.dead_lettered, before.dead_lettered);
	assert_int_equal(after.sequence, 5000);
	assert_int_equal(after.log_position, before.log_position);
	assert_int_equal(after.ring_position, before.ring_position);
	assert_int_equal(after.functions[0].events, before.functions[0].events);
	assert_int_equal(after.functions[0].errors, before.functions[0].errors);
	assert_int_equal(after.functions[0].outputs[0], before.functions[0].outputs[0]);
	key_state(42, again);
	assert_memory_equal(value, again, sizeof(value));
	assert_int_equal(rig_stop(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	assert_int_equal(rig->read.events + rig->read.dead[LOG_DEAD_ERROR], 5000);
	assert_int_equal(rig->page->skipped_bytes, 0);
}

/* Positions in another ring mean nothing in this one. */
static void test_another_ring(void **state)
{
	struct rig_options options = {.copies = 1};

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	assert_int_equal(rig_start(rig), 0);
	emit(1000);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(WTERMSIG(rig_kill(rig)), SIGKILL);
	for (int i = 0; i < 2; i++) {
		/* As after a reboot with the log kept. The second time it is
		 * the first record of that ring that is missing. */
		rig->runtime->ring_boot_hash++;
		assert_int_equal(rig_start(rig), 0);
		assert_int_equal(WTERMSIG(rig_kill(rig)), SIGKILL);
	}
	assert_int_equal(rig_start(rig), 0);
	emit(1000);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	check_all_counted(100);
	assert_int_equal(rig->page->skipped_bytes, 0);
	assert_int_equal(rig_stop(rig), 0);
}

/* A consumer position ahead of the log: what lies between was never processed,
 * and is told, not made up. */
static void test_skipped_ring_is_told(void **state)
{
	struct rig_options options = {.copies = 1};
	uint64_t *consumer;

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	assert_int_equal(rig_start(rig), 0);
	emit(100);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(WTERMSIG(rig_kill(rig)), SIGKILL);
	assert_int_equal(rig_emit(rig, 10), 0);
	consumer = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, rig->ring, 0);
	assert_ptr_not_equal(consumer, MAP_FAILED);
	*consumer += 3 * (sizeof(struct events_record) + 8);
	(void)munmap(consumer, 4096);
	assert_int_equal(rig_start(rig), 0);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig->page->skipped_bytes, 3 * (sizeof(struct events_record) + 8));
	assert_int_equal(counters().processed, 107);
	assert_int_equal(rig_stop(rig), 0);
}

#ifdef FAAS_FAULTS
/* Killed at each place that matters, early and late in a batch and at its end. */
static void test_killed_at_fault_points(void **state)
{
	static const char *const names[] = {
		"commit.before_write",	"commit.before_header", "commit.after_write",
		"batch.inside",		"state.half_copied",	"state.half_inserted",
		"counters.before_flip", "counters.after_flip",	"recover.inside",
	};
	static const unsigned int passes[] = {1, 2, 7, 60, 255, 256, 257, 700};
	struct rig_options options = {.copies = 1, .user_count = 2, .state_keys = 20000};
	unsigned int deaths[sizeof(names) / sizeof(names[0])] = {0};

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		for (unsigned int k = 0; k < sizeof(passes) / sizeof(passes[0]); k++) {
			char fault[64];
			int status;

			/* Inserts need new keys. */
			rig->config->keys = strcmp(names[i], "state.half_inserted") ? 100 : 0;
			if (!strcmp(names[i], "recover.inside")) {
				/* Something to recover: killed behind 300 records. */
				rig->options.fault = "commit.after_write:300";
				assert_int_equal(rig_start(rig), 0);
				assert_int_equal(rig_emit(rig, 301), 0);
				assert_int_equal(WTERMSIG(rig_wait(rig)), SIGKILL);
			}
			(void)snprintf(fault, sizeof(fault), "%s:%u", names[i], passes[k]);
			rig->options.fault = fault;
			assert_int_equal(rig_spawn(rig), 0);
			assert_int_equal(rig_emit(rig, 900), 0);
			if (!rig_expect_end(rig, 300)) {
				status = rig_wait(rig);
				assert_true(WIFSIGNALED(status));
				assert_int_equal(WTERMSIG(status), SIGKILL);
				deaths[i]++;
			} else {
				assert_int_equal(WTERMSIG(rig_kill(rig)), SIGKILL);
			}
			rig->options.fault = NULL;
			assert_int_equal(rig_start(rig), 0);
			assert_int_equal(rig_drain(rig), 0);
			assert_int_equal(rig_stop(rig), 0);
			assert_int_equal(rig_read(rig), 0);
			assert_int_equal(rig->read.events, rig->config->submitted);
			assert_int_equal(counters().processed, rig->config->submitted);
			assert_int_equal(counters().functions[0].outputs[0],
					 rig->config->submitted);
			assert_int_equal(counters().functions[1].events, rig->config->submitted);
			assert_int_equal(rig->read.outputs, 2 * rig->config->submitted);
			assert_int_equal(rig->read.repeated, 0);
		}
	}
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_true(deaths[i] >= 2);
	assert_int_equal(rig->page->skipped_bytes, 0);
	/* The state of all keys: that of a run without kills. The numbers of
	 * events are not those of a pattern here, the sum of all counts is. */
	assert_int_equal(state_sum(), rig->config->submitted);
}
#endif

/* A function that kills its worker: the event is known, and can be condemned. */
static void test_poison(void **state)
{
	struct rig_options options = {.copies = 1, .crash_at = 700};
	uint64_t attempt = 0;

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	assert_int_equal(rig_start(rig), 0);
	assert_int_equal(rig_emit(rig, 1000), 0);
	for (int i = 0; i < 3; i++) {
		int status = rig_wait(rig);

		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGABRT);
		assert_true(rig->page->attempt_position != 0);
		if (i)
			assert_int_equal(rig->page->attempt_position, attempt);
		attempt = rig->page->attempt_position;
		if (i == 2) {
			rig->runtime->poison_position = attempt;
			rig->runtime->poison_condemned = 1;
		}
		assert_int_equal(rig_start(rig), 0);
	}
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	assert_int_equal(rig->read.dead[LOG_DEAD_POISON], 1);
	assert_int_equal(rig->read.events, 999);
	assert_int_equal(counters().processed, 999);
	assert_int_equal(counters().dead_lettered, 1);
	assert_int_equal(rig_stop(rig), 0);
}

/* Gaps around the time that a worker takes to fall asleep: none may be slept
 * through. */
static void test_wakeups(void **state)
{
	struct rig_options options = {.copies = 0};
	unsigned int seed = (unsigned int)time(NULL);
	struct ringview view;
	uint64_t wakeups;

	(void)state;
	print_message("seed %u\n", seed);
	assert_int_equal(open_rig(&options), 0);
	assert_int_equal(rig_start(rig), 0);
	assert_int_equal(ringview_open(rig->ring, &view), 0);
	for (int i = 0; i < 600; i++) {
		int looks = 0;

		assert_int_equal(rig_emit(rig, 1), 0);
		while (__atomic_load_n(view.consumer, __ATOMIC_ACQUIRE) != *view.producer &&
		       looks++ < 20000)
			pause_us(50);
		assert_true(looks < 20000); /* a second asleep: missed */
		pause_us(900 + (unsigned int)rand_r(&seed) % 1400);
		if (i % 100 == 0)
			assert_int_equal(rig_read(rig), 0);
	}
	ringview_close(&view);
	wakeups = rig->page->wakeups;
	assert_true(wakeups > 50);
	assert_true(rig->config->woken > 50);
	/* Idle means idle: no more wakeups, no CPU time. */
	for (int i = 0; i < 1000 && !__atomic_load_n(&rig->flags->sleeping, __ATOMIC_ACQUIRE); i++)
		pause_us(1000);
	assert_int_equal(rig->flags->sleeping, 1);
	assert_int_equal(rig->page->state, WORKER_SLEEPING);
	wakeups = rig->page->wakeups;
	for (int i = 0; i < 100; i++) {
		pause_us(1000);
		assert_int_equal(rig->page->wakeups, wakeups);
	}
	assert_int_equal(rig_stop(rig), 0);
}

/* The courier is told of outputs once for each of its sleeps, and of records
 * without outputs only when the log gets full. */
static void test_notifies_courier(void **state)
{
	struct rig_options options = {.copies = 1, .every = 5};
	uint64_t count = 0;

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	rig->config->keys = 1;
	rig->courier->sleep_epoch = 1;
	assert_int_equal(rig_start(rig), 0);
	emit(4);
	for (int i = 0; i < 1000 && counters().processed != 4; i++)
		pause_us(1000);
	assert_int_equal(read(rig->notify, &count, sizeof(count)), -1);
	for (uint64_t processed = 14; processed <= 34; processed += 10) {
		emit(10); /* two outputs each time */
		for (int i = 0; i < 1000 && counters().processed != processed; i++)
			pause_us(1000);
	}
	assert_int_equal(read(rig->notify, &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 1);
	rig->courier->sleep_epoch = 3;
	emit(6);
	for (int i = 0; i < 1000 && read(rig->notify, &count, sizeof(count)) < 0; i++)
		pause_us(1000);
	assert_int_equal(count, 1);
	assert_int_equal(rig_stop(rig), 0);
}

static void test_orphan_ends(void **state)
{
	struct rig_options options = {.copies = 1};
	int status = 0;

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	assert_int_equal(rig_start(rig), 0);
	(void)shutdown(rig->control, SHUT_RDWR);
	assert_int_equal(waitpid(rig->pid, &status, 0), rig->pid);
	rig->pid = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), WORKER_EXIT_DONE);
}

/* The number behind NAME: in /proc/PID/status, in the base it is written in. */
static uint64_t status_value(const char *name, int base)
{
	char path[64], line[256];
	uint64_t value = UINT64_MAX;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", rig->pid);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
			value = strtoull(line + strlen(name) + 1, NULL, base);
	(void)fclose(file);
	return value;
}

static void test_has_no_privilege(void **state)
{
	static const char *const sets[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};
	struct rig_options options = {.copies = 1};
	char path[64], target[64];
	int open_files = 0;

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	assert_int_equal(rig_start(rig), 0);
	for (unsigned int i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		assert_int_equal(status_value(sets[i], 16), 0);
	assert_int_equal(status_value("NoNewPrivs", 10), 1);
	assert_int_equal(status_value("Uid", 10), FAAS_WORKER_UID_BASE + 4000);
	assert_int_equal(status_value("Gid", 10), FAAS_WORKER_UID_BASE + 4000);
	/* Standard files, ring, eventfds, control and the io_uring. */
	for (int fd = 0; fd < 100; fd++) {
		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", rig->pid, fd);
		open_files += readlink(path, target, sizeof(target)) > 0;
	}
	assert_int_equal(open_files, 8);
	assert_int_equal(rig_stop(rig), 0);
}

/* Two instances of one function have variables of their own. */
static void test_instances_are_apart(void **state)
{
	struct rig_options options = {.copies = 1};
	struct rig *second = calloc(1, sizeof(*second));
	void *objects[2], *variables[2];

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	assert_non_null(second);
	assert_int_equal(rig_open(second, &options), 0);
	for (int i = 0; i < 2; i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d",
			       i ? second->objects[0] : rig->objects[0]);
		objects[i] = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
		assert_non_null(objects[i]);
		variables[i] = dlsym(objects[i], "faas_param_every");
		assert_non_null(variables[i]);
	}
	assert_ptr_not_equal(variables[0], variables[1]);
	for (int i = 0; i < 2; i++)
		(void)dlclose(objects[i]);
	rig_close(second);
	free(second);
}

static void test_refuses_what_is_wrong(void **state)
{
	struct rig_options options = {.copies = 1};
	int status;

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	rig->runtime->ring_map_id++;
	assert_int_equal(rig_spawn(rig), 0);
	status = rig_wait(rig);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), WORKER_EXIT_SETUP);
	rig->runtime->ring_map_id--;

	/* A log that is not this one. */
	assert_int_equal(rig_start(rig), 0);
	assert_int_equal(rig_stop(rig), 0);
	rig->runtime->log_id++;
	assert_int_equal(rig_spawn(rig), 0);
	status = rig_wait(rig);
	assert_int_equal(WEXITSTATUS(status), WORKER_EXIT_CORRUPT);
	rig->runtime->log_id--;

	/* An object that is none. */
	(void)close(rig->objects[0]);
	rig->objects[0] = memfd_create("junk", MFD_CLOEXEC);
	assert_int_equal(rig_spawn(rig), 0);
	status = rig_wait(rig);
	assert_int_equal(WEXITSTATUS(status), WORKER_EXIT_LOAD);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, close_rig)
	const struct CMUnitTest tests[] = {
		TEST(test_counts),
		TEST(test_discarded_records),
		TEST(test_two_functions),
		TEST(test_forwards_to_sink),
		TEST(test_dead_letters),
		TEST(test_emits_are_bounded),
		TEST(test_full_log_waits),
		TEST(test_killed_at_random),
		TEST(test_redoes_the_log),
		TEST(test_another_ring),
		TEST(test_skipped_ring_is_told),
#ifdef FAAS_FAULTS
		TEST(test_killed_at_fault_points),
#endif
		TEST(test_poison),
		TEST(test_wakeups),
		TEST(test_notifies_courier),
		TEST(test_orphan_ends),
		TEST(test_has_no_privilege),
		TEST(test_instances_are_apart),
		TEST(test_refuses_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
