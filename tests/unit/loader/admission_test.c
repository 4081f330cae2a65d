// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/libbpf.h>

#include "bundle_size.h"
#include "loader/admission.h"
#include "pages.h"
#include "stateview.h"

#define MI (1ull << 20)

static const struct {
	const char *name;
	struct admission_need need;
	struct admission_host host;
	bool fits;
	const char
		*line; /* part of the arithmetic; NULL: of no line is said that it does not fit */
} rows[] = {
	{"all of it",
	 {.ring = 1 * MI, .log = 8 * MI},
	 {64 * MI, 32 * MI, UINT64_MAX, 16 * MI, 0, 0},
	 true,
	 "memory: 9.0 MiB needed (queue 1.0, maps of kernel functions 0.0, states 0.0, log 8.0, "
	 "worker 0.0); 32.0 MiB left, of which 2.0 MiB stay free: fits\n"
	 "/run/ebpf-faas/workflows: 8.0 MiB needed (states 0.0, log 8.0); 16.0 MiB left: fits"},
	/* To the byte, with what stays free. */
	{"memory just suffices",
	 {.maps = 30 * MI},
	 {64 * MI, 32 * MI, UINT64_MAX, 0, 0, 0},
	 true,
	 NULL},
	{"memory lacks a byte",
	 {.maps = 30 * MI + 1},
	 {64 * MI, 32 * MI, UINT64_MAX, 0, 0, 0},
	 false,
	 "of which 2.0 MiB stay free: DOES NOT FIT"},
	/* Files of /run are memory too. */
	{"files count as memory",
	 {.tables = 20 * MI, .log = 11 * MI},
	 {64 * MI, 32 * MI, UINT64_MAX, UINT64_MAX, 0, 0},
	 false,
	 "memory: 31.0 MiB needed"},
	{"run-time files",
	 {.tables = 9 * MI, .log = 8 * MI},
	 {640 * MI, 320 * MI, UINT64_MAX, 16 * MI, 0, 0},
	 false,
	 "(states 9.0, log 8.0); 16.0 MiB left: DOES NOT FIT"},
	{"the cgroup",
	 {.worker = 8 * MI},
	 {640 * MI, 320 * MI, 7 * MI, 16 * MI, 0, 0},
	 false,
	 "limit of the cgroup: 8.0 MiB needed; 7.0 MiB left: DOES NOT FIT"},
	{"the disk",
	 {.disk = 64 * MI},
	 {640 * MI, 320 * MI, UINT64_MAX, 0, 6400 * MI, 163 * MI},
	 false,
	 "/var/lib/ebpf-faas/state: 64.0 MiB needed (durable log, two snapshots); 163.0 MiB left, "
	 "of "
	 "which 100.0 MiB stay free: DOES NOT FIT"},
	{"the disk just suffices",
	 {.disk = 64 * MI},
	 {640 * MI, 320 * MI, UINT64_MAX, 0, 6400 * MI, 164 * MI},
	 true,
	 NULL},
	{"a machine that says nothing",
	 {.ring = 1ull << 50, .log = 1ull << 50, .disk = 1ull << 50},
	 {0, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX},
	 true,
	 "; no limit: fits"},
};

static void test_arithmetic(void **state)
{
	char text[ADMISSION_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool fits = admission_fits(&rows[i].need, &rows[i].host, text, sizeof(text));

		if (fits != rows[i].fits || (rows[i].line && !strstr(text, rows[i].line)) ||
		    fits != !strstr(text, "DOES NOT"))
			fail_msg("%s: %d, \"%s\"", rows[i].name, fits, text);
	}
}

/* What is counted of a bundle: states and a log where there is a user tier, and the disk
 * unless what is durable is there already. */
static void test_count(void **state)
{
	struct bpf_object *object =
		bpf_object__open_file(TEST_BUILD "/tests/unit/pool/events.bpf.o", NULL);
	struct bundle *bundle = calloc(1, sizeof(*bundle));
	struct admission_need need;
	uint64_t maps;

	(void)state;
	assert_non_null(object);
	assert_non_null(bundle);
	admission_count(bundle, object, false, &need);
	maps = need.maps;
	assert_int_equal(need.ring + need.tables + need.log + need.worker + need.disk, 0);
	bundle->entry_count = 1;
	bundle->queue_events = 100;
	bundle->user_count = 1;
	bundle->entries[0].kind = TARGET_USER;
	bundle->entries[0].key_bytes = 16;
	bundle->user[0].has_state = true;
	bundle->user[0].state_mode = STATE_DURABLE;
	bundle->user[0].state_bytes = 32;
	bundle->user[0].state_keys = 3000;
	bundle->storage_bytes = 16 * MI;
	admission_count(bundle, object, false, &need);
	assert_int_equal(need.maps, maps);
	assert_int_equal(need.ring, 32768);
	/* 3000 keys in 4001 slots of 8 + 16 + 32 bytes, in a cache line each */
	assert_int_equal(need.tables, STATE_DATA_OFFSET + 4001 * 64);
	assert_int_equal(need.log, 8 * MI + SIZE_LOG_HEAD + WORKER_PAGE_BYTES + COURIER_PAGE_BYTES +
					   RUNTIME_PAGE_BYTES);
	/* log, two images in four chunks each, damage */
	assert_int_equal(need.disk, 8192 + 16 * MI + 8ull * 65536 + MI);
	admission_count(bundle, object, true, &need);
	assert_int_equal(need.disk, 0);
	bpf_object__close(object);
	free(bundle);
}

/* This machine has memory and a disk, and does not have all of it left. */
static void test_look(void **state)
{
	struct admission_host host;

	(void)state;
	admission_look(&host);
	assert_true(host.memory_total > 16 * MI && host.memory_total < 1ull << 50);
	assert_true(host.memory_left > 0 && host.memory_left < host.memory_total);
	assert_true(host.disk_left < host.disk_total || host.disk_total == ADMISSION_UNLIMITED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arithmetic),
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_look),
	};

	return cmocka_run_group_tests_name("loader/admission", tests, NULL, NULL);
}
