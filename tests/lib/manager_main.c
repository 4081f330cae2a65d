// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * manager SOCKET WATCHDOG_MS PROGRAM [ARGUMENT...]: starts a program as a service manager
 * does (sd_notify(3)), and prints each message of it in a line. Ends as the program does;
 * SIGTERM is passed on.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child;

static void pass_on(int number)
{
	(void)kill(child, number);
}

static int fail(const char *what)
{
	fprintf(stderr, "manager: %s: %s\n", what, strerror(errno));
	return 1;
}

/* Messages until the program has ended. */
static void listen_to(int fd, int pidfd)
{
	struct pollfd sources[] = {{.fd = fd, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
	char message[512];

	for (;;) {
		ssize_t bytes = -1;

		if (poll(sources, 2, -1) < 0 && errno != EINTR)
			return;
		if (sources[0].revents)
			bytes = recv(fd, message, sizeof(message) - 1, MSG_DONTWAIT);
		if (bytes > 0) {
			message[bytes] = '\0';
			printf("%s\n", message);
			fflush(stdout);
		} else if (sources[1].revents) {
			return;
		}
	}
}

int main(int count, char **texts)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char watchdog[32];
	int fd, pidfd, status;

	if (count < 4 || strlen(texts[1]) >= sizeof(address.sun_path)) {
		fprintf(stderr, "usage: manager SOCKET WATCHDOG_MS PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	memcpy(address.sun_path, texts[1], strlen(texts[1]) + 1);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)))
		return fail(texts[1]);
	snprintf(watchdog, sizeof(watchdog), "%ld", 1000 * strtol(texts[2], NULL, 10));
	if (setenv("NOTIFY_SOCKET", texts[1], 1) || setenv("WATCHDOG_USEC", watchdog, 1))
		return fail("environment");
	child = fork();
	if (child < 0)
		return fail("fork");
	if (!child) {
		execv(texts[3], texts + 3);
		_exit(fail(texts[3]));
	}
	(void)signal(SIGTERM, pass_on);
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	if (pidfd < 0)
		return fail("pidfd");
	listen_to(fd, pidfd);
	if (waitpid(child, &status, 0) != child)
		return fail("wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
