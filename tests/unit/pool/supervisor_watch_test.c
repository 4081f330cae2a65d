// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The last resort: what a page says that is looked at once a second. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pages.h"
#include "userspace/pool/supervisor_watch.h"

static int file = -1;
static struct worker_page page;
static struct supervisor_watch watch;

/* Two functions of 1 s: four calls of each, and two looks more. */
#define LOOKS_MAX 10

static int set_up(void **state)
{
	struct bundle *bundle = calloc(1, sizeof(*bundle));

	(void)state;
	assert_non_null(bundle);
	bundle->user_count = 2;
	bundle->user[0].timeout_ns = bundle->user[1].timeout_ns = 1000000000;
	supervisor_watch_init(&watch, bundle);
	free(bundle);
	file = memfd_create("page", MFD_CLOEXEC);
	assert_true(file >= 0);
	page = (struct worker_page){.magic = WORKER_PAGE_MAGIC, .state = WORKER_RUNNING};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(file);
	return 0;
}

/* Without a ring: nothing waits in it. */
static bool look(void)
{
	assert_int_equal(pwrite(file, &page, sizeof(page), 0), sizeof(page));
	return supervisor_watch_look(&watch, file, -1);
}

static void test_hangs(void **state)
{
	(void)state;
	page.attempt_position = 4097;
	for (int i = 0; i < LOOKS_MAX; i++)
		assert_false(look());
	assert_true(look());
	assert_true(watch.expired);
}

/* Another event each time, or more batches, is work. */
static void test_works(void **state)
{
	(void)state;
	for (int i = 0; i < 5 * LOOKS_MAX; i++) {
		page.attempt_position++;
		assert_false(look());
	}
	for (int i = 0; i < 5 * LOOKS_MAX; i++) {
		page.batches++;
		assert_false(look());
	}
}

static void test_idle(void **state)
{
	(void)state;
	for (int i = 0; i < 5 * LOOKS_MAX; i++)
		assert_false(look());
}

/* Nor is a page that cannot be read a reason to kill anybody. */
static void test_short_page(void **state)
{
	(void)state;
	page.attempt_position = 4097;
	(void)look();
	assert_int_equal(ftruncate(file, 16), 0);
	for (int i = 0; i < 5 * LOOKS_MAX; i++)
		assert_false(supervisor_watch_look(&watch, file, -1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hangs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_works, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_idle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_short_page, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
