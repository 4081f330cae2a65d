// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "pace.h"

#define ARRIVES_WITHIN_NS 20000000000u
#define LOOK_EVERY_NS 50000

uint64_t pace_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void pace_begin(struct pace *pace, uint64_t rate)
{
	pace->gap_ns = rate ? 1000000000u / rate : 0;
	pace->next_ns = pace_now_ns();
	pace->flying = 0;
}

static int await_arrival(int fd)
{
	const struct timespec pause = {.tv_nsec = LOOK_EVERY_NS};
	const uint64_t until_ns = pace_now_ns() + ARRIVES_WITHIN_NS;
	int bytes;

	for (;;) {
		if (ioctl(fd, SIOCOUTQ, &bytes))
			return -errno;
		if (!bytes)
			return 0;
		if (pace_now_ns() > until_ns)
			return -ETIMEDOUT;
		(void)nanosleep(&pause, NULL);
	}
}

int pace_end(struct pace *pace)
{
	int err = 0;

	for (size_t at = 0; !err && at < pace->flying; at++)
		err = await_arrival(pace->flight[at]);
	pace->flying = 0;
	return err;
}

int pace_sent(struct pace *pace, int fd)
{
	pace->flight[pace->flying++] = fd;
	return pace->flying == PACE_FLIGHT_MAX ? pace_end(pace) : 0;
}

void pace_wait(struct pace *pace)
{
	uint64_t now_ns;

	if (!pace->gap_ns)
		return;
	now_ns = pace_now_ns();
	if (now_ns < pace->next_ns) {
		struct timespec until = {
			.tv_sec = (time_t)(pace->next_ns / 1000000000u),
			.tv_nsec = (long)(pace->next_ns % 1000000000u),
		};

		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
			continue;
	} else if (now_ns - pace->next_ns > PACE_BURST_MAX * pace->gap_ns) {
		pace->next_ns = now_ns - PACE_BURST_MAX * pace->gap_ns;
	}
	pace->next_ns += pace->gap_ns;
}

int address_parse(const char *text, struct sockaddr_storage *ret, socklen_t *ret_bytes)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct sockaddr_in in4 = {.sin_family = AF_INET};
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2];
	unsigned long port;
	size_t bytes;
	char *end;

	if (!colon || colon == text)
		return -EINVAL;
	errno = 0;
	port = strtoul(colon + 1, &end, 10);
	if (errno || end == colon + 1 || *end || port > 65535)
		return -EINVAL;

	bytes = (size_t)(colon - text);
	if (bytes >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, bytes);
	host[bytes] = '\0';

	if (host[0] == '[' && host[bytes - 1] == ']') {
		host[bytes - 1] = '\0';
		if (inet_pton(AF_INET6, host + 1, &in6.sin6_addr) != 1)
			return -EINVAL;
		in6.sin6_port = htons((uint16_t)port);
		memcpy(ret, &in6, sizeof(in6));
		*ret_bytes = sizeof(in6);
		return 0;
	}
	if (inet_pton(AF_INET, host, &in4.sin_addr) != 1)
		return -EINVAL;
	in4.sin_port = htons((uint16_t)port);
	memcpy(ret, &in4, sizeof(in4));
	*ret_bytes = sizeof(in4);
	return 0;
}

uint64_t number_or_die(const char *text, uint64_t max, const char *option)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *end || text[0] == '-' || value > max) {
		fprintf(stderr, "--%s: \"%s\" is not a number from 0 to %" PRIu64 "\n", option,
			text, max);
		exit(2);
	}
	return value;
}
