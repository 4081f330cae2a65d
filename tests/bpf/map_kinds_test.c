// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The kinds of map that functions may have: each fused in two instances, of sizes
 * that are parameters, which do not see each other's state; and all of them in one
 * workflow.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "function_harness.h"

#define LEFT_ENTRIES 8
#define RIGHT_ENTRIES 100

/* A Bloom filter takes a fresh number for a known one now and then: one of 50 when it is
 * as full as here, by a seed that the kernel draws. More than this in 18 numbers happens
 * once in some million runs. */
#define MISTAKEN_MAX 3

enum { FRESH, KNOWN, FULL, TOO_SHORT };

static const struct kind {
	const char *name;
	enum bpf_map_type type;
	bool bounded; /* says `full` of one more number than it has entries */
	unsigned int mistaken_max;
} kinds[] = {
	{"map_array", BPF_MAP_TYPE_ARRAY, true, 0},
	{"map_cpu_array", BPF_MAP_TYPE_PERCPU_ARRAY, true, 0},
	{"map_hash", BPF_MAP_TYPE_HASH, true, 0},
	{"map_cpu_hash", BPF_MAP_TYPE_PERCPU_HASH, true, 0},
	{"map_lru", BPF_MAP_TYPE_LRU_HASH, false, 0},
	{"map_lpm", BPF_MAP_TYPE_LPM_TRIE, true, 0},
	{"map_bloom", BPF_MAP_TYPE_BLOOM_FILTER, false, MISTAKEN_MAX},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct harness_instance instance_of(const char *name, const char *object, uint32_t entries)
{
	return (struct harness_instance){
		.instance = name,
		.object = object,
		.params = {{"u32", "entries", entries == LEFT_ENTRIES ? "8" : "100", false}},
		.outputs = {"fresh", "known", "full", "too_short"},
		.sized_map = "numbers",
		.entries = entries,
	};
}

static int run(struct harness *harness, unsigned int instance, uint32_t number)
{
	uint8_t payload[4];
	const struct frame_spec spec = {.payload = payload, .payload_bytes = sizeof(payload)};
	struct harness_answer answer;

	frame_put32(payload, number);
	harness_run(harness, instance, &spec, 0, &answer);
	return answer.output;
}

static unsigned int mistaken; /* fresh numbers that a kind took for known ones */

static void expect(const struct kind *kind, const char *what, int expected, int output)
{
	if (expected == FRESH && output == KNOWN && mistaken < kind->mistaken_max)
		mistaken++;
	else if (output != expected)
		fail_msg("%s, %s: output %d, expected %d", kind->name, what, output, expected);
}

static void check_kind(const struct kind *kind)
{
	struct harness_instance instances[2];
	struct harness *harness;
	char object[128];

	mistaken = 0;
	snprintf(object, sizeof(object), "tests/netns/workflows/funcs/%s/%s.bpf.o", kind->name,
		 kind->name);
	instances[0] = instance_of("left", object, LEFT_ENTRIES);
	instances[1] = instance_of("right", object, RIGHT_ENTRIES);
	harness = harness_open(instances, 2);
	for (unsigned int i = 0; i < 2; i++) {
		struct bpf_map *map = harness_map(harness, instances[i].instance, "numbers");

		struct bpf_map_info info = {0};
		uint32_t bytes = sizeof(info);

		assert_int_equal(bpf_map__type(map), kind->type);
		/* bpftool prints it by names. */
		assert_int_equal(bpf_obj_get_info_by_fd(bpf_map__fd(map), &info, &bytes), 0);
		assert_int_not_equal(info.btf_value_type_id, 0);
		assert_int_equal(bpf_map__max_entries(map), instances[i].entries);
	}
	for (uint32_t number = 0; number < LEFT_ENTRIES; number++) {
		expect(kind, "a number", FRESH, run(harness, 0, number));
		expect(kind, "the number again", KNOWN, run(harness, 0, number));
	}
	expect(kind, "one more", kind->bounded ? FULL : FRESH, run(harness, 0, LEFT_ENTRIES));
	for (uint32_t number = 0; number < LEFT_ENTRIES; number++)
		expect(kind, "the neighbour's number", FRESH, run(harness, 1, number));
	expect(kind, "one more in the larger", FRESH, run(harness, 1, LEFT_ENTRIES));
	expect(kind, "and again", KNOWN, run(harness, 1, LEFT_ENTRIES));
	harness_close(harness);
}

static void test_each_kind(void **state)
{
	cpu_set_t all, one;

	(void)state;
	/* Values for each CPU are those of one. */
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE && !CPU_COUNT(&one); cpu++)
		if (CPU_ISSET(cpu, &all))
			CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	for (unsigned int i = 0; i < KINDS; i++)
		check_kind(&kinds[i]);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

static void build(const char *directory)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		execl(TEST_BUILD "/ebpf-faas", "ebpf-faas", "build", "--output", directory,
		      TEST_SOURCE "/tests/netns/workflows/map-kinds.yaml", NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
}

/* Each kind is in the workflow's object twice, and the verifier takes it. */
static void check_object(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	unsigned int found[KINDS] = {0};
	struct bpf_map *map;

	assert_non_null(object);
	bpf_object__for_each_map(map, object)
	{
		for (unsigned int i = 0; i < KINDS; i++)
			found[i] += bpf_map__type(map) == kinds[i].type &&
				    strstr(bpf_map__name(map), "_numbe");
	}
	for (unsigned int i = 0; i < KINDS; i++)
		if (found[i] != 2)
			fail_msg("%s: %u maps", kinds[i].name, found[i]);
	assert_int_equal(bpf_object__load(object), 0);
	bpf_object__close(object);
}

static void test_workflow_of_all(void **state)
{
	char directory[] = "/tmp/ef_kinds_XXXXXX", bundle[64], path[96];

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(bundle, sizeof(bundle), "%s/bundle", directory);
	build(bundle);
	snprintf(path, sizeof(path), "%s/kernel.bpf.o", bundle);
	check_object(path);
	unlink(path);
	snprintf(path, sizeof(path), "%s/manifest.json", bundle);
	unlink(path);
	rmdir(bundle);
	assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_kind),
		cmocka_unit_test(test_workflow_of_all),
	};

	return cmocka_run_group_tests_name("map_kinds", tests, NULL, NULL);
}
