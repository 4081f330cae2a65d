// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The worker as a process, with a real ring: what comes of events, and what the
 * process is. Needs root.
 */
#include "worker_helpers.h"

#include <dlfcn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userspace/pool/worker_fds.h"

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
	const struct CMUnitTest tests[] = {
		TEST(test_counts),
		TEST(test_discarded_records),
		TEST(test_two_functions),
		TEST(test_forwards_to_sink),
		TEST(test_dead_letters),
		TEST(test_emits_are_bounded),
		TEST(test_instances_are_apart),
		TEST(test_has_no_privilege),
		TEST(test_refuses_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
