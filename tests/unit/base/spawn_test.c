// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "spawn.h"

#define PATIENCE_MS 10000

/* Of the next process. */
static int new_namespaces;

/* Run a shell command; what it writes to its standard output is in @p output. */
static struct spawn_end run(const char *command, const int *extra, size_t extra_count, char *output,
			    size_t room)
{
	char *arguments[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};
	char *environment[] = {(char *)"PATH=/bin:/usr/bin", (char *)"ONLY=this", NULL};
	int fds[SPAWN_FDS_MAX];
	struct spawn spawn = {.path = "/bin/sh",
			      .arguments = arguments,
			      .environment = environment,
			      .fds = fds,
			      .fd_count = 3 + extra_count,
			      .new_namespaces = new_namespaces};
	struct pollfd gone = {.events = POLLIN};
	struct spawn_end how;
	size_t used = 0;
	ssize_t bytes;
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	fds[1] = fds[2] = ends[1];
	for (size_t i = 0; i < extra_count; i++)
		fds[3 + i] = extra[i];
	assert_int_equal(spawn_start(&spawn, &pid, &gone.fd), 0);
	close(fds[0]);
	close(ends[1]);
	while ((bytes = read(ends[0], output + used, room - 1 - used)) > 0)
		used += (size_t)bytes;
	output[used] = '\0';
	close(ends[0]);
	assert_int_equal(poll(&gone, 1, PATIENCE_MS), 1);
	assert_int_equal(spawn_reap(gone.fd, &how), 0);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
	close(gone.fd);
	return how;
}

static void test_exit_status(void **state)
{
	char output[256];
	struct spawn_end how;

	(void)state;
	how = run("echo out; echo err >&2; exit 7", NULL, 0, output, sizeof(output));
	assert_string_equal(output, "out\nerr\n");
	assert_int_equal(how.signal, 0);
	assert_int_equal(how.status, 7);
	how = run("kill -9 $$", NULL, 0, output, sizeof(output));
	assert_int_equal(how.signal, SIGKILL);
	assert_int_equal(how.status, 0);
}

/* A process that lives until the descriptor that is returned is closed. */
static int start_cat(pid_t *ret_pid, int *ret_pidfd)
{
	char *arguments[] = {(char *)"cat", NULL};
	char *environment[] = {NULL};
	int fds[3], ends[2];
	struct spawn spawn = {.path = "/bin/cat",
			      .arguments = arguments,
			      .environment = environment,
			      .fds = fds,
			      .fd_count = 3};

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	fds[0] = ends[0];
	fds[1] = fds[2] = STDERR_FILENO;
	assert_int_equal(spawn_start(&spawn, ret_pid, ret_pidfd), 0);
	close(ends[0]);
	return ends[1];
}

/* Whoever still runs is not reaped, nor taken for one that ended well. */
static void test_not_ended(void **state)
{
	struct spawn_end how = {.signal = -1};
	struct pollfd gone = {.events = POLLIN};
	pid_t pid;
	int end;

	(void)state;
	end = start_cat(&pid, &gone.fd);
	assert_int_equal(spawn_reap(gone.fd, &how), -EAGAIN);
	assert_int_equal(how.signal, -1);
	close(end);
	assert_int_equal(poll(&gone, 1, PATIENCE_MS), 1);
	assert_int_equal(spawn_reap(gone.fd, &how), 0);
	assert_int_equal(how.signal, 0);
	close(gone.fd);
}

/* Nothing of it is left, not even what a parent has to wait for. */
static void test_abandoned(void **state)
{
	pid_t pid;
	int pidfd, end;

	(void)state;
	end = start_cat(&pid, &pidfd);
	spawn_abandon(pidfd);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_int_equal(fcntl(pidfd, F_GETFD), -1);
	close(end);
}

/* Exactly the descriptors given, also where a number is both source and target. */
static void test_descriptors(void **state)
{
	char output[256], first[] = "/tmp/spawn-a-XXXXXX", second[] = "/tmp/spawn-b-XXXXXX";
	int swapped[2];
	struct spawn_end how;

	(void)state;
	swapped[1] = mkstemp(first);
	swapped[0] = mkstemp(second);
	assert_true(swapped[0] >= 0 && swapped[1] >= 0);
	assert_int_equal(write(swapped[1], "b", 1), 1);
	assert_int_equal(write(swapped[0], "a", 1), 1);
	lseek(swapped[0], 0, SEEK_SET);
	lseek(swapped[1], 0, SEEK_SET);
	how = run("cat <&3; cat <&4; echo; n=0; while [ $n -lt 300 ]; do "
		  "[ ! -e /proc/$$/fd/$n ] || printf '%s ' $n; n=$((n+1)); done; "
		  "echo $ONLY$HOME",
		  swapped, 2, output, sizeof(output));
	assert_int_equal(how.status, 0);
	assert_string_equal(output, "ab\n0 1 2 3 4 this\n");
	close(swapped[0]);
	close(swapped[1]);
	unlink(first);
	unlink(second);
}

