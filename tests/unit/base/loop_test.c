// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "childlog.h"
#include "clock.h"
#include "logger.h"
#include "loop.h"

static struct loop loop;

static int set_up(void **state)
{
	(void)state;
	return loop_open(&loop);
}

static int tear_down(void **state)
{
	(void)state;
	loop_close(&loop);
	return 0;
}

static char order[16];

static void note(char letter)
{
	order[strlen(order)] = letter;
}

struct named {
	struct loop_timer timer;
	struct loop_source source;
	char letter;
};

static void on_timer(struct loop_timer *timer)
{
	note(loop_container(timer, struct named, timer)->letter);
}

static void test_timers(void **state)
{
	struct named timers[4] = {
		{.letter = 'a'}, {.letter = 'b'}, {.letter = 'c'}, {.letter = 'd'}};
	uint64_t now = clock_monotonic_ns();

	(void)state;
	memset(order, 0, sizeof(order));
	loop_set(&loop, &timers[2].timer, now + 3000000, on_timer);
	loop_set(&loop, &timers[0].timer, now + 1000000, on_timer);
	loop_set(&loop, &timers[3].timer, now + 4000000, on_timer);
	loop_set(&loop, &timers[1].timer, now + 9000000000, on_timer);
	loop_set(&loop, &timers[1].timer, now + 2000000, on_timer);
	loop_unset(&loop, &timers[3].timer);
	loop_unset(&loop, &timers[3].timer);
	while (loop.timers)
		assert_int_equal(loop_step(&loop, -1), 0);
	assert_string_equal(order, "abc");
	assert_true(clock_monotonic_ns() >= now + 3000000);
	assert_int_equal(loop_step(&loop, 0), 0);
}

/* Those for one time in the order in which they were set; at once means once; and a
 * step waits to the end of the last millisecond, but not longer than it may. */
static void test_times(void **state)
{
	struct named timers[3] = {{.letter = 'a'}, {.letter = 'b'}, {.letter = 'c'}};
	uint64_t now = clock_monotonic_ns();

	(void)state;
	memset(order, 0, sizeof(order));
	loop_set(&loop, &timers[0].timer, now + 900000, on_timer);
	loop_set(&loop, &timers[1].timer, now + 900000, on_timer);
	assert_int_equal(loop_step(&loop, -1), 0);
	assert_string_equal(order, "a");
	assert_int_equal(loop_step(&loop, -1), 0);
	assert_string_equal(order, "ab");

	loop_set(&loop, &timers[2].timer, 0, on_timer);
	assert_int_equal(loop_step(&loop, 0), 0);
	assert_int_equal(loop_step(&loop, 0), 0);
	assert_string_equal(order, "abc");

	now = clock_monotonic_ns();
	loop_set(&loop, &timers[0].timer, now + 20 * CLOCK_NS_PER_S, on_timer);
	assert_int_equal(loop_step(&loop, 1), 0);
	assert_true(clock_monotonic_ns() < now + 10 * CLOCK_NS_PER_S);
	loop_unset(&loop, &timers[0].timer);
	assert_string_equal(order, "abc");
}

static void on_letter(struct loop_source *source, uint32_t events)
{
	(void)events;
	note(loop_container(source, struct named, source)->letter);
}

static void test_removed_sources_are_quiet(void **state)
{
	struct named named = {.letter = 'x'};
	int fd = eventfd(1, EFD_CLOEXEC);

	(void)state;
	memset(order, 0, sizeof(order));
	assert_int_equal(loop_add(&loop, &named.source, fd, EPOLLIN, on_letter), 0);
	assert_int_equal(loop_step(&loop, 0), 1);
	loop_remove(&loop, &named.source);
	assert_int_equal(loop_step(&loop, 0), 0);
	assert_string_equal(order, "x");
	close(fd);
}

static void on_source(struct loop_source *source, uint32_t events)
{
	struct named *named = loop_container(source, struct named, source);
	int fd = source->fd;

	(void)events;
	note(named->letter);
	/* Removed and freed from within: nothing of it is touched after. */
	loop_remove(&loop, source);
	close(fd);
	free(named);
}

