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

#include "userspace/sink/file_sink.h"

static char directory[64];
static char path[128];

static int set_up(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/file-sink-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/out.jsonl", directory);
	return 0;
}

static int tear_down(void **state)
{
	char name[160];

	(void)state;
	(void)unlink(path);
	for (int i = 1; i < 5; i++) {
		snprintf(name, sizeof(name), "%s.%d", path, i);
		(void)unlink(name);
	}
	return rmdir(directory);
}

static const char *contents(const char *name)
{
	static char text[4096];
	int fd = open(name, O_RDONLY);
	ssize_t bytes;

	if (fd < 0)
		return NULL;
	bytes = read(fd, text, sizeof(text) - 1);
	close(fd);
	assert_true(bytes >= 0);
	text[bytes] = '\0';
	return text;
}

static const char *rotated(int number)
{
	char name[160];

	snprintf(name, sizeof(name), "%s.%d", path, number);
	return contents(name);
}

static void append(struct file_sink *sink, const char *lines)
{
	assert_int_equal(file_sink_prepare(sink, strlen(lines)), 0);
	assert_int_equal(file_sink_write(sink, lines, strlen(lines)), 0);
}

static void write_raw(const char *text)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void test_append_to_what_is_there(void **state)
{
	struct file_sink sink;
	struct stat status;

	(void)state;
	write_raw("old\n");
	file_sink_init(&sink, path, 0, 0);
	append(&sink, "a\nb\n");
	append(&sink, "c\n");
	assert_string_equal(contents(path), "old\na\nb\nc\n");
	assert_int_equal(sink.bytes, 10);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(sink.inode, status.st_ino);
	file_sink_close(&sink);
}

static void test_new_file_has_mode(void **state)
{
	mode_t mask = umask(0);
	struct file_sink sink;
	struct stat status;

	(void)state;
	file_sink_init(&sink, path, 0, 0);
	assert_int_equal(file_sink_open(&sink, 0, 0), 0);
	umask(mask);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0640);
	file_sink_close(&sink);
}

/* A restart cuts back to what the page says of this file, and of no other. */
static void test_cut_back(void **state)
{
	struct file_sink sink;
	uint64_t inode;

	(void)state;
	file_sink_init(&sink, path, 0, 0);
	append(&sink, "counted\n");
	inode = sink.inode;
	append(&sink, "written, not counted\npart of a li");
	file_sink_close(&sink);

	/* Its last line is ended, for the next one to be a line. */
	assert_int_equal(file_sink_open(&sink, inode + 1, 8), 0);
	assert_int_equal(sink.bytes, 8 + 34);
	file_sink_close(&sink);
	assert_int_equal(file_sink_open(&sink, inode, 8), 0);
	assert_int_equal(sink.bytes, 8);
	append(&sink, "again\n");
	assert_string_equal(contents(path), "counted\nagain\n");
	file_sink_close(&sink);
	/* Somebody emptied it meanwhile. */
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(file_sink_open(&sink, inode, 14), 0);
	append(&sink, "on\n");
	assert_string_equal(contents(path), "on\n");
	file_sink_close(&sink);
}

/* What a loss of power leaves at the end of a file, and what stays of it. */
static void test_ends_with_a_whole_line(void **state)
{
	static const struct {
		const char *there, *wanted;
	} rows[] = {
		{"{\"id\":\"1\"}\n", "{\"id\":\"1\"}\nb\n"},
		{"{\"id\":\"1\"}\n{\"id\":\"2\",\"fie", "{\"id\":\"1\"}\nb\n"},
		{"{\"id\":\"1\"}\n{\"i", "{\"id\":\"1\"}\nb\n"},
		{"{\"id\":\"1\",\"fie", "b\n"},
		{"{", "b\n"},
		{"", "b\n"},
		{"\n", "\nb\n"},
		{"{\"id\":\"1\"}\ntheirs", "{\"id\":\"1\"}\ntheirs\nb\n"},
		{"theirs", "theirs\nb\n"},
	};
	static const size_t zeros[] = {0, 1, 4096, 100000};
	static char longer[100001];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t j = 0; j < sizeof(zeros) / sizeof(zeros[0]); j++) {
			struct file_sink sink;

			write_raw(rows[i].there);
			/* As long as it was, without what was written there. */
			assert_int_equal(truncate(path, (off_t)(strlen(rows[i].there) + zeros[j])),
					 0);
			file_sink_init(&sink, path, 0, 0);
			append(&sink, "b\n");
			assert_string_equal(contents(path), rows[i].wanted);
			assert_int_equal(sink.bytes, strlen(rows[i].wanted));
			file_sink_close(&sink);
			assert_int_equal(unlink(path), 0);
		}
	/* Too long to be a record. */
	memset(longer, 'x', sizeof(longer) - 1);
	memcpy(longer, "{\"id\":\"", 7);
	longer[sizeof(longer) - 1] = '\0';
	write_raw(longer);
	{
		struct file_sink sink;

		file_sink_init(&sink, path, 0, 0);
		append(&sink, "b\n");
		assert_int_equal(sink.bytes, 100000 + 3);
		file_sink_close(&sink);
	}
}