static void test_signals_are_clean(void **state)
{
	char output[256];
	sigset_t set;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	run("grep -E '^Sig(Blk|Ign)' /proc/self/status | cut -f2", NULL, 0, output, sizeof(output));
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	assert_string_equal(output, "0000000000000000\n0000000000000000\n");
}

static void test_first_of_its_namespace(void **state)
{
	char output[256];
	struct spawn_end how;

	(void)state;
	if (geteuid())
		skip();
	new_namespaces = CLONE_NEWPID;
	how = run("echo $$; exit 3", NULL, 0, output, sizeof(output));
	new_namespaces = 0;
	assert_string_equal(output, "1\n");
	assert_int_equal(how.status, 3);
}

/* The class of who starts it, if that is SCHED_BATCH, is not that of the process. */
static void test_scheduled_as_usual(void **state)
{
	static const struct {
		int mine;
		const char *its;
	} classes[] = {{SCHED_OTHER, "0\n"}, {SCHED_BATCH, "0\n"}, {SCHED_IDLE, "5\n"}};
	const struct sched_param none = {0};
	char output[256];

	(void)state;
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		pid_t pid = fork();
		int status;

		assert_true(pid >= 0);
		if (!pid) {
			if (sched_setscheduler(0, classes[i].mine, &none))
				_exit(1);
			(void)run("set -- $(cat /proc/self/stat); shift 40; echo $1", NULL, 0,
				  output, sizeof(output));
			_exit(strcmp(output, classes[i].its) ? 2 : 0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

static void test_no_such_program(void **state)
{
	char *arguments[] = {(char *)"none", NULL};
	char *environment[] = {NULL};
	int fds[] = {0, 1, 2};
	struct spawn spawn = {.path = "/nonexistent/none",
			      .arguments = arguments,
			      .environment = environment,
			      .fds = fds,
			      .fd_count = 3};
	int pidfd = -1;
	pid_t pid = -1;

	(void)state;
	assert_int_equal(spawn_start(&spawn, &pid, &pidfd), -ENOENT);
	assert_int_equal(pid, -1);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	spawn.fd_count = SPAWN_FDS_MAX + 1;
	assert_int_equal(spawn_start(&spawn, &pid, &pidfd), -EINVAL);
	assert_int_equal(pid, -1);
}

/* A child does not outlive who started it. */
static void test_dies_with_parent(void **state)
{
	char *arguments[] = {(char *)"sleep", (char *)"1000", NULL};
	char *environment[] = {NULL};
	int fds[3], ends[2];
	struct spawn spawn = {.path = "/bin/sleep",
			      .arguments = arguments,
			      .environment = environment,
			      .fds = fds,
			      .fd_count = 3};
	struct pollfd readable;
	pid_t middle;
	int pidfd;
	pid_t pid;
	char byte;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	middle = fork();
	assert_true(middle >= 0);
	if (!middle) {
		fds[0] = 0;
		fds[1] = fds[2] = ends[1]; /* open as long as the child lives */
		_exit(spawn_start(&spawn, &pid, &pidfd) ? 1 : 0);
	}
	close(ends[1]);
	readable = (struct pollfd){.fd = ends[0], .events = POLLIN};
	assert_int_equal(poll(&readable, 1, PATIENCE_MS), 1);
	assert_int_equal(read(ends[0], &byte, 1), 0);
	close(ends[0]);
	waitpid(middle, NULL, 0);
}

/* Whoever traces a process hears of its end first, and takes its time: a pidfd says so before. */
static void test_traced(void **state)
{
	char *arguments[] = {(char *)"sleep", (char *)"60", NULL}, *environment[] = {NULL};
	const int fds[] = {0, 1, 2};
	const struct spawn spawn = {.path = "/bin/sleep",
				    .arguments = arguments,
				    .environment = environment,
				    .fds = fds,
				    .fd_count = 3};
	const struct timespec pause = {.tv_nsec = 200000000};
	struct pollfd gone = {.events = POLLIN};
	struct spawn_end how = {0};
	pid_t pid, tracer;
	int status;

	(void)state;
	assert_int_equal(spawn_start(&spawn, &pid, &gone.fd), 0);
	tracer = fork();
	assert_true(tracer >= 0);
	if (!tracer) {
		if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) || kill(pid, SIGKILL))
			_exit(1);
		nanosleep(&pause, NULL);
		_exit(waitpid(pid, NULL, __WALL) == pid ? 0 : 1);
	}
	assert_int_equal(poll(&gone, 1, PATIENCE_MS), 1);
	assert_int_equal(spawn_reap(gone.fd, &how), 0);
	assert_int_equal(how.signal, SIGKILL);
	close(gone.fd);
	assert_int_equal(waitpid(tracer, &status, 0), tracer);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit_status),
		cmocka_unit_test(test_not_ended),
		cmocka_unit_test(test_abandoned),
		cmocka_unit_test(test_traced),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_signals_are_clean),
		cmocka_unit_test(test_scheduled_as_usual),
		cmocka_unit_test(test_no_such_program),
		cmocka_unit_test(test_dies_with_parent),
		cmocka_unit_test(test_first_of_its_namespace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