static void test_sources_free_themselves(void **state)
{
	(void)state;
	memset(order, 0, sizeof(order));
	for (int i = 0; i < 3; i++) {
		struct named *named = calloc(1, sizeof(*named));

		named->letter = 'x';
		assert_int_equal(loop_add(&loop, &named->source, eventfd(1, EFD_CLOEXEC), EPOLLIN,
					  on_source),
				 0);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(loop_step(&loop, -1), 1);
	assert_int_equal(loop_step(&loop, 0), 0);
	assert_string_equal(order, "xxx");
}

static void test_quote(void **state)
{
	char buffer[64];

	(void)state;
	assert_string_equal(logger_quote(buffer, sizeof(buffer), "a \"b\"\\\n\x1b[1m"),
			    "\"a \\\"b\\\"\\\\\\x0a\\x1b[1m\"");
	for (size_t room = 0; room < 20; room++) {
		const char *quoted = logger_quote(buffer, room, "\x01\x02\x03\x04\x05");

		assert_true(strlen(quoted) < (room ? room : 1));
	}
}

/* What a child writes comes out quoted, bounded, and with a count of the rest. */
static void test_childlog(void **state)
{
	char path[] = "/tmp/loop-test-XXXXXX", text[65536];
	uint64_t suppressed = 0, told = 0;
	struct childlog log = {0};
	ssize_t bytes;
	int lines = 0;
	int fd, out;

	(void)state;
	out = mkstemp(path);
	assert_true(out >= 0);
	assert_int_equal(logger_open(path), 0);
	assert_int_equal(childlog_open(&log, &loop, "meter", 20, &fd), 0);
	log.counter = &suppressed;
	assert_int_equal(write(fd, "one\x1b\nlevel=error", 16), 16);
	assert_int_equal(loop_step(&loop, -1), 1);
	for (int i = 0; i < 500; i++)
		assert_int_equal(write(fd, "\nflood", 6), 6);
	assert_int_equal(loop_step(&loop, -1), 1);
	/* In the silence behind it, too. */
	for (int i = 0; log.suppressed && i < 3; i++)
		assert_true(loop_step(&loop, 2000) >= 0);
	assert_int_equal(log.suppressed, 0);
	assert_true(suppressed > 400);
	for (int i = 0; i < 100; i++)
		assert_int_equal(write(fd, "\nagain", 6), 6);
	close(fd);
	while (log.source.fd >= 0)
		assert_true(loop_step(&loop, -1) >= 0);
	childlog_close(&log);
	childlog_close(&log);
	assert_string_equal(log.text->last[(log.total - 1) % CHILDLOG_LAST_LINES], "again");
	childlog_forget(&log);
	childlog_forget(&log);
	bytes = read(out, text, sizeof(text) - 1);
	assert_true(bytes > 0);
	text[bytes] = '\0';
	for (const char *at = text; (at = strstr(at, "event=child from=")); at++)
		lines++;
	for (const char *at = text; (at = strstr(at, "event=child.suppressed from=meter lines="));
	     at++)
		told += strtoull(strstr(at, "lines=") + 6, NULL, 10);
	assert_non_null(strstr(text, "event=child from=meter text=\"one\\x1b\"\n"));
	assert_non_null(strstr(text, "event=child from=meter text=\"level=error\"\n"));
	/* A second may begin in the middle of each of the two floods. */
	assert_true(lines >= 2 * 20 && lines <= 4 * 20);
	assert_int_equal(lines + suppressed, 602);
	assert_int_equal(told, suppressed);
	close(out);
	unlink(path);
}

static void test_log_file_is_bounded(void **state)
{
	char path[] = "/tmp/loop-test-XXXXXX", old[64], filler[1000];
	off_t size;
	int fd;

	(void)state;
	close(mkstemp(path));
	assert_int_equal(logger_open(path), 0);
	memset(filler, 'x', sizeof(filler));
	filler[sizeof(filler) - 1] = '\0';
	for (int i = 0; i < 2500; i++)
		logger_write(LOGGER_INFO, "filler", "text=%s", filler);
	snprintf(old, sizeof(old), "%s.1", path);
	for (int i = 0; i < 2; i++) {
		fd = open(i ? old : path, O_RDONLY);
		assert_true(fd >= 0);
		size = lseek(fd, 0, SEEK_END);
		assert_true(size > 0 && size <= LOGGER_FILE_BYTES_MAX);
		close(fd);
	}
	assert_int_equal(logger_open("/dev/null"), 0);
	unlink(path);
	unlink(old);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_timers),
		TEST(test_times),
		TEST(test_removed_sources_are_quiet),
		TEST(test_sources_free_themselves),
		TEST(test_quote),
		TEST(test_childlog),
		TEST(test_log_file_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
