// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/sink/udp_sink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

int udp_sink_init(struct udp_sink *sink, int fd, const char *host, uint16_t port)
{
	struct sockaddr_in to4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 to6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	*sink = (struct udp_sink){.fd = fd};
	if (inet_pton(AF_INET, host, &to4.sin_addr) == 1) {
		sink->to.v4 = to4;
		sink->to_bytes = sizeof(to4);
	} else if (inet_pton(AF_INET6, host, &to6.sin6_addr) == 1) {
		sink->to.v6 = to6;
		sink->to_bytes = sizeof(to6);
	} else {
		sink->fd = -1;
		return -EINVAL;
	}
	return 0;
}

int udp_sink_send(struct udp_sink *sink, const char *datagram, size_t bytes)
{
	int err;

	if (bytes > UDP_SINK_BYTES_MAX)
		return -EMSGSIZE;
	if (sink->fd < 0)
		return -ENETDOWN;
	/* Connecting finds route and source address. It is done again after an
	 * error: both may have changed since. */
	if (!sink->connected) {
		if (connect(sink->fd, &sink->to.any, sink->to_bytes))
			return -errno;
		sink->connected = true;
	}
	if (send(sink->fd, datagram, bytes, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 0;
	err = -errno;
	if (err == -EWOULDBLOCK || err == -ENOBUFS)
		return -EAGAIN;
	/* ECONNREFUSED tells of the datagram before this one; the socket is fine. */
	if (err != -ECONNREFUSED && err != -EMSGSIZE) {
		const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

		(void)!connect(sink->fd, &nowhere, sizeof(nowhere));
		sink->connected = false;
	}
	return err;
}

void udp_sink_close(struct udp_sink *sink)
{
	if (sink->fd >= 0)
		close(sink->fd);
	sink->fd = -1;
}
