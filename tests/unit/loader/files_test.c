// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* loader/files.c: contents, files that are there or missing, a full disk. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "loader/files.h"

#define BYTES 200001 /* several buffers and a bit */

static char directory[64], from[96], to[96];
static uint8_t content[BYTES], copied[BYTES + 1];

static int make(void **state)
{
	int fd;

	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/files_test.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(from, sizeof(from), "%s/from", directory);
	snprintf(to, sizeof(to), "%s/to", directory);
	for (size_t i = 0; i < BYTES; i++)
		content[i] = (uint8_t)(i * 2654435761u >> 13);
	fd = open(from, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, content, BYTES) != BYTES)
		return -1;
	return close(fd);
}

static int forget(void **state)
{
	(void)state;
	unlink(from);
	unlink(to);
	return rmdir(directory);
}

static void copies_all_of_it(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(files_copy(from, to), 0);
	fd = open(to, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, copied, sizeof(copied)), BYTES);
	close(fd);
	assert_memory_equal(copied, content, BYTES);
}

static void refuses_what_is_there(void **state)
{
	(void)state;
	assert_int_equal(files_copy(from, to), 0);
	assert_int_equal(files_copy(from, to), -EEXIST);
}

static void tells_what_is_missing(void **state)
{
	(void)state;
	unlink(from);
	assert_int_equal(files_copy(from, to), -ENOENT);
	assert_int_equal(access(to, F_OK), -1);
}

static void tells_a_full_disk(void **state)
{
	char small[80], inside[112];
	int error;

	(void)state;
	snprintf(small, sizeof(small), "%s/small", directory);
	snprintf(inside, sizeof(inside), "%s/to", small);
	assert_int_equal(mkdir(small, 0700), 0);
	assert_int_equal(mount("tmpfs", small, "tmpfs", 0, "size=64k"), 0);
	error = files_copy(from, inside);
	umount(small);
	rmdir(small);
	assert_int_equal(error, -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(copies_all_of_it, make, forget),
		cmocka_unit_test_setup_teardown(refuses_what_is_there, make, forget),
		cmocka_unit_test_setup_teardown(tells_what_is_missing, make, forget),
		cmocka_unit_test_setup_teardown(tells_a_full_disk, make, forget),
	};

	return cmocka_run_group_tests_name("loader/files", tests, NULL, NULL);
}
