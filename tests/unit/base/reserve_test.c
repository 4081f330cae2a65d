// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reserve.h"

#define KIB 1024ull

static uint64_t bytes_there(int fd)
{
	struct stat status;

	assert_int_equal(fstat(fd, &status), 0);
	return (uint64_t)status.st_blocks * 512;
}

static uint64_t length(int fd)
{
	struct stat status;

	assert_int_equal(fstat(fd, &status), 0);
	return (uint64_t)status.st_size;
}

static int memory_file(void)
{
	int fd = memfd_create("reserve_test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* Whole pieces, parts of one, and what begins amid one. */
static void test_there(void **state)
{
	static const struct {
		uint64_t from, bytes;
	} parts[] = {{0, 4 * KIB},    {0, 256 * KIB},	     {0, 260 * KIB},
		     {0, 8192 * KIB}, {12 * KIB, 600 * KIB}, {4096 * KIB, 1 * KIB}};

	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		int fd = memory_file();

		assert_int_equal(reserve(fd, parts[i].from, parts[i].bytes), 0);
		assert_int_equal(length(fd), parts[i].from + parts[i].bytes);
		/* In whole pages. */
		assert_true(bytes_there(fd) >= parts[i].bytes);
		assert_true(bytes_there(fd) < parts[i].bytes + 8 * KIB);
		(void)close(fd);
	}
}

static void test_nothing(void **state)
{
	int fd = memory_file();

	(void)state;
	assert_int_equal(reserve(fd, 0, 0), 0);
	assert_int_equal(reserve_give_back(fd, 0, 0), 0);
	assert_int_equal(length(fd), 0);
	(void)close(fd);
}

/* What is there stays; what is given back is zeros, and the file is as long. */
static void test_content(void **state)
{
	char text[] = "still here";
	int fd = memory_file();

	(void)state;
	assert_int_equal(reserve(fd, 0, 1024 * KIB), 0);
	assert_int_equal(pwrite(fd, text, sizeof(text), 300 * KIB), sizeof(text));
	assert_int_equal(reserve(fd, 0, 1024 * KIB), 0);
	memset(text, 0, sizeof(text));
	assert_int_equal(pread(fd, text, sizeof(text), 300 * KIB), sizeof(text));
	assert_string_equal(text, "still here");
	assert_int_equal(reserve_give_back(fd, 4 * KIB, 1020 * KIB), 0);
	assert_int_equal(length(fd), 1024 * KIB);
	assert_int_equal(bytes_there(fd), 4 * KIB);
	assert_int_equal(pread(fd, text, sizeof(text), 300 * KIB), sizeof(text));
	assert_int_equal(text[0], 0);
	(void)close(fd);
}

static void test_refused(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(reserve(-1, 0, 4 * KIB), -EBADF);
	assert_int_equal(reserve_give_back(-1, 0, 4 * KIB), -EBADF);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(reserve(ends[1], 0, 4 * KIB), -ESPIPE);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_content),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
