// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The control socket under abuse. The server runs in a process of its own, as
 * the runtime does: its operations are "echo", answered at once, "wait", which is
 * answered when another client says "release", and "gone", which tells how many
 * went before their answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <ebpf_faas/limits.h>

#include "control_client.h"
#include "userspace/control/control_server.h"

#define IDLE_MS 800 /* more than a busy machine lets pass between two lines */
#define ANSWER_MS 20000

static char directory[64];
static char path[100];
static pid_t server_pid;
static struct diags diags;
static uint32_t rate_max;

struct service {
	struct control_server *server;
	uint64_t waiting;
	int gone;
};

static void on_request(void *context, uint64_t client, const json_t *message)
{
	const char *op = json_string_value(json_object_get(message, "op"));
	struct service *service = context;

	if (op && !strcmp(op, "wait")) {
		service->waiting = client;
	} else if (op && !strcmp(op, "release")) {
		control_server_answer(service->server, service->waiting,
				      json_pack("{s:b, s:s}", "ok", 1, "was", "waiting"));
		control_server_answer(service->server, client, json_pack("{s:b}", "ok", 1));
	} else if (op && !strcmp(op, "gone")) {
		control_server_answer(service->server, client,
				      json_pack("{s:b, s:i}", "ok", 1, "count", service->gone));
	} else if (op && !strcmp(op, "echo")) {
		control_server_answer(
			service->server, client,
			json_pack("{s:b, s:O}", "ok", 1, "text", json_object_get(message, "text")));
	} else {
		control_server_refuse(service->server, client, "say echo", "no such \"%s\"",
				      op ? op : "");
	}
}

static void on_gone(void *context, uint64_t client)
{
	struct service *service = context;

	(void)client;
	service->gone++;
}

static void serve(const struct control_peers *peers, int ready)
{
	struct service service = {0};
	struct control_handler handler = {.context = &service,
					  .idle_ms = IDLE_MS,
					  .rate_max = rate_max,
					  .request = on_request,
					  .gone = on_gone};
	struct loop loop;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (loop_open(&loop) || control_server_open(&loop, path, peers, &handler, &service.server))
		_exit(1);
	if (write(ready, "", 1) != 1)
		_exit(1);
	while (loop_step(&loop, -1) >= 0)
		;
	_exit(1);
}

static int start_server(const struct control_peers *peers)
{
	int ends[2];
	char ready;

	strcpy(directory, "/tmp/control-XXXXXX");
	if (!mkdtemp(directory) || pipe(ends))
		return -1;
	snprintf(path, sizeof(path), "%s/control.sock", directory);
	memset(&diags, 0, sizeof(diags));
	server_pid = fork();
	if (!server_pid)
		serve(peers, ends[1]);
	close(ends[1]);
	if (read(ends[0], &ready, 1) != 1)
		return -1;
	close(ends[0]);
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	return start_server(&(struct control_peers){.owner = getuid()});
}

static int tear_down(void **state)
{
	int status;
	int err;

	(void)state;
	/* It must still be there: nothing that a client does ends it. */
	err = waitpid(server_pid, &status, WNOHANG) != 0;
	kill(server_pid, SIGKILL);
	if (!err)
		waitpid(server_pid, &status, 0);
	(void)unlink(path);
	return rmdir(directory) || err;
}

static struct control connect_client(void)
{
	struct control control = {.fd = -1};
	int err;

	/* A full backlog is not ours to test: the server will come to it. */
	while ((err = control_connect(path, &control)) == -EAGAIN)
		poll(NULL, 0, 1);
	assert_int_equal(err, 0);
	return control;
}

static void assert_served(void)
{
	struct control control = connect_client();
	json_t *request = json_pack("{s:s, s:s}", "op", "echo", "text", "hi");
	json_t *answer = NULL;

	assert_int_equal(control_request(&control, request, ANSWER_MS, &answer, &diags), 0);
	assert_string_equal(json_string_value(json_object_get(answer, "text")), "hi");
	json_decref(answer);
	json_decref(request);
	control_close(&control);
}

