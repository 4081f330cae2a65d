// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The worker is killed, and another goes on: every event once, whatever happens
 * to it. Needs root.
 */
#include "worker_helpers.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userspace/pool/worker_fds.h"

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

/* Give @p a the kernel side of @p b, and the other way round. */
static void swap_kernels(struct rig *a, struct rig *b)
{
	struct rig was = *a;

	a->ring = b->ring;
	a->wake = b->wake;
	a->program = b->program;
	a->config = b->config;
	b->ring = was.ring;
	b->wake = was.wake;
	b->program = was.program;
	b->config = was.config;
}

/* Positions in another ring mean nothing in this one: a log outlives its ring.
 * With @p rebooted, the new ring happens to have the old one's map id. */
static void go_on_in_another_ring(bool rebooted)
{
	struct rig_options options = {.copies = 1};
	struct rig *other = calloc(1, sizeof(*other));
	struct log_header *header;

	assert_non_null(other);
	assert_int_equal(open_rig(&options), 0);
	assert_int_equal(rig_open(other, &options), 0);
	assert_int_equal(rig_start(rig), 0);
	emit(1000);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(WTERMSIG(rig_kill(rig)), SIGKILL);

	swap_kernels(rig, other);
	rig->runtime->ring_map_id = other->runtime->ring_map_id;
	if (rebooted) {
		header = (struct log_header *)(void *)rig->log_mapping;
		header->ring_map_id = rig->runtime->ring_map_id;
		rig->runtime->ring_boot_hash++;
	}
#ifdef FAAS_FAULTS
	/* The log knows the ring, the page still counts in the old one. */
	rig->options.fault = "recover.new_ring:1";
	assert_int_equal(rig_spawn(rig), 0);
	assert_int_equal(WTERMSIG(rig_wait(rig)), SIGKILL);
	rig->options.fault = NULL;
#endif
	/* The second time, the log knows the ring, but no record of it. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(rig_start(rig), 0);
		assert_int_equal(WTERMSIG(rig_kill(rig)), SIGKILL);
	}
	assert_int_equal(rig_start(rig), 0);
	emit(500);
	assert_int_equal(WTERMSIG(rig_kill(rig)), SIGKILL);
	assert_int_equal(rig_start(rig), 0);
	assert_int_equal(rig_drain(rig), 0);
	assert_int_equal(rig_read(rig), 0);
	assert_int_equal(rig->read.events, 1500);
	assert_int_equal(counters().processed, 1500);
	assert_int_equal(rig->page->skipped_bytes, 0);
	assert_int_equal(rig_stop(rig), 0);
	swap_kernels(rig, other);
	rig_close(other);
	free(other);
}

static void test_another_ring(void **state)
{
	(void)state;
	go_on_in_another_ring(false);
}

static void test_same_ring_id_after_reboot(void **state)
{
	(void)state;
	go_on_in_another_ring(true);
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

/* A worker that dies before it calls anything is not charged to the event that its
 * predecessor died of. */
static void test_begins_without_blame(void **state)
{
	struct rig_options options = {.copies = 1};

	(void)state;
	assert_int_equal(open_rig(&options), 0);
	assert_int_equal(rig_start(rig), 0);
	assert_int_equal(rig_stop(rig), 0);
	rig->page->attempt_position = 77;
	assert_int_equal(rig_start(rig), 0);
	assert_int_equal(rig->page->attempt_position, 0);
	assert_int_equal(rig_stop(rig), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_killed_at_random),
		TEST(test_redoes_the_log),
		TEST(test_another_ring),
		TEST(test_same_ring_id_after_reboot),
		TEST(test_skipped_ring_is_told),
#ifdef FAAS_FAULTS
		TEST(test_killed_at_fault_points),
#endif
		TEST(test_poison),
		TEST(test_begins_without_blame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
