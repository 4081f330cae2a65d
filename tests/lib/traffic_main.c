// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Numbered UDP datagrams at a steady rate, spread over source ports, which serve
 * as keys: datagram n goes out of port FIRST + n % KEYS, and its payload begins
 * with n as u64 big endian. With --reply every datagram must come back to its
 * port, unchanged, before the next one of that port goes out.
 *
 * stdout gets {"sent":N,"bytes":N,"replied":N,"wrong":N}, at the end of --count or,
 * behind SIGTERM, when each key has had as many as the others.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pace.h"

#define KEYS_MAX 1024
#define PAYLOAD_BYTES_MAX 2048
#define REPLY_WAIT_MS 1000
#define WRONG_MAX 5 /* replies that did not come: no use to go on */

struct traffic {
	struct sockaddr_storage to;
	socklen_t to_bytes;
	uint64_t keys, count, first_port, payload_bytes, rate;
	bool reply;
	int sockets[KEYS_MAX];
	uint64_t sent, replied, wrong;
};

static int open_port(const struct traffic *traffic, uint16_t port)
{
	struct sockaddr_storage from = {.ss_family = traffic->to.ss_family};
	int fd = socket(from.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	/* The port stands at the same place in both address families. */
	((struct sockaddr_in *)&from)->sin_port = htons(port);
	if (bind(fd, (struct sockaddr *)&from, traffic->to_bytes)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

/* 0 when the datagram came back, 1 when it did not or was another. */
static int await_reply(int fd, const uint8_t *payload, size_t bytes)
{
	struct pollfd polled = {.fd = fd, .events = POLLIN};
	uint8_t reply[PAYLOAD_BYTES_MAX];
	ssize_t got;

	if (poll(&polled, 1, REPLY_WAIT_MS) != 1)
		return 1;
	got = recv(fd, reply, sizeof(reply), MSG_DONTWAIT);
	return got != (ssize_t)bytes || memcmp(reply, payload, bytes);
}

static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

static int run(struct traffic *traffic)
{
	uint8_t payload[PAYLOAD_BYTES_MAX];
	struct pace pace;
	int err;

	for (size_t at = 0; at < sizeof(payload); at++)
		payload[at] = (uint8_t)at;
	pace_begin(&pace, traffic->rate);
	for (uint64_t n = 0; n < traffic->count && traffic->wrong < WRONG_MAX; n++) {
		uint64_t number = htobe64(n);
		int fd = traffic->sockets[n % traffic->keys];

		if (ended && n % traffic->keys == 0)
			break;
		memcpy(payload, &number, sizeof(number));
		pace_wait(&pace);
		if (sendto(fd, payload, traffic->payload_bytes, 0, (struct sockaddr *)&traffic->to,
			   traffic->to_bytes) != (ssize_t)traffic->payload_bytes)
			return errno ? -errno : -EIO;
		traffic->sent++;
		err = pace_sent(&pace, fd);
		if (err)
			return err;
		if (!traffic->reply)
			continue;
		if (await_reply(fd, payload, traffic->payload_bytes))
			traffic->wrong++;
		else
			traffic->replied++;
	}
	return pace_end(&pace);
}

static void usage(void)
{
	fputs("usage: traffic --to ADDRESS:PORT --count N [--keys N] [--first-port PORT]\n"
	      "               [--payload BYTES] [--rate PER_SECOND] [--reply]\n",
	      stderr);
	exit(2);
}

static void read_options(int argc, char **argv, struct traffic *traffic)
{
	static const struct option options[] = {
		{"to", required_argument, NULL, 't'},
		{"count", required_argument, NULL, 'c'},
		{"keys", required_argument, NULL, 'k'},
		{"first-port", required_argument, NULL, 'f'},
		{"payload", required_argument, NULL, 'p'},
		{"rate", required_argument, NULL, 'r'},
		{"reply", no_argument, NULL, 'R'},
		{0},
	};
	int choice;

	while ((choice = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (choice) {
		case 't':
			if (address_parse(optarg, &traffic->to, &traffic->to_bytes))
				usage();
			break;
		case 'c':
			traffic->count = number_or_die(optarg, UINT32_MAX, "count");
			break;
		case 'k':
			traffic->keys = number_or_die(optarg, KEYS_MAX, "keys");
			break;
		case 'f':
			traffic->first_port = number_or_die(optarg, 65535 - KEYS_MAX, "first-port");
			break;
		case 'p':
			traffic->payload_bytes =
				number_or_die(optarg, PAYLOAD_BYTES_MAX, "payload");
			break;
		case 'r':
			traffic->rate = number_or_die(optarg, 10000000, "rate");
			break;
		case 'R':
			traffic->reply = true;
			break;
		default:
			usage();
		}
	}
	if (!traffic->to_bytes || !traffic->count || !traffic->keys ||
	    traffic->payload_bytes < sizeof(uint64_t) || optind != argc)
		usage();
}

int main(int argc, char **argv)
{
	static struct traffic traffic = {
		.keys = 1, .first_port = 20000, .payload_bytes = 16, .rate = 10000};
	int err;

	read_options(argc, argv, &traffic);
	(void)signal(SIGTERM, end);
	for (uint64_t key = 0; key < traffic.keys; key++) {
		traffic.sockets[key] = open_port(&traffic, (uint16_t)(traffic.first_port + key));
		if (traffic.sockets[key] < 0) {
			fprintf(stderr, "traffic: port %" PRIu64 ": %s\n", traffic.first_port + key,
				strerror(-traffic.sockets[key]));
			return 1;
		}
	}
	err = run(&traffic);
	printf("{\"sent\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"replied\":%" PRIu64
	       ",\"wrong\":%" PRIu64 "}\n",
	       traffic.sent, traffic.sent * traffic.payload_bytes, traffic.replied, traffic.wrong);
	if (err)
		fprintf(stderr, "traffic: %s\n", strerror(-err));
	return err || traffic.wrong ? 1 : 0;
}