/* The next message: text with its length, 0 at the end of file, -1 if there is
 * nothing for a long time. */
static ssize_t next_message(const struct control *control, char *text, size_t room)
{
	struct pollfd readable = {.fd = control->fd, .events = POLLIN};
	ssize_t bytes;

	if (poll(&readable, 1, ANSWER_MS) != 1)
		return -1;
	bytes = recv(control->fd, text, room - 1, 0);
	if (bytes < 0 && errno == ECONNRESET)
		bytes = 0; /* it went with something of ours unread */
	text[bytes > 0 ? bytes : 0] = '\0';
	return bytes;
}

static void test_serves_and_refuses(void **state)
{
	struct control control = connect_client();
	json_t *request = json_pack("{s:s}", "op", "sing");
	json_t *answer = NULL;
	struct stat status;

	(void)state;
	assert_served();
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(control_request(&control, request, ANSWER_MS, &answer, &diags), -1);
	assert_int_equal(diags.count, 1);
	assert_string_equal(diags.list[0].cause, "no such \"sing\"");
	assert_string_equal(diags.list[0].advice, "say echo");
	json_decref(request);
	control_close(&control);
}

static void test_malformed(void **state)
{
	static const char *const messages[] = {
		"{",
		"[]",
		"\"op\"",
		"null",
		"{\"op\":\"echo\",\"op\":\"echo\"}",
		"\xff\xfe",
		"{\"op\":5}",
		"{\"op\":\"\\u0000\"}",
		"echo\n",
	};
	struct control control = connect_client();
	char deep[20000], text[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		assert_int_equal(send(control.fd, messages[i], strlen(messages[i]), 0),
				 strlen(messages[i]));
		assert_true(next_message(&control, text, sizeof(text)) > 0);
		assert_memory_equal(text, "{\"ok\":false,\"error\":", 20);
	}
	memset(deep, '[', sizeof(deep));
	assert_int_equal(send(control.fd, deep, sizeof(deep), 0), sizeof(deep));
	assert_true(next_message(&control, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "\"ok\":false"));
	/* An empty message is the end of file for a reader. */
	assert_int_equal(send(control.fd, "", 0, 0), 0);
	assert_int_equal(next_message(&control, text, sizeof(text)), 0);
	control_close(&control);
	assert_served();
}

static void test_oversized(void **state)
{
	static char message[FAAS_CONTROL_MESSAGE_BYTES_MAX + 1];
	struct control control = connect_client();
	char text[4096];

	(void)state;
	memset(message, ' ', sizeof(message));
	memcpy(message, "{\"op\":\"echo\",\"text\":1", 21);
	message[sizeof(message) - 2] = '}';
	/* The longest that is allowed, and one byte more. */
	assert_int_equal(send(control.fd, message, sizeof(message) - 1, 0), sizeof(message) - 1);
	assert_true(next_message(&control, text, sizeof(text)) > 0);
	assert_string_equal(text, "{\"ok\":true,\"text\":1}");
	assert_int_equal(send(control.fd, message, sizeof(message), 0), sizeof(message));
	assert_true(next_message(&control, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "at most 65536 bytes"));
	control_close(&control);
	assert_served();
}

/* More clients than slots, all silent: the newest gets served at once, and each
 * of the others goes. */
static void test_many_silent_clients(void **state)
{
	struct control clients[200];
	char text[64];

	(void)state;
	for (size_t i = 0; i < 200; i++)
		clients[i] = connect_client();
	assert_served();
	for (size_t i = 0; i < 200; i++) {
		assert_int_equal(next_message(&clients[i], text, sizeof(text)), 0);
		control_close(&clients[i]);
	}
	assert_served();
}

/* Every one of 200 asks, and gets its own answer while it has a slot. */
static void test_many_clients(void **state)
{
	(void)state;
	for (int round = 0; round < 10; round++) {
		struct control clients[CONTROL_CLIENTS_MAX];
		char text[128], expected[64];

		for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
			clients[i] = connect_client();
			snprintf(text, sizeof(text), "{\"op\":\"echo\",\"text\":%d}",
				 round * 100 + i);
			assert_int_equal(send(clients[i].fd, text, strlen(text), 0), strlen(text));
		}
		for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
			snprintf(expected, sizeof(expected), "{\"ok\":true,\"text\":%d}",
				 round * 100 + i);
			assert_true(next_message(&clients[i], text, sizeof(text)) > 0);
			assert_string_equal(text, expected);
		}
		for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
			control_close(&clients[i]);
	}
}