/* What was written is known to be unsynced until it is synced, also by a successor, and
 * no file is left for another one before. */
static void test_sync(void **state)
{
	struct file_sink sink;
	char other[160];

	(void)state;
	file_sink_init(&sink, path, 10, 1);
	sink.durable = true;
	assert_int_equal(file_sink_sync(&sink), 0);
	append(&sink, "a\n");
	assert_true(sink.unsynced && sink.unnamed);
	assert_int_equal(file_sink_sync(&sink), 0);
	assert_false(sink.unsynced || sink.unnamed);
	append(&sink, "b\n");
	assert_true(sink.unsynced);
	assert_false(sink.unnamed);
	assert_int_equal(file_sink_prepare(&sink, 10), 0);
	assert_false(sink.unsynced);
	append(&sink, "c\n");
	snprintf(other, sizeof(other), "%s.2", path);
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(file_sink_prepare(&sink, 2), 0);
	assert_false(sink.unsynced);
	append(&sink, "d\n");
	file_sink_close(&sink);
	assert_true(sink.unsynced);
	assert_int_equal(file_sink_sync(&sink), 0);
	assert_false(sink.unsynced);
	assert_int_equal(sink.fd, -1);
	/* One that is gone is not made for that. */
	sink.unsynced = true;
	assert_int_equal(unlink(path), 0);
	assert_int_equal(file_sink_sync(&sink), 0);
	assert_false(sink.unsynced);
	assert_null(contents(path));
}

/* A part of a batch that could not be cut off at once goes before the next. */
static void test_torn(void **state)
{
	struct file_sink sink;

	(void)state;
	file_sink_init(&sink, path, 0, 0);
	append(&sink, "a\n");
	write_raw("part of a li");
	sink.torn = true;
	append(&sink, "b\n");
	assert_string_equal(contents(path), "a\nb\n");
	/* What is not ours stays. */
	write_raw("theirs\n");
	append(&sink, "c\n");
	assert_string_equal(contents(path), "a\nb\ntheirs\nc\n");
	assert_int_equal(sink.bytes, 13);
	file_sink_close(&sink);
}

static void test_rotation(void **state)
{
	struct file_sink sink;
	uint64_t inode;

	(void)state;
	file_sink_init(&sink, path, 10, 2);
	append(&sink, "aaaa\n");
	append(&sink, "bbbb\n"); /* exactly full */
	inode = sink.inode;
	assert_null(rotated(1));
	append(&sink, "cccc\n");
	assert_string_equal(contents(path), "cccc\n");
	assert_string_equal(rotated(1), "aaaa\nbbbb\n");
	assert_true(sink.inode != inode);
	assert_int_equal(sink.bytes, 5);
	append(&sink, "ddddddd\n");
	append(&sink, "a line longer than the limit\n");
	append(&sink, "e\n");
	assert_string_equal(contents(path), "e\n");
	assert_string_equal(rotated(1), "a line longer than the limit\n");
	assert_string_equal(rotated(2), "ddddddd\n");
	assert_null(rotated(3));
	file_sink_close(&sink);
}

