/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Datagrams to one collector, through a socket that was made in the workflow's
 * network namespace. The socket is connected: only then is heard that nobody
 * listens.
 */
#ifndef FAAS_SINK_UDP_SINK_H
#define FAAS_SINK_UDP_SINK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* What fits in a datagram over IPv4: 65535 - 20 - 8. */
#define UDP_SINK_BYTES_MAX 65507

struct udp_sink {
	int fd; /* owned; -1: there is no socket, its namespace is gone */
	bool connected;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} to;
	socklen_t to_bytes;
};

/* Takes @p fd on success. -EINVAL: @p host is no numeric address. */
int udp_sink_init(struct udp_sink *sink, int fd, const char *host, uint16_t port)
	__attribute__((warn_unused_result));

/* Try once, without blocking. 0; -EAGAIN: the socket's buffer is full; -EMSGSIZE:
 * it never fits; or -errno: not sent, an error of the network. */
int udp_sink_send(struct udp_sink *sink, const char *datagram, size_t bytes)
	__attribute__((warn_unused_result));

void udp_sink_close(struct udp_sink *sink);

#endif
