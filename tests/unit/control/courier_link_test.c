// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A courier that ends while it is told of a workflow: the next one is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "userspace/control/courier_link.h"

struct fixture {
	struct loop loop;
	struct courier_link link;
	struct supervisor supervisor;
	struct courier_client client;
	int courier; /* its end of the socket */
	int file;
	unsigned int added;
};

static struct fixture fixture;

static void on_added(struct courier_client *client, bool ok, const char *error, const char *advice)
{
	(void)client;
	(void)ok;
	(void)error;
	(void)advice;
	fixture.added++;
}

static void on_answer(struct loop_source *source, uint32_t events)
{
	(void)source;
	(void)events;
}

/* A courier that runs, and a workflow that it is not told of yet. */
static int begin(void **state)
{
	struct supervisor *supervisor = &fixture.supervisor;
	int pair[2];

	(void)state;
	memset(&fixture, 0, sizeof(fixture));
	fixture.file = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_true(fixture.file >= 0);
	assert_int_equal(loop_open(&fixture.loop), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	courier_link_init(&fixture.link, &fixture.loop);
	assert_int_equal(
		loop_add(&fixture.loop, &fixture.link.control, pair[0], EPOLLIN, on_answer), 0);
	fixture.link.pid = getpid();
	fixture.courier = pair[1];
	supervisor_init(supervisor, &fixture.loop, NULL);
	strcpy(supervisor->name, "meter");
	supervisor->manifest = supervisor->notify = supervisor->space = fixture.file;
	supervisor->files.log = supervisor->files.worker_page = fixture.file;
	supervisor->files.courier_page = fixture.file;
	fixture.client = (struct courier_client){
		.supervisor = supervisor, .namespace_fd = -1, .strict = true, .added = on_added};
	return 0;
}

static int end(void **state)
{
	int control = fixture.link.control.fd;

	(void)state;
	loop_remove(&fixture.loop, &fixture.link.control);
	close(control);
	if (fixture.courier >= 0)
		close(fixture.courier);
	close(fixture.file);
	loop_close(&fixture.loop);
	return 0;
}

static void is_told(void **state)
{
	char message[1024];

	(void)state;
	courier_link_add(&fixture.link, &fixture.client);
	assert_int_equal(fixture.client.stage, COURIER_ASKED);
	assert_true(recv(fixture.courier, message, sizeof(message), MSG_DONTWAIT) > 0);
}

/* Nobody has refused it. */
static void has_ended(void **state)
{
	(void)state;
	close(fixture.courier);
	fixture.courier = -1;
	courier_link_add(&fixture.link, &fixture.client);
	assert_int_equal(fixture.client.stage, COURIER_WANTED);
	assert_int_equal(fixture.added, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(is_told, begin, end),
		cmocka_unit_test_setup_teardown(has_ended, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
