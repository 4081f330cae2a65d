// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/log/log.h"
#include "userspace/pool/supervisor_files.h"
#include "userspace/state/state.h"

static char root[64];
static struct bundle *bundle;
static struct diags diags;
static struct run_files files;

static const struct ring_identity ring = {.boot_hash = 77, .map_id = 88};

static int set_up(void **state)
{
	(void)state;
	strcpy(root, "/tmp/run-files-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	memset(&diags, 0, sizeof(diags));
	bundle = calloc(1, sizeof(*bundle));
	strcpy(bundle->name, "meter");
	bundle->entry_count = 1;
	bundle->entries[0].kind = TARGET_USER;
	bundle->entries[0].key[0] = KEY_SOURCE_ADDRESS;
	bundle->entries[0].key_count = 1;
	bundle->entries[0].key_bytes = 16;
	bundle->user_count = 2;
	bundle->user[0].has_state = true;
	bundle->user[0].state_mode = STATE_MEMORY;
	bundle->user[0].state_bytes = 64;
	bundle->user[0].state_keys = 100;
	run_files_init(&files);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	run_files_close(&files);
	free(bundle);
	return rmdir(root);
}

static bool there(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/meter/%s", root, name);
	return !access(path, F_OK);
}

static void test_create(void **state)
{
	struct stat status;
	struct log_view view;
	uint8_t header[LOG_DATA_OFFSET];
	char path[128];

	(void)state;
	assert_int_equal(
		run_files_create(root, root, bundle, 3, "/run/netns/x", &ring, &files, &diags), 0);
	assert_int_equal(files.runtime_page->magic, RUNTIME_PAGE_MAGIC);
	assert_int_equal(files.runtime_page->generation, 3);
	assert_int_equal(files.runtime_page->ring_map_id, 88);
	assert_int_equal(files.runtime_page->ring_boot_hash, 77);
	assert_int_equal(pread(files.log, header, sizeof(header), 0), sizeof(header));
	assert_int_equal(fstat(files.log, &status), 0);
	assert_int_equal(log_view_open(header, (uint64_t)status.st_size, &view), 0);
	assert_true(view.log_id == files.runtime_page->log_id);
	/* To the last byte, or a full tmpfs kills who writes there later. */
	assert_true((uint64_t)status.st_blocks * 512 >= (uint64_t)status.st_size);
	assert_int_equal(fstat(files.states[0], &status), 0);
	assert_int_equal(status.st_size, state_file_bytes(bundle, 0));
	assert_int_equal(files.states[1], -1);
	assert_int_equal(fstat(files.worker_page, &status), 0);
	assert_int_equal(status.st_size, WORKER_PAGE_BYTES);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(write(files.runtime_page_readable, "x", 1), -1);
	snprintf(path, sizeof(path), "%s/meter", root);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
	assert_true(run_files_exist(root, "meter"));
	assert_int_equal(run_files_remove(root, "meter"), 0);
	assert_int_equal(stat(path, &status), -1);
	assert_false(run_files_exist(root, "meter"));
	assert_int_equal(run_files_remove(root, "meter"), 0);
}

/* A runtime that takes over finds what its predecessor made. */
static void test_open(void **state)
{
	char netns[64];
	uint64_t log_id;

	(void)state;
	assert_int_equal(run_files_open(root, root, bundle, &files, netns, sizeof(netns), &diags),
			 -1);
	assert_int_equal(
		run_files_create(root, root, bundle, 3, "/run/netns/x", &ring, &files, &diags), 0);
	log_id = files.runtime_page->log_id;
	files.runtime_page->incarnation = 5;
	run_files_close(&files);
	assert_int_equal(run_files_open(root, root, bundle, &files, netns, sizeof(netns), &diags),
			 0);
	assert_string_equal(netns, "/run/netns/x");
	assert_true(files.runtime_page->log_id == log_id);
	assert_int_equal(files.runtime_page->incarnation, 5);
	/* Another version of the runtime lays its pages out otherwise. */
	files.runtime_page->version++;
	run_files_close(&files);
	memset(&diags, 0, sizeof(diags));
	assert_int_equal(run_files_open(root, root, bundle, &files, netns, sizeof(netns), &diags),
			 -1);
	assert_non_null(strstr(diags.list[0].cause, "another version of the runtime"));
	assert_non_null(strstr(diags.list[0].advice, "unload the workflow"));
	/* A bundle whose state would not fit. */
	bundle->user[0].state_keys = 1000;
	assert_int_equal(run_files_open(root, root, bundle, &files, netns, sizeof(netns), &diags),
			 -1);
	assert_int_equal(run_files_remove(root, "meter"), 0);
}

/* What is left of an earlier workflow goes; the notes of others stay. */
static void test_leftovers(void **state)
{
	char path[128];
	uint64_t log_id;
	int fd;

	(void)state;
	assert_int_equal(run_files_create(root, root, bundle, 1, "", &ring, &files, &diags), 0);
	log_id = files.runtime_page->log_id;
	run_files_close(&files);
	snprintf(path, sizeof(path), "%s/meter/state.7", root);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
	snprintf(path, sizeof(path), "%s/meter/interfaces.json", root);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(run_files_create(root, root, bundle, 1, "", &ring, &files, &diags), 0);
	assert_true(files.runtime_page->log_id != log_id);
	assert_false(there("state.7"));
	assert_true(there("interfaces.json"));
	assert_int_equal(run_files_remove(root, "meter"), 0);
	assert_false(there("log"));
	assert_true(there("interfaces.json"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(run_files_remove(root, "meter"), 0);
}

/* No room: the load fails with a reason, and nothing stays. */
static void test_full(void **state)
{
	char path[128];

	(void)state;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", root, "tmpfs", 0, "size=4m")) {
		print_message("SKIP: a tmpfs cannot be mounted here: %s\n", strerror(errno));
		skip();
	}
	assert_int_equal(run_files_create(root, root, bundle, 1, "", &ring, &files, &diags), -1);
	assert_int_equal(diags.count, 1);
	assert_non_null(strstr(diags.list[0].cause, "meter/log: the file system is full"));
	snprintf(path, sizeof(path), "%s/meter", root);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(umount(root), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_create),
		TEST(test_open),
		TEST(test_leftovers),
		TEST(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