/* A client that asks and asks and never reads. */
static void test_does_not_read(void **state)
{
	static char message[FAAS_CONTROL_MESSAGE_BYTES_MAX];
	struct control control = connect_client();
	int sent = 0;

	(void)state;
	memset(message, 'x', sizeof(message));
	memcpy(message, "{\"op\":\"echo\",\"text\":\"", 21);
	memcpy(message + sizeof(message) - 2, "\"}", 2);
	/* It is cut off when the way back is full. */
	for (; sent < 1000; sent++) {
		struct pollfd writable = {.fd = control.fd, .events = POLLOUT};

		if (poll(&writable, 1, ANSWER_MS) != 1 ||
		    send(control.fd, message, sizeof(message), MSG_NOSIGNAL) < 0)
			break;
	}
	assert_true(sent < 1000);
	assert_true(errno == EPIPE || errno == ECONNRESET);
	control_close(&control);
	assert_served();
}

static void test_later_answer(void **state)
{
	struct control waiting = connect_client();
	struct control other = connect_client();
	struct pollfd readable = {.fd = waiting.fd, .events = POLLIN};
	char text[128];

	(void)state;
	assert_int_equal(send(waiting.fd, "{\"op\":\"wait\"}", 13, 0), 13);
	/* Longer than a silent client may stay: it is we who let it wait. */
	assert_int_equal(poll(&readable, 1, 2 * IDLE_MS), 0);
	control_close(&other);
	other = connect_client();
	assert_int_equal(send(other.fd, "{\"op\":\"release\"}", 16, 0), 16);
	assert_true(next_message(&waiting, text, sizeof(text)) > 0);
	assert_string_equal(text, "{\"ok\":true,\"was\":\"waiting\"}");
	control_close(&waiting);
	control_close(&other);
}

static void assert_gone(int count)
{
	struct control control = connect_client();
	char text[128], expected[64];

	snprintf(expected, sizeof(expected), "{\"ok\":true,\"count\":%d}", count);
	for (int tries = 0; tries < 1000; tries++) {
		assert_int_equal(send(control.fd, "{\"op\":\"gone\"}", 13, 0), 13);
		assert_true(next_message(&control, text, sizeof(text)) > 0);
		if (!strcmp(text, expected))
			break;
	}
	assert_string_equal(text, expected);
	control_close(&control);
}

static void test_goes_while_it_waits(void **state)
{
	struct control waiting = connect_client();
	struct control other;
	char text[128];

	(void)state;
	assert_int_equal(send(waiting.fd, "{\"op\":\"wait\"}", 13, 0), 13);
	control_close(&waiting);
	assert_gone(1);
	/* Its answer goes nowhere, not to whoever has its slot now. */
	waiting = connect_client();
	other = connect_client();
	assert_int_equal(send(other.fd, "{\"op\":\"release\"}", 16, 0), 16);
	assert_true(next_message(&other, text, sizeof(text)) > 0);
	assert_string_equal(text, "{\"ok\":true}");
	assert_int_equal(send(waiting.fd, "{\"op\":\"gone\"}", 13, 0), 13);
	assert_true(next_message(&waiting, text, sizeof(text)) > 0);
	assert_string_equal(text, "{\"ok\":true,\"count\":1}");
	control_close(&waiting);
	control_close(&other);
}

/* A second request before the first is answered. */
static void test_impatient(void **state)
{
	struct control control = connect_client();
	char text[128];

	(void)state;
	assert_int_equal(send(control.fd, "{\"op\":\"wait\"}", 13, 0), 13);
	assert_int_equal(send(control.fd, "{\"op\":\"echo\"}", 13, 0), 13);
	assert_int_equal(next_message(&control, text, sizeof(text)), 0);
	control_close(&control);
	assert_gone(1);
}