static void test_rotation_keeps_none(void **state)
{
	struct file_sink sink;

	(void)state;
	file_sink_init(&sink, path, 4, 0);
	append(&sink, "abc\n");
	append(&sink, "def\n");
	assert_string_equal(contents(path), "def\n");
	assert_null(rotated(1));
	file_sink_close(&sink);
}

/* The page names the new file before the first line is in it: a crash between
 * leaves nothing to be cut off anywhere. */
static void test_rotation_happens_before_the_write(void **state)
{
	struct file_sink sink;

	(void)state;
	file_sink_init(&sink, path, 4, 1);
	append(&sink, "abc\n");
	assert_int_equal(file_sink_prepare(&sink, 4), 0);
	assert_int_equal(sink.bytes, 0);
	assert_string_equal(contents(path), "");
	assert_string_equal(rotated(1), "abc\n");
	file_sink_close(&sink);
}

static void test_moved_away(void **state)
{
	struct file_sink sink;
	char other[160];

	(void)state;
	file_sink_init(&sink, path, 0, 0);
	append(&sink, "a\n");
	snprintf(other, sizeof(other), "%s.1", path);
	assert_int_equal(rename(path, other), 0);
	append(&sink, "b\n");
	assert_string_equal(contents(path), "b\n");
	assert_string_equal(contents(other), "a\n");
	assert_int_equal(unlink(path), 0);
	append(&sink, "c\n");
	assert_string_equal(contents(path), "c\n");
	file_sink_close(&sink);
}

static void test_refusals(void **state)
{
	struct file_sink sink, second;
	char inside[160];

	(void)state;
	snprintf(inside, sizeof(inside), "%s/none/out", directory);
	file_sink_init(&sink, inside, 0, 0);
	assert_int_equal(file_sink_open(&sink, 0, 0), -ENOENT);
	file_sink_init(&sink, directory, 0, 0);
	assert_int_equal(file_sink_open(&sink, 0, 0), -EISDIR);
	file_sink_init(&sink, "/dev/null", 0, 0);
	assert_int_equal(file_sink_open(&sink, 0, 0), -EINVAL);
	file_sink_init(&sink, path, 0, 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(file_sink_open(&sink, 0, 0), -EINVAL);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(file_sink_open(&sink, 0, 0), 0);
	file_sink_init(&second, path, 0, 0);
	assert_int_equal(file_sink_open(&second, 0, 0), -EWOULDBLOCK);
	file_sink_close(&sink);
	assert_int_equal(file_sink_open(&second, 0, 0), 0);
	file_sink_close(&second);
}

/* A full disk: nothing of the batch stays, and it goes in when there is room. */
static void test_full_disk(void **state)
{
	static char batch[16384];
	struct file_sink sink;
	char ballast[160];
	int fd;

	(void)state;
	memset(batch, 'x', sizeof(batch));
	batch[sizeof(batch) - 1] = '\n';
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", directory, "tmpfs", 0, "size=65536")) {
		print_message("SKIP: a tmpfs cannot be mounted here: %s\n", strerror(errno));
		skip();
	}
	file_sink_init(&sink, path, 0, 0);
	append(&sink, "first\n");
	snprintf(ballast, sizeof(ballast), "%s/ballast", directory);
	fd = open(ballast, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	/* Three pages stay: less than the batch, more than nothing. */
	assert_int_equal(posix_fallocate(fd, 0, 65536 - 4 * 4096), 0);
	close(fd);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(file_sink_prepare(&sink, sizeof(batch)), 0);
		assert_int_equal(file_sink_write(&sink, batch, sizeof(batch)), -ENOSPC);
		assert_string_equal(contents(path), "first\n");
		assert_false(sink.torn);
	}
	assert_int_equal(unlink(ballast), 0);
	assert_int_equal(file_sink_prepare(&sink, sizeof(batch)), 0);
	assert_int_equal(file_sink_write(&sink, batch, sizeof(batch)), 0);
	assert_int_equal(sink.bytes, 6 + sizeof(batch));
	file_sink_close(&sink);
	assert_int_equal(umount(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_append_to_what_is_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_new_file_has_mode, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cut_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_torn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ends_with_a_whole_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sync, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rotation, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rotation_keeps_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rotation_happens_before_the_write, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_moved_away, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
