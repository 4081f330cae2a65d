// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * clients SOCKET COUNT MS LEAST [GID]: so many clients at once of a control socket, for so long,
 * none of which behaves: by turns one is silent, one sends half a message, one what is no
 * message or too long, and one asks again and again and never reads. Whoever is sent away
 * comes back. With GID as a user who is nobody, in that group. SIGTERM ends it before, when
 * LEAST have come in and one has been sent away.
 */
#include <errno.h>
#include <grp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <signal.h>

#include <ebpf_faas/limits.h>

#include "control_client.h"

#define NOBODY 65534
#define COUNT_MAX 10000

enum way { SILENT, HALF, GARBAGE, DEAF, WAYS };

struct crowd {
	struct sockaddr_un address;
	int *fds; /* -1: to come back */
	unsigned int count, least;
	unsigned long long connected, sent, cut;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static int come(struct crowd *crowd)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&crowd->address, sizeof(crowd->address))) {
		close(fd);
		return -1;
	}
	crowd->connected++;
	return fd;
}

/* False: it was sent away. */
static bool act(struct crowd *crowd, int fd, enum way way)
{
	static const char half[] = "{\"op\":\"list\",\"proto",
			  ask[] = "{\"op\":\"list\",\"after\":\"\",\"protocol\":%d}";
	static char garbage[FAAS_CONTROL_MESSAGE_BYTES_MAX + 1], question[64];
	const char *message = half;
	size_t bytes = sizeof(half) - 1;
	char byte;

	if (way != DEAF && !recv(fd, &byte, 1, MSG_DONTWAIT))
		return false;
	switch (way) {
	case SILENT:
		return true;
	case HALF:
		break;
	case GARBAGE:
		memset(garbage, '[', sizeof(garbage));
		message = garbage;
		bytes = sizeof(garbage);
		break;
	default:
		bytes = (size_t)snprintf(question, sizeof(question), ask, CONTROL_PROTOCOL);
		message = question;
	}
	if (send(fd, message, bytes, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		crowd->sent++;
	else if (errno != EAGAIN && errno != ENOBUFS)
		return false;
	return true;
}

static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

static bool is_done(const struct crowd *crowd)
{
	return ended && crowd->connected >= crowd->least && crowd->cut;
}

static void crowd_in(struct crowd *crowd, uint64_t end_ms)
{
	while (now_ms() < end_ms && !is_done(crowd))
		for (unsigned int i = 0; i < crowd->count; i++) {
			if (crowd->fds[i] < 0)
				crowd->fds[i] = come(crowd);
			if (crowd->fds[i] < 0 || act(crowd, crowd->fds[i], (enum way)(i % WAYS)))
				continue;
			close(crowd->fds[i]);
			crowd->fds[i] = -1;
			crowd->cut++;
		}
}

int main(int argc, char **argv)
{
	struct rlimit files = {COUNT_MAX + 64, COUNT_MAX + 64};
	struct crowd crowd = {.address.sun_family = AF_UNIX};
	gid_t group = argc > 5 ? (gid_t)atoi(argv[5]) : 0;

	if (argc < 5 || strlen(argv[1]) >= sizeof(crowd.address.sun_path) || atoi(argv[2]) < 1 ||
	    atoi(argv[2]) > COUNT_MAX) {
		fprintf(stderr, "usage: clients SOCKET COUNT MS LEAST [GID]\n");
		return 2;
	}
	memcpy(crowd.address.sun_path, argv[1], strlen(argv[1]) + 1);
	crowd.count = (unsigned int)atoi(argv[2]);
	crowd.least = (unsigned int)atoi(argv[4]);
	crowd.fds = malloc(crowd.count * sizeof(*crowd.fds));
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGTERM, end);
	if (!crowd.fds || setrlimit(RLIMIT_NOFILE, &files) ||
	    (group && (setgroups(0, NULL) || setgid(group) || setuid(NOBODY)))) {
		fprintf(stderr, "clients: %s\n", strerror(errno));
		free(crowd.fds);
		return 1;
	}
	for (unsigned int i = 0; i < crowd.count; i++)
		crowd.fds[i] = -1;
	crowd_in(&crowd, now_ms() + (uint64_t)atoi(argv[3]));
	printf("{\"connected\":%llu,\"sent\":%llu,\"cut\":%llu}\n", crowd.connected, crowd.sent,
	       crowd.cut);
	free(crowd.fds);
	return 0;
}