static int set_up_for_another(void **state)
{
	(void)state;
	return start_server(&(struct control_peers){.owner = getuid() + 1});
}

static void test_wrong_user(void **state)
{
	struct control control = connect_client();
	char text[128];

	(void)state;
	(void)send(control.fd, "{\"op\":\"gone\"}", 13, MSG_NOSIGNAL);
	assert_int_equal(next_message(&control, text, sizeof(text)), 0);
	control_close(&control);
}

/* One of the group is heard, as whatever user; who is in no group of it is not. */
static void ask_as_other(gid_t group, gid_t other, bool heard)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		struct control control = {.fd = -1};
		char text[64] = "";

		if (setgroups(1, &other) || setgid(group) || setuid(getuid() + 4242))
			_exit(2);
		if (control_connect(path, &control))
			_exit(errno == EACCES ? 3 : 4);
		(void)send(control.fd, "{\"op\":\"gone\"}", 13, MSG_NOSIGNAL);
		_exit(next_message(&control, text, sizeof(text)) > 0 ? 0 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, heard ? 0 : 3 << 8);
}

static int set_up_for_group(void **state)
{
	int err;

	(void)state;
	err = start_server(
		&(struct control_peers){.owner = getuid(), .has_group = true, .group = 77777});
	return err || chmod(directory, 0755);
}

static void test_group(void **state)
{
	struct stat status;

	(void)state;
	if (getuid()) {
		skip();
		return;
	}
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0660);
	assert_int_equal(status.st_gid, 77777);
	ask_as_other(77777, 88888, true);
	ask_as_other(88888, 77777, true);
	ask_as_other(88888, 99999, false);
	/* The mode alone does not say who is heard. */
	assert_int_equal(chmod(path, 0666), 0);
	ask_as_other(88888, 99999, false);
	ask_as_other(77777, 88888, true);
	assert_served();
}

static int set_up_slow(void **state)
{
	(void)state;
	rate_max = 200;
	return start_server(&(struct control_peers){.owner = getuid()});
}

static int tear_down_slow(void **state)
{
	rate_max = 0;
	return tear_down(state);
}

/* What is more than the rate waits, and is answered later. */
static void test_rate(void **state)
{
	struct control control = connect_client();
	struct timespec begin, end;
	char text[128];
	long ms;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(send(control.fd, "{\"op\":\"gone\"}", 13, 0), 13);
		assert_true(next_message(&control, text, sizeof(text)) > 0);
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	ms = (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000;
	/* Of 101 in windows of 20, the last comes in the sixth. */
	assert_in_range(ms, 350, 20000);
	control_close(&control);
	assert_served();
}

/* All slots and more want an answer: nobody who has asked is sent away. */
static void test_asked_are_kept(void **state)
{
	struct control clients[4 * CONTROL_CLIENTS_MAX];
	char text[128];

	(void)state;
	kill(server_pid, SIGSTOP);
	for (int i = 0; i < 4 * CONTROL_CLIENTS_MAX; i++) {
		clients[i] = connect_client();
		assert_int_equal(send(clients[i].fd, "{\"op\":\"gone\"}", 13, 0), 13);
	}
	kill(server_pid, SIGCONT);
	for (int i = 0; i < 4 * CONTROL_CLIENTS_MAX; i++) {
		assert_true(next_message(&clients[i], text, sizeof(text)) > 0);
		control_close(&clients[i]);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_serves_and_refuses),
		TEST(test_malformed),
		TEST(test_oversized),
		TEST(test_many_silent_clients),
		TEST(test_many_clients),
		TEST(test_does_not_read),
		TEST(test_later_answer),
		TEST(test_goes_while_it_waits),
		TEST(test_impatient),
		cmocka_unit_test_setup_teardown(test_wrong_user, set_up_for_another, tear_down),
		cmocka_unit_test_setup_teardown(test_group, set_up_for_group, tear_down),
		cmocka_unit_test_setup_teardown(test_rate, set_up_slow, tear_down_slow),
		TEST(test_asked_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
