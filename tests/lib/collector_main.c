// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A UDP receiver: each datagram becomes a line of a file. Prints "ready" when
 * it listens, ends at SIGTERM or SIGINT, after taking what its socket still
 * holds, and prints {"received":N,"bytes":N}.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pace.h"

#define DATAGRAM_BYTES_MAX 65536
#define RECEIVE_BUFFER_BYTES (8 << 20)

struct totals {
	uint64_t received;
	uint64_t bytes;
};

/* Take everything the socket holds. 0, or -errno. */
static int drain(int fd, FILE *output, struct totals *totals)
{
	static char datagram[DATAGRAM_BYTES_MAX];

	for (;;) {
		ssize_t bytes = recv(fd, datagram, sizeof(datagram), MSG_DONTWAIT);

		if (bytes < 0)
			return errno == EAGAIN ? 0 : -errno;
		totals->received++;
		totals->bytes += (uint64_t)bytes;
		if (!output)
			continue;
		/* One datagram, one line: a payload that brings its own newline
		 * must not be mistaken for two. */
		for (ssize_t at = 0; at < bytes; at++)
			if (datagram[at] == '\n')
				datagram[at] = ' ';
		if (fwrite(datagram, 1, (size_t)bytes, output) != (size_t)bytes ||
		    fputc('\n', output) == EOF)
			return -EIO;
	}
}

static void usage(void)
{
	fputs("usage: collector --listen ADDRESS:PORT [--output FILE]\n", stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"listen", required_argument, NULL, 'l'},
		{"output", required_argument, NULL, 'o'},
		{0},
	};
	struct sockaddr_storage listen_at;
	struct totals totals = {0};
	socklen_t listen_bytes = 0;
	int buffer_bytes = RECEIVE_BUFFER_BYTES;
	FILE *output = NULL;
	struct pollfd polled[2];
	sigset_t signals;
	int choice, fd, err = 0;

	while ((choice = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (choice) {
		case 'l':
			if (address_parse(optarg, &listen_at, &listen_bytes))
				usage();
			break;
		case 'o':
			output = fopen(optarg, "we");
			if (!output) {
				fprintf(stderr, "collector: %s: %s\n", optarg, strerror(errno));
				return 1;
			}
			setlinebuf(output);
			break;
		default:
			usage();
		}
	}
	if (!listen_bytes || optind != argc)
		usage();

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);

	fd = socket(listen_at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes,
				 sizeof(buffer_bytes));
	if (fd < 0 || bind(fd, (struct sockaddr *)&listen_at, listen_bytes)) {
		fprintf(stderr, "collector: %s\n", strerror(errno));
		return 1;
	}
	polled[0] = (struct pollfd){.fd = fd, .events = POLLIN};
	polled[1] = (struct pollfd){.fd = signalfd(-1, &signals, SFD_CLOEXEC), .events = POLLIN};
	if (polled[1].fd < 0) {
		fprintf(stderr, "collector: signalfd: %s\n", strerror(errno));
		return 1;
	}
	puts("ready");
	fflush(stdout);

	while (!err && !polled[1].revents) {
		if (poll(polled, 2, -1) < 0 && errno != EINTR)
			err = -errno;
		else
			err = drain(fd, output, &totals);
	}
	if (output && fclose(output) && !err)
		err = -errno;
	printf("{\"received\":%" PRIu64 ",\"bytes\":%" PRIu64 "}\n", totals.received, totals.bytes);
	if (err)
		fprintf(stderr, "collector: %s\n", strerror(-err));
	return err ? 1 : 0;
}
